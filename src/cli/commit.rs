//! `rempart commit`: a person confirms the checkpoints that `apply --no-confirm` left.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{self, Record};
use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, Stopped, show, unasked};
use crate::engine::{self, ApplyOptions, Checkpoint, Origin, WriteLinks, new_run};
use crate::history::{GuardEnd, RunVerb};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::{self, Screen};
use crate::transport::{SshTransport, TransportError};

/// Confirm the checkpoints that `apply --no-confirm` left
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart commit -i inventories/demo.yaml
  rempart commit -i hosts.yml --limit web1

Each host is asked over a fresh connection, with a real sudo: whoever can confirm can still get in. Of a host with several
ways it is the one that the run came by; another one that is open proves nothing of it. A checkpoint that nobody confirms in
time is taken back by its host. `rempart rollback` takes it back at once.")]
pub(super) struct Args {
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Only these hosts: `web`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(short, long, value_name = "PATTERN", help_heading = "Fleet")]
    limit: Option<String>,

    /// Print the outcome as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    settle(&args.inventories, &args.connection, args.limit.as_deref(), args.json, true, screen)
}

/// Confirms checkpoints, or has them taken back.
pub(super) fn settle(
    inventories: &Inventories,
    connection: &Connection,
    limit: Option<&str>,
    json: bool,
    commit: bool,
    screen: &Arc<Screen>,
) -> Ended {
    let fleet = Fleet::load(inventories, &project::overrides(connection)?, screen)?;
    let hosts = fleet.chosen(if commit { "--limit" } else { "--host" }, limit.unwrap_or("all"))?;
    fleet.check_targets(&hosts)?;
    let links = WriteLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    let runtime = project::runtime()?;
    let origin = Origin { who: change::who(), why: if commit { "commit" } else { "rollback of checkpoints" }.into() };
    let mut options = ApplyOptions { run: new_run(), origin, forks: connection.forks, ..ApplyOptions::default() };
    let record = Record::open(&mut options)?;
    record.begin(change::run_event(if commit { RunVerb::Commit } else { RunVerb::Rollback }, &options))?;
    let settled = runtime.block_on(engine::settle_checkpoints(hosts, links, connection.forks, commit));
    let exit = verdict(&settled, commit);
    for (host, end) in &settled {
        let guard = match end {
            Ok(Checkpoint::Confirmed { .. }) => GuardEnd::Confirmed,
            Ok(Checkpoint::Apart { .. }) => GuardEnd::Waiting,
            Ok(Checkpoint::TakenBack { .. }) => GuardEnd::Healed,
            Ok(Checkpoint::None) => continue,
            Ok(Checkpoint::Busy(_)) | Err(_) => GuardEnd::Unknown,
        };
        record.checkpoint(host, guard)?;
    }
    if json {
        show::json(screen, &report::checkpoints_json(&settled));
    } else {
        screen.print(&report::checkpoints(&settled, &screen.out_paint()));
    }
    let none = settled.values().all(|end| matches!(end, Ok(Checkpoint::None)));
    let exit = record.end(&engine::RunReport::default(), exit)?;
    if none {
        let told = Diagnostic::error("no checkpoint waits there").fix("see the notes of `rempart plan`");
        return Err(Stopped::refused(told));
    }
    Ok(exit)
}

fn verdict(settled: &BTreeMap<HostName, Result<Checkpoint, TransportError>>, commit: bool) -> Exit {
    settled.values().fold(Exit::Done, |exit, end| {
        exit.and(match end {
            Ok(Checkpoint::Confirmed { .. } | Checkpoint::None) => Exit::Done,
            Ok(Checkpoint::TakenBack { whole, .. }) if !commit && *whole => Exit::Done,
            // It was to be kept, and is not there any more.
            Ok(Checkpoint::TakenBack { .. }) if commit => Exit::Healed,
            Ok(Checkpoint::TakenBack { .. } | Checkpoint::Busy(_) | Checkpoint::Apart { .. }) => Exit::Failed,
            Err(error) => unasked(error),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_did_not_let_us_in_is_unreachable() {
        let host = HostName::new("web1");
        let (address, reason) = ("192.0.2.1:22".to_owned(), "no".to_owned());
        let user = "ops".to_owned();
        for (error, code) in [
            (TransportError::Sudo { host: host.clone(), user: user.clone(), reason: reason.clone() }, Exit::Failed),
            (TransportError::Broken { host: host.clone(), reason: reason.clone() }, Exit::Failed),
            (TransportError::Refused { host: host.clone(), user, reason: reason.clone() }, Exit::Unreachable),
            (TransportError::Unreachable { host: host.clone(), address, reason }, Exit::Unreachable),
        ] {
            let said = error.to_string();
            assert_eq!(verdict(&BTreeMap::from([(host.clone(), Err(error))]), true), code, "{said}");
        }
    }
}
