//! Owns one rule of nftables: what a playbook may say, and the lines that nft is given for it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::kinds::firewall_rule::{Direction, any, anywhere};
use crate::kinds::firewall_ufw::spec;
use crate::quote::{Format, fits};
use crate::resource::Fault;

/// One rule. Exactly one of `allow`, `deny` and `reject` says what it does and for which ports.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Lets it pass: `22/tcp`, `60000:61000/udp`, `80,443/tcp`, `53` (TCP and UDP), `any/gre`, or `any`.
    #[serde(default)]
    allow: Option<String>,
    /// Drops it without an answer; ports as for `allow`.
    #[serde(default)]
    deny: Option<String>,
    /// Refuses it with an answer; ports as for `allow`.
    #[serde(default)]
    reject: Option<String>,
    /// Address or network that it comes from, IPv4 or IPv6, or a list of them; `any` unless said.
    #[serde(default = "anywhere", deserialize_with = "spec::one_or_more")]
    #[schemars(schema_with = "spec::one_or_more_schema")]
    from: Vec<String>,
    /// Address or network that it goes to; `any` unless said.
    #[serde(default = "any")]
    to: String,
    /// Network interface that it comes in by (with `direction: out`: goes out by); every one unless said.
    #[serde(default)]
    interface: Option<String>,
    /// `in` for what this host receives (the default), `out` for what it sends, `route` for what it passes on.
    #[serde(default)]
    pub(super) direction: Direction,
    /// Whether what it meets is logged.
    #[serde(default)]
    log: bool,
    /// A note that the kernel keeps with the rule.
    #[serde(default)]
    comment: Option<String>,
}

/// A line of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// As nft reads it.
    pub nft: String,
    /// As a person reads it; `None` = it is one of those that every host has.
    pub words: Option<String>,
}

impl Rule {
    /// Its lines: nft has one for each address family and protocol.
    ///
    /// # Errors
    /// The part that cannot be, and what to write.
    pub(super) fn lines(&self) -> Result<Vec<Line>, Fault> {
        let all = [("allow", &self.allow), ("deny", &self.deny), ("reject", &self.reject)];
        let mut said = all.into_iter().filter_map(|(verb, ports)| Some((verb, ports.as_deref()?)));
        let (Some((verb, ports)), None) = (said.next(), said.next()) else {
            return Err(Fault::new("allow", "a rule says exactly one of allow, deny and reject")
                .fix("write it like `allow: 22/tcp`"));
        };
        let (ports, protocol) = spec::ports(ports).map_err(|(why, fix)| Fault::new(verb, why).fix(fix))?;
        check_overlap(verb, &ports)?;
        let mut begin = String::new();
        if let Some(name) = &self.interface {
            spec::interface(name)?;
            let side = if self.direction == Direction::Out { "oifname" } else { "iifname" };
            begin = format!("{side} \"{name}\" ");
        }
        let comment = match &self.comment {
            None => String::new(),
            Some(text) => format!(" comment \"{}\"", note(text)?),
        };
        let log = if self.log { format!("log prefix \"rempart {verb}: \" ") } else { String::new() };
        let verdict = match verb {
            "allow" => "accept",
            "deny" => "drop",
            _ => "reject",
        };
        let mut lines = Vec::new();
        for family in self.families()? {
            for (matched, named) in protocols(&ports, protocol) {
                let way = match self.direction {
                    Direction::In => "",
                    Direction::Out => "out ",
                    Direction::Route => "route ",
                };
                let nft = format!("{begin}{}{matched}{log}{verdict}{comment}", family.nft);
                let mut words = format!("{verb} {way}{named}{}", family.words);
                if let Some(name) = &self.interface {
                    words.push_str(&format!(" on {name}"));
                }
                if self.log {
                    words.push_str(", logged");
                }
                if let Some(text) = &self.comment {
                    words.push_str(&format!(" ({text})"));
                }
                lines.push(Line { nft, words: Some(words) });
            }
        }
        Ok(lines)
    }

    // Sources and destination, apart by address family where either names one.
    fn families(&self) -> Result<Vec<Family>, Fault> {
        if self.from.is_empty() {
            return Err(Fault::new("from", "the list is empty, so there would be no rule")
                .fix("list at least one address, or write `any`"));
        }
        let to = spec::address("to", &self.to)?;
        let mut sources: [Vec<String>; 2] = Default::default();
        let mut everywhere = false;
        for source in &self.from {
            match spec::address("from", source)? {
                None => everywhere = true,
                Some((text, v6)) => {
                    if to.as_ref().is_some_and(|(_, to_v6)| *to_v6 != v6) {
                        return Err(Fault::new("from", format!("`{text}` cannot reach `{}`", self.to))
                            .fix("let `from` and `to` be of one address family"));
                    }
                    let known = &mut sources[usize::from(v6)];
                    let meets =
                        |other: &&String| spec::network_within(other, &text) || spec::network_within(&text, other);
                    if let Some(other) = known.iter().find(meets) {
                        return Err(
                            Fault::new("from", format!("`{text}` and `{other}` overlap")).fix("keep the wider one")
                        );
                    }
                    known.push(text);
                }
            }
        }
        if everywhere {
            if self.from.len() > 1 {
                return Err(Fault::new("from", "`any` holds every address already").fix("write `any` alone"));
            }
            return Ok(vec![match &to {
                None => Family { nft: String::new(), words: String::new() },
                Some((text, v6)) => Family { nft: format!("{} daddr {text} ", ip(*v6)), words: format!(" to {text}") },
            }]);
        }
        let mut families = Vec::new();
        for (v6, sources) in [false, true].into_iter().zip(sources) {
            if sources.is_empty() {
                continue;
            }
            let set = if sources.len() == 1 { sources[0].clone() } else { format!("{{ {} }}", sources.join(", ")) };
            let mut family =
                Family { nft: format!("{} saddr {set} ", ip(v6)), words: format!(" from {}", sources.join(", ")) };
            if let Some((text, _)) = &to {
                family.nft.push_str(&format!("{} daddr {text} ", ip(v6)));
                family.words.push_str(&format!(" to {text}"));
            }
            families.push(family);
        }
        Ok(families)
    }
}

struct Family {
    nft: String,
    words: String,
}

fn ip(v6: bool) -> &'static str {
    if v6 { "ip6" } else { "ip" }
}

// What nft matches, and how a person writes it. Numbers, since names of protocols are known on a host or not.
fn protocols(ports: &str, protocol: &str) -> Vec<(String, String)> {
    let number = |protocol: &str| match protocol {
        "tcp" => 6,
        "udp" => 17,
        "igmp" => 2,
        "ipv6" => 41,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        _ => 112,
    };
    let of = |protocol: &str| {
        let dashed = ports.replace(':', "-").replace(',', ", ");
        let set = if ports.contains(',') { format!("{{ {dashed} }}") } else { dashed };
        (format!("{protocol} dport {set} "), format!("{ports}/{protocol}"))
    };
    match (ports, protocol) {
        ("any", "any") => vec![(String::new(), "any".to_owned())],
        ("any", _) => vec![(format!("meta l4proto {} ", number(protocol)), format!("any/{protocol}"))],
        (_, "any") => vec![of("tcp"), of("udp")],
        _ => vec![of(protocol)],
    }
}

// nft refuses a set whose parts overlap.
fn check_overlap(field: &'static str, ports: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = ports.split(',').collect();
    for (at, part) in parts.iter().enumerate() {
        if let Some(other) = parts[at + 1..].iter().find(|other| spec::ports_within(part, other)) {
            return Err(Fault::new(field, format!("the ports {part} hold {other} already")).fix("keep the wider one"));
        }
    }
    let high = |part: &str| part.rsplit(':').next().and_then(|text| text.parse::<u16>().ok());
    let low = |part: &str| part.split(':').next().and_then(|text| text.parse::<u16>().ok());
    match parts.windows(2).find(|pair| high(pair[0]).is_some() && high(pair[0]) >= low(pair[1])) {
        Some(pair) => Err(Fault::new(field, format!("the ports {} and {} overlap", pair[0], pair[1])).fix("join them")),
        None => Ok(()),
    }
}

// Within the double quotes of a comment; nft knows no way to write one in there.
fn note(text: &str) -> Result<&str, Fault> {
    fits(Format::Nftables, text).map_err(|why| Fault::new("comment", why))?;
    if text.is_empty() || text.len() > 120 {
        return Err(Fault::new("comment", "it is empty, or longer than 120 bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new("comment", "it holds a control character"));
    }
    Ok(text)
}
