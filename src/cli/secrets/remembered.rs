//! Owns asking git for what it remembers: which files were touched, by which commit, and what was in them.
//!
//! Only commands whose output no setting of the user changes are used. Nothing is fetched over the network.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The largest content that is read, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Variables that make git read the names of files in another way.
const OF_NAMES: [&str; 4] =
    ["GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"];

/// The repository that a folder is in.
pub(super) struct Git {
    folder: PathBuf,
}

/// Where the folder is in its repository.
pub(super) struct Where {
    pub top: PathBuf,
    /// With a slash behind it; empty at the top.
    pub prefix: String,
    /// Whether older versions are elsewhere.
    pub is_shallow: bool,
}

/// A file as a commit left or found it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touched {
    /// Its path in the repository.
    pub path: String,
    /// Its content.
    pub blob: String,
    /// The commit.
    pub commit: String,
    /// What it was called before this commit.
    pub from: Option<String>,
}

impl Git {
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["--no-replace-objects", "-c", "core.fsmonitor=false", "-C"]).arg(&self.folder).args(arguments);
        command.env("LC_ALL", "C").env("GIT_NO_LAZY_FETCH", "1").stdin(Stdio::null()).stderr(Stdio::null());
        for name in OF_NAMES {
            command.env_remove(name);
        }
        command
    }

    fn said(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// Where the folder is. `None` = in no repository, or there is no git.
    pub fn place(&self) -> Option<Where> {
        Some(Where {
            is_shallow: self.said(&["rev-parse", "--is-shallow-repository"])? == "true",
            top: self.said(&["rev-parse", "--show-toplevel"])?.into(),
            prefix: self.said(&["rev-parse", "--show-prefix"])?,
        })
    }

    /// Every file with the name of one of a store that a commit touched, on any branch, or on one that was thrown away and
    /// is not forgotten yet. `None` = git does not say, or not all of it.
    pub fn touched(&self) -> Option<Vec<Touched>> {
        let commits = self.command(&["rev-list", "--all", "--reflog"]).output().ok()?;
        if !commits.status.success() {
            return None;
        }
        let flags = ["diff-tree", "--stdin", "-r", "-m", "--root", "-z", "--raw", "--no-abbrev", "-M", "-l0"];
        let files = ["--", ":(top)*.yaml", ":(top)*.yml", ":(top)*.age"];
        let mut command = self.command(&[&flags[..], &files[..]].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut listed = Vec::new();
        talk(&mut child, &commits.stdout, |output| output.read_to_end(&mut listed).is_ok())?;
        let mut all = touched(&listed);
        all.sort();
        all.dedup_by(|a, b| (&a.path, &a.blob, &a.from) == (&b.path, &b.blob, &b.from));
        Some(all)
    }

    /// What is in these; one that cannot be read is not among them.
    pub fn contents(&self, blobs: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        let asked: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let mut command = self.command(&["cat-file", "--batch"]);
        if let Ok(mut child) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
            talk(&mut child, asked.as_bytes(), |output| {
                blobs.iter().all(|blob| match content(output) {
                    Some(content) => {
                        contents.extend(content.map(|content| ((*blob).to_owned(), content)));
                        true
                    }
                    None => false,
                })
            });
        }
        contents
    }
}

// Both at once: git answers before it has read everything.
fn talk(child: &mut Child, asked: &[u8], read: impl FnOnce(&mut dyn BufRead) -> bool) -> Option<()> {
    let (mut input, output) = (child.stdin.take()?, child.stdout.take()?);
    let all = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = input.write_all(asked);
        });
        let mut output = BufReader::new(output);
        let all = read(&mut output);
        // What is left over would keep git from reading on.
        let _ = std::io::copy(&mut output, &mut std::io::sink());
        all
    });
    let ended = child.wait().ok()?;
    (all && ended.success()).then_some(())
}

// `BLOB blob SIZE`, the content, and a line end; `BLOB missing` without one. `None` = git says no more.
fn content(output: &mut dyn BufRead) -> Option<Option<Vec<u8>>> {
    let mut head = String::new();
    output.read_line(&mut head).ok().filter(|read| *read > 0)?;
    let Some((_, size)) = head.trim_end().rsplit_once(" blob ") else { return Some(None) };
    let size: u64 = size.parse().ok()?;
    let mut bytes = Vec::new();
    let mut left = output.take(size + 1);
    if size > LARGEST {
        std::io::copy(&mut left, &mut std::io::sink()).ok()?;
        return Some(None);
    }
    left.read_to_end(&mut bytes).ok().filter(|read| *read as u64 == size + 1)?;
    bytes.pop();
    Some(Some(bytes))
}

// For each commit its id, then for each file `:MODE MODE BLOB BLOB STATUS`, its path, and after a rename the new one.
fn touched(listed: &[u8]) -> Vec<Touched> {
    let mut parts = listed.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let (mut all, mut commit) = (Vec::new(), String::new());
    while let Some(part) = parts.next() {
        let Some(about) = part.strip_prefix(':') else {
            commit = part;
            continue;
        };
        let words: Vec<&str> = about.split(' ').collect();
        let (&[old_mode, new_mode, old, new, status], Some(path)) = (words.as_slice(), parts.next()) else { continue };
        let later = if status.starts_with(['R', 'C']) { parts.next() } else { None };
        let mut add = |mode: &str, blob: &str, path: &str, from: Option<&str>| {
            // Neither links nor other repositories.
            if mode.starts_with("100") {
                let (blob, path, from) = (blob.to_owned(), path.to_owned(), from.map(str::to_owned));
                all.push(Touched { path, blob, commit: commit.clone(), from });
            }
        };
        add(old_mode, old, &path, None);
        match &later {
            Some(later) => add(new_mode, new, later, Some(&path)),
            None => add(new_mode, new, &path, None),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_contents_and_renames_are_told_apart() {
        let listed = "c1\0:000000 100644 0000 aaaa A\0gw.yaml\0:120000 100644 bbbb cccc M\0x y.yml\0c2\0\
                      :100644 100644 aaaa dddd R087\0gw.yaml\0prod/gw.yaml\0:100644 000000 cccc 0000 D\0x y.yml\0";
        let told: Vec<String> = touched(listed.as_bytes())
            .iter()
            .map(|one| format!("{} {} {} {}", one.commit, one.path, one.blob, one.from.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            told,
            [
                "c1 gw.yaml aaaa -",
                "c1 x y.yml cccc -",
                "c2 gw.yaml aaaa -",
                "c2 prod/gw.yaml dddd gw.yaml",
                "c2 x y.yml cccc -",
            ]
        );
    }

    #[test]
    fn a_missing_content_does_not_stop_the_others() {
        let mut said: &[u8] = b"aa missing\nbb blob 3\nx\ny\ncc tree 1\n";
        let mut next = || content(&mut said);
        assert_eq!(next(), Some(None));
        assert_eq!(next(), Some(Some(b"x\ny".to_vec())));
        assert_eq!(next(), Some(None));
        assert_eq!(next(), None);
    }
}
