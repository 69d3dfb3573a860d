//! Owns a file of the store as it is read: names, recipients and rule are known, values are not.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::cipher::{DataKey, Sealed};
use super::fault::{Fault, FaultKind};
use super::key_path::KeyPath;
use super::keyring::Keyring;
use super::metadata::{self, Metadata};
use super::seal;
use super::selection::Selection;
use super::unlocked::{Unlocked, is_seal};
use super::value::{Kind, Plain};
use crate::model::{Place, Source};
use crate::yaml::{self, Outline, OutlineFault, Part, Shape, Step, Style};

/// A file of the store that is not opened. Planning without a key needs no more.
#[derive(Clone)]
pub struct Locked {
    pub(super) name: String,
    pub(super) source: Arc<Source>,
    pub(super) outline: Outline,
    pub(super) metadata: Metadata,
}

/// A value with its path.
pub(super) struct Value<'o> {
    pub part: &'o Part,
    pub encrypted: bool,
}

impl Locked {
    /// Reads a file. `name` is what it is called in the store, such as `gw.yaml`; the seal covers it.
    ///
    /// # Errors
    /// It cannot be read, is no YAML of SOPS, or needs something that is not supported; each with its place.
    pub fn read(path: &Path, name: &str) -> Result<Self, Fault> {
        Self::parse(yaml::read(path)?, name)
    }

    /// Reads a file that is in memory.
    ///
    /// # Errors
    /// As with [`Locked::read`].
    pub fn parse(source: Arc<Source>, name: &str) -> Result<Self, Fault> {
        if source.text.trim().is_empty() {
            let fix = "take it from its last version: `git checkout -- FILE`";
            let fault = Fault::new(FaultKind::Format, "an empty file", "a file of the store is never empty", fix);
            return Err(fault.within(&source.path));
        }
        let outline = yaml::outline(&source.text)
            .map_err(|fault| unmerged(&source).unwrap_or_else(|| placed(&source, &fault)))?;
        let metadata = Metadata::read(&outline).map_err(|fault| {
            let at = outline.part(&metadata::path(&[])).map_or(0, |section| section.start);
            fault.at(&bare(&source, at), "")
        })?;
        Ok(Self { name: name.to_owned(), source, outline, metadata })
    }

    /// Whether it is still what lies there.
    pub fn is_at(&self, path: &Path) -> bool {
        yaml::read(path).is_ok_and(|now| now.text == self.source.text)
    }

    /// Its name in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its secrets, in the order of the file.
    pub fn paths(&self) -> Vec<KeyPath> {
        values(&self.outline, &self.metadata).map(|value| KeyPath::of(&value.part.path)).collect()
    }

    /// The same without the seal.
    pub fn secret_paths(&self) -> Vec<KeyPath> {
        let mine = values(&self.outline, &self.metadata).filter(|value| !is_seal(&value.part.path));
        mine.map(|value| KeyPath::of(&value.part.path)).collect()
    }

    /// The value of one of its secrets, as it stands there.
    pub(super) fn part(&self, path: &KeyPath) -> Option<&Part> {
        values(&self.outline, &self.metadata).map(|value| value.part).find(|part| KeyPath::of(&part.path) == *path)
    }

    /// The recipients of age, as the file names them.
    pub fn recipients(&self) -> Vec<&str> {
        self.metadata.entries.iter().map(|entry| entry.recipient.as_str()).collect()
    }

    /// Recipients of other kinds, which are kept and cannot be used here, such as `pgp 7FB8…`.
    pub fn other_recipients(&self) -> &[String] {
        &self.metadata.others
    }

    /// Which of its values are encrypted.
    pub fn selection(&self) -> &Selection {
        &self.metadata.selection
    }

    /// The secrets that stand in it for everybody to read, since its rule leaves them out.
    pub fn plain_paths(&self) -> Vec<KeyPath> {
        let plain =
            values(&self.outline, &self.metadata).filter(|value| !value.encrypted && !is_seal(&value.part.path));
        plain.map(|value| KeyPath::of(&value.part.path)).collect()
    }

    /// How many comments stand in it for everybody to read, though its rule takes the values beside them.
    pub fn plain_remarks(&self) -> usize {
        let taken = self
            .outline
            .remarks
            .iter()
            .filter(|remark| !is_metadata(&remark.path) && self.metadata.selection.takes(keys(&remark.path)));
        let plain = |raw: &str| !raw.trim_start_matches('#').trim().is_empty() && Sealed::parse(&raw[1..]).is_none();
        taken.filter(|remark| plain(&self.source.text[remark.range.clone()])).count()
    }

    /// When it was written last, as it says.
    pub fn last_modified(&self) -> &str {
        &self.metadata.last_modified
    }

    /// Whether the project's seal stands in it. Only an opened file can be proved.
    pub fn has_seal(&self) -> bool {
        self.outline.part(&[Step::Key(seal::KEY.into())]).is_some()
    }

    /// Opens it, and proves the file's own MAC.
    ///
    /// # Errors
    /// No key that fits, or the file was tampered with: which value, which recipient.
    pub fn open(&self, keyring: &Keyring) -> Result<Unlocked, Fault> {
        self.open_among(keyring, &[])
    }

    /// Opens it. With the other files of the store at hand, a value that was taken from one of them is named as such.
    ///
    /// # Errors
    /// As with [`Locked::open`].
    pub fn open_among(&self, keyring: &Keyring, others: &[Locked]) -> Result<Unlocked, Fault> {
        let key = keyring.data_key(&self.metadata.entries).map_err(|fault| fault.within(&self.source.path))?;
        let mut plains = Vec::new();
        for value in values(&self.outline, &self.metadata) {
            let plain = self.plain(&value, &key, others)?;
            plains.push((value.part.path.clone(), plain));
        }
        self.prove_mac(&key, &plains)?;
        Ok(Unlocked::opened(self, key, plains))
    }

    fn place(&self, part: &Part) -> Place {
        bare(&self.source, part.start)
    }

    fn plain(&self, value: &Value<'_>, key: &DataKey, others: &[Locked]) -> Result<Plain, Fault> {
        let Shape::Scalar { text, style } = &value.part.shape else { return Ok(Plain::null()) };
        if !value.encrypted {
            return Ok(scalar(text, *style));
        }
        if text.is_empty() {
            // SOPS does not encrypt what is empty; the MAC tells whether it was always so.
            return Ok(if *style == Style::Plain { Plain::null() } else { Plain::new(Kind::Str, b"") });
        }
        if *style == Style::Plain && Plain::resolve(text).kind == Kind::Null {
            return Ok(Plain::null());
        }
        let Some(sealed) = Sealed::parse(text) else {
            let detail = "the file's rule says that this value is encrypted, and it is not";
            let fix = "take the line from its last version (`git diff`), then change the secret with `rempart secrets set`: \
                       it was readable";
            let fault = Fault::new(FaultKind::PlainValue, "a secret that is not encrypted", detail, fix);
            return Err(fault.at(&self.place(value.part), "here"));
        };
        if !sealed.is_known() {
            let fix = "open it with a newer rempart or with sops";
            let fault = Fault::new(FaultKind::Unsupported, "a value of an unknown type", "behind `type:`", fix);
            return Err(fault.at(&self.place(value.part), "here"));
        }
        if let Some(plain) = sealed.open(key, &bound_to(&value.part.path)) {
            return Ok(plain);
        }
        Err(self.unopened(value.part, text, &sealed, key, others))
    }

    // Why a value does not open, as far as it can be told.
    fn unopened(&self, part: &Part, text: &str, sealed: &Sealed, key: &DataKey, others: &[Locked]) -> Fault {
        let name = KeyPath::of(&part.path);
        let fix = "put it back (`git diff` shows the line), or set it anew with `rempart secrets set`";
        let home = self.outline.parts.iter().find(|part| sealed.open(key, &bound_to(&part.path)).is_some());
        if let Some(home) = home {
            let detail = format!("what stands under `{name}` was encrypted for `{}`", KeyPath::of(&home.path));
            return Fault::new(FaultKind::ValueMoved, "a value stands under a wrong key", detail, fix)
                .at(&self.place(part), "moved here");
        }
        let same = |shape: &Shape| matches!(shape, Shape::Scalar { text: other, .. } if other.as_str() == text);
        for other in others.iter().filter(|other| other.name != self.name) {
            if let Some(home) = other.outline.parts.iter().find(|part| same(&part.shape)) {
                let detail = format!("`{name}` holds `{}` of {}", KeyPath::of(&home.path), other.name);
                return Fault::new(FaultKind::ValueForeign, "a value of another file", detail, fix)
                    .at(&self.place(part), "taken from there");
            }
        }
        let detail = format!("`{name}` does not open: its bytes were changed, or it comes from elsewhere");
        Fault::new(FaultKind::ValueChanged, "a value was changed", detail, fix).at(&self.place(part), "this one")
    }

    fn prove_mac(&self, key: &DataKey, plains: &[(Vec<Step>, Plain)]) -> Result<(), Fault> {
        let part = self.outline.part(&metadata::path(&["mac"]));
        let wrong = |detail: &str| {
            let fix =
                "compare it with its last version (`git diff`); what is not yours was not written by SOPS or rempart";
            let fault = Fault::new(FaultKind::MacWrong, "the file's MAC does not fit", detail, fix);
            part.map_or(fault.clone(), |part| fault.at(&self.place(part), "not made for these values"))
        };
        let stored = Sealed::parse(&self.metadata.mac).and_then(|mac| mac.open(key, &self.metadata.last_modified));
        let Some(stored) = stored else { return Err(wrong("`mac` or `lastmodified` was changed")) };
        let wanted = mac(plains.iter().map(|(path, plain)| (path.as_slice(), plain)), &self.metadata);
        // Some versions wrote it in small letters.
        if stored.bytes.eq_ignore_ascii_case(wanted.as_bytes()) {
            Ok(())
        } else {
            Err(wrong("values were swapped, added, removed or changed, though each opens by itself"))
        }
    }
}

/// The values of a file in order, without the section of SOPS, and without what is no scalar.
pub(super) fn values<'o>(outline: &'o Outline, metadata: &'o Metadata) -> impl Iterator<Item = Value<'o>> {
    outline
        .parts
        .iter()
        .filter(|part| !is_metadata(&part.path) && matches!(part.shape, Shape::Scalar { .. }))
        .map(|part| Value { part, encrypted: metadata.selection.takes(keys(&part.path)) })
}

pub(super) fn is_metadata(path: &[Step]) -> bool {
    matches!(path.first(), Some(Step::Key(key)) if key == metadata::SECTION)
}

/// A scalar that is not encrypted.
pub(super) fn scalar(text: &str, style: Style) -> Plain {
    if style == Style::Plain { Plain::resolve(text) } else { Plain::new(Kind::Str, text.as_bytes()) }
}

/// The keys on a path; items of lists have none.
pub(super) fn keys(path: &[Step]) -> impl Iterator<Item = &str> {
    path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    })
}

/// What a value is bound to: its keys, each with a colon behind it; of a comment, those of the map it stands in.
pub(super) fn bound_to(path: &[Step]) -> String {
    let joined = keys(path).collect::<Vec<_>>().join(":");
    format!("{joined}:")
}

/// The MAC over a file's values: SHA-512 over their bytes in order, in capitals.
pub(super) fn mac<'p>(plains: impl Iterator<Item = (&'p [Step], &'p Plain)>, metadata: &Metadata) -> Zeroizing<String> {
    use std::fmt::Write;
    let mut digest = Sha512::new();
    let only = metadata.selection.mac_only_encrypted;
    if only {
        // SOPS begins with these bytes then, so that the two kinds of MAC are never the same: the SHA-256 of "sops".
        digest.update(sha2::Sha256::digest(b"sops"));
    }
    for (path, plain) in plains {
        if plain.kind != Kind::Null && (!only || metadata.selection.takes(keys(path))) {
            digest.update(plain.bytes.as_slice());
        }
    }
    Zeroizing::new(digest.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    }))
}

/// A fault of the outline, with its place.
pub(super) fn placed(source: &Arc<Source>, fault: &OutlineFault) -> Fault {
    Fault::new(FaultKind::Format, "not a file of the store", fault.what, fault.fix).at(&bare(source, fault.at), "here")
}

// What git left of two versions, where that is why the text is no YAML.
fn unmerged(source: &Arc<Source>) -> Option<Fault> {
    let begins = |with: &str| source.text.lines().any(|line| line.starts_with(with));
    if !(begins("<<<<<<< ") && begins(">>>>>>> ")) {
        return None;
    }
    let at = if source.text.starts_with("<<<<<<< ") { 0 } else { source.text.find("\n<<<<<<< ")? + 1 };
    let detail = "two versions were changed at once, and no program can join them: each is sealed as a whole";
    let fix = "take one side (`git checkout --ours FILE` or `--theirs`), then set what the other side changed once more \
               with `rempart secrets set` or `edit`";
    Some(Fault::new(FaultKind::Format, "a merge that nobody finished", detail, fix).at(&bare(source, at), "git's mark"))
}

// A place by its numbers alone: what stands there may be the plain text of a secret, and no excerpt knows.
fn bare(source: &Arc<Source>, at: usize) -> Place {
    Place::new(source, at, at).unshown()
}

impl std::fmt::Debug for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Locked({})", self.name)
    }
}
