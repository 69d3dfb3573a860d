//! Owns what ufw makes of its files in iptables' filter table: what will stand there, before ufw is run.

use super::TablesError;
use super::iptables::{Save, entry};
use super::rule::Table;
use super::tables::{Tables, family};

/// What ufw does with packets that no rule of its decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UfwPolicy {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
    /// `reject`
    Reject,
}

impl UfwPolicy {
    fn target(self) -> &'static str {
        match self {
            UfwPolicy::Allow => "ACCEPT",
            UfwPolicy::Deny => "DROP",
            UfwPolicy::Reject => "REJECT",
        }
    }
}

/// ufw's files of one family, and its policies.
#[derive(Clone, Copy, Debug)]
pub struct UfwRules<'a> {
    /// `before.rules`, or `before6.rules`.
    pub before: &'a str,
    /// `user.rules`, or `user6.rules`.
    pub user: &'a str,
    /// `after.rules`, or `after6.rules`.
    pub after: &'a str,
    /// The policy of what comes in.
    pub incoming: UfwPolicy,
    /// The policy of what goes out.
    pub outgoing: UfwPolicy,
    /// The policy of what is passed on.
    pub routed: UfwPolicy,
}

/// How ufw will stand in one family.
#[derive(Clone, Copy, Debug)]
pub enum UfwFilter<'a> {
    /// It is off: its chains are empty, and the policies accept.
    Off,
    /// It is on, but not for this family (`IPV6=no`): it shuts the family off, and other people's chains with it.
    Closed,
    /// It is on, with these files.
    On(UfwRules<'a>),
}

/// ufw's chains that the built-in chains lead to, in order.
const PARTS: [&str; 6] = ["before-logging", "before", "after", "after-logging", "reject", "track"];
const WAYS: [(&str, &str); 3] = [("INPUT", "input"), ("FORWARD", "forward"), ("OUTPUT", "output")];

const CLOSED: &str = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n\
                      -A INPUT -i lo -j ACCEPT\n-A OUTPUT -o lo -j ACCEPT\nCOMMIT\n";

impl Tables {
    /// Puts into the filter table of a family what ufw will have there after it is enabled, reloaded or disabled. Chains
    /// that are not ufw's stay, and so does the place of ufw's jumps among other people's, if they were there.
    ///
    /// # Errors
    /// A file is not one for `iptables-restore`.
    pub fn replace_filter(&mut self, v6: bool, filter: &UfwFilter<'_>) -> Result<(), TablesError> {
        let prefix = if v6 { "ufw6" } else { "ufw" };
        match filter {
            UfwFilter::Off => {
                empty(self.filter(v6), prefix);
                self.restore(v6, "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n")
            }
            UfwFilter::Closed => {
                let closed = Save::read(CLOSED, v6)?;
                let table = self.filter(v6);
                table.chains.retain(|_, chain| chain.base.is_some());
                table.chains.values_mut().for_each(|chain| chain.rules.clear());
                closed.run(&mut self.tables);
                Ok(())
            }
            UfwFilter::On(rules) => {
                empty(self.filter(v6), prefix);
                self.restore(v6, &chains(prefix, rules))?;
                hook(self.filter(v6), prefix, v6)?;
                self.restore(v6, rules.before)?;
                self.restore(v6, rules.after)?;
                self.restore(v6, rules.user)?;
                self.restore(v6, &policies(prefix, rules))
            }
        }
    }

    fn filter(&mut self, v6: bool) -> &mut Table {
        let family = family(v6);
        let at = self.tables.iter().position(|table| table.is(family, "filter")).unwrap_or_else(|| {
            self.tables.push(Table::new(family, "filter"));
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    // As `iptables-restore --noflush`.
    fn restore(&mut self, v6: bool, text: &str) -> Result<(), TablesError> {
        Save::read(text, v6)?.run(&mut self.tables);
        Ok(())
    }
}

fn empty(table: &mut Table, prefix: &str) {
    let own = format!("{prefix}-");
    table.chains.iter_mut().filter(|(name, _)| name.starts_with(&own)).for_each(|(_, chain)| chain.rules.clear());
}

fn chains(prefix: &str, rules: &UfwRules<'_>) -> String {
    let mut text = String::from("*filter\n");
    let chain = |name: String| format!(":{prefix}-{name} - [0:0]\n");
    for (_, way) in WAYS {
        PARTS.iter().for_each(|part| text.push_str(&chain(format!("{part}-{way}"))));
        for part in ["skip-to-policy", "user", "user-logging"] {
            text.push_str(&chain(format!("{part}-{way}")));
        }
    }
    for name in ["logging-deny", "logging-allow", "user-limit", "user-limit-accept"] {
        text.push_str(&chain(name.into()));
    }
    for (way, policy) in [("input", rules.incoming), ("output", rules.outgoing), ("forward", rules.routed)] {
        text.push_str(&format!("-A {prefix}-skip-to-policy-{way} -j {}\n", policy.target()));
        match policy {
            UfwPolicy::Reject => text.push_str(&format!("-A {prefix}-reject-{way} -j REJECT\n")),
            UfwPolicy::Allow => {
                for protocol in ["tcp", "udp"] {
                    let track = format!("-A {prefix}-track-{way} -p {protocol} -m conntrack --ctstate NEW -j ACCEPT\n");
                    text.push_str(&track);
                }
            }
            UfwPolicy::Deny => {}
        }
    }
    text + "COMMIT\n"
}

// The jumps stay where they are if all are there, in order; otherwise they go behind everything.
fn hook(table: &mut Table, prefix: &str, v6: bool) -> Result<(), TablesError> {
    for (builtin, way) in WAYS {
        let jumps = PARTS.map(|part| format!("-j {prefix}-{part}-{way}"));
        let chain = entry(table, builtin);
        let is_jump = |text: &String| jumps.contains(text);
        let there: Vec<&String> = chain.rules.iter().map(|rule| &rule.text).filter(|text| is_jump(text)).collect();
        if there.iter().copied().eq(jumps.iter()) {
            continue;
        }
        chain.rules.retain(|rule| !is_jump(&rule.text));
        let lines: String = jumps.iter().map(|jump| format!("-A {builtin} {jump}\n")).collect();
        let made = Save::read(&format!("*filter\n{lines}COMMIT\n"), v6)?.tables(false);
        let rules = made.into_iter().flat_map(|table| table.chains).filter(|(name, _)| name == builtin);
        chain.rules.extend(rules.flat_map(|(_, chain)| chain.rules));
    }
    Ok(())
}

fn policies(prefix: &str, rules: &UfwRules<'_>) -> String {
    let mut text = String::from("*filter\n");
    for (_, way) in WAYS {
        text.push_str(&format!("-A {prefix}-before-{way} -j {prefix}-user-{way}\n"));
    }
    for (builtin, policy) in [("INPUT", rules.incoming), ("FORWARD", rules.routed), ("OUTPUT", rules.outgoing)] {
        let policy = if policy == UfwPolicy::Allow { "ACCEPT" } else { "DROP" };
        text.push_str(&format!(":{builtin} {policy} [0:0]\n"));
    }
    text + "COMMIT\n"
}
