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
    for name in ["gw/", "/gw", "gw//token"] {
        project.write("p.yaml", &playbook(&format!("{{{{ secret('{name}') }}}}")));
        let ran = project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(65);
        assert!(ran.err.contains("an unknown secret") && !ran.err.contains("relied on"), "{ran}");
    }
    // What is proposed is taken.
    for name in [
        "entirely/new",
        "gw/more",
        "gw/a/deeper~1part",
        "token",
        "rempart/x",
        "gw/sops",
        "gw/rempart_seal/x",
        "gw/token/deeper",
        "../x/y",
        "a b/c",
        "-x/y",
        "x/$(y)",
        "gw/..",
    ] {
        project.write("p.yaml", &playbook(&format!("{{{{ secret('{name}') }}}}")));
        let ran = project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(65);
        let proposed = ran.err.contains("make it with `rempart secrets set");
        assert!(proposed || ran.err.contains("a new one is FILE/NAME"), "{name}: {ran}");
        let taken = project.run(&["secrets", "set", name, "--generate", "16"]).code == 0;
        let odd = name.contains([' ', '$']) || name.ends_with("..");
        assert!(proposed == taken || odd && !proposed, "{name}: proposed {proposed}, taken {taken}");
    }
    project.write("p.yaml", &playbook("{{ secret('gw/token') }}").replace("mode:", "typo: 1, mode:"));
    for ran in [
        project.run(&["validate", "p.yaml", "-i", "hosts.yaml"]),
        project.without_key(&["validate", "p.yaml", "-i", "hosts.yaml"]),
    ] {
        assert!(ran.ends(65).err.contains("`typo` is not known here"));
    }
}

#[test]
fn without_a_key_a_password_of_a_connection_is_not_made_up() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "ssh/web1"], "hunter2-CANARY").ends(0);
    project.write(
        "hosts.yaml",
        "all:\n  vars: { ansible_host: 127.0.0.1, ansible_port: 1 }\n  hosts:\n    web1: { ansible_password: \"{{ secret('ssh/web1') }}\" }\n    web2:\n",
    );
    project.write("p.yaml", &playbook("x"));
    let out = project.without_key(&["plan", "p.yaml", "-i", "hosts.yaml", "--json"]).ends(3).json();
    let host = |name: &str| {
        let hosts = out["hosts"].as_array().unwrap();
        hosts.iter().find(|host| host["host"] == name).unwrap_or_else(|| panic!("no {name} in {out}")).clone()
    };
    // Nothing listens at the other one, which is asked all the same.
    let why = host("web1")["unreachable"].as_str().unwrap().to_owned();
    assert!(why.contains("ssh/web1") && why.contains("whose key is not at hand"), "{why}");
    let other = host("web2")["unreachable"].as_str().unwrap().to_owned();
    assert!(other.contains("127.0.0.1:1"), "{other}");
    assert_eq!(out["totals"]["unreachable"], 2);
    for verb in ["drift", "plan"] {
        let ran = project.without_key(&[verb, "p.yaml", "-i", "hosts.yaml"]).ends(3);
        assert!(ran.text().contains("ssh/web1") && !ran.text().contains("hunter2"), "{ran}");
    }
    let applied = project.without_key(&["apply", "p.yaml", "-i", "hosts.yaml", "--yes", "--json"]).ends(3).json();
    assert_eq!(applied["run"], serde_json::Value::Null, "nothing was begun: {applied}");
    let applied = project.without_key(&["apply", "p.yaml", "-i", "hosts.yaml", "--yes"]).ends(3);
    assert!(!applied.text().contains("(run "), "{applied}");
    assert!(!project.without_key(&["history"]).text().contains("apply"));
    project.without_key(&["validate", "p.yaml", "-i", "hosts.yaml"]).ends(0);
    // Whoever names the host is told at once.
    let named = project.without_key(&["facts", "web1", "-i", "hosts.yaml"]).ends(65);
    assert!(named.err.contains("a secret whose key is not at hand"), "{named}");
}

#[test]
fn without_a_key_resources_have_the_same_ties_to_one_another() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    project.write("hosts.yaml", INVENTORY);
    // The container is written first, and uses the file by its volume alone; the account owns the file.
    project.write(
        "p.yaml",
        "playbook: p\nhosts: all\nphases:\n  preparation:\n\
         \x20   - docker_container: { name: web, image: \"web:1\", volumes: [\"/srv/x:/x:ro\"] }\n\
         \x20   - file: { path: /srv/x, content: \"{{ token }}\", mode: \"0600\", owner: web }\n\
         \x20   - user: { name: web }\n",
    );
    let graph = ["graph", "p.yaml", "-i", "hosts.yaml", "--format", "mermaid"];
    let (with, without) = (project.run(&graph).ends(0), project.without_key(&graph).ends(0));
    let edges = |text: &str| text.lines().filter(|line| line.contains("> n")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(edges(&with.out).len(), 2, "{with}");
    assert_eq!(edges(&with.out), edges(&without.out), "{with}{without}");
}

#[test]
fn without_a_key_a_plain_resource_does_not_take_the_place_of_a_secret_one() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    project.write("hosts.yaml", INVENTORY);
    let secret = playbook("{{ token }}");
    let plain = secret.lines().last().unwrap().replace("{{ token }}", "plain");
    project.write("p.yaml", &format!("{secret}{plain}\n"));
    let check = ["validate", "p.yaml", "-i", "hosts.yaml"];
    for ran in [project.run(&check), project.without_key(&check)] {
        assert!(ran.ends(65).err.contains("declared twice, differently"));
    }
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
fn no_fault_of_a_file_shows_what_stands_in_it() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "first").ends(0);
    let whole = project.read("secrets/gw.yaml");
    for plain in [
        "list:\n    - hunter2-ITEM\n",
        "a: {pw: hunter2-FLOW}\n",
        "a: {pw: hunter2-FLOW\n",
        "pw: \"hunter2-OPEN\n",
        "? asked\n: hunter2-ASKED\n",
        "root:x:0:0:hunter2-ELSEWHERE:/root:/bin/sh\n",
        "pw: &a hunter2-ANCHOR\n",
        "pw: hunter2-PLAIN\n",
    ] {
        for text in [format!("{plain}{whole}"), plain.to_owned()] {
            project.write("secrets/gw.yaml", &text);
            for args in [
                &["secrets", "get", "gw/token"][..],
                &["secrets", "check"],
                &["secrets", "list"],
                &["secrets", "edit", "gw"],
                &["secrets", "rekey"],
                &["secrets", "set", "gw/x", "--generate", "32"],
            ] {
                let ran = project.run(args);
                assert!(!ran.text().contains("hunter2"), "{args:?} {plain:?}: {ran}");
            }
            // What a link leads to may be anything.
            std::fs::rename(project.folder().join("secrets/gw.yaml"), project.folder().join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("../elsewhere", project.folder().join("secrets/gw.yaml")).unwrap();
            let ran = project.run(&["secrets", "get", "gw/token"]);
            std::fs::remove_file(project.folder().join("secrets/gw.yaml")).unwrap();
            assert!(!ran.text().contains("hunter2"), "by a link, {plain:?}: {ran}");
            assert!(ran.code != 0 && ran.err.contains("gw.yaml"), "{plain:?}: {ran}");
        }
    }
}

#[test]
fn a_private_key_among_the_rules_is_not_shown() {
    let project = Project::with_store();
    let key = "AGE-SECRET-KEY-1HUNTER2CANARYHUNTER2CANARYHUNTER2CANARYHUNTER2CANARY";
    for rules in [
        format!("creation_rules:\n  - age: {key}\n"),
        format!("creation_rules:\n  - age: [{}]\n", key.to_lowercase()),
        format!("creation_rules:\n  - age: {{ {key}: }}\n"),
        format!("creation_rules: {key}\n"),
        format!("creation_rules: [{key}]\n"),
        format!("creation_rules: [ \"{key}\n"),
        format!("creation_rules: [ {{ path_regex: none, age: {key} }} ]\n"),
    ] {
        project.write(".sops.yaml", &rules);
        for args in
            [&["secrets", "set", "fresh/x", "--generate", "32"][..], &["secrets", "check"], &["secrets", "rekey"]]
        {
            let ran = project.run(args);
            assert!(!ran.text().to_uppercase().contains("HUNTER2"), "{args:?} {rules}: {ran}");
        }
        let ran = project.run(&["secrets", "set", "fresh/x", "--generate", "32"]).ends(65);
        assert!(ran.err.contains(".sops.yaml"), "{ran}");
    }
    // Nor is what a link leads to.
    let path = project.folder().join(".sops.yaml");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    for text in [
        "root:x:0:0:hunter2:/root:/bin/sh\n",
        "creation_rules: hunter2\n",
        "creation_rules: [ hunter2\n",
        "creation_rules:\n  - hunter2: 1\n",
    ] {
        project.write("elsewhere", text);
        let ran = project.run(&["secrets", "set", "fresh/x", "--generate", "32"]).ends(65);
        assert!(ran.err.contains(".sops.yaml") && !ran.text().contains("hunter2"), "{text}: {ran}");
    }
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
