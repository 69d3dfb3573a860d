//! Owns that a program does not outlive rempart: however rempart ends, the program and all that it started end, too.
//!
//! A program has a process group of its own, so that a time limit ends what it started as well. But then Ctrl-C and a
//! terminal that is closed reach rempart alone, and a `kill -9` nobody else ever. So a shell waits at a pipe whose other
//! end only rempart holds: a word on it says that all is well, and its end without one that rempart is gone.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// One who waits beside a program; dropped when the program has ended.
pub(super) struct Watch(Option<Child>);

impl Watch {
    /// Over the process group of this number. Where no shell can be started, nobody waits.
    pub fn over(group: u32) -> Self {
        let watcher = Command::new("/bin/sh")
            .args(["-c", "read -r word || kill -s KILL -- \"-$1\"", "sh", &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // It must not hear the Ctrl-C that ends rempart.
            .process_group(0)
            .spawn();
        Self(watcher.ok())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(mut watcher) = self.0.take() else { return };
        if let Some(mut pipe) = watcher.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = watcher.wait();
    }
}
