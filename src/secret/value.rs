//! Owns `Secret`, a value with a name that can be shown and a content that cannot.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A version of a file of a store: a higher generation is a newer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file's name in the store, such as `gw.yaml`.
    pub file: String,
    /// How often it had been written.
    pub generation: u64,
    /// What tells two versions of one generation apart, which two branches may well write; empty where nothing does.
    pub version: String,
}

/// A value that must not be shown; its name may be.
#[derive(Clone)]
pub struct Secret {
    name: String,
    value: Zeroizing<String>,
    // What stands for the content where it is not to be known; all that is made of the one is made of the other.
    stand_in: Option<Zeroizing<String>>,
    // Which versions of which files of a store it was read from; several where it was made of several secrets.
    origins: Vec<Origin>,
    // Why the content is not at hand. What stands in its place then is made up, and is nobody's secret.
    locked: Option<Arc<str>>,
}

impl Secret {
    /// Wraps a value under the name by which people know it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Zeroizing::new(value.into()),
            stand_in: None,
            origins: Vec::new(),
            locked: None,
        }
    }

    /// A secret that is there, and that nobody here can read, with the reason. It goes through templates as any other,
    /// so that all is known of a resource but this; it is never equal to anything, and is never sent.
    pub fn locked(name: impl Into<String>, why: impl Into<Arc<str>>) -> Self {
        let value = Zeroizing::new("locked".into());
        Self { name: name.into(), value, stand_in: None, origins: Vec::new(), locked: Some(why.into()) }
    }

    /// The same, with a text that stands for the content: the same for who knows the content and who does not, and
    /// another one when another content is stored.
    #[must_use]
    pub fn with_stand_in(self, stand_in: String) -> Self {
        Self { stand_in: Some(Zeroizing::new(stand_in)), ..self }
    }

    /// What stands for the content, if anything does.
    pub fn stand_in(&self) -> Option<&str> {
        self.stand_in.as_deref().map(String::as_str)
    }

    /// The same, read from these versions of files.
    #[must_use]
    pub fn with_origins(self, origins: Vec<Origin>) -> Self {
        Self { origins, ..self }
    }

    /// Which versions of which files it was read from; none where it is of no store.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Why the content is not at hand, if it is not.
    pub fn why_locked(&self) -> Option<&str> {
        self.locked.as_deref()
    }

    /// The name by which people know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content. From outside `secret` only `transport` may call this, to send it, and `store`, to encrypt it. Of a
    /// locked secret it is a word without a meaning.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// All that it is in texts for `yaml::decode`, which makes it of them again at once.
    pub(crate) fn for_decoder(&self) -> [String; 5] {
        let marked = |text: Option<&str>| text.map(|text| format!("={text}")).unwrap_or_default();
        let origin = |origin: &Origin| format!("{}\n{}\n{}\n", origin.file, origin.generation, origin.version);
        let origins = self.origins.iter().map(origin).collect();
        [self.name.clone(), self.value.to_string(), marked(self.stand_in()), marked(self.why_locked()), origins]
    }

    /// The way back from [`Secret::for_decoder`].
    pub(crate) fn from_decoder([name, value, stand_in, locked, origins]: [String; 5]) -> Self {
        let lines: Vec<&str> = origins.lines().collect();
        let origin = |lines: &[&str]| {
            let [file, generation, version] = lines else { return None };
            let version = (*version).to_owned();
            Some(Origin { file: (*file).to_owned(), generation: generation.parse().ok()?, version })
        };
        Self {
            name,
            value: Zeroizing::new(value),
            stand_in: stand_in.strip_prefix('=').map(|text| Zeroizing::new(text.to_owned())),
            origins: lines.chunks(3).filter_map(origin).collect(),
            locked: locked.strip_prefix('=').map(Into::into),
        }
    }

    /// A secret made from this one, under the same name, such as its base64 form.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Secret {
        Secret {
            name: self.name.clone(),
            value: Zeroizing::new(change(&self.value)),
            stand_in: self.stand_in().map(|text| Zeroizing::new(change(text))),
            origins: self.origins.clone(),
            locked: self.locked.clone(),
        }
    }

    /// The same content under another name.
    #[must_use]
    pub fn renamed(&self, name: impl Into<String>) -> Secret {
        Secret { name: name.into(), ..self.clone() }
    }

    /// Whether both hold the same content. The time taken does not depend on where they differ.
    pub fn same_as(&self, other: &Secret) -> bool {
        if self.locked.is_some() || other.locked.is_some() {
            return false;
        }
        let (a, b) = (self.value.as_bytes(), other.value.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
    }

    /// Whether the content holds one of `characters`; for checks that a value fits the line it lands in.
    pub fn has_any(&self, characters: &[char]) -> bool {
        self.value.contains(characters)
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.value.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name)
    }
}
