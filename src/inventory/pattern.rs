//! Owns host patterns, with Ansible's grammar.
//!
//! | pattern | hosts |
//! |---|---|
//! | `all`, `*` | every host |
//! | `web`, `web1` | of a group and the groups under it; a host |
//! | `a:b`, `a,b` | of both |
//! | `a:&b`, `a:!b` | of `a` that are also in `b`; that are not in `b` |
//! | `web*`, `db?`, `[ab]*` | by wildcard, of groups and hosts |
//! | `~web\d+` | by regular expression, from the start of the name |
//! | `web[0]`, `web[-1]`, `web[0:2]`, `web[1:]` | by position, both ends included |
//! | `@file` | by the lines of a file |
//!
//! Unions come first, then intersections, then exclusions, wherever they stand. Unlike in Ansible, a term that names
//! nothing is an error, also after `!`: an exclusion with a slip in it would select what it was to spare.

use std::collections::HashSet;
use std::path::Path;

use regex_lite::Regex;

use super::names;
use super::{Group, Inventory};
use crate::model::{Diagnostic, HostName, Place, count, did_you_mean};
use crate::yaml;

/// The hosts that `pattern` selects, each once.
///
/// # Errors
/// A term that matches nothing, a term that cannot be read, or no host at all.
pub(super) fn select(inventory: &Inventory, pattern: &str, place: &Place) -> Result<Vec<HostName>, Diagnostic> {
    let mut terms = Vec::new();
    for term in split(pattern) {
        match term.strip_prefix('@') {
            Some(file) => {
                let source = yaml::read(Path::new(file)).map_err(|fault| {
                    if place.path() == file { fault } else { fault.see(place, "named by this pattern") }
                })?;
                let lines =
                    source.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                terms.extend(lines.map(str::to_owned));
            }
            None => terms.push(term),
        }
    }
    let (minus, rest): (Vec<_>, Vec<_>) = terms.into_iter().partition(|term| term.starts_with('!'));
    let (also, mut plus): (Vec<_>, Vec<_>) = rest.into_iter().partition(|term| term.starts_with('&'));
    if plus.is_empty() && minus.is_empty() && also.is_empty() {
        return Err(Diagnostic::error("an empty host pattern")
            .at(place, "here")
            .fix("name a host or a group, or write `all`"));
    }
    if plus.is_empty() {
        plus.push("all".into());
    }
    // A name that is both means the host where it stands alone, and the group after `&` and `!`, as in Ansible.
    let term = |text: &str| match inventory.host(text) {
        Some(host) => Ok(vec![&host.name]),
        None => matches(inventory, text, place, pattern),
    };
    let modifier = |text: &str| matches(inventory, &text[1..], place, pattern);
    let mut seen = HashSet::new();
    let mut hosts: Vec<&HostName> = Vec::new();
    for text in &plus {
        hosts.extend(term(text)?.into_iter().filter(|host| seen.insert(*host)));
    }
    for text in &also {
        let keep: HashSet<_> = modifier(text)?.into_iter().collect();
        hosts.retain(|host| keep.contains(host));
    }
    for text in &minus {
        let drop: HashSet<_> = modifier(text)?.into_iter().collect();
        hosts.retain(|host| !drop.contains(host));
    }
    if hosts.is_empty() {
        let why = if inventory.hosts().is_empty() {
            "the inventory has no hosts".to_owned()
        } else {
            format!("every term of `{pattern}` is known, but together they leave no host")
        };
        return Err(Diagnostic::error("a pattern that selects no host")
            .at(place, "no host is left")
            .because(why)
            .fix("look at `rempart inventory` for who is in which group"));
    }
    Ok(hosts.into_iter().cloned().collect())
}

// Commas win over colons, as in Ansible. A colon may also stand in an address or before a port, and in brackets.
fn split(pattern: &str) -> Vec<String> {
    let pattern = pattern.trim();
    let parts: Vec<String> = if pattern.contains(',') {
        pattern.split(',').map(str::to_owned).collect()
    } else if names::is_ipv6(pattern) || names::split_port(pattern).1.is_some() {
        vec![pattern.to_owned()]
    } else {
        let mut parts = vec![String::new()];
        let mut inside = false;
        for c in pattern.chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            if !inside && (c == ':' || c.is_whitespace()) {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        }
        parts
    };
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn matches<'a>(
    inventory: &'a Inventory,
    term: &str,
    place: &Place,
    whole: &str,
) -> Result<Vec<&'a HostName>, Diagnostic> {
    let (name, subscript) = subscript(term);
    let matcher = Matcher::new(name).map_err(|why| {
        Diagnostic::error("a regular expression that cannot be read")
            .at(place, format!("`{term}`"))
            .because(why)
            .fix("mend it; `,` and `:` separate terms and cannot stand in one")
    })?;
    let groups: Vec<&Group> = match &matcher {
        Matcher::Plain => inventory.group(name).into_iter().collect(),
        matcher => inventory.groups().iter().filter(|group| matcher.fits(name, &group.name)).collect(),
    };
    let mut hosts: Vec<&HostName> = groups.iter().flat_map(|group| inventory.members(&group.name)).collect();
    if let Matcher::Plain = matcher {
        hosts.extend(inventory.host(name).filter(|_| groups.is_empty()).map(|host| &host.name));
    } else {
        hosts.extend(inventory.hosts().iter().map(|host| &host.name).filter(|host| matcher.fits(name, host.as_str())));
    }
    if hosts.is_empty() && groups.is_empty() {
        return Err(nothing(inventory, term, name, place, whole));
    }
    let Some((first, last)) = subscript else { return Ok(hosts) };
    let number = i64::try_from(hosts.len()).unwrap_or(i64::MAX);
    let from = if first < 0 { first + number } else { first };
    let to = last.map_or(from, |last| if last < 0 { number - 1 } else { last.min(number - 1) });
    if from < 0 || from >= number || to < from {
        return Err(Diagnostic::error("a position that no host has")
            .at(place, format!("`{term}`"))
            .because(format!("`{name}` has {}, counted from 0", count(hosts.len(), "host", "hosts")))
            .fix("give a position below that, or leave the brackets away"));
    }
    let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
    Ok(hosts.into_iter().skip(from).take(to - from + 1).collect())
}

fn nothing(inventory: &Inventory, term: &str, name: &str, place: &Place, whole: &str) -> Diagnostic {
    let all = count(inventory.hosts().len(), "host", "hosts");
    let told = Diagnostic::error("a pattern that matches nothing")
        .at(place, format!("`{term}` is no host and no group"))
        .because(format!("the inventory has {all} in {}", count(inventory.groups().len(), "group", "groups")));
    if whole.contains(',') && term.contains(':') {
        return told.fix("separate all terms by `,`: where there is one, `:` separates nothing");
    }
    let groups = inventory.groups().iter().map(|group| group.name.as_str());
    let hosts = inventory.hosts().iter().map(|host| host.name.as_str());
    match (did_you_mean(name, groups.clone()), did_you_mean(name, hosts)) {
        (Some(group), Some(host)) => told.fix(format!("did you mean the group `{group}` or the host `{host}`?")),
        (Some(group), None) => told.fix(format!("did you mean the group `{group}`?")),
        (None, Some(host)) => told.fix(format!("did you mean the host `{host}`?")),
        (None, None) if ["localhost", "127.0.0.1", "::1"].contains(&name) => told.fix("add it to the inventory first"),
        (None, None) => {
            let some: Vec<&str> = groups.filter(|group| *group != "ungrouped").take(12).collect();
            told.fix(format!("the groups are: {}", some.join(", ")))
        }
    }
}

// `name[0]`, `name[-1]`, `name[0:2]`, `name[1:]`; Ansible still takes `-` for the colon.
fn subscript(term: &str) -> (&str, Option<(i64, Option<i64>)>) {
    let found = || {
        let (name, inside) = term.strip_suffix(']')?.rsplit_once('[')?;
        if name.is_empty() || term.starts_with('~') {
            return None;
        }
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
        if let Some(at) = number(inside) {
            return Some((name, (at, None)));
        }
        if let Some(at) = inside.strip_prefix('-').and_then(number) {
            return Some((name, (-at, None)));
        }
        let (first, last) = inside.split_once([':', '-'])?;
        let last = if last.is_empty() { -1 } else { number(last)? };
        Some((name, (number(first)?, Some(last))))
    };
    found().map_or((term, None), |(name, at)| (name, Some(at)))
}

enum Matcher {
    Plain,
    Wildcard,
    Regex(Regex),
}

impl Matcher {
    fn new(name: &str) -> Result<Self, String> {
        if let Some(regex) = name.strip_prefix('~') {
            let regex = Regex::new(&format!("^(?:{regex})")).map_err(|error| error.to_string())?;
            return Ok(Matcher::Regex(regex));
        }
        Ok(if name.contains(['*', '?', '[']) { Matcher::Wildcard } else { Matcher::Plain })
    }

    fn fits(&self, term: &str, name: &str) -> bool {
        match self {
            Matcher::Plain => term == name,
            Matcher::Wildcard => wildcard(term, name),
            Matcher::Regex(regex) => regex.is_match(name),
        }
    }
}

// `*`, `?`, `[abc]`, `[a-c]`, `[!a]`. Goes back to the last `*` only, so the time is bounded by the product of lengths.
fn wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => match class(&pattern, p, name[n]) {
                Some((true, next)) => Some(next),
                Some((false, _)) => None,
                None => (name[n] == '[').then_some(p + 1),
            },
            Some(c) => (*c == name[n]).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

// Whether `c` is in the class that opens at `at`, and where the pattern goes on; `None` where nothing closes it.
fn class(pattern: &[char], at: usize, c: char) -> Option<(bool, usize)> {
    let negated = pattern.get(at + 1) == Some(&'!');
    let first = at + 1 + usize::from(negated);
    let end = (first + 1..pattern.len()).find(|end| pattern[*end] == ']')?;
    let body = &pattern[first..end];
    let mut found = false;
    let mut i = 0;
    while i < body.len() {
        if i + 2 < body.len() && body[i + 1] == '-' {
            found |= (body[i]..=body[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= body[i] == c;
            i += 1;
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_split_as_ansible_splits_them() {
        assert_eq!(split("a:b:&c:!d"), ["a", "b", "&c", "!d"]);
        assert_eq!(split("a, b,"), ["a", "b"]);
        assert_eq!(split("web[0:2]:db"), ["web[0:2]", "db"]);
        assert_eq!(split("2001:db8::1"), ["2001:db8::1"]);
        assert_eq!(split("web:22"), ["web:22"]);
    }

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, name, fits) in [
            ("web*", "web1", true),
            ("web*", "aweb", false),
            ("*.example.com", "a.example.com", true),
            ("w?b", "web", true),
            ("[a-c]x", "bx", true),
            ("[!a]x", "ax", false),
            ("[ab", "[ab", true),
            ("*a*b*c", "xaybzc", true),
            ("a*", "b", false),
        ] {
            assert_eq!(wildcard(pattern, name), fits, "{pattern} {name}");
        }
    }
}
