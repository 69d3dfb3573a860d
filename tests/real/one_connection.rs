//! What a run costs its hosts: logins, as sshd's own log counts them, and processes, as the kernel counts them.

use crate::fixture::{Lab, Ran};

const ITEMS: &str = r#"
- package_apt: { names: [tree] }
- directory: { path: /srv/one, group: adm }
- file: { path: /srv/one/text, content: "text\n" }
- file: { path: /srv/one/more, content: "more\n" }
- systemd_unit:
    name: rp-one.service
    content: "[Service]\nExecStart=/bin/sleep infinity\n"
    active: true
"#;

const RISKY: &str = r#"
- sysctl: { name: net.ipv4.conf.all.log_martians, value: 1 }
- user: { name: rp-one, system: true }
- file: { path: /srv/one/late, content: "late\n" }
- sshd: { drop_in: /etc/ssh/sshd_config.d/10-one.conf, settings: { X11Forwarding: false } }
"#;

fn logins(lab: &Lab) -> usize {
    lab.on("web1", "journalctl -q --sync; journalctl -q -t sshd -t sshd-session --no-pager -o cat")
        .lines()
        .filter(|line| line.starts_with("Accepted publickey for "))
        .count()
}

// All connections, also those that were dropped before anybody logged in.
fn connections(lab: &Lab) -> usize {
    lab.on("web1", "journalctl -q --sync; journalctl -q -t sshd -t sshd-session --no-pager -o cat")
        .lines()
        .filter(|line| line.starts_with("Connection from "))
        .count()
}

#[test]
fn one_login_for_a_look_and_one_more_for_a_guard() {
    let Some(lab) = Lab::boot_one("one login") else { return };
    lab.on("web1", "printf 'LogLevel VERBOSE\\n' > /etc/ssh/sshd_config.d/99-log.conf && systemctl restart ssh");
    let count = |what: &str, expected: usize, work: &dyn Fn() -> Ran| {
        let before = (logins(&lab), connections(&lab));
        let said = work();
        let after = (logins(&lab) - before.0, connections(&lab) - before.1);
        eprintln!("{what}: {} logins, {} connections", after.0, after.1);
        let log = || lab.on("web1", "journalctl -q --no-pager -o short-precise -n 150 | cut -c 1-200");
        assert_eq!(after, (expected, expected), "{what}: {said}\n{}", log());
    };
    lab.playbook(ITEMS);
    count("a bare login", 1, &|| lab.ssh(0, "sudo -n true").ends(0));
    count("plan on a bare host", 1, &|| lab.plan().ends(2));
    count("apply", 1, &|| lab.apply().ends(0));
    count("drift", 1, &|| lab.drift().ends(0));
    lab.playbook(&format!("{ITEMS}{RISKY}"));
    count("apply of a risky change", 2, &|| lab.apply().ends(0));
    count("drift after it", 1, &|| lab.drift().ends(0));
    // The count sees a second login.
    count("two logins", 2, &|| {
        lab.ssh(0, "true").ends(0);
        lab.ssh(0, "true").ends(0)
    });
}

// The kernel counts for the whole machine, so other work on it disturbs: the least of several tries is what it costs.
fn processes(work: &dyn Fn()) -> u64 {
    let started = || {
        let text = std::fs::read_to_string("/proc/stat").unwrap();
        text.lines().find_map(|line| line.strip_prefix("processes ")).unwrap().parse::<u64>().unwrap()
    };
    let once = || {
        let before = started();
        work();
        started() - before
    };
    (0..5).map(|_| once()).min().unwrap()
}

#[test]
fn processes_of_a_look_are_counted() {
    let Some(lab) = Lab::boot_one("processes of a look") else { return };
    let items: String =
        (0..20).map(|number| format!("- file: {{ path: /srv/one/{number}, content: \"{number}\\n\" }}\n")).collect();
    let bare = processes(&|| drop(lab.ssh(0, "sudo -n true").ends(0)));
    lab.playbook(ITEMS);
    lab.apply().ends(0);
    let few = processes(&|| drop(lab.drift().ends(0)));
    lab.playbook(&format!("{ITEMS}{items}"));
    lab.apply().ends(0);
    let many = processes(&|| drop(lab.drift().ends(0)));
    eprintln!("started on machine and host: bare login {bare}, drift of 5 resources {few}, of 25 resources {many}");
    // Threads of rempart itself count too; hosts that share a kernel cannot be told apart.
    assert!(few < bare + 120, "a look of 5 resources starts {few} processes, a bare login {bare}");
    assert!(many < few + 30, "20 more files start {many} - {few} more processes: the probe is not batched");
}
