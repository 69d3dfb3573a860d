//! Owns the outline of a YAML text: every key, item, value and comment in order, with the bytes it stands on.
//!
//! Must not know what the values mean. [`super::parse`] makes a tree and forgets how it was written; whoever changes one
//! value of a file and nothing else needs the opposite. Only block style is known here, with `{}`, `[]` and scalars in
//! it: no anchors, no tags, no flow. A fault holds no part of the text, because the text may be secret.

use std::collections::HashSet;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use zeroize::Zeroizing;

use super::parse::MAX_DEPTH;

/// One step from the root of a document to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In quotes of either kind.
    Quoted,
    /// As a block, with `|` or `>`.
    Block,
}

/// What stands behind a key or a dash.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Something that is no map and no list, or nothing at all.
    Scalar {
        /// What it says, its quotes and escapes resolved.
        text: Zeroizing<String>,
        /// How it is written.
        style: Style,
    },
    /// A map; its keys follow.
    Map,
    /// A list; its items follow.
    List,
}

/// A key of a map, or an item of a list.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it stands in the document; the last step is its own.
    pub path: Vec<Step>,
    /// The first byte of the key, or the dash.
    pub start: usize,
    /// The byte behind its colon, or behind the dash.
    pub behind: usize,
    /// The bytes of the value. Of a block map or list the bytes from its first key or dash to its end.
    pub value: Range<usize>,
    /// What the value is.
    pub shape: Shape,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Remark {
    /// The map or list it stands in.
    pub path: Vec<Step>,
    /// The bytes from its `#` to the end of the line.
    pub range: Range<usize>,
    /// Before which part it stands, as an index into [`Outline::parts`].
    pub before: usize,
}

/// A document.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Its keys and items, as written; what is inside of one follows it.
    pub parts: Vec<Part>,
    /// Its comments, as written.
    pub remarks: Vec<Remark>,
}

/// Why a text has no outline.
#[derive(Clone, Debug)]
pub struct OutlineFault {
    /// The byte it stands at.
    pub at: usize,
    /// What is wrong there, in constant words.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// The outline of a text that holds one map, or nothing.
///
/// # Errors
/// The first thing that is no YAML, or that an outline does not know.
pub fn outline(text: &str) -> Result<Outline, OutlineFault> {
    let mut events = Vec::new();
    for next in Parser::new_from_str(text) {
        match next {
            Ok((event, span)) => events.push((event, span.byte_range().unwrap_or(0..0))),
            Err(error) => {
                let marker = error.marker();
                let at = marker
                    .byte_offset()
                    .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(at, _)| at));
                return Err(OutlineFault { at, what: "this is not valid YAML", fix: "check quotes and indentation" });
            }
        }
    }
    let mut walk = Walk { text, events: &events, at: 0, open: Vec::new(), outline: Outline::default(), end: 0 };
    let mut documents = 0;
    while let Some((event, range)) = walk.next() {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(fault(range, "a second document starts here", "move it to a file of its own"));
                }
            }
            Event::MappingStart(style, anchor, tag) => {
                bare(*anchor, tag.is_some(), range)?;
                walk.map(*style, range, Vec::new())?;
            }
            Event::Scalar(_, ScalarStyle::Plain, 0, None) if range.is_empty() => {}
            _ => return Err(fault(range, "the file holds no map", "write `key: value`")),
        }
    }
    Ok(walk.outline)
}

impl Outline {
    /// The part at a path.
    pub fn part(&self, path: &[Step]) -> Option<&Part> {
        self.parts.iter().find(|part| part.path == path)
    }

    /// The index of the part at a path, and of the first one behind all that is inside of it.
    pub fn whole(&self, path: &[Step]) -> Option<Range<usize>> {
        let first = self.parts.iter().position(|part| part.path == path)?;
        let inside = self.parts[first..].iter().take_while(|part| part.path.starts_with(path)).count();
        Some(first..first + inside)
    }

    /// The parts right inside of the map or list at a path; of the document, with an empty one.
    pub fn children<'a>(&'a self, path: &'a [Step]) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| part.path.len() == path.len() + 1 && part.path.starts_with(path))
    }
}

fn fault(range: &Range<usize>, what: &'static str, fix: &'static str) -> OutlineFault {
    OutlineFault { at: range.start, what, fix }
}

// Nothing here can be written back with the anchor or the tag it had.
fn bare(anchor: usize, tagged: bool, range: &Range<usize>) -> Result<(), OutlineFault> {
    if anchor != 0 {
        return Err(fault(range, "an anchor", "write the value itself in each place"));
    }
    if tagged {
        return Err(fault(range, "a tag", "remove it; put quotes around a value that is text"));
    }
    Ok(())
}

type Spanned<'t> = (Event<'t>, Range<usize>);

struct Walk<'t> {
    text: &'t str,
    events: &'t [Spanned<'t>],
    at: usize,
    /// The maps and lists that are open, with their columns.
    open: Vec<(Vec<Step>, usize)>,
    outline: Outline,
    /// Where the last thing ended that is no comment.
    end: usize,
}

impl<'t> Walk<'t> {
    /// The next event that is no comment; those are kept as they pass.
    fn next(&mut self) -> Option<&'t Spanned<'t>> {
        loop {
            let next = self.events.get(self.at)?;
            self.at += 1;
            if !matches!(next.0, Event::Comment(..)) {
                return Some(next);
            }
            self.remark(&next.1);
        }
    }

    fn needed(&mut self) -> Result<&'t Spanned<'t>, OutlineFault> {
        let end = self.text.len()..self.text.len();
        self.next().ok_or_else(|| fault(&end, "the file ends too early", "write the rest of it"))
    }

    // A comment on a line of its own belongs to the innermost open map or list that does not stand further right.
    fn remark(&mut self, range: &Range<usize>) {
        let column = self.column(range.start);
        let alone = self.text[range.start - column..range.start].trim().is_empty();
        let fits = |open: &&(Vec<Step>, usize)| !alone || open.1 <= column;
        let path = self.open.iter().rev().find(fits).map(|(path, _)| path.clone()).unwrap_or_default();
        self.outline.remarks.push(Remark { path, range: range.clone(), before: self.outline.parts.len() });
    }

    // In bytes, since it is only compared with columns of the same text.
    fn column(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn enter(&mut self, path: &[Step], range: &Range<usize>) -> Result<(), OutlineFault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(fault(range, "this is nested too deeply", "use fewer levels"));
        }
        let column = self.column(range.start);
        self.open.push((path.to_vec(), column));
        Ok(())
    }

    fn map(&mut self, style: StructureStyle, range: &Range<usize>, path: Vec<Step>) -> Result<(), OutlineFault> {
        self.enter(&path, range)?;
        let mut known = HashSet::new();
        loop {
            let (event, key_range) = self.needed()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, written, anchor, tag) => {
                    bare(*anchor, tag.is_some(), key_range)?;
                    if key == "<<" && *written == ScalarStyle::Plain {
                        return Err(fault(key_range, "a merge key", "write the keys themselves"));
                    }
                    key.clone().into_owned()
                }
                _ => return Err(fault(key_range, "a key that is no text", "write a plain key")),
            };
            if style == StructureStyle::Flow {
                return Err(fault(key_range, "a map in braces", "write each key on a line of its own"));
            }
            if !known.insert(key.clone()) {
                return Err(fault(key_range, "a key that stands in this map already", "keep one of them"));
            }
            self.end = key_range.end;
            let path = [path.as_slice(), &[Step::Key(key)]].concat();
            self.part(path, key_range.start)?;
        }
        self.open.pop();
        Ok(())
    }

    fn list(&mut self, style: StructureStyle, range: &Range<usize>, path: Vec<Step>) -> Result<(), OutlineFault> {
        self.enter(&path, range)?;
        let column = self.column(range.start);
        for count in 0.. {
            let mut ahead = self.events[self.at..].iter().filter(|next| !matches!(next.0, Event::Comment(..)));
            match ahead.next() {
                Some((Event::SequenceEnd, _)) => {
                    self.next();
                    break;
                }
                Some((_, item)) if style == StructureStyle::Flow => {
                    return Err(fault(item, "a list in brackets", "write each item on a line of its own"));
                }
                Some((_, item)) => {
                    let dash = self.dash(column, item.start, range.start);
                    self.part([path.as_slice(), &[Step::Item(count)]].concat(), dash)?;
                }
                None => return self.needed().map(|_| ()),
            }
        }
        self.open.pop();
        Ok(())
    }

    // The dash of an item: the last one in the list's column that is not behind the item.
    fn dash(&self, column: usize, item: usize, first: usize) -> usize {
        let mut line = item - self.column(item);
        loop {
            let dash = line + column;
            if dash <= item && self.text.as_bytes().get(dash) == Some(&b'-') && dash >= first {
                return dash;
            }
            if line <= first {
                return first;
            }
            line = self.text[..line - 1].rfind('\n').map_or(0, |newline| newline + 1);
        }
    }

    fn part(&mut self, path: Vec<Step>, start: usize) -> Result<(), OutlineFault> {
        let behind = self.behind(start);
        let seen = self.outline.remarks.len();
        let (event, range) = self.needed()?;
        let index = self.outline.parts.len();
        let push = |walk: &mut Self, shape, value: Range<usize>| {
            walk.outline.parts.push(Part { path: path.clone(), start, behind, value, shape });
        };
        match event {
            Event::Scalar(said, style, anchor, tag) => {
                bare(*anchor, tag.is_some(), range)?;
                let (style, value) = match style {
                    ScalarStyle::Plain => (Style::Plain, range.clone()),
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (Style::Quoted, range.clone()),
                    ScalarStyle::Literal | ScalarStyle::Folded => (Style::Block, self.block(behind, range)),
                };
                let nothing = style == Style::Plain && range.is_empty();
                let text = Zeroizing::new(if nothing { String::new() } else { said.clone().into_owned() });
                let value = if nothing { behind..behind } else { value };
                self.end = value.end;
                push(self, Shape::Scalar { text, style }, value);
            }
            Event::MappingStart(style, anchor, tag) => {
                bare(*anchor, tag.is_some(), range)?;
                self.claim(seen, range, &path);
                push(self, Shape::Map, range.clone());
                self.map(*style, range, path.clone())?;
                self.close(index, *style);
            }
            Event::SequenceStart(style, anchor, tag) => {
                bare(*anchor, tag.is_some(), range)?;
                let range = self.first_dash(behind, range.start)..range.end;
                self.claim(seen, &range, &path);
                push(self, Shape::List, range.clone());
                self.list(*style, &range, path.clone())?;
                self.close(index, *style);
            }
            Event::Alias(..) => return Err(fault(range, "an alias", "write the value itself in each place")),
            _ => return Err(fault(range, "a value is missing here", "write one")),
        }
        Ok(())
    }

    // The parser gives a list that is not indented the place of its first item, behind the dash.
    fn first_dash(&self, behind: usize, start: usize) -> usize {
        let mut at = behind;
        for line in self.text.get(behind..start).unwrap_or("").split_inclusive('\n') {
            let blanks = line.len() - line.trim_start().len();
            if at > behind && line[blanks..].starts_with('-') {
                return at + blanks;
            }
            at += line.len();
        }
        start
    }

    // Comments between a key and the first part of its map belong to the map, if they stand as far right as it does.
    fn claim(&mut self, seen: usize, range: &Range<usize>, path: &[Step]) {
        let column = self.column(range.start);
        for at in seen..self.outline.remarks.len() {
            let start = self.outline.remarks[at].range.start;
            let own = self.column(start);
            if own >= column && self.text[start - own..start].trim().is_empty() {
                self.outline.remarks[at].path = path.to_vec();
            }
        }
    }

    // Where a map or list ends: behind its last part, or behind its closing brace.
    fn close(&mut self, index: usize, style: StructureStyle) {
        if style == StructureStyle::Flow {
            let closing = self.events.get(self.at - 1).map_or(self.end, |(_, range)| range.end);
            self.end = closing;
        }
        let end = self.end;
        if let Some(part) = self.outline.parts.get_mut(index) {
            part.value.end = end.max(part.value.start);
        }
    }

    // A block scalar from its `|` or `>` to its last line, without the newline and the blank lines behind it.
    fn block(&self, behind: usize, range: &Range<usize>) -> Range<usize> {
        let header = self.text.get(behind..range.start).unwrap_or("");
        let start = header.find(['|', '>']).map_or(range.start, |at| behind + at);
        let body = self.text.get(start..range.end.max(start)).unwrap_or("");
        let last = body.trim_end_matches([' ', '\t', '\r', '\n']).len();
        // Blanks at the end of its last line belong to it.
        start..start + body[last..].find('\n').map_or(body.len(), |newline| last + newline)
    }

    // The end of a key is known as the end of what came last; a dash is where it is.
    fn behind(&self, start: usize) -> usize {
        if self.end <= start {
            return start + 1;
        }
        self.text[self.end..].find(':').map_or(self.end, |colon| self.end + colon + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(text: &str) -> Vec<String> {
        let outline = outline(text).unwrap();
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(at) => at.to_string(),
        };
        let name = |path: &[Step]| path.iter().map(step).collect::<Vec<_>>().join("/");
        let mut all: Vec<String> = outline
            .parts
            .iter()
            .map(|part| {
                let what = match &part.shape {
                    Shape::Scalar { text, style } => format!("{style:?} {:?}", text.as_str()),
                    Shape::Map => "map".into(),
                    Shape::List => "list".into(),
                };
                let from = text[part.start..].chars().next().unwrap_or(' ');
                format!("{}: {what} from {from} {:?}", name(&part.path), &text[part.value.clone()])
            })
            .collect();
        all.extend(
            outline.remarks.iter().map(|remark| format!("[{}] {}", name(&remark.path), &text[remark.range.clone()])),
        );
        all
    }

    #[test]
    fn every_part_has_its_bytes() {
        let text = "# head\na: x # line\n# of b\nb:\n    # in b\n    - one - x # it - y\n    -\n        c: 'q'\n        d:\n    # foot\n\
                    e: |-\n    two\n    lines\n\nf: {}\ng: []\n\"h:\": >\n  folded\ni:\n- 1\n- - 2\n  - 3\n";
        assert_eq!(
            spell(text),
            [
                "a: Plain \"x\" from a \"x\"",
                "b: list from b \"- one - x # it - y\\n    -\\n        c: 'q'\\n        d:\"",
                "b/0: Plain \"one - x\" from - \"one - x\"",
                "b/1: map from - \"c: 'q'\\n        d:\"",
                "b/1/c: Quoted \"q\" from c \"'q'\"",
                "b/1/d: Plain \"\" from d \"\"",
                "e: Block \"two\\nlines\" from e \"|-\\n    two\\n    lines\"",
                "f: map from f \"{}\"",
                "g: list from g \"[]\"",
                "h:: Block \"folded\\n\" from \" \">\\n  folded\"",
                "i: list from i \"- 1\\n- - 2\\n  - 3\"",
                "i/0: Plain \"1\" from - \"1\"",
                "i/1: list from - \"- 2\\n  - 3\"",
                "i/1/0: Plain \"2\" from - \"2\"",
                "i/1/1: Plain \"3\" from - \"3\"",
                "[] # head",
                "[] # line",
                "[] # of b",
                "[b] # in b",
                "[b] # it - y",
                "[b] # foot",
            ]
        );
    }

    #[test]
    fn what_an_outline_does_not_know_is_refused_with_its_place() {
        for (text, what, at) in [
            ("a: &x 1", "an anchor", 6),
            ("a: !!str 1", "a tag", 9),
            ("a: {b: 1}", "a map in braces", 4),
            ("a: [1]", "a list in brackets", 4),
            ("<<: 1", "a merge key", 0),
            ("a: 1\na: 2", "a key that stands in this map already", 5),
            ("a: 1\n---\nb: 2", "a second document starts here", 5),
            ("- a", "the file holds no map", 0),
            ("[a]: 1", "a key that is no text", 0),
            ("a: 'x", "this is not valid YAML", usize::MAX),
        ] {
            let fault = outline(text).unwrap_err();
            assert_eq!(fault.what, what, "{text}");
            assert!(fault.at == at || at == usize::MAX, "{text}: {fault:?}");
        }
        assert!(outline("").unwrap().parts.is_empty());
        assert!(outline("# only\n").unwrap().parts.is_empty());
    }
}
