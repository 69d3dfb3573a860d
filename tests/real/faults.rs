//! What goes wrong on real hosts: one readable line that names host and cause, and the other hosts converge.

use std::time::{Duration, Instant};

use rempart::lab::{self, Sudo};
use rustix::process::Signal;

use crate::fixture::{Lab, Machine, Ran, run};

const FILE: &str = "- file: { path: /srv/rp-fault, content: \"there\\n\" }";

/// The lines of the result that name a host and say all of these words.
fn told<'a>(ran: &'a Ran, host: &str, words: &[&str]) -> Vec<&'a str> {
    let holds = |line: &&str| line.contains(host) && words.iter().all(|word| line.contains(word));
    ran.out.lines().filter(holds).collect()
}

/// No line of a terminal's nightmare: no debug output, no Rust, no backtrace.
fn is_readable(ran: &Ran) {
    for word in ["panicked", "HostName(", "Err(", "RUST_BACKTRACE", "Some("] {
        assert!(!ran.text().contains(word), "`{word}` in {ran}");
    }
}

/// Each of these hosts has its line with these words, in every verb; the others converge.
fn each_has_its_line(lab: &Lab, flags: &[&str], expected: &[(&str, &[&str])]) {
    lab.playbook(FILE);
    for args in [&["plan", "playbook.yaml"][..], &["drift", "playbook.yaml"], &["apply", "playbook.yaml", "--yes"]] {
        let ran = lab.rempart(&[args, flags].concat()).ends(3);
        is_readable(&ran);
        for (host, words) in expected {
            let mut lines = told(&ran, &format!("{host} "), words);
            lines.extend(told(&ran, &format!("{host}:"), words));
            lines.dedup();
            assert!(!lines.is_empty(), "{args:?}: no line for {host} with {words:?}: {ran}");
            let longest = lines.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(longest < 400, "{host}: not one readable line: {lines:?}");
            // The plan that apply shows has it too.
            assert!(lines.len() == 1 || args[0] == "apply", "{args:?}: {host} has {lines:?}: {ran}");
        }
    }
    assert_eq!(lab.on("good1", "cat /srv/rp-fault"), "there\n");
    for (host, _) in expected.iter().filter(|(host, _)| *host != "down1") {
        lab.on(host, "! test -e /srv/rp-fault");
    }
}

#[test]
fn hosts_that_cannot_be_reached() {
    let machines = ["good1", "down1", "refuse1", "changed1", "revoked1", "unknown1"].map(Machine::new);
    let Some(lab) = Lab::boot("hosts that cannot be reached", &machines) else { return };
    lab::power_off(&lab.name, "down1").unwrap();
    lab.on("refuse1", "rm /home/admin/.ssh/authorized_keys");
    // known_hosts as a person would have it: one host has another key now, one key was stolen, one was never seen.
    let all = lab.known_hosts();
    let of =
        |host: &str| -> Vec<String> { all.lines().filter(|line| line.contains(host)).map(str::to_owned).collect() };
    assert!(!of("good1").is_empty(), "{all}");
    let others = |line: &&str| !line.contains("changed1") && !line.contains("unknown1");
    let mut known: Vec<String> = all.lines().filter(others).map(str::to_owned).collect();
    for (theirs, other) in of("changed1").iter().zip(of("good1")) {
        known.push(format!("{} {}", theirs.split(' ').next().unwrap(), other.split_once(' ').unwrap().1));
    }
    known.extend(of("revoked1").iter().map(|line| format!("@revoked {line}")));
    lab.write("known", &(known.join("\n") + "\n"));
    each_has_its_line(
        &lab,
        &["-T", "4", "--known-hosts", "known"],
        &[
            ("down1", &["cannot reach", "192.0.2.12:22"]),
            ("refuse1", &["refuses admin"]),
            ("changed1", &["changed", "SHA256:"]),
            ("revoked1", &["revoked"]),
            ("unknown1", &["is not known", "rempart trust unknown1"]),
        ],
    );
    // The same hosts with the right keys: it was the keys.
    let right = lab.rempart(&["plan", "playbook.yaml", "--limit", "changed1:revoked1:unknown1"]);
    right.ends(0);
}

#[test]
fn hosts_that_let_nobody_become_root() {
    let (mut none, mut wrong, mut silent) = (Machine::new("nosudo1"), Machine::new("wrong1"), Machine::new("asks1"));
    none.sudo = Sudo::None;
    wrong.sudo = Sudo::Password("the right one".into());
    wrong.vars = "ansible_become_password: the wrong one".into();
    silent.sudo = Sudo::Password("the right one".into());
    let machines = [Machine::new("good1"), Machine::new("tty1"), none, wrong, silent];
    let Some(lab) = Lab::boot("hosts that let nobody become root", &machines) else { return };
    lab.on("tty1", "echo 'Defaults requiretty' > /etc/sudoers.d/10-tty");
    each_has_its_line(
        &lab,
        &[],
        &[
            ("tty1", &["cannot become root", "requiretty"]),
            ("nosudo1", &["cannot become root", "sudo"]),
            ("wrong1", &["cannot become root", "does not accept the password"]),
            ("asks1", &["cannot become root", "asks for a password"]),
        ],
    );
    let ran = lab.rempart(&["plan", "playbook.yaml", "--json"]);
    assert!(!ran.text().contains("the wrong one"), "the password is told: {ran}");
}

#[test]
fn a_full_disk_keeps_the_old_file_and_stops_nobody_else() {
    let Some(lab) = Lab::boot("a full disk", &[Machine::new("full1"), Machine::new("good1")]) else { return };
    for host in ["full1", "good1"] {
        lab.on(
            host,
            "mkdir /srv/small && mount -t tmpfs -o size=64k,mode=0755 tmpfs /srv/small && echo old > /srv/small/text",
        );
    }
    lab.on("full1", "dd if=/dev/zero of=/srv/small/filler bs=4k 2>/dev/null || :");
    lab.playbook(&format!(
        "- file: {{ path: /srv/small/text, content: \"{}\" }}\n- file: {{ path: /etc/rp-other, content: \"other\\n\" }}",
        "new and longer ".repeat(600)
    ));
    let ran = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(1);
    is_readable(&ran);
    assert!(!told(&ran, "full1", &["file:/srv/small/text"]).is_empty(), "{ran}");
    assert!(ran.out.contains("No space left on device"), "the cause is not told: {ran}");
    assert_eq!(lab.on("full1", "cat /srv/small/text"), "old\n", "the old file is not whole");
    let left = lab.on("full1", "ls -A /srv/small");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["filler", "text"], "something is left behind");
    // What does not depend on it went on, on this host and on the other.
    lab.on("full1", "grep -q other /etc/rp-other");
    lab.on("good1", "grep -q longer /srv/small/text");
    lab.on("full1", "rm /srv/small/filler");
    lab.apply().ends(0);
    lab.drift().ends(0);
}

#[test]
fn a_full_disk_for_our_own_state_is_one_readable_line() {
    let Some(lab) = Lab::boot_one("a full /run") else { return };
    lab.playbook(FILE);
    lab.on("web1", "mkdir -p /var/lib/rempart && mount -t tmpfs -o size=4k tmpfs /var/lib/rempart && dd if=/dev/zero of=/var/lib/rempart/filler bs=4k 2>/dev/null || :");
    let ran = lab.rempart(&["apply", "playbook.yaml", "--yes"]);
    is_readable(&ran);
    // Without a log nothing may be done; were it done all the same, it must not be called a failure.
    let there = lab.try_on("web1", "test -e /srv/rp-fault").code == 0;
    assert_eq!(ran.code, i32::from(!there), "the file is there: {there}; {ran}");
    if !there {
        assert!(ran.out.contains("No space left on device"), "{ran}");
    }
}

#[test]
fn a_held_apt_lock_is_named() {
    let Some(lab) = Lab::boot("a held apt lock", &[Machine::new("held1"), Machine::new("good1")]) else { return };
    // Somebody's dpkg that never ends: the real lock is one of fcntl's, which perl can take.
    lab.on(
        "held1",
        "setsid perl -e 'use Fcntl; open(my $l, \">>\", \"/var/lib/dpkg/lock-frontend\") or die; \
        my $f = pack(\"s s l! l! i\", F_WRLCK, 0, 0, 0, 0); fcntl($l, F_SETLK, $f) or die \"$!\"; sleep 600' \
        >/tmp/holder.log 2>&1 </dev/null & echo $! > /run/holder; sleep 0.5; kill -0 $(cat /run/holder)",
    );
    lab.playbook(&format!("- package_apt: {{ names: [tree] }}\n{FILE}"));
    // Its patience of two minutes would be ours; a unit inherits what the host's systemd is told.
    lab.on("held1", "systemctl set-environment RP_LOCK_PATIENCE=4");
    let ran = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(1);
    is_readable(&ran);
    assert!(!told(&ran, "held1", &["package_apt:tree"]).is_empty(), "{ran}");
    assert!(ran.out.contains("/var/lib/dpkg/lock-frontend"), "the lock is not named: {ran}");
    lab.on("good1", "dpkg -s tree | grep -q '^Status: install ok installed'");
    lab.on("held1", "grep -q there /srv/rp-fault");
    lab.on("held1", "kill $(cat /run/holder)");
    lab.apply().ends(0);
}

#[test]
fn a_hung_command_is_ended_in_time() {
    let Some(lab) = Lab::boot("a hung command", &[Machine::new("hung1"), Machine::new("good1")]) else { return };
    lab.playbook(&format!(
        "- command: {{ name: hangs, run: \"sleep 333 & trap '' TERM; sleep 334\", creates: /srv/never, timeout: 3 }}\n  when: host == 'hung1'\n{FILE}"
    ));
    let ran = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(1);
    is_readable(&ran);
    assert!(ran.took < Duration::from_secs(30), "{ran}");
    assert!(!told(&ran, "hung1", &["command:hangs"]).is_empty(), "{ran}");
    assert!(ran.out.contains("did not end in time"), "{ran}");
    for host in ["hung1", "good1"] {
        lab.on(host, "grep -q there /srv/rp-fault");
    }
    lab.wait_on("hung1", 20, "! pgrep -f '[s]leep 33[34]' > /dev/null");
}

// A long step, one after it in the same batch, and one that depends on it and so comes in a batch of its own.
const LONG: &str = "- command: { name: long, run: \"echo began > /srv/began; sleep 6; echo ended > /srv/ended\", creates: /srv/ended }\n  id: long\n\
                    - command: { name: beside, run: \"echo beside > /srv/beside\", creates: /srv/beside }\n\
                    - command: { name: later, run: \"echo later > /srv/later\", creates: /srv/later }\n  needs: [{ id: long }]";

#[test]
fn what_needs_something_that_cannot_be_judged_is_not_done() {
    let Some(lab) = Lab::boot_one("needs of what cannot be judged") else { return };
    lab.on("web1", "mkdir /srv/odd");
    lab.playbook(
        "- file: { path: /srv/odd, content: x }\n\
         - file: { path: /srv/after, content: x }\n  needs: [{ file: /srv/odd }]\n\
         - file: { path: /srv/last, content: x }\n  needs: [{ file: /srv/after }]\n\
         - file: { path: /srv/apart, content: x }\n",
    );
    let ran = lab.apply().ends(1);
    let outcome = |path: &str| ran.outcome("web1", &format!("file:/srv/{path}"));
    assert_eq!(["odd", "after", "last", "apart"].map(outcome), ["unknown", "skipped", "skipped", "changed"], "{ran}");
    assert_eq!(lab.on("web1", "ls /srv"), "apart\nodd\n");
    let text = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(1);
    assert!(text.text().contains("file:/srv/odd could not be judged"), "{text}");
}

fn starts_long(lab: &Lab) -> crate::fixture::Running {
    lab.playbook(LONG);
    let apply = lab.start(&["apply", "playbook.yaml", "--yes"]);
    lab.wait_on("web1", 30, "test -e /srv/began");
    apply
}

#[test]
fn a_killed_controller_never_ends_a_step_in_the_middle() {
    let Some(lab) = Lab::boot_one("a killed controller") else { return };
    let apply = starts_long(&lab);
    apply.signal(Signal::KILL);
    assert_eq!(apply.end(Duration::from_secs(10)).code, 128 + 9);
    lab.on("web1", "! test -e /srv/ended");
    // While it goes on, another run keeps out.
    let busy = lab.rempart(&["apply", "playbook.yaml", "--yes"]).ends(5);
    assert!(busy.out.contains("another run holds this host"), "{busy}");
    lab.wait_on("web1", 20, "test -e /srv/ended");
    // What comes after it in the batch is begun before anybody can be missed: that ends first, too.
    lab.wait_on(
        "web1",
        60,
        "! systemctl list-units --no-legend --state=active,activating 'rempart-*.service' | grep -q .",
    );
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert!(!told(&plan, "web1", &["nobody saw the end of run"]).is_empty(), "{plan}");
    assert!(plan.out.contains("run long"), "what was done is not told: {plan}");
    let again = lab.apply().ends(0);
    assert_eq!(again.outcome("web1", "command:long"), "same");
    lab.on("web1", "test -e /srv/later");
    // Told once: the apply after it has closed the matter.
    let plan = lab.plan().ends(0);
    assert_eq!(plan.json()["notes"], serde_json::json!([]), "{plan}");
}

#[test]
fn a_link_cut_inside_a_long_step_is_mended_and_the_run_goes_on() {
    let Some(lab) = Lab::boot_one("a cut link") else { return };
    let apply = starts_long(&lab);
    // The session is reset from the host's side, as a firewall in between does.
    lab.on("web1", "pkill -KILL -f '[s]shd: admin@notty'; test -e /srv/began");
    let ran = apply.end(Duration::from_secs(60)).ends(0);
    is_readable(&ran);
    lab.on("web1", "test -e /srv/ended && test -e /srv/later");
    let plan = lab.plan().ends(0);
    assert_eq!(plan.json()["notes"], serde_json::json!([]), "{plan}");
}

#[test]
fn a_link_that_goes_silent_ends_nothing_and_the_next_run_tells() {
    let Some(lab) = Lab::boot_one("a silent link") else { return };
    let apply = starts_long(&lab);
    // No packet passes any more, and nobody is told.
    let link = |state: &str| {
        let script = format!("for port in $(ls /sys/class/net/lab0/brif); do ip link set $port {state}; done");
        // The names of a namespace's links stand in a sysfs that was mounted inside of it.
        let script = format!("mount -t sysfs rp /sys && {script}");
        let argv = ["unshare", "-m", "sh", "-c", &script].map(str::to_owned);
        run(lab::command(&lab.name, None, &argv).unwrap(), Duration::from_secs(10)).ends(0);
    };
    link("down");
    lab.wait_on("web1", 20, "test -e /srv/ended");
    apply.signal(Signal::INT);
    apply.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(200));
    apply.signal(Signal::INT);
    let ran = apply.end(Duration::from_secs(100));
    is_readable(&ran);
    assert_ne!(ran.code, 0, "{ran}");
    link("up");
    // The kernel remembers for a moment that nobody answered there.
    let begun = Instant::now();
    while lab.ssh(0, "true").code != 0 {
        assert!(begun.elapsed().as_secs() < 20, "the link stays down");
        std::thread::sleep(Duration::from_millis(200));
    }
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert!(!told(&plan, "web1", &["nobody saw the end of run"]).is_empty(), "{plan}");
}

#[test]
fn one_interrupt_stops_at_the_next_step() {
    let Some(lab) = Lab::boot_one("one interrupt") else { return };
    let apply = starts_long(&lab);
    apply.signal(Signal::INT);
    let ran = apply.end(Duration::from_secs(40)).ends(130);
    is_readable(&ran);
    lab.on("web1", "test -e /srv/ended && ! test -e /srv/beside && ! test -e /srv/later");
    assert!(!told(&ran, "", &["command:later"]).is_empty(), "what was left out is not told: {ran}");
    assert!(ran.text().contains("stopped"), "{ran}");
    let plan = lab.plan().ends(2);
    let left = ["command:beside", "command:later"].map(|id| (id.to_owned(), "change".to_owned()));
    assert_eq!(plan.differing(), left, "{plan}");
    lab.apply().ends(0);
}
