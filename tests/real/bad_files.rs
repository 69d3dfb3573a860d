//! Wrong files of every sort: a diagnostic with a place and a hint, exit 65, never a panic. Needs no lab.

use std::fs;
use std::path::Path;

use crate::fixture::{Ran, playbook, rempart_in};

const INVENTORY: &str = "all:\n  hosts:\n    a: { ansible_host: 192.0.2.1 }\n    b: { ansible_host: 192.0.2.2 }\n";
const GOOD: &str = "- file: { path: /etc/x, content: \"x\\n\" }";

/// One wrong file: its name, what it is called, what it holds, where the fault is, and words of the diagnostic.
struct Case {
    name: &'static str,
    file: &'static str,
    bytes: Vec<u8>,
    /// `file:line:column`, or the file alone where a fault is in no line of it.
    place: &'static str,
    says: &'static [&'static str],
}

fn case(
    name: &'static str,
    file: &'static str,
    bytes: impl Into<Vec<u8>>,
    place: &'static str,
    says: &'static [&'static str],
) -> Case {
    Case { name, file, bytes: bytes.into(), place, says }
}

fn items(name: &'static str, items: &str, place: &'static str, says: &'static [&'static str]) -> Case {
    case(name, "playbook.yaml", playbook(items), place, says)
}

fn inventory(name: &'static str, text: &str, place: &'static str, says: &'static [&'static str]) -> Case {
    case(name, "inventory.yaml", text, place, says)
}

fn bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let refs = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
    }
    text
}

fn junk() -> Vec<u8> {
    let mut state: u32 = 12345;
    (0..5000)
        .map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
            state.to_be_bytes()[0]
        })
        .collect()
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let deep = format!("playbook: x\nvars: {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    let long = format!("playbook: x\nhosts: all\nphases:\n  preparation:\n    - fiel: {{ path: \"{}\" }}\n", "y".repeat(100_000));
    vec![
        // YAML
        case("an open bracket", "playbook.yaml", "playbook: x\nhosts: all\nphases: [\n", "playbook.yaml:3:9", &["not valid YAML", "unclosed bracket"]),
        case("a tab as indentation", "playbook.yaml", "playbook: x\nphases:\n\tpreparation: []\n", "playbook.yaml:3:2", &["tab"]),
        case("an open quote", "playbook.yaml", "playbook: \"x\nhosts: all\n", "playbook.yaml:1:11", &["not valid YAML"]),
        case("a key twice", "playbook.yaml", "playbook: x\nhosts: all\nhosts: a\n", "playbook.yaml:3:1", &["hosts"]),
        case("an unknown alias", "playbook.yaml", "playbook: x\nhosts: *nobody\n", "playbook.yaml:2:8", &["nobody"]),
        case("a bomb of aliases", "playbook.yaml", bomb(), "playbook.yaml", &[]),
        case("a bomb of aliases", "inventory.yaml", bomb(), "inventory.yaml", &[]),
        case("five thousand brackets", "playbook.yaml", deep.clone(), "playbook.yaml:2:", &[]),
        case("five thousand brackets", "inventory.yaml", deep.replace("playbook: x\n", "all:\n"), "inventory.yaml:2:", &[]),
        case("nothing", "playbook.yaml", "", "playbook.yaml", &[]),
        case("a comment alone", "playbook.yaml", "# nothing here\n", "playbook.yaml", &[]),
        case("a list", "playbook.yaml", "- 1\n- 2\n", "playbook.yaml:1:1", &["this is a list"]),
        // One word alone is a host to Ansible, whatever the file is called.
        case("two words", "inventory.yaml", "hello you\n", "inventory.yaml:1", &[]),
        case("a leading zero", "playbook.yaml", playbook("- file: { path: /x, content: a, mode: 0644 }"), "playbook.yaml:5:43", &["0644"]),
        // Bytes
        case("binary junk", "playbook.yaml", junk(), "playbook.yaml", &["UTF-8"]),
        case("binary junk", "inventory.yaml", junk(), "inventory.yaml", &["UTF-8"]),
        case("a NUL", "playbook.yaml", &b"playbook: x\nhosts: a\0ll\n"[..], "playbook.yaml", &["NUL"]),
        case("UTF-16", "playbook.yaml", &b"\xff\xfep\0l\0a\0y\0"[..], "playbook.yaml", &["UTF-8"]),
        case("a very long line", "playbook.yaml", long, "playbook.yaml:5:7", &["did you mean `file`?"]),
        // Playbooks
        items("an unknown kind", "- fiel: { path: /x }", "playbook.yaml:5:7", &["did you mean `file`?"]),
        items("an unknown field", "- file: { path: /x, contents: a }", "playbook.yaml:5:25", &["did you mean `content`?"]),
        items("two kinds", "- file: { path: /x, content: a }\n  directory: { path: /y }", "playbook.yaml:6:7", &[]),
        items("a missing field", "- file: { content: a }", "playbook.yaml:5:", &["path"]),
        items("a wrong type", "- file: { path: [1], content: a }", "playbook.yaml:5:21", &["expected text"]),
        items("a relative path", "- file: { path: etc/x, content: a }", "playbook.yaml:5:21", &["absolute"]),
        items("an undefined variable", "- file: { path: /x, content: \"{{ nope }}\" }", "playbook.yaml:5:38", &["`nope` is not defined"]),
        items("a broken expression", "- file: { path: /x, content: \"{{ 1 + }}\" }", "playbook.yaml:5:", &[]),
        items("a missing template", "- template: { to: /etc/x, from: nope.j2 }", "playbook.yaml:5:37", &["nope.j2"]),
        items("a circle", "- file: { path: /x, content: a }\n  id: one\n  needs: [{ id: two }]\n- file: { path: /y, content: a }\n  id: two\n  needs: [{ id: one }]", "playbook.yaml:7:17", &["circle", "→"]),
        items("a circle of itself", "- file: { path: /x, content: a }\n  id: one\n  needs: [{ id: one }]", "playbook.yaml:7:", &[]),
        items("a need of nothing", "- file: { path: /x, content: a }\n  needs: [{ file: /y }]", "playbook.yaml:6:", &["/y"]),
        items("the same thing twice", "- file: { path: /x, content: a }\n- file: { path: /x, content: b }", "playbook.yaml:6:", &["playbook.yaml:5:"]),
        items("a broken condition", "- file: { path: /x, content: a }\n  when: \"host ==\"", "playbook.yaml:6:", &[]),
        items("a missing file", "- file: { path: /x, source: nope.txt }", "playbook.yaml:5:", &["nope.txt"]),
        case("an unknown phase", "playbook.yaml", "playbook: x\nhosts: all\nphases:\n  instalation: []\n", "playbook.yaml:4:3", &["did you mean `installation`?"]),
        case("hosts that nobody knows", "playbook.yaml", "playbook: x\nhosts: webb\nphases:\n  tests: []\n", "playbook.yaml:2:8", &["webb"]),
        // Inventories
        inventory("an unknown key of a group", "all:\n  hostss:\n    a: {}\n", "inventory.yaml:2:3", &["hosts"]),
        inventory("a group within itself", "all:\n  children:\n    one: { children: { two: { children: { one: {} } } } }\n  hosts: { a: {}, b: {} }\n", "inventory.yaml:3:", &[]),
        inventory("a host that is a list", "all:\n  hosts:\n    a: [1]\n", "inventory.yaml:3:", &[]),
        inventory("a port of letters", "all:\n  hosts:\n    a: { ansible_port: many }\n", "inventory.yaml:3:", &["ansible_port"]),
    ]
}

fn validate(folder: &Path) -> Ran {
    rempart_in(folder, &["validate", "playbook.yaml", "-i", "inventory.yaml"])
}

/// What is wrong with the answer to a wrong file.
fn fault(case: &Case, ran: &Ran) -> Option<String> {
    let text = &ran.err;
    let place = format!("--> {}", case.place);
    let without_line = !case.place.contains(':');
    let wrong = if ran.code != 65 {
        "the exit code is not 65".to_owned()
    } else if text.contains("panicked") || text.contains("stack backtrace") {
        "it panicked".to_owned()
    } else if !text.contains("error: ") || !text.lines().any(|line| line.trim_start().starts_with(&place)) {
        format!("it does not point at {}", case.place)
    } else if !without_line && !text.contains('^') {
        "no caret".to_owned()
    } else if !text.contains("= fix: ") && !text.contains("= why: ") && !text.contains("^ ") {
        "no hint".to_owned()
    } else if let Some(missing) = case.says.iter().find(|word| !text.contains(**word)) {
        format!("it does not say `{missing}`")
    } else if text.len() > 6000 {
        format!("{} bytes are not a readable answer", text.len())
    } else if text.chars().any(|c| c.is_control() && c != '\n') {
        "it sends control characters to the terminal".to_owned()
    } else if ran.took.as_secs() >= 10 {
        format!("it took {} s", ran.took.as_secs())
    } else {
        return None;
    };
    Some(format!(
        "== {} as {}: {wrong}\n{}",
        case.name,
        case.file,
        ran.to_string().chars().take(2500).collect::<String>()
    ))
}

#[test]
fn every_wrong_file_is_told_with_place_and_hint() {
    let mut faults = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 25);
    for case in &cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
        fs::write(folder.path().join("playbook.yaml"), playbook(GOOD)).unwrap();
        fs::write(folder.path().join(case.file), &case.bytes).unwrap();
        faults.extend(fault(case, &validate(folder.path())));
    }
    eprintln!("{} wrong files, {} not told well", cases.len(), faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

// The table's own test: a good file is none of them, and a diagnostic elsewhere does not count.
#[test]
fn the_table_can_fail() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
    fs::write(folder.path().join("playbook.yaml"), playbook(GOOD)).unwrap();
    let good = items("good", GOOD, "playbook.yaml:5:7", &[]);
    assert!(fault(&good, &validate(folder.path())).unwrap().contains("not 65"));
    fs::write(folder.path().join("playbook.yaml"), playbook("- fiel: { path: /x }")).unwrap();
    let elsewhere = items("elsewhere", GOOD, "playbook.yaml:6:7", &[]);
    assert!(fault(&elsewhere, &validate(folder.path())).unwrap().contains("does not point at"));
    let other = items("other words", GOOD, "playbook.yaml:5:7", &["circle"]);
    assert!(fault(&other, &validate(folder.path())).unwrap().contains("does not say"));
}

#[test]
fn a_gigabyte_is_refused_without_being_read() {
    for file in ["playbook.yaml", "inventory.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
        fs::write(folder.path().join("playbook.yaml"), playbook(GOOD)).unwrap();
        fs::OpenOptions::new().write(true).open(folder.path().join(file)).unwrap().set_len(1 << 30).unwrap();
        let ran = validate(folder.path()).ends(65);
        assert!(ran.err.contains("too large") && ran.err.contains(file) && ran.err.contains("= fix: "), "{ran}");
        assert!(ran.took.as_secs() < 2, "{ran}");
    }
}

#[test]
fn what_is_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
    fs::create_dir(folder.path().join("playbook.yaml")).unwrap();
    let fifo = folder.path().join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for args in [
        ["validate", "playbook.yaml", "-i", "inventory.yaml"],
        ["validate", "nowhere.yaml", "-i", "inventory.yaml"],
        ["validate", "pipe.yaml", "-i", "inventory.yaml"],
        ["validate", "inventory.yaml", "-i", "nowhere.yaml"],
        ["validate", "/dev/zero", "-i", "inventory.yaml"],
    ] {
        let ran = rempart_in(folder.path(), &args).ends(65);
        assert!(ran.err.contains("error: ") && ran.err.contains("= "), "{args:?}: {ran}");
        assert!(ran.took.as_secs() < 10, "{args:?}: {ran}");
    }
}
