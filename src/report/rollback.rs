//! Owns the views of what is taken back: the plan of a rollback, and what became of checkpoints.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::visible;
use super::words::count;
use super::{Paint, RunView, Tone, run_json};
use crate::engine::{BackStep, Checkpoint, NoPast, PastWork, WayBack};
use crate::model::HostName;
use crate::resource::Touch;
use crate::transport::TransportError;

/// What will be put back, host by host, latest step first.
pub fn rollback(run: &str, work: &BTreeMap<HostName, PastWork>, paint: &Paint) -> String {
    let mut text = format!("Taking back run {}, latest step first:\n", visible(run));
    let mut totals = [0; 4];
    for (host, past) in work {
        text.push_str(&format!("\n{}\n", paint.tone(Tone::Bold, &visible(host.as_str()))));
        match past {
            Err(why) => {
                text.push_str(&format!("  {}\n", paint.tone(Tone::Bad, &format!("? {}", visible(&why.to_string())))))
            }
            Ok(steps) if steps.is_empty() => text.push_str("  nothing was begun on it\n"),
            Ok(steps) => {
                for step in steps {
                    let (at, line) = told(step, paint);
                    totals[at] += 1;
                    text.push_str(&line);
                }
            }
        }
    }
    let [restored, same, changed, stays] = totals;
    text.push_str(&format!("\nRollback: {} to put back, {same} as before already", count(restored, "step", "steps")));
    for (number, words) in [(changed, "changed since"), (stays, "cannot be taken back")] {
        if number > 0 {
            text.push_str(&format!(", {number} {words}"));
        }
    }
    text.push_str(".\n");
    text
}

/// What is said of a step that installs packages, never ended, and is put back; nothing of any other.
pub fn purged(step: &BackStep) -> String {
    if !matches!(step.way, WayBack::Restore { interrupted: true, .. }) || !step.touches.contains(&Touch::Packages) {
        return String::new();
    }
    let mut text = " (what it brought is purged, with its data".to_owned();
    if !step.emptied.is_empty() {
        let files: Vec<String> = step.emptied.iter().take(3).map(|file| visible(file)).collect();
        let more = step.emptied.len() - files.len();
        text.push_str(&format!(", since it came out empty: {}", files.join(", ")));
        if more > 0 {
            text.push_str(&format!(" and {}", count(more, "other file", "other files")));
        }
    }
    text.push(')');
    text
}

fn told(step: &BackStep, paint: &Paint) -> (usize, String) {
    let title = visible(&step.title);
    let list = |what: &[String]| what.iter().map(|touch| visible(touch)).collect::<Vec<_>>().join("; ");
    let risky = if step.risky { "  (guarded)" } else { "" };
    let (at, tone, mark, more) = match &step.way {
        WayBack::Restore { what, interrupted, over } => {
            let end = if *interrupted { format!("it never ended{}; ", purged(step)) } else { String::new() };
            let what = if what.is_empty() { "what a later step changed".to_owned() } else { list(what) };
            match over.is_empty() {
                true => (0, Tone::Change, "~", format!("{end}{what}")),
                false => (0, Tone::Bad, "~", format!("{end}{what}, OVER what was changed since: {}", list(over))),
            }
        }
        WayBack::AsBefore => (1, Tone::Dim, "=", "as before already".to_owned()),
        WayBack::Changed { what } => (2, Tone::Bad, "!", format!("changed since: {}", list(what))),
        WayBack::Secret => {
            let why =
                "it held a secret, then or since, and nothing of that was kept; `rempart apply` writes the present one";
            (3, Tone::React, "\u{2717}", why.to_owned())
        }
        WayBack::Never { why } => (3, Tone::React, "\u{2717}", format!("cannot be taken back: {}", visible(why))),
    };
    (at, format!("  {} {title}{risky}\n      {more}\n", paint.tone(tone, mark)))
}

/// The same as JSON, with the run that did it, if one did.
pub fn rollback_json(run: &str, work: &BTreeMap<HostName, PastWork>, done: Option<&RunView<'_>>) -> Value {
    let hosts: Vec<Value> = work
        .iter()
        .map(|(host, past)| match past {
            Ok(steps) => json!({ "host": host, "steps": steps }),
            Err(NoPast::Unreachable(why)) => json!({ "host": host, "unreachable": why }),
            Err(NoPast::Untold(why)) => json!({ "host": host, "unknown": why }),
        })
        .collect();
    let mut told = json!({ "format_version": "1.0", "kind": "rollback", "of": run, "hosts": hosts });
    if let Some(view) = done {
        told["run"] = run_json(view);
    }
    told
}

/// What became of checkpoints; hosts without one are not named.
pub fn checkpoints(settled: &BTreeMap<HostName, Result<Checkpoint, TransportError>>, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, end) in settled {
        let (tone, mark, words) = match end {
            Ok(Checkpoint::None) => continue,
            Ok(Checkpoint::Confirmed { not_by: None }) => {
                (Tone::Good, "\u{2713}", "confirmed: the change stays".to_owned())
            }
            Ok(Checkpoint::Confirmed { not_by: Some(way) }) => {
                let told = format!(
                    "confirmed: the change stays; the run came by {}, which the inventory does not list any more",
                    visible(way)
                );
                (Tone::Good, "\u{2713}", told)
            }
            Ok(Checkpoint::Apart { way, why }) => (Tone::Bad, "\u{2717}", visible(&apart(way, why))),
            Ok(Checkpoint::TakenBack { whole: true }) => (Tone::Change, "~", "taken back: all is as before".to_owned()),
            Ok(Checkpoint::TakenBack { whole: false }) => {
                (Tone::Bad, "\u{2717}", "taken back, but not all is as before; the next plan says what".to_owned())
            }
            Ok(Checkpoint::Busy(why)) => (Tone::Bad, "?", visible(why)),
            Err(error) => (Tone::Bad, "\u{2717}", visible(&error.to_string())),
        };
        text.push_str(&format!("{} {}: {words}\n", paint.tone(tone, mark), visible(host.as_str())));
    }
    if text.is_empty() { "No checkpoint waits.\n".to_owned() } else { text }
}

fn apart(way: &str, why: &str) -> String {
    format!(
        "not confirmed: the run came by {way}, which does not lead in ({why}); if it is to be closed, take it from \
         `connect` and commit again, else the host takes the change back"
    )
}

/// The same as JSON.
pub fn checkpoints_json(settled: &BTreeMap<HostName, Result<Checkpoint, TransportError>>) -> Value {
    let hosts: Vec<Value> = settled
        .iter()
        .map(|(host, end)| {
            let (state, why) = match end {
                Ok(Checkpoint::None) => ("none", None),
                Ok(Checkpoint::Confirmed { not_by }) => {
                    ("confirmed", not_by.as_ref().map(|way| format!("the run came by {way}, which is no way any more")))
                }
                Ok(Checkpoint::Apart { way, why }) => ("waiting", Some(apart(way, why))),
                Ok(Checkpoint::TakenBack { whole: true }) => ("taken_back", None),
                Ok(Checkpoint::TakenBack { whole: false }) => ("taken_back", Some("not all is as before".to_owned())),
                Ok(Checkpoint::Busy(why)) => ("unknown", Some(why.clone())),
                Err(error) => ("unreachable", Some(error.to_string())),
            };
            let mut told = json!({ "host": host, "checkpoint": state });
            if let Some(why) = why {
                told["why"] = json!(why);
            }
            told
        })
        .collect();
    json!({ "format_version": "1.0", "kind": "checkpoints", "hosts": hosts })
}
