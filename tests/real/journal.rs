//! What a run leaves behind to be trusted by: it can be gone on with, committed, and taken back; and a host says who holds it.

use std::time::Duration;

use rustix::process::Signal;

use crate::fixture::{Lab, Machine, Ran};

const SSHD: &str = "cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* | sha256sum; find /etc/ssh -printf '%p %m %u %g\\n' | sort; \
                    sshd -T | sha256sum; systemctl is-active ssh";
const DROP_IN: &str = "- sshd: { settings: { X11Forwarding: false, MaxAuthTries: 4 } }";

fn run_of(ran: &Ran) -> String {
    ran.json()["run"].as_str().unwrap().to_owned()
}

/// The journals of both sides are whole, as an independent program reads them.
fn journals_are_whole(lab: &Lab, host: &str) {
    let verify = lab.rempart(&["history", "verify", "-i", "inventory.yaml", "--host", host]).ends(0);
    assert!(verify.out.contains("whole"), "{verify}");
}

#[test]
fn a_run_is_taken_back_and_what_was_changed_since_is_not_trampled_on() {
    let machines = [Machine::new("web1"), Machine::new("pass1").with_password("correct horse")];
    let Some(lab) = Lab::boot("a run is taken back", &machines) else { return };
    let before = ["web1", "pass1"].map(|host| lab.on(host, SSHD));
    lab.playbook(DROP_IN);
    let run = run_of(&lab.apply().ends(0));
    assert_ne!(before, ["web1", "pass1"].map(|host| lab.on(host, SSHD)));
    // Somebody changed it since: nothing is put back, on no host.
    lab.on("web1", "echo '# mine' >> /etc/ssh/sshd_config.d/00-rempart.conf");
    let refused = lab.rempart(&["rollback", &run, "--yes"]).ends(5);
    assert!(refused.text().contains("changed since"), "{refused}");
    lab.on("web1", "grep -q mine /etc/ssh/sshd_config.d/00-rempart.conf");
    lab.on("pass1", "test -e /etc/ssh/sshd_config.d/00-rempart.conf");
    // One host of it, then the other by force.
    let back = lab.rempart(&["rollback", &run[..6], "--host", "pass1", "--yes"]).ends(0);
    assert!(!back.lines(&["put back", "sshd"]).is_empty() || back.out.contains("1 changed"), "{back}");
    lab.rempart(&["rollback", &run, "--yes", "--force", "--json"]).ends(0);
    assert_eq!(before, ["web1", "pass1"].map(|host| lab.on(host, SSHD)));
    let again = lab.rempart(&["rollback", &run, "--yes"]).ends(0);
    assert!(again.out.contains("0 steps to put back"), "{again}");
    for host in ["web1", "pass1"] {
        journals_are_whole(&lab, host);
    }
    let plan = lab.plan().ends(2);
    assert_eq!(plan.json()["notes"], serde_json::json!([]), "{plan}");
}

#[test]
fn a_checkpoint_waits_for_a_person() {
    let machines = [Machine::new("web1"), Machine::new("web2"), Machine::new("web3")];
    let Some(lab) = Lab::boot("a checkpoint", &machines) else { return };
    let before = lab.on("web2", SSHD);
    lab.playbook(&format!("{DROP_IN}\n- file: {{ path: /srv/rp-after, content: \"after\\n\" }}\n"));
    let applied = lab.rempart(&["apply", "playbook.yaml", "--yes", "--no-confirm", "--limit", "web1:web2"]).ends(2);
    assert!(applied.out.contains("rempart commit"), "{applied}");
    lab.on("web1", "test -e /var/lib/rempart/guard/armed && ! test -e /srv/rp-after");
    let plan = lab.rempart(&["plan", "playbook.yaml", "--limit", "web1"]).ends(0);
    assert!(!plan.lines(&["web1", "checkpoint waits"]).is_empty(), "{plan}");
    // Nobody arms a second guard over it.
    lab.playbook("- sshd: { settings: { X11Forwarding: false, MaxAuthTries: 5 } }");
    lab.rempart(&["apply", "playbook.yaml", "--yes", "--limit", "web1"]).ends(1);
    lab.rempart(&["commit", "--limit", "web1"]).ends(0);
    lab.on(
        "web1",
        "! test -e /var/lib/rempart/guard && grep -qi 'MaxAuthTries 4' /etc/ssh/sshd_config.d/00-rempart.conf",
    );
    let back = lab.rempart(&["rollback", "--yes", "--host", "web2"]).ends(0);
    assert!(back.out.contains("taken back"), "{back}");
    assert_eq!(before, lab.on("web2", SSHD));
    // Nobody says anything: it heals by itself.
    let late = ["apply", "playbook.yaml", "--yes", "--no-confirm", "--confirm-within", "15", "--limit", "web3"];
    let before = lab.on("web3", SSHD);
    lab.rempart(&late).ends(2);
    lab.wait_on("web3", 30, "test -e /var/lib/rempart/guard/healed");
    assert_eq!(before, lab.on("web3", SSHD));
    // Too late: it is said, and is no success.
    let late = lab.rempart(&["commit", "--limit", "web3"]).ends(4);
    assert!(late.out.contains("taken back"), "{late}");
    lab.rempart(&["commit", "--limit", "web1"]).ends(5);
    for host in ["web1", "web2", "web3"] {
        journals_are_whole(&lab, host);
    }
}

const LONG: &str = "- command: { name: long, run: \"echo began > /srv/began; sleep 6; echo ended > /srv/ended\", creates: /srv/ended }\n  id: long\n\
                    - command: { name: later, run: \"echo later > /srv/later\", creates: /srv/later }\n  needs: [{ id: long }]";

#[test]
fn a_killed_run_is_gone_on_with_and_only_with_what_it_had_approved() {
    let Some(lab) = Lab::boot_one("resume") else { return };
    lab.playbook(LONG);
    lab.rempart(&["apply", "--resume", "--yes"]).ends(5);
    let apply = lab.start(&["apply", "playbook.yaml", "--yes", "--message", "ticket 4711"]);
    lab.wait_on("web1", 30, "test -e /srv/began");
    // While it is at work: who, since when, and why.
    let busy = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(5);
    for words in ["another run holds this host since 20", "@", "ticket 4711"] {
        assert!(busy.out.contains(words), "`{words}`: {busy}");
    }
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert!(!plan.lines(&["web1", "is at work on it since", "ticket 4711"]).is_empty(), "{plan}");
    apply.signal(Signal::KILL);
    assert_eq!(apply.end(Duration::from_secs(10)).code, 128 + 9);
    lab.wait_on("web1", 20, "test -e /srv/ended");
    let history = lab.rempart(&["history"]).ends(0);
    assert!(history.out.contains("ticket 4711") && history.out.contains("unfinished"), "{history}");
    // Somebody adds to the playbook meanwhile: that was not approved.
    lab.playbook(&format!("{LONG}\n- file: {{ path: /srv/rp-new, content: \"new\\n\" }}"));
    let resumed = lab.rempart(&["apply", "--resume", "--yes"]).ends(1);
    assert!(resumed.text().contains("Going on with run"), "{resumed}");
    lab.on("web1", "test -e /srv/later && ! test -e /srv/rp-new");
    lab.apply().ends(0);
    journals_are_whole(&lab, "web1");
}

#[test]
fn a_host_is_held_between_batches_too_and_a_dead_run_lets_go() {
    let Some(lab) = Lab::boot("a lease", &[Machine::new("web1"), Machine::new("db1")]) else { return };
    let items = "- file: { path: /srv/first, content: \"1\\n\" }\n  when: host == 'web1'\n\
                 - command: { name: long, run: \"echo began > /srv/began; sleep 20; touch /srv/ended\", creates: /srv/ended }\n  when: host == 'db1'\n\
                 - file: { path: /srv/second, content: \"2\\n\" }\n  when: host == 'web1'\n  needs: [{ command: long, on: db1 }]";
    lab.playbook(items);
    lab.write("other.yaml", &crate::fixture::playbook("- file: { path: /srv/other, content: \"o\\n\" }"));
    let other = ["apply", "other.yaml", "--yes", "--limit", "web1"];
    let apply = lab.start(&["apply", "playbook.yaml", "--yes"]);
    lab.wait_on("web1", 30, "test -e /srv/first");
    lab.wait_on("db1", 30, "test -e /srv/began");
    // The batch on web1 is over; the run is not.
    lab.wait_on("web1", 20, "flock -n /run/rempart/lease true");
    let busy = lab.rempart(&other).ends(5);
    assert!(
        busy.out.contains("another run holds this host since") && busy.out.contains("apply playbook.yaml"),
        "{busy}"
    );
    lab.on("web1", "! test -e /srv/other");
    apply.signal(Signal::KILL);
    assert_eq!(apply.end(Duration::from_secs(10)).code, 128 + 9);
    lab.rempart(&other).ends(0);
    lab.on("web1", "test -e /srv/other && cut -f 6 /var/lib/rempart/journal | grep -q took");
}

const SLOW: &str = "- systemd_unit:\n    name: rp-slow.service\n    content: |\n      [Service]\n      Type=oneshot\n      RemainAfterExit=yes\n      \
                    ExecStart=/bin/sh -c 'test -e /srv/rp-fast || sleep 30'\n      [Install]\n      WantedBy=multi-user.target\n    enabled: true\n    active: true\n";

#[test]
fn a_step_that_a_power_loss_left_half_done_is_put_back_before_the_plan() {
    let Some(lab) = Lab::boot_one("half done") else { return };
    lab.playbook(SLOW);
    let apply = lab.start(&["apply", "playbook.yaml", "--yes"]);
    lab.wait_on("web1", 60, "systemctl show -P ActiveState rp-slow.service | grep -q activating");
    // It takes the machine down at once, and with it whatever was going on.
    lab.on("web1", "systemctl poweroff --force --force || :");
    let _ = rempart::lab::power_off(&lab.name, "web1");
    let ended = apply.end(Duration::from_secs(150));
    assert_ne!(ended.code, 0, "{ended}");
    rempart::lab::power_on(&lab.name, "web1").unwrap();
    lab.on("web1", "touch /srv/rp-fast; test -e /etc/systemd/system/rp-slow.service");
    let again = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(0);
    assert!(again.text().contains("was broken off in the middle"), "{again}");
    lab.on("web1", "systemctl is-active rp-slow.service && systemctl is-enabled rp-slow.service");
    lab.plan().ends(0);
    journals_are_whole(&lab, "web1");
}

// Of the power loss itself only what this machine's kernel keeps is missing here: the campaign takes the disk's content, too.
#[test]
fn packages_whose_scripts_lost_what_they_wrote_are_purged_and_installed_anew() {
    let Some(lab) = Lab::boot_one("lost with apt") else { return };
    lab.playbook("- package_apt: { names: [unattended-upgrades, tree] }");
    lab.on("web1", "echo 'DPkg::Post-Invoke { \"test ! -e /usr/bin/unattended-upgrade || { touch /srv/rp-apt-ended; sleep 90; }\"; };' > /etc/apt/apt.conf.d/99slow");
    let apply = lab.start(&["apply", "playbook.yaml", "--yes"]);
    lab.wait_on("web1", 120, "test -e /srv/rp-apt-ended");
    let file = "/etc/apt/apt.conf.d/50unattended-upgrades";
    lab.on("web1", &format!("test -s {file} && : > {file}; systemctl poweroff --force --force || :"));
    let _ = rempart::lab::power_off(&lab.name, "web1");
    let ended = apply.end(Duration::from_secs(150));
    assert_ne!(ended.code, 0, "{ended}");
    rempart::lab::power_on(&lab.name, "web1").unwrap();
    lab.on(
        "web1",
        &format!(
            "rm /etc/apt/apt.conf.d/99slow; ! test -s {file} && dpkg -s tree | grep '^Status: install ok installed'"
        ),
    );
    let again = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(0);
    assert!(again.text().contains(&format!("since it came out empty: {file}")), "{again}");
    assert!(again.text().contains("is purged, with its data"), "{again}");
    lab.on(
        "web1",
        &format!("test -s {file} && dpkg -s tree unattended-upgrades | grep -c 'install ok installed' | grep -x 2"),
    );
    lab.plan().ends(0);
    journals_are_whole(&lab, "web1");
}

// It had nothing to bring: a way back that took "nothing named" for "all" would purge the machine.
#[test]
fn a_broken_step_that_brought_no_package_takes_none_away() {
    let Some(lab) = Lab::boot_one("a broken hold") else { return };
    lab.on("web1", "apt-get update -qq && apt-get install -y -qq tree >/dev/null 2>&1");
    let count = "dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n' | sort | sha256sum";
    let before = lab.on("web1", count);
    lab.on("web1", "printf '#!/bin/sh\n/usr/bin/apt-mark \"$@\"\ntouch /srv/rp-holding; sleep 90\n' > /usr/local/sbin/apt-mark; chmod 0755 /usr/local/sbin/apt-mark");
    lab.playbook("- package_apt: { names: [tree], hold: true }");
    let apply = lab.start(&["apply", "playbook.yaml", "--yes"]);
    lab.wait_on("web1", 60, "test -e /srv/rp-holding");
    lab.on("web1", "systemctl poweroff --force --force || :");
    let _ = rempart::lab::power_off(&lab.name, "web1");
    assert_ne!(apply.end(Duration::from_secs(150)).code, 0);
    rempart::lab::power_on(&lab.name, "web1").unwrap();
    lab.on("web1", "rm /usr/local/sbin/apt-mark");
    let run = lab.on("web1", "ls -t /var/lib/rempart/runs | head -n 1").trim().to_owned();
    let back = lab.rempart(&["rollback", &run, "--yes"]);
    assert_eq!(lab.on("web1", count), before, "{back}");
    assert_eq!(back.code, 0, "{back}");
    // Nothing came out empty, so the plain run repairs by itself.
    lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(0);
    assert_eq!(lab.on("web1", "apt-mark showhold"), "tree\n");
    lab.plan().ends(0);
}
