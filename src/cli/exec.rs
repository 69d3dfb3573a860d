//! `rempart exec`: one command on many hosts, to look at something; held back from writing as far as a host lets us.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, hidden, show, unasked};
use crate::engine::{AdHoc, ReadLinks, ask_all};
use crate::model::{Exit, HostName};
use crate::report::{self, ExecView, Screen};
use crate::secret::Rendered;
use crate::transport::{Become, SshTransport};

/// Run a command on hosts to look at something: it is held back from writing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart exec web1 -- uptime
  rempart exec 'servers:!db1' -- df -h /
  rempart exec servers --become -- ss -Hltnp
  rempart exec all --become --within 60 --json -- sh -c 'journalctl -p err | tail' > errors.json

The words after -- are started as they stand, without a shell: write sh -c '...' for pipes and variables. What the command
leaves in the background ends with it.

What holds it back: with root's rights, a sandbox of systemd in which files, kernel settings and modules are read-only
(without systemd nothing is run); without them, a view of the mounts in which all are read-only, and no way to sudo; in
it the files of other accounts look like nobody's. A host without user namespaces for accounts has no such view: the
command runs there with the account's own rights, and that is said. Not held back are root in /dev, what a command asks of a
daemon over a socket (systemctl restart, docker rm), and what it asks of another machine. Nothing is written into the
journal, since nothing is changed; the host's own log has the login.

Secrets of a host's variables, and all of the store that a key at hand opens, are masked in what is printed. Other forms
of them (base64, a hash) are not.

Exit codes: 0 = it ended with 0 on every host, 1 = with another status somewhere, or it did not run there,
3 = a host was not reached and on all others it ended with 0.")]
pub(super) struct Args {
    /// The hosts
    #[arg(value_name = "PATTERN")]
    hosts: String,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,

    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Run it as root, by sudo; without this as the login user
    #[arg(short = 'b', long = "become")]
    root: bool,

    /// Seconds that the command may take
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: u64,

    /// Print what came of it as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let mut overrides = project::overrides(&args.connection)?;
    overrides.escalate = Some(args.root);
    let fleet = Fleet::load(&args.inventories, &overrides, screen)?;
    let hosts = fleet.named(std::slice::from_ref(&args.hosts))?;
    let (stored, told) = fleet.store.as_deref().map_or_else(Default::default, hidden::open_all);
    show::diagnostics(screen, &told);
    let secrets =
        hosts.iter().map(|host| (host.clone(), secrets_of(&fleet, host, &stored))).collect::<BTreeMap<_, _>>();
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    let runtime = project::runtime()?;
    let asked = ask_all(hosts, args.command.clone(), args.within, links, args.connection.forks);
    let hosts = runtime.block_on(asked);
    let by = if args.root { "root" } else { "login" };
    let view = ExecView { command: &args.command, by, seconds: args.within, hosts: &hosts, secrets: &secrets };
    if args.json {
        show::json(screen, &report::exec_json(&view));
    } else {
        screen.print(&report::exec(&view, &screen.out_paint()));
    }
    let code = |done: &AdHoc| match done {
        AdHoc::Ran(output) if output.status == 0 => Exit::Done,
        AdHoc::Ran(_) | AdHoc::NotRun(_) => Exit::Failed,
        AdHoc::Unreachable(error) => unasked(error),
    };
    Ok(hosts.iter().map(|(_, done, _)| code(done)).fold(Exit::Done, Exit::and))
}

// What a host may print and nobody is to read: the secrets of its variables, those of the store, and the passwords that we
// know of it. The longest first, since one may be a part of another.
fn secrets_of(fleet: &Fleet, host: &HostName, stored: &[Rendered]) -> Vec<Rendered> {
    let mut found = stored.to_vec();
    if let Some(known) = fleet.inventory.host(host.as_str()) {
        let mut own = Vec::new();
        known.vars.values().for_each(|var| hidden::collect(&var.node, &mut own));
        found.extend(own.into_iter().map(Rendered::secret));
    }
    if let Some(target) = fleet.targets.get(host) {
        found.extend(target.password.clone().map(Rendered::secret));
        if let Become::Sudo { password: Some(password) } = &target.escalate {
            found.push(Rendered::secret(password.clone()));
        }
    }
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{NoSecret, Secret};

    #[test]
    fn the_secrets_of_the_store_are_masked_and_those_that_cannot_be_are_told() {
        let names = ["a/long", "a/short", "b/locked", "c/broken"].map(str::to_owned);
        let get = |name: &str| match name {
            "a/long" => Ok(Secret::new(name, "hunter2-hunter2")),
            "a/short" => Ok(Secret::new(name, "hunter2")),
            "b/locked" => Ok(Secret::locked(name, "no key")),
            _ => Err(NoSecret::Broken { why: "it was changed".into(), fix: String::new() }),
        };
        let (found, told) = hidden::stored(&names, get);
        let why: Vec<&str> = told.iter().filter_map(|told| told.detail.as_deref()).collect();
        assert_eq!(why, ["c/broken: it was changed", "b/locked: no key"]);
        let folder = tempfile::tempdir().unwrap();
        let hosts = folder.path().join("hosts.yaml");
        std::fs::write(&hosts, "all: { hosts: { web1: { token: !secret in-the-inventory } } }\n").unwrap();
        let fleet = Fleet::unreached(crate::inventory::load(&[hosts]).unwrap());
        let backwards: Vec<Rendered> = found.into_iter().rev().collect();
        let secrets = secrets_of(&fleet, &HostName::new("web1"), &backwards);
        let clean = secrets
            .iter()
            .fold("x hunter2-hunter2 hunter2 in-the-inventory".to_owned(), |text, secret| secret.redact(&text));
        assert_eq!(clean, "x (secret a/long) (secret a/short) (secret token)");
    }
}
