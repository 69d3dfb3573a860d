//! Owns the tests of getting to a host over SSH: login, host keys, bastions, relays, and hosts that are not there.

mod ssh_lab;
#[path = "ssh_reach/ways.rs"]
mod ways;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rempart::secret::Secret;
use rempart::transport::{HostKey, Method, SshTransport, Target, Transport, TransportError};
use ssh_lab::{Agent, PASSWORD, Sshd, close, fault, key_only, lab, nowhere, reader, run, said, script, tell};

#[test]
fn every_key_type_and_format_logs_in() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "PasswordAuthentication no");
    for key in ["ed25519", "rsa", "ecdsa", "rsa_pem", "ecdsa_pkcs8"] {
        assert_eq!(said(&key_only(lab, &sshd, "bashy", key), "id -u"), "0\n", "{key}");
    }
}

#[test]
fn a_locked_a_missing_an_open_and_an_unknown_key_are_named() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "PasswordAuthentication no\nKbdInteractiveAuthentication no");
    let line = fault(reader(&key_only(lab, &sshd, "bashy", "locked")));
    assert!(line.contains("has a passphrase") && line.contains("ssh-add"), "{line}");
    assert!(line.contains("the host offers publickey"), "{line}");
    assert!(fault(reader(&key_only(lab, &sshd, "bashy", "nowhere"))).contains("does not exist"));
    assert!(fault(reader(&key_only(lab, &sshd, "bashy", "stranger"))).contains("stranger; the host offers"));
    let open = sshd.folder.path().join("open");
    fs::copy(lab.keys.join("ed25519"), &open).unwrap();
    close(&open, 0o644);
    let target = Target { identity_files: vec![open], ..sshd.target(lab, "bashy") };
    assert!(fault(reader(&target)).contains("others can read it"));
}

#[test]
fn passwords_by_both_methods_and_a_wrong_one() {
    let Some(lab) = lab() else { return };
    for method in ["KbdInteractiveAuthentication no", "PasswordAuthentication no\nKbdInteractiveAuthentication yes"] {
        let sshd = Sshd::start(lab, &format!("PubkeyAuthentication no\n{method}"));
        let right = Target { password: Some(Secret::new("ssh", PASSWORD)), ..sshd.target(lab, "dashy") };
        assert_eq!(said(&right, "id -u"), "0\n");
        let wrong = Target { password: Some(Secret::new("ssh", "wrong")), ..sshd.target(lab, "dashy") };
        let line = fault(reader(&wrong));
        assert!(line.starts_with("web refuses dashy: tried") && !line.contains("wrong"), "{line}");
    }
    let both = Sshd::start(lab, "AuthenticationMethods publickey,password");
    let target = Target { password: Some(Secret::new("ssh", PASSWORD)), ..both.target(lab, "dashy") };
    assert_eq!(said(&target, "id -u"), "0\n", "a key and then a password");
}

#[test]
fn the_agent_is_asked_and_identities_only_keeps_to_named_keys() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "PasswordAuthentication no\nMaxAuthTries 3");
    let agent = Agent::with(lab, &["held"]);
    let target = |more: &str| Target {
        identity_files: vec![],
        ssh_config: sshd.config(&format!("IdentityAgent {}\n{more}", agent.socket.display())),
        ..sshd.target(lab, "bashy")
    };
    assert_eq!(said(&target(""), "id -u"), "0\n");
    let stranger = lab.keys.join("stranger");
    let line = fault(reader(&target(&format!("IdentitiesOnly yes\nIdentityFile {}\n", stranger.display()))));
    assert!(line.contains("stranger") && !line.contains("held"), "{line}");
    // The locked key's file is named, and the agent that holds it has unlocked it: here only its public half is named.
    let public = sshd.folder.path().join("held.pub");
    fs::copy(lab.keys.join("held.pub"), &public).unwrap();
    assert_eq!(said(&target(&format!("IdentitiesOnly yes\nIdentityFile {}\n", public.display())), "id -u"), "0\n");
}

#[test]
fn too_many_keys_say_so() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "PasswordAuthentication no\nMaxAuthTries 1");
    let mut target = key_only(lab, &sshd, "bashy", "stranger");
    target.identity_files.push(lab.keys.join("ed25519"));
    assert!(fault(reader(&target)).contains("MaxAuthTries"));
}

#[test]
fn unknown_changed_and_revoked_host_keys_are_refused() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let target = sshd.target(lab, "bashy");
    let public = fs::read_to_string(lab.root.join("etc/ssh/rempart_ed25519.pub")).unwrap();
    let listed = run("ssh-keygen", &["-lf", &lab.root.join("etc/ssh/rempart_ed25519").to_string_lossy()]).unwrap();
    let print = listed.split(' ').nth(1).unwrap();

    sshd.known("");
    let line = fault(reader(&target));
    assert!(line.contains(print) && line.contains("rempart trust web"), "{line}");
    let pinned = Target { host_key_fingerprints: vec![print.to_owned()], ..target.clone() };
    assert_eq!(said(&pinned, "id -u"), "0\n");

    let other = fs::read_to_string(lab.keys.join("stranger.pub")).unwrap();
    sshd.known(&format!("# c\n[{}]:{} {other}", sshd.address, sshd.port));
    let line = fault(reader(&target));
    assert!(line.contains("HAS CHANGED") && line.contains(print) && line.contains("known:2"), "{line}");

    sshd.known(&format!("[{0}]:{1} {public}@revoked * {public}", sshd.address, sshd.port));
    assert!(fault(reader(&target)).contains("revoked by"));
    assert!(matches!(reader(&pinned), Err(TransportError::HostKey { .. })), "a pin does not outdo a revocation");

    sshd.known(&format!("@cert-authority * {public}"));
    assert!(fault(reader(&target)).contains("certificate authority"));
}

#[test]
fn a_host_known_by_another_type_is_no_mismatch() {
    let Some(lab) = lab() else { return };
    let keys = "HostKey /etc/ssh/rempart_ed25519\nHostKey /etc/ssh/rempart_rsa\nHostKey /etc/ssh/rempart_ecdsa";
    let sshd = Sshd::start(lab, keys);
    for kind in ["rsa", "ecdsa", "ed25519"] {
        sshd.know(lab, kind);
        assert_eq!(said(&sshd.target(lab, "bashy"), "id -u"), "0\n", "{kind}");
    }
    // A pin does not say of which type it is.
    sshd.known("");
    let target = |pin: String| Target { host_key_fingerprints: vec![pin], ..sshd.target(lab, "bashy") };
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = lab.root.join(format!("etc/ssh/rempart_{kind}"));
        let listed = run("ssh-keygen", &["-lf", &key.to_string_lossy()]).unwrap();
        assert_eq!(said(&target(listed.split(' ').nth(1).unwrap().to_owned()), "id -u"), "0\n", "{kind}");
    }
    let other = target("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".to_owned());
    let line = fault(reader(&other));
    assert!(line.contains("(ssh-ed25519) is none of the 1 pinned"), "{line}");
}

#[test]
fn scanned_keys_are_remembered_as_openssh_reads_them() {
    let Some(lab) = lab() else { return };
    let keys = "HostKey /etc/ssh/rempart_ed25519\nHostKey /etc/ssh/rempart_rsa\nHostKey /etc/ssh/rempart_ecdsa";
    let sshd = Sshd::start(lab, keys);
    sshd.known("");
    let target = Target { ssh_config: sshd.config("HashKnownHosts yes\n"), ..sshd.target(lab, "bashy") };
    let contact = SshTransport::new().first_contact(&target).unwrap();
    let found: Vec<HostKey> = contact.keys.iter().map(|presented| presented.key.clone()).collect();
    let kinds: Vec<_> = found.iter().map(|key| key.kind.as_str()).collect();
    assert_eq!(kinds, ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]);
    let file = contact.file().unwrap().to_owned();
    contact.remember(&found).unwrap();
    let name = format!("[{}]:{}", sshd.address, sshd.port);
    let by_openssh = run("ssh-keygen", &["-F", &name, "-f", &file.to_string_lossy()]).unwrap();
    assert_eq!(by_openssh.lines().filter(|line| line.contains(" ssh-") || line.contains(" ecdsa-")).count(), 3);
    assert_eq!(said(&target, "id -u"), "0\n");
}

#[test]
fn bastions_are_shared_chained_and_checked() {
    let Some(lab) = lab() else { return };
    let (outer, inner) = (Sshd::start(lab, ""), Sshd::start(lab, ""));
    let hosts: Vec<_> = (0..4).map(|_| Sshd::start(lab, "")).collect();
    let known: Vec<_> = [&outer, &inner].into_iter().chain(&hosts).map(|one| one.folder.path().join("known")).collect();
    let chain = format!("bashy@{}:{},bashy@{}:{}", outer.address, outer.port, inner.address, inner.port);
    let target = |host: &Sshd, jump: &str| Target {
        jump: Some(jump.to_owned()),
        known_hosts: known.clone(),
        ..host.target(lab, "bashy")
    };
    let transport = SshTransport::new();
    std::thread::scope(|scope| {
        for host in &hosts {
            let (transport, target) = (&transport, target(host, &chain));
            scope.spawn(move || {
                let mut host = transport.reader(&target).unwrap();
                for _ in 0..3 {
                    let answer = host.ask(&script("head -c 3000000 /dev/zero; id -u >&2")).unwrap();
                    assert_eq!((answer.stdout.len(), answer.stderr.as_slice()), (3_000_000, b"0\n".as_slice()));
                }
            });
        }
    });
    assert!(outer.settles_at(1) && inner.settles_at(1), "one session on each bastion");
    let contact = transport.first_contact(&target(&hosts[0], &chain)).unwrap();
    assert!(contact.keys.len() == 1 && contact.is_known());

    let unchecked = Target { known_hosts: vec![known[2].clone()], ..target(&hosts[0], &chain) };
    assert!(matches!(SshTransport::new().reader(&unchecked), Err(TransportError::HostKey { .. })));
    let mut dead = target(&hosts[0], &chain);
    dead.port = Some(1);
    assert!(fault(transport.reader(&dead)).contains("it cannot connect"));
    assert!(outer.settles_at(1) && inner.settles_at(1), "a dead host leaves the bastion alone");
    let no_bastion = target(&hosts[0], &format!("bashy@{}:1", outer.address));
    assert!(fault(transport.reader(&no_bastion)).contains("its jump host"));
    // The bastion's session dies: the next host gets a new one.
    outer.cut();
    inner.cut();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(transport.reader(&target(&hosts[1], &chain)).unwrap().ask(&script("echo x")).unwrap().stdout, b"x\n");

    let strict = Sshd::start(lab, "AllowTcpForwarding no");
    let mut files = known.clone();
    files.push(strict.folder.path().join("known"));
    let jump = format!("bashy@{}:{}", strict.address, strict.port);
    let target = Target { known_hosts: files, ..target(&hosts[0], &jump) };
    assert!(matches!(transport.reader(&target), Err(TransportError::Forbidden { .. })));
}

#[test]
fn ssh_config_leads_the_way() {
    let Some(lab) = lab() else { return };
    let (bastion, host) = (Sshd::start(lab, ""), Sshd::start(lab, ""));
    let known = host.folder.path().join("both");
    let read = |sshd: &Sshd| fs::read_to_string(sshd.folder.path().join("known")).unwrap();
    let alias = read(&host).replacen(&format!("[{}]:{}", host.address, host.port), "the-alias", 1);
    fs::write(&known, format!("{}{alias}", read(&bastion))).unwrap();
    let text = format!(
        "Host gate\n HostName {}\n Port {}\nHost inside\n HostName {}\n Port {}\n HostKeyAlias the-alias\n\
         ProxyJump gate\nHost *\n User bashy\n IdentityFile {}\n UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
        bastion.address,
        bastion.port,
        host.address,
        host.port,
        lab.keys.join("ed25519").display(),
        known.display()
    );
    let target = Target {
        address: "inside".into(),
        port: None,
        user: None,
        identity_files: vec![],
        known_hosts: vec![],
        ssh_config: host.config(&text),
        ..host.target(lab, "")
    };
    assert_eq!(said(&target, "id -u"), "0\n");
    assert!(bastion.settles_at(0), "the transport is gone, but its bastion's session is not");
    let carry = "ProxyCommand perl -MIO::Socket::INET -e 'my $s=IO::Socket::INET->new(\"%h:%p\") or die \"no way\\n\"; \
                 if(fork){while(sysread($s,my $b,9999)){syswrite STDOUT,$b}}else{while(sysread(STDIN,my $b,9999)){syswrite $s,$b}}'";
    let carried = Target { ssh_config: host.config(carry), ..host.target(lab, "bashy") };
    assert_eq!(said(&carried, "id -u"), "0\n");
    let failing =
        Target { ssh_config: host.config("ProxyCommand echo no way >&2; exit 1"), ..host.target(lab, "bashy") };
    assert!(fault(reader(&failing)).contains("no way"));
}

#[test]
fn relays_answer_refuse_and_forbid() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "MaxSessions 1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok).take(3) {
            let mut stream = stream;
            let mut request = [0; 5];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&request.repeat(1000)).unwrap();
            if request == *b"stay!" {
                std::thread::sleep(Duration::from_secs(3));
            }
        }
    });
    let mut host = reader(&sshd.target(lab, "bashy")).unwrap();
    assert_eq!(host.ask(&script("echo a")).unwrap().stdout, b"a\n");
    let second = Duration::from_secs(1);
    assert_eq!(host.relay("127.0.0.1", port, b"hello", 1 << 20, second).unwrap(), b"hello".repeat(1000));
    assert_eq!(host.relay("127.0.0.1", port, b"hello", 7, second).unwrap(), b"hellohe");
    let begun = Instant::now();
    assert_eq!(host.relay("127.0.0.1", port, b"stay!", 1 << 20, second).unwrap().len(), 5000);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(matches!(host.relay("127.0.0.1", 1, b"", 9, second), Err(TransportError::Unanswered { .. })));
    assert_eq!(host.ask(&script("echo b")).unwrap().stdout, b"b\n");
    assert!(sshd.settles_at(1), "the same connection all along");
    let strict = Sshd::start(lab, "AllowTcpForwarding no");
    let mut host = reader(&strict.target(lab, "bashy")).unwrap();
    assert!(matches!(host.relay("127.0.0.1", port, b"", 9, second), Err(TransportError::Forbidden { .. })));
    assert_eq!(host.ask(&script("echo c")).unwrap().stdout, b"c\n");
}

#[test]
fn dead_ports_silent_hosts_and_bad_greetings_are_told_apart() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(fault(reader(&nowhere("127.0.0.1", dead))).contains("connection refused"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let begun = Instant::now();
    assert!(fault(reader(&nowhere("127.0.0.1", silent.local_addr().unwrap().port()))).contains("no SSH greeting"));
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(fault(reader(&nowhere("no.such.name.invalid", 22))).contains("the name is not known"));

    // As MaxStartups does it: closed before a greeting, twice; tried again, and then given up.
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closing.local_addr().unwrap().port();
    let count = std::thread::spawn(move || {
        closing
            .incoming()
            .take(3)
            .map_while(Result::ok)
            .map(|mut stream| stream.write_all(b"Exceeded MaxStartups\r\n"))
            .count()
    });
    let target = Target { retries: 2, ..nowhere("127.0.0.1", port) };
    assert!(fault(reader(&target)).contains("before anybody logged in"));
    assert_eq!(count.join().unwrap(), 3);
}

/// Run by the test below in a network namespace of its own, in which 192.0.2.7 swallows every packet.
/// Run by the test below in a network namespace of its own, in which 192.0.2.7 swallows every packet.
#[test]
#[ignore = "needs a network namespace: started by a_black_hole_costs_the_timeout_and_no_more"]
fn black_hole() {
    let begun = Instant::now();
    assert!(fault(reader(&nowhere("192.0.2.7", 22))).contains("no answer within 1.0 s"));
    assert!(begun.elapsed() < Duration::from_secs(2));

    let Some(lab) = lab() else { return };
    let (bastion, host) = (Sshd::start(lab, ""), Sshd::start(lab, ""));
    let through = |target: Target| Target {
        jump: Some(format!("bashy@{}:{}", bastion.address, bastion.port)),
        known_hosts: [&bastion, &host].map(|one| one.folder.path().join("known")).to_vec(),
        ..target
    };
    let hole = through(Target { connect_timeout: Duration::from_secs(5), ..nowhere("192.0.2.7", 22) });
    let hole = Target { identity_files: vec![lab.keys.join("ed25519")], ..hole };
    let transport = SshTransport::new();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(fault(transport.reader(&hole)).contains("through")));
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        let mut beside = transport.reader(&through(host.target(lab, "bashy"))).unwrap();
        assert_eq!(beside.ask(&script("echo x")).unwrap().stdout, b"x\n");
        assert!(begun.elapsed() < Duration::from_secs(3), "a dead host holds up the others behind its bastion");
    });

    let mut host = reader(&host.target(lab, "bashy")).unwrap();
    let begun = Instant::now();
    let answer = host.relay("192.0.2.7", 80, b"", 9, Duration::from_secs(1));
    assert!(matches!(answer, Err(TransportError::Unanswered { .. })), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(host.ask(&script("echo y")).unwrap().stdout, b"y\n");
}

#[test]
fn a_black_hole_costs_the_timeout_and_no_more() {
    if lab().is_none() {
        return;
    }
    let net = "ip link set lo up && ip link add hole type bridge && ip addr add 192.0.2.1/24 dev hole && ip link set hole up && \
               ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev hole && exec \"$0\" --exact black_hole --ignored --nocapture";
    let me = std::env::current_exe().unwrap();
    run("unshare", &["-n", "sh", "-c", net, &me.to_string_lossy()]).unwrap();
}

#[test]
fn a_crowd_gets_through_a_narrow_max_startups() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "MaxStartups 3:60:6");
    let transport = SshTransport::new();
    let target = Target { retries: 8, connect_timeout: Duration::from_secs(20), ..sshd.target(lab, "dashy") };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut host = transport.reader(&target).unwrap();
                assert_eq!(host.ask(&script("id -u")).unwrap().stdout, b"0\n");
            });
        }
    });
    tell(&format!("MEASURED: 40 hosts at once through MaxStartups 3:60:6 took {:?}", begun.elapsed()));
}

#[test]
fn a_connection_tells_what_let_it_in() {
    let Some(lab) = lab() else { return };
    let sshd = Sshd::start(lab, "");
    let public = |name: &str| {
        let text = fs::read_to_string(lab.keys.join(format!("{name}.pub"))).unwrap();
        ssh_key::PublicKey::from_openssh(text.trim()).unwrap().to_bytes().unwrap()
    };
    let login = |target: &Target| reader(target).unwrap().login().unwrap();
    let by_file = login(&sshd.target(lab, "dashy"));
    assert_eq!((by_file.user.as_str(), &by_file.method), ("dashy", &Method::Key(public("ed25519"))));
    assert!(by_file.agreed.iter().any(|agreed| agreed.keyword == "Ciphers" && agreed.able.contains(&agreed.chosen)));
    let agent = Agent::with(lab, &["held"]);
    let config = sshd.config(&format!("IdentityAgent {}", agent.socket.display()));
    let held = Target { identity_files: vec![], ssh_config: config, ..sshd.target(lab, "dashy") };
    assert_eq!(login(&held).method, Method::Key(public("held")));
    let secret = Some(Secret::new("ssh", PASSWORD));
    let by_password = Target { identity_files: vec![], password: secret, ..sshd.target(lab, "dashy") };
    assert_eq!(login(&by_password).method, Method::Password);
}
