//! Owns the only loop over hosts: probe all, apply in order, guard, verify.
//!
//! Must not know how anything is worded or drawn (it sends [`Event`]s), nor any single kind.

mod account;
mod ad_hoc;
mod apply;
mod ask;
mod batch;
mod deliver;
mod event;
mod facts;
mod folders;
mod follow;
mod guard;
mod held;
mod journals;
mod links;
mod look;
mod looks;
mod memory;
mod origins;
mod outcome;
mod owned;
mod pace;
mod probe;
mod reboot;
mod rollback;
mod segment;
mod walk;
mod way_in;

pub use account::{give_password, knock, lacks_password};
pub use ad_hoc::{AdHoc, ask_all};
pub use apply::{ApplyOptions, Approved, apply};
pub use ask::{NoAnswer, judge_all};
pub use event::{Event, Observer};
pub use facts::gather_facts;
pub use folders::folder_owners;
pub use guard::{Checkpoint, settle_checkpoints};
pub use journals::{JournalError, JournalText, read_journals};
pub use links::{Links, ReadLinks, Stop, WriteLinks, each_host};
pub use memory::{Healed, Holder, HostNote, PastLine, PastRun};
pub use outcome::{Outcome, RunReport};
pub use owned::{Remembered, changed_since, forget};
pub use probe::{Probed, probe, probe_hosts};
pub use rollback::{BackStep, NoPast, Past, PastWork, WayBack, look_back, roll_back};
pub use way_in::ways_in;

use crate::plan::{FieldDelta, Shown};

/// Who began a run, and why; written into journals, and told to whoever finds the host held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `user@controller`.
    pub who: String,
    /// What is run, and a person's message.
    pub why: String,
}

/// A number for a run: twelve random hexadecimal digits.
pub fn new_run() -> String {
    probe::nonce()[..12].to_owned()
}

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
