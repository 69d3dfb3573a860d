//! Every way to lock rempart out that the guard knows: the host heals itself within the time set, is byte for byte as
//! before, and says so; with and without a password for sudo, behind a jump host, with a reboot in between.

use std::time::{Duration, Instant};

use rempart::lab;

use crate::fixture::{Lab, Machine, Ran, address};

const PASSWORD: &str = "correct horse";
const WINDOW: u64 = 15;
/// Seconds that a host may take, after its window, to put things back and write it down; the machine may be busy.
const ALLOWANCE: u64 = 20;

/// Somebody else's key.
pub const STRANGER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDRLJbknFoXepoXjK8TPeIcDsJECtxXzOshzIbxYv7Zr stranger\\n";

/// How a host stands, by other means than rempart's: every file of /etc and the homes (but for what sudo and usermod leave
/// by themselves: a mark in the home, and `passwd-`), what listens, what filters packets,
/// what sshd makes of its files, and what runs.
pub const STANDS: &str = "find /etc /home /root ! -name 'rempart-guard*' ! -name .sudo_as_admin_successful ! -name '*-' -printf '%p|%y|%m|%U|%G|%l\\n' | sort; \
     find /etc /home /root -type f ! -name 'rempart-guard*' ! -name .sudo_as_admin_successful ! -name '*-' -exec sha256sum {} + | sort -k 2; \
     ss -Hltn | awk '{ print $4 }' | sort; sshd -T; \
     for unit in ssh nftables ufw systemd-networkd; do echo \"$unit $(systemctl is-active $unit) $(systemctl is-enabled $unit 2>&1)\"; done; \
     iptables -S 2>/dev/null | sort; ip6tables -S 2>/dev/null | sort; nft list table inet filter 2>/dev/null; \
     sudo -l -U admin | grep -v '^Matching'";

/// One way to lock rempart out, on the host of its name.
struct Lockout {
    host: &'static str,
    /// The resource that does it.
    id: &'static str,
    item: &'static str,
    /// Holds on the host while it is locked out.
    shut: &'static str,
}

const UFW: Lockout = Lockout {
    host: "ufw1",
    id: "firewall_ufw:ufw",
    item: "firewall_ufw: { enabled: true, incoming: deny, exclusive: true }",
    shut: "! iptables -S | grep -q 'dport 22 '",
};
const NFT: Lockout = Lockout {
    host: "nft1",
    id: "template:/etc/nftables.conf",
    item: "template: { to: /etc/nftables.conf, from: closed.nft.j2 }",
    shut: "nft list ruleset | grep -q 'policy drop'",
};
const DEAD: Lockout = Lockout {
    host: "dead1",
    id: "file:/etc/ssh/sshd_config.d/10-dead.conf",
    item: "file: { path: /etc/ssh/sshd_config.d/10-dead.conf, content: \"ListenAddress 203.0.113.7\\n\" }",
    shut: "! ss -Hltn | grep -q ':22 '",
};
const PORT: Lockout = Lockout {
    host: "port1",
    id: "file:/etc/ssh/sshd_config.d/10-port.conf",
    item: "file: { path: /etc/ssh/sshd_config.d/10-port.conf, content: \"Port 2222\\n\" }",
    shut: "ss -Hltn | grep -q ':2222 ' && ! ss -Hltn | grep -q ':22 '",
};
const RIGHT: Lockout = Lockout {
    host: "right1",
    id: "file:/etc/sudoers.d/90-admin",
    item: "file: { path: /etc/sudoers.d/90-admin, state: absent }",
    shut: "! test -e /etc/sudoers.d/90-admin",
};
const DENIED: Lockout = Lockout {
    host: "denied1",
    id: "file:/etc/sudoers.d/99-denied",
    item: "file: { path: /etc/sudoers.d/99-denied, content: \"admin ALL=(ALL:ALL) !ALL\\n\", mode: \"0440\" }",
    shut: "test -e /etc/sudoers.d/99-denied",
};
const KEY: Lockout = Lockout {
    host: "key1",
    id: "file:/home/admin/.ssh/authorized_keys",
    item: "file: { path: /home/admin/.ssh/authorized_keys, content: \"@STRANGER@\", owner: admin, mode: \"0600\" }",
    shut: "grep -q stranger /home/admin/.ssh/authorized_keys",
};
const PAM_SSHD: Lockout = Lockout {
    host: "pamssh1",
    id: "file:/etc/pam.d/sshd",
    item: "file: { path: /etc/pam.d/sshd, content: \"auth required pam_deny.so\\naccount required pam_deny.so\\nsession required pam_deny.so\\n\" }",
    shut: "grep -q pam_deny /etc/pam.d/sshd",
};
const PAM_SUDO: Lockout = Lockout {
    host: "pamsudo1",
    id: "file:/etc/pam.d/sudo",
    item: "file: { path: /etc/pam.d/sudo, content: \"auth required pam_deny.so\\naccount required pam_deny.so\\n\" }",
    shut: "grep -q pam_deny /etc/pam.d/sudo",
};

const OPEN_NFT: &str = "#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n chain input { type filter hook input priority 0; policy accept; }\n}\n";
// Not even the connection that stands gets through any more.
const CLOSED_NFT: &str = "#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n chain input { type filter hook input priority 0; policy drop; iif lo accept\n }\n}\n";

/// The hosts of these lock-outs, in their order, and what each needs before it.
fn boot(test: &str, cases: &[Lockout], machine: &dyn Fn(&'static str) -> Machine, jump: bool) -> Option<Lab> {
    let mut machines: Vec<Machine> = cases.iter().map(|case| machine(case.host)).collect();
    if jump {
        machines.push(Machine::new("jump1"));
    }
    let lab = Lab::boot(test, &machines)?;
    let has = |host: &str| cases.iter().any(|case| case.host == host);
    let mut tools = String::new();
    for (host, tool) in [("ufw1", "ufw"), ("nft1", "nftables")] {
        if has(host) {
            tools.push_str(&format!("- package_apt: {{ names: [{tool}] }}\n  when: host == '{host}'\n"));
        }
    }
    if !tools.is_empty() {
        lab.playbook(&tools);
        lab.apply().ends(0);
    }
    if has("ufw1") {
        lab.on("ufw1", "ufw allow 22/tcp && ufw --force enable");
    }
    if has("nft1") {
        let conf = OPEN_NFT.replace('\n', "\\n");
        lab.on("nft1", &format!("printf '{conf}' > /etc/nftables.conf && systemctl enable --quiet --now nftables"));
    }
    lab.write("templates/closed.nft.j2", CLOSED_NFT);
    let items: String =
        cases.iter().map(|case| format!("- {}\n  when: host == '{}'\n", case.item, case.host)).collect();
    lab.playbook(&items.replace("@STRANGER@", STRANGER));
    Some(lab)
}

fn apply_args(within: &str) -> [&str; 6] {
    // These plans close the way in on purpose.
    ["apply", "playbook.yaml", "--yes", "--allow-lockout", "--confirm-within", within]
}

fn stands(lab: &Lab, cases: &[Lockout]) -> Vec<String> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = cases.iter().map(|case| scope.spawn(|| lab.on(case.host, STANDS))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

#[track_caller]
pub fn is_as_before(host: &str, before: &str, now: &str) {
    let differ = |a: &str, b: &str| -> Vec<String> {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    assert!(before == now, "{host} is not as before: was {:#?}, is {:#?}", differ(before, now), differ(now, before));
}

/// A guard that has fired is armed no more.
pub fn is_disarmed(lab: &Lab, host: &str) {
    lab.on(
        host,
        "cd /var/lib/rempart/guard && test -e healed && ! test -e armed && ! test -e firing && ! test -e copy",
    );
    let stands = lab.try_on(
        host,
        "systemctl is-enabled rempart-guard-boot.service; systemctl is-active rempart-guard.timer rempart-guard.service",
    );
    assert!(!stands.out.contains("enabled") && !stands.out.lines().any(|line| line == "active"), "on {host}: {stands}");
}

/// Seconds from the last `armed` to the last `healed` in the host's own journal, and by whom.
pub fn healed_after(lab: &Lab, host: &str) -> (u64, String) {
    let journal = lab.on(host, "cut -f 3,6,8 /var/lib/rempart/journal");
    let last = |word: &str| -> (u64, String) {
        let line = journal.lines().rfind(|line| line.split('\t').nth(1) == Some(word));
        let line = line.unwrap_or_else(|| panic!("{host}: no `{word}` in\n{journal}"));
        let parts: Vec<&str> = line.split('\t').collect();
        (parts[0].parse().unwrap(), parts[2].to_owned())
    };
    let ((armed, _), (healed, text)) = (last("armed"), last("healed"));
    (healed - armed, text)
}

/// Each host took its lock-out back, in time and wholly, and all that should tell of it does.
fn have_healed(lab: &Lab, ran: &Ran, cases: &[Lockout], before: &[String], jump: Option<usize>, by: &[&str]) {
    let now = stands(lab, cases);
    for (at, case) in cases.iter().enumerate() {
        let host = case.host;
        let told = ran.lines(&[host, case.id, "taken back by the host"]);
        assert!(!told.is_empty(), "{host}: {ran}");
        is_as_before(host, &before[at], &now[at]);
        is_disarmed(lab, host);
        lab.ssh_through(jump, at, "sudo -n true 2>/dev/null || echo 'correct horse' | sudo -S -p '' true").ends(0);
        let (took, text) = healed_after(lab, host);
        eprintln!("{host}: healed {took} s after it was armed: {text}");
        let said: Vec<&str> = text.split(' ').collect();
        assert!(by.contains(&said[0]) && said[1] == "0", "{host} healed by `{text}`");
        if said[0] == "timer" {
            assert!(took <= WINDOW + ALLOWANCE, "{host} healed after {took} s");
        }
    }
    // The next plan tells of it.
    let plan = lab.rempart(&["plan", "playbook.yaml"]);
    assert!(plan.code == 0 || plan.code == 5, "{plan}");
    for case in cases {
        assert_eq!(plan.lines(&[case.host, "took a change back by itself"]).len(), 1, "{}: {plan}", case.host);
    }
    let verify = lab.rempart(&["history", "verify", "-i", "inventory.yaml"]).ends(0);
    assert!(verify.out.contains("whole"), "{verify}");
}

#[test]
fn nine_ways_to_lock_rempart_out_heal() {
    let cases = [UFW, NFT, DEAD, PORT, RIGHT, DENIED, KEY, PAM_SSHD, PAM_SUDO];
    let Some(lab) = boot("nine lock-outs", &cases, &Machine::new, false) else { return };
    let before = stands(&lab, &cases);
    let ran = lab.rempart(&apply_args("15")).ends(4);
    eprintln!("nine lock-outs: {:.0} s", ran.took.as_secs_f32());
    have_healed(&lab, &ran, &cases, &before, None, &["timer", "step"]);
}

#[test]
fn with_a_sudo_password_and_behind_a_jump_host_they_heal() {
    let cases = [UFW, NFT, PORT, RIGHT, DENIED, KEY, PAM_SSHD, PAM_SUDO];
    let jump = cases.len();
    let machine = |name: &'static str| {
        let mut machine = Machine::new(name).with_password(PASSWORD);
        machine.vars.push_str(&format!(", ansible_ssh_common_args: \"-J admin@{}\"", address(jump)));
        machine
    };
    let Some(lab) = boot("lock-outs behind a jump host", &cases, &machine, true) else { return };
    // The jump host alone is let in.
    let only = format!("AllowUsers admin@{}", address(jump));
    for (at, case) in cases.iter().enumerate() {
        lab.on(case.host, &format!("echo '{only}' > /etc/ssh/sshd_config.d/50-jump.conf && systemctl restart ssh"));
        lab.ssh(at, "true").ends(255);
    }
    let before = stands(&lab, &cases);
    let ran = lab.rempart(&apply_args("15")).ends(4);
    eprintln!("behind a jump host: {:.0} s", ran.took.as_secs_f32());
    have_healed(&lab, &ran, &cases, &before, Some(jump), &["timer", "step"]);
}

#[test]
fn a_reboot_in_the_window_heals_them() {
    let cases = [NFT, PORT, RIGHT, KEY, PAM_SSHD];
    let machine = |name: &'static str| match name {
        "right1" | "port1" => Machine::new(name).with_password(PASSWORD),
        _ => Machine::new(name),
    };
    let Some(lab) = boot("lock-outs and a reboot", &cases, &machine, false) else { return };
    let before = stands(&lab, &cases);
    let apply = lab.start(&apply_args("60"));
    for case in &cases {
        lab.wait_on(case.host, 60, &format!("test -e /var/lib/rempart/guard/armed && {}", case.shut));
    }
    let begun = Instant::now();
    for case in &cases {
        // It waits until sshd lets somebody in again.
        lab::reboot(&lab.name, case.host).unwrap_or_else(|error| panic!("{} did not come back: {error}", case.host));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(45), "they were back after {took:?}, which may be the timer's doing");
    let ran = apply.end(Duration::from_secs(180)).ends(4);
    have_healed(&lab, &ran, &cases, &before, None, &["boot"]);
}
