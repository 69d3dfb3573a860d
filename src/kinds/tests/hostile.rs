//! Hostile values in every place of every kind: refused with a place, or one quoted word of the scripts; never executed.

use std::path::Path;

use super::examples_context;
use crate::kinds::KINDS;
use crate::model::Source;
use crate::resource::{Desired, Entry, Expect, Fields, ProbeScript, Resource, Seen, Step};
use crate::yaml::{self, Dialect, Node, Value, parse};

/// Stands in every hostile value, so that it is found wherever the value goes.
const MARK: &str = "rpmark";

fn hostile() -> Vec<String> {
    let texts = [
        "'; touch rpmark; '",
        "\"; touch rpmark; \"",
        "$(touch rpmark)",
        "`touch rpmark`",
        "rpmark\ntouch rpmark\n",
        "rpmark\r\ntouch rpmark",
        "rpmark\\",
        "rpmark\\'; touch rpmark #",
        "-rpmark",
        "--rpmark=x",
        "rpmark & touch rpmark",
        "rpmark|touch rpmark",
        "rpmark > rpmark",
        "/rpmark/../../etc/passwd",
        "/srv/rpmark\n/etc",
        "rpmark\u{0}",
        "rpmark\u{1b}[2J",
        "rpmark\u{202e}x",
        "rpmark\u{85}x",
        "%rpmark%s%n",
        "*rpmark?",
        "~rpmark",
        "${rpmark}",
        "é漢rpmark",
        " rpmark ",
        "rpmark:x:0:0",
        "rpmark=1,2",
        "",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
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
    // Those with the most to spoil; the others say the same in fewer words.
    let places =
        |item: &Node| (0_usize..).find(|at| !spoil(&mut item.clone(), &mut at.clone(), "")).unwrap_or_default();
    found.sort_by_key(|item| std::cmp::Reverse(places(item)));
    found.truncate(2);
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
    #[derive(PartialEq)]
    enum At {
        Plain,
        Single,
        Double,
        Comment,
    }
    let (mut at, mut out) = (At::Plain, String::new());
    let mut chars = script.chars().peekable();
    let mut before = '\n';
    while let Some(c) = chars.next() {
        match (&at, c) {
            (At::Plain, '\'') => at = At::Single,
            (At::Plain, '"') => at = At::Double,
            (At::Plain, '#') if before.is_whitespace() => at = At::Comment,
            (At::Plain | At::Double, '\\') => {
                out.push(c);
                out.extend(chars.next());
            }
            (At::Single, '\'') | (At::Double, '"') => at = At::Plain,
            (At::Comment, '\n') => at = At::Plain,
            (At::Single, _) => {}
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
    let mut faults = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for entry in KINDS {
        let found = items(entry);
        assert!(!found.is_empty(), "{}", entry.name);
        for (item, text) in found.iter().flat_map(|item| hostile().into_iter().map(move |text| (item, text))) {
            for at in 0.. {
                let mut spoiled = item.clone();
                if !spoil(&mut spoiled, &mut at.clone(), &text) {
                    break;
                }
                let shown: String = text.chars().take(40).collect();
                match examples_context(|context| (entry.load)(&spoiled, context)) {
                    Err(told) => {
                        refused += 1;
                        if told.place.is_none() {
                            faults
                                .push(format!("{}: {shown:?} at {at}: refused without a place: {told:?}", entry.name));
                        }
                    }
                    Ok(resource) => {
                        taken += 1;
                        for (what, script) in scripts(entry, resource.as_ref()) {
                            // Linux takes no argument over 128 KiB.
                            if text.len() > 100_000 {
                                if script.contains(&text) {
                                    faults.push(format!("{}: a megabyte at {at}: stands in {what}", entry.name));
                                }
                                continue;
                            }
                            if !script.contains(MARK) {
                                continue;
                            }
                            let bare = unquoted(&script);
                            let word = bare.split_whitespace().find(|word| word.contains(MARK) && *word != text);
                            // A word of letters needs no apostrophes; what is split or glued to something was not quoted.
                            let harmless =
                                |word: &str| word.chars().all(|c| c.is_alphanumeric() || "/._-:=@,+%\"".contains(c));
                            if let Some(word) = word.filter(|word| !harmless(word)) {
                                faults.push(format!("{}: {shown:?} at {at}: {what} holds {word:?}", entry.name));
                            }
                            if script.contains('\0') {
                                faults.push(format!("{}: {shown:?} at {at}: {what} holds NUL", entry.name));
                            }
                        }
                    }
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

// The test's own test.
#[test]
fn what_is_not_quoted_is_seen() {
    assert_eq!(
        unquoted("a 'b c' \"$x d\" e\\'f # 'no\ng").split_whitespace().collect::<Vec<_>>(),
        ["a", "$x", "d", "e\\'f", "g"]
    );
}
