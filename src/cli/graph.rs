//! `rempart graph`: the dependency graph as DOT, Mermaid or SVG, without connecting anywhere.

use std::path::PathBuf;
use std::sync::Arc;

use super::Ended;
use super::options::{Inventories, Selection};
use super::project::{self, Fleet};
use crate::inventory::Overrides;
use crate::model::Exit;
use crate::plan::Judge;
use crate::report::{self, Screen};

/// Draw the dependency graph, without connecting anywhere
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart graph playbooks/ollama-server.yaml -i inventories/demo.yaml > graph.dot
  rempart graph site.yaml --format svg --limit web1 > graph.svg
  rempart graph site.yaml --format mermaid --phase hardening")]
pub(super) struct Args {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    selection: Selection,

    /// The language to draw in
    #[arg(long, value_enum, default_value_t = Language::Dot, help_heading = "Output")]
    format: Language,
}

/// The language of a graph.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    /// For Graphviz
    Dot,
    /// For Markdown pages
    Mermaid,
    /// A picture as it is
    Svg,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &Overrides::default(), screen)?;
    let site = project::load_site_on(&fleet, &args.playbooks)?;
    let runtime = project::runtime()?;
    let assembled = runtime.block_on(project::assemble(&fleet, &site, &args.selection, None, Judge::Now, screen))?;
    let format = match args.format {
        Language::Dot => report::Format::Dot,
        Language::Mermaid => report::Format::Mermaid,
        Language::Svg => report::Format::Svg,
    };
    screen.print(&report::graph(&assembled.graph, format));
    Ok(Exit::Done)
}
