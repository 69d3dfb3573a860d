//! Owns the folder of a store: which files belong to it, and how the name of a secret leads to one of them.
//!
//! `gw/token` is the key `token` of `gw.yaml`, or the file `gw/token.age` as a whole; folders come before keys, so
//! `prod/gw/token` may be the key `token` of `prod/gw.yaml`. One name that leads to two places is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::burned::FILE as BURNED;
use super::fault::{Fault, FaultKind, hint};
use super::key_path::KeyPath;
use super::locked::Locked;
use super::prints::PRINTS;

/// The file that holds the project key.
pub const PROJECT: &str = "rempart.yaml";
/// How deep folders are looked through.
const DEEPEST: usize = 8;
/// How the names of files end that may lie in the folder beside those of the store: people write down what it is for, git
/// is told what it is, and SOPS is told who may read it.
const NOTES: [&str; 9] =
    [".md", "README", "LICENSE", BURNED, PRINTS, ".sops.yaml", ".gitignore", ".gitattributes", ".gitkeep"];
/// The largest whole file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A store as it lies on the disk, unopened.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    files: Vec<Filed>,
    wholes: Vec<String>,
    strangers: Vec<Stranger>,
}

/// Something in the folder that is no file of the store, and is not looked at: there may be secrets in it, of which nothing
/// is known then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its name below the folder, as far as it can be shown.
    pub name: String,
    /// Why it is not looked at.
    pub why: &'static str,
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
        let mut folder = Self { root: root.to_owned(), files: Vec::new(), wholes: Vec::new(), strangers: Vec::new() };
        folder.gather(root, "", 0)?;
        folder.files.sort_by(|a, b| a.name.cmp(&b.name));
        folder.wholes.sort();
        folder.strangers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(folder))
    }

    fn gather(&mut self, at: &Path, before: &str, depth: usize) -> Result<(), Fault> {
        let wrong = |why: String| {
            let fix = "check the folder and its permissions";
            Fault::new(FaultKind::Format, "the store cannot be read", why, fix).within(&at.display().to_string())
        };
        for entry in fs::read_dir(at).map_err(|error| wrong(error.to_string()))? {
            let path = entry.map_err(|error| wrong(error.to_string()))?.path();
            let shown = path.file_name().unwrap_or_default().to_string_lossy();
            if NOTES.iter().any(|note| shown.ends_with(note)) && path.is_file() || shown == ".git" {
                continue;
            }
            let name = format!("{before}{shown}");
            let mut pass = |why| self.strangers.push(Stranger { name: name.clone(), why });
            let Some(base) = path.file_name().and_then(|name| name.to_str()) else {
                pass("its name is no text (UTF-8)");
                continue;
            };
            let is_link = path.is_symlink();
            if is_link && !path.exists() {
                pass("a link that leads nowhere");
            } else if path.is_dir() && is_link {
                pass("a link to a folder, which is not followed");
            } else if base.starts_with('.') {
                pass("its name begins with a dot");
            } else if path.is_dir() && depth >= DEEPEST {
                pass("it lies too deep: eight folders are looked through");
            } else if path.is_dir() {
                self.gather(&path, &format!("{name}/"), depth + 1)?;
            } else if !path.is_file() {
                pass("neither a file nor a folder");
            } else if stem(base).is_some() {
                let locked = Locked::read(&path, &name);
                self.files.push(Filed { name, locked });
            } else if base.ends_with(".age") {
                self.wholes.push(name);
            } else {
                pass("neither .yaml, .yml nor .age");
            }
        }
        Ok(())
    }

    /// What lies in the folder and is not looked at, sorted by name.
    pub fn strangers(&self) -> &[Stranger] {
        &self.strangers
    }

    /// The faults of names that lead to several places, one each.
    pub fn ambiguous(&self) -> Vec<Fault> {
        let names = self.names();
        let mut twice: Vec<&String> = names.windows(2).filter(|two| two[0] == two[1]).map(|two| &two[0]).collect();
        twice.dedup();
        twice.into_iter().filter_map(|name| self.find(name).err()).collect()
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
        let mut names: Vec<String> = self.wholes.iter().map(|name| whole_name(name).to_owned()).collect();
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
        // What is there already stays where it is, so that no name leads to two places.
        match self.find(name) {
            Ok(Spot::Key(file, path)) => return Ok((file, path)),
            Err(fault) if fault.kind != FaultKind::Missing => return Err(fault),
            _ => {}
        }
        let longest = self.candidates(name).max_by_key(|(file, _)| file.name.len());
        if let Some((file, path)) = longest {
            return Ok((file.name.clone(), path));
        }
        let of_file = |part: &str| stem(part).is_some() || part.ends_with(".age");
        match name.rsplit_once('/') {
            Some((file, _)) if file.split('/').any(of_file) => {
                let detail = format!("`{name}` names a file: names of secrets leave out what it ends with");
                let fix = "write it like `gw/token` for the key `token` of gw.yaml";
                Err(Fault::new(FaultKind::Format, "no name of a secret", detail, fix))
            }
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
    if name.contains(char::is_control) {
        let detail = "there is a control character in it, which nobody could see or type";
        return Err(Fault::new(FaultKind::Format, "no name in the store", detail, "write it like `gw` or `prod/gw`"));
    }
    Ok(())
}

/// The name of the secret that a whole file of age is.
pub fn whole_name(file: &str) -> &str {
    file.strip_suffix(".age").unwrap_or(file)
}

/// The full name of a secret: that of its file, then its path in there. `None` = the file is none of SOPS.
pub fn name_of(file: &str, path: &KeyPath) -> Option<String> {
    Some(format!("{}/{path}", stem(file)?))
}

/// The part of a file's name that a secret's begins with.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_is_not_looked_at_is_named() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c/d/e/f/g/h/i");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("x.yaml"), "").unwrap();
        for name in [
            "db.json",
            "UP.YAML",
            "README.md",
            "x.age.age",
            ".hidden",
            ".burned.yaml",
            ".fingerprints.yaml",
            ".gw.yaml.7.new",
        ] {
            fs::write(root.path().join(name), "").unwrap();
        }
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff.yaml")), "").unwrap();
        std::os::unix::fs::symlink(".", root.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("gone.yaml")).unwrap();
        let folder = Folder::read(root.path()).unwrap().unwrap();
        assert!(folder.files().is_empty());
        assert_eq!(folder.wholes(), ["x.age.age"]);
        assert_eq!(folder.names(), ["x.age"]);
        assert_eq!(folder.find("x.age").unwrap(), Spot::Whole("x.age.age".into()));
        let named: Vec<&str> = folder.strangers().iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            named,
            [
                ".gw.yaml.7.new",
                ".hidden",
                "UP.YAML",
                "a/b/c/d/e/f/g/h/i",
                "db.json",
                "gone.yaml",
                "loop",
                "\u{fffd}.yaml"
            ]
        );
    }

    #[test]
    fn a_control_character_is_no_part_of_a_name() {
        for name in ["gw/\u{7f}", "g\nw/x", "gw/\u{85}"] {
            assert!(inside(name).is_err(), "{name:?}");
        }
        inside("gw/token").unwrap();
    }
}
