//! Owns running commands that the user of rempart wrote as questions (`unless`, `check`, `assert`): in a sandbox that
//! cannot write, all of a kind in one, each with its own status and output.
//!
//! Files, the kernel's settings and its modules are read-only there. Not held back are the devices in /dev, and what a
//! command asks of a daemon over a socket (`systemctl restart`, `docker rm`).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::{Answer, ProbeError, ProbeScript, SectionOutput};
use crate::quote::Sh;
use crate::sh;

/// A command of the user's, and how it runs.
#[derive(Clone, Debug)]
pub struct UserCommand<'a> {
    /// POSIX sh.
    pub run: &'a str,
    /// As whom; `None` = root.
    pub user: Option<&'a str>,
    /// Where; `None` = `/`.
    pub cwd: Option<&'a str>,
    /// How long at most, in seconds; then its status is 124.
    pub timeout: u64,
}

impl UserCommand<'_> {
    /// The command as sh, in a shell of its own. A directory or user that is not there is status 127, as a missing
    /// tool is. No PAM session is opened, so that a question leaves no line in the host's log.
    pub fn script(&self) -> Sh {
        let mut script = sh!("(\ncd -- {} || exit 127", self.cwd.unwrap_or("/"));
        match self.user {
            None => script.line(sh!("HOME=/root; export HOME\nexec timeout -k 2 {} sh -c {}", self.timeout, self.run)),
            Some(user) => script.line(sh!(
                "rp_group=$(id -g -- {}) || exit 127\nHOME=$(getent passwd -- {} | cut -d: -f6) USER={} LOGNAME={}\n\
                 export HOME USER LOGNAME\n\
                 exec timeout -k 2 {} setpriv --reuid={} --regid=\"$rp_group\" --init-groups -- sh -c {}",
                user,
                user,
                user,
                user,
                self.timeout,
                user,
                self.run
            )),
        };
        script.line(sh!(")"));
        script
    }
}

// /tmp stays in sight, read-only, because questions are asked about it; what must write gets a /var/tmp of its own.
// ProtectKernelTunables brings the API file systems along (MountAPIVFS), and with them a /run that can be written; a /dev
// that cannot be is not to be had that way. `ufw status` and `iptables-legacy -S` take their locks before they look.
pub(super) const SANDBOX: &str = "systemd-run --quiet --pipe --wait --collect -p ProtectSystem=strict -p ProtectHome=read-only \
-p ReadOnlyPaths=/run -p ReadWritePaths=-/run/ufw.lock -p ReadWritePaths=-/run/xtables.lock \
-p TemporaryFileSystem=/var/tmp:mode=1777,size=64M -p ProtectKernelTunables=yes -p ProtectKernelModules=yes \
-p ProtectControlGroups=yes -p InaccessiblePaths=-/dev/shm -E LC_ALL=C -E TMPDIR=/var/tmp -E PATH=\"$PATH\" sh -s";

const PROLOGUE: &str = r#"mkdir -m 0700 /var/tmp/rp || exit 1
rp_end() {
  printf '%s %s ' "$1" "$2"
  head -c 65536 /var/tmp/rp/out | base64 -w 0
  printf ' '
  head -c 2000 /var/tmp/rp/err | base64 -w 0
  echo
}"#;

/// Asks to run commands in one sandbox, each under a key. `section` is the kind's name.
pub fn ask_user_commands<'a>(
    script: &mut ProbeScript,
    section: &str,
    commands: impl IntoIterator<Item = (String, UserCommand<'a>)>,
) {
    let mut inner = Sh::program_of_the_user(PROLOGUE);
    let mut some = false;
    for (key, command) in commands {
        some = true;
        inner.line(sh!("{} </dev/null >/var/tmp/rp/out 2>/var/tmp/rp/err; rp_end {} $?", command.script(), mark(&key)));
    }
    if !some {
        return;
    }
    inner.line(sh!("echo end"));
    let here = sh!("[ -d /run/systemd/system ] || { echo 'no systemd, so no sandbox' >&2; exit 1; }");
    let piped = sh!("printf '%s\\n' {} | {}", inner.text(), Sh::program_of_the_user(SANDBOX));
    script.section(section, Sh::lines([here, piped]));
}

/// What a command asked for by [`ask_user_commands`] did.
///
/// # Errors
/// The sandbox could not be made, the command did not run, or it did not end in time.
pub fn user_command(answer: &Answer, section: &str, key: &str) -> Result<SectionOutput, ProbeError> {
    let section = answer.section(section)?;
    let text = section.text()?;
    let mark = mark(key);
    // What follows the last newline was cut short.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = whole.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[0] == mark);
    let Some(words) = line else {
        let why = format!("it could not be run read-only (status {}): {}", section.status, section.complaint());
        return Err(ProbeError(why));
    };
    let garbled = || ProbeError("the sandbox's answer is garbled".into());
    let [_, status, stdout, stderr] = words[..] else { return Err(garbled()) };
    let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| garbled());
    let status = status.parse().map_err(|_| garbled())?;
    let output = SectionOutput { status, stdout: decode(stdout)?, stderr: decode(stderr)? };
    match status {
        124 => Err(ProbeError("it did not end in time".into())),
        125 | 128.. => Err(ProbeError(format!("it was ended by the system (status {status}): {}", output.complaint()))),
        _ => Ok(output),
    }
}

fn mark(key: &str) -> String {
    Sha256::digest(key.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
