//! A site as people write it, from tests/fixtures/playbook, and the JSON Schema.

use std::fmt::Write;
use std::path::PathBuf;

use super::{TestFleet, kinds, lines, told};
use crate::model::{HostName, Source};
use crate::playbook::KEYWORDS;
use crate::playbook::load::load_with;
use crate::playbook::schema::schema_of;
use crate::resource::{Desired, FieldValue};
use crate::yaml::{Dialect, Node, parse};

fn site() -> PathBuf {
    PathBuf::from("tests/fixtures/playbook/playbooks/site.yaml")
}

#[test]
fn the_site_expands_without_and_with_facts() {
    let fleet = TestFleet::new().var("s1", "gateway_token: hunter2-CANARY");
    let site = load_with(&[site()], kinds::all()).unwrap_or_else(|all| panic!("{}", told(&all, &PathBuf::new())));
    assert_eq!(site.name.as_deref(), Some("prod"));
    let arch = |arch: &str| -> Option<Node> {
        Some(parse(&Source::new("facts", format!("arch: {arch}")), Dialect::Inventory).unwrap())
    };
    let before = site.expand(&fleet, &|_| None).unwrap();
    let after = site.expand(&fleet, &|host: &HostName| arch(if host.as_str() == "s2" { "arm64" } else { "x86_64" }));
    let after = after.unwrap_or_else(|all| panic!("{}", told(&all, &PathBuf::new())));
    let mut text =
        format!("before the facts of {:?}\n{}\n\nafter\n", before.needs_facts.keys(), lines(&before).join("\n"));
    for (declared, line) in after.declared.iter().zip(lines(&after)) {
        let _ = writeln!(text, "{line} [{}]", declared.playbook);
        if let Desired::Present(fields) = declared.resource().unwrap().desired()
            && let Some(FieldValue::Wanted(content)) = fields.get("content")
        {
            for line in content.masked().lines() {
                let _ = writeln!(text, "    | {line}");
            }
        }
    }
    assert!(!format!("{after:?}{text}").contains("CANARY"));
    insta::assert_snapshot!(text);
}

#[test]
fn the_schema_knows_every_kind_and_keyword_with_words_for_people() {
    let schema = schema_of(kinds::all());
    let item = &schema["definitions"]["item"];
    for name in kinds::all().iter().map(|kind| kind.name).chain(KEYWORDS.iter().copied()) {
        let word = &item["properties"][name];
        let own = word["description"].as_str().or(schema["definitions"]["expression"]["description"].as_str());
        assert!(own.is_some_and(|text| !text.is_empty()), "{name} has no hover text");
    }
    assert_eq!(item["oneOf"].as_array().unwrap().len(), kinds::all().len() + 1);
    // A number may be a template, a text may hold one anyway, and descriptions stay outside.
    let note = &schema["definitions"]["kind.note"]["properties"];
    assert_eq!(note["count"]["anyOf"][1]["pattern"], "\\{\\{");
    let file = &schema["definitions"]["kind.file"]["properties"];
    assert_eq!((&file["path"]["type"], file["path"]["anyOf"].is_null()), (&"string".into(), true));
    assert!(file["state"]["description"].is_string() && file["state"]["anyOf"].is_array());
    // Every reference leads somewhere.
    let text = serde_json::to_string(&schema).unwrap();
    for part in text.split("\"#/definitions/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schema["definitions"].get(name).is_some(), "{name} is missing");
    }
    if let Some(path) = std::env::var_os("REMPART_TEST_SCHEMA") {
        std::fs::write(path, serde_json::to_string_pretty(&schema).unwrap()).unwrap();
    }
    assert!(crate::playbook::schema()["definitions"]["kind.file"].is_object());
}
