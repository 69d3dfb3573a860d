//! Owns two small things about an account that no resource says: whether it can be worked with, and a first password.

use std::time::Duration;

use super::probe::nonce;
use super::{Links, WriteLinks};
use crate::model::HostName;
use crate::resource::ProbeScript;
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

/// Gives an account that has no password this one; says whether it did. The password travels as a payload, stands in a
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
    let text = sh!(
        "umask 077; rp_at=$(mktemp -d -p /run rempart-XXXXXX) || exit 1
trap 'rm -rf -- \"$rp_at\"' EXIT
rp_payload \"$rp_at/line\"
rp_now=$(getent shadow -- {}) || exit 1
rp_now=${rp_now#*:} rp_now=${rp_now%%:*}
case $rp_now in ''|'!'*|'*'*) ;; *) echo kept; exit 0 ;; esac
chpasswd <\"$rp_at/line\" >&2 && echo given",
        user
    );
    let script = WriteScript { text: text.text().to_owned(), payloads: vec![line.clone()], timeout: PATIENCE };
    let output = links.with(host, |session| session.run(&script, &mut |_| {}))?;
    if output.status != 0 {
        let complaint = line.redact(String::from_utf8_lossy(&output.stderr).trim());
        return Err(broken(format!("chpasswd ended with status {}: {complaint}", output.status)));
    }
    Ok(output.stdout.starts_with(b"given"))
}
