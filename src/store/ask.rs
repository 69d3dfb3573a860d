//! Owns the questions that a key may raise: a passphrase, a touch, a PIN. Must not know who answers.

use std::sync::Arc;

use age::Callbacks;
use age::secrecy::SecretString;

use crate::model::Diagnostic;
use crate::secret::Secret;

/// Who answers questions about keys: a person at a terminal, or nobody.
pub trait Ask: Send + Sync {
    /// A passphrase or a PIN; `None` = nobody is there to give it.
    fn passphrase(&self, question: &str) -> Option<Secret>;

    /// Something that need not be hidden.
    fn text(&self, question: &str) -> Option<String>;

    /// A choice between `yes` and `no`; `None` = nobody is there to make it.
    fn choice(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool>;

    /// Shows what a plugin has to say, such as that a key wants to be touched.
    fn show(&self, message: &str);

    /// Tells what is not as it should be, and stops nobody.
    fn warn(&self, told: Diagnostic) {
        self.show(&told.summary);
    }
}

/// Nobody: every question stays without an answer.
pub struct Nobody;

impl Ask for Nobody {
    fn passphrase(&self, _: &str) -> Option<Secret> {
        None
    }

    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn choice(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn show(&self, _: &str) {}
}

/// The same for plugins, in the form that the age crate wants.
#[derive(Clone)]
pub(super) struct Bridge(pub Arc<dyn Ask>);

impl Callbacks for Bridge {
    fn display_message(&self, message: &str) {
        self.0.show(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.choice(message, yes, no)
    }

    fn request_public_string(&self, question: &str) -> Option<String> {
        self.0.text(question)
    }

    fn request_passphrase(&self, question: &str) -> Option<SecretString> {
        self.0.passphrase(question).map(|secret| phrase(&secret))
    }
}

/// A passphrase for the age crate, which clears it as well.
pub(super) fn phrase(secret: &Secret) -> SecretString {
    SecretString::from(secret.reveal().to_owned())
}
