//! Owns a whole file as plain text, for an editor, and how it becomes an encrypted one again.
//!
//! Values and comments that did not change keep their ciphertext, so that a diff shows what was edited.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::cipher::seal as encrypt;
use super::fault::{Fault, FaultKind};
use super::key_path::KeyPath;
use super::locked::{bound_to, keys, scalar};
use super::metadata;
use super::seal;
use super::spell;
use super::unlocked::{INDENT, Unlocked, is_seal};
use super::value::{Kind, Plain};
use crate::yaml::{Outline, Shape, Step, outline};

/// What an edit did, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// Secrets that were not there.
    pub added: Vec<KeyPath>,
    /// Secrets with another value.
    pub changed: Vec<KeyPath>,
    /// Secrets that are gone.
    pub removed: Vec<KeyPath>,
}

impl Unlocked {
    /// The file without its encryption, its seal and its section. It is cleared when it is dropped.
    ///
    /// # Errors
    /// It holds a secret that is no text.
    pub fn plain_text(&self) -> Result<Zeroizing<String>, Fault> {
        let mut edits: Vec<(std::ops::Range<usize>, Zeroizing<String>)> = Vec::new();
        for part in &self.outline.parts {
            let Some(plain) = self.plains.get(&part.path) else { continue };
            if is_seal(&part.path) || !self.metadata.selection.takes(keys(&part.path)) || plain.kind == Kind::Null {
                continue;
            }
            if plain.text().is_none() {
                let fix = "take it out with `rempart secrets set`, as base64";
                let name = KeyPath::of(&part.path).to_string();
                return Err(Fault::new(FaultKind::Unsupported, "a secret that is no text", name, fix));
            }
            // Where a comment follows on the same line, a block would take it for its own.
            let rest = self.text[part.value.end..].lines().next().unwrap_or("");
            let indent = rest.trim().is_empty().then(|| self.column(part.start) + INDENT);
            edits.push((part.value.clone(), spell::value(plain, indent)));
        }
        for remark in &self.outline.remarks {
            let raw = &self.text[remark.range.clone()];
            if let Some(text) = self.remark(raw, &remark.path).and_then(|plain| plain.text()) {
                // A comment of several lines cannot stand on one.
                let line = Zeroizing::new(text.replace(['\n', '\r'], " "));
                edits.push((remark.range.clone(), Zeroizing::new(format!("#{}", line.as_str()))));
            }
        }
        for path in [metadata::path(&[]), vec![Step::Key(seal::KEY.into())]] {
            if let Some(part) = self.outline.part(&path) {
                edits.push((self.lines(part.start, part.value.end), Zeroizing::new(String::new())));
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        let most: usize = edits.iter().map(|(_, new)| new.len()).sum();
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + most));
        let mut at = 0;
        for (range, new) in &edits {
            text.push_str(self.text.get(at..range.start).unwrap_or(""));
            text.push_str(new);
            at = range.end.max(at);
        }
        text.push_str(self.text.get(at..).unwrap_or(""));
        Ok(text)
    }

    // The bytes of whole lines.
    fn lines(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        let next = self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline + 1);
        start - self.column(start)..next
    }

    /// Takes the file as a person left it in an editor.
    ///
    /// # Errors
    /// It is no YAML, or holds what the store does not know; the message names the line, and never what stands there.
    pub fn take_plain_text(&mut self, plain_text: &str) -> Result<Edited, Fault> {
        let fresh = outline(plain_text).map_err(|fault| {
            let line = plain_text.get(..fault.at).unwrap_or("").matches('\n').count() + 1;
            let detail = format!("line {line}: {}", fault.what);
            Fault::new(FaultKind::Format, "the edited text cannot be taken", detail, fault.fix)
        })?;
        for kept in [metadata::SECTION, seal::KEY] {
            if fresh.part(&[Step::Key(kept.into())]).is_some() {
                let fix = "remove it: it is put back by itself";
                return Err(Fault::new(FaultKind::Format, "a name that is kept for the file itself", kept, fix));
            }
        }
        let mut plains = HashMap::new();
        for part in &fresh.parts {
            if let Shape::Scalar { text, style } = &part.shape {
                let plain = scalar(text, *style);
                self.refuse_empty(&part.path, &plain)?;
                plains.insert(part.path.clone(), plain);
            }
        }
        let mut edits = self.edited_values(&fresh)?;
        let mut remarks = self.edited_remarks(plain_text, &fresh)?;
        // A comment behind the `|` of a block goes with the block.
        remarks.retain(|(range, _)| !edits.iter().any(|(value, _)| value.contains(&range.start)));
        edits.extend(remarks);
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = plain_text.to_owned();
        for (range, new) in edits {
            text.replace_range(range, &new);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let seal_path = vec![Step::Key(seal::KEY.into())];
        for path in [seal_path.clone(), metadata::path(&[])] {
            if let Some(part) = self.outline.part(&path) {
                text.push_str(&self.text[self.lines(part.start, part.value.end)]);
            }
        }
        let edited = compare(&self.plains, &plains);
        if let Some(plain) = self.plains.get(&seal_path) {
            plains.insert(seal_path, plain.clone());
        }
        if text != self.text {
            self.take(text, plains)?;
        }
        Ok(edited)
    }

    // One that was so before may stay; `set` takes none either.
    fn refuse_empty(&self, path: &[Step], plain: &Plain) -> Result<(), Fault> {
        let is_empty = plain.kind == Kind::Null || plain.bytes.is_empty();
        let is_old = || self.plains.get(path).is_some_and(|old| old.same_as(plain));
        if !is_empty || path.is_empty() || !self.metadata.selection.takes(keys(path)) || is_old() {
            return Ok(());
        }
        let fix = "give it a value, or take the whole line out";
        Err(Fault::new(FaultKind::Format, "an empty secret", KeyPath::of(path).to_string(), fix))
    }

    fn edited_values(&self, fresh: &Outline) -> Result<Vec<(std::ops::Range<usize>, String)>, Fault> {
        let mut edits = Vec::new();
        for part in &fresh.parts {
            let Shape::Scalar { text, style } = &part.shape else { continue };
            let plain = scalar(text, *style);
            if plain.kind == Kind::Null || !self.metadata.selection.takes(keys(&part.path)) {
                continue;
            }
            let kept = self.plains.get(&part.path).is_some_and(|old| old.same_as(&plain));
            let old = self.outline.part(&part.path).filter(|_| kept);
            let new = match old {
                Some(old) => self.text[old.value.clone()].to_owned(),
                None => self.written(&part.path, &plain)?,
            };
            edits.push((part.value.clone(), new));
        }
        Ok(edits)
    }

    // As SOPS does, comments are encrypted where values would be: people write old passwords into them.
    fn edited_remarks(
        &self,
        plain_text: &str,
        fresh: &Outline,
    ) -> Result<Vec<(std::ops::Range<usize>, String)>, Fault> {
        let mut old: HashMap<Vec<u8>, &str> = HashMap::new();
        for remark in &self.outline.remarks {
            let raw = &self.text[remark.range.clone()];
            match self.remark(raw, &remark.path) {
                Some(plain) => old.insert(plain.bytes.to_vec(), raw),
                // One that never was encrypted stays as it is.
                None => old.insert(raw.as_bytes()[1..].to_vec(), raw),
            };
        }
        let mut edits = Vec::new();
        for remark in fresh.remarks.iter().filter(|remark| self.metadata.selection.takes(keys(&remark.path))) {
            let text = &plain_text[remark.range.clone()][1..];
            let new = match old.get(text.as_bytes()) {
                Some(raw) => (*raw).to_owned(),
                None => format!(
                    "#{}",
                    encrypt(&Plain::new(Kind::Comment, text.as_bytes()), &self.key, &bound_to(&remark.path))?
                ),
            };
            edits.push((remark.range.clone(), new));
        }
        Ok(edits)
    }
}

fn compare(before: &HashMap<Vec<Step>, Plain>, after: &HashMap<Vec<Step>, Plain>) -> Edited {
    let names = |all: Vec<&Vec<Step>>| {
        let mut names: Vec<KeyPath> = all.into_iter().map(|path| KeyPath::of(path)).collect();
        names.sort();
        names
    };
    Edited {
        added: names(after.keys().filter(|path| !before.contains_key(*path)).collect()),
        changed: names(
            after
                .iter()
                .filter(|(path, plain)| before.get(*path).is_some_and(|old| !old.same_as(plain)))
                .map(|(path, _)| path)
                .collect(),
        ),
        removed: names(before.keys().filter(|path| !after.contains_key(*path) && !is_seal(path)).collect()),
    }
}
