//! Owns every byte that leaves the program: how results, faults and progress are worded and drawn.
//!
//! Views are pure: values in, text out, for a [`Paint`]; a [`Screen`] alone writes. Results go to stdout, everything
//! else to stderr. Must not know how a value came about: no connection, no file, and no clock but that of [`progress`].
//!
//! Every text of strangers goes through `escape` on its way into a line, or through a quoting function of
//! [`crate::quote`] on its way into another language. Symbols and words say all; colour only repeats them.

mod diagnostics;
mod drift;
pub mod escape;
mod excerpt;
mod fields;
mod graph;
mod inventory;
mod json;
mod kinds;
mod notes;
mod paint;
mod picture;
mod plan;
mod progress;
mod run;
#[cfg(test)]
mod samples;
mod screen;
mod svg;
mod teller;
#[cfg(test)]
mod tests;
mod way_in;
mod words;

pub use diagnostics::diagnostics;
pub use drift::{drift, drift_json};
pub use graph::{Format, graph};
pub use inventory::{host_names, inventory};
pub use json::json_text;
pub use kinds::{kinds, kinds_markdown};
pub use notes::Notes;
pub use paint::{Paint, Tone};
pub use plan::{PlanView, plan, plan_json};
pub use progress::{Progress, progress};
pub use run::{RunView, run, run_json};
pub use screen::{Colour, Environment, NobodyToAsk, Screen, Stream};
