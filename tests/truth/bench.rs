//! Owns one real host of the comparison: made ready once, then one ruleset after the other, and real connections to it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rempart::lockout::{Packet, Tables, UfwFilter, UfwPolicy, UfwRules, Verdict};

use crate::connect::{is_let_in, listener};
use crate::fixture::{Lab, Machine, address};
use crate::generate::{Case, PORTS};

pub const HOSTS: [(&str, &str); 2] = [("bookworm1", "bookworm"), ("trixie1", "trixie")];
/// How long a dropped connection is waited for; a disagreement is looked at again with more patience.
const SHORT: Duration = Duration::from_millis(700);
const LONG: Duration = Duration::from_millis(3500);

/// What was compared, and how it went.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub rulesets: usize,
    /// Verdicts on the state that was read from the host after it was loaded.
    pub agreed: usize,
    pub let_in: usize,
    /// Verdicts on the state as it was foreseen from the one before.
    pub foreseen: usize,
    pub undecided: Vec<String>,
    pub disagreed: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.rulesets += other.rulesets;
        self.agreed += other.agreed;
        self.let_in += other.let_in;
        self.foreseen += other.foreseen;
        self.undecided.extend(other.undecided);
        self.disagreed.extend(other.disagreed);
    }

    /// Compares a verdict with what really happened.
    pub fn judge(&mut self, verdict: &Verdict, is_in: bool, foreseen: bool, place: &str) {
        let how = if foreseen { " (foreseen)" } else { "" };
        let agrees = match verdict {
            Verdict::In { .. } => is_in,
            Verdict::Out { .. } => !is_in,
            Verdict::Undecided { by, why } => {
                self.undecided.push(format!("{place}{how}: {by}: {why}"));
                return;
            }
        };
        if !agrees {
            self.disagreed.push(format!("{place}{how}: really {}, but {verdict:?}", if is_in { "in" } else { "out" }));
        } else if foreseen {
            self.foreseen += 1;
        } else {
            self.agreed += 1;
            self.let_in += usize::from(is_in);
        }
    }
}

/// Both releases, with what the rulesets need.
pub fn boot(test: &str) -> Option<Lab> {
    let machines = HOSTS.map(|(name, release)| Machine { release, ..Machine::new(name) });
    let lab = Lab::boot(test, &machines)?;
    for (at, (host, _)) in HOSTS.iter().enumerate() {
        lab.on(
            host,
            "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && \
             apt-get install -y -qq --no-install-recommends ufw iptables nftables python3 >/dev/null 2>&1 && \
             systemctl stop ssh.socket ssh.service 2>/dev/null; cp -a /etc/ufw /root/ufw; cp /etc/default/ufw /root/ufw.default",
        );
        let script = format!(
            "ip -6 address add {}/64 dev host0 nodad; ip -6 route add default dev host0; cat >/root/listen.py <<'EOF'\n{}EOF\n\
             setsid nohup python3 /root/listen.py </dev/null >/root/listen.log 2>&1 &",
            own_v6(at),
            listener(&PORTS)
        );
        lab.on(host, &script);
        lab.wait_on(host, 20, "test -e /run/truth-listens");
    }
    Some(lab)
}

/// What the controller's side of the lab needs: more addresses to come from. In its namespace.
pub fn add_addresses() {
    let run = |words: &str| {
        let ran = std::process::Command::new("ip").args(words.split(' ')).output().unwrap();
        assert!(ran.status.success(), "ip {words}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    run("address add 10.1.2.3/32 dev lab0");
    run("-6 address add fd00:aa::fe/64 dev lab0 nodad");
    run("-6 address add fd00:bb::fe/128 dev lab0 nodad");
}

fn own_v6(at: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0xaa, 0, 0, 0, 0, 0, 0xb + u16::try_from(at).unwrap())
}

pub struct Bench<'a> {
    pub lab: &'a Lab,
    pub at: usize,
    /// What is done to the texts before they are evaluated: nothing, or a planted fault.
    pub plant: fn(&str) -> String,
}

impl Bench<'_> {
    fn host(&self) -> &'static str {
        HOSTS[self.at].0
    }

    /// Loads a case, evaluates it, connects for real, and compares.
    pub fn compare(&self, name: &str, case: &Case) -> Tally {
        let mut tally = Tally { rulesets: 1, ..Tally::default() };
        let sections = self.load(case);
        if let Some(said) = sections.get("nft").filter(|said| said.contains("NOT-LOADED")) {
            tally.disagreed.push(format!("{name} on {}: not loaded\n{said}", self.host()));
            return tally;
        }
        let after = self.tables(&sections, "after");
        let foreseen = foreseen(case, self.tables(&sections, "before"), &sections);
        let packets = self.packets();
        if let Some(port) = case.limited {
            self.burst(name, port, &after, &mut tally);
        }
        let _ = std::process::Command::new("ip").args(["-6", "neigh", "flush", "dev", "lab0"]).output();
        let mut truths: Vec<bool> = std::thread::scope(|scope| {
            let connect = |packet: &Packet| {
                let (from, to) = (packet.from, SocketAddr::new(packet.to, packet.port));
                scope.spawn(move || is_let_in(from, to, SHORT))
            };
            let all: Vec<_> = packets.iter().map(connect).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (packet, truth) in packets.iter().zip(&mut truths) {
            let place = format!("{name} on {}: {} -> {} port {}", self.host(), packet.from, packet.to, packet.port);
            let mut verdicts = vec![(after.verdict(packet), false)];
            verdicts.extend(foreseen.iter().map(|tables| (tables.verdict(packet), true)));
            let differs = |verdict: &Verdict, truth: bool| match verdict {
                Verdict::In { .. } => !truth,
                Verdict::Out { .. } => truth,
                Verdict::Undecided { .. } => false,
            };
            if verdicts.iter().any(|(verdict, _)| differs(verdict, *truth)) {
                self.forget();
                let _ = std::process::Command::new("ip").args(["-6", "neigh", "flush", "dev", "lab0"]).output();
                *truth = is_let_in(packet.from, SocketAddr::new(packet.to, packet.port), LONG);
            }
            for (verdict, is_foreseen) in verdicts {
                tally.judge(&verdict, *truth, is_foreseen, &place);
            }
        }
        if !tally.disagreed.is_empty() {
            tally.disagreed.push(format!("{}--- after\n{}", case.text(), sections["after"]));
        }
        tally
    }

    // One connection after the other, as a run makes them: the rule that counts them must be foreseen at the right one.
    fn burst(&self, name: &str, port: u16, tables: &Tables, tally: &mut Tally) {
        let packet = &self.packets()[0];
        for connections in 1..=8 {
            let packet = Packet { port, connections, ..packet.clone() };
            let truth = is_let_in(packet.from, SocketAddr::new(packet.to, port), SHORT);
            let place = format!("{name} on {}: connection {connections} to port {port}", self.host());
            tally.judge(&tables.verdict(&packet), truth, false, &place);
        }
        self.forget();
    }

    fn forget(&self) {
        self.lab.on(
            self.host(),
            "for l in /proc/net/xt_recent/*; do [ ! -e $l ] || echo / >$l; done; ip -6 neigh flush dev host0",
        );
    }

    fn packets(&self) -> Vec<Packet> {
        let sources = ["192.0.2.254", "10.1.2.3", "fd00:aa::fe", "fd00:bb::fe"];
        let mut packets = Vec::new();
        for from in sources.map(|text| text.parse::<IpAddr>().unwrap()) {
            let to: IpAddr = if from.is_ipv4() { address(self.at).into() } else { own_v6(self.at).into() };
            for port in PORTS {
                let connections = u32::try_from(PORTS.len()).unwrap();
                packets.push(Packet { from, to, port, interface: Some("host0".into()), connections });
            }
        }
        packets
    }

    fn tables(&self, sections: &BTreeMap<String, String>, name: &str) -> Tables {
        let part = |tool: &str| {
            let text = sections.get(name).unwrap().split("=+= ").find_map(|part| part.strip_prefix(tool));
            (self.plant)(text.unwrap_or_else(|| panic!("no {tool}: {sections:?}")).trim_start())
        };
        let (v4, v6, nft) = (part("v4\n"), part("v6\n"), part("nft\n"));
        Tables::read(Some(&v4), Some(&v6), Some(&nft)).unwrap_or_else(|error| panic!("{error}\n{v4}{v6}{nft}"))
    }

    fn load(&self, case: &Case) -> BTreeMap<String, String> {
        let dump = "echo '=+= v4'; iptables-save; echo '=+= v6'; ip6tables-save; echo '=+= nft'; nft -j list ruleset 2>/dev/null";
        let nft = case.nft.as_deref().map_or_else(String::new, |text| {
            format!(
                "cat >/run/case.nft <<'NFT'\n{text}NFT\nnft -f /run/case.nft || echo NOT-LOADED\n\
                 echo '=== new'; unshare -n sh -c 'nft -f /run/case.nft; nft -j list ruleset 2>/dev/null'\n"
            )
        });
        let script = format!(
            "nft flush ruleset; rm -rf /etc/ufw; cp -a /root/ufw /etc/ufw; cp /root/ufw.default /etc/default/ufw\n\
             ip -6 neigh flush dev host0\nexec 2>&1\n{before}\necho '=== before'; {dump}\necho '=== ufw'\n{ufw}\n\
             echo '=== nft'\n{nft}\necho '=== after'; {dump}\n\
             for f in /etc/ufw/*.rules /etc/default/ufw /etc/ufw/ufw.conf; do echo \"=== $f\"; cat $f; done\n\
             for l in /proc/net/xt_recent/*; do [ ! -e $l ] || echo / >$l; done\n",
            before = case.before,
            ufw = case.ufw.as_deref().unwrap_or(""),
        );
        let text = self.lab.on(self.host(), &script);
        let mut sections = BTreeMap::new();
        for part in text.split("=== ").skip(1) {
            let (name, content) = part.split_once('\n').unwrap_or((part, ""));
            sections.insert(name.to_owned(), content.to_owned());
        }
        sections
    }
}

// What will stand there, from what stood there before and from the files alone.
fn foreseen(case: &Case, mut tables: Tables, sections: &BTreeMap<String, String>) -> Option<Tables> {
    if case.ufw.is_some() {
        for v6 in [false, true] {
            let file = |name: &str| sections[&format!("/etc/ufw/{name}{}.rules", if v6 { "6" } else { "" })].as_str();
            let rules = UfwRules {
                before: file("before"),
                user: file("user"),
                after: file("after"),
                incoming: policy(sections, "INPUT"),
                outgoing: policy(sections, "OUTPUT"),
                routed: policy(sections, "FORWARD"),
            };
            let filter = if !sections["/etc/ufw/ufw.conf"].contains("\nENABLED=yes") {
                UfwFilter::Off
            } else if v6 && !sections["/etc/default/ufw"].contains("\nIPV6=yes") {
                UfwFilter::Closed
            } else {
                UfwFilter::On(rules)
            };
            tables.replace_filter(v6, &filter).unwrap();
        }
    }
    if let Some(text) = &case.nft {
        // A file that adds to a table of iptables replaces nothing.
        if text.contains("table ip filter") || text.contains("table ip6 filter") {
            return None;
        }
        let json = sections["new"].lines().find(|line| line.starts_with('{')).unwrap();
        tables.replace_nft(json).unwrap();
    }
    (case.ufw.is_some() || case.nft.is_some()).then_some(tables)
}

fn policy(sections: &BTreeMap<String, String>, way: &str) -> UfwPolicy {
    let name = format!("DEFAULT_{way}_POLICY=");
    let line = sections["/etc/default/ufw"].lines().find_map(|line| line.strip_prefix(&name)).unwrap();
    match line.trim_matches('"') {
        "ACCEPT" => UfwPolicy::Allow,
        "REJECT" => UfwPolicy::Reject,
        _ => UfwPolicy::Deny,
    }
}
