//! Owns who leaves the store, and what they could ever read of it that is still what it was.

use std::collections::{BTreeMap, BTreeSet};

use super::Stopped;
use super::past::{Past, Version};
use super::readers::is_same;
use crate::report::Rekeyed;
use crate::secret::Secret;
use crate::store::{FaultKind, Locked, Opening, PROJECT, name_of, whole_name};

/// What stands on the burn list for history that is not here: somebody has to look at it elsewhere.
const NOT_READ: &str = "(history that was not read)";

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
        // The project key alone is no secret of anybody.
        let files = || changes.iter().filter(|change| change.name != PROJECT);
        let stays = |one: &str| {
            let mut kept = files().flat_map(|change| change.stays.iter().chain(&change.gains));
            kept.any(|kept| is_same_text(kept, one))
        };
        Self {
            files: changes.iter().map(|change| (change.name.clone(), change.loses.clone())).collect(),
            gone: all.into_iter().filter(|one| !stays(one)).cloned().collect(),
        }
    }

    // Who may read nothing any more leaves every file, those that are gone by now among them; who still reads some leaves
    // those that they lose.
    fn of_file(&self, name: &str) -> BTreeSet<&String> {
        self.files.get(name).into_iter().flatten().chain(&self.gone).collect()
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
    for filed in folder.files() {
        if let Ok(locked) = &filed.locked {
            all.file(store, locked, (&filed.name, &filed.name), &leavers.of_file(&filed.name));
        }
    }
    for Version { name, later, it } in &past.files {
        all.file(store, it, (name, later), &leavers.of_file(later));
    }
    let mut gaps = past.gaps;
    if !folder.wholes().is_empty() || !past.wholes.is_empty() {
        gaps.push("files of age do not say for whom they are: all of them count as readable for who leaves".into());
    }
    for leaver in &leavers.gone {
        folder.wholes().iter().for_each(|whole| all.note(whole_name(whole), leaver, None));
        for Version { name, later, it } in &past.wholes {
            let named = if all.now.contains_key(whole_name(later)) { later } else { name };
            let then = store.keyring().open_whole(it, named).ok();
            all.note(whole_name(named), leaver, then.as_ref());
        }
    }
    let mut burned: Vec<(String, String)> = all.seen.into_iter().filter(|(_, same)| *same).map(|(of, _)| of).collect();
    if past.is_cut {
        // It must not be forgotten with the run that said it.
        let readers: BTreeSet<&String> = leavers.files.values().flatten().collect();
        burned.extend(readers.into_iter().map(|reader| (NOT_READ.to_owned(), reader.clone())));
    }
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
    fn file(&mut self, store: &Opening, locked: &Locked, (name, later): (&str, &str), leavers: &BTreeSet<&String>) {
        let reads = |leaver: &&&String| locked.recipients().iter().any(|text| is_same_text(text, leaver));
        let leavers: Vec<&&String> = leavers.iter().filter(reads).collect();
        if name == PROJECT || leavers.is_empty() {
            return;
        }
        let opened = locked.open(store.keyring());
        for path in locked.secret_paths() {
            // Where the file was renamed, the secret is called by its new name, if it is still there.
            let now = name_of(later, &path).filter(|now| self.now.contains_key(now));
            let Some(secret) = now.or_else(|| name_of(name, &path)) else { continue };
            let then = opened.as_ref().ok().and_then(|file| file.get(&path).ok());
            leavers.iter().for_each(|leaver| self.note(&secret, leaver, then.as_ref()));
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
