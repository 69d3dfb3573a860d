//! Owns what is said of a command line that is wrong: usage lines that show what a verb takes, whatever the environment
//! gives, and what to write where something is missing.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, Error};

use crate::model::Diagnostic;

/// What to write for an argument that is missing, by the name of its value.
const MISSING: &[(&str, &str)] = &[
    ("PLAYBOOK", "name a playbook or a site file, here or as `playbook = \"FILE\"` in rempart.toml"),
    ("PATTERN", "name hosts of the inventory: a host, a group, `all`, or a pattern such as `web:!web1`"),
    ("HOST", "name a host of the inventory; `rempart inventory` lists them"),
    ("COMMAND", "write what is to be run behind `--`"),
    ("RUN", "name a run; `rempart history` lists them"),
    ("SHELL", "name the shell: bash, zsh or fish"),
];

/// The command with usage lines of its own. clap's would show what `REMPART_*` gives as if it had to be written.
pub(super) fn truthful(command: Command) -> Command {
    let mut built = command.clone();
    built.build();
    with_usage(command, &mut built)
}

fn with_usage(command: Command, built: &mut Command) -> Command {
    let usage = built.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    command.override_usage(usage).mut_subcommands(|inner| {
        let name = inner.get_name().to_owned();
        match built.find_subcommand_mut(&name) {
            Some(built) => with_usage(inner, built),
            None => inner,
        }
    })
}

/// Adds what to write to an error about something that is missing.
pub(super) fn with_hints(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return error;
    }
    let missing: Vec<String> = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    };
    let is_missing =
        |name: &str| missing.iter().any(|shown| shown.trim_end_matches("...").trim_matches(['<', '>']) == name);
    let mut hints: Vec<String> =
        MISSING.iter().filter(|(name, _)| is_missing(name)).map(|(_, hint)| (*hint).to_owned()).collect();
    hints.extend(example(verb(command, arguments)).map(|example| format!("such as `{example}`")));
    let hints: Vec<StyledStr> = hints.into_iter().map(StyledStr::from).collect();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(hints));
    error
}

/// Whether machines read the answer of the verb that was called.
pub(super) fn is_json(matches: &ArgMatches) -> bool {
    let own = matches!(matches.try_get_one::<bool>("json"), Ok(Some(true)));
    own || matches.subcommand().is_some_and(|(_, inner)| is_json(inner))
}

/// A wrong command line as machines are told of it.
pub(super) fn told(error: &Error) -> Diagnostic {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).split("\n\nUsage:").next().unwrap_or_default();
    Diagnostic::error("the command line was wrong").because(text.trim()).fix("look at the verb's --help")
}

/// Whether machines read the answer, as far as a command line says that could not be read.
pub(super) fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

// The innermost verb that is named.
fn verb<'a>(command: &'a Command, arguments: &[OsString]) -> &'a Command {
    arguments
        .iter()
        .skip(1)
        .filter_map(|argument| argument.to_str())
        .fold(command, |verb, argument| verb.find_subcommand(argument).unwrap_or(verb))
}

// The first example of a verb's help.
fn example(verb: &Command) -> Option<String> {
    let help = verb.get_after_help()?.to_string();
    let line = help.lines().map(str::trim).find(|line| line.starts_with("rempart "))?;
    Some(line.split("  #").next().unwrap_or(line).trim().to_owned())
}
