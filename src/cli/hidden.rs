//! Owns which secrets must not leave the program, whoever prints them: those of the inventory, and those of the store as far
//! as it was opened.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::project::Fleet;
use crate::model::Diagnostic;
use crate::report::Screen;
use crate::secret::{NoSecret, Piece, Rendered, Secret, Vault};
use crate::store::{Fault, Opening};
use crate::transport::Become;
use crate::yaml::{Node, Value};

/// Opens all of a store, for a verb that renders nothing itself: what its hosts print may hold any secret. Says what is not
/// known and so cannot be masked.
pub(super) fn open_all(store: &Opening) -> (Vec<Rendered>, Vec<Diagnostic>) {
    let (found, mut told) = stored(&store.folder().names(), |name| store.get(name));
    // A file that cannot be read does not even say what its secrets are called.
    told.extend(store.folder().files().iter().filter_map(|file| unread(&file.name, file.locked.as_ref().err()?)));
    (found, told)
}

// Every secret of the store, and what is to be said of those that are not known and so cannot be masked.
pub(super) fn stored(
    names: &[String],
    get: impl Fn(&str) -> Result<Secret, NoSecret>,
) -> (Vec<Rendered>, Vec<Diagnostic>) {
    let (mut found, mut unknown) = (Vec::new(), BTreeMap::<String, Vec<&str>>::new());
    for name in names {
        let why = match get(name) {
            Ok(secret) => match secret.why_locked() {
                Some(why) => why.to_owned(),
                None => {
                    found.push(Rendered::secret(secret));
                    continue;
                }
            },
            Err(NoSecret::Broken { why, .. }) => why,
            Err(NoSecret::NoStore | NoSecret::Unknown { .. }) => "it is not there any more".to_owned(),
        };
        unknown.entry(why).or_default().push(name);
    }
    let told = unknown.into_iter().map(|(why, names)| {
        Diagnostic::warning("secrets that are not masked where a host prints them")
            .because(format!("{}: {why}", names.join(", ")))
            .fix("look through what is printed before you hand it on")
    });
    (found, told.collect())
}

fn unread(name: &str, fault: &Fault) -> Option<Diagnostic> {
    let told = Diagnostic::warning("secrets that are not masked where a host prints them");
    let why = format!("those of {name}, which cannot be read: {}", fault.told.summary);
    Some(told.because(why).fix("look through what is printed before you hand it on, and mend the file"))
}

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
    for target in fleet.targets.values() {
        own.extend(target.password.clone());
        if let Become::Sudo { password: Some(password) } = &target.escalate {
            own.push(password.clone());
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

/// The secrets that stand in a value.
pub(super) fn collect(node: &Node, found: &mut Vec<Secret>) {
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
