//! Owns the tree: values that know where they stand.

use crate::model::Place;
use crate::secret::Rendered;

/// One value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text without a secret.
    Text(String),
    /// Text with a secret in it (tagged `!secret`, or rendered from one).
    Tainted(Rendered),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order as written; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A value at a place.
    pub fn new(place: Place, value: Value) -> Self {
        Self { place, value }
    }

    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The entries, if this is a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is text without a secret.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, in a word for messages.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Text(_) => "text",
            Value::Tainted(_) => "a secret",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Whether both hold the same value, wherever they stand. Secrets are equal when their texts are.
    pub fn same_value(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Tainted(a), Value::Tainted(b)) => a.same_as(b),
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.same_value(y)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len() && a.iter().all(|x| b.iter().any(|y| x.key == y.key && x.node.same_value(&y.node)))
            }
            _ => false,
        }
    }

    /// The value as JSON, with `(secret NAME)` in the place of secrets.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            // JSON has no infinity; Python writes these words without quotes, which no other reader takes.
            Value::Float(value) if value.is_nan() => Json::from("NaN"),
            Value::Float(value) if value.is_infinite() => {
                Json::from(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Value::Float(value) => serde_json::Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::from(text.clone()),
            Value::Tainted(text) => Json::from(text.masked()),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
        }
    }
}
