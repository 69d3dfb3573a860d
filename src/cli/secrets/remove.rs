//! `rempart secrets remove`: takes a secret out of the store, after asking.

use std::sync::Arc;

use super::{OfStore, keep};
use crate::cli::change::approve;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::store::{BurnList, Spot};

/// Take a secret out of the store
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets remove db/password --yes

Where the secret is a file of age as a whole, the file is removed.
Its value stays in git's history, and with everybody who could read it: make it worthless at its source.")]
pub(in crate::cli) struct Args {
    /// Its name, such as gw/token
    #[arg(value_name = "NAME")]
    name: String,

    /// Do not ask for approval
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    let name = &args.name;
    let spot = store.folder().find(name)?;
    let path = store.folder().path(spot.file());
    let question = format!("Take {name} out of {}?", path.display());
    match &spot {
        Spot::Key(file, at) => {
            let key = store.project_key()?.clone();
            let mut opened = store.open_now(file)?;
            opened.remove(at)?;
            approve(screen, args.yes, &question)?;
            keep(&store, file, &mut opened, &key)?;
        }
        Spot::Whole(_) => {
            approve(screen, args.yes, &question)?;
            std::fs::remove_file(&path).map_err(|error| {
                let place = Place::outside(&path.display().to_string());
                Stopped::failed(Diagnostic::error("cannot remove a file").at(&place, "").because(error.to_string()))
            })?;
        }
    }
    show::say(screen, &format!("{name}: removed"));
    if BurnList::read(store.folder().root())?.open().any(|entry| entry.secret == *name) {
        show::say(
            screen,
            &format!(
                "it is to be changed still: say `rempart secrets burned --done {name}` when it is used nowhere any more"
            ),
        );
    }
    Ok(Exit::Done)
}
