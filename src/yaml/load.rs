//! Owns reading a text file with a bound on its size.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::model::{Diagnostic, Place, Source};

/// The largest file that is read, in bytes. An inventory of 10,000 hosts with their variables has about two million.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a UTF-8 file, or says what is wrong with it.
///
/// # Errors
/// The file is missing, unreadable, no regular file, over [`MAX_BYTES`], or not UTF-8 text.
pub fn read(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let shown = path.display().to_string();
    let fail = |detail: String, fix: &str| {
        Err(Diagnostic::error("not a text file").at(&Place::outside(&shown), "").because(detail).fix(fix))
    };
    match String::from_utf8(read_bytes(path)?) {
        Ok(text) if text.contains('\0') => fail("it holds NUL bytes".into(), "name a text file in UTF-8"),
        Ok(text) => Ok(Source::new(shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            fail(format!("byte {at} is not UTF-8"), "save it in UTF-8, or name the right file")
        }
    }
}

/// Reads a file of any content, or says what is wrong with it.
///
/// # Errors
/// The file is missing, unreadable, no regular file, or over [`MAX_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let shown = path.display().to_string();
    let fail = |summary: &str, detail: String, fix: &str| {
        Err(Diagnostic::error(summary).at(&Place::outside(&shown), "").because(detail).fix(fix))
    };
    // Asked before opening: opening a named pipe would wait for its writer.
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) => return fail("cannot read a file", error.to_string(), "check the path and its permissions"),
    };
    if !about.is_file() {
        return fail("not a regular file", format!("{shown} is a folder or a device"), "name a file");
    }
    let mut bytes = Vec::new();
    if let Err(error) = fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
        return fail("cannot read a file", error.to_string(), "check the path and its permissions");
    }
    if bytes.len() as u64 > MAX_BYTES {
        let detail = format!("{} bytes; the limit is {MAX_BYTES}", about.len().max(bytes.len() as u64));
        return fail("the file is too large", detail, "split it, or name the right file");
    }
    Ok(bytes)
}
