//! Owns which runs of this controller are at work: a file for each, locked for as long as its process lives.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A run that has been over for this long holds no host any more.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// A run of this process; it counts as over once this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Living {
    _file: File,
}

impl Living {
    /// Says that a run is at work. `folder` is the state folder.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn begin(folder: &Path, run: &str) -> io::Result<Self> {
        let folder = folder.join("runs");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join(run))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process has this run's number")
            }
        })?;
        Ok(Self { _file: file })
    }
}

/// The runs of this controller that are over, ended or dead; a host that one of them seems to hold may be taken over.
/// What cannot be told counts as alive.
pub fn runs_that_are_over(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("runs")) else { return Vec::new() };
    let mut over = Vec::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(file) = File::open(entry.path()) else { continue };
        if !name.bytes().all(|b| b.is_ascii_hexdigit()) || file.try_lock_shared().is_err() {
            continue;
        }
        let age = entry.metadata().and_then(|data| data.modified()).ok();
        if age.and_then(|time| SystemTime::now().duration_since(time).ok()).is_some_and(|age| age > FORGOTTEN) {
            let _ = fs::remove_file(entry.path());
        }
        over.push(name);
    }
    over.sort();
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_over_once_its_process_lets_go_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        assert!(runs_that_are_over(folder.path()).is_empty());
        let living = Living::begin(folder.path(), "0123456789ab").unwrap();
        fs::write(folder.path().join("runs/not a run"), "").unwrap();
        assert!(runs_that_are_over(folder.path()).is_empty());
        assert!(Living::begin(folder.path(), "0123456789ab").is_err());
        drop(living);
        assert_eq!(runs_that_are_over(folder.path()), ["0123456789ab"]);
    }
}
