//! Owns the template engine: strict, without escaping, with the line check at every print, and with secrets kept out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, machinery};

use super::fault::{self, INLINE, Origin};
use super::filters;
use super::inspect::{self, Found, Lookup};
use super::prints;
use super::root::Root;
use super::store::Store;
use super::taint::{Ledger, Refusal};
use super::weight::{HEAVIEST, weight};
use crate::model::{Diagnostic, Place, Source};
use crate::quote::Format;
use crate::secret::{Rendered, Vault};
use crate::yaml;

/// What one rendering may cost; enough for some megabytes of output.
const FUEL: u64 = 2_000_000;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum Stop {
    /// Facts are read that are not known yet.
    Pending,
    /// It is wrong.
    Fault(Box<Diagnostic>),
}

impl From<Diagnostic> for Stop {
    fn from(told: Diagnostic) -> Self {
        Stop::Fault(Box::new(told))
    }
}

#[derive(Default)]
struct Files {
    read: HashMap<String, Arc<Source>>,
    // Where templates are looked for that no other template names.
    folders: Vec<PathBuf>,
}

// What there is to tell of a look at a text.
type Tell<'a> = &'a dyn Fn(&Found, &Origin<'_>) -> Option<Diagnostic>;

/// The engine with its templates and its ledger; one for an expansion.
pub(super) struct Renderer {
    env: Environment<'static>,
    pub ledger: Arc<Ledger>,
    store: Store,
    files: Arc<Mutex<Files>>,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renderer")
    }
}

impl Renderer {
    pub fn new(vault: &Arc<dyn Vault>) -> Arc<Self> {
        let ledger = Ledger::new();
        let files = Arc::new(Mutex::new(Files::default()));
        let mut env = Environment::new();
        // Its notes for messages look variables up once more, and we do that ourselves.
        env.set_debug(false);
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_syntax(syntax());
        env.set_fuel(Some(FUEL));
        // Any name but `None` makes the output of macros and blocks come back marked as checked.
        env.set_auto_escape_callback(|_| AutoEscape::Custom(Cow::Borrowed("lines")));
        let printer = ledger.clone();
        env.set_formatter(move |out, _, value| printer.print(out, value));
        filters::register(&mut env, &ledger);
        let store = Store::new(vault, &ledger);
        store.register(&mut env);
        let reader = files.clone();
        env.set_loader(move |name: &str| {
            let source = match yaml::read(Path::new(name)) {
                Ok(source) => source,
                Err(told) if !Path::new(name).exists() => {
                    drop(told);
                    return Ok(None);
                }
                Err(told) => {
                    let why = told.detail.unwrap_or_default();
                    return Err(Error::new(ErrorKind::BadInclude, format!("{}: {why}", told.summary)));
                }
            };
            if weight(&source.text, false).0 > HEAVIEST {
                return Err(Error::new(
                    ErrorKind::BadInclude,
                    format!("{name} holds an expression with too many parts"),
                ));
            }
            lock(&reader).read.insert(name.to_owned(), source.clone());
            Ok(Some(source.text.clone()))
        });
        let finder = files.clone();
        env.set_path_join_callback(move |name, parent| {
            let beside = (parent != INLINE).then(|| Path::new(parent).parent().unwrap_or(Path::new("")).to_owned());
            let folders: Vec<PathBuf> = beside.into_iter().chain(lock(&finder).folders.iter().cloned()).collect();
            let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
            match found {
                Some(path) => Cow::Owned(path.display().to_string()),
                None => Cow::Borrowed(name),
            }
        });
        Arc::new(Self { env, ledger, store, files })
    }

    /// Says where templates are looked for, for what follows.
    pub fn look_in(&self, folders: Vec<PathBuf>) {
        lock(&self.files).folders = folders;
    }

    /// Renders a string of a playbook.
    pub fn text(&self, root: &Root, text: &str, place: &Place, format: Format) -> Result<Rendered, Stop> {
        let origin = Origin { text, place, file: None };
        self.guarded(root, &origin, format, || {
            let template = self.env.template_from_named_str(INLINE, text)?;
            template.render(root.value())
        })
    }

    /// Renders a template file.
    pub fn file(&self, root: &Root, path: &Path, place: &Place, format: Format) -> Result<Rendered, Stop> {
        let name = path.display().to_string();
        let source = match lock(&self.files).read.get(&name).cloned() {
            Some(source) => source,
            None => yaml::read(path).map_err(|told| told.see(place, "named here"))?,
        };
        lock(&self.files).read.insert(name.clone(), source.clone());
        let origin = Origin { text: &source.text, place, file: Some(source.clone()) };
        let done = self.guarded(root, &origin, format, || self.env.get_template(&name)?.render(root.value()));
        done.map_err(|stop| match stop {
            Stop::Fault(told) => Stop::Fault(Box::new(told.see(place, "rendered for this"))),
            Stop::Pending => Stop::Pending,
        })
    }

    /// What else is wrong with a string of a playbook that could not be rendered: its prints, each on its own.
    pub fn more_of_text(
        &self,
        root: &Root,
        text: &str,
        place: &Place,
        format: Format,
        first: &Diagnostic,
    ) -> Vec<Diagnostic> {
        self.more(root, &Origin { text, place, file: None }, INLINE, format, first)
    }

    /// The same of a template file.
    pub fn more_of_file(
        &self,
        root: &Root,
        path: &Path,
        place: &Place,
        format: Format,
        first: &Diagnostic,
    ) -> Vec<Diagnostic> {
        let name = path.display().to_string();
        let Some(source) = lock(&self.files).read.get(&name).cloned() else { return Vec::new() };
        let origin = Origin { text: &source.text, place, file: Some(source.clone()) };
        let more = self.more(root, &origin, &name, format, first);
        more.into_iter().map(|told| told.see(place, "rendered for this")).collect()
    }

    fn more(
        &self,
        root: &Root,
        origin: &Origin<'_>,
        name: &str,
        format: Format,
        first: &Diagnostic,
    ) -> Vec<Diagnostic> {
        // The parser would end the program.
        if weight(origin.text, false).0 > HEAVIEST {
            return Vec::new();
        }
        let Ok(stmt) = machinery::parse(origin.text, INLINE, syntax()) else { return Vec::new() };
        let (facts_read, waits_for) = {
            let notes = self.ledger.notes();
            (notes.facts_read, notes.waits_for.clone())
        };
        let mut all: Vec<Diagnostic> = Vec::new();
        for text in prints::alone(&stmt, origin.text) {
            let render = || self.env.template_from_named_str(name, &text)?.render(root.value());
            let Err(Stop::Fault(told)) = self.guarded(root, origin, format, render) else { continue };
            // What is wrong with one name is told once.
            let is_same = |known: &Diagnostic| match (&known.place, &told.place) {
                (Some((at, label)), Some((place, words))) => {
                    known.summary == told.summary && (label == words || at == place)
                }
                _ => *known == *told,
            };
            if !std::iter::once(first).chain(&all).any(is_same) {
                all.push(*told);
            }
        }
        let mut notes = self.ledger.notes();
        (notes.facts_read, notes.waits_for) = (facts_read, waits_for);
        all
    }

    /// Evaluates a bare expression.
    pub fn expression(&self, root: &Root, text: &str, place: &Place) -> Result<Value, Stop> {
        let origin = Origin { text, place, file: None };
        let value =
            self.run(root, &origin, Format::Text, true, || self.env.compile_expression(text)?.eval(root.value()))?;
        if value.is_undefined() {
            let within = 0..text.len();
            let found = self.look(root, &origin, true, Some(within.clone()));
            let missing = found.missing.unwrap_or(inspect::Missing {
                range: within,
                name: text.trim().to_owned(),
                parent: None,
                known: Vec::new(),
            });
            let place = origin.place(missing.range.clone());
            return Err(fault::undefined(&missing, &place, &root.names()).into());
        }
        Ok(value)
    }

    /// The expression in a lone `{{ x }}`, if the text is nothing else.
    pub fn lone<'a>(&self, text: &'a str) -> Option<&'a str> {
        let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
        let inner = inner.strip_prefix('-').unwrap_or(inner);
        let inner = inner.strip_suffix('-').unwrap_or(inner);
        if weight(inner, true).0 > HEAVIEST {
            return None;
        }
        machinery::parse_expr(inner).is_ok().then_some(inner)
    }

    fn guarded(
        &self,
        root: &Root,
        origin: &Origin<'_>,
        format: Format,
        render: impl FnOnce() -> Result<String, Error>,
    ) -> Result<Rendered, Stop> {
        let text = self.run(root, origin, format, false, render)?;
        self.ledger.cut(&text).map_err(|()| {
            Diagnostic::error("a text with a secret in it was cut")
                .at(origin.place, "a filter or slice took a part of it")
                .fix("print the secret as it is, or through b64encode, quote, to_json or urlencode")
                .into()
        })
    }

    // Notes are kept per rendering: a variable that is evaluated on the way has its own.
    fn run<T>(
        &self,
        root: &Root,
        origin: &Origin<'_>,
        format: Format,
        bare: bool,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Stop> {
        let (weight, heaviest) = weight(origin.text, bare);
        let outer = self.ledger.notes().enter(format, weight);
        if self.ledger.notes().too_heavy() {
            self.ledger.notes().leave(outer);
            return Err(fault::too_heavy(&origin.place(heaviest)).into());
        }
        let misuse = if root.may_hold_secrets() { self.misuse(root, origin, bare) } else { None };
        let done = match misuse {
            Some(told) => Err(told.into()),
            None => work().map_err(Some).map_or_else(
                |error| self.stop(root, origin, bare, error),
                |value| {
                    // A misuse that no error came of.
                    match self.ledger.notes().now.misused.take() {
                        Some(secret) => Err(somewhere(origin, secret).into()),
                        None => Ok(value),
                    }
                },
            ),
        };
        self.ledger.notes().leave(outer);
        done
    }

    fn stop<T>(&self, root: &Root, origin: &Origin<'_>, bare: bool, error: Option<Error>) -> Result<T, Stop> {
        let now = std::mem::take(&mut self.ledger.notes().now);
        let Some(error) = error.filter(|_| !now.facts_missing) else {
            // What a host will say is not known, but which names mean something is.
            return Err(self.wrong(root, origin, bare).map_or(Stop::Pending, Stop::from));
        };
        let Some(mut told) = now.failed else {
            return Err(self.fault(root, origin, bare, &error, now.misused, now.refused).into());
        };
        let used = self.origin_of(&error, origin, fault::spot(&error).1);
        if !told.place.iter().chain(&told.related).any(|(place, _)| *place == used) {
            told.related.push((used, "used here".into()));
        }
        Err(Stop::Fault(told))
    }

    fn origin_of(&self, error: &Error, origin: &Origin<'_>, range: Option<std::ops::Range<usize>>) -> Place {
        let (name, _) = fault::spot(error);
        let other = name.as_deref().filter(|name| *name != INLINE && *name != "<expression>");
        match (other.and_then(|name| lock(&self.files).read.get(name).cloned()), range) {
            (Some(source), range) => {
                let range = range.unwrap_or(0..0);
                Place::new(&source, range.start, range.end)
            }
            (None, Some(range)) => origin.place(range),
            (None, None) => origin.place.clone(),
        }
    }

    fn fault(
        &self,
        root: &Root,
        origin: &Origin<'_>,
        bare: bool,
        error: &Error,
        misused: Option<String>,
        refused: Option<Refusal>,
    ) -> Diagnostic {
        let (name, range) = fault::spot(error);
        let place = self.origin_of(error, origin, range.clone());
        let snippet = place.text().get(place.range()).unwrap_or_default().to_owned();
        if let Some(refusal) = refused {
            return fault::refused(refusal, &place, &snippet);
        }
        if let Some(secret) = misused {
            let misuse = inspect::Misuse { range: range.unwrap_or(0..0), secret, how: "this".into() };
            return fault::misused(&misuse, &place);
        }
        let cause = fault::root(error);
        if !matches!(cause.kind(), ErrorKind::SyntaxError | ErrorKind::OutOfFuel | ErrorKind::TemplateNotFound) {
            let source = name.and_then(|name| lock(&self.files).read.get(&name).cloned());
            let inner = match &source {
                Some(file) => Origin { text: &file.text, place: origin.place, file: Some(file.clone()) },
                None => Origin { text: origin.text, place: origin.place, file: origin.file.clone() },
            };
            let within = range.unwrap_or(0..inner.text.len());
            if let Some(missing) = self.look(root, &inner, bare, Some(within)).missing {
                return fault::undefined(&missing, &inner.place(missing.range.clone()), &root.names());
            }
        }
        fault::other(cause, &place, &snippet)
    }

    // Values are looked up as the template would; what that notes is forgotten again.
    fn look(&self, root: &Root, origin: &Origin<'_>, bare: bool, within: Option<std::ops::Range<usize>>) -> Found {
        let (before, facts_read, waits_for) = {
            let mut notes = self.ledger.notes();
            (std::mem::take(&mut notes.now), notes.facts_read, notes.waits_for.clone())
        };
        let lookup = Lookup { variable: &|name| root.get(name), secret: &|name| self.store.seen(name) };
        let found = if bare {
            machinery::parse_expr(origin.text).map(|expr| inspect::expression(&expr, lookup, within))
        } else {
            machinery::parse(origin.text, INLINE, syntax()).map(|stmt| inspect::template(&stmt, lookup, within))
        };
        let mut notes = self.ledger.notes();
        (notes.now, notes.facts_read, notes.waits_for) = (before, facts_read, waits_for);
        found.unwrap_or_default()
    }

    fn misuse(&self, root: &Root, origin: &Origin<'_>, bare: bool) -> Option<Diagnostic> {
        self.first(root, origin, bare, &|found, origin| {
            found.misuse.as_ref().map(|misuse| fault::misused(misuse, &origin.place(misuse.range.clone())))
        })
    }

    fn wrong(&self, root: &Root, origin: &Origin<'_>, bare: bool) -> Option<Diagnostic> {
        self.first(root, origin, bare, &|found, origin| {
            found.wrong.as_ref().map(|wrong| fault::wrong(wrong, &origin.place(wrong.range.clone())))
        })
    }

    // Looks at a text and at all templates that it names, until one of them has something to tell.
    fn first(&self, root: &Root, origin: &Origin<'_>, bare: bool, tell: Tell<'_>) -> Option<Diagnostic> {
        let found = self.look(root, origin, bare, None);
        if let Some(told) = tell(&found, origin) {
            return Some(told);
        }
        let mut left: Vec<(String, String)> = found
            .templates
            .into_iter()
            .map(|name| (name, origin.file.as_ref().map_or(INLINE.into(), |file| file.path.clone())))
            .collect();
        let mut seen = Vec::new();
        while let Some((name, parent)) = left.pop() {
            let path = self.join(&name, &parent);
            if seen.contains(&path) {
                continue;
            }
            seen.push(path.clone());
            // A missing file is told by the rendering.
            let Ok(source) = yaml::read(Path::new(&path)) else { continue };
            if weight(&source.text, false).0 > HEAVIEST {
                continue;
            }
            let inner = Origin { text: &source.text, place: origin.place, file: Some(source.clone()) };
            let found = self.look(root, &inner, false, None);
            if let Some(told) = tell(&found, &inner) {
                return Some(told);
            }
            left.extend(found.templates.into_iter().map(|name| (name, path.clone())));
        }
        None
    }

    fn join(&self, name: &str, parent: &str) -> String {
        let beside = (parent != INLINE).then(|| Path::new(parent).parent().unwrap_or(Path::new("")).to_owned());
        let folders: Vec<PathBuf> = beside.into_iter().chain(lock(&self.files).folders.iter().cloned()).collect();
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        found.map_or_else(|| name.to_owned(), |path| path.display().to_string())
    }
}

// A misuse that was only noticed by the secret itself.
fn somewhere(origin: &Origin<'_>, secret: String) -> Diagnostic {
    let place = match &origin.file {
        Some(file) => Place::new(file, 0, 0),
        None => origin.place.clone(),
    };
    fault::misused(&inspect::Misuse { range: 0..0, secret, how: "something in here".into() }, &place)
}

fn syntax() -> SyntaxConfig {
    // The same as Ansible's template module.
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}

fn lock(files: &Mutex<Files>) -> std::sync::MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}
