//! Owns what it means that Docker did not answer.

use crate::resource::{Provision, Seen};

/// Why docker's answer says nothing at all.
pub enum Silence {
    /// There is no docker.
    NoDocker,
    /// Docker is there, and its daemon does not run; docker's own words.
    Down(String),
    /// Nobody can say.
    Unknown(String),
}

impl Silence {
    /// What is seen of a container then. `absent`: of one that is to be gone, nobody can say while the daemon is down.
    pub fn seen(&self, absent: bool) -> Seen {
        match self {
            Silence::NoDocker => Seen::NotYet {
                missing: "docker is not installed".into(),
                brought_by: ["docker.io", "docker-ce", "docker-cli"]
                    .map(|name| Provision::Package(name.into()))
                    .into_iter()
                    .chain([Provision::Kind("package_apt")])
                    .collect(),
            },
            Silence::Down(why) if !absent => {
                Seen::NotYet { missing: why.clone(), brought_by: vec![Provision::Unit("docker.service".into())] }
            }
            Silence::Down(why) | Silence::Unknown(why) => Seen::Unknown(why.clone()),
        }
    }
}
