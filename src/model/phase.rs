//! Owns the five deployment phases and their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the five deployment phases, in the order in which a host goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// What has to stand before anything is installed: packages, users, the firewall's rules.
    Preparation,
    /// The software itself and its data.
    Installation,
    /// What narrows the surface: sandboxes, proxies, sshd, policies.
    Hardening,
    /// Checks that prove the above; they change nothing and gate `production`.
    Tests,
    /// What may only happen on a host whose tests passed.
    Production,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 5] =
        [Phase::Preparation, Phase::Installation, Phase::Hardening, Phase::Tests, Phase::Production];

    /// The word used in playbooks and output.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Preparation => "preparation",
            Phase::Installation => "installation",
            Phase::Hardening => "hardening",
            Phase::Tests => "tests",
            Phase::Production => "production",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
