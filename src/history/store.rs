//! Owns the controller's journal on disk: appended to by several threads and processes, and whole after any crash.
//!
//! An append holds a lock on the file; it writes one line, syncs it, and then replaces `journal.head`. What a crash left
//! behind the last whole line is cut off by the next append and noted as `torn`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::chain::{Head, seal, sha256};
use super::error::{HistoryError, io};
use super::event::{Event, TornEvent};
use super::head::{Behind, behind, head_text, read_head};

/// The name of the journal in the state folder.
pub(super) const JOURNAL: &str = "journal";
/// The name of the file that says where it ends.
pub(super) const HEAD: &str = "journal.head";
/// So much of the journal's end is looked at first for the line that the head names.
const WINDOW: u64 = 64 * 1024;

/// The controller's journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    // The end after the last append of this process, and how long the file was then.
    end: Option<(Head, u64)>,
}

impl Journal {
    /// Opens the journal of a state folder, and makes both if there are none. What a crash left is mended.
    ///
    /// # Errors
    /// There can be no journal there, or its end is not what `journal.head` says.
    pub fn open(folder: &Path) -> Result<Journal, HistoryError> {
        make_folder(folder)?;
        let file = open_file(folder)?;
        let journal = Journal { folder: folder.to_owned(), open: Mutex::new(Open { file, end: None }) };
        journal.locked(|_, _| Ok(()))?;
        Ok(journal)
    }

    /// Writes one event down. When this returns, it is on the disk.
    ///
    /// # Errors
    /// It is not; then nothing may be changed that the event was to announce.
    pub fn append(&self, event: &Event) -> Result<(), HistoryError> {
        let text = serde_json::to_string(event)?;
        self.locked(|open, end| self.write(open, end, &text))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(JOURNAL)
    }

    // Does something while no other thread or process appends, from a mended end on.
    fn locked(&self, work: impl FnOnce(&mut Open, Head) -> Result<(), HistoryError>) -> Result<(), HistoryError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path();
        loop {
            io("lock", &path, open.file.lock())?;
            // Somebody may have moved the journal away: what is appended to that one is lost to the next reader.
            let held = io("look at", &path, open.file.metadata())?;
            if fs::metadata(&path).is_ok_and(|now| (now.ino(), now.dev()) == (held.ino(), held.dev())) {
                break;
            }
            *open = Open { file: open_file(&self.folder)?, end: None };
        }
        let done = self.mended_end(&mut open).and_then(|end| work(&mut open, end));
        if done.is_err() {
            open.end = None;
        }
        // The lock ends with the file in any case, so that an error here could only hide a better one.
        let _ = open.file.unlock();
        done
    }

    // The end of the journal, after what a crash left is cut off.
    fn mended_end(&self, open: &mut Open) -> Result<Head, HistoryError> {
        let path = self.path();
        let length = io("look at", &path, open.file.metadata())?.len();
        if let Some((end, then)) = &open.end
            && *then == length
        {
            return Ok(end.clone());
        }
        let named = self.head_file()?;
        let broken = |what: &str| HistoryError::Broken { path: path.clone(), what: what.to_owned() };
        let Some(bytes) = behind_head(&mut open.file, &path, &named, length)? else {
            return Err(broken("it has not the line that journal.head names, so lines were removed or changed"));
        };
        match behind(&named, &bytes) {
            Behind::Nothing => {
                open.end = Some((named.clone(), length));
                Ok(named)
            }
            Behind::OneLine(end) => {
                self.write_head(&end)?;
                open.end = Some((end.clone(), length));
                Ok(end)
            }
            Behind::Torn => {
                let torn = TornEvent { bytes: bytes.len() as u64, sha256: sha256(&bytes) };
                io("cut", &path, open.file.set_len(length - torn.bytes))?;
                io("write", &path, open.file.sync_all())?;
                let text = serde_json::to_string(&Event::Torn(torn))?;
                self.write(open, named, &text)?;
                open.end.as_ref().map(|(end, _)| end.clone()).ok_or_else(|| broken("its end was lost"))
            }
            Behind::TooMuch => Err(broken("it goes on behind the line that journal.head names")),
        }
    }

    // What `journal.head` says; a journal that never had one begins at number 0.
    fn head_file(&self) -> Result<Head, HistoryError> {
        let path = self.folder.join(HEAD);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Head::default()),
            read => read_head(&io("read", &path, read)?).ok_or_else(|| HistoryError::Broken {
                path: self.path(),
                what: "journal.head cannot be read".to_owned(),
            }),
        }
    }

    fn write(&self, open: &mut Open, end: Head, text: &str) -> Result<(), HistoryError> {
        let path = self.path();
        let before = io("look at", &path, open.file.metadata())?.len();
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let seq = end.seq + 1;
        let mut line = seal(&end.hash, &format!("{seq}\t{epoch}\t{text}"));
        let hash = line[..64].to_owned();
        line.push('\n');
        let written = open.file.write_all(line.as_bytes()).and_then(|()| open.file.sync_all());
        if written.is_err() {
            // Half a line would be cut off by the next append anyway; this only spares it the note.
            let _ = open.file.set_len(before);
        }
        io("write", &path, written)?;
        let end = Head { seq, hash };
        self.write_head(&end)?;
        open.end = Some((end, before + line.len() as u64));
        Ok(())
    }

    fn write_head(&self, head: &Head) -> Result<(), HistoryError> {
        let (path, new) = (self.folder.join(HEAD), self.folder.join("journal.head.new"));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(head_text(head).as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        io("write", &path, write())
    }
}

// The bytes behind the line that the head names; `None` if that line is not there.
fn behind_head(file: &mut File, path: &Path, head: &Head, length: u64) -> Result<Option<Vec<u8>>, HistoryError> {
    let start = format!("{}\t{}\t", head.hash, head.seq);
    let mut window = WINDOW;
    loop {
        let from = if head.seq == 0 { 0 } else { length.saturating_sub(window) };
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(length - from).read_to_end(&mut bytes));
        io("read", path, read)?;
        if head.seq == 0 {
            return Ok(Some(bytes));
        }
        // From the end: the line that is looked for is the last one, or the one before it.
        let mut at = bytes.len();
        while let Some(line) = bytes[..at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map(|newline| newline + 1)
            .or((from == 0 && at > 0).then_some(0))
        {
            if bytes[line..].starts_with(start.as_bytes())
                && let Some(newline) = bytes[line..].iter().position(|byte| *byte == b'\n')
            {
                bytes.drain(..line + newline + 1);
                return Ok(Some(bytes));
            }
            at = line.saturating_sub(1);
            if line == 0 {
                break;
            }
        }
        if from == 0 {
            return Ok(None);
        }
        window *= 8;
    }
}

// Only for its owner; an existing folder keeps its mode, but others may not write in it.
fn make_folder(folder: &Path) -> Result<(), HistoryError> {
    if let Some(parent) = folder.parent() {
        io("make the folder", parent, fs::create_dir_all(parent))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => {
            io("make the folder", folder, made)?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                io("write", parent, File::open(parent).and_then(|parent| parent.sync_all()))?;
            }
        }
    }
    let mode = io("look at", folder, fs::metadata(folder))?.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(HistoryError::Shared { path: folder.to_owned(), mode });
    }
    Ok(())
}

fn open_file(folder: &Path) -> Result<File, HistoryError> {
    let path = folder.join(JOURNAL);
    let file = io("open", &path, OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&path))?;
    let mode = io("look at", &path, file.metadata())?.permissions().mode();
    if mode & 0o077 != 0 {
        io("close to others", &path, file.set_permissions(fs::Permissions::from_mode(0o600)))?;
    }
    io("write", folder, File::open(folder).and_then(|folder| folder.sync_all()))?;
    Ok(file)
}
