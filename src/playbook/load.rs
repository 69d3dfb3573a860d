//! Owns files -> [`Site`]: playbooks, includes and site files, with all faults collected.

use std::path::{Path, PathBuf};

use super::site::{Batch, Item, Playbook, Site};
use super::{Fleet, ansible, item};
use crate::kinds::KINDS;
use crate::model::{Diagnostic, Phase, Place, did_you_mean};
use crate::resource;
use crate::yaml::{self, Dialect, Entry, Node, Value};

/// The words of a playbook file.
pub(super) const PLAYBOOK_WORDS: &[&str] = &["hosts", "phases", "playbook", "secret_vars", "serial", "vars"];
/// The words of a site file.
pub(super) const SITE_WORDS: &[&str] = &["playbooks", "site"];

/// Reads playbooks and site files, with what they include.
///
/// # Errors
/// Every fault in every file.
pub fn load(paths: &[PathBuf]) -> Result<Site, Vec<Diagnostic>> {
    load_with(paths, KINDS)
}

/// The same for a fleet: where files have faults, those of the values in what could be read are told with them.
///
/// # Errors
/// Every fault in every file, and then those that the values have on the fleet.
pub fn load_on(paths: &[PathBuf], fleet: &dyn Fleet) -> Result<Site, Vec<Diagnostic>> {
    load_on_with(paths, KINDS, fleet)
}

pub(super) fn load_on_with(
    paths: &[PathBuf],
    kinds: &'static [resource::Entry],
    fleet: &dyn Fleet,
) -> Result<Site, Vec<Diagnostic>> {
    let (site, mut loader) = read(paths, kinds);
    if loader.faults.is_empty() {
        return Ok(site);
    }
    loader.faults.extend(site.faults_of_values(fleet, loader.lost_names));
    Err(loader.faults)
}

pub(super) fn load_with(paths: &[PathBuf], kinds: &'static [resource::Entry]) -> Result<Site, Vec<Diagnostic>> {
    let (site, loader) = read(paths, kinds);
    if loader.faults.is_empty() { Ok(site) } else { Err(loader.faults) }
}

fn read(paths: &[PathBuf], kinds: &'static [resource::Entry]) -> (Site, Loader) {
    let mut loader = Loader { kinds, faults: Vec::new(), lost_names: false, including: Vec::new() };
    let mut site = Site { name: None, playbooks: Vec::new(), kinds };
    for path in paths {
        loader.entry_file(path, &mut site);
    }
    if site.playbooks.is_empty() && loader.faults.is_empty() {
        loader.faults.push(Diagnostic::error("no playbook").fix("name a playbook or a site file"));
    }
    (site, loader)
}

pub(super) struct Loader {
    pub kinds: &'static [resource::Entry],
    pub faults: Vec<Diagnostic>,
    /// Whether names that the files meant to bind are not bound, so that their uses look undefined.
    pub lost_names: bool,
    // The files around the one being read, with the place that names each.
    including: Vec<(PathBuf, Place)>,
}

impl Loader {
    fn read(&mut self, path: &Path, named: Option<&Place>) -> Option<Node> {
        match yaml::read(path).and_then(|source| yaml::parse(&source, Dialect::Playbook)) {
            Ok(node) => Some(node),
            Err(told) => {
                self.faults.push(match named {
                    Some(place) => told.see(place, "named here"),
                    None => told,
                });
                None
            }
        }
    }

    fn entry_file(&mut self, path: &Path, site: &mut Site) {
        let Some(node) = self.read(path, None) else { return };
        if let Some(name) = node.entry("site") {
            let name = self.text(&name.node, "site").map(|(name, _)| name);
            if site.name.is_none() {
                site.name = name;
            }
            self.site(&node, path, site);
        } else {
            site.playbooks.extend(self.playbook(&node, path));
        }
    }

    fn site(&mut self, node: &Node, path: &Path, site: &mut Site) {
        self.only(node, SITE_WORDS, "a site file");
        let Some(list) = node.get("playbooks").and_then(Node::items) else {
            let place = node.get("playbooks").map_or(&node.place, |node| &node.place);
            self.faults.push(
                Diagnostic::error("a site without playbooks")
                    .at(place, "a list of files belongs here")
                    .fix("add `playbooks: [a.yaml, b.yaml]`"),
            );
            return;
        };
        for one in list {
            let (file, vars) = match one.entries() {
                Some(_) => {
                    self.only(one, &["file", "vars"], "an entry of a site");
                    (one.get("file"), self.map(one.get("vars"), "vars"))
                }
                None => (Some(one), Vec::new()),
            };
            let Some((file, place)) = file.and_then(|file| self.text(file, "a file name")) else { continue };
            let target = beside(path, &file);
            let Some(node) = self.read(&target, Some(&place)) else { continue };
            if node.get("site").is_some() {
                self.faults.push(
                    Diagnostic::error("a site inside of a site")
                        .at(&place, "this is a site file")
                        .fix("name its playbooks here, or both sites on the command line"),
                );
                continue;
            }
            if let Some(mut playbook) = self.playbook(&node, &target) {
                for more in vars {
                    playbook.vars.retain(|old| old.key != more.key);
                    playbook.vars.push(more);
                }
                site.playbooks.push(playbook);
            }
        }
    }

    fn playbook(&mut self, node: &Node, path: &Path) -> Option<Playbook> {
        if node.entries().is_none() {
            let mut told = Diagnostic::error("not a playbook").at(&node.place, format!("this is {}", node.shape()));
            told.fix = Some(match node.items() {
                Some(_) => "a list of items is for `include:`; a playbook begins with `playbook: NAME`".into(),
                None => "begin with `playbook: NAME`, `hosts: PATTERN` and `phases:`".into(),
            });
            self.faults.push(told);
            return None;
        }
        self.only(node, PLAYBOOK_WORDS, "a playbook");
        let name = self.required(node, "playbook");
        let hosts = self.required(node, "hosts");
        let vars = self.map(node.get("vars"), "vars");
        let secret_vars = self.names(node.get("secret_vars"), "secret_vars");
        let serial = node.get("serial").map(|node| self.serial(node)).unwrap_or_default();
        let mut phases = Vec::new();
        match node.get("phases").map(|phases| (phases, phases.entries())) {
            Some((_, Some(entries))) => {
                for entry in entries {
                    let Some(phase) = Phase::ALL.into_iter().find(|phase| phase.name() == entry.key) else {
                        let names = Phase::ALL.map(Phase::name);
                        self.faults.push(
                            Diagnostic::error("an unknown phase")
                                .at(&entry.place, format!("`{}` is not a phase", entry.key))
                                .fix(suggestion(&entry.key, &names)),
                        );
                        continue;
                    };
                    phases.push((phase, self.items(&entry.node, path)));
                }
            }
            Some((phases, None)) => self.faults.push(
                Diagnostic::error("phases must be a map")
                    .at(&phases.place, format!("this is {}", phases.shape()))
                    .fix("write `preparation: [...]`, `installation: [...]` and so on below it"),
            ),
            None => self.faults.push(
                Diagnostic::error("a key is missing")
                    .at(&node.place, "`phases` must be given")
                    .fix("add `phases:` with `preparation`, `installation`, `hardening`, `tests` or `production`"),
            ),
        }
        phases.sort_by_key(|(phase, _)| *phase);
        let ((name, place), (hosts, hosts_place)) = (name?, hosts?);
        Some(Playbook { name, place, hosts, hosts_place, vars, secret_vars, serial, phases })
    }

    fn items(&mut self, node: &Node, path: &Path) -> Vec<Item> {
        match &node.value {
            Value::List(items) => items.iter().filter_map(|one| item::read(self, one, path)).collect(),
            Value::Null => Vec::new(),
            _ => {
                self.faults.push(
                    Diagnostic::error("items must be a list")
                        .at(&node.place, format!("this is {}", node.shape()))
                        .fix("begin each item with `- `"),
                );
                Vec::new()
            }
        }
    }

    /// The items of an included file.
    pub fn include(&mut self, file: &str, place: &Place, from: &Path) -> Vec<Item> {
        let target = beside(from, file);
        let known = target.canonicalize().unwrap_or_else(|_| target.clone());
        let this = from.canonicalize().unwrap_or_else(|_| from.to_owned());
        let around = self.including.iter().position(|(path, _)| *path == known);
        if around.is_some() || known == this {
            let chain = &self.including[around.unwrap_or(self.including.len())..];
            let mut told = Diagnostic::error("files that include one another").at(place, "this closes the circle");
            for (_, place) in chain {
                told = told.see(place, "included here");
            }
            self.faults.push(told.fix("remove one of the includes"));
            return Vec::new();
        }
        let Some(node) = self.read(&target, Some(place)) else { return Vec::new() };
        if node.entries().is_some() {
            let what = if node.get("playbook").is_some() { "this file is a playbook" } else { "this file is a map" };
            self.faults.push(
                Diagnostic::error("an included file must be a list of items")
                    .at(place, what)
                    .fix("gather playbooks in a `site:` file; include files that hold a list of items"),
            );
            return Vec::new();
        }
        self.including.push((this, place.clone()));
        let items = self.items(&node, &target);
        self.including.pop();
        items
    }

    fn serial(&mut self, node: &Node) -> Vec<Batch> {
        let one = |node: &Node| match &node.value {
            Value::Int(count) => u32::try_from(*count).ok().filter(|count| *count > 0).map(Batch::Count),
            Value::Text(text) => text
                .strip_suffix('%')
                .and_then(|number| number.parse().ok())
                .filter(|percent| (1..=100).contains(percent))
                .map(Batch::Percent),
            _ => None,
        };
        let nodes = node.items().unwrap_or(std::slice::from_ref(node));
        let mut batches = Vec::new();
        for node in nodes {
            match one(node) {
                Some(batch) => batches.push(batch),
                None => self.faults.push(
                    Diagnostic::error("not a size of a batch")
                        .at(&node.place, "expected a number of hosts, or a part of them")
                        .fix("write such as `serial: [1, \"25%\", \"100%\"]`"),
                ),
            }
        }
        batches
    }

    fn required(&mut self, node: &Node, key: &str) -> Option<(String, Place)> {
        match node.get(key) {
            Some(value) => self.text(value, key),
            None => {
                self.faults.push(
                    Diagnostic::error("a key is missing")
                        .at(&node.place, format!("`{key}` must be given"))
                        .fix(format!("add `{key}: ...`")),
                );
                None
            }
        }
    }

    /// A text that is not empty, with its place.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<(String, Place)> {
        match &node.value {
            Value::Text(text) if !text.is_empty() && !text.contains(char::is_control) => {
                Some((text.clone(), node.place.clone()))
            }
            Value::Int(number) => Some((number.to_string(), node.place.clone())),
            _ => {
                self.faults.push(
                    Diagnostic::error("a value of the wrong type")
                        .at(&node.place, format!("`{what}` takes a line of text, and this is {}", node.shape())),
                );
                None
            }
        }
    }

    /// The entries of a map that may be missing.
    pub fn map(&mut self, node: Option<&Node>, what: &str) -> Vec<Entry> {
        match node.map(|node| (node, &node.value)) {
            None | Some((_, Value::Null)) => Vec::new(),
            Some((_, Value::Map(entries))) => entries.clone(),
            Some((node, _)) => {
                self.lost_names = true;
                self.faults.push(
                    Diagnostic::error("a value of the wrong type")
                        .at(&node.place, format!("`{what}` takes a map, and this is {}", node.shape())),
                );
                Vec::new()
            }
        }
    }

    /// One name or a list of them.
    pub fn names(&mut self, node: Option<&Node>, what: &str) -> Vec<(String, Place)> {
        let Some(node) = node else { return Vec::new() };
        let nodes = match &node.value {
            Value::Null => &[],
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        nodes.iter().filter_map(|node| self.text(node, what)).collect()
    }

    fn only(&mut self, node: &Node, known: &[&str], what: &str) {
        for entry in node.entries().unwrap_or_default() {
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let mut told = Diagnostic::error("an unknown key").at(&entry.place, format!("not a word of {what}"));
            told.fix = Some(if self.kinds.iter().any(|kind| kind.name == entry.key) {
                "this is a kind: it belongs into a list of items, below `phases:`".into()
            } else if Phase::ALL.iter().any(|phase| phase.name() == entry.key) {
                "this is a phase: it belongs below `phases:`".into()
            } else if let Some(instead) = ansible::play_word(&entry.key).filter(|_| known == PLAYBOOK_WORDS) {
                instead.into()
            } else if entry.key == "rotations" {
                "rotations are not part of this version yet: remove it".into()
            } else {
                suggestion(&entry.key, known)
            });
            self.faults.push(told);
        }
    }
}

/// A name near the wrong one, or all of them.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    match did_you_mean(wrong, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are: {}", known.join(", ")),
    }
}

fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}
