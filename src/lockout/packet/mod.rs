//! What a host's packet filters make of a new connection: every base chain of iptables and nftables, without a kernel.
//!
//! Owns the evaluation. Must not guess: what a rule asks that nobody can tell from here is *cannot tell*, and only where
//! both answers lead to the same end is there a verdict.

mod iptables;
mod iptables_tests;
mod moment;
mod nft;
mod nft_tests;
mod nft_text;
mod rule;
mod tables;
mod ufw;
mod walk;
mod words;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use tables::Tables;
pub use ufw::{UfwFilter, UfwPolicy, UfwRules};

/// A new TCP connection of ours, as it reaches the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Our address, as the host sees it.
    pub from: IpAddr,
    /// The host's own address.
    pub to: IpAddr,
    /// The host's port.
    pub port: u16,
    /// The host's interface that it comes in by and the answer leaves by; `None` = not known.
    pub interface: Option<String>,
    /// How many connections we will have made within the shortest window that a rule counts in, this one included.
    pub connections: u32,
}

/// What becomes of a connection. `by` names the deciding rule as a person would write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is let in, and what is said on it arrives both ways.
    In {
        /// The rule that lets it in.
        by: String,
    },
    /// It is dropped or rejected.
    Out {
        /// The rule that stops it.
        by: String,
    },
    /// It depends on something that cannot be told from the rules.
    Undecided {
        /// The rule that cannot be judged.
        by: String,
        /// What is not known of it.
        why: String,
    },
}

/// Why a text of rules was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from}: {why}")]
pub struct TablesError {
    /// Which tool's text.
    pub from: String,
    /// What is wrong with it.
    pub why: String,
}
