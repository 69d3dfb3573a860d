//! Owns one of several ways to the same host as an inventory writes it (`user@host:port`), and what it leaves to the host.
//!
//! Must not know which of them answers: `ways` tries them.

use super::route::place_parts;
use super::{Become, Elsewhere, Target};

/// One of several ways to the same host; what it leaves out is the host's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Login name.
    pub user: Option<String>,
    /// Address or DNS name.
    pub address: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
}

impl Candidate {
    /// Reads `user@host:port`; each part may be left out, but not all of them. A name alone is a host.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = place_parts(place);
        for (word, what) in [(user, "user"), (Some(host).filter(|host| !host.is_empty()), "host")] {
            let Some(word) = word else { continue };
            if word.is_empty() {
                return Err(format!("`{text}` has no {what} before `@`"));
            }
            if word.starts_with('-') || word.contains("{{") || word.chars().any(|c| c.is_control() || c.is_whitespace())
            {
                return Err(format!("`{word}` is no {what}: one plain word that does not begin with `-`"));
            }
        }
        let port = match port {
            None => None,
            Some(port) => {
                let number = port.parse::<u16>().ok().filter(|port| *port > 0);
                Some(number.ok_or_else(|| format!("`{port}` is no port: a number from 1 to 65535"))?)
            }
        };
        let found = Self { user: user.map(str::to_owned), address: (!host.is_empty()).then(|| host.to_owned()), port };
        if found == Self::default() {
            return Err("it names nothing: write `user@host:port`, or a part of it".to_owned());
        }
        Ok(found)
    }
}

impl Target {
    /// The host by one of its candidates alone; the target itself where it has none at that place. What is known of it by
    /// the others goes on vouching for it.
    #[must_use]
    pub fn by(&self, at: usize) -> Target {
        let others = (0..self.candidates.len()).filter(|other| *other != at);
        others.fold(self.alone(at), |target, other| target.vouched_by(&self.alone(other)))
    }

    /// The same, of which is known that it answers where `other` leads as well: one host at two places.
    #[must_use]
    pub fn vouched_by(mut self, other: &Target) -> Target {
        let place = |target: &Target| Elsewhere {
            address: target.address.clone(),
            port: target.port,
            user: target.user.clone(),
        };
        let other = place(other);
        if other != place(&self) && !self.also_at.contains(&other) {
            self.also_at.push(other);
        }
        self
    }

    fn alone(&self, at: usize) -> Target {
        let mut target = Target { candidates: Vec::new(), as_listed: None, ..self.clone() };
        let Some(candidate) = self.candidates.get(at) else { return target };
        if let Some(user) = &candidate.user {
            target.user = Some(user.clone());
        }
        if let Some(address) = &candidate.address {
            target.address.clone_from(address);
        }
        target.port = candidate.port.or(target.port);
        // Root needs no sudo, which may not even be there.
        if target.user.as_deref() == Some("root") {
            target.escalate = Become::No;
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, Option<String>, Option<u16>) {
        let Candidate { user, address, port } = Candidate::parse(text).unwrap();
        (user, address, port)
    }

    #[test]
    fn every_part_may_be_left_out_but_not_all() {
        let word = |text: &str| Some(text.to_owned());
        assert_eq!(parts("admin@"), (word("admin"), None, None));
        assert_eq!(parts("root@:2222"), (word("root"), None, Some(2222)));
        assert_eq!(parts(":22"), (None, None, Some(22)));
        assert_eq!(parts("debian@203.0.113.5:22"), (word("debian"), word("203.0.113.5"), Some(22)));
        assert_eq!(parts("gate.example"), (None, word("gate.example"), None));
        assert_eq!(parts("2001:db8::1"), (None, word("2001:db8::1"), None));
        assert_eq!(parts("a@[2001:db8::1]:2222"), (word("a"), word("2001:db8::1"), Some(2222)));
        assert_eq!(parts("me@corp@gate:1"), (word("me@corp"), word("gate"), Some(1)));
        for bad in ["", "@", "@host", "a@:0", "a@:65536", "a@:x", "-o@h", "a@-h", "a b@h", "a@h h", "{{u}}@h", "a\n@h"]
        {
            assert!(Candidate::parse(bad).is_err(), "{bad:?}");
        }
    }
}
