//! Owns small things about an account that no resource says: whether it can be worked with, whether it has a password, and a
//! first one.

use std::time::Duration;

use super::probe::nonce;
use super::{Links, WriteLinks};
use crate::model::HostName;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeError, ProbeScript};
use crate::secret::{Piece, Rendered, Secret};
use crate::sh;
use crate::transport::{TransportError, WriteScript};

const PATIENCE: Duration = Duration::from_secs(30);

/// Logs in, and becomes root where the host's target says so: an answer proves both.
///
/// # Errors
/// There is no way in, or none to root.
pub fn knock(host: &HostName, links: &dyn Links) -> Result<(), TransportError> {
    let mut script = ProbeScript::default();
    script.section("knock", sh!("id -u"));
    let question = script.finish(&nonce(), PATIENCE);
    links.ask(host, &question.script).map(|_| ())
}

/// Whether an account has no password, so that sudo has none to ask it for.
///
/// # Errors
/// The host could not be asked, or does not know the account.
pub fn lacks_password(host: &HostName, user: &str, links: &dyn Links) -> Result<bool, TransportError> {
    let mut script = ProbeScript::default();
    let mut text = Sh::program_of_the_user(LACKS);
    text.line(sh!("if rp_lacks {}; then echo none; else echo some; fi", user));
    script.section("password", text);
    let question = script.finish(&nonce(), PATIENCE);
    let output = links.ask(host, &question.script)?;
    let told = Answer::read(&question, &output).and_then(|answer| {
        let section = answer.section("password")?;
        match section.text()?.trim_end() {
            "none" => Ok(true),
            "some" => Ok(false),
            _ => Err(ProbeError(format!("whether {user} has a password could not be read"))),
        }
    });
    told.map_err(|ProbeError(reason)| TransportError::Broken { host: host.clone(), reason })
}

// rp_lacks USER: whether its field in /etc/shadow holds no password at all, which one that is only locked does.
const LACKS: &str = r#"rp_lacks() {
  rp_now=$(getent shadow -- "$1") || exit 1
  rp_now=${rp_now#*:}
  case ${rp_now%%:*} in ''|'!'|'!!'|'!*'|'*') return 0 ;; *) return 1 ;; esac
}"#;

/// Gives an account that has no password this one; says whether it did. One that was locked with its password in place
/// (`passwd -l`) has one, and somebody's reason. The password travels as a payload, stands in a
/// file of root's in memory for a moment, and goes into `chpasswd` by its standard input.
///
/// # Errors
/// The host could not be asked, or chpasswd refuses it.
pub fn give_password(
    host: &HostName,
    user: &str,
    password: &Secret,
    links: &WriteLinks,
) -> Result<bool, TransportError> {
    let broken = |reason: String| TransportError::Broken { host: host.clone(), reason };
    if password.has_any(&['\n', '\0']) {
        return Err(broken("a password of several lines cannot be set".into()));
    }
    let line = vec![Piece::Plain(format!("{user}:")), Piece::Secret(password.clone()), Piece::Plain("\n".to_owned())];
    let line = Rendered::from_pieces(line);
    let script = WriteScript { text: giving(user).text().to_owned(), payloads: vec![line.clone()], timeout: PATIENCE };
    let output = links.with(host, |session| session.run(&script, &mut |_| {}))?;
    if output.status != 0 {
        let complaint = line.redact(String::from_utf8_lossy(&output.stderr).trim());
        return Err(broken(format!("chpasswd ended with status {}: {complaint}", output.status)));
    }
    Ok(output.stdout.starts_with(b"given"))
}

fn giving(user: &str) -> Sh {
    let mut text = Sh::program_of_the_user(LACKS);
    text.line(sh!(
        "umask 077; rp_at=$(mktemp -d -p /run rempart-XXXXXX) || exit 1
trap 'rm -rf -- \"$rp_at\"' EXIT
rp_payload \"$rp_at/line\"
if ! rp_lacks {}; then echo kept; exit 0; fi
chpasswd <\"$rp_at/line\" >&2 && echo given",
        user
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::transport::{Entry, Login, Output, ReadScript, Target};

    // What chpasswd is given where the account's field in /etc/shadow is this one, and what is said.
    fn given(field: &str) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let got = folder.path().join("got");
        let host = "mktemp() { mkdir \"$folder/run\" && echo \"$folder/run\"; }
rp_payload() { echo ops:new > \"$1\"; }
getent() { printf '%s:%s:19000:0:99999:7:::\\n' \"$3\" \"$field\"; }
chpasswd() { cat > \"$folder/got\"; }";
        let done = Command::new("sh")
            .arg("-c")
            .arg(format!("{host}\n{}", giving("ops").text()))
            .env("folder", folder.path())
            .env("field", field)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8(done.stdout).unwrap();
        (std::fs::read_to_string(got).unwrap_or_default(), said)
    }

    /// A host of one account, whose field in /etc/shadow is this one.
    struct Shadow(&'static str);

    impl Links for Shadow {
        fn ask(&self, _: &HostName, script: &ReadScript) -> Result<Output, TransportError> {
            let host = "getent() { [ \"$3\" = ops ] && printf 'ops:%s:19000::::::\\n' \"$field\"; }";
            let mut shell = Command::new("sh");
            let done = shell.arg("-c").arg(format!("{host}\n{}", script.text)).env("field", self.0).output().unwrap();
            Ok(Output { status: done.status.code().unwrap(), stdout: done.stdout, stderr: done.stderr })
        }

        fn login(&self, _: &HostName) -> Option<Login> {
            None
        }

        fn target(&self, _: &HostName) -> Option<&Target> {
            None
        }

        fn entry(&self, _: &HostName) -> Option<Entry> {
            None
        }
    }

    #[test]
    fn what_has_no_password_is_told_from_what_is_locked_and_from_nobody() {
        let lacks = |field, user| lacks_password(&HostName::new("web1"), user, &Shadow(field));
        assert_eq!(
            [lacks("!", "ops"), lacks("!$y$a$b$c", "ops"), lacks("$y$a$b$c", "ops")],
            [Ok(true), Ok(false), Ok(false)]
        );
        assert!(lacks("!", "eve").is_err());
    }

    #[test]
    fn an_account_without_a_password_gets_one_and_a_locked_one_keeps_its_own() {
        for none in ["", "!", "!!", "!*", "*"] {
            assert_eq!(given(none), ("ops:new\n".into(), "given\n".into()), "{none:?}");
        }
        for some in ["$y$j9T$salt$hash", "!$y$j9T$salt$hash", "!!$6$salt$hash"] {
            assert_eq!(given(some), (String::new(), "kept\n".into()), "{some:?}");
        }
    }
}
