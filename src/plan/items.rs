//! Owns what the graph is made of: resources with their place in the deployment.

use std::any::Any;

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

/// Stands in the graph for a resource whose fields wait for facts that nobody could fetch, so that what needs it still
/// waits for it. It is of no kind, so it is never asked about, never judged, and never fine.
#[derive(Debug)]
pub struct Unread(pub ResourceId);

impl Resource for Unread {
    fn kind(&self) -> &'static str {
        "(waits for facts)"
    }

    fn id(&self) -> ResourceId {
        self.0.clone()
    }

    fn provides(&self) -> Vec<Provision> {
        Vec::new()
    }

    fn uses(&self) -> Vec<Provision> {
        Vec::new()
    }

    fn watches(&self) -> Vec<String> {
        Vec::new()
    }

    fn watched(&mut self, _provisions: Vec<Vec<Provision>>) {}

    fn reaction(&self) -> Option<&'static str> {
        None
    }

    fn part_of(&self) -> Option<&'static str> {
        None
    }

    fn absorb(&mut self, _parts: &[&dyn Any]) {}

    fn desired(&self) -> Desired {
        Desired::Absent
    }

    fn foresee(&self, _seen: &Seen, _foreseen: &mut Foreseen) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}
