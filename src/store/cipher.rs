//! Owns the data key of a file, and how one value is encrypted: AES-256-GCM with a nonce of 32 bytes, bound to its path.
//!
//! Must not know files. Written as `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, all in base64.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::fault::{Fault, FaultKind};
use super::value::{Kind, Plain};

type Aead = AesGcm<Aes256, U32>;

/// The key of one file, which encrypts its values and is encrypted itself for each recipient.
#[derive(Clone)]
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub fn random() -> Result<Self, Fault> {
        Ok(Self(random()?))
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn aead(&self) -> Aead {
        Aead::new(self.0.as_slice().into())
    }
}

/// 32 random bytes of the system.
pub(super) fn random() -> Result<Zeroizing<[u8; 32]>, Fault> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Fault::new(FaultKind::Write, "the system gives no random bytes", error.to_string(), "look at the system's log")
    })?;
    Ok(bytes)
}

/// A value as it is written into a file.
pub(super) struct Sealed {
    data: Vec<u8>,
    iv: Vec<u8>,
    tag: Vec<u8>,
    word: String,
}

impl Sealed {
    /// Reads `ENC[…]`. `None` = this is no encrypted value.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
        let (data, rest) = inner.split_once(",iv:")?;
        let (iv, rest) = rest.split_once(",tag:")?;
        let (tag, word) = rest.split_once(",type:")?;
        let bytes = |text: &str| BASE64.decode(text).ok();
        let sealed = Self { data: bytes(data)?, iv: bytes(iv)?, tag: bytes(tag)?, word: word.to_owned() };
        (sealed.tag.len() == 16 && !sealed.iv.is_empty()).then_some(sealed)
    }

    /// The value, if the key, the bytes and what it is bound to are those it was made with.
    pub fn open(&self, key: &DataKey, bound_to: &str) -> Option<Plain> {
        // SOPS writes nonces of 32 bytes; it would read any.
        if self.iv.len() != 32 {
            return None;
        }
        let mut bytes = Zeroizing::new(self.data.clone());
        key.aead()
            .decrypt_in_place_detached(
                Nonce::<U32>::from_slice(&self.iv),
                bound_to.as_bytes(),
                &mut bytes,
                Tag::from_slice(&self.tag),
            )
            .ok()?;
        Plain::checked(Kind::named(&self.word)?, bytes)
    }

    /// Whether the type is one that this program knows.
    pub fn is_known(&self) -> bool {
        Kind::named(&self.word).is_some()
    }
}

/// The value encrypted, with a nonce of its own. What is empty stays so, as with SOPS.
pub(super) fn seal(plain: &Plain, key: &DataKey, bound_to: &str) -> Result<String, Fault> {
    if plain.bytes.is_empty() {
        return Ok(String::new());
    }
    let iv = random()?;
    let mut data = plain.bytes.clone();
    let nonce = Nonce::<U32>::from_slice(iv.as_slice());
    let tag = key.aead().encrypt_in_place_detached(nonce, bound_to.as_bytes(), &mut data).map_err(|_| {
        Fault::new(FaultKind::Write, "a value cannot be encrypted", "it is too long", "split it, or keep it as a file")
    })?;
    Ok(format!(
        "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]",
        BASE64.encode(data.as_slice()),
        BASE64.encode(iv.as_slice()),
        BASE64.encode(tag),
        plain.kind.word()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DataKey {
        DataKey::from_bytes(&[7; 32]).unwrap()
    }

    #[test]
    fn a_value_opens_with_its_key_its_path_and_all_of_its_bytes_only() {
        let plain = Plain::new(Kind::Str, b"ENC[AES256_GCM,data:x]\0\xc3\xa4");
        let text = seal(&plain, &key(), "a:b:").unwrap();
        let sealed = Sealed::parse(&text).unwrap();
        assert!(sealed.open(&key(), "a:b:").unwrap().same_as(&plain));
        assert!(sealed.open(&key(), "a:c:").is_none());
        assert!(sealed.open(&DataKey::from_bytes(&[8; 32]).unwrap(), "a:b:").is_none());
        for field in 0..3 {
            let mut changed = Sealed::parse(&text).unwrap();
            let bytes = [&mut changed.data, &mut changed.iv, &mut changed.tag][field].first_mut().unwrap();
            *bytes ^= 1;
            assert!(changed.open(&key(), "a:b:").is_none(), "{field}");
        }
        assert_ne!(text, seal(&plain, &key(), "a:b:").unwrap());
    }

    #[test]
    fn what_is_empty_stays_empty() {
        assert_eq!(seal(&Plain::new(Kind::Str, b""), &key(), "a:").unwrap(), "");
    }

    #[test]
    fn what_is_no_encrypted_value_is_none() {
        for text in ["", "ENC[", "ENC[AES256_GCM,data:,iv:,tag:,type:]", "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]"] {
            assert!(Sealed::parse(text).is_none(), "{text}");
        }
    }
}
