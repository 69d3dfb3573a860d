//! Owns host ranges: `web[01:50]`, `[a:f]`, steps, several in a name.
//!
//! Must not know what a name is for. Ansible takes an empty range (`[5:1]`) for no hosts at all; here it is refused,
//! since nobody means it.

/// How many hosts one pattern may stand for.
const MAX: usize = 200_000;
/// The longest pattern that is looked at; a long one times many hosts would fill the memory.
const MAX_LENGTH: usize = 512;

/// All names that `pattern` stands for, in order; itself where it holds no range.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, String> {
    if pattern.len() > MAX_LENGTH {
        return Err(format!("it is longer than {MAX_LENGTH} bytes"));
    }
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((head, after)) = rest.split_once('[') {
        let (range, tail) = after.split_once(']').ok_or("`[` without `]`")?;
        let parts = steps(range)?;
        if names.len().saturating_mul(parts.len()) > MAX {
            return Err(format!("it stands for more than {MAX} hosts"));
        }
        names = names.iter().flat_map(|name| parts.iter().map(move |part| format!("{name}{head}{part}"))).collect();
        rest = tail;
    }
    if rest.contains(']') {
        return Err("`]` without `[`".into());
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

fn steps(range: &str) -> Result<Vec<String>, String> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds[..] {
        [begin, end] => (begin, end, "1"),
        [begin, end, step] => (begin, end, step),
        _ => return Err(format!("`[{range}]` is no range")),
    };
    let begin = if begin.is_empty() { "0" } else { begin };
    if end.is_empty() {
        return Err(format!("`[{range}]` has no end"));
    }
    let step: usize = step.parse().ok().filter(|n| *n > 0).ok_or(format!("`{step}` is no step"))?;
    if let (Some(first), Some(last)) = (place_of(begin), place_of(end)) {
        if first > last {
            return Err(format!("`[{range}]` ends before it begins"));
        }
        return Ok((first..=last).step_by(step).map(|at| char::from(LETTERS[at]).to_string()).collect());
    }
    let number = |text: &str| match text.parse::<u64>() {
        Ok(number) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(number),
        _ => Err(format!("`{text}` is neither a number nor one letter")),
    };
    let (first, last) = (number(begin)?, number(end)?);
    let width = if begin.starts_with('0') && begin.len() > 1 { begin.len() } else { 0 };
    if width > 0 && width != end.len() {
        return Err(format!("`{begin}` and `{end}` must have as many digits"));
    }
    if first > last {
        return Err(format!("`[{range}]` ends before it begins"));
    }
    if (last - first) / step as u64 >= MAX as u64 {
        return Err(format!("it stands for more than {MAX} hosts"));
    }
    Ok((first..=last).step_by(step).map(|at| format!("{at:0width$}")).collect())
}

// Ansible's order: a to z, then A to Z, so that `[x:C]` is x y z A B C.
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn place_of(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [letter] => LETTERS.iter().position(|known| known == letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> String {
        expand(pattern).map_or_else(|why| format!("error: {why}"), |names| names.join(" "))
    }

    #[test]
    fn ranges_expand_as_ansible_expands_them() {
        assert_eq!(names("web[08:11]"), "web08 web09 web10 web11");
        assert_eq!(names("web[8:11]-x"), "web8-x web9-x web10-x web11-x");
        assert_eq!(names("w[1:9:4]"), "w1 w5 w9");
        assert_eq!(names("[a:c]"), "a b c");
        assert_eq!(names("r[a:b]n[1:2]"), "ran1 ran2 rbn1 rbn2");
        assert_eq!(names("w[:2]"), "w0 w1 w2");
        assert_eq!(names("w[y:B]"), "wy wz wA wB");
        assert_eq!(names("plain"), "plain");
    }

    #[test]
    fn what_is_no_range_is_refused_with_a_reason() {
        for bad in ["w[01:100]", "w[5:1]", "w[1:]", "w[1]", "w[1:2:0]", "w[1:2", "w1:2]", "w[ab:cd]", "w[0:999999999]"]
        {
            assert!(names(bad).starts_with("error: "), "{bad}");
        }
    }
}
