//! `rempart inventory`: the hosts, groups and variables as rempart understands them.

use super::options::Inventories;
use super::project::{Fleet, load_inventory};
use super::{Ended, show};
use crate::inventory::Overrides;
use crate::model::{Exit, HostName};
use crate::report::{self, Screen};
use std::sync::Arc;

/// Show the hosts, their groups and how they are reached
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart inventory -i inventories/demo.yaml
  rempart inventory -i inventories/demo.yaml --limit 'ollama:!proxy1'
  rempart inventory -i web1,web2:2222,
  rempart inventory -i inventories/demo.yaml --json | jq ._meta.hostvars")]
pub(super) struct Args {
    #[command(flatten)]
    inventories: Inventories,

    /// Only these hosts: `web`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(short, long, value_name = "PATTERN", help_heading = "Fleet")]
    limit: Option<String>,

    /// Print everything as JSON, in the shape of `ansible-inventory --list`; secrets are masked
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    if args.json {
        let inventory = load_inventory(&args.inventories)?;
        show::diagnostics(screen, inventory.warnings());
        show::json(screen, &inventory.to_json());
        return Ok(Exit::Done);
    }
    let fleet = Fleet::load(&args.inventories, &Overrides::default(), screen)?;
    let hosts: Vec<HostName> = match &args.limit {
        Some(pattern) => fleet.limit(pattern)?,
        None => fleet.inventory.hosts().iter().map(|host| host.name.clone()).collect(),
    };
    fleet.check_targets(&hosts)?;
    screen.print(&report::inventory(&fleet.inventory, &hosts, &fleet.targets, &screen.out_paint()));
    Ok(Exit::Done)
}
