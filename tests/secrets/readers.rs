//! Readers come and go: who gains and who loses is shown, and what somebody who left could ever read must be changed.

use crate::project::Project;

pub fn rules(project: &Project, readers: &[&str]) {
    let keys: String = readers.iter().map(|who| format!("      - {}\n", project.public_key(who))).collect();
    project.write(".sops.yaml", &format!("creation_rules:\n  - path_regex: ^secrets/\n    age:\n{keys}"));
}

pub fn open(project: &Project) -> Vec<String> {
    let json = project.run(&["secrets", "burned", "--json"]).json();
    let entries = json["entries"].as_array().unwrap().iter().filter(|entry| entry["done"].is_null());
    entries.map(|entry| entry["secret"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_comes_can_read_and_who_leaves_is_burned() {
    let project = Project::with_store();
    project.git(&["init", "-q"]);
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    project.piped(&["secrets", "set", "db/password"], "two").ends(0);
    project.commit("a store");
    project.by("bob", &["secrets", "get", "gw/token"]).ends(1);

    rules(&project, &["alice", "bob"]);
    let checked = project.run(&["secrets", "check"]).ends(2);
    assert!(checked.out.contains("may read it by its rule, and cannot"), "{checked}");
    let refused = project.run(&["secrets", "rekey"]).ends(5);
    assert!(refused.out.contains(&format!("+ {}", project.public_key("bob"))), "{refused}");
    assert!(refused.err.contains("nothing was changed"), "{refused}");
    project.by("bob", &["secrets", "get", "gw/token"]).ends(1);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_eq!(project.by("bob", &["secrets", "get", "gw/token"]).ends(0).out, "one");
    project.commit("bob comes");
    assert!(open(&project).is_empty());
    let again = project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert!(again.err.contains("nothing was written"), "{again}");

    // What he could read once, and cannot be told from what is there now; and what was changed since.
    project.piped(&["secrets", "set", "old/word"], "three").ends(0);
    project.commit("a third one");
    project.piped(&["secrets", "set", "db/password"], "two, changed").ends(0);
    std::fs::remove_file(project.folder().join("secrets/old.yaml")).unwrap();
    project.commit("one is changed, one is gone");

    rules(&project, &["alice"]);
    let shown = project.run(&["secrets", "rekey"]).ends(5);
    assert!(shown.out.contains(&format!("- {}", project.public_key("bob"))), "{shown}");
    for name in ["gw/token", "db/password", "old/word"] {
        assert!(shown.out.contains(&format!("! {name}")), "{name}: {shown}");
    }
    let before = project.read("secrets/rempart.yaml");
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_ne!(project.read("secrets/rempart.yaml"), before, "he knows the project key");
    project.by("bob", &["secrets", "get", "gw/token"]).ends(1);
    project.run(&["secrets", "check"]).ends(2);
    assert_eq!(open(&project), ["db/password", "gw/token", "old/word"]);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");

    // Each is tracked to its end: set anew, changed with an editor, or used nowhere any more.
    project.piped(&["secrets", "set", "gw/token"], "one, changed").ends(0);
    project.edit("db", "sed -i s/two/zwei/ \"$1\"").ends(0);
    assert_eq!(open(&project), ["old/word"]);
    project.run(&["secrets", "burned"]).ends(2);
    project.run(&["secrets", "burned", "--done", "old/wort"]).ends(64);
    project.run(&["secrets", "burned", "--done", "old/word"]).ends(0);
    project.run(&["secrets", "check"]).ends(0);
    let list = project.read("secrets/.burned.yaml");
    for value in ["one", "two", "three", "zwei", "changed"] {
        let mut lines = list.lines().filter(|line| !line.starts_with('#'));
        assert!(
            !lines.any(|line| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == value)),
            "{value}: {list}"
        );
    }
}

#[test]
fn what_was_changed_before_somebody_left_is_not_burned() {
    let project = Project::with_store();
    project.git(&["init", "-q"]);
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "first").ends(0);
    project.commit("bob can read it");
    // The file is made anew, for alice alone, with another value: nothing of it that bob could read is still used.
    project.write(
        ".sops.yaml",
        &format!(
            "creation_rules:\n  - path_regex: ^secrets/rempart\n    age: [{0}, {1}]\n  - path_regex: ^secrets/\n    age: [{0}]\n",
            project.public_key("alice"),
            project.public_key("bob")
        ),
    );
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert_eq!(open(&project), ["gw/token"]);
    project.piped(&["secrets", "set", "gw/token"], "second").ends(0);
    project.commit("changed");
    assert!(open(&project).is_empty());
    rules(&project, &["alice"]);
    let shown = project.run(&["secrets", "rekey", "--yes"]).ends(0);
    assert!(!shown.out.contains("! gw/token"), "it has another value since: {shown}");
    assert!(open(&project).is_empty());
}

#[test]
fn without_git_it_is_said_that_the_past_is_not_known() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    rules(&project, &["alice"]);
    let told = project.run(&["secrets", "rekey", "--yes", "--json"]).ends(0);
    let json = told.json();
    assert_eq!(json["must_be_changed"][0]["secret"], "gw/token");
    assert!(json["not_known"][0].as_str().unwrap().contains("no git history"), "{json}");
}
