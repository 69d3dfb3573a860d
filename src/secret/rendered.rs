//! Owns text that may hold secrets, and knows which stretches of it are secret.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Secret;

/// A stretch of rendered text.
#[derive(Clone, Debug)]
pub enum Piece {
    /// May be shown.
    Plain(String),
    /// May not.
    Secret(Secret),
}

/// Text out of a template or a variable, in which secret stretches stay marked.
#[derive(Clone, Default)]
pub struct Rendered {
    pieces: Vec<Piece>,
}

impl Rendered {
    /// Text without a secret.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Plain(text.into())] }
    }

    /// Text that is one secret.
    pub fn secret(secret: Secret) -> Self {
        Self { pieces: vec![Piece::Secret(secret)] }
    }

    /// Text out of its stretches.
    pub fn from_pieces(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    /// The stretches.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether any stretch is secret.
    pub fn is_secret(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Secret(_)))
    }

    /// The text, if no stretch of it is secret.
    pub fn as_plain(&self) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(part) => text.push_str(part),
                Piece::Secret(_) => return None,
            }
        }
        Some(text)
    }

    /// The text with `(secret NAME)` in the place of every secret.
    pub fn masked(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Plain(text) => text.clone(),
                Piece::Secret(secret) => format!("(secret {})", secret.name()),
            })
            .collect()
    }

    /// The names of the secrets in it, each once, in order of appearance.
    pub fn secret_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for piece in &self.pieces {
            if let Piece::Secret(secret) = piece
                && !names.contains(&secret.name())
            {
                names.push(secret.name());
            }
        }
        names
    }

    /// The whole text with its secrets. Only `transport` may call this from outside `secret`, to send it.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for piece in &self.pieces {
            text.push_str(match piece {
                Piece::Plain(part) => part,
                Piece::Secret(secret) => secret.reveal(),
            });
        }
        text
    }

    /// Whether `bytes`, read from a host, are this very text.
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.reveal().as_bytes() == bytes
    }

    /// Whether both are the same text, secrets included.
    pub fn same_as(&self, other: &Rendered) -> bool {
        self.is(other.reveal().as_bytes())
    }

    /// Whether it holds a control character, which would end a line of most formats; a tab is none here.
    pub fn has_control(&self) -> bool {
        self.reveal().chars().any(|c| c.is_control() && c != '\t')
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.reveal().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The SHA-256 in hexadecimal, for text without a secret; `None` with one, since a bare hash of it can be guessed.
    pub fn sha256(&self) -> Option<String> {
        self.as_plain().map(|text| hex(&Sha256::digest(text.as_bytes())))
    }

    /// Every line that holds no part of a secret, without its newline.
    pub fn public_lines(&self) -> Vec<String> {
        let mut lines = vec![Some(String::new())];
        for piece in &self.pieces {
            match piece {
                Piece::Plain(text) => {
                    for (at, part) in text.split('\n').enumerate() {
                        if at > 0 {
                            lines.push(Some(String::new()));
                        }
                        if let Some(Some(line)) = lines.last_mut() {
                            line.push_str(part);
                        }
                    }
                }
                Piece::Secret(secret) => {
                    // A secret of several lines taints the first and the last of them, and all between.
                    for at in 0..secret.reveal().split('\n').count() {
                        if at > 0 {
                            lines.push(None);
                        } else if let Some(line) = lines.last_mut() {
                            *line = None;
                        }
                    }
                }
            }
        }
        lines.into_iter().flatten().collect()
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({:?})", self.masked())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_secret() -> Rendered {
        Rendered::from_pieces(vec![
            Piece::Plain("user=a\ntoken=".into()),
            Piece::Secret(Secret::new("token", "x\ny")),
            Piece::Plain(" # end\nlast=1\n".into()),
        ])
    }

    #[test]
    fn a_line_with_a_part_of_a_secret_is_not_public() {
        assert_eq!(with_secret().public_lines(), ["user=a", "last=1", ""]);
    }

    #[test]
    fn masks_name_the_secret_and_never_show_it() {
        let text = with_secret();
        assert_eq!(text.masked(), "user=a\ntoken=(secret token) # end\nlast=1\n");
        assert_eq!(format!("{text:?}"), r#"Rendered("user=a\ntoken=(secret token) # end\nlast=1\n")"#);
        assert!(text.as_plain().is_none() && text.sha256().is_none());
        assert!(text.is(b"user=a\ntoken=x\ny # end\nlast=1\n"));
    }
}
