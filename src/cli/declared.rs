//! Owns what the inventory declares of a host's way in, and the proof that it is open: by key, to root, over a connection of
//! its own; with what to do where it is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Stopped, project};
use crate::engine::{self, Links};
use crate::model::{Diagnostic, Exit, HostName};
use crate::secret::Secret;
use crate::transport::{
    Become, Candidate, Contact, HostKey, Method, OwnKey, SshTransport, Standing, Target, TransportError, own_key,
};

/// What the inventory declares of a host's way in, and the way to begin with.
pub(super) struct Declared {
    pub host: HostName,
    pub user: String,
    /// By key alone, as it is to be from now on.
    pub target: Target,
    pub first: Target,
    pub key: OwnKey,
}

/// What `target` declares, and `first` as the account to begin with, whose passwords for login and sudo these are.
pub(super) fn declared(
    host: &HostName,
    target: &Target,
    (first, public_key): (&Candidate, Option<&Path>),
    [login, sudo]: [&Option<Secret>; 2],
) -> Result<Declared, Stopped> {
    // Of several ways the first is the one that is wanted.
    let own = target.by(0);
    let Some(user) = own.user.clone() else {
        let told = Diagnostic::error("the inventory names no user for a host").on(host, None);
        return Err(told.fix("set `ansible_user`, or `rempart: { user: NAME }`, or say --user NAME").into());
    };
    let key = own_key(&own, public_key)
        .map_err(|why| Stopped::usage(Diagnostic::error("no key for the declared user").on(host, None).because(why)))?;
    // One host, whose key is the same by both: what is remembered of the one vouches for the other.
    let first = Target { candidates: vec![first.clone()], ..own.clone() }.by(0).vouched_by(&own);
    let escalate = match first.user.as_deref() {
        Some("root") => Become::No,
        _ => Become::Sudo { password: sudo.clone() },
    };
    let first = Target { escalate, password: login.clone(), password_only: login.is_some(), ..first };
    let target = Target { password: None, ..own }.vouched_by(&first);
    Ok(Declared { host: host.clone(), user, target, first, key })
}

impl Declared {
    /// Refuses a key that nobody here could log in with, before anything is changed for it.
    pub fn key_at_hand(&self) -> Result<(), Stopped> {
        if self.key.is_at_hand(&self.target) {
            return Ok(());
        }
        let told = Diagnostic::error("the private half of the key is not at hand").on(&self.host, None);
        let why = format!("nobody here could log in with {} ({})", self.key.fingerprint(), self.key.from);
        let fix = "load it into the agent with `ssh-add`, or name its file with --private-key";
        Err(Stopped::usage(told.because(why).fix(fix)))
    }
}

/// How root is come by, in words that go on after the login.
pub(super) fn root_words(declared: &Declared) -> &'static str {
    match &declared.target.escalate {
        Become::No => "",
        Become::Sudo { password: None } => " and becomes root by sudo, without a password",
        Become::Sudo { password: Some(_) } => " and becomes root by sudo, with its password",
    }
}

/// The host by the first account or as declared: whoever answers at one of these places is the host.
pub(super) fn either_way(declared: &Declared) -> Target {
    let way = |target: &Target| Candidate {
        user: target.user.clone(),
        address: Some(target.address.clone()),
        port: target.port,
    };
    Target { candidates: vec![way(&declared.first), way(&declared.target)], ..declared.target.clone() }
}

/// Why the declared way in is not there.
#[derive(Debug)]
pub(super) enum Unproven {
    Link(TransportError),
    /// It is open, but not by the key that was to open it.
    OtherKey(String),
}

impl std::fmt::Display for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(error) => error.fmt(f),
            Self::OtherKey(how) => write!(f, "it was let in by {how}, not by the key that was installed"),
        }
    }
}

/// Logs in as the declared user by key, over a connection of its own, and becomes root where that is declared.
pub(super) fn prove(declared: &Declared) -> Result<(), Unproven> {
    let targets = BTreeMap::from([(declared.host.clone(), Target { retries: 0, ..declared.target.clone() })]);
    let links = engine::ReadLinks::new(Arc::new(SshTransport::new()), targets, project::nobody());
    engine::knock(&declared.host, links.as_ref()).map_err(Unproven::Link)?;
    match links.login(&declared.host).map(|login| login.method) {
        Some(Method::Key(blob)) if blob == declared.key.blob => Ok(()),
        Some(method) => Err(Unproven::OtherKey(format!("another way ({})", method.words()))),
        None => Err(Unproven::OtherKey("nobody knows what".into())),
    }
}

/// Writes down the host's keys by its declared name, too: later runs know nothing of the first account's place.
pub(super) fn remember(declared: &Declared, contact: &Contact) -> Result<(), Stopped> {
    let failed = |why: String| {
        let told = Diagnostic::error("the host's keys could not be remembered by its declared address");
        let fix = format!("`rempart trust {}` does it, once that is mended", declared.host);
        Stopped::failed(told.on(&declared.host, None).because(why).fix(fix))
    };
    let there = contact.at(&declared.target).map_err(|error| failed(error.to_string()))?;
    if !there.old.is_empty() || !there.pins.is_empty() {
        return Ok(());
    }
    let known = there.keys.iter().filter(|key| matches!(key.standing, Standing::Known(_)));
    let known: Vec<HostKey> = known.map(|presented| presented.key.clone()).collect();
    there.remember(&known).map_err(|error| failed(error.to_string()))
}

/// All of it stands, and it cannot be worked with.
pub(super) fn not_proven(declared: &Declared, why: &Unproven) -> Stopped {
    let Declared { host, user, key, .. } = declared;
    let told = Diagnostic::error("the declared user cannot be worked with, though all of it stands").on(host, None);
    let fix = match why {
        Unproven::OtherKey(_) => format!("log in with the private half of {} ({})", key.fingerprint(), key.from),
        Unproven::Link(TransportError::Refused { .. }) => {
            format!(
                "see whether sshd lets {user} in by key (AllowUsers, AuthorizedKeysFile), and whether the private \
                     half of {} is at hand",
                key.fingerprint()
            )
        }
        Unproven::Link(TransportError::Sudo { .. }) => {
            let locked = match &declared.target.escalate {
                Become::Sudo { password: Some(_) } => {
                    format!(
                        "see whether {user}'s password is that of the inventory, and not locked (passwd -S {user}); "
                    )
                }
                _ => String::new(),
            };
            format!("{locked}see which other rule of sudo's is about this user; the last one counts")
        }
        Unproven::Link(TransportError::HostKey { .. }) => {
            format!(
                "another key answers there than by the first account: see whether it is the same host; `rempart trust \
                 {host}` shows its keys"
            )
        }
        Unproven::Link(_) => "see whether sshd listens at the declared address and port".to_owned(),
    };
    Stopped::failed(told.because(why.to_string()).fix(fix))
}

/// Nobody is let in, or nobody becomes root.
pub(super) fn no_way_in(declared: &Declared, error: &TransportError, before: Option<&Unproven>) -> Stopped {
    let password = declared.first.password.is_some();
    let (exit, summary, fix) = match error {
        TransportError::Sudo { .. } => (
            Exit::Failed,
            "the first account is let in, but does not become root",
            "name one by --as that can, such as root; or see to it that sudo is there, allows it, and asks for the password \
             that was given (-K and --become-password-file name another one than that of the login)",
        ),
        _ => (
            Exit::Unreachable,
            "neither the first account nor the declared user leads in",
            match password {
                true => "name the account that the host comes with by --as, and see whether this is its password",
                false => "name the account that the host comes with by --as, with -k if it has a password",
            },
        ),
    };
    let mut why = error.to_string();
    if let Some(before) = before {
        why.push_str(&format!("; as declared: {before}"));
    }
    let told = Diagnostic::error(summary).on(&declared.host, None).because(why).fix(fix);
    Stopped { exit, diagnostics: vec![told] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJjklMqTTmqOKuYQhZQHcDCLo0pE9ah7bw0lZQoYUfbd me@desk\n";

    fn of(first: &str) -> Declared {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("id.pub");
        std::fs::write(&key, KEY).unwrap();
        let target =
            Target { user: Some("ops".into()), ssh_config: Some("".into()), ..Target::bare("web1", "192.0.2.1") };
        let first = Candidate::parse(first).unwrap();
        declared(&target.name.clone(), &target, (&first, Some(key.as_path())), [&None, &None]).ok().unwrap()
    }

    fn fix_of(stopped: &Stopped) -> String {
        stopped.diagnostics[0].fix.clone().unwrap_or_default()
    }

    fn lost(reason: &str) -> TransportError {
        let (host, address) = (HostName::new("web1"), "192.0.2.1:22".to_owned());
        TransportError::HostKey { host, address, reason: reason.to_owned() }
    }

    #[test]
    fn a_key_without_its_private_half_is_refused_at_once() {
        let stopped = of("root@").key_at_hand().err().unwrap();
        assert!(stopped.exit == Exit::Usage && fix_of(&stopped).contains("ssh-add"), "{}", fix_of(&stopped));
    }

    #[test]
    fn who_is_let_in_and_has_no_sudo_is_reached() {
        let mut declared = of("debian@");
        let (host, user) = (HostName::new("web1"), "debian".to_owned());
        let no_sudo = TransportError::Sudo { host: host.clone(), user: user.clone(), reason: "not found".into() };
        let stopped = no_way_in(&declared, &no_sudo, None);
        assert!(stopped.exit == Exit::Failed && fix_of(&stopped).contains("such as root"), "{}", fix_of(&stopped));
        let refused = TransportError::Refused { host, user, reason: "tried password".into() };
        let advice = |declared: &Declared| {
            let stopped = no_way_in(declared, &refused, None);
            (stopped.exit, fix_of(&stopped).contains("-k"))
        };
        assert_eq!(advice(&declared), (Exit::Unreachable, true));
        // Who gave a password is not told to give one.
        declared.first.password = Some(Secret::new("login password", "x"));
        assert_eq!(advice(&declared), (Exit::Unreachable, false));
    }

    #[test]
    fn the_first_account_and_the_declared_one_are_at_one_host() {
        let declared = of("root@203.0.113.5:2222");
        let place = |target: &Target| target.also_at.iter().map(|place| (place.address.clone(), place.port)).collect();
        let (of_first, of_target): (Vec<_>, Vec<_>) = (place(&declared.first), place(&declared.target));
        assert_eq!(of_first, [("192.0.2.1".to_owned(), None)]);
        assert_eq!(of_target, [("203.0.113.5".to_owned(), Some(2222))]);
        let stopped = not_proven(&declared, &Unproven::Link(lost("its key HAS CHANGED")));
        assert!(fix_of(&stopped).contains("`rempart trust web1`"), "{}", fix_of(&stopped));
    }
}
