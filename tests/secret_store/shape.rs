//! What a change changes in the text, and what it leaves.

use super::*;

/// The lines that are in one text and not in the other, without what stands behind their first colon.
fn diff(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only = |these: &str, others: &str| {
        let missing = these.lines().filter(|line| !others.lines().any(|other| other == *line));
        missing.map(|line| line.split(": ").next().unwrap().trim().to_owned()).collect()
    };
    (only(before, after), only(after, before))
}

// The time of writing has seconds; within one, the line does not change.
fn without_time(mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| line != "lastmodified");
    lines
}

#[test]
fn setting_one_value_changes_its_line_the_seal_and_the_mac() {
    let alice = Person::new();
    let before = sample("gw.yaml", &[&alice, &Person::new()]);
    let mut file = open("gw.yaml", &before, &alice);
    file.set(&path("gw/pin"), &secret("43")).unwrap();
    let after = file.write(&project()).unwrap();
    let (gone, new) = diff(&before, &after);
    assert_eq!(without_time(gone), ["pin", "rempart_seal", "mac"]);
    assert_eq!(without_time(new), ["pin", "rempart_seal", "mac"]);
    assert_eq!(shown(&open("gw.yaml", &after, &alice).get(&path("gw/pin")).unwrap()), "43");
}

#[test]
fn the_same_value_changes_nothing() {
    let alice = Person::new();
    let before = sample("gw.yaml", &[&alice]);
    let mut file = open("gw.yaml", &before, &alice);
    file.set(&path("gw/pin"), &secret("42")).unwrap();
    assert!(!file.is_changed());
    assert_eq!(file.write(&project()).unwrap(), before);
}

#[test]
fn generations_count_up() {
    let alice = Person::new();
    let first = sample("gw.yaml", &[&alice]);
    let mut file = open("gw.yaml", &first, &alice);
    file.set(&path("new"), &secret("1")).unwrap();
    let second = file.write(&project()).unwrap();
    let generation = |text: &str| lock("gw.yaml", text).open(&alice.ring()).unwrap().prove(&project()).unwrap();
    assert_eq!((generation(&first), generation(&second)), (1, 2));
}

#[test]
fn keys_are_added_where_their_map_ends_and_taken_out_whole() {
    let alice = Person::new();
    let mut file = open("gw.yaml", &sample("gw.yaml", &[&alice]), &alice);
    for at in ["gw/second", "fresh/a/b", "top"] {
        file.set(&path(at), &secret(at)).unwrap();
    }
    let names = |file: &Unlocked| file.paths().iter().map(KeyPath::to_string).collect::<Vec<_>>();
    let all = ["gw/token", "gw/pin", "gw/second", "db/password", "list", "fresh/a/b", "top"];
    assert_eq!(names(&file), all);
    for at in ["db/password", "gw/token", "fresh/a/b", "list"] {
        file.remove(&path(at)).unwrap();
    }
    assert_eq!(names(&file), ["gw/pin", "gw/second", "top"]);
    let text = file.write(&project()).unwrap();
    assert!(text.contains("db: {}\n") && text.contains("fresh:\n    a: {}\n"), "{text}");
    let mut file = open("gw.yaml", &text, &alice);
    // What was emptied can be filled again.
    file.set(&path("db/password"), &secret("again")).unwrap();
    assert_eq!(
        shown(&open("gw.yaml", &file.write(&project()).unwrap(), &alice).get(&path("db/password")).unwrap()),
        "again"
    );
}

#[test]
fn paths_that_cannot_be_are_refused() {
    let alice = Person::new();
    let mut file = open("gw.yaml", &sample("gw.yaml", &[&alice]), &alice);
    assert_eq!(kind(file.set(&path("gw/pin/x"), &secret("1"))), FaultKind::Format);
    assert_eq!(kind(file.set(&path("gw"), &secret("1"))), FaultKind::Format);
    assert_eq!(kind(file.set(&path("sops/mac"), &secret("1"))), FaultKind::Format);
    assert_eq!(kind(file.set(&path("rempart_seal"), &secret("1"))), FaultKind::Format);
    assert_eq!(kind(file.get(&path("rempart_seal"))), FaultKind::Missing);
    assert_eq!(kind(file.get(&path("sops/mac"))), FaultKind::Missing);
    assert_eq!(kind(file.remove(&path("gw/none"))), FaultKind::Missing);
    let told = file.get(&path("gw/tokn")).unwrap_err().told;
    assert!(told.detail.as_deref().unwrap().contains("did you mean `gw/token`?"), "{told:?}");
    assert_eq!(kind(file.set_typed(&path("n"), rempart::store::Kind::Int, &secret("x"))), FaultKind::Format);
    assert!(!file.is_changed());
}

const EDITED: &str = "\
# the gateway
gw: # of the cluster
    # old password: hunter2
    token: first
    pin: \"42\"
db:
    password: |-
        three
        lines

        here
    port: 5432
hosts:
    - alpha
    - name: beta
      on: true
open_unencrypted: readable # not secret
# the end
";

fn edited(alice: &Person) -> String {
    let mut file = create("e.yaml", &[alice]);
    let edited = file.take_plain_text(EDITED).unwrap();
    assert_eq!(edited.added.len(), 8, "{edited:?}");
    file.write(&project()).unwrap()
}

#[test]
fn an_edited_file_is_encrypted_comments_included_and_comes_back_as_it_was() {
    let alice = Person::new();
    let text = edited(&alice);
    for hidden in ["first", "three", "hunter2", "gateway", "alpha", ": 5432"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert!(text.contains("open_unencrypted: readable"), "{text}");
    let file = open("e.yaml", &text, &alice);
    assert_eq!(*file.plain_text().unwrap(), EDITED);
    assert_eq!(shown(&file.get(&path("db/password")).unwrap()), "three\nlines\n\nhere");
    assert_eq!(shown(&file.get(&path("hosts/1/on")).unwrap()), "true");
}

#[test]
fn an_edit_keeps_the_ciphertext_of_what_it_did_not_touch() {
    let alice = Person::new();
    let before = edited(&alice);
    let mut file = open("e.yaml", &before, &alice);
    let plain = file.plain_text().unwrap();
    assert_eq!(file.take_plain_text(&plain).unwrap(), rempart::store::Edited::default());
    assert!(!file.is_changed());
    assert_eq!(file.write(&project()).unwrap(), before);

    let changed = plain.replace("token: first", "token: other").replace("    port: 5432\n", "") + "more: x\n";
    let what = file.take_plain_text(&changed).unwrap();
    assert_eq!(
        (what.added, what.changed, what.removed),
        (vec![path("more")], vec![path("gw/token")], vec![path("db/port")])
    );
    let (gone, new) = diff(&before, &file.write(&project()).unwrap());
    assert_eq!(without_time(gone), ["token", "port", "rempart_seal", "mac"]);
    assert_eq!(without_time(new), ["token", "more", "rempart_seal", "mac"]);
}

#[test]
fn what_cannot_be_taken_from_an_editor_is_told_without_repeating_it() {
    let alice = Person::new();
    let mut file = open("gw.yaml", &sample("gw.yaml", &[&alice]), &alice);
    for text in ["a: 1\nhunter2: 'x", "a: [hunter2]", "hunter2: &x 1", "- hunter2", "sops: hunter2", "a: hunter2\na: b"]
    {
        let fault = file.take_plain_text(text).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Format, "{text}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    }
    assert_eq!(file.paths().len(), 4);
}

#[test]
fn a_rekeyed_file_opens_for_the_new_ones_only() {
    let (alice, bob) = (Person::new(), Person::new());
    let before = edited(&alice);
    let mut file = open("e.yaml", &before, &alice);
    file.rekey(std::slice::from_ref(&bob.recipient), &nobody()).unwrap();
    let after = file.write(&project()).unwrap();
    assert_eq!(kind(lock("e.yaml", &after).open(&alice.ring())), FaultKind::WrongKey);
    assert_eq!(*open("e.yaml", &after, &bob).plain_text().unwrap(), EDITED);
    let same = |line: &&str| before.lines().any(|other| other == *line) && line.contains("ENC[");
    assert_eq!(after.lines().filter(same).count(), 0, "{after}");
}
