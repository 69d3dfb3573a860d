//! The demo as people run it, in a lab of its own, and then the second opinion of tools that share no code with rempart.
//! Without root it is skipped, unless `REMPART_LAB=required` says that this machine must be able to.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "skipped/mod.rs"]
mod skipped;

use std::path::Path;
use std::process::Command;

#[test]
fn the_demo_ends_well_and_others_agree() {
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        return skipped::skip("the demo", "a lab needs root; run the tests as root to have it");
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_BIN_EXE_rempart"));
    // A lab belongs to the path of its inventory: a copy leaves alone the one that somebody has from `make demo`.
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-r", "inventories", "lab", "playbooks", "scripts", "templates", "tests"])
        .arg(copy.path())
        .current_dir(project)
        .status();
    assert!(copied.unwrap().success());
    let script = |path: &str| {
        let mut command = Command::new(copy.path().join(path));
        command.current_dir(copy.path()).env("DEMO_BIN", program.parent().unwrap()).env_remove("DEMO_DOWN");
        // The demo itself must not throw away what is still to be verified.
        command.env_remove("CI").env("VERIFY_VENV", project.join("target/verify-venv"));
        command
    };
    let demo = script("scripts/demo.sh").status().unwrap();
    let verify = demo.success().then(|| script("scripts/verify.sh").status().unwrap());
    let down = Command::new(program)
        .args(["lab", "down", "-i", "inventories/demo.yaml"])
        .current_dir(copy.path())
        .status()
        .unwrap();
    assert!(demo.success(), "the demo failed; what it printed stands above");
    assert!(verify.unwrap().success(), "somebody else sees it differently; what they say stands above");
    assert!(down.success());
}
