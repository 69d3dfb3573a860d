//! Properties: what goes in comes out, whatever it is and whatever was done before.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;

use super::python;
use super::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]", "[a-z]{1,6}", "(?s)[^/~]{1,6}".prop_filter("no empty part", |name| !name.is_empty())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,30}",
        "[0-9.eE+-]{1,8}",
        "([a-z #:'\"]{0,8}\n){0,4}",
        Just("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]".to_owned()),
        Just("null".to_owned()),
        Just(String::new()),
    ]
}

fn full_name() -> impl Strategy<Value = String> {
    proptest::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_changes_leave_what_a_map_would_hold(
        changes in proptest::collection::vec((full_name(), proptest::option::weighted(0.8, text())), 1..12),
    ) {
        let alice = Person::new();
        let mut file = create("p.yaml", &[&alice]);
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for (at, value) in changes {
            match value {
                Some(value) => {
                    if file.set(&path(&at), &secret(&value)).is_ok() {
                        wanted.insert(at, value);
                    }
                }
                None => {
                    if file.remove(&path(&at)).is_ok() {
                        wanted.retain(|known, _| *known != at && !known.starts_with(&format!("{at}/")));
                    }
                }
            }
        }
        let written = file.write(&project()).unwrap();
        let mut again = open("p.yaml", &written, &alice);
        prop_assert_eq!(again.paths().len(), wanted.len(), "{}", written);
        for (at, value) in &wanted {
            prop_assert_eq!(&shown(&again.get(&path(at)).unwrap()), value, "{} in {}", at, written);
        }
        // And through an editor, untouched.
        let plain = again.plain_text().unwrap();
        prop_assert_eq!(again.take_plain_text(&plain).unwrap(), rempart::store::Edited::default(), "{}", *plain);
        prop_assert_eq!(again.write(&project()).unwrap(), written);
    }

    #[test]
    fn no_text_makes_the_reader_fail_badly(text in "(?s).{0,200}", yaml in "([a-c]:( [a-c\"'|>-]{0,3})?\n| {1,4}[a-c-]{0,2}:? ?){0,12}") {
        for text in [text, yaml] {
            let _ = rempart::yaml::outline(&text);
            let _ = Locked::parse(Source::new("p.yaml", format!("{text}\nsops:\n    mac: x\n    lastmodified: y\n")), "p.yaml");
        }
    }
}

#[test]
fn the_other_implementation_reads_a_hundred_hostile_values() {
    let Some(python) = python::at_hand("a hundred hostile values") else { return };
    let alice = Person::new();
    let mut file = create("h.yaml", &[&alice]);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let values: Vec<String> = (0..100).map(|_| text().new_tree(&mut runner).unwrap().current()).collect();
    for (at, value) in values.iter().enumerate() {
        file.set(&path(&format!("v/{at}x")), &secret(value)).unwrap();
    }
    let written = file.write(&project()).unwrap();
    let answer = python.answer(json!({ "op": "decrypt", "text": written, "identity": alice.identity }));
    let found = answer["values"].as_array().unwrap();
    for (at, value) in values.iter().enumerate() {
        assert_eq!((&found[at][1], &found[at][2]), (&json!("str"), &json!(value)));
    }
}
