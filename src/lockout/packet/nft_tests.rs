//! Owns what an expression of nft's JSON asks. What is not known here is what nobody can tell.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use serde_json::Value;

use super::rule::{Field, Test};
use super::words;

/// The named sets and maps of one table; `None` = rules change it, so nobody knows what it will hold.
pub(super) type Sets = BTreeMap<String, Option<Vec<Value>>>;

/// How the values of a field are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Address,
    Port,
    Protocol,
    Family,
    EtherType,
    State,
    Flags,
    Direction,
    AddressType,
    PacketType,
    Icmp,
}

/// The left side of a match, or the key of a map.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Field {
        field: Field,
        kind: Kind,
        mask: u128,
        needs: Option<Test>,
    },
    Interface {
        out: bool,
    },
    Concat(Vec<Operand>),
    /// What our packets do not have: its existence may be asked.
    Missing,
    /// A route back to the source: its existence may be asked.
    ReturnPath,
    Unknown {
        what: String,
        needs: Option<Test>,
    },
}

fn unknown(what: &str) -> Operand {
    Operand::Unknown { what: what.to_owned(), needs: None }
}

fn field(field: Field, kind: Kind) -> Operand {
    Operand::Field { field, kind, mask: u128::MAX, needs: None }
}

fn field_of(field: Field, kind: Kind, needs: Test) -> Operand {
    Operand::Field { field, kind, mask: u128::MAX, needs: Some(needs) }
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Reads the left side of a match.
pub(super) fn operand(left: &Value) -> Operand {
    let Some((name, of)) = left.as_object().and_then(|object| object.iter().next()) else {
        return unknown("this expression");
    };
    match name.as_str() {
        "payload" => payload(of),
        "meta" => meta(of.as_str().unwrap_or_else(|| word(of, "key"))),
        "ct" => connection(word(of, "key"), word(of, "dir")),
        "fib" => fib(of),
        "concat" => match of.as_array() {
            Some(parts) => Operand::Concat(parts.iter().map(operand).collect()),
            None => unknown("concat"),
        },
        "&" => match of.as_array().map(Vec::as_slice) {
            Some([inner, bits]) => match operand(inner) {
                Operand::Field { field, kind, mask: u128::MAX, needs } => match number(kind, bits) {
                    Some(mask) => Operand::Field { field, kind, mask, needs },
                    None => unknown("this mask"),
                },
                _ => unknown("this mask"),
            },
            _ => unknown("this mask"),
        },
        "exthdr" | "ip option" => Operand::Missing,
        other => unknown(other),
    }
}

fn payload(of: &Value) -> Operand {
    let (protocol, name) = (word(of, "protocol"), word(of, "field"));
    let v6 = protocol == "ip6";
    let family = || Test::is(Field::Family, if v6 { 10 } else { 2 });
    let tcp = || Test::is(Field::Protocol, 6);
    match (protocol, name) {
        ("ip" | "ip6", "saddr") => field(Field::Source { v6 }, Kind::Address),
        ("ip" | "ip6", "daddr") => field(Field::Destination { v6 }, Kind::Address),
        ("ip", "protocol") | ("ip6", "nexthdr") => field_of(Field::Protocol, Kind::Protocol, family()),
        ("ip", "ttl") | ("ip6", "hoplimit") => field(Field::HopLimit { v6 }, Kind::Number),
        ("tcp" | "th", "dport") => field(Field::DestinationPort, Kind::Port),
        ("tcp" | "th", "sport") => field(Field::SourcePort, Kind::Port),
        ("tcp", "flags") => field(Field::TcpFlags, Kind::Flags),
        ("icmpv6", "type") => field(Field::IcmpType { v6: true }, Kind::Icmp),
        ("ether", "type") => field(Field::EtherType, Kind::EtherType),
        ("ip" | "ip6", _) => Operand::Unknown { what: format!("{protocol} {name}"), needs: Some(family()) },
        ("tcp", _) => Operand::Unknown { what: format!("tcp {name}"), needs: Some(tcp()) },
        ("icmpv6", _) => {
            let needs = Some(Test::is(Field::Protocol, 58));
            Operand::Unknown { what: format!("icmpv6 {name}"), needs }
        }
        ("udp" | "udplite" | "sctp" | "dccp" | "esp" | "ah" | "comp" | "icmp" | "igmp" | "gre" | "grev6", _) => {
            Operand::Unknown { what: String::new(), needs: Some(Test::Never) }
        }
        _ => unknown("a part of the packet"),
    }
}

fn meta(key: &str) -> Operand {
    match key {
        "l4proto" => field(Field::Protocol, Kind::Protocol),
        "nfproto" => field(Field::Family, Kind::Family),
        "protocol" => field(Field::EtherType, Kind::EtherType),
        "iif" | "iifname" => Operand::Interface { out: false },
        "oif" | "oifname" => Operand::Interface { out: true },
        "mark" => field(Field::Mark, Kind::Number),
        "pkttype" => field(Field::PacketType, Kind::PacketType),
        other => unknown(&format!("meta {other}")),
    }
}

fn connection(key: &str, direction: &str) -> Operand {
    match (key, direction) {
        ("state", _) => field(Field::State, Kind::State),
        ("mark", _) => field(Field::ConnectionMark, Kind::Number),
        ("direction", _) => field(Field::Direction, Kind::Direction),
        ("ip saddr", "original") => field(Field::FirstSource { v6: false }, Kind::Address),
        ("ip6 saddr", "original") => field(Field::FirstSource { v6: true }, Kind::Address),
        ("ip daddr", "original") => field(Field::FirstDestination { v6: false }, Kind::Address),
        ("ip6 daddr", "original") => field(Field::FirstDestination { v6: true }, Kind::Address),
        ("proto-dst", "original") => field(Field::FirstDestinationPort, Kind::Port),
        ("protocol", _) => field(Field::Protocol, Kind::Protocol),
        _ => unknown(&format!("ct {key}")),
    }
}

fn fib(of: &Value) -> Operand {
    let flags: Vec<&str> = match of.get("flags") {
        Some(Value::Array(flags)) => flags.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(flag)) => vec![flag],
        _ => Vec::new(),
    };
    match (word(of, "result"), flags.as_slice()) {
        ("type", ["daddr"]) => field(Field::DestinationType, Kind::AddressType),
        ("type", ["saddr"]) => field(Field::SourceType, Kind::AddressType),
        ("oif" | "oifname" | "check", flags)
            if flags.contains(&"saddr") && flags.contains(&"iif") && !flags.contains(&"daddr") =>
        {
            Operand::ReturnPath
        }
        _ => unknown("what the routes say"),
    }
}

/// The number that a value is written for.
fn number(kind: Kind, value: &Value) -> Option<u128> {
    if let Some(number) = value.as_u64() {
        return Some(number.into());
    }
    let parts = value.as_array().or_else(|| value.get("|").and_then(Value::as_array));
    if let Some(parts) = parts {
        return parts.iter().try_fold(0, |all, part| Some(all | number(kind, part)?));
    }
    let text = value.as_str()?;
    match kind {
        Kind::Number => words::number(text),
        Kind::Address => IpAddr::from_str(text).ok().map(|address| words::address(address).1),
        Kind::Port => words::port(text),
        Kind::Protocol => words::protocol(text),
        Kind::Family => match text {
            "ipv4" => Some(2),
            "ipv6" => Some(10),
            _ => None,
        },
        Kind::EtherType => match text {
            "ip" => Some(0x0800),
            "ip6" => Some(0x86dd),
            "arp" => Some(0x0806),
            "vlan" | "8021q" => Some(0x8100),
            "8021ad" => Some(0x88a8),
            _ => None,
        },
        Kind::State => words::state(text),
        Kind::Flags => words::flag(text),
        Kind::Direction => match text {
            "original" => Some(0),
            "reply" => Some(1),
            _ => None,
        },
        Kind::AddressType => words::address_type(text),
        Kind::PacketType => words::packet_type(text),
        Kind::Icmp => words::icmpv6(text),
    }
}

/// A match statement.
pub(super) fn test(of: &Value, sets: &Sets) -> Test {
    let (Some(left), Some(right)) = (of.get("left"), of.get("right")) else {
        return Test::Unknown("this match is not understood".into());
    };
    let op = word(of, "op");
    if let (Some("status"), "in" | "==") = (left.pointer("/ct/key").and_then(Value::as_str), op) {
        return status(right);
    }
    let operand = operand(left);
    let equal = || fits(&operand, right, sets);
    match (&operand, op) {
        (Operand::Missing, _) => match right {
            Value::Bool(false) => Test::Always,
            _ => Test::Never,
        },
        (Operand::ReturnPath, "==" | "!=") => match right {
            Value::Bool(is) if *is == (op == "==") => Test::ReturnPath,
            Value::Bool(_) => Test::Not(Box::new(Test::ReturnPath)),
            _ => Test::Unknown("what the routes say cannot be told from here".into()),
        },
        (_, "==") | (Operand::Interface { .. } | Operand::Concat(_) | Operand::Unknown { .. }, "" | "in") => equal(),
        (_, "!=") => {
            let mut all = conditions(&operand);
            all.push(Test::Not(Box::new(bare(&operand, right, sets))));
            Test::All(all)
        }
        (Operand::Field { field, kind, mask, .. }, _) => {
            let mut all = conditions(&operand);
            let is_set = right.get("set").is_some() || right.as_str().is_some_and(|text| text.starts_with('@'));
            all.push(match (op, number(*kind, right)) {
                ("in" | "", _) if is_set => bare(&operand, right, sets),
                ("in" | "", Some(bits)) => Test::some_bit(*field, bits & mask),
                ("<", Some(0)) => Test::Never,
                ("<", Some(number)) => Test::Within { field: *field, mask: *mask, low: 0, high: number - 1 },
                ("<=", Some(number)) => Test::Within { field: *field, mask: *mask, low: 0, high: number },
                (">=", Some(number)) => Test::Within { field: *field, mask: *mask, low: number, high: u128::MAX },
                (">", Some(number)) => {
                    Test::Within { field: *field, mask: *mask, low: number.saturating_add(1), high: u128::MAX }
                }
                _ => Test::Unknown("this comparison is not understood".into()),
            });
            Test::All(all)
        }
        _ => Test::Unknown("this comparison is not understood".into()),
    }
}

// Bits of `ct status` that our connections have only where a rule redirects them, which is told before this is asked.
fn status(right: &Value) -> Test {
    let words: Vec<&Value> = right.as_array().map_or_else(|| vec![right], |all| all.iter().collect());
    if words.iter().all(|word| matches!(word.as_str(), Some("dnat" | "snat" | "expected"))) {
        Test::Never
    } else {
        Test::Unknown("ct status cannot be told from here".into())
    }
}

/// What must be true of a packet so that it can be compared at all.
fn conditions(operand: &Operand) -> Vec<Test> {
    match operand {
        Operand::Field { field, needs, .. } => {
            needs.iter().cloned().chain(std::iter::once(Test::Has(*field))).collect()
        }
        Operand::Unknown { needs, .. } => needs.iter().cloned().collect(),
        Operand::Concat(parts) => parts.iter().flat_map(conditions).collect(),
        Operand::Missing => vec![Test::Never],
        Operand::Interface { .. } | Operand::ReturnPath => Vec::new(),
    }
}

/// The operand is this value, or one of this set.
pub(super) fn fits(operand: &Operand, right: &Value, sets: &Sets) -> Test {
    let mut all = conditions(operand);
    all.push(bare(operand, right, sets));
    Test::All(all)
}

fn bare(operand: &Operand, right: &Value, sets: &Sets) -> Test {
    let not = || Test::Unknown("its value is not understood".into());
    if let Operand::Unknown { what, .. } = operand {
        return Test::Unknown(format!("{what} cannot be told from here"));
    }
    if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
        return match sets.get(name) {
            Some(Some(elements)) => Test::Any(elements.iter().map(|element| bare(operand, element, sets)).collect()),
            Some(None) => Test::Unknown(format!("rules change the set {name} as they run")),
            None => Test::Unknown(format!("there is no set {name}")),
        };
    }
    if let Some(set) = right.get("set") {
        return match set {
            Value::Array(elements) => Test::Any(elements.iter().map(|element| bare(operand, element, sets)).collect()),
            one => bare(operand, one, sets),
        };
    }
    if let Some(value) = right.pointer("/elem/val") {
        return bare(operand, value, sets);
    }
    if right.as_str() == Some("*") {
        return Test::Always;
    }
    match operand {
        Operand::Concat(parts) => match right.get("concat").and_then(Value::as_array) {
            Some(values) if values.len() == parts.len() => {
                Test::All(parts.iter().zip(values).map(|(part, value)| bare(part, value, sets)).collect())
            }
            _ => not(),
        },
        Operand::Interface { out } => match right.as_str() {
            Some(name) => {
                let (name, prefix) = match name.strip_suffix('*') {
                    Some(name) if !name.ends_with('\\') => (name, true),
                    _ => (name, false),
                };
                Test::Interface { out: *out, name: name.replace("\\*", "*"), prefix }
            }
            None => not(),
        },
        Operand::Field { field, kind, mask, .. } => value(*field, *kind, *mask, right).unwrap_or_else(not),
        Operand::Missing => Test::Never,
        Operand::Unknown { .. } | Operand::ReturnPath => not(),
    }
}

fn value(field: Field, kind: Kind, mask: u128, right: &Value) -> Option<Test> {
    if let Some(prefix) = right.get("prefix") {
        let address = prefix.get("addr")?;
        let length = u32::try_from(prefix.get("len")?.as_u64()?).ok()?;
        let v6 = address.as_str().is_some_and(|text| text.contains(':'));
        let own = words::prefix_mask(v6, length)?;
        let number = number(kind, address)? & own;
        return (kind == Kind::Address).then_some(Test::Within { field, mask: mask & own, low: number, high: number });
    }
    if let Some(range) = right.get("range").and_then(Value::as_array) {
        let [low, high] = range.as_slice() else { return None };
        return Some(Test::Within { field, mask, low: number(kind, low)?, high: number(kind, high)? });
    }
    let number = number(kind, right)?;
    Some(Test::Within { field, mask, low: number, high: number })
}
