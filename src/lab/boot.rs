//! Owns the start of a lab's background processes and the proof that they work.
//! Must not know how a host is made.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::error::{LabError, Result, io};
use super::host::mirror_url;
use super::keeper::{init_of, log_pair};
use super::mirror::{Mirror, PORT};
use super::state::{HostDir, LabDir, Process, cache_root, read_json, wait_until, write_json};
use super::tool::tail;
use super::{LabHost, LabRecord, network, sources};

/// How long a host may take until its sshd answers.
pub(super) const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// Starts the process that answers on the controller's address; one that runs is left alone.
pub(super) fn start_mirror(lab: &str, dir: &LabDir, record: &LabRecord) -> Result<bool> {
    let alive = || read_json::<Process>(&dir.mirror_process()).is_some_and(|process| process.is_alive());
    if alive() {
        return Ok(false);
    }
    let _ = std::fs::remove_file(dir.mirror_process());
    let mut ended = start(record, lab, None, &dir.mirror_log())?;
    let mut died = false;
    let up = wait_until(Duration::from_secs(10), || {
        died = ended();
        died || alive()
    });
    if up && !died {
        return Ok(true);
    }
    Err(LabError::ServeDied {
        what: format!("mirror {}", mirror_url(record.controller)),
        tail: tail(&dir.mirror_log(), 10),
    })
}

/// What the mirror's process does, until it is killed.
pub(super) fn serve_mirror(lab: &str, dir: &LabDir, record: &LabRecord) -> Result<()> {
    let address = SocketAddr::from((record.controller, PORT));
    // Only the socket is made in the lab's namespace: downloads go out of the machine's own.
    let listener = network::inside(lab, || std::net::TcpListener::bind(address))?;
    let listener =
        listener.map_err(|error| LabError::PortInUse { address: address.to_string(), why: error.to_string() })?;
    let mirror =
        Mirror { archives: sources::archives()?, cache: cache_root().join("mirror"), files: record.files.clone() };
    let running = mirror.start(listener)?;
    write_json(&dir.mirror_process(), &super::keeper::own_process()?)?;
    running.wait();
    Ok(())
}

/// Starts the keeper of a host and waits until its sshd answers.
///
/// # Errors
/// [`LabError::HostDied`], [`LabError::BootTimeout`], both with the end of its console.
pub(super) fn start_host(lab: &str, dir: &LabDir, record: &LabRecord, host: &LabHost) -> Result<()> {
    let host_dir = dir.host(&host.name);
    for stale in [host_dir.stay_off(), host_dir.processes()] {
        if stale.exists() {
            io(format!("remove {}", stale.display()), std::fs::remove_file(&stale))?;
        }
    }
    let mut ended = start(record, lab, Some(&host.name), &host_dir.keeper_log())?;
    wait_ready(lab, &host_dir, host, None, &mut ended)
}

/// Waits until the host answers; `after` is the process 1 of an earlier boot that does not count.
pub(super) fn wait_ready(
    lab: &str,
    dir: &HostDir,
    host: &LabHost,
    after: Option<&Process>,
    keeper_ended: &mut dyn FnMut() -> bool,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < BOOT_LIMIT {
        if let Some(init) = init_of(dir)
            && Some(&init) != after
            && answers(lab, host)?
            && accepts_logins(&init)
        {
            return Ok(());
        }
        if keeper_ended() {
            let keeper = tail(&dir.keeper_log(), 5);
            let console = tail(&dir.console(), 15);
            let tail = format!("{console}\n{keeper}").trim().to_owned();
            return Err(LabError::HostDied { host: host.name.clone(), tail });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(LabError::BootTimeout {
        host: host.name.clone(),
        seconds: BOOT_LIMIT.as_secs(),
        tail: tail(&dir.console(), 20),
    })
}

/// Whether an sshd greets: a port that is only open may be anything.
fn answers(lab: &str, host: &LabHost) -> Result<bool> {
    let address = SocketAddr::from((host.address, host.port));
    network::inside(lab, || {
        let limit = Duration::from_secs(2);
        let Ok(mut stream) = TcpStream::connect_timeout(&address, limit) else {
            return false;
        };
        let mut greeting = [0; 4];
        stream.set_read_timeout(Some(limit)).is_ok() && stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
    })
}

/// While a host boots or shuts down, PAM turns away everyone but root because of this file.
fn accepts_logins(init: &Process) -> bool {
    let root = format!("/proc/{}/root", init.pid);
    Path::new(&root).join("etc").is_dir() && !Path::new(&root).join("run/nologin").exists()
}

/// Starts a background process; the answer says whether it has ended.
fn start(record: &LabRecord, lab: &str, host: Option<&str>, log: &Path) -> Result<impl FnMut() -> bool + use<>> {
    let (program, first) = record
        .serve
        .split_first()
        .ok_or_else(|| super::spec::refuse("lab", lab, "no program for its background processes is named"))?;
    let (out, errors) = log_pair(log)?;
    let mut command = Command::new(program);
    command.args(first).arg(lab).args(host);
    command.stdin(Stdio::null()).stdout(out).stderr(errors).current_dir("/");
    let mut child = io(format!("start {program}"), command.spawn())?;
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    // Someone has to take its exit code, for as long as this process lives.
    std::thread::spawn(move || {
        let _ = child.wait();
        drop(sender);
    });
    Ok(move || receiver.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected))
}
