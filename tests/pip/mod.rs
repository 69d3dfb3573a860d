//! Owns pinned packages of Python in the target folder, installed once for all tests that need them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with these packages. It is named after all that is pinned, so that another pin is another folder.
///
/// # Errors
/// Why they are not to be had.
pub fn packages(pins: &[&str]) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(pins.join("-").replace("==", "-"));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // Tests run in processes of their own; one installs, the others wait.
    let lock = File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|error| error.to_string())?;
    let done = folder.join("installed");
    if done.exists() {
        return Ok(folder);
    }
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"])
        .arg(&folder)
        .args(pins)
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pip cannot install {}: {}", pins.join(" "), said.lines().last().unwrap_or("")));
    }
    fs::write(done, pins.join("\n")).map_err(|error| error.to_string())?;
    Ok(folder)
}
