//! Owns Ansible's YAML shape: groups with `hosts`, `children` and `vars`, as many at the top as one likes.
//!
//! Must not know merging. It is stricter than Ansible where Ansible skips with a warning what somebody meant to say:
//! a misspelt `hots:` would leave hosts unprotected. What Ansible reads, it reads the same.

use std::sync::Arc;

use super::draft::Draft;
use super::{names, settings};
use crate::model::{Diagnostic, Place, Source, did_you_mean};
use crate::yaml::{self, Entry, Node, Value};

const SECTIONS: [&str; 3] = ["children", "hosts", "vars"];

/// Says more about a file that is no YAML than its parser can.
pub(super) fn explain(mut fault: Diagnostic) -> Diagnostic {
    if fault.fix.is_none() {
        fault.fix = lone_word(&fault);
    }
    if fault.fix.is_none() && fault.detail.as_ref().is_some_and(|why| why.contains("mapping values are not allowed")) {
        let fix = "indent this line like the one above it, if that has a value; or quote a value that holds `: `";
        fault.fix = Some(fix.into());
    }
    fault
}

/// Reads one file's tree into the draft.
pub(super) fn read(root: Node, draft: &mut Draft) {
    match root.value {
        Value::Map(groups) => {
            if let Some(plugin) = groups.iter().find(|entry| entry.key == "plugin") {
                return draft.faults.push(
                    Diagnostic::error("the configuration of an inventory plugin")
                        .at(&plugin.place, "Ansible would run a plugin here")
                        .fix("let Ansible write the hosts down: ansible-inventory -i FILE --list --yaml --export > hosts.yml"),
                );
            }
            if let Some(meta) = groups.iter().find(|entry| entry.key == "_meta") {
                return draft.faults.push(
                    Diagnostic::error("what a program prints, in a file")
                        .at(&meta.place, "only the output of an inventory program has `_meta`")
                        .because("a file has maps where a program's output has lists: {\"hosts\": {\"web1\": {}}}")
                        .fix("let a program print it: `#!/bin/sh` and `cat` in a file that may be executed"),
                );
            }
            for entry in groups {
                group(entry, None, draft);
            }
        }
        Value::List(items) => draft.faults.push(
            Diagnostic::error("an inventory must be a map of groups")
                .at(items.first().map_or(&root.place, |item| &item.place), "this is a list")
                .fix("write the groups as keys, without dashes: all: { hosts: { web1: } }"),
        ),
        value => {
            let root = Node::new(root.place, value);
            draft.faults.push(
                Diagnostic::error("an inventory must be a map of groups")
                    .at(&root.place, format!("this is {}", root.shape()))
                    .fix("start with a group and a colon, such as `all:`, with `hosts:` indented under it"),
            );
        }
    }
}

/// The fault of a file that ansible-vault encrypted.
pub(super) fn vaulted(source: &Arc<Source>) -> Diagnostic {
    Diagnostic::error("a file encrypted by ansible-vault")
        .at(&Place::outside(&source.path), "")
        .because("ansible-vault files are not read")
        .fix("decrypt it, and tag its secrets !secret, in a file that only you can read")
}

fn group(entry: Entry, parent: Option<usize>, draft: &mut Draft) {
    let Entry { key: name, place, node } = entry;
    if SECTIONS.contains(&name.as_str()) {
        return draft.faults.push(misplaced(&name, &place, parent.is_none()));
    }
    if let Some(told) = not_text("group", &name, &place) {
        return draft.faults.push(told);
    }
    if let Some(why) = names::refuse_group(&name) {
        return draft.faults.push(
            Diagnostic::error("a name that no group can have")
                .at(&place, why)
                .because(format!("{name:?} would not be safe in a path or a pattern"))
                .fix("use letters, digits, `_`, `-` and `.`"),
        );
    }
    let at = draft.group(&name, Some(&place));
    if let Some(parent) = parent {
        draft.nest(parent, at, &place);
    }
    let sections = match node.value {
        Value::Null => return,
        Value::Map(sections) => sections,
        value => {
            let node = Node::new(node.place, value);
            return draft.faults.push(
                Diagnostic::error("a group must be a map")
                    .at(&node.place, format!("`{name}` is {}", node.shape()))
                    .fix(format!("write `{name}:` and indent `hosts:`, `children:` or `vars:` under it")),
            );
        }
    };
    let hollow = sections
        .iter()
        .find(|entry| matches!(entry.key.as_str(), "hosts" | "children") && matches!(entry.node.value, Value::Null));
    let hollow = hollow.map(|entry| (entry.key.clone(), entry.place.clone()));
    for section in sections {
        match section.key.as_str() {
            "vars" => vars(at, section, draft),
            "children" => {
                for entry in names_of(section, draft) {
                    group(entry, Some(at), draft);
                }
            }
            "hosts" => {
                for entry in names_of(section, draft) {
                    host(entry, at, draft);
                }
            }
            _ => draft.faults.push(unknown_key(&name, &section, hollow.as_ref(), parent.is_some())),
        }
    }
}

fn misplaced(name: &str, place: &Place, top: bool) -> Diagnostic {
    let (label, fix) = if top {
        (
            "stands at the top, where groups stand",
            format!("indent `{name}:` and what follows under a group, such as `all:`"),
        )
    } else {
        ("stands where groups stand", format!("name the group first, and indent `{name}:` under it"))
    };
    Diagnostic::error("a section without a group").at(place, format!("`{name}` {label}")).fix(fix)
}

fn unknown_key(group: &str, found: &Entry, hollow: Option<&(String, Place)>, nested: bool) -> Diagnostic {
    let key = &found.key;
    let told = Diagnostic::error("an unknown key in a group").at(&found.place, format!("`{key}` is not known here"));
    if let Some(near) = did_you_mean(key, SECTIONS) {
        return told.fix(format!("did you mean `{near}`?"));
    }
    let connects = key.starts_with("ansible_") || key == "rempart";
    if let (Some((section, place)), false) = (hollow, connects) {
        return told
            .see(place, "this is empty")
            .because(format!("`{key}` stands beside `{section}:`, not under it"))
            .fix(format!("indent `{key}:` deeper than `{section}:`"));
    }
    if connects && nested {
        return told
            .because(format!(
                "`{group}` is read as a group, because it stands under `children:`, but it looks like a host"
            ))
            .fix(format!("put `{group}:` under `hosts:`; or, if it is a group, put `{key}` under its `vars:`"));
    }
    match found.node.value {
        Value::Null | Value::Map(_) if !connects => told
            .because("a group has `hosts:`, `children:` and `vars:`, and nothing else")
            .fix(format!("put `{key}:` under `hosts:` if it is a host, or under `children:` if it is a group")),
        _ => told
            .because("a group has `hosts:`, `children:` and `vars:`, and nothing else")
            .fix(format!("put `{key}` under `vars:` if it is a variable")),
    }
}

// The entries of `hosts` or `children`. A lone word is taken as Ansible takes it, and told.
fn names_of(section: Entry, draft: &mut Draft) -> Vec<Entry> {
    let Entry { key, node, .. } = section;
    let what = if key == "hosts" { "host" } else { "group" };
    match node.value {
        Value::Null => Vec::new(),
        Value::Map(entries) => entries,
        Value::Text(text) if !text.contains(char::is_whitespace) => {
            draft.warnings.push(
                Diagnostic::warning(format!("a {what} without a colon"))
                    .at(&node.place, format!("read as the one {what} `{text}`"))
                    .because("a second one beside it would break the file")
                    .fix(format!("write `{text}:` on a line of its own, indented under `{key}:`")),
            );
            vec![Entry { key: text, place: node.place.clone(), node: Node::new(node.place, Value::Null) }]
        }
        Value::Text(text) => {
            let fixed: Vec<String> =
                text.split_whitespace().take(5).map(|word| format!("`{}:`", settings::named(word))).collect();
            draft.faults.push(
                Diagnostic::error(format!("{what}s without colons"))
                    .at(&node.place, "YAML reads this as one text")
                    .fix(format!("write a colon after each, one on a line: {}", fixed.join(" "))),
            );
            Vec::new()
        }
        value => {
            let node = Node::new(node.place, value);
            let mut told = Diagnostic::error(format!("`{key}` must be a map"))
                .at(node.items().and_then(<[Node]>::first).map_or(&node.place, |item| &item.place), {
                    format!("`{key}` is {}", node.shape())
                });
            told.fix = Some(match node.items() {
                Some(items) => {
                    let words = items.iter().filter_map(|item| {
                        item.text().or_else(|| item.entries().and_then(|e| e.first()).map(|e| e.key.as_str()))
                    });
                    let fixed: Vec<String> = words.take(5).map(|word| format!("`{word}:`")).collect();
                    format!("write each without a dash and with a colon: {}", fixed.join(" "))
                }
                None => format!("write each {what} as a key with a colon, indented under `{key}:`"),
            });
            draft.faults.push(told);
            Vec::new()
        }
    }
}

fn vars(group: usize, section: Entry, draft: &mut Draft) {
    let entries = match section.node.value {
        Value::Null => return,
        Value::Map(entries) => entries,
        value => {
            let node = Node::new(section.node.place, value);
            let fix = match node.value {
                Value::List(_) => "write each variable as a key, without a dash: `name: value`",
                _ => "write each variable as a key, indented under `vars:`: `name: value`",
            };
            return draft.faults.push(
                Diagnostic::error("`vars` must be a map")
                    .at(&node.place, format!("`vars` is {}", node.shape()))
                    .fix(fix),
            );
        }
    };
    for entry in entries {
        settings::give_group(draft, group, &entry.key, entry.node);
    }
}

fn host(entry: Entry, group: usize, draft: &mut Draft) {
    let Entry { key, place, node } = entry;
    let fail = |why: String| {
        let fix = if key.contains(char::is_whitespace) {
            "one host on a line, each with a colon; variables go indented under it"
        } else {
            names::fix(&key, &why)
        };
        Diagnostic::error("a name that no host can have")
            .at(&place, why)
            .because(format!("{:?}", settings::named(&key)))
            .fix(fix)
    };
    if let Some(told) = not_text("host", &key, &place) {
        return draft.faults.push(told);
    }
    let (hosts, port) = match names::hosts(&key) {
        Ok(hosts) => hosts,
        Err(why) => return draft.faults.push(fail(why)),
    };
    let vars = match node.value {
        Value::Null => Vec::new(),
        Value::Map(entries) => settings::take(entries, &mut draft.faults),
        value => {
            let node = Node::new(node.place, value);
            // `name:value` is one text to YAML.
            let glued = node.text().and_then(|text| text.split_once(':')).filter(|(name, _)| {
                name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            let fix = match glued {
                _ if key.starts_with("ansible_") => {
                    format!("`{key}` is a variable: indent it under the host that it is meant for")
                }
                Some((name, _)) => format!("write a blank after the colon: `{name}: ...`"),
                None => {
                    format!("write `{key}:` alone, and its variables indented under it, such as `ansible_host: ...`")
                }
            };
            return draft.faults.push(
                Diagnostic::error("a host's variables must be a map")
                    .at(&node.place, format!("`{key}` is {}", node.shape()))
                    .fix(fix),
            );
        }
    };
    draft.add_hosts(hosts, port, &place, group, &vars);
}

// Ansible refuses a host or a group whose name is a number, a date or a truth value to YAML.
fn not_text(what: &str, key: &str, place: &Place) -> Option<Diagnostic> {
    let written = place.text().get(place.range()).unwrap_or("").trim();
    if yaml::is_text_key(written) {
        return None;
    }
    Some(
        Diagnostic::error("a name that is no text")
            .at(place, format!("YAML reads this as {}", kind_of(key)))
            .fix(format!("put the name of the {what} in quotes: \"{written}\":")),
    )
}

fn kind_of(key: &str) -> &'static str {
    match key {
        "true" | "false" => "a truth value",
        "null" => "nothing",
        _ if key.contains('-') && key.len() >= 10 => "a date",
        _ => "a number",
    }
}

// YAML's own message for a word without its colon speaks of simple keys; this one names the word.
fn lone_word(fault: &Diagnostic) -> Option<String> {
    let (place, _) = fault.place.as_ref()?;
    let at = place.range().start.min(place.text().len());
    let end = at + place.text().get(at..)?.find('\n').unwrap_or(place.text().len() - at);
    let lines = place.text().get(..end)?.lines().rev().take(3);
    let word = lines.map(str::trim).find(|line| {
        let bare = line.trim_start_matches("- ");
        !bare.is_empty() && !bare.contains([':', '#', ' ', '"', '\'', '{', '}', '[', ']'])
    })?;
    Some(format!("write a colon after a name: `{}:`", settings::named(word.trim_start_matches("- "))))
}
