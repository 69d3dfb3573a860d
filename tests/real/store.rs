//! Secrets of the store on a real host: written where a key is at hand; unknown and untouched where none is.

use std::fs;
use std::time::Duration;

use crate::fixture::{Lab, Machine, Ran, run};

fn rempart(lab: &Lab, who: &str, args: &[&str]) -> Ran {
    let home = lab.folder.path().join(who);
    fs::create_dir_all(&home).unwrap();
    let mut command = lab.command(args);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("SOPS_AGE_KEY_FILE");
    run(command, Duration::from_secs(120))
}

/// A host, and a store of alice's with one secret.
fn with_token(test: &str) -> Option<(Lab, String)> {
    let lab = Lab::boot(test, &[Machine::new("web1")])?;
    rempart(&lab, "alice", &["secrets", "init"]).ends(0);
    rempart(&lab, "alice", &["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    let token = rempart(&lab, "alice", &["secrets", "get", "gw/token"]).ends(0).out;
    Some((lab, token))
}

#[test]
fn what_depends_on_a_secret_is_unknown_without_its_key_and_never_clean() {
    let Some(lab) = Lab::boot("secrets of the store", &[Machine::new("web1")]) else { return };
    rempart(&lab, "alice", &["secrets", "init"]).ends(0);
    let drawn = rempart(&lab, "alice", &["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    let token = rempart(&lab, "alice", &["secrets", "get", "gw/token"]).ends(0).out;
    lab.write("templates/gw.env.j2", "A=1\nTOKEN={{ secret('gw/token') }}\n");
    lab.playbook(
        "- template: { to: /etc/gw.env, from: gw.env.j2, mode: \"0600\" }\n\
         - file: { path: /etc/plain, content: \"x\\n\" }\n\
         - file: { path: /etc/after, content: \"y\\n\" }\n  needs: [{ template: /etc/gw.env }]\n",
    );
    // Nothing is there, and nobody has the key: what can be known is planned, and the rest is not made up.
    let plan = rempart(&lab, "nobody", &["plan", "playbook.yaml", "--json", "--detailed-exitcode"]).ends(1);
    assert_eq!(plan.resource("web1", "template:/etc/gw.env")["act"], "unknown", "{plan}");
    assert_eq!(plan.resource("web1", "file:/etc/plain")["act"], "create", "{plan}");
    assert!(plan.text().contains("no key for the secret gw/token"), "{plan}");
    let apply = rempart(&lab, "nobody", &["apply", "playbook.yaml", "--yes"]);
    assert_eq!(apply.code, 1, "{apply}");
    let there = lab.on("web1", "ls /etc/gw.env /etc/after 2>/dev/null; true");
    assert_eq!(there, "", "{apply}");
    // With the key all of it is made.
    let apply = rempart(&lab, "alice", &["apply", "playbook.yaml", "--yes"]).ends(0);
    assert!(!drawn.text().contains(&token) && !apply.text().contains(&token));
    assert_eq!(lab.on("web1", "cat /etc/gw.env"), format!("A=1\nTOKEN={token}\n"));
    rempart(&lab, "alice", &["drift", "playbook.yaml"]).ends(0);
    // As declared, and still unknown to whoever has no key.
    let drift = rempart(&lab, "nobody", &["drift", "playbook.yaml", "--json"]).ends(1);
    assert!(!drift.text().contains(&token), "{drift}");
    // Another value is seen as a change, and no value is shown.
    rempart(&lab, "alice", &["secrets", "set", "gw/token", "--generate", "16"]).ends(0);
    let changed = rempart(&lab, "alice", &["plan", "playbook.yaml"]).ends(0);
    assert!(changed.out.contains("TOKEN=(secret gw/token)"), "{changed}");
    assert!(!changed.text().contains(&token), "{changed}");
}

#[test]
fn a_machine_with_the_fingerprint_key_alone_tells_whether_secrets_are_as_they_should_be() {
    let Some((lab, token)) = with_token("fingerprints of secrets") else { return };
    let alice = |args: &[&str]| rempart(&lab, "alice", args);
    lab.write("templates/gw.env.j2", "A=1\nTOKEN={{ secret('gw/token') }}\n");
    lab.playbook(
        "- template: { to: /etc/gw.env, from: gw.env.j2, mode: \"0600\" }\n\
         - file: { path: /etc/gw.token, content: \"{{ secret('gw/token') }}\", mode: \"0600\" }\n",
    );
    let applied = alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    let noted = alice(&["secrets", "fingerprints", "playbook.yaml", "--key-to", "watch.key"]).ends(0);
    assert!(noted.text().contains("2 fingerprints, commit it"), "{noted}");
    assert!(alice(&["secrets", "fingerprints", "playbook.yaml"]).ends(0).text().contains("as it was"));
    let kept = fs::read_to_string(lab.folder.path().join("secrets/.fingerprints.yaml")).unwrap();
    assert!(kept.contains("template:/etc/gw.env content") && !kept.contains(&token), "{kept}");
    let watch = |code: i32| {
        let ran = rempart(&lab, "watcher", &["drift", "playbook.yaml", "--fingerprint-key", "watch.key", "--json"]);
        assert!(!ran.text().contains(&token), "{ran}");
        ran.ends(code)
    };
    watch(0);
    // Who has no key at all knows nothing, and a plan makes no use of fingerprints.
    let (env, whole) = ("template:/etc/gw.env", "file:/etc/gw.token");
    let drift = rempart(&lab, "watcher", &["drift", "playbook.yaml", "--json"]).ends(1);
    assert_eq!(drift.resource("web1", env)["state"], "unknown", "{drift}");
    // What somebody changed on the host is seen, and shown to nobody.
    lab.on("web1", "sed -i 's/TOKEN=./TOKEN=-old-/' /etc/gw.env");
    let changed = watch(2);
    assert_eq!(changed.resource("web1", env)["state"], "differs", "{changed}");
    assert!(!changed.text().contains("-old-"), "{changed}");
    lab.on("web1", "sed -i 's/TOKEN=.*/TOKEN=locked/' /etc/gw.env");
    watch(2);
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    watch(0);
    lab.on("web1", "chmod 0640 /etc/gw.env");
    watch(2);
    lab.on("web1", "chmod 0600 /etc/gw.env; echo >> /etc/gw.token");
    assert_eq!(watch(2).resource("web1", whole)["state"], "differs");
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    watch(0);
    // A secret or a text that was changed since is not known, until the fingerprints are made anew.
    alice(&["secrets", "set", "gw/token", "--generate", "16"]).ends(0);
    let stale = watch(1);
    assert_eq!(stale.resource("web1", env)["state"], "unknown", "{stale}");
    assert!(stale.text().contains("run `rempart secrets fingerprints`"), "{stale}");
    alice(&["secrets", "fingerprints", "playbook.yaml"]).ends(0);
    watch(2);
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    watch(0);
    lab.write("templates/gw.env.j2", "A=1\nTOKEN={{ secret('gw/token') | b64encode }}\n");
    watch(1);
    alice(&["secrets", "fingerprints", "playbook.yaml"]).ends(0);
    watch(2);
    assert!(!applied.text().contains(&token));
    // What only its kind can compare stays unknown.
    lab.playbook("- postgres_role: { name: app, password: \"{{ secret('gw/token') }}\" }\n");
    alice(&["secrets", "fingerprints", "playbook.yaml"]).ends(0);
    let role = watch(1);
    assert_eq!(role.resource("web1", "postgres_role:app")["state"], "unknown", "{role}");
    assert!(role.text().contains("no key for the secret gw/token"), "{role}");
}

#[test]
fn a_checkout_that_was_left_behind_writes_no_old_secret() {
    let Some(lab) = Lab::boot("an older store", &[Machine::new("web1")]) else { return };
    let alice = |args: &[&str]| rempart(&lab, "alice", args);
    // On another machine nobody remembers what the newest version was; the host does.
    let elsewhere = |args: &[&str]| {
        let mut command = lab.command(args);
        let home = lab.folder.path().join("alice");
        command.env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("SOPS_AGE_KEY_FILE");
        command.env("REMPART_STATE", lab.folder.path().join("elsewhere"));
        run(command, Duration::from_secs(120))
    };
    alice(&["secrets", "init"]).ends(0);
    alice(&["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    let path = lab.folder.path().join("secrets/gw.yaml");
    let old = fs::read_to_string(&path).unwrap();
    lab.playbook(
        "- file: { path: /etc/gw.token, content: \"{{ secret('gw/token') }}\", mode: \"0600\" }\n\
         - file: { path: /etc/plain, content: \"x\\n\" }\n",
    );
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    alice(&["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    let token = alice(&["secrets", "get", "gw/token"]).ends(0).out;
    assert_eq!(lab.on("web1", "cat /etc/gw.token"), token);
    assert_eq!(lab.on("web1", "stat -c %a:%U /var/lib/rempart/secret-origins").trim(), "600:root");
    fs::write(&path, old).unwrap();
    lab.on("web1", "rm /etc/plain");
    // It is said before anything is approved.
    let told = elsewhere(&["plan", "playbook.yaml", "--json"]);
    assert_eq!(told.resource("web1", "file:/etc/gw.token")["act"], "unknown", "{told}");
    assert!(told.text().contains("an older secret: file:/etc/gw.token was given generation"), "{told}");
    let stale = elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(stale.text().contains("an older secret: file:/etc/gw.token was given generation"), "{stale}");
    assert_eq!(lab.on("web1", "cat /etc/gw.token; cat /etc/plain"), format!("{token}x\n"), "{stale}");
    elsewhere(&["apply", "playbook.yaml", "--yes", "--allow-older-secrets"]).ends(0);
    assert_ne!(lab.on("web1", "cat /etc/gw.token"), token);
    // Two branches wrote the next generation, each its own: the second one is not taken for the first.
    let branch = fs::read_to_string(&path).unwrap();
    let set = |state: &str| {
        fs::write(&path, &branch).unwrap();
        let mut command = lab.command(&["secrets", "set", "gw/token", "--generate", "32"]);
        command.env("HOME", lab.folder.path().join("alice")).env_remove("XDG_CONFIG_HOME");
        command.env_remove("SOPS_AGE_KEY_FILE").env("REMPART_STATE", lab.folder.path().join(state));
        run(command, Duration::from_secs(120)).ends(0);
    };
    set("ours");
    elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(0);
    let ours = lab.on("web1", "cat /etc/gw.token");
    set("theirs");
    let apart = elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(apart.text().contains("two versions of generation"), "{apart}");
    assert_eq!(lab.on("web1", "cat /etc/gw.token"), ours, "{apart}");
    // Its secret comes from another file now; a checkout of before brings the old one back to nobody.
    elsewhere(&["apply", "playbook.yaml", "--yes", "--allow-older-secrets"]).ends(0);
    let before = fs::read_to_string(lab.folder.path().join("playbook.yaml")).unwrap();
    elsewhere(&["secrets", "set", "prod/token", "--generate", "32"]).ends(0);
    fs::write(lab.folder.path().join("playbook.yaml"), before.replace("gw/token", "prod/token")).unwrap();
    elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(0);
    fs::write(lab.folder.path().join("playbook.yaml"), &before).unwrap();
    let moved = elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(moved.text().contains("and secrets of elsewhere after that"), "{moved}");
    // A list that nobody can read says what to do, and this does it.
    lab.on("web1", "echo junk >> /var/lib/rempart/secret-origins");
    let of_host = elsewhere(&["plan", "playbook.yaml", "--json"]);
    assert!(of_host.text().contains("and secrets of elsewhere after that"), "{of_host}");
    // The host's own look is the last one: a plan that says nothing is none that is let through.
    lab.on("web1", "sed -i '/over$/d' /var/lib/rempart/secret-origins");
    let junk = elsewhere(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(junk.text().contains("mend that line or take it out; --allow-older-secrets takes it out"), "{junk}");
    elsewhere(&["apply", "playbook.yaml", "--yes", "--allow-older-secrets"]).ends(0);
    assert_eq!(lab.on("web1", "grep -c junk /var/lib/rempart/secret-origins; true").trim(), "0");
}

#[test]
fn what_a_host_prints_or_held_once_shows_no_secret() {
    let Some((lab, token)) = with_token("old and printed secrets") else { return };
    let alice = |args: &[&str]| rempart(&lab, "alice", args);
    let written =
        "- file: { path: /etc/app.env, content: \"TOKEN={{ secret('gw/token') }}\\nA=1\\n\", mode: \"0600\" }\n";
    lab.playbook(written);
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    // What comes to light on the host: a step that fails, a check, a value that somebody pasted elsewhere.
    lab.write("group_vars/all.yaml", "pw: !secret in-the-inventory-4711\n");
    lab.on("web1", "printf 'old %s\\nand in-the-inventory-4711\\n' \"$(cat /etc/app.env)\" > /etc/pasted");
    lab.playbook(&format!(
        "{written}- command: {{ name: shouts, run: \"cat /etc/app.env; exit 3\", creates: /nowhere }}\n\
         - file: {{ path: /etc/pasted, content: \"new\\n\" }}\n\
         - assert: {{ name: looks, run: \"cat /etc/app.env; exit 1\" }}\n"
    ));
    for args in [
        &["plan", "playbook.yaml"][..],
        &["plan", "playbook.yaml", "--json"],
        &["drift", "playbook.yaml"],
        &["drift", "playbook.yaml", "--json"],
        &["apply", "playbook.yaml", "--yes"],
        &["apply", "playbook.yaml", "--yes", "--json"],
    ] {
        let ran = alice(args);
        assert!(!ran.text().contains(&token) && !ran.text().contains("in-the-inventory-4711"), "{args:?}: {ran}");
        assert!(ran.text().contains("(secret gw/token)"), "{args:?}: {ran}");
    }
    // The path is declared without a secret: who has no key, or a newer store, does not know what stands there.
    lab.playbook("- file: { path: /etc/app.env, content: \"A=1\\nB=2\\n\", mode: \"0600\" }\n");
    alice(&["secrets", "set", "gw/token", "--generate", "32"]).ends(0);
    for who in ["alice", "nobody"] {
        for args in [&["plan", "playbook.yaml"][..], &["drift", "playbook.yaml", "--json"]] {
            let ran = rempart(&lab, who, args);
            assert!(!ran.text().contains(&token), "{who} {args:?}: {ran}");
            assert!(ran.text().contains("(hidden: may hold an old secret)"), "{who} {args:?}: {ran}");
        }
    }
    // A large one is compared as a whole, too.
    let large = lab.write("large", &"0123456789abcdef".repeat(30_000));
    let mut set = lab.command(&["secrets", "set", "big/one"]);
    set.env("HOME", lab.folder.path().join("alice")).env_remove("SOPS_AGE_KEY_FILE").env_remove("XDG_CONFIG_HOME");
    let ran = set.stdin(fs::File::open(large).unwrap()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    lab.playbook("- file: { path: /etc/large, content: \"{{ secret('big/one') }}\", mode: \"0600\" }\n");
    alice(&["apply", "playbook.yaml", "--yes"]).ends(0);
    let drift = alice(&["drift", "playbook.yaml", "--json"]).ends(2);
    assert_eq!(drift.resource("web1", "file:/etc/large")["state"], "as_declared", "{drift}");
}
