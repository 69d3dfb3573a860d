//! Owns what hosts have to tell besides their resources, in words: a run without an end, a change that a host took back,
//! and the way to it where that was not the first.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::visible;
use super::{Paint, Tone};
use crate::engine::{HostNote, PastLine};
use crate::model::{HostName, utc};
use crate::transport::Entry;

/// What the hosts remember, by host.
pub type Notes = BTreeMap<HostName, HostNote>;

/// The log of a run on a host, as far as it goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Past {
    finished: Vec<String>,
    failed: Vec<String>,
    not_begun: Vec<String>,
    open: Option<String>,
}

/// One paragraph a note; nothing for none.
pub fn notes(notes: &Notes, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, note) in notes {
        let mark = paint.tone(Tone::Change, &format!("! {}", visible(host.as_str())));
        if let Some(entry) = &note.entry {
            text.push_str(&format!("{mark}: reached as {}, not by its first way\n", visible(&entry.way)));
            for passed in &entry.passed {
                text.push_str(&format!("    {}: {}\n", visible(&passed.way), visible(&passed.why)));
            }
        }
        if let Some(holder) = &note.held {
            let since = holder.since.map(|since| format!(" since {}", utc(since))).unwrap_or_default();
            let (run, who, why) = (visible(&holder.run), visible(&holder.who), visible(&holder.why));
            text.push_str(&format!("{mark}: run {run} by {who} is at work on it{since} ({why})\n"));
        }
        if let Some((since, person)) = &note.waiting {
            let since = utc(*since);
            text.push_str(&if person.is_empty() {
                format!("{mark}: a risky change waits to be confirmed since {since}; unconfirmed, it is taken back\n")
            } else {
                format!(
                    "{mark}: a checkpoint waits since {since} for `rempart commit` or `rempart rollback` ({})\n",
                    visible(person)
                )
            });
        }
        if let Some(healed) = &note.healed {
            let why = match healed.by.as_str() {
                "boot" => "it was started anew before anybody confirmed the change",
                "timer" => "nobody confirmed the change in time",
                "step" => "a risky step failed",
                "person" => "a person said so",
                other => &format!("by {}", visible(other)),
            };
            let itself = if healed.by == "person" { "" } else { " by itself" };
            text.push_str(&format!("{mark}: took a change back{itself} on {}: {why}\n", utc(healed.at)));
            if !healed.differs.is_empty() {
                let left: Vec<String> = healed.differs.iter().map(|touch| visible(touch)).collect();
                text.push_str(&format!("    not as before: {}\n", left.join("; ")));
            }
        }
        if let Some(unfinished) = &note.unfinished {
            text.push_str(&format!("{mark}: nobody saw the end of run {}\n", visible(&unfinished.run)));
            let past = past(&unfinished.lines);
            let mut tell = |what: &str, titles: &[String]| {
                if !titles.is_empty() {
                    text.push_str(&format!("    {what}: {}\n", titles.join("; ")));
                }
            };
            tell("finished", &past.finished);
            tell("failed", &past.failed);
            tell("not begun", &past.not_begun);
            tell("begun, end unknown", past.open.as_slice());
        }
    }
    text
}

/// The notes as JSON, in the order of the hosts' names.
pub fn notes_json(notes: &Notes) -> Value {
    notes
        .iter()
        .map(|(host, note)| {
            let mut told = json!({ "host": host });
            if let Some(entry) = &note.entry {
                told["entry"] = entry_json(entry);
            }
            if let Some(holder) = &note.held {
                told["held"] = json!({
                    "run": holder.run, "who": holder.who, "since": holder.since.map(utc), "why": holder.why,
                });
            }
            if let Some((since, person)) = &note.waiting {
                told["waiting"] = json!({ "since": utc(*since), "person": person });
            }
            if let Some(healed) = &note.healed {
                told["healed"] = json!({ "at": utc(healed.at), "by": healed.by });
                if !healed.differs.is_empty() {
                    told["healed"]["differs"] = json!(healed.differs);
                }
            }
            if let Some(unfinished) = &note.unfinished {
                let past = past(&unfinished.lines);
                told["unfinished"] = json!({
                    "run": unfinished.run, "finished": past.finished, "failed": past.failed,
                    "not_begun": past.not_begun, "open": past.open,
                });
            }
            told
        })
        .collect()
}

/// The way that let us in as JSON.
pub(super) fn entry_json(entry: &Entry) -> Value {
    let passed: Vec<Value> =
        entry.passed.iter().map(|passed| json!({ "way": passed.way, "why": passed.why })).collect();
    json!({ "way": entry.way, "passed": passed })
}

// The words are those of docs/history.md. What a host tells may begin in the middle, so a title may be unknown.
fn past(lines: &[PastLine]) -> Past {
    let mut past = Past::default();
    let mut titles: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for line in lines {
        let key = (line.batch.as_str(), line.step.as_str());
        let title = |titles: &BTreeMap<(&str, &str), String>| {
            titles.get(&key).cloned().unwrap_or_else(|| format!("step {}.{}", visible(key.0), visible(key.1)))
        };
        match line.word.as_str() {
            "intent" => {
                let title = visible(line.subject().1);
                titles.insert(key, title.clone());
                past.open = Some(title);
            }
            "done" => {
                past.finished.push(title(&titles));
                past.open = None;
            }
            "fail" => {
                past.failed.push(title(&titles));
                past.open = None;
            }
            "skip" | "hold" => past.not_begun.push(title(&titles)),
            _ => {}
        }
    }
    past
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Healed, Holder, PastRun};
    use crate::transport::Passed;

    fn remembered() -> Notes {
        let line = |text: &str| {
            let mut parts = text.split('/').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            PastLine { batch: next(), word: next(), step: next(), text: next() }
        };
        let lines = [
            "1/intent/0/file:a | write a",
            "1/done/0",
            "2/intent/0/file:b | write b\x1b[2J",
            "2/fail/0/1",
            "2/skip/1/0",
            "3/intent/0/x | install x",
        ];
        let unfinished = Some(PastRun { run: "r7".into(), lines: lines.into_iter().map(line).collect() });
        let healed = Some(Healed { at: 1_772_368_245, by: "boot".into(), differs: vec!["path /etc/x".into()] });
        let held = Some(Holder { run: "r8".into(), who: "eve@desk".into(), since: Some(0), why: "site.yaml".into() });
        let passed = Passed { way: "admin@192.0.2.4:22".into(), why: "connection refused\x1b[2J".into() };
        let entry = Some(Entry { at: 1, way: "root@192.0.2.4:2222".into(), passed: vec![passed] });
        let waiting = Some((1_772_368_245, "bob@desk: site.yaml".into()));
        BTreeMap::from([
            (HostName::new("web1"), HostNote { unfinished, ..HostNote::default() }),
            (HostName::new("web2"), HostNote { healed, ..HostNote::default() }),
            (HostName::new("web3"), HostNote { held, waiting, ..HostNote::default() }),
            (HostName::new("web4"), HostNote { entry, ..HostNote::default() }),
        ])
    }

    #[test]
    fn notes_say_what_was_done_and_what_was_not() {
        insta::assert_snapshot!(notes(&remembered(), &Paint::PLAIN), @r"
        ! web1: nobody saw the end of run r7
            finished: write a
            failed: write b\u{1b}[2J
            not begun: step 2.1
            begun, end unknown: install x
        ! web2: took a change back by itself on 2026-03-01 12:30:45 UTC: it was started anew before anybody confirmed the change
            not as before: path /etc/x
        ! web3: run r8 by eve@desk is at work on it since 1970-01-01 00:00:00 UTC (site.yaml)
        ! web3: a checkpoint waits since 2026-03-01 12:30:45 UTC for `rempart commit` or `rempart rollback` (bob@desk: site.yaml)
        ! web4: reached as root@192.0.2.4:2222, not by its first way
            admin@192.0.2.4:22: connection refused\u{1b}[2J
        ");
    }

    #[test]
    fn notes_as_json() {
        insta::assert_snapshot!(notes_json(&remembered()).to_string(), @r#"[{"host":"web1","unfinished":{"run":"r7","finished":["write a"],"failed":["write b\\u{1b}[2J"],"not_begun":["step 2.1"],"open":"install x"}},{"host":"web2","healed":{"at":"2026-03-01 12:30:45 UTC","by":"boot","differs":["path /etc/x"]}},{"host":"web3","held":{"run":"r8","who":"eve@desk","since":"1970-01-01 00:00:00 UTC","why":"site.yaml"},"waiting":{"since":"2026-03-01 12:30:45 UTC","person":"bob@desk: site.yaml"}},{"host":"web4","entry":{"way":"root@192.0.2.4:2222","passed":[{"way":"admin@192.0.2.4:22","why":"connection refused\u001b[2J"}]}}]"#);
    }
}
