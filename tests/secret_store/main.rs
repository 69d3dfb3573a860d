//! The store of secrets: what rempart writes is opened by an implementation of the format that shares no code with it,
//! and the other way round; what was tampered with is refused; keys of every kind open it, or say in one line why not.
//!
//! `sops_format.py` is the other implementation. `recorded` holds files that it made in the layout of several versions of
//! SOPS, with a key that is no secret. Whole files go to Debian's `age` and come back from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "what was skipped must be seen")]

mod exchange;
mod keys;
#[path = "../pip/mod.rs"]
mod pip;
mod python;
mod rounds;
mod shape;
#[path = "../skipped/mod.rs"]
mod skipped;
mod tamper;
mod whole;

use std::sync::Arc;

use age::secrecy::ExposeSecret;
use rempart::model::Source;
use rempart::secret::{ProjectKey, Secret};
use rempart::store::{Ask, FaultKind, KeyPath, Keyring, Locked, Nobody, Recipient, Selection, Sources, Unlocked};

/// Says that a test was not run; where everything is required, that is a failure.
fn skipped<T>(test: &str, why: &str) -> Option<T> {
    skipped::skip(test, why);
    None
}

fn nobody() -> Arc<dyn Ask> {
    Arc::new(Nobody)
}

/// A person with a key of their own.
struct Person {
    identity: String,
    recipient: Recipient,
}

impl Person {
    fn new() -> Self {
        let key = age::x25519::Identity::generate();
        let recipient = Recipient::parse(&key.to_public().to_string()).unwrap();
        Self { identity: key.to_string().expose_secret().to_owned(), recipient }
    }

    fn ring(&self) -> Keyring {
        ring(&self.identity)
    }
}

fn ring(identity: &str) -> Keyring {
    let key = Some(Secret::new("SOPS_AGE_KEY", identity));
    Keyring::gather(&Sources { key, ..Sources::default() }, nobody())
}

fn project() -> ProjectKey {
    ProjectKey::new(&[9; 32])
}

fn path(text: &str) -> KeyPath {
    KeyPath::parse(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new("value", text)
}

fn create(name: &str, recipients: &[&Person]) -> Unlocked {
    let recipients: Vec<Recipient> = recipients.iter().map(|person| person.recipient.clone()).collect();
    Unlocked::create(name, &recipients, &Selection::default(), &nobody()).unwrap()
}

fn lock(name: &str, text: &str) -> Locked {
    Locked::parse(Source::new(format!("secrets/{name}"), text), name)
        .unwrap_or_else(|fault| panic!("{fault:?}\n{text}"))
}

/// Opens and proves a text that rempart wrote.
fn open(name: &str, text: &str, person: &Person) -> Unlocked {
    let mut file = lock(name, text).open(&person.ring()).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
    file.prove(&project()).unwrap();
    file
}

/// A file with some secrets in it, as text.
fn sample(name: &str, people: &[&Person]) -> String {
    let mut file = create(name, people);
    for (at, value) in [("gw/token", "first"), ("gw/pin", "42"), ("db/password", "third"), ("list", "x")] {
        file.set(&path(at), &secret(value)).unwrap();
    }
    file.write(&project()).unwrap()
}

fn shown(secret: &Secret) -> String {
    secret.reveal().to_owned()
}

fn kind(result: Result<impl std::fmt::Debug, rempart::store::Fault>) -> FaultKind {
    result.unwrap_err().kind
}
