//! Owns getting from a route to a logged-in session: stream, key exchange, host key, login, and trying again.
//!
//! Must not know what the session is for. Nothing is tried again once the host has seen who we are.

use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use ssh2::MethodType;

use super::TransportError;
use super::auth::login;
use super::host_keys::{HostKey, KEY_TYPES, Standing};
use super::jump::Bastions;
use super::link::{Fault, LET_GO, Link, Stream, code};
use super::route::{Route, Way};

/// A failure, and whether it is worth trying again.
struct Failure {
    error: TransportError,
    again: bool,
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self { error, again: false }
    }
}

/// Connects, checks the host's key and logs in.
pub(super) fn connect(route: &Route, bastions: &Arc<Bastions>) -> Result<Link, TransportError> {
    let known = route.known()?;
    let mut unpinned: Vec<String> = Vec::new();
    let mut first_of_them = None;
    loop {
        let preference = known.preference(&unpinned);
        let mut presented = None;
        let tried = trying_again(route, bastions, || {
            let deadline = Instant::now() + route.timeout;
            let mut link = greet(route, bastions, &preference, deadline)?;
            let key = presented.insert(host_key(&link, route)?);
            known.judge(key).map_err(|reason| route.bad_key(reason))?;
            link.login = Some(login(&link, route, deadline)?);
            link.stop_blocking(route.alive);
            Ok(link)
        });
        let error = match tried {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        match presented.filter(|key| known.standing(key) == Standing::Unpinned) {
            // It may have a key of another type, which is pinned.
            Some(key) if unpinned.len() + 1 < KEY_TYPES.len() && !unpinned.contains(&key.kind) => {
                unpinned.push(key.kind);
                first_of_them.get_or_insert(error);
            }
            _ if error.to_string().contains(NO_COMMON) => return Err(first_of_them.unwrap_or(error)),
            _ => return Err(error),
        }
    }
}

/// The keys a host presents, one handshake for each type; nobody logs in.
pub(super) fn scan(route: &Route, bastions: &Arc<Bastions>) -> Result<Vec<HostKey>, TransportError> {
    let mut keys = Vec::new();
    let mut last = None;
    for (_, names) in KEY_TYPES {
        let found = trying_again(route, bastions, || {
            let link = greet(route, bastions, names, Instant::now() + route.timeout)?;
            Ok(host_key(&link, route)?)
        });
        match found {
            Ok(key) => keys.push(key),
            // A host without a key of this type answers, but agrees to nothing.
            Err(error) if error.to_string().contains(NO_COMMON) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    match last {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(keys),
    }
}

const NO_COMMON: &str = "no key exchange in common";

fn trying_again<T>(
    route: &Route,
    bastions: &Bastions,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, TransportError> {
    let let_go = || bastions.let_go.load(Ordering::Relaxed);
    let mut pause = Duration::from_millis(200);
    for _ in 0..route.retries {
        if let_go() {
            return Err(route.broken(LET_GO));
        }
        match attempt() {
            Err(failure) if failure.again => std::thread::sleep(jittered(pause)),
            other => return other.map_err(|failure| failure.error),
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    if let_go() {
        return Err(route.broken(LET_GO));
    }
    attempt().map_err(|failure| failure.error)
}

/// Between half and one and a half of `pause`, so that a fleet does not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause * u32::from(byte[0]) / 255
}

fn greet(route: &Route, bastions: &Arc<Bastions>, preference: &str, deadline: Instant) -> Result<Link, Failure> {
    let (stream, carrier, said) = match &route.way {
        Way::Direct => (Stream::Tcp(tcp(route, deadline)?), None, None),
        Way::Jump(hops) => {
            let (stream, bastion) = bastions.tunnel(route, hops, deadline)?;
            (Stream::Unix(stream), Some(Box::new(bastion) as Box<_>), None)
        }
        Way::Command(command) => {
            let (stream, helper, said) = helper(route, command)?;
            (Stream::Unix(stream), Some(Box::new(helper) as Box<_>), Some(said))
        }
    };
    let fail = |fault: Fault| {
        let again = fault.is_disconnect()
            || matches!(fault, Fault::Ssh(code::BANNER_RECV | code::BANNER_SEND | code::KEY_EXCHANGE_FAILURE, _));
        let mut reason = match fault {
            Fault::TimedOut => format!("no SSH greeting within {} s", route.timeout.as_secs()),
            Fault::Ssh(code::KEX_FAILURE, words) => format!("{NO_COMMON} ({words})"),
            fault if again => format!("{} before anybody logged in ({})", fault.words(), detail(&fault)),
            fault => fault.words(),
        };
        if let Some(said) = &said {
            let said = said.all();
            if let Some(line) = said.lines().rev().find(|line| !line.trim().is_empty()) {
                reason = format!("{reason}; ProxyCommand says: {}", printable(line));
            }
        }
        Failure { error: route.unreachable(reason), again }
    };
    let mut link = Link::new(stream, carrier, Arc::clone(&bastions.let_go)).map_err(&fail)?;
    link.session.method_pref(MethodType::HostKey, preference).map_err(|error| fail(error.into()))?;
    link.block_until(deadline).map_err(&fail)?;
    link.session.handshake().map_err(|error| fail(error.into()))?;
    Ok(link)
}

fn detail(fault: &Fault) -> String {
    match fault {
        Fault::Ssh(number, words) => format!("{words}, {number}"),
        Fault::TimedOut | Fault::LetGo => String::new(),
    }
}

fn host_key(link: &Link, route: &Route) -> Result<HostKey, TransportError> {
    let key = link.session.host_key().and_then(|(blob, _)| HostKey::from_blob(blob.to_vec()));
    key.ok_or_else(|| route.bad_key("it presented no key that can be read"))
}

fn tcp(route: &Route, deadline: Instant) -> Result<TcpStream, Failure> {
    let addresses = (route.address.as_str(), route.port).to_socket_addrs();
    let addresses =
        addresses.map_err(|error| route.unreachable(format!("the name is not known ({})", words(&error))))?;
    let addresses: Vec<_> = addresses.collect();
    let mut reasons: Vec<String> = Vec::new();
    let mut again = false;
    for (at, address) in addresses.iter().enumerate() {
        // One address that swallows packets must not use up the time of the others.
        let share = u32::try_from(addresses.len() - at).unwrap_or(1);
        let patience = deadline.saturating_duration_since(Instant::now()) / share;
        let tried = match TcpStream::connect_timeout(address, patience.max(Duration::from_millis(1))) {
            Ok(stream) => prepare(&stream).map(|()| stream),
            Err(error) => Err(error),
        };
        match tried {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                again |= error.kind() == io::ErrorKind::ConnectionReset;
                let reason = match error.kind() {
                    io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                        format!("no answer within {:.1} s", patience.as_secs_f32())
                    }
                    io::ErrorKind::ConnectionRefused => "connection refused: nothing listens on this port".to_owned(),
                    _ => words(&error),
                };
                reasons.push(if addresses.len() > 1 { format!("{}: {reason}", address.ip()) } else { reason });
            }
        }
    }
    Err(Failure { error: route.unreachable(reasons.join("; ")), again })
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without this every exec waits some 40 ms for a delayed ACK.
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    // A peer that is gone is noticed when what was sent stays unanswered.
    sockopt::set_tcp_user_timeout(stream, 60_000)?;
    Ok(())
}

/// An io error without the "(os error N)".
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// What a ProxyCommand wrote on its standard error, and a word when that has ended.
struct Said {
    text: Arc<Mutex<String>>,
    ended: Receiver<()>,
}

impl Said {
    /// All of it, if it ends soon: its streams do not end at the same time.
    fn all(&self) -> String {
        let _ = self.ended.recv_timeout(Duration::from_millis(500));
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A ProxyCommand's process; it ends with its link.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn helper(route: &Route, command: &str) -> Result<(UnixStream, Helper, Said), TransportError> {
    let start = || -> io::Result<_> {
        let (near, far) = UnixStream::pair()?;
        let input = OwnedFd::from(far.try_clone()?);
        let mut process = Command::new("/bin/sh");
        process.arg("-c").arg(format!("exec {command}")).stdin(Stdio::from(input)).stdout(OwnedFd::from(far));
        let mut child = process.stderr(Stdio::piped()).spawn()?;
        let text = Arc::new(Mutex::new(String::new()));
        let (end, ended) = channel();
        if let Some(mut errors) = child.stderr.take() {
            let said = Arc::clone(&text);
            // Read to its end, or the command would block on a full pipe one day.
            std::thread::spawn(move || {
                let mut piece = [0; 1024];
                while let Ok(length @ 1..) = errors.read(&mut piece) {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    if said.len() < 4096 {
                        said.push_str(&String::from_utf8_lossy(&piece[..length]));
                    }
                }
                let _ = end.send(());
            });
        }
        Ok((near, Helper(child), Said { text, ended }))
    };
    start().map_err(|error| route.unreachable(format!("ProxyCommand cannot be started: {}", words(&error))))
}

/// A line from a host without what could move a terminal's cursor, and not too long.
pub(super) fn printable(line: &str) -> String {
    line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
