//! Owns the plan as people and machines see it: what will happen to each resource, in order, and why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::delta::all_new;
use super::{Delta, FieldDelta, Graph, Leftovers, Why, delta};
use crate::lockout::{Ruling, WayIn};
use crate::model::{HostName, Phase, ResourceId};
use crate::resource::{Provision, Resource, Seen};

/// What will happen to one resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Act {
    /// Nothing.
    Same,
    /// It will be made.
    Create {
        /// What it will have.
        fields: Vec<FieldDelta>,
    },
    /// It will be changed.
    Change {
        /// What differs.
        fields: Vec<FieldDelta>,
    },
    /// It will be removed.
    Remove,
    /// It is as it should be but must react to a change: a restart.
    React {
        /// What it will do.
        reaction: &'static str,
        /// The resource whose change causes it.
        because: ResourceId,
    },
    /// A check that will be made once the changes before it are.
    CheckLater,
    /// A check that does not hold.
    Finding {
        /// What differs.
        fields: Vec<FieldDelta>,
    },
    /// Nobody can say.
    Unknown {
        /// Why.
        why: String,
    },
}

/// One resource's line in the plan.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// Its number in the graph.
    #[serde(skip)]
    pub item: usize,
    /// Its identity.
    pub id: ResourceId,
    /// The phase.
    pub phase: Phase,
    /// Where it is declared, as `file:line`.
    pub place: String,
    /// What will happen.
    #[serde(flatten)]
    pub act: Act,
    /// The change before it after which it is measured again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ResourceId>,
    /// Why the change cannot be taken back, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permanent: Option<&'static str>,
    /// The requirements it serves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<String>,
}

/// One host in the plan.
#[derive(Clone, Debug, Serialize)]
pub struct HostOutlook {
    /// The host.
    pub host: HostName,
    /// Why nothing could be asked of it, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// Its resources in order.
    pub resources: Vec<Planned>,
    /// What becomes of the way into it, if the plan touches that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_in: Option<WayIn>,
    /// What rempart made there and nobody declares any more.
    #[serde(flatten)]
    pub left: Leftovers,
}

/// The plan of a fleet as a value.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// Its hosts.
    pub hosts: Vec<HostOutlook>,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// To be made.
    pub add: usize,
    /// To be changed, restarts included.
    pub change: usize,
    /// To be removed.
    pub remove: usize,
    /// As they should be.
    pub same: usize,
    /// Checks to be made later.
    pub check: usize,
    /// Checks that do not hold.
    pub findings: usize,
    /// Nobody can say; all that is declared on a host that could not be asked is among them.
    pub unknown: usize,
    /// Hosts that could not be asked.
    pub unreachable: usize,
    /// Hosts that the plan would lock us out of.
    pub locked_out: usize,
    /// What rempart made and nobody declares any more.
    pub orphans: usize,
}

impl Act {
    // The fields that differ, as a kind is told of them: none where all is new.
    fn names(&self) -> Vec<String> {
        match self {
            Act::Change { fields } => fields.iter().map(|field| field.field.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the host will be changed.
    pub fn changes(&self) -> bool {
        matches!(self, Act::Create { .. } | Act::Change { .. } | Act::Remove | Act::React { .. })
    }

    /// The word for it, as in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Same => "same",
            Act::Create { .. } => "create",
            Act::Change { .. } => "change",
            Act::Remove => "remove",
            Act::React { .. } => "react",
            Act::CheckLater => "check_later",
            Act::Finding { .. } => "finding",
            Act::Unknown { .. } => "unknown",
        }
    }

    /// The fields that differ.
    pub fn fields(&self) -> &[FieldDelta] {
        match self {
            Act::Create { fields } | Act::Change { fields } | Act::Finding { fields } => fields,
            _ => &[],
        }
    }
}

impl Outlook {
    /// Holds back changes of a kind on a host, and says why.
    pub fn hold(&mut self, host: &HostName, kind: &str, why: &str) {
        let of_host = self.hosts.iter_mut().filter(|known| known.host == *host).flat_map(|known| &mut known.resources);
        for planned in of_host.filter(|planned| planned.id.kind == kind && planned.act.changes()) {
            planned.act = Act::Unknown { why: why.to_owned() };
        }
    }

    /// Joins in what is left over, on hosts of it or others.
    pub fn add_leftovers(&mut self, left: BTreeMap<HostName, Leftovers>) {
        for (host, left) in left.into_iter().filter(|(_, left)| !left.is_empty()) {
            match self.hosts.iter_mut().find(|known| known.host == host) {
                Some(known) => known.left = left,
                None => {
                    let resources = Vec::new();
                    self.hosts.push(HostOutlook { host, unreachable: None, resources, way_in: None, left });
                }
            }
        }
    }

    /// Adds what becomes of the ways into its hosts.
    pub fn put_ways(&mut self, mut ways: BTreeMap<HostName, WayIn>) {
        self.hosts.iter_mut().for_each(|host| host.way_in = ways.remove(&host.host));
    }

    /// The ways in that the plan would close, by host.
    pub fn closed_ways(&self) -> impl Iterator<Item = (&HostName, &WayIn)> {
        let closed = |host: &'_ HostOutlook| host.way_in.as_ref().is_some_and(|way| way.ruling() == Ruling::Closed);
        self.hosts.iter().filter(move |host| closed(host)).filter_map(|host| Some((&host.host, host.way_in.as_ref()?)))
    }

    /// The hosts that could not be asked. All that is declared there is unknown.
    pub fn not_reached(&self) -> impl Iterator<Item = &HostOutlook> {
        self.hosts.iter().filter(|host| host.unreachable.is_some())
    }

    /// How many resources nobody can judge although their host was asked.
    pub fn not_judged(&self) -> usize {
        let asked = self.hosts.iter().filter(|host| host.unreachable.is_none());
        asked.flat_map(|host| &host.resources).filter(|planned| matches!(planned.act, Act::Unknown { .. })).count()
    }

    /// How many of each, over the fleet.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for host in &self.hosts {
            totals.unreachable += usize::from(host.unreachable.is_some());
            totals.locked_out += usize::from(host.way_in.as_ref().is_some_and(|way| way.ruling() == Ruling::Closed));
            totals.orphans += host.left.orphans.len();
            for planned in &host.resources {
                let count = match planned.act {
                    Act::Same => &mut totals.same,
                    Act::Create { .. } => &mut totals.add,
                    Act::Change { .. } | Act::React { .. } => &mut totals.change,
                    Act::Remove => &mut totals.remove,
                    Act::CheckLater => &mut totals.check,
                    Act::Finding { .. } => &mut totals.findings,
                    Act::Unknown { .. } => &mut totals.unknown,
                };
                *count += 1;
            }
        }
        totals
    }
}

/// Why nothing is known of a resource on a host that could not be asked; what kept it from answering, the host says.
pub const NOT_REACHED: &str = "its host was not reached";

/// Why what was not selected holds up what needs it.
pub const NOT_SELECTED: &str =
    "it is not as declared, and not a part of this run; what needs it waits for a run with both";

/// What happens to a condition of the user's when something changes that it may be about.
pub const ASKED_AGAIN: &str = "ask again whether it must run";

/// When checks are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// As things stand now: nothing will be changed.
    Now,
    /// Once the changes of the plan are made: a check of what will be changed says nothing yet.
    AfterChanges,
}

/// Tells why a change of a resource, from what was seen of it and with the fields that differ, could not be taken back.
pub type Permanent<'a> = dyn Fn(&dyn Resource, &Seen, &[String]) -> Option<&'static str> + 'a;

/// Joins the graph with what was seen. An item without an answer is on a host that could not be asked.
///
/// `is_check` tells which kinds only look; `unreachable` names the hosts that could not be asked, and why; `permanent`
/// tells why a change of these fields could not be taken back.
pub fn outlook(
    graph: &Graph,
    seen: &HashMap<usize, Seen>,
    unreachable: &HashMap<HostName, String>,
    is_check: &dyn Fn(&str) -> bool,
    permanent: &Permanent<'_>,
    judge: Judge,
) -> Outlook {
    let mut acts: HashMap<usize, Act> = HashMap::new();
    let mut afters: HashMap<usize, ResourceId> = HashMap::new();
    for number in &graph.order {
        let item = &graph.items[*number];
        let Some(answer) = seen.get(number) else {
            // What is without an answer must not vanish; why its host gave none is told of the host, once.
            let lost = unreachable.contains_key(&item.host);
            let why = if lost { NOT_REACHED.to_owned() } else { item.unseen() };
            acts.insert(*number, Act::Unknown { why });
            continue;
        };
        let changing = |on: usize| acts.get(&on).is_some_and(Act::changes);
        let asks_again = judge == Judge::AfterChanges && item.resource.asks_again();
        let after = graph
            .dependencies(*number)
            .iter()
            .find(|dependency| (asks_again || !matches!(dependency.why, Why::Needs(_))) && changing(dependency.on));
        let desired = item.resource.desired();
        let act = match delta(&desired, answer) {
            _ if is_check(item.resource.kind()) => {
                // What is changed before it may be what it looks at, on its own host and on those it needs.
                let pending = judge == Judge::AfterChanges
                    && (acts.iter().any(|(other, act)| act.changes() && graph.items[*other].host == item.host)
                        || graph.upstream(*number).into_iter().any(changing));
                match delta(&desired, answer) {
                    _ if pending => Act::CheckLater,
                    Delta::Same => Act::Same,
                    Delta::Unknown(why) => Act::Unknown { why },
                    Delta::Create(fields) | Delta::Change(fields) => Act::Finding { fields },
                    Delta::Remove | Delta::NotYet => Act::Finding { fields: Vec::new() },
                }
            }
            Delta::Same => Act::Same,
            Delta::Create(fields) => Act::Create { fields },
            Delta::Change(fields) => Act::Change { fields },
            Delta::Remove => Act::Remove,
            Delta::Unknown(why) => Act::Unknown { why },
            Delta::NotYet => match answer {
                Seen::NotYet { missing, brought_by } => match bringer(graph, *number, brought_by, &changing) {
                    Some(bringer) => {
                        afters.insert(*number, graph.items[bringer].id());
                        Act::Create { fields: all_new(&desired) }
                    }
                    None => Act::Unknown { why: format!("{missing}, and nothing in this plan brings it") },
                },
                _ => Act::Unknown { why: "it was not measured".into() },
            },
        };
        let reaction = item.resource.reaction().or(asks_again.then_some(ASKED_AGAIN));
        let act = match (&act, reaction, after) {
            _ if graph.is_witness(*number) && act.changes() => Act::Unknown { why: NOT_SELECTED.into() },
            (Act::Same, ..) if graph.is_witness(*number) => Act::Same,
            (Act::Same, Some(reaction), Some(dependency)) => {
                Act::React { reaction, because: graph.items[dependency.on].id() }
            }
            _ => act,
        };
        if act.changes()
            && let Some(dependency) = after
        {
            afters.entry(*number).or_insert_with(|| graph.items[dependency.on].id());
        }
        acts.insert(*number, act);
    }
    let mut hosts: Vec<HostOutlook> = graph
        .by_host()
        .into_iter()
        .map(|(host, numbers)| HostOutlook {
            unreachable: unreachable.get(&host).cloned(),
            resources: numbers
                .into_iter()
                .filter_map(|number| {
                    let item = &graph.items[number];
                    let act = acts.remove(&number)?;
                    let names = act.names();
                    let why = |seen: &Seen| permanent(item.resource.as_ref(), seen, &names);
                    let reacts = matches!(act, Act::React { .. }) && !item.resource.asks_again();
                    let is_made = judge == Judge::AfterChanges && act.changes() && !reacts;
                    Some(Planned {
                        item: number,
                        id: item.id(),
                        phase: item.phase,
                        place: match item.place.line() {
                            0 => item.place.path().to_owned(),
                            line => format!("{}:{line}", item.place.path()),
                        },
                        act,
                        after: afters.remove(&number),
                        permanent: seen.get(&number).filter(|_| is_made).and_then(why),
                        controls: item.controls.clone(),
                    })
                })
                .collect(),
            host,
            way_in: None,
            left: Leftovers::default(),
        })
        .collect();
    // A host without a resource here that was asked all the same, for its facts or for a look from it.
    let known: BTreeSet<HostName> = hosts.iter().map(|host| host.host.clone()).collect();
    let mut others: Vec<(&HostName, &String)> = unreachable.iter().filter(|(host, _)| !known.contains(*host)).collect();
    others.sort();
    hosts.extend(others.into_iter().map(|(host, why)| HostOutlook {
        host: host.clone(),
        unreachable: Some(why.clone()),
        resources: Vec::new(),
        way_in: None,
        left: Leftovers::default(),
    }));
    Outlook { hosts }
}

// What brings a missing tool: a change upstream, or one on the same host that provides what is asked for.
fn bringer(graph: &Graph, number: usize, brought_by: &[Provision], changing: &dyn Fn(usize) -> bool) -> Option<usize> {
    let item = &graph.items[number];
    let provides = |on: usize| {
        let other = &graph.items[on];
        other.host == item.host
            && (other.resource.provides().iter().any(|provision| brought_by.contains(provision))
                || brought_by.contains(&Provision::Kind(other.resource.kind())))
    };
    graph
        .order
        .iter()
        .copied()
        .take_while(|on| *on != number)
        .find(|on| changing(*on) && provides(*on))
        .or_else(|| graph.upstream(number).into_iter().find(|on| changing(*on)))
}
