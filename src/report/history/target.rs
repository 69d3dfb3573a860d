//! Owns runs as the hosts tell them, from their own journals: for those that another controller made.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::{Cell, clock, minute, step_line, table};
use crate::history::{TargetBatch, TargetJournal, TargetRun, TargetStep, TargetWord};
use crate::model::HostName;
use crate::model::utc;
use crate::report::escape::{padded, visible};
use crate::report::words::count;
use crate::report::{Paint, Tone};

/// What each host's journal says (`None`: it has none), or why nobody knows.
pub type HostJournals = BTreeMap<HostName, Result<Option<TargetJournal>, String>>;

const HEAD: [&str; 6] = ["run", "when (UTC)", "done", "failed", "ended", "who, what and why"];

/// The newest runs on each host, at most so many, as tables.
pub fn target_runs(hosts: &HostJournals, limit: usize, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, journal) in hosts {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", paint.tone(Tone::Bold, &visible(host.as_str()))));
        match journal {
            Err(why) => text.push_str(&format!("{} {}\n", paint.tone(Tone::Doubt, "unknown:"), visible(why))),
            Ok(None) => text.push_str("no journal: no run has changed this host\n"),
            Ok(Some(journal)) => {
                let rows: Vec<Vec<Cell>> = journal.runs().iter().rev().take(limit).map(row).collect();
                text.push_str(&table(&HEAD, &rows, paint));
                text.push_str(&unreadable(journal, paint));
            }
        }
    }
    text
}

/// The same as JSON.
pub fn target_runs_json(hosts: &HostJournals, limit: usize) -> Value {
    of_hosts("history_of_hosts", hosts, |journal| {
        json!({
            "runs": journal.runs().iter().rev().take(limit).map(run_json).collect::<Vec<_>>(),
            "unreadable": journal.unreadable.len(),
        })
    })
}

/// One run as each host tells it; the journals hold the lines of that run alone.
pub fn target_run(hosts: &HostJournals, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, journal) in hosts {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}\n", paint.tone(Tone::Bold, &visible(host.as_str()))));
        let runs = match journal {
            Err(why) => {
                text.push_str(&format!("{} {}\n", paint.tone(Tone::Doubt, "unknown:"), visible(why)));
                continue;
            }
            Ok(journal) => journal.as_ref().map(TargetJournal::runs).unwrap_or_default(),
        };
        if runs.is_empty() {
            text.push_str("its journal knows no such run\n");
        }
        for run in runs {
            text.push_str(&of_run(&run, paint));
        }
        if let Ok(Some(journal)) = journal {
            text.push_str(&unreadable(journal, paint));
        }
    }
    text
}

/// The same as JSON.
pub fn target_run_json(hosts: &HostJournals) -> Value {
    of_hosts(
        "history_run_of_hosts",
        hosts,
        |journal| json!({ "runs": journal.runs().iter().map(run_json).collect::<Vec<_>>(), "unreadable": journal.unreadable.len() }),
    )
}

fn of_hosts(kind: &str, hosts: &HostJournals, tell: impl Fn(&TargetJournal) -> Value) -> Value {
    let hosts = hosts.iter().map(|(host, journal)| {
        let mut told = json!({ "host": host });
        match journal {
            Err(why) => told["unknown"] = json!(why),
            Ok(None) => told["runs"] = json!([]),
            Ok(Some(journal)) => {
                if let (Value::Object(told), Value::Object(more)) = (&mut told, tell(journal)) {
                    told.extend(more);
                }
            }
        }
        told
    });
    json!({ "format_version": "1.0", "kind": kind, "hosts": hosts.collect::<Vec<_>>() })
}

fn unreadable(journal: &TargetJournal, paint: &Paint) -> String {
    match journal.unreadable.len() {
        0 => String::new(),
        lines => {
            let told = format!("{} cannot be read: see `rempart history verify`", count(lines, "line", "lines"));
            format!("{}\n", paint.tone(Tone::Bad, &told))
        }
    }
}

fn ending(run: &TargetRun) -> (&'static str, Tone) {
    if run.batches.iter().any(TargetBatch::is_healed) {
        ("taken back", Tone::Bad)
    } else if run.is_unfinished() {
        ("not closed", Tone::Doubt)
    } else if run.ended(&[TargetWord::Fail]) > 0 {
        ("failed", Tone::Bad)
    } else {
        ("closed", Tone::Good)
    }
}

fn row(run: &TargetRun) -> Vec<Cell> {
    let number = |number: usize, tone: Tone| (number.to_string(), Some(if number == 0 { Tone::Dim } else { tone }));
    let (ended, tone) = ending(run);
    vec![
        (visible(&run.number), None),
        (minute(run.began), None),
        number(run.ended(&[TargetWord::Done]), Tone::Change),
        number(run.ended(&[TargetWord::Fail]), Tone::Bad),
        (ended.to_owned(), Some(tone)),
        (run.opened.as_deref().map(visible).unwrap_or_default(), None),
    ]
}

fn of_run(run: &TargetRun, paint: &Paint) -> String {
    let (ended, tone) = ending(run);
    let mut text = format!("  run {}, {}, {}\n", visible(&run.number), utc(run.began), paint.tone(tone, ended));
    if let Some(opened) = run.opened.as_deref().filter(|opened| !opened.is_empty()) {
        text.push_str(&format!("  {}\n", visible(opened)));
    }
    let steps = run.batches.iter().flat_map(|batch| &batch.steps);
    let width = steps.map(|step| visible(&step.title).width()).max().unwrap_or(0).min(48);
    // Batch 0 is the run as a whole, and has no steps.
    for batch in run.batches.iter().filter(|batch| batch.number > 0 || !batch.steps.is_empty()) {
        let ended = batch.ended.map_or_else(|| "broken off".to_owned(), |at| format!("ended {}", clock(at)));
        let tone = if batch.ended.is_some() { Tone::Dim } else { Tone::Doubt };
        text.push_str(&format!("  {}\n", paint.tone(tone, &format!("batch {}, {ended}", batch.number))));
        for step in &batch.steps {
            text.push_str(&of_step(step, width, paint));
        }
    }
    for entry in run.batches.iter().flat_map(|batch| &batch.guard) {
        let told = format!("guard  {} {} {}", clock(entry.epoch), entry.word.name(), entry.text);
        let tone = if entry.word == TargetWord::Healed { Tone::Bad } else { Tone::Dim };
        text.push_str(&format!("    {}\n", paint.tone(tone, visible(&told).trim_end())));
    }
    text
}

fn of_step(step: &TargetStep, width: usize, paint: &Paint) -> String {
    let end = step.end.as_ref();
    let sign = match end.map(|end| &end.word) {
        Some(TargetWord::Done) => ("✓", "done", Tone::Good),
        Some(TargetWord::Fail) => ("✗", "failed", Tone::Bad),
        Some(TargetWord::Skip | TargetWord::Hold) => ("↷", "not run", Tone::React),
        _ => ("?", "unknown", Tone::Doubt),
    };
    let at = step.intent.or(end.map(|end| end.epoch)).map(clock).unwrap_or_default();
    let title = format!("{at}  {}", padded(&visible(&step.title), width));
    let mut text = step_line(sign, &title, &visible(&step.ids.join(", ")), paint);
    let why = match end {
        Some(end) if end.word == TargetWord::Fail => format!("status {}", end.text),
        Some(end) if end.word == TargetWord::Skip => format!("because of step {}", end.text),
        Some(end) if end.word == TargetWord::Hold => end.text.clone(),
        _ => String::new(),
    };
    if !why.is_empty() {
        text.push_str(&format!("        {}\n", visible(&why)));
    }
    text
}

fn run_json(run: &TargetRun) -> Value {
    let (ended, _) = ending(run);
    let batches = run.batches.iter().map(|batch| {
        let steps = batch.steps.iter().map(|step| {
            json!({
                "step": step.number,
                "ids": step.ids,
                "title": step.title,
                "intent": step.intent,
                "end": step.end.as_ref().map(|end| end.word.name()),
                "ended": step.end.as_ref().map(|end| end.epoch),
                "text": step.end.as_ref().map(|end| end.text.as_str()),
            })
        });
        let guard =
            batch.guard.iter().map(|entry| json!({ "at": entry.epoch, "word": entry.word.name(), "text": entry.text }));
        json!({
            "batch": batch.number,
            "steps": steps.collect::<Vec<_>>(),
            "guard": guard.collect::<Vec<_>>(),
            "ended": batch.ended,
        })
    });
    json!({
        "run": run.number,
        "began": run.began,
        "opened": run.opened,
        "closed": run.closed,
        "ending": ended,
        "batches": batches.collect::<Vec<_>>(),
    })
}
