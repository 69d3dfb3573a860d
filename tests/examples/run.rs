//! Examples are run, not read: those that need no host must succeed; those that do must get as far as a host that
//! nobody can reach, so that all before it (flags, files, patterns, tags) is as the example says.
//!
//! On real hosts, `tests/real/first_hour.rs` follows docs/first-hour.md line by line.

use std::collections::BTreeSet;

use crate::scratch::Scratch;
use crate::source::{relative, root};
use crate::{commands, fenced, pages};

/// What is not run here: a beginning of the line, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("rempart lab ", "boots machines: tests/lab.rs, tests/real and tests/demo.rs do"),
    (
        "rempart bootstrap server1 -i inventories/demo.yaml -k",
        "asks for a password at a terminal: tests/real/bootstrap.rs",
    ),
    ("rempart trust ", "asks a person to compare fingerprints: tests/ssh.rs does, at a terminal of its own"),
    ("rempart apply --resume", "needs a run that a real host broke off: tests/real/faults.rs"),
    ("rempart secrets scan --staged", "needs a git repository: tests/scan/hook.rs"),
    ("rempart secrets scan --install-hook", "needs a git repository: tests/scan/hook.rs"),
    ("rempart man | man -l -", "a pager; tests/first_hour renders every page"),
];

/// Verbs that look at files and this computer alone.
const HERE: [&str; 13] = [
    "completions",
    "doctor",
    "explain",
    "graph",
    "history",
    "init",
    "inventory",
    "kinds",
    "man",
    "schema",
    "validate",
    "--help",
    "--version",
];

fn help_examples() -> Vec<String> {
    let mut page = Vec::new();
    rempart::cli::help_page(&mut page).unwrap();
    commands(&String::from_utf8(page).unwrap(), "rempart")
}

fn all() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = help_examples().into_iter().map(|line| ("--help".to_owned(), line)).collect();
    for page in pages().into_iter().filter(|page| !page.ends_with("docs/cli.md")) {
        let text = fenced(&std::fs::read_to_string(&page).unwrap());
        all.extend(commands(&text, "rempart").into_iter().map(|line| (relative(&page), line)));
    }
    all
}

// What the page made before: the folder that its commands are run in.
fn folder_of(page: &str, line: &str) -> &'static str {
    let of_demo = line.contains("inventories/demo.yaml") || line.contains("playbooks/ollama-server.yaml");
    match page {
        _ if of_demo => "demo",
        "docs/first-hour.md" if !line.contains("hosts.yml") => "fleet",
        _ => "project",
    }
}

#[test]
fn every_example_runs() {
    let scratch = Scratch::new();
    let (alone, why) = scratch.shell("", "true");
    if alone != 0 {
        assert!(!std::env::var("REMPART_LAB").is_ok_and(|value| value == "required"), "no network namespace: {why}");
        eprintln!("NOTICE: SKIPPED, because no network namespace can be made here: {why}");
        return;
    }
    // docs/first-hour.md begins with this, and goes on inside of it.
    let (made, said) = scratch.shell("", "rempart init fleet");
    assert_eq!(made, 0, "{said}");
    let has_jq = scratch.shell("", "command -v jq").0 == 0;
    let mut done = BTreeSet::new();
    let mut complaints = Vec::new();
    let mut counts = [0; 3];
    for (page, line) in all() {
        let line = line.replace("-i fleet/", "-i ../fleet/");
        // What only cuts the output up.
        let line = if has_jq { line } else { line.split(" | jq").next().unwrap_or("").to_owned() };
        let folder = folder_of(&page, &line);
        if !done.insert((folder, line.clone())) {
            continue;
        }
        if NOT_RUN.iter().any(|(begin, _)| line.starts_with(begin)) {
            counts[2] += 1;
            continue;
        }
        let verb = line.split_whitespace().nth(1).unwrap_or("");
        let asks = verb == "history" && (line.contains("--host") || line.contains(" -i "));
        let here = HERE.contains(&verb) && !asks;
        // It overwrites nothing, so it needs a folder where nothing is.
        let folder = if verb == "init" { format!("empty-{}", done.len()) } else { folder.to_owned() };
        std::fs::create_dir_all(scratch.path(&folder)).unwrap();
        let folder = folder.as_str();
        let (code, said) = scratch.shell(folder, &line);
        let wanted: &[i32] = match verb {
            // A computer may lack something, and says so.
            "doctor" => &[0, 1],
            _ if here => &[0],
            // Nothing is known of a host that was not reached, which is 1 where a pipeline wants to know.
            _ if line.contains("--detailed-exitcode") => &[1, 3],
            // The project of the examples has no secret in it.
            "secrets" if !line.contains("--host") => &[0],
            // Nobody is there to approve.
            "rollback" => &[3, 5],
            _ => &[3],
        };
        counts[usize::from(!here)] += 1;
        if !wanted.contains(&code) || said.contains("panicked") {
            complaints.push(format!("{page}, in {folder}: `{line}` ended with {code}, not {wanted:?}\n{said}"));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    let [here, hosts, not_run] = counts;
    assert!(here > 40 && hosts > 20, "{here} examples were run here, {hosts} up to a host, {not_run} not");
}

#[test]
fn what_is_not_run_has_a_reason_and_is_still_shown() {
    let all = all();
    for (begin, why) in NOT_RUN {
        assert!(why.len() > 10 && all.iter().any(|(_, line)| line.starts_with(begin)), "{begin}: no example begins so");
    }
    assert!(root().join("tests/real/first_hour.rs").exists());
}
