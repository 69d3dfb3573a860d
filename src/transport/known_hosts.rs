//! Owns the known_hosts format: reads its lines, says which of them speak of a host, and writes to the file.
//!
//! Must not connect, and does not decide: `host_keys` does. We read it ourselves since libssh2 passes over `@revoked`
//! (fails open), wildcards and CA lines, and takes a host known by another key type for a changed one.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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

impl Hosts {
    fn speaks_of(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => hash_of(name, salt).is_some_and(|found| found == *hash),
            Self::Patterns(patterns) => any_fits(patterns.iter().map(String::as_str), name),
        }
    }
}

impl Entry {
    /// Whether this line speaks of `name`, written as known_hosts writes it.
    pub fn speaks_of(&self, name: &str) -> bool {
        self.hosts.speaks_of(name)
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

/// Appends keys of the host that is called `name` to the known_hosts file `path`, in one write; makes the file and its
/// folder if need be. With `hashed` the name is written as a hash, as ssh_config's `HashKnownHosts` wants.
pub(super) fn remember(path: &Path, name: &str, keys: &[HostKey], hashed: bool) -> io::Result<()> {
    make_folder(path)?;
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
    text.push_str(&lines(name, keys, hashed)?);
    // One write in append mode: two of us at once cannot mix their lines.
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What is to be a known_hosts file, written whole beside it; nothing is changed before [`Replacement::put`].
pub(super) struct Replacement {
    path: PathBuf,
    beside: PathBuf,
}

/// Prepares to put `keys` in the place of all that the file `path` says of the keys of `name`, in one move: a reader sees the
/// old file or the new one.
pub(super) fn replacement(path: &Path, name: &str, keys: &[HostKey], hashed: bool) -> io::Result<Replacement> {
    make_folder(path)?;
    let path = own_place(path);
    let (old, meta) = match fs::read(&path) {
        Ok(bytes) => (bytes, Some(fs::metadata(&path)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(error),
    };
    let mut text = without(&old, name).map_err(|line| {
        let place = format!("{}:{line}", path.display());
        io::Error::other(format!("{place} speaks of other hosts by the same pattern; change that line by hand"))
    })?;
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(lines(name, keys, hashed)?.as_bytes());
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let beside = path.with_extension(format!("rempart-{:016x}", u64::from_ne_bytes(random)));
    let mode = meta.as_ref().map_or(0o600, |meta| meta.permissions().mode() & 0o7777);
    let replacement = Replacement { path, beside };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&replacement.beside)?;
    file.write_all(&text)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(meta) = &meta {
        // Somebody else's file stays theirs where we may give it away.
        let _ = std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()));
    }
    file.sync_all()?;
    Ok(replacement)
}

impl Replacement {
    /// Puts it into its place.
    pub fn put(self) -> io::Result<()> {
        fs::rename(&self.beside, &self.path)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Once it was put there is none.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Where a file is in truth: a link to it stays one, and two names of it are one file.
pub(super) fn own_place(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

fn lines(name: &str, keys: &[HostKey], hashed: bool) -> io::Result<String> {
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains(['*', '?', ',', '!', '|', '#']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no name of a host")));
    }
    let mut text = String::new();
    for key in keys {
        let mut shown = name.to_owned();
        if hashed {
            let mut salt = [0; 20];
            getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
            let hash = hash_of(name, &salt).unwrap_or_default();
            shown = format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(hash));
        }
        text.push_str(&format!("{shown} {} {}\n", key.kind, key.base64()));
    }
    Ok(text)
}

// The file without the lines that give `name` a key; one that names several hosts loses this name alone. An error is the
// number of a line whose pattern fits others, too.
fn without(old: &[u8], name: &str) -> Result<Vec<u8>, usize> {
    let mut text = Vec::with_capacity(old.len());
    for (at, line) in old.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let shown = String::from_utf8_lossy(line);
        let found = entry(shown.trim()).filter(|(marker, hosts, _)| *marker == Marker::Host && hosts.speaks_of(name));
        match found {
            None => text.extend_from_slice(line),
            Some((_, Hosts::Hashed { .. }, _)) => {}
            Some((_, Hosts::Patterns(patterns), _)) => {
                if patterns.iter().any(|pattern| pattern.contains(['*', '?', '!'])) {
                    return Err(at + 1);
                }
                let (names, rest) = shown.trim().split_once(char::is_whitespace).unwrap_or_default();
                let left: Vec<&str> = names.split(',').filter(|one| !one.eq_ignore_ascii_case(name)).collect();
                if !left.is_empty() {
                    text.extend_from_slice(format!("{} {rest}\n", left.join(",")).as_bytes());
                }
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
