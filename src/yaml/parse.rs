//! Owns text -> tree, with bounds: on depth, on the number of values after aliases, on duplicate keys.

use std::collections::HashMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar::{self, Dialect, Refused};
use super::{Entry, Node, Value, tagged};
use crate::model::{Diagnostic, Place, Source};
use crate::secret::{Rendered, Secret};

/// Values a file may hold once its aliases are followed; past it the file is taken for a bomb.
const MAX_VALUES: usize = 1_000_000;
/// How deep lists and maps may stand in one another.
pub(super) const MAX_DEPTH: usize = 64;

/// Parses one YAML document. An empty file is [`Value::Null`].
///
/// # Errors
/// The first fault, with its place: bad syntax, a duplicate key, a second document, too deep, too many values.
pub fn parse(source: &Arc<Source>, dialect: Dialect) -> Result<Node, Diagnostic> {
    let mut builder = Builder { source, dialect, anchors: HashMap::new(), values: 0 };
    let mut events = Events { parser: Parser::new_from_str(&source.text), source };
    let mut root = None;
    while let Some((event, span)) = events.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Comment(..) => {}
            Event::DocumentStart(..) if root.is_some() => {
                return Err(Diagnostic::error("more than one document in a file")
                    .at(&place(source, &span), "a second document starts here")
                    .fix("move it to a file of its own"));
            }
            Event::DocumentStart(..) => {}
            event => root = Some(builder.node(event, span, &mut events, 0)?),
        }
    }
    Ok(root.unwrap_or_else(|| Node::new(Place::new(source, 0, 0), Value::Null)))
}

fn place(source: &Arc<Source>, span: &Span) -> Place {
    match span.byte_range() {
        Some(range) => Place::new(source, range.start, range.end),
        None => Place::new(source, 0, 0),
    }
}

struct Events<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    source: &'a Arc<Source>,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Diagnostic> {
        match self.parser.next() {
            None => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = marker.byte_offset().unwrap_or_else(|| {
                    self.source.text.char_indices().nth(marker.index()).map_or(self.source.text.len(), |(at, _)| at)
                });
                let place = Place::new(self.source, at, at + 1);
                let mut told =
                    Diagnostic::error("this is not valid YAML").at(&place, "here").because(error.kind().to_string());
                told.fix = syntax_fix(&self.source.text, at).or_else(|| kind_fix(told.detail.as_deref().unwrap_or("")));
                Err(told)
            }
        }
    }

    fn needed(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        loop {
            match self.next()? {
                Some((Event::Comment(..), _)) => {}
                Some(next) => return Ok(next),
                None => {
                    let end = self.source.text.len();
                    return Err(Diagnostic::error("the file ends too early").at(&Place::new(self.source, end, end), ""));
                }
            }
        }
    }
}

// The mistakes that people make most, recognised by the line they stand on.
fn syntax_fix(text: &str, at: usize) -> Option<String> {
    let at = at.min(text.len());
    let start = text.get(..at)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next().unwrap_or("");
    if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        return Some("indent with spaces: YAML allows no tabs there".into());
    }
    if line.contains(": {{") || line.contains("- {{") {
        return Some("put quotes around a value that starts with {{".into());
    }
    None
}

// What the parser's own words are about.
fn kind_fix(said: &str) -> Option<String> {
    let fixes = [
        (
            "unknown anchor",
            "write `&name` where the value stands first; or put quotes around text that begins with `*`",
        ),
        ("unclosed quote", "close the quote, on the same line if the text is not meant to go on"),
        ("expected key", "begin this line in the same column as the lines of the same map above it"),
    ];
    fixes.iter().find(|(words, _)| said.contains(words)).map(|(_, fix)| (*fix).to_owned())
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    dialect: Dialect,
    anchors: HashMap<usize, (Node, usize)>,
    values: usize,
}

impl Builder<'_> {
    fn count(&mut self, more: usize, place: &Place) -> Result<(), Diagnostic> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_VALUES {
            return Err(Diagnostic::error("the file holds too many values")
                .at(place, "here the limit is passed")
                .because(format!("over {MAX_VALUES}, counted with aliases followed"))
                .fix("remove nested aliases, or split the file"));
        }
        Ok(())
    }

    fn node<'e>(
        &mut self,
        event: Event<'e>,
        span: Span,
        events: &mut Events<'e>,
        depth: usize,
    ) -> Result<Node, Diagnostic> {
        let mut at = place(self.source, &span);
        if depth > MAX_DEPTH {
            return Err(Diagnostic::error("the file is nested too deeply").at(&at, format!("over {MAX_DEPTH} levels")));
        }
        let before = self.values;
        self.count(1, &at)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), &at)?),
            Event::SequenceStart(_, anchor, tag) => {
                let kind = self.collection(tag.as_deref(), &at)?;
                let mut items = Vec::new();
                loop {
                    let (event, span) = events.needed()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, span, events, depth + 1)?);
                }
                if let (Some(first), Some(last)) = (items.first(), items.last()) {
                    at = Place::new(
                        self.source,
                        at.range().start.min(first.place.range().start),
                        at.range().end.max(last.place.range().end),
                    );
                }
                (anchor, tagged::list(kind, items, &at)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                let kind = self.collection(tag.as_deref(), &at)?;
                (anchor, tagged::map(kind, self.map(events, depth)?, &at)?)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Diagnostic::error("an alias inside of itself").at(&at, "here"));
                };
                self.count(size, &at)?;
                return Ok(node);
            }
            other => {
                return Err(Diagnostic::error("this is not valid YAML").at(&at, "here").because(format!("{other:?}")));
            }
        };
        let node = Node::new(at, value);
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.values - before));
        }
        Ok(node)
    }

    fn map<'e>(&mut self, events: &mut Events<'e>, depth: usize) -> Result<Vec<Entry>, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut merges: Vec<Node> = Vec::new();
        loop {
            let (event, span) = events.needed()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key_place = place(self.source, &span);
            let (key, merges_here) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let merges_here =
                        text == "<<" && (style == ScalarStyle::Plain || self.dialect == Dialect::Playbook);
                    let key = self.key(text.into_owned(), style, tag.as_deref(), &key_place)?;
                    if anchor != 0 {
                        let node = Node::new(key_place.clone(), Value::Text(key.clone()));
                        self.anchors.insert(anchor, (node, 1));
                    }
                    (key, merges_here)
                }
                _ => {
                    return Err(Diagnostic::error("a key must be plain text")
                        .at(&key_place, "here")
                        .fix("put quotes around a value that starts with {{"));
                }
            };
            let (event, span) = events.needed()?;
            let node = self.node(event, span, events, depth + 1)?;
            if merges_here {
                merges.push(node);
                continue;
            }
            if let Some(first) = index.get(&key).and_then(|at| entries.get(*at)) {
                return Err(Diagnostic::error("a key is given twice")
                    .at(&key_place, format!("`{key}` again"))
                    .see(&first.place, "first here")
                    .fix("keep one of them"));
            }
            index.insert(key.clone(), entries.len());
            entries.push(Entry { key, place: key_place, node });
        }
        for merge in merges {
            let sources = match merge.value {
                Value::List(items) => items,
                _ => vec![merge],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    return Err(Diagnostic::error("`<<` takes a map")
                        .at(&source.place, format!("this is {}", source.shape()))
                        .fix("name a map by its anchor: `<<: *name`, with `&name` where it stands"));
                };
                for entry in more {
                    if !index.contains_key(&entry.key) {
                        index.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                }
            }
        }
        Ok(entries)
    }

    // Which of YAML 1.1's collections a tag names. A playbook has lists and maps only.
    fn collection(&self, tag: Option<&Tag>, at: &Place) -> Result<tagged::Collection, Diagnostic> {
        let Some(tag) = tag else { return Ok(tagged::Collection::Plain) };
        let kind = tag.suffix_in_namespace(tagged::YAML).and_then(|name| tagged::collection(&name));
        match kind {
            Some(kind) if self.dialect == Dialect::Inventory || kind == tagged::Collection::Plain => Ok(kind),
            _ => Err(unknown_tag(tag, at)),
        }
    }

    // In an inventory `80:` and `yes:` are a number and a truth value, and stand in JSON as `"80"` and `"true"`.
    fn key(&self, text: String, style: ScalarStyle, tag: Option<&Tag>, at: &Place) -> Result<String, Diagnostic> {
        if self.dialect == Dialect::Playbook || style != ScalarStyle::Plain || matches!(text.as_str(), "<<" | "=") {
            return Ok(text);
        }
        // Most keys are words, and need no second look.
        if tag.is_none() && text.starts_with(|c: char| c.is_ascii_alphabetic() && !"nNtTfFyYoO".contains(c)) {
            return Ok(text);
        }
        let value = self.scalar(&text, style, tag, at)?;
        Ok(tagged::key(&value).unwrap_or(text))
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: &Place) -> Result<Value, Diagnostic> {
        if let Some(tag) = tag {
            let name = tag.to_string();
            return match (name.as_str(), tag.suffix_in_namespace(tagged::YAML)) {
                ("!secret", _) => Ok(Value::Tainted(Rendered::secret(Secret::new(at.to_string(), text)))),
                ("!unsafe", _) if self.dialect == Dialect::Inventory => Ok(Value::Text(text.to_owned())),
                (_, Some(kind)) => tagged::scalar(&kind, text)
                    .unwrap_or_else(|| Err(unknown_tag(tag, at)))
                    .map_err(|told| if told.place.is_some() { told } else { told.at(at, "here") }),
                _ => Err(unknown_tag(tag, at)),
            };
        }
        if style != ScalarStyle::Plain {
            return Ok(Value::Text(text.to_owned()));
        }
        scalar::resolve(text, self.dialect).map_err(|why| refused(why, at))
    }
}

fn refused(why: Refused, at: &Place) -> Diagnostic {
    Diagnostic::error(why.summary).at(at, why.label).fix(why.fix)
}

fn unknown_tag(tag: &Tag, at: &Place) -> Diagnostic {
    let name = tag.to_string();
    let hint = match name.as_str() {
        "!vault" => {
            "ansible-vault values are not read: give the value as plain text tagged !secret, in a file that only you can read"
        }
        "tag:yaml.org,2002:binary" => "write the text itself: bytes that are no text cannot be a value",
        _ => "remove it; the one tag known here is !secret",
    };
    Diagnostic::error("an unknown tag").at(at, name.replace(tagged::YAML, "!!")).fix(hint)
}
