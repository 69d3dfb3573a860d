//! Owns where private keys are looked for, in SOPS's places and order, and which of them opens a file.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::ask::Ask;
use super::cipher::DataKey;
use super::fault::{Fault, FaultKind};
use super::identity::{Identity, Opened, decrypt, first, read};
use super::metadata::Entry;
use super::recipient::{Recipient, bare, short};
use crate::secret::Secret;

/// The largest file of keys that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where keys are looked for.
#[derive(Clone, Default)]
pub struct Sources {
    /// Keys themselves: `SOPS_AGE_KEY`.
    pub key: Option<Secret>,
    /// A file of keys: `SOPS_AGE_KEY_FILE`.
    pub key_file: Option<PathBuf>,
    /// A command that prints keys, split as a shell does, run without one: `SOPS_AGE_KEY_CMD`.
    pub key_command: Option<String>,
    /// An SSH private key: `SOPS_AGE_SSH_PRIVATE_KEY_FILE`.
    pub ssh_key_file: Option<PathBuf>,
    /// The folder that may hold `sops/age/keys.txt`: `$XDG_CONFIG_HOME`, or `~/.config`.
    pub config: Option<PathBuf>,
    /// The home folder, which may hold `.ssh/id_ed25519` and `.ssh/id_rsa`.
    pub home: Option<PathBuf>,
}

impl Sources {
    /// Where SOPS would look, by this process's environment.
    pub fn from_env() -> Self {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        Self {
            key: env::var("SOPS_AGE_KEY")
                .ok()
                .filter(|key| !key.is_empty())
                .map(|key| Secret::new("SOPS_AGE_KEY", key)),
            key_file: path("SOPS_AGE_KEY_FILE"),
            key_command: env::var("SOPS_AGE_KEY_CMD").ok().filter(|command| !command.is_empty()),
            ssh_key_file: path("SOPS_AGE_SSH_PRIVATE_KEY_FILE"),
            config: path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config"))),
            home,
        }
    }
}

/// All private keys at hand.
pub struct Keyring {
    identities: Vec<Identity>,
    empty_places: Vec<String>,
    /// Whether a key is where one is looked for, and cannot be used.
    unusable: bool,
    faults: Vec<Fault>,
    ask: Arc<dyn Ask>,
}

impl Keyring {
    /// Gathers the keys. Nothing is asked yet, and what cannot be used is told only if nothing else opens a file.
    pub fn gather(sources: &Sources, ask: Arc<dyn Ask>) -> Self {
        let mut ring =
            Self { identities: Vec::new(), empty_places: Vec::new(), unusable: false, faults: Vec::new(), ask };
        ring.named_file("SOPS_AGE_SSH_PRIVATE_KEY_FILE", sources.ssh_key_file.as_deref());
        for name in ["id_ed25519", "id_rsa"] {
            ring.default_file(sources.home.as_ref().map(|home| home.join(".ssh").join(name)));
        }
        match &sources.key {
            Some(key) => ring.take("SOPS_AGE_KEY", key.reveal().as_bytes()),
            None => ring.empty_places.push("SOPS_AGE_KEY".into()),
        }
        ring.named_file("SOPS_AGE_KEY_FILE", sources.key_file.as_deref());
        match &sources.key_command {
            Some(command) => ring.command(command),
            None => ring.empty_places.push("SOPS_AGE_KEY_CMD".into()),
        }
        ring.default_file(sources.config.as_ref().map(|config| config.join("sops/age/keys.txt")));
        ring
    }

    /// Whether there is no key at all, so that nothing can be opened. A key that was named and cannot be used is not
    /// "none": it is told when a file is opened.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.faults.is_empty()
    }

    /// The public keys of those at hand, where they are known without asking.
    pub fn public_keys(&self) -> Vec<String> {
        self.identities.iter().filter_map(Identity::public).collect()
    }

    /// Whether what is encrypted for these could be opened here. `None` = there is a key of which nobody can say whose it
    /// is without asking, or none at all.
    pub fn could_open(&self, recipients: &[Recipient]) -> Option<bool> {
        let known = self.public_keys();
        if recipients.iter().any(|one| known.contains(&one.to_string())) {
            return Some(true);
        }
        let all_known = !known.is_empty() && known.len() == self.identities.len() && self.faults.is_empty();
        all_known.then_some(false)
    }

    fn take(&mut self, origin: &str, bytes: &[u8]) {
        match read(bytes, origin) {
            Ok(keys) if keys.is_empty() => self.empty_places.push(origin.to_owned()),
            Ok(keys) => self.identities.extend(keys),
            Err(fault) => self.faults.push(fault),
        }
    }

    fn named_file(&mut self, variable: &str, path: Option<&Path>) {
        let Some(path) = path else {
            self.empty_places.push(variable.to_owned());
            return;
        };
        let origin = format!("{variable} ({})", path.display());
        match read_file(path) {
            Ok(bytes) => self.take(&origin, &bytes),
            Err(why) => {
                let detail = format!("{origin}: {why}");
                let fix = "name a file of keys that you can read";
                self.faults.push(Fault::new(FaultKind::Identity, "a key cannot be used", detail, fix));
            }
        }
    }

    // Nobody named it, so what is wrong with it is no fault, only a place where no key was found.
    fn default_file(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        let origin = path.display().to_string();
        let found = if path.exists() { read_file(&path).map(Some) } else { Ok(None) };
        let unusable = |fault: Fault| {
            let detail = fault.told.detail.unwrap_or_default();
            format!("it cannot be used: {}", detail.strip_prefix(&format!("{origin}: ")).unwrap_or(&detail))
        };
        match found.and_then(|bytes| bytes.map_or(Ok(Vec::new()), |bytes| read(&bytes, &origin).map_err(unusable))) {
            Ok(keys) if keys.is_empty() => self.empty_places.push(origin),
            Ok(keys) => self.identities.extend(keys),
            Err(why) => {
                self.empty_places.push(format!("{origin} ({why})"));
                self.unusable = true;
            }
        }
    }

    fn command(&mut self, line: &str) {
        let fail = |detail: String| {
            let fix = "run the command by hand: it must print keys and end well";
            Fault::new(FaultKind::Identity, "SOPS_AGE_KEY_CMD failed", detail, fix)
        };
        let words = shlex::split(line).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            self.faults.push(fail("it is no command line".into()));
            return;
        };
        // What it says on standard error goes to the person: it may ask for a password there.
        let output = Command::new(program).args(arguments).stderr(std::process::Stdio::inherit()).output();
        match output {
            Err(error) => self.faults.push(fail(format!("`{program}`: {error}"))),
            Ok(output) => {
                let printed = Zeroizing::new(output.stdout);
                if output.status.success() {
                    self.take("SOPS_AGE_KEY_CMD", &printed);
                } else {
                    self.faults.push(fail(format!("`{program}`: {}", output.status)));
                }
            }
        }
    }

    /// The data key of a file, from the first entry that a key at hand opens. Keys that cost nobody anything come first.
    ///
    /// # Errors
    /// No key, none that fits, a passphrase that is missing or wrong, a plugin that fails, an entry that was changed.
    pub(super) fn data_key(&self, entries: &[Entry]) -> Result<DataKey, Fault> {
        if self.is_empty() {
            return Err(self.no_key());
        }
        let mut failed = None;
        for costly in [false, true] {
            for key in self.identities.iter().filter(|key| key.is_costly() == costly) {
                for entry in entries.iter().filter(|entry| key.may_be(&entry.recipient) || !costly) {
                    match key.open(entry.encrypted.as_bytes(), &self.ask) {
                        Opened::Yes(bytes) => return data_key(key, entry, &bytes),
                        Opened::No
                            if !costly && key.public().is_some_and(|public| public == bare(&entry.recipient)) =>
                        {
                            return Err(closed(entry));
                        }
                        Opened::No => {}
                        Opened::Failed(fault) if !costly && !key.may_be(&entry.recipient) => drop(fault),
                        Opened::Failed(fault) => {
                            let stop = matches!(fault.kind, FaultKind::NoPassphrase | FaultKind::WrongPassphrase);
                            failed = failed.or(Some(fault));
                            // Asked once is enough, whatever the number of entries.
                            if stop {
                                break;
                            }
                        }
                    }
                }
            }
        }
        Err(failed.or_else(|| self.faults.first().cloned()).unwrap_or_else(|| self.wrong_key(entries)))
    }

    /// Opens a whole file that age encrypted, armored or not.
    ///
    /// # Errors
    /// As with a file of the store; and the file is none of age, or was changed.
    pub fn open_whole(&self, encrypted: &[u8], name: &str) -> Result<Secret, Fault> {
        let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(encrypted)).map_err(|_| {
            let fix = "name a file that age made";
            Fault::new(FaultKind::Format, "not a file of age", "its header is none of age, or damaged", fix)
        })?;
        let opened = if decryptor.is_scrypt() {
            let given = self.ask.passphrase(&format!("Passphrase of {name}")).ok_or_else(|| {
                let fix = "run it at a terminal, or encrypt the file for a key";
                Fault::new(FaultKind::NoPassphrase, "a file needs its passphrase", name.to_owned(), fix)
            })?;
            match decrypt(encrypted, &age::scrypt::Identity::new(super::ask::phrase(&given))) {
                Opened::No => {
                    let summary = "the passphrase is wrong";
                    return Err(Fault::new(FaultKind::WrongPassphrase, summary, name.to_owned(), "try again"));
                }
                opened => opened,
            }
        } else if self.is_empty() {
            return Err(self.no_key());
        } else {
            let cheap = self.identities.iter().filter(|key| !key.is_costly());
            first(cheap.chain(self.identities.iter().filter(|key| key.is_costly())), encrypted, &self.ask)
        };
        match opened {
            Opened::Yes(mut bytes) => match String::from_utf8(std::mem::take(&mut *bytes)) {
                Ok(text) => Ok(Secret::new(name, text)),
                Err(error) => {
                    drop(Zeroizing::new(error.into_bytes()));
                    let fix = "encrypt it in base64";
                    Err(Fault::new(FaultKind::Unsupported, "a secret that is no text", name.to_owned(), fix))
                }
            },
            Opened::No => Err(self.faults.first().cloned().unwrap_or_else(|| self.wrong_key(&[]))),
            Opened::Failed(fault) => Err(fault),
        }
    }

    fn no_key(&self) -> Fault {
        let detail = format!("looked for one in {}", self.empty_places.join(", "));
        let fix = if self.unusable {
            "mend the key that is there, or set SOPS_AGE_KEY_FILE to your file of keys"
        } else {
            "set SOPS_AGE_KEY_FILE to your file of keys; who has none makes one with age-keygen, and gives the public key to \
             somebody who can read the store"
        };
        Fault::new(FaultKind::NoKey, "there is no key", detail, fix)
    }

    fn wrong_key(&self, entries: &[Entry]) -> Fault {
        let list = |all: Vec<String>| if all.is_empty() { "others".to_owned() } else { all.join(", ") };
        let wanted = list(entries.iter().map(|entry| short(&entry.recipient)).collect());
        let mine: Vec<String> = self
            .identities
            .iter()
            .map(|key| match key.public() {
                Some(public) => format!("{} ({})", short(&public), key.origin),
                None => key.origin.clone(),
            })
            .collect();
        let detail = format!("it is encrypted for {wanted}; at hand: {}", list(mine));
        let fix = "ask one of them to run `rempart secrets rekey` with your public key in .sops.yaml";
        Fault::new(FaultKind::WrongKey, "none of your keys opens it", detail, fix)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.identities.len())
    }
}

// An entry that opens is the one it says it is, or somebody exchanged the name, to be encrypted for the next time.
fn data_key(key: &Identity, entry: &Entry, bytes: &[u8]) -> Result<DataKey, Fault> {
    if let Some(public) = key.public().filter(|public| *public != bare(&entry.recipient)) {
        let detail = format!("the entry of {} opens with the key of {}", short(&entry.recipient), short(&public));
        let fix = "take the file from where it was written; do not rekey it as it is";
        return Err(Fault::new(FaultKind::RecipientChanged, "a recipient was changed", detail, fix));
    }
    DataKey::from_bytes(bytes).ok_or_else(|| {
        let detail = format!("the entry of {} holds {} bytes in the place of 32", short(&entry.recipient), bytes.len());
        Fault::new(
            FaultKind::RecipientChanged,
            "a recipient was changed",
            detail,
            "take the file from where it was written",
        )
    })
}

fn closed(entry: &Entry) -> Fault {
    let detail = format!("the entry of {} does not open with its own key", short(&entry.recipient));
    let fix = "take the file from where it was written; do not rekey it as it is";
    Fault::new(FaultKind::RecipientChanged, "a recipient was changed", detail, fix)
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is a folder or a device".into());
    }
    if about.len() > MAX_BYTES {
        return Err("it is too large for a file of keys".into());
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::ask::Nobody;
    use super::*;

    #[test]
    fn who_has_a_key_that_cannot_be_used_is_not_told_to_make_one() {
        let config = tempfile::tempdir().unwrap();
        let told = || {
            let sources = Sources { config: Some(config.path().to_owned()), ..Sources::default() };
            let told = Keyring::gather(&sources, Arc::new(Nobody)).no_key().told;
            (told.detail.unwrap_or_default(), told.fix.unwrap_or_default())
        };
        assert!(told().1.contains("age-keygen"));
        fs::create_dir_all(config.path().join("sops/age")).unwrap();
        fs::write(config.path().join("sops/age/keys.txt"), "# mine\nAGE-SECRET-KEY-1QQQQ\n").unwrap();
        let (detail, fix) = told();
        assert!(
            detail.contains("keys.txt (it cannot be used: line 2 is no key)") && !detail.contains("QQQQ"),
            "{detail}"
        );
        assert!(fix.contains("mend the key") && !fix.contains("age-keygen"), "{fix}");
    }
}
