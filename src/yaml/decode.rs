//! Owns tree -> typed values: a serde deserializer whose errors know the place in the file.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Entry, Node, Value};
use crate::model::{Diagnostic, Place, did_you_mean};
use crate::secret::{Piece, Rendered, Secret};

// Only a field of this type may take a secret; the deserializer hands the marked stretches over under this name.
const RENDERED: &str = "rempart::Rendered";
const PLAIN: &str = "plain";
const SECRET: &str = "secret";

/// Types a tree.
///
/// # Errors
/// The first field that does not fit: unknown key (with a suggestion), wrong type, missing field, a secret where the
/// value would be shown.
pub fn decode<T: de::DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(NodeDe(node)).map_err(|fault| fault.at(&node.place).into_diagnostic(&node.place))
}

#[derive(Debug)]
struct Fault {
    place: Option<Place>,
    summary: String,
    label: String,
    fix: Option<String>,
}

impl Fault {
    fn new(summary: impl Into<String>, label: impl Into<String>) -> Self {
        Self { place: None, summary: summary.into(), label: label.into(), fix: None }
    }

    // The innermost place is set first, and stays.
    fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    fn into_diagnostic(self, outer: &Place) -> Diagnostic {
        let mut told = Diagnostic::error(self.summary).at(self.place.as_ref().unwrap_or(outer), self.label);
        told.fix = self.fix;
        told
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(message.to_string(), "")
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Fault::new("an unknown key", format!("`{field}` is not known here"));
        fault.fix = Some(choice(field, expected));
        fault
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Fault::new("an unknown word", format!("`{variant}` is not known here"));
        fault.fix = Some(choice(variant, expected));
        fault
    }

    fn missing_field(field: &'static str) -> Self {
        let mut fault = Fault::new("a key is missing", format!("`{field}` must be given"));
        fault.fix = Some(format!("add `{field}: ...`"));
        fault
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = wanted(&expected.to_string());
        let mut fault = Fault::new("a value of the wrong type", format!("expected {wanted}, found {}", words(found)));
        fault.fix = match (wanted.as_str(), found) {
            ("a list", de::Unexpected::Str(text)) => Some(format!("write a list of one: [{text}]")),
            ("true or false", de::Unexpected::Str(_)) => Some("write true or false, without quotes".into()),
            ("text", de::Unexpected::Bool(_) | de::Unexpected::Float(_)) => Some("put it in quotes".into()),
            _ => None,
        };
        fault
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = wanted(&expected.to_string());
        Fault::new("a value out of bounds", format!("expected {wanted}, found {}", words(found)))
    }
}

// serde's words for what Rust wants, in a reader's words.
fn wanted(expected: &str) -> String {
    match expected {
        "a sequence" => "a list".into(),
        "a boolean" => "true or false".into(),
        "a string" => "text".into(),
        "a map" => "keys and values".into(),
        "u8" => "a number from 0 to 255".into(),
        "u16" => "a number from 0 to 65535".into(),
        "u32" | "u64" | "usize" => "a whole number of 0 or more".into(),
        "i32" | "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        other if other.starts_with("struct ") => "keys and values".into(),
        other => other.into(),
    }
}

fn words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(value) => format!("{value}"),
        de::Unexpected::Unsigned(value) => format!("the number {value}"),
        de::Unexpected::Signed(value) => format!("the number {value}"),
        de::Unexpected::Float(value) => format!("the number {value}"),
        de::Unexpected::Str(text) => format!("the text \"{text}\""),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".into(),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "keys and values".into(),
        other => other.to_string(),
    }
}

fn choice(wrong: &str, expected: &'static [&'static str]) -> String {
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    match did_you_mean(wrong, sorted.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are: {}", sorted.join(", ")),
    }
}

struct NodeDe<'a>(&'a Node);

impl NodeDe<'_> {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let node = self.0;
        let done = match &node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::Tainted(_) => {
                let mut fault =
                    Fault::new("a secret may not stand here", "this value is shown, or stored in the clear");
                fault.fix = Some("use it in the content of a file or template instead".into());
                Err(fault)
            }
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), last: None }),
        };
        done.map_err(|fault: Fault| fault.at(&node.place))
    }
}

impl<'de> Deserializer<'de> for NodeDe<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    // A number where text is wanted is taken as written: `version: 1.20` would lose its zero, so floats are refused.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Int(value) => visitor.visit_string(value.to_string()),
            _ => self.visit(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name != RENDERED {
            return visitor.visit_newtype_struct(self);
        }
        // Each stretch begins with what it is: a plain one is one more text, and a secret five.
        let plain = |text: String| vec![PLAIN.to_owned(), text];
        let pieces = match &self.0.value {
            Value::Tainted(text) => text
                .pieces()
                .iter()
                .flat_map(|piece| match piece {
                    Piece::Plain(text) => plain(text.clone()),
                    Piece::Secret(secret) => [SECRET.to_owned()].into_iter().chain(secret.for_decoder()).collect(),
                })
                .collect(),
            Value::Text(text) => plain(text.clone()),
            Value::Int(value) => plain(value.to_string()),
            Value::Bool(value) => plain(value.to_string()),
            _ => {
                return Err(Fault::new(
                    "a value of the wrong type",
                    format!("expected text, found {}", self.0.shape()),
                )
                .at(&self.0.place));
            }
        };
        visitor.visit_seq(de::value::SeqDeserializer::<_, Fault>::new(pieces.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let place = &self.0.place;
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => visitor
                .visit_enum(de::value::MapAccessDeserializer::new(Entries { entries: entries.iter(), last: None })),
            _ => Err(Fault::new("a value of the wrong type", format!("expected a word, found {}", self.0.shape()))),
        }
        .map_err(|fault| fault.at(place))
    }

    // serde would also take a list, and give its values to the fields in the order of our source.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if matches!(self.0.value, Value::Map(_)) {
            return self.visit(visitor);
        }
        let mut fault =
            Fault::new("a value of the wrong type", format!("expected keys and values, found {}", self.0.shape()));
        fault.fix = fields.first().map(|first| format!("name each field: `{{ {first}: ... }}`"));
        Err(fault.at(&self.0.place))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(NodeDe(node)).map_err(|fault| fault.at(&node.place))).transpose()
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    last: Option<&'a Entry>,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.last = self.entries.next();
        self.last
            .map(|entry| {
                seed.deserialize(entry.key.as_str().into_deserializer()).map_err(|fault: Fault| fault.at(&entry.place))
            })
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.last {
            Some(entry) => seed.deserialize(NodeDe(&entry.node)).map_err(|fault| fault.at(&entry.node.place)),
            None => Err(Fault::new("a value without a key", "")),
        }
    }
}

impl<'de> Deserialize<'de> for Rendered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pieces;
        impl<'de> Visitor<'de> for Pieces {
            type Value = Rendered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Rendered, A::Error> {
                let mut pieces = Vec::new();
                while let Some(word) = seq.next_element::<String>()? {
                    let mut next = || seq.next_element::<String>().map(Option::unwrap_or_default);
                    pieces.push(match word.as_str() {
                        PLAIN => Piece::Plain(next()?),
                        _ => Piece::Secret(Secret::from_decoder([next()?, next()?, next()?, next()?, next()?])),
                    });
                }
                Ok(Rendered::from_pieces(pieces))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Rendered, D::Error> {
                String::deserialize(inner).map(Rendered::plain)
            }
        }
        deserializer.deserialize_newtype_struct(RENDERED, Pieces)
    }
}

/// The JSON Schema of a field that may hold a secret, for `#[schemars(schema_with = "...")]`.
pub fn secret_text_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;
    use crate::secret::Origin;
    use crate::yaml::{Dialect, parse};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Example {
        path: String,
        #[serde(default)]
        mode: Option<String>,
        #[serde(default)]
        content: Option<Rendered>,
    }

    fn check(text: &str) -> Result<Example, String> {
        let node = parse(&Source::new("p.yaml", text), Dialect::Playbook).map_err(|d| format!("{d:?}"))?;
        decode(&node).map_err(|d| {
            let (place, label) = d.place.unwrap();
            format!("{place}: {}: {label}{}", d.summary, d.fix.map_or(String::new(), |fix| format!("; {fix}")))
        })
    }

    #[test]
    fn an_unknown_key_gets_a_place_and_a_suggestion() {
        assert_eq!(
            check("path: /a\nmod: \"0644\"\n").unwrap_err(),
            "p.yaml:2:1: an unknown key: `mod` is not known here; did you mean `mode`?"
        );
    }

    #[test]
    fn a_secret_is_refused_where_it_would_be_shown_and_kept_marked_elsewhere() {
        assert!(check("path: !secret /a\n").unwrap_err().contains("a secret may not stand here"));
        let kept = check("path: /a\ncontent: !secret hunter2\n").unwrap();
        assert!(kept.content.unwrap().masked().starts_with("(secret p.yaml:2:"));
    }

    #[test]
    fn a_secret_stays_locked_and_keeps_what_stands_for_it() {
        let mut tree = parse(&Source::new("p.yaml", "path: /a\ncontent: x\n"), Dialect::Playbook).unwrap();
        let Value::Map(entries) = &mut tree.value else { panic!("no map") };
        for (secret, locked, stand_in) in [
            (Secret::locked("gw/token", ""), true, None),
            (Secret::locked("gw/token", "no key").with_stand_in("=s".into()), true, Some("=s")),
            (Secret::new("gw/token", "=").with_stand_in("s".into()), false, Some("s")),
            (Secret::new("", "x"), false, None),
        ] {
            let name = secret.name().to_owned();
            let from = vec![
                Origin { file: "gw.yaml".into(), generation: 7, version: "0a1b2c3d".into() },
                Origin { file: "prod/a b.yaml".into(), generation: u64::MAX, version: String::new() },
            ];
            entries[1].node.value = Value::Tainted(Rendered::secret(secret.with_origins(from.clone())));
            let tree = Node { value: Value::Map(entries.clone()), place: tree.place.clone() };
            let content = decode::<Example>(&tree).unwrap().content.unwrap();
            let Some(Piece::Secret(kept)) = content.pieces().first() else { panic!("no secret") };
            assert_eq!(kept.origins(), from);
            assert_eq!((kept.name(), kept.why_locked().is_some()), (name.as_str(), locked));
            assert_eq!(kept.stand_in(), stand_in);
        }
    }

    #[test]
    fn wrong_types_and_missing_keys_have_places() {
        assert_eq!(
            check("path: [a]\n").unwrap_err(),
            "p.yaml:1:7: a value of the wrong type: expected text, found a list"
        );
        assert!(check("mode: \"1\"\n").unwrap_err().contains("`path` must be given"));
        assert_eq!(
            check("[/a, \"0644\"]\n").unwrap_err(),
            "p.yaml:1:1: a value of the wrong type: expected keys and values, found a list; name each field: `{ path: ... }`"
        );
    }
}
