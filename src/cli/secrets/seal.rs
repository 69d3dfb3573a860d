//! `rempart secrets seal`: takes a file as it is, after a person looked at it; such as after `sops` wrote it.

use std::sync::Arc;

use super::{OfStore, file_name, keep};
use crate::cli::change::approve;
use crate::cli::{Ended, show};
use crate::model::{Diagnostic, Exit};
use crate::report::Screen;

/// Take a file that was written without rempart as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets seal gw            # after `sops secrets/gw.yaml`
  rempart secrets seal gw db --yes

Who knows the recipients can write a file that SOPS finds in order. The seal proves that somebody of the project wrote it.
`sops` knows no seal: a file that it changed is refused until somebody has looked at it and seals it.")]
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
    let key = store.project_key()?.clone();
    let mut files = Vec::new();
    for name in args.files.iter().map(|file| file_name(file)) {
        let mut file = store.unproved(&name)?;
        match file.prove(&key) {
            Ok(_) => show::say(screen, &format!("{name} is sealed already")),
            Err(fault) => {
                let told: Diagnostic = fault.into();
                show::diagnostics(screen, &[Diagnostic { severity: crate::model::Severity::Warning, ..told }]);
                let names: Vec<String> = file.paths().iter().map(ToString::to_string).collect();
                show::say(screen, &format!("{name} holds {}", names.join(", ")));
                files.push((name, file));
            }
        }
    }
    if files.is_empty() {
        return Ok(Exit::Done);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    approve(screen, args.yes, &format!("Take {} as it is?", names.join(", ")))?;
    for (name, file) in &mut files {
        file.trust();
        keep(&store, name, file, &key)?;
        show::say(screen, &format!("{name}: sealed"));
    }
    Ok(Exit::Done)
}
