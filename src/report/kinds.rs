//! Owns the kinds as a page: what each is for, an example, and its fields as the schema has them.
//!
//! docs/kinds.md is this text; a test writes it, so it cannot lie.

use std::fmt::Write;

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::inventory::table;
use super::words::folded;
use super::{Paint, Tone};
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
    let rows = fields(entry);
    if rows.is_empty() {
        return text;
    }
    text.push_str("\n| field | type | default | what it says |\n|---|---|---|---|\n");
    for row in rows {
        let default = match &row.default {
            _ if row.required => "**required**".to_owned(),
            Some(value) => code(value),
            None => String::new(),
        };
        let _ = writeln!(text, "| {} | {} | {default} | {} |", code(&row.name), row.kind, cell(&row.says));
    }
    text
}

/// One field of a kind, or a part of one.
struct Row {
    name: String,
    kind: String,
    required: bool,
    default: Option<String>,
    says: String,
}

fn fields(entry: &Entry) -> Vec<Row> {
    let mut generator = SchemaGenerator::default();
    let schema = (entry.schema)(&mut generator).to_value();
    let definitions = generator.definitions().clone();
    let mut rows = Vec::new();
    Reader { definitions: &definitions }.rows(&schema, "", 0, &mut rows);
    rows
}

/// One kind for a person at a terminal: what it is for, an example, and its fields.
pub fn kind(entry: &Entry, paint: &Paint) -> String {
    let mut text = format!("{}\n  {}\n", paint.tone(Tone::Bold, entry.name), entry.summary);
    for note in notes(entry) {
        wrapped(&note, 2, paint, &mut text);
    }
    let _ = writeln!(text, "\n{}", paint.tone(Tone::Bold, "example"));
    for line in entry.example.trim_end().lines() {
        let _ = writeln!(text, "  {line}");
    }
    let mut rows = vec![["field", "type", "default", "what it says"].map(str::to_owned)];
    for row in fields(entry) {
        let default = if row.required { "required".to_owned() } else { row.default.unwrap_or_default() };
        rows.push([row.name, row.kind.replace('`', ""), default, cell(&row.says).replace("\\|", "|")]);
    }
    if rows.len() > 1 {
        text.push('\n');
        text.push_str(&spread(&rows, paint));
    }
    text
}

// What a field says is wrapped below its name where the table would be too wide: nothing is cut.
fn spread(rows: &[[String; 4]], paint: &Paint) -> String {
    let mut text = String::new();
    let head: Vec<[String; 3]> = rows.iter().map(|row| [row[0].clone(), row[2].clone(), row[1].clone()]).collect();
    let shown = table(&head, paint);
    for (line, row) in shown.lines().zip(rows) {
        let _ = writeln!(text, "{line}");
        if row[3] != "what it says" {
            wrapped(&row[3], 4, paint, &mut text);
        }
    }
    text
}

fn wrapped(says: &str, indent: usize, paint: &Paint, text: &mut String) {
    for line in folded(says, paint.width.saturating_sub(indent).max(20)) {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}

// What is true of every resource of it.
fn notes(entry: &Entry) -> Vec<String> {
    let mut notes = Vec::new();
    if entry.check {
        notes.push("A check: it changes nothing.".to_owned());
    }
    if entry.risky {
        notes.push("Guarded: the host takes a change back unless a fresh connection confirms it.".to_owned());
    }
    if !entry.check {
        notes
            .push(format!("`rempart prune` {} it.", if entry.has_removable() { "removes" } else { "does not remove" }));
    }
    if !entry.undo.is_empty() {
        notes.push(format!("Undone by `rempart rollback`: {}", entry.undo));
    }
    notes
}

/// Kinds as JSON: the list, each with its fields.
pub fn kinds_json(entries: &[Entry]) -> Value {
    let field = |row: Row| {
        json!({ "name": row.name, "type": row.kind.replace('`', ""), "required": row.required,
                "default": row.default.and_then(|text| serde_json::from_str::<Value>(&text).ok()), "says": row.says })
    };
    let one = |entry: &Entry| {
        json!({
            "kind": entry.name, "summary": entry.summary, "check": entry.check, "guarded": entry.risky,
            "prunable": entry.has_removable(), "undo": entry.undo, "example": entry.example,
            "fields": fields(entry).into_iter().map(field).collect::<Vec<_>>(),
        })
    };
    entries.iter().map(one).collect()
}

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn rows(&self, schema: &Value, prefix: &str, depth: usize, rows: &mut Vec<Row>) {
        let schema = self.resolved(schema);
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, field) in properties.into_iter().flatten() {
            let path = format!("{prefix}{name}");
            rows.push(Row {
                name: path.clone(),
                kind: self.kind_of(field),
                required: required.contains(&name.as_str()),
                default: field.get("default").filter(|value| !value.is_null()).map(ToString::to_string),
                says: self.words(field),
            });
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
    fn a_kind_at_a_terminal() {
        insta::assert_snapshot!(kind(&Entry::of::<Sample>(), &Paint::PLAIN), @r"
        sample
          A sample | of all.
          A check: it changes nothing.

        example
          sample: { name: x }

        field             default   type
        name              required  text
            Its name. More.
        level                       low or high
            A level. `low`: As little as works. `high`: All of it.
        from                        text or list of text
            Who.
        ports                       list of map
            What is open.
        ports[].number    required  whole number
            Its number.
        ports[].protocol            text
            `a | b`.
        first                       map
            The first.
        first.number      required  whole number
            Its number.
        first.protocol              text
            `a | b`.
        on                false     true or false
        ");
        let all = kinds_json(KINDS);
        for (entry, shown) in KINDS.iter().zip(all.as_array().unwrap()) {
            assert_eq!(shown["kind"], entry.name);
            assert!(!shown["example"].as_str().unwrap().is_empty());
            assert!(kind(entry, &Paint::PLAIN).contains("\nexample\n"), "{}", entry.name);
        }
        assert_eq!(kinds_json(&[Entry::of::<Sample>()])[0]["fields"][9]["default"], false);
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
