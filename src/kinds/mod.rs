//! Owns the kinds: one file each, and the registry that lists them.
//!
//! A kind reads and proposes; it must not know the transport, plans, the engine, other kinds' insides, the clock, or
//! this machine's files and network. To add one: its file, and its two sorted lines here.

mod directory;
mod file;
mod firewall_rule;
mod firewall_ufw;

use crate::resource::Entry;

/// Every kind, sorted by name.
pub const KINDS: &[Entry] = &[
    Entry::of::<directory::Directory>(),
    Entry::of::<file::File>(),
    Entry::of::<firewall_rule::FirewallRule>(),
    Entry::of::<firewall_ufw::FirewallUfw>(),
];

/// The row of a kind.
pub fn find(name: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests;
