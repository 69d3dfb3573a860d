//! Owns a bound on how deep a template's syntax can get, estimated before the engine sees it.
//!
//! The engine bounds nested brackets and blocks, but chains of operators and of `elif` build trees as deep as they
//! are long, which it walks on the stack. Variables are evaluated inside of one another, so the bound is on the sum.

use std::ops::Range;

/// How heavy the renderings inside of one another may be together. People write less than 20.
pub(super) const HEAVIEST: usize = 400;

/// How deep a text can get at most, and the tag that weighs most.
pub(super) fn weight(text: &str, bare: bool) -> (usize, Range<usize>) {
    if bare {
        return (operators(text).0, 0..text.len());
    }
    let (mut most, mut place, mut branches, mut at) = (0, 0..0, 0, 0);
    while let Some(offset) = text[at..].find('{') {
        let start = at + offset;
        at = start + 1;
        let rest = &text[at..];
        let Some(kind) = rest.chars().next().filter(|kind| matches!(kind, '{' | '%')) else { continue };
        let inner = &rest[1..];
        branches +=
            usize::from(kind == '%' && inner.trim_start_matches(['-', '+', ' ', '\n', '\t']).starts_with("elif"));
        let (count, end) = operators(inner);
        at += 1 + end;
        if count > most {
            (most, place) = (count, start..at);
        }
    }
    (most + branches, place)
}

// The operators up to the end of the tag, and where that is.
fn operators(text: &str) -> (usize, usize) {
    let mut count = 0;
    let mut quote = None;
    let mut word = 0..0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(open) = quote {
            match c {
                '\\' => drop(chars.next()),
                c if c == open => quote = None,
                _ => {}
            }
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            word = if word.end == at { word.start..at + c.len_utf8() } else { at..at + c.len_utf8() };
            let ends = chars.peek().is_none_or(|(_, next)| !next.is_alphanumeric() && *next != '_');
            count += usize::from(ends && matches!(&text[word.clone()], "not" | "if" | "and" | "or" | "in" | "is"));
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '}' | '%' if chars.peek().is_some_and(|(_, next)| *next == '}') => return (count, at),
            ',' | ':' | '{' | '}' | ')' | ']' => {}
            c if c.is_whitespace() => {}
            _ => count += 1,
        }
    }
    (count, text.len())
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn chains_weigh_and_literals_do_not() {
        assert_eq!(weight("a {{ x.y | f(1, \"a.b.c\") }} b.c.d {% if not a == 1 %}", false).0, 4);
        assert_eq!(weight("a + b", true).0, 1);
        assert_eq!(weight("{% set x = [1, 2, 3, {'a': 4}] %}", false).0, 2);
        assert_eq!(weight("{% if a %}{%- elif b %}{% elif c %}", false).0, 3);
        assert_eq!(weight("{{ unclosed + ", false).0, 1);
    }
}
