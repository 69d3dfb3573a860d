//! Owns which files an inventory is made of, and which shape each has.
//!
//! Must not know what a shape means: a new one is a file with a `read`, and a line in `read_file`. Ansible tries its
//! plugins on each source in turn (a list of hosts, a program, YAML, INI) until one succeeds; here the shape is known
//! before anything is read into the draft, by the same rules, so that what is told is about the shape that was meant.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Draft, UNGROUPED};
use super::owners::Owners;
use super::{names, program, settings, shape_ini, shape_script, shape_yaml};
use crate::model::{Diagnostic, Place, Source};
use crate::yaml::{self, Dialect, Node, Value};

/// The endings that Ansible passes over in a folder of inventories.
const PASSED_OVER: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// The warning about a file that holds nothing.
pub(super) const EMPTY: &str = "an empty inventory file";

/// Reads all sources into one draft, and returns the folders beside which `group_vars` and `host_vars` are looked for,
/// weakest first. Where nobody named the paths, only what `owners` do not doubt is read or run.
pub(super) fn read_all(paths: &[PathBuf], owners: Option<&Owners>, draft: &mut Draft) -> Vec<PathBuf> {
    let mut beside: Vec<PathBuf> = Vec::new();
    for path in paths {
        let folder = if path.is_dir() {
            read_folder(path, owners, draft, 0);
            path.clone()
        } else if let Some(list) = host_list(path) {
            // No folder is beside it.
            read_list(list, draft);
            continue;
        } else if !path.exists() {
            draft.faults.push(missing(path));
            continue;
        } else {
            read_file(path, owners, draft);
            path.parent().map(Path::to_path_buf).unwrap_or_default()
        };
        // The same folder again is read once, with the strength of its last mention.
        beside.retain(|known| *known != folder);
        beside.push(folder);
    }
    beside
}

// What is no path and has a comma is a list of hosts.
fn host_list(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.contains(',') && !path.exists())
}

fn missing(path: &Path) -> Diagnostic {
    let shown = path.display().to_string();
    let told = Diagnostic::error("an inventory that is not there").at(&Place::outside(&shown), "");
    match names::hosts(&shown) {
        Ok(_) if !shown.contains('.') || shown.parse::<std::net::IpAddr>().is_ok() => told
            .because("no file and no folder has this name")
            .fix(format!("for a host of this name write a comma: -i {shown},")),
        _ => told.because("no file and no folder has this name").fix("check the path"),
    }
}

fn read_folder(folder: &Path, owners: Option<&Owners>, draft: &mut Draft, depth: usize) {
    let at = Place::outside(&folder.display().to_string());
    if let Some(doubt) = doubted(folder, owners) {
        return draft.faults.push(doubt);
    }
    if depth > 16 {
        draft.faults.push(
            Diagnostic::error("folders are nested too deeply")
                .at(&at, "")
                .fix("name the inventory's own folder, and look for links that lead in a circle"),
        );
        return;
    }
    let mut names = match list(folder) {
        Ok(names) => names,
        Err(fault) => return draft.faults.push(fault),
    };
    names.retain(|name| {
        !name.starts_with('.')
            && !["group_vars", "host_vars", "vars_plugins"].contains(&name.as_str())
            && !PASSED_OVER.iter().any(|end| name.ends_with(end))
    });
    if names.is_empty() && depth == 0 {
        draft.faults.push(
            Diagnostic::error("a folder without an inventory")
                .at(&at, "")
                .because("it holds no file that an inventory is read from")
                .fix("name an inventory file, or put one into the folder"),
        );
    }
    for name in names {
        let path = folder.join(name);
        if path.is_dir() {
            read_folder(&path, owners, draft, depth + 1);
        } else {
            read_file(&path, owners, draft);
        }
    }
}

/// The names in a folder, sorted.
pub(super) fn list(folder: &Path) -> Result<Vec<String>, Diagnostic> {
    let fail = |detail: String| {
        Diagnostic::error("cannot read a folder").at(&Place::outside(&folder.display().to_string()), "").because(detail)
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| fail(error.to_string()))? {
        let name = entry.map_err(|error| fail(error.to_string()))?.file_name();
        names.push(name.into_string().map_err(|name| fail(format!("the name {name:?} is not UTF-8")))?);
    }
    names.sort_unstable();
    Ok(names)
}

// Nobody named it, and it may be a program. That its folder is the user's own says nothing of it: somebody may have
// unpacked an archive as root, or allowed everybody to write it.
fn doubted(path: &Path, owners: Option<&Owners>) -> Option<Diagnostic> {
    let why = owners?.doubt(path)?;
    Some(
        Diagnostic::error("an inventory that may be somebody else's")
            .at(&Place::outside(&path.display().to_string()), "")
            .because(why)
            .fix("make it your own (chown, chmod o-w), or name the inventory that you mean with -i"),
    )
}

fn read_file(path: &Path, owners: Option<&Owners>, draft: &mut Draft) {
    if let Some(doubt) = doubted(path, owners) {
        return draft.faults.push(doubt);
    }
    if program::is_program(path) {
        return shape_script::read(path, draft);
    }
    let source = match yaml::read(path) {
        Ok(source) => source,
        Err(fault) => return draft.faults.push(fault),
    };
    if source.text.starts_with("$ANSIBLE_VAULT") {
        return draft.faults.push(shape_yaml::vaulted(&source));
    }
    let before = draft.faults.len();
    read_text(path, &source, draft);
    if draft.faults.len() > before && program::lacks_permission(path) {
        // What is wrong with its lines as an inventory would only lead astray.
        draft.faults.truncate(before);
        draft.faults.push(
            Diagnostic::error("an inventory program that may not be executed")
                .at(&Place::outside(&source.path), "")
                .because("it begins with `#!`, and has no permission to be executed")
                .fix(format!("allow it: chmod +x {}", source.path)),
        );
    }
}

fn read_text(path: &Path, source: &Arc<Source>, draft: &mut Draft) {
    let ending = path.extension().and_then(|end| end.to_str()).unwrap_or("");
    if ending == "toml" {
        return draft.faults.push(
            Diagnostic::error("an inventory in a shape that is not read")
                .at(&Place::outside(&source.path), "")
                .because("what is read is YAML, INI, JSON and what a program prints; this is TOML by its name")
                .fix("turn it into YAML: ansible-inventory -i FILE --list --yaml --export > hosts.yml"),
        );
    }
    // Ansible's YAML reader takes a file without an ending, too, and no other.
    if !["", "yml", "yaml", "json"].contains(&ending) {
        let before = draft.faults.len();
        shape_ini::read(source, draft);
        if draft.faults.len() > before && matches!(tree(source), Ok(Node { value: Value::Map(_), .. })) {
            draft.faults.truncate(before);
            draft.faults.push(
                Diagnostic::error("YAML in a file that is read as INI")
                    .at(&Place::outside(&source.path), "")
                    .because("as in Ansible, YAML is read from files that end in .yml or .yaml, or in nothing")
                    .fix("rename the file"),
            );
        }
        return;
    }
    match tree(source) {
        Ok(Node { value: Value::Map(entries), place }) => {
            shape_yaml::read(Node::new(place, Value::Map(entries)), draft);
        }
        Ok(Node { value: Value::Null, .. }) if !shape_ini::begins_with_section(&source.text) => empty(source, draft),
        // No groups in YAML; what has lines of hosts is INI, whatever its name.
        Ok(_) if is_ini(source) => shape_ini::read(source, draft),
        Ok(root) => shape_yaml::read(root, draft),
        Err(_) if is_ini(source) || !is_yaml(ending, source) => shape_ini::read(source, draft),
        Err(fault) => draft.faults.push(shape_yaml::explain(fault)),
    }
}

fn empty(source: &Arc<Source>, draft: &mut Draft) {
    draft.warnings.push(
        Diagnostic::warning(EMPTY)
            .at(&Place::outside(&source.path), "")
            .fix("add hosts, such as:\nall:\n  hosts:\n    web1:\n      ansible_host: 192.0.2.10"),
    );
}

/// The tree of a file in YAML or JSON. As Ansible does, it is tried as JSON first, where numbers mean something else.
///
/// # Errors
/// The first fault: of the JSON where the file is called so, else of the YAML.
pub(super) fn tree(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    if !source.text.trim_start().starts_with(['{', '[']) {
        return yaml::parse(source, Dialect::Inventory);
    }
    let json = yaml::parse_json(source);
    match json {
        Ok(node) => Ok(node),
        Err(json) => yaml::parse(source, Dialect::Inventory).map_err(|yaml| match source.path.ends_with(".json") {
            true => json,
            false => yaml,
        }),
    }
}

fn is_ini(source: &Arc<Source>) -> bool {
    if shape_ini::begins_with_section(&source.text) {
        return true;
    }
    let mut scratch = Draft::new();
    shape_ini::read(source, &mut scratch);
    scratch.faults.is_empty()
}

// Of a file that is neither: whether it was meant as YAML.
fn is_yaml(ending: &str, source: &Arc<Source>) -> bool {
    let mut lines = source.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let yaml = |line: &str| line.contains(": ") || line.ends_with(':') || line.starts_with(['{', '-', '%']);
    !ending.is_empty() || lines.next().is_some_and(yaml)
}

// `web1,web2` on the command line: hosts in no group.
fn read_list(list: &str, draft: &mut Draft) {
    let source = Source::new("-i", list);
    let mut start = 0;
    for part in list.split(',') {
        let at = start + (part.len() - part.trim_start().len());
        start += part.len() + 1;
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let place = Place::new(&source, at, at + part.len());
        let shown = settings::named(part);
        // What stands behind `=` may be a secret, and is not shown.
        let place = if list.contains('=') { settings::hidden(&place) } else { place };
        match names::hosts(part) {
            Ok((hosts, port)) => {
                let new = hosts.into_iter().filter(|host| draft.has_host(host).is_none()).collect();
                draft.add_hosts(new, port, &place, UNGROUPED, &[]);
            }
            Err(why) => draft.faults.push(
                Diagnostic::error("a name that no host can have")
                    .at(&place, why)
                    .because(format!("{shown:?}; with a comma in it, -i names hosts and no file"))
                    .fix(match part.contains('=') {
                        true => "name hosts alone: -i web1,web2; a variable for all of them is given by -e NAME=VALUE",
                        false => "write hosts with commas between them: -i web1,web2 or -i web1,",
                    }),
            ),
        }
    }
}
