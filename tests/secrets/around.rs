//! What comes to a store from around it: git, which changes and hides files, editors that remember, and the scanner.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::project::Project;
use crate::readers::rules;

// What a colleague made of gw.yaml, while it is here as it was.
fn with_newer_version() -> (Project, String) {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    let before = project.read("secrets/gw.yaml");
    let elsewhere = "export REMPART_STATE=$(mktemp -d -p .)";
    project.behind(elsewhere, &["secrets", "set", "gw/of-a-colleague", "--generate", "16"]).ends(0);
    let newer = project.read("secrets/gw.yaml");
    project.write("newer", &newer);
    project.write("secrets/gw.yaml", &before);
    (project, newer)
}

#[test]
fn what_git_brought_while_the_editor_was_open_is_not_written_over() {
    let (project, newer) = with_newer_version();
    let script = "echo \"$1\" > where; sed -i s/hunter2/changed/ \"$1\"; cp newer secrets/gw.yaml";
    let told = project.edit("gw", script).ends(5);
    assert!(told.err.contains("changed meanwhile") && told.err.contains("nothing was written"), "{told}");
    assert_eq!(project.read("secrets/gw.yaml"), newer);
    project.run(&["secrets", "get", "gw/of-a-colleague"]).ends(0);
    assert!(!fs::exists(project.read("where").trim()).unwrap());
    // One that came, one that went, and the project key are such a change, too.
    let told = project.edit("fresh", "echo 'a: b' > \"$1\"; cp newer secrets/fresh.yaml").ends(5);
    assert!(told.err.contains("changed meanwhile"), "{told}");
    fs::remove_file(project.folder().join("secrets/fresh.yaml")).unwrap();
    let told = project.edit("gw", "sed -i s/hunter2/changed/ \"$1\"; rm secrets/gw.yaml").ends(5);
    assert!(told.err.contains("changed meanwhile"), "{told}");
    assert!(!project.folder().join("secrets/gw.yaml").exists());
    project.write("secrets/gw.yaml", &newer);
    let script = "sed -i s/hunter2/changed/ \"$1\"; echo '# later' >> secrets/rempart.yaml";
    let told = project.edit("gw", script).ends(5);
    assert!(told.err.contains("changed meanwhile"), "{told}");
    // What was not edited needs no word.
    project.edit("gw", "echo '# later' >> secrets/gw.yaml").ends(0);
}

#[test]
fn git_hides_no_file_of_the_store_of_a_new_project() {
    let project = Project::new();
    project.run(&["init"]).ends(0);
    project.git(&["init", "-q"]);
    let ignored = |path: &str| {
        let mut git = std::process::Command::new("git");
        git.args(["check-ignore", "-q", path]).current_dir(project.folder()).status().unwrap().success()
    };
    for path in ["secrets/secret.yaml", "secrets/secrets.yaml", "secrets/prod/secret.yaml", "secrets/a/b/secrets.yaml"]
    {
        assert!(!ignored(path), "{path}");
    }
    // In plaintext they stand elsewhere.
    for path in ["secrets.yaml", "inventories/group_vars/secret.yaml", "playbooks/secrets.yaml"] {
        assert!(ignored(path), "{path}");
    }
}

#[test]
fn vim_is_told_to_remember_nothing() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    for name in ["vim.basic", "nvim", "nano"] {
        project.write(&format!("bin/{name}"), "#!/bin/sh\nprintf '%s\\n' \"$@\" > args\n");
        let path = project.folder().join("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let bin = project.folder().join("bin");
    symlink(bin.join("vim.basic"), bin.join("alternative")).unwrap();
    symlink("alternative", bin.join("vi")).unwrap();
    symlink("nano", bin.join("ed")).unwrap();
    for (editor, told) in [("vi", true), ("nvim +3", true), ("./bin/vim.basic", true), ("nano", false), ("ed", false)] {
        let commands = format!("export PATH=\"$PWD/bin:$PATH\" EDITOR='{editor}'");
        project.behind(&commands, &["secrets", "edit", "gw"]).ends(0);
        let args = project.read("args");
        assert_eq!(args.starts_with("-n\n-i\nNONE\n"), told, "{editor}: {args}");
        assert_eq!(args.contains("noundofile"), told, "{editor}: {args}");
        assert_eq!(args.contains("+3"), editor.contains("+3"), "{args}");
        assert!(args.trim_end().ends_with("/gw.yaml"), "{args}");
    }
}

#[test]
fn an_edit_makes_no_secret_empty() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    let before = project.read("secrets/gw.yaml");
    for text in
        ["token:\n", "token: \"\"\n", "token: ~\n", "token: null\n", "token: hunter2\nnew:\n", "token: x\nnew: ''\n"]
    {
        project.write("text", text);
        let told = project.edit("gw", "cat text > \"$1\"").ends(5);
        assert!(told.err.contains("an empty secret"), "{text}: {told}");
        assert_eq!(project.read("secrets/gw.yaml"), before, "{text}");
    }
}

/// A store that bob could read, and left.
fn after_bob(secrets: &[&str]) -> Project {
    let project = Project::with_store();
    project.git(&["init", "-q"]);
    for name in secrets {
        project.run(&["secrets", "set", name, "--generate", "32"]).ends(0);
    }
    rules(&project, &["alice", "bob"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project.commit("bob reads it");
    rules(&project, &["alice"]);
    project.run(&["secrets", "rekey", "--yes"]).ends(0);
    project
}

#[test]
fn the_burn_list_is_no_finding() {
    let project = after_bob(&["sops/x", "gw/password", "api/token"]);
    project.run(&["secrets", "burned", "--done", "sops/x"]).ends(2);
    project.commit("bob leaves");
    let said = project.run(&["secrets", "scan"]).ends(0);
    assert!(!said.out.contains("burned"), "{said}");
}

#[test]
fn done_without_another_value_is_said_to_be_so() {
    let project = after_bob(&["gw/token", "gw/other"]);
    project.run(&["secrets", "set", "gw/other", "--generate", "32"]).ends(0);
    let said = project.run(&["secrets", "burned", "--done", "gw/token"]).ends(0);
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line(&said.out, "gw/token").contains("done, though unchanged"), "{said}");
    assert!(line(&said.out, "gw/other").contains("changed 2"), "{said}");
    let entry = |name: &str| {
        let json = project.run(&["secrets", "burned", "--json"]).ends(0).json();
        json["entries"].as_array().unwrap().iter().find(|entry| entry["secret"] == name).unwrap().clone()
    };
    assert!(entry("gw/token")["changed"].is_null() && entry("gw/token")["done"].is_string());
    assert!(entry("gw/other")["changed"].is_string() && entry("gw/other")["done"].is_string());
    // A change is one, also afterwards.
    project.run(&["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    assert!(entry("gw/token")["changed"].is_string());
}

#[test]
fn a_merge_that_nobody_finished_is_told_as_one() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    let whole = project.read("secrets/gw.yaml");
    project.write("secrets/gw.yaml", &format!("<<<<<<< HEAD\n{whole}=======\n{whole}>>>>>>> theirs\n"));
    for args in [vec!["secrets", "get", "gw/token"], vec!["secrets", "check"], vec!["secrets", "edit", "gw"]] {
        let told = project.run(&args);
        assert!(told.code != 0 && told.err.contains("a merge that nobody finished"), "{args:?}: {told}");
        assert!(told.err.contains("git checkout --ours") && !told.err.contains("quotes"), "{told}");
    }
    // An emptied file is no file that sops would help with.
    project.write("secrets/gw.yaml", "");
    let told = project.run(&["secrets", "get", "gw/token"]);
    assert!(told.code != 0 && told.err.contains("git") && !told.err.contains("sops encrypt"), "{told}");
}

#[test]
fn a_project_key_that_is_named_by_nothing_is_refused() {
    let project = Project::with_store();
    let id = project.run(&["secrets", "check", "--json"]).json()["project_key"].as_str().unwrap().to_owned();
    for named in ["", " ", "\t\n"] {
        let told = project.behind(&format!("export REMPART_PROJECT_KEY='{named}'"), &["secrets", "check"]).ends(64);
        assert!(told.err.contains("REMPART_PROJECT_KEY"), "{told}");
    }
    let empty = "export REMPART_STATE=$(mktemp -d -p .)";
    let told = project.behind(&format!("{empty} REMPART_PROJECT_KEY=' {id} '"), &["secrets", "check"]).ends(0);
    assert!(!told.err.contains("for the first time"), "{told}");
}

#[test]
fn what_is_named_and_cannot_be_scanned_is_a_fault() {
    let project = Project::with_store();
    project.write("fine.txt", "fine\n");
    assert!(std::process::Command::new("mkfifo").arg(project.folder().join("pipe")).status().unwrap().success());
    symlink("fine.txt", project.folder().join("link")).unwrap();
    let told = project.run(&["secrets", "scan", "pipe"]).ends(1);
    assert!(told.out.contains("neither a file nor a folder"), "{told}");
    // Nobody named it.
    project.run(&["secrets", "scan"]).ends(0);
    let told = project.run(&["secrets", "scan", "link"]).ends(0);
    assert!(told.err.contains("link is a symlink") && told.err.contains("fine.txt"), "{told}");
}

#[test]
fn check_counts_comments_that_everybody_can_read() {
    let project = Project::with_store();
    project.edit("gw", "printf '# encrypted\\ntoken: x\\n' > \"$1\"").ends(0);
    let checked = project.run(&["secrets", "check"]).ends(0);
    assert!(!checked.out.contains("comment"), "{checked}");
    let text = project.read("secrets/gw.yaml");
    project.write("secrets/gw.yaml", &format!("# the old one was hunter2\n{text}"));
    let checked = project.run(&["secrets", "check"]).ends(0);
    assert!(checked.out.contains("1 comment is not encrypted") && !checked.out.contains("hunter2"), "{checked}");
    let json = project.run(&["secrets", "check", "--json"]).ends(0).json();
    let file = json["files"].as_array().unwrap().iter().find(|file| file["file"] == "gw.yaml").unwrap().clone();
    assert_eq!(file["comments_not_encrypted"], 1);
}

#[test]
fn what_is_said_to_do_helps() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    project.write("there", "x");
    let told = project.run(&["secrets", "fingerprints", "--key-to", "there"]);
    assert!(told.code != 0 && told.err.contains("name another"), "{told}");
    let told = project.edit("gw", "kill -s INT $$").ends(1);
    assert!(told.err.contains("broken off") && !told.err.contains("one that waits"), "{told}");
}
