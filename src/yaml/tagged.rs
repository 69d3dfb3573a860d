//! Owns the tags of YAML 1.1 (`!!int`, `!!set`), and how a key that is no text is written.
//!
//! Must not know events or files.

use super::scalar::{self, Dialect};
use super::timestamp::{self, Timestamp};
use super::{Entry, Node, Value};
use crate::model::{Diagnostic, Place};

/// The namespace of YAML's own tags.
pub(super) const YAML: &str = "tag:yaml.org,2002:";

/// What a tag makes of a list or a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    /// What it is anyway.
    Plain,
    /// A map without values that stands for a list of its keys.
    Set,
    /// A list of maps with one key each that stands for pairs.
    Pairs,
}

/// The collection of a tag, if it is one.
pub(super) fn collection(name: &str) -> Option<Collection> {
    match name {
        "seq" | "map" => Some(Collection::Plain),
        "set" => Some(Collection::Set),
        "omap" | "pairs" => Some(Collection::Pairs),
        _ => None,
    }
}

/// A list with its tag.
pub(super) fn list(kind: Collection, items: Vec<Node>, at: &Place) -> Result<Value, Diagnostic> {
    match kind {
        Collection::Plain => Ok(Value::List(items)),
        Collection::Set => Err(misplaced(at, "`!!set` takes a map, such as {a, b}")),
        Collection::Pairs => {
            let pair = |item: Node| match item.value {
                Value::Map(mut entries) if entries.len() == 1 => match entries.pop() {
                    Some(Entry { key, place, node }) => {
                        let key = Node::new(place, Value::Text(key));
                        Ok(Node::new(item.place, Value::List(vec![key, node])))
                    }
                    None => Err(misplaced(&item.place, "a pair is missing")),
                },
                _ => Err(misplaced(&item.place, "each item must be one key with its value")),
            };
            items.into_iter().map(pair).collect::<Result<_, _>>().map(Value::List)
        }
    }
}

/// A map with its tag.
pub(super) fn map(kind: Collection, entries: Vec<Entry>, at: &Place) -> Result<Value, Diagnostic> {
    match kind {
        Collection::Plain => Ok(Value::Map(entries)),
        Collection::Set => {
            Ok(Value::List(entries.into_iter().map(|entry| Node::new(entry.place, Value::Text(entry.key))).collect()))
        }
        Collection::Pairs => Err(misplaced(at, "this tag takes a list of single pairs")),
    }
}

fn misplaced(at: &Place, label: &str) -> Diagnostic {
    Diagnostic::error("a tag that does not fit").at(at, label).fix("remove the tag, or write what it asks for")
}

/// A scalar with its tag; `None` where the tag is not known.
pub(super) fn scalar(name: &str, text: &str) -> Option<Result<Value, Diagnostic>> {
    let plain = || scalar::resolve(text, Dialect::Inventory);
    let value = match (name, plain()) {
        ("str", _) => Some(Value::Text(text.to_owned())),
        ("null", _) => Some(Value::Null),
        ("int", Ok(value @ Value::Int(_))) => Some(value),
        ("float", Ok(Value::Int(number))) => Some(Value::Float(number as f64)),
        ("float", Ok(value @ Value::Float(_))) => Some(value),
        ("float", Ok(Value::Text(text))) => text.parse().ok().map(Value::Float),
        ("timestamp", Ok(value @ Value::Text(_))) if text.starts_with(|c: char| c.is_ascii_digit()) => Some(value),
        ("bool", _) => match plain().ok().filter(|value| matches!(value, Value::Bool(_))) {
            Some(value) => Some(value),
            None => scalar::resolve(&text.to_lowercase(), Dialect::Inventory)
                .ok()
                .filter(|value| matches!(value, Value::Bool(_))),
        },
        ("int" | "float" | "timestamp", _) => None,
        _ => return None,
    };
    Some(value.ok_or_else(|| {
        Diagnostic::error("a tag that does not fit")
            .because(format!("`!!{name}` cannot read this"))
            .fix("remove the tag")
    }))
}

/// How a key is written that was read as something else than text, as in JSON.
pub fn key(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".into()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(format!("{value:?}")),
        Value::Text(text) => Some(text.clone()),
        Value::Tainted(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// Whether a key of an inventory is text as it is written, and neither a number, a date, a truth value nor nothing.
pub fn is_text_key(written: &str) -> bool {
    if written.starts_with(['"', '\'', '!', '&', '*', '?']) {
        return true;
    }
    match scalar::resolve(written, Dialect::Inventory) {
        Ok(Value::Text(_)) => timestamp::iso(written) == Timestamp::No,
        Ok(_) => false,
        Err(_) => true,
    }
}
