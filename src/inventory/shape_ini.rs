//! Owns Ansible's INI shape: `[group]` and lines of hosts, `[group:children]`, `[group:vars]`.
//!
//! Must not know merging. Sections come in any order, so a group that is named before it is there waits until the end.
//! What Ansible reads, this reads the same; of all that is wrong it tells everything, where Ansible stops at the first.

use std::sync::Arc;

use super::draft::{Draft, Setting, UNGROUPED};
use super::literal::{self, Literal};
use super::words::{self, Open, Word};
use super::{names, settings};
use crate::model::{Diagnostic, Place, Source, did_you_mean};
use crate::yaml::{Node, Value};

/// Reads one file into the draft.
pub(super) fn read(source: &Arc<Source>, draft: &mut Draft) {
    let mut reader = Reader { source, draft, section: Section::Hosts(UNGROUPED), waiting: Vec::new() };
    for (start, line) in lines(&source.text) {
        let line = Line { text: trimmed(line), start: start + (line.len() - line.trim_start_matches(blank).len()) };
        if !line.text.is_empty() && !line.text.starts_with(['#', ';']) {
            reader.line(&line);
        }
    }
    reader.finish();
}

/// Whether a text begins as this shape does: with a `[section]`.
pub(super) fn begins_with_section(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    lines.next().is_some_and(|line| header(line).is_some())
}

// Python's idea of a line: more characters end one than a person sees.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut start = 0;
    text.split(ends).map(move |line| {
        let at = start;
        start += line.len() + text[start + line.len()..].chars().next().map_or(0, char::len_utf8);
        (at, line)
    })
}

fn blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn trimmed(line: &str) -> &str {
    line.trim_matches(blank)
}

// One line without the blanks around it, and where it begins in the file.
struct Line<'a> {
    text: &'a str,
    start: usize,
}

enum Section {
    Hosts(usize),
    Children(usize),
    Vars(usize),
    // Under a header that was refused: what follows is not told again.
    Lost,
}

enum Wait {
    // `[name:vars]` without the group.
    Vars,
    // Named by these groups as their child, each with its place.
    Children(Vec<(usize, Place)>),
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    draft: &'a mut Draft,
    section: Section,
    waiting: Vec<(String, Place, Wait)>,
}

// The name and the kind of `[name:kind]`, with a comment behind it or not.
fn header(line: &str) -> Option<(&str, Option<&str>)> {
    let (inside, after) = line.strip_prefix('[')?.split_once(']')?;
    let after = after.trim_start();
    let (name, kind) = match inside.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (inside, None),
    };
    let word = |kind: &str| !kind.is_empty() && kind.chars().all(|c| c.is_alphanumeric() || c == '_');
    let fits = !name.is_empty() && !name.contains(char::is_whitespace) && kind.is_none_or(word);
    (fits && (after.is_empty() || after.starts_with('#'))).then_some((name, kind))
}

impl Reader<'_> {
    fn place(&self, line: &Line<'_>, from: usize, to: usize) -> Place {
        Place::new(self.source, line.start + from, line.start + to)
    }

    // Of a line that cannot be read; it is not shown where it speaks of a secret.
    fn whole(&self, line: &Line<'_>) -> Place {
        settings::shy(&self.place(line, 0, line.text.len()), line.text)
    }

    fn line(&mut self, line: &Line<'_>) {
        if let Some((name, kind)) = header(line.text) {
            return self.header(line, name, kind);
        }
        let alone = line.text.ends_with(']') || line.text.contains("] ") || !line.text.contains(']');
        if line.text.starts_with('[') && alone {
            self.section = Section::Lost;
            return self.draft.faults.push(no_section(&self.whole(line), line.text));
        }
        match self.section {
            Section::Hosts(group) => self.hosts(line, group),
            Section::Children(group) => self.child(line, group),
            Section::Vars(group) => self.variable(line, group),
            Section::Lost => {}
        }
    }

    fn header(&mut self, line: &Line<'_>, name: &str, kind: Option<&str>) {
        let place = self.place(line, 1, 1 + name.len());
        if let Some(why) = names::refuse_group(name) {
            self.section = Section::Lost;
            return self.draft.faults.push(
                Diagnostic::error("a name that no group can have")
                    .at(&place, why)
                    .because(format!("{name:?} would not be safe in a path or a pattern"))
                    .fix("use letters, digits, `_`, `-` and `.`"),
            );
        }
        let known = self.draft.has_group(name).is_some();
        match kind {
            None | Some("hosts" | "children" | "vars") => {}
            Some(kind) => {
                let start = 2 + name.len();
                let place = self.place(line, start, start + kind.len());
                self.section = Section::Lost;
                let told = Diagnostic::error("a section of no known kind");
                let told = match settings::sounds_secret(name) {
                    true => told.at(&settings::hidden(&place), "what stands behind the colon is not known here"),
                    false => told.at(&place, format!("`:{kind}` is not known here")),
                };
                return self.draft.faults.push(match did_you_mean(kind, ["children", "hosts", "vars"]) {
                    Some(near) => told.fix(format!("did you mean `[{name}:{near}]`?")),
                    None => told.fix(format!("write [{name}] for its hosts, [{name}:children] or [{name}:vars]")),
                });
            }
        }
        let group = self.draft.group(name, Some(&place));
        let waits = self.waiting.iter().position(|(waiting, ..)| waiting == name);
        if kind == Some("vars") {
            if !known && waits.is_none() {
                self.waiting.push((name.to_owned(), place, Wait::Vars));
            }
            self.section = Section::Vars(group);
            return;
        }
        if let Some(at) = waits
            && let (_, _, Wait::Children(parents)) = self.waiting.remove(at)
        {
            for (parent, place) in parents {
                self.draft.nest(parent, group, &place);
            }
        }
        self.section = if kind == Some("children") { Section::Children(group) } else { Section::Hosts(group) };
    }

    fn child(&mut self, line: &Line<'_>, parent: usize) {
        let name = line.text.split(|c: char| c.is_whitespace()).next().unwrap_or("");
        let after = line.text[name.len()..].trim_start();
        let place = self.place(line, 0, name.len());
        if name.contains([':', ']']) || !(after.is_empty() || after.starts_with('#')) {
            let told = Diagnostic::error("a line that names no group")
                .at(&self.whole(line), "one group stands on a line here");
            let fix = if line.text.contains('=') {
                format!("variables of the group stand under [{}:vars]", self.draft.groups[parent].name)
            } else {
                "write the name of one group on each line, without anything behind it".into()
            };
            return self.draft.faults.push(told.fix(fix));
        }
        match self.draft.has_group(name) {
            // A `[name:vars]` alone does not make a group.
            Some(group) => self.draft.nest(parent, group, &place),
            None => match self.waiting.iter_mut().find(|(waiting, ..)| waiting == name) {
                Some((_, _, Wait::Children(parents))) => parents.push((parent, place)),
                _ => self.waiting.push((name.to_owned(), place.clone(), Wait::Children(vec![(parent, place)]))),
            },
        }
    }

    fn variable(&mut self, line: &Line<'_>, group: usize) {
        let Some((name, value)) = line.text.split_once('=') else {
            let told = Diagnostic::error("a variable without a value").at(&self.whole(line), "no `=` stands here");
            let fix = match line.text.split_once(':') {
                Some((name, _)) => format!("write {}=VALUE", trimmed(name)),
                None => {
                    let name = line.text.split(blank).next().unwrap_or("");
                    format!("write {name}=VALUE; hosts stand under [{}]", self.draft.groups[group].name)
                }
            };
            return self.draft.faults.push(told.fix(fix));
        };
        let start = name.len() + 1 + (value.len() - value.trim_start_matches(blank).len());
        let value = trimmed(value);
        let place = self.place(line, start, start + value.len());
        if let Some(node) = self.value(trimmed(name), value, place) {
            settings::give_group(self.draft, group, trimmed(name), node);
        }
    }

    // A password that is written without quotes may be anything, and is the text that it is.
    fn value(&mut self, name: &str, text: &str, place: Place) -> Option<Node> {
        match literal::read(text, &place) {
            Literal::Text => Some(Node::new(place, Value::Text(text.to_owned()))),
            Literal::Value(value) => Some(Node::new(place, value)),
            Literal::Refused(why, fix) => {
                let place = if settings::is_password(name) { settings::hidden(&place) } else { place };
                self.draft.faults.push(
                    Diagnostic::error("a value that cannot be read")
                        .at(&place, why)
                        .because(format!("what stands behind `{name}=` is read as Python reads a literal"))
                        .fix(fix),
                );
                None
            }
        }
    }

    fn hosts(&mut self, line: &Line<'_>, group: usize) {
        let words = match words::split(line.text) {
            Ok(words) => words,
            Err(open) => return self.draft.faults.push(self.open(line, open)),
        };
        let Some((pattern, rest)) = words.split_first() else { return };
        let place = settings::shy(&self.place(line, pattern.range.0, pattern.range.1), line.text);
        let (hosts, port) = match names::hosts(&pattern.text) {
            Ok(hosts) => hosts,
            Err(why) => return self.draft.faults.push(no_host(&place, line.text, pattern, rest, &why)),
        };
        if pattern.text == "---" {
            return self.draft.faults.push(yaml_here(&place));
        }
        let mut vars: Vec<Setting> = Vec::new();
        for (at, word) in rest.iter().enumerate() {
            let Some((name, value, start)) = word.assignment() else {
                let place = settings::shy(&self.place(line, word.range.0, word.range.1), line.text);
                let before = at.checked_sub(1).and_then(|at| rest.get(at));
                return self.draft.faults.push(no_assignment(&place, &pattern.text, word, before, rest.get(at + 1)));
            };
            let place = self.place(line, start, word.range.1);
            let Some(node) = self.value(name, value, place) else { continue };
            let setting = settings::setting(name, node, &mut self.draft.faults);
            // The last of one name on a line counts.
            vars.retain(|known| known.name != setting.name);
            vars.push(setting);
        }
        self.draft.add_hosts(hosts, port, &place, group, &vars);
    }

    fn open(&self, line: &Line<'_>, open: Open) -> Diagnostic {
        let (at, label, fix) = match open {
            Open::Quote(at) => {
                (at, "this quote is never closed", "close it, or put a backslash before it if it is meant as it is")
            }
            Open::Backslash(at) => (at, "nothing follows this backslash", "remove it, or write \\\\ for a backslash"),
        };
        let place = settings::shy(&self.place(line, at, at + 1), line.text);
        Diagnostic::error("a line that cannot be read").at(&place, label).fix(fix)
    }

    fn finish(self) {
        for (name, place, wait) in self.waiting {
            let known: Vec<&str> =
                self.draft.groups.iter().map(|group| &*group.name).filter(|known| *known != name).collect();
            let near = did_you_mean(&name, known.into_iter().filter(|known| *known != "all" && *known != "ungrouped"));
            let told = Diagnostic::error("a group that is nowhere defined");
            let told = match wait {
                Wait::Vars => told.at(&place, format!("no [{name}] stands in this file or one before it")),
                Wait::Children(parents) => {
                    let parent = parents.last().map_or(UNGROUPED, |(parent, _)| *parent);
                    told.at(&place, format!("`{}` is to hold this group", self.draft.groups[parent].name))
                }
            };
            let fix = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.draft.has_host(&name).is_some() => {
                    format!("`{name}` is a host: hosts stand under the group's own section, without `:children`")
                }
                None => format!("write a section [{}], empty if it has no hosts", settings::named(&name)),
            };
            self.draft.faults.push(told.fix(fix));
        }
    }
}

fn no_section(place: &Place, line: &str) -> Diagnostic {
    let told = Diagnostic::error("a section that cannot be read");
    let behind = line.split_once(']').map_or("", |(_, behind)| behind.trim_start());
    if behind.starts_with(';') {
        return told.at(place, "`;` begins a comment only at the start of a line").fix("write `#` before the comment");
    }
    // A value may stand there, too.
    let whole = line.trim_start_matches('[').split(']').next().unwrap_or("");
    let inside = whole.split('=').next().unwrap_or("");
    let kinds = ["children", "vars", "hosts"];
    let of_no_kind = |(_, kind): &(&str, &str)| !kinds.contains(&kind.trim());
    let inside = inside.split_once(':').filter(of_no_kind).map_or(inside, |(name, _)| name);
    if !line.contains(']') {
        return told.at(place, "`]` is missing").fix(format!("write [{}]", inside.trim()));
    }
    if inside.trim().is_empty() {
        return told.at(place, "the group's name is missing").fix("write [GROUP]");
    }
    if inside.contains(char::is_whitespace) {
        if inside.split_whitespace().any(settings::sounds_secret) {
            return told.at(place, "a section holds no blanks").fix("write [GROUP]");
        }
        let fixed = inside.split_whitespace().collect::<Vec<_>>();
        let joined = if inside.contains(':') { fixed.concat() } else { fixed.join("_") };
        return told.at(place, "a section holds no blanks").fix(format!("write [{joined}]"));
    }
    if whole.matches(':').count() > 1 {
        return told.at(place, "one `:` at most").fix("write [GROUP], [GROUP:children] or [GROUP:vars]");
    }
    told.at(place, "neither a section nor a host")
        .fix("write [GROUP], [GROUP:children] or [GROUP:vars] on a line of its own")
}

fn yaml_here(place: &Place) -> Diagnostic {
    Diagnostic::error("YAML in an INI inventory")
        .at(place, "so begins a YAML file")
        .fix("name the file with .yml or .yaml at its end, or without any ending")
}

fn no_host(place: &Place, line: &str, pattern: &Word, rest: &[Word], why: &str) -> Diagnostic {
    // `web1:` or `http_port: 8080`: somebody writes YAML.
    if let Some(name) = pattern.text.strip_suffix(':') {
        let name = settings::named(name);
        let told = Diagnostic::error("a name that no host can have").at(place, why).because(format!("\"{name}:\""));
        return if rest.is_empty() {
            told.fix(format!("write {name} without the colon; if this file is YAML, call it *.yml"))
        } else {
            told.fix(format!(
                "a variable stands under a [GROUP:vars] as {name}=VALUE; if this file is YAML, call it *.yml"
            ))
        };
    }
    if pattern.text.starts_with('\u{feff}') {
        return Diagnostic::error("a byte order mark at the start")
            .at(place, "an invisible character stands before this")
            .fix("save the file as UTF-8 without a byte order mark");
    }
    let shown = settings::named(&pattern.text);
    let told = Diagnostic::error("a name that no host can have").at(place, why).because(format!("{shown:?}"));
    if pattern.text.contains('=') {
        return told.fix(if line.contains(' ') {
            "a line begins with the host; variables follow it"
        } else {
            "variables of a group stand under [GROUP:vars]; those of a host on its line, behind its name"
        });
    }
    told.fix(names::fix(&pattern.text, why))
}

fn no_assignment(place: &Place, host: &str, word: &Word, before: Option<&Word>, after: Option<&Word>) -> Diagnostic {
    let told = Diagnostic::error("a word that is no variable").at(place, "a host's variables are written name=value");
    if after.is_some_and(|after| after.text.starts_with('=')) || before.is_some_and(|before| before.text.ends_with('='))
    {
        return told.fix("write name=value without blanks around `=`");
    }
    if word.text.starts_with(';') {
        return told.fix("write `#` before a comment: `;` begins one only at the start of a line");
    }
    if before.is_some_and(|before| before.text.contains('=')) {
        return told.fix("put a value that holds blanks in quotes: name=\"two words\"");
    }
    told.fix(format!("write one host on each line: `{host}` here, `{}` on the next", settings::named(&word.text)))
}
