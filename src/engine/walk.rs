//! Owns the walk of one host: batch by batch in order, measured after each; it waits for other hosts only where an
//! edge, a gate or a rolling batch says so.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::apply::{Gate, Run};
use super::batch::{Batch, BatchStep};
use super::deliver::{Delivered, Guarded, RunEnd, close, deliver, go_on};
use super::follow::StepEnd;
use super::probe::{is_check, probe};
use super::segment::{next_segment, touches, touches_others};
use super::{Event, Links, Observer, Outcome};
use crate::kinds;
use crate::model::{HostName, Phase};
use crate::plan::{Act, Delta, Made, NOT_SELECTED, delta};
use crate::resource::{ErasedChange, Resource, Seen, Step};

/// One host on its way through its resources.
pub(super) struct Walk {
    pub run: Arc<Run>,
    pub host: HostName,
    pub pending: Vec<usize>,
    pub seen: HashMap<usize, Seen>,
    pub batches: usize,
    /// What must be measured again, because something before it was changed.
    pub dirty: HashSet<usize>,
    /// The host that was last told to be waited for.
    pub waits_for: Option<HostName>,
    /// Whether the plan told of an earlier run that nobody saw the end of.
    pub told: bool,
    /// Whether the plan told of a change that the host took back by itself.
    pub healed: bool,
    /// Whether a batch was lost sight of, so that a step of it may be half done.
    pub lost: bool,
    /// When the host last heard of its run, once it has.
    pub heard: Option<Instant>,
}

/// How often a host that waits for others hears that its run goes on, so that nobody else takes the lease.
const HEARTBEAT: Duration = Duration::from_secs(60);

impl Walk {
    pub async fn go(mut self) {
        let mut changed = self.told || self.healed;
        while let Some(first) = self.pending.first().copied() {
            if let Some(because) = self.blocked(first) {
                self.take(first, Outcome::Skipped { because });
                continue;
            }
            if self.run.course.stop.is_asked() {
                self.take(first, Outcome::Skipped { because: "the user stopped the run".into() });
                continue;
            }
            if self.wait_for_others(first).await {
                continue;
            }
            let segment = self.segment();
            let dirty: Vec<usize> = segment.iter().copied().filter(|item| self.dirty.contains(item)).collect();
            let run = self.run.clone();
            let Ok(place) = run.places.acquire().await else { break };
            if is_check(self.run.graph.items[first].resource.kind()) {
                self.check(&segment).await;
            } else {
                if !dirty.is_empty() {
                    self.measure(&dirty).await;
                }
                changed |= self.change(&segment).await;
            }
            drop(place);
        }
        if changed {
            self.close().await;
        }
        (self.run.course.observer)(Event::HostDone(self.host));
    }

    fn take(&mut self, item: usize, outcome: Outcome) {
        self.pending.retain(|pending| *pending != item);
        self.run.settle(item, outcome);
    }

    // Why a resource cannot be tried: something that it depends on is not good.
    fn blocked(&self, item: usize) -> Option<String> {
        let graph = &self.run.graph;
        graph.dependencies(item).iter().find_map(|dependency| {
            let outcome = self.run.outcome(dependency.on)?;
            let on = &graph.items[dependency.on];
            let what = match outcome {
                _ if outcome.is_good() => return None,
                Outcome::Skipped { .. } => "was skipped",
                Outcome::Unknown { .. } => "could not be judged",
                _ => "failed",
            };
            Some(if on.host == self.host {
                format!("{} {what}", on.id())
            } else {
                format!("{} on {} {what}", on.id(), on.host)
            })
        })
    }

    // Whether something was waited for (or settled), so that the look at the next resource must begin anew.
    async fn wait_for_others(&mut self, item: usize) -> bool {
        // Registered before looking, so that nothing settles unheard in between.
        let run = self.run.clone();
        let settled = run.settled.notified();
        tokio::pin!(settled);
        settled.as_mut().enable();
        let other = self
            .run
            .graph
            .dependencies(item)
            .iter()
            .map(|dependency| dependency.on)
            .find(|on| self.run.graph.items[*on].host != self.host && self.run.outcome(*on).is_none());
        let on = match other {
            Some(on) => self.run.graph.items[on].host.clone(),
            None => match self.gates(item) {
                Gate::Open => return false,
                Gate::Closed(because) => {
                    self.take(item, Outcome::Skipped { because });
                    return true;
                }
                Gate::Wait(on) => on,
            },
        };
        if self.waits_for.as_ref() != Some(&on) {
            (self.run.course.observer)(Event::Waiting(self.host.clone(), on.clone()));
            self.waits_for = Some(on);
        }
        if self.heard.is_some_and(|heard| heard.elapsed() > HEARTBEAT) {
            self.heard = Some(Instant::now());
            let (course, host, run) = (self.run.course.clone(), self.host.clone(), self.run.number.clone());
            let _ = tokio::task::spawn_blocking(move || go_on(&course, &host, &run)).await;
        }
        // Woken every so often, so that a stop of the user is seen.
        let _ = tokio::time::timeout(Duration::from_secs(1), settled).await;
        true
    }

    fn gates(&self, item: usize) -> Gate {
        match self.run.turn(item) {
            Gate::Open if self.run.graph.items[item].phase == Phase::Production => match self.run.gate(&self.host) {
                Gate::Closed(because) => Gate::Closed(format!("production is closed: {because}")),
                other => other,
            },
            other => other,
        }
    }

    fn segment(&self) -> Vec<usize> {
        let graph = &self.run.graph;
        next_segment(
            graph,
            &self.host,
            &self.pending,
            &|item| self.run.outcome(item).is_some(),
            &|item| self.run.approved.get(&item).is_some_and(Act::changes),
            &|item| self.run.approved.get(&item).is_some_and(Act::changes) && graph.items[item].resource.is_risky(),
            &|item| self.asked_again(item),
        )
    }

    // Whether what was seen of it before the plan's changes says nothing about it after them: a condition of the user's, or
    // something that could not be there yet, such as the keys of an account that is made in the same plan.
    fn asked_again(&self, item: usize) -> bool {
        let not_yet = matches!(self.seen.get(&item), Some(Seen::NotYet { .. }));
        let again = not_yet || self.run.graph.items[item].resource.asks_again();
        again && self.run.approved.get(&item).is_some_and(Act::changes)
    }

    async fn measure(&mut self, items: &[usize]) {
        let run = &self.run;
        let links: Arc<dyn Links> = run.course.links.clone();
        let quiet: Arc<Observer> = Arc::new(|_| {});
        let mut probed = probe(run.graph.clone(), items.to_vec(), links, run.options.forks, quiet).await;
        for item in items {
            let seen = probed.seen.remove(item).unwrap_or_else(|| {
                let why = probed.unreachable.get(&self.host).map_or("no answer".to_owned(), ToString::to_string);
                Seen::Unknown(why)
            });
            self.seen.insert(*item, seen);
            self.dirty.remove(item);
        }
    }

    async fn check(&mut self, segment: &[usize]) {
        let began = tokio::time::Instant::now();
        let patience = Duration::from_secs(self.run.options.patience);
        let mut open: Vec<usize> = segment.to_vec();
        loop {
            self.measure(&open).await;
            let mut still = Vec::new();
            for item in open {
                match self.verdict(item) {
                    Outcome::Passed => self.take(item, Outcome::Passed),
                    bad if began.elapsed() >= patience || self.run.course.stop.is_asked() => self.take(item, bad),
                    _ => still.push(item),
                }
            }
            if still.is_empty() {
                return;
            }
            open = still;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn verdict(&self, item: usize) -> Outcome {
        match self.delta(item) {
            Delta::Same => Outcome::Passed,
            Delta::Unknown(why) => Outcome::Unknown { why },
            Delta::Create(fields) | Delta::Change(fields) => {
                Outcome::Failed { why: "the check does not hold".into(), output: super::words_of(&fields) }
            }
            Delta::Remove | Delta::NotYet => {
                Outcome::Failed { why: "the check does not hold".into(), output: Vec::new() }
            }
        }
    }

    fn delta(&self, item: usize) -> Delta {
        match self.seen.get(&item) {
            Some(seen) => delta(&self.run.graph.items[item].resource.desired(), seen),
            None => Delta::Unknown(self.run.graph.items[item].unseen()),
        }
    }

    /// Works off one segment; says whether the host was changed.
    async fn change(&mut self, segment: &[usize]) -> bool {
        let mut work = Vec::new();
        for item in segment.iter().copied() {
            // What was found out just now of something before it in the same segment counts, too.
            if let Some(because) = self.blocked(item) {
                self.take(item, Outcome::Skipped { because });
                continue;
            }
            let approved = self.run.approved.get(&item);
            match self.delta(item) {
                Delta::Same => self.take(item, Outcome::Same),
                Delta::Unknown(why) => self.take(item, Outcome::Unknown { why }),
                Delta::NotYet => {
                    let why = match self.seen.get(&item) {
                        Some(Seen::NotYet { missing, .. }) => missing.clone(),
                        _ => "it cannot be there yet".into(),
                    };
                    self.take(item, Outcome::Failed { why, output: Vec::new() });
                }
                _ if self.run.graph.is_witness(item) => {
                    self.take(item, Outcome::Skipped { because: NOT_SELECTED.into() });
                }
                // The plan knew that it differs, and why nothing would be done about it.
                _ if matches!(approved, Some(Act::Unknown { .. })) => {
                    if let Some(Act::Unknown { why }) = approved {
                        let outcome = Outcome::Unknown { why: why.clone() };
                        self.take(item, outcome);
                    }
                }
                _ if !approved.is_some_and(Act::changes) => {
                    let why = "it differs now, which the approved plan did not show; plan again".to_owned();
                    self.take(item, Outcome::Failed { why, output: Vec::new() });
                }
                Delta::Change(fields) => {
                    work.push((item, fields.into_iter().map(|field| field.field).collect::<Vec<_>>()));
                }
                Delta::Create(_) | Delta::Remove => work.push((item, Vec::new())),
            }
        }
        if work.is_empty() {
            return false;
        }
        let (batch, owners) = self.batch(&work);
        for (item, _) in &work {
            if !owners.iter().flatten().any(|owner| owner == item) {
                let why = "its kind has no step for this difference; this is a bug in rempart".to_owned();
                self.take(*item, Outcome::Failed { why, output: Vec::new() });
            }
        }
        if batch.steps.is_empty() {
            return false;
        }
        self.batches += 1;
        let titles: Vec<String> = batch.steps.iter().map(|step| step.step.title.clone()).collect();
        let end = self.execute(batch).await;
        self.lost |= end.lost;
        self.heard = Some(Instant::now());
        let mut ran: Vec<(usize, Vec<String>)> = Vec::new();
        for (item, _) in &work {
            let steps: Vec<usize> = (0..owners.len()).filter(|step| owners[*step].contains(item)).collect();
            if steps.is_empty() {
                continue;
            }
            let bad = steps.iter().find_map(|step| match &end.steps[*step] {
                StepEnd::Done => None,
                StepEnd::Failed { why, output } => {
                    Some(Outcome::Failed { why: format!("{}: {why}", titles[*step]), output: output.clone() })
                }
                StepEnd::NotRun(because) => Some(Outcome::Skipped { because: because.clone() }),
            });
            match (bad, &end.guard) {
                (_, Guarded::TakenBack(why)) => self.take(*item, Outcome::Healed { why: why.clone() }),
                (_, Guarded::NobodyKnows(why)) => self.take(*item, Outcome::Unknown { why: why.clone() }),
                (Some(Outcome::Skipped { because }), _) if end.lost => {
                    self.take(*item, Outcome::Failed { why: because, output: Vec::new() });
                }
                (Some(bad), _) => self.take(*item, bad),
                (None, _) => ran.push((*item, steps.iter().map(|step| titles[*step].clone()).collect())),
            }
        }
        if let Some(because) = &end.busy {
            for item in self.pending.clone() {
                self.take(item, Outcome::Skipped { because: because.clone() });
            }
        }
        let stays = match end.guard {
            Guarded::Fine => None,
            Guarded::TakenBack(_) | Guarded::NobodyKnows(_) => Some("a risky change on this host was not confirmed"),
            Guarded::Waits => Some("a checkpoint on this host waits for `rempart commit` or `rempart rollback`"),
        };
        let waits = matches!(end.guard, Guarded::Waits);
        if let Some(because) = stays {
            for item in self.pending.clone().into_iter().filter(|item| !ran.iter().any(|(done, _)| done == item)) {
                self.take(item, Outcome::Skipped { because: because.into() });
            }
        }
        self.verify(ran).await;
        if waits {
            self.run.wait_for_person(&self.host);
        }
        true
    }

    // Measures what was changed, and in the same script what must be measured again before its own steps.
    async fn verify(&mut self, ran: Vec<(usize, Vec<String>)>) {
        let graph = self.run.graph.clone();
        let wide = ran.iter().any(|(done, _)| touches_others(graph.items[*done].resource.kind()));
        for item in &self.pending {
            // ufw sets sysctls, packages bring configuration files: what was read before them may not hold any more.
            let changes = self.run.approved.get(item).is_some_and(Act::changes);
            let touched = graph.dependencies(*item).iter().any(|dependency| {
                ran.iter().any(|(done, _)| *done == dependency.on)
                    && (self.asked_again(*item) || touches(&graph, *item, dependency.on, &dependency.why))
            });
            let same_kind =
                ran.iter().any(|(done, _)| graph.items[*done].resource.kind() == graph.items[*item].resource.kind());
            let not_yet = matches!(self.seen.get(item), Some(Seen::NotYet { .. }));
            if !ran.is_empty() && (touched || same_kind || not_yet || (wide && changes)) {
                self.dirty.insert(*item);
            }
        }
        if ran.is_empty() {
            return;
        }
        let mut again: Vec<usize> = ran.iter().map(|(item, _)| *item).collect();
        let ready = |item: &usize| {
            graph
                .dependencies(*item)
                .iter()
                .all(|dependency| again.contains(&dependency.on) || self.run.outcome(dependency.on).is_some())
        };
        let next: Vec<usize> = self
            .pending
            .iter()
            .copied()
            .filter(|item| !again.contains(item) && self.dirty.contains(item) && ready(item))
            .filter(|item| !is_check(graph.items[*item].resource.kind()))
            .collect();
        again.extend(next);
        self.measure(&again).await;
        for (item, steps) in ran {
            let outcome = match self.delta(item) {
                Delta::Same => Outcome::Changed { steps },
                Delta::Unknown(why) => Outcome::Unknown { why: format!("its steps ran, but afterwards: {why}") },
                Delta::Create(fields) | Delta::Change(fields) => Outcome::Failed {
                    why: "its steps ran, but it is still not as it should be".into(),
                    output: super::words_of(&fields),
                },
                Delta::Remove => {
                    Outcome::Failed { why: "its steps ran, but it is still there".into(), output: Vec::new() }
                }
                Delta::NotYet => {
                    Outcome::Failed { why: "its steps ran, but it is not there".into(), output: Vec::new() }
                }
            };
            self.take(item, outcome);
        }
    }

    // The steps of the work, kind by kind in order, each with the items that it serves.
    fn batch(&self, work: &[(usize, Vec<String>)]) -> (Batch, Vec<Vec<usize>>) {
        let graph = &self.run.graph;
        let mut steps: Vec<BatchStep> = Vec::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for run_of_kind in work.chunk_by(|a, b| graph.items[a.0].resource.kind() == graph.items[b.0].resource.kind()) {
            let Some(entry) = run_of_kind.first().and_then(|(item, _)| kinds::find(graph.items[*item].resource.kind()))
            else {
                continue;
            };
            let changes: Vec<ErasedChange<'_>> = run_of_kind
                .iter()
                .filter_map(|(item, fields)| {
                    let resource: &dyn Resource = graph.items[*item].resource.as_ref();
                    Some((resource, self.seen.get(item)?, fields.as_slice()))
                })
                .collect();
            let made: Vec<Step> = (entry.steps)(&changes);
            for step in made {
                let serves: Vec<usize> = step
                    .serves
                    .iter()
                    .filter_map(|position| run_of_kind.get(*position))
                    .map(|(item, _)| *item)
                    .collect();
                // A step waits for the earlier steps of its own items, and of those that its items depend on.
                let requires = owners
                    .iter()
                    .enumerate()
                    .filter(|(_, earlier)| {
                        earlier.iter().any(|other| {
                            serves.contains(other)
                                || serves.iter().any(|item| graph.dependencies(*item).iter().any(|d| d.on == *other))
                        })
                    })
                    .map(|(at, _)| at)
                    .collect();
                let ids = serves.iter().map(|item| graph.items[*item].id()).collect();
                steps.push(BatchStep { step, requires, ids, makes: Vec::new(), removes: Vec::new() });
                owners.push(serves);
            }
        }
        for (item, _) in work {
            self.note_ownership(*item, &owners, &mut steps);
        }
        let batch = Batch {
            run: self.run.number.clone(),
            host: self.host.clone(),
            origin: self.run.options.origin.clone(),
            over: self.run.options.over.clone(),
            number: self.batches + 1,
            steps,
            confirm_within: self.run.options.confirm_within,
            checkpoint: self.run.options.checkpoint,
            way: self.run.course.links.entry(&self.host).map(|entry| entry.way),
            orphan_after: self.run.options.orphan_after,
            older_secrets: self.run.options.older_secrets,
        };
        (batch, owners)
    }

    // What is made is remembered with the first of its steps; what is removed is forgotten with the last.
    fn note_ownership(&self, item: usize, owners: &[Vec<usize>], steps: &mut [BatchStep]) {
        let known = &self.run.graph.items[item];
        let id = known.id();
        // What cannot be removed again by its key alone is nothing to remember, nor what does not fit a line.
        let removable = kinds::find(id.kind).is_some_and(|entry| (entry.named)(&id.key).is_some());
        if !removable || id.key.contains(char::is_control) {
            return;
        }
        let mut own = (0..owners.len()).filter(|step| owners[*step].contains(&item));
        let parts = kinds::parts(id.kind, &id.key);
        match (self.delta(item), own.next()) {
            (Delta::Create(_), Some(first)) => steps[first].makes.extend(parts.into_iter().map(|id| Made {
                id,
                playbook: known.playbook.clone(),
                site: self.run.options.site.clone(),
                run: self.run.number.clone(),
            })),
            (Delta::Remove, Some(first)) => steps[own.next_back().unwrap_or(first)].removes.extend(parts),
            _ => {}
        }
    }

    async fn execute(&self, batch: Batch) -> Delivered {
        let (course, host) = (self.run.course.clone(), self.host.clone());
        let batch = Arc::new(batch);
        let done = tokio::task::spawn_blocking({
            let batch = batch.clone();
            move || deliver(&course, &host, &batch)
        });
        done.await.unwrap_or_else(|_| Delivered::nothing(&batch, "the work on its host died; this is a bug in rempart"))
    }

    async fn close(&self) {
        let (course, host, run) = (self.run.course.clone(), self.host.clone(), self.run.number.clone());
        let mine = self.run.graph.items.iter().enumerate().filter(|(_, item)| item.host == self.host);
        let well = mine.map(|(item, _)| self.run.outcome(item)).all(|outcome| outcome.is_some_and(|end| end.is_good()));
        let end = match (self.lost, self.healed && well) {
            (true, _) => RunEnd::Lost,
            (false, past_is_settled) => RunEnd::Seen { past_is_settled },
        };
        let _ = tokio::task::spawn_blocking(move || close(&course, &host, &run, end)).await;
    }
}
