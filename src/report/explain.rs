//! Owns the answer to "why is it so": where a variable's value comes from and what it won over, and what a resource is
//! made of and waits for.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::{cut, padded, visible};
use super::fields::new_fields;
use super::inventory::table;
use super::words::count;
use super::{Paint, Tone};
use crate::inventory::{Host, Var};
use crate::model::{Phase, Place};
use crate::plan::{Delta, Graph, Item, Why, delta};
use crate::resource::Seen;
use crate::yaml::Node;

/// A value in a table is cut here; alone it is shown whole.
const CELL: usize = 36;

/// What was found about one variable, or a part of it.
pub struct Explained<'a> {
    /// The host.
    pub host: &'a Host,
    /// The name, with the way into the value: `db.port`.
    pub name: &'a str,
    /// What the inventory has.
    pub var: Option<&'a Var>,
    /// The part of the value that was asked for; the whole one otherwise.
    pub part: Option<&'a Node>,
    /// What playbooks say, strongest first.
    pub playbooks: Vec<FromPlaybook>,
    /// Whether a playbook says that it is secret.
    pub secret: bool,
}

impl Explained<'_> {
    // As it may be shown.
    fn value(&self) -> Value {
        match (self.part, self.playbooks.iter().find(|from| from.wins)) {
            _ if self.secret => hidden(self.name),
            (Some(node), _) => node.to_json(),
            (None, Some(from)) => from.value.clone(),
            (None, None) => Value::Null,
        }
    }
}

fn hidden(name: &str) -> Value {
    format!("(secret {name})").into()
}

/// What a place in a playbook says about a variable.
pub struct FromPlaybook {
    /// Where.
    pub place: Place,
    /// In words: whose it is, and how it stands to the others.
    pub words: String,
    /// The value as written, masked.
    pub value: Value,
    /// Whether this is what templates see.
    pub wins: bool,
}

/// One variable in words.
pub fn explain(of: &Explained<'_>, paint: &Paint) -> String {
    let title = format!("{} / {}", visible(of.host.name.as_str()), visible(of.name));
    let mut text = format!("{} = {}\n", paint.tone(Tone::Bold, &title), in_lines(&of.value()));
    let mut rows: Vec<(&str, String, String)> = Vec::new();
    if let Some(var) = of.var {
        let place = of.part.map_or(&var.node.place, |part| &part.place);
        rows.push(("from", shown(place), var.level.to_string()));
        for (at, (place, whose)) in var.shadowed.iter().enumerate() {
            rows.push((if at == 0 { "over" } else { "" }, shown(place), visible(whose)));
        }
    }
    for from in &of.playbooks {
        let word = if from.wins && of.var.is_none() { "from" } else { "playbook" };
        rows.push((word, shown(&from.place), visible(&from.words)));
    }
    let width = rows.iter().map(|(_, place, _)| place.width()).max().unwrap_or(0);
    for (word, place, whose) in rows {
        let line = format!("  {word:<9} {}  {whose}", padded(&place, width));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&conflict(of, paint));
    text
}

fn conflict(of: &Explained<'_>, paint: &Paint) -> String {
    let Some(conflict) = of.var.and_then(|var| var.conflict.as_ref()) else { return String::new() };
    let mut text = String::new();
    for (place, group) in &conflict.others {
        let line = format!("  conflict  {}  group {} says otherwise\n", shown(place), visible(group));
        text.push_str(&paint.tone(Tone::Bad, line.trim_end()));
        text.push('\n');
    }
    text.push_str(&format!(
        "\nThe groups are of one depth and one priority; {} wins by its name alone, as in Ansible, and a playbook that\n\
         uses the value is refused. Give one of them a higher `ansible_group_priority`, or set it on the host.\n",
        visible(&conflict.group)
    ));
    text
}

/// One variable as JSON.
pub fn explain_json(of: &Explained<'_>) -> Value {
    let mut all = json!({ "format_version": "1.0", "kind": "explain", "host": of.host.name, "name": of.name });
    all["value"] = of.value();
    if let Some(var) = of.var {
        all["place"] = json!(of.part.map_or(&var.node.place, |part| &part.place).to_string());
        all["level"] = json!(var.level.to_string());
        let each = |(place, whose): &(Place, String)| json!({ "place": place.to_string(), "level": whose });
        all["shadowed"] = var.shadowed.iter().map(each).collect();
        if let Some(conflict) = &var.conflict {
            let each = |(place, group): &(Place, String)| json!({ "place": place.to_string(), "group": group });
            all["conflict"] =
                json!({ "group": conflict.group, "others": conflict.others.iter().map(each).collect::<Vec<_>>() });
        }
    }
    let each = |from: &FromPlaybook| json!({ "place": from.place.to_string(), "what": from.words, "value": if of.secret { hidden(of.name) } else { from.value.clone() }, "wins": from.wins });
    all["playbooks"] = of.playbooks.iter().map(each).collect();
    all
}

/// All variables of a host that the inventory gives it; `is_secret` says which ones a playbook hides.
pub fn variables(host: &Host, is_secret: &dyn Fn(&str) -> bool, paint: &Paint) -> String {
    let mut rows = vec![["variable", "value", "from", ""].map(str::to_owned)];
    for (name, var) in &host.vars {
        let mut notes = vec![var.level.to_string()];
        if !var.shadowed.is_empty() {
            notes.push(format!("over {}", count(var.shadowed.len(), "other", "others")));
        }
        if var.conflict.is_some() {
            notes.insert(0, "groups disagree".to_owned());
        }
        let value = if is_secret(name) { hidden(name) } else { var.node.to_json() };
        rows.push([visible(name), cut(&in_line(&value), CELL), shown(&var.node.place), notes.join(", ")]);
    }
    let mut text = table(&rows, paint);
    let groups: Vec<String> = host.groups.iter().map(|group| visible(group)).collect();
    text.push_str(&format!(
        "{}; {} is in {}\n",
        count(host.vars.len(), "variable", "variables"),
        visible(host.name.as_str()),
        groups.join(", ")
    ));
    text
}

/// The same as JSON.
pub fn variables_json(host: &Host, is_secret: &dyn Fn(&str) -> bool) -> Value {
    let each = |(name, var): (&std::sync::Arc<str>, &std::sync::Arc<Var>)| {
        let about = json!({
            "value": if is_secret(name) { hidden(name) } else { var.node.to_json() },
            "place": var.node.place.to_string(),
            "level": var.level.to_string(),
            "shadowed": var.shadowed.len(),
            "conflict": var.conflict.is_some(),
        });
        (name.to_string(), about)
    };
    let vars: serde_json::Map<String, Value> = host.vars.iter().map(each).collect();
    json!({
        "format_version": "1.0", "kind": "explain_host",
        "host": host.name, "groups": host.groups, "place": host.place.to_string(), "variables": vars,
    })
}

/// One resource of a graph: where it stands, what it is to be, and what it waits for.
pub fn explain_resource(graph: &Graph, number: usize, paint: &Paint) -> String {
    let item = &graph.items[number];
    let title = format!("{} / {}", visible(item.host.as_str()), visible(&item.id().to_string()));
    let mut text = format!("{}\n", paint.tone(Tone::Bold, &title));
    let mut say = |word: &str, what: String| text.push_str(&format!("  {word:<12} {what}\n"));
    say("declared in", format!("{}, playbook {}, phase {}", shown(&item.place), visible(&item.playbook), item.phase));
    if let Some(label) = &item.label {
        say("id", visible(label));
    }
    for (word, several) in [("tags", &item.tags), ("controls", &item.controls)] {
        if !several.is_empty() {
            say(word, several.iter().map(|one| visible(one)).collect::<Vec<_>>().join(", "));
        }
    }
    if item.resource.is_risky() {
        say("guarded", "the host takes a change of it back unless a fresh connection confirms it".to_owned());
    }
    if let Some(whole) = item.resource.part_of() {
        say("part of", whole.to_owned());
    }
    match item.unread() {
        Some(unread) => say("fields", visible(&unread.why)),
        None => match delta(&item.resource.desired(), &Seen::Absent) {
            Delta::Create(fields) => {
                say("fields", String::new());
                for line in new_fields(&fields, paint) {
                    text.push_str(&format!("    {line}\n"));
                }
            }
            _ => say("fields", "none: it is not to be there".to_owned()),
        },
    }
    let before = edges(graph, number, item);
    let after: Vec<String> = (0..graph.items.len())
        .filter(|other| graph.dependencies(*other).iter().any(|dependency| dependency.on == number))
        .map(|other| name_for(&graph.items[other], item))
        .collect();
    let width = before.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let phases: Vec<&str> = Phase::ALL.into_iter().filter(|phase| *phase < item.phase).map(Phase::name).collect();
    text.push_str(match (before.is_empty(), phases.is_empty()) {
        (true, true) => "  waits for    nothing\n",
        (true, false) => "  waits for    nothing but the phases before it\n",
        (false, _) => "  waits for\n",
    });
    for (name, why) in &before {
        text.push_str(&format!("    {}  {why}\n", padded(name, width)));
    }
    if !before.is_empty() && !phases.is_empty() {
        text.push_str(&format!("    and for the end of {}\n", phases.join(", ")));
    }
    if !after.is_empty() {
        text.push_str("  before\n");
        after.iter().for_each(|name| text.push_str(&format!("    {name}\n")));
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The same as JSON.
pub fn explain_resource_json(graph: &Graph, number: usize) -> Value {
    let item = &graph.items[number];
    let fields = match delta(&item.resource.desired(), &Seen::Absent) {
        Delta::Create(fields) if item.unread().is_none() => {
            fields.iter().map(|field| (field.field.clone(), super::json::to_json(&field.to))).collect()
        }
        _ => serde_json::Map::new(),
    };
    let before: Vec<Value> = graph
        .dependencies(number)
        .iter()
        .map(|dependency| {
            let on = &graph.items[dependency.on];
            json!({ "host": on.host, "id": on.id(), "why": why(&dependency.why) })
        })
        .collect();
    let after: Vec<Value> = (0..graph.items.len())
        .filter(|other| graph.dependencies(*other).iter().any(|dependency| dependency.on == number))
        .map(|other| json!({ "host": graph.items[other].host, "id": graph.items[other].id() }))
        .collect();
    json!({
        "format_version": "1.0", "kind": "explain_resource",
        "host": item.host, "id": item.id(), "label": item.label, "place": item.place.to_string(),
        "playbook": item.playbook, "phase": item.phase, "tags": item.tags, "controls": item.controls,
        "guarded": item.resource.is_risky(), "part_of": item.resource.part_of(),
        "waits_for_facts": item.unread().map(|unread| unread.why.clone()),
        "fields": fields, "waits_for": before, "before": after,
    })
}

// What comes first, each once, with all reasons.
fn edges(graph: &Graph, number: usize, item: &Item) -> Vec<(String, String)> {
    let mut all: Vec<(usize, Vec<String>)> = Vec::new();
    for dependency in graph.dependencies(number) {
        match all.iter_mut().find(|(on, _)| *on == dependency.on) {
            Some((_, reasons)) => reasons.push(why(&dependency.why)),
            None => all.push((dependency.on, vec![why(&dependency.why)])),
        }
    }
    all.into_iter().map(|(on, reasons)| (name_for(&graph.items[on], item), reasons.join(", "))).collect()
}

fn why(why: &Why) -> String {
    match why {
        Why::Needs(place) => format!("needs, at {}", shown(place)),
        Why::Uses(provision) => format!("uses {}", visible(&provision.to_string())),
        Why::Watches => "reacts to its changes".to_owned(),
    }
}

fn name_for(item: &Item, from: &Item) -> String {
    let id = visible(&item.id().to_string());
    if item.host == from.host { id } else { format!("{} on {}", id, visible(item.host.as_str())) }
}

fn shown(place: &Place) -> String {
    visible(&place.to_string())
}

fn in_line(value: &Value) -> String {
    visible(&value.to_string())
}

// Short values on the line of the name, long ones below it.
fn in_lines(value: &Value) -> String {
    let short = in_line(value);
    if short.width() <= 72 {
        return short;
    }
    let whole = super::json::json_text(value, true);
    let lines: Vec<String> = whole.lines().map(|line| format!("  {line}")).collect();
    format!("\n{}", lines.join("\n"))
}
