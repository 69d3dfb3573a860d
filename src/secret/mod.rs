//! Owns values that must not be shown: the `Secret` type, text that holds secrets, and what may be said about them.
//!
//! Must not know who uses them, and never prints. A secret is a type with no way to print it, not a string with a
//! habit: there is no `Display`, `Serialize`, `Deref` or `PartialEq`, and `reveal` is called only where a secret
//! is sent or encrypted (a test holds that).
//!
//! ```compile_fail
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! println!("{secret}");
//! ```
//!
//! ```
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! println!("{secret:?}"); // the twin that compiles: it prints the name
//! ```
//!
//! ```compile_fail
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! serde_json::to_string(&secret);
//! ```
//!
//! ```
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! let _ = serde_json::to_string(secret.name());
//! ```
//!
//! ```compile_fail
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! assert!(secret == rempart::secret::Secret::new("db_password", "hunter2"));
//! ```
//!
//! ```
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! assert!(secret.same_as(&rempart::secret::Secret::new("other", "hunter2")));
//! ```
//!
//! ```compile_fail
//! let secret = rempart::secret::Secret::new("db_password", "hunter2");
//! let text: &str = &secret;
//! ```

mod hide;
mod project_key;
mod rendered;
mod value;
mod vault;

pub use hide::hide;
pub use project_key::{Fingerprint, FingerprintKey, ProjectKey};
pub use rendered::{Piece, Rendered};
pub use value::{Origin, Secret};
pub use vault::{NoSecret, NoVault, Vault};

// Small letters, as hashes are written.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
