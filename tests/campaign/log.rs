//! Owns what is kept of a campaign: a line for each case, as soon as it is known.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::case::{Case, Verdict};

/// Where logs lie; they outlive the campaign.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("campaign")
}

/// Held by a campaign as long as it plays.
pub fn lock() -> fs::File {
    fs::create_dir_all(folder()).unwrap();
    let file = fs::File::create(folder().join("lock")).unwrap();
    file.lock().unwrap();
    file
}

/// The commit of the tree, and whether it has changes that are in no commit.
pub fn commit() -> String {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let dirty = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "-changed" };
    format!("{}{dirty}", git(&["rev-parse", "--short=12", "HEAD"]))
}

/// One line.
pub fn line(case: &Case, verdict: &Verdict) -> String {
    let word = if verdict.faults.is_empty() { "good" } else { "BAD" };
    format!(
        "{word}\t{}\t{}\t{}\t{}\t{:.0} s\texit {}\tmoved {}\tpackages {}\ttemporary {}\t{}\t{}",
        case.name(),
        case.moment,
        case.step.at + 1,
        case.step.title,
        verdict.took.as_secs_f32(),
        verdict.exit,
        verdict.moved,
        verdict.packages,
        verdict.temporary,
        verdict.spent.trim(),
        verdict.faults.iter().take(12).cloned().collect::<Vec<_>>().join(" // "),
    )
}

/// A case that the campaign itself could not play.
pub fn broken(case: &Case, why: &str) -> String {
    let why: String = why.replace(['\n', '\t'], " ").chars().take(500).collect();
    format!("BROKEN\t{}\t{}\t{}\t{}\t{why}", case.name(), case.moment, case.step.at + 1, case.step.title)
}

/// The last line of each case in a log.
pub fn last_lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_default();
    let mut last = std::collections::BTreeMap::new();
    for line in text.lines() {
        last.insert(line.split('\t').nth(1).unwrap_or("").to_owned(), line.to_owned());
    }
    last.into_values().collect()
}

/// The names of the cases that were good the last time.
pub fn good(name: &str) -> Vec<String> {
    let lines = last_lines(name);
    lines
        .iter()
        .filter(|line| line.starts_with("good\t"))
        .filter_map(|line| Some(line.split('\t').nth(1)?.to_owned()))
        .collect()
}

/// Appends a line to a log.
pub fn append(name: &str, line: &str) {
    fs::create_dir_all(folder()).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(folder().join(name)).unwrap();
    writeln!(file, "{line}").unwrap();
}
