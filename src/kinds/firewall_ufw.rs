//! The host's firewall, ufw: whether it is on, what it does by default, and which rules it may hold.

use std::any::Any;
use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;

mod foresee;
pub(super) mod host;
mod kernel;
pub(super) mod order;
pub(super) mod script;
pub(super) mod spec;
pub(super) mod tuple;

use self::host::Host;
use self::tuple::Tuple;
use super::firewall_rule::FirewallRule;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Desired, Expect, FieldValue, Fields, Foreseen, Kind, ProbeScript, Provision, Seen, Step,
};
use crate::sh;

/// The host's firewall, ufw; one for each host. Its rules are resources of their own, `firewall_rule`, and are there
/// before it is switched on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallUfw {
    /// Whether it is on, now and after a reboot; `true` unless said.
    #[serde(default = "yes")]
    enabled: bool,
    /// What happens to incoming traffic that no rule speaks of; `deny` unless said.
    #[serde(default = "deny")]
    incoming: Policy,
    /// What happens to outgoing traffic that no rule speaks of; not managed unless said.
    #[serde(default)]
    outgoing: Option<Policy>,
    /// What happens to traffic that is passed on and that no rule speaks of; not managed unless said.
    #[serde(default)]
    routed: Option<Policy>,
    /// How much is logged; not managed unless said.
    #[serde(default)]
    logging: Option<Logging>,
    /// Whether its rules are for IPv6 too; without, ufw shuts IPv6 off. Not managed unless said.
    #[serde(default)]
    ipv6: Option<bool>,
    /// Whether rules that no `firewall_rule` of the site declares are removed; `false` unless said.
    #[serde(default)]
    exclusive: bool,
    #[serde(skip)]
    declared: Vec<Tuple>,
    // What `firewall_rule` itself removes.
    #[serde(skip)]
    unwanted: HashSet<String>,
}

/// What happens to traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Policy {
    /// It passes.
    Allow,
    /// It is dropped without an answer.
    Deny,
    /// It is refused with an answer.
    Reject,
}

impl Policy {
    pub(super) fn word(self) -> &'static str {
        match self {
            Policy::Allow => "allow",
            Policy::Deny => "deny",
            Policy::Reject => "reject",
        }
    }
}

/// How much ufw logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Logging {
    /// Nothing.
    Off,
    /// What is blocked, and what rules with `log` meet.
    Low,
    /// Also what is allowed by default, invalid packets and new connections.
    Medium,
    /// As medium, all packets, rate-limited.
    High,
    /// As high, without a limit.
    Full,
}

impl Logging {
    fn word(self) -> &'static str {
        match self {
            Logging::Off => "off",
            Logging::Low => "low",
            Logging::Medium => "medium",
            Logging::High => "high",
            Logging::Full => "full",
        }
    }
}

fn yes() -> bool {
    true
}

pub(super) fn deny() -> Policy {
    Policy::Deny
}

impl FirewallUfw {
    fn policies(&self) -> [(&'static str, Option<Policy>); 3] {
        [("incoming", Some(self.incoming)), ("outgoing", self.outgoing), ("routed", self.routed)]
    }

    fn seen(&self, host: &Host) -> Seen {
        let policy = |at: usize| {
            FieldValue::text(match host.policies[at].as_str() {
                "ACCEPT" => "allow",
                "REJECT" => "reject",
                _ => "deny",
            })
        };
        let declared: HashSet<String> = self.declared.iter().map(Tuple::key).collect();
        let is_extra = |key: String| !declared.contains(&key) && !self.unwanted.contains(&key);
        let extra: Vec<&Tuple> = host.tuples.iter().filter(|tuple| is_extra(tuple.key())).collect();
        Seen::Present(Fields::from([
            ("enabled".to_owned(), FieldValue::Bool(host.enabled)),
            ("enabled.at_boot".to_owned(), FieldValue::Bool(host.at_boot())),
            ("incoming".to_owned(), policy(0)),
            ("routed".to_owned(), policy(1)),
            ("outgoing".to_owned(), policy(2)),
            ("logging".to_owned(), FieldValue::text(&host.logging)),
            ("ipv6".to_owned(), FieldValue::Bool(host.ipv6)),
            ("extra_rules".to_owned(), FieldValue::list(extra.iter().map(|tuple| tuple.text()))),
            ("rule_order".to_owned(), FieldValue::List(self.order_on(host))),
            ("rules_loaded".to_owned(), FieldValue::text(&host.rules_loaded)),
            ("policy_loaded".to_owned(), FieldValue::text(&host.policy_loaded)),
            // For the steps alone.
            ("settings".to_owned(), FieldValue::text(&host.settings)),
            ("extra".to_owned(), FieldValue::list(extra.iter().map(|tuple| tuple.line()))),
        ]))
    }
}

impl Kind for FirewallUfw {
    const NAME: &'static str = "firewall_ufw";
    const SUMMARY: &'static str = "The host's firewall, ufw: on or off, its defaults, and its rules as a whole.";
    const EXAMPLE: &'static str =
        "firewall_ufw: { enabled: true, incoming: deny, outgoing: allow, logging: low, exclusive: true }";
    const UNDO: &'static str = "ufw's files as a whole, whether it is on, and the kernel according to them, with the settings that ufw makes when it is switched on; refused where somebody changed them since.";

    const RISKY: bool = true;

    fn key(&self) -> String {
        "ufw".into()
    }

    // Every rule comes before the switch: the one that lets SSH in is among them.
    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Package("ufw".into()), Provision::Kind("firewall_rule")]
    }

    fn claims(&self) -> Option<&'static str> {
        self.enabled.then_some("the host's firewall")
    }

    fn absorb(&mut self, parts: &[&dyn Any]) {
        let rules = || parts.iter().filter_map(|part| part.downcast_ref::<FirewallRule>());
        let mut known = HashSet::new();
        let first = |tuple: &&Tuple| known.insert(tuple.key());
        self.declared = rules().flat_map(FirewallRule::tuples).filter(first).cloned().collect();
        self.unwanted = rules().flat_map(FirewallRule::unwanted).collect();
        // ufw keeps all of IPv4 before all of IPv6.
        self.declared.sort_by_key(|tuple| tuple.v6);
    }

    fn desired(&self) -> Desired {
        let mut fields = Fields::from([
            ("enabled".to_owned(), FieldValue::Bool(self.enabled)),
            ("rules_loaded".to_owned(), FieldValue::text("yes")),
            ("policy_loaded".to_owned(), FieldValue::text("yes")),
            ("rule_order".to_owned(), FieldValue::list(self.declared.iter().map(Tuple::text))),
        ]);
        let mut put = |name: &str, value: FieldValue| fields.insert(name.to_owned(), value);
        for (way, policy) in self.policies() {
            policy.map(|policy| put(way, FieldValue::text(policy.word())));
        }
        self.logging.map(|logging| put("logging", FieldValue::text(logging.word())));
        self.ipv6.map(|ipv6| put("ipv6", FieldValue::Bool(ipv6)));
        if self.enabled {
            put("enabled.at_boot", FieldValue::Bool(true));
        }
        if self.exclusive {
            put("extra_rules", FieldValue::List(Vec::new()));
        }
        Desired::Present(fields)
    }

    fn probe(_batch: &[&Self], script: &mut ProbeScript) {
        host::ask(script);
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        let host = Host::read(answer);
        batch
            .iter()
            .map(|wanted| host.as_ref().map_or_else(|seen| (**seen).clone(), |host| wanted.seen(host)))
            .collect()
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        self.foresee_switch(foreseen);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(step).collect()
    }
}

fn list_length(fields: &Fields, name: &str) -> usize {
    if let Some(FieldValue::List(list)) = fields.get(name) { list.len() } else { 0 }
}

fn step(Change { position, wanted, seen, fields }: &Change<'_, FirewallUfw>) -> Step {
    let empty = Fields::new();
    let was = if let Seen::Present(was) = seen { was } else { &empty };
    let differs = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
    let mut text = script::prologue();
    let (off, on) = (differs("enabled") && !wanted.enabled, differs("enabled") && wanted.enabled);
    if off {
        text.line(sh!("ufw disable"));
    }
    text.line(sh!("rp_ufw_running"));
    if let (Some(ipv6), true) = (wanted.ipv6, differs("ipv6")) {
        text.line(sh!("rp_ufw_set /etc/default/ufw IPV6 {}", if ipv6 { "yes" } else { "no" }));
        text.line(sh!("! rp_ufw_on || rp_ufw_reload"));
        // While IPV6=no stood there, ufw threw every IPv6 rule away.
        for tuple in wanted.declared.iter().filter(|tuple| tuple.v6 && ipv6) {
            text.line(sh!("! rp_ufw_v6 || {}", script::ufw(tuple, false, false)));
        }
    }
    for (way, policy) in wanted.policies() {
        if let (Some(policy), true) = (policy, differs(way)) {
            text.line(sh!("ufw default {} {}", policy.word(), way));
        }
    }
    if let (Some(logging), true) = (wanted.logging, differs("logging")) {
        text.line(sh!("ufw logging {}", logging.word()));
    }
    let mut expects = vec![match was.get("settings") {
        Some(FieldValue::Text(settings)) => {
            Expect::Prints { command: Sh::program_of_the_user(host::PRINT_SETTINGS), output: settings.clone() }
        }
        _ => Expect::Nothing("ufw's settings were not there when the host was probed"),
    }];
    if let (Some(FieldValue::List(lines)), true, true) = (was.get("extra"), wanted.exclusive, differs("extra_rules")) {
        let extra: Vec<Tuple> = lines.iter().filter_map(|line| Tuple::read(line, false)?.ok()).collect();
        expects.push(script::expect_tuples(&extra.iter().map(Tuple::key).collect::<Vec<_>>(), lines));
        extra.iter().for_each(|tuple| {
            text.line(script::ufw(tuple, true, false));
        });
    }
    if (differs("rule_order") || differs("ipv6")) && !wanted.declared.is_empty() {
        text.line(script::order(&wanted.declared.iter().map(Tuple::key).collect::<Vec<_>>()));
    }
    if on {
        // The package's user6.rules lacks the logging and limit rules, and ufw writes them only after it has loaded it.
        text.line(sh!("rp_ufw_rewrite\nufw --force enable\nrp_ufw_hooks"));
    }
    if wanted.enabled && differs("enabled.at_boot") {
        text.line(sh!("systemctl -q unmask ufw.service\nsystemctl -q enable ufw.service"));
    }
    // What was written while IPV6=no stood there lacks the logging rules, too.
    let ipv6 = wanted.ipv6 == Some(true) && differs("ipv6");
    if differs("rules_loaded") || differs("policy_loaded") || ipv6 {
        text.line(sh!("rp_ufw_rewrite\n! rp_ufw_on || rp_ufw_reload"));
    }
    if differs("rules_loaded") {
        text.line(sh!("rp_ufw_on || /lib/ufw/ufw-init force-stop"));
    }
    let title = match (off, on) {
        (true, _) => "switch ufw off",
        (_, true) => "set up ufw and switch it on",
        _ => "set up ufw",
    };
    let rules = (list_length(was, "extra") + wanted.declared.len()) as u64;
    let mut step = Step::new(title, text).within(180 + 2 * rules).undone_by(script::undo()).risky();
    step.expects = expects;
    step.serving([*position])
}

#[cfg(test)]
mod tests;
