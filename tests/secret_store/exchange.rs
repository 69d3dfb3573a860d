//! Files that go from one implementation to the other.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::python;
use super::*;

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret_store/recorded")
}

fn recorded_key() -> String {
    let text = fs::read_to_string(recorded().join("keys.txt")).unwrap();
    text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().to_owned()
}

const VERSIONS: [&str; 5] = ["3.7.3", "3.8.1", "3.9.4", "3.10.2", "3.13.3"];

#[test]
fn files_of_several_versions_are_read_with_a_known_key() {
    for version in VERSIONS {
        let text = fs::read_to_string(recorded().join(format!("sops-{version}.yaml"))).unwrap();
        let locked = lock("gw.yaml", &text);
        assert_eq!(locked.recipients().len(), 2, "{version}");
        let file = locked.open(&ring(&recorded_key())).unwrap_or_else(|fault| panic!("{version}: {fault:?}"));
        let shown = |at: &str| shown(&file.get(&path(at)).unwrap());
        assert_eq!(shown("gw/token"), "0123456789abcdefghijklmnopqrstuvwxyz_-ABCDE");
        assert_eq!(shown("gw/pin"), "42");
        assert_eq!(file.kind(&path("gw/pin")), Some(rempart::store::Kind::Str));
        assert_eq!((shown("gw/port"), file.kind(&path("gw/port"))), ("8443".into(), Some(rempart::store::Kind::Int)));
        assert_eq!((shown("gw/share"), shown("gw/on")), ("0.25".into(), "true".into()));
        assert_eq!((shown("gw/note"), shown("gw/empty")), ("two\nlines\n".into(), String::new()));
        assert_eq!((shown("hosts/0"), shown("hosts/1/tags/1")), ("alpha".into(), "y".into()));
        assert_eq!((shown("region_unencrypted"), shown("größe")), ("eu-west".into(), "ü".into()));
        let plain = file.plain_text().unwrap();
        assert!(plain.contains("# who may reach the gateway"), "{version}: {}", *plain);
        assert!(!plain.contains("ENC[") && !plain.contains("sops:"), "{version}: {}", *plain);
    }
}

#[test]
fn a_file_of_each_version_is_written_with_what_is_unknown_in_it() {
    let Some(python) = python::at_hand("a file of each version is written") else { return };
    for version in VERSIONS {
        let text = fs::read_to_string(recorded().join(format!("sops-{version}.yaml"))).unwrap();
        let mut file = lock("gw.yaml", &text).open(&ring(&recorded_key())).unwrap();
        assert_eq!(kind(file.prove(&project())), FaultKind::Unsealed);
        file.set(&path("gw/token"), &secret("new")).unwrap();
        assert_eq!(kind(file.write(&project())), FaultKind::Unsealed, "what nobody proved is not sealed");
        file.trust();
        let written = file.write(&project()).unwrap();
        for kept in ["made_by_tomorrow: 1", "kms: []", "fp: 7FB89715", version] {
            assert_eq!(text.contains(kept), written.contains(kept), "{version}: {kept}");
        }
        let answer = python.answer(json!({ "op": "decrypt", "text": written, "identity": recorded_key() }));
        let token = answer["values"].as_array().unwrap().iter().find(|value| value[0] == json!(["gw", "token"]));
        assert_eq!(token.unwrap()[2], "new", "{version}");
        assert_eq!(lock("gw.yaml", &text).other_recipients().is_empty(), version != "3.8.1");
    }
}

#[test]
fn what_rempart_writes_the_other_implementation_opens_seal_included() {
    let Some(python) = python::at_hand("what rempart writes") else { return };
    let (alice, bob) = (Person::new(), Person::new());
    let hostile = [
        ("plain", "x"),
        ("two lines", "a\nb\n"),
        ("unicode", "ü€😀\u{2028}\u{feff}"),
        ("empty", ""),
        ("number", "0012"),
        ("nul", "a\0b"),
        ("look/alike", "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"),
        ("a~1b/c", "slash in a key"),
        ("key: # '\"", "quotes"),
        ("yes", "no"),
        ("x_unencrypted/y", "readable"),
        ("tabs", "\t\r\n \u{85}"),
    ];
    let mut file = create("all.yaml", &[&alice, &bob]);
    for (at, value) in hostile {
        file.set(&path(at), &secret(value)).unwrap();
    }
    for (at, kind, value) in [
        ("typed/int", rempart::store::Kind::Int, "-7"),
        ("typed/float", rempart::store::Kind::Float, "1.5"),
        ("typed/bool", rempart::store::Kind::Bool, "true"),
    ] {
        file.set_typed(&path(at), kind, &secret(value)).unwrap();
    }
    let text = file.write(&project()).unwrap();
    assert!(text.contains(": readable"));
    for person in [&alice, &bob] {
        let mine = open("all.yaml", &text, person);
        let answer = python.answer(json!({ "op": "decrypt", "text": text, "identity": person.identity }));
        assert_eq!(answer["recipients"], json!([alice.recipient.to_string(), bob.recipient.to_string()]));
        let values = answer["values"].as_array().unwrap();
        assert_eq!(values.len(), hostile.len() + 3 + 1, "{answer}");
        for (at, value) in hostile {
            let found = values.iter().find(|found| found[0] == json!(path(at).parts())).unwrap();
            assert_eq!((&found[1], &found[2]), (&json!("str"), &json!(value)), "{at}");
            assert_eq!(shown(&mine.get(&path(at)).unwrap()), value, "{at}");
        }
        for typed in [json!([["typed", "int"], "int", "-7"]), json!([["typed", "bool"], "bool", "True"])] {
            assert!(values.contains(&typed), "{typed} in {answer}");
        }
    }
    let key = shown(&project().to_secret("project"));
    let job = |name: &str| json!({ "op": "seal", "text": text, "identity": alice.identity, "name": name, "project_key": key });
    let answer = python.answer(job("all.yaml"));
    assert_eq!(answer["wanted"], answer["found"]);
    let other = python.answer(job("other.yaml"));
    assert_ne!(other["wanted"], other["found"]);
}

#[test]
fn what_the_other_implementation_writes_rempart_opens() {
    let Some(python) = python::at_hand("what the other implementation writes") else { return };
    let alice = Person::new();
    let tree = json!({
        "#1": " a comment", "a": { "b": { "c": "deep" }, "n": [1, 2.5, true, null, "", { "x": "y" }] },
        "empty": {}, "none": [], "multi": "x\ny", "u_unencrypted": { "plain": "p", "i": 12, "f": 1e21 },
        "big": 1e21, "neg": -3, "q\"uo": "te"
    });
    let metas: [Value; 5] = [
        json!({}),
        json!({ "encrypted_suffix": "_s" }),
        json!({ "encrypted_regex": "^(a|multi)$" }),
        json!({ "unencrypted_regex": "^multi" }),
        json!({ "encrypted_regex": "^a$", "mac_only_encrypted": true }),
    ];
    for meta in &metas {
        for version in VERSIONS {
            let job = json!({
                "op": "encrypt", "tree": tree, "version": version, "meta": meta,
                "recipients": [Person::new().recipient.to_string(), alice.recipient.to_string()]
            });
            let text = python.answer(job)["text"].as_str().unwrap().to_owned();
            let file = lock("x.yaml", &text).open(&alice.ring()).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
            for (at, value) in [
                ("a/b/c", "deep"),
                ("a/n/1", "2.5"),
                ("a/n/2", "true"),
                ("a/n/5/x", "y"),
                ("multi", "x\ny"),
                ("big", "1000000000000000000000"),
                ("u_unencrypted/i", "12"),
                ("q\"uo", "te"),
            ] {
                assert_eq!(shown(&file.get(&path(at)).unwrap()), value, "{meta} {version} {at}");
            }
        }
    }
}
