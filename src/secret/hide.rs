//! Owns the last look at a text that leaves the program: what is known as a secret is not in it.
//!
//! Where a secret belongs it is masked long before, as a stretch of a [`super::Rendered`]. This is for what hosts print: a
//! tool that quotes its own configuration, a service's journal, a value that somebody pasted elsewhere.

use std::borrow::Cow;

use super::Secret;

/// What is shorter is part of too many words.
const SHORTEST: usize = 8;
/// What is longer than this and all letters and digits stands for nothing else, wherever it stands.
const A_WORD: usize = 15;

/// The text with the names of these secrets in the place of their contents, and of their lines.
pub fn hide<'t>(text: &'t str, secrets: &[Secret]) -> Cow<'t, str> {
    let mut hidden = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| secret.why_locked().is_none()) {
        for part in std::iter::once(secret.reveal()).chain(secret.reveal().split('\n')) {
            let part = part.trim();
            if part.chars().count() >= SHORTEST && hidden.contains(part) {
                hidden = Cow::Owned(replaced(&hidden, part, &format!("(secret {})", secret.name())));
            }
        }
    }
    hidden
}

// Something that may be a name, too, such as `postgres`, is not taken out of the middle of another word.
fn replaced(text: &str, part: &str, mask: &str) -> String {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let is_word = part.chars().all(letter) && part.chars().count() <= A_WORD;
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(part) {
        let (before, after) = (&rest[..at], &rest[at + part.len()..]);
        let inside = before.chars().next_back().or_else(|| clean.chars().next_back()).is_some_and(letter)
            || after.chars().next().is_some_and(letter);
        clean.push_str(before);
        clean.push_str(if is_word && inside { part } else { mask });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_hidden_and_words_are_left_whole() {
        let secrets = [
            Secret::new("db/pw", "postgres"),
            Secret::new("gw/token", "0123456789abcdefXY"),
            Secret::new("tls/key", "-----BEGIN-----\nMIIBVgIBADANBg\n-----END-----\n"),
            Secret::new("pin", "4711"),
            Secret::locked("gone", "no key"),
        ];
        for (text, wanted) in [
            ("as 4711, locked", "as 4711, locked"),
            ("user postgres of postgresql", "user (secret db/pw) of postgresql"),
            ("x0123456789abcdefXYz", "x(secret gw/token)z"),
            ("| MIIBVgIBADANBg", "| (secret tls/key)"),
            ("-----BEGIN-----\nMIIBVgIBADANBg\n-----END-----", "(secret tls/key)"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(hide(text, &secrets), wanted);
        }
    }
}
