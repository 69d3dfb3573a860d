//! Public keys of OpenPGP, as far as a repository needs them: armor on and off, and whose keys they are.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// The packets of a key file, armored or not.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unarmored(file: &[u8]) -> Result<Vec<u8>, String> {
    let Ok(text) = std::str::from_utf8(file) else { return Ok(file.to_vec()) };
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| !line.starts_with("-----BEGIN "));
    match lines.next() {
        Some("-----BEGIN PGP PUBLIC KEY BLOCK-----") => {}
        Some(line) => return Err(format!("it begins with `{}`, not a public key", line.escape_debug())),
        None => return Err("it holds no `-----BEGIN PGP PUBLIC KEY BLOCK-----`".into()),
    }
    let mut body = String::new();
    let mut is_whole = false;
    for line in lines.skip_while(|line| !line.is_empty()).skip(1) {
        if line.starts_with("-----END PGP PUBLIC KEY BLOCK-----") {
            is_whole = true;
            break;
        }
        if !line.starts_with('=') {
            body.push_str(line);
        }
    }
    if !is_whole {
        return Err("its end is missing".into());
    }
    BASE64_STANDARD.decode(&body).map_err(|_| "its armor cannot be decoded".into())
}

/// The same as armored text, without a checksum.
pub(super) fn armored(packets: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(packets);
    let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n", lines.join("\n"))
}

/// The fingerprints of the primary keys in it, in capital hexadecimal digits.
///
/// # Errors
/// It is no public key, or of a version that nobody here can read.
pub(super) fn fingerprints(packets: &[u8]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = packets;
    while !rest.is_empty() {
        let (tag, body, after) = packet(rest).ok_or("its packets cannot be read")?;
        match tag {
            6 if body.first() == Some(&4) => {
                let length = u16::try_from(body.len()).map_err(|_| "a key in it is too long")?;
                let mut hash = Sha1::new();
                hash.update([0x99]);
                hash.update(length.to_be_bytes());
                hash.update(body);
                found.push(hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect());
            }
            6 => return Err("a key in it is of a version that is not known here".into()),
            5 | 7 => return Err("it holds a secret key".into()),
            _ => {}
        }
        rest = after;
    }
    if found.is_empty() { Err("it holds no key".into()) } else { Ok(found) }
}

// The first packet: its tag, its body, and what follows.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let first = *bytes.first()?;
    let number = |from: usize, to: usize| {
        Some(bytes.get(from..to)?.iter().fold(0usize, |all, byte| (all << 8) | usize::from(*byte)))
    };
    let (tag, start, length) = match first {
        0xc0.. => {
            let (start, length) = match *bytes.get(1)? {
                short @ 0..192 => (2, usize::from(short)),
                two @ 192..224 => (3, (usize::from(two - 192) << 8) + number(2, 3)? + 192),
                255 => (6, number(2, 6)?),
                _ => return None,
            };
            (first & 0x3f, start, length)
        }
        0x80.. => {
            let (start, length) = match first & 3 {
                0 => (2, number(1, 2)?),
                1 => (3, number(1, 3)?),
                2 => (5, number(1, 5)?),
                _ => return None,
            };
            ((first >> 2) & 0xf, start, length)
        }
        _ => return None,
    };
    let end = usize::checked_add(start, length)?;
    Some((tag, bytes.get(start..end)?, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = include_str!("../../../tests/tamper/apt_repository/files/key.asc");

    #[test]
    fn a_key_tells_whose_it_is() {
        let packets = unarmored(KEY.as_bytes()).unwrap();
        assert_eq!(fingerprints(&packets).unwrap(), ["C17F8E51F5BD5E9225E416B606EFF7917CFB36FD"]);
        assert_eq!(unarmored(armored(&packets).as_bytes()).unwrap(), packets);
        assert_eq!(fingerprints(&[packets.clone(), packets.clone()].concat()).unwrap().len(), 2);
        let half = &KEY[..KEY.len() / 2];
        assert!(unarmored(half.as_bytes()).is_err() && unarmored(b"junk").is_err());
        assert!(unarmored(KEY.replace("PUBLIC", "PRIVATE").as_bytes()).is_err());
        assert!(fingerprints(&packets[..packets.len() - 1]).is_err() && fingerprints(b"").is_err());
    }

    proptest! {
        #[test]
        fn junk_is_no_key_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = unarmored(&bytes).and_then(|packets| fingerprints(&packets));
        }
    }
}
