//! Owns the tests of scripts over SSH, against real sshd's and a real sudo.

mod ssh_lab;

use std::time::{Duration, Instant};

use rempart::model::HostName;
use rempart::secret::{Piece, Rendered, Secret};
use rempart::transport::{Become, Output, ReadScript, SshTransport, Target, Transport, TransportError, WriteScript};
use ssh_lab::{PASSWORD, Sshd, ask, fault, lab, reader, said, script, tell, writing};

#[test]
fn login_shells_noise_and_a_lone_session_do_not_break_the_framing() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "MaxSessions 1");
    for user in ["bashy", "dashy", "zshy", "fishy"] {
        let mut host = reader(&sshd.target(lab, user)).unwrap();
        for turn in 0..3 {
            let answer = host.ask(&script("printf out; printf err >&2; cat; exit 7")).unwrap();
            let expected = Output { status: 7, stdout: b"out".to_vec(), stderr: b"err".to_vec() };
            assert_eq!(answer, expected, "{user} {turn}");
        }
    }
    let mut own = sshd.target(lab, "dashy");
    own.escalate = Become::No;
    assert_eq!(said(&own, "id -un; umask; pwd; echo $LC_ALL"), "dashy\n0022\n/\nC\n");
    let root = sshd.target(lab, "root");
    assert_eq!(said(&root, "id -u"), "0\n", "root needs no sudo");
    let line = fault(ask(&Target { escalate: Become::No, ..sshd.target(lab, "nologin") }, "id"));
    assert!(line.contains("no POSIX shell") && line.contains("not available"), "{line}");
}

#[test]
fn one_script_cannot_break_the_next() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = reader(&sshd.target(lab, "bashy")).unwrap();
    for (text, status) in [
        ("exit 3", 3),
        ("cd /tmp; set -e; false", 1),
        ("exec 1>&- 2>&- 0<&-", 0),
        ("kill -9 $$", 137),
        ("if [", 2),
        ("printf '\\000\\377no newline'; (sleep 30; echo late) & exit 0", 0),
        ("head -c 100 <&9 2>/dev/null; true", 0),
        ("", 0),
    ] {
        assert_eq!(host.ask(&script(text)).unwrap().status, status, "{text}");
        assert_eq!(host.ask(&script("echo next; pwd")).unwrap().stdout, b"next\n/\n", "{text}");
    }
}

#[test]
fn payloads_arrive_byte_for_byte_and_only_once() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = SshTransport::new().writer(&sshd.target(lab, "bashy")).unwrap();
    let all: String = (0..0x250).filter_map(char::from_u32).collect();
    let big = "ünïcode\n\n".repeat(100_000);
    let payloads = vec![
        Rendered::from_pieces(vec![Piece::Plain("a=".into()), Piece::Secret(Secret::new("s", all.clone()))]),
        Rendered::plain(""),
        Rendered::plain(big.clone()),
    ];
    let text = "d=$(mktemp -d); rp_payload $d/a; rp_payload \"$d/b c\"; rp_payload $d/c; stat -c %a $d/a; \
                sha256sum <$d/a; wc -c <\"$d/b c\"; sha256sum <$d/c; rm -r $d";
    let answer = host.run(&writing(text, payloads), &mut |_| {}).unwrap();
    let sum = |text: &str| format!("{}  -\n", Rendered::plain(text).sha256().unwrap());
    let expected = format!("600\n{}0\n{}", sum(&format!("a={all}")), sum(&big));
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), expected);

    let left = vec![Rendered::plain("exit 9\n"), Rendered::plain("touch /tmp/never\n".repeat(1000))];
    assert_eq!(host.run(&writing("true", left), &mut |_| {}).unwrap().status, 0);
    let answer = host.run(&writing("rp_payload /tmp/x; echo no", vec![]), &mut |_| {}).unwrap();
    assert_eq!((answer.status, answer.stdout.as_slice()), (125, b"".as_slice()));
    let refused = writing("rp_payload /no/such/folder; echo no", vec![Rendered::plain("x")]);
    assert_eq!(host.run(&refused, &mut |_| {}).unwrap().status, 125);
    assert_eq!(host.ask(&script("ls /tmp/never 2>&1; echo well")).unwrap().status, 0);
}

#[test]
fn a_script_of_two_megabytes_and_an_answer_of_twenty() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = reader(&sshd.target(lab, "bashy")).unwrap();
    let text = format!("{}\necho done $x", "x=$((x + 1)) # a line of some length, with ünïcode\n".repeat(40_000));
    assert!(text.len() > 2_000_000);
    let begun = Instant::now();
    assert_eq!(host.ask(&script(&text)).unwrap().stdout, b"done 40000\n");
    tell(&format!("MEASURED: a script of {} bytes took {:?}", text.len(), begun.elapsed()));
    let begun = Instant::now();
    let answer = host.ask(&script("head -c 20000000 /dev/zero; head -c 5000000 /dev/zero >&2")).unwrap();
    assert_eq!((answer.stdout.len(), answer.stderr.len()), (20_000_000, 5_000_000));
    tell(&format!("MEASURED: 25 MB of answer took {:?}", begun.elapsed()));
}

#[test]
fn no_secret_stands_in_an_argument_vector() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut target = sshd.target(lab, "withpw");
    target.escalate = Become::Sudo { password: Some(Secret::new("sudo", PASSWORD)) };
    let mut host = SshTransport::new().writer(&target).unwrap();
    let text = "f=$(mktemp); rp_payload $f; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; rm $f";
    let canary = "c4n4ry-9f8e";
    let answer = host.run(&writing(text, vec![Rendered::secret(Secret::new("s", canary))]), &mut |_| {}).unwrap();
    let seen = String::from_utf8_lossy(&answer.stdout);
    assert!(seen.contains("rempart") && !seen.contains(canary) && !seen.contains(PASSWORD));
}

#[test]
fn output_is_heard_as_it_arrives() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = SshTransport::new().writer(&sshd.target(lab, "bashy")).unwrap();
    host.run(&writing("true", vec![]), &mut |_| {}).unwrap();
    let mut heard: Vec<(Duration, Vec<u8>)> = Vec::new();
    let begun = Instant::now();
    let text = "for i in 1 2 3; do echo $i; sleep 0.3; done";
    host.run(&writing(text, vec![]), &mut |piece| heard.push((begun.elapsed(), piece.to_vec()))).unwrap();
    tell(&format!("MEASURED: heard {heard:?}"));
    for (at, (when, piece)) in heard.iter().enumerate() {
        let due = Duration::from_millis(300) * u32::try_from(at).unwrap();
        assert_eq!(piece, format!("{}\n", at + 1).as_bytes());
        assert!(*when < due + Duration::from_millis(150), "{heard:?}");
    }
    assert_eq!(heard.len(), 3);
}

#[test]
fn timeouts_end_the_connection_and_the_next_call_makes_a_new_one() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = SshTransport::new().writer(&sshd.target(lab, "bashy")).unwrap();
    let slow = ReadScript { timeout: Duration::from_secs(1), ..script("echo $$ >/tmp/slow; sleep 60; echo no") };
    let begun = Instant::now();
    assert_eq!(host.ask(&slow).unwrap_err(), TransportError::TimedOut { host: HostName::new("web"), seconds: 1 });
    assert!(begun.elapsed() < Duration::from_secs(3));
    let chatty = ReadScript { timeout: Duration::from_secs(1), ..script("while :; do echo x; done") };
    assert!(matches!(host.ask(&chatty), Err(TransportError::TimedOut { .. })));
    let talking = WriteScript {
        timeout: Duration::from_secs(1),
        ..writing("for i in 1 2 3 4; do echo; sleep 0.5; done", vec![])
    };
    assert_eq!(host.run(&talking, &mut |_| {}).unwrap().status, 0, "output starts the wait anew");
    let silent = WriteScript { timeout: Duration::from_secs(1), ..writing("sleep 5", vec![]) };
    assert!(matches!(host.run(&silent, &mut |_| {}), Err(TransportError::TimedOut { .. })));
    std::thread::sleep(Duration::from_secs(2));
    let left = host.ask(&script("p=$(cat /tmp/slow); rm /tmp/slow; kill -0 $p 2>/dev/null && echo alive")).unwrap();
    assert_eq!(left.stdout, b"", "what hung was ended on the far side");
}

#[test]
fn a_link_that_is_cut_breaks_and_is_made_anew() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = SshTransport::new().writer(&sshd.target(lab, "bashy")).unwrap();
    assert_eq!(host.ask(&script("echo a")).unwrap().stdout, b"a\n");
    let line = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            sshd.cut();
        });
        fault(host.ask(&script("echo b; sleep 10")))
    });
    assert!(line.starts_with("the connection to web broke: "), "{line}");
    assert_eq!(host.ask(&script("echo c")).unwrap().stdout, b"c\n");
    sshd.cut();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(host.ask(&script("echo d")).unwrap().stdout, b"d\n", "a link that died while idle is noticed");
}

#[test]
fn sudo_in_all_its_moods() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let with = |user: &str, password: Option<&str>| {
        let password = password.map(|value| Secret::new("sudo", value));
        Target { escalate: Become::Sudo { password }, ..sshd.target(lab, user) }
    };
    assert_eq!(said(&with("bashy", None), "id -u"), "0\n");
    // With NOPASSWD nobody asks, and the password must not reach the root shell.
    let quiet = ask(&with("bashy", Some("touch /tmp/pwned")), "ls /tmp/pwned 2>/dev/null; id -u").unwrap();
    assert_eq!(quiet.stdout, b"0\n");
    assert_eq!(said(&with("withpw", Some(PASSWORD)), "id -u"), "0\n");
    let line = fault(ask(&with("withpw", None), "id"));
    assert!(line.contains("-K") && line.contains("ansible_become_password") && line.contains("NOPASSWD"), "{line}");
    let line = fault(ask(&with("withpw", Some("not it")), "id"));
    assert!(line.contains("does not accept the password") && !line.contains("not it"), "{line}");
    assert!(fault(ask(&with("ttyonly", None), "id")).contains("Defaults:ttyonly !requiretty"));
    assert!(fault(ask(&with("norights", Some(PASSWORD)), "id")).contains("norights is not in the sudoers file"));
    assert!(fault(ask(&with("limited", Some(PASSWORD)), "id")).contains("has to allow"));
    let bare = Sshd::start(lab, "SetEnv PATH=/nowhere");
    for user in ["bashy", "dashy", "zshy", "fishy"] {
        assert!(fault(ask(&bare.target(lab, user), "id")).contains("sudo is not installed"), "{user}");
    }
}

#[test]
fn round_trips_are_few() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let begun = Instant::now();
    let mut host = reader(&sshd.target(lab, "bashy")).unwrap();
    let connected = begun.elapsed();
    host.ask(&script("true")).unwrap();
    let first = begun.elapsed() - connected;
    let begun = Instant::now();
    for _ in 0..50 {
        host.ask(&script("true")).unwrap();
    }
    let each = begun.elapsed() / 50;
    tell(&format!("MEASURED: connect {connected:?}, first script with sudo {first:?}, each further {each:?}"));
    assert!(each < Duration::from_millis(35), "a stall is back: {each:?}");
}

/// `REMPART_SSH_SCRIPTS=100000` looks longer for an answer that is there and that nobody wakes up for.
#[test]
fn no_answer_is_lost_among_many() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let mut host = reader(&sshd.target(lab, "bashy")).unwrap();
    let many: usize = std::env::var("REMPART_SSH_SCRIPTS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut drawn: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut draw = |below: u64| {
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        drawn % below
    };
    for turn in 0..many {
        // Scripts of no size and of more than a pipe or a window holds; answers on either stream, in one piece or late.
        let size = [0, draw(4_000), draw(70_000), draw(300_000)][draw(4) as usize];
        let (out, err) = ([0, draw(9_000), draw(400_000)][draw(3) as usize], [0, draw(70_000)][draw(2) as usize]);
        let late = if draw(50) == 0 { "sleep 0.05" } else { ":" };
        let text = format!(
            "# {}\nhead -c {out} /dev/zero; {late}; head -c {err} /dev/zero >&2; exit {}",
            "x".repeat(size as usize),
            turn % 100
        );
        let mut asked = script(&text);
        asked.timeout = Duration::from_secs(60);
        let answer = host.ask(&asked).unwrap_or_else(|why| panic!("turn {turn}, {size}, {out}, {err}: {why}"));
        let told = (answer.status, answer.stdout.len() as u64, answer.stderr.len() as u64);
        assert_eq!(told, ((turn % 100) as i32, out, err), "turn {turn}");
    }
}
