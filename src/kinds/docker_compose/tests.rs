//! How services are judged, what is refused, and hostile values.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::kinds::tests::made;

fn judged(lines: &[&str]) -> Result<Vec<String>, String> {
    let lines: Vec<&str> = [&["begin"][..], lines, &["end"]].concat();
    match Services::read(&lines.join("\n")) {
        Ok(services) => Ok(services.trouble()),
        Err(ProbeError(why)) => Err(why),
    }
}

#[test]
fn services_are_judged_by_what_the_file_says() {
    let none: Vec<String> = Vec::new();
    assert_eq!(judged(&["want web a1", "is web running a1", "network app_default"]), Ok(none.clone()));
    assert_eq!(judged(&["want web a1", "is web running a1", "is web running a1"]), Ok(none));
    assert_eq!(judged(&["want web a1"]).unwrap(), ["web: missing"]);
    assert_eq!(judged(&["want web a1", "is web exited a1"]).unwrap(), ["web: exited"]);
    assert_eq!(judged(&["want web a1", "is web running b2"]).unwrap(), ["web: not as the file says"]);
    assert_eq!(judged(&["is old running b2"]).unwrap(), ["old: not in the file"]);
    for junk in ["is web running", "want web", "WARN something", "is  running a1", "is web running ", ""] {
        assert!(judged(&[junk]).is_err(), "{junk}");
    }
    for cut in ["", "begin", "begin\nwant web a1", "want web a1\nend", "end", "begin begin\nend"] {
        assert!(Services::read(cut).is_err(), "{cut}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for fields in [
        "name: App, directory: /srv/app, content: x",
        "name: -app, directory: /srv/app, content: x",
        "name: app, directory: srv/app, content: x",
        "name: app, directory: /srv, content: x",
        "name: app, directory: /srv/app",
        "name: app, directory: /srv/app, content: x, timeout: 0",
        "name: app, directory: /srv/app, content: x, env: { \"A B\": x }",
        "name: app, directory: /srv/app, content: x, env: { A: \"it's\" }",
        "name: app, directory: /srv/app, content: x, env: { A: \"a\\nb\" }",
        "name: app, directory: /srv/app, content: x, env: { A: 'a\\b' }",
    ] {
        assert!(made::<DockerCompose>(&format!("{{ {fields} }}")).is_err(), "{fields}");
    }
    made::<DockerCompose>("{ name: app, directory: /srv/app, state: absent }").unwrap();
}

fn step(wanted: &DockerCompose) -> Step {
    DockerCompose::steps(&[Change { position: 0, wanted, seen: &Seen::Absent, fields: &[] }]).remove(0)
}

#[test]
fn a_secret_is_in_no_script_and_no_title() {
    let wanted: DockerCompose =
        made("{ name: app, directory: /srv/app, content: \"services: {}\\n\", env: { A: !secret hunter2 } }").unwrap();
    let step = step(&wanted);
    assert!(!format!("{step:?}").contains("hunter2"));
    assert!(step.payloads[1].is(b"A='hunter2'\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,20}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let path = serde_json::to_string(&format!("/srv/{text}")).unwrap();
        let item = format!("{{ name: app, directory: {path}, content: x, env: {{ A: {quoted} }} }}");
        let Ok(wanted) = made::<DockerCompose>(&item) else { return Ok(()) };
        // What a shell makes of the line: exactly what is in the payload, whatever generation reads it.
        let line = step(&wanted).payloads.remove(1);
        let wanted_line = format!("A='{text}'\n");
        prop_assert!(line.is(wanted_line.as_bytes()));
        // In the place of the functions stand such that print what they were given.
        let all = step(&wanted).script.text().rsplit_once("\nrp_up ").map(|(_, rest)| rest.to_owned()).unwrap();
        let out = Command::new("sh").arg("-c").arg(format!("printf '%s\\0' {all}")).output().unwrap();
        let expected = format!("app\0/srv/{text}\0600\0");
        prop_assert_eq!(out.stdout, expected.into_bytes());
    }
}
