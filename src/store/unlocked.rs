//! Owns an opened file: its values, changes to it, and the text it is written as.
//!
//! A change touches the bytes of what changes, and no others; at the end the seal, the time and the MAC.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::ask::Ask;
use super::cipher::{DataKey, Sealed, seal as encrypt};
use super::fault::{Fault, FaultKind, hint};
use super::key_path::KeyPath;
use super::locked::{Locked, Value, bound_to, is_metadata, keys, mac, scalar, values};
use super::metadata::{self, Metadata};
use super::recipient::{self, Recipient};
use super::seal;
use super::selection::Selection;
use super::spell;
use super::value::{Kind, Plain};
use crate::model::utc;
use crate::secret::{ProjectKey, Secret};
use crate::yaml::{Outline, Shape, Step, outline};

/// How far SOPS indents.
pub(super) const INDENT: usize = 4;
/// The version of SOPS whose format is written. It stands in new files only.
const VERSION: &str = "3.10.2";

/// A file of the store that is open.
pub struct Unlocked {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) outline: Outline,
    pub(super) metadata: Metadata,
    pub(super) key: DataKey,
    pub(super) plains: HashMap<Vec<Step>, Plain>,
    pub(super) changed: bool,
    trusted: bool,
    outdone: u64,
}

impl Unlocked {
    pub(super) fn opened(locked: &Locked, key: DataKey, plains: Vec<(Vec<Step>, Plain)>) -> Self {
        Self {
            name: locked.name.clone(),
            text: locked.source.text.clone(),
            outline: locked.outline.clone(),
            metadata: locked.metadata.clone(),
            key,
            plains: plains.into_iter().collect(),
            changed: false,
            trusted: false,
            outdone: 0,
        }
    }

    /// A new file without a secret, with a data key of its own.
    ///
    /// # Errors
    /// A recipient that cannot be encrypted for.
    pub fn create(
        name: &str,
        recipients: &[Recipient],
        selection: &Selection,
        ask: &Arc<dyn Ask>,
    ) -> Result<Self, Fault> {
        let key = DataKey::random()?;
        let pad = " ".repeat(INDENT);
        let (rule, pattern) = selection.rule();
        let only =
            if selection.mac_only_encrypted { format!("{pad}mac_only_encrypted: true\n") } else { String::new() };
        let text = format!(
            "sops:\n{pad}age:\n{pad}{pad}{}\n{pad}lastmodified: \"1970-01-01T00:00:00Z\"\n{pad}mac: ENC[]\n{pad}{rule}: {}\n{only}{pad}version: {VERSION}\n",
            entries(&key, recipients, 2 * INDENT, ask)?,
            spell::key(pattern),
        );
        let outline = outline(&text).map_err(|fault| unwritable(fault.what))?;
        let metadata = Metadata::read(&outline)?;
        let plains = HashMap::new();
        Ok(Self {
            name: name.to_owned(),
            text,
            outline,
            metadata,
            key,
            plains,
            changed: true,
            trusted: true,
            outdone: 0,
        })
    }

    /// The names of its secrets, in the order of the file; without the seal.
    pub fn paths(&self) -> Vec<KeyPath> {
        let mine = values(&self.outline, &self.metadata).filter(|value| !is_seal(&value.part.path));
        mine.map(|value| KeyPath::of(&value.part.path)).collect()
    }

    /// One secret, named by its path.
    ///
    /// # Errors
    /// There is none, with what it may have been meant to be; or it is no text.
    pub fn get(&self, path: &KeyPath) -> Result<Secret, Fault> {
        let steps = self.steps(path).filter(|steps| !is_seal(steps)).ok_or_else(|| self.missing(path))?;
        let plain = self.plains.get(&steps).ok_or_else(|| self.missing(path))?;
        let text = plain.text().ok_or_else(|| {
            let fix = "encrypt it in base64";
            Fault::new(FaultKind::Unsupported, "a secret that is no text", path.to_string(), fix)
        })?;
        Ok(Secret::new(path.to_string(), text.as_str()))
    }

    /// The type of a secret; tests of the format compare it with what SOPS says.
    pub fn kind(&self, path: &KeyPath) -> Option<Kind> {
        self.steps(path).and_then(|steps| self.plains.get(&steps)).map(|plain| plain.kind)
    }

    /// Sets a secret to a text. The maps on its path are made where they are missing. The same text changes nothing.
    ///
    /// # Errors
    /// The path leads through a value, or it is kept for the file itself.
    pub fn set(&mut self, path: &KeyPath, secret: &Secret) -> Result<(), Fault> {
        self.set_typed(path, Kind::Str, secret)
    }

    /// Sets a secret to a value of another type, written as YAML writes it.
    ///
    /// # Errors
    /// As with [`Unlocked::set`]; and the text is no value of this type.
    pub fn set_typed(&mut self, path: &KeyPath, kind: Kind, secret: &Secret) -> Result<(), Fault> {
        let bytes = Zeroizing::new(secret.reveal().as_bytes().to_vec());
        let plain = Plain::checked(kind, bytes).filter(|plain| plain.kind != Kind::Comment).ok_or_else(|| {
            let detail = format!("`{path}` is to be of type {}", kind.word());
            Fault::new(FaultKind::Format, "a value of another type", detail, "give a value of this type")
        })?;
        if path.parts().first().is_some_and(|first| first == metadata::SECTION || first == seal::KEY) {
            let fix = "choose another name";
            return Err(Fault::new(
                FaultKind::Format,
                "a name that is kept for the file itself",
                path.to_string(),
                fix,
            ));
        }
        self.put(path, plain)
    }

    /// Whether a secret at this path is encrypted, or would be: a part that is a number may be an item of a list, of which
    /// no rule speaks.
    ///
    /// # Errors
    /// The file's rule leaves it out, so that everybody could read it.
    pub fn is_encrypted(&self, path: &KeyPath) -> Result<(), Fault> {
        let mut steps: Vec<Step> = Vec::new();
        for part in path.parts() {
            let step = self.step(&steps, part).unwrap_or_else(|| Step::Key(part.clone()));
            steps.push(step);
        }
        if self.metadata.selection.takes(keys(&steps)) {
            return Ok(());
        }
        let (rule, pattern) = self.metadata.selection.rule();
        let detail = format!(
            "{} encrypts by {rule} {pattern}, which leaves `{path}` as it is: anybody could read it",
            self.name
        );
        let fix = "choose a name that the rule takes; what need not be secret is written with `rempart secrets edit`";
        Err(Fault::new(FaultKind::PlainValue, "a secret that would not be encrypted", detail, fix))
    }

    // The text after a change. It must hold what is expected, or everything stays as it was: the layout of the file is then
    // one in which this change cannot be made.
    pub(super) fn take(&mut self, text: String, plains: HashMap<Vec<Step>, Plain>) -> Result<(), Fault> {
        let outline = outline(&text).map_err(|fault| unwritable(fault.what))?;
        let metadata = Metadata::read(&outline)?;
        let there = values(&outline, &metadata).count();
        let kept = |value: Value<'_>| match (&value.part.shape, plains.get(&value.part.path)) {
            (Shape::Scalar { text, style }, Some(plain)) => value.encrypted || scalar(text, *style).same_as(plain),
            _ => false,
        };
        if there != plains.len() || !values(&outline, &metadata).all(kept) {
            return Err(unwritable("the file would not hold what it should"));
        }
        (self.text, self.outline, self.metadata) = (text, outline, metadata);
        (self.plains, self.changed) = (plains, true);
        Ok(())
    }

    /// Encrypts everything anew, with a new data key, for these recipients and nobody else. What the old ones have seen
    /// they know: those secrets must be changed at their source.
    ///
    /// # Errors
    /// A recipient that cannot be encrypted for, or one of another kind than age in the file.
    pub fn rekey(&mut self, recipients: &[Recipient], ask: &Arc<dyn Ask>) -> Result<(), Fault> {
        if !self.metadata.others.is_empty() {
            let detail = self.metadata.others.join(", ");
            let fix = "use `sops rotate`, or take them out of the file";
            let summary = "recipients that rempart cannot encrypt for";
            return Err(Fault::new(FaultKind::Unsupported, summary, detail, fix));
        }
        let key = DataKey::random()?;
        let Some(list) = self.outline.part(&self.metadata.entries_at) else {
            return Err(unwritable("the list of recipients is not where it was"));
        };
        let column = self.column(list.value.start);
        let mut edits = vec![(list.value.clone(), entries(&key, recipients, column, ask)?)];
        for remark in &self.outline.remarks {
            let raw = &self.text[remark.range.clone()];
            if let Some(plain) = self.remark(raw, &remark.path) {
                let sealed = encrypt(&plain, &key, &bound_to(&remark.path))?;
                edits.push((remark.range.clone(), format!("#{sealed}")));
            }
        }
        for value in values(&self.outline, &self.metadata).filter(|value| value.encrypted) {
            if let Some(plain) = self.plains.get(&value.part.path).filter(|plain| !plain.bytes.is_empty()) {
                edits.push((value.part.value.clone(), encrypt(plain, &key, &bound_to(&value.part.path))?));
            }
        }
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.text.clone();
        for (range, new) in edits {
            text.replace_range(range, &new);
        }
        self.take(text, self.plains.clone())?;
        self.key = key;
        Ok(())
    }

    /// An encrypted comment, opened. SOPS binds it to the map it belongs to, and which one that is can be told in more
    /// than one way; so each map above it is tried.
    pub(super) fn remark(&self, raw: &str, path: &[Step]) -> Option<Plain> {
        let sealed = Sealed::parse(raw.strip_prefix('#')?)?;
        let above = (0..=path.len()).rev().find_map(|depth| sealed.open(&self.key, &bound_to(&path[..depth])));
        let any = || self.outline.parts.iter().find_map(|part| sealed.open(&self.key, &bound_to(&part.path)));
        above.or_else(any).filter(|plain| plain.kind == Kind::Comment)
    }

    /// Whether there is something to write.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The generation that the seal names, and proof that the file is as somebody with the project key left it. To be
    /// asked before anything is changed: only a file that was proved, or that a person trusts, can be written.
    ///
    /// # Errors
    /// There is no seal, or which part of the file does not fit it.
    pub fn prove(&mut self, key: &ProjectKey) -> Result<u64, Fault> {
        let generation = self.proved(key)?;
        self.trusted = true;
        Ok(generation)
    }

    /// The generation that its seal names, not proved; 0 without a seal.
    pub fn generation(&self) -> u64 {
        self.seal().and_then(|text| seal::generation(&text)).unwrap_or(0)
    }

    /// What tells this version from another one of the same generation; empty without a seal.
    pub fn version(&self) -> String {
        self.seal().map(|text| seal::version(&text)).unwrap_or_default()
    }

    /// The generation to be written is newer than this one, whatever the file says of itself.
    pub fn outdo(&mut self, generation: u64) {
        self.outdone = self.outdone.max(generation);
        self.changed |= self.generation() < generation;
    }

    /// Somebody looked at the file and takes it as it is, such as after `sops` wrote it.
    pub fn trust(&mut self) {
        self.trusted = true;
    }

    fn proved(&self, key: &ProjectKey) -> Result<u64, Fault> {
        let Some(text) = self.seal() else {
            let detail = "it bears no seal of the project: it was written with `sops`, or by somebody who only knows the recipients";
            let fix = "look at what it holds, then seal it";
            return Err(Fault::new(FaultKind::Unsealed, "the file is not sealed", detail, fix).within(&self.name));
        };
        seal::prove(&text, &self.content(), key).map_err(|fault| fault.within(&self.name))
    }

    fn seal(&self) -> Option<Zeroizing<String>> {
        self.plains.get(&vec![Step::Key(seal::KEY.into())]).and_then(Plain::text)
    }

    fn content(&self) -> seal::Content {
        let (rule, pattern) = self.metadata.selection.rule();
        let only = if self.metadata.selection.mac_only_encrypted { "1" } else { "0" };
        let names = self.metadata.entries.iter().map(|entry| entry.recipient.as_bytes());
        let others = self.metadata.others.iter().map(|other| other.as_bytes());
        let mut bytes = Zeroizing::new(Vec::new());
        for part in self.outline.parts.iter().filter(|part| !is_metadata(&part.path) && !is_seal(&part.path)) {
            let steps = part.path.iter().map(|step| match step {
                Step::Key(key) => [b"k", key.as_bytes()].concat(),
                Step::Item(at) => format!("i{at}").into_bytes(),
            });
            let steps: Vec<Vec<u8>> = steps.collect();
            seal::push(&mut bytes, &seal::list(steps.iter().map(Vec::as_slice)));
            match (&part.shape, self.plains.get(&part.path)) {
                (Shape::Map, _) => seal::push(&mut bytes, b"map"),
                (Shape::List, _) => seal::push(&mut bytes, b"list"),
                (Shape::Scalar { .. }, Some(plain)) => {
                    seal::push(&mut bytes, plain.kind.word().as_bytes());
                    seal::push(&mut bytes, &plain.bytes);
                }
                (Shape::Scalar { .. }, None) => seal::push(&mut bytes, b"none"),
            }
        }
        seal::Content {
            name: self.name.clone().into_bytes(),
            recipients: seal::list(names.chain(others)),
            rules: seal::list([rule.as_bytes(), pattern.as_bytes(), only.as_bytes()]),
            values: bytes,
        }
    }

    /// The text to write: sealed with the project key, with the time and the MAC of now. A file that was not changed and
    /// whose seal holds is given back byte by byte.
    ///
    /// # Errors
    /// Nobody proved or trusted the file as it was read, or random bytes are not to be had.
    pub fn write(&mut self, key: &ProjectKey) -> Result<String, Fault> {
        if !self.changed && self.proved(key).is_ok() {
            return Ok(self.text.clone());
        }
        if !self.trusted {
            let fix = "look at what it holds; then say that it is right";
            let summary = "a file that was not proved is not sealed";
            return Err(Fault::new(FaultKind::Unsealed, summary, self.name.clone(), fix));
        }
        let before = self.generation().max(self.outdone);
        let text = seal::write(&self.content(), before.saturating_add(1), key);
        self.put_seal(&text)?;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = utc(seconds).replacen(' ', "T", 1).replace(" UTC", "Z");
        self.put_metadata("lastmodified", &format!("\"{now}\""))?;
        let plains = values(&self.outline, &self.metadata)
            .filter_map(|value| Some((value.part.path.as_slice(), self.plains.get(&value.part.path)?)));
        let mac = mac(plains, &self.metadata);
        let sealed = encrypt(&Plain::new(Kind::Str, mac.as_bytes()), &self.key, &now)?;
        self.put_metadata("mac", &sealed)?;
        self.changed = false;
        Ok(self.text.clone())
    }

    fn put_seal(&mut self, text: &str) -> Result<(), Fault> {
        let path = KeyPath::of(&[Step::Key(seal::KEY.into())]);
        self.put(&path, Plain::new(Kind::Str, text.as_bytes()))
    }

    fn put_metadata(&mut self, key: &str, written: &str) -> Result<(), Fault> {
        let Some(part) = self.outline.part(&metadata::path(&[key])) else {
            return Err(unwritable("a part is missing"));
        };
        let mut text = self.text.clone();
        text.replace_range(part.value.clone(), written);
        self.take(text, self.plains.clone())
    }

    /// The steps of a path, where it leads to something.
    pub(super) fn steps(&self, path: &KeyPath) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        for part in path.parts() {
            let step = self.step(&steps, part)?;
            steps.push(step);
        }
        (!is_metadata(&steps)).then_some(steps)
    }

    pub(super) fn step(&self, steps: &[Step], part: &str) -> Option<Step> {
        let key = Step::Key(part.to_owned());
        let mut here = self.outline.children(steps).map(|child| &child.path[steps.len()]);
        let item = part.parse().ok().map(Step::Item);
        here.find(|step| **step == key || Some(*step) == item.as_ref()).cloned()
    }

    pub(super) fn missing(&self, path: &KeyPath) -> Fault {
        let known: Vec<String> = self.paths().iter().map(KeyPath::to_string).collect();
        let hint = hint(&path.to_string(), known.iter().map(String::as_str));
        let detail = format!("{} has no `{path}`{hint}", self.name);
        let fix = "`rempart secrets list` names all that are there";
        Fault::new(FaultKind::Missing, "no such secret", detail, fix)
    }
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlocked({})", self.name)
    }
}

pub(super) fn is_seal(path: &[Step]) -> bool {
    matches!(path.first(), Some(Step::Key(key)) if key == seal::KEY)
}

pub(super) fn unwritable(detail: &str) -> Fault {
    let fix = "use a plainer layout: block style, a key a line; please report it";
    Fault::new(FaultKind::Write, "the file cannot be changed", detail, fix)
}

// The list of recipients, from its first dash on; the lines after the first begin at `column`.
fn entries(key: &DataKey, recipients: &[Recipient], column: usize, ask: &Arc<dyn Ask>) -> Result<String, Fault> {
    if recipients.is_empty() {
        let fix = "name at least one, in .sops.yaml";
        return Err(Fault::new(FaultKind::Recipient, "no recipient", "nobody could open the file", fix));
    }
    let pad = " ".repeat(column);
    let mut all = Vec::new();
    for one in recipients {
        let armored = recipient::encrypt(key.bytes(), std::slice::from_ref(one), true, ask)?;
        let lines = String::from_utf8_lossy(&armored);
        let lines: Vec<String> = lines.trim_end().lines().map(|line| format!("{pad}    {line}")).collect();
        all.push(format!("- recipient: {one}\n{pad}  enc: |\n{}", lines.join("\n")));
    }
    Ok(all.join(&format!("\n{pad}")))
}
