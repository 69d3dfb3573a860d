//! Owns the shape of `ansible-inventory --list`: groups with their hosts and children, and every host's variables.
//!
//! Must not know merging. Secrets are masked by the tree itself. Empty groups are left out, as Ansible leaves them out.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::{Group, Inventory};

pub(super) fn to_json(inventory: &Inventory) -> Json {
    let mut listed = Map::new();
    let mut hostvars = Map::new();
    for name in inventory.members("all") {
        let Some(host) = inventory.host(name.as_str()) else { continue };
        if !host.vars.is_empty() {
            let vars = host.vars.iter().map(|(name, var)| (name.to_string(), var.node.to_json())).collect();
            hostvars.insert(name.to_string(), Json::Object(vars));
        }
    }
    listed.insert("_meta".into(), json!({ "hostvars": hostvars }));
    let mut seen: HashSet<&str> = HashSet::from(["all"]);
    let mut open: Vec<&Group> = inventory.group("all").into_iter().collect();
    while let Some(group) = open.pop() {
        let mut shown = Map::new();
        if !group.hosts.is_empty() && group.name != "all" {
            shown.insert("hosts".into(), group.hosts.iter().map(|host| Json::from(host.as_str())).collect());
        }
        if !group.children.is_empty() {
            shown.insert("children".into(), group.children.iter().map(|child| Json::from(child.as_str())).collect());
        }
        if !shown.is_empty() {
            listed.insert(group.name.clone(), Json::Object(shown));
        }
        let children = group.children.iter().filter_map(|child| inventory.group(child));
        open.extend(children.rev().filter(|child| seen.insert(&child.name)));
    }
    Json::Object(listed)
}
