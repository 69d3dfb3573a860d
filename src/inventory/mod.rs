//! Owns the inventory: files to hosts, groups and merged variables, in Ansible's shapes, each value with its origin.
//!
//! Must not know playbooks, templates or how a connection is made; it says only where one would lead ([`target`]).
//! It prints nothing and asks nobody: loading collects every fault and every warning.
//!
//! In reading order: `sources` finds the files and the shape of each; a `shape_*` reads one into `draft` (`words` and
//! `literal` cut and read the lines of INI, `program` runs what prints JSON and `watch` ends it with rempart);
//! `vars_files` reads what stands beside them, and `owners` says whether that may be somebody else's; `settings` marks
//! what is secret; `merge` says who wins; `pattern` selects; `known`, `connection`, `address` and `ssh_args` turn
//! connection variables into a target; `listing` is the shape of `ansible-inventory --list`.

mod address;
mod connection;
mod draft;
mod known;
mod listing;
mod literal;
mod merge;
mod names;
mod owners;
pub mod pattern;
mod program;
mod range;
mod settings;
mod shape_ini;
mod shape_script;
mod shape_yaml;
mod sources;
mod ssh_args;
mod vars_files;
mod watch;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use connection::{Lookup, Overrides, raw, target};
pub use owners::Owners;

use crate::model::{Diagnostic, HostName, Place, Source};
use crate::yaml::{self, Dialect, Entry, Node, Value};

/// Hosts, groups and variables out of all sources.
#[derive(Clone, Debug)]
pub struct Inventory {
    hosts: Vec<Host>,
    groups: Vec<Group>,
    host_index: HashMap<HostName, usize>,
    group_index: HashMap<String, usize>,
    warnings: Vec<Diagnostic>,
}

/// A group as the sources have it together.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The groups it stands under.
    pub parents: Vec<String>,
    /// The groups under it, in order of appearance.
    pub children: Vec<String>,
    /// The hosts that stand in it themselves, in order of appearance; [`Inventory::members`] has those of its children.
    pub hosts: Vec<HostName>,
    /// The longest way down from `all`, which has 0.
    pub depth: usize,
    /// `ansible_group_priority`, or 1: among groups of one depth the higher one wins.
    pub priority: i64,
    /// Where it stands first; `None` for `all` and `ungrouped` where no file names them.
    pub place: Option<Place>,
}

/// A host with its merged variables.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// All groups it is in, those above them included, in the order of merging: `all` first.
    pub groups: Vec<String>,
    /// Its variables; hosts of the same groups share them.
    pub vars: BTreeMap<Arc<str>, Arc<Var>>,
    /// Where it stands first.
    pub place: Place,
}

/// A variable as one host sees it.
#[derive(Clone, Debug)]
pub struct Var {
    /// The winning value; its place is the variable's origin.
    pub node: Arc<Node>,
    /// Which level gave it.
    pub level: Level,
    /// What it won over, strongest first: where it stands and whose it is.
    pub shadowed: Vec<(Place, String)>,
    /// Sibling groups that say otherwise; an error only for who uses the value.
    pub conflict: Option<Conflict>,
}

/// Groups of one depth and one priority that give a variable different values; the last by name won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The group that won.
    pub group: String,
    /// The others that disagree: where, and which group.
    pub others: Vec<(Place, String)>,
}

/// Who gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// A group.
    Group {
        /// Its name.
        name: Arc<str>,
        /// Its depth under `all`.
        depth: usize,
        /// Its priority.
        priority: i64,
        /// Whether in `group_vars`, not in the inventory file.
        file: bool,
    },
    /// The host.
    Host {
        /// Whether in `host_vars`, not in the inventory file.
        file: bool,
    },
    /// The command line.
    Set,
    /// The project's file, for connections alone: weaker than all others.
    Project,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Group { name, file: false, .. } => write!(f, "group {name}"),
            Level::Group { name, file: true, .. } => write!(f, "group_vars of {name}"),
            Level::Host { file: false } => f.write_str("the host"),
            Level::Host { file: true } => f.write_str("host_vars"),
            Level::Set => f.write_str("--set"),
            Level::Project => f.write_str("the project, for connections where the inventory has none"),
        }
    }
}

/// Loads one inventory out of all sources: files, folders of files, or lists of hosts with commas. Later ones win.
///
/// `group_vars` and `host_vars` of the current folder win over those beside the sources, as they do for Ansible, which
/// finds them beside the playbook. Nobody named them, so there they must be the user's own, and are told where they are
/// none of the inventory's own folder.
///
/// # Errors
/// Everything that is wrong with any of them, each with its place.
pub fn load(paths: &[PathBuf]) -> Result<Inventory, Vec<Diagnostic>> {
    load_of(paths, None)
}

/// The same for the folder that is used where nobody named an inventory: every folder and file of it must be the
/// user's own before it is read or run.
///
/// # Errors
/// Everything that is wrong with it, and what of it may be somebody else's.
pub fn load_usual(folder: &Path) -> Result<Inventory, Vec<Diagnostic>> {
    load_of(&[folder.to_path_buf()], Some(&Owners::user()))
}

fn load_of(paths: &[PathBuf], owners: Option<&Owners>) -> Result<Inventory, Vec<Diagnostic>> {
    let mut draft = draft::Draft::new();
    let mut folders = sources::read_all(paths, owners, &mut draft);
    let here = PathBuf::new();
    let same = |folder: &PathBuf| {
        let whole =
            |path: &Path| std::fs::canonicalize(if path.as_os_str().is_empty() { Path::new(".") } else { path });
        matches!((whole(folder), whole(&here)), (Ok(one), Ok(other)) if one == other)
    };
    let own = folders.iter().any(same);
    folders.retain(|folder| !same(folder));
    let whose = owners.map_or(vars_files::Whose::OfInventory, |owners| vars_files::Whose::Both(owners.clone()));
    let mut beside: Vec<_> = folders.iter().map(|folder| vars_files::read(folder, &whose, &mut draft)).collect();
    let stand_here = paths.iter().filter(|path| {
        let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
        path.exists() && folder.is_some_and(|folder| same(&folder.to_path_buf()))
    });
    let owners = Owners::user().and_of(stand_here.map(PathBuf::as_path));
    let whose = if own { vars_files::Whose::Both(owners) } else { vars_files::Whose::OfFolder(owners) };
    let found = vars_files::read(&here, &whose, &mut draft);
    if !own {
        draft.warnings.extend(found.told());
    }
    beside.push(found);
    let faults = std::mem::take(&mut draft.faults);
    draft.reconcile();
    look_over(&mut draft, &beside);
    if faults.is_empty() && draft.hosts.is_empty() {
        draft.warnings.extend(nobody(paths, &draft));
    }
    match merge::merge(draft, &beside) {
        Ok(inventory) if faults.is_empty() => Ok(inventory),
        Ok(_) => Err(faults),
        Err(circles) => Err(faults.into_iter().chain(circles).collect()),
    }
}

// That there is no host at all, where nothing said so yet.
fn nobody(paths: &[PathBuf], draft: &draft::Draft) -> Option<Diagnostic> {
    if draft.warnings.iter().any(|told| told.summary == sources::EMPTY) {
        return None;
    }
    let all = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let told = Diagnostic::warning("an inventory without any host").at(&Place::outside(&all), "");
    Some(told.because("nothing can be done with it").fix("add hosts, or name another inventory with -i"))
}

// What is no fault, but worth a word: names that stand for two things, and connection variables that do nothing here.
fn look_over(draft: &mut draft::Draft, beside: &[vars_files::Beside]) {
    let mut told = Vec::new();
    for group in &draft.groups {
        if let Some(at) = draft.has_host(&group.name) {
            let mut warning = Diagnostic::warning("a host and a group of one name")
                .at(&draft.hosts[at].place, format!("`{}` is a host here", group.name))
                .because("a pattern with this name means the host, and its variables are easily mixed up")
                .fix("rename one of them");
            if let Some(place) = &group.place {
                warning = warning.see(place, "and a group here");
            }
            told.push(warning);
        }
    }
    let inside = draft.groups.iter().map(|group| &group.settings).chain(draft.hosts.iter().map(|host| &host.settings));
    let mut files: Vec<_> = Vec::new();
    for folder in beside {
        // By number, not by hash: two loads must tell the same.
        let mut sorted: Vec<_> = folder.groups.iter().map(|(at, settings)| ((0, *at), settings)).collect();
        sorted.extend(folder.hosts.iter().map(|(at, settings)| ((1, *at), settings)));
        sorted.sort_by_key(|(at, _)| *at);
        files.extend(sorted.into_iter().map(|(_, settings)| settings));
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for setting in inside.chain(files).flatten() {
        if setting.name.starts_with("ansible_") && seen.insert(&setting.name) {
            told.extend(known::unknown(&setting.name, &setting.node.place));
        }
    }
    draft.warnings.extend(told);
}

impl Inventory {
    fn new(hosts: Vec<Host>, groups: Vec<Group>, warnings: Vec<Diagnostic>) -> Self {
        let host_index = hosts.iter().enumerate().map(|(at, host)| (host.name.clone(), at)).collect();
        let group_index = groups.iter().enumerate().map(|(at, group)| (group.name.clone(), at)).collect();
        Self { hosts, groups, host_index, group_index, warnings }
    }

    /// All hosts, in order of first appearance.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// All groups: `all`, `ungrouped`, then in order of first appearance.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The host of a name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(*self.host_index.get(name)?)
    }

    /// The group of a name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(*self.group_index.get(name)?)
    }

    /// The hosts of a group and of all groups under it, each once, in Ansible's order: its own, then level by level.
    pub fn members(&self, group: &str) -> Vec<&HostName> {
        let mut open: Vec<&Group> = self.group(group).into_iter().collect();
        let mut seen: HashSet<&str> = open.iter().map(|group| group.name.as_str()).collect();
        let mut known = HashSet::new();
        let mut hosts = Vec::new();
        let mut at = 0;
        while let Some(group) = open.get(at).copied() {
            at += 1;
            hosts.extend(group.hosts.iter().filter(|host| known.insert(*host)));
            open.extend(group.children.iter().filter_map(|child| self.group(child)).filter(|g| seen.insert(&g.name)));
        }
        hosts
    }

    /// What is worth a word though nothing is wrong.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The hosts that a pattern selects, each once; see [`pattern`]. `place` is where the pattern stands.
    ///
    /// # Errors
    /// A term that matches nothing, or a pattern that selects no host: never an empty success.
    pub fn select(&self, pattern: &str, place: &Place) -> Result<Vec<HostName>, Diagnostic> {
        pattern::select(self, pattern, place)
    }

    /// The shape of `ansible-inventory --list`, with `(secret NAME)` in the place of secrets.
    pub fn to_json(&self) -> serde_json::Value {
        listing::to_json(self)
    }

    /// Gives every host a variable that wins over everything, as `--set NAME=YAML` does. Its origin is `--set`.
    ///
    /// # Errors
    /// The name is none, or the text is not valid YAML.
    pub fn with_set_vars(&mut self, name: &str, text: &str) -> Result<(), Diagnostic> {
        if let Some(why) = names::refuse_variable(name) {
            let told = Diagnostic::error("a name that no variable can have").at(&Place::outside("--set"), "");
            return Err(told.because(why).fix(match name.split_once(['.', '[']) {
                Some((whole, _)) if names::refuse_variable(whole).is_none() => {
                    format!("set the whole variable: -e '{whole}={{NAME: VALUE}}' or -e '{whole}=[VALUE]'")
                }
                _ => "write -e NAME=VALUE, with a name of letters, digits and `_`".into(),
            }));
        }
        // The text itself is not shown: it may be a secret.
        let node = yaml::parse(&Source::new("--set", text), Dialect::Inventory).map_err(|_| {
            Diagnostic::error("a value that YAML does not read")
                .at(&Place::outside("--set"), "")
                .because(format!("the value of `{name}`"))
                .fix("put it in quotes inside of the shell's: -e 'NAME=\"a: text\"'")
        })?;
        let mut faults = Vec::new();
        let mut setting = settings::setting(name, node, &mut faults);
        setting.node = Arc::new(elsewhere(setting.node.as_ref().clone(), &Place::outside("--set")));
        if let Some(fault) = faults.pop() {
            return Err(fault);
        }
        for host in &mut self.hosts {
            merge::overlay(&mut host.vars, &setting, Level::Set);
        }
        if name.starts_with("ansible_") {
            self.warnings.extend(known::unknown(name, &setting.node.place));
        }
        Ok(())
    }
}

// A value of the command line stands on no line.
fn elsewhere(node: Node, place: &Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| elsewhere(item, place)).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|entry| Entry { key: entry.key, place: place.clone(), node: elsewhere(entry.node, place) })
                .collect(),
        ),
        value => value,
    };
    Node::new(place.clone(), value)
}
