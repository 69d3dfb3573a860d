//! `rempart trust`: the first-contact ceremony; shows a host's keys and remembers them once a person has compared.

use std::sync::Arc;

use serde_json::{Value, json};

use super::first_contact::{Ceremony, Meeting, meet};
use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, show};
use crate::model::{Exit, HostName};
use crate::report::Screen;
use crate::transport::Standing;

/// Show the keys of hosts, and remember them once you have compared the fingerprints
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart trust server1 -i inventories/demo.yaml
  rempart trust 'new_servers' db1 -i inventories/prod.yaml
  rempart trust web1 --fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
  rempart trust server1 -i inventories/demo.yaml --replace    # after it was installed anew

Keys are written to the first known_hosts file that is read for the host. A key that has changed is shown beside the old
one, and takes its place only with --replace. A host whose key is known is left as it is.")]
pub(super) struct Args {
    /// The hosts, by pattern
    #[arg(value_name = "PATTERN", required = true)]
    hosts: Vec<String>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Remember without asking, only keys with one of these fingerprints, which you got on another way
    #[arg(long, value_name = "SHA256:...", value_parser = fingerprint)]
    fingerprint: Vec<String>,

    /// Remember without asking whatever is presented by a host of which no key is known: only on a network where nobody can
    /// stand in between
    #[arg(long)]
    yes: bool,

    /// Let a key take the place of the one that is known, which is still asked or wants --fingerprint, whatever --yes says
    #[arg(long)]
    replace: bool,

    /// Print what was found and done as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &project::overrides(&args.connection)?, screen)?;
    let hosts = fleet.named(&args.hosts)?;
    let ceremony = Ceremony { fingerprints: &args.fingerprint, yes: args.yes, replace: args.replace };
    let mut exit = Exit::Done;
    let mut told = Vec::new();
    for host in &hosts {
        let Some(target) = fleet.targets.get(host) else { continue };
        let meeting = meet(host, target, ceremony, screen);
        show::diagnostics(screen, meeting.fault.as_slice());
        exit = exit.and(meeting.exit);
        told.push(as_json(host, &meeting));
    }
    if args.json {
        show::json(screen, &json!({ "format_version": "1.0", "kind": "trust", "hosts": told }));
    }
    Ok(exit)
}

fn as_json(host: &HostName, meeting: &Meeting) -> Value {
    let mut told = json!({ "host": host, "status": meeting.status });
    if let Some(contact) = &meeting.contact {
        let standing = |standing: &Standing| match standing {
            Standing::Known(_) => "known",
            Standing::Pinned => "pinned",
            Standing::New => "new",
            Standing::Wrong => "wrong",
            Standing::Unpinned => "unpinned",
            Standing::Revoked(_) => "revoked",
        };
        let keys = contact.keys.iter().map(|key| {
            json!({ "type": key.key.kind, "fingerprint": key.key.fingerprint(), "standing": standing(&key.standing) })
        });
        let old = contact
            .old
            .iter()
            .map(|old| json!({ "type": old.kind, "fingerprint": old.fingerprint, "place": old.place }));
        told["at"] = json!(contact.place);
        told["keys"] = keys.collect();
        told["known_before"] = old.collect();
        told["file"] = json!(contact.file());
    }
    if let Some(why) = meeting.fault.as_ref().and_then(|fault| fault.detail.as_ref()) {
        told["why"] = json!(why);
    }
    told
}

/// Takes a fingerprint as ssh-keygen prints it.
pub(super) fn fingerprint(text: &str) -> Result<String, String> {
    let fits = text.trim().trim_end_matches('=').strip_prefix("SHA256:").is_some_and(|rest| {
        rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    });
    if fits {
        Ok(text.trim().to_owned())
    } else {
        Err("write it as `ssh-keygen -lf KEY.pub` prints it: SHA256: and 43 characters".to_owned())
    }
}
