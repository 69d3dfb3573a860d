#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        Tables::read(
            Some(include_str!(concat!("../../../tests/fixtures/lockout/", $name, ".iptables-save"))),
            Some(include_str!(concat!("../../../tests/fixtures/lockout/", $name, ".ip6tables-save"))),
            Some(include_str!(concat!("../../../tests/fixtures/lockout/", $name, ".nft.json"))),
        )
        .unwrap()
    };
}

fn packet(from: &str, port: u16) -> Packet {
    let from: IpAddr = from.parse().unwrap();
    let to = if from.is_ipv4() { "192.0.2.11" } else { "fd00:aa::b" };
    Packet { from, to: to.parse().unwrap(), port, interface: Some("host0".into()), connections: 1 }
}

fn said(tables: &Tables, from: &str, port: u16) -> String {
    match tables.verdict(&packet(from, port)) {
        Verdict::In { by } => format!("in: {by}"),
        Verdict::Out { by } => format!("out: {by}"),
        Verdict::Undecided { by, why } => format!("undecided: {by}: {why}"),
    }
}

#[track_caller]
fn says(tables: &Tables, from: &str, port: u16, wanted: &str) {
    assert_eq!(said(tables, from, port), wanted, "{from} to port {port}");
}

fn filter(rules: &str) -> Tables {
    let text = format!("*filter\n:INPUT DROP [0:0]\n:one - [0:0]\n{rules}\nCOMMIT\n");
    Tables::read(Some(&text), None, None).unwrap()
}

fn nft(input: &str) -> Tables {
    let json = format!(
        r#"{{"nftables": [{{"table": {{"family": "inet", "name": "t"}}}},
        {{"set": {{"family": "inet", "table": "t", "name": "seen", "type": "ipv4_addr"}}}},
        {{"chain": {{"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}}},
        {input}]}}"#
    );
    Tables::read(None, None, Some(&json)).unwrap()
}

fn rule(expressions: &str) -> String {
    format!(r#"{{"rule": {{"family": "inet", "table": "t", "chain": "c", "expr": [{expressions}]}}}}"#)
}

#[test]
fn ufw_of_both_releases_is_judged_by_its_own_rules() {
    for tables in [recorded!("ufw.bookworm"), recorded!("ufw.trixie")] {
        let user = "in: table ip filter, chain ufw-user-input: -p tcp --dport 22 -j ACCEPT";
        says(&tables, "192.0.2.254", 22, user);
        says(&tables, "fd00:aa::fe", 22, "in: table ip6 filter, chain ufw6-user-input: -p tcp --dport 22 -j ACCEPT");
        says(&tables, "192.0.2.254", 81, "out: table ip filter, the policy of INPUT: DROP");
        says(&tables, "203.0.113.9", 80, "out: table ip filter, the policy of INPUT: DROP");
        let nets =
            "in: table ip filter, chain ufw-user-input: -s 192.0.2.0/24 -p tcp -m multiport --dports 80,443 -j ACCEPT";
        says(&tables, "192.0.2.254", 80, nets);
        assert!(
            said(&tables, "192.0.2.254", 25)
                .starts_with("out: table ip filter, chain ufw-user-input: -p tcp --dport 25 -j REJECT")
        );
    }
}

#[test]
fn the_connection_that_ufw_limits_is_the_sixth() {
    let tables = recorded!("ufw.bookworm");
    let nth = |connections| tables.verdict(&Packet { connections, ..packet("192.0.2.254", 2222) });
    assert!(matches!(nth(5), Verdict::In { by } if by == "table ip filter, chain ufw-user-limit-accept: -j ACCEPT"));
    assert!(
        matches!(nth(6), Verdict::Out { by } if by.starts_with("table ip filter, chain ufw-user-limit: -j REJECT"))
    );
}

#[test]
fn a_port_that_docker_publishes_goes_past_ufw() {
    let tables = recorded!("docker.bookworm");
    let published = "undecided: table ip nat, chain DOCKER: ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination \
                     172.17.0.2:80: it sends the connection to another address or port";
    says(&tables, "192.0.2.254", 8080, published);
    says(&tables, "192.0.2.254", 22, "in: table ip filter, chain ufw-user-input: -p tcp --dport 22 -j ACCEPT");
}

#[test]
fn who_is_banned_by_fail2ban_stays_out() {
    let tables = recorded!("fail2ban.bookworm");
    let banned = "out: table inet f2b-table, chain f2b-chain: tcp dport 22 ip saddr @addr-set-sshd reject";
    says(&tables, "203.0.113.9", 22, banned);
    says(&tables, "203.0.113.9", 80, "in: table inet f2b-table, the policy of f2b-chain: ACCEPT");
    says(&tables, "203.0.113.8", 22, "in: table inet f2b-table, the policy of f2b-chain: ACCEPT");
    let tables = recorded!("fail2ban.trixie");
    let banned =
        "out: table ip filter, chain f2b-sshd: -s 203.0.113.9/32 -j REJECT --reject-with icmp-port-unreachable";
    says(&tables, "203.0.113.9", 22, banned);
    says(&tables, "203.0.113.8", 22, "in: table ip filter, the policy of INPUT: ACCEPT");
    assert!(
        said(&tables, "fd00:9::9", 22).starts_with("out: table ip6 filter, chain f2b-sshd: -s fd00:9::9/128 -j REJECT")
    );
}

// A chain with one rule of nearly every kind that nft knows: nothing of it is lost, and what cannot be told is named.
#[test]
fn every_expression_of_nft_is_read() {
    // nft 1.0.6 does not say which interface a chain of the family netdev is bound to, nor which flag a table has.
    let unbound = "undecided: table netdev nd, chain ing: ip saddr 10.0.0.0/8 drop: whether the connection comes through that \
                   interface is not known";
    let flags = "undecided: table inet sleeping, the policy of i: DROP: whether the table is dormant cannot be read from this \
                 version of nft";
    for (text, interface, ingress) in [
        (include_str!("../../../tests/fixtures/lockout/hand.bookworm.nft.json"), flags, unbound),
        (
            include_str!("../../../tests/fixtures/lockout/hand.trixie.nft.json"),
            "in: table inet t, chain inp: iifname host0 tcp dport 7 accept",
            "out: table netdev nd, chain ing: ip saddr 10.0.0.0/8 drop",
        ),
    ] {
        let tables = Tables::read(None, None, Some(text)).unwrap();
        says(&tables, "192.0.2.254", 7, interface);
        let nowhere = Packet { interface: None, ..packet("192.0.2.254", 7) };
        let Verdict::Undecided { by, .. } = tables.verdict(&nowhere) else { panic!() };
        assert_eq!(by, "table inet t, chain pre: fib saddr . iif oif false drop");
        says(&tables, "10.0.0.3", 7, ingress);
        let chain = |name: &str| {
            let table = tables.tables.iter().find(|table| table.name == "t").unwrap();
            table.chains[name].rules.iter().map(|rule| rule.text.clone()).collect::<Vec<_>>()
        };
        assert!(chain("more").contains(&"ip saddr @nets tcp dport 5 drop".to_owned()), "{:?}", chain("more"));
        assert!(chain("inp").contains(&"ct state established,related accept".to_owned()), "{:?}", chain("inp"));
        assert!(chain("inp").contains(&"tcp dport 99 reject with tcp reset".to_owned()), "{:?}", chain("inp"));
    }
}

#[test]
fn a_table_of_ones_own_is_not_lost_among_those_of_iptables() {
    // As nft 1.0.6 and iptables 1.8.9 print them: iptables shows the table, and neither the chain nor the set in the rule.
    let save = "# Generated by iptables-save v1.8.9 (nf_tables)\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j DROP\nCOMMIT\n";
    let json = |dport: &str| {
        format!(
            r#"{{"nftables": [{{"table": {{"family": "ip", "name": "filter"}}}},
            {{"chain": {{"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}}},
            {{"chain": {{"family": "ip", "table": "filter", "name": "own", "type": "filter", "hook": "input", "prio": 1, "policy": "accept"}}}},
            {{"rule": {{"family": "ip", "table": "filter", "chain": "INPUT", "expr": [{{"match": {{"op": "==",
              "left": {{"payload": {{"protocol": "tcp", "field": "dport"}}}}, "right": {{"set": [{dport}]}}}}}}, {{"drop": null}}]}}}},
            {{"rule": {{"family": "ip", "table": "filter", "chain": "own", "expr": [{{"match": {{"op": "==",
              "left": {{"payload": {{"protocol": "tcp", "field": "dport"}}}}, "right": 80}}}}, {{"drop": null}}]}}}}]}}"#
        )
    };
    let tables = Tables::read(Some(save), None, Some(&json("5, 6"))).unwrap();
    says(&tables, "192.0.2.254", 22, "in: table ip filter, the policy of own: ACCEPT");
    says(&tables, "192.0.2.254", 5, "out: table ip filter, chain INPUT: tcp dport { 5, 6 } drop");
    says(&tables, "192.0.2.254", 80, "out: table ip filter, chain own: tcp dport 80 drop");
    // Legacy tables are the kernel's own and not nft's: both count.
    let legacy = save.replace(" (nf_tables)", "");
    let tables = Tables::read(Some(&legacy), None, Some(&json("5"))).unwrap();
    says(&tables, "192.0.2.254", 22, "out: table ip filter, chain INPUT: -p tcp -j DROP");
    // Behind what nft's own variant shows, the legacy one may stand.
    let both = format!("{save}{}", legacy.replace("-p tcp -j DROP", "-p tcp --dport 22 -j DROP"));
    let tables = Tables::read(Some(&both), None, Some(&json("5"))).unwrap();
    says(&tables, "192.0.2.254", 22, "out: table ip filter, chain INPUT: -p tcp --dport 22 -j DROP");
    says(&tables, "192.0.2.254", 23, "in: table ip filter, the policy of own: ACCEPT");
    let hides = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n";
    let tables = Tables::read(Some(hides), None, None).unwrap();
    assert!(said(&tables, "192.0.2.254", 22).starts_with("undecided: iptables-legacy"));
}

// As iptables 1.8.11 ends on a rule that it cannot read: without COMMIT.
#[test]
fn where_iptables_gives_up_nft_is_believed() {
    let save = "Error: unsupported layer 4 protocol value\n# Generated by iptables-save v1.8.11 (nf_tables)\n*filter\n:INPUT ACCEPT [0:0]\n";
    let json = r#"{"nftables": [{"table": {"family": "ip", "name": "filter"}}, {"chain": {"family": "ip", "table": "filter",
        "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}]}"#;
    let tables = Tables::read(Some(save), None, Some(json)).unwrap();
    says(&tables, "10.0.0.1", 22, "out: table ip filter, the policy of INPUT: DROP");
    assert!(Tables::read(Some(save), None, None).is_err());
    assert!(Tables::read(Some(&save.replace(" (nf_tables)", "")), None, Some(json)).is_err());
}

#[test]
fn jumps_gotos_and_returns_lead_where_the_kernel_goes() {
    let tables = filter(
        "-A INPUT -p tcp --dport 22 -g one\n-A INPUT -j ACCEPT\n-A one -s 10.0.0.0/8 -j RETURN\n-A one -j RETURN",
    );
    says(&tables, "10.0.0.1", 22, "out: table ip filter, the policy of INPUT: DROP");
    let tables = filter("-A INPUT -p tcp --dport 22 -j one\n-A INPUT -j ACCEPT\n-A one -s 10.0.0.0/8 -j DROP");
    says(&tables, "10.0.0.1", 22, "out: table ip filter, chain one: -s 10.0.0.0/8 -j DROP");
    says(&tables, "192.0.2.1", 22, "in: table ip filter, chain INPUT: -j ACCEPT");
    assert!(said(&filter("-A INPUT -j nowhere"), "10.0.0.1", 22).contains("there is no such chain"));
    assert!(said(&filter("-A INPUT -j one\n-A one -j one"), "10.0.0.1", 22).contains("too deeply"));
}

#[test]
fn answers_and_later_packets_must_pass_too() {
    let tables = filter("-A INPUT -p tcp --syn --dport 22 -j ACCEPT");
    says(&tables, "10.0.0.1", 22, "out: table ip filter, the policy of INPUT: DROP (for packets after the first)");
    let tables = filter("-A INPUT -j ACCEPT\n:OUTPUT DROP [0:0]\n-A OUTPUT -m state --state NEW -j ACCEPT");
    says(&tables, "10.0.0.1", 22, "out: table ip filter, the policy of OUTPUT: DROP (for the host's answer)");
    let tables = filter(
        "-A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT\n:OUTPUT DROP [0:0]\n-A OUTPUT -p tcp --sport 22 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
    );
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
}

#[test]
fn without_neighbour_discovery_nobody_finds_an_ipv6_address() {
    let dport = r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}"#;
    let tables = nft(&rule(dport));
    assert!(said(&tables, "fd00:aa::fe", 22).contains("out: table inet t, the policy of c: DROP (for neighbour"));
    says(&tables, "10.0.0.1", 22, "in: table inet t, chain c: tcp dport 22 accept");
    let tunnel = Packet { interface: Some("wg0".into()), ..packet("fd00:aa::fe", 22) };
    assert!(matches!(tables.verdict(&tunnel), Verdict::In { .. }));
    let unknown = Packet { interface: None, ..packet("fd00:aa::fe", 22) };
    assert!(matches!(tables.verdict(&unknown), Verdict::Undecided { .. }));
    let icmp =
        r#"{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "ipv6-icmp"}}, {"accept": null}"#;
    let asked = r#"{"match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}}, "right": "nd-neighbor-solicit"}}, {"accept": null}"#;
    let tables = nft(&format!("{},{}", rule(asked), rule(dport)));
    assert!(
        said(&tables, "fd00:aa::fe", 22)
            .starts_with("undecided: table inet t, the policy of c: DROP (for neighbour adv")
    );
    let tables = nft(&format!("{},{}", rule(icmp), rule(dport)));
    says(&tables, "fd00:aa::fe", 22, "in: table inet t, chain c: tcp dport 22 accept");
}

#[test]
fn what_cannot_be_told_matters_only_where_it_would_change_the_end() {
    let doubtful = "-A INPUT -m geoip --src-cc FR -p tcp --dport 22 -j ACCEPT";
    let tables = filter(doubtful);
    says(&tables, "10.0.0.1", 22, {
        "undecided: table ip filter, chain INPUT: -m geoip --src-cc FR -p tcp --dport 22 -j ACCEPT: `-m geoip` cannot be told from here"
    });
    says(&tables, "10.0.0.1", 80, "out: table ip filter, the policy of INPUT: DROP");
    let tables = filter(&format!("{doubtful}\n-A INPUT -j ACCEPT"));
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
    let tables = filter("-A INPUT -m set --match-set bad src -j LOG\n-A INPUT -j ACCEPT");
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
    let tables = filter("-A INPUT -m set --match-set bad src -j DROP\n-A INPUT -j DROP");
    assert!(said(&tables, "10.0.0.1", 22).starts_with("out: "));
    let tables = filter("-A INPUT -j NFQUEUE --queue-num 1");
    assert!(said(&tables, "10.0.0.1", 22).starts_with("undecided: table ip filter, chain INPUT: -j NFQUEUE"));
}

#[test]
fn an_interface_that_is_not_known_is_not_lo() {
    let tables = filter("-A INPUT -i lo -j DROP\n-A INPUT -i eth+ -j ACCEPT");
    let nowhere = |from: &str| tables.verdict(&Packet { interface: None, ..packet(from, 22) });
    assert!(matches!(nowhere("10.0.0.1"), Verdict::Undecided { why, .. } if why == "the interface is not known"));
    let eth = Packet { interface: Some("eth0".into()), ..packet("10.0.0.1", 22) };
    assert!(matches!(tables.verdict(&eth), Verdict::In { .. }));
    says(&tables, "10.0.0.1", 22, "out: table ip filter, the policy of INPUT: DROP");
}

#[test]
fn a_set_that_rules_fill_is_not_trusted() {
    let add =
        rule(r#"{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@seen"}}"#);
    let ask = rule(
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@seen"}}, {"accept": null}"#,
    );
    assert!(said(&nft(&ask), "10.0.0.1", 22).starts_with("out: "));
    assert!(said(&nft(&format!("{ask},{add}")), "10.0.0.1", 22).contains("rules change the set seen"));
}

#[test]
fn rate_limits_count_our_own_connections_only_where_each_source_has_its_own() {
    let state = r#"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}"#;
    let rate = r#"{"set": {"op": "add", "elem": {"payload": {"protocol": "ip", "field": "saddr"}}, "set": "@seen",
                   "stmt": [{"limit": {"rate": 10, "burst": 5, "per": "minute", "inv": true}}]}}"#;
    let tables =
        nft(&format!("{},{}", rule(&format!("{state},{rate},{{\"drop\": null}}")), rule(r#"{"accept": null}"#)));
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
    let many = Packet { connections: 6, ..packet("10.0.0.1", 22) };
    assert!(matches!(tables.verdict(&many), Verdict::Undecided { .. }));
    let tables = filter(
        "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n-A INPUT -p tcp --dport 22 -m limit --limit 3/min -j ACCEPT",
    );
    assert!(said(&tables, "10.0.0.1", 22).starts_with("undecided: "));
}

#[test]
fn ufw_is_foreseen_among_other_peoples_chains() {
    let user = "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n-A ufw-user-input -p tcp --dport 80 -j ACCEPT\n### END RULES ###\nCOMMIT\n";
    let before = "*filter\n:ufw-before-input - [0:0]\n:ufw-before-output - [0:0]\n\
                  -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
                  -A ufw-before-output -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
    let rules = UfwRules {
        before,
        user,
        after: "*filter\n:ufw-after-input - [0:0]\nCOMMIT\n",
        incoming: UfwPolicy::Deny,
        outgoing: UfwPolicy::Allow,
        routed: UfwPolicy::Deny,
    };
    let mut tables = filter(":f2b-sshd - [0:0]\n-A INPUT -j f2b-sshd\n-A f2b-sshd -s 203.0.113.9 -j DROP");
    tables.replace_filter(false, &UfwFilter::On(rules)).unwrap();
    says(&tables, "192.0.2.254", 80, "in: table ip filter, chain ufw-user-input: -p tcp --dport 80 -j ACCEPT");
    says(&tables, "192.0.2.254", 22, "out: table ip filter, the policy of INPUT: DROP");
    says(&tables, "203.0.113.9", 80, "out: table ip filter, chain f2b-sshd: -s 203.0.113.9 -j DROP");
    tables.replace_filter(false, &UfwFilter::On(UfwRules { incoming: UfwPolicy::Allow, ..rules })).unwrap();
    assert!(said(&tables, "192.0.2.254", 22).starts_with("in: table ip filter, chain ufw-track-input"));
    tables.replace_filter(false, &UfwFilter::Off).unwrap();
    says(&tables, "192.0.2.254", 22, "in: table ip filter, the policy of INPUT: ACCEPT");
    says(&tables, "203.0.113.9", 80, "out: table ip filter, chain f2b-sshd: -s 203.0.113.9 -j DROP");
    tables.replace_filter(true, &UfwFilter::Closed).unwrap();
    assert!(said(&tables, "fd00:aa::fe", 22).starts_with("out: table ip6 filter, the policy of INPUT: DROP"));
}

#[test]
fn a_file_of_nft_replaces_its_own_tables_or_flushes_all() {
    let mut tables = filter("-A INPUT -j ACCEPT");
    let drop = r#"{"nftables": [{"table": {"family": "inet", "name": "t"}}, {"chain": {"family": "inet", "table": "t",
        "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}]}"#;
    tables.replace_nft(drop).unwrap();
    says(&tables, "10.0.0.1", 22, "out: table inet t, the policy of c: DROP");
    tables.replace_nft(&drop.replace("\"drop\"", "\"accept\"")).unwrap();
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
    tables.replace_nft(&drop.replace("[{\"table\"", "[{\"flush\": {\"ruleset\": null}}, {\"table\"")).unwrap();
    says(&tables, "10.0.0.1", 22, "out: table inet t, the policy of c: DROP");
    tables.replace_nft(r#"{"nftables": [{"delete": {"table": {"family": "inet", "name": "t"}}}]}"#).unwrap();
    assert!(said(&tables, "10.0.0.1", 22).starts_with("in: "));
}

#[test]
fn garbled_texts_are_errors() {
    for text in [
        "*filter\n:INPUT DROP",
        "-A INPUT -j DROP\n",
        "*filter\n-Z INPUT\nCOMMIT\n",
        "*filter\n-A INPUT -j \"x\nCOMMIT\n",
        "*filter\n:INPUT QUEUE\nCOMMIT\n",
        "*filter\n*nat\nCOMMIT\n",
    ] {
        assert!(Tables::read(Some(text), None, None).is_err(), "{text}");
    }
    for text in [
        "",
        "{",
        "{}",
        r#"{"nftables": [1]}"#,
        r#"{"nftables": [{"rule": {"family": "inet", "table": "t"}}]}"#,
        r#"{"nftables": [{"table": {"name": "t"}}]}"#,
    ] {
        assert!(Tables::read(None, None, Some(text)).is_err(), "{text}");
    }
    assert_eq!(
        Tables::read(None, Some("garbage"), None).unwrap_err().to_string(),
        "ip6tables: `garbage` was not understood"
    );
}

fn words() -> impl Strategy<Value = String> {
    let known = "-A|-I|-D|INPUT|one|-j|-g|-m|-p|tcp|-s|!|recent|--set|--hitcount|6|multiport|--dports|22,80:|conntrack|--ctstate|NEW|mark|--mark|0x1/0x|hashlimit|--tcp-flags|SYN|ACCEPT|MARK|--set-xmark|\"|10.0.0.0/99|::1/8|--src-range|-";
    proptest::collection::vec(proptest::sample::select(known.split('|').collect::<Vec<_>>()), 0..12)
        .prop_map(|all| all.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_of_iptables_panics(lines in proptest::collection::vec(words(), 0..8), junk in ".{0,40}") {
        for text in [format!("*filter\n:INPUT DROP [0:0]\n{}\nCOMMIT\n", lines.join("\n")), junk] {
            for v6 in [false, true] {
                let read = if v6 { Tables::read(None, Some(&text), None) } else { Tables::read(Some(&text), None, None) };
                if let Ok(mut tables) = read {
                    tables.verdict(&packet(if v6 { "fd00:aa::fe" } else { "10.0.0.1" }, 22));
                    let _ = tables.replace_filter(v6, &UfwFilter::Off);
                }
            }
        }
    }

    #[test]
    fn no_text_of_nft_panics(cuts in proptest::collection::vec((any::<u16>(), "[a-z0-9\":,{}@/*-]{0,4}"), 0..4)) {
        let mut text = include_str!("../../../tests/fixtures/lockout/hand.trixie.nft.json").to_owned();
        for (at, with) in cuts {
            let at = usize::from(at) % text.len();
            text.replace_range(at..(at + with.len()).min(text.len()), &with);
        }
        if let Ok(tables) = Tables::read(None, None, Some(&text)) {
            tables.verdict(&packet("10.0.0.1", 22));
            tables.verdict(&packet("fd00:aa::fe", 22));
        }
    }
}
