//! Every command line that a page or a help text shows is one: it parses, it runs, and `make` has its target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod run;
mod scratch;
#[path = "../skipped/mod.rs"]
mod skipped;
#[path = "../source/mod.rs"]
mod source;

use rempart::cli;
use source::{files_below, relative, root};

/// The lines of fenced blocks and of indented examples that begin with a command of ours.
fn commands(text: &str, command: &str) -> Vec<String> {
    let mut joined = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches("$ ").trim_start_matches("sudo ");
        // The second line of clap's usage begins like an example.
        let usage = line.ends_with("<COMMAND>");
        if joined.is_empty() && (!line.starts_with(&format!("{command} ")) || usage) {
            continue;
        }
        joined.push_str(line.trim_end_matches('\\'));
        if !line.ends_with('\\') {
            found.push(std::mem::take(&mut joined));
        }
    }
    found
}

// Only what stands in fenced blocks: prose may begin a line with the program's name, too.
fn fenced(text: &str) -> String {
    let parts = text.split("\n```").enumerate().filter(|(at, _)| at % 2 == 1);
    parts.map(|(_, block)| block.split_once('\n').map_or("", |(_, inside)| inside)).collect::<Vec<_>>().join("\n")
}

/// The words of one command, as a shell would see them up to a pipe, a redirection or the next command.
fn arguments(line: &str) -> Vec<String> {
    let words = shlex::split(line).unwrap_or_else(|| panic!("`{line}` is no shell line"));
    words
        .into_iter()
        .take_while(|word| !["|", ">", ">>", "2>", "&&", "||", ";", "#"].contains(&word.as_str()))
        .collect()
}

/// What `rempart init` writes, for the page whose commands are run in such a project; elsewhere nothing names a playbook.
fn project_of(page: &str) -> &'static str {
    if page == "docs/first-hour.md" { include_str!("../../src/cli/init/project/rempart.toml") } else { "" }
}

fn parses(page: &str, line: &str) -> Result<(), String> {
    let (words, project) = (arguments(line), project_of(page));
    cli::parses(words.clone(), project)?;
    // What `lab exec` runs inside may be one of ours again.
    match words.iter().position(|word| word == "--") {
        Some(at) if words.get(at + 1).is_some_and(|word| word == "rempart") => {
            cli::parses(words[at + 1..].to_vec(), project)
        }
        _ => Ok(()),
    }
}

fn pages() -> Vec<std::path::PathBuf> {
    let mut pages = files_below(&root().join("docs"));
    pages.extend([root().join("README.md"), root().join("ARCHITECTURE.md")]);
    pages.retain(|path| path.extension().is_some_and(|end| end == "md"));
    pages
}

#[test]
fn every_example_in_a_help_text_parses() {
    let mut page = Vec::new();
    cli::help_page(&mut page).expect("memory takes it all");
    let found = commands(&String::from_utf8(page).expect("help is text"), "rempart");
    assert!(found.len() > 20, "only {} examples were found", found.len());
    for line in found {
        parses("--help", &line).unwrap_or_else(|why| panic!("`{line}`: {why}"));
    }
}

#[test]
fn every_command_in_the_documentation_parses() {
    for page in pages() {
        let text = fenced(&std::fs::read_to_string(&page).expect("a page is text"));
        for line in commands(&text, "rempart") {
            parses(&relative(&page), &line).unwrap_or_else(|why| panic!("{}: `{line}`: {why}", relative(&page)));
        }
    }
}

#[test]
fn every_make_target_in_the_documentation_is_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("the Makefile is there");
    for page in pages() {
        let text = fenced(&std::fs::read_to_string(&page).expect("a page is text"));
        for line in commands(&text, "make") {
            for target in arguments(&line).iter().skip(1).filter(|word| !word.contains('=')) {
                let there = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
                assert!(there, "{}: the Makefile has no target {target}", relative(&page));
            }
        }
    }
}

/// The README is read first, so the files that it names must be there.
#[test]
fn every_file_that_the_readme_uses_is_there() {
    let text = fenced(&std::fs::read_to_string(root().join("README.md")).expect("the page is there"));
    for line in commands(&text, "rempart") {
        for word in arguments(&line) {
            if word.starts_with("playbooks/") || word.starts_with("inventories/") {
                assert!(root().join(&word).exists(), "README.md: {word} is not there");
            }
        }
    }
}

#[test]
fn a_wrong_command_line_would_be_found() {
    let in_project = |line: &str| parses("docs/first-hour.md", line);
    let parses = |line: &str| parses("README.md", line);
    assert!(parses("rempart plan site.yaml --no-such-flag").is_err());
    assert!(parses("rempart pln site.yaml").is_err());
    assert!(parses("rempart lab exec -i a.yaml -- rempart pln x").is_err());
    assert!(parses("rempart plan site.yaml --json > plan.json").is_ok());
    // Only a project names a playbook by itself.
    assert!(parses("rempart plan").is_err() && in_project("rempart plan").is_ok());
    let page = "rempart is a tool\n```sh\nrempart plan \\\n  a.yaml\n```\nrempart no\n";
    assert_eq!(commands(&fenced(page), "rempart"), ["rempart plan a.yaml"]);
}
