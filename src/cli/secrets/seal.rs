//! `rempart secrets seal`: takes a file as it is, after a person looked at it; such as after `sops` wrote it.

use std::sync::Arc;

use super::readers::Readers;
use super::{OfStore, file_name, keep};
use crate::cli::change::approve;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Severity};
use crate::report::{self, Screen, ToSeal};
use crate::secret::ProjectKey;
use crate::store::{Fault, Opening, PROJECT, Unlocked};

/// Take a file that was written without rempart as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets seal gw            # after `sops secrets/gw.yaml`
  rempart secrets seal gw db --yes
  rempart secrets seal rempart       # the project key is another one, or its file was changed with `sops`

Who knows the recipients can write a file that SOPS finds in order. The seal proves that somebody of the project wrote it.
`sops` knows no seal: a file that it changed is refused until somebody has looked at it and seals it. The same goes for a
project key that this computer does not know the store with, and for a version that is older than one it has seen.")]
pub(in crate::cli) struct Args {
    /// Files of the store, such as gw or prod/gw.yaml
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,

    /// Do not ask for approval
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    let mut names: Vec<String> = args.files.iter().map(|file| file_name(file)).collect();
    names.sort();
    names.dedup();
    // The others are sealed with the key that is taken along.
    let (of_project, key) = if names.iter().any(|name| name == PROJECT) {
        let (file, key) = store.unproved_project()?;
        (Some(file), key)
    } else {
        (None, store.project_key()?.clone())
    };
    let mut of_project = of_project;
    let mut files = Vec::new();
    for name in names {
        let mut file = match of_project.take_if(|_| name == PROJECT) {
            Some(file) => file,
            None => store.unproved(&name)?,
        };
        match faults(&store, &name, &mut file, &key) {
            faults if faults.is_empty() => show::say(screen, &format!("{name} is sealed already")),
            faults => {
                let warn = |fault: Fault| Diagnostic { severity: Severity::Warning, ..fault.into() };
                show::diagnostics(screen, &faults.into_iter().map(warn).collect::<Vec<_>>());
                screen.tell(&report::to_seal(&shown(&store, &name, &file, &key)?, &screen.err_paint()));
                files.push((name, file));
            }
        }
    }
    if files.is_empty() {
        return Ok(Exit::Done);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    approve(screen, args.yes, &format!("Take {} as it is?", names.join(", ")))?;
    // What was seen of files with another key counts no more, so that comes first.
    files.sort_by_key(|(name, _)| name != PROJECT);
    for (name, file) in &mut files {
        if let Some(memory) = store.memory() {
            if name == PROJECT {
                memory.take_key(&key.id())?;
            }
            file.outdo(memory.generation(name));
        }
        file.trust();
        keep(&store, name, file, &key)?;
        show::say(screen, &format!("{name}: sealed"));
    }
    Ok(Exit::Done)
}

// Why it is not taken as it is.
fn faults(store: &Opening, name: &str, file: &mut Unlocked, key: &ProjectKey) -> Vec<Fault> {
    let mut faults: Vec<Fault> = file.prove(key).err().into_iter().collect();
    if let Some(memory) = store.memory() {
        let known = memory.is_right_key(&key.id());
        // Generations under another key count for nothing.
        let older = memory.is_newest(name, file.generation()).err().filter(|_| known.is_ok());
        faults.extend(older);
        faults.extend(known.err().filter(|_| name == PROJECT));
    }
    faults
}

// What a person must see of it: what is in it, and who can read it.
fn shown(store: &Opening, name: &str, file: &Unlocked, key: &ProjectKey) -> Result<ToSeal, Stopped> {
    let filed = store.folder().files().iter().find(|filed| filed.name == name);
    let locked = filed.map(|filed| filed.locked.clone()).transpose()?;
    Ok(ToSeal {
        name: name.to_owned(),
        secrets: file.paths().iter().map(ToString::to_string).collect(),
        key: (name == PROJECT).then(|| key.id()),
        plain: locked.iter().flat_map(|locked| locked.plain_paths()).map(|path| path.to_string()).collect(),
        readers: match locked {
            Some(locked) => Readers::of(store, &locked)?.marked(),
            None => Vec::new(),
        },
    })
}
