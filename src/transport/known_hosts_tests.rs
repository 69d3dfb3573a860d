//! Owns the tests of `known_hosts` and `host_keys`.

use std::fs;

use proptest::prelude::*;

use super::super::first_contact::Contact;
use super::super::host_keys::{Known, Standing};
use super::super::route::Route;
use super::*;
use crate::transport::Target;

const ED: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJjklMqTTmqOKuYQhZQHcDCLo0pE9ah7bw0lZQoYUfbd";
const ED2: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIMkwYzLWVyXGGrEmpLjA7xA0cqPfKz8KZtEc1VT1Zv2l";

fn key(base64: &str) -> HostKey {
    HostKey::from_blob(BASE64.decode(base64).unwrap()).unwrap()
}

fn rsa() -> HostKey {
    let mut blob = vec![0, 0, 0, 7];
    blob.extend_from_slice(b"ssh-rsa and the rest of it");
    HostKey::from_blob(blob).unwrap()
}

fn known(text: &str, address: &str, port: u16, pinned: &[&str]) -> Result<Known, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known");
    fs::write(&file, text).unwrap();
    let pinned: Vec<String> = pinned.iter().map(|pin| (*pin).to_owned()).collect();
    let target = Target {
        port: Some(port),
        known_hosts: vec![file],
        host_key_fingerprints: pinned,
        ssh_config: Some("".into()),
        ..Target::bare("web", address)
    };
    Known::read(&Route::of(&target).unwrap())
}

fn judge(text: &str, address: &str, port: u16) -> Result<(), String> {
    known(text, address, port, &[]).unwrap().judge(&key(ED))
}

#[test]
fn plain_wildcard_negated_and_port_patterns() {
    let ok = |hosts: &str, address: &str, port| judge(&format!("{hosts} ssh-ed25519 {ED} c\n"), address, port).is_ok();
    assert!(
        ok("web", "web", 22) && ok("a,web", "WEB", 22) && ok("*.lan", "web.lan", 22) && ok("[web]:2222", "web", 2222)
    );
    assert!(ok("web", "web", 2222), "a line without a port vouches for another port, as in OpenSSH");
    let both = format!("web ssh-ed25519 {ED}\n[web]:2222 ssh-ed25519 {ED2}\n");
    assert!(judge(&both, "web", 2222).unwrap_err().contains("HAS CHANGED"), "what its own name says has the last word");
    assert!(!ok("*,!web", "web", 22) && !ok("[web]:2222", "web", 22) && !ok("web", "web2", 22));
}

#[test]
fn hashed_names_as_ssh_keygen_makes_them() {
    // ssh-keygen -H over "web ssh-ed25519 ..." and "[web]:2222 ssh-ed25519 ...", made by `remember` and read back here;
    // tests/ssh.rs compares with the real ssh-keygen -F.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/known");
    remember(&file, "[web]:2222", &[key(ED)], true).unwrap();
    fs::write(&file, fs::read_to_string(&file).unwrap().trim_end()).unwrap();
    remember(&file, "web", &[key(ED2)], false).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("|1|") && text.lines().count() == 2, "{text}");
    assert!(judge(&text, "web", 2222).is_ok());
    assert!(judge(&text, "web", 22).unwrap_err().contains("HAS CHANGED"));
    assert!(remember(&file, "a b", &[key(ED)], false).is_err());
}

#[test]
fn a_replaced_key_takes_the_old_lines_along_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("known"), folder.path().join("link"));
    remember(&file, "web", &[key(ED2)], true).unwrap();
    let hashed = fs::read_to_string(&file).unwrap();
    let others = format!(
        "# mine\ndb,WEB,192.0.2.9 ssh-ed25519 {ED2} c\n@revoked web ssh-rsa {}\nsi\u{e9}ge x\n",
        rsa().base64()
    );
    fs::write(&file, format!("{hashed}{others}web ssh-ed25519 {ED2}")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    replacement(&link, "web", &[key(ED)], false).unwrap().put().unwrap();
    let kept = others.replace("db,WEB,192.0.2.9", "db,192.0.2.9");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{kept}web ssh-ed25519 {ED}\n"));
    assert!(link.is_symlink() && fs::metadata(&file).unwrap().permissions().mode() & 0o777 == 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    fs::write(&file, format!("*.lan ssh-ed25519 {ED2}\n")).unwrap();
    let why = replacement(&file, "web.lan", &[key(ED)], false).err().unwrap().to_string();
    assert!(why.contains("known:1") && why.contains("by hand"), "{why}");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("*.lan ssh-ed25519 {ED2}\n"));
}

#[test]
fn what_a_presented_key_is_to_us() {
    let standing = |text: &str, pinned: &[&str]| known(text, "web", 22, pinned).unwrap().standing(&key(ED));
    let place = |standing| matches!(standing, Standing::Known(place) if place.ends_with("known:1"));
    assert!(place(standing(&format!("web ssh-ed25519 {ED}\n"), &[])));
    assert_eq!(standing("", &[]), Standing::New);
    assert_eq!(standing(&format!("web ssh-ed25519 {ED2}\n"), &[]), Standing::Wrong);
    // Of another type than the one that is known: new, not changed.
    assert_eq!(standing(&format!("web ssh-rsa {}\n", rsa().base64()), &[]), Standing::New);
    assert_eq!(standing("", &[&key(ED).fingerprint()]), Standing::Pinned);
    assert_eq!(standing("", &[&key(ED2).fingerprint()]), Standing::Unpinned);
    assert!(matches!(standing(&format!("@revoked * ssh-ed25519 {ED}\n"), &[]), Standing::Revoked(_)));
}

#[test]
fn a_pin_is_contradicted_where_none_of_the_presented_keys_is_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let contact = |text: &str, pinned: &HostKey, keys: &[HostKey]| {
        let file = folder.path().join("known");
        fs::write(&file, text).unwrap();
        let pins = vec![pinned.fingerprint()];
        let target = Target { known_hosts: vec![file], host_key_fingerprints: pins, ..here() };
        Contact::of(&Route::of(&target).unwrap(), keys.to_vec()).unwrap()
    };
    // As Debian does it: keys of several types, of which one is pinned.
    let both = contact("", &key(ED), &[rsa(), key(ED)]);
    assert!(both.is_known() && !both.is_changed());
    assert_eq!(both.keys.iter().map(|key| &key.standing).collect::<Vec<_>>(), [&Standing::Unpinned, &Standing::Pinned]);
    let none = contact("", &key(ED2), &[rsa(), key(ED)]);
    assert!(none.is_changed() && !none.is_known());
    let contradicted = contact(&format!("web ssh-ed25519 {ED2}\n"), &rsa(), &[rsa(), key(ED)]);
    assert!(contradicted.is_changed(), "known_hosts has another key of that type");
    let preference = known("", "web", 22, &["SHA256:x"]).unwrap().preference(&["ssh-ed25519".to_owned()]);
    assert!(preference.starts_with("ecdsa") && preference.ends_with("ssh-rsa"), "{preference}");
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_others_as_they_are_and_two_names_are_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let old = format!("web ssh-ed25519 {ED2}\n");
    fs::write(at("mine"), &old).unwrap();
    let remembered = |files: &[&str]| {
        let target = Target { known_hosts: files.iter().map(|file| at(file)).collect(), ..here() };
        let contact = Contact::of(&Route::of(&target).unwrap(), vec![key(ED)]).unwrap();
        assert!(contact.is_changed());
        contact.remember(&[key(ED)])
    };
    // A line that nobody but a person may change, in a file that others share.
    fs::write(at("global"), format!("web* ssh-ed25519 {ED2}\n")).unwrap();
    let why = remembered(&["mine", "global"]).unwrap_err().to_string();
    assert!(why.contains("global:1") && why.contains("by hand"), "{why}");
    assert_eq!(fs::read_to_string(at("mine")).unwrap(), old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    // The same file by another name: what was written to the one is not taken away by the other.
    std::os::unix::fs::symlink(at("mine"), at("link")).unwrap();
    remembered(&["mine", "link"]).unwrap();
    assert_eq!(fs::read_to_string(at("mine")).unwrap(), format!("web ssh-ed25519 {ED}\n"));
}

#[test]
fn the_keys_of_one_place_are_known_at_another_one_of_the_same_host() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known");
    fs::write(&file, format!("first.example ssh-ed25519 {ED}\n")).unwrap();
    let first = Target { address: "first.example".into(), known_hosts: vec![file.clone()], ..here() };
    let declared = Target { port: Some(2222), known_hosts: vec![file.clone()], ..here() }.vouched_by(&first);
    let met = Contact::of(&Route::of(&first).unwrap(), vec![key(ED), rsa()]).unwrap();
    let there = met.at(&declared).unwrap();
    assert!(there.is_known() && there.old.is_empty() && there.keys[1].standing == Standing::New, "{there:?}");
    there.remember(&[key(ED)]).unwrap();
    assert_eq!(met.at(&declared).unwrap().old.len(), 1);
    assert!(judge(&fs::read_to_string(&file).unwrap(), "web", 2222).is_ok());
}

fn here() -> Target {
    Target { ssh_config: Some("".into()), ..Target::bare("web", "web") }
}

#[test]
fn a_changed_key_names_both_fingerprints_and_the_line() {
    let error = judge(&format!("\n# c\nweb ssh-ed25519 {ED2}\n"), "web", 22).unwrap_err();
    for part in ["HAS CHANGED", &key(ED).fingerprint(), &key(ED2).fingerprint(), "known:3", "rempart trust web"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn an_unknown_key_names_its_fingerprint_and_what_to_do() {
    let error = judge("", "web", 2200).unwrap_err();
    assert!(
        error.contains(&key(ED).fingerprint()) && error.contains("[web]:2200") && error.contains("rempart trust web")
    );
}

#[test]
fn revoked_wins_over_known_and_pinned_and_is_never_passed_over() {
    let text = format!("web ssh-ed25519 {ED}\n@revoked * ssh-ed25519 {ED}\n");
    assert!(judge(&text, "web", 22).unwrap_err().contains("revoked by"));
    let pinned = known(&text, "web", 2222, &[&key(ED).fingerprint()]).unwrap();
    assert!(pinned.judge(&key(ED)).unwrap_err().contains("revoked by"));
    assert!(known("@revoked * ssh-ed25519 garbage\n", "web", 22, &[]).unwrap_err().contains("known:1"));
}

#[test]
fn another_type_is_preferred_when_known_and_not_called_changed() {
    let text = format!("web ssh-rsa {}\n", rsa().base64());
    assert!(
        known(&text, "web", 22, &[]).unwrap().preference(&[]).starts_with("rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed")
    );
    assert!(known("", "web", 22, &[]).unwrap().preference(&[]).starts_with("ssh-ed25519,ecdsa"));
    assert!(!known("", "web", 22, &[]).unwrap().preference(&[]).contains("cert"));
    assert!(judge(&text, "web", 22).unwrap_err().contains("is of a type not known for it"));
}

#[test]
fn pins_suffice_and_bind() {
    let print = key(ED).fingerprint();
    assert!(known("", "web", 22, &[&format!("{print}=")]).unwrap().judge(&key(ED)).is_ok());
    assert!(known("", "web", 22, &["SHA256:x"]).unwrap().judge(&key(ED)).unwrap_err().contains("none of the 1 pinned"));
}

#[test]
fn an_authority_line_is_no_host_key_and_is_explained() {
    let error = judge(&format!("@cert-authority * ssh-ed25519 {ED}\n"), "web", 22).unwrap_err();
    assert!(error.contains("certificate authority of") && error.contains("known:1"), "{error}");
}

proptest! {
    #[test]
    fn junk_never_panics_nor_vouches(text in "(\\PC|\n|\\||@revoked |@cert-authority |web |ssh-ed25519 |AAAA){0,120}") {
        if let Ok(known) = known(&text, "web", 22, &[]) {
            prop_assert!(known.judge(&key(ED)).is_err());
            prop_assert!(!known.preference(&[]).is_empty());
        }
    }

    #[test]
    fn junk_keys_never_panic(blob in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = HostKey::from_blob(blob).map(|key| key.fingerprint());
    }
}
