//! `rempart secrets edit`: a file of the store as plain text in an editor; what was not changed keeps its ciphertext.

use std::sync::Arc;

use super::draft::Draft;
use super::set::open_or_create;
use super::{OfStore, burned, file_name, keep, stands};
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
    let (mut store, _held) = args.store.open_to_write(screen)?;
    let name = file_name(&args.file);
    if name == PROJECT {
        let told = Diagnostic::error("a file that is kept for the store itself")
            .because(format!("{name} holds the project key"));
        return Err(told.fix("leave it as it is: `rempart secrets rekey` gives it to other readers").into());
    }
    let mut file = open_or_create(&store, &name)?;
    let draft = Draft::of(&name, &file.plain_text()?)?;
    let edited = loop {
        let edited = until_taken(&mut file, &draft, screen)?;
        if !file.is_changed() || stands(&store, &name) {
            break edited;
        }
        begin_anew(&draft, screen)?;
        store = store.fresh()?;
        file = open_or_create(&store, &name)?;
        draft.renew(&file.plain_text()?)?;
    };
    let is_new = !store.folder().files().iter().any(|known| known.name == name);
    let key = store.project_key()?.clone();
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

fn until_taken(file: &mut Unlocked, draft: &Draft, screen: &Arc<Screen>) -> Result<Edited, Stopped> {
    loop {
        draft.edit()?;
        match taken(file, draft) {
            Ok(edited) => return Ok(edited),
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
    }
}

fn taken(file: &mut Unlocked, draft: &Draft) -> Result<Edited, Stopped> {
    Ok(file.take_plain_text(&draft.text()?)?)
}

// Somebody else's secret would be lost, and what was written here stays nowhere but where it is in memory.
fn begin_anew(draft: &Draft, screen: &Arc<Screen>) -> Result<(), Stopped> {
    let own = draft.own().display().to_string();
    let question = format!(
        "The file was changed meanwhile, by git perhaps. Edit its newest version? What you wrote is beside it, until \
         you are done: {own}"
    );
    if matches!(screen.ask(&question), Ok(true)) {
        return Ok(());
    }
    let told = Diagnostic::error("the file was changed meanwhile: nothing was written");
    let told = told.because(
        "the file, or that of the project key, is not what it was when the editor began; what you wrote is gone",
    );
    Err(Stopped::refused(told.fix("edit it again: its newest version is opened")))
}
