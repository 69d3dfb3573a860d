use proptest::prelude::*;

use super::*;
use crate::history::{
    ApprovedChange, Head, RunEnding, RunEvent, RunTotals, StepIntent, StepResult, TargetJournal, parse_target, verify,
};
use crate::model::HostName;
use crate::report::escape::is_unseen;
use crate::report::json_text;

fn start(run: &str, verb: RunVerb, who: &str, why: &str, hosts: &[&str]) -> RunEvent {
    let change = |host: &&str| ApprovedChange {
        host: HostName::new(*host),
        id: "template:/etc/squid/squid.conf".into(),
        act: "change".into(),
        fields: vec!["content".into(), "mode".into()],
    };
    RunEvent {
        run: run.into(),
        verb,
        who: who.into(),
        why: why.into(),
        playbooks: vec!["site.yaml".into()],
        inventories: vec!["inventories/prod.yaml".into()],
        selection: RunSelection { limit: Some("web".into()), tags: vec!["a".into(), "b".into()], ..Default::default() },
        set_names: vec!["port".into()],
        approved: hosts.iter().map(change).collect(),
        resumes: None,
        allowed_lockouts: Vec::new(),
    }
}

fn step(id: &str, title: &str, risky: bool, end: Option<StepResult>) -> StepRecord {
    StepRecord { intent: StepIntent { ids: vec![id.into()], title: title.into(), risky }, end }
}

fn batch(host: &str, number: usize, steps: Vec<StepRecord>, result: Option<u64>) -> BatchRecord {
    BatchRecord {
        host: HostName::new(host),
        number,
        intent: Some(1_772_368_250),
        steps,
        result,
        armed: false,
        guard: None,
        head: Some(Head { seq: 4, hash: "a".repeat(64) }),
    }
}

fn unfinished(text: &str) -> Run {
    let mut guarded = batch(
        "web1",
        1,
        vec![
            step("package_apt:squid", "install squid", false, Some(StepResult::done())),
            step("firewall_ufw:main", "turn the firewall on", true, Some(StepResult::done())),
            step("template:/etc/squid/squid.conf", text, false, Some(StepResult::failed(text))),
            step("systemd_unit:squid", "restart squid", false, Some(StepResult::not_run("a step before it failed"))),
        ],
        Some(1_772_368_260),
    );
    (guarded.armed, guarded.guard) = (true, Some(GuardEnd::Confirmed));
    let lost = batch("web2", 2, vec![step("sysctl:net.ipv4.ip_forward", "set it", false, None)], None);
    Run {
        number: "3f9a00c1d2e4".into(),
        began: 1_772_368_245,
        start: Some(start("3f9a00c1d2e4", RunVerb::Apply, "ops@control", text, &["web1", "web2", "web3"])),
        batches: vec![guarded, lost],
        ending: None,
    }
}

fn ended(number: &str, verb: RunVerb, exit: u8, totals: RunTotals) -> Run {
    Run {
        number: number.into(),
        began: 1_772_000_000,
        start: Some(start(number, verb, "ana@build-server-17.example.invalid", "", &["db1"])),
        batches: Vec::new(),
        ending: Some(RunEnding { at: 1_772_000_100, exit, totals }),
    }
}

fn told(text: &str) -> History {
    let totals = RunTotals { changed: 12, same: 40, ..RunTotals::default() };
    let mut waiting = ended("bb0000000000", RunVerb::Apply, 0, totals);
    waiting.batches.push(batch("db1", 1, Vec::new(), Some(1_772_368_280)));
    waiting.batches[0].guard = Some(GuardEnd::Waiting);
    let nameless = Run { number: "cc0000000000".into(), began: 7, start: None, batches: Vec::new(), ending: None };
    History {
        runs: vec![
            nameless,
            ended("aa0000000000", RunVerb::Rollback, 0, totals),
            waiting,
            ended("dd0000000000", RunVerb::Prune, 4, RunTotals { healed: 1, failed: 2, ..totals }),
            unfinished(text),
        ],
        ..History::default()
    }
}

#[test]
fn runs_in_a_pipe() {
    insta::assert_snapshot!(history(&told("new\tproxies"), 20, &Paint::PLAIN), @r"
    run           when (UTC)        verb      who                       hosts             changed  failed  ended            why
    3f9a00c1d2e4  2026-03-01 12:30  apply     ops@control               web1, web2, web3        2       1  unfinished       new\tproxies
    dd0000000000  2026-02-25 06:13  prune     ana@build-server-17.exa…  db1                    12       3  taken back
    bb0000000000  2026-02-25 06:13  apply     ana@build-server-17.exa…  db1                    12       0  to be committed
    aa0000000000  2026-02-25 06:13  rollback  ana@build-server-17.exa…  db1                    12       0  done
    cc0000000000  1970-01-01 00:00  ?         ?                                                 0       0  unfinished       (its first line is …
    5 runs
    ");
}

#[test]
fn runs_on_a_terminal() {
    let paint = Paint { colour: true, ..Paint::PLAIN };
    let text = history(&told("new"), 2, &paint);
    insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r"
    ESC[1mrun           when (UTC)        verb   who                       hosts             changed  failed  ended       whyESC[0m
    3f9a00c1d2e4  2026-03-01 12:30  apply  ops@control               web1, web2, web3  ESC[33m      2ESC[0m  ESC[31m     1ESC[0m  ESC[35munfinishedESC[0m  new
    dd0000000000  2026-02-25 06:13  prune  ana@build-server-17.exa…  db1               ESC[33m     12ESC[0m  ESC[31m     3ESC[0m  ESC[31mtaken backESC[0m
    2 of 5 runs; --limit-runs 5 shows all
    ");
    assert_eq!(anstream::adapter::strip_str(&text).to_string(), history(&told("new"), 2, &Paint::PLAIN));
}

#[test]
fn a_run_that_nobody_saw_end() {
    insta::assert_snapshot!(history_run(&unfinished("write it"), None, &Paint::PLAIN), @r"
    run 3f9a00c1d2e4  apply by ops@control, 2026-03-01 12:30:45 UTC, unfinished
      why          write it
      playbooks    site.yaml
      inventories  inventories/prod.yaml
      selection    --limit web --tags a,b
      set          port

    web1
      batch 1, begun 12:30:50, ended 12:31:00; the guard was confirmed
        ✓ done     install squid         package_apt:squid
        ✓ done     turn the firewall on  firewall_ufw:main  (risky)
        ✗ failed   write it              template:/etc/squid/squid.conf
            write it
        ↷ not run  restart squid         systemd_unit:squid
            a step before it failed

    web2
      batch 2, begun 12:30:50, nobody saw its end
        ? unknown  set it  sysctl:net.ipv4.ip_forward

    web3
      nothing was sent there

    Approved, and not known to be done:
      web1 / template:/etc/squid/squid.conf  change (content, mode)
      web2 / template:/etc/squid/squid.conf  change (content, mode)
      web3 / template:/etc/squid/squid.conf  change (content, mode)

    Nobody saw this run end.
    `rempart apply --resume` goes on from what the journals prove.
    `rempart rollback 3f9a00c1d2e4` takes back what it changed.
    ");
}

#[test]
fn runs_that_ended() {
    let runs = told("x").runs;
    let text: String = runs[..4]
        .iter()
        .map(|run| history_run(run, (run.number == "cc0000000000").then(|| &runs[1]), &Paint::PLAIN) + "--\n")
        .collect();
    insta::assert_snapshot!(text, @r"
    run cc0000000000  1970-01-01 00:00:07 UTC, its first line is gone, unfinished

    Nobody saw this run end.
    Run aa0000000000 takes it back.
    `rempart rollback cc0000000000` takes back what it changed.
    --
    run aa0000000000  rollback by ana@build-server-17.example.invalid, 2026-02-25 06:13:20 UTC, done
      playbooks    site.yaml
      inventories  inventories/prod.yaml
      selection    --limit web --tags a,b
      set          port
      ended        2026-02-25 06:15:00 UTC, exit code 0: 12 changed, 40 as declared before

    db1
      nothing was sent there

    `rempart rollback aa0000000000` takes back what it changed.
    --
    run bb0000000000  apply by ana@build-server-17.example.invalid, 2026-02-25 06:13:20 UTC, to be committed
      playbooks    site.yaml
      inventories  inventories/prod.yaml
      selection    --limit web --tags a,b
      set          port
      ended        2026-02-25 06:15:00 UTC, exit code 0: 12 changed, 40 as declared before

    db1
      batch 1, begun 12:30:50, ended 12:31:20; the guard waits for `rempart commit`

    `rempart commit` keeps what the guard holds.
    `rempart rollback bb0000000000` takes back what it changed.
    --
    run dd0000000000  prune by ana@build-server-17.example.invalid, 2026-02-25 06:13:20 UTC, taken back
      playbooks    site.yaml
      inventories  inventories/prod.yaml
      selection    --limit web --tags a,b
      set          port
      ended        2026-02-25 06:15:00 UTC, exit code 4: 12 changed, 40 as declared before, 2 failed, 1 taken back

    db1
      nothing was sent there

    Approved, and not known to be done:
      db1 / template:/etc/squid/squid.conf  change (content, mode)

    `rempart rollback dd0000000000` takes back what it changed.
    --
    ");
}

#[test]
fn a_run_as_json() {
    let mut run = unfinished("write it");
    run.batches.pop();
    insta::assert_snapshot!(json_text(&history_run_json(&run), false), @r#"{"format_version":"1.0","kind":"history_run","run":"3f9a00c1d2e4","began":1772368245,"hosts":["web1","web2","web3"],"verb":"apply","who":"ops@control","why":"write it","changed":2,"failed":1,"ending":null,"playbooks":["site.yaml"],"inventories":["inventories/prod.yaml"],"selection":{"limit":"web","tags":["a","b"],"skip_tags":[],"phase":[]},"set_names":["port"],"resumes":null,"allowed_lockouts":[],"approved":[{"host":"web1","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]},{"host":"web2","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]},{"host":"web3","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]}],"batches":[{"host":"web1","batch":1,"intent":1772368250,"result":1772368260,"armed":true,"guard":"confirmed","head":{"seq":4,"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"steps":[{"ids":["package_apt:squid"],"title":"install squid","risky":false,"end":"done","why":null},{"ids":["firewall_ufw:main"],"title":"turn the firewall on","risky":true,"end":"done","why":null},{"ids":["template:/etc/squid/squid.conf"],"title":"write it","risky":false,"end":"failed","why":"write it"},{"ids":["systemd_unit:squid"],"title":"restart squid","risky":false,"end":"not_run","why":"a step before it failed"}]}],"not_done":[{"host":"web1","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]},{"host":"web2","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]},{"host":"web3","id":"template:/etc/squid/squid.conf","act":"change","fields":["content","mode"]}]}"#);
    insta::assert_snapshot!(json_text(&history_json(&told("x"), 1), false), @r#"
    {"format_version":"1.0","kind":"history","chain_is_whole":true,"runs":[{"run":"3f9a00c1d2e4","began":1772368245,"hosts":["web1","web2","web3"],"verb":"apply","who":"ops@control","why":"x","changed":2,"failed":1,"ending":null}]}
    "#);
}

fn target(text: &str) -> TargetJournal {
    let lines = [
        format!("2026\t3f9a\t0\topen\t-\tops@control: site.yaml: {text}"),
        format!("1772368246\t3f9a\t1\tintent\t1\tfile:/etc/a, file:/etc/b | {text}"),
        "1772368247\t3f9a\t1\tdone\t1\t".into(),
        "1772368247\t3f9a\t1\tarmed\t-\t45".into(),
        format!("1772368248\t3f9a\t1\tintent\t2\tsshd:main | restart {text}"),
        "1772368249\t3f9a\t1\tfail\t2\t7".into(),
        "1772368249\t3f9a\t1\tskip\t3\t2".into(),
        format!("1772368300\t3f9a\t1\thealed\t-\ttimer {text}"),
        "1772368300\t3f9a\t1\tend\t-\t".into(),
        format!("1772368400\tbb00\t1\tintent\t1\tsysctl:a | set {text}"),
    ];
    let lines = (1..).zip(lines).map(|(seq, line): (u64, String)| format!("{}\t{seq}\t{line}\n", "0".repeat(64)));
    parse_target((lines.collect::<String>() + "garbled\n").as_bytes())
}

fn hosts(text: &str) -> HostJournals {
    HostJournals::from([
        (HostName::new("web1"), Ok(Some(target(text)))),
        (HostName::new("web2"), Ok(None)),
        (HostName::new("web3"), Err(format!("web3 does not answer: {text}"))),
    ])
}

#[test]
fn runs_as_hosts_tell_them() {
    insta::assert_snapshot!(target_runs(&hosts("x"), 20, &Paint::PLAIN), @r"
    web1
    run   when (UTC)        done  failed  ended       who, what and why
    bb00  2026-03-01 12:33     0       0  not closed
    3f9a  1970-01-01 00:33     1       1  taken back  ops@control: site.yaml: x
    1 line cannot be read: see `rempart history verify`

    web2
    no journal: no run has changed this host

    web3
    unknown: web3 does not answer: x
    ");
    insta::assert_snapshot!(target_run(&hosts("x"), &Paint::PLAIN), @r"
    web1
      run 3f9a, 1970-01-01 00:33:46 UTC, taken back
      ops@control: site.yaml: x
      batch 1, ended 12:31:40
        ✓ done     12:30:46  x          file:/etc/a, file:/etc/b
        ✗ failed   12:30:48  restart x  sshd:main
            status 7
        ↷ not run  12:30:49
            because of step 2
        guard  12:30:47 armed 45
        guard  12:31:40 healed timer x
      run bb00, 2026-03-01 12:33:20 UTC, not closed
      batch 1, broken off
        ? unknown  12:33:20  set x  sysctl:a
    1 line cannot be read: see `rempart history verify`

    web2
    its journal knows no such run

    web3
    unknown: web3 does not answer: x
    ");
    insta::assert_snapshot!(json_text(&target_runs_json(&hosts("x"), 1), false), @r#"
    {"format_version":"1.0","kind":"history_of_hosts","hosts":[{"host":"web1","runs":[{"run":"bb00","began":1772368400,"opened":null,"closed":null,"ending":"not closed","batches":[{"batch":1,"steps":[{"step":1,"ids":["sysctl:a"],"title":"set x","intent":1772368400,"end":null,"ended":null,"text":null}],"guard":[],"ended":null}]}],"unreadable":1},{"host":"web2","runs":[]},{"host":"web3","unknown":"web3 does not answer: x"}]}
    "#);
}

fn some_proofs() -> Vec<(String, Proof)> {
    let line = crate::history::seal(crate::history::FIRST, "1\t7\t{}");
    let whole = verify(format!("{line}\nhalf").as_bytes(), []);
    let mut broken = verify(format!("{}\n", line.replace("{}", "[]")).as_bytes(), []);
    broken.compare(&[crate::history::Anchor { seq: 9, hash: "a".repeat(64), run: "3f9a".into() }], |anchor| {
        format!("the controller's journal (run {})", anchor.run)
    });
    let garbage = verify("x\n".repeat(1030).as_bytes(), []);
    vec![
        ("this controller".into(), Proof::Checked { checked: whole.clone(), anchors: 0 }),
        ("web1".into(), Proof::Checked { checked: whole, anchors: 3 }),
        ("web2".into(), Proof::Checked { checked: broken, anchors: 1 }),
        ("web3".into(), Proof::None),
        ("web4".into(), Proof::Unreachable("web4 does not answer".into())),
        ("web5".into(), Proof::Checked { checked: garbage, anchors: 1 }),
    ]
}

#[test]
fn proofs_of_chains() {
    let text = proofs(&some_proofs(), &Paint::PLAIN);
    insta::assert_snapshot!(text, @r"
    this controller  whole: 1 line, head ca474fb9805e832431b4bfbaaa1ff6da396dbbabcf8b5c7693896fa061812646
      line 2 is incomplete (4 bytes): a crash left it; the next run cuts it off and notes it
    web1             whole: 1 line, head ca474fb9805e832431b4bfbaaa1ff6da396dbbabcf8b5c7693896fa061812646, and has the 3 lines that this controller knows
      line 2 is incomplete (4 bytes): a crash left it; the next run cuts it off and notes it
    web2             broken: 2 findings
      line 1: it was changed or moved: its hash does not follow from the line before
      line 2: the end was cut off: the controller's journal (run 3f9a) knows line 9, and the last one here is 1
    web3             there is no journal, and no run here knows of one
    web4             unknown: web4 does not answer
    web5             broken: 1030 findings
      line 1: it was changed: it cannot be read as a line of a journal
      line 2: it was changed: it cannot be read as a line of a journal
      line 3: it was changed: it cannot be read as a line of a journal
      line 4: it was changed: it cannot be read as a line of a journal
      line 5: it was changed: it cannot be read as a line of a journal
      line 6: it was changed: it cannot be read as a line of a journal
      line 7: it was changed: it cannot be read as a line of a journal
      line 8: it was changed: it cannot be read as a line of a journal
      line 9: it was changed: it cannot be read as a line of a journal
      line 10: it was changed: it cannot be read as a line of a journal
      and 1020 more
    ");
    insta::assert_snapshot!(json_text(&proofs_json(&some_proofs()[..4]), false), @r#"
    {"format_version":"1.0","kind":"history_verify","chains":[{"chain":"this controller","state":"whole","lines":1,"head":{"seq":1,"hash":"ca474fb9805e832431b4bfbaaa1ff6da396dbbabcf8b5c7693896fa061812646"},"anchors":0,"breaks":[],"unlisted_breaks":0,"torn":{"line":2,"bytes":4,"sha256":"a11ae06469c63740d7b0ecf802f282a0d46e94f31a654dfcd3c0dc6dc277f904"}},{"chain":"web1","state":"whole","lines":1,"head":{"seq":1,"hash":"ca474fb9805e832431b4bfbaaa1ff6da396dbbabcf8b5c7693896fa061812646"},"anchors":3,"breaks":[],"unlisted_breaks":0,"torn":{"line":2,"bytes":4,"sha256":"a11ae06469c63740d7b0ecf802f282a0d46e94f31a654dfcd3c0dc6dc277f904"}},{"chain":"web2","state":"broken","lines":1,"head":{"seq":1,"hash":"ca474fb9805e832431b4bfbaaa1ff6da396dbbabcf8b5c7693896fa061812646"},"anchors":1,"breaks":[{"line":1,"what":"it was changed or moved: its hash does not follow from the line before"},{"line":2,"what":"the end was cut off: the controller's journal (run 3f9a) knows line 9, and the last one here is 1"}],"unlisted_breaks":0,"torn":null},{"chain":"web3","state":"none"}]}
    "#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_view_passes_on_what_a_terminal_obeys_or_what_adds_a_line(text in "(?s)[\u{1b}\u{9b}\n\r\u{202e}a]{1,12}") {
        let views = |text: &str| {
            vec![
                history(&told(text), 20, &Paint::PLAIN),
                history_run(&unfinished(text), None, &Paint::PLAIN),
                json_text(&history_run_json(&unfinished(text)), false),
                target_runs(&HostJournals::from([(HostName::new(text), Err(text.to_owned()))]), 9, &Paint::PLAIN),
                target_run(&hosts(&text.replace('\n', "")), &Paint::PLAIN),
                proofs(&[(text.to_owned(), Proof::Unreachable(text.to_owned()))], &Paint::PLAIN),
            ]
        };
        for (hostile, calm) in views(&text).iter().zip(views("x")) {
            prop_assert!(!hostile.chars().any(|c| is_unseen(c) && c != '\n'), "{hostile:?}");
            prop_assert!(hostile.lines().count() <= calm.lines().count(), "{hostile}");
        }
    }
}
