//! Owns walking over the files of a repository: which of them are looked at, and what is said of the others.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::git;
use super::scan::Looked;
use crate::cli::Stopped;
use crate::model::{Diagnostic, Place};
use crate::scan::{NotLooked, scan, scan_name, text_of};

/// Larger files are said and not looked at, in bytes: models, images of disks, dumps.
pub(super) const LARGEST: u64 = 4 * 1024 * 1024;

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
    let mut looked = Looked::default();
    for path in files_below(&starts, ignored, root, &mut looked) {
        look_at(root, &path, &mut looked);
    }
    if root.join(".git").exists() {
        let inside = |path: &PathBuf| starts.iter().any(|start| path.starts_with(start));
        match git::tracked_though_ignored(root) {
            Ok(more) => {
                let more = more.into_iter().map(|name| root.join(name)).filter(inside);
                more.for_each(|path| look_at(root, &path, &mut looked));
            }
            Err(why) => looked.not_looked.push(NotLooked {
                place: "(files that git tracks though it ignores them)".into(),
                why,
                is_fault: false,
            }),
        }
        // Remotes are often added with a token in their URL.
        let config = root.join(".git/config");
        if config.is_file() && inside(&config) {
            look_at(root, &config, &mut looked);
        }
    }
    Ok(looked)
}

// In the order of their names.
fn files_below(starts: &[PathBuf], ignored: bool, root: &Path, looked: &mut Looked) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for start in starts {
        let walker = WalkBuilder::new(start)
            .hidden(false)
            .ignore(false)
            .git_ignore(!ignored)
            .git_global(!ignored)
            .git_exclude(!ignored)
            .follow_links(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .sort_by_file_path(Ord::cmp)
            .build();
        for entry in walker {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => {}
                Ok(entry) => files.push(entry.into_path()),
                Err(error) => {
                    let (place, why) = split(&error, root);
                    looked.not_looked.push(NotLooked { place, why, is_fault: true });
                }
            }
        }
    }
    files
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

fn look_at(root: &Path, path: &Path, looked: &mut Looked) {
    let place = name_of(root, path);
    if looked.files.contains(&place) {
        return;
    }
    let not = |why: String, is_fault: bool| NotLooked { place: place.clone(), why, is_fault };
    let read =
        path.symlink_metadata().and_then(|about| if is_readable(&about) { read(path).map(Some) } else { Ok(None) });
    match read {
        Ok(Some(bytes)) => judge(&place, &bytes, looked),
        Ok(None) => {
            let about = path.symlink_metadata();
            looked.findings.extend(scan_name(&place).filter(|_| about.as_ref().is_ok_and(Metadata::is_file)));
            looked.not_looked.push(not(why_not(about.ok().as_ref()), false));
        }
        // Git may track what is not there any more.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => looked.not_looked.push(not(error.to_string(), true)),
    }
}

fn is_readable(about: &Metadata) -> bool {
    about.is_file() && about.len() <= LARGEST
}

fn why_not(about: Option<&Metadata>) -> String {
    match about {
        Some(about) if about.is_symlink() => "a symlink: what it names is looked at where it stands".to_owned(),
        Some(about) if about.is_file() => too_large(),
        _ => "neither a file nor a folder".to_owned(),
    }
}

pub(super) fn too_large() -> String {
    format!("larger than {} MiB", LARGEST / 1024 / 1024)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Judges one file's content.
pub(super) fn judge(place: &str, bytes: &[u8], looked: &mut Looked) {
    match text_of(bytes) {
        Some(text) => {
            looked.findings.extend(scan(place, &text));
            looked.files.insert(place.to_owned());
        }
        None => {
            looked.findings.extend(scan_name(place));
            looked.not_looked.push(NotLooked { place: place.to_owned(), why: "not a text".into(), is_fault: false });
        }
    }
}
