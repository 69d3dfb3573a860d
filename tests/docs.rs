//! The documentation, held by tests: what is generated is as the code would write it now (`UPDATE_DOCS=1` writes it
//! anew), every example loads, and every line of code that a page quotes exists.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[allow(dead_code, reason = "what makes recordings is tests/real/tamper.rs")]
mod recording;
mod source;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rempart::kinds::KINDS;
use rempart::{cli, playbook, report};
use source::{files_below, relative, root};

fn compare(path: &str, now: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().expect("a page stands in a folder")).expect("the folder can be made");
        std::fs::write(&file, now).expect("the page can be written");
        return;
    }
    let then = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = then.lines().zip(now.lines()).position(|(then, now)| then != now);
    let line = differs.unwrap_or_else(|| then.lines().count().min(now.lines().count()));
    assert!(
        then == now,
        "{path} is not what the code says; run `make docs`\nline {}:\n- {}\n+ {}",
        line + 1,
        then.lines().nth(line).unwrap_or(""),
        now.lines().nth(line).unwrap_or("")
    );
}

#[test]
fn docs_kinds_md_is_current() {
    let rows: Vec<recording::table::Row> = KINDS.iter().map(recording::table::Row::of).collect();
    let page = report::kinds_markdown(KINDS) + &recording::table::markdown(&rows);
    compare("docs/kinds.md", &page);
}

#[test]
fn docs_cli_md_is_current() {
    let mut page = Vec::new();
    cli::help_page(&mut page).expect("memory takes it all");
    compare("docs/cli.md", &String::from_utf8(page).expect("help is text"));
}

#[test]
fn docs_playbook_schema_json_is_current() {
    let text = serde_json::to_string_pretty(&playbook::schema()).expect("a schema is JSON");
    compare("docs/playbook.schema.json", &format!("{text}\n"));
}

#[test]
fn kinds_and_keywords_are_disjoint_and_sorted() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in &names {
        assert!(!playbook::KEYWORDS.contains(name), "`{name}` is a kind and a keyword");
        assert!(
            !["hosts", "phases", "playbook", "playbooks", "site", "vars"].contains(name),
            "`{name}` is a word of files"
        );
    }
}

/// A fenced block of a page.
struct Block {
    /// `docs/playbooks.md:12`
    place: String,
    /// What stands behind the fence: `yaml items`.
    info: String,
    text: String,
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).expect("a page is text");
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (open.as_mut(), line.strip_prefix("```")) {
            (None, Some(info)) => {
                let place = format!("{}:{}", relative(path), number + 1);
                open = Some(Block { place, info: info.trim().to_owned(), text: String::new() });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a fence is not closed", relative(path));
    found
}

fn pages() -> Vec<std::path::PathBuf> {
    let mut pages = files_below(&root().join("docs"));
    pages.extend([root().join("README.md"), root().join("ARCHITECTURE.md")]);
    pages.retain(|path| path.extension().is_some_and(|end| end == "md"));
    pages
}

fn rempart(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rempart"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).current_dir(folder).output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A project to try examples in: the fleet and the templates of `tests/fixtures/docs`.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let from = root().join("tests/fixtures/docs");
    for path in files_below(&from) {
        let to = folder.path().join(path.strip_prefix(&from).expect("it stands below"));
        std::fs::create_dir_all(to.parent().expect("a file stands in a folder")).expect("a folder can be made");
        std::fs::copy(path, to).expect("a file can be copied");
    }
    folder
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder can be made");
    std::fs::write(path, text).expect("a file can be written");
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

// With one item of its own: an example may hold nothing but what waits for facts.
const HEAD: &str = "playbook: example\nhosts: servers\nphases:\n  preparation:\n    - file: { path: /etc/example, content: x }\n      id: an-example\n  installation:\n";

/// What an example says, as files, and the command that must accept it.
fn try_out(block: &Block) -> Option<(bool, String)> {
    let words: Vec<&str> = block.info.split_whitespace().collect();
    let folder = project();
    // An inventory in another shape: ` ```ini inventory `, ` ```sh inventory `.
    if let [shape @ ("ini" | "sh"), "inventory"] = words.as_slice() {
        let name = format!("example.{shape}");
        write(&folder, &name, &block.text);
        let mode = if *shape == "sh" { 0o755 } else { 0o644 };
        std::fs::set_permissions(folder.path().join(&name), std::fs::Permissions::from_mode(mode))
            .expect("it is there");
        return Some(rempart(folder.path(), &["inventory", "-i", &name]));
    }
    if words.first() != Some(&"yaml") {
        return None;
    }
    let validate = ["validate", "playbooks/example.yaml", "-i", "inventories/hosts.yaml"];
    Some(match words.get(1) {
        Some(&"playbook") => {
            write(&folder, "playbooks/example.yaml", &block.text);
            rempart(folder.path(), &validate)
        }
        Some(&"items") => {
            write(&folder, "playbooks/example.yaml", &format!("{HEAD}{}", indented(&block.text, 4)));
            rempart(folder.path(), &validate)
        }
        Some(&"site") => {
            write(&folder, "playbooks/site.yaml", &block.text);
            rempart(folder.path(), &["validate", "playbooks/site.yaml", "-i", "inventories/hosts.yaml"])
        }
        Some(&"inventory") => {
            write(&folder, "example.yaml", &block.text);
            rempart(folder.path(), &["inventory", "-i", "example.yaml"])
        }
        other => panic!("{}: `yaml {}` is no example that can be tried", block.place, other.copied().unwrap_or("")),
    })
}

#[test]
fn every_example_of_the_documentation_loads() {
    let mut tried = 0;
    let mut complaints = Vec::new();
    for page in pages().iter().filter(|page| !page.ends_with("kinds.md")) {
        for block in blocks(page) {
            let Some((accepted, said)) = try_out(&block) else { continue };
            tried += 1;
            // ` ```yaml items refused: WORDS `: it is refused, and these are the words for it.
            let refused = block.info.split_once(" refused: ").map(|(_, words)| words);
            if accepted == refused.is_some() || refused.is_some_and(|words| !said.contains(words)) {
                complaints.push(format!("{} ({}):\n{}{said}", block.place, block.info, block.text));
            }
            // A warning in an example is a fault of the example, but for facts, which validate cannot ask for.
            if accepted && said.contains("warning") && !said.contains("facts") {
                complaints.push(format!("{}: a warning:\n{said}", block.place));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(tried > 10, "only {tried} examples were tried");
}

#[test]
fn every_example_of_docs_kinds_md_loads() {
    let mut tried = 0;
    for mut block in blocks(&root().join("docs/kinds.md")).into_iter().filter(|block| block.info == "yaml") {
        block.info = "yaml items".into();
        if !block.text.trim_start().starts_with("- ") {
            block.text = format!("- {}", indented(&block.text, 2).trim_start());
        }
        // What some examples refer to.
        block.text.push_str("- file: { path: /etc/other, content: x }\n  id: gw-env\n");
        let (accepted, said) = try_out(&block).expect("it is YAML");
        assert!(accepted, "{}:\n{}{said}", block.place, block.text);
        tried += 1;
    }
    assert_eq!(tried, KINDS.len());
}

/// Blocks ` ```rust FILE ` quote lines of that file; each must still stand there.
#[test]
fn every_quoted_line_of_code_exists() {
    let mut quoted = 0;
    for page in pages() {
        for block in blocks(&page) {
            let Some(file) = block.info.strip_prefix("rust ") else { continue };
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for line in block.text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "// ...") {
                assert!(lines.contains(&line), "{}: {file} has no line `{line}`", block.place);
                quoted += 1;
            }
        }
    }
    assert!(quoted > 0, "nothing was quoted");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page is text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or("");
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let target = page.parent().expect("a page stands in a folder").join(file);
            assert!(target.exists(), "{}: the link to {link} leads nowhere", relative(&page));
        }
    }
}

/// The language reference names every word of the language, so that a new one is not forgotten.
#[test]
fn docs_playbooks_md_names_every_word_of_the_language() {
    let text = std::fs::read_to_string(root().join("docs/playbooks.md")).expect("the page is there");
    let filters = playbook::FILTERS.iter().map(|(name, ..)| *name);
    let builtins = playbook::BUILTINS.iter().map(|(name, _)| *name);
    for word in playbook::KEYWORDS.iter().copied().chain(filters).chain(builtins).chain(playbook::FACTS) {
        assert!(text.contains(&format!("`{word}`")), "docs/playbooks.md does not mention `{word}`");
    }
}

#[test]
fn docs_json_md_names_every_kind_of_document() {
    let text = std::fs::read_to_string(root().join("docs/json.md")).expect("the page is there");
    let mut folders = vec![root().join("src/report"), root().join("src/cli")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a file of the source");
            for mark in ["\"kind\": \"", "of_hosts(\"", "of_hosts(\n        \""] {
                for kind in source.split(mark).skip(1).filter_map(|rest| rest.split('"').next()) {
                    found += 1;
                    assert!(text.contains(&format!("`{kind}`")), "docs/json.md does not mention `{kind}`");
                }
            }
        }
    }
    assert!(found > 20, "only {found} kinds were found in the source");
}

#[test]
fn docs_decisions_md_names_every_dependency() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest is there");
    let text = std::fs::read_to_string(root().join("docs/decisions.md")).expect("the page is there");
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if let Some(name) = line.split([' ', '=', '.']).next().filter(|name| inside && !name.is_empty()) {
            assert!(text.contains(&format!("`{name}`")), "docs/decisions.md gives no reason for `{name}`");
        }
    }
}
