//! Owns what the files say, before any host is known: a tree of playbooks, phases and items.

use std::fmt;
use std::path::PathBuf;

use crate::model::{Phase, Place};
use crate::resource;
use crate::yaml::{Entry, Node};

/// The words that may stand beside a kind in an item. `include` takes the place of a kind.
pub const KEYWORDS: &[&str] = &["controls", "each", "id", "include", "needs", "tags", "vars", "when"];

/// Playbooks that are planned together.
pub struct Site {
    /// The name that a `site:` file gives, if one was loaded.
    pub name: Option<String>,
    pub(super) playbooks: Vec<Playbook>,
    pub(super) kinds: &'static [resource::Entry],
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.playbooks()).finish()
    }
}

impl Site {
    /// The names of the playbooks, in order.
    pub fn playbooks(&self) -> impl Iterator<Item = &str> {
        self.playbooks.iter().map(|playbook| playbook.name.as_str())
    }
}

/// How many hosts of a play go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// That many.
    Count(u32),
    /// That part of the play's hosts, 1 to 100, rounded up.
    Percent(u8),
}

pub(super) struct Playbook {
    pub name: String,
    pub place: Place,
    pub hosts: String,
    pub hosts_place: Place,
    // Defaults: the inventory overrides them.
    pub vars: Vec<Entry>,
    pub secret_vars: Vec<(String, Place)>,
    pub serial: Vec<Batch>,
    pub phases: Vec<(Phase, Vec<Item>)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub id: Option<Node>,
    pub needs: Vec<Node>,
    pub when: Vec<Node>,
    pub each: Vec<Entry>,
    pub tags: Vec<String>,
    pub controls: Vec<String>,
}

pub(super) struct Item {
    pub place: Place,
    pub words: Words,
    pub what: What,
}

pub(super) enum What {
    Resource {
        kind: &'static resource::Entry,
        fields: Node,
        /// Where `from` and `source` are looked for.
        folder: PathBuf,
    },
    Include {
        vars: Vec<Entry>,
        items: Vec<Item>,
    },
}
