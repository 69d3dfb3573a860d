//! Whether a host would still let us in: rules and settings, as they stand or as they will stand, against our way to it.
//!
//! Owns the judgement alone. Must not know where the texts come from, and does no input or output.

mod packet;

pub use packet::{Packet, Tables, TablesError, UfwFilter, UfwPolicy, UfwRules, Verdict};
