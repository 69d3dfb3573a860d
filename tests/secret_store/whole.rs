//! Whole files, to Debian's `age` and from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rempart::store::encrypt_whole;

use super::*;

/// Debian's `age`: of this machine, or out of its package, unpacked into the target folder.
fn program(test: &str) -> Option<PathBuf> {
    let works = |path: &Path| Command::new(path).arg("--version").output().is_ok_and(|output| output.status.success());
    if works(Path::new("age")) {
        return Some("age".into());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-age");
    let age = folder.join("usr/bin/age");
    if works(&age) {
        return Some(age);
    }
    let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let got = Command::new("sh")
        .args(["-c", "apt-get download -q age && dpkg -x age_*.deb ."])
        .current_dir(fresh.path())
        .output();
    match got {
        Ok(output) if output.status.success() => {
            let _ = fs::rename(fresh.path(), &folder);
            if works(&age) { Some(age) } else { super::skipped(test, "what was unpacked does not run") }
        }
        Ok(output) => super::skipped(test, String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("apt-get")),
        Err(error) => super::skipped(test, &error.to_string()),
    }
}

const TEXT: &str = "line one\nüber\n\0end";

#[test]
fn debians_age_opens_what_we_made() {
    let Some(age) = program("debian's age opens") else { return };
    let alice = Person::new();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, &alice.identity).unwrap();
    for armored in [false, true] {
        let bytes =
            encrypt_whole(&secret(TEXT), &[Person::new().recipient, alice.recipient.clone()], armored, &nobody());
        let bytes = bytes.unwrap();
        assert_eq!(bytes.starts_with(b"-----BEGIN AGE"), armored);
        let file = folder.path().join("file.age");
        fs::write(&file, bytes).unwrap();
        let output = Command::new(&age).arg("-d").arg("-i").arg(&key).arg(&file).output().unwrap();
        assert_eq!(output.stdout, TEXT.as_bytes(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn we_open_what_debians_age_made() {
    let Some(age) = program("what debian's age made") else { return };
    let (alice, eve) = (Person::new(), Person::new());
    let folder = tempfile::tempdir().unwrap();
    let (plain, file) = (folder.path().join("plain"), folder.path().join("file.age"));
    fs::write(&plain, TEXT).unwrap();
    for armor in [&[][..], &["-a"]] {
        let done = Command::new(&age)
            .args(armor)
            .args(["-r", &alice.recipient.to_string(), "-o"])
            .arg(&file)
            .arg(&plain)
            .status();
        assert!(done.unwrap().success());
        let bytes = fs::read(&file).unwrap();
        assert_eq!(shown(&alice.ring().open_whole(&bytes, "file.age").unwrap()), TEXT);
        assert_eq!(kind(eve.ring().open_whole(&bytes, "file.age")), FaultKind::WrongKey);
        let none = Keyring::gather(&Sources::default(), nobody());
        assert_eq!(kind(none.open_whole(&bytes, "file.age")), FaultKind::NoKey);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn each_changed_byte_of_a_whole_file_is_refused() {
    let alice = Person::new();
    let bytes = encrypt_whole(&secret("x"), std::slice::from_ref(&alice.recipient), false, &nobody()).unwrap();
    let ring = alice.ring();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(ring.open_whole(&changed, "f").is_err(), "byte {at}");
        assert!(ring.open_whole(&bytes[..at], "f").is_err(), "cut at {at}");
    }
    assert_eq!(kind(ring.open_whole(b"no file of age", "f")), FaultKind::Format);
}
