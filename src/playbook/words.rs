//! Owns the keywords of an item on a host: `when`, `each`, `id` and `needs`, which are known before connecting
//! (but for `when`).

use minijinja::Value as Jinja;
use minijinja::value::ValueKind;

use super::expand::{Around, MOST_OF_ONE, Spot, Target, Walk, Wanted};
use super::link;
use super::render::Stop;
use super::root::Root;
use super::site::Words;
use super::taint::Tainted;
use crate::model::{Diagnostic, Place, ResourceId};
use crate::yaml::{Node, Value};

impl Walk<'_> {
    // `None` = wrong, and told; `Some(None)` = not known yet: facts are missing, of hosts that are noted.
    pub(super) fn when(&mut self, words: &Words, root: &Root, spot: &Spot<'_>) -> Option<Option<bool>> {
        let mut all = Some(true);
        for node in &words.when {
            match condition(root, node) {
                Ok(true) => {}
                Ok(false) => return Some(Some(false)),
                Err(Stop::Pending) => all = None,
                Err(Stop::Fault(told)) => {
                    self.fault(*told, spot);
                    return None;
                }
            }
        }
        Some(all)
    }

    // A name that a keyword gives: rendered, without facts.
    fn name(&mut self, word: &str, node: &Node, root: &Root, spot: &Spot<'_>) -> Option<String> {
        let ledger = &root.renderer().ledger;
        ledger.notes().facts_read = false;
        let value = root.evaluate(node, word);
        if std::mem::take(&mut ledger.notes().facts_read) {
            self.fault(needs_facts(&format!("`{word}`"), &node.place), spot);
            return None;
        }
        let told = match value {
            Ok(value) if matches!(value.kind(), ValueKind::String | ValueKind::Number) => {
                let text = value.to_string();
                if !text.is_empty() && !text.contains(char::is_control) {
                    return Some(text);
                }
                Diagnostic::error("not a name").at(&node.place, format!("`{word}` takes a line of text"))
            }
            Ok(_) => Diagnostic::error("a value of the wrong type").at(&node.place, format!("`{word}` takes text")),
            Err(Stop::Fault(told)) => *told,
            Err(Stop::Pending) => needs_facts(&format!("`{word}`"), &node.place),
        };
        self.fault(told, spot);
        None
    }

    pub(super) fn label(&mut self, words: &Words, root: &Root, around: &Around, spot: &Spot<'_>) -> Option<String> {
        let node = words.id.as_ref()?;
        if around.skipped {
            return root.evaluate(node, "id").ok().map(|value| value.to_string());
        }
        let label = self.name("id", node, root, spot)?;
        if label.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Some(label);
        }
        let told = Diagnostic::error("not an id").at(&node.place, "a colon would make it a `kind:key`");
        self.fault(told.fix("use letters, digits and . _ -"), spot);
        None
    }

    pub(super) fn needs(&mut self, words: &Words, root: &Root, spot: &Spot<'_>) -> Vec<Wanted> {
        let mut all = Vec::new();
        for node in &words.needs {
            let place = node.place.clone();
            let Some(entries) = node.entries() else {
                let Some(text) = self.name("needs", node, root, spot) else { continue };
                match link::target(&text, self.site.kinds, &place) {
                    Ok(target) => all.push(Wanted { target, on: None, place }),
                    Err(told) => self.fault(told, spot),
                }
                continue;
            };
            let on = entries.iter().find(|entry| entry.key == "on");
            let mut others = entries.iter().filter(|entry| entry.key != "on");
            let (Some(what), None) = (others.next(), others.next()) else {
                let told = Diagnostic::error("not an edge").at(&place, "expected one resource, and perhaps `on`");
                self.fault(
                    told.fix("write such as `{ file: /etc/x, on: proxies }` or `{ id: NAME, on: proxies }`"),
                    spot,
                );
                continue;
            };
            let Some(key) = self.name("needs", &what.node, root, spot) else { continue };
            let place = what.place.clone();
            let target = match self.site.kinds.iter().find(|kind| kind.name == what.key) {
                Some(kind) => Target::Resource(ResourceId::new(kind.name, key)),
                None if what.key == "id" => Target::Label(key),
                None => {
                    let told = link::unknown_kind(&what.key, self.site.kinds, &what.place);
                    self.fault(told, spot);
                    continue;
                }
            };
            let on = match on {
                None => None,
                Some(on) => match self.name("on", &on.node, root, spot) {
                    Some(pattern) => Some(pattern),
                    None => continue,
                },
            };
            all.push(Wanted { target, on, place });
        }
        all
    }
}

pub(super) fn needs_facts(what: &str, place: &Place) -> Diagnostic {
    Diagnostic::error("facts come too late for this")
        .at(place, format!("{what} must be known before connecting"))
        .fix("use a variable of the inventory, or put the facts into a field or `when`")
}

// The values of one name of `each`, with whether facts were read for them.
pub(super) fn list(root: &Root, node: &Node) -> Result<Vec<(Jinja, bool)>, Stop> {
    let ledger = &root.renderer().ledger;
    ledger.notes().facts_read = false;
    let value = match &node.value {
        Value::Text(text) => root.renderer().expression(root, text, &node.place)?,
        _ => root.evaluate(node, "each")?,
    };
    if std::mem::take(&mut ledger.notes().facts_read) {
        return Err(needs_facts("`each`", &node.place).into());
    }
    let wrong = |what: &str| {
        Stop::from(
            Diagnostic::error("`each` takes a list or a map")
                .at(&node.place, format!("this is {what}"))
                .fix("name a variable that holds a list, or write the list"),
        )
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| wrong("no list"))?;
            Ok(items.take(MOST_OF_ONE + 1).map(|item| (item, false)).collect())
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|_| wrong("no map"))?;
            let pair = |key: Jinja| {
                let inner = value.get_item(&key).unwrap_or_default();
                (Jinja::from_pairs([("key", key), ("value", inner)]), false)
            };
            Ok(keys.take(MOST_OF_ONE + 1).map(pair).collect())
        }
        ValueKind::String => Err(wrong("text")),
        ValueKind::Number => Err(wrong("a number")),
        ValueKind::None => Err(wrong("nothing")),
        _ => Err(wrong("something else")),
    }
}

fn condition(root: &Root, node: &Node) -> Result<bool, Stop> {
    let value = match &node.value {
        Value::Bool(value) => return Ok(*value),
        Value::Text(text) => root.renderer().expression(root, text, &node.place)?,
        _ => {
            let told =
                Diagnostic::error("`when` takes an expression").at(&node.place, format!("this is {}", node.shape()));
            return Err(told.fix("write such as `when: env == \"prod\"`").into());
        }
    };
    if value.kind() == ValueKind::Bool {
        return Ok(value.is_true());
    }
    let what = match value.kind() {
        _ if value.downcast_object_ref::<Tainted>().is_some() => "a secret",
        ValueKind::String => "text",
        ValueKind::Number => "a number",
        ValueKind::None => "nothing",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "something else",
    };
    let told =
        Diagnostic::error("a condition that is neither true nor false").at(&node.place, format!("this is {what}"));
    Err(told.fix("compare it, such as `x != \"\"`, or ask `x is defined`").into())
}
