//! Owns what this computer remembers of a store from one run to the next: the id of its project key, and of each file the
//! newest generation that was seen.
//!
//! It stands outside of the store, where who can write to the store cannot: without it, a whole store that somebody made
//! with the public keys alone would be in order, and so would an older version of a file. A file for each folder of a store;
//! but who can write to a project can also give its store another folder, so that the others of the project are asked, too.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fault::{Fault, FaultKind};
use super::save::save;
use super::top::Tops;

/// What is remembered of one store.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    folder: String,
    tops: Tops,
    // One change at a time, also where several threads open files.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The ids of the project's key; two while a `rekey` writes.
    keys: Vec<String>,
    generations: BTreeMap<String, u64>,
    /// The folder of the store.
    store: String,
    /// The tops of the projects that it is a part of.
    projects: Vec<String>,
}

/// Where a key of a project is known from.
enum Known {
    Here,
    /// From another folder of the same project, with the newest generations there.
    Beside(BTreeMap<String, u64>),
    Nowhere,
}

impl Memory {
    /// The memory of the store in a folder; `state` is where this computer keeps its own files.
    pub fn at(state: &Path, root: &Path) -> Self {
        let folder = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()).display().to_string();
        let hash = Sha256::digest(folder.as_bytes());
        let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = state.join("stores").join(format!("{name}.json"));
        Self { path, folder, tops: Tops::of(root), turn: Mutex::new(()) }
    }

    /// Refuses a key that is not the one that is remembered of the store, or of the stores of its project where this one
    /// was never seen. Where nothing is remembered, each is right.
    ///
    /// # Errors
    /// It is another one, or what is remembered cannot be read.
    pub fn is_right_key(&self, id: &str) -> Result<(), Fault> {
        self.known(id).map(|_| ())
    }

    fn known(&self, id: &str) -> Result<Known, Fault> {
        let seen = self.read()?;
        if seen.knows(id) {
            return Ok(Known::Here);
        }
        if !seen.keys.is_empty() {
            return Err(self.other_key(format!(
                "it is {id}, and this computer knows the store with {}: somebody ran `rekey` or `init`, or put another store in its place",
                seen.keys.join(" or ")
            )));
        }
        let beside = self.beside()?;
        let Some(first) = beside.first() else { return Ok(Known::Nowhere) };
        let mut generations = BTreeMap::new();
        for same in beside.iter().filter(|other| other.knows(id)) {
            for (name, generation) in &same.generations {
                let newest: &mut u64 = generations.entry(name.clone()).or_default();
                *newest = (*newest).max(*generation);
            }
        }
        if beside.iter().any(|other| other.knows(id)) {
            return Ok(Known::Beside(generations));
        }
        Err(self.other_key(format!(
            "it is {id}, and of this project this computer knows {} with {}: it is one more store, or somebody put another one in \
             its place",
            first.store,
            first.keys.join(" or ")
        )))
    }

    fn other_key(&self, detail: String) -> Fault {
        let fix = "compare the id with somebody who has the store; if it is right, say so with `rempart secrets seal rempart`";
        Fault::new(FaultKind::ProjectChanged, "the project key is another one", detail, fix).within(&self.folder)
    }

    /// The same, and remembers it where none is. Says whether that was the first time.
    pub(super) fn check_key(&self, id: &str) -> Result<bool, Fault> {
        let (is_first, generations) = match self.known(id)? {
            Known::Here => return Ok(false),
            // The store got another folder; what was seen of its files is as true as before.
            Known::Beside(generations) => (false, generations),
            Known::Nowhere => (true, BTreeMap::new()),
        };
        // What cannot be remembered is no reason to plan nothing; it is said as a first time then, each time.
        let _ = self.change(|seen| (seen.keys, seen.generations) = (vec![id.to_owned()], generations));
        Ok(is_first)
    }

    /// The ids that are right from now on, since a `rekey` here is about to write them, or has.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn expect_keys(&self, ids: &[String]) -> Result<(), Fault> {
        self.change(|seen| seen.keys = ids.to_vec())
    }

    /// A person says that this is the key: what was seen of files with another one counts no more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take_key(&self, id: &str) -> Result<(), Fault> {
        self.change(|seen| {
            if seen.keys != [id] {
                (seen.keys, seen.generations) = (vec![id.to_owned()], BTreeMap::new());
            }
        })
    }

    /// The newest generation of a file that was seen; 0 where none was.
    pub fn generation(&self, name: &str) -> u64 {
        self.read().ok().and_then(|seen| seen.generations.get(name).copied()).unwrap_or(0)
    }

    /// Refuses a generation of a file that is older than one that was seen.
    ///
    /// # Errors
    /// It is older, or what is remembered cannot be read.
    pub fn is_newest(&self, name: &str, generation: u64) -> Result<(), Fault> {
        let known = self.read()?.generations.get(name).copied().unwrap_or(0);
        if generation >= known {
            return Ok(());
        }
        let detail = format!("{name} is generation {generation}, and generation {known} was here before");
        let mut fault = Fault::new(FaultKind::RolledBack, "an older version of the file", detail, "").within(name);
        fault.told.fix = Some(format!(
            "get the newest version (`git pull`), or merge the branch that it is on; if the older one is meant, look at it and say \
             `rempart secrets seal {}`",
            name.strip_suffix(".yaml").unwrap_or(name)
        ));
        Err(fault)
    }

    /// The same, and remembers it where it is newer.
    ///
    /// # Errors
    /// As with [`Memory::is_newest`].
    pub fn saw(&self, name: &str, generation: u64) -> Result<(), Fault> {
        self.is_newest(name, generation)?;
        if generation > self.generation(name) {
            // As with the key: what cannot be remembered stops nobody.
            let _ = self.change(|seen| {
                let newest = seen.generations.entry(name.to_owned()).or_default();
                *newest = generation.max(*newest);
            });
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) -> Result<(), Fault> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _alone = self.hold()?;
        let mut seen = self.read()?;
        if seen.keys.is_empty() {
            seen.projects = self.tops.own.iter().map(|top| top.display().to_string()).collect();
        }
        change(&mut seen);
        self.keep(&seen)
    }

    // What is remembered of other stores below the same top, where there is one.
    fn beside(&self) -> Result<Vec<Seen>, Fault> {
        let mut beside = Vec::new();
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let all = match fs::read_dir(folder) {
            Ok(all) => Some(all),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let fix = "check the folder of REMPART_STATE and its permissions";
                let summary = "what this computer remembers of stores cannot be read";
                let fault = Fault::new(FaultKind::Format, summary, error.to_string(), fix);
                return Err(fault.within(&folder.display().to_string()));
            }
        };
        for path in all.into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path != self.path && path.extension().is_some_and(|end| end == "json") {
                beside.push(read(&path)?);
            }
        }
        let is_below = |path: &String| self.tops.all.iter().any(|top| Path::new(path).starts_with(top));
        beside
            .retain(|other| !other.keys.is_empty() && (is_below(&other.store) || other.projects.iter().any(is_below)));
        beside.sort_by(|a, b| a.store.cmp(&b.store));
        Ok(beside)
    }

    fn read(&self) -> Result<Seen, Fault> {
        read(&self.path)
    }

    // Keeps other processes from changing it, until the value is dropped.
    fn hold(&self) -> Result<File, Fault> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| File::open(folder));
        let held = made.map_err(|error| {
            let fix = "check the folder of REMPART_STATE and its permissions";
            Fault::new(FaultKind::Write, "nothing can be remembered of the store", error.to_string(), fix)
                .within(&folder.display().to_string())
        })?;
        // Some network file systems know no locks.
        let _ = rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive);
        Ok(held)
    }

    fn keep(&self, seen: &Seen) -> Result<(), Fault> {
        let value = json!({
            "store": self.folder, "projects": seen.projects, "keys": seen.keys, "generations": seen.generations
        });
        save(&self.path, &format!("{value:#}\n"))
    }
}

impl Seen {
    fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|known| known == id)
    }
}

fn read(path: &Path) -> Result<Seen, Fault> {
    let wrong = |why: String| {
        let fix = "compare the id of the project key with somebody who has the store, then remove the file";
        Fault::new(FaultKind::Format, "what this computer remembers of the store cannot be read", why, fix)
            .within(&path.display().to_string())
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Seen::default()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let value: Value = serde_json::from_str(&text).map_err(|_| wrong("it is no JSON".into()))?;
    let keys =
        value["keys"].as_array().and_then(|keys| keys.iter().map(|key| key.as_str().map(str::to_owned)).collect());
    let generations = value["generations"]
        .as_object()
        .and_then(|all| all.iter().map(|(name, number)| Some((name.clone(), number.as_u64()?))).collect());
    match (keys, generations) {
        (Some(keys), Some(generations)) => {
            let store = value["store"].as_str().unwrap_or_default().to_owned();
            let projects = value["projects"].as_array().into_iter().flatten();
            let projects = projects.filter_map(|top| top.as_str().map(str::to_owned)).collect();
            Ok(Seen { keys, generations, store, projects })
        }
        _ => Err(wrong("it lacks `keys` or `generations`".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_and_an_older_generation_are_refused() {
        let state = tempfile::tempdir().unwrap();
        let memory = Memory::at(state.path(), Path::new("/nowhere/secrets"));
        assert!(memory.check_key("aa").unwrap(), "the first time");
        assert!(!memory.check_key("aa").unwrap());
        assert_eq!(memory.check_key("bb").unwrap_err().kind, FaultKind::ProjectChanged);
        memory.saw("gw.yaml", 3).unwrap();
        memory.saw("gw.yaml", 3).unwrap();
        assert_eq!(memory.saw("gw.yaml", 2).unwrap_err().kind, FaultKind::RolledBack);
        assert_eq!(memory.generation("gw.yaml"), 3);
        memory.expect_keys(&["aa".into(), "bb".into()]).unwrap();
        assert!(!memory.check_key("bb").unwrap());
        memory.take_key("cc").unwrap();
        memory.saw("gw.yaml", 1).unwrap();
        assert_eq!(memory.check_key("aa").unwrap_err().kind, FaultKind::ProjectChanged);
        // Another folder is another store.
        assert!(Memory::at(state.path(), Path::new("/elsewhere/secrets")).check_key("bb").unwrap());
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        let state = tempfile::tempdir().unwrap();
        let memory = Memory::at(state.path(), Path::new("/nowhere/secrets"));
        memory.check_key("aa").unwrap();
        for text in
            ["", "{", "[]", "{\"keys\": [1], \"generations\": {}}", "{\"keys\": [], \"generations\": {\"a\": -1}}"]
        {
            fs::write(&memory.path, text).unwrap();
            assert!(memory.check_key("aa").is_err(), "{text}");
        }
    }
}
