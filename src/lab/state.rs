//! Owns where a lab lives on disk, its record, its locks, and which processes are its own.
//! Must not know how hosts, networks or mirrors work.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::{LabError, Result, io};

/// Where labs are kept: `REMPART_LAB_STATE` or /var/lib/rempart-lab.
pub(super) fn state_root() -> PathBuf {
    from_env("REMPART_LAB_STATE", "/var/lib/rempart-lab")
}

/// Where images and downloaded packages are kept: `REMPART_LAB_CACHE` or /var/cache/rempart/lab.
pub(super) fn cache_root() -> PathBuf {
    from_env("REMPART_LAB_CACHE", "/var/cache/rempart/lab")
}

fn from_env(name: &str, otherwise: &str) -> PathBuf {
    let path = std::env::var_os(name).filter(|value| !value.is_empty());
    let path = path.map_or_else(|| PathBuf::from(otherwise), PathBuf::from);
    // Keepers and nspawn run from other directories: only an absolute path means the same there.
    std::path::absolute(&path).unwrap_or(path)
}

/// The directory of one lab.
#[derive(Debug, Clone)]
pub(super) struct LabDir(pub(super) PathBuf);

impl LabDir {
    pub(super) fn of(name: &str) -> Self {
        Self(state_root().join(name))
    }

    pub(super) fn record(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.0.join("known_hosts")
    }

    pub(super) fn mirror_log(&self) -> PathBuf {
        self.0.join("mirror.log")
    }

    pub(super) fn mirror_process(&self) -> PathBuf {
        self.0.join("mirror.json")
    }

    pub(super) fn hosts(&self) -> PathBuf {
        self.0.join("hosts")
    }

    pub(super) fn host(&self, name: &str) -> HostDir {
        HostDir(self.hosts().join(name))
    }

    fn lock_path(&self) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(".lock");
        PathBuf::from(path)
    }

    /// Held by every verb that changes the lab. It lies beside the lab's directory, which `down` removes.
    pub(super) fn lock(&self) -> Result<File> {
        use std::os::unix::fs::MetadataExt;
        loop {
            let file = lock_file(&self.lock_path())?;
            io(format!("lock {}", self.0.display()), file.lock())?;
            // A `down` that was waited for has removed this very file: then the lock is worth nothing.
            let held = io("look at the lock", file.metadata())?;
            if fs::metadata(self.lock_path()).is_ok_and(|now| now.ino() == held.ino()) {
                return Ok(file);
            }
        }
    }

    /// Removes the lab's directory and its lock; only for the holder of the lock.
    pub(super) fn remove(&self) -> Result<()> {
        let removed = fs::remove_dir_all(&self.0);
        io(format!("remove {}", self.0.display()), removed)?;
        io("remove the lock", fs::remove_file(self.lock_path()))
    }
}

/// The directory of one host.
#[derive(Debug, Clone)]
pub(super) struct HostDir(pub(super) PathBuf);

impl HostDir {
    pub(super) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    pub(super) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// A directory of the machine's own filesystem that the host sees at /var/lib/docker or alike.
    pub(super) fn bound(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }

    pub(super) fn keeper_log(&self) -> PathBuf {
        self.0.join("keeper.log")
    }

    pub(super) fn keeper_lock(&self) -> PathBuf {
        self.0.join("keeper.lock")
    }

    pub(super) fn processes(&self) -> PathBuf {
        self.0.join("processes.json")
    }

    /// There once the overlay holds the host's own files; a host without it is made anew.
    pub(super) fn prepared(&self) -> PathBuf {
        self.0.join("prepared")
    }

    /// There while the host is to stay off: tells the keeper not to boot it again.
    pub(super) fn stay_off(&self) -> PathBuf {
        self.0.join("stay-off")
    }

    /// A keeper holds its lock as long as it lives: no stale pid can pretend to be one.
    pub(super) fn is_kept(&self) -> bool {
        let file = File::open(self.keeper_lock());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Opens a file that is only there to be locked.
pub(super) fn lock_file(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    io(format!("open {}", path.display()), options.open(path))
}

/// Makes a directory and its parents. Only root may look in: below are the disks of hosts, with programs of
/// older releases that run as root.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    let parents = path.parent().map_or(Ok(()), fs::create_dir_all);
    let made = parents.and_then(|()| {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path)
    });
    io(format!("make the directory {}", path.display()), made)
}

/// Writes a file whole or not at all.
pub(super) fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let mut temporary = path.to_path_buf().into_os_string();
    temporary.push(".new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(mode);
    let mut file = io(doing(), options.open(&temporary))?;
    io(doing(), file.write_all(bytes))?;
    io(doing(), fs::rename(&temporary, path))
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let bytes =
        io(format!("write {}", path.display()), serde_json::to_vec_pretty(value).map_err(std::io::Error::from))?;
    write_file(path, &bytes, 0o600)
}

/// Reads what [`write_json`] wrote; `None` when there is no file or it is of another version.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// One process, known so well that a recycled pid cannot be taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// The pid, in the machine's own namespace.
    pub(super) pid: i32,
    /// When it started, in clock ticks since boot (field 22 of /proc/PID/stat).
    started: u64,
    /// /proc/sys/kernel/random/boot_id at that time.
    boot: String,
}

impl Process {
    /// The identity of a pid that is alive now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let stat = Stat::read(pid).filter(|stat| !stat.dead)?;
        Some(Self { pid, started: stat.started, boot: boot_id() })
    }

    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal to this very process; one that is gone is left alone.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return;
        };
        // The descriptor pins the process: checked after it was opened, it cannot be another one.
        if let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty())
            && self.is_alive()
        {
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }

    /// The process 1 of the container that this nspawn process runs.
    pub(super) fn container_init(&self) -> Option<Self> {
        if !self.is_alive() {
            return None;
        }
        let pids = fs::read_dir("/proc").ok()?.flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|&pid| Stat::read(pid).is_some_and(|stat| stat.parent == self.pid))
            .find(|&pid| is_namespace_init(pid))
            .and_then(Self::of)
    }
}

fn is_namespace_init(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    pids.is_some_and(|pids| {
        let mut words = pids.split_whitespace();
        words.next().is_some() && words.last() == Some("1")
    })
}

struct Stat {
    dead: bool,
    parent: i32,
    started: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything, brackets too: fields are counted from the last one.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            dead: matches!(*fields.first()?, "Z" | "X"),
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// The processes of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostProcesses {
    /// Boots the host again when it reboots.
    pub(super) keeper: Process,
    /// systemd-nspawn of the present boot.
    pub(super) nspawn: Option<Process>,
    /// Process 1 of the present boot.
    pub(super) init: Option<Process>,
}

/// Waits until `done`, looking every 20 ms; says whether it came true in time.
pub(super) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Mount points at or below a path, deepest first.
pub(super) fn mounts_below(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points =
        text.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| PathBuf::from(point.replace("\\040", " ")));
    let mut found: Vec<PathBuf> = points.filter(|point| point.starts_with(path)).collect();
    found.reverse();
    found
}

/// Unmounts everything at or below a path.
///
/// # Errors
/// [`LabError::StillThere`] when something stays mounted.
pub(super) fn unmount_below(path: &Path) -> Result<()> {
    for point in mounts_below(path) {
        use rustix::mount::{UnmountFlags, unmount};
        if unmount(&point, UnmountFlags::empty()).is_err() {
            // A shell that stands in there keeps it busy; it must not keep the lab alive.
            let _ = unmount(&point, UnmountFlags::DETACH);
        }
    }
    match mounts_below(path).first() {
        None => Ok(()),
        Some(point) => Err(LabError::StillThere { what: format!("the mount {}", point.display()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_pid_is_not_the_same_process() {
        let me = Process::of(std::process::id() as i32).unwrap();
        assert!(me.is_alive());
        let earlier = Process { started: me.started - 1, ..me.clone() };
        assert!(!earlier.is_alive());
        let before_reboot = Process { boot: "another".into(), ..me };
        assert!(!before_reboot.is_alive());
    }

    #[test]
    fn a_lock_tells_whether_a_keeper_lives() {
        let dir = tempfile::tempdir().unwrap();
        let host = HostDir(dir.path().to_path_buf());
        assert!(!host.is_kept());
        let lock = lock_file(&host.keeper_lock()).unwrap();
        lock.try_lock().unwrap();
        assert!(host.is_kept());
        drop(lock);
        assert!(!host.is_kept());
    }
}
