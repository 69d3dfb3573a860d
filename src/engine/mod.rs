//! Owns the only loop over hosts: probe all, apply in order, guard, verify.
//!
//! Must not know how anything is worded or drawn (it sends [`Event`]s), nor any single kind.

mod apply;
mod batch;
mod event;
mod facts;
mod follow;
mod guard;
mod links;
mod look;
mod looks;
mod outcome;
mod probe;
mod segment;
mod walk;
mod way_in;

pub use apply::{ApplyOptions, Approved, apply};
pub use event::{Event, Observer};
pub use facts::gather_facts;
pub use links::{Links, ReadLinks, Stop, WriteLinks, each_host};
pub use outcome::{Outcome, RunReport};
pub use probe::{HostNote, Probed, probe};
pub use way_in::ways_in;

use crate::plan::{FieldDelta, Shown};

/// What differs, one short line a field, masked; for the end of a step or check.
fn words_of(fields: &[FieldDelta]) -> Vec<String> {
    let word = |shown: &Shown| match shown {
        Shown::Nothing => "nothing".to_owned(),
        Shown::Value(serde_json::Value::String(text)) => text.clone(),
        Shown::Value(value) => value.to_string(),
        Shown::LongText => "(text)".to_owned(),
        Shown::Hidden(instead) => instead.clone(),
    };
    fields.iter().map(|delta| format!("{}: {}, wanted {}", delta.field, word(&delta.from), word(&delta.to))).collect()
}
