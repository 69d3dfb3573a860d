//! Owns places in files: where a value or a fault stands.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The text of one file, kept so that a diagnostic can show the line.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Keeps a file's text under its path.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }
}

/// A stretch of a file. Lines and columns count from 1, columns in characters.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    start: usize,
    end: usize,
    shown: bool,
}

impl Place {
    /// A stretch of `source` in bytes; bounds outside of it are pulled to the nearest character inside.
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let clamp = |mut at: usize| {
            at = at.min(source.text.len());
            while !source.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = clamp(start);
        Self { source: source.clone(), start, end: clamp(end).max(start), shown: true }
    }

    /// The place of something that stands in no file, such as a flag: `name` is shown in the place of a path.
    pub fn outside(name: &str) -> Self {
        Self::new(&Source::new(name, ""), 0, 0)
    }

    /// The same by its numbers alone: what stands there is not for everybody who reads the message.
    #[must_use]
    pub fn unshown(self) -> Self {
        Self { shown: false, ..self }
    }

    /// Whether a message may show the line.
    pub fn is_shown(&self) -> bool {
        self.shown && !self.source.text.is_empty()
    }

    /// The file's path.
    pub fn path(&self) -> &str {
        &self.source.path
    }

    /// The whole text of the file.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The stretch, in bytes of [`Place::text`].
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// The line of the start, from 1; 0 where there is no file.
    pub fn line(&self) -> usize {
        if self.source.text.is_empty() {
            return 0;
        }
        self.source.text[..self.start].matches('\n').count() + 1
    }

    /// The column of the start in characters, from 1; 0 where there is no file.
    pub fn column(&self) -> usize {
        if self.source.text.is_empty() {
            return 0;
        }
        let line_start = self.source.text[..self.start].rfind('\n').map_or(0, |at| at + 1);
        self.source.text[line_start..self.start].chars().count() + 1
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.text.is_empty() {
            f.write_str(&self.source.path)
        } else {
            write!(f, "{}:{}:{}", self.source.path, self.line(), self.column())
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.path(), self.start, self.end).cmp(&(other.path(), other.start, other.end))
    }
}
