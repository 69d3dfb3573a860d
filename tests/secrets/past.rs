//! What somebody who leaves could ever read, as far as git remembers: under other names, in files that are gone, whatever
//! the user's settings of git say.

use std::fs;
use std::sync::Arc;

use rempart::secret::Secret;
use rempart::store::{Nobody, Recipient, encrypt_whole};

use crate::project::Project;
use crate::readers::{open, rules};

/// A store in git that bob can read, too.
fn of_two() -> Project {
    let project = Project::with_store();
    project.git(&["init", "-q"]);
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project
}

fn leave(project: &Project) -> serde_json::Value {
    rules(project, &["alice"]);
    project.run(&["secrets", "rekey", "--yes", "--json"]).ends(0).json()
}

fn gaps(told: &serde_json::Value) -> String {
    told["not_known"].as_array().unwrap().iter().map(|gap| format!("{}\n", gap.as_str().unwrap())).collect()
}

#[test]
fn no_setting_of_git_hides_what_was_there_once() {
    for setting in [
        ["log.showRoot", "false"],
        ["log.diffMerges", "off"],
        ["diff.renames", "false"],
        ["diff.relative", "true"],
        ["diff.orderFile", "nowhere"],
        ["color.ui", "always"],
        ["core.quotePath", "true"],
    ] {
        let project = of_two();
        project.piped(&["secrets", "set", "gw/in the first commit"], "one").ends(0);
        project.commit("first");
        fs::remove_file(project.folder().join("secrets/gw.yaml")).unwrap();
        project.commit("gone");
        project.git(&["checkout", "-q", "-b", "side"]);
        project.piped(&["secrets", "set", "ü/aside"], "two").ends(0);
        project.commit("on a branch");
        project.git(&["checkout", "-q", "-"]);
        project.git(&["config", "--global", setting[0], setting[1]]);
        let told = leave(&project);
        assert_eq!(open(&project), ["gw/in the first commit", "ü/aside"], "{setting:?}: {told}");
        assert_eq!(gaps(&told), "", "{setting:?}");
    }
}

#[test]
fn history_that_is_not_here_stays_on_the_list_until_somebody_says_so() {
    let project = of_two();
    project.piped(&["secrets", "set", "gw/gone"], "one").ends(0);
    project.commit("first");
    project.run(&["secrets", "remove", "gw/gone", "--yes"]).ends(0);
    project.commit("second");
    project.git(&["branch", "-M", "main"]);
    project.git(&["reflog", "expire", "--expire=now", "--all"]);
    project.write(".git/shallow", &project.read(".git/refs/heads/main"));
    let told = leave(&project);
    assert!(gaps(&told).contains("this clone is shallow"), "{told}");
    assert_eq!(open(&project), ["(history that was not read)"], "{told}");
    project.run(&["secrets", "check"]).ends(2);
    project.run(&["secrets", "burned", "--done", "(history that was not read)"]).ends(0);
    project.run(&["secrets", "check"]).ends(0);
}

#[test]
fn the_folder_and_its_files_are_followed_through_their_names() {
    let project = of_two();
    for name in ["gw/token", "gone/before", "db/password"] {
        project.piped(&["secrets", "set", name], name).ends(0);
    }
    project.commit("a store");
    fs::remove_file(project.folder().join("secrets/gone.yaml")).unwrap();
    project.commit("one is gone");
    project.git(&["mv", "secrets", "keys"]);
    project.commit("another folder");
    project.git(&["mv", "keys/gw.yaml", "keys/gate.yaml"]);
    project.commit("another file");
    let rule = |readers: &[&str]| {
        rules(&project, readers);
        project.write(".sops.yaml", &project.read(".sops.yaml").replace("^secrets/", "^keys/"));
    };
    rule(&["alice", "bob"]);
    let there = ["--secrets", "keys"];
    let run = |args: &[&str]| project.run(&[args, &there[..]].concat());
    run(&["secrets", "check"]).ends(1);
    run(&["secrets", "seal", "gate", "--yes"]).ends(0);
    // The value of the moved file is changed, so that only what is gone and what is still the same counts.
    project.piped(&[&["secrets", "set", "gate/token"], &there[..]].concat(), "changed").ends(0);
    project.commit("changed");
    rule(&["alice"]);
    run(&["secrets", "rekey", "--yes"]).ends(0);
    let json = run(&["secrets", "burned", "--json"]).json();
    let burned: Vec<&str> =
        json["entries"].as_array().unwrap().iter().map(|entry| entry["secret"].as_str().unwrap()).collect();
    assert_eq!(burned, ["db/password", "gate/token", "gone/before"], "{json}");
}

#[test]
fn what_cannot_be_understood_is_said_and_files_of_age_count_though_they_are_gone() {
    let project = of_two();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    let recipients = ["alice", "bob"].map(|who| Recipient::parse(&project.public_key(who)).unwrap());
    let whole = |name: &str, text: &str| {
        let bytes = encrypt_whole(&Secret::new("x", text), &recipients, false, &(Arc::new(Nobody) as _)).unwrap();
        fs::create_dir_all(project.folder().join("secrets/tls")).unwrap();
        fs::write(project.folder().join(name), bytes).unwrap();
    };
    for name in ["gone", "changed", "same"] {
        whole(&format!("secrets/tls/{name}.age"), name);
    }
    project.write(
        "secrets/by-pgp.yaml",
        "a: ENC[x]\nsops:\n    pgp:\n        - fp: AB\n          enc: x\n    lastmodified: x\n    mac: y\n",
    );
    project.write("secrets/plain.yaml", "a: b\n");
    project.commit("before");
    fs::remove_file(project.folder().join("secrets/tls/gone.age")).unwrap();
    whole("secrets/tls/changed.age", "another value");
    fs::remove_file(project.folder().join("secrets/by-pgp.yaml")).unwrap();
    fs::remove_file(project.folder().join("secrets/plain.yaml")).unwrap();
    project.commit("after");
    let gaps = gaps(&leave(&project));
    for words in ["by-pgp.yaml", "no recipient of age", "plain.yaml", "was not encrypted", "files of age do not say"] {
        assert!(gaps.contains(words), "not {words}: {gaps}");
    }
    // Which version of the changed one he could read is not known: the one of now counts.
    assert_eq!(open(&project), ["gw/token", "tls/changed", "tls/gone", "tls/same", "(history that was not read)"]);
}

#[test]
fn who_leaves_one_file_still_reads_the_others() {
    let project = of_two();
    for name in ["gw/token", "db/password"] {
        project.piped(&["secrets", "set", name], name).ends(0);
    }
    project.commit("a store");
    let (alice, bob) = (project.public_key("alice"), project.public_key("bob"));
    project.write(
        ".sops.yaml",
        &format!("creation_rules:\n  - path_regex: ^secrets/db\n    age: {alice}\n  - path_regex: ^secrets/\n    age: [{alice}, {bob}]\n"),
    );
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_eq!(open(&project), ["db/password"]);
    assert_eq!(project.by("bob", &["secrets", "get", "gw/token"]).ends(0).out, "gw/token");
    project.commit("bob leaves one");
    rules(&project, &["alice"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_eq!(open(&project), ["db/password", "gw/token"]);
}

#[test]
fn recipients_of_other_kinds_are_compared_and_nobody_locks_himself_out() {
    let project = of_two();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    let rule = |more: &str| {
        let key = project.public_key("alice");
        project.write(".sops.yaml", &format!("creation_rules:\n  - path_regex: ^secrets/\n    age: {key}\n{more}"));
    };
    rule("    pgp: 7FB8 85D7\n");
    let checked = project.run(&["secrets", "check"]).ends(2);
    assert!(checked.out.contains("+ pgp 7FB8 85D7"), "{checked}");
    let told = project.run(&["secrets", "rekey", "--yes"]).ends(65);
    assert!(told.err.contains("cannot encrypt for") && told.err.contains("pgp"), "{told}");
    let fresh = Project::new();
    fresh.write(".sops.yaml", &project.read(".sops.yaml"));
    let told = fresh.run(&["secrets", "init"]).ends(65);
    assert!(told.err.contains("cannot encrypt for") && !fresh.folder().join("secrets").exists(), "{told}");

    rules(&project, &["bob"]);
    let before = project.read("secrets/gw.yaml");
    let told = project.run(&["secrets", "rekey", "--yes"]).ends(5);
    assert!(told.err.contains("your own keys would not open it"), "{told}");
    assert_eq!(project.read("secrets/gw.yaml"), before);
    assert!(!project.folder().join("secrets/.burned.yaml").exists());
    project.by("bob", &["secrets", "rekey", "--yes"]).ends(0);
    project.run(&["secrets", "get", "gw/token"]).ends(1);
}
