//! Owns what `history verify` found: each chain on a line, and each place where one does not hold.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::history::Checked;
use crate::report::escape::{padded, visible};
use crate::report::words::count;
use crate::report::{Paint, Tone};

/// What is known of one chain.
#[derive(Debug, Clone)]
pub enum Proof {
    /// It was read; this many of its lines are known to the other side.
    Checked {
        /// What was found.
        checked: Checked,
        /// How many anchors it was compared with.
        anchors: usize,
    },
    /// There is none, and nobody knows of one.
    None,
    /// It could not be read, and why: nothing is known of it.
    Unreachable(String),
}

/// Findings shown of one chain; a file of garbage has one a line.
const SHOWN: usize = 10;

/// Each chain with its name: `whole`, or where it is not.
pub fn proofs(all: &[(String, Proof)], paint: &Paint) -> String {
    let width = all.iter().map(|(name, _)| visible(name).width()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, proof) in all {
        let name = paint.tone(Tone::Bold, &padded(&visible(name), width));
        match proof {
            Proof::Checked { checked, anchors } if checked.is_whole() => {
                let lines = count(usize::try_from(checked.lines).unwrap_or(usize::MAX), "line", "lines");
                let known = match anchors {
                    0 => String::new(),
                    1 => ", and has the 1 line that this controller knows".to_owned(),
                    more => format!(", and has the {more} lines that this controller knows"),
                };
                let whole = paint.tone(Tone::Good, "whole:");
                text.push_str(&format!("{name}  {whole} {lines}, head {}{known}\n", checked.head.hash));
            }
            Proof::Checked { checked, .. } => {
                let all = checked.breaks.len() + usize::try_from(checked.unlisted).unwrap_or(usize::MAX);
                let broken = paint.tone(Tone::Bad, "broken:");
                text.push_str(&format!("{name}  {broken} {}\n", count(all, "finding", "findings")));
                for found in checked.breaks.iter().take(SHOWN) {
                    text.push_str(&format!("  line {}: {}\n", found.line, visible(&found.fault.to_string())));
                }
                if all > SHOWN {
                    text.push_str(&format!("  and {} more\n", all - SHOWN));
                }
            }
            Proof::None => text.push_str(&format!("{name}  there is no journal, and no run here knows of one\n")),
            Proof::Unreachable(why) => {
                let told = paint.tone(Tone::Doubt, "unknown:");
                text.push_str(&format!("{name}  {told} {}\n", visible(why)));
            }
        }
        if let Proof::Checked { checked, .. } = proof
            && let Some(torn) = &checked.torn
        {
            let told = format!(
                "  line {} is incomplete ({} bytes): a crash left it; the next run cuts it off and notes it",
                torn.line, torn.bytes
            );
            text.push_str(&format!("{}\n", paint.tone(Tone::Dim, &told)));
        }
    }
    text
}

/// The same as JSON.
pub fn proofs_json(all: &[(String, Proof)]) -> Value {
    let chains = all.iter().map(|(name, proof)| match proof {
        Proof::Checked { checked, anchors } => json!({
            "chain": name,
            "state": if checked.is_whole() { "whole" } else { "broken" },
            "lines": checked.lines,
            "head": { "seq": checked.head.seq, "hash": checked.head.hash },
            "anchors": anchors,
            "breaks": checked.breaks.iter().map(|found| json!({
                "line": found.line,
                "what": found.fault.to_string(),
            })).collect::<Vec<_>>(),
            "unlisted_breaks": checked.unlisted,
            "torn": checked.torn.as_ref().map(|torn| json!({
                "line": torn.line,
                "bytes": torn.bytes,
                "sha256": torn.sha256,
            })),
        }),
        Proof::None => json!({ "chain": name, "state": "none" }),
        Proof::Unreachable(why) => json!({ "chain": name, "state": "unknown", "why": why }),
    });
    json!({ "format_version": "1.0", "kind": "history_verify", "chains": chains.collect::<Vec<_>>() })
}
