//! The checker's own test: each sort of fault is made up, and must be seen.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::record::CHECKER;
use crate::site::python;

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A journal of these (word, text).
fn journal(lines: &[(&str, &str)]) -> String {
    let (mut text, mut last) = (String::new(), ZERO.to_owned());
    for (at, (word, said)) in lines.iter().enumerate() {
        let rest = format!("{}\t1700000000\tabc\t0\t{word}\t0\t{said}", at + 1);
        let hash: String = Sha256::digest(format!("{last}\t{rest}")).iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{hash}\t{rest}\n"));
        last = hash;
    }
    text
}

fn state(title: &str, objects: Value, journal: &str) -> Value {
    json!({ "title": title, "objects": objects, "audit": "", "own": { "journal": journal, "open_runs": [], "guard": [] } })
}

const A: &str = "file 0644 0:0 2 bytes aa";
const B: &str = "file 0644 0:0 2 bytes bb";
const INTENTS: [(&str, &str); 3] =
    [("intent", "file:/etc/a | write a"), ("done", ""), ("intent", "file:/etc/b | write b")];

/// The run writes /etc/a, then /etc/b (which a package may bring), and is rebooted.
fn golden(folder: &Path, package: bool) {
    let mut versions = [
        ("", json!({})),
        ("write a", json!({ "path /etc/a": A })),
        ("write b", json!({ "path /etc/a": A, "path /etc/b": B })),
        ("(reboot)", json!({ "path /etc/a": A, "path /etc/b": B })),
    ];
    for (_, objects) in versions.iter_mut().skip(2).filter(|_| package) {
        objects["package b"] = "ii 1".into();
    }
    for (at, (title, objects)) in versions.into_iter().enumerate() {
        let state = state(title, objects, &journal(&INTENTS[..if at == 0 { 0 } else { at + 1 }.min(3)]));
        fs::write(folder.join(format!("{at:03}.json")), state.to_string()).unwrap();
    }
}

/// What the checker says of a state after a fault in the second step, or after the run that repairs it.
fn verdict(state: &Value, must_be_new: bool) -> String {
    verdict_of(state, must_be_new, false)
}

fn verdict_of(state: &Value, must_be_new: bool, package: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let versions = folder.path().join("golden");
    fs::create_dir(&versions).unwrap();
    golden(&versions, package);
    let file = folder.path().join("state.json");
    fs::write(&file, state.to_string()).unwrap();
    let mut command = Command::new(python());
    command.arg(CHECKER).arg("judge").arg(&versions).arg(&file);
    command.args(if must_be_new { &["new"][..] } else { &["0", "1"] });
    let output = command.output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let faults: Vec<&str> = json["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    assert_eq!(output.status.success(), faults.is_empty(), "{json}");
    faults.join("\n")
}

#[test]
fn old_and_new_are_good() {
    let all = journal(&INTENTS);
    assert_eq!(verdict(&state("", json!({ "path /etc/a": A }), &all), false), "");
    assert_eq!(verdict(&state("", json!({ "path /etc/a": A, "path /etc/b": B }), &all), false), "");
    assert_eq!(verdict(&state("", json!({ "path /etc/a": A, "path /etc/b": B }), &all), true), "");
    // A step that was killed may leave its temporary file; the run after it may not.
    let stray = json!({ "path /etc/a": A, "path /etc/.rempart.77.b": B, "path /etc/b": B });
    assert_eq!(verdict(&state("", stray.clone(), &all), false), "");
    assert!(verdict(&state("", stray, &all), true).contains("left behind: path /etc/.rempart.77.b"));
    // A torn last line is what a power cut leaves.
    assert_eq!(verdict(&state("", json!({ "path /etc/a": A }), &format!("{all}abc")), false), "");
}

#[test]
fn what_is_between_undone_unexplained_or_forged_is_seen() {
    let all = journal(&INTENTS);
    let says = |objects: Value, journal: &str, word: &str| {
        let said = verdict(&state("", objects, journal), false);
        assert!(said.contains(word), "`{word}` is not in: {said}");
    };
    let empty = "file 0644 0:0 0 bytes e3";
    says(json!({ "path /etc/a": A, "path /etc/b": empty }), &all, "between: path /etc/b");
    says(json!({ "path /etc/a": A, "path /etc/strange": B }), &all, "between: path /etc/strange");
    says(json!({ "path /etc/b": B }), &all, "was done and is undone: path /etc/a");
    says(
        json!({ "path /etc/a": A, "path /etc/b": B }),
        &journal(&INTENTS[..2]),
        "without an intent in the journal: path /etc/b",
    );
    says(json!({ "path /etc/a": A }), "", "without an intent in the journal: path /etc/a");
    says(json!({ "path /etc/a": A }), &all.replacen("write a", "write x", 1), "line 1 of the journal is not sealed");
    let (first, rest) = all.split_once('\n').unwrap();
    says(json!({ "path /etc/a": A }), rest, "says that it is number 2");
    assert!(!first.is_empty());
    let mut gone = state("", json!({ "path /etc/a": A }), "");
    gone["own"]["journal"] = Value::Null;
    assert!(verdict(&gone, false).contains("there is no journal"));
}

#[test]
fn what_a_packages_script_lost_is_counted_apart_and_must_be_repaired() {
    let lost = |journal: &str, content: &str| {
        state("", json!({ "path /etc/a": A, "path /etc/b": content, "package b": "ii 1" }), journal)
    };
    let (open, empty) = (journal(&INTENTS), "file 0644 0:0 0 bytes e3");
    assert_eq!(verdict_of(&lost(&open, empty), false, true), "");
    assert!(verdict_of(&lost(&open, empty), true, true).contains("not new: path /etc/b"));
    // Half of it is no loss that anybody has seen; and a step that ended has nothing to lose.
    assert!(verdict_of(&lost(&open, "file 0644 0:0 1 bytes e4"), false, true).contains("between: path /etc/b"));
    let ended = journal(&[&INTENTS[..], &[("done", "")]].concat());
    assert!(verdict_of(&lost(&ended, empty), false, true).contains("between: path /etc/b"));
    assert!(verdict_of(&lost(&open, empty), false, false).contains("between: path /etc/b"));
}

#[test]
fn what_a_repairing_run_leaves_is_seen() {
    let all = journal(&INTENTS);
    let said = |change: &dyn Fn(&mut Value)| {
        let mut state = state("", json!({ "path /etc/a": A, "path /etc/b": B }), &all);
        change(&mut state);
        verdict(&state, true)
    };
    assert!(said(&|state| state["objects"]["path /etc/b"] = A.into()).contains("not new: path /etc/b"));
    assert!(said(&|state| state["audit"] = "half installed".into()).contains("dpkg --audit"));
    assert!(said(&|state| state["own"]["open_runs"] = json!(["abc"])).contains("the run abc is still open"));
    assert!(said(&|state| state["own"]["guard"] = json!(["armed"])).contains("the guard's folder"));
}
