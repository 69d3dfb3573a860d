//! Owns every byte that leaves the program: how results, faults and progress are worded and drawn.
//!
//! Views are pure: values in, text out, for a [`Paint`]; a [`Screen`] alone writes. Results go to stdout, everything
//! else to stderr. Must not know how a value came about: no connection, no file, and no clock but that of [`progress`].
//!
//! Every text of strangers goes through `escape` on its way into a line, or through a quoting function of
//! [`crate::quote`] on its way into another language. Symbols and words say all; colour only repeats them.

mod diagnostics;
mod doctor;
mod drift;
pub mod escape;
mod excerpt;
mod exec;
mod explain;
mod facts;
mod fields;
mod graph;
mod history;
mod inventory;
mod json;
mod kinds;
mod leftovers;
mod notes;
mod paint;
mod picture;
mod plan;
mod progress;
mod prune;
mod rollback;
mod run;
#[cfg(test)]
mod samples;
mod scan;
mod screen;
mod secrets;
mod svg;
mod teller;
#[cfg(test)]
mod tests;
mod way_in;
mod words;

pub use diagnostics::diagnostics;
pub use doctor::{Finding, Standing, doctor, doctor_json};
pub use drift::{drift, drift_json};
pub use exec::{ExecView, exec, exec_json};
pub use explain::{
    Explained, FromPlaybook, explain, explain_json, explain_resource, explain_resource_json, variables, variables_json,
};
pub use facts::{facts, facts_json};
pub use graph::{Format, graph};
pub use history::{
    HostJournals, Proof, history, history_json, history_run, history_run_json, proofs, proofs_json, target_run,
    target_run_json, target_runs, target_runs_json,
};
pub use inventory::{host_names, inventory};
pub use json::{error_json, json_text};
pub use kinds::{kind, kinds, kinds_json, kinds_markdown};
pub use notes::Notes;
pub use paint::{Paint, Tone};
pub use plan::{PlanView, plan, plan_json};
pub use progress::{Progress, progress};
pub use prune::{PruneView, not_forgotten, prune};
pub use rollback::{checkpoints, checkpoints_json, purged, rollback, rollback_json};
pub use run::{RunView, run, run_json};
pub use scan::{AboutFile, ScanView, scan, scan_json};
pub use screen::{Colour, Environment, NobodyToAsk, Screen, Stream};
pub use secrets::{
    Checked, CheckedFile, FileReaders, Rekeyed, StoredFile, ToSeal, burned, burned_json, checked, checked_json,
    readers, readers_json, rekeyed, rekeyed_json, stored, stored_json, to_seal,
};
