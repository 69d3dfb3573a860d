//! What real hosts said to every kind, read again without a host: as declared, absent, changed in each field, with the
//! kind's tool failing or printing junk; and each of these cut and garbled in every section.
//!
//! The recordings are made by the tests of `tests/real/tamper.rs`; `make recordings` makes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[allow(dead_code, reason = "what makes recordings is tests/real/tamper.rs, what prints them tests/docs.rs")]
mod recording;

use std::collections::BTreeMap;
use std::fs;

use recording::table::{Recording, Row, Verdict, verdicts};
use recording::{Kind, folder};
use rempart::kinds::KINDS;

/// What says nothing on a host in good order, and to which kind: where ufw is not switched on, the kernel may have no rule
/// at all, and only ufw's files count for one of its rules.
const SILENT: [(&str, &str); 2] = [("firewall_rule", "iptables-save"), ("firewall_rule", "ip6tables-save")];

#[test]
fn no_cell_of_the_table_is_empty() {
    let mut faults = Vec::new();
    for entry in KINDS {
        let question = fs::read_to_string(folder(entry.name).join("recorded/question")).unwrap_or_default();
        if question != Kind::load(entry.name).fingerprint() {
            faults.push(format!("{}: no recordings of what it asks now; `make recordings KIND={0}`", entry.name));
            continue;
        }
        let row = Row::of(entry);
        let names = ["kind", "as declared", "absent", "changed", "failing", "garbled", "scripts"];
        let empty = names.iter().zip(row.cells()).filter(|(_, cell)| cell.is_empty()).map(|(name, _)| *name);
        let empty: Vec<&str> = empty.collect();
        if !empty.is_empty() || !row.unseen.is_empty() {
            faults.push(format!("{}: empty: {empty:?}; not seen: {:?}", entry.name, row.unseen));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn junk_in_an_answer_makes_nothing_better_and_nothing_absent() {
    let mut faults = Vec::new();
    let mut tried = 0;
    for entry in KINDS {
        let kind = Kind::load(entry.name);
        let all = Recording::all(entry.name);
        let applied = all.iter().find(|recording| recording.name == "applied");
        for recording in &all {
            let found = verdicts(&kind, &recording.out, &recording.err);
            let mut told = spoiled(&kind, recording, applied, &found, &mut tried);
            told.truncate(3);
            faults.extend(told.into_iter().map(|fault| format!("{}/{}: {fault}", entry.name, recording.name)));
        }
    }
    assert!(tried > 0 && faults.is_empty(), "{tried} tried, {} faults\n{}", faults.len(), faults.join("\n"));
}

fn spoiled(
    kind: &Kind,
    recording: &Recording,
    applied: Option<&Recording>,
    found: &BTreeMap<String, Verdict>,
    tried: &mut usize,
) -> Vec<String> {
    let out = &recording.out;
    let mut faults = Vec::new();
    let mut judge = |how: &str, out: &[u8]| {
        *tried += 1;
        for (id, now) in verdicts(kind, out, &recording.err) {
            let was = &found[&id];
            let better = now == Verdict::AsDeclared && *was != Verdict::AsDeclared;
            let gone = now == Verdict::Absent && *was != Verdict::Absent;
            // The same verdict is fine: not every resource asks every section.
            if better || gone {
                faults.push(format!("{how} makes of {id}, which was {was:?}: {now:?}"));
            }
        }
    };
    for (frame, name) in kind.frames() {
        let Some((from, to)) = place(out, &frame) else { continue };
        let sound = applied.and_then(|applied| body(&applied.out, &frame));
        for junk in [&b""[..], b"\x00\xff junk\n", b"Segmentation fault\n", b"<html>404</html>\n\n\n"] {
            // Silence is a sound answer of some tools: what a host says where all is as declared is no junk.
            if sound == Some(junk) || (junk.is_empty() && SILENT.contains(&(kind.name(), name.as_str()))) {
                continue;
            }
            let garbled = [&out[..from], junk, &out[to..]].concat();
            judge(&format!("{:?} as {frame}", String::from_utf8_lossy(junk)), &garbled);
        }
        judge(&format!("an end inside of {frame}"), &out[..from]);
    }
    faults
}

/// Where the body of a section begins and ends.
fn place(out: &[u8], frame: &str) -> Option<(usize, usize)> {
    let begin = format!("\nnonce b {frame}\n").into_bytes();
    let from = find(out, &begin)? + begin.len();
    // The newline that ends the mark may begin the next one, where the body is empty.
    let to = from - 1 + find(&out[from - 1..], format!("\nnonce e {frame} ").as_bytes())?;
    Some((from.min(to), to))
}

fn body<'a>(out: &'a [u8], frame: &str) -> Option<&'a [u8]> {
    place(out, frame).map(|(from, to)| &out[from..to])
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
