//! Owns the facts of hosts as tables, and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::{padded, visible};
use super::{Paint, Tone};
use crate::model::HostName;

/// A host with what it said.
pub type OfHost = (HostName, BTreeMap<String, Value>);

/// One table a host.
pub fn facts(hosts: &[OfHost], paint: &Paint) -> String {
    let mut text = String::new();
    for (number, (host, facts)) in hosts.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        text.push_str(&paint.tone(Tone::Bold, &visible(host.as_str())));
        text.push('\n');
        let width = facts.keys().map(|name| name.len()).max().unwrap_or(0);
        for (name, value) in facts {
            text.push_str(&format!("  {}  {}\n", padded(&visible(name), width), in_words(value)));
        }
    }
    text
}

/// The facts by host, and the hosts that gave none.
pub fn facts_json(hosts: &[OfHost], silent: &[(HostName, String)]) -> Value {
    let facts: serde_json::Map<String, Value> =
        hosts.iter().map(|(host, facts)| (host.to_string(), json!(facts))).collect();
    let silent: serde_json::Map<String, Value> =
        silent.iter().map(|(host, why)| (host.to_string(), json!(why))).collect();
    json!({ "format_version": "1.0", "kind": "facts", "facts": facts, "unreachable": silent })
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => visible(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_each_host() {
        let of = |name: &str| {
            let facts = BTreeMap::from([
                ("addresses".to_owned(), json!(["10.0.0.1", "2001:db8::1"])),
                ("cpus".to_owned(), json!(2)),
                ("os".to_owned(), json!("deb\u{1b}ian")),
            ]);
            (HostName::new(name), facts)
        };
        insta::assert_snapshot!(facts(&[of("a"), of("b")], &Paint::PLAIN), @r"
        a
          addresses  10.0.0.1, 2001:db8::1
          cpus       2
          os         deb\u{1b}ian

        b
          addresses  10.0.0.1, 2001:db8::1
          cpus       2
          os         deb\u{1b}ian
        ");
        let silent = [(HostName::new("c"), "no route".to_owned())];
        assert_eq!(
            facts_json(&[], &silent),
            json!({ "format_version": "1.0", "kind": "facts", "facts": {}, "unreachable": { "c": "no route" } })
        );
    }
}
