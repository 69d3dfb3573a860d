//! Owns who wins: from the draft to hosts whose variables are merged, each with its origin.
//!
//! Must not know files or shapes. The order is Ansible's own default, weakest first: vars of `all` in the inventory;
//! of the other groups there, by depth, priority and name; `group_vars/all`; the other `group_vars`, folder by folder,
//! in that same order of groups; the host's vars in the inventory; `host_vars`. So `group_vars/all` beats what a
//! group says inside the inventory file. Maps are replaced, never merged.
//!
//! Hosts of the same groups share one merged map of reference-counted variables.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::draft::{ALL, Draft, Setting};
use super::vars_files::Beside;
use super::{Conflict, Group, Host, Inventory, Level, Var};
use crate::model::{Diagnostic, HostName, Place};

/// How many variables all hosts may have together: 10,000 hosts with 2,000 each.
const MAX_VARS: usize = 20_000_000;

type Vars = BTreeMap<Arc<str>, Arc<Var>>;

/// Merges a draft that has been reconciled.
///
/// # Errors
/// Every circle of groups, as a path; more variables than fit.
pub(super) fn merge(draft: Draft, beside: &[Beside]) -> Result<Inventory, Vec<Diagnostic>> {
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); draft.groups.len()];
    for (at, group) in draft.groups.iter().enumerate() {
        for (child, _) in &group.children {
            parents[*child].push(at);
        }
    }
    let depths = depths(&draft, &parents)?;
    // The rank of a group is its turn in the order of merging.
    let mut order: Vec<usize> = (0..draft.groups.len()).collect();
    order.sort_by_key(|at| (*at != ALL, depths[*at], draft.groups[*at].priority, draft.groups[*at].name.clone()));
    let mut rank = vec![0; order.len()];
    for (turn, at) in order.iter().enumerate() {
        rank[*at] = turn;
    }

    let mut ancestors: HashMap<Vec<usize>, Arc<Vec<usize>>> = HashMap::new();
    let mut merged: HashMap<Arc<Vec<usize>>, Vars> = HashMap::new();
    // Counted before anything is copied, so that what is too large is never held.
    let mut total = 0usize;
    let mut groups_of = Vec::with_capacity(draft.hosts.len());
    for host in &draft.hosts {
        let mut direct = host.groups.clone();
        direct.sort_unstable();
        let groups = ancestors.entry(direct).or_insert_with_key(|direct| Arc::new(above(direct, &parents, &rank)));
        let shared = merged.entry(groups.clone()).or_insert_with(|| group_vars(groups, &draft, &depths, beside));
        total = total.saturating_add(shared.len()).saturating_add(host.settings.len());
        if total > MAX_VARS {
            return Err(vec![too_large(&host.place)]);
        }
        groups_of.push(groups.clone());
    }
    let mut hosts = Vec::with_capacity(draft.hosts.len());
    for ((at, host), groups) in draft.hosts.iter().enumerate().zip(groups_of) {
        let mut vars = merged.get(&groups).cloned().unwrap_or_default();
        for setting in &host.settings {
            overlay(&mut vars, setting, Level::Host { file: false });
        }
        for setting in beside.iter().filter_map(|beside| beside.hosts.get(&at)).flatten() {
            overlay(&mut vars, setting, Level::Host { file: true });
        }
        hosts.push(Host {
            name: HostName::new(&host.name),
            groups: groups.iter().map(|group| draft.groups[*group].name.to_string()).collect(),
            vars,
            place: host.place.clone(),
        });
    }
    let name = |at: &usize| draft.groups[*at].name.to_string();
    let groups: Vec<Group> = draft
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| Group {
            name: group.name.to_string(),
            parents: parents[at].iter().map(name).collect(),
            children: group.children.iter().map(|(child, _)| name(child)).collect(),
            hosts: group.hosts.iter().map(|host| HostName::new(&draft.hosts[*host].name)).collect(),
            depth: depths[at],
            priority: group.priority,
            place: group.place.clone(),
        })
        .collect();
    Ok(Inventory::new(hosts, groups, draft.warnings))
}

fn too_large(place: &Place) -> Diagnostic {
    Diagnostic::error("an inventory that is too large")
        .at(place, "here the limit is passed")
        .because(format!("all hosts together have over {MAX_VARS} variables"))
        .fix("split the inventory, or give fewer variables to `all`")
}

/// Puts one setting over what is there.
pub(super) fn overlay(vars: &mut Vars, setting: &Setting, level: Level) {
    let mut shadowed = Vec::new();
    if let Some(below) = vars.get(&setting.name) {
        shadowed.push((below.node.place.clone(), below.level.to_string()));
        shadowed.extend(below.shadowed.iter().cloned());
    }
    let var = Var { node: setting.node.clone(), level, shadowed, conflict: None };
    vars.insert(setting.name.clone(), Arc::new(var));
}

fn group_vars(groups: &[usize], draft: &Draft, depths: &[usize], beside: &[Beside]) -> Vars {
    let mut given: BTreeMap<Arc<str>, Vec<(usize, bool, &Setting)>> = BTreeMap::new();
    let inside = groups.iter().map(|group| (*group, false, Some(&draft.groups[*group].settings)));
    let files_of_all = beside.iter().map(|files| (ALL, true, files.groups.get(&ALL)));
    let others = groups.iter().filter(|group| **group != ALL);
    let files = beside.iter().flat_map(|files| others.clone().map(|at| (*at, true, files.groups.get(at))));
    for (group, file, settings) in inside.chain(files_of_all).chain(files) {
        for setting in settings.into_iter().flatten() {
            given.entry(setting.name.clone()).or_default().push((group, file, setting));
        }
    }
    let level = |group: usize, file: bool| Level::Group {
        name: draft.groups[group].name.clone(),
        depth: depths[group],
        priority: draft.groups[group].priority,
        file,
    };
    let mut vars = Vars::new();
    for (name, mut entries) in given {
        let Some((group, file, setting)) = entries.pop() else { continue };
        entries.reverse();
        let shadowed = entries
            .iter()
            .map(|(group, file, setting)| (setting.node.place.clone(), level(*group, *file).to_string()))
            .collect();
        // The strongest setting of each sibling, compared with the winner's.
        let mut seen = BTreeSet::from([group]);
        let others: Vec<(Place, String)> = entries
            .iter()
            .filter(|(other, ..)| {
                depths[*other] == depths[group]
                    && draft.groups[*other].priority == draft.groups[group].priority
                    && seen.insert(*other)
            })
            .filter(|(_, _, other)| !other.node.same_value(&setting.node))
            .map(|(other, _, setting)| (setting.node.place.clone(), draft.groups[*other].name.to_string()))
            .collect();
        let conflict = if others.is_empty() {
            None
        } else {
            Some(Conflict { group: draft.groups[group].name.to_string(), others })
        };
        let var = Var { node: setting.node.clone(), level: level(group, file), shadowed, conflict };
        vars.insert(name, Arc::new(var));
    }
    vars
}

// All groups over `direct`, themselves included, in the order of merging.
fn above(direct: &[usize], parents: &[Vec<usize>], rank: &[usize]) -> Vec<usize> {
    let mut seen: BTreeSet<usize> = BTreeSet::from([rank[ALL]]);
    let mut by_rank: BTreeMap<usize, usize> = BTreeMap::from([(rank[ALL], ALL)]);
    let mut open = direct.to_vec();
    while let Some(at) = open.pop() {
        if at == ALL || seen.insert(rank[at]) {
            by_rank.insert(rank[at], at);
            open.extend(&parents[at]);
        }
    }
    by_rank.into_values().collect()
}

// The longest way down from `all`, as Ansible counts depth; no recursion, since a chain of groups may be long.
fn depths(draft: &Draft, parents: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut depths = vec![0; parents.len()];
    let mut open: Vec<usize> = (0..parents.len()).filter(|at| waiting[*at] == 0).collect();
    let mut done = 0;
    while let Some(at) = open.pop() {
        done += 1;
        for (child, _) in &draft.groups[at].children {
            depths[*child] = depths[*child].max(depths[at] + 1);
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                open.push(*child);
            }
        }
    }
    if done == parents.len() { Ok(depths) } else { Err(circles(draft, parents, &waiting)) }
}

// Every group that still waits has a parent that still waits, so walking up must come back to where it was.
fn circles(draft: &Draft, parents: &[Vec<usize>], waiting: &[usize]) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    let mut seen = vec![false; parents.len()];
    for start in (0..parents.len()).filter(|at| waiting[*at] > 0) {
        let mut path = vec![start];
        let mut at = start;
        while !seen[at] {
            seen[at] = true;
            let Some(up) = parents[at].iter().find(|up| waiting[**up] > 0) else { break };
            at = *up;
            path.push(at);
        }
        // A circle when the walk came back to one of its own steps, and not to one of an earlier walk.
        let Some(first) = path.iter().position(|step| *step == at).filter(|first| first + 1 < path.len()) else {
            continue;
        };
        let mut circle = path.split_off(first);
        circle.reverse();
        let names: Vec<&str> = circle.iter().map(|at| &*draft.groups[*at].name).collect();
        let mut fault = Diagnostic::error("groups in a circle")
            .because(format!("each is under the one before: {}", names.join(" -> ")))
            .fix("remove one of them from the children of the group above it");
        for pair in circle.windows(2) {
            let edge = draft.groups[pair[0]].children.iter().find(|(child, _)| *child == pair[1]);
            let Some((_, Some(place))) = edge else { continue };
            let label = format!("`{}` is under `{}`", draft.groups[pair[1]].name, draft.groups[pair[0]].name);
            fault = if fault.place.is_none() { fault.at(place, label) } else { fault.see(place, label) };
        }
        told.push(fault);
    }
    told
}
