//! Owns the difference between wanted and seen, for every kind, in one place; and how a difference may be shown.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::resource::{Desired, FieldValue, Fields, ReadText, Seen};
use crate::secret::Rendered;

/// The difference between what is wanted and what was seen.
#[derive(Clone, Debug)]
pub enum Delta {
    /// None.
    Same,
    /// It is to be made; the fields are what it will have.
    Create(Vec<FieldDelta>),
    /// It is there and differs in these fields.
    Change(Vec<FieldDelta>),
    /// It is to be removed.
    Remove,
    /// It cannot be there yet; what would bring it is for the plan to find.
    NotYet,
    /// Nobody can say.
    Unknown(String),
}

/// One field that differs.
#[derive(Clone, Debug, Serialize)]
pub struct FieldDelta {
    /// The field's name.
    pub field: String,
    /// What was seen.
    pub from: Shown,
    /// What is wanted.
    pub to: Shown,
    /// Line by line, for long text; masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<DiffLine>,
}

/// A value as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Not there.
    Nothing,
    /// As it is.
    Value(serde_json::Value),
    /// Long text, shown as a diff.
    LongText,
    /// What is said in the place of what may not be shown.
    Hidden(String),
}

/// One line of a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// `+`, `-`, a space, or `@` for a gap.
    pub sign: char,
    /// The line without its newline, masked.
    pub text: String,
}

/// Compares. A field that is not wanted is not managed; a wanted field that was not seen is a difference.
pub fn delta(desired: &Desired, seen: &Seen) -> Delta {
    match (desired, seen) {
        (_, Seen::Unknown(why)) => Delta::Unknown(why.clone()),
        (Desired::Absent, Seen::Absent) => Delta::Same,
        (Desired::Absent, Seen::NotYet { .. }) => Delta::Same,
        (Desired::Absent, Seen::Present(_)) => Delta::Remove,
        (Desired::Present(_), Seen::NotYet { .. }) => Delta::NotYet,
        (Desired::Present(wanted), Seen::Absent) => Delta::Create(compare(wanted, &Fields::new())),
        (Desired::Present(wanted), Seen::Present(seen)) => {
            let fields = compare(wanted, seen);
            if fields.is_empty() { Delta::Same } else { Delta::Change(fields) }
        }
    }
}

/// The fields of something that will be made.
pub(super) fn all_new(desired: &Desired) -> Vec<FieldDelta> {
    match desired {
        Desired::Present(wanted) => compare(wanted, &Fields::new()),
        Desired::Absent => Vec::new(),
    }
}

fn compare(wanted: &Fields, seen: &Fields) -> Vec<FieldDelta> {
    wanted
        .iter()
        .filter(|(name, value)| !seen.get(*name).is_some_and(|seen| value.agrees_with(seen)))
        .map(|(name, value)| {
            let seen = seen.get(name);
            FieldDelta {
                field: name.clone(),
                from: seen.map_or(Shown::Nothing, |seen| shown_seen(seen, value)),
                to: shown_wanted(value),
                diff: lines(value, seen),
            }
        })
        .collect()
}

fn shown_wanted(value: &FieldValue) -> Shown {
    match value {
        FieldValue::Wanted(text) if text.as_plain().is_some_and(|plain| !is_long(&plain)) => {
            Shown::Value(text.as_plain().unwrap_or_default().into())
        }
        FieldValue::Wanted(text) if is_long(&text.masked()) => Shown::LongText,
        FieldValue::Wanted(text) => Shown::Hidden(text.masked()),
        other => plain(other),
    }
}

fn shown_seen(seen: &FieldValue, wanted: &FieldValue) -> Shown {
    let FieldValue::Read(read) = seen else { return plain(seen) };
    match read {
        ReadText::AsWanted => Shown::LongText,
        ReadText::TooLong { size } => Shown::Hidden(format!("({size} bytes, not shown)")),
        ReadText::OfSecret(bytes) => match std::str::from_utf8(bytes) {
            Err(_) => Shown::Hidden(format!("({} bytes that are not text)", bytes.len())),
            Ok(text) if is_long(text) => Shown::LongText,
            Ok(_) => Shown::Hidden("(hidden: may hold an old secret)".into()),
        },
        ReadText::Bytes(bytes) => match (std::str::from_utf8(bytes), wanted) {
            (Err(_), _) => Shown::Hidden(format!("({} bytes that are not text)", bytes.len())),
            (_, FieldValue::Wanted(new)) if new.is_secret() && !is_long(&new.masked()) => {
                Shown::Hidden("(hidden: may hold an old secret)".into())
            }
            (Ok(text), _) if is_long(text) => Shown::LongText,
            (Ok(_), FieldValue::Wanted(new)) if new.is_secret() => Shown::LongText,
            (Ok(text), _) => Shown::Value(text.into()),
        },
    }
}

fn plain(value: &FieldValue) -> Shown {
    Shown::Value(match value {
        FieldValue::Bool(value) => (*value).into(),
        FieldValue::Int(value) => (*value).into(),
        FieldValue::Text(value) => value.clone().into(),
        FieldValue::List(values) => values.clone().into(),
        FieldValue::Wanted(_) | FieldValue::Read(_) => return Shown::LongText,
    })
}

fn is_long(text: &str) -> bool {
    text.contains('\n') || text.chars().count() > 80
}

// Three lines of context, as everywhere. What is new as a whole is shown whole.
fn lines(wanted: &FieldValue, seen: Option<&FieldValue>) -> Vec<DiffLine> {
    let FieldValue::Wanted(new) = wanted else { return Vec::new() };
    let old = match seen {
        None => "",
        Some(FieldValue::Read(ReadText::Bytes(bytes) | ReadText::OfSecret(bytes))) => {
            match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return Vec::new(),
            }
        }
        Some(_) => return Vec::new(),
    };
    if !is_long(&new.masked()) && !is_long(old) {
        return Vec::new();
    }
    masked_diff(old, new, matches!(seen, Some(FieldValue::Read(ReadText::OfSecret(_)))))
}

fn masked_diff(old: &str, new: &Rendered, held: bool) -> Vec<DiffLine> {
    let (old, new) = new.diff_sides(old, held);
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&old, &new);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(3).iter().enumerate() {
        if at > 0 {
            lines.push(DiffLine { sign: '@', text: String::new() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(DiffLine { sign, text: change.value().to_string() });
        }
    }
    lines
}
