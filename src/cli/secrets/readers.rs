//! Owns who can read a file of the store, and who may by its rule.

use super::{Stopped, rule_of};
use crate::store::{Locked, Opening, Recipient, Rule};

/// The readers of a file beside those of its rule.
#[derive(Debug)]
pub(super) struct Readers {
    /// Who can read it and may.
    pub stays: Vec<String>,
    /// Whom the rule names, and the file does not.
    pub gains: Vec<String>,
    /// Whom the file names, and the rule does not.
    pub loses: Vec<String>,
    /// The rule.
    pub rule: Rule,
}

impl Readers {
    /// Reads both.
    pub fn of(store: &Opening, locked: &Locked) -> Result<Self, Stopped> {
        let rule = rule_of(&store.folder().path(locked.name()))?;
        let (mut stays, mut loses) = (Vec::new(), Vec::new());
        for text in locked.recipients() {
            let may = rule.recipients.iter().any(|wanted| is_same(text, wanted));
            if may { &mut stays } else { &mut loses }.push(plain(text));
        }
        let there = locked.recipients();
        let missing = rule.recipients.iter().filter(|wanted| !there.iter().any(|text| is_same(text, wanted)));
        let mut gains: Vec<String> = missing.map(ToString::to_string).collect();
        for other in locked.other_recipients() {
            let may = rule.others.iter().any(|wanted| is_same_other(other, wanted));
            if may { &mut stays } else { &mut loses }.push(other.clone());
        }
        let missing = |wanted: &&String| !locked.other_recipients().iter().any(|other| is_same_other(other, wanted));
        gains.extend(rule.others.iter().filter(missing).cloned());
        Ok(Self { stays, gains, loses, rule })
    }

    /// Whether the file is for those whom its rule names.
    pub fn are_right(&self) -> bool {
        self.gains.is_empty() && self.loses.is_empty()
    }

    /// All who can read it, each with a `-` where they may not.
    pub fn marked(&self) -> Vec<(char, String)> {
        let marked = |sign: char, all: &[String]| all.iter().map(move |one| (sign, one.clone())).collect::<Vec<_>>();
        [marked(' ', &self.stays), marked('-', &self.loses), marked('+', &self.gains)].concat()
    }
}

/// Whether a text names this recipient: the comment behind an SSH key is no part of it.
pub(super) fn is_same(text: &str, other: &Recipient) -> bool {
    text == other.to_string() || Recipient::parse(text).is_ok_and(|one| one.same_as(other))
}

// Without the comment behind an SSH key, so that the same reader of two files is one.
fn plain(text: &str) -> String {
    Recipient::parse(text).map_or_else(|_| text.to_owned(), |one| one.to_string())
}

// `pgp 7FB8…`; where one of them says the kind alone, that is all that can be compared.
fn is_same_other(one: &str, other: &str) -> bool {
    let split = |text: &str| match text.split_once(' ') {
        Some((kind, name)) => (kind.to_owned(), name.replace(' ', "").to_lowercase()),
        None => (text.to_owned(), String::new()),
    };
    let ((kind, name), (other_kind, other_name)) = (split(one), split(other));
    kind == other_kind && (name == other_name || name.is_empty() || other_name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_one_whatever_is_written_behind_the_key() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
        assert_eq!(plain(&format!("{key} alice@home")), plain(key));
        assert_eq!(plain("nobody knows"), "nobody knows");
    }

    #[test]
    fn other_kinds_are_compared_as_far_as_they_are_named() {
        for (one, other, same) in [
            ("pgp 7FB8", "pgp 7fb8", true),
            ("pgp 7FB8", "pgp 85D7", false),
            ("pgp 7FB8", "kms 7FB8", false),
            ("hc_vault https://vault.example.org", "hc_vault", true),
            ("pgp 85D7 7A41", "pgp 85D77A41", true),
        ] {
            assert_eq!(is_same_other(one, other), same, "{one} {other}");
        }
    }
}
