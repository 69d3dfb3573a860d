//! `rempart secrets rekey`: brings every file to the recipients of its rule; who gains and who loses is shown, and what
//! somebody who loses could ever read goes onto the burn list.
//!
//! All texts are made before the first one is written. The burn list is written first, with prints of the key of before;
//! then the file of the project, which keeps that key until all is done: where it is broken off, the next `rekey` goes on.

use std::sync::Arc;

use super::burned::today;
use super::leavers::{Readable, readable};
use super::readers::Readers;
use super::{OfStore, put};
use crate::cli::change::approve;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place, Source};
use crate::report::{self, Rekeyed, Screen};
use crate::secret::ProjectKey;
use crate::store::{
    BurnList, Burned, FaultKind, KeyPath, Locked, Opening, PREVIOUS_KEYS, PROJECT, PROJECT_KEY, Recipient, Unlocked,
    print, project_key,
};

/// Encrypt the store for those whom .sops.yaml names now, after showing who gains and who loses access
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets rekey
  rempart secrets rekey --yes
  rempart secrets rekey --all --yes    # new data keys for all files, whether or not somebody leaves

A file whose recipients change gets a new data key, so that who leaves cannot read what is written later. What they could
read before, in any version that git remembers, they know: it goes onto the burn list (`rempart secrets burned`). Where
somebody loses the project key, it is made anew, too, and every file is sealed with the new one. One that was broken off is
finished by the next one. Files that your own keys would not open any more are not written: let somebody who stays run it.")]
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
    let store = store.finishing();
    let mut keys = Keys { now: store.project_key()?.clone(), before: store.previous_keys()?.to_vec(), new: None };
    let changes = changes(&store, args.all)?;
    if changes.iter().all(|(change, _)| !change.is_new) && keys.before.is_empty() {
        if args.json {
            show::json(screen, &report::rekeyed_json(&shown(&changes), &[], &[]));
        }
        show::say(screen, "every file is for those whom .sops.yaml names: nothing was written");
        return Ok(Exit::Done);
    }
    let Readable { burned, gaps } = readable(&store, &shown(&changes))?;
    if changes.iter().any(|(change, _)| change.name == PROJECT && !change.loses.is_empty()) {
        keys.new = Some(project_key()?);
    }
    let texts = texts(&store, &changes, &keys)?;
    if !args.json {
        screen.print(&report::rekeyed(&shown(&changes), &burned, &screen.out_paint()));
    }
    for gap in &gaps {
        show::say(screen, &format!("note: {gap}"));
    }
    if !keys.before.is_empty() {
        show::say(screen, "note: a `rekey` was broken off; this one finishes it");
    }
    let count = texts.iter().filter(|text| !text.is_last).count();
    approve(screen, args.yes, &format!("Write {count} {}?", if count == 1 { "file" } else { "files" }))?;
    write(&store, &burned, &keys, &texts)?;
    if args.json {
        show::json(screen, &report::rekeyed_json(&shown(&changes), &burned, &gaps));
    }
    show::say(screen, &format!("{count} {} written", if count == 1 { "file" } else { "files" }));
    if let Some(new) = &keys.new {
        let id = new.id();
        show::say(
            screen,
            &format!("the project key is {id} from now on: tell the others, who are asked to say that it is right"),
        );
    }
    if !burned.is_empty() {
        show::say(
            screen,
            "change what was burned at its source, and put it in with `rempart secrets set`; `rempart secrets burned` shows what is left",
        );
    }
    Ok(Exit::Done)
}

/// The keys of the project in one run.
struct Keys {
    now: ProjectKey,
    /// Those of runs that were broken off.
    before: Vec<ProjectKey>,
    /// Where somebody who loses it knows the one of now.
    new: Option<ProjectKey>,
}

impl Keys {
    fn later(&self) -> &ProjectKey {
        self.new.as_ref().unwrap_or(&self.now)
    }
}

/// A file as it will be.
struct Text {
    name: String,
    text: String,
    generation: u64,
    /// The file of the project without the keys of before, which is written when all others are.
    is_last: bool,
}

type Change = (Rekeyed, Vec<Recipient>);

fn shown(changes: &[Change]) -> Vec<Rekeyed> {
    changes.iter().map(|(change, _)| change.clone()).collect()
}

fn changes(store: &Opening, all: bool) -> Result<Vec<Change>, Stopped> {
    let mut changes = Vec::new();
    for filed in store.folder().files() {
        let locked = filed.locked.as_ref().map_err(|fault| Stopped::from(fault.clone()))?;
        let readers = Readers::of(store, locked)?;
        let is_new = all || !readers.are_right();
        let others: Vec<String> = locked.other_recipients().iter().chain(&readers.rule.others).cloned().collect();
        if is_new && !others.is_empty() {
            let place = Place::outside(&store.folder().path(&filed.name).display().to_string());
            let told = Diagnostic::error("recipients that rempart cannot encrypt for").at(&place, "");
            let fix = "use `sops updatekeys` and `sops rotate` for this file, then `rempart secrets seal FILE`";
            return Err(Stopped::from(told.because(others.join(", ")).fix(fix)));
        }
        let Readers { stays, gains, loses, rule } = readers;
        changes.push((Rekeyed { name: filed.name.clone(), gains, loses, stays, is_new }, rule.recipients));
    }
    Ok(changes)
}

// All of it is opened and made before anything is written: half of a store would be sealed with another key.
fn texts(store: &Opening, changes: &[Change], keys: &Keys) -> Result<Vec<Text>, Stopped> {
    let mut texts = Vec::new();
    let mut last = None;
    for (change, recipients) in changes {
        let name = &change.name;
        if !change.is_new && keys.new.is_none() && keys.before.is_empty() {
            continue;
        }
        let mut file = store.open_now(name)?;
        let was = file.generation();
        if change.is_new {
            file.rekey(recipients, store.ask())?;
        }
        if name == PROJECT {
            if let Some(new) = &keys.new {
                keep_previous(&mut file, &keys.now)?;
                file.set(&KeyPath::parse(PROJECT_KEY)?, &new.to_secret(PROJECT_KEY))?;
            }
            let text = made(name, &mut file, keys.later(), false)?;
            if forget_previous(&mut file)? {
                last = Some(made(name, &mut file, keys.later(), true)?);
            }
            texts.insert(0, text);
        } else {
            texts.push(made(name, &mut file, keys.later(), false)?);
        }
        // Where nothing had to be changed, it is the same text.
        if texts.last().is_some_and(|text| text.name == *name && text.name != PROJECT && text.generation == was) {
            texts.pop();
        }
        if change.is_new {
            refuse_to_lock_out(store, name, recipients, texts.iter().find(|text| text.name == *name))?;
        }
    }
    texts.extend(last);
    Ok(texts)
}

fn made(name: &str, file: &mut Unlocked, key: &ProjectKey, is_last: bool) -> Result<Text, Stopped> {
    let text = file.write(key)?;
    Ok(Text { name: name.to_owned(), text, generation: file.generation(), is_last })
}

// With the key of before at hand, files that still bear its seal can be proved after a crash. Where the rule would leave it
// readable it is not kept: after a crash each file must be looked at and sealed then.
fn keep_previous(file: &mut Unlocked, old: &ProjectKey) -> Result<(), Stopped> {
    let id = old.id();
    let at = KeyPath::parse(&format!("{PREVIOUS_KEYS}/{id}"))?;
    if file.is_encrypted(&at).is_ok() {
        file.set(&at, &old.to_secret(&id))?;
    }
    Ok(())
}

fn forget_previous(file: &mut Unlocked) -> Result<bool, Stopped> {
    match file.remove(&KeyPath::parse(PREVIOUS_KEYS)?) {
        Ok(()) => Ok(true),
        Err(fault) if fault.kind == FaultKind::Missing => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

// Nobody could take that back: what is not known of keys here is tried.
fn refuse_to_lock_out(
    store: &Opening,
    name: &str,
    recipients: &[Recipient],
    text: Option<&Text>,
) -> Result<(), Stopped> {
    let opens = match (store.keyring().could_open(recipients), text) {
        (None, Some(text)) => Locked::parse(Source::new(name, text.text.as_str()), name)?.open(store.keyring()).is_ok(),
        (known, _) => known.unwrap_or(true),
    };
    if opens {
        return Ok(());
    }
    let told = Diagnostic::error("your own keys would not open it any more: nothing was written");
    let told = told.because(format!("the rule of {name} in .sops.yaml names none of them"));
    Err(Stopped::refused(
        told.fix("add your public key to the rule, or let somebody who stays run `rempart secrets rekey`"),
    ))
}

fn write(store: &Opening, burned: &[(String, String)], keys: &Keys, texts: &[Text]) -> Result<(), Stopped> {
    let day = today();
    let now = |name: &str| store.secret(name).ok();
    let mut list = BurnList::read(store.folder().root())?;
    for before in &keys.before {
        list.print_anew(before, &keys.now, &day, now);
    }
    list.compare(&keys.now, &day, now);
    for (secret, reader) in burned {
        list.add(Burned {
            secret: secret.clone(),
            reader: reader.clone(),
            since: day.clone(),
            print: now(secret).map(|value| print(&keys.now, &value)),
            done: None,
            unchanged: false,
        });
    }
    list.write()?;
    if let (Some(memory), Some(new)) = (store.memory(), &keys.new) {
        memory.expect_keys(&[keys.now.id(), new.id()])?;
    }
    for text in texts.iter().filter(|text| !text.is_last) {
        put(store, &text.name, &text.text, text.generation)?;
    }
    if let Some(new) = &keys.new {
        list.print_anew(&keys.now, new, &day, now);
        list.write()?;
    }
    for text in texts.iter().filter(|text| text.is_last) {
        put(store, &text.name, &text.text, text.generation)?;
    }
    match store.memory() {
        Some(memory) => Ok(memory.expect_keys(&[keys.later().id()])?),
        None => Ok(()),
    }
}
