//! Owns what can go wrong with the store: a kind that callers can tell apart, and the message that people read.
//!
//! No message holds a value, a passphrase or a private key.

use crate::model::{Diagnostic, Place, did_you_mean};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no key on this machine.
    NoKey,
    /// There are keys, and none of them is a recipient.
    WrongKey,
    /// A key is protected, and nobody could be asked for its passphrase.
    NoPassphrase,
    /// A passphrase was given, and it is wrong.
    WrongPassphrase,
    /// A plugin is missing or failed.
    Plugin,
    /// A key, a command or a file that was named cannot be used.
    Identity,
    /// A recipient is no key that one can encrypt for.
    Recipient,
    /// A value does not open: its bytes were changed, or it comes from another file.
    ValueChanged,
    /// A value stands under a key that is not its own.
    ValueMoved,
    /// A value of another file stands here.
    ValueForeign,
    /// Values were swapped, added or removed: the file's own MAC does not fit.
    MacWrong,
    /// A value that must be encrypted is not.
    PlainValue,
    /// An entry among the recipients does not belong to the key that it names.
    RecipientChanged,
    /// The file bears no seal of the project.
    Unsealed,
    /// The seal was made with another project key.
    SealForeign,
    /// The seal was made for a file of another name.
    SealName,
    /// The recipients are not those that were sealed.
    SealRecipients,
    /// The rules on what is encrypted are not those that were sealed.
    SealRules,
    /// The values are not those that were sealed.
    SealValues,
    /// The seal itself was changed.
    SealBroken,
    /// The project key is not the one that this computer knows the store with.
    ProjectChanged,
    /// A newer version of the file was here before.
    RolledBack,
    /// There is no such secret.
    Missing,
    /// It is well-formed, and not supported.
    Unsupported,
    /// The file cannot be read, or is no file of the store.
    Format,
    /// It cannot be written.
    Write,
}

impl FaultKind {
    /// Whether it only says that this machine cannot open the file: planning goes on, and what depends on a secret is
    /// unknown.
    pub fn is_without_key(self) -> bool {
        matches!(self, FaultKind::NoKey | FaultKind::WrongKey | FaultKind::NoPassphrase)
    }
}

/// Something that went wrong with the store.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What kind of thing.
    pub kind: FaultKind,
    /// What people are told.
    pub told: Box<Diagnostic>,
}

impl Fault {
    /// A fault with its summary and the one thing to do about it.
    pub(super) fn new(kind: FaultKind, summary: &'static str, detail: impl Into<String>, fix: &'static str) -> Self {
        Self { kind, told: Box::new(Diagnostic::error(summary).because(detail).fix(fix)) }
    }

    /// Says where.
    #[must_use]
    pub(super) fn at(mut self, place: &Place, label: &str) -> Self {
        *self.told = self.told.at(place, label);
        self
    }

    /// Says where, unless something nearer was said already.
    #[must_use]
    pub(super) fn within(self, path: &str) -> Self {
        if self.told.place.is_some() { self } else { self.at(&Place::outside(path), "") }
    }
}

/// What may have been meant, to stand behind a name that is not there; nothing where nothing is near.
pub(super) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        *fault.told
    }
}

/// A message that was made elsewhere, such as by the YAML reader.
impl From<Diagnostic> for Fault {
    fn from(told: Diagnostic) -> Self {
        Self { kind: FaultKind::Format, told: Box::new(told) }
    }
}
