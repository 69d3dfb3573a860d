//! Owns OpenSSH's patterns: `*`, `?` and lists with `!`, as ssh_config and known_hosts write them.
//!
//! Must not know what is matched.

/// Whether `text` fits `pattern`, in which `*` stands for anything and `?` for one character. Case counts.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // Going back to the last star alone is enough, and keeps hostile patterns from taking forever.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// Whether one of `patterns` fits and no negated one does.
pub(super) fn any_fits<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(refused) if fits(refused, text) => return false,
            Some(_) => {}
            None => found |= fits(pattern, text),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        assert!(fits("*", "") && fits("*.lan", "a.b.lan") && fits("web-??", "web-01") && fits("a*b*c", "aXbYbZc"));
        assert!(!fits("web-??", "web-1") && !fits("*.lan", "lan") && !fits("", "x") && fits("", ""));
        assert!(!fits("*a*a*a*a*a*a*a*b", &"a".repeat(10_000)));
    }

    #[test]
    fn a_negated_pattern_wins_and_never_suffices() {
        assert!(any_fits(["*.lan", "!db.lan"], "web.lan"));
        assert!(!any_fits(["*.lan", "!db.lan"], "db.lan"));
        assert!(!any_fits(["!db.lan"], "web.lan"));
    }
}
