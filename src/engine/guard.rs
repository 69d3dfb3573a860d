//! Owns the controller's half of the dead-man guard: confirming over a fresh connection, or waiting for the target to
//! heal itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::{GUARD, library};
use super::{Event, WriteLinks, each_host};
use crate::model::HostName;
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
pub(super) fn confirm(links: &WriteLinks, host: &HostName, window: u64) -> GuardEnd {
    let started = Instant::now();
    let window = Duration::from_secs(window);
    let mut why = "the confirmation came too late".to_owned();
    let mut pause = Duration::from_secs(2);
    loop {
        match ask(links, host, "rp_guard_confirm") {
            Ok(answer) if answer.starts_with("confirmed") => {
                links.tell(Event::GuardConfirmed(host.clone()));
                return GuardEnd::Confirmed;
            }
            Ok(answer) if answer.starts_with("healed") => {
                return wait_for_healing(links, host, &why);
            }
            Ok(answer) => why = format!("the guard answers `{}`", answer.trim()),
            Err(error) => why = error,
        }
        links.tell(Event::GuardRetry(host.clone(), why.clone()));
        // Few tries: `ufw limit`, MaxStartups and fail2ban count them, and a locked-out host must not lock out twice.
        if started.elapsed() + pause >= window {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(15));
    }
    // The old connection may live on through a firewall that lets no new one in; it proves nothing, so it is closed.
    links.close(host);
    std::thread::sleep((window + Duration::from_secs(3)).saturating_sub(started.elapsed()));
    wait_for_healing(links, host, &why)
}

/// Waits until the target says that it has healed; for a guard that fires by itself or was fired by a failed step.
pub(super) fn wait_for_healing(links: &WriteLinks, host: &HostName, why: &str) -> GuardEnd {
    let started = Instant::now();
    let mut last = String::new();
    while started.elapsed() < Duration::from_secs(90) {
        match ask(links, host, "rp_guard_state") {
            Ok(answer) if answer.starts_with("healed") => {
                // The second word of the second line is where it healed, the third how its way back ended.
                let status = answer.lines().nth(1).and_then(|line| line.split(' ').nth(2)).unwrap_or("?").to_owned();
                let end = healed(links, host, why);
                return match (status.as_str(), end) {
                    ("0", end) => end,
                    (_, GuardEnd::Healed(why)) => {
                        GuardEnd::Healed(format!("{why}; a service did not come back cleanly (status {status})"))
                    }
                    (_, end) => end,
                };
            }
            Ok(answer) => last = format!("the guard answers `{}`", answer.trim()),
            Err(error) => last = error,
        }
        std::thread::sleep(Duration::from_secs(3));
    }
    GuardEnd::Unknown(format!("{why}; afterwards: {last}"))
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
    let work = if commit { "rp_guard_confirm committed" } else { "rp_guard_fire person; rp_guard_state" };
    let script = WriteScript {
        text: format!(
            "{}{GUARD}\nif [ ! -e \"$RP_GUARD/armed\" ]; then echo none; exit 0; fi
if [ ! -e \"$RP_GUARD/person\" ]; then echo busy; exit 0; fi\n{work}\n",
            library()
        ),
        payloads: Vec::new(),
        timeout: Duration::from_secs(120),
    };
    let output = links.with_fresh(host, |session| session.run(&script, &mut |_| {}))?;
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

fn healed(links: &WriteLinks, host: &HostName, why: &str) -> GuardEnd {
    links.tell(Event::Healed(host.clone(), why.to_owned()));
    GuardEnd::Healed(why.to_owned())
}

// Always over a connection of its own, with the host's own way to root: that is what is to be proved.
fn ask(links: &WriteLinks, host: &HostName, function: &str) -> Result<String, String> {
    let script = WriteScript {
        text: format!("{}{GUARD}\n[ \"$(id -u)\" = 0 ] || exit 1\n{function}\n", library()),
        payloads: Vec::new(),
        timeout: Duration::from_secs(15),
    };
    let output =
        links.with_fresh(host, |session| session.run(&script, &mut |_| {})).map_err(|error| error.to_string())?;
    if output.status != 0 {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("the confirmation failed with status {}: {complaint}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
