//! The dead-man guard: a change that locks rempart out is taken back by the host itself, also across a reboot.

use std::time::{Duration, Instant};

use rempart::lab;

use crate::fixture::{Lab, Machine, Ran};

const PASSWORD: &str = "correct horse";

// What a firewall is made of, and whether it stands.
const FIREWALL: &str = "cat /etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/ufw.conf /etc/default/ufw | sha256sum; \
                        iptables -S | grep -E '^-P|22 '; ip6tables -S | grep '^-P'; systemctl is-enabled ufw; \
                        find /etc/ufw -printf '%p %m %u %g\\n' | sort";

fn apply(lab: &Lab, within: &str) -> Ran {
    // These plans close the way in on purpose.
    lab.rempart(&["apply", "playbook.yaml", "--yes", "--allow-lockout", "--confirm-within", within])
}

/// Nothing of a guard stands, runs or waits.
fn no_guard(lab: &Lab, host: &str) {
    let left = "ls -d /var/lib/rempart/guard /etc/systemd/system/*rempart-guard* \
                /etc/systemd/system/*.wants/rempart-guard* 2>/dev/null; \
                systemctl list-units --all --no-legend 'rempart-guard*'; systemctl list-timers --all --no-legend 'rempart*'";
    let left = lab.try_on(host, left).out;
    assert_eq!(left.trim(), "", "left of the guard on {host}");
}

/// A guard that has fired is armed no more.
fn is_disarmed(lab: &Lab, host: &str) {
    lab.on(host, "cd /var/lib/rempart/guard && test -e healed && ! test -e armed && ! test -e firing");
    let enabled = lab.try_on(host, "systemctl is-enabled rempart-guard-boot.service").out;
    assert_ne!(enabled.trim(), "enabled", "on {host}");
}

/// The next plan tells of the healing.
fn is_told(lab: &Lab, host: &str, by: &str) {
    // The plan is the same as before, and would close the way in again.
    let plan = lab.rempart(&["plan", "playbook.yaml", "--json", "--limit", host]).ends(5);
    let json = plan.json();
    let note = json["notes"].as_array().unwrap().iter().find(|note| note["host"] == host).cloned();
    assert_eq!(note.unwrap_or_default()["healed"]["by"], by, "{plan}");
    let plan = lab.rempart(&["plan", "playbook.yaml", "--limit", host]).ends(5);
    assert_eq!(plan.lines(&[host, "took a change back by itself"]).len(), 1, "{plan}");
}

#[test]
fn a_firewall_that_drops_ssh_heals_and_a_good_one_is_confirmed() {
    let machines = [Machine::new("web1"), Machine::new("pass1").with_password(PASSWORD), Machine::new("good1")];
    let Some(lab) = Lab::boot("a firewall that drops ssh", &machines) else { return };
    lab.playbook("- package_apt: { names: [ufw] }");
    lab.apply().ends(0);
    // One whose firewall is on already and lets SSH in by a rule of somebody else's.
    lab.on("pass1", "ufw allow 22/tcp && ufw --force enable");
    let before = ["web1", "pass1"].map(|host| lab.on(host, FIREWALL));
    lab.playbook(
        "- package_apt: { names: [ufw] }\n\
         - firewall_rule: { allow: 22/tcp }\n  when: host == 'good1'\n\
         - firewall_ufw: { enabled: true, incoming: deny, exclusive: true }\n\
         - file: { path: /etc/rp-after, content: \"after\\n\" }\n",
    );
    let ran = apply(&lab, "15").ends(4);
    // It was told to go on, and is loud about it, for each host; good1 is not among them.
    assert_eq!(ran.lines(&["warning: the plan would lock rempart out"]).len(), 2, "{ran}");
    assert!(ran.lines(&["on: good1"]).is_empty(), "{ran}");
    for host in ["web1", "pass1"] {
        let told = ran.lines(&[host, "firewall_ufw:ufw", "taken back by the host"]);
        assert!(!told.is_empty(), "{ran}");
        assert!(!ran.lines(&[host, "192.0.2."]).is_empty(), "why it was taken back is not said: {ran}");
    }
    let after = ["web1", "pass1"].map(|host| lab.on(host, FIREWALL));
    assert_eq!(before, after, "the firewall is not as it was");
    for (at, host) in ["web1", "pass1"].iter().enumerate() {
        lab.ssh(at, "true").ends(0);
        is_disarmed(&lab, host);
        is_told(&lab, host, "timer");
        lab.on(host, "! test -e /etc/rp-after");
    }
    // The good one: its firewall stands, and nothing of the guard is left.
    lab.on("good1", "iptables -S INPUT | grep -q -- '-P INPUT DROP' && test -e /etc/rp-after");
    no_guard(&lab, "good1");
    let drift = lab.rempart(&["drift", "playbook.yaml", "--limit", "good1", "--json"]).ends(0);
    assert_eq!(drift.json()["notes"], serde_json::json!([]), "{drift}");
    // A good change on a host that healed: confirmed, cleaned up, and told no more.
    lab.playbook(
        "- package_apt: { names: [ufw] }\n- firewall_rule: { allow: 22/tcp }\n\
         - firewall_ufw: { enabled: true, incoming: deny, logging: high }\n",
    );
    lab.rempart(&["apply", "playbook.yaml", "--yes", "--limit", "web1:pass1"]).ends(0);
    for host in ["web1", "pass1"] {
        no_guard(&lab, host);
        let drift = lab.rempart(&["drift", "playbook.yaml", "--limit", host, "--json"]).ends(0);
        assert_eq!(drift.json()["notes"], serde_json::json!([]), "{drift}");
    }
}

const SSHD: &str = "cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* | sha256sum; find /etc/ssh -printf '%p %m %u %g\\n' | sort; \
                    sshd -T | sha256sum; systemctl is-active ssh";

#[test]
fn an_sshd_that_refuses_us_or_does_not_start_heals() {
    let machines = [Machine::new("deaf1"), Machine::new("pass1").with_password(PASSWORD), Machine::new("dead1")];
    let Some(lab) = Lab::boot("an sshd that refuses us", &machines) else { return };
    lab.on("pass1", "echo 'X11Forwarding no' > /etc/ssh/sshd_config.d/00-rempart.conf && systemctl reload ssh");
    let hosts = ["deaf1", "pass1", "dead1"];
    let before = hosts.map(|host| lab.on(host, SSHD));
    // Deaf: it only listens to itself. Refusing: only a way in that we do not have. Dead: an address that is not its.
    lab.playbook(
        "- sshd: { settings: { ListenAddress: 127.0.0.1 } }\n  when: host == 'deaf1'\n\
         - sshd: { settings: { AuthenticationMethods: \"publickey,password\" } }\n  when: host == 'pass1'\n\
         - sshd: { settings: { ListenAddress: 203.0.113.7 } }\n  when: host == 'dead1'\n",
    );
    let ran = apply(&lab, "15").ends(4);
    for (at, host) in hosts.iter().enumerate() {
        let told = ran.lines(&[host, "sshd:", "taken back by the host"]);
        assert!(!told.is_empty(), "{host}: {ran}");
        lab.ssh(at, "true").ends(0);
        assert_eq!(before[at], lab.on(host, SSHD), "sshd of {host} is not as it was");
        is_disarmed(&lab, host);
        // A dead sshd is a failed step, which need not wait for the timer.
        is_told(&lab, host, if *host == "dead1" { "step" } else { "timer" });
    }
}

/// Starts an apply, and reboots a host once its guard is armed and `until` holds.
fn reboot_in_the_window(lab: &Lab, hosts: &[(&str, &str)]) -> Ran {
    let apply = lab.start(&["apply", "playbook.yaml", "--yes", "--allow-lockout", "--confirm-within", "60"]);
    for (host, until) in hosts {
        lab.wait_on(host, 60, &format!("test -e /var/lib/rempart/guard/armed && {until}"));
    }
    let begun = Instant::now();
    for (host, _) in hosts {
        // It waits until sshd lets somebody in again.
        lab::reboot(&lab.name, host).unwrap_or_else(|error| panic!("{host} did not come back: {error}"));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(40), "they were back after {took:?}, which may be the timer's doing");
    apply.end(Duration::from_secs(150))
}

#[test]
fn a_reboot_in_the_window_heals() {
    let machines = [Machine::new("web1"), Machine::new("ssh1").with_password(PASSWORD)];
    let Some(lab) = Lab::boot("a reboot in the window", &machines) else { return };
    lab.playbook("- package_apt: { names: [ufw] }");
    lab.apply().ends(0);
    let before = (lab.on("web1", FIREWALL), lab.on("ssh1", SSHD));
    lab.playbook(
        "- package_apt: { names: [ufw] }\n\
         - firewall_ufw: { enabled: true, incoming: deny }\n  when: host == 'web1'\n\
         - sshd: { settings: { ListenAddress: 127.0.0.1 } }\n  when: host == 'ssh1'\n",
    );
    let shut = "iptables -S INPUT | grep -q -- '-P INPUT DROP'";
    let deaf = "test -e /etc/ssh/sshd_config.d/00-rempart.conf && ss -ltn | grep -q '127.0.0.1:22' && ! ss -ltn | grep -q '0.0.0.0:22'";
    let ran = reboot_in_the_window(&lab, &[("web1", shut), ("ssh1", deaf)]).ends(4);
    assert!(!ran.lines(&["web1", "firewall_ufw:ufw", "taken back by the host"]).is_empty(), "{ran}");
    assert!(!ran.lines(&["ssh1", "sshd:", "taken back by the host"]).is_empty(), "{ran}");
    assert_eq!(before, (lab.on("web1", FIREWALL), lab.on("ssh1", SSHD)), "not as before");
    for (at, host) in ["web1", "ssh1"].iter().enumerate() {
        lab.ssh(at, "true").ends(0);
        is_disarmed(&lab, host);
        is_told(&lab, host, "boot");
    }
}

// The tests above could not fail if the lab let nobody be locked out: here nothing heals.
#[test]
fn without_a_guard_the_same_firewall_locks_out() {
    let Some(lab) = Lab::boot_one("without a guard") else { return };
    lab.playbook("- package_apt: { names: [ufw] }");
    lab.apply().ends(0);
    lab.on("web1", "ufw --force enable");
    let ran = lab.rempart(&["drift", "playbook.yaml", "-T", "4"]).ends(3);
    let told: Vec<&str> =
        ran.out.lines().filter(|line| line.contains("web1") && line.contains("192.0.2.11:22")).collect();
    assert_eq!(told.len(), 1, "{ran}");
}
