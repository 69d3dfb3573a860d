//! The registry's rules, as tests.

use std::path::Path;

use super::KINDS;
use crate::model::{HostName, Source};
use crate::resource::{Context, Kind, SectionOutput};
use crate::yaml::{Dialect, decode, parse};

/// Types and settles a resource from its fields, for the tests at the bottom of each kind's file.
pub(super) fn load<K: Kind>(fields: &str) -> Result<K, String> {
    let host = HostName::new("web1");
    let select = |pattern: &str| match pattern {
        "nobody" => Err("no host matches".to_owned()),
        name => Ok(vec![(HostName::new(name), "192.0.2.2".to_owned())]),
    };
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let node = parse(&Source::new("test.yaml", fields), Dialect::Playbook).map_err(|told| format!("{told:?}"))?;
    let mut kind: K = decode(&node).map_err(|told| format!("{told:?}"))?;
    kind.settle(&context).map_err(|fault| format!("{fault:?}"))?;
    Ok(kind)
}

/// A recorded answer: `tests/fixtures/KIND/NAME.stdout` and `.stderr`; a file that is not there is an empty stream.
pub(super) fn section(kind: &str, name: &str, status: i32) -> SectionOutput {
    let path = |end: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind).join(format!("{name}.{end}"))
    };
    let (stdout, stderr) = (std::fs::read(path("stdout")), std::fs::read(path("stderr")));
    assert!(stdout.is_ok() || stderr.is_ok(), "no recording {kind}/{name}");
    SectionOutput { status, stdout: stdout.unwrap_or_default(), stderr: stderr.unwrap_or_default() }
}

fn files() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds");
    let mut stems: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|stem| stem != "mod" && stem != "tests")
        .collect();
    stems.sort();
    stems
}

#[test]
fn every_file_is_a_kind_and_every_kind_has_its_file() {
    let names: Vec<&str> = KINDS.iter().map(|entry| entry.name).collect();
    assert_eq!(files(), names, "src/kinds/*.rs against KINDS: a line is missing, out of order, or misnamed");
}

#[test]
fn every_example_loads() {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    for entry in KINDS {
        let source = Source::new(format!("{}.yaml", entry.name), entry.example);
        let node = parse(&source, Dialect::Playbook).unwrap_or_else(|told| panic!("{}: {told:?}", entry.name));
        let fields = node.get(entry.name).unwrap_or_else(|| panic!("{}: the example names another kind", entry.name));
        let resource = (entry.load)(fields, &context).unwrap_or_else(|told| panic!("{}: {told:?}", entry.name));
        assert_eq!(resource.id().kind, entry.name);
    }
}
