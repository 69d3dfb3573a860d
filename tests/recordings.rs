//! What real hosts said to every kind, read again without a host: as declared, absent, changed in each field, with the
//! kind's tool failing or printing junk; and each of these cut and garbled in every section.
//!
//! The recordings are made by the tests of `tests/real/tamper.rs`; `make recordings` makes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[allow(dead_code, reason = "what makes recordings is tests/real/tamper.rs")]
mod recording;

use std::collections::BTreeMap;
use std::fs;

use recording::{Kind, folder};
use rempart::kinds::KINDS;
use rempart::resource::{Desired, FieldValue, Resource, Seen};

/// What a recording shows of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    AsDeclared,
    Absent,
    Unwanted,
    Differs(Vec<String>),
    Unknown,
}

fn verdict(resource: &dyn Resource, seen: &Seen) -> Verdict {
    match (resource.desired(), seen) {
        (_, Seen::Unknown(_) | Seen::NotYet { .. }) => Verdict::Unknown,
        (Desired::Absent, Seen::Absent) => Verdict::AsDeclared,
        (Desired::Absent, Seen::Present(_)) => Verdict::Unwanted,
        (Desired::Present(_), Seen::Absent) => Verdict::Absent,
        (Desired::Present(wanted), Seen::Present(seen)) => {
            let agrees =
                |(name, value): &(&String, &FieldValue)| seen.get(*name).is_some_and(|seen| value.agrees_with(seen));
            let differing = wanted.iter().filter(|field| !agrees(field)).map(|(name, _)| name.clone());
            let differing: Vec<String> = differing.collect();
            if differing.is_empty() { Verdict::AsDeclared } else { Verdict::Differs(differing) }
        }
    }
}

struct Recording {
    name: String,
    out: Vec<u8>,
    err: Vec<u8>,
}

fn recordings(kind: &str) -> Vec<Recording> {
    let folder = folder(kind).join("recorded");
    let files = fs::read_dir(&folder)
        .map(|files| files.map(|file| file.unwrap().path()).collect())
        .unwrap_or_else(|_| Vec::new());
    let mut found: Vec<Recording> = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "out"))
        .map(|path| Recording {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            out: fs::read(&path).unwrap(),
            err: fs::read(path.with_extension("err")).unwrap_or_default(),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn verdicts(kind: &Kind, out: &[u8], err: &[u8]) -> BTreeMap<String, Verdict> {
    let seen = kind.seen(out.to_vec(), err.to_vec());
    kind.resources()
        .iter()
        .zip(&seen)
        .map(|(resource, seen)| (resource.id().to_string(), verdict(*resource, seen)))
        .collect()
}

fn header(script: &str, word: &str) -> Option<String> {
    let mark = format!("# {word}: ");
    script.lines().find_map(|line| line.strip_prefix(&mark)).map(|value| value.trim().to_owned())
}

/// What is wrong with the recordings of a kind.
fn faults(name: &str) -> Vec<String> {
    let kind = Kind::load(name);
    let question = fs::read_to_string(folder(name).join("recorded/question")).unwrap_or_default();
    if question != kind.fingerprint() {
        return vec![format!("{name}: there are no recordings of what it asks now; `make recordings` makes them")];
    }
    let mut faults = Vec::new();
    let mut absent = false;
    for Recording { name: stem, out, err } in recordings(name) {
        let found = verdicts(&kind, &out, &err);
        absent |= found.values().any(|verdict| *verdict == Verdict::Absent);
        let script = fs::read_to_string(folder(name).join(format!("{stem}.sh"))).unwrap_or_default();
        let of = header(&script, "expect").and_then(|id| found.get(&id).cloned());
        let good = match (stem.as_str(), &of) {
            ("bare", _) => true,
            ("applied", _) => found.values().all(|verdict| *verdict == Verdict::AsDeclared),
            ("failing" | "garbled", Some(verdict)) => *verdict == Verdict::Unknown,
            // A script may hit what another kind answers for.
            (_, None) => !header(&script, "expect").is_some_and(|id| id.starts_with(&format!("{name}:"))),
            (_, Some(Verdict::Absent | Verdict::Unwanted)) => true,
            (_, Some(Verdict::Differs(fields))) => header(&script, "field").is_none_or(|field| {
                fields.iter().any(|known| *known == field || known.starts_with(&format!("{field}.")))
            }),
            _ => false,
        };
        if !good {
            faults.push(format!("{name}/{stem}: {found:?}"));
        }
        faults.extend(
            spoiled(&kind, &stem, &out, &err, &found).into_iter().map(|fault| format!("{name}/{stem}: {fault}")),
        );
    }
    let can_be_absent = kind.resources().iter().any(|resource| matches!(resource.desired(), Desired::Absent));
    if can_be_absent && !absent {
        faults.push(format!("{name}: no recording in which something that should be there is absent"));
    }
    faults
}

/// Junk in place of a section, or an answer that is cut, may make things unknown; never better than they are, and what
/// is there never absent.
fn spoiled(kind: &Kind, stem: &str, out: &[u8], err: &[u8], found: &BTreeMap<String, Verdict>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut judge = |how: &str, out: &[u8]| {
        for (id, now) in verdicts(kind, out, err) {
            let was = &found[&id];
            let better = now == Verdict::AsDeclared && *was != Verdict::AsDeclared;
            let gone = now == Verdict::Absent && *was != Verdict::Absent;
            // A command's condition is its status alone, and stays what it was.
            if better || gone {
                faults.push(format!("{how} makes of {id}, which was {was:?}: {now:?}"));
            }
        }
    };
    for frame in kind.frames() {
        let (begin, end) = (format!("\nnonce b {frame}\n").into_bytes(), format!("\nnonce e {frame} ").into_bytes());
        let (Some(from), Some(to)) = (find(out, &begin).map(|at| at + begin.len()), find(out, &end)) else {
            assert!(!matches!(stem, "applied"), "no {frame} in {stem}");
            continue;
        };
        for junk in [&b""[..], b"\x00\xff junk\n", b"Segmentation fault\n", b"<html>404</html>\n\n\n"] {
            let garbled = [&out[..from], junk, &out[to..]].concat();
            judge(&format!("{junk:?} as {frame}"), &garbled);
        }
        judge(&format!("an end inside of {frame}"), &out[..from]);
    }
    faults
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[test]
fn what_real_hosts_said_is_understood_and_junk_is_not() {
    let all: Vec<String> = KINDS.iter().flat_map(|entry| faults(entry.name)).collect();
    assert!(all.is_empty(), "{} faults\n{}", all.len(), all.join("\n"));
}
