use proptest::prelude::*;

use super::*;
use crate::kinds::tests::load;
use crate::resource::SectionOutput;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ1d";

fn seen(item: &str, said: &str, status: i32) -> Seen {
    let wanted = load::<AuthorizedKey>(item).unwrap();
    let output = SectionOutput { status, stdout: said.into(), stderr: Vec::new() };
    let section = wanted.section();
    AuthorizedKey::parse(&[&wanted], &Answer::of_sections([(section.as_str(), output)])).remove(0)
}

fn said(text: &str) -> String {
    format!("keys\0/home/anna/.ssh/authorized_keys\0anna\0directory\x00700\0anna\0regular file\x00600\0anna\0{text}")
}

fn differing(item: &str, text: &str) -> String {
    crate::kinds::tests::drift(&load::<AuthorizedKey>(item).unwrap(), &seen(item, &said(text), 0))
}

#[test]
fn a_key_is_read_with_its_options() {
    let item = format!(
        "{{ user: anna, key: {KEY} anna, from: [10.0.0.0/8], command: 'a \"b\"', options: [no-pty, restrict] }}"
    );
    let line = load::<AuthorizedKey>(&item).unwrap().lines[0].text();
    assert_eq!(line, format!(r#"from="10.0.0.0/8",command="a \"b\"",no-pty,restrict {KEY} anna"#));
    assert_eq!(differing(&item, &format!("# x\n{OTHER}\n{line}\n")), "");
    assert_eq!(differing(&item, &format!(r#"restrict,no-pty,command="a \"b\"",from="10.0.0.0/8" {KEY} anna"#)), "");
    assert_eq!(differing(&item, &format!("{KEY} berta\n")), "command from key options");
    assert_eq!(differing(&format!("{{ user: anna, key: {KEY} }}"), &format!("{KEY} berta\n{KEY}\n")), "times");
    assert!(matches!(seen(&item, &said(OTHER), 0), Seen::Absent));
    assert!(matches!(seen(&item, "nobody\n", 0), Seen::NotYet { .. }));
}

#[test]
fn exactly_these_keys() {
    let item = format!("{{ user: anna, keys: ['{KEY} a', 'restrict {OTHER}'], exclusive: true }}");
    assert_eq!(differing(&item, &format!("# a comment\nrestrict {OTHER} x\n\n{KEY}\n")), "");
    assert_eq!(differing(&item, &format!("{OTHER}\n{KEY}\n")), "keys");
    assert_eq!(differing(&item, &format!("{KEY}\nrestrict {OTHER}\nno key\n")), "keys");
    let refused = |item: String| assert!(load::<AuthorizedKey>(&item).is_err(), "{item}");
    refused(format!("{{ user: anna, keys: ['{KEY}'] }}"));
    refused(format!("{{ user: anna, key: '{KEY}', exclusive: true }}"));
    refused(format!("{{ user: anna, keys: ['{KEY}', '{KEY} twice'], exclusive: true }}"));
    refused("{ user: admin, keys: [], exclusive: true }".into());
}

#[test]
fn no_answer_is_never_absence() {
    let item = format!("{{ user: anna, key: {KEY} }}");
    for (text, status) in [("", 0), ("nobody", 0), ("keys\0/x\0", 0), ("junk\n", 0), ("nobody\n", 3)] {
        assert!(matches!(seen(&item, text, status), Seen::Unknown(_)), "{text}");
    }
    assert!(matches!(seen(&item, &said("").replace("regular file", "symbolic link"), 0), Seen::Unknown(_)));
}

#[test]
fn the_login_is_foreseen() {
    let foresee = |item: &str, seen: &Seen| {
        let mut foreseen = Foreseen::default();
        load::<AuthorizedKey>(item).unwrap().foresee(seen, &mut foreseen);
        foreseen
    };
    assert!(foresee(&format!("{{ user: anna, key: {KEY} }}"), &Seen::Absent).is_empty());
    let item = format!("{{ user: admin, key: {KEY}, state: absent }}");
    let foreseen = foresee(&item, &seen(&item, &said(KEY), 0));
    assert!(
        foreseen.files.contains_key("~admin/.ssh/authorized_keys") && load::<AuthorizedKey>(&item).unwrap().is_risky()
    );
}

#[test]
fn what_sshd_would_refuse_is_refused() {
    for more in [
        "options: [nonsense]",
        "options: ['restrict=yes']",
        "options: ['from=x']",
        "command: 'x\\'",
        "from: ['a\"b']",
        "from: ['!10.0.0.1']",
        "mode: '0660'",
        "file: /srv/x",
        "options: [environment]",
    ] {
        assert!(load::<AuthorizedKey>(&format!("{{ user: anna, key: {KEY}, {more} }}")).is_err(), "{more}");
    }
    for key in ["ssh-dss AAAA", "x", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJt", "restrict ssh-ed25519 AAAA"] {
        assert!(load::<AuthorizedKey>(&format!("{{ user: anna, key: '{key}' }}")).is_err(), "{key}");
    }
}

proptest! {
    #[test]
    fn hostile_texts_are_refused_or_stay_in_their_line(text in "[^\0]{1,30}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let comment = serde_json::to_string(&format!("{KEY} {text}")).unwrap();
        for item in [
            format!("{{ user: anna, key: {KEY}, command: {quoted} }}"),
            format!("{{ user: anna, key: {comment} }}"),
        ] {
            let Ok(wanted) = load::<AuthorizedKey>(&item) else { continue };
            let content = wanted.text().as_plain().unwrap();
            prop_assert_eq!(content.lines().count(), 1);
            let read = AuthorizedLine::read(content.trim_end_matches('\n')).unwrap();
            prop_assert_eq!(&read.blob, &wanted.lines[0].blob);
            prop_assert_eq!(&read.options, &wanted.lines[0].options);
            prop_assert!(!wanted.step(&Seen::Absent).script.text().contains(&text) || text.len() < 4);
        }
    }
}
