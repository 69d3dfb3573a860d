//! `rempart secrets scan`: secrets in plaintext, in a repository, in what is staged, and on hosts; never shows one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{git, hook, on_hosts, walk};
use crate::cli::options::{Connection, Inventories};
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place, Source};
use crate::report::{self, ScanView, Screen};
use crate::scan::{ACCEPTED_FILE, Accepted, Finding, NotLooked, read_accepted, sort};

/// Find secrets in plaintext, in the repository or on hosts; says where, never what
///
/// Looked for are private keys without a passphrase, tokens that say themselves what they are, passwords in URLs, on
/// command lines, in .netrc, .pgpass and the like, and values under the name of a secret. What stands in a vault, a
/// variable, a template or an example is none. docs/secrets.md has the rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart secrets scan
  rempart secrets scan playbooks inventories --json
  rempart secrets scan --staged
  rempart secrets scan --install-hook
  rempart secrets scan --host 'ollama:!proxy1' -i inventories/demo.yaml

What git ignores is not looked at without --ignored; what git tracks though it ignores it, is. A finding that may stay
gets a line in .rempart-scan-ignore at the root of the repository: ID RULE PLACE -- REASON.

With --host, each host is asked once, over a connection that cannot write; its files are judged here, and kept nowhere.
Without root most of them cannot be read, which is said and is no success.

Exit codes: 0 = nothing was found, 2 = something was, 1 = something could not be looked at, 3 = a host was not reached.")]
pub(super) struct Args {
    /// Files and folders of one repository; without any, all of it
    #[arg(value_name = "PATH", conflicts_with_all = ["staged", "install_hook", "host"])]
    paths: Vec<PathBuf>,

    /// Look at what is staged for the next commit, as the index has it
    #[arg(long, conflicts_with_all = ["install_hook", "host"])]
    staged: bool,

    /// Look at what git ignores, too
    #[arg(long, conflicts_with_all = ["staged", "install_hook", "host"])]
    ignored: bool,

    /// Install a pre-commit hook that runs this with --staged
    #[arg(long, conflicts_with_all = ["host", "json"])]
    install_hook: bool,

    /// Look on these hosts: `web1`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(long, value_name = "PATTERN", help_heading = "Fleet")]
    host: Option<String>,

    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,

    /// Print the findings as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

impl Args {
    pub(super) fn stays_here(&self) -> bool {
        self.host.is_none()
    }
}

/// What was looked at, wherever it stands.
#[derive(Default)]
pub(super) struct Looked {
    pub findings: Vec<Finding>,
    pub not_looked: Vec<NotLooked>,
    /// The files that were looked at.
    pub files: std::collections::BTreeSet<String>,
    /// What is said of a host's files beside their findings.
    pub about: BTreeMap<String, report::AboutFile>,
    /// The hosts that were not reached, and why.
    pub unreachable: Vec<(crate::model::HostName, String)>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    if args.install_hook {
        return hook::install(screen);
    }
    let here = std::env::current_dir().map_err(|error| {
        Stopped::failed(Diagnostic::error("the working directory cannot be used").because(error.to_string()))
    })?;
    let (root, looked, entries) = match &args.host {
        Some(pattern) => {
            let looked = on_hosts::look(pattern, &args.inventories, &args.connection, screen)?;
            let root = walk::root_of(&here, &here);
            let entries = accepted_in(&root)?;
            (root, looked, entries)
        }
        None if args.staged => {
            let root = git::top()?;
            let looked = git::look_at_staged(&root)?;
            let entries = git::staged_file(&root, ACCEPTED_FILE);
            (root, looked, entries.map_or(Ok(Vec::new()), |text| read_accepted(&Source::new(ACCEPTED_FILE, text)))?)
        }
        None => {
            let root = walk::root_of(&here, &walk::first(&here, &args.paths)?);
            for path in args.paths.iter().filter(|path| here.join(path).is_symlink()) {
                let end = here.join(path).canonicalize().unwrap_or_default();
                show::say(screen, &format!("{} is a symlink: {} is looked at", path.display(), end.display()));
            }
            let looked = walk::look(&root, &here, &args.paths, args.ignored)?;
            let entries = accepted_in(&root)?;
            (root, looked, entries)
        }
    };
    let whole = args.paths.is_empty() && !args.staged && args.host.is_none();
    let not_looked = |file: &str| looked.not_looked.iter().any(|not| not.place == file);
    // What git ignores is there and was not looked at, and of a text that is too large nobody knows the end.
    let is_gone = |file: &str| matches!(root.join(file).symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let was_seen = |file: &str| {
        let is_of_host = file.contains(":/");
        let is_meant = is_of_host == args.host.is_some();
        let is_known = looked.files.contains(file) || whole && is_gone(file);
        is_meant && is_known && !not_looked(file)
    };
    let sorted = sort(looked.findings, entries, was_seen);
    let shown_root = (root != here).then(|| root.display().to_string());
    let view = ScanView {
        root: shown_root.as_deref().filter(|_| args.host.is_none()),
        sorted: &sorted,
        files: looked.files.len(),
        not_looked: &looked.not_looked,
        unreachable: &looked.unreachable,
        about: &looked.about,
        staged: args.staged,
    };
    if args.json {
        show::json(screen, &report::scan_json(&view));
    } else {
        screen.print(&report::scan(&view, &screen.out_paint()));
    }
    let told: Vec<Diagnostic> = sorted.unused.iter().map(unused).collect();
    show::diagnostics(screen, &told);
    let mut exit = if sorted.open.is_empty() { Exit::Done } else { Exit::Differs };
    if looked.not_looked.iter().any(NotLooked::is_fault) {
        exit = exit.and(Exit::Failed);
    }
    if !looked.unreachable.is_empty() {
        exit = exit.and(Exit::Unreachable);
    }
    Ok(exit)
}

fn unused(entry: &Accepted) -> Diagnostic {
    Diagnostic::warning("an accepted finding that is not there")
        .at(&entry.place, format!("nothing of {} has this number", entry.file))
        .fix("remove the line; if what it accepted was changed, look at it again")
}

fn accepted_in(root: &Path) -> Result<Vec<Accepted>, Stopped> {
    let path = root.join(ACCEPTED_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(read_accepted(&Source::new(ACCEPTED_FILE, text))?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let place = Place::outside(&path.display().to_string());
            Err(Diagnostic::error("cannot read a file").at(&place, "").because(error.to_string()).into())
        }
    }
}
