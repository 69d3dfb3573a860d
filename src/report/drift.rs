//! Owns drift as people read it: the same value as a plan, told from the side of the host.
//!
//! `-` is what is declared and not there, `+` what is there and not declared, in signs as in diffs: a read-only run
//! says what happened to the host, not what would be done about it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::visible;
use super::fields::{drifted_fields, turned};
use super::json::to_json;
use super::leftovers::{leftovers, leftovers_to_remove};
use super::notes::{Notes, notes, notes_json};
use super::plan::unknown_hosts;
use super::words::{count, with_place};
use super::{Paint, PlanView, Tone};
use crate::plan::{Act, FieldDelta, HostOutlook, Outlook, Planned};

/// What a resource is found to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    AsDeclared,
    Missing,
    Differs,
    Unwanted,
    DoesNotHold,
    Unknown,
    NotJudged,
    Follows,
}

impl State {
    fn of(act: &Act) -> State {
        match act {
            Act::Same => State::AsDeclared,
            Act::Create { .. } => State::Missing,
            Act::Change { .. } => State::Differs,
            Act::Remove => State::Unwanted,
            Act::Finding { .. } => State::DoesNotHold,
            Act::Unknown { .. } => State::Unknown,
            Act::CheckLater => State::NotJudged,
            Act::React { .. } => State::Follows,
        }
    }

    // The sign, its tone, the words in text, and the word in JSON.
    fn look(self) -> (&'static str, Tone, &'static str, &'static str) {
        match self {
            State::AsDeclared => ("=", Tone::Dim, "is as declared", "as_declared"),
            State::Missing => ("-", Tone::Bad, "is missing", "missing"),
            State::Differs => ("~", Tone::Change, "differs", "differs"),
            State::Unwanted => ("+", Tone::Bad, "is there, and should not be", "unwanted"),
            State::DoesNotHold => ("!", Tone::Bad, "does not hold", "does_not_hold"),
            State::Unknown => ("?", Tone::Doubt, "cannot be judged", "unknown"),
            State::NotJudged => ("…", Tone::React, "is not judged while others differ", "not_judged"),
            State::Follows => ("↻", Tone::React, "is as declared", "as_declared"),
        }
    }
}

#[derive(Default)]
struct Counts {
    differ: usize,
    hosts: BTreeSet<String>,
    findings: usize,
    unknown: usize,
    not_judged: usize,
    fine: usize,
    unreachable: usize,
    orphans: usize,
}

/// The drift as text.
pub fn drift(view: &PlanView<'_>, paint: &Paint) -> String {
    let mut text = notes(view.notes, paint);
    if !text.is_empty() {
        text.push('\n');
    }
    for host in &view.outlook.hosts {
        let name = visible(host.host.as_str());
        if let Some(why) = &host.unreachable {
            let told = format!("? {name} was not reached: {}", visible(why));
            text.push_str(&format!("{}\n\n", paint.tone(Tone::Bad, &told)));
        }
        for planned in &host.resources {
            let listed = host.unreachable.is_none() && State::of(&planned.act) != State::AsDeclared;
            if view.all || listed {
                text.push_str(&resource(&name, planned, paint));
            }
        }
        for line in leftovers(&host.left, &format!("{name} / "), paint) {
            text.push_str(&format!("{line}\n\n"));
        }
    }
    text.push_str(&ending(&counts(view.outlook), view.outlook.hosts.len(), view.outlook.not_judged(), paint));
    text + &unknown_hosts(view.outlook, paint)
}

/// The drift as JSON. In a `diff`, `-` is wanted and not found, `+` is found and not wanted.
pub fn drift_json(outlook: &Outlook, notes: &Notes) -> Value {
    let counts = counts(outlook);
    json!({
        "format_version": "1.0",
        "kind": "drift",
        "hosts": outlook.hosts.iter().map(host_json).collect::<Vec<_>>(),
        "notes": notes_json(notes),
        "totals": {
            "differ": counts.differ,
            "findings": counts.findings,
            "unknown": counts.unknown,
            "not_judged": counts.not_judged,
            "as_declared": counts.fine,
            "unreachable": counts.unreachable,
            "orphans": counts.orphans,
        },
    })
}

fn host_json(host: &HostOutlook) -> Value {
    let resources: Vec<Value> = host.resources.iter().map(resource_json).collect();
    let mut told = json!({ "host": host.host, "resources": resources });
    if let Some(why) = &host.unreachable {
        told["unreachable"] = json!(why);
    }
    if let (Value::Object(left), Some(told)) = (to_json(&host.left), told.as_object_mut()) {
        told.extend(left);
    }
    told
}

fn resource_json(planned: &Planned) -> Value {
    let (_, _, _, state) = State::of(&planned.act).look();
    let mut told = json!({ "id": planned.id, "phase": planned.phase, "place": planned.place, "state": state });
    match &planned.act {
        Act::Create { fields } | Act::Change { fields } | Act::Finding { fields } => {
            told["fields"] = fields.iter().map(field_json).collect();
        }
        Act::Unknown { why } => told["why"] = json!(why),
        Act::Same | Act::Remove | Act::React { .. } | Act::CheckLater => {}
    }
    if !planned.controls.is_empty() {
        told["controls"] = json!(planned.controls);
    }
    told
}

fn field_json(delta: &FieldDelta) -> Value {
    let mut told = json!({ "field": delta.field, "wanted": to_json(&delta.to), "found": to_json(&delta.from) });
    if !delta.diff.is_empty() {
        told["diff"] = to_json(&turned(&delta.diff));
    }
    told
}

fn counts(outlook: &Outlook) -> Counts {
    let mut counts = Counts::default();
    for host in &outlook.hosts {
        counts.unreachable += usize::from(host.unreachable.is_some());
        counts.orphans += host.left.orphans.len();
        for planned in &host.resources {
            match State::of(&planned.act) {
                State::Missing | State::Differs | State::Unwanted => {
                    counts.differ += 1;
                    counts.hosts.insert(host.host.as_str().to_owned());
                }
                State::DoesNotHold => counts.findings += 1,
                State::Unknown => counts.unknown += 1,
                State::NotJudged => counts.not_judged += 1,
                State::AsDeclared | State::Follows => counts.fine += 1,
            }
        }
    }
    counts
}

fn resource(host: &str, planned: &Planned, paint: &Paint) -> String {
    let (sign, tone, words, _) = State::of(&planned.act).look();
    let name = format!("{host} / {}", visible(&planned.id.to_string()));
    let words = match &planned.act {
        Act::React { reaction, because } => {
            format!("{words}, but must {reaction} once {} is mended", visible(&because.to_string()))
        }
        _ => words.to_owned(),
    };
    let width = format!("{sign} {name} {words}").width();
    let mut place = visible(&planned.place);
    if !planned.controls.is_empty() {
        place.push_str(&format!("  [{}]", visible(&planned.controls.join(", "))));
    }
    let line = format!("{} {} {words}", paint.tone(tone, sign), paint.tone(Tone::Bold, &name));
    let mut text = with_place(&line, width, &place, 4, paint) + "\n";
    let below = match &planned.act {
        // What is gone as a whole needs no list of what it had.
        Act::Change { fields } | Act::Finding { fields } => drifted_fields(fields, paint),
        Act::Unknown { why } => why.lines().map(visible).collect(),
        Act::Create { .. } | Act::Same | Act::Remove | Act::React { .. } | Act::CheckLater => Vec::new(),
    };
    for line in below {
        text.push_str(&format!("    {line}\n"));
    }
    text.push('\n');
    text
}

fn ending(counts: &Counts, hosts: usize, not_judgeable: usize, paint: &Paint) -> String {
    let Counts { differ, findings, unknown, not_judged, fine, unreachable, orphans, .. } = *counts;
    let all = differ + findings + unknown + not_judged + fine;
    if all == 0 && unreachable + orphans == 0 {
        return "Nothing is declared for these hosts.\n".to_owned();
    }
    if all == fine && unreachable + orphans == 0 {
        let (what, on) = (count(fine, "resource", "resources"), count(hosts, "host", "hosts"));
        let are = if fine == 1 { "is" } else { "are" };
        return format!("{} {what} on {on} {are} as declared.\n", paint.tone(Tone::Good, "No drift:"));
    }
    let mut text = if differ > 0 {
        let (what, on) = (count(differ, "resource", "resources"), count(counts.hosts.len(), "host", "hosts"));
        let verb = if differ == 1 { "differs" } else { "differ" };
        format!("{} {what} on {on} {verb}.\n", paint.tone(Tone::Bad, "Drift:"))
    } else if unreachable == hosts {
        paint.tone(Tone::Bad, "Whether anything differs is not known.") + "\n"
    } else {
        "No resource is known to differ, but that is not all:\n".to_owned()
    };
    for (number, tone, one, many) in [
        (findings, Tone::Bad, "check does not hold.", "checks do not hold."),
        (not_judgeable, Tone::Doubt, "resource cannot be judged.", "resources cannot be judged."),
        (
            not_judged,
            Tone::React,
            "check is not judged while others differ.",
            "checks are not judged while others differ.",
        ),
    ] {
        if number > 0 {
            text.push_str(&paint.tone(tone, &format!("{number} {}", if number == 1 { one } else { many })));
            text.push('\n');
        }
    }
    if orphans > 0 {
        text.push_str(&paint.tone(Tone::Bad, &leftovers_to_remove(orphans)));
        text.push('\n');
    }
    if unreachable < hosts {
        text.push_str(&format!("{} as declared.\n", count(fine, "resource is", "resources are")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::escape::is_unseen;
    use crate::report::samples;

    fn shown(outlook: &Outlook, all: bool, paint: &Paint) -> String {
        drift(&PlanView { outlook, notes: &Notes::new(), all }, paint)
    }

    #[test]
    fn drift_in_a_pipe() {
        let text = shown(&samples::outlook(), false, &Paint::PLAIN);
        assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'));
        insta::assert_snapshot!(text, @r#"
        - web1 / package_apt:squid is missing                           play.yaml:9

        - web1 / template:/etc/squid/squid.conf is missing              play.yaml:14  [CC-01, CC-07]

        ↻ web1 / systemd_unit:squid is as declared, but must restart once template:/etc/squid/squid.conf is mended  play.yaml:18

        … web1 / http_probe:proxy is not judged while others differ     play.yaml:22

        - web2 / package_apt:squid is missing                           play.yaml:9

        - web2 / template:/etc/squid/squid.conf is missing              play.yaml:14  [CC-01, CC-07]

        ↻ web2 / systemd_unit:squid is as declared, but must restart once template:/etc/squid/squid.conf is mended  play.yaml:18

        … web2 / http_probe:proxy is not judged while others differ     play.yaml:22

        ~ db1 / file:/etc/app.conf differs                              play.yaml:30
            content:
              --- wanted
              +++ found
                # managed
              - port = 1
              - new = y
              + port = 1·
              + old\u{1b}[2J = x
              @@
                last
            owner: wanted "root"
                   found  "evil\u{202e}\n\"root\""
            mode:  wanted "0644"
                   found  "0600"
            token: wanted (secret gw/token)
                   found  (hidden: may hold an old secret)

        ~ db1 / squid:proxy differs                                     play.yaml:33
            allow:
              --- wanted
              +++ found
              - "d.example.invalid:443"
              + "a.example.invalid:443"
                (2 more stay)

        + db1 / file:/etc/old\u{1b}]0;x\u{7} is there, and should not be  play.yaml:31

        ? db1 / sshd:main cannot be judged                              play.yaml:35
            sshd -T says:
            no

        ! db1 / port_scan:db1 does not hold                             play.yaml:40
            open: wanted [22]
                  found  [22, 8080]

        ? old1 was not reached: cannot reach it: no route to host

        Drift: 7 resources on 3 hosts differ.
        1 check does not hold.
        1 resource cannot be judged.
        2 checks are not judged while others differ.
        6 resources are as declared.
        Nothing is known about old1: it was not reached, and its 1 resource is unknown.
        "#);
    }

    #[test]
    fn drift_on_a_terminal() {
        let mut outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(2)] };
        outlook.hosts[0].resources.truncate(1);
        let text = shown(&outlook, false, &Paint { colour: true, ..Paint::PLAIN });
        insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r#"
        ESC[33m~ESC[0m ESC[1mdb1 / file:/etc/app.confESC[0m differs                              ESC[2mplay.yaml:30ESC[0m
            content:
              ESC[32m--- wantedESC[0m
              ESC[31m+++ foundESC[0m
                # managed
            ESC[32m  - port = 1ESC[0m
            ESC[32m  - new = yESC[0m
            ESC[31m  + port = 1·ESC[0m
            ESC[31m  + old\u{1b}[2J = xESC[0m
            ESC[2m  @@ESC[0m
                last
            owner: wanted ESC[32m"root"ESC[0m
                   found  ESC[31m"evil\u{202e}\n\"root\""ESC[0m
            mode:  wanted ESC[32m"0644"ESC[0m
                   found  ESC[31m"0600"ESC[0m
            token: wanted ESC[32m(secret gw/token)ESC[0m
                   found  ESC[31m(hidden: may hold an old secret)ESC[0m

        ESC[31mDrift:ESC[0m 1 resource on 1 host differs.
        0 resources are as declared.
        "#);
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), shown(&outlook, false, &Paint::PLAIN));
    }

    #[test]
    fn no_drift() {
        let outlook = Outlook { hosts: samples::outlook().hosts.split_off(4) };
        insta::assert_snapshot!(shown(&outlook, false, &Paint::PLAIN), @r"No drift: 2 resources on 2 hosts are as declared.");
    }

    #[test]
    fn what_could_not_be_asked_is_no_success() {
        let outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(3)] };
        insta::assert_snapshot!(shown(&outlook, false, &Paint::PLAIN), @r"
        ? old1 was not reached: cannot reach it: no route to host

        Whether anything differs is not known.
        Nothing is known about old1: it was not reached, and its 1 resource is unknown.
        ");
    }

    #[test]
    fn drift_as_json() {
        let mut outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(2)] };
        outlook.hosts[0].resources.truncate(1);
        let printed = crate::report::json_text(&drift_json(&outlook, &Notes::new()), false);
        insta::assert_snapshot!(printed, @r##"{"format_version":"1.0","kind":"drift","hosts":[{"host":"db1","resources":[{"id":"file:/etc/app.conf","phase":"preparation","place":"play.yaml:30","state":"differs","fields":[{"field":"content","wanted":"long_text","found":"long_text","diff":[{"sign":" ","text":"# managed"},{"sign":"-","text":"port = 1"},{"sign":"-","text":"new = y"},{"sign":"+","text":"port = 1 "},{"sign":"+","text":"old\u001b[2J = x"},{"sign":"@","text":""},{"sign":" ","text":"last"}]},{"field":"owner","wanted":{"value":"root"},"found":{"value":"evil\u202e\n\"root\""}},{"field":"mode","wanted":{"value":"0644"},"found":{"value":"0600"}},{"field":"token","wanted":{"hidden":"(secret gw/token)"},"found":{"hidden":"(hidden: may hold an old secret)"}}]}]}],"notes":[],"totals":{"differ":1,"findings":0,"unknown":0,"not_judged":0,"as_declared":0,"unreachable":0,"orphans":0}}"##);
    }
}
