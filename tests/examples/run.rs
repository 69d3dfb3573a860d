//! Examples are run, not read: those that need no host must succeed; those that do must get as far as a host that
//! nobody can reach, so that all before it (flags, files, patterns, tags) is as the example says.
//!
//! On real hosts, `tests/real/first_hour.rs` follows docs/first-hour.md line by line.

use std::collections::BTreeSet;

use crate::scratch::Scratch;
use crate::skipped::skip;
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
    ("rempart secrets set gw/typed", "asks at a terminal"),
    (
        "rempart secrets remove",
        "asks at a terminal, and would take what the other examples read: tests/secrets/store_verbs.rs",
    ),
    ("rempart secrets edit", "opens an editor: tests/secrets/main.rs"),
    ("rempart secrets burned --done", "needs somebody who left: tests/secrets/readers.rs"),
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

// What jq has against a filter: that it is none, or a wrong command line. Against `{}` it may find nothing.
fn wrong_filter(scratch: &Scratch, filter: &str) -> Option<String> {
    let (code, said) = scratch.shell("", &format!("echo '{{}}' | jq {filter}"));
    matches!(code, 2 | 3).then(|| format!("jq ended with {code}: {said}"))
}

#[test]
fn a_wrong_filter_would_be_found() {
    let scratch = Scratch::new();
    if scratch.shell("", "command -v jq").0 != 0 {
        return skip("a_wrong_filter_would_be_found", "jq, or a network namespace, is not to be had");
    }
    assert!(wrong_filter(&scratch, "'.findings[] | select('").is_some());
    assert!(wrong_filter(&scratch, "--no-such-flag .").is_some());
    assert_eq!(wrong_filter(&scratch, "'.findings[] | select(.standing == \"missing\")'"), None);
}

#[test]
fn every_example_runs() {
    let scratch = Scratch::new();
    let (alone, why) = scratch.shell("", "true");
    if alone != 0 {
        skip("every_example_runs", &format!("no network namespace can be made here: {why}"));
        return;
    }
    // docs/first-hour.md begins with this, and goes on inside of it.
    let (made, said) = scratch.shell("", "rempart init fleet");
    assert_eq!(made, 0, "{said}");
    let store = "rempart secrets init && for name in gw/token db/password tls/key; do echo x | rempart secrets set $name || exit; done";
    let (made, said) = scratch.shell("project", &format!("echo x > ../server.key; {store}"));
    assert_eq!(made, 0, "{said}");
    let has_jq = scratch.shell("", "command -v jq").0 == 0;
    if !has_jq {
        skip("the filters of jq in examples", "jq is not installed; scripts/packages.sh installs it");
    }
    let mut done = BTreeSet::new();
    let mut complaints = Vec::new();
    let mut counts = [0; 3];
    for (page, line) in all() {
        let line = line.replace("-i fleet/", "-i ../fleet/");
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
        // What is behind a pipe has codes of its own, of which one is 3, so each side is tried alone.
        let (own, filter) = match line.split_once(" | jq ") {
            Some((own, filter)) => (own.to_owned(), Some(filter)),
            None => (line.clone(), None),
        };
        if let Some(filter) = filter.filter(|_| has_jq) {
            complaints.extend(wrong_filter(&scratch, filter).map(|why| format!("{page}: `{line}`: {why}")));
        }
        let (code, said) = scratch.shell(folder, &own);
        let wanted: &[i32] = match verb {
            // A computer may lack something, and says so.
            "doctor" => &[0, 1],
            _ if here => &[0],
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
