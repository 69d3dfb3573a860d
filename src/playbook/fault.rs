//! Owns faults of templates as diagnostics: where in the template or playbook, which name, and what to do.

use std::error::Error as _;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Error, ErrorKind};

use super::ansible;
use super::facts::FACTS;
use super::filters;
use super::inspect::{Missing, Misuse, Taken, Wrong};
use super::taint::Refusal;
use crate::model::{Diagnostic, Place, Source, did_you_mean};

/// What is said of a name that nobody defines.
pub(super) const UNDEFINED: &str = "an undefined variable";

/// The name under which a string of a playbook is rendered.
pub(super) const INLINE: &str = "<inline>";

/// The text that is rendered, and where it stands.
pub(super) struct Origin<'a> {
    pub text: &'a str,
    pub place: &'a Place,
    /// For a file: the whole of it.
    pub file: Option<Arc<Source>>,
}

impl Origin<'_> {
    /// The place of a stretch of the text.
    pub fn place(&self, range: Range<usize>) -> Place {
        let range = self.trimmed(range);
        match &self.file {
            Some(file) => Place::new(file, range.start, range.end),
            None => inside(self.place, self.text, range),
        }
    }
}

impl Origin<'_> {
    // The engine's stretch of an expression may begin with the mark or word before it.
    fn trimmed(&self, range: Range<usize>) -> Range<usize> {
        let Some(all) = self.text.get(range.clone()) else { return range };
        let mut inner = all.trim_start();
        for mark in ["{{", "{%"] {
            if let Some(rest) = inner.strip_prefix(mark) {
                inner = rest.strip_prefix('-').unwrap_or(rest).trim_start();
            }
        }
        for word in ["if ", "elif "] {
            inner = inner.strip_prefix(word).unwrap_or(inner);
        }
        let start = range.start + (all.len() - inner.len());
        start..start + inner.trim_end().len()
    }
}

// A scalar's text is not its source: quotes, escapes and indentation are gone. Looked for as it is, then by lines,
// then by the expression alone.
fn inside(place: &Place, text: &str, range: Range<usize>) -> Place {
    let outer = place.range();
    let raw = &place.text()[outer.clone()];
    let at = |offset: usize| Place::new(place.source(), outer.start + offset, outer.start + offset + range.len());
    if let Some(offset) = raw.find(text) {
        return at(offset + range.start);
    }
    let (Some(before), Some(snippet)) = (text.get(..range.start), text.get(range.clone())) else {
        return place.clone();
    };
    let mut from = 0;
    for line in before.split('\n').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
        if let Some(offset) = raw.get(from..).and_then(|rest| rest.find(line)) {
            from += offset + line.len();
        }
    }
    match raw.get(from..).and_then(|rest| rest.find(snippet)) {
        Some(offset) if !snippet.is_empty() => at(from + offset),
        _ => place.clone(),
    }
}

/// Where an error of the engine happened: the innermost template that it names, and the stretch in it.
pub(super) fn spot(error: &Error) -> (Option<String>, Option<Range<usize>>) {
    let mut best = (error.name().map(str::to_owned), error.range());
    let mut inner = error.source();
    while let Some(cause) = inner {
        if let Some(cause) = cause.downcast_ref::<Error>()
            && cause.name().is_some()
        {
            best = (cause.name().map(str::to_owned), cause.range());
        }
        inner = cause.source();
    }
    best
}

/// The innermost error.
pub(super) fn root(error: &Error) -> &Error {
    let mut last = error;
    let mut inner = error.source();
    while let Some(cause) = inner {
        if let Some(cause) = cause.downcast_ref::<Error>() {
            last = cause;
        }
        inner = cause.source();
    }
    last
}

pub(super) fn refused(refusal: Refusal, place: &Place, snippet: &str) -> Diagnostic {
    Diagnostic::error(refusal.summary).at(place, format!("`{snippet}`")).because(refusal.why).fix(refusal.fix)
}

pub(super) fn misused(misuse: &Misuse, place: &Place) -> Diagnostic {
    Diagnostic::error("a secret may only be printed")
        .at(place, format!("{} would tell about it", misuse.how))
        .because(format!("{} is a secret", misuse.secret))
        .fix("print it as it is, or through b64encode, quote, to_json or urlencode")
}

pub(super) fn undefined(missing: &Missing, place: &Place, variables: &[String]) -> Diagnostic {
    let known = if missing.parent.is_some() { &missing.known } else { variables };
    let mut sorted: Vec<&str> = known.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut told = Diagnostic::error(UNDEFINED).at(place, format!("`{}` is not defined", missing.name));
    if let Some(parent) = &missing.parent {
        told = told.because(match parent.as_str() {
            "map" => format!("the map has {}", brief(&sorted)),
            "sequence" => "the list has no such place".into(),
            other => format!("it is looked for in a {other}, which has no parts"),
        });
    }
    let near = did_you_mean(&missing.name, sorted.iter().copied());
    let of_ansible = |name: &str| ansible::variable(name).or_else(|| ansible::vault(name).map(str::to_owned));
    told.fix(match (near, missing.parent.is_none().then(|| of_ansible(&missing.name)).flatten()) {
        // A name of the user's own that is near is meant; Ansible's own names are no typing errors.
        (Some(near), None) => format!("did you mean `{near}`?"),
        (Some(near), Some(_)) if missing.name.starts_with("vault_") => format!("did you mean `{near}`?"),
        (_, Some(instead)) => instead,
        (None, None) if missing.parent.is_some() => "correct the name, or write `| default(...)` behind it".into(),
        (None, None) => {
            "define it in the playbook's `vars:` or in the inventory, or write `| default(...)` behind it".into()
        }
    })
}

/// A name that means nothing on any host.
pub(super) fn wrong(wrong: &Wrong, place: &Place) -> Diagnostic {
    let name = wrong.name.as_str();
    match wrong.taken {
        Taken::Filter => unknown_filter(name, place),
        Taken::Test => unknown_test(name, place),
        Taken::Fact => {
            let told = Diagnostic::error("an unknown fact").at(place, format!("no host tells a fact `{name}`"));
            let of_ansible = || ansible::fact(name.strip_prefix("ansible_").unwrap_or(name));
            told.fix(match did_you_mean(name, FACTS).or_else(of_ansible) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the facts are {}; what else a host is like goes into a variable", FACTS.join(", ")),
            })
        }
    }
}

fn unknown_filter(name: &str, place: &Place) -> Diagnostic {
    let told = Diagnostic::error("an unknown filter").at(place, format!("filter {name} is unknown"));
    let known = filters::names();
    told.fix(match (ansible::filter(name), did_you_mean(name, known.iter().copied())) {
        (Some(instead), _) => instead.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("known are: {}", known.join(", ")),
    })
}

fn unknown_test(name: &str, place: &Place) -> Diagnostic {
    let told = Diagnostic::error("an unknown test").at(place, format!("test {name} is unknown"));
    told.fix(match (ansible::test(name), did_you_mean(name, filters::TESTS)) {
        (Some(instead), _) => instead.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("known are: {}", filters::TESTS.join(", ")),
    })
}

fn brief(names: &[&str]) -> String {
    match names {
        [] => "nothing in it".into(),
        names if names.len() > 12 => format!("{} and {} more", names[..12].join(", "), names.len() - 12),
        names => names.join(", "),
    }
}

pub(super) fn too_heavy(place: &Place) -> Diagnostic {
    Diagnostic::error("an expression with too many parts")
        .at(place, "here, or in the variables that it uses")
        .fix("split it: put parts of it into variables with `{% set %}`")
}

/// Any other error of the engine.
pub(super) fn other(error: &Error, place: &Place, snippet: &str) -> Diagnostic {
    let detail = error.detail().unwrap_or_default().to_owned();
    let unknown = detail.split_whitespace().nth(1).unwrap_or_default().trim_matches(['`', '\'']).to_owned();
    match error.kind() {
        ErrorKind::SyntaxError => Diagnostic::error("a template with a fault in its syntax").at(place, detail),
        ErrorKind::UndefinedError => Diagnostic::error(UNDEFINED)
            .at(place, if detail.is_empty() { "this is not defined".into() } else { detail })
            .fix("define it, or write `| default(...)` behind it"),
        ErrorKind::UnknownFilter => unknown_filter(&unknown, place),
        ErrorKind::UnknownTest => unknown_test(&unknown, place),
        ErrorKind::UnknownMethod => {
            let name = detail.rsplit(' ').next().unwrap_or_default();
            let told = Diagnostic::error("an unknown method").at(place, &detail);
            told.fix(ansible::method(name).unwrap_or("values have no methods here: look for a filter, `x | NAME`"))
        }
        ErrorKind::OutOfFuel => Diagnostic::error("a template that does too much")
            .at(place, "here its limit was reached")
            .fix("look for a loop that does not end, or one in another"),
        ErrorKind::TemplateNotFound => Diagnostic::error("a template is missing")
            .at(place, detail)
            .fix("templates are looked for beside the one that names them, and in `templates/`"),
        ErrorKind::UnknownFunction => {
            let name = detail.split_whitespace().next().unwrap_or_default().to_owned();
            let told = Diagnostic::error("an unknown function").at(place, format!("`{name}` is not a function here"));
            told.fix(match (ansible::function(&name, snippet), did_you_mean(&name, filters::FUNCTIONS)) {
                (Some(instead), _) => instead.to_owned(),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => {
                    format!("known are: {}, and what `{{% macro %}}` makes", filters::FUNCTIONS.join(", "))
                }
            })
        }
        _ => Diagnostic::error("a template that fails")
            .at(place, if detail.is_empty() { error.kind().to_string() } else { detail }),
    }
}
