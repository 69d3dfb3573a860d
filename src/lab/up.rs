//! Owns how a lab comes up: what is agreed on first, what is made once, what runs at the same time.
//! Must not know how a single host is made or booted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use super::error::{LabError, Result, io};
use super::state::{self, LabDir};
use super::{Event, HostRecord, LabRecord, LabSpec, LabStatus};
use super::{boot, down, host, image, keeper, network, sources, tool};

/// Brings a lab up: what runs already is left alone, what is off is booted, what is missing is made.
///
/// A host that is added later is not in the /etc/hosts of those that were there before.
///
/// # Errors
/// See [`LabError`]; [`LabError::Changed`] when a host of that name is there with other settings (a changed
/// password is not seen). What was made before the error stays; `up` again goes on, [`super::down()`] removes it.
pub fn up(spec: &LabSpec, report: &mut dyn FnMut(Event)) -> Result<LabStatus> {
    tool::check_machine()?;
    spec.check()?;
    sources::archives()?;
    raise_watchers();
    let dir = LabDir::of(&spec.name);
    let _lock = dir.lock()?;
    let mut record = agreed_record(spec, &dir)?;
    add_hosts(spec, &mut record, report)?;
    // Before anything is made: `down` finds all of it by this.
    state::make_dir(&dir.hosts())?;
    state::write_json(&dir.record(), &record)?;
    if !network::exists(&spec.name) {
        down::stop_all(&spec.name, &dir)?; // hosts of a namespace that was taken away can be reached by nobody
        network::create(&spec.name, spec.controller)?;
        report(Event::NetworkReady { namespace: network::namespace(&spec.name) });
    }
    if boot::start_mirror(&spec.name, &dir, &record)? {
        report(Event::MirrorReady { url: host::mirror_url(spec.controller) });
    }
    let booted = boot_hosts(spec, &dir, &record, report);
    // Also for the hosts that did come up beside one that did not.
    write_known_hosts(&dir, &record)?;
    booted?;
    super::status(&spec.name)
}

// A booted systemd holds about ten inotify instances, and root may have 128 by default: the thirteenth host of a machine
// would not boot. Where it cannot be raised, the boot's own error says so.
fn raise_watchers() {
    const WANTED: u64 = 4096;
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let now = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if now.is_some_and(|now| now < WANTED) {
        let _ = std::fs::write(path, WANTED.to_string());
    }
}

/// The lab's record as it is to be, without hosts that are yet to be added.
fn agreed_record(spec: &LabSpec, dir: &LabDir) -> Result<LabRecord> {
    let changed = |what: String| LabError::Changed { lab: spec.name.clone(), what };
    let files = spec.files.as_ref().map(|files| io("find the files", files.canonicalize())).transpose()?;
    if !dir.record().exists() {
        if network::exists(&spec.name) {
            return Err(LabError::NamespaceInUse(network::namespace(&spec.name)));
        }
        let (controller, serve) = (spec.controller, spec.serve.clone());
        return Ok(LabRecord { controller, files, serve, hosts: Vec::new() });
    }
    let old: LabRecord = state::read_json(&dir.record()).ok_or_else(|| changed("record format".into()))?;
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
                return Err(changed(format!("set of hosts ({} is in it)", known.host.name)));
            }
        }
    }
    Ok(LabRecord { serve: spec.serve.clone(), ..old })
}

/// Adds the hosts that the record does not have, getting their images.
fn add_hosts(spec: &LabSpec, record: &mut LabRecord, report: &mut dyn FnMut(Event)) -> Result<()> {
    let mut images: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for host in &spec.hosts {
        let release = host.release.as_str();
        if record.hosts.iter().any(|known| known.host.name == host.name) {
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
        record.hosts.push(HostRecord { host: host.without_password(), image });
    }
    Ok(())
}

fn get_image(release: &str, report: &mut dyn FnMut(Event)) -> Result<PathBuf> {
    let start = Instant::now();
    let mut worked = false;
    let mut progress = |progress| {
        worked = true;
        let release = release.to_owned();
        report(match progress {
            image::Progress::Waiting => Event::ImageAwaited { release },
            image::Progress::Building => Event::ImageBuilding { release },
        });
    };
    let image = image::get(release, &mut progress, &stands_on)?;
    if worked {
        report(Event::ImageBuilt { release: release.to_owned(), took: start.elapsed() });
    }
    Ok(image.root)
}

/// Whether a host of any lab, running or off, stands on an image.
fn stands_on(image: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_lab = |name: String| -> Option<LabRecord> { state::read_json(&LabDir::of(&name).record()) };
    let mut records = super::list().unwrap_or_default().into_iter().filter_map(of_lab);
    mounts.contains(&format!("{}/", image.display()))
        || records.any(|record| record.hosts.iter().any(|host| host.image.starts_with(image)))
}

/// Boots all hosts at once; each one's failure is its own, the first is given back.
fn boot_hosts(spec: &LabSpec, dir: &LabDir, record: &LabRecord, report: &mut dyn FnMut(Event)) -> Result<()> {
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
        let died = |_| Err(LabError::StillThere { what: "a broken thread".into() });
        let outcomes: Vec<Result<()>> = threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect();
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
    if !known.image.is_dir() {
        let what = format!("base image ({} was removed)", known.image.display());
        return Err(LabError::Changed { lab: spec.name.clone(), what });
    }
    if !host_dir.prepared().exists() {
        // From the specification, not the record: only it has the password.
        let host = spec.hosts.iter().find(|host| host.name == name).unwrap_or(&known.host);
        host::prepare(&host_dir, &known.image, spec, host)?;
    }
    boot::start_host(&spec.name, dir, record, &known.host)?;
    let _ = events.send(Event::HostReady { host: name, took: start.elapsed() });
    Ok(())
}

fn write_known_hosts(dir: &LabDir, record: &LabRecord) -> Result<()> {
    let mut text = String::new();
    for known in &record.hosts {
        let host_dir = dir.host(&known.host.name);
        if host_dir.prepared().exists() {
            text.push_str(&host::known_hosts_lines(&host_dir, &known.host)?);
        }
    }
    state::write_file(&dir.known_hosts(), text.as_bytes(), 0o644)
}
