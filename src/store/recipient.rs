//! Owns recipients: whom a data key is encrypted for, and how that is done.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use age::armor::{ArmoredWriter, Format};
use age::{EncryptError, Encryptor};

use super::ask::{Ask, Bridge};
use super::fault::{Fault, FaultKind};

/// Somebody who can open what is encrypted for them, named by a public key.
#[derive(Clone)]
pub struct Recipient {
    text: String,
    key: Key,
}

#[derive(Clone)]
enum Key {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
    Tag(age::tag::Recipient),
    Plugin(age::plugin::Recipient),
}

impl Recipient {
    /// Reads `age1…`, `ssh-ed25519 …`, `ssh-rsa …`, or the recipient of a plugin (`age1yubikey1…`). The comment behind an
    /// SSH key is no part of it.
    ///
    /// # Errors
    /// It is none of these; the message never repeats a private key that was put here by mistake.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        let fail = |detail: String| {
            let fix = "give a public key: age1…, ssh-ed25519 … or ssh-rsa …";
            Err(Fault::new(FaultKind::Recipient, "not a recipient", detail, fix))
        };
        if text.to_uppercase().starts_with("AGE-SECRET-KEY-") || text.to_uppercase().starts_with("AGE-PLUGIN-") {
            return fail("this is a private key; it belongs to nobody but its owner".into());
        }
        let key = if text.starts_with("ssh-") {
            match text.parse() {
                Ok(key) => Key::Ssh(key),
                Err(error) => return fail(format!("`{}`: {}", short(text), ssh_reason(&error))),
            }
        } else if let Ok(key) = text.parse() {
            Key::X25519(key)
        } else if let Ok(key) = text.parse() {
            Key::Tag(key)
        } else if let Ok(key) = text.parse() {
            Key::Plugin(key)
        } else {
            return fail(format!("`{}` is no public key of age, and none of SSH", short(text)));
        };
        Ok(Self { text: bare(text), key })
    }

    /// The name of the plugin that is needed to encrypt for it, if one is.
    pub fn plugin(&self) -> Option<&str> {
        match &self.key {
            Key::Plugin(key) => Some(key.plugin()),
            _ => None,
        }
    }

    /// Whether both name the same key.
    pub fn same_as(&self, other: &Recipient) -> bool {
        self.text == other.text
    }

    fn boxed(&self, ask: &Arc<dyn Ask>) -> Result<Box<dyn age::Recipient>, Fault> {
        Ok(match &self.key {
            Key::X25519(key) => Box::new(key.clone()),
            Key::Ssh(key) => Box::new(key.clone()),
            Key::Tag(key) => Box::new(key.clone()),
            Key::Plugin(key) => {
                let plugin = age::plugin::RecipientPluginV1::new(
                    key.plugin(),
                    std::slice::from_ref(key),
                    &[],
                    Bridge(ask.clone()),
                );
                Box::new(plugin.map_err(|_| no_plugin(key.plugin()))?)
            }
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.text)
    }
}

/// Encrypts for all of the recipients at once, as armored text or as bytes.
///
/// # Errors
/// There is no recipient, a plugin is missing or fails, or recipients that may not be mixed.
pub(super) fn encrypt(
    plain: &[u8],
    recipients: &[Recipient],
    armored: bool,
    ask: &Arc<dyn Ask>,
) -> Result<Vec<u8>, Fault> {
    let keys = recipients.iter().map(|recipient| recipient.boxed(ask)).collect::<Result<Vec<_>, _>>()?;
    let encryptor = Encryptor::with_recipients(keys.iter().map(|key| &**key)).map_err(|error| unwritable(&error))?;
    let format = if armored { Format::AsciiArmor } else { Format::Binary };
    let mut out = Vec::new();
    let write = |out: &mut Vec<u8>| {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(out, format)?)?;
        writer.write_all(plain)?;
        writer.finish()?.finish().map(|_| ())
    };
    write(&mut out).map_err(|error: std::io::Error| unwritable(&EncryptError::Io(error)))?;
    Ok(out)
}

fn unwritable(error: &EncryptError) -> Fault {
    let (kind, fix) = match error {
        EncryptError::MissingRecipients => (FaultKind::Recipient, "name at least one recipient"),
        EncryptError::Plugin(_) => (FaultKind::Plugin, "see to it that the plugin works: try it with `age`"),
        _ => (FaultKind::Recipient, "look at the recipients: not all kinds can be mixed"),
    };
    Fault::new(kind, "cannot encrypt for the recipients", one_line(&error.to_string()), fix)
}

pub(super) fn no_plugin(name: &str) -> Fault {
    let detail = format!("age-plugin-{name} is not in PATH");
    Fault::new(FaultKind::Plugin, "a plugin is missing", detail, "install it, or use another key")
}

fn ssh_reason(error: &age::ssh::ParseRecipientKeyError) -> String {
    use age::ssh::ParseRecipientKeyError as Why;
    match error {
        Why::RsaModulusTooSmall => "an RSA key of under 2048 bits is too weak".into(),
        Why::RsaModulusTooLarge => "an RSA key of this size is not supported".into(),
        Why::Unsupported(kind) => format!("keys of type {kind} cannot be encrypted for"),
        _ => "it is no SSH public key, or one that cannot be encrypted for".into(),
    }
}

/// An SSH key without its comment.
pub(super) fn bare(text: &str) -> String {
    let most = if text.starts_with("ssh-") { 2 } else { usize::MAX };
    text.split_whitespace().take(most).collect::<Vec<_>>().join(" ")
}

/// As much of a recipient as it takes to recognise it.
pub(super) fn short(text: &str) -> String {
    let bare = bare(text);
    let count = bare.chars().count();
    if count <= 40 {
        return bare;
    }
    let end: String = bare.chars().skip(count - 8).collect();
    format!("{}…{end}", bare.chars().take(24).collect::<String>())
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_no_recipient_and_is_not_repeated() {
        let fault = Recipient::parse("AGE-SECRET-KEY-1QQQQ").unwrap_err();
        assert_eq!(fault.kind, FaultKind::Recipient);
        assert!(!format!("{fault:?}").contains("QQQQ"));
    }

    #[test]
    fn each_bad_recipient_says_why() {
        for (text, says) in [
            ("age1abc", "no public key of age"),
            ("ssh-ed25519 AAAA", "no SSH public key"),
            ("alice", "no public key"),
            ("", "no public key"),
        ] {
            let told = Recipient::parse(text).unwrap_err().told;
            assert!(told.detail.clone().unwrap_or_default().contains(says), "{text}: {told:?}");
        }
    }
}
