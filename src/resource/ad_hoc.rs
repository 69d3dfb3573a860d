//! Owns running one command that a person typed as a look: held back from writing as far as the host lets us, for so
//! long, and with so much output.
//!
//! Root is held by the sandbox of `sandbox.rs`; anybody else by a view of their own of the mounts, all of them read-only.
//! Only a host that gives accounts no user namespaces runs it free; where the view fails for another reason it is not run.
//! What a command asks of a daemon over a socket, or of another machine, is not held back.

use super::sandbox::SANDBOX;
use super::{Answer, ProbeError, ProbeScript};
use crate::quote::Sh;
use crate::sh;

const SECTION: &str = "ad hoc";

/// How much of each stream is taken.
pub const AD_HOC_LIMIT: usize = 256 * 1024;

// The first line on the error stream says how the command was held.
const HELD: &str = "rp-held";
const FREE: &str = "rp-free";

// A user's own view: as root of a user namespace all mounts are made read-only, and then, one namespace deeper, it is the
// user again, without any right to undo that. A mount that stays as it is ends it, but for one that the user cannot even see
// and for what automounts, where nobody can write. /proc is left out, since the second namespace is entered by writing there;
// a user can write there about their own processes alone. It is a view of their own of the processes, too, so that what the
// command leaves behind ends with it.
const VIEW: &str = r#"rp_uid=$1 rp_gid=$2; shift 2
rp_seen() { [ -f "$1" ] || [ -d "$1" ] || return 0; ( exec 3< "$1"; sed -n 's/^mnt_id:[[:space:]]*//p' /proc/self/fdinfo/3 ) 2>/dev/null; }
while read -r rp_id _ _ _ rp_at rp_more; do
  rp_at=$(printf %b "$rp_at")
  case $rp_at in /proc|/proc/*) continue ;; esac
  # What is read-only stays so in a view of one's own, and may be locked against being mounted once more.
  case $rp_more in ro,*|'ro '*) continue ;; esac
  mount -o remount,bind,ro "$rp_at" 2>/dev/null && continue
  case $rp_more in *' - autofs '*) continue ;; esac
  # Another mount may lie over it, which has a line of its own; what nobody can see nobody can write to.
  rp_top=$(rp_seen "$rp_at"); [ -z "$rp_top" ] || [ "$rp_top" = "$rp_id" ] || continue
  [ ! -e "$rp_at" ] || { echo "$rp_at could not be made read-only" >&2; exit 125; }
done </proc/self/mountinfo
for rp_at in / /tmp /var/tmp /dev/shm "${HOME:-/}"; do [ ! -w "$rp_at" ] || { echo "$rp_at can still be written to" >&2; exit 125; }; done
exec unshare --user --map-user="$rp_uid" --map-group="$rp_gid" -- setpriv --no-new-privs -- "$@""#;

/// What an ad-hoc command did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdHocOutput {
    /// Its exit status.
    pub status: i32,
    /// Its standard output, as far as it was taken.
    pub stdout: Vec<u8>,
    /// Its standard error, as far as it was taken.
    pub stderr: Vec<u8>,
    /// Whether one of the two was longer than is taken; the command was ended by that.
    pub cut: bool,
    /// Whether it was held back from writing.
    pub held: bool,
}

/// Asks to run the command that these words are, without a shell, for at most so many seconds.
pub fn ask_ad_hoc(script: &mut ProbeScript, words: &[String], seconds: u64) {
    let mut text = sh!("rp_view={}\nrp_sandboxed={}", VIEW, sandboxed(words, seconds).text());
    text.line(sh!(
        "rp_held() {
  unshare --user --map-root-user --mount --propagation private --pid --fork --kill-child sh -c \"$rp_view\" rempart \"$(id -u)\" \"$(id -g)\" \"$@\"
}
rp_go() {
  if [ \"$(id -u)\" = 0 ]; then
    [ -d /run/systemd/system ] || { echo 'no systemd, so no sandbox for root' >&2; return 125; }
    printf '%s\\n' \"$rp_sandboxed\" | {}
  elif unshare --user --map-root-user true </dev/null >/dev/null 2>&1; then
    rp_why=$(rp_held true </dev/null 2>&1) || {
      echo \"a view of the mounts in which all are read-only could not be made: $rp_why\" >&2; return 125; }
    echo {} >&2; rp_held {} </dev/null
  else
    # timeout makes a process group: what is left of it would keep the pipes open.
    echo {} >&2; {} </dev/null & wait $!; rp_status=$?
    kill -s KILL -- \"-$!\" 2>/dev/null; return \"$rp_status\"
  fi
}
exec 7>&1 8>&2
rp_status=$(exec 3>&1
  { { { rp_go 3>&- 7>&- 8>&-; echo $? >&3; } 2>&1 >&5 5>&- | head -c {} >&8; } 5>&1 | head -c {} >&7; })
exit \"${rp_status:-1}\"",
        Sh::program_of_the_user(SANDBOX),
        HELD,
        limited(words, seconds),
        FREE,
        limited(words, seconds),
        AD_HOC_LIMIT + HELD.len() + 2,
        AD_HOC_LIMIT + 1
    ));
    script.section(SECTION, text);
}

// What the sandbox's shell runs. It says that it is there before the command can say anything.
fn sandboxed(words: &[String], seconds: u64) -> Sh {
    sh!("HOME=/root; export HOME; echo {} >&2; exec {} </dev/null", HELD, limited(words, seconds))
}

fn limited(words: &[String], seconds: u64) -> Sh {
    sh!("timeout -k 2 {} {}", seconds, words.to_vec())
}

/// What the command did.
///
/// # Errors
/// It did not run; why not, in words.
pub fn ad_hoc_output(answer: &Answer) -> Result<AdHocOutput, ProbeError> {
    let section = answer.section(SECTION)?;
    let end = section.stderr.iter().position(|byte| *byte == b'\n').unwrap_or(section.stderr.len());
    let (mark, rest) = section.stderr.split_at(end);
    let held = match mark {
        mark if mark == HELD.as_bytes() => true,
        mark if mark == FREE.as_bytes() => false,
        _ => {
            let why = format!("it could not be run read-only (status {}): {}", section.status, section.complaint());
            return Err(ProbeError(why));
        }
    };
    let mut output = AdHocOutput {
        status: section.status,
        stdout: section.stdout.clone(),
        stderr: rest.strip_prefix(b"\n").unwrap_or(rest).to_vec(),
        cut: false,
        held,
    };
    for stream in [&mut output.stdout, &mut output.stderr] {
        output.cut |= stream.len() > AD_HOC_LIMIT;
        stream.truncate(AD_HOC_LIMIT);
    }
    Ok(output)
}

#[cfg(test)]
#[path = "../../tests/skipped/mod.rs"]
mod skipped;

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::transport::Output;

    // Here, as whoever runs the tests. A machine may have hundreds of mounts, so most of them go without a view of their own.
    fn run(words: &[&str], seconds: u64) -> Result<AdHocOutput, ProbeError> {
        run_as(words, seconds, "elif unshare --user --map-root-user true </dev/null >/dev/null 2>&1", "elif false")
    }

    // Whether an account may have a user namespace here; where all is to be proved it has to.
    fn has_namespaces(test: &str) -> bool {
        let asked = Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
        let has = asked.as_ref().is_ok_and(|asked| asked.status.success());
        if !has {
            skipped::skip(test, &format!("an account may have no user namespace here: {asked:?}"));
        }
        has
    }

    // Where that is root there is no sandbox without systemd: it is taken for anybody else.
    fn run_as(words: &[&str], seconds: u64, how: &str, instead: &str) -> Result<AdHocOutput, ProbeError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut script = ProbeScript::default();
        ask_ad_hoc(&mut script, &words, seconds);
        let question = script.finish("n0nce", Duration::from_secs(30));
        let text = question.script.text.replace("[ \"$(id -u)\" = 0 ]", "false");
        let text = text.replace(how, instead);
        let done = Command::new("sh").arg("-c").arg(text).output().unwrap();
        let output = Output { status: done.status.code().unwrap(), stdout: done.stdout, stderr: done.stderr };
        ad_hoc_output(&Answer::read(&question, &output)?)
    }

    #[test]
    fn words_arrive_as_they_are_and_both_streams_and_the_status_come_back() {
        let done =
            run(&["sh", "-c", "printf '%s|' \"$@\"; echo bad >&2; exit 7", "sh", "a b", "$HOME", "';", ""], 5).unwrap();
        assert_eq!(String::from_utf8(done.stdout).unwrap(), "a b|$HOME|';||");
        assert_eq!((done.status, done.stderr.as_slice(), done.cut), (7, b"bad\n".as_slice(), false));
        assert_eq!(run(&["no-such-command"], 5).unwrap().status, 127);
    }

    #[test]
    fn it_ends_in_time_and_its_output_is_bounded() {
        assert_eq!(run(&["sleep", "30"], 1).unwrap().status, 124);
        let done = run(&["yes"], 5).unwrap();
        assert!(done.cut && done.stdout.len() == AD_HOC_LIMIT && done.status != 0, "{}", done.status);
        let done = run(&["sh", "-c", "yes >&2"], 5).unwrap();
        assert!(done.cut && done.stderr.len() == AD_HOC_LIMIT);
    }

    #[test]
    fn what_goes_on_in_the_background_ends_with_the_command() {
        let begun = Instant::now();
        let words = ["sh", "-c", "sleep 61 & echo x; exit 3"];
        for done in [run(&words, 20).unwrap(), run_as(&words, 20, "", "").unwrap()] {
            assert_eq!((done.status, done.stdout.as_slice()), (3, b"x\n".as_slice()));
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    }

    #[test]
    fn where_it_is_held_it_cannot_write() {
        if !has_namespaces("where_it_is_held_it_cannot_write") {
            return;
        }
        let done = run_as(&["sh", "-c", "id -u; : >/tmp/rempart-ad-hoc && echo wrote"], 20, "", "").unwrap();
        let _ = std::fs::remove_file("/tmp/rempart-ad-hoc");
        let wrote = String::from_utf8_lossy(&done.stdout).contains("wrote");
        assert_eq!((done.held, wrote), (true, false));
        // It did run.
        assert!(done.status != 125 && done.stdout.first().is_some_and(u8::is_ascii_digit), "{done:?}");
    }

    #[test]
    fn where_it_could_be_held_and_is_not_it_does_not_run() {
        if !has_namespaces("where_it_could_be_held_and_is_not_it_does_not_run") {
            return;
        }
        let why = run_as(&["echo", "ran"], 20, "mount -o remount,bind,ro", "true").unwrap_err().0;
        assert!(why.contains("could not be run read-only") && why.contains("/ can still be written to"), "{why}");
    }

    #[test]
    fn one_mount_that_stays_open_is_one_too_many() {
        if !has_namespaces("one_mount_that_stays_open_is_one_too_many") {
            return;
        }
        let but_one = "[ \"$rp_at\" != /sys ] && mount -o remount,bind,ro";
        let why = run_as(&["echo", "ran"], 20, "mount -o remount,bind,ro", but_one).unwrap_err().0;
        assert!(why.contains("/sys could not be made read-only"), "{why}");
    }

    #[test]
    fn where_nobody_is_given_namespaces_it_runs_and_says_that_it_is_free() {
        let done = run(&["echo", "ran"], 20).unwrap();
        assert_eq!((done.held, done.stdout.as_slice()), (false, b"ran\n".as_slice()));
    }

    #[test]
    fn what_did_not_run_is_an_error() {
        let mut script = ProbeScript::default();
        ask_ad_hoc(&mut script, &["true".to_owned()], 1);
        let section = crate::resource::SectionOutput { status: 125, stdout: vec![], stderr: b"no systemd\n".to_vec() };
        let told = ad_hoc_output(&Answer::of_sections([(SECTION, section)])).unwrap_err();
        assert!(told.0.contains("no systemd"), "{told}");
    }
}
