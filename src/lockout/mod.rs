//! Whether a host would still let us in: rules and settings, as they stand or as they will stand, against our way to it.
//!
//! Owns the questions that a judgement needs, and the judgement. Must not know who connects or how; it does no input or
//! output. What cannot be told is undecided, and a judge that would shut us out of the host as it stands, where we are
//! in, is not believed.

mod access;
mod firewall;
mod judge;
mod keys;
mod packet;
mod patterns;
mod question;
mod scene;
mod sshd;
mod sudo;
#[cfg(test)]
mod tests;
mod touched;
mod ufw;
mod verdict;

pub use judge::{judge, unknown};
pub use packet::{Packet, Tables, TablesError, UfwFilter, UfwPolicy, UfwRules, Verdict};
pub use question::ask;
pub use scene::Scene;
pub use verdict::{Part, PartVerdict, Ruling, WayIn};
