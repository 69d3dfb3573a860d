//! Owns what the engine tells while it works.

use std::time::Duration;

use crate::model::{HostName, ResourceId};

/// Something happened; `report` words it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection is being made.
    Connecting(HostName),
    /// A host answered its probe.
    Probed(HostName, Duration),
    /// A host could not be asked.
    Unreachable(HostName, String),
    /// A host waits for a resource of another one.
    Waiting(HostName, HostName),
    /// A step began.
    StepBegan {
        /// Where.
        host: HostName,
        /// For which resource.
        id: ResourceId,
        /// What it does.
        title: String,
    },
    /// A resource has its outcome.
    Settled {
        /// Where.
        host: HostName,
        /// Which.
        id: ResourceId,
        /// How it went.
        outcome: super::Outcome,
    },
    /// No new connection to a host for so long, since it may limit them.
    Pausing(HostName, Duration),
    /// The guard is armed: the host takes the change back unless a fresh connection confirms it.
    GuardArmed(HostName, u64),
    /// A fresh connection confirmed the change.
    GuardConfirmed(HostName),
    /// No fresh connection yet; it is tried again.
    GuardRetry(HostName, String),
    /// The host took the change back.
    Healed(HostName, String),
    /// The link broke; the host goes on by itself, and the link is made again.
    Reconnecting(HostName, String),
    /// Nothing more will happen on this host.
    HostDone(HostName),
}

/// Who listens.
pub type Observer = dyn Fn(Event) + Send + Sync;
