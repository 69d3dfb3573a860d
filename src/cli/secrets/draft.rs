//! Owns the plain text of a file on the disk while a person edits it: made where nobody else can enter, overwritten and removed
//! however the program ends, but for SIGKILL.
//!
//! Must not know what the text means.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};
use zeroize::Zeroizing;

use crate::cli::{Stopped, project};
use crate::model::{Diagnostic, Place};

/// How long an editor may take to end once rempart is told to.
const LEAVE: Duration = Duration::from_secs(1);
/// How often is looked whether the editor ended.
const LOOK: Duration = Duration::from_millis(50);

/// The plain text on the disk, gone with the value.
pub(super) struct Draft {
    file: PathBuf,
    desk: Arc<Desk>,
    // What hears signals; it ends with the value.
    _runtime: tokio::runtime::Runtime,
}

// What a signal has to know.
struct Desk {
    folder: PathBuf,
    editor: Mutex<Option<Child>>,
}

impl Draft {
    /// Puts the text there.
    pub fn of(name: &str, text: &str) -> Result<Self, Stopped> {
        let mut random = [0; 8];
        let fail =
            |why: String| Stopped::failed(Diagnostic::error("there is no private place for the text").because(why));
        getrandom::fill(&mut random).map_err(|error| fail(error.to_string()))?;
        let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = place().join(format!("rempart-{word}"));
        // Before there is anything to clean up.
        let runtime = project::runtime()?;
        let desk = Arc::new(Desk { folder, editor: Mutex::default() });
        watch(&runtime, &desk).map_err(|error| fail(error.to_string()))?;
        let folder = &desk.folder;
        // A signal waits until all is there, so that nothing comes after the cleaning.
        let making = desk.editor();
        // Made anew and closed to others from the start: whatever stood there before is not used.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(|error| fail(format!("{}: {error}", folder.display())))?;
        let file = folder.join(Path::new(name).file_name().unwrap_or_default());
        let written = write_new(&file, text);
        drop(making);
        let draft = Self { file, desk, _runtime: runtime };
        written.map_err(|error| fail(format!("{}: {error}", draft.file.display())))?;
        Ok(draft)
    }

    /// Where what the person wrote is kept once there is another text.
    pub fn own(&self) -> PathBuf {
        let mut name = std::ffi::OsString::from("yours-");
        name.push(self.file.file_name().unwrap_or_default());
        self.file.with_file_name(name)
    }

    /// Puts another text in its place; what the person wrote stands beside it then.
    pub fn renew(&self, text: &str) -> Result<(), Stopped> {
        let _making = self.desk.editor();
        fs::rename(&self.file, self.own()).and_then(|()| write_new(&self.file, text)).map_err(|error| {
            let place = Place::outside(&self.file.display().to_string());
            let told = Diagnostic::error("the newest text cannot be put there").at(&place, "");
            Stopped::failed(told.because(error.to_string()))
        })
    }

    /// Has the person's editor open it, and waits for its end.
    pub fn edit(&self) -> Result<(), Stopped> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let line = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
        let failed = |why: String, fix: &str| {
            let told = Diagnostic::error("the editor failed: nothing was written").because(why);
            Stopped::failed(told.fix(fix.to_owned()))
        };
        let fail = |why: String| failed(why, "name an editor that is there, with EDITOR");
        let words = shlex::split(&line)
            .filter(|words| !words.is_empty())
            .ok_or_else(|| fail(format!("`{line}` is no command")))?;
        let quiet = quiet(&words[0]);
        match self.attended(Command::new(&words[0]).args(quiet).args(&words[1..]).arg(&self.file)) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) if status.signal().is_some() => {
                let told = Diagnostic::error("the editor was broken off: nothing was written");
                Err(Stopped::failed(told.because(format!("`{}`: {status}", words[0]))))
            }
            Ok(status) => {
                let fix = "edit it again; an editor that ends so gives up what was written (`:cq` in vim)";
                Err(failed(format!("`{}`: {status}", words[0]), fix))
            }
            Err(error) => Err(fail(format!("`{}`: {error}", words[0]))),
        }
    }

    // Whoever waits in the kernel holds the editor, and a signal could not end it: so it is looked at.
    fn attended(&self, command: &mut Command) -> std::io::Result<ExitStatus> {
        // Held while it is started: a signal in between would find nobody to end.
        let mut editor = self.desk.editor();
        *editor = Some(command.spawn()?);
        drop(editor);
        loop {
            let mut editor = self.desk.editor();
            let ended = editor.as_mut().map_or_else(|| Err(std::io::ErrorKind::NotFound.into()), Child::try_wait);
            if let Some(ended) = ended.transpose() {
                *editor = None;
                return ended;
            }
            drop(editor);
            std::thread::sleep(LOOK);
        }
    }

    /// What stands there now.
    pub fn text(&self) -> Result<Zeroizing<String>, Stopped> {
        fs::read_to_string(&self.file).map(Zeroizing::new).map_err(|error| {
            let place = Place::outside(&self.file.display().to_string());
            Stopped::failed(
                Diagnostic::error("the edited text cannot be read").at(&place, "").because(error.to_string()),
            )
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        shred(&self.desk.folder);
    }
}

impl Desk {
    fn editor(&self) -> MutexGuard<'_, Option<Child>> {
        self.editor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The editor goes first, so that it writes nothing anew.
    fn leave(&self, signal: SignalKind) -> ! {
        let mut editor = self.editor();
        if let Some(child) = editor.as_mut() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
            let latest = Instant::now() + LEAVE;
            while matches!(child.try_wait(), Ok(None)) {
                if Instant::now() >= latest {
                    let _ = child.kill();
                    let _ = child.wait();
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
        shred(&self.folder);
        std::process::exit(128 + signal.as_raw_value());
    }
}

/// What keeps vim and its like from writing the text elsewhere: no swap file, nothing remembered, no undo file, no copy.
const QUIET: [&str; 5] = ["-n", "-i", "NONE", "-c", "set noundofile nobackup nowritebackup"];

// What an editor is told beside what the person says; `vi` may be a link to one of many.
fn quiet(command: &str) -> &'static [&'static str] {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = match command.contains('/') {
        true => Some(PathBuf::from(command)),
        false => std::env::split_paths(&path).map(|folder| folder.join(command)).find(|path| path.is_file()),
    };
    let is_vim = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ["vim", "nvim"].contains(&name.as_ref()) || name.starts_with("vim.")
    };
    let Some(found) = found else { return &[] };
    if is_vim(&found) || fs::canonicalize(&found).is_ok_and(|end| is_vim(&end)) { &QUIET } else { &[] }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
}

// What the terminal sends to all of its programs is the editor's while one runs: many of them take ^C as a word of their own.
fn watch(runtime: &tokio::runtime::Runtime, desk: &Arc<Desk>) -> std::io::Result<()> {
    let _inside = runtime.enter();
    let (interrupt, quit) = (SignalKind::interrupt(), SignalKind::quit());
    for kind in [SignalKind::terminate(), SignalKind::hangup(), interrupt, quit] {
        let mut arrivals: Arrivals = signal(kind)?;
        let desk = desk.clone();
        runtime.spawn(async move {
            while arrivals.recv().await.is_some() {
                if !([interrupt, quit].contains(&kind) && desk.editor().is_some()) {
                    desk.leave(kind);
                }
            }
        });
    }
    Ok(())
}

// Editors leave copies beside the file: the folder goes whole, and each file in it is overwritten first. What they leave that
// leads elsewhere, a link of either sort, is taken away and not followed.
fn shred(folder: &Path) {
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_dir() => shred(&path),
            Ok(about) if about.is_file() && about.nlink() == 1 => {
                let _ = fs::set_permissions(&path, Permissions::from_mode(0o600));
                let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
                let file = OpenOptions::new().write(true).custom_flags(flags).open(&path);
                let _ = file.and_then(|file| overwrite(file, about.len()));
                let _ = fs::remove_file(&path);
            }
            _ => drop(fs::remove_file(&path)),
        }
    }
    let _ = fs::remove_dir_all(folder);
}

fn overwrite(mut file: File, length: u64) -> std::io::Result<()> {
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), length), &mut file)?;
    file.sync_all()
}

// In memory, where that is to be had.
fn place() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let memory = Path::new("/dev/shm").to_owned();
    [runtime, Some(memory)].into_iter().flatten().find(|path| path.is_dir()).unwrap_or_else(std::env::temp_dir)
}
