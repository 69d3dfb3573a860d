//! Owns going on with a run that was broken off: what the journal proves about it, and keeping to what it had approved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Stopped;
use super::history::{no_such_run, state_folder, stopped};
use super::options::{Inventories, Selection};
use crate::history::{self, Run, RunEvent, RunVerb, StepEnd};
use crate::model::{Diagnostic, Exit, Phase, count, utc};
use crate::plan::{Act, Outlook};
use crate::report::Screen;
use crate::report::escape::visible;

/// A run that is gone on with.
pub(super) struct Resumed {
    run: Run,
    start: RunEvent,
}

impl Resumed {
    /// Finds it: the one that begins like `number`, or the last apply without an end when that is empty. `set` is what
    /// this command line sets; values are in no journal, so all that the run had set must be set again.
    pub fn find(number: &str, set: &[String]) -> Result<Self, Stopped> {
        let history = history::read(&state_folder()?).map_err(|error| stopped(&error))?;
        if !history.checked.is_whole() {
            return Err(Stopped::refused(
                Diagnostic::error("the journal is not whole, so it proves nothing")
                    .because("a line of it was changed or removed")
                    .fix("see `rempart history verify`; a plain apply measures everything anew"),
            ));
        }
        let run = if number.is_empty() {
            let open = |run: &&Run| {
                let applies = run.start.as_ref().is_some_and(|start| start.verb == RunVerb::Apply);
                let broken_off =
                    run.is_unfinished() || run.ending.is_some_and(|end| end.exit == Exit::Interrupted.code());
                broken_off && applies && history.follower(&run.number).is_none()
            };
            history.runs.iter().filter(open).max_by_key(|run| run.began).ok_or_else(|| {
                let told = Diagnostic::error("there is no run to go on with").because("no apply was broken off");
                Stopped::refused(told.fix("see `rempart history`"))
            })?
        } else {
            history.find(number).map_err(|error| no_such_run(number, &error))?
        };
        let Some(start) = run.start.clone().filter(|start| start.verb == RunVerb::Apply) else {
            let why = "it is not an apply, or its beginning is not in the journal";
            return Err(Stopped::refused(Diagnostic::error("this run cannot be gone on with").because(why)));
        };
        if run.not_done().is_empty() {
            let told = Diagnostic::error("this run did all that it had approved").because(run.number.clone());
            return Err(Stopped::refused(told.fix("a plain apply measures everything anew")));
        }
        let given: BTreeSet<&str> = set.iter().filter_map(|set| Some(set.split_once('=')?.0)).collect();
        let missing: Vec<&String> = start.set_names.iter().filter(|name| !given.contains(name.as_str())).collect();
        if let Some(name) = missing.first() {
            return Err(Stopped::usage(
                Diagnostic::error("this run had variables set on its command line")
                    .because(format!("values are in no journal; missing: {}", join(&missing)))
                    .fix(format!("say --set {name}=VALUE again")),
            ));
        }
        Ok(Self { run: run.clone(), start })
    }

    /// The run's number.
    pub fn run(&self) -> &str {
        &self.run.number
    }

    /// What it was made from.
    pub fn input(&self, given: &Inventories) -> Result<(Vec<PathBuf>, Inventories, Selection), Stopped> {
        let paths = |all: &[String]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        let phase = |name: &String| Phase::ALL.into_iter().find(|phase| phase.name() == name);
        let selection = Selection {
            limit: self.start.selection.limit.clone(),
            tags: self.start.selection.tags.clone(),
            skip_tags: self.start.selection.skip_tags.clone(),
            phase: self.start.selection.phase.iter().filter_map(phase).collect(),
        };
        let inventories = given.of_run(paths(&self.start.inventories));
        Ok((paths(&self.start.playbooks), inventories, selection))
    }

    /// Leaves out what that run had not approved: it differs too, but nobody has seen it.
    pub fn keep_to(&self, outlook: &mut Outlook) {
        // What it had done and is changed again is somebody else's doing, or what a crash has undone.
        let left: Vec<_> = self.run.not_done();
        let approved: BTreeSet<(&str, &str)> =
            left.iter().map(|change| (change.host.as_str(), change.id.as_str())).collect();
        for host in &mut outlook.hosts {
            for planned in &mut host.resources {
                let id = planned.id.to_string();
                if planned.act.changes() && !approved.contains(&(host.host.as_str(), &id)) {
                    let why = format!(
                        "it differs now, and run {} had not approved that, or had done it; plan it anew",
                        self.run()
                    );
                    planned.act = Act::Unknown { why };
                }
            }
        }
    }

    /// Says what the journal proves, host by host; what it does not prove is measured.
    pub fn tell(&self, screen: &Screen) {
        let mut text = format!(
            "Going on with run {} of {} ({}).\n",
            visible(self.run()),
            utc(self.run.began),
            visible(&self.start.why)
        );
        let mut by_host: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
        for batch in &self.run.batches {
            let (done, open) = by_host.entry(batch.host.as_str()).or_default();
            for step in &batch.steps {
                match &step.end {
                    Some(end) if end.end == StepEnd::Done => *done += 1,
                    None => open.push(visible(&step.intent.title)),
                    Some(_) => {}
                }
            }
        }
        for (host, (done, open)) in by_host {
            text.push_str(&format!("  {}: {} done", visible(host), count(done, "step", "steps")));
            if !open.is_empty() {
                text.push_str(&format!("; begun, end unknown, measured now: {}", open.join("; ")));
            }
            text.push('\n');
        }
        screen.chat(&text);
    }
}

fn join(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
