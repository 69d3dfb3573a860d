//! A part of a run gives what the whole would: facts of hosts outside of the limit, needs that lead there, looks from
//! there; or it says which host was missing.

use crate::fixture::{Lab, Machine};

const PLAYBOOK: &str = r#"
playbook: partial
hosts: all
phases:
  preparation:
    - file: { path: /etc/ready, content: "{{ facts.hostname }}\n" }
      when: host == "db1"
      tags: [ready]
    - file:
        path: /etc/peers
        content: "{% for h in groups.all %}{{ h }}={{ hostvars[h].facts.hostname | default('none') }}\n{% endfor %}"
      tags: [peers]
    - sysctl: { name: net.core.somaxconn, value: "{{ hostvars.db1.facts.cpus * 0 + 4321 }}" }
      when: host == "web1"
      tags: [tuned]
    - file: { path: /etc/uses, content: "uses\n" }
      when: host == "web1"
      needs: [{ file: /etc/ready, on: db1 }]
      tags: [uses]
  tests:
    - port_scan: { ports: [22], open: [22], from: db1 }
      when: host == "web1"
      tags: [scan]
"#;

#[test]
fn a_part_of_a_run_renders_what_the_whole_would() {
    let machines = [Machine::new("web1"), Machine::new("web2"), Machine::new("db1")];
    let Some(lab) = Lab::boot("partial", &machines) else { return };
    lab.write("playbook.yaml", PLAYBOOK);
    let verb = |verb: &str, more: &[&str]| lab.rempart(&[&[verb, "playbook.yaml", "--json"], more].concat());
    let apply = |more: &[&str]| verb("apply", &[&["--yes"], more].concat());

    // Facts of hosts outside of the limit are fetched, and nothing is written there.
    apply(&["--limit", "web1", "--tags", "peers,tuned"]).ends(0);
    let names = ["db1", "web1", "web2"].map(|host| format!("{host}={}", lab.on(host, "hostname")));
    let mut peers: Vec<String> = lab.on("web1", "cat /etc/peers").lines().map(|line| format!("{line}\n")).collect();
    peers.sort();
    assert_eq!(peers, names);
    for host in ["web2", "db1"] {
        lab.on(host, "test ! -e /etc/peers && test ! -e /var/lib/rempart");
    }

    // A need that leads out of the limit holds: what is not there is not passed over.
    let held = apply(&["--limit", "web1", "--tags", "uses"]).ends(5);
    assert_eq!(held.outcome("db1", "file:/etc/ready"), "skipped");
    assert_eq!(held.outcome("web1", "file:/etc/uses"), "skipped");
    lab.on("web1", "test ! -e /etc/uses");
    lab.on("db1", "test ! -e /etc/ready");
    let plan = verb("plan", &["--limit", "web1", "--tags", "uses"]);
    assert_eq!(plan.resource("db1", "file:/etc/ready")["act"], "unknown", "{plan}");
    // Drift waits for nobody, so it does not go there.
    let drift = verb("drift", &["--limit", "web1", "--tags", "uses"]).ends(2);
    assert_eq!(drift.json()["hosts"].as_array().unwrap().len(), 1, "{drift}");
    apply(&["--limit", "db1", "--tags", "ready"]).ends(0);
    apply(&["--limit", "web1", "--tags", "uses"]).ends(0);
    lab.on("web1", "cat /etc/uses");

    // A look from a host outside of the limit is taken there.
    verb("drift", &["--limit", "web1", "--tags", "scan"]).ends(0);

    // Without that host there is no rendering at all, and the host is named.
    lab.on("db1", "systemctl stop ssh.socket ssh 2>/dev/null; pkill -x sshd; true");
    let plan = verb("plan", &["--limit", "web1", "--tags", "peers,tuned", "--detailed-exitcode"]).ends(1);
    for id in ["file:/etc/peers", "sysctl:net.core.somaxconn"] {
        let json = plan.json();
        let web1 = json["hosts"].as_array().unwrap().iter().find(|host| host["host"] == "web1").unwrap();
        let found = web1["resources"].as_array().unwrap().iter().find(|known| {
            let kind = id.split(':').next().unwrap();
            known["id"].as_str().unwrap().starts_with(kind)
        });
        let found = found.unwrap_or_else(|| panic!("{id} vanished: {plan}"));
        assert_eq!(found["act"], "unknown", "{plan}");
        assert!(found["why"].as_str().unwrap().contains("facts of db1"), "{plan}");
    }
    assert_eq!(plan.json()["totals"]["unreachable"], 1, "{plan}");
    verb("plan", &["--limit", "web1", "--tags", "peers,tuned"]).ends(3);
    let before = lab.on("web1", "stat -c '%i %z' /etc/peers");
    apply(&["--limit", "web1", "--tags", "peers"]).ends(1);
    assert_eq!(lab.on("web1", "stat -c '%i %z' /etc/peers"), before);
    let scan = verb("drift", &["--limit", "web1", "--tags", "scan"]).ends(1);
    assert!(scan.out.contains("no look could be taken from db1"), "{scan}");
    // What reads nothing of it goes on.
    verb("drift", &["--limit", "web2", "--tags", "scan"]).ends(64);
}

const FIREWALL: &str = r#"
- package_apt: { names: [ufw] }
- firewall_rule: { allow: 22/tcp }
- firewall_ufw: { enabled: true, incoming: deny, exclusive: true }
"#;

#[test]
fn an_aggregate_is_not_made_anew_without_the_parts_of_another_playbook() {
    let Some(lab) = Lab::boot_one("aggregates") else { return };
    lab.write("base.yaml", &crate::fixture::playbook(FIREWALL).replace("playbook: real", "playbook: base"));
    let part = "- firewall_rule: { allow: 8080/tcp }";
    lab.write("part.yaml", &crate::fixture::playbook(part).replace("playbook: real", "playbook: part"));
    lab.rempart(&["apply", "base.yaml", "part.yaml", "--yes", "--json"]).ends(0);
    let alone = lab.rempart(&["plan", "base.yaml", "--json", "--detailed-exitcode"]).ends(1);
    let whole = alone.resource("web1", "firewall_ufw:ufw");
    assert!(whole["why"].as_str().unwrap().contains("playbook part has made a part of it"), "{whole}");
    lab.rempart(&["apply", "base.yaml", "--yes"]).ends(1);
    lab.on("web1", "ufw status | grep -q 8080/tcp");
    lab.rempart(&["plan", "base.yaml", "part.yaml", "--detailed-exitcode"]).ends(0);
    // Once the other playbook declares it no more, it is an orphan of that one, and the aggregate's run may go on.
    lab.write("part.yaml", "playbook: part\nhosts: all\nphases:\n  preparation: []\n");
    lab.rempart(&["prune", "base.yaml", "part.yaml", "--yes"]).ends(0);
    lab.on("web1", "! ufw status | grep -q 8080/tcp");
    lab.rempart(&["plan", "base.yaml", "--detailed-exitcode"]).ends(0);
}
