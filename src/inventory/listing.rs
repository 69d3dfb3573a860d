//! Owns the shape of `ansible-inventory --list`: groups with their hosts and children, and every host's variables.
//!
//! Must not know merging. Secrets are masked by the tree itself. Empty groups are left out, as Ansible leaves them out,
//! and so are variables with the names of those that Ansible makes itself.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::{Group, Inventory};

/// Variables that Ansible sets for every host, and that its listing therefore does not show, whoever gave them.
const OWN: [&str; 33] = [
    "ansible_async_path",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
    "role_uuid",
];

pub(super) fn to_json(inventory: &Inventory) -> Json {
    let mut listed = Map::new();
    let mut hostvars = Map::new();
    for name in inventory.members("all") {
        let Some(host) = inventory.host(name.as_str()) else { continue };
        let shown = host.vars.iter().filter(|(name, _)| OWN.binary_search(&&***name).is_err());
        let vars: Map<String, Json> = shown.map(|(name, var)| (name.to_string(), var.node.to_json())).collect();
        if !vars.is_empty() {
            hostvars.insert(name.to_string(), Json::Object(vars));
        }
    }
    listed.insert("_meta".into(), json!({ "hostvars": hostvars, "profile": "inventory_legacy" }));
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
