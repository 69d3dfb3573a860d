//! Owns the chain of a journal: how a line is sealed to the one before it, and how a change is found.
//!
//! Pure. Every line is `HASH TAB rest`; `rest` begins with the line's number and a tab. HASH is the SHA-256 of the
//! previous line's HASH, a tab and `rest`. Must not know what else a line says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

/// What stands in the place of a hash before the first line.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// More breaks than this are counted and not listed.
const MOST_BREAKS: usize = 1000;
/// Ways on that are tried after a break; a file of nothing but breaks must not make this grow.
const MOST_WAYS: usize = 6;

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The hash of a line, from the previous line's hash and what stands after this line's first tab.
pub fn link(previous: &str, rest: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(previous.as_bytes());
    hasher.update(b"\t");
    hasher.update(rest);
    hex(&hasher.finalize())
}

/// A line of the chain, without its newline. `rest` begins with the line's number and a tab, and holds no newline.
pub fn seal(previous: &str, rest: &str) -> String {
    debug_assert!(!rest.contains('\n'), "a line of a journal is one line");
    format!("{}\t{rest}", link(previous, rest.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// A line taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The hash that it states.
    pub hash: &'a str,
    /// The number that it states.
    pub seq: u64,
    /// All after the first tab: what is hashed.
    pub rest: &'a [u8],
}

/// Takes a line (without its newline) apart; `None` if it has not the shape of one.
pub fn split(line: &[u8]) -> Option<Line<'_>> {
    let hash = stated(line)?;
    let rest = line.get(65..).filter(|_| line[64] == b'\t')?;
    let digits = rest.split(|byte| *byte == b'\t').next()?;
    let seq = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(Line { hash, seq: seq.parse().ok()?, rest })
}

/// Whether this is a hash as journals write them.
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn stated(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line.get(..64)?).ok().filter(|hash| is_hash(hash))
}

/// The end of a chain: number and hash of its last line. An empty chain ends at number 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number.
    pub seq: u64,
    /// The hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: FIRST.to_owned() }
    }
}

/// One place where a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The line of the file, from 1; the one after the last where something is missing at the end.
    pub line: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong; [`fmt::Display`] says it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The line is not the one that was written here.
    Changed,
    /// Lines before this one are gone.
    Gap {
        /// The number that should stand here.
        wanted: u64,
        /// The one that does.
        found: u64,
    },
    /// A line that should have come earlier, or came already.
    OutOfOrder {
        /// The number that should stand here.
        wanted: u64,
        /// The one that does.
        found: u64,
    },
    /// It has not the shape of a line.
    Garbled,
    /// Lines at the end are gone.
    CutOff {
        /// The last number that is there.
        last: u64,
        /// The last one that is known to have been there.
        known: u64,
        /// Who knows it.
        witness: String,
    },
    /// The chain holds in itself, but this line was another one once.
    Rewritten {
        /// Who knows it.
        witness: String,
        /// How many later lines are not what they were, either.
        later: usize,
    },
    /// The file that says where the chain ends is not usable, in words.
    HeadFile(&'static str),
    /// There is no journal, and there must be one.
    NoJournal {
        /// Who knows it.
        witness: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Changed => f.write_str("it was changed or moved: its hash does not follow from the line before"),
            Fault::Gap { wanted, found } if *found == wanted + 1 => {
                write!(f, "a line was removed before it: number {wanted} should stand here, and it is {found}")
            }
            Fault::Gap { wanted, found } => write!(
                f,
                "{} lines were removed before it: number {wanted} should stand here, and it is {found}",
                found - wanted
            ),
            Fault::OutOfOrder { wanted, found } => {
                write!(f, "it was moved or doubled: number {wanted} should stand here, and it is {found}")
            }
            Fault::Garbled => f.write_str("it was changed: it cannot be read as a line of a journal"),
            Fault::CutOff { last, known, witness } => {
                write!(f, "the end was cut off: {witness} knows line {known}, and the last one here is {last}")
            }
            Fault::Rewritten { witness, later: 0 } => write!(f, "it was rewritten: {witness} knows another line here"),
            Fault::Rewritten { witness, later } => {
                write!(f, "it was rewritten: {witness} knows another line here, and {later} others after it")
            }
            Fault::HeadFile(what) => f.write_str(what),
            Fault::NoJournal { witness } => write!(f, "there is no journal, and {witness} knows lines of it"),
        }
    }
}

/// What stands behind the last newline: a line that a crash left incomplete. The next append cuts it off and notes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The line of the file, from 1.
    pub line: u64,
    /// How many bytes there are.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// What somebody else remembers of a chain: that it had this line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The line's number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The run in which it was remembered.
    pub run: String,
}

/// What a look at a whole chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many whole lines there are.
    pub lines: u64,
    /// Where the chain ends.
    pub head: Head,
    /// Where it does not hold, in the order of the file.
    pub breaks: Vec<Break>,
    /// How many more breaks there are than listed.
    pub unlisted: u64,
    /// An incomplete last line; no break in itself.
    pub torn: Option<Torn>,
    // The hashes of the lines that were to be remembered; a changed line has several that may have been its own.
    watched: BTreeMap<u64, Vec<String>>,
    // The number that the last line should have; another one than it states if that was changed.
    wanted: u64,
}

impl Checked {
    /// Whether nothing was found. An incomplete last line is no finding.
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }

    /// Whether one of the lines that were to be watched has this hash; `None` if it is not there.
    pub fn has(&self, seq: u64, hash: &str) -> Option<bool> {
        self.watched.get(&seq).map(|hashes| hashes.iter().any(|known| known == hash))
    }

    /// Adds a finding that the chain itself does not show.
    pub fn add(&mut self, line: u64, fault: Fault) {
        if self.breaks.len() < MOST_BREAKS {
            self.breaks.push(Break { line, fault });
        } else {
            self.unlisted += 1;
        }
    }

    /// The number of the last line, if some other one is not to be told twice: it has been found that the line's number
    /// is not the one that should stand there, and either may be right.
    pub(super) fn last(&self) -> std::ops::RangeInclusive<u64> {
        self.head.seq.min(self.wanted)..=self.head.seq.max(self.wanted)
    }

    /// Compares with what somebody else remembers. The anchors' lines must have been watched.
    pub fn compare(&mut self, anchors: &[Anchor], witness: impl Fn(&Anchor) -> String) {
        let mut others: Vec<&Anchor> = Vec::new();
        let last = anchors.iter().max_by_key(|anchor| anchor.seq);
        for anchor in anchors.iter().filter(|anchor| anchor.seq <= self.head.seq) {
            match self.has(anchor.seq, &anchor.hash) {
                Some(true) => {}
                Some(false) => others.push(anchor),
                // A line that is gone from the middle has been found by its number already.
                None if !self.is_whole() => {}
                None => others.push(anchor),
            }
        }
        others.sort_by_key(|anchor| anchor.seq);
        others.dedup_by_key(|anchor| anchor.seq);
        if let Some(first) = others.first() {
            let fault = Fault::Rewritten { witness: witness(first), later: others.len() - 1 };
            self.add(first.seq, fault);
        }
        if let Some(last) = last.filter(|last| last.seq > *self.last().end()) {
            let fault = Fault::CutOff { last: self.head.seq, known: last.seq, witness: witness(last) };
            self.add(self.lines + 1, fault);
        }
    }
}

/// A line that may come next. After a break there are several, so that one changed line is one finding.
#[derive(Clone, Debug)]
struct Way {
    seq: u64,
    // `None`: the line before was unreadable, so that any hash may stand here.
    after: Option<String>,
}

/// Follows a chain line by line.
#[derive(Clone, Debug)]
pub struct Verifier {
    ways: Vec<Way>,
    watch: BTreeSet<u64>,
    checked: Checked,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::watching([])
    }
}

impl Verifier {
    /// Starts at the beginning of a chain, and remembers the hashes of these numbers.
    pub fn watching(seqs: impl IntoIterator<Item = u64>) -> Self {
        Self {
            ways: vec![Way { seq: 1, after: Some(FIRST.to_owned()) }],
            watch: seqs.into_iter().collect(),
            checked: Checked::default(),
        }
    }

    /// Takes the next whole line, without its newline. Says whether it is sound.
    pub fn line(&mut self, text: &[u8]) -> bool {
        self.checked.lines += 1;
        self.checked.wanted = self.wanted();
        let Some(line) = split(text) else {
            self.broken(Fault::Garbled);
            self.after_garbled(text);
            return false;
        };
        self.remember(line.seq, line.hash);
        let follows = |way: &Way| {
            way.seq == line.seq && way.after.as_deref().is_none_or(|after| link(after, line.rest) == line.hash)
        };
        if self.ways.iter().any(follows) {
            self.checked.wanted = line.seq;
            self.ways = vec![Way { seq: line.seq.saturating_add(1), after: Some(line.hash.to_owned()) }];
            self.checked.head = Head { seq: line.seq, hash: line.hash.to_owned() };
            return true;
        }
        self.find_fault(line);
        self.ways.truncate(MOST_WAYS);
        false
    }

    // After a line that does not follow, the next one may follow what it says or what should have stood here: either
    // its number or its hash may have been changed, or it may not belong here at all.
    fn find_fault(&mut self, line: Line<'_>) {
        let wanted = self.wanted();
        let stated = |seq: u64| Way { seq: seq.saturating_add(1), after: Some(line.hash.to_owned()) };
        if self.ways.iter().any(|way| way.seq == line.seq) {
            let befores = self.ways.iter().filter_map(|way| way.after.as_deref());
            let links: Vec<String> = befores.map(|before| link(before, line.rest)).collect();
            self.ways = vec![stated(line.seq)];
            for hash in links.into_iter().take(2) {
                self.remember(line.seq, &hash);
                self.ways.push(Way { seq: line.seq.saturating_add(1), after: Some(hash) });
            }
            self.broken(Fault::Changed);
        } else if line.seq > wanted {
            self.ways = vec![stated(line.seq), stated(wanted)];
            self.broken(Fault::Gap { wanted, found: line.seq });
        } else {
            self.ways.extend([stated(wanted), stated(line.seq)]);
            self.broken(Fault::OutOfOrder { wanted, found: line.seq });
            return;
        }
        self.checked.head = Head { seq: line.seq, hash: line.hash.to_owned() };
    }

    fn after_garbled(&mut self, text: &[u8]) {
        let wanted = self.wanted();
        let hash = stated(text).map(str::to_owned);
        self.checked.head = Head { seq: wanted, hash: hash.clone().unwrap_or_default() };
        let mut ways = vec![Way { seq: wanted.saturating_add(1), after: hash }];
        if let (Some(rest), Some(before)) = (text.get(65..), self.ways.first().and_then(|way| way.after.clone())) {
            ways.push(Way { seq: wanted.saturating_add(1), after: Some(link(&before, rest)) });
        }
        // A line that was put in between leaves the old way open.
        ways.append(&mut self.ways);
        ways.truncate(MOST_WAYS);
        self.ways = ways;
    }

    fn remember(&mut self, seq: u64, hash: &str) {
        if self.watch.contains(&seq) {
            self.checked.watched.entry(seq).or_default().push(hash.to_owned());
        }
    }

    fn wanted(&self) -> u64 {
        self.ways.first().map_or(1, |way| way.seq)
    }

    fn broken(&mut self, fault: Fault) {
        self.checked.add(self.checked.lines, fault);
    }

    /// Ends; `rest` is what stands behind the last newline.
    pub fn end(mut self, rest: &[u8]) -> Checked {
        if !rest.is_empty() {
            let line = self.checked.lines + 1;
            self.checked.torn = Some(Torn { line, bytes: rest.len() as u64, sha256: sha256(rest) });
        }
        self.checked
    }
}

/// Follows the chain of a whole journal, and remembers the hashes of these numbers.
pub fn verify(journal: &[u8], watch: impl IntoIterator<Item = u64>) -> Checked {
    let mut verifier = Verifier::watching(watch);
    let mut rest = journal;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        verifier.line(&rest[..at]);
        rest = &rest[at + 1..];
    }
    verifier.end(rest)
}
