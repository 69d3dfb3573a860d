//! Owns what the graph is made of: resources with their place in the deployment.

use std::any::Any;
use std::collections::BTreeSet;

use crate::model::{HostName, Phase, Place, ResourceId};
use crate::resource::{Desired, Foreseen, Provision, Resource, Seen};

/// One resource on one host, as declared.
#[derive(Debug)]
pub struct Item {
    /// The host.
    pub host: HostName,
    /// The phase.
    pub phase: Phase,
    /// What is wanted.
    pub resource: Box<dyn Resource>,
    /// Where it is declared.
    pub place: Place,
    /// The `id:` it was given, if any.
    pub label: Option<String>,
    /// What it explicitly needs.
    pub needs: Vec<Need>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The requirements it serves.
    pub controls: Vec<String>,
    /// The playbook it stands in.
    pub playbook: String,
}

impl Item {
    /// Its identity on its host.
    pub fn id(&self) -> ResourceId {
        self.resource.id()
    }

    /// What stands for it, if facts are missing.
    pub fn unread(&self) -> Option<&Unread> {
        self.resource.as_any().downcast_ref()
    }

    /// Why nothing was seen of it on a host that was reached.
    pub fn unseen(&self) -> String {
        self.unread().map_or_else(|| "it was not measured".into(), |unread| unread.why.clone())
    }
}

/// An explicit edge, resolved to a host.
#[derive(Clone, Debug)]
pub struct Need {
    /// The host of what is needed.
    pub host: HostName,
    /// `kind:key`, or an `id:`.
    pub what: String,
    /// Where it is written.
    pub place: Place,
}

/// Stands in the graph for a resource whose fields wait for facts that nobody could fetch, or for secrets that nobody here
/// can read, so that what needs or uses it still waits for it. It is of no kind, so it is never asked about, never judged, and never fine.
#[derive(Debug)]
pub struct Unread {
    /// What it is, as far as that is known.
    pub id: ResourceId,
    /// The hosts whose facts it waits for.
    pub waits_for: BTreeSet<HostName>,
    /// Why they could not be had.
    pub why: String,
    /// What it brings, as far as that is known: what uses it waits for it.
    pub provides: Vec<Provision>,
    /// What it uses, as far as that is known.
    pub uses: Vec<Provision>,
    /// What it watches, as far as that is known.
    pub watches: Vec<String>,
}

impl Resource for Unread {
    fn kind(&self) -> &'static str {
        "(waits for facts)"
    }

    fn id(&self) -> ResourceId {
        self.id.clone()
    }

    fn is_risky(&self) -> bool {
        false
    }

    // Of its kind it is for those who use all of that.
    fn provides(&self) -> Vec<Provision> {
        self.provides.iter().cloned().chain([Provision::Kind(self.id.kind)]).collect()
    }

    fn uses(&self) -> Vec<Provision> {
        self.uses.clone()
    }

    fn watches(&self) -> Vec<String> {
        self.watches.clone()
    }

    fn desired(&self) -> Desired {
        Desired::Absent
    }

    fn foresee(&self, _seen: &Seen, _foreseen: &mut Foreseen) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}
