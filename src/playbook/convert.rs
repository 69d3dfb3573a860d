//! Owns values between the two worlds: trees with places, and what the template engine computes with.

use std::sync::Arc;

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::taint::{Ledger, Tainted};
use crate::model::Place;
use crate::secret::{Rendered, Secret};
use crate::yaml::{Entry, Node, Value};

/// A computed value as a tree, all of it at one place.
///
/// # Errors
/// What it is that cannot stand in a file, in words.
pub(super) fn to_node(value: &Jinja, place: &Place, ledger: &Ledger) -> Result<Node, String> {
    deep(value, place, ledger, 0)
}

fn deep(value: &Jinja, place: &Place, ledger: &Ledger, depth: usize) -> Result<Node, String> {
    if depth > 64 {
        return Err("a value that is nested too deeply".into());
    }
    if let Some(secret) = value.downcast_object_ref::<Tainted>() {
        return Ok(Node::new(place.clone(), Value::Tainted(secret.text.clone())));
    }
    let value = match value.kind() {
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(whole) if value.is_integer() => Value::Int(whole),
            _ => Value::Float(f64::try_from(value.clone()).map_err(|_| "a number that is too large".to_owned())?),
        },
        ValueKind::String => {
            let text =
                ledger.cut(value.as_str().unwrap_or_default()).map_err(|()| "a secret that was cut".to_owned())?;
            of_text(text)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|error| error.to_string())?;
            Value::List(items.map(|item| deep(&item, place, ledger, depth + 1)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|error| error.to_string())?;
            let entry = |key: Jinja| {
                let inner = value.get_item(&key).map_err(|error| error.to_string())?;
                let node = deep(&inner, place, ledger, depth + 1)?;
                Ok(Entry { key: key.to_string(), place: place.clone(), node })
            };
            Value::Map(keys.map(entry).collect::<Result<_, String>>()?)
        }
        ValueKind::Undefined => return Err("an undefined value".into()),
        _ => return Err("something that is not a value, such as a function".into()),
    };
    Ok(Node::new(place.clone(), value))
}

/// A text as a value of a tree, tainted if it holds a secret.
pub(super) fn of_text(text: Rendered) -> Value {
    match text.as_plain() {
        Some(text) => Value::Text(text),
        None => Value::Tainted(text),
    }
}

/// A tree without template marks as a computed value.
pub(super) fn to_jinja(node: &Node, ledger: &Arc<Ledger>) -> Jinja {
    match &node.value {
        Value::Null => Jinja::from(()),
        Value::Bool(value) => Jinja::from(*value),
        Value::Int(value) => Jinja::from(*value),
        Value::Float(value) => Jinja::from(*value),
        Value::Text(text) => Jinja::from(text.as_str()),
        Value::Tainted(text) => Tainted::value(text.clone(), ledger),
        Value::List(items) => Jinja::from(items.iter().map(|item| to_jinja(item, ledger)).collect::<Vec<_>>()),
        Value::Map(entries) => {
            Jinja::from_pairs(entries.iter().map(|entry| (entry.key.clone(), to_jinja(&entry.node, ledger))))
        }
    }
}

/// The tree with every scalar marked as a secret of this name.
pub(super) fn tainted(node: &Node, name: &str) -> Node {
    let mark = |text: String| match text.is_empty() {
        true => Value::Text(text),
        false => Value::Tainted(Rendered::secret(Secret::new(name, text))),
    };
    let value = match &node.value {
        Value::Null => Value::Null,
        Value::Bool(value) => mark(value.to_string()),
        Value::Int(value) => mark(value.to_string()),
        Value::Float(value) => mark(value.to_string()),
        Value::Text(text) => mark(text.clone()),
        // Its plain stretches belong to a value that is secret as a whole.
        Value::Tainted(text) => Value::Tainted(Rendered::secret(text.map_whole(str::to_owned).renamed(name))),
        Value::List(items) => Value::List(items.iter().map(|item| tainted(item, name)).collect()),
        Value::Map(entries) => {
            let inner = |entry: &Entry| {
                let name = format!("{name}.{}", entry.key);
                Entry { key: entry.key.clone(), place: entry.place.clone(), node: tainted(&entry.node, &name) }
            };
            Value::Map(entries.iter().map(inner).collect())
        }
    };
    Node::new(node.place.clone(), value)
}
