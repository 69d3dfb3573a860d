//! What holds for every view: text of strangers neither reaches the terminal as it is nor adds a line.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::escape::is_unseen;
use super::*;
use crate::engine::{Healed, Holder, HostNote, Outcome, PastLine, PastRun, RunReport};
use crate::model::{HostName, Phase, ResourceId};
use crate::plan::{Act, DiffLine, FieldDelta, Outlook, Shown};
use crate::transport::{Entry, Passed};

const HOSTILE: &str = "(?s)([\u{1b}\r\n\t\u{9b}\u{202e}\u{7f}\"\\\\\u{0}]|[a-z ]|.){0,24}";

fn fleet(text: &str) -> (Outlook, Notes, RunReport) {
    let value = || Shown::Value(serde_json::json!([text, { text: text }]));
    let lines = ['+', '-', ' ', '@'].map(|sign| DiffLine { sign, text: text.into() }).into();
    let field = FieldDelta { field: text.into(), from: Shown::Hidden(text.into()), to: value(), diff: Vec::new() };
    let long = FieldDelta { field: text.into(), from: Shown::LongText, to: Shown::LongText, diff: lines };
    let fields = || vec![field.clone(), long.clone()];
    let acts = vec![
        Act::Create { fields: fields() },
        Act::Change { fields: fields() },
        Act::Finding { fields: fields() },
        Act::React { reaction: "restart", because: ResourceId::new("file", text) },
        Act::Remove,
        Act::CheckLater,
        Act::Same,
    ];
    let mut resources: Vec<_> =
        acts.into_iter().map(|act| samples::planned(Phase::Tests, "file", text, 1, act)).collect();
    for planned in &mut resources {
        planned.place = text.into();
        planned.after = Some(ResourceId::new("file", text));
        planned.controls = vec![text.into()];
    }
    let mut lost = samples::host("lost", Vec::new());
    lost.unreachable = Some(text.into());
    let outlook = Outlook { hosts: vec![samples::host(text, resources), lost] };
    let line = |word: &str, text: &str| PastLine {
        batch: text.into(),
        word: word.into(),
        step: text.into(),
        text: format!("file:x | {text}"),
    };
    let entry = || Entry { at: 1, way: text.into(), passed: vec![Passed { way: text.into(), why: text.into() }] };
    let note = HostNote {
        unfinished: Some(PastRun {
            run: text.into(),
            lines: ["intent", "fail", "skip"].map(|word| line(word, text)).into(),
        }),
        healed: Some(Healed { at: 7, by: text.into(), differs: vec![text.into()] }),
        waiting: Some((7, text.into())),
        held: Some(Holder { run: text.into(), who: text.into(), since: None, why: text.into() }),
        entry: Some(entry()),
    };
    let outcomes = vec![
        Outcome::Changed { steps: vec![text.into()] },
        Outcome::Failed { why: text.replace('\n', ""), output: vec![text.into()] },
        Outcome::Skipped { because: text.into() },
    ];
    let host = HostName::new(text);
    let outcomes = outcomes.into_iter().map(|outcome| (ResourceId::new("file", text), outcome)).collect();
    let report = RunReport {
        run: text.into(),
        hosts: BTreeMap::from([(host.clone(), outcomes)]),
        unreachable: BTreeMap::from([(HostName::new("lost"), text.into())]),
        checkpoints: [host.clone()].into(),
        window: 600,
        interrupted: false,
        entries: BTreeMap::from([(host.clone(), entry())]),
    };
    (outlook, Notes::from([(host, note)]), report)
}

fn views(text: &str) -> Vec<String> {
    let (outlook, notes, report) = fleet(text);
    let view = PlanView { outlook: &outlook, notes: &notes, all: true };
    let times = BTreeMap::new();
    let ended = RunView { report: &report, took: Some(Duration::from_secs(1)), times: &times, outlook: None };
    let json = [plan_json(&outlook, &notes), drift_json(&outlook, &notes), run_json(&ended)];
    let mut views = vec![plan(&view, &Paint::PLAIN), drift(&view, &Paint::PLAIN), run(&ended, &Paint::PLAIN)];
    views.extend(json.iter().map(|value| json_text(value, false)));
    views
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_view_passes_on_what_a_terminal_obeys_or_what_adds_a_line(text in HOSTILE) {
        for (hostile, calm) in views(&text).iter().zip(views("x")) {
            prop_assert!(!hostile.chars().any(|c| is_unseen(c) && c != '\n'), "{hostile:?}");
            // A value that is wide goes on lines of its own, and an empty reason has none; nothing else may differ.
            prop_assert!(hostile.lines().count() <= calm.lines().count() + 4, "{hostile}");
        }
        for json in &views(&text)[3..] {
            prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
        }
    }
}
