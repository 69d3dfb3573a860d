//! Owns `group_vars` and `host_vars`: which of their files belong to which group or host, and their settings.
//!
//! Must not know who wins. Each folder is listed once, so ten thousand hosts do not ask the disk forty thousand
//! questions. As Ansible does, the first of NAME, NAME.yml, NAME.yaml and NAME.json is read and the others are not;
//! Ansible is silent about that, and about files of no known group, and here they are told.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::draft::{Draft, Setting};
use super::owners::Owners;
use super::shape_yaml::{explain, vaulted};
use super::{settings, sources};
use crate::model::{Diagnostic, Place, did_you_mean};
use crate::yaml::{self, Node, Value};

/// How the warning about a file for nobody begins.
const UNKNOWN: &str = "variables of an unknown";

const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];

/// The settings of one inventory folder's `group_vars` and `host_vars`, by the numbers of groups and hosts.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub groups: HashMap<usize, Vec<Setting>>,
    pub hosts: HashMap<usize, Vec<Setting>>,
}

/// Whose folder it is that is looked into.
pub(super) enum Whose {
    /// That of an inventory: somebody named it.
    OfInventory,
    /// The current one, in which an inventory that was named stands, too; or that of an inventory that nobody named.
    Both(Owners),
    /// The current one alone. It may hold files for groups and hosts of other inventories, which is not told then.
    OfFolder(Owners),
}

impl Whose {
    // Why a file of a folder that nobody named is not to be believed.
    fn doubt(&self, path: &Path) -> Option<Diagnostic> {
        let why = match self {
            Whose::OfInventory => return None,
            Whose::Both(owners) | Whose::OfFolder(owners) => owners.doubt(path)?,
        };
        Some(
            Diagnostic::error("variables that may be somebody else's")
                .at(&Place::outside(&path.display().to_string()), "")
                .because(format!("{why}; nobody named this file, and variables may name programs to be run as you"))
                .fix("make it your own (chown, chmod o-w), or run rempart in a folder of your own"),
        )
    }
}

impl Beside {
    /// That variables are used which stand in the current folder and beside no inventory, if there are any.
    pub fn told(&self) -> Option<Diagnostic> {
        let kinds = [("group_vars", self.groups.is_empty()), ("host_vars", self.hosts.is_empty())];
        let used: Vec<&str> = kinds.iter().filter(|(_, empty)| !empty).map(|(name, _)| *name).collect();
        let told = Diagnostic::warning("variables of the current folder are used");
        let told = told.at(&Place::outside(used.first()?), "");
        let why = format!("{} in this folder win over the inventory's own, as in Ansible", used.join(" and "));
        Some(told.because(why).fix("move them beside the inventory if they belong to it"))
    }
}

/// Reads what stands beside the inventory files in `folder`.
pub(super) fn read(folder: &Path, whose: &Whose, draft: &mut Draft) -> Beside {
    let before = draft.warnings.len();
    let groups: Vec<String> = draft.groups.iter().map(|group| group.name.to_string()).collect();
    let hosts: Vec<String> = draft.hosts.iter().map(|host| host.name.clone()).collect();
    let beside = Beside {
        groups: read_kind(&folder.join("group_vars"), "group", &groups, whose, draft),
        hosts: read_kind(&folder.join("host_vars"), "host", &hosts, whose, draft),
    };
    if matches!(whose, Whose::OfFolder(_)) {
        let mut fresh = draft.warnings.split_off(before);
        fresh.retain(|told| !told.summary.starts_with(UNKNOWN));
        draft.warnings.extend(fresh);
    }
    beside
}

fn read_kind(
    folder: &Path,
    what: &str,
    known: &[String],
    whose: &Whose,
    draft: &mut Draft,
) -> HashMap<usize, Vec<Setting>> {
    let mut found = HashMap::new();
    if !folder.exists() {
        return found;
    }
    let shown = |path: &Path| Place::outside(&path.display().to_string());
    if !folder.is_dir() {
        draft.warnings.push(
            Diagnostic::warning("not a folder, so not read")
                .at(&shown(folder), "")
                .fix(format!("make it a folder with one file for each {what}")),
        );
        return found;
    }
    if let Some(doubt) = whose.doubt(folder) {
        draft.faults.push(doubt);
        return found;
    }
    let names = match sources::list(folder) {
        Ok(names) => names,
        Err(fault) => {
            draft.faults.push(fault);
            return found;
        }
    };
    let present: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut used = HashSet::new();
    for (at, name) in known.iter().enumerate() {
        let mut read: Option<String> = None;
        for ending in ENDINGS {
            let file = format!("{name}{ending}");
            let Some(entry) = present.get(file.as_str()) else { continue };
            used.insert(*entry);
            if let Some(first) = &read {
                draft.warnings.push(
                    Diagnostic::warning("a variables file that is not read")
                        .at(&shown(&folder.join(entry)), "")
                        .because(format!("`{first}` stands beside it and comes first; Ansible reads one of them, too"))
                        .fix(format!("move both into the folder `{name}/`, where all files are read")),
                );
                continue;
            }
            let path = folder.join(entry);
            let mut settings = Vec::new();
            if path.is_dir() {
                read_folder(&path, 0, whose, &mut settings, draft);
            } else if path.exists() {
                read_file(&path, whose, &mut settings, draft);
            } else {
                continue; // a link that leads nowhere
            }
            found.insert(at, settings);
            read = Some(file);
        }
    }
    for name in names.iter().filter(|name| !used.contains(name.as_str()) && belongs(name)) {
        let stem = ENDINGS[1..].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        let mut told = Diagnostic::warning(format!("{UNKNOWN} {what}"))
            .at(&shown(&folder.join(name)), "")
            .because(format!("no {what} is called `{stem}`, so the file is not read"));
        told.fix = Some(match did_you_mean(stem, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("rename it to a {what} of the inventory, or remove it"),
        });
        draft.warnings.push(told);
    }
    found
}

// Whether a name in such a folder can be meant as a variables file at all.
fn belongs(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|end| end.to_str()).unwrap_or("");
    !name.starts_with('.') && !name.ends_with('~') && !["md", "txt", "bak", "orig", "swp", "rst"].contains(&ending)
}

fn read_folder(folder: &Path, depth: usize, whose: &Whose, settings: &mut Vec<Setting>, draft: &mut Draft) {
    if let Some(doubt) = whose.doubt(folder) {
        return draft.faults.push(doubt);
    }
    if depth > 16 {
        draft.faults.push(
            Diagnostic::error("folders are nested too deeply")
                .at(&Place::outside(&folder.display().to_string()), "")
                .fix("look for links that lead in a circle"),
        );
        return;
    }
    let names = match sources::list(folder) {
        Ok(names) => names,
        Err(fault) => return draft.faults.push(fault),
    };
    for name in names.iter().filter(|name| !name.starts_with('.') && !name.ends_with('~')) {
        let path: PathBuf = folder.join(name);
        let ending = path.extension().and_then(|end| end.to_str());
        if path.is_dir() {
            if ending.is_none() {
                read_folder(&path, depth + 1, whose, settings, draft);
            }
        } else if ending.is_none_or(|end| ["yml", "yaml", "json"].contains(&end)) && path.is_file() {
            read_file(&path, whose, settings, draft);
        }
    }
}

fn read_file(path: &Path, whose: &Whose, settings: &mut Vec<Setting>, draft: &mut Draft) {
    if let Some(doubt) = whose.doubt(path) {
        return draft.faults.push(doubt);
    }
    let read = || -> Result<Node, Diagnostic> {
        let source = yaml::read(path)?;
        if source.text.starts_with("$ANSIBLE_VAULT") {
            return Err(vaulted(&source));
        }
        sources::tree(&source).map_err(explain)
    };
    match read() {
        Err(fault) => draft.faults.push(fault),
        Ok(Node { value: Value::Null, .. }) => {}
        Ok(Node { value: Value::Map(entries), .. }) => {
            if let Some(entry) = entries.iter().find(|entry| entry.key == "ansible_group_priority") {
                draft.warnings.push(
                    Diagnostic::warning("a priority that has no effect")
                        .at(&entry.place, "Ansible ignores it here, too")
                        .fix("put it under the group's `vars:` in the inventory file"),
                );
            }
            settings.extend(settings::take(entries, &mut draft.faults));
        }
        Ok(node) => draft.faults.push(
            Diagnostic::error("a variables file must be a map")
                .at(&node.place, format!("this is {}", node.shape()))
                .fix("write each variable as a key, without a dash: `name: value`"),
        ),
    }
}
