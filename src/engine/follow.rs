//! Owns following a batch: from its log on the target to an outcome for each of its steps, across broken links.

use std::time::{Duration, Instant};

use super::batch::{Batch, NO_JOURNAL, STALE};
use super::{Event, Holder, Stop, WriteLinks};
use crate::model::{HostName, utc};
use crate::transport::{TransportError, WriteScript};

/// How one step of a batch went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepEnd {
    /// It ran and succeeded.
    Done,
    /// It failed with a status; the lines are the last that it printed.
    Failed {
        /// In words.
        why: String,
        /// What it printed.
        output: Vec<String>,
    },
    /// It did not run.
    NotRun(String),
}

/// How a batch went.
#[derive(Debug)]
pub(super) struct BatchEnd {
    /// One end for each step.
    pub steps: Vec<StepEnd>,
    /// Whether the guard was armed.
    pub armed: bool,
    /// Whether a risky step failed, and the target has taken the change back already.
    pub fired: bool,
    /// Who holds the host, if another run does: nothing was begun.
    pub busy: Option<String>,
    /// Why the batch was lost sight of, if it was.
    pub lost: Option<String>,
    /// The hash and number of the last line of the target's journal, once the batch had ended.
    pub head: Option<(String, u64)>,
}

impl Holder {
    fn words(&self) -> String {
        let since = self.since.map(|since| format!(" since {}", utc(since))).unwrap_or_default();
        format!("another run holds this host{since}: run {} by {} ({})", self.run, self.who, self.why)
    }
}

/// What is told while a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A step began.
    Began(usize),
    /// The guard is armed.
    Armed,
}

/// How long a broken link is tried to be made again before the batch is left to itself.
const RECONNECT_FOR: Duration = Duration::from_secs(45);

/// Delivers a batch and follows it to its end.
pub(super) fn run_batch(
    links: &WriteLinks,
    host: &HostName,
    batch: &Batch,
    stop: &Stop,
    told: &mut dyn FnMut(Told),
) -> BatchEnd {
    let mut log = Log::new(batch);
    let mut script = batch.delivery();
    let mut delivered = false;
    let mut broken_since: Option<Instant> = None;
    let mut pause = Duration::from_secs(1);
    loop {
        match take(links, host, &script, &mut log, told) {
            Ok(status) => {
                (broken_since, pause) = (None, Duration::from_secs(1));
                if log.ended {
                    return log.into_end(batch, None);
                }
                if !delivered && status != 0 && status != 124 {
                    return log.into_end(batch, Some(format!("the batch could not be started (status {status})")));
                }
                delivered = true;
                // The unit is gone without a last word: killed, or the machine went down.
                if status != 124 && log.quiet_rounds >= 3 {
                    return log.into_end(batch, Some("the batch died on the target before its end".into()));
                }
                log.quiet_rounds += usize::from(status != 124);
            }
            Err(error) => {
                let since = *broken_since.get_or_insert_with(Instant::now);
                if !delivered && !is_break(&error) {
                    return log.into_end(batch, Some(error.to_string()));
                }
                if since.elapsed() > RECONNECT_FOR || stop.is_urgent() {
                    let why = format!("{error}; the step that was running ends on the host, and the next run says how");
                    return log.into_end(batch, Some(why));
                }
                links.tell(Event::Reconnecting(host.clone(), error.to_string()));
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(8));
            }
        }
        if stop.is_urgent() {
            return log.into_end(batch, Some("left to itself, as the user asked".into()));
        }
        if delivered || broken_since.is_some() {
            script = batch.follow(log.read, stop.is_asked());
            // A link that broke during delivery: what is not there cannot be followed, and following says so.
            delivered = true;
        }
    }
}

fn is_break(error: &TransportError) -> bool {
    matches!(error, TransportError::Broken { .. } | TransportError::TimedOut { .. })
}

fn take(
    links: &WriteLinks,
    host: &HostName,
    script: &WriteScript,
    log: &mut Log,
    told: &mut dyn FnMut(Told),
) -> Result<i32, TransportError> {
    links.with(host, |session| {
        let output = session.run(script, &mut |bytes| log.take(bytes, told))?;
        if output.status != 0 && output.status != 124 && log.read == 0 {
            log.complaint = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("").to_owned();
        }
        Ok(output.status)
    })
}

struct Log {
    /// Bytes of the target's log that were taken as whole lines.
    read: usize,
    partial: Vec<u8>,
    number: usize,
    /// Whether this batch's own lines have begun: all batches of a run share one log.
    begun: bool,
    ended: bool,
    armed: bool,
    fired: bool,
    busy: Option<Holder>,
    broken: Option<String>,
    head: Option<(String, u64)>,
    steps: Vec<Option<StepEnd>>,
    printed: Vec<String>,
    quiet_rounds: usize,
    complaint: String,
}

impl Log {
    fn new(batch: &Batch) -> Self {
        Self {
            read: 0,
            partial: Vec::new(),
            number: batch.number,
            begun: false,
            ended: false,
            armed: false,
            fired: false,
            busy: None,
            broken: None,
            head: None,
            steps: vec![None; batch.steps.len()],
            printed: Vec::new(),
            quiet_rounds: 0,
            complaint: String::new(),
        }
    }

    fn take(&mut self, bytes: &[u8], told: &mut dyn FnMut(Told)) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.read += line.len();
            self.line(String::from_utf8_lossy(&line).trim_end_matches('\n'), told);
        }
    }

    fn line(&mut self, line: &str, told: &mut dyn FnMut(Told)) {
        self.begun |= line == format!("begin {}", self.number);
        if !self.begun {
            return;
        }
        if let Some(printed) = line.strip_prefix("> ") {
            self.printed.push(printed.to_owned());
            return;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (number, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        let step = number.parse::<usize>().ok().filter(|at| *at < self.steps.len());
        match (word, step) {
            ("intent", Some(at)) => told(Told::Began(at)),
            ("done", Some(at)) => self.steps[at] = Some(StepEnd::Done),
            ("fail", Some(at)) => {
                let output = std::mem::take(&mut self.printed);
                let why = match tail.parse() {
                    Ok(STALE) => "it changed since it was read; plan again".to_owned(),
                    Ok(124 | 137) => "it did not end in time and was stopped".to_owned(),
                    Ok(NO_JOURNAL) => "nothing was changed, because it could not be written down first".to_owned(),
                    _ => format!("the step failed with status {tail}"),
                };
                self.steps[at] = Some(StepEnd::Failed { why, output });
            }
            ("skip", Some(at)) => {
                self.steps[at] = Some(StepEnd::NotRun("a step that it depends on failed".to_owned()));
            }
            ("hold", Some(at)) => self.steps[at] = Some(StepEnd::NotRun(tail.to_owned())),
            ("armed", _) => {
                self.armed = true;
                told(Told::Armed);
            }
            ("fired", _) => self.fired = true,
            ("busy", _) => self.busy = Some(Holder::read(rest)),
            ("broken", _) => self.broken = Some(rest.to_owned()),
            ("head", _) => {
                self.head = rest.split_once('\t').and_then(|(hash, seq)| Some((hash.to_owned(), seq.parse().ok()?)));
            }
            ("finish", _) if number.parse() == Ok(self.number) => self.ended = true,
            _ => {}
        }
    }

    fn into_end(self, batch: &Batch, lost: Option<String>) -> BatchEnd {
        let missing = match (&lost, &self.busy) {
            (_, Some(holder)) => holder.words(),
            _ if self.broken.is_some() => self.broken.clone().unwrap_or_default(),
            (Some(why), _) if self.complaint.is_empty() => why.clone(),
            (Some(why), _) => format!("{why}: {}", self.complaint),
            (None, None) => "the target did not say how it ended".to_owned(),
        };
        let secrets: Vec<_> =
            batch.steps.iter().flat_map(|step| &step.step.payloads).filter(|p| p.is_secret()).collect();
        let clean = |line: String| secrets.iter().fold(line, |line, payload| payload.redact(&line));
        let steps = self
            .steps
            .into_iter()
            .map(|end| match end {
                Some(StepEnd::Failed { why, output }) => {
                    StepEnd::Failed { why, output: output.into_iter().map(clean).collect() }
                }
                Some(end) => end,
                None => StepEnd::NotRun(missing.clone()),
            })
            .collect();
        let lost = lost.or(self.broken);
        let busy = self.busy.map(|holder| holder.words());
        BatchEnd { steps, armed: self.armed, fired: self.fired, busy, lost, head: self.head }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::batch::BatchStep;
    use crate::quote::Sh;
    use crate::resource::Step;

    fn batch(steps: usize) -> Batch {
        let step = || BatchStep {
            step: Step::new("write", Sh::default()),
            requires: Vec::new(),
            ids: Vec::new(),
            makes: Vec::new(),
            removes: Vec::new(),
        };
        Batch {
            run: "r".into(),
            host: HostName::new("web1"),
            origin: crate::engine::Origin::default(),
            over: Vec::new(),
            number: 3,
            checkpoint: false,
            way: None,
            steps: (0..steps).map(|_| step()).collect(),
            confirm_within: 30,
            orphan_after: 60,
            older_secrets: false,
        }
    }

    #[test]
    fn a_log_in_pieces_becomes_ends_and_what_has_no_word_did_not_run() {
        let batch = batch(4);
        let mut log = Log::new(&batch);
        let mut began = Vec::new();
        let earlier = "begin 2\nintent 1 other\nfail 1 1\narmed - 30\nfinish 2\n";
        for piece in [
            earlier,
            "begin 3\nintent 0 wri",
            "te\ndone 0\nintent 1 x\n> bad",
            " thing\nfail 1 75\nskip 2 1\nfinish 3\n",
        ] {
            log.take(piece.as_bytes(), &mut |told| began.push(told));
        }
        assert!(log.ended && !log.armed && began == [Told::Began(0), Told::Began(1)]);
        let end = log.into_end(&batch, None);
        assert_eq!(end.steps[0], StepEnd::Done);
        let why = "it changed since it was read; plan again".to_owned();
        assert_eq!(end.steps[1], StepEnd::Failed { why, output: vec!["bad thing".into()] });
        assert_eq!(end.steps[2], StepEnd::NotRun("a step that it depends on failed".into()));
        assert_eq!(end.steps[3], StepEnd::NotRun("the target did not say how it ended".into()));
    }
}
