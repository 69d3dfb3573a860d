//! `rempart secrets burned`: what somebody could read who may not any more, and what of it was changed since.

use std::sync::Arc;

use super::OfStore;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Severity, did_you_mean, utc};
use crate::report::{self, Screen};
use crate::secret::Secret;
use crate::store::{BurnList, Care, Opening, print};

/// Show the secrets that must be changed, since somebody could read them who may not any more
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets burned
  rempart secrets burned --json
  rempart secrets burned --done old/token      # it is used nowhere any more

`rekey` writes the list when a recipient leaves, git's history of the store included. `set` and `edit` take out what they
change; what was changed with `sops` is found by its fingerprint, where a key is at hand.

Exit codes: 0 = nothing is left to be changed, 2 = something is.")]
pub(in crate::cli) struct Args {
    /// Say that this one was changed or is used nowhere any more
    #[arg(long, value_name = "NAME")]
    done: Vec<String>,

    #[command(flatten)]
    store: OfStore,

    /// Print the list as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    // The list is written, and no secret: an older version settles nothing, and a newer one was only looked at.
    let store = store.with_care(Care::Judges);
    let mut list = BurnList::read(store.folder().root())?;
    let key = store.project_key();
    for name in &args.done {
        let now = key.as_ref().ok().and_then(|key| Some(print(key, &store.secret(name).ok()?)));
        let unchanged = list.open().any(|entry| entry.secret == *name && entry.print.is_some() && entry.print == now);
        if unchanged {
            let mut told = Diagnostic::error("a secret that still has the value that was burned");
            told.severity = Severity::Warning;
            let told =
                told.because(format!("`{name}` is what it was; from now on it counts as done, though unchanged"));
            let fix = "change it at its source and with `rempart secrets set`, unless it is worthless by now";
            show::diagnostics(screen, &[told.fix(fix)]);
        }
        if list.settle(std::slice::from_ref(name), &today(), now.as_ref()) == 0 {
            let known: Vec<&str> = list.open().map(|entry| entry.secret.as_str()).collect();
            let mut told = Diagnostic::error("a secret that is not on the list").because(format!("`{name}`"));
            told.fix = did_you_mean(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            return Err(Stopped::usage(told));
        }
    }
    // Without a key, nothing is found to be done; that is no reason not to show the list.
    if let Ok(key) = key {
        list.compare(key, &today(), |name| store.secret(name).ok());
    }
    list.write()?;
    if args.json {
        show::json(screen, &report::burned_json(&list.entries));
    } else {
        screen.print(&report::burned(&list.entries, &screen.out_paint()));
    }
    Ok(if list.open().next().is_some() { Exit::Differs } else { Exit::Done })
}

/// Takes secrets off the list that have just got another value, and puts back those that have got the burned one again.
pub(super) fn set_anew(store: &Opening, names: &[String]) -> Result<(), Stopped> {
    let mut list = BurnList::read(store.folder().root())?;
    if !list.entries.iter().any(|entry| names.contains(&entry.secret)) {
        return Ok(());
    }
    let now = store.fresh()?;
    // What cannot be read now stays on the list.
    let value = |name: &String| Some((name.clone(), now.secret(name).ok()?));
    let values: Vec<(String, Secret)> = names.iter().filter_map(value).collect();
    if list.set_anew(now.project_key()?, &today(), &values) {
        list.write()?;
    }
    Ok(())
}

/// The day, as the list has it.
pub(super) fn today() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    utc(now.map_or(0, |since| since.as_secs())).chars().take(10).collect()
}
