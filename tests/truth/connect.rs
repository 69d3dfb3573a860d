//! Owns real connections: from a chosen address of the controller's side, and whether anybody answered on them.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

/// What the listener on the host says to everybody.
pub const BANNER: &[u8] = b"rempart\n";

/// Whether a connection is let in, and data arrives on it. Runs in the namespace of the calling thread.
pub fn is_let_in(from: IpAddr, to: SocketAddr, within: Duration) -> bool {
    attempt(from, to, Instant::now() + within).unwrap_or(false)
}

fn attempt(from: IpAddr, to: SocketAddr, until: Instant) -> Result<bool, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::new(from, 0))?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error),
    }
    if !wait(&socket, PollFlags::OUT, until)? || sockopt::socket_error(&socket)?.is_err() {
        return Ok(false);
    }
    let mut said = [0; 8];
    if !wait(&socket, PollFlags::IN, until)? {
        return Ok(false);
    }
    let (count, _) = rustix::net::recv(&socket, &mut said[..], rustix::net::RecvFlags::empty())?;
    Ok(&said[..count] == BANNER)
}

fn wait(socket: &OwnedFd, what: PollFlags, until: Instant) -> Result<bool, Errno> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    let mut watched = [PollFd::new(socket, what)];
    Ok(poll(&mut watched, Some(&left))? > 0)
}

/// What listens on the host: on all ports, over both families, and greets.
pub fn listener(ports: &[u16]) -> String {
    format!(
        "import selectors, socket\n\
         s = selectors.DefaultSelector()\n\
         for p in {ports:?}:\n\
         \x20 l = socket.socket(socket.AF_INET6); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
         \x20 l.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); l.bind(('::', p)); l.listen(128)\n\
         \x20 s.register(l, selectors.EVENT_READ)\n\
         open('/run/truth-listens', 'w').close()\n\
         while True:\n\
         \x20 for key, _ in s.select():\n\
         \x20   try:\n\
         \x20     c, _ = key.fileobj.accept(); c.send(b'rempart\\n'); c.close()\n\
         \x20   except OSError: pass\n"
    )
}
