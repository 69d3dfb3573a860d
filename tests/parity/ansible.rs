//! A pinned Ansible in the target folder, and what it makes of inventories.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// What is compared with. PyYAML is pinned, too: it decides what a scalar means.
const PACKAGES: [&str; 2] = ["ansible-core==2.19.14", "PyYAML==6.0.4"];

/// One inventory: the current folder, and what stands behind each `-i`.
pub struct Job {
    pub name: String,
    pub folder: PathBuf,
    pub sources: Vec<String>,
}

/// What Ansible says.
#[derive(Debug)]
pub enum Answer {
    /// The text of `--list`, and the same as a value, with infinities as words.
    Listing { text: String, listing: Value },
    /// Why not.
    Refused(String),
}

/// Where the packages are.
pub struct Ansible {
    packages: PathBuf,
    home: tempfile::TempDir,
}

/// Ansible, installed where it is not yet; `None` = the test is skipped, and that is said.
pub fn at_hand(test: &str) -> Option<Ansible> {
    match crate::pip::packages(&PACKAGES) {
        Ok(packages) => {
            let home = tempfile::tempdir().unwrap();
            // Nobody's settings but its own.
            fs::write(home.path().join("ansible.cfg"), "").unwrap();
            Some(Ansible { packages, home })
        }
        Err(why) => {
            crate::skipped::skip(&format!("the comparison of {test} with Ansible"), &why);
            None
        }
    }
}

impl Ansible {
    fn python(&self) -> Command {
        let mut command = Command::new("python3");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_") || name.starts_with("PYTHON"))
        {
            command.env_remove(name);
        }
        command
            .env("PYTHONPATH", &self.packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", self.home.path())
            .env("ANSIBLE_HOME", self.home.path())
            .env("ANSIBLE_CONFIG", self.home.path().join("ansible.cfg"))
            .env("LC_ALL", "C.UTF-8")
            // What it cannot read it usually passes over with a warning.
            .env("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1")
            .env("ANSIBLE_INVENTORY_UNPARSED_FAILED", "1");
        command
    }

    /// What it makes of each, in one process.
    pub fn listings(&self, jobs: &[Job]) -> Vec<Answer> {
        let asked: Vec<Value> =
            jobs.iter().map(|job| json!({ "folder": job.folder, "sources": job.sources })).collect();
        let mut child = self
            .python()
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/listings.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "listings.py: {}", output.status);
        let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let answer = |mut answer: Value| match answer["text"].as_str() {
            Some(text) => Answer::Listing { text: text.to_owned(), listing: answer["listing"].take() },
            None if answer["refused"].is_string() => Answer::Refused(answer.to_string()),
            // That Ansible fell over says nothing about an inventory.
            None => panic!("listings.py: {answer}"),
        };
        answers.into_iter().map(answer).collect()
    }

    /// What the command itself prints.
    pub fn command(&self, job: &Job) -> String {
        let output = self
            .python()
            .arg(self.packages.join("bin/ansible-inventory"))
            .arg("--list")
            .args(job.sources.iter().flat_map(|source| ["-i", source]))
            .current_dir(&job.folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
