//! Owns drawing a file of nft: base chains at several hooks and priorities, sets, maps, jumps.

use crate::generate::{Draw, NETS4, NETS6, port};

pub fn nft(draw: &mut Draw) -> String {
    let mut text = String::new();
    for at in 0..=draw.below(2) {
        let family = draw.one(&["inet", "inet", "inet", "ip", "ip6"]);
        let name = if at == 0 && draw.percent(10) { "filter".to_owned() } else { format!("t{at}") };
        let set4 =
            draw.one(&["{ 10.1.0.0/16, 203.0.113.1-203.0.113.9 }", "{ 192.0.2.254 }", "{ 10.1.2.3, 192.0.2.0/24 }"]);
        let ports = draw.one(&["{ 22, 80 }", "{ 443, 8000-9000 }", "{ 2222 }"]);
        text.push_str(&format!("table {family} {name} {{\n"));
        text.push_str(&format!(" set nets {{ type ipv4_addr; flags interval; elements = {set4} }}\n"));
        text.push_str(" set nets6 { type ipv6_addr; flags interval; elements = { fd00:aa::/64 } }\n");
        text.push_str(&format!(" set ports {{ type inet_service; flags interval; elements = {ports} }}\n"));
        text.push_str(&format!(
            " map ways {{ type inet_service : verdict; elements = {{ {} : accept, 9999 : drop, 443 : {} }} }}\n",
            draw.one(&["22", "80", "2222"]),
            draw.one(&["accept", "drop", "jump low"])
        ));
        for (chain, depth) in [("low", 2), ("mid", 1)] {
            text.push_str(&format!(" chain {chain} {{\n"));
            for _ in 0..=draw.below(3) {
                text.push_str(&nft_rule(draw, family, depth, "input"));
            }
            text.push_str(" }\n");
        }
        for number in 0..=draw.below(2) {
            let hook = draw.one(&["input", "input", "input", "prerouting", "output"]);
            let priority = draw.one(&["-300", "-150", "-10", "0", "0", "0", "10", "100"]);
            let drops = draw.percent(45);
            text.push_str(&format!(
                " chain base{number} {{\n  type filter hook {hook} priority {priority}; policy {};\n",
                if drops { "drop" } else { "accept" }
            ));
            if draw.percent(85) {
                text.push_str(draw.one(&[
                    "  ct state established,related accept\n",
                    "  ct state { established, related } accept\n",
                    "  ct state vmap { established : accept, related : accept, invalid : drop }\n",
                ]));
            }
            if family != "ip" && draw.percent(85) {
                text.push_str(draw.one(&[
                    "  meta l4proto ipv6-icmp accept\n",
                    "  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, echo-request } accept\n",
                    "  ip6 nexthdr icmpv6 accept\n",
                ]));
            }
            for _ in 0..=draw.below(5) {
                text.push_str(&nft_rule(draw, family, 0, hook));
            }
            // What follows a `goto` must not be reached, and the policy says the contrary.
            if draw.percent(30) {
                let (way, p) = (draw.one(&["goto mid", "goto low", "jump mid"]), port(draw));
                let other = if drops { "accept" } else { "meta l4proto tcp ct state new drop" };
                text.push_str(&format!("  tcp dport {p} {way}\n  {other}\n"));
            }
            text.push_str(" }\n");
        }
        text.push_str("}\n");
    }
    text
}

fn nft_rule(draw: &mut Draw, family: &str, depth: usize, hook: &str) -> String {
    let mut tests = nft_test(draw, family, hook);
    if draw.percent(30) {
        tests = format!("{tests} {}", nft_test(draw, family, hook));
    }
    let verdict = match draw.below(20) {
        0..8 => "accept",
        8..11 => "drop",
        11 if hook == "input" => draw.one(&["reject", "meta l4proto tcp reject with tcp reset"]),
        12 => draw.one(&["counter", "log prefix \"x\"", "meta mark set 0x1", "ct mark set 0x2"]),
        13 if depth < 2 => "tcp dport vmap @ways",
        14 => "tcp dport vmap { 22 : accept, 80-443 : drop }",
        15 if family == "ip" => "ip saddr vmap { 10.1.0.0/16 : drop, 192.0.2.254 : accept }",
        16..19 if depth == 0 => draw.one(&["jump mid", "goto mid", "jump low"]),
        16..19 if depth == 1 => draw.one(&["jump low", "goto low", "return"]),
        19 if draw.percent(10) => "limit rate 3/minute accept",
        _ => "return",
    };
    // nft refuses a rule that no packet can match.
    let words = format!("{tests} {verdict}");
    let has = |word: &str| words.split_ascii_whitespace().any(|known| known == word);
    let v4 = has("ip") || words.contains("nfproto ipv4");
    let v6 = has("ip6") || words.contains("nfproto ipv6");
    let tcp = has("tcp");
    if v4 && v6 || has("udp") && (tcp || words.contains("l4proto")) {
        return "  tcp dport vmap { 22 : accept, 443 : drop }\n".into();
    }
    format!("  {words}\n")
}

fn nft_test(draw: &mut Draw, family: &str, hook: &str) -> String {
    let p = port(draw);
    let side = if hook == "output" { "sport" } else { "dport" };
    let interface = if hook == "output" { "oifname" } else { "iifname" };
    let v4 = family != "ip6" && (family == "ip" || draw.percent(60));
    match draw.below(26) {
        0..4 => format!("tcp {side} {p}"),
        4 => format!("tcp {side} {{ {p}, 8000-9000 }}"),
        5 => format!("tcp {side} != {p}"),
        6 => format!("tcp {side} 22-{}", 80 + p),
        7 => format!("tcp {side} @ports"),
        8 if v4 => format!("ip saddr {}", draw.one(&NETS4)),
        8 => format!("ip6 saddr {}", draw.one(&NETS6)),
        9 if v4 => format!("ip saddr != {{ {}, 198.51.100.0/24 }}", draw.one(&NETS4)),
        9 => format!("ip6 saddr != {{ {}, fd00:dd::/64 }}", draw.one(&NETS6)),
        10 if v4 => "ip saddr @nets".into(),
        10 => "ip6 saddr @nets6".into(),
        11 => draw.one(&["ct state new", "ct state != new", "ct state { new, untracked }", "ct state invalid"]).into(),
        12 => format!("{interface} {}", draw.one(&["host0", "lo", "\"ho*\"", "{ host0, lo }", "\"eth*\""])),
        13 => format!("{interface} != {} tcp {side} {p}", draw.one(&["host0", "lo"])),
        14 => format!("meta l4proto {}", draw.one(&["tcp", "udp", "{ tcp, udp }"])),
        15 if family == "inet" => format!("meta nfproto {}", draw.one(&["ipv4", "ipv6"])),
        16 => format!("th {side} {p}"),
        17 => format!("tcp flags & (fin|syn|rst|ack) == syn tcp {side} {p}"),
        18 if v4 => format!("ip saddr . tcp dport {{ 192.0.2.254 . {p}, 10.1.0.0/16 . 1-{} }}", 100 + p),
        18 => format!("ip6 saddr . tcp dport {{ fd00:aa::fe . {p} }}"),
        19 => format!("fib daddr type {}", draw.one(&["local", "{ local, multicast }", "broadcast", "!= local"])),
        20 => format!("meta mark {} tcp {side} {p}", draw.one(&["0x1", "0x0", "& 0xff == 0x1"])),
        21 if v4 => format!("ip protocol tcp tcp {side} {p}"),
        22 => format!("tcp {} 1024-65535", if side == "sport" { "dport" } else { "sport" }),
        23 => format!("udp {side} {p}"),
        24 => format!("tcp {side} >= 443"),
        _ if v4 => "ip daddr 192.0.2.11-192.0.2.12".into(),
        _ => "ip6 daddr fd00:aa::/64".into(),
    }
}
