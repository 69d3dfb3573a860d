//! Owns what is drawn: rulesets as people and tools write them, from a seed, so that a case can be drawn again. Files of
//! nft are in `generate_nft`.

use crate::generate_nft::nft;

/// SplitMix64: small, and the same everywhere.
pub struct Draw(pub u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// The ports that the host listens on.
pub const PORTS: [u16; 5] = [22, 80, 443, 2222, 8080];

/// A ruleset: what is loaded first, by other hands than ours, and what is loaded then.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Shell: the state before.
    pub before: String,
    /// Shell: ufw's commands.
    pub ufw: Option<String>,
    /// A file for `nft -f`, loaded after that.
    pub nft: Option<String>,
    /// Ports that `-m recent` counts connections to.
    pub limited: Option<u16>,
}

impl Case {
    pub fn text(&self) -> String {
        let part =
            |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("--- {name}\n{text}\n") };
        part("before", &self.before)
            + &part("ufw", self.ufw.as_deref().unwrap_or(""))
            + &part("nft", self.nft.as_deref().unwrap_or(""))
    }
}

pub const NETS4: [&str; 7] =
    ["192.0.2.0/24", "192.0.2.254", "10.1.0.0/16", "10.1.2.3", "10.0.0.0/8", "203.0.113.9", "192.0.2.11"];
pub const NETS6: [&str; 5] = ["fd00:aa::/64", "fd00:aa::fe", "fd00:bb::/64", "fd00::/16", "fd00:cc::1"];

pub fn port(draw: &mut Draw) -> u16 {
    PORTS[draw.below(PORTS.len())]
}

pub fn case(draw: &mut Draw) -> Case {
    let mut case = Case::default();
    let kind = draw.below(10);
    if draw.percent(30) {
        case.before.push_str(&docker(draw));
    }
    if draw.percent(30) {
        case.before.push_str(&fail2ban(draw));
    }
    if draw.percent(12) {
        case.before.push_str(&mixed(draw));
    }
    match kind {
        0..4 => ufw(draw, &mut case),
        4..8 => case.nft = Some(nft(draw)),
        8 => case.before.push_str(&iptables(draw)),
        _ => {
            ufw(draw, &mut case);
            case.nft = Some(nft(draw));
        }
    }
    case
}

fn restore(tool: &str, text: &str) -> String {
    format!("{tool}-restore -n <<'EOF'\n{text}EOF\n")
}

fn docker(draw: &mut Draw) -> String {
    let published = if draw.percent(8) { port(draw) } else { 9000 };
    let mut text = format!(
        "*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n-A DOCKER -i docker0 -j RETURN\n\
         -A DOCKER ! -i docker0 -p tcp -m tcp --dport {published} -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n\
         *filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n:DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-USER - [0:0]\n\
         -A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n-A FORWARD -o docker0 -j DOCKER\n\
         -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT\n\
         -A DOCKER-ISOLATION-STAGE-1 -j RETURN\n-A DOCKER-USER -j RETURN\n"
    );
    if draw.percent(30) {
        // People put their own rules there, and let INPUT use them, too.
        text.push_str(&format!(
            "-I DOCKER-USER -s {} -p tcp -m conntrack --ctorigdstport {} -j DROP\n-A INPUT -j DOCKER-USER\n",
            draw.one(&NETS4),
            port(draw)
        ));
    }
    restore("iptables", &(text + "COMMIT\n"))
}

fn fail2ban(draw: &mut Draw) -> String {
    let (ports, banned) =
        (format!("{},{}", port(draw), port(draw)), draw.one(&["10.1.2.3", "203.0.113.9", "192.0.2.254"]));
    if draw.percent(50) {
        return restore(
            "iptables",
            &format!(
                "*filter\n:f2b-sshd - [0:0]\n-I INPUT -p tcp -m multiport --dports {ports} -j f2b-sshd\n\
                 -A f2b-sshd -s {banned} -j REJECT --reject-with icmp-port-unreachable\n-A f2b-sshd -j RETURN\nCOMMIT\n"
            ),
        );
    }
    let set = draw.one(&["{ 10.1.2.3, 203.0.113.9 }", "{ 203.0.113.9 }", "{ 10.1.0.0/16, 192.0.2.254 }"]);
    format!(
        "nft -f - <<'EOF'\ntable inet f2b-table {{\n set addr-set-sshd {{ type ipv4_addr; flags interval; elements = {set} }}\n\
         \x20chain f2b-chain {{\n  type filter hook input priority filter - 1; policy accept;\n\
         \x20 tcp dport {{ {} }} ip saddr @addr-set-sshd reject with icmp port-unreachable\n }}\n}}\nEOF\n",
        port(draw)
    )
}

// What iptables-save shows wrongly, or does not show at all.
fn mixed(draw: &mut Draw) -> String {
    let p = port(draw);
    match draw.below(4) {
        0 => format!(
            "iptables -A INPUT -p tcp --dport 1 -j ACCEPT; nft add rule ip filter INPUT tcp dport {{ {p}, 9999 }} {}\n",
            draw.one(&["drop", "accept", "reject"])
        ),
        1 => format!(
            "iptables -A INPUT -p tcp --dport 1 -j ACCEPT; nft add rule ip filter INPUT meta skuid 0 tcp dport {p} accept\n\
             nft add rule ip filter INPUT ip saddr {} tcp dport {p} ct state new drop\n",
            draw.one(&NETS4)
        ),
        2 => format!(
            "nft -f - <<'EOF'\ntable netdev nd {{\n chain c {{\n  type filter hook ingress device host0 priority 0; policy accept;\n\
             \x20 {} {}\n }}\n}}\nEOF\n",
            draw.one(&[
                "ip saddr 10.1.0.0/16",
                "tcp dport 443",
                "ct state new",
                "meta protocol ip6",
                "ip6 saddr fd00:bb::/64"
            ]),
            draw.one(&["drop", "accept", "tcp dport 22 drop"])
        ),
        _ => format!(
            "nft -f - <<'EOF'\ntable inet raw {{\n chain c {{\n  type filter hook prerouting priority raw;\n\
             \x20 tcp dport {p} notrack\n }}\n chain o {{\n  type filter hook output priority raw;\n  tcp sport {p} {}\n }}\n}}\nEOF\n",
            draw.one(&["notrack", "counter", "accept"])
        ),
    }
}

fn ufw(draw: &mut Draw, case: &mut Case) {
    let mut commands = String::new();
    if draw.percent(15) {
        commands.push_str("sed -i s/^IPV6=.*/IPV6=no/ /etc/default/ufw\n");
    }
    if draw.percent(40) {
        // It was on already, with other rules.
        let mut first = ufw_rules(draw, 2, case);
        first.push_str("ufw --force enable\n");
        case.before.push_str(&first);
        if draw.percent(30) {
            case.before.push_str(&fail2ban(draw));
        }
    }
    commands.push_str(&ufw_rules(draw, 5, case));
    if draw.percent(5) {
        commands.push_str("ufw disable\n");
    } else {
        commands.push_str("ufw --force enable\n");
    }
    case.ufw = Some(commands);
}

fn ufw_rules(draw: &mut Draw, most: usize, case: &mut Case) -> String {
    let mut text = format!("ufw default {} incoming\n", draw.one(&["deny", "deny", "deny", "reject", "allow"]));
    if draw.percent(15) {
        text.push_str(&format!("ufw default {} outgoing\n", draw.one(&["deny", "reject"])));
    }
    if draw.percent(30) {
        text.push_str(&format!("ufw logging {}\n", draw.one(&["off", "medium", "full"])));
    }
    for _ in 0..=draw.below(most) {
        let verb = draw.one(&["allow", "allow", "allow", "deny", "reject", "limit"]);
        let insert = if draw.percent(15) { "prepend " } else { "" };
        let p = port(draw);
        let rule = match draw.below(9) {
            0 | 1 => format!("{verb} {p}/tcp"),
            2 => format!("{verb} from {} to any port {p} proto tcp", draw.one(&NETS4)),
            3 => format!("{verb} from {} to any port {p} proto tcp", draw.one(&NETS6)),
            4 => format!("{verb} in on {} to any port {p} proto tcp", draw.one(&["host0", "eth7"])),
            5 => format!(
                "{} {}/tcp",
                verb.replace("limit", "allow"),
                draw.one(&["80,443", "22:80", "8000:9000", "22,2222"])
            ),
            6 => format!("{} from {}", verb.replace("limit", "allow"), draw.one(&NETS4)),
            7 => format!("{verb} {p}"),
            _ => format!("{verb} out {}/tcp", draw.one(&["53", "25"])),
        };
        if verb == "limit" && rule.starts_with("limit") && !rule.contains(" out ") {
            case.limited = Some(p);
        }
        text.push_str(&format!("ufw {insert}{rule}\n"));
    }
    text
}

fn iptables(draw: &mut Draw) -> String {
    let mut text = String::new();
    for (tool, nets) in [("iptables", &NETS4[..]), ("ip6tables", &NETS6[..])] {
        let v6 = tool == "ip6tables";
        let mut rules = String::from("*filter\n");
        rules.push_str(draw.one(&[":INPUT DROP [0:0]\n", ":INPUT ACCEPT [0:0]\n"]));
        if draw.percent(15) {
            rules.push_str(":OUTPUT DROP [0:0]\n-A OUTPUT -m state --state ESTABLISHED -j ACCEPT\n");
            if v6 {
                rules.push_str("-A OUTPUT -p ipv6-icmp -j ACCEPT\n");
            }
        }
        rules.push_str(":one - [0:0]\n:two - [0:0]\n");
        if draw.percent(85) {
            rules.push_str("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n");
        }
        if v6 && draw.percent(80) {
            rules.push_str(draw.one(&[
                "-A INPUT -p ipv6-icmp -j ACCEPT\n",
                "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT\n\
                 -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255 -j ACCEPT\n",
            ]));
        }
        for (chain, depth) in [("INPUT", 0), ("one", 1), ("two", 2)] {
            for _ in 0..=draw.below(5) {
                let tests = iptables_tests(draw, nets, v6);
                let target = match draw.below(10) {
                    0..4 => "-j ACCEPT",
                    4..6 => "-j DROP",
                    6 => draw.one(&["-j REJECT", "-p tcp -j REJECT --reject-with tcp-reset"]),
                    7 => draw.one(&["-j LOG --log-prefix \"-j DROP \"", "-j MARK --set-xmark 0x1/0xffffffff", ""]),
                    _ if depth == 0 => draw.one(&["-j one", "-g one", "-j two"]),
                    _ if depth == 1 => draw.one(&["-j two", "-g two", "-j RETURN"]),
                    _ => "-j RETURN",
                };
                let doubled = target.starts_with("-p") && tests.contains("-p ");
                let target = if doubled { "-j REJECT" } else { target };
                rules.push_str(&format!("-A {chain} {tests} {target}\n"));
            }
        }
        if draw.percent(40) {
            let (way, other) = (draw.one(&["-g one", "-g two", "-j one"]), draw.one(&["ACCEPT", "DROP"]));
            rules.push_str(&format!("-A INPUT -p tcp --dport {} {way}\n-A INPUT -p tcp -j {other}\n", port(draw)));
        }
        rules.push_str("COMMIT\n");
        if draw.percent(15) {
            rules.push_str(&format!(
                "*raw\n-A PREROUTING -p tcp -m tcp --dport {} -j CT --notrack\nCOMMIT\n",
                port(draw)
            ));
        }
        if draw.percent(20) {
            rules.push_str(&format!(
                "*mangle\n-A PREROUTING {} -j {}\nCOMMIT\n",
                iptables_tests(draw, nets, v6),
                draw.one(&["DROP", "MARK --set-mark 1", "ACCEPT"])
            ));
        }
        text.push_str(&restore(tool, &rules));
    }
    text
}

fn iptables_tests(draw: &mut Draw, nets: &[&str], v6: bool) -> String {
    let (p, net) = (port(draw), draw.one(nets));
    match draw.below(19) {
        0..3 => format!("-p tcp -m tcp --dport {p}"),
        3 => format!("-s {net}"),
        4 => format!("! -s {net} -p tcp -m tcp --dport {p}"),
        5 => format!("-s {net} -p tcp -m multiport --dports {p},22:80"),
        6 => format!("-p tcp -m multiport ! --dports {p},443"),
        7 => format!("-p tcp -m conntrack --ctstate NEW -m tcp --dport {p}"),
        8 => "-m conntrack ! --ctstate RELATED,ESTABLISHED -m comment --comment \"-j not -a rule\"".into(),
        9 => format!("-i {} -p tcp --dport {p}", draw.one(&["host0", "lo", "eth+", "ho+"])),
        10 => format!("! -i host0 -p tcp --dport {p}"),
        11 => format!("-m addrtype --dst-type LOCAL -p tcp --dport {p}"),
        12 => "-m addrtype ! --src-type LOCAL --dst-type MULTICAST,BROADCAST".into(),
        13 => format!("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport {p}"),
        14 => format!("-p tcp ! --syn --dport {p}"),
        15 => format!("-m mark --mark {} -p tcp", draw.one(&["0x1", "0x0/0xff", "0x1/0x1"])),
        16 if v6 => format!("-m iprange --src-range fd00:aa::1-fd00:aa::ff -p tcp --dport {p}"),
        16 => format!("-m iprange --src-range 10.1.0.0-10.1.2.9 -p tcp --dport {p}"),
        17 => format!("-p udp --dport {p}"),
        _ => format!("-p tcp --sport 1024: --dport {p}"),
    }
}
