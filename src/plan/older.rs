//! Owns what is held up because a host was given a newer secret than the one that would be written.
//!
//! The host itself looks again before each step, at its own list; this says it before anything is shown or approved.

use std::collections::{BTreeMap, HashMap};

use super::{Delta, Graph, delta};
use crate::model::HostName;
use crate::resource::{Desired, FieldValue, Seen};
use crate::secret::Origin;

/// What a host remembers of the secrets of one resource: the version of a file that they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The resource, as `kind:key`.
    pub id: String,
    /// Which version of which file; without a word for the version, nobody knows it.
    pub origin: Origin,
    /// Whether the resource got secrets of another file after that, and none of this one.
    pub over: bool,
}

/// Makes those unknown in which a text would be written with an older secret than the host was given.
pub fn hold_older(graph: &Graph, seen: &mut HashMap<usize, Seen>, given: &BTreeMap<HostName, Vec<Given>>) {
    for (number, answer) in seen.iter_mut() {
        let item = &graph.items[*number];
        let Some(given) = given.get(&item.host) else { continue };
        let desired = item.resource.desired();
        let (Delta::Create(fields) | Delta::Change(fields), Desired::Present(wanted)) =
            (delta(&desired, answer), &desired)
        else {
            continue;
        };
        let id = item.id().to_string();
        let texts = fields.iter().filter_map(|field| match wanted.get(&field.field) {
            Some(FieldValue::Wanted(text)) => Some(text.origins()),
            _ => None,
        });
        let mut why = texts.flatten().filter_map(|origin| {
            let of_it = given.iter().find(|given| given.id == id && given.origin.file == origin.file)?;
            why_older(of_it, &origin)
        });
        if let Some(why) = why.next() {
            *answer = Seen::Unknown(format!("{why}; if this version is meant, `apply --allow-older-secrets`"));
        }
    }
}

// In the words of the host, which looks in the same way.
fn why_older(given: &Given, now: &Origin) -> Option<String> {
    let Given { id, origin, over } = given;
    let (file, was, is) = (&origin.file, origin.generation, now.generation);
    if was > is {
        let fix = "get the newest version of the store (git pull)";
        return Some(format!(
            "an older secret: {id} was given generation {was} of {file}, and this is generation {is}: {fix}"
        ));
    }
    if was < is {
        return None;
    }
    if *over {
        let fix = "get the newest version of the playbooks and the store (git pull)";
        return Some(format!(
            "an older secret: {id} was given generation {was} of {file}, and secrets of elsewhere after that: {fix}"
        ));
    }
    let (known, this) = (&origin.version, &now.version);
    (!known.is_empty() && !this.is_empty() && known != this).then(|| {
        let what = format!("two versions of generation {is} of {file}: {id} was given {known}, and this is {this}");
        format!("{what}: merge them and apply the newest")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_another_one_or_over_is_held_and_what_is_newer_is_not() {
        let origin = |generation, version: &str| Origin { file: "gw.yaml".into(), generation, version: version.into() };
        let given = |over| Given { id: "file:/a".into(), origin: origin(10, "0a"), over };
        let why = |over, generation, version: &str| why_older(&given(over), &origin(generation, version));
        let says =
            |why: Option<String>, what: &str| assert!(why.as_ref().is_some_and(|why| why.contains(what)), "{why:?}");
        for over in [false, true] {
            says(why(over, 9, "0b"), "was given generation 10 of gw.yaml, and this is generation 9");
            assert_eq!(why(over, 11, "0b"), None);
        }
        says(why(false, 10, "0b"), "two versions of generation 10 of gw.yaml: file:/a was given 0a, and this is 0b");
        says(why(true, 10, "0a"), "and secrets of elsewhere after that");
        assert_eq!(why(false, 10, "0a"), None);
        assert_eq!(why(false, 10, ""), None);
        assert_eq!(why_older(&Given { origin: origin(10, ""), ..given(false) }, &origin(10, "0b")), None);
    }
}
