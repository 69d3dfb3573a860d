//! Owns one private key: what it is, whom it answers to, and how it opens what is encrypted for it.
//!
//! A protected key asks for its passphrase once, and only when something is to be opened that may be meant for it.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::ask::{Ask, Bridge, phrase};
use super::fault::{Fault, FaultKind};
use super::recipient::{bare, no_plugin, one_line};

/// A private key, and where it came from.
pub(super) struct Identity {
    /// Such as `SOPS_AGE_KEY_FILE (~/keys.txt)`.
    pub origin: String,
    held: Held,
}

enum Held {
    X25519(age::x25519::Identity),
    Ssh {
        key: age::ssh::Identity,
        public: Option<String>,
    },
    SshProtected {
        key: age::ssh::EncryptedKey,
        public: Option<String>,
        open: Mutex<Option<age::ssh::Identity>>,
    },
    Plugin(age::plugin::Identity),
    /// A whole file of keys, encrypted with a passphrase.
    FileProtected {
        bytes: Vec<u8>,
        open: Mutex<Option<Arc<Vec<Identity>>>>,
    },
}

/// How an attempt to open something ended.
pub(super) enum Opened {
    Yes(Zeroizing<Vec<u8>>),
    /// The key is no recipient of it.
    No,
    Failed(Fault),
}

/// Reads what a file, a variable or a command holds: keys of age and plugins, a line each; an SSH key; or a file of keys
/// that is encrypted with a passphrase.
///
/// # Errors
/// A line that is no key, named by its number only.
pub(super) fn read(bytes: &[u8], origin: &str) -> Result<Vec<Identity>, Fault> {
    let unusable = |detail: String, fix: &'static str| {
        Fault::new(FaultKind::Identity, "a key cannot be used", format!("{origin}: {detail}"), fix)
    };
    if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        let held = Held::FileProtected { bytes: bytes.to_vec(), open: Mutex::new(None) };
        return Ok(vec![Identity { origin: origin.to_owned(), held }]);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| unusable("it is no text".into(), "name a file of keys, as age-keygen writes it"))?;
    if text.trim_start().starts_with("-----BEGIN") {
        return ssh(text, origin).map(|held| vec![Identity { origin: origin.to_owned(), held }]);
    }
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let held = if let Ok(key) = line.parse() {
            Held::X25519(key)
        } else if let Ok(key) = line.parse() {
            Held::Plugin(key)
        } else {
            let what = if line.starts_with("age1") { "is a public key" } else { "is no key" };
            let fix = "a line begins with AGE-SECRET-KEY-1 or AGE-PLUGIN-";
            return Err(unusable(format!("line {} {what}", number + 1), fix));
        };
        all.push(Identity { origin: origin.to_owned(), held });
    }
    Ok(all)
}

fn ssh(text: &str, origin: &str) -> Result<Held, Fault> {
    let unusable = |detail: &str, fix: &'static str| {
        Fault::new(FaultKind::Identity, "a key cannot be used", format!("{origin}: {detail}"), fix)
    };
    let key = age::ssh::Identity::from_buffer(text.as_bytes(), Some(origin.to_owned()))
        .map_err(|_| unusable("it is no SSH private key", "name a private key, as ssh-keygen writes it"))?;
    let public = age::ssh::Recipient::try_from(key.clone()).ok().map(|public| bare(&public.to_string()));
    match key {
        age::ssh::Identity::Encrypted(key) => Ok(Held::SshProtected { key, public, open: Mutex::new(None) }),
        age::ssh::Identity::Unsupported(_) => {
            Err(unusable("this type of SSH key cannot decrypt", "use ssh-ed25519 or ssh-rsa, in OpenSSH's own format"))
        }
        key => Ok(Held::Ssh { key, public }),
    }
}

impl Identity {
    /// Whether it may have to ask somebody, or to start a program.
    pub fn is_costly(&self) -> bool {
        !matches!(self.held, Held::X25519(_) | Held::Ssh { .. })
    }

    /// Whether it may be the one that `recipient` names; unknown is yes.
    pub fn may_be(&self, recipient: &str) -> bool {
        let recipient = bare(recipient);
        match &self.held {
            Held::X25519(_) | Held::Ssh { .. } => self.public().is_none_or(|public| public == recipient),
            Held::SshProtected { public, .. } => match public {
                Some(public) => *public == recipient,
                None => recipient.starts_with("ssh-"),
            },
            // A plugin may answer to recipients that bear another name, but never to those of age and SSH.
            Held::Plugin(_) => !recipient.starts_with("ssh-") && recipient.parse::<age::x25519::Recipient>().is_err(),
            Held::FileProtected { .. } => !recipient.starts_with("ssh-"),
        }
    }

    /// The public key, where it is known without asking.
    pub fn public(&self) -> Option<String> {
        match &self.held {
            Held::X25519(key) => Some(key.to_public().to_string()),
            Held::Ssh { public, .. } | Held::SshProtected { public, .. } => public.clone(),
            Held::Plugin(_) | Held::FileProtected { .. } => None,
        }
    }

    /// Opens something that age encrypted, armored or not.
    pub fn open(&self, encrypted: &[u8], ask: &Arc<dyn Ask>) -> Opened {
        match &self.held {
            Held::X25519(key) => decrypt(encrypted, key),
            Held::Ssh { key, .. } => decrypt(encrypted, key),
            Held::SshProtected { key, open, .. } => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if open.is_none() {
                    match self.unlock(key, ask) {
                        Ok(key) => *open = Some(key),
                        Err(fault) => return Opened::Failed(fault),
                    }
                }
                open.as_ref().map_or(Opened::No, |key| decrypt(encrypted, key))
            }
            Held::Plugin(key) => {
                let bridge = Bridge(ask.clone());
                match age::plugin::IdentityPluginV1::new(key.plugin(), std::slice::from_ref(key), bridge) {
                    Err(_) => Opened::Failed(no_plugin(key.plugin())),
                    Ok(plugin) => match decrypt(encrypted, &plugin) {
                        Opened::Failed(fault) => Opened::Failed(self.plugin_fault(key.plugin(), &fault)),
                        opened => opened,
                    },
                }
            }
            Held::FileProtected { bytes, open } => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if open.is_none() {
                    match self.unlock_file(bytes, ask) {
                        Ok(keys) => *open = Some(Arc::new(keys)),
                        Err(fault) => return Opened::Failed(fault),
                    }
                }
                let keys = open.clone().unwrap_or_default();
                drop(open);
                first(keys.iter(), encrypted, ask)
            }
        }
    }

    fn unlock(&self, key: &age::ssh::EncryptedKey, ask: &Arc<dyn Ask>) -> Result<age::ssh::Identity, Fault> {
        let phrase = self.passphrase(ask)?;
        key.decrypt(phrase).map(Into::into).map_err(|_| self.wrong_passphrase())
    }

    fn unlock_file(&self, bytes: &[u8], ask: &Arc<dyn Ask>) -> Result<Vec<Identity>, Fault> {
        let unusable = |detail: &str, fix: &'static str| {
            Fault::new(FaultKind::Identity, "a key cannot be used", format!("{}: {detail}", self.origin), fix)
        };
        let decryptor = Decryptor::new(ArmoredReader::new(bytes))
            .map_err(|_| unusable("the file of keys is damaged", "name a file of keys that `age -p` encrypted"))?;
        if !decryptor.is_scrypt() {
            return Err(unusable("it is encrypted, and not with a passphrase", "name a file of keys"));
        }
        let key = age::scrypt::Identity::new(self.passphrase(ask)?);
        match decrypt(bytes, &key) {
            Opened::Yes(text) => {
                let keys = read(&text, &self.origin)?;
                // One file of keys inside of another is nothing that anybody makes, and could go on for ever.
                if keys.iter().any(|key| matches!(key.held, Held::FileProtected { .. })) {
                    return Err(unusable("an encrypted file of keys in another one", "name a file of keys"));
                }
                Ok(keys)
            }
            Opened::No => Err(self.wrong_passphrase()),
            Opened::Failed(fault) => Err(fault),
        }
    }

    fn passphrase(&self, ask: &Arc<dyn Ask>) -> Result<age::secrecy::SecretString, Fault> {
        let given = ask.passphrase(&format!("Passphrase of {}", self.origin));
        given.map(|secret| phrase(&secret)).ok_or_else(|| {
            let detail = format!("{} is protected, and nobody is there to be asked", self.origin);
            let fix = "run it at a terminal, or name a key without a passphrase";
            Fault::new(FaultKind::NoPassphrase, "a key needs its passphrase", detail, fix)
        })
    }

    fn wrong_passphrase(&self) -> Fault {
        Fault::new(FaultKind::WrongPassphrase, "the passphrase is wrong", self.origin.clone(), "try again")
    }

    fn plugin_fault(&self, name: &str, fault: &Fault) -> Fault {
        let said = fault.told.detail.clone().unwrap_or_default();
        let detail = format!("age-plugin-{name} ({}): {said}", self.origin);
        let fix = "see to it that its key is plugged in and works: try it with `age -d`";
        Fault::new(FaultKind::Plugin, "a plugin failed", detail, fix)
    }
}

/// The first of several keys that opens it; if none does, the first failure, if there was one.
pub(super) fn first<'a>(keys: impl Iterator<Item = &'a Identity>, encrypted: &[u8], ask: &Arc<dyn Ask>) -> Opened {
    let mut failed = None;
    for key in keys {
        match key.open(encrypted, ask) {
            Opened::Yes(plain) => return Opened::Yes(plain),
            Opened::No => {}
            Opened::Failed(fault) => failed = failed.or(Some(fault)),
        }
    }
    failed.map_or(Opened::No, Opened::Failed)
}

/// Opens something with one key of the age crate.
pub(super) fn decrypt(encrypted: &[u8], key: &dyn age::Identity) -> Opened {
    let read = || {
        let mut reader = Decryptor::new(ArmoredReader::new(encrypted))?.decrypt(std::iter::once(key))?;
        // The text is shorter than what is encrypted, so that it is never moved and left behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(encrypted.len()));
        reader.read_to_end(&mut plain)?;
        Ok(plain)
    };
    match read() {
        Ok(plain) => Opened::Yes(plain),
        Err(DecryptError::NoMatchingKeys) => Opened::No,
        // A passphrase that is wrong; of other keys: a stanza that names our key and does not open with it.
        Err(DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed) => Opened::No,
        Err(error) => Opened::Failed(undecryptable(&error)),
    }
}

fn undecryptable(error: &DecryptError) -> Fault {
    let said = match error {
        // The words of the age crate go on with advice of several lines.
        DecryptError::Io(error) => error.to_string().lines().next().unwrap_or("").to_owned(),
        DecryptError::InvalidMac | DecryptError::InvalidHeader => "its header was changed or is damaged".into(),
        DecryptError::Plugin(errors) => {
            errors.iter().map(|error| one_line(&error.to_string())).collect::<Vec<_>>().join("; ")
        }
        other => one_line(&other.to_string()),
    };
    Fault::new(FaultKind::Format, "what age encrypted cannot be opened", said, "take it from where it was written")
}
