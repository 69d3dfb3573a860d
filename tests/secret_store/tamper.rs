//! Files that somebody changed who should not: each way is refused, and each in words of its own.

use std::collections::BTreeMap;

use serde_json::json;

use super::python;
use super::*;
use rempart::store::Fault;

/// Exchanges one text for another, which must be there once.
fn swap(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
    text.replace(from, to)
}

/// The line of a key, without the key.
fn value<'t>(text: &'t str, key: &str) -> &'t str {
    text.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap()
}

fn fault_of(text: &str, person: &Person) -> Fault {
    let fault = match lock("gw.yaml", text).open(&person.ring()) {
        Err(fault) => fault,
        Ok(mut file) => file.prove(&project()).unwrap_err(),
    };
    assert!(fault.told.place.is_some() && fault.told.fix.is_some(), "{fault:?}");
    fault
}

#[test]
fn each_way_of_tampering_has_its_own_message() {
    let (alice, bob, eve) = (Person::new(), Person::new(), Person::new());
    let text = sample("gw.yaml", &[&alice, &bob]);
    let other = sample("db.yaml", &[&alice, &bob]);
    let token = value(&text, "token").to_owned();
    let pin = value(&text, "pin").to_owned();
    let mut summaries = BTreeMap::new();
    let mut refused = |tampered: &str, person: &Person, wanted: FaultKind| {
        let fault = fault_of(tampered, person);
        assert_eq!(fault.kind, wanted, "{:?}", fault.told);
        let known = summaries.insert(fault.told.summary.clone(), wanted);
        assert!(known.is_none_or(|known| known == wanted), "two kinds, one message: {}", fault.told.summary);
    };

    // One byte of a value.
    refused(&swap(&text, &token, &flip(&token)), &alice, FaultKind::ValueChanged);
    // One path: the key was renamed, or the value put under another.
    refused(&swap(&text, "    token: ", "    tokem: "), &alice, FaultKind::ValueChanged);
    refused(&swap(&text, &pin, &token), &alice, FaultKind::ValueMoved);
    // Two values of the file swapped.
    let swapped = text.replace(&token, "@").replace(&pin, &token).replace('@', &pin);
    refused(&swapped, &alice, FaultKind::ValueMoved);
    // A value gone, and one that was never encrypted.
    let without = text.lines().filter(|line| !line.contains(&pin)).collect::<Vec<_>>().join("\n");
    refused(&without, &alice, FaultKind::MacWrong);
    refused(&swap(&text, &pin, "\"\""), &alice, FaultKind::MacWrong);
    refused(&swap(&text, &pin, "1234"), &alice, FaultKind::PlainValue);
    // The MAC and the time that it is bound to.
    let mac = value(&text, "mac").to_owned();
    refused(&swap(&text, &mac, &flip(&mac)), &alice, FaultKind::MacWrong);
    let time = value(&text, "lastmodified").to_owned();
    refused(&swap(&text, &time, "\"2020-01-01T00:00:00Z\""), &alice, FaultKind::MacWrong);
    // One recipient: another name for the one who opens it, and for one who does not.
    let names = (alice.recipient.to_string(), bob.recipient.to_string(), eve.recipient.to_string());
    refused(&swap(&text, &names.0, &names.2), &alice, FaultKind::RecipientChanged);
    refused(&swap(&text, &names.1, &names.2), &alice, FaultKind::SealRecipients);
    // One recipient gone.
    let start = text.find(&format!("        - recipient: {}", names.1)).unwrap();
    let end = text.find("    lastmodified").unwrap();
    refused(&format!("{}{}", &text[..start], &text[end..]), &alice, FaultKind::SealRecipients);
    // The rule.
    refused(
        &swap(&text, "unencrypted_suffix: _unencrypted", "unencrypted_suffix: _clear"),
        &alice,
        FaultKind::SealRules,
    );
    // A whole file in the place of another.
    refused(&other, &alice, FaultKind::SealName);
    // Made by somebody who knows the recipients and nothing else.
    let mut forged = create("gw.yaml", &[&alice, &bob]);
    forged.set(&path("gw/token"), &secret("forged")).unwrap();
    let forged = forged.write(&ProjectKey::new(&[66; 32])).unwrap();
    refused(&forged, &alice, FaultKind::SealForeign);
    // And a seal that names our key, and is none.
    if let Some(named) = named_seal(&forged, &alice) {
        refused(&named, &alice, FaultKind::SealBroken);
    }
    assert!(summaries.len() >= 9, "{summaries:#?}");
}

// One bit of what is encrypted, in valid base64.
fn flip(sealed: &str) -> String {
    let at = sealed.find("data:").unwrap() + 5;
    let new = if sealed.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    format!("{}{new}{}", &sealed[..at], &sealed[at + 1..])
}

// What a forger can do who was told the id of the project's key: write it into a seal of their own.
fn named_seal(forged: &str, alice: &Person) -> Option<String> {
    // The forger made the file, so they have its data key; we borrow it from one who can open it.
    let python = python::at_hand("a seal that names our key")?;
    let job = json!({ "op": "decrypt", "text": forged, "identity": alice.identity });
    let answer = python.answer(job);
    let seal = answer["values"].as_array().unwrap().iter().find(|value| value[0] == json!(["rempart_seal"])).unwrap();
    let parts: Vec<&str> = seal[2].as_str().unwrap().split('.').collect();
    let named = format!("{}.{}.{}.{}", parts[0], parts[1], project().id(), parts[3]);
    let job =
        json!({ "op": "set", "text": forged, "identity": alice.identity, "path": ["rempart_seal"], "value": named });
    Some(python.answer(job)["text"].as_str().unwrap().to_owned())
}

#[test]
fn a_value_of_another_file_is_named_where_the_store_is_at_hand() {
    let alice = Person::new();
    let (one, two) = (sample("gw.yaml", &[&alice]), sample("db.yaml", &[&alice]));
    let foreign = swap(&one, value(&one, "password"), value(&two, "password"));
    let others = [lock("db.yaml", &two), lock("gw.yaml", &one)];
    let fault = lock("gw.yaml", &foreign).open_among(&alice.ring(), &others).unwrap_err();
    assert_eq!(fault.kind, FaultKind::ValueForeign);
    assert!(fault.told.detail.as_deref().unwrap().contains("`db/password` of db.yaml"), "{:?}", fault.told);
    assert_eq!(fault_of(&foreign, &alice).kind, FaultKind::ValueChanged);
}

#[test]
fn items_of_a_list_are_held_in_order_by_the_mac() {
    let alice = Person::new();
    let mut file = create("gw.yaml", &[&alice]);
    file.take_plain_text("list:\n    - one\n    - two\n").unwrap();
    let text = file.write(&project()).unwrap();
    let items: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("    - ENC")).collect();
    let swapped = text.replace(items[0], "@").replace(items[1], items[0]).replace('@', items[1]);
    assert_eq!(fault_of(&swapped, &alice).kind, FaultKind::MacWrong);
}

#[test]
fn what_sops_changed_is_seen_and_can_be_trusted() {
    let Some(python) = python::at_hand("what sops changed") else { return };
    let alice = Person::new();
    let text = sample("gw.yaml", &[&alice]);
    let job =
        json!({ "op": "set", "text": text, "identity": alice.identity, "path": ["gw", "token"], "value": "by sops" });
    let changed = python.answer(job)["text"].as_str().unwrap().to_owned();
    let mut file = lock("gw.yaml", &changed).open(&alice.ring()).unwrap();
    assert_eq!(kind(file.prove(&project())), FaultKind::SealValues);
    assert_eq!(kind(file.write(&project())), FaultKind::Unsealed);
    file.trust();
    let sealed = file.write(&project()).unwrap();
    assert_eq!(shown(&open("gw.yaml", &sealed, &alice).get(&path("gw/token")).unwrap()), "by sops");
}

// Bound paths are joined by colons, so SOPS itself cannot tell these two apart.
#[test]
fn a_key_with_a_colon_is_not_taken_for_two_keys() {
    let alice = Person::new();
    let mut file = create("gw.yaml", &[&alice]);
    file.set(&path("a:b/c"), &secret("x")).unwrap();
    let text = file.write(&project()).unwrap();
    let sealed = value(&text, "c").to_owned();
    let moved = text.replace("\"a:b\":\n    c: ", "a:\n    \"b:c\": ");
    assert!(moved.contains(&sealed) && moved != text, "{text}");
    assert_eq!(fault_of(&moved, &alice).kind, FaultKind::SealValues);
}

#[test]
fn what_is_not_supported_is_said() {
    let alice = Person::new();
    let text = sample("gw.yaml", &[&alice]);
    let parse = |text: &str| Locked::parse(Source::new("gw.yaml", text), "gw.yaml");
    let section = &text[text.find("sops:\n").unwrap()..];
    let groups = "sops:\n    key_groups:\n        - age: []\n        - age: []\n    lastmodified: \"x\"\n    mac: y\n    version: 3.9.0\n";
    for (text, wanted, says) in [
        ("a: 1\n".to_owned(), FaultKind::Format, "no `sops` section"),
        (groups.to_owned(), FaultKind::Unsupported, "2 groups"),
        (
            text.replace("unencrypted_suffix: _", "encrypted_comment_regex: _"),
            FaultKind::Unsupported,
            "encrypted_comment_regex",
        ),
        (swap(section, "    mac: ", "    mic: "), FaultKind::Format, "mac"),
        (swap(section, "    age:\n", "    pgp:\n"), FaultKind::Unsupported, "pgp"),
        (format!("a: &x 1\n{section}"), FaultKind::Format, "an anchor"),
        (format!("{section}---\nb: 1\n"), FaultKind::Format, "second document"),
        (format!("{section}    encrypted_suffix: _s\n"), FaultKind::Format, "unencrypted_suffix and encrypted_suffix"),
    ] {
        let fault = parse(&text).unwrap_err();
        assert_eq!(fault.kind, wanted, "{says}: {:?}", fault.told);
        assert!(fault.told.detail.as_deref().unwrap().contains(says), "{says}: {:?}", fault.told);
        assert!(fault.told.place.is_some(), "{says}");
    }
}
