//! Hostile values in every place of every kind: refused with a place, or one quoted word of the scripts; never executed.

use std::path::Path;

use rayon::prelude::*;

use super::examples_context;
use crate::kinds::KINDS;
use crate::model::Source;
use crate::resource::{Desired, Entry, Expect, Fields, ProbeScript, Resource, Seen, Step};
use crate::yaml::{self, Dialect, Node, Value, parse};

/// Stands in every hostile value, so that it is found wherever the value goes.
const MARK: &str = "rpmark";

fn hostile() -> Vec<String> {
    let texts = [
        "rpmark'; touch rpmark; \"$(touch rpmark)`touch rpmark`\" | ${rpmark} & > rpmark #\\",
        "rpmark\\'; touch rpmark",
        "rpmark\ntouch rpmark\n",
        "rpmark\r\ntouch rpmark",
        "--rpmark=x",
        "/srv/rpmark/../../etc/pass*?wd",
        "/srv/rpmark\n/etc",
        "rpmark\u{0}\u{1b}[2J\u{202e}\u{85}x",
        "%rpmark%s%n:x:0:0 =1,2",
        " é漢rpmark ",
        "",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
    // Far over what Linux takes as one argument (128 KiB).
    all.push(format!("rpmark{}", "x".repeat(1_000_000)));
    all
}

// The items of a kind: those of its playbook for tests of real hosts, where each field stands somewhere, and its example.
fn items(entry: &Entry) -> Vec<Node> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tamper").join(entry.name).join("playbook.yaml");
    let mut found = Vec::new();
    let mut collect = |text: &str| {
        let node = parse(&Source::new("hostile.yaml", text), Dialect::Playbook).unwrap();
        fn walk(node: &Node, name: &str, found: &mut Vec<Node>) {
            match &node.value {
                Value::List(parts) => parts.iter().for_each(|part| walk(part, name, found)),
                Value::Map(entries) => {
                    for entry in entries {
                        if entry.key == name && matches!(entry.node.value, Value::Map(_)) {
                            found.push(entry.node.clone());
                        }
                        walk(&entry.node, name, found);
                    }
                }
                _ => {}
            }
        }
        walk(&node, entry.name, &mut found);
    };
    collect(entry.example);
    collect(&std::fs::read_to_string(path).unwrap());
    // A password is stretched anew for each script, which takes its time; its own test says that it is a payload. And
    // `validate` is a program of the user's, in which `%s` stands for the file.
    let left_out = [("postgres_role", "password"), ("template", "validate")];
    for item in &mut found {
        if let Value::Map(entries) = &mut item.value {
            entries.retain(|known| !left_out.contains(&(entry.name, known.key.as_str())));
        }
    }
    // Those with the most to spoil; the others say the same in fewer words.
    let places =
        |item: &Node| (0_usize..).find(|at| !spoil(&mut item.clone(), &mut at.clone(), "")).unwrap_or_default();
    found.sort_by_key(|item| std::cmp::Reverse(places(item)));
    found.truncate(3);
    if entry.name == "template" {
        for item in &mut found {
            put(item, "content", Value::Text("rendered\n".into()));
        }
    }
    found
}

fn put(node: &mut Node, key: &str, value: Value) {
    let place = node.place.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| entry.key != key);
        entries.push(yaml::Entry { key: key.into(), place: place.clone(), node: Node::new(place, value) });
    }
}

/// Every node with one scalar of it, or one key, replaced. `at` counts down to the place.
fn spoil(node: &mut Node, at: &mut usize, text: &str) -> bool {
    let hit = |at: &mut usize| {
        let is = *at == 0;
        *at = at.wrapping_sub(1);
        is
    };
    match &mut node.value {
        Value::List(parts) => parts.iter_mut().any(|part| spoil(part, at, text)),
        Value::Map(entries) => entries.iter_mut().any(|entry| {
            if hit(at) {
                entry.key = text.into();
                return true;
            }
            spoil(&mut entry.node, at, text)
        }),
        value => {
            let is = hit(at);
            if is {
                *value = Value::Text(text.to_owned());
            }
            is
        }
    }
}

/// What of a script is not between apostrophes, where everything but the apostrophe is plain text to a shell.
fn unquoted(script: &str) -> String {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Plain,
        Single,
        Double,
        Comment,
        /// `$(...)` between quotation marks is plain again, until its own parenthesis.
        Inner,
    }
    let (mut at, mut outer, mut out) = (At::Plain, Vec::new(), String::new());
    let mut chars = script.chars().peekable();
    let mut before = '\n';
    while let Some(c) = chars.next() {
        match (at, c) {
            (At::Plain | At::Inner, '\'' | '"') => {
                outer.push(at);
                at = if c == '"' { At::Double } else { At::Single };
            }
            (At::Plain, '#') if before.is_whitespace() => at = At::Comment,
            (At::Plain | At::Inner | At::Double, '\\') => {
                out.push(c);
                out.extend(chars.next());
            }
            (At::Double, '(') if before == '$' => {
                outer.push(at);
                at = At::Inner;
            }
            (At::Single, '\'') | (At::Double, '"') | (At::Inner, ')') => at = outer.pop().unwrap_or(At::Plain),
            (At::Comment, '\n') => {
                at = At::Plain;
                out.push(c);
            }
            (At::Single | At::Comment, _) => {}
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// Every shell text that a kind makes of a resource.
fn scripts(entry: &Entry, resource: &dyn Resource) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut script = ProbeScript::default();
    (entry.probe)(&[resource], &mut script);
    all.push(("its probe".to_owned(), script.finish("nonce", std::time::Duration::from_secs(1)).script.text));
    let (fields, is_absent) = match resource.desired() {
        Desired::Present(fields) => (fields, false),
        Desired::Absent => (Fields::new(), true),
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    let mut cases: Vec<(Seen, &[String])> = vec![(Seen::Present(Fields::new()), &names)];
    if !is_absent {
        cases.extend([(Seen::Absent, &[][..]), (Seen::Present(fields.clone()), &names)]);
    }
    for (seen, differing) in &cases {
        for step in (entry.steps)(&[(resource, seen, differing)]) {
            all.extend(texts(&step));
        }
    }
    all
}

fn texts(step: &Step) -> Vec<(String, String)> {
    let named = |what: &str, text: &str| {
        (format!("{what} of `{}`", step.title.chars().take(60).collect::<String>()), text.to_owned())
    };
    let mut all = vec![named("the script", step.script.text())];
    for expect in &step.expects {
        if let Expect::Prints { command, .. } = expect {
            all.push(named("what is expected", command.text()));
        }
    }
    if let Some(undo) = step.undo() {
        all.push(named("the way back", undo.after.text()));
    }
    all
}

#[test]
fn hostile_values_are_refused_with_a_place_or_stay_one_word() {
    let tried: Vec<Tried> = KINDS.par_iter().map(try_out).collect();
    let (taken, refused) = tried.iter().fold((0, 0), |(a, b), tried| (a + tried.taken, b + tried.refused));
    let mut faults: Vec<&String> = tried.iter().flat_map(|tried| &tried.faults).collect();
    faults.dedup();
    assert!(taken > 500 && refused > 5000, "{taken} taken, {refused} refused");
    assert!(faults.is_empty(), "{} faults\n{faults:#?}", faults.len());
}

#[derive(Default)]
struct Tried {
    taken: usize,
    refused: usize,
    faults: Vec<String>,
}

fn try_out(entry: &Entry) -> Tried {
    let mut tried = Tried::default();
    let found = items(entry);
    assert!(!found.is_empty(), "{}", entry.name);
    for (item, text) in found.iter().flat_map(|item| hostile().into_iter().map(move |text| (item, text))) {
        for at in 0_usize.. {
            let mut spoiled = item.clone();
            if !spoil(&mut spoiled, &mut at.clone(), &text) {
                break;
            }
            let shown: String = text.chars().take(40).collect();
            let told = match examples_context(|context| (entry.load)(&spoiled, context)) {
                Err(told) => {
                    tried.refused += 1;
                    told.place.is_none().then(|| format!("refused without a place: {told:?}"))
                }
                Ok(resource) => {
                    tried.taken += 1;
                    let all = scripts(entry, resource.as_ref());
                    all.iter().find_map(|(what, script)| Some(format!("{what} holds {}", loose(script, &text)?)))
                }
            };
            tried.faults.extend(told.map(|told| format!("{}: {shown:?} at {at}: {told}", entry.name)));
        }
    }
    tried
}

/// What of a hostile value a shell would not take for one word of plain text.
fn loose(script: &str, text: &str) -> Option<String> {
    // Linux takes no argument over 128 KiB.
    if text.len() > 100_000 {
        return script.contains(text).then(|| "more than one argument may have".to_owned());
    }
    if script.contains('\0') {
        return Some("a NUL".to_owned());
    }
    if !script.contains(MARK) {
        return None;
    }
    // A word of letters needs no apostrophes; what is split or glued to something else was not quoted.
    let harmless = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "/._-:=@,+%\"".contains(c));
    // Such a word may end a command.
    let harmless = |word: &str| harmless(word.trim_end_matches([';', ')']));
    let bare = unquoted(script);
    bare.split_whitespace().find(|word| word.contains(MARK) && !harmless(word)).map(str::to_owned)
}

// The test's own test.
#[test]
fn what_is_not_quoted_is_seen() {
    assert_eq!(
        unquoted("a 'b c' \"$x d\" e\\'f # 'no\ng").split_whitespace().collect::<Vec<_>>(),
        ["a", "$x", "d", "e\\'f", "g"]
    );
}
