//! Tests of the language: a small fleet, a few kinds made for it, and files in a folder of their own.

mod fixture;
mod junk;
mod kinds;
mod language;
mod mistakes;
mod secrets;
mod store;
mod templates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::load_with;
use super::{Declared, Expansion, Fleet};
use crate::model::{Diagnostic, HostName, Place, Source};
use crate::secret::{NoSecret, NoVault, Secret, Vault};
use crate::yaml::{Dialect, Node, parse};

/// Hosts with variables, and groups.
#[derive(Default)]
pub struct TestFleet {
    hosts: Vec<HostName>,
    groups: BTreeMap<String, Vec<HostName>>,
    vars: BTreeMap<HostName, String>,
    conflict: Option<(String, Diagnostic)>,
    vault: Option<Arc<dyn Vault>>,
}

impl TestFleet {
    /// `s1` and `s2` in `servers`, `p1` and `p2` in `proxies`.
    pub fn new() -> Self {
        let host = |name: &str| HostName::new(name);
        Self {
            hosts: ["s1", "s2", "p1", "p2"].map(HostName::new).to_vec(),
            groups: BTreeMap::from([
                ("servers".to_owned(), vec![host("s1"), host("s2")]),
                ("proxies".to_owned(), vec![host("p1"), host("p2")]),
            ]),
            ..Self::default()
        }
    }

    /// With a store of these secrets; those without a value are locked.
    pub fn store(mut self, secrets: &'static [(&'static str, Option<&'static str>)]) -> Self {
        self.vault = Some(Arc::new(TestVault(secrets)));
        self
    }

    pub fn var(mut self, host: &str, yaml: &str) -> Self {
        self.vars.entry(HostName::new(host)).or_default().push_str(&format!("{yaml}\n"));
        self
    }
}

impl Fleet for TestFleet {
    fn hosts(&self) -> Vec<HostName> {
        self.hosts.clone()
    }

    fn select(&self, pattern: &str, place: &Place) -> Result<Vec<HostName>, Diagnostic> {
        let group = self.group_hosts(pattern);
        let hosts: Vec<HostName> = self.hosts.iter().filter(|host| host.as_str() == pattern).cloned().collect();
        let all = if pattern == "all" { self.hosts.clone() } else { [group, hosts].concat() };
        if all.is_empty() {
            return Err(Diagnostic::error("a pattern that matches no host").at(place, format!("`{pattern}`")));
        }
        Ok(all)
    }

    fn vars(&self, host: &HostName) -> Vec<(String, Node)> {
        let Some(text) = self.vars.get(host) else { return Vec::new() };
        let node = parse(&Source::new(format!("host_vars/{host}.yaml"), text.clone()), Dialect::Inventory).unwrap();
        node.entries().unwrap().iter().map(|entry| (entry.key.clone(), entry.node.clone())).collect()
    }

    fn groups(&self, host: &HostName) -> Vec<String> {
        self.groups.iter().filter(|(_, hosts)| hosts.contains(host)).map(|(name, _)| name.clone()).collect()
    }

    fn group_hosts(&self, group: &str) -> Vec<HostName> {
        self.groups.get(group).cloned().unwrap_or_default()
    }

    fn address(&self, host: &HostName) -> String {
        format!("{host}.example")
    }

    fn login_user(&self, _: &HostName) -> Option<String> {
        Some("admin".into())
    }

    fn ssh_port(&self, _: &HostName) -> u16 {
        22
    }

    fn vault(&self) -> Arc<dyn Vault> {
        self.vault.clone().unwrap_or_else(|| Arc::new(NoVault))
    }

    fn conflict(&self, _: &HostName, var: &str) -> Option<Diagnostic> {
        self.conflict.as_ref().filter(|(name, _)| name == var).map(|(_, told)| told.clone())
    }
}

#[derive(Debug)]
struct TestVault(&'static [(&'static str, Option<&'static str>)]);

impl Vault for TestVault {
    fn is_there(&self) -> bool {
        true
    }

    fn get(&self, name: &str) -> Result<Secret, NoSecret> {
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((name, Some(value))) => Ok(Secret::new(*name, *value)),
            Some((name, None)) => Ok(Secret::locked(*name, "no identity opens it")),
            None => {
                let known = self.0.iter().map(|(name, _)| (*name).to_owned()).collect();
                Err(NoSecret::Unknown { known, free: name.contains('/') })
            }
        }
    }
}

/// Files in a folder of their own, the first of which is read.
pub struct Files {
    folder: tempfile::TempDir,
    first: String,
}

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join("w").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder, first: files[0].0.to_owned() }
    }

    pub fn paths(&self) -> [PathBuf; 1] {
        [self.folder.path().join("w").join(&self.first)]
    }
}

/// Writes files into a folder and expands the first one.
pub fn expand_files(files: &[(&str, &str)], fleet: &TestFleet, facts: Option<&str>) -> Result<Expansion, String> {
    let files = Files::new(files);
    let told = |all: Vec<Diagnostic>| told(&all, files.folder.path());
    let facts = facts.map(|text| parse(&Source::new("facts", text), Dialect::Inventory).unwrap());
    let site = load_with(&files.paths(), kinds::all()).map_err(told)?;
    site.expand(fleet, &|_| facts.clone()).map_err(told)
}

/// Expands a playbook of one phase for the host `s1`: its items are given.
pub fn items(head: &str, items: &str) -> Result<Expansion, String> {
    items_of(head, items, &TestFleet::new(), None)
}

pub fn items_of(head: &str, items: &str, fleet: &TestFleet, facts: Option<&str>) -> Result<Expansion, String> {
    let text = format!("playbook: p\nhosts: s1\n{head}\nphases:\n  installation:\n{items}\n");
    expand_files(&[("p.yaml", &text)], fleet, facts)
}

/// One line for each declared resource: `host kind:key needs`.
pub fn lines(expansion: &Expansion) -> Vec<String> {
    expansion.declared.iter().map(line).collect()
}

fn line(declared: &Declared) -> String {
    let id = declared.id().map_or("?".to_owned(), |id| id.to_string());
    let waits = if declared.is_pending() { " (waits)" } else { "" };
    let needs: Vec<String> = declared.needs.iter().map(|need| format!("{}/{}", need.host, need.target)).collect();
    let needs = if needs.is_empty() { String::new() } else { format!(" <- {}", needs.join(" ")) };
    format!("{} {}{waits}{needs}", declared.host, id)
}

/// The debug form of one resource, without its kind's defaults.
pub fn resource<'a>(expansion: &'a Expansion, key: &str) -> &'a kinds::Note {
    let found = expansion.declared.iter().find(|declared| declared.id().is_some_and(|id| id.key == key));
    let resource = found.unwrap_or_else(|| panic!("no {key} in {:?}", lines(expansion))).resource().unwrap();
    resource.as_any().downcast_ref().unwrap()
}

/// Faults as text, with paths relative to the folder.
pub fn told(faults: &[Diagnostic], folder: &Path) -> String {
    let one = |told: &Diagnostic| {
        let mut text = format!("{}\n", told.summary);
        let mut add = |what: &str| text.push_str(&format!("  {what}\n"));
        for (place, label) in told.place.iter().chain(&told.related) {
            let source = place.text().lines().nth(place.line().saturating_sub(1)).unwrap_or("").trim_end();
            add(&format!("{place}: {label}"));
            if place.line() > 0 {
                let width = place.range().len().clamp(1, source.chars().count().max(1));
                add(&format!("  | {source}"));
                add(&format!("  | {}{}", " ".repeat(place.column() - 1), "^".repeat(width)));
            }
        }
        told.detail.iter().for_each(|detail| add(&format!("why: {detail}")));
        told.fix.iter().for_each(|fix| add(&format!("fix: {fix}")));
        text
    };
    let text: String = faults.iter().map(one).collect();
    let folder = folder.display().to_string();
    text.replace(&format!("{folder}/w/"), "").replace(&format!("{folder}/w"), ".").replace(&format!("{folder}/"), "../")
}
