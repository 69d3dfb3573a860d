//! Owns the plan: the graph over the whole fleet, the difference between wanted and seen, and both joined as a value
//! that is shown before anything is touched.
//!
//! Pure: no connection, no file, no clock, no secret's content. It fails on bad input only.

mod delta;
mod folders;
mod graph;
mod items;
mod older;
mod orphans;
mod outlook;
mod removal;
mod rollout;
#[cfg(test)]
mod tests;
mod watch;

pub use delta::{Delta, DiffLine, FieldDelta, Shown, delta};
pub use folders::{FolderOwners, Folders};
pub use graph::{Dependency, Graph, Why};
pub use items::{Item, Need, Unread};
pub use older::{Given, hold_older};
pub use orphans::{Leftovers, Made, Orphan, Scope};
pub use outlook::{Act, HostOutlook, Judge, NOT_REACHED, NOT_SELECTED, Outlook, Permanent, Planned, Totals, outlook};
pub use removal::{Removal, removals};
pub use rollout::{Rollout, WaveSize, check_rollouts};
pub use watch::recognise;
