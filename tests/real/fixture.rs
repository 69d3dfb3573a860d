//! Real hosts for a test: a lab of its own, taken down with the value, and rempart's binary run inside of its network.

#[path = "../skipped/mod.rs"]
mod skipped;

use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rempart::lab::{self, LabHost, LabKey, LabSpec, Sudo};
use rustix::process::{Pid, Signal};
use serde_json::Value;

pub const REMPART: &str = env!("CARGO_BIN_EXE_rempart");

/// Every variable that rempart reads; a test must not depend on who runs it.
const VARIABLES: [&str; 5] =
    ["REMPART_IN_LAB", "REMPART_INVENTORY", "REMPART_PRIVATE_KEY", "REMPART_KNOWN_HOSTS", "REMPART_STATE"];

/// What a lab needs of the machine.
const TOOLS: [&str; 6] = ["systemd-nspawn", "debootstrap", "nsenter", "ip", "ssh", "ssh-keygen"];

/// One host as a test wants it.
pub struct Machine {
    pub name: &'static str,
    pub sudo: Sudo,
    pub release: &'static str,
    pub docker: bool,
    /// More connection variables for its line in the inventory.
    pub vars: String,
}

impl Machine {
    /// A bare Debian 12 whose account may do everything without a password.
    pub fn new(name: &'static str) -> Self {
        Self { name, sudo: Sudo::NoPassword, release: "bookworm", docker: false, vars: String::new() }
    }

    /// Its sudo asks for a password, which the inventory knows.
    pub fn with_password(mut self, password: &str) -> Self {
        self.sudo = Sudo::Password(password.into());
        self.vars = format!("ansible_become_password: {password:?}");
        self
    }
}

/// A lab with an inventory, and a folder for the files of the test.
pub struct Lab {
    pub name: String,
    pub folder: tempfile::TempDir,
    known_hosts: PathBuf,
    key: LabKey,
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::env::var_os("REMPART_LAB_KEEP").is_some() {
            eprintln!("kept: the lab {} with {}", self.name, self.folder.path().display());
            self.folder.disable_cleanup(true);
        } else if let Err(error) = lab::down(&self.name) {
            eprintln!("the lab {} is still there: {error}", self.name);
        }
    }
}

/// Says why a test of real hosts does not run here; where it must run, that is a failure.
pub fn is_skipped(test: &str) -> bool {
    let missing = TOOLS.iter().find(|tool| {
        let path = std::env::var("PATH").unwrap_or_default();
        !path.split(':').chain(["/usr/sbin", "/sbin"]).any(|folder| Path::new(folder).join(tool).exists())
    });
    let why = match missing {
        _ if !rustix::process::geteuid().is_root() => "needs root".to_owned(),
        Some(tool) => format!("needs `{tool}`"),
        None => return false,
    };
    skipped::skip(test, &why);
    true
}

// A test that was killed leaves its lab behind; the next one takes it down.
fn sweep() {
    for name in lab::list().unwrap_or_default() {
        let owner = name.strip_prefix("rt").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = lab::down(&name);
        }
    }
}

impl Lab {
    /// Boots the machines; `None` = skipped, and said so.
    pub fn boot(test: &str, machines: &[Machine]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if is_skipped(test) {
            return None;
        }
        sweep();
        let name = format!("rt{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let key = lab::key(&name).unwrap();
        let host = |(at, machine): (usize, &Machine)| LabHost {
            name: machine.name.into(),
            address: address(at),
            port: 22,
            release: machine.release.into(),
            user: "admin".into(),
            public_key: key.public.clone(),
            sudo: machine.sudo.clone(),
            docker: machine.docker,
            memory: None,
        };
        let mut spec = LabSpec::new(&name, machines.iter().enumerate().map(host).collect());
        spec.serve = [REMPART, "lab", "serve"].map(str::to_owned).into();
        let folder = tempfile::tempdir().unwrap();
        // Made before it is booted: what was begun is taken down too.
        let mut lab = Self { name, folder, known_hosts: PathBuf::new(), key };
        let status = lab::up(&spec, &mut |_| {}).unwrap_or_else(|error| panic!("{test}: {error}"));
        lab.known_hosts = status.known_hosts;
        let mut inventory = String::from("all:\n  vars: { ansible_user: admin }\n  hosts:\n");
        for (at, machine) in machines.iter().enumerate() {
            inventory.push_str(&format!(
                "    {}: {{ ansible_host: {}, {} }}\n",
                machine.name,
                address(at),
                machine.vars
            ));
        }
        lab.write("inventory.yaml", &inventory);
        Some(lab)
    }

    /// One bare Debian 12, named `web1`.
    pub fn boot_one(test: &str) -> Option<Self> {
        Self::boot(test, &[Machine::new("web1")])
    }

    /// Where the controller keeps its journal.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn known_hosts(&self) -> String {
        fs::read_to_string(&self.known_hosts).unwrap()
    }

    /// Writes a file of the test, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes `playbook.yaml` with these items in the phase `preparation`, for all hosts.
    pub fn playbook(&self, items: &str) {
        self.write("playbook.yaml", &playbook(items));
    }

    /// Rempart's binary on the controller's side of the lab, in the test's folder, with `inventory.yaml`.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut argv = vec![REMPART.to_owned()];
        argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        let mut command = lab::command(&self.name, None, &argv).unwrap();
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.env("REMPART_INVENTORY", "inventory.yaml");
        command.env("REMPART_KNOWN_HOSTS", &self.known_hosts);
        command.env("REMPART_PRIVATE_KEY", &self.key.private);
        command.env("NO_COLOR", "1");
        command.env("REMPART_STATE", self.state());
        command.current_dir(self.folder.path());
        command
    }

    /// Runs rempart to its end.
    pub fn rempart(&self, args: &[&str]) -> Ran {
        run(self.command(args), Duration::from_secs(240))
    }

    pub fn plan(&self) -> Ran {
        self.rempart(&["plan", "playbook.yaml", "--json", "--detailed-exitcode"])
    }

    pub fn drift(&self) -> Ran {
        self.rempart(&["drift", "playbook.yaml", "--json"])
    }

    pub fn apply(&self) -> Ran {
        self.rempart(&["apply", "playbook.yaml", "--yes", "--json"])
    }

    /// Starts rempart and does not wait for it.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Runs a script as root on a host, by other means than rempart.
    pub fn try_on(&self, host: &str, script: &str) -> Ran {
        let argv = ["timeout", "120", "sh", "-c", script].map(str::to_owned);
        run(lab::command(&self.name, Some(host), &argv).unwrap(), Duration::from_secs(130))
    }

    /// The same, and it must succeed; what it printed.
    pub fn on(&self, host: &str, script: &str) -> String {
        let ran = self.try_on(host, script);
        assert_eq!(ran.code, 0, "on {host}: {script}\n{ran}");
        ran.out
    }

    /// The plain ssh client, with the lab's key and strict host keys.
    pub fn ssh(&self, at: usize, script: &str) -> Ran {
        self.ssh_through(None, at, script)
    }

    /// The same, through a jump host.
    pub fn ssh_through(&self, jump: Option<usize>, at: usize, script: &str) -> Ran {
        let known_hosts = format!("UserKnownHostsFile={}", self.known_hosts.display());
        let key = self.key.private.display().to_string();
        let to = format!("admin@{}", address(at));
        let words =
            ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", &known_hosts, "-i", &key];
        let mut argv: Vec<String> = words.map(str::to_owned).into();
        if let Some(jump) = jump {
            argv.extend([
                "-o".to_owned(),
                format!("ProxyCommand={} -W %h:%p admin@{}", words.join(" "), address(jump)),
            ]);
        }
        argv.extend([to, script.to_owned()]);
        run(lab::command(&self.name, None, &argv).unwrap(), Duration::from_secs(60))
    }

    /// Waits until a script succeeds on a host.
    pub fn wait_on(&self, host: &str, seconds: u64, script: &str) {
        let begun = Instant::now();
        loop {
            let ran = self.try_on(host, script);
            if ran.code == 0 {
                return;
            }
            assert!(begun.elapsed().as_secs() < seconds, "on {host}, not within {seconds} s: {script}\n{ran}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// The address of the host at a position.
pub fn address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 11 + u8::try_from(at).unwrap())
}

/// A playbook with these items in the phase `preparation`, for all hosts.
pub fn playbook(items: &str) -> String {
    let mut text = String::from("playbook: real\nhosts: all\nphases:\n  preparation:\n");
    for line in items.trim_matches('\n').lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; 128 + N after signal N, as a shell says it; 124 when the test lost patience.
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit {} after {:.1} s\n--- out\n{}\n--- err\n{}",
            self.code,
            self.took.as_secs_f32(),
            self.out,
            self.err
        )
    }
}

impl Ran {
    /// It must have ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "not exit {code}: {self}");
        self
    }

    /// Both streams.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// The resource of a plan, a drift or an apply.
    #[track_caller]
    pub fn resource(&self, host: &str, id: &str) -> Value {
        let json = self.json();
        let hosts = json["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|known| known["host"] == host).unwrap_or_else(|| panic!("no {host}: {self}"));
        let resources = host["resources"].as_array().unwrap();
        resources.iter().find(|known| known["id"] == id).unwrap_or_else(|| panic!("no {id}: {self}")).clone()
    }

    /// The word for how it went with a resource of an apply.
    #[track_caller]
    pub fn outcome(&self, host: &str, id: &str) -> String {
        self.resource(host, id)["outcome"].as_str().unwrap().to_owned()
    }

    /// The lines of both streams that hold all of these words.
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let holds = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(holds).map(str::to_owned).collect()
    }

    /// The ids of all resources of a plan or a drift that are not as declared, with the word for it.
    pub fn differing(&self) -> Vec<(String, String)> {
        let json = self.json();
        let resources = json["hosts"].as_array().unwrap().iter().flat_map(|host| host["resources"].as_array().unwrap());
        resources
            .map(|known| {
                let word = known.get("act").or(known.get("state")).and_then(Value::as_str);
                let word = word.unwrap_or_else(|| panic!("neither act nor state: {known}"));
                (known["id"].as_str().unwrap().to_owned(), word.to_owned())
            })
            .filter(|(_, word)| word != "same" && word != "as_declared")
            .collect()
    }
}

/// A process that goes on while the test does something else; killed with the value.
pub struct Running {
    child: Child,
    begun: Instant,
    out: std::thread::JoinHandle<String>,
    err: std::thread::JoinHandle<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let begun = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let read = |mut from: Box<dyn Read + Send>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = from.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        };
        let out = read(Box::new(child.stdout.take().unwrap()));
        let err = read(Box::new(child.stderr.take().unwrap()));
        Self { child, begun, out, err }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it has ended by itself.
    #[allow(dead_code, reason = "the campaign asks; not every program of tests that has this file does")]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal, alone.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; kills it and its children when that takes too long.
    pub fn end(mut self, within: Duration) -> Ran {
        let deadline = Instant::now() + within;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code().unwrap_or_else(|| {
                    128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default()
                });
            }
            if Instant::now() >= deadline {
                let _ = rustix::process::kill_process_group(self.pid(), Signal::KILL);
                let _ = self.child.wait();
                break 124;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.begun.elapsed();
        let lost = |_| "(lost)".to_owned();
        Ran { code, out: self.out.join().unwrap_or_else(lost), err: self.err.join().unwrap_or_else(lost), took }
    }
}

/// Runs a process to its end.
pub fn run(command: Command, within: Duration) -> Ran {
    Running::start(command).end(within)
}

/// Runs rempart where no lab is: for what must not need one.
pub fn rempart_in(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(REMPART);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env("REMPART_STATE", folder.join("state"));
    run(command, Duration::from_secs(60))
}
