//! Owns what a lab is asked to be, and whether that can be.
//! Must not know how it is made.

use std::collections::HashSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{LabError, Result};
use super::image;
use crate::secret::Secret;

/// What a lab is asked to be.
#[derive(Debug, Clone)]
pub struct LabSpec {
    /// Lower case letters, digits and hyphens; at most 24.
    pub name: String,
    /// The controller's address on the lab's bridge; no host may have it.
    pub controller: Ipv4Addr,
    /// The hosts, at their real addresses.
    pub hosts: Vec<LabHost>,
    /// A folder served to the hosts as `http://CONTROLLER:3142/files/`.
    pub files: Option<PathBuf>,
    /// Program and first arguments of the lab's background processes. The name of the lab, and for a host's
    /// keeper the name of the host, are appended; the program then calls [`super::serve`] with them.
    pub serve: Vec<String>,
}

impl LabSpec {
    /// A lab without files, whose background processes are `THIS_PROGRAM lab serve NAME [HOST]`, and whose
    /// controller has the highest address of 192.0.2.0/24 (kept for documentation by RFC 5737) that is free.
    pub fn new(name: &str, hosts: Vec<LabHost>) -> Self {
        let free = |last: &u8| !hosts.iter().any(|h| h.address == Ipv4Addr::new(192, 0, 2, *last));
        let last = (1..255).rev().find(free).unwrap_or(254);
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rempart"));
        Self {
            name: name.to_owned(),
            controller: Ipv4Addr::new(192, 0, 2, last),
            hosts,
            files: None,
            serve: [&program.to_string_lossy(), "lab", "serve"].map(str::to_owned).into(),
        }
    }

    /// Refuses what could not work, before anything is made.
    pub(super) fn check(&self) -> Result<()> {
        check_lab_name(&self.name)?;
        let mut names = HashSet::new();
        let mut addresses = HashSet::from([self.controller]);
        if self.hosts.is_empty() {
            return Err(refuse("lab", &self.name, "it has no hosts"));
        }
        for host in &self.hosts {
            host.check()?;
            image::check(&host.release)?;
            if !names.insert(host.hostname()) {
                return Err(refuse("host", &host.name, "two hosts would have this name"));
            }
            if !addresses.insert(host.address) {
                let why = format!("address {} is taken in this lab", host.address);
                return Err(refuse("host", &host.name, why));
            }
        }
        if let Some(files) = &self.files
            && !files.is_dir()
        {
            return Err(refuse("files", &files.display().to_string(), "is no folder"));
        }
        Ok(())
    }
}

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabHost {
    /// Its name in the inventory; its hostname is the same with hyphens for underscores.
    pub name: String,
    /// Its address; any IPv4 address, all hosts of a lab are on one link.
    pub address: Ipv4Addr,
    /// Where its sshd listens.
    pub port: u16,
    /// The Debian release: `bookworm`, `trixie`, `bullseye`.
    pub release: String,
    /// The account that the controller logs in to.
    pub user: String,
    /// One line of authorized_keys for it.
    pub public_key: String,
    /// What sudo lets it do.
    pub sudo: Sudo,
    /// Whether a Docker that is installed later shall work.
    pub docker: bool,
    /// Limit of memory in bytes, where the machine can set one.
    pub memory: Option<u64>,
}

impl LabHost {
    /// The name that the host gives itself: underscores are not allowed there.
    pub(super) fn hostname(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The host without its password: what the lab's record keeps.
    pub(super) fn without_password(&self) -> Self {
        let mut host = self.clone();
        if let Sudo::Password(password) = &mut host.sudo {
            password.clear();
        }
        host
    }

    fn check(&self) -> Result<()> {
        let name = self.hostname();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let edge = |c: char| c.is_ascii_alphanumeric();
        if name.len() > 63 || !name.chars().all(plain) || !name.starts_with(edge) || !name.ends_with(edge) {
            return Err(refuse("host", &self.name, "letters, digits, `-`, `_` and `.` only, at most 63"));
        }
        if name.contains("..") || name == "localhost" {
            return Err(refuse("host", &self.name, "is no hostname"));
        }
        let user = &self.user;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if user.is_empty()
            || user.len() > 32
            || !user.chars().all(plain)
            || !user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        {
            return Err(refuse("user", user, "is no account name of Debian"));
        }
        if self.public_key.trim().is_empty() || self.public_key.trim().contains('\n') {
            return Err(refuse("public key", &self.public_key, "one line of authorized_keys is needed"));
        }
        if let Sudo::Password(password) = &self.sudo
            && (password.is_empty() || password.contains(['\n', '\r', '\0']))
        {
            return Err(refuse("password of", &self.name, "is empty or has more than one line"));
        }
        let a = self.address;
        if a.is_unspecified() || a.is_loopback() || a.is_multicast() || a.is_broadcast() {
            return Err(refuse("address", &a.to_string(), "no host can have it"));
        }
        if self.port == 0 {
            return Err(refuse("port of", &self.name, "is 0"));
        }
        Ok(())
    }
}

/// What the account of a host may do as root.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sudo {
    /// Everything, without a password.
    NoPassword,
    /// Everything, with this password, which becomes the account's.
    Password(String),
    /// Nothing.
    None,
}

impl Sudo {
    /// Everything, with this password.
    pub fn with_password(password: &Secret) -> Self {
        Sudo::Password(password.reveal().to_owned())
    }
}

impl fmt::Debug for Sudo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPassword => "NoPassword",
            Self::Password(_) => "Password(hidden)",
            Self::None => "None",
        })
    }
}

/// A lab's name becomes part of paths, of a namespace and of machine names.
pub(super) fn check_lab_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 24 || !name.chars().all(plain) || name.starts_with('-') || name.ends_with('-') {
        return Err(refuse("lab", name, "lower case letters, digits and inner hyphens only, at most 24"));
    }
    Ok(())
}

pub(super) fn refuse(what: &'static str, value: &str, why: impl Into<String>) -> LabError {
    LabError::Spec { what, value: value.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, last: u8) -> LabHost {
        LabHost {
            name: name.into(),
            address: Ipv4Addr::new(192, 0, 2, last),
            port: 22,
            release: "bookworm".into(),
            user: "ops".into(),
            public_key: "ssh-ed25519 AAAA x".into(),
            sudo: Sudo::Password("hunter2".into()),
            docker: false,
            memory: None,
        }
    }

    #[test]
    fn hostile_values_are_refused() {
        assert!(check_lab_name("prod-1").is_ok());
        for bad in ["", "..", "a/b", "A", "-a", "a b", &"x".repeat(25)] {
            assert!(check_lab_name(bad).is_err(), "{bad}");
        }
        assert!(host("web_1.example", 1).check().is_ok());
        for bad in ["../x", "a b", "a,b", "-x", "x\n", "localhost", "a..b"] {
            assert!(host(bad, 1).check().is_err(), "{bad}");
        }
        for (user, key) in [("root\nx", "k"), ("", "k"), ("ops", "a\nb"), ("ops", "")] {
            let host = LabHost { user: user.into(), public_key: key.into(), ..host("a", 1) };
            assert!(host.check().is_err(), "{user} {key}");
        }
    }

    #[test]
    fn the_controller_takes_a_free_address() {
        let spec = LabSpec::new("x", vec![host("a", 254), host("b", 253)]);
        assert_eq!(spec.controller, Ipv4Addr::new(192, 0, 2, 252));
        let twice = LabSpec::new("x", vec![host("a_b", 1), host("a-b", 2)]);
        assert!(twice.check().unwrap_err().to_string().contains("a-b"));
    }

    #[test]
    fn no_output_shows_a_password() {
        let host = host("a", 1);
        assert!(!format!("{host:?}").contains("hunter2"));
        let kept = serde_json::to_string(&host.without_password()).unwrap();
        assert!(!kept.contains("hunter2"), "{kept}");
    }
}
