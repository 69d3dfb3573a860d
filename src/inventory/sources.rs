//! Owns which files an inventory is made of, and which shape each has.
//!
//! Must not know what a shape means: a new one is a file with a `read`, a word in [`Format`] and a line in `dispatch`.

use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::shape_yaml;
use crate::model::{Diagnostic, Place};
use crate::yaml;

/// The shape of an inventory file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ansible's YAML: groups with `hosts`, `children` and `vars`. JSON in that shape is YAML, too.
    Yaml,
    /// Ansible's INI: `[group]` and lines of hosts.
    Ini,
    /// A program that prints JSON.
    Script,
}

/// The endings that Ansible passes over in a folder of inventories.
const PASSED_OVER: [&str; 12] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry"];

/// Reads all sources into one draft, and returns the folders beside which `group_vars` and `host_vars` are looked for,
/// weakest first.
pub(super) fn read_all(paths: &[PathBuf], draft: &mut Draft) -> Vec<PathBuf> {
    let mut beside: Vec<PathBuf> = Vec::new();
    for path in paths {
        let folder = if path.is_dir() {
            read_folder(path, draft, 0);
            path.clone()
        } else {
            dispatch(path, draft);
            path.parent().map(Path::to_path_buf).unwrap_or_default()
        };
        // The same folder again is read once, with the strength of its last mention.
        beside.retain(|known| *known != folder);
        beside.push(folder);
    }
    beside
}

fn read_folder(folder: &Path, draft: &mut Draft, depth: usize) {
    let at = Place::outside(&folder.display().to_string());
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
            read_folder(&path, draft, depth + 1);
        } else {
            dispatch(&path, draft);
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

fn dispatch(path: &Path, draft: &mut Draft) {
    let source = match yaml::read(path) {
        Ok(source) => source,
        Err(fault) => return draft.faults.push(fault),
    };
    let format = format(path, &source.text);
    let other = match format {
        Format::Yaml => return shape_yaml::read(&source, draft),
        Format::Ini => "an INI inventory",
        Format::Script => "an executable inventory",
    };
    draft.faults.push(
        Diagnostic::error("an inventory in a shape that is not read")
            .at(&Place::outside(&source.path), "")
            .because(format!("this looks like {other}; what is read is Ansible's YAML shape (.yml, .yaml, .json)"))
            .fix("turn it into YAML: ansible-inventory -i FILE --list --yaml --export > hosts.yml"),
    );
}

/// The shape of a file, by its name, its mode and its first lines.
pub fn format(path: &Path, text: &str) -> Format {
    let ending = path.extension().and_then(|end| end.to_str()).unwrap_or("");
    if ["yml", "yaml", "json"].contains(&ending) {
        return Format::Yaml;
    }
    if text.starts_with("#!") || is_executable(path) {
        return Format::Script;
    }
    if !ending.is_empty() {
        // Ansible's YAML reader takes a file without an ending, and no other.
        return Format::Ini;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let section = |line: &str| line.starts_with('[') && line.contains(']') && !line.contains(',');
    match lines.next() {
        Some("---") | None => Format::Yaml,
        Some(first) if section(first) => Format::Ini,
        Some(first) if first.contains(": ") || first.ends_with(':') || first.starts_with(['{', '-', '%']) => {
            Format::Yaml
        }
        Some(_) => Format::Ini,
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    false
}
