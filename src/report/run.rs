//! Owns how a run ended, as people read it: what went wrong and why, what did happen all the same, and the recap.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::{cut, padded, visible, visible_line};
use super::json::to_json;
use super::notes::entry_json;
use super::words::{count, nothing_known, took};
use super::{Paint, Tone};
use crate::engine::{Outcome, RunReport};
use crate::model::{HostName, ResourceId};
use crate::plan::{NOT_REACHED, Outlook};

/// How a run ended, and how long it took if that is to be told.
pub struct RunView<'a> {
    /// How it ended.
    pub report: &'a RunReport,
    /// How long all of it took.
    pub took: Option<Duration>,
    /// How long each host took, as [`super::Progress::times`] has measured it; may be empty.
    pub times: &'a BTreeMap<HostName, Duration>,
    /// The plan that it followed, if what it closed of the ways in is to be told.
    pub outlook: Option<&'a Outlook>,
}

const COLUMNS: [&str; 7] = ["changed", "same", "passed", "failed", "skipped", "unknown", "healed"];

fn column(outcome: &Outcome) -> (usize, Tone) {
    match outcome {
        Outcome::Changed { .. } => (0, Tone::Change),
        Outcome::Same => (1, Tone::Dim),
        Outcome::Passed => (2, Tone::Good),
        Outcome::Failed { .. } => (3, Tone::Bad),
        Outcome::Skipped { .. } => (4, Tone::React),
        Outcome::Unknown { .. } => (5, Tone::Doubt),
        Outcome::Healed { .. } => (6, Tone::Bad),
    }
}

// A host that was not reached at all: what is declared there was not tried, and nobody knows how it is.
fn is_unknown(report: &RunReport, host: &HostName) -> bool {
    let untried = |(_, outcome): &(ResourceId, Outcome)| matches!(outcome, Outcome::Skipped { .. });
    report.unreachable.contains_key(host) && report.hosts.get(host).is_none_or(|all| all.iter().all(untried))
}

// How it went with the resources of a host. Those of a host that was not reached are unknown, and the host says why.
fn outcomes_of<'a>(report: &'a RunReport, host: &HostName) -> Vec<(&'a ResourceId, Cow<'a, Outcome>)> {
    let unknown = is_unknown(report, host);
    let all = report.hosts.get(host).into_iter().flatten();
    all.map(|(id, outcome)| match unknown {
        true => (id, Cow::Owned(Outcome::Unknown { why: NOT_REACHED.to_owned() })),
        false => (id, Cow::Borrowed(outcome)),
    })
    .collect()
}

/// The end of a run as text.
pub fn run(view: &RunView<'_>, paint: &Paint) -> String {
    let report = view.report;
    let mut text = String::new();
    for (host, why) in &report.unreachable {
        let told = format!("✗ {} was not reached: {}", visible(host.as_str()), visible(why));
        text.push_str(&format!("{}\n", paint.tone(Tone::Bad, &told)));
    }
    if !report.unreachable.is_empty() {
        text.push('\n');
    }
    for (host, outcomes) in &report.hosts {
        text.push_str(&trouble(host, outcomes, paint));
    }
    text.push_str(&skipped(report, paint));
    text.push_str(&table(view, paint));
    text.push('\n');
    text.push_str(&ending(view, paint));
    text
}

/// The end of a run as JSON.
pub fn run_json(view: &RunView<'_>) -> Value {
    let hosts: Vec<Value> = view
        .report
        .hosts
        .keys()
        .map(|host| {
            let outcomes = outcomes_of(view.report, host);
            let resources: Vec<Value> = outcomes
                .iter()
                .map(|(id, outcome)| {
                    let mut told = json!({ "id": id });
                    if let (Value::Object(told), Value::Object(more)) = (&mut told, to_json(outcome.as_ref())) {
                        told.extend(more);
                    }
                    told
                })
                .collect();
            let mut told = json!({ "host": host, "resources": resources, "totals": totals(tally(&outcomes)) });
            if let Some(entry) = view.report.entries.get(host) {
                told["entry"] = entry_json(entry);
            }
            if let Some(time) = view.times.get(host) {
                told["took_ms"] = json!(time.as_millis());
            }
            told
        })
        .collect();
    let mut told = json!({
        "format_version": "1.0",
        "kind": "run",
        "run": Some(&view.report.run).filter(|run| !run.is_empty()),
        "interrupted": view.report.interrupted,
        "hosts": hosts,
        "unreachable": to_json(&view.report.unreachable),
        "totals": totals(tally_of_all(view.report)),
    });
    // Only `--allow-lockout` lets such a plan run.
    let closed: Vec<Value> = view
        .outlook
        .into_iter()
        .flat_map(Outlook::closed_ways)
        .map(|(host, way)| json!({ "host": host, "way_in": to_json(way) }))
        .collect();
    if !closed.is_empty() {
        told["allowed_lockouts"] = Value::Array(closed);
    }
    if let Some(time) = view.took {
        told["took_ms"] = json!(time.as_millis());
    }
    told
}

fn tally(outcomes: &[(&ResourceId, Cow<'_, Outcome>)]) -> [usize; 7] {
    let mut tally = [0; 7];
    for (_, outcome) in outcomes {
        tally[column(outcome).0] += 1;
    }
    tally
}

fn tally_of_all(report: &RunReport) -> [usize; 7] {
    let mut all = [0; 7];
    for host in report.hosts.keys() {
        all.iter_mut().zip(tally(&outcomes_of(report, host))).for_each(|(all, one)| *all += one);
    }
    all
}

fn totals(tally: [usize; 7]) -> Value {
    COLUMNS.iter().zip(tally).map(|(name, number)| ((*name).to_owned(), json!(number))).collect()
}

// What went wrong on a host, and what had happened there until then.
fn trouble(host: &HostName, outcomes: &[(ResourceId, Outcome)], paint: &Paint) -> String {
    let mut text = String::new();
    let name = visible(host.as_str());
    for (id, outcome) in outcomes {
        let (sign, word, why, output): (_, _, _, &[String]) = match outcome {
            Outcome::Failed { why, output } => ("✗", "failed", why, output),
            Outcome::Unknown { why } => ("?", "cannot be judged", why, &[]),
            Outcome::Healed { why } => ("✗", "was taken back by the host", why, &[]),
            Outcome::Same | Outcome::Changed { .. } | Outcome::Passed | Outcome::Skipped { .. } => continue,
        };
        let head = format!("{sign} {name} / {} {word}", visible(&id.to_string()));
        text.push_str(&format!("{}\n", paint.tone(column(outcome).1, &head)));
        for line in why.lines() {
            text.push_str(&format!("    {}\n", visible(line)));
        }
        for line in output {
            text.push_str(&format!("    {} {}\n", paint.tone(Tone::Dim, "|"), cut(&visible_line(line), 400)));
        }
    }
    if text.is_empty() {
        return text;
    }
    let done: Vec<String> = outcomes
        .iter()
        .filter_map(|(id, outcome)| match outcome {
            Outcome::Changed { steps } => Some((id, steps)),
            _ => None,
        })
        .map(|(id, steps)| {
            let steps = visible(&steps.join("; "));
            let steps = if steps.is_empty() { steps } else { format!(" ({steps})") };
            format!("    {} {}{steps}\n", paint.tone(Tone::Good, "✓"), visible(&id.to_string()))
        })
        .collect();
    if done.is_empty() {
        text.push_str(&format!("  nothing else was changed on {name}\n"));
    } else {
        text.push_str(&format!("  changed on {name} all the same:\n{}", done.concat()));
    }
    text.push('\n');
    text
}

fn skipped(report: &RunReport, paint: &Paint) -> String {
    let mut causes: BTreeMap<&str, BTreeMap<&HostName, Vec<String>>> = BTreeMap::new();
    for (host, outcomes) in report.hosts.iter().filter(|(host, _)| !is_unknown(report, host)) {
        for (id, outcome) in outcomes {
            if let Outcome::Skipped { because } = outcome {
                let names = causes.entry(because).or_default().entry(host).or_default();
                names.push(visible(&id.to_string()));
            }
        }
    }
    let mut text = String::new();
    for (cause, hosts) in causes {
        text.push_str(&paint.tone(Tone::React, &format!("↷ skipped: {}", visible(cause))));
        text.push('\n');
        for (host, names) in hosts {
            text.push_str(&format!("    {}: {}\n", visible(host.as_str()), names.join(", ")));
        }
        text.push('\n');
    }
    text
}

fn table(view: &RunView<'_>, paint: &Paint) -> String {
    let hosts: BTreeSet<&HostName> = view.report.hosts.keys().chain(view.report.unreachable.keys()).collect();
    let names: Vec<String> = hosts.iter().map(|host| visible(host.as_str())).collect();
    let first = names.iter().map(|name| name.width()).chain([4]).max().unwrap_or(4);
    let timed = !view.times.is_empty();
    let mut head = padded("host", first);
    // Where not all columns fit, those that say nothing are left out.
    let all = first
        + COLUMNS.iter().map(|name| name.len() + 2).sum::<usize>()
        + if timed { 2 + "3 min 05 s".len() } else { 0 };
    let narrow = paint.width < Paint::PLAIN.width && all > paint.width;
    let totals = tally_of_all(view.report);
    let is_shown = |at: usize| !narrow || totals[at] > 0;
    head.extend((0..COLUMNS.len()).filter(|at| is_shown(*at)).map(|at| format!("  {}", COLUMNS[at])));
    head.push_str(if timed { "  time" } else { "" });
    let mut text = format!("{}\n", paint.tone(Tone::Bold, &head));
    for (host, name) in hosts.into_iter().zip(names) {
        text.push_str(&padded(&name, first));
        if is_unknown(view.report, host) {
            text.push_str(&format!("  {}\n", paint.tone(Tone::Bad, "not reached, so nothing is known")));
            continue;
        }
        let outcomes = outcomes_of(view.report, host);
        let mut tones = [Tone::Dim; 7];
        for (_, outcome) in &outcomes {
            let (at, tone) = column(outcome);
            tones[at] = tone;
        }
        for (at, ((title, number), tone)) in COLUMNS.iter().zip(tally(&outcomes)).zip(tones).enumerate() {
            if !is_shown(at) {
                continue;
            }
            text.push_str(&paint.tone(tone, &format!("{number:>width$}", width = title.len() + 2)));
        }
        if let Some(time) = view.times.get(host) {
            text.push_str(&format!("  {}", took(*time)));
        }
        if view.report.unreachable.contains_key(host) {
            text.push_str(&format!("  {}", paint.tone(Tone::Bad, "lost on the way")));
        }
        text.push('\n');
    }
    text
}

fn ending(view: &RunView<'_>, paint: &Paint) -> String {
    let report = view.report;
    let [changed, same, passed, failed, skipped, unknown, healed] = tally_of_all(report);
    let mut bad = Vec::new();
    for (number, words) in
        [(failed, "failed"), (healed, "taken back by the host"), (unknown, "unknown"), (skipped, "skipped")]
    {
        if number > 0 {
            bad.push(format!("{number} {words}"));
        }
    }
    if !report.unreachable.is_empty() {
        bad.push(format!("{} not reached", count(report.unreachable.len(), "host", "hosts")));
    }
    let mut good = vec![format!("{changed} changed"), format!("{same} as declared before")];
    if passed > 0 {
        good.push(count(passed, "check passed", "checks passed"));
    }
    let time = view.took.map(|time| format!(" in {}", took(time))).unwrap_or_default();
    let run = if report.run.is_empty() { String::new() } else { format!(" (run {})", visible(&report.run)) };
    let (word, tone) = match (report.interrupted, bad.is_empty()) {
        (true, _) => ("Interrupted:", Tone::Bad),
        (false, true) => ("Done:", Tone::Good),
        (false, false) => ("Not all is done:", Tone::Bad),
    };
    let parts: Vec<String> = bad.iter().cloned().chain(good).collect();
    let mut text = format!("{} {}{time}{run}.\n", paint.tone(tone, word), parts.join(", "));
    let name = visible(&report.run);
    for host in &report.checkpoints {
        let host = visible(host.as_str());
        let told = format!(
            "{host} waits {} s for a person: `rempart commit` keeps the change, `rempart rollback` takes it back",
            report.window
        );
        text.push_str(&format!("{}\n", paint.tone(Tone::Change, &format!("! {told}"))));
    }
    if report.checkpoints.is_empty()
        && changed + failed > 0
        && (!bad.is_empty() || report.interrupted)
        && !report.run.is_empty()
    {
        text.push_str(&format!(
            "What was done: rempart history show {name}. To take it back: rempart rollback {name}.\n"
        ));
    }
    let lost: Vec<&HostName> = report.unreachable.keys().filter(|host| is_unknown(report, host)).collect();
    let resources = lost.iter().filter_map(|host| report.hosts.get(*host)).map(Vec::len).sum();
    let told = nothing_known(&lost, resources).map(|told| paint.tone(Tone::Bad, &told) + "\n");
    text + &told.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockout::Ruling;
    use crate::report::escape::is_unseen;

    fn bad_run() -> RunReport {
        let id = ResourceId::new;
        let because = || "template:/etc/squid/squid.conf failed".to_owned();
        let skipped = || Outcome::Skipped { because: because() };
        let failed = Outcome::Failed {
            why: "write /etc/squid/squid.conf: the step ended with status 1".into(),
            output: vec!["squid: \x1b[31mbad\x1b[0m line 3".into(), "\tacl".into()],
        };
        let web = vec![
            (id("package_apt", "squid"), Outcome::Changed { steps: vec!["install squid".into()] }),
            (id("user", "ollama"), Outcome::Same),
            (id("template", "/etc/squid/squid.conf"), failed),
            (id("systemd_unit", "squid"), skipped()),
            (id("http_probe", "proxy"), skipped()),
        ];
        let db = vec![
            (id("firewall_ufw", "main"), Outcome::Healed { why: "no fresh connection within 30 s".into() }),
            (id("sshd", "main"), Outcome::Unknown { why: "sshd -T gave no answer".into() }),
            (id("http_probe", "proxy"), skipped()),
        ];
        let calm = vec![(id("user", "ollama"), Outcome::Same), (id("port_scan", "all"), Outcome::Passed)];
        let lost = || Outcome::Skipped { because: "old1 could not be reached: no route to host".into() };
        let old = vec![(id("user", "ollama"), lost()), (id("user", "admin"), lost())];
        let hosts = [("web1", web), ("db1", db), ("calm1", calm), ("old1", old)];
        RunReport {
            run: "r12".into(),
            hosts: hosts.into_iter().map(|(name, outcomes)| (HostName::new(name), outcomes)).collect(),
            unreachable: BTreeMap::from([(HostName::new("old1"), "no route to host".into())]),
            checkpoints: BTreeSet::new(),
            window: 45,
            interrupted: false,
            entries: BTreeMap::new(),
        }
    }

    fn shown(report: &RunReport, paint: &Paint) -> String {
        let times = BTreeMap::from([(HostName::new("web1"), Duration::from_millis(4_210))]);
        run(&RunView { report, took: Some(Duration::from_secs(75)), times: &times, outlook: None }, paint)
    }

    #[test]
    fn a_run_that_went_wrong() {
        let text = shown(&bad_run(), &Paint::PLAIN);
        assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'));
        insta::assert_snapshot!(text, @r"
        ✗ old1 was not reached: no route to host

        ✗ db1 / firewall_ufw:main was taken back by the host
            no fresh connection within 30 s
        ? db1 / sshd:main cannot be judged
            sshd -T gave no answer
          nothing else was changed on db1

        ✗ web1 / template:/etc/squid/squid.conf failed
            write /etc/squid/squid.conf: the step ended with status 1
            | squid: \u{1b}[31mbad\u{1b}[0m line 3
            |     acl
          changed on web1 all the same:
            ✓ package_apt:squid (install squid)

        ↷ skipped: template:/etc/squid/squid.conf failed
            db1: http_probe:proxy
            web1: systemd_unit:squid, http_probe:proxy

        host   changed  same  passed  failed  skipped  unknown  healed  time
        calm1        0     1       1       0        0        0       0
        db1          0     0       0       0        1        1       1
        old1   not reached, so nothing is known
        web1         1     1       0       1        2        0       0  4.2 s

        Not all is done: 1 failed, 1 taken back by the host, 3 unknown, 3 skipped, 1 host not reached, 1 changed, 2 as declared before, 1 check passed in 75 s (run r12).
        What was done: rempart history show r12. To take it back: rempart rollback r12.
        Nothing is known about old1: it was not reached, and its 2 resources are unknown.
        ");
    }

    #[test]
    fn a_run_that_went_well_on_a_terminal() {
        let mut report = bad_run();
        report.unreachable.clear();
        report.hosts.retain(|host, _| host.as_str() == "calm1");
        let text = shown(&report, &Paint { colour: true, ..Paint::PLAIN });
        insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r"
        ESC[1mhost   changed  same  passed  failed  skipped  unknown  healed  timeESC[0m
        calm1ESC[2m        0ESC[0mESC[2m     1ESC[0mESC[32m       1ESC[0mESC[2m       0ESC[0mESC[2m        0ESC[0mESC[2m        0ESC[0mESC[2m       0ESC[0m

        ESC[32mDone:ESC[0m 0 changed, 1 as declared before, 1 check passed in 75 s (run r12).
        ");
    }

    #[test]
    fn a_host_that_nobody_could_reach_says_why_once_and_all_of_it_is_unknown() {
        let report = bad_run();
        let text = shown(&report, &Paint::PLAIN);
        assert_eq!(text.matches("no route to host").count(), 1, "{text}");
        let told = "Nothing is known about old1: it was not reached, and its 2 resources are unknown.\n";
        assert!(text.ends_with(told), "{text}");
        let json = run_json(&RunView { report: &report, took: None, times: &BTreeMap::new(), outlook: None });
        let old = json["hosts"].as_array().unwrap().iter().find(|host| host["host"] == "old1").unwrap();
        assert_eq!(old["resources"][0]["outcome"], "unknown");
        assert_eq!((&old["totals"]["unknown"], &old["totals"]["skipped"]), (&json!(2), &json!(0)));
        assert_eq!(json.to_string().matches("no route to host").count(), 1, "{json}");
        assert_eq!(report.exit(), crate::model::Exit::Healed);
        // One that was lost on the way has outcomes of its own.
        let mut report = report;
        report.hosts.get_mut(&HostName::new("old1")).unwrap()[0].1 = Outcome::Passed;
        let text = shown(&report, &Paint::PLAIN);
        assert!(text.contains("lost on the way") && !text.contains("Nothing is known"), "{text}");
    }

    #[test]
    fn on_a_narrow_terminal_columns_that_say_nothing_are_left_out() {
        let mut report = bad_run();
        report.hosts.retain(|host, _| host.as_str() == "calm1");
        report.unreachable.clear();
        let text = shown(&report, &Paint { width: 50, ..Paint::PLAIN });
        assert!(text.starts_with("host   same  passed  time\ncalm1     1       1\n"), "{text}");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let colour = shown(&bad_run(), &Paint { colour: true, ..Paint::PLAIN });
        assert_eq!(anstream::adapter::strip_str(&colour).to_string(), shown(&bad_run(), &Paint::PLAIN));
    }

    #[test]
    fn a_run_that_was_told_to_close_a_way_in_says_so() {
        let mut outlook = crate::report::samples::outlook();
        let told = |outlook: &Outlook| {
            run_json(&RunView { report: &bad_run(), took: None, times: &BTreeMap::new(), outlook: Some(outlook) })
        };
        outlook.hosts[0].way_in = Some(crate::report::samples::way_in(Ruling::Undecided));
        assert!(told(&outlook).get("allowed_lockouts").is_none());
        outlook.hosts[0].way_in = Some(crate::report::samples::way_in(Ruling::Closed));
        let told = told(&outlook);
        assert_eq!(told["allowed_lockouts"][0]["host"], outlook.hosts[0].host.as_str());
        assert_eq!(told["allowed_lockouts"][0]["way_in"]["verdicts"][0]["ruling"], "closed");
    }

    #[test]
    fn a_run_as_json() {
        let report = bad_run();
        let told = run_json(&RunView { report: &report, took: None, times: &BTreeMap::new(), outlook: None });
        insta::assert_snapshot!(crate::report::json_text(&told, false), @r#"{"format_version":"1.0","kind":"run","run":"r12","interrupted":false,"hosts":[{"host":"calm1","resources":[{"id":"user:ollama","outcome":"same"},{"id":"port_scan:all","outcome":"passed"}],"totals":{"changed":0,"same":1,"passed":1,"failed":0,"skipped":0,"unknown":0,"healed":0}},{"host":"db1","resources":[{"id":"firewall_ufw:main","outcome":"healed","why":"no fresh connection within 30 s"},{"id":"sshd:main","outcome":"unknown","why":"sshd -T gave no answer"},{"id":"http_probe:proxy","outcome":"skipped","because":"template:/etc/squid/squid.conf failed"}],"totals":{"changed":0,"same":0,"passed":0,"failed":0,"skipped":1,"unknown":1,"healed":1}},{"host":"old1","resources":[{"id":"user:ollama","outcome":"unknown","why":"its host was not reached"},{"id":"user:admin","outcome":"unknown","why":"its host was not reached"}],"totals":{"changed":0,"same":0,"passed":0,"failed":0,"skipped":0,"unknown":2,"healed":0}},{"host":"web1","resources":[{"id":"package_apt:squid","outcome":"changed","steps":["install squid"]},{"id":"user:ollama","outcome":"same"},{"id":"template:/etc/squid/squid.conf","outcome":"failed","why":"write /etc/squid/squid.conf: the step ended with status 1","output":["squid: \u001b[31mbad\u001b[0m line 3","\tacl"]},{"id":"systemd_unit:squid","outcome":"skipped","because":"template:/etc/squid/squid.conf failed"},{"id":"http_probe:proxy","outcome":"skipped","because":"template:/etc/squid/squid.conf failed"}],"totals":{"changed":1,"same":1,"passed":0,"failed":1,"skipped":2,"unknown":0,"healed":0}}],"unreachable":{"old1":"no route to host"},"totals":{"changed":1,"same":2,"passed":1,"failed":1,"skipped":3,"unknown":3,"healed":1}}"#);
    }
}
