//! Owns the pre-commit hook: its text, and installing it without ever touching somebody else's.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::git;
use crate::cli::{Ended, Stopped, show};
use crate::model::{Diagnostic, Exit, Place};
use crate::quote::quote_sh;
use crate::report::Screen;

/// What every hook of ours holds, of whatever version.
const MARK: &str = "# rempart: pre-commit hook";

// It fails where rempart is missing: a hook that lets everything through protects nobody.
fn text(program: &Path) -> String {
    format!(
        "#!/bin/sh
{MARK}; `rempart secrets scan --install-hook` wrote it, and writes it anew.
# No secret in plaintext gets into a commit. For once without it: git commit --no-verify
rempart=$(command -v rempart) || rempart={}
[ -x \"$rempart\" ] || {{ echo 'pre-commit: rempart is not there, so nothing was looked at' >&2; exit 1; }}
exec \"$rempart\" secrets scan --staged
",
        quote_sh(&program.display().to_string())
    )
}

pub(super) fn install(screen: &Arc<Screen>) -> Ended {
    let (folder, named) = git::hooks()?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/usr/local/bin/rempart"));
    let file = folder.join("pre-commit");
    let done = write(&file, &text(&program))?;
    show::say(screen, &format!("{done}: {}", file.display()));
    if named {
        show::say(screen, "core.hooksPath names that folder; other repositories may share it");
    }
    Ok(Exit::Done)
}

fn write(file: &Path, text: &str) -> Result<&'static str, Stopped> {
    let place = Place::outside(&file.display().to_string());
    let failed = |error: std::io::Error| {
        Stopped::failed(Diagnostic::error("the hook cannot be installed").at(&place, "").because(error.to_string()))
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let there = match file.symlink_metadata() {
        Ok(about) if about.is_file() => Some(std::fs::read(file).map_err(failed)?),
        // A symlink leads to what somebody else keeps.
        Ok(_) => return Err(foreign(&place)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let executable = || std::fs::set_permissions(file, Permissions::from_mode(0o755)).map_err(failed);
    match there {
        Some(old) if old == text.as_bytes() => executable().map(|()| "the hook is there already"),
        Some(old) if String::from_utf8_lossy(&old).contains(MARK) => {
            std::fs::write(file, text).map_err(failed)?;
            executable().map(|()| "wrote the hook anew")
        }
        Some(_) => Err(foreign(&place)),
        None => {
            let mut new = OpenOptions::new().write(true).create_new(true).mode(0o755).open(file).map_err(failed)?;
            new.write_all(text.as_bytes()).map_err(failed)?;
            executable().map(|()| "installed the hook")
        }
    }
}

fn foreign(place: &Place) -> Stopped {
    Stopped::refused(
        Diagnostic::error("there is another pre-commit hook")
            .at(place, "")
            .because("it is not rempart's, so it stays as it is")
            .fix("call rempart from it, before it ends: `rempart secrets scan --staged || exit 1`"),
    )
}
