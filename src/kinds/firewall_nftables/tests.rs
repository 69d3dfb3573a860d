use proptest::prelude::*;

use super::*;
use crate::kinds::tests::made;
use crate::resource::SectionOutput;

fn wanted(fields: &str) -> FirewallNftables {
    made(fields).unwrap()
}

fn lines(rule: &str) -> Vec<String> {
    let wanted = wanted(&format!("{{ rules: [{rule}] }}"));
    let own = wanted.chains.iter().flat_map(|chain| &chain.lines).filter(|line| line.words.is_some());
    own.map(|line| format!("{} | {}", line.nft, line.words.as_deref().unwrap_or(""))).collect()
}

#[test]
fn a_rule_is_a_line_for_each_family_and_protocol() {
    for (rule, expected) in [
        ("{ allow: 22/tcp }", vec!["tcp dport 22 accept | allow 22/tcp"]),
        (
            "{ deny: '53', from: [10.0.0.0/8, 'fd00::/8', 192.168.0.0/16] }",
            vec![
                "ip saddr { 10.0.0.0/8, 192.168.0.0/16 } tcp dport 53 drop | deny 53/tcp from 10.0.0.0/8, 192.168.0.0/16",
                "ip saddr { 10.0.0.0/8, 192.168.0.0/16 } udp dport 53 drop | deny 53/udp from 10.0.0.0/8, 192.168.0.0/16",
                "ip6 saddr fd00::/8 tcp dport 53 drop | deny 53/tcp from fd00::/8",
                "ip6 saddr fd00::/8 udp dport 53 drop | deny 53/udp from fd00::/8",
            ],
        ),
        (
            "{ reject: '80,443,60000:61000/tcp', direction: out, to: 'fd00::1', interface: eth0, log: true, comment: a b }",
            vec![
                "oifname \"eth0\" ip6 daddr fd00::1 tcp dport { 80, 443, 60000-61000 } log prefix \"rempart reject: \" reject \
                 comment \"a b\" | reject out 80,443,60000:61000/tcp to fd00::1 on eth0, logged (a b)",
            ],
        ),
        ("{ allow: any/gre, direction: route }", vec!["meta l4proto 47 accept | allow route any/gre"]),
        (
            "{ allow: any, from: [10.0.0.1, 10.0.0.3], to: 10.0.0.2 }",
            vec![
                "ip saddr { 10.0.0.1, 10.0.0.3 } ip daddr 10.0.0.2 accept | allow any from 10.0.0.1, 10.0.0.3 to 10.0.0.2",
            ],
        ),
    ] {
        assert_eq!(lines(rule), expected, "{rule}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_rule() {
    for (rules, part) in [
        ("[{ allow: 22/tcp }, { from: 10.0.0.1 }]", "rule 2: allow: a rule says exactly one"),
        ("[{ allow: 22/tcp, deny: any }]", "exactly one"),
        ("[{ allow: 22/tcp }, { allow: 22/tcp }]", "says again"),
        ("[{ allow: '22,20:30/tcp' }]", "hold"),
        ("[{ allow: '20:30,25:40/tcp' }]", "overlap"),
        ("[{ allow: any, from: [10.0.0.0/8, 10.1.0.0/16] }]", "overlap"),
        ("[{ allow: any, from: [any, 10.1.0.0/16] }]", "every address"),
        ("[{ allow: any, from: 10.0.0.1, to: 'fd00::1' }]", "cannot reach"),
        ("[{ deny: any, from: [10.0.0.1, 'fd00::1'], to: 10.0.0.2 }]", "`fd00::1` cannot reach"),
        ("[{ allow: any, comment: 'a\"b' }]", "meaning of its own"),
        ("[{ allow: any, interface: 'a b' }]", "cannot be an interface"),
        ("[{ allow: 22/xyz }]", "protocol"),
    ] {
        let refused = made::<FirewallNftables>(&format!("{{ rules: {rules} }}")).unwrap_err();
        assert!(refused.contains(part), "{rules}: {refused}");
    }
}

const BASE: &str = "\t\tiifname \"lo\" accept\n\t\tct state established,related accept\n\t\tct state invalid drop\n\
\t\ticmp type { a } accept\n\t\ticmpv6 type { b } accept\n\t\tip6 saddr fe80::/10 udp sport 547 udp dport 546 accept\n\
\t\tudp sport 67 udp dport 68 accept\n";

fn table(policy: &str, lines: &str) -> String {
    format!(
        "table inet rempart {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n{lines}\t}}\n}}\n"
    )
}

fn fields(rules: &str, is: &str, meant: &str) -> Result<Fields, ProbeError> {
    let section = |text: &str| SectionOutput { status: 0, stdout: text.into(), stderr: Vec::new() };
    let (is, meant) = (Listing::of(&section(is))?.unwrap(), Listing::of(&section(meant))?.unwrap());
    let mut fields = Fields::new();
    is.compare(&meant, &wanted(rules).chains, &mut fields).map(|()| fields)
}

#[test]
fn the_kernels_table_is_compared_line_by_line() {
    let rules = "{ rules: [{ allow: 22/tcp }, { deny: 80/tcp }] }";
    let own = |lines: &str| table("drop", &format!("{BASE}{lines}"));
    let meant = own("\t\ttcp dport 22 accept\n\t\ttcp dport 80 drop\n");
    let told = |is: &str| {
        let fields = fields(rules, is, &meant).unwrap();
        ["incoming", "rules", "extra_rules", "base_rules"].map(|name| format!("{:?}", fields.get(name)))
    };
    let good = told(&meant);
    assert_eq!(good[0], "Some(Text(\"allow\"))".replace("allow", "deny"));
    assert_eq!(good[1], "Some(List([\"allow 22/tcp\", \"deny 80/tcp\"]))");
    assert!(good[2].contains("[]") && good[3].contains("true"), "{good:?}");
    let swapped = told(&own("\t\ttcp dport 80 drop\n\t\ttcp dport 22 accept\n"));
    assert_eq!(swapped[1], "Some(List([\"deny 80/tcp\", \"allow 22/tcp\"]))");
    let extra = told(&own("\t\ttcp dport 22 accept\n\t\ttcp dport 443 accept\n\t\ttcp dport 80 drop\n"));
    assert!(extra[2].contains("chain input: tcp dport 443 accept"), "{extra:?}");
    assert!(told(&meant.replace("policy drop", "policy accept"))[0].contains("allow"));
    let unhooked = told(&meant.replace("\t\ttype filter hook input priority filter; policy drop;\n", ""));
    assert!(unhooked[0].contains("none") && unhooked[3].contains("false"), "{unhooked:?}");
    assert!(told(&meant.replace("\t\tct state invalid drop\n", ""))[3].contains("false"));
    let moved = meant
        .replace("\t\ticmp type { a } accept\n", "")
        .replace("\t\ttcp dport 80", "\t\ticmp type { a } accept\n\t\ttcp dport 80");
    assert!(told(&moved)[3].contains("false"));
    assert!(told("table inet rempart {\n}\n")[3].contains("false"));
    let more = meant
        .replace("\n}\n", "\n\tset x {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1,\n\t\t\t10.0.0.2 }\n\t}\n}\n");
    assert!(told(&more)[2].contains("set x"), "{more}");
}

#[test]
fn no_answer_is_never_absence() {
    let of = |status, stdout: &str, stderr: &str| {
        Listing::of(&SectionOutput { status, stdout: stdout.into(), stderr: stderr.into() })
    };
    assert!(of(1, "", "Error: No such file or directory\n").unwrap().is_none());
    for (status, stdout, stderr) in [
        (0, "", ""),
        (0, "junk", ""),
        (0, "table inet rempart {\n\tchain input {\n", ""),
        (1, "", "Operation not permitted"),
        (1, "", ""),
        (127, "", ""),
    ] {
        assert!(of(status, stdout, stderr).is_err(), "{status} {stdout}");
    }
    assert!(fields("{ rules: [{ allow: 22/tcp }] }", &table("drop", BASE), &table("drop", BASE)).is_err());
}

proptest! {
    #[test]
    fn hostile_parts_are_refused_or_stay_in_their_line(text in "(?s).{0,30}", interface in "(?s).{0,12}", from in "(?s).{0,12}") {
        let rule = |field: &str, value: &str| {
            serde_json::json!({ "rules": [{ "allow": "22/tcp", field: value }] }).to_string()
        };
        let plain = wanted("{ rules: [{ allow: 22/tcp }] }").text().lines().count();
        for (field, value) in [("comment", &text), ("interface", &interface), ("from", &from)] {
            if let Ok(made) = made::<FirewallNftables>(&rule(field, value)) {
                prop_assert_eq!(made.text().lines().count(), plain);
                let quoted = format!("\"{value}\"");
                prop_assert!(field == "from" || made.text().contains(&quoted), "{}", made.text());
            }
        }
        let _ = Listing::of(&SectionOutput { status: 0, stdout: text.into_bytes(), stderr: Vec::new() });
    }
}
