//! Owns what can stand in the place of a value: hosts, groups, variables, tags, playbooks, kinds, phases, runs.
//!
//! Read from the files that the line, the environment or `rempart.toml` names, and from this controller's journal; what
//! cannot be read gives nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap_complete::engine::CompletionCandidate;

use crate::cli::defaults::Defaults;
use crate::cli::history::state_folder;
use crate::history;
use crate::inventory::{self, Inventory};
use crate::kinds::KINDS;
use crate::model::{Phase, utc};
use crate::playbook;

/// A kind of value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Host,
    Pattern,
    Variable,
    Tag,
    Phase,
    Playbook,
    Kind,
    Run,
}

/// What the line says so far.
pub(super) struct Known {
    words: Vec<String>,
    defaults: Defaults,
}

impl Known {
    pub fn new(words: &[String], defaults: Defaults) -> Self {
        // The last word is being typed; it names nothing yet.
        let before = words.len().saturating_sub(1);
        Self { words: words[..before].to_vec(), defaults }
    }

    pub fn candidates(&self, wanted: Wanted, current: &str) -> Vec<CompletionCandidate> {
        match wanted {
            Wanted::Host => self.names(current, "", false),
            Wanted::Pattern => {
                let at = current.rfind([':', ',', '&', '!']).map_or(0, |at| at + 1);
                self.names(&current[at..], &current[..at], true)
            }
            Wanted::Variable => self.variables(current),
            Wanted::Tag => {
                let tags = playbook::load(&self.playbooks()).map(|site| site.tags()).unwrap_or_default();
                plain(tags.iter().map(String::as_str), current)
            }
            Wanted::Phase => plain(Phase::ALL.into_iter().map(Phase::name), current),
            Wanted::Playbook => files(current),
            Wanted::Run => runs(current),
            Wanted::Kind => {
                let named = KINDS.iter().filter(|entry| entry.name.starts_with(current));
                named.map(|entry| candidate(entry.name.to_owned(), entry.summary)).collect()
            }
        }
    }

    fn names(&self, current: &str, before: &str, groups: bool) -> Vec<CompletionCandidate> {
        let Some(inventory) = self.inventory() else { return Vec::new() };
        let hosts = inventory.hosts().iter().map(|host| (host.name.as_str(), "host"));
        let groups = inventory.groups().iter().filter(|_| groups).map(|group| (group.name.as_str(), "group"));
        groups
            .chain(hosts)
            .filter(|(name, _)| name.starts_with(current))
            .map(|(name, what)| candidate(format!("{before}{name}"), what))
            .collect()
    }

    fn variables(&self, current: &str) -> Vec<CompletionCandidate> {
        let host = self.words.iter().position(|word| word == "explain").and_then(|at| self.words.get(at + 1));
        let inventory = self.inventory();
        let host = host.and_then(|host| inventory.as_ref()?.host(host));
        let vars = host.into_iter().flat_map(|host| &host.vars).filter(|(name, _)| name.starts_with(current));
        vars.map(|(name, var)| candidate(name.to_string(), &var.level.to_string())).collect()
    }

    fn inventory(&self) -> Option<Inventory> {
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-i" | "--inventory" => paths.extend(words.next().map(PathBuf::from)),
                other => {
                    let joined = other.strip_prefix("--inventory=");
                    let joined = joined.or_else(|| other.strip_prefix("-i").filter(|_| !other.starts_with("--")));
                    paths.extend(joined.map(PathBuf::from));
                }
            }
        }
        if paths.is_empty() {
            paths.extend(std::env::var_os("REMPART_INVENTORY").filter(|path| !path.is_empty()).map(PathBuf::from));
        }
        if paths.is_empty() {
            paths.extend(self.defaults.of("project_inventory").iter().map(PathBuf::from));
        }
        if paths.is_empty() {
            paths.push(PathBuf::from("inventories"));
        }
        // A program could ask a whole cloud, for a key that was pressed.
        if paths.iter().any(|path| holds_program(path, 0)) {
            return None;
        }
        inventory::load(&paths).ok()
    }

    fn playbooks(&self) -> Vec<PathBuf> {
        let follows_flag = |at: usize| at > 0 && matches!(self.words[at - 1].as_str(), "-i" | "--inventory");
        let named = self.words.iter().enumerate().filter(|(at, word)| is_yaml(Path::new(word)) && !follows_flag(*at));
        let named: Vec<PathBuf> = named.map(|(_, word)| PathBuf::from(word)).filter(|path| path.is_file()).collect();
        if named.is_empty() { self.defaults.of("playbooks").iter().map(PathBuf::from).collect() } else { named }
    }
}

// The runs of this controller, the newest first.
fn runs(current: &str) -> Vec<CompletionCandidate> {
    let Some(history) = state_folder().ok().and_then(|folder| history::read(&folder).ok()) else { return Vec::new() };
    let named = history.runs.iter().rev().filter(|run| run.number.starts_with(current));
    named.map(|run| candidate(run.number.clone(), &told(run))).collect()
}

// What was done, when, and why.
fn told(run: &history::Run) -> String {
    let what = run.start.as_ref().map(|start| format!("{}: {}", start.verb.name(), start.why)).unwrap_or_default();
    format!("{} {what}", utc(run.began)).trim().to_owned()
}

fn candidate(value: String, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.to_owned().into()))
}

fn plain<'a>(all: impl Iterator<Item = &'a str>, current: &str) -> Vec<CompletionCandidate> {
    all.filter(|one| one.starts_with(current)).map(CompletionCandidate::new).collect()
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

fn holds_program(path: &Path, depth: usize) -> bool {
    if path.is_dir() {
        let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
        return depth > 4 || inside.into_iter().any(|entry| holds_program(&entry.path(), depth + 1));
    }
    path.metadata().is_ok_and(|about| about.permissions().mode() & 0o111 != 0)
}

// Folders, and files that a playbook can be.
fn files(current: &str) -> Vec<CompletionCandidate> {
    let (folder, start) = current.rsplit_once('/').map_or(("", current), |(folder, start)| (folder, start));
    let before = if current.contains('/') { format!("{folder}/") } else { String::new() };
    let read = std::fs::read_dir(if before.is_empty() { Path::new(".") } else { Path::new(&before) });
    let mut found: Vec<String> = read
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && !start.starts_with('.');
            let fits = name.starts_with(start) && !hidden;
            match entry.path() {
                _ if !fits => None,
                path if path.is_dir() => Some(format!("{before}{name}/")),
                path if is_yaml(&path) => Some(format!("{before}{name}")),
                _ => None,
            }
        })
        .collect();
    found.sort();
    found.into_iter().map(CompletionCandidate::new).collect()
}
