//! `rempart man`: the manual pages, made from the help texts.

use std::path::PathBuf;
use std::sync::Arc;

use clap_mangen::Man;

use super::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;

/// Write the manual pages into a folder, or print the first one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart man | man -l -
  rempart man man1

For every user of this computer: sudo rempart man /usr/local/share/man/man1")]
pub(super) struct Args {
    /// Where rempart.1, rempart-plan.1 and the others go; made if it is not there
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let mut command = super::command();
    command.build();
    let mut pages = Vec::new();
    gather(&command, &mut pages)
        .map_err(|error| Stopped::failed(Diagnostic::error("a page cannot be made").because(error.to_string())))?;
    let Some(folder) = &args.folder else {
        let first = pages.iter().find(|(name, _)| name == "rempart.1");
        screen.print(first.map_or("", |(_, text)| text));
        return Ok(Exit::Done);
    };
    let number = pages.len();
    for (name, text) in pages {
        let path = folder.join(name);
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text)).map_err(|error| {
            let place = Place::outside(&path.display().to_string());
            Stopped::failed(Diagnostic::error("a page cannot be written").at(&place, "").because(error.to_string()))
        })?;
    }
    show::say(screen, &format!("{number} pages are in {}.", folder.display()));
    Ok(Exit::Done)
}

fn gather(command: &clap::Command, pages: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let man = Man::new(command.clone())
        .section("1")
        .source(format!("rempart {}", env!("CARGO_PKG_VERSION")))
        .manual("rempart");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let mut text = String::from_utf8_lossy(&page).into_owned();
    if let Some(after) = command.get_after_help() {
        text.push_str(&as_written(&after.to_string()));
    }
    pages.push((man.get_filename(), text));
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).try_for_each(|verb| gather(verb, pages))
}

// Examples keep their lines; roff would join them into a paragraph.
fn as_written(after: &str) -> String {
    let (heading, rest) = match after.strip_prefix("Examples:\n") {
        Some(rest) => ("EXAMPLES", rest),
        None => ("NOTES", after),
    };
    let line = |line: &str| {
        let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
        if escaped.starts_with('.') { format!("\\&{escaped}\n") } else { format!("{escaped}\n") }
    };
    format!(".SH {heading}\n.nf\n{}.fi\n", rest.lines().map(line).collect::<String>())
}
