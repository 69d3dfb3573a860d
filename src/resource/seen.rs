//! Owns the four answers of a probe.

use super::{Fields, ProbeError, Provision};

/// What a probe found out about one resource. Unknown is not absent, and it is not fine.
#[derive(Clone, Debug)]
pub enum Seen {
    /// It is there, and this is how it is.
    Present(Fields),
    /// It is certainly not there.
    Absent,
    /// It cannot be there yet: the tool or parent is missing. That is fine only if a resource of this plan brings it.
    NotYet {
        /// What is missing, in words: `docker is not installed`.
        missing: String,
        /// What would bring it; any one of them will do.
        brought_by: Vec<Provision>,
    },
    /// No answer that can be trusted: a missing tool, an empty answer, a refused sudo. Never a pass.
    Unknown(String),
}

impl Seen {
    /// What was seen of each of a batch; what could not be read is unknown, in this one place for all kinds.
    pub fn each<K>(batch: &[&K], read: impl Fn(&K) -> Result<Seen, ProbeError>) -> Vec<Seen> {
        batch.iter().map(|wanted| read(wanted).unwrap_or_else(|ProbeError(why)| Seen::Unknown(why))).collect()
    }
}
