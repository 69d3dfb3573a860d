//! What pins an image, what is refused, and hostile values.

use std::process::Command;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::kinds::tests::{drift, made};
use crate::transport::Output;

const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn wanted(more: &str) -> Result<DockerImage, String> {
    made(&more.replace("SUM", SUM))
}

// What a host says: docker, and what stands at the record and at the mark of a try.
fn seen(wanted: &DockerImage, image: &str, complaint: &str, record: Option<&str>, torn: bool) -> Seen {
    let mut script = ProbeScript::default();
    DockerImage::probe(&[wanted], &mut script);
    let question = script.finish("nonce", std::time::Duration::from_secs(60));
    let path = wanted.record();
    let mut out = "\nnonce b stat/0\n".to_owned();
    let stat = |path: &str| {
        format!(
            "{path}\0regular file\x00600\0root\0root\x000\x000\x005\x007\x001700000000.000000000\x001700000000.000000000\0"
        )
    };
    let gone = |path: &str| format!("stat: cannot statx '{path}': No such file or directory\n");
    let mut err = "\nnonce b stat/0\n".to_owned();
    for (path, is) in [(path.clone(), record.is_some()), (format!("{path}.try"), torn)] {
        if is { out += &stat(&path) } else { err += &gone(&path) }
    }
    out += &format!("\nnonce e stat/0 {}\n", u8::from(record.is_none() || !torn));
    out +=
        &format!("\nnonce b content/0\n{}\nnonce e content/0 {}\n", record.unwrap_or(""), u8::from(record.is_none()));
    out += &format!("\nnonce b s/0\n{image}\nnonce e s/0 {}\n", u8::from(image.is_empty()));
    err += &format!("\nnonce b content/0\n\nnonce b s/0\n{complaint}\n");
    let output = Output { status: 0, stdout: out.into_bytes(), stderr: err.into_bytes() };
    match Answer::read(&question, &output) {
        Ok(answer) => DockerImage::parse(&[wanted], &answer).remove(0),
        Err(ProbeError(why)) => Seen::Unknown(why),
    }
}

#[test]
fn an_image_is_what_the_record_says_came_of_its_pin() {
    let wanted = wanted("{ name: \"a/b:1\", archive: /srv/a.tar, sha256: SUM }").unwrap();
    let id = format!("sha256:{SUM}");
    let image = json!({ "Id": id }).to_string() + "\n";
    let record = format!("{id}\nloaded from {id}\n");
    let look = |image: &str, record: Option<&str>, torn| seen(&wanted, image, "", record, torn);
    assert_eq!(drift(&wanted, &look(&image, Some(&record), false)), "");
    assert_eq!(drift(&wanted, &look(&image, None, false)), "pin", "nobody knows what it came of");
    assert_eq!(drift(&wanted, &look(&image, Some(&record), true)), "interrupted");
    assert_eq!(drift(&wanted, &look(&image.replace("e3b0", "0000"), Some(&record), false)), "pin", "another one");
    assert_eq!(drift(&wanted, &look(&image, Some("junk"), false)), "pin");
    for junk in ["{}\n", "{\"Id\":\"x\"}\n", "<html>\n", "\n"] {
        assert!(matches!(look(junk, Some(&record), false), Seen::Unknown(_)), "{junk}");
    }
    let none = seen(&wanted, "", "Error: No such image: a/b:1", None, false);
    assert!(matches!(none, Seen::Absent), "{none:?}");
    let gone = made::<DockerImage>("{ name: \"a/b:1\", state: absent }").unwrap();
    assert_eq!(gone.record(), wanted.record());
}

#[test]
fn what_is_not_pinned_or_comes_from_nowhere_is_refused() {
    for fields in [
        "name: a, archive: /a, sha256: SUM",
        "name: \"A:1\", archive: /a, sha256: SUM",
        "name: \"a:1\"",
        "name: \"a:1\", archive: /a",
        "name: \"a:1\", archive: a, sha256: SUM",
        "name: \"a:1\", archive: /a, sha256: x",
        "name: \"a:1\", archive: /a, pull: \"a@sha256:SUM\", sha256: SUM",
        "name: \"a:1\", pull: \"a:1\"",
        "name: \"a:1\", pull: \"a@sha256:1\"",
        "name: \"a:1\", pull: \"--x@sha256:SUM\"",
        "name: \"a:1\", pull: \"a@sha256:SUM\", sha256: SUM",
        "name: \"a:1\", archive: /a, format: rootfs, id: \"sha256:SUM\"",
        "name: \"a:1\", archive: /a, sha256: SUM, id: SUM",
        "name: \"a:1\", archive: /a, sha256: SUM, changes: [CMD x]",
        "name: \"a:1\", archive: /a, format: rootfs, sha256: SUM, changes: [\"CMD x\\nCMD y\"]",
        "name: \"rempart-new:1\", archive: /a, sha256: SUM",
        "name: \"a:1\", archive: /a, sha256: SUM, timeout: 0",
    ] {
        assert!(wanted(&format!("{{ {fields} }}")).is_err(), "{fields}");
    }
    for fields in [
        "name: \"h:5000/a/b_c:1.0-x\", pull: \"h:5000/a/b@sha256:SUM\"",
        "name: \"a:1\", archive: /a, id: \"sha256:SUM\"",
        "name: \"a:1\", state: absent",
    ] {
        wanted(&format!("{{ {fields} }}")).unwrap();
    }
}

fn script(wanted: &DockerImage) -> String {
    let step = DockerImage::steps(&[Change { position: 0, wanted, seen: &Seen::Absent, fields: &[] }]).remove(0);
    step.script.text().to_owned()
}

#[test]
fn its_name_comes_last() {
    let text = script(&wanted("{ name: \"a:1\", archive: /a, sha256: SUM }").unwrap());
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}"));
    let order = [
        "\n  rp_bring \"$4\"",
        "\n  sync\n  docker tag \"$rp_is\" \"$1\"",
        "mv -T -- \"$2.new\" \"$2\"",
        "rm -f -- \"$2.try\"\n  sync",
    ];
    assert!(order.windows(2).all(|pair| at(pair[0]) < text.rfind(pair[1]).unwrap()), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_hostile_value_is_refused_or_one_word(text in "[^\0]{1,20}") {
        let quoted = serde_json::to_string(&text).unwrap();
        for field in ["name", "pull", "id", "sha256"] {
            let mut all = vec![("name", "\"a:1\""), ("archive", "/a"), ("sha256", SUM)];
            all.retain(|(known, _)| *known != field);
            let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let item = format!("{{ {}, {field}: {quoted} }}", all.join(", "));
            prop_assert!(made::<DockerImage>(&item).is_err(), "{}", item);
        }
        let path = serde_json::to_string(&format!("/{text}")).unwrap();
        let item = format!("{{ name: \"a:1\", archive: {path}, format: rootfs, sha256: {SUM}, changes: [{quoted}] }}");
        let Ok(wanted) = made::<DockerImage>(&item) else { return Ok(()) };
        // In the place of docker stands a function that prints what it was given.
        let (functions, _) = script(&wanted).rsplit_once("\nrp_image ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let functions = functions.replace("\nrp_sound /", "\n: /").replace("\nrp_sound '/", "\n: '/");
        let all = format!("docker() {{ printf '%s\\0' \"$@\" >&3; }}\nexec 3>&1\n{functions}\nrp_bring first");
        let out = Command::new("sh").arg("-c").arg(all).output().unwrap();
        let archive = wanted.archive.clone().unwrap();
        let words = ["import".to_owned(), format!("--change={text}"), archive, "first".to_owned()];
        let expected: Vec<u8> = words.into_iter().flat_map(|word| word.into_bytes().into_iter().chain([0])).collect();
        prop_assert_eq!(out.stdout, expected);
    }
}
