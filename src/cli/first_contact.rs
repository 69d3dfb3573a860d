//! Owns the ceremony of a first contact, which `trust` and `bootstrap` share: who answers is shown, compared by a person
//! or with a fingerprint that was got on another way, and remembered.

use super::Stopped;
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::Screen;
use crate::report::escape::visible;
use crate::transport::{Contact, HostKey, SshTransport, Standing, Target, TransportError, same_fingerprint};

/// What stands in for the person who compares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceremony<'a> {
    /// Fingerprints that were got on another way.
    pub fingerprints: &'a [String],
    /// Whether whatever is presented is believed of a host of which no other key is known.
    pub yes: bool,
    /// Whether a key may take the place of another one.
    pub replace: bool,
}

/// How it went with one host.
#[derive(Debug)]
pub(super) struct Meeting {
    /// Who answered, if anybody did.
    pub contact: Option<Contact>,
    /// `known`, `remembered`, `replaced`, or why not: `unreachable`, `not_judged`, `revoked`, `changed`, `mismatch`,
    /// `not_approved`, `not_written`.
    pub status: &'static str,
    /// What is wrong, where the host's key is not known now.
    pub fault: Option<Diagnostic>,
    pub exit: Exit,
}

impl Meeting {
    fn good(contact: Contact, status: &'static str) -> Self {
        Self { contact: Some(contact), status, fault: None, exit: Exit::Done }
    }

    fn bad(contact: Option<Contact>, status: &'static str, exit: Exit, host: &HostName, fault: Diagnostic) -> Self {
        Self { contact, status, fault: Some(fault.on(host, None)), exit }
    }

    /// Goes on only where the host's key is known now.
    pub fn or_stop(self) -> Result<Self, Stopped> {
        match self.fault {
            None => Ok(self),
            Some(fault) => Err(Stopped { exit: self.exit, diagnostics: vec![fault] }),
        }
    }
}

/// Looks who answers at a host, and sees to it that its key is known.
pub(super) fn meet(host: &HostName, target: &Target, ceremony: Ceremony<'_>, screen: &Screen) -> Meeting {
    let bad = |contact, status, exit, fault| Meeting::bad(contact, status, exit, host, fault);
    let contact = match SshTransport::new().first_contact(target) {
        Ok(contact) => contact,
        Err(error) => return unmet(host, &error),
    };
    screen.tell(&presented(host, &contact));
    if let Some(key) = contact.revoked() {
        let Standing::Revoked(place) = &key.standing else { return Meeting::good(contact, "known") };
        let fault = Diagnostic::error("a host's key is revoked")
            .because(format!("{} ({}) is revoked by {place}", key.key.fingerprint(), key.key.kind))
            .fix("do not connect; ask who revoked it");
        return bad(Some(contact), "revoked", Exit::Refused, fault);
    }
    let given = |key: &HostKey| ceremony.fingerprints.iter().any(|print| same_fingerprint(print, &key.fingerprint()));
    let expected: Vec<HostKey> = match ceremony.fingerprints {
        [] => contact.keys.iter().map(|presented| presented.key.clone()).collect(),
        _ => contact.keys.iter().map(|presented| presented.key.clone()).filter(given).collect(),
    };
    if expected.is_empty() {
        let fault = Diagnostic::error("none of the presented keys has a fingerprint that you gave")
            .fix("do not connect; find out why on another way");
        return bad(Some(contact), "mismatch", Exit::Refused, fault);
    }
    if contact.is_known() {
        screen.chat(&format!("{} is known already.\n", visible(host.as_str())));
        return Meeting::good(contact, "known");
    }
    if contact.is_changed() && (!ceremony.replace || !contact.pins.is_empty()) {
        let fault = changed(host, &contact);
        return bad(Some(contact), "changed", Exit::Refused, fault);
    }
    if let Err(fault) = believe(ceremony, !contact.old.is_empty(), screen) {
        return bad(Some(contact), "not_approved", Exit::Refused, fault);
    }
    let status = if contact.old.is_empty() { "remembered" } else { "replaced" };
    if let Err(error) = contact.remember(&expected) {
        let fault = Diagnostic::error("the keys could not be remembered").because(error.to_string());
        return bad(Some(contact), "not_written", Exit::Failed, fault);
    }
    if let Some(file) = contact.file() {
        let word = if status == "replaced" { "Replaced" } else { "Remembered" };
        screen.chat(&format!("{word} in {}.\n", visible(&file.display().to_string())));
    }
    Meeting::good(contact, status)
}

// Nobody answered; or somebody did, and what is known of the host cannot be read.
fn unmet(host: &HostName, error: &TransportError) -> Meeting {
    let why = error.to_string();
    if let TransportError::HostKey { .. } = error {
        let fault = Diagnostic::error("a host answers, and its keys cannot be judged").because(why);
        return Meeting::bad(None, "not_judged", Exit::Refused, host, fault.fix("mend the file that is named"));
    }
    let fault = Diagnostic::error("a host's keys could not be read").because(why);
    Meeting::bad(None, "unreachable", Exit::Unreachable, host, fault)
}

// Whether the person, or what stands in for one, takes the presented keys for the host's. A key in the place of another one
// is what somebody in between would present, too: a `yes` that was said before anybody saw it is none.
fn believe(ceremony: Ceremony<'_>, replaces: bool, screen: &Screen) -> Result<(), Diagnostic> {
    if !ceremony.fingerprints.is_empty() || ceremony.yes && !replaces {
        return Ok(());
    }
    let verb = if replaces { "Replace the old key by it" } else { "Remember" };
    let question =
        format!("Compare with the host's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). {verb}?");
    match screen.ask(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Diagnostic::error("not remembered: it was not approved")),
        Err(why) => Err(Diagnostic::error("not remembered")
            .because(why.to_string())
            .fix("name the fingerprint that you expect with --fingerprint SHA256:...")),
    }
}

fn presented(host: &HostName, contact: &Contact) -> String {
    let mut text = format!("{} at {} presents:\n", visible(host.as_str()), visible(&contact.place));
    for presented in &contact.keys {
        let standing = match &presented.standing {
            Standing::Known(place) => format!("  known ({})", visible(place)),
            Standing::Pinned => "  pinned in the inventory".to_owned(),
            Standing::New => String::new(),
            Standing::Wrong => "  NOT the key that is known".to_owned(),
            Standing::Unpinned => "  not pinned in the inventory".to_owned(),
            Standing::Revoked(place) => format!("  REVOKED ({})", visible(place)),
        };
        text.push_str(&format!("  {:<20} {}{standing}\n", visible(&presented.key.kind), presented.key.fingerprint()));
    }
    if contact.is_changed() {
        text.push_str("known until now:\n");
        for old in &contact.old {
            text.push_str(&format!("  {:<20} {}  {}\n", visible(&old.kind), old.fingerprint, visible(&old.place)));
        }
        contact.pins.iter().for_each(|pin| text.push_str(&format!("  {:<20} {pin}  the inventory\n", "")));
    }
    text
}

fn changed(host: &HostName, contact: &Contact) -> Diagnostic {
    let presented = contact.keys.iter().map(|presented| presented.key.fingerprint()).collect::<Vec<_>>().join(", ");
    let old = contact.old.iter().map(|old| format!("{} ({})", old.fingerprint, old.place));
    let old: Vec<String> = old.chain(contact.pins.iter().map(|pin| format!("{pin} (the inventory)"))).collect();
    let fault = Diagnostic::error("a host's key has changed")
        .because(format!("known is {}; presented is {presented}", old.join(", ")));
    fault.fix(if contact.pins.is_empty() {
        format!(
            "if it was installed anew, compare the fingerprint and run `rempart trust {host} --replace`; else somebody \
             may be listening: do not connect"
        )
    } else {
        "if it was installed anew, compare the fingerprint and change `host_key` in the inventory; else somebody may be \
         listening: do not connect"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Colour, Environment, Stream};

    // Nobody sits at it.
    fn screen() -> Screen {
        let stream = || Stream { writer: Box::new(std::io::sink()), terminal: false, width: None };
        let input: (Box<dyn std::io::BufRead + Send>, bool) = (Box::new(std::io::empty()), false);
        Screen::with(stream(), stream(), input, Colour::Never, Environment::default(), true)
    }

    #[test]
    fn a_host_that_answered_is_not_called_unreachable() {
        let (host, address) = (HostName::new("web1"), "192.0.2.1:22".to_owned());
        let reason = "cannot read /home/me/.ssh/known_hosts: permission denied".to_owned();
        let unread = unmet(&host, &TransportError::HostKey { host: host.clone(), address: address.clone(), reason });
        assert_eq!((unread.status, unread.exit), ("not_judged", Exit::Refused));
        let reason = "nothing listens".to_owned();
        let silent = unmet(&host, &TransportError::Unreachable { host: host.clone(), address, reason });
        assert_eq!((silent.status, silent.exit), ("unreachable", Exit::Unreachable));
    }

    #[test]
    fn a_key_in_the_place_of_another_one_is_compared_by_somebody() {
        let prints = ["SHA256:x".to_owned()];
        let believed = |fingerprints: &[String], yes: bool, replaces: bool| {
            believe(Ceremony { fingerprints, yes, replace: true }, replaces, &screen()).is_ok()
        };
        assert!(believed(&[], true, false) && believed(&prints, false, true) && believed(&prints, true, true));
        assert!(!believed(&[], true, true) && !believed(&[], false, false));
    }
}
