//! The shape of the source, held by tests: which module may see which (read from ARCHITECTURE.md), what pure modules
//! may not touch, sizes, names, and files that nobody compiles.
//!
//! Each rule is a function from sources to complaints, and each is tried on a small text that breaks it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use source::{Source, files_below, reached, relative, root, tracked, words};

/// Modules that compute and nothing else.
const PURE: [&str; 8] = ["kinds", "lockout", "model", "plan", "quote", "resource", "scan", "secret"];
/// What `std::net` has that is a value and not a connection.
const ADDRESSES: [&str; 8] =
    ["AddrParseError", "IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "self"];
/// Longer than this, a file does more than one thing. Lines without tests.
const LONGEST: usize = 500;
const LONGEST_KIND: usize = 300;
/// Files that may be longer, how long, and why.
const LONGER: &[(&str, usize, &str)] = &[
    (
        "src/kinds/authorized_key.rs",
        440,
        "one key and a whole file of them, each read, written and foreseen; to be cut",
    ),
    ("src/kinds/apt_repository.rs", 340, "every field of a deb822 entry, and the three ways of naming a key"),
    ("src/kinds/apt_unattended_upgrades.rs", 410, "apt's settings, two timers and their files are one schedule"),
    ("src/kinds/docker_container.rs", 590, "every flag of a hardened container, wanted and as inspected; to be cut"),
    ("src/kinds/firewall_rule.rs", 500, "every way of writing a rule, and why some are refused"),
    ("src/kinds/firewall_ufw/host.rs", 320, "ufw's files and the kernel's tables, read together"),
    ("src/kinds/firewall_ufw/tuple.rs", 330, "ufw's own notation of a rule, read and written"),
    ("src/kinds/line.rs", 330, "a line, a pattern and a block are three ways of naming one thing"),
    (
        "src/kinds/ollama_model.rs",
        410,
        "a manifest, its layers and the folders between them, seen, fetched and taken back",
    ),
    ("src/kinds/postgres_role.rs", 340, "every right of a role, its groups and its password, there and back"),
    ("src/kinds/squid.rs", 480, "the fields, the configuration made of them, and how a port is looked at"),
    ("src/kinds/sshd.rs", 620, "asks sshd itself, and tries a change on a copy; to be cut"),
    ("src/kinds/sysctl.rs", 320, "the kernel, its own file, and all files that are read after it"),
    (
        "src/kinds/systemd_unit.rs",
        490,
        "unit, drop-ins, enabled, active and restarts are one state of one thing; to be cut",
    ),
    ("src/kinds/sudoers.rs", 320, "the fields, and why some of what sudoers knows is refused"),
    ("src/kinds/user.rs", 440, "passwd, shadow and groups are three files with one meaning"),
];

/// Which modules a module may see: its own row, and what its tests may see beyond it.
#[derive(Debug, Default)]
struct Arrows {
    order: Vec<String>,
    own: BTreeMap<String, BTreeSet<String>>,
    tests: BTreeMap<String, BTreeSet<String>>,
}

fn sources() -> Vec<Source> {
    reached(&[root().join("src/lib.rs"), root().join("src/main.rs")])
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a fenced block of ARCHITECTURE.md.
fn block(text: &str, name: &str) -> Vec<String> {
    let open = format!("```{name}");
    let mut lines = text.lines().skip_while(|line| *line != open).skip(1);
    let inside: Vec<String> = lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
    assert!(!inside.is_empty(), "ARCHITECTURE.md has no block ```{name}");
    inside
}

impl Arrows {
    fn parse(lines: &[String]) -> Self {
        let mut arrows = Arrows::default();
        for line in lines {
            let (from, to) = line.split_once("->").unwrap_or_else(|| panic!("no arrow in `{line}`"));
            let to = to.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
            match from.trim().strip_suffix("(tests)") {
                Some(module) => arrows.tests.insert(module.trim().to_owned(), to),
                None => {
                    arrows.order.push(from.trim().to_owned());
                    arrows.own.insert(from.trim().to_owned(), to)
                }
            };
        }
        arrows
    }

    fn allows(&self, from: &str, to: &str, test: bool) -> bool {
        let has = |table: &BTreeMap<String, BTreeSet<String>>| {
            table.get(from).is_some_and(|to_all| to_all.contains(to) || to_all.contains("*"))
        };
        has(&self.own) || test && has(&self.tests)
    }
}

fn broken_arrows(sources: &[Source], arrows: &Arrows) -> Vec<String> {
    let macros: Vec<(String, String)> = sources
        .iter()
        .flat_map(|source| source.exported_macros().into_iter().map(|name| (name, source.module().to_owned())))
        .collect();
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.module() != "lib") {
        for (at, to) in source.arrows(&macros) {
            let from = source.module();
            if !arrows.own.contains_key(&to) {
                complaints.push(format!("{}: `{to}` is no module of the table of arrows", source.place(at)));
            } else if !arrows.allows(from, &to, source.is_test(at)) {
                let tests = if source.is_test(at) { " (tests)" } else { "" };
                complaints.push(format!("{}: {from}{tests} -> {to} is not an allowed arrow", source.place(at)));
            }
        }
    }
    complaints
}

fn unused_arrows(sources: &[Source], arrows: &Arrows) -> Vec<String> {
    let macros: Vec<(String, String)> = sources
        .iter()
        .flat_map(|source| source.exported_macros().into_iter().map(|name| (name, source.module().to_owned())))
        .collect();
    let used: BTreeSet<(String, String, bool)> = sources
        .iter()
        .flat_map(|source| {
            let used = |(at, to)| (source.module().to_owned(), to, source.is_test(at));
            source.arrows(&macros).into_iter().map(used).collect::<Vec<_>>()
        })
        .collect();
    let rows = arrows.own.iter().map(|row| (row, false)).chain(arrows.tests.iter().map(|row| (row, true)));
    rows.flat_map(|((from, all), test)| all.iter().map(move |to| (from.clone(), to.clone(), test)))
        .filter(|arrow| arrow.1 != "*" && !used.contains(arrow))
        .map(|(from, to, test)| {
            format!("{from}{} -> {to} is allowed, and nothing uses it", if test { " (tests)" } else { "" })
        })
        .collect()
}

/// Rows stand bottom up: a module sees only what stands above it in the block, so that there is no circle.
fn upward_arrows(arrows: &Arrows) -> Vec<String> {
    let place = |name: &str| arrows.order.iter().position(|known| known == name);
    let mut complaints = Vec::new();
    for (from, all) in &arrows.own {
        for to in all.iter().filter(|to| *to != "*") {
            if place(to) >= place(from) || place(to).is_none() {
                complaints.push(format!("{from} -> {to}: {to} must be a row above {from}"));
            }
        }
    }
    complaints
}

fn impure(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| PURE.contains(&source.module())) {
        for named in source.paths("std") {
            if source.is_test(named.at) {
                continue;
            }
            let parts: Vec<&str> = named.parts.iter().map(String::as_str).collect();
            let bad = match parts.as_slice() {
                ["std", "fs" | "process" | "env" | "thread" | "*", ..] => true,
                ["std", "net", what, ..] => !ADDRESSES.contains(what),
                ["std", "net"] | ["std", "time"] => true,
                ["std", "time", what, ..] => matches!(*what, "Instant" | "SystemTime" | "*"),
                _ => false,
            };
            if bad {
                let module = source.module();
                complaints.push(format!(
                    "{}: {module} is pure and may not use {}",
                    source.place(named.at),
                    parts.join("::")
                ));
            }
        }
    }
    complaints
}

/// Crates that are known to few modules only, from the block `homes`.
fn homeless(sources: &[Source], homes: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for line in homes {
        let (name, modules) = line.split_once(':').unwrap_or_else(|| panic!("no colon in `{line}`"));
        let modules: Vec<&str> = modules.split(',').map(str::trim).collect();
        let mut used = BTreeSet::new();
        for source in sources {
            for named in source.paths(name.trim()) {
                used.insert(source.module());
                if !modules.contains(&source.module()) && !source.is_test(named.at) {
                    complaints.push(format!(
                        "{}: {name} is known to {} only",
                        source.place(named.at),
                        modules.join(", ")
                    ));
                }
            }
        }
        for module in modules.into_iter().filter(|module| !used.contains(module)) {
            complaints.push(format!("ARCHITECTURE.md: {module} does not use {name}"));
        }
    }
    complaints
}

/// A rule about a text that only some files may hold.
fn only_in(
    sources: &[Source],
    found: impl Fn(&Source) -> Vec<usize>,
    allowed: impl Fn(&Source, usize) -> bool,
    rule: &str,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for at in found(source) {
            if !allowed(source, at) {
                complaints.push(format!("{}: {rule}", source.place(at)));
            }
        }
    }
    complaints
}

fn reveals(sources: &[Source]) -> Vec<String> {
    let found = |source: &Source| {
        let method = words(&source.code, "reveal").into_iter().filter(|at| {
            let before = source.code[..*at].trim_end();
            before.ends_with('.') || before.ends_with("::")
        });
        method.collect()
    };
    // A look from this machine sends its request itself; the store encrypts.
    let allowed = |source: &Source, at: usize| {
        matches!(source.module(), "secret" | "store" | "transport" | "lab")
            || source.path == "src/engine/look.rs"
            || source.is_test(at)
    };
    only_in(
        sources,
        found,
        allowed,
        "a secret is revealed only where it is sent or encrypted: in transport, lab, store and engine/look.rs",
    )
}

fn read_scripts(sources: &[Source]) -> Vec<String> {
    let made = |source: &Source| {
        let literal = |at: &usize| {
            let after = source.code[at + "ReadScript".len()..].trim_start().starts_with('{');
            let before = source.code[..*at].trim_end();
            after && !["struct", "->", "for", "impl"].iter().any(|word| before.ends_with(word))
        };
        words(&source.code, "ReadScript").into_iter().filter(literal).collect()
    };
    let allowed = |source: &Source, at: usize| {
        source.path == "src/resource/probe.rs" || source.module() == "transport" && source.is_test(at)
    };
    only_in(sources, made, allowed, "a ReadScript is made in resource/probe.rs only, where nothing can write")
}

/// The verbs that change hosts, and what comes before an apply.
const WRITING_VERBS: [&str; 6] = ["apply", "bootstrap", "commit", "prune", "recover", "rollback"];

fn writers(sources: &[Source]) -> Vec<String> {
    let found = |source: &Source| words(&source.code, "WriteLinks");
    let allowed = |source: &Source, at: usize| {
        let verb = |name: &str| source.path == format!("src/cli/{name}.rs");
        source.module() == "engine" || WRITING_VERBS.iter().any(|name| verb(name)) || source.is_test(at)
    };
    only_in(sources, found, allowed, "only verbs that change hosts may hold connections that write")
}

fn prints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in ["println", "eprintln", "print", "eprint", "dbg"] {
        let found = |source: &Source| {
            words(&source.code, name).into_iter().filter(|at| source.code[at + name.len()..].starts_with('!')).collect()
        };
        complaints.extend(only_in(
            sources,
            found,
            |source, at| source.module() == "report" || source.is_test(at),
            "only report prints",
        ));
    }
    complaints
}

fn oversized(sources: &[Source], longer: &[(&str, usize, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let lines = source.own_lines();
        let most = if source.module() == "kinds" { LONGEST_KIND } else { LONGEST };
        let excuse = longer.iter().find(|(path, ..)| *path == source.path);
        match excuse {
            None if lines > most => {
                complaints.push(format!("{}: {lines} lines without tests; at most {most}", source.path));
            }
            Some((_, allowed, _)) if lines > *allowed => {
                complaints.push(format!("{}: {lines} lines without tests; it may have {allowed}", source.path));
            }
            Some(_) if lines <= most => {
                complaints.push(format!("{}: {lines} lines now; take it off the list of longer files", source.path));
            }
            _ => {}
        }
    }
    for (path, ..) in longer.iter().filter(|(path, ..)| !sources.iter().any(|source| source.path == *path)) {
        complaints.push(format!("{path}: on the list of longer files, but not there"));
    }
    complaints
}

fn unopened(sources: &[Source]) -> Vec<String> {
    let silent = |source: &&Source| !source.only_tests && !source.text.starts_with("//! ");
    sources.iter().filter(silent).map(|source| format!("{}: must open with `//!`", source.path)).collect()
}

/// Names that say nothing about what is inside.
fn vague(sources: &[Source]) -> Vec<String> {
    const VAGUE: [&str; 6] = ["util", "utils", "common", "helpers", "manager", "managers"];
    let mut complaints = Vec::new();
    for source in sources {
        let file = source.path.trim_end_matches(".rs").rsplit('/').next().unwrap_or("");
        if VAGUE.contains(&file) {
            complaints.push(format!("{}: a name that says nothing", source.path));
        }
        for keyword in ["mod", "struct", "enum", "trait", "fn", "type"] {
            for at in words(&source.code, keyword) {
                let rest = source.code[at + keyword.len()..].trim_start();
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if name_words(&name).iter().any(|word| VAGUE.contains(&word.as_str())) {
                    complaints.push(format!("{}: `{name}` says nothing", source.place(at)));
                }
            }
        }
    }
    complaints
}

fn name_words(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            all.push(String::new());
        }
        if c != '_'
            && let Some(last) = all.last_mut()
        {
            last.extend(c.to_lowercase());
        }
    }
    all
}

/// Files that speak of the machine they were written on: its folders, or the mirrors it downloads from.
fn homesick(files: &[(String, String)], mirrors: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            let workplace = ["wt/", "main/", "main ", "shared", ".library", "wt "].iter().any(|inner| {
                let folder = format!("/{}/{inner}", "work");
                line.match_indices(&folder).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()))
            });
            let beside = line.contains(concat!("../", "shared/"));
            if workplace || beside {
                complaints.push(format!("{path}:{}: a path of the machine it was written on", number + 1));
            }
            if let Some(mirror) = mirrors.iter().find(|mirror| line.contains(mirror.as_str())) {
                complaints.push(format!("{path}:{}: `{mirror}` is this machine's own mirror", number + 1));
            }
        }
    }
    complaints
}

// The hosts that this machine's package tools are configured to ask, without those that everybody knows.
fn mirrors() -> BTreeSet<String> {
    const KNOWN: [&str; 8] = [
        "debian.org",
        "crates.io",
        "github.com",
        "rust-lang.org",
        "pypi.org",
        "pythonhosted.org",
        "localhost",
        "127.0.0.1",
    ];
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let mut files = vec![
        home.join(".cargo/config.toml"),
        home.join(".config/pip/pip.conf"),
        "/etc/pip.conf".into(),
        "/etc/apt/sources.list".into(),
    ];
    files.extend(std::env::var_os("CARGO_HOME").map(|cargo| PathBuf::from(cargo).join("config.toml")));
    files.extend(files_below("/etc/apt/sources.list.d".as_ref()));
    let mut hosts = BTreeSet::new();
    for text in files.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
        for part in text.split("://").skip(1) {
            let authority = part.split(['/', '"', ' ', '\n', '\'', ']']).next().unwrap_or("");
            let host = authority.rsplit('@').next().unwrap_or("").split(':').next().unwrap_or("");
            let known = KNOWN.iter().any(|known| host == *known || host.ends_with(&format!(".{known}")));
            if host.len() > 3 && !known {
                hosts.insert(host.to_owned());
            }
        }
    }
    hosts
}

fn check(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn table() -> Arrows {
    Arrows::parse(&block(&read("ARCHITECTURE.md"), "arrows"))
}

#[test]
fn modules_see_only_what_the_table_of_arrows_allows() {
    check(broken_arrows(&sources(), &table()));
}

#[test]
fn the_table_of_arrows_has_no_arrow_that_nothing_uses_and_no_circle() {
    let arrows = table();
    check(unused_arrows(&sources(), &arrows));
    check(upward_arrows(&arrows));
}

#[test]
fn every_module_has_a_paragraph_with_an_invariant() {
    let text = read("ARCHITECTURE.md");
    let missing: Vec<String> = table()
        .order
        .into_iter()
        .filter(|module| {
            let paragraph = text.split(&format!("\n### `{module}`")).nth(1).and_then(|rest| rest.split("\n#").next());
            !paragraph.is_some_and(|paragraph| paragraph.contains("**Invariant:**"))
        })
        .map(|module| format!("ARCHITECTURE.md: `{module}` has no paragraph with an **Invariant:**"))
        .collect();
    check(missing);
}

#[test]
fn pure_modules_touch_no_file_no_network_no_process_and_no_clock() {
    check(impure(&sources()));
}

#[test]
fn a_crate_with_a_home_is_known_nowhere_else() {
    check(homeless(&sources(), &block(&read("ARCHITECTURE.md"), "homes")));
}

#[test]
fn secrets_are_revealed_where_they_are_sent_and_nowhere_else() {
    check(reveals(&sources()));
}

#[test]
fn what_only_reads_cannot_write() {
    check(read_scripts(&sources()));
    check(writers(&sources()));
}

#[test]
fn only_report_prints() {
    check(prints(&sources()));
}

#[test]
fn files_stay_short() {
    check(oversized(&sources(), LONGER));
}

#[test]
fn every_file_says_what_it_owns() {
    check(unopened(&sources()));
}

#[test]
fn no_name_says_nothing() {
    check(vague(&sources()));
}

#[test]
fn no_file_is_forgotten() {
    let mut roots = vec![root().join("src/lib.rs"), root().join("src/main.rs")];
    let tests = files_below(&root().join("tests"));
    roots.extend(tests.iter().filter(|path| path.parent() == Some(&root().join("tests"))).cloned());
    roots.extend(tests.iter().filter(|path| path.ends_with("main.rs")).cloned());
    let compiled: BTreeSet<String> = reached(&roots).into_iter().map(|source| source.path).collect();
    let there = files_below(&root().join("src"))
        .into_iter()
        .chain(tests)
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    check(
        there
            .map(|path| relative(&path))
            .filter(|path| !compiled.contains(path))
            .map(|path| format!("{path}: no `mod` leads here, so nobody compiles it"))
            .collect(),
    );
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    let texts: Vec<(String, String)> =
        tracked().iter().filter_map(|path| Some((relative(path), std::fs::read_to_string(path).ok()?))).collect();
    assert!(texts.len() > 50, "only {} files were looked at", texts.len());
    check(homesick(&texts, &mirrors()));
}

/// The checker itself: each rule is broken by a small text, and must say so.
mod checker {
    use super::*;

    fn one(path: &str, text: &str) -> Vec<Source> {
        vec![Source::new(path, text)]
    }

    fn arrows(lines: &[&str]) -> Arrows {
        Arrows::parse(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arrows_are_found_in_every_way_of_writing_them() {
        let table = arrows(&["model ->", "engine -> model", "plan -> model", "plan (tests) -> engine"]);
        for bad in [
            "use crate::engine::Stop;",
            "use crate::{model::Exit, engine::{self, Stop}};",
            "fn f() -> crate::engine::Stop { todo() }",
            "use super::super::engine;",
            "mod inner { use super::super::super::engine::Stop; }",
            "use rempart::engine;",
            "pub use crate :: engine;",
            "use {crate::engine as e};",
            "use crate::*;",
        ] {
            assert_eq!(broken_arrows(&one("src/plan/graph.rs", bad), &table).len(), 1, "{bad}");
        }
        for good in [
            "use crate::model::{Exit, Phase};",
            "use super::engine;",
            "// use crate::engine;\nconst A: &str = \"crate::engine::x\"; const B: &str = r#\"crate::engine\"#;",
            "#[cfg(test)]\nmod tests { use crate::engine::Stop; }",
            "#[cfg(test)]\nuse crate::engine::{Stop};",
            "mod inner { use super::super::engine::Stop; }",
        ] {
            assert_eq!(broken_arrows(&one("src/plan/graph.rs", good), &table), Vec::<String>::new(), "{good}");
        }
        assert_eq!(broken_arrows(&one("src/plan/mod.rs", "use super::engine;"), &table).len(), 1);
    }

    #[test]
    fn exported_macros_count_as_their_module() {
        let table = arrows(&["quote ->", "plan ->"]);
        let mut both = one("src/quote/mod.rs", "#[macro_export]\nmacro_rules! sh { () => { $crate::quote::Sh } }");
        both.extend(one("src/plan/mod.rs", "fn f() { crate::sh!(); }"));
        assert_eq!(broken_arrows(&both, &table).len(), 1);
    }

    #[test]
    fn arrows_that_nothing_uses_and_circles_are_found() {
        let table = arrows(&["model ->", "plan -> model, engine", "engine -> plan"]);
        assert_eq!(unused_arrows(&one("src/plan/mod.rs", "use crate::model::Exit;"), &table).len(), 2);
        assert_eq!(upward_arrows(&table), ["plan -> engine: engine must be a row above plan"]);
    }

    #[test]
    fn impurity_is_found() {
        for bad in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "fn f() { std::process::exit(1) }",
            "use std::net::TcpStream;",
            "use std::net::{IpAddr, UdpSocket};",
            "use std::time::{Duration, Instant};",
            "use std::time;",
            "use std::env;",
        ] {
            assert_eq!(impure(&one("src/kinds/file.rs", bad)).len(), 1, "{bad}");
        }
        for good in ["use std::net::IpAddr;", "use std::time::Duration;", "#[cfg(test)] mod tests { use std::fs; }"] {
            assert!(impure(&one("src/kinds/file.rs", good)).is_empty(), "{good}");
        }
        assert!(impure(&one("src/transport/ssh.rs", "use std::fs;")).is_empty());
    }

    #[test]
    fn crates_away_from_home_are_found() {
        let homes = ["ssh2: transport".to_owned()];
        let mut both = one("src/transport/ssh.rs", "use ssh2::Session;");
        assert!(homeless(&both, &homes).is_empty());
        both.extend(one("src/engine/apply.rs", "use ssh2::Session;"));
        assert_eq!(homeless(&both, &homes).len(), 1);
        assert_eq!(homeless(&one("src/plan/mod.rs", ""), &homes).len(), 1);
    }

    #[test]
    fn reveals_and_writers_are_found() {
        for bad in ["fn f() { x.reveal(); }", "fn f() { x.map(Rendered::reveal) }", "fn f() { x\n    .reveal() }"] {
            assert_eq!(reveals(&one("src/report/plan.rs", bad)).len(), 1, "{bad}");
            assert!(reveals(&one("src/transport/auth.rs", bad)).is_empty());
        }
        let script = "fn f() -> ReadScript { ReadScript { text } }";
        assert_eq!(read_scripts(&one("src/kinds/file.rs", script)).len(), 1);
        assert!(read_scripts(&one("src/resource/probe.rs", script)).is_empty());
        assert_eq!(writers(&one("src/cli/drift.rs", "use crate::engine::WriteLinks;")).len(), 1);
        assert!(writers(&one("src/cli/apply.rs", "use crate::engine::WriteLinks;")).is_empty());
    }

    #[test]
    fn prints_sizes_openings_and_names_are_found() {
        assert_eq!(prints(&one("src/plan/mod.rs", "fn f() { println!(\"x\"); }")).len(), 1);
        assert!(prints(&one("src/report/screen.rs", "fn f() { println!(\"x\"); }")).is_empty());
        let long = "fn a() {}\n".repeat(301);
        assert_eq!(oversized(&one("src/kinds/file.rs", &long), &[]).len(), 1);
        assert!(oversized(&one("src/plan/graph.rs", &long), &[]).is_empty());
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(250), "// x\n".repeat(300));
        assert!(oversized(&one("src/kinds/file.rs", &tested), &[]).is_empty());
        assert_eq!(oversized(&one("src/kinds/file.rs", "\n"), &[("src/kinds/file.rs", 400, "")]).len(), 1);
        assert_eq!(unopened(&one("src/plan/mod.rs", "use std::fmt;\n")).len(), 1);
        for bad in ["struct LinkManager;", "mod helpers {}", "fn shell_utils() {}"] {
            assert_eq!(vague(&one("src/plan/mod.rs", bad)).len(), 1, "{bad}");
        }
        assert_eq!(vague(&one("src/plan/utils.rs", "")).len(), 1);
        assert!(vague(&one("src/plan/mod.rs", "fn uncommonly() {} fn f() { common() }")).is_empty());
    }

    #[test]
    fn paths_of_the_machine_are_found() {
        let file = |text: String| vec![("README.md".to_owned(), text)];
        let none = BTreeSet::new();
        assert_eq!(homesick(&file(format!("see /{}/shared/x", "work")), &none).len(), 1);
        assert_eq!(homesick(&file(format!("see ..{}", "/shared/design")), &none).len(), 1);
        assert!(homesick(&file("overlay/work/dir".into()), &none).is_empty());
        assert_eq!(
            homesick(&file("at mirror.example.net".into()), &BTreeSet::from(["mirror.example.net".to_owned()])).len(),
            1
        );
    }

    #[test]
    fn what_is_no_code_is_blanked_out() {
        let code = source::strip("let a = 'x'; let b: &'a str = \"// no\"; /* /* in */ */ c(b'\\'', '\"') // end\nd");
        assert!(code.contains("let b: &'a str =") && code.ends_with("\nd"));
        assert!(!code.contains("no") && !code.contains("in") && !code.contains("end") && !code.contains('"'));
    }
}
