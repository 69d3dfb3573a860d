//! A secret is in no file of the host before the file has its owner and is closed to others: watched by inotify.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::fixture::{Lab, Machine};

/// What a file was when something had just happened to it.
#[derive(Clone, Debug)]
struct Moment {
    what: ReadFlags,
    /// Whether a part of a secret stood in it.
    holds: bool,
    uid: u32,
    mode: u32,
}

/// Notes what happens to the files of some folders, in the order in which it happened.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeMap<PathBuf, Vec<Moment>>>,
}

impl Watch {
    fn begin(root: &Path, folders: &[&str]) -> Self {
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        let what = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVED_TO;
        let mut names = BTreeMap::new();
        for folder in folders {
            let path = root.join(folder.trim_start_matches('/'));
            names.insert(inotify::add_watch(&watch, &path, what).unwrap(), path);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [MaybeUninit::uninit(); 64 * 1024];
            let mut reader = Reader::new(&watch, &mut buffer);
            let mut moments: BTreeMap<PathBuf, Vec<Moment>> = BTreeMap::new();
            loop {
                match reader.next() {
                    Ok(event) => {
                        assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW), "some of it was not seen");
                        let (Some(folder), Some(name)) = (names.get(&event.wd()), event.file_name()) else { continue };
                        let path = folder.join(name.to_string_lossy().as_ref());
                        // It may be gone, or have its last name, by now. Read first: what stands in it then was put in by
                        // an owner and with a mode that it had before.
                        let holds = std::fs::read(&path).is_ok_and(|bytes| holds_secret(&bytes));
                        let meta = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file);
                        let (uid, mode) = meta.map_or((0, 0), |meta| (meta.uid(), meta.mode() & 0o777));
                        moments.entry(path).or_default().push(Moment { what: event.events(), holds, uid, mode });
                    }
                    Err(Errno::AGAIN) if stopped.load(Ordering::Relaxed) => return moments,
                    Err(Errno::AGAIN) => std::thread::sleep(Duration::from_micros(200)),
                    Err(error) => panic!("inotify: {error}"),
                }
            }
        });
        Self { stop, thread }
    }

    fn end(self) -> BTreeMap<PathBuf, Vec<Moment>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn holds_secret(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"canary-")
}

/// What is wrong with the way in which a file came to be that belongs to `uid`.
fn wrong(moments: &[Moment], uid: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut has_owner = false;
    if !moments.iter().any(|moment| moment.holds) {
        return wrong;
    }
    for (at, moment) in moments.iter().enumerate() {
        has_owner |= moment.what.contains(ReadFlags::ATTRIB);
        if moment.what.contains(ReadFlags::MODIFY) && !has_owner {
            wrong.push(format!("at {at}: content before the file had its owner"));
        }
        if moment.holds && (moment.uid != uid || moment.mode & 0o077 != 0) {
            wrong.push(format!("at {at}: a secret in a file of {} with the mode {:o}", moment.uid, moment.mode));
        }
    }
    wrong
}

#[test]
fn a_secret_is_private_before_it_is_there() {
    let Some(lab) = Lab::boot("private before it is there", &[Machine::new("web1")]) else { return };
    let user = "- user: { name: app }\n- directory: { path: /srv/app, owner: app, group: app, mode: \"0700\" }\n";
    lab.playbook(user);
    lab.apply().ends(0);
    let uid: u32 = lab.on("web1", "id -u app").trim().parse().unwrap();
    let status = rempart::lab::status(&lab.name).unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", status.hosts[0].pid.unwrap()));
    let folders =
        ["/srv/app", "/etc/credstore.encrypted", "/run", "/tmp", "/var/tmp", "/dev/shm", "/root", "/home/admin"];
    lab.on("web1", "mkdir -p /etc/credstore.encrypted");
    let secret = "canary-".repeat(20_000);
    lab.write("group_vars/all.yaml", &format!("bird: !secret {secret}\nword: !secret canary-short\n"));
    lab.write("templates/t.j2", "a\nb = {{ bird }}\n");
    lab.playbook(&format!(
        "{user}{}",
        "- file: { path: /srv/app/file, content: \"{{ bird }}\", owner: app, group: app, mode: \"0400\" }\n\
         - template: { to: /srv/app/template, from: t.j2, owner: app, group: app, mode: \"0600\", validate: \"grep -q b %s\" }\n\
         - file: { path: /srv/app/short, content: \"{{ word }}\", owner: app, group: app, mode: \"0600\" }\n\
         - systemd_credential: { name: bird, content: \"{{ word }}\" }\n"
    ));
    for round in 0..2 {
        let watch = Watch::begin(&root, &folders);
        lab.apply().ends(0);
        let moments = watch.end();
        for name in ["file", "template", "short"] {
            let path = root.join(format!("srv/app/.rempart.new.{name}"));
            let seen = moments.get(&path).unwrap_or_else(|| panic!("{name} was not seen being made: {moments:?}"));
            assert!(seen.iter().any(|moment| moment.what.contains(ReadFlags::MODIFY)), "{name}: {seen:?}");
        }
        for (path, seen) in &moments {
            let owner = if path.starts_with(root.join("srv/app")) { uid } else { 0 };
            let faults = wrong(seen, owner);
            // What rempart keeps of a run holds no secret, and stands in folders of its own (tests/real/leaks.rs).
            assert!(faults.is_empty(), "round {round}, {}: {faults:#?}\n{seen:#?}", path.display());
        }
        lab.on("web1", "rm -r /srv/app/file /srv/app/template /srv/app/short /etc/credstore.encrypted/*");
    }
    // The same watch sees those who do it the other way round.
    for (script, told) in [
        ("umask 077; echo canary-secret > planted; chown app planted", "before the file had its owner"),
        (
            "umask 022; : > planted; chown app planted; echo canary-secret > planted; sleep 0.2; chmod 600 planted",
            "with the mode 644",
        ),
        (
            "umask 077; : > planted; chmod 600 planted; echo canary-secret > planted; sleep 0.2; chown app planted",
            "a file of 0 with",
        ),
    ] {
        let watch = Watch::begin(&root, &folders);
        lab.on("web1", &format!("cd /srv/app; {script}; sleep 0.2"));
        let moments = watch.end();
        let faults = wrong(&moments[&root.join("srv/app/planted")], uid);
        assert!(faults.iter().any(|fault| fault.contains(told)), "{script}: {faults:?}");
        lab.on("web1", "rm /srv/app/planted");
    }
}
