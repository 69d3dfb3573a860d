//! Owns what travels to a host and what comes back.

use std::time::Duration;

use crate::secret::Rendered;

/// A script that changes nothing. Made by `resource::ProbeScript` alone (a test holds that).
#[derive(Clone, Debug)]
pub struct ReadScript {
    /// POSIX sh.
    pub text: String,
    /// Whether it needs root.
    pub root: bool,
    /// How long to wait for its end.
    pub timeout: Duration,
}

/// A script that may change the host, with what it reads.
///
/// The payloads follow the text on the same stream. The script reads payload `i` with `rp_payload FILE`, in order:
/// the interpreter defines that function to copy the next payload, byte for byte, into FILE (made with umask 077).
/// So no secret stands in the text, in an argument vector, or in a file that others can read.
#[derive(Clone, Debug)]
pub struct WriteScript {
    /// POSIX sh, without secrets.
    pub text: String,
    /// What `rp_payload` hands out, in order.
    pub payloads: Vec<Rendered>,
    /// How long to wait for its end; output that arrives starts the wait anew.
    pub timeout: Duration,
}

/// Which stream a piece of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a script left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit status.
    pub status: i32,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
}
