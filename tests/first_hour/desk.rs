//! A home folder of its own for each test, and what a program said there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// As much of a key without a passphrase as `doctor` looks at.
pub const OPEN_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMII\n";

/// A home folder with nothing in it but what a test puts there.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With the project of `rempart init` in it.
    pub fn with_project() -> Self {
        let desk = Self::new();
        let made = desk.run("", &["init", "fleet"]);
        assert!(made.good, "{}", made.all());
        desk.write(".ssh/id_rsa", OPEN_KEY);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
            command.env_remove(name);
        }
        let programs = Path::new(env!("CARGO_BIN_EXE_rempart")).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
        command.env("PATH", path).env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8");
        command.env_remove("SSH_AUTH_SOCK").current_dir(self.path(folder));
        command
    }

    pub fn run(&self, folder: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(env!("CARGO_BIN_EXE_rempart"), folder).args(arguments).output().unwrap())
    }
}

/// What a program said.
pub struct Said {
    pub good: bool,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(output: Output) -> Self {
        Self {
            good: output.status.success(),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.out, self.err)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }
}

/// Whether a program is there; if not, that is said, or is a failure where this machine must have it.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    super::skipped::skip(program, "it is not installed; scripts/packages.sh installs it");
    false
}
