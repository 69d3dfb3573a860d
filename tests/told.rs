//! What people are told who use the program for the first time: wrong command lines, hosts that do not answer, names that
//! mean nothing, and a change that would shut them out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::Command;

#[path = "said/mod.rs"]
mod said;

use said::Said;

const PLAYBOOK: &str = r#"playbook: p
hosts: all
phases:
  preparation:
    - file: { path: /etc/a, content: "{{ facts.os }}\n" }
    - file: { path: /etc/b, content: "x\n" }
"#;

// Nothing listens at these places.
const HOSTS: &str = "all:\n  vars: { ansible_user: admin, ansible_host: 127.0.0.9, ansible_port: 9 }\n  hosts: { alpha: , beta: , cee: , dee: , eps: }\n";

fn run(playbook: &str, arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hosts.yml"), HOSTS).unwrap();
    fs::write(folder.path().join("p.yaml"), playbook).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rempart"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
        command.env_remove(name);
    }
    let ran = command
        .args(arguments)
        .env("REMPART_STATE", folder.path().join("state"))
        .env("REMPART_INVENTORY", "hosts.yml")
        .current_dir(folder.path())
        .output()
        .unwrap();
    Said::of(ran)
}

#[test]
fn a_usage_line_shows_what_has_to_be_written_whatever_the_environment_gives() {
    for (arguments, usage, hint) in [
        (&["plan"][..], "Usage: rempart plan [OPTIONS] <PLAYBOOK>...", "name a playbook"),
        (&["exec", "all"], "Usage: rempart exec [OPTIONS] <PATTERN> -- <COMMAND>...", "behind `--`"),
        (&["history", "show"], "Usage: rempart history show [OPTIONS] <RUN>", "`rempart history` lists them"),
    ] {
        let ran = run(PLAYBOOK, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{}", ran.err);
        assert!(ran.err.contains(usage) && ran.err.contains(hint), "{}", ran.err);
        assert!(ran.err.contains("such as `rempart ") && !ran.err.contains("--inventory <"), "{}", ran.err);
    }
    // The help of a verb has the same line.
    let help = run(PLAYBOOK, &["plan", "--help"]);
    assert!(help.out.contains("Usage: rempart plan [OPTIONS] <PLAYBOOK>...\n"), "{}", help.out);
}

#[test]
fn a_verb_that_stops_tells_machines_why() {
    let wrong = "playbook: p\nhosts: all\nphases:\n  preparation:\n    - fil: { path: /x }\n";
    for (arguments, code) in [
        (&["plan", "--json"][..], 64),
        (&["plan", "p.yaml", "--json"], 65),
        (&["drift", "p.yaml", "--json", "--limit", "nobody"], 65),
        (&["apply", "p.yaml", "--json", "--yes"], 65),
        (&["prune", "p.yaml", "--json", "--yes"], 65),
        (&["explain", "nobody", "--json"], 64),
        (&["facts", "nobody", "--json"], 65),
        (&["kinds", "fil", "--json"], 64),
        (&["history", "show", "ffff", "--json"], 64),
        (&["rollback", "ffff", "--json"], 64),
    ] {
        let ran = run(wrong, arguments);
        let told = ran.json();
        assert_eq!((ran.code, &told["kind"], &told["exit"]), (code, &"error".into(), &code.into()), "{arguments:?}");
        let first = &told["errors"][0];
        assert!(first["summary"].is_string() && first["severity"] == "error", "{told}");
        // People are told as before.
        assert!(ran.err.contains("error"), "{}", ran.err);
    }
    let told = run(wrong, &["plan", "p.yaml", "--json"]).json();
    assert_eq!(
        told["errors"][0]["place"],
        serde_json::json!({ "file": "p.yaml", "line": 5, "column": 7, "label": "`fil` is neither a kind nor a keyword" })
    );
    assert_eq!(told["errors"][0]["fix"], "did you mean `file`?");
    // A result is the only document.
    assert_eq!(run(PLAYBOOK, &["plan", "p.yaml", "--json"]).json()["kind"], "plan");
}

#[test]
fn a_host_that_does_not_answer_says_why_once_and_nothing_is_known_of_it() {
    let last = "Nothing is known about alpha: it was not reached, and its 2 resources are unknown.\n";
    for (arguments, times) in [(&["plan"][..], 1), (&["plan", "--all"], 1), (&["drift"], 1), (&["apply", "--yes"], 2)] {
        let ran = run(PLAYBOOK, &[arguments, &["p.yaml", "--limit", "alpha"]].concat());
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        // `apply` shows the plan, and then the run.
        assert_eq!(ran.out.matches("cannot reach alpha").count(), times, "{arguments:?}: {}", ran.out);
        assert!(ran.err.matches("cannot reach alpha").count() <= 1, "{arguments:?}: {}", ran.err);
        assert!(ran.out.ends_with(last) && !ran.out.contains("No changes"), "{arguments:?}: {}", ran.out);
    }
    for verb in ["plan", "drift", "apply"] {
        let yes: &[&str] = if verb == "apply" { &["--yes"] } else { &[] };
        let ran = run(PLAYBOOK, &[&[verb, "p.yaml", "--json", "--limit", "alpha"], yes].concat());
        let told = ran.json();
        assert_eq!((ran.code, &told["totals"]["unknown"]), (3, &2.into()), "{told}");
        assert_eq!(told["hosts"][0]["resources"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(told.to_string().matches("cannot reach alpha").count(), 1, "{told}");
    }
    let ran = run(PLAYBOOK, &["plan", "p.yaml", "--limit", "alpha", "--detailed-exitcode"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
}

#[test]
fn a_wrong_fact_is_an_error_before_anybody_is_asked() {
    let wrong = PLAYBOOK.replace("facts.os", "facts.os_verison | default('')");
    for verb in ["validate", "plan"] {
        let ran = run(&wrong, &[verb, "p.yaml"]);
        assert_eq!((ran.code, ran.out.as_str()), (65, ""), "{}", ran.err);
        assert!(ran.err.contains("an unknown fact") && ran.err.contains("did you mean `os_version`?"), "{}", ran.err);
        assert!(ran.err.contains("the same on beta, cee and 2 more: 5 hosts in all"), "{}", ran.err);
        assert!(!ran.err.contains("cannot reach"), "{}", ran.err);
    }
    let ran = run(PLAYBOOK, &["validate", "p.yaml", "--inventory", "hosts.yml"]);
    assert!(ran.code == 0 && ran.err.contains("Valid: 10 resources on 5 hosts."), "{}", ran.err);
}

#[test]
fn a_setting_that_would_lock_us_out_is_pointed_at_with_who_and_what_to_do() {
    let sshd = "playbook: p\nhosts: alpha\nphases:\n  hardening:\n    - sshd: { settings: { PasswordAuthentication: false, allowusers: [bob] } }\n";
    let ran = run(sshd, &["validate", "p.yaml"]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    let line = "    - sshd: { settings: { PasswordAuthentication: false, allowusers: [bob] } }";
    let caret = " ".repeat(line.find("[bob]").unwrap()) + "^^^^ settings.allowusers";
    for part in [
        "error: this would lock rempart out",
        line,
        &caret,
        "AllowUsers names all who may log in, and leaves out `admin`, whom rempart logs in as",
        "write AllowUsers: [bob, admin]",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
}

#[test]
fn output_that_was_lost_is_told() {
    let full = || std::process::Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [&["kinds"][..], &["kinds", "--json"]] {
        let ran = Command::new(env!("CARGO_BIN_EXE_rempart")).args(arguments).stdout(full()).output().unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{err}");
        assert!(err.contains("output was lost") && err.contains("No space left"), "{err}");
    }
}

#[test]
fn an_interrupt_before_anything_is_done_says_so() {
    use std::process::Stdio;
    // It takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("127.0.0.1:{},", silent.local_addr().unwrap().port());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.yaml"), PLAYBOOK).unwrap();
    for (arguments, json) in [(&["apply", "p.yaml", "--yes"][..], false), (&["plan", "p.yaml", "--json"], true)] {
        let child = Command::new(env!("CARGO_BIN_EXE_rempart"))
            .args(arguments)
            .args(["-i", &at])
            .env("REMPART_STATE", folder.path().join("state"))
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _connection = silent.accept().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
        let ran = Said::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 130, "{ran}");
        assert!(ran.err.contains("interrupted") && ran.err.contains("nothing was changed"), "{ran}");
        assert_eq!(ran.out.contains("nothing was changed"), json, "{ran}");
    }
    let history = Command::new(env!("CARGO_BIN_EXE_rempart"))
        .args(["history", "--json"])
        .env("REMPART_STATE", folder.path().join("state"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&history.stdout).contains("\"runs\": []"));
}

#[test]
fn a_pattern_is_blamed_on_the_flag_that_it_was_given_with() {
    for (arguments, flag) in [
        (&["secrets", "scan", "--host", "nosuch"][..], "--host"),
        (&["rollback", "--host", "nosuch", "--yes"], "--host"),
        (&["commit", "--limit", "nosuch"], "--limit"),
        (&["inventory", "--json", "--limit", "nosuch"], "--limit"),
    ] {
        let ran = run(PLAYBOOK, &[arguments, &["-i", "web1,"]].concat());
        assert_eq!(ran.code, 65, "{arguments:?}: {ran}");
        assert!(ran.err.contains(&format!("{flag}:1:1")), "{arguments:?}: {ran}");
        assert!(ran.err.contains("the inventory has 1 host in "), "{arguments:?}: {ran}");
    }
}
