//! Owns the filters that templates have beside the engine's own, and which of them may take a secret.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::taint::{Ledger, Tainted};
use crate::quote::quote_sh;
use crate::secret::{Piece, Rendered};

/// Filters beside those of minijinja: the name, what it does, and whether it may take a secret.
pub const FILTERS: &[(&str, &str, bool)] = &[
    ("b64decode", "Text out of base64.", false),
    ("b64encode", "Base64 of the text.", true),
    ("basename", "The last part of a path.", false),
    ("dirname", "A path without its last part.", false),
    ("quote", "The text as one word of POSIX sh.", true),
    ("raw_lines", "The same text, allowed to hold several lines where a format takes one.", true),
    ("to_json", "JSON, on one line; `tojson` is the same.", true),
    ("urlencode", "The text with what is special in URLs as %XX.", true),
];

/// The filters of minijinja that are left in.
const OF_THE_ENGINE: [&str; 44] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// The tests of minijinja (`x is TEST`) that have a word for a name.
pub(super) const TESTS: [&str; 36] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// The functions that a template may call.
pub(super) const FUNCTIONS: [&str; 4] = ["dict", "namespace", "range", "secret"];

/// The names of all filters.
pub(super) fn names() -> Vec<&'static str> {
    FILTERS.iter().map(|(name, _, _)| *name).chain(OF_THE_ENGINE).collect()
}

/// Whether there is a filter of this name.
pub(super) fn is_filter(name: &str) -> bool {
    names().iter().any(|known| is_same(known, name))
}

/// Whether there is a test of this name.
pub(super) fn is_test(name: &str) -> bool {
    // Operators are tests, too, under names that nobody gets wrong.
    !name.starts_with(|c: char| c.is_ascii_alphabetic()) || TESTS.iter().any(|known| is_same(known, name))
}

// White space in a name does not count: the parser takes `a . b` for one.
fn is_same(known: &str, name: &str) -> bool {
    name.chars().filter(|c| !c.is_ascii_whitespace()).eq(known.chars())
}

/// Whether a secret may pass a filter.
pub(super) fn takes_secrets(name: &str) -> bool {
    matches!(name, "default" | "d" | "tojson") || FILTERS.iter().any(|(known, _, secret)| *known == name && *secret)
}

/// Puts the filters into an environment, and takes out those that would undo the line check or print the context.
pub(super) fn register(env: &mut Environment<'static>, ledger: &Arc<Ledger>) {
    for name in ["safe", "escape", "e", "pprint"] {
        env.remove_filter(name);
    }
    env.remove_global("debug");
    let add = |env: &mut Environment<'static>, name: &'static str, change: fn(&str) -> String| {
        let ledger = ledger.clone();
        env.add_filter(name, move |value: Value| on_whole(&ledger, name, &value, change));
    };
    add(env, "b64encode", |text| STANDARD.encode(text));
    add(env, "quote", quote_sh);
    add(env, "urlencode", |text| minijinja::filters::urlencode(&Value::from(text)).unwrap_or_default());
    for name in ["to_json", "tojson"] {
        let ledger = ledger.clone();
        env.add_filter(name, move |value: Value| to_json(&ledger, &value));
    }
    let lines = ledger.clone();
    env.add_filter("raw_lines", move |value: Value| {
        let text = whole(&lines, "raw_lines", &value)?;
        Ok::<_, Error>(match text.as_plain() {
            Some(text) => Value::from_safe_string(text),
            None => Tainted::any_lines(text, &lines),
        })
    });
    env.add_filter("b64decode", |text: &str| {
        let bytes = STANDARD.decode(text.trim()).map_err(|error| failed(format!("b64decode: {error}")))?;
        String::from_utf8(bytes).map_err(|_| failed("b64decode: what comes out is not UTF-8 text"))
    });
    env.add_filter("basename", |path: &str| path.rsplit('/').next().unwrap_or("").to_owned());
    env.add_filter("dirname", |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned());
}

fn failed(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

// The text of a value, with its secrets marked.
fn whole(ledger: &Arc<Ledger>, filter: &str, value: &Value) -> Result<Rendered, Error> {
    if let Some(secret) = value.downcast_object_ref::<Tainted>() {
        return Ok(secret.text.clone());
    }
    match value.kind() {
        ValueKind::String => ledger
            .cut(value.as_str().unwrap_or_default())
            .map_err(|()| failed(format!("{filter}: a text with a secret in it was cut"))),
        ValueKind::Bool => Ok(Rendered::plain(value.is_true().to_string())),
        ValueKind::Number => Ok(Rendered::plain(value.to_string())),
        kind => Err(failed(format!("{filter} takes text, and this is {}", shape(kind)))),
    }
}

fn on_whole(ledger: &Arc<Ledger>, name: &str, value: &Value, change: fn(&str) -> String) -> Result<Value, Error> {
    let text = whole(ledger, name, value)?;
    Ok(match text.as_plain() {
        Some(text) => Value::from(change(&text)),
        None => Tainted::value(Rendered::secret(text.map_whole(change)), ledger),
    })
}

fn to_json(ledger: &Arc<Ledger>, value: &Value) -> Result<Value, Error> {
    let mut pieces = Vec::new();
    write_json(ledger, value, &mut pieces, 0)?;
    let text = Rendered::from_pieces(pieces);
    Ok(match text.as_plain() {
        Some(text) => Value::from(text),
        None => Tainted::value(text, ledger),
    })
}

fn write_json(ledger: &Arc<Ledger>, value: &Value, pieces: &mut Vec<Piece>, depth: usize) -> Result<(), Error> {
    let plain = |pieces: &mut Vec<Piece>, text: &str| pieces.push(Piece::Plain(text.into()));
    if depth > 64 {
        return Err(failed("to_json: nested too deeply"));
    }
    match value.kind() {
        ValueKind::None => plain(pieces, "null"),
        ValueKind::Bool => plain(pieces, if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => plain(pieces, &value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => {
            plain(pieces, "[");
            for (at, item) in value.try_iter()?.enumerate() {
                plain(pieces, if at > 0 { ", " } else { "" });
                write_json(ledger, &item, pieces, depth + 1)?;
            }
            plain(pieces, "]");
        }
        ValueKind::Map => {
            plain(pieces, "{");
            for (at, key) in value.try_iter()?.enumerate() {
                plain(pieces, if at > 0 { ", " } else { "" });
                plain(pieces, &json_text(&key.to_string()));
                plain(pieces, ": ");
                write_json(ledger, &value.get_item(&key)?, pieces, depth + 1)?;
            }
            plain(pieces, "}");
        }
        _ => {
            let text = whole(ledger, "to_json", value)?;
            plain(pieces, "\"");
            // Quoting acts on single characters, so that it can be done stretch by stretch.
            let inner = |text: &str| json_text(text).trim_matches_once().to_owned();
            pieces.extend(text.map_each(inner).pieces().iter().cloned());
            plain(pieces, "\"");
        }
    }
    Ok(())
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

trait Unquote {
    fn trim_matches_once(&self) -> &str;
}

impl Unquote for String {
    // Without the first and the last character, which are the quotes.
    fn trim_matches_once(&self) -> &str {
        self.get(1..self.len().saturating_sub(1)).unwrap_or("")
    }
}

fn shape(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Undefined => "not defined",
        ValueKind::None => "null",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "something else",
    }
}
