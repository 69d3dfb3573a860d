//! `rempart apply`: plan, approval, change, proof.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::{self, Change, Record, absolute};
use super::lockouts::refuse_lockouts;
use super::options::{Connection, Inventories, Selection};
use super::plan::{hosts_of, look};
use super::project::{self, Fleet};
use super::recover::recover;
use super::resume::Resumed;
use super::show::Listener;
use super::{Ended, Stopped, show};
use crate::engine::{self, ApplyOptions, Approved, Stop, WriteLinks};
use crate::history::{ApprovedChange, RunSelection, RunVerb};
use crate::model::{Diagnostic, Exit, HostName};
use crate::plan::{Act, Graph, Judge, Outlook};
use crate::report::{self, Notes, RunView, Screen};
use crate::resource::Seen;
use crate::transport::SshTransport;

/// Bring the fleet to what the playbook says, after showing the plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart apply playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart apply site.yaml --yes --limit web1
  rempart apply site.yaml --yes --message 'ticket 4711'
  rempart apply site.yaml --yes --no-confirm    # then: rempart commit, or rempart rollback
  rempart apply --resume                        # goes on with the last run that has no end
  rempart apply site.yaml --yes --json > run.json

A plan that would lock rempart out of a host is refused before anything is touched, with exit code 5.
A risky change (firewall, sshd, sudo, PAM, keys, network) arms a guard on the host: unless a fresh connection confirms it
in time, the host takes it back by itself, and the exit code is 4.")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    change: Change,

    /// Go on with a run that was broken off (the last one, unless named): what it had approved and not done, no more;
    /// playbooks, inventories and selection are those of that run
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["playbooks", "limit", "tags", "skip_tags", "phase"], help_heading = "Change")]
    resume: Option<String>,

    /// Seconds that a check may take to come true after the changes before it
    #[arg(long, default_value_t = 15, value_name = "SECONDS", help_heading = "Change")]
    patience: u64,

    /// Write secrets of an older version of the store than a host was given; without it, a checkout that was left behind
    /// writes none
    #[arg(long, help_heading = "Change")]
    allow_older_secrets: bool,
}

/// A person who read the plan for longer than this read something that may be stale.
pub(super) const FRESH: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    // Not clap's own rule: a default of rempart.toml would not count for it.
    if args.playbooks.is_empty() && args.resume.is_none() {
        let told = Diagnostic::error("no playbook is named");
        return Err(Stopped::usage(told.fix("name one, here or in rempart.toml, or go on with a run: --resume")));
    }
    let resumed = args.resume.as_deref().map(|run| Resumed::find(run, &args.inventories.set)).transpose()?;
    let (playbooks, inventories, selection) = match &resumed {
        Some(resumed) => resumed.input(&args.inventories)?,
        None => (args.playbooks.clone(), args.inventories.clone(), args.selection.clone()),
    };
    let forks = args.connection.forks;
    // First of all: without a journal nothing may be changed, so nobody needs to read a plan.
    let names: Vec<String> = playbooks.iter().map(|path| path.display().to_string()).collect();
    let mut options = ApplyOptions {
        patience: args.patience,
        older_secrets: args.allow_older_secrets,
        ..args.change.options(&format!("apply {}", names.join(" ")), forks)
    };
    let record = Record::open(&mut options)?;
    let mut fleet = Fleet::load_to_change(&inventories, &project::overrides(&args.connection)?, screen)?;
    fleet.older_secrets = args.allow_older_secrets;
    let site = project::load_site_on(&fleet, &playbooks)?;
    let listener = Listener::new();
    let stop = Arc::new(Stop::default());
    let transport = Arc::new(SshTransport::that_lets_go(stop.let_go()));
    let links = WriteLinks::new(transport, fleet.targets.clone(), listener.observer());
    let runtime = project::runtime()?;
    change::watch(&runtime, args.change.json, screen);
    let look_now = || {
        runtime.block_on(async {
            let links_of: Option<(Arc<dyn engine::Links>, usize)> = Some((links.clone(), forks));
            let assembled = project::assemble(&fleet, &site, &selection, links_of, Judge::AfterChanges, screen).await?;
            let progress = report::progress(screen, &hosts_of(&assembled.graph));
            listener.set(Some(progress.observer()));
            let looked = look(&fleet, assembled, links.clone(), forks, progress.observer(), Judge::AfterChanges).await;
            listener.set(None);
            looked
        })
    };
    let mut looked = look_now()?;
    if recover(&looked.notes, &links, &args.change, forks, &runtime, screen)? {
        change::looks_again();
        looked = look_now()?;
    }
    if let Some(resumed) = &resumed {
        resumed.tell(screen);
        resumed.keep_to(&mut looked.outlook);
    }
    let totals = looked.outlook.totals();
    let changes = totals.add + totals.change + totals.remove;
    if !args.change.json {
        show::plan(screen, &looked.outlook, &looked.notes, false);
    }
    refuse_lockouts(&looked.outlook, &looked.graph, args.change.allow_lockout, screen)?;
    let mut seen = looked.seen.clone();
    if changes > 0 {
        let shown = Instant::now();
        args.change.approve(screen, "Apply this plan? Only `yes` will do")?;
        if !args.change.yes && shown.elapsed() > FRESH {
            let reached = |host: &HostName| !looked.unreachable.contains_key(host);
            seen = runtime.block_on(measure_again(&looked.graph, &reached, &links, forks));
            // What was open when it was shown may be closed by what somebody did meanwhile.
            let ways = runtime.block_on(engine::ways_in(&looked.graph, &looked.outlook, &seen, links.clone(), forks));
            looked.outlook.put_ways(ways);
            refuse_lockouts(&looked.outlook, &looked.graph, args.change.allow_lockout, screen)?;
        }
    }
    options.site.clone_from(&looked.site);
    if changes > 0 {
        let mut event = change::run_event(RunVerb::Apply, &options);
        event.playbooks = absolute(&playbooks);
        event.inventories = absolute(&inventories.paths());
        event.selection = RunSelection {
            limit: selection.limit.clone(),
            tags: selection.tags.clone(),
            skip_tags: selection.skip_tags.clone(),
            phase: selection.phase.iter().map(|phase| phase.name().to_owned()).collect(),
        };
        event.set_names = inventories.set.iter().filter_map(|set| Some(set.split_once('=')?.0.to_owned())).collect();
        event.approved = approved_changes(&looked.outlook);
        event.allowed_lockouts = looked.outlook.closed_ways().map(|(host, _)| host.to_string()).collect();
        event.resumes = resumed.as_ref().map(|resumed| resumed.run().to_owned());
        record.begin(event)?;
    }
    let progress = report::progress(screen, &hosts_of(&looked.graph));
    progress.knows_lost(looked.unreachable.keys());
    listener.set(Some(progress.observer()));
    let unreachable = looked.unreachable_words();
    let acts: HashMap<usize, Act> = looked
        .outlook
        .hosts
        .iter()
        .flat_map(|host| host.resources.iter().map(|planned| (planned.item, planned.act.clone())))
        .collect();
    let told = looked.notes.iter().filter(|(_, note)| note.unfinished.is_some() && note.held.is_none());
    let told = told.map(|(host, _)| host.clone()).collect();
    let (graph, rollouts, healed) = (looked.graph.clone(), looked.rollouts.clone(), healed(&looked.notes));
    let approved = Approved { graph, seen, acts, unreachable, rollouts, told, healed };
    let work = engine::apply(approved, links, options, progress.observer(), stop.clone(), record.journal.clone());
    let mut report_of_run = change::until_done(&runtime, &stop, work);
    if changes == 0 {
        // Nothing was begun, so the history knows no run of this number.
        report_of_run.run.clear();
    }
    listener.set(None);
    let (took, times) = (progress.took(), progress.times());
    drop(progress);
    let view = RunView { report: &report_of_run, took: Some(took), times: &times, outlook: Some(&looked.outlook) };
    change::told(screen, &view, args.change.json);
    // Threads that follow a host are not waited for once the user let go of it twice.
    runtime.shutdown_background();
    let exit = report_of_run.exit();
    let exit = if totals.unreachable > 0 { exit.and(Exit::Unreachable) } else { exit };
    if changes > 0 { record.end(&report_of_run, exit) } else { Ok(exit) }
}

/// The hosts that are told of to have taken a change back by themselves.
pub(super) fn healed(notes: &Notes) -> BTreeSet<HostName> {
    notes.iter().filter(|(_, note)| note.healed.is_some()).map(|(host, _)| host.clone()).collect()
}

/// The fleet is measured again; what differs from what was approved is then refused, item by item.
pub(super) async fn measure_again(
    graph: &Arc<Graph>,
    reached: &dyn Fn(&HostName) -> bool,
    links: &Arc<WriteLinks>,
    forks: usize,
) -> HashMap<usize, Seen> {
    for (host, _) in graph.by_host() {
        links.close(&host);
    }
    let items = (0..graph.items.len()).filter(|item| reached(&graph.items[*item].host)).collect();
    engine::probe(graph.clone(), items, links.clone(), forks, project::nobody()).await.seen
}

pub(super) fn approved_changes(outlook: &Outlook) -> Vec<ApprovedChange> {
    let of_host = |host: &crate::plan::HostOutlook| {
        let name = host.host.clone();
        host.resources
            .iter()
            .filter(|planned| planned.act.changes())
            .map(|planned| ApprovedChange {
                host: name.clone(),
                id: planned.id.to_string(),
                act: planned.act.word().to_owned(),
                fields: planned.act.fields().iter().map(|field| field.field.clone()).collect(),
            })
            .collect::<Vec<_>>()
    };
    outlook.hosts.iter().flat_map(of_host).collect()
}
