//! Owns the project's own seal of a file: what it covers, how it is written, and which part of a file no longer fits.
//!
//! Who knows the recipients' public keys can make a whole file that SOPS finds in order. Only who holds the project key
//! can make its seal. It stands in the file as one value more, which SOPS keeps and hashes as any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

use super::fault::{Fault, FaultKind};
use crate::secret::ProjectKey;

/// The key under which the seal stands.
pub(super) const KEY: &str = "rempart_seal";

/// What a seal covers, each part in a form of its own that cannot be read in two ways.
pub(super) struct Content {
    /// The name of the file in the store.
    pub name: Vec<u8>,
    pub recipients: Vec<u8>,
    pub rules: Vec<u8>,
    /// The values with their paths, not encrypted.
    pub values: zeroize::Zeroizing<Vec<u8>>,
}

/// A list of texts as bytes; the lengths keep apart what stands side by side.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        push(&mut bytes, text);
    }
    bytes
}

pub(super) fn push(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text);
}

/// The part of the text that says which part of the file does not fit; the whole is judged by the whole.
const SHORT: usize = 8;

/// The seal as text: `v1.GENERATION.KEY.MACS`.
pub(super) fn write(content: &Content, generation: u64, key: &ProjectKey) -> String {
    format!("v1.{generation}.{}.{}", key.id(), BASE64.encode(macs(content, generation, key)))
}

fn macs(content: &Content, generation: u64, key: &ProjectKey) -> Vec<u8> {
    let number = generation.to_be_bytes();
    let parts: [&[u8]; 4] = [&content.name, &content.recipients, &content.rules, &content.values];
    let mut whole = zeroize::Zeroizing::new(b"whole".to_vec());
    push(&mut whole, &number);
    for part in parts {
        push(&mut whole, part);
    }
    let mut macs = key.seal(&whole).to_vec();
    for (at, part) in parts.iter().enumerate() {
        let mut one = zeroize::Zeroizing::new(b"part".to_vec());
        push(&mut one, &number);
        one.push(at as u8);
        push(&mut one, part);
        macs.extend_from_slice(&key.seal(&one)[..SHORT]);
    }
    macs
}

/// The generation that a seal names, not proved.
pub(super) fn generation(seal: &str) -> Option<u64> {
    let mut parts = seal.split('.');
    (parts.next()? == "v1").then_some(())?;
    parts.next()?.parse().ok()
}

/// What tells the content that a seal was made for from another of the same generation. Everybody may know it: the seal
/// is made with the project key, and this of its hash.
pub(super) fn version(seal: &str) -> String {
    Sha256::digest(seal.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Proves a seal, and gives the generation of the file.
///
/// # Errors
/// Which part of the file is not the one that was sealed.
pub(super) fn prove(seal: &str, content: &Content, key: &ProjectKey) -> Result<u64, Fault> {
    let broken = |detail: &str| {
        Fault::new(
            FaultKind::SealBroken,
            "the project's seal was changed",
            detail,
            "take the file from where it was sealed",
        )
    };
    let parts: Vec<&str> = seal.split('.').collect();
    let [version, number, id, macs_text] = parts[..] else { return Err(broken("it does not have four parts")) };
    if version != "v1" {
        let fix = "use the rempart that wrote it";
        return Err(Fault::new(FaultKind::Unsupported, "a seal of another version", version, fix));
    }
    if id != key.id() {
        let detail = format!("sealed with key {id}, and the project's is {}", key.id());
        let fix = "use the project key it was sealed with, or look at the file and seal it anew";
        return Err(Fault::new(FaultKind::SealForeign, "sealed with another project key", detail, fix));
    }
    let generation: u64 = number.parse().map_err(|_| broken("its generation is no number"))?;
    let found = BASE64.decode(macs_text).map_err(|_| broken("it is no base64"))?;
    let wanted = macs(content, generation, key);
    if found.len() != wanted.len() {
        return Err(broken("it is cut or too long"));
    }
    // One comparison over all bytes; what differs is told apart only once it is known that something does.
    if found.iter().zip(&wanted).fold(0, |all, (a, b)| all | (a ^ b)) == 0 {
        return Ok(generation);
    }
    let fits = |part: usize| {
        let range = 32 + part * SHORT..32 + (part + 1) * SHORT;
        found.get(range.clone()) == wanted.get(range)
    };
    let rewritten = "look at what changed (`git diff`); if it is right, seal it anew";
    Err(match [fits(0), fits(1), fits(2), fits(3)] {
        [false, true, true, true] => {
            let detail =
                "its seal was made for a file of another name: it was renamed, or another file was put in its place";
            Fault::new(
                FaultKind::SealName,
                "the file stands under a wrong name",
                detail,
                "put each file back to its name",
            )
        }
        [true, false, _, true] => {
            let detail = "somebody was added, removed or exchanged since it was sealed";
            Fault::new(FaultKind::SealRecipients, "the recipients are not those that were sealed", detail, rewritten)
        }
        [true, true, false, true] => {
            let detail = "which values are encrypted was changed since it was sealed";
            Fault::new(FaultKind::SealRules, "the rules are not those that were sealed", detail, rewritten)
        }
        [true, _, _, false] => {
            let detail =
                "somebody wrote it without the project key: with `sops`, or to put a secret of theirs in its place";
            Fault::new(FaultKind::SealValues, "the values are not those that were sealed", detail, rewritten)
        }
        // Nothing but the number or the whole differs, or all does.
        _ => broken("it does not fit the file"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            name: b"gw.yaml".to_vec(),
            recipients: b"r".to_vec(),
            rules: b"u".to_vec(),
            values: zeroize::Zeroizing::new(b"v".to_vec()),
        }
    }

    #[test]
    fn each_part_that_differs_has_its_own_message() {
        let key = ProjectKey::new(&[1; 32]);
        let seal = write(&content(), 7, &key);
        assert_eq!(prove(&seal, &content(), &key).unwrap(), 7);
        assert_eq!(generation(&seal), Some(7));
        let other = Content { values: zeroize::Zeroizing::new(b"w".to_vec()), ..content() };
        assert_eq!(version(&seal), version(&write(&content(), 7, &key)));
        assert_eq!(version(&seal).len(), 8);
        assert_ne!(version(&seal), version(&write(&other, 7, &key)), "two branches wrote generation 7");
        let kind = |change: fn(&mut Content)| {
            let mut changed = content();
            change(&mut changed);
            prove(&seal, &changed, &key).unwrap_err().kind
        };
        assert_eq!(kind(|content| content.name.push(1)), FaultKind::SealName);
        assert_eq!(kind(|content| content.recipients.push(1)), FaultKind::SealRecipients);
        assert_eq!(kind(|content| content.rules.push(1)), FaultKind::SealRules);
        assert_eq!(kind(|content| content.values.push(1)), FaultKind::SealValues);
        assert_eq!(prove(&seal, &content(), &ProjectKey::new(&[2; 32])).unwrap_err().kind, FaultKind::SealForeign);
        let older = seal.replace("v1.7.", "v1.8.");
        assert_eq!(prove(&older, &content(), &key).unwrap_err().kind, FaultKind::SealBroken);
        assert_eq!(prove(&seal.replace("v1.", "v2."), &content(), &key).unwrap_err().kind, FaultKind::Unsupported);
        for bad in ["", "v1", &seal[..seal.len() - 4], "v1.7.x.y"] {
            assert!(prove(bad, &content(), &key).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_stands_side_by_side_is_not_confused() {
        assert_ne!(list([&b"ab"[..], b"c"]), list([&b"a"[..], b"bc"]));
    }
}
