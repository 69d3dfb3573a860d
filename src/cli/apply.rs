//! `rempart apply`: plan, approval, change, proof.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::options::{Connection, Inventories, Selection};
use super::plan::{Looked, hosts_of, look};
use super::project::{self, Fleet};
use super::show::Listener;
use super::{Ended, Stopped, show};
use crate::engine::{self, ApplyOptions, Approved, Stop, WriteLinks};
use crate::model::{Diagnostic, Exit};
use crate::plan::Judge;
use crate::report::{self, RunView, Screen};
use crate::transport::SshTransport;

/// Bring the fleet to what the playbook says, after showing the plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart apply playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart apply site.yaml --yes --limit web1
  rempart apply site.yaml --yes --json > run.json

A plan that would lock rempart out of a host is refused before anything is touched, with exit code 5.
A risky change (firewall, sshd) arms a guard on the host: unless a fresh connection confirms it in time, the host takes
it back by itself, and the exit code is 4.")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    connection: Connection,

    /// Do not ask for approval
    #[arg(short, long, help_heading = "Apply")]
    yes: bool,

    /// Go on with a plan that would lock rempart out of a host; the guard stays armed
    #[arg(long, help_heading = "Apply")]
    allow_lockout: bool,

    /// Seconds in which a fresh connection must confirm a risky change
    #[arg(long, default_value_t = 45, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(15..=3600), help_heading = "Apply")]
    confirm_within: u64,

    /// Seconds that a check may take to come true after the changes before it
    #[arg(long, default_value_t = 15, value_name = "SECONDS", help_heading = "Apply")]
    patience: u64,

    /// Print the outcome as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// A person who read the plan for longer than this read something that may be stale.
const FRESH: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let site = project::load_site(&args.playbooks)?;
    let listener = Listener::new();
    let links = WriteLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), listener.observer());
    let forks = args.connection.forks;
    let runtime = project::runtime()?;
    let mut looked = runtime.block_on(async {
        let assembled = project::assemble(&fleet, &site, &args.selection, Some((links.clone(), forks)), screen).await?;
        let progress = report::progress(screen, &hosts_of(&assembled.graph));
        listener.set(Some(progress.observer()));
        let looked = look(assembled, links.clone(), forks, progress.observer(), Judge::AfterChanges).await;
        listener.set(None);
        Ok::<_, Stopped>(looked)
    })?;
    let totals = looked.outlook.totals();
    let changes = totals.add + totals.change + totals.remove;
    if !args.json {
        show::plan(screen, &looked.outlook, &looked.notes, false);
    }
    refuse_lockouts(&looked, args.allow_lockout, screen)?;
    let mut seen = looked.seen.clone();
    if changes > 0 && !args.yes {
        let shown = Instant::now();
        match screen.ask("Apply this plan? Only `yes` will do") {
            Ok(true) => {}
            Ok(false) => return Err(Stopped::refused(Diagnostic::error("not approved: nothing was changed"))),
            Err(why) => {
                return Err(Stopped::refused(
                    Diagnostic::error("not approved: nothing was changed")
                        .because(why.to_string())
                        .fix("approve with --yes"),
                ));
            }
        }
        if shown.elapsed() > FRESH {
            // The fleet is measured again; what differs from what was approved is then refused, item by item.
            for host in fleet.targets.keys() {
                links.close(host);
            }
            let items = (0..looked.graph.items.len())
                .filter(|item| !looked.unreachable.contains_key(&looked.graph.items[*item].host))
                .collect();
            let again =
                runtime.block_on(engine::probe(looked.graph.clone(), items, links.clone(), forks, project::nobody()));
            seen = again.seen;
            // What was open when it was shown may be closed by what somebody did meanwhile.
            let ways = runtime.block_on(engine::ways_in(&looked.graph, &looked.outlook, &seen, links.clone(), forks));
            looked.outlook.put_ways(ways);
            refuse_lockouts(&looked, args.allow_lockout, screen)?;
        }
    }
    let progress = report::progress(screen, &hosts_of(&looked.graph));
    listener.set(Some(progress.observer()));
    let stop = Arc::new(Stop::default());
    let unreachable = looked.unreachable_words();
    let acts = looked
        .outlook
        .hosts
        .iter()
        .flat_map(|host| host.resources.iter().map(|planned| (planned.item, planned.act.clone())))
        .collect();
    let approved = Approved { graph: looked.graph.clone(), seen, acts, unreachable, rollouts: looked.rollouts.clone() };
    let options =
        ApplyOptions { forks, confirm_within: args.confirm_within, patience: args.patience, ..ApplyOptions::default() };
    let observer = progress.observer();
    let report_of_run = runtime.block_on(async {
        tokio::spawn({
            let stop = stop.clone();
            async move {
                while tokio::signal::ctrl_c().await.is_ok() {
                    stop.ask();
                }
            }
        });
        engine::apply(approved, links, options, observer, stop).await
    });
    listener.set(None);
    let (took, times) = (progress.took(), progress.times());
    drop(progress);
    let view = RunView { report: &report_of_run, took: Some(took), times: &times, outlook: Some(&looked.outlook) };
    if args.json {
        show::json(screen, &report::run_json(&view));
    } else {
        screen.print(&report::run(&view, &screen.out_paint()));
    }
    // Threads that follow a host are not waited for once the user let go of it twice.
    runtime.shutdown_background();
    let exit = report_of_run.exit();
    Ok(if totals.unreachable > 0 { exit.and(Exit::Unreachable) } else { exit })
}

// A plan that closes the way in goes no further, or is loud about it.
fn refuse_lockouts(looked: &Looked, allowed: bool, screen: &Screen) -> Result<(), Stopped> {
    if looked.outlook.totals().locked_out == 0 {
        return Ok(());
    }
    if allowed {
        show::diagnostics(screen, &looked.lockouts(Diagnostic::warning));
        return Ok(());
    }
    let mut why = looked.lockouts(Diagnostic::error);
    why.push(
        Diagnostic::error("refused: nothing was changed")
            .fix("change the plan, or say --allow-lockout if it is meant: the guard takes it back all the same"),
    );
    Err(Stopped { exit: Exit::Refused, diagnostics: why })
}
