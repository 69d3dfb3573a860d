//! Owns where and how to connect to one host: the connection variables, resolved.

use std::path::PathBuf;
use std::time::Duration;

use super::Candidate;
use crate::model::HostName;
use crate::secret::Secret;

/// Where and how to connect to one host.
#[derive(Clone, Debug)]
pub struct Target {
    /// The inventory's name of it.
    pub name: HostName,
    /// Address or DNS name; the inventory's name where nothing else is said.
    pub address: String,
    /// TCP port, if said; else ssh_config's, else 22.
    pub port: Option<u16>,
    /// Login name, if said; else ssh_config's, else the local user.
    pub user: Option<String>,
    /// The ways to this host, in the order in which they are tried; each takes what it leaves out from the fields above.
    /// Empty = there is one way, that of the fields above.
    pub candidates: Vec<Candidate>,
    /// The same host as its inventory alone has it, where something else was said on the command line. A way of an earlier
    /// run is looked for there, too.
    pub as_listed: Option<Box<Target>>,
    /// Where else the same host answers: a key that is known of it there vouches for it here. What `by` leaves behind.
    pub also_at: Vec<Elsewhere>,
    /// Private keys to try before those of ssh_config and the usual ones.
    pub identity_files: Vec<PathBuf>,
    /// Login password, if any.
    pub password: Option<Secret>,
    /// Whether the agent's keys are tried only where a file names them.
    pub identities_only: bool,
    /// Whether no key is tried: a host allows few tries, and an agent may hold many keys that it does not know.
    pub password_only: bool,
    /// How to become root.
    pub escalate: Become,
    /// `user@host:port,...` to go through, if said; else ssh_config's.
    pub jump: Option<String>,
    /// A command whose standard streams are the connection, as ssh_config's `ProxyCommand`, with `%h` and the like
    /// still in it; set only where the inventory says so.
    pub proxy_command: Option<String>,
    /// known_hosts files to read in the place of the usual ones; empty = the usual ones.
    pub known_hosts: Vec<PathBuf>,
    /// `SHA256:...` fingerprints pinned in the inventory; any of them is as good as a known_hosts line.
    pub host_key_fingerprints: Vec<String>,
    /// The ssh_config to read; `None` = the usual ones, an empty path = none at all.
    pub ssh_config: Option<PathBuf>,
    /// How long TCP, key exchange and login may take together.
    pub connect_timeout: Duration,
    /// How often a connection is tried again when it breaks before authentication.
    pub retries: u32,
}

impl Target {
    /// One of which nothing is said but its address: the login user does everything itself, within ten seconds and one try.
    pub fn bare(name: &str, address: impl Into<String>) -> Self {
        Self {
            name: HostName::new(name),
            address: address.into(),
            port: None,
            user: None,
            candidates: Vec::new(),
            as_listed: None,
            also_at: Vec::new(),
            identity_files: Vec::new(),
            password: None,
            identities_only: false,
            password_only: false,
            escalate: Become::No,
            jump: None,
            proxy_command: None,
            known_hosts: Vec::new(),
            host_key_fingerprints: Vec::new(),
            ssh_config: None,
            connect_timeout: Duration::from_secs(10),
            retries: 0,
        }
    }
}

/// Another place at which the same host answers, whole: nothing of it is taken from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Address or DNS name.
    pub address: String,
    /// TCP port, if said; else ssh_config's, else 22.
    pub port: Option<u16>,
    /// Login name, if said: ssh_config may answer by it.
    pub user: Option<String>,
}

/// How to become root on a host.
#[derive(Clone, Debug)]
pub enum Become {
    /// Not at all: the login user does everything itself.
    No,
    /// `sudo`; the password is sent only when sudo asks for one.
    Sudo {
        /// The password, if one is known.
        password: Option<Secret>,
    },
}
