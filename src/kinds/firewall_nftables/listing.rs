//! Owns reading what `nft list table` prints, and comparing the kernel's table with the one that is wanted.

use super::render::Chain;
use crate::resource::{FieldValue, Fields, ProbeError, SectionOutput};

/// A table as nft lists it: each block in it with its head (type, hook and policy) and its other lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing(Vec<Block>);

#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// `chain input`, `set x`.
    name: String,
    head: String,
    /// `accept` or `drop`; empty = it is no base chain.
    policy: String,
    lines: Vec<String>,
}

impl Listing {
    /// Reads what nft printed; `None` = there is no such table.
    ///
    /// # Errors
    /// It failed otherwise, or did not print a table.
    pub fn of(section: &SectionOutput) -> Result<Option<Listing>, ProbeError> {
        if section.status == 1 && String::from_utf8_lossy(&section.stderr).contains("No such file or directory") {
            return Ok(None);
        }
        if section.status != 0 {
            return Err(ProbeError(format!("nft gave no answer: {}", section.complaint())));
        }
        Listing::read(section.text()?).map(Some).ok_or_else(|| ProbeError("nft's list was not understood".into()))
    }

    fn read(text: &str) -> Option<Listing> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.next()? != "table inet rempart {" {
            return None;
        }
        let mut listing = Listing::default();
        let mut open: Option<Block> = None;
        let mut depth = 0;
        for line in lines {
            match (&mut open, line) {
                (None, "}") => return Some(listing),
                (None, _) => {
                    let name = line.strip_suffix(" {")?.to_owned();
                    open = Some(Block { name, head: String::new(), policy: String::new(), lines: Vec::new() });
                }
                (Some(_), "}") if depth == 0 => listing.0.extend(open.take()),
                (Some(block), _) => {
                    // A set's elements may take lines of their own.
                    depth += line.matches('{').count();
                    depth = depth.saturating_sub(line.matches('}').count());
                    if let (Some(rest), true) = (line.strip_prefix("type filter hook "), block.head.is_empty()) {
                        let (head, policy) = rest.split_once("; policy ")?;
                        block.head = head.to_owned();
                        block.policy = policy.strip_suffix(';')?.to_owned();
                    } else {
                        block.lines.push(line.to_owned());
                    }
                }
            }
        }
        None
    }

    fn block(&self, name: &str) -> Option<&Block> {
        self.0.iter().find(|block| block.name == name)
    }

    /// The fields of this table, as the kernel has it. `meant` = what this host's nft makes of the wanted `chains`.
    ///
    /// # Errors
    /// This nft makes something else of them than a line of each, so nothing can be compared.
    pub fn compare(&self, meant: &Listing, chains: &[Chain], fields: &mut Fields) -> Result<(), ProbeError> {
        let (mut rules, mut extra, mut base) = (Vec::new(), Vec::new(), true);
        for chain in chains {
            let name = format!("chain {}", chain.name());
            let wanted = meant.block(&name).filter(|block| block.lines.len() == chain.lines.len());
            let wanted =
                wanted.ok_or_else(|| ProbeError(format!("this host's nft makes something else of the {name}")))?;
            let Some(is) = self.block(&name) else {
                base = false;
                continue;
            };
            base &= is.head == wanted.head;
            let known = |line: &String| wanted.lines.iter().position(|other| other == line);
            let found: Vec<usize> = is.lines.iter().filter_map(known).collect();
            extra.extend(is.lines.iter().filter(|line| known(line).is_none()).map(|line| format!("{name}: {line}")));
            rules.extend(found.iter().filter_map(|at| chain.lines[*at].words.clone()));
            // All of those that every host has, and in their places among the declared ones that are there.
            let is_base = |at: &usize| chain.lines[*at].words.is_none();
            let bases = (0..chain.lines.len()).filter(|at| is_base(at));
            let expected: Vec<usize> = (0..chain.lines.len()).filter(|at| is_base(at) || found.contains(at)).collect();
            base &= bases.eq(found.iter().copied().filter(|at| is_base(at)));
            base &= expected.iter().map(is_base).eq(found.iter().map(is_base));
            fields.insert(chain.field().into(), FieldValue::text(policy(is, wanted, chain)));
        }
        for block in &self.0 {
            if !chains.iter().any(|chain| block.name == format!("chain {}", chain.name())) {
                extra.push(block.name.clone());
            }
        }
        fields.insert("rules".into(), FieldValue::List(rules));
        fields.insert("extra_rules".into(), FieldValue::List(extra));
        fields.insert("base_rules".into(), FieldValue::Bool(base));
        Ok(())
    }
}

// Where an answer is wanted, it is the last rule that gives it.
fn policy(is: &Block, wanted: &Block, chain: &Chain) -> String {
    if is.policy == wanted.policy {
        return chain.policy.word().to_owned();
    }
    match is.policy.as_str() {
        "accept" => "allow".into(),
        "drop" => "deny".into(),
        _ => "none: it is no chain of the kernel's hooks".into(),
    }
}
