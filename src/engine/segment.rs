//! Owns how a host's pending resources are cut into batches: pure.

use std::collections::HashSet;

use crate::kinds;
use crate::model::HostName;
use crate::plan::{Graph, Why};

/// The next resources of a host that can travel as one batch, in order.
///
/// The cut falls where the phase changes, where a check begins or ends, where something on another host is not done
/// yet, where risky steps begin or end (so that a guard covers them alone), and where a resource must be measured
/// again because one before it in the batch touches it.
pub(super) fn next_segment(
    graph: &Graph,
    host: &HostName,
    pending: &[usize],
    settled: &dyn Fn(usize) -> bool,
    changes: &dyn Fn(usize) -> bool,
    is_risky: &dyn Fn(usize) -> bool,
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
            if changes(*number) || item.resource.reaction().is_some() {
                let touched = graph.dependencies(*number).iter().any(|dependency| {
                    segment.contains(&dependency.on)
                        && changes(dependency.on)
                        && (touches(graph, *number, dependency.on, &dependency.why))
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
