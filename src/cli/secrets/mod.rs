//! `rempart secrets`: the store of secrets, and the scanner for those that are in none; one file a verb. What is read
//! here is shown by `get` alone.

mod burned;
mod check;
mod draft;
mod edit;
mod fingerprints;
mod get;
mod git;
mod hook;
mod init;
mod leavers;
mod list;
mod on_hosts;
mod past;
mod person;
mod readers;
mod recipients;
mod rekey;
mod remembered;
mod remove;
mod scan;
mod seal;
mod set;
mod walk;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use super::history::state_folder;
use super::{Ended, Stopped};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::secret::ProjectKey;
use crate::store::{
    BurnList, Care, Fault, FaultKind, Filed, Opening, PROJECT, Prints, Rule, Rules, Sources, Unlocked, save,
};

pub(super) use person::Person;

/// Keep secrets encrypted beside the playbooks, as SOPS does, for whoever may read them
///
/// `gw/token` is the key `token` of the file gw.yaml in the folder of the store, or the file gw/token.age. Templates and
/// variables read it as {{ secret("gw/token") }}. docs/secrets.md has the whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets init
  rempart secrets set gw/token --generate 32
  rempart secrets list
  rempart secrets edit gw
  rempart secrets recipients
  rempart secrets rekey
  rempart secrets check
  rempart secrets scan")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(init::Args),
    Set(set::Args),
    Get(get::Args),
    Edit(edit::Args),
    List(list::Args),
    Recipients(recipients::Args),
    Remove(remove::Args),
    Rekey(rekey::Args),
    Burned(burned::Args),
    Fingerprints(Box<fingerprints::Args>),
    Seal(seal::Args),
    Check(check::Args),
    Scan(Box<scan::Args>),
}

impl Args {
    /// Whether it looks at this computer alone, so that nothing that is said of connections matters.
    pub(super) fn stays_here(&self) -> bool {
        match &self.verb {
            Verb::Scan(args) => args.stays_here(),
            // Where the store is may stand in the project.
            _ => false,
        }
    }
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    match &args.verb {
        Verb::Init(args) => init::run(args, screen),
        Verb::Set(args) => set::run(args, screen),
        Verb::Get(args) => get::run(args, screen),
        Verb::Edit(args) => edit::run(args, screen),
        Verb::List(args) => list::run(args, screen),
        Verb::Recipients(args) => recipients::run(args, screen),
        Verb::Remove(args) => remove::run(args, screen),
        Verb::Rekey(args) => rekey::run(args, screen),
        Verb::Burned(args) => burned::run(args, screen),
        Verb::Fingerprints(args) => fingerprints::run(args, screen),
        Verb::Seal(args) => seal::run(args, screen),
        Verb::Check(args) => check::run(args, screen),
        Verb::Scan(args) => scan::run(args, screen),
    }
}

/// Where the store is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OfStore {
    /// The folder of the store of secrets
    #[arg(long, value_name = "FOLDER", env = "REMPART_SECRETS", default_value = "secrets", help_heading = "Secrets")]
    pub secrets: PathBuf,
}

impl Default for OfStore {
    fn default() -> Self {
        Self { secrets: "secrets".into() }
    }
}

impl OfStore {
    /// The store, if there is one. Its keys are looked for when something is to be opened, and no sooner.
    pub fn find(&self, screen: &Arc<Screen>) -> Result<Option<Opening>, Stopped> {
        let person = Arc::new(Person::new(screen.clone()));
        let store = Opening::find(&self.secrets, Sources::from_env(), person).map_err(stopped)?;
        let store = match store {
            Some(store) => Some(store.expecting(named_key()?)),
            None => None,
        };
        // Where this computer keeps nothing at all, nothing can be remembered either.
        Ok(store.map(|store| match state_folder() {
            Ok(state) => store.remembering(&state),
            Err(_) => store,
        }))
    }

    /// The store.
    pub fn open(&self, screen: &Arc<Screen>) -> Result<Opening, Stopped> {
        self.find(screen)?.ok_or_else(|| {
            let told = Diagnostic::error("there is no secret store");
            let place = Place::outside(&self.secrets.display().to_string());
            Stopped::from(told.at(&place, "no such folder").fix("make one with `rempart secrets init`"))
        })
    }

    /// The fingerprints of what holds secrets, for a machine that has the key for those alone.
    pub fn prints(&self, key: &Path) -> Result<Prints, Stopped> {
        fingerprints::read(&self.secrets, key)
    }

    /// The store, if there is one, for those who give its secrets to hosts.
    pub fn find_to_change(&self, screen: &Arc<Screen>) -> Result<Option<Opening>, Stopped> {
        Ok(self.find(screen)?.map(|store| store.with_care(Care::Changes)))
    }

    /// The store, to be written: read when no other rempart writes any more, and none does until the second value is dropped.
    pub fn open_to_write(&self, screen: &Arc<Screen>) -> Result<(Opening, File), Stopped> {
        // Where there is no folder, that is told as everywhere.
        self.open(screen)?;
        let held = self.hold()?;
        let store = self.open(screen)?.with_care(Care::Changes);
        // A secret that is written and cannot be taken off the list afterwards would stay on it.
        BurnList::read(store.folder().root())?;
        Ok((store, held))
    }

    // Keeps other rempart processes from writing into the folder, until the value is dropped.
    fn hold(&self) -> Result<File, Stopped> {
        let place = Place::outside(&self.secrets.display().to_string());
        let fail =
            |why: String| Stopped::failed(Diagnostic::error("the store cannot be written").at(&place, "").because(why));
        let folder = File::open(&self.secrets).map_err(|error| fail(error.to_string()))?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(folder),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(fail("another rempart is writing into it: try again".into())),
            // Some network file systems know no locks; what one person does is safe there, too.
            Err(_) => Ok(folder),
        }
    }
}

// The id of the project key that somebody names. Where a variable of CI is missing it is often empty, and no key at all would
// be expected then.
fn named_key() -> Result<Option<String>, Stopped> {
    let Some(named) = std::env::var_os("REMPART_PROJECT_KEY") else { return Ok(None) };
    match named.to_str().map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => Ok(Some(id.to_owned())),
        None => {
            let told = Diagnostic::error("REMPART_PROJECT_KEY names no project key").because("it is set, and empty");
            Err(Stopped::usage(told.fix("set it to the id that `rempart secrets check` shows, or unset it")))
        }
    }
}

/// What went wrong with the store, as a reason to stop.
pub(super) fn stopped(fault: Fault) -> Stopped {
    let exit = match fault.kind {
        FaultKind::NoKey
        | FaultKind::WrongKey
        | FaultKind::NoPassphrase
        | FaultKind::WrongPassphrase
        | FaultKind::Plugin
        | FaultKind::Identity
        | FaultKind::Write => Exit::Failed,
        FaultKind::Missing | FaultKind::Format | FaultKind::Unsupported | FaultKind::Recipient => Exit::BadInput,
        _ => Exit::Refused,
    };
    Stopped { exit, diagnostics: vec![fault.into()] }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        stopped(fault)
    }
}

/// For whom a file is to be encrypted.
fn rule_of(path: &Path) -> Result<Rule, Stopped> {
    let rules = Rules::find(path)?.ok_or_else(|| {
        let told = Diagnostic::error("nobody says who may read the store").because("there is no .sops.yaml above it");
        Stopped::from(told.fix("`rempart secrets init` writes one; its creation_rules name the recipients"))
    })?;
    Ok(rules.for_file(path)?)
}

/// Writes a file of the store, sealed.
fn keep(store: &Opening, name: &str, file: &mut Unlocked, key: &ProjectKey) -> Result<(), Stopped> {
    let text = file.write(key)?;
    put(store, name, &text, file.generation())
}

/// Whether the file and the project key lie on the disk as they were read: git knows no lock, and a person takes time.
fn stands(store: &Opening, name: &str) -> bool {
    [name, PROJECT].into_iter().all(|name| {
        let read = store.folder().files().iter().find(|filed| filed.name == name);
        let path = store.folder().path(name);
        match read {
            Some(Filed { locked: Ok(locked), .. }) => locked.is_at(&path),
            // Nothing of it was read, so nothing is written over.
            Some(_) => true,
            None => path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound),
        }
    })
}

/// Puts the text of a file of the store onto the disk, and remembers that it is the newest.
fn put(store: &Opening, name: &str, text: &str, generation: u64) -> Result<(), Stopped> {
    let path = store.folder().path(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            let place = Place::outside(&folder.display().to_string());
            Stopped::failed(Diagnostic::error("cannot make a folder").at(&place, "").because(error.to_string()))
        })?;
    }
    save(&path, text)?;
    match store.memory() {
        Some(memory) => Ok(memory.saw(name, generation)?),
        None => Ok(()),
    }
}

/// The name of a file of the store as people write it: `gw` and `gw.yaml` are the same.
fn file_name(text: &str) -> String {
    let text = text.trim_end_matches('/');
    if text.ends_with(".yaml") || text.ends_with(".yml") { text.to_owned() } else { format!("{text}.yaml") }
}
