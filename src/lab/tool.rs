//! Owns how the lab runs a program of the machine: no shell, an argument vector, what it said on failure.
//! Must not know what the programs are run for.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{LabError, Result, io};

/// Programs the lab needs and the Debian packages that bring them.
const NEEDED: [(&str, &str); 7] = [
    ("debootstrap", "debootstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("chroot", "coreutils"),
    ("ssh-keygen", "openssh-client"),
    (APT_HELPER, "apt"),
];

/// Downloads one URL with the machine's own apt settings (proxy, certificates).
pub(super) const APT_HELPER: &str = "/usr/lib/apt/apt-helper";

/// Checks that this process may make a lab at all.
pub(super) fn check_machine() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    for (tool, package) in NEEDED {
        if !found(tool) {
            return Err(LabError::MissingTool { tool, package });
        }
    }
    Ok(())
}

fn found(tool: &str) -> bool {
    if tool.starts_with('/') {
        return Path::new(tool).exists();
    }
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).exists()))
}

/// Runs a program to its end.
///
/// # Errors
/// [`LabError::Tool`] with the end of its stderr when it fails.
pub(super) fn run<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Result<String> {
    run_with_input(program, args, &[])
}

/// As [`run`], with bytes for its stdin (how a password reaches a program: never as an argument).
pub(super) fn run_with_input<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = shown(&command);
    let mut child = io(format!("run {program}"), command.spawn())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its stdin closes it early; its exit code tells the truth.
        let _ = stdin.write_all(input);
    }
    let output = io(format!("wait for {program}"), child.wait_with_output())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(LabError::Tool {
        command: shown,
        status: output.status.to_string(),
        stderr: last_lines(&String::from_utf8_lossy(&output.stderr), 12),
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The last `count` lines of a text.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The last `count` lines of a log file, without control characters; empty when there is none.
pub(super) fn tail(path: &Path, count: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // Colours and cursor moves of the console: ESC [ ... letter.
            if chars.next() == Some('[') {
                chars.by_ref().find(|c| c.is_ascii_alphabetic());
            }
        } else if c == '\n' || !c.is_control() {
            clean.push(c);
        }
    }
    last_lines(&clean, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_says_why() {
        let error = run("chroot", ["/nonexistent-root", "true"]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("chroot /nonexistent-root true"), "{text}");
        assert!(text.contains("cannot"), "{text}");
    }

    #[test]
    fn the_tail_of_a_console_is_plain_text() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        std::fs::write(&log, "one\n[\u{1b}[0;32m  OK  \u{1b}[0m] two\r\nthree\n").unwrap();
        assert_eq!(tail(&log, 2), "[  OK  ] two\nthree");
    }
}
