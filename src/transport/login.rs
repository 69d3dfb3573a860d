//! Owns the word for how a connection was let in.

/// How a host let a connection in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name that was logged in with.
    pub user: String,
    /// What opened the door.
    pub method: Method,
    /// What both sides agreed on before that.
    pub agreed: Vec<Agreed>,
}

/// A choice of algorithm that both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What it is for, as sshd's settings name it.
    pub keyword: &'static str,
    /// What was chosen.
    pub chosen: String,
    /// All that we could have taken.
    pub able: Vec<String>,
}

/// What opens a door; the last of them, where a host wants several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// A key pair, whose public half this is, as on the wire.
    Key(Vec<u8>),
    /// A password.
    Password,
    /// A password, asked for by keyboard-interactive.
    Interactive,
    /// Nothing: the host wants none.
    Nothing,
}

impl Method {
    /// Its name in sshd's settings.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Key(_) => "publickey",
            Method::Password => "password",
            Method::Interactive => "keyboard-interactive",
            Method::Nothing => "none",
        }
    }

    /// The type of the key, such as `ssh-ed25519`; `None` where there is none that can be read.
    pub fn key_type(&self) -> Option<&str> {
        let Method::Key(blob) = self else { return None };
        let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
        let name = std::str::from_utf8(blob.get(4..4 + usize::try_from(length).ok()?)?).ok()?;
        name.chars().all(|c| c.is_ascii_graphic()).then_some(name)
    }

    /// For people: `ssh-ed25519 key`, `password`.
    pub fn words(&self) -> String {
        match self {
            Method::Key(_) => format!("{} key", self.key_type().unwrap_or("unreadable")),
            other => other.name().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_type_and_a_garbled_one_does_not() {
        let key = |blob: &[u8]| Method::Key(blob.to_vec());
        assert_eq!(key(b"\0\0\0\x0bssh-ed25519\0\0\0\x20abc").key_type(), Some("ssh-ed25519"));
        for blob in [&b""[..], b"\0\0", b"\xff\xff\xff\xffssh", b"\0\0\0\x03a\nb"] {
            assert_eq!(key(blob).key_type(), None);
        }
        assert_eq!(key(b"").words(), "unreadable key");
    }
}
