//! Owns finding values that say themselves what they are: `ghp_…`, `AKIA…`, `eyJ….eyJ….…`.

use std::sync::LazyLock;

use super::hit::Hits;
use super::lookalike::is_placeholder;
use super::random::distinct;
use super::rules::{JWT, Rule, SHAPES, Shape, TELEGRAM};

/// A rule with its shape and one of its prefixes.
type Known = (&'static Rule, &'static Shape, &'static str);

/// The shapes by the first byte of their prefixes.
static BY_FIRST: LazyLock<Vec<Vec<Known>>> = LazyLock::new(|| {
    let mut all = vec![Vec::new(); 256];
    for rule in SHAPES {
        for (shape, prefix) in
            rule.shape.iter().flat_map(|shape| shape.prefixes.iter().map(move |prefix| (shape, *prefix)))
        {
            if let Some(first) = prefix.bytes().next() {
                all[usize::from(first)].push((rule, shape, prefix));
            }
        }
    }
    all
});

pub(super) fn find(text: &str, hits: &mut Hits) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !begins_word(bytes, at) {
            at += 1;
            continue;
        }
        let known = BY_FIRST[usize::from(bytes[at])].iter().find_map(|(rule, shape, prefix)| {
            let body = bytes[at..].strip_prefix(prefix.as_bytes())?;
            let length = run(body, |byte| shape.body.has(byte), shape.most + 1);
            // What ends a sentence is not part of the value.
            let length = length - body[..length].iter().rev().take_while(|byte| b".-".contains(byte)).count();
            let fits = length >= shape.least && length <= shape.most && is_drawn(&body[..length]);
            fits.then_some((*rule, prefix.len() + length))
        });
        let known =
            known.or_else(|| Some((&JWT, jwt(bytes, at)?))).or_else(|| Some((&TELEGRAM, telegram(&bytes[at..])?)));
        match known {
            Some((rule, length)) => {
                hits.add(rule, at..at + length, None);
                at += length;
            }
            None => at += 1,
        }
    }
}

// A value begins where no word goes on; `\nghp_…` in a JSON text is a new line.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
    let inside = before(1).is_ascii_alphanumeric() || before(1) == b'_';
    bytes[at].is_ascii_alphanumeric() && (!inside || before(2) == b'\\' && b"nrt".contains(&before(1)))
}

fn run(bytes: &[u8], fits: impl Fn(u8) -> bool, most: usize) -> usize {
    bytes.iter().take(most).take_while(|byte| fits(**byte)).count()
}

// `ghp_xxxxxxxx` and `AKIA…EXAMPLE` stand in every manual.
fn is_drawn(body: &[u8]) -> bool {
    let Ok(body) = std::str::from_utf8(body) else { return false };
    distinct(body) >= 8 && !is_placeholder(&body.to_ascii_lowercase())
}

fn jwt(bytes: &[u8], at: usize) -> Option<usize> {
    // A dash may be inside of one, so none begins behind it.
    let bytes = bytes[at..].strip_prefix(b"eyJ").filter(|_| at == 0 || bytes[at - 1] != b'-').map(|_| &bytes[at..])?;
    let url = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let mut at = 0;
    let mut lengths = Vec::new();
    loop {
        let length = run(&bytes[at..], url, 8192);
        lengths.push(length);
        at += length;
        if lengths.len() == 5 || bytes.get(at) != Some(&b'.') || !bytes.get(at + 1).is_some_and(|byte| url(*byte)) {
            break;
        }
        at += 1;
    }
    // Header, claims and a signature; one without a signature lets nobody in.
    let signed =
        matches!(lengths.as_slice(), [head, claims, signature, ..] if *head >= 12 && *claims >= 8 && *signature >= 20);
    (signed && is_drawn(&bytes[..at])).then_some(at)
}

// `123456789:AA…`, thirty-five characters behind the colon.
fn telegram(bytes: &[u8]) -> Option<usize> {
    let digits = run(bytes, |byte| byte.is_ascii_digit(), 12);
    if !(8..=10).contains(&digits) {
        return None;
    }
    let body = bytes[digits..].strip_prefix(b":AA")?;
    let length = run(body, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte), 40);
    ((32..=34).contains(&length) && is_drawn(&body[..length])).then_some(digits + 3 + length)
}
