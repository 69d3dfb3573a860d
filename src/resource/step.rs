//! Owns a change as data: one step on one host.

use super::Stat;
use crate::quote::Sh;
use crate::secret::Rendered;

/// One command that changes a host, with what must hold before it and how it is undone.
///
/// The script runs under `set -eu` as root in POSIX sh with `LC_ALL=C`, umask 077 and no standard input. Payload `i`
/// stands in the file `"$P/i"`, readable by root alone, in memory. These functions are at hand:
/// `rp_put SOURCE TARGET MODE OWNER GROUP [VALIDATOR]` replaces a file atomically: a temporary file beside it, owner
/// and mode before content, fsync, VALIDATOR (a shell function name called with the temporary path), rename, fsync of
/// the directory. It refuses a parent that is a symlink or belongs to somebody who is not root or OWNER.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which resources of the batch it serves, by position.
    pub serves: Vec<usize>,
    /// What it does, in a few words, without secrets: `write /etc/squid/squid.conf`.
    pub title: String,
    /// What must hold on the host before it runs.
    pub expects: Vec<Expect>,
    /// What runs.
    pub script: Sh,
    /// What it reads from `"$P/0"`, `"$P/1"`, ...
    pub payloads: Vec<Rendered>,
    /// How to take it back, for steps that can lock people out; the guard is armed before such a step.
    pub undo: Option<Undo>,
    /// How long it may take, in seconds.
    pub timeout: u64,
}

impl Step {
    /// A step with a title and a script; five minutes at most.
    pub fn new(title: impl Into<String>, script: Sh) -> Self {
        Self {
            serves: Vec::new(),
            title: title.into(),
            expects: Vec::new(),
            script,
            payloads: Vec::new(),
            undo: None,
            timeout: 300,
        }
    }

    /// Says which resources of the batch it serves.
    #[must_use]
    pub fn serving(mut self, positions: impl IntoIterator<Item = usize>) -> Self {
        self.serves = positions.into_iter().collect();
        self
    }

    /// Adds something that must hold before it runs.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expects.push(expect);
        self
    }

    /// Adds a payload.
    #[must_use]
    pub fn with_payload(mut self, payload: Rendered) -> Self {
        self.payloads.push(payload);
        self
    }

    /// Says how to take it back; this makes it a risky step.
    #[must_use]
    pub fn undone_by(mut self, undo: Undo) -> Self {
        self.undo = Some(undo);
        self
    }

    /// Sets how long it may take, in seconds.
    #[must_use]
    pub fn within(mut self, seconds: u64) -> Self {
        self.timeout = seconds;
        self
    }
}

/// What must hold on the host before a step runs: the last value that this run measured.
#[derive(Clone, Debug)]
pub enum Expect {
    /// The file is as it was when probed: same inode, size, change time, mode and owner; or still absent.
    File {
        /// Its path.
        path: String,
        /// As probed; `None` = absent.
        stat: Option<Stat>,
    },
    /// A read-only command prints this, trailing newlines aside.
    Prints {
        /// The command.
        command: Sh,
        /// What it must print.
        output: String,
    },
    /// Nothing to measure beforehand; the reason is for people.
    Nothing(&'static str),
}

/// How a risky step is taken back by the target itself.
#[derive(Clone, Debug)]
pub struct Undo {
    /// Files and directories (whole trees) to copy before the step and to put back.
    pub paths: Vec<String>,
    /// What makes the restored state effective, such as restarting a service; it must not depend on the network.
    pub after: Sh,
}
