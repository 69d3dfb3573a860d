//! What a computer remembers of a store: it stops no one who only reads, a new folder is no way around it, and what was
//! made anew elsewhere is newer.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::project::Project;
use crate::readers::rules;

/// A store in git that alice and bob read, with one secret that alice set.
fn shared() -> Project {
    let project = Project::with_store();
    project.git(&["init", "-q", "-b", "main"]);
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.piped(&["secrets", "set", "gw/token"], "one").ends(0);
    project.commit("a store");
    project
}

fn id(project: &Project) -> String {
    project.run(&["secrets", "check", "--json"]).json()["project_key"].as_str().unwrap().to_owned()
}

/// Hosts that nothing answers for, whose password stands in the store.
fn with_hosts(project: &Project) {
    let host = "ansible_host: 127.0.0.1, ansible_port: 1, ansible_password: \"{{ secret('gw/token') }}\"";
    project.write("hosts.yaml", &format!("all:\n  hosts:\n    web1: {{ {host} }}\n"));
    let content = "{{ secret('gw/token') }}";
    let file = format!("file: {{ path: /srv/x, content: \"{content}\", mode: \"0600\" }}");
    project.write("p.yaml", &format!("playbook: p\nhosts: all\nphases:\n  preparation:\n    - {file}\n"));
}

#[test]
fn who_looked_at_a_branch_can_still_work_on_the_own_one() {
    let project = shared();
    with_hosts(&project);
    project.commit("hosts");
    project.git(&["checkout", "-q", "-b", "topic"]);
    project.by("bob", &["secrets", "set", "gw/token", "--generate", "16"]).ends(0);
    project.commit("another token");
    // All that only reads.
    project.run(&["secrets", "get", "gw/token"]).ends(0);
    project.run(&["secrets", "check"]).ends(0);
    project.run(&["secrets", "list"]).ends(0);
    project.run(&["secrets", "burned"]).ends(0);
    project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(0);
    project.run(&["explain", "web1", "ansible_password", "-i", "hosts.yaml"]).ends(0);
    for verb in ["plan", "drift"] {
        let ran = project.run(&[verb, "p.yaml", "-i", "hosts.yaml"]).ends(3);
        assert!(!ran.text().contains("older"), "{ran}");
    }
    project.git(&["checkout", "-q", "main"]);
    let told = project.run(&["secrets", "get", "gw/token"]).ends(0);
    assert!(told.out == "one" && told.err.is_empty(), "{told}");
    project.run(&["secrets", "check"]).ends(0);
    project.piped(&["secrets", "set", "gw/other"], "mine").ends(0);
}

#[test]
fn an_older_version_is_told_to_who_reads_and_refused_to_who_changes() {
    let project = shared();
    with_hosts(&project);
    project.commit("hosts");
    project.git(&["checkout", "-q", "-b", "topic"]);
    project.piped(&["secrets", "set", "gw/token"], "two").ends(0);
    project.commit("another token");
    project.git(&["checkout", "-q", "main"]);

    let told = project.run(&["secrets", "get", "gw/token"]).ends(0);
    let older = |text: &str| text.contains("an older version of the file");
    assert!(told.out == "one" && told.err.contains("warning") && older(&told.err), "{told}");
    let validated = project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(0);
    assert!(older(&validated.err), "{validated}");
    let planned = project.run(&["plan", "p.yaml", "-i", "hosts.yaml"]).ends(3);
    assert!(older(&planned.err), "{planned}");
    let checked = project.run(&["secrets", "check"]).ends(1);
    assert!(older(&checked.out) && older(&checked.err), "{checked}");
    let applied = project.run(&["apply", "p.yaml", "-i", "hosts.yaml", "--yes"]);
    assert!(![0, 3].contains(&applied.code) && older(&applied.err), "{applied}");
    for args in [vec!["secrets", "set", "gw/new", "--generate", "16"], vec!["secrets", "remove", "gw/token", "--yes"]] {
        let refused = project.run(&args).ends(5);
        assert!(older(&refused.err), "{refused}");
        for word in ["merge the branch", "rempart secrets seal gw`"] {
            assert!(refused.err.replace('\n', " ").contains(word), "not {word}: {refused}");
        }
    }

    // What is advised helps.
    project.git(&["merge", "-q", "topic"]);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "two");
    project.piped(&["secrets", "set", "gw/new"], "x").ends(0);
    project.git(&["reset", "-q", "--hard", "HEAD~1"]);
    project.run(&["secrets", "seal", "gw", "--yes"]).ends(0);
    let told = project.run(&["secrets", "get", "gw/token"]).ends(0);
    assert!(told.out == "one" && told.err.is_empty(), "{told}");
    project.piped(&["secrets", "set", "gw/new"], "x").ends(0);
    project.run(&["secrets", "check"]).ends(0);
}

#[test]
fn another_store_under_another_name_is_another_store() {
    let project = shared();
    let mine = id(&project);
    let stranger = Project::with_store_of(&project);
    stranger.piped(&["secrets", "set", "gw/token"], "value of a stranger").ends(0);
    let put = |folder: &str| {
        for file in ["rempart.yaml", "gw.yaml"] {
            project.write(&format!("{folder}/{file}"), &stranger.read(&format!("secrets/{file}")));
        }
    };
    let refused = |how: &str| {
        for args in [vec!["secrets", "get", "gw/token"], vec!["secrets", "set", "gw/x", "--generate", "16"]] {
            let told = project.run(&args).ends(5);
            assert!(told.err.contains("the project key is another one"), "{how}: {told}");
            assert!(told.err.contains(&mine) && !told.out.contains("stranger"), "{how}: {told}");
        }
        project.run(&["secrets", "check"]).ends(1);
    };
    // A link to it.
    put(".s2");
    fs::rename(project.folder().join("secrets"), project.folder().join("kept")).unwrap();
    symlink(".s2", project.folder().join("secrets")).unwrap();
    refused("a link");
    // A link to a place that is no part of the project.
    let outside = tempfile::tempdir().unwrap();
    for file in ["rempart.yaml", "gw.yaml"] {
        fs::write(outside.path().join(file), stranger.read(&format!("secrets/{file}"))).unwrap();
    }
    fs::remove_file(project.folder().join("secrets")).unwrap();
    symlink(outside.path(), project.folder().join("secrets")).unwrap();
    refused("a link to the outside");
    fs::remove_file(project.folder().join("secrets")).unwrap();
    fs::rename(project.folder().join("kept"), project.folder().join("secrets")).unwrap();
    project.run(&["secrets", "check"]).ends(0);
    // Settings that name another folder; also one that calls itself a project.
    for folder in ["sekrets", "deep/sekrets"] {
        put(folder);
        project.write(&format!("{}/rempart.toml", folder.trim_end_matches("/sekrets")), "");
        project.write("rempart.toml", &format!("secrets = \"{folder}\"\n"));
        refused(folder);
    }
    // Several stores of one project are possible: a person says so, and both are known from then on.
    project.write(".sops.yaml", &format!("creation_rules:\n  - age: {}\n", project.public_key("alice")));
    project.run(&["secrets", "seal", "rempart", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "value of a stranger");
    fs::remove_file(project.folder().join("rempart.toml")).unwrap();
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "one");
}

#[test]
fn a_store_that_moved_is_the_same_one_with_the_same_newest_versions() {
    let project = shared();
    let older = project.read("secrets/gw.yaml");
    project.piped(&["secrets", "set", "gw/token"], "two").ends(0);
    fs::rename(project.folder().join("secrets"), project.folder().join("moved")).unwrap();
    let moved = |args: &[&str]| project.run(&[args, &["--secrets", "moved"]].concat());
    let told = moved(&["secrets", "get", "gw/token"]).ends(0);
    assert!(told.out == "two" && told.err.is_empty(), "{told}");
    project.write("moved/gw.yaml", &older);
    let told = moved(&["secrets", "set", "gw/x", "--generate", "16"]).ends(5);
    assert!(told.err.contains("an older version of the file"), "{told}");
}

#[test]
fn a_file_that_was_made_anew_elsewhere_is_newer_than_the_one_before() {
    let project = shared();
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
    let state = "\"$REMPART_STATE\"/stores/*.json";
    let kept: String = {
        let said = project.behind(&format!("cat {state}; set -- true"), &[]).ends(0).out;
        said.chars().filter(|c| !c.is_whitespace()).collect()
    };
    let begun = |file: &str| -> u64 {
        let rest = kept.split(&format!("\"{file}\":")).nth(1).unwrap();
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    assert!(begun("rempart.yaml") + 10 > minutes && begun("gw.yaml") + 10 > minutes, "{kept}");
    // An hour ago it was begun, and written twice more.
    let seen = minutes - 60 + 2;
    let ago = format!("sed -i -E 's/(\"gw.yaml\": )[0-9]+/\\1{seen}/' {state}; set -- true");
    project.behind(&ago, &[]).ends(0);
    // Bob has never opened the one of before.
    fs::remove_file(project.folder().join("secrets/gw.yaml")).unwrap();
    project.by("bob", &["secrets", "set", "gw/token", "--generate", "16"]).ends(0);
    let told = project.run(&["secrets", "get", "gw/token"]).ends(0);
    assert!(!told.err.contains("older"), "{told}");
    project.run(&["secrets", "check"]).ends(0);
    project.piped(&["secrets", "set", "gw/more"], "x").ends(0);
}

#[test]
fn where_nothing_can_be_remembered_the_project_key_is_said_each_time() {
    let project = shared();
    let id = id(&project);
    let nothing = "export SOPS_AGE_KEY_FILE=$HOME/.config/sops/age/keys.txt; unset HOME REMPART_STATE";
    for _ in 0..2 {
        let told = project.behind(nothing, &["secrets", "get", "gw/token"]).ends(0);
        assert!(told.out == "one" && told.err.contains(&id) && told.err.contains("compare it"), "{told}");
    }
    let named = format!("{nothing}; export REMPART_PROJECT_KEY={id}");
    let told = project.behind(&named, &["secrets", "get", "gw/token"]).ends(0);
    assert!(told.err.is_empty(), "{told}");
}
