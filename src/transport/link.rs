//! Owns one SSH session over one stream: waiting on it, ending it, and telling apart how it fails.
//!
//! Must not know who logs in or what runs. The session never blocks once it is authenticated: every wait is a `poll`
//! on its socket with a deadline, so that nothing sleeps and nothing hangs.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use super::login::Login;

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    /// A tunnel through a bastion, or a ProxyCommand.
    Unix(UnixStream),
}

impl Stream {
    fn try_clone(&self) -> std::io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    fn shutdown(&self) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// How a wait or a call on a session fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TimedOut,
    /// Nobody wants to wait for the host any more.
    LetGo,
    /// libssh2's code and words.
    Ssh(i32, String),
}

/// The codes of libssh2 that somebody here has to tell apart.
pub(super) mod code {
    pub const BANNER_RECV: i32 = -2;
    pub const BANNER_SEND: i32 = -3;
    pub const KEX_FAILURE: i32 = -5;
    pub const SOCKET_SEND: i32 = -7;
    pub const KEY_EXCHANGE_FAILURE: i32 = -8;
    pub const TIMEOUT: i32 = -9;
    pub const SOCKET_DISCONNECT: i32 = -13;
    pub const PASSWORD_EXPIRED: i32 = -15;
    pub const CHANNEL_FAILURE: i32 = -21;
    pub const SOCKET_TIMEOUT: i32 = -30;
    pub const AGAIN: i32 = -37;
    pub const BAD_SOCKET: i32 = -45;
    pub const SOCKET_RECV: i32 = -43;
}

/// Why a link was left that may well live on.
pub(super) const LET_GO: &str = "it was let go, as the user asked";

/// How long a wait takes to notice that nobody wants it any more.
const NOTICE: Duration = Duration::from_millis(250);

impl From<ssh2::Error> for Fault {
    fn from(error: ssh2::Error) -> Self {
        match error.code() {
            ErrorCode::Session(code::TIMEOUT | code::SOCKET_TIMEOUT) => Self::TimedOut,
            ErrorCode::Session(number) | ErrorCode::SFTP(number) => Self::Ssh(number, error.message().to_owned()),
        }
    }
}

impl Fault {
    /// Whether the far side ended the connection.
    pub fn is_disconnect(&self) -> bool {
        matches!(self, Self::Ssh(code::SOCKET_DISCONNECT | code::SOCKET_SEND | code::SOCKET_RECV | code::BAD_SOCKET, _))
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::TimedOut => "no answer in time".to_owned(),
            Self::LetGo => LET_GO.to_owned(),
            _ if self.is_disconnect() => "the host closed the connection".to_owned(),
            Self::Ssh(_, words) => words.clone(),
        }
    }
}

/// One session and its stream.
pub(super) struct Link {
    pub session: Session,
    /// How it was let in, once it was.
    pub login: Option<Login>,
    stream: Stream,
    alive: bool,
    let_go: Arc<AtomicBool>,
    /// What has to live as long as the stream: a ProxyCommand's process, a bastion.
    _carrier: Option<Box<dyn std::any::Any + Send>>,
}

impl Link {
    /// A session over `stream`, not yet begun; waits end once `let_go` is set.
    pub fn new(
        stream: Stream,
        carrier: Option<Box<dyn std::any::Any + Send>>,
        let_go: Arc<AtomicBool>,
    ) -> Result<Self, Fault> {
        let mut session = Session::new()?;
        let own = stream.try_clone().map_err(|error| Fault::Ssh(code::BAD_SOCKET, error.to_string()))?;
        session.set_tcp_stream(own);
        Ok(Self { session, login: None, stream, alive: false, let_go, _carrier: carrier })
    }

    /// Makes the next blocking calls of the session end at `deadline`.
    pub fn block_until(&self, deadline: Instant) -> Result<(), Fault> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::TimedOut);
        }
        self.session.set_blocking(true);
        self.session.set_timeout(u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1));
        Ok(())
    }

    /// Ends the blocking part of the session's life.
    pub fn stop_blocking(&mut self, alive: Option<Duration>) {
        self.session.set_blocking(false);
        if let Some(every) = alive {
            let every = u32::try_from(every.as_secs()).unwrap_or(u32::MAX);
            self.session.set_keepalive(true, every);
            self.alive = true;
        }
    }

    /// Calls until the answer is no longer "try again".
    pub fn call<T>(
        &mut self,
        deadline: Instant,
        mut op: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Fault> {
        loop {
            match op(&self.session) {
                Err(error) if error.code() == ErrorCode::Session(code::AGAIN) => self.wait(deadline)?,
                other => return other.map_err(Fault::from),
            }
        }
    }

    /// Waits until the session can go on, or until `deadline`; now and then it returns for nothing.
    pub fn wait(&self, deadline: Instant) -> Result<(), Fault> {
        if self.let_go.load(Ordering::Relaxed) {
            return Err(Fault::LetGo);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::TimedOut);
        }
        let nap = self.keep_alive()?.map_or(left, |next| left.min(next)).min(NOTICE);
        let mut polled = [PollFd::new(&self.stream, self.interest())];
        match poll(&mut polled, Some(&timespec(nap))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Fault::Ssh(code::BAD_SOCKET, error.to_string())),
        }
    }

    /// What the session waits for.
    pub fn interest(&self) -> PollFlags {
        match self.session.block_directions() {
            BlockDirections::Outbound | BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::None | BlockDirections::Inbound => PollFlags::IN,
        }
    }

    /// Says that we are alive when it is time; gives when it is time again.
    pub fn keep_alive(&self) -> Result<Option<Duration>, Fault> {
        // A packet half sent must be ended by whoever began it.
        if !self.alive || self.interest().contains(PollFlags::OUT) {
            return Ok(None);
        }
        // libssh2 forgets a message of this kind that the socket did not take as a whole, and then no other packet is ever
        // sent. Where there is no room, what was sent before has not arrived yet, and says as much.
        if !self.has_room()? {
            return Ok(Some(Duration::from_millis(200)));
        }
        let next = self.session.keepalive_send()?;
        if self.interest().contains(PollFlags::OUT) {
            return Err(Fault::Ssh(code::SOCKET_SEND, "half a packet was sent, and nobody can end it".to_owned()));
        }
        Ok(Some(Duration::from_secs(u64::from(next.max(1)))))
    }

    // Whether the socket takes a small packet as a whole: the kernel says so only while a good part of its buffer is free.
    fn has_room(&self) -> Result<bool, Fault> {
        let mut polled = [PollFd::new(&self.stream, PollFlags::OUT)];
        match poll(&mut polled, Some(&timespec(Duration::ZERO))) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(Fault::Ssh(code::BAD_SOCKET, error.to_string())),
        }
    }

    /// Ends the connection without waiting for anybody.
    pub fn cut(&self) {
        self.session.set_blocking(false);
        let _ = self.session.disconnect(None, "rempart is done", None);
        self.stream.shutdown();
        // libssh2 frees nothing that would block; on a dead socket nothing does.
        self.session.set_blocking(true);
        self.session.set_timeout(500);
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A duration as `poll` wants it.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_sign_of_life_waits_until_there_is_room_for_all_of_it() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let mut link = Link::new(Stream::Unix(near.try_clone().unwrap()), None, Arc::default()).unwrap();
        link.stop_blocking(Some(Duration::from_secs(5)));
        while near.write(&[0; 4096]).is_ok() {}
        assert_eq!(link.keep_alive(), Ok(Some(Duration::from_millis(200))));
        while far.read(&mut [0; 65536]).is_ok() {}
        assert_eq!(link.has_room(), Ok(true));
    }
}
