//! Owns asking one host after another something of its own: a script that only reads, framed as a probe, and its answer
//! judged where it arrives, so that it lives no longer than that.

use std::sync::Arc;
use std::time::Duration;

use super::probe::nonce;
use super::{Links, each_host};
use crate::model::HostName;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeError, ProbeScript, SectionOutput};
use crate::transport::TransportError;

/// Why nothing is known of a host.
#[derive(Clone, Debug)]
pub enum NoAnswer {
    /// It could not be asked.
    Unreachable(TransportError),
    /// It answered, in a way that cannot be trusted.
    NotUnderstood(String),
}

impl From<ProbeError> for NoAnswer {
    fn from(ProbeError(why): ProbeError) -> Self {
        NoAnswer::NotUnderstood(why)
    }
}

/// Runs these commands on each of the hosts, and judges each answer where it arrives; in the order of `hosts`.
pub async fn judge_all<T, F>(
    hosts: Vec<HostName>,
    commands: Sh,
    time: Duration,
    links: Arc<dyn Links>,
    forks: usize,
    judge: F,
) -> Vec<(HostName, Result<T, NoAnswer>)>
where
    T: Send + 'static,
    F: Fn(&HostName, &SectionOutput) -> Result<T, ProbeError> + Send + Sync + 'static,
{
    const SECTION: &str = "commands";
    let asked = each_host(hosts, forks, move |host| {
        let mut script = ProbeScript::default();
        script.section(SECTION, commands.clone());
        let answer = ask(host, script, time, links.as_ref())?;
        Ok(judge(host, answer.section(SECTION)?)?)
    });
    let died = || Err(NoAnswer::NotUnderstood("the work on it died; this is a bug in rempart".into()));
    asked.await.into_iter().map(|(host, answer)| (host, answer.unwrap_or_else(died))).collect()
}

/// Asks one host.
pub(super) fn ask(host: &HostName, script: ProbeScript, time: Duration, links: &dyn Links) -> Result<Answer, NoAnswer> {
    let question = script.finish(&nonce(), time);
    let output = links.ask(host, &question.script).map_err(NoAnswer::Unreachable)?;
    Ok(Answer::read(&question, &output)?)
}
