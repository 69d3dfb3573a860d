//! Owns playbooks: files into the resources of each host, with every value rendered and every edge resolved.
//!
//! Two stages. [`load`] reads files (playbooks, includes, sites) and knows nothing of hosts. [`Site::expand`] meets
//! the fleet: it picks hosts, evaluates `each` and `when`, renders fields and templates, types them through the
//! registry, and links the result: one resource per key, `needs`, `watches`, aggregates. Both collect all errors.
//!
//! Must not know the inventory (it sees a [`Fleet`]), single kinds (it sees the registry), connections or plans.
//! Secrets stay marked from the variable, or from `secret()`, to the field; nothing here can read one.

mod aggregate;
mod amend;
mod ansible;
mod convert;
mod defined;
mod expand;
mod facts;
mod fault;
mod fields;
mod filters;
mod inspect;
mod item;
mod judged;
mod link;
mod load;
mod outside;
mod prints;
mod render;
mod root;
mod schema;
mod scope;
mod site;
mod store;
mod taint;
mod twice;
mod weight;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Diagnostic, HostName, Phase, Place, ResourceId};
use crate::resource::{Provision, Resource};
use crate::secret::{NoVault, Vault};
use crate::yaml::Node;

pub use defined::{Defined, Given, builtin};
pub use facts::FACTS;
pub use filters::FILTERS;
pub use load::{load, load_on};
pub use outside::{NO_KEY, Outside, holds_template};
pub use schema::schema;
pub use scope::BUILTINS;
pub use site::{Batch, KEYWORDS, Site};

/// What a playbook may learn about the fleet; the inventory implements it.
pub trait Fleet {
    /// All hosts, in the order in which they are shown.
    fn hosts(&self) -> Vec<HostName>;
    /// The hosts of a pattern, in order.
    ///
    /// # Errors
    /// The pattern is wrong, names what does not exist, or matches nothing.
    fn select(&self, pattern: &str, place: &Place) -> Result<Vec<HostName>, Diagnostic>;
    /// The merged variables of a host, `--set` included, each with the place of its definition.
    fn vars(&self, host: &HostName) -> Vec<(String, Node)>;
    /// The groups that a host is in, parents included.
    fn groups(&self, host: &HostName) -> Vec<String>;
    /// The hosts of a group, children included, in order.
    fn group_hosts(&self, group: &str) -> Vec<HostName>;
    /// The address at which a host is reached.
    fn address(&self, host: &HostName) -> String;
    /// The name that rempart logs in with, if the inventory says.
    fn login_user(&self, host: &HostName) -> Option<String>;
    /// The port that rempart logs in at.
    fn ssh_port(&self, host: &HostName) -> u16;
    /// Why a variable cannot be used on a host: sibling groups disagree about it.
    fn conflict(&self, host: &HostName, var: &str) -> Option<Diagnostic>;
    /// The store that `secret()` reads.
    fn vault(&self) -> Arc<dyn Vault> {
        Arc::new(NoVault)
    }
}

/// What a playbook says about one resource of one host.
#[derive(Debug)]
pub struct Declared {
    /// The host.
    pub host: HostName,
    /// The phase; the earliest, where several items declare the same resource.
    pub phase: Phase,
    /// The resource, unless facts are missing.
    pub body: Body,
    /// Where the item stands.
    pub place: Place,
    /// Its `id:`.
    pub label: Option<String>,
    /// What must be done before it, by its own words and those of the includes around it.
    pub needs: Vec<Need>,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// The requirements that it serves, sorted.
    pub controls: Vec<String>,
    /// The name of the playbook that declares it first.
    pub playbook: String,
}

/// A resource, or as much of it as can be known without the facts and secrets that it reads.
#[derive(Debug)]
pub enum Body {
    /// Typed, settled and linked.
    Ready(Box<dyn Resource>),
    /// A field or the `when` reads facts that are not known yet: fetch them, and expand again. Or a field holds a secret
    /// whose key is not at hand: nothing will help. Or that is so of a part.
    Pending {
        /// The kind.
        kind: &'static str,
        /// The identity, where it can be computed without the fields that wait.
        id: Option<ResourceId>,
        /// The aggregate it is a part of; `None` = not known.
        part_of: Option<Option<&'static str>>,
        /// The hosts whose facts it waits for: its own, or those of `hostvars`.
        waits_for: BTreeSet<HostName>,
        /// The secrets that are locked, each with the reason.
        locked: BTreeMap<String, String>,
        /// What ties it to others, as far as that is known.
        ties: Box<Ties>,
        /// Whether all that is locked of it is in texts that are compared as a whole: for those who can recognise them.
        as_text: bool,
        /// The resource, where nothing but secrets is missing: something else stands in for them. It can be looked at,
        /// and must never be applied.
        standing: Option<Box<dyn Resource>>,
    },
}

/// What a resource brings to its host, and what it uses and watches there.
#[derive(Clone, Debug, Default)]
pub struct Ties {
    /// What it brings.
    pub provides: Vec<Provision>,
    /// What it uses.
    pub uses: Vec<Provision>,
    /// What it watches, as written.
    pub watches: Vec<String>,
}

impl Ties {
    fn of(resource: &dyn Resource) -> Self {
        Self { provides: resource.provides(), uses: resource.uses(), watches: resource.watches() }
    }
}

impl Body {
    // The resource, though something may stand in the place of its secrets: not to be applied.
    fn outline(&self) -> Option<&dyn Resource> {
        match self {
            Body::Ready(resource) | Body::Pending { standing: Some(resource), .. } => Some(resource.as_ref()),
            Body::Pending { standing: None, .. } => None,
        }
    }

    // Lets it wait for these as well, whatever is known of it: it is neither applied nor looked at.
    fn hold(&mut self, hosts: BTreeSet<HostName>, secrets: BTreeMap<String, String>) {
        if let Body::Ready(resource) = self {
            *self = Body::Pending {
                kind: resource.kind(),
                id: Some(resource.id()),
                part_of: Some(resource.part_of()),
                waits_for: BTreeSet::new(),
                locked: BTreeMap::new(),
                ties: Box::new(Ties::of(resource.as_ref())),
                as_text: false,
                standing: None,
            };
        }
        let Body::Pending { waits_for, locked, standing, .. } = self else { return };
        waits_for.extend(hosts);
        for (name, why) in secrets {
            locked.entry(name).or_insert(why);
        }
        *standing = None;
    }
}

impl Declared {
    /// The resource, unless facts are missing.
    pub fn resource(&self) -> Option<&dyn Resource> {
        match &self.body {
            Body::Ready(resource) => Some(resource.as_ref()),
            Body::Pending { .. } => None,
        }
    }

    /// The identity, where it is known.
    pub fn id(&self) -> Option<ResourceId> {
        match &self.body {
            Body::Ready(resource) => Some(resource.id()),
            Body::Pending { id, .. } => id.clone(),
        }
    }

    /// Whether facts or secrets that it reads are missing.
    pub fn is_pending(&self) -> bool {
        matches!(self.body, Body::Pending { .. })
    }

    /// The hosts whose facts are missing for it.
    pub fn waits_for(&self) -> impl Iterator<Item = &HostName> {
        match &self.body {
            Body::Ready(_) => None,
            Body::Pending { waits_for, .. } => Some(waits_for),
        }
        .into_iter()
        .flatten()
    }

    /// The secrets that are missing for it, each with the reason.
    pub fn locked(&self) -> impl Iterator<Item = (&String, &String)> {
        match &self.body {
            Body::Ready(_) => None,
            Body::Pending { locked, .. } => Some(locked),
        }
        .into_iter()
        .flatten()
    }
}

/// An edge that a playbook draws: a resource of this or another host that must be done before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The host of the other resource.
    pub host: HostName,
    /// The other resource.
    pub target: ResourceId,
    /// Where the edge is written.
    pub place: Place,
}

/// A playbook as it meets the fleet.
#[derive(Clone, Debug)]
pub struct Play {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its hosts, in the order of the fleet.
    pub hosts: Vec<HostName>,
    /// The rolling batches; empty = all hosts at once.
    pub serial: Vec<Batch>,
}

/// Everything that a site declares on a fleet.
#[derive(Debug, Default)]
pub struct Expansion {
    /// The resources: by host in the order of the fleet, then by phase, then as written over the whole site.
    pub declared: Vec<Declared>,
    /// By host, the hosts whose facts its resources read and that are not known. Empty = nothing is pending.
    pub needs_facts: BTreeMap<HostName, BTreeSet<HostName>>,
    /// The playbooks, in order.
    pub plays: Vec<Play>,
    /// What does not stop the run.
    pub warnings: Vec<Diagnostic>,
    /// The resources that a false `when` left out, by host.
    pub skipped: BTreeMap<HostName, BTreeSet<ResourceId>>,
}

#[cfg(test)]
mod tests;
