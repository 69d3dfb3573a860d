//! Owns rolling batches: which hosts of a playbook go first, and whether any edge forbids that.

use super::Graph;
use crate::model::{Diagnostic, HostName};

/// The hosts of a playbook in the waves in which they are worked on. A wave begins once the one before it is done,
/// and never if something in it went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// The playbook.
    pub playbook: String,
    /// The waves, in order.
    pub waves: Vec<Vec<HostName>>,
}

/// How many hosts one wave takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveSize {
    /// That many.
    Count(usize),
    /// That part of all hosts, 1 to 100, rounded up.
    Percent(u8),
}

impl Rollout {
    /// Cuts hosts into waves; the last size is used again until all hosts are placed.
    pub fn cut(playbook: impl Into<String>, hosts: &[HostName], sizes: &[WaveSize]) -> Rollout {
        let mut waves = Vec::new();
        let mut rest = hosts;
        let mut sizes = sizes.iter().copied().peekable();
        let mut size = WaveSize::Count(hosts.len());
        while !rest.is_empty() {
            size = sizes.next().unwrap_or(size);
            let count = match size {
                WaveSize::Count(count) => count,
                WaveSize::Percent(part) => (hosts.len() * usize::from(part)).div_ceil(100),
            };
            let (wave, left) = rest.split_at(count.clamp(1, rest.len()));
            waves.push(wave.to_vec());
            rest = left;
        }
        Rollout { playbook: playbook.into(), waves }
    }

    /// The number of a host's wave, from 0.
    pub fn wave(&self, host: &HostName) -> Option<usize> {
        self.waves.iter().position(|wave| wave.contains(host))
    }
}

/// Refuses edges from an earlier wave into a later one, which would wait for each other for good.
///
/// # Errors
/// Each such edge.
pub fn check_rollouts(graph: &Graph, rollouts: &[Rollout]) -> Result<(), Vec<Diagnostic>> {
    let mut faults = Vec::new();
    for rollout in rollouts {
        for (number, item) in graph.items.iter().enumerate().filter(|(_, item)| item.playbook == rollout.playbook) {
            for dependency in graph.dependencies(number) {
                let on = &graph.items[dependency.on];
                let (Some(mine), Some(other)) = (rollout.wave(&item.host), rollout.wave(&on.host)) else { continue };
                if on.playbook == rollout.playbook && other > mine {
                    faults.push(
                        Diagnostic::error("a need into a later rolling batch")
                            .at(&item.place, format!("{} on {} is in batch {}", item.id(), item.host, mine + 1))
                            .see(&on.place, format!("{} on {} is in batch {}", on.id(), on.host, other + 1))
                            .fix("change `serial`, or the order of the hosts"),
                    );
                }
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_take_counts_and_rounded_up_parts_and_repeat_the_last() {
        let hosts: Vec<HostName> = (0..10).map(|n| HostName::new(format!("h{n}"))).collect();
        let sizes = [WaveSize::Count(1), WaveSize::Percent(25), WaveSize::Percent(33)];
        let rollout = Rollout::cut("p", &hosts, &sizes);
        let lengths: Vec<usize> = rollout.waves.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 3, 4, 2]);
        assert_eq!(rollout.wave(&hosts[3]), Some(1));
    }
}
