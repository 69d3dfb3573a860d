//! `rempart prune`: removes what rempart made and nobody declares any more, after showing it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::apply::{FRESH, approved_changes, measure_again};
use super::change::{self, Change, Record, absolute};
use super::lockouts::refuse_lockouts;
use super::options::{Connection, Inventories};
use super::orphans::{self, Found};
use super::plan::hosts_of;
use super::project::{self, Fleet, Whole};
use super::show::Listener;
use super::{Ended, Stopped};
use crate::engine::{self, Approved, Links, WriteLinks, probe_hosts};
use crate::history::{RunSelection, RunVerb};
use crate::kinds;
use crate::model::{Exit, HostName};
use crate::plan::{Graph, HostOutlook, Judge, Leftovers, Made, Outlook, outlook};
use crate::report::{self, PruneView, RunView, Screen};
use crate::transport::SshTransport;

/// Remove what rempart made and no playbook declares any more, after showing it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart prune playbooks/site.yaml -i inventories/demo.yaml
  rempart prune site.yaml --limit web1 --yes
  rempart prune site.yaml --yes --json > run.json

Name what `apply` is given: what another playbook declares would be an orphan without it. A host that no playbook names any
more is asked if --limit names it. What prune removes, `rempart rollback` can put back as far as its kind allows.")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,
    /// Only these hosts: `web`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(short, long, value_name = "PATTERN", help_heading = "Fleet")]
    limit: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    change: Change,
}

// What is left over on the fleet, and what would become of it.
struct Plan {
    found: Found,
    outlook: Outlook,
    unreachable: BTreeMap<HostName, String>,
    /// What is only forgotten: it is gone already, or never removed.
    forgotten: BTreeMap<HostName, Vec<Made>>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let site = project::load_site_on(&fleet, &args.playbooks)?;
    let limit = fleet.limits(args.limit.as_deref())?;
    let listener = Listener::new();
    let stop = Arc::new(engine::Stop::default());
    let transport = Arc::new(SshTransport::that_lets_go(stop.let_go()));
    let links = WriteLinks::new(transport, fleet.targets.clone(), listener.observer());
    let forks = args.connection.forks;
    let runtime = project::runtime()?;
    change::watch(&runtime, args.change.json, screen);
    let plan = runtime.block_on(async {
        let asked: Arc<dyn Links> = links.clone();
        let whole = project::whole(&fleet, &site, limit.as_ref(), Some((asked.clone(), forks)), screen).await?;
        look(&fleet, whole, limit, asked, forks).await
    })?;
    if !args.change.json {
        let view = PruneView { outlook: &plan.outlook, forgotten: &plan.forgotten };
        screen.print(&report::prune(&view, &screen.out_paint()));
    }
    refuse_lockouts(&plan.outlook, &plan.found.graph, args.change.allow_lockout, screen)?;
    let removals = plan.outlook.totals().remove;
    let mut seen = plan.found.seen.clone();
    if removals > 0 || !plan.found.kept.is_empty() {
        let shown = Instant::now();
        args.change.approve(screen, "Remove and forget this? Only `yes` will do")?;
        if !args.change.yes && shown.elapsed() > FRESH {
            let reached = |host: &HostName| !plan.unreachable.contains_key(host);
            seen = runtime.block_on(measure_again(&plan.found.graph, &reached, &links, forks));
        }
    }
    let names: Vec<String> = args.playbooks.iter().map(|path| path.display().to_string()).collect();
    let mut options = args.change.options(&format!("prune {}", names.join(" ")), forks);
    let record = Record::open(&mut options)?;
    if removals > 0 {
        let mut event = change::run_event(RunVerb::Prune, &options);
        event.playbooks = absolute(&args.playbooks);
        event.inventories = absolute(&args.inventories.paths());
        event.selection = RunSelection { limit: args.limit.clone(), ..RunSelection::default() };
        event.approved = approved_changes(&plan.outlook);
        event.allowed_lockouts = plan.outlook.closed_ways().map(|(host, _)| host.to_string()).collect();
        record.begin(event)?;
    }
    let progress = report::progress(screen, &hosts_of(&plan.found.graph));
    listener.set(Some(progress.observer()));
    let acts = plan
        .outlook
        .hosts
        .iter()
        .flat_map(|host| host.resources.iter().map(|planned| (planned.item, planned.act.clone())))
        .collect();
    let approved = Approved {
        graph: plan.found.graph.clone(),
        seen,
        acts,
        unreachable: plan.unreachable.clone(),
        rollouts: Vec::new(),
        told: BTreeSet::new(),
        healed: BTreeSet::new(),
    };
    let ids = |made: &Vec<Made>| made.iter().map(|made| made.id.clone()).collect();
    let forgotten = plan.forgotten.iter().map(|(host, made)| (host.clone(), ids(made))).collect();
    let journal = record.journal.clone();
    let work = async {
        let report = engine::apply(approved, links.clone(), options, progress.observer(), stop.clone(), journal).await;
        let forgot = if report.interrupted { BTreeMap::new() } else { engine::forget(forgotten, links, forks).await };
        (report, forgot)
    };
    let (mut report_of_run, forgot) = change::until_done(&runtime, &stop, work);
    if removals == 0 {
        // Nothing was begun, so the history knows no run of this number.
        report_of_run.run.clear();
    }
    listener.set(None);
    let (took, times) = (progress.took(), progress.times());
    drop(progress);
    if removals > 0 || args.change.json {
        let view = RunView { report: &report_of_run, took: Some(took), times: &times, outlook: Some(&plan.outlook) };
        change::told(screen, &view, args.change.json);
    }
    runtime.shutdown_background();
    let mut exit = report_of_run.exit();
    let lost: Vec<(&HostName, &String)> =
        forgot.iter().filter_map(|(host, done)| Some((host, done.as_ref().err()?))).collect();
    if !lost.is_empty() {
        screen.tell(&report::not_forgotten(&lost, &screen.err_paint()));
        exit = exit.and(Exit::Failed);
    }
    if plan.outlook.not_judged() > 0 || plan.found.left.values().any(|left| left.orphans_unknown.is_some()) {
        exit = exit.and(Exit::Failed);
    }
    if !plan.unreachable.is_empty() {
        exit = exit.and(Exit::Unreachable);
    }
    if removals > 0 { record.end(&report_of_run, exit) } else { Ok(exit) }
}

async fn look(
    fleet: &Fleet,
    whole: Whole,
    limit: Option<BTreeSet<HostName>>,
    links: Arc<dyn Links>,
    forks: usize,
) -> Result<Plan, Stopped> {
    let Whole { plays, scope, silent, .. } = whole;
    let hosts = limit.unwrap_or_else(|| plays.iter().flat_map(|play| play.hosts.clone()).collect());
    fleet.check_targets(&hosts)?;
    let asked = hosts.iter().filter(|host| !silent.contains_key(*host)).cloned().collect();
    let nothing = Arc::new(Graph::build(Vec::new())?);
    let probed = probe_hosts(nothing, Vec::new(), asked, links.clone(), forks, project::nobody()).await;
    let found = orphans::find(fleet, &scope, &probed.remembered, links.clone(), forks).await?;
    let words = probed.unreachable.iter().chain(&found.unreachable).chain(&silent);
    let unreachable: BTreeMap<HostName, String> = words
        .filter(|(host, _)| hosts.contains(*host))
        .map(|(host, error)| (host.clone(), error.to_string()))
        .collect();
    let words: HashMap<HostName, String> = unreachable.iter().map(|(host, why)| (host.clone(), why.clone())).collect();
    let mut outlook = outlook(&found.graph, &found.seen, &words, &|_| false, &kinds::permanent, Judge::AfterChanges);
    // What will be removed stands in the plan already; what is left is what will not be.
    let mut left: BTreeMap<HostName, Leftovers> = found.left.clone();
    for left in left.values_mut() {
        left.orphans.retain(|orphan| orphan.kept.is_some());
        left.of_other_sites.clear();
    }
    for host in &mut outlook.hosts {
        let gone = |id: &str| found.vanished.get(&host.host).is_some_and(|all| all.iter().any(|made| made.id == id));
        host.resources.retain(|planned| !gone(&planned.id.to_string()));
        let unknown = |id: &str| host.resources.iter().any(|planned| planned.id.to_string() == id);
        if let Some(left) = left.get_mut(&host.host) {
            left.orphans.retain(|orphan| !unknown(&orphan.made.id));
        }
    }
    outlook.put_ways(engine::ways_in(&found.graph, &outlook, &found.seen, links.clone(), forks).await);
    outlook.add_leftovers(left);
    let ids = |host: &HostOutlook| host.resources.iter().map(|planned| planned.id.to_string()).collect::<Vec<_>>();
    let reached = outlook.hosts.iter().filter(|host| host.unreachable.is_none());
    let asked = reached.map(|host| (host.host.clone(), ids(host))).collect();
    let changed = engine::changed_since(asked, links, forks).await;
    for host in &mut outlook.hosts {
        for planned in &mut host.resources {
            let since = changed.get(&host.host).and_then(|known| known.get(&planned.id.to_string()));
            if let Some(since) = since {
                planned.place.push_str(&format!("; somebody changed it since: {}", since.join(", ")));
            }
        }
    }
    let mut forgotten = found.vanished.clone();
    for (host, made) in &found.kept {
        forgotten.entry(host.clone()).or_default().extend(made.iter().cloned());
    }
    Ok(Plan { found, outlook, unreachable, forgotten })
}
