//! `rempart secrets list`: what is in the store and who may read it; needs no key.

use std::sync::Arc;

use super::OfStore;
use crate::cli::{Ended, show};
use crate::model::Exit;
use crate::report::{self, Screen, StoredFile};
use crate::store::{Folder, PROJECT, whole_name};

/// List the secrets, their files and who may read them; no value is shown, and no key is needed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets list
  rempart secrets list --recipients
  rempart secrets list --json")]
pub(in crate::cli) struct Args {
    /// Show the recipients of each file
    #[arg(long)]
    recipients: bool,

    #[command(flatten)]
    store: OfStore,

    /// Print it as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let store = args.store.open(screen)?;
    let (files, faults) = files(store.folder());
    if args.json {
        show::json(screen, &report::stored_json(&files));
    } else {
        screen.print(&report::stored(&files, args.recipients, &screen.out_paint()));
    }
    for one in store.folder().strangers() {
        show::say(screen, &format!("note: {} is not looked at: {}", one.name, one.why));
    }
    show::diagnostics(screen, &faults);
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Failed })
}

// What is to be said of each file, and what keeps a file from being read at all.
fn files(folder: &Folder) -> (Vec<StoredFile>, Vec<crate::model::Diagnostic>) {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for filed in folder.files() {
        match &filed.locked {
            Ok(locked) => files.push(StoredFile {
                name: filed.name.clone(),
                secrets: if filed.name == PROJECT { Vec::new() } else { folder.names_in(&filed.name) },
                of_project: filed.name == PROJECT,
                recipients: locked.recipients().into_iter().map(str::to_owned).collect(),
                others: locked.other_recipients().to_vec(),
                written: locked.last_modified().to_owned(),
                sealed: locked.has_seal(),
            }),
            Err(fault) => faults.push(fault.clone().into()),
        }
    }
    for name in folder.wholes() {
        files.push(StoredFile {
            name: name.clone(),
            secrets: vec![whole_name(name).to_owned()],
            of_project: false,
            // A file of age does not say for whom it is.
            recipients: Vec::new(),
            others: Vec::new(),
            written: String::new(),
            sealed: false,
        });
    }
    (files, faults)
}
