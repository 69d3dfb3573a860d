//! Owns one item of a phase: exactly one kind (or `include`) and the keywords beside it.

use std::path::Path;

use super::ansible;
use super::load::Loader;
use super::site::{Item, KEYWORDS, What, Words};
use crate::model::{Diagnostic, Place, did_you_mean};
use crate::yaml::{Entry, Node, Value};

/// Reads an item; faults go to the loader.
pub(super) fn read(loader: &mut Loader, node: &Node, file: &Path) -> Option<Item> {
    let Some(entries) = node.entries() else {
        let told = Diagnostic::error("an item must be a map").at(&node.place, format!("this is {}", node.shape()));
        loader.faults.push(told.fix("write it as `- KIND: { ... }`"));
        return None;
    };
    let (words, whats): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| KEYWORDS.contains(&entry.key.as_str()) && entry.key != "include");
    let words = self::words(loader, &words);
    let kinds = loader.kinds;
    // A kind without anything below it: what follows was meant to stand there.
    let hollow = whats
        .iter()
        .find(|entry| matches!(entry.node.value, Value::Null) && kinds.iter().any(|kind| kind.name == entry.key))
        .map(|entry| entry.key.as_str());
    let mut known = Vec::new();
    for entry in whats {
        if entry.key == "include" || kinds.iter().any(|kind| kind.name == entry.key) {
            known.push(entry);
            continue;
        }
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).chain(KEYWORDS.iter().copied()).collect();
        let mut told = Diagnostic::error("an unknown key")
            .at(&entry.place, format!("`{}` is neither a kind nor a keyword", entry.key));
        told.fix = Some(match (hollow, ansible::item_word(&entry.key)) {
            (None, Some(instead)) => instead.into(),
            // A field called `name` that stands too far left.
            (_, Some(instead)) if entry.key != "name" => instead.into(),
            _ => match (hollow, ansible::kind(&entry.key)) {
                (Some(kind), _) => format!("indent `{}:` under `{kind}:`", entry.key),
                (None, Some(kind)) => {
                    format!("Ansible's `{}` is `{kind}` here: `rempart kinds {kind}` shows its fields", entry.key)
                }
                (None, None) => match did_you_mean(&entry.key, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`rempart kinds` lists the kinds".into(),
                },
            },
        });
        loader.faults.push(told);
    }
    let what = match known.as_slice() {
        [one] => *one,
        [] => {
            if entries.iter().all(|entry| KEYWORDS.contains(&entry.key.as_str())) {
                let told = Diagnostic::error("an item without a kind").at(&node.place, "it does nothing");
                loader.faults.push(told.fix("add one kind, such as `file: { ... }`, or `include: FILE`"));
            }
            return None;
        }
        [first, second, ..] => {
            loader.faults.push(
                Diagnostic::error("an item with two kinds")
                    .at(&second.place, format!("`{}` again", second.key))
                    .see(&first.place, format!("`{}` is the first", first.key))
                    .fix("make two items of it: begin the second with `- `"),
            );
            return None;
        }
    };
    // Shown as the place of the item: the line that names its kind.
    let place = what.place.clone();
    let vars = node.entry("vars");
    if what.key != "include" {
        if let Some(vars) = vars {
            let told = Diagnostic::error("`vars` without `include`").at(&vars.place, "an item has no variables");
            loader.faults.push(told.fix("move them to the playbook's `vars:`"));
        }
        let kind = kinds.iter().find(|kind| kind.name == what.key)?;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        return Some(Item { place, words, what: What::Resource { kind, fields: what.node.clone(), folder } });
    }
    if let Some(id) = &words.id {
        loader.faults.push(Diagnostic::error("an include has no id").at(&id.place, "give it to an item in the file"));
    }
    let vars = loader.map(vars.map(|vars| &vars.node), "vars");
    let (name, at) = loader.text(&what.node, "include")?;
    if marked(&name) {
        let told = Diagnostic::error("an include with a template").at(&at, "files are read before hosts are known");
        loader.faults.push(told.fix("include both files, each with `when:`"));
        return None;
    }
    let items = loader.include(&name, &at, file);
    Some(Item { place, words, what: What::Include { vars, items } })
}

/// Whether a text holds template marks.
pub(super) fn marked(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

fn words(loader: &mut Loader, entries: &[&Entry]) -> Words {
    let mut words = Words::default();
    for entry in entries {
        let node = &entry.node;
        match entry.key.as_str() {
            "id" => words.id = loader.text(node, "id").map(|_| node.clone()),
            "needs" => words.needs = list(node),
            "when" => {
                words.when = list(node);
                words.when.retain(|node| bare(loader, node, "when"));
            }
            "each" => {
                words.each = loader.map(Some(node), "each");
                words.each.retain(|entry| name(loader, entry) && bare(loader, &entry.node, "each"));
            }
            "tags" => words.tags = marks(loader, node, "tags"),
            "controls" => words.controls = marks(loader, node, "controls"),
            _ => {}
        }
    }
    words
}

fn list(node: &Node) -> Vec<Node> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.clone(),
        _ => vec![node.clone()],
    }
}

// `when` and `each` are expressions already; braces would render first and evaluate the text again.
fn bare(loader: &mut Loader, node: &Node, word: &str) -> bool {
    let Some(text) = node.text().filter(|text| marked(text)) else { return true };
    let inner = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
    let fix = if marked(inner) || inner.contains("}}") {
        "write the expression without braces".to_owned()
    } else {
        format!("write `{inner}`")
    };
    loader.lost_names = true;
    let told = Diagnostic::error("braces around an expression")
        .at(&node.place, format!("`{word}` takes a bare expression"))
        .fix(fix);
    loader.faults.push(told);
    false
}

fn name(loader: &mut Loader, entry: &Entry) -> bool {
    let key = &entry.key;
    let fine = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && !key.is_empty();
    if fine && !super::BUILTINS.iter().any(|(name, _)| name == key) {
        return true;
    }
    loader.lost_names = true;
    let told = Diagnostic::error("not a name for a variable").at(&entry.place, "it is bound to each value in turn");
    loader.faults.push(told.fix("use letters, digits and _, and no name that is built in"));
    false
}

fn marks(loader: &mut Loader, node: &Node, word: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (name, place) in loader.names(Some(node), word) {
        match unfit(&name) {
            false => names.push(name),
            true => faulty(loader, &place, word),
        }
    }
    names.sort();
    names.dedup();
    names
}

fn unfit(name: &str) -> bool {
    !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}

fn faulty(loader: &mut Loader, place: &Place, word: &str) {
    let told = Diagnostic::error("not a plain name").at(place, format!("`{word}` takes fixed names"));
    loader.faults.push(told.fix("use letters, digits and . _ - /"));
}
