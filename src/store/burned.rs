//! Owns the burn list: secrets that somebody could read who may not any more, until each was changed.
//!
//! It stands beside the store as plain YAML, one entry a secret and reader. No value stands in it, only a fingerprint of
//! what the value was, so that a change of it can be told.

use std::fs;
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind};
use super::save::save;
use crate::secret::{Fingerprint, FingerprintKey, Rendered, Secret};
use crate::yaml::{self, Dialect, Node};

/// Its name in the folder of the store.
const FILE: &str = ".burned.yaml";
const HEAD: &str = "# Secrets that could be read by somebody who may not any more. Each must be changed at its source and set anew.\n\
                    # Written by `rempart secrets rekey` and `set`; `rempart secrets burned` shows what is left.\n";

/// A secret and somebody who could read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burned {
    /// The secret's name.
    pub secret: String,
    /// The public key that could decrypt it.
    pub reader: String,
    /// Since when it must be changed, as `2026-11-27`.
    pub since: String,
    /// What the value was, where it could be opened.
    pub print: Option<Fingerprint>,
    /// When it was changed.
    pub done: Option<String>,
}

/// The burn list of a store.
#[derive(Clone, Debug)]
pub struct BurnList {
    path: PathBuf,
    /// The entries, oldest first.
    pub entries: Vec<Burned>,
}

impl BurnList {
    /// Reads it; there is nothing in it where there is none.
    ///
    /// # Errors
    /// It is there and cannot be understood: what must be changed is not known then.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self { path, entries: Vec::new() });
        }
        let root = yaml::parse(&yaml::read(&path)?, Dialect::Inventory)?;
        let wrong = |node: &Node, label: &str| {
            let fix = "take the file from its last version (`git diff` shows the change)";
            Fault::new(
                FaultKind::Format,
                "the burn list cannot be understood",
                "so nobody knows what must be changed",
                fix,
            )
            .at(&node.place, label)
        };
        let mut entries = Vec::new();
        for item in root.items().unwrap_or_default() {
            let text = |name: &str| match item.get(name) {
                Some(node) => {
                    node.text().map(|text| Some(text.to_owned())).ok_or_else(|| wrong(node, "this is a text"))
                }
                None => Ok(None),
            };
            let needed = |name: &str| text(name)?.ok_or_else(|| wrong(item, &format!("an entry without `{name}`")));
            entries.push(Burned {
                secret: needed("secret")?,
                reader: needed("reader")?,
                since: needed("since")?,
                print: text("print")?.map(Fingerprint::kept),
                done: text("done")?,
            });
        }
        if entries.is_empty() && root.items().is_none() && !matches!(root.value, yaml::Value::Null) {
            return Err(wrong(&root, "this is no list"));
        }
        Ok(Self { path, entries })
    }

    /// What is still to be changed.
    pub fn open(&self) -> impl Iterator<Item = &Burned> {
        self.entries.iter().filter(|entry| entry.done.is_none())
    }

    /// Notes that a secret could be read by somebody; once for each of them, as long as it is not changed.
    pub fn add(&mut self, entry: Burned) {
        let known = self
            .entries
            .iter_mut()
            .find(|old| old.secret == entry.secret && old.reader == entry.reader && old.done.is_none());
        match known {
            Some(old) => old.print = entry.print,
            None => self.entries.push(entry),
        }
    }

    /// Notes that secrets were changed; says how many entries that was the end of.
    pub fn settle(&mut self, secrets: &[String], day: &str) -> usize {
        let mut settled = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.done.is_none() && secrets.contains(&entry.secret)) {
            entry.done = Some(day.to_owned());
            settled += 1;
        }
        settled
    }

    /// Compares with what the secrets are now: an entry whose secret has another value is done. A secret that cannot be
    /// read, or of which nobody knows what it was, stays as it is.
    pub fn compare(&mut self, key: &FingerprintKey, day: &str, now: impl Fn(&str) -> Option<Secret>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.done.is_none()) {
            let (Some(was), Some(is)) = (&entry.print, now(&entry.secret)) else { continue };
            if print(key, &is.renamed(&entry.secret)) != *was {
                entry.done = Some(day.to_owned());
            }
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self) -> Result<(), Fault> {
        if self.entries.is_empty() && !self.path.exists() {
            return Ok(());
        }
        let line = |name: &str, value: &str| format!("{name}: {}\n", serde_json::Value::from(value));
        let mut text = String::from(HEAD);
        for entry in &self.entries {
            text.push_str(&format!("- {}  {}", line("secret", &entry.secret), line("reader", &entry.reader)));
            text.push_str(&format!("  {}", line("since", &entry.since)));
            for (name, value) in
                [("print", entry.print.as_ref().map(ToString::to_string)), ("done", entry.done.clone())]
            {
                text.push_str(&value.map(|value| format!("  {}", line(name, &value))).unwrap_or_default());
            }
        }
        if fs::read_to_string(&self.path).is_ok_and(|old| old == text) { Ok(()) } else { save(&self.path, &text) }
    }
}

/// What is kept of a value, to tell later whether it was changed.
pub fn print(key: &FingerprintKey, secret: &Secret) -> Fingerprint {
    key.fingerprint(&format!("burned {}", secret.name()), &Rendered::secret(secret.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::ProjectKey;

    #[test]
    fn an_entry_is_done_when_its_secret_has_another_value() {
        let folder = tempfile::tempdir().unwrap();
        let key = ProjectKey::new(&[7; 32]).fingerprint_key();
        let mut list = BurnList::read(folder.path()).unwrap();
        list.write().unwrap();
        assert!(!folder.path().join(FILE).exists(), "nothing to be written");
        let entry = |name: &str, value: Option<&str>| Burned {
            secret: name.into(),
            reader: "age1left".into(),
            since: "2026-11-27".into(),
            print: value.map(|value| print(&key, &Secret::new(name, value))),
            done: None,
        };
        for (name, value) in
            [("gw/token", Some("old")), ("db/same", Some("same")), ("a: \"b\"\n", None), ("gone", Some("x"))]
        {
            list.add(entry(name, value));
        }
        list.add(entry("gw/token", Some("old")));
        list.write().unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("old\"") && text.matches("- secret").count() == 4, "{text}");
        let mut again = BurnList::read(folder.path()).unwrap();
        assert_eq!(again.entries, list.entries);
        again.compare(&key, "2026-11-28", |name| match name {
            "gw/token" => Some(Secret::new("x", "new")),
            "db/same" => Some(Secret::new("x", "same")),
            _ => None,
        });
        let open: Vec<&str> = again.open().map(|entry| entry.secret.as_str()).collect();
        assert_eq!(open, ["db/same", "a: \"b\"\n", "gone"]);
        assert_eq!(again.settle(&["gone".into()], "2026-11-29"), 1);
        assert_eq!(again.entries[3].done.as_deref(), Some("2026-11-29"));
    }

    #[test]
    fn a_list_that_cannot_be_understood_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["- secret: a\n", "secret: a\n", "- 7\n", "x"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(BurnList::read(folder.path()).is_err(), "{text}");
        }
        fs::write(folder.path().join(FILE), HEAD).unwrap();
        assert!(BurnList::read(folder.path()).unwrap().entries.is_empty());
    }
}
