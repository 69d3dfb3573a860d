//! Owns two declarations of one resource: whether they say the same, and what is known of them together.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::Wanted;
use super::{Body, Ties};
use crate::resource::{Desired, FieldValue, Resource};

/// Why two resources of the same identity are not the same. Values are not repeated: they may be secret.
pub(super) fn differ(a: &dyn Resource, b: &dyn Resource, a_needs: &[Wanted], b_needs: &[Wanted]) -> Option<String> {
    let fields = match (a.desired(), b.desired()) {
        (Desired::Absent, Desired::Absent) => Vec::new(),
        (Desired::Present(a), Desired::Present(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let differs = |name: &&&String| match (a.get(**name), b.get(**name)) {
                (Some(a), Some(b)) => !same_field(a, b),
                _ => true,
            };
            names.iter().filter(differs).map(|name| (*name).clone()).collect()
        }
        _ => return Some("one of them is to be there, the other is not".into()),
    };
    if !fields.is_empty() {
        return Some(format!("they differ in {}", fields.join(", ")));
    }
    // What a kind does is not all in what it wants to see: the rest of its fields shows in its debug form, masked.
    if format!("{a:?}") != format!("{b:?}") {
        return Some("they want the same state, but are not written alike".into());
    }
    let edges = |needs: &[Wanted]| {
        let mut all: Vec<String> = needs.iter().map(|need| format!("{:?} {:?}", need.target, need.on)).collect();
        all.sort();
        all.dedup();
        all
    };
    (edges(a_needs) != edges(b_needs)).then(|| "they differ in needs".into())
}

fn same_field(a: &FieldValue, b: &FieldValue) -> bool {
    match (a, b) {
        (FieldValue::Wanted(a), FieldValue::Wanted(b)) => a.same_as(b) || a.is_written_as(b),
        _ => a.agrees_with(b),
    }
}

/// Adds a second declaration, which does not differ as far as both are known. One that waits is never given up for one
/// that does not: it may say something else.
pub(super) fn join(old: &mut Body, new: Body) {
    let (hosts, secrets, more) = match new {
        Body::Ready(_) if matches!(old, Body::Ready(_)) => return,
        Body::Ready(resource) => (BTreeSet::new(), BTreeMap::new(), Box::new(Ties::of(resource.as_ref()))),
        Body::Pending { standing: Some(_), .. } if matches!(old, Body::Pending { standing: Some(_), .. }) => return,
        Body::Pending { waits_for, locked, ties, .. } => (waits_for, locked, ties),
    };
    old.hold(hosts, secrets);
    if let Body::Pending { ties, .. } = old {
        ties.provides.extend(more.provides);
        ties.uses.extend(more.uses);
        ties.watches.extend(more.watches);
    }
}
