//! Owns the burn list: secrets that somebody could read who may not any more, until each was changed.
//!
//! It stands beside the store as plain YAML, one entry a secret and reader. No value stands in it, only a fingerprint of
//! what the value was, so that a change of it can be told.

use std::fs;
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind};
use super::save::save;
use super::spell;
use crate::secret::{Fingerprint, ProjectKey, Rendered, Secret};
use crate::yaml::{self, Dialect, Node};

/// Its name in the folder of the store.
pub(super) const FILE: &str = ".burned.yaml";
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
    pub print: Option<Print>,
    /// When it was changed, or somebody said that nothing is left to be done.
    pub done: Option<String>,
    /// Whether it had the burned value still when somebody said so.
    pub unchanged: bool,
}

/// What a value was, and with the fingerprint key of which project key that was written. A print of another key says
/// nothing about whether the value is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// The id of the project key. `None` = it does not say, so it can be compared with nothing.
    pub key: Option<String>,
    /// The fingerprint.
    pub print: Fingerprint,
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
        // A link that leads nowhere is no missing list.
        if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(Self { path, entries: Vec::new() });
        }
        let source = yaml::read(&path)?;
        if source.text.trim().is_empty() {
            let fix = "take the file from its last version (`git diff` shows the change)";
            let detail = "it is empty, and rempart never writes an empty one: nobody knows what must be changed";
            return Err(Fault::new(FaultKind::Format, "the burn list cannot be understood", detail, fix)
                .within(&path.display().to_string()));
        }
        let root = yaml::parse(&source, Dialect::Inventory)?;
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
            // Versions of before wrote the second word of each pair, which scanners take for a secret's name.
            let either = |now: &str, before: &str| Ok::<_, Fault>(text(now)?.or(text(before)?));
            entries.push(Burned {
                secret: either("name", "secret")?.map_or_else(|| needed("name"), Ok)?,
                reader: needed("reader")?,
                since: needed("since")?,
                print: text("print")?
                    .map(|print| {
                        Ok::<_, Fault>(Print { key: either("made_with", "key")?, print: Fingerprint::kept(print) })
                    })
                    .transpose()?,
                done: text("done")?,
                unchanged: text("unchanged")?.is_some(),
            });
        }
        if root.items().is_none() && !matches!(root.value, yaml::Value::Null) {
            return Err(wrong(&root, "this is no list"));
        }
        Ok(Self { path, entries })
    }

    /// What is still to be changed.
    pub fn open(&self) -> impl Iterator<Item = &Burned> {
        self.entries.iter().filter(|entry| entry.done.is_none())
    }

    /// Notes that a secret could be read by somebody: once for each of them and each value. One that was said to be done,
    /// and is not, is open again.
    pub fn add(&mut self, entry: Burned) {
        let same = |old: &Burned| old.secret == entry.secret && old.reader == entry.reader;
        let of_value = |old: &Burned| same(old) && old.print.is_some() && old.print == entry.print;
        if let Some(old) = self.entries.iter_mut().find(|old| of_value(old)) {
            (old.done, old.unchanged) = (None, false);
            return;
        }
        match self.entries.iter_mut().find(|old| same(old) && old.done.is_none()) {
            // What cannot be read now is known from when it could be.
            Some(old) => old.print = entry.print.or_else(|| old.print.take()),
            None => self.entries.push(entry),
        }
    }

    /// Notes which values secrets have got: one that is another than the burned one is the end of the entry, and the burned
    /// one once more makes it open again. Says whether anything changed.
    pub fn set_anew(&mut self, key: &ProjectKey, day: &str, secrets: &[(String, Secret)]) -> bool {
        let before = self.entries.clone();
        for entry in &mut self.entries {
            let Some((name, now)) = secrets.iter().find(|(name, _)| *name == entry.secret) else { continue };
            if entry.print.as_ref() == Some(&print(key, &now.renamed(name))) {
                (entry.done, entry.unchanged) = (None, false);
            } else if entry.done.is_none() || entry.unchanged {
                (entry.done, entry.unchanged) = (Some(day.to_owned()), false);
            }
        }
        self.entries != before
    }

    /// Notes that nothing is left to be done of secrets, since somebody says so; `now` is what they are, where that is known.
    /// Says how many entries that was the end of.
    pub fn settle(&mut self, secrets: &[String], day: &str, now: Option<&Print>) -> usize {
        let mut settled = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.done.is_none() && secrets.contains(&entry.secret)) {
            entry.done = Some(day.to_owned());
            entry.unchanged = entry.print.is_some() && entry.print.as_ref() == now;
            settled += 1;
        }
        settled
    }

    /// Compares with what the secrets are now: an entry whose secret has another value is done. A secret that cannot be
    /// read, of which nobody knows what it was, or whose print is one of another key, stays as it is.
    pub fn compare(&mut self, key: &ProjectKey, day: &str, now: impl Fn(&str) -> Option<Secret>) {
        self.print_anew(key, key, day, now);
    }

    /// The same, and what stays open is printed with another key.
    pub fn print_anew(&mut self, old: &ProjectKey, new: &ProjectKey, day: &str, now: impl Fn(&str) -> Option<Secret>) {
        let id = Some(old.id());
        for entry in self.entries.iter_mut().filter(|entry| entry.done.is_none() || entry.unchanged) {
            let Some(was) = entry.print.as_ref().filter(|was| was.key == id) else { continue };
            let Some(is) = now(&entry.secret).map(|is| is.renamed(&entry.secret)) else { continue };
            if print(old, &is) == *was {
                entry.print = Some(print(new, &is));
            } else {
                (entry.done, entry.unchanged) = (Some(day.to_owned()), false);
            }
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self) -> Result<(), Fault> {
        if self.entries.is_empty() && self.path.symlink_metadata().is_err() {
            return Ok(());
        }
        let line = |name: &str, value: &str| format!("{name}: {}\n", spell::quoted(value).as_str());
        let mut text = String::from(HEAD);
        for entry in &self.entries {
            text.push_str(&format!("- {}  {}", line("name", &entry.secret), line("reader", &entry.reader)));
            text.push_str(&format!("  {}", line("since", &entry.since)));
            let print = entry.print.as_ref();
            for (name, value) in [
                ("print", print.map(|print| print.print.to_string())),
                ("made_with", print.and_then(|print| print.key.clone())),
                ("done", entry.done.clone()),
                ("unchanged", entry.unchanged.then(|| "yes".to_owned())),
            ] {
                text.push_str(&value.map(|value| format!("  {}", line(name, &value))).unwrap_or_default());
            }
        }
        if fs::read_to_string(&self.path).is_ok_and(|old| old == text) { Ok(()) } else { save(&self.path, &text) }
    }
}

/// What is kept of a value, to tell later whether it was changed.
pub fn print(key: &ProjectKey, secret: &Secret) -> Print {
    let print =
        key.fingerprint_key().fingerprint(&format!("burned {}", secret.name()), &Rendered::secret(secret.clone()));
    Print { key: Some(key.id()), print }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_done_when_its_secret_has_another_value() {
        let folder = tempfile::tempdir().unwrap();
        let key = ProjectKey::new(&[7; 32]);
        let mut list = BurnList::read(folder.path()).unwrap();
        list.write().unwrap();
        assert!(!folder.path().join(FILE).exists(), "nothing to be written");
        let entry = |name: &str, value: Option<&str>| Burned {
            secret: name.into(),
            reader: "age1left".into(),
            since: "2026-11-27".into(),
            print: value.map(|value| print(&key, &Secret::new(name, value))),
            done: None,
            unchanged: false,
        };
        for (name, value) in
            [("gw/token", Some("old")), ("db/same", Some("same")), ("a: \"b\"\n", None), ("gone", Some("x"))]
        {
            list.add(entry(name, value));
        }
        list.add(entry("gw/token", Some("old")));
        list.write().unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("old\"") && text.matches("- name").count() == 4, "{text}");
        let mut again = BurnList::read(folder.path()).unwrap();
        assert_eq!(again.entries, list.entries);
        again.compare(&key, "2026-11-28", |name| match name {
            "gw/token" => Some(Secret::new("x", "new")),
            "db/same" => Some(Secret::new("x", "same")),
            _ => None,
        });
        let open: Vec<&str> = again.open().map(|entry| entry.secret.as_str()).collect();
        assert_eq!(open, ["db/same", "a: \"b\"\n", "gone"]);
        assert_eq!(again.settle(&["gone".into()], "2026-11-29", None), 1);
        assert_eq!(again.entries[3].done.as_deref(), Some("2026-11-29"));
    }

    fn open(list: &BurnList) -> Vec<&str> {
        list.open().map(|entry| entry.secret.as_str()).collect()
    }

    #[test]
    fn a_print_of_another_key_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (ProjectKey::new(&[7; 32]), ProjectKey::new(&[8; 32]));
        let entry = |print: Option<Print>| Burned {
            secret: "gw/token".into(),
            reader: "age1left".into(),
            since: "2026-11-27".into(),
            print,
            done: None,
            unchanged: false,
        };
        let same = |_: &str| Some(Secret::new("x", "one"));
        let other = |_: &str| Some(Secret::new("x", "two"));
        let mut list = BurnList::read(folder.path()).unwrap();
        list.add(entry(Some(print(&old, &Secret::new("gw/token", "one")))));
        list.compare(&new, "2026-11-28", other);
        assert_eq!(open(&list), ["gw/token"], "it was printed with another key");
        // What cannot be read now keeps what is known of it.
        list.add(entry(None));
        list.print_anew(&old, &new, "2026-11-28", |_| None);
        assert_eq!(list.entries[0].print.as_ref().unwrap().key, Some(old.id()));
        list.print_anew(&old, &new, "2026-11-28", same);
        list.compare(&new, "2026-11-28", same);
        assert_eq!(open(&list), ["gw/token"]);
        list.compare(&new, "2026-11-28", other);
        assert!(open(&list).is_empty());
        // A print of before the keys stood there.
        fs::write(folder.path().join(FILE), "- secret: a/b\n  reader: r\n  since: s\n  print: '00'\n").unwrap();
        let mut list = BurnList::read(folder.path()).unwrap();
        list.compare(&new, "2026-11-28", other);
        assert_eq!(open(&list), ["a/b"]);
        // The words of before.
        fs::write(folder.path().join(FILE), "- secret: a/b\n  reader: r\n  since: s\n  print: '00'\n  key: k\n")
            .unwrap();
        let list = BurnList::read(folder.path()).unwrap();
        assert_eq!(list.entries[0].print.as_ref().unwrap().key.as_deref(), Some("k"));
        list.write().unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(text.contains("name: \"a/b\"") && text.contains("made_with: \"k\""), "{text}");
        assert_eq!(BurnList::read(folder.path()).unwrap().entries, list.entries);
    }

    #[test]
    fn the_burned_value_set_once_more_is_burned_still() {
        let folder = tempfile::tempdir().unwrap();
        let key = ProjectKey::new(&[7; 32]);
        let mut list = BurnList::read(folder.path()).unwrap();
        list.add(Burned {
            secret: "gw/token".into(),
            reader: "age1left".into(),
            since: "2026-11-27".into(),
            print: Some(print(&key, &Secret::new("gw/token", "one"))),
            done: None,
            unchanged: false,
        });
        let set = |list: &mut BurnList, value: &str| {
            list.set_anew(&key, "2026-11-28", &[("gw/token".into(), Secret::new("x", value))])
        };
        assert!(!set(&mut list, "one"));
        assert_eq!(open(&list), ["gw/token"]);
        assert!(set(&mut list, "two"));
        assert!(open(&list).is_empty());
        assert!(set(&mut list, "one"));
        assert_eq!(open(&list), ["gw/token"]);
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_is_not_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let mut list = BurnList::read(folder.path()).unwrap();
        list.add(Burned {
            secret: "gw/\u{7f}\u{85}\u{2028}\u{feff}\n\"x".into(),
            reader: "yes".into(),
            since: "2026-11-27".into(),
            print: None,
            done: None,
            unchanged: false,
        });
        list.write().unwrap();
        assert_eq!(BurnList::read(folder.path()).unwrap().entries, list.entries);
        for text in ["", "\n", "  \n"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(BurnList::read(folder.path()).is_err(), "{text:?}");
        }
        fs::remove_file(folder.path().join(FILE)).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join(FILE)).unwrap();
        assert!(BurnList::read(folder.path()).is_err());
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
