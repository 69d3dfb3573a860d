//! Owns reading nft's JSON: the listing of a ruleset, or commands that change one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::TablesError;
use super::nft_tests::{Sets, fits, operand, test};
use super::nft_text;
use super::rule::{Action, Base, Chain, Family, Hook, Rule, Statement, Table, Test};

/// A text of nft, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) tables: Vec<NftTable>,
    /// It begins by removing every table.
    pub(super) flushes: bool,
    /// Tables that it removes.
    pub(super) removes: Vec<(Family, String)>,
}

/// A table and what nft says beside its chains.
#[derive(Clone, Debug)]
pub(super) struct NftTable {
    pub(super) table: Table,
    /// Rules that only iptables can read: their chain and place.
    pub(super) foreign: Vec<(String, usize)>,
    /// Rules with something that iptables cannot write.
    pub(super) native: BTreeSet<(String, usize)>,
}

/// Reads a text.
///
/// # Errors
/// It is no JSON of nft.
pub(super) fn read(text: &str) -> Result<Listing, TablesError> {
    let fault = |why: String| TablesError { from: "nft".into(), why };
    let json: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let objects = json.get("nftables").and_then(Value::as_array).ok_or_else(|| fault("no list `nftables`".into()))?;
    let mut listing = Listing::default();
    let mut raw: Vec<(Family, String, Raw)> = Vec::new();
    for object in objects {
        let Some((mut kind, mut of)) = first(object) else {
            return Err(fault("an entry is no object".into()));
        };
        if matches!(kind, "flush" | "delete" | "destroy") {
            if of.get("ruleset").is_some() {
                listing.flushes = true;
                raw.clear();
            } else if let Some(table) = of.get("table") {
                let (family, name) = named(table, "name").ok_or_else(|| fault("a table has no name".into()))?;
                raw.retain(|known| (known.0, &known.1) != (family, &name));
                listing.removes.push((family, name));
            } else {
                return Err(fault(format!("the command `{kind}` is not understood")));
            }
            continue;
        }
        if matches!(kind, "add" | "create") {
            (kind, of) = first(of).ok_or_else(|| fault("a command is empty".into()))?;
        }
        if kind == "metainfo" {
            continue;
        }
        let key = if kind == "table" { "name" } else { "table" };
        let (family, table) = named(of, key).ok_or_else(|| fault(format!("a {kind} has no table")))?;
        let at = raw.iter().position(|known| (known.0, &known.1) == (family, &table)).unwrap_or_else(|| {
            raw.push((family, table.clone(), Raw::default()));
            raw.len() - 1
        });
        raw[at].2.add(kind, of).ok_or_else(|| fault(format!("a {kind} of the table {table} is not understood")))?;
    }
    listing.tables = raw.into_iter().filter_map(|(family, name, raw)| raw.table(family, &name)).collect();
    Ok(listing)
}

fn first(value: &Value) -> Option<(&str, &Value)> {
    value.as_object()?.iter().next().map(|(key, value)| (key.as_str(), value))
}

fn named(of: &Value, key: &str) -> Option<(Family, String)> {
    let family = match of.get("family")?.as_str()? {
        "ip" => Family::Ip,
        "ip6" => Family::Ip6,
        "inet" => Family::Inet,
        "netdev" => Family::Netdev,
        "bridge" => Family::Bridge,
        "arp" => Family::Arp,
        _ => return None,
    };
    Some((family, of.get(key)?.as_str()?.to_owned()))
}

/// A table before its rules are read: they may name sets that come later.
#[derive(Default)]
struct Raw {
    flags: Vec<String>,
    chains: BTreeMap<String, Option<Base>>,
    sets: Sets,
    rules: Vec<(String, Vec<Value>)>,
}

impl Raw {
    fn add(&mut self, kind: &str, of: &Value) -> Option<()> {
        let name = || of.get("name").and_then(Value::as_str).map(str::to_owned);
        match kind {
            "table" => self.flags = strings(of.get("flags")),
            "chain" => {
                self.chains.insert(name()?, base(of)?);
            }
            "set" | "map" => {
                let elements = of.get("elem").and_then(Value::as_array).cloned().unwrap_or_default();
                self.sets.insert(name()?, Some(elements));
            }
            "element" => {
                let more = of.get("elem").and_then(Value::as_array).cloned().unwrap_or_default();
                self.sets.entry(name()?).or_insert_with(|| Some(Vec::new())).as_mut()?.extend(more);
            }
            "rule" => {
                let chain = of.get("chain")?.as_str()?.to_owned();
                self.rules.push((chain, of.get("expr")?.as_array()?.clone()));
            }
            // Flow tables, limits, quotas, helpers and whatever is new: what uses them says so.
            _ => {}
        }
        Some(())
    }

    // `None` for one that is asleep.
    fn table(mut self, family: Family, name: &str) -> Option<NftTable> {
        if self.flags.iter().any(|flag| flag == "dormant") {
            return None;
        }
        for changed in self.rules.iter().flat_map(|(_, expressions)| expressions).filter_map(changed_set) {
            self.sets.insert(changed, None);
        }
        let mut table = Table::new(family, name);
        for (chain, base) in self.chains {
            table.chains.insert(chain, Chain { base, rules: Vec::new() });
        }
        let (mut foreign, mut native) = (Vec::new(), BTreeSet::new());
        for (chain, expressions) in &self.rules {
            let rules = &mut table.chains.entry(chain.clone()).or_default().rules;
            let place = (chain.clone(), rules.len());
            if expressions.iter().any(|expression| expression.get("xt").is_some()) {
                foreign.push(place);
            } else if expressions.iter().any(is_native) {
                native.insert(place);
            }
            rules.push(Rule { text: nft_text::rule(expressions), statements: statements(expressions, &self.sets) });
        }
        // nft 1.0.6 prints the table's name in place of its flags.
        table.perhaps_asleep =
            self.flags.iter().any(|flag| flag == name && !matches!(flag.as_str(), "owner" | "persist"));
        Some(NftTable { table, foreign, native })
    }
}

fn is_native(expression: &Value) -> bool {
    let Some((name, of)) = first(expression) else { return false };
    let set = of
        .get("right")
        .is_some_and(|right| right.get("set").is_some() || right.as_str().is_some_and(|r| r.starts_with('@')));
    set || matches!(name, "vmap" | "set" | "map" | "ct count" | "quota" | "meter")
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

// `None` for what is not understood; `Some(None)` for a chain that others jump to.
fn base(of: &Value) -> Option<Option<Base>> {
    let Some(hook) = of.get("hook") else { return Some(None) };
    let hook = match hook.as_str()? {
        "ingress" => Hook::Ingress,
        "prerouting" => Hook::Prerouting,
        "input" => Hook::Input,
        "forward" => Hook::Forward,
        "output" => Hook::Output,
        "postrouting" => Hook::Postrouting,
        "egress" => Hook::Egress,
        _ => return None,
    };
    let drops = of.get("policy").and_then(Value::as_str) == Some("drop");
    let nat = of.get("type").and_then(Value::as_str) == Some("nat");
    let priority = of.get("prio").map_or(Some(0), Value::as_i64)?;
    Some(Some(Base { hook, priority, drops, nat, devices: strings(of.get("dev")) }))
}

fn changed_set(expression: &Value) -> Option<String> {
    let (name, of) = first(expression)?;
    let set = if matches!(name, "set" | "map") { of.get(name)? } else { return None };
    Some(set.as_str()?.trim_start_matches('@').to_owned())
}

/// The statements of a rule.
pub(super) fn statements(expressions: &[Value], sets: &Sets) -> Vec<Statement> {
    let mut all = Vec::new();
    for expression in expressions {
        let (name, of) = match expression {
            Value::String(name) => (name.as_str(), &Value::Null),
            other => first(other).unwrap_or(("", &Value::Null)),
        };
        let unknown = |what: &str| Statement::Test(Test::Unknown(what.to_owned()));
        match name {
            "match" => all.push(Statement::Test(test(of, sets))),
            "vmap" => all.push(branch(of, sets)),
            "limit" => all.push(unknown("how many packets came before is not known")),
            "set" | "map" if of.get("stmt").is_some() => {
                let rate = rate(of)
                    .filter(|_| all.iter().any(|known| matches!(known, Statement::Test(test) if test.asks_state())));
                all.push(rate.map_or_else(|| unknown("how many packets came before is not known"), Statement::Test));
            }
            "quota" | "ct count" | "meter" => all.push(unknown("what was counted before is not known")),
            "xt" => all.extend(extension(of)),
            _ => all.push(Statement::Act(action(name, of))),
        }
    }
    all
}

// What is known of an extension of iptables by its name alone.
fn extension(of: &Value) -> Option<Statement> {
    let word = |key: &str| of.get(key).and_then(Value::as_str).unwrap_or("");
    let action = match (word("type"), word("name")) {
        ("match" | "watcher", "comment") => return None,
        ("match", name) => {
            let why = format!("what iptables' match `{name}` asks is not shown by nft");
            return Some(Statement::Test(Test::Unknown(why)));
        }
        ("target", "REJECT") => Action::Stop,
        ("target", "LOG" | "NFLOG") => Action::Nothing,
        ("target", "MARK") => Action::Mark(None),
        ("target", "DNAT" | "REDIRECT") => Action::Elsewhere,
        ("target", "SNAT" | "MASQUERADE") => Action::Accept,
        (_, name) => Action::Unknown(format!("what iptables' extension `{name}` does is not shown by nft")),
    };
    Some(Statement::Act(action))
}

// A limit for each source address.
fn rate(of: &Value) -> Option<Test> {
    let by_source = of.pointer("/elem/payload/field").or(of.pointer("/elem/elem/val/payload/field"));
    let limit = of.get("stmt")?.as_array()?.first()?.get("limit")?;
    let burst = u32::try_from(limit.get("burst")?.as_u64()?).ok()?;
    let counts_packets = limit.get("rate_unit").is_none_or(|unit| unit == "packets");
    let over = limit.get("inv").and_then(Value::as_bool).unwrap_or(false);
    (by_source.and_then(Value::as_str) == Some("saddr") && counts_packets).then_some(Test::Rate { burst, over })
}

fn branch(of: &Value, sets: &Sets) -> Statement {
    let cannot = |why: String| Statement::Act(Action::Unknown(why));
    let (Some(key), Some(data)) = (of.get("key"), of.get("data")) else {
        return cannot("this map is not understood".into());
    };
    let entries = match data.as_str().map(|name| name.trim_start_matches('@')) {
        Some(name) => match sets.get(name) {
            Some(Some(elements)) => elements,
            Some(None) => return cannot(format!("rules change the map {name} as they run")),
            None => return cannot(format!("there is no map {name}")),
        },
        None => match data.get("set").and_then(Value::as_array) {
            Some(entries) => entries,
            None => return cannot("this map is not understood".into()),
        },
    };
    let operand = operand(key);
    let mut branches = Vec::new();
    let mut others = Vec::new();
    for entry in entries {
        match entry.as_array().map(Vec::as_slice) {
            Some([value, verdict]) => {
                let value = value.pointer("/elem/val").unwrap_or(value);
                let (name, of) = first(verdict).unwrap_or(("", &Value::Null));
                let into = if value.as_str() == Some("*") { &mut others } else { &mut branches };
                into.push((fits(&operand, value, sets), action(name, of)));
            }
            _ => return cannot("this map is not understood".into()),
        }
    }
    branches.extend(others);
    Statement::Branch(branches)
}

fn action(name: &str, of: &Value) -> Action {
    let target = || of.get("target").and_then(Value::as_str).map(str::to_owned);
    let no_target = || Action::Unknown("its target is not understood".into());
    match name {
        "accept" => Action::Accept,
        "drop" | "reject" => Action::Stop,
        "return" => Action::Return,
        "jump" => target().map_or_else(no_target, Action::Jump),
        "goto" => target().map_or_else(no_target, Action::Goto),
        "continue" | "counter" | "log" | "comment" | "last" | "set" | "map" | "dup" | "flow" | "ct helper"
        | "ct timeout" | "ct expectation" | "secmark" => Action::Nothing,
        "notrack" => Action::Untrack,
        "dnat" | "redirect" | "tproxy" => Action::Elsewhere,
        "snat" | "masquerade" => Action::Accept,
        "mangle" => mangle(of),
        other => Action::Unknown(format!("what `{other}` does cannot be told from here")),
    }
}

fn mangle(of: &Value) -> Action {
    let number = of.get("value").and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok());
    let key = |kind: &str| of.pointer(&format!("/key/{kind}/key")).and_then(Value::as_str);
    match (key("meta"), key("ct")) {
        (Some("mark"), _) => Action::Mark(number),
        (_, Some("mark")) => Action::ConnectionMark(number),
        (_, Some("zone")) => Action::TrackOtherwise,
        (Some(_), _) | (_, Some(_)) => Action::Nothing,
        _ => match of.pointer("/key/payload/field").and_then(Value::as_str) {
            Some("saddr" | "daddr" | "sport" | "dport") => Action::Elsewhere,
            Some("dscp" | "ecn" | "ttl" | "hoplimit") => Action::Nothing,
            _ if of.pointer("/key/tcp option").is_some() => Action::Nothing,
            _ => Action::Unknown("what this changes in the packet is not understood".into()),
        },
    }
}
