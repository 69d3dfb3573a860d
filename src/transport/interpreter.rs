//! Owns the interpreter on the far side as seen from here: one channel, started once, scripts one after another.
//!
//! Must not know how the session came about, or what a script means. After any failure here the whole connection is
//! thrown away: half a frame cannot be told from the next.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use ssh2::Channel;
use zeroize::Zeroizing;

use super::frame::Frame;
use super::link::{Fault, Link};
use super::loader::{bytes, nonce};
use super::route::Route;
use super::sudo;
use super::{Become, Output, TransportError};
use crate::secret::Rendered;

/// More output than this of one script is a mistake of that script, not an answer.
const MOST: usize = 256 * 1024 * 1024;

/// When a script has taken too long.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// So long after its start.
    Total(Duration),
    /// So long after it last said something.
    Silence(Duration),
}

/// The channel with the interpreter at its far end.
pub(super) struct Interpreter {
    channel: Channel,
}

/// libssh2 says no more than which call it was in.
fn cut(error: &std::io::Error) -> String {
    format!("the link was cut ({error})")
}

/// What arrived in one turn.
#[derive(Default)]
pub(super) struct Heard {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub ended: bool,
}

impl Interpreter {
    /// Opens the channel and starts the interpreter, as root if `escalate` says how.
    pub fn start(link: &mut Link, route: &Route, escalate: &Become) -> Result<Self, TransportError> {
        let deadline = Instant::now() + route.timeout;
        let failed = |fault: Fault| match fault {
            Fault::TimedOut => route.timed_out(route.timeout),
            fault => route.broken(format!("no session could be opened: {}", fault.words())),
        };
        let channel = link.call(deadline, ssh2::Session::channel_session).map_err(failed)?;
        let mut interpreter = Self { channel };
        let start = sudo::Start::new(route, escalate).map_err(|reason| route.broken(reason))?;
        let command = start.command();
        let channel = &mut interpreter.channel;
        link.call(deadline, |_| channel.exec(&command)).map_err(failed)?;
        start.wait(&mut interpreter, link, route)?;
        Ok(interpreter)
    }

    /// Whether the far end is gone; asked before a script is sent.
    pub fn is_gone(&mut self) -> bool {
        let mut heard = Heard::default();
        self.read(&mut heard).is_err() || heard.ended
    }

    /// The exit status of what ran instead of the interpreter, once the channel has ended. It comes after the end of
    /// the output, so it is waited for.
    pub fn exit_status(&mut self, link: &mut Link) -> i32 {
        let channel = &mut self.channel;
        let _ = link.call(Instant::now() + Duration::from_secs(2), |_| channel.wait_close());
        channel.exit_status().unwrap_or(0)
    }

    /// Runs one script to its end.
    pub fn run(
        &mut self,
        link: &mut Link,
        route: &Route,
        text: &str,
        payloads: &[Rendered],
        limit: Limit,
        heard: &mut dyn FnMut(&[u8]),
    ) -> Result<Output, TransportError> {
        if text.contains('\0') {
            return Err(route.broken("the script holds a NUL byte, which no shell can read"));
        }
        let key = nonce().map_err(|reason| route.broken(reason))?;
        let (patience, seconds) = match limit {
            // A little later than here: the far side's own end is for links that are gone.
            Limit::Total(total) => (total, total.as_secs() + 2),
            Limit::Silence(silence) => (silence, 0),
        };
        let sent = bytes(&key, text, payloads, seconds);
        let mut unsent: &[u8] = &sent;
        let (mut stdout, mut stderr) = (Frame::new(&key), Frame::new(&key));
        let mut deadline = Instant::now() + patience;
        loop {
            let mut moved = self.write(&mut unsent).map_err(|reason| route.broken(reason))?;
            let mut turn = Heard::default();
            self.read(&mut turn).map_err(|reason| route.broken(reason))?;
            moved |= !turn.stdout.is_empty() || !turn.stderr.is_empty();
            let fresh = stdout.push(&turn.stdout);
            if !fresh.is_empty() {
                heard(fresh);
            }
            stderr.push(&turn.stderr);
            if let (Some(status), Some(_)) = (stdout.status(), stderr.status())
                && unsent.is_empty()
            {
                return Ok(Output { status, stdout: stdout.into_output(), stderr: stderr.into_output() });
            }
            if stdout.len().max(stderr.len()) > MOST {
                return Err(route.broken(format!("a script said more than {} MiB", MOST >> 20)));
            }
            if turn.ended {
                return Err(route.broken("the host closed it before the script had ended"));
            }
            if moved && matches!(limit, Limit::Silence(_)) {
                deadline = Instant::now() + patience;
            }
            if moved {
                // A script that never stops talking must not outlast its time either.
                if Instant::now() >= deadline {
                    return Err(route.timed_out(patience));
                }
                continue;
            }
            self.wait(link, deadline).map_err(|fault| match fault {
                Fault::TimedOut => route.timed_out(patience),
                fault => route.broken(fault.words()),
            })?;
        }
    }

    /// Waits for something to read or room to write.
    pub fn wait(&self, link: &Link, deadline: Instant) -> Result<(), Fault> {
        // Reading one stream may have taken in the other's packets, of which the socket tells nothing any more.
        if self.channel.read_window().available > 0 {
            return Ok(());
        }
        link.wait(deadline)
    }

    /// Sends a line at once, such as sudo's password.
    pub fn say(&mut self, link: &mut Link, line: &Zeroizing<Vec<u8>>, deadline: Instant) -> Result<(), Fault> {
        let mut unsent: &[u8] = line;
        loop {
            self.write(&mut unsent).map_err(|reason| Fault::Ssh(0, reason))?;
            if unsent.is_empty() {
                return Ok(());
            }
            link.wait(deadline)?;
        }
    }

    fn write(&mut self, unsent: &mut &[u8]) -> Result<bool, String> {
        let mut moved = false;
        while !unsent.is_empty() {
            match self.channel.write(unsent) {
                // Nothing taken: the far side's window is shut until it reads.
                Ok(0) => break,
                Ok(length) => {
                    *unsent = unsent.get(length..).unwrap_or_default();
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(cut(&error)),
            }
        }
        Ok(moved)
    }

    /// Takes in whatever is there, without waiting.
    pub fn read(&mut self, heard: &mut Heard) -> Result<(), String> {
        let mut piece = [0; 32 * 1024];
        for (id, bytes) in [(0, &mut heard.stdout), (1, &mut heard.stderr)] {
            let mut stream = self.channel.stream(id);
            loop {
                match stream.read(&mut piece) {
                    Ok(0) => break,
                    Ok(length) => bytes.extend_from_slice(&piece[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(cut(&error)),
                }
                // Handed on piece by piece, so that whoever listens hears it as it arrives.
                if bytes.len() >= 512 * 1024 {
                    break;
                }
            }
        }
        heard.ended = self.channel.eof() && self.channel.read_window().available == 0;
        Ok(())
    }
}
