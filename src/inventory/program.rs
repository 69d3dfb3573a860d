//! Owns running an inventory program: its output within bounds of time and size, or why there is none.
//!
//! Must not know what the output means. The program is whatever the user named, with the user's rights, as Ansible runs
//! it: only a file that may be executed and that says with `#!` (or as an ELF file) that it is a program. A file of
//! another shape that happens to be executable is never handed to a shell. Ansible tries to start every file that may
//! be executed, and reads it where the kernel refuses, as it does there; here that is known beforehand.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::watch::Watch;

/// How long one call may take.
const TIME: Duration = Duration::from_secs(60);
/// How much it may print: ten thousand hosts of a cloud, each with some kilobytes.
const MOST: u64 = 64 * 1024 * 1024;
/// How long its output is waited for after it has ended: a child of its own may hold it open.
const LINGER: Duration = Duration::from_secs(2);
/// How much of its standard error is kept.
const SAID: usize = 4096;

/// What a program said.
pub(super) struct Output {
    /// Its standard output.
    pub text: String,
    /// The beginning of its standard error.
    pub said: String,
}

/// Why a program gave no answer: what happened, what it said meanwhile, and what to do.
pub(super) struct Failure {
    pub why: String,
    pub said: String,
    pub fix: &'static str,
}

/// Whether a file is a program that may be run.
pub(super) fn is_program(path: &Path) -> bool {
    is_executable(path) && (begins(path, b"#!") || begins(path, b"\x7fELF"))
}

/// Whether a file is a program that may not be run.
pub(super) fn lacks_permission(path: &Path) -> bool {
    !is_executable(path) && begins(path, b"#!")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn begins(path: &Path, with: &[u8]) -> bool {
    let mut first = vec![0; with.len()];
    std::fs::metadata(path).is_ok_and(|about| about.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok()
        && first == with
}

/// Runs it, `--list` or `--host NAME`.
pub(super) fn run(path: &Path, arguments: &[&str]) -> Result<Output, Failure> {
    run_within(path, arguments, TIME)
}

fn run_within(path: &Path, arguments: &[&str], time: Duration) -> Result<Output, Failure> {
    let fail = |why: String, fix| Failure { why, said: String::new(), fix };
    // Absolute, so that a name without a slash is not searched for in PATH.
    let absolute = std::path::absolute(path).map_err(|error| fail(error.to_string(), "check the path"))?;
    let mut command = Command::new(absolute);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| {
        fail(format!("it cannot be started: {error}"), "check its first line (`#!`) and what that names")
    })?;
    let _watch = Watch::over(child.id());
    let text = child.stdout.take().map(|pipe| follow(pipe, MOST));
    // Read to its end, so that nobody waits for room; kept in part.
    let said = child.stderr.take().map(|pipe| follow(pipe, MOST));
    let ended = wait(&mut child, text.as_ref(), time);
    let said = said.and_then(|pipe| pipe.recv_timeout(LINGER).ok()).unwrap_or_default();
    let said = String::from_utf8_lossy(&said.bytes[..said.bytes.len().min(SAID)]).trim().to_owned();
    let fail = |why: String, fix| Failure { why, said: said.clone(), fix };
    match ended {
        End::Late => Err(fail(
            format!("it was stopped after {} seconds", time.as_secs()),
            "make it faster, or let it write its answer to a file and name that",
        )),
        End::Lost(why) => Err(fail(why, "try again")),
        End::Open => Err(fail(
            "it ended, and something that it started still holds its output open".into(),
            "let it wait for what it starts",
        )),
        // How it ended says nothing then: nobody listened to it any more.
        End::Exit(_, bytes) if bytes.cut => {
            Err(fail(format!("it wrote more than {MOST} bytes"), "let it say less, or split it"))
        }
        End::Exit(status, _) if !status.success() => {
            Err(fail(ending(status), "run it by hand with --list, and mend what it says"))
        }
        End::Exit(_, bytes) => match String::from_utf8(bytes.bytes) {
            Ok(text) if !text.contains('\0') => Ok(Output { text, said }),
            _ => Err(fail("what it wrote is not UTF-8 text".into(), "let it write JSON in UTF-8")),
        },
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with status {code}"),
        (_, Some(signal)) => format!("it was ended by signal {signal}"),
        _ => "it ended without a status".into(),
    }
}

#[derive(Default)]
struct Bytes {
    bytes: Vec<u8>,
    // There was more than was kept.
    cut: bool,
}

fn follow(pipe: impl Read + Send + 'static, most: u64) -> Receiver<Bytes> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(most + 1).read_to_end(&mut bytes);
        let cut = bytes.len() as u64 > most;
        let _ = send.send(Bytes { bytes, cut });
    });
    receive
}

enum End {
    Exit(ExitStatus, Bytes),
    Late,
    Open,
    Lost(String),
}

fn wait(child: &mut Child, text: Option<&Receiver<Bytes>>, time: Duration) -> End {
    let end = Instant::now() + time;
    let mut read: Option<Bytes> = None;
    let exit = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Err(error) => {
                stop(child);
                return End::Lost(format!("it cannot be waited for: {error}"));
            }
            Ok(None) => {}
        }
        if read.as_ref().is_some_and(|read| read.cut) || Instant::now() > end {
            break None;
        }
        // Its output ends when it does, most often; that is what is waited for.
        match text {
            Some(pipe) if read.is_none() => match pipe.recv_timeout(Duration::from_millis(20)) {
                Ok(bytes) => read = Some(bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => read = Some(Bytes::default()),
            },
            _ => thread::sleep(Duration::from_millis(5)),
        }
    };
    let Some(status) = exit else {
        let cut = read.is_some_and(|read| read.cut);
        stop(child);
        // It was stopped for what it wrote, so its status says nothing.
        return if cut { End::Exit(ExitStatus::from_raw(0), Bytes { bytes: Vec::new(), cut }) } else { End::Late };
    };
    let read = read.or_else(|| text.and_then(|pipe| pipe.recv_timeout(LINGER).ok()));
    match read {
        Some(bytes) => End::Exit(status, bytes),
        None => {
            stop(child);
            End::Open
        }
    }
}

// With everything that it started.
fn stop(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn program(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    fn outcome(text: &str, time: Duration) -> String {
        let (_folder, path) = program(text);
        match run_within(&path, &["--list"], time) {
            Ok(output) => format!("{}|{}", output.text.trim(), output.said),
            Err(failure) => format!("{}|{}", failure.why, failure.said),
        }
    }

    #[test]
    fn what_it_says_and_how_it_ends_is_known() {
        let long = Duration::from_secs(30);
        assert_eq!(outcome("#!/bin/sh\necho \"$1\"; echo hm >&2\n", long), "--list|hm");
        assert_eq!(outcome("#!/bin/sh\necho no >&2; exit 3\n", long), "it ended with status 3|no");
        assert_eq!(outcome("#!/bin/sh\nkill -9 $$\n", long), "it was ended by signal 9|");
        assert_eq!(outcome("#!/bin/sh\nprintf '\\377'\n", long), "what it wrote is not UTF-8 text|");
        assert!(outcome("#!/no/such/thing\n", long).starts_with("it cannot be started"));
    }

    #[test]
    fn it_is_bounded_in_time_and_size_with_all_that_it_started() {
        let begun = Instant::now();
        let told = outcome("#!/bin/sh\necho wait >&2\nsleep 100 & sleep 100\n", Duration::from_secs(1));
        assert_eq!(told, "it was stopped after 1 seconds|wait");
        assert!(outcome("#!/bin/sh\nyes\n", Duration::from_secs(50)).starts_with("it wrote more than"));
        assert!(begun.elapsed() < Duration::from_secs(40));
    }

    #[test]
    fn only_what_says_so_is_a_program() {
        let (_folder, path) = program("[web]\nweb1\n");
        assert!(!is_program(&path) && !lacks_permission(&path));
        let (_folder, path) = program("#!/bin/sh\n");
        assert!(is_program(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!is_program(&path) && lacks_permission(&path));
    }
}
