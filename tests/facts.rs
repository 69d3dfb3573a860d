//! Playbooks that read facts, seen without connecting: what waits for facts is still there for those who need it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::Command;

fn run(playbook: &str, args: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("inv.yaml"),
        "all: { hosts: { alpha: { ansible_host: 127.0.0.9, ansible_port: 9 } } }\n",
    )
    .unwrap();
    fs::write(folder.path().join("p.yaml"), playbook).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_rempart"))
        .args(args)
        .args(["p.yaml", "-i", "inv.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    (ran.status.code().unwrap(), text)
}

const PLAYBOOK: &str = r#"
playbook: p
hosts: all
phases:
  installation:
    - file: { path: /etc/f, content: "{{ facts.arch }}\n" }
      id: f
    - command: { run: "true", creates: /etc/f }
      needs: [f]
    - systemd_unit: { name: x.service, active: true, restart_on: [f] }
"#;

#[test]
fn a_need_for_what_waits_for_facts_is_valid() {
    let (code, text) = run(PLAYBOOK, &["validate"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(PLAYBOOK, &["graph"]);
    assert!(code == 0 && text.contains("file:/etc/f"), "{text}");
}

#[test]
fn a_host_without_facts_is_not_reached_and_nothing_else() {
    for verb in ["plan", "drift"] {
        let (code, text) = run(PLAYBOOK, &[verb]);
        assert!(code == 3 && text.contains("cannot reach alpha"), "{verb}: {code} {text}");
    }
}
