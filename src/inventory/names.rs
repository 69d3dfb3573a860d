//! Owns which names hosts and groups may have, and how a name with a port is read.
//!
//! Must not know files or variables. A name ends up in paths, prompts and logs, so what could be taken for a flag, a
//! path or a terminal command is refused here, once.

use std::net::Ipv6Addr;

use super::range;

/// Why `name` cannot be the name of a host, or `None`.
pub(super) fn refuse_host(name: &str) -> Option<String> {
    if matches!(name, "all" | "ungrouped") {
        return Some(format!("`{name}` is a group that is always there"));
    }
    refuse(name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '@' | '%' | '+') || letter(c))
}

/// Why `name` cannot be the name of a group, or `None`.
pub(super) fn refuse_group(name: &str) -> Option<String> {
    refuse(name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '%' | '+' | '=') || letter(c))
}

/// Why the command line can give no variable this name, or `None`. Files may hold stranger ones, as for Ansible.
pub(super) fn refuse_variable(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("no name stands before `=`".into());
    }
    if name.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Some(format!("it starts with `{}`", &name[..1]));
    }
    refuse(name, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || letter(c))
}

fn letter(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric()
}

fn refuse(name: &str, fits: impl Fn(char) -> bool) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".into());
    }
    if name.len() > 255 {
        return Some("it is longer than 255 bytes".into());
    }
    if name.starts_with(['-', '@', '.']) {
        return Some(format!("it starts with `{}`", &name[..1]));
    }
    let bad = name.chars().find(|c| !fits(*c))?;
    Some(match bad {
        ' ' => "it holds a space".into(),
        c if c.is_control() => format!("it holds a control character (U+{:04X})", c as u32),
        c => format!("it holds `{c}`"),
    })
}

/// Takes `host:port`, `[address]:port` or a bare name apart, as Ansible does; brackets may also hold ranges. What does
/// not look like a name or an address keeps its colon: `web-:22` is a name to Ansible.
pub(super) fn split_port(text: &str) -> (&str, Option<u64>) {
    let mut address = text;
    let mut port = None;
    if let Some((inner, digits)) = text.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:"))
        && !inner.is_empty()
        && let Some(number) = port_number(digits)
    {
        (address, port) = (inner, Some(number));
    }
    if let Some((host, digits)) = address.rsplit_once(':')
        && !outside_brackets(host, ':')
        && balanced(host)
        && let Some(number) = port_number(digits)
    {
        (address, port) = (host, Some(number));
    }
    if is_host_pattern(address) || is_ipv6_pattern(address) { (address, port) } else { (text, None) }
}

fn port_number(digits: &str) -> Option<u64> {
    let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // What is too long for a number is no port either, and is told as one that is too high.
    fits.then(|| digits.parse().unwrap_or(u64::MAX))
}

// Labels of letters, digits, `_`, `-` and ranges, parted by points; none ends with `_` or `-`.
fn is_host_pattern(text: &str) -> bool {
    let mut rest = text;
    let mut last = '.';
    while let Some(c) = rest.chars().next() {
        let width = match c {
            '[' => match range_width(rest) {
                Some(width) => width,
                None => return false,
            },
            '.' if matches!(last, '.' | '_' | '-') => return false,
            '-' if last == '.' => return false,
            c if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => c.len_utf8(),
            _ => return false,
        };
        last = c;
        rest = &rest[width..];
    }
    !matches!(last, '.' | '_' | '-')
}

// How long `[1:9]`, `[a:f]` or `[1:9:2]` at the beginning of `text` is.
fn range_width(text: &str) -> Option<usize> {
    let (inside, _) = text.strip_prefix('[')?.split_once(']')?;
    let parts: Vec<&str> = inside.split(':').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let letter = |part: &&str| part.len() == 1 && part.bytes().all(|b| b.is_ascii_alphabetic());
    let bounds = parts.get(..2)?;
    let fits = (bounds.iter().all(number) || bounds.iter().all(letter)) && parts.len() <= 3;
    (fits && parts[2..].iter().all(number)).then_some(inside.len() + 2)
}

// An IPv6 address, in which a range may stand in the place of a number.
fn is_ipv6_pattern(text: &str) -> bool {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((head, after)) = rest.split_once('[') {
        let Some((range, tail)) = after.split_once(']') else { return false };
        if !range.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return false;
        }
        plain.push_str(head);
        plain.push('0');
        rest = tail;
    }
    plain.push_str(rest);
    is_ipv6(&plain)
}

/// Whether `text` is an IPv6 address, whose colons separate nothing.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

/// The hosts that a name with ranges stands for, and the port behind it; or why there are none.
pub(super) fn hosts(text: &str) -> Result<(Vec<String>, Option<u64>), String> {
    let (pattern, port) = split_port(text);
    if port.is_none() && pattern.ends_with(':') {
        return Err("it ends with `:`, and no port follows".into());
    }
    let hosts = range::expand(pattern)?;
    // One of many is like the others.
    if let Some(why) = hosts.first().and_then(|name| refuse_host(name)) {
        return Err(why);
    }
    match port {
        Some(port) if port == 0 || port > 65535 => Err("the port is not between 1 and 65535".into()),
        port => Ok((hosts, port)),
    }
}

/// What to do about a name of a host that was refused.
pub(super) fn fix(text: &str, why: &str) -> &'static str {
    if why.contains("port") {
        "write a port behind one colon, from 1 to 65535, or put it into ansible_port"
    } else if why.contains("always there") {
        "give the host another name"
    } else if text.contains(['[', ']']) {
        "write a range with both ends and of one kind: [1:50], [01:50], [a:f], or [1:50:2] for every second one"
    } else {
        "use letters, digits, `.`, `-` and `_`; an address goes into ansible_host"
    }
}

fn outside_brackets(text: &str, wanted: char) -> bool {
    let mut depth = 0usize;
    text.chars().any(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && c == wanted
    })
}

fn balanced(text: &str) -> bool {
    let mut open = false;
    text.chars().all(|c| match c {
        '[' if open => false,
        '[' => {
            open = true;
            true
        }
        ']' if !open => false,
        ']' => {
            open = false;
            true
        }
        _ => true,
    }) && !open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused_and_usual_ones_are_not() {
        for good in ["web1", "web-1.example.com", "2001:db8::1", "10.0.0.1", "ops@bastion", "münchen", "a_b"] {
            assert_eq!(refuse_host(good), None, "{good}");
        }
        for bad in ["", "-oProxyCommand=x", "a b", "a/b", "a\u{1b}[2J", "a\nb", "..", "$(id)", "a;b", "a`b", "a\\b"] {
            assert!(refuse_host(bad).is_some(), "{bad:?}");
        }
        assert!(refuse_group("a:b").is_some() && refuse_group("!a").is_some());
    }

    #[test]
    fn a_port_is_taken_off_where_ansible_takes_it_off() {
        assert_eq!(split_port("web:22"), ("web", Some(22)));
        assert_eq!(split_port("web[1:3]:22"), ("web[1:3]", Some(22)));
        assert_eq!(split_port("web[01:50]"), ("web[01:50]", None));
        assert_eq!(split_port("[2001:db8::1]:22"), ("2001:db8::1", Some(22)));
        assert_eq!(split_port("2001:db8::1"), ("2001:db8::1", None));
        assert_eq!(split_port("2001:db8::[a:c]"), ("2001:db8::[a:c]", None));
        assert_eq!(split_port("[2001:db8::[a:c]]:22"), ("2001:db8::[a:c]", Some(22)));
        // Compared with Ansible's own reader of addresses.
        for (text, expected) in [
            ("web_:22", ("web_:22", None)),
            ("web-:22", ("web-:22", None)),
            ("[web:22]:33", ("web", Some(22))),
            ("a..b:22", ("a..b:22", None)),
            ("a.b_c:2", ("a.b_c", Some(2))),
            ("_a:2", ("_a", Some(2))),
            ("mün:2", ("mün", Some(2))),
            ("10.0.0.[1:9]:23", ("10.0.0.[1:9]", Some(23))),
            ("w[:3]:22", ("w[:3]:22", None)),
            ("a:b:c", ("a:b:c", None)),
            ("a:", ("a:", None)),
        ] {
            assert_eq!(split_port(text), expected, "{text}");
        }
    }
}
