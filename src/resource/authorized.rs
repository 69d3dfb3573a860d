//! Owns the lines of authorized_keys files: options, type, key and comment, as sshd reads them.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// One key of such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedLine {
    /// Names of options, in small letters, with their values.
    pub options: Vec<(String, String)>,
    /// Type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The key in base64, as written.
    pub base64: String,
    /// The key as on the wire.
    pub blob: Vec<u8>,
    /// What follows it.
    pub comment: String,
}

impl AuthorizedLine {
    /// Reads a line; `None` = sshd sees no key in it.
    pub fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        if let Some(whole) = Self::without_options(line) {
            return Some(whole);
        }
        let (mut quoted, mut escaped, mut end) = (false, false, None);
        for (at, c) in line.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted && line[at + 1..].starts_with('"') => escaped = true,
                '"' => quoted = !quoted,
                c if c.is_ascii_whitespace() && !quoted => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let (options, rest) = line.split_at(end?);
        Some(Self { options: split(options), ..Self::without_options(rest)? })
    }

    fn without_options(text: &str) -> Option<Self> {
        let mut words = text.trim_start().splitn(2, [' ', '\t']);
        let algorithm = words.next()?;
        let rest = words.next()?.trim_start();
        let (base64, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let blob = BASE64_STANDARD.decode(base64).ok()?;
        // The blob names its type itself.
        let named = blob.get(4..4 + algorithm.len())? == algorithm.as_bytes();
        named.then(|| Self {
            options: Vec::new(),
            algorithm: algorithm.to_owned(),
            base64: base64.to_owned(),
            blob,
            comment: comment.trim().to_owned(),
        })
    }

    /// Whether its parts fill it to the last byte.
    pub fn is_whole(&self) -> bool {
        let mut rest = self.blob.as_slice();
        let mut parts = 0;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let Some(left) = after.get(u32::from_be_bytes(*length) as usize..) else { return false };
            (rest, parts) = (left, parts + 1);
        }
        rest.is_empty() && parts >= 2
    }

    /// As ssh-keygen prints it: `SHA256:...`.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The options as written into a file.
    pub fn options_text(&self) -> String {
        let text = |(name, value): &(String, String)| match value.as_str() {
            "" => name.clone(),
            value => format!("{name}=\"{}\"", value.replace('"', "\\\"")),
        };
        self.options.iter().map(text).collect::<Vec<_>>().join(",")
    }

    /// The line as written into a file.
    pub fn text(&self) -> String {
        let parts = [&self.options_text(), &self.algorithm, &self.base64, &self.comment];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    }
}

fn split(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        let last = parts.len() - 1;
        match c {
            _ if escaped => {
                parts[last].push(c);
                escaped = false;
            }
            '\\' if quoted && text[at + 1..].starts_with('"') => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            c => parts[last].push(c),
        }
    }
    let pair = |part: String| {
        let (name, value) = part.split_once('=').unwrap_or((&part, ""));
        (name.to_ascii_lowercase(), value.to_owned())
    };
    parts.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d";

    #[test]
    fn a_line_is_read_with_its_options_and_written_again() {
        let text = format!(r#"restrict,from="10.0.0.0/8,!10.1.2.3",command="a \"b\" \c" {KEY} anna@home office"#);
        let line = AuthorizedLine::read(&text).unwrap();
        assert_eq!(line.options[2], ("command".into(), r#"a "b" \c"#.into()));
        assert_eq!((line.comment.as_str(), line.text()), ("anna@home office", text));
        assert!(line.is_whole());
        for none in
            ["", "# x", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGJt", &format!("#{KEY}")]
        {
            assert_eq!(AuthorizedLine::read(none), None, "{none}");
        }
        assert!(!AuthorizedLine::read("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJt").unwrap().is_whole());
    }

    proptest! {
        #[test]
        fn values_come_back_as_they_went(value in r#"[a-z "\\,=]{0,12}[a-z ]"#) {
            let key = AuthorizedLine::read(KEY).unwrap();
            let line = AuthorizedLine { options: vec![("command".into(), value), ("restrict".into(), String::new())], ..key };
            prop_assert_eq!(AuthorizedLine::read(&line.text()), Some(line));
        }

        #[test]
        fn nothing_panics(text in "(?s).{0,80}") {
            let _ = AuthorizedLine::read(&format!("{text} {KEY}"));
        }
    }
}
