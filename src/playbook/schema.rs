//! Owns the JSON Schema of playbooks, sites and included files, for editors: made from the kinds' own types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::site::KEYWORDS;
use crate::kinds::KINDS;
use crate::model::Phase;
use crate::resource::Entry;

/// The JSON Schema (draft 7, which editors know best).
pub fn schema() -> Value {
    schema_of(KINDS)
}

pub(super) fn schema_of(kinds: &[Entry]) -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut definitions = Map::new();
    for kind in kinds {
        let mut fields = (kind.schema)(&mut generator).to_value();
        templated_fields(&mut fields);
        if let Value::Object(fields) = &mut fields {
            fields.insert("description".into(), json!(format!("{}\n\nExample:\n\n    {}", kind.summary, kind.example)));
        }
        definitions.insert(format!("kind.{}", kind.name), fields);
    }
    for (name, mut schema) in generator.take_definitions(true) {
        templated_fields(&mut schema);
        definitions.insert(name, schema);
    }
    definitions.insert("expression".into(), expression());
    definitions.insert("item".into(), item(kinds));
    definitions.insert("items".into(), json!({ "type": ["array", "null"], "items": { "$ref": "#/definitions/item" } }));
    definitions.insert("playbook".into(), playbook());
    definitions.insert("site".into(), site());
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rempart playbook",
        "description": "A playbook, a site that gathers playbooks, or a list of items for `include`.",
        "if": { "type": "array" },
        "then": { "$ref": "#/definitions/items" },
        "else": {
            "if": { "required": ["site"] },
            "then": { "$ref": "#/definitions/site" },
            "else": { "$ref": "#/definitions/playbook" }
        },
        "definitions": definitions
    })
}

fn template() -> Value {
    json!({ "type": "string", "pattern": "\\{\\{" })
}

fn expression() -> Value {
    json!({
        "description": "A bare expression, without braces.",
        "type": "string",
        "not": { "pattern": "^\\s*\\{\\{" },
        "examples": ["env == \"prod\"", "facts.arch in [\"x86_64\"]"]
    })
}

fn names(description: &str) -> Value {
    json!({
        "description": description,
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    })
}

fn variables(description: &str) -> Value {
    json!({ "description": description, "type": ["object", "null"], "additionalProperties": true })
}

fn item(kinds: &[Entry]) -> Value {
    let mut properties = Map::new();
    for kind in kinds {
        let fields = json!({ "$ref": format!("#/definitions/kind.{}", kind.name) });
        properties.insert(kind.name.into(), json!({ "description": kind.summary, "allOf": [fields] }));
    }
    for word in KEYWORDS {
        properties.insert((*word).into(), keyword(word, kinds));
    }
    let exactly_one: Vec<Value> =
        kinds.iter().map(|kind| kind.name).chain(["include"]).map(|name| json!({ "required": [name] })).collect();
    json!({
        "description": "One resource (exactly one kind), or an include; keywords beside it.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "oneOf": exactly_one
    })
}

fn keyword(word: &str, kinds: &[Entry]) -> Value {
    let expression = json!({ "$ref": "#/definitions/expression" });
    match word {
        "id" => json!({
            "description": "A name for edges and `restart_on`. With `each`, it stands for all of them.",
            "type": "string"
        }),
        "needs" => {
            let mut edge = Map::new();
            for kind in kinds {
                edge.insert(kind.name.into(), json!({ "description": "The key of the resource.", "type": "string" }));
            }
            edge.insert("id".into(), json!({ "description": "The id of the item.", "type": "string" }));
            edge.insert(
                "on".into(),
                json!({ "description": "A pattern of hosts: the edge goes to each of them.", "type": "string" }),
            );
            let edge = json!({
                "type": "object", "properties": edge, "additionalProperties": false,
                "minProperties": 1, "maxProperties": 2
            });
            let one = json!({ "anyOf": [{ "type": "string" }, edge] });
            json!({
                "description": "What must be done before: ids, `kind:key`, or `{ kind: key, on: hosts }`.",
                "anyOf": [one.clone(), { "type": "array", "items": one }]
            })
        }
        "when" => json!({
            "description": "Only where this is true. Facts may be read. A list must hold as a whole.",
            "anyOf": [expression.clone(), { "type": "boolean" }, { "type": "array", "items": expression }]
        }),
        "each" => json!({
            "description": "One resource for each value: `{ NAME: EXPRESSION }`. Maps give `key` and `value`.",
            "type": "object",
            "additionalProperties": { "anyOf": [expression, { "type": "array" }, { "type": "object" }] }
        }),
        "tags" => names("Words to pick this by."),
        "controls" => names("The ids of the requirements that this serves."),
        "vars" => variables("Variables for the included items."),
        "include" => json!({ "description": "A file with a list of items, relative to this file.", "type": "string" }),
        _ => json!({}),
    }
}

fn playbook() -> Value {
    let mut phases = Map::new();
    for phase in Phase::ALL {
        let what = match phase {
            Phase::Preparation => "What has to stand before anything is installed.",
            Phase::Installation => "The software itself and its data.",
            Phase::Hardening => "What narrows the surface.",
            Phase::Tests => "Checks that prove the above; they gate `production`.",
            Phase::Production => "What may only happen on a host whose tests passed.",
        };
        let items = json!({ "$ref": "#/definitions/items" });
        phases.insert(phase.name().into(), json!({ "description": what, "allOf": [items] }));
    }
    let batch = json!({ "anyOf": [
        { "type": "integer", "minimum": 1 },
        { "type": "string", "pattern": "^(100|[1-9][0-9]?)%$" }
    ] });
    json!({
        "type": "object",
        "required": ["playbook", "hosts", "phases"],
        "additionalProperties": false,
        "properties": {
            "playbook": { "description": "The name of the playbook.", "type": "string" },
            "hosts": { "description": "A pattern of hosts, such as `servers:&ollama`.", "type": "string" },
            "vars": variables("Defaults: the inventory overrides them."),
            "secret_vars": names("Variables whose values are secret."),
            "serial": {
                "description": "Rolling batches: numbers of hosts, or parts such as \"25%\".",
                "anyOf": [batch.clone(), { "type": "array", "items": batch }]
            },
            "phases": {
                "description": "What to do, by phase.",
                "type": "object", "properties": phases, "additionalProperties": false
            }
        }
    })
}

fn site() -> Value {
    json!({
        "type": "object",
        "required": ["site", "playbooks"],
        "additionalProperties": false,
        "properties": {
            "site": { "description": "The name of the site.", "type": "string" },
            "playbooks": {
                "description": "Its playbooks, relative to this file, in order.",
                "type": "array",
                "items": { "anyOf": [{ "type": "string" }, {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": false,
                    "properties": {
                        "file": { "type": "string" },
                        "vars": variables("Values for the playbook's `vars`, below the inventory.")
                    }
                }] }
            }
        }
    })
}

// Every value inside may also be a template; the text around stays what it is, for hovers.
fn templated_fields(schema: &mut Value) {
    for key in ["properties", "patternProperties"] {
        if let Some(Value::Object(all)) = schema.get_mut(key) {
            all.values_mut().for_each(templated);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner @ Value::Object(_)) = schema.get_mut(key) {
            templated(inner);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(all)) = schema.get_mut(key) {
            all.iter_mut().for_each(templated_fields);
        }
    }
}

fn templated(schema: &mut Value) {
    templated_fields(schema);
    let Value::Object(fields) = schema else { return };
    let any_text = fields.get("type").is_some_and(|kind| {
        let text = |kind: &Value| kind == "string";
        text(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(text))
    });
    if any_text && !["pattern", "format", "enum", "const"].iter().any(|key| fields.contains_key(*key)) {
        return;
    }
    let mut outer = Map::new();
    for key in ["description", "default", "title"] {
        if let Some(value) = fields.remove(key) {
            outer.insert(key.into(), value);
        }
    }
    let inner = Value::Object(std::mem::take(fields));
    outer.insert("anyOf".into(), json!([inner, template()]));
    *fields = outer;
}
