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

// A file system monitor is a program that a repository's settings name; nothing here needs one.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn said(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let done = git(folder).args(arguments).output().map_err(|error| format!("git cannot be started: {error}"))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let complaint = String::from_utf8_lossy(&done.stderr);
    let line = complaint.lines().next().unwrap_or("it said nothing").trim_start_matches("fatal: ");
    Err(format!("git {}: {line}", arguments.first().unwrap_or(&"")))
}

fn told(why: String) -> Stopped {
    Stopped::usage(Diagnostic::error("git does not answer").because(why).fix("run it inside of a git repository"))
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

/// Files that are tracked and ignored: somebody added them by force.
pub(super) fn tracked_though_ignored(root: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = said(root, &["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"])?;
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
    let blobs = staged(&listed, &mut looked);
    read_blobs(root, &blobs, &mut looked).map_err(|error| {
        let why = format!("what is staged could not be read: {error}");
        Stopped::failed(Diagnostic::error("git does not answer").because(why))
    })?;
    Ok(looked)
}

// `:100644 100644 OLD NEW M`, NUL, the path, NUL.
fn staged(listed: &[u8], looked: &mut Looked) -> Vec<(String, String)> {
    let mut parts = listed.split(|byte| *byte == 0);
    let mut blobs = Vec::new();
    while let (Some(about), Some(path)) = (parts.next(), parts.next()) {
        let about = String::from_utf8_lossy(about);
        let words: Vec<&str> = about.trim_start_matches(':').split(' ').collect();
        let place = String::from_utf8_lossy(path).into_owned();
        let [_, mode, _, blob, ..] = words.as_slice() else { continue };
        let not = |why: &str, is_fault| NotLooked { place: place.clone(), why: why.into(), is_fault };
        match *mode {
            _ if blob.bytes().all(|byte| byte == b'0') => looked.not_looked.push(not("not merged yet", true)),
            "100644" | "100755" => blobs.push(((*blob).to_owned(), place)),
            "120000" => looked.not_looked.push(not("a symlink: what it names is looked at where it stands", false)),
            "160000" => looked.not_looked.push(not("a submodule: another repository", false)),
            _ => looked.not_looked.push(not("neither a file nor a folder", false)),
        }
    }
    blobs
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
    let mut content = output.take(size + 1);
    if size > walk::LARGEST {
        std::io::copy(&mut content, &mut std::io::sink())?;
        looked.findings.extend(crate::scan::scan_name(place));
        let why = walk::too_large();
        looked.not_looked.push(NotLooked { place: place.into(), why, is_fault: false });
        return Ok(());
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size + 1 {
        return Err(std::io::Error::other(format!("{place}: its content is cut short")));
    }
    bytes.pop();
    walk::judge(place, &bytes, looked);
    Ok(())
}
