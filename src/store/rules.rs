//! Owns `.sops.yaml`: for whom a new file is encrypted, and by which rule. The first creation rule that fits counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex_lite::Regex;

use super::fault::{Fault, FaultKind};
use super::recipient::Recipient;
use super::selection::{RULES, Selection, UNKNOWN_RULES};
use crate::model::{Diagnostic, Place, Source};
use crate::yaml::{self, Dialect, Node, Value};

/// The file's name.
const FILE: &str = ".sops.yaml";
/// How many folders are looked through, upwards; as SOPS has it.
const MAX_FOLDERS: usize = 100;
/// Recipients of other kinds than age: their field, what a file calls them, and the name of one in a map.
const OTHERS: [(&str, &str, &str); 9] = [
    ("pgp", "pgp", "fp"),
    ("kms", "kms", "arn"),
    ("gcp_kms", "gcp_kms", "resource_id"),
    ("hckms", "hckms", ""),
    ("azure_keyvault", "azure_kv", ""),
    ("azure_kv", "azure_kv", ""),
    ("hc_vault", "hc_vault", ""),
    ("hc_vault_transit_uri", "hc_vault", ""),
    ("merge", "merge", ""),
];

/// By what a private key is known, in capitals.
const PRIVATE: [&str; 3] = ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----"];

/// What a creation rule says about one file.
#[derive(Clone, Debug)]
pub struct Rule {
    /// For whom.
    pub recipients: Vec<Recipient>,
    /// Recipients of other kinds, as a file names them (`pgp 7FB8…`), or their kind alone where the two write them
    /// differently; nothing can be encrypted for them here.
    pub others: Vec<String>,
    /// Which values.
    pub selection: Selection,
    /// Where the rule stands.
    pub place: Place,
}

/// A `.sops.yaml` with its rules.
#[derive(Clone, Debug)]
pub struct Rules {
    folder: PathBuf,
    rules: Vec<Node>,
    place: Place,
}

impl Rules {
    /// The nearest `.sops.yaml` above a file. `None` = there is none.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    pub fn find(file: &Path) -> Result<Option<Self>, Fault> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        for folder in file.ancestors().skip(1).take(MAX_FOLDERS) {
            let path = folder.join(FILE);
            if path.is_file() {
                return Self::parse(&yaml::read(&path)?, folder).map(Some);
            }
        }
        Ok(None)
    }

    /// The rules of a file that is in memory and belongs into `folder`.
    ///
    /// # Errors
    /// It is no YAML, or its rules are no list.
    pub fn parse(source: &Arc<Source>, folder: &Path) -> Result<Self, Fault> {
        Self::read(source, folder).map_err(|fault| shown_if_ours(source, fault))
    }

    fn read(source: &Arc<Source>, folder: &Path) -> Result<Self, Fault> {
        let root = yaml::parse(source, Dialect::Inventory)?;
        let place = root.place.clone();
        let rules = match root.get("creation_rules") {
            None => Vec::new(),
            Some(node) => match &node.value {
                Value::List(rules) => rules.clone(),
                Value::Null => Vec::new(),
                _ => return Err(wrong(node, "creation_rules is a list")),
            },
        };
        Ok(Self { folder: folder.to_owned(), rules, place })
    }

    /// The first rule that fits a file.
    ///
    /// # Errors
    /// None fits, or the one that does is wrong.
    pub fn for_file(&self, file: &Path) -> Result<Rule, Fault> {
        self.first(file).map_err(|fault| shown_if_ours(self.place.source(), fault))
    }

    fn first(&self, file: &Path) -> Result<Rule, Fault> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let inside = file.strip_prefix(&self.folder).unwrap_or(&file).to_string_lossy().into_owned();
        for rule in &self.rules {
            let fits = match rule.get("path_regex") {
                None => true,
                Some(node) => match node.text() {
                    None | Some("") => true,
                    Some(pattern) => Regex::new(pattern).map_err(|error| no_pattern(node, &error))?.is_match(&inside),
                },
            };
            if fits {
                return read(rule);
            }
        }
        let fix = "add a rule whose path_regex fits it, or one without path_regex at the end";
        let fault = Fault::new(FaultKind::Missing, "no creation rule fits", format!("`{inside}`"), fix);
        Err(fault.at(&self.place, "in this file"))
    }
}

// Where a private key was put into the file by mistake, or a link leads to a file of somebody's choice, places are told by their
// numbers alone, without what stands there.
fn shown_if_ours(source: &Source, mut fault: Fault) -> Fault {
    let text = source.text.to_uppercase();
    if PRIVATE.iter().any(|word| text.contains(word)) || Path::new(&source.path).is_symlink() {
        let told = &mut *fault.told;
        for (place, _) in told.place.iter_mut().chain(&mut told.related) {
            *place = place.clone().unshown();
        }
    }
    fault
}

fn read(rule: &Node) -> Result<Rule, Fault> {
    if rule.entries().is_none() {
        return Err(wrong(rule, "a rule is a map"));
    }
    let mut patterns = Vec::new();
    for name in RULES {
        if let Some(node) = rule.get(name) {
            patterns.push((name, node.text().ok_or_else(|| wrong(node, "this is text"))?.to_owned()));
        }
    }
    if let Some(node) = UNKNOWN_RULES.iter().find_map(|name| rule.get(name)) {
        let fix = "use encrypted_regex or a suffix in the place of it";
        let fault = Fault::new(FaultKind::Unsupported, "a rule that is not supported", "it is about comments", fix);
        return Err(fault.at(&node.place, "this one"));
    }
    let only = matches!(rule.get("mac_only_encrypted").map(|node| &node.value), Some(Value::Bool(true)));
    let selection = Selection::from_rules(&patterns, only).map_err(|fault| fault.at(&rule.place, "in this rule"))?;
    let groups = rule.get("key_groups").and_then(Node::items).unwrap_or_default();
    let holder = match groups {
        [] => rule,
        [one] => one,
        [_, second, ..] => {
            let fix = "keep all recipients in one group";
            let detail = "each file would need several people at once (key_groups)";
            return Err(Fault::new(FaultKind::Unsupported, "a key that is shared out", detail, fix)
                .at(&second.place, "a second group"));
        }
    };
    let mut recipients: Vec<Recipient> = Vec::new();
    for (text, place) in age(holder)? {
        let recipient = Recipient::parse(&text).map_err(|fault| fault.at(&place, "here"))?;
        if !recipients.iter().any(|known| known.same_as(&recipient)) {
            recipients.push(recipient);
        }
    }
    let others: Vec<String> =
        OTHERS.iter().flat_map(|(field, kind, name)| others(holder.get(field), kind, name)).collect();
    if recipients.is_empty() {
        let detail =
            if others.is_empty() { "it names nobody".to_owned() } else { format!("it names {}", others.join(", ")) };
        let fix = "add `age:` with public keys";
        return Err(Fault::new(FaultKind::Recipient, "a rule without a recipient of age", detail, fix)
            .at(&rule.place, "this rule"));
    }
    Ok(Rule { recipients, others, selection, place: rule.place.clone() })
}

// One text with commas, or a list, or a list of texts with commas.
fn age(holder: &Node) -> Result<Vec<(String, Place)>, Fault> {
    let Some(node) = holder.get("age") else { return Ok(Vec::new()) };
    let items = match &node.value {
        Value::Null => return Ok(Vec::new()),
        Value::Text(_) => std::slice::from_ref(node),
        Value::List(items) => items.as_slice(),
        _ => return Err(wrong(node, "public keys: a list, or one text with commas")),
    };
    let mut all = Vec::new();
    for item in items {
        let text = item.text().ok_or_else(|| wrong(item, "a public key is text"))?;
        let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
        all.extend(keys.map(|key| (key.to_owned(), item.place.clone())));
    }
    Ok(all)
}

// One text with commas, or a list of texts or maps.
fn others(node: Option<&Node>, kind: &str, name: &str) -> Vec<String> {
    let Some(node) = node.filter(|node| !matches!(node.value, Value::Null)) else { return Vec::new() };
    let items = node.items().unwrap_or(std::slice::from_ref(node));
    let text = |item: &Node| item.text().or_else(|| item.get(name)?.text()).map(str::to_owned);
    let texts = items.iter().filter_map(text).filter(|_| !name.is_empty());
    let mut all: Vec<String> = texts
        .flat_map(|text| text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        .filter(|one| !one.is_empty())
        // Behind a plus stands the role that is taken for a key of AWS.
        .map(|one| format!("{kind} {}", one.split('+').next().unwrap_or_default()))
        .collect();
    if all.is_empty() {
        all.push(kind.to_owned());
    }
    all
}

fn no_pattern(node: &Node, error: &regex_lite::Error) -> Fault {
    let told = Diagnostic::error("a creation rule is wrong").at(&node.place, "not a regular expression");
    Fault::from(told.because(error.to_string()).fix("correct the pattern; a dot that is meant is written `\\.`"))
}

fn wrong(node: &Node, label: &str) -> Fault {
    let told = Diagnostic::error("a creation rule is wrong").at(&node.place, label);
    Fault::from(told.because(format!("this is {}", node.shape())).fix("see the documentation of SOPS on .sops.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    const BOB: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

    fn rule(text: &str, file: &str) -> Result<Rule, Fault> {
        Rules::parse(&Source::new(".sops.yaml", text), Path::new("/p"))?.for_file(&Path::new("/p").join(file))
    }

    fn names(rule: &Rule) -> Vec<String> {
        rule.recipients.iter().map(Recipient::to_string).collect()
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let text = format!(
            "keys:\n  - &bob {BOB}\ncreation_rules:\n  - path_regex: ^secrets/db\\.yaml$\n    age: '{ALICE}, {BOB},'\n    encrypted_regex: ^x\n  \
             - path_regex: ^secrets/\n    key_groups:\n      - age:\n          - *bob\n          - *bob\n  - age: [{ALICE}]\n    mac_only_encrypted: true\n"
        );
        let db = rule(&text, "secrets/db.yaml").unwrap();
        assert_eq!(names(&db), [ALICE, BOB]);
        assert_eq!(db.selection.rule(), ("encrypted_regex", "^x"));
        assert_eq!(names(&rule(&text, "secrets/gw.yaml").unwrap()), [BOB]);
        let last = rule(&text, "other/secrets/x.yaml").unwrap();
        assert_eq!(names(&last), [ALICE]);
        assert!(last.selection.mac_only_encrypted);
    }

    #[test]
    fn each_wrong_rule_says_why() {
        for (text, kind) in [
            ("creation_rules: 1", FaultKind::Format),
            ("creation_rules: [1]", FaultKind::Format),
            ("creation_rules: []", FaultKind::Missing),
            ("creation_rules: [{path_regex: '('}]", FaultKind::Format),
            ("creation_rules: [{pgp: ABC}]", FaultKind::Recipient),
            ("creation_rules: [{age: bob}]", FaultKind::Recipient),
            ("creation_rules: [{age: x, encrypted_regex: a, encrypted_suffix: b}]", FaultKind::Format),
            ("creation_rules: [{key_groups: [{age: [x]}, {age: [y]}]}]", FaultKind::Unsupported),
            ("creation_rules: [{age: x, encrypted_comment_regex: y}]", FaultKind::Unsupported),
        ] {
            let fault = rule(text, "a.yaml").unwrap_err();
            assert_eq!(fault.kind, kind, "{text}: {:?}", fault.told);
            assert!(fault.told.place.is_some(), "{text}");
        }
    }

    #[test]
    fn other_kinds_of_recipients_are_named() {
        let text = format!("creation_rules: [{{age: {ALICE}, pgp: ABC, hc_vault_transit_uri: x}}]");
        assert_eq!(rule(&text, "a.yaml").unwrap().others, ["pgp ABC", "hc_vault"]);
        let text = format!(
            "creation_rules: [{{key_groups: [{{age: [{ALICE}], pgp: [AB, CD], kms: [{{arn: 'a:b+r'}}], azure_keyvault: [{{}}]}}]}}]"
        );
        assert_eq!(rule(&text, "a.yaml").unwrap().others, ["pgp AB", "pgp CD", "kms a:b", "azure_kv"]);
    }

    #[test]
    fn a_wrong_pattern_says_what_is_wrong_with_it() {
        let fault = rule("creation_rules: [{path_regex: 'a(b'}]", "a.yaml").unwrap_err();
        assert!(fault.told.detail.clone().unwrap_or_default().contains("group"), "{:?}", fault.told);
    }
}
