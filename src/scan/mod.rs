//! Owns finding secrets in plaintext: a file's name and text in, findings out, which never hold a value.
//!
//! Pure: it reads no file and knows no host; what is looked at on hosts is a script that it writes and an answer that it
//! reads. `rules` is the one table of what is found and why; `lookalike` is what is not, though it stands there.

mod accepted;
mod commands;
mod finding;
mod format;
mod hit;
mod host;
mod logins;
mod lookalike;
mod named;
mod names;
mod pem;
mod random;
mod rules;
mod search;
mod shapes;
#[cfg(test)]
mod tests;
mod value;

pub use accepted::{ACCEPTED_FILE, Accepted, Sorted, read_accepted, sort};
pub use finding::{Finding, Length};
pub use host::{HostFile, HostFiles, read_host};
pub use rules::{Rule, rules};
pub use search::look_on_host;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use format::Format;
use hit::Hits;

/// What was not looked at. Nothing is known of it, so it is never clean.
#[derive(Clone, Debug)]
pub struct NotLooked {
    /// The file or folder: `path`, or `host:path`.
    pub place: String,
    /// Why not.
    pub why: String,
    /// What that leaves open.
    pub gap: Gap,
}

/// What is left open where something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// It should have been, and may hold anything.
    Fault,
    /// The rest of a text that is too large: it may hold anything, too, and nobody promised to look.
    Rest,
    /// Nothing that is looked for: no text, or no file.
    Harmless,
}

impl NotLooked {
    /// Something that should have been looked at.
    pub fn fault(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { place: place.into(), why: why.into(), gap: Gap::Fault }
    }

    /// Something that no text stands in.
    pub fn harmless(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { place: place.into(), why: why.into(), gap: Gap::Harmless }
    }

    /// Whether it should have been looked at: a program is no text, but a file that could not be read may hold anything.
    pub fn is_fault(&self) -> bool {
        self.gap == Gap::Fault
    }
}

/// The text of a file; `None` if it is none. UTF-16 is known by its mark, as other editors write it.
pub fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, ..] => Some(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Some(wide(u16::from_be_bytes)),
        _ if bytes.iter().take(8192).any(|byte| *byte == 0) => None,
        _ => Some(String::from_utf8_lossy(bytes)),
    }
}

/// The secrets in a text, in its order. `place` is what the file is called: `path`, or `host:path`.
pub fn scan(place: &str, text: &str) -> Vec<Finding> {
    let open = without_ciphertext(text);
    let open = without_values_of_sops(&open);
    let text: &str = &open;
    let format = Format::of(place, text);
    let mut hits = Hits::default();
    // What says itself what it is comes first, so that a value is told by the rule that knows most about it.
    pem::find(text, &mut hits);
    shapes::find(text, &mut hits);
    logins::find(format, place, text, &mut hits);
    commands::find(format, text, &mut hits);
    named::find(format, text, &mut hits);
    told(place, text, hits)
}

/// What a file's name alone says, for files whose content is no text.
pub fn scan_name(place: &str) -> Option<Finding> {
    const ENDS: [&str; 6] = [".p12", ".pfx", ".jks", ".keystore", ".bcfks", ".p8"];
    let rule = &rules::KEY_CONTAINER;
    let lower = place.to_ascii_lowercase();
    ENDS.iter().any(|end| lower.ends_with(end)).then(|| Finding {
        id: finding::id(rule, place, None, Length::Huge, "", 0),
        rule,
        place: place.to_owned(),
        line: 1,
        column: 1,
        key: None,
        length: Length::Huge,
    })
}

// What stands inside of `ENC[AES256_GCM,…]` is random letters, of which some happen to be a name and `=`. It becomes one
// letter, so that all stands where it stood; brackets around anything else hide nothing.
fn without_values_of_sops(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "ENC[AES256_GCM,";
    let mut open = Cow::Borrowed(text);
    for (at, _) in text.match_indices(BEGIN) {
        let body = &text[at + BEGIN.len()..];
        let end = body.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !b"+/=,:_-".contains(&byte));
        if let Some(length) = end.filter(|end| body.as_bytes()[*end] == b']') {
            let from = at + BEGIN.len();
            open.to_mut().replace_range(from..from + length, &"x".repeat(length));
        }
    }
    open
}

// A file of ansible-vault or age begins with a line that says so. Only the lines that can be ciphertext are left out, as
// spaces, so that the rest stands where it stood: what somebody added below them is plain text.
fn without_ciphertext(text: &str) -> Cow<'_, str> {
    let begin = text.len() - text.trim_start().len();
    let is_of: fn(u8) -> bool = match &text[begin..] {
        body if body.starts_with("$ANSIBLE_VAULT;") => |byte| byte.is_ascii_hexdigit(),
        body if body.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") => {
            |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
        }
        _ => return Cow::Borrowed(text),
    };
    let mut lines = text[begin..].split_inclusive('\n');
    let first = begin + lines.next().map_or(0, str::len);
    let is_ciphertext = |line: &&str| {
        let line = line.trim_end_matches(['\r', '\n', ' ', '\t']);
        !line.is_empty() && line.bytes().all(is_of)
    };
    let end = first + lines.take_while(is_ciphertext).map(str::len).sum::<usize>();
    let hidden = text[first..end].chars().map(|c| if matches!(c, '\r' | '\n') { c } else { ' ' });
    Cow::Owned(text[..first].chars().chain(hidden).chain(text[end..].chars()).collect())
}

fn told(place: &str, text: &str, hits: Hits) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut counts: HashMap<(&str, String, Length), usize> = HashMap::new();
    // Counted forward once, since a line may be as long as the file.
    let (mut seen, mut line, mut column) = (0, 1, 1);
    let hits: Vec<(usize, hit::Hit)> = hits.into_sorted().collect();
    // A name that is itself a secret is never shown.
    let keys: Vec<Option<String>> = hits
        .iter()
        .map(|(at, hit)| {
            let key = hit.key.clone().filter(|key| !is_secret(&hits, key))?;
            finding::shown_key(text.get(key)?, text.get(*at..hit.end)?)
        })
        .collect();
    for ((at, hit), key) in hits.iter().zip(keys) {
        for c in text[seen..*at].chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        seen = *at;
        let value = &text[*at..hit.end];
        let length = Length::of(value);
        let nth = counts.entry((hit.rule.id, key.clone().unwrap_or_default(), length)).or_default();
        let id = finding::id(hit.rule, place, key.as_deref(), length, value, *nth);
        *nth += 1;
        findings.push(Finding { id, rule: hit.rule, place: place.to_owned(), line, column, key, length });
    }
    findings
}

// Whether a stretch overlaps a secret.
fn is_secret(hits: &[(usize, hit::Hit)], at: &Range<usize>) -> bool {
    let before = hits.partition_point(|(start, _)| *start < at.end);
    before.checked_sub(1).and_then(|last| hits.get(last)).is_some_and(|(_, hit)| hit.end > at.start)
}

// The nearest border of a character below.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
