//! Keys of every kind: what opens a file, and the one line that is said if nothing does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use age::secrecy::SecretString;
use rempart::store::Fault;

use super::*;

/// Somebody who gives one passphrase, or none, and counts the questions.
struct Answers(Option<&'static str>, AtomicUsize);

impl Ask for Answers {
    fn passphrase(&self, _: &str) -> Option<Secret> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.map(|phrase| Secret::new("passphrase", phrase))
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn choice(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn show(&self, _: &str) {}
}

fn answers(phrase: Option<&'static str>) -> Arc<Answers> {
    Arc::new(Answers(phrase, AtomicUsize::new(0)))
}

fn sealed_for(recipients: &[Recipient]) -> String {
    let mut file = Unlocked::create("k.yaml", recipients, &Selection::default(), &nobody()).unwrap();
    file.set(&path("token"), &secret("hunter2")).unwrap();
    file.write(&project()).unwrap()
}

fn token(text: &str, ring: &Keyring) -> Result<String, Fault> {
    lock("k.yaml", text).open(ring)?.get(&path("token")).map(|secret| shown(&secret))
}

/// One line for a person: what, and what to do; nothing of a key in it.
fn readable(fault: &Fault, wanted: FaultKind, says: &str) {
    assert_eq!(fault.kind, wanted, "{:?}", fault.told);
    let detail = fault.told.detail.as_deref().unwrap();
    assert!(detail.contains(says), "{detail:?} does not say {says:?}");
    assert!(!detail.contains('\n') && !fault.told.summary.contains('\n'), "{detail:?}");
    assert!(fault.told.fix.is_some());
    // What stands behind the prefix is the key.
    let said = format!("{fault:?}");
    let key = said.split("AGE-SECRET-KEY-1").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    assert!(!key, "{said}");
}

fn ssh_key(folder: &Path, kind: &str, phrase: &str) -> (PathBuf, Recipient) {
    let path = folder.join(format!("id_{kind}_{}", phrase.len()));
    let bits: &[&str] = if kind == "rsa" { &["-b", "2048"] } else { &[] };
    let done = Command::new("ssh-keygen")
        .args(["-q", "-a", "1", "-t", kind, "-N", phrase, "-C", "a comment", "-f"])
        .arg(&path)
        .args(bits)
        .status();
    assert!(done.unwrap().success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, Recipient::parse(&public).unwrap())
}

#[test]
fn no_key_and_a_wrong_key_are_told_apart() {
    let (alice, eve) = (Person::new(), Person::new());
    let text = sealed_for(std::slice::from_ref(&alice.recipient));
    let none = Keyring::gather(&Sources::default(), nobody());
    assert!(none.is_empty());
    readable(&token(&text, &none).unwrap_err(), FaultKind::NoKey, "SOPS_AGE_KEY_FILE");
    let fault = token(&text, &eve.ring()).unwrap_err();
    readable(&fault, FaultKind::WrongKey, "(SOPS_AGE_KEY)");
    assert_eq!(token(&text, &alice.ring()).unwrap(), "hunter2");
    // What can be said without a key.
    let locked = lock("k.yaml", &text);
    assert_eq!(locked.paths()[0].to_string(), "token");
    assert_eq!(locked.recipients(), [alice.recipient.to_string()]);
}

#[test]
fn keys_are_found_where_sops_looks() {
    let alice = Person::new();
    let text = sealed_for(std::slice::from_ref(&alice.recipient));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    fs::write(&file, format!("# mine\n\n{}\n", alice.identity)).unwrap();
    let config = folder.path().join("config");
    fs::create_dir_all(config.join("sops/age")).unwrap();
    fs::copy(&file, config.join("sops/age/keys.txt")).unwrap();
    let command = format!("cat '{}'", file.display());
    for sources in [
        Sources { key: Some(Secret::new("k", alice.identity.clone())), ..Sources::default() },
        Sources { key_file: Some(file.clone()), ..Sources::default() },
        Sources { key_command: Some(command), ..Sources::default() },
        Sources { config: Some(config), ..Sources::default() },
    ] {
        assert_eq!(token(&text, &Keyring::gather(&sources, nobody())).unwrap(), "hunter2");
    }
}

#[test]
fn what_was_named_and_cannot_be_used_is_told() {
    let alice = Person::new();
    let text = sealed_for(std::slice::from_ref(&alice.recipient));
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.txt");
    fs::write(&bad, format!("{}\nage1abc\n", alice.identity)).unwrap();
    let gone = folder.path().join("none.txt");
    for (sources, says) in [
        (Sources { key_file: Some(bad.clone()), ..Sources::default() }, "line 2 is a public key"),
        (Sources { key_file: Some(gone.clone()), ..Sources::default() }, "none.txt"),
        (Sources { key_command: Some("false".into()), ..Sources::default() }, "`false`"),
        (
            Sources { key_command: Some("rempart-no-such-program x".into()), ..Sources::default() },
            "rempart-no-such-program",
        ),
        (Sources { ssh_key_file: Some(bad.clone()), ..Sources::default() }, "line 2"),
    ] {
        let ring = Keyring::gather(&sources, nobody());
        assert!(!ring.is_empty());
        readable(&token(&text, &ring).unwrap_err(), FaultKind::Identity, says);
    }
    // With another key that opens it, it does not matter.
    let sources =
        Sources { key_file: Some(gone), key: Some(Secret::new("k", alice.identity.clone())), ..Sources::default() };
    assert_eq!(token(&text, &Keyring::gather(&sources, nobody())).unwrap(), "hunter2");
}

#[test]
fn ssh_keys_open_with_and_without_a_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["ed25519", "rsa"] {
        let (plain, recipient) = ssh_key(folder.path(), kind, "");
        let (protected, protected_recipient) = ssh_key(folder.path(), kind, "correct horse");
        let text = sealed_for(&[Person::new().recipient, protected_recipient.clone(), recipient]);
        let ring = |file: &Path, ask: Arc<dyn Ask>| {
            Keyring::gather(&Sources { ssh_key_file: Some(file.to_owned()), ..Sources::default() }, ask)
        };
        assert_eq!(token(&text, &ring(&plain, nobody())).unwrap(), "hunter2", "{kind}");
        let person = answers(Some("correct horse"));
        let held = ring(&protected, person.clone());
        assert_eq!(token(&text, &held).unwrap(), "hunter2", "{kind}");
        assert_eq!(token(&text, &held).unwrap(), "hunter2", "{kind}");
        assert_eq!(person.1.load(Ordering::SeqCst), 1, "asked once");
        let wrong = token(&text, &ring(&protected, answers(Some("battery staple")))).unwrap_err();
        readable(&wrong, FaultKind::WrongPassphrase, "id_");
        readable(&token(&text, &ring(&protected, nobody())).unwrap_err(), FaultKind::NoPassphrase, "nobody is there");
        // Who is no recipient is not asked.
        let elsewhere = sealed_for(&[Person::new().recipient]);
        let person = answers(Some("correct horse"));
        let fault = token(&elsewhere, &ring(&protected, person.clone())).unwrap_err();
        readable(&fault, FaultKind::WrongKey, "ssh-");
        assert_eq!(person.1.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn default_ssh_keys_are_looked_for_at_home() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    let (key, recipient) = ssh_key(home.path(), "ed25519", "");
    fs::rename(key, home.path().join(".ssh/id_ed25519")).unwrap();
    // One that cannot be used and that nobody named is passed over.
    fs::write(home.path().join(".ssh/id_rsa"), "-----BEGIN RSA PRIVATE KEY-----\nno\n").unwrap();
    let ring = Keyring::gather(&Sources { home: Some(home.path().to_owned()), ..Sources::default() }, nobody());
    assert_eq!(token(&sealed_for(&[recipient]), &ring).unwrap(), "hunter2");
    fs::remove_file(home.path().join(".ssh/id_ed25519")).unwrap();
    let ring = Keyring::gather(&Sources { home: Some(home.path().to_owned()), ..Sources::default() }, nobody());
    assert!(ring.is_empty());
    readable(
        &token(&sealed_for(&[Person::new().recipient]), &ring).unwrap_err(),
        FaultKind::NoKey,
        "id_rsa (it cannot",
    );
}

#[test]
fn a_file_of_keys_with_a_passphrase_opens() {
    let alice = Person::new();
    let text = sealed_for(std::slice::from_ref(&alice.recipient));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.age");
    let mut phrase = age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
    phrase.set_work_factor(4);
    fs::write(&file, age::encrypt_and_armor(&phrase, format!("{}\n", alice.identity).as_bytes()).unwrap()).unwrap();
    let ring =
        |ask: Arc<dyn Ask>| Keyring::gather(&Sources { key_file: Some(file.clone()), ..Sources::default() }, ask);
    assert_eq!(token(&text, &ring(answers(Some("correct horse")))).unwrap(), "hunter2");
    readable(&token(&text, &ring(answers(Some("x")))).unwrap_err(), FaultKind::WrongPassphrase, "keys.age");
    readable(&token(&text, &ring(nobody())).unwrap_err(), FaultKind::NoPassphrase, "keys.age");
    let other = sealed_for(&[Person::new().recipient]);
    assert_eq!(token(&other, &ring(answers(Some("correct horse")))).unwrap_err().kind, FaultKind::WrongKey);
}

/// A plugin that turns the key around and is no protection at all; `FAKE_FAILS` makes it fail like a key that is not plugged in.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, os, sys
def enc(data):
    text = base64.b64encode(data).decode().rstrip("=")
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return "\n".join(lines + ([""] if len(text) % 64 == 0 else [])) + "\n"
def dec(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))
def read():
    head = sys.stdin.readline().split()
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return head[1:], dec(body)
def send(words, data=b""):
    sys.stdout.write("-> " + " ".join(words) + "\n" + enc(data))
    sys.stdout.flush()
mode, got = sys.argv[1].split("=")[1], []
while True:
    words, body = read()
    if words[0] == "done":
        break
    got.append((words, body))
if os.environ.get("FAKE_FAILS") == "dies":
    sys.exit(3)
if os.environ.get("FAKE_FAILS"):
    send(["error", "identity" if mode.startswith("identity") else "recipient", "0"], b"please insert the key")
    read()
elif mode == "recipient-v1":
    key = next(body for words, body in got if words[0] == "wrap-file-key")
    send(["recipient-stanza", "0", "fake", "x"], key[::-1])
    read()
else:
    for words, body in got:
        if words[0] == "recipient-stanza" and words[2] == "fake":
            send(["file-key", words[1]], body[::-1])
            read()
            break
send(["done"])
"#;
const PLUGIN_RECIPIENT: &str = "age1fake1w3hhjgrtv4us5pgf4x";
const PLUGIN_IDENTITY: &str = "AGE-PLUGIN-FAKE-1W3HHJGRTV4USPLS5M8";

/// Runs a test of this file again with another environment, which a process cannot change for itself here.
fn again(test: &str, set: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .envs(set.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn a_plugin_opens_a_file_and_its_failures_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("age-plugin-fake");
    fs::write(&plugin, PLUGIN).unwrap();
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    again("keys::inside::plugin_works", &[("PATH", &path), ("FAKE_FILE", folder.path().join("f").to_str().unwrap())]);
    for (how, says) in [("yes", "please insert the key"), ("dies", "age-plugin-fake")] {
        let set = [("PATH", path.as_str()), ("FAKE_FAILS", how), ("FAKE_SAYS", says)];
        again(
            "keys::inside::plugin_fails",
            &[set.as_slice(), &[("FAKE_FILE", folder.path().join("f").to_str().unwrap())]].concat(),
        );
    }
    let fault =
        Unlocked::create("k.yaml", &[Recipient::parse(PLUGIN_RECIPIENT).unwrap()], &Selection::default(), &nobody());
    readable(&fault.unwrap_err(), FaultKind::Plugin, "age-plugin-fake is not in PATH");
}

#[test]
fn the_environment_names_the_sources() {
    let alice = Person::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), sealed_for(std::slice::from_ref(&alice.recipient))).unwrap();
    let file = folder.path().join("f");
    again(
        "keys::inside::environment",
        &[("SOPS_AGE_KEY", alice.identity.as_str()), ("FAKE_FILE", file.to_str().unwrap()), ("HOME", "/nonexistent")],
    );
}

/// What `again` runs, in an environment of its own.
mod inside {
    use super::*;

    fn file() -> PathBuf {
        std::env::var_os("FAKE_FILE").map(PathBuf::from).unwrap()
    }

    #[test]
    #[ignore = "run by another test, with a plugin in PATH"]
    fn plugin_works() {
        let recipient = Recipient::parse(PLUGIN_RECIPIENT).unwrap();
        assert_eq!(recipient.plugin(), Some("fake"));
        let text = sealed_for(&[Person::new().recipient, recipient]);
        assert_eq!(token(&text, &ring(PLUGIN_IDENTITY)).unwrap(), "hunter2");
        fs::write(file(), text).unwrap();
    }

    #[test]
    #[ignore = "run by another test, with a plugin in PATH that fails"]
    fn plugin_fails() {
        let text = fs::read_to_string(file()).unwrap();
        let says = std::env::var("FAKE_SAYS").unwrap();
        readable(&token(&text, &ring(PLUGIN_IDENTITY)).unwrap_err(), FaultKind::Plugin, &says);
    }

    #[test]
    #[ignore = "run by another test, with SOPS_AGE_KEY set"]
    fn environment() {
        let ring = Keyring::gather(&Sources::from_env(), nobody());
        assert_eq!(token(&fs::read_to_string(file()).unwrap(), &ring).unwrap(), "hunter2");
    }
}
