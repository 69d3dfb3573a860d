//! Owns the journal that a target keeps: its lines as typed entries, the runs they tell of, and its proof.
//!
//! Pure. `HASH SEQ EPOCH RUN BATCH WORD STEP TEXT`, with tabs between; the chain is that of [`super::chain`].

use super::chain::{Anchor, Checked, Fault, split, verify};

/// One line of a target's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetEntry {
    /// Its number in the chain.
    pub seq: u64,
    /// When, in seconds since 1970, by the target's clock.
    pub epoch: u64,
    /// The run's number.
    pub run: String,
    /// The batch; 0 for the run as a whole.
    pub batch: usize,
    /// What happened.
    pub word: TargetWord,
    /// The step in the batch, if it is about one.
    pub step: Option<usize>,
    /// More about it; may be empty.
    pub text: String,
}

/// What a line of a target's journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetWord {
    /// A run began here.
    Open,
    /// A step is about to run.
    Intent,
    /// A step ended well.
    Done,
    /// A step failed.
    Fail,
    /// A step was not run, because another one failed.
    Skip,
    /// A step was not run, because something is not as it was seen.
    Hold,
    /// The guard stands by.
    Armed,
    /// The guard's time is up.
    Fired,
    /// Somebody confirmed.
    Confirmed,
    /// The host took a change back.
    Healed,
    /// A person committed.
    Committed,
    /// A batch ended.
    End,
    /// The controller saw all of the run.
    Close,
    /// An incomplete last line was cut off.
    Torn,
    /// A word that a later version writes.
    Other(String),
}

impl TargetWord {
    fn of(word: &str) -> Self {
        match word {
            "open" => Self::Open,
            "intent" => Self::Intent,
            "done" => Self::Done,
            "fail" => Self::Fail,
            "skip" => Self::Skip,
            "hold" => Self::Hold,
            "armed" => Self::Armed,
            "fired" => Self::Fired,
            "confirmed" => Self::Confirmed,
            "healed" => Self::Healed,
            "committed" => Self::Committed,
            "end" => Self::End,
            "close" => Self::Close,
            "torn" => Self::Torn,
            other => Self::Other(other.to_owned()),
        }
    }

    /// As the journal writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::Open => "open",
            Self::Intent => "intent",
            Self::Done => "done",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Hold => "hold",
            Self::Armed => "armed",
            Self::Fired => "fired",
            Self::Confirmed => "confirmed",
            Self::Healed => "healed",
            Self::Committed => "committed",
            Self::End => "end",
            Self::Close => "close",
            Self::Torn => "torn",
            Self::Other(word) => word,
        }
    }
}

/// The entries of a target's journal, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetJournal {
    /// In order.
    pub entries: Vec<TargetEntry>,
    /// Lines that are no entry, by their number in the text that was read.
    pub unreadable: Vec<u64>,
}

/// One run, as the target tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRun {
    /// Its number.
    pub number: String,
    /// When its first line was written here.
    pub began: u64,
    /// Who began it, why, and what; `None` if that line was not read.
    pub opened: Option<String>,
    /// Its batches, in order.
    pub batches: Vec<TargetBatch>,
    /// When its controller had seen it all; `None` = it never said so.
    pub closed: Option<u64>,
}

/// One batch, as the target tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetBatch {
    /// Its number.
    pub number: usize,
    /// Its steps, in order.
    pub steps: Vec<TargetStep>,
    /// What the guard did: when, what, and the line's text.
    pub guard: Vec<TargetEntry>,
    /// When it ended; `None` = it was broken off.
    pub ended: Option<u64>,
}

/// One step, as the target tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStep {
    /// Its number in the batch.
    pub number: usize,
    /// The resources that it serves.
    pub ids: Vec<String>,
    /// What it does.
    pub title: String,
    /// When it was about to run; `None` if it never was.
    pub intent: Option<u64>,
    /// How it ended: `done`, `fail`, `skip` or `hold`, when, and the line's text.
    pub end: Option<TargetEntry>,
}

impl TargetBatch {
    /// Whether the host took it back.
    pub fn is_healed(&self) -> bool {
        self.guard.iter().any(|entry| entry.word == TargetWord::Healed)
    }
}

impl TargetRun {
    /// How many steps ended with one of these words.
    pub fn ended(&self, words: &[TargetWord]) -> usize {
        let steps = self.batches.iter().flat_map(|batch| &batch.steps);
        steps.filter(|step| step.end.as_ref().is_some_and(|end| words.contains(&end.word))).count()
    }

    /// Whether a step was begun whose end nobody wrote, or its controller did not see it all.
    pub fn is_unfinished(&self) -> bool {
        self.closed.is_none()
    }
}

/// Reads the lines of a target's journal; the text may begin at any line, and an incomplete last one is left out.
pub fn parse_target(text: &[u8]) -> TargetJournal {
    let mut journal = TargetJournal::default();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(&text[..0], |at| &text[..at]);
    if whole.is_empty() {
        return journal;
    }
    for (number, line) in (1..).zip(whole.split(|byte| *byte == b'\n')) {
        match entry(line) {
            Some(entry) => journal.entries.push(entry),
            None => journal.unreadable.push(number),
        }
    }
    journal
}

fn entry(line: &[u8]) -> Option<TargetEntry> {
    let line = split(line)?;
    let text = std::str::from_utf8(line.rest).ok()?;
    let mut parts = text.splitn(7, '\t').skip(1);
    let epoch = parts.next()?.parse().ok()?;
    let run = parts.next()?.to_owned();
    let batch = match parts.next()? {
        "-" => 0,
        number => number.parse().ok()?,
    };
    let word = TargetWord::of(parts.next()?);
    let step = match parts.next()? {
        "-" => None,
        number => Some(number.parse().ok()?),
    };
    Some(TargetEntry { seq: line.seq, epoch, run, batch, word, step, text: parts.next()?.to_owned() })
}

impl TargetJournal {
    /// The runs that these entries tell of, in the order in which they began.
    pub fn runs(&self) -> Vec<TargetRun> {
        let mut runs: Vec<TargetRun> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.word != TargetWord::Torn) {
            let at = runs.iter().rposition(|run| run.number == entry.run).unwrap_or_else(|| {
                runs.push(TargetRun {
                    number: entry.run.clone(),
                    began: entry.epoch,
                    opened: None,
                    batches: Vec::new(),
                    closed: None,
                });
                runs.len() - 1
            });
            runs[at].take(entry);
        }
        runs
    }
}

impl TargetRun {
    fn take(&mut self, entry: &TargetEntry) {
        match entry.word {
            TargetWord::Open => self.opened = Some(entry.text.clone()),
            TargetWord::Close => self.closed = Some(entry.epoch),
            TargetWord::Torn => {}
            TargetWord::End => self.batch(entry.batch).ended = Some(entry.epoch),
            TargetWord::Intent => {
                let (ids, title) = entry.text.split_once(" | ").unwrap_or(("", &entry.text));
                let ids = ids.split(", ").filter(|id| !id.is_empty()).map(str::to_owned).collect();
                let step = self.batch(entry.batch).step(entry.step.unwrap_or(0));
                (step.ids, step.title, step.intent) = (ids, title.to_owned(), Some(entry.epoch));
            }
            TargetWord::Done | TargetWord::Fail | TargetWord::Skip | TargetWord::Hold => {
                self.batch(entry.batch).step(entry.step.unwrap_or(0)).end = Some(entry.clone());
            }
            TargetWord::Armed
            | TargetWord::Fired
            | TargetWord::Confirmed
            | TargetWord::Healed
            | TargetWord::Committed
            | TargetWord::Other(_) => self.batch(entry.batch).guard.push(entry.clone()),
        }
    }

    fn batch(&mut self, number: usize) -> &mut TargetBatch {
        let at = self.batches.iter().rposition(|batch| batch.number == number).unwrap_or_else(|| {
            self.batches.push(TargetBatch { number, steps: Vec::new(), guard: Vec::new(), ended: None });
            self.batches.len() - 1
        });
        &mut self.batches[at]
    }
}

impl TargetBatch {
    fn step(&mut self, number: usize) -> &mut TargetStep {
        let at = self.steps.iter().position(|step| step.number == number).unwrap_or_else(|| {
            self.steps.push(TargetStep { number, ids: Vec::new(), title: String::new(), intent: None, end: None });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }
}

/// Follows the chain of a target's whole journal (`None`: it has none), and compares it with what the controller
/// remembers: the last line after each batch, and the last run of which a step ran there.
pub fn check_target(journal: Option<&[u8]>, anchors: &[Anchor], last_run: Option<&str>) -> Checked {
    let witness = |run: &str| format!("the controller's journal (run {run})");
    let Some(journal) = journal else {
        let mut checked = Checked::default();
        if let Some(run) = anchors.last().map(|anchor| anchor.run.as_str()).or(last_run) {
            checked.add(1, Fault::NoJournal { witness: witness(run) });
        }
        return checked;
    };
    let mut checked = verify(journal, anchors.iter().map(|anchor| anchor.seq));
    checked.compare(anchors, |anchor| witness(&anchor.run));
    if checked.lines == 0
        && checked.is_whole()
        && let Some(run) = last_run
    {
        checked.add(1, Fault::NoJournal { witness: witness(run) });
    }
    checked
}
