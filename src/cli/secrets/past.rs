//! Owns the store's past: every version of its files that git remembers, on any branch, also from where the folder was
//! before, and what of it nobody can say. What git itself is asked stands in `remembered`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::remembered::{Git, Touched};
use crate::model::Source;
use crate::store::{Locked, PROJECT, PROJECT_KEY};

/// So many versions are looked at; more is said, and not passed over in silence.
const MOST: usize = 20_000;

/// What git remembers of a folder.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The versions of files of SOPS.
    pub files: Vec<Version<Locked>>,
    /// The versions of whole files of age.
    pub wholes: Vec<Version<Vec<u8>>>,
    /// What nobody can say, in words; each is a reason to change more rather than less.
    pub gaps: Vec<String>,
    /// Whether there is history that was not read: secrets may have stood in it that nobody here knows of.
    pub is_cut: bool,
}

/// A version of a file.
#[derive(Debug)]
pub(super) struct Version<T> {
    /// What it was called in the store.
    pub name: String,
    /// What the file is called now, if it is still there.
    pub later: String,
    /// What it was.
    pub it: T,
}

impl Past {
    /// Everything that git has of the files of a store.
    pub fn of(folder: &Path) -> Past {
        let mut past = Past::default();
        let git = Git::at(folder);
        let Some(place) = git.place() else {
            // A repository that git does not open here is no missing one.
            let root = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            past.is_cut = root.ancestors().any(|above| above.join(".git").exists());
            past.gaps.push(match past.is_cut {
                true => "git does not answer here, or there is none: what was in the store before is not known".into(),
                false => "there is no git history here".into(),
            });
            return past;
        };
        if place.is_shallow {
            past.is_cut = true;
            past.gaps.push("this clone is shallow: older versions are not here (`git fetch --unshallow`)".into());
        }
        let Some(touched) = git.touched() else {
            past.is_cut = true;
            past.gaps.push("git does not tell its history".into());
            return past;
        };
        let names = Names::of(&git, &place.top, &place.prefix, &touched);
        if !touched.iter().any(|one| one.path.starts_with(&place.prefix)) {
            past.gaps.push("git does not know the store: what was in it before is not known".into());
        }
        let mut wanted: BTreeMap<(String, String), (String, &Touched)> = BTreeMap::new();
        for one in &touched {
            if let Some((name, later)) = names.at(&one.path) {
                wanted.entry((name, one.blob.clone())).or_insert((later, one));
            }
        }
        if wanted.len() > MOST {
            past.is_cut = true;
            past.gaps.push(format!("only {MOST} of {} versions were looked at", wanted.len()));
        }
        let blobs: Vec<&str> = wanted.keys().take(MOST).map(|(_, blob)| blob.as_str()).collect();
        let contents = git.contents(&blobs);
        let mut unread: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
        for ((name, blob), (later, one)) in wanted.into_iter().take(MOST) {
            let commit: String = one.commit.chars().take(12).collect();
            let at = format!("{commit}:{}", one.path);
            let content = contents.get(&blob).cloned();
            if let Err(why) = past.take(&name, later, content, &at) {
                unread.entry((name, why)).or_insert((0, at)).0 += 1;
            }
        }
        past.is_cut |= !unread.is_empty();
        for ((name, why), (count, at)) in unread {
            let versions = if count == 1 { "a version".to_owned() } else { format!("{count} versions") };
            past.gaps.push(format!("{versions} of {name} (such as {at}): {why}"));
        }
        past
    }

    fn take(&mut self, name: &str, later: String, content: Option<Vec<u8>>, at: &str) -> Result<(), String> {
        let bytes = content.ok_or("git cannot read it: who could, and what, is not known")?;
        let name = name.to_owned();
        if name.ends_with(".age") {
            self.wholes.push(Version { name, later, it: bytes });
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| "it is no text: who could read it is not known")?;
        let is_encrypted = text.lines().any(|line| line.starts_with("sops:") || line.starts_with("\"sops\":"));
        match Locked::parse(Source::new(at, text), &name) {
            Ok(it) => self.files.push(Version { name, later, it }),
            Err(fault) if is_encrypted => {
                let detail = fault.told.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
                return Err(format!("{}{detail}: who could read it is not known", fault.told.summary));
            }
            Err(_) => return Err("it was not encrypted: whoever has the repository could read it".into()),
        }
        Ok(())
    }
}

/// What files were called in the store, by their path in the repository.
struct Names {
    top: PathBuf,
    /// The store's folder, with a slash behind it; nothing where it is the whole repository.
    prefix: String,
    /// Folders that were a store with a project key, and are not there any more: this one was there before.
    former: BTreeSet<String>,
    /// What a file was renamed to.
    renamed: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    fn of(git: &Git, top: &Path, prefix: &str, touched: &[Touched]) -> Self {
        let mut renamed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for one in touched {
            if let Some(from) = &one.from {
                renamed.entry(from.clone()).or_default().insert(one.path.clone());
            }
        }
        let outside = |one: &&Touched| {
            let root = one.path.strip_suffix(PROJECT);
            root.is_some_and(|root| (root.is_empty() || root.ends_with('/')) && root != prefix)
                && !top.join(&one.path).exists()
        };
        let projects: Vec<&Touched> = touched.iter().filter(outside).collect();
        let contents = git.contents(&projects.iter().map(|one| one.blob.as_str()).collect::<Vec<_>>());
        let is_project = |one: &&&Touched| {
            let text = contents.get(&one.blob).and_then(|bytes| String::from_utf8(bytes.clone()).ok());
            let parsed = text.and_then(|text| Locked::parse(Source::new(one.path.as_str(), text), PROJECT).ok());
            parsed.is_some_and(|locked| locked.secret_paths().iter().any(|path| path.to_string() == PROJECT_KEY))
        };
        let former = projects.iter().filter(is_project).filter_map(|one| one.path.strip_suffix(PROJECT));
        let former = former.map(str::to_owned).collect();
        Self { top: top.to_owned(), prefix: prefix.to_owned(), former, renamed }
    }

    // What it was called then and is called now; `None` = it was never part of the store.
    fn at(&self, path: &str) -> Option<(String, String)> {
        let of_former = || self.former.iter().rev().find_map(|root| path.strip_prefix(root));
        let then = path.strip_prefix(&self.prefix).or_else(of_former).filter(|name| is_stored(name));
        let now = self.later(path);
        let then = then.map(str::to_owned).or_else(|| now.clone())?;
        Some((then.clone(), now.unwrap_or(then)))
    }

    // Follows renames to a file that is there now.
    fn later(&self, path: &str) -> Option<String> {
        let mut seen = BTreeSet::from([path]);
        let mut left = VecDeque::from([path]);
        while let Some(path) = left.pop_front() {
            let name = path.strip_prefix(&self.prefix).filter(|name| is_stored(name));
            if let Some(name) = name.filter(|_| self.top.join(path).is_file()) {
                return Some(name.to_owned());
            }
            let next = self.renamed.get(path).into_iter().flatten();
            left.extend(next.map(String::as_str).filter(|next| seen.insert(next)));
        }
        None
    }
}

// As the folder is read: the list of what was burned, say, is no file of the store.
fn is_stored(name: &str) -> bool {
    !name.split('/').any(|part| part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_git_knows_nothing_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let past = Past::of(folder.path());
        assert!(past.files.is_empty());
        assert_eq!(past.gaps.len(), 1, "{:?}", past.gaps);
    }

    #[test]
    fn a_file_is_found_under_each_name_that_it_had() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("secrets")).unwrap();
        std::fs::write(top.path().join("secrets/gw.yaml"), "").unwrap();
        let renamed =
            [("old/gw.yaml", "keys/gate.yaml"), ("keys/gate.yaml", "secrets/gw.yaml"), ("a", "b"), ("b", "a")];
        let mut names = Names {
            top: top.path().to_owned(),
            prefix: "secrets/".into(),
            former: BTreeSet::from(["keys/".to_owned()]),
            renamed: BTreeMap::new(),
        };
        for (from, to) in renamed {
            names.renamed.entry(from.into()).or_default().insert(to.into());
        }
        for (path, then, now) in [
            ("secrets/gw.yaml", "gw.yaml", "gw.yaml"),
            ("secrets/gone.yaml", "gone.yaml", "gone.yaml"),
            ("keys/gate.yaml", "gate.yaml", "gw.yaml"),
            ("keys/db.yaml", "db.yaml", "db.yaml"),
            ("old/gw.yaml", "gw.yaml", "gw.yaml"),
        ] {
            assert_eq!(names.at(path), Some((then.to_owned(), now.to_owned())), "{path}");
        }
        for path in ["a", "other/db.yaml", "secrets/.burned.yaml", "keys/.burned.yaml"] {
            assert_eq!(names.at(path), None, "{path}");
        }
    }
}
