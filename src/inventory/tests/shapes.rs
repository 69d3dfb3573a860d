//! The shapes beside YAML: INI, JSON, programs, lists of hosts. What Ansible makes of the same is in `tests/parity`.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::super::draft::Draft;
use super::super::shape_script;
use super::*;

fn files(all: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in all {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    folder
}

fn as_file(name: &str, text: &str) -> Result<Inventory, Vec<Diagnostic>> {
    let folder = files(&[(name, text)]);
    load(&[folder.path().join(name)])
}

// Where a value stands, without the folder.
fn origin(inventory: &Inventory, host: &str, name: &str) -> String {
    let place = inventory.host(host).unwrap().vars[name].node.place.to_string();
    place.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn every_value_of_an_ini_file_knows_where_it_stands_and_what_it_won_over() {
    let text = "[web]\nweb1 port='80 81' a=1\n[web:vars]\n  b =  two\n[all:vars]\nb=one\n";
    let inventory = as_file("hosts.ini", text).unwrap();
    assert_eq!(origin(&inventory, "web1", "port"), "hosts.ini:2:12");
    assert_eq!(origin(&inventory, "web1", "a"), "hosts.ini:2:21");
    assert_eq!(origin(&inventory, "web1", "b"), "hosts.ini:4:8");
    let var = &inventory.host("web1").unwrap().vars["b"];
    assert_eq!((var.level.to_string().as_str(), var.shadowed[0].0.line()), ("group web", 6));
}

#[test]
fn every_value_of_a_program_knows_its_call_and_where_it_was_printed() {
    let text = "#!/bin/sh\nif [ $1 = --host ]; then echo '{\"a\": 7}'; else echo '{\"web\":'; echo ' {\"hosts\": [\"w1\"], \"vars\": {\"b\": 8}}}'; fi\n";
    let inventory = as_file("program", text).unwrap();
    assert_eq!(origin(&inventory, "w1", "a"), "program --host w1:1:7");
    assert_eq!(origin(&inventory, "w1", "b"), "program --list:2:34");
}

#[test]
fn what_a_program_says_beside_its_answer_is_told() {
    let text = "#!/bin/sh\necho careful >&2\necho '{\"web\": {\"hosts\": [\"w1\"]}, \"_meta\": {\"hostvars\": {\"x\": {}, \"y\": {}}}}'\n";
    let inventory = as_file("program", text).unwrap();
    let told: Vec<&str> = inventory.warnings().iter().filter_map(|warning| warning.detail.as_deref()).collect();
    assert_eq!(told, ["on its standard error: careful", "2 in all, so they are not read: x, y"]);
}

#[test]
fn a_file_that_may_be_executed_and_is_no_program_is_never_run() {
    let folder = files(&[("hosts", "touch was-run\n")]);
    let path = folder.path().join("hosts");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(load(&[path]).is_err());
    assert!(!folder.path().join("was-run").exists());
}

#[test]
fn a_list_of_hosts_is_an_inventory() {
    let inventory = load(&[PathBuf::from("web[1:2]:2222, db1 ,,10.0.0.1")]).unwrap();
    let names: Vec<&str> = inventory.hosts().iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "db1", "10.0.0.1"]);
    assert_eq!(origin(&inventory, "web1", "ansible_port"), "-i:1:1");
    assert_eq!(inventory.host("db1").unwrap().place.to_string(), "-i:1:16");
    let told = load(&[PathBuf::from("web1")]).unwrap_err();
    assert_eq!(told[0].fix.as_deref(), Some("for a host of this name write a comma: -i web1,"));
}

#[test]
fn passwords_of_every_shape_are_secrets() {
    let ini = "h ansible_password=1234 ansible_become_pass='hunter2'\n[all:vars]\nansible_ssh_pass = {hunter3\n";
    let json = "{\"all\": {\"hosts\": {\"h\": {\"ansible_password\": \"1234\", \"ansible_become_pass\": \"hunter2\", \"ansible_ssh_pass\": \"hunter3\"}}}}";
    for (name, text) in [("hosts.ini", ini), ("hosts.json", json)] {
        let listing = as_file(name, text).unwrap().to_json().to_string();
        assert!(!listing.contains("hunter") && !listing.contains("1234"), "{listing}");
        for name in ["ansible_password", "ansible_become_pass", "ansible_ssh_pass"] {
            assert!(listing.contains(&format!("(secret {name})")), "{name}: {listing}");
        }
    }
    let told = as_file("hosts.ini", "h ansible_password=\"{{ 'hunter2' }}\"\n").unwrap_err();
    assert!(told[0].place.as_ref().unwrap().0.text().is_empty(), "the line with the password is not shown");
}

#[test]
fn values_of_a_vault_are_refused_in_json_too() {
    let told = as_file("hosts.json", "{\"all\": {\"vars\": {\"x\": {\"__ansible_vault\": \"$ANSIBLE_VAULT;1.1\"}}}}")
        .unwrap_err();
    assert_eq!(told[0].summary, "a value encrypted by ansible-vault");
    let inventory =
        as_file("hosts.json", "{\"all\": {\"hosts\": {\"h\": {\"x\": {\"__ansible_unsafe\": \"{{ y }}\"}}}}}").unwrap();
    assert_eq!(value(&inventory, "h", "x"), "\"{{ y }}\"");
}

#[test]
fn all_faults_of_an_ini_file_are_told_together() {
    let text =
        "a b\n[web servers]\nlost\n[web]\nc = d\n[web:vars]\nport\n[x:children]\nnone\n[y:vars]\n[web:kids]\n[z\n";
    let all = told(&as_file("hosts.ini", text).unwrap_err());
    assert_eq!(all.lines().count(), 8, "{all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_reading_a_file_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "hosts(\\.ini|\\.yml|\\.json)?") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let _ = load(&[path]);
    }

    #[test]
    fn no_ini_makes_loading_panic(
        text in "(\\[[a-z! ]{1,3}(:(vars|children|x))?\\]|web[0-9]|\\[[0-9a-f]?:[0-9a-f]{0,3}\\]|[a-z]=|['\"\\\\#;:=,(){}\\[\\] ]|ansible_group_priority=|\\PC|\n|\r|\t){0,40}",
    ) {
        if let Ok(inventory) = as_file("hosts.ini", &text) {
            for host in inventory.hosts() {
                prop_assert!(!host.name.as_str().contains(|c: char| c.is_control() || c == '/'));
            }
            let _ = inventory.to_json();
        }
    }

    #[test]
    fn no_answer_of_a_program_makes_reading_panic(
        text in "(\\{|\\}|\\[|\\]|,|:|\"(web|_meta|hosts|hostvars|vars|children|all|h|\\PC{0,3})\":?|[0-9.-]{1,3}|null|true| ){0,40}",
    ) {
        let mut draft = Draft::new();
        let _ = shape_script::answer(&Source::new("program --list", text), &mut draft);
    }

    #[test]
    fn hostile_values_are_kept_exactly(text in "(\\PC|[\\x00-\\x1f'\"\\\\#{}%=;]|\u{85}|\u{2028}|\u{feff}|\u{202e}){0,20}") {
        prop_assume!(!text.contains("{{") && !text.contains("{%"));
        let json = serde_json::to_string(&text).unwrap();
        // As Python writes it, on one line.
        let literal = json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        let quoted = literal.replace('\'', "'\"'\"'");
        for (name, file) in [
            ("hosts.ini", format!("h x='{quoted}'\n")),
            ("hosts.ini", format!("h\n[all:vars]\nx = {literal}\n")),
            ("hosts.json", format!("{{\"all\": {{\"hosts\": {{\"h\": {{\"x\": {json}}}}}}}}}")),
        ] {
            let inventory = as_file(name, &file).unwrap_or_else(|told| panic!("{file}: {told:?}"));
            prop_assert_eq!(inventory.host("h").unwrap().vars["x"].node.text(), Some(text.as_str()), "{}", file);
        }
    }

    #[test]
    fn hostile_names_are_refused_or_kept(name in "(\\PC|[\\x00-\\x1f'\"\\\\#/$`;. -]|\u{202e}){1,10}") {
        let json = serde_json::to_string(&name).unwrap();
        let source: Arc<Source> = Source::new("program --list", format!("{{\"g\": {{\"hosts\": [{json}]}}}}"));
        let mut draft = Draft::new();
        let _ = shape_script::answer(&source, &mut draft);
        match draft.hosts.first() {
            Some(host) => {
                prop_assert_eq!(&host.name, &name);
                prop_assert!(!name.contains(|c: char| c.is_control() || "/\\ $`;'\"\u{202e}".contains(c)), "{:?}", name);
            }
            None => prop_assert!(draft.faults[0].place.is_some()),
        }
    }
}
