//! Owns where looks are taken: from this machine, or as a part of the probe of the host that they are taken from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::look::take_from_controller;
use crate::model::HostName;
use crate::resource::{Answer, Look, LookAnswer, ProbeError, ProbeScript, Vantage, look_script, read_looks};

const SECTION: &str = "rempart/looks";

/// The looks of all questions, by where they are taken from.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    here: Arc<Vec<Asked>>,
    there: Arc<BTreeMap<HostName, Vec<Asked>>>,
}

#[derive(Clone, Debug)]
struct Asked {
    by: HostName,
    key: String,
    look: Look,
}

/// What the looks brought, by the host that asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked(HashMap<HostName, Vec<(String, LookAnswer)>>);

impl Looked {
    /// What a host's looks brought.
    pub fn of(&self, host: &HostName) -> Vec<(String, LookAnswer)> {
        self.0.get(host).cloned().unwrap_or_default()
    }

    fn add(&mut self, asked: &Asked, answer: LookAnswer) {
        self.0.entry(asked.by.clone()).or_default().push((asked.key.clone(), answer));
    }
}

impl Looks {
    /// Sorts the looks of all questions by their vantage.
    pub fn sort(scripts: &BTreeMap<HostName, ProbeScript>) -> Looks {
        let mut here = Vec::new();
        let mut there: BTreeMap<HostName, Vec<Asked>> = BTreeMap::new();
        for (by, script) in scripts {
            for (key, look) in script.looks() {
                let asked = Asked { by: by.clone(), key: key.clone(), look: look.clone() };
                match &look.from {
                    Vantage::Controller => here.push(asked),
                    Vantage::Host(host) => there.entry(host.clone()).or_default().push(asked),
                }
            }
        }
        Looks { here: Arc::new(here), there: Arc::new(there) }
    }

    /// Adds to each host's script the looks that are taken from it.
    pub fn add_to(&self, scripts: &mut BTreeMap<HostName, ProbeScript>) {
        for (host, asked) in self.there.iter() {
            let looks: Vec<&Look> = asked.iter().map(|asked| &asked.look).collect();
            scripts.entry(host.clone()).or_default().section(SECTION, look_script(&looks));
        }
    }

    /// Takes the looks of this machine.
    pub fn take_from_controller(&self) -> Looked {
        let mut looked = Looked::default();
        // Each mostly waits, so some are taken side by side; a scan opens many connections of its own.
        for some in self.here.chunks(8) {
            let answers: Vec<_> = std::thread::scope(|scope| {
                let running: Vec<_> =
                    some.iter().map(|asked| scope.spawn(|| take_from_controller(&asked.look))).collect();
                running.into_iter().map(|look| look.join().ok()).collect()
            });
            for (asked, answer) in some.iter().zip(answers) {
                let died = || LookAnswer::Unknown("the look died; this is a bug in rempart".into());
                looked.add(asked, answer.unwrap_or_else(died));
            }
        }
        looked
    }

    /// Reads the looks that were taken from a host.
    pub fn read(&self, host: &HostName, answer: &Answer, looked: &mut Looked) {
        let Some(asked) = self.there.get(host) else { return };
        let looks: Vec<&Look> = asked.iter().map(|asked| &asked.look).collect();
        match answer.section(SECTION) {
            Ok(section) => {
                for (asked, answer) in asked.iter().zip(read_looks(&looks, section)) {
                    looked.add(asked, answer);
                }
            }
            Err(ProbeError(why)) => self.lost(host, &why, looked),
        }
    }

    /// Notes that a host could not be asked, so that no look was taken from it.
    pub fn lost(&self, host: &HostName, why: &str, looked: &mut Looked) {
        for asked in self.there.get(host).into_iter().flatten() {
            looked.add(asked, LookAnswer::Unknown(format!("no look could be taken from {host}: {why}")));
        }
    }
}
