//! Owns reading what iptables-save prints and iptables-restore takes. What a rule asks is in `iptables_tests`.

use super::TablesError;
use super::iptables_tests::{Word, statements};
use super::rule::{Base, Chain, Family, Hook, Rule, Table};

/// One line that changes a table.
#[derive(Clone, Debug)]
enum Line {
    Chain { name: String, drops: Option<bool> },
    Append { chain: String, rule: Rule },
    Insert { chain: String, at: usize, rule: Rule },
    Delete { chain: String, rule: Rule },
    Flush(Option<String>),
    Remove(Option<String>),
}

/// The text of a tool, read: for each line, the name of its table and what it does.
#[derive(Clone, Debug)]
pub(super) struct Save {
    v6: bool,
    lines: Vec<(String, Line)>,
    /// The tables are nftables' own, so `nft` shows them, too.
    pub(super) is_nft: bool,
    /// The tool says that there are tables which it does not show.
    pub(super) hides: bool,
}

impl Save {
    /// Reads a text of IPv4's or IPv6's tool.
    ///
    /// # Errors
    /// A line is not understood, or a table has no end.
    pub(super) fn read(text: &str, v6: bool) -> Result<Save, TablesError> {
        let from = if v6 { "ip6tables" } else { "iptables" };
        let fault = |why: String| TablesError { from: from.into(), why };
        let mut save = Save { v6, lines: Vec::new(), is_nft: text.contains("(nf_tables)"), hides: false };
        let mut open: Option<String> = None;
        for line in text.lines().map(str::trim) {
            let odd = || fault(format!("`{}` was not understood", line.escape_debug()));
            if line.starts_with('#') {
                save.hides |= line.contains("legacy tables present");
            } else if line.is_empty() {
            } else if let Some(name) = line.strip_prefix('*') {
                if open.is_some() {
                    return Err(odd());
                }
                open = Some(name.trim().to_owned());
            } else if let Some(table) = open.clone() {
                if line == "COMMIT" {
                    open = None;
                } else {
                    save.lines.push((table, read_line(line, v6).ok_or_else(odd)?));
                }
            } else {
                return Err(odd());
            }
        }
        match open {
            Some(name) => Err(fault(format!("the table {} is cut short: no COMMIT", name.escape_debug()))),
            None => Ok(save),
        }
    }

    /// Runs the lines on tables: those that are not there are made.
    pub(super) fn run(&self, tables: &mut Vec<Table>) {
        let family = if self.v6 { Family::Ip6 } else { Family::Ip };
        for (name, line) in &self.lines {
            let at = tables.iter().position(|table| table.is(family, name)).unwrap_or_else(|| {
                tables.push(Table::new(family, name));
                tables.len() - 1
            });
            run_line(&mut tables[at], line);
        }
    }

    /// The tables as the text alone describes them.
    pub(super) fn tables(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        self.run(&mut tables);
        for table in &mut tables {
            table.legacy = !self.is_nft;
        }
        tables
    }
}

fn run_line(table: &mut Table, line: &Line) {
    let built_in = |name: &str, table: &Table| base(&table.name, name);
    match line {
        Line::Chain { name, drops } => {
            let base = built_in(name, table);
            let chain = table.chains.entry(name.clone()).or_default();
            // A user's chain that is named again is emptied; a built-in one keeps its rules.
            if base.is_none() {
                chain.rules.clear();
            }
            chain.base = chain.base.take().or(base);
            if let (Some(base), Some(drops)) = (&mut chain.base, drops) {
                base.drops = *drops;
            }
        }
        Line::Append { chain, rule } => entry(table, chain).rules.push(rule.clone()),
        Line::Insert { chain, at, rule } => {
            let rules = &mut entry(table, chain).rules;
            rules.insert((*at).min(rules.len()), rule.clone());
        }
        Line::Delete { chain, rule } => {
            let rules = &mut entry(table, chain).rules;
            if let Some(at) = rules.iter().position(|known| known.text == rule.text) {
                rules.remove(at);
            }
        }
        Line::Flush(Some(chain)) => entry(table, chain).rules.clear(),
        Line::Flush(None) => table.chains.values_mut().for_each(|chain| chain.rules.clear()),
        Line::Remove(Some(chain)) => {
            table.chains.remove(chain);
        }
        Line::Remove(None) => table.chains.retain(|_, chain| chain.base.is_some() || !chain.rules.is_empty()),
    }
}

/// The chain of that name, made if it is not there.
pub(super) fn entry<'a>(table: &'a mut Table, name: &str) -> &'a mut Chain {
    let base = base(&table.name, name);
    table.chains.entry(name.to_owned()).or_insert_with(|| Chain { base, rules: Vec::new() })
}

/// Where iptables' built-in chains stand.
pub(super) fn base(table: &str, chain: &str) -> Option<Base> {
    let hook = match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    };
    let priority = match (table, chain) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", "PREROUTING" | "OUTPUT") => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    Some(Base { hook, priority, drops: false, nat: table == "nat", devices: Vec::new() })
}

fn read_line(line: &str, v6: bool) -> Option<Line> {
    if let Some(chain) = line.strip_prefix(':') {
        let mut words = chain.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        return Some(Line::Chain { name, drops: policy(words.next()?)? });
    }
    // With counters, they stand first.
    let line = match line.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.1.trim_start(),
        None => line,
    };
    let words = words(line)?;
    let word = |at: usize| words.get(at).map(|word| word.text.clone());
    let rule = |from: usize| {
        let words = words.get(from..)?;
        Some(Rule { text: written(words), statements: statements(words, v6)? })
    };
    Some(match word(0)?.as_str() {
        "-A" | "--append" => Line::Append { chain: word(1)?, rule: rule(2)? },
        "-I" | "--insert" => match word(2).and_then(|number| number.parse::<usize>().ok()) {
            Some(at) => Line::Insert { chain: word(1)?, at: at.saturating_sub(1), rule: rule(3)? },
            None => Line::Insert { chain: word(1)?, at: 0, rule: rule(2)? },
        },
        "-D" | "--delete" => Line::Delete { chain: word(1)?, rule: rule(2)? },
        "-F" | "--flush" => Line::Flush(word(1)),
        "-X" | "--delete-chain" => Line::Remove(word(1)),
        "-N" | "--new-chain" => Line::Chain { name: word(1)?, drops: None },
        "-P" | "--policy" => Line::Chain { name: word(1)?, drops: policy(&word(2)?)? },
        _ => return None,
    })
}

fn policy(word: &str) -> Option<Option<bool>> {
    match word {
        "ACCEPT" => Some(Some(false)),
        "DROP" => Some(Some(true)),
        "-" => Some(None),
        _ => None,
    }
}

// As it stands, without the matches that iptables adds by itself.
fn written(words: &[Word]) -> String {
    let mut text = String::new();
    let mut skip = false;
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", |next| next.text.as_str());
        if std::mem::take(&mut skip) || word.text == "-m" && matches!(next, "tcp" | "udp" | "icmp6" | "icmp") {
            skip = word.text == "-m";
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        if word.quoted {
            text.push_str(&format!("{:?}", word.text));
        } else {
            text.push_str(&word.text);
        }
    }
    text
}

// Words of a line: double quotes hold spaces together, a backslash takes the next character as it is.
fn words(line: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut inside: Option<char> = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' | '\'' if inside.is_none_or(|quote| quote == c) => {
                inside = inside.is_none().then_some(c);
                word.get_or_insert_default().quoted = true;
            }
            '\\' if inside != Some('\'') => word.get_or_insert_default().text.push(characters.next()?),
            c if c.is_whitespace() && inside.is_none() => words.extend(word.take()),
            c => word.get_or_insert_default().text.push(c),
        }
    }
    words.extend(word);
    inside.is_none().then_some(words)
}
