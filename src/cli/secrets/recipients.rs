//! `rempart secrets recipients`: who can read which file, by which rule, and where the two differ; needs no key.

use std::sync::Arc;

use super::OfStore;
use super::readers::Readers;
use crate::cli::{Ended, show};
use crate::model::Exit;
use crate::report::{self, FileReaders, Screen};

/// Show who can read which file, and who may by .sops.yaml; no key is needed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets recipients
  rempart secrets recipients --json

To change who may read a file, change the creation_rules of .sops.yaml; `rempart secrets rekey` brings the files to them, after
showing who gains and who loses.

Exit codes: 0 = every file is for those whom its rule names, 1 = that is not known of one, 2 = one differs.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: OfStore,

    /// Print it as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let store = args.store.open(screen)?;
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for filed in store.folder().files() {
        let locked = match &filed.locked {
            Ok(locked) => locked,
            Err(fault) => {
                faults.push(fault.clone().into());
                continue;
            }
        };
        let mut file = FileReaders { name: filed.name.clone(), ..FileReaders::default() };
        match Readers::of(&store, locked) {
            Ok(Readers { stays, gains, loses, rule }) => {
                file.rule = Some(rule.place.to_string());
                (file.readers, file.gains, file.loses) = (stays, gains, loses);
            }
            Err(stopped) => {
                file.readers = locked.recipients().into_iter().map(str::to_owned).collect();
                file.readers.extend(locked.other_recipients().iter().cloned());
                faults.extend(stopped.diagnostics);
            }
        }
        files.push(file);
    }
    // A file of age does not say for whom it is, and no rule is about it.
    files.extend(
        store.folder().wholes().iter().map(|name| FileReaders { name: name.clone(), ..FileReaders::default() }),
    );
    if args.json {
        show::json(screen, &report::readers_json(&files));
    } else {
        screen.print(&report::readers(&files, &screen.out_paint()));
    }
    show::diagnostics(screen, &faults);
    let differs = files.iter().any(|file| !file.gains.is_empty() || !file.loses.is_empty());
    Ok(match (faults.is_empty(), differs) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Differs,
        (true, false) => Exit::Done,
    })
}
