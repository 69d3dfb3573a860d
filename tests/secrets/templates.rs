//! `secret("…")` in playbooks and inventories, with a key and without one.

use crate::project::Project;

const INVENTORY: &str = "all:\n  hosts:\n    web1: { ansible_host: 127.0.0.1, token: \"{{ secret('gw/token') }}\" }\n";

fn playbook(content: &str) -> String {
    format!(
        "playbook: p\nhosts: all\nphases:\n  preparation:\n    - file: {{ path: /srv/x, content: \"{content}\", mode: \"0600\" }}\n"
    )
}

#[test]
fn names_are_checked_without_a_key_and_nothing_is_shown_with_one() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    project.write("hosts.yaml", INVENTORY);
    project.write("p.yaml", &playbook("{{ token }} {{ secret('gw/token') | b64encode }}"));
    let all = ["-i", "hosts.yaml"];
    for args in
        [vec!["validate", "p.yaml"], vec!["explain", "web1", "token"], vec!["inventory", "--json"], vec!["inventory"]]
    {
        let args: Vec<&str> = args.into_iter().chain(all).collect();
        for ran in [project.run(&args).ends(0), project.without_key(&args).ends(0)] {
            assert!(!ran.text().contains("hunter2"), "{args:?}: {ran}");
        }
    }
    project.write("p.yaml", &playbook("{{ secret('gw/tokn') }}"));
    for ran in [
        project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]),
        project.without_key(&["validate", "p.yaml", "-i", "hosts.yaml"]),
    ] {
        assert_eq!(ran.code, 65, "{ran}");
        assert!(ran.err.contains("did you mean `gw/token`?"), "{ran}");
    }
}

#[test]
fn without_a_key_a_password_of_a_connection_is_not_made_up() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "ssh/web1"], "hunter2-CANARY").ends(0);
    project.write(
        "hosts.yaml",
        "all:\n  hosts:\n    web1: { ansible_host: 127.0.0.1, ansible_password: \"{{ secret('ssh/web1') }}\" }\n",
    );
    project.write("p.yaml", &playbook("x"));
    let ran = project.without_key(&["plan", "p.yaml", "-i", "hosts.yaml"]);
    assert!(ran.code != 0 && ran.err.contains("a secret whose key is not at hand"), "{ran}");
    assert!(ran.err.contains("ssh/web1"), "{ran}");
}

#[test]
fn a_store_that_was_tampered_with_stops_a_plan() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    let text = project.read("secrets/gw.yaml");
    project.write("secrets/gw.yaml", &text.replacen("data:", "data:A", 1));
    project.write("hosts.yaml", INVENTORY);
    project.write("p.yaml", &playbook("{{ token }}"));
    let ran = project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(65);
    assert!(ran.err.contains("cannot be relied on"), "{ran}");
}

#[test]
fn from_a_folder_of_the_project_the_store_is_the_project_s() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    project.write("deep/hosts.yaml", INVENTORY);
    project.write("deep/p.yaml", &playbook("{{ token }}"));
    let deep = |args: &[&str]| project.within("deep", args);
    // Nobody says that this folder is of a project.
    assert_ne!(deep(&["secrets", "list"]).code, 0);
    project.write("rempart.toml", "");
    project.write(".git/HEAD", "ref: refs/heads/main\n");
    assert!(deep(&["secrets", "list"]).ends(0).out.contains("gw/token"));
    deep(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(0);
    deep(&["secrets", "set", "gw/other", "--generate", "8"]).ends(0);
    assert!(!project.folder().join("deep/secrets").exists());
}

#[test]
fn what_a_host_prints_may_hold_secrets_that_nobody_here_can_mask_which_is_told() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    let exec = ["exec", "all", "-i", "127.0.0.1:1,", "-T", "2", "--", "true"];
    let told = "secrets that are not masked where a host prints them";
    let ran = project.without_key(&exec).ends(3);
    assert!(ran.err.contains(told) && ran.err.contains("gw/token"), "{ran}");
    let ran = project.run(&exec).ends(3);
    assert!(!ran.err.contains(told), "{ran}");
}
