//! Owns how a run went.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{Exit, HostName, ResourceId};
use crate::transport::Entry;

/// How it went with one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It was as it should be.
    Same,
    /// It was changed, and a probe after it proves what is wanted.
    Changed {
        /// What was done.
        steps: Vec<String>,
    },
    /// A check that holds.
    Passed,
    /// A step failed, or a check does not hold.
    Failed {
        /// Why.
        why: String,
        /// The last lines that the step printed, without secrets.
        output: Vec<String>,
    },
    /// Nobody can say how it is.
    Unknown {
        /// Why.
        why: String,
    },
    /// It was not tried.
    Skipped {
        /// Because of what.
        because: String,
    },
    /// It was changed, and the host took the change back.
    Healed {
        /// Why nobody confirmed.
        why: String,
    },
}

impl Outcome {
    /// Whether what depends on it may go on.
    pub fn is_good(&self) -> bool {
        matches!(self, Outcome::Same | Outcome::Changed { .. } | Outcome::Passed)
    }
}

/// How a run went on the whole fleet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// The run's number.
    pub run: String,
    /// Every resource's outcome, in order, by host.
    pub hosts: BTreeMap<HostName, Vec<(ResourceId, Outcome)>>,
    /// Hosts that could not be reached, and why.
    pub unreachable: BTreeMap<HostName, String>,
    /// Hosts on which a risky change waits for a person.
    pub checkpoints: BTreeSet<HostName>,
    /// How long they wait, in seconds.
    pub window: u64,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// The ways that let us in, where it was not the first that the inventory lists.
    #[serde(skip)]
    pub entries: BTreeMap<HostName, Entry>,
}

impl RunReport {
    /// All outcomes.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.hosts.values().flatten().map(|(_, outcome)| outcome)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        let mut exit = Exit::Done;
        for outcome in self.outcomes() {
            exit = exit.and(match outcome {
                Outcome::Healed { .. } => Exit::Healed,
                Outcome::Failed { .. } | Outcome::Unknown { .. } => Exit::Failed,
                // What is skipped has its reason elsewhere: a failed step, a lost host, an interruption.
                Outcome::Same | Outcome::Changed { .. } | Outcome::Passed | Outcome::Skipped { .. } => Exit::Done,
            });
        }
        if !self.unreachable.is_empty() {
            exit = exit.and(Exit::Unreachable);
        }
        if !self.checkpoints.is_empty() {
            exit = exit.and(Exit::Differs);
        }
        if self.interrupted {
            exit = exit.and(Exit::Interrupted);
        }
        // Skipped, and nothing above says why: another run holds the host, or production is closed to this part of it.
        let refused = self.outcomes().any(|outcome| matches!(outcome, Outcome::Skipped { .. }));
        if exit == Exit::Done && refused { Exit::Refused } else { exit }
    }
}
