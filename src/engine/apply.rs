//! Owns applying a plan to the fleet: one walk per host, what the walks share, and the gates between them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::deliver::Course;
use super::walk::Walk;
use super::{Event, Links, Observer, Origin, Outcome, RunReport, Stop, WriteLinks};
use crate::history::Journal;
use crate::model::{HostName, Phase};
use crate::plan::{Act, Graph, Rollout};
use crate::resource::Seen;

/// How a run goes about it.
#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// The run's number, see [`super::new_run`].
    pub run: String,
    /// How many hosts are worked on at once.
    pub forks: usize,
    /// How long the guard waits for a confirmation, in seconds.
    pub confirm_within: u64,
    /// After how many seconds without its controller a host stops before its next step.
    pub orphan_after: u64,
    /// How long a check may take to come true after the changes before it, in seconds.
    pub patience: u64,
    /// Whether a risky change waits for a person's `commit` in the place of a fresh connection.
    pub checkpoint: bool,
    /// Whether secrets of an older version of the store than a host was given are meant.
    pub older_secrets: bool,
    /// The site that is applied; empty for none.
    pub site: String,
    /// Who began the run, and why.
    pub origin: Origin,
    /// Runs of this controller that are over: what they seem to hold is free.
    pub over: Vec<String>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            run: super::new_run(),
            forks: 50,
            confirm_within: 45,
            orphan_after: 60,
            patience: 15,
            checkpoint: false,
            older_secrets: false,
            site: String::new(),
            origin: Origin::default(),
            over: Vec::new(),
        }
    }
}

/// What was approved: the graph, what was seen of it, what the plan showed, and the hosts that gave no answer.
#[derive(Debug)]
pub struct Approved {
    /// The graph.
    pub graph: Arc<Graph>,
    /// What the plan was made from.
    pub seen: HashMap<usize, Seen>,
    /// What the plan showed.
    pub acts: HashMap<usize, Act>,
    /// Hosts that could not be asked, and why.
    pub unreachable: BTreeMap<HostName, String>,
    /// The playbooks that go in rolling batches.
    pub rollouts: Vec<Rollout>,
    /// Hosts of which the plan told that nobody saw the end of a run: with this one, that is settled.
    pub told: BTreeSet<HostName>,
    /// Hosts of which the plan told that they took a change back by themselves: where this run ends well, that is past.
    pub healed: BTreeSet<HostName>,
}

/// What all hosts of a run share.
pub(super) struct Run {
    pub number: String,
    pub graph: Arc<Graph>,
    pub options: ApplyOptions,
    pub course: Course,
    pub approved: HashMap<usize, Act>,
    pub rollouts: Vec<Rollout>,
    pub outcomes: Mutex<HashMap<usize, Outcome>>,
    pub settled: Notify,
    pub places: Semaphore,
    pub checkpoints: Mutex<BTreeSet<HostName>>,
}

/// Brings the fleet to what was approved.
///
/// A resource that differs in a way that was not shown is not touched: what was approved is what is applied.
pub async fn apply(
    approved: Approved,
    links: Arc<WriteLinks>,
    options: ApplyOptions,
    observer: Arc<Observer>,
    stop: Arc<Stop>,
    journal: Arc<Journal>,
) -> RunReport {
    let Approved { graph, seen, acts, unreachable, rollouts, told, healed } = approved;
    let run = Arc::new(Run {
        number: options.run.clone(),
        places: Semaphore::new(options.forks.max(1)),
        approved: acts,
        rollouts,
        outcomes: Mutex::new(HashMap::new()),
        settled: Notify::new(),
        graph,
        options,
        course: Course { links, observer, stop, journal },
        checkpoints: Mutex::new(BTreeSet::new()),
    });
    let mut walks = JoinSet::new();
    for (host, items) in run.graph.by_host() {
        if let Some(why) = unreachable.get(&host) {
            for item in items {
                run.settle(item, Outcome::Skipped { because: format!("{host} could not be reached: {why}") });
            }
            continue;
        }
        let mine: HashMap<usize, Seen> =
            items.iter().filter_map(|item| Some((*item, seen.get(item)?.clone()))).collect();
        let (run, noted, healed) = (run.clone(), told.contains(&host), healed.contains(&host));
        walks.spawn(async move {
            let (run_of_walk, all) = (run.clone(), items.clone());
            let walk = Walk {
                run: run_of_walk,
                host,
                pending: items,
                seen: mine,
                batches: 0,
                dirty: HashSet::new(),
                waits_for: None,
                lost: false,
                heard: None,
                told: noted,
                healed,
            };
            // Other hosts wait for these outcomes, so a walk that dies must not leave any of them open.
            if tokio::spawn(walk.go()).await.is_err() {
                for item in all.into_iter().filter(|item| run.outcome(*item).is_none()) {
                    let why = "the work on its host died; this is a bug in rempart".to_owned();
                    run.settle(item, Outcome::Failed { why, output: Vec::new() });
                }
            }
        });
    }
    while walks.join_next().await.is_some() {}
    let outcomes = run.outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let window = run.options.confirm_within;
    let mut report = RunReport { run: run.number.clone(), unreachable, window, ..RunReport::default() };
    report.interrupted = run.course.stop.is_asked();
    report.checkpoints = run.checkpoints.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    for (host, items) in run.graph.by_host() {
        if let Some(entry) = run.course.links.entry(&host).filter(|entry| !entry.passed.is_empty()) {
            report.entries.insert(host.clone(), entry);
        }
        let lost = || Outcome::Failed {
            why: "the work on its host died; this is a bug in rempart".into(),
            output: Vec::new(),
        };
        let ends = items
            .into_iter()
            .map(|item| (run.graph.items[item].id(), outcomes.get(&item).cloned().unwrap_or_else(lost)))
            .collect();
        report.hosts.insert(host, ends);
    }
    report
}

impl Run {
    pub fn outcome(&self, item: usize) -> Option<Outcome> {
        self.outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&item).cloned()
    }

    pub fn settle(&self, item: usize, outcome: Outcome) {
        let known = &self.graph.items[item];
        (self.course.observer)(Event::Settled { host: known.host.clone(), id: known.id(), outcome: outcome.clone() });
        self.outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(item, outcome);
        self.settled.notify_waiters();
    }

    pub fn wait_for_person(&self, host: &HostName) {
        self.checkpoints.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(host.clone());
    }

    // Rolling batches: a host's turn in a playbook comes when every earlier wave of it is done, and went well.
    pub fn turn(&self, number: usize) -> Gate {
        let item = &self.graph.items[number];
        let Some(rollout) = self.rollouts.iter().find(|rollout| rollout.playbook == item.playbook) else {
            return Gate::Open;
        };
        let Some(mine) = rollout.wave(&item.host) else { return Gate::Open };
        for (other, earlier) in self.graph.items.iter().enumerate() {
            if earlier.playbook != item.playbook || rollout.wave(&earlier.host).is_none_or(|wave| wave >= mine) {
                continue;
            }
            match self.outcome(other) {
                None => return Gate::Wait(earlier.host.clone()),
                Some(outcome) if !outcome.is_good() => {
                    return Gate::Closed(format!(
                        "an earlier rolling batch went wrong: {} on {}",
                        earlier.id(),
                        earlier.host
                    ));
                }
                Some(_) => {}
            }
        }
        Gate::Open
    }

    // The gate: a host enters production when its own tests, and those of the hosts it needs, passed in this run.
    pub fn gate(&self, host: &HostName) -> Gate {
        if self.graph.is_untested(host) {
            return Gate::Closed("its tests are not a part of this run".into());
        }
        let needed = self.graph.needed_hosts(host);
        for (number, item) in self.graph.items.iter().enumerate() {
            let own = item.host == *host && item.phase < Phase::Production;
            let others = item.phase == Phase::Tests && needed.contains(&item.host);
            if !own && !others {
                continue;
            }
            match self.outcome(number) {
                None => return Gate::Wait(item.host.clone()),
                Some(outcome) if !outcome.is_good() => {
                    return Gate::Closed(format!("{} on {} is not as it should be", item.id(), item.host));
                }
                Some(_) => {}
            }
        }
        Gate::Open
    }
}

/// Whether a host may go on with a resource.
pub(super) enum Gate {
    Open,
    Wait(HostName),
    Closed(String),
}
