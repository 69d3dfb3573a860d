//! Owns the rule on which values of a file are encrypted.

use regex_lite::Regex;

use super::fault::{Fault, FaultKind};

/// The names of the rules in a file's metadata and in `.sops.yaml`, in a fixed order.
pub(super) const RULES: [&str; 4] = ["unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex"];
/// Rules on comments, which SOPS has and this program does not.
pub(super) const UNKNOWN_RULES: [&str; 2] = ["unencrypted_comment_regex", "encrypted_comment_regex"];
/// What SOPS takes if nothing is said.
const DEFAULT: (&str, &str) = ("unencrypted_suffix", "_unencrypted");

/// Which values are encrypted: one rule about the names of the keys they stand under.
#[derive(Clone, Debug)]
pub struct Selection {
    rule: &'static str,
    pattern: String,
    regex: Option<Regex>,
    /// Whether the file's MAC is about encrypted values only.
    pub mac_only_encrypted: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self { rule: DEFAULT.0, pattern: DEFAULT.1.into(), regex: None, mac_only_encrypted: false }
    }
}

impl Selection {
    /// The rule out of what is written; more than one is refused, as SOPS does.
    ///
    /// # Errors
    /// More than one rule, or a pattern that is none.
    pub(super) fn from_rules(rules: &[(&'static str, String)], mac_only_encrypted: bool) -> Result<Self, Fault> {
        let given: Vec<_> = rules.iter().filter(|(_, pattern)| !pattern.is_empty()).collect();
        let (rule, pattern) = match given.as_slice() {
            [] => return Ok(Self { mac_only_encrypted, ..Self::default() }),
            [(rule, pattern)] => (*rule, pattern.clone()),
            [(first, _), (second, _), ..] => {
                let detail = format!("{first} and {second}");
                return Err(Fault::new(
                    FaultKind::Format,
                    "two rules on what is encrypted",
                    detail,
                    "keep one of them",
                ));
            }
        };
        let regex = match rule.ends_with("_regex").then(|| Regex::new(&pattern)) {
            Some(Err(error)) => {
                let detail = format!("{rule}: {error}");
                return Err(Fault::new(FaultKind::Format, "a pattern that is none", detail, "correct the pattern"));
            }
            Some(Ok(regex)) => Some(regex),
            None => None,
        };
        Ok(Self { rule, pattern, regex, mac_only_encrypted })
    }

    /// The rule and its pattern.
    pub fn rule(&self) -> (&'static str, &str) {
        (self.rule, &self.pattern)
    }

    /// Whether both encrypt the same, and count the same into the MAC.
    pub fn same_as(&self, other: &Selection) -> bool {
        self.rule() == other.rule() && self.mac_only_encrypted == other.mac_only_encrypted
    }

    /// Whether a value under these keys is encrypted.
    pub fn takes<'a>(&self, mut keys: impl Iterator<Item = &'a str>) -> bool {
        let hit = keys.any(|key| match &self.regex {
            Some(regex) => regex.is_match(key),
            None => key.ends_with(&self.pattern),
        });
        hit == self.rule.starts_with("encrypted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_about_any_key_on_the_path() {
        let takes = |rule, pattern: &str, path: &[&str]| {
            Selection::from_rules(&[(rule, pattern.into())], false).unwrap().takes(path.iter().copied())
        };
        assert!(Selection::default().takes(["a", "b"].into_iter()));
        assert!(!Selection::default().takes(["a_unencrypted", "b"].into_iter()));
        assert!(takes("encrypted_suffix", "_s", &["a_s", "b"]) && !takes("encrypted_suffix", "_s", &["a", "b"]));
        assert!(!takes("unencrypted_regex", "^pub", &["x", "public"]) && takes("unencrypted_regex", "^pub", &["xpub"]));
        assert!(takes("encrypted_regex", "^(data|stringData)$", &["data", "x"]));
        assert!(!takes("encrypted_regex", "^(data|stringData)$", &["kind"]));
    }

    #[test]
    fn two_rules_and_broken_patterns_are_refused() {
        let two = [("encrypted_suffix", "a".to_owned()), ("encrypted_regex", "b".to_owned())];
        assert_eq!(Selection::from_rules(&two, false).unwrap_err().kind, FaultKind::Format);
        assert_eq!(
            Selection::from_rules(&[("encrypted_regex", "(".into())], false).unwrap_err().kind,
            FaultKind::Format
        );
        assert!(Selection::from_rules(&[("encrypted_suffix", String::new())], false).is_ok());
    }
}
