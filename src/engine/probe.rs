//! Owns asking: one read-only script per host for all of its resources, all hosts at once, and reading the answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::looks::Looks;
use super::owned::{self, Remembered};
use super::{Event, HostNote, Links, Observer, each_host, memory};
use super::{held, origins};
use crate::kinds::{self, KINDS};
use crate::model::HostName;
use crate::plan::{Given, Graph};
use crate::resource::{Answer, ProbeError, ProbeScript, Question, Resource, Seen};
use crate::transport::TransportError;

/// How long a host may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(120);

/// What hosts answered.
#[derive(Debug, Default)]
pub struct Probed {
    /// What was seen of each item that was asked about and whose host answered.
    pub seen: HashMap<usize, Seen>,
    /// Hosts that could not be asked.
    pub unreachable: BTreeMap<HostName, TransportError>,
    /// What hosts remember of earlier runs.
    pub notes: BTreeMap<HostName, HostNote>,
    /// What hosts that were asked for it remember of what rempart made there; or why that cannot be told.
    pub remembered: BTreeMap<HostName, Result<Remembered, String>>,
    /// From which versions of the store hosts that were asked for it got their secrets, as far as that can be told.
    pub given: BTreeMap<HostName, Vec<Given>>,
}

/// Asks all hosts about these items, at once, and reads the answers.
///
/// A host that does not answer, or not in a way that can be trusted, gives no `Seen` or `Seen::Unknown`; never a pass.
pub async fn probe(
    graph: Arc<Graph>,
    items: Vec<usize>,
    links: Arc<dyn Links>,
    forks: usize,
    observer: Arc<Observer>,
) -> Probed {
    probe_hosts(graph, items, Vec::new(), links, forks, observer).await
}

/// The same, and asks these hosts what rempart made there, whether or not an item is theirs.
pub async fn probe_hosts(
    graph: Arc<Graph>,
    items: Vec<usize>,
    hosts: Vec<HostName>,
    links: Arc<dyn Links>,
    forks: usize,
    observer: Arc<Observer>,
) -> Probed {
    let mut by_host: BTreeMap<HostName, Vec<usize>> = hosts.iter().map(|host| (host.clone(), Vec::new())).collect();
    for item in items {
        by_host.entry(graph.items[item].host.clone()).or_default().push(item);
    }
    let mut scripts: BTreeMap<HostName, ProbeScript> =
        by_host.par_iter().map(|(host, items)| (host.clone(), script(&graph, items))).collect();
    for host in &hosts {
        let script = scripts.entry(host.clone()).or_default();
        owned::ask(script);
        origins::ask(script);
    }
    scripts.values_mut().for_each(held::ask);
    let looks = Looks::sort(&scripts);
    looks.add_to(&mut scripts);
    let questions: BTreeMap<HostName, Question> =
        scripts.into_iter().map(|(host, script)| (host, script.finish(&nonce(), PROBE_TIMEOUT))).collect();
    let questions = Arc::new(questions);
    let hosts: Vec<HostName> = questions.keys().cloned().collect();
    let from_controller = tokio::task::spawn_blocking({
        let looks = looks.clone();
        move || looks.take_from_controller()
    });
    let asked = each_host(hosts, forks, {
        let (questions, observer, links) = (questions.clone(), observer.clone(), links.clone());
        move |host| {
            let question = questions.get(host)?;
            let began = Instant::now();
            let answer = links.ask(host, &question.script);
            observer(match &answer {
                Ok(_) => Event::Probed(host.clone(), began.elapsed()),
                Err(error) => Event::Unreachable(host.clone(), error.to_string()),
            });
            Some(answer)
        }
    })
    .await;
    let mut looked = from_controller.await.unwrap_or_default();
    let mut probed = Probed::default();
    for host in questions.keys() {
        let entry = links.entry(host).filter(|entry| !entry.passed.is_empty());
        if entry.is_some() {
            probed.notes.insert(host.clone(), HostNote { entry, ..HostNote::default() });
        }
    }
    let mut answers: Vec<(HostName, Result<Answer, ProbeError>)> = Vec::new();
    for (host, output) in asked {
        let Some(question) = questions.get(&host) else { continue };
        match output.flatten() {
            Some(Ok(output)) => {
                let answer = Answer::read(question, &output);
                if let Ok(answer) = &answer {
                    looks.read(&host, answer, &mut looked);
                    if let Some(remembered) = owned::read(answer) {
                        probed.remembered.insert(host.clone(), remembered);
                    }
                    probed.given.insert(host.clone(), origins::read(answer));
                    if let Some(note) = memory::read(answer) {
                        let entry = probed.notes.remove(&host).and_then(|note| note.entry);
                        probed.notes.insert(host.clone(), HostNote { entry, ..note });
                    }
                }
                answers.push((host, answer));
            }
            Some(Err(error)) => {
                looks.lost(&host, &error.to_string(), &mut looked);
                probed.unreachable.insert(host, error);
            }
            None => {
                let reason = "the work on it died; this is a bug in rempart".to_owned();
                let error = TransportError::Broken { host: host.clone(), reason };
                looks.lost(&host, &error.to_string(), &mut looked);
                probed.unreachable.insert(host, error);
            }
        }
    }
    let looked = &looked;
    probed.seen = answers
        .into_par_iter()
        .filter_map(|(host, answer)| {
            let items = by_host.get(&host)?;
            Some(match answer {
                Ok(mut answer) => {
                    answer.set_looks(looked.of(&host));
                    answer.set_held(held::read(&answer));
                    parse(&graph, items, &answer)
                }
                Err(ProbeError(why)) => items.iter().map(|item| (*item, Seen::Unknown(why.clone()))).collect(),
            })
        })
        .flatten_iter()
        .collect();
    probed
}

fn script(graph: &Graph, items: &[usize]) -> ProbeScript {
    let mut script = ProbeScript::default();
    for entry in KINDS {
        let batch = of_kind(graph, items, entry.name);
        if !batch.is_empty() {
            let resources: Vec<&dyn Resource> = batch.iter().map(|item| graph.items[*item].resource.as_ref()).collect();
            (entry.probe)(&resources, &mut script);
        }
    }
    memory::ask(&mut script);
    script
}

fn of_kind(graph: &Graph, items: &[usize], kind: &str) -> Vec<usize> {
    items.iter().copied().filter(|item| graph.items[*item].resource.kind() == kind).collect()
}

fn parse(graph: &Graph, items: &[usize], answer: &Answer) -> Vec<(usize, Seen)> {
    let mut all = Vec::with_capacity(items.len());
    for entry in KINDS {
        let batch = of_kind(graph, items, entry.name);
        if batch.is_empty() {
            continue;
        }
        let resources: Vec<&dyn Resource> = batch.iter().map(|item| graph.items[*item].resource.as_ref()).collect();
        let mut seen = (entry.parse)(&resources, answer);
        // A kind that answers for too few leaves the rest unknown, never fine.
        seen.resize_with(batch.len(), || Seen::Unknown(format!("{} gave no answer; this is a bug", entry.name)));
        all.extend(batch.into_iter().zip(seen));
    }
    all
}

/// Whether a kind only looks.
pub(super) fn is_check(kind: &str) -> bool {
    kinds::find(kind).is_some_and(|entry| entry.check)
}

/// 128 random bits in hexadecimal: what frames the answers of one script.
pub(super) fn nonce() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Two hashers of the standard library, each keyed by the system's randomness.
    let word = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}
