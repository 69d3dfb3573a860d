//! Owns the sessions on bastions, one for all hosts behind it, and the threads that carry bytes through them.
//!
//! Must not know what is inside a tunnel. A session is one mutex, so one thread owns it whole: it opens the channels
//! asked for and moves bytes between them and socket pairs, never blocking, waiting in `poll` alone.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::dial::connect;
use super::route::{Identity, Route, Way, hop};
use super::tunnels::Carrier;
use super::{Become, Target, TransportError};
use crate::model::HostName;

/// How long one opening may take before other hosts get a session of their own.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Chains longer than this are a loop in ssh_config.
const LONGEST_CHAIN: usize = 8;

/// What a host behind a bastion asks for.
pub(super) struct Order {
    pub host: String,
    pub port: u16,
    pub deadline: Instant,
    pub reply: Sender<Result<UnixStream, NoTunnel>>,
}

/// Why there is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoTunnel {
    /// Another opening takes long, and libssh2 does one at a time.
    Busy,
    Forbidden,
    Failed(String),
}

/// A bastion's session, as those behind it hold it; it ends when nobody does.
pub(super) struct Bastion {
    orders: Mutex<Sender<Order>>,
    wake: UnixStream,
}

impl Bastion {
    fn start(route: &Route, bastions: &Arc<Bastions>) -> Result<Self, TransportError> {
        let link = connect(route, bastions)?;
        let broken = |error: std::io::Error| route.broken(error.to_string());
        let (wake, woken) = UnixStream::pair().map_err(broken)?;
        wake.set_nonblocking(true).map_err(broken)?;
        woken.set_nonblocking(true).map_err(broken)?;
        let (orders, received): (_, Receiver<Order>) = channel();
        std::thread::Builder::new()
            .name(format!("bastion {}", route.name))
            .spawn(move || Carrier::new(link, received, woken).run())
            .map_err(broken)?;
        Ok(Self { orders: Mutex::new(orders), wake })
    }

    fn ask(&self, host: &str, port: u16, deadline: Instant) -> Result<UnixStream, NoTunnel> {
        let gone = || NoTunnel::Failed("the connection to it is gone".to_owned());
        let (reply, answer) = channel();
        let order = Order { host: host.to_owned(), port, deadline, reply };
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).send(order).map_err(|_| gone())?;
        let _ = (&self.wake).write(&[1]);
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left) {
            Ok(answer) => answer,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err(NoTunnel::Failed("no answer in time".to_owned())),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

type Slot = Arc<Mutex<Option<Arc<Bastion>>>>;

/// What the connections of one transport share: all bastions in use, by who and where they are, and whether it is over.
#[derive(Default)]
pub(super) struct Bastions {
    slots: Mutex<HashMap<String, Slot>>,
    /// Set once nobody wants to wait for any host any more.
    pub let_go: Arc<AtomicBool>,
}

impl Bastions {
    /// None yet; nobody waits any more once `let_go` is set.
    pub fn that_let_go(let_go: Arc<AtomicBool>) -> Self {
        Self { let_go, ..Self::default() }
    }

    /// A stream to `route`'s host through `hops`; the bastion that it holds has to live as long.
    pub fn tunnel(
        self: &Arc<Self>,
        route: &Route,
        hops: &[String],
        deadline: Instant,
    ) -> Result<(UnixStream, Arc<Bastion>), TransportError> {
        let target = bastion_target(route, hops)?;
        let via = Route::of(&target)?;
        no_loop(route, &via)?;
        let key = format!("{}@{} {:?} {:?} {:?}", via.user, via.place(), via.way, via.known_files, route.identities);
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(key).or_default())
        };
        let mut fresh = false;
        loop {
            let bastion = {
                // Held while connecting: those who come meanwhile wait for this one session.
                let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
                match &*held {
                    Some(bastion) => Arc::clone(bastion),
                    None => {
                        fresh = true;
                        let bastion =
                            Arc::new(Bastion::start(&via, self).map_err(|error| through(route, &via, error))?);
                        *held = Some(Arc::clone(&bastion));
                        bastion
                    }
                }
            };
            let reason = match bastion.ask(&route.address, route.port, deadline) {
                Ok(stream) => return Ok((stream, bastion)),
                Err(NoTunnel::Forbidden) => {
                    return Err(TransportError::Forbidden {
                        host: via.name.clone(),
                        reason: format!("a connection to {} (AllowTcpForwarding, PermitOpen)", route.place()),
                    });
                }
                Err(NoTunnel::Busy) => None,
                Err(NoTunnel::Failed(reason)) => Some(reason),
            };
            // The session is busy, broken, or waits for this very host: the next one asks a new session.
            let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
            let refused = reason.as_deref().is_some_and(|reason| reason == CONNECT_FAILED);
            if !refused && held.as_ref().is_some_and(|current| Arc::ptr_eq(current, &bastion)) {
                *held = None;
            }
            drop(held);
            let over = Instant::now() >= deadline;
            match reason {
                Some(reason) if fresh || refused || over => {
                    return Err(route.unreachable(format!("through {}: {reason}", via.place())));
                }
                None if over => return Err(route.unreachable(format!("through {}: it is busy", via.place()))),
                // An old session may have died unnoticed; a new one is worth one try.
                _ => {}
            }
        }
    }
}

/// What `tunnels` says when the bastion could not connect.
pub(super) const CONNECT_FAILED: &str = "it cannot connect (refused, filtered, or a name it does not know)";

fn bastion_target(route: &Route, hops: &[String]) -> Result<Target, TransportError> {
    let unreachable = |reason: String| route.unreachable(reason);
    let Some((last, before)) = hops.split_last() else {
        return Err(unreachable("ProxyJump names no host".to_owned()));
    };
    let (user, address, port) = hop(last).map_err(unreachable)?;
    Ok(Target {
        name: HostName::new(address.clone()),
        address,
        port,
        user,
        candidates: Vec::new(),
        as_listed: None,
        also_at: Vec::new(),
        identities_only: route.identities_only,
        password_only: false,
        identity_files: route
            .identities
            .iter()
            .filter(|key| key.named)
            .map(|key: &Identity| key.path.clone())
            .collect(),
        // A host's password is not for its bastion to see.
        password: None,
        escalate: Become::No,
        jump: (!before.is_empty()).then(|| before.join(",")),
        proxy_command: None,
        known_hosts: route.said_known_hosts.clone(),
        host_key_fingerprints: Vec::new(),
        ssh_config: route.ssh_config.clone(),
        connect_timeout: route.timeout,
        retries: route.retries,
    })
}

/// Looked for before anything is locked: threads that wait for each other's bastion would wait for good.
fn no_loop(route: &Route, via: &Route) -> Result<(), TransportError> {
    let mut at = via.clone();
    for _ in 0..LONGEST_CHAIN {
        let Way::Jump(hops) = &at.way else { return Ok(()) };
        at = Route::of(&bastion_target(&at, hops)?)?;
    }
    Err(route.unreachable(format!("ProxyJump goes through more than {LONGEST_CHAIN} hosts: is it a loop?")))
}

/// A bastion's failure as the failure of the host behind it; its own key and login stay its own.
fn through(route: &Route, via: &Route, error: TransportError) -> TransportError {
    match error {
        TransportError::Unreachable { reason, .. } => {
            route.unreachable(format!("its jump host {} cannot be reached: {reason}", via.place()))
        }
        other => other,
    }
}
