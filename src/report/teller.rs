//! Owns what is said about an event while the engine works, and what each host is at. Pure: the time is told to it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::escape::visible;
use super::words::took;
use super::{Paint, Tone};
use crate::engine::{Event, Outcome};
use crate::model::{HostName, ResourceId};

/// What an event is worth.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// A line that stays, whoever watches.
    pub line: Option<String>,
    /// A line only for where nothing can be drawn over.
    pub log: Option<String>,
    /// The host it is about, and whether that host is at work now.
    pub host: Option<(HostName, bool)>,
}

/// What one host is at.
#[derive(Debug, Default)]
struct Desk {
    total: usize,
    settled: usize,
    doing: String,
    step: Option<(ResourceId, Duration)>,
    spent: HashMap<ResourceId, Duration>,
    began: Option<Duration>,
    took: Duration,
    done: bool,
    bad: bool,
    lost: bool,
}

/// Listens for all hosts.
#[derive(Debug)]
pub struct Teller {
    desks: BTreeMap<HostName, Desk>,
    paint: Paint,
}

impl Teller {
    /// Expects these hosts, each with the number of its resources (0 = not known).
    pub fn new(hosts: &[(HostName, usize)], paint: Paint) -> Self {
        let desks = hosts.iter().map(|(host, total)| (host.clone(), Desk { total: *total, ..Desk::default() }));
        Self { desks: desks.collect(), paint }
    }

    /// Takes a host for lost of which that was told already.
    pub fn knows_lost(&mut self, host: &HostName) {
        self.desks.entry(host.clone()).or_default().lose();
    }

    /// Takes an event that came `now` after the beginning.
    pub fn hear(&mut self, event: &Event, now: Duration) -> Heard {
        let paint = self.paint;
        let host = host_of(event).clone();
        let name = visible(host.as_str());
        let desk = self.desks.entry(host.clone()).or_default();
        desk.took = now.saturating_sub(*desk.began.get_or_insert(now));
        let say = |tone, sign: &str, text: &str| Some(format!("{} {name} {text}\n", paint.tone(tone, sign)));
        let (mut line, mut log, mut at_work) = (None, None, true);
        match event {
            Event::Connecting(_) => desk.doing = "connecting".into(),
            Event::Probed(..) => {
                desk.doing = "answered".into();
                desk.done = desk.settled >= desk.total;
                at_work = false;
            }
            Event::Unreachable(_, why) => {
                line = say(Tone::Bad, "✗", &format!("not reached: {}", visible(why)));
                desk.lose();
                at_work = false;
            }
            Event::Waiting(_, other) => {
                desk.doing = format!("waits for {}", visible(other.as_str()));
                log = say(Tone::Dim, "·", &desk.doing);
            }
            Event::Pausing(_, time) => {
                desk.doing = format!("waits {}, as hosts limit how often one may connect", took(*time));
                log = say(Tone::Dim, "·", &desk.doing);
            }
            Event::StepBegan { id, title, .. } => {
                desk.done = false;
                desk.end_step(now);
                desk.step = Some((id.clone(), now));
                desk.doing = visible(title);
                log = say(Tone::Dim, "·", &format!("{}: {}", visible(&id.to_string()), desk.doing));
            }
            Event::Settled { id, outcome, .. } => {
                if desk.step.as_ref().is_some_and(|(current, _)| current == id) {
                    desk.end_step(now);
                }
                desk.settled += 1;
                let time = desk.spent.remove(id).map(|time| format!(" ({})", took(time))).unwrap_or_default();
                desk.bad |= !outcome.is_good() && !matches!(outcome, Outcome::Skipped { .. });
                // Why nothing is tried on a lost host was told of the host.
                let told = desk.lost && matches!(outcome, Outcome::Skipped { .. });
                at_work = !desk.lost;
                let (sign, tone, words) = settled(outcome);
                if !words.is_empty() && !told {
                    line = say(tone, sign, &format!("{} {words}{time}", visible(&id.to_string())));
                }
            }
            Event::GuardArmed(_, seconds) => {
                desk.doing = format!("the guard is armed: a fresh connection must confirm within {seconds} s");
                log = say(Tone::Dim, "·", &desk.doing);
            }
            Event::GuardConfirmed(_) => {
                desk.doing = "confirmed".into();
                line = say(Tone::Good, "✓", "the risky change is confirmed over a fresh connection");
            }
            Event::GuardRetry(_, why) => {
                desk.doing = format!("no fresh connection yet: {}", visible(why));
                log = say(Tone::Change, "!", &desk.doing);
            }
            Event::Healed(_, why) => {
                desk.bad = true;
                line = say(Tone::Bad, "✗", &format!("took the change back by itself: {}", visible(why)));
            }
            Event::Reconnecting(_, why) => {
                desk.doing = "the link broke; connecting again".into();
                let why = visible(why);
                line = say(Tone::Change, "!", &format!("the link broke ({why}); the host goes on by itself"));
            }
            Event::HostDone(_) => {
                desk.end_step(now);
                (desk.done, at_work) = (true, false);
            }
        }
        Heard { line, log, host: Some((host, at_work)) }
    }

    /// What a host is at: its name, how many resources are settled, and the step.
    pub fn now(&self, host: &HostName) -> String {
        let name = self.paint.tone(Tone::Bold, &visible(host.as_str()));
        let Some(desk) = self.desks.get(host) else { return name };
        let count = match (desk.settled, desk.total) {
            (0, 0) => String::new(),
            (settled, 0) => format!("  {settled} done"),
            (settled, total) => format!("  {}/{total}", settled.min(total)),
        };
        let doing = if desk.doing.is_empty() { "asking" } else { desk.doing.as_str() };
        format!("{name}{count}  {doing}")
    }

    /// Whether a step runs on a host whose time should be shown.
    pub fn is_in_step(&self, host: &HostName) -> bool {
        self.desks.get(host).is_some_and(|desk| desk.step.is_some())
    }

    /// All hosts in one line.
    pub fn summary(&self) -> String {
        let count = |is: &dyn Fn(&Desk) -> bool| self.desks.values().filter(|desk| is(desk)).count();
        let (done, bad) = (count(&|desk| desk.done), count(&|desk| desk.bad));
        let active = count(&|desk| !desk.done && desk.began.is_some());
        let mut text = format!("{done}/{} hosts done, {active} at work", self.desks.len());
        if bad > 0 {
            text.push_str(&self.paint.tone(Tone::Bad, &format!(", {bad} with trouble")));
        }
        text
    }

    /// How long each host took, from its first event to its last.
    pub fn times(&self) -> BTreeMap<HostName, Duration> {
        let heard = self.desks.iter().filter(|(_, desk)| desk.began.is_some());
        heard.map(|(host, desk)| (host.clone(), desk.took)).collect()
    }
}

impl Desk {
    fn lose(&mut self) {
        (self.bad, self.done, self.lost) = (true, true, true);
    }

    fn end_step(&mut self, now: Duration) {
        if let Some((id, began)) = self.step.take() {
            *self.spent.entry(id).or_default() += now.saturating_sub(began);
        }
    }
}

fn settled(outcome: &Outcome) -> (&'static str, Tone, String) {
    match outcome {
        Outcome::Same => ("", Tone::Dim, String::new()),
        Outcome::Changed { steps } if steps.is_empty() => ("✓", Tone::Good, "changed".into()),
        // What a rollback does says so itself.
        Outcome::Changed { steps } if steps.iter().all(|step| step.starts_with("put back: ")) => {
            ("✓", Tone::Good, visible(&steps.join("; ")))
        }
        Outcome::Changed { steps } => ("✓", Tone::Good, format!("changed: {}", visible(&steps.join("; ")))),
        Outcome::Passed => ("✓", Tone::Good, "holds".into()),
        Outcome::Failed { why, .. } => ("✗", Tone::Bad, format!("failed: {}", visible(why))),
        Outcome::Unknown { why } => ("?", Tone::Doubt, format!("cannot be judged: {}", visible(why))),
        Outcome::Skipped { because } => ("↷", Tone::React, format!("skipped: {}", visible(because))),
        Outcome::Healed { why } => ("✗", Tone::Bad, format!("was taken back by the host: {}", visible(why))),
    }
}

fn host_of(event: &Event) -> &HostName {
    match event {
        Event::StepBegan { host, .. } | Event::Settled { host, .. } => host,
        Event::Connecting(host)
        | Event::Probed(host, _)
        | Event::Unreachable(host, _)
        | Event::Waiting(host, _)
        | Event::Pausing(host, _)
        | Event::GuardArmed(host, _)
        | Event::GuardConfirmed(host)
        | Event::GuardRetry(host, _)
        | Event::Healed(host, _)
        | Event::Reconnecting(host, _)
        | Event::HostDone(host) => host,
    }
}
