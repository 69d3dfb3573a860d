//! `rempart secrets get`: one secret, to standard output and nowhere else.

use std::sync::Arc;

use super::OfStore;
use crate::cli::Ended;
use crate::model::Exit;
use crate::report::Screen;
use crate::secret::Rendered;

/// Print one secret on standard output
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets get gw/token
  rempart secrets get tls/key > ../server.key

It is the one verb that shows a secret. What it prints is the value to the byte; on a terminal a newline follows.")]
pub(in crate::cli) struct Args {
    /// Its name, such as gw/token
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let store = args.store.open(screen)?;
    let secret = store.secret(&args.name)?;
    screen.hand_over(&Rendered::secret(secret));
    Ok(Exit::Done)
}
