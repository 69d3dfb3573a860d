//! Owns the end of a lab, whatever state it is in.
//! Must not know how a lab was made, only what may be left of one.

use std::time::Duration;

use rustix::process::Signal;

use super::error::{LabError, Result};
use super::state::{self, LabDir, Process};
use super::{cgroups, keeper, network, spec, tool};

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
pub(super) fn stop_all(name: &str, dir: &LabDir) -> Result<()> {
    let mut hosts = Vec::new();
    if let Ok(entries) = std::fs::read_dir(dir.hosts()) {
        hosts.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
    }
    std::thread::scope(|scope| {
        let stop = |host: &String| keeper::power_off(name, &dir.host(host), host);
        let threads: Vec<_> = hosts.iter().map(|host| scope.spawn(move || stop(host))).collect();
        let died = |_| Err(LabError::StillThere { what: "a broken thread".into() });
        let outcomes: Vec<Result<()>> = threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect();
        outcomes.into_iter().collect::<Result<()>>()
    })?;
    if let Some(mirror) = state::read_json::<Process>(&dir.mirror_process()) {
        mirror.signal(Signal::KILL);
        if !state::wait_until(Duration::from_secs(5), || !mirror.is_alive()) {
            return Err(LabError::StillThere { what: "the mirror".into() });
        }
    }
    Ok(())
}
