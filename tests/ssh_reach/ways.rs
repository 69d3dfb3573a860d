//! Several ways to one host, the first contact, and a host that goes silent: against real sshd's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rempart::engine::{Links, WriteLinks};
use rempart::transport::{Candidate, Entry, Reader, SshTransport, Target, Transport, TransportError};
use serde_json::Value;

use crate::ssh_lab::{Lab, Sshd, fault, key_only, lab, reader, run, script, tell, writing};

fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

// A host whose own place is nowhere, so that nothing comes of what a way leaves out by mistake.
fn by(lab: &Lab, sshd: &Sshd, ways: &[String]) -> Target {
    let candidates = ways.iter().map(|way| Candidate::parse(way).unwrap()).collect();
    Target { address: "127.0.0.1".into(), port: Some(1), candidates, ..sshd.target(lab, "bashy") }
}

fn at(sshd: &Sshd, user: &str) -> String {
    format!("{user}@{}:{}", sshd.address, sshd.port)
}

fn came_by(host: &dyn Reader) -> Entry {
    host.entry().unwrap()
}

#[test]
fn the_first_way_that_answers_and_lets_us_in_is_taken_and_kept() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let dead = format!("dashy@127.0.0.1:{}", dead_port());
    let ways = [dead.clone(), at(&sshd, "nobody-here"), at(&sshd, "bashy"), at(&sshd, "dashy")];
    let mut host = reader(&by(lab, &sshd, &ways)).unwrap();
    assert_eq!(host.ask(&script("echo $SUDO_USER")).unwrap().stdout, b"bashy\n");
    let entry = came_by(host.as_ref());
    assert_eq!((entry.at, entry.way.as_str()), (2, ways[2].as_str()));
    let told: Vec<(&str, &str)> = entry.passed.iter().map(|one| (one.way.as_str(), one.why.as_str())).collect();
    assert_eq!((told[0].0, told[1].0), (dead.as_str(), ways[1].as_str()));
    assert!(told[0].1.contains("connection refused") && told[1].1.contains("login refused"), "{told:?}");
    // A connection that is made anew keeps to the way, and root by a way needs no sudo.
    sshd.cut();
    // Until the end of it has arrived here; what a link says that is cut while it is asked is seen in tests/ssh.rs.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(host.ask(&script("echo $SUDO_USER")).unwrap().stdout, b"bashy\n");
    let mut root = reader(&by(lab, &sshd, &[dead, at(&sshd, "root")])).unwrap();
    assert_eq!(root.ask(&script("id -u; echo ${SUDO_USER:-none}")).unwrap().stdout, b"0\nnone\n");
    let line = fault(reader(&by(lab, &sshd, &[format!("a@127.0.0.1:{}", dead_port()), at(&sshd, "nobody-here")])));
    assert!(line.contains("none of 2 ways leads in") && line.contains("connection refused"), "{line}");
}

#[test]
fn a_way_with_a_wrong_or_an_unknown_key_stops_everything() {
    let Some(lab) = lab() else { return };
    let (wrong, good) = (Sshd::start(lab, ""), Sshd::start(lab, ""));
    let stranger = fs::read_to_string(lab.keys.join("stranger.pub")).unwrap();
    let own = fs::read_to_string(lab.root.join("etc/ssh/rempart_ed25519.pub")).unwrap();
    let target = by(lab, &good, &[at(&wrong, "bashy"), at(&good, "bashy")]);
    good.known(&format!("[{}]:{} {stranger}[{}]:{} {own}", wrong.address, wrong.port, good.address, good.port));
    let line = fault(reader(&target));
    assert!(line.contains("HAS CHANGED") && line.contains("other way to it was not tried"), "{line}");
    assert!(good.settles_at(0), "the way behind the wrong key was taken");
    // The same host presents the same key: what is known of one way vouches for the other.
    good.known(&format!("[{}]:{} {own}", good.address, good.port));
    assert_eq!(came_by(reader(&target).unwrap().as_ref()).at, 0);
    good.known(&format!("[{}]:{} {stranger}", good.address, good.port));
    assert!(matches!(reader(&target), Err(TransportError::HostKey { .. })), "another key is known of the other way");
    good.known("");
    assert!(matches!(reader(&target), Err(TransportError::HostKey { .. })));
}

#[test]
fn what_vouches_for_a_way_does_so_at_every_connection_of_a_run() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let own = fs::read_to_string(lab.root.join("etc/ssh/rempart_ed25519.pub")).unwrap();
    let port = dead_port();
    sshd.known(&format!("[127.0.0.1]:{port} {own}"));
    let target = by(lab, &sshd, &[format!("bashy@127.0.0.1:{port}"), at(&sshd, "bashy")]);
    let host = target.name.clone();
    let targets = BTreeMap::from([(host.clone(), target)]);
    let links = WriteLinks::new(Arc::new(SshTransport::new()), targets, Arc::new(|_| {}));
    links.with(&host, |_| Ok(())).unwrap();
    links.with_fresh(&host, None, |_| Ok(())).unwrap();
    links.close(&host);
    links.with(&host, |_| Ok(())).unwrap();
    assert_eq!(links.entry(&host).unwrap().way, at(&sshd, "bashy"));
}

#[test]
fn ways_go_through_a_jump_host_and_a_silent_one_costs_its_timeout() {
    let Some(lab) = lab() else { return };
    let (bastion, host) = (Sshd::start(lab, ""), Sshd::start(lab, ""));
    let known = [&bastion, &host].map(|one| one.folder.path().join("known")).to_vec();
    let dead = format!("bashy@127.0.0.1:{}", dead_port());
    let target =
        Target { jump: Some(at(&bastion, "bashy")), known_hosts: known, ..by(lab, &host, &[dead, at(&host, "bashy")]) };
    let entry = came_by(reader(&target).unwrap().as_ref());
    assert!(entry.at == 1 && entry.passed[0].why.contains("it cannot connect"), "{entry:?}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("bashy@127.0.0.1:{}", silent.local_addr().unwrap().port());
    let patience = Duration::from_secs(2);
    let target = Target { connect_timeout: patience, ..by(lab, &host, &[silent, at(&host, "bashy")]) };
    let begun = Instant::now();
    let entry = reader(&target).map(|host| came_by(host.as_ref()));
    tell(&format!("MEASURED: a silent way and a good one took {:?}", begun.elapsed()));
    assert!(entry.is_ok_and(|entry| entry.at == 1) && begun.elapsed() < 3 * patience);
}

#[test]
fn a_silent_link_is_let_go_within_a_moment() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let let_go = Arc::new(AtomicBool::new(false));
    let transport = SshTransport::that_lets_go(let_go.clone());
    let target = sshd.target(lab, "bashy");
    let mut host = transport.writer(&target).unwrap();
    host.run(&writing("true", vec![]), &mut |_| {}).unwrap();
    let asked = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fault(host.run(&writing("sleep 19", vec![]), &mut |_| {})));
        std::thread::sleep(Duration::from_millis(500));
        sshd.freeze();
        std::thread::sleep(Duration::from_millis(500));
        let_go.store(true, Ordering::SeqCst);
        let asked = Instant::now();
        let line = waiting.join().unwrap();
        assert!(line.contains("it was let go"), "{line}");
        asked
    });
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    // Nothing more is tried, neither on this connection nor on a new one.
    assert!(fault(host.run(&writing("true", vec![]), &mut |_| {})).contains("it was let go"));
    assert!(fault(transport.reader(&target)).contains("it was let go"));
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

#[test]
fn a_list_of_methods_that_is_no_text_breaks_nothing() {
    let Some(lab) = lab() else { return };
    let mut program = fs::read(lab.root.join("usr/sbin/sshd")).unwrap();
    let (name, odd) = (b"\0hostbased\0", b"\0host\xffased\0");
    let places: Vec<usize> = (0..program.len()).filter(|at| program[*at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "this sshd has no such name");
    places.iter().for_each(|at| program[*at..at + odd.len()].copy_from_slice(odd));
    let place = format!("usr/sbin/rempart-odd-{}", std::process::id());
    fs::write(lab.root.join(&place), program).unwrap();
    crate::ssh_lab::close(&lab.root.join(&place), 0o755);
    let sshd = Sshd::start_as(lab, &format!("/{place}"), "HostbasedAuthentication yes\nPasswordAuthentication no");
    assert!(reader(&sshd.target(lab, "bashy")).is_ok());
    let line = fault(reader(&key_only(lab, &sshd, "bashy", "stranger")));
    drop(sshd);
    let _ = fs::remove_file(lab.root.join(&place));
    assert!(line.contains("its own list cannot be read"), "{line}");
}

// `rempart trust web` on this sshd; nobody sits at a terminal.
fn trust(sshd: &Sshd, more: &[&str]) -> (i32, Value, String) {
    let folder = sshd.folder.path();
    let known = folder.join("known");
    let inventory = folder.join("hosts.yaml");
    let text = format!("all: {{hosts: {{web: {{ansible_host: {}, ansible_port: {}}}}}}}\n", sshd.address, sshd.port);
    fs::write(&inventory, text).unwrap();
    fs::write(folder.join("config"), "Host *\n HashKnownHosts yes\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rempart"));
    command.args(["trust", "web", "--json", "-i"]).arg(inventory).arg("--known-hosts").arg(known);
    command.arg("--ssh-config").arg(folder.join("config")).args(more).env("HOME", folder).env("NO_COLOR", "1");
    let done = command.output().unwrap();
    let told = serde_json::from_slice(&done.stdout).unwrap_or_default();
    (done.status.code().unwrap(), told, String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn trust_shows_remembers_and_replaces_only_when_told() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let status = |told: &Value| told["hosts"][0]["status"].as_str().unwrap_or("").to_owned();
    let listed = run("ssh-keygen", &["-lf", &lab.root.join("etc/ssh/rempart_ed25519").to_string_lossy()]).unwrap();
    let print = listed.split(' ').nth(1).unwrap();
    let other = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    let file = sshd.folder.path().join("known");

    sshd.known("# mine\n");
    let (code, told, words) = trust(&sshd, &[]);
    assert_eq!((code, status(&told).as_str()), (5, "not_approved"), "{words}");
    assert!(words.contains(print) && words.contains("--fingerprint"), "{words}");
    assert_eq!(trust(&sshd, &["--fingerprint", "SHA256:x"]).0, 64);
    let (code, told, _) = trust(&sshd, &["--fingerprint", other]);
    assert_eq!((code, status(&told).as_str()), (5, "mismatch"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
    let (code, told, words) = trust(&sshd, &["--fingerprint", print]);
    assert_eq!((code, status(&told).as_str()), (0, "remembered"), "{words}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\n|1|") && text.lines().count() == 2, "names are hashed: {text}");
    let (code, told, _) = trust(&sshd, &[]);
    assert_eq!((code, status(&told).as_str()), (0, "known"));
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "what is known is not written again");

    let stranger = fs::read_to_string(lab.keys.join("stranger.pub")).unwrap();
    let old = format!("# mine\n[{}]:{} {stranger}", sshd.address, sshd.port);
    sshd.known(&old);
    for more in [&["--fingerprint", print][..], &["--yes"]] {
        let (code, told, words) = trust(&sshd, more);
        assert_eq!((code, status(&told).as_str()), (5, "changed"), "{words}");
        assert!(words.contains("known:2") && words.contains("--replace"), "{words}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), old);
    let (code, told, _) = trust(&sshd, &["--replace", "--fingerprint", other]);
    assert_eq!((code, status(&told).as_str()), (5, "mismatch"));
    let (code, told, words) = trust(&sshd, &["--replace", "--yes"]);
    assert_eq!((code, status(&told).as_str()), (5, "not_approved"), "nobody has compared it: {words}");
    assert_eq!(fs::read_to_string(&file).unwrap(), old);
    let (code, told, words) = trust(&sshd, &["--replace", "--fingerprint", print]);
    assert_eq!((code, status(&told).as_str()), (0, "replaced"), "{words}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\n|1|") && text.lines().count() == 2, "{text}");
    assert_eq!(told["hosts"][0]["known_before"][0]["type"], "ssh-ed25519");

    sshd.known("@revoked * what is this\n");
    let (code, told, words) = trust(&sshd, &["--fingerprint", print]);
    assert_eq!((code, status(&told).as_str()), (5, "not_judged"), "it answered: {words}");
    assert!(words.contains("known:1"), "{words}");
    let own = fs::read_to_string(lab.root.join("etc/ssh/rempart_ed25519.pub")).unwrap();
    sshd.known(&format!("@revoked * {own}"));
    let (code, told, _) = trust(&sshd, &["--replace", "--yes"]);
    assert_eq!((code, status(&told).as_str()), (5, "revoked"));
}
