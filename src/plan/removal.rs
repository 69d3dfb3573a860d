//! Owns the graph of what is to be removed because nobody declares it any more: what stands in something or belongs to
//! it goes before it.

use std::any::Any;

use super::{Graph, Item, Made, Need};
use crate::model::{Diagnostic, HostName, Phase, Place, ResourceId};
use crate::resource::{Desired, Foreseen, Gone, Provision, Resource, Seen};

/// One thing to be removed.
#[derive(Debug)]
pub struct Removal {
    /// From which host.
    pub host: HostName,
    /// What the host remembers of it.
    pub made: Made,
    /// How it goes.
    pub gone: Gone,
}

/// Joins removals into a graph, all in one phase.
///
/// # Errors
/// None that a caller could mend: removals need nothing but one another.
pub fn removals(mut all: Vec<Removal>) -> Result<Graph, Vec<Diagnostic>> {
    all.sort_by_key(|removal| std::cmp::Reverse(removal.gone.resource.id().key.len()));
    all.sort_by_key(|removal| rank(&removal.gone.brings));
    let paths: Vec<(HostName, String, ResourceId)> = all
        .iter()
        .filter_map(|removal| Some((removal.host.clone(), path(&removal.gone)?, removal.gone.resource.id())))
        .collect();
    let items = all
        .into_iter()
        .map(|removal| {
            let below = path(&removal.gone).map(|path| format!("{path}/"));
            let stands_in = |(host, other, _): &&(HostName, String, ResourceId)| {
                *host == removal.host && below.as_ref().is_some_and(|below| other.starts_with(below.as_str()))
            };
            let place =
                Place::outside(&format!("made by playbook {} in run {}", removal.made.playbook, removal.made.run));
            let needs = paths.iter().filter(stands_in).map(|(host, _, id)| Need {
                host: host.clone(),
                what: id.to_string(),
                place: place.clone(),
            });
            Item {
                needs: needs.collect(),
                host: removal.host,
                phase: Phase::Preparation,
                resource: Box::new(Removed(removal.gone.resource)),
                place,
                label: None,
                tags: Vec::new(),
                controls: Vec::new(),
                playbook: removal.made.playbook,
            }
        })
        .collect();
    Graph::build(items)
}

// What runs goes first, then what it is made of, then those that owned it, then the programs.
fn rank(brings: &[Provision]) -> u8 {
    let one = |provision: &Provision| match provision {
        Provision::Package(_) => 3,
        Provision::User(_) | Provision::Group(_) => 2,
        Provision::Path(_) | Provision::Part(_) | Provision::Network(_) | Provision::Image(_) => 1,
        Provision::Unit(_) | Provision::Role(_) | Provision::Kind(_) => 0,
    };
    // A unit brings its file, too.
    let unit = brings.iter().any(|provision| matches!(provision, Provision::Unit(_)));
    if unit { 0 } else { brings.iter().map(one).max().unwrap_or(0) }
}

fn path(gone: &Gone) -> Option<String> {
    gone.brings.iter().find_map(|provision| match provision {
        Provision::Path(path) => Some(path.clone()),
        _ => None,
    })
}

/// A resource that is to go: it brings nothing any more, and what it used while it was there is no matter of order.
#[derive(Debug)]
struct Removed(Box<dyn Resource>);

impl Resource for Removed {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn id(&self) -> ResourceId {
        self.0.id()
    }

    fn is_risky(&self) -> bool {
        self.0.is_risky()
    }

    fn desired(&self) -> Desired {
        self.0.desired()
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        self.0.foresee(seen, foreseen);
    }

    fn as_any(&self) -> &dyn Any {
        self.0.as_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use crate::resource::Context;

    fn order(ids: &[&str]) -> Vec<String> {
        let host = HostName::new("a");
        let select = |_: &str| Err("nobody".to_owned());
        let context = Context { host: &host, address: "192.0.2.1", login_user: None, ssh_port: 22, select: &select };
        let removal = |id: &&str| {
            let (kind, key) = id.split_once(':').unwrap();
            let gone = kinds::find(kind).unwrap().gone(key, &context).unwrap();
            let made = Made { id: (*id).into(), playbook: "p".into(), site: String::new(), run: "r".into() };
            Removal { host: host.clone(), made, gone }
        };
        let graph = removals(ids.iter().map(removal).collect()).unwrap();
        graph.order.iter().map(|at| graph.items[*at].id().to_string()).collect()
    }

    #[test]
    fn what_was_made_first_goes_last() {
        let made = [
            "package_apt:squid",
            "user:u",
            "directory:/srv/a",
            "directory:/srv/a/b",
            "file:/srv/a/b/c",
            "file:/srv/f",
            "systemd_unit:x.service",
            "docker_container:app",
        ];
        let gone = order(&made);
        let at = |id: &str| gone.iter().position(|one| one == id).unwrap();
        for (first, second) in [
            ("systemd_unit:x.service", "file:/srv/f"),
            ("docker_container:app", "file:/srv/a/b/c"),
            ("file:/srv/a/b/c", "directory:/srv/a/b"),
            ("directory:/srv/a/b", "directory:/srv/a"),
            ("directory:/srv/a", "user:u"),
            ("user:u", "package_apt:squid"),
        ] {
            assert!(at(first) < at(second), "{first} before {second}: {gone:?}");
        }
    }

    #[test]
    fn a_directory_waits_for_all_that_stands_in_it() {
        let gone = order(&["directory:/a/b", "file:/a/b/a-name-that-is-long", "template:/a/b/t", "file:/a/bc/x"]);
        assert_eq!(gone.last().unwrap(), "directory:/a/b");
    }
}
