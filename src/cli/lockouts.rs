//! Owns refusing a plan that would close the way by which rempart came, or being loud about it.

use super::{Stopped, show};
use crate::lockout::{PartVerdict, WayIn};
use crate::model::{Diagnostic, Exit, HostName, Place};
use crate::plan::{Graph, HostOutlook, Outlook};
use crate::report::Screen;

/// A plan that closes the way in goes no further, unless that is allowed; then it is said aloud.
pub(super) fn refuse_lockouts(outlook: &Outlook, graph: &Graph, allowed: bool, screen: &Screen) -> Result<(), Stopped> {
    if outlook.totals().locked_out == 0 {
        return Ok(());
    }
    if allowed {
        show::diagnostics(screen, &lockouts(outlook, graph, Diagnostic::warning));
        return Ok(());
    }
    let mut why = lockouts(outlook, graph, Diagnostic::error);
    why.push(
        Diagnostic::error("refused: nothing was changed")
            .fix("change the plan, or say --allow-lockout if it is meant: the guard takes it back all the same"),
    );
    Err(Stopped { exit: Exit::Refused, diagnostics: why })
}

// One diagnostic for each part that locks us out.
fn lockouts(outlook: &Outlook, graph: &Graph, said: fn(&'static str) -> Diagnostic) -> Vec<Diagnostic> {
    let closed = |host: &'_ HostOutlook| -> Vec<(HostName, WayIn, PartVerdict)> {
        let of = |way: &WayIn| way.closed().map(|verdict| (host.host.clone(), way.clone(), verdict.clone())).collect();
        host.way_in.as_ref().map(of).unwrap_or_default()
    };
    let all = outlook.hosts.iter().flat_map(closed);
    all.map(|(host, way, verdict)| {
        let decides = format!("what decides is {}: {}", verdict.part.words(), verdict.by);
        let told = said("the plan would lock rempart out").on(&host, verdict.resource.as_ref());
        let fix = verdict.fix.unwrap_or_else(|| "change what is marked so that this way stays open".to_owned());
        let told = told.because(format!("{decides}\n{} would not get in any more", who(&way))).fix(fix);
        match graph.items.iter().find(|item| item.host == host && Some(item.id()) == verdict.resource) {
            Some(item) => match key_that_decides(&item.place, &verdict.by) {
                Some(place) => told.at(&place, "this closes the way in").see(&item.place, "of this resource"),
                None => told.at(&item.place, "this closes the way in"),
            },
            None => told,
        }
    })
    .collect()
}

// Who is locked out: the account, what it logs in with, and from where to where.
fn who(way: &WayIn) -> String {
    let from = way.from.map(|from| format!(" from {from}")).unwrap_or_default();
    let to = way.to.map(|to| format!(" to {to}")).unwrap_or_default();
    let port = way.port.map(|port| format!(" port {port}")).unwrap_or_default();
    format!("{} (by {}){from}{to}{port}", way.user, way.with)
}

// The key of an item that a verdict names by its first word, as sshd's do: `AllowUsers bob leaves out admin`.
fn key_that_decides(item: &Place, by: &str) -> Option<Place> {
    let word = by.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| word.len() > 3)?;
    let text = item.text();
    let start = item.range().start;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = text[line..start].len() - text[line..start].trim_start().len();
    // The item goes on as long as nothing begins that stands as far left.
    let mut end = start;
    for (at, one) in text[start..].split_inclusive('\n').enumerate() {
        let left = one.len() - one.trim_start().len();
        if at > 0 && !one.trim().is_empty() && left <= indent {
            break;
        }
        end += one.len();
    }
    let is_key = |at: usize| {
        let before = text[..at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric());
        before && text[at + word.len()..end].trim_start_matches(['"', '\'']).starts_with(':')
    };
    let found = |at: &usize| text.get(*at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let at = (start..end.saturating_sub(word.len())).find(|at| found(at) && is_key(*at))?;
    Some(Place::new(item.source(), at, at + word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;

    #[test]
    fn the_key_that_decides_is_marked_within_its_item() {
        let text = "- sshd:\n    settings:\n      PermitRootLogin: \"no\"\n      \"allowusers\": [bob]\n- sshd: { DenyUsers: x }\n";
        let source = Source::new("p.yaml", text);
        let item = Place::new(&source, 2, 6);
        let marked = |by: &str| key_that_decides(&item, by).map(|place| text[place.range()].to_owned());
        assert_eq!(marked("AllowUsers bob leaves out admin from 192.0.2.1").as_deref(), Some("allowusers"));
        assert_eq!(marked("DenyUsers x means admin"), None);
        assert_eq!(marked("table ip filter, the policy of INPUT: DROP"), None);
    }
}
