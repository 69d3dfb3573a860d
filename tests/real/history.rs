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
            allowed_lockouts: Vec::new(),
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
        let ran = lab.rempart(&["history", "verify", "--host", "web1"]);
        assert_eq!(ran.code, 1, "{what}: {ran}");
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

fn checked_by_python(kind: &str, place: &std::path::Path) -> (bool, String) {
    let checker = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify/journal.py");
    let output = std::process::Command::new("python3").arg(checker).arg(kind).arg(place).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// What a real run writes down on both sides, as rempart and as a checker without its code read it.
#[test]
fn what_a_run_writes_down_is_whole_on_both_sides_and_tells_what_was_done_and_what_not() {
    let Some(lab) = Lab::boot_one("what a run writes down") else { return };
    lab.playbook(
        "- directory: { path: /srv/one }\n- file: { path: /srv/one/a, content: \"a\\n\" }\n- command: { run: exit 7, \
         creates: /srv/one/never }\n  id: never\n- file: { path: /srv/one/b, content: \"b\\n\" }\n  needs: [never]\n",
    );
    let applied = lab.apply();
    assert_ne!(applied.code, 0, "{applied}");
    let run = applied.json()["run"].as_str().unwrap().to_owned();

    let proved = lab.rempart(&["history", "verify"]).ends(0);
    assert!(!proved.lines(&["web1", "whole", "that this controller knows"]).is_empty(), "{proved}");
    let copy = lab.write("copy", &lab.on("web1", "cat /var/lib/rempart/journal"));
    let state = lab.folder.path().join("state");
    for (kind, place) in [("controller", &state), ("target", &copy)] {
        let (whole, told) = checked_by_python(kind, place);
        assert!(whole, "{kind}: {told}");
        assert!(proved.text().contains(told.trim_end()), "{kind}: {told}\n{proved}");
    }

    let listed = lab.rempart(&["history"]).ends(0);
    assert!(!listed.lines(&[&run, "apply", "web1", "failed"]).is_empty(), "{listed}");
    let shown = lab.rempart(&["history", "show", &run[..6]]).ends(0);
    for words in [["✓ done", "/srv/one/a"], ["✗ failed", "exit 7"]] {
        assert!(!shown.lines(&words).is_empty(), "{words:?}: {shown}");
    }
    let open = shown.out.split("not known to be done:").nth(1).unwrap_or_default();
    assert!(open.contains("file:/srv/one/b") && !open.contains("file:/srv/one/a "), "{shown}");
    let told = lab.rempart(&["history", "show", &run, "--host", "web1"]).ends(0);
    for words in [["✓ done", "/srv/one/a"], ["✗ failed", "exit 7"]] {
        assert!(!told.lines(&words).is_empty(), "{words:?}: {told}");
    }
    assert!(!lab.rempart(&["history", "--host", "web1"]).ends(0).lines(&[&run, "failed"]).is_empty());

    // The end of what it did is taken out of the host's journal.
    lab.on("web1", "cd /var/lib/rempart && sed -i '/\\tfail\\t/,$d' journal");
    let cut = lab.rempart(&["history", "verify"]).ends(1);
    assert!(!cut.lines(&["the end was cut off", &run]).is_empty(), "{cut}");
}
