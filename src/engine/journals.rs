//! Owns reading what hosts wrote down themselves: their journals, as bytes; `history` knows what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Links, each_host, probe};
use crate::model::HostName;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeError, ProbeScript, SectionOutput};
use crate::sh;
use crate::transport::TransportError;

/// A journal longer than this is not read, in bytes: it would have to be held whole. 64 MiB are some 300 000 steps.
const LONGEST: u64 = 64 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(120);
const SECTION: &str = "journal";
/// Where a target keeps its journal.
const PATH: &str = "/var/lib/rempart/journal";

/// A host's journal; `None`: there certainly is none.
pub type JournalText = Option<Vec<u8>>;

/// Why nothing is known of a host's journal.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The host could not be asked.
    #[error(transparent)]
    Unasked(#[from] TransportError),
    /// Its answer is no journal, and why.
    #[error("{0}")]
    Unread(String),
}

impl From<ProbeError> for JournalError {
    fn from(ProbeError(why): ProbeError) -> Self {
        JournalError::Unread(why)
    }
}

/// Reads the journals of these hosts, at once.
///
/// An answer that is cut short, too long, or not to be trusted is an error, never a journal.
pub async fn read_journals(
    hosts: Vec<HostName>,
    links: Arc<dyn Links>,
    forks: usize,
) -> BTreeMap<HostName, Result<JournalText, JournalError>> {
    let commands = commands(PATH);
    each_host(hosts, forks, move |host| {
        let mut script = ProbeScript::default();
        script.section(SECTION, commands.clone());
        let question = script.finish(&probe::nonce(), TIMEOUT);
        let output = links.ask(host, &question.script)?;
        let answer = Answer::read(&question, &output)?;
        Ok(read(answer.section(SECTION)?)?)
    })
    .await
    .into_iter()
    .map(|(host, read)| {
        let read = read.unwrap_or_else(|| Err(JournalError::Unread("the work on it died; this is a bug".into())));
        (host, read)
    })
    .collect()
}

// The first line says what comes: `absent`, `long BYTES`, or `bytes COUNT` and as many. The length is taken once, since
// a run may be appending meanwhile.
fn commands(path: &str) -> Sh {
    sh!(
        "f={}
[ -e \"$f\" ] || [ -L \"$f\" ] || { echo absent; exit 0; }
[ -f \"$f\" ] && [ ! -L \"$f\" ] || { echo \"$f is no regular file\" >&2; exit 1; }
s=$(stat -c %s -- \"$f\") || exit 1
[ \"$s\" -le {} ] || { echo \"long $s\"; exit 0; }
echo \"bytes $s\"
head -c \"$s\" -- \"$f\"",
        path,
        LONGEST
    )
}

fn read(section: &SectionOutput) -> Result<JournalText, ProbeError> {
    if section.status != 0 {
        return Err(ProbeError(format!("its journal cannot be read: {}", section.complaint())));
    }
    let at = section.stdout.iter().position(|byte| *byte == b'\n');
    let (head, text) =
        at.map_or((&section.stdout[..], &[][..]), |at| (&section.stdout[..at], &section.stdout[at + 1..]));
    match std::str::from_utf8(head).ok().and_then(|head| head.split_once(' ')) {
        None if head == b"absent" => Ok(None),
        Some(("long", bytes)) => Err(ProbeError(format!(
            "its journal has {bytes} bytes, and {LONGEST} are read at most; move it away there"
        ))),
        Some(("bytes", bytes)) if bytes != text.len().to_string() => {
            Err(ProbeError(format!("its journal came with {} of {bytes} bytes", text.len())))
        }
        Some(("bytes", _)) => Ok(Some(text.to_vec())),
        _ => Err(ProbeError("its journal's answer was not understood".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::history::{FIRST, seal};

    fn asked(path: &std::path::Path) -> Result<JournalText, ProbeError> {
        let script = commands(path.to_str().unwrap());
        let output = Command::new("sh").arg("-c").arg(script.text()).output().unwrap();
        let status = output.status.code().unwrap();
        let section = SectionOutput { status, stdout: output.stdout, stderr: output.stderr };
        read(&section)
    }

    #[test]
    fn a_journal_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jour nal");
        assert_eq!(asked(&path), Ok(None));
        let lines: Vec<String> =
            (1..=30).map(|seq| seal(FIRST, &format!("{seq}\t7\trun{}\t1\tdone\t1\t", seq % 3)) + "\n").collect();
        std::fs::write(&path, lines.concat() + "torn").unwrap();
        let text = || asked(&path).map(|text| String::from_utf8(text.unwrap()).unwrap());
        assert_eq!(text(), Ok(lines.concat() + "torn"));
        let whole = SectionOutput { status: 0, stdout: b"bytes 9\nshort".to_vec(), stderr: Vec::new() };
        assert!(read(&whole).is_err());
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert!(asked(&folder.path().join("link")).unwrap_err().to_string().contains("no regular"));
        assert!(asked(folder.path()).is_err());
        std::fs::File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
        assert!(asked(&path).unwrap_err().to_string().contains("at most"));
    }
}
