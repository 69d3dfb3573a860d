//! `rempart history` as a user meets it, and its chains against a checker that has none of rempart's code.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use rempart::history::{
    ApprovedChange, EndEvent, Event, FIRST, IntentEvent, Journal, ResultEvent, RunEvent, RunSelection, RunTotals,
    RunVerb, StepIntent, StepResult, TornEvent, seal, verify,
};
use rempart::model::HostName;

const RUN: &str = "3f9a00c1d2e4";
const OTHER: &str = "3f00aabbccdd";

fn events() -> Vec<Event> {
    let web = HostName::new("web1");
    let step = |id: &str, title: &str| StepIntent { ids: vec![id.into()], title: title.into(), risky: false };
    let change = |id: &str| ApprovedChange {
        host: web.clone(),
        id: id.into(),
        act: "create".into(),
        fields: vec!["content".into()],
    };
    let start = |run: &str| {
        Event::Run(Box::new(RunEvent {
            run: run.into(),
            verb: RunVerb::Apply,
            who: "ops@control".into(),
            why: "a new \"proxy\"\tis\nneeded — now".into(),
            playbooks: vec!["site.yaml".into()],
            inventories: vec!["inventories".into()],
            selection: RunSelection::default(),
            set_names: vec!["port".into()],
            approved: vec![change("file:/etc/a"), change("file:/etc/b")],
            resumes: None,
            allowed_lockouts: Vec::new(),
        }))
    };
    let intent = Event::Intent(IntentEvent {
        run: RUN.into(),
        host: web.clone(),
        batch: 1,
        steps: vec![step("file:/etc/a", "write /etc/a"), step("file:/etc/b", "write /etc/b")],
    });
    let result = Event::Result(ResultEvent {
        run: RUN.into(),
        host: web.clone(),
        batch: 1,
        steps: vec![StepResult::done(), StepResult::failed("exit status 1")],
        armed: false,
        guard: None,
        head: Some(FIRST.replace('0', "a")),
        seq: Some(7),
    });
    let end = |run: &str, exit| Event::End(EndEvent { run: run.into(), exit, totals: RunTotals::default() });
    let torn = Event::Torn(TornEvent { bytes: 3, sha256: FIRST.into() });
    vec![start(OTHER), end(OTHER, 0), torn, start(RUN), intent, result, end(RUN, 1)]
}

fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let journal = Journal::open(&folder.path().join("state")).expect("there can be a journal");
    for event in events() {
        journal.append(&event).expect("it can be written");
    }
    folder
}

fn python(arguments: &[&str]) -> (bool, String) {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify/journal.py");
    let output = Command::new("python3").arg(checker).args(arguments).output().expect("there is a Python");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn rempart(state: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rempart"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).env("REMPART_STATE", state).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The line of the first finding that rempart tells, or `None`.
fn found(state: &Path) -> Option<u64> {
    let (code, said, _) = rempart(state, &["history", "verify", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    let chain = &told["chains"][0];
    assert_eq!(code, Some(if chain["state"] == "whole" { 0 } else { 1 }));
    chain["breaks"][0]["line"].as_u64()
}

#[test]
fn what_rempart_writes_a_stranger_proves_and_both_find_the_same_line() {
    let folder = written();
    let state = folder.path().join("state");
    let place = state.to_str().expect("a path is text");
    let (code, said, _) = rempart(&state, &["history", "verify"]);
    let (whole, told) = python(&["controller", place]);
    assert_eq!((code, whole), (Some(0), true), "{said}{told}");
    assert!(said.contains(told.trim_end()), "{said}{told}");

    let path = state.join("journal");
    let text = std::fs::read_to_string(&path).expect("the journal is text");
    let lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    for at in 0..count {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let byte = changed[at].len() / 2;
        let byte = (byte..).find(|byte| changed[at].as_bytes()[*byte].is_ascii_alphanumeric()).expect("it has letters");
        let other = if changed[at].as_bytes()[byte] == b'0' { "1" } else { "0" };
        changed[at].replace_range(byte..=byte, other);
        let mut removed = lines.clone();
        removed.remove(at);
        for (what, lines) in [("changed", changed.join("\n") + "\n"), ("removed", removed.join("\n") + "\n")] {
            std::fs::write(&path, lines).expect("it can be written");
            let (whole, told) = python(&["controller", place]);
            assert!(!whole, "{what} {at}: {told}");
            let line = found(&state);
            assert_eq!(line, Some(at as u64 + 1), "{what} {at}");
            assert!(told.starts_with(&format!("line {}:", at + 1)), "{what} {at}: {told}");
        }
    }
    std::fs::write(&path, text).expect("it can be written");
    assert_eq!(found(&state), None);
}

#[test]
fn the_journal_of_a_target_is_the_same_chain() {
    let mut before = FIRST.to_owned();
    let mut text = String::new();
    for rest in [
        "1\t1772368245\t3f9a\t0\topen\t-\tops@control: site.yaml: because",
        "2\t1772368246\t3f9a\t1\tintent\t1\tfile:/etc/a, file:/etc/b | write — two",
        "3\t1772368247\t3f9a\t1\tdone\t1\t",
        "4\t1772368248\t-\t-\ttorn\t-\t3 0000",
        "5\t1772368248\t3f9a\t0\tclose\t-\t",
    ] {
        let line = seal(&before, rest);
        before = line[..64].to_owned();
        text.push_str(&line);
        text.push('\n');
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("journal");
    let check = |text: &str| {
        std::fs::write(&path, text).expect("it can be written");
        let (whole, told) = python(&["target", path.to_str().expect("a path is text")]);
        let checked = verify(text.as_bytes(), []);
        assert_eq!(whole, checked.is_whole(), "{told}");
        (whole, told, checked.head.hash)
    };
    let (whole, told, head) = check(&text);
    assert!(whole && told.contains(&head), "{told}");
    assert!(!check(&text.replace("write", "wrote")).0);
    assert!(!check(&text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).0);
}

#[test]
fn runs_are_listed_and_shown_by_the_start_of_their_number() {
    let folder = written();
    let state = folder.path().join("state");
    let (code, said, _) = rempart(&state, &["history"]);
    assert_eq!(code, Some(0));
    let rows: Vec<&str> = said.lines().map(|line| line.split(' ').next().unwrap_or("")).collect();
    assert_eq!(rows, ["run", RUN, OTHER, "2"], "{said}");
    let (code, said, _) = rempart(&state, &["history", "show", "3f9"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("write /etc/b") && said.contains("exit status 1"), "{said}");
    let (code, _, why) = rempart(&state, &["history", "show", "3f"]);
    assert!(code == Some(64) && why.contains(OTHER), "{why}");
    let (code, _, why) = rempart(&state, &["history", "show", "9"]);
    assert!(code == Some(64) && why.contains("no such run"), "{why}");
    let (code, said, _) = rempart(&state, &["history", "--limit-runs", "1", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!((code, told["runs"].as_array().map(Vec::len)), (Some(0), Some(1)));
}

#[test]
fn a_journal_that_was_tampered_with_is_shown_with_a_warning() {
    let folder = written();
    let state = folder.path().join("state");
    let path = state.join("journal");
    let text = std::fs::read_to_string(&path).expect("the journal is text");
    std::fs::write(&path, text.replace("exit status 1", "exit status 2")).expect("it can be written");
    let (code, said, why) = rempart(&state, &["history"]);
    assert!(code == Some(0) && said.contains(RUN) && why.contains("tampered"), "{why}");
    let (code, said, _) = rempart(&state, &["history", "verify"]);
    assert!(code == Some(1) && said.contains("line 6: it was changed"), "{said}");
}

#[test]
fn where_nothing_was_ever_done_there_is_no_history_and_no_folder_is_made() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let state = folder.path().join("none");
    assert_eq!(rempart(&state, &["history"]).0, Some(0));
    assert_eq!(rempart(&state, &["history", "verify"]).0, Some(0));
    assert!(!state.exists());
}
