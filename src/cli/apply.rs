//! `rempart apply`: plan, approval, change, proof.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::options::{Connection, Inventories, Selection};
use super::plan::look;
use super::project::{self, Fleet};
use super::{Ended, Stopped, show};
use crate::engine::{self, ApplyOptions, Approved, Stop, WriteLinks};
use crate::model::{Diagnostic, Exit};
use crate::report::Screen;
use crate::transport::SshTransport;

/// Bring the fleet to what the playbook says, after showing the plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart apply playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart apply site.yaml --yes --limit web1
  rempart apply site.yaml --yes --json > run.json

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

pub(super) fn run(args: &Args, screen: &Screen) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let site = project::load_site(&args.playbooks)?;
    let progress = show::progress(screen);
    let links = WriteLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), progress.clone());
    let forks = args.connection.forks;
    let runtime = project::runtime()?;
    let looked = runtime.block_on(async {
        let assembled = project::assemble(&fleet, &site, &args.selection, Some((links.clone(), forks)), screen).await?;
        Ok::<_, Stopped>(look(assembled, links.clone(), forks, progress.clone()).await)
    });
    let looked = looked?;
    let totals = looked.outlook.totals();
    let changes = totals.add + totals.change + totals.remove;
    if !args.json {
        show::plan(screen, &looked.outlook, &looked.notes, false);
    }
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
        }
    }
    let progress = show::progress(screen);
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
    let observer = progress.clone();
    let report = runtime.block_on(async {
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
    if args.json {
        show::run(screen, &report);
    } else {
        show::run(screen, &report);
    }
    // Threads that follow a host are not waited for once the user let go of it twice.
    runtime.shutdown_background();
    let exit = report.exit();
    Ok(if totals.unreachable > 0 { exit.and(Exit::Unreachable) } else { exit })
}
