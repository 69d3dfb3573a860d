//! Owns the text of the table: its chains, the lines that every host has, and those that are declared.

use super::rule::Line;
use crate::kinds::firewall_rule::Direction;
use crate::kinds::firewall_ufw::Policy;

/// The chains that there may be, in the order of the table.
pub(super) const CHAINS: [Direction; 3] = [Direction::In, Direction::Route, Direction::Out];

// Without these a host is not found any more: neighbours, the size of packets, an address.
const REACHABLE: [&str; 5] = [
    "ct state established,related accept",
    "ct state invalid drop",
    "icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, \
     nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept",
    "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
];

/// One base chain.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    direction: Direction,
    pub policy: Policy,
    /// In order; those that every host has are among them.
    pub lines: Vec<Line>,
}

impl Chain {
    /// A chain with these declared lines.
    pub fn new(direction: Direction, policy: Policy, own: Vec<Line>) -> Chain {
        let base = |nft: &str| Line { nft: nft.to_owned(), words: None };
        let mut lines: Vec<Line> = match direction {
            Direction::In => {
                [&["iifname \"lo\" accept"][..], &REACHABLE, &["udp sport 67 udp dport 68 accept"]].concat()
            }
            Direction::Out => {
                [&["oifname \"lo\" accept"][..], &REACHABLE, &["udp sport 68 udp dport 67 accept"]].concat()
            }
            Direction::Route => REACHABLE[..2].to_vec(),
        }
        .into_iter()
        .map(base)
        .collect();
        lines.extend(own);
        // A policy of nft drops or accepts; an answer takes a rule.
        if policy == Policy::Reject {
            lines.push(base("reject with icmpx admin-prohibited"));
        }
        Chain { direction, policy, lines }
    }

    /// Its name in the table.
    pub fn name(&self) -> &'static str {
        match self.direction {
            Direction::In => "input",
            Direction::Out => "output",
            Direction::Route => "forward",
        }
    }

    /// The field of its policy.
    pub fn field(&self) -> &'static str {
        match self.direction {
            Direction::In => "incoming",
            Direction::Out => "outgoing",
            Direction::Route => "routed",
        }
    }
}

/// The file that nft loads in one transaction, whatever stood there before.
pub(super) fn text(chains: &[Chain]) -> String {
    let mut text =
        "# Managed by rempart.\ntable inet rempart\ndelete table inet rempart\ntable inet rempart {\n".to_owned();
    for chain in chains {
        let name = chain.name();
        let policy = if chain.policy == Policy::Allow { "accept" } else { "drop" };
        text.push_str(&format!("\tchain {name} {{\n\t\ttype filter hook {name} priority filter; policy {policy};\n"));
        chain.lines.iter().for_each(|line| text.push_str(&format!("\t\t{}\n", line.nft)));
        text.push_str("\t}\n");
    }
    text + "}\n"
}
