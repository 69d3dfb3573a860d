//! Owns the start of the interpreter: directly, or through sudo with its prompt, its password and its refusals.
//!
//! Must not know scripts. The password answers the first prompt only, and only if there is one; nothing else is sent
//! before our own loader has said that it is there. Otherwise a root shell would run the password (NOPASSWD), or sudo
//! would eat script lines as guesses (wrong password).

use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::dial::printable;
use super::frame::find;
use super::interpreter::{Heard, Interpreter};
use super::link::{Fault, Link};
use super::loader::{direct, nonce, through_sudo};
use super::route::Route;
use super::{Become, TransportError};
use crate::secret::Secret;

/// PAM may wait for a directory service, and some modules wait two seconds after a wrong password.
const PATIENCE: Duration = Duration::from_secs(30);

/// One start, before it has happened.
pub(super) struct Start<'a> {
    nonce: String,
    /// The prompt as sudo prints it, where sudo is used. Its argument has `%%` for the `%`: a shell that complains by
    /// repeating the command is not taken for sudo, and gets no password.
    prompt: Option<String>,
    password: Option<&'a Secret>,
}

impl<'a> Start<'a> {
    /// How to start on `route`; root needs no sudo, which may not even be there.
    pub fn new(route: &Route, escalate: &'a Become) -> Result<Self, String> {
        let nonce = nonce()?;
        match escalate {
            Become::Sudo { password } if route.user != "root" => {
                Ok(Self { prompt: Some(format!("{nonce}%prompt")), nonce, password: password.as_ref() })
            }
            _ => Ok(Self { nonce, prompt: None, password: None }),
        }
    }

    /// The command to run.
    pub fn command(&self) -> String {
        match &self.prompt {
            Some(prompt) => through_sudo(&self.nonce, &prompt.replace('%', "%%")),
            None => direct(&self.nonce),
        }
    }

    /// Waits for the interpreter to say that it is there, and answers sudo meanwhile.
    pub fn wait(&self, interpreter: &mut Interpreter, link: &mut Link, route: &Route) -> Result<(), TransportError> {
        let deadline = Instant::now() + PATIENCE.max(route.timeout);
        let ready = format!("{} ready ", self.nonce);
        let mut heard = Heard::default();
        let mut answered = false;
        loop {
            interpreter.read(&mut heard).map_err(|reason| route.broken(reason))?;
            if let Some(at) = find(&heard.stdout, ready.as_bytes()) {
                let rest = heard.stdout.get(at + ready.len()..).unwrap_or_default();
                if let Some(line) = rest.split(|byte| *byte == b'\n').next().filter(|line| line.len() < rest.len()) {
                    return match (&self.prompt, line) {
                        (None, _) | (Some(_), b"0") => Ok(()),
                        (Some(_), uid) => Err(route.sudo(format!(
                            "sudo made uid {} of it: check the runas part of its sudoers line",
                            printable(&String::from_utf8_lossy(uid))
                        ))),
                    };
                }
            }
            match self.prompts(&heard) {
                0 => {}
                1 if answered => {}
                1 => {
                    let Some(password) = self.password else {
                        return Err(route.sudo(
                            "sudo asks for a password and none is known: give one with -K or \
                             ansible_become_password, or allow NOPASSWD in sudoers",
                        ));
                    };
                    let mut line = Zeroizing::new(Vec::with_capacity(password.reveal().len() + 1));
                    line.extend_from_slice(password.reveal().as_bytes());
                    line.push(b'\n');
                    interpreter.say(link, &line, deadline).map_err(|fault| route.broken(fault.words()))?;
                    answered = true;
                }
                _ => return Err(route.sudo("sudo does not accept the password (it asked a second time)")),
            }
            if heard.ended {
                let status = interpreter.exit_status(link);
                return Err(self.why_ended(&heard, status, answered, route));
            }
            interpreter.wait(link, deadline).map_err(|fault| match (fault, &self.prompt) {
                (Fault::TimedOut, Some(_)) => {
                    route.sudo(format!("sudo gave no answer within {} s{}", PATIENCE.as_secs(), self.said(&heard)))
                }
                (Fault::TimedOut, None) => route.timed_out(PATIENCE),
                (fault, _) => route.broken(fault.words()),
            })?;
        }
    }

    fn prompts(&self, heard: &Heard) -> usize {
        let Some(prompt) = &self.prompt else { return 0 };
        let mut count = 0;
        let mut rest: &[u8] = &heard.stderr;
        while let Some(at) = find(rest, prompt.as_bytes()) {
            count += 1;
            rest = rest.get(at + prompt.len()..).unwrap_or_default();
        }
        count
    }

    fn why_ended(&self, heard: &Heard, status: i32, answered: bool, route: &Route) -> TransportError {
        let text = String::from_utf8_lossy(&heard.stderr).to_lowercase();
        let has = |part: &str| text.contains(part);
        let user = &route.user;
        if self.prompt.is_none() {
            return route.broken(format!("no POSIX shell was to be had: exit {status}{}", self.said(heard)));
        }
        if has("you must have a tty") {
            route.sudo(format!("sudo wants a terminal: put `Defaults:{user} !requiretty` into sudoers"))
        } else if has("not in the sudoers file") || has("may not run sudo") {
            route.sudo(format!("{user} is not in the sudoers file: add `{user} ALL=(ALL) ALL`, or its group"))
        } else if has("is not allowed to execute") {
            route.sudo(format!(
                "its sudoers line does not allow /bin/sh: it has to allow `ALL`, as `{user} ALL=(ALL) ALL`"
            ))
        } else if status == 127 || has("command not found") || has("unknown command") {
            route.sudo("sudo is not installed on the host: install it, or log in as root")
        } else if answered && (has("incorrect password") || has("try again")) {
            route.sudo("sudo does not accept the password")
        } else {
            route.sudo(format!("sudo ended with exit {status}{}", self.said(heard)))
        }
    }

    /// The last thing the host said, for a message; never our own marks.
    fn said(&self, heard: &Heard) -> String {
        let text = [heard.stdout.as_slice(), b"\n", &heard.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().rev().map(printable);
        match lines.find(|line| !line.is_empty() && !line.contains(&self.nonce)) {
            Some(line) => format!("; the host says: {line}"),
            None => String::new(),
        }
    }
}
