//! No false healing: what limits an sshd counts rempart's connections too, and a good risky change is confirmed all the
//! same; also in a run with many of them, and when the first try to confirm fails by chance.

use crate::fixture::{Lab, Machine};
use crate::lockouts::{STANDS, STRANGER, healed_after, is_as_before, is_disarmed};

const JAIL: &str = "[DEFAULT]\\nbackend = systemd\\n[sshd]\\nenabled = true\\nmode = aggressive\\nmaxretry = 3\\nfindtime = 600\\nbantime = 600\\n";

/// Risky changes, each in a batch of its own, since something harmless is between them.
fn risky(number: usize) -> String {
    let mut items = String::from("- sshd: { settings: { MaxAuthTries: 5 } }\n");
    for at in 1..number {
        items.push_str(&format!("- file: {{ path: /srv/rp-{at}, content: \"{at}\\n\" }}\n"));
        items
            .push_str(&format!("- file: {{ path: /etc/sudoers.d/rp-{at}, content: \"# {at}\\n\", mode: \"0440\" }}\n"));
    }
    items
}

/// The most new connections within thirty seconds, as the host's own sshd counts them.
fn most_in_thirty_seconds(lab: &Lab, host: &str) -> usize {
    let log = lab.on(host, "journalctl -q --sync; journalctl -q -t sshd -t sshd-session --no-pager -o short-unix");
    let times: Vec<f64> = log
        .lines()
        .filter(|line| line.contains("Connection from 192.0.2.254 "))
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .collect();
    assert!(times.len() >= 5, "{host} counted {times:?}:\n{log}");
    times.iter().map(|start| times.iter().filter(|time| (0.0..30.0).contains(&(*time - start))).count()).max().unwrap()
}

#[test]
fn what_limits_connections_causes_no_false_healing() {
    let mut penal = Machine::new("penal1");
    penal.release = "trixie";
    let machines = [Machine::new("limit1"), penal, Machine::new("ban1"), Machine::new("late1")];
    let Some(lab) = Lab::boot("limits", &machines) else { return };
    let hosts = machines.each_ref().map(|machine| machine.name);
    lab.playbook(
        "- package_apt: { names: [ufw] }\n  when: host == 'limit1'\n\
         - package_apt: { names: [fail2ban, python3-systemd, iptables] }\n  when: host == 'ban1'\n",
    );
    lab.apply().ends(0);
    lab.on("limit1", "ufw limit 22/tcp && ufw --force enable");
    lab.on("penal1", "sshd -T | grep -q '^persourcepenalties crash:90 authfail:5 noauth:1'");
    // The lab itself knocked at its sshd to see whether it was up, which is not to count here.
    let forget =
        "systemctl stop fail2ban; journalctl -q --rotate; journalctl -q --vacuum-time=1s; rm -f /var/lib/fail2ban/*";
    lab.on("ban1", &format!("printf '{JAIL}' > /etc/fail2ban/jail.local; {forget}; systemctl start fail2ban"));
    lab.wait_on("ban1", 30, "fail2ban-client status sshd");
    for host in hosts {
        lab.on(host, "echo 'LogLevel VERBOSE' > /etc/ssh/sshd_config.d/99-log.conf && systemctl reload ssh");
    }
    // The first connections that would confirm are refused: sshd is away for a moment once the last step is done.
    lab.on(
        "late1",
        "setsid sh -c 'until cut -f 6 /var/lib/rempart/journal 2>/dev/null | grep -qx end; do sleep 0.05; done; systemctl stop ssh; \
         sleep 5; systemctl start ssh' >/dev/null 2>&1 </dev/null &",
    );
    lab.playbook(&risky(5));
    let ran = lab.rempart(&["apply", "playbook.yaml", "--yes", "--confirm-within", "15"]).ends(0);
    eprintln!("five risky batches on each of four hosts: {:.0} s", ran.took.as_secs_f32());
    for host in hosts {
        lab.on(
            host,
            "sshd -T | grep -qix 'maxauthtries 5' && test -e /etc/sudoers.d/rp-4 && ! test -e /var/lib/rempart/guard",
        );
        assert_eq!(lab.on(host, "cut -f 6 /var/lib/rempart/journal | grep -c '^confirmed$'"), "5\n", "{host}");
        let most = most_in_thirty_seconds(&lab, host);
        eprintln!("{host}: at most {most} connections in thirty seconds");
        assert!(most <= 5, "{host}: {ran}");
    }
    assert!(!ran.lines(&["late1", "no fresh connection yet"]).is_empty(), "late1 was never away: {ran}");
    let jail = lab.on("ban1", "fail2ban-client status sshd");
    assert!(jail.contains("Total failed:\t0"), "{jail}");

    // A real lock-out is refused by these hosts, too: they must not ban us for having tried, or nobody hears of the healing.
    let before = ["ban1", "penal1"].map(|host| lab.on(host, STANDS));
    lab.playbook(&format!(
        "- file: {{ path: /home/admin/.ssh/authorized_keys, content: \"{STRANGER}\", owner: admin, mode: \"0600\" }}\n"
    ));
    let ran = lab
        .rempart(&[
            "apply",
            "playbook.yaml",
            "--yes",
            "--allow-lockout",
            "--confirm-within",
            "15",
            "--limit",
            "ban1:penal1",
        ])
        .ends(4);
    for (at, host) in [(2, "ban1"), (1, "penal1")] {
        assert!(!ran.lines(&[host, "taken back by the host"]).is_empty(), "{ran}");
        lab.ssh(at, "true").ends(0);
        is_disarmed(&lab, host);
        eprintln!("{host}: {:?}", healed_after(&lab, host));
    }
    is_as_before("ban1", &before[0], &lab.on("ban1", STANDS));
    is_as_before("penal1", &before[1], &lab.on("penal1", STANDS));

    // The limits are real ones: somebody who is not as careful meets them.
    let knock = "for n in 1 2 3 4 5 6; do timeout 3 bash -c '</dev/tcp/192.0.2.11/22' || exit 9; done";
    lab.try_on("penal1", knock).ends(9);
    let offend =
        "for n in 1 2 3 4; do ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no nobody@192.0.2.13 true; done";
    lab.try_on("penal1", offend);
    lab.wait_on("ban1", 20, "fail2ban-client status sshd | grep -q '192.0.2.12'");
}
