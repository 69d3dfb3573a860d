//! Owns reading iptables rules, as ufw writes them and as the kernel gives them back, into one form that compares.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// One rule of a chain: what it asks and does, in an order of its own, without what iptables adds by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::kinds) struct Rule {
    pub chain: String,
    pub text: String,
    first: bool,
}

/// A filter table: policies of the built-in chains, and every chain's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::kinds) struct Table {
    /// `ACCEPT` or `DROP`, of `INPUT`, `OUTPUT` and `FORWARD`.
    pub policies: BTreeMap<String, String>,
    /// The rules of each chain, in order.
    pub chains: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// Reads the filter table of `iptables-save`, or of a file for `iptables-restore`. No such table = none is loaded.
    ///
    /// # Errors
    /// A line is not understood, or the table has no end.
    pub fn read(text: &str) -> Result<Table, String> {
        let mut table = Table::default();
        let mut inside = false;
        let mut open = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('*') {
                (inside, open) = (name == "filter", true);
            } else if line == "COMMIT" {
                (inside, open) = (false, false);
            } else if line.is_empty() || line.starts_with('#') {
            } else if !open {
                return Err(format!("`{}` stands outside of a table", line.escape_debug()));
            } else if let (true, Some(chain)) = (inside, line.strip_prefix(':')) {
                let mut words = chain.split_ascii_whitespace();
                let (Some(name), Some(policy)) = (words.next(), words.next()) else {
                    return Err(format!("the chain `{}` was not understood", chain.escape_debug()));
                };
                table.chains.entry(name.to_owned()).or_default();
                if policy != "-" {
                    table.policies.insert(name.to_owned(), policy.to_owned());
                }
            } else if inside {
                let rule = rule(line).ok_or_else(|| format!("`{}` was not understood", line.escape_debug()))?;
                let chain = table.chains.entry(rule.chain).or_default();
                chain.insert(if rule.first { 0 } else { chain.len() }, rule.text);
            }
        }
        if open {
            return Err("the rules are cut short: no COMMIT".into());
        }
        Ok(table)
    }

    /// The rules of a chain; none where there is no such chain.
    pub fn chain(&self, name: &str) -> &[String] {
        self.chains.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a chain has that very jump.
    pub fn jumps(&self, from: &str, to: &str) -> bool {
        let jump = format!("-j {to}");
        self.chain(from).contains(&jump)
    }
}

/// Reads `-A CHAIN ...` or `-I CHAIN ...`.
pub(in crate::kinds) fn rule(line: &str) -> Option<Rule> {
    let words = words(line)?;
    let (first, chain) = match (words.first()?.as_str(), words.get(1)?) {
        ("-A", chain) => (false, chain.clone()),
        ("-I", chain) => (true, chain.clone()),
        _ => return None,
    };
    let mut options: Vec<(String, String)> = Vec::new();
    for word in &words[2..] {
        // A negated option keeps its `!`; a value belongs to the option before it.
        match options.last_mut() {
            Some((name, value)) if !word.starts_with('-') || name == "--log-prefix" && value.is_empty() => {
                if name == "!" || word == "!" {
                    options.push((word.clone(), String::new()));
                } else {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(word);
                }
            }
            _ => options.push((word.clone(), String::new())),
        }
    }
    let mut texts: Vec<String> = Vec::new();
    let mut negated = false;
    for (name, value) in options {
        if name == "!" {
            negated = true;
            continue;
        }
        let value = plain_value(&name, &value);
        if !negated && is_implied(&name, &value) {
            continue;
        }
        texts.push(format!("{}{name} {value}", if negated { "! " } else { "" }).trim_end().to_owned());
        negated = false;
    }
    texts.sort();
    Some(Rule { chain, text: texts.join(" "), first })
}

// What iptables-save prints though nobody asked for it, or prints in another way.
fn is_implied(name: &str, value: &str) -> bool {
    matches!(
        (name, value),
        ("-m" | "--rsource" | "--mask", _)
            | ("--name", "DEFAULT")
            | ("-p", "all")
            | ("--reject-with", "icmp-port-unreachable" | "icmp6-port-unreachable")
    )
}

fn plain_value(name: &str, value: &str) -> String {
    match name {
        "-s" | "-d" => {
            let bare = value.strip_suffix("/32").filter(|text| !text.contains(':'));
            let bare = bare.or_else(|| value.strip_suffix("/128")).unwrap_or(value);
            bare.parse::<IpAddr>().map_or_else(|_| bare.to_owned(), |address| address.to_string())
        }
        // Without /etc/protocols, iptables-save gives numbers.
        "-p" => match value {
            "2" => "igmp",
            "6" => "tcp",
            "17" => "udp",
            "41" => "ipv6",
            "47" => "gre",
            "50" => "esp",
            "51" => "ah",
            "112" => "vrrp",
            other => other,
        }
        .to_owned(),
        "--limit" => value.replace("/minute", "/min"),
        "--comment" => value.replace('\'', ""),
        _ => value.to_owned(),
    }
}

// Words of a line: double quotes hold spaces together, a backslash takes the next character as it is.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (!quoted).then_some(words)
}
