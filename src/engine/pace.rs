//! Owns how fast one host is connected to. What guards an sshd (`ufw limit`, fail2ban, MaxStartups) counts our
//! connections as it counts anybody's, and would keep out the one that is to confirm a change.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As many new connections as a host is given in [`SPAN`]. `ufw limit` refuses the sixth within thirty seconds, and a
/// refused one counts as well.
const AT_MOST: usize = 5;
const SPAN: Duration = Duration::from_secs(31);

/// The latest connections to one host.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<VecDeque<Instant>>);

impl Pace {
    /// How long from `now` until that many more connections (at most [`AT_MOST`]) are within the limit.
    pub fn wait(&self, more: usize, now: Instant) -> Duration {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = (latest.len() + more).saturating_sub(AT_MOST);
        let old = too_many.checked_sub(1).and_then(|at| latest.get(at.min(latest.len().saturating_sub(1))));
        old.map_or(Duration::ZERO, |old| (*old + SPAN).saturating_duration_since(now))
    }

    /// A connection is being made.
    pub fn count(&self, now: Instant) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.push_back(now);
        while latest.len() > AT_MOST {
            latest.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_five_connections_in_thirty_seconds() {
        let (pace, start) = (Pace::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pace.wait(5, start), Duration::ZERO);
        for seconds in [0, 1, 2, 10, 12] {
            assert_eq!(pace.wait(1, at(seconds)), Duration::ZERO);
            pace.count(at(seconds));
        }
        assert_eq!(pace.wait(1, at(12)), Duration::from_secs(19));
        assert_eq!(pace.wait(2, at(12)), Duration::from_secs(20));
        assert_eq!(pace.wait(9, at(12)), Duration::from_secs(31));
        pace.count(at(31));
        assert_eq!(pace.wait(1, at(31)), Duration::from_secs(1));
        assert_eq!(pace.wait(2, at(50)), Duration::ZERO);
    }
}
