//! `rempart trust`: the first-contact ceremony; shows a host's keys and remembers them once a person has compared.

use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit};
use crate::report::Screen;
use crate::transport::{Remembering, remember, scan_host_keys};
use std::sync::Arc;

/// Show the keys of hosts, and remember them once you have compared the fingerprints
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart trust web1 -i inventories/demo.yaml
  rempart trust 'new_servers' -i inventories/prod.yaml
  rempart trust web1 -i inventories/demo.yaml --fingerprint SHA256:9s0... --yes")]
pub(super) struct Args {
    /// The hosts
    #[arg(value_name = "PATTERN")]
    hosts: String,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Remember without asking, only keys with one of these fingerprints, which you got on another way
    #[arg(long, value_name = "SHA256:...")]
    fingerprint: Vec<String>,

    /// Remember without asking whatever is presented: only on a network where nobody can stand in between
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let mut exit = Exit::Done;
    for host in fleet.limit(&args.hosts)? {
        let Some(target) = fleet.targets.get(&host) else { continue };
        let keys = match scan_host_keys(target) {
            Ok(keys) => keys,
            Err(error) => {
                show::diagnostics(
                    screen,
                    &[Diagnostic::error("a host's keys could not be read").because(error.to_string())],
                );
                exit = exit.and(Exit::Unreachable);
                continue;
            }
        };
        show::say(screen, &format!("{host} at {} presents:", target.address));
        for key in &keys {
            show::say(screen, &format!("  {:<20} {}", key.kind, key.fingerprint()));
        }
        let pinned: Vec<_> = keys.iter().filter(|key| args.fingerprint.contains(&key.fingerprint())).cloned().collect();
        let keys = if args.fingerprint.is_empty() { keys } else { pinned };
        if keys.is_empty() {
            show::diagnostics(
                screen,
                &[Diagnostic::error("none of the presented keys has a fingerprint that you gave")
                    .on(&host, None)
                    .fix("do not connect; find out why on another way")],
            );
            exit = exit.and(Exit::Refused);
            continue;
        }
        let approved = args.yes || !args.fingerprint.is_empty() || {
            screen
                .ask("Compare with the host's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). Remember")
                .map_err(|why| {
                Stopped::refused(
                    Diagnostic::error("not remembered")
                        .because(why.to_string())
                        .fix("name the --fingerprint that you expect"),
                )
            })?
        };
        if !approved {
            exit = exit.and(Exit::Refused);
            continue;
        }
        let told = |why: String| Stopped::failed(Diagnostic::error("the keys could not be remembered").because(why));
        let place = Remembering::of(target).map_err(|error| told(error.to_string()))?;
        let Some(path) = place.file else {
            return Err(told("no known_hosts file is read for this host".into()));
        };
        remember(&path, &place.host, place.port, &keys, place.hashed).map_err(|error| told(error.to_string()))?;
        show::say(screen, &format!("Remembered in {}.", path.display()));
    }
    Ok(exit)
}
