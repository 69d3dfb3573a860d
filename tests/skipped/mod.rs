//! Owns how a test says that it could not run here: where everybody sees it, or as a failure where it must run.

use std::io::Write;

/// Tells that `test` was skipped and why. Where `REMPART_LAB=required` or `CI` says that everything must run, it fails.
pub fn skip(test: &str, why: &str) {
    let required = std::env::var("REMPART_LAB").is_ok_and(|value| value == "required");
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!required && !in_ci, "{test} must run here (REMPART_LAB=required, or CI), but: {why}");
    // Not `eprintln!`: cargo's own runner keeps what a test that passed printed to itself.
    let _ = writeln!(std::io::stderr(), "NOTICE: SKIPPED {test}: {why}");
}
