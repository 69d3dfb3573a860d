//! Owns logging in: agent, keys, password, keyboard-interactive, and the words for a host that refuses them all.
//!
//! Must not know why. Nothing here asks a person.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use ssh2::{Agent, ErrorCode, KeyboardInteractivePrompt, MethodType, Prompt, PublicKey};
use zeroize::Zeroizing;

use super::TransportError;
use super::caught::caught;
use super::dial::printable;
use super::link::{Fault, Link, code};
use super::login::{Agreed, Login, Method};
use super::route::{Identity, Route};
use crate::secret::Secret;

/// Logs in as `route.user` before `deadline`; says what let us in.
pub(super) fn login(link: &Link, route: &Route, deadline: Instant) -> Result<Login, TransportError> {
    let mut login = Attempt { link, route, deadline, tried: Vec::new(), method: Method::Nothing };
    match login.all() {
        Ok(true) => Ok(Login { user: route.user.clone(), method: login.method, agreed: agreed(link) }),
        Ok(false) => {
            let offered = login.offered().unwrap_or_default();
            Err(route.refused(login.story(&offered)))
        }
        Err(Fault::TimedOut) => {
            let seconds = route.timeout.as_secs();
            Err(route.unreachable(format!("the login took longer than {seconds} s")))
        }
        Err(fault) if fault.is_disconnect() && !login.tried.is_empty() => Err(route.refused(format!(
            "the host ended the session after {}; it may allow few tries (MaxAuthTries): name one key with \
             IdentityFile and set IdentitiesOnly",
            login.tried.join(", ")
        ))),
        // A server that goes away between key exchange and login has refused the address or is overloaded.
        Err(fault) => Err(route.unreachable(format!("login failed: {}", fault.words()))),
    }
}

// A MAC is no choice of its own where the cipher brings one, so it is not told.
fn agreed(link: &Link) -> Vec<Agreed> {
    let agreed = |keyword: &'static str, choice: fn() -> MethodType| {
        let able = link.session.supported_algs(choice()).ok()?.into_iter().map(str::to_owned).collect();
        Some(Agreed { keyword, chosen: link.session.methods(choice())?.to_owned(), able })
    };
    let all = [
        agreed("KexAlgorithms", || MethodType::Kex),
        agreed("HostKeyAlgorithms", || MethodType::HostKey),
        agreed("Ciphers", || MethodType::CryptCs),
    ];
    all.into_iter().flatten().collect()
}

/// Stands for a list of methods that cannot be read.
const UNREADABLE: &str = "publickey,keyboard-interactive,password";

struct Attempt<'a> {
    link: &'a Link,
    route: &'a Route,
    deadline: Instant,
    tried: Vec<String>,
    method: Method,
}

/// What a private key file turned out to be.
enum KeyFile {
    Ready(Zeroizing<String>),
    Locked,
    Missing,
    Bad(String),
}

impl Attempt<'_> {
    fn all(&mut self) -> Result<bool, Fault> {
        let Some(mut offered) = self.offered_or_in()? else { return Ok(true) };
        if offers(&offered, "publickey") && !self.route.password_only {
            if self.keys()? {
                return Ok(true);
            }
            // A key may have been the first of two things wanted; what is offered has changed then.
            if self.route.password.is_some() {
                offered = self.offered()?;
            }
        }
        let Some(password) = self.route.password.clone() else { return Ok(false) };
        if offers(&offered, "password") && self.password(&password)? {
            return Ok(true);
        }
        if offers(&offered, "keyboard-interactive") && self.interactive(&password)? {
            return Ok(true);
        }
        Ok(false)
    }

    /// The methods offered, or `None` if the host wants none.
    fn offered_or_in(&self) -> Result<Option<String>, Fault> {
        let offered = self.offered()?;
        Ok((!self.link.session.authenticated()).then_some(offered))
    }

    fn offered(&self) -> Result<String, Fault> {
        self.link.block_until(self.deadline)?;
        // ssh2 panics where a host lists a method whose name is no UTF-8. Such a host is asked by all that we know.
        match caught(|| self.link.session.auth_methods(&self.route.user).map(str::to_owned)) {
            Some(offered) => Ok(offered?),
            None => Ok(UNREADABLE.to_owned()),
        }
    }

    /// Keys named for this host first, since a host allows few tries; then the agent's, then the usual files.
    fn keys(&mut self) -> Result<bool, Fault> {
        let route = self.route;
        let mut agent = self.agent();
        let held: Vec<PublicKey> = agent.as_mut().and_then(|agent| agent.identities().ok()).unwrap_or_default();
        let twin = |identity: &Identity| {
            let blob = public_blob(&identity.path)?;
            held.iter().position(|key| key.blob() == blob)
        };
        let mut used = vec![false; held.len()];
        let (named, usual): (Vec<_>, Vec<_>) = route.identities.iter().partition(|identity| identity.named);
        for identity in named {
            let logged_in = match (&agent, twin(identity)) {
                (Some(agent), Some(at)) => {
                    used[at] = true;
                    self.by_agent(agent, &held[at])?
                }
                _ => self.by_file(identity)?,
            };
            if logged_in {
                return Ok(true);
            }
        }
        let usual_twins: Vec<usize> = usual.iter().filter_map(|identity| twin(identity)).collect();
        for (at, key) in held.iter().enumerate() {
            let wanted = !route.identities_only || usual_twins.contains(&at);
            if let (Some(agent), true, false) = (&agent, wanted, used[at])
                && self.by_agent(agent, key)?
            {
                return Ok(true);
            }
        }
        for identity in usual {
            if twin(identity).is_none() && self.by_file(identity)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn agent(&mut self) -> Option<Agent> {
        let socket = self.route.agent.as_ref()?;
        let mut agent = self.link.session.agent().ok()?;
        let ready =
            agent.set_identity_path(socket).and_then(|()| agent.connect()).and_then(|()| agent.list_identities());
        match ready {
            Ok(()) => Some(agent),
            Err(_) => {
                self.tried.push("the agent (it does not answer)".to_owned());
                None
            }
        }
    }

    fn by_agent(&mut self, agent: &Agent, key: &PublicKey) -> Result<bool, Fault> {
        self.link.block_until(self.deadline)?;
        self.method = Method::Key(key.blob().to_vec());
        let answer = agent.userauth(&self.route.user, key);
        self.noted(format!("agent key {}", printable(key.comment())), answer)
    }

    fn by_file(&mut self, identity: &Identity) -> Result<bool, Fault> {
        let shown = identity.path.display();
        match read_key(&identity.path) {
            KeyFile::Ready(text) => {
                self.link.block_until(self.deadline)?;
                self.method = Method::Key(public_of(&text).or_else(|| public_blob(&identity.path)).unwrap_or_default());
                let answer = self.link.session.userauth_pubkey_memory(&self.route.user, None, &text, None);
                self.noted(format!("key {shown}"), answer)
            }
            KeyFile::Missing if !identity.named => Ok(false),
            KeyFile::Missing => self.skipped(format!("key {shown} (does not exist)")),
            KeyFile::Locked => self.skipped(format!("key {shown} (has a passphrase: load it with `ssh-add {shown}`)")),
            KeyFile::Bad(why) => self.skipped(format!("key {shown} ({why})")),
        }
    }

    fn password(&mut self, password: &Secret) -> Result<bool, Fault> {
        self.link.block_until(self.deadline)?;
        self.method = Method::Password;
        let answer = self.link.session.userauth_password(&self.route.user, password.reveal());
        if let Err(error) = &answer
            && error.code() == ErrorCode::Session(code::PASSWORD_EXPIRED)
        {
            return self.skipped("password (has expired: log in once by hand and change it)".to_owned());
        }
        self.noted("password".to_owned(), answer)
    }

    fn interactive(&mut self, password: &Secret) -> Result<bool, Fault> {
        self.link.block_until(self.deadline)?;
        self.method = Method::Interactive;
        let mut prompter = Once { password: Some(password) };
        let answer = self.link.session.userauth_keyboard_interactive(&self.route.user, &mut prompter);
        self.noted("keyboard-interactive".to_owned(), answer)
    }

    fn skipped(&mut self, what: String) -> Result<bool, Fault> {
        self.tried.push(what);
        Ok(false)
    }

    /// Refused is an answer; a link that broke is not.
    fn noted(&mut self, what: String, answer: Result<(), ssh2::Error>) -> Result<bool, Fault> {
        let Err(error) = answer else { return Ok(self.link.session.authenticated()) };
        self.tried.push(what);
        let mut fault = Fault::from(error);
        // libssh2 calls it a refused key when the answer did not come at all.
        if matches!(&fault, Fault::Ssh(_, words) if words.starts_with("Waiting for")) {
            let late = Instant::now() >= self.deadline;
            fault = if late { Fault::TimedOut } else { Fault::Ssh(code::SOCKET_DISCONNECT, String::new()) };
        }
        if fault == Fault::TimedOut || fault.is_disconnect() { Err(fault) } else { Ok(false) }
    }

    fn story(&self, offered: &str) -> String {
        let tried = if self.tried.is_empty() {
            "nothing could be tried (no agent, no key file, no password)".to_owned()
        } else {
            format!("tried {}", self.tried.join(", "))
        };
        let unreadable = if offered == UNREADABLE { " (its own list cannot be read)" } else { "" };
        format!("{tried}; the host offers {}{unreadable}", printable(&offered.replace(',', ", ")))
    }
}

fn offers(list: &str, method: &str) -> bool {
    list.split(',').any(|offered| offered == method)
}

/// Answers the first hidden prompt with the password and no other: a second one means that it was wrong.
struct Once<'a> {
    password: Option<&'a Secret>,
}

impl KeyboardInteractivePrompt for Once<'_> {
    fn prompt<'b>(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'b>]) -> Vec<String> {
        let mut answer = |prompt: &Prompt<'b>| match (prompt.echo, self.password) {
            (false, Some(password)) => {
                self.password = None;
                password.reveal().to_owned()
            }
            _ => String::new(),
        };
        prompts.iter().map(&mut answer).collect()
    }
}

fn read_key(path: &Path) -> KeyFile {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return KeyFile::Missing,
        Err(error) => return KeyFile::Bad(format!("cannot be read: {}", error.kind())),
    };
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    let Ok(text) = std::str::from_utf8(&bytes) else { return KeyFile::Bad("is no private key".to_owned()) };
    if !text.contains("PRIVATE KEY-----") {
        return KeyFile::Bad("is no private key".to_owned());
    }
    // As OpenSSH: a key that others can read is not used.
    if open {
        return KeyFile::Bad(format!("others can read it: chmod 600 {}", path.display()));
    }
    let locked = match ssh_key::PrivateKey::from_openssh(text) {
        Ok(key) => key.is_encrypted(),
        Err(_) => text.contains("ENCRYPTED"),
    };
    if locked { KeyFile::Locked } else { KeyFile::Ready(Zeroizing::new(text.to_owned())) }
}

/// Whether the private half of a public key stands in the file, for us to log in with.
pub(super) fn holds(path: &Path, public: &[u8]) -> bool {
    let KeyFile::Ready(text) = read_key(path) else { return false };
    public_of(&text).or_else(|| public_blob(path)).is_some_and(|blob| blob == public)
}

fn public_of(private: &str) -> Option<Vec<u8>> {
    ssh_key::PrivateKey::from_openssh(private).ok()?.public_key().to_bytes().ok()
}

/// The public key that belongs to `path`, so that the agent can be asked for it by name.
pub(super) fn public_half(path: &Path) -> Option<ssh_key::PublicKey> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    for file in [Path::new(&beside), path] {
        let Ok(text) = std::fs::read_to_string(file).map(Zeroizing::new) else { continue };
        let public = ssh_key::PublicKey::from_openssh(text.trim())
            .ok()
            .or_else(|| Some(ssh_key::PrivateKey::from_openssh(text.as_bytes()).ok()?.public_key().clone()));
        if public.is_some() {
            return public;
        }
    }
    None
}

/// The same as it travels.
pub(super) fn public_blob(path: &Path) -> Option<Vec<u8>> {
    public_half(path)?.to_bytes().ok()
}
