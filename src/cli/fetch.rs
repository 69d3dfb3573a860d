//! Owns the way from what templates read of facts to the hosts that are asked for them, until nothing more is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Stopped;
use super::project::Fleet;
use crate::engine::{self, Links};
use crate::model::{HostName, Source};
use crate::playbook::{Expansion, Site};
use crate::transport::TransportError;
use crate::yaml::{self, Dialect, Node};

/// A site with the facts that could be had.
pub(super) struct Expanded {
    pub expansion: Expansion,
    /// The hosts that were asked for facts and gave none.
    pub silent: BTreeMap<HostName, TransportError>,
}

/// Expands a site, and asks hosts for the facts that resources of the limit read, or that those read which they need:
/// also hosts outside of it. A template that sees fewer hosts than it names would render something weaker.
///
/// Each host is asked once; what it answers may lead to the facts of another.
pub(super) async fn expand(
    fleet: &Fleet,
    site: &Site,
    limit: Option<&BTreeSet<HostName>>,
    links: Option<(Arc<dyn Links>, usize)>,
) -> Result<Expanded, Stopped> {
    let mut known: HashMap<HostName, Node> = HashMap::new();
    let mut silent: BTreeMap<HostName, TransportError> = BTreeMap::new();
    loop {
        let expansion = site.expand(fleet, &|host| known.get(host).cloned())?;
        let Some((links, forks)) = links.clone() else { return Ok(Expanded { expansion, silent }) };
        let hosts: Vec<HostName> = wanted(&expansion, limit)
            .into_iter()
            .filter(|host| !known.contains_key(host) && !silent.contains_key(host))
            .collect();
        if hosts.is_empty() {
            return Ok(Expanded { expansion, silent });
        }
        let (out, hosts): (Vec<HostName>, Vec<HostName>) =
            hosts.into_iter().partition(|host| fleet.locked_out_of(host).is_some());
        silent.extend(out.iter().filter_map(|host| Some((host.clone(), fleet.locked_out_of(host)?))));
        fleet.check_targets(&hosts)?;
        for (host, answer) in engine::gather_facts(hosts, links, forks).await {
            match answer.and_then(|facts| as_node(&host, &facts)) {
                Ok(node) => drop(known.insert(host, node)),
                Err(error) => drop(silent.insert(host, error)),
            }
        }
    }
}

fn wanted(expansion: &Expansion, limit: Option<&BTreeSet<HostName>>) -> BTreeSet<HostName> {
    let selected = |host: &HostName| limit.is_none_or(|limit| limit.contains(host));
    let mut readers: BTreeSet<&HostName> = expansion.needs_facts.keys().filter(|host| selected(host)).collect();
    let needs = expansion.declared.iter().filter(|declared| selected(&declared.host)).flat_map(|one| &one.needs);
    readers.extend(needs.map(|need| &need.host));
    readers.into_iter().filter_map(|reader| expansion.needs_facts.get(reader)).flatten().cloned().collect()
}

// Facts come as JSON and go into templates as YAML nodes; JSON is YAML.
fn as_node(host: &HostName, facts: &BTreeMap<String, serde_json::Value>) -> Result<Node, TransportError> {
    let broken = |reason: String| TransportError::Broken { host: host.clone(), reason };
    let text = serde_json::to_string(facts).map_err(|error| broken(error.to_string()))?;
    yaml::parse(&Source::new(format!("facts of {host}"), text), Dialect::Playbook).map_err(|told| broken(told.summary))
}
