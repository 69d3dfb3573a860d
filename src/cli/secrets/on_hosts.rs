//! Owns the look on hosts: one script each over the one connection, and their files judged where they arrive.

use std::sync::Arc;
use std::time::Duration;

use super::scan::Looked;
use crate::cli::Stopped;
use crate::cli::options::{Connection, Inventories};
use crate::cli::project::{self, Fleet};
use crate::engine::{self, Links, ReadLinks, each_host};
use crate::model::HostName;
use crate::report::{AboutFile, Screen};
use crate::resource::{Answer, ProbeError, ProbeScript};
use crate::scan::{HostFiles, NotLooked, look_on_host, read_host, scan, scan_name, text_of};
use crate::transport::{SshTransport, TransportError};

/// How long a host may take: the search for files, and what they hold on its way.
const TIMEOUT: Duration = Duration::from_secs(240);
const SECTION: &str = "secrets";

/// Why nothing is known of a host.
enum Silent {
    Unreachable(String),
    NotUnderstood(String),
}

impl From<TransportError> for Silent {
    fn from(error: TransportError) -> Self {
        Silent::Unreachable(error.to_string())
    }
}

impl From<ProbeError> for Silent {
    fn from(ProbeError(why): ProbeError) -> Self {
        Silent::NotUnderstood(why)
    }
}

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
    let work = each_host(hosts, connection.forks, move |host| ask(host, links.as_ref()));
    let mut looked = Looked::default();
    for (host, answer) in project::runtime()?.block_on(work) {
        let died = || Err(Silent::NotUnderstood("the work on it died; this is a bug in rempart".into()));
        match answer.unwrap_or_else(died) {
            Ok(of_host) => {
                looked.findings.extend(of_host.findings);
                looked.not_looked.extend(of_host.not_looked);
                looked.files.extend(of_host.files);
                looked.about.extend(of_host.about);
            }
            Err(Silent::Unreachable(why)) => looked.unreachable.push((host, why)),
            Err(Silent::NotUnderstood(why)) => {
                looked.not_looked.push(NotLooked { place: host.to_string(), why, is_fault: true });
            }
        }
    }
    Ok(looked)
}

// The contents live no longer than this.
fn ask(host: &HostName, links: &dyn Links) -> Result<Looked, Silent> {
    let mut script = ProbeScript::default();
    script.section(SECTION, look_on_host());
    let nonce = format!("{}{}", engine::new_run(), engine::new_run());
    let question = script.finish(&nonce, TIMEOUT);
    let output = links.ask(host, &question.script)?;
    let answer = Answer::read(&question, &output)?;
    Ok(judge(host, &read_host(answer.section(SECTION)?)?))
}

fn judge(host: &HostName, files: &HostFiles) -> Looked {
    let mut looked = Looked::default();
    let place_of = |path: &str| format!("{host}:{path}");
    for (path, why) in &files.not_read {
        looked.not_looked.push(NotLooked { place: place_of(path), why: why.clone(), is_fault: true });
    }
    for file in &files.read {
        let place = place_of(&file.path);
        let before = looked.findings.len();
        match text_of(file.content()) {
            Some(text) => looked.findings.extend(scan(&place, &text)),
            None => {
                looked.findings.extend(scan_name(&place));
                looked.not_looked.push(NotLooked { place: place.clone(), why: "not a text".into(), is_fault: false });
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
