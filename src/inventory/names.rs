//! Owns which names hosts and groups may have, and how a name with a port is read.
//!
//! Must not know files or variables. A name ends up in paths, prompts and logs, so what could be taken for a flag, a
//! path or a terminal command is refused here, once.

use std::net::Ipv6Addr;

/// Why `name` cannot be the name of a host, or `None`.
pub(super) fn refuse_host(name: &str) -> Option<String> {
    refuse(name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '@' | '%' | '+') || letter(c))
}

/// Why `name` cannot be the name of a group, or `None`.
pub(super) fn refuse_group(name: &str) -> Option<String> {
    refuse(name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '%' | '+' | '=') || letter(c))
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

/// Takes `host:port`, `[address]:port` or a bare name apart, as Ansible does; brackets may also hold ranges.
pub(super) fn split_port(text: &str) -> (&str, Option<u64>) {
    let Some((host, port)) = text.rsplit_once(':') else { return (text, None) };
    if port.is_empty() || port.len() > 9 || !port.bytes().all(|b| b.is_ascii_digit()) {
        return (text, None);
    }
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) if !inner.contains(['[', ']']) && is_address(inner) => inner,
        _ if outside_brackets(host, ':') || !balanced(host) => return (text, None),
        _ => host,
    };
    (host, port.parse().ok())
}

/// Whether `text` is an IPv6 address, whose colons separate nothing.
pub(super) fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

fn is_address(text: &str) -> bool {
    is_ipv6(text) || refuse_host(text).is_none() && !text.contains(':')
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
    }
}
