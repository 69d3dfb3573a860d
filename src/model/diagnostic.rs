//! Owns the shape of a message about a fault: what, where, why, and what to do.
//!
//! Rules: the summary is a constant without user data; the detail holds it; every fault found in a file has a place;
//! `fix` says what to do in the imperative, and unknown names carry a suggestion. `report` draws it.

use super::{HostName, Place, ResourceId};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run goes on.
    Warning,
    /// The run stops, or the host does.
    Error,
}

/// One message about one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a few constant words.
    pub summary: String,
    /// Where, if it stands in a file; the label is written under the caret.
    pub place: Option<(Place, String)>,
    /// Other places that matter, each with its label.
    pub related: Vec<(Place, String)>,
    /// Which host and resource, if it is about one.
    pub subject: Option<(HostName, Option<ResourceId>)>,
    /// Further hosts on which the same is wrong, in order.
    pub others: Vec<HostName>,
    /// Why, with the data.
    pub detail: Option<String>,
    /// What to do.
    pub fix: Option<String>,
}

impl Diagnostic {
    /// An error with its summary.
    pub fn error(summary: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            place: None,
            related: Vec::new(),
            subject: None,
            others: Vec::new(),
            detail: None,
            fix: None,
        }
    }

    /// A warning with its summary.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary) }
    }

    /// Says where, with a label for the caret (may be empty).
    #[must_use]
    pub fn at(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.place = Some((place.clone(), label.into()));
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn see(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }

    /// Says which host and resource.
    #[must_use]
    pub fn on(mut self, host: &HostName, resource: Option<&ResourceId>) -> Self {
        self.subject = Some((host.clone(), resource.cloned()));
        self
    }

    /// Says why, with the data.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// The known name that `wrong` was probably meant to be, if one is near.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    let near = (length / 3).clamp(1, 3);
    known
        .into_iter()
        // What differs in length by more than that is not near; whole files have been taken for a name.
        .filter(|name| name.chars().count().abs_diff(length) <= near)
        .map(|name| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= near)
        .min()
        .map(|(_, name)| name)
}
