//! The journals of real hosts, written by a shell that knows nothing of rempart: read, proved, and tampered with.

use rempart::history::{
    ApprovedChange, EndEvent, Event, IntentEvent, Journal, ResultEvent, RunEvent, RunSelection, RunTotals, RunVerb,
    StepIntent, StepResult,
};
use rempart::model::HostName;

use crate::fixture::{Lab, Machine};

const RUN: &str = "3f9a00c1d2e4";

// The chain as docs/history.md describes it, by sha256sum.
const WRITE: &str = r#"
umask 077; mkdir -p /var/lib/rempart; cd /var/lib/rempart; rm -f journal
h=$(printf '%064d' 0); n=0
add() {
  n=$((n + 1)); rest=$(printf '%s\t%s\t%b' "$n" "$(date +%s)" "$1")
  h=$(printf '%s\t%s' "$h" "$rest" | sha256sum | cut -d ' ' -f 1); printf '%s\t%s\n' "$h" "$rest" >> journal
}
add '3f9a00c1d2e4\t0\topen\t-\tops@control: site.yaml: because'
add '3f9a00c1d2e4\t1\tintent\t1\tfile:/etc/a, file:/etc/b | write two'
add '3f9a00c1d2e4\t1\tdone\t1\t'
add '3f9a00c1d2e4\t1\tintent\t2\tsshd:main | restart it'
add '3f9a00c1d2e4\t1\tfail\t2\t7'
add '3f9a00c1d2e4\t1\tend\t-\t'
printf '%s %s\n' "$n" "$h"
add '3f9a00c1d2e4\t0\tclose\t-\t'
add 'bb0000000000\t0\topen\t-\tana@other: db.yaml: '
cp journal /root/whole
"#;

fn note(lab: &Lab, host: &str, head: &str) {
    let (seq, hash) = head.trim().split_once(' ').unwrap();
    let journal = Journal::open(&lab.folder.path().join("state")).unwrap();
    let host = HostName::new(host);
    let step = |id: &str| StepIntent { ids: vec![id.into()], title: format!("write {id}"), risky: false };
    let approved =
        ApprovedChange { host: host.clone(), id: "file:/etc/a".into(), act: "create".into(), fields: Vec::new() };
    let events = [
        Event::Run(Box::new(RunEvent {
            run: RUN.into(),
            verb: RunVerb::Apply,
            who: "ops@control".into(),
            why: "because".into(),
            playbooks: vec!["site.yaml".into()],
            inventories: Vec::new(),
            selection: RunSelection::default(),
            set_names: Vec::new(),
            approved: vec![approved],
            resumes: None,
        })),
        Event::Intent(IntentEvent {
            run: RUN.into(),
            host: host.clone(),
            batch: 1,
            steps: vec![step("file:/etc/a"), step("sshd:main")],
        }),
        Event::Result(ResultEvent {
            run: RUN.into(),
            host,
            batch: 1,
            steps: vec![StepResult::done(), StepResult::failed("status 7")],
            armed: false,
            guard: None,
            head: Some(hash.into()),
            seq: Some(seq.parse().unwrap()),
        }),
        Event::End(EndEvent { run: RUN.into(), exit: 1, totals: RunTotals::default() }),
    ];
    for event in events {
        journal.append(&event).unwrap();
    }
}

#[test]
fn journals_of_hosts_are_read_proved_and_what_was_altered_is_found() {
    let machines = [Machine::new("web1"), Machine::new("web2").with_password("a pass'word"), Machine::new("web3")];
    let Some(lab) = Lab::boot("journals of hosts", &machines) else { return };
    for host in ["web1", "web2"] {
        let head = lab.on(host, WRITE);
        note(&lab, host, &head);
    }
    let before = lab.on("web1", "cd /var/lib/rempart && find . -printf '%p %T@ %C@ %m\\n' | sort");
    let whole = lab.rempart(&["history", "verify"]).ends(0);
    let lines = whole.lines(&["whole: 8 lines"]);
    assert_eq!(lines.len(), 3, "{whole}");
    assert!(!whole.lines(&["web1", "has the 1 line"]).is_empty(), "{whole}");
    assert!(!whole.lines(&["web3", "there is no journal"]).is_empty(), "{whole}");

    let runs = lab.rempart(&["history", "--host", "web1:web3"]).ends(0);
    assert!(!runs.lines(&[RUN, "failed", "ops@control"]).is_empty(), "{runs}");
    assert!(!runs.lines(&["bb0000000000", "not closed", "ana@other"]).is_empty(), "{runs}");
    let shown = lab.rempart(&["history", "show", "3f9a", "--host", "web2"]).ends(0);
    assert!(!shown.lines(&["✓ done", "write two", "file:/etc/a, file:/etc/b"]).is_empty(), "{shown}");
    assert!(!shown.lines(&["status 7"]).is_empty() && !shown.text().contains("ana@other"), "{shown}");
    let unknown = lab.rempart(&["history", "show", "9", "--host", "all"]).ends(64);
    assert!(unknown.text().contains("no such run"), "{unknown}");
    let own = lab.rempart(&["history", "show", "3f9a"]).ends(0);
    assert!(!own.lines(&["✗ failed", "sshd:main"]).is_empty(), "{own}");
    assert_eq!(before, lab.on("web1", "cd /var/lib/rempart && find . -printf '%p %T@ %C@ %m\\n' | sort"));

    // Each of these is what somebody with root on the host could do, and each is found.
    for (what, script, finding) in [
        ("changed", "sed -i '3s/done/fail/' journal", "line 3: it was changed"),
        ("removed", "sed -i 2d journal", "line 2: a line was removed"),
        ("first", "sed -i 1d journal", "line 1: a line was removed"),
        ("swapped", "sed -i -n '2{h;n;G};p' journal", "line 2: a line was removed"),
        ("doubled", "sed -i '4p' journal", "line 5: it was moved or doubled"),
        ("cut off", "sed -i '6,$d' journal", "line 6: the end was cut off"),
        ("emptied", ": > journal", "line 1: the end was cut off"),
        ("gone", "rm journal", "there is no journal, and the controller's journal"),
        ("no file", "rm journal; mkdir journal", "cannot be read"),
    ] {
        lab.on("web1", &format!("cd /var/lib/rempart; rm -rf journal; cp /root/whole journal; {script}"));
        let code = if what == "no file" { 3 } else { 1 };
        let ran = lab.rempart(&["history", "verify", "--host", "web1"]);
        assert_eq!(ran.code, code, "{what}: {ran}");
        assert!(ran.text().contains(finding), "{what}: {ran}");
    }
    // Written anew with fitting hashes: only the other side knows better.
    lab.on("web1", &format!("rm -rf /var/lib/rempart/journal\n{}", WRITE.replace("write two", "write too")));
    let forged = lab.rempart(&["history", "verify", "--host", "web1"]).ends(1);
    assert!(forged.text().contains("line 6: it was rewritten"), "{forged}");

    lab.on("web2", "systemctl stop ssh.socket ssh.service 2>/dev/null; systemctl stop ssh");
    let silent = lab.rempart(&["history", "verify", "--host", "web2", "-T", "5"]).ends(3);
    assert!(!silent.lines(&["web2", "unknown:"]).is_empty(), "{silent}");
}
