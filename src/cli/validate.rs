//! `rempart validate`: every fault in inventory, playbooks and templates at once, without connecting anywhere.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Inventories, Selection};
use super::project::{self, Fleet};
use super::{Ended, show};
use crate::inventory::Overrides;
use crate::model::{Exit, count};
use crate::plan::Judge;
use crate::report::Screen;

/// Check inventory, playbooks and templates, without connecting anywhere
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart validate playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart validate site.yaml")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &Overrides::default(), screen)?;
    let site = project::load_site_on(&fleet, &args.playbooks)?;
    let everything = Selection { limit: None, tags: Vec::new(), skip_tags: Vec::new(), phase: Vec::new() };
    let runtime = project::runtime()?;
    let assembled = runtime.block_on(project::assemble(&fleet, &site, &everything, None, Judge::Now, screen))?;
    let resources = count(assembled.graph.items.len(), "resource", "resources");
    let hosts = count(assembled.graph.by_host().len(), "host", "hosts");
    show::say(screen, &format!("Valid: {resources} on {hosts}."));
    Ok(Exit::Done)
}
