//! Owns `Secret`, a value with a name that can be shown and a content that cannot.

use std::fmt;

use zeroize::Zeroizing;

/// A value that must not be shown; its name may be.
#[derive(Clone)]
pub struct Secret {
    name: String,
    value: Zeroizing<String>,
}

impl Secret {
    /// Wraps a value under the name by which people know it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Zeroizing::new(value.into()) }
    }

    /// The name by which people know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content. From outside `secret` only `transport` may call this, to send it, and `store`, to encrypt it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// The content for `yaml::decode`, which wraps it again at once.
    pub(crate) fn for_decoder(&self) -> Zeroizing<String> {
        self.value.clone()
    }

    /// A secret made from this one, under the same name, such as its base64 form.
    #[must_use]
    pub fn map(&self, change: impl FnOnce(&str) -> String) -> Secret {
        Secret { name: self.name.clone(), value: Zeroizing::new(change(&self.value)) }
    }

    /// The same content under another name.
    #[must_use]
    pub fn renamed(&self, name: impl Into<String>) -> Secret {
        Secret { name: name.into(), value: self.value.clone() }
    }

    /// Whether both hold the same content. The time taken does not depend on where they differ.
    pub fn same_as(&self, other: &Secret) -> bool {
        let (a, b) = (self.value.as_bytes(), other.value.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
    }

    /// Whether the content holds one of `characters`; for checks that a value fits the line it lands in.
    pub fn has_any(&self, characters: &[char]) -> bool {
        self.value.contains(characters)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}
