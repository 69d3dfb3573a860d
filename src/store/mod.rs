//! Owns the store of secrets: files in SOPS's YAML with age, opened, proved, changed and written.
//!
//! Must not know playbooks, hosts or verbs, and never prints. `sops` opens what is written here; beyond what SOPS
//! proves, each file bears a seal with the project's own key. A file is [`Locked`] until a [`Keyring`] opens it; then it
//! is [`Unlocked`], and each value leaves it as a [`crate::secret::Secret`].

mod ask;
mod burned;
mod change;
mod cipher;
mod edit;
mod fault;
mod folder;
mod identity;
mod key_path;
mod keyring;
mod locked;
mod memory;
mod metadata;
mod prints;
mod recipient;
mod rules;
mod save;
mod seal;
mod selection;
mod spell;
mod stand_in;
mod top;
mod unlocked;
mod value;
mod vault;
mod whole;

pub use ask::{Ask, Nobody};
pub use burned::{BurnList, Burned, Print, print};
pub use edit::Edited;
pub use fault::{Fault, FaultKind};
pub use folder::{Filed, Folder, PROJECT, Spot, Stranger, inside, name_of, whole_name};
pub use key_path::KeyPath;
pub use keyring::{Keyring, Sources};
pub use locked::Locked;
pub use memory::Memory;
pub use prints::{PRINTS, Prints};
pub use recipient::Recipient;
pub use rules::{Rule, Rules};
pub use save::save;
pub use selection::Selection;
pub use unlocked::Unlocked;
pub use value::Kind;
pub use vault::{Care, Opening, PREVIOUS_KEYS, PROJECT_KEY};
pub use whole::{encrypt_whole, new_identity, project_key};
