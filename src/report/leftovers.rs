//! Owns what is left over on a host, in words: what rempart made and nobody declares any more.

use super::escape::visible;
use super::{Paint, Tone};
use crate::plan::{Leftovers, Made};

/// One line each; `host` stands before the names, where it is not said elsewhere.
pub(super) fn leftovers(left: &Leftovers, host: &str, paint: &Paint) -> Vec<String> {
    let named = |made: &Made| format!("{host}{}", visible(&made.id));
    let orphans = left.orphans.iter().map(|orphan| {
        let then = match &orphan.kept {
            Some(why) => visible(why),
            None => "rempart prune removes it".into(),
        };
        let sign = paint.tone(Tone::Bad, "- orphan");
        format!("{sign} {}  ({}; {then})", paint.tone(Tone::Bad, &named(&orphan.made)), origin(&orphan.made))
    });
    let others = left.of_other_sites.iter().map(|made| {
        let tells = "only a run of that site tells whether it is an orphan";
        format!("{} {}  ({}; {tells})", paint.tone(Tone::Doubt, "?"), named(made), origin(made))
    });
    let unknown = left
        .orphans_unknown
        .iter()
        .map(|why| format!("{} {host}what is left over is not known: {}", paint.tone(Tone::Doubt, "?"), visible(why)));
    orphans.chain(others).chain(unknown).collect()
}

/// What to do about a number of orphans.
pub(super) fn leftovers_to_remove(orphans: usize) -> String {
    match orphans {
        1 => "1 orphan is left over from earlier runs; `rempart prune` removes it.".into(),
        many => format!("{many} orphans are left over from earlier runs; `rempart prune` removes them."),
    }
}

/// Who made something, and when.
pub(super) fn origin(made: &Made) -> String {
    let site = if made.site.is_empty() { String::new() } else { format!(" of the site {}", visible(&made.site)) };
    format!("made by playbook {}{site} in run {}", visible(&made.playbook), visible(&made.run))
}

#[cfg(test)]
mod tests {
    use crate::plan::{Leftovers, Outlook};
    use crate::report::{Notes, Paint, PlanView, drift, drift_json, json_text, plan, plan_json, samples};

    fn outlook() -> Outlook {
        let mut outlook = Outlook { hosts: vec![samples::outlook().hosts.remove(4)] };
        outlook.hosts[0].left = samples::leftovers();
        outlook
    }

    #[test]
    fn a_plan_shows_what_is_left_over_and_changes_nothing_of_it() {
        let (outlook, notes) = (outlook(), Notes::new());
        insta::assert_snapshot!(plan(&PlanView { outlook: &outlook, notes: &notes, all: false }, &Paint::PLAIN), @r"
        calm1: 2 orphans, 1 as declared
          left over
            - orphan file:/etc/old\u{1b}[2J  (made by playbook base in run 0123456789ab; rempart prune removes it)
            - orphan command:once  (made by playbook base of the site site in run 0123456789ab; it cannot be removed by rempart)
            ? file:/etc/other  (made by playbook base of the site prod in run 0123456789ab; only a run of that site tells whether it is an orphan)

        No changes to make, but that is not all:
        2 orphans are left over from earlier runs; `rempart prune` removes them.
        ");
        insta::assert_snapshot!(json_text(&plan_json(&outlook, &notes), false), @r#"{"format_version":"1.0","kind":"plan","hosts":[{"host":"calm1","resources":[{"id":"user:ollama","phase":"preparation","place":"play.yaml:10","act":"same"}],"orphans":[{"id":"file:/etc/old\u001b[2J","playbook":"base","run":"0123456789ab"},{"id":"command:once","playbook":"base","site":"site","run":"0123456789ab","kept":"it cannot be removed by rempart"}],"of_other_sites":[{"id":"file:/etc/other","playbook":"base","site":"prod","run":"0123456789ab"}]}],"notes":[],"totals":{"add":0,"change":0,"remove":0,"same":1,"check":0,"findings":0,"unknown":0,"unreachable":0,"locked_out":0,"orphans":2}}"#);
    }

    #[test]
    fn for_drift_it_is_a_finding() {
        let (outlook, notes) = (outlook(), Notes::new());
        insta::assert_snapshot!(drift(&PlanView { outlook: &outlook, notes: &notes, all: false }, &Paint::PLAIN), @r"
        - orphan calm1 / file:/etc/old\u{1b}[2J  (made by playbook base in run 0123456789ab; rempart prune removes it)

        - orphan calm1 / command:once  (made by playbook base of the site site in run 0123456789ab; it cannot be removed by rempart)

        ? calm1 / file:/etc/other  (made by playbook base of the site prod in run 0123456789ab; only a run of that site tells whether it is an orphan)

        No resource is known to differ, but that is not all:
        2 orphans are left over from earlier runs; `rempart prune` removes them.
        1 resource is as declared.
        ");
        insta::assert_snapshot!(json_text(&drift_json(&outlook, &notes), false), @r#"{"format_version":"1.0","kind":"drift","hosts":[{"host":"calm1","resources":[{"id":"user:ollama","phase":"preparation","place":"play.yaml:10","state":"as_declared"}],"orphans":[{"id":"file:/etc/old\u001b[2J","playbook":"base","run":"0123456789ab"},{"id":"command:once","playbook":"base","site":"site","run":"0123456789ab","kept":"it cannot be removed by rempart"}],"of_other_sites":[{"id":"file:/etc/other","playbook":"base","site":"prod","run":"0123456789ab"}]}],"notes":[],"totals":{"differ":0,"findings":0,"unknown":0,"not_judged":0,"as_declared":1,"unreachable":0,"orphans":2}}"#);
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let mut outlook = outlook();
        outlook.hosts[0].left =
            Leftovers { orphans_unknown: Some("file:/x waits for facts".into()), ..Leftovers::default() };
        let notes = Notes::new();
        insta::assert_snapshot!(plan(&PlanView { outlook: &outlook, notes: &notes, all: false }, &Paint::PLAIN), @"
        calm1: no changes (1 as declared)
          left over
            ? what is left over is not known: file:/x waits for facts

        No changes. The fleet is as the playbook says. 1 resource on 1 host.
        ");
    }
}
