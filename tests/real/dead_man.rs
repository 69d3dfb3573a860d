//! The guard itself under bad luck: no power in the middle of the way back, a full disk, another run, a confirmation at the
//! very moment it fires, and a way back that cannot be whole.

use std::time::Duration;

use rempart::lab;
use rustix::process::Signal;

use crate::fixture::{Lab, Machine, Ran, playbook, run};
use crate::lockouts::{STANDS, STRANGER, healed_after, is_as_before, is_disarmed};

fn stranger() -> String {
    format!(
        "- file: {{ path: /home/admin/.ssh/authorized_keys, content: \"{STRANGER}\", owner: admin, mode: \"0600\" }}\n"
    )
}

fn apply<'a>(within: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["apply", "playbook.yaml", "--yes", "--allow-lockout", "--confirm-within", within], more].concat()
}

fn is_told(lab: &Lab, host: &str, by: &str, differs: &[&str]) -> Ran {
    let plan = lab.rempart(&["plan", "playbook.yaml", "--json", "--limit", host]);
    let json = plan.json();
    let notes = json["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["host"] == host).unwrap_or_else(|| panic!("nothing of {host}: {plan}"));
    assert_eq!(note["healed"]["by"], by, "{plan}");
    let told = note["healed"].get("differs").cloned().unwrap_or(serde_json::json!([]));
    assert_eq!(told, serde_json::json!(differs), "{plan}");
    lab.rempart(&["plan", "playbook.yaml", "--limit", host])
}

fn journal_is_whole(lab: &Lab) {
    let verify = lab.rempart(&["history", "verify", "-i", "inventory.yaml"]).ends(0);
    assert!(verify.out.contains("whole"), "{verify}");
}

#[test]
fn a_power_loss_in_the_middle_of_the_way_back() {
    let Some(lab) = Lab::boot_one("a power loss in the middle of the way back") else { return };
    let deny = "auth required pam_deny.so\\naccount required pam_deny.so\\n";
    lab.playbook(&format!(
        "- file: {{ path: /etc/sudoers.d/90-admin, state: absent }}\n\
         {}- file: {{ path: /etc/pam.d/sshd, content: \"{deny}\" }}\n\
         - file: {{ path: /etc/ssh/sshd_config.d/10-port.conf, content: \"Port 2222\\n\" }}\n\
         - user: {{ name: admin, shell: /bin/sh }}\n",
        stranger()
    ));
    // Each sync of the way back takes a while, until the power goes.
    lab.on(
        "web1",
        "printf '#!/bin/sh\\n[ ! -e /run/slow ] || sleep 3\\nexec /usr/bin/sync \"$@\"\\n' > /usr/local/sbin/sync && chmod 0755 /usr/local/sbin/sync",
    );
    let before = lab.on("web1", STANDS);
    let apply = lab.start(&apply("20", &[]));
    lab.wait_on("web1", 60, "test -e /var/lib/rempart/guard/armed && grep -q '^admin:.*:/bin/sh$' /etc/passwd");
    apply.signal(Signal::KILL);
    lab.on("web1", ": > /run/slow");
    let half =
        "test -e /var/lib/rempart/guard/firing && test -e /etc/sudoers.d/90-admin && grep -q pam_deny /etc/pam.d/sshd";
    lab.wait_on("web1", 60, half);
    lab.on("web1", half);
    lab::power_off(&lab.name, "web1").unwrap();
    lab::power_on(&lab.name, "web1").unwrap();
    is_as_before("web1", &before, &lab.on("web1", STANDS));
    is_disarmed(&lab, "web1");
    lab.ssh(0, "sudo -n true").ends(0);
    assert_eq!(healed_after(&lab, "web1").1, "boot 0");
    is_told(&lab, "web1", "boot", &[]);
    journal_is_whole(&lab);
    drop(apply.end(Duration::from_secs(10)));
}

#[test]
fn a_full_disk_does_not_keep_it_from_healing() {
    let Some(lab) = Lab::boot("a full disk and the guard", &[Machine::new("once1"), Machine::new("ever1")]) else {
        return;
    };
    // Homes and the guard on one small disk, which fills up as soon as the change is made.
    let fill = |again: &str| {
        format!(
            "cp -a /home /tmp/homes && mount -t tmpfs -o size=2m,mode=0755 tmpfs /home && cp -a /tmp/homes/. /home && \
             mkdir -m 0700 /home/rp && ln -s /home/rp /var/lib/rempart && \
             setsid sh -c 'until cut -f 6 /home/rp/journal 2>/dev/null | grep -qx end; do sleep 0.05; done; \
             cat /dev/zero > /home/filler; {again}' >/dev/null 2>&1 </dev/null &"
        )
    };
    lab.on("once1", &fill(":"));
    lab.on("ever1", &fill("until test -e /run/enough; do cat /dev/zero >> /home/filler; done"));
    let key =
        "sha256sum /home/admin/.ssh/authorized_keys; stat -c '%a %U %G' /home/admin/.ssh/*; ls -A /home/admin/.ssh";
    let before = ["once1", "ever1"].map(|host| lab.on(host, key));
    lab.playbook(&stranger());
    let ran = lab.rempart(&apply("15", &[])).ends(4);
    for (at, host) in ["once1", "ever1"].iter().enumerate() {
        assert!(!ran.lines(&[host, "taken back by the host"]).is_empty(), "{ran}");
        is_as_before(host, &before[at], &lab.on(host, key));
        is_disarmed(&lab, host);
        lab.ssh(at, "true").ends(0);
    }
    assert_eq!(healed_after(&lab, "once1").1, "timer 0");
    lab.on("once1", "df --output=avail /home | tail -n 1; test -s /home/filler");
    is_told(&lab, "once1", "timer", &[]);
    lab.on("ever1", ": > /run/enough");
    let plan = lab.rempart(&["plan", "playbook.yaml", "--limit", "ever1"]);
    assert_eq!(plan.lines(&["ever1", "took a change back by itself"]).len(), 1, "{plan}");
    lab.on("ever1", "rm /home/filler");
    lab.on("once1", "rm /home/filler");
    journal_is_whole(&lab);
}

#[test]
fn while_a_guard_is_armed_other_runs_keep_out() {
    let Some(lab) = Lab::boot_one("a guard and another run") else { return };
    let before = lab.on("web1", STANDS);
    lab.playbook(
        "- file: { path: /etc/sudoers.d/99-denied, content: \"admin ALL=(ALL:ALL) !ALL\\n\", mode: \"0440\" }",
    );
    lab.write("second.yaml", &playbook("- file: { path: /srv/rp-second, content: \"2\\n\" }"));
    // sudo says no to everybody now, so the other controller logs in as root.
    lab.on("web1", "cp /home/admin/.ssh/authorized_keys /root/.ssh/");
    lab.write(
        "other.yaml",
        "all: { vars: { ansible_user: root, ansible_become: false }, hosts: { web1: { ansible_host: 192.0.2.11 } } }\n",
    );
    let second = || {
        let mut command = lab.command(&["apply", "second.yaml", "--yes"]);
        command.env("REMPART_STATE", lab.folder.path().join("state-2")).env("REMPART_INVENTORY", "other.yaml");
        run(command, Duration::from_secs(100))
    };
    let first = lab.start(&apply("40", &["--message", "ticket 4712"]));
    lab.wait_on("web1", 60, "test -e /var/lib/rempart/guard/armed && test -e /etc/sudoers.d/99-denied");
    let busy = second().ends(5);
    assert!(busy.out.contains("another run holds this host") && busy.out.contains("ticket 4712"), "{busy}");
    // Its controller dies; the guard stands all the same, and says no to a change of anything.
    first.signal(Signal::KILL);
    assert_eq!(first.end(Duration::from_secs(10)).code, 128 + 9);
    lab.wait_on("web1", 10, "! kill -0 \"$(cat /run/rempart/*/session)\" 2>/dev/null");
    let refused = second().ends(1);
    assert!(refused.out.contains("a guard is armed on this host: it takes back the change of run"), "{refused}");
    lab.on("web1", "! test -e /srv/rp-second && test -e /etc/sudoers.d/99-denied");
    lab.wait_on("web1", 60, "test -e /var/lib/rempart/guard/healed");
    lab.on("web1", "rm /root/.ssh/authorized_keys");
    is_as_before("web1", &before, &lab.on("web1", STANDS));
    lab.rempart(&["apply", "second.yaml", "--yes"]).ends(0);
    lab.on("web1", "test -e /srv/rp-second");
    journal_is_whole(&lab);
}

// Twenty guards, each confirmed and fired at nearly the same moment, by the very scripts.
const RACE: &str = r#"
mkdir -p /tmp/race /var/lib/rempart; cd /tmp/race
random() { od -An -N2 -tu2 /dev/urandom | awk -v most="$1" '{ printf "%.3f", ($1 % most) / 1000 }'; }
confirmed=0; healed=0
for n in $(seq 20); do
  echo old > /etc/rp-race
  echo 'path /etc/rp-race' > touches; : > after
  ( set -eu; rp_guard_arm race "$n" 3600 /tmp/race/touches /tmp/race/after /tmp/race/library )
  echo new > /etc/rp-race
  fire=$(random 40); confirm=$(random 80)
  case $n in 1) fire=1 confirm=0 ;; 2) fire=0 confirm=1 ;; esac
  ( sleep "$fire"; sh "$RP_GUARD/restore.sh" timer 2>/dev/null ) &
  sleep "$confirm"
  answer=$(rp_guard_confirm confirmed race "$n" | head -n 1)
  wait
  state=$(rp_guard_state race "$n" | head -n 1)
  past=$(awk -F '\t' -v n="$n" '$4 == "race" && $5 == n { printf "%s ", $6 }' /var/lib/rempart/journal)
  case "$answer $state $past $(cat /etc/rp-race)" in
    "confirmed confirmed confirmed  new") confirmed=$((confirmed + 1)); [ ! -e "$RP_GUARD" ] ;;
    "firing healed healed  old" | "healed healed healed  old") healed=$((healed + 1)); [ ! -e "$RP_GUARD/armed" ] ;;
    *) false ;;
  esac || { echo "round $n: fired after $fire, confirmed after $confirm: answer $answer, state $state, journal $past, $(cat /etc/rp-race)"; ls "$RP_GUARD"; exit 1; }
done
echo "confirmed $confirmed, healed $healed"
"#;

#[test]
fn confirmed_and_fired_at_once_exactly_one_wins() {
    let Some(lab) = Lab::boot_one("confirmed and fired at once") else { return };
    let library = [
        include_str!("../../src/engine/journal.sh"),
        include_str!("../../src/engine/owned.sh"),
        include_str!("../../src/engine/undo.sh"),
    ]
    .join("\n");
    let (target, guard) = (include_str!("../../src/engine/target.sh"), include_str!("../../src/engine/guard.sh"));
    let script = format!(
        "mkdir -p /tmp/race; cat > /tmp/race/library <<'LIBRARY'\n{library}\nLIBRARY\n{target}\n{guard}\n. /tmp/race/library\n{RACE}"
    );
    let said = lab.on("web1", &script);
    eprintln!("twenty guards: {}", said.trim());
}

#[test]
fn a_way_back_that_is_not_whole_is_told() {
    let Some(lab) = Lab::boot("a way back that is not whole", &[Machine::new("unit1"), Machine::new("sshd1")]) else {
        return;
    };
    lab.playbook("- package_apt: { names: [nftables] }\n  when: host == 'unit1'\n");
    lab.apply().ends(0);
    // It runs, and could not start again.
    lab.on("unit1", "systemctl enable --quiet --now nftables && echo 'no ruleset' > /etc/nftables.conf");
    lab.on("sshd1", "echo 'NoSuchWord yes' > /etc/ssh/sshd_config.d/99-bad.conf");
    let running = lab.on("sshd1", "systemctl show -p MainPID ssh");
    lab.playbook(&format!(
        "{}  when: host == 'unit1'\n\
         - systemd_unit: {{ name: nftables, active: false }}\n  when: host == 'unit1'\n\
         - file: {{ path: /etc/ssh/sshd_config.d/10-good.conf, content: \"MaxAuthTries 4\\n\" }}\n  when: host == 'sshd1'\n",
        stranger()
    ));
    let ran = lab.rempart(&apply("15", &[])).ends(4);
    for host in ["unit1", "sshd1"] {
        assert!(!ran.lines(&[host, "taken back by the host", "not all of it is as before"]).is_empty(), "{ran}");
        is_disarmed(&lab, host);
    }
    lab.ssh(0, "true").ends(0);
    let plan = is_told(&lab, "unit1", "timer", &["unit nftables.service"]);
    assert!(plan.text().contains("nftables.service"), "{plan}");
    // An sshd that runs is not killed by a way back that could not start it.
    lab.ssh(1, "true").ends(0);
    assert_eq!(running, lab.on("sshd1", "systemctl show -p MainPID ssh"));
    lab.on("sshd1", "! test -e /etc/ssh/sshd_config.d/10-good.conf");
    journal_is_whole(&lab);
}
