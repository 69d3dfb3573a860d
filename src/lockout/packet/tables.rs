//! Owns all base chains of a host, and which of them a connection meets, in which order.

use super::iptables::Save;
use super::moment::{Moment, Step, Tracking};
use super::nft::{self, Listing, NftTable};
use super::rule::{Action, Base, Family, Hook, Rule, Statement, Table};
use super::walk::{Ends, Walk, steps};
use super::{Packet, TablesError, Verdict};

/// Where connection tracking looks at packets (NF_IP_PRI_CONNTRACK).
const TRACKING: i64 = -200;

/// Interfaces of links on which nobody looks for neighbours.
const WITHOUT_NEIGHBOURS: [&str; 5] = ["lo", "tun", "wg", "ppp", "sit"];

/// All base chains of a host, of all families, with all that they lead to.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub(super) tables: Vec<Table>,
    /// There are tables that were not read.
    hidden: bool,
}

impl Tables {
    /// Reads a host's present state: what `iptables-save` and `ip6tables-save` print, and the JSON of
    /// `nft -j list ruleset`; `None` = that tool is not on the host. Behind the output of `iptables-save` may stand its
    /// standard error, which warns of legacy tables, and the output of `iptables-legacy-save`, which shows them.
    ///
    /// # Errors
    /// A text is not one of its tool, or is cut short.
    pub fn read(v4: Option<&str>, v6: Option<&str>, nft: Option<&str>) -> Result<Tables, TablesError> {
        let v4 = v4.map(|text| Save::read(text, false)).transpose()?;
        let v6 = v6.map(|text| Save::read(text, true)).transpose()?;
        let listing = nft.map(nft::read).transpose()?;
        let mut tables = Tables::default();
        // nft shows iptables' tables, too, unless they are legacy ones, but not what extensions ask.
        let shown = listing.is_some();
        for mut known in listing.unwrap_or_default().tables {
            let save = match known.table.family {
                Family::Ip => v4.as_ref(),
                Family::Ip6 => v6.as_ref(),
                _ => None,
            };
            if let Some(save) = save {
                describe(&mut known, &save.tables(true));
            }
            tables.tables.push(known.table);
        }
        for save in [v4, v6].into_iter().flatten() {
            tables.hidden |= save.hides();
            tables.tables.extend(save.tables(false));
            if !shown {
                tables.tables.extend(save.tables(true));
            }
        }
        Ok(tables)
    }

    /// Puts tables of nftables in the place of those with the same name: what a file leads to, translated to JSON by
    /// `nft -j`, as a listing or as commands. One that flushes the ruleset takes iptables' tables with it, as the kernel does.
    ///
    /// # Errors
    /// It is no JSON of nft.
    pub fn replace_nft(&mut self, json: &str) -> Result<(), TablesError> {
        let Listing { tables, flushes, removes } = nft::read(json)?;
        if flushes {
            self.tables.retain(|table| table.legacy);
        }
        let named = tables.iter().map(|known| (known.table.family, known.table.name.clone()));
        let gone: Vec<(Family, String)> = named.chain(removes).collect();
        self.tables.retain(|known| known.legacy || !gone.iter().any(|(family, name)| known.is(*family, name)));
        self.tables.extend(tables.into_iter().map(|known| known.table));
        Ok(())
    }

    /// What becomes of a connection.
    pub fn verdict(&self, packet: &Packet) -> Verdict {
        let mut judge = Judge { tables: &self.tables, packet, open: None, accepted: None };
        if packet.from.is_ipv4() != packet.to.is_ipv4() {
            return Verdict::Undecided { by: String::new(), why: "the two addresses are of different families".into() };
        }
        if let Some(verdict) = judge.connection() {
            return verdict;
        }
        if let Some((by, why)) = judge.open {
            return Verdict::Undecided { by, why };
        }
        if self.hidden {
            let why = "the host has tables of iptables-legacy that were not read".into();
            return Verdict::Undecided { by: "iptables-legacy".into(), why };
        }
        let none = || "no chain of the host's packet filters sees it".to_owned();
        Verdict::In { by: judge.accepted.map_or_else(none, |(by, _)| by) }
    }
}

// Puts iptables' own words where it can read the rule, and its meaning where nft cannot.
fn describe(known: &mut NftTable, described: &[Table]) {
    let Some(saved) = described.iter().find(|table| table.name == known.table.name) else { return };
    for (name, chain) in &mut known.table.chains {
        let Some(saved) = saved.chains.get(name).filter(|saved| saved.rules.len() == chain.rules.len()) else {
            continue;
        };
        for (at, rule) in chain.rules.iter_mut().enumerate() {
            let place = (name.clone(), at);
            if known.foreign.contains(&place) {
                *rule = saved.rules[at].clone();
            } else if !known.native.contains(&place) {
                rule.text.clone_from(&saved.rules[at].text);
            }
        }
    }
}

/// One judgement.
struct Judge<'a> {
    tables: &'a [Table],
    packet: &'a Packet,
    /// The first rule that leaves it open, and why.
    open: Option<(String, String)>,
    /// What lets the first packet in, and whether that is no more than a policy.
    accepted: Option<(String, bool)>,
}

impl Judge<'_> {
    // `None` where nothing stops it.
    fn connection(&mut self) -> Option<Verdict> {
        let packet = self.packet;
        let mut tracking = Tracking::Usual;
        let mut connection_mark = Some(0);
        if packet.from.is_ipv4() {
            self.arp();
        }
        for step in steps(packet.to.is_ipv6()) {
            let discovery = matches!(step, Step::Solicitation | Step::Advertisement);
            if discovery && self.has_no_neighbours() {
                continue;
            }
            let mut moment = Moment {
                packet,
                step: *step,
                early: Some(true),
                tracking: if discovery { Tracking::Usual } else { tracking },
                mark: Some(0),
                connection_mark,
                lists: Default::default(),
                leaving: !step.is_in(),
            };
            let hooks: &[Hook] = if step.is_in() {
                &[Hook::Ingress, Hook::Prerouting, Hook::Input]
            } else {
                &[Hook::Output, Hook::Postrouting, Hook::Egress]
            };
            for hook in hooks {
                match self.hook(*hook, &mut moment) {
                    Some(Verdict::Out { by }) if discovery && packet.interface.is_none() => {
                        let why = "nobody on the link could find the host, unless it is one without neighbours".into();
                        self.open = self.open.take().or(Some((by, why)));
                    }
                    Some(verdict) => return Some(verdict),
                    None => {}
                }
            }
            if !discovery {
                connection_mark = moment.connection_mark;
                if moment.tracking != Tracking::Usual {
                    tracking = Tracking::Unknown;
                }
            }
        }
        None
    }

    fn has_no_neighbours(&self) -> bool {
        let name = self.packet.interface.as_deref().unwrap_or("");
        self.packet.from == self.packet.to || WITHOUT_NEIGHBOURS.iter().any(|kind| name.starts_with(kind))
    }

    // All base chains at a hook, by priority.
    fn hook(&mut self, hook: Hook, moment: &mut Moment<'_>) -> Option<Verdict> {
        let tables = self.tables;
        let mut chains: Vec<(&Table, &str, &Base)> = Vec::new();
        for table in tables.iter().filter(|table| table.family != Family::Arp) {
            for (name, chain) in &table.chains {
                if let Some(base) = chain.base.as_ref().filter(|base| base.hook == hook) {
                    chains.push((table, name, base));
                }
            }
        }
        chains.sort_by_key(|(_, _, base)| base.priority);
        for (table, name, base) in chains {
            let sees = match table.family {
                Family::Ip => self.packet.to.is_ipv4(),
                Family::Ip6 => self.packet.to.is_ipv6(),
                _ => true,
            };
            if !sees || base.nat && moment.step != Step::First {
                continue;
            }
            moment.early = match hook {
                Hook::Ingress => Some(true),
                Hook::Prerouting | Hook::Output if base.priority == TRACKING => None,
                Hook::Prerouting | Hook::Output => Some(base.priority < TRACKING),
                _ => Some(false),
            };
            let aside = self.aside(table, base);
            if let Some(why) = aside {
                let anywhere = Packet { interface: None, ..self.packet.clone() };
                let ends = Walk::new(table, Moment { packet: &anywhere, ..moment.clone() }).base(name).0;
                if let Some(by) = ends.stop.or(ends.elsewhere) {
                    self.leave_open(by, why.to_owned());
                }
                continue;
            }
            let mut walk = Walk::new(table, moment.clone());
            let (ends, by_policy) = walk.base(name);
            *moment = walk.moment;
            if let Some(verdict) = self.ends(ends, by_policy, hook, moment.step) {
                return Some(verdict);
            }
        }
        None
    }

    // Why it is not known whether a chain sees our packets.
    fn aside(&self, table: &Table, base: &Base) -> Option<&'static str> {
        let interface = self.packet.interface.as_deref();
        let bound = base.devices.iter().any(|device| Some(device.as_str()) == interface);
        match table.family {
            Family::Bridge => Some("whether the connection comes through a bridge is not known"),
            Family::Netdev | Family::Inet if matches!(base.hook, Hook::Ingress | Hook::Egress) && !bound => {
                Some("whether the connection comes through that interface is not known")
            }
            _ if table.perhaps_asleep => Some("whether the table is dormant cannot be read from this version of nft"),
            _ => None,
        }
    }

    fn ends(&mut self, ends: Ends, by_policy: bool, hook: Hook, step: Step) -> Option<Verdict> {
        if let Some(by) = &ends.elsewhere {
            let sure = ends.accept.is_none() && ends.stop.is_none();
            let (mut rule, mut why) = ends.doubt();
            if sure || rule.is_empty() {
                (rule, why) = (by.clone(), "it sends the connection to another address or port".into());
            }
            return Some(Verdict::Undecided { by: rule, why });
        }
        match (&ends.accept, &ends.stop) {
            (Some(_), Some(_)) => {
                let (by, why) = ends.doubt();
                self.leave_open(format!("{by}{}", step.note()), why);
            }
            (None, Some(by)) => return Some(Verdict::Out { by: format!("{by}{}", step.note()) }),
            (Some(by), None) if hook == Hook::Input && step == Step::First => {
                let weaker = self.accepted.as_ref().is_some_and(|(_, known_by_policy)| by_policy && !known_by_policy);
                if !weaker {
                    self.accepted = Some((by.clone(), by_policy));
                }
            }
            _ => {}
        }
        None
    }

    fn leave_open(&mut self, by: String, why: String) {
        self.open.get_or_insert((by, why));
    }

    // Without ARP nobody finds the host; what those chains ask is not followed.
    fn arp(&mut self) {
        for table in self.tables.iter().filter(|table| table.family == Family::Arp) {
            let stops = |rule: &&Rule| rule.statements.iter().any(may_stop);
            for (name, chain) in &table.chains {
                let place = format!("table arp {}, chain {name}", table.name);
                if let Some(rule) = chain.rules.iter().find(stops) {
                    self.leave_open(format!("{place}: {}", rule.text), "it may stop ARP".into());
                } else if chain.base.as_ref().is_some_and(|base| base.drops) {
                    self.leave_open(
                        format!("table arp {}, the policy of {name}: DROP", table.name),
                        "it may stop ARP".into(),
                    );
                }
            }
        }
    }
}

fn may_stop(statement: &Statement) -> bool {
    let stops = |action: &Action| matches!(action, Action::Stop | Action::Elsewhere | Action::Unknown(_));
    match statement {
        Statement::Act(action) => stops(action),
        Statement::Branch(branches) => branches.iter().any(|(_, action)| stops(action)),
        Statement::Test(_) => false,
    }
}

/// The family of an address, as a table of iptables has it.
pub(super) fn family(v6: bool) -> Family {
    if v6 { Family::Ip6 } else { Family::Ip }
}
