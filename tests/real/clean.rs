//! A look changes nothing, and finds nothing where nothing is to be found.

use std::collections::BTreeMap;

use crate::fixture::Lab;

const ITEMS: &str = r#"
- package_apt: { names: [tree] }
- user: { name: rp-clean, system: true }
- directory: { path: /srv/clean, group: rp-clean }
- file: { path: /srv/clean/text, content: "text\n" }
- sysctl: { name: net.ipv4.conf.all.log_martians, value: 1 }
- systemd_unit:
    name: rp-clean.service
    content: "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    enabled: true
    active: true
- sshd: { drop_in: /etc/ssh/sshd_config.d/10-clean.conf, settings: { X11Forwarding: false } }
- command: { name: once, run: "touch /srv/clean/done", creates: /srv/clean/done, unless: "test -e /srv/clean/done" }
"#;

#[test]
fn a_hundred_looks_report_nothing() {
    let Some(lab) = Lab::boot_one("a hundred looks") else { return };
    lab.playbook(ITEMS);
    lab.apply().ends(0);
    let mut longest = std::time::Duration::ZERO;
    for number in 1..=100 {
        let drift = lab.drift();
        assert_eq!((drift.code, drift.differing()), (0, vec![]), "run {number}: {drift}");
        assert_eq!(drift.json()["totals"]["unknown"], 0, "run {number}: {drift}");
        assert_eq!(drift.json()["notes"], serde_json::json!([]), "run {number}: {drift}");
        longest = longest.max(drift.took);
    }
    eprintln!("100 drift runs: nothing reported; the longest took {:.2} s", longest.as_secs_f32());
    // The same run does see what is there.
    lab.on("web1", "echo more >> /srv/clean/text");
    lab.drift().ends(2);
}

// Everything that outlives a reboot, and what services keep in /run. Times of access are left out: reading moves them,
// as it does for a login.
const LISTING: &str = "cd / && find etc var root home usr/local srv opt boot tmp run usr/lib/systemd \
    \\( -path run/systemd/journal -o -path run/log/journal -o -path var/lib/rempart-lab \\) -prune -o \
    -printf '/%p|%y|%m|%u|%g|%T@|%C@|%s|%l\\n' 2>/dev/null | sort; \
    find /etc /var /root /home /usr/local /srv /opt -xdev -type f -exec sha256sum {} + | sort -k2";

fn listing(lab: &Lab) -> BTreeMap<String, String> {
    let text = lab.on("web1", LISTING);
    text.lines()
        .map(|line| match line.split_once('|') {
            Some((path, rest)) => (path.to_owned(), rest.to_owned()),
            None => (format!("sum {}", &line[66..]), line[..64].to_owned()),
        })
        .collect()
}

/// The paths that differ between two listings.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

// What a bare login changes too; and a directory of systemd's own in memory, whose time moves with each unit that has a
// view of the files of its own: the read-only sandbox in which the user's own conditions run.
fn left_out(path: &String, bare: &[String]) -> bool {
    bare.contains(path) || path == "/run/systemd/propagate"
}

#[test]
fn a_look_changes_nothing_that_a_bare_login_does_not() {
    let Some(lab) = Lab::boot_one("a look changes nothing") else { return };
    lab.playbook(ITEMS);
    lab.apply().ends(0);
    // Things that come by themselves would be taken for ours.
    lab.on("web1", "systemctl stop '*.timer'; systemctl is-system-running --wait || :");
    let login = || {
        lab.ssh(0, "sudo -n true").ends(0);
        // logind keeps a session for a moment after its end.
        lab.wait_on("web1", 20, "! ls /run/systemd/sessions/* 2>/dev/null && ! ls -d /run/user/* 2>/dev/null");
    };
    login();
    login();
    let start = listing(&lab);
    assert!(start.len() > 1000 && start.contains_key("sum /etc/passwd"), "{} entries", start.len());
    login();
    let bare = changed(&start, &listing(&lab));
    for args in [&["drift", "playbook.yaml"][..], &["plan", "playbook.yaml", "--json"]] {
        let before = listing(&lab);
        lab.rempart(args).ends(0);
        lab.wait_on("web1", 20, "! ls /run/systemd/sessions/* 2>/dev/null && ! ls -d /run/user/* 2>/dev/null");
        let ours: Vec<String> =
            changed(&before, &listing(&lab)).into_iter().filter(|path| !left_out(path, &bare)).collect();
        eprintln!("{args:?}: changed by a bare login: {bare:?}; by the look besides: {ours:?}");
        assert_eq!(ours, Vec::<String>::new(), "{args:?} changed these");
    }
    // The listing sees a byte that moved, even with its times put back.
    let before = listing(&lab);
    lab.on("web1", "touch -r /srv/clean/text /tmp/t; printf TEXT | dd of=/srv/clean/text conv=notrunc; touch -r /tmp/t /srv/clean/text; rm /tmp/t");
    assert!(changed(&before, &listing(&lab)).contains(&"sum /srv/clean/text".to_owned()));
}
