//! Owns the graph over the whole fleet and its order.
//!
//! Dependencies are `needs`, implicit uses, watches, parts of aggregates, and the gate before `production`. The five
//! phases and the written order only order: a failure stops dependants, never a neighbour.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{Item, Need};
use crate::model::{Diagnostic, HostName, Phase, Place, ResourceId, did_you_mean};
use crate::resource::Provision;

/// Why one resource comes after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The playbook says so.
    Needs(Place),
    /// It uses what the other one brings.
    Uses(Provision),
    /// It reacts to changes of the other one.
    Watches,
}

/// One dependency: the number of the item that must come first, and why.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The item that comes first.
    pub on: usize,
    /// Why.
    pub why: Why,
}

/// The resources of the whole fleet with their dependencies, in order.
#[derive(Debug)]
pub struct Graph {
    /// Every item, in the order in which they were declared.
    pub items: Vec<Item>,
    /// The numbers of the items in an order that respects every edge; the same for the same input.
    pub order: Vec<usize>,
    dependencies: Vec<Vec<Dependency>>,
    by_id: HashMap<(HostName, ResourceId), usize>,
    untested: Vec<HostName>,
    witnesses: BTreeSet<usize>,
}

// Phase, items before the ends of phases, written order.
type Rank = (Phase, u8, usize);

#[derive(Clone, Debug)]
enum Edge {
    Dependency(Why),
    Order,
}

#[derive(Clone, Debug)]
enum Vertex {
    Item(usize),
    PhaseEnd(HostName, Phase),
}

impl Graph {
    /// Joins the items. Every fault is collected.
    ///
    /// # Errors
    /// A need that names nothing, a need against the order of the phases, a cycle (shown as a path).
    pub fn build(items: Vec<Item>) -> Result<Graph, Vec<Diagnostic>> {
        let mut by_id = HashMap::new();
        for (number, item) in items.iter().enumerate() {
            by_id.insert((item.host.clone(), item.id()), number);
        }
        let mut graph = Graph {
            dependencies: vec![Vec::new(); items.len()],
            items,
            order: Vec::new(),
            by_id,
            untested: Vec::new(),
            witnesses: BTreeSet::new(),
        };
        let mut faults = Vec::new();
        graph.add_explicit(&mut faults);
        graph.add_implicit();
        if !faults.is_empty() {
            return Err(faults);
        }
        for dependencies in &mut graph.dependencies {
            dependencies.sort_by_key(|dependency| dependency.on);
            dependencies.dedup_by(|later, first| later.on == first.on && later.why == first.why);
        }
        graph.sort()?;
        Ok(graph)
    }

    /// The part of the graph that a selection keeps, in the same order.
    ///
    /// An aggregate brings its parts along, whatever was selected: a firewall without its rules is another firewall.
    /// Hosts that lose a test by it cannot enter production in this run. With `witnesses`, what is needed by name and
    /// was not selected stays in the graph to be looked at: a need holds in a part of the graph as in the whole.
    #[must_use]
    pub fn restrict(self, keep: &dyn Fn(&Item) -> bool, witnesses: bool) -> Graph {
        let mut kept: Vec<bool> = self.items.iter().map(keep).collect();
        let aggregates: Vec<(HostName, &'static str)> = self
            .items
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(item, _)| (item.host.clone(), item.resource.kind()))
            .collect();
        for (number, item) in self.items.iter().enumerate() {
            if let Some(whole) = item.resource.part_of() {
                kept[number] |= aggregates.iter().any(|(host, kind)| *host == item.host && *kind == whole);
            }
        }
        let mut untested: Vec<HostName> = Vec::new();
        let hosts: Vec<HostName> = self.by_host().into_iter().map(|(host, _)| host).collect();
        for host in hosts {
            let watched = self.needed_hosts(&host).into_iter().chain([host.clone()]).collect::<Vec<_>>();
            let lost = self
                .items
                .iter()
                .zip(&kept)
                .any(|(item, kept)| item.phase == Phase::Tests && !kept && watched.contains(&item.host));
            if lost {
                untested.push(host);
            }
        }
        let selected = kept.clone();
        for number in (0..self.items.len()).filter(|number| witnesses && selected[*number]) {
            for dependency in &self.dependencies[number] {
                kept[dependency.on] |= matches!(dependency.why, Why::Needs(_));
            }
        }
        let mut moved: Vec<Option<usize>> = vec![None; self.items.len()];
        let mut next = 0;
        for (number, kept) in kept.iter().enumerate() {
            if *kept {
                moved[number] = Some(next);
                next += 1;
            }
        }
        let order = self.order.iter().filter_map(|number| moved[*number]).collect();
        let mut items = Vec::with_capacity(next);
        let mut dependencies = Vec::with_capacity(next);
        for ((item, edges), kept) in self.items.into_iter().zip(self.dependencies).zip(kept) {
            if kept {
                items.push(item);
                dependencies.push(
                    edges
                        .into_iter()
                        .filter_map(|edge| Some(Dependency { on: moved[edge.on]?, why: edge.why }))
                        .collect(),
                );
            }
        }
        let by_id = items.iter().enumerate().map(|(at, item)| ((item.host.clone(), item.id()), at)).collect();
        let looked_at = |number: usize| if selected[number] { None } else { moved[number] };
        let witnesses = (0..selected.len()).filter_map(looked_at).collect();
        Graph { items, order, dependencies, by_id, untested, witnesses }
    }

    /// Whether tests that gate a host's production were left out by a selection.
    pub fn is_untested(&self, host: &HostName) -> bool {
        self.untested.contains(host)
    }

    /// Whether an item is only looked at: something selected needs it, and it was not selected itself.
    pub fn is_witness(&self, item: usize) -> bool {
        self.witnesses.contains(&item)
    }

    /// What must come before an item.
    pub fn dependencies(&self, item: usize) -> &[Dependency] {
        &self.dependencies[item]
    }

    /// The hosts, each with its items in order; hosts in the order of their first declaration.
    pub fn by_host(&self) -> Vec<(HostName, Vec<usize>)> {
        let mut hosts: Vec<(HostName, Vec<usize>)> = Vec::new();
        let mut at: HashMap<&HostName, usize> = HashMap::new();
        for item in &self.items {
            if !at.contains_key(&item.host) {
                at.insert(&item.host, hosts.len());
                hosts.push((item.host.clone(), Vec::new()));
            }
        }
        for number in &self.order {
            if let Some(host) = at.get(&self.items[*number].host) {
                hosts[*host].1.push(*number);
            }
        }
        hosts
    }

    /// The number of a resource.
    pub fn find(&self, host: &HostName, id: &ResourceId) -> Option<usize> {
        self.by_id.get(&(host.clone(), id.clone())).copied()
    }

    /// Everything that an item depends on, directly or not, across hosts.
    pub fn upstream(&self, item: usize) -> Vec<usize> {
        let mut seen = vec![false; self.items.len()];
        let mut stack = vec![item];
        let mut all = Vec::new();
        while let Some(next) = stack.pop() {
            for dependency in &self.dependencies[next] {
                if !std::mem::replace(&mut seen[dependency.on], true) {
                    all.push(dependency.on);
                    stack.push(dependency.on);
                }
            }
        }
        all.sort_unstable();
        all
    }

    fn add_explicit(&mut self, faults: &mut Vec<Diagnostic>) {
        let mut named: HashMap<(HostName, String), usize> = HashMap::new();
        for (number, item) in self.items.iter().enumerate() {
            named.insert((item.host.clone(), item.id().to_string()), number);
            if let Some(label) = &item.label {
                named.insert((item.host.clone(), label.clone()), number);
            }
        }
        for number in 0..self.items.len() {
            let item = &self.items[number];
            let watches = item
                .resource
                .watches()
                .into_iter()
                .map(|what| (Need { host: item.host.clone(), what, place: item.place.clone() }, true));
            let needs: Vec<(Need, bool)> =
                item.needs.iter().cloned().map(|need| (need, false)).chain(watches).collect();
            for (need, watched) in needs {
                let Some(on) = named.get(&(need.host.clone(), need.what.clone())).copied() else {
                    // What is watched was checked when it was loaded; a condition may have left it out.
                    if !watched {
                        faults.push(self.no_such(&need));
                    }
                    continue;
                };
                if on == number {
                    faults.push(Diagnostic::error("a resource that needs itself").at(&need.place, need.what.clone()));
                    continue;
                }
                let (one, other) = (&self.items[number], &self.items[on]);
                if one.host == other.host && other.phase > one.phase {
                    faults.push(
                        Diagnostic::error("a need against the order of the phases")
                            .at(&need.place, format!("{} is in the phase {}", one.id(), one.phase))
                            .see(&other.place, format!("{} comes later, in {}", other.id(), other.phase))
                            .fix("move one of them to the other's phase"),
                    );
                    continue;
                }
                let why = if watched { Why::Watches } else { Why::Needs(need.place) };
                self.dependencies[number].push(Dependency { on, why });
            }
        }
    }

    fn no_such(&self, need: &Need) -> Diagnostic {
        let on_host: Vec<String> = self
            .items
            .iter()
            .filter(|item| item.host == need.host)
            .flat_map(|item| item.label.clone().into_iter().chain([item.id().to_string()]))
            .collect();
        let mut told = Diagnostic::error("a need for something that is not declared")
            .at(&need.place, format!("nothing on {} is called `{}`", need.host, need.what));
        told.fix = did_you_mean(&need.what, on_host.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(|| Some("name an `id:` or a `kind:key` of that host".into()));
        told
    }

    fn add_implicit(&mut self) {
        let mut hosts: BTreeMap<HostName, Vec<usize>> = BTreeMap::new();
        for (number, item) in self.items.iter().enumerate() {
            hosts.entry(item.host.clone()).or_default().push(number);
        }
        for numbers in hosts.values() {
            let mut brought: HashMap<Provision, Vec<usize>> = HashMap::new();
            for number in numbers {
                for provision in self.items[*number].resource.provides() {
                    brought.entry(provision).or_default().push(*number);
                }
                brought.entry(Provision::Kind(self.items[*number].resource.kind())).or_default().push(*number);
            }
            for number in numbers {
                for wanted in self.items[*number].resource.uses() {
                    for on in providers(&wanted, &brought, *number) {
                        // An implicit edge never turns against the phases: what comes later cannot be used yet.
                        if self.items[on].phase <= self.items[*number].phase {
                            self.dependencies[*number].push(Dependency { on, why: Why::Uses(wanted.clone()) });
                        }
                    }
                }
            }
        }
    }

    fn sort(&mut self) -> Result<(), Vec<Diagnostic>> {
        let mut graph: DiGraph<Vertex, Edge> = DiGraph::new();
        let vertices: Vec<NodeIndex> =
            (0..self.items.len()).map(|number| graph.add_node(Vertex::Item(number))).collect();
        for (number, dependencies) in self.dependencies.iter().enumerate() {
            for dependency in dependencies {
                graph.add_edge(vertices[dependency.on], vertices[number], Edge::Dependency(dependency.why.clone()));
            }
        }
        // Between two phases of a host stands one vertex, so that n x m edges become n + m.
        let mut ends: BTreeMap<(HostName, Phase), NodeIndex> = BTreeMap::new();
        for (number, item) in self.items.iter().enumerate() {
            for phase in Phase::ALL {
                let key = (item.host.clone(), phase);
                let end =
                    *ends.entry(key).or_insert_with(|| graph.add_node(Vertex::PhaseEnd(item.host.clone(), phase)));
                if phase == item.phase {
                    graph.add_edge(vertices[number], end, Edge::Order);
                } else if phase < item.phase {
                    graph.add_edge(end, vertices[number], Edge::Order);
                }
            }
        }
        // The gate: production waits for the tests of every host that is needed.
        let mut gates: Vec<(NodeIndex, NodeIndex)> = Vec::new();
        for (number, item) in self.items.iter().enumerate().filter(|(_, item)| item.phase == Phase::Production) {
            for other in self.needed_hosts(&item.host) {
                if let Some(end) = ends.get(&(other, Phase::Tests)) {
                    gates.push((*end, vertices[number]));
                }
            }
        }
        for (end, vertex) in gates {
            graph.add_edge(end, vertex, Edge::Order);
        }
        self.order = self.walk(&graph, &vertices).map_err(|()| vec![self.cycle(&graph)])?;
        Ok(())
    }

    /// The other hosts that a host's resources need, directly or not.
    pub fn needed_hosts(&self, host: &HostName) -> Vec<HostName> {
        let mut hosts: Vec<HostName> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.host == *host)
            .flat_map(|(number, _)| self.upstream(number))
            .map(|number| self.items[number].host.clone())
            .filter(|other| other != host)
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    // Kahn's algorithm with a heap: among what is ready, the earliest phase and then the written order goes first, so
    // the order is the one a reader expects, and the same every time.
    fn walk(&self, graph: &DiGraph<Vertex, Edge>, vertices: &[NodeIndex]) -> Result<Vec<usize>, ()> {
        let rank = |vertex: NodeIndex| match &graph[vertex] {
            Vertex::Item(number) => (self.items[*number].phase, 0, *number),
            Vertex::PhaseEnd(_, phase) => (*phase, 1, vertex.index()),
        };
        let mut waiting: Vec<usize> =
            graph.node_indices().map(|vertex| graph.edges_directed(vertex, petgraph::Incoming).count()).collect();
        let mut ready: BinaryHeap<Reverse<(Rank, NodeIndex)>> = graph
            .node_indices()
            .filter(|vertex| waiting[vertex.index()] == 0)
            .map(|vertex| Reverse((rank(vertex), vertex)))
            .collect();
        let mut order = Vec::with_capacity(vertices.len());
        while let Some(Reverse((_, vertex))) = ready.pop() {
            if let Vertex::Item(number) = graph[vertex] {
                order.push(number);
            }
            for edge in graph.edges(vertex) {
                let next = edge.target();
                waiting[next.index()] -= 1;
                if waiting[next.index()] == 0 {
                    ready.push(Reverse((rank(next), next)));
                }
            }
        }
        if order.len() == vertices.len() { Ok(order) } else { Err(()) }
    }

    fn cycle(&self, graph: &DiGraph<Vertex, Edge>) -> Diagnostic {
        let knot = petgraph::algo::tarjan_scc(graph).into_iter().filter(|knot| knot.len() > 1).min_by_key(Vec::len);
        let Some(knot) = knot else {
            return Diagnostic::error("a cycle that could not be found").because("this is a bug in rempart");
        };
        let path = shortest_cycle(graph, &knot);
        let mut told = Diagnostic::error("resources that need each other in a circle");
        let mut words = Vec::new();
        for (at, vertex) in path.iter().enumerate() {
            let next = path[(at + 1) % path.len()];
            // Edges run from what comes first to what comes after; a person reads "A needs B".
            let why = graph.find_edge(next, *vertex).map(|edge| &graph[edge]);
            match &graph[*vertex] {
                Vertex::Item(number) => {
                    let item = &self.items[*number];
                    let label = match why {
                        Some(Edge::Dependency(Why::Needs(_))) => "needs",
                        Some(Edge::Dependency(Why::Uses(_))) => "uses",
                        Some(Edge::Dependency(Why::Watches)) => "watches",
                        _ => "comes after",
                    };
                    words.push(format!("{} on {} {label}", item.id(), item.host));
                    let place = match why {
                        Some(Edge::Dependency(Why::Needs(place))) => place,
                        _ => &item.place,
                    };
                    if told.place.is_none() {
                        told = told.at(place, format!("{} ({label} the next)", item.id()));
                    } else {
                        told = told.see(place, format!("{} ({label} the next)", item.id()));
                    }
                }
                Vertex::PhaseEnd(host, phase) => words.push(format!("the end of {phase} on {host}, which waits for")),
            }
        }
        words.push(words.first().map_or(String::new(), |first| first.split(' ').next().unwrap_or("").to_owned()));
        told.because(words.join(" → ")).fix("remove one of these edges")
    }
}

fn providers(wanted: &Provision, brought: &HashMap<Provision, Vec<usize>>, user: usize) -> Vec<usize> {
    let others = |provision: &Provision| -> Vec<usize> {
        brought.get(provision).map(|all| all.iter().copied().filter(|on| *on != user).collect()).unwrap_or_default()
    };
    let Provision::Path(path) = wanted else { return others(wanted) };
    let mut path = path.as_str();
    loop {
        let found = others(&Provision::Path(path.to_owned()));
        if !found.is_empty() {
            return found;
        }
        match path.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => path = parent,
            _ => return Vec::new(),
        }
    }
}

// Breadth first from each vertex of the knot; knots are small.
fn shortest_cycle(graph: &DiGraph<Vertex, Edge>, knot: &[NodeIndex]) -> Vec<NodeIndex> {
    let mut best: Vec<NodeIndex> = Vec::new();
    for start in knot {
        let mut before: HashMap<NodeIndex, NodeIndex> = HashMap::new();
        let mut queue = std::collections::VecDeque::from([*start]);
        'search: while let Some(vertex) = queue.pop_front() {
            for edge in graph.edges(vertex) {
                let next = edge.target();
                if next == *start {
                    let mut path = vec![vertex];
                    let mut at = vertex;
                    while let Some(previous) = before.get(&at) {
                        path.push(*previous);
                        at = *previous;
                    }
                    // From the end to the start: each needs the one after it.
                    if best.is_empty() || path.len() < best.len() {
                        best = path;
                    }
                    break 'search;
                }
                if knot.contains(&next) && next != *start && !before.contains_key(&next) {
                    before.insert(next, vertex);
                    queue.push_back(next);
                }
            }
        }
    }
    best
}
