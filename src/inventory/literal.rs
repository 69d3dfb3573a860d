//! Owns Python literals as values: what an INI inventory writes behind `=` is read as Python reads a literal.
//!
//! Must not know files. `8080`, `True`, `[1, 'a']` and `'0123'` are values; whatever is no literal is kept as the text
//! that it is. Ansible reads host lines and `:vars` sections alike, comments behind a literal included.

mod number;
mod parser;
mod text;

use std::collections::{HashMap, HashSet};

use parser::Parser;

use crate::model::Place;
use crate::yaml::{self, Entry, Node, Value};

/// How deep brackets are followed; Python gives up at 200, and keeps the text then.
const MAX_DEPTH: usize = 60;

/// What a text is as a literal.
#[derive(Debug)]
pub(super) enum Literal {
    /// A value.
    Value(Value),
    /// No literal: the text stands for itself.
    Text,
    /// A literal that has no value: why, and what to do.
    Refused(&'static str, &'static str),
}

/// Reads a text; everything in it stands at `place`.
pub(super) fn read(text: &str, place: &Place) -> Literal {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, refused: None };
    let parsed = parser.whole();
    if let Some((why, fix)) = parser.refused {
        return Literal::Refused(why, fix);
    }
    match parsed.map(|python| python.value(place)) {
        None => Literal::Text,
        Some(Ok(value)) => Literal::Value(value),
        Some(Err((why, fix))) => Literal::Refused(why, fix),
    }
}

type Refusal = (&'static str, &'static str);

#[derive(Clone, Debug, PartialEq)]
enum Python {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    // Prints as itself and cannot be computed with: `...`, imaginary numbers.
    Odd(String),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Python>),
    Tuple(Vec<Python>),
    Set(Vec<Python>),
    Dict(Vec<(Python, Python)>),
}

impl Python {
    fn value(self, place: &Place) -> Result<Value, Refusal> {
        let items = |items: Vec<Python>| -> Result<Value, Refusal> {
            let item = |item: Python| Ok(Node::new(place.clone(), item.value(place)?));
            items.into_iter().map(item).collect::<Result<_, _>>().map(Value::List)
        };
        Ok(match self {
            Python::None => Value::Null,
            Python::Bool(value) => Value::Bool(value),
            Python::Int(value) => Value::Int(value),
            Python::Float(value) => Value::Float(value),
            Python::Odd(text) | Python::Text(text) => Value::Text(text),
            Python::Bytes(bytes) => Value::Text(
                String::from_utf8(bytes)
                    .map_err(|_| ("bytes that are not UTF-8", "write text without the b before it"))?,
            ),
            Python::List(all) | Python::Tuple(all) => return items(all),
            Python::Set(all) => return items(set(all)?),
            Python::Dict(pairs) => Value::Map(dict(pairs, place)?),
        })
    }

    // Python's sets and keys take what never changes.
    fn is_fixed(&self) -> bool {
        match self {
            Python::List(_) | Python::Set(_) | Python::Dict(_) => false,
            Python::Tuple(items) => items.iter().all(Python::is_fixed),
            _ => true,
        }
    }
}

// Python gives small numbers back in order, and texts in no order at all.
fn set(items: Vec<Python>) -> Result<Vec<Python>, Refusal> {
    let mut kept: Vec<Python> = Vec::new();
    let mut seen = HashSet::new();
    for item in items {
        if !item.is_fixed() {
            return Err((
                "braces in braces are a Python set of sets, which there is not",
                "for a template, put quotes around it once more: \"'{{ ... }}'\"",
            ));
        }
        if seen.insert(format!("{item:?}")) {
            kept.push(item);
        }
    }
    if kept.iter().all(|item| matches!(item, Python::Int(_))) {
        kept.sort_by_key(|item| if let Python::Int(number) = item { *number } else { 0 });
    }
    Ok(kept)
}

fn dict(pairs: Vec<(Python, Python)>, place: &Place) -> Result<Vec<Entry>, Refusal> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (key, value) in pairs {
        let name = match key {
            Python::Text(_) | Python::None | Python::Bool(_) | Python::Int(_) | Python::Float(_) => {
                yaml::key(&key.value(place)?).unwrap_or_default()
            }
            _ => return Err(("a key that is no single value", "write the key as text, in quotes")),
        };
        let node = Node::new(place.clone(), value.value(place)?);
        match seen.get(&name).and_then(|at| entries.get_mut(*at)) {
            Some(entry) => entry.node = node,
            None => {
                seen.insert(name.clone(), entries.len());
                entries.push(Entry { key: name, place: place.clone(), node });
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        match read(text, &Place::outside("test")) {
            Literal::Value(value) => Node::new(Place::outside("test"), value).to_json().to_string(),
            Literal::Text => "text".into(),
            Literal::Refused(why, _) => format!("refused: {why}"),
        }
    }

    // Each compared with what ansible-inventory 2.19 prints.
    #[test]
    fn literals_mean_what_python_says() {
        for (text, expected) in [
            ("1", "1"),
            ("-5", "-5"),
            ("- 5", "-5"),
            ("+-5", "text"),
            ("-(1)", "-1"),
            ("-((1))", "-1"),
            ("-(-1)", "text"),
            ("ß\"secretß", "text"),
            ("0644", "text"),
            ("00", "0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("1__0", "text"),
            ("1e5", "100000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1.2.3", "text"),
            ("10.0.0.1", "text"),
            ("5m", "text"),
            ("1+2", "text"),
            ("10j", "\"10j\""),
            ("...", "\"...\""),
            ("True", "true"),
            ("true", "text"),
            ("None", "null"),
            ("", "text"),
            ("-", "text"),
            ("'3'", "\"3\""),
            ("'a' \"b\" # c", "\"ab\""),
            ("8080 # c", "8080"),
            ("foo # c", "text"),
            ("1,2", "[1,2]"),
            ("(1,)", "[1]"),
            ("(1)", "1"),
            ("()", "[]"),
            ("set()", "[]"),
            ("{3,1,2,1}", "[1,2,3]"),
            ("{'a': 1, 2: [3, (4, 5)], True: None}", "{\"a\":1,\"2\":[3,[4,5]],\"true\":null}"),
            ("{'a':1,'a':2}", "{\"a\":2}"),
            ("{{ foo }}", "text"),
            ("{{ 5 }}", "refused: braces in braces are a Python set of sets, which there is not"),
            ("{[1]: 2}", "refused: a key that is no single value"),
            ("[1,", "text"),
            ("[1, x]", "text"),
            ("b'x'", "\"x\""),
            ("b'\\xff'", "refused: bytes that are not UTF-8"),
            ("u'x'", "\"x\""),
            ("f'x'", "text"),
            ("r'\\n'", "\"\\\\n\""),
            ("'''x'''", "\"x\""),
            ("'\\u00e9\\x41\\101\\q'", "\"éAA\\\\q\""),
            ("'a", "text"),
            ("99999999999999999999", "refused: a whole number of more than 64 bits"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        assert_eq!(json(&"[".repeat(5000)), "text");
        // Each level is read once.
        assert!(json(&format!("{}1{}", "{".repeat(50), "}".repeat(50))).starts_with("refused"));
        assert_eq!(json(&format!("{}1", "{".repeat(50))), "text");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([\\[\\](){},:'\"#+-]|\\\\[xuUN0-7nq]|[0-9._eEjxob]{1,5}|True|None|set|[brufBRUF]|\\PC){0,20}") {
            let _ = json(&text);
        }
    }
}
