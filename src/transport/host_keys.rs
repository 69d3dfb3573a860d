//! Owns the judgement over a host's key: known, pinned, unknown, changed or revoked.
//!
//! Must not connect. There is no way to switch it off.

use std::fs;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use super::known_hosts::{Entry, Marker, parse, written};
use super::route::Route;

/// A host's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// Its type, such as `ssh-ed25519`.
    pub kind: String,
    blob: Vec<u8>,
}

impl HostKey {
    /// Takes a key as it travels; `None` if its type cannot be read.
    pub fn from_blob(blob: Vec<u8>) -> Option<Self> {
        let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?) as usize;
        let kind = std::str::from_utf8(blob.get(4..)?.get(..length)?).ok()?.to_owned();
        let plain = !kind.is_empty() && kind.bytes().all(|c| c.is_ascii_graphic());
        plain.then_some(Self { kind, blob })
    }

    /// The key as known_hosts writes it.
    pub fn base64(&self) -> String {
        BASE64.encode(&self.blob)
    }

    /// `SHA256:...`, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

/// `SHA256:...` of a key as it travels.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// The key exchange names of a key type, in the order wanted; RSA keys have several.
pub(super) const KEY_TYPES: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa"),
];

/// What a key that a host presents is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands in known_hosts, there.
    Known(String),
    /// The inventory pins it.
    Pinned,
    /// Nothing is known of the host.
    New,
    /// Another key of its type is known of the host.
    Wrong,
    /// The inventory pins others. A host has keys of several types, so that alone contradicts no pin.
    Unpinned,
    /// It is revoked, there.
    Revoked(String),
}

/// All that is known of one host's key before connecting.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    name: String,
    entries: Vec<Entry>,
    elsewhere: Vec<Entry>,
    pinned: Vec<String>,
    command: String,
}

impl Known {
    /// Reads what is known of the host that `route` leads to.
    pub fn read(route: &Route) -> Result<Self, String> {
        let name = route.known_as();
        let command = format!("rempart trust {}", route.name);
        let mut known = Self { name, command, pinned: route.pinned.clone(), ..Self::default() };
        let (has_alias, port) = (route.alias.is_some(), route.port);
        let bare = written(&route.address, 22);
        for file in &route.known_files {
            let text = match fs::read(file) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
            };
            for entry in parse(&text, file)? {
                if entry.speaks_of(&known.name) {
                    known.entries.push(entry);
                } else if !has_alias && port != 22 && entry.speaks_of(&bare)
                    || route.siblings.iter().any(|name| entry.speaks_of(name))
                {
                    // As OpenSSH: a line without a port can vouch for another port, but cannot contradict. So can a line
                    // about another way to the same host, since its key is the host's and not the way's.
                    known.elsewhere.push(entry);
                }
            }
        }
        Ok(known)
    }

    /// What a key that the host presents is to us.
    pub fn standing(&self, presented: &HostKey) -> Standing {
        let mut all = self.entries.iter().chain(&self.elsewhere);
        if let Some(entry) = all.find(|entry| entry.marker == Marker::Revoked && entry.key == *presented) {
            return Standing::Revoked(entry.place());
        }
        let fingerprint = presented.fingerprint();
        if self.pinned.iter().any(|pin| same_fingerprint(pin, &fingerprint)) {
            return Standing::Pinned;
        }
        match self.believed().find(|entry| entry.key == *presented) {
            Some(entry) => Standing::Known(entry.place()),
            None if self.own_lines().any(|entry| entry.key.kind == presented.kind) => Standing::Wrong,
            None if !self.pinned.is_empty() => Standing::Unpinned,
            None => Standing::New,
        }
    }

    // The lines that say which key the host has: those elsewhere have a word only where there is none by its own name.
    fn believed(&self) -> impl Iterator<Item = &Entry> {
        let elsewhere = if self.own_lines().next().is_none() { self.elsewhere.as_slice() } else { &[] };
        self.own_lines().chain(elsewhere.iter().filter(|entry| entry.marker == Marker::Host))
    }

    /// The lines that say which key the host has, by its own name.
    pub fn own_lines(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.marker == Marker::Host)
    }

    /// The key exchange names to offer, those of known types first: a host known by another type is then no mismatch.
    /// Certificates are left out: libssh2 offers them unasked, and does not look who signed them. `without` types that the
    /// host has presented and that are none of those pinned: a pin does not say of which type it is.
    pub fn preference(&self, without: &[String]) -> String {
        let is_known = |kind: &str| self.believed().any(|entry| entry.key.kind == kind);
        let (first, rest): (Vec<_>, Vec<_>) = KEY_TYPES.iter().partition(|(kind, _)| is_known(kind));
        let wanted = |kind: &str| !without.iter().any(|presented| presented == kind);
        first
            .iter()
            .chain(&rest)
            .filter(|(kind, _)| wanted(kind))
            .map(|(_, names)| *names)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Whether `presented` is the host's key; else why not, in words.
    pub fn judge(&self, presented: &HostKey) -> Result<(), String> {
        let its_key = format!("its key {} ({})", presented.fingerprint(), presented.kind);
        let why = match self.standing(presented) {
            Standing::Known(_) | Standing::Pinned => return Ok(()),
            Standing::Revoked(place) => {
                format!("{its_key} is revoked by {place}; do not connect, and ask who revoked it")
            }
            Standing::Wrong => self.changed(presented),
            Standing::Unpinned => {
                let (count, pins) = (self.pinned.len(), self.pinned.join(", "));
                format!("{its_key} is none of the {count} pinned in the inventory ({pins})")
            }
            Standing::New => match self.entries.iter().find(|entry| entry.marker == Marker::Authority) {
                _ if self.own_lines().next().is_some() => self.changed(presented),
                Some(entry) => format!(
                    "{its_key} is known only through the certificate authority of {}, and host certificates are not \
                     supported; compare the fingerprint and run `{}`",
                    entry.place(),
                    self.command
                ),
                None => format!(
                    "{its_key} is not known as {}; compare the fingerprint with the host's and run `{}`",
                    self.name, self.command
                ),
            },
        };
        Err(why)
    }

    // In words that it is not the key, or none of the types, of its own lines.
    fn changed(&self, presented: &HostKey) -> String {
        let same_type = self.own_lines().find(|entry| entry.key.kind == presented.kind);
        let verdict = if same_type.is_some() { "HAS CHANGED" } else { "is of a type not known for it" };
        let known = same_type.or_else(|| self.own_lines().next()).map_or_else(String::new, |entry| {
            format!("{} ({}, {})", entry.key.fingerprint(), entry.key.kind, entry.place())
        });
        format!(
            "its key {verdict}: presented is {} ({}), known is {known}; if the change is meant, run `{} --replace`, else \
             somebody may be listening",
            presented.fingerprint(),
            presented.kind,
            self.command
        )
    }
}

/// Whether a fingerprint as somebody wrote it is this one.
pub fn same_fingerprint(pin: &str, fingerprint: &str) -> bool {
    pin.trim().trim_end_matches('=') == fingerprint
}
