//! Owns what the controller writes down: the typed events of its journal.
//!
//! No secret and no output can stand in them: they hold ids, titles, words, and names of fields. A reason is one short
//! line. Must not know files or the chain.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::HostName;

/// A reason is cut to this many characters.
const LONGEST_WHY: usize = 300;

/// One line of the controller's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run was approved and begins.
    Run(Box<RunEvent>),
    /// A batch is about to be delivered.
    Intent(IntentEvent),
    /// How a batch ended, as far as the controller knows.
    Result(ResultEvent),
    /// A run ended.
    End(EndEvent),
    /// An incomplete last line was cut off; written by the journal itself.
    Torn(TornEvent),
    /// Something that a later version writes.
    #[serde(other)]
    Other,
}

/// Which verb made the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunVerb {
    /// `apply`
    Apply,
    /// `rollback`
    Rollback,
    /// `prune`
    Prune,
    /// `commit`
    Commit,
    /// `bootstrap`
    Bootstrap,
}

impl RunVerb {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            RunVerb::Apply => "apply",
            RunVerb::Rollback => "rollback",
            RunVerb::Prune => "prune",
            RunVerb::Commit => "commit",
            RunVerb::Bootstrap => "bootstrap",
        }
    }
}

/// Who began what, and what was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEvent {
    /// The run's number.
    pub run: String,
    /// By which verb.
    pub verb: RunVerb,
    /// `user@controller`.
    pub who: String,
    /// What the user said about it; may be empty.
    #[serde(default)]
    pub why: String,
    /// The playbook and site files, as named.
    #[serde(default)]
    pub playbooks: Vec<String>,
    /// The inventories, as named.
    #[serde(default)]
    pub inventories: Vec<String>,
    /// Which part of them.
    #[serde(default)]
    pub selection: RunSelection,
    /// Names of variables that were set on the command line; never their values.
    #[serde(default)]
    pub set_names: Vec<String>,
    /// The changes that were approved, in order.
    #[serde(default)]
    pub approved: Vec<ApprovedChange>,
    /// The run that this one goes on with, or takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
    /// Hosts whose way in the plan closed, and which was allowed to go on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_lockouts: Vec<String>,
}

/// Which part of the fleet and of the playbooks a run was about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSelection {
    /// `--limit`
    pub limit: Option<String>,
    /// `--tags`
    pub tags: Vec<String>,
    /// `--skip-tags`
    pub skip_tags: Vec<String>,
    /// `--phase`
    pub phase: Vec<String>,
}

/// One approved change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedChange {
    /// On which host.
    #[serde(deserialize_with = "host_name")]
    pub host: HostName,
    /// The resource, `kind:key`.
    pub id: String,
    /// What was to happen to it: `create`, `change`, `remove`, `restart`, ...
    pub act: String,
    /// The fields that differ, by name.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// A batch that is about to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentEvent {
    /// The run's number.
    pub run: String,
    /// To which host.
    #[serde(deserialize_with = "host_name")]
    pub host: HostName,
    /// The batch's number on that host in that run.
    pub batch: usize,
    /// Its steps, in order.
    pub steps: Vec<StepIntent>,
}

/// A step that is about to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepIntent {
    /// The resources that it serves, `kind:key` each.
    pub ids: Vec<String>,
    /// What it does, as shown.
    pub title: String,
    /// Whether the guard stands by.
    #[serde(default)]
    pub risky: bool,
}

/// How a batch ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultEvent {
    /// The run's number.
    pub run: String,
    /// On which host.
    #[serde(deserialize_with = "host_name")]
    pub host: HostName,
    /// The batch's number; 0 is what became of a checkpoint that an earlier run left on the host, and has no intent.
    pub batch: usize,
    /// How each step of the intent ended, in the same order.
    pub steps: Vec<StepResult>,
    /// Whether the guard was armed.
    #[serde(default)]
    pub armed: bool,
    /// How the guard's window ended, if it was armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardEnd>,
    /// The hash of the last line of the target's journal, as read at the end of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// That line's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// The word for it.
    pub end: StepEnd,
    /// The short reason, if there is one to tell; never what the step printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl StepResult {
    /// It ended well.
    pub fn done() -> Self {
        Self { end: StepEnd::Done, why: None }
    }

    /// It failed; of the reason, the first line is kept.
    pub fn failed(why: &str) -> Self {
        Self { end: StepEnd::Failed, why: short(why) }
    }

    /// It was not run; of the reason, the first line is kept.
    pub fn not_run(why: &str) -> Self {
        Self { end: StepEnd::NotRun, why: short(why) }
    }
}

// One line, and not a long one.
fn short(why: &str) -> Option<String> {
    let line = why.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut cut: String = line.chars().take(LONGEST_WHY).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    Some(cut)
}

/// How a step can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// It ran, and ended well.
    Done,
    /// It ran, and failed.
    Failed,
    /// It was not begun.
    NotRun,
}

/// How the guard's window ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardEnd {
    /// A fresh connection confirmed the change.
    Confirmed,
    /// The host took the change back.
    Healed,
    /// Nobody knows: the host could not be asked.
    Unknown,
    /// It waits for a person to commit.
    Waiting,
}

impl GuardEnd {
    /// As it is told.
    pub fn name(self) -> &'static str {
        match self {
            GuardEnd::Confirmed => "confirmed",
            GuardEnd::Healed => "healed",
            GuardEnd::Unknown => "unknown",
            GuardEnd::Waiting => "waiting",
        }
    }
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndEvent {
    /// The run's number.
    pub run: String,
    /// The exit code.
    pub exit: u8,
    /// What became of the resources.
    #[serde(default)]
    pub totals: RunTotals,
}

/// How many resources ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the words of the recap")]
pub struct RunTotals {
    pub changed: usize,
    pub same: usize,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub unknown: usize,
    pub healed: usize,
    /// Hosts that were not reached.
    pub unreachable: usize,
}

/// What was cut off behind the last whole line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TornEvent {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

fn host_name<'de, D: Deserializer<'de>>(from: D) -> Result<HostName, D::Error> {
    String::deserialize(from).map(HostName::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_as_documented() {
        let host = HostName::new("web1");
        let events = [
            Event::Intent(IntentEvent {
                run: "a".into(),
                host: host.clone(),
                batch: 1,
                steps: vec![StepIntent { ids: vec!["file:/etc/x".into()], title: "write".into(), risky: false }],
            }),
            Event::Result(ResultEvent {
                run: "a".into(),
                host,
                batch: 1,
                steps: vec![StepResult::done(), StepResult::failed("exit 1\nlong output"), StepResult::not_run("")],
                armed: true,
                guard: Some(GuardEnd::Healed),
                head: None,
                seq: None,
            }),
            Event::End(EndEvent { run: "a".into(), exit: 4, totals: RunTotals::default() }),
            Event::Torn(TornEvent { bytes: 3, sha256: "x".into() }),
        ];
        let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"intent","run":"a","host":"web1","batch":1,"steps":[{"ids":["file:/etc/x"],"title":"write","risky":false}]}
        {"event":"result","run":"a","host":"web1","batch":1,"steps":[{"end":"done"},{"end":"failed","why":"exit 1"},{"end":"not_run"}],"armed":true,"guard":"healed"}
        {"event":"end","run":"a","exit":4,"totals":{"changed":0,"same":0,"passed":0,"failed":0,"skipped":0,"unknown":0,"healed":0,"unreachable":0}}
        {"event":"torn","bytes":3,"sha256":"x"}
        "#);
        for (line, event) in lines.iter().zip(events) {
            assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
        }
        let later: Event = serde_json::from_str(r#"{"event":"checkpoint","x":1}"#).unwrap();
        assert_eq!(later, Event::Other);
    }
}
