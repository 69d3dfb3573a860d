//! Owns `journal.head`: what it says about the end of the journal, and whether the journal agrees.
//!
//! Pure. A line is synced before the head is, so a crash in between leaves a head that is one line behind; a head that
//! is ahead of its journal means that lines were cut off.

use super::chain::{Checked, Fault, Head, is_hash, link, split};

/// `SEQ HASH`, as the file holds it.
pub(super) fn head_text(head: &Head) -> String {
    format!("{} {}\n", head.seq, head.hash)
}

/// What the file says; `None` if it is not one line of this shape.
pub(super) fn read_head(text: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(text).ok()?;
    let (seq, hash) = text.strip_suffix('\n')?.split_once(' ')?;
    let seq: u64 = seq.parse().ok().filter(|number: &u64| number.to_string() == seq)?;
    is_hash(hash).then(|| Head { seq, hash: hash.to_owned() })
}

/// Compares a chain with what `journal.head` says (`None`: there is no such file). The head's number must have been
/// watched.
pub(super) fn compare_head(checked: &mut Checked, file: Option<&[u8]>) {
    let end = checked.lines + 1;
    let Some(file) = file else {
        // The very first line was written, and then something crashed.
        if checked.lines > 1 {
            checked
                .add(end, Fault::HeadFile("journal.head was removed, so nobody knows whether lines are missing here"));
        }
        return;
    };
    let Some(head) = read_head(file) else {
        checked.add(end, Fault::HeadFile("journal.head was changed: it cannot be read"));
        return;
    };
    let last = checked.last();
    if head.seq > *last.end() {
        checked.add(end, Fault::CutOff { last: checked.head.seq, known: head.seq, witness: "journal.head".into() });
    } else if head.seq.saturating_add(1) < *last.start() {
        checked.add(end, Fault::HeadFile("journal.head was changed: it names a line that is not the last one"));
    } else if head.seq > 0 && checked.has(head.seq, &head.hash) == Some(false) {
        checked.add(head.seq, Fault::Rewritten { witness: "journal.head".into(), later: 0 });
    }
}

/// What stands behind the line that a head names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// One whole line that follows: a crash came before the head was written.
    OneLine(Head),
    /// What a crash left of a line: it never was a whole one.
    Torn,
    /// More than a crash can leave.
    TooMuch,
}

/// Judges the bytes behind the head's line.
pub(super) fn behind(head: &Head, bytes: &[u8]) -> Behind {
    if bytes.is_empty() {
        return Behind::Nothing;
    }
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return Behind::Torn };
    if at + 1 < bytes.len() {
        // A crash leaves one line at most. Blocks that the disk never got may read as anything, but not as a line.
        let first_follows = follows(head, &bytes[..at]).is_some();
        let is_line = bytes.split(|byte| *byte == b'\n').any(|line| split(line).is_some());
        return if first_follows || is_line { Behind::TooMuch } else { Behind::Torn };
    }
    match follows(head, &bytes[..at]) {
        Some(next) => Behind::OneLine(next),
        // A whole line of this chain's shape that does not follow is no accident.
        None if split(&bytes[..at]).is_some() => Behind::TooMuch,
        None => Behind::Torn,
    }
}

fn follows(head: &Head, line: &[u8]) -> Option<Head> {
    let line = split(line)?;
    let fits = line.seq == head.seq + 1 && link(&head.hash, line.rest) == line.hash;
    fits.then(|| Head { seq: line.seq, hash: line.hash.to_owned() })
}
