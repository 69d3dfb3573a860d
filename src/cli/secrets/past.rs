//! Owns the store's past: every version of its files that git remembers, on any branch.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::model::Source;
use crate::store::Locked;

/// So many versions are looked at; more is said, and not passed over in silence.
const MOST: usize = 20_000;

/// What git remembers of a folder.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The versions, each with its file's name below the folder.
    pub versions: Vec<Locked>,
    /// What nobody can say, in words; each is a reason to change more rather than less.
    pub gaps: Vec<String>,
}

impl Past {
    /// Everything that git has of the files below a folder.
    pub fn of(folder: &Path) -> Past {
        let git = |arguments: &[&str]| -> Option<String> {
            let mut command = Command::new("git");
            command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
            let output = command.output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let mut past = Past::default();
        let Some(shallow) = git(&["rev-parse", "--is-shallow-repository"]) else {
            past.gaps.push("there is no git history here, or no git".into());
            return past;
        };
        if shallow.trim() == "true" {
            past.gaps.push("this clone is shallow: older versions are not here (`git fetch --unshallow`)".into());
        }
        let log = [
            "log",
            "--all",
            "--full-history",
            "-m",
            "--relative",
            "-z",
            "--name-only",
            "--format=%x01%H%x01",
            "--",
            ".",
        ];
        let Some(log) = git(&log) else {
            past.gaps.push("git does not tell its history".into());
            return past;
        };
        let mut seen = BTreeSet::new();
        for (commit, name) in changes(&log) {
            let at = format!("{commit}:./{name}");
            let Some(blob) = git(&["rev-parse", "--verify", "--quiet", &at]) else { continue };
            if !seen.insert((name.clone(), blob)) {
                continue;
            }
            if seen.len() > MOST {
                past.gaps.push(format!("only the newest {MOST} versions were looked at"));
                break;
            }
            let Some(text) = git(&["cat-file", "blob", &at]) else {
                past.gaps.push(format!("{at} cannot be read"));
                continue;
            };
            // What was no file of SOPS had no recipients.
            past.versions.extend(Locked::parse(Source::new(at, text), &name).ok());
        }
        past
    }
}

// The commits with the names of the YAML files that they touched.
fn changes(log: &str) -> Vec<(String, String)> {
    let mut commit = String::new();
    let mut all = Vec::new();
    for part in log.split(['\0', '\n']) {
        let part = part.trim_start_matches('\n');
        match part.strip_prefix('\u{1}').and_then(|rest| rest.split_once('\u{1}')) {
            Some((hash, rest)) => {
                commit = hash.to_owned();
                if rest.ends_with(".yaml") || rest.ends_with(".yml") {
                    all.push((commit.clone(), rest.to_owned()));
                }
            }
            None if part.ends_with(".yaml") || part.ends_with(".yml") => all.push((commit.clone(), part.to_owned())),
            None => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_commits_are_told_apart() {
        let log = "\u{1}aaa\u{1}\0\ngw.yaml\0prod/db.yml\0\u{1}bbb\u{1}\0\nREADME.md\0gw.yaml\0";
        let told: Vec<String> = changes(log).into_iter().map(|(commit, name)| format!("{commit} {name}")).collect();
        assert_eq!(told, ["aaa gw.yaml", "aaa prod/db.yml", "bbb gw.yaml"]);
    }

    #[test]
    fn where_git_knows_nothing_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let past = Past::of(folder.path());
        assert!(past.versions.is_empty());
        assert_eq!(past.gaps.len(), 1, "{:?}", past.gaps);
    }
}
