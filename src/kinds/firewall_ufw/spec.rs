//! Owns the spelling of a rule's parts: what a playbook may say, and how ufw writes it.

use std::net::IpAddr;

use serde::{Deserializer, de};
use serde_json::{Value, json};

use crate::resource::Fault;

const PROTOCOLS: [&str; 8] = ["tcp", "udp", "ah", "esp", "gre", "igmp", "ipv6", "vrrp"];
// Words that ufw's parser looks for anywhere in its arguments, even in a comment.
const RESERVED: [&str; 8] = ["in", "out", "on", "log", "log-all", "comment", "app", "delete"];

/// The fields of the rule with a key, which reads as `allow out 443/tcp from A, B to C on eth0`.
pub(in crate::kinds) fn of_key(key: &str) -> Option<Value> {
    let (action, rest) = key.split_once(' ')?;
    let (direction, rest) = match rest.split_once(' ') {
        Some((way @ ("out" | "route"), rest)) => (way, rest),
        _ => ("in", rest),
    };
    let cut = |text: &'_ str, word: &str| match text.split_once(word) {
        Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
        None => (text.to_owned(), None),
    };
    let (rest, interface) = cut(rest, " on ");
    let (rest, to) = cut(&rest, " to ");
    let (ports, from) = cut(&rest, " from ");
    let mut fields = json!({ "direction": direction });
    fields[action] = ports.into();
    for (name, value) in [("interface", interface), ("to", to)] {
        value.into_iter().for_each(|value| fields[name] = value.into());
    }
    if let Some(from) = from {
        fields["from"] = from.split(", ").collect();
    }
    Some(fields)
}

/// Checks the name of an interface.
///
/// # Errors
/// It cannot be one, or ufw's parser would trip over it.
pub(in crate::kinds) fn interface(name: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.+,=%@".contains(c);
    let known = RESERVED.contains(&name) || matches!(name, "." | ".." | "+");
    if !name.is_empty() && name.len() <= 15 && name.chars().all(plain) && !known {
        return Ok(());
    }
    Err(Fault::new("interface", format!("`{}` cannot be an interface", name.escape_debug()))
        .fix("write its name as `ip link` shows it, 15 characters at most"))
}

/// Checks a comment; `route` = of a rule for what is passed on.
///
/// # Errors
/// ufw would refuse it, or take it for something else.
pub(in crate::kinds) fn comment(text: &str, route: bool) -> Result<(), Fault> {
    let why = if text.is_empty() || text.len() > 255 {
        "is empty, or longer than 255 bytes"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else if text.contains('\'') {
        "holds an apostrophe, which ufw refuses"
    } else if RESERVED.contains(&text) || text.starts_with("--") {
        "is a word of ufw's own language"
    } else if route && text.split(' ').any(|word| matches!(word, "in" | "out")) {
        "holds `in` or `out`, which ufw takes for an interface in a route rule"
    } else {
        return Ok(());
    };
    Err(Fault::new("comment", format!("the comment {why}")))
}

/// Ports and protocol as ufw writes them.
///
/// # Errors
/// Why ufw would not take them, and what to write.
pub(in crate::kinds) fn ports(spec: &str) -> Result<(String, &str), (String, &'static str)> {
    let example = "write `22/tcp`, `60000:61000/udp`, `80,443/tcp`, `53`, `any/gre` or `any`";
    let (ports, protocol) = spec.split_once('/').unwrap_or((spec, "any"));
    if protocol != "any" && !PROTOCOLS.contains(&protocol) || spec.ends_with("/any") {
        return Err((format!("`{}` is not a protocol that ufw knows", protocol.escape_debug()), "write tcp or udp"));
    }
    if ports == "any" {
        return Ok(("any".to_owned(), protocol));
    }
    if !matches!(protocol, "tcp" | "udp" | "any") {
        return Err((format!("{protocol} has no ports"), "write `any/` and the protocol"));
    }
    let number = |text: &str| match text.parse::<u16>() {
        Ok(number) if number > 0 && text == number.to_string() => Ok(number),
        _ => Err((format!("`{}` is not a port", text.escape_debug()), example)),
    };
    let mut all = Vec::new();
    for part in ports.split(',') {
        let (low, high) = part.split_once(':').map_or((part, None), |(low, high)| (low, Some(high)));
        let low = number(low)?;
        let high = high.map(number).transpose()?;
        if high.is_some_and(|high| high <= low) {
            return Err((format!("the range {part} does not go up"), "write the lower port first"));
        }
        all.push((low, high));
    }
    if ports.matches([',', ':']).count() > 14 {
        return Err(("these are more than 15 ports".into(), "split the rule; a range counts as two ports"));
    }
    if (all.len() > 1 || all[0].1.is_some()) && protocol == "any" {
        return Err(("ufw takes several ports for one protocol only".into(), "add /tcp or /udp"));
    }
    all.sort_unstable();
    if let Some(pair) = all.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err((format!("port {} stands twice", pair[0].0), "keep one"));
    }
    let text = |(low, high): &(u16, Option<u16>)| high.map_or(low.to_string(), |high| format!("{low}:{high}"));
    Ok((all.iter().map(text).collect::<Vec<_>>().join(","), protocol))
}

/// An address as ufw writes it, and whether it is IPv6; `None` = any.
///
/// # Errors
/// It is none, or a network with host bits.
pub(in crate::kinds) fn address(field: &'static str, text: &str) -> Result<Option<(String, bool)>, Fault> {
    if text == "any" {
        return Ok(None);
    }
    let bad = || {
        Fault::new(field, format!("`{}` is not an address or network", text.escape_debug()))
            .fix("write an address, a network such as 10.0.0.0/8 or fd00::/8, or `any`")
    };
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let (bits, most) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let length = match prefix {
        None => most,
        Some(prefix) => prefix.parse::<u8>().ok().filter(|n| *n <= most && prefix == n.to_string()).ok_or_else(bad)?,
    };
    if let IpAddr::V6(v6) = address
        && (v6.to_ipv4_mapped().is_some() || v6.to_bits() >> 32 == 0 && v6.to_bits() > 0xffff)
    {
        return Err(bad().fix("write it as an IPv4 address"));
    }
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    let network = bits & mask;
    let named = match address {
        IpAddr::V4(_) => IpAddr::V4(((network >> 96) as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(network.into()),
    };
    if network != bits {
        return Err(Fault::new(field, format!("`{text}` is not a network: it says more than {length} bits"))
            .fix(format!("write {named}/{length} for the network, or {address} for the one address")));
    }
    let whole = if length == most { named.to_string() } else { format!("{named}/{length}") };
    Ok(Some((whole, address.is_ipv6())))
}

/// Whether all of `narrow`'s ports are among `wide`'s, both as ufw writes them.
pub(in crate::kinds) fn ports_within(wide: &str, narrow: &str) -> bool {
    let ranges = |text: &str| -> Option<Vec<(u16, u16)>> {
        let range = |part: &str| {
            let (low, high) = part.split_once(':').unwrap_or((part, part));
            Some((low.parse().ok()?, high.parse().ok()?))
        };
        text.split(',').map(range).collect()
    };
    let (Some(wide_ranges), Some(narrow)) = (ranges(wide), ranges(narrow)) else { return wide == "any" };
    narrow.iter().all(|(low, high)| wide_ranges.iter().any(|(first, last)| first <= low && high <= last))
}

/// Whether `narrow` lies within `wide`, both as ufw writes them.
pub(in crate::kinds) fn network_within(wide: &str, narrow: &str) -> bool {
    let network = |text: &str| -> Option<(IpAddr, u32)> {
        let (address, length) = text.split_once('/').unwrap_or((text, "128"));
        let address: IpAddr = address.parse().ok()?;
        Some((address, length.parse::<u32>().ok()?.min(if address.is_ipv4() { 32 } else { 128 })))
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let (Some((wide, most)), Some((narrow, least))) = (network(wide), network(narrow)) else { return wide == narrow };
    let differing = (bits(wide) ^ bits(narrow)).checked_shr(128 - most).unwrap_or(0);
    wide.is_ipv4() == narrow.is_ipv4() && most <= least && differing == 0
}

/// Reads one text or a list of texts.
pub(in crate::kinds) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;
    impl<'de> de::Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an address or a list of addresses")
        }

        fn visit_str<E: de::Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = items.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMore)
}

/// The schema of [`one_or_more`].
pub(in crate::kinds) fn one_or_more_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
}
