//! Owns what a kind is, and its erasure: one trait that a kind's file implements, one that the rest of the program
//! sees, and the row that a kind fills in the registry.

use std::any::Any;
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{Answer, Context, Fault, Fields, Foreseen, ProbeScript, Provision, Seen, Step};
use crate::model::{Diagnostic, Place, ResourceId};
use crate::yaml::{self, Node, Value};

/// What a resource should be like.
#[derive(Clone, Debug)]
pub enum Desired {
    /// Not there.
    Absent,
    /// There, with these fields; a field that the playbook does not name is not managed.
    Present(Fields),
}

/// A resource of a batch that needs a change, with what was seen of it.
pub struct Change<'a, K> {
    /// Its position in the batch, for `Step::serving`.
    pub position: usize,
    /// What is wanted.
    pub wanted: &'a K,
    /// What was seen: present, absent, or not yet. Never unknown: what is unknown is not changed.
    pub seen: &'a Seen,
    /// The names of the fields that differ; empty when it is to be made or removed as a whole.
    pub fields: &'a [String],
}

/// What one file in `kinds/` implements.
pub trait Kind: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static {
    /// The word in the playbook; the file's stem.
    const NAME: &'static str;
    /// What it is for, in one sentence.
    const SUMMARY: &'static str;
    /// An item as written in a playbook, parsed by a test and shown in the docs.
    const EXAMPLE: &'static str;
    /// The field that alone makes the key, and so names the resource; see [`Kind::named`]. `None` = there is none.
    const NAMED_BY: Option<&'static str> = None;
    /// Whether it only looks: its `steps` are empty, and a difference is a finding.
    const CHECK: bool = false;

    /// Whether its steps may touch what other resources look at (a package brings its own configuration files). If
    /// so, what depends on it is measured again before its own steps.
    const TOUCHES_OTHERS: bool = true;

    /// Whether nothing else may come after its steps in a batch, as after a reboot.
    const ENDS_BATCH: bool = false;

    /// What a rollback of it puts back, and what not, in a sentence or two; empty for a check alone.
    const UNDO: &'static str = "";

    /// Whether any change of this kind can lock people out.
    const RISKY: bool = false;

    /// Whether a change of this very resource can lock people out. Its steps are `risky`, and the guard is armed
    /// before them.
    fn is_risky(&self) -> bool {
        Self::RISKY
    }

    /// What tells it from others of its kind on the host. Made from values known before connecting.
    fn key(&self) -> String;

    /// The least that a playbook writes to name the resource of a key. With `state: absent` it is what removes it, which
    /// is how something goes that rempart made and nobody declares any more. `None` = rempart cannot remove it.
    fn named(key: &str) -> Option<Json> {
        Self::NAMED_BY.map(|field| serde_json::json!({ field: key }))
    }

    /// The keys of what an item of this key makes, where it makes several things: the packages that it lists.
    fn parts(key: &str) -> Vec<&str> {
        vec![key]
    }

    /// Takes what it must know of its host, fills defaults, and refuses values that cannot work.
    ///
    /// # Errors
    /// The field, why, and what to do.
    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// What it brings to its host.
    fn provides(&self) -> Vec<Provision> {
        Vec::new()
    }

    /// What it needs on its host, if somebody there declares it: implicit edges.
    fn uses(&self) -> Vec<Provision> {
        Vec::new()
    }

    /// Ids (or `kind:key`) of resources whose change it must react to, as written in the playbook (`restart_on`).
    fn watches(&self) -> Vec<String> {
        Vec::new()
    }

    /// Tells what the watched resources bring, in the order of `watches`: paths to compare times with.
    fn watched(&mut self, _provisions: Vec<Vec<Provision>>) {}

    /// What it does when something it watches or uses changes (`restart`), shown in the plan; `None` = nothing.
    fn reaction(&self) -> Option<&'static str> {
        None
    }

    /// Whether a change of anything that it needs may change what it is found to be, as it may with a condition that
    /// the user wrote. If so, it is asked again after such a change, which the plan shows.
    fn asks_again(&self) -> bool {
        false
    }

    /// What of its host it has for itself alone, in words: two resources of a host that claim the same are an error.
    fn claims(&self) -> Option<&'static str> {
        None
    }

    /// The aggregate it is a part of (`firewall_rule` of `firewall_ufw`), as the name of that kind.
    fn part_of(&self) -> Option<&'static str> {
        None
    }

    /// Takes its parts of the whole site for this host, in plan order; each has the type of the part's kind.
    fn absorb(&mut self, _parts: &[&dyn Any]) {}

    /// What it should be like.
    fn desired(&self) -> Desired;

    /// Asks the host, read-only, for a batch of resources of this kind.
    fn probe(batch: &[&Self], script: &mut ProbeScript);

    /// Reads the answers, one for each of the batch, in order.
    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen>;

    /// The folder that its change writes a new file or folder into, and who may own that besides root: a step of rempart
    /// goes into no other. `is_new` = it is not there yet.
    fn grows_in(&self, _is_new: bool) -> Option<Folder<'_>> {
        None
    }

    /// Says what its change will make of the way in, if anything; asked only where there is a change.
    fn foresee(&self, _seen: &Seen, _foreseen: &mut Foreseen) {}

    /// The steps that bring the batch to what is wanted; pure. Every change must be served by a step.
    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step>;
}

/// A folder that something is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folder<'a> {
    /// Its path.
    pub path: &'a str,
    /// Who may own it besides root.
    pub owner: &'a str,
}

impl<'a> Folder<'a> {
    /// The one that this path stands in, for somebody.
    pub fn of(path: &'a str, owner: &'a str) -> Self {
        let path = match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => folder,
            _ => "/",
        };
        Self { path, owner }
    }
}

/// A resource whose kind is not known to the one who holds it.
///
/// What stands in a graph and is of no kind has no tie to others unless it says so; what decides whether it is dangerous or
/// fine, nobody can leave out.
pub trait Resource: Debug + Send + Sync {
    /// The name of its kind.
    fn kind(&self) -> &'static str;
    /// See [`Kind`] for each of these.
    fn id(&self) -> ResourceId;
    /// See [`Kind::is_risky`].
    fn is_risky(&self) -> bool;
    /// See [`Kind::provides`].
    fn provides(&self) -> Vec<Provision> {
        Vec::new()
    }
    /// See [`Kind::uses`].
    fn uses(&self) -> Vec<Provision> {
        Vec::new()
    }
    /// See [`Kind::watches`].
    fn watches(&self) -> Vec<String> {
        Vec::new()
    }
    /// See [`Kind::watched`].
    fn watched(&mut self, _provisions: Vec<Vec<Provision>>) {}
    /// See [`Kind::reaction`].
    fn reaction(&self) -> Option<&'static str> {
        None
    }
    /// See [`Kind::asks_again`].
    fn asks_again(&self) -> bool {
        false
    }
    /// See [`Kind::claims`].
    fn claims(&self) -> Option<&'static str> {
        None
    }
    /// See [`Kind::part_of`].
    fn part_of(&self) -> Option<&'static str> {
        None
    }
    /// See [`Kind::absorb`].
    fn absorb(&mut self, _parts: &[&dyn Any]) {}
    /// See [`Kind::desired`].
    fn desired(&self) -> Desired;
    /// See [`Kind::grows_in`].
    fn grows_in(&self, _is_new: bool) -> Option<Folder<'_>> {
        None
    }
    /// See [`Kind::foresee`].
    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen);
    /// For the kind to find itself again.
    fn as_any(&self) -> &dyn Any;
}

impl<K: Kind> Resource for K {
    fn kind(&self) -> &'static str {
        K::NAME
    }

    fn id(&self) -> ResourceId {
        ResourceId::new(K::NAME, self.key())
    }

    fn is_risky(&self) -> bool {
        Kind::is_risky(self)
    }

    fn provides(&self) -> Vec<Provision> {
        Kind::provides(self)
    }

    fn uses(&self) -> Vec<Provision> {
        Kind::uses(self)
    }

    fn watches(&self) -> Vec<String> {
        Kind::watches(self)
    }

    fn watched(&mut self, provisions: Vec<Vec<Provision>>) {
        Kind::watched(self, provisions);
    }

    fn reaction(&self) -> Option<&'static str> {
        Kind::reaction(self)
    }

    fn asks_again(&self) -> bool {
        Kind::asks_again(self)
    }

    fn claims(&self) -> Option<&'static str> {
        Kind::claims(self)
    }

    fn part_of(&self) -> Option<&'static str> {
        Kind::part_of(self)
    }

    fn absorb(&mut self, parts: &[&dyn Any]) {
        Kind::absorb(self, parts);
    }

    fn desired(&self) -> Desired {
        Kind::desired(self)
    }

    fn grows_in(&self, is_new: bool) -> Option<Folder<'_>> {
        Kind::grows_in(self, is_new)
    }

    fn foresee(&self, seen: &Seen, foreseen: &mut Foreseen) {
        Kind::foresee(self, seen, foreseen);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Types and settles an item's fields.
pub type Load = fn(&Node, &Context<'_>) -> Result<Box<dyn Resource>, Box<Diagnostic>>;

/// A resource that needs a change, what was seen of it, and which fields differ.
pub type ErasedChange<'a> = (&'a dyn Resource, &'a Seen, &'a [String]);

/// A kind's row in the registry.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The word in the playbook.
    pub name: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// An item as written in a playbook.
    pub example: &'static str,
    /// Whether it only looks.
    pub check: bool,
    /// See [`Kind::UNDO`].
    pub undo: &'static str,
    /// See [`Kind::RISKY`].
    pub risky: bool,
    /// See [`Kind::TOUCHES_OTHERS`].
    pub touches_others: bool,
    /// See [`Kind::ENDS_BATCH`].
    pub ends_batch: bool,
    /// See [`Kind::named`].
    pub named: fn(&str) -> Option<Json>,
    /// See [`Kind::parts`].
    pub parts: for<'a> fn(&'a str) -> Vec<&'a str>,
    /// The JSON Schema of its fields.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    /// Types and settles an item's fields.
    pub load: Load,
    /// See [`Kind::probe`]; resources of other kinds are passed over.
    pub probe: fn(&[&dyn Resource], &mut ProbeScript),
    /// See [`Kind::parse`].
    pub parse: fn(&[&dyn Resource], &Answer) -> Vec<Seen>,
    /// See [`Kind::steps`].
    pub steps: fn(&[ErasedChange<'_>]) -> Vec<Step>,
}

impl Entry {
    /// The row of a kind.
    pub const fn of<K: Kind>() -> Entry {
        Entry {
            name: K::NAME,
            summary: K::SUMMARY,
            example: K::EXAMPLE,
            check: K::CHECK,
            undo: K::UNDO,
            risky: K::RISKY,
            touches_others: K::TOUCHES_OTHERS,
            ends_batch: K::ENDS_BATCH,
            named: K::named,
            parts: K::parts,
            schema: |generator| K::json_schema(generator),
            load: load::<K>,
            probe: |batch, script| K::probe(&typed::<K>(batch), script),
            parse: |batch, answer| K::parse(&typed::<K>(batch), answer),
            steps: |batch| {
                let changes: Vec<Change<'_, K>> = batch
                    .iter()
                    .enumerate()
                    .filter_map(|(position, (resource, seen, fields))| {
                        let wanted = resource.as_any().downcast_ref::<K>()?;
                        Some(Change { position, wanted, seen, fields })
                    })
                    .collect();
                let steps = K::steps(&changes);
                debug_assert!(steps.iter().all(Step::says_how_it_is_undone), "{}: {steps:?}", K::NAME);
                debug_assert!(steps.iter().all(|step| !step.risky || step.undo().is_some()), "{}: {steps:?}", K::NAME);
                steps
            },
        }
    }
}

fn typed<'a, K: Kind>(batch: &[&'a dyn Resource]) -> Vec<&'a K> {
    batch.iter().filter_map(|resource| resource.as_any().downcast_ref::<K>()).collect()
}

// Linux takes no argument over 128 KiB. What travels as a payload may be longer.
const LONGEST: usize = 64 << 10;
const PAYLOADS: [&str; 2] = ["content", "source_base64"];

fn too_long(kind: &str, node: &Node) -> Option<Box<Diagnostic>> {
    let told = |place: &Place, length: usize| {
        let why = format!("it has {length} bytes; a value of {LONGEST} or more cannot reach a command on the host");
        let told = Diagnostic::error(format!("a value that {kind} cannot take")).at(place, "too long").because(why);
        Some(Box::new(told))
    };
    match &node.value {
        Value::Text(text) if text.len() >= LONGEST => told(&node.place, text.len()),
        Value::List(parts) => parts.iter().find_map(|part| too_long(kind, part)),
        Value::Map(entries) => entries.iter().find_map(|entry| match entry.key.len() {
            length if length >= LONGEST => told(&entry.place, length),
            _ if PAYLOADS.contains(&entry.key.as_str()) => None,
            _ => too_long(kind, &entry.node),
        }),
        _ => None,
    }
}

fn load<K: Kind>(node: &Node, context: &Context<'_>) -> Result<Box<dyn Resource>, Box<Diagnostic>> {
    if let Some(told) = too_long(K::NAME, node) {
        return Err(told);
    }
    let mut kind: K = yaml::decode(node)?;
    kind.settle(context).map_err(|fault| {
        // The innermost part of `field.part` that was written is where the caret goes.
        let mut place = &node.place;
        let mut at = node;
        for part in fault.field.split('.') {
            let in_list = || at.items()?.get(part.parse::<usize>().ok()?);
            let Some(inner) = at.get(part).or_else(in_list) else { break };
            (place, at) = (&inner.place, inner);
        }
        let summary = fault.summary.map_or_else(|| format!("a value that {} cannot take", K::NAME), str::to_owned);
        let mut told = Diagnostic::error(summary).at(place, fault.field).because(fault.why);
        told.fix = fault.fix;
        Box::new(told)
    })?;
    Ok(Box::new(kind))
}
