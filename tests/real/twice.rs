//! What is done is done: the second apply changes nothing, and planning twice gives the same bytes.

use crate::fixture::{Lab, Machine};

const PLAYBOOK: &str = r#"
playbook: twice
hosts: all
vars: { names: [a, b, c] }
phases:
  preparation:
    - package_apt: { names: [tree] }
    - user: { name: rp-twice, system: true, home: /srv/twice, shell: /usr/sbin/nologin }
    - directory: { path: /srv/twice, owner: rp-twice, mode: "0750" }
    - file: { path: "/srv/twice/{{ n }}", content: "{{ n }} on {{ host }}\n", owner: rp-twice }
      each: { n: names }
  hardening:
    - sysctl: { name: net.ipv4.conf.all.log_martians, value: 1 }
    - systemd_unit:
        name: rp-twice.service
        content: |
          [Service]
          User=rp-twice
          ExecStart=/bin/sleep infinity
          [Install]
          WantedBy=multi-user.target
        enabled: true
        active: true
    - command: { name: once, run: "echo ran >> /srv/twice/log", creates: /srv/twice/log }
"#;

#[test]
fn the_second_apply_changes_nothing_and_two_plans_are_the_same_bytes() {
    let mut trixie = Machine::new("ws1");
    trixie.release = "trixie";
    let machines = [Machine::new("web1"), Machine::new("web2").with_password("p w'\"$1"), trixie];
    let Some(lab) = Lab::boot("twice", &machines) else { return };
    lab.write("playbook.yaml", PLAYBOOK);
    let same = |args: &[&str]| {
        let (first, second) = (lab.rempart(args), lab.rempart(args));
        assert_eq!((first.code, &first.out), (second.code, &second.out), "{args:?}\n{first}\n{second}");
        assert!(!first.out.is_empty(), "{args:?}: {first}");
        first
    };
    // Before, so that there is much to say.
    let plan = same(&["plan", "playbook.yaml", "--json"]);
    assert_eq!(plan.differing().len(), 3 * 9, "{plan}");
    same(&["plan", "playbook.yaml"]);
    same(&["graph", "playbook.yaml"]);
    lab.apply().ends(0);
    let marks = "stat -c '%n %i %z' /srv/twice/* /etc/sysctl.d/* /etc/systemd/system/rp-*; cat /srv/twice/log; \
                 systemctl show -P MainPID rp-twice; md5sum /var/lib/dpkg/status";
    let before = machines.each_ref().map(|machine| lab.on(machine.name, marks));
    let second = lab.apply().ends(0);
    let totals = &second.json()["totals"];
    assert_eq!((&totals["same"], &totals["changed"]), (&27.into(), &0.into()), "{second}");
    for machine in &machines {
        assert_eq!(second.outcome(machine.name, "package_apt:tree"), "same");
    }
    assert_eq!(before, machines.each_ref().map(|machine| lab.on(machine.name, marks)), "the second apply wrote");
    let plan = same(&["plan", "playbook.yaml", "--json", "--detailed-exitcode"]);
    assert_eq!(plan.ends(0).differing(), vec![]);
    same(&["plan", "playbook.yaml"]);
    // And with something to do again, on one host.
    lab.on("web2", "echo other > /srv/twice/b");
    let plan = same(&["plan", "playbook.yaml", "--json", "--detailed-exitcode"]);
    assert_eq!(plan.ends(2).differing(), [("file:/srv/twice/b".to_owned(), "change".to_owned())]);
    same(&["drift", "playbook.yaml"]);
}

#[test]
fn a_condition_that_a_change_before_it_breaks_is_met_in_the_same_run() {
    let Some(lab) = Lab::boot_one("a condition asked again") else { return };
    let items = |word: &str| {
        format!(
            "- file: {{ path: /etc/rp-word, content: \"{word}\\n\" }}\n\
             - command: {{ name: load, run: \"cp /etc/rp-word /run/rp-loaded\", unless: \"cmp -s /etc/rp-word /run/rp-loaded\" }}\n  \
               needs: [{{ file: /etc/rp-word }}]\n"
        )
    };
    lab.playbook(&items("one"));
    lab.apply().ends(0);
    lab.playbook(&items("two"));
    let plan = lab.plan();
    assert_eq!(plan.resource("web1", "command:load")["act"], "react", "{plan}");
    let ran = lab.apply().ends(0);
    assert_eq!(ran.outcome("web1", "command:load"), "changed", "{ran}");
    assert_eq!(lab.on("web1", "cat /run/rp-loaded"), "two\n");
    assert_eq!(lab.plan().differing(), vec![]);
    // What the change before it made true need not run any more, and what is asked again and still holds does not.
    lab.on("web1", "echo three >/run/rp-loaded");
    lab.playbook(&items("three"));
    assert_eq!(lab.plan().resource("web1", "command:load")["act"], "change");
    let ran = lab.apply().ends(0);
    assert_eq!(ran.outcome("web1", "command:load"), "same", "{ran}");
    lab.playbook(&items("four").replace("cmp -s /etc/rp-word /run/rp-loaded", "test -e /run/rp-loaded"));
    let ran = lab.apply().ends(0);
    assert_eq!(ran.outcome("web1", "command:load"), "same", "{ran}");
}
