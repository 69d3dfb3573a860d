//! Owns the way to one host: a connection, an interpreter that stays on its far side, scripts in, bytes out.
//!
//! Must not know resources, plans or what a script means. A non-zero status is an answer, not an error; an error here
//! says that no answer was to be had, and is never read as "absent" or "fine".

mod auth;
mod candidate;
mod caught;
mod dial;
mod first_contact;
mod frame;
mod host_keys;
mod interpreter;
mod jump;
mod known_hosts;
mod link;
mod loader;
mod login;
mod own_key;
mod pattern;
mod route;
mod script;
mod ssh;
mod ssh_config;
mod ssh_config_words;
mod sudo;
mod target;
mod tunnels;
mod ways;

pub use candidate::Candidate;
pub use first_contact::{Contact, OldKey, Presented};
pub use host_keys::{HostKey, Standing, same_fingerprint};
pub use login::{Agreed, Login, Method};
pub use own_key::{OwnKey, own_key};
pub use script::{Output, ReadScript, Stream, WriteScript};
pub use ssh::SshTransport;
pub use target::{Become, Elsewhere, Target};
pub use ways::{Entry, Passed};

use std::time::Duration;

use crate::model::HostName;

/// A connection that can only ask. `plan` and `drift` hold nothing else, so they cannot write.
pub trait Reader: Send {
    /// Runs a script that changes nothing and waits for its whole answer.
    fn ask(&mut self, script: &ReadScript) -> Result<Output, TransportError>;

    /// How the host let this connection in; `None` = there is none at the moment, or it is a recording.
    fn login(&self) -> Option<Login> {
        None
    }

    /// By which of several ways it came in; `None` = the host has one way, or it is a recording.
    fn entry(&self) -> Option<Entry> {
        None
    }

    /// Opens a TCP stream from the host to `address:port` through the connection (a `direct-tcpip` channel), sends
    /// `request`, and reads at most `limit` bytes until the far side closes or `timeout` has passed.
    fn relay(
        &mut self,
        address: &str,
        port: u16,
        request: &[u8],
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, TransportError>;
}

/// A connection that can also change the host.
pub trait Writer: Reader {
    /// Runs a script that may change the host. `heard` gets standard output as it arrives, in pieces of any size.
    fn run(&mut self, script: &WriteScript, heard: &mut dyn FnMut(&[u8])) -> Result<Output, TransportError>;
}

/// What makes connections: SSH, or a recording in tests.
pub trait Transport: Send + Sync {
    /// Connects for reading.
    fn reader(&self, target: &Target) -> Result<Box<dyn Reader>, TransportError>;

    /// Connects for reading and writing; asked for by the verbs that change hosts.
    fn writer(&self, target: &Target) -> Result<Box<dyn Writer>, TransportError>;
}

/// Why no answer was to be had from a host. Each displays as one readable line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing answers there, the name is unknown, or the link was reset before anybody was authenticated.
    #[error("cannot reach {host} at {address}: {reason}")]
    Unreachable {
        /// The host's name.
        host: HostName,
        /// `address:port` as tried.
        address: String,
        /// In words.
        reason: String,
    },
    /// The host's key is not known, or is not the known one, or is revoked.
    #[error("{host} at {address}: {reason}")]
    HostKey {
        /// The host's name.
        host: HostName,
        /// `address:port` as tried.
        address: String,
        /// In words, with fingerprints.
        reason: String,
    },
    /// The host refused every key and password that was tried.
    #[error("{host} refuses {user}: {reason}")]
    Refused {
        /// The host's name.
        host: HostName,
        /// The login name tried.
        user: String,
        /// Which methods were tried and which the host offers.
        reason: String,
    },
    /// Logged in, but not allowed to become root.
    #[error("{host}: {user} cannot become root: {reason}")]
    Sudo {
        /// The host's name.
        host: HostName,
        /// The login name.
        user: String,
        /// In words, with the line to change.
        reason: String,
    },
    /// The link broke in the middle.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// The host's name.
        host: HostName,
        /// In words.
        reason: String,
    },
    /// The script did not end in time.
    #[error("{host} gave no answer within {seconds} s")]
    TimedOut {
        /// The host's name.
        host: HostName,
        /// How long was waited.
        seconds: u64,
    },
    /// The host is there, but what it was asked to reach for us is not.
    #[error("from {host}, {address} does not answer: {reason}")]
    Unanswered {
        /// The host's name.
        host: HostName,
        /// `address:port` as asked for.
        address: String,
        /// In words.
        reason: String,
    },
    /// The far side forbids what was asked, such as forwarding.
    #[error("{host} forbids this: {reason}")]
    Forbidden {
        /// The host's name.
        host: HostName,
        /// In words.
        reason: String,
    },
}

impl TransportError {
    /// Whether the host let us in: what went wrong after that is a failure of the work, and not a host that is out of reach.
    pub fn is_reached(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::HostKey { .. } | Self::Refused { .. } => false,
            Self::Sudo { .. }
            | Self::Broken { .. }
            | Self::TimedOut { .. }
            | Self::Unanswered { .. }
            | Self::Forbidden { .. } => true,
        }
    }
}
