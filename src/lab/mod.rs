//! Disposable real hosts: an inventory is booted as systemd-nspawn containers on overlays, in a network
//! namespace of their own, so that a change can be tried on servers that are nobody's.
//!
//! Owns the verbs of a lab and what they report. Must not know inventories, playbooks or how anything is
//! printed. A lab host is no security boundary: its root is nearly the machine's.
//!
//! One lab is one directory (the record, the overlays, the logs), one namespace with one bridge, one mirror
//! process and one keeper process per host; all of it ends with [`down()`]. Traffic never leaves the
//! namespace: packages come through the mirror, whose downloads run outside of it.
//!
//! What a lab host cannot show: it shares the machine's kernel, so `kernel.*` and `vm.*` sysctls are refused
//! (`net.*` works), modules are not loaded and the clock is not set; it has no name server; a power loss keeps
//! what was written but not synced; addresses of 172.17.0.0/16 are Docker's own in hosts that run Docker.

mod boot;
mod cgroups;
mod down;
mod error;
mod host;
mod image;
mod keeper;
mod key;
mod mirror;
mod network;
mod sources;
mod spec;
mod state;
mod tool;
mod up;

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use error::io;
use state::{LabDir, Process};

pub use down::down;
pub use error::{LabError, Result};
pub use key::{LabKey, key};
pub use spec::{LabHost, LabSpec, Sudo};
pub use up::up;

/// What happens while a lab comes up; durations are wall-clock time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another process builds the image of this release; its end is waited for.
    ImageAwaited {
        /// The Debian release.
        release: String,
    },
    /// The image of a release is built: about a minute, once.
    ImageBuilding {
        /// The Debian release.
        release: String,
    },
    /// The image is in the cache now.
    ImageBuilt {
        /// The Debian release.
        release: String,
        /// How long it took.
        took: Duration,
    },
    /// The namespace and its bridge are there.
    NetworkReady {
        /// As `ip netns` lists it.
        namespace: String,
    },
    /// The mirror answers.
    MirrorReady {
        /// Where, from inside the lab.
        url: String,
    },
    /// The host was running already and is left as it is.
    HostKept {
        /// The host.
        host: String,
    },
    /// The host is made and booted.
    HostBooting {
        /// The host.
        host: String,
    },
    /// Its sshd answers and accepts logins.
    HostReady {
        /// The host.
        host: String,
        /// From making it to its first answer.
        took: Duration,
    },
}

/// What a lab is now.
#[derive(Debug, Clone, Serialize)]
pub struct LabStatus {
    /// The lab.
    pub name: String,
    /// The network namespace, as `ip netns` lists it.
    pub namespace: String,
    /// The controller's address on the bridge.
    pub controller: Ipv4Addr,
    /// Where hosts reach the mirror (`/debian`, `/debian-security`, `/files`); no trailing slash.
    pub mirror: String,
    /// Whether the mirror's process is alive.
    pub mirror_running: bool,
    /// The lab's directory.
    pub directory: PathBuf,
    /// Keys of all hosts, under their names and addresses.
    pub known_hosts: PathBuf,
    /// The hosts, in the order they were given.
    pub hosts: Vec<HostStatus>,
}

/// What a host of a lab is now.
#[derive(Debug, Clone, Serialize)]
pub struct HostStatus {
    /// Its name in the inventory.
    pub name: String,
    /// Its address on the lab's link.
    pub address: Ipv4Addr,
    /// Where its sshd listens.
    pub port: u16,
    /// The account of the controller.
    pub user: String,
    /// The Debian release.
    pub release: String,
    /// Whether its container runs.
    pub running: bool,
    /// Its process 1, as the machine numbers it.
    pub pid: Option<i32>,
    /// What its console said, over all boots.
    pub console: PathBuf,
}

/// What is kept of a lab on disk.
#[derive(Debug, Serialize, Deserialize)]
struct LabRecord {
    controller: Ipv4Addr,
    files: Option<PathBuf>,
    serve: Vec<String>,
    hosts: Vec<HostRecord>,
}

/// What is kept of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HostRecord {
    /// Without its password.
    host: LabHost,
    /// The root of its base image.
    image: PathBuf,
}

/// The names of all labs of this state directory, sorted.
///
/// # Errors
/// [`LabError::NotRoot`] where the directory may not be read.
pub fn list() -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(state::state_root()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(LabError::NotRoot),
        Err(error) => return io("read the state directory", Err(error)),
    };
    let directories = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// What a lab is now. Changes nothing.
///
/// # Errors
/// [`LabError::NoSuchLab`].
pub fn status(name: &str) -> Result<LabStatus> {
    let (dir, record) = open(name)?;
    let host_status = |known: &HostRecord| {
        let host_dir = dir.host(&known.host.name);
        let host = known.host.clone();
        HostStatus {
            name: host.name,
            address: host.address,
            port: host.port,
            user: host.user,
            release: host.release,
            running: keeper::is_running(&host_dir),
            pid: keeper::init_of(&host_dir).map(|init| init.pid),
            console: host_dir.console(),
        }
    };
    let mirror: Option<Process> = state::read_json(&dir.mirror_process());
    Ok(LabStatus {
        name: name.to_owned(),
        namespace: network::namespace(name),
        controller: record.controller,
        mirror: host::mirror_url(record.controller),
        mirror_running: mirror.is_some_and(|process| process.is_alive()),
        known_hosts: dir.known_hosts(),
        hosts: record.hosts.iter().map(host_status).collect(),
        directory: dir.0,
    })
}

/// A command that will run in the lab: with a host, as root inside of it and without its sshd (a console);
/// without one, on the controller's side of the lab's network.
///
/// # Errors
/// [`LabError::NoSuchLab`], [`LabError::NoSuchHost`], [`LabError::HostOff`], an empty `argv`.
pub fn command(name: &str, host: Option<&str>, argv: &[String]) -> Result<Command> {
    tool::check_machine()?;
    let (dir, record) = open(name)?;
    if argv.is_empty() {
        return Err(spec::refuse("command", "", "is empty"));
    }
    let mut command = Command::new("nsenter");
    match host {
        None => {
            command.arg(format!("--net={}", network::namespace_path(name).display()));
        }
        Some(host) => {
            find_host(name, &record, host)?;
            let off = || LabError::HostOff { lab: name.to_owned(), host: host.to_owned() };
            let init = keeper::init_of(&dir.host(host)).ok_or_else(off)?;
            command.arg(format!("--target={}", init.pid));
            command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]);
            let terminal = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
            command.env_clear().env("TERM", terminal).env("HOME", "/root");
            command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        }
    }
    command.arg("--").args(argv);
    Ok(command)
}

/// Runs [`command`] with this process's own input and output.
///
/// # Errors
/// As [`command`]; the command's own failure is its exit status.
pub fn exec(name: &str, host: Option<&str>, argv: &[String]) -> Result<ExitStatus> {
    io("run nsenter", command(name, host, argv)?.status())
}

/// Reboots a host cleanly (as Ctrl-Alt-Del does) and waits until it answers again.
///
/// # Errors
/// [`LabError::HostOff`], [`LabError::BootTimeout`].
pub fn reboot(name: &str, host: &str) -> Result<()> {
    tool::check_machine()?;
    let (dir, record) = open(name)?;
    let _lock = dir.lock()?;
    let known = find_host(name, &record, host)?;
    let host_dir = dir.host(host);
    let off = || LabError::HostOff { lab: name.to_owned(), host: host.to_owned() };
    let init = keeper::init_of(&host_dir).ok_or_else(off)?;
    init.signal(rustix::process::Signal::INT);
    boot::wait_ready(name, &host_dir, &known.host, Some(&init), &mut || !host_dir.is_kept())
}

/// Takes the power from a host: its processes are killed, nothing of it gets to run once more. What it had
/// written is on its disk, synced or not: a container shares the machine's page cache.
///
/// # Errors
/// [`LabError::NoSuchHost`], [`LabError::StillThere`].
pub fn power_off(name: &str, host: &str) -> Result<()> {
    tool::check_machine()?;
    let (dir, record) = open(name)?;
    let _lock = dir.lock()?;
    find_host(name, &record, host)?;
    keeper::kill(name, &dir.host(host), host)
}

/// Boots a host that is off, on the disk it had, and waits until it answers; one that runs is left alone.
///
/// # Errors
/// [`LabError::NoSuchHost`], [`LabError::HostDied`], [`LabError::BootTimeout`].
pub fn power_on(name: &str, host: &str) -> Result<()> {
    tool::check_machine()?;
    let (dir, record) = open(name)?;
    let _lock = dir.lock()?;
    let known = find_host(name, &record, host)?;
    if keeper::is_running(&dir.host(host)) {
        return Ok(());
    }
    boot::start_host(name, &dir, &record, &known.host)
}

/// Waits until a host answers on its SSH port and accepts logins, after a reboot that it made itself.
///
/// # Errors
/// [`LabError::HostDied`], [`LabError::BootTimeout`].
pub fn wait(name: &str, host: &str) -> Result<()> {
    tool::check_machine()?;
    let (dir, record) = open(name)?;
    let known = find_host(name, &record, host)?;
    let host_dir = dir.host(host);
    boot::wait_ready(name, &host_dir, &known.host, None, &mut || !host_dir.is_kept())
}

/// What the lab's background processes do: `lab serve NAME` is the mirror, `lab serve NAME HOST` keeps one
/// host. Returns when the host is powered off; the mirror only ends by a signal.
///
/// # Errors
/// Shown on stderr by the caller, they are in the lab's logs.
pub fn serve(name: &str, host: Option<&str>) -> Result<()> {
    tool::check_machine()?;
    // The terminal of the command that started us must not take us along. It fails where we lead a group
    // already, and then it is not needed.
    let _ = rustix::process::setsid();
    let (dir, record) = open(name)?;
    match host {
        None => boot::serve_mirror(name, &dir, &record),
        Some(host) => {
            let known = find_host(name, &record, host)?;
            keeper::keep(name, &dir.host(host), known)
        }
    }
}

fn open(name: &str) -> Result<(LabDir, LabRecord)> {
    spec::check_lab_name(name)?;
    let dir = LabDir::of(name);
    match std::fs::File::open(dir.record()) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(LabError::NotRoot),
        _ => {
            let none = || LabError::NoSuchLab(name.to_owned());
            let record = state::read_json(&dir.record()).ok_or_else(none)?;
            Ok((dir, record))
        }
    }
}

fn find_host<'a>(lab: &str, record: &'a LabRecord, host: &str) -> Result<&'a HostRecord> {
    record.hosts.iter().find(|known| known.host.name == host).ok_or_else(|| {
        let known: Vec<&str> = record.hosts.iter().map(|known| known.host.name.as_str()).collect();
        LabError::NoSuchHost { lab: lab.to_owned(), host: host.to_owned(), known: known.join(", ") }
    })
}
