//! The registry's rules, as tests.

use super::KINDS;
use crate::model::{HostName, Source};
use crate::resource::Context;
use crate::yaml::{Dialect, parse};

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
