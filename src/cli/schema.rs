//! `rempart schema`: the JSON Schema of playbooks, for editors.

use super::{Ended, show};
use crate::model::Exit;
use crate::playbook;
use crate::report::Screen;
use std::sync::Arc;

/// Print the JSON Schema of playbooks, for completion and hover texts in an editor
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart schema > playbook.schema.json

Then begin a playbook with this line:
  # yaml-language-server: $schema=playbook.schema.json")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, screen: &Arc<Screen>) -> Ended {
    show::json(screen, &playbook::schema());
    Ok(Exit::Done)
}
