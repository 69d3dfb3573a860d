//! Folders in which examples are run: the repository's own project with the demo fleet, and a small project of
//! the names that examples use. They are run in a network namespace without any network, so no host is ever reached.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rempart::history::{EndEvent, Event, IntentEvent, Journal, RunEvent, RunSelection, RunTotals, RunVerb, StepIntent};
use rempart::model::HostName;

use crate::source::{files_below, root};

/// A folder with a home, a journal of two runs, and both projects.
pub struct Scratch {
    folder: tempfile::TempDir,
}

const FLEET: &str = "all:
  vars: { ansible_user: admin, ansible_ssh_retries: 0 }
  children:
    servers:
      hosts:
        web1: { ansible_host: 192.0.2.11 }
        db1: { ansible_host: 192.0.2.12 }
    web: { hosts: { web1: } }
    paris: { hosts: { web1: , db1: } }
    proxies: { hosts: { gw1: { ansible_host: 192.0.2.13 } } }
    new_servers: { hosts: { web2: { ansible_host: 192.0.2.14 } } }
    staging: { hosts: { web2: } }
";

const SITE: &str = "playbook: site
hosts: all
phases:
  preparation:
    - package_apt: { names: [curl] }
  hardening:
    - sysctl: { name: net.ipv4.conf.all.log_martians, value: 1 }
";

// Of a pair that nobody has the other half of; what stands in its place is as much of one as is read before a login.
const PRIVATE_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMII\n";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBdXJ1jZsXcW6kQ0vGm0b8iZJr8vWyJm5l6Qn3a2Cw1d ops@control\n";

impl Scratch {
    pub fn new() -> Self {
        let scratch = Self { folder: tempfile::tempdir().unwrap() };
        scratch.demo();
        let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
        let motd = readme.split("```yaml playbook\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        for (name, text) in [
            ("project/site.yaml", SITE),
            ("project/playbooks/site.yaml", SITE),
            ("project/motd.yaml", motd),
            ("project/hosts.yml", FLEET),
            ("project/inventories/hosts.yaml", FLEET),
            ("project/inventories/prod.yaml", FLEET),
            ("project/first-password", "only-for-the-example\n"),
            (".ssh/id_ed25519", PRIVATE_KEY),
            (".ssh/id_ed25519.pub", KEY),
            (".ssh/ops.pub", KEY),
        ] {
            scratch.write(name, text);
        }
        for secret in [".ssh/id_ed25519", "project/first-password"] {
            let closed = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(scratch.folder.path().join(secret), closed).unwrap();
        }
        scratch.journal();
        scratch
    }

    // As it is in the repository, with what `lab/make-files.sh` would note.
    fn demo(&self) {
        for top in ["inventories", "playbooks", "templates", "lab"] {
            for from in files_below(&root().join(top)) {
                let name = from.strip_prefix(root()).unwrap();
                let to = self.folder.path().join("demo").join(name);
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(&from, &to).unwrap();
            }
        }
        let sum = "0".repeat(64);
        let noted = format!("ollama_sha256: \"{sum}\"\nollama_image_sha256: \"{sum}\"\n");
        self.write("demo/inventories/group_vars/ollama/lab-files.yaml", &noted);
    }

    fn journal(&self) {
        let journal = Journal::open(&self.folder.path().join("state")).unwrap();
        for (run, exit) in [("3f2a00c1d2e4", Some(0)), ("3f9a00c1d2e4", Some(1))] {
            let host = HostName::new("web1");
            let step = StepIntent { ids: vec!["file:/etc/motd".into()], title: "write /etc/motd".into(), risky: false };
            let start = RunEvent {
                run: run.into(),
                verb: RunVerb::Apply,
                who: "ops@control".into(),
                why: "an example".into(),
                playbooks: vec![self.folder.path().join("project/motd.yaml").display().to_string()],
                inventories: vec![self.folder.path().join("project/hosts.yml").display().to_string()],
                selection: RunSelection::default(),
                set_names: Vec::new(),
                approved: Vec::new(),
                resumes: None,
                allowed_lockouts: Vec::new(),
            };
            let mut events = vec![
                Event::Run(Box::new(start)),
                Event::Intent(IntentEvent { run: run.into(), host, batch: 1, steps: vec![step] }),
            ];
            events
                .extend(exit.map(|exit| Event::End(EndEvent { run: run.into(), exit, totals: RunTotals::default() })));
            events.iter().for_each(|event| journal.append(event).unwrap());
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a line as a shell would, with nobody at the terminal and no network.
    pub fn shell(&self, folder: &str, line: &str) -> (i32, String) {
        let programs = Path::new(env!("CARGO_BIN_EXE_rempart")).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new("unshare");
        // Who is not root needs a user namespace for it.
        command.arg(if rustix::process::geteuid().is_root() { "-n" } else { "-rn" }).args(["--", "bash"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
            command.env_remove(name);
        }
        command.env("PATH", path).env("HOME", self.folder.path()).env("LC_ALL", "C.UTF-8");
        command.env("REMPART_STATE", self.folder.path().join("state")).env_remove("SSH_AUTH_SOCK");
        command.args(["--norc", "-o", "pipefail", "-c", line]).current_dir(self.folder.path().join(folder));
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }
}
