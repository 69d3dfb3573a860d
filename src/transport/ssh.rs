//! Owns the SSH transport: connections that ask, run and relay, and that reconnect after a failure.
//!
//! Must not know what is asked. A connection that failed in any way is thrown away, never mended; the next call makes a
//! new one, under the same checks.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::dial::{connect, scan};
use super::first_contact::Contact;
use super::interpreter::{Interpreter, Limit};
use super::jump::{Bastions, NoTunnel};
use super::link::{Fault, Link};
use super::route::Route;
use super::tunnels::why_not;
use super::ways::{Entry, first};
use super::{Login, Output, ReadScript, Reader, Target, Transport, TransportError, WriteScript, Writer};
use crate::secret::Rendered;

/// Connections over SSH. Hosts behind one bastion share its session as long as this lives.
#[derive(Default)]
pub struct SshTransport {
    bastions: Arc<Bastions>,
}

impl SshTransport {
    /// Without any connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connections that wait for no host any more once `let_go` is set; each then breaks within a moment.
    pub fn that_lets_go(let_go: Arc<AtomicBool>) -> Self {
        Self { bastions: Arc::new(Bastions::that_let_go(let_go)) }
    }

    /// Who answers at a host, by the first of its ways where anybody does: the keys that it presents, one handshake for
    /// each type, through its jump hosts; nobody logs in on it.
    ///
    /// # Errors
    /// Nobody answers, or known_hosts cannot be read.
    pub fn first_contact(&self, target: &Target) -> Result<Contact, TransportError> {
        let (keys, route, _) = first(target, |route| scan(route, &self.bastions))?;
        Contact::of(&route, keys)
    }

    fn connection(&self, target: &Target) -> Result<Connection, TransportError> {
        let (link, route, entry) = first(target, |route| connect(route, &self.bastions))?;
        // From now on it is this way and no other: what is proved of a host is proved of the way that is used.
        let target = target.by(entry.as_ref().map_or(0, |entry| entry.at));
        let live = Some(Live { interpreter: None, link });
        Ok(Connection { target, route, entry, bastions: Arc::clone(&self.bastions), live })
    }
}

impl Transport for SshTransport {
    fn reader(&self, target: &Target) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(self.connection(target)?))
    }

    fn writer(&self, target: &Target) -> Result<Box<dyn Writer>, TransportError> {
        Ok(Box::new(self.connection(target)?))
    }
}

/// What there is of a connection while it works. The channel goes before its link.
struct Live {
    interpreter: Option<Interpreter>,
    link: Link,
}

impl Drop for Live {
    fn drop(&mut self) {
        // A channel closes politely, which on a dead link would wait.
        self.link.cut();
    }
}

struct Connection {
    target: Target,
    route: Route,
    entry: Option<Entry>,
    bastions: Arc<Bastions>,
    live: Option<Live>,
}

impl Connection {
    fn script(
        &mut self,
        text: &str,
        payloads: &[Rendered],
        limit: Limit,
        heard: &mut dyn FnMut(&[u8]),
    ) -> Result<Output, TransportError> {
        let gone = |live: &mut Live| live.interpreter.as_mut().is_some_and(Interpreter::is_gone);
        if self.live.as_mut().is_some_and(gone) {
            self.live = None;
        }
        let mut live = self.take_live()?;
        let mut interpreter = match live.interpreter.take() {
            Some(interpreter) => interpreter,
            None => Interpreter::start(&mut live.link, &self.route, &self.target.escalate)?,
        };
        let answer = interpreter.run(&mut live.link, &self.route, text, payloads, limit, heard);
        // Held again even after a failure, so that the link is cut before the channel goes.
        live.interpreter = Some(interpreter);
        if answer.is_ok() {
            self.live = Some(live);
        }
        answer
    }

    fn take_live(&mut self) -> Result<Live, TransportError> {
        match self.live.take() {
            Some(live) => Ok(live),
            None => Ok(Live { interpreter: None, link: connect(&self.route, &self.bastions)? }),
        }
    }

    fn relayed(
        &self,
        link: &mut Link,
        (address, port): (&str, u16),
        request: &[u8],
        limit: usize,
        timeout: Duration,
    ) -> Result<(Vec<u8>, bool), (TransportError, bool)> {
        let deadline = Instant::now() + timeout;
        let unanswered = |reason: String| TransportError::Unanswered {
            host: self.route.name.clone(),
            address: if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") },
            reason,
        };
        let opened = loop {
            match link.session.channel_direct_tcpip(address, port, None) {
                Ok(channel) => break channel,
                Err(error) => match Fault::from(error) {
                    Fault::Ssh(super::link::code::AGAIN, _) => {}
                    fault => return Err(self.no_channel(&fault, unanswered)),
                },
            }
            match link.wait(deadline) {
                Ok(()) => {}
                // libssh2 cannot take an opening back, so the session is of no more use.
                Err(Fault::TimedOut) => {
                    return Err((unanswered(format!("no answer within {:.1} s", timeout.as_secs_f32())), false));
                }
                Err(fault) => return Err((self.route.broken(fault.words()), false)),
            }
        };
        let mut channel = opened;
        let mut unsent = request;
        let mut answer = Vec::new();
        let mut piece = [0; 16 * 1024];
        let whole = loop {
            let mut moved = false;
            if !unsent.is_empty() {
                match channel.write(unsent) {
                    Ok(length) => {
                        unsent = unsent.get(length..).unwrap_or_default();
                        moved |= length > 0;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // The far side may close as soon as it has answered.
                    Err(_) => unsent = &[],
                }
            }
            let room = piece.len().min(limit - answer.len());
            if room == 0 {
                break true;
            }
            match channel.read(&mut piece[..room]) {
                Ok(0) if channel.eof() => break true,
                Ok(length) => {
                    answer.extend_from_slice(&piece[..length]);
                    moved |= length > 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err((self.route.broken(error.to_string()), false)),
            }
            if moved || channel.read_window().available > 0 {
                if Instant::now() >= deadline {
                    break true;
                }
                continue;
            }
            match link.wait(deadline) {
                Ok(()) => {}
                Err(Fault::TimedOut) => break true,
                Err(fault) => return Err((self.route.broken(fault.words()), false)),
            }
        };
        // A channel that is not closed from both sides would stay in the session for good.
        let closed = link.call(Instant::now() + Duration::from_secs(2), |_| channel.close());
        Ok((answer, whole && closed.is_ok()))
    }

    fn no_channel(&self, fault: &Fault, unanswered: impl Fn(String) -> TransportError) -> (TransportError, bool) {
        match fault {
            Fault::Ssh(super::link::code::CHANNEL_FAILURE, words) => match why_not(words) {
                NoTunnel::Forbidden => {
                    let reason = "its sshd allows no forwarding (AllowTcpForwarding, PermitOpen)".to_owned();
                    (TransportError::Forbidden { host: self.route.name.clone(), reason }, true)
                }
                NoTunnel::Failed(reason) => (unanswered(reason), true),
                NoTunnel::Busy => (unanswered("it is busy".to_owned()), true),
            },
            fault => (self.route.broken(fault.words()), false),
        }
    }
}

impl Reader for Connection {
    fn ask(&mut self, script: &ReadScript) -> Result<Output, TransportError> {
        self.script(&script.text, &[], Limit::Total(script.timeout), &mut |_| {})
    }

    fn login(&self) -> Option<Login> {
        self.live.as_ref()?.link.login.clone()
    }

    fn entry(&self) -> Option<Entry> {
        self.entry.clone()
    }

    fn relay(
        &mut self,
        address: &str,
        port: u16,
        request: &[u8],
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, TransportError> {
        let mut live = self.take_live()?;
        match self.relayed(&mut live.link, (address, port), request, limit, timeout) {
            Ok((answer, usable)) => {
                if usable {
                    self.live = Some(live);
                }
                Ok(answer)
            }
            Err((error, usable)) => {
                if usable {
                    self.live = Some(live);
                }
                Err(error)
            }
        }
    }
}

impl Writer for Connection {
    fn run(&mut self, script: &WriteScript, heard: &mut dyn FnMut(&[u8])) -> Result<Output, TransportError> {
        self.script(&script.text, &script.payloads, Limit::Silence(script.timeout), heard)
    }
}
