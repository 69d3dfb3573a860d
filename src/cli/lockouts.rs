//! Owns refusing a plan that would close the way by which rempart came, or being loud about it.

use super::{Stopped, show};
use crate::lockout::{PartVerdict, WayIn};
use crate::model::{Diagnostic, Exit};
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
    let closed = |host: &HostOutlook| {
        let verdicts: Vec<PartVerdict> = host.way_in.iter().flat_map(WayIn::closed).cloned().collect();
        verdicts.into_iter().map(|verdict| (host.host.clone(), verdict)).collect::<Vec<_>>()
    };
    let all = outlook.hosts.iter().flat_map(closed);
    all.map(|(host, verdict)| {
        let by = format!("{}: {}", verdict.part.words(), verdict.by);
        let mut told = said("the plan would lock rempart out").on(&host, verdict.resource.as_ref()).because(by);
        told.fix = verdict.fix;
        match graph.items.iter().find(|item| item.host == host && Some(item.id()) == verdict.resource) {
            Some(item) => told.at(&item.place, "this closes the way in"),
            None => told,
        }
    })
    .collect()
}
