//! Owns the controller's half of the dead-man guard: confirming over a fresh connection, or waiting for the target to
//! heal itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{Batch, GUARD, library};
use super::{Event, Stop, WriteLinks, each_host};
use crate::model::HostName;
use crate::quote::quote_sh;
use crate::transport::{TransportError, WriteScript};

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
    Confirmed,
    /// The host took it back; what is not as before, if anything.
    TakenBack {
        /// Whether all of it is as before.
        whole: bool,
    },
    /// A guard stands that is not for a person: a run is at work. Its state.
    Busy(String),
}

/// Confirms the checkpoints of these hosts, or has them taken back at once; each over a fresh connection.
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
    let work = if commit {
        "rp_guard_confirm committed \"$rp_run\" \"$rp_batch\""
    } else {
        "rp_guard_fire person; rp_guard_state \"$rp_run\" \"$rp_batch\""
    };
    let script = WriteScript {
        text: format!(
            "{}{GUARD}
if [ -e \"$RP_GUARD/healed\" ] && [ -e \"$RP_GUARD/person\" ]; then echo healed; cat \"$RP_GUARD/healed\"; exit 0; fi
if [ ! -e \"$RP_GUARD/armed\" ]; then echo none; exit 0; fi
if [ ! -e \"$RP_GUARD/person\" ]; then echo busy; exit 0; fi
read -r rp_run rp_batch < \"$RP_GUARD/armed\"\n{work}\n",
            library()
        ),
        payloads: Vec::new(),
        timeout: Duration::from_secs(120),
    };
    let output = links.with_fresh(host, None, |session| session.run(&script, &mut |_| {}))?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(match answer.lines().next().unwrap_or("") {
        "none" => Checkpoint::None,
        "confirmed" => Checkpoint::Confirmed,
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
    })
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
