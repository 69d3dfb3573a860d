//! `rempart secrets fingerprints`: what a machine needs that watches drift and opens no secret.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::options::{Connection, Inventories};
use crate::cli::project::{self, Fleet};
use crate::cli::{Ended, Stopped, show};
use crate::engine::ReadLinks;
use crate::model::{Diagnostic, Exit, Place, count};
use crate::plan::Graph;
use crate::report::Screen;
use crate::resource::{Desired, FieldValue};
use crate::secret::{FingerprintKey, Rendered, Secret};
use crate::store::{Fault, FaultKind, PRINTS, Prints};
use crate::transport::SshTransport;

/// Note fingerprints of what holds secrets on hosts, by which a machine without any key to them watches drift
///
/// They stand in the folder of the store and belong into the repository. `rempart drift --fingerprint-key FILE` then tells
/// whether a host has what was rendered here; of what was changed since it says that it cannot tell. Name all playbooks
/// that are watched: the fingerprints of before are replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets fingerprints site.yaml
  rempart secrets fingerprints --key-to watch.key
  rempart drift site.yaml --fingerprint-key watch.key      # on the other machine

Nothing is changed on hosts; those are asked whose facts a template reads. Who has the key can tell whether a guess at a
secret is right, and no more: keep it as private as a password's hash.")]
pub(in crate::cli) struct Args {
    /// Playbook or site files
    #[arg(required_unless_present = "key_to", value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,

    /// Write the fingerprint key into a new file that only you can read
    #[arg(long, value_name = "FILE")]
    key_to: Option<PathBuf>,

    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let key = args.inventories.store.open(screen)?.project_key()?.fingerprint_key();
    if let Some(path) = &args.key_to {
        hand_over(path, &key.to_secret("fingerprint key"))?;
        show::say(screen, &format!("{}: the fingerprint key {}", path.display(), key.id()));
    }
    if args.playbooks.is_empty() {
        return Ok(Exit::Done);
    }
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let site = project::load_site_on(&fleet, &args.playbooks)?;
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    let links = Some((links as Arc<dyn crate::engine::Links>, args.connection.forks));
    let whole = project::runtime()?.block_on(project::whole(&fleet, &site, None, links, screen))?;

    let (_, _held) = args.inventories.store.open_to_write(screen)?;
    let folder = &args.inventories.store.secrets;
    let before = match Prints::read(folder, key.clone()) {
        Err(fault) if matches!(fault.kind, FaultKind::Missing | FaultKind::SealForeign) => {
            Prints::new(folder, key.clone())
        }
        before => before?,
    };
    let mut prints = Prints::new(folder, key);
    let missing = note_all(&whole.graph, &mut prints, &before);
    let changed = prints.write()?;
    let file = folder.join(PRINTS);
    let words = if changed { "commit it" } else { "as it was" };
    let count = count(prints.len(), "fingerprint", "fingerprints");
    show::say(screen, &format!("{}: {count}, {words}", file.display()));
    show::diagnostics(screen, &missing);
    Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed })
}

// Notes each text that holds a secret; tells what could not be rendered, of which the last fingerprints are kept.
fn note_all(graph: &Graph, prints: &mut Prints, before: &Prints) -> Vec<Diagnostic> {
    let mut missing = Vec::new();
    for item in &graph.items {
        let id = item.id();
        if item.unread().is_some() {
            let kept =
                if prints.keep(before, &item.host, &id) { "its last fingerprint is kept" } else { "it has none" };
            let told = Diagnostic::warning("no new fingerprint").at(&item.place, kept).on(&item.host, Some(&id));
            missing.push(told.because(item.unseen()));
            continue;
        }
        let Desired::Present(wanted) = item.resource.desired() else { continue };
        for (field, value) in &wanted {
            if let FieldValue::Wanted(text) = value {
                prints.note(&item.host, &id, field, text);
            }
        }
    }
    missing
}

fn hand_over(path: &Path, key: &Secret) -> Result<(), Stopped> {
    let fail = |why: String| {
        let told = Diagnostic::error("the fingerprint key cannot be written");
        Stopped::failed(told.at(&Place::outside(&path.display().to_string()), "").because(why))
    };
    if path.symlink_metadata().is_ok() {
        let told = Diagnostic::error("the fingerprint key cannot be written");
        let told = told.at(&Place::outside(&path.display().to_string()), "").because("there is something of this name");
        return Err(Stopped::failed(told.fix("name another file, or move this one away")));
    }
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| fail(error.to_string()))?;
    let written = Rendered::secret(key.clone()).send_to(&mut to).and_then(|()| to.write_all(b"\n"));
    written.and_then(|()| to.sync_all()).map_err(|error| fail(error.to_string()))
}

/// The fingerprints as a watching machine reads them: none is no fault, since what has none is not known then.
pub(super) fn read(folder: &Path, key: &Path) -> Result<Prints, Stopped> {
    let key = read_key(key)?;
    match Prints::read(folder, key.clone()) {
        Err(Fault { kind: FaultKind::Missing, .. }) => Ok(Prints::new(folder, key)),
        prints => Ok(prints?),
    }
}

fn read_key(path: &Path) -> Result<FingerprintKey, Stopped> {
    let fail = |why: String, fix: &str| {
        let told = Diagnostic::error("the fingerprint key cannot be used");
        Stopped::from(told.at(&Place::outside(&path.display().to_string()), "").because(why).fix(fix.to_owned()))
    };
    let another = "name a file that `rempart secrets fingerprints --key-to` wrote";
    let file = File::open(path).map_err(|error| fail(error.to_string(), another))?;
    let about = file.metadata().map_err(|error| fail(error.to_string(), another))?;
    if !about.is_file() {
        return Err(fail("it is no file".into(), another));
    }
    if about.mode() & 0o077 != 0 {
        return Err(fail(
            format!("others may read it (mode {:04o})", about.mode() & 0o7777),
            "take that from them: chmod 600",
        ));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(1024).read_to_string(&mut text).map_err(|error| fail(error.to_string(), another))?;
    FingerprintKey::from_secret(&Secret::new("fingerprint key", text.as_str()))
        .ok_or_else(|| fail("it is not 32 bytes in base64".into(), another))
}
