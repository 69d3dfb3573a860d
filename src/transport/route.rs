//! Owns the decision where and how to connect: a `Target` and ssh_config become one `Route`.
//!
//! Must not open a connection. What the target says wins over ssh_config, that over OpenSSH's defaults.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::host_keys::Known;
use super::known_hosts::written;
use super::ssh_config::{Query, Settings, resolve};
use super::ssh_config_words::{expand_environment, fill, tilde};
use super::{Target, TransportError};
use crate::model::HostName;
use crate::secret::Secret;

/// The way to the host's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    /// Through other hosts, nearest first, each `user@host:port`.
    Jump(Vec<String>),
    /// Through the standard streams of a local command.
    Command(String),
}

/// A private key file, and whether somebody named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub path: PathBuf,
    /// The usual ones may be missing without a word.
    pub named: bool,
}

/// Where and how to connect to one host, decided.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub name: HostName,
    pub address: String,
    pub port: u16,
    pub user: String,
    pub identities: Vec<Identity>,
    pub identities_only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    pub password: Option<Secret>,
    pub password_only: bool,
    pub way: Way,
    pub known_files: Vec<PathBuf>,
    pub alias: Option<String>,
    pub pinned: Vec<String>,
    /// What known_hosts calls the host by its other ways.
    pub siblings: Vec<String>,
    pub hash_known_hosts: bool,
    pub timeout: Duration,
    /// How often to say that we are alive; `None` = never.
    pub alive: Option<Duration>,
    pub retries: u32,
    /// As the target says them, for the bastion before it.
    pub said_known_hosts: Vec<PathBuf>,
    pub ssh_config: Option<PathBuf>,
}

impl Route {
    /// Decides for `target`.
    pub fn of(target: &Target) -> Result<Self, TransportError> {
        let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let local_user = local_user();
        let query =
            Query { original: &target.address, user: target.user.as_deref(), local_user: &local_user, home: &home };
        let settings = match config_files(target, &home) {
            Ok(files) => resolve(&files, &query, &|command| holds(command)),
            Err(reason) => Err(reason),
        };
        let settings = settings.map_err(|reason| TransportError::Unreachable {
            host: target.name.clone(),
            address: target.address.clone(),
            reason: format!("ssh_config: {reason}"),
        })?;
        Ok(Self::decide(target, settings, &local_user, &home))
    }

    fn decide(target: &Target, settings: Settings, local_user: &str, home: &Path) -> Self {
        let port = target.port.or(settings.port).unwrap_or(22);
        let user = target.user.clone().or(settings.user).unwrap_or_else(|| local_user.to_owned());
        let address = settings.host_name.as_deref().unwrap_or("%h");
        let address = fill(address, &|token| (token == 'h').then(|| target.address.clone()));
        let tokens = |token| match token {
            'h' => Some(address.clone()),
            'n' => Some(target.address.clone()),
            'p' => Some(port.to_string()),
            'r' => Some(user.clone()),
            'u' => Some(local_user.to_owned()),
            'd' => Some(home.to_string_lossy().into_owned()),
            'k' => Some(settings.host_key_alias.clone().unwrap_or_else(|| target.address.clone())),
            _ => None,
        };
        let path = |text: &str| PathBuf::from(tilde(&fill(&expand_environment(text), &tokens), home));

        let named = target.identity_files.iter().map(|file| path(&file.to_string_lossy()));
        let named = named.chain(settings.identity_files.iter().filter(|file| *file != "none").map(|file| path(file)));
        let mut identities: Vec<_> = named.map(|path| Identity { path, named: true }).collect();
        if settings.identity_files.is_empty() {
            let usual = ["id_rsa", "id_ecdsa", "id_ed25519"].map(|name| home.join(".ssh").join(name));
            identities.extend(usual.map(|path| Identity { path, named: false }));
        }

        let agent = match settings.identity_agent.as_deref() {
            Some("none") => None,
            None | Some("SSH_AUTH_SOCK") => std::env::var_os("SSH_AUTH_SOCK"),
            Some(text) => match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                Some(variable) => std::env::var_os(variable),
                None => Some(path(text).into_os_string()),
            },
        };

        let way = match (&target.jump, &settings.proxy_jump, &settings.proxy_command) {
            (Some(jump), _, _) => jump_way(&fill(jump, &tokens)),
            _ if target.proxy_command.is_some() => {
                Way::Command(fill(target.proxy_command.as_deref().unwrap_or_default(), &tokens))
            }
            // A `Host *` that names a bastion means the bastion itself as well; it is reached directly.
            (None, Some(jump), _) => match jump_way(&fill(jump, &tokens)) {
                Way::Jump(hops) if ends_at(&hops, &target.address) => Way::Direct,
                way => way,
            },
            (None, None, Some(command)) if command != "none" => Way::Command(fill(command, &tokens)),
            _ => Way::Direct,
        };

        let known_files = if target.known_hosts.is_empty() {
            let usual = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>();
            let own = settings.user_known_hosts.clone();
            let own = own.unwrap_or_else(|| usual(&["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]));
            let global = settings.global_known_hosts.clone();
            let global = global.unwrap_or_else(|| usual(&["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]));
            own.iter().chain(&global).filter(|file| *file != "none").map(|file| path(file)).collect()
        } else {
            target.known_hosts.clone()
        };

        let said = settings.connect_timeout.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        Self {
            name: target.name.clone(),
            identities,
            identities_only: target.identities_only || settings.identities_only.unwrap_or(false),
            agent: agent.filter(|socket| !socket.is_empty()).map(PathBuf::from),
            password: target.password.clone(),
            password_only: target.password_only,
            way,
            known_files,
            alias: settings.host_key_alias.clone(),
            pinned: target.host_key_fingerprints.clone(),
            siblings: Vec::new(),
            hash_known_hosts: settings.hash_known_hosts.unwrap_or(false),
            // The target always says a timeout, so ssh_config can only shorten it.
            timeout: said.map_or(target.connect_timeout, |said| said.min(target.connect_timeout)),
            alive: Some(Duration::from_secs(settings.alive_interval.unwrap_or(15))).filter(|every| !every.is_zero()),
            retries: target.retries,
            said_known_hosts: target.known_hosts.clone(),
            ssh_config: target.ssh_config.clone(),
            address,
            port,
            user,
        }
    }

    /// `address:port`, for messages.
    pub fn place(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }

    /// What is known of the host's key.
    pub fn known(&self) -> Result<Known, TransportError> {
        Known::read(self).map_err(|reason| self.bad_key(reason))
    }

    /// What known_hosts calls the host.
    pub fn known_as(&self) -> String {
        self.alias.as_deref().map_or_else(|| written(&self.address, self.port), str::to_ascii_lowercase)
    }

    /// `user@address:port`, for messages.
    pub fn words(&self) -> String {
        format!("{}@{}", self.user, self.place())
    }

    pub fn unreachable(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Unreachable { host: self.name.clone(), address: self.place(), reason: reason.into() }
    }

    pub fn bad_key(&self, reason: impl Into<String>) -> TransportError {
        TransportError::HostKey { host: self.name.clone(), address: self.place(), reason: reason.into() }
    }

    pub fn refused(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Refused { host: self.name.clone(), user: self.user.clone(), reason: reason.into() }
    }

    pub fn broken(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Broken { host: self.name.clone(), reason: reason.into() }
    }

    pub fn sudo(&self, reason: impl Into<String>) -> TransportError {
        TransportError::Sudo { host: self.name.clone(), user: self.user.clone(), reason: reason.into() }
    }

    pub fn timed_out(&self, after: Duration) -> TransportError {
        TransportError::TimedOut { host: self.name.clone(), seconds: after.as_secs().max(1) }
    }
}

fn config_files(target: &Target, home: &Path) -> Result<Vec<PathBuf>, String> {
    match &target.ssh_config {
        Some(file) if file.as_os_str().is_empty() => Ok(Vec::new()),
        Some(file) if file.exists() => Ok(vec![file.clone()]),
        Some(file) => Err(format!("{} does not exist", file.display())),
        None => Ok(vec![home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")]),
    }
}

fn jump_way(text: &str) -> Way {
    let hops: Vec<_> = text.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(str::to_owned).collect();
    if hops.is_empty() || text.eq_ignore_ascii_case("none") { Way::Direct } else { Way::Jump(hops) }
}

fn ends_at(hops: &[String], address: &str) -> bool {
    let last = hops.last().and_then(|last| hop(last).ok());
    last.is_some_and(|(_, host, _)| host.eq_ignore_ascii_case(address))
}

/// `user@host:port`, as ProxyJump writes a hop, in its parts.
pub(super) fn hop(text: &str) -> Result<(Option<String>, String, Option<u16>), String> {
    let rest = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, rest),
    };
    let (host, port) = place_parts(place);
    let port = port.map(|port| port.parse().map_err(|_| format!("ProxyJump: {text} has no valid port"))).transpose()?;
    if host.is_empty() {
        return Err(format!("ProxyJump: {text} names no host"));
    }
    Ok((user, host.to_owned(), port))
}

/// `host:port` in its parts, as they are written.
pub(super) fn place_parts(place: &str) -> (&str, Option<&str>) {
    match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match place.split_once(':') {
            // More than one colon without brackets is an IPv6 address.
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    }
}

fn holds(command: &str) -> bool {
    let mut run = Command::new("/bin/sh");
    run.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    run.status().is_ok_and(|status| status.success())
}

fn local_user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    // Accounts from a directory service are not in the file.
    own.or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "root".to_owned())
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
