//! Owns what is encrypted by age as a whole, and the making of a project key.

use std::sync::Arc;

use age::secrecy::ExposeSecret;

use super::ask::Ask;
use super::cipher::random;
use super::fault::Fault;
use super::recipient::{Recipient, encrypt};
use crate::secret::{ProjectKey, Secret};

/// A secret as a whole file that `age` opens, as bytes or armored as text. [`super::Keyring::open_whole`] is the way back,
/// and the reason why it is kept though no verb writes such files: tests read back what was written, for every kind of key.
///
/// # Errors
/// There is no recipient, or one that cannot be encrypted for.
pub fn encrypt_whole(
    secret: &Secret,
    recipients: &[Recipient],
    armored: bool,
    ask: &Arc<dyn Ask>,
) -> Result<Vec<u8>, Fault> {
    encrypt(secret.reveal().as_bytes(), recipients, armored, ask)
}

/// A new private key of age, as `age-keygen` makes it, and its public key.
pub fn new_identity() -> (Secret, String) {
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    (Secret::new(public.clone(), identity.to_string().expose_secret()), public)
}

/// A new project key, of 32 random bytes.
///
/// # Errors
/// The system gives no random bytes.
pub fn project_key() -> Result<ProjectKey, Fault> {
    Ok(ProjectKey::new(&*random()?))
}
