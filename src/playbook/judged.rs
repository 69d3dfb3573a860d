//! Owns whether a resource whose secrets are not at hand can be judged by somebody who recognises texts: it can where each of
//! its fields that is locked is in a text that is compared as a whole.

use crate::resource::{Desired, FieldValue, Resource};
use crate::yaml::{Node, Value};

/// Whether every locked text of the fields comes back in a text that is wanted of the resource, whatever the secrets are
/// called: each is marked for itself, so that one secret in two fields, of which a kind compares one as text and judges
/// the other, such as the password of a database's role, is not taken for one that is compared. `again` types fields.
pub(super) fn is_judged_as_text(fields: &Node, again: &dyn Fn(&Node) -> Option<Box<dyn Resource>>) -> bool {
    let mut fields = fields.clone();
    let mut marks = Vec::new();
    mark(&mut fields, &mut marks);
    let Some(Desired::Present(wanted)) = again(&fields).map(|resource| resource.desired()) else { return false };
    let holds = |value: &FieldValue, mark: &str| matches!(value, FieldValue::Wanted(text) if text.secret_names().contains(&mark));
    marks.iter().all(|mark| wanted.values().any(|value| holds(value, mark)))
}

fn mark(node: &mut Node, marks: &mut Vec<String>) {
    match &mut node.value {
        Value::Tainted(text) if text.locked().is_some() => {
            let mark = format!("locked text {}", marks.len());
            *text = text.renamed(&mark);
            marks.push(mark);
        }
        Value::List(items) => items.iter_mut().for_each(|item| mark(item, marks)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| mark(&mut entry.node, marks)),
        _ => {}
    }
}
