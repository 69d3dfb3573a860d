//! Owns the key that a lab's controller logs in with. It lives and dies with the lab.
//! Must not know who uses it.

use std::fs;
use std::path::PathBuf;

use super::error::{Result, io};
use super::state::LabDir;
use super::{spec, tool};

/// A lab's own key pair: no key of the real fleet is ever needed to try something in a lab.
#[derive(Clone, Debug)]
pub struct LabKey {
    /// The private key's file, readable by root alone.
    pub private: PathBuf,
    /// The public key as one line of authorized_keys.
    pub public: String,
}

/// The key of a lab; made on first use, also before the lab itself is up.
///
/// # Errors
/// As for every verb of the lab, and [`super::LabError::Tool`] where ssh-keygen fails.
pub fn key(name: &str) -> Result<LabKey> {
    spec::check_lab_name(name)?;
    tool::check_machine()?;
    let dir = LabDir::of(name);
    super::state::make_dir(&dir.0)?;
    let private = dir.0.join("controller_key");
    if !private.exists() {
        let path = private.display().to_string();
        tool::run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "rempart-lab", "-f", &path])?;
    }
    let public = io("read the lab's public key", fs::read_to_string(dir.0.join("controller_key.pub")))?;
    Ok(LabKey { private, public: public.trim().to_owned() })
}
