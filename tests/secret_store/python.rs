//! The format written a second time, in Python, with pinned packages in the target folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const PACKAGES: [&str; 3] = ["pyrage==1.4.0", "cryptography==48.0.0", "PyYAML==6.0.4"];

/// Where the packages are.
pub struct Python(PathBuf);

/// The packages, installed where they are not yet; `None` = the test is skipped, and that is said.
pub fn at_hand(test: &str) -> Option<Python> {
    match super::pip::packages(&PACKAGES) {
        Ok(packages) => Some(Python(packages)),
        Err(why) => super::skipped(test, &why),
    }
}

impl Python {
    /// What it answers to each job.
    pub fn answers(&self, jobs: &[Value]) -> Vec<Value> {
        let mut child = Command::new("python3")
            .env("PYTHONPATH", &self.0)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret_store/sops_format.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(json!(jobs).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "sops_format.py: {}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The one answer to one job, which must be no refusal.
    pub fn answer(&self, job: Value) -> Value {
        let answer = self.answers(&[job]).remove(0);
        assert!(answer.get("error").is_none(), "{answer}");
        answer
    }
}
