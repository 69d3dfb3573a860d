//! Owns secrets inside of templates: a value that can be printed and nothing else, and the ledger of one expansion.
//!
//! The engine never sees the content of a secret. Printing one writes a sentinel that nobody can guess, and the
//! rendered text is cut at the sentinels afterwards, so that every stretch keeps its mark. Whatever else an operation
//! does with the object (compare, test, join) ends in a hook here, which notes the misuse; the rendering then fails.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Output, Value, value::ValueKind};

use super::weight::HEAVIEST;
use crate::model::{Diagnostic, HostName};
use crate::quote::{Format, fits};
use crate::secret::{Piece, Rendered};

// Code points that Unicode keeps out of text for ever.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// What one rendering notes while it runs. Shared by the environment's hooks; used by one thread at a time.
#[derive(Debug)]
pub(super) struct Ledger {
    nonce: String,
    inner: Mutex<Notes>,
}

#[derive(Debug)]
pub(super) struct Notes {
    /// What the sentinels stand for.
    pub printed: Vec<Rendered>,
    /// Facts were read; taken and set again by those who ask.
    pub facts_read: bool,
    /// The hosts whose facts were read and are not known; taken by those who ask.
    pub waits_for: BTreeSet<HostName>,
    /// What the rendering at hand has met.
    pub now: Now,
    // The format that printed values land in.
    format: Format,
    // How many renderings are inside of one another, and what they weigh.
    depth: usize,
    weight: usize,
}

/// What one rendering has met.
#[derive(Debug, Default)]
pub(super) struct Now {
    /// The secret that was misused first.
    pub misused: Option<String>,
    /// Why a value may not be printed where it was.
    pub refused: Option<Refusal>,
    /// A fault in a variable that was evaluated on the way.
    pub failed: Option<Box<Diagnostic>>,
    /// Facts were read, and are not known.
    pub facts_missing: bool,
}

/// What a rendering interrupts.
pub(super) type Outer = (Format, Now, usize);

impl Notes {
    /// Begins a rendering, perhaps inside of another; gives what [`Notes::leave`] takes.
    pub fn enter(&mut self, format: Format, weight: usize) -> Outer {
        if self.depth == 0 {
            self.printed.clear();
        }
        self.depth += 1;
        self.weight += weight;
        (std::mem::replace(&mut self.format, format), std::mem::take(&mut self.now), weight)
    }

    /// Facts of these hosts were read, and are not known.
    pub fn wait_for<'a>(&mut self, hosts: impl IntoIterator<Item = &'a HostName>) {
        (self.facts_read, self.now.facts_missing) = (true, true);
        self.waits_for.extend(hosts.into_iter().cloned());
    }

    /// Whether the renderings at hand go too deep together.
    pub fn too_heavy(&self) -> bool {
        self.weight > HEAVIEST
    }

    /// Ends a rendering.
    pub fn leave(&mut self, (format, now, weight): Outer) {
        (self.format, self.now) = (format, now);
        self.depth -= 1;
        self.weight -= weight;
    }
}

/// Why a value may not be printed, and what to do.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub summary: &'static str,
    pub why: String,
    pub fix: String,
}

impl Ledger {
    pub fn new() -> Arc<Self> {
        // The standard library's hasher is keyed by the operating system's random numbers.
        let random = || RandomState::new().build_hasher().finish();
        Arc::new(Self {
            nonce: format!("{:016x}{:016x}", random(), random()),
            inner: Mutex::new(Notes {
                printed: Vec::new(),
                facts_read: false,
                waits_for: BTreeSet::new(),
                now: Now::default(),
                format: Format::Text,
                depth: 0,
                weight: 0,
            }),
        })
    }

    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sentinel(&self, text: Rendered) -> String {
        let mut notes = self.notes();
        notes.printed.push(text);
        format!("{OPEN}{}:{}{CLOSE}", self.nonce, notes.printed.len() - 1)
    }

    /// Cuts a text at its sentinels.
    ///
    /// # Errors
    /// A sentinel was broken: a text with a secret in it was cut or changed.
    pub fn cut(&self, text: &str) -> Result<Rendered, ()> {
        if !text.contains([OPEN, CLOSE]) && !text.contains(&self.nonce) {
            return Ok(Rendered::plain(text));
        }
        let opening = format!("{OPEN}{}:", self.nonce);
        let mut pieces = Vec::new();
        let mut parts = text.split(&opening);
        let mut plain = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let (index, rest) = part.split_once(CLOSE).ok_or(())?;
            let secret = index.parse().ok().and_then(|at: usize| self.notes().printed.get(at).cloned()).ok_or(())?;
            for piece in secret.pieces() {
                match piece {
                    Piece::Plain(text) => plain.push_str(text),
                    secret @ Piece::Secret(_) => {
                        pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                        pieces.push(secret.clone());
                    }
                }
            }
            plain.push_str(rest);
        }
        pieces.push(Piece::Plain(plain));
        pieces.retain(|piece| !matches!(piece, Piece::Plain(text) if text.is_empty()));
        let broken = |piece: &Piece| matches!(piece, Piece::Plain(text) if text.contains([OPEN, CLOSE]));
        if pieces.iter().any(broken) { Err(()) } else { Ok(Rendered::from_pieces(pieces)) }
    }

    /// Writes what `{{ }}` prints, or refuses it.
    pub fn print(&self, out: &mut Output, value: &Value) -> Result<(), Error> {
        if self.notes().now.misused.is_some() {
            return Err(Error::new(ErrorKind::InvalidOperation, "a secret was misused"));
        }
        if let Some(secret) = value.downcast_object_ref::<Tainted>() {
            if !secret.any_lines {
                let format = self.notes().format;
                secret.text.check(|text| fits(format, text)).map_err(|why| self.unfit(why))?;
            }
            return Ok(out.write_str(&self.sentinel(secret.text.clone()))?);
        }
        let refuse = |summary, why: &str, fix: &str| {
            self.notes().now.refused = Some(Refusal { summary, why: why.into(), fix: fix.into() });
            Err(Error::new(ErrorKind::InvalidOperation, summary))
        };
        match value.kind() {
            ValueKind::String => {
                let text = value.as_str().unwrap_or_default();
                // What a macro or block gave back was checked when it was printed in there.
                if !value.is_safe() {
                    let format = self.notes().format;
                    fits(format, text).map_err(|why| self.unfit(why))?;
                }
                Ok(out.write_str(text)?)
            }
            // As YAML and most files write it; Python's `True` is of use to nobody.
            ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
            ValueKind::Number => Ok(out.write_str(&value.to_string())?),
            ValueKind::Undefined => Ok(()),
            ValueKind::None => refuse(
                "nothing to print",
                "the value is null",
                "give it a value, or write `| default(\"...\", true)` behind it",
            ),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => refuse(
                "a list or map cannot be printed",
                "how it is to be written depends on the file",
                "loop over it, or put `| join(\", \")` or `| to_json` behind it",
            ),
            _ => refuse("this cannot be printed", "it is no text or number", "print a value"),
        }
    }

    fn unfit(&self, why: String) -> Error {
        let summary = "a value that breaks out of its line";
        let fix = "correct the value; where several lines are intended, put `| raw_lines` behind it".to_owned();
        self.notes().now.refused = Some(Refusal { summary, why, fix });
        Error::new(ErrorKind::InvalidOperation, summary)
    }
}

/// A text with a secret in it, as templates see it.
pub(super) struct Tainted {
    pub text: Rendered,
    /// May hold several lines wherever it lands.
    pub any_lines: bool,
    ledger: Arc<Ledger>,
}

impl Tainted {
    pub fn value(text: Rendered, ledger: &Arc<Ledger>) -> Value {
        Value::from_object(Self { text, any_lines: false, ledger: ledger.clone() })
    }

    pub fn any_lines(text: Rendered, ledger: &Arc<Ledger>) -> Value {
        Value::from_object(Self { text, any_lines: true, ledger: ledger.clone() })
    }

    pub fn names(&self) -> String {
        self.text.secret_names().join(", ")
    }

    fn misused(&self) {
        let mut notes = self.ledger.notes();
        if notes.now.misused.is_none() {
            notes.now.misused = Some(self.names());
        }
    }
}

impl fmt::Debug for Tainted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(secret {})", self.names())
    }
}

impl Object for Tainted {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        self.misused();
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.misused();
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.misused();
        false
    }

    fn custom_cmp(self: &Arc<Self>, _: &DynObject) -> Option<Ordering> {
        self.misused();
        Some(Ordering::Less)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.misused();
        fmt::Debug::fmt(self, f)
    }
}
