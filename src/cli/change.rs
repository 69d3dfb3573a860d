//! Owns what the verbs that change hosts share: approval, the run's record in the journal, and its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::runtime::Runtime;

use super::history::{state_folder, stopped};
use super::{Stopped, show, tell_machines};
use crate::engine::{ApplyOptions, Origin, Outcome, RunReport, Stop, new_run};
use crate::history::{self, EndEvent, GuardEnd, Journal, Living, RunEvent, RunSelection, RunTotals};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::{self, RunView, Screen};

/// How long a person has to confirm a checkpoint, in seconds.
const PERSON: u64 = 600;
/// How long a fresh connection has to confirm a risky change, in seconds.
const CONNECTION: u64 = 45;

/// How a change is approved, confirmed and told.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    /// Do not ask for approval
    #[arg(short, long, help_heading = "Change")]
    pub yes: bool,

    /// Why this is done: written into the journals, and told to whoever finds a host held
    #[arg(short, long, value_name = "TEXT", help_heading = "Change")]
    pub message: Option<String>,

    /// Seconds in which a risky change must be confirmed by a fresh connection [default: 45; 600 with --no-confirm]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(15..=86_400), help_heading = "Change")]
    pub confirm_within: Option<u64>,

    /// Go on with a plan that would lock rempart out of a host; the guard stays armed
    #[arg(long, help_heading = "Change")]
    pub allow_lockout: bool,

    /// Leave a risky change as a checkpoint for a person to `commit` or `rollback`; in time, or the host takes it back
    #[arg(long, help_heading = "Change")]
    pub no_confirm: bool,

    /// Print the outcome as JSON on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

impl Change {
    /// Asks for approval, unless it was given.
    pub fn approve(&self, screen: &Screen, question: &str) -> Result<(), Stopped> {
        approve(screen, self.yes, question)
    }

    /// The options of a run for the engine; `what` is what is run, in a few words.
    pub fn options(&self, what: &str, forks: usize) -> ApplyOptions {
        let why = match &self.message {
            Some(message) => format!("{message} ({what})"),
            None => what.to_owned(),
        };
        ApplyOptions {
            run: new_run(),
            forks,
            confirm_within: self.confirm_within.unwrap_or(if self.no_confirm { PERSON } else { CONNECTION }),
            checkpoint: self.no_confirm,
            origin: Origin { who: who(), why },
            ..ApplyOptions::default()
        }
    }
}

/// Asks for approval, unless `yes` says that it was given; where nobody is there to be asked, it was not.
pub(super) fn approve(screen: &Screen, yes: bool, question: &str) -> Result<(), Stopped> {
    if yes {
        return Ok(());
    }
    let not_approved = || Diagnostic::error("not approved: nothing was changed");
    match screen.ask(question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Stopped::refused(not_approved())),
        Err(why) => Err(Stopped::refused(not_approved().because(why.to_string()).fix("approve with --yes"))),
    }
}

/// `user@controller`, as far as this machine says.
pub(super) fn who() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known =
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line.get(2) == Some(&uid.as_str()));
    // Behind sudo, the person counts and not root.
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| uid == "0");
    let user = sudo.or_else(|| Some((*known?.first()?).to_owned())).unwrap_or(uid);
    let uname = rustix::system::uname();
    format!("{user}@{}", uname.nodename().to_string_lossy())
}

/// Paths as a person can find them again from elsewhere.
pub(super) fn absolute(paths: &[PathBuf]) -> Vec<String> {
    let whole = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    paths.iter().map(|path| whole(path).display().to_string()).collect()
}

/// A run with its record: begun before anything is changed, ended with its outcome.
pub(super) struct Record {
    pub journal: Arc<Journal>,
    run: String,
    _living: Living,
}

impl Record {
    /// Opens the journal, and tells the options which earlier runs hold no host any more; nothing is written yet.
    pub fn open(options: &mut ApplyOptions) -> Result<Self, Stopped> {
        let folder = state_folder()?;
        let journal = Journal::open(&folder).map_err(|error| stopped(&error))?;
        options.over = history::runs_that_are_over(&folder);
        let living = Living::begin(&folder, &options.run).map_err(|error| {
            let told = Diagnostic::error("nobody could be told that this run is at work");
            Stopped::failed(told.because(format!("{}: {error}", folder.display())))
        })?;
        Ok(Self { journal: Arc::new(journal), run: options.run.clone(), _living: living })
    }

    /// Writes down that the run begins. An error means that nothing may be changed.
    pub fn begin(&self, event: RunEvent) -> Result<(), Stopped> {
        self.journal.append(&history::Event::Run(Box::new(event))).map_err(|error| stopped(&error))
    }

    /// Writes down what became of a host's checkpoint.
    pub fn checkpoint(&self, host: &HostName, guard: GuardEnd) -> Result<(), Stopped> {
        let event = history::ResultEvent {
            run: self.run.clone(),
            host: host.clone(),
            batch: 0,
            steps: Vec::new(),
            armed: true,
            guard: Some(guard),
            head: None,
            seq: None,
        };
        self.journal.append(&history::Event::Result(event)).map_err(|error| stopped(&error))
    }

    /// Writes down how it ended, and says the exit code.
    pub fn end(&self, report: &RunReport, exit: Exit) -> Result<Exit, Stopped> {
        let event = EndEvent { run: self.run.clone(), exit: exit.code(), totals: totals(report) };
        self.journal.append(&history::Event::End(event)).map_err(|error| stopped(&error))?;
        Ok(exit)
    }
}

/// The record of a run that is about to begin; the caller adds what its verb knows.
pub(super) fn run_event(verb: history::RunVerb, options: &ApplyOptions) -> RunEvent {
    RunEvent {
        run: options.run.clone(),
        verb,
        who: options.origin.who.clone(),
        why: options.origin.why.clone(),
        playbooks: Vec::new(),
        inventories: Vec::new(),
        selection: RunSelection::default(),
        set_names: Vec::new(),
        approved: Vec::new(),
        resumes: None,
        allowed_lockouts: Vec::new(),
    }
}

fn totals(report: &RunReport) -> RunTotals {
    let mut totals = RunTotals { unreachable: report.unreachable.len(), ..RunTotals::default() };
    for outcome in report.outcomes() {
        *match outcome {
            Outcome::Same => &mut totals.same,
            Outcome::Changed { .. } => &mut totals.changed,
            Outcome::Passed => &mut totals.passed,
            Outcome::Failed { .. } => &mut totals.failed,
            Outcome::Skipped { .. } => &mut totals.skipped,
            Outcome::Unknown { .. } => &mut totals.unknown,
            Outcome::Healed { .. } => &mut totals.healed,
        } += 1;
    }
    totals
}

// What an interrupt of the user finds.
const LOOKING: u8 = 0;
const AT_WORK: u8 = 1;
const BETWEEN: u8 = 2;
static DOING: AtomicU8 = AtomicU8::new(LOOKING);

/// An interrupt of the user ends the process from now on, and says that nothing was changed; but while the engine is at
/// work [`until_done`] hears it.
pub(super) fn watch(runtime: &Runtime, json: bool, screen: &Arc<Screen>) {
    let screen = screen.clone();
    runtime.spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            let why = match DOING.load(Ordering::SeqCst) {
                LOOKING => "nothing was changed",
                BETWEEN => "what a crash had left half done was put back; nothing else was changed",
                _ => continue,
            };
            let stopped =
                Stopped { exit: Exit::Interrupted, diagnostics: vec![Diagnostic::error("interrupted").because(why)] };
            show::diagnostics(&screen, &stopped.diagnostics);
            if json {
                tell_machines(&screen, &stopped);
            }
            std::process::exit(Exit::Interrupted.code().into());
        }
    });
}

/// What the engine did is done, and the fleet is looked at again.
pub(super) fn looks_again() {
    DOING.store(BETWEEN, Ordering::SeqCst);
}

/// Runs work of the engine to its end while interrupts of the user are counted: the first stops before the next step.
pub(super) fn until_done<T>(runtime: &Runtime, stop: &Arc<Stop>, work: impl Future<Output = T>) -> T {
    DOING.store(AT_WORK, Ordering::SeqCst);
    runtime.block_on(async {
        tokio::spawn({
            let stop = stop.clone();
            async move {
                while tokio::signal::ctrl_c().await.is_ok() {
                    stop.ask();
                }
            }
        });
        work.await
    })
}

/// Draws how a run went.
pub(super) fn told(screen: &Screen, view: &RunView<'_>, json: bool) {
    if json {
        show::json(screen, &report::run_json(view));
    } else {
        screen.print(&report::run(view, &screen.out_paint()));
    }
}
