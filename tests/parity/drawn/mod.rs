//! Inventories drawn from a seed: groups, hosts and variables, written in every shape that Ansible reads.
//!
//! What is drawn is valid: circles, undefined groups and the like are drawn by hand, in `refused`.

mod values;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use values::{GROUPS, HOSTS, JSON, LINE, NAMES, VARS, YAML};

pub use values::Dice;

#[derive(Default)]
struct Group {
    name: &'static str,
    hosts: Vec<&'static str>,
    children: Vec<&'static str>,
}

/// Writes one inventory into a folder, and returns what stands behind each `-i`.
pub fn write(dice: &mut Dice, folder: &Path) -> Vec<String> {
    let names: Vec<&'static str> = GROUPS.into_iter().filter(|_| !dice.once_in(3)).collect();
    let count = 1 + dice.below(3);
    let mut paths = Vec::new();
    for at in 0..count {
        let groups = draw(dice, &names);
        let (name, text) = match dice.below(5) {
            0 | 1 => (format!("{at}-hosts.{}", dice.one(&["yml", "yaml"])), yaml(dice, &groups)),
            2 => (format!("{at}-hosts{}", dice.one(&["", ".ini", ".inv"])), ini(dice, &groups)),
            3 => (format!("{at}-hosts.json"), json(dice, &groups)),
            _ => (format!("{at}-program.sh"), program(dice, &groups)),
        };
        paths.push((name, text));
    }
    let inside = match dice.below(3) {
        0 => "",
        _ => "inv",
    };
    let home = folder.join(inside);
    fs::create_dir_all(&home).unwrap();
    for (name, text) in &paths {
        let path = home.join(name);
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    variables(dice, &home, &names);
    if !inside.is_empty() && dice.once_in(2) {
        // Of the current folder, where playbooks stand.
        variables(dice, folder, &names);
    }
    if inside.is_empty() || dice.once_in(2) {
        let mut sources: Vec<String> =
            paths.into_iter().map(|(name, _)| Path::new(inside).join(name).display().to_string()).collect();
        if dice.once_in(4) {
            sources.push("listed1, listed2:24,web1".into());
        }
        sources
    } else {
        vec![inside.to_owned()]
    }
}

// A part of each group, with children only among those that come after it.
fn draw(dice: &mut Dice, names: &[&'static str]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (at, name) in names.iter().copied().enumerate() {
        if dice.once_in(3) {
            continue;
        }
        let mut group = Group { name, ..Group::default() };
        for _ in 0..dice.below(4) {
            let host = *dice.one(&HOSTS);
            if !group.hosts.contains(&host) {
                group.hosts.push(host);
            }
        }
        for child in &names[at + 1..] {
            if dice.once_in(5) {
                group.children.push(child);
            }
        }
        groups.push(group);
    }
    // Written in any order.
    for at in (1..groups.len()).rev() {
        let other = dice.below(at + 1);
        groups.swap(at, other);
    }
    groups
}

fn some<'a>(dice: &mut Dice, of: &[&'a str], most: usize) -> Vec<(&'static str, &'a str)> {
    let mut seen = BTreeSet::new();
    let count = dice.below(most + 1);
    let drawn: Vec<_> = (0..count).map(|_| (*dice.one(&NAMES), *dice.one(of))).collect();
    drawn.into_iter().filter(|(name, _)| seen.insert(*name)).collect()
}

fn priority(dice: &mut Dice) -> Option<usize> {
    if dice.once_in(3) { Some(dice.below(4)) } else { None }
}

fn yaml(dice: &mut Dice, groups: &[Group]) -> String {
    let mut text = String::from("# drawn\n");
    if dice.once_in(3) {
        text.push_str("---\n");
    }
    text.push_str("all:\n");
    yaml_vars(dice, &mut text, "  ", "vars:", None);
    if dice.once_in(2) {
        text.push_str("  hosts:\n    lone:\n      a: 1\n    top[1:2]:\n");
    }
    for group in groups {
        let _ = writeln!(text, "{}:", group.name);
        let at_priority = priority(dice);
        let first = dice.once_in(2);
        if first {
            yaml_vars(dice, &mut text, "  ", "vars:", at_priority);
        }
        if !group.children.is_empty() {
            text.push_str("  children:\n");
            for child in &group.children {
                let _ = writeln!(text, "    {child}:");
            }
        }
        match group.hosts.as_slice() {
            [] => text.push_str(if dice.once_in(2) { "  hosts:\n" } else { "" }),
            [one] if dice.once_in(2) && !one.starts_with('[') => {
                let _ = writeln!(text, "  hosts: '{one}'");
            }
            hosts => {
                text.push_str("  hosts:\n");
                for host in hosts {
                    yaml_vars(dice, &mut text, "    ", &format!("\"{host}\":"), None);
                }
            }
        }
        if !first {
            yaml_vars(dice, &mut text, "  ", "vars:", at_priority);
        }
    }
    text
}

fn yaml_vars(dice: &mut Dice, text: &mut String, indent: &str, head: &str, priority: Option<usize>) {
    let _ = writeln!(text, "{indent}{head}");
    if let Some(priority) = priority {
        let _ = writeln!(text, "{indent}  ansible_group_priority: {priority}");
    }
    for (name, value) in some(dice, &YAML, 3) {
        match dice.below(12) {
            0 => {
                let _ = writeln!(text, "{indent}  {name}: |\n{indent}    one\n{indent}     two\n");
            }
            1 => {
                let _ = writeln!(text, "{indent}  {name}: >-\n{indent}    one\n{indent}    two\n\n{indent}    three");
            }
            2 => {
                let _ = writeln!(
                    text,
                    "{indent}  {name}:\n{indent}  - yes\n{indent}  -  k: 0644\n{indent}     l: [a, 'b']\n{indent}  - ~"
                );
            }
            _ => {
                // These would be something else without quotes.
                let value = if value.contains(": ") && !value.starts_with(['{', '"'])
                    || value.starts_with("- ")
                    || value.starts_with("{{")
                {
                    format!("\"{value}\"")
                } else {
                    value.to_owned()
                };
                let _ = writeln!(text, "{indent}  {name}: {value}");
            }
        }
    }
}

fn ini(dice: &mut Dice, groups: &[Group]) -> String {
    let mut text = String::from("; drawn\n# so\n");
    if dice.once_in(2) {
        let _ = writeln!(text, "lone a=1\t b='x'   # first\n");
    }
    if dice.once_in(2) {
        text.push_str("[all:vars]\n");
        ini_vars(dice, &mut text);
    }
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    let mut here: BTreeSet<&str> = BTreeSet::new();
    for group in groups {
        let vars_first = dice.once_in(3);
        if vars_first {
            let _ = writeln!(text, "[{}:vars]", group.name);
            ini_vars(dice, &mut text);
        }
        if !group.children.is_empty() {
            let _ = writeln!(text, "[{}:children]  # below", group.name);
            for child in &group.children {
                needed.insert(child);
                let _ = writeln!(text, "{child} # c");
            }
        }
        let _ = writeln!(text, "[{}]{}", group.name, dice.one(&["", " # c", "\t"]));
        here.insert(group.name);
        for host in &group.hosts {
            let _ = write!(text, "{}{host}", dice.one(&["", "  "]));
            for (name, value) in some(dice, &LINE, 3) {
                let _ = write!(text, " {name}={value}");
            }
            text.push_str(dice.one::<&str>(&["\n", "\r\n", "  # c\n", "\n\n"]));
        }
        if !vars_first && dice.once_in(2) {
            let _ = writeln!(text, "[{}:vars]", group.name);
            if let Some(priority) = priority(dice) {
                let _ = writeln!(text, "ansible_group_priority={priority}");
            }
            ini_vars(dice, &mut text);
        }
    }
    for name in needed.difference(&here) {
        let _ = writeln!(text, "[{name}]");
    }
    text
}

fn ini_vars(dice: &mut Dice, text: &mut String) {
    for (name, value) in some(dice, &VARS, 4) {
        let _ = writeln!(text, "{name}{}{value}", dice.one(&["=", " = ", "= "]));
    }
}

fn json_vars(dice: &mut Dice, most: usize) -> String {
    let vars: Vec<String> =
        some(dice, &JSON, most).into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", vars.join(", "))
}

fn json(dice: &mut Dice, groups: &[Group]) -> String {
    let mut parts = Vec::new();
    for group in groups {
        let mut sections = Vec::new();
        let hosts: Vec<String> = group.hosts.iter().map(|host| format!("\"{host}\": {}", json_vars(dice, 2))).collect();
        sections.push(format!("\"hosts\": {{{}}}", hosts.join(", ")));
        let children: Vec<String> = group.children.iter().map(|child| format!("\"{child}\": null")).collect();
        sections.push(format!("\"children\": {{{}}}", children.join(",\n\t ")));
        sections.push(format!("\"vars\": {}", json_vars(dice, 3)));
        parts.push(format!("\"{}\": {{\n  {}}}", group.name, sections.join(",\n  ")));
    }
    parts.push("\"all\": {\"vars\": {\"from_json\": true}}".into());
    format!("{{{}}}\n", parts.join(",\n "))
}

fn program(dice: &mut Dice, groups: &[Group]) -> String {
    let mut parts = Vec::new();
    let mut vars = Vec::new();
    let mut known = BTreeSet::new();
    for group in groups {
        // A program names hosts one by one.
        let hosts: Vec<&str> = group.hosts.iter().copied().filter(|host| !host.contains('[')).collect();
        for host in &hosts {
            if known.insert(*host) && !dice.once_in(3) {
                vars.push((*host, json_vars(dice, 3)));
            }
        }
        let quoted = |names: &[&str]| format!("{names:?}");
        if group.children.is_empty() && dice.once_in(6) {
            parts.push(format!("\"{}\": {}", group.name, quoted(&hosts)));
            continue;
        }
        let mut sections =
            vec![format!("\"hosts\": {}", quoted(&hosts)), format!("\"children\": {}", quoted(&group.children))];
        if !dice.once_in(3) {
            let priority =
                priority(dice).map_or(String::new(), |priority| format!(", \"ansible_group_priority\": {priority}"));
            let vars = json_vars(dice, 3);
            let own = format!("\"from\": \"{}\"{priority}", group.name);
            sections.push(format!(
                "\"vars\": {}",
                if vars == "{}" { format!("{{{own}}}") } else { vars.replacen('{', &format!("{{{own}, "), 1) }
            ));
        }
        parts.push(format!("\"{}\": {{{}}}", group.name, sections.join(", ")));
    }
    let mut text = String::from("#!/bin/sh\n");
    if dice.once_in(3) {
        text.push_str("if [ \"$1\" = --host ]; then case \"$2\" in\n");
        for (host, vars) in &vars {
            let _ = writeln!(text, "'{host}') cat <<'END'\n{vars}\nEND\n;;");
        }
        text.push_str("esac; exit; fi\n");
    } else {
        let vars: Vec<String> = vars.iter().map(|(host, vars)| format!("\"{host}\": {vars}")).collect();
        parts.push(format!("\"_meta\": {{\"hostvars\": {{{}}}}}", vars.join(",\n")));
    }
    let _ = writeln!(text, "cat <<'END'\n{{{}}}\nEND", parts.join(",\n"));
    text
}

fn variables(dice: &mut Dice, folder: &Path, groups: &[&str]) {
    let hosts = ["web1", "w1", "w01", "lone", "db1", "10.0.0.1", "bücher", "ra", "listed1"];
    for (kind, names) in [("group_vars", groups), ("host_vars", hosts.as_slice())] {
        let names: Vec<&str> = names.iter().copied().chain(["all", "ungrouped"]).collect();
        for name in names {
            if !dice.once_in(3) || kind == "host_vars" && matches!(name, "all" | "ungrouped") {
                continue;
            }
            let file = |dice: &mut Dice, path: &Path| {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let text = if path.extension().is_some_and(|end| end == "json") {
                    json_vars(dice, 3)
                } else {
                    let mut text = String::new();
                    yaml_vars(dice, &mut text, "", "# vars", None);
                    text.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
                };
                fs::write(path, text).unwrap();
            };
            let base = folder.join(kind);
            match dice.below(6) {
                0 => file(dice, &base.join(name)),
                1 => file(dice, &base.join(format!("{name}.json"))),
                2 => {
                    file(dice, &base.join(name).join("20-late.yml"));
                    file(dice, &base.join(name).join("10-early"));
                    file(dice, &base.join(name).join("deeper/vars.yaml"));
                    file(dice, &base.join(name).join("not-read.txt"));
                    file(dice, &base.join(format!("{name}.yml")));
                }
                3 => file(dice, &base.join(format!("{name}.yaml"))),
                _ => file(dice, &base.join(format!("{name}.yml"))),
            }
        }
    }
}
