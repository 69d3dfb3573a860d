//! Owns how faults are drawn: the line with its caret, why, what to do, and how many there are.
//!
//! Warnings first, errors after them: what stops the run stands nearest to the prompt.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Message, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::Paint;
use super::escape::{cut, visible};
use super::excerpt::excerpt;
use super::words::{count, some_of};
use crate::model::{Diagnostic, Place, Severity};

/// All of them as JSON, in the order of the text; the lines of files are left to people.
pub fn diagnostics_json(all: &[Diagnostic]) -> Value {
    let mut sorted: Vec<&Diagnostic> = all.iter().collect();
    sorted.sort_by(|a, b| order(a).cmp(&order(b)));
    sorted.dedup();
    sorted.into_iter().map(one_json).collect()
}

fn one_json(diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut told = json!({ "severity": severity, "summary": diagnostic.summary });
    if let Some((place, label)) = &diagnostic.place {
        told["place"] = place_json(place, label);
    }
    if !diagnostic.related.is_empty() {
        told["related"] = diagnostic.related.iter().map(|(place, label)| place_json(place, label)).collect();
    }
    if let Some((host, resource)) = &diagnostic.subject {
        told["hosts"] = json!([host]);
        if let Some(hosts) = told["hosts"].as_array_mut() {
            hosts.extend(diagnostic.others.iter().map(|host| json!(host)));
        }
        if let Some(id) = resource {
            told["resource"] = json!(id);
        }
    }
    for (name, text) in [("why", &diagnostic.detail), ("fix", &diagnostic.fix)] {
        if let Some(text) = text {
            told[name] = json!(text);
        }
    }
    told
}

// What is no file, such as a flag, has neither line nor column.
fn place_json(place: &Place, label: &str) -> Value {
    let mut told = json!({ "file": place.path() });
    if place.line() > 0 {
        told["line"] = json!(place.line());
        told["column"] = json!(place.column());
    }
    if !label.is_empty() {
        told["label"] = json!(label);
    }
    told
}

/// All of them, sorted, each once, with their count at the end; nothing for none.
pub fn diagnostics(all: &[Diagnostic], paint: &Paint) -> String {
    let mut sorted: Vec<&Diagnostic> = all.iter().collect();
    sorted.sort_by(|a, b| order(a).cmp(&order(b)));
    sorted.dedup();
    if sorted.is_empty() {
        return String::new();
    }
    let mut text: String = sorted.iter().map(|diagnostic| one(diagnostic, paint) + "\n\n").collect();
    let errors = sorted.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = sorted.len() - errors;
    let mut counts = Vec::new();
    if errors > 0 {
        counts.push(count(errors, "error", "errors"));
    }
    if warnings > 0 {
        counts.push(count(warnings, "warning", "warnings"));
    }
    text.push_str(&counts.join(", "));
    text.push('\n');
    text
}

type Order<'a> = (Severity, Option<&'a Place>, Option<String>, &'a str, Option<&'a str>, Option<&'a str>);

fn order(diagnostic: &Diagnostic) -> Order<'_> {
    let Diagnostic { severity, summary, place, detail, fix, .. } = diagnostic;
    let place = place.as_ref().map(|(place, _)| place);
    (*severity, place, subject(diagnostic), summary, detail.as_deref(), fix.as_deref())
}

fn subject(diagnostic: &Diagnostic) -> Option<String> {
    let (host, resource) = diagnostic.subject.as_ref()?;
    let first = match resource {
        Some(id) => visible(&format!("{host} / {id}")),
        None => visible(host.as_str()),
    };
    let others: Vec<String> = diagnostic.others.iter().map(|host| visible(host.as_str())).collect();
    if others.is_empty() {
        return Some(first);
    }
    // Three of them have names; the number says how many are meant.
    Some(format!("{first}; the same on {}: {} in all", some_of(&others, 2), count(others.len() + 1, "host", "hosts")))
}

fn one(diagnostic: &Diagnostic, paint: &Paint) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut drawing = Drawing {
        group: Group::with_title(level.primary_title(visible(&diagnostic.summary))),
        messages: Vec::new(),
        columns: Vec::new(),
        width: paint.width.saturating_sub(8),
    };
    let subject = subject(diagnostic);
    match (&diagnostic.place, &subject) {
        (Some((place, label)), _) => drawing.add(place, label, AnnotationKind::Primary),
        (None, Some(subject)) => drawing.group = drawing.group.element(Origin::path(subject.clone())),
        (None, None) => {}
    }
    for (place, label) in &diagnostic.related {
        drawing.add(place, label, AnnotationKind::Context);
    }
    if let (Some(_), Some(subject)) = (&diagnostic.place, subject) {
        drawing.messages.push(Level::NOTE.with_name("on").message(subject));
    }
    if let Some(detail) = &diagnostic.detail {
        drawing.messages.push(Level::NOTE.with_name("why").message(lines(detail)));
    }
    if let Some(fix) = &diagnostic.fix {
        drawing.messages.push(Level::HELP.with_name("fix").message(lines(fix)));
    }
    drawing.finish(paint.colour)
}

struct Drawing<'a> {
    group: Group<'a>,
    messages: Vec<Message<'a>>,
    columns: Vec<(String, String)>,
    width: usize,
}

impl Drawing<'_> {
    // A place without a text, such as a flag, has its name only, and one that is not shown has its numbers, too; the label
    // becomes a message.
    fn add(&mut self, place: &Place, label: &str, kind: AnnotationKind) {
        let group = std::mem::replace(&mut self.group, Group::with_level(Level::ERROR));
        if !place.is_shown() {
            self.group = group.element(Origin::path(visible(&place.to_string())));
            if !label.is_empty() {
                self.messages.push(Level::NOTE.message(lines(label)));
            }
            return;
        }
        let path = visible(place.path());
        let line = excerpt(place, self.width);
        // The renderer counts columns in what it is given, which is not what stands in the file: tabs are spaces there
        // and long lines are cut. So the path carries a mark, by which the column is put right afterwards.
        let mark = format!("\u{e000}{}", self.columns.len());
        let column = line.text[..line.span.start].chars().count() + 1;
        let number = place.line();
        self.columns.push((format!("{mark}:{number}:{column}"), format!(":{number}:{}", place.column())));
        let mut annotation = kind.span(line.span);
        if !label.is_empty() {
            annotation = annotation.label(cut(&visible(label), 400));
        }
        let snippet = Snippet::source(line.text).path(path + &mark).line_start(number).annotation(annotation);
        self.group = group.element(snippet);
    }

    fn finish(self, colour: bool) -> String {
        let group = self.messages.into_iter().fold(self.group, |group, message| group.element(message));
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        // The lines are cut already; the renderer's own cutting would not know where the caret's column is.
        let text = renderer.decor_style(DecorStyle::Ascii).term_width(10_000).render(&[group]);
        self.columns.iter().fold(text, |text, (mark, right)| text.replacen(mark, right, 1))
    }
}

// Details may have several lines, and their newlines are ours; whatever else is unseen is not.
fn lines(text: &str) -> String {
    text.trim_end().split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{HostName, ResourceId, Source};
    use crate::report::escape::is_unseen;

    fn site() -> Vec<Diagnostic> {
        let play = Source::new("play.yaml", "hosts: web\nphases:\n  preparation:\n\t- fil: { path: /etc/motd }\n");
        let vars = Source::new("vars.yaml", "ansible_password: hunter2\n");
        let at = |source: &std::sync::Arc<Source>, what: &str| {
            let start = source.text.find(what).unwrap();
            Place::new(source, start, start + what.len())
        };
        let unknown = Diagnostic::error("an unknown kind")
            .at(&at(&play, "fil"), "no kind is called `fil`")
            .see(&at(&play, "web"), "for these hosts")
            .see(&at(&vars, "hunter2"), "with this")
            .because("kinds are:\n  directory, file")
            .fix("did you mean `file`?");
        let host = HostName::new("web1\u{1b}[2J");
        vec![
            unknown.clone(),
            Diagnostic::error("cannot connect").on(&host, None).because("no route").fix("check the address"),
            unknown,
            Diagnostic::warning("a resource without an effect")
                .on(&HostName::new("web2"), Some(&ResourceId::new("file", "/etc/x"))),
            Diagnostic::error("a flag that says nothing").at(&Place::outside("--limit"), "matches no host"),
            Diagnostic::error("an error about all"),
        ]
    }

    #[test]
    fn a_pipe_gets_plain_text() {
        insta::assert_snapshot!(diagnostics(&site(), &Paint::PLAIN), @r"
        warning: a resource without an effect
        --> web2 / file:/etc/x

        error: an error about all

        error: cannot connect
        --> web1\u{1b}[2J
         = why: no route
         = fix: check the address

        error: a flag that says nothing
        --> --limit
         = note: matches no host

        error: an unknown kind
         --> play.yaml:4:4
          |
        4 |     - fil: { path: /etc/motd }
          |       ^^^ no kind is called `fil`
          |
         ::: play.yaml:1:8
          |
        1 | hosts: web
          |        --- for these hosts
          |
         ::: vars.yaml:1:19
          |
        1 | ansible_password: (hidden)
          |                   -------- with this
          |
          = why: kinds are:
                   directory, file
          = fix: did you mean `file`?

        4 errors, 1 warning
        ");
    }

    #[test]
    fn a_terminal_gets_colour() {
        let text = diagnostics(&site()[..1], &Paint { colour: true, ..Paint::PLAIN });
        insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r"
        ESC[1mESC[91merrorESC[0mESC[1m: an unknown kindESC[0m
         ESC[1mESC[94m--> ESC[0mplay.yaml:4:4
          ESC[1mESC[94m|ESC[0m
        ESC[1mESC[94m4ESC[0m ESC[1mESC[94m|ESC[0m     - fil: { path: /etc/motd }
          ESC[1mESC[94m|ESC[0m       ESC[1mESC[91m^^^ESC[0m ESC[1mESC[91mno kind is called `fil`ESC[0m
          ESC[1mESC[94m|ESC[0m
         ESC[1mESC[94m::: ESC[0mplay.yaml:1:8
          ESC[1mESC[94m|ESC[0m
        ESC[1mESC[94m1ESC[0m ESC[1mESC[94m|ESC[0m hosts: web
          ESC[1mESC[94m|ESC[0m        ESC[1mESC[94m---ESC[0m ESC[1mESC[94mfor these hostsESC[0m
          ESC[1mESC[94m|ESC[0m
         ESC[1mESC[94m::: ESC[0mvars.yaml:1:19
          ESC[1mESC[94m|ESC[0m
        ESC[1mESC[94m1ESC[0m ESC[1mESC[94m|ESC[0m ansible_password: (hidden)
          ESC[1mESC[94m|ESC[0m                   ESC[1mESC[94m--------ESC[0m ESC[1mESC[94mwith thisESC[0m
          ESC[1mESC[94m|ESC[0m
          ESC[1mESC[94m= ESC[0mESC[1mwhyESC[0m: kinds are:
                   directory, file
          ESC[1mESC[94m= ESC[0mESC[1mfixESC[0m: did you mean `file`?

        1 error
        ");
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), diagnostics(&site()[..1], &Paint::PLAIN));
    }

    #[test]
    fn a_fault_of_many_hosts_names_some_and_counts_all() {
        let on = |others: usize| {
            let mut told = Diagnostic::error("x").on(&HostName::new("w0"), None);
            told.others = (1..=others).map(|number| HostName::new(format!("w{number}"))).collect();
            subject(&told).unwrap()
        };
        assert_eq!(on(0), "w0");
        assert_eq!(on(1), "w0; the same on w1: 2 hosts in all");
        assert_eq!(on(9), "w0; the same on w1, w2 and 7 more: 10 hosts in all");
    }

    #[test]
    fn machines_get_the_same_in_the_same_order() {
        let all: Vec<Diagnostic> = site().into_iter().take(3).collect();
        insta::assert_snapshot!(diagnostics_json(&all).to_string(), @r#"[{"severity":"error","summary":"cannot connect","hosts":["web1\u001b[2J"],"why":"no route","fix":"check the address"},{"severity":"error","summary":"an unknown kind","place":{"file":"play.yaml","line":4,"column":4,"label":"no kind is called `fil`"},"related":[{"file":"play.yaml","line":1,"column":8,"label":"for these hosts"},{"file":"vars.yaml","line":1,"column":19,"label":"with this"}],"why":"kinds are:\n  directory, file","fix":"did you mean `file`?"}]"#);
    }

    #[test]
    fn of_what_is_not_shown_the_numbers_are_told() {
        let place = Place::new(&Source::new("s.yaml", "a: 1\nb: hunter2\n"), 8, 15).unshown();
        let told = [Diagnostic::error("x").at(&place, "here")];
        insta::assert_snapshot!(diagnostics(&told, &Paint::PLAIN), @r"
        error: x
        --> s.yaml:2:4
         = note: here

        1 error
        ");
        let json = diagnostics_json(&told);
        assert_eq!(json[0]["place"], json!({ "file": "s.yaml", "line": 2, "column": 4, "label": "here" }));
    }

    #[test]
    fn nothing_is_drawn_for_nothing() {
        assert_eq!(diagnostics(&[], &Paint::PLAIN), "");
    }

    proptest! {
        #[test]
        fn hostile_text_neither_panics_nor_reaches_the_terminal(
            text in "(?s)([ -~\t\r\n\u{1b}\u{e000}é漢]|.){0,60}", words in "(?s).{0,20}", at in 0usize..70, len in 0usize..9,
        ) {
            let place = Place::new(&Source::new(words.clone(), text), at, at + len);
            let told = Diagnostic::error(words.clone()).at(&place, words.clone()).see(&place, words.clone())
                .on(&HostName::new(words.clone()), None).because(words.clone()).fix(words);
            let drawn = diagnostics(&[told], &Paint::PLAIN);
            prop_assert!(!drawn.chars().any(|c| is_unseen(c) && c != '\n'), "{drawn:?}");
        }
    }
}
