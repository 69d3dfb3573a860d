//! Owns text that may hold secrets, and knows which stretches of it are secret.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::hide::replaced;
use super::{Origin, Secret, hex};

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

    /// Why the text is not known: the first of its secrets whose content is not at hand, and the reason.
    pub fn locked(&self) -> Option<(&str, &str)> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Secret(secret) => Some((secret.name(), secret.why_locked()?)),
            Piece::Plain(_) => None,
        })
    }

    // One secret of the whole text; what is not known of a part is not known of the whole.
    fn whole(&self, name: String, change: impl Fn(&str) -> String) -> Secret {
        let whole = match self.locked() {
            Some((_, why)) => Secret::locked(name, why),
            None => Secret::new(name, change(&self.reveal())),
        };
        let whole = whole.with_origins(self.origins());
        match self.stand_in() {
            Some(stand_in) => whole.with_stand_in(change(&stand_in)),
            None => whole,
        }
    }

    /// Which versions of which files of a store its secrets were read from, each once.
    pub fn origins(&self) -> Vec<Origin> {
        let of_piece = |piece: &Piece| match piece {
            Piece::Secret(secret) => secret.origins().to_vec(),
            Piece::Plain(_) => Vec::new(),
        };
        self.pieces.iter().flat_map(of_piece).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The text with what stands for each of its secrets, which is the content of those that nothing stands for and
    /// everybody knows who has the text; `None` = nothing stands for one that is locked.
    pub fn stand_in(&self) -> Option<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        for piece in &self.pieces {
            text.push_str(match piece {
                Piece::Plain(part) => part,
                Piece::Secret(secret) => match secret.stand_in() {
                    Some(stand_in) => stand_in,
                    None if secret.why_locked().is_none() => secret.reveal(),
                    None => return None,
                },
            });
        }
        Some(text)
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

    /// The whole text as one secret known by `name`, such as the variable that holds it.
    pub fn to_secret(&self, name: impl Into<String>) -> Secret {
        self.whole(name.into(), str::to_owned)
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

    /// Writes the whole text, secrets included, to where it is needed: a connection.
    ///
    /// # Errors
    /// Those of the writer; the content of a secret is not at hand.
    pub fn send_to(&self, to: &mut dyn std::io::Write) -> std::io::Result<()> {
        if let Some((name, why)) = self.locked() {
            return Err(std::io::Error::other(format!("the secret {name} is not known: {why}")));
        }
        to.write_all(self.reveal().as_bytes())
    }

    /// Whether `bytes`, read from a host, are this very text.
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.locked().is_none() && self.reveal().as_bytes() == bytes
    }

    /// A host's output without any secret of this text in it, line by line or as a whole.
    ///
    /// What a tool prints when it refuses a file may quote the file. Secrets under four characters are looked for as
    /// whole words only, since they would blank out half of any text.
    pub fn redact(&self, output: &str) -> String {
        let mut clean = output.to_owned();
        for piece in &self.pieces {
            let Piece::Secret(secret) = piece else { continue };
            if secret.why_locked().is_some() {
                continue;
            }
            let mask = format!("(secret {})", secret.name());
            for part in secret.reveal().split('\n').chain([secret.reveal()]) {
                let part = part.trim();
                if part.chars().count() >= 4 {
                    clean = replaced(Cow::Owned(clean), part, &mask, false).into_owned();
                } else if !part.is_empty() {
                    clean = replace_words(&clean, part, &mask);
                }
            }
        }
        clean
    }

    /// Whether both are the same text, secrets included.
    pub fn same_as(&self, other: &Rendered) -> bool {
        other.locked().is_none() && self.is(other.reveal().as_bytes())
    }

    /// Whether both, neither of which is known, are made of the same parts, in which the same stands for the same secrets.
    pub fn is_written_as(&self, other: &Rendered) -> bool {
        self.locked() == other.locked()
            && self.locked().is_some()
            && self.masked() == other.masked()
            && self.reveal() == other.reveal()
            && self.stand_in() == other.stand_in()
    }

    /// A secret made from the whole text, such as its base64 form, under the names of the secrets in it.
    pub fn map_whole(&self, change: impl Fn(&str) -> String) -> Secret {
        self.whole(self.secret_names().join("+"), change)
    }

    /// The text with each stretch changed by itself, such as for JSON; for changes that act on single characters only.
    #[must_use]
    pub fn map_each(&self, change: impl Fn(&str) -> String) -> Rendered {
        let changed = |piece: &Piece| match piece {
            Piece::Plain(text) => Piece::Plain(change(text)),
            Piece::Secret(secret) => Piece::Secret(secret.map(&change)),
        };
        Self { pieces: self.pieces.iter().map(changed).collect() }
    }

    /// The text with its secrets under another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Rendered {
        let renamed = |piece: &Piece| match piece {
            Piece::Plain(text) => Piece::Plain(text.clone()),
            Piece::Secret(secret) => Piece::Secret(secret.renamed(name)),
        };
        Self { pieces: self.pieces.iter().map(renamed).collect() }
    }

    /// What a check says of the whole text, such as whether it fits into a line. The check must not repeat the text.
    ///
    /// # Errors
    /// Those of the check.
    pub fn check(&self, check: impl FnOnce(&str) -> Result<(), String>) -> Result<(), String> {
        check(&self.reveal())
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

    /// The SHA-256 in hexadecimal of a salt and this text. A salt that was drawn for one question makes it fit to be
    /// compared with what a host says, and with nothing else; it is not to be kept or shown.
    pub fn salted_sha256(&self, salt: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(salt.as_bytes());
        digest.update(self.reveal().as_bytes());
        hex(&digest.finalize())
    }

    /// The lines of an old text from a host and of this one, both fit to be shown.
    ///
    /// Nobody knows where an old secret stands in the old text. So where this text holds a secret, an old line is
    /// shown only if it is byte-equal to one of this text's lines; every other is hidden. So it is where the old text is
    /// of a file that `held` a secret once.
    pub fn diff_sides(&self, old: &str, held: bool) -> (Vec<String>, Vec<String>) {
        let new = self.lines_with_masks();
        let shown_new = new.iter().map(|(_, masked)| masked.clone()).collect();
        let shown_old = split_lines(old)
            .map(|line| {
                if !held && !self.is_secret() {
                    return line.to_owned();
                }
                new.iter()
                    .find(|(real, _)| real.as_str() == line)
                    .map_or_else(|| "(hidden: may hold an old secret)".to_owned(), |(_, masked)| masked.clone())
            })
            .collect();
        (shown_old, shown_new)
    }

    // Each line as it is and as it may be shown. A secret of several lines masks each of them.
    fn lines_with_masks(&self) -> Vec<(Zeroizing<String>, String)> {
        let mut lines = vec![(Zeroizing::new(String::new()), String::new())];
        for piece in &self.pieces {
            let (text, mask) = match piece {
                Piece::Plain(text) => (text.as_str(), None),
                Piece::Secret(secret) => (secret.reveal(), Some(format!("(secret {})", secret.name()))),
            };
            for (at, part) in text.split('\n').enumerate() {
                if at > 0 {
                    lines.push((Zeroizing::new(String::new()), String::new()));
                }
                if let Some((real, masked)) = lines.last_mut() {
                    real.push_str(part);
                    masked.push_str(mask.as_deref().unwrap_or(part));
                }
            }
        }
        // The text after the last newline is a line only if there is some.
        if lines.len() > 1 && lines.last().is_some_and(|(real, _)| real.is_empty()) {
            lines.pop();
        }
        lines
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

fn replace_words(text: &str, word: &str, by: &str) -> String {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let whole = !is_word(before.chars().next_back().or_else(|| clean.chars().next_back()))
            && !is_word(after.chars().next());
        clean.push_str(before);
        clean.push_str(if whole { by } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let count = if text.is_empty() { 0 } else { usize::MAX };
    text.split('\n').take(count)
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
    fn a_text_with_a_locked_secret_is_like_nothing_and_goes_nowhere() {
        let locked = Rendered::from_pieces(vec![
            Piece::Plain("a=".into()),
            Piece::Secret(Secret::locked("token", "no key")),
            Piece::Plain("\n".into()),
        ]);
        assert_eq!(locked.locked(), Some(("token", "no key")));
        let made_up = locked.reveal();
        assert!(!locked.is(made_up.as_bytes()) && !locked.same_as(&locked));
        assert!(!Rendered::plain(made_up.as_str()).same_as(&locked), "from neither side");
        assert_eq!(locked.redact(&made_up), made_up.as_str(), "it is nobody's secret");
        let mut sent = Vec::new();
        let told = locked.send_to(&mut sent).unwrap_err().to_string();
        assert_eq!((told.as_str(), sent.len()), ("the secret token is not known: no key", 0));
        // It stays locked, whatever is made of it.
        for made in [locked.map_whole(str::to_uppercase), locked.to_secret("x")] {
            assert_eq!(made.why_locked(), Some("no key"));
            assert!(!made.same_as(&made) && !made.same_as(&Secret::new("x", made_up.as_str())));
            assert_eq!(made.map(str::to_owned).renamed("y").why_locked(), Some("no key"));
        }
        assert!(locked.map_each(str::to_owned).renamed("z").locked().is_some());
        assert!(with_secret().locked().is_none());
    }

    #[test]
    fn what_stands_for_a_secret_goes_the_way_of_its_content() {
        let text = |secret: Secret| Rendered::from_pieces(vec![Piece::Plain("A=".into()), Piece::Secret(secret)]);
        let open = text(Secret::new("token", "x y").with_stand_in("s 1".into()));
        let locked = text(Secret::locked("token", "no key").with_stand_in("s 1".into()));
        for (made, of) in [(&open, "A=s 1"), (&locked, "A=s 1")] {
            assert_eq!(made.stand_in().unwrap().as_str(), of);
            let quoted = made.map_each(|text| text.replace(' ', "%20"));
            assert_eq!(quoted.stand_in().unwrap().as_str(), "A=s%201");
            let whole = made.map_whole(str::to_uppercase).renamed("b");
            assert_eq!(whole.stand_in(), Some("A=S 1"));
            let from = |generation| Origin { file: "gw.yaml".into(), generation, version: "0a1b2c3d".into() };
            let two = [Piece::Secret(whole.with_origins(vec![from(2)])), Piece::Secret(Secret::new("b", "c"))];
            let two = Rendered::from_pieces([two.as_slice(), &two[..1]].concat());
            assert_eq!(two.origins(), [from(2)]);
            assert_eq!(two.map_each(str::to_uppercase).to_secret("x").origins(), [from(2)]);
        }
        // A secret that is in no store is known to whoever has the text; one that is locked and has none is known to nobody.
        assert_eq!(text(Secret::new("pw", "z")).stand_in().unwrap().as_str(), "A=z");
        assert!(text(Secret::locked("pw", "no key")).stand_in().is_none());
    }

    #[test]
    fn an_old_line_is_shown_only_if_it_is_a_line_of_the_new_text() {
        let (old, new) = with_secret().diff_sides("user=a\ntoken=old\nx=1\nlast=1\n", false);
        let hidden = "(hidden: may hold an old secret)";
        assert_eq!(old, ["user=a", hidden, hidden, "last=1"]);
        let (held, _) = Rendered::plain("user=a\nb\n").diff_sides("user=a\ntoken=old\n", true);
        assert_eq!(held, ["user=a", hidden]);
        assert_eq!(new, ["user=a", "token=(secret token)", "(secret token) # end", "last=1"]);
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
