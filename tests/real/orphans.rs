//! What rempart made is remembered by the host; what nobody declares any more is shown, and only `prune` removes it.

use crate::fixture::{Lab, Machine, Ran};

const ALL: &str = r#"
- user: { name: rp-left, system: true }
  tags: [users]
- directory: { path: /srv/rp, owner: rp-left }
- directory: { path: /srv/rp/deep, owner: rp-left }
- file: { path: /srv/rp/one, content: "one\n", owner: rp-left }
- file: { path: /srv/rp/deep/two, content: "two\n", owner: rp-left }
- file: { path: /etc/existing, content: "new\n" }
- sysctl: { name: net.core.somaxconn, value: 4321 }
- systemd_unit:
    name: rp-left.service
    content: "[Service]\nExecStart=/bin/sleep infinity\n"
    active: true
"#;

fn book(name: &str, items: &str) -> String {
    crate::fixture::playbook(items).replace("playbook: real", &format!("playbook: {name}"))
}

fn without(what: &str) -> String {
    let items = ALL.split("\n- ").filter(|item| !item.is_empty() && !item.contains(what));
    items.map(|item| format!("- {}\n", item.trim())).collect()
}

fn owned(lab: &Lab, host: &str) -> Vec<String> {
    let text = lab.on(host, "cat /var/lib/rempart/owned 2>/dev/null || true");
    let mut ids: Vec<String> = text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn orphans(ran: &Ran, host: &str) -> Vec<String> {
    let json = ran.json();
    let host = json["hosts"].as_array().unwrap().iter().find(|known| known["host"] == host).cloned();
    let all = host.and_then(|host| host["orphans"].as_array().cloned()).unwrap_or_default();
    all.iter().map(|orphan| orphan["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_nobody_declares_any_more_is_shown_and_only_prune_removes_it() {
    let machines = [Machine::new("web1"), Machine::new("web2").with_password("pw")];
    let Some(lab) = Lab::boot("orphans", &machines) else { return };
    for host in ["web1", "web2"] {
        lab.on(host, "echo old > /etc/existing");
    }
    lab.write("base.yaml", &book("base", ALL));
    lab.write("extra.yaml", &book("extra", "- file: { path: /etc/extra, content: x }\n- user: { name: rp-extra }"));
    let verb = |verb: &str, more: &[&str]| lab.rempart(&[&[verb], more, &["--json"]].concat());
    verb("apply", &["base.yaml", "extra.yaml", "--yes"]).ends(0);
    let made = [
        "directory:/srv/rp",
        "directory:/srv/rp/deep",
        "file:/etc/extra",
        "file:/srv/rp/deep/two",
        "file:/srv/rp/one",
        "systemd_unit:rp-left.service",
        "user:rp-extra",
        "user:rp-left",
    ];
    // Neither what was there before nor what was changed is rempart's: the kernel's setting was there, too.
    assert_eq!(owned(&lab, "web1"), made);
    assert_eq!(owned(&lab, "web2"), made);
    lab.on("web1", "test \"$(stat -c %a:%U /var/lib/rempart/owned)\" = 600:root");

    // As declared there are no orphans, whatever is selected, and other playbooks' things are nobody's business.
    for more in [&[][..], &["--tags", "users"], &["--phase", "preparation"], &["--limit", "web2"]] {
        let plan = verb("plan", &[&["base.yaml"], more].concat()).ends(0);
        assert_eq!(plan.json()["totals"]["orphans"], 0, "{more:?}: {plan}");
    }

    // What would be written into somebody else's folder, declared or not, is no promise: no step goes there.
    lab.on("web1", "install -d -o rp-left /srv/theirs");
    let theirs = "- file: { path: /srv/rp/of-root, content: x }\n- file: { path: /srv/theirs/of-root, content: x }\n";
    lab.write("theirs.yaml", &book("base", &format!("{ALL}{theirs}")));
    for (ran, word) in [
        (verb("plan", &["theirs.yaml", "--limit", "web1", "--detailed-exitcode"]).ends(1), "act"),
        (verb("apply", &["theirs.yaml", "--limit", "web1", "--yes"]).ends(1), "outcome"),
    ] {
        for (id, folder) in [("file:/srv/rp/of-root", "/srv/rp"), ("file:/srv/theirs/of-root", "/srv/theirs")] {
            let found = ran.resource("web1", id);
            assert_eq!(found[word], "unknown", "{ran}");
            assert!(found["why"].as_str().unwrap().starts_with(&format!("{folder} belongs to rp-left")), "{ran}");
        }
    }
    lab.on("web1", "test ! -e /srv/rp/of-root && rmdir /srv/theirs");

    // One is undeclared, one renamed, one handed to the other playbook.
    let renamed = without("/etc/existing")
        .replace("/srv/rp/one", "/srv/rp/other")
        .replace("- file: { path: /srv/rp/deep/two, content: \"two\\n\", owner: rp-left }\n", "");
    lab.write("base.yaml", &book("base", &renamed));
    let plan = verb("plan", &["base.yaml", "--detailed-exitcode"]).ends(2);
    assert_eq!(orphans(&plan, "web1"), ["file:/srv/rp/deep/two", "file:/srv/rp/one"]);
    assert_eq!(plan.differing()[0], ("file:/srv/rp/other".to_owned(), "create".to_owned()));
    let tagged = verb("plan", &["base.yaml", "--tags", "users"]);
    assert_eq!(orphans(&tagged, "web1"), ["file:/srv/rp/deep/two", "file:/srv/rp/one"], "a tag makes and hides none");
    lab.write("extra.yaml", &book("extra", "- file: { path: /srv/rp/one, content: \"one\\n\", owner: rp-left }"));
    let both = verb("plan", &["base.yaml", "extra.yaml"]);
    assert_eq!(orphans(&both, "web1"), ["file:/etc/extra", "file:/srv/rp/deep/two", "user:rp-extra"]);
    let text = lab.rempart(&["plan", "base.yaml"]);
    assert!(
        !text.lines(&["- orphan file:/srv/rp/one", "made by playbook base in run", "rempart prune"]).is_empty(),
        "{text}"
    );

    // apply touches none of it; then only the orphans are left to tell.
    verb("apply", &["base.yaml", "--yes"]).ends(0);
    lab.on("web1", "cat /srv/rp/one /srv/rp/deep/two");
    verb("plan", &["base.yaml", "--detailed-exitcode"]).ends(0);
    let drift = verb("drift", &["base.yaml"]).ends(2);
    assert_eq!(drift.json()["totals"]["orphans"], 4, "{drift}");

    // What somebody changed since is told before it is removed.
    lab.on("web2", "echo mine >> /srv/rp/deep/two");
    let told = lab.rempart(&["prune", "base.yaml"]).ends(5);
    assert_eq!(told.lines(&["somebody changed it since: path /srv/rp/deep/two"]).len(), 1, "{told}");
    // Not approved, nothing happens. Approved for one host, it happens there.
    lab.on("web1", "cat /srv/rp/one");
    let pruned = verb("prune", &["base.yaml", "--limit", "web1", "--yes"]).ends(0);
    assert_eq!(pruned.outcome("web1", "file:/srv/rp/one"), "changed");
    lab.on("web1", "test ! -e /srv/rp/one && test ! -e /srv/rp/deep/two && test -e /srv/rp/other");
    lab.on("web2", "cat /srv/rp/one");
    assert!(!owned(&lab, "web1").contains(&"file:/srv/rp/one".to_owned()));
    let again = lab.rempart(&["prune", "base.yaml", "--limit", "web1", "--yes"]).ends(0);
    assert!(again.out.contains("Nothing is left over"), "{again}");
    assert_eq!(orphans(&verb("drift", &["base.yaml"]).ends(2), "web2"), ["file:/srv/rp/deep/two", "file:/srv/rp/one"]);
    verb("drift", &["base.yaml", "--limit", "web1"]).ends(0);

    // A rollback of the prune brings it back, and rempart knows it again.
    let run = pruned.json()["run"].as_str().unwrap().to_owned();
    lab.rempart(&["rollback", &run, "--yes"]).ends(0);
    lab.on("web1", "cat /srv/rp/one");
    assert_eq!(orphans(&verb("plan", &["base.yaml"]), "web1"), ["file:/srv/rp/deep/two", "file:/srv/rp/one"]);

    // Somebody else removed one: it is no orphan any more, and prune forgets it.
    lab.on("web2", "rm /srv/rp/one");
    assert_eq!(orphans(&verb("plan", &["base.yaml"]), "web2"), ["file:/srv/rp/deep/two"]);
    verb("prune", &["base.yaml", "--yes"]).ends(0);
    for host in ["web1", "web2"] {
        assert!(!owned(&lab, host).iter().any(|id| id == "file:/srv/rp/one"), "{host}");
        lab.on(host, "test ! -e /srv/rp/one && test ! -e /srv/rp/deep/two");
    }

    // A directory is kept while something declared stands in it, and an account while something belongs to it.
    lab.write("base.yaml", &book("base", "- file: { path: /srv/rp/other, content: \"one\\n\", owner: rp-left }"));
    let some = verb("plan", &["base.yaml"]);
    assert_eq!(orphans(&some, "web1"), ["directory:/srv/rp/deep", "systemd_unit:rp-left.service"], "{some}");
    // Nothing is declared any more: all goes, in an order that works.
    lab.write("base.yaml", &book("base", "- file: { path: /srv/rp/other, content: x }\n  when: 1 == 2"));
    verb("prune", &["base.yaml", "--limit", "web1", "--yes"]).ends(0);
    lab.on("web1", "test ! -e /srv/rp && ! id rp-left 2>/dev/null && ! systemctl cat rp-left.service 2>/dev/null");
    assert_eq!(owned(&lab, "web1"), ["file:/etc/extra", "user:rp-extra"]);
    assert_eq!(lab.on("web1", "cat /etc/existing"), "new\n");

    // What others put into a directory is not torn down, and the host goes on remembering.
    lab.on("web2", "touch /srv/rp/deep/foreign");
    let torn = verb("prune", &["base.yaml", "--limit", "web2", "--yes"]).ends(1);
    assert_eq!(torn.outcome("web2", "directory:/srv/rp/deep"), "failed");
    assert_eq!(torn.outcome("web2", "directory:/srv/rp"), "skipped");
    assert!(owned(&lab, "web2").contains(&"directory:/srv/rp/deep".to_owned()));
    lab.on("web2", "cat /srv/rp/deep/foreign");

    // What lets people in is never removed, whatever the file says; a file that nobody wrote like this tells nothing.
    lab.on("web1", "for id in user:admin file:/etc/passwd package_apt:openssh-server; do printf '%s\\tbase\\t\\tr0\\n' $id; done >> /var/lib/rempart/owned");
    let plan = lab.rempart(&["plan", "base.yaml", "--limit", "web1"]);
    assert_eq!(plan.lines(&["- orphan ", "prune removes it"]).len(), 0, "{plan}");
    assert_eq!(plan.lines(&["- orphan "]).len(), 3, "{plan}");
    lab.rempart(&["prune", "base.yaml", "--limit", "web1", "--yes"]).ends(0);
    lab.on("web1", "id admin && test -s /etc/passwd && dpkg -s openssh-server >/dev/null");
    lab.on("web1", "echo junk >> /var/lib/rempart/owned");
    let plan = lab.rempart(&["plan", "base.yaml", "--limit", "web1"]);
    assert!(plan.out.contains("what is left over is not known"), "{plan}");
    lab.rempart(&["prune", "base.yaml", "--limit", "web1", "--yes"]).ends(1);
}

#[test]
fn what_the_guard_takes_back_is_remembered_as_it_was() {
    let Some(lab) = Lab::boot_one("orphans under the guard") else { return };
    let apply =
        |within: &str| lab.rempart(&["apply", "base.yaml", "--yes", "--confirm-within", within, "--allow-lockout"]);
    let sshd = |name: &str, settings: &str| {
        format!("- sshd: {{ drop_in: /etc/ssh/sshd_config.d/{name}.conf, settings: {{ {settings} }} }}\n")
    };
    // What is made and taken back was never made.
    lab.write("base.yaml", &book("base", &sshd("20-deaf", "ListenAddress: 127.0.0.1")));
    apply("15").ends(4);
    assert_eq!(owned(&lab, "web1"), Vec::<String>::new());
    // A host that took something back says so until a run that told of it has ended well, and no longer.
    let healed = || lab.rempart(&["plan", "base.yaml", "--json"]).json()["notes"].to_string().contains("healed");
    assert!(healed());
    lab.write("base.yaml", &book("base", "- file: { path: /etc/motd, content: x, owner: rp-nobody }"));
    lab.rempart(&["apply", "base.yaml", "--yes"]).ends(1);
    assert!(healed());
    lab.write("base.yaml", &book("base", "- file: { path: /etc/motd, content: x }"));
    lab.rempart(&["apply", "base.yaml", "--yes"]).ends(0);
    assert!(!healed());
    lab.on("web1", "test ! -e /var/lib/rempart/guard");
    // What is removed and put back is still there to be removed: this one keeps another file from shutting us out.
    lab.write("base.yaml", &book("base", &sshd("10-open", "PubkeyAuthentication: true")));
    apply("45").ends(0);
    assert_eq!(owned(&lab, "web1"), ["sshd:/etc/ssh/sshd_config.d/10-open.conf"]);
    lab.on(
        "web1",
        "echo 'PubkeyAuthentication no' > /etc/ssh/sshd_config.d/50-shut.conf; systemctl restart ssh; sleep 2",
    );
    lab.write("base.yaml", &book("base", "- file: { path: /etc/x, content: x }\n  when: 1 == 2"));
    let prune = ["prune", "base.yaml", "--yes", "--confirm-within", "15", "--allow-lockout"];
    let ran = lab.rempart(&prune).ends(4);
    assert!(!ran.lines(&["10-open.conf", "taken back by the host"]).is_empty(), "{ran}");
    lab.on("web1", "test -e /etc/ssh/sshd_config.d/10-open.conf");
    assert_eq!(owned(&lab, "web1"), ["sshd:/etc/ssh/sshd_config.d/10-open.conf"]);
    lab.on("web1", "rm /etc/ssh/sshd_config.d/50-shut.conf; systemctl restart ssh; sleep 2");
    lab.rempart(&["prune", "base.yaml", "--yes"]).ends(0);
    lab.on("web1", "test ! -e /etc/ssh/sshd_config.d/10-open.conf");
    assert_eq!(owned(&lab, "web1"), Vec::<String>::new());
}

#[test]
fn what_held_a_secret_is_kept_by_no_step_that_removes_or_replaces_it() {
    let Some(lab) = Lab::boot_one("orphans with secrets") else { return };
    lab.write("templates/app.env.j2", "PW={{ pw }}\n");
    let held = "- template: { to: /etc/app.env, from: app.env.j2, mode: \"0600\" }\n\
                - template: { to: /etc/other.env, from: app.env.j2, mode: \"0600\" }\n";
    let plain = "- file: { path: /etc/plain, content: \"x\\n\" }\n\
                 - template: { to: /etc/other.env, from: plain.j2, mode: \"0600\" }\n";
    lab.write("templates/plain.j2", "nothing\n");
    let write = |items| lab.write("playbook.yaml", &format!("{}\nsecret_vars: [pw]\n", book("real", items).trim_end()));
    let apply = |pw: &str| lab.rempart(&["apply", "playbook.yaml", "-e", &format!("pw={pw}"), "--yes"]).ends(0);
    write(held);
    apply("hunter2-hunter2");
    assert_eq!(lab.on("web1", "cat /etc/app.env"), "PW=hunter2-hunter2\n");
    // Another value, no value, and none of it any more: nobody keeps what was there.
    apply("hunter3-hunter3");
    write(plain);
    apply("hunter3-hunter3");
    let pruned = lab.rempart(&["prune", "playbook.yaml", "--yes", "--json"]).ends(0);
    let gone = "test ! -e /etc/app.env && cat /etc/other.env";
    assert_eq!(lab.on("web1", gone), "nothing\n");
    let copies = lab.on("web1", "grep -rlE 'hunter2-hunter2|hunter3-hunter3' /var/lib/rempart /run/rempart; true");
    assert_eq!(copies, "", "{pruned}");
    let number = pruned.json()["run"].as_str().unwrap().to_owned();
    let back = lab.rempart(&["rollback", &number, "--yes"]);
    assert_eq!(lab.on("web1", gone), "nothing\n", "{back}");
    assert!(back.text().contains("held a secret") && back.code != 0, "{back}");
    // What was replaced as a whole by what is none is kept again, from the next change on.
    lab.on("web1", "! grep -x /etc/other.env /var/lib/rempart/secret-files");
    lab.write("templates/plain.j2", "something\n");
    let ran = lab.rempart(&["apply", "playbook.yaml", "-e", "pw=x", "--yes", "--json"]).ends(0);
    assert_eq!(lab.on("web1", "cat /etc/other.env"), "something\n");
    lab.rempart(&["rollback", ran.json()["run"].as_str().unwrap(), "--yes"]).ends(0);
    assert_eq!(lab.on("web1", "cat /etc/other.env"), "nothing\n");
    // What is out of sight for a while is not forgotten, not even where a step writes there meanwhile.
    lab.on("web1", "mkdir /srv/vault");
    write("- template: { to: /srv/vault/env, from: app.env.j2, mode: \"0600\" }\n");
    apply("hunter4-hunter4");
    lab.on("web1", "mv /srv/vault /srv/aside; mkdir /srv/vault");
    write("- file: { path: /srv/vault/env, content: \"plain\\n\", mode: \"0600\" }\n");
    apply("x");
    lab.on("web1", "rm -r /srv/vault; mv /srv/aside /srv/vault; grep -q hunter4 /srv/vault/env");
    apply("x");
    assert_eq!(lab.on("web1", "cat /srv/vault/env"), "plain\n");
    assert_eq!(lab.on("web1", "grep -rl hunter4-hunter4 /var/lib/rempart /run/rempart /srv; true"), "");
    // What was made anew without a secret is kept again.
    write("- file: { path: /etc/app.env, content: \"plain\\n\" }\n");
    apply("x");
    write("- file: { path: /etc/app.env, content: \"other\\n\" }\n");
    let number =
        lab.rempart(&["apply", "playbook.yaml", "--yes", "--json"]).ends(0).json()["run"].as_str().unwrap().to_owned();
    let back = lab.rempart(&["rollback", &number, "--yes"]).ends(0);
    assert!(!back.lines(&["web1 file:/etc/app.env put back: write /etc/app.env"]).is_empty(), "{back}");
    assert_eq!(lab.on("web1", "cat /etc/app.env"), "plain\n");
}
