//! `rempart secrets edit`: a file of the store as plain text in an editor; what was not changed keeps its ciphertext.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::set::open_or_create;
use super::{OfStore, burned, file_name, keep};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::store::{Edited, Unlocked, name_of};

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
    if !file.is_changed() {
        show::say(screen, &format!("{name} was not changed: nothing was written"));
        return Ok(Exit::Done);
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

/// The plain text on the disk, gone with the value.
struct Draft {
    folder: PathBuf,
    file: PathBuf,
}

impl Draft {
    fn of(name: &str, text: &str) -> Result<Self, Stopped> {
        let mut random = [0; 8];
        let fail =
            |why: String| Stopped::failed(Diagnostic::error("there is no private place for the text").because(why));
        getrandom::fill(&mut random).map_err(|error| fail(error.to_string()))?;
        let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = place().join(format!("rempart-{word}"));
        // Made anew and closed to others from the start: whatever stood there before is not used.
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
            .create(&folder)
            .map_err(|error| fail(format!("{}: {error}", folder.display())))?;
        let base = Path::new(name).file_name().unwrap_or_default();
        let draft = Self { file: folder.join(base), folder };
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft.file)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| fail(format!("{}: {error}", draft.file.display())))?;
        Ok(draft)
    }

    fn edit(&self) -> Result<(), Stopped> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let line = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
        let fail = |why: String| {
            let told = Diagnostic::error("the editor failed: nothing was written").because(why);
            Stopped::failed(told.fix("name one that waits, with EDITOR"))
        };
        let words = shlex::split(&line)
            .filter(|words| !words.is_empty())
            .ok_or_else(|| fail(format!("`{line}` is no command")))?;
        let status = Command::new(&words[0]).args(&words[1..]).arg(&self.file).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(fail(format!("`{}`: {status}", words[0]))),
            Err(error) => Err(fail(format!("`{}`: {error}", words[0]))),
        }
    }

    fn text(&self) -> Result<Zeroizing<String>, Stopped> {
        fs::read_to_string(&self.file).map(Zeroizing::new).map_err(|error| {
            let place = Place::outside(&self.file.display().to_string());
            Stopped::failed(
                Diagnostic::error("the edited text cannot be read").at(&place, "").because(error.to_string()),
            )
        })
    }
}

impl Drop for Draft {
    // Editors leave copies beside the file: the folder goes whole, and each file in it is overwritten first.
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if let Ok(mut file) = OpenOptions::new().write(true).open(&path) {
                let length = file.metadata().map_or(0, |about| about.len());
                let zeros = vec![0; usize::try_from(length).unwrap_or(0).min(1 << 26)];
                let _ =
                    file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&zeros)).and_then(|()| file.sync_all());
            }
        }
        let _ = fs::set_permissions(&self.folder, Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.folder);
    }
}

// In memory, where that is to be had.
fn place() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let memory = Path::new("/dev/shm").to_owned();
    [runtime, Some(memory)].into_iter().flatten().find(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
}
