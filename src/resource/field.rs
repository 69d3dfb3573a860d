//! Owns the values of fields: what is wanted, what was read, and whether they agree.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::secret::Rendered;

/// The fields of a resource by name. Names are those of the playbook; parts of one field are `field.part`.
pub type Fields = BTreeMap<String, FieldValue>;

/// The value of a field, wanted or seen.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// One line of text, such as a mode or a version.
    Text(String),
    /// Several texts; the order counts.
    List(Vec<String>),
    /// Wanted text of any length that may hold secrets; shown as a diff, masked.
    Wanted(Rendered),
    /// Text as read from a host, which may hold old secrets; never shown but through a masking diff.
    Read(ReadText),
}

impl FieldValue {
    /// One line of text.
    pub fn text(value: impl Into<String>) -> Self {
        FieldValue::Text(value.into())
    }

    /// A list of texts.
    pub fn list<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        FieldValue::List(values.into_iter().map(Into::into).collect())
    }

    /// Whether a seen value is what this one wants. Values of different shapes never agree.
    pub fn agrees_with(&self, seen: &FieldValue) -> bool {
        match (self, seen) {
            (FieldValue::Bool(a), FieldValue::Bool(b)) => a == b,
            (FieldValue::Int(a), FieldValue::Int(b)) => a == b,
            (FieldValue::Text(a), FieldValue::Text(b)) => a == b,
            (FieldValue::List(a), FieldValue::List(b)) => a == b,
            (FieldValue::Wanted(_), FieldValue::Read(ReadText::AsWanted)) => true,
            (FieldValue::Wanted(a), FieldValue::Read(ReadText::Bytes(b) | ReadText::OfSecret(b))) => a.is(b),
            _ => false,
        }
    }
}

/// Text as read from a host. Its `Debug` shows its size only, since it may hold an old secret.
#[derive(Clone)]
pub enum ReadText {
    /// The host found it to be the wanted text, by hash.
    AsWanted,
    /// These bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// These bytes, of something that held a secret once, whatever it holds now: nothing of it is shown.
    OfSecret(Zeroizing<Vec<u8>>),
    /// It differs from what is wanted, and is too long to be read for a diff.
    TooLong {
        /// Its size in bytes.
        size: u64,
    },
}

impl fmt::Debug for ReadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadText::AsWanted => f.write_str("AsWanted"),
            ReadText::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            ReadText::OfSecret(bytes) => write!(f, "OfSecret({} bytes)", bytes.len()),
            ReadText::TooLong { size } => write!(f, "TooLong({size} bytes)"),
        }
    }
}
