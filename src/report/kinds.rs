//! Owns the kinds as a page: what each is for, an example, and its fields as the schema has them.
//!
//! docs/kinds.md is this text; a test writes it, so it cannot lie.

use std::fmt::Write;

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use super::Paint;
use super::inventory::table;
use crate::resource::Entry;

/// How deep parts of fields are listed.
const DEPTH: usize = 4;

/// The kinds with what each is for, one a line.
pub fn kinds(entries: &[Entry], paint: &Paint) -> String {
    let mut rows = vec![["kind", "", "what it is for"].map(str::to_owned)];
    for entry in entries {
        let mark = match (entry.check, entry.risky) {
            (true, _) => "check",
            (false, true) => "guarded",
            (false, false) => "",
        };
        rows.push([entry.name.to_owned(), mark.to_owned(), entry.summary.to_owned()]);
    }
    table(&rows, paint)
}

/// The kinds as Markdown.
pub fn kinds_markdown(entries: &[Entry]) -> String {
    let mut text = String::from(
        "# Kinds\n\nWhat can stand in a phase of a playbook. This page is written by a test from the types themselves.\n\n\
         | kind | what it is for | `prune` removes it |\n|---|---|---|\n",
    );
    for entry in entries {
        let pruned = if entry.has_removable() { "yes" } else { "" };
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} | {pruned} |", entry.name, cell(entry.summary));
    }
    for entry in entries {
        text.push_str(&page(entry));
    }
    text
}

fn page(entry: &Entry) -> String {
    let mut text = format!("\n## {}\n\n{}\n", entry.name, entry.summary);
    if entry.check {
        text.push_str("\nA check: it changes nothing, and what does not hold is a finding.\n");
    }
    if entry.risky {
        text.push_str("\nA change of it can lock people out: the guard is armed before, and the host takes the change back unless a fresh connection confirms it.\n");
    }
    if !entry.check && !entry.has_removable() {
        text.push_str(
            "\nOnce it is declared no more, it stays as it is: `rempart prune` does not know how to remove it.\n",
        );
    }
    if !entry.undo.is_empty() {
        let _ = write!(text, "\nUndone by `rempart rollback`: {}\n", entry.undo);
    }
    let fence = if entry.example.contains("```") { "````" } else { "```" };
    let _ = write!(text, "\n{fence}yaml\n{}\n{fence}\n", entry.example.trim_end());
    let mut generator = SchemaGenerator::default();
    let schema = (entry.schema)(&mut generator).to_value();
    let definitions = generator.definitions().clone();
    let reader = Reader { definitions: &definitions };
    let mut rows = Vec::new();
    reader.rows(&schema, "", 0, &mut rows);
    if rows.is_empty() {
        return text;
    }
    text.push_str("\n| field | type | default | what it says |\n|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn rows(&self, schema: &Value, prefix: &str, depth: usize, rows: &mut Vec<[String; 4]>) {
        let schema = self.resolved(schema);
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, field) in properties.into_iter().flatten() {
            let path = format!("{prefix}{name}");
            let needed = required.contains(&name.as_str());
            let default = match field.get("default") {
                _ if needed => "**required**".to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(value) => code(&value.to_string()),
            };
            rows.push([code(&path), self.kind_of(field), default, cell(&self.words(field))]);
            if depth < DEPTH {
                for inner in self.alternatives(field) {
                    let many = inner.get("items").filter(|_| inner.get("properties").is_none());
                    let prefix = if many.is_some() { format!("{path}[].") } else { format!("{path}.") };
                    self.rows(many.unwrap_or(inner), &prefix, depth + 1, rows);
                }
            }
        }
        // Fields of one of several shapes stand beside those of all.
        if depth < DEPTH && properties.is_none() {
            for inner in self.alternatives(schema) {
                if inner.get("properties").is_some() {
                    self.rows(inner, prefix, depth + 1, rows);
                }
            }
        }
    }

    fn words(&self, field: &Value) -> String {
        let own = field.get("description").or_else(|| self.resolved(field).get("description"));
        let mut words = own.and_then(Value::as_str).unwrap_or("").to_owned();
        // What each of the words means that a field may have.
        for choice in list(self.resolved(field), "oneOf") {
            if let (Some(word), Some(means)) =
                (choice.get("const").and_then(Value::as_str), choice.get("description").and_then(Value::as_str))
            {
                let _ = write!(words, " {}: {means}", code(word));
            }
        }
        words
    }

    // The one definition behind references, however they are wrapped.
    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        for _ in 0..8 {
            let wrapped = match list(schema, "allOf") {
                [one] => one,
                _ => schema,
            };
            let name = wrapped.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            match name.and_then(|name| self.definitions.get(name)) {
                Some(next) => schema = next,
                None => return wrapped,
            }
        }
        schema
    }

    // What a field may be, without null: an optional choice is a choice in a choice.
    fn alternatives<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let mut open = vec![(schema, 0)];
        let mut found = Vec::new();
        while let Some((schema, depth)) = open.pop() {
            let schema = self.resolved(schema);
            let several: Vec<&Value> = list(schema, "anyOf").iter().chain(list(schema, "oneOf")).collect();
            if several.is_empty() || depth > DEPTH {
                found.push(schema);
            }
            open.extend(several.into_iter().rev().map(|one| (one, depth + 1)));
        }
        let is_null = |schema: &&Value| schema.get("type").and_then(Value::as_str) == Some("null");
        found.retain(|schema| !is_null(schema));
        found
    }

    fn kind_of(&self, schema: &Value) -> String {
        let mut words: Vec<String> = Vec::new();
        for one in self.alternatives(schema) {
            for word in self.plain_kind(one) {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        words.join(" or ")
    }

    fn plain_kind(&self, schema: &Value) -> Vec<String> {
        if let Some(value) = schema.get("const") {
            return vec![value.as_str().map_or_else(|| code(&value.to_string()), code)];
        }
        let choices = list(schema, "enum");
        if !choices.is_empty() {
            let said = choices.iter().filter(|value| !value.is_null());
            return said.map(|value| value.as_str().map_or_else(|| code(&value.to_string()), code)).collect();
        }
        let types = match schema.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return vec!["anything".to_owned()],
        };
        let word = |kind: &str| match kind {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => {
                format!("list of {}", schema.get("items").map_or("anything".into(), |items| self.kind_of(items)))
            }
            "object" => "map".to_owned(),
            other => other.to_owned(),
        };
        types.into_iter().filter(|kind| *kind != "null").map(word).collect()
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

// In a table neither a newline nor a bar may stand.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", cell(text))
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::kinds::KINDS;
    use crate::resource::{Answer, Change, Desired, Kind, ProbeScript, Seen, Step};

    /// A level.
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Level {
        /// As little as works.
        #[default]
        Low,
        /// All of it.
        High,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Port {
        /// Its number.
        number: u16,
        /// `a | b`.
        protocol: Option<String>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Sample {
        /// Its name.
        ///
        /// More.
        name: String,
        #[serde(default)]
        level: Level,
        /// Who.
        from: Option<OneOrMany>,
        /// What is open.
        #[serde(default)]
        ports: Vec<Port>,
        /// The first.
        first: Option<Port>,
        #[serde(default)]
        on: bool,
    }

    impl Kind for Sample {
        const NAME: &'static str = "sample";
        const SUMMARY: &'static str = "A sample | of all.";
        const EXAMPLE: &'static str = "sample: { name: x }";
        const CHECK: bool = true;
        fn key(&self) -> String {
            self.name.clone()
        }
        fn desired(&self) -> Desired {
            Desired::Absent
        }
        fn probe(_: &[&Self], _: &mut ProbeScript) {}
        fn parse(batch: &[&Self], _: &Answer) -> Vec<Seen> {
            batch.iter().map(|_| Seen::Absent).collect()
        }
        fn steps(_: &[Change<'_, Self>]) -> Vec<Step> {
            Vec::new()
        }
    }

    #[test]
    fn a_kind_as_a_page() {
        insta::assert_snapshot!(kinds_markdown(&[Entry::of::<Sample>()]), @r"
        # Kinds

        What can stand in a phase of a playbook. This page is written by a test from the types themselves.

        | kind | what it is for | `prune` removes it |
        |---|---|---|
        | [`sample`](#sample) | A sample \| of all. |  |

        ## sample

        A sample | of all.

        A check: it changes nothing, and what does not hold is a finding.

        ```yaml
        sample: { name: x }
        ```

        | field | type | default | what it says |
        |---|---|---|---|
        | `name` | text | **required** | Its name. More. |
        | `level` | `low` or `high` |  | A level. `low`: As little as works. `high`: All of it. |
        | `from` | text or list of text |  | Who. |
        | `ports` | list of map |  | What is open. |
        | `ports[].number` | whole number | **required** | Its number. |
        | `ports[].protocol` | text |  | `a \| b`. |
        | `first` | map |  | The first. |
        | `first.number` | whole number | **required** | Its number. |
        | `first.protocol` | text |  | `a \| b`. |
        | `on` | true or false | `false` |  |
        ");
    }

    #[test]
    fn kinds_in_a_list() {
        insta::assert_snapshot!(kinds(&[Entry::of::<Sample>()], &Paint::PLAIN), @r"
        kind           what it is for
        sample  check  A sample | of all.
        ");
    }

    #[test]
    fn every_kind_has_a_page_with_all_its_fields() {
        let text = kinds_markdown(KINDS);
        for entry in KINDS {
            let mut generator = SchemaGenerator::default();
            let schema = (entry.schema)(&mut generator).to_value();
            assert!(text.contains(&format!("\n## {}\n", entry.name)));
            for field in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
                assert!(text.contains(&format!("| `{field}` |")), "{}: {field}", entry.name);
            }
        }
    }
}
