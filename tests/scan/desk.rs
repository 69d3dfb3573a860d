//! A folder with a git repository, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::said::Said;
use crate::skipped::skip;

pub const REMPART: &str = env!("CARGO_BIN_EXE_rempart");

pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// An empty repository in the folder `repo`; `None`, and said, where there is no git.
    pub fn new() -> Option<Self> {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(desk.path("repo")).unwrap();
        if Command::new("git").arg("--version").output().is_err() {
            skip("what needs a repository", "git is not installed");
            return None;
        }
        desk.git("repo", &["init", "-q", "-b", "main"]).ends(0);
        Some(desk)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, program: &str, folder: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("REMPART_") || name.starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        // The hook finds the program that is tested.
        let folders = [Path::new(REMPART).parent().unwrap().to_path_buf()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path))).unwrap();
        command.env("PATH", path).env("HOME", self.folder.path()).env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "t").env(format!("GIT_{role}_EMAIL"), "t@localhost");
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.path(folder));
        command
    }

    pub fn git(&self, folder: &str, arguments: &[&str]) -> Said {
        Said::of(self.command("git", folder).args(arguments).output().unwrap())
    }

    /// The program with the rights that a file's mode gives, which root does not need; `None`, and said, where root cannot
    /// be without.
    pub fn scan_as_the_mode_has_it(&self, folder: &str, arguments: &[&str]) -> Option<Said> {
        if !rustix::process::geteuid().is_root() {
            return Some(self.scan(folder, arguments));
        }
        let rights = ["--bounding-set", "-dac_override,-dac_read_search", "--", REMPART, "secrets", "scan"];
        let done = self.command("setpriv", folder).args(rights).args(arguments).output();
        if done.is_err() {
            skip("a file that may not be read", "root reads everything, and there is no setpriv");
        }
        done.ok().map(Said::of)
    }

    /// The program with no other one to be found.
    pub fn scan_alone(&self, folder: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(REMPART, folder);
        command.env("PATH", "/no/such/folder").args(["secrets", "scan"]).args(arguments);
        Said::of(command.output().unwrap())
    }

    pub fn scan(&self, folder: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(REMPART, folder).args(["secrets", "scan"]).args(arguments).output().unwrap())
    }
}
