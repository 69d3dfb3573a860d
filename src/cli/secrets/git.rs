//! Owns asking git: what it tracks, what is staged, and where its hooks are. A hook's own variables (`GIT_INDEX_FILE`)
//! are passed on, so that a commit of some files is judged by the index that it is made of.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::scan::Looked;
use super::walk;
use crate::cli::Stopped;
use crate::model::Diagnostic;
use crate::scan::NotLooked;

const NOT_STARTED: &str = "git cannot be started";

// A file system monitor is a program that a repository's settings name; nothing here needs one.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn said(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    answer(git(folder), arguments)
}

fn answer(mut git: Command, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let done = git.args(arguments).output().map_err(|error| format!("{NOT_STARTED}: {error}"))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(format!("git {}: {}", arguments.first().unwrap_or(&""), complaint(&done.stderr)))
}

// What git says before it gives up; hints and warnings stand before that.
fn complaint(stderr: &[u8]) -> String {
    let told = String::from_utf8_lossy(stderr);
    let mut lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or("it said nothing");
    let last_word = lines.find(|line| line.starts_with("fatal: ") || line.starts_with("error: ")).unwrap_or(first);
    last_word.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned()
}

fn told(why: String) -> Stopped {
    let diagnostic = Diagnostic::error("git does not answer").because(why.clone());
    if why.contains("not a git repository") || why.contains("must be run in a work tree") {
        return Stopped::usage(diagnostic.fix("run it inside of a git repository, with its files"));
    }
    Stopped::failed(match why {
        why if why.starts_with(NOT_STARTED) => diagnostic.fix("install git, or mend PATH"),
        why if why.contains("dubious ownership") => diagnostic
            .fix("if you trust it: git config --global --add safe.directory FOLDER; else run it as the folder's owner"),
        _ => diagnostic.fix("see what `git status` says here"),
    })
}

fn path_of(mut bytes: Vec<u8>) -> PathBuf {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The root of the working tree.
pub(super) fn top() -> Result<PathBuf, Stopped> {
    said(Path::new("."), &["rev-parse", "--show-toplevel"]).map(path_of).map_err(told)
}

/// Where hooks stand, as `core.hooksPath` and worktrees have it, and whether the former says so.
pub(super) fn hooks() -> Result<(PathBuf, bool), Stopped> {
    // A relative `core.hooksPath` begins where hooks are run.
    let top = top()?;
    let folder = said(&top, &["rev-parse", "--git-path", "hooks"]).map(path_of).map_err(told)?;
    let named = said(&top, &["config", "--get", "core.hooksPath"]).is_ok();
    Ok((top.join(folder), named))
}

/// Files that are tracked and ignored: somebody added them by force. `is_inner` says that the repository lies in another
/// one, which is the one that the variables of a hook speak of.
pub(super) fn tracked_though_ignored(root: &Path, is_inner: bool) -> Result<Vec<PathBuf>, String> {
    let mut git = git(root);
    if is_inner {
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
            git.env_remove(name);
        }
    }
    let listed = answer(git, &["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"])?;
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec()))).collect())
}

/// A file as the index has it; `None` where it has none.
pub(super) fn staged_file(root: &Path, name: &str) -> Option<String> {
    let bytes = said(root, &["show", &format!(":{name}")]).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Looks at what is staged: the contents of the index, not those of the working tree.
pub(super) fn look_at_staged(root: &Path) -> Result<Looked, Stopped> {
    let flags = ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=d"];
    let listed = said(root, &flags).map_err(told)?;
    let mut looked = Looked::default();
    let blobs = staged(&listed, &mut looked).map_err(told)?;
    read_blobs(root, &blobs, &mut looked).map_err(|error| {
        let why = format!("what is staged could not be read: {error}");
        Stopped::failed(Diagnostic::error("git does not answer").because(why))
    })?;
    Ok(looked)
}

// `:100644 100644 OLD NEW M`, NUL, the path, NUL.
fn staged(listed: &[u8], looked: &mut Looked) -> Result<Vec<(String, String)>, String> {
    let mut parts = listed.split(|byte| *byte == 0);
    let mut blobs = Vec::new();
    while let (Some(about), Some(path)) = (parts.next(), parts.next()) {
        let about = String::from_utf8_lossy(about);
        let words: Vec<&str> = about.trim_start_matches(':').split(' ').collect();
        let place = String::from_utf8_lossy(path).into_owned();
        // Passed over, a file would count as looked at.
        let [_, mode, _, blob, _] = words.as_slice() else {
            return Err(format!("git diff: not understood: {}", String::from_utf8_lossy(path)));
        };
        let harmless = |why| NotLooked::harmless(place.clone(), why);
        match *mode {
            _ if blob.bytes().all(|byte| byte == b'0') => {
                looked.not_looked.push(NotLooked::fault(place, "not merged yet"));
            }
            "100644" | "100755" => blobs.push(((*blob).to_owned(), place)),
            "120000" => looked.not_looked.push(harmless(walk::SYMLINK)),
            "160000" => looked.not_looked.push(harmless("a submodule: another repository")),
            mode => looked.not_looked.push(NotLooked::fault(place, format!("git calls it {mode}, which is not known"))),
        }
    }
    Ok(blobs)
}

fn read_blobs(root: &Path, blobs: &[(String, String)], looked: &mut Looked) -> std::io::Result<()> {
    if blobs.is_empty() {
        return Ok(());
    }
    let mut child = git(root).args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("git has no streams"));
    };
    let asked: String = blobs.iter().map(|(blob, _)| format!("{blob}\n")).collect();
    let read = std::thread::scope(|scope| {
        // Both at once: git answers before it has read everything.
        scope.spawn(move || {
            let _ = input.write_all(asked.as_bytes());
        });
        let mut output = BufReader::new(output);
        blobs.iter().try_for_each(|(_, place)| read_blob(place, &mut output, looked))
    });
    let _ = child.kill();
    child.wait()?;
    read
}

// `BLOB blob SIZE`, the content, and a line end.
fn read_blob(place: &str, output: &mut impl BufRead, looked: &mut Looked) -> std::io::Result<()> {
    let mut head = String::new();
    output.read_line(&mut head)?;
    let size = head.trim_end().rsplit_once(" blob ").and_then(|(_, size)| size.parse::<u64>().ok());
    let Some(size) = size else { return Err(std::io::Error::other(format!("{place}: no content"))) };
    let mut content = output.take(size);
    let mut bytes = Vec::new();
    content.by_ref().take(walk::LARGEST).read_to_end(&mut bytes)?;
    let rest = std::io::copy(&mut content, &mut std::io::sink())?;
    let mut end = [0];
    output.read_exact(&mut end)?;
    if bytes.len() as u64 + rest != size || end != *b"\n" {
        return Err(std::io::Error::other(format!("{place}: its content is cut short")));
    }
    walk::judge(place, &bytes, rest > 0, looked);
    Ok(())
}
