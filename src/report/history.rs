//! Owns what happened as people read it: the table of runs, and one run with each of its steps.

mod proof;
mod target;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::{cut, padded, visible};
use super::json::to_json;
use super::words::{count, some_of};
use super::{Paint, Tone};
use crate::history::{ApprovedChange, BatchRecord, GuardEnd, History, Run, RunSelection, RunVerb, StepEnd, StepRecord};
use crate::model::Exit;
use crate::model::utc;

pub use proof::{Proof, proofs, proofs_json};
pub use target::{HostJournals, target_run, target_run_json, target_runs, target_runs_json};

/// One cell of a table, and its tone if it has one.
type Cell = (String, Option<Tone>);

const HEAD: [&str; 9] = ["run", "when (UTC)", "verb", "who", "hosts", "changed", "failed", "ended", "why"];
/// Hosts named in the table; a run over a fleet has a number more.
const HOSTS: usize = 2;

/// The newest runs of this controller, at most so many, as a table.
pub fn history(history: &History, limit: usize, paint: &Paint) -> String {
    if history.runs.is_empty() {
        return "No run has been written down here.\n".to_owned();
    }
    let rows: Vec<Vec<Cell>> = history.runs.iter().rev().take(limit).map(row).collect();
    let mut text = table(&HEAD, &rows, paint);
    let (all, shown) = (history.runs.len(), rows.len());
    if shown < all {
        text.push_str(&format!("{shown} of {}; --limit-runs {all} shows all\n", count(all, "run", "runs")));
    } else {
        text.push_str(&format!("{}\n", count(all, "run", "runs")));
    }
    text
}

/// The newest runs as JSON.
pub fn history_json(history: &History, limit: usize) -> Value {
    json!({
        "format_version": "1.0",
        "kind": "history",
        "chain_is_whole": history.checked.is_whole(),
        "runs": history.runs.iter().rev().take(limit).map(summary_json).collect::<Vec<_>>(),
    })
}

/// Columns as wide as their widest cell; numbers to the right, and the last column takes what is left.
pub(super) fn table(head: &[&str], rows: &[Vec<Cell>], paint: &Paint) -> String {
    let wide = |at: usize| rows.iter().map(|row| row[at].0.width()).chain([head[at].width()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(wide).collect();
    let before: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
    if paint.width < Paint::PLAIN.width && before + 20 > paint.width {
        return rows.iter().map(|row| stacked(head, row, paint)).collect();
    }
    let line = |cells: &[Cell]| {
        let mut line = String::new();
        for (at, (text, tone)) in cells.iter().enumerate() {
            let last = at + 1 == head.len();
            let is_number = matches!(head[at], "changed" | "failed" | "done");
            let cell = match (last, is_number) {
                (true, _) => cut(text, paint.width.saturating_sub(before).max(20)),
                (_, true) => format!("{}{text}", " ".repeat(widths[at].saturating_sub(text.width()))),
                _ => text.clone(),
            };
            let gap = if last { 0 } else { (widths[at] + 2).saturating_sub(cell.width()) };
            line.push_str(&tone.map_or_else(|| cell.clone(), |tone| paint.tone(tone, &cell)));
            line.push_str(&" ".repeat(gap));
        }
        format!("{}\n", line.trim_end())
    };
    let heads: Vec<Cell> = head.iter().map(|name| ((*name).to_owned(), None)).collect();
    let mut text = paint.tone(Tone::Bold, line(&heads).trim_end());
    text.push('\n');
    text.extend(rows.iter().map(|row| line(row)));
    text
}

// A row on a terminal that is too narrow for a table: its first cell alone, and below it the others with their names.
fn stacked(head: &[&str], row: &[Cell], paint: &Paint) -> String {
    let mut text = paint.tone(Tone::Bold, &row[0].0);
    let mut used = usize::MAX;
    for (name, (cell, tone)) in head.iter().zip(row).skip(1) {
        let cell = cut(cell, paint.width.saturating_sub(name.width() + 3));
        let width = name.width() + 1 + cell.width();
        let begins = used.saturating_add(2 + width) > paint.width;
        text.push_str(if begins { "\n  " } else { "  " });
        used = if begins { 2 + width } else { used + 2 + width };
        let cell = tone.map_or_else(|| cell.clone(), |tone| paint.tone(tone, &cell));
        text.push_str(&format!("{} {cell}", paint.tone(Tone::Dim, name)));
    }
    text + "\n"
}

fn row(run: &Run) -> Vec<Cell> {
    let plain = |text: String| (text, None);
    let hosts: Vec<String> = run.hosts().into_iter().map(|host| visible(host.as_str())).collect();
    let (ended, tone) = ending(run);
    let number = |number: usize, tone: Tone| (number.to_string(), Some(if number == 0 { Tone::Dim } else { tone }));
    let start = run.start.as_ref();
    vec![
        plain(visible(&run.number)),
        plain(minute(run.began)),
        plain(start.map_or("?", |start| start.verb.name()).to_owned()),
        plain(start.map_or_else(|| "?".to_owned(), |start| cut(&visible(&start.who), 24))),
        plain(cut(&some_of(&hosts, HOSTS), 32)),
        number(run.changed(), Tone::Change),
        number(run.failed(), Tone::Bad),
        (ended, Some(tone)),
        plain(start.map_or_else(|| "(its first line is gone)".to_owned(), |start| visible(&start.why))),
    ]
}

// `2026-03-01 12:30`
fn minute(epoch: u64) -> String {
    utc(epoch).chars().take(16).collect()
}

// `12:30:45`
fn clock(epoch: u64) -> String {
    utc(epoch).chars().skip(11).take(8).collect()
}

// How it ended in one word or two.
fn ending(run: &Run) -> (String, Tone) {
    let Some(ending) = run.ending else { return ("unfinished".to_owned(), Tone::Doubt) };
    let known = Exit::TABLE.iter().map(|(exit, _)| *exit).find(|exit| exit.code() == ending.exit);
    let (word, tone) = match known {
        Some(Exit::Done) if waits(run) => ("to be committed", Tone::Doubt),
        Some(Exit::Done) => ("done", Tone::Good),
        Some(Exit::Failed) => ("failed", Tone::Bad),
        Some(Exit::Unreachable) => ("unreachable", Tone::Bad),
        Some(Exit::Healed) => ("taken back", Tone::Bad),
        Some(Exit::Refused) => ("refused", Tone::React),
        Some(Exit::Interrupted) => ("interrupted", Tone::Bad),
        Some(Exit::Differs | Exit::Usage | Exit::BadInput) | None => {
            return (format!("exit {}", ending.exit), Tone::Bad);
        }
    };
    (word.to_owned(), tone)
}

fn waits(run: &Run) -> bool {
    run.batches.iter().any(|batch| batch.guard == Some(GuardEnd::Waiting))
}

/// One run with each host, batch and step, what was approved and not done, and the run that went on with it.
pub fn history_run(run: &Run, follower: Option<&Run>, paint: &Paint) -> String {
    let (ended, tone) = ending(run);
    let mut text = paint.tone(Tone::Bold, &format!("run {}", visible(&run.number)));
    match &run.start {
        Some(start) => text.push_str(&format!(
            "  {} by {}, {}, {}\n",
            start.verb.name(),
            visible(&start.who),
            utc(run.began),
            paint.tone(tone, &ended)
        )),
        None => text.push_str(&format!("  {}, its first line is gone, {}\n", utc(run.began), paint.tone(tone, &ended))),
    }
    for (name, value) in facts(run) {
        text.push_str(&format!("  {}{}\n", padded(name, 13), visible(&value)));
    }
    for host in run.hosts() {
        text.push_str(&format!("\n{}\n", paint.tone(Tone::Bold, &visible(host.as_str()))));
        let batches: Vec<&BatchRecord> = run.batches_of(host).collect();
        if batches.is_empty() {
            text.push_str("  nothing was sent there\n");
        }
        let steps = batches.iter().flat_map(|batch| &batch.steps);
        let width = steps.map(|step| visible(&step.intent.title).width()).max().unwrap_or(0).min(48);
        for batch in batches {
            text.push_str(&of_batch(batch, width, paint));
        }
    }
    let not_done = run.not_done();
    if !not_done.is_empty() {
        text.push_str(&format!("\n{}\n", paint.tone(Tone::Bad, "Approved, and not known to be done:")));
        text.extend(not_done.into_iter().map(|change| of_change(change, paint)));
    }
    text.push_str(&hints(run, follower, paint));
    text
}

fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(start) = &run.start {
        facts.push(("why", start.why.clone()));
        facts.push(("playbooks", start.playbooks.join(" ")));
        facts.push(("inventories", start.inventories.join(" ")));
        facts.push(("selection", selection(&start.selection)));
        facts.push(("set", start.set_names.join(", ")));
        let of = if start.verb == RunVerb::Rollback { "takes back" } else { "resumes" };
        facts.push(("locked out", start.allowed_lockouts.join(", ")));
        facts.push((of, start.resumes.as_ref().map(|run| format!("run {run}")).unwrap_or_default()));
    }
    if let Some(ending) = run.ending {
        let totals = &ending.totals;
        let mut parts: Vec<String> = [
            (totals.changed, "changed"),
            (totals.same, "as declared before"),
            (totals.passed, "passed"),
            (totals.failed, "failed"),
            (totals.healed, "taken back"),
            (totals.unknown, "unknown"),
            (totals.skipped, "skipped"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
        if totals.unreachable > 0 {
            parts.push(format!("{} not reached", count(totals.unreachable, "host", "hosts")));
        }
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        facts.push(("ended", format!("{}, exit code {}{parts}", utc(ending.at), ending.exit)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn selection(selection: &RunSelection) -> String {
    let lists = [("--tags", &selection.tags), ("--skip-tags", &selection.skip_tags), ("--phase", &selection.phase)];
    let limit = selection.limit.iter().map(|limit| format!("--limit {limit}"));
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    limit.chain(lists.map(|(flag, list)| format!("{flag} {}", list.join(",")))).collect::<Vec<_>>().join(" ")
}

fn of_batch(batch: &BatchRecord, width: usize, paint: &Paint) -> String {
    let begun = batch.intent.map_or_else(|| "its intent is gone".to_owned(), |at| format!("begun {}", clock(at)));
    let ended = batch.result.map_or_else(|| "nobody saw its end".to_owned(), |at| format!("ended {}", clock(at)));
    let head = match batch.number {
        0 => format!("the checkpoint of an earlier run, {ended}"),
        number => format!("batch {number}, {begun}, {ended}"),
    };
    let mut text =
        format!("  {}", if batch.is_open() { paint.tone(Tone::Doubt, &head) } else { paint.tone(Tone::Dim, &head) });
    if let Some(told) = guard(batch) {
        text.push_str(&format!("; {}", paint.tone(told.1, told.0)));
    }
    text.push('\n');
    for step in &batch.steps {
        text.push_str(&of_step(step, width, paint));
    }
    text
}

fn guard(batch: &BatchRecord) -> Option<(&'static str, Tone)> {
    Some(match batch.guard {
        Some(GuardEnd::Confirmed) => ("the guard was confirmed", Tone::Good),
        Some(GuardEnd::Healed) => ("the host took it back", Tone::Bad),
        Some(GuardEnd::Waiting) => ("the guard waits for `rempart commit`", Tone::Doubt),
        Some(GuardEnd::Unknown) => ("how the guard ended is unknown", Tone::Doubt),
        None if batch.armed => ("the guard was armed, and its end is unknown", Tone::Doubt),
        None => return None,
    })
}

fn sign(end: Option<StepEnd>) -> (&'static str, &'static str, Tone) {
    match end {
        Some(StepEnd::Done) => ("✓", "done", Tone::Good),
        Some(StepEnd::Failed) => ("✗", "failed", Tone::Bad),
        Some(StepEnd::NotRun) => ("↷", "not run", Tone::React),
        None => ("?", "unknown", Tone::Doubt),
    }
}

fn of_step(step: &StepRecord, width: usize, paint: &Paint) -> String {
    let (sign, word, tone) = sign(step.end.as_ref().map(|end| end.end));
    let risky = if step.intent.risky { "  (risky)" } else { "" };
    let mut text = step_line(
        (sign, word, tone),
        &padded(&visible(&step.intent.title), width),
        &format!("{}{risky}", visible(&step.intent.ids.join(", "))),
        paint,
    );
    if let Some(why) = step.end.as_ref().and_then(|end| end.why.as_ref()) {
        text.push_str(&format!("        {}\n", visible(why)));
    }
    text
}

fn step_line((sign, word, tone): (&str, &str, Tone), title: &str, ids: &str, paint: &Paint) -> String {
    let line = format!("    {} {}  {title}  {}", paint.tone(tone, sign), padded(word, 7), paint.tone(Tone::Dim, ids));
    format!("{}\n", line.trim_end())
}

fn of_change(change: &ApprovedChange, paint: &Paint) -> String {
    let fields = if change.fields.is_empty() { String::new() } else { format!(" ({})", change.fields.join(", ")) };
    format!(
        "  {}  {}\n",
        paint.tone(Tone::Bold, &visible(&format!("{} / {}", change.host, change.id))),
        visible(&format!("{}{fields}", change.act))
    )
}

fn hints(run: &Run, follower: Option<&Run>, paint: &Paint) -> String {
    let number = visible(&run.number);
    let open = run.is_unfinished() || !run.not_done().is_empty();
    let resumes = run.start.as_ref().is_some_and(|start| start.verb == RunVerb::Apply);
    let mut lines = Vec::new();
    if run.is_unfinished() {
        lines.push("Nobody saw this run end.".to_owned());
    }
    if let Some(follower) = follower {
        let back = follower.start.as_ref().is_some_and(|start| start.verb == RunVerb::Rollback);
        let word = if back { "takes it back" } else { "goes on with it" };
        lines.push(format!("Run {} {word}.", visible(&follower.number)));
    } else if open && resumes {
        lines.push("`rempart apply --resume` goes on from what the journals prove.".to_owned());
    }
    if waits(run) {
        lines.push("`rempart commit` keeps what the guard holds.".to_owned());
    }
    if run.changed() > 0 || run.is_unfinished() {
        lines.push(format!("`rempart rollback {number}` takes back what it changed."));
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{}\n", lines.iter().map(|line| paint.tone(Tone::React, line)).collect::<Vec<_>>().join("\n"))
}

fn summary_json(run: &Run) -> Value {
    let mut told = json!({ "run": run.number, "began": run.began, "hosts": run.hosts() });
    if let Some(start) = &run.start {
        told["verb"] = json!(start.verb.name());
        told["who"] = json!(start.who);
        told["why"] = json!(start.why);
    }
    told["changed"] = json!(run.changed());
    told["failed"] = json!(run.failed());
    told["ending"] = match run.ending {
        Some(ending) => json!({ "at": ending.at, "exit": ending.exit, "totals": to_json(&ending.totals) }),
        None => Value::Null,
    };
    told
}

/// One run as JSON.
pub fn history_run_json(run: &Run) -> Value {
    let mut told = json!({ "format_version": "1.0", "kind": "history_run" });
    if let (Value::Object(told), Value::Object(more)) = (&mut told, summary_json(run)) {
        told.extend(more);
    }
    if let Some(start) = &run.start {
        for (name, value) in [
            ("playbooks", json!(start.playbooks)),
            ("inventories", json!(start.inventories)),
            ("selection", to_json(&start.selection)),
            ("set_names", json!(start.set_names)),
            ("resumes", json!(start.resumes)),
            ("allowed_lockouts", json!(start.allowed_lockouts)),
            ("approved", to_json(&start.approved)),
        ] {
            told[name] = value;
        }
    }
    told["batches"] = run.batches.iter().map(batch_json).collect();
    told["not_done"] = run.not_done().into_iter().map(to_json).collect();
    told
}

fn batch_json(batch: &BatchRecord) -> Value {
    let steps = batch.steps.iter().map(|step| {
        json!({
            "ids": step.intent.ids,
            "title": step.intent.title,
            "risky": step.intent.risky,
            "end": step.end.as_ref().map_or("unknown", |end| match end.end {
                StepEnd::Done => "done",
                StepEnd::Failed => "failed",
                StepEnd::NotRun => "not_run",
            }),
            "why": step.end.as_ref().and_then(|end| end.why.clone()),
        })
    });
    json!({
        "host": batch.host,
        "batch": batch.number,
        "intent": batch.intent,
        "result": batch.result,
        "armed": batch.armed,
        "guard": batch.guard.map(GuardEnd::name),
        "head": batch.head.as_ref().map(|head| json!({ "seq": head.seq, "hash": head.hash })),
        "steps": steps.collect::<Vec<_>>(),
    })
}
