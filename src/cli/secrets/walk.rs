//! Owns walking over the files of a repository: which of them are looked at, and what is said of the others.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::git;
use super::scan::Looked;
use crate::cli::Stopped;
use crate::model::{Diagnostic, Place};
use crate::scan::{Gap, NotLooked, scan, scan_name, text_of};

/// So much of a text is looked at, in bytes; what has more is said.
pub(super) const LARGEST: u64 = 4 * 1024 * 1024;

/// Why a symlink is not looked at.
pub(super) const SYMLINK: &str = "a symlink, which is not followed";

/// Why a pipe, a socket or a device is not looked at.
const NO_FILE: &str = "neither a file nor a folder";

/// The root of the repository that a path is in. Where there is none, it is the working directory, or the path's own
/// folder if that lies elsewhere.
pub(super) fn root_of(here: &Path, path: &Path) -> PathBuf {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let none = if folder.starts_with(here) { here } else { folder };
    folder.ancestors().find(|above| above.join(".git").exists()).unwrap_or(none).to_path_buf()
}

/// The first path, which says which repository is meant.
pub(super) fn first(here: &Path, paths: &[PathBuf]) -> Result<PathBuf, Stopped> {
    let Some(path) = paths.first() else { return Ok(here.to_path_buf()) };
    whole(here, path)
}

fn whole(here: &Path, path: &Path) -> Result<PathBuf, Stopped> {
    here.join(path).canonicalize().map_err(|error| {
        let place = Place::outside(&path.display().to_string());
        Stopped::usage(Diagnostic::error("nothing is there to look at").at(&place, "").because(error.to_string()))
    })
}

/// Looks at all files, or those of these paths.
pub(super) fn look(root: &Path, here: &Path, paths: &[PathBuf], ignored: bool) -> Result<Looked, Stopped> {
    let root = &root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let mut starts = Vec::new();
    for path in paths {
        let start = whole(here, path)?;
        if !start.starts_with(root) {
            let place = Place::outside(&path.display().to_string());
            let why = format!("one repository is looked at in one go, and this one is {}", root.display());
            return Err(Stopped::usage(
                Diagnostic::error("a path outside of the repository").at(&place, "").because(why),
            ));
        }
        starts.push(start);
    }
    if starts.is_empty() {
        starts.push(root.clone());
    }
    let mut walk = Walk { root, ignored, seen: BTreeSet::new(), looked: Looked::default() };
    let mut repositories: BTreeSet<PathBuf> = BTreeSet::new();
    repositories.extend(Some(root.clone()).filter(|root| root.join(".git").exists()));
    let mut told = Vec::new();
    for start in &starts {
        let before = walk.looked.not_looked.len();
        if !start.is_dir() && !start.is_file() {
            walk.seen.insert(start.clone());
            walk.looked.not_looked.push(NotLooked::fault(name_of(root, start), NO_FILE));
        }
        repositories.extend(walk.below(start));
        told.push(walk.looked.not_looked.len() > before);
    }
    // Git is asked once for each, however many paths are named.
    let is_meant = |path: &Path| starts.iter().any(|start| path.starts_with(start));
    for repository in &repositories {
        walk.tracked_though_ignored(repository, &is_meant);
        // Remotes are often added with a token in their URL.
        if is_meant(repository) {
            git_settings(repository).iter().for_each(|config| walk.look_at(config));
        }
    }
    // Somebody named it, and nothing was found because nothing was looked at.
    let named = starts.iter().zip(told).filter(|(_, told)| !told && !paths.is_empty());
    for (start, _) in named.filter(|(start, _)| start.is_dir()) {
        if !walk.seen.iter().any(|path| path.starts_with(start)) {
            let is_empty = std::fs::read_dir(start).is_ok_and(|mut all| all.next().is_none());
            let why =
                if is_empty { "it is an empty folder" } else { "git ignores what it holds; --ignored looks at it" };
            walk.looked.not_looked.push(NotLooked::fault(name_of(root, start), why));
        }
    }
    Ok(walk.looked)
}

struct Walk<'a> {
    root: &'a Path,
    ignored: bool,
    seen: BTreeSet<PathBuf>,
    looked: Looked,
}

impl Walk<'_> {
    // All files in the order of their names, and the repositories among the folders.
    fn below(&mut self, start: &Path) -> Vec<PathBuf> {
        let mut repositories = Vec::new();
        let walker = WalkBuilder::new(start)
            .hidden(false)
            .ignore(false)
            .git_ignore(!self.ignored)
            .git_global(!self.ignored)
            .git_exclude(!self.ignored)
            .follow_links(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .sort_by_file_path(Ord::cmp)
            .build();
        for entry in walker {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => {
                    if entry.path().join(".git").exists() {
                        repositories.push(entry.into_path());
                    }
                }
                Ok(entry) => self.look_at(entry.path()),
                Err(error) => {
                    let (place, why) = split(&error, self.root);
                    self.looked.not_looked.push(NotLooked::fault(place, why));
                }
            }
        }
        repositories
    }

    fn tracked_though_ignored(&mut self, repository: &Path, is_meant: &impl Fn(&Path) -> bool) {
        match git::tracked_though_ignored(repository, repository != self.root) {
            Ok(more) => {
                let more = more.into_iter().map(|name| repository.join(name)).filter(|path| is_meant(path));
                more.for_each(|path| self.look_at(&path));
            }
            Err(why) => {
                let of = Some(name_of(self.root, repository)).filter(|of| !of.is_empty());
                let place = of.map_or_else(String::new, |of| format!("{of}: "));
                let place = format!("{place}(files that git tracks though it ignores them)");
                self.looked.not_looked.push(NotLooked::fault(place, why));
            }
        }
    }

    fn look_at(&mut self, path: &Path) {
        if !self.seen.insert(path.to_path_buf()) {
            return;
        }
        let place = name_of(self.root, path);
        let read = path.symlink_metadata().and_then(|about| match about.is_file() {
            true => read(path).map(Ok),
            false => Ok(Err(if about.is_symlink() { SYMLINK } else { NO_FILE })),
        });
        match read {
            Ok(Ok((bytes, is_cut))) => judge(&place, &bytes, is_cut, &mut self.looked),
            Ok(Err(why)) => self.looked.not_looked.push(NotLooked::harmless(place, why)),
            // Git may track what is not there any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.looked.not_looked.push(NotLooked::fault(place, error.to_string())),
        }
    }
}

// The files that hold a repository's remotes: in a worktree or a submodule, `.git` is a file that says where they are.
fn git_settings(repository: &Path) -> Vec<PathBuf> {
    let dot = repository.join(".git");
    let mut folders = vec![dot.clone()];
    if dot.is_file() {
        let named = |file: &Path, begin: &str, from: &Path| {
            let text = std::fs::read_to_string(file).ok()?;
            text.strip_prefix(begin).map(|folder| from.join(folder.trim_end_matches(['\r', '\n'])))
        };
        folders = named(&dot, "gitdir: ", repository).into_iter().collect();
        let common = folders.first().and_then(|own| named(&own.join("commondir"), "", own));
        folders.extend(common);
    }
    let files = folders.iter().flat_map(|folder| ["config", "config.worktree"].map(|name| folder.join(name)));
    files.filter_map(|file| file.canonicalize().ok()).collect()
}

// What could not be walked, and why.
fn split(error: &ignore::Error, root: &Path) -> (String, String) {
    match error {
        ignore::Error::WithPath { path, err } => (name_of(root, path), split(err, root).1),
        ignore::Error::WithDepth { err, .. } => split(err, root),
        other => ("(a folder)".to_owned(), other.to_string()),
    }
}

fn name_of(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

// The beginning, and whether there is more.
fn read(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?.take(LARGEST);
    file.read_to_end(&mut bytes)?;
    Ok((bytes, file.into_inner().read(&mut [0])? > 0))
}

/// Judges one file's content; `is_cut`: there is more of it.
pub(super) fn judge(place: &str, bytes: &[u8], is_cut: bool, looked: &mut Looked) {
    let Some(text) = text_of(bytes) else {
        looked.findings.extend(scan_name(place));
        return looked.not_looked.push(NotLooked::harmless(place, "not a text"));
    };
    looked.findings.extend(scan(place, &text));
    looked.files.insert(place.to_owned());
    if is_cut {
        let why = format!("a text, behind its first {} MiB", LARGEST / 1024 / 1024);
        looked.not_looked.push(NotLooked { place: place.to_owned(), why, gap: Gap::Rest });
    }
}
