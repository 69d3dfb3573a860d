//! Owns the question which places of the files give a variable of a name, and how strong each is.
//!
//! Must not evaluate anything: it is asked by who wants to know where a value comes from.

use super::site::{Item, Playbook, Site, What};
use super::{BUILTINS, Fleet};
use crate::model::{Diagnostic, HostName, Place};
use crate::yaml::{Entry, Node};

/// How a place in a playbook gives a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// `vars:` of a playbook: a default, which the inventory overrides.
    Default,
    /// `vars:` beside an `include`: wins over the inventory inside of what is included.
    Include,
    /// `each:` of an item: wins over everything there.
    Each,
}

/// One place of a playbook that gives a variable.
#[derive(Clone, Debug)]
pub struct Defined {
    /// The playbook's name.
    pub playbook: String,
    /// How.
    pub given: Given,
    /// The value as written; not rendered.
    pub node: Node,
}

impl Site {
    /// Where the playbooks that apply to a host give a variable, in the order of the files.
    ///
    /// # Errors
    /// A `hosts:` that selects nothing.
    pub fn defines(&self, fleet: &dyn Fleet, host: &HostName, name: &str) -> Result<Vec<Defined>, Diagnostic> {
        let mut found = Vec::new();
        for playbook in self.of_host(fleet, host)? {
            playbook.each_given(&mut |given, entry| {
                if entry.key == name {
                    found.push(Defined { playbook: playbook.name.clone(), given, node: entry.node.clone() });
                }
            });
        }
        Ok(found)
    }

    /// The names of the variables that the playbooks of a host give it by themselves.
    ///
    /// # Errors
    /// A `hosts:` that selects nothing.
    pub fn default_names(&self, fleet: &dyn Fleet, host: &HostName) -> Result<Vec<String>, Diagnostic> {
        let names = |playbook: &&Playbook| playbook.vars.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
        Ok(self.of_host(fleet, host)?.iter().flat_map(names).collect())
    }

    fn of_host(&self, fleet: &dyn Fleet, host: &HostName) -> Result<Vec<&Playbook>, Diagnostic> {
        let mut all = Vec::new();
        for playbook in &self.playbooks {
            if fleet.select(&playbook.hosts, &playbook.hosts_place)?.contains(host) {
                all.push(playbook);
            }
        }
        Ok(all)
    }

    /// Whether a playbook says that a variable is secret, wherever its value stands.
    pub fn is_secret(&self, name: &str) -> bool {
        self.playbooks.iter().flat_map(|playbook| &playbook.secret_vars).any(|(secret, _)| secret == name)
    }

    /// The tags that stand in the files, sorted.
    pub fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for (_, items) in self.playbooks.iter().flat_map(|playbook| &playbook.phases) {
            tags_of(items, &mut tags);
        }
        tags.sort();
        tags.dedup();
        tags
    }
}

impl Playbook {
    fn each_given(&self, add: &mut dyn FnMut(Given, &Entry)) {
        self.vars.iter().for_each(|entry| add(Given::Default, entry));
        self.phases.iter().for_each(|(_, items)| in_items(items, add));
    }

    /// Whether it gives a variable of this name anywhere by itself.
    pub(super) fn defines(&self, name: &str) -> bool {
        let mut does = false;
        self.each_given(&mut |_, entry| does |= entry.key == name);
        does
    }
}

fn in_items(items: &[Item], add: &mut dyn FnMut(Given, &Entry)) {
    for item in items {
        item.words.each.iter().for_each(|entry| add(Given::Each, entry));
        if let What::Include { vars, items } = &item.what {
            vars.iter().for_each(|entry| add(Given::Include, entry));
            in_items(items, add);
        }
    }
}

fn tags_of(items: &[Item], tags: &mut Vec<String>) {
    for item in items {
        tags.extend(item.words.tags.iter().cloned());
        if let What::Include { items, .. } = &item.what {
            tags_of(items, tags);
        }
    }
}

/// What a name means that every template knows, if it is such a name.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, means)| *means)
}

impl Defined {
    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.node.place
    }
}
