//! Owns what the readers of all shapes write into: groups, hosts and settings as they come, with their places.
//!
//! Must not know a file's shape, and resolves nothing: parents, depths and merging come later, in `merge`. A new
//! reader needs this file and no other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Diagnostic, Place};
use crate::yaml::{Node, Value};

/// The number of `all` in [`Draft::groups`].
pub(super) const ALL: usize = 0;
/// The number of `ungrouped` in [`Draft::groups`].
pub(super) const UNGROUPED: usize = 1;

/// How many hosts and variables of theirs all files together may give, ranges expanded.
const MAX_GIVEN: usize = 5_000_000;

/// One variable as given in one place.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub name: Arc<str>,
    pub node: Arc<Node>,
}

#[derive(Debug)]
pub(super) struct DraftGroup {
    pub name: Arc<str>,
    pub place: Option<Place>,
    pub children: Vec<(usize, Option<Place>)>,
    pub hosts: Vec<usize>,
    pub settings: Vec<Setting>,
    pub priority: i64,
    known_hosts: HashSet<usize>,
    known_children: HashSet<usize>,
}

#[derive(Debug)]
pub(super) struct DraftHost {
    pub name: String,
    pub place: Place,
    pub groups: Vec<usize>,
    pub settings: Vec<Setting>,
}

/// All that was read so far, and all that was wrong with it.
#[derive(Debug)]
pub(super) struct Draft {
    pub groups: Vec<DraftGroup>,
    pub hosts: Vec<DraftHost>,
    pub faults: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    /// What a program said beside its answer, until that is read and its secrets are known.
    pub said: Vec<(Place, String)>,
    group_index: HashMap<Arc<str>, usize>,
    host_index: HashMap<String, usize>,
    given: usize,
}

impl Draft {
    pub fn new() -> Self {
        let mut draft = Self {
            groups: Vec::new(),
            hosts: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            said: Vec::new(),
            group_index: HashMap::new(),
            host_index: HashMap::new(),
            given: 0,
        };
        draft.group("all", None);
        draft.group("ungrouped", None);
        draft.child(ALL, UNGROUPED, None);
        draft
    }

    /// The number of a group, made where it is new.
    pub fn group(&mut self, name: &str, place: Option<&Place>) -> usize {
        if let Some(at) = self.group_index.get(name) {
            if let Some(known) = self.groups.get_mut(*at)
                && known.place.is_none()
            {
                known.place = place.cloned();
            }
            return *at;
        }
        let name: Arc<str> = name.into();
        self.group_index.insert(name.clone(), self.groups.len());
        self.groups.push(DraftGroup {
            name,
            place: place.cloned(),
            children: Vec::new(),
            hosts: Vec::new(),
            settings: Vec::new(),
            priority: 1,
            known_hosts: HashSet::new(),
            known_children: HashSet::new(),
        });
        self.groups.len() - 1
    }

    /// Puts a group under another.
    pub fn child(&mut self, parent: usize, child: usize, place: Option<&Place>) {
        if self.groups[parent].known_children.insert(child) {
            self.groups[parent].children.push((child, place.cloned()));
        }
    }

    /// Puts a group under another as a file says, or tells why it cannot be there.
    pub fn nest(&mut self, parent: usize, child: usize, place: &Place) {
        match child {
            ALL => self.faults.push(
                Diagnostic::error("`all` cannot be under another group")
                    .at(place, "here")
                    .because("`all` holds every group, so this would be a circle")
                    .fix("remove it; its variables belong to `all` itself"),
            ),
            UNGROUPED if parent != ALL => self.faults.push(
                Diagnostic::error("`ungrouped` cannot be under another group")
                    .at(place, "here")
                    .because("it holds the hosts that are in no group; under one, Ansible would lose them")
                    .fix("make a group of your own for these hosts"),
            ),
            _ => self.child(parent, child, Some(place)),
        }
    }

    /// The number of a host, made where it is new, and put into a group; and whether it is new.
    pub fn host(&mut self, name: &str, place: &Place, group: usize) -> (usize, bool) {
        let (at, new) = match self.host_index.get(name) {
            Some(at) => (*at, false),
            None => {
                let at = self.hosts.len();
                self.host_index.insert(name.to_owned(), at);
                let name = name.to_owned();
                self.hosts.push(DraftHost { name, place: place.clone(), groups: Vec::new(), settings: Vec::new() });
                (at, true)
            }
        };
        if self.groups[group].known_hosts.insert(at) {
            self.groups[group].hosts.push(at);
            self.hosts[at].groups.push(group);
        }
        (at, new)
    }

    /// Whether `hosts` more hosts with `settings` each are still within bounds. A range multiplies what a small file
    /// says, so the parser's own bounds do not hold it.
    pub fn has_room(&mut self, hosts: usize, settings: usize) -> bool {
        self.given = self.given.saturating_add(hosts.saturating_mul(settings + 1));
        self.given <= MAX_GIVEN
    }

    /// Puts the hosts of one entry into a group, each with these settings. The port counts where a host is new.
    pub fn add_hosts(&mut self, names: Vec<String>, port: Option<u64>, place: &Place, group: usize, vars: &[Setting]) {
        if !self.has_room(names.len(), vars.len()) {
            return self.faults.push(
                Diagnostic::error("an inventory that is too large")
                    .at(place, format!("{} hosts with {} variables each", names.len(), vars.len()))
                    .fix("make the range smaller, or give its variables to a group"),
            );
        }
        let port = port.and_then(|port| i64::try_from(port).ok()).map(|port| Setting {
            name: "ansible_port".into(),
            node: Arc::new(Node::new(place.clone(), Value::Int(port))),
        });
        for name in names {
            let (at, new) = self.host(&name, place, group);
            if new {
                self.hosts[at].settings.extend(port.clone());
            }
            self.give_host(at, vars.iter().cloned());
        }
    }

    /// Whether a group of this name is there.
    pub fn has_group(&self, name: &str) -> Option<usize> {
        self.group_index.get(name).copied()
    }

    /// Gives a host its settings. Where a group has the same name, Ansible gives them to the group, and so does this;
    /// that two things have one name is told by whoever looks the draft over.
    pub fn give_host(&mut self, host: usize, settings: impl IntoIterator<Item = Setting>) {
        match self.has_group(&self.hosts[host].name) {
            Some(group) => self.groups[group].settings.extend(settings),
            None => self.hosts[host].settings.extend(settings),
        }
    }

    /// Whether a host of this name is there.
    pub fn has_host(&self, name: &str) -> Option<usize> {
        self.host_index.get(name).copied()
    }

    /// `all` above what has no parent, and `ungrouped` for exactly the hosts that are in no other group.
    pub fn reconcile(&mut self) {
        let mut has_parent = vec![false; self.groups.len()];
        for group in &self.groups {
            for (child, _) in &group.children {
                has_parent[*child] = true;
            }
        }
        for (at, has) in has_parent.into_iter().enumerate() {
            if !has && at != ALL {
                self.child(ALL, at, None);
            }
        }
        let mut strays = HashSet::new();
        for at in 0..self.hosts.len() {
            let groups = &mut self.hosts[at].groups;
            if groups.iter().any(|group| *group > UNGROUPED) {
                if groups.contains(&UNGROUPED) {
                    groups.retain(|group| *group != UNGROUPED);
                    strays.insert(at);
                }
            } else if let Some(group) = self.group_index.get(self.hosts[at].name.as_str()).copied()
                && !self.hosts[at].groups.contains(&UNGROUPED)
            {
                // Ansible looks the name up among the groups first, and finds the one that is called so.
                self.child(UNGROUPED, group, None);
            } else if self.groups[UNGROUPED].known_hosts.insert(at) {
                self.hosts[at].groups.push(UNGROUPED);
                self.groups[UNGROUPED].hosts.push(at);
            }
        }
        self.groups[UNGROUPED].hosts.retain(|at| !strays.contains(at));
    }
}
