//! What proves that a store is the one it was: the key of the project, remembered generations, and a `rekey` that was
//! broken off.

use std::fs;

use crate::project::Project;
use crate::readers::{open, rules};

#[test]
fn a_rekey_that_was_broken_off_is_finished_and_nothing_of_the_burn_list_is_lost() {
    let project = Project::with_store();
    project.git(&["init", "-q"]);
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    project.piped(&["secrets", "set", "zz/large"], &"large ".repeat(20_000)).ends(0);
    project.commit("both can read it");
    rules(&project, &["alice"]);
    let id = |project: &Project| project.run(&["secrets", "check", "--json"]).json()["project_key"].clone();
    let before = id(&project);
    // The last file is too large to be written: the process is killed in the middle.
    project.killed_by_a_large_file(&["secrets", "rekey", "--yes"]);
    assert!(project.read("secrets/rempart.yaml").contains("project_key_before"));
    assert_ne!(id(&project), before);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");
    let told = project.run(&["secrets", "get", "zz/large"]).ends(5);
    assert!(told.err.contains("broken off") && told.err.contains("rempart secrets rekey"), "{told}");
    assert_eq!(open(&project), ["gw/token", "zz/large"]);
    project.run(&["secrets", "burned"]).ends(2);
    for file in fs::read_dir(project.folder().join("secrets")).unwrap().flatten() {
        if file.file_name().to_string_lossy().ends_with(".new") {
            fs::remove_file(file.path()).unwrap();
        }
    }

    let told = project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert!(told.err.contains("broken off"), "{told}");
    assert!(!project.read("secrets/rempart.yaml").contains("project_key_before"));
    project.run(&["secrets", "check"]).ends(2);
    project.by("bob", &["secrets", "get", "zz/large"]).ends(1);
    assert_eq!(open(&project), ["gw/token", "zz/large"]);
    project.piped(&["secrets", "set", "zz/large"], "small").ends(0);
    project.piped(&["secrets", "set", "gw/token"], "two").ends(0);
    assert!(open(&project).is_empty());
    // What was burned, set once more, is burned.
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    assert_eq!(open(&project), ["gw/token"]);
    let again = project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert!(again.err.contains("nothing was written"), "{again}");
}

#[test]
fn another_project_key_is_refused_until_a_person_takes_it() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "mine").ends(0);
    let checked = project.run(&["secrets", "check"]).ends(0);
    let id = project.run(&["secrets", "check", "--json"]).json()["project_key"].as_str().unwrap().to_owned();
    assert!(checked.out.contains(&id) && id.len() == 16, "{checked}");
    // Whoever knows the public key of the one reader can make a whole store.
    let stranger = Project::with_store_of(&project);
    stranger.piped(&["secrets", "set", "gw/token"], "value of a stranger").ends(0);
    for file in ["secrets/rempart.yaml", "secrets/gw.yaml"] {
        project.write(file, &stranger.read(file));
    }
    for args in [vec!["secrets", "get", "gw/token"], vec!["secrets", "check"], vec!["secrets", "rekey", "--yes"]] {
        let told = project.run(&args);
        assert!(told.code != 0 && told.err.contains("the project key is another one"), "{args:?}: {told}");
        assert!(told.err.contains(&id) && !told.out.contains("stranger"), "{told}");
    }
    project.run(&["secrets", "check"]).ends(1);
    let shown = project.run(&["secrets", "seal", "rempart"]).ends(5);
    let reader = project.public_key("alice");
    for word in ["another one", "compare it with somebody", reader.as_str()] {
        assert!(shown.err.contains(word), "not {word}: {shown}");
    }
    project.run(&["secrets", "get", "gw/token"]).ends(5);
    project.run(&["secrets", "seal", "rempart", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "value of a stranger");
    // Somebody who has it for the first time is told what to compare.
    let first = project.without_key(&["secrets", "list"]).ends(0);
    assert!(!first.err.contains("first time"), "no key, nothing proved: {first}");
    let other = Project::with_store_of(&project);
    let told = other.run(&["secrets", "check"]).ends(0);
    assert!(!told.err.contains("first time"), "it was made here: {told}");
}

#[test]
fn where_nothing_is_remembered_the_project_key_can_be_named() {
    let project = Project::with_store();
    let id = project.run(&["secrets", "check", "--json"]).json()["project_key"].as_str().unwrap().to_owned();
    let empty = "export REMPART_STATE=$(mktemp -d -p .)";
    let told = project.behind(empty, &["secrets", "check"]).ends(0);
    assert!(told.err.contains("for the first time") && told.err.contains(&id), "{told}");
    let told = project.behind(&format!("{empty} REMPART_PROJECT_KEY={id}"), &["secrets", "check"]).ends(0);
    assert!(!told.err.contains("for the first time"), "{told}");
    let told = project.behind("export REMPART_PROJECT_KEY=0123456789abcdef", &["secrets", "check"]).ends(1);
    assert!(told.err.contains("REMPART_PROJECT_KEY says 0123456789abcdef"), "{told}");
    // Who names another one says that it is right.
    fs::remove_file(project.folder().join("secrets/rempart.yaml")).unwrap();
    let other = Project::with_store_of(&project);
    project.write("secrets/rempart.yaml", &other.read("secrets/rempart.yaml"));
    project.run(&["secrets", "check"]).ends(1);
    let id = other.run(&["secrets", "check", "--json"]).json()["project_key"].as_str().unwrap().to_owned();
    project.behind(&format!("export REMPART_PROJECT_KEY={id}"), &["secrets", "check"]).ends(0);
    project.run(&["secrets", "check"]).ends(0);
}

#[test]
fn recipients_of_the_project_key_that_sops_changed_can_be_taken() {
    let project = Project::with_store();
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    // As `sops updatekeys` leaves it: one entry less, and the seal of before.
    let text = project.read("secrets/rempart.yaml");
    let bob = text.find(&format!("- recipient: {}", project.public_key("bob"))).unwrap();
    let end = bob + text[bob..].find("    lastmodified").unwrap();
    let without = format!("{}{}", text[..bob].trim_end_matches(' '), &text[end..]);
    project.write("secrets/rempart.yaml", &without);
    rules(&project, &["alice"]);
    let told = project.run(&["secrets", "get", "gw/token"]).ends(5);
    assert!(told.err.contains("the recipients are not those that were sealed"), "{told}");
    let shown = project.run(&["secrets", "seal", "rempart"]).ends(5);
    assert!(shown.err.contains(&project.public_key("alice")), "{shown}");
    assert!(!shown.err.contains(&project.public_key("bob")), "{shown}");
    assert_eq!(project.read("secrets/rempart.yaml"), without);
    project.run(&["secrets", "seal", "rempart", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");
    let again = project.run(&["secrets", "seal", "rempart"]).ends(0);
    assert!(again.err.contains("sealed already"), "{again}");
}

#[test]
fn an_older_version_of_a_file_is_told_and_not_written_over() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    let older = project.read("secrets/gw.yaml");
    project.piped(&["secrets", "set", "gw/token"], "two").ends(0);
    project.write("secrets/gw.yaml", &older);
    // Who only reads is told; who judges or writes refuses it.
    let told = project.run(&["secrets", "get", "gw/token"]).ends(0);
    assert!(told.err.contains("an older version of the file"), "{told}");
    project.run(&["secrets", "check"]).ends(1);
    let set = project.piped(&["secrets", "set", "gw/other"], "x").ends(5);
    assert!(set.err.contains("older"), "{set}");
    project.run(&["secrets", "seal", "gw"]).ends(5);
    project.run(&["secrets", "seal", "gw", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");
    // A new file under the name of one that was removed is no older one.
    fs::remove_file(project.folder().join("secrets/gw.yaml")).unwrap();
    project.piped(&["secrets", "set", "gw/token"], "three").ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "three");
    project.run(&["secrets", "check"]).ends(0);
}

#[test]
fn what_the_rule_leaves_out_is_not_written_for_everybody_to_read() {
    let project = Project::new();
    let rule = |more: &str| {
        let key = project.public_key("alice");
        project.write(".sops.yaml", &format!("creation_rules:\n  - path_regex: ^secrets/\n    age: {key}\n{more}"));
    };
    rule("    encrypted_regex: ^(token|project_key)\n");
    project.run(&["secrets", "init"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    let told = project.piped(&["secrets", "set", "gw/password"], "hunter2-CANARY").ends(5);
    assert!(told.err.contains("would not be encrypted") && told.err.contains("encrypted_regex"), "{told}");
    let told = project.piped(&["secrets", "set", "db/password"], "hunter2-CANARY").ends(5);
    assert!(told.err.contains("would not be encrypted"), "{told}");
    assert!(project.files().iter().all(|file| !fs::read_to_string(file).unwrap().contains("hunter2")));
    project.run(&["secrets", "check"]).ends(0);
    project.edit("gw", "echo 'note: readable' >> \"$1\"").ends(0);
    let checked = project.run(&["secrets", "check"]).ends(0);
    assert!(checked.out.contains("1 value is not encrypted: note"), "{checked}");
    rule("");
    let checked = project.run(&["secrets", "check"]).ends(2);
    assert!(checked.out.contains("its rule says unencrypted_suffix _unencrypted"), "{checked}");
    // A store whose key everybody could read is none.
    let open = Project::new();
    let key = open.public_key("alice");
    open.write(".sops.yaml", &format!("creation_rules:\n  - age: {key}\n    encrypted_regex: ^token$\n"));
    let told = open.run(&["secrets", "init"]).ends(5);
    assert!(told.err.contains("would not be encrypted"), "{told}");
    assert!(!open.folder().join("secrets").exists(), "{told}");
}
