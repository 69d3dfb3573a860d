//! Owns finding private keys in their armour, wherever it stands: in a file of its own, in YAML, in a JSON string.
//!
//! A key behind a passphrase is no plaintext, and neither is a header alone, which programs and manuals name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::floor;
use super::hit::Hits;
use super::rules::PRIVATE_KEY;

const BEGIN: &str = "-----BEGIN ";
/// The shortest body: 48 bytes of an Ed25519 key, which are 64 characters.
const SHORTEST: usize = 60;
/// How much is looked at behind a header, in bytes.
const LONGEST: usize = 64 * 1024;

pub(super) fn find(text: &str, hits: &mut Hits) {
    let mut from = 0;
    while let Some(at) = text[from..].find(BEGIN).map(|at| at + from) {
        from = at + BEGIN.len();
        let Some((label, body)) = header(&text[from..]) else { continue };
        let start = text.len() - body.len();
        let stretch = &body[..floor(body, LONGEST)];
        let stretch = stretch.find("-----").map_or(stretch, |end| &stretch[..end]);
        if is_open(label, stretch) {
            hits.add(&PRIVATE_KEY, at..start + stretch.len(), None);
            from = start + stretch.len();
        }
    }
    putty(text, hits);
}

// The label, and what follows the header.
fn header(text: &str) -> Option<(&str, &str)> {
    let (label, _) = text[..floor(text, 60)].split_once("-----")?;
    let known = label.ends_with("PRIVATE KEY") || label == "PGP PRIVATE KEY BLOCK";
    known.then(|| (label, &text[label.len() + 5..]))
}

// Whether there is a body, and no passphrase before it.
fn is_open(label: &str, body: &str) -> bool {
    if label.starts_with("ENCRYPTED") || body.contains("Proc-Type: 4,ENCRYPTED") || body.contains("ENC[") {
        return false;
    }
    // Line ends, escaped ones, indentation, quotes and signs between the lines of a program.
    let plain = body.replace("\\r", "").replace("\\n", "").replace("\\t", "");
    let plain: String = plain
        .lines()
        .filter(|line| !line.contains(": "))
        .flat_map(|line| line.chars())
        .filter(|c| !is_between(*c))
        .collect();
    let length = plain.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
    if length < SHORTEST || super::random::distinct(&plain[..length]) < 12 {
        return false;
    }
    if label == "OPENSSH PRIVATE KEY" {
        // The magic word and the name of the cipher: 23 bytes. What cannot be read is told: it may be cut.
        let read = STANDARD.decode(&plain[..32]).unwrap_or_default();
        return read.strip_prefix(b"openssh-key-v1\0").is_none_or(|rest| rest.starts_with(b"\0\0\0\x04none"));
    }
    true
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || "\"',;|>\\#*".contains(c)
}

fn putty(text: &str, hits: &mut Hits) {
    let Some(at) = text.find("PuTTY-User-Key-File-") else { return };
    let Some(lines) = text[at..].find("Private-Lines: ") else { return };
    if text[at..at + lines].contains("Encryption: none") {
        let end = text[at + lines..].find("Private-MAC").map_or(text.len(), |end| at + lines + end);
        hits.add(&PRIVATE_KEY, at + lines..end, None);
    }
}
