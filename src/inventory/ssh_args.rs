//! Owns the arguments of ssh(1) that inventories carry (`ansible_ssh_common_args` and the like).
//!
//! Must not know where they come from. What rempart can follow is kept; what would weaken the check of host keys is
//! refused with a warning; what is only about ssh(1) itself is passed over; all else is told by name. As in ssh(1),
//! the first of two that say the same wins.

use std::path::PathBuf;

use super::connection::{home, keys_are_checked};
use crate::model::{Diagnostic, Place};

/// What the arguments say.
#[derive(Debug, Default)]
pub(super) struct SshArgs {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub identity_files: Vec<PathBuf>,
    pub jump: Option<String>,
    pub proxy_command: Option<String>,
    pub known_hosts: Vec<PathBuf>,
    pub ssh_config: Option<PathBuf>,
    pub connect_timeout: Option<u64>,
    pub retries: Option<u32>,
    /// `IdentitiesOnly`.
    pub identities_only: Option<bool>,
    /// Whether keys, or passwords, are not to be tried.
    pub no_keys: Option<bool>,
    pub no_password: Option<bool>,
}

// Options that have no effect on what rempart does, or that it does anyway.
const PASSED_OVER: [&str; 20] = [
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "compression",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "escapechar",
    "exitonforwardfailure",
    "gssapiauthentication",
    "hashknownhosts",
    "kbdinteractiveauthentication",
    "loglevel",
    "numberofpasswordprompts",
    "requesttty",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
];

/// Why `word` is no plain word, or `None`.
pub(super) fn plain_word(word: &str) -> Option<&'static str> {
    if word.is_empty() {
        Some("is empty")
    } else if word.contains("{{") {
        Some("still holds a template")
    } else if word.starts_with('-') {
        Some("starts with `-`")
    } else if word.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("holds a space or a control character")
    } else {
        None
    }
}

impl SshArgs {
    /// Reads the arguments of the variable `name`.
    pub fn read(
        &mut self,
        name: &str,
        text: &str,
        place: &Place,
        faults: &mut Vec<Diagnostic>,
        warnings: &mut Vec<Diagnostic>,
    ) {
        let Some(words) = shlex::split(text) else {
            faults.push(
                Diagnostic::error("arguments that cannot be read")
                    .at(place, format!("a quote in `{name}` is not closed"))
                    .fix("close the quote"),
            );
            return;
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut letters = word.strip_prefix('-').unwrap_or("").chars();
            let Some(mut letter) = letters.next().filter(|letter| *letter != '-') else {
                warnings.push(unknown(name, &word, place));
                continue;
            };
            loop {
                if "CqTtvNnxaXky46".contains(letter) {
                    match letters.next() {
                        Some(next) => letter = next,
                        None => break,
                    }
                    continue;
                }
                // The value stands in the same word, or is the next one.
                let joined: String = letters.as_str().to_owned();
                let value = if "oiFplJ".contains(letter) || "BbcDEeILmOQRSWw".contains(letter) {
                    if joined.is_empty() { words.next() } else { Some(joined) }
                } else {
                    Some(String::new())
                };
                let told = match value {
                    None => Err(format!("`-{letter}` has no value")),
                    Some(value) => self.flag(letter, &value, place, warnings),
                };
                match told {
                    Ok(true) => {}
                    Ok(false) => warnings.push(unknown(name, &format!("-{letter}"), place)),
                    Err(why) => faults.push(
                        Diagnostic::error("arguments that cannot be followed")
                            .at(place, format!("`{name}`: {why}"))
                            .fix("mend it, or say it with a variable such as ansible_port or `rempart: { jump: ... }`"),
                    ),
                }
                break;
            }
        }
    }

    // Whether the flag is known; an error where its value is wrong.
    fn flag(&mut self, flag: char, value: &str, place: &Place, warnings: &mut Vec<Diagnostic>) -> Result<bool, String> {
        match flag {
            'o' => {
                let (key, value) = value
                    .trim()
                    .split_once(|c: char| c == '=' || c.is_whitespace())
                    .ok_or_else(|| format!("`-o {value}` has no value"))?;
                return self.option(key, value.trim_matches([' ', '\t', '=', '"']), place, warnings);
            }
            'i' => self.identity_files.push(home(value)),
            'F' => {
                let path = if value == "none" { PathBuf::new() } else { home(value) };
                self.ssh_config.get_or_insert(path);
            }
            'p' => {
                self.port.get_or_insert(number(value, 65535)?.try_into().map_err(|_| "no port")?);
            }
            'l' => {
                self.user.get_or_insert(word(value)?);
            }
            'J' => {
                self.jump.get_or_insert(word(value)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn option(
        &mut self,
        key: &str,
        value: &str,
        place: &Place,
        warnings: &mut Vec<Diagnostic>,
    ) -> Result<bool, String> {
        let low = key.to_lowercase();
        match low.as_str() {
            "proxyjump" => return self.flag('J', value, place, warnings),
            "identityfile" => return self.flag('i', value, place, warnings),
            "port" => return self.flag('p', value, place, warnings),
            "user" => return self.flag('l', value, place, warnings),
            "hostname" => {
                self.host.get_or_insert(word(value)?);
            }
            "proxycommand" if value.chars().any(|c| c.is_control()) => {
                return Err("`ProxyCommand` holds a control character".into());
            }
            "proxycommand" if value.eq_ignore_ascii_case("none") || value.is_empty() => {}
            "proxycommand" => {
                self.proxy_command.get_or_insert(value.to_owned());
            }
            "connecttimeout" => {
                self.connect_timeout.get_or_insert(number(value, 3600)?);
            }
            "connectionattempts" => {
                let tries = u32::try_from(number(value, 101)?).unwrap_or(1);
                self.retries.get_or_insert(tries - 1);
            }
            "userknownhostsfile" | "globalknownhostsfile" => {
                for file in value.split_whitespace() {
                    match file {
                        "/dev/null" => warnings.push(keys_are_checked(place)),
                        "none" => {}
                        file => self.known_hosts.push(home(file)),
                    }
                }
            }
            "stricthostkeychecking" => {
                if !["yes", "ask", "true"].contains(&value.to_lowercase().as_str()) {
                    warnings.push(keys_are_checked(place));
                }
            }
            "identitiesonly" => {
                self.identities_only.get_or_insert(flag(value)?);
            }
            "pubkeyauthentication" => {
                // `host-bound` and the like are ways of saying yes.
                self.no_keys.get_or_insert(flag(value).is_ok_and(|wanted| !wanted));
            }
            "passwordauthentication" => {
                self.no_password.get_or_insert(!flag(value)?);
            }
            "preferredauthentications" => {
                let has = |method: &str| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(method));
                self.no_keys.get_or_insert(!has("publickey"));
                self.no_password.get_or_insert(!has("password") && !has("keyboard-interactive"));
            }
            known if PASSED_OVER.contains(&known) => {}
            _ => {
                warnings.push(unknown("-o", key, place));
            }
        }
        Ok(true)
    }
}

fn word(text: &str) -> Result<String, String> {
    plain_word(text).map_or(Ok(text.to_owned()), |why| Err(format!("{text:?} {why}")))
}

fn flag(value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{value:?} is neither yes nor no")),
    }
}

fn number(text: &str, most: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=most).contains(number))
        .ok_or(format!("{text:?} is no number from 1 to {most}"))
}

fn unknown(name: &str, word: &str, place: &Place) -> Diagnostic {
    Diagnostic::warning("an argument of ssh that has no effect")
        .at(place, format!("`{word}` in `{name}` is not followed"))
        .because("rempart speaks SSH itself and does not start ssh")
        .fix("put it into an ssh_config, or remove it")
}
