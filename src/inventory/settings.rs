//! Owns what happens to a variable as it is read: it keeps its place, and what is secret gets its mark and its name.
//!
//! Must not know which group or host it belongs to. A password is a secret by the name of its variable, whatever its
//! tag; the lines of a file that hold one are never shown, so a fault here stands at `file:line:column` without text.

use std::sync::Arc;

use super::draft::{Draft, Setting};
use crate::model::{Diagnostic, Place};
use crate::secret::Rendered;
use crate::yaml::{Entry, Node, Value};

/// Takes the entries of a `vars` map, or of a host or a vars file.
pub(super) fn take(entries: Vec<Entry>, faults: &mut Vec<Diagnostic>) -> Vec<Setting> {
    entries.into_iter().map(|entry| setting(&entry.key, entry.node, faults)).collect()
}

/// Takes one variable.
pub(super) fn setting(name: &str, node: Node, faults: &mut Vec<Diagnostic>) -> Setting {
    let node = mark(name, name, node, faults);
    Setting { name: name.into(), node: Arc::new(node) }
}

/// Gives a group one variable; `ansible_group_priority` is none, but says how strong the group is.
pub(super) fn give_group(draft: &mut Draft, group: usize, name: &str, node: Node) {
    if name != "ansible_group_priority" {
        let setting = setting(name, node, &mut draft.faults);
        return draft.groups[group].settings.push(setting);
    }
    let priority = match &node.value {
        Value::Int(priority) => Some(*priority),
        Value::Bool(priority) => Some(i64::from(*priority)),
        // As Python cuts it.
        Value::Float(priority) if priority.is_finite() => Some(priority.trunc() as i64),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    match priority {
        Some(priority) => draft.groups[group].priority = priority,
        None => draft.faults.push(
            Diagnostic::error("a priority must be a whole number")
                .at(&node.place, format!("this is {}", node.shape()))
                .fix("write a number; the group with the higher one wins"),
        ),
    }
}

/// Whether the value of a connection variable is a secret because of its name.
pub(super) fn is_password(name: &str) -> bool {
    name.strip_prefix("ansible_").is_some_and(|rest| {
        ["pass", "password", "passphrase"].iter().any(|end| rest == *end || rest.ends_with(&format!("_{end}")))
            || matches!(rest, "private_key" | "ssh_private_key")
    })
}

/// Whether a name sounds as if its value were a secret: of lines that cannot be read, names are all there is to go by.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    !name.ends_with("_file")
        && (is_password(&name)
            || ["password", "passwd", "passphrase", "secret", "token", "private_key", "credential"]
                .iter()
                .any(|word| name.contains(word)))
}

// The words that may be names, and where each begins: what stands between blanks, quotes and signs.
fn names_in(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let part = |c: char| !(c.is_alphanumeric() || "_-.".contains(c));
    let mut next = 0;
    text.split_inclusive(part).map(move |piece| {
        let at = next;
        next += piece.len();
        (at, piece.trim_end_matches(part))
    })
}

/// The place of a line that cannot be read: as words, so that no report shows it, where something other than `=` or `:`
/// stands behind a name that sounds secret. Behind those two, a report hides the value itself.
pub(super) fn shy(place: &Place, line: &str) -> Place {
    let bare = |at: usize, word: &str| {
        let rest = line[at + word.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        sounds_secret(word) && !rest.is_empty() && !rest.starts_with(['=', ':'])
    };
    if names_in(line).any(|(at, word)| bare(at, word)) { hidden(place) } else { place.clone() }
}

/// What may be shown of a word that was to be a name: nothing behind `=`, or behind a `:` that begins no port and no end
/// of a range, since that may be the value of a secret.
pub(super) fn named(word: &str) -> &str {
    let mut inside = false;
    for (at, c) in word.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if inside || word[at + 1..].bytes().all(|b| b.is_ascii_digit()) => {}
            '=' | ':' => return &word[..at],
            _ => {}
        }
    }
    word
}

/// What a program said, without what stands behind names that sound secret and without logins in URLs.
pub(super) fn without_secrets(text: &str) -> String {
    let line = |line: &str| {
        let secret = names_in(line).find_map(|(at, word)| {
            let end = at + word.len();
            let sign = line[end..].trim_start_matches(['"', '\'', ' ']);
            (sounds_secret(word) && sign.starts_with(['=', ':'])).then(|| line.len() - sign.len() + 1)
        });
        match (secret, line.split_once("://")) {
            (Some(at), _) if !line[at..].trim().is_empty() => format!("{} (hidden)", &line[..at]),
            (_, Some((before, behind))) => {
                let end = behind.find(['/', ' ']).unwrap_or(behind.len());
                match behind[..end].rfind('@') {
                    Some(at) => format!("{before}://(hidden){}", &behind[at..]),
                    None => line.to_owned(),
                }
            }
            _ => line.to_owned(),
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

// `path` is the name under which a secret is known: the variable, and the keys down to it. Playbooks know a variable's
// own name as well as `db.password`, so both are clear.
fn mark(path: &str, key: &str, node: Node, faults: &mut Vec<Diagnostic>) -> Node {
    let Node { place, value } = node;
    let value = match value {
        // How Ansible's JSON marks what is no template, and what its vault encrypted.
        Value::Map(mut entries) if entries.len() == 1 && entries[0].key == "__ansible_unsafe" => {
            let inner = entries.remove(0).node;
            return mark(path, key, Node { place, ..inner }, faults);
        }
        Value::Map(entries) if entries.len() == 1 && entries[0].key == "__ansible_vault" => {
            faults.push(
                Diagnostic::error("a value encrypted by ansible-vault")
                    .at(&hidden(&place), "")
                    .because("ansible-vault values are not read")
                    .fix("give it as plain text tagged !secret, in a file that only you can read"),
            );
            Value::Null
        }
        Value::Tainted(text) => Value::Tainted(Rendered::secret(text.to_secret(path))),
        value if is_password(key) || matches!(path, "rempart.become_password" | "rempart.password") => {
            password(path, value, &place, faults)
        }
        Value::List(items) => {
            let mark = |(at, item)| mark(&format!("{path}.{at}"), "", item, faults);
            Value::List(items.into_iter().enumerate().map(mark).collect())
        }
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|entry| {
                    let node = mark(&format!("{path}.{}", entry.key), &entry.key, entry.node, faults);
                    Entry { node, ..entry }
                })
                .collect(),
        ),
        value => value,
    };
    Node { place, value }
}

fn password(name: &str, value: Value, place: &Place, faults: &mut Vec<Diagnostic>) -> Value {
    let written = place.text().get(place.range()).unwrap_or("");
    let mut fail = |detail: String, fix: &str| {
        faults.push(
            Diagnostic::error("a password that cannot be read as text").at(&hidden(place), "").because(detail).fix(fix),
        );
        Value::Null
    };
    match value {
        Value::Null => Value::Null,
        Value::Text(text) if is_template(&text) => Value::Text(text),
        Value::Text(text) if text.contains("{{") || text.contains("{%") => fail(
            format!("`{name}` mixes plain text and a template, so neither can be told from the other"),
            "put the whole password in a variable of its own, and name that one: \"{{ my_password }}\"",
        ),
        Value::Text(text) => Value::Tainted(Rendered::secret(Rendered::plain(text).to_secret(name))),
        Value::Int(number) if number.to_string() == written => {
            Value::Tainted(Rendered::secret(Rendered::plain(written).to_secret(name)))
        }
        _ => fail(
            format!("`{name}` without quotes is read as a number, a truth value, a list or a map"),
            "put the password in quotes",
        ),
    }
}

/// Whether text is one expression and nothing else; the playbook's renderer fills it in, and `target` marks it then.
fn is_template(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1
}

/// The same place as words, so that no report shows the line it stands on.
pub(super) fn hidden(place: &Place) -> Place {
    Place::outside(&place.to_string())
}
