//! Owns what resources give to and want from one another on a host: the matter of implicit edges.

use std::fmt;

/// Something that one resource brings to its host and another one may need there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provision {
    /// A file or directory. A wanted path is also met by its nearest declared ancestor directory.
    Path(String),
    /// Some lines of a file that others write in too: no reason to wait for one another, but something to watch.
    Part(String),
    /// A user account.
    User(String),
    /// A group.
    Group(String),
    /// An installed package.
    Package(String),
    /// A systemd unit, with its suffix.
    Unit(String),
    /// A role of PostgreSQL.
    Role(String),
    /// An image of Docker.
    Image(String),
    /// A network of Docker.
    Network(String),
    /// All resources of a kind on the host, such as every `firewall_rule` for the firewall.
    Kind(&'static str),
}

impl fmt::Display for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Provision::Path(path) | Provision::Part(path) => write!(f, "{path}"),
            Provision::User(name) => write!(f, "user {name}"),
            Provision::Group(name) => write!(f, "group {name}"),
            Provision::Package(name) => write!(f, "package {name}"),
            Provision::Unit(name) => write!(f, "unit {name}"),
            Provision::Role(name) => write!(f, "role {name}"),
            Provision::Image(name) => write!(f, "image {name}"),
            Provision::Network(name) => write!(f, "network {name}"),
            Provision::Kind(name) => write!(f, "every {name}"),
        }
    }
}
