//! Owns what is told of a resource whose secrets are not at hand, from what somebody noted who had them.
//!
//! Such a resource stands in the graph with something in the place of its secrets. It is looked at, and never applied.

use std::collections::HashMap;

use super::Graph;
use crate::model::{HostName, ResourceId};
use crate::resource::{Desired, FieldValue, ReadText, Seen};
use crate::secret::Rendered;

/// Whether the bytes of a field are the wanted text, or why nobody can tell.
pub type Recognise<'a> = dyn Fn(&HostName, &ResourceId, &str, &Rendered, &[u8]) -> Result<bool, String> + 'a;

/// Judges the fields whose wanted text is not known: one that is recognised was read as wanted, and where one is not
/// known nothing is known of its resource.
pub fn recognise(graph: &Graph, seen: &mut HashMap<usize, Seen>, recognise: &Recognise<'_>) {
    for (number, answer) in seen.iter_mut() {
        let item = &graph.items[*number];
        let (Desired::Present(wanted), Seen::Present(fields)) = (item.resource.desired(), &mut *answer) else {
            continue;
        };
        let mut nobody_knows = None;
        for (name, value) in &wanted {
            let FieldValue::Wanted(text) = value else { continue };
            let Some((secret, why_locked)) = text.locked() else { continue };
            let Some(found) = fields.get_mut(name) else { continue };
            let known = match &*found {
                FieldValue::Read(ReadText::Bytes(bytes) | ReadText::OfSecret(bytes)) => {
                    recognise(&item.host, &item.id(), name, text, bytes)
                }
                _ => Err(format!("the secret {secret} is not known: {why_locked}")),
            };
            match known {
                Ok(true) => *found = FieldValue::Read(ReadText::AsWanted),
                Ok(false) => {}
                Err(why) => nobody_knows = Some(why),
            }
        }
        if let Some(why) = nobody_knows {
            *answer = Seen::Unknown(why);
        }
    }
}
