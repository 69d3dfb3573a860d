//! Owns what the graph is made of: resources with their place in the deployment.

use crate::model::{HostName, Phase, Place, ResourceId};
use crate::resource::Resource;

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
