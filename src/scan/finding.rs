//! Owns a finding: where it is and of which rule, never what it is.
//!
//! Its number depends on the value only where nobody could guess it; else it is made of what is shown anyway, so that a
//! file of accepted findings tells nothing about them.

use sha2::{Digest, Sha256};

use super::rules::Rule;

/// How long a value is, as far as that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Length {
    /// Up to 11 characters.
    Short,
    /// 12 to 31.
    Medium,
    /// 32 to 127.
    Long,
    /// More.
    Huge,
}

impl Length {
    /// The class of a value.
    pub fn of(value: &str) -> Self {
        match value.chars().take(128).count() {
            0..=11 => Length::Short,
            12..=31 => Length::Medium,
            32..=127 => Length::Long,
            _ => Length::Huge,
        }
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Length::Short => "short",
            Length::Medium => "medium",
            Length::Long => "long",
            Length::Huge => "huge",
        }
    }
}

/// One secret in plaintext.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Sixteen hexadecimal digits that stay the same while lines move.
    pub id: String,
    /// By which rule.
    pub rule: &'static Rule,
    /// The file: `path`, or `host:path`.
    pub place: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1; where the value begins.
    pub column: usize,
    /// The name that it stands under, unless that tells the value.
    pub key: Option<String>,
    /// How long it is.
    pub length: Length,
}

/// The number of a finding. `nth` counts those of one file that are alike in everything that is shown.
pub(super) fn id(rule: &Rule, place: &str, key: Option<&str>, length: Length, value: &str, nth: usize) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_be_bytes());
        hash.update(text.as_bytes());
    };
    part("rempart finding 1");
    part(rule.id);
    part(place);
    if rule.unguessable {
        part(value);
    } else {
        part(key.unwrap_or(""));
        part(length.name());
        part(&nth.to_string());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The name as it may be shown.
pub(super) fn shown_key(key: &str, value: &str) -> Option<String> {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || "_-. ".contains(c));
    let (name, inside) = (key.to_ascii_lowercase(), value.to_ascii_lowercase());
    // A short value is in many names by chance, and nobody learns it from there.
    let tells = inside.len() >= 4 && name.contains(&inside)
        || name.len() >= 4 && inside.contains(&name) && inside.len() < name.len() + 2;
    (plain && !key.is_empty() && key.len() <= 64 && !tells).then(|| key.to_owned())
}
