//! Owns what every drawing of the graph shows: hosts, in them phases, in them resources, and between these the edges.

use std::collections::BTreeMap;

use super::escape::visible;
use crate::model::Phase;
use crate::plan::{Graph, Why};

/// The graph as it is drawn; all texts are visible already.
#[derive(Debug)]
pub struct Picture {
    /// The hosts in order.
    pub hosts: Vec<HostBox>,
    /// What resources are called; hosts and edges point into it.
    pub names: Vec<String>,
    /// From what comes first to what comes after, sorted.
    pub edges: Vec<Edge>,
}

/// One host.
#[derive(Debug)]
pub struct HostBox {
    /// Its name.
    pub name: String,
    /// Its phases that hold anything, each with its resources in order.
    pub phases: Vec<(Phase, Vec<usize>)>,
}

/// One edge; several reasons between the same two are one edge of the strongest kind.
#[derive(Debug)]
pub struct Edge {
    /// What comes first.
    pub from: usize,
    /// What comes after.
    pub to: usize,
    /// Its kind.
    pub kind: EdgeKind,
    /// All reasons, in words.
    pub words: String,
}

/// Why there is an edge, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// It uses what the other one brings.
    Uses,
    /// It reacts to changes of the other one.
    Watches,
    /// The playbook says so.
    Needs,
}

impl Picture {
    /// What there is to draw.
    pub fn of(graph: &Graph) -> Self {
        let names = graph.items.iter().map(|item| visible(&item.id().to_string())).collect();
        let hosts = graph
            .by_host()
            .into_iter()
            .map(|(host, items)| {
                let mut phases: BTreeMap<Phase, Vec<usize>> = BTreeMap::new();
                for item in items {
                    phases.entry(graph.items[item].phase).or_default().push(item);
                }
                HostBox { name: visible(host.as_str()), phases: phases.into_iter().collect() }
            })
            .collect();
        let mut edges: BTreeMap<(usize, usize), (EdgeKind, Vec<String>)> = BTreeMap::new();
        for to in 0..graph.items.len() {
            for dependency in graph.dependencies(to) {
                let (kind, words) = match &dependency.why {
                    Why::Needs(place) => (EdgeKind::Needs, format!("needs ({place})")),
                    Why::Uses(provision) => (EdgeKind::Uses, format!("uses {provision}")),
                    Why::Watches => (EdgeKind::Watches, "watches".to_owned()),
                };
                let edge = edges.entry((dependency.on, to)).or_insert((kind, Vec::new()));
                edge.0 = edge.0.max(kind);
                edge.1.push(visible(&words));
            }
        }
        let edges = edges
            .into_iter()
            .map(|((from, to), (kind, words))| Edge { from, to, kind, words: words.join(", ") })
            .collect();
        Self { hosts, names, edges }
    }
}
