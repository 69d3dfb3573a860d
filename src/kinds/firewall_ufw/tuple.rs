//! Owns one rule as ufw keeps it: the `### tuple ###` line, the iptables lines that ufw writes for it, and the ufw
//! command that makes or deletes it.

use super::kernel::{Rule, rule};
use super::spec;

/// The words that a `### tuple ###` line begins with.
const MARK: &str = "### tuple ### ";
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// One rule of one address family. Fields stand as in ufw's files; `any` and `0.0.0.0/0` are written out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::kinds) struct Tuple {
    pub v6: bool,
    /// `allow`, `deny`, `reject` or `limit`.
    pub action: String,
    /// Empty, `log` or `log-all`.
    pub log: String,
    pub route: bool,
    pub protocol: String,
    pub dport: String,
    pub dst: String,
    pub sport: String,
    pub src: String,
    /// Application profiles of destination and source; both empty = none.
    pub profiles: [String; 2],
    /// Whether it is for outgoing traffic.
    pub out: bool,
    pub interface_in: String,
    pub interface_out: String,
    /// In hexadecimal, as in ufw's files.
    pub comment: String,
}

impl Tuple {
    /// Reads a line of `user.rules` or `user6.rules`; `None` = it is no tuple line.
    ///
    /// # Errors
    /// It is one, but not of a shape that ufw writes.
    pub fn read(line: &str, v6: bool) -> Option<Result<Tuple, String>> {
        let text = line.strip_prefix(MARK)?;
        Some(Tuple::of_words(text, v6).ok_or_else(|| format!("ufw's rule `{}` was not understood", printable(text))))
    }

    fn of_words(text: &str, v6: bool) -> Option<Tuple> {
        let (text, comment) = match text.split_once(" comment=") {
            Some((text, hex)) => (text, hex.trim().to_owned()),
            None => (text, String::new()),
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (profiles, last) = match words.len() {
            7 => ([String::new(), String::new()], words[6]),
            9 => ([profile(words[6]), profile(words[7])], words[8]),
            _ => return None,
        };
        let (route, verb) = words[0].strip_prefix("route:").map_or((false, words[0]), |verb| (true, verb));
        let (action, log) = verb.split_once('_').unwrap_or((verb, ""));
        if !matches!(action, "allow" | "deny" | "reject" | "limit") || !matches!(log, "" | "log" | "log-all") {
            return None;
        }
        let (interface_in, interface_out, out) = match (last, last.split_once('!')) {
            ("in", _) => ("", "", false),
            ("out", _) => ("", "", true),
            (_, Some((first, second))) => (first.strip_prefix("in_")?, second.strip_prefix("out_")?, false),
            (_, None) => match (last.strip_prefix("in_"), last.strip_prefix("out_")) {
                (Some(name), _) => (name, "", false),
                (_, Some(name)) => ("", name, true),
                _ => return None,
            },
        };
        let own = |at: usize| words[at].to_owned();
        Some(Tuple {
            v6,
            action: action.to_owned(),
            log: log.to_owned(),
            route,
            protocol: own(1),
            dport: own(2),
            dst: own(3),
            sport: own(4),
            src: own(5),
            profiles,
            out,
            interface_in: interface_in.to_owned(),
            interface_out: interface_out.to_owned(),
            comment,
        })
    }

    /// What ufw tells rules apart by: all but verb, log and comment. A target finds the line again by this text.
    pub fn key(&self) -> String {
        let mut key = if self.route { "route:".to_owned() } else { String::new() };
        key.push_str(&[&self.protocol, &self.dport, &self.dst, &self.sport, &self.src].map(String::as_str).join(" "));
        if self.has_profile() {
            for name in &self.profiles {
                key.push(' ');
                key.push_str(&if name.is_empty() { "-".to_owned() } else { name.replace(' ', "%20") });
            }
        }
        key.push(' ');
        let (inward, outward) = (&self.interface_in, &self.interface_out);
        key.push_str(&match (inward.is_empty(), outward.is_empty()) {
            (true, true) => if self.out { "out" } else { "in" }.to_owned(),
            (false, true) => format!("in_{inward}"),
            (true, false) => format!("out_{outward}"),
            (false, false) => format!("in_{inward}!out_{outward}"),
        });
        key
    }

    /// The whole line as ufw writes it.
    pub fn line(&self) -> String {
        let key = self.key();
        let (route, rest) = key.strip_prefix("route:").map_or(("", key.as_str()), |rest| ("route:", rest));
        let log = if self.log.is_empty() { String::new() } else { format!("_{}", self.log) };
        let comment = if self.comment.is_empty() { String::new() } else { format!(" comment={}", self.comment) };
        format!("{MARK}{route}{}{log} {rest}{comment}", self.action)
    }

    /// The arguments of the `ufw` command that makes it (or deletes it, whatever its comment). `both` = the same for
    /// the other address family too, if ufw speaks that.
    pub fn command(&self, delete: bool, both: bool) -> Vec<String> {
        let comment = comment_text(&self.comment);
        let mut words: Vec<&str> = Vec::new();
        if self.route {
            words.push("route");
        }
        if delete {
            words.push("delete");
        }
        words.push(&self.action);
        match (self.interface_in.is_empty(), self.interface_out.is_empty()) {
            (true, true) if self.out && !self.route => words.push("out"),
            (true, true) => {}
            (false, _) => words.extend(["in", "on", &self.interface_in]),
            (true, false) => words.extend(["out", "on", &self.interface_out]),
        }
        if !self.log.is_empty() {
            words.push(&self.log);
        }
        if !self.interface_in.is_empty() && !self.interface_out.is_empty() {
            words.extend(["out", "on", &self.interface_out]);
        }
        if self.protocol != "any" && !self.has_profile() {
            words.extend(["proto", &self.protocol]);
        }
        for (word, address, port, profile) in
            [("from", &self.src, &self.sport, &self.profiles[1]), ("to", &self.dst, &self.dport, &self.profiles[0])]
        {
            let anywhere = both && EVERYWHERE.contains(&address.as_str());
            words.extend([word, if anywhere { "any" } else { address }]);
            if !profile.is_empty() {
                words.extend(["app", profile]);
            } else if port != "any" {
                words.extend(["port", port]);
            }
        }
        if !delete && !self.comment.is_empty() {
            words.extend(["comment", &comment]);
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// The iptables rules that ufw makes of it, in its order, in the form that compares.
    pub fn rules(&self) -> Vec<Rule> {
        self.lines().iter().filter_map(|line| rule(line)).collect()
    }

    /// The iptables rules that ufw makes of it, in its order, as `-A CHAIN ...`.
    pub fn lines(&self) -> Vec<String> {
        let prefix = if self.v6 { "ufw6" } else { "ufw" };
        let way = if self.route { "forward" } else { ["input", "output"][usize::from(self.out)] };
        let (user, logging) = (format!("{prefix}-user-{way}"), format!("{prefix}-user-logging-{way}"));
        let has_port = self.dport != "any" || self.sport != "any";
        let protocols: &[&str] = match self.protocol.as_str() {
            "any" if has_port => &["tcp", "udp"],
            "any" => &[""],
            one => &[one],
        };
        let note = if self.has_profile() {
            let named = |kind: &str, name: &str| match name {
                "" => None,
                name => Some(format!("{kind}_{}", name.replace(' ', "%20"))),
            };
            let names = [named("dapp", &self.profiles[0]), named("sapp", &self.profiles[1])];
            format!(" -m comment --comment {}", names.into_iter().flatten().collect::<Vec<_>>().join(","))
        } else {
            String::new()
        };
        let mut lines = Vec::new();
        for protocol in protocols {
            let matches = self.matches(protocol);
            if !self.log.is_empty() {
                let new = if self.log == "log" { "-m conntrack --ctstate NEW " } else { "" };
                let word = match self.action.as_str() {
                    "allow" => "ALLOW",
                    "limit" => "LIMIT",
                    _ => "BLOCK",
                };
                lines.push(format!(
                    "-A {logging}{matches} {new}-m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix \"[UFW \
                     {word}] \""
                ));
                lines.push(format!("-A {logging}{matches} -j RETURN"));
                lines.push(format!("-A {user}{matches} -j {logging}"));
            }
            let reset = if *protocol == "tcp" { " --reject-with tcp-reset" } else { "" };
            match self.action.as_str() {
                "allow" => lines.push(format!("-A {user}{matches} -j ACCEPT{note}")),
                "reject" => lines.push(format!("-A {user}{matches} -j REJECT{reset}{note}")),
                "limit" => {
                    let new = "-m conntrack --ctstate NEW -m recent";
                    lines.push(format!("-A {user}{matches} {new} --set{note}"));
                    lines.push(format!(
                        "-A {user}{matches} {new} --update --seconds 30 --hitcount 6 -j {prefix}-user-limit{note}"
                    ));
                    lines.push(format!("-A {user}{matches} -j {prefix}-user-limit-accept{note}"));
                }
                _ => lines.push(format!("-A {user}{matches} -j DROP{note}")),
            }
        }
        lines
    }

    /// Whether it decides, otherwise than `later` would, about all that `later` is for: `later` behind it has no effect.
    pub fn shadows(&self, later: &Tuple) -> bool {
        let passes = |tuple: &Tuple| matches!(tuple.action.as_str(), "allow" | "limit");
        let same_or_all = |wide: &str, narrow: &str, all: &str| wide == all || wide == narrow;
        passes(self) != passes(later)
            && (self.v6, self.route, self.out) == (later.v6, later.route, later.out)
            && same_or_all(&self.interface_in, &later.interface_in, "")
            && same_or_all(&self.interface_out, &later.interface_out, "")
            && same_or_all(&self.protocol, &later.protocol, "any")
            && spec::ports_within(&self.dport, &later.dport)
            && spec::ports_within(&self.sport, &later.sport)
            && spec::network_within(&self.src, &later.src)
            && spec::network_within(&self.dst, &later.dst)
    }

    fn matches(&self, protocol: &str) -> String {
        let mut text = String::new();
        let mut add = |option: &str, value: &str, skip: bool| {
            if !skip {
                text.push_str(&format!(" {option} {value}"));
            }
        };
        let several = [&self.dport, &self.sport].iter().any(|port| port.contains([',', ':']));
        add("-i", &self.interface_in, self.interface_in.is_empty());
        add("-o", &self.interface_out, self.interface_out.is_empty());
        add("-p", protocol, protocol.is_empty());
        add("-m", "multiport", !several);
        add(if several { "--dports" } else { "--dport" }, &self.dport, self.dport == "any");
        add(if several { "--sports" } else { "--sport" }, &self.sport, self.sport == "any");
        add("-d", &self.dst, EVERYWHERE.contains(&self.dst.as_str()));
        add("-s", &self.src, EVERYWHERE.contains(&self.src.as_str()));
        text
    }

    fn has_profile(&self) -> bool {
        self.profiles.iter().any(|name| !name.is_empty())
    }

    /// For people: `allow log 22/tcp from 10.0.0.0/8 in on eth0`.
    pub fn text(&self) -> String {
        let mut text = if self.route { format!("route {}", self.action) } else { self.action.clone() };
        if !self.log.is_empty() {
            text.push_str(&format!(" {}", self.log));
        }
        if self.out && self.interface_out.is_empty() {
            text.push_str(" out");
        }
        let what = match (self.profiles[0].as_str(), self.dport.as_str(), self.protocol.as_str()) {
            ("", "any", "any") => "any".to_owned(),
            ("", port, "any") => port.to_owned(),
            ("", port, protocol) => format!("{port}/{protocol}"),
            (name, ..) => format!("app {name}"),
        };
        text.push_str(&format!(" {what} from {}", self.src));
        if !self.profiles[1].is_empty() {
            text.push_str(&format!(" app {}", self.profiles[1]));
        } else if self.sport != "any" {
            text.push_str(&format!(" port {}", self.sport));
        }
        if !EVERYWHERE.contains(&self.dst.as_str()) {
            text.push_str(&format!(" to {}", self.dst));
        }
        for (word, name) in [("in", &self.interface_in), ("out", &self.interface_out)] {
            if !name.is_empty() {
                text.push_str(&format!(" {word} on {name}"));
            }
        }
        printable(&text)
    }
}

fn profile(word: &str) -> String {
    if word == "-" { String::new() } else { word.replace("%20", " ") }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(300).collect()
}

/// A comment as ufw keeps it.
pub(in crate::kinds) fn comment_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A comment for people. Odd bytes are shown as well as can be: a comment never decides what a rule does.
pub(in crate::kinds) fn comment_text(hex: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(|pair| byte(pair).unwrap_or(b'?')).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
