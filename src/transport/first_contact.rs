//! Owns the first contact with a host: which keys it presents, what each of them is to us, and remembering them.
//!
//! Must not decide: whether a key is to be believed is a person's word, or that of a fingerprint got on another way.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::host_keys::{HostKey, Standing};
use super::known_hosts::{Replacement, own_place, remember, replacement};
use super::route::Route;
use super::ways::routes;
use super::{Target, TransportError};

/// Who answers at a host.
#[derive(Clone, Debug)]
pub struct Contact {
    /// `address:port`.
    pub place: String,
    /// The keys that it presents.
    pub keys: Vec<Presented>,
    /// What known_hosts says of it by this name: of other keys, where one was changed.
    pub old: Vec<OldKey>,
    /// The fingerprints that the inventory pins.
    pub pins: Vec<String>,
    name: String,
    file: Option<PathBuf>,
    hashed: bool,
}

/// A key that a host presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The key.
    pub key: HostKey,
    /// What it is to us.
    pub standing: Standing,
}

/// A key that known_hosts has for the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldKey {
    /// Its type.
    pub kind: String,
    /// `SHA256:...`
    pub fingerprint: String,
    /// `file:line`.
    pub place: String,
    file: PathBuf,
}

impl Contact {
    pub(super) fn of(route: &Route, keys: Vec<HostKey>) -> Result<Self, TransportError> {
        let known = route.known()?;
        let old = known.own_lines().map(|entry| OldKey {
            kind: entry.key.kind.clone(),
            fingerprint: entry.key.fingerprint(),
            place: entry.place(),
            file: entry.file.clone(),
        });
        let old = old.collect();
        let present = |key: HostKey| Presented { standing: known.standing(&key), key };
        Ok(Self {
            place: route.place(),
            keys: keys.into_iter().map(present).collect(),
            old,
            pins: route.pinned.clone(),
            name: route.known_as(),
            file: route.known_files.first().cloned(),
            hashed: route.hash_known_hosts,
        })
    }

    /// What these keys are to us at another place of the same host. Nobody is asked.
    ///
    /// # Errors
    /// ssh_config or known_hosts cannot be read.
    pub fn at(&self, target: &Target) -> Result<Self, TransportError> {
        let keys = self.keys.iter().map(|presented| presented.key.clone()).collect();
        match routes(target)?.first() {
            Some((_, route)) => Self::of(route, keys),
            None => Ok(self.clone()),
        }
    }

    /// Whether we know who answers, and would connect.
    pub fn is_known(&self) -> bool {
        let is = |presented: &Presented| matches!(presented.standing, Standing::Known(_) | Standing::Pinned);
        self.keys.iter().any(is) && !self.is_changed() && self.revoked().is_none()
    }

    /// Whether another key was known of it.
    pub fn is_changed(&self) -> bool {
        let known = |presented: &Presented| matches!(presented.standing, Standing::Known(_) | Standing::Pinned);
        let others_known = !self.old.is_empty() || !self.pins.is_empty();
        self.keys.iter().any(|presented| presented.standing == Standing::Wrong)
            || others_known && !self.keys.iter().any(known)
    }

    /// A presented key that is revoked, if there is one.
    pub fn revoked(&self) -> Option<&Presented> {
        self.keys.iter().find(|presented| matches!(presented.standing, Standing::Revoked(_)))
    }

    /// The known_hosts file that is written to, if any is read for this host.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Writes down these keys as the host's; what was known of it by this name goes. All files that say something of it are
    /// written whole before one of them is exchanged, so that one which cannot be written leaves all as they are.
    ///
    /// # Errors
    /// A file cannot be written, or an old line speaks of other hosts, too.
    pub fn remember(&self, keys: &[HostKey]) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Err(io::Error::other("no known_hosts file is read for this host"));
        };
        if self.old.is_empty() {
            return remember(file, &self.name, keys, self.hashed);
        }
        let own = own_place(file);
        let others: BTreeSet<PathBuf> = self.old.iter().map(|old| own_place(&old.file)).collect();
        let prepared = |path: &Path, keys: &[HostKey]| {
            replacement(path, &self.name, keys, self.hashed).map_err(|error| match error.kind() {
                // It names the line.
                io::ErrorKind::Other => error,
                kind => io::Error::new(kind, format!("{}: {error}", path.display())),
            })
        };
        // The new keys first: were this to end between two files, both would be believed, and the next try mends it.
        let mut all = vec![prepared(&own, keys)?];
        for other in others.iter().filter(|other| **other != own) {
            all.push(prepared(other, &[])?);
        }
        all.into_iter().try_for_each(Replacement::put)
    }
}
