//! Owns what holds between resources: one per key on a host, edges, watched resources, and aggregates with their parts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::aggregate::{aggregates, families};
use super::expand::{Draft, Faults, Skipped, Target, Wanted};
use super::twice::{differ, join};
use super::{Body, Declared, Expansion, Fleet, Need};
use crate::model::{Diagnostic, HostName, Place, ResourceId, did_you_mean};
use crate::resource::{self, Provision, Resource};

/// What all items say, by host.
#[derive(Default)]
pub(super) struct Drafts {
    by_host: HashMap<HostName, Vec<Draft>>,
    skipped: Skipped,
    skipped_labels: HashSet<(HostName, String)>,
}

impl Drafts {
    pub fn add(&mut self, draft: Draft) {
        self.by_host.entry(draft.host.clone()).or_default().push(draft);
    }

    /// Notes a resource that a false `when` leaves out.
    pub fn skip(&mut self, host: &HostName, id: Option<ResourceId>, label: Option<String>) {
        if let Some(id) = id {
            self.skipped.entry(host.clone()).or_default().insert(id);
        }
        if let Some(label) = label {
            self.skipped_labels.insert((host.clone(), label));
        }
    }
}

/// Reads `kind:key` or an id.
///
/// # Errors
/// The part before the colon is no kind.
pub(super) fn target(text: &str, kinds: &[resource::Entry], place: &Place) -> Result<Target, Diagnostic> {
    match text.split_once(':') {
        None => Ok(Target::Label(text.to_owned())),
        Some((kind, key)) => match kinds.iter().find(|entry| entry.name == kind) {
            Some(entry) => Ok(Target::Resource(ResourceId::new(entry.name, key.trim_start()))),
            None => Err(unknown_kind(kind, kinds, place)),
        },
    }
}

pub(super) fn unknown_kind(kind: &str, kinds: &[resource::Entry], place: &Place) -> Diagnostic {
    let names: Vec<&str> = kinds.iter().map(|entry| entry.name).collect();
    Diagnostic::error("an unknown kind")
        .at(place, format!("`{kind}` is not a kind"))
        .fix(super::load::suggestion(kind, &names))
}

/// What one host has, for looking edges up.
#[derive(Default)]
struct Index {
    ids: HashMap<ResourceId, Place>,
    labels: HashMap<String, (Place, Vec<ResourceId>)>,
    // The labels of what has no identity yet.
    nameless: HashSet<String>,
    // Some identities are not known before the facts are.
    open: bool,
}

/// Turns drafts into what is declared.
pub(super) fn link(
    mut drafts: Drafts,
    kinds: &[resource::Entry],
    fleet: &dyn Fleet,
    waiting: &BTreeMap<HostName, BTreeSet<HostName>>,
    faults: &mut Faults,
    expansion: &mut Expansion,
) {
    let mut index: HashMap<HostName, Index> = HashMap::new();
    let mut kept: Vec<(Declared, Vec<Wanted>)> = Vec::new();
    for host in fleet.hosts() {
        let mut drafts = drafts.by_host.remove(&host).unwrap_or_default();
        drafts.sort_by_key(|draft| draft.phase);
        let known = index.entry(host.clone()).or_default();
        known.open = waiting.contains_key(&host);
        merge(drafts, known, faults, &mut kept);
    }
    let empty = Index::default();
    let lookup = Lookup { index: &index, skipped: &drafts.skipped, labels: &drafts.skipped_labels, empty: &empty };
    for (declared, wanted) in &mut kept {
        declared.needs = needs(declared, wanted, fleet, &lookup, faults);
    }
    let mut declared: Vec<Declared> = kept.into_iter().map(|(declared, _)| declared).collect();
    let families = families(&declared, kinds);
    for group in declared.chunk_by_mut(|a, b| a.host == b.host) {
        watches(group, kinds, &lookup, faults);
        aggregates(group, &families, &drafts.skipped, &mut expansion.warnings);
        claims(group, faults);
    }
    expansion.declared = declared;
    expansion.skipped = drafts.skipped;
}

fn merge(drafts: Vec<Draft>, known: &mut Index, faults: &mut Faults, kept: &mut Vec<(Declared, Vec<Wanted>)>) {
    let first = kept.len();
    let mut by_id: HashMap<ResourceId, usize> = HashMap::new();
    for draft in drafts {
        let id = match &draft.body {
            Body::Ready(resource) => Some(resource.id()),
            Body::Pending { id, .. } => id.clone(),
        };
        if let (Some(label), Some(id)) = (&draft.label, &id) {
            let (place, ids) = known.labels.entry(label.clone()).or_insert_with(|| (draft.place.clone(), Vec::new()));
            if *place != draft.place && !ids.contains(id) {
                faults.add(
                    Diagnostic::error("an id is given twice")
                        .at(&draft.place, format!("`{label}` again"))
                        .see(place, "first here")
                        .on(&draft.host, Some(id))
                        .fix("give one of them another id"),
                );
            } else if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        let Some(id) = id else {
            known.open = true;
            known.nameless.extend(draft.label.clone());
            kept.push(declared(draft));
            continue;
        };
        known.ids.entry(id.clone()).or_insert_with(|| draft.place.clone());
        let Some(old) = by_id.get(&id).and_then(|at| kept.get_mut(*at)) else {
            by_id.insert(id, kept.len());
            kept.push(declared(draft));
            continue;
        };
        if let (Some(a), Some(b)) = (old.0.body.outline(), draft.body.outline())
            && let Some(why) = differ(a, b, &old.1, &draft.needs)
        {
            faults.add(
                Diagnostic::error("a resource is declared twice, differently")
                    .at(&draft.place, format!("`{id}` again"))
                    .see(&old.0.place, "first here")
                    .on(&draft.host, Some(&id))
                    .because(why)
                    .fix("make them equal, or keep one of them"),
            );
            continue;
        }
        // Where it could not be asked whether both say the same, what either needs comes first.
        if old.0.body.outline().is_none() || draft.body.outline().is_none() {
            old.1.extend(draft.needs);
        }
        join(&mut old.0.body, draft.body);
        for (all, more) in [(&mut old.0.tags, draft.tags), (&mut old.0.controls, draft.controls)] {
            all.extend(more);
            all.sort();
            all.dedup();
        }
        if old.0.label.is_none() {
            old.0.label = draft.label;
        }
    }
    debug_assert!(kept.len() >= first);
}

// Two firewalls on one host would each be seen as drift by the other.
fn claims(group: &[Declared], faults: &mut Faults) {
    let mut first: HashMap<&str, &Declared> = HashMap::new();
    for declared in group {
        let Some(what) = declared.body.outline().and_then(Resource::claims) else { continue };
        let Some(other) = first.get(what) else {
            first.insert(what, declared);
            continue;
        };
        if other.id() != declared.id() {
            let told = Diagnostic::error(format!("two resources manage {what}"))
                .at(&declared.place, "this one as well")
                .see(&other.place, "first here")
                .on(&declared.host, declared.id().as_ref());
            faults.add(told.fix("keep one of them, or set the other to `enabled: false` or `state: absent`"));
        }
    }
}

fn declared(draft: Draft) -> (Declared, Vec<Wanted>) {
    let Draft { host, phase, body, place, label, needs, tags, controls, playbook } = draft;
    (Declared { host, phase, body, place, label, needs: Vec::new(), tags, controls, playbook }, needs)
}

struct Lookup<'a> {
    index: &'a HashMap<HostName, Index>,
    skipped: &'a Skipped,
    labels: &'a HashSet<(HostName, String)>,
    empty: &'a Index,
}

enum Found {
    These(Vec<ResourceId>),
    // Left out by `when`.
    Nothing,
    // Not known before the facts are.
    Open,
    Unknown,
}

impl Lookup<'_> {
    fn host(&self, host: &HostName) -> &Index {
        self.index.get(host).unwrap_or(self.empty)
    }

    fn find(&self, host: &HostName, target: &Target) -> Found {
        let index = self.host(host);
        let left_out = match target {
            Target::Resource(id) => {
                if index.ids.contains_key(id) {
                    return Found::These(vec![id.clone()]);
                }
                self.skipped.get(host).is_some_and(|skipped| skipped.contains(id))
            }
            Target::Label(label) => {
                if let Some((_, ids)) = index.labels.get(label) {
                    return Found::These(ids.clone());
                }
                self.labels.contains(&(host.clone(), label.clone()))
            }
        };
        match left_out {
            true => Found::Nothing,
            false if index.open => Found::Open,
            false => Found::Unknown,
        }
    }

    // Whether something of this label has no identity yet.
    fn has_nameless(&self, host: &HostName, target: &Target) -> bool {
        matches!(target, Target::Label(label) if self.host(host).nameless.contains(label))
    }

    fn suggest(&self, host: &HostName, target: &Target) -> Option<String> {
        let index = self.host(host);
        let mut ids: Vec<String> = index.ids.keys().map(ToString::to_string).collect();
        ids.extend(index.labels.keys().cloned());
        ids.sort();
        did_you_mean(&shown(target), ids.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
    }
}

fn shown(target: &Target) -> String {
    match target {
        Target::Resource(id) => id.to_string(),
        Target::Label(label) => label.clone(),
    }
}

// The host is no part of the label, so that a fault of a hundred hosts is told once.
fn unknown(target: &Target, host: &HostName, place: &Place, lookup: &Lookup<'_>) -> Diagnostic {
    let mut told = Diagnostic::error("an unknown resource")
        .at(place, format!("`{}` is not declared", shown(target)))
        .on(host, None);
    told.fix = Some(lookup.suggest(host, target).unwrap_or_else(|| match target {
        Target::Resource(_) => "declare it there, or remove this".into(),
        Target::Label(label) => format!("give an item `id: {label}`, or write `kind:key`"),
    }));
    told
}

fn needs(
    declared: &Declared,
    wanted: &[Wanted],
    fleet: &dyn Fleet,
    lookup: &Lookup<'_>,
    faults: &mut Faults,
) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for want in wanted {
        let hosts = match &want.on {
            None => vec![declared.host.clone()],
            Some(pattern) => match fleet.select(pattern, &want.place) {
                Ok(hosts) => hosts,
                Err(told) => {
                    faults.add(told);
                    continue;
                }
            },
        };
        let mut lacking: Vec<HostName> = Vec::new();
        for host in hosts {
            let ids = match lookup.find(&host, &want.target) {
                Found::These(ids) => ids,
                Found::Nothing | Found::Open => continue,
                Found::Unknown => {
                    lacking.push(host);
                    continue;
                }
            };
            for target in ids {
                if host == declared.host && declared.id().as_ref() == Some(&target) {
                    faults.add(
                        Diagnostic::error("a resource that needs itself")
                            .at(&want.place, format!("this is `{target}`"))
                            .on(&host, Some(&target))
                            .fix("remove the edge"),
                    );
                } else if !needs.iter().any(|need| need.host == host && need.target == target) {
                    needs.push(Need { host: host.clone(), target, place: want.place.clone() });
                }
            }
        }
        if let Some(first) = lacking.first() {
            let mut told = unknown(&want.target, first, &want.place, lookup);
            if want.on.is_some() {
                let names: Vec<&str> = lacking.iter().take(3).map(HostName::as_str).collect();
                let more = lacking.len() - names.len();
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                told.detail = Some(format!("missing on {}{more}", names.join(", ")));
            }
            faults.add(told);
        }
    }
    needs
}

// What is missing for something.
#[derive(Clone, Default)]
struct Lacks {
    hosts: BTreeSet<HostName>,
    secrets: BTreeMap<String, String>,
}

impl Lacks {
    fn add(&mut self, other: &Lacks) {
        self.hosts.extend(other.hosts.iter().cloned());
        self.secrets.extend(other.secrets.iter().map(|(name, why)| (name.clone(), why.clone())));
    }
}

// Hands what is watched to those who watch. Where it is not known what that brings, nobody can tell what became of it,
// and who watches it is not known either.
fn watches(group: &mut [Declared], kinds: &[resource::Entry], lookup: &Lookup<'_>, faults: &mut Faults) {
    let known = group.iter().filter_map(|declared| declared.body.outline());
    let provides: HashMap<ResourceId, Vec<Provision>> =
        known.map(|resource| (resource.id(), resource.provides())).collect();
    // By identity; those of what has none yet are under `None`.
    let mut lacks: HashMap<Option<ResourceId>, Lacks> = HashMap::new();
    let mut lacks_of_any = Lacks::default();
    for declared in group.iter().filter(|declared| declared.body.outline().is_none()) {
        let own = |(name, why): (&String, &String)| (name.clone(), format!("{why}; this watches what holds it"));
        let lacking =
            Lacks { hosts: declared.waits_for().cloned().collect(), secrets: declared.locked().map(own).collect() };
        lacks.entry(declared.id()).or_default().add(&lacking);
        lacks_of_any.add(&lacking);
    }
    for declared in group {
        let host = declared.host.clone();
        let (Body::Ready(resource) | Body::Pending { standing: Some(resource), .. }) = &mut declared.body else {
            continue;
        };
        let watched = resource.watches();
        if watched.is_empty() {
            continue;
        }
        let mut all = Vec::new();
        let mut missing: Option<Lacks> = None;
        for text in watched {
            let found = target(&text, kinds, &declared.place).map(|target| (lookup.find(&host, &target), target));
            let mut brought = Vec::new();
            match found {
                Ok((Found::These(ids), target)) => {
                    for id in ids {
                        match provides.get(&id) {
                            Some(provisions) => brought.extend(provisions.iter().cloned()),
                            None => missing.get_or_insert_default().add(lacks.get(&Some(id)).unwrap_or(&lacks_of_any)),
                        }
                    }
                    if lookup.has_nameless(&host, &target) {
                        missing.get_or_insert_default().add(lacks.get(&None).unwrap_or(&lacks_of_any));
                    }
                }
                Ok((Found::Nothing, _)) => {}
                Ok((Found::Open, _)) => {
                    missing.get_or_insert_default().add(lacks.get(&None).unwrap_or(&lacks_of_any));
                }
                Ok((Found::Unknown, target)) => {
                    let mut told = unknown(&target, &host, &declared.place, lookup);
                    told.subject = Some((host.clone(), Some(resource.id())));
                    faults.add(told);
                }
                Err(told) => faults.add(told.on(&host, Some(&resource.id()))),
            }
            all.push(brought);
        }
        match missing {
            None => resource.watched(all),
            Some(missing) => declared.body.hold(missing.hosts, missing.secrets),
        }
    }
}
