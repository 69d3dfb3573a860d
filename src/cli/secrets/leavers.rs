//! Owns who leaves the store, and what they could ever read of it that is still what it was.

use std::collections::{BTreeMap, BTreeSet};

use super::Stopped;
use super::past::Past;
use super::readers::is_same;
use crate::report::Rekeyed;
use crate::secret::Secret;
use crate::store::{FaultKind, Locked, Opening, PROJECT, name_of, whole_name};

/// What somebody who leaves could ever read.
#[derive(Default)]
pub(super) struct Readable {
    /// Secrets that still have a value that was read, each with the reader.
    pub burned: Vec<(String, String)>,
    /// What nobody can say.
    pub gaps: Vec<String>,
}

/// Who leaves: some files, or the store.
struct Leavers {
    /// By file, who may read it no longer.
    files: BTreeMap<String, Vec<String>>,
    /// Who may read no file at all any more.
    gone: Vec<String>,
}

impl Leavers {
    fn of(changes: &[Rekeyed]) -> Self {
        let all: BTreeSet<&String> = changes.iter().flat_map(|change| &change.loses).collect();
        let stays = |one: &str| {
            let mut kept = changes.iter().flat_map(|change| change.stays.iter().chain(&change.gains));
            kept.any(|kept| is_same_text(kept, one))
        };
        Self {
            files: changes.iter().map(|change| (change.name.clone(), change.loses.clone())).collect(),
            gone: all.into_iter().filter(|one| !stays(one)).cloned().collect(),
        }
    }

    // Of a file that is there no more only those are told who may read nothing any more: what the others knew of it is
    // no other than it was before.
    fn of_file(&self, name: &str) -> &[String] {
        self.files.get(name).unwrap_or(&self.gone)
    }
}

/// What each of those who lose something could ever read of it, as far as it was not changed since.
pub(super) fn readable(store: &Opening, changes: &[Rekeyed]) -> Result<Readable, Stopped> {
    let leavers = Leavers::of(changes);
    if leavers.files.values().all(Vec::is_empty) {
        return Ok(Readable::default());
    }
    let folder = store.folder();
    let past = Past::of(folder.root());
    let mut all = Seen { now: values(store)?, seen: BTreeMap::new() };
    let present = folder.files().iter().filter_map(|filed| filed.locked.as_ref().ok());
    for locked in present.chain(&past.versions) {
        for leaver in leavers.of_file(locked.name()) {
            if locked.recipients().iter().any(|text| is_same_text(text, leaver)) {
                all.file(store, locked, leaver);
            }
        }
    }
    let mut gaps = past.gaps;
    if !folder.wholes().is_empty() {
        gaps.push("files of age do not say for whom they are: all of them count as readable for who leaves".into());
        for whole in folder.wholes() {
            leavers.gone.iter().for_each(|leaver| all.note(whole_name(whole), leaver, None));
        }
    }
    let burned = all.seen.into_iter().filter(|(_, same)| *same).map(|(of, _)| of).collect();
    Ok(Readable { burned, gaps })
}

// What each secret is now; `None` = it is no text, or no key here opens it.
fn values(store: &Opening) -> Result<BTreeMap<String, Option<Secret>>, Stopped> {
    let mut now = BTreeMap::new();
    let wholes: BTreeSet<&str> = store.folder().wholes().iter().map(|name| whole_name(name)).collect();
    for name in store.folder().names() {
        let secret = match store.secret(&name) {
            Ok(secret) => Some(secret),
            Err(fault) if fault.kind == FaultKind::Unsupported || wholes.contains(name.as_str()) => None,
            Err(fault) => return Err(fault.into()),
        };
        now.insert(name, secret);
    }
    Ok(now)
}

/// By secret and reader, whether what they read is what it is now.
struct Seen {
    now: BTreeMap<String, Option<Secret>>,
    seen: BTreeMap<(String, String), bool>,
}

impl Seen {
    fn file(&mut self, store: &Opening, locked: &Locked, leaver: &str) {
        if locked.name() == PROJECT {
            return;
        }
        let opened = locked.open(store.keyring());
        for path in locked.secret_paths() {
            let Some(secret) = name_of(locked.name(), &path) else { continue };
            let then = opened.as_ref().ok().and_then(|file| file.get(&path).ok());
            self.note(&secret, leaver, then.as_ref());
        }
    }

    // What cannot be opened any more may be what it is now.
    fn note(&mut self, secret: &str, leaver: &str, then: Option<&Secret>) {
        let same = match (then, self.now.get(secret)) {
            (Some(then), Some(Some(now))) => then.same_as(now),
            _ => true,
        };
        *self.seen.entry((secret.to_owned(), leaver.to_owned())).or_default() |= same;
    }
}

fn is_same_text(one: &str, other: &str) -> bool {
    one == other || crate::store::Recipient::parse(other).is_ok_and(|other| is_same(one, &other))
}
