//! Owns the plan of a prune as people read it: what will be removed, and what will only be forgotten.

use std::collections::BTreeMap;

use super::escape::visible;
use super::plan::{body, summary, unknown_hosts};
use super::way_in::way_in;
use super::{Paint, Tone};
use crate::model::HostName;
use crate::plan::{Made, Outlook, Totals};

/// What a prune will do.
pub struct PruneView<'a> {
    /// What will be removed.
    pub outlook: &'a Outlook,
    /// What will only be forgotten, by host.
    pub forgotten: &'a BTreeMap<HostName, Vec<Made>>,
}

/// The plan of a prune as text.
pub fn prune(view: &PruneView<'_>, paint: &Paint) -> String {
    let Totals { remove, orphans: kept, .. } = view.outlook.totals();
    let forgotten: usize = view.forgotten.values().map(Vec::len).sum();
    let mut text = String::new();
    for host in &view.outlook.hosts {
        let name = paint.tone(Tone::Bold, &visible(host.host.as_str()));
        let way = host.way_in.as_ref().map(|way| way_in(way, None, paint)).unwrap_or_default();
        text.push_str(&format!("{name}: {}\n{}{way}\n", summary(host, paint), body(host, false, paint)));
    }
    for (host, made) in view.forgotten {
        let ids: Vec<String> = made.iter().map(|made| visible(&made.id)).collect();
        let name = paint.tone(Tone::Bold, &visible(host.as_str()));
        text.push_str(&format!("{name}: will be forgotten: {}\n\n", ids.join(", ")));
    }
    let mut tell = |number: usize, tone: Tone, one: &str, many: &str| {
        if number > 0 {
            text.push_str(&format!(
                "{}\n",
                paint.tone(tone, &format!("{number} {}", if number == 1 { one } else { many }))
            ));
        }
    };
    tell(remove, Tone::Bold, "orphan to remove.", "orphans to remove.");
    tell(kept, Tone::Doubt, "orphan is never removed by rempart.", "orphans are never removed by rempart.");
    tell(
        forgotten,
        Tone::Dim,
        "to forget: it is not there any more, or never removed.",
        "to forget: they are not there any more, or never removed.",
    );
    tell(
        view.outlook.not_judged(),
        Tone::Doubt,
        "orphan could not be judged, and is left alone.",
        "orphans could not be judged, and are left alone.",
    );
    if view.outlook.hosts.is_empty() && forgotten == 0 {
        text.push_str(&format!("{}\n", paint.tone(Tone::Good, "Nothing is left over.")));
    }
    text + &unknown_hosts(view.outlook, paint)
}

/// Which hosts go on remembering what they were to forget.
pub fn not_forgotten(hosts: &[(&HostName, &String)], paint: &Paint) -> String {
    let line = |(host, why): &(&HostName, &String)| {
        let told = format!("✗ {}: what is gone could not be forgotten: {}", visible(host.as_str()), visible(why));
        format!("{}\n", paint.tone(Tone::Bad, &told))
    };
    hosts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;
    use crate::plan::Act;
    use crate::report::samples;

    #[test]
    fn what_goes_and_what_is_forgotten() {
        let mut resource = samples::planned(Phase::Preparation, "file", "/etc/old", 1, Act::Remove);
        resource.place = "made by playbook base in run 0123456789ab".into();
        let outlook = Outlook { hosts: vec![samples::host("web1", vec![resource])] };
        let gone = samples::leftovers().orphans.into_iter().map(|orphan| orphan.made).collect();
        let forgotten = BTreeMap::from([(HostName::new("web1"), gone)]);
        let view = PruneView { outlook: &outlook, forgotten: &forgotten };
        insta::assert_snapshot!(prune(&view, &Paint::PLAIN), @r"
        web1: 1 to remove
          preparation
            - file:/etc/old                                             made by playbook base in run 0123456789ab

        web1: will be forgotten: file:/etc/old\u{1b}[2J, command:once

        1 orphan to remove.
        2 to forget: they are not there any more, or never removed.
        ");
        let nothing = Outlook { hosts: Vec::new() };
        let view = PruneView { outlook: &nothing, forgotten: &BTreeMap::new() };
        assert_eq!(prune(&view, &Paint::PLAIN), "Nothing is left over.\n");
    }
}
