//! `rempart rollback`: a run is taken back, or the checkpoints that wait are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::change::{self, Change, Record};
use super::history::{no_such_run, state_folder, stopped};
use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::show::Listener;
use super::{Ended, Stopped, commit, hidden, show};
use crate::engine::{self, BackStep, NoPast, Stop, WayBack, WriteLinks};
use crate::history::{self, ApprovedChange, RunVerb};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::{self, RunView, Screen};
use crate::transport::SshTransport;

/// Take a run back: files, services, packages, firewall, as they were before it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart rollback 3f2a                       # the run whose number begins like this, on all of its hosts
  rempart rollback 3f2a --host web1 --yes
  rempart rollback 3f2a --force               # also what was changed since
  rempart rollback -i inventories/demo.yaml   # without a run: checkpoints that wait are taken back

The run's steps are put back latest first, from what each host kept before each step, under the same lease, guard and
journal as an apply. A host on which something was changed since is left alone, and said, unless --force. Secrets are
never put back: `rempart apply` renders them with their present value. Exit code 2: some of it cannot be taken back.")]
pub(super) struct Args {
    /// The run's number, or its beginning; see `rempart history`
    #[arg(value_name = "RUN")]
    run: Option<String>,

    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    change: Change,

    /// Only these hosts of the run: `web1`, `web:&prod`, `all:!db1`
    #[arg(short = 'l', long, visible_alias = "limit", value_name = "PATTERN", help_heading = "Fleet")]
    host: Option<String>,

    /// Put back also what somebody changed since
    #[arg(long, help_heading = "Change")]
    force: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let Some(number) = &args.run else {
        args.change.approve(screen, "Take back every checkpoint that waits? Only `yes` will do")?;
        let (inventories, connection) = (&args.inventories, &args.connection);
        return commit::settle(inventories, connection, args.host.as_deref(), args.change.json, false, screen);
    };
    let past = history::read(&state_folder()?).map_err(|error| stopped(&error))?;
    let (number, of_run, inventories) = match past.find(number) {
        Ok(run) => {
            let hosts: Vec<HostName> = run.hosts().into_iter().cloned().collect();
            let mut inventories = args.inventories.clone();
            if inventories.inventory.is_empty()
                && let Some(start) = &run.start
            {
                inventories.inventory = start.inventories.iter().map(PathBuf::from).collect();
            }
            (run.number.clone(), Some(hosts), inventories)
        }
        // A run of somebody else's controller: its hosts know it.
        Err(history::NoSuchRun::Unknown | history::NoSuchRun::Near(_)) if args.host.is_some() && number.len() == 12 => {
            (number.clone(), None, args.inventories.clone())
        }
        Err(error) => return Err(no_such_run(number, &error)),
    };
    let fleet = Fleet::load(&inventories, &project::overrides(&args.connection)?, screen)?;
    let (_, told) = fleet.store.as_deref().map_or_else(Default::default, hidden::open_all);
    show::diagnostics(screen, &told);
    let named = args.host.as_deref().map(|pattern| fleet.chosen("--host", pattern)).transpose()?;
    let hosts: Vec<HostName> = match (of_run, named) {
        (Some(hosts), None) => hosts,
        (Some(hosts), Some(named)) => hosts.into_iter().filter(|host| named.contains(host)).collect(),
        (None, named) => named.unwrap_or_default(),
    };
    if hosts.is_empty() {
        let told = Diagnostic::error("that run changed nothing on these hosts");
        return Err(Stopped::refused(told.fix(format!("see `rempart history show {number}`"))));
    }
    if let Some(gone) = hosts.iter().find(|host| !fleet.targets.contains_key(*host)) {
        fleet.check_targets([gone])?;
        let told = Diagnostic::error("a host of that run is not in this inventory").because(gone.to_string());
        return Err(Stopped::refused(told.fix("name the inventory with -i, or other hosts with --host")));
    }
    let stop = Arc::new(Stop::default());
    let transport = Arc::new(SshTransport::that_lets_go(stop.let_go()));
    let listener = Listener::new();
    let links = WriteLinks::new(transport, fleet.targets.clone(), listener.observer());
    let runtime = project::runtime()?;
    change::watch(&runtime, args.change.json, screen);
    let forks = args.connection.forks;
    let looked = runtime.block_on(engine::look_back(hosts, &number, args.force, links.clone(), forks));
    if !args.change.json {
        screen.print(&report::rollback(&number, &looked, &screen.out_paint()));
    }
    let plan = looked.clone();
    let mut refused = Vec::new();
    let mut work: BTreeMap<HostName, Vec<BackStep>> = BTreeMap::new();
    let mut exit = Exit::Done;
    for (host, past) in looked {
        match past {
            Err(NoPast::Unreachable(_)) => exit = exit.and(Exit::Unreachable),
            Err(NoPast::Untold(_)) => exit = exit.and(Exit::Failed),
            Ok(steps) if steps.iter().any(|step| matches!(step.way, WayBack::Changed { .. })) => refused.push(host),
            Ok(steps) => {
                if steps.iter().any(|step| matches!(step.way, WayBack::Secret | WayBack::Never { .. })) {
                    exit = exit.and(Exit::Differs);
                }
                work.insert(host, steps);
            }
        }
    }
    if !refused.is_empty() {
        let names: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let back = past.follower(&number).filter(|run| run.start.as_ref().is_some_and(|s| s.verb == RunVerb::Rollback));
        return Err(Stopped::refused(match back {
            Some(run) => Diagnostic::error("that run was taken back before, so nothing was put back")
                .because(format!(
                    "run {} did it; what differs on {} came by it, or since",
                    run.number,
                    names.join(", ")
                ))
                .fix(format!("look at `rempart history show {}`; --force puts back all the same", run.number)),
            None => Diagnostic::error("something was changed since, so nothing was put back")
                .because(format!("on {}", names.join(", ")))
                .fix("look at it; then --host for the other hosts, or --force to put back all the same"),
        }));
    }
    let doing = |step: &&BackStep| matches!(step.way, WayBack::Restore { .. });
    if work.values().flatten().filter(doing).count() == 0 {
        if args.change.json {
            show::json(screen, &report::rollback_json(&number, &plan, None));
        }
        return Ok(exit);
    }
    args.change.approve(screen, "Take this run back? Only `yes` will do")?;
    let mut options = args.change.options(&format!("rollback {number}"), forks);
    let record = Record::open(&mut options)?;
    let mut event = change::run_event(RunVerb::Rollback, &options);
    event.inventories = change::absolute(&inventories.paths());
    event.resumes = Some(number.clone());
    event.approved = work
        .iter()
        .flat_map(|(host, steps)| {
            let change = |step: &BackStep| ApprovedChange {
                host: host.clone(),
                id: step.ids.clone(),
                act: "put_back".into(),
                fields: Vec::new(),
            };
            steps.iter().filter(doing).map(change).collect::<Vec<_>>()
        })
        .collect();
    record.begin(event)?;
    let steps = |(host, steps): (&HostName, &Vec<BackStep>)| (host.clone(), steps.iter().filter(doing).count());
    let progress = report::progress(screen, &work.iter().map(steps).collect::<Vec<_>>());
    listener.set(Some(progress.observer()));
    let report_of_run = change::until_done(
        &runtime,
        &stop,
        engine::roll_back(
            engine::Past { run: number.clone(), work, force: args.force, mend: false },
            links,
            options,
            progress.observer(),
            stop.clone(),
            record.journal.clone(),
        ),
    );
    listener.set(None);
    let (took, times) = (progress.took(), progress.times());
    drop(progress);
    let view = RunView { report: &report_of_run, took: Some(took), times: &times, outlook: None };
    if args.change.json {
        show::json(screen, &report::rollback_json(&number, &plan, Some(&view)));
    } else {
        screen.print(&report::run(&view, &screen.out_paint()));
    }
    runtime.shutdown_background();
    record.end(&report_of_run, exit.and(report_of_run.exit()))
}
