//! Owns the look on hosts: one script each over the one connection, and their files judged where they arrive.

use std::sync::Arc;
use std::time::Duration;

use super::scan::Looked;
use crate::cli::Stopped;
use crate::cli::options::{Connection, Inventories};
use crate::cli::project::{self, Fleet};
use crate::engine::{self, NoAnswer, ReadLinks};
use crate::model::HostName;
use crate::report::{AboutFile, Screen};
use crate::scan::{HostFiles, NotLooked, look_on_host, read_host, scan, scan_name, text_of};
use crate::transport::SshTransport;

/// How long a host may take: the search for files, and what they hold on its way.
const TIMEOUT: Duration = Duration::from_secs(240);

pub(super) fn look(
    pattern: &str,
    inventories: &Inventories,
    connection: &Connection,
    screen: &Arc<Screen>,
) -> Result<Looked, Stopped> {
    let fleet = Fleet::load(inventories, &project::overrides(connection)?, screen)?;
    let hosts = fleet.chosen("--host", pattern)?;
    fleet.check_targets(&hosts)?;
    let links = ReadLinks::new(Arc::new(SshTransport::new()), fleet.targets.clone(), project::nobody());
    let work = engine::judge_all(hosts, look_on_host(), TIMEOUT, links, connection.forks, |host, output| {
        Ok(judge(host, &read_host(output)?))
    });
    let mut looked = Looked::default();
    for (host, answer) in project::runtime()?.block_on(work) {
        match answer {
            Ok(of_host) => {
                looked.findings.extend(of_host.findings);
                looked.not_looked.extend(of_host.not_looked);
                looked.files.extend(of_host.files);
                looked.about.extend(of_host.about);
            }
            Err(why) => note(&mut looked, host, why),
        }
    }
    Ok(looked)
}

// Who lets us in and lets nobody become root was reached, and not looked at.
fn note(looked: &mut Looked, host: HostName, why: NoAnswer) {
    match why {
        NoAnswer::Unreachable(why) if !why.is_reached() => looked.unreachable.push((host, why.to_string())),
        NoAnswer::Unreachable(why) => looked.not_looked.push(NotLooked::fault(host.to_string(), why.to_string())),
        NoAnswer::NotUnderstood(why) => looked.not_looked.push(NotLooked::fault(host.to_string(), why)),
    }
}

// The contents live no longer than this.
fn judge(host: &HostName, files: &HostFiles) -> Looked {
    let mut looked = Looked::default();
    let place_of = |path: &str| format!("{host}:{path}");
    for (path, why) in &files.not_read {
        looked.not_looked.push(NotLooked::fault(place_of(path), why.as_str()));
    }
    for file in &files.read {
        let place = place_of(&file.path);
        let before = looked.findings.len();
        match text_of(file.content()) {
            Some(text) => looked.findings.extend(scan(&place, &text)),
            None => {
                looked.findings.extend(scan_name(&place));
                looked.not_looked.push(NotLooked::harmless(place.as_str(), "not a text"));
            }
        }
        if looked.findings.len() > before {
            let (host, mode, owner) = (host.clone(), file.mode.clone(), file.owner.clone());
            looked.about.insert(place.clone(), AboutFile { host, mode, owner });
        }
        looked.files.insert(place);
    }
    looked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportError;

    #[test]
    fn a_host_that_lets_nobody_become_root_is_not_out_of_reach() {
        let (host, user) = (HostName::new("web1"), "ops".to_owned());
        let (address, reason) = ("192.0.2.1:22".to_owned(), "no".to_owned());
        let mut looked = Looked::default();
        let sudo = TransportError::Sudo { host: host.clone(), user, reason: reason.clone() };
        note(&mut looked, host.clone(), NoAnswer::Unreachable(sudo));
        assert_eq!((looked.not_looked.len(), looked.unreachable.len()), (1, 0));
        let silent = TransportError::Unreachable { host: host.clone(), address, reason };
        note(&mut looked, host, NoAnswer::Unreachable(silent));
        assert_eq!((looked.not_looked.len(), looked.unreachable.len()), (1, 1));
    }
}
