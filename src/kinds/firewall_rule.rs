//! One rule of ufw.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::file::State;
use super::firewall_ufw::host::{self, Host};
use super::firewall_ufw::order::Order;
use super::firewall_ufw::tuple::{Tuple, comment_hex, comment_text};
use super::firewall_ufw::{script, spec};
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, Foreseen, ForeseenRule, Kind, ProbeScript, Provision,
    Seen, Step,
};
use crate::sh;

/// One rule of ufw. Exactly one of `allow`, `deny`, `reject` and `limit` says what it does and for which ports.
///
/// Of several rules that fit, ufw takes the first one: they stand on the host in the order in which they are declared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// Lets it pass: `22/tcp`, `60000:61000/udp`, `80,443/tcp`, `53` (TCP and UDP), `any/gre`, or `any`.
    #[serde(default)]
    allow: Option<String>,
    /// Drops it without an answer; ports as for `allow`.
    #[serde(default)]
    deny: Option<String>,
    /// Refuses it with an answer; ports as for `allow`.
    #[serde(default)]
    reject: Option<String>,
    /// Lets it pass, but refuses an address that connects six times within 30 seconds; ports as for `allow`.
    #[serde(default)]
    limit: Option<String>,
    /// Address or network that it comes from, IPv4 or IPv6, or a list of them; `any` unless said.
    #[serde(default = "anywhere", deserialize_with = "spec::one_or_more")]
    #[schemars(schema_with = "spec::one_or_more_schema")]
    from: Vec<String>,
    /// Address or network that it goes to; `any` unless said.
    #[serde(default = "any")]
    to: String,
    /// Network interface that it comes in by (with `direction: out`: goes out by); every one unless said.
    #[serde(default)]
    interface: Option<String>,
    /// `in` for what this host receives (the default), `out` for what it sends, `route` for what it passes on.
    #[serde(default)]
    direction: Direction,
    /// Whether new connections that it meets are logged.
    #[serde(default)]
    log: bool,
    /// A note that ufw keeps with the rule; not managed unless said.
    #[serde(default)]
    comment: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    settled: Settled,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    #[default]
    In,
    Out,
    Route,
}

/// The rule in the form that ufw gives it.
#[derive(Debug, Default)]
struct Settled {
    action: &'static str,
    ports: String,
    to: String,
    /// Each source with its rules, one for each address family.
    sources: Vec<(String, Vec<Tuple>)>,
}

pub(super) fn any() -> String {
    "any".into()
}

pub(super) fn anywhere() -> Vec<String> {
    vec![any()]
}

impl FirewallRule {
    /// The rules that should be there, one for each source and address family, in order.
    pub(super) fn tuples(&self) -> impl Iterator<Item = &Tuple> {
        let wanted = self.state == State::Present;
        self.all_tuples().filter(move |_| wanted)
    }

    /// The keys of the rules that should not be there.
    pub(super) fn unwanted(&self) -> Vec<String> {
        if self.state == State::Present { Vec::new() } else { self.all_tuples().map(Tuple::key).collect() }
    }

    fn all_tuples(&self) -> impl Iterator<Item = &Tuple> {
        self.settled.sources.iter().flat_map(|(_, tuples)| tuples)
    }

    fn verb(&self) -> Result<(&'static str, &str), Fault> {
        let all = [("allow", &self.allow), ("deny", &self.deny), ("reject", &self.reject), ("limit", &self.limit)];
        let mut said = all.into_iter().filter_map(|(verb, ports)| Some((verb, ports.as_deref()?)));
        match (said.next(), said.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Fault::new("allow", "the rule does not say what it does")
                .fix("give one of allow, deny, reject and limit, such as `allow: 22/tcp`")),
            (Some((first, _)), Some((second, _))) => {
                Err(Fault::new(second, format!("the rule says `{first}` already")).fix("keep one of the two"))
            }
        }
    }

    fn settled(&self) -> Result<Settled, Fault> {
        let (action, ports) = self.verb()?;
        let (port, protocol) = spec::ports(ports).map_err(|(why, fix)| Fault::new(action, why).fix(fix))?;
        let to = spec::address("to", &self.to)?;
        let (route, out) = (self.direction == Direction::Route, self.direction == Direction::Out);
        let interface = self.interface.as_deref().unwrap_or("");
        let mut settled = Settled {
            action,
            ports: if protocol == "any" { port.clone() } else { format!("{port}/{protocol}") },
            to: to.as_ref().map_or_else(any, |(text, _)| text.clone()),
            sources: Vec::new(),
        };
        if self.from.is_empty() {
            return Err(Fault::new("from", "the list is empty, so there would be no rule")
                .fix("list at least one address, or write `any`"));
        }
        let mut keys = HashSet::new();
        for source in &self.from {
            let from = spec::address("from", source)?;
            let mut tuples = Vec::new();
            for v6 in [false, true] {
                let everywhere = || if v6 { "::/0".to_owned() } else { "0.0.0.0/0".to_owned() };
                let of_family = |side: &Option<(String, bool)>| match side {
                    None => Some(everywhere()),
                    Some((text, is_v6)) => (*is_v6 == v6).then(|| text.clone()),
                };
                // These two have no IPv6 form.
                let (Some(src), Some(dst), false) =
                    (of_family(&from), of_family(&to), v6 && matches!(protocol, "igmp" | "ipv6"))
                else {
                    continue;
                };
                tuples.push(Tuple {
                    v6,
                    action: action.into(),
                    log: if self.log { "log".into() } else { String::new() },
                    route,
                    protocol: protocol.into(),
                    dport: port.clone(),
                    dst,
                    sport: "any".into(),
                    src,
                    profiles: Default::default(),
                    out,
                    interface_in: if out { String::new() } else { interface.into() },
                    interface_out: if out { interface.into() } else { String::new() },
                    comment: comment_hex(self.comment.as_deref().unwrap_or("")),
                });
            }
            if tuples.is_empty() {
                return Err(Fault::new("from", format!("`{source}` cannot reach `{}` by {protocol}", self.to))
                    .fix("let `from` and `to` be of one address family; igmp and ipv6 are for IPv4 alone"));
            }
            if let Some(twice) = tuples.iter().find(|tuple| !keys.insert(tuple.key())) {
                return Err(Fault::new("from", format!("`{}` stands twice in the list", twice.src)));
            }
            settled.sources.push((from.map_or_else(any, |(text, _)| text), tuples));
        }
        Ok(settled)
    }

    /// Whether it names an IPv6 address, so that ufw must speak IPv6.
    fn needs_ipv6(&self) -> bool {
        self.settled.sources.iter().any(|(_, tuples)| tuples.iter().all(|tuple| tuple.v6))
    }

    fn fields(&self) -> Fields {
        let direction = match self.direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::Route => "route",
        };
        let mut fields = Fields::from([
            ("to".to_owned(), FieldValue::text(&self.settled.to)),
            ("direction".to_owned(), FieldValue::text(direction)),
        ]);
        if let Some(interface) = &self.interface {
            fields.insert("interface".into(), FieldValue::text(interface));
        }
        fields
    }

    // `order` = the keys in the order that must be, where adding this rule at the end would not do; `shadows` = rules
    // of others that stand before it and leave it without effect.
    fn seen(&self, host: &Host, order: Option<&[String]>, shadows: &[&Tuple]) -> Seen {
        if self.needs_ipv6() && !host.kernel_ipv6 && self.state == State::Present {
            return Seen::Unknown(
                "the host's kernel has no IPv6, so a rule for an IPv6 address cannot be there".into(),
            );
        }
        let find = |wanted: &Tuple| {
            let key = wanted.key();
            host.tuples.iter().find(|seen| seen.v6 == wanted.v6 && seen.key() == key)
        };
        let mut from = Vec::new();
        let mut found: Vec<&Tuple> = Vec::new();
        for (source, tuples) in &self.settled.sources {
            let wanted: Vec<&Tuple> = tuples.iter().filter(|tuple| !tuple.v6 || host.speaks_ipv6()).collect();
            let there: Vec<&Tuple> = wanted.iter().filter_map(|tuple| find(tuple)).collect();
            if there.len() == wanted.len() && !there.is_empty() {
                from.push(source.clone());
            } else {
                from.extend(there.iter().map(|tuple| tuple.src.clone()));
            }
            found.extend(there);
        }
        let gone = match self.state {
            State::Absent => !found.iter().any(|tuple| tuple.action == self.settled.action),
            State::Present => found.is_empty() && order.is_none(),
        };
        if gone {
            return Seen::Absent;
        }
        let mut fields = self.fields();
        let mut put = |name: &str, value: FieldValue| fields.insert(name.to_owned(), value);
        put("from", FieldValue::List(from));
        put("tuples", FieldValue::list(found.iter().map(|tuple| tuple.line())));
        put("ipv6", FieldValue::Bool(host.speaks_ipv6()));
        if let Some(order) = order {
            put("order", FieldValue::list(order));
        }
        put("shadowed_by", FieldValue::list(shadows.iter().map(|shadow| shadow.text())));
        if !found.is_empty() {
            put("action", FieldValue::Text(distinct(found.iter().map(|tuple| tuple.action.clone()))));
            put("comment", FieldValue::Text(distinct(found.iter().map(|tuple| comment_text(&tuple.comment)))));
            let log = distinct(found.iter().map(|tuple| match tuple.log.as_str() {
                "" => "false".to_owned(),
                "log" => "true".to_owned(),
                other => other.to_owned(),
            }));
            put("log", log.parse().map_or_else(|_| FieldValue::text(&log), FieldValue::Bool));
            let loaded = found.iter().map(|tuple| host.in_force(tuple)).find(|loaded| loaded != "yes");
            put("loaded", FieldValue::Text(loaded.unwrap_or_else(|| "yes".into())));
        }
        Seen::Present(fields)
    }

    // The commands that bring its rules to what is wanted, and the keys and lines that they start from.
    fn changes(&self, seen: &Seen) -> (Sh, Vec<String>, Vec<String>) {
        let empty = Fields::new();
        let fields = if let Seen::Present(fields) = seen { fields } else { &empty };
        let lines = list(fields, "tuples");
        let there: HashMap<String, Tuple> =
            lines.iter().filter_map(|line| Tuple::read(line, false)?.ok()).map(|tuple| (tuple.key(), tuple)).collect();
        let keys = self.all_tuples().map(Tuple::key).collect();
        let mut commands = Sh::default();
        for (_, tuples) in &self.settled.sources {
            if self.state == State::Absent {
                let there = tuples.iter().filter_map(|tuple| there.get(&tuple.key()));
                for tuple in there.filter(|tuple| tuple.action == self.settled.action) {
                    commands.line(script::ufw(tuple, true, false));
                }
                continue;
            }
            let mut differing: Vec<Tuple> = tuples
                .iter()
                .filter(|tuple| !tuple.v6 || tuples.len() == 1 || truth(fields, "ipv6"))
                .filter_map(|wanted| {
                    let now = there.get(&wanted.key());
                    let mut wanted = wanted.clone();
                    if let (Some(now), None) = (now, &self.comment) {
                        wanted.comment = now.comment.clone();
                    }
                    now.is_none_or(|now| now.line() != wanted.line()).then_some(wanted)
                })
                .collect();
            let both = differing.len() == tuples.len() && tuples.len() == 2 || there.is_empty() && tuples.len() == 2;
            differing.truncate(if both { 1 } else { 2 });
            for tuple in differing {
                commands.line(script::ufw(&tuple, false, both));
            }
        }
        (commands, keys, lines)
    }
}

fn list(fields: &Fields, name: &str) -> Vec<String> {
    match fields.get(name) {
        Some(FieldValue::List(list)) => list.clone(),
        _ => Vec::new(),
    }
}

fn truth(fields: &Fields, name: &str) -> bool {
    matches!(fields.get(name), Some(FieldValue::Bool(true)))
}

fn distinct(values: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    values.for_each(|value| {
        if !all.contains(&value) {
            all.push(value);
        }
    });
    all.join(", ")
}

impl Kind for FirewallRule {
    const NAME: &'static str = "firewall_rule";
    const SUMMARY: &'static str = "One rule of ufw, the host's firewall.";
    const EXAMPLE: &'static str =
        r#"firewall_rule: { allow: 22/tcp, from: [10.0.0.0/8, "fd00::/8"], comment: "administrators" }"#;
    const UNDO: &'static str =
        "ufw's files as a whole, and the kernel according to them; refused where somebody changed them since.";

    const RISKY: bool = true;

    fn key(&self) -> String {
        let Settled { action, ports, to, sources } = &self.settled;
        let way = match self.direction {
            Direction::In => "",
            Direction::Out => "out ",
            Direction::Route => "route ",
        };
        let mut key = format!("{action} {way}{ports}");
        let sources: Vec<&str> = sources.iter().map(|(source, _)| source.as_str()).collect();
        if sources != ["any"] {
            key.push_str(&format!(" from {}", sources.join(", ")));
        }
        if to != "any" {
            key.push_str(&format!(" to {to}"));
        }
        if let Some(interface) = &self.interface {
            key.push_str(&format!(" on {interface}"));
        }
        key
    }

    fn named(key: &str) -> Option<Value> {
        spec::of_key(key)
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        self.interface.as_deref().map_or(Ok(()), spec::interface)?;
        self.comment.as_deref().map_or(Ok(()), |text| spec::comment(text, self.direction == Direction::Route))?;
        self.settled = self.settled()?;
        Ok(())
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Package("ufw".into())]
    }

    fn part_of(&self) -> Option<&'static str> {
        Some("firewall_ufw")
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = self.fields();
        let mut put = |name: &str, value: FieldValue| fields.insert(name.to_owned(), value);
        put("action", FieldValue::text(self.settled.action));
        put("from", FieldValue::list(self.settled.sources.iter().map(|(source, _)| source)));
        put("log", FieldValue::Bool(self.log));
        put("loaded", FieldValue::text("yes"));
        put("shadowed_by", FieldValue::List(Vec::new()));
        if let Some(comment) = &self.comment {
            put("comment", FieldValue::text(comment));
        }
        Desired::Present(fields)
    }

    fn probe(_batch: &[&Self], script: &mut ProbeScript) {
        host::ask(script);
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        let host = match Host::read(answer) {
            Ok(host) => host,
            Err(seen) => {
                let missing = matches!(*seen, Seen::NotYet { .. });
                let each = |rule: &&Self| match rule.state {
                    State::Absent if missing => Seen::Absent,
                    _ => (*seen).clone(),
                };
                return batch.iter().map(each).collect();
            }
        };
        let mut same_traffic: HashMap<String, Vec<&Self>> = HashMap::new();
        for rule in batch {
            rule.all_tuples().for_each(|tuple| same_traffic.entry(tuple.key()).or_default().push(rule));
        }
        let declared = batch.iter().flat_map(|rule| rule.tuples());
        let order = Order::of(declared, &host, |key| same_traffic.contains_key(key));
        let each = |rule: &&Self| {
            let others = rule.all_tuples().filter_map(|tuple| same_traffic.get(&tuple.key())).flatten();
            if let Some(other) = others.into_iter().find(|other| clash(rule, other)) {
                return Seen::Unknown(format!(
                    "`{}` and `{}` are declared for the same traffic",
                    rule.key(),
                    other.key()
                ));
            }
            let shadows = order.shadows(rule.tuples());
            let moves = !shadows.is_empty() || rule.tuples().any(|tuple| order.is_early(tuple, &host));
            rule.seen(&host, moves.then_some(order.keys.as_slice()), &shadows)
        };
        batch.iter().map(each).collect()
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        let origin = foreseen.origin();
        let gone = self.state == State::Absent;
        let rule = |tuple: &Tuple| ForeseenRule {
            v6: tuple.v6,
            key: tuple.key(),
            verb: self.settled.action,
            lines: (!gone).then(|| tuple.lines()),
            origin: origin.clone(),
        };
        foreseen.ufw().rules.extend(self.all_tuples().map(rule));
        if let Seen::Present(fields) = seen {
            foreseen.ufw().orders.extend(Some(list(fields, "order")).filter(|order| !order.is_empty()));
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let mut text = script::prologue();
        let title = match batch {
            [one] => format!("ufw: {}{}", if one.wanted.state == State::Absent { "no " } else { "" }, one.wanted.key()),
            many => format!("ufw: {} rules", many.len()),
        };
        if batch.iter().any(|change| change.wanted.needs_ipv6() && change.wanted.state == State::Present) {
            text.line(sh!("rp_ufw_v6 || { rp_ufw_set /etc/default/ufw IPV6 yes; ! rp_ufw_on || rp_ufw_reload; }"));
        }
        text.line(sh!("rp_ufw_running"));
        let (mut expects, mut order, mut rewrite, mut commands_at_most) = (Vec::new(), None, false, 0);
        // What lets through comes before what is taken away.
        for absent in [false, true] {
            for change in batch.iter().filter(|change| (change.wanted.state == State::Absent) == absent) {
                let (commands, keys, lines) = change.wanted.changes(change.seen);
                text.line(commands);
                commands_at_most += keys.len() as u64;
                expects.push(script::expect_tuples(&keys, &lines));
                if let Seen::Present(fields) = change.seen {
                    rewrite |= matches!(fields.get("loaded"), Some(FieldValue::Text(loaded)) if loaded != "yes");
                    order = order.or_else(|| Some(list(fields, "order")).filter(|order| !order.is_empty()));
                }
            }
        }
        if let Some(keys) = order {
            text.line(script::order(&keys));
        }
        if rewrite {
            text.line(sh!("rp_ufw_rewrite\n! rp_ufw_on || rp_ufw_reload"));
        }
        // ufw is Python: a few tenths of a second for each rule.
        let mut step = Step::new(title, text).within(120 + 2 * commands_at_most).undone_by(script::undo()).risky();
        step.expects = expects;
        vec![step.serving(batch.iter().map(|change| change.position))]
    }
}

// Two declarations of the same traffic that would undo one another on every run.
fn clash(one: &FirewallRule, other: &FirewallRule) -> bool {
    let same = one.settled.action == other.settled.action;
    match (one.state, other.state) {
        (State::Present, State::Present) => {
            let comments = one.comment.is_some() && other.comment.is_some() && one.comment != other.comment;
            !same || one.log != other.log || comments
        }
        (State::Absent, State::Absent) => false,
        _ => same,
    }
}
