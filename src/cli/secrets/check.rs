//! `rempart secrets check`: proves every file of the store, and compares its recipients with the rules.

use std::sync::Arc;

use super::OfStore;
use super::burned::today;
use super::readers::Readers;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit};
use crate::report::{self, Checked, CheckedFile, Screen};
use crate::store::{BurnList, Care, Filed, Opening, Selection, whole_name};

/// Prove that every file is as somebody of the project left it, and for whom it should be
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets check
  rempart secrets check --json

Each file is opened, its own MAC and the project's seal are proved, its recipients and which values it encrypts are compared
with .sops.yaml, and the burn list is read. The project key must be the one that this computer knows the store with, and no file
may be older than it has seen; REMPART_PROJECT_KEY names the id of that key where nothing is remembered, as in CI. What cannot be proved, since no key is at hand, is not fine; neither is a file in the folder that is
none of the store.

Exit codes: 0 = all is proved (a file of age as a whole opens: it bears no seal), 1 = something is wrong or could not be judged,
2 = secrets are still to be changed, or recipients or encrypted values are not those of the rules.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: OfStore,

    /// Print what was found as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let store = args.store.open(screen)?.with_care(Care::Judges);
    let mut faults: Vec<Diagnostic> = Vec::new();
    let mut all = Checked { key: store.project_key().ok().map(|key| key.id()), ..Checked::default() };
    if store.folder().project().is_none() {
        faults.extend(store.project_key().err().map(Diagnostic::from));
    }
    all.files.extend(store.folder().files().iter().map(|filed| checked(&store, filed, &mut faults)));
    for name in store.folder().wholes() {
        let mut file = CheckedFile { name: name.clone(), ..CheckedFile::default() };
        match store.secret(whole_name(name)) {
            Ok(_) => file.opens = true,
            Err(fault) => {
                file.wrong = Some(fault.told.summary.clone());
                faults.push(fault.into());
            }
        }
        all.files.push(file);
    }
    faults.extend(store.folder().ambiguous().into_iter().map(Diagnostic::from));
    all.strangers = store.folder().strangers().iter().map(|one| (one.name.clone(), one.why)).collect();
    match BurnList::read(store.folder().root()) {
        Ok(mut list) => {
            if let Ok(key) = store.project_key() {
                list.compare(key, &today(), |name| store.secret(name).ok());
            }
            all.burned = Some(list.open().count());
        }
        Err(fault) => faults.push(fault.into()),
    }
    if args.json {
        show::json(screen, &report::checked_json(&all, faults.is_empty()));
    } else {
        screen.print(&report::checked(&all, &screen.out_paint()));
    }
    // The same fault of one key would be told once for every file.
    faults.dedup_by(|a, b| a.summary == b.summary && a.detail == b.detail && a.fix == b.fix);
    show::diagnostics(screen, &faults);
    if !faults.is_empty() || !all.strangers.is_empty() {
        return Ok(Exit::Failed);
    }
    // What is not encrypted is shown; where the rule says so, somebody wants it.
    let differs = |file: &CheckedFile| !file.gains.is_empty() || !file.loses.is_empty() || file.other_rule.is_some();
    Ok(if all.burned > Some(0) || all.files.iter().any(differs) { Exit::Differs } else { Exit::Done })
}

fn checked(store: &Opening, filed: &Filed, faults: &mut Vec<Diagnostic>) -> CheckedFile {
    let mut file = CheckedFile { name: filed.name.clone(), ..CheckedFile::default() };
    match store.open(&filed.name) {
        Ok(_) => file.proved = true,
        Err(fault) => {
            file.wrong = Some(fault.told.summary.clone());
            faults.push(fault.into());
        }
    }
    let Ok(locked) = &filed.locked else { return file };
    file.plain = locked.plain_paths().iter().map(ToString::to_string).collect();
    file.plain_comments = locked.plain_remarks();
    match Readers::of(store, locked) {
        Ok(Readers { gains, loses, rule, .. }) => {
            (file.gains, file.loses) = (gains, loses);
            if !locked.selection().same_as(&rule.selection) {
                file.other_rule = Some((said(locked.selection()), said(&rule.selection)));
            }
        }
        Err(Stopped { diagnostics, .. }) => faults.extend(diagnostics),
    }
    file
}

fn said(selection: &Selection) -> String {
    let (rule, pattern) = selection.rule();
    let only = if selection.mac_only_encrypted { ", mac_only_encrypted" } else { "" };
    format!("{rule} {pattern}{only}")
}
