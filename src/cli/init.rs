//! `rempart init`: a project that works as it is, with comments where a beginner would ask.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::report::Screen;

/// The files of the project, as they stand in the source tree; tests validate them and try them on real hosts.
const FILES: [(&str, &str); 8] = [
    ("README.md", include_str!("init/project/README.md")),
    ("rempart.toml", include_str!("init/project/rempart.toml")),
    (".gitignore", include_str!("init/project/gitignore")),
    ("inventories/hosts.yaml", include_str!("init/project/inventories/hosts.yaml")),
    ("inventories/group_vars/all.yaml", include_str!("init/project/inventories/group_vars/all.yaml")),
    ("inventories/group_vars/web.yaml", include_str!("init/project/inventories/group_vars/web.yaml")),
    ("playbooks/site.yaml", include_str!("init/project/playbooks/site.yaml")),
    ("templates/site.conf.j2", include_str!("init/project/templates/site.conf.j2")),
];

/// Make a project with commented examples that works as it is; overwrites nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart init
  rempart init fleet

If one of the files is there already, nothing is written, and it is said which.")]
pub(super) struct Args {
    /// The project's folder; made if it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let there: Vec<&str> = FILES
        .iter()
        .map(|(name, _)| *name)
        // A link that leads nowhere is somebody's, too.
        .filter(|name| args.folder.join(name).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() {
        return Err(Stopped::refused(
            Diagnostic::error("files of this name are there already: nothing was written")
                .because(there.join("\n"))
                .fix("choose an empty folder: rempart init FOLDER"),
        ));
    }
    for (name, text) in FILES {
        let path = args.folder.join(name);
        write(&path, text).map_err(|error| {
            let place = Place::outside(&path.display().to_string());
            Stopped::failed(Diagnostic::error("a file cannot be written").at(&place, "").because(error.to_string()))
        })?;
        show::say(screen, &format!("wrote {}", path.display()));
    }
    let mut next = String::from("\nNext:\n");
    if args.folder != Path::new(".") {
        next.push_str(&format!("  cd {}\n", shlex::try_quote(&args.folder.to_string_lossy()).unwrap_or_default()));
    }
    next.push_str("  rempart validate          # nothing is wrong, and nothing is connected to\n");
    next.push_str("  rempart explain web1      # every variable of the host, and where it comes from\n");
    next.push_str("  sudo rempart lab test     # the whole way, on a disposable machine\n");
    screen.chat(&next);
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::File::create_new(path)?.write_all(text.as_bytes())
}
