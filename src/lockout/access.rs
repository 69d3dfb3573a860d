//! Owns what stands before the account besides sshd: PAM's files, /etc/nologin, hosts.allow and hosts.deny.

use std::net::IpAddr;

use super::verdict::Found;
use crate::resource::ForeseenText;

/// What a file of the plan makes of our login; `None` = nothing that a login depends on. `now` = what stands there.
///
/// `passwords` = whether one is typed for the login, and for sudo.
pub(super) fn judge(path: &str, text: &ForeseenText, user: &str, passwords: [bool; 2]) -> Option<Found> {
    let inside = |tree: &str| path.strip_prefix(tree);
    if path == "/etc/nologin" {
        let there = !matches!(text, ForeseenText::Gone);
        return Some(if there && user != "root" {
            Found::Closed("/etc/nologin shuts everybody out but root".into(), "take the file out of the plan")
        } else {
            Found::Open("no /etc/nologin".into())
        });
    }
    if let Some(name) = inside("/etc/pam.d/") {
        // `other` is for programs without a file of their own.
        let by_password = match name {
            "sshd" => passwords[0],
            "sudo" => passwords[1],
            _ => passwords.contains(&true),
        };
        let ours = matches!(name, "sshd" | "sudo") || name.starts_with("common-");
        return ours.then(|| pam(path, text, by_password));
    }
    if inside("/etc/security/").is_some() {
        return Some(Found::Undecided(format!("what PAM makes of {path} is not simulated")));
    }
    None
}

// PAM's modules are programs. All that can be told is a stack that refuses before any of its modules could let pass.
fn pam(path: &str, text: &ForeseenText, by_password: bool) -> Found {
    let ForeseenText::Plain(text) = text else {
        return Found::Undecided(format!("what PAM makes of {path} is not simulated"));
    };
    for kind in ["account", "session", "auth"] {
        // A key needs no `auth` at sshd, and sudo without a password none either.
        if kind == "auth" && !by_password {
            continue;
        }
        for line in text.lines().map(str::trim) {
            let mut words = line.split_ascii_whitespace();
            if words.next().map(|word| word.trim_start_matches('-')) != Some(kind) {
                continue;
            }
            let rest: Vec<&str> = words.collect();
            let fatal = matches!(rest.first(), Some(&("required" | "requisite")));
            if fatal && rest.get(1).is_some_and(|module| module.ends_with("pam_deny.so")) {
                let by = format!("{path}: `{line}` refuses everybody");
                return Found::Closed(by, "keep a stack that lets the account of rempart pass");
            }
            // Anything that may end or skip the stack before the refusal.
            if matches!(rest.first(), Some(&("sufficient" | "include" | "substack")))
                || rest.first().is_some_and(|control| control.starts_with('['))
            {
                break;
            }
        }
    }
    Found::Undecided(format!("what PAM makes of {path} is not simulated"))
}

/// What hosts.allow and hosts.deny make of our address, where sshd reads them.
pub(super) fn wrappers(allow: &str, deny: &str, from: IpAddr) -> Found {
    match matching(allow, from) {
        Err(line) => return Found::Undecided(format!("hosts.allow: `{line}` was not understood")),
        Ok(Some(line)) => return Found::Open(format!("hosts.allow: {line}")),
        Ok(None) => {}
    }
    match matching(deny, from) {
        Err(line) => Found::Undecided(format!("hosts.deny: `{line}` was not understood")),
        Ok(Some(line)) => {
            Found::Closed(format!("hosts.deny: {line}"), "allow the address that rempart comes from in hosts.allow")
        }
        Ok(None) => Found::Open("no line of hosts.deny means us".into()),
    }
}

fn matching(text: &str, from: IpAddr) -> Result<Option<&str>, &str> {
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((daemons, rest)) = line.split_once(':') else { return Err(line) };
        let mut words = daemons.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        if !words.any(|word| matches!(word, "ALL" | "sshd")) {
            if daemons.contains("EXCEPT") {
                return Err(line);
            }
            continue;
        }
        if rest.contains("EXCEPT") || rest.contains('/') && rest.contains(" /") || daemons.contains("EXCEPT") {
            return Err(line);
        }
        let clients = clients_of(rest);
        for client in clients.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            match takes(client, from) {
                Some(true) => return Ok(Some(line)),
                Some(false) => {}
                None => return Err(line),
            }
        }
    }
    Ok(None)
}

// Up to the option after the next colon, which may stand in brackets within an IPv6 address.
fn clients_of(rest: &str) -> &str {
    let mut inside = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside => return &rest[..at],
            _ => {}
        }
    }
    rest
}

fn takes(client: &str, from: IpAddr) -> Option<bool> {
    if client == "ALL" {
        return Some(true);
    }
    let bare = client.replace(['[', ']'], "");
    if bare.ends_with('.') && bare.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Some(from.to_string().starts_with(&bare));
    }
    super::patterns::takes_address(&bare, from).filter(|_| bare.contains(['.', ':']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str) -> ForeseenText {
        ForeseenText::Plain(text.into())
    }

    #[test]
    fn a_stack_that_refuses_everybody_is_told_from_one_that_may_not() {
        let told = |text: &str| judge("/etc/pam.d/sshd", &plain(text), "admin", [false; 2]).unwrap();
        assert!(matches!(told("account required pam_deny.so\n"), Found::Closed(..)));
        let usual = "account [success=1 default=ignore] pam_unix.so\naccount requisite pam_deny.so\n";
        assert!(matches!(told(usual), Found::Undecided(_)));
        assert!(matches!(told("auth required pam_deny.so\n"), Found::Undecided(_)));
        assert!(matches!(told("@include common-account\n"), Found::Undecided(_)));
        assert_eq!(judge("/etc/pam.d/cron", &plain("account required pam_deny.so"), "admin", [false; 2]), None);
        assert_eq!(judge("/etc/pam.d/other", &plain("account required pam_deny.so"), "admin", [true; 2]), None);
    }

    #[test]
    fn nologin_and_wrappers() {
        let told = |user: &str| judge("/etc/nologin", &plain("no"), user, [false; 2]).unwrap();
        assert!(matches!(told("admin"), Found::Closed(..)));
        assert!(matches!(told("root"), Found::Open(_)));
        let from = "192.0.2.7".parse().unwrap();
        for (allow, deny, closed) in [
            ("", "ALL: ALL\n", Some(true)),
            ("sshd: 192.0.2.\n", "ALL: ALL\n", Some(false)),
            ("sshd: 198.51.100.0/24\n", "sshd : ALL : spawn x\n", Some(true)),
            ("cups: ALL\n", "cups: ALL\n", Some(false)),
            ("", "ALL: ALL EXCEPT 192.0.2.7\n", None),
            ("", "sshd: .example.com\n", None),
        ] {
            let found = wrappers(allow, deny, from);
            let is = match found {
                Found::Open(_) => Some(false),
                Found::Closed(..) => Some(true),
                Found::Undecided(_) => None,
            };
            assert_eq!(is, closed, "{allow} {deny}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,80}") {
            judge("/etc/pam.d/sshd", &plain(&text), "admin", [true; 2]);
            wrappers(&text, &format!("sshd: {text}"), "2001:db8::1".parse().unwrap());
        }
    }
}
