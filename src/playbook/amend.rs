//! Owns finding all that is wrong with the fields of one item, though typing them stops at the first fault: what is
//! faulty is taken out, what is missing for that is lent by the kind's example, and the rest is typed again.

use std::sync::Arc;

use super::fields::locked;
use crate::model::{Diagnostic, Place, Source};
use crate::resource;
use crate::yaml::{self, Dialect, Node, Value};

/// Nobody reads more faults of one item.
const MOST: usize = 20;

/// Types fields; what is wrong with them, if anything.
type Try<'a> = &'a dyn Fn(&Node) -> Option<Diagnostic>;

/// All faults of fields, the first of which is known.
pub(super) fn all_faults(kind: &resource::Entry, fields: &Node, first: Diagnostic, again: Try<'_>) -> Vec<Diagnostic> {
    let mut node = fields.clone();
    let mut all: Vec<Diagnostic> = Vec::new();
    let (mut gone, mut lent): (Vec<String>, Vec<String>) = Default::default();
    let mut next = Some(first);
    while let Some(told) = next.take().filter(|_| all.len() < MOST) {
        let place = told.place.as_ref().map(|(place, _)| place.clone());
        // It stands in what was lent, which nobody wrote.
        if !all.is_empty() && place.as_ref().is_some_and(|place| !Arc::ptr_eq(place.source(), fields.place.source())) {
            break;
        }
        let missing = missing(&told);
        if let Some(key) = &missing {
            // Taken out before, or written wrongly: that was told.
            let meant = format!("did you mean `{key}`?");
            if !gone.contains(key) && !all.iter().any(|known| known.fix.as_ref() == Some(&meant)) {
                all.push(told);
            }
            if place.as_ref() == Some(&fields.place) {
                if lent.contains(key) || !lend(kind, key, &mut node) {
                    break;
                }
                lent.push(key.clone());
                next = again(&node);
                continue;
            }
        } else if all.is_empty() || place.as_ref() != Some(&fields.place) {
            // What is said of the fields as a whole may follow from what was taken out.
            all.push(told);
        }
        let one = place.filter(|place| parts_at(&node, place) == 1);
        let Some(key) = one.and_then(|place| take_out(&mut node, &place)) else { break };
        if lent.contains(&key) {
            break;
        }
        gone.push(key);
        next = again(&node);
    }
    all
}

/// Those that are faults whatever the fields will hold that are not known yet.
pub(super) fn certain(faults: Vec<Diagnostic>) -> impl Iterator<Item = Diagnostic> {
    const CERTAIN: [&str; 5] =
        ["an unknown key", "an unknown word", "a value of the wrong type", "a value out of bounds", NO_SECRET];
    faults.into_iter().filter(|told| CERTAIN.contains(&told.summary.as_str()))
}

// Said of where a secret stands, whatever it is.
const NO_SECRET: &str = "a secret may not stand here";

/// Those that are faults whatever the locked secrets among the fields are: what stands for one may be wrong where it stands.
/// `whole` = nothing else is missing of the fields.
pub(super) fn despite_locks(faults: Vec<Diagnostic>, fields: &Node, whole: bool) -> Vec<Diagnostic> {
    let told = |told: &Diagnostic| match &told.place {
        _ if told.summary == NO_SECRET => true,
        // What is said of the fields as a whole may follow from what stands for the secret.
        Some((place, _)) if *place == fields.place => whole && missing(told).is_some(),
        Some((place, _)) => Arc::ptr_eq(place.source(), fields.place.source()) && !locked_at(fields, place),
        None => false,
    };
    let faults: Vec<Diagnostic> = faults.into_iter().filter(told).collect();
    if whole { faults } else { certain(faults).collect() }
}

// Whether a locked secret stands at a place, or in what stands there.
fn locked_at(node: &Node, place: &Place) -> bool {
    let holds = |node: &Node| node.place == *place && !locked(node).is_empty();
    holds(node)
        || match &node.value {
            Value::Map(entries) => entries.iter().any(|entry| locked_at(&entry.node, place)),
            Value::List(items) => items.iter().any(|item| locked_at(item, place)),
            _ => false,
        }
}

// The key that a fault says is missing.
fn missing(told: &Diagnostic) -> Option<String> {
    let (_, label) = told.place.as_ref().filter(|_| told.summary == "a key is missing")?;
    Some(label.strip_prefix('`')?.split('`').next()?.to_owned())
}

// How many parts stand at a place. All that comes from one template stands where that does.
fn parts_at(node: &Node, place: &Place) -> usize {
    let inner: Vec<&Node> = match &node.value {
        Value::Map(entries) => entries.iter().map(|entry| &entry.node).collect(),
        Value::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let keys = node.entries().unwrap_or_default().iter().filter(|entry| entry.place == *place).count();
    keys + inner.iter().map(|node| usize::from(node.place == *place) + parts_at(node, place)).sum::<usize>()
}

// Takes out the innermost part that stands at a place, and says its key.
fn take_out(node: &mut Node, place: &Place) -> Option<String> {
    match &mut node.value {
        Value::Map(entries) => {
            if let Some(key) = entries.iter_mut().find_map(|entry| take_out(&mut entry.node, place)) {
                return Some(key);
            }
            let at = entries.iter().position(|entry| entry.place == *place || entry.node.place == *place)?;
            Some(entries.remove(at).key)
        }
        Value::List(items) => {
            if let Some(key) = items.iter_mut().find_map(|item| take_out(item, place)) {
                return Some(key);
            }
            let at = items.iter().position(|item| item.place == *place)?;
            items.remove(at);
            Some(at.to_string())
        }
        _ => None,
    }
}

// Puts in what the kind's example has for a key, so that the other fields can be looked at.
fn lend(kind: &resource::Entry, key: &str, node: &mut Node) -> bool {
    let example = yaml::parse(&Source::new(kind.name, kind.example), Dialect::Playbook);
    let entry = example.ok().and_then(|example| example.get(kind.name)?.entry(key).cloned());
    match (&mut node.value, entry) {
        (Value::Map(entries), Some(entry)) if !entries.iter().any(|known| known.key == key) => {
            entries.push(entry);
            true
        }
        _ => false,
    }
}
