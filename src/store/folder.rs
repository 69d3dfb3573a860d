//! Owns the folder of a store: which files belong to it, and how the name of a secret leads to one of them.
//!
//! `gw/token` is the key `token` of `gw.yaml`, or the file `gw/token.age` as a whole; folders come before keys, so
//! `prod/gw/token` may be the key `token` of `prod/gw.yaml`. One name that leads to two places is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind, hint};
use super::key_path::KeyPath;
use super::locked::Locked;

/// The file that holds the project key.
pub const PROJECT: &str = "rempart.yaml";
/// How deep folders are looked through.
const DEEPEST: usize = 8;
/// The largest whole file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A store as it lies on the disk, unopened.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    files: Vec<Filed>,
    wholes: Vec<String>,
}

/// One file of SOPS in it.
#[derive(Clone, Debug)]
pub struct Filed {
    /// Its name below the folder, such as `prod/gw.yaml`; the seal covers it.
    pub name: String,
    /// The file, or why it is none of the store.
    pub locked: Result<Locked, Fault>,
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A key in a file.
    Key(String, KeyPath),
    /// A whole file that age encrypted.
    Whole(String),
}

impl Folder {
    /// Reads the folder. `None` = there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(root: &Path) -> Result<Option<Self>, Fault> {
        if !root.exists() {
            return Ok(None);
        }
        let mut folder = Self { root: root.to_owned(), files: Vec::new(), wholes: Vec::new() };
        folder.gather(root, "", 0)?;
        folder.files.sort_by(|a, b| a.name.cmp(&b.name));
        folder.wholes.sort();
        Ok(Some(folder))
    }

    fn gather(&mut self, at: &Path, before: &str, depth: usize) -> Result<(), Fault> {
        let wrong = |why: String| {
            let fix = "check the folder and its permissions";
            Fault::new(FaultKind::Format, "the store cannot be read", why, fix).within(&at.display().to_string())
        };
        for entry in fs::read_dir(at).map_err(|error| wrong(error.to_string()))? {
            let path = entry.map_err(|error| wrong(error.to_string()))?.path();
            let Some(base) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if base.starts_with('.') {
                continue;
            }
            let name = format!("{before}{base}");
            if path.is_dir() {
                if depth < DEEPEST {
                    self.gather(&path, &format!("{name}/"), depth + 1)?;
                }
            } else if stem(base).is_some() {
                let locked = Locked::read(&path, &name);
                self.files.push(Filed { name, locked });
            } else if base.ends_with(".age") {
                self.wholes.push(name);
            }
        }
        Ok(())
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Its files of SOPS, sorted by name, the one of the project key among them.
    pub fn files(&self) -> &[Filed] {
        &self.files
    }

    /// The files that can be read, for naming where a value was taken from.
    pub fn locked(&self) -> Vec<Locked> {
        self.files.iter().filter_map(|file| file.locked.as_ref().ok()).cloned().collect()
    }

    /// The file that holds the project key, where there is one.
    pub fn project(&self) -> Option<&Filed> {
        self.files.iter().find(|file| file.name == PROJECT)
    }

    /// The names of all secrets, sorted; no key is needed for that.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.wholes.iter().map(|name| name.trim_end_matches(".age").to_owned()).collect();
        for file in self.files.iter().filter(|file| file.name != PROJECT) {
            names.extend(self.names_in(&file.name));
        }
        names.sort();
        names
    }

    /// The full names of the secrets of one file of SOPS, in its order.
    pub fn names_in(&self, file: &str) -> Vec<String> {
        let locked = self.files.iter().find(|known| known.name == file).and_then(|known| known.locked.as_ref().ok());
        let paths = locked.into_iter().flat_map(Locked::secret_paths);
        paths.filter_map(|path| name_of(file, &path)).collect()
    }

    /// The names of the files that age encrypted as a whole.
    pub fn wholes(&self) -> &[String] {
        &self.wholes
    }

    /// What the name of a secret leads to.
    ///
    /// # Errors
    /// Nothing, with what may have been meant; more than one place; a file that cannot be read.
    pub fn find(&self, name: &str) -> Result<Spot, Fault> {
        KeyPath::parse(name)?;
        let mut found = Vec::new();
        if self.wholes.contains(&format!("{name}.age")) {
            found.push(Spot::Whole(format!("{name}.age")));
        }
        for (file, path) in self.candidates(name) {
            match &file.locked {
                Ok(locked) if locked.secret_paths().contains(&path) => found.push(Spot::Key(file.name.clone(), path)),
                Ok(_) => {}
                Err(fault) => return Err(fault.clone()),
            }
        }
        match found.as_slice() {
            [] => Err(self.missing(name)),
            [_] => Ok(found.remove(0)),
            _ => {
                let places: Vec<&str> = found.iter().map(Spot::file).collect();
                let fix = "rename one of them";
                let detail = format!("`{name}` stands in {}", places.join(" and in "));
                Err(Fault::new(FaultKind::Format, "a secret of two places", detail, fix))
            }
        }
    }

    // The files whose name begins the secret's, each with what is left of it.
    fn candidates<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Filed, KeyPath)> {
        self.files.iter().filter(|file| file.name != PROJECT).filter_map(move |file| {
            let rest = name.strip_prefix(stem(&file.name)?)?.strip_prefix('/')?;
            Some((file, KeyPath::parse(rest).ok()?))
        })
    }

    /// Where a new secret goes: into a file that its name begins with, or into a new one for all but its last part.
    ///
    /// # Errors
    /// The name has one part only, is kept for the store itself, or leads to a whole file.
    pub fn home(&self, name: &str) -> Result<(String, KeyPath), Fault> {
        KeyPath::parse(name)?;
        inside(name)?;
        if name.split('/').next() == stem(PROJECT) {
            let fix = "choose another name";
            return Err(Fault::new(
                FaultKind::Format,
                "a name that is kept for the store itself",
                name.to_owned(),
                fix,
            ));
        }
        if self.wholes.contains(&format!("{name}.age")) {
            let fix = "encrypt it with `age` as it was, or remove it first";
            return Err(Fault::new(
                FaultKind::Unsupported,
                "a secret that is a whole file",
                format!("{name}.age"),
                fix,
            ));
        }
        let longest = self.candidates(name).max_by_key(|(file, _)| file.name.len());
        if let Some((file, path)) = longest {
            return Ok((file.name.clone(), path));
        }
        match name.rsplit_once('/') {
            Some((file, key)) => Ok((format!("{file}.yaml"), KeyPath::parse(key)?)),
            None => {
                let detail = format!("`{name}` names no file");
                let fix = "write FILE/NAME, such as `gw/token` for the key `token` of gw.yaml";
                Err(Fault::new(FaultKind::Format, "no name of a secret", detail, fix))
            }
        }
    }

    /// A whole file of age, as bytes.
    ///
    /// # Errors
    /// It cannot be read, or is too large.
    pub fn whole(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let path = self.path(name);
        let fail = |why: String| {
            let fix = "check the file and its permissions";
            Fault::new(FaultKind::Format, "a file of the store cannot be read", why, fix)
                .within(&path.display().to_string())
        };
        let about = fs::metadata(&path).map_err(|error| fail(error.to_string()))?;
        if !about.is_file() || about.len() > LARGEST {
            return Err(fail(format!("it is no file of at most {LARGEST} bytes")));
        }
        fs::read(&path).map_err(|error| fail(error.to_string()))
    }

    fn missing(&self, name: &str) -> Fault {
        let names = self.names();
        let hint = hint(name, names.iter().map(String::as_str));
        let detail = format!("the store has no `{name}`{hint}");
        Fault::new(FaultKind::Missing, "no such secret", detail, "`rempart secrets list` names all that are there")
    }
}

impl Spot {
    /// The file's name.
    pub fn file(&self) -> &str {
        match self {
            Spot::Key(file, _) | Spot::Whole(file) => file,
        }
    }
}

/// Refuses the name of a file that would lie outside of the store, or be passed over by it.
///
/// # Errors
/// A part of it begins with a dot, or it is a path from the root.
pub fn inside(name: &str) -> Result<(), Fault> {
    if name.starts_with('/') || name.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        let detail = format!("`{name}` lies outside of the store, or begins with a dot");
        return Err(Fault::new(FaultKind::Format, "no name in the store", detail, "write it like `gw` or `prod/gw`"));
    }
    Ok(())
}

/// The full name of a secret: that of its file, then its path in there. `None` = the file is none of SOPS.
pub fn name_of(file: &str, path: &KeyPath) -> Option<String> {
    Some(format!("{}/{path}", stem(file)?))
}

/// The part of a file's name that a secret's begins with.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}
