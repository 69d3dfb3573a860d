//! Owns the identity of a resource on a host, `kind:key`.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a resource is called on its host: its kind and its key, printed as `kind:key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The kind, as written in a playbook.
    pub kind: &'static str,
    /// What tells it from others of its kind on the same host.
    pub key: String,
}

impl ResourceId {
    /// Joins a kind and a key.
    pub fn new(kind: &'static str, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.key)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
