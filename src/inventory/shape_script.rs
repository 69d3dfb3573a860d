//! Owns what an inventory program prints: the JSON of `--list`, and of `--host NAME` where that has no `_meta`.
//!
//! Must not know how a program is run or how variables merge. A value's place is a line and column of what was printed,
//! under the name of the call: `inventory.py --list:3:17`. Old forms that Ansible still takes (a list in the place of a
//! group, a group without any of its keys) are taken the same and told.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::{names, program, settings};
use crate::model::{Diagnostic, Place, Source, did_you_mean};
use crate::yaml::{self, Entry, Node, Value};

const KEYS: [&str; 3] = ["children", "hosts", "vars"];

/// Runs a program and reads its answer into the draft.
pub(super) fn read(path: &Path, draft: &mut Draft) {
    let before = draft.faults.len();
    let first = draft.warnings.len();
    if let Some(source) = call(path, &["--list"], draft)
        && let Some(hosts) = answer(&source, draft)
        && draft.faults.len() == before
    {
        one_by_one(path, &hosts, draft);
    }
    // Told before what its answer gave rise to.
    let later = draft.warnings.split_off(first);
    for (place, said) in std::mem::take(&mut draft.said) {
        let said = settings::without_secrets(&redacted(said, draft));
        draft.warnings.push(
            Diagnostic::warning("an inventory program that says something")
                .at(&place, "")
                .because(format!("on its standard error: {said}")),
        );
    }
    draft.warnings.extend(later);
}

// Without the secrets that the inventory knows by now.
fn redacted(said: String, draft: &Draft) -> String {
    fn within(node: &Node, said: String) -> String {
        match &node.value {
            Value::Tainted(text) => text.redact(&said),
            Value::List(items) => items.iter().fold(said, |said, item| within(item, said)),
            Value::Map(entries) => entries.iter().fold(said, |said, entry| within(&entry.node, said)),
            _ => said,
        }
    }
    let of_groups = draft.groups.iter().flat_map(|group| &group.settings);
    let settings = of_groups.chain(draft.hosts.iter().flat_map(|host| &host.settings));
    settings.fold(said, |said, setting| within(&setting.node, said))
}

/// Reads the answer to `--list`. What is returned are the hosts whose variables are to be asked for one by one.
pub(super) fn answer(source: &Arc<Source>, draft: &mut Draft) -> Option<Vec<usize>> {
    let entries = match tree(source) {
        Ok(Node { value: Value::Map(entries), .. }) => entries,
        Ok(other) => {
            draft.faults.push(
                Diagnostic::error("an inventory program that prints no groups")
                    .at(&other.place, format!("this is {}", other.shape()))
                    .fix("let it print a JSON object of groups: {\"web\": {\"hosts\": [\"web1\"]}}"),
            );
            return None;
        }
        Err(fault) => {
            draft.faults.push(fault);
            return None;
        }
    };
    let mut listed = Listed { draft, hosts: Vec::new(), known: HashSet::new() };
    let mut meta = None;
    for entry in entries {
        match entry.key.as_str() {
            "_meta" => meta = listed.meta(entry),
            _ => listed.group(entry),
        }
    }
    let hosts = listed.hosts;
    match meta {
        Some(vars) => {
            from_meta(&hosts, vars, draft);
            None
        }
        None => Some(hosts),
    }
}

fn call(path: &Path, arguments: &[&str], draft: &mut Draft) -> Option<Arc<Source>> {
    let shown = format!("{} {}", path.display(), arguments.join(" "));
    match program::run(path, arguments) {
        Ok(output) => {
            if !output.said.is_empty() {
                draft.said.push((Place::outside(&shown), output.said));
            }
            Some(Source::new(shown, output.text))
        }
        Err(failure) => {
            let told = Diagnostic::error("an inventory program that gives no answer").at(&Place::outside(&shown), "");
            let why = match failure.said.is_empty() {
                true => failure.why,
                false => {
                    let said = settings::without_secrets(&failure.said);
                    format!("{}; on its standard error: {said}", failure.why)
                }
            };
            draft.faults.push(told.because(why).fix(failure.fix));
            None
        }
    }
}

fn tree(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    if source.text.trim().is_empty() {
        return Err(Diagnostic::error("an inventory program that prints nothing")
            .at(&Place::outside(&source.path), "")
            .fix("let it print JSON when it is called with --list"));
    }
    yaml::parse_json(source).map_err(|mut told| {
        if !source.text.trim_start().starts_with(['{', '[']) {
            told.fix = Some("let it print JSON and nothing else: messages belong to its standard error".into());
        }
        told.detail.get_or_insert_with(|| "this is what the program printed".into());
        told
    })
}

// What was read so far, and the hosts in order.
struct Listed<'a> {
    draft: &'a mut Draft,
    hosts: Vec<usize>,
    known: HashSet<usize>,
}

impl Listed<'_> {
    fn fail(&mut self, place: &Place, label: String, fix: impl Into<String>) {
        let told = Diagnostic::error("a group that cannot be read").at(place, label);
        self.draft.faults.push(told.fix(fix));
    }

    fn meta(&mut self, meta: Entry) -> Option<Vec<Entry>> {
        if let Some(profile) = meta.node.get("profile")
            && profile.text() != Some("inventory_legacy")
        {
            self.fail(&profile.place, "this profile is not known".into(), "remove it, or write \"inventory_legacy\"");
        }
        match meta.node.entry("hostvars").map(|entry| &entry.node) {
            Some(Node { value: Value::Map(vars), .. }) => return Some(vars.clone()),
            Some(other) => {
                let label = format!("`hostvars` is {}", other.shape());
                self.fail(
                    &other.place.clone(),
                    label,
                    "write {\"_meta\": {\"hostvars\": {\"HOST\": {\"NAME\": VALUE}}}}",
                );
            }
            None => {
                let label = "`_meta` has no `hostvars`".into();
                self.fail(&meta.place, label, "write {\"_meta\": {\"hostvars\": {}}}, or leave `_meta` away");
            }
        }
        // Told already; nobody is to be asked for each host besides.
        Some(Vec::new())
    }

    fn group(&mut self, entry: Entry) {
        let Entry { key: name, place, node } = entry;
        if let Some(why) = names::refuse_group(&name) {
            return self.fail(&place, why, "use letters, digits, `_`, `-` and `.` in the names of groups");
        }
        let at = self.draft.group(&name, Some(&place));
        match node.value {
            Value::Map(sections) if sections.iter().any(|entry| KEYS.contains(&entry.key.as_str())) => {
                self.sections(at, &name, sections);
            }
            Value::Map(vars) => self.lone_host(at, &name, &place, vars),
            value => {
                self.draft.warnings.push(
                    Diagnostic::warning("a group in an old form")
                        .at(&place, "a list of hosts in the place of the group")
                        .fix(format!(
                            "print {{\"{name}\": {{\"hosts\": [...]}}}}; Ansible will stop reading this form, too"
                        )),
                );
                self.hosts_of(at, &name, &Node::new(node.place, value));
            }
        }
    }

    // Ansible takes a group without any of its keys for a host of that name, and what it holds for variables.
    fn lone_host(&mut self, group: usize, name: &str, place: &Place, vars: Vec<Entry>) {
        if names::refuse_host(name).is_some() {
            let label = format!("`{name}` has neither hosts, vars nor children");
            return self.fail(place, label, format!("print {{\"{name}\": {{\"hosts\": []}}}}, or leave it away"));
        }
        self.draft.warnings.push(
            Diagnostic::warning("a group in an old form")
                .at(
                    place,
                    format!("`{name}` has neither hosts, vars nor children, so it is read as a host of that name"),
                )
                .fix(format!("print {{\"{name}\": {{\"hosts\": []}}}} for an empty group")),
        );
        self.host(group, name, place);
        for entry in vars {
            settings::give_group(self.draft, group, &entry.key, entry.node);
        }
    }

    fn sections(&mut self, group: usize, name: &str, sections: Vec<Entry>) {
        // Ansible's own order, whatever the text's.
        let mut parts: [Option<Node>; 3] = [None, None, None];
        for entry in sections {
            match KEYS.iter().position(|key| *key == entry.key) {
                Some(at) => parts[at] = Some(entry.node),
                None => {
                    let told = Diagnostic::warning("a key that is not read")
                        .at(&entry.place, format!("`{}` means nothing in a group", entry.key));
                    self.draft.warnings.push(match did_you_mean(&entry.key, KEYS) {
                        Some(near) => told.fix(format!("did you mean `{near}`?")),
                        None => told.fix("put a variable under `vars`, or leave it away"),
                    });
                }
            }
        }
        let [children, hosts, vars] = parts;
        if let Some(hosts) = hosts {
            self.hosts_of(group, name, &hosts);
        }
        match vars.map(|vars| (vars.place.clone(), vars)) {
            Some((_, Node { value: Value::Map(entries), .. })) => {
                for entry in entries {
                    settings::give_group(self.draft, group, &entry.key, entry.node);
                }
            }
            Some((place, other)) => {
                self.fail(&place, format!("`{name}.vars` is {}", other.shape()), "write {\"NAME\": VALUE, ...}");
            }
            None => {}
        }
        if let Some(children) = children {
            self.children(group, name, &children);
        }
    }

    fn hosts_of(&mut self, group: usize, name: &str, node: &Node) {
        let Value::List(items) = &node.value else {
            let label = format!("`{name}.hosts` is {}", node.shape());
            return self.fail(&node.place, label, "write a list of names: [\"web1\", \"web2\"]");
        };
        for item in items {
            match item.text() {
                Some(host) => match names::refuse_host(host) {
                    Some(why) => {
                        let told = Diagnostic::error("a name that no host can have").at(&item.place, why);
                        self.draft.faults.push(
                            told.because(format!("{:?}", settings::named(host)))
                                .fix("print single hosts by their names; an address goes into ansible_host"),
                        );
                    }
                    None => self.host(group, host, &item.place),
                },
                None => {
                    let label = format!("a host's name is {}", item.shape());
                    self.fail(&item.place, label, "write the name in double quotes");
                }
            }
        }
    }

    fn host(&mut self, group: usize, name: &str, place: &Place) {
        let (at, _) = self.draft.host(name, place, group);
        if self.known.insert(at) {
            self.hosts.push(at);
        }
    }

    fn children(&mut self, group: usize, name: &str, node: &Node) {
        let children: Vec<(&str, &Place)> = match &node.value {
            Value::List(items) if items.iter().all(|item| item.text().is_some()) => {
                items.iter().filter_map(|item| Some((item.text()?, &item.place))).collect()
            }
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.as_str(), &entry.place)).collect(),
            _ => {
                let label = format!("`{name}.children` is no list of names");
                return self.fail(&node.place, label, "write a list of groups: [\"web\", \"db\"]");
            }
        };
        for (child, place) in children {
            if let Some(why) = names::refuse_group(child) {
                self.fail(place, why, "use letters, digits, `_`, `-` and `.` in the names of groups");
                continue;
            }
            let at = self.draft.group(child, Some(place));
            self.draft.nest(group, at, place);
        }
    }
}

fn from_meta(hosts: &[usize], vars: Vec<Entry>, draft: &mut Draft) {
    let mut found: HashMap<String, Entry> = vars.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    for host in hosts {
        if let Some(entry) = found.remove(&draft.hosts[*host].name) {
            give(*host, entry.node, draft);
        }
    }
    let mut strays: Vec<Entry> = found.into_values().collect();
    strays.sort_by(|one, other| one.place.cmp(&other.place));
    if let Some(first) = strays.first() {
        let names: Vec<&str> = strays.iter().take(5).map(|entry| entry.key.as_str()).collect();
        draft.warnings.push(
            Diagnostic::warning("variables of hosts that are in no group")
                .at(&first.place, "no group lists this host")
                .because(format!("{} in all, so they are not read: {}", strays.len(), names.join(", ")))
                .fix("list them under the `hosts` of a group"),
        );
    }
}

fn one_by_one(path: &Path, hosts: &[usize], draft: &mut Draft) {
    for host in hosts {
        let name = draft.hosts[*host].name.clone();
        let Some(source) = call(path, &["--host", &name], draft) else { return };
        if source.text.trim().is_empty() {
            continue;
        }
        match tree(&source) {
            Ok(node) => give(*host, node, draft),
            Err(fault) => return draft.faults.push(fault),
        }
    }
}

fn give(host: usize, node: Node, draft: &mut Draft) {
    match node.value {
        Value::Map(entries) => {
            let vars = settings::take(entries, &mut draft.faults);
            if draft.has_room(1, vars.len()) {
                return draft.give_host(host, vars);
            }
            draft.faults.push(
                Diagnostic::error("an inventory that is too large")
                    .at(&node.place, "here the limit is passed")
                    .fix("let the program print fewer variables"),
            );
        }
        value => {
            let node = Node::new(node.place, value);
            draft.faults.push(
                Diagnostic::error("a host's variables must be a map")
                    .at(&node.place, format!("`{}` is {}", draft.hosts[host].name, node.shape()))
                    .fix("print {\"NAME\": VALUE, ...}, or {} where there are none"),
            );
        }
    }
}
