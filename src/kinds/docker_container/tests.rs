//! The kind against what docker 20.10 (bookworm) and 26.1 (trixie) said on real hosts, and against junk.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::kinds::tests::{drift, made, recorded};

fn drifts(name: &str, spoil: impl Fn(String) -> String) -> Vec<String> {
    let (batch, seen) = recorded::<DockerContainer>(name, spoil);
    batch.iter().zip(&seen).map(|(wanted, seen)| drift(wanted, seen)).collect()
}

#[test]
fn two_versions_of_docker_are_read_alike() {
    for name in ["changed", "newer"] {
        let seen = drifts(name, |text| text);
        assert_eq!(seen[0], "", "{name}: every field set, and none differs");
        assert_eq!(seen[1], "cap_add env env.A memory other ports security_opt volumes", "{name}");
        assert_eq!(seen[2], "network.internal", "{name}");
        assert_eq!(seen[3], "state", "{name}: what dies again and again does not run");
        assert_eq!(seen[4], "", "{name}");
        assert_eq!(seen[6..], ["Absent", "Absent"], "{name}");
    }
    assert_eq!(drifts("newer", |text| text)[5], "image", "the name stands for another image now");
}

#[test]
fn silence_is_unknown_and_a_missing_docker_is_not_yet() {
    assert!(drifts("no_docker", |text| text).iter().all(|seen| seen.starts_with("NotYet")));
    let down = drifts("daemon_down", |text| text);
    assert!(down.iter().all(|seen| seen.contains("Cannot connect")), "{down:?}");
    // What starts the daemon may stand in the same plan; but that something is gone, nobody can say.
    let (last, others) = down.split_last().unwrap();
    assert!(last.starts_with("Unknown") && others.iter().all(|seen| seen.starts_with("NotYet")), "{down:?}");
    let cut = |text: String| text[..text.len() * 3 / 4].to_owned();
    assert!(drifts("changed", cut).iter().all(|seen| seen.starts_with("Unknown")));
}

#[test]
fn a_garbled_answer_is_unknown_and_quotes_no_environment() {
    for (from, to) in [
        ("\"Id\":", "\"Idd\":"),
        ("\"Status\":\"running\"", "\"Status\":\"\""),
        ("\"NetworkMode\":", "\"x\":"),
        ("\"Mounts\":", "\"x\":"),
        ("OLLAMA_MODELS=/models\"", "OLLAMA_MODELS=/models"),
        ("{\"Id\":", "Id\":"),
    ] {
        let seen = drifts("changed", |text| text.replace(from, to));
        assert!(seen[0].starts_with("Unknown"), "{from}: {}", seen[0]);
        assert!(!seen[0].contains("OLLAMA"), "{from}: {}", seen[0]);
    }
    let garble = |text: String| {
        text.replace("\"RestartCount\":0", "\"RestartCount\":2").replace("\"StartedAt\":\"2", "\"StartedAt\":\"x")
    };
    assert!(drifts("newer", garble)[0].starts_with("Unknown"), "without a time nobody knows whether it stays up");
}

#[test]
fn values_have_one_form() {
    let amount = |text: &str| Amount::Text(text.into());
    assert_eq!(amount("16g").bytes(), Some(17_179_869_184));
    assert_eq!(amount("512M").bytes(), Some(536_870_912));
    assert_eq!(Amount::Whole(4096).bytes(), Some(4096));
    for wrong in ["", "g", "1.5g", "-1", "16x", "99999999999g"] {
        assert_eq!(amount(wrong).bytes(), None, "{wrong}");
    }
    assert_eq!(Amount::Fraction(1.5).billionths(), Some(1_500_000_000));
    assert_eq!(cpus_text(500_000_000), "0.5");
    assert_eq!(amount("1.1234567890").billionths(), None);
    assert_eq!(port("8080:80", false).as_deref(), Some("127.0.0.1:8080:80/tcp"));
    assert_eq!(port("8080:80/udp", true).as_deref(), Some("0.0.0.0:8080:80/udp"));
    assert_eq!(port("[::1]:8080:80", false).as_deref(), Some("[::1]:8080:80/tcp"));
    assert_eq!(port("80", false), None);
    assert_eq!(volume("/a:/b:rw").as_deref(), Some("/a:/b"));
    for wrong in ["/a", "/a:b", "../a:/b", "/a:/b:ro,z", "/a:/", "a:/b:ro:x"] {
        assert_eq!(volume(wrong), None, "{wrong}");
    }
    assert_eq!(limit("nofile=1024").as_deref(), Some("nofile=1024:1024"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for fields in [
        "ports: [\"8080:80\"]",
        "network: bridge, ports: [\"0.0.0.0:8080:80\"]",
        "network: \"--privileged\"",
        "memory: lots",
        "cpus: -1",
        "restart: sometimes",
        "state: stopped, restart: always",
        "security_opt: [\"seccomp=/etc/profile.json\"]",
        "env: { \"A B\": x }",
        "env: { A: !secret \"x\\ny\" }",
        "volumes: [\"models:/models:ro,z\"]",
    ] {
        let all = format!("{{ name: ollama, image: \"ollama:1\", {fields} }}");
        assert!(made::<DockerContainer>(&all).is_err(), "{fields}");
    }
    made::<DockerContainer>(
        "{ name: a1, image: x, network: bridge, ports: [\"0.0.0.0:1:2\"], publish_anywhere: true }",
    )
    .unwrap();
}

fn steps(wanted: &DockerContainer, changed: &[&str]) -> Step {
    let seen = Seen::Present(Fields::from([("id".to_owned(), FieldValue::text("f00"))]));
    let fields: Vec<String> = changed.iter().map(|field| (*field).to_owned()).collect();
    DockerContainer::steps(&[Change { position: 0, wanted, seen: &seen, fields: &fields }]).remove(0)
}

#[test]
fn only_what_docker_can_change_in_place_is_changed_in_place() {
    let wanted: DockerContainer = made("{ name: ollama, image: x, memory: 1g }").unwrap();
    assert_eq!(steps(&wanted, &["memory", "restart"]).title, "update container ollama in place (memory, restart)");
    assert_eq!(steps(&wanted, &["cpus"]).title, "replace container ollama (cpus)", "a limit is not lifted in place");
    assert_eq!(steps(&wanted, &["memory", "state"]).title, "replace container ollama (memory, state)");
    assert_eq!(steps(&wanted, &["state"]).title, "start container ollama");
}

#[test]
fn a_secret_is_in_no_script_and_no_title() {
    let wanted: DockerContainer =
        made("{ name: ollama, image: x, env: { TOKEN: !secret hunter2, A: !secret hunter3 } }").unwrap();
    let step = steps(&wanted, &["env.TOKEN"]);
    let shown = format!("{step:?}");
    assert!(!shown.contains("hunter") && step.script.text().contains("--env-file \"$P/0\""));
    assert!(step.payloads[0].is(b"A=hunter3\nTOKEN=hunter2\n"));
}

#[test]
fn secrets_are_sent_where_a_container_is_made_and_nowhere_else() {
    let made_as = |state: &str| -> DockerContainer {
        let text =
            format!("{{ name: ollama, image: x, memory: 1g, env: {{ TOKEN: !secret hunter2 }}, state: {state} }}");
        made(&text).unwrap()
    };
    let sent = |state: &str, changed: &[&str]| steps(&made_as(state), changed).payloads.len();
    assert_eq!(sent("running", &["image"]), 1);
    assert_eq!(sent("stopped", &["env.TOKEN", "state"]), 1);
    assert_eq!(sent("running", &[]), 1, "a new one");
    for (state, changed) in [("running", "state"), ("stopped", "state"), ("running", "memory"), ("absent", "state")] {
        assert_eq!(sent(state, &[changed]), 0, "{state} {changed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn hostile_words_reach_docker_as_they_are(words in proptest::collection::vec("[^\0]{0,20}", 1..4), label in "[^\0]{0,20}") {
        let mut wanted: DockerContainer = made("{ name: ollama, image: x }").unwrap();
        (wanted.command, wanted.healthcheck) = (words, Some(label.clone()));
        wanted.labels.insert("l".into(), label);
        // In the place of docker stands a function that prints what it was given.
        let script = format!("docker() {{ printf '%s\\0' \"$@\"; }}\n{}\nrp_new ollama", wanted.functions().text());
        let out = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let mut expected = vec!["create".to_owned(), "--name".into(), "ollama".into()];
        expected.extend(wanted.arguments());
        let expected: Vec<u8> = expected.iter().flat_map(|word| word.bytes().chain([0])).collect();
        prop_assert_eq!(out.stdout, expected);
    }
}
