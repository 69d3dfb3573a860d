//! Owns asking hosts something that a person typed: one command, all hosts at once, over connections that cannot write.

use std::sync::Arc;
use std::time::Duration;

use super::ask::{NoAnswer, ask};
use super::{Links, each_host};
use crate::model::HostName;
use crate::resource::{AdHocOutput, ProbeScript, ad_hoc_output, ask_ad_hoc};
use crate::transport::{Entry, TransportError};

/// How much longer than its command a script may take: the namespaces around it, and its output on the way.
const MORE: Duration = Duration::from_secs(20);

/// What came of it on one host.
#[derive(Clone, Debug)]
pub enum AdHoc {
    /// It ran.
    Ran(AdHocOutput),
    /// The host answered, and it did not run; why not.
    NotRun(String),
    /// The host could not be asked.
    Unreachable(TransportError),
}

/// Runs a command on each of these hosts, for at most so many seconds; the answers in the order of `hosts`, each with the
/// way that let us in where it was not the first.
pub async fn ask_all(
    hosts: Vec<HostName>,
    words: Vec<String>,
    seconds: u64,
    links: Arc<dyn Links>,
    forks: usize,
) -> Vec<(HostName, AdHoc, Option<Entry>)> {
    let asked = {
        let links = links.clone();
        each_host(hosts, forks, move |host| run(host, &words, seconds, links.as_ref())).await
    };
    let told = |(host, done): (HostName, Option<AdHoc>)| {
        let done = done.unwrap_or_else(|| AdHoc::NotRun("the work on it died; this is a bug in rempart".into()));
        let entry = links.entry(&host).filter(|entry| !entry.passed.is_empty());
        (host, done, entry)
    };
    asked.into_iter().map(told).collect()
}

fn run(host: &HostName, words: &[String], seconds: u64, links: &dyn Links) -> AdHoc {
    let mut script = ProbeScript::default();
    ask_ad_hoc(&mut script, words, seconds);
    let answer = ask(host, script, Duration::from_secs(seconds) + MORE, links);
    match answer.and_then(|answer| Ok(ad_hoc_output(&answer)?)) {
        Ok(output) => AdHoc::Ran(output),
        Err(NoAnswer::Unreachable(error)) => AdHoc::Unreachable(error),
        Err(NoAnswer::NotUnderstood(why)) => AdHoc::NotRun(why),
    }
}
