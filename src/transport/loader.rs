//! Owns the shell text of the interpreter that stays on the far side, and the bytes that one script travels as.
//!
//! Must not know channels or sudo. POSIX sh and coreutils only. The text stands in an argument vector, inside single
//! quotes of a login shell that may be bash, dash, zsh, fish or csh: so it has no quote, backslash, `!` or newline, and
//! no secret.

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::secret::Rendered;

/// Waits for scripts on descriptor 9, which is the real standard input; `$1` is CHILD, `$2` marks its being ready.
///
/// A script's first line is `KEY LENGTH SECONDS PAYLOADS`; after it the rest of the stream up to a line with the KEY is
/// thrown away, so that payloads which nobody read are not taken for a script. `timeout` ends what hangs after the link
/// is gone; it also gives the script a process group of its own.
const LOADER: &str = "exec 9<&0 </dev/null; LC_ALL=C; PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; \
export LC_ALL PATH; unset ENV BASH_ENV CDPATH; umask 022; cd /; echo \"$2 ready $(id -u)\"; \
while read -r k n t p <&9; do echo \"$k begin\"; echo \"$k begin\" >&2; \
if [ \"$t\" -gt 0 ]; then timeout -k 2 \"$t\" /bin/sh -c \"$1\" rempart \"$n\" \"$p\"; \
else /bin/sh -c \"$1\" rempart \"$n\" \"$p\"; fi; s=$?; \
echo \"$k end $s\"; echo \"$k end $s\" >&2; l=; until [ \"$l\" = \"$k\" ]; do read -r l <&9 || exit 0; done; done";

/// Runs one script in a process of its own: it reads exactly `$1` bytes, and no fewer, before the first line runs.
/// `rp_payload FILE` copies the next payload; when it cannot, the script ends, since it cannot go on without.
const CHILD: &str = "rp_left=$2; rp_text=$(head -c \"$1\" <&9); \
if [ \"${#rp_text}\" -ne \"$1\" ]; then echo rempart: the script arrived cut short >&2; exit 125; fi; \
rp_payload() { if [ \"$rp_left\" -lt 1 ]; then echo rempart: no payload is left for \"$1\" >&2; exit 125; fi; \
rp_left=$((rp_left - 1)); read -r rp_size <&9 || exit 125; \
( umask 077; head -c \"$rp_size\" <&9 >\"$1\" ) || { echo rempart: cannot write \"$1\" >&2; exit 125; }; \
if [ \"$(wc -c <\"$1\")\" -ne \"$rp_size\" ]; then rm -f -- \"$1\"; \
echo rempart: a payload arrived cut short >&2; exit 125; fi; \
if [ \"$rp_left\" -eq 0 ]; then exec 9<&-; fi; }; \
if [ \"$rp_left\" -eq 0 ]; then exec 9<&-; fi; set --; eval \"$rp_text\"";

/// The command that starts the loader as the login user.
pub(super) fn direct(nonce: &str) -> String {
    format!("exec {}", shell(nonce))
}

/// The command that starts it through sudo, which asks with `prompt`.
pub(super) fn through_sudo(nonce: &str, prompt: &str) -> String {
    format!("exec sudo -S -p {prompt} {}", shell(nonce))
}

fn shell(nonce: &str) -> String {
    format!("/bin/sh -c '{LOADER}' rempart '{CHILD}' {nonce}")
}

/// A random word that no noise can hit on.
pub(super) fn nonce() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(bytes.iter().fold(String::from("rp"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// What travels for one script. `seconds` is when the far side ends it by itself; 0 = never.
pub(super) fn bytes(key: &str, text: &str, payloads: &[Rendered], seconds: u64) -> Zeroizing<Vec<u8>> {
    // A command substitution drops newlines at the end, so they are not counted either.
    let text = text.trim_end_matches('\n');
    let payloads: Vec<_> = payloads.iter().map(Rendered::reveal).collect();
    // Of the right size from the start: a growing vector would leave copies of secrets behind.
    let size = payloads.iter().map(|payload| payload.len() + 24).sum::<usize>() + text.len() + 256;
    let mut sent = Zeroizing::new(Vec::with_capacity(size));
    sent.extend_from_slice(format!("{key} {} {seconds} {}\n{text}", text.len(), payloads.len()).as_bytes());
    for payload in payloads {
        sent.extend_from_slice(format!("{}\n", payload.len()).as_bytes());
        sent.extend_from_slice(payload.as_bytes());
    }
    sent.extend_from_slice(format!("\n{key}\n").as_bytes());
    sent
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_command_is_safe_in_the_quotes_of_every_login_shell() {
        for text in [LOADER, CHILD] {
            assert!(!text.contains(['\'', '\\', '!', '\n']), "{text}");
        }
    }

    /// Runs the loader here, with `sent` as all that ever arrives.
    fn load(sent: &[u8], folder: &std::path::Path) -> String {
        let mut child = Command::new("/bin/sh")
            .args(["-c", LOADER, "rempart", CHILD, "n"])
            .env("F", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sent).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_link_cut_anywhere_never_runs_half_a_script_nor_leaves_half_a_payload() {
        let folder = tempfile::tempdir().unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        let text = "touch $F/ran\nrp_payload $F/payload\ntouch $F/after\n";
        let sent = bytes("k", text, &[Rendered::plain("0123456789")], 0);
        let script_ends = sent.windows(3).position(|three| three == b"10\n").unwrap();
        let payload_ends = sent.windows(2).position(|two| two == b"9\n").unwrap() + 1;
        for cut in 0..=sent.len() {
            for name in ["ran", "payload", "after"] {
                let _ = fs::remove_file(folder.path().join(name));
            }
            let said = load(&sent[..cut], folder.path());
            let whole = (cut >= script_ends, cut >= payload_ends);
            assert_eq!((there("ran"), there("after")), whole, "cut at {cut}: {said}");
            assert_eq!(there("payload"), whole.1, "cut at {cut}: {said}");
        }
    }

    #[test]
    fn nonces_differ_and_are_words() {
        let (a, b) = (nonce().unwrap(), nonce().unwrap());
        assert!(a != b && a.len() == 34 && a.bytes().all(|c| c.is_ascii_alphanumeric()));
    }
}
