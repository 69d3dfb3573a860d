//! `rempart plan`: what would be changed, without changing anything.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Connection, Inventories, Selection};
use super::project::{self, Assembled, Fleet};
use super::show::Listener;
use super::{Ended, Stopped, orphans, show};
use crate::engine::{HostNote, Links, Observer, ReadLinks, folder_owners, probe_hosts, ways_in};
use crate::kinds;
use crate::model::{Exit, HostName};
use crate::plan::{Graph, Judge, Outlook, Rollout, hold_older, outlook, recognise};
use crate::report::{self, Screen};
use crate::resource::Seen;
use crate::store::Prints;
use crate::transport::{SshTransport, TransportError};

/// Show what would be changed, without changing anything
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart plan playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart plan site.yaml --limit 'servers:!db1' --phase hardening
  rempart plan site.yaml --json --detailed-exitcode > plan.json

With --detailed-exitcode: 0 = nothing to do, 2 = changes, 1 = something is unknown.
With or without: 5 = the plan would lock rempart out of a host, and `apply` refuses it.")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub inventories: Inventories,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub connection: Connection,

    /// Print the plan as JSON on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Show resources that are as they should be, too
    #[arg(short, long, help_heading = "Output")]
    pub all: bool,

    /// Exit 2 when there are changes, and 1 when anything is unknown
    #[arg(long, help_heading = "Output")]
    pub detailed_exitcode: bool,
}

/// What a look at the fleet brought: the graph, what was seen, and the outlook.
pub(super) struct Looked {
    pub graph: Arc<Graph>,
    pub seen: HashMap<usize, Seen>,
    pub unreachable: BTreeMap<HostName, TransportError>,
    pub notes: BTreeMap<HostName, HostNote>,
    pub rollouts: Vec<Rollout>,
    pub outlook: Outlook,
    /// The site of the run; empty for none.
    pub site: String,
}

impl Looked {
    /// The hosts that could not be asked, in words.
    pub fn unreachable_words(&self) -> BTreeMap<HostName, String> {
        self.unreachable.iter().map(|(host, error)| (host.clone(), error.to_string())).collect()
    }
}

/// Asks the selected part of the fleet, over connections that `links` holds.
pub(super) async fn look(
    fleet: &Fleet,
    assembled: Assembled,
    links: Arc<dyn Links>,
    forks: usize,
    observer: Arc<Observer>,
    judge: Judge,
) -> Result<Looked, Stopped> {
    let Assembled { graph, silent, rollouts, scope, remembering } = assembled;
    let items = (0..graph.items.len()).filter(|item| !silent.contains_key(&graph.items[*item].host)).collect();
    let mut probed = probe_hosts(graph.clone(), items, remembering, links.clone(), forks, observer).await;
    probed.unreachable.extend(silent);
    if let Some(prints) = &fleet.prints {
        recognise(&graph, &mut probed.seen, &|host, id, field, wanted, seen| {
            prints.judge(host, id, field, wanted, seen)
        });
    }
    if judge == Judge::AfterChanges && !fleet.older_secrets {
        hold_older(&graph, &mut probed.seen, &probed.given);
    }
    let words: HashMap<HostName, String> =
        probed.unreachable.iter().map(|(host, error)| (host.clone(), error.to_string())).collect();
    let site = scope.site().to_owned();
    let is_check = |kind: &str| kinds::find(kind).is_some_and(|entry| entry.check);
    let mut outlook = outlook(&graph, &probed.seen, &words, &is_check, &kinds::permanent, judge);
    orphans::hold_aggregates(fleet, &scope, &probed.remembered, &mut outlook, links.clone(), forks).await?;
    if judge == Judge::AfterChanges {
        let owners = folder_owners(outlook.folders(&graph), links.clone(), forks).await;
        outlook.hold_foreign(&graph, &owners);
        outlook.put_ways(ways_in(&graph, &outlook, &probed.seen, links.clone(), forks).await);
    }
    let found = orphans::find(fleet, &scope, &probed.remembered, links, forks).await?;
    outlook.add_leftovers(found.left);
    Ok(Looked {
        graph,
        seen: probed.seen,
        unreachable: probed.unreachable,
        notes: probed.notes,
        rollouts,
        outlook,
        site,
    })
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let looked = look_only(args.parts(), Judge::AfterChanges, screen)?;
    if args.json {
        show::json(screen, &report::plan_json(&looked.outlook, &looked.notes));
    } else {
        show::plan(screen, &looked.outlook, &looked.notes, args.all);
    }
    let totals = looked.outlook.totals();
    let changes = totals.add + totals.change + totals.remove + totals.findings > 0;
    let mut exit = Exit::Done;
    if args.detailed_exitcode {
        if changes {
            exit = exit.and(Exit::Differs);
        }
        if looked.outlook.not_judged() > 0 {
            exit = exit.and(Exit::Failed);
        }
    }
    if totals.unreachable > 0 {
        exit = exit.and(Exit::Unreachable);
    }
    if totals.locked_out > 0 {
        exit = exit.and(Exit::Refused);
    }
    Ok(exit)
}

/// The flags that a look needs.
pub(super) struct Parts<'a> {
    pub playbooks: &'a [PathBuf],
    pub inventories: &'a Inventories,
    pub selection: &'a Selection,
    pub connection: &'a Connection,
    pub prints: Option<Prints>,
    pub json: bool,
}

impl Args {
    fn parts(&self) -> Parts<'_> {
        Parts {
            playbooks: &self.playbooks,
            inventories: &self.inventories,
            selection: &self.selection,
            connection: &self.connection,
            prints: None,
            json: self.json,
        }
    }
}

/// Looks over connections that cannot write: all that `plan` and `drift` do.
pub(super) fn look_only(parts: Parts<'_>, judge: Judge, screen: &Arc<Screen>) -> Result<Looked, Stopped> {
    let mut fleet = Fleet::load(parts.inventories, &project::overrides(parts.connection)?, screen)?;
    fleet.prints = parts.prints;
    let site = project::load_site_on(&fleet, parts.playbooks)?;
    let listener = Listener::new();
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), listener.observer());
    let forks = parts.connection.forks;
    let runtime = project::runtime()?;
    super::change::watch(&runtime, parts.json, screen);
    runtime.block_on(async {
        let assembled =
            project::assemble(&fleet, &site, parts.selection, Some((links.clone(), forks)), judge, screen).await?;
        let progress = report::progress(screen, &hosts_of(&assembled.graph));
        listener.set(Some(progress.observer()));
        let looked = look(&fleet, assembled, links, forks, progress.observer(), judge).await;
        listener.set(None);
        looked
    })
}

/// The hosts of a graph, each with the number of its resources, for those who draw progress.
pub(super) fn hosts_of(graph: &Graph) -> Vec<(HostName, usize)> {
    graph.by_host().into_iter().map(|(host, items)| (host, items.len())).collect()
}
