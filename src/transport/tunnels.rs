//! Owns the thread of one bastion: it moves bytes between channels and socket pairs.
//!
//! Must not know who asked for a tunnel. One thread alone touches the session; what a call leaves half sent, the same
//! call ends later, so every channel is asked again on every turn.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{Channel, ErrorCode};

use super::jump::{CONNECT_FAILED, NoTunnel, Order, PATIENCE};
use super::link::{Link, code, timespec};

/// How much may wait in one direction of one tunnel.
const FULL: usize = 256 * 1024;

struct Tunnel {
    channel: Channel,
    near: UnixStream,
    to_far: Vec<u8>,
    to_near: Vec<u8>,
    near_ended: bool,
    eof_sent: bool,
    far_ended: bool,
    /// The channel holds a packet half sent; only reading it again ends that.
    must_read: bool,
}

/// The thread's state.
pub(super) struct Carrier {
    link: Link,
    orders: Receiver<Order>,
    woken: UnixStream,
    waiting: VecDeque<Order>,
    opening: Option<(Order, Instant)>,
    tunnels: Vec<Tunnel>,
    closing: Vec<Channel>,
    /// Nobody can send orders any more.
    orphaned: bool,
}

impl Carrier {
    pub fn new(link: Link, orders: Receiver<Order>, woken: UnixStream) -> Self {
        let (waiting, tunnels, closing) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { link, orders, woken, waiting, opening: None, tunnels, closing, orphaned: false }
    }

    /// Carries until nobody needs it or the bastion is gone.
    pub fn run(mut self) {
        loop {
            self.take_orders();
            let moved = match self.turn() {
                Ok(moved) => moved,
                Err(reason) => return self.give_up(&reason),
            };
            // An opening that nobody waits for any more keeps nobody here either.
            let wanted = self.opening.as_ref().is_some_and(|(order, _)| Instant::now() < order.deadline);
            if self.orphaned && self.tunnels.is_empty() && self.waiting.is_empty() && !wanted {
                return;
            }
            if !moved && let Err(error) = self.rest() {
                return self.give_up(&error.to_string());
            }
        }
    }

    fn give_up(&mut self, reason: &str) {
        let opening = self.opening.take().map(|(order, _)| order);
        for order in opening.into_iter().chain(self.waiting.drain(..)) {
            let _ = order.reply.send(Err(NoTunnel::Failed(reason.to_owned())));
        }
        for tunnel in &self.tunnels {
            let _ = tunnel.near.shutdown(Shutdown::Both);
        }
    }

    fn take_orders(&mut self) {
        let mut sink = [0; 64];
        while matches!((&self.woken).read(&mut sink), Ok(1..)) {}
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.waiting.push_back(order),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.orphaned = true;
                    return;
                }
            }
        }
    }

    /// One turn over everything; whether anything moved.
    fn turn(&mut self) -> Result<bool, String> {
        let mut moved = self.open()?;
        for tunnel in &mut self.tunnels {
            moved |= tunnel.turn()?;
        }
        let mut at = 0;
        while at < self.tunnels.len() {
            if self.tunnels[at].is_over() {
                let tunnel = self.tunnels.swap_remove(at);
                let _ = tunnel.near.shutdown(Shutdown::Both);
                self.closing.push(tunnel.channel);
                moved = true;
            } else {
                at += 1;
            }
        }
        // A channel is freed only once both sides have closed it; libssh2 would keep it for good otherwise.
        self.closing.retain_mut(|channel| matches!(channel.close(), Err(error) if is_again(&error)));
        Ok(moved)
    }

    fn open(&mut self) -> Result<bool, String> {
        if self.opening.is_none() {
            self.opening = self.waiting.pop_front().map(|order| (order, Instant::now()));
        }
        let Some((order, since)) = &self.opening else { return Ok(false) };
        match self.link.session.channel_direct_tcpip(&order.host, order.port, None) {
            Err(error) if is_again(&error) => {
                if since.elapsed() >= PATIENCE {
                    for order in self.waiting.drain(..) {
                        let _ = order.reply.send(Err(NoTunnel::Busy));
                    }
                }
                Ok(false)
            }
            Err(error) => {
                let why = why_not(error.message());
                let over = !matches!(error.code(), ErrorCode::Session(code::CHANNEL_FAILURE));
                if let Some((order, _)) = self.opening.take() {
                    let _ = order.reply.send(Err(why));
                }
                if over { Err(error.message().to_owned()) } else { Ok(true) }
            }
            Ok(channel) => {
                let Some((order, _)) = self.opening.take() else { return Ok(true) };
                match UnixStream::pair().and_then(|(near, far)| near.set_nonblocking(true).map(|()| (near, far))) {
                    Ok((near, far)) => {
                        // Nobody to take it: dropping the far end ends the tunnel on the next turn.
                        let _ = order.reply.send(Ok(far));
                        self.tunnels.push(Tunnel::new(channel, near));
                    }
                    Err(error) => {
                        let _ = order.reply.send(Err(NoTunnel::Failed(error.to_string())));
                        self.closing.push(channel);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Waits for the session, an order, or the near end of a tunnel.
    fn rest(&mut self) -> io::Result<()> {
        // Reading one channel may have taken in another's packets, of which the socket tells nothing any more.
        if self.tunnels.iter().any(|tunnel| !tunnel.is_full() && tunnel.channel.read_window().available > 0) {
            return Ok(());
        }
        let alive = self.link.keep_alive().map_err(|fault| io::Error::other(fault.words()))?;
        let mut nap = alive.unwrap_or(Duration::from_secs(60));
        if let Some((_, since)) = &self.opening {
            let left = PATIENCE.saturating_sub(since.elapsed());
            nap = nap.min(if left.is_zero() { PATIENCE } else { left });
        }
        let mut polled = vec![PollFd::new(&self.link, self.link.interest())];
        if !self.orphaned {
            polled.push(PollFd::new(&self.woken, PollFlags::IN));
        }
        for tunnel in &self.tunnels {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, !tunnel.near_ended && tunnel.to_far.is_empty());
            flags.set(PollFlags::OUT, !tunnel.to_near.is_empty());
            if !flags.is_empty() {
                polled.push(PollFd::new(&tunnel.near, flags));
            }
        }
        match poll(&mut polled, Some(&timespec(nap))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl Tunnel {
    fn new(channel: Channel, near: UnixStream) -> Self {
        let (to_far, to_near) = (Vec::new(), Vec::new());
        let (near_ended, eof_sent, far_ended, must_read) = (false, false, false, false);
        Self { channel, near, to_far, to_near, near_ended, eof_sent, far_ended, must_read }
    }

    fn is_full(&self) -> bool {
        self.to_near.len() >= FULL && !self.must_read
    }

    fn is_over(&self) -> bool {
        (self.far_ended && self.to_near.is_empty()) || (self.near_ended && self.to_far.is_empty() && self.eof_sent)
    }

    fn turn(&mut self) -> Result<bool, String> {
        let mut moved = false;
        let mut piece = [0; 32 * 1024];
        while !self.far_ended && !self.is_full() {
            match self.channel.read(&mut piece) {
                Ok(0) => {
                    self.must_read = false;
                    self.far_ended = self.channel.eof();
                    moved |= self.far_ended;
                    break;
                }
                Ok(length) => {
                    self.must_read = false;
                    self.to_near.extend_from_slice(&piece[..length]);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.must_read = true;
                    break;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        while !self.to_near.is_empty() {
            match self.near.write(&self.to_near) {
                Ok(length @ 1..) => {
                    self.to_near.drain(..length);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {
                    self.to_near.clear();
                    self.near_ended = true;
                }
            }
        }
        if !self.near_ended && self.to_far.is_empty() {
            match self.near.read(&mut piece) {
                Ok(0) => {
                    self.near_ended = true;
                    moved = true;
                }
                Ok(length) => {
                    self.to_far.extend_from_slice(&piece[..length]);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.near_ended = true,
            }
        }
        while !self.to_far.is_empty() {
            match self.channel.write(&self.to_far) {
                // Nothing taken: the far side's window is shut.
                Ok(0) => break,
                Ok(length) => {
                    self.to_far.drain(..length);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.to_far.clear();
                    self.near_ended = true;
                }
            }
        }
        if self.near_ended && self.to_far.is_empty() && !self.eof_sent {
            match self.channel.send_eof() {
                Err(error) if is_again(&error) => {}
                _ => {
                    self.eof_sent = true;
                    moved = true;
                }
            }
        }
        Ok(moved)
    }
}

fn is_again(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(code::AGAIN)
}

/// Why a channel was refused, from libssh2's words: it hands on no code.
pub(super) fn why_not(words: &str) -> NoTunnel {
    if words.contains("administratively prohibited") {
        NoTunnel::Forbidden
    } else if words.contains("connect failed") {
        NoTunnel::Failed(CONNECT_FAILED.to_owned())
    } else {
        NoTunnel::Failed(words.to_owned())
    }
}
