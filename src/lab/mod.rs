//! Disposable real hosts: an inventory is booted as systemd-nspawn containers on overlays, in a network
//! namespace of their own, so that a change can be tried on servers that are nobody's.
//!
//! Owns the verbs of a lab and what they report. Must not know inventories, playbooks or how anything is
//! printed. A lab host is no security boundary: its root is nearly the machine's.
//!
//! One lab is one directory (the record, the overlays, the logs), one namespace with one bridge, one mirror
//! process and one keeper process per host; all of it ends with [`down`]. Traffic never leaves the
//! namespace: packages come through the mirror, whose downloads run outside of it.

mod boot;
mod cgroups;
mod error;
mod host;
mod image;
mod keeper;
mod mirror;
mod network;
mod sources;
mod spec;
mod state;
mod tool;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use error::io;
use state::{LabDir, Process};

pub use error::{LabError, Result};
pub use spec::{LabHost, LabSpec, Sudo};

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

/// Brings a lab up: what runs already is left alone, what is off is booted, what is missing is made.
///
/// A host that is added later is not in the /etc/hosts of those that were there before.
///
/// # Errors
/// See [`LabError`]; [`LabError::Changed`] when a host of that name is there with other settings (a changed
/// password is not seen). What was made before the error stays; `up` again goes on, [`down`] removes it.
pub fn up(spec: &LabSpec, report: &mut dyn FnMut(Event)) -> Result<LabStatus> {
    tool::check_machine()?;
    spec.check()?;
    sources::archives()?;
    let dir = LabDir::of(&spec.name);
    let _lock = dir.lock()?;
    let mut record = agreed_record(spec, &dir)?;
    add_hosts(spec, &mut record, report)?;
    // Before anything is made: `down` finds all of it by this.
    state::make_dir(&dir.hosts())?;
    state::write_json(&dir.record(), &record)?;
    if !network::exists(&spec.name) {
        stop_all(&spec.name, &dir)?; // hosts of a namespace that was taken away can be reached by nobody
        network::create(&spec.name, spec.controller)?;
        report(Event::NetworkReady {
            namespace: network::namespace(&spec.name),
        });
    }
    if boot::start_mirror(&spec.name, &dir, &record)? {
        report(Event::MirrorReady {
            url: host::mirror_url(spec.controller),
        });
    }
    boot_hosts(spec, &dir, &record, report)?;
    write_known_hosts(&dir, &record)?;
    status(&spec.name)
}

/// The lab's record as it is to be, without hosts that are yet to be added.
fn agreed_record(spec: &LabSpec, dir: &LabDir) -> Result<LabRecord> {
    let changed = |what: String| LabError::Changed {
        lab: spec.name.clone(),
        what,
    };
    let files = spec
        .files
        .as_ref()
        .map(|files| io("find the files", files.canonicalize()))
        .transpose()?;
    if !dir.record().exists() {
        if network::exists(&spec.name) {
            return Err(LabError::NamespaceInUse(network::namespace(&spec.name)));
        }
        let (controller, serve) = (spec.controller, spec.serve.clone());
        return Ok(LabRecord {
            controller,
            files,
            serve,
            hosts: Vec::new(),
        });
    }
    let old: LabRecord =
        state::read_json(&dir.record()).ok_or_else(|| changed("record format".into()))?;
    if old.controller != spec.controller {
        return Err(changed(format!("controller address ({})", old.controller)));
    }
    if old.files != files {
        return Err(changed("folder of files".into()));
    }
    for known in &old.hosts {
        match spec.hosts.iter().find(|host| host.name == known.host.name) {
            Some(host) if host.without_password() == known.host => {}
            Some(_) => return Err(changed(format!("definition of host {}", known.host.name))),
            None => {
                return Err(changed(format!(
                    "set of hosts ({} is in it)",
                    known.host.name
                )));
            }
        }
    }
    Ok(LabRecord {
        serve: spec.serve.clone(),
        ..old
    })
}

/// Adds the hosts that the record does not have, getting their images.
fn add_hosts(spec: &LabSpec, record: &mut LabRecord, report: &mut dyn FnMut(Event)) -> Result<()> {
    let mut images: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for host in &spec.hosts {
        let release = host.release.as_str();
        if record
            .hosts
            .iter()
            .any(|known| known.host.name == host.name)
        {
            continue;
        }
        let image = match images.get(release) {
            Some(image) => image.clone(),
            None => {
                let image = get_image(release, report)?;
                images.insert(release, image.clone());
                image
            }
        };
        record.hosts.push(HostRecord {
            host: host.without_password(),
            image,
        });
    }
    Ok(())
}

fn get_image(release: &str, report: &mut dyn FnMut(Event)) -> Result<PathBuf> {
    let start = Instant::now();
    let mut worked = false;
    let image = image::get(release, &mut |progress| {
        worked = true;
        let release = release.to_owned();
        report(match progress {
            image::Progress::Waiting => Event::ImageAwaited { release },
            image::Progress::Building => Event::ImageBuilding { release },
        });
    })?;
    if worked {
        report(Event::ImageBuilt {
            release: release.to_owned(),
            took: start.elapsed(),
        });
    }
    Ok(image.root)
}

/// Boots all hosts at once; each one's failure is its own, the first is given back.
fn boot_hosts(
    spec: &LabSpec,
    dir: &LabDir,
    record: &LabRecord,
    report: &mut dyn FnMut(Event),
) -> Result<()> {
    let (sender, events) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for known in &record.hosts {
            let sender = sender.clone();
            threads.push(scope.spawn(move || boot_host(spec, dir, record, known, &sender)));
        }
        drop(sender);
        for event in events {
            report(event);
        }
        let died = |_| {
            Err(LabError::StillThere {
                what: "a broken thread".into(),
            })
        };
        let outcomes: Vec<Result<()>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(died))
            .collect();
        outcomes.into_iter().collect()
    })
}

fn boot_host(
    spec: &LabSpec,
    dir: &LabDir,
    record: &LabRecord,
    known: &HostRecord,
    events: &mpsc::Sender<Event>,
) -> Result<()> {
    let name = known.host.name.clone();
    let host_dir = dir.host(&name);
    if keeper::is_running(&host_dir) {
        let _ = events.send(Event::HostKept { host: name });
        return Ok(());
    }
    let start = Instant::now();
    let _ = events.send(Event::HostBooting { host: name.clone() });
    if host_dir.0.exists() {
        // A container without a keeper would not come back from a reboot.
        keeper::power_off(&spec.name, &host_dir, &name)?;
    }
    if !host_dir.prepared().exists() {
        // From the specification, not the record: only it has the password.
        let host = spec
            .hosts
            .iter()
            .find(|host| host.name == name)
            .unwrap_or(&known.host);
        host::prepare(&host_dir, &known.image, spec, host)?;
    }
    boot::start_host(&spec.name, dir, record, &known.host)?;
    let _ = events.send(Event::HostReady {
        host: name,
        took: start.elapsed(),
    });
    Ok(())
}

fn write_known_hosts(dir: &LabDir, record: &LabRecord) -> Result<()> {
    let mut text = String::new();
    for known in &record.hosts {
        text.push_str(&host::known_hosts_lines(
            &dir.host(&known.host.name),
            &known.host,
        )?);
    }
    state::write_file(&dir.known_hosts(), text.as_bytes(), 0o644)
}

/// The names of all labs of this state directory, sorted.
pub fn list() -> Vec<String> {
    let entries = std::fs::read_dir(state::state_root());
    let mut names: Vec<String> = entries
        .map(|entries| {
            entries
                .flatten()
                .filter(|e| e.path().is_dir())
                .filter_map(|e| e.file_name().into_string().ok())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
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
            let off = || LabError::HostOff {
                lab: name.to_owned(),
                host: host.to_owned(),
            };
            let init = keeper::init_of(&dir.host(host)).ok_or_else(off)?;
            command.arg(format!("--target={}", init.pid));
            command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]);
            let terminal = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
            command
                .env_clear()
                .env("TERM", terminal)
                .env("HOME", "/root");
            command.env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            );
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
    let off = || LabError::HostOff {
        lab: name.to_owned(),
        host: host.to_owned(),
    };
    let init = keeper::init_of(&host_dir).ok_or_else(off)?;
    init.signal(rustix::process::Signal::INT);
    boot::wait_ready(name, &host_dir, &known.host, Some(&init), &mut || {
        !host_dir.is_kept()
    })
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
    boot::wait_ready(name, &host_dir, &known.host, None, &mut || {
        !host_dir.is_kept()
    })
}

/// Ends a lab and removes all of it: hosts, mirror, mounts, namespace, directory. Also one that is half
/// made, that has crashed, or whose machine was rebooted. Base images and downloads stay in the cache.
///
/// # Errors
/// [`LabError::NoSuchLab`]; [`LabError::StillThere`] when something survives, and then nothing is removed.
pub fn down(name: &str) -> Result<()> {
    tool::check_machine()?;
    spec::check_lab_name(name)?;
    let dir = LabDir::of(name);
    if !dir.0.exists() {
        return Err(LabError::NoSuchLab(name.to_owned()));
    }
    let _lock = dir.lock()?;
    stop_all(name, &dir)?;
    state::unmount_below(&dir.0)?;
    network::remove(name)?;
    cgroups::Layout::of_machine().remove(name);
    dir.remove()
}

/// Stops every host and the mirror, the hosts all at once.
fn stop_all(name: &str, dir: &LabDir) -> Result<()> {
    let mut hosts = Vec::new();
    if let Ok(entries) = std::fs::read_dir(dir.hosts()) {
        hosts.extend(
            entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok()),
        );
    }
    std::thread::scope(|scope| {
        let stop = |host: &String| keeper::power_off(name, &dir.host(host), host);
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| scope.spawn(move || stop(host)))
            .collect();
        let died = |_| {
            Err(LabError::StillThere {
                what: "a broken thread".into(),
            })
        };
        let outcomes: Vec<Result<()>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(died))
            .collect();
        outcomes.into_iter().collect::<Result<()>>()
    })?;
    if let Some(mirror) = state::read_json::<Process>(&dir.mirror_process()) {
        mirror.signal(rustix::process::Signal::KILL);
        if !state::wait_until(Duration::from_secs(5), || !mirror.is_alive()) {
            return Err(LabError::StillThere {
                what: "the mirror".into(),
            });
        }
    }
    Ok(())
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
    let record =
        state::read_json(&dir.record()).ok_or_else(|| LabError::NoSuchLab(name.to_owned()))?;
    Ok((dir, record))
}

fn find_host<'a>(lab: &str, record: &'a LabRecord, host: &str) -> Result<&'a HostRecord> {
    record
        .hosts
        .iter()
        .find(|known| known.host.name == host)
        .ok_or_else(|| {
            let known: Vec<&str> = record
                .hosts
                .iter()
                .map(|known| known.host.name.as_str())
                .collect();
            LabError::NoSuchHost {
                lab: lab.to_owned(),
                host: host.to_owned(),
                known: known.join(", "),
            }
        })
}
