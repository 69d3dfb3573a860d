//! Owns the plan as people read it: by host and phase, with symbols that say all without colour.
//!
//! The same plan gives the same bytes: nothing here asks for the time or the width of the terminal.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::{padded, visible};
use super::fields::{changed_fields, drifted_fields, new_fields};
use super::json::to_json;
use super::leftovers::{leftovers, leftovers_to_remove};
use super::notes::{Notes, notes, notes_json};
use super::way_in::way_in;
use super::words::{count, nothing_known, some_of, with_place};
use super::{Paint, Tone};
use crate::model::{HostName, Phase};
use crate::plan::{Act, HostOutlook, Outlook, Planned, Totals};

/// A plan, and how much of it is shown.
pub struct PlanView<'a> {
    /// What will happen.
    pub outlook: &'a Outlook,
    /// What hosts remember of earlier runs.
    pub notes: &'a Notes,
    /// Whether what stays as it is is listed too.
    pub all: bool,
}

/// The plan as text.
pub fn plan(view: &PlanView<'_>, paint: &Paint) -> String {
    let mut text = notes(view.notes, paint);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&legend(view.outlook, paint));
    // Hosts with the same changes are told once.
    let mut folded: Vec<(String, String, Vec<&HostOutlook>)> = Vec::new();
    for host in &view.outlook.hosts {
        let (head, body) = (summary(host, paint), body(host, view.all, paint));
        match folded.iter_mut().find(|(h, b, _)| host.unreachable.is_none() && *h == head && *b == body) {
            Some((_, _, hosts)) => hosts.push(host),
            None => folded.push((head, body, vec![host])),
        }
    }
    for (head, body, hosts) in folded {
        let names: Vec<String> = hosts.iter().map(|host| visible(host.host.as_str())).collect();
        text.push_str(&format!("{}: {head}\n", paint.tone(Tone::Bold, &names[0])));
        if names.len() > 1 {
            // Who is changed is always named; who is not may be a long list.
            let limit = if body.is_empty() && !view.all { 8 } else { usize::MAX - 1 };
            text.push_str(&format!("  same on {}\n", some_of(&names[1..], limit)));
        }
        text.push_str(&body);
        // Each host is come to by a way of its own.
        for (host, name) in hosts.iter().zip(&names) {
            let name = (names.len() > 1).then_some(name.as_str());
            text.push_str(&host.way_in.as_ref().map(|way| way_in(way, name, paint)).unwrap_or_default());
        }
        text.push('\n');
    }
    text.push_str(&ending(view.outlook, paint));
    text
}

/// The plan as JSON. Values are those that may be shown; secrets stand in it as masks.
pub fn plan_json(outlook: &Outlook, notes: &Notes) -> Value {
    json!({
        "format_version": "1.0",
        "kind": "plan",
        "hosts": to_json(&outlook.hosts),
        "notes": notes_json(notes),
        "totals": to_json(&outlook.totals()),
    })
}

fn symbol(act: &Act) -> (&'static str, Tone, &'static str) {
    match act {
        Act::Create { .. } => ("+", Tone::Good, "create"),
        Act::Change { .. } => ("~", Tone::Change, "change"),
        Act::Remove => ("-", Tone::Bad, "remove"),
        Act::React { .. } => ("↻", Tone::React, "react"),
        Act::Unknown { .. } => ("?", Tone::Doubt, "unknown"),
        Act::Finding { .. } => ("!", Tone::Bad, "finding"),
        Act::CheckLater => ("…", Tone::React, "check later"),
        Act::Same => ("=", Tone::Dim, "as declared"),
    }
}

fn legend(outlook: &Outlook, paint: &Paint) -> String {
    let mut used: Vec<String> = Vec::new();
    let asked = || outlook.hosts.iter().filter(|host| host.unreachable.is_none());
    let acts = || asked().flat_map(|host| &host.resources).map(|planned| &planned.act);
    for sign in ["+", "~", "-", "↻", "!", "…", "?"] {
        if let Some((sign, tone, word)) = acts().map(symbol).find(|(found, ..)| *found == sign) {
            used.push(format!("{} {word}", paint.tone(tone, sign)));
        }
    }
    if used.is_empty() { String::new() } else { format!("{}\n\n", used.join("   ")) }
}

pub(super) fn summary(host: &HostOutlook, paint: &Paint) -> String {
    if let Some(why) = &host.unreachable {
        let unknown = match host.resources.len() {
            0 => String::new(),
            all => format!(", {all} unknown"),
        };
        return paint.tone(Tone::Bad, &format!("not reached{unknown}: {}", visible(why)));
    }
    let one = Outlook { hosts: vec![HostOutlook { host: host.host.clone(), ..host.clone() }] };
    let Totals { add, change, remove, same, check, findings, unknown, orphans, .. } = one.totals();
    let mut parts = Vec::new();
    for (number, words) in [
        (add, "to add"),
        (change, "to change"),
        (remove, "to remove"),
        (findings, if findings == 1 { "finding" } else { "findings" }),
        (unknown, "unknown"),
        (check, "to check later"),
        (orphans, if orphans == 1 { "orphan" } else { "orphans" }),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if parts.is_empty() {
        return format!("no changes ({same} as declared)");
    }
    if same > 0 {
        parts.push(format!("{same} as declared"));
    }
    parts.join(", ")
}

pub(super) fn body(host: &HostOutlook, all: bool, paint: &Paint) -> String {
    let mut text = String::new();
    let mut phase: Option<Phase> = None;
    // The host has said that all of them are unknown, and why.
    let listed = |planned: &&Planned| all || host.unreachable.is_none() && !matches!(planned.act, Act::Same);
    for planned in host.resources.iter().filter(listed) {
        if phase.replace(planned.phase) != Some(planned.phase) {
            text.push_str(&format!("  {}\n", paint.tone(Tone::Bold, planned.phase.name())));
        }
        text.push_str(&resource(planned, paint));
    }
    let left = leftovers(&host.left, "", paint);
    if !left.is_empty() {
        text.push_str(&format!("  {}\n", paint.tone(Tone::Bold, "left over")));
        left.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn resource(planned: &Planned, paint: &Paint) -> String {
    let (sign, tone, _) = symbol(&planned.act);
    let id = visible(&planned.id.to_string());
    let mut plain = format!("    {sign} {id}");
    let mut line = format!("    {} {}", paint.tone(tone, sign), paint.tone(tone, &id));
    let mut more = String::new();
    match &planned.act {
        Act::React { reaction, because } => {
            more = format!("  {reaction}, because {} changes", visible(&because.to_string()));
        }
        Act::CheckLater => more = "  once the changes before it are made".into(),
        Act::Finding { .. } => more = "  does not hold".into(),
        Act::Unknown { .. } | Act::Create { .. } | Act::Change { .. } | Act::Remove | Act::Same => {}
    }
    if let (Some(after), false) = (&planned.after, matches!(planned.act, Act::React { .. })) {
        more.push_str(&format!("  (after {})", visible(&after.to_string())));
    }
    plain.push_str(&more);
    line.push_str(&more);
    let mut place = visible(&planned.place);
    if !planned.controls.is_empty() {
        place
            .push_str(&format!("  [{}]", planned.controls.iter().map(|id| visible(id)).collect::<Vec<_>>().join(", ")));
    }
    let line = with_place(&line, plain.width(), &place, 8, paint);
    let below = match &planned.act {
        Act::Create { fields } => new_fields(fields, paint),
        Act::Change { fields } => changed_fields(fields, paint),
        Act::Finding { fields } => drifted_fields(fields, paint),
        Act::Unknown { why } => why.lines().map(visible).collect(),
        Act::Same | Act::Remove | Act::React { .. } | Act::CheckLater => Vec::new(),
    };
    let permanent = planned.permanent.map(|why| paint.tone(Tone::Dim, &format!("(cannot be undone: {why})")));
    let below: Vec<String> = permanent.into_iter().chain(below).collect();
    let below: String = below.iter().map(|line| format!("{}\n", padded("", 8) + line)).collect();
    format!("{}\n{below}", line.trim_end())
}

fn ending(outlook: &Outlook, paint: &Paint) -> String {
    let Totals { add, change, remove, same, check, findings, unreachable, locked_out, orphans, .. } = outlook.totals();
    let unknown = outlook.not_judged();
    let resources: usize = outlook.hosts.iter().map(|host| host.resources.len()).sum();
    if resources == 0 && unreachable + orphans == 0 {
        return "Nothing is declared for these hosts.\n".to_owned();
    }
    let changes = add + change + remove > 0;
    if !changes && findings + unknown + unreachable + check + orphans == 0 {
        let on = count(outlook.hosts.len(), "host", "hosts");
        let what = count(same, "resource", "resources");
        return format!(
            "{} {what} on {on}.\n",
            paint.tone(Tone::Good, "No changes. The fleet is as the playbook says.")
        );
    }
    let mut text = if changes {
        format!("{} {add} to add, {change} to change, {remove} to remove.\n", paint.tone(Tone::Bold, "Plan:"))
    } else if unreachable == outlook.hosts.len() {
        paint.tone(Tone::Bad, "Nothing can be planned.") + "\n"
    } else if unreachable > 0 {
        "No changes to make on the hosts that were reached, but that is not all:\n".to_owned()
    } else {
        "No changes to make, but that is not all:\n".to_owned()
    };
    let mut tell = |number: usize, tone: Tone, one: &str, many: &str| {
        if number > 0 {
            text.push_str(&paint.tone(tone, &format!("{number} {}", if number == 1 { one } else { many })));
            text.push('\n');
        }
    };
    tell(
        locked_out,
        Tone::Bad,
        "host would lock us out: `apply` refuses this plan unless told --allow-lockout.",
        "hosts would lock us out: `apply` refuses this plan unless told --allow-lockout.",
    );
    tell(findings, Tone::Bad, "check does not hold.", "checks do not hold.");
    tell(
        unknown,
        Tone::Doubt,
        "resource could not be judged, and is left alone.",
        "resources could not be judged, and are left alone.",
    );
    tell(
        check,
        Tone::React,
        "check is made once the changes before it are.",
        "checks are made once the changes before them are.",
    );
    if orphans > 0 {
        text.push_str(&paint.tone(Tone::Change, &leftovers_to_remove(orphans)));
        text.push('\n');
    }
    text + &unknown_hosts(outlook, paint)
}

/// The last line about the hosts that could not be asked; nothing where there are none.
pub(super) fn unknown_hosts(outlook: &Outlook, paint: &Paint) -> String {
    let hosts: Vec<&HostName> = outlook.not_reached().map(|host| &host.host).collect();
    let resources = outlook.not_reached().map(|host| host.resources.len()).sum();
    nothing_known(&hosts, resources).map(|told| paint.tone(Tone::Bad, &told) + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::escape::is_unseen;
    use crate::report::samples;

    fn shown(outlook: &Outlook, notes: &Notes, all: bool, paint: &Paint) -> String {
        plan(&PlanView { outlook, notes, all }, paint)
    }

    #[test]
    fn a_plan_in_a_pipe() {
        let text = shown(&samples::outlook(), &samples::notes(), false, &Paint::PLAIN);
        assert!(!text.chars().any(|c| is_unseen(c) && c != '\n'));
        insta::assert_snapshot!(text, @r#"
        ! db1: took a change back by itself on 2026-03-01 12:30:45 UTC: nobody confirmed the change in time

        + create   ~ change   - remove   ↻ react   ! finding   … check later   ? unknown

        web1: 2 to add, 1 to change, 1 to check later, 1 as declared
          same on web2
          preparation
            + package_apt:squid                                         play.yaml:9
                version: "5.7"
          hardening
            + template:/etc/squid/squid.conf  (after package_apt:squid)  play.yaml:14  [CC-01, CC-07]
                mode: "0640"
                content:
                  + http_port 3128
                  + acl all src (secret net)
            ↻ systemd_unit:squid  restart, because template:/etc/squid/squid.conf changes  play.yaml:18
          tests
            … http_probe:proxy  once the changes before it are made     play.yaml:22

        db1: 2 to change, 1 to remove, 1 finding, 1 unknown
          preparation
            ~ file:/etc/app.conf                                        play.yaml:30
                content:
                    # managed
                  - port = 1·
                  - old\u{1b}[2J = x
                  + port = 1
                  + new = y
                  @@
                    last
                owner: "evil\u{202e}\n\"root\"" -> "root"
                mode:  "0600" -> "0644"
                token: (hidden: may hold an old secret) -> (secret gw/token)
          installation
            ~ squid:proxy                                               play.yaml:33
                allow:
                  - "a.example.invalid:443"
                  + "d.example.invalid:443"
                    (2 more stay)
            - file:/etc/old\u{1b}]0;x\u{7}                              play.yaml:31
                (cannot be undone: nobody kept it)
          hardening
            ? sshd:main                                                 play.yaml:35
                sshd -T says:
                no
          tests
            ! port_scan:db1  does not hold                              play.yaml:40
                open: wanted [22]
                      found  [22, 8080]

        old1: not reached, 1 unknown: cannot reach it: no route to host

        calm1: no changes (1 as declared)
          same on calm2

        Plan: 4 to add, 4 to change, 1 to remove.
        1 check does not hold.
        1 resource could not be judged, and is left alone.
        2 checks are made once the changes before them are.
        Nothing is known about old1: it was not reached, and its 1 resource is unknown.
        "#);
    }

    #[test]
    fn each_host_of_a_paragraph_tells_its_own_way_in() {
        use crate::lockout::Ruling;
        let mut outlook = Outlook { hosts: samples::outlook().hosts.split_off(4) };
        outlook.hosts[0].way_in = Some(samples::way_in(Ruling::Open));
        outlook.hosts[1].way_in = Some(samples::way_in(Ruling::Closed));
        insta::assert_snapshot!(shown(&outlook, &Notes::new(), false, &Paint::PLAIN), @"
        calm1: no changes (1 as declared)
          same on calm2
          ✓ way into calm1: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): stays open: firewall: table ip filter, the policy of INPUT: DROP (firewall_ufw:ufw, play.yaml:6)
          ✗ way into calm2: 192.0.2.1 -> 192.0.2.11:22 as admin (ssh-ed25519 key): WOULD BE CLOSED by firewall: table ip filter, the policy of INPUT: DROP (firewall_ufw:ufw, play.yaml:6)

        No changes. The fleet is as the playbook says. 2 resources on 2 hosts.
        ");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let (outlook, notes) = (samples::outlook(), samples::notes());
        let colour = shown(&outlook, &notes, true, &Paint { colour: true, ..Paint::PLAIN });
        let plain = shown(&outlook, &notes, true, &Paint::PLAIN);
        assert_eq!(anstream::adapter::strip_str(&colour).to_string(), plain);
    }

    #[test]
    fn a_plan_on_a_terminal() {
        let outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(0)] };
        let text = shown(&outlook, &Notes::new(), false, &Paint { colour: true, ..Paint::PLAIN });
        insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r#"
        ESC[32m+ESC[0m create   ESC[36m↻ESC[0m react   ESC[36m…ESC[0m check later

        ESC[1mweb1ESC[0m: 2 to add, 1 to change, 1 to check later, 1 as declared
          ESC[1mpreparationESC[0m
            ESC[32m+ESC[0m ESC[32mpackage_apt:squidESC[0m                                         ESC[2mplay.yaml:9ESC[0m
                version: "5.7"
          ESC[1mhardeningESC[0m
            ESC[32m+ESC[0m ESC[32mtemplate:/etc/squid/squid.confESC[0m  (after package_apt:squid)  ESC[2mplay.yaml:14  [CC-01, CC-07]ESC[0m
                mode: "0640"
                content:
                ESC[32m  + http_port 3128ESC[0m
                ESC[32m  + acl all src (secret net)ESC[0m
            ESC[36m↻ESC[0m ESC[36msystemd_unit:squidESC[0m  restart, because template:/etc/squid/squid.conf changes  ESC[2mplay.yaml:18ESC[0m
          ESC[1mtestsESC[0m
            ESC[36m…ESC[0m ESC[36mhttp_probe:proxyESC[0m  once the changes before it are made     ESC[2mplay.yaml:22ESC[0m

        ESC[1mPlan:ESC[0m 2 to add, 1 to change, 0 to remove.
        ESC[36m1 check is made once the changes before it are.ESC[0m
        "#);
    }

    #[test]
    fn a_fleet_as_it_should_be() {
        let outlook = Outlook { hosts: samples::outlook().hosts.split_off(4) };
        insta::assert_snapshot!(shown(&outlook, &Notes::new(), false, &Paint::PLAIN), @r"
        calm1: no changes (1 as declared)
          same on calm2

        No changes. The fleet is as the playbook says. 2 resources on 2 hosts.
        ");
    }

    #[test]
    fn a_fleet_as_it_should_be_in_full() {
        let outlook = Outlook { hosts: samples::outlook().hosts.split_off(4) };
        insta::assert_snapshot!(shown(&outlook, &Notes::new(), true, &Paint::PLAIN), @r"
        calm1: no changes (1 as declared)
          same on calm2
          preparation
            = user:ollama                                               play.yaml:10

        No changes. The fleet is as the playbook says. 2 resources on 2 hosts.
        ");
    }

    #[test]
    fn a_fleet_that_nobody_could_ask_is_not_fine() {
        let outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(3)] };
        insta::assert_snapshot!(shown(&outlook, &Notes::new(), false, &Paint::PLAIN), @r"
        old1: not reached, 1 unknown: cannot reach it: no route to host

        Nothing can be planned.
        Nothing is known about old1: it was not reached, and its 1 resource is unknown.
        ");
        let nothing = shown(&Outlook { hosts: Vec::new() }, &Notes::new(), false, &Paint::PLAIN);
        assert_eq!(nothing, "Nothing is declared for these hosts.\n");
    }

    #[test]
    fn a_plan_as_json() {
        let mut outlook = Outlook { hosts: samples::outlook().hosts.split_off(2) };
        outlook.hosts[0].resources.drain(1..3);
        let printed = crate::report::json_text(&plan_json(&outlook, &samples::notes()), false);
        insta::assert_snapshot!(printed, @r##"{"format_version":"1.0","kind":"plan","hosts":[{"host":"db1","resources":[{"id":"file:/etc/app.conf","phase":"preparation","place":"play.yaml:30","act":"change","fields":[{"field":"content","from":"long_text","to":"long_text","diff":[{"sign":" ","text":"# managed"},{"sign":"-","text":"port = 1 "},{"sign":"-","text":"old\u001b[2J = x"},{"sign":"+","text":"port = 1"},{"sign":"+","text":"new = y"},{"sign":"@","text":""},{"sign":" ","text":"last"}]},{"field":"owner","from":{"value":"evil\u202e\n\"root\""},"to":{"value":"root"}},{"field":"mode","from":{"value":"0600"},"to":{"value":"0644"}},{"field":"token","from":{"hidden":"(hidden: may hold an old secret)"},"to":{"hidden":"(secret gw/token)"}}]},{"id":"sshd:main","phase":"hardening","place":"play.yaml:35","act":"unknown","why":"sshd -T says:\nno"},{"id":"port_scan:db1","phase":"tests","place":"play.yaml:40","act":"finding","fields":[{"field":"open","from":{"value":[22,8080]},"to":{"value":[22]}}]}]},{"host":"old1","unreachable":"cannot reach it: no route to host","resources":[{"id":"user:ollama","phase":"preparation","place":"play.yaml:10","act":"unknown","why":"its host was not reached"}]},{"host":"calm1","resources":[{"id":"user:ollama","phase":"preparation","place":"play.yaml:10","act":"same"}]},{"host":"calm2","resources":[{"id":"user:ollama","phase":"preparation","place":"play.yaml:10","act":"same"}]}],"notes":[{"host":"db1","healed":{"at":"2026-03-01 12:30:45 UTC","by":"timer"}}],"totals":{"add":0,"change":1,"remove":0,"same":2,"check":0,"findings":1,"unknown":2,"unreachable":1,"locked_out":0,"orphans":0}}"##);
    }
}
