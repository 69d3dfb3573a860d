//! Owns the last look at a text that leaves the program: what is known as a secret is not in it.
//!
//! Where a secret belongs it is masked long before, as a stretch of a [`super::Rendered`]. This is for what hosts print: a
//! tool that quotes its own configuration, a service's journal, a value that somebody pasted elsewhere.

use std::borrow::Cow;

use super::Secret;

/// What is shorter is part of too many words.
const SHORTEST: usize = 8;
/// What is no longer than this may be a name, too, and is not taken out of the middle of another word.
const A_WORD: usize = 15;
/// So much of a longer secret is enough: what a host prints may have been cut behind it.
const ENOUGH: usize = 32;
/// Nobody's secret, and words of rempart's own output.
const WORDS: [&str; 5] = ["preparation", "installation", "hardening", "production", "localhost"];

/// The text with the names of these secrets in the place of their contents, and of their lines.
pub fn hide<'t>(text: &'t str, secrets: &[Secret]) -> Cow<'t, str> {
    let mut hidden = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| secret.why_locked().is_none()) {
        let whole = secret.reveal().trim();
        let mask = format!("(secret {})", secret.name());
        let lines = secret.reveal().split(['\n', '\t']).map(str::trim).filter(|line| !is_frame(line));
        for part in std::iter::once(whole).chain(lines) {
            if part.chars().count() < SHORTEST || WORDS.contains(&part) {
                continue;
            }
            // As it is, and as a quoted value has it.
            let quoted = serde_json::Value::from(part).to_string();
            for form in [part, &quoted[1..quoted.len() - 1]] {
                if form.chars().count() <= A_WORD {
                    hidden = replaced(hidden, form, &mask, true);
                } else {
                    hidden = replaced(hidden, form, &mask, false);
                }
            }
        }
    }
    hidden
}

/// The text with a mask in the place of a part, and of what is left of it where somebody cut the text in its middle.
pub(super) fn replaced<'t>(text: Cow<'t, str>, part: &str, mask: &str, as_word: bool) -> Cow<'t, str> {
    let first: &str = part.char_indices().nth(ENOUGH).map_or(part, |(end, _)| &part[..end]);
    if !text.contains(first) {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find(first) {
        let (before, from) = (&rest[..at], &rest[at..]);
        let length: usize = from.chars().zip(part.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        let (found, after) = from.split_at(length);
        clean.push_str(before);
        let inside = as_word
            && (is_joined(&clean, found) || is_letter(found.chars().next_back()) && is_letter(after.chars().next()));
        clean.push_str(if inside { found } else { mask });
        rest = after;
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

// Whether a word goes on from what stands before it. The last letter of `\n` or of a colour's code is none of a word.
fn is_joined(before: &str, found: &str) -> bool {
    let mut back = before.chars().rev();
    let last = back.next();
    let drawn = match last {
        Some('n' | 'r' | 't') => back.next() == Some('\\'),
        Some('m') => back.find(|c| !c.is_ascii_digit() && *c != ';') == Some('['),
        _ => false,
    };
    !drawn && is_letter(last) && is_letter(found.chars().next())
}

fn is_letter(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

// Lines that many files have, such as those around a key and the headings of sections.
fn is_frame(line: &str) -> bool {
    line.starts_with("-----") || line.starts_with('#') || line.starts_with('[') && line.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_hidden_and_words_are_left_whole() {
        let long = "abcdefghij".repeat(200);
        let secrets = [
            Secret::new("db/pw", "postgres"),
            Secret::new("db/host", "127.0.0.1"),
            Secret::new("app/env", "production"),
            Secret::new("gw/token", "0123456789abcdefXY"),
            Secret::new("odd", "pa\"ss\\word99"),
            Secret::new("tabbed", "first-half\tsecond-half"),
            Secret::new("tls/key", "-----BEGIN-----\nMIIBVgIBADANBg\n-----END-----\n"),
            Secret::new("wg", "[Interface]\nPrivateKey=aaaabbbbcccc\n"),
            Secret::new("long", long.as_str()),
            Secret::new("pin", "4711"),
            Secret::locked("gone", "no key"),
        ];
        for (text, wanted) in [
            ("as 4711, locked", "as 4711, locked"),
            ("user postgres of postgresql and xpostgres", "user (secret db/pw) of postgresql and xpostgres"),
            ("user\\tpostgres \u{1b}[1;31mpostgres", "user\\t(secret db/pw) \u{1b}[1;31m(secret db/pw)"),
            ("127.0.0.1 and 127.0.0.100", "(secret db/host) and 127.0.0.100"),
            ("phase production", "phase production"),
            ("x0123456789abcdefXYz", "x(secret gw/token)z"),
            ("pa\"ss\\word99 as \"pa\\\"ss\\\\word99\"", "(secret odd) as \"(secret odd)\""),
            ("first-half    second-half", "(secret tabbed)    (secret tabbed)"),
            ("| MIIBVgIBADANBg", "| (secret tls/key)"),
            ("-----BEGIN-----\nMIIBVgIBADANBg\n-----END-----", "(secret tls/key)"),
            ("-----BEGIN-----", "-----BEGIN-----"),
            ("[Interface]\nPrivateKey=aaaabbbbcccc", "(secret wg)"),
            ("[Interface]", "[Interface]"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(hide(text, &secrets), wanted);
        }
        assert_eq!(hide(&format!("a {} …", &long[..400]), &secrets), "a (secret long) …");
        assert_eq!(hide(&format!("a {} …", &long[..31]), &secrets), format!("a {} …", &long[..31]));
    }
}
