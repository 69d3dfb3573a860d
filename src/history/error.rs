//! Owns what can go wrong with the controller's journal, each in one line that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why the journal cannot be used. Without a journal nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file system refuses.
    #[error("cannot {doing} {path}: {error}; mend that, or name another folder with REMPART_STATE")]
    Io {
        /// What was tried: `write`, `make the folder`, ...
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others may write in the folder, so nothing in it proves anything.
    #[error(
        "others may write in {path} (mode {mode:04o}); run `chmod 700 {path}`, or name another folder with REMPART_STATE"
    )]
    Shared {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The end of the journal is not what `journal.head` says, so going on would hide that.
    #[error(
        "{path} was changed by something else: {what}; see `rempart history verify`, then move the journal and journal.head away, and a new one begins"
    )]
    Broken {
        /// The journal.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The event cannot be written down.
    #[error("an event cannot be written as JSON: {0}; this is a bug in rempart")]
    Event(#[from] serde_json::Error),
}

/// Names what was tried in an error of the file system.
pub(super) fn io<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, HistoryError> {
    result.map_err(|error| HistoryError::Io { doing, path: path.to_owned(), error })
}
