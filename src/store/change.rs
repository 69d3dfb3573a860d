//! Owns how one value of an opened file is replaced, added or taken out, in the bytes that it stands on.

use std::ops::Range;

use super::cipher::seal as encrypt;
use super::fault::{Fault, FaultKind};
use super::key_path::KeyPath;
use super::locked::{bound_to, keys};
use super::metadata;
use super::seal;
use super::spell;
use super::unlocked::{INDENT, Unlocked, is_seal, unwritable};
use super::value::{Kind, Plain};
use crate::yaml::{Shape, Step};

impl Unlocked {
    pub(super) fn put(&mut self, path: &KeyPath, plain: Plain) -> Result<(), Fault> {
        if let Some(steps) = self.steps(path) {
            if self.plains.get(&steps).is_some_and(|old| old.same_as(&plain)) {
                return Ok(());
            }
            if self.plains.contains_key(&steps) {
                return self.replace_value(&steps, plain);
            }
        }
        self.insert(path, plain)
    }

    fn replace_value(&mut self, steps: &[Step], plain: Plain) -> Result<(), Fault> {
        let Some(part) = self.outline.part(steps) else { return Err(unwritable("a value is not where it was")) };
        let mut written = self.written(steps, &plain)?;
        let range = part.value.clone();
        // Behind a colon or a dash without a value there may be no space yet.
        if range.start > 0 && matches!(self.text.as_bytes()[range.start - 1], b':' | b'-') {
            written.insert(0, ' ');
        }
        let mut text = self.text.clone();
        text.replace_range(range, &written);
        let mut plains = self.plains.clone();
        plains.insert(steps.to_vec(), plain);
        self.take(text, plains)
    }

    /// A value as the file holds it.
    pub(super) fn written(&self, steps: &[Step], plain: &Plain) -> Result<String, Fault> {
        if plain.kind != Kind::Null && self.metadata.selection.takes(keys(steps)) {
            let sealed = encrypt(plain, &self.key, &bound_to(steps))?;
            return Ok(if sealed.is_empty() { "\"\"".into() } else { sealed });
        }
        Ok(spell::value(plain, None).as_str().to_owned())
    }

    // Adds a key behind the last one of the innermost map on its path that is there.
    fn insert(&mut self, path: &KeyPath, plain: Plain) -> Result<(), Fault> {
        let mut steps: Vec<Step> = Vec::new();
        let mut rest = path.parts();
        while let [first, tail @ ..] = rest {
            match self.step(&steps, first) {
                Some(step) => steps.push(step),
                None => break,
            }
            rest = tail;
        }
        let [first, nested @ ..] = rest else {
            let detail = format!("`{path}` holds other secrets");
            let fix = "name one of those inside of it, or choose another name";
            return Err(Fault::new(FaultKind::Format, "not one secret, but several", detail, fix));
        };
        let holder = self.outline.part(&steps);
        let in_list = match holder.map(|part| &part.shape) {
            None | Some(Shape::Map) => false,
            Some(Shape::List) => true,
            Some(Shape::Scalar { text, .. }) => {
                let nothing = text.is_empty() && self.plains.get(&steps).is_some_and(|plain| plain.kind == Kind::Null);
                if !nothing {
                    let detail = format!("`{}` is a secret itself", KeyPath::of(&steps));
                    let fix = "choose a path that leads through no secret";
                    return Err(Fault::new(FaultKind::Format, "a secret inside of a secret", detail, fix));
                }
                false
            }
        };
        let count = self.outline.children(&steps).count();
        if in_list && first.parse() != Ok(count) {
            let detail = format!("`{}` is a list of {count}", KeyPath::of(&steps));
            let fix = "name an item by its number, or the next one to add it";
            return Err(Fault::new(FaultKind::Format, "no such item", detail, fix));
        }
        let mut full = steps.clone();
        full.push(if in_list { Step::Item(count) } else { Step::Key(first.clone()) });
        full.extend(nested.iter().map(|key| Step::Key(key.clone())));
        let written = self.written(&full, &plain)?;
        let (at, column, fresh) = self.place_for(&steps);
        let mut lines = String::new();
        let mut indent = column;
        lines.push_str(&" ".repeat(indent));
        let own = if in_list { "-".to_owned() } else { format!("{}:", spell::key(first)) };
        lines.push_str(&own);
        for key in nested {
            indent += INDENT;
            lines.push_str(&format!("\n{}{}:", " ".repeat(indent), spell::key(key)));
        }
        lines.push_str(&format!(" {written}"));
        let mut text = self.text.clone();
        if at > 0 && !text[..at].ends_with('\n') {
            text.insert_str(at, &format!("\n{lines}"));
        } else {
            text.insert_str(at, &format!("{lines}\n"));
        }
        if let Some(empty) = fresh {
            text.replace_range(empty, "");
        }
        let mut plains = self.plains.clone();
        // What stood for an empty map is a map now.
        plains.remove(&steps);
        plains.insert(full, plain);
        self.take(text, plains)
    }

    // Where a new part of a map or list goes: the byte, its column, and the bytes that stand for the empty one.
    fn place_for(&self, steps: &[Step]) -> (usize, usize, Option<Range<usize>>) {
        if steps.is_empty() {
            // At the top, before the seal, or before the section, and before the comments that belong to them.
            let tail = [vec![Step::Key(seal::KEY.into())], metadata::path(&[])];
            let at = tail.iter().find_map(|path| self.outline.part(path)).map_or(self.text.len(), |part| part.start);
            return (at, 0, None);
        }
        let Some(part) = self.outline.part(steps) else { return (self.text.len(), 0, None) };
        let last = self.outline.whole(steps).and_then(|inside| self.outline.parts.get(inside.end - 1));
        let end = last.map_or(part.value.end, |last| last.value.end.max(part.value.end));
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline + 1);
        match self.outline.children(steps).last() {
            Some(child) => (line_end, self.column(child.start), None),
            // `{}`, `[]` or nothing at all.
            None => (line_end, self.column(part.start) + INDENT, Some(part.behind..part.value.end)),
        }
    }

    pub(super) fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Takes a secret out, or all that is inside of a map or list.
    ///
    /// # Errors
    /// There is none.
    pub fn remove(&mut self, path: &KeyPath) -> Result<(), Fault> {
        let steps = self.steps(path).filter(|steps| !is_seal(steps)).ok_or_else(|| self.missing(path))?;
        let Some(part) = self.outline.part(&steps) else { return Err(self.missing(path)) };
        let (holder, own) = (&steps[..steps.len() - 1], &steps[steps.len() - 1]);
        let mut text = self.text.clone();
        let column = self.column(part.start);
        let line = part.start - column;
        let first_on_line = self.text[line..part.start].trim().is_empty();
        let next = self.text[part.value.end..].find('\n');
        let end = next.map_or(self.text.len(), |newline| part.value.end + newline + 1);
        let alone = self.outline.children(holder).count() == 1;
        let empty = if matches!(own, Step::Item(_)) { "[]" } else { "{}" };
        match self.outline.part(holder).filter(|_| alone) {
            // The last one of a map or list leaves an empty one behind.
            Some(holder) if first_on_line => {
                text.replace_range(line..end, "");
                text.insert_str(holder.behind, &format!(" {empty}"));
            }
            Some(_) => text.replace_range(part.start..part.value.end, empty),
            None if first_on_line => text.replace_range(line..end, ""),
            // The first key of an item stands behind the dash, which stays for the next one.
            None => {
                let next = end + self.text[end..].find(|c| c != ' ').unwrap_or(0);
                text.replace_range(part.start..next, "");
            }
        }
        let mut plains = self.plains.clone();
        plains.retain(|path, _| !path.starts_with(&steps));
        // Items behind one that is gone move up.
        if let Step::Item(gone) = own {
            let depth = holder.len();
            plains = plains
                .into_iter()
                .map(|(mut path, plain)| {
                    if path.starts_with(holder)
                        && let Some(Step::Item(at)) = path.get_mut(depth)
                        && *at > *gone
                    {
                        *at -= 1;
                    }
                    (path, plain)
                })
                .collect();
        }
        self.take(text, plains)
    }
}
