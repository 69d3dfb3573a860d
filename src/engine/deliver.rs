//! Owns one batch from its intent to its end: written down first, delivered, followed, confirmed, written down again.

use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, heartbeat};
use super::follow::{BatchEnd, StepEnd, Told, run_batch};
use super::guard::{self, GuardEnd};
use super::reboot::Comeback;
use super::{Event, Observer, Stop, WriteLinks, memory};
use crate::history::{self, IntentEvent, Journal, ResultEvent, StepIntent, StepResult};
use crate::model::HostName;
use crate::transport::WriteScript;

const PATIENCE: Duration = Duration::from_secs(20);

/// What every batch of a run needs.
#[derive(Clone)]
pub(super) struct Course {
    pub links: Arc<WriteLinks>,
    pub observer: Arc<Observer>,
    pub stop: Arc<Stop>,
    pub journal: Arc<Journal>,
}

/// How a batch went.
pub(super) struct Delivered {
    pub steps: Vec<StepEnd>,
    /// Who holds the host, if another run does.
    pub busy: Option<String>,
    /// Whether it was lost sight of.
    pub lost: bool,
    pub guard: Guarded,
}

/// What became of the guard of a batch.
pub(super) enum Guarded {
    /// There was none, or a fresh connection confirmed the change.
    Fine,
    /// The host took the change back and said so; why nobody confirmed.
    TakenBack(String),
    /// The host could not be asked; that is no healing.
    NobodyKnows(String),
    /// A person is to confirm it.
    Waits,
}

impl Delivered {
    /// A batch that was not delivered, or whose follower died.
    pub fn nothing(batch: &Batch, why: &str) -> Self {
        let steps = vec![StepEnd::NotRun(why.to_owned()); batch.steps.len()];
        Self { steps, busy: None, lost: true, guard: Guarded::Fine }
    }
}

/// Sees a batch through. Blocks.
pub(super) fn deliver(course: &Course, host: &HostName, batch: &Batch) -> Delivered {
    let intent = IntentEvent {
        run: batch.run.clone(),
        host: host.clone(),
        batch: batch.number,
        steps: batch
            .steps
            .iter()
            .map(|step| StepIntent {
                ids: step.ids.iter().map(ToString::to_string).collect(),
                title: step.step.title.clone(),
                risky: step.step.risky,
            })
            .collect(),
    };
    if let Err(error) = course.journal.append(&history::Event::Intent(intent)) {
        return Delivered::nothing(
            batch,
            &format!("nothing was changed, because it could not be written down: {error}"),
        );
    }
    if batch.is_risky() && !batch.checkpoint {
        // For the confirmation and one more try: the window must not pass while we wait for our turn.
        course.links.make_room(host, 2);
    }
    let comeback = match Comeback::before(course, host, batch) {
        Ok(comeback) => comeback,
        Err(why) => return Delivered::nothing(batch, &why),
    };
    let mut end = run_batch(&course.links, host, batch, &course.stop, &mut |told| match told {
        Told::Armed => (course.observer)(Event::GuardArmed(host.clone(), batch.confirm_within)),
        Told::Began(at) => {
            if let Some((step, id)) = batch.steps.get(at).and_then(|step| Some((step, step.ids.first()?))) {
                (course.observer)(Event::StepBegan {
                    host: host.clone(),
                    id: id.clone(),
                    title: step.step.title.clone(),
                });
            }
        }
    });
    if let Some(comeback) = comeback {
        comeback.wait(course, host, batch, &mut end);
    }
    let guard = guard_end(course, host, batch, &end);
    // That it could not be written down stops the next batch, which writes its intent first.
    let _ = course.journal.append(&history::Event::Result(result(host, batch, &end, &guard)));
    Delivered { steps: end.steps, busy: end.busy, lost: end.lost.is_some(), guard }
}

fn result(host: &HostName, batch: &Batch, end: &BatchEnd, guard: &Guarded) -> ResultEvent {
    let steps = end.steps.iter().map(|step| match step {
        StepEnd::Done => StepResult::done(),
        StepEnd::Failed { why, .. } => StepResult::failed(why),
        StepEnd::NotRun(why) => StepResult::not_run(why),
    });
    let armed = batch.is_risky() && end.armed;
    ResultEvent {
        run: batch.run.clone(),
        host: host.clone(),
        batch: batch.number,
        steps: steps.collect(),
        armed,
        guard: armed.then_some(match guard {
            Guarded::Fine => history::GuardEnd::Confirmed,
            Guarded::TakenBack(_) => history::GuardEnd::Healed,
            Guarded::NobodyKnows(_) => history::GuardEnd::Unknown,
            Guarded::Waits => history::GuardEnd::Waiting,
        }),
        head: end.head.as_ref().map(|(hash, _)| hash.clone()),
        seq: end.head.as_ref().map(|(_, seq)| *seq),
    }
}

fn guard_end(course: &Course, host: &HostName, batch: &Batch, end: &BatchEnd) -> Guarded {
    if !batch.is_risky() || !end.armed {
        return Guarded::Fine;
    }
    if course.stop.is_urgent() && end.lost.is_some() && !end.fired {
        return Guarded::NobodyKnows(
            "it was let go while its guard stood: unless it was confirmed before, the host takes the change back"
                .into(),
        );
    }
    let how = if end.fired {
        guard::wait_for_healing(&course.links, host, batch, &why_it_fired(end), &course.stop)
    } else if batch.checkpoint {
        return Guarded::Waits;
    } else {
        guard::confirm(&course.links, host, batch, &course.stop)
    };
    match how {
        GuardEnd::Confirmed => Guarded::Fine,
        GuardEnd::Healed(why) => Guarded::TakenBack(why),
        GuardEnd::Unknown(why) => Guarded::NobodyKnows(format!("nobody can say whether it healed: {why}")),
    }
}

// In the words of the step that failed: a validator's complaint is what a person needs most.
fn why_it_fired(end: &BatchEnd) -> String {
    let failed = end.steps.iter().find_map(|step| match step {
        StepEnd::Failed { why, output } => Some((why, output)),
        _ => None,
    });
    let Some((why, output)) = failed else { return "a risky step failed".to_owned() };
    let said: Vec<&str> = output.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).take(4).collect();
    if said.is_empty() {
        format!("a risky step failed: {why}")
    } else {
        format!("a risky step failed: {}", said.join("; "))
    }
}

/// Tells the target that its run goes on, while it waits for other hosts. Blocks.
pub(super) fn go_on(course: &Course, host: &HostName, run: &str) {
    let script = WriteScript { text: heartbeat(run).text().to_owned(), payloads: Vec::new(), timeout: PATIENCE };
    // A host that cannot be told says so when its next batch is delivered.
    let _ = course.links.with(host, |session| session.run(&script, &mut |_| {}));
}

/// How the controller leaves a run on a host.
#[derive(Clone, Copy, Debug)]
pub(super) enum RunEnd {
    /// Seen to its end, so that the next one has nothing to tell about it.
    Seen {
        /// Whether what the host took back by itself before it was told, and is past with it.
        past_is_settled: bool,
    },
    /// Lost sight of in a step.
    Lost,
}

/// Tells the target that its run is over. Blocks.
pub(super) fn close(course: &Course, host: &HostName, run: &str, end: RunEnd) {
    let text = match end {
        RunEnd::Lost => memory::leave(run),
        RunEnd::Seen { past_is_settled } => memory::close(run, past_is_settled),
    };
    let script = WriteScript { text: text.text().to_owned(), payloads: Vec::new(), timeout: PATIENCE };
    // Not closing it costs a note in the next run, nothing else.
    let _ = course.links.with(host, |session| session.run(&script, &mut |_| {}));
}
