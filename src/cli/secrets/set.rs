//! `rempart secrets set`: one secret into the store; its value is asked for, piped in, read from a file, or drawn.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{OfStore, burned, keep, rule_of, stands};
use crate::cli::options::ask_password;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;
use crate::secret::Secret;
use crate::store::{FaultKind, Opening, Rule, Unlocked, inside};

/// The largest secret that is taken, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Put a secret into the store
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets set gw/typed                      # asks twice, and shows nothing
  rempart secrets set gw/token --generate 32        # 32 random bytes, written in URL-safe base64
  rempart secrets set tls/key --file ../server.key
  printf %s \"$TOKEN\" | rempart secrets set gw/token

A value is never an argument: those can be read in the list of processes, and stay in the shell's history. Piped in, it is
taken to the byte, but for the newline behind a single line; from a file it is taken to the byte.")]
pub(in crate::cli) struct Args {
    /// Its name, such as gw/token: the key `token` of the file gw.yaml
    #[arg(value_name = "NAME")]
    name: String,

    /// Draw so many random bytes, and write them in URL-safe base64
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(8..=1024), conflicts_with = "file")]
    generate: Option<u16>,

    /// Read it from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    store: OfStore,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let (store, _held) = args.store.open_to_write(screen)?;
    let (file, path) = store.folder().home(&args.name)?;
    let key = store.project_key()?.clone();
    let mut opened = open_or_create(&store, &file)?;
    opened.is_encrypted(&path)?;
    let before = match opened.get(&path) {
        Ok(secret) => Some(secret),
        Err(fault) if fault.kind == FaultKind::Missing => None,
        Err(fault) => return Err(fault.into()),
    };
    let secret = value(args)?;
    if before.as_ref().is_some_and(|before| before.same_as(&secret)) {
        show::say(screen, &format!("{} is this value already: nothing was written", args.name));
        return Ok(Exit::Done);
    }
    if !stands(&store, &file) {
        let told = Diagnostic::error("the file was changed meanwhile: nothing was written");
        return Err(Stopped::refused(told.because(file).fix("set it again")));
    }
    opened.set(&path, &secret)?;
    keep(&store, &file, &mut opened, &key)?;
    burned::set_anew(&store, std::slice::from_ref(&args.name))?;
    let what = if before.is_some() { "changed" } else { "new" };
    show::say(screen, &format!("{}: {what}, in {}", args.name, store.folder().path(&file).display()));
    Ok(Exit::Done)
}

/// A file of the store to be changed: proved, or made by the rule for it.
pub(super) fn open_or_create(store: &Opening, file: &str) -> Result<Unlocked, Stopped> {
    if store.folder().files().iter().any(|known| known.name == file) {
        return Ok(store.open_now(file)?);
    }
    inside(file)?;
    let rule = rule_of(&store.folder().path(file))?;
    refuse_others(&rule)?;
    let mut fresh = Unlocked::create(file, &rule.recipients, &rule.selection, store.ask())?;
    // A file of this name may have been here before: here, or where others and hosts remember it. That one began in an
    // earlier minute, and nobody changes a file once a minute, so this one begins at the minute of now.
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60);
    let known = store.memory().map_or(0, |memory| memory.generation(file));
    fresh.outdo(known.max(minutes.saturating_sub(1)));
    let readers: Vec<String> = rule.recipients.iter().map(ToString::to_string).collect();
    store.ask().show(&format!("{file} is new, and for {} (by {})", readers.join(", "), rule.place));
    Ok(fresh)
}

/// Refuses a rule that names somebody whom nothing can be encrypted for here: a new file would not be for all of them.
pub(super) fn refuse_others(rule: &Rule) -> Result<(), Stopped> {
    if rule.others.is_empty() {
        return Ok(());
    }
    let told = Diagnostic::error("recipients that rempart cannot encrypt for").at(&rule.place, "this rule");
    Err(Stopped::from(told.because(rule.others.join(", ")).fix("make the file with `sops`, then seal it")))
}

fn value(args: &Args) -> Result<Secret, Stopped> {
    if let Some(bytes) = args.generate {
        let mut drawn = Zeroizing::new(vec![0; usize::from(bytes)]);
        getrandom::fill(&mut drawn).map_err(|error| {
            Stopped::failed(Diagnostic::error("no random bytes are to be had").because(error.to_string()))
        })?;
        return Ok(Secret::new(&args.name, URL_SAFE_NO_PAD.encode(drawn.as_slice())));
    }
    let secret = match &args.file {
        Some(path) => {
            let place = Place::outside(&path.display().to_string());
            let fail =
                |why: String| Stopped::from(Diagnostic::error("cannot read a secret").at(&place, "").because(why));
            let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
            read(file, &args.name).map_err(fail)?
        }
        None if std::io::stdin().is_terminal() => {
            let first = ask_password(&format!("Value of {}: ", args.name), &args.name)?;
            if !first.same_as(&ask_password("Once more: ", &args.name)?) {
                return Err(Stopped::usage(Diagnostic::error("the two values differ: nothing was written")));
            }
            first
        }
        None => {
            let fail =
                |why: String| Stopped::from(Diagnostic::error("cannot read a secret from standard input").because(why));
            let all = read(std::io::stdin(), &args.name).map_err(fail)?;
            // The newline of `echo` belongs to nobody's password; of several lines, the last one needs it.
            all.map(|text| match text.strip_suffix('\n') {
                Some(line) if !line.contains('\n') => line.strip_suffix('\r').unwrap_or(line).to_owned(),
                _ => text.to_owned(),
            })
        }
    };
    if secret.is_empty() {
        return Err(Stopped::usage(Diagnostic::error("an empty secret: nothing was written")));
    }
    Ok(secret)
}

fn read(from: impl Read, name: &str) -> Result<Secret, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {LARGEST} bytes"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Secret::new(name, text)),
        Err(_) => Err("it is no text: encode it, in base64 for example".into()),
    }
}
