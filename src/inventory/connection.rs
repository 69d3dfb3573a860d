//! Owns the connection variables: which are known, what they mean, and the target they lead to.
//!
//! Must not know templates or how a connection is made. Values come through a [`Lookup`], so that a playbook can
//! render them first; [`raw`] takes them as they stand. Of two names for one thing the winner is Ansible's
//! (`ansible_ssh_host` over `ansible_host`); the map `rempart` wins over both, and [`Overrides`] over all.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Host;
use super::known::{
    ARGS, BECOME, BECOME_PASSWORD, BECOME_USER, CHECKING, CONNECTION, HOST, KEY, METHOD, PASSWORD, PORT, TIMEOUT,
    TRIES, USER,
};
use super::settings::hidden;
use super::ssh_args::{SshArgs, plain_word};
use crate::model::{Diagnostic, Place};
use crate::secret::{Rendered, Secret};
use crate::transport::{Become, Candidate, Target};
use crate::yaml::{self, Node, Value};

/// How long a connection may take to be made where nothing else is said; Ansible's default.
const CONNECT_TIMEOUT: u64 = 10;
/// How often a connection is tried again where nothing else is said.
const RETRIES: u32 = 2;

/// As many ways to one host as are tried.
const MOST_WAYS: usize = 8;

/// Gives the value of a variable of one host, rendered: `None` where the host has no such variable.
pub type Lookup<'a> = dyn Fn(&str) -> Option<Result<Node, Diagnostic>> + 'a;

/// The lookup without rendering. A template in a connection variable is then a fault.
pub fn raw(host: &Host) -> impl Fn(&str) -> Option<Result<Node, Diagnostic>> + '_ {
    |name| host.vars.get(name).map(|var| Ok(var.node.as_ref().clone()))
}

/// What the command line says for every host; wins over the inventory.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// TCP port.
    pub port: Option<u16>,
    /// Login name.
    pub user: Option<String>,
    /// A private key to try first.
    pub key: Option<PathBuf>,
    /// Login password.
    pub password: Option<Secret>,
    /// Whether to become root.
    pub escalate: Option<bool>,
    /// The password that sudo asks for.
    pub become_password: Option<Secret>,
    /// `user@host:port,...` to go through.
    pub jump: Option<String>,
    /// known_hosts files in the place of the usual ones.
    pub known_hosts: Vec<PathBuf>,
    /// The ssh_config to read.
    pub ssh_config: Option<PathBuf>,
    /// How long TCP, key exchange and login may take together.
    pub connect_timeout: Option<Duration>,
    /// How often a connection is tried again.
    pub retries: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Native {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    key: Option<String>,
    jump: Option<String>,
    r#become: Option<bool>,
    become_password: Option<Rendered>,
    password: Option<Rendered>,
    host_key: Option<OneOrMany>,
    connect: Option<OneOrMany>,
}

impl Native {
    // The words are looked at one by one; these are no words.
    fn holds_template(&self) -> bool {
        let passwords = [&self.become_password, &self.password].into_iter().flatten().filter_map(Rendered::as_plain);
        self.key.as_deref().is_some_and(|key| key.contains("{{"))
            || passwords.into_iter().any(|text| text.contains("{{"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Where and how to connect to a host. Warnings that are already in `warnings` are not told again, so one list serves
/// all hosts.
///
/// # Errors
/// Every connection variable that cannot be followed.
pub fn target(
    host: &Host,
    lookup: &Lookup<'_>,
    overrides: &Overrides,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Target, Vec<Diagnostic>> {
    let mut reader = Reader { host, lookup, faults: Vec::new(), warnings };
    let native = reader.native();
    reader.connection();
    reader.host_key_checking();
    let args = reader.ssh_args();
    let from = reader.text(HOST);
    let said = native.host.is_some() || from.is_some();
    let address = reader.word("host", native.host, from, HOST).or(args.host.clone());
    let from = reader.text(USER);
    let user = overrides.user.clone().or(reader.word("user", native.user, from, USER)).or(args.user);
    let port = reader.port();
    let port = overrides.port.or(native.port).or(port).or(args.port);
    let key = native.key.or_else(|| reader.text(KEY));
    let mut identity_files: Vec<PathBuf> = overrides.key.iter().cloned().collect();
    identity_files.extend(key.map(|key| home(&key)).into_iter().chain(args.identity_files));
    let from = reader.secret(PASSWORD);
    let native_password = native.password.map(|text| text.to_secret("rempart.password"));
    let password = overrides.password.clone().or(native_password).or(from);
    let mut candidates = reader.candidates(native.connect);
    // Its own name is dialled where nothing else is said, and no way to it has an address of its own.
    let by_name = !said && args.host.is_none() && !candidates.iter().any(|way| way.address.is_some());
    if let Some(address) = address.as_deref().or(by_name.then_some(host.name.as_str())) {
        reader.address(address);
    }
    let address = address.unwrap_or(host.name.to_string());
    if let Some(user) = &overrides.user {
        candidates.iter_mut().for_each(|candidate| candidate.user = Some(user.clone()));
    }
    let from = reader.secret(BECOME_PASSWORD);
    let become_password = overrides
        .become_password
        .clone()
        .or(native.become_password.map(|text| text.to_secret("rempart.become_password")))
        .or(from);
    let wanted = reader.escalate();
    let wanted = overrides.escalate.or(native.r#become).or(wanted).unwrap_or(true);
    // Who of several candidates is root is known once one of them answers.
    let only_root = user.as_deref() == Some("root") && candidates.is_empty();
    let escalate = if wanted && !only_root { Become::Sudo { password: become_password } } else { Become::No };
    let jump = overrides.jump.clone().or_else(|| reader.word("jump", native.jump, None, &[]));
    let proxy_command = if jump.is_some() { None } else { args.proxy_command };
    let fingerprints = reader.fingerprints(native.host_key);
    let seconds = reader.number(TIMEOUT, 1..=3600);
    let retries = reader.number(TRIES, 0..=100);
    let target = Target {
        name: host.name.clone(),
        address,
        port,
        user,
        candidates,
        as_listed: None,
        also_at: Vec::new(),
        identity_files,
        password: password.filter(|_| args.no_password != Some(true)),
        identities_only: args.identities_only == Some(true),
        password_only: args.no_keys == Some(true),
        escalate,
        jump: jump.or(args.jump),
        proxy_command,
        known_hosts: if overrides.known_hosts.is_empty() { args.known_hosts } else { overrides.known_hosts.clone() },
        host_key_fingerprints: fingerprints,
        ssh_config: overrides.ssh_config.clone().or(args.ssh_config),
        connect_timeout: overrides
            .connect_timeout
            .unwrap_or(Duration::from_secs(seconds.or(args.connect_timeout).unwrap_or(CONNECT_TIMEOUT))),
        retries: overrides
            .retries
            .or(retries.and_then(|count| u32::try_from(count).ok()))
            .or(args.retries)
            .unwrap_or(RETRIES),
    };
    let Reader { faults, .. } = reader;
    if faults.is_empty() {
        let as_listed = match overrides.user {
            Some(_) => {
                Some(Box::new(self::target(host, lookup, &Overrides { user: None, ..overrides.clone() }, warnings)?))
            }
            None => None,
        };
        Ok(Target { as_listed, ..target })
    } else {
        Err(faults.into_iter().map(|fault| fault.on(&host.name, None)).collect())
    }
}

/// A path with `~/` filled in. Other relative paths are left to the current folder, as in Ansible.
pub(super) fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

struct Reader<'a> {
    host: &'a Host,
    lookup: &'a Lookup<'a>,
    faults: Vec<Diagnostic>,
    warnings: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    // The strongest of several names that has a value.
    fn find(&mut self, names: &[&'static str]) -> Option<(&'static str, Node)> {
        for name in names {
            match (self.lookup)(name) {
                None | Some(Ok(Node { value: Value::Null, .. })) => {}
                Some(Ok(node)) => return Some((name, node)),
                Some(Err(fault)) => {
                    self.faults.push(fault);
                    return None;
                }
            }
        }
        None
    }

    fn fail(&mut self, node: &Node, label: impl Into<String>, fix: impl Into<String>) {
        let fault = Diagnostic::error("a connection variable that cannot be followed");
        self.faults.push(fault.at(&node.place, label).fix(fix));
    }

    fn warn(&mut self, warning: Diagnostic) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn text(&mut self, names: &[&'static str]) -> Option<String> {
        let (name, node) = self.find(names)?;
        match &node.value {
            Value::Text(text) if text.contains("{{") => {
                self.fail(&node, format!("`{name}` still holds a template"), "give the value itself");
                None
            }
            Value::Text(text) if text.is_empty() => None,
            Value::Text(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            _ => {
                self.fail(&node, format!("`{name}` is {}", node.shape()), "write it as text");
                None
            }
        }
    }

    // An address or a name: one word that no program takes for a flag.
    fn word(
        &mut self,
        key: &str,
        native: Option<String>,
        ansible: Option<String>,
        names: &[&'static str],
    ) -> Option<String> {
        let (word, node) = match native {
            Some(word) => (word, (self.lookup)("rempart").and_then(Result::ok).and_then(|n| n.get(key).cloned())),
            None => (ansible?, self.find(names).map(|(_, node)| node)),
        };
        if let Some(why) = plain_word(&word) {
            let node = node.unwrap_or_else(|| Node::new(self.host.place.clone(), Value::Null));
            self.fail(&node, format!("{word:?} {why}"), "write one plain word");
            return None;
        }
        Some(word)
    }

    fn address(&mut self, address: &str) {
        let Some((label, fix)) = super::address::refuse(address) else { return };
        let native = (self.lookup)("rempart").and_then(Result::ok).and_then(|map| map.get("host").cloned());
        let node = native.or_else(|| self.find(HOST).map(|(_, node)| node));
        let node = node.unwrap_or_else(|| Node::new(self.host.place.clone(), Value::Null));
        // A password may stand in what is no address.
        let place = if address.contains('@') { hidden(&node.place) } else { node.place };
        let fault = Diagnostic::error("an address that cannot be one");
        self.faults.push(fault.at(&place, label).fix(fix));
    }

    fn secret(&mut self, names: &[&'static str]) -> Option<Secret> {
        let (name, node) = self.find(names)?;
        match &node.value {
            Value::Tainted(text) if !text.is_empty() => Some(text.to_secret(name)),
            Value::Tainted(_) => None,
            Value::Text(text) if text.is_empty() => None,
            Value::Text(text) if !text.contains("{{") => Some(Secret::new(name, text.as_str())),
            Value::Int(number) => Some(Secret::new(name, number.to_string())),
            _ => {
                let fault = Diagnostic::error("a connection variable that cannot be followed");
                let fault = fault.at(&hidden(&node.place), format!("`{name}` is no text, or still holds a template"));
                self.faults.push(fault.fix("give the password itself, in quotes"));
                None
            }
        }
    }

    fn number(&mut self, names: &[&'static str], range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let (name, node) = self.find(names)?;
        let number = match &node.value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let fix = format!("write a whole number from {} to {}", range.start(), range.end());
        self.fail(&node, format!("`{name}` is no such number"), fix);
        None
    }

    fn port(&mut self) -> Option<u16> {
        self.number(PORT, 1..=65535).and_then(|port| u16::try_from(port).ok())
    }

    fn truth(&mut self, names: &[&'static str]) -> Option<(bool, Node)> {
        let (name, node) = self.find(names)?;
        let word = match &node.value {
            Value::Bool(value) => return Some((*value, node)),
            Value::Int(number) => number.to_string(),
            Value::Text(text) => text.to_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "yes" | "on" | "1" | "y" | "t" => Some((true, node)),
            "false" | "no" | "off" | "0" | "n" | "f" => Some((false, node)),
            _ => {
                self.fail(&node, format!("`{name}` is neither true nor false"), "write true or false");
                None
            }
        }
    }

    fn native(&mut self) -> Native {
        let Some((_, node)) = self.find(&["rempart"]) else { return Native::default() };
        match yaml::decode::<Native>(&node) {
            Ok(native) if native.port == Some(0) => {
                self.fail(node.get("port").unwrap_or(&node), "0 is no port", "write a number from 1 to 65535");
                Native::default()
            }
            Ok(native) if native.holds_template() => {
                let fault = Diagnostic::error("a connection variable that cannot be followed");
                let fault = fault.at(&hidden(&node.place), "`key` or a password still holds a template");
                self.faults.push(fault.fix("give the value itself"));
                Native::default()
            }
            Ok(native) => native,
            Err(fault) => {
                self.faults.push(fault);
                Native::default()
            }
        }
    }

    fn connection(&mut self) {
        let Some((_, node)) = self.find(CONNECTION) else { return };
        let word = node.text().unwrap_or("").rsplit('.').next().unwrap_or("").to_owned();
        if !["ssh", "smart", "paramiko", "paramiko_ssh", "libssh"].contains(&word.as_str()) {
            let label = format!("`{word}` is not how rempart connects");
            self.fail(&node, label, "remove it: every host is reached over SSH, also this machine");
        }
    }

    fn host_key_checking(&mut self) {
        if let Some((false, node)) = self.truth(CHECKING) {
            self.warn(keys_are_checked(&node.place));
        }
    }

    fn ssh_args(&mut self) -> SshArgs {
        let mut args = SshArgs::default();
        for name in ARGS {
            if let (Some(text), Some((_, node))) = (self.text(&[name]), self.find(&[name])) {
                let mut warnings = Vec::new();
                args.read(name, &text, &node.place, &mut self.faults, &mut warnings);
                warnings.into_iter().for_each(|warning| self.warn(warning));
            }
        }
        args
    }

    fn escalate(&mut self) -> Option<bool> {
        let wanted = self.truth(BECOME).map(|(wanted, _)| wanted);
        if wanted != Some(false) {
            if let Some((_, node)) = self.find(METHOD)
                && !matches!(node.text(), Some("sudo" | "ansible.builtin.sudo" | ""))
            {
                let word = node.text().unwrap_or("this").to_owned();
                self.fail(&node, format!("`{word}` is not known here"), "use sudo, the one way to become root");
            }
            if let Some((_, node)) = self.find(BECOME_USER)
                && !matches!(node.text(), Some("root" | ""))
            {
                self.fail(&node, "only root is possible", "remove it: rempart works as root");
            }
        }
        wanted
    }

    // The ways to the host, in order. The list stands on the host or a group; each fault at its own entry.
    fn candidates(&mut self, ways: Option<OneOrMany>) -> Vec<Candidate> {
        let ways = match ways {
            None => return Vec::new(),
            Some(OneOrMany::One(way)) => vec![way],
            Some(OneOrMany::Many(ways)) => ways,
        };
        let map = (self.lookup)("rempart").and_then(Result::ok);
        let list = map.as_ref().and_then(|map| map.get("connect"));
        let node =
            |at: usize| list.and_then(|list| list.items().and_then(|items| items.get(at)).or(Some(list))).cloned();
        let mut found = Vec::new();
        if ways.len() > MOST_WAYS
            && let Some(node) = node(MOST_WAYS)
        {
            let label = format!("this is way number {}, and {MOST_WAYS} are the most", MOST_WAYS + 1);
            self.fail(&node, label, "keep the ways that are used; each one that is dead costs a timeout");
        }
        for (at, way) in ways.iter().enumerate().take(MOST_WAYS) {
            match (Candidate::parse(way), node(at)) {
                (Ok(candidate), _) => found.push(candidate),
                (Err(why), Some(node)) => {
                    self.fail(&node, why, "write `user@host:port`, each part of which may be left out")
                }
                (Err(_), None) => {}
            }
        }
        found
    }

    fn fingerprints(&mut self, keys: Option<OneOrMany>) -> Vec<String> {
        let keys = match keys {
            None => return Vec::new(),
            Some(OneOrMany::One(key)) => vec![key],
            Some(OneOrMany::Many(keys)) => keys,
        };
        let fits = |key: &String| {
            key.strip_prefix("SHA256:").is_some_and(|rest| {
                rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
            })
        };
        let map = (self.lookup)("rempart").and_then(Result::ok);
        if let (Some(wrong), Some(map)) = (keys.iter().find(|key| !fits(key)), map) {
            let node = map.get("host_key").unwrap_or(&map);
            let fix = "write it as `ssh-keygen -lf KEY.pub` prints it: SHA256: and 43 characters";
            self.fail(node, format!("{wrong:?} is no fingerprint"), fix);
        }
        keys
    }
}

/// The warning that a switch against the check of host keys has no effect.
pub(super) fn keys_are_checked(place: &Place) -> Diagnostic {
    Diagnostic::warning("host keys are always checked")
        .at(place, "this has no effect")
        .because("without that check anybody on the way can be the host, and read every secret sent to it")
        .fix("remove it; `rempart trust` pins a new host's key")
}
