//! `rempart kinds`: what can stand in a playbook.

use super::{Ended, Stopped, show};
use crate::kinds::{self, KINDS};
use crate::model::{Diagnostic, Exit, did_you_mean};
use crate::report::{self, Screen};
use std::sync::Arc;

/// List the kinds of resources, or show one with its fields and an example
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart kinds
  rempart kinds systemd_unit
  rempart kinds --json | jq -r '.[] | select(.check) | .kind'

docs/kinds.md is the same as one page.")]
pub(super) struct Args {
    /// A kind
    #[arg(value_name = "KIND")]
    kind: Option<String>,

    /// Print fields and examples as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let paint = screen.out_paint();
    let one = match &args.kind {
        Some(name) => Some(kinds::find(name).ok_or_else(|| unknown(name))?),
        None => None,
    };
    match one {
        Some(entry) if !args.json => screen.print(&report::kind(entry, &paint)),
        Some(entry) => show::json(screen, &report::kinds_json(std::slice::from_ref(entry))),
        None if args.json => show::json(screen, &report::kinds_json(KINDS)),
        None => screen.print(&report::kinds(KINDS, &paint)),
    }
    Ok(Exit::Done)
}

/// A kind that there is not.
pub(super) fn unknown(name: &str) -> Stopped {
    let told = Diagnostic::error("an unknown kind").because(format!("there is no kind `{name}`"));
    Stopped::usage(match did_you_mean(name, KINDS.iter().map(|entry| entry.name)) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None => told.fix("`rempart kinds` lists them"),
    })
}
