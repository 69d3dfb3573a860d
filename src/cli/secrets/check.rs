//! `rempart secrets check`: proves every file of the store, and compares its recipients with the rules.

use std::sync::Arc;

use super::burned::today;
use super::{OfStore, rule_of};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit};
use crate::report::{self, CheckedFile, Screen};
use crate::store::{BurnList, Filed, Opening, Recipient};

/// Prove that every file is as somebody of the project left it, and for whom it should be
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets check
  rempart secrets check --json

Each file is opened, its own MAC and the project's seal are proved, its recipients are compared with .sops.yaml, and the burn
list is read. What cannot be proved, since no key is at hand, is not fine.

Exit codes: 0 = all is proved, 1 = something is wrong or could not be judged, 2 = secrets are still to be changed, or
recipients are not those of the rules.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: OfStore,

    /// Print what was found as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let store = args.store.open(screen)?;
    let mut exit = Exit::Done;
    let mut checked = Vec::new();
    let mut faults: Vec<Diagnostic> = Vec::new();
    if store.folder().project().is_none() {
        faults.extend(store.project_key().err().map(Diagnostic::from));
    }
    for filed in store.folder().files() {
        let mut file = CheckedFile { name: filed.name.clone(), ..CheckedFile::default() };
        match store.open(&filed.name) {
            Ok(_) => file.proved = true,
            Err(fault) => {
                file.wrong = Some(fault.told.summary.clone());
                faults.push(fault.into());
            }
        }
        match difference(&store, filed) {
            Ok((gains, loses)) => (file.gains, file.loses) = (gains, loses),
            Err(stopped) => faults.extend(stopped.diagnostics),
        }
        if !file.gains.is_empty() || !file.loses.is_empty() {
            exit = exit.and(Exit::Differs);
        }
        checked.push(file);
    }
    for name in store.folder().wholes() {
        let mut file = CheckedFile { name: name.clone(), whole: true, ..CheckedFile::default() };
        match store.secret(name.trim_end_matches(".age")) {
            Ok(_) => file.proved = true,
            Err(fault) => {
                file.wrong = Some(fault.told.summary.clone());
                faults.push(fault.into());
            }
        }
        checked.push(file);
    }
    let mut list = BurnList::read(store.folder().root())?;
    if let Ok(key) = store.project_key() {
        list.compare(&key.fingerprint_key(), &today(), |name| store.secret(name).ok());
    }
    let burned = list.open().count();
    if burned > 0 {
        exit = exit.and(Exit::Differs);
    }
    if args.json {
        show::json(screen, &report::checked_json(&checked, burned, faults.is_empty()));
    } else {
        screen.print(&report::checked(&checked, burned, &screen.out_paint()));
    }
    // The same fault of one key would be told once for every file.
    faults.dedup_by(|a, b| a.summary == b.summary && a.detail == b.detail && a.fix == b.fix);
    show::diagnostics(screen, &faults);
    Ok(if faults.is_empty() { exit } else { Exit::Failed })
}

/// Who would gain and who would lose a file, if it were for whom its rule says.
pub(super) fn difference(store: &Opening, filed: &Filed) -> Result<(Vec<String>, Vec<String>), Stopped> {
    let Ok(locked) = &filed.locked else { return Ok((Vec::new(), Vec::new())) };
    let rule = rule_of(&store.folder().path(&filed.name))?;
    let has = |text: &str| Recipient::parse(text).ok();
    let same =
        |text: &str, other: &Recipient| has(text).is_some_and(|one| one.same_as(other)) || text == other.to_string();
    let there = locked.recipients();
    let gains = rule.recipients.iter().filter(|wanted| !there.iter().any(|text| same(text, wanted)));
    let loses = there.iter().filter(|text| !rule.recipients.iter().any(|wanted| same(text, wanted)));
    Ok((gains.map(ToString::to_string).collect(), loses.map(|text| (*text).to_owned()).collect()))
}
