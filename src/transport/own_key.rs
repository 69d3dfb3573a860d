//! Owns which public key of ours a host is to know: the half of the private key that we would log in with.
//!
//! Must not log in. A private key is read only where its public half stands nowhere else.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ssh_key::PublicKey;

use super::auth::{holds, public_blob, public_half};
use super::dial::printable;
use super::host_keys::fingerprint;
use super::route::Route;
use super::{Target, TransportError};

/// A public key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// As `authorized_keys` writes it: type, key and comment.
    pub line: String,
    /// Where it was found, in words.
    pub from: String,
    /// As it travels.
    pub blob: Vec<u8>,
}

impl OwnKey {
    fn new(key: &PublicKey, comment: &str, from: String) -> Option<Self> {
        let blob = key.to_bytes().ok()?;
        let comment: String = printable(comment).split_whitespace().collect::<Vec<_>>().join(" ");
        let line = format!("{} {} {comment}", key.algorithm(), BASE64.encode(&blob)).trim_end().to_owned();
        Some(Self { line, from, blob })
    }

    /// `SHA256:...`, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

/// The key for `target`: from the file that is named; else the public half of a private key that is named for the host;
/// else the agent's only key; else that of one of the usual files.
///
/// # Errors
/// There is none, or several of which none is meant more than the others; in words.
pub fn own_key(target: &Target, named: Option<&Path>) -> Result<OwnKey, String> {
    if let Some(path) = named {
        return from_file(path);
    }
    let route = Route::of(target).map_err(|error: TransportError| error.to_string())?;
    let half = |path: &PathBuf| public_half(path).and_then(|key| OwnKey::new(&key, key.comment(), shown(path)));
    let (named, usual): (Vec<_>, Vec<_>) = route.identities.iter().partition(|identity| identity.named);
    if let Some(key) = named.iter().find_map(|identity| half(&identity.path)) {
        return Ok(key);
    }
    if let Some(identity) = named.first() {
        return Err(format!("the public half of {} was not found: name it with --public-key", shown(&identity.path)));
    }
    let held = held_by_agent(&route);
    match held.as_slice() {
        [] => {}
        [key] => return Ok(key.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|key| key.line.as_str()).map(ending).collect();
            return Err(format!(
                "the agent holds {} keys ({}): name one with --public-key",
                several.len(),
                names.join(", ")
            ));
        }
    }
    usual.iter().find_map(|identity| half(&identity.path)).ok_or_else(|| {
        "no key of ours was found (none is named, the agent holds none): name one with --public-key, or make one with \
         `ssh-keygen -t ed25519`"
            .to_owned()
    })
}

impl OwnKey {
    /// Whether its private half is at hand, so that a login to `target` would try it: in a file, or held by the agent.
    pub fn is_at_hand(&self, target: &Target) -> bool {
        let Ok(route) = Route::of(target) else { return false };
        let named = route.identities.iter().any(|identity| public_blob(&identity.path).as_ref() == Some(&self.blob));
        let may_hold = named || !route.identities_only;
        may_hold && held_by_agent(&route).iter().any(|held| held.blob == self.blob)
            || route.identities.iter().any(|identity| holds(&identity.path, &self.blob))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn ending(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or("without a comment")
}

fn from_file(path: &Path) -> Result<OwnKey, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(format!("{} is a private key: name its public half, {0}.pub", path.display()));
    }
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let [line] = lines.as_slice() else {
        return Err(format!("{} holds {} lines, and one public key is wanted", path.display(), lines.len()));
    };
    let key = PublicKey::from_openssh(line).map_err(|error| format!("{} is no public key: {error}", path.display()))?;
    OwnKey::new(&key, key.comment(), shown(path))
        .ok_or_else(|| format!("{} cannot be written as a key", path.display()))
}

fn held_by_agent(route: &Route) -> Vec<OwnKey> {
    let Some(socket) = &route.agent else { return Vec::new() };
    let listed = || -> Result<Vec<ssh2::PublicKey>, ssh2::Error> {
        let session = ssh2::Session::new()?;
        let mut agent = session.agent()?;
        agent.set_identity_path(socket)?;
        agent.connect()?;
        agent.list_identities()?;
        agent.identities()
    };
    let held = listed().unwrap_or_default();
    let keys = held.iter().filter_map(|held| {
        let key = PublicKey::from_bytes(held.blob()).ok()?;
        OwnKey::new(&key, held.comment(), "the agent".to_owned())
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJjklMqTTmqOKuYQhZQHcDCLo0pE9ah7bw0lZQoYUfbd";

    #[test]
    fn a_key_is_at_hand_where_a_file_has_its_private_half() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        let config = folder.path().join("config");
        fs::write(&config, "Host *\n IdentityAgent none\n").unwrap();
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).status();
        assert!(made.unwrap().success());
        let target =
            Target { ssh_config: Some(config), identity_files: vec![file.clone()], ..Target::bare("web", "web") };
        let key = from_file(&folder.path().join("id.pub")).unwrap();
        assert!(key.is_at_hand(&target));
        // Another key of the same name, one that others can read, and none.
        assert!(!own_key_of(ED, &folder).is_at_hand(&target));
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(!key.is_at_hand(&target));
        fs::remove_file(&file).unwrap();
        assert!(!key.is_at_hand(&target));
    }

    fn own_key_of(line: &str, folder: &tempfile::TempDir) -> OwnKey {
        let file = folder.path().join("other.pub");
        fs::write(&file, line).unwrap();
        from_file(&file).unwrap()
    }

    #[test]
    fn a_named_file_holds_one_public_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id.pub");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            from_file(&file)
        };
        let key = read(&format!("# c\n{ED} me@desk\n")).unwrap();
        assert_eq!(key.line, format!("{ED} me@desk"));
        assert!(key.fingerprint().starts_with("SHA256:"));
        assert_eq!(read(ED).unwrap().line, ED);
        assert!(read(&format!("{ED}\n{ED}\n")).unwrap_err().contains("2 lines"));
        assert!(read("-----BEGIN OPENSSH PRIVATE KEY-----").unwrap_err().contains("id.pub.pub"));
        assert!(read("ssh-ed25519 AAAA").unwrap_err().contains("no public key"));
        assert!(from_file(&folder.path().join("none")).is_err());
    }
}
