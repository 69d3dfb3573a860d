//! Owns how ufw stands on a host: its settings and rule files, and whether the kernel holds what they say. ufw itself
//! is never called for that: it is Python and slow.

use std::collections::BTreeMap;

use super::kernel::Table;
use super::tuple::Tuple;
use crate::model::count;
use crate::resource::{
    Answer, FileContent, ProbeError, ProbeScript, Provision, Seen, UnitState, show_units, unit_state,
};
use crate::sh;

const TOOL: &str = "/usr/sbin/ufw";
const IPV6: &str = "/proc/sys/net/ipv6";
const CONF: &str = "/etc/ufw/ufw.conf";
const DEFAULTS: &str = "/etc/default/ufw";
const RULES: [[&str; 3]; 2] = [
    ["/etc/ufw/before.rules", "/etc/ufw/user.rules", "/etc/ufw/after.rules"],
    ["/etc/ufw/before6.rules", "/etc/ufw/user6.rules", "/etc/ufw/after6.rules"],
];
const SAVES: [&str; 2] = ["iptables-save", "ip6tables-save"];
const WAYS: [(&str, &str); 3] = [("INPUT", "input"), ("FORWARD", "forward"), ("OUTPUT", "output")];
const UNIT: &str = "ufw.service";

/// Asks for all of it; kinds that ask the same share one answer.
pub(in crate::kinds) fn ask(script: &mut ProbeScript) {
    script.stat(TOOL);
    script.stat(IPV6);
    for path in [CONF, DEFAULTS].into_iter().chain(RULES.into_iter().flatten()) {
        script.content(path, None);
    }
    // Without `-t`, so that no table is made by looking; the question of IPv6 is judged when the answer is read.
    script.section(SAVES[0], sh!("iptables-save"));
    script.section(SAVES[1], sh!("ip6tables-save"));
    show_units(script, UNIT);
}

/// ufw as it stands on a host.
#[derive(Clone, Debug)]
pub(in crate::kinds) struct Host {
    /// `ENABLED=` in ufw.conf.
    pub enabled: bool,
    /// `LOGLEVEL=` in ufw.conf.
    pub logging: String,
    /// `DEFAULT_..._POLICY=` of incoming, routed, outgoing: `ACCEPT`, `DROP` or `REJECT`.
    pub policies: [String; 3],
    /// `IPV6=` in /etc/default/ufw.
    pub ipv6: bool,
    /// Whether the kernel speaks IPv6 at all.
    pub kernel_ipv6: bool,
    /// The lines that the settings come from: what a step expects to find again.
    pub settings: String,
    /// The rules in ufw's order, IPv4 before IPv6. IPv6 rules that ufw would not load are left out.
    pub tuples: Vec<Tuple>,
    /// Chains in ufw's own files that are not what the tuples there say: edited by hand.
    pub strange: Vec<String>,
    /// `yes`, or what the kernel lacks or has too much.
    pub rules_loaded: String,
    /// `yes`, or which policy differs in the kernel.
    pub policy_loaded: String,
    unit: UnitState,
    user: [Table; 2],
    kernel: [Table; 2],
}

impl Host {
    /// Reads the answers to [`ask`].
    ///
    /// # Errors
    /// [`Seen::NotYet`] where ufw is not installed, [`Seen::Unknown`] where an answer cannot be trusted. Boxed for size.
    pub fn read(answer: &Answer) -> Result<Host, Box<Seen>> {
        let unknown = |ProbeError(why): ProbeError| Box::new(Seen::Unknown(why));
        if answer.stat(TOOL).map_err(unknown)?.is_none() {
            return Err(Box::new(Seen::NotYet {
                missing: "ufw is not installed".into(),
                brought_by: vec![Provision::Package("ufw".into())],
            }));
        }
        Host::of_answer(answer).map_err(unknown)
    }

    fn of_answer(answer: &Answer) -> Result<Host, ProbeError> {
        let (conf, defaults) = (text(answer, CONF)?, text(answer, DEFAULTS)?);
        let setting = |from: &str, path: &str, name: &str| {
            let value = setting(from, name).map(str::to_owned);
            value.ok_or_else(|| ProbeError(format!("{path} does not say {name}=, so ufw's state is not known")))
        };
        let policy = |way: &str| {
            let value = setting(&defaults, DEFAULTS, &format!("DEFAULT_{way}_POLICY"))?.to_uppercase();
            match value.as_str() {
                "ACCEPT" | "DROP" | "REJECT" => Ok(value),
                _ => Err(ProbeError(format!("{DEFAULTS} gives {way} a policy that ufw does not know"))),
            }
        };
        let kernel_ipv6 = answer.stat(IPV6)?.is_some();
        let ipv6 = setting(&defaults, DEFAULTS, "IPV6")?.eq_ignore_ascii_case("yes");
        let mut host = Host {
            enabled: setting(&conf, CONF, "ENABLED")?.eq_ignore_ascii_case("yes"),
            logging: setting(&conf, CONF, "LOGLEVEL")?.to_lowercase(),
            policies: [policy("INPUT")?, policy("FORWARD")?, policy("OUTPUT")?],
            ipv6,
            kernel_ipv6,
            settings: settings(&defaults, &conf),
            tuples: Vec::new(),
            strange: Vec::new(),
            rules_loaded: "yes".into(),
            policy_loaded: "yes".into(),
            unit: unit_state(answer, UNIT)?,
            user: Default::default(),
            kernel: Default::default(),
        };
        let mut files: [[Table; 3]; 2] = Default::default();
        for v6 in [false, true] {
            let family = usize::from(v6);
            if v6 && !(kernel_ipv6) {
                continue;
            }
            host.kernel[family] = saved(answer, SAVES[family])?;
            if v6 && !ipv6 {
                continue;
            }
            for (at, path) in RULES[family].into_iter().enumerate() {
                let content = text(answer, path)?;
                files[family][at] = Table::read(&content).map_err(|why| ProbeError(format!("{path}: {why}")))?;
                if at == 1 {
                    host.read_tuples(&content, v6, &files[family][at])?;
                }
            }
            host.user[family] = files[family][1].clone();
        }
        host.judge_rules(&files);
        host.judge_policies();
        Ok(host)
    }

    // ufw reads the tuples, and iptables the rules below them: both must say the same.
    fn read_tuples(&mut self, content: &str, v6: bool, user: &Table) -> Result<(), ProbeError> {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for read in content.lines().filter_map(|line| Tuple::read(line.trim(), v6)) {
            let tuple = read.map_err(ProbeError)?;
            for rule in tuple.rules() {
                wanted.entry(rule.chain).or_default().push(rule.text);
            }
            self.tuples.push(tuple);
        }
        let prefix = ["ufw", "ufw6"][usize::from(v6)];
        for (_, way) in WAYS {
            for name in [format!("{prefix}-user-{way}"), format!("{prefix}-user-logging-{way}")] {
                let mut is = user.chain(&name);
                // Logging switched off is a rule of its own, ahead of the others.
                if let (true, Some((first, rest))) = (self.logging == "off", is.split_first())
                    && name.contains("logging")
                    && first == "-j RETURN"
                {
                    is = rest;
                }
                if is != wanted.get(&name).map_or(&[][..], Vec::as_slice) {
                    self.strange.push(name);
                }
            }
        }
        Ok(())
    }

    /// Whether ufw loads rules for IPv6 on this host.
    pub fn speaks_ipv6(&self) -> bool {
        self.ipv6 && self.kernel_ipv6
    }

    /// Whether systemd starts it at boot.
    pub fn at_boot(&self) -> bool {
        self.unit.get("UnitFileState") == "enabled"
    }

    /// Whether a rule is in force: `yes`, or what is wrong. Where ufw is off, only the file counts.
    pub fn in_force(&self, tuple: &Tuple) -> String {
        let family = usize::from(tuple.v6);
        for rule in tuple.rules() {
            if !self.user[family].chain(&rule.chain).contains(&rule.text) {
                return format!("no: ufw's file lacks a rule in {}", rule.chain);
            }
            if self.enabled && !self.kernel[family].chain(&rule.chain).contains(&rule.text) {
                return format!("no: the kernel lacks a rule in {}", rule.chain);
            }
        }
        "yes".into()
    }

    fn judge_rules(&mut self, files: &[[Table; 3]; 2]) {
        if let Some(strange) = self.strange.first() {
            self.rules_loaded = format!("no: {strange} in ufw's file is not what ufw wrote");
            return;
        }
        let families = if self.speaks_ipv6() { 2 } else { 1 };
        for (family, [before, user, after]) in files.iter().enumerate().take(families) {
            let (kernel, prefix) = (&self.kernel[family], ["ufw", "ufw6"][family]);
            let wrong = if self.enabled {
                differing(kernel, prefix, [before, user, after])
            } else if !kernel.chain(&format!("{prefix}-before-input")).is_empty() {
                Some(format!("{prefix}-before-input is filled though ufw is off"))
            } else {
                None
            };
            if let Some(wrong) = wrong {
                self.rules_loaded = format!("no: {wrong}");
                return;
            }
        }
    }

    fn judge_policies(&mut self) {
        if !self.enabled {
            return;
        }
        for v6 in [false, true].into_iter().take(if self.kernel_ipv6 { 2 } else { 1 }) {
            let (kernel, prefix) = (&self.kernel[usize::from(v6)], ["ufw", "ufw6"][usize::from(v6)]);
            for (at, (chain, way)) in WAYS.into_iter().enumerate() {
                // With IPV6=no, ufw shuts IPv6 off altogether.
                let wanted = if v6 && !self.ipv6 { "DROP" } else { self.policies[at].as_str() };
                let policy = if wanted == "ACCEPT" { "ACCEPT" } else { "DROP" };
                let is = kernel.policies.get(chain).map_or("ACCEPT", String::as_str);
                if is != policy {
                    self.policy_loaded =
                        format!("no: {chain} is {is} instead of {policy} in {}", SAVES[usize::from(v6)]);
                    return;
                }
                if v6 && !self.ipv6 {
                    continue;
                }
                let rejects = kernel.chain(&format!("{prefix}-reject-{way}")).len();
                let tracks = kernel.chain(&format!("{prefix}-track-{way}")).len();
                let skips = kernel.jumps(&format!("{prefix}-skip-to-policy-{way}"), wanted);
                let counts = (usize::from(wanted == "REJECT"), if wanted == "ACCEPT" { 2 } else { 0 });
                if (rejects, tracks) != counts || !skips {
                    self.policy_loaded = format!("no: the {prefix} chains for {chain} do not say {wanted}");
                    return;
                }
            }
        }
    }
}

// The user chains are compared rule by rule. What stands in before.rules and after.rules may be anything, and is
// printed back in other words, so its rules are counted.
fn differing(kernel: &Table, prefix: &str, [before, user, after]: [&Table; 3]) -> Option<String> {
    for (builtin, way) in WAYS {
        let hooks = ["before-logging", "before", "after", "after-logging", "reject", "track"];
        let hooks = hooks.map(|part| format!("-j {prefix}-{part}-{way}"));
        let mut seen = kernel.chain(builtin).iter().filter(|rule| hooks.contains(rule));
        if !hooks.iter().all(|hook| seen.next() == Some(hook)) || seen.next().is_some() {
            return Some(format!("{builtin} does not lead into ufw's chains"));
        }
        if !kernel.jumps(&format!("{prefix}-before-{way}"), &format!("{prefix}-user-{way}")) {
            return Some(format!("{prefix}-before-{way} does not lead into {prefix}-user-{way}"));
        }
    }
    for (name, rules) in &user.chains {
        if kernel.chain(name) != rules {
            return Some(format!("{name} does not hold what ufw's file says"));
        }
    }
    for name in before.chains.keys().chain(after.chains.keys()) {
        let hook = usize::from(WAYS.iter().any(|(_, way)| *name == format!("{prefix}-before-{way}")));
        let wanted = before.chain(name).len() + after.chain(name).len() + hook;
        if name.starts_with(prefix) && !user.chains.contains_key(name) && kernel.chain(name).len() != wanted {
            let held = count(kernel.chain(name).len(), "rule", "rules");
            return Some(format!("{name} holds {held} instead of {wanted}"));
        }
    }
    None
}

fn text(answer: &Answer, path: &str) -> Result<String, ProbeError> {
    match answer.content(path)? {
        Some(FileContent::Bytes(bytes)) => String::from_utf8(bytes.to_vec())
            .ok()
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| ProbeError(format!("{path} is empty, or not text"))),
        Some(_) => Err(ProbeError(format!("{path} is too long to be ufw's"))),
        None => Err(ProbeError(format!("ufw is installed, but {path} is missing"))),
    }
}

fn saved(answer: &Answer, name: &str) -> Result<Table, ProbeError> {
    let section = answer.section(name)?;
    if section.status != 0 {
        return Err(ProbeError(format!("{name} ended with status {}: {}", section.status, section.complaint())));
    }
    Table::read(section.text()?).map_err(|why| ProbeError(format!("{name}: {why}")))
}

// The last one counts, for ufw and for the shell.
fn setting<'a>(content: &'a str, name: &str) -> Option<&'a str> {
    let mut values = content.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next_back().map(|value| value.trim().trim_matches(['"', '\'']))
}

/// Prints what [`Host::settings`] holds.
pub(in crate::kinds) const PRINT_SETTINGS: &str = "grep -h -E '^(ENABLED|LOGLEVEL|DEFAULT_(INPUT|FORWARD|OUTPUT)_POLICY)=' \
/etc/default/ufw /etc/ufw/ufw.conf";

fn settings(defaults: &str, conf: &str) -> String {
    let names = ["ENABLED", "LOGLEVEL", "DEFAULT_INPUT_POLICY", "DEFAULT_FORWARD_POLICY", "DEFAULT_OUTPUT_POLICY"];
    let wanted = |line: &&str| line.split_once('=').is_some_and(|(name, _)| names.contains(&name));
    defaults.lines().chain(conf.lines()).filter(wanted).collect::<Vec<_>>().join("\n")
}
