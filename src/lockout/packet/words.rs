//! Owns the names that iptables and nftables have for numbers: protocols, ports, kinds of ICMP, flags, addresses.

use std::net::IpAddr;

/// The number of a transport protocol.
pub(super) fn protocol(word: &str) -> Option<u128> {
    let known = match word.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "igmp" => 2,
        "ipv4" | "ipip" | "ipencap" => 4,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "ipv6" => 41,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" | "ipv6-icmp" => 58,
        "vrrp" => 112,
        "sctp" => 132,
        "udplite" => 136,
        other => return other.parse::<u8>().ok().map(u128::from),
    };
    Some(known)
}

/// The number of a port; of names, those that firewalls of servers use.
pub(super) fn port(word: &str) -> Option<u128> {
    let known = match word.to_ascii_lowercase().as_str() {
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" => 53,
        "http" | "www" => 80,
        "ntp" => 123,
        "imap" | "imap2" => 143,
        "https" => 443,
        "submission" => 587,
        "imaps" => 993,
        other => return other.parse::<u16>().ok().map(u128::from),
    };
    Some(known)
}

/// The type of an ICMPv6 message.
pub(super) fn icmpv6(word: &str) -> Option<u128> {
    let known = match word {
        "destination-unreachable" => 1,
        "packet-too-big" => 2,
        "time-exceeded" | "ttl-exceeded" => 3,
        "parameter-problem" => 4,
        "echo-request" | "ping" => 128,
        "echo-reply" | "pong" => 129,
        "mld-listener-query" => 130,
        "mld-listener-report" => 131,
        "mld-listener-done" | "mld-listener-reduction" => 132,
        "router-solicitation" | "nd-router-solicit" => 133,
        "router-advertisement" | "nd-router-advert" => 134,
        "neighbor-solicitation" | "neighbour-solicitation" | "nd-neighbor-solicit" => 135,
        "neighbor-advertisement" | "neighbour-advertisement" | "nd-neighbor-advert" => 136,
        "redirect" | "nd-redirect" => 137,
        "router-renumbering" => 138,
        "ind-neighbor-solicit" => 141,
        "ind-neighbor-advert" => 142,
        "mld2-listener-report" => 143,
        other => return other.parse::<u8>().ok().map(u128::from),
    };
    Some(known)
}

/// The bit of a TCP flag.
pub(super) fn flag(word: &str) -> Option<u128> {
    Some(match word.to_ascii_lowercase().as_str() {
        "none" => 0,
        "fin" => 0x01,
        "syn" => 0x02,
        "rst" => 0x04,
        "psh" => 0x08,
        "ack" => 0x10,
        "urg" => 0x20,
        "ecn" | "ece" => 0x40,
        "cwr" => 0x80,
        "all" => 0x3f,
        _ => return None,
    })
}

/// The bit of a state of connection tracking.
pub(super) fn state(word: &str) -> Option<u128> {
    use super::rule::{ESTABLISHED, INVALID, NEW, RELATED, UNTRACKED};
    Some(match word.to_ascii_lowercase().as_str() {
        "invalid" => INVALID,
        "established" => ESTABLISHED,
        "related" => RELATED,
        "new" => NEW,
        "untracked" => UNTRACKED,
        _ => return None,
    })
}

/// The number of an address's type in the kernel's routes.
pub(super) fn address_type(word: &str) -> Option<u128> {
    Some(match word.to_ascii_lowercase().as_str() {
        "unspec" => 0,
        "unicast" => 1,
        "local" => 2,
        "broadcast" => 3,
        "anycast" => 4,
        "multicast" => 5,
        "blackhole" => 6,
        "unreachable" => 7,
        "prohibit" => 8,
        _ => return None,
    })
}

/// The number of a packet's kind.
pub(super) fn packet_type(word: &str) -> Option<u128> {
    Some(match word {
        "host" | "unicast" => 0,
        "broadcast" => 1,
        "multicast" => 2,
        "other" => 3,
        _ => return None,
    })
}

/// A number, as decimal or hexadecimal.
pub(super) fn number(word: &str) -> Option<u128> {
    match word.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

/// An address as a number, and whether it is of IPv6.
pub(super) fn address(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (false, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (true, v6.to_bits()),
    }
}

/// The mask of the first bits of an address.
pub(super) fn prefix_mask(v6: bool, length: u32) -> Option<u128> {
    let width: u32 = if v6 { 128 } else { 32 };
    let rest = width.checked_sub(length)?;
    let all = if v6 { u128::MAX } else { u128::from(u32::MAX) };
    Some(if rest >= 128 { 0 } else { (all >> rest) << rest })
}
