//! `rempart completions`: scripts that make bash, zsh and fish ask `rempart complete`, which answers here.
//!
//! Whatever is wrong, a shell hears nothing of it: no message, no exit code, and never a connection.

mod candidates;
mod line;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use clap_complete::engine::{ArgValueCompleter, complete};

use super::defaults::Defaults;
use super::{Ended, show};
use crate::model::Exit;
use crate::report::Screen;
use candidates::{Known, Wanted};

/// A shell that completions can be had for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Shell {
    /// Tried with 5.2
    Bash,
    /// Tried with 5.9
    Zsh,
    /// Tried with 3.6
    Fish,
}

/// Print the script that makes a shell complete verbs, flags, hosts and tags
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart completions bash > rempart.bash
  rempart completions zsh > _rempart
  rempart completions fish > rempart.fish
  source <(rempart completions bash)

For good: the first lines of each script say where it goes. Hosts, groups and variables are those of
the inventory named by -i, REMPART_INVENTORY or rempart.toml; tags are those of the playbooks on the
line, or of rempart.toml; runs are those of this controller. Inventories that are programs are not
run for it.")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What a shell asks while somebody types
#[derive(Debug, clap::Args)]
pub(super) struct CompleteArgs {
    #[arg(value_enum)]
    shell: Shell,
    /// bash: the line up to the cursor; others: the words up to it, the last one being completed
    #[arg(last = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    screen.print(match args.shell {
        Shell::Bash => include_str!("rempart.bash"),
        Shell::Zsh => include_str!("rempart.zsh"),
        Shell::Fish => include_str!("rempart.fish"),
    });
    Ok(Exit::Done)
}

pub(super) fn answer(args: &CompleteArgs, project: Defaults, screen: &Arc<Screen>) -> Ended {
    let typed = match args.shell {
        Shell::Bash => line::split(args.words.first().map_or("", String::as_str)),
        Shell::Zsh | Shell::Fish => line::Typed::of_words(&args.words),
    };
    let lines: Vec<String> = candidates_for(&typed, project)
        .into_iter()
        .map(|(value, help)| match args.shell {
            Shell::Bash => typed.rest_for_bash(&value),
            Shell::Zsh | Shell::Fish if help.is_empty() => value,
            Shell::Zsh | Shell::Fish => format!("{value}\t{help}"),
        })
        .collect();
    show::lines(screen, &lines);
    Ok(Exit::Done)
}

fn candidates_for(typed: &line::Typed, defaults: Defaults) -> Vec<(String, String)> {
    let Some(current) = typed.words.last().cloned() else { return Vec::new() };
    let known = Arc::new(Known::new(&typed.words, defaults));
    let mut command = attached(super::command(), &known, "");
    // The first word is the program, whatever it was called.
    let words: Vec<OsString> = typed.words.iter().map(OsString::from).collect();
    let at = words.len() - 1;
    let found = complete(&mut command, words, at, Some(Path::new("."))).unwrap_or_default();
    let mut all: Vec<(String, String)> = Vec::new();
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        let value = candidate.get_value().to_string_lossy().into_owned();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or("").to_owned();
        // A name with a line end or a tab in it would be two for the shell.
        let whole = !value.chars().any(char::is_control);
        if whole && value.starts_with(&current) && !all.iter().any(|(known, _)| *known == value) {
            all.push((value, help));
        }
    }
    // Flags are shown to those who begin one, or where there is nothing else.
    if !current.starts_with('-') && all.iter().any(|(value, _)| !value.starts_with('-')) {
        all.retain(|(value, _)| !value.starts_with('-'));
    }
    all
}

// Says for each argument what its values are.
fn attached(command: clap::Command, known: &Arc<Known>, verb: &str) -> clap::Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|argument| {
        let Some(wanted) = wanted(&name, verb, argument.get_id().as_str()) else { return argument };
        let known = known.clone();
        argument.add(ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
            known.candidates(wanted, &current.to_string_lossy())
        }))
    });
    command.mut_subcommands(|inner| attached(inner, known, &name))
}

fn wanted(verb: &str, above: &str, argument: &str) -> Option<Wanted> {
    Some(match argument {
        "host" if verb == "explain" || above == "lab" => Wanted::Host,
        "limit" | "hosts" | "host" => Wanted::Pattern,
        "tags" | "skip_tags" => Wanted::Tag,
        "phase" => Wanted::Phase,
        "playbooks" => Wanted::Playbook,
        "kind" => Wanted::Kind,
        "resume" => Wanted::Run,
        "run" if verb == "rollback" || above == "history" => Wanted::Run,
        "name" if verb == "explain" => Wanted::Variable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str]) -> Vec<String> {
        let typed = line::Typed::of_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        candidates_for(&typed, Defaults::default()).into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn verbs_flags_kinds_and_phases_are_known() {
        assert_eq!(found(&["rempart", "val"]), ["validate"]);
        assert_eq!(found(&["rempart", "lab", "st"]), ["status"]);
        assert_eq!(found(&["rempart", "plan", "--detailed"]), ["--detailed-exitcode"]);
        assert_eq!(found(&["rempart", "kinds", "sshd"]), ["sshd"]);
        assert_eq!(found(&["rempart", "plan", "--phase", "ha"]), ["hardening"]);
        assert_eq!(found(&["rempart", "plan", "--phase", "tests,ha"]), ["tests,hardening"]);
        assert_eq!(found(&["rempart", "graph", "--format", "s"]), ["svg"]);
    }

    #[test]
    fn hidden_words_stay_hidden_and_nonsense_is_silent() {
        assert!(!found(&["rempart", ""]).iter().any(|word| word == "complete"));
        assert!(found(&["rempart", "plan", "--project"]).is_empty());
        assert!(found(&["rempart", "no-such-verb", "--limit", "x"]).is_empty());
        assert!(found(&[]).is_empty());
    }
}
