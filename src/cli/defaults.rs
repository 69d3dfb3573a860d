//! Owns `rempart.toml`: where a project's defaults are found, what may stand in it, and how that reaches the flags.
//!
//! A default is handed to the command line's own parser as a default value, so that flags and `REMPART_*` win without
//! anybody having to say so here. What protects (approval, lock-out, host keys) has no key, and never will.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::OfProject;
use crate::inventory::Owners;
use crate::model::{Diagnostic, Place, Source, did_you_mean};
use crate::yaml::{Node, Value};

/// The file's name.
pub(super) const NAME: &str = "rempart.toml";

enum Shape {
    Path,
    Paths,
    Text,
    Number(i64, i64),
    Choice(&'static [&'static str]),
}

struct Key {
    name: &'static str,
    /// The argument whose default it is.
    argument: &'static str,
    shape: Shape,
}

const fn key(name: &'static str, argument: &'static str, shape: Shape) -> Key {
    Key { name, argument, shape }
}

/// Where the store is. The folder has the key's own name, if nobody says otherwise.
const STORE: Key = key("secrets", "secrets", Shape::Path);

const KEYS: &[Key] = &[
    key("inventory", "project_inventory", Shape::Paths),
    key("playbook", "playbooks", Shape::Paths),
    STORE,
    key("forks", "forks", Shape::Number(1, 500)),
    key("user", "project_user", Shape::Text),
    key("timeout", "project_timeout", Shape::Number(1, 3600)),
    key("private-key", "private_key", Shape::Path),
    key("known-hosts", "known_hosts", Shape::Paths),
    key("ssh-config", "ssh_config", Shape::Path),
    key("confirm-within", "confirm_within", Shape::Number(15, 86_400)),
    key("patience", "patience", Shape::Number(0, 86_400)),
    key("color", "color", Shape::Choice(&["auto", "always", "never"])),
];

/// Flags that people look for here, and why they are not to be had.
const NEVER: [&str; 8] = [
    "yes",
    "allow-lockout",
    "allow-older-secrets",
    "no-confirm",
    "ask-pass",
    "ask-become-pass",
    "become-password",
    "password",
];

/// What a project says beforehand.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    values: Vec<(&'static str, Vec<OsString>)>,
}

impl Defaults {
    /// Those of the project that the working directory belongs to.
    pub fn of_project() -> Result<Self, Vec<Diagnostic>> {
        let Ok(folder) = std::env::current_dir() else { return Ok(Self::default()) };
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        match find(&folder, home.as_deref()) {
            Some(found) => Self::read(&found, &folder),
            None => Ok(Self::default()),
        }
    }

    /// Those of a file with this text.
    pub fn of_text(text: &str) -> Result<Self, String> {
        let values = parse(&Source::new(NAME, text), Path::new("")).map_err(|faults| format!("{faults:?}"))?;
        Ok(Self { file: None, values })
    }

    fn read(file: &Path, folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let base = way_up(folder, file);
        let shown = base.join(NAME);
        let told = |why: String| {
            Diagnostic::error("the project's file cannot be used")
                .at(&Place::outside(&shown.display().to_string()), "")
                .because(why)
        };
        if let Some(why) = Owners::user().doubt(file) {
            let fix = "make it your own (chown, chmod o-w): whoever can write it would choose your keys and hosts";
            return Err(vec![told(why).fix(fix)]);
        }
        let text = std::fs::read_to_string(file).map_err(|error| vec![told(error.to_string())])?;
        let mut values = parse(&Source::new(shown.display().to_string(), text), &base)?;
        // The store is the project's, wherever in it somebody works.
        if values.iter().all(|(argument, _)| *argument != STORE.argument) {
            values.push((STORE.argument, vec![base.join(STORE.name).into_os_string()]));
        }
        Ok(Self { file: Some(shown), values })
    }

    /// Writes them into a command line as the default values of its arguments.
    pub fn onto(&self, command: clap::Command) -> clap::Command {
        let command = command.mut_args(|argument| self.fill(argument));
        command.mut_subcommands(|inner| self.onto(inner))
    }

    /// What is said for an argument.
    pub fn of(&self, argument: &str) -> &[OsString] {
        self.values.iter().find(|(known, _)| *known == argument).map_or(&[], |(_, values)| values)
    }

    fn fill(&self, argument: clap::Arg) -> clap::Arg {
        match self.of(argument.get_id().as_str()) {
            [] => argument,
            values => argument.required(false).default_values(values.to_vec()),
        }
    }
}

/// The file of a working directory: in it, or in a folder above it up to the repository's root or the home folder.
/// Where neither stands above, only the directory itself counts: what lies in `/tmp` or `/` is nobody's project.
fn find(folder: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let there = |folder: &Path| Some(folder.join(NAME)).filter(|file| file.is_file());
    let end = folder.ancestors().position(|above| above.join(".git").exists() || home == Some(above));
    folder.ancestors().take(end.unwrap_or(0) + 1).find_map(there)
}

// From the working directory to the file's folder, as short as a person would write it.
fn way_up(folder: &Path, file: &Path) -> PathBuf {
    let base = file.parent().unwrap_or(file);
    let levels = folder.strip_prefix(base).map_or(0, |below| below.components().count());
    std::iter::repeat_n(Component::ParentDir, levels).collect()
}

/// A host's connection variables, with what the project says where the inventory says nothing.
pub(super) fn weakest<'a>(
    of_host: impl Fn(&str) -> Option<Result<Node, Diagnostic>> + 'a,
    project: &'a OfProject,
) -> impl Fn(&str) -> Option<Result<Node, Diagnostic>> + 'a {
    move |name| of_host(name).or_else(|| said(project, name).map(Ok))
}

/// The connection variables that a project may have.
pub(super) const OF_CONNECTIONS: [&str; 2] = ["ansible_user", "ansible_timeout"];

/// What the project says of a connection variable.
pub(super) fn said(project: &OfProject, name: &str) -> Option<Node> {
    let value = match name {
        "ansible_user" => Value::Text(project.project_user.clone()?),
        "ansible_timeout" => Value::Int(i64::try_from(project.project_timeout?).ok()?),
        _ => return None,
    };
    Some(Node::new(Place::outside(NAME), value))
}

type Values = Vec<(&'static str, Vec<OsString>)>;

fn parse(source: &Arc<Source>, base: &Path) -> Result<Values, Vec<Diagnostic>> {
    let table = DeTable::parse(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let place = Place::new(source, span.start, span.end);
        vec![Diagnostic::error("this is not TOML").at(&place, error.message().trim().replace('\n', ", "))]
    })?;
    let (mut values, mut faults) = (Values::new(), Vec::new());
    for (name, value) in table.get_ref() {
        let at = |span: std::ops::Range<usize>| Place::new(source, span.start, span.end);
        // `private_key` is how other files spell `private-key`.
        let plain = name.get_ref().replace('_', "-");
        let Some(key) = KEYS.iter().find(|key| key.name == plain) else {
            faults.push(unknown(&plain, &at(name.span())));
            continue;
        };
        if values.iter().any(|(argument, _)| *argument == key.argument) {
            faults.push(
                Diagnostic::error("a key that stands twice").at(&at(name.span()), "with another spelling before"),
            );
            continue;
        }
        match texts(value, &key.shape, base) {
            Ok(texts) => values.push((key.argument, texts)),
            Err(wanted) => faults.push(
                Diagnostic::error("a value that does not fit")
                    .at(&at(value.span()), format!("`{plain}` takes {wanted}")),
            ),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

fn unknown(name: &str, place: &Place) -> Diagnostic {
    let told = Diagnostic::error("an unknown key");
    if NEVER.contains(&name) {
        return told
            .at(place, "this has no default")
            .because("what approves or unlocks something is said each time, on the command line")
            .fix("remove it");
    }
    let names = || KEYS.iter().map(|key| key.name);
    let told = told.at(place, format!("there is no `{name}`"));
    match did_you_mean(name, names()) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None => told.fix(format!("the keys are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

// The value as a command line would have it, or what the key takes.
fn texts(value: &Spanned<DeValue<'_>>, shape: &Shape, base: &Path) -> Result<Vec<OsString>, String> {
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned).filter(|text| !text.is_empty());
    let path = |value: &DeValue<'_>| text(value).map(|text| beside(base, &text).into_os_string());
    let value = value.get_ref();
    match shape {
        Shape::Path => path(value).map(|path| vec![path]).ok_or("a path between quotes".into()),
        Shape::Paths => {
            let several = value.as_array().map(|items| items.iter().map(|item| path(item.get_ref())).collect());
            let paths: Option<Vec<OsString>> = several.unwrap_or_else(|| path(value).map(|one| vec![one]));
            paths.filter(|paths| !paths.is_empty()).ok_or("a path between quotes, or a list of them".into())
        }
        Shape::Text => text(value).map(|text| vec![text.into()]).ok_or("text between quotes".into()),
        Shape::Number(least, most) => {
            let number =
                value.as_integer().and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
            let fits = number.filter(|number| (*least..=*most).contains(number));
            fits.map(|number| vec![number.to_string().into()]).ok_or(format!("a number from {least} to {most}"))
        }
        Shape::Choice(words) => {
            let word = text(value).filter(|word| words.contains(&word.as_str()));
            word.map(|word| vec![word.into()]).ok_or(format!("one of {}", words.join(", ")))
        }
    }
}

// Relative to the file; `~/` is the home folder, as a shell would have made it.
fn beside(base: &Path, text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => base.join(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Values, Vec<Diagnostic>> {
        parse(&Source::new("rempart.toml", text), Path::new("../.."))
    }

    #[test]
    fn values_become_what_a_command_line_says() {
        let text =
            "inventory = ['inventories/a.yaml', '/b']\nforks = 0x10\nprivate_key = 'keys/id'\ncolor = \"never\"\n";
        let values = read(text).unwrap();
        let of = |name: &str| values.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        assert_eq!(of("project_inventory"), ["../../inventories/a.yaml", "/b"]);
        assert_eq!(of("forks"), ["16"]);
        assert_eq!(of("private_key"), ["../../keys/id"]);
        assert_eq!(of("color"), ["never"]);
    }

    #[test]
    fn mistakes_have_a_place_and_a_way_out() {
        for (text, place, words) in [
            ("forks = 5\nforkss = 5\n", "rempart.toml:2:1", "did you mean `forks`?"),
            ("yes = true\n", "rempart.toml:1:1", "this has no default"),
            ("allow_lockout = true\n", "rempart.toml:1:1", "this has no default"),
            ("forks = 0\n", "rempart.toml:1:9", "a number from 1 to 500"),
            ("inventory = [1]\n", "rempart.toml:1:13", "a path between quotes"),
            ("color = 'red'\n", "rempart.toml:1:9", "one of auto, always, never"),
            ("private-key = 'a'\nprivate_key = 'b'\n", "rempart.toml:2:1", "another spelling"),
            ("forks = \n", "rempart.toml:1:", ""),
        ] {
            let faults = read(text).unwrap_err();
            let (at, label) = faults[0].place.as_ref().unwrap();
            let said = format!("{label} {}", faults[0].fix.as_deref().unwrap_or(""));
            assert!(at.to_string().starts_with(place) && said.contains(words), "{text}: {at} {said}");
        }
        assert_eq!(read("a = 1\nb = 2\n").unwrap_err().len(), 2, "all at once");
    }

    #[test]
    fn it_is_looked_for_up_to_the_repository_or_home_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let deep = root.join("project/a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(root.join(NAME), "").unwrap();
        assert_eq!(find(&deep, None), None, "nobody's project");
        assert_eq!(find(root, None), Some(root.join(NAME)));
        assert_eq!(find(&deep, Some(root)), Some(root.join(NAME)));
        std::fs::create_dir(root.join("project/.git")).unwrap();
        assert_eq!(find(&deep, Some(root)), None, "the repository ends before");
        std::fs::write(root.join("project").join(NAME), "inventory = 'hosts'").unwrap();
        let found = find(&deep, None).unwrap();
        let defaults = Defaults::read(&found, &deep).unwrap();
        assert_eq!(defaults.of("project_inventory"), ["../../hosts"]);
        assert_eq!(defaults.of("secrets"), ["../../secrets"], "the store is beside the file");
        std::fs::write(&found, "secrets = '../elsewhere'").unwrap();
        assert_eq!(Defaults::read(&found, &deep).unwrap().of("secrets"), ["../../../elsewhere"]);
        assert_eq!(defaults.file, Some(PathBuf::from("../../rempart.toml")));
    }

    #[test]
    fn a_file_that_anybody_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        std::fs::write(&file, "forks = 1").unwrap();
        assert!(Defaults::read(&file, folder.path()).is_ok());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(Defaults::read(&file, folder.path()).is_err());
    }
}
