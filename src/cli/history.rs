//! `rempart history`: what was done, by whom and why, and the proof that the journals are whole; reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Connection, Inventories};
use super::project::{self, Fleet};
use super::{Ended, Stopped, show, unasked};
use crate::engine::{JournalError, JournalText, ReadLinks, read_journals};
use crate::history::{self, History, HistoryError, NoSuchRun, check_target, parse_target};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::{self, HostJournals, Proof, Screen};
use crate::transport::SshTransport;

/// Show what was done, by whom and why, and prove that nobody rewrote it
///
/// This controller keeps a journal of its runs in $REMPART_STATE, else in $XDG_STATE_HOME/rempart, else in
/// ~/.local/state/rempart; each host keeps one of its own in /var/lib/rempart. Every line is sealed with the hash of the
/// one before it. docs/history.md has the format.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  rempart history
  rempart history --limit-runs 5 --json
  rempart history --host server1 -i inventories/demo.yaml
  rempart history show 3f9a
  rempart history verify -i inventories/demo.yaml

With --host, the hosts themselves are asked, so that runs of other controllers are seen, too."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// So many runs, the newest ones
    #[arg(long, default_value_t = 20, value_name = "N", help_heading = "Output")]
    limit_runs: usize,

    #[command(flatten)]
    hosts: OfHosts,

    /// Print the runs as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show one run: each host, each step, what was approved and not done
    #[command(after_help = "Examples:
  rempart history show 3f9a
  rempart history show 3f9a --json
  rempart history show 3f9a --host server1 -i inventories/demo.yaml

With --host, the run is shown as the hosts' own journals tell it, whoever made it.")]
    Show(ShowArgs),
    /// Prove that the journals are whole: a changed, removed or moved line is found
    #[command(after_help = "Examples:
  rempart history verify
  rempart history verify -i inventories/demo.yaml
  rempart history verify -i inventories/demo.yaml --host 'ollama:!proxy1'

Without an inventory, this controller's own journal is followed from its first line. With one, the journal of each host
is read and followed as well, and must hold every line that this controller remembers of it, so that a host whose
journal was cut off or written anew is found.

Exit codes: 0 = all are whole, 1 = one is not, or its host was reached and it could not be read, 3 = a host was not reached, so
nothing is known of it.")]
    Verify(VerifyArgs),
}

/// Whose own journals to read.
#[derive(Debug, clap::Args)]
struct OfHosts {
    /// Ask these hosts for their own journals: `web1`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(long, value_name = "PATTERN", help_heading = "Fleet")]
    host: Option<String>,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The run's number; its first characters are enough, if no other run begins with them
    #[arg(value_name = "RUN")]
    run: String,

    #[command(flatten)]
    hosts: OfHosts,

    /// Print the run as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    hosts: OfHosts,

    /// Print what was found as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Where this controller keeps its journal: `$REMPART_STATE`, else `$XDG_STATE_HOME/rempart`, else
/// `~/.local/state/rempart`.
pub(super) fn state_folder() -> Result<PathBuf, Stopped> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("REMPART_STATE");
    // A relative XDG path is to be ignored, as its specification says.
    let state =
        state.or_else(|| set("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("rempart")));
    state.or_else(|| set("HOME").map(|home| home.join(".local/state/rempart"))).ok_or_else(|| {
        Stopped::failed(
            Diagnostic::error("there is no place for the journal")
                .because("neither REMPART_STATE nor XDG_STATE_HOME nor HOME is set")
                .fix("name a folder with REMPART_STATE"),
        )
    })
}

/// A journal that cannot be used, as a reason to stop.
pub(super) fn stopped(error: &HistoryError) -> Stopped {
    Stopped::failed(Diagnostic::error("the journal cannot be used").because(error.to_string()))
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    match &args.verb {
        Some(Verb::Show(args)) => show_run(args, screen),
        Some(Verb::Verify(args)) => verify(args, screen),
        None => list(args, screen),
    }
}

fn list(args: &Args, screen: &Arc<Screen>) -> Ended {
    let paint = screen.out_paint();
    if let Some(pattern) = &args.hosts.host {
        let (hosts, exit) = told_by_hosts(&args.hosts, pattern, "", screen)?;
        if args.json {
            show::json(screen, &report::target_runs_json(&hosts, args.limit_runs));
        } else {
            screen.print(&report::target_runs(&hosts, args.limit_runs, &paint));
        }
        return Ok(exit);
    }
    let history = own(screen)?;
    if args.json {
        show::json(screen, &report::history_json(&history, args.limit_runs));
    } else {
        screen.print(&report::history(&history, args.limit_runs, &paint));
    }
    Ok(Exit::Done)
}

fn show_run(args: &ShowArgs, screen: &Arc<Screen>) -> Ended {
    if args.run.is_empty() || !args.run.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(no_such_run(&args.run, &NoSuchRun::Unknown));
    }
    let paint = screen.out_paint();
    if let Some(pattern) = &args.hosts.host {
        let (hosts, exit) = told_by_hosts(&args.hosts, pattern, &args.run, screen)?;
        let numbers: BTreeSet<String> = hosts
            .values()
            .flatten()
            .flatten()
            .flat_map(|journal| journal.runs().into_iter().map(|run| run.number))
            .collect();
        let reached = hosts.values().all(Result::is_ok);
        match numbers.len() {
            0 if reached => return Err(no_such_run(&args.run, &NoSuchRun::Unknown)),
            0 | 1 => {}
            _ => return Err(no_such_run(&args.run, &NoSuchRun::Several(numbers.into_iter().collect()))),
        }
        if args.json {
            show::json(screen, &report::target_run_json(&hosts));
        } else {
            screen.print(&report::target_run(&hosts, &paint));
        }
        return Ok(exit);
    }
    let history = own(screen)?;
    let run = history.find(&args.run).map_err(|why| no_such_run(&args.run, &why))?;
    if args.json {
        show::json(screen, &report::history_run_json(run));
    } else {
        screen.print(&report::history_run(run, history.follower(&run.number), &paint));
    }
    Ok(Exit::Done)
}

/// The start of a number that names no run, as a reason to stop.
pub(super) fn no_such_run(start: &str, why: &NoSuchRun) -> Stopped {
    Stopped::usage(match why {
        NoSuchRun::Unknown => Diagnostic::error("there is no such run")
            .because(format!("no run's number begins with `{start}`"))
            .fix("`rempart history` lists the runs; --host asks a host for those of other controllers"),
        NoSuchRun::Near(number) => Diagnostic::error("there is no such run")
            .because(format!("no run's number begins with `{start}`"))
            .fix(format!("did you mean `{number}`?")),
        NoSuchRun::Several(numbers) => Diagnostic::error("several runs begin like this")
            .because(format!("`{start}` may be {}", numbers.join(", ")))
            .fix("write more of its number"),
    })
}

/// This controller's journal. What is shown of a chain that does not hold is shown with a warning.
fn own(screen: &Arc<Screen>) -> Result<History, Stopped> {
    let history = read_own(screen)?;
    if !history.checked.is_whole() {
        let told = Diagnostic::warning("this journal was tampered with: do not believe it");
        show::diagnostics(screen, &[told.fix("see `rempart history verify`")]);
    }
    Ok(history)
}

fn read_own(screen: &Arc<Screen>) -> Result<History, Stopped> {
    let history = history::read(&state_folder()?).map_err(|error| stopped(&error))?;
    if let Some(first) = history.unreadable.first().filter(|_| history.checked.is_whole()) {
        let told = format!("the first is line {first}; in all there are {}", history.unreadable.len());
        let told = Diagnostic::warning("lines of the journal are no events of this version").because(told);
        show::diagnostics(screen, &[told.fix("read it with the version that wrote it")]);
    }
    Ok(history)
}

/// What the journals of hosts say, and whether all could be asked.
fn told_by_hosts(
    of: &OfHosts,
    pattern: &str,
    run: &str,
    screen: &Arc<Screen>,
) -> Result<(HostJournals, Exit), Stopped> {
    let fleet = Fleet::load(&of.inventories, &project::overrides(&of.connection)?, screen)?;
    let hosts = fleet.chosen("--host", pattern)?;
    // All of it: what is shown of a chain that does not hold must say so.
    let read = journals(&fleet, hosts, of.connection.forks)?;
    let mut exit = Exit::Done;
    let mut told = HostJournals::new();
    for (host, text) in read {
        let journal = match text {
            Err(error) => {
                exit = exit.and(unread(&error));
                Err(error.to_string())
            }
            Ok(None) => Ok(None),
            Ok(Some(text)) => {
                if !check_target(Some(&text), &[], None).is_whole() {
                    exit = exit.and(Exit::Failed);
                    let told = Diagnostic::warning("the journal of a host was tampered with: do not believe it");
                    let told =
                        told.on(&host, None).fix(format!("`rempart history verify -i ... --host {host}` says where"));
                    show::diagnostics(screen, &[told]);
                }
                let mut journal = parse_target(&text);
                journal.entries.retain(|entry| entry.run.starts_with(run));
                Ok(Some(journal))
            }
        };
        told.insert(host, journal);
    }
    Ok((told, exit))
}

type Journals = BTreeMap<HostName, Result<JournalText, JournalError>>;

fn journals(fleet: &Fleet, hosts: Vec<HostName>, forks: usize) -> Result<Journals, Stopped> {
    fleet.check_targets(&hosts)?;
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    Ok(project::runtime()?.block_on(read_journals(hosts, links, forks)))
}

fn verify(args: &VerifyArgs, screen: &Arc<Screen>) -> Ended {
    let history = read_own(screen)?;
    // Nothing is not whole: where a journal was taken away with all that belongs to it, this is all that can be said.
    let nothing = history.checked.is_whole() && history.checked.lines == 0;
    let own = if nothing { Proof::None } else { Proof::Checked { checked: history.checked.clone(), anchors: 0 } };
    let mut all = vec![("this controller".to_owned(), own)];
    let of = &args.hosts;
    let mut asked = Exit::Done;
    if of.host.is_some() || !of.inventories.inventory.is_empty() {
        let fleet = Fleet::load(&of.inventories, &project::overrides(&of.connection)?, screen)?;
        let hosts = fleet.chosen("--host", of.host.as_deref().unwrap_or("all"))?;
        let others: Vec<&str> = history
            .anchored_hosts()
            .into_iter()
            .filter(|host| of.host.is_none() && !hosts.contains(host))
            .map(HostName::as_str)
            .collect();
        if !others.is_empty() {
            show::say(screen, &format!("Not in this inventory, so not asked: {}", others.join(", ")));
        }
        for (host, text) in journals(&fleet, hosts, of.connection.forks)? {
            asked = asked.and(text.as_ref().err().map_or(Exit::Done, unread));
            let proof = match text {
                Ok(text) => proof(&history, &host, text.as_deref()),
                Err(error) => Proof::Unreachable(error.to_string()),
            };
            all.push((host.to_string(), proof));
        }
    }
    if args.json {
        show::json(screen, &report::proofs_json(&all));
    } else {
        screen.print(&report::proofs(&all, &screen.out_paint()));
    }
    let broken = |proof: &Proof| matches!(proof, Proof::Checked { checked, .. } if !checked.is_whole());
    Ok(if all.iter().any(|(_, proof)| broken(proof)) { asked.and(Exit::Failed) } else { asked })
}

fn unread(error: &JournalError) -> Exit {
    match error {
        JournalError::Unasked(error) => unasked(error),
        JournalError::Unread(_) => Exit::Failed,
    }
}

fn proof(history: &History, host: &HostName, text: Option<&[u8]>) -> Proof {
    let anchors = history.anchors(host);
    let checked = check_target(text, &anchors, history.last_run_on(host));
    if text.is_none() && checked.is_whole() { Proof::None } else { Proof::Checked { checked, anchors: anchors.len() } }
}
