//! Owns what hosts remember of earlier runs, in words: a run without an end, and a change that a host took back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::visible;
use super::words::utc;
use super::{Paint, Tone};
use crate::engine::HostNote;
use crate::model::HostName;

/// What the hosts remember, by host.
pub type Notes = BTreeMap<HostName, HostNote>;

/// The log of a run on a host, as far as it goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Past {
    finished: Vec<String>,
    failed: Vec<String>,
    output: Vec<String>,
    not_begun: Vec<String>,
    open: Option<String>,
}

/// One paragraph a note; nothing for none.
pub fn notes(notes: &Notes, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, note) in notes {
        let mark = paint.tone(Tone::Change, &format!("! {}", visible(host.as_str())));
        if let Some((when, by)) = &note.healed {
            let why = match by.as_str() {
                "boot" => "it was started anew before anybody confirmed the change",
                "timer" => "nobody confirmed the change in time, or a risky step failed",
                other => &format!("by {}", visible(other)),
            };
            text.push_str(&format!("{mark}: took a change back by itself on {}: {why}\n", utc(*when)));
        }
        if let Some((run, log)) = &note.unfinished {
            text.push_str(&format!("{mark}: nobody saw the end of run {}\n", visible(run)));
            let past = past(log);
            let mut tell = |what: &str, titles: &[String]| {
                if !titles.is_empty() {
                    text.push_str(&format!("    {what}: {}\n", titles.join("; ")));
                }
            };
            tell("finished", &past.finished);
            tell("failed", &past.failed);
            tell("not begun", &past.not_begun);
            tell("begun, end unknown", past.open.as_slice());
            for line in &past.output {
                text.push_str(&format!("    | {line}\n"));
            }
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
            if let Some((when, by)) = &note.healed {
                told["healed"] = json!({ "at": utc(*when), "by": by });
            }
            if let Some((run, log)) = &note.unfinished {
                let past = past(log);
                told["unfinished"] = json!({
                    "run": run, "finished": past.finished, "failed": past.failed, "not_begun": past.not_begun,
                    "open": past.open, "output": past.output,
                });
            }
            told
        })
        .collect()
}

// The words are those of engine/runner.sh. A host's log may begin in the middle, so a title may be unknown.
fn past(log: &[String]) -> Past {
    let mut past = Past::default();
    let mut titles: BTreeMap<&str, String> = BTreeMap::new();
    let mut printed = Vec::new();
    for line in log {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let title = |titles: &BTreeMap<&str, String>| {
            titles.get(number).cloned().unwrap_or_else(|| format!("step {}", visible(number)))
        };
        match word {
            "start" => {
                titles.insert(number, visible(rest));
                past.open = Some(visible(rest));
                printed.clear();
            }
            "done" => {
                past.finished.push(title(&titles));
                past.open = None;
            }
            "fail" => {
                past.failed.push(title(&titles));
                past.output.append(&mut printed);
                past.open = None;
            }
            "skip" | "hold" => past.not_begun.push(title(&titles)),
            ">" => printed.push(visible(line.get(2..).unwrap_or(""))),
            // Numbers begin anew in the next batch.
            "end" => titles.clear(),
            _ => {}
        }
    }
    past
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Notes {
        let log = "start 0 write /etc/a\ndone 0\nend 1\nstart 0 write /etc/b\n> no\x1b[2J space\nfail 0 1\nskip 1 0\nend 2\nstart 0 install x";
        let log = log.lines().map(str::to_owned).collect();
        BTreeMap::from([
            (HostName::new("web1"), HostNote { unfinished: Some(("r7".into(), log)), healed: None }),
            (HostName::new("web2"), HostNote { unfinished: None, healed: Some((1_772_368_245, "boot".into())) }),
        ])
    }

    #[test]
    fn notes_say_what_was_done_and_what_was_not() {
        insta::assert_snapshot!(notes(&remembered(), &Paint::PLAIN), @r"
        ! web1: nobody saw the end of run r7
            finished: write /etc/a
            failed: write /etc/b
            not begun: step 1
            begun, end unknown: install x
            | no\u{1b}[2J space
        ! web2: took a change back by itself on 2026-03-01 12:30:45 UTC: it was started anew before anybody confirmed the change
        ");
    }

    #[test]
    fn notes_as_json() {
        insta::assert_snapshot!(notes_json(&remembered()).to_string(), @r#"[{"host":"web1","unfinished":{"run":"r7","finished":["write /etc/a"],"failed":["write /etc/b"],"not_begun":["step 1"],"open":"install x","output":["no\\u{1b}[2J space"]}},{"host":"web2","healed":{"at":"2026-03-01 12:30:45 UTC","by":"boot"}}]"#);
    }
}
