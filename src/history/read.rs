//! Owns the way from the controller's journal back to runs: who wanted what, what was begun, and how it ended.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use super::chain::{Anchor, Checked, Head, Verifier, split};
use super::error::{HistoryError, io};
use super::event::{
    ApprovedChange, Event, GuardEnd, IntentEvent, ResultEvent, RunEvent, RunTotals, StepEnd, StepIntent, StepResult,
};
use super::head::{compare_head, read_head};
use super::store::{HEAD, JOURNAL};
use crate::model::{HostName, did_you_mean};

/// All that the controller's journal says.
#[derive(Debug, Default)]
pub struct History {
    /// The runs, in the order in which they began.
    pub runs: Vec<Run>,
    /// Whether the chain holds.
    pub checked: Checked,
    /// Lines of the chain that are no event, by their number in the file.
    pub unreadable: Vec<u64>,
}

/// One run, as far as its controller wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub number: String,
    /// When the first line about it was written, in seconds since 1970.
    pub began: u64,
    /// Who, why, and what was approved; `None` if that line is gone.
    pub start: Option<RunEvent>,
    /// What was sent, in the order of the journal.
    pub batches: Vec<BatchRecord>,
    /// How it ended; `None` if nobody saw it.
    pub ending: Option<RunEnding>,
}

/// One batch of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRecord {
    /// The host.
    pub host: HostName,
    /// Its number on that host; 0 stands for the checkpoint of an earlier run.
    pub number: usize,
    /// When it was about to be delivered, in seconds since 1970.
    pub intent: Option<u64>,
    /// Its steps, in order.
    pub steps: Vec<StepRecord>,
    /// When its end was known; `None` if it never was.
    pub result: Option<u64>,
    /// Whether the guard was armed.
    pub armed: bool,
    /// How the guard's window ended.
    pub guard: Option<GuardEnd>,
    /// The end of the target's journal after it.
    pub head: Option<Head>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// What was to be done.
    pub intent: StepIntent,
    /// How it ended; `None` = unknown.
    pub end: Option<StepResult>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnding {
    /// When, in seconds since 1970.
    pub at: u64,
    /// The exit code.
    pub exit: u8,
    /// What became of the resources.
    pub totals: RunTotals,
}

/// Why the start of a number names no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSuchRun {
    /// No run has a number like this.
    Unknown,
    /// None has, and this one's is near.
    Near(String),
    /// Several do: these.
    Several(Vec<String>),
}

impl BatchRecord {
    /// Whether it is not known how it ended.
    pub fn is_open(&self) -> bool {
        self.result.is_none()
    }
}

impl Run {
    fn new(number: &str, began: u64) -> Self {
        Self { number: number.to_owned(), began, start: None, batches: Vec::new(), ending: None }
    }

    /// The hosts that it was about, in the order of their names.
    pub fn hosts(&self) -> BTreeSet<&HostName> {
        let approved = self.start.iter().flat_map(|start| &start.approved).map(|change| &change.host);
        approved.chain(self.batches.iter().map(|batch| &batch.host)).collect()
    }

    /// The batches of one host, in order.
    pub fn batches_of<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a BatchRecord> {
        self.batches.iter().filter(move |batch| batch.host == *host)
    }

    /// Whether nobody saw it end.
    pub fn is_unfinished(&self) -> bool {
        self.ending.is_none()
    }

    /// The resources of which a step ended in this way, on their hosts. What a host took back counts as failed.
    fn resources(&self, wanted: StepEnd) -> BTreeSet<(&HostName, &str)> {
        let mut found = BTreeSet::new();
        for batch in &self.batches {
            let healed = batch.guard == Some(GuardEnd::Healed);
            for step in &batch.steps {
                let end = match step.end.as_ref().map(|end| end.end) {
                    Some(StepEnd::Done) if healed => Some(StepEnd::Failed),
                    end => end,
                };
                if end == Some(wanted) {
                    found.extend(step.intent.ids.iter().map(|id| (&batch.host, id.as_str())));
                }
            }
        }
        found
    }

    /// How many resources were changed; counted from the steps where the end of the run is not known.
    pub fn changed(&self) -> usize {
        self.ending.map_or_else(|| self.resources(StepEnd::Done).len(), |ending| ending.totals.changed)
    }

    /// How many resources failed or were taken back; counted from the steps where the end of the run is not known.
    pub fn failed(&self) -> usize {
        self.ending
            .map_or_else(|| self.resources(StepEnd::Failed).len(), |ending| ending.totals.failed + ending.totals.healed)
    }

    /// What was approved, and is not known to have been done.
    pub fn not_done(&self) -> Vec<&ApprovedChange> {
        let Some(start) = &self.start else { return Vec::new() };
        if self.ending.is_some_and(|ending| ending.exit == 0) {
            return Vec::new();
        }
        let done = self.resources(StepEnd::Done);
        let mut open: BTreeSet<(&HostName, &str)> = BTreeSet::new();
        for batch in &self.batches {
            for step in batch.steps.iter().filter(|step| step.end.as_ref().map(|end| end.end) != Some(StepEnd::Done)) {
                open.extend(step.intent.ids.iter().map(|id| (&batch.host, id.as_str())));
            }
        }
        let failed = self.resources(StepEnd::Failed);
        start
            .approved
            .iter()
            .filter(|change| {
                let key = (&change.host, change.id.as_str());
                !done.contains(&key) || open.contains(&key) || failed.contains(&key)
            })
            .collect()
    }
}

impl History {
    /// The run whose number begins like this.
    ///
    /// # Errors
    /// None does, or several.
    pub fn find(&self, start: &str) -> Result<&Run, NoSuchRun> {
        let found: Vec<&Run> = self.runs.iter().filter(|run| run.number.starts_with(start)).collect();
        match (found.as_slice(), found.iter().find(|run| run.number == start)) {
            ([], _) => Err(self.near(start).map_or(NoSuchRun::Unknown, NoSuchRun::Near)),
            ([one], _) | (_, Some(one)) => Ok(one),
            (several, None) => Err(NoSuchRun::Several(several.iter().map(|run| run.number.clone()).collect())),
        }
    }

    // Two letters say too little to guess from.
    fn near(&self, start: &str) -> Option<String> {
        let begins = |run: &Run| run.number.get(..start.len()).map(str::to_owned);
        let known: Vec<String> = self.runs.iter().filter(|_| start.len() >= 4).filter_map(begins).collect();
        let near = did_you_mean(start, known.iter().map(String::as_str))?;
        self.runs.iter().find(|run| run.number.starts_with(near)).map(|run| run.number.clone())
    }

    /// The last run that went on with this one.
    pub fn follower(&self, number: &str) -> Option<&Run> {
        let goes_on = |run: &&Run| run.start.as_ref().is_some_and(|start| start.resumes.as_deref() == Some(number));
        self.runs.iter().rev().find(goes_on)
    }

    /// The hosts of whose own journals this one remembers something.
    pub fn anchored_hosts(&self) -> BTreeSet<&HostName> {
        let batches = self.runs.iter().flat_map(|run| &run.batches);
        batches.filter(|batch| batch.head.is_some()).map(|batch| &batch.host).collect()
    }

    /// What this journal remembers of a host's own: its last line after each batch.
    pub fn anchors(&self, host: &HostName) -> Vec<Anchor> {
        let of_run = |run: &Run| -> Vec<Anchor> {
            let heads = run.batches_of(host).filter_map(|batch| batch.head.clone());
            heads.map(|head| Anchor { seq: head.seq, hash: head.hash, run: run.number.clone() }).collect()
        };
        self.runs.iter().flat_map(of_run).collect()
    }

    /// The last run of which a step ran on this host.
    pub fn last_run_on(&self, host: &HostName) -> Option<&str> {
        let ran =
            |step: &StepRecord| step.end.as_ref().is_some_and(|end| matches!(end.end, StepEnd::Done | StepEnd::Failed));
        let touched = |run: &&Run| run.batches_of(host).any(|batch| batch.steps.iter().any(ran));
        self.runs.iter().rev().find(touched).map(|run| run.number.as_str())
    }
}

/// Reads the journal of a state folder from its beginning, and follows its chain. Where there is none, there were no
/// runs.
///
/// # Errors
/// It cannot be read. A chain that does not hold is no error: see [`History::checked`].
pub fn read(folder: &Path) -> Result<History, HistoryError> {
    let path = folder.join(JOURNAL);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => Some(io("open", &path, opened)?),
    };
    if let Some(file) = &file {
        // Nobody appends meanwhile, so that the head and the journal belong together.
        io("lock", &path, file.lock_shared())?;
    }
    let head_path = folder.join(HEAD);
    let head = match fs::read(&head_path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some(io("read", &head_path, read)?),
    };
    let watch = head.as_deref().and_then(read_head).map(|head| head.seq);
    let mut reading = Reading { verifier: Verifier::watching(watch), ..Reading::default() };
    let mut rest = Vec::new();
    if let Some(file) = file {
        let mut lines = BufReader::with_capacity(256 * 1024, file);
        loop {
            rest.clear();
            io("read", &path, lines.read_until(b'\n', &mut rest))?;
            let Some(line) = rest.strip_suffix(b"\n") else { break };
            reading.line(line);
        }
    }
    let mut checked = reading.verifier.end(&rest);
    compare_head(&mut checked, head.as_deref());
    Ok(History { runs: reading.runs, checked, unreadable: reading.unreadable })
}

#[derive(Default)]
struct Reading {
    verifier: Verifier,
    lines: u64,
    runs: Vec<Run>,
    places: HashMap<String, usize>,
    unreadable: Vec<u64>,
}

impl Reading {
    fn line(&mut self, text: &[u8]) {
        self.lines += 1;
        self.verifier.line(text);
        match parse(text) {
            Some((epoch, event)) => self.event(epoch, event),
            None => self.unreadable.push(self.lines),
        }
    }

    fn run(&mut self, number: &str, epoch: u64) -> &mut Run {
        let at = *self.places.entry(number.to_owned()).or_insert_with(|| {
            self.runs.push(Run::new(number, epoch));
            self.runs.len() - 1
        });
        &mut self.runs[at]
    }

    fn event(&mut self, epoch: u64, event: Event) {
        match event {
            Event::Run(start) => {
                let run = self.run(&start.run, epoch);
                run.start = Some(*start);
            }
            Event::Intent(intent) => begun(self.run(&intent.run, epoch), epoch, intent),
            Event::Result(result) => {
                self.settle(&result);
                ended(self.run(&result.run, epoch), epoch, result);
            }
            Event::End(end) => {
                let ending = RunEnding { at: epoch, exit: end.exit, totals: end.totals };
                self.run(&end.run, epoch).ending = Some(ending);
            }
            Event::Torn(_) | Event::Other => {}
        }
    }
}

impl Reading {
    // Batch 0 is what became of a checkpoint, by a run of its own: the batches that left it behind wait no longer.
    fn settle(&mut self, result: &ResultEvent) {
        let settled = matches!(result.guard, Some(GuardEnd::Confirmed | GuardEnd::Healed));
        if result.batch != 0 || !settled {
            return;
        }
        let batches = self.runs.iter_mut().flat_map(|run| &mut run.batches);
        for batch in batches.filter(|batch| batch.host == result.host && batch.guard == Some(GuardEnd::Waiting)) {
            batch.guard = result.guard;
        }
    }
}

fn parse(line: &[u8]) -> Option<(u64, Event)> {
    let mut parts = split(line)?.rest.splitn(3, |byte| *byte == b'\t').skip(1);
    let epoch = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((epoch, serde_json::from_slice(parts.next()?).ok()?))
}

fn begun(run: &mut Run, epoch: u64, intent: IntentEvent) {
    let steps = intent.steps.into_iter().map(|intent| StepRecord { intent, end: None }).collect();
    run.batches.push(BatchRecord {
        host: intent.host,
        number: intent.batch,
        intent: Some(epoch),
        steps,
        result: None,
        armed: false,
        guard: None,
        head: None,
    });
}

fn ended(run: &mut Run, epoch: u64, result: ResultEvent) {
    let known = run.batches.iter().rposition(|batch| batch.host == result.host && batch.number == result.batch);
    let at = known.unwrap_or_else(|| {
        // The line of its intent is gone; what it ended with is still worth telling.
        let steps = result.steps.iter().map(|_| StepIntent { ids: Vec::new(), title: String::new(), risky: false });
        let intent = IntentEvent {
            run: run.number.clone(),
            host: result.host.clone(),
            batch: result.batch,
            steps: steps.collect(),
        };
        begun(run, epoch, intent);
        run.batches.len() - 1
    });
    let batch = &mut run.batches[at];
    if known.is_none() {
        batch.intent = None;
    }
    batch.result = Some(epoch);
    batch.armed = result.armed;
    batch.guard = result.guard;
    batch.head = result.head.zip(result.seq).map(|(hash, seq)| Head { seq, hash });
    for (step, end) in batch.steps.iter_mut().zip(result.steps) {
        step.end = Some(end);
    }
}
