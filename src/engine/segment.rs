//! Owns how a host's pending resources are cut into batches: pure.

use std::collections::HashSet;

use crate::kinds;
use crate::model::HostName;
use crate::plan::{Graph, Why};

/// The next resources of a host that can travel as one batch, in order.
///
/// The cut falls where the phase changes, where a check begins or ends, where something on another host is not done
/// yet, after a reboot, where risky steps begin or end (so that a guard covers them alone), and where a resource must be measured
/// again because one before it in the batch touches it.
pub(super) fn next_segment(
    graph: &Graph,
    host: &HostName,
    pending: &[usize],
    settled: &dyn Fn(usize) -> bool,
    changes: &dyn Fn(usize) -> bool,
    is_risky: &dyn Fn(usize) -> bool,
    asked_again: &dyn Fn(usize) -> bool,
) -> Vec<usize> {
    let mut segment: Vec<usize> = Vec::new();
    let mut kinds_left: HashSet<&str> = HashSet::new();
    for number in pending {
        let item = &graph.items[*number];
        let kind = item.resource.kind();
        let is_check = kinds::find(kind).is_some_and(|entry| entry.check);
        let waits = graph
            .dependencies(*number)
            .iter()
            .any(|dependency| graph.items[dependency.on].host != *host && !settled(dependency.on));
        if waits {
            break;
        }
        if let Some(first) = segment.first() {
            let first_item = &graph.items[*first];
            let first_is_check = kinds::find(first_item.resource.kind()).is_some_and(|entry| entry.check);
            if item.phase != first_item.phase
                || item.playbook != first_item.playbook
                || is_check != first_is_check
                || is_risky(*number) != is_risky(*first)
            {
                break;
            }
            if changes(*number) || item.resource.reaction().is_some() || asked_again(*number) {
                let touched = graph.dependencies(*number).iter().any(|dependency| {
                    segment.contains(&dependency.on)
                        && changes(dependency.on)
                        && (asked_again(*number) || touches(graph, *number, dependency.on, &dependency.why))
                });
                // A package brings configuration files and a command whatever it likes, which no edge tells of.
                let unsure = segment.iter().any(|before| {
                    let other = graph.items[*before].resource.kind();
                    changes(*before) && other != kind && touches_others(other)
                });
                // Steps of one kind may share a file, so a kind that was left is not come back to in one batch.
                if touched || unsure || kinds_left.contains(kind) {
                    break;
                }
            }
        }
        if let Some(last) = segment.last() {
            let last_kind = graph.items[*last].resource.kind();
            if last_kind != kind {
                kinds_left.insert(last_kind);
            }
        }
        segment.push(*number);
        if changes(*number) && kinds::find(kind).is_some_and(|entry| entry.ends_batch) {
            break;
        }
    }
    segment
}

/// Whether a change of this kind may touch what other resources describe.
pub(super) fn touches_others(kind: &str) -> bool {
    kinds::find(kind).is_none_or(|entry| entry.touches_others)
}

/// Whether a change of `upstream` means that `number` must be measured again before its own steps.
pub(super) fn touches(graph: &Graph, number: usize, upstream: usize, why: &Why) -> bool {
    let reacts = graph.items[number].resource.reaction().is_some();
    reacts || touches_others(graph.items[upstream].resource.kind()) || matches!(why, Why::Watches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Phase, Place, Source};
    use crate::plan::{Item, Need};
    use crate::resource::Context;
    use crate::yaml::{Dialect, parse};

    fn graph(declared: &[(&str, Phase, &str, &str)]) -> Graph {
        let items = declared
            .iter()
            .map(|(host, phase, text, need)| {
                let host = HostName::new(*host);
                let source = Source::new("p.yaml", *text);
                let node = parse(&source, Dialect::Playbook).unwrap();
                let kind = node.entries().unwrap()[0].key.clone();
                let select = |_: &str| Err("nobody".to_owned());
                let context =
                    Context { host: &host, address: "192.0.2.1", login_user: None, ssh_port: 22, select: &select };
                let resource = (kinds::find(&kind).unwrap().load)(node.get(&kind).unwrap(), &context).unwrap();
                let place = Place::new(&source, 0, 1);
                let needs = need
                    .split_once(' ')
                    .map(|(host, what)| Need { host: HostName::new(host), what: what.into(), place: place.clone() })
                    .into_iter()
                    .collect();
                let (tags, controls, playbook) = (Vec::new(), Vec::new(), "p".to_owned());
                Item { host, phase: *phase, resource, place, label: None, needs, tags, controls, playbook }
            })
            .collect();
        Graph::build(items).unwrap()
    }

    fn cut(graph: &Graph, changes: &dyn Fn(usize) -> bool) -> Vec<usize> {
        let host = HostName::new("a");
        let pending: Vec<usize> = graph.order.iter().copied().filter(|n| graph.items[*n].host == host).collect();
        next_segment(graph, &host, &pending, &|_| false, changes, &|_| false, &|_| false)
    }

    const PREPARE: Phase = Phase::Preparation;

    #[test]
    fn what_touches_only_itself_travels_together_and_a_phase_ends_a_batch() {
        let graph = graph(&[
            ("a", PREPARE, "directory: {path: /srv/x}", ""),
            ("a", PREPARE, "file: {path: /srv/x/f}", ""),
            ("a", Phase::Hardening, "file: {path: /srv/x/g}", ""),
        ]);
        assert_eq!(cut(&graph, &|_| true), [0, 1]);
    }

    #[test]
    fn what_a_package_may_bring_is_measured_again_first_unless_the_package_stays() {
        let graph = graph(&[
            ("a", PREPARE, "package_apt: {name: squid}", ""),
            ("a", PREPARE, "file: {path: /etc/squid/x.conf}", "a package_apt:squid"),
        ]);
        assert_eq!(cut(&graph, &|_| true), [0]);
        assert_eq!(cut(&graph, &|number| number != 0), [0, 1]);
    }

    #[test]
    fn nothing_comes_after_a_reboot_in_a_batch() {
        let graph = graph(&[
            ("a", PREPARE, "file: {path: /etc/x}", ""),
            ("a", PREPARE, "reboot: {}", ""),
            ("a", PREPARE, "file: {path: /etc/y}", ""),
        ]);
        assert_eq!(cut(&graph, &|_| true), [0, 1]);
        assert_eq!(cut(&graph, &|number| number == 1), [0, 1]);
        assert_eq!(cut(&graph, &|_| false), [0, 1, 2]);
    }

    #[test]
    fn what_waits_for_another_host_ends_a_batch_before_it() {
        let graph = graph(&[
            ("a", PREPARE, "file: {path: /etc/x}", ""),
            ("a", PREPARE, "file: {path: /etc/y}", "b file:/etc/z"),
            ("b", PREPARE, "file: {path: /etc/z}", ""),
        ]);
        assert_eq!(cut(&graph, &|_| true), [0]);
    }
}
