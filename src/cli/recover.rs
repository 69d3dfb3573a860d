//! Owns what comes before the plan of an apply where a crash left a step half done: it is put back from its before-image,
//! so that the plan is made from what was there before, and not from a guess.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::change::{self, Change, Record};
use super::{Stopped, project};
use crate::engine::{self, BackStep, Links, Past, Stop, WayBack, WriteLinks};
use crate::history::RunVerb;
use crate::model::{Diagnostic, HostName};
use crate::report::escape::visible;
use crate::report::{self, Notes, Screen};
use crate::resource::Touch;

/// Puts back steps that never ended; says whether anything was, so that the fleet must be looked at again.
pub(super) fn recover(
    notes: &Notes,
    links: &Arc<WriteLinks>,
    change: &Change,
    forks: usize,
    runtime: &Runtime,
    screen: &Arc<Screen>,
) -> Result<bool, Stopped> {
    let mut by_run: BTreeMap<&str, Vec<HostName>> = BTreeMap::new();
    for (host, note) in notes {
        if let (Some(past), None) = (&note.unfinished, &note.held) {
            by_run.entry(&past.run).or_default().push(host.clone());
        }
    }
    let mut any = false;
    for (run, hosts) in by_run {
        let asked: Arc<dyn Links> = links.clone();
        let found = runtime.block_on(engine::look_back(hosts, run, false, asked, forks));
        let mut work: BTreeMap<HostName, Vec<BackStep>> = BTreeMap::new();
        for (host, past) in found {
            match past {
                Ok(steps) => drop(work.insert(host, steps.into_iter().filter(is_half_done).collect())),
                // The plan measures all the same; but that nothing was found must not look like nothing being there.
                Err(why) => screen.tell(&format!(
                    "? {}: whether run {} left something half done cannot be told: {}\n",
                    visible(host.as_str()),
                    visible(run),
                    visible(&why.to_string())
                )),
            }
        }
        work.retain(|_, steps| !steps.is_empty());
        if work.is_empty() {
            continue;
        }
        let mut text =
            format!("Run {} was broken off in the middle of these; they are put back first:\n", visible(run));
        for (host, steps) in &work {
            let titles: Vec<String> =
                steps.iter().map(|step| format!("{}{}", visible(&step.title), report::purged(step))).collect();
            text.push_str(&format!("  {}: {}\n", visible(host.as_str()), titles.join("; ")));
        }
        screen.tell(&text);
        change.approve(screen, "Put them back, and plan then? Only `yes` will do")?;
        put_back(run, work, links, change, forks, runtime, screen)?;
        any = true;
    }
    Ok(any)
}

// What is between, as far as anybody can know. Packages are not: dpkg names their state, and the next run repairs it. But
// dpkg knows nothing of what their scripts wrote: where that came out empty, they go, and are installed anew.
fn is_half_done(step: &BackStep) -> bool {
    let named_by_dpkg = step.touches.contains(&Touch::Packages) && step.emptied.is_empty();
    matches!(step.way, WayBack::Restore { interrupted: true, .. }) && !named_by_dpkg
}

fn put_back(
    run: &str,
    work: BTreeMap<HostName, Vec<BackStep>>,
    links: &Arc<WriteLinks>,
    change: &Change,
    forks: usize,
    runtime: &Runtime,
    screen: &Arc<Screen>,
) -> Result<(), Stopped> {
    let mut options = change.options(&format!("putting back what run {run} left half done"), forks);
    let record = Record::open(&mut options)?;
    record.begin(change::run_event(RunVerb::Rollback, &options))?;
    let stop = Arc::new(Stop::default());
    let past = Past { run: run.to_owned(), work, force: false, mend: true };
    let journal = record.journal.clone();
    let work = engine::roll_back(past, links.clone(), options, project::nobody(), stop.clone(), journal);
    let report = change::until_done(runtime, &stop, work);
    let exit = record.end(&report, report.exit())?;
    if exit == crate::model::Exit::Done {
        return Ok(());
    }
    let view = report::RunView { report: &report, took: None, times: &BTreeMap::new(), outlook: None };
    screen.tell(&report::run(&view, &screen.err_paint()));
    let told = Diagnostic::error("what a crash left half done could not be put back, so nothing was planned");
    Err(Stopped { exit, diagnostics: vec![told.fix(format!("see `rempart rollback {run}`"))] })
}
