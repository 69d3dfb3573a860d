//! Owns the way from what hosts remember to what is left over there, and to the graph that would remove it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::project::Fleet;
use super::{Stopped, project};
use crate::engine::{Links, Remembered, probe};
use crate::kinds;
use crate::model::{HostName, Place};
use crate::plan::{Graph, Leftovers, Made, Outlook, Removal, Scope, removals};
use crate::playbook::Fleet as _;
use crate::resource::{Context, Gone, Seen};
use crate::transport::TransportError;

/// What hosts said about what rempart made there, or why that cannot be told.
pub(super) type Memory = BTreeMap<HostName, Result<Remembered, String>>;

/// What is left over on the fleet.
pub(super) struct Found {
    /// By host.
    pub left: BTreeMap<HostName, Leftovers>,
    /// What removes it, with what was there of it.
    pub graph: Arc<Graph>,
    pub seen: HashMap<usize, Seen>,
    pub unreachable: BTreeMap<HostName, TransportError>,
    /// What rempart never removes.
    pub kept: BTreeMap<HostName, Vec<Made>>,
    /// What hosts remember and do not have any more.
    pub vanished: BTreeMap<HostName, Vec<Made>>,
}

/// Judges what hosts remember, and looks whether it is still there.
pub(super) async fn find(
    fleet: &Fleet,
    scope: &Scope,
    memory: &Memory,
    links: Arc<dyn Links>,
    forks: usize,
) -> Result<Found, Stopped> {
    let mut left: BTreeMap<HostName, Leftovers> = BTreeMap::new();
    let mut removed = Vec::new();
    let mut kept: BTreeMap<HostName, Vec<Made>> = BTreeMap::new();
    for (host, answer) in memory {
        let remembered = match answer {
            Ok(remembered) => remembered,
            Err(why) => {
                left.insert(host.clone(), Leftovers { orphans_unknown: Some(why.clone()), ..Leftovers::default() });
                continue;
            }
        };
        let mut of_host = scope.leftovers(host, &remembered.made);
        of_host.orphans.retain_mut(|orphan| match gone(fleet, host, remembered, &orphan.made) {
            Ok(gone) if scope.uses(host, &gone.brings) => false,
            Ok(gone) => {
                removed.push(Removal { host: host.clone(), made: orphan.made.clone(), gone });
                true
            }
            Err(why) => {
                kept.entry(host.clone()).or_default().push(orphan.made.clone());
                orphan.kept = Some(why);
                true
            }
        });
        left.insert(host.clone(), of_host);
    }
    let graph = Arc::new(removals(removed)?);
    let probed = probe(graph.clone(), (0..graph.items.len()).collect(), links, forks, project::nobody()).await;
    let mut vanished: BTreeMap<HostName, Vec<Made>> = BTreeMap::new();
    for (number, item) in graph.items.iter().enumerate() {
        let id = item.id().to_string();
        let Some(of_host) = left.get_mut(&item.host) else { continue };
        let Some(at) = of_host.orphans.iter().position(|orphan| orphan.made.id == id) else { continue };
        match probed.seen.get(&number) {
            Some(Seen::Present(_)) => {}
            Some(Seen::Absent | Seen::NotYet { .. }) => {
                vanished.entry(item.host.clone()).or_default().push(of_host.orphans.remove(at).made);
            }
            Some(Seen::Unknown(why)) => of_host.orphans[at].kept = Some(why.clone()),
            None => of_host.orphans[at].kept = Some("it was not measured".into()),
        }
    }
    Ok(Found { left, graph, seen: probed.seen, unreachable: probed.unreachable, kept, vanished })
}

/// Holds back an aggregate that would change while a playbook outside of this run has made parts of it: made anew without
/// them it would be another one.
pub(super) async fn hold_aggregates(
    fleet: &Fleet,
    scope: &Scope,
    memory: &Memory,
    outlook: &mut Outlook,
    links: Arc<dyn Links>,
    forks: usize,
) -> Result<(), Stopped> {
    let changing = |host: &HostName, kind: &str| {
        let of_host = outlook.hosts.iter().filter(|known| known.host == *host).flat_map(|known| &known.resources);
        of_host.into_iter().any(|planned| planned.id.kind == kind && planned.act.changes())
    };
    let mut parts = Vec::new();
    let mut wholes = Vec::new();
    for (host, remembered) in memory.iter().filter_map(|(host, answer)| Some((host, answer.as_ref().ok()?))) {
        for made in scope.foreign(host, &remembered.made) {
            let Ok(gone) = gone(fleet, host, remembered, made) else { continue };
            if let Some(whole) = gone.resource.part_of().filter(|whole| changing(host, whole)) {
                wholes.push((host.clone(), gone.resource.id(), whole, made.playbook.clone()));
                parts.push(Removal { host: host.clone(), made: made.clone(), gone });
            }
        }
    }
    let graph = Arc::new(removals(parts)?);
    let probed = probe(graph.clone(), (0..graph.items.len()).collect(), links, forks, project::nobody()).await;
    for (host, id, whole, playbook) in wholes {
        let seen = graph.find(&host, &id).and_then(|number| probed.seen.get(&number));
        if !matches!(seen, Some(Seen::Absent | Seen::NotYet { .. })) {
            let why = format!(
                "playbook {playbook} has made a part of it here ({id}), and is not a part of this run: run them together"
            );
            outlook.hold(&host, whole, &why);
        }
    }
    Ok(())
}

// What removes an orphan; or why rempart does not.
fn gone(fleet: &Fleet, host: &HostName, remembered: &Remembered, made: &Made) -> Result<Gone, String> {
    let (kind, key) = made.id.split_once(':').unwrap_or_default();
    let entry = kinds::find(kind).ok_or_else(|| format!("this rempart has no kind `{kind}`"))?;
    let address = fleet.address(host);
    // Whoever rempart came as, whatever the inventory says.
    let login = remembered.login.clone().or_else(|| fleet.login_user(host));
    let place = Place::outside(&made.id);
    let select = |pattern: &str| match fleet.select(pattern, &place) {
        Ok(hosts) => Ok(hosts.into_iter().map(|host| (host.clone(), fleet.address(&host))).collect()),
        Err(told) => Err(told.summary),
    };
    let context = Context {
        host,
        address: &address,
        login_user: login.as_deref(),
        ssh_port: fleet.ssh_port(host),
        select: &select,
    };
    entry.gone(key, &context)
}
