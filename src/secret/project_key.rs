//! Owns the project's own keys: the one that seals files of the store, and the one that makes fingerprints.
//!
//! Both come from 32 random bytes. Each use has a key of its own, derived as HKDF-Expand does it (RFC 5869, SHA-256, one
//! block), so that a machine can hold the fingerprint key and no more.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Rendered, Secret, hex};

type Key = Zeroizing<[u8; 32]>;

/// The key that proves that a file was written by somebody of the project.
#[derive(Clone)]
pub struct ProjectKey(Key);

/// The key that makes fingerprints: it tells whether a secret is still the same, and not what it is.
#[derive(Clone)]
pub struct FingerprintKey(Key);

/// What is kept of a secret: equal for the same content and use under the same key, and of no use without it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl ProjectKey {
    /// The key out of 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The key as the store keeps it, in base64. `None` = that is no key.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        read(secret).map(Self)
    }

    /// The key in base64, for the store.
    pub fn to_secret(&self, name: &str) -> Secret {
        Secret::new(name, BASE64.encode(self.0.as_slice()))
    }

    /// A name of the key that may be shown. Who keeps it where an attacker of the store cannot write notices that the
    /// key itself was replaced.
    pub fn id(&self) -> String {
        hex(&expand(&self.0, b"rempart v1 id")[..8])
    }

    /// The MAC of a file's content.
    pub fn seal(&self, content: &[u8]) -> [u8; 32] {
        mac(&expand(&self.0, b"rempart v1 seal"), &[content])
    }

    /// The key for fingerprints, which a machine may hold that reads no secret.
    pub fn fingerprint_key(&self) -> FingerprintKey {
        FingerprintKey(expand(&self.0, b"rempart v1 fingerprint"))
    }
}

impl FingerprintKey {
    /// The key in base64, as a machine keeps it. `None` = that is no key.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        read(secret).map(Self)
    }

    /// The key in base64.
    pub fn to_secret(&self, name: &str) -> Secret {
        Secret::new(name, BASE64.encode(self.0.as_slice()))
    }

    /// The fingerprint of a text for one use, such as `web1 file:/etc/app.env content`. Two uses of the same secret have
    /// nothing in common that could be seen.
    pub fn fingerprint(&self, purpose: &str, text: &Rendered) -> Fingerprint {
        self.fingerprint_of(purpose, text.reveal().as_bytes())
    }

    /// The same of bytes, such as a host's file has them.
    pub fn fingerprint_of(&self, purpose: &str, bytes: &[u8]) -> Fingerprint {
        Fingerprint(hex(&mac(&expand(&self.0, purpose.as_bytes()), &[bytes])[..16]))
    }

    /// A name of the key that may be shown.
    pub fn id(&self) -> String {
        hex(&expand(&self.0, b"rempart v1 id of the fingerprint key")[..8])
    }
}

impl Fingerprint {
    /// A fingerprint that was kept as text.
    pub fn kept(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectKey({})", self.id())
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}

fn read(secret: &Secret) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64.decode(secret.reveal().trim()).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

fn expand(key: &[u8; 32], purpose: &[u8]) -> Key {
    Zeroizing::new(mac(key, &[purpose, &[1]]))
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC fills a key that is shorter than a block up with zeros.
    let mut block = Zeroizing::new([0; 64]);
    block[..key.len()].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_into_the_store_and_come_back() {
        let key = ProjectKey::new(&[3; 32]);
        assert_eq!(ProjectKey::from_secret(&key.to_secret("k")).unwrap().id(), key.id());
        let prints = key.fingerprint_key();
        let same = FingerprintKey::from_secret(&prints.to_secret("k")).unwrap();
        let text = Rendered::secret(Secret::new("pin", "12"));
        assert_eq!(same.fingerprint("a", &text), prints.fingerprint("a", &text));
        for bad in ["", "AAAA", "no base64"] {
            assert!(ProjectKey::from_secret(&Secret::new("k", bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn each_use_and_each_key_gives_another_fingerprint() {
        let text = Rendered::secret(Secret::new("pin", "12"));
        let print =
            |byte: u8, purpose: &str| ProjectKey::new(&[byte; 32]).fingerprint_key().fingerprint(purpose, &text);
        assert_ne!(print(1, "a"), print(1, "b"));
        assert_ne!(print(1, "a"), print(2, "a"));
        assert_eq!(print(1, "a").to_string().len(), 32);
        let debug = format!("{:?}", ProjectKey::new(&[1; 32]));
        assert!(!debug.contains(&BASE64.encode([1; 32])) && debug.starts_with("ProjectKey("), "{debug}");
    }

    // Made with `HKDFExpand` and `hmac` of Python's cryptography, see tests/secret_store/sops_format.py.
    #[test]
    fn derived_keys_are_those_of_hkdf() {
        assert_eq!(hex(expand(&[3; 32], b"rempart v1 id").as_slice()), HKDF_OF_THREES);
    }

    const HKDF_OF_THREES: &str = "2c9e0a3b16d480d238ce2ac3c6b7d926bc52d7bd3be9d3e3dead29603e9036fc";
}
