//! `rempart secrets`: what is about secrets, one file a verb.

mod git;
mod hook;
mod on_hosts;
mod scan;
mod walk;

use std::sync::Arc;

use clap::Subcommand;

use super::Ended;
use crate::report::Screen;

/// Find secrets in plaintext
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Scan(scan::Args),
}

impl Args {
    /// Whether it looks at this computer alone, so that nothing that is said of connections matters.
    pub(super) fn stays_here(&self) -> bool {
        match &self.verb {
            Verb::Scan(args) => args.stays_here(),
        }
    }
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    match &args.verb {
        Verb::Scan(args) => scan::run(args, screen),
    }
}
