use std::fs;

use super::chain::chain;
use crate::history::{
    Anchor, ApprovedChange, EndEvent, Event, Fault, GuardEnd, History, IntentEvent, Journal, NoSuchRun, ResultEvent,
    RunEvent, RunSelection, RunTotals, RunVerb, StepIntent, StepResult, TargetWord, check_target, parse_target, read,
};
use crate::model::HostName;

fn web() -> HostName {
    HostName::new("web1")
}

fn start(run: &str, ids: &[&str], resumes: Option<&str>) -> Event {
    let change = |id: &&str| ApprovedChange { host: web(), id: (*id).into(), act: "create".into(), fields: Vec::new() };
    Event::Run(Box::new(RunEvent {
        run: run.into(),
        verb: RunVerb::Apply,
        who: "ops@control".into(),
        why: String::new(),
        playbooks: Vec::new(),
        inventories: Vec::new(),
        selection: RunSelection::default(),
        set_names: Vec::new(),
        approved: ids.iter().map(change).collect(),
        resumes: resumes.map(str::to_owned),
        allowed_lockouts: Vec::new(),
    }))
}

fn intent(run: &str, batch: usize, ids: &[&str]) -> Event {
    let step = |id: &&str| StepIntent { ids: vec![(*id).into()], title: format!("make {id}"), risky: false };
    Event::Intent(IntentEvent { run: run.into(), host: web(), batch, steps: ids.iter().map(step).collect() })
}

fn result(run: &str, batch: usize, steps: Vec<StepResult>, guard: Option<GuardEnd>, seq: u64) -> Event {
    let head = Some(format!("{seq:064x}"));
    Event::Result(ResultEvent {
        run: run.into(),
        host: web(),
        batch,
        steps,
        armed: guard.is_some(),
        guard,
        head,
        seq: Some(seq),
    })
}

fn end(run: &str, exit: u8) -> Event {
    Event::End(EndEvent { run: run.into(), exit, totals: RunTotals { changed: 7, ..RunTotals::default() } })
}

fn written(events: &[Event]) -> History {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let journal = Journal::open(&state).unwrap();
    for event in events {
        journal.append(event).unwrap();
    }
    read(&state).unwrap()
}

fn not_done(history: &History, run: &str) -> Vec<String> {
    history.find(run).unwrap().not_done().into_iter().map(|change| change.id.clone()).collect()
}

#[test]
fn a_run_is_put_together_from_its_lines_though_others_are_in_between() {
    let history = written(&[
        start("aa11", &["file:a", "file:b", "file:c", "file:d"], None),
        start("aa22", &["file:x"], Some("aa11")),
        intent("aa11", 1, &["file:a", "file:b"]),
        intent("aa22", 1, &["file:x"]),
        result("aa11", 1, vec![StepResult::done(), StepResult::failed("status 1")], None, 5),
        result("aa22", 1, vec![StepResult::done()], None, 8),
        intent("aa11", 2, &["file:c"]),
        end("aa22", 0),
    ]);
    assert!(history.checked.is_whole() && history.unreadable.is_empty());
    let run = history.find("aa1").unwrap();
    assert!(run.is_unfinished());
    assert_eq!((run.changed(), run.failed()), (1, 1));
    assert_eq!(not_done(&history, "aa11"), ["file:b", "file:c", "file:d"]);
    let web = web();
    let batches: Vec<_> = run.batches_of(&web).map(|batch| (batch.number, batch.is_open())).collect();
    assert_eq!(batches, [(1, false), (2, true)]);
    assert_eq!(not_done(&history, "aa22"), [""; 0]);
    assert_eq!(history.find("aa22").unwrap().changed(), 7, "what the end says counts");
    assert_eq!(history.follower("aa11").unwrap().number, "aa22");
    assert_eq!(history.find("aa"), Err(NoSuchRun::Several(vec!["aa11".into(), "aa22".into()])));
    assert_eq!(history.find("b"), Err(NoSuchRun::Unknown));
    assert_eq!(history.find("aa12"), Err(NoSuchRun::Near("aa11".into())));
    assert_eq!(history.find("ffff"), Err(NoSuchRun::Unknown));
    let anchors: Vec<(u64, String)> =
        history.anchors(&web).into_iter().map(|anchor| (anchor.seq, anchor.run)).collect();
    assert_eq!(anchors, [(5, "aa11".into()), (8, "aa22".into())]);
    assert_eq!(history.last_run_on(&web), Some("aa22"));
    assert_eq!(history.last_run_on(&HostName::new("web2")), None);
}

#[test]
fn what_a_host_took_back_was_not_done() {
    let history = written(&[
        start("aa11", &["sshd:main", "file:a"], None),
        intent("aa11", 1, &["sshd:main"]),
        result("aa11", 1, vec![StepResult::done()], Some(GuardEnd::Healed), 5),
        intent("aa11", 2, &["file:a"]),
        result("aa11", 2, vec![StepResult::done()], None, 6),
    ]);
    assert_eq!(not_done(&history, "aa11"), ["sshd:main"]);
    assert_eq!((history.runs[0].changed(), history.runs[0].failed()), (1, 1));
}

#[test]
fn a_checkpoint_waits_until_a_later_run_settles_it() {
    let mut events = vec![
        start("aa11", &["sshd:main"], None),
        intent("aa11", 1, &["sshd:main"]),
        result("aa11", 1, vec![StepResult::done()], Some(GuardEnd::Waiting), 5),
        end("aa11", 0),
    ];
    let guard = |events: &[Event]| written(events).runs[0].batches[0].guard;
    assert_eq!(guard(&events), Some(GuardEnd::Waiting));
    events.push(result("bb22", 0, Vec::new(), Some(GuardEnd::Unknown), 6));
    assert_eq!(guard(&events), Some(GuardEnd::Waiting));
    events.push(result("cc33", 0, Vec::new(), Some(GuardEnd::Healed), 7));
    assert_eq!(guard(&events), Some(GuardEnd::Healed));
}

#[test]
fn lines_that_are_gone_leave_what_the_others_say() {
    let history = written(&[result("aa11", 1, vec![StepResult::done()], None, 5), end("bb22", 0)]);
    let run = history.find("aa11").unwrap();
    assert!(run.start.is_none() && run.is_unfinished() && run.not_done().is_empty());
    assert_eq!((run.batches.len(), run.batches[0].intent), (1, None));
    assert!(history.find("bb22").unwrap().start.is_none());
}

#[test]
fn a_line_that_is_no_event_is_named_and_an_event_of_a_later_version_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let lines = chain(&["7\t{\"event\":\"checkpoint\"}".into(), "7\t{\"event\":\"end\"}".into(), "x\t{}".into()]);
    fs::write(folder.path().join("journal"), lines.join("\n") + "\n").unwrap();
    let history = read(folder.path()).unwrap();
    assert_eq!((history.unreadable.as_slice(), history.runs.len()), (&[2, 3][..], 0));
}

#[test]
fn thousands_of_runs_are_read_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let mut texts = Vec::new();
    for number in 0..5000 {
        for event in [start(&format!("r{number}"), &["file:a"], None), intent(&format!("r{number}"), 1, &["file:a"])] {
            texts.push(format!("7\t{}", serde_json::to_string(&event).unwrap()));
        }
    }
    let lines = chain(&texts);
    fs::write(folder.path().join("journal"), lines.join("\n") + "\n").unwrap();
    fs::write(folder.path().join("journal.head"), format!("10000 {}\n", &lines[9999][..64])).unwrap();
    let history = read(folder.path()).unwrap();
    assert_eq!(history.runs.len(), 5000);
    assert!(history.checked.is_whole());
    // Opening looks at the end alone.
    Journal::open(folder.path()).unwrap().append(&end("r1", 0)).unwrap();
    assert!(read(folder.path()).unwrap().checked.is_whole());
}

fn target() -> Vec<String> {
    chain(
        &[
            "10\trun1\t0\topen\t-\tops@control: site.yaml: why",
            "11\trun1\t1\tintent\t1\tfile:/etc/a, line:/b,c | write a | b",
            "12\trun1\t1\tdone\t1\t",
            "13\trun1\t1\tintent\t2\tsshd:main | restart",
            "14\trun1\t1\tarmed\t-\tcommit",
            "15\trun1\t1\tfail\t2\t9",
            "16\trun1\t1\tskip\t3\t2",
            "17\t-\t-\ttorn\t-\t3 abc",
            "18\trun1\t1\tend\t-\t",
            "19\trun2\t1\tintent\t1\tfile:/x | x",
            "20\trun1\t0\tclose\t-\t",
            "21\trun2\t1\tlater\t-\tsomething",
        ]
        .map(str::to_owned),
    )
}

#[test]
fn a_target_tells_its_runs() {
    let text = target().join("\n") + "\nhalf a li";
    let journal = parse_target(text.as_bytes());
    assert_eq!((journal.entries.len(), journal.unreadable.len()), (12, 0));
    let runs = journal.runs();
    assert_eq!(runs.len(), 2);
    let first = &runs[0];
    assert_eq!((first.began, first.closed, first.batches[0].ended), (10, Some(20), Some(18)));
    let steps = &first.batches[0].steps;
    assert_eq!(steps[0].ids, ["file:/etc/a", "line:/b,c"]);
    assert_eq!((steps[0].title.as_str(), steps[0].intent), ("write a | b", Some(11)));
    let ends: Vec<_> = steps.iter().map(|step| step.end.as_ref().map(|end| end.word.clone()).unwrap()).collect();
    assert_eq!(ends, [TargetWord::Done, TargetWord::Fail, TargetWord::Skip]);
    assert_eq!(first.batches[0].guard.len(), 1);
    assert!(runs[1].is_unfinished() && runs[1].batches[0].steps[0].end.is_none());
    // A part of it is told as well.
    let tail = target()[8..].join("\n") + "\n";
    assert_eq!(parse_target(tail.as_bytes()).runs().len(), 2);
    assert_eq!(parse_target(b"").entries, []);
    for garbled in ["", "x", "0\t1\t2", &target()[0].replace("\t0\topen", "\tnone\topen")] {
        let journal = parse_target(format!("{garbled}\n{}\n", target()[0]).as_bytes());
        assert_eq!(journal.unreadable, [1], "{garbled:?}");
    }
}

#[test]
fn the_journal_of_a_target_is_held_against_what_the_controller_remembers() {
    let lines = target();
    let text = lines.join("\n") + "\n";
    let anchor = |at: usize| Anchor { seq: at as u64, hash: lines[at - 1][..64].into(), run: "run1".into() };
    let anchors = [anchor(9), anchor(11)];
    let told = |journal: Option<&str>, anchors: &[Anchor], last: Option<&str>| {
        let checked = check_target(journal.map(str::as_bytes), anchors, last);
        checked.breaks.into_iter().map(|found| found.fault).collect::<Vec<_>>()
    };
    assert_eq!(told(Some(&text), &anchors, Some("run1")), []);
    assert_eq!(told(None, &[], None), []);
    assert!(matches!(&told(None, &anchors, None)[..], [Fault::NoJournal { .. }]));
    assert!(matches!(&told(None, &[], Some("run1"))[..], [Fault::NoJournal { .. }]));
    assert!(matches!(&told(Some(""), &[], Some("run1"))[..], [Fault::NoJournal { .. }]));
    assert!(matches!(&told(Some(""), &anchors, Some("run1"))[..], [Fault::CutOff { last: 0, known: 11, .. }]));
    // A tail that was removed, whether at a line's end or in the middle of one.
    let cut = lines[..10].join("\n") + "\n" + &lines[10];
    assert!(matches!(&told(Some(&cut), &anchors, None)[..], [Fault::CutOff { last: 10, known: 11, .. }]));
    // A chain that was made anew from the third line on.
    let mut texts: Vec<String> = lines.iter().map(|line| line.splitn(3, '\t').nth(2).unwrap().to_owned()).collect();
    texts[2] = texts[2].replace("done", "fail");
    let forged = chain(&texts).join("\n") + "\n";
    assert!(matches!(&told(Some(&forged), &anchors, None)[..], [Fault::Rewritten { later: 1, .. }]));
    assert_eq!(told(Some(&forged), &[], None), [], "nothing in the chain itself shows it");
}
