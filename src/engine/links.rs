//! Owns the connections of a run: one per host, made when first needed, and the walk over hosts with a bound.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::pace::Pace;
use super::{Event, Observer};
use crate::model::HostName;
use crate::transport::{Entry, Login, Output, ReadScript, Reader, Target, Transport, TransportError, Writer};

/// Asks hosts. All that `plan` and `drift` hold; it cannot write.
pub trait Links: Send + Sync {
    /// Asks one host; connects first if there is no connection yet.
    ///
    /// # Errors
    /// There is no answer to be had.
    fn ask(&self, host: &HostName, script: &ReadScript) -> Result<Output, TransportError>;

    /// How a host let us in; `None` = there is no connection to it.
    fn login(&self, host: &HostName) -> Option<Login>;

    /// Where a host is; by the way that was taken, once there was a connection.
    fn target(&self, host: &HostName) -> Option<&Target>;

    /// By which of several ways a host let us in; `None` = it has one, or there was no connection yet.
    fn entry(&self, host: &HostName) -> Option<Entry>;
}

/// Where a host is, and its session if one was made.
type Place<'a, S> = (&'a Target, MutexGuard<'a, Option<Box<S>>>);

struct Pool<S: ?Sized> {
    transport: Arc<dyn Transport>,
    targets: BTreeMap<HostName, Target>,
    /// The way that the first connection came in by, of hosts that have several. All later ones take it, too: what a
    /// fresh connection proves, it proves of the way that is judged and used.
    ways: HashMap<HostName, OnceLock<(Target, Entry)>>,
    sessions: HashMap<HostName, Mutex<Option<Box<S>>>>,
    paces: HashMap<HostName, Pace>,
    observer: Arc<Observer>,
}

impl<S: Reader + ?Sized> Pool<S> {
    fn new(transport: Arc<dyn Transport>, targets: BTreeMap<HostName, Target>, observer: Arc<Observer>) -> Self {
        let sessions = targets.keys().map(|host| (host.clone(), Mutex::new(None))).collect();
        let ways = targets.keys().map(|host| (host.clone(), OnceLock::new())).collect();
        let paces = targets.keys().map(|host| (host.clone(), Pace::default())).collect();
        Self { transport, targets, ways, sessions, paces, observer }
    }

    fn target(&self, host: &HostName) -> Option<&Target> {
        let taken = self.ways.get(host).and_then(OnceLock::get);
        taken.map(|(target, _)| target).or_else(|| self.targets.get(host))
    }

    fn entry(&self, host: &HostName) -> Option<Entry> {
        Some(self.ways.get(host)?.get()?.1.clone())
    }

    // Keeps to the way that a connection came in by.
    fn keep_to(&self, host: &HostName, target: &Target, session: &S) {
        let (Some(way), Some(entry)) = (self.ways.get(host), session.entry()) else { return };
        // The ways before it were knocked at as well, and count where connections are counted.
        entry.passed.iter().for_each(|_| self.count(host));
        let _ = way.set((target.by(entry.at), entry));
    }

    // Waits until that many more connections are within the limit, but no longer than `latest`. Blocks.
    fn wait(&self, host: &HostName, more: usize, latest: Option<Instant>) {
        let now = Instant::now();
        let wait = self.paces.get(host).map_or(Duration::ZERO, |pace| pace.wait(more, now));
        let wait = latest.map_or(wait, |latest| wait.min(latest.saturating_duration_since(now)));
        if !wait.is_zero() {
            (self.observer)(Event::Pausing(host.clone(), wait));
            std::thread::sleep(wait);
        }
    }

    fn count(&self, host: &HostName) {
        if let Some(pace) = self.paces.get(host) {
            pace.count(Instant::now());
        }
    }

    // A session whose owner panicked is in an unknown state, so it is thrown away.
    fn lock(&self, host: &HostName) -> Result<Place<'_, S>, TransportError> {
        let (Some(target), Some(session)) = (self.target(host), self.sessions.get(host)) else {
            let reason = "it is not a host of this run".to_owned();
            return Err(TransportError::Unreachable { host: host.clone(), address: String::new(), reason });
        };
        let guard = session.lock().unwrap_or_else(|poisoned| {
            let mut guard = poisoned.into_inner();
            *guard = None;
            guard
        });
        Ok((target, guard))
    }

    fn with<T>(
        &self,
        host: &HostName,
        connect: impl FnOnce(&Target) -> Result<Box<S>, TransportError>,
        work: impl FnOnce(&mut S) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let (target, mut guard) = self.lock(host)?;
        let session = match guard.as_mut() {
            Some(session) => session,
            None => {
                self.wait(host, 1, None);
                (self.observer)(Event::Connecting(host.clone()));
                self.count(host);
                let session = connect(target)?;
                self.keep_to(host, target, session.as_ref());
                guard.insert(session)
            }
        };
        let done = work(session);
        if let Err(TransportError::Broken { .. } | TransportError::TimedOut { .. }) = &done {
            *guard = None;
        }
        done
    }
}

/// Connections that can only ask.
pub struct ReadLinks(Pool<dyn Reader>);

impl ReadLinks {
    /// Connections to these hosts, none of them made yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        targets: BTreeMap<HostName, Target>,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        Arc::new(Self(Pool::new(transport, targets, observer)))
    }
}

impl Links for ReadLinks {
    fn ask(&self, host: &HostName, script: &ReadScript) -> Result<Output, TransportError> {
        self.0.with(host, |target| self.0.transport.reader(target), |session| session.ask(script))
    }

    fn login(&self, host: &HostName) -> Option<Login> {
        self.0.lock(host).ok()?.1.as_ref()?.login()
    }

    fn target(&self, host: &HostName) -> Option<&Target> {
        self.0.target(host)
    }

    fn entry(&self, host: &HostName) -> Option<Entry> {
        self.0.entry(host)
    }
}

/// Connections that can write; made by the verbs that change hosts.
pub struct WriteLinks(Pool<dyn Writer>);

impl WriteLinks {
    /// Connections to these hosts, none of them made yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        targets: BTreeMap<HostName, Target>,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        Arc::new(Self(Pool::new(transport, targets, observer)))
    }

    /// Works on a host's connection; connects first if there is none.
    ///
    /// # Errors
    /// There is no connection to be had, or the work failed.
    pub fn with<T>(
        &self,
        host: &HostName,
        work: impl FnOnce(&mut dyn Writer) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.0.with(host, |target| self.0.transport.writer(target), |session| work(session))
    }

    /// Waits until a host may be given that many more connections without one of its limits being met. Blocks.
    pub fn make_room(&self, host: &HostName, connections: usize) {
        self.0.wait(host, connections, None);
    }

    /// Works on a second, fresh connection, which is closed afterwards: the proof that one can still get in. It may wait
    /// for its turn, but no longer than `latest`.
    ///
    /// # Errors
    /// There is no connection to be had, or the work failed.
    pub fn with_fresh<T>(
        &self,
        host: &HostName,
        latest: Option<Instant>,
        work: impl FnOnce(&mut dyn Writer) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let (target, guard) = self.0.lock(host)?;
        drop(guard);
        self.0.wait(host, 1, latest);
        self.0.count(host);
        // One try is one try here: the guard's own loop decides when to try again.
        let target = Target { retries: 0, ..target.clone() };
        let mut session = self.0.transport.writer(&target)?;
        self.0.keep_to(host, &target, session.as_ref());
        work(session.as_mut())
    }

    /// The same by the one way that is picked and no other; `None` = the host has no such way.
    pub fn with_fresh_by<T>(
        &self,
        host: &HostName,
        pick: impl FnOnce(&Target) -> Result<Option<Target>, TransportError>,
        work: impl FnOnce(&mut dyn Writer) -> Result<T, TransportError>,
    ) -> Option<Result<T, TransportError>> {
        // Of all of them, whichever one was taken before.
        let target = match pick(self.0.targets.get(host)?).transpose()? {
            Ok(target) => Target { retries: 0, ..target },
            Err(error) => return Some(Err(error)),
        };
        self.0.wait(host, 1, None);
        self.0.count(host);
        Some(self.0.transport.writer(&target).and_then(|mut session| work(session.as_mut())))
    }

    /// Closes a host's connection.
    pub fn close(&self, host: &HostName) {
        if let Ok((_, mut guard)) = self.0.lock(host) {
            *guard = None;
        }
    }

    /// Tells the run's observer.
    pub fn tell(&self, event: Event) {
        (self.0.observer)(event);
    }
}

impl Links for WriteLinks {
    fn ask(&self, host: &HostName, script: &ReadScript) -> Result<Output, TransportError> {
        self.with(host, |session| session.ask(script))
    }

    fn login(&self, host: &HostName) -> Option<Login> {
        self.0.lock(host).ok()?.1.as_ref()?.login()
    }

    fn target(&self, host: &HostName) -> Option<&Target> {
        self.0.target(host)
    }

    fn entry(&self, host: &HostName) -> Option<Entry> {
        self.0.entry(host)
    }
}

/// Whether the user asked to stop: once = before the next step, twice = let go of the hosts at once.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    urgent: Arc<AtomicBool>,
}

impl Stop {
    /// Counts one more request.
    pub fn ask(&self) {
        if self.asked.swap(true, Ordering::SeqCst) {
            self.urgent.store(true, Ordering::SeqCst);
        }
    }

    /// Whether to stop before the next step.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether to let go at once.
    pub fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::SeqCst)
    }

    /// What is set when it is time to let go: for a transport, which else would wait for a silent host.
    pub fn let_go(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.urgent)
    }
}

/// Runs blocking work for each host, at most `forks` at once; the answers come back in the order of `hosts`.
pub async fn each_host<T, F>(hosts: Vec<HostName>, forks: usize, work: F) -> Vec<(HostName, Option<T>)>
where
    T: Send + 'static,
    F: Fn(&HostName) -> T + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(forks.max(1)));
    let work = Arc::new(work);
    let mut running = JoinSet::new();
    for (at, host) in hosts.iter().enumerate() {
        let (places, work, host) = (places.clone(), work.clone(), host.clone());
        running.spawn(async move {
            let _place = places.acquire_owned().await.ok();
            let done = tokio::task::spawn_blocking(move || work(&host)).await.ok();
            (at, done)
        });
    }
    let mut answers: Vec<(HostName, Option<T>)> = hosts.into_iter().map(|host| (host, None)).collect();
    while let Some(done) = running.join_next().await {
        if let Ok((at, answer)) = done {
            answers[at].1 = answer;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Become, Candidate, Passed, WriteScript};

    /// Where it was sent: as whom, and with how many ways to choose from.
    type Opened = Arc<Mutex<Vec<(Option<String>, usize)>>>;

    /// Comes in by the second way of those that have several.
    #[derive(Default)]
    struct Doors(Opened);

    struct Door(Option<Entry>);

    impl Reader for Door {
        fn ask(&mut self, _: &ReadScript) -> Result<Output, TransportError> {
            Ok(Output::default())
        }

        fn entry(&self) -> Option<Entry> {
            self.0.clone()
        }

        fn relay(&mut self, _: &str, _: u16, _: &[u8], _: usize, _: Duration) -> Result<Vec<u8>, TransportError> {
            Ok(Vec::new())
        }
    }

    impl Writer for Door {
        fn run(&mut self, _: &WriteScript, _: &mut dyn FnMut(&[u8])) -> Result<Output, TransportError> {
            Ok(Output::default())
        }
    }

    impl Doors {
        fn open(&self, target: &Target) -> Box<Door> {
            self.0.lock().unwrap().push((target.user.clone(), target.candidates.len()));
            let passed = vec![Passed { way: "admin@h:22".into(), why: "refused".into() }];
            let entry = Entry { at: 1, way: "root@h:22".into(), passed };
            Box::new(Door((!target.candidates.is_empty()).then_some(entry)))
        }
    }

    impl Transport for Doors {
        fn reader(&self, target: &Target) -> Result<Box<dyn Reader>, TransportError> {
            Ok(self.open(target))
        }

        fn writer(&self, target: &Target) -> Result<Box<dyn Writer>, TransportError> {
            Ok(self.open(target))
        }
    }

    fn target() -> Target {
        Target {
            candidates: ["admin@", "root@"].map(|way| Candidate::parse(way).unwrap()).into(),
            ..Target::bare("h", "h")
        }
    }

    #[test]
    fn all_connections_of_a_run_take_the_way_that_the_first_one_came_by() {
        let (doors, host) = (Doors::default(), HostName::new("h"));
        let opened = doors.0.clone();
        let links = WriteLinks::new(Arc::new(doors), BTreeMap::from([(host.clone(), target())]), Arc::new(|_| {}));
        assert!(links.entry(&host).is_none() && links.target(&host).unwrap().user.is_none());
        links.with(&host, |_| Ok(())).unwrap();
        links.with_fresh(&host, None, |_| Ok(())).unwrap();
        links.close(&host);
        links.with(&host, |_| Ok(())).unwrap();
        let root = || Some("root".to_owned());
        assert_eq!(*opened.lock().unwrap(), [(None, 2), (root(), 0), (root(), 0)]);
        // What is known of the host by its other way vouches for this one at every connection, and not at the first alone.
        let kept = links.target(&host).unwrap();
        assert_eq!(kept.also_at.iter().map(|place| place.user.as_deref()).collect::<Vec<_>>(), [Some("admin")]);
        // What judges the way in sees the account that was let in, which needs no sudo.
        assert!(matches!(links.target(&host).unwrap().escalate, Become::No));
        assert_eq!(links.entry(&host).unwrap().way, "root@h:22");
    }

    #[test]
    fn the_second_request_to_stop_lets_go() {
        let stop = Stop::default();
        let let_go = stop.let_go();
        stop.ask();
        assert!(stop.is_asked() && !stop.is_urgent() && !let_go.load(Ordering::SeqCst));
        stop.ask();
        assert!(stop.is_urgent() && let_go.load(Ordering::SeqCst));
    }
}
