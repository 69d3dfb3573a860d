//! Owns the command line: flags, wiring, and the way from an error to a diagnostic and an exit code. One file a verb.
//!
//! Must not hold rules of the domain; it may see every other module.

mod apply;
mod bootstrap;
mod change;
mod commit;
mod completions;
mod declared;
mod defaults;
mod doctor;
mod drift;
mod exec;
mod explain;
mod facts;
mod fetch;
mod first_contact;
mod graph;
mod hidden;
mod history;
mod init;
mod inventory;
mod kinds;
mod lab;
mod lockouts;
mod machine;
mod man;
mod options;
mod orphans;
mod plan;
mod project;
mod prune;
mod recover;
mod resume;
mod rollback;
mod schema;
mod secrets;
mod show;
mod trust;
mod usage;
mod validate;

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::model::{Diagnostic, Exit};
use crate::report::{self, Colour, Screen};
use crate::transport::TransportError;

/// Agentless provisioning and compliance for fleets that run AI on their own machines.
#[derive(Debug, Parser)]
#[command(name = "rempart", version, max_term_width = 100, disable_help_subcommand = true, after_help = after_help())]
struct Cli {
    #[command(subcommand)]
    verb: Verb,

    #[command(flatten)]
    output: options::Output,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Inventory(inventory::Args),
    Explain(explain::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Commit(commit::Args),
    Rollback(rollback::Args),
    Drift(drift::Args),
    Prune(prune::Args),
    Graph(graph::Args),
    History(history::Args),
    Trust(trust::Args),
    Bootstrap(bootstrap::Args),
    Exec(exec::Args),
    Secrets(secrets::Args),
    Lab(lab::Args),
    Facts(facts::Args),
    Kinds(kinds::Args),
    Schema(schema::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Complete(completions::CompleteArgs),
}

impl Verb {
    /// Whether a wrong `rempart.toml` must not keep it from its work.
    fn ignores_project(&self) -> bool {
        matches!(
            self,
            Verb::Init(_)
                | Verb::Kinds(_)
                | Verb::Schema(_)
                | Verb::Doctor(_)
                | Verb::Completions(_)
                | Verb::Man(_)
                | Verb::Complete(_)
        ) || matches!(self, Verb::Secrets(args) if args.stays_here())
    }
}

/// Why a verb stopped: diagnostics and the code that goes with them.
#[derive(Debug)]
pub(crate) struct Stopped {
    exit: Exit,
    diagnostics: Vec<Diagnostic>,
}

impl Stopped {
    fn bad_input(diagnostics: Vec<Diagnostic>) -> Self {
        Self { exit: Exit::BadInput, diagnostics }
    }

    fn usage(diagnostic: Diagnostic) -> Self {
        Self { exit: Exit::Usage, diagnostics: vec![diagnostic] }
    }

    fn failed(diagnostic: Diagnostic) -> Self {
        Self { exit: Exit::Failed, diagnostics: vec![diagnostic] }
    }

    fn refused(diagnostic: Diagnostic) -> Self {
        Self { exit: Exit::Refused, diagnostics: vec![diagnostic] }
    }
}

impl From<Vec<Diagnostic>> for Stopped {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Stopped::bad_input(diagnostics)
    }
}

impl From<Diagnostic> for Stopped {
    fn from(diagnostic: Diagnostic) -> Self {
        Stopped::bad_input(vec![diagnostic])
    }
}

/// The code of a host that could not be asked: out of reach, or there and not able to answer.
fn unasked(error: &TransportError) -> Exit {
    if error.is_reached() { Exit::Failed } else { Exit::Unreachable }
}

/// How a verb ended.
type Ended = Result<Exit, Stopped>;

/// Says on stdout for machines why a verb stopped, unless a result stands there already.
fn tell_machines(screen: &Screen, stopped: &Stopped) {
    if !screen.has_printed() {
        show::json(screen, &report::error_json(stopped.exit, &stopped.diagnostics));
    }
}

/// Runs the program with this process's arguments.
pub fn main() -> Exit {
    run(std::env::args_os())
}

/// Whether this is a command line of the program, in a project whose `rempart.toml` holds this text; for the tests of
/// what the documentation shows.
///
/// # Errors
/// What the command line says about it.
#[doc(hidden)]
pub fn parses(arguments: impl IntoIterator<Item = String>, project: &str) -> Result<(), String> {
    let project = defaults::Defaults::of_text(project)?;
    parsed(&arguments.into_iter().map(OsString::from).collect::<Vec<_>>(), &project)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// The command line as it is without a project's defaults.
fn command() -> clap::Command {
    Cli::command()
}

// With whether machines read the answer.
fn parsed(arguments: &[OsString], project: &defaults::Defaults) -> Result<(Cli, bool), clap::Error> {
    let mut command = usage::truthful(project.onto(command()));
    let hinted = |error, command: &clap::Command| usage::with_hints(error, command, arguments);
    let matches = command.try_get_matches_from_mut(arguments).map_err(|error| hinted(error, &command))?;
    let json = usage::is_json(&matches);
    Ok((Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?, json))
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let (project, faults) = match defaults::Defaults::of_project() {
        Ok(project) => (project, Vec::new()),
        Err(faults) => (defaults::Defaults::default(), faults),
    };
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let (cli, json) = match parsed(&arguments, &project) {
        Ok(parsed) => parsed,
        // What is missing may stand in the file that cannot be read.
        Err(error) if !faults.is_empty() && error.kind() == ErrorKind::MissingRequiredArgument => {
            let screen = Screen::new(Colour::Auto, false);
            show::diagnostics(&screen, &faults);
            if usage::wants_json(&arguments) {
                tell_machines(&screen, &Stopped::bad_input(faults));
            }
            return Exit::BadInput;
        }
        Err(error) => {
            // clap's own exit code for a wrong command line is 2, which here means "differences".
            let asked_for = !error.use_stderr();
            let _ = error.print();
            if asked_for {
                return Exit::Done;
            }
            if usage::wants_json(&arguments) {
                tell_machines(&Screen::new(Colour::Auto, false), &Stopped::usage(usage::told(&error)));
            }
            return Exit::Usage;
        }
    };
    let screen = Arc::new(Screen::new(cli.output.color.into(), cli.output.quiet));
    let ended = match cli.verb {
        ref verb if !faults.is_empty() && !verb.ignores_project() => Err(Stopped::bad_input(faults)),
        Verb::Init(args) => init::run(&args, &screen),
        Verb::Explain(args) => explain::run(&args, &screen),
        Verb::Facts(args) => facts::run(&args, &screen),
        Verb::Doctor(args) => doctor::run(&args, &project, faults, &screen),
        Verb::Completions(args) => completions::run(&args, &screen),
        Verb::Man(args) => man::run(&args, &screen),
        Verb::Complete(args) => completions::answer(&args, project, &screen),
        Verb::Inventory(args) => inventory::run(&args, &screen),
        Verb::Validate(args) => validate::run(&args, &screen),
        Verb::Plan(args) => plan::run(&args, &screen),
        Verb::Apply(args) => apply::run(&args, &screen),
        Verb::Commit(args) => commit::run(&args, &screen),
        Verb::Rollback(args) => rollback::run(&args, &screen),
        Verb::Drift(args) => drift::run(&args, &screen),
        Verb::Prune(args) => prune::run(&args, &screen),
        Verb::Graph(args) => graph::run(&args, &screen),
        Verb::History(args) => history::run(&args, &screen),
        Verb::Trust(args) => trust::run(&args, &screen),
        Verb::Bootstrap(args) => bootstrap::run(&args, &screen),
        Verb::Exec(args) => exec::run(&args, &screen),
        Verb::Secrets(args) => secrets::run(&args, &screen),
        Verb::Lab(args) => lab::run(&args, &screen),
        Verb::Kinds(args) => kinds::run(&args, &screen),
        Verb::Schema(args) => schema::run(&args, &screen),
    };
    let exit = match ended {
        Ok(exit) => exit,
        Err(stopped) => {
            show::diagnostics(&screen, &stopped.diagnostics);
            if json {
                tell_machines(&screen, &stopped);
            }
            stopped.exit
        }
    };
    // Output that was lost, on a full disk say, must not look like success.
    match screen.finish() {
        Ok(()) => exit,
        Err(error) => {
            let told = Diagnostic::error("output was lost").because(error.to_string());
            show::diagnostics(&screen, &[told.fix("see to it that where it goes has room, and run it again")]);
            exit.and(Exit::Failed)
        }
    }
}

fn after_help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::TABLE {
        text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
    }
    let order: Vec<String> = Exit::ORDER.iter().map(|exit| exit.code().to_string()).collect();
    text.push_str(&format!("Where several fit, the first of these is the one: {}.\n", order.join(", ")));
    text.push_str("\nFirst steps:\n");
    text.push_str("  rempart doctor\n");
    text.push_str("  rempart init fleet\n");
    text.push_str("  rempart inventory -i inventories/demo.yaml\n");
    text.push_str("  rempart plan playbooks/site.yaml -i inventories/demo.yaml\n");
    text.push_str("  rempart lab test playbooks/site.yaml -i inventories/demo.yaml\n");
    text.push_str("\nDefaults of a project stand in rempart.toml; flags and REMPART_* win over them.\n");
    text
}

/// The help of every verb as one Markdown page, for docs/cli.md.
///
/// # Errors
/// Writing fails.
pub fn help_page(to: &mut dyn Write) -> std::io::Result<()> {
    let mut command = Cli::command().term_width(100);
    command.build();
    writeln!(to, "# The command line\n\nWritten by a test from the program's own help; do not edit.")?;
    page(&mut command, "rempart", to)
}

fn page(command: &mut clap::Command, name: &str, to: &mut dyn Write) -> std::io::Result<()> {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    writeln!(to, "\n## {name}\n\n```text\n{}\n```", help.join("\n").trim_end())?;
    let verbs: Vec<String> =
        command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| verb.get_name().to_owned()).collect();
    for verb in verbs {
        if let Some(inner) = command.find_subcommand_mut(&verb) {
            page(inner, &format!("{name} {verb}"), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples_in_its_help() {
        fn check(command: &clap::Command, name: &str) {
            let verbs: Vec<_> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
            if verbs.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Examples:\n  rempart "), "{name} shows no example");
            }
            for verb in verbs {
                check(verb, &format!("{name} {}", verb.get_name()));
            }
        }
        check(&Cli::command(), "rempart");
    }
}
