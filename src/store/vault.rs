//! Owns the store as templates see it: every file is opened at most once, when its first secret is asked for, and proved
//! before anything of it is handed out.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::ask::Ask;
use super::fault::{Fault, FaultKind, hint};
use super::folder::{Folder, PROJECT, Spot, name_of};
use super::key_path::KeyPath;
use super::keyring::{Keyring, Sources};
use super::memory::Memory;
use super::metadata;
use super::seal;
use super::unlocked::Unlocked;
use crate::secret::{NoSecret, Origin, ProjectKey, Secret, Vault};

/// The key of the project in its file.
pub const PROJECT_KEY: &str = "project_key";
/// Where its file holds keys of before, each under its id, while a `rekey` has not sealed everything with the new one.
pub const PREVIOUS_KEYS: &str = "project_key_before";

/// How a file is taken that is older than one that was seen here, and whether what is newer is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Care {
    /// Who only reads is told and goes on, and nothing is remembered: on a colleague's branch a file may be newer than on
    /// one's own, and having looked at it must not close the own one.
    #[default]
    Reads,
    /// Who judges: it is refused, and nothing is remembered.
    Judges,
    /// Who gives secrets to hosts or writes the store: it is refused, and what is newer is remembered.
    Changes,
}

/// A store that is opened as far as it is asked.
pub struct Opening {
    folder: Folder,
    sources: Sources,
    ask: Arc<dyn Ask>,
    keyring: Arc<OnceLock<Keyring>>,
    memory: Option<Arc<Memory>>,
    expected: Option<String>,
    finishes: bool,
    care: Care,
    project: OnceLock<Result<Keys, Fault>>,
    opened: Mutex<HashMap<String, Result<Arc<Unlocked>, Fault>>>,
    // The files of age that were opened as a whole.
    wholes: Mutex<HashMap<String, Secret>>,
    // The secrets of so many opened files.
    known: Mutex<(usize, Arc<Vec<Secret>>)>,
}

/// The key of the project, and those of before.
struct Keys {
    now: ProjectKey,
    before: Vec<ProjectKey>,
}

impl Opening {
    /// The store in a folder. `None` = there is none.
    ///
    /// # Errors
    /// The folder is there and cannot be read.
    pub fn find(root: &Path, sources: Sources, ask: Arc<dyn Ask>) -> Result<Option<Self>, Fault> {
        Ok(Folder::read(root)?.map(|folder| Self {
            folder,
            sources,
            ask,
            keyring: Arc::default(),
            memory: None,
            expected: None,
            finishes: false,
            care: Care::default(),
            project: OnceLock::new(),
            opened: Mutex::default(),
            wholes: Mutex::default(),
            known: Mutex::default(),
        }))
    }

    /// Remembers the project key and the generations of files in this folder, which is none of the store.
    #[must_use]
    pub fn remembering(mut self, state: &Path) -> Self {
        self.memory = Some(Arc::new(Memory::at(state, self.folder.root())));
        self
    }

    /// The id of the project key, where somebody named it.
    #[must_use]
    pub fn expecting(mut self, id: Option<String>) -> Self {
        self.expected = id;
        self
    }

    /// What is remembered of it between runs.
    pub fn memory(&self) -> Option<&Memory> {
        self.memory.as_deref()
    }

    /// For `rekey`: takes files that bear the seal of a key of before, so that what was broken off can be finished.
    #[must_use]
    pub fn finishing(mut self) -> Self {
        self.finishes = true;
        self
    }

    /// What its files are opened for.
    #[must_use]
    pub fn with_care(mut self, care: Care) -> Self {
        self.care = care;
        self
    }

    /// The same store as it lies on the disk now; nobody is asked for a key again.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn fresh(&self) -> Result<Self, Fault> {
        let folder = Folder::read(self.folder.root())?.ok_or_else(|| {
            let detail = self.folder.root().display().to_string();
            Fault::new(FaultKind::Missing, "the store is gone", detail, "look who removed it")
        })?;
        Ok(Self {
            folder,
            sources: self.sources.clone(),
            ask: self.ask.clone(),
            keyring: self.keyring.clone(),
            memory: self.memory.clone(),
            expected: self.expected.clone(),
            finishes: self.finishes,
            care: self.care,
            project: OnceLock::new(),
            opened: Mutex::default(),
            wholes: Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// Its files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The keys at hand. Nobody is asked before something is to be opened.
    pub fn keyring(&self) -> &Keyring {
        self.keyring.get_or_init(|| Keyring::gather(&self.sources, self.ask.clone()))
    }

    /// Who is asked about keys.
    pub fn ask(&self) -> &Arc<dyn Ask> {
        &self.ask
    }

    /// The project's own key, which proves that a file was written by somebody of the project.
    ///
    /// # Errors
    /// The store has none, it does not open, or its file does not bear its own seal.
    pub fn project_key(&self) -> Result<&ProjectKey, Fault> {
        Ok(&self.keys()?.now)
    }

    fn keys(&self) -> Result<&Keys, Fault> {
        self.project.get_or_init(|| self.read_project_key()).as_ref().map_err(Fault::clone)
    }

    fn read_project_key(&self) -> Result<Keys, Fault> {
        let (mut file, key) = self.unproved_project()?;
        let generation = file.prove(&key)?;
        let id = key.id();
        if let Some(expected) = self.expected.as_ref().filter(|expected| **expected != id) {
            let detail = format!("it is {id}, and REMPART_PROJECT_KEY says {expected}");
            let fix = "compare the id with somebody who has the store, and set the variable to what is right";
            return Err(Fault::new(FaultKind::ProjectChanged, "the project key is another one", detail, fix)
                .within(&self.folder.root().display().to_string()));
        }
        let unknown = match &self.memory {
            Some(memory) => {
                // Who names the key need not be asked about it.
                if self.expected.is_some() && memory.is_right_key(&id).is_err() {
                    memory.take_key(&id)?;
                }
                memory.check_key(&id)?.then_some("is used here for the first time")
            }
            None => Some("is used where nothing is remembered, so that each use is for the first time"),
        };
        if let Some(unknown) = unknown.filter(|_| self.expected.is_none()) {
            self.ask.show(&format!(
                "{} {unknown}; its project key is {id}: compare it with somebody who has the store",
                self.folder.root().display(),
            ));
        }
        self.saw(PROJECT, generation)?;
        let of_before = |path: &KeyPath| path.parts().first().is_some_and(|first| first == PREVIOUS_KEYS);
        let before = file.paths().into_iter().filter(of_before).map(|path| project_key(&file, &path));
        Ok(Keys { now: key, before: before.collect::<Result<_, _>>()? })
    }

    /// The keys of before, which stand there as long as a `rekey` is not finished.
    ///
    /// # Errors
    /// As with [`Opening::project_key`].
    pub fn previous_keys(&self) -> Result<&[ProjectKey], Fault> {
        Ok(&self.keys()?.before)
    }

    /// The file of the project key and the key, not proved: for a person who looks at it and takes it as it is.
    ///
    /// # Errors
    /// The store has none, or it does not open.
    pub fn unproved_project(&self) -> Result<(Unlocked, ProjectKey), Fault> {
        let Some(filed) = self.folder.project() else {
            let fix = "take it from git (`git log --all -- FILE`, `git checkout COMMIT -- FILE`); a store that never had one is \
                       begun with `rempart secrets init`";
            let detail = format!("there is no {}", self.folder.path(PROJECT).display());
            return Err(Fault::new(FaultKind::Unsealed, "the store has no project key", detail, fix));
        };
        let file = filed.locked.clone()?.open(self.keyring())?;
        let key = project_key(&file, &KeyPath::parse(PROJECT_KEY)?)
            .map_err(|fault| fault.within(&self.folder.path(PROJECT).display().to_string()))?;
        Ok((file, key))
    }

    /// A file, opened and proved.
    ///
    /// # Errors
    /// No key that fits, or the file was tampered with.
    pub fn open(&self, name: &str) -> Result<Arc<Unlocked>, Fault> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.entry(name.to_owned()).or_insert_with(|| self.open_now(name).map(Arc::new)).clone()
    }

    /// Every secret of the files that were opened so far, the longest first: what must not leave the program by another
    /// way. Made anew only when another file was opened.
    pub fn known(&self) -> Arc<Vec<Secret>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is asked for a passphrase is asked while a file is being opened: what was known before is enough then.
        let Ok(opened) = self.opened.try_lock() else { return known.1.clone() };
        let wholes = self.wholes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = opened.len() + wholes.len();
        if known.0 != count {
            let mut all: Vec<Secret> = Vec::new();
            for (name, file) in opened.iter().filter_map(|(name, file)| Some((name, file.as_ref().ok()?))) {
                let named = |path: &KeyPath| Some(file.get(path).ok()?.renamed(name_of(name, path)?));
                all.extend(file.paths().iter().filter_map(named));
            }
            all.extend(wholes.values().cloned());
            all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            *known = (count, Arc::new(all));
        }
        known.1.clone()
    }

    /// A file, opened and proved, to be changed.
    ///
    /// # Errors
    /// As with [`Opening::open`].
    pub fn open_now(&self, name: &str) -> Result<Unlocked, Fault> {
        let mut file = self.unproved(name)?;
        let generation = match file.prove(self.project_key()?) {
            Err(fault) if fault.kind == FaultKind::SealForeign => self.prove_by_previous(&mut file, fault)?,
            proved => proved?,
        };
        self.saw(name, generation)?;
        Ok(file)
    }

    fn saw(&self, name: &str, generation: u64) -> Result<(), Fault> {
        let Some(memory) = &self.memory else { return Ok(()) };
        match (self.care, memory.is_newest(name, generation)) {
            (Care::Changes, _) => memory.saw(name, generation),
            (Care::Reads, Err(fault)) if fault.kind == FaultKind::RolledBack => {
                self.ask.warn(fault.into());
                Ok(())
            }
            (_, judged) => judged,
        }
    }

    // Who has left knows a key of before: only a `rekey`, which writes the file anew, takes what it sealed.
    fn prove_by_previous(&self, file: &mut Unlocked, mut fault: Fault) -> Result<u64, Fault> {
        for key in self.previous_keys()? {
            match file.prove(key) {
                Ok(generation) if self.finishes => return Ok(generation),
                Ok(_) => {
                    fault.told.fix = Some("a `rekey` was broken off: run `rempart secrets rekey` to finish it".into())
                }
                Err(_) => {}
            }
        }
        Err(fault)
    }

    /// A file, opened and not proved: for those who look at it before they take it as it is.
    ///
    /// # Errors
    /// There is none of this name, no key that fits, or the file's own MAC is wrong.
    pub fn unproved(&self, name: &str) -> Result<Unlocked, Fault> {
        let filed = self.folder.files().iter().find(|file| file.name == name).ok_or_else(|| {
            let hint = hint(name, self.folder.files().iter().map(|file| file.name.as_str()));
            let fix = "`rempart secrets list` names all files";
            Fault::new(FaultKind::Missing, "no such file in the store", format!("`{name}`{hint}"), fix)
        })?;
        filed.locked.clone()?.open_among(self.keyring(), &self.folder.locked())
    }

    /// One secret by its name, from a proved file. A whole file of age bears no seal: it proves nothing about who wrote
    /// it, and is taken as it is.
    ///
    /// # Errors
    /// There is none, no key opens it, or its file was tampered with.
    pub fn secret(&self, name: &str) -> Result<Secret, Fault> {
        let secret = match self.folder.find(name)? {
            Spot::Key(file, path) => {
                let opened = self.open(&file)?;
                // A name that a line can hold: hosts keep it in one.
                let name = file.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
                let origin = Origin { file: name, generation: opened.generation(), version: opened.version() };
                opened.get(&path)?.with_origins(vec![origin])
            }
            Spot::Whole(file) => {
                let secret = self.keyring().open_whole(&self.folder.whole(&file)?, name)?.renamed(name);
                let mut wholes = self.wholes.lock().unwrap_or_else(PoisonError::into_inner);
                wholes.insert(file, secret.clone());
                secret
            }
        };
        Ok(secret.renamed(name))
    }
}

impl Vault for Opening {
    fn is_there(&self) -> bool {
        true
    }

    fn get(&self, name: &str) -> Result<Secret, NoSecret> {
        let unknown = || NoSecret::Unknown { known: self.folder.names(), free: is_free(&self.folder, name) };
        // The store is as good as ever where somebody mistyped a name.
        if KeyPath::parse(name).is_err() {
            return Err(unknown());
        }
        let found = self.secret(name).or_else(|fault| match fault.kind {
            FaultKind::Missing => Err(unknown()),
            kind if is_locked(kind) => Ok(Secret::locked(name, said(&fault))),
            _ => Err(NoSecret::Broken { why: said(&fault), fix: fault.told.fix.clone().unwrap_or_default() }),
        });
        found.map(|secret| match self.folder.stand_in(name) {
            Some(stand_in) => secret.with_stand_in(stand_in),
            None => secret,
        })
    }
}

fn project_key(file: &Unlocked, path: &KeyPath) -> Result<ProjectKey, Fault> {
    ProjectKey::from_secret(&file.get(path)?).ok_or_else(|| {
        let fix = "take the file from where it was written";
        Fault::new(FaultKind::Format, "the project key is none", "it is not 32 bytes in base64", fix)
    })
}

// Whether a new secret can be called so, and the name can stand in a command as it is.
fn is_free(folder: &Folder, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "/._~@+-".contains(c);
    if !name.chars().all(is_word) || name.starts_with(['-', '~']) {
        return false;
    }
    let Ok((file, path)) = folder.home(name) else { return false };
    let kept = |first: &String| first == metadata::SECTION || first == seal::KEY;
    let within = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
    let nested = |known: &String| within(known, name) || within(name, known);
    !path.parts().first().is_some_and(kept) && !folder.names_in(&file).iter().any(nested)
}

// What a key at hand would mend: the secret is there, and locked.
fn is_locked(kind: FaultKind) -> bool {
    kind.is_without_key() || matches!(kind, FaultKind::WrongPassphrase | FaultKind::Plugin | FaultKind::Identity)
}

fn said(fault: &Fault) -> String {
    let told = &fault.told;
    let place = told.place.as_ref().map(|(place, _)| format!("{place}: ")).unwrap_or_default();
    let detail = told.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{place}{}{detail}", told.summary)
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({})", self.folder.root().display())
    }
}
