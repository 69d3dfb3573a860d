//! Owns looks at this computer that `doctor` tells of: agent, keys, programs, folders. It changes nothing.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{Access, access};

/// The names of keys that are tried where nothing else is said.
const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What an SSH agent says.
pub(super) enum Agent {
    /// There is none.
    None,
    /// It is named and does not answer.
    Silent(String),
    /// It holds so many keys.
    Holds(u32),
}

/// A private key in a file.
pub(super) struct KeyFile {
    pub path: PathBuf,
    /// Whether it needs no passphrase.
    pub standing: KeyStanding,
}

/// What a file of a private key is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyStanding {
    /// It can be used.
    Open,
    /// A passphrase is before it.
    Locked,
    /// No key was found there: why.
    Unread(String),
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Asks the agent how many keys it holds.
pub(super) fn agent_keys() -> Agent {
    let Some(socket) = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) else {
        return Agent::None;
    };
    ask_agent(&socket).map_or_else(|error| Agent::Silent(error.to_string()), Agent::Holds)
}

// SSH_AGENTC_REQUEST_IDENTITIES and its answer, whose first number is how many there are.
fn ask_agent(socket: &OsStr) -> std::io::Result<u32> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(&[0, 0, 0, 1, 11])?;
    let mut answer = [0; 9];
    stream.read_exact(&mut answer)?;
    match answer {
        [_, _, _, _, 12, number @ ..] => Ok(u32::from_be_bytes(number)),
        _ => Err(std::io::Error::other("it refuses to list its keys")),
    }
}

/// The private keys: those named, also where they are not there, and the usual ones that are.
pub(super) fn key_files(named: impl IntoIterator<Item = PathBuf>) -> Vec<KeyFile> {
    let usual = home().into_iter().flat_map(|home| KEYS.map(|name| home.join(".ssh").join(name)));
    let usual = usual.filter(|path| path.exists());
    named
        .into_iter()
        .chain(usual)
        .map(|path| KeyFile { standing: standing(std::fs::read_to_string(&path)), path })
        .collect()
}

// OpenSSH's own format names its cipher first; older ones say it in words.
fn standing(text: std::io::Result<String>) -> KeyStanding {
    let text = match text {
        Ok(text) => text,
        Err(error) => return KeyStanding::Unread(error.to_string()),
    };
    let begins = |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with("PRIVATE KEY-----");
    let open = match text.lines().find(|line| begins(line)) {
        None => return KeyStanding::Unread("it holds no private key".to_owned()),
        Some(line) if !line.contains("OPENSSH") => !text.contains("ENCRYPTED"),
        Some(_) => {
            let body: String = text.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
            let whole = STANDARD.decode(body).unwrap_or_default();
            let Some(rest) = whole.strip_prefix(b"openssh-key-v1\0") else {
                return KeyStanding::Unread("its private key is damaged".to_owned());
            };
            rest.starts_with(b"\0\0\0\x04none")
        }
    };
    if open { KeyStanding::Open } else { KeyStanding::Locked }
}

/// The files of host keys: that of the environment, or those of the project, or the usual ones.
pub(super) fn known_hosts_files(of_project: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("REMPART_KNOWN_HOSTS") {
        return vec![named.into()];
    }
    let of_project: Vec<PathBuf> = of_project.collect();
    if !of_project.is_empty() {
        return of_project;
    }
    let own = home().map(|home| home.join(".ssh/known_hosts"));
    own.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect()
}

/// Whether a program stands in the path, or where root's programs are.
pub(super) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let roots = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(roots).any(|folder| access(folder.join(name), Access::EXEC_OK).is_ok())
}

/// Whether a folder is there and may be written (`true`), or could be made (`false`).
pub(super) fn writable(folder: &Path) -> Result<bool, String> {
    let there = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    match access(there, Access::WRITE_OK) {
        Ok(()) if there.is_dir() => Ok(there == folder),
        Ok(()) => Err(format!("{} is no folder", there.display())),
        Err(error) => Err(format!("{}: {error}", there.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_behind_a_passphrase_is_told_from_an_open_one() {
        let key = |cipher: &[u8]| {
            let mut body = b"openssh-key-v1\0\0\0\0".to_vec();
            body.push(u8::try_from(cipher.len()).unwrap());
            body.extend(cipher);
            let body = STANDARD.encode(body);
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
        };
        let of = |text: &str| standing(Ok(text.to_owned()));
        assert_eq!(of(&key(b"none")), KeyStanding::Open);
        assert_eq!(of(&key(b"aes256-ctr")), KeyStanding::Locked);
        assert_eq!(of("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"), KeyStanding::Locked);
        assert_eq!(of("-----BEGIN RSA PRIVATE KEY-----\nMII\n"), KeyStanding::Open);
        for none in ["", "hello", "-----BEGIN PUBLIC KEY-----\nMII\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"] {
            assert!(matches!(of(none), KeyStanding::Unread(_)), "{none}");
        }
        assert!(matches!(standing(std::fs::read_to_string("/no/such/key")), KeyStanding::Unread(_)));
    }

    #[test]
    fn an_agent_is_asked_and_its_silence_is_no_zero() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        assert!(ask_agent(socket.as_os_str()).is_err());
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let agent = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 2]).unwrap();
        });
        assert_eq!(ask_agent(socket.as_os_str()).unwrap(), 2);
        agent.join().unwrap();
    }

    #[test]
    fn a_folder_can_be_made_where_the_one_above_may_be_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(writable(folder.path()), Ok(true));
        assert_eq!(writable(&folder.path().join("a/b")), Ok(false));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(writable(&folder.path().join("file/b")).is_err());
    }
}
