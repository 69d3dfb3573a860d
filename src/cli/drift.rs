//! `rempart drift`: what differs from the playbook; holds nothing that can write.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Connection, Inventories, Selection};
use super::plan::{Parts, look_only};
use super::{Ended, show};
use crate::model::Exit;
use crate::plan::Judge;
use crate::report::{self, Screen};

/// Report what was changed behind the playbook's back; cannot write
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart drift playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart drift site.yaml --limit proxies --json

Exit codes: 0 = clean, 2 = drift, 1 = something could not be judged, 3 = a host could not be reached.")]
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

    /// The fingerprint key, by which secrets on hosts are recognised that nothing here opens; see `secrets fingerprints`
    #[arg(long, value_name = "FILE", env = "REMPART_FINGERPRINT_KEY_FILE", help_heading = "Secrets")]
    fingerprint_key: Option<PathBuf>,

    /// Print the findings as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let looked = look_only(
        Parts {
            playbooks: &args.playbooks,
            inventories: &args.inventories,
            selection: &args.selection,
            connection: &args.connection,
            prints: args.fingerprint_key.as_deref().map(|key| args.inventories.store.prints(key)).transpose()?,
            json: args.json,
        },
        Judge::Now,
        screen,
    )?;
    if args.json {
        show::json(screen, &report::drift_json(&looked.outlook, &looked.notes));
    } else {
        show::drift(screen, &looked.outlook, &looked.notes);
    }
    let totals = looked.outlook.totals();
    let mut exit = Exit::Done;
    if totals.add + totals.change + totals.remove + totals.findings + totals.orphans > 0 {
        exit = exit.and(Exit::Differs);
    }
    if looked.outlook.not_judged() > 0 {
        exit = exit.and(Exit::Failed);
    }
    if totals.unreachable > 0 {
        exit = exit.and(Exit::Unreachable);
    }
    Ok(exit)
}
