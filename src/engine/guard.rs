//! Owns the controller's half of the dead-man guard: confirming over a fresh connection, or waiting for the target to
//! heal itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{Batch, GUARD, library};
use super::{Event, Stop, WriteLinks, each_host};
use crate::model::HostName;
use crate::quote::quote_sh;
use crate::transport::{Output, TransportError, WriteScript};

/// How a guard ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GuardEnd {
    /// A fresh connection with a real privilege check confirmed the change.
    Confirmed,
    /// The target took it back; why nobody confirmed.
    Healed(String),
    /// Nobody can say: the host could not be reached even after the time in which it should have healed.
    Unknown(String),
}

/// Confirms a change over a fresh connection, within the window; otherwise waits for the target to heal, and looks.
pub(super) fn confirm(links: &WriteLinks, host: &HostName, batch: &Batch, stop: &Stop) -> GuardEnd {
    let started = Instant::now();
    let window = Duration::from_secs(batch.confirm_within);
    let latest = started + window.saturating_sub(Duration::from_secs(4));
    let mut why = "the confirmation came too late".to_owned();
    let mut pause = Duration::from_secs(2);
    let mut refusals = 0;
    loop {
        match ask(links, host, batch, "rp_guard_confirm confirmed", Some(latest)) {
            Ok(answer) if answer.starts_with("confirmed") => return confirmed(links, host),
            Ok(answer) if answer.starts_with("healed") => {
                return wait_for_healing(links, host, batch, &why, stop);
            }
            // It fires already: why nobody could confirm is what was heard before.
            Ok(answer) if answer.starts_with("firing") => return wait_for_healing(links, host, batch, &why, stop),
            Ok(answer) => why = format!("the guard answers `{}`", answer.trim()),
            Err(error) => {
                refusals += usize::from(is_refusal(&error));
                why = error.to_string();
            }
        }
        if stop.is_urgent() {
            return GuardEnd::Unknown(format!("{why}; the host takes the change back unless it was confirmed"));
        }
        links.tell(Event::GuardRetry(host.clone(), why.clone()));
        // A login that the host refuses is an offence to fail2ban and PerSourcePenalties; a third one may ban us from a
        // host that has healed by then.
        if refusals == REFUSALS || started.elapsed() + pause >= window {
            break;
        }
        nap(pause, stop);
        pause = (pause * 2).min(Duration::from_secs(15));
    }
    // The old connection may live on through a firewall that lets no new one in; it proves nothing, so it is closed.
    links.close(host);
    nap((window + Duration::from_secs(3)).saturating_sub(started.elapsed()), stop);
    wait_for_healing(links, host, batch, &why, stop)
}

const REFUSALS: usize = 2;

// Sleeps, but not longer than anybody wants to wait.
fn nap(how_long: Duration, stop: &Stop) {
    let until = Instant::now() + how_long;
    while !stop.is_urgent() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(250)));
    }
}

// Whether the host itself said no, which it does not take back so soon.
fn is_refusal(error: &TransportError) -> bool {
    matches!(error, TransportError::Refused { .. } | TransportError::Sudo { .. } | TransportError::HostKey { .. })
}

/// Waits until the target says that it has healed; for a guard that fires by itself or was fired by a failed step.
pub(super) fn wait_for_healing(links: &WriteLinks, host: &HostName, batch: &Batch, why: &str, stop: &Stop) -> GuardEnd {
    let started = Instant::now();
    let mut last = String::new();
    while started.elapsed() < Duration::from_secs(90) {
        match ask(links, host, batch, "rp_guard_state", None) {
            // Its answer was lost on the way.
            Ok(answer) if answer.starts_with("confirmed") => return confirmed(links, host),
            Ok(answer) if answer.starts_with("healed") => {
                // The second line: when, by whom, and how the way back ended.
                let status = answer.lines().nth(1).and_then(|line| line.split(' ').nth(2)).unwrap_or("?");
                let why = match status {
                    "0" => why.to_owned(),
                    _ => format!("{why}; not all of it is as before, which the next plan tells of (status {status})"),
                };
                links.tell(Event::Healed(host.clone(), why.clone()));
                return GuardEnd::Healed(why);
            }
            Ok(answer) => last = format!("the guard answers `{}`", answer.trim()),
            Err(error) => last = error.to_string(),
        }
        if stop.is_urgent() {
            break;
        }
        nap(Duration::from_secs(3), stop);
    }
    GuardEnd::Unknown(format!("{why}; afterwards: {last}"))
}

fn confirmed(links: &WriteLinks, host: &HostName) -> GuardEnd {
    links.tell(Event::GuardConfirmed(host.clone()));
    GuardEnd::Confirmed
}

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// There is none.
    None,
    /// It was confirmed.
    Confirmed {
        /// The way that the run came by, where the inventory does not list it any more: it was confirmed by another one.
        not_by: Option<String>,
    },
    /// It waits still: the host answers, but not by the way that the run came by, which is the one to be proved.
    Apart {
        /// That way.
        way: String,
        /// Why it does not lead in.
        why: String,
    },
    /// The host took it back; what is not as before, if anything.
    TakenBack {
        /// Whether all of it is as before.
        whole: bool,
    },
    /// A guard stands that is not for a person: a run is at work. Its state.
    Busy(String),
}

/// Confirms the checkpoints of these hosts, or has them taken back at once; each over a fresh connection. Confirmed is by the
/// way that the run came by: that another one is open says nothing of it.
pub async fn settle_checkpoints(
    hosts: Vec<HostName>,
    links: Arc<WriteLinks>,
    forks: usize,
    commit: bool,
) -> BTreeMap<HostName, Result<Checkpoint, TransportError>> {
    let ends = each_host(hosts, forks, move |host| settle(&links, host, commit)).await;
    let died = |host: &HostName| {
        let reason = "the work on it died; this is a bug in rempart".to_owned();
        Err(TransportError::Broken { host: host.clone(), reason })
    };
    ends.into_iter().map(|(host, end)| (host.clone(), end.unwrap_or_else(|| died(&host)))).collect()
}

fn settle(links: &WriteLinks, host: &HostName, commit: bool) -> Result<Checkpoint, TransportError> {
    let asked = links.with_fresh(host, None, |session| {
        let here = session.entry().map(|entry| entry.way).unwrap_or_default();
        session.run(&settling(commit, Some(&here)), &mut |_| {})
    })?;
    let answer = String::from_utf8_lossy(&asked.stdout).into_owned();
    let Some(way) = answer.strip_prefix("elsewhere\n").map(|way| way.trim_end().to_owned()) else {
        return Ok(settled(&asked, None));
    };
    let whichever = settling(commit, None);
    match links.with_fresh_by(host, |target| target.by_way(&way), |session| session.run(&whichever, &mut |_| {})) {
        Some(Ok(output)) => return Ok(settled(&output, None)),
        Some(Err(error)) => return Ok(Checkpoint::Apart { way, why: error.to_string() }),
        None => {}
    }
    // Another user at the same place: the place at least is proved.
    match links.with_fresh_by(host, |target| target.by_place(&way), |session| session.run(&whichever, &mut |_| {})) {
        Some(Ok(output)) => Ok(settled(&output, Some(way))),
        Some(Err(error)) => Ok(Checkpoint::Apart { way, why: error.to_string() }),
        // Whoever took it from the inventory said that it is to be no way any more.
        None => {
            let output = links.with_fresh(host, None, |session| session.run(&whichever, &mut |_| {}))?;
            Ok(settled(&output, Some(way)))
        }
    }
}

// Settles the checkpoint; to be confirmed `here` it has to have been made by the same way, else it says by which.
fn settling(commit: bool, here: Option<&str>) -> WriteScript {
    let work = if commit {
        "rp_guard_confirm committed \"$rp_run\" \"$rp_batch\""
    } else {
        "rp_guard_fire person; rp_guard_state \"$rp_run\" \"$rp_batch\""
    };
    let same = here.filter(|_| commit).map_or_else(String::new, |here| {
        let here = quote_sh(here);
        format!(
            "if [ -s \"$RP_GUARD/way\" ] && [ \"$(cat \"$RP_GUARD/way\")\" != {here} ]; then \
             echo elsewhere; cat \"$RP_GUARD/way\"; exit 0; fi"
        )
    });
    WriteScript {
        text: format!(
            "{}{GUARD}
if [ -e \"$RP_GUARD/healed\" ] && [ -e \"$RP_GUARD/person\" ]; then echo healed; cat \"$RP_GUARD/healed\"; exit 0; fi
if [ ! -e \"$RP_GUARD/armed\" ]; then echo none; exit 0; fi
if [ ! -e \"$RP_GUARD/person\" ]; then echo busy; exit 0; fi
{same}
read -r rp_run rp_batch < \"$RP_GUARD/armed\"\n{work}\n",
            library()
        ),
        payloads: Vec::new(),
        timeout: Duration::from_secs(120),
    }
}

fn settled(output: &Output, not_by: Option<String>) -> Checkpoint {
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    match answer.lines().next().unwrap_or("") {
        "none" => Checkpoint::None,
        "confirmed" => Checkpoint::Confirmed { not_by },
        "healed" => {
            // The second line: when, by whom, and how the way back ended.
            let status = answer.lines().nth(1).and_then(|line| line.split(' ').nth(2));
            Checkpoint::TakenBack { whole: status == Some("0") }
        }
        "busy" => Checkpoint::Busy("a run is at work on it, and its own guard stands".into()),
        other => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            Checkpoint::Busy(format!("the guard says `{}` {}", other.escape_debug(), complaint.trim()))
        }
    }
}

// Always over a connection of its own, with the host's own way to root: that is what is to be proved.
fn ask(
    links: &WriteLinks,
    host: &HostName,
    batch: &Batch,
    function: &str,
    latest: Option<Instant>,
) -> Result<String, TransportError> {
    let call = format!("{function} {} {}", quote_sh(&batch.run), batch.number);
    let script = WriteScript {
        text: format!("{}{GUARD}\n[ \"$(id -u)\" = 0 ] || exit 1\n{call}\n", library()),
        payloads: Vec::new(),
        timeout: Duration::from_secs(15),
    };
    let output = links.with_fresh(host, latest, |session| session.run(&script, &mut |_| {}))?;
    if output.status != 0 {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let reason = format!("the confirmation failed with status {}: {complaint}", output.status);
        return Err(TransportError::Broken { host: host.clone(), reason });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::Mutex;

    use super::*;
    use crate::transport::{Candidate, Entry, ReadScript, Reader, Target, Transport, Writer};

    /// A host that lets nobody in by one port, which a checkpoint stands on; its files are in a folder here.
    struct Walled {
        folder: String,
        closed: Option<u16>,
        came_by: Arc<Mutex<Vec<u16>>>,
    }

    struct Session(String, Option<Entry>);

    impl Reader for Session {
        fn ask(&mut self, _: &ReadScript) -> Result<Output, TransportError> {
            Ok(Output::default())
        }

        fn entry(&self) -> Option<Entry> {
            self.1.clone()
        }

        fn relay(&mut self, _: &str, _: u16, _: &[u8], _: usize, _: Duration) -> Result<Vec<u8>, TransportError> {
            Ok(Vec::new())
        }
    }

    impl Writer for Session {
        fn run(&mut self, script: &WriteScript, _: &mut dyn FnMut(&[u8])) -> Result<Output, TransportError> {
            let text = script.text.replace("/var/lib/rempart", &self.0).replace("/etc/systemd/system", &self.0);
            let done = Command::new("sh").arg("-c").arg(format!("systemctl() {{ :; }}\n{text}")).output().unwrap();
            Ok(Output { status: done.status.code().unwrap(), stdout: done.stdout, stderr: done.stderr })
        }
    }

    impl Transport for Walled {
        fn reader(&self, target: &Target) -> Result<Box<dyn Reader>, TransportError> {
            self.writer(target)?;
            Ok(Box::new(Session(self.folder.clone(), None)))
        }

        fn writer(&self, target: &Target) -> Result<Box<dyn Writer>, TransportError> {
            let port = |at: usize| target.by(at).port.unwrap();
            let at = (0..target.candidates.len().max(1)).find(|at| Some(port(*at)) != self.closed);
            let Some(at) = at else {
                let (host, address) = (target.name.clone(), target.address.clone());
                return Err(TransportError::Unreachable { host, address, reason: "nothing listens".into() });
            };
            self.came_by.lock().unwrap().push(port(at));
            let way = format!("{}@192.0.2.1:{}", target.by(at).user.unwrap(), port(at));
            let entry = (!target.candidates.is_empty()).then_some(Entry { at, way, passed: Vec::new() });
            Ok(Box::new(Session(self.folder.clone(), entry)))
        }
    }

    // What comes of `commit` where the run came by port 22; whether the checkpoint waits still, and the ports come by.
    fn commit(ways: &[&str], closed: Option<u16>) -> (Checkpoint, bool, Vec<u16>) {
        commit_as(None, ways, closed)
    }

    // The same where the command line says who logs in.
    fn commit_as(user: Option<&str>, ways: &[&str], closed: Option<u16>) -> (Checkpoint, bool, Vec<u16>) {
        let folder = tempfile::tempdir().unwrap();
        let guard = folder.path().join("guard");
        std::fs::create_dir(&guard).unwrap();
        for (name, text) in [("armed", "r7 1"), ("person", "ops@desk: site.yaml"), ("way", "ops@192.0.2.1:22")] {
            std::fs::write(guard.join(name), format!("{text}\n")).unwrap();
        }
        std::fs::write(folder.path().join("journal"), "").unwrap();
        let came_by = Arc::new(Mutex::new(Vec::new()));
        let walled = Walled { folder: shown(folder.path()), closed, came_by: came_by.clone() };
        let target = Target {
            user: Some("ops".into()),
            candidates: ways.iter().map(|way| Candidate::parse(way).unwrap()).collect(),
            ssh_config: Some("".into()),
            ..Target::bare("web1", "192.0.2.1")
        };
        let target = match user {
            None => target,
            Some(user) => {
                let as_listed = Some(Box::new(target.clone()));
                let mut candidates = target.candidates.clone();
                candidates.iter_mut().for_each(|way| way.user = Some(user.into()));
                Target { candidates, as_listed, ..target }
            }
        };
        let host = HostName::new("web1");
        let links = WriteLinks::new(Arc::new(walled), BTreeMap::from([(host.clone(), target)]), Arc::new(|_| {}));
        let end = settle(&links, &host, true).unwrap();
        let came_by = came_by.lock().unwrap().clone();
        (end, guard.join("armed").exists(), came_by)
    }

    fn shown(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_checkpoint_is_confirmed_by_the_way_that_the_run_came_by() {
        let confirmed = |not_by: Option<&str>| Checkpoint::Confirmed { not_by: not_by.map(str::to_owned) };
        let way = "ops@192.0.2.1:22";
        assert_eq!(commit(&["ops@:22", "ops@:2222"], None), (confirmed(None), false, vec![22]));
        // The first way now is another one: that of the run is asked for all the same.
        assert_eq!(commit(&["ops@:2222", "ops@:22"], None), (confirmed(None), false, vec![2222, 22]));
        // What the run has closed is closed, though another one is open.
        let (end, waits, _) = commit(&["ops@:22", "ops@:2222"], Some(22));
        assert!(
            matches!(&end, Checkpoint::Apart { way: apart, why } if apart == way && why.contains("nothing listens"))
        );
        assert!(waits, "it was confirmed: {end:?}");
        // Whoever is told to log in, it is the way of the run that is to be proved.
        assert_eq!(commit_as(Some("root"), &["ops@:2222", "ops@:22"], None), (confirmed(None), false, vec![2222, 22]));
        let (end, waits, _) = commit_as(Some("root"), &["ops@:22", "ops@:2222"], Some(22));
        assert!(matches!(&end, Checkpoint::Apart { way: apart, .. } if apart == way) && waits, "{end:?}");
        // Where the inventory has another user now, the place is proved, and the user told.
        assert_eq!(commit(&["new@:2222", "new@:22"], None), (confirmed(Some(way)), false, vec![2222, 22]));
        let (end, waits, _) = commit(&["new@:22", "new@:2222"], Some(22));
        assert!(matches!(&end, Checkpoint::Apart { way: apart, .. } if apart == way) && waits, "{end:?}");
        // Who took it from the inventory wants it closed; that it was another one is told.
        assert_eq!(commit(&["ops@:2222"], Some(22)), (confirmed(Some(way)), false, vec![2222, 2222]));
    }
}
