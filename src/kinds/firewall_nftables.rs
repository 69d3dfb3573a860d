//! The host's packet filter as one table of nftables: policies, and rules in order.

mod listing;
mod render;
mod rule;
mod steps;

use schemars::JsonSchema;
use serde::Deserialize;

use self::listing::Listing;
use self::render::{CHAINS, Chain};
use self::rule::Rule;
use super::file::State;
use super::firewall_rule::Direction;
use super::firewall_ufw::{Policy, deny};
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, Foreseen, Kind, ManagedFile, ProbeError, ProbeScript,
    Provision, Seen, Step, UNIT_FOLDER, show_units, unit_state,
};
use crate::secret::Rendered;
use crate::sh;

/// Where the rules stand.
const FILE: &str = "/etc/rempart.nft";
/// What loads them.
const UNIT: &str = "rempart-nftables.service";
const LIST: &str = "nft list table";
const MEANT: &str = "nft list table, of what is wanted";

// It follows Debian's own unit: what flushes the whole ruleset there takes this table along, so it is loaded again after it.
const UNIT_TEXT: &str = "# Managed by rempart.
[Unit]
Description=The packet filter as rempart declares it
DefaultDependencies=no
Wants=network-pre.target
After=nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/rempart.nft
ExecReload=/usr/sbin/nft -f /etc/rempart.nft
ExecStop=-/usr/sbin/nft delete table inet rempart
ProtectSystem=full
ProtectHome=yes

[Install]
WantedBy=sysinit.target
";

/// The host's packet filter as one table of nftables, `inet rempart`: policies, and rules in order. No other table is
/// touched, so what Docker or fail2ban make stays; a packet must pass all of them. It is loaded at every boot, before the
/// network comes up. Loopback, what belongs to a connection that was let through, and the parts of ICMP and DHCP without
/// which a host is not reachable always pass. A host has one firewall: where `firewall_ufw` is switched on, this is an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallNftables {
    /// What becomes of incoming traffic that no rule speaks of.
    #[serde(default = "deny")]
    incoming: Policy,
    /// The same for outgoing traffic. Where neither this nor a rule with `direction: out` is given, nothing outgoing is
    /// looked at.
    #[serde(default)]
    outgoing: Option<Policy>,
    /// The same for traffic that is passed on, as between containers. Where neither this nor a rule with `direction: route`
    /// is given, nothing of it is looked at.
    #[serde(default)]
    routed: Option<Policy>,
    /// The rules. Of several that fit, the first one decides. nft keeps one for each address family and protocol, and so
    /// they are shown.
    #[serde(default)]
    rules: Vec<Rule>,
    /// Whether rules and chains that somebody added to this table are drift. They go in any case when it is loaded again.
    #[serde(default = "yes")]
    exclusive: bool,
    /// Whether it should be there. `absent` removes the table, its file and its unit.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    chains: Vec<Chain>,
}

fn yes() -> bool {
    true
}

impl FirewallNftables {
    fn policy(&self, direction: Direction) -> Option<Policy> {
        let said = match direction {
            Direction::In => Some(self.incoming),
            Direction::Out => self.outgoing,
            Direction::Route => self.routed,
        };
        let ruled = self.rules.iter().any(|rule| rule.direction == direction);
        said.or(ruled.then_some(Policy::Allow))
    }

    fn text(&self) -> String {
        render::text(&self.chains)
    }

    // With the names of their fields.
    fn files(&self) -> [(&'static str, ManagedFile); 2] {
        let file = |path: String, mode: &str, text: String| ManagedFile {
            path,
            content: Some(Rendered::plain(text)),
            mode: mode.into(),
            owner: "root".into(),
            group: "root".into(),
        };
        [
            ("file", file(FILE.to_owned(), "0600", self.text())),
            ("unit", file(format!("{UNIT_FOLDER}/{UNIT}"), "0644", UNIT_TEXT.to_owned())),
        ]
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let mut fields = Fields::new();
        for (name, file) in self.files() {
            fields.extend(file.read_as(answer, name)?.unwrap_or_default());
        }
        let unit = unit_state(answer, UNIT)?;
        let section = answer.section(LIST)?;
        let has_nft = !section.is_missing_tool();
        if !has_nft && self.state == State::Present {
            let brought_by = vec![Provision::Package("nftables".into())];
            return Ok(Seen::NotYet { missing: "nft is not installed".into(), brought_by });
        }
        let table = if has_nft { Listing::of(section)? } else { None };
        if fields.is_empty() && unit.is_missing() && table.is_none() {
            return Ok(Seen::Absent);
        }
        fields.insert("enabled".into(), FieldValue::Bool(unit.is_enabled()));
        fields.insert("active".into(), FieldValue::Bool(unit.is_active()));
        fields.insert("reload_pending".into(), FieldValue::Bool(unit.get("NeedDaemonReload") == "yes"));
        // For the step alone: what it must still find.
        let listed = section.text()?.trim_end().to_owned();
        fields.insert("listing".into(), FieldValue::Text(if table.is_some() { listed } else { String::new() }));
        if let (Some(table), State::Present) = (table, self.state) {
            let meant = Listing::of(answer.section(MEANT)?)?
                .ok_or_else(|| ProbeError("nft did not show the table that is wanted".into()))?;
            table.compare(&meant, &self.chains, &mut fields)?;
        }
        Ok(Seen::Present(fields))
    }
}

impl Kind for FirewallNftables {
    const NAME: &'static str = "firewall_nftables";
    const SUMMARY: &'static str = "The host's packet filter as one table of nftables: policies, and rules in order.";
    const EXAMPLE: &'static str = r#"firewall_nftables: { incoming: deny, rules: [{ allow: 22/tcp, from: [10.0.0.0/8, "fd00::/8"], comment: administrators }, { deny: 11434/tcp }] }"#;
    const UNDO: &'static str = "the file, the unit and whether it runs, and the table according to them. What somebody changed in the kernel alone is not put back.";
    const RISKY: bool = true;

    fn key(&self) -> String {
        "rempart".into()
    }

    fn named(_key: &str) -> Option<serde_json::Value> {
        Some(serde_json::json!({}))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let mut lines = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let of_rule = rule.lines().map_err(|fault| Fault {
                field: format!("rules.{at}.{}", fault.field).into(),
                why: format!("rule {}: {}: {}", at + 1, fault.field, fault.why),
                ..fault
            })?;
            for line in of_rule {
                let is_same = |(direction, other): &(Direction, rule::Line)| {
                    *direction == rule.direction && other.nft == line.nft
                };
                if lines.iter().any(is_same) {
                    return Err(Fault::new("rules", format!("rule {} says again what one before it says", at + 1))
                        .fix("keep one of them"));
                }
                lines.push((rule.direction, line));
            }
        }
        self.chains = CHAINS
            .iter()
            .filter_map(|direction| {
                let policy = self.policy(*direction)?;
                let own = lines.iter().filter(|(known, _)| known == direction).map(|(_, line)| line.clone());
                Some(Chain::new(*direction, policy, own.collect()))
            })
            .collect();
        Ok(())
    }

    fn claims(&self) -> Option<&'static str> {
        (self.state == State::Present).then_some("the host's firewall")
    }

    fn provides(&self) -> Vec<Provision> {
        let files = self.files().into_iter().map(|(_, file)| Provision::Path(file.path));
        files.chain([Provision::Unit(UNIT.into())]).collect()
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Package("nftables".into())]
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        for (name, file) in self.files() {
            fields.extend(file.desired_as(name));
        }
        for (name, value) in [("enabled", true), ("active", true), ("reload_pending", false), ("base_rules", true)] {
            fields.insert(name.into(), FieldValue::Bool(value));
        }
        for chain in &self.chains {
            fields.insert(chain.field().into(), FieldValue::text(chain.policy.word()));
        }
        let words = self.chains.iter().flat_map(|chain| &chain.lines).filter_map(|line| line.words.clone());
        fields.insert("rules".into(), FieldValue::list(words));
        if self.exclusive {
            fields.insert("extra_rules".into(), FieldValue::List(Vec::new()));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.files().iter().for_each(|(_, file)| file.probe(script));
            show_units(script, UNIT);
            script.section(LIST, sh!("nft -s list table inet rempart"));
            // What this host's nft makes of it is seen in a network of its own, which is gone at once.
            let list = "nft -f - && nft -s list table inet rempart";
            script.section(MEANT, sh!("printf '%s' {} | unshare -n sh -c {}", wanted.text(), list));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        let text = (self.state == State::Present).then(|| self.text());
        foreseen.nft = Some((text, foreseen.origin()));
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(steps::step).collect()
    }
}

#[cfg(test)]
mod tests;
