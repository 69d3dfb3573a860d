//! Owns the name of a secret in a file: its keys, joined by slashes.

use std::fmt;

use super::fault::{Fault, FaultKind};
use crate::yaml::Step;

/// A path such as `gw/token`, or `hosts/0/password` with the item of a list. A slash inside of a key is written `~1`, and
/// a tilde `~0`, as in JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// Reads a path.
    ///
    /// # Errors
    /// It is empty, or a part of it is.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let parts: Vec<String> = text.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        if parts.iter().any(String::is_empty) {
            let detail = format!("`{text}` has an empty part");
            return Err(Fault::new(FaultKind::Format, "no name of a secret", detail, "write it like `gw/token`"));
        }
        Ok(Self(parts))
    }

    pub(super) fn of(steps: &[Step]) -> Self {
        let word = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(at) => at.to_string(),
        };
        Self(steps.iter().map(word).collect())
    }

    /// Its parts.
    pub fn parts(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|part| part.replace('~', "~0").replace('/', "~1")).collect();
        f.write_str(&parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_it_is_written() {
        for text in ["gw/token", "a", "a~1b/c~0d", "list/0", "~01"] {
            assert_eq!(KeyPath::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(KeyPath::parse("a~1b").unwrap().parts(), ["a/b"]);
        for text in ["", "/a", "a/", "a//b"] {
            assert_eq!(KeyPath::parse(text).unwrap_err().kind, FaultKind::Format, "{text}");
        }
    }
}
