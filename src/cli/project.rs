//! Owns the way from files to a graph that can be asked about: inventory, playbooks, facts, selection.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::fetch::{self, Expanded};
use super::options::{Connection, Inventories, OfProject, Selection};
use super::{Stopped, defaults, hidden, show};
use crate::engine::{Links, Observer};
use crate::inventory::{self, Inventory, Overrides};
use crate::kinds;
use crate::lab;
use crate::model::{Diagnostic, HostName, Place, ResourceId, Source, did_you_mean};
use crate::plan::{Graph, Item, Judge, Need, Rollout, Scope, Unread, WaveSize, check_rollouts};
use crate::playbook::{self, Body, Outside, Play, Site, Ties};
use crate::report::Screen;
use crate::resource::Resource;
use crate::secret::{NoVault, Vault};
use crate::store::{Opening, Prints};
use crate::transport::{Target, TransportError};
use crate::yaml::Node;

/// The way to a host, or why there is none.
type Way = Result<Target, Vec<Diagnostic>>;

/// The inventory with the way to each of its hosts.
pub(super) struct Fleet {
    pub inventory: Inventory,
    pub targets: BTreeMap<HostName, Target>,
    // Why there is no way to a host; told only if somebody wants to go there.
    faults: HashMap<HostName, Vec<Diagnostic>>,
    /// The store that `secret()` reads, if there is one.
    pub store: Option<Arc<Opening>>,
    /// By what the secrets on hosts are recognised that nothing here opens; for those who only look.
    pub prints: Option<Prints>,
    /// Whether secrets of an older version of the store are meant.
    pub older_secrets: bool,
}

/// Reads the inventory.
pub(super) fn load_inventory(from: &Inventories) -> Result<Inventory, Stopped> {
    let paths = from.paths();
    let is_usual = from.inventory.is_empty() && from.project.project_inventory.is_empty();
    if is_usual && !paths[0].is_dir() {
        return Err(Stopped::usage(
            Diagnostic::error("no inventory is named")
                .fix("name one with -i FILE or in rempart.toml, or make a folder `inventories`"),
        ));
    }
    let mut inventory = if is_usual { inventory::load_usual(&paths[0])? } else { inventory::load(&paths)? };
    let mut faults = Vec::new();
    for set in &from.set {
        match set.split_once('=') {
            Some((name, value)) => faults.extend(inventory.with_set_vars(name, value).err()),
            // What follows the name may be a secret.
            None => faults.push(Diagnostic::error("--set takes NAME=VALUE").at(&Place::outside("--set"), "").because(
                format!(
                    "`{}` has no `=`",
                    set.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("")
                ),
            )),
        }
    }
    if faults.is_empty() { Ok(inventory) } else { Err(faults.into()) }
}

impl Fleet {
    /// Joins the inventory with the connection flags.
    pub fn load(from: &Inventories, overrides: &Overrides, screen: &Arc<Screen>) -> Result<Fleet, Stopped> {
        Self::with_store(from, overrides, screen, from.store.find(screen)?)
    }

    /// The same for those who give secrets of the store to hosts: an older version of it is refused.
    pub fn load_to_change(from: &Inventories, overrides: &Overrides, screen: &Arc<Screen>) -> Result<Fleet, Stopped> {
        Self::with_store(from, overrides, screen, from.store.find_to_change(screen)?)
    }

    fn with_store(
        from: &Inventories,
        overrides: &Overrides,
        screen: &Arc<Screen>,
        store: Option<Opening>,
    ) -> Result<Fleet, Stopped> {
        let inventory = load_inventory(from)?;
        let mut warnings: Vec<Diagnostic> = inventory.warnings().to_vec();
        warnings.extend(hidden_by_builtins(&inventory));
        let in_lab = lab_addresses()?;
        let mut fleet = Fleet::unreached(inventory);
        fleet.store = store.map(Arc::new);
        for (host, way) in fleet.ways(overrides, &from.project, &mut warnings) {
            match way {
                Ok(mut target) => {
                    if let Some((address, port)) = in_lab.get(host.as_str()) {
                        target = target.by(0);
                        target.address = address.clone();
                        target.port = Some(*port);
                        target.jump = None;
                    }
                    fleet.targets.insert(host, target);
                }
                Err(why) => {
                    fleet.faults.insert(host, why);
                }
            }
        }
        hidden::hide(&fleet, screen);
        show::diagnostics(screen, &once(warnings));
        Ok(fleet)
    }

    /// One to whose hosts no way is known yet, and without a store of secrets.
    pub fn unreached(inventory: Inventory) -> Fleet {
        let (targets, faults) = (BTreeMap::new(), HashMap::new());
        Fleet { inventory, targets, faults, store: None, prints: None, older_secrets: false }
    }

    /// The way to each host as its connection variables have it, templates in them rendered.
    pub fn ways(
        &self,
        overrides: &Overrides,
        project: &OfProject,
        warnings: &mut Vec<Diagnostic>,
    ) -> Vec<(HostName, Way)> {
        let variables = OnceCell::new();
        let mut ways = Vec::new();
        for host in self.inventory.hosts() {
            let raw = inventory::raw(host);
            let rendered = |name: &str| match raw(name)? {
                Ok(node) if playbook::holds_template(&node) => {
                    let variables = variables.get_or_init(|| Outside::new(self));
                    Some(variables.value(&host.name, name, &node))
                }
                node => Some(node),
            };
            let lookup = defaults::weakest(rendered, project);
            ways.push((host.name.clone(), inventory::target(host, &lookup, overrides, warnings)));
        }
        ways
    }

    /// The hosts of `--limit`.
    pub fn limit(&self, pattern: &str) -> Result<Vec<HostName>, Stopped> {
        self.chosen("--limit", pattern)
    }

    /// The hosts of a pattern given on the command line with this flag.
    pub fn chosen(&self, flag: &str, pattern: &str) -> Result<Vec<HostName>, Stopped> {
        let place = Place::new(&Source::new(flag, pattern), 0, pattern.len());
        self.inventory.select(pattern, &place).map_err(Stopped::from)
    }

    /// The hosts of several patterns given on the command line, to all of which there is a way. They are one pattern
    /// together, so that `web '!web1'` is what it looks like, and not all hosts.
    pub fn named(&self, patterns: &[String]) -> Result<Vec<HostName>, Stopped> {
        let pattern = patterns.join(",");
        let place = Place::new(&Source::new("PATTERN", &pattern), 0, pattern.len());
        let hosts = self.inventory.select(&pattern, &place)?;
        self.check_targets(&hosts)?;
        Ok(hosts)
    }

    /// The hosts of `--limit`, if there is one.
    pub fn limits(&self, pattern: Option<&str>) -> Result<Option<BTreeSet<HostName>>, Stopped> {
        pattern.map(|pattern| Ok(self.limit(pattern)?.into_iter().collect())).transpose()
    }

    /// Why a host is out of reach from here, where all that its connection lacks is the key of a secret: nothing is wrong with
    /// it, and the others need not wait for that.
    pub fn locked_out_of(&self, host: &HostName) -> Option<TransportError> {
        let faults = self.faults.get(host).filter(|all| all.iter().all(|told| told.summary == playbook::NO_KEY))?;
        let told = faults.first()?;
        let label = told.place.as_ref().map(|(place, label)| format!("{label} ({place})")).unwrap_or_default();
        let why = told.detail.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let reason = format!("its connection needs {label}, whose key is not at hand{why}");
        Some(TransportError::Unreachable { host: host.clone(), address: host.to_string(), reason })
    }

    /// Refuses a host to which no way can be made of its connection variables.
    pub fn check_targets<'a>(&self, hosts: impl IntoIterator<Item = &'a HostName>) -> Result<(), Stopped> {
        let faults: Vec<Diagnostic> =
            hosts.into_iter().filter_map(|host| self.faults.get(host)).flatten().cloned().collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
    }
}

// What is said of one variable at many places is said once, with the first of them.
fn once(warnings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut told: Vec<(Diagnostic, usize)> = Vec::new();
    for warning in warnings {
        let label =
            |one: &Diagnostic| one.place.as_ref().map(|(_, label)| label.clone()).filter(|label| !label.is_empty());
        let same = |one: &Diagnostic| {
            label(one).is_some()
                && label(one) == label(&warning)
                && one.summary == warning.summary
                && one.fix == warning.fix
        };
        match told.iter_mut().find(|(one, _)| same(one)) {
            Some((_, more)) => *more += 1,
            None => told.push((warning, 0)),
        }
    }
    told.into_iter()
        .map(|(mut warning, more)| {
            if more > 0 {
                let places = format!("{more} more place{}", if more == 1 { " says" } else { "s say" });
                let detail = warning.detail.take().map_or_else(String::new, |detail| format!("{detail}; "));
                warning.detail = Some(format!("{detail}{places} the same"));
            }
            warning
        })
        .collect()
}

// Variables that no template sees, since their names mean something else there; each told once.
fn hidden_by_builtins(inventory: &Inventory) -> Vec<Diagnostic> {
    let of = |name: &str| inventory.hosts().iter().find_map(|host| host.vars.get(name));
    let hidden = playbook::BUILTINS.iter().filter_map(|(name, means)| Some((name, means, of(name)?)));
    hidden
        .map(|(name, means, var)| {
            Diagnostic::warning("a variable that no template sees")
                .at(&var.node.place, format!("`{name}` means something else there"))
                .because(*means)
                .fix("give it another name")
        })
        .collect()
}

// Inside `rempart lab exec` the hosts of the inventory are those of the lab, wherever the real ones are.
fn lab_addresses() -> Result<BTreeMap<String, (String, u16)>, Stopped> {
    let Ok(name) = std::env::var(super::lab::ENV_LAB) else { return Ok(BTreeMap::new()) };
    let status = lab::status(&name).map_err(|error| Stopped::failed(super::lab::explain(&error)))?;
    Ok(status.hosts.into_iter().map(|host| (host.name, (host.address.to_string(), host.port))).collect())
}

impl playbook::Fleet for Fleet {
    fn hosts(&self) -> Vec<HostName> {
        self.inventory.hosts().iter().map(|host| host.name.clone()).collect()
    }

    fn select(&self, pattern: &str, place: &Place) -> Result<Vec<HostName>, Diagnostic> {
        self.inventory.select(pattern, place)
    }

    fn vars(&self, host: &HostName) -> Vec<(String, Node)> {
        let Some(host) = self.inventory.host(host.as_str()) else { return Vec::new() };
        host.vars.iter().map(|(name, var)| (name.to_string(), (*var.node).clone())).collect()
    }

    fn groups(&self, host: &HostName) -> Vec<String> {
        self.inventory.host(host.as_str()).map(|host| host.groups.clone()).unwrap_or_default()
    }

    fn group_hosts(&self, group: &str) -> Vec<HostName> {
        self.inventory.members(group).into_iter().cloned().collect()
    }

    fn address(&self, host: &HostName) -> String {
        self.targets.get(host).map_or_else(|| host.to_string(), |target| target.address.clone())
    }

    fn login_user(&self, host: &HostName) -> Option<String> {
        self.targets.get(host).and_then(|target| target.by(0).user)
    }

    fn ssh_port(&self, host: &HostName) -> u16 {
        self.targets.get(host).and_then(|target| target.by(0).port).unwrap_or(22)
    }

    fn vault(&self) -> Arc<dyn Vault> {
        match &self.store {
            Some(store) => store.clone(),
            None => Arc::new(NoVault),
        }
    }

    fn conflict(&self, host: &HostName, var: &str) -> Option<Diagnostic> {
        let var_of = self.inventory.host(host.as_str())?.vars.get(var)?;
        let conflict = var_of.conflict.as_ref()?;
        let mut told = Diagnostic::error("sibling groups disagree about a variable")
            .at(&var_of.node.place, format!("`{var}` of {host}, from {}", conflict.group))
            .fix("give one of the groups a higher `ansible_group_priority`, or set it on the host");
        for (place, group) in &conflict.others {
            told = told.see(place, format!("{group} says otherwise"));
        }
        Some(told)
    }
}

/// Reads playbooks.
pub(super) fn load_site(paths: &[PathBuf]) -> Result<Site, Stopped> {
    playbook::load(paths).map_err(Stopped::from)
}

/// Reads playbooks for a fleet: where their files have faults, those of their values are told in the same run.
pub(super) fn load_site_on(fleet: &Fleet, paths: &[PathBuf]) -> Result<Site, Stopped> {
    playbook::load_on(paths, fleet).map_err(Stopped::from)
}

/// A site on its fleet, before anything of it is selected.
pub(super) struct Whole {
    pub graph: Graph,
    pub plays: Vec<Play>,
    /// What the run declares.
    pub scope: Scope,
    /// The hosts that were asked for facts and gave none.
    pub silent: BTreeMap<HostName, TransportError>,
}

/// Expands the site on the fleet, fetching facts from hosts if something reads them, and joins it into one graph.
pub(super) async fn whole(
    fleet: &Fleet,
    site: &Site,
    limit: Option<&BTreeSet<HostName>>,
    links: Option<(Arc<dyn Links>, usize)>,
    screen: &Arc<Screen>,
) -> Result<Whole, Stopped> {
    let Expanded { expansion, silent } = fetch::expand(fleet, site, limit, links).await?;
    show::diagnostics(screen, &expansion.warnings);
    let mut items = Vec::new();
    for declared in expansion.declared {
        let resource: Box<dyn Resource> = match declared.body {
            Body::Ready(resource) => resource,
            Body::Pending { standing: Some(resource), as_text: true, .. } if fleet.prints.is_some() => resource,
            Body::Pending { kind, id, waits_for, locked, ties, .. } => {
                // Without its fields it may have no name yet; it must not vanish for that.
                let id = id.unwrap_or_else(|| ResourceId::new(kind, format!("(as of {})", declared.place)));
                let Ties { provides, uses, watches } = *ties;
                let why = lacks(&waits_for, &silent, &locked);
                Box::new(Unread { id, waits_for, why, provides, uses, watches })
            }
        };
        items.push(Item {
            host: declared.host,
            phase: declared.phase,
            resource,
            place: declared.place,
            label: declared.label,
            needs: declared
                .needs
                .into_iter()
                .map(|need| Need { host: need.host, what: need.target.to_string(), place: need.place })
                .collect(),
            tags: declared.tags,
            controls: declared.controls,
            playbook: declared.playbook,
        });
    }
    let graph = Graph::build(items)?;
    let names = expansion.plays.iter().map(|play| play.name.clone());
    let scope = Scope::of(&graph, site.name.clone(), names, &kinds::parts);
    Ok(Whole { graph, plays: expansion.plays, scope, silent })
}

/// The selected part of a site on its fleet.
pub(super) async fn assemble(
    fleet: &Fleet,
    site: &Site,
    selection: &Selection,
    links: Option<(Arc<dyn Links>, usize)>,
    judge: Judge,
    screen: &Arc<Screen>,
) -> Result<Assembled, Stopped> {
    let limit = fleet.limits(selection.limit.as_deref())?;
    let asks = links.is_some();
    let Whole { graph, plays, scope, mut silent } = whole(fleet, site, limit.as_ref(), links, screen).await?;
    check_tags(selection, &graph)?;
    let whole = selection.tags.is_empty() && selection.skip_tags.is_empty() && selection.phase.is_empty();
    let selected = |item: &Item| {
        limit.as_ref().is_none_or(|hosts| hosts.contains(&item.host))
            && (selection.phase.is_empty() || selection.phase.contains(&item.phase))
            && (selection.tags.is_empty() || item.tags.iter().any(|tag| selection.tags.contains(tag)))
            && !item.tags.iter().any(|tag| selection.skip_tags.contains(tag))
    };
    // Where nothing will be changed, nobody waits for anything.
    let graph = graph.restrict(&selected, judge == Judge::AfterChanges);
    let hosts: BTreeSet<&HostName> = graph.items.iter().map(|item| &item.host).collect();
    let out: Vec<_> = hosts.iter().filter_map(|host| Some(((*host).clone(), fleet.locked_out_of(host)?))).collect();
    fleet.check_targets(hosts.iter().copied().filter(|host| !out.iter().any(|(locked, _)| locked == *host)))?;
    silent.extend(out);
    // A host outside of the limit counts if something inside reads its facts.
    let read: BTreeSet<&HostName> =
        graph.items.iter().filter_map(Item::unread).flat_map(|unread| &unread.waits_for).collect();
    silent.retain(|host, _| read.contains(host) || limit.as_ref().is_none_or(|hosts| hosts.contains(host)));
    // Where a part of each host was selected, hosts without any are not asked what is left over on them.
    let remembering: Vec<HostName> = plays
        .iter()
        .flat_map(|play| &play.hosts)
        .filter(|host| limit.as_ref().is_none_or(|limit| limit.contains(*host)))
        .filter(|host| (whole && fleet.targets.contains_key(*host)) || hosts.contains(host))
        .filter(|host| !silent.contains_key(*host))
        .cloned()
        .collect();
    if graph.items.is_empty() && silent.is_empty() && (remembering.is_empty() || !asks) {
        return Err(Stopped::usage(
            Diagnostic::error("nothing is selected")
                .fix("loosen --limit, --tags or --phase, or check the playbook's `hosts:`"),
        ));
    }
    let rollouts: Vec<Rollout> = plays
        .iter()
        .filter(|play| !play.serial.is_empty())
        .map(|play| {
            let sizes: Vec<WaveSize> = play
                .serial
                .iter()
                .map(|size| match size {
                    playbook::Batch::Count(count) => WaveSize::Count(usize::try_from(*count).unwrap_or(usize::MAX)),
                    playbook::Batch::Percent(part) => WaveSize::Percent(*part),
                })
                .collect();
            Rollout::cut(play.name.clone(), &play.hosts, &sizes)
        })
        .collect();
    check_rollouts(&graph, &rollouts)?;
    Ok(Assembled { graph: Arc::new(graph), silent, rollouts, scope, remembering })
}

/// The graph, and the hosts whose facts could not be had, so that it lacks what depends on them.
pub(super) struct Assembled {
    pub graph: Arc<Graph>,
    pub silent: BTreeMap<HostName, TransportError>,
    pub rollouts: Vec<Rollout>,
    /// What the run declares as a whole.
    pub scope: Scope,
    /// The hosts that are asked what rempart made there.
    pub remembering: Vec<HostName>,
}

// A selector that matches nothing is a mistake, and must not look like success.
fn check_tags(selection: &Selection, graph: &Graph) -> Result<(), Stopped> {
    let known: BTreeSet<&str> = graph.items.iter().flat_map(|item| item.tags.iter().map(String::as_str)).collect();
    for tag in selection.tags.iter().chain(&selection.skip_tags) {
        if !known.contains(tag.as_str()) {
            let mut told = Diagnostic::error("an unknown tag").because(format!("no resource has the tag `{tag}`"));
            let names: Vec<&str> = known.iter().copied().collect();
            told.fix = Some(match did_you_mean(tag, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "nothing here has a tag: leave the flag out".to_owned(),
                None if names.len() > 12 => {
                    format!("known are {} and {} more", names[..12].join(", "), names.len() - 12)
                }
                None => format!("known are {}", names.join(", ")),
            });
            return Err(Stopped::usage(told));
        }
    }
    Ok(())
}

// Why a resource cannot be known: whose facts are missing, and which secrets.
fn lacks(
    hosts: &BTreeSet<HostName>,
    silent: &BTreeMap<HostName, TransportError>,
    locked: &BTreeMap<String, String>,
) -> String {
    let one = |host: &HostName| match silent.get(host) {
        // Why not, the host says once for all.
        Some(_) => format!("it reads facts of {host}, which could not be had"),
        None => format!("it reads facts of {host}, which was not asked"),
    };
    let secret = |(name, why): (&String, &String)| format!("no key for the secret {name}: {why}");
    hosts.iter().map(one).chain(locked.iter().map(secret)).collect::<Vec<_>>().join("\n")
}

/// Starts the runtime that walks over hosts.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Stopped> {
    // ssh2 blocks, so each host that is worked on holds a thread for as long; forks bounds them.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(1024)
        .enable_all()
        .build()
        .map_err(|error| Stopped::failed(Diagnostic::error("cannot start the runtime").because(error.to_string())))
}

/// Someone who listens to nothing, for verbs that print at the end only.
pub(super) fn nobody() -> Arc<Observer> {
    Arc::new(|_| {})
}

/// The overrides of a verb that has connection flags.
pub(super) fn overrides(connection: &Connection) -> Result<Overrides, Stopped> {
    connection.overrides()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Become;

    fn ways(hosts: &str) -> BTreeMap<String, Way> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.yml");
        let vars = "dom: example.org, hidden: !secret hunter2, who: ops, ansible_user: \"{{ who }}\"";
        std::fs::write(&file, format!("all:\n  vars: {{ {vars} }}\n  hosts:\n{hosts}")).unwrap();
        let fleet = Fleet::unreached(inventory::load(&[file]).unwrap());
        let ways = fleet.ways(&Overrides::default(), &OfProject::default(), &mut Vec::new());
        ways.into_iter().map(|(host, way)| (host.to_string(), way)).collect()
    }

    #[test]
    fn connection_variables_may_be_templates_of_other_variables() {
        let ways = ways(
            "    a: { ansible_host: \"{{ inventory_hostname }}.{{ dom }}\", ansible_port: \"{{ 2000 + 22 }}\" }\n    \
             b: { ansible_become_password: \"{{ hidden }}\", rempart: { host: \"10.0.0.{{ 3 + 3 }}\" } }\n",
        );
        let a = ways["a"].as_ref().unwrap();
        assert_eq!((a.address.as_str(), a.port, a.user.as_deref()), ("a.example.org", Some(2022), Some("ops")));
        let b = ways["b"].as_ref().unwrap();
        assert_eq!(b.address, "10.0.0.6");
        let Become::Sudo { password: Some(password) } = &b.escalate else { panic!("{:?}", b.escalate) };
        assert_eq!(password.reveal(), "hunter2");
    }

    #[test]
    fn whose_facts_are_missing_is_said_and_why_is_left_to_that_host() {
        let (lost, other) = (HostName::new("lost"), HostName::new("other"));
        let error = TransportError::Broken { host: lost.clone(), reason: "no route to it".into() };
        let silent = BTreeMap::from([(lost.clone(), error)]);
        assert_eq!(
            lacks(&[lost, other].into(), &silent, &BTreeMap::new()),
            "it reads facts of lost, which could not be had\nit reads facts of other, which was not asked"
        );
    }

    #[test]
    fn several_patterns_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.yml");
        std::fs::write(&file, "all: { children: { web: { hosts: { web1: , web2: } }, db: { hosts: { db1: } } } }\n")
            .unwrap();
        let fleet = Fleet::unreached(inventory::load(&[file]).unwrap());
        let named = |patterns: &[&str]| -> Vec<String> {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            fleet.named(&patterns).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(named(&["web", "!web1"]), ["web2"]);
        assert_eq!(named(&["db1", "web2", "db1"]), ["db1", "web2"]);
    }

    #[test]
    fn what_is_not_known_before_connecting_is_no_way_and_neither_is_what_no_address_can_be() {
        let ways = ways(
            "    a: { ansible_host: \"{{ address }}\" }\n    b: { ansible_host: \"{{ facts.os }}\" }\n    \
             c: { ansible_host: \"{{ ansible_host }}\" }\n    d: { ansible_host: \"{{ 'a b' }}\" }\n    \
             e: { ansible_host: \"-oProxyCommand={{ dom }}\" }\n    f: { ansible_host: \"{{ hidden }}\" }\n",
        );
        for (host, way) in ways {
            assert!(way.is_err(), "{host}: {way:?}");
        }
    }
}
