//! Owns one running host: starts its container, boots it again when it reboots, stops it.
//! Must not know what the host is for. The keeper is a process of its own, so that a host outlives the
//! command that started it.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::cgroups::Layout;
use super::error::{LabError, Result, io};
use super::host::{DOCKER_DIRECTORIES, mount_overlay};
use super::network::{BRIDGE, namespace_path};
use super::state::{HostDir, HostProcesses, Process, lock_file, read_json, unmount_below, wait_until, write_json};
use super::{HostRecord, LabHost};

/// systemd-nspawn's exit code when the container rebooted and a supervisor is expected to start it again.
const REBOOT: i32 = 133;

/// How long a host may take to shut down before it is killed.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// Keeps a host: returns when it is powered off.
///
/// # Errors
/// When the host is kept already, or its container cannot be started.
pub(super) fn keep(lab: &str, dir: &HostDir, record: &HostRecord) -> Result<()> {
    let lock = lock_file(&dir.keeper_lock())?;
    // `is_kept` of other processes holds the lock for a moment.
    if !wait_until(Duration::from_secs(3), || lock.try_lock().is_ok()) {
        return Err(LabError::StillThere { what: format!("a keeper of host {}", record.host.name) });
    }
    let mut reboots = true;
    while reboots && !dir.stay_off().exists() {
        mount_overlay(dir, &record.image)?;
        let child = start(lab, dir, &record.host)?;
        let status = watch(child, dir)?;
        reboots = status.code() == Some(REBOOT);
        if !reboots && !status.success() && status.signal().is_none() {
            unmount_below(&dir.root())?;
            return Err(LabError::Tool {
                command: "systemd-nspawn".into(),
                status: status.to_string(),
                stderr: super::tool::tail(&dir.console(), 10),
            });
        }
    }
    unmount_below(&dir.root())
}

/// Waits for the end of a container, and notes which processes are its: its process 1 outlives a killed nspawn.
fn watch(mut child: Child, dir: &HostDir) -> Result<ExitStatus> {
    let mut processes = HostProcesses {
        keeper: own_process()?,
        nspawn: i32::try_from(child.id()).ok().and_then(Process::of),
        init: None,
    };
    write_json(&dir.processes(), &processes)?;
    let status = loop {
        if let Some(status) = io("wait for the container", child.try_wait())? {
            break status;
        }
        // A new one comes without a new nspawn where a service manager lets nspawn reboot by itself.
        if !processes.init.as_ref().is_some_and(Process::is_alive) {
            let found = processes.nspawn.as_ref().and_then(Process::container_init);
            if found.is_some() {
                processes.init = found;
                write_json(&dir.processes(), &processes)?;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // Started early, the next boot would share the overlay with what is left of this one.
    if let Some(init) = &processes.init
        && !wait_until(Duration::from_secs(1), || !init.is_alive())
    {
        init.signal(Signal::KILL);
        wait_until(Duration::from_secs(5), || !init.is_alive());
    }
    Ok(status)
}

/// The identity of this very process.
pub(super) fn own_process() -> Result<Process> {
    let me = i32::try_from(std::process::id()).ok().and_then(Process::of);
    me.ok_or_else(|| LabError::Io { doing: "read /proc".into(), source: std::io::ErrorKind::NotFound.into() })
}

fn start(lab: &str, dir: &HostDir, host: &LabHost) -> Result<Child> {
    let layout = Layout::of_machine();
    let mut command = Command::new("nsenter");
    // Not `ip netns exec`: it hides the machine's control groups.
    command.arg(format!("--net={}", namespace_path(lab).display()));
    command.args(["systemd-nspawn", "--boot", "--quiet", "--settings=no", "--register=no"]);
    command.arg("--directory").arg(dir.root());
    command.arg(format!("--machine={}", machine_name(lab, &host.name)));
    command.arg(format!("--hostname={}", host.hostname()));
    command.arg(format!("--network-bridge={BRIDGE}"));
    // A host may do to itself whatever a server may, but not set the machine's clock or load its modules.
    command.args(["--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE"]);
    command.arg("--system-call-filter=@keyring bpf");
    command.args(["--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=read-only"]);
    if layout.systemd {
        if let Some(bytes) = host.memory {
            command.arg(format!("--property=MemoryMax={bytes}"));
        }
    } else {
        command.arg("--keep-unit");
    }
    if host.docker {
        for (name, seen) in DOCKER_DIRECTORIES {
            command.arg(format!("--bind={}:{seen}", dir.bound(name).display()));
        }
    }
    match layout.unified(host.docker) {
        Some(unified) => command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", unified),
        None => command.env_remove("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"),
    };
    let (out, errors) = log_pair(&dir.console())?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors).current_dir("/");
    let way = layout.enter(lab, &host.name, host.memory)?;
    let child = command.spawn();
    way.leave()?;
    io("run nsenter", child)
}

/// What nspawn calls the host: host names alone may be those of another lab.
fn machine_name(lab: &str, host: &str) -> String {
    let name = format!("{lab}-{}", host.replace('_', "-"));
    // Machine names have 64 characters at most and end like a hostname.
    let name: String = name.chars().take(60).collect();
    name.trim_end_matches(['-', '.']).to_owned()
}

/// A log file for both outputs of a process, appended to.
pub(super) fn log_pair(path: &Path) -> Result<(Stdio, Stdio)> {
    let open = || {
        let file = OpenOptions::new().create(true).append(true).open(path);
        io(format!("open {}", path.display()), file)
    };
    Ok((open()?.into(), open()?.into()))
}

/// The process 1 of a running host.
pub(super) fn init_of(dir: &HostDir) -> Option<Process> {
    let processes: HostProcesses = read_json(&dir.processes())?;
    processes.init.filter(Process::is_alive)
}

/// Whether the host's container runs and is kept.
pub(super) fn is_running(dir: &HostDir) -> bool {
    dir.is_kept() && !alive(dir).is_empty()
}

/// Processes of the host's container that are alive; process 1 comes first, because with it the kernel kills
/// all of a host in one go.
fn alive(dir: &HostDir) -> Vec<Process> {
    let processes = read_json::<HostProcesses>(&dir.processes());
    let known = processes.map(|processes| [processes.init, processes.nspawn]);
    let known = known.into_iter().flatten().flatten();
    known.filter(Process::is_alive).collect()
}

/// Shuts a host down as its administrator would, and kills it when it takes too long.
///
/// # Errors
/// [`LabError::StillThere`] when a process survives.
pub(super) fn power_off(lab: &str, dir: &HostDir, host: &str) -> Result<()> {
    io("mark the host as off", std::fs::write(dir.stay_off(), ""))?;
    if let Some(processes) = read_json::<HostProcesses>(&dir.processes())
        && let Some(nspawn) = processes.nspawn
    {
        nspawn.signal(Signal::TERM);
        wait_until(SHUTDOWN_LIMIT, || !nspawn.is_alive() && !dir.is_kept());
    }
    kill(lab, dir, host)
}

/// Ends a host at once, as a cut power line does: nothing inside gets to run once more.
///
/// # Errors
/// [`LabError::StillThere`] when a process survives.
pub(super) fn kill(lab: &str, dir: &HostDir, host: &str) -> Result<()> {
    io("mark the host as off", std::fs::write(dir.stay_off(), ""))?;
    let layout = Layout::of_machine();
    let ended = wait_until(Duration::from_secs(10), || {
        // Read again each time: a keeper that was just booting may have started one more container.
        let mut left = alive(dir);
        left.extend(layout.processes(lab, Some(host)));
        for process in &left {
            process.signal(Signal::KILL);
        }
        left.is_empty() && !dir.is_kept()
    });
    if !ended && let Some(processes) = read_json::<HostProcesses>(&dir.processes()) {
        processes.keeper.signal(Signal::KILL);
    }
    let gone = || !dir.is_kept() && alive(dir).is_empty();
    if !wait_until(Duration::from_secs(2), gone) {
        return Err(LabError::StillThere { what: format!("host {host}") });
    }
    // A killed nspawn leaves this behind, empty.
    let propagate = Path::new("/run/systemd/nspawn/propagate").join(machine_name(lab, host));
    let _ = std::fs::remove_dir(propagate);
    unmount_below(&dir.root())
}
