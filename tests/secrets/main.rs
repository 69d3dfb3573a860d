//! The store of secrets from the command line: made, filled, edited, read by templates, handed to others and taken away.
//!
//! No host is needed. What SOPS itself makes of the files is tested in tests/secret_store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod around;
mod drafts;
mod past;
mod project;
mod readers;
mod remembered;
#[path = "../said/mod.rs"]
mod said;
mod store_verbs;
mod templates;
mod trust;

use project::Project;

#[test]
fn a_secret_goes_in_and_comes_out_to_the_byte_and_is_nowhere_in_between() {
    let project = Project::with_store();
    for (name, value) in [
        ("gw/token", "hunter2-CANARY"),
        ("tls/key", "-----BEGIN-----\nhunter2-CANARY\n-----END-----\n"),
        ("prod/db/password", "a'b\"c$(id)\\ : # hunter2-CANARY"),
        ("odd/number", "007"),
        ("odd/yes", "yes"),
    ] {
        project.piped(&["secrets", "set", name], value).ends(0);
        assert_eq!(project.run(&["secrets", "get", name]).ends(0).out, value, "{name}");
    }
    // The newline of `echo` is no part of it.
    project.piped(&["secrets", "set", "gw/echoed"], "word\n").ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/echoed"]).out, "word");
    let said = project.piped(&["secrets", "set", "gw/echoed"], "word\n").ends(0);
    assert!(said.err.contains("nothing was written"), "{said}");
    let drawn = project.run(&["secrets", "set", "gw/drawn", "--generate", "32"]).ends(0);
    let value = project.run(&["secrets", "get", "gw/drawn"]).out;
    assert_eq!(value.len(), 43);
    assert!(!drawn.text().contains(&value));
    assert!(value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "not URL-safe: {value}");
    for file in project.files() {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("hunter2") && !text.contains(&value), "{}: {text}", file.display());
    }
    let listed = project.run(&["secrets", "list"]).ends(0);
    for name in ["gw/token", "tls/key", "prod/db/password", "gw/drawn", "odd/yes"] {
        assert!(listed.out.contains(name), "{listed}");
    }
    assert!(!listed.out.contains("seal") && !listed.out.contains("project_key"), "{listed}");
    // No key is needed for names.
    let json = project.without_key(&["secrets", "list", "--json"]).ends(0).json();
    assert_eq!(json["files"].as_array().unwrap().len(), 5);
    project.run(&["secrets", "check"]).ends(0);
}

#[test]
fn every_wrong_use_is_one_readable_message() {
    let project = Project::new();
    for (args, code, words) in [
        (vec!["secrets", "list"], 65, vec!["there is no secret store", "rempart secrets init"]),
        (vec!["secrets", "get", "gw/token"], 65, vec!["there is no secret store"]),
    ] {
        let ran = project.run(&args).ends(code);
        words.iter().for_each(|word| assert!(ran.err.contains(word), "{args:?}: {ran}"));
    }
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2-CANARY").ends(0);
    for (args, code, words) in [
        (vec!["secrets", "get", "gw/tokn"], 65, vec!["no such secret", "did you mean `gw/token`?"]),
        (vec!["secrets", "get", "gw"], 65, vec!["no such secret"]),
        (vec!["secrets", "get", "rempart/project_key"], 65, vec!["no such secret"]),
        (vec!["secrets", "get", "gw/rempart_seal"], 65, vec!["no such secret"]),
        (vec!["secrets", "set", "token", "--generate", "32"], 65, vec!["names no file", "gw/token"]),
        (vec!["secrets", "set", "rempart/x", "--generate", "32"], 65, vec!["kept for the store itself"]),
        (vec!["secrets", "set", "gw/rempart_seal", "--generate", "32"], 65, vec!["kept for the file itself"]),
        (vec!["secrets", "set", "gw/token/deeper", "--generate", "32"], 65, vec!["a secret inside of a secret"]),
        (vec!["secrets", "set", "gw/x", "--generate", "4"], 64, vec!["8..=1024"]),
        (vec!["secrets", "set", "gw/x", "--file", "none"], 65, vec!["cannot read a secret", "none"]),
        (vec!["secrets", "edit", "../outside"], 65, vec!["outside"]),
        (vec!["secrets", "set", "../outside/x", "--generate", "32"], 65, vec!["outside"]),
    ] {
        let ran = project.run(&args).ends(code);
        words.iter().for_each(|word| assert!(ran.err.contains(word), "{args:?}: {ran}"));
        assert!(!ran.text().contains("hunter2"), "{ran}");
    }
    let empty = project.piped(&["secrets", "set", "gw/x"], "").ends(64);
    assert!(empty.err.contains("an empty secret"), "{empty}");
    let none = project.without_key(&["secrets", "get", "gw/token"]).ends(1);
    assert!(none.err.contains("there is no key"), "{none}");
    let other = project.with_other_key(&["secrets", "get", "gw/token"]).ends(1);
    assert!(other.err.contains("none of your keys opens it"), "{other}");
    assert!(!project.folder().parent().unwrap().join("outside.yaml").exists());
}

#[test]
fn an_editor_sees_plain_text_and_only_what_it_changed_is_new() {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    project.piped(&["secrets", "set", "gw/other"], "stays-as-it-is").ends(0);
    let before = project.read("secrets/gw.yaml");
    let said = project
        .edit(
            "gw",
            "grep -q 'token: hunter2' \"$1\" && sed -i 's/hunter2/changed/' \"$1\" && ls -ld \"$1\" \"${1%/*}\" > seen",
        )
        .ends(0);
    assert!(said.err.contains("gw/token: changed") && !said.err.contains("gw/other"), "{said}");
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).out, "changed");
    let seen = project.read("seen");
    assert!(seen.contains("-rw-------") && seen.contains("drwx------"), "{seen}");
    let path = seen.split_whitespace().find(|word| word.starts_with('/')).unwrap();
    assert!(!std::path::Path::new(path).exists(), "the plain text is still there: {path}");
    let after = project.read("secrets/gw.yaml");
    let kept = |text: &str| text.lines().find(|line| line.starts_with("other:")).unwrap().to_owned();
    assert_eq!(kept(&before), kept(&after), "an unchanged value has another ciphertext");
    // Nothing changed, nothing written; a failed editor writes nothing; text that cannot be taken writes nothing.
    let same = project.edit("gw", "true").ends(0);
    assert!(same.err.contains("nothing was written"), "{same}");
    project.edit("gw", "echo token: x > \"$1\"; exit 3").ends(1);
    project.edit("gw", "printf 'a: [\\n' > \"$1\"").ends(5);
    assert_eq!(project.read("secrets/gw.yaml"), after);
    project.edit("fresh", "echo 'word: made here' > \"$1\"").ends(0);
    assert_eq!(project.run(&["secrets", "get", "fresh/word"]).out, "made here");
}

#[test]
fn what_was_tampered_with_is_refused_and_named() {
    let project = Project::with_store();
    for name in ["gw/token", "gw/other", "db/token"] {
        project.piped(&["secrets", "set", name], &format!("value of {name}")).ends(0);
    }
    let whole = project.read("secrets/gw.yaml");
    let line = |text: &str, key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    let (token, other) = (line(&whole, "token:"), line(&whole, "other:"));
    let foreign = line(&project.read("secrets/db.yaml"), "token:");
    let flipped = {
        let at = token.find("data:").unwrap() + 5;
        let byte = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        format!("{}{byte}{}", &token[..at], &token[at + 1..])
    };
    let swapped = whole
        .replace(&token, "@")
        .replace(&other, &format!("other:{}", token.strip_prefix("token:").unwrap()))
        .replace('@', &format!("token:{}", other.strip_prefix("other:").unwrap()));
    for (text, words) in [
        (whole.replace(&token, &flipped), "a value was changed"),
        (whole.replace(&token, &foreign), "a value of another file"),
        (swapped, "a value stands under a wrong key"),
        (whole.replace(&format!("{other}\n"), ""), "MAC does not fit"),
        (whole.replace(&token, "token: plain"), "a secret that is not encrypted"),
        (whole.replace("_unencrypted", "_x"), "not those that were sealed"),
    ] {
        project.write("secrets/gw.yaml", &text);
        let told = project.run(&["secrets", "get", "gw/token"]);
        assert!(told.code != 0 && told.err.contains(words), "not {words:?}: {told}");
        let checked = project.run(&["secrets", "check"]).ends(1);
        assert!(checked.err.contains(words), "{checked}");
        // It is not written over, either.
        let set = project.run(&["secrets", "set", "gw/new", "--generate", "16"]);
        assert!(set.code != 0 && project.read("secrets/gw.yaml") == text, "{set}");
    }
    // A whole file that was made for the same recipients by somebody who does not know the project key.
    let stranger = Project::with_store_of(&project);
    stranger.piped(&["secrets", "set", "gw/token"], "value of a stranger").ends(0);
    project.write("secrets/gw.yaml", &stranger.read("secrets/gw.yaml"));
    let told = project.run(&["secrets", "get", "gw/token"]).ends(5);
    assert!(told.err.contains("another project key"), "{told}");
    // Somebody looks at it and takes it.
    project.run(&["secrets", "seal", "gw"]).ends(5);
    project.run(&["secrets", "seal", "gw", "--yes"]).ends(0);
    assert_eq!(project.run(&["secrets", "get", "gw/token"]).ends(0).out, "value of a stranger");
    project.run(&["secrets", "check"]).ends(0);
}
