//! A project in a folder of its own, with keys of its own, and rempart run in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::said::Said;

const REMPART: &str = env!("CARGO_BIN_EXE_rempart");

pub struct Project {
    folder: tempfile::TempDir,
    /// Where keys are, by the name of their owner.
    homes: tempfile::TempDir,
}

impl Project {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), homes: tempfile::tempdir().unwrap() }
    }

    /// With a store of which `alice`, who runs everything, is the one reader.
    pub fn with_store() -> Self {
        let project = Self::new();
        project.run(&["secrets", "init"]).ends(0);
        project
    }

    /// Another project whose store is for the same reader.
    pub fn with_store_of(other: &Self) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), homes: tempfile::tempdir().unwrap() };
        let from = other.homes.path().join("alice/.config/sops/age/keys.txt");
        let to = project.homes.path().join("alice/.config/sops/age/keys.txt");
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        project.run(&["secrets", "init"]).ends(0);
        project
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Every file of the project.
    pub fn files(&self) -> Vec<PathBuf> {
        let (mut left, mut files) = (vec![self.folder().to_owned()], Vec::new());
        while let Some(at) = left.pop() {
            for entry in fs::read_dir(at).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() { left.push(path) } else { files.push(path) }
            }
        }
        files
    }

    fn home(&self, who: &str) -> PathBuf {
        let home = self.homes.path().join(who);
        fs::create_dir_all(&home).unwrap();
        home
    }

    /// The public key of somebody, who gets a key now if there is none.
    pub fn public_key(&self, who: &str) -> String {
        let path = self.home(who).join(".config/sops/age/keys.txt");
        if !path.exists() {
            let elsewhere = tempfile::tempdir().unwrap();
            self.as_in(who, elsewhere.path(), &["secrets", "init"], None).ends(0);
        }
        let text = fs::read_to_string(path).unwrap();
        text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
    }

    fn as_in(&self, who: &str, folder: &Path, args: &[&str], input: Option<&str>) -> Said {
        let mut command = self.command(who, folder, args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().unwrap();
        if let Some(input) = input {
            // Whoever does not read it is not asked to.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        }
        Said::of(child.wait_with_output().unwrap())
    }

    fn command(&self, who: &str, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(REMPART);
        command.args(args).current_dir(folder).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home(who)).env("NO_COLOR", "1").env("REMPART_STATE", self.home(who).join("state"));
        if let Ok(editor) = fs::read_to_string(self.homes.path().join("editor")) {
            command.env("EDITOR", format!("sh -c '{}' sh", editor.replace('\'', "'\\''")));
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Said {
        self.by("alice", args)
    }

    pub fn by(&self, who: &str, args: &[&str]) -> Said {
        self.as_in(who, self.folder(), args, None)
    }

    /// In a folder of the project.
    pub fn within(&self, folder: &str, args: &[&str]) -> Said {
        self.as_in("alice", &self.folder().join(folder), args, None)
    }

    pub fn piped(&self, args: &[&str], input: &str) -> Said {
        self.as_in("alice", self.folder(), args, Some(input))
    }

    pub fn without_key(&self, args: &[&str]) -> Said {
        self.by("nobody", args)
    }

    pub fn with_other_key(&self, args: &[&str]) -> Said {
        self.public_key("mallory");
        self.by("mallory", args)
    }

    /// Begins to edit a file of the store, and leaves it to the caller to end it.
    pub fn begin_edit(&self, file: &str, script: &str) -> Child {
        fs::write(self.homes.path().join("editor"), script).unwrap();
        let mut command = self.command("alice", self.folder(), &["secrets", "edit", file]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Edits a file of the store with a script of sh, which gets the path as `$1`.
    pub fn edit(&self, file: &str, script: &str) -> Said {
        let editor = self.homes.path().join("editor");
        fs::write(&editor, script).unwrap();
        let ran = self.run(&["secrets", "edit", file]);
        fs::remove_file(editor).unwrap();
        ran
    }

    /// Runs rempart as one that is killed as soon as it writes a file of more than a few kilobytes.
    pub fn killed_by_a_large_file(&self, args: &[&str]) {
        let ran = self.behind("ulimit -c 0; ulimit -f 16", args);
        assert_eq!(ran.code, -1, "not killed: {ran}");
    }

    /// Runs rempart behind some commands of the shell.
    pub fn behind(&self, commands: &str, args: &[&str]) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{commands}; exec \"$@\""), "sh", REMPART]).args(args);
        command.current_dir(self.folder()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home("alice")).env("NO_COLOR", "1");
        command.env("REMPART_STATE", self.home("alice").join("state"));
        Said::of(command.stdin(Stdio::null()).output().unwrap())
    }

    /// Runs git in the project, as somebody.
    pub fn git(&self, args: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]);
        let output = command.args(args).current_dir(self.folder()).env("HOME", self.home("alice")).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn commit(&self, what: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", what]);
    }
}
