//! `rempart secrets edit`: a file of the store as plain text in an editor; what was not changed keeps its ciphertext.

use std::sync::Arc;

use super::draft::Draft;
use super::set::open_or_create;
use super::{OfStore, burned, file_name, keep};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit};
use crate::report::Screen;
use crate::store::{Edited, PROJECT, Unlocked, name_of};

/// Open a file of the store in $VISUAL or $EDITOR
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets edit gw
  EDITOR='code --wait' rempart secrets edit prod/db.yaml

The plain text lies in a folder of your own that nobody else can enter, in memory where the system has such a place, and is
overwritten and removed when the editor ends. Text that cannot be taken is not lost: it is opened again.")]
pub(in crate::cli) struct Args {
    /// The file, such as gw or prod/gw.yaml; a new one is made by its rule
    #[arg(value_name = "FILE")]
    file: String,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    let name = file_name(&args.file);
    if name == PROJECT {
        let told = Diagnostic::error("a file that is kept for the store itself")
            .because(format!("{name} holds the project key"));
        return Err(told.fix("leave it as it is: `rempart secrets rekey` gives it to other readers").into());
    }
    let is_new = !store.folder().files().iter().any(|known| known.name == name);
    let key = store.project_key()?.clone();
    let mut file = open_or_create(&store, &name)?;
    let draft = Draft::of(&name, &file.plain_text()?)?;
    let edited = loop {
        draft.edit()?;
        match taken(&mut file, &draft) {
            Ok(edited) => break edited,
            Err(stopped) => {
                show::diagnostics(screen, &stopped.diagnostics);
                match screen
                    .ask("Edit it again? Otherwise what you wrote is thrown away, and the file stays as it was.")
                {
                    Ok(true) => {}
                    _ => return Err(Stopped::refused(Diagnostic::error("nothing was written"))),
                }
            }
        }
    };
    if is_new && edited.added.is_empty() {
        show::say(screen, &format!("{name} would hold no secret: nothing was written"));
        return Ok(Exit::Done);
    }
    if !file.is_changed() {
        show::say(screen, &format!("{name} was not changed: nothing was written"));
        return Ok(Exit::Done);
    }
    // So does an editor that failed to save.
    if file.paths().is_empty() && !edited.removed.is_empty() {
        let question = format!("{name} holds no secret any more, and held {}. Write it so?", edited.removed.len());
        if !matches!(screen.ask(&question), Ok(true)) {
            let told = Diagnostic::error("nothing was written").because(format!("{name} would lose all its secrets"));
            return Err(Stopped::refused(told.fix("confirm it at a terminal, or remove the file with git")));
        }
    }
    keep(&store, &name, &mut file, &key)?;
    let names = |paths: &[crate::store::KeyPath]| -> Vec<String> {
        paths.iter().filter_map(|path| name_of(&name, path)).collect()
    };
    burned::set_anew(&store, &names(&edited.changed))?;
    for (what, paths) in [("new", &edited.added), ("changed", &edited.changed), ("removed", &edited.removed)] {
        for secret in names(paths) {
            show::say(screen, &format!("{secret}: {what}"));
        }
    }
    show::say(screen, &format!("{} was written", store.folder().path(&name).display()));
    Ok(Exit::Done)
}

fn taken(file: &mut Unlocked, draft: &Draft) -> Result<Edited, Stopped> {
    Ok(file.take_plain_text(&draft.text()?)?)
}
