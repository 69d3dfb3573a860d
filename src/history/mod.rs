//! Owns what happened: the hash-chained journal of the controller, and how those of the targets are read and proved.
//!
//! The format of both is in docs/history.md. Must not know connections, how a run works, or how anything is drawn.

mod chain;
mod error;
mod event;
mod head;
mod living;
mod read;
mod store;
mod target;
#[cfg(test)]
mod tests;

pub use chain::{
    Anchor, Break, Checked, FIRST, Fault, Head, Line, Torn, Verifier, is_hash, link, seal, sha256, split, verify,
};
pub use error::HistoryError;
pub use event::{
    ApprovedChange, EndEvent, Event, GuardEnd, IntentEvent, ResultEvent, RunEvent, RunSelection, RunTotals, RunVerb,
    StepEnd, StepIntent, StepResult, TornEvent,
};
pub use living::{Living, runs_that_are_over};
pub use read::{BatchRecord, History, NoSuchRun, Run, RunEnding, StepRecord, read};
pub use store::Journal;
pub use target::{
    TargetBatch, TargetEntry, TargetJournal, TargetRun, TargetStep, TargetWord, check_target, parse_target,
};
