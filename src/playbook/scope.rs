//! Owns the variables of a host as templates see them: builtins, the inventory's, the playbook's defaults, and names
//! bound by `each`. A variable is evaluated when it is first used, in the terms of other variables.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::{Error, ErrorKind, Value as Jinja};

use super::Fleet;
use super::convert::{tainted, to_jinja, to_node};
use super::render::{Renderer, Stop};
use super::root::{HostVars, Root};
use super::site::Playbook;
use crate::model::{Diagnostic, HostName, Phase, Place};
use crate::yaml::{Entry, Node, Value};

/// What every template knows beside the variables.
pub const BUILTINS: &[(&str, &str)] = &[
    ("address", "The address at which the host is reached."),
    ("facts", "What was read from the host, known after connecting; not for keys, `each` and `needs`."),
    ("group_names", "The groups that the host is in, `all` left out."),
    ("groups", "The hosts of each group, by its name."),
    ("host", "The name of the host."),
    ("hostvars", "The variables of each host, by its name, with `host`, `address` and `facts`."),
    ("inventory_hostname", "The same as `host`, as Ansible calls it."),
    ("phase", "The name of the phase."),
    ("playbook", "The name of the playbook."),
];

// Each level is a run of the engine on the stack; more than a person can follow anyway.
const DEEPEST: usize = 24;

/// What is known of the whole fleet, gathered once.
#[derive(Debug)]
pub(super) struct World {
    hosts: HashMap<HostName, About>,
    groups: Jinja,
    order: Vec<HostName>,
    /// Whether any value on the fleet is secret.
    pub secrets: bool,
}

#[derive(Debug)]
struct About {
    vars: HashMap<String, Node>,
    conflicts: HashMap<String, Diagnostic>,
    groups: Vec<String>,
    address: String,
    facts: Option<Jinja>,
}

impl World {
    pub fn new(
        fleet: &dyn Fleet,
        facts: &dyn Fn(&HostName) -> Option<Node>,
        renderer: &Renderer,
        secrets: bool,
    ) -> Arc<Self> {
        let order = fleet.hosts();
        let mut groups: Vec<String> = order.iter().flat_map(|host| fleet.groups(host)).collect();
        groups.sort();
        groups.dedup();
        let names =
            |group: &String| fleet.group_hosts(group).iter().map(|host| Jinja::from(host.as_str())).collect::<Vec<_>>();
        let groups = Jinja::from_pairs(groups.iter().map(|group| (group.clone(), Jinja::from(names(group)))));
        let mut hosts = HashMap::new();
        let mut any_secret = secrets;
        for host in &order {
            let vars = fleet.vars(host);
            any_secret |= vars.iter().any(|(_, node)| holds_secret(node));
            let conflicts =
                vars.iter().filter_map(|(name, _)| Some((name.clone(), fleet.conflict(host, name)?))).collect();
            let mut groups = fleet.groups(host);
            groups.retain(|group| group != "all");
            groups.sort();
            let about = About {
                conflicts,
                groups,
                vars: vars.into_iter().collect(),
                address: fleet.address(host),
                facts: facts(host).map(|node| to_jinja(&node, &renderer.ledger)),
            };
            hosts.insert(host.clone(), about);
        }
        Arc::new(Self { hosts, groups, order, secrets: any_secret })
    }

    /// The names of the hosts, in order.
    pub fn order(&self) -> &[HostName] {
        &self.order
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Option<&HostName> {
        self.hosts.get_key_value(name).map(|(host, _)| host)
    }

    /// The names of a host's variables in the inventory.
    pub fn var_names(&self, host: &HostName) -> impl Iterator<Item = &str> {
        self.hosts.get(host).into_iter().flat_map(|about| about.vars.keys().map(String::as_str))
    }

    /// Whether a host has a variable in the inventory.
    pub fn has_var(&self, host: &HostName, name: &str) -> bool {
        self.hosts.get(host).is_some_and(|about| about.vars.contains_key(name))
    }
}

/// Whether a secret stands anywhere in a tree.
pub(super) fn holds_secret(node: &Node) -> bool {
    match &node.value {
        Value::Tainted(_) => true,
        Value::List(items) => items.iter().any(holds_secret),
        Value::Map(entries) => entries.iter().any(|entry| holds_secret(&entry.node)),
        _ => false,
    }
}

/// A playbook in one of its phases, on all hosts.
pub(super) struct Stage {
    pub world: Arc<World>,
    pub renderer: Arc<Renderer>,
    /// The playbook's name and phase; `None` = outside of any, where nothing is known of a connection.
    within: Option<(String, Phase)>,
    vars: Vec<Entry>,
    secret: Vec<String>,
    scopes: Mutex<HashMap<HostName, Arc<Scope>>>,
    // The variables being evaluated, inside of one another.
    open: Mutex<Vec<(HostName, String, Place)>>,
}

impl Stage {
    pub fn new(world: &Arc<World>, renderer: &Arc<Renderer>, playbook: &Playbook, phase: Phase) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            renderer: renderer.clone(),
            within: Some((playbook.name.clone(), phase)),
            vars: playbook.vars.clone(),
            secret: playbook.secret_vars.iter().map(|(name, _)| name.clone()).collect(),
            scopes: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// Outside of any playbook, before anybody is connected to.
    pub fn outside(world: &Arc<World>, renderer: &Arc<Renderer>) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            renderer: renderer.clone(),
            within: None,
            vars: Vec::new(),
            secret: Vec::new(),
            scopes: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// The variables of a host.
    pub fn host(self: &Arc<Self>, host: &HostName) -> Arc<Scope> {
        let new = || Arc::new(Scope { stage: self.clone(), host: host.clone(), known: Mutex::default() });
        lock(&self.scopes).entry(host.clone()).or_insert_with(new).clone()
    }

    /// Lets go of the hosts' scopes, which hold the stage in turn.
    pub fn close(&self) {
        lock(&self.scopes).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// Faults are kept too: a chain of variables would be walked once more at each of its links.
#[derive(Clone)]
enum Known {
    // With whether facts were read on the way.
    Value(Jinja, bool),
    // For the facts of these hosts.
    Waits(BTreeSet<HostName>),
    Fault(Box<Diagnostic>),
}

/// The variables of one host in one stage.
pub(super) struct Scope {
    pub stage: Arc<Stage>,
    host: HostName,
    known: Mutex<HashMap<String, Known>>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.host)
    }
}

/// What a name is that has no value: any use of it is an error of the engine.
pub(super) fn invalid() -> Jinja {
    Jinja::from(Error::new(ErrorKind::InvalidOperation, "a variable without a value"))
}

impl Scope {
    fn about(&self) -> Option<&About> {
        self.stage.world.hosts.get(&self.host)
    }

    fn definition(&self, name: &str) -> Option<&Node> {
        let inventory = self.about().and_then(|about| about.vars.get(name));
        inventory.or_else(|| self.stage.vars.iter().find(|entry| entry.key == name).map(|entry| &entry.node))
    }

    /// Its variables, sorted.
    pub fn names(&self) -> Vec<String> {
        let inventory = self.about().into_iter().flat_map(|about| about.vars.keys().cloned());
        let playbook = self.stage.vars.iter().map(|entry| entry.key.clone());
        let mut names: Vec<String> = inventory.chain(playbook).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What every host has.
    pub fn builtin(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let about = self.about();
        let known = match name {
            "host" | "inventory_hostname" => Jinja::from(self.host.as_str()),
            "groups" => self.stage.world.groups.clone(),
            "group_names" => about.into_iter().flat_map(|about| &about.groups).map(String::as_str).collect(),
            _ => return self.builtin_within(name),
        };
        Some(known)
    }

    /// Whether a builtin has a meaning here.
    pub fn has_builtin(&self, name: &str) -> bool {
        self.stage.within.is_some() || matches!(name, "group_names" | "groups" | "host" | "inventory_hostname")
    }

    // What is known in a playbook only.
    fn builtin_within(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let (playbook, phase) = self.stage.within.as_ref()?;
        let about = self.about();
        Some(match name {
            "address" => Jinja::from(about.map_or("", |about| about.address.as_str())),
            "playbook" => Jinja::from(playbook.as_str()),
            "phase" => Jinja::from(phase.name()),
            "hostvars" => Jinja::from_object(HostVars(self.stage.clone())),
            "facts" => {
                let mut notes = self.stage.renderer.ledger.notes();
                notes.facts_read = true;
                match about.and_then(|about| about.facts.clone()) {
                    Some(facts) => facts,
                    None => {
                        notes.wait_for([&self.host]);
                        invalid()
                    }
                }
            }
            _ => return None,
        })
    }

    /// A variable, evaluated now if it was not before.
    pub fn variable(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let node = self.definition(name)?;
        let ledger = &self.stage.renderer.ledger;
        if let Some(known) = lock(&self.known).get(name) {
            return Some(self.hand_out(known));
        }
        let fail = |told: Diagnostic| Some(self.hand_out(&Known::Fault(Box::new(told))));
        if let Some(conflict) = self.about().and_then(|about| about.conflicts.get(name)) {
            return fail(conflict.clone());
        }
        let open = lock(&self.stage.open).clone();
        if let Some(at) = open.iter().position(|(host, open, _)| *host == self.host && open == name) {
            return fail(circle(&open[at..], name));
        }
        if open.len() >= DEEPEST {
            let told = Diagnostic::error("variables in one another, too deep").at(&node.place, "one too many");
            return fail(told.because(format!("over {DEEPEST} levels")).fix("shorten the chain"));
        }
        lock(&self.stage.open).push((self.host.clone(), name.to_owned(), node.place.clone()));
        let (before, outer) = {
            let mut notes = ledger.notes();
            (std::mem::take(&mut notes.facts_read), std::mem::take(&mut notes.waits_for))
        };
        let done = self.evaluate(node, name);
        lock(&self.stage.open).pop();
        let (facts, hosts) = {
            let mut notes = ledger.notes();
            (std::mem::replace(&mut notes.facts_read, before), std::mem::replace(&mut notes.waits_for, outer))
        };
        let known = match done {
            Ok(value) => Known::Value(value, facts),
            Err(Stop::Pending) => Known::Waits(hosts),
            Err(Stop::Fault(told)) => Known::Fault(told),
        };
        let value = self.hand_out(&known);
        lock(&self.known).insert(name.to_owned(), known);
        Some(value)
    }

    fn hand_out(&self, known: &Known) -> Jinja {
        let mut notes = self.stage.renderer.ledger.notes();
        match known {
            Known::Value(value, facts) => {
                notes.facts_read |= facts;
                value.clone()
            }
            Known::Waits(hosts) => {
                notes.wait_for(hosts);
                invalid()
            }
            Known::Fault(told) => {
                notes.now.failed.get_or_insert_with(|| told.clone());
                invalid()
            }
        }
    }

    fn evaluate(self: &Arc<Self>, node: &Node, name: &str) -> Result<Jinja, Stop> {
        let value = Root::new(self).evaluate(node, name)?;
        self.hide(name, value, &node.place)
    }

    /// Marks the value of a name that the playbook calls secret, wherever it comes from.
    pub fn hide(&self, name: &str, value: Jinja, place: &Place) -> Result<Jinja, Stop> {
        if !self.stage.secret.iter().any(|secret| secret == name) {
            return Ok(value);
        }
        let ledger = &self.stage.renderer.ledger;
        let node = to_node(&value, place, ledger)
            .map_err(|what| Diagnostic::error("a secret variable without a value").at(place, what))?;
        Ok(to_jinja(&tainted(&node, name), ledger))
    }
}

fn circle(open: &[(HostName, String, Place)], name: &str) -> Diagnostic {
    let path: Vec<&str> = open.iter().map(|(_, name, _)| name.as_str()).chain([name]).collect();
    let mut told = Diagnostic::error("variables that need one another").because(path.join(" -> "));
    for (at, (_, name, place)) in open.iter().enumerate() {
        told = match at {
            0 => told.at(place, format!("`{name}` begins the circle")),
            _ => told.see(place, format!("then `{name}`")),
        };
    }
    told.fix("give one of them a value of its own")
}
