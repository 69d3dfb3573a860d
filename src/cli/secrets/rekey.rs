//! `rempart secrets rekey`: brings every file to the recipients of its rule; who gains and who loses is shown, and what
//! somebody who loses could ever read goes onto the burn list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::burned::today;
use super::check::difference;
use super::past::Past;
use super::{OfStore, keep, rule_of};
use crate::cli::change::approve;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::{self, Rekeyed, Screen};
use crate::secret::{ProjectKey, Secret};
use crate::store::{
    BurnList, Burned, FaultKind, KeyPath, Opening, PROJECT, PROJECT_KEY, Recipient, print, project_key,
};

/// Encrypt the store for those whom .sops.yaml names now, after showing who gains and who loses access
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets rekey
  rempart secrets rekey --yes
  rempart secrets rekey --all --yes    # new data keys for all files, whether or not somebody leaves

A file whose recipients change gets a new data key, so that who leaves cannot read what is written later. What they could
read before, in any version that git remembers, they know: it goes onto the burn list (`rempart secrets burned`). Where
somebody loses the project key, it is made anew, too, and every file is sealed with the new one.")]
pub(in crate::cli) struct Args {
    /// Do not ask for approval
    #[arg(short, long)]
    yes: bool,

    /// New data keys for all files
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    store: OfStore,

    /// Print what is done as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    let changes = changes(&store, args.all)?;
    if changes.iter().all(|change| !change.is_new) {
        if args.json {
            show::json(screen, &report::rekeyed_json(&changes, &[], &[]));
        }
        show::say(screen, "every file is for those whom .sops.yaml names: nothing was written");
        return Ok(Exit::Done);
    }
    let leavers = leavers(&changes);
    let Readable { burned, gaps } = if leavers.is_empty() { Readable::default() } else { readable(&store, &leavers)? };
    if !args.json {
        screen.print(&report::rekeyed(&changes, &burned, &screen.out_paint()));
    }
    for gap in &gaps {
        show::say(screen, &format!("note: {gap}"));
    }
    // All of it is opened before anything is written: half of a store would be sealed with another key.
    let old = store.project_key()?.clone();
    let new_project = changes.iter().any(|change| change.name == PROJECT && !change.loses.is_empty());
    let mut files = Vec::new();
    for change in changes.iter().filter(|change| change.is_new || new_project) {
        files.push((change, store.open_now(&change.name)?));
    }
    let count = files.len();
    approve(screen, args.yes, &format!("Write {count} {}?", if count == 1 { "file" } else { "files" }))?;
    let key = if new_project { project_key()? } else { old.clone() };
    burn(&store, &burned, (&old, &key))?;
    for (change, file) in &mut files {
        if change.is_new {
            let rule = rule_of(&store.folder().path(&change.name))?;
            file.rekey(&rule.recipients, store.ask())?;
        }
        if change.name == PROJECT && new_project {
            file.set(&KeyPath::parse(PROJECT_KEY)?, &key.to_secret(PROJECT_KEY))?;
        }
        // It was proved with the old key; with another one it is written even where nothing else of it changed.
        keep(&store, &change.name, file, &key)?;
    }
    if args.json {
        show::json(screen, &report::rekeyed_json(&changes, &burned, &gaps));
    }
    show::say(screen, &format!("{count} {} written", if count == 1 { "file" } else { "files" }));
    if !burned.is_empty() {
        show::say(
            screen,
            "change what was burned at its source, and put it in with `rempart secrets set`; `rempart secrets burned` shows what is left",
        );
    }
    Ok(Exit::Done)
}

fn changes(store: &Opening, all: bool) -> Result<Vec<Rekeyed>, Stopped> {
    let mut changes = Vec::new();
    for filed in store.folder().files() {
        let locked = filed.locked.as_ref().map_err(|fault| Stopped::from(fault.clone()))?;
        let (gains, loses) = difference(store, filed)?;
        let is_new = all || !gains.is_empty() || !loses.is_empty();
        if is_new && !locked.other_recipients().is_empty() {
            let place = Place::outside(&store.folder().path(&filed.name).display().to_string());
            let told = Diagnostic::error("recipients that rempart cannot encrypt for").at(&place, "");
            let why = locked.other_recipients().join(", ");
            return Err(Stopped::from(told.because(why).fix("use `sops updatekeys` and `sops rotate` for this file")));
        }
        let stays = locked.recipients().len() - loses.len();
        changes.push(Rekeyed { name: filed.name.clone(), gains, loses, stays, is_new });
    }
    Ok(changes)
}

fn leavers(changes: &[Rekeyed]) -> Vec<String> {
    let mut leavers: Vec<String> = changes.iter().flat_map(|change| change.loses.iter().cloned()).collect();
    leavers.sort();
    leavers.dedup();
    leavers
}

/// What somebody who leaves could ever read.
#[derive(Default)]
struct Readable {
    /// Secrets that still have a value that was read, each with the reader.
    burned: Vec<(String, String)>,
    /// What nobody can say.
    gaps: Vec<String>,
}

/// What each of them could ever read, as far as it was not changed since.
fn readable(store: &Opening, leavers: &[String]) -> Result<Readable, Stopped> {
    // By secret and reader, whether what they read is what it is now.
    let mut seen: BTreeMap<(String, String), bool> = BTreeMap::new();
    let folder = store.folder();
    let past = Past::of(folder.root());
    let mut gaps = past.gaps;
    let is = |text: &str, leaver: &str| {
        text == leaver
            || Recipient::parse(text).is_ok_and(|one| Recipient::parse(leaver).is_ok_and(|other| one.same_as(&other)))
    };
    let mut now: BTreeMap<String, Option<Secret>> = BTreeMap::new();
    for name in folder.names() {
        let secret = match store.secret(&name) {
            Ok(secret) => Some(secret),
            Err(fault) if fault.kind == FaultKind::Unsupported => None,
            Err(fault) => return Err(fault.into()),
        };
        now.insert(name, secret);
    }
    let present = folder.files().iter().filter_map(|filed| filed.locked.as_ref().ok());
    for locked in present.chain(&past.versions) {
        let name = locked.name();
        if name == PROJECT {
            continue;
        }
        for leaver in leavers.iter().filter(|leaver| locked.recipients().iter().any(|text| is(text, leaver))) {
            let opened = locked.open(store.keyring());
            for path in locked.secret_paths() {
                let Some(secret) = crate::store::name_of(name, &path) else { continue };
                let then = opened.as_ref().ok().and_then(|file| file.get(&path).ok());
                let same = match (&then, now.get(&secret)) {
                    (Some(then), Some(Some(now))) => then.same_as(now),
                    // What cannot be opened any more may be what it is now.
                    _ => true,
                };
                *seen.entry((secret, leaver.clone())).or_default() |= same;
            }
        }
    }
    if !folder.wholes().is_empty() {
        gaps.push("files of age do not say for whom they are: all of them count as readable".into());
        for (whole, leaver) in
            folder.wholes().iter().flat_map(|whole| leavers.iter().map(move |leaver| (whole, leaver)))
        {
            seen.insert((whole.trim_end_matches(".age").to_owned(), leaver.clone()), true);
        }
    }
    let burned = seen.into_iter().filter(|(_, same)| *same).map(|(of, _)| of).collect();
    Ok(Readable { burned, gaps })
}

// With another project key, the fingerprints of what was burned before are made anew.
fn burn(store: &Opening, burned: &[(String, String)], (old, new): (&ProjectKey, &ProjectKey)) -> Result<(), Stopped> {
    let day = today();
    let mut list = BurnList::read(store.folder().root())?;
    let now = |name: &str| store.secret(name).ok();
    list.compare(&old.fingerprint_key(), &day, now);
    let key = new.fingerprint_key();
    for entry in list.entries.iter_mut().filter(|entry| entry.done.is_none() && entry.print.is_some()) {
        entry.print = now(&entry.secret).map(|secret| print(&key, &secret));
    }
    for (secret, reader) in burned {
        list.add(Burned {
            secret: secret.clone(),
            reader: reader.clone(),
            since: day.clone(),
            print: now(secret).map(|secret| print(&key, &secret)),
            done: None,
        });
    }
    Ok(list.write()?)
}
