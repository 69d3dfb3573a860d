//! What else the verbs say and refuse: readers, strangers in the folder, names, the burn list, keys that cannot be used.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use rempart::secret::Secret;
use rempart::store::{Nobody, Recipient, encrypt_whole};

use crate::project::Project;
use crate::readers::{open, rules};

#[test]
fn recipients_shows_who_reads_what_and_where_the_rule_differs() {
    let project = Project::with_store();
    let told = project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    let (alice, bob) = (project.public_key("alice"), project.public_key("bob"));
    assert!(told.err.contains("gw.yaml is new") && told.err.contains(&alice), "{told}");
    assert!(told.err.contains(".sops.yaml:"), "not which rule: {told}");
    let shown = project.without_key(&["secrets", "recipients"]).ends(0);
    assert!(shown.out.contains(&alice) && shown.out.contains(".sops.yaml:"), "{shown}");
    rules(&project, &["bob"]);
    let shown = project.without_key(&["secrets", "recipients"]).ends(2);
    assert!(shown.out.contains(&format!("- {alice} can read it, and may not")), "{shown}");
    assert!(shown.out.contains(&format!("+ {bob} may read it, and cannot")), "{shown}");
    let json = project.without_key(&["secrets", "recipients", "--json"]).ends(2).json();
    assert_eq!(json["files"][0]["gains"][0], bob.as_str());
    assert_eq!(json["files"][0]["loses"][0], alice.as_str());
    project.write(".sops.yaml", "creation_rules:\n  - path_regex: a(b\n    age: x\n");
    let told = project.run(&["secrets", "recipients"]).ends(1);
    assert!(told.err.contains("found open group without closing") && told.out.contains(&alice), "{told}");
}

#[test]
fn a_secret_is_removed_after_asking() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    project.piped(&["secrets", "set", "gw/other"], "two").ends(0);
    fs::write(project.folder().join("secrets/key.age"), "x").unwrap();
    let before = project.read("secrets/gw.yaml");
    project.run(&["secrets", "remove", "gw/token"]).ends(5);
    assert_eq!(project.read("secrets/gw.yaml"), before);
    project.run(&["secrets", "remove", "gw/tokn", "--yes"]).ends(65);
    for name in ["gw/token", "key", "gw/other"] {
        project.run(&["secrets", "remove", name, "--yes"]).ends(0);
        let told = project.run(&["secrets", "get", name]).ends(65);
        assert!(told.err.contains("no such secret"), "{told}");
    }
    project.run(&["secrets", "check"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "three").ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "three");
}

#[test]
fn a_file_of_age_opens_and_is_not_called_proved() {
    let project = Project::with_store();
    let alice = [Recipient::parse(&project.public_key("alice")).unwrap()];
    let bytes = encrypt_whole(&Secret::new("x", "a key"), &alice, true, &(Arc::new(Nobody) as _)).unwrap();
    fs::write(project.folder().join("secrets/tls.age"), bytes).unwrap();
    let checked = project.run(&["secrets", "check"]).ends(0);
    assert!(checked.out.contains("1 file proved; 1 file of age: nothing proves who wrote"), "{checked}");
    let json = project.run(&["secrets", "check", "--json"]).ends(0).json();
    let file = json["files"].as_array().unwrap().iter().find(|file| file["file"] == "tls.age").unwrap();
    assert_eq!((&file["proved"], &file["opens"], &json["all_proved"]), (&false.into(), &true.into(), &false.into()));
    project.write("secrets/tls.age", "not of age");
    project.run(&["secrets", "check"]).ends(1);
}

#[test]
fn strangers_in_the_folder_are_named_and_are_not_fine() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    project.write("secrets/README.md", "what this is for\n");
    project.run(&["secrets", "check"]).ends(0);
    project.write("secrets/db.json", "{}");
    project.write("secrets/UP.YAML", "a: b");
    project.write("elsewhere/x.yaml", "a: b\n");
    symlink("../elsewhere", project.folder().join("secrets/linked")).unwrap();
    symlink("nowhere", project.folder().join("secrets/gone.yaml")).unwrap();
    let checked = project.run(&["secrets", "check"]).ends(1);
    let listed = project.run(&["secrets", "list"]).ends(0);
    for name in ["db.json", "UP.YAML", "linked", "gone.yaml"] {
        assert!(checked.out.contains(&format!("! {name}  not looked at")), "{name}: {checked}");
        assert!(listed.err.contains(name), "{name}: {listed}");
    }
    let json = project.run(&["secrets", "check", "--json"]).ends(1).json();
    assert_eq!(json["not_looked_at"].as_array().unwrap().len(), 4, "{json}");
}

#[test]
fn a_name_that_leads_to_two_places_or_is_none_is_refused() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "prod/db/password"], "one").ends(0);
    for (name, words) in [
        ("gw.yaml/token", "leave out what it ends with"),
        ("prod/gw.yml/token", "leave out what it ends with"),
        ("gw/a\u{7}b", "control character"),
    ] {
        let told = project.piped(&["secrets", "set", name], "x").ends(65);
        assert!(told.err.contains(words), "{name}: {told}");
    }
    // `prod.yaml` with the key `db`, beside `prod/db.yaml`.
    let other = Project::with_store_of(&project);
    other.piped(&["secrets", "set", "prod/db"], "x").ends(0);
    project.write("secrets/prod.yaml", &other.read("secrets/prod.yaml"));
    project.run(&["secrets", "seal", "prod", "--yes"]).ends(0);
    project.edit("prod", "printf 'db:\\n    password: two\\n' > \"$1\"").ends(0);
    for args in [vec!["secrets", "get", "prod/db/password"], vec!["secrets", "check"]] {
        let told = project.run(&args);
        assert!(told.code != 0 && told.err.contains("a secret of two places"), "{args:?}: {told}");
    }
    let told = project.piped(&["secrets", "set", "prod/db/password"], "x").ends(65);
    assert!(told.err.contains("a secret of two places"), "{told}");
}

#[test]
fn a_burn_list_that_cannot_be_read_stops_who_writes_and_not_who_checks() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    for text in ["", "- secret: gw/token\n", "a: b\n"] {
        project.write("secrets/.burned.yaml", text);
        let checked = project.run(&["secrets", "check"]).ends(1);
        assert!(checked.out.contains("gw.yaml") && checked.out.contains("opens, and is sealed"), "{checked}");
        assert!(checked.out.contains("the burn list cannot be read"), "{checked}");
        let before = project.read("secrets/gw.yaml");
        project.piped(&["secrets", "set", "gw/token"], "two").ends(65);
        assert_eq!(project.read("secrets/gw.yaml"), before, "{text:?}");
    }
    fs::remove_file(project.folder().join("secrets/.burned.yaml")).unwrap();
    symlink("nowhere", project.folder().join("secrets/.burned.yaml")).unwrap();
    project.run(&["secrets", "burned"]).ends(65);
}

#[test]
fn what_is_said_to_be_changed_and_is_not_is_warned_of() {
    let project = Project::with_store();
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    rules(&project, &["alice"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    let told = project.run(&["secrets", "burned", "--done", "gw/token"]).ends(0);
    assert!(told.err.contains("still has the value that was burned"), "{told}");
    assert!(open(&project).is_empty());
    // He comes and leaves once more: the same secret and reader are one entry.
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    rules(&project, &["alice"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_eq!(open(&project), ["gw/token"]);
    let json = project.run(&["secrets", "burned", "--json"]).json();
    assert_eq!(json["entries"].as_array().unwrap().len(), 1, "{json}");
}

#[test]
fn init_writes_nothing_where_it_cannot_go_on() {
    let project = Project::new();
    project.run(&["secrets", "init", "--recipient", "age1nobody"]).ends(65);
    assert!(!project.folder().join("secrets").exists());
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    fs::remove_file(project.folder().join("secrets/rempart.yaml")).unwrap();
    let told = project.run(&["secrets", "get", "gw/token"]).ends(5);
    assert!(told.err.contains("take it from git"), "{told}");
    let told = project.run(&["secrets", "init"]).ends(5);
    assert!(told.err.contains("take the file from git"), "{told}");
    assert!(!project.folder().join("secrets/rempart.yaml").exists());
    project.run(&["secrets", "init", "--new-key"]).ends(0);
    project.run(&["secrets", "seal", "gw", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");
}
