//! Owns the known_hosts format: reads its lines, says which of them speak of a host, and appends to the file.
//!
//! Must not connect, and does not decide: `host_keys` does. We read it ourselves since libssh2 passes over `@revoked`
//! (fails open), wildcards and CA lines, and takes a host known by another key type for a changed one.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::host_keys::HostKey;
use super::pattern::any_fits;

/// What a marker makes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// None: the host's key.
    Host,
    /// `@cert-authority`.
    Authority,
    /// `@revoked`.
    Revoked,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub marker: Marker,
    pub key: HostKey,
    pub file: PathBuf,
    pub line: usize,
    hosts: Hosts,
}

#[derive(Clone, Debug)]
enum Hosts {
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
    Patterns(Vec<String>),
}

impl Entry {
    /// Whether this line speaks of `name`, written as known_hosts writes it.
    pub fn speaks_of(&self, name: &str) -> bool {
        match &self.hosts {
            Hosts::Hashed { salt, hash } => hash_of(name, salt).is_some_and(|found| found == *hash),
            Hosts::Patterns(patterns) => any_fits(patterns.iter().map(String::as_str), name),
        }
    }

    /// `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// A host as known_hosts writes it: bare on port 22, else `[host]:port`.
pub(super) fn written(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The lines of a file that can be read; others say nothing, except that a line meant to revoke must not be lost.
pub(super) fn parse(text: &str, file: &Path) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            Some((marker, hosts, key)) => {
                entries.push(Entry { marker, key, file: file.to_owned(), line: at + 1, hosts });
            }
            None if line.starts_with("@revoked") => {
                return Err(format!("{}:{}: this @revoked line cannot be read", file.display(), at + 1));
            }
            None => {}
        }
    }
    Ok(entries)
}

fn entry(line: &str) -> Option<(Marker, Hosts, HostKey)> {
    let mut words = line.split_whitespace();
    let mut hosts = words.next()?;
    let marker = match hosts {
        "@cert-authority" => Marker::Authority,
        "@revoked" => Marker::Revoked,
        _ if hosts.starts_with('@') => return None,
        _ => Marker::Host,
    };
    if marker != Marker::Host {
        hosts = words.next()?;
    }
    let (kind, data) = (words.next()?, words.next()?);
    let key = HostKey::from_blob(BASE64.decode(data).ok()?)?;
    if key.kind != kind {
        return None;
    }
    let hosts = match hosts.strip_prefix("|1|") {
        Some(rest) => {
            let (salt, hash) = rest.split_once('|')?;
            Hosts::Hashed { salt: BASE64.decode(salt).ok()?, hash: BASE64.decode(hash).ok()? }
        }
        None => Hosts::Patterns(hosts.split(',').map(str::to_ascii_lowercase).collect()),
    };
    Some((marker, hosts, key))
}

fn hash_of(name: &str, salt: &[u8]) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// Appends the keys of `host` to the known_hosts file `path`, in one write; makes the file and its folder if need be.
/// With `hashed` the name is written as a hash, as ssh_config's `HashKnownHosts` wants.
pub fn remember(path: &Path, host: &str, port: u16, keys: &[HostKey], hashed: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut text = String::new();
    let end = file.seek(SeekFrom::End(0))?;
    if end > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    for key in keys {
        let mut name = written(host, port);
        if name.contains(char::is_whitespace) || name.contains(['*', '?', ',', '!', '|']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no name of a host")));
        }
        if hashed {
            let mut salt = [0; 20];
            getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
            let hash = hash_of(&name, &salt).unwrap_or_default();
            name = format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(hash));
        }
        text.push_str(&format!("{name} {} {}\n", key.kind, key.base64()));
    }
    // One write in append mode: two of us at once cannot mix their lines.
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
