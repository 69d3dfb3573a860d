//! Owns a site meeting its fleet: hosts, `when`, `each`, includes, and every item as resources of its hosts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::amend;
use super::fault;
use super::fields::{self, Filled, Shape, fill};
use super::judged::is_judged_as_text;
use super::link::{self, Drafts};
use super::render::{Renderer, Stop};
use super::root::{Local, Root};
use super::scope::{Stage, World, holds_secret};
use super::site::{Item, Playbook, Site, What};
use super::words::{list, needs_facts};
use super::{Body, Expansion, Fleet, Play, Ties};
use crate::model::{Diagnostic, HostName, Phase, Place, ResourceId, Severity, did_you_mean};
use crate::resource::{self, Context, Resource};
use crate::yaml::Node;

/// How many resources one item may make on one host.
pub(super) const MOST_OF_ONE: usize = 10_000;

/// What an item says on a host, before it is linked with others.
pub(super) struct Draft {
    pub host: HostName,
    pub phase: Phase,
    pub body: Body,
    pub place: Place,
    pub label: Option<String>,
    pub needs: Vec<Wanted>,
    pub tags: Vec<String>,
    pub controls: Vec<String>,
    pub playbook: String,
}

/// An edge as written, its names rendered.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub target: Target,
    /// The pattern of `on:`; `None` = the same host.
    pub on: Option<String>,
    pub place: Place,
}

/// What an edge points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Resource(ResourceId),
    Label(String),
}

// What includes hand down to the items in them.
#[derive(Clone, Default)]
pub(super) struct Around {
    pub needs: Vec<Wanted>,
    pub tags: Vec<String>,
    pub controls: Vec<String>,
    /// The hosts whose facts a `when` waits for.
    pub waits_for: BTreeSet<HostName>,
    pub skipped: bool,
}

impl Site {
    /// Meets the fleet. Pure: `facts` are those that are known so far; expand again when more are.
    ///
    /// # Errors
    /// Every fault on every host, each told once, with the hosts that have it.
    pub fn expand(
        &self,
        fleet: &dyn Fleet,
        facts: &dyn Fn(&HostName) -> Option<Node>,
    ) -> Result<Expansion, Vec<Diagnostic>> {
        let (Walk { drafts, mut faults, needs_facts, .. }, mut expansion) = self.walk(fleet, facts);
        link::link(drafts, self.kinds, fleet, &needs_facts, &mut faults, &mut expansion);
        expansion.needs_facts = needs_facts;
        if faults.all.is_empty() { Ok(expansion) } else { Err(faults.all) }
    }

    /// The faults in the values of a site that could be read in part only, so that one run tells all. What holds between
    /// resources is not looked at: some of them are missing.
    pub(super) fn faults_of_values(&self, fleet: &dyn Fleet, lost_names: bool) -> Vec<Diagnostic> {
        self.walk(fleet, &|_| None).0.faults.of_values(lost_names)
    }

    fn walk<'a>(&'a self, fleet: &'a dyn Fleet, facts: &dyn Fn(&HostName) -> Option<Node>) -> (Walk<'a>, Expansion) {
        let vault = fleet.vault();
        let renderer = Renderer::new(&vault);
        let of_playbook = |playbook: &Playbook| {
            !playbook.secret_vars.is_empty() || playbook.vars.iter().any(|entry| holds_secret(&entry.node))
        };
        let secrets =
            vault.is_there() || self.playbooks.iter().any(of_playbook) || self.playbooks.iter().any(secret_in_items);
        let world = World::new(fleet, facts, &renderer, secrets);
        let mut walk = Walk {
            site: self,
            fleet,
            shapes: self.kinds.iter().map(|kind| (kind.name, Shape::of(kind))).collect(),
            drafts: Drafts::default(),
            faults: Faults::default(),
            needs_facts: BTreeMap::new(),
        };
        let mut expansion = Expansion::default();
        for playbook in &self.playbooks {
            let hosts = match fleet.select(&playbook.hosts, &playbook.hosts_place) {
                Ok(hosts) => hosts,
                Err(told) => {
                    walk.faults.add(told);
                    continue;
                }
            };
            expansion.warnings.extend(unused_secrets(playbook, &hosts, &world));
            expansion.plays.push(Play {
                name: playbook.name.clone(),
                place: playbook.place.clone(),
                hosts: hosts.clone(),
                serial: playbook.serial.clone(),
            });
            for (phase, items) in &playbook.phases {
                let stage = Stage::new(&world, &renderer, playbook, *phase);
                for host in &hosts {
                    let root = Root::new(&stage.host(host));
                    let spot = Spot { host, phase: *phase, playbook: &playbook.name };
                    walk.items(items, &root, &Around::default(), &spot);
                }
                stage.close();
            }
        }
        (walk, expansion)
    }
}

fn secret_in_items(playbook: &Playbook) -> bool {
    fn any(items: &[Item]) -> bool {
        items.iter().any(|item| match &item.what {
            What::Resource { .. } => item.words.each.iter().any(|entry| holds_secret(&entry.node)),
            What::Include { vars, items } => vars.iter().any(|entry| holds_secret(&entry.node)) || any(items),
        })
    }
    playbook.phases.iter().any(|(_, items)| any(items))
}

fn unused_secrets(playbook: &Playbook, hosts: &[HostName], world: &World) -> Vec<Diagnostic> {
    let unused =
        |(name, _): &&(String, Place)| !playbook.defines(name) && !hosts.iter().any(|host| world.has_var(host, name));
    let names =
        || hosts.iter().flat_map(|host| world.var_names(host)).chain(playbook.vars.iter().map(|var| var.key.as_str()));
    let told = |(name, place): &(String, Place)| {
        let near = did_you_mean(name, names()).map(|near| format!("did you mean `{near}`? "));
        Diagnostic::warning("a secret variable that nobody defines")
            .at(place, format!("no host of this playbook has `{name}`"))
            .fix(near.unwrap_or_default() + "the variable that was meant is not treated as a secret")
    };
    playbook.secret_vars.iter().filter(unused).map(told).collect()
}

/// Faults, each kept once however many hosts have it.
#[derive(Default)]
pub(super) struct Faults {
    pub all: Vec<Diagnostic>,
}

impl Faults {
    pub fn add(&mut self, told: Diagnostic) {
        let same = |old: &&mut Diagnostic| {
            old.summary == told.summary && old.place == told.place && old.detail == told.detail && told.place.is_some()
        };
        let Some(old) = self.all.iter_mut().find(same) else {
            self.all.push(Diagnostic { severity: Severity::Error, ..told });
            return;
        };
        // Hosts come in order, so that one which is known already came last.
        let Some((host, _)) = told.subject else { return };
        let last = old.others.last().or(old.subject.as_ref().map(|(host, _)| host));
        if last.is_some_and(|last| *last != host) {
            old.others.push(host);
        }
    }

    /// Those of an item's own values, where the files themselves had faults: what follows from what was left out there
    /// is not told again.
    fn of_values(self, lost_names: bool) -> Vec<Diagnostic> {
        let follows = |told: &Diagnostic| lost_names && told.summary == fault::UNDEFINED;
        self.all.into_iter().filter(|told| !follows(told)).collect()
    }
}

pub(super) struct Spot<'a> {
    pub host: &'a HostName,
    pub phase: Phase,
    pub playbook: &'a str,
}

pub(super) struct Walk<'a> {
    pub site: &'a Site,
    pub fleet: &'a dyn Fleet,
    pub shapes: HashMap<&'static str, Shape>,
    pub drafts: Drafts,
    pub faults: Faults,
    pub needs_facts: BTreeMap<HostName, BTreeSet<HostName>>,
}

impl Walk<'_> {
    pub fn fault(&mut self, mut told: Diagnostic, spot: &Spot<'_>) {
        if told.subject.is_none() {
            told.subject = Some((spot.host.clone(), None));
        }
        self.faults.add(told);
    }

    fn items(&mut self, items: &[Item], root: &Root, around: &Around, spot: &Spot<'_>) {
        for item in items {
            let mut bound = Vec::new();
            let before = self.faults.all.len();
            self.each(item, root, 0, spot, &mut bound);
            if around.skipped {
                self.faults.all.truncate(before);
            } else if bound.is_empty() && self.faults.all.len() > before {
                self.certain_faults(item, root, spot);
            }
            for root in bound {
                self.item(item, &root, around, spot);
            }
        }
    }

    // Binds the names of `each` to all combinations of their values.
    fn each(&mut self, item: &Item, root: &Root, at: usize, spot: &Spot<'_>, bound: &mut Vec<Root>) {
        let Some(entry) = item.words.each.get(at) else {
            if bound.len() < MOST_OF_ONE {
                return bound.push(root.clone());
            }
            let told = Diagnostic::error("too many resources from one item").at(&item.place, "`each` multiplies");
            return self.fault(told.because(format!("over {MOST_OF_ONE} on one host")), spot);
        };
        match list(root, &entry.node) {
            Ok(values) => {
                for (value, facts) in values {
                    match root.bind(entry, value, facts) {
                        Ok(root) => self.each(item, &root, at + 1, spot, bound),
                        Err(Stop::Fault(told)) => self.fault(*told, spot),
                        Err(Stop::Pending) => self.fault(needs_facts("`each`", &entry.node.place), spot),
                    }
                    if bound.len() >= MOST_OF_ONE {
                        break;
                    }
                }
            }
            Err(Stop::Fault(told)) => self.fault(*told, spot),
            Err(Stop::Pending) => self.fault(needs_facts("`each`", &entry.node.place), spot),
        }
    }

    fn item(&mut self, item: &Item, root: &Root, around: &Around, spot: &Spot<'_>) {
        let mut around = around.clone();
        root.renderer().ledger.notes().waits_for.clear();
        // Inside of what is left out, nothing has to make sense.
        let when = if around.skipped { Some(Some(false)) } else { self.when(&item.words, root, spot) };
        match when {
            Some(Some(true)) => {}
            Some(Some(false)) => around.skipped = true,
            Some(None) => around.waits_for.extend(waited(root, spot)),
            None => return self.certain_faults(item, root, spot),
        }
        // What a false `when` guards may be undefined: only its identity is of interest, if it can be had.
        if !around.skipped {
            let more = self.needs(&item.words, root, spot);
            around.needs.extend(more);
        }
        for (all, more) in [(&mut around.tags, &item.words.tags), (&mut around.controls, &item.words.controls)] {
            all.extend(more.iter().cloned());
            all.sort();
            all.dedup();
        }
        match &item.what {
            What::Include { vars, items } => {
                let mut inner = root.clone();
                for var in vars {
                    let ledger = &root.renderer().ledger;
                    ledger.notes().facts_read = false;
                    let value = root.evaluate(&var.node, &var.key);
                    let (facts, hosts) = {
                        let mut notes = ledger.notes();
                        (std::mem::take(&mut notes.facts_read), std::mem::take(&mut notes.waits_for))
                    };
                    match value.and_then(|value| inner.bind(var, value, facts)) {
                        Ok(bound) => inner = bound,
                        Err(Stop::Pending) => inner = inner.with(&var.key, Local::Pending(hosts)),
                        Err(Stop::Fault(_)) if around.skipped => {}
                        Err(Stop::Fault(told)) => self.fault(*told, spot),
                    }
                }
                self.items(items, &inner, &around, spot);
            }
            What::Resource { kind, fields, folder } => {
                let shape = self.shapes.get(kind.name).copied().unwrap_or_default();
                let label = self.label(&item.words, root, &around, spot);
                let filled = fill(root, kind, shape, fields, folder);
                if around.skipped {
                    let id = filled.ok().and_then(|filled| self.load(kind, &filled.node, &item.place, spot).ok());
                    return self.drafts.skip(spot.host, id.map(|resource| resource.id()), label);
                }
                let filled = match filled {
                    Ok(filled) => filled,
                    Err((faults, _)) => {
                        faults.into_iter().for_each(|told| self.fault(told, spot));
                        return self.certain_faults(item, root, spot);
                    }
                };
                let mut waits_for = around.waits_for;
                if filled.pending {
                    waits_for.extend(waited(root, spot));
                }
                let Some(body) = self.body(kind, &filled, waits_for, &item.place, spot) else { return };
                if let Body::Pending { waits_for, .. } = &body
                    && !waits_for.is_empty()
                {
                    self.needs_facts.entry(spot.host.clone()).or_default().extend(waits_for.iter().cloned());
                }
                self.drafts.add(Draft {
                    host: spot.host.clone(),
                    phase: spot.phase,
                    body,
                    place: item.place.clone(),
                    label,
                    needs: around.needs,
                    tags: around.tags,
                    controls: around.controls,
                    playbook: spot.playbook.to_owned(),
                });
            }
        }
    }

    fn body(
        &mut self,
        kind: &'static resource::Entry,
        filled: &Filled,
        waits_for: BTreeSet<HostName>,
        place: &Place,
        spot: &Spot<'_>,
    ) -> Option<Body> {
        let loaded = self.load(kind, &filled.node, place, spot);
        let locked = fields::locked(&filled.node);
        if filled.pending || !locked.is_empty() {
            // A field that is missing may be one that waits.
            let loaded = match loaded {
                Ok(loaded) => Some(loaded),
                Err(told) => {
                    let all = self.all_faults(kind, &filled.node, *told, place, spot);
                    let certain: Vec<Diagnostic> = match locked.is_empty() {
                        true => amend::certain(all).collect(),
                        false => amend::despite_locks(all, &filled.node, !filled.pending),
                    };
                    if !certain.is_empty() {
                        certain.into_iter().for_each(|told| self.fault(told, spot));
                        return None;
                    }
                    None
                }
            };
            let part_of = loaded.as_ref().map(|resource| resource.part_of());
            let id = loaded.as_ref().map(|resource| resource.id());
            let standing = loaded.filter(|_| waits_for.is_empty() && !filled.pending && part_of == Some(None));
            let again = |node: &Node| self.load(kind, node, place, spot).ok();
            let as_text = standing.is_some() && is_judged_as_text(&filled.node, &again);
            let ties = Box::new(standing.as_deref().map(Ties::of).unwrap_or_default());
            return Some(Body::Pending { kind: kind.name, id, part_of, waits_for, locked, ties, as_text, standing });
        }
        let resource = match loaded {
            Ok(resource) => resource,
            Err(told) => {
                self.all_faults(kind, &filled.node, *told, place, spot)
                    .into_iter()
                    .for_each(|told| self.fault(told, spot));
                return None;
            }
        };
        if !filled.facts.is_empty() && self.depends_on_facts(kind, filled, resource.as_ref(), spot) {
            let at =
                filled.facts.iter().find_map(|path| fields::at(&filled.node, path)).map_or(place, |node| &node.place);
            self.fault(needs_facts("the identity of a resource", at), spot);
            return None;
        }
        let mut body = Body::Ready(resource);
        if !waits_for.is_empty() {
            body.hold(waits_for, locked);
        }
        Some(body)
    }

    // What is wrong with the fields of an item whatever becomes of what is not known of it.
    fn certain_faults(&mut self, item: &Item, root: &Root, spot: &Spot<'_>) {
        let What::Resource { kind, fields, folder } = &item.what else { return };
        let shape = self.shapes.get(kind.name).copied().unwrap_or_default();
        let known = match fill(root, kind, shape, fields, folder) {
            Ok(filled) => Some(filled.node),
            Err((_, known)) => known,
        };
        let Some(known) = known else { return };
        if let Err(told) = self.load(kind, &known, &item.place, spot) {
            let all = self.all_faults(kind, &known, *told, &item.place, spot);
            amend::certain(all).for_each(|told| self.fault(told, spot));
        }
    }

    fn all_faults(
        &self,
        kind: &'static resource::Entry,
        fields: &Node,
        first: Diagnostic,
        place: &Place,
        spot: &Spot<'_>,
    ) -> Vec<Diagnostic> {
        amend::all_faults(kind, fields, first, &|node| self.load(kind, node, place, spot).err().map(|told| *told))
    }

    // Tried out, since only the kind knows what its key is made of.
    fn depends_on_facts(
        &self,
        kind: &'static resource::Entry,
        filled: &Filled,
        resource: &dyn Resource,
        spot: &Spot<'_>,
    ) -> bool {
        let id = resource.id();
        for drop_them in [false, true] {
            let other = fields::altered(&filled.node, &filled.facts, drop_them);
            if let Ok(other) = self.load(kind, &other, &other.place, spot) {
                return other.id() != id;
            }
        }
        filled.facts.iter().filter_map(|path| fields::at(&filled.node, path)?.text()).any(|text| text == id.key)
    }

    fn load(
        &self,
        kind: &'static resource::Entry,
        node: &Node,
        place: &Place,
        spot: &Spot<'_>,
    ) -> Result<Box<dyn Resource>, Box<Diagnostic>> {
        let address = self.fleet.address(spot.host);
        let login_user = self.fleet.login_user(spot.host);
        let select = |pattern: &str| match self.fleet.select(pattern, place) {
            Ok(hosts) => Ok(hosts.into_iter().map(|host| (host.clone(), self.fleet.address(&host))).collect()),
            Err(told) => Err(told.detail.or(told.place.map(|(_, label)| label)).unwrap_or(told.summary)),
        };
        let context = Context {
            host: spot.host,
            address: &address,
            login_user: login_user.as_deref(),
            ssh_port: self.fleet.ssh_port(spot.host),
            select: &select,
        };
        (kind.load)(node, &context)
    }
}

// The hosts whose missing facts were read since this was last asked. That something waits is never lost.
fn waited(root: &Root, spot: &Spot<'_>) -> BTreeSet<HostName> {
    let hosts = std::mem::take(&mut root.renderer().ledger.notes().waits_for);
    if hosts.is_empty() { BTreeSet::from([spot.host.clone()]) } else { hosts }
}

/// Resources of a false `when`, for the expansion.
pub(super) type Skipped = BTreeMap<HostName, BTreeSet<ResourceId>>;
