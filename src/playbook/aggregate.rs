//! Owns aggregates: resources such as a firewall that take contributions from every playbook of the site.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::expand::Skipped;
use super::{Body, Declared};
use crate::model::{Diagnostic, HostName, Source};
use crate::resource::{self, Context, Resource};
use crate::yaml::{self, Dialect};

/// Which kinds are parts of which. Only a resource can say it, and all parts of a site may wait for facts: so their
/// examples are asked too, which a registry test holds to load.
pub(super) fn families(all: &[Declared], kinds: &[resource::Entry]) -> HashMap<&'static str, &'static str> {
    let host = HostName::new("example");
    let select = |_: &str| Ok(vec![(HostName::new("other"), "192.0.2.2".to_owned())]);
    let context =
        Context { host: &host, address: "192.0.2.1", login_user: Some("admin"), ssh_port: 22, select: &select };
    let example = |entry: &resource::Entry| {
        let node = yaml::parse(&Source::new("example", entry.example), Dialect::Playbook).ok()?;
        Some((entry.name, (entry.load)(node.get(entry.name)?, &context).ok()?.part_of()?))
    };
    let declared = |declared: &Declared| Some((kind(declared), part_of(declared)??));
    kinds.iter().filter_map(example).chain(all.iter().filter_map(declared)).collect()
}

fn kind(declared: &Declared) -> &'static str {
    match &declared.body {
        Body::Ready(resource) => resource.kind(),
        Body::Pending { kind, .. } => kind,
    }
}

// `None` = not known yet.
fn part_of(declared: &Declared) -> Option<Option<&'static str>> {
    match &declared.body {
        Body::Ready(resource) => Some(resource.part_of()),
        Body::Pending { part_of, .. } => *part_of,
    }
}

/// Hands the parts on one host to their aggregates, in plan order.
pub(super) fn aggregates(
    group: &mut [Declared],
    families: &HashMap<&'static str, &'static str>,
    skipped: &Skipped,
    warnings: &mut Vec<Diagnostic>,
) {
    let names: BTreeSet<&'static str> = families.values().copied().collect();
    for name in names {
        let wholes: Vec<usize> = (0..group.len()).filter(|at| kind(&group[*at]) == name).collect();
        let part = |declared: &&Declared| match part_of(declared) {
            Some(whole) => whole == Some(name),
            None => families.get(kind(declared)) == Some(&name),
        };
        let waits_for: BTreeSet<HostName> = group.iter().filter(part).flat_map(Declared::waits_for).cloned().collect();
        let own = |(name, why): (&String, &String)| (name.clone(), why.clone());
        let locked: BTreeMap<String, String> = group.iter().filter(part).flat_map(Declared::locked).map(own).collect();
        let waits = group.iter().filter(part).any(Declared::is_pending);
        for at in &wholes {
            let (before, rest) = group.split_at_mut(*at);
            let Some((whole, after)) = rest.split_first_mut() else { continue };
            // An aggregate made of some of its parts would weaken the host: it waits with them. And one that waits for
            // itself has not taken them, so that it is not what is wanted either.
            if waits || whole.is_pending() {
                whole.body.hold(waits_for.clone(), locked.clone());
            } else if let Body::Ready(whole) = &mut whole.body {
                let parts = before.iter().chain(after.iter()).filter_map(Declared::resource);
                let parts: Vec<&dyn Any> =
                    parts.filter(|part| part.part_of() == Some(name)).map(Resource::as_any).collect();
                whole.absorb(&parts);
            }
        }
        let first = group.iter().find(|declared| part_of(declared) == Some(Some(name)));
        if let (true, Some(part)) = (wholes.is_empty(), first) {
            let left_out = skipped.get(&part.host).is_some_and(|ids| ids.iter().any(|id| id.kind == name));
            if !left_out {
                warnings.push(
                    Diagnostic::warning("a part without its whole")
                        .at(&part.place, format!("it belongs to `{name}`, which nobody declares on {}", part.host))
                        .on(&part.host, part.id().as_ref())
                        .fix(format!("declare `{name}` for this host")),
                );
            }
        }
    }
}
