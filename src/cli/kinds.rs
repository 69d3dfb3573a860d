//! `rempart kinds`: what can stand in a playbook.

use super::{Ended, Stopped};
use crate::kinds::{self, KINDS};
use crate::model::{Diagnostic, Exit, did_you_mean};
use crate::report::{self, Screen};
use std::sync::Arc;

/// List the kinds of resources, or show one with its fields and an example
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart kinds
  rempart kinds systemd_unit")]
pub(super) struct Args {
    /// A kind
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    match &args.kind {
        None => {}
        Some(name) => match kinds::find(name) {
            Some(entry) => screen.print(&report::kinds_markdown(std::slice::from_ref(entry))),
            None => {
                let mut told = Diagnostic::error("an unknown kind").because(format!("there is no kind `{name}`"));
                told.fix = did_you_mean(name, KINDS.iter().map(|entry| entry.name))
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| Some("`rempart kinds` lists them".into()));
                return Err(Stopped::usage(told));
            }
        },
    }
    Ok(Exit::Done)
}
