//! Owns the plain values that every other module speaks in: hosts, resources, phases, places in files, diagnostics.
//!
//! Must not know any other module, and does no input or output.

mod count;
mod diagnostic;
mod exit;
mod host;
mod phase;
mod place;
mod resource_id;
mod time;

pub use count::count;
pub use diagnostic::{Diagnostic, Severity, did_you_mean};
pub use exit::Exit;
pub use host::HostName;
pub use phase::Phase;
pub use place::{Place, Source};
pub use resource_id::ResourceId;
pub use time::utc;
