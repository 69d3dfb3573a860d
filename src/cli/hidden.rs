//! Owns which secrets must not leave the program, whoever prints them: those of the inventory, and those of the store as far
//! as it was opened.

use std::collections::HashSet;
use std::sync::Arc;

use super::project::Fleet;
use crate::report::Screen;
use crate::secret::{Piece, Secret};
use crate::yaml::{Node, Value};

/// Hides them from now on.
pub(super) fn hide(fleet: &Fleet, screen: &Screen) {
    let mut own: Vec<Secret> = Vec::new();
    // Hosts of one group share what it says.
    let mut looked: HashSet<*const Node> = HashSet::new();
    for var in fleet.inventory.hosts().iter().flat_map(|host| host.vars.values()) {
        if looked.insert(Arc::as_ptr(&var.node)) {
            collect(&var.node, &mut own);
        }
    }
    // One may be a part of another.
    own.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    own.dedup_by(|a, b| a.same_as(b));
    let own = Arc::new(own);
    match fleet.store.clone() {
        None if own.is_empty() => {}
        None => screen.hide(Box::new(move || vec![own.clone()])),
        Some(store) => screen.hide(Box::new(move || vec![own.clone(), store.known()])),
    }
}

fn collect(node: &Node, found: &mut Vec<Secret>) {
    match &node.value {
        Value::Tainted(text) => found.extend(text.pieces().iter().filter_map(|piece| match piece {
            Piece::Secret(secret) => Some(secret.clone()),
            Piece::Plain(_) => None,
        })),
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(entries) => entries.iter().for_each(|entry| collect(&entry.node, found)),
        _ => {}
    }
}
