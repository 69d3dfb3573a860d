//! Owns the fingerprints of what holds secrets on hosts, by which a machine tells without any secret whether a host still
//! has what it should have.
//!
//! A line says of one field of one resource of one host what was wanted and what that was. The first is a fingerprint of
//! the text with stand-ins, which everybody can make who has the fingerprint key: where it is another one today, the line
//! is of yesterday and says nothing. The second is a fingerprint of the text itself, bound to
//! the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::{Fault, FaultKind};
use super::save::save;
use super::spell;
use crate::model::{HostName, ResourceId};
use crate::secret::{Fingerprint, FingerprintKey, Piece, Rendered};
use crate::yaml::{self, Dialect, Node, Value};

/// Its name in the folder of the store.
pub const PRINTS: &str = ".fingerprints.yaml";
const HEAD: &str = "# Written by `rempart secrets fingerprints`: by these a machine that holds the fingerprint key alone tells\n\
                    # whether what holds a secret is as it should be. Nothing can be made of them without that key.\n";

/// The fingerprints of a store.
#[derive(Debug)]
pub struct Prints {
    path: PathBuf,
    key: FingerprintKey,
    // By host, then by resource and field.
    lines: BTreeMap<String, BTreeMap<String, Line>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    wanted: Fingerprint,
    text: Fingerprint,
}

impl Prints {
    /// None yet.
    pub fn new(folder: &Path, key: FingerprintKey) -> Self {
        Self { path: folder.join(PRINTS), key, lines: BTreeMap::new() }
    }

    /// Reads them.
    ///
    /// # Errors
    /// There are none, they cannot be understood, or they were made with another key.
    pub fn read(folder: &Path, key: FingerprintKey) -> Result<Self, Fault> {
        let mut prints = Self::new(folder, key);
        let place = prints.path.display().to_string();
        let again = "make them anew with `rempart secrets fingerprints`, where a key opens the store";
        let told = |kind, summary, why: &str| Fault::new(kind, summary, why, again).within(&place);
        if prints.path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(told(FaultKind::Missing, "there are no fingerprints", "nobody wrote any"));
        }
        let root = yaml::parse(&yaml::read(&prints.path)?, Dialect::Inventory)?;
        let wrong = |node: &Node| {
            Fault::new(FaultKind::Format, "the fingerprints cannot be understood", "not as rempart writes it", again)
                .at(&node.place, "")
        };
        let id = root.get("made_with").and_then(text_of).ok_or_else(|| wrong(&root))?;
        if id != prints.key.id() {
            let why = format!("they are of the key {id}, and the one at hand is {}", prints.key.id());
            return Err(told(FaultKind::SealForeign, "fingerprints of another key", &why));
        }
        let hosts = root.get("hosts").ok_or_else(|| wrong(&root))?;
        let Value::Map(hosts) = &hosts.value else { return Err(wrong(hosts)) };
        for host in hosts {
            let Value::List(lines) = &host.node.value else { return Err(wrong(&host.node)) };
            for line in lines {
                let mut words = text_of(line).unwrap_or_default().splitn(3, ' ');
                let (Some(wanted), Some(text), Some(what)) = (words.next(), words.next(), words.next()) else {
                    return Err(wrong(line));
                };
                let known = Line { wanted: Fingerprint::kept(wanted), text: Fingerprint::kept(text) };
                prints.lines.entry(host.key.clone()).or_default().insert(what.to_owned(), known);
            }
        }
        Ok(prints)
    }

    /// Notes a text that is wanted. Says whether it did: not where a secret is locked, and not where none is of a store,
    /// since everybody has those who has the text.
    pub fn note(&mut self, host: &HostName, id: &ResourceId, field: &str, wanted: &Rendered) -> bool {
        let of_store = |piece: &Piece| matches!(piece, Piece::Secret(secret) if secret.stand_in().is_some());
        if !wanted.pieces().iter().any(of_store) {
            return false;
        }
        let (Some(stand_in), None) = (wanted.stand_in(), wanted.locked()) else { return false };
        let today = self.key.fingerprint_of(&format!("wanted {host} {id} {field}"), stand_in.as_bytes());
        let text = self.key.fingerprint(&purpose_of_text(host, id, field, &today), wanted);
        let line = Line { wanted: today, text };
        self.lines.entry(host.to_string()).or_default().insert(format!("{id} {field}"), line);
        true
    }

    /// Whether bytes of a host are the wanted text.
    ///
    /// # Errors
    /// Why the fingerprints do not tell.
    pub fn judge(
        &self,
        host: &HostName,
        id: &ResourceId,
        field: &str,
        wanted: &Rendered,
        seen: &[u8],
    ) -> Result<bool, String> {
        let Some(line) = self.lines.get(host.as_str()).and_then(|lines| lines.get(&format!("{id} {field}"))) else {
            return Err("it has no fingerprint yet: run `rempart secrets fingerprints`".into());
        };
        let stand_in = wanted.stand_in();
        let now = stand_in.map(|text| self.key.fingerprint_of(&format!("wanted {host} {id} {field}"), text.as_bytes()));
        if now.as_ref() != Some(&line.wanted) {
            let why = "its fingerprint is of before the secret or the text around it was changed: run `rempart secrets fingerprints`";
            return Err(why.into());
        }
        Ok(self.key.fingerprint_of(&purpose_of_text(host, id, field, &line.wanted), seen) == line.text)
    }

    /// Takes over what was noted of a resource before; says whether anything was.
    pub fn keep(&mut self, before: &Prints, host: &HostName, id: &ResourceId) -> bool {
        let of_it = format!("{id} ");
        let lines = before.lines.get(host.as_str()).into_iter().flatten();
        let kept: Vec<(String, Line)> = lines
            // Another resource's name may begin with this one's.
            .filter(|(what, _)| what.strip_prefix(&of_it).is_some_and(|field| !field.contains(' ')))
            .map(|(what, line)| (what.clone(), line.clone()))
            .collect();
        let any = !kept.is_empty();
        if any {
            self.lines.entry(host.to_string()).or_default().extend(kept);
        }
        any
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Writes them, sorted, in the place of those that are there. Says whether any was changed.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self) -> Result<bool, Fault> {
        let quoted = |text: &str| spell::quoted(text).as_str().to_owned();
        let mut text = format!(
            "{HEAD}made_with: {}\nhosts:{}\n",
            quoted(&self.key.id()),
            if self.is_empty() { " {}" } else { "" }
        );
        for (host, lines) in &self.lines {
            text.push_str(&format!("  {}:\n", quoted(host)));
            for (what, line) in lines {
                text.push_str(&format!("  - {}\n", quoted(&format!("{} {} {what}", line.wanted, line.text))));
            }
        }
        if std::fs::read_to_string(&self.path).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        save(&self.path, &text)?;
        Ok(true)
    }
}

// Both halves of a line are of one time: nobody puts an older one beside the newest `wanted`.
fn purpose_of_text(host: &HostName, id: &ResourceId, field: &str, wanted: &Fingerprint) -> String {
    format!("text {host} {id} {field} {wanted}")
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{ProjectKey, Secret};

    fn key(byte: u8) -> FingerprintKey {
        ProjectKey::new(&[byte; 32]).fingerprint_key()
    }

    fn host(name: &str) -> HostName {
        HostName::new(name)
    }

    fn text(secret: Secret) -> Rendered {
        Rendered::from_pieces(vec![Piece::Plain("PW=".into()), Piece::Secret(secret), Piece::Plain("\n".into())])
    }

    fn open(stand_in: &str) -> Rendered {
        text(Secret::new("gw/token", "12").with_stand_in(stand_in.into()))
    }

    fn shut(stand_in: &str) -> Rendered {
        text(Secret::locked("gw/token", "no key").with_stand_in(stand_in.into()))
    }

    #[test]
    fn what_is_as_noted_is_told_from_what_is_not_and_from_what_nobody_knows() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Prints::read(folder.path(), key(1)).unwrap_err().kind, FaultKind::Missing);
        let (web1, env) = (host("web1"), ResourceId::new("file", "/etc/\u{7f}\"a: b\\"));
        let mut prints = Prints::new(folder.path(), key(1));
        assert!(prints.write().unwrap() && !prints.write().unwrap());
        assert_eq!(Prints::read(folder.path(), key(1)).unwrap().len(), 0);
        assert!(prints.note(&web1, &env, "content", &open("v1")));
        assert!(!prints.note(&web1, &env, "other", &shut("v1")), "nobody knows what it is");
        assert!(!prints.note(&web1, &env, "other", &text(Secret::new("pw", "12"))), "it is in no store");
        assert!(prints.write().unwrap());
        let raw = std::fs::read_to_string(folder.path().join(PRINTS)).unwrap();
        assert!(!raw.contains("12\\n") && !raw.contains("PW="), "{raw}");

        let prints = Prints::read(folder.path(), key(1)).unwrap();
        assert_eq!(prints.len(), 1);
        for wanted in [shut("v1"), open("v1")] {
            assert_eq!(prints.judge(&web1, &env, "content", &wanted, b"PW=12\n"), Ok(true));
            for seen in ["PW=13\n", "PW=12", "", "PW=12\n\n", "PW=v1\n", "PW=locked\n"] {
                assert_eq!(prints.judge(&web1, &env, "content", &wanted, seen.as_bytes()), Ok(false), "{seen:?}");
            }
        }
        let none = text(Secret::locked("gw/token", "no key"));
        let (v1, v2) = (shut("v1"), shut("v2"));
        let nothing = |known: Result<bool, String>| assert!(known.is_err(), "{known:?}");
        let (web2, other) = (HostName::new("web2"), ResourceId::new("file", "/etc/b"));
        nothing(prints.judge(&web1, &env, "content", &v2, b"PW=12\n"));
        nothing(prints.judge(&web1, &env, "content", &none, b"PW=12\n"));
        nothing(prints.judge(&web1, &env, "mode", &v1, b"PW=12\n"));
        nothing(prints.judge(&web2, &env, "content", &v1, b"PW=12\n"));
        nothing(prints.judge(&web1, &other, "content", &v1, b"PW=12\n"));
        assert_eq!(Prints::read(folder.path(), key(2)).unwrap_err().kind, FaultKind::SealForeign);
    }

    #[test]
    fn a_line_is_of_one_host_one_resource_and_one_field() {
        let folder = tempfile::tempdir().unwrap();
        let mut prints = Prints::new(folder.path(), key(1));
        let (web1, a) = (host("web1"), ResourceId::new("file", "/a"));
        prints.note(&web1, &a, "content", &open("v1"));
        prints.write().unwrap();
        let raw = std::fs::read_to_string(folder.path().join(PRINTS)).unwrap();
        for (from, to) in [("web1", "web2"), ("file:/a", "file:/b"), ("a content", "a other")] {
            std::fs::write(folder.path().join(PRINTS), raw.replace(from, to)).unwrap();
            let moved = Prints::read(folder.path(), key(1)).unwrap();
            let id = if from == "file:/a" { ResourceId::new("file", "/b") } else { a.clone() };
            let (on, field) = (
                if from == "web1" { host("web2") } else { web1.clone() },
                if to == "a other" { "other" } else { "content" },
            );
            assert!(moved.judge(&on, &id, field, &shut("v1"), b"PW=12\n").is_err(), "{from}");
        }
        // The newest `wanted` beside the text of before: as if the host had what it should, with yesterday's secret.
        let line = |prints: &Prints| prints.lines["web1"]["file:/a content"].clone();
        let old = line(&prints);
        let newer = text(Secret::new("gw/token", "13").with_stand_in("v2".into()));
        assert!(prints.note(&web1, &a, "content", &newer));
        let mixed = Line { wanted: line(&prints).wanted, text: old.text };
        prints.lines.get_mut("web1").unwrap().insert("file:/a content".into(), mixed);
        for seen in ["PW=12\n", "PW=13\n"] {
            assert_eq!(prints.judge(&web1, &a, "content", &shut("v2"), seen.as_bytes()), Ok(false), "{seen}");
        }
        for bad in ["", "[]", "made_with: 1\n", "hosts: {}\n", "made_with: x\nhosts: []\n"] {
            std::fs::write(folder.path().join(PRINTS), bad).unwrap();
            assert!(Prints::read(folder.path(), key(1)).is_err(), "{bad:?}");
        }
    }
}
