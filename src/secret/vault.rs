//! Owns the question that templates have to a store of secrets: what stands under a name.
//!
//! Must not know of files, keys and formats; who has a store answers.

use std::fmt;

use super::Secret;

/// Where secrets are looked up.
pub trait Vault: fmt::Debug + Send + Sync {
    /// Whether there is a store at all: where there is none, no template can come by a secret this way.
    fn is_there(&self) -> bool;

    /// The secret of a name such as `gw/token`; a locked one where its key is not at hand.
    ///
    /// # Errors
    /// There is none of that name, or the store cannot be read.
    fn get(&self, name: &str) -> Result<Secret, NoSecret>;
}

/// Why there is no secret. What a key would be needed for is none of this: such a secret is there, and locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSecret {
    /// There is no store.
    NoStore,
    /// No secret of the store has the name; these are its names.
    Unknown {
        /// All names, sorted; they can be read without a key.
        known: Vec<String>,
        /// Whether the store would take the name for a new secret.
        free: bool,
    },
    /// The store says something that cannot be relied on.
    Broken {
        /// In which way, with the file.
        why: String,
        /// What to do.
        fix: String,
    },
}

/// The store of those who have none.
#[derive(Clone, Copy, Debug)]
pub struct NoVault;

impl Vault for NoVault {
    fn is_there(&self) -> bool {
        false
    }

    fn get(&self, _: &str) -> Result<Secret, NoSecret> {
        Err(NoSecret::NoStore)
    }
}
