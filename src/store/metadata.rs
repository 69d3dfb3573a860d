//! Owns the `sops` section of a file: who can open it, the rule, the MAC. What is not known here is left as it is.

use crate::yaml::{Outline, Part, Shape, Step};

use super::fault::{Fault, FaultKind};
use super::selection::{RULES, Selection, UNKNOWN_RULES};

/// The key of the section.
pub(super) const SECTION: &str = "sops";

/// A recipient of age, and the data key as encrypted for it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub recipient: String,
    pub encrypted: String,
}

/// What the section says.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub entries: Vec<Entry>,
    /// Where the list of them stands.
    pub entries_at: Vec<Step>,
    /// Recipients of other kinds, such as `pgp 7FB8…`; only named.
    pub others: Vec<String>,
    pub last_modified: String,
    pub mac: String,
    pub selection: Selection,
}

/// The path of something in the section.
pub(super) fn path(keys: &[&str]) -> Vec<Step> {
    std::iter::once(&SECTION).chain(keys).map(|key| Step::Key((*key).to_owned())).collect()
}

impl Metadata {
    /// Reads the section.
    pub fn read(outline: &Outline) -> Result<Self, Fault> {
        let section = path(&[]);
        let Some(Part { shape: Shape::Map, .. }) = outline.part(&section) else {
            let fix = "encrypt it with `sops encrypt --in-place` and look at it with `rempart secrets seal FILE`, or move it away and \
                       put each secret in with `rempart secrets set`";
            return Err(Fault::new(FaultKind::Format, "not encrypted by SOPS", "it has no `sops` section", fix));
        };
        let said = |key: &str| scalar(outline, &path(&[key])).unwrap_or_default();
        for rule in UNKNOWN_RULES {
            if !said(rule).is_empty() {
                let fix = "use encrypted_regex or a suffix in the place of it";
                return Err(Fault::new(FaultKind::Unsupported, "a rule that is not supported", rule, fix));
            }
        }
        let rules: Vec<_> = RULES.iter().map(|rule| (*rule, said(rule))).collect();
        let selection = Selection::from_rules(&rules, said("mac_only_encrypted") == "true")?;
        let needed = |key: &'static str| {
            let value = said(key);
            let fix = "take the file from where it was written";
            let fault = || Fault::new(FaultKind::Format, "the `sops` section lacks a part", key, fix);
            if value.is_empty() { Err(fault()) } else { Ok(value) }
        };
        let (last_modified, mac) = (needed("lastmodified")?, needed("mac")?);

        let mut at = section;
        let mut groups = outline.children(&path(&["key_groups"])).count();
        if has_recipients(outline, &at) {
            groups = 0;
        }
        if groups > 1 {
            let detail = format!("it needs parts of its key from several of {groups} groups of recipients");
            let fix = "keep it in one group: `sops groups delete`";
            return Err(Fault::new(FaultKind::Unsupported, "a key that is shared out (key_groups)", detail, fix));
        }
        if groups == 1 {
            at = [path(&["key_groups"]), vec![Step::Item(0)]].concat();
        }
        let entries_at = [at.as_slice(), &[Step::Key("age".into())]].concat();
        let mut entries = Vec::new();
        for item in outline.children(&entries_at) {
            let field = |name: &str| scalar(outline, &[item.path.as_slice(), &[Step::Key(name.into())]].concat());
            match (field("recipient"), field("enc")) {
                (Some(recipient), Some(encrypted)) => entries.push(Entry { recipient, encrypted }),
                _ => {
                    let fix = "take the file from where it was written";
                    let detail = "it lacks `recipient` or `enc`";
                    return Err(Fault::new(FaultKind::Format, "an entry of a recipient is broken", detail, fix));
                }
            }
        }
        let others = others(outline, &at);
        if entries.is_empty() {
            let detail = if others.is_empty() { "it names nobody".to_owned() } else { others.join(", ") };
            let fix = "add a recipient of age with `sops rotate --add-age`";
            return Err(Fault::new(FaultKind::Unsupported, "the file has no recipient of age", detail, fix));
        }
        Ok(Self { entries, entries_at, others, last_modified, mac, selection })
    }
}

fn has_recipients(outline: &Outline, at: &[Step]) -> bool {
    outline
        .children(at)
        .filter(|part| matches!(part.shape, Shape::List) && part.path.last() != Some(&Step::Key("key_groups".into())))
        .any(|part| outline.children(&part.path).next().is_some())
}

// Every list of maps that has `enc`, but for that of age: kinds that are made later are named as well.
fn others(outline: &Outline, at: &[Step]) -> Vec<String> {
    let mut all = Vec::new();
    for list in outline.children(at).filter(|part| matches!(part.shape, Shape::List)) {
        let Some(Step::Key(kind)) = list.path.last() else { continue };
        if kind == "age" || kind == "key_groups" {
            continue;
        }
        for item in outline.children(&list.path) {
            let field = |name: &str| scalar(outline, &[item.path.as_slice(), &[Step::Key(name.into())]].concat());
            let names = ["fp", "arn", "resource_id", "vault_address", "vault_url", "key_id", "name"];
            let name = names.iter().find_map(|name| field(name)).unwrap_or_default();
            all.push(format!("{kind} {name}").trim_end().to_owned());
        }
    }
    all
}

fn scalar(outline: &Outline, path: &[Step]) -> Option<String> {
    match &outline.part(path)?.shape {
        Shape::Scalar { text, .. } => Some(text.as_str().to_owned()),
        Shape::Map | Shape::List => None,
    }
}
