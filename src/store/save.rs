//! Owns putting a file of the store onto the disk: whole or not at all, and with the mode that it had.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::fault::{Fault, FaultKind};

/// Writes a file in one step. A new one is readable by its owner and group as the umask has it; what it holds is encrypted.
///
/// # Errors
/// The folder cannot be written to, or the disk is full; the old file is then as it was.
pub fn save(path: &Path, text: &str) -> Result<(), Fault> {
    write(path, text).map_err(|error| {
        let fix = "check the folder, its permissions and the disk; the old file is as it was";
        let detail = error.to_string();
        Fault::new(FaultKind::Write, "a file of the store cannot be written", detail, fix)
            .within(&path.display().to_string())
    })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link is followed, so that it stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.{}.new", std::process::id()));
    let mode = fs::metadata(&path).map(|about| about.permissions().mode() & 0o7777).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode.unwrap_or(0o644)).open(&fresh)?;
    let done = file
        .write_all(text.as_bytes())
        .and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&fresh, &path));
    if done.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    done?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gw.yaml");
        save(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        save(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let fault = save(&folder.path().join("none/gw.yaml"), "x").unwrap_err();
        assert_eq!(fault.kind, FaultKind::Write);
    }
}
