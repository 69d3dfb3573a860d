//! Owns how ufw's files will stand: its settings, and its rules with those of the plan added, changed, taken away and put
//! in order, as ufw itself would.

use super::packet::{Tables, UfwFilter, UfwPolicy, UfwRules};
use super::scene::Scene;
use crate::resource::{Answer, FileContent, ForeseenRule, ForeseenText, ForeseenUfw, ProbeScript};

/// ufw's own switch.
pub(super) const CONF: &str = "/etc/ufw/ufw.conf";
/// ufw's defaults.
pub(super) const DEFAULTS: &str = "/etc/default/ufw";
/// Before, user and after, of IPv4 and of IPv6.
const RULES: [[&str; 3]; 2] = [
    ["/etc/ufw/before.rules", "/etc/ufw/user.rules", "/etc/ufw/after.rules"],
    ["/etc/ufw/before6.rules", "/etc/ufw/user6.rules", "/etc/ufw/after6.rules"],
];
const TUPLE: &str = "### tuple ### ";
const END: &str = "### END RULES ###";

/// ufw as it stands, or will stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ufw {
    pub enabled: bool,
    pub ipv6: bool,
    /// `ACCEPT`, `DROP` or `REJECT`.
    pub incoming: String,
    pub outgoing: String,
    pub routed: String,
    /// Before, user and after: texts as `iptables-restore` reads them.
    pub rules: [[String; 3]; 2],
}

/// Asks for its files.
pub(super) fn ask(script: &mut ProbeScript) {
    for path in [CONF, DEFAULTS].into_iter().chain(RULES.into_iter().flatten()) {
        script.content(path, None);
    }
}

impl Ufw {
    /// As Debian's package brings it.
    pub fn stock() -> Ufw {
        let rules = ["", "6"].map(|six| {
            let mut before = format!(
                "*filter\n:ufw{six}-before-input - [0:0]\n:ufw{six}-before-output - [0:0]\n:ufw{six}-before-forward - \
                 [0:0]\n"
            );
            for (way, door) in [("input", "i"), ("output", "o")] {
                before.push_str(&format!(
                    "-A ufw{six}-before-{way} -{door} lo -j ACCEPT\n-A ufw{six}-before-{way} -m conntrack --ctstate \
                     RELATED,ESTABLISHED -j ACCEPT\n"
                ));
                // Without them nobody finds an IPv6 address.
                for kind in ["neighbor-solicitation", "neighbor-advertisement"].into_iter().filter(|_| six == "6") {
                    before.push_str(&format!(
                        "-A ufw6-before-{way} -p icmpv6 --icmpv6-type {kind} -m hl --hl-eq 255 -j ACCEPT\n"
                    ));
                }
            }
            before.push_str(&format!("-A ufw{six}-before-input -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"));
            let user = format!(
                "*filter\n:ufw{six}-user-input - [0:0]\n:ufw{six}-user-output - [0:0]\n:ufw{six}-user-forward - \
                 [0:0]\n:ufw{six}-user-limit - [0:0]\n:ufw{six}-user-limit-accept - [0:0]\n\
                 ### RULES ###\n{END}\n-A ufw{six}-user-limit -j REJECT\n-A ufw{six}-user-limit-accept -j ACCEPT\n\
                 COMMIT\n"
            );
            let after = format!("*filter\n:ufw{six}-after-input - [0:0]\n:ufw{six}-after-output - [0:0]\nCOMMIT\n");
            [before, user, after]
        });
        Ufw {
            enabled: false,
            ipv6: true,
            incoming: "DROP".into(),
            outgoing: "ACCEPT".into(),
            routed: "DROP".into(),
            rules,
        }
    }

    /// As its files stand, or as they will where the plan writes them; the stock one where it is not installed yet.
    ///
    /// # Errors
    /// A file is missing, too long, or says nothing of what it should.
    pub fn read(scene: &Scene<'_>) -> Result<Ufw, String> {
        let Some(conf) = text(scene, CONF)? else { return Ok(Ufw::stock()) };
        let defaults = text(scene, DEFAULTS)?.unwrap_or_default();
        let setting = |from: &str, name: &str| {
            let mut values = from.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            values.next_back().map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let said = |from: &str, path: &str, name: &str| {
            setting(from, name).ok_or_else(|| format!("{path} does not say {name}="))
        };
        let policy = |name: &str| said(&defaults, DEFAULTS, name).map(|value| value.to_uppercase());
        let mut ufw = Ufw {
            enabled: said(&conf, CONF, "ENABLED")?.eq_ignore_ascii_case("yes"),
            ipv6: said(&defaults, DEFAULTS, "IPV6")?.eq_ignore_ascii_case("yes"),
            incoming: policy("DEFAULT_INPUT_POLICY")?,
            outgoing: policy("DEFAULT_OUTPUT_POLICY")?,
            routed: policy("DEFAULT_FORWARD_POLICY")?,
            ..Ufw::stock()
        };
        for (paths, rules) in RULES.iter().zip(&mut ufw.rules) {
            for (path, rules) in paths.iter().zip(rules) {
                if let Some(text) = text(scene, path)? {
                    *rules = text;
                }
            }
        }
        Ok(ufw)
    }

    /// As it will stand.
    #[must_use]
    pub fn with(mut self, foreseen: &ForeseenUfw) -> Ufw {
        let wants_ipv6 = |rule: &&ForeseenRule| rule.v6 && rule.lines.is_some();
        for rule in &foreseen.rules {
            let family = usize::from(rule.v6);
            self.rules[family][1] = with_rule(&self.rules[family][1], rule);
        }
        // A rule for IPv6 alone makes ufw speak it.
        let lonely = |rule: &ForeseenRule| !foreseen.rules.iter().any(|other| !other.v6 && other.origin == rule.origin);
        self.ipv6 |= foreseen.rules.iter().filter(wants_ipv6).any(lonely);
        if let Some(switch) = &foreseen.switch {
            self.enabled = switch.enabled;
            self.incoming = switch.incoming.to_owned();
            if let Some(outgoing) = switch.outgoing {
                self.outgoing = outgoing.to_owned();
            }
            self.ipv6 = switch.ipv6.unwrap_or(self.ipv6);
            if let Some(only) = &switch.only {
                for family in &mut self.rules {
                    family[1] = Blocks::read(&family[1]).keeping(|key| only.iter().any(|known| known == key)).text();
                }
            }
        }
        for order in &foreseen.orders {
            for family in &mut self.rules {
                family[1] = Blocks::read(&family[1]).in_order(order).text();
            }
        }
        self
    }

    /// Puts what ufw makes of it into the filter tables.
    ///
    /// # Errors
    /// A file is not one for `iptables-restore`.
    pub fn put_into(&self, tables: &mut Tables) -> Result<(), String> {
        for (family, [before, user, after]) in self.rules.iter().enumerate() {
            let filter = match (self.enabled, self.ipv6 || family == 0) {
                (false, _) => UfwFilter::Off,
                (true, false) => UfwFilter::Closed,
                (true, true) => UfwFilter::On(UfwRules {
                    before,
                    user,
                    after,
                    incoming: policy(&self.incoming),
                    outgoing: policy(&self.outgoing),
                    routed: policy(&self.routed),
                }),
            };
            tables.replace_filter(family == 1, &filter).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn policy(target: &str) -> UfwPolicy {
    match target {
        "ACCEPT" => UfwPolicy::Allow,
        "REJECT" => UfwPolicy::Reject,
        _ => UfwPolicy::Deny,
    }
}

// A file as the plan leaves it, else as it stands; `None` = it is not there.
fn text(scene: &Scene<'_>, path: &str) -> Result<Option<String>, String> {
    match scene.foreseen.files.get(path).map(|file| &file.text) {
        Some(ForeseenText::Plain(text)) => return Ok(Some(text.clone())),
        Some(ForeseenText::Hidden) => return Err(format!("{path} will hold a secret, so nobody looked into it")),
        Some(ForeseenText::Edited(_)) => return Err(format!("what parts of {path} become is not simulated")),
        Some(ForeseenText::Gone) => return Ok(None),
        Some(ForeseenText::Kept) | None => {}
    }
    standing(scene.answer, path)
}

/// A file as it stands; `None` = it is not there.
///
/// # Errors
/// It could not be read, or is no text.
pub(super) fn standing(answer: &Answer, path: &str) -> Result<Option<String>, String> {
    match answer.content(path).map_err(|why| why.to_string())? {
        Some(FileContent::Bytes(bytes)) => match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("{path} is not UTF-8 text")),
        },
        Some(_) => Err(format!("{path} is too long to be read")),
        None => Ok(None),
    }
}

/// A `user.rules` taken apart: what stands before the rules, each rule with its key, and what comes after.
struct Blocks {
    head: String,
    blocks: Vec<(String, String)>,
    tail: String,
}

impl Blocks {
    fn read(text: &str) -> Blocks {
        let mut parts = Blocks { head: String::new(), blocks: Vec::new(), tail: String::new() };
        let mut ended = false;
        for line in text.lines() {
            // The package's own file has no marks before ufw writes it anew.
            ended |= line.starts_with(END) || line.trim() == "COMMIT";
            let part = if ended {
                &mut parts.tail
            } else if let Some(words) = line.strip_prefix(TUPLE) {
                parts.blocks.push((key_of(words), String::new()));
                parts.blocks.last_mut().map_or(&mut parts.head, |(_, text)| text)
            } else {
                match parts.blocks.last_mut() {
                    Some((_, text)) => text,
                    None => &mut parts.head,
                }
            };
            part.push_str(line);
            part.push('\n');
        }
        parts
    }

    fn keeping(mut self, keep: impl Fn(&str) -> bool) -> Blocks {
        self.blocks.retain(|(key, _)| keep(key));
        self
    }

    // The named ones take one another's places.
    fn in_order(mut self, keys: &[String]) -> Blocks {
        let place = |key: &str| keys.iter().position(|known| known == key);
        let slots: Vec<usize> =
            self.blocks.iter().enumerate().filter(|(_, (key, _))| place(key).is_some()).map(|(at, _)| at).collect();
        let mut named: Vec<(String, String)> = slots.iter().map(|at| self.blocks[*at].clone()).collect();
        named.sort_by_key(|(key, _)| place(key));
        for (at, block) in slots.into_iter().zip(named) {
            self.blocks[at] = block;
        }
        self
    }

    fn text(self) -> String {
        let mut text = self.head;
        self.blocks.iter().for_each(|(_, block)| text.push_str(block));
        text + &self.tail
    }
}

// All words but verb, log and comment, as the kinds spell a rule's key.
fn key_of(words: &str) -> String {
    let mut words: Vec<&str> = words.split_ascii_whitespace().collect();
    if words.last().is_some_and(|word| word.starts_with("comment=")) {
        words.pop();
    }
    let route = if words.first().is_some_and(|verb| verb.starts_with("route:")) { "route:" } else { "" };
    format!("{route}{}", words.get(1..).unwrap_or_default().join(" "))
}

fn with_rule(text: &str, rule: &ForeseenRule) -> String {
    let mut parts = Blocks::read(text);
    let at = parts.blocks.iter().position(|(key, _)| *key == rule.key);
    match (&rule.lines, at) {
        (Some(lines), at) => {
            let (route, words) =
                rule.key.strip_prefix("route:").map_or(("", rule.key.as_str()), |rest| ("route:", rest));
            let mut block = format!("{TUPLE}{route}{} {words}\n", rule.verb);
            lines.iter().for_each(|line| block.push_str(&format!("{line}\n")));
            match at.and_then(|at| parts.blocks.get_mut(at)) {
                Some((_, old)) => *old = block,
                None => parts.blocks.push((rule.key.clone(), block)),
            }
        }
        (None, Some(at)) => {
            let verb = parts.blocks[at].1.strip_prefix(TUPLE).unwrap_or("").trim_start_matches("route:");
            if verb.split([' ', '_']).next() == Some(rule.verb) {
                parts.blocks.remove(at);
            }
        }
        (None, None) => {}
    }
    parts.text()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ResourceId;
    use crate::resource::Origin;

    const FILE: &str = "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n\n### tuple ### allow tcp 22 0.0.0.0/0 any \
                        0.0.0.0/0 in comment=6869\n-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n\n### tuple ### deny \
                        tcp 80 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 80 -j DROP\n\n### END RULES \
                        ###\n-A ufw-user-limit -j REJECT\nCOMMIT\n";

    fn rule(verb: &'static str, port: u16, lines: Option<&[&str]>) -> ForeseenRule {
        ForeseenRule {
            v6: false,
            key: format!("tcp {port} 0.0.0.0/0 any 0.0.0.0/0 in"),
            verb,
            lines: lines.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()),
            origin: Origin { id: ResourceId::new("firewall_rule", "x"), place: "x:1".into() },
        }
    }

    fn rules(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.starts_with("-A ufw-user-input")).collect()
    }

    #[test]
    fn rules_are_added_changed_taken_away_and_put_in_order() {
        assert_eq!(Blocks::read(FILE).text(), FILE);
        let added = with_rule(FILE, &rule("allow", 443, Some(&["-A ufw-user-input -p tcp --dport 443 -j ACCEPT"])));
        assert_eq!(rules(&added)[2], "-A ufw-user-input -p tcp --dport 443 -j ACCEPT");
        assert!(added.ends_with("### END RULES ###\n-A ufw-user-limit -j REJECT\nCOMMIT\n"), "{added}");
        let changed = with_rule(FILE, &rule("deny", 22, Some(&["-A ufw-user-input -p tcp --dport 22 -j DROP"])));
        assert_eq!(rules(&changed)[0], "-A ufw-user-input -p tcp --dport 22 -j DROP");
        assert_eq!(rules(&with_rule(FILE, &rule("allow", 22, None))).len(), 1);
        assert_eq!(rules(&with_rule(FILE, &rule("deny", 22, None))).len(), 2, "what does something else stays");
        let key = |port: u16| rule("allow", port, None).key;
        let ordered = Blocks::read(FILE).in_order(&[key(80), key(443), key(22)]).text();
        assert!(rules(&ordered)[0].contains("80") && rules(&ordered)[1].contains("22"), "{ordered}");
        assert_eq!(rules(&Blocks::read(FILE).keeping(|known| known == key(80)).text()).len(), 1);
    }

    #[test]
    fn a_rule_finds_its_place_in_the_stock_file() {
        let foreseen = ForeseenUfw {
            rules: vec![rule("allow", 22, Some(&["-A ufw-user-input -p tcp --dport 22 -j ACCEPT"]))],
            ..ForeseenUfw::default()
        };
        let user = Ufw::stock().with(&foreseen).rules[0][1].clone();
        let bare = "*filter\n:ufw-user-input - [0:0]\nCOMMIT\n";
        let twice = with_rule(&with_rule(bare, &foreseen.rules[0]), &rule("deny", 80, Some(&["-A x --dport 80"])));
        for (user, what) in [(&user, "--dport 22"), (&twice, "--dport 22"), (&twice, "--dport 80")] {
            let (rule, commit) = (user.find(what), user.find("COMMIT"));
            assert!(rule.is_some() && rule < commit, "{user}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_line_is_lost(text in "(### tuple ### [a-z 0-9]{0,12}\n|### END RULES ###\n|[a-z]{0,6}\n){0,12}") {
            let read = Blocks::read(&text).text();
            prop_assert_eq!(read.lines().count(), text.lines().count());
            with_rule(&text, &rule("allow", 22, None));
        }
    }
}
