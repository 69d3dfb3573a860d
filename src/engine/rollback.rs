//! Owns taking a run back: what a host kept of it, what of that can be put back, and doing it, latest step first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::batch::{Batch, BatchStep, HOME, IMAGES, library};
use super::deliver::{Course, Delivered, Guarded, RunEnd, close, deliver};
use super::follow::StepEnd;
use super::probe::nonce;
use super::{ApplyOptions, Links, Observer, Outcome, RunReport, Stop, WriteLinks, each_host};
use crate::history::Journal;
use crate::model::{HostName, ResourceId};
use crate::quote::Sh;
use crate::resource::{Answer, Expect, ProbeError, ProbeScript, Step, Touch, Undo};
use crate::sh;

const SECTION: &str = "rollback";
const TIMEOUT: Duration = Duration::from_secs(300);

/// A step of a run, and whether it can be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackStep {
    /// Its batch and number, as the folder of its before-image is named: `2.0`.
    pub step: String,
    /// The resources that it served.
    pub ids: String,
    /// What it did.
    pub title: String,
    /// Whether putting it back can lock people out, as the step itself could.
    pub risky: bool,
    /// What it touched.
    #[serde(skip)]
    pub touches: Vec<Touch>,
    /// What makes the way back effective.
    #[serde(skip)]
    pub after: String,
    /// What stands empty since, of a step that installs packages and never ended: their scripts write files whose content a
    /// power loss takes, and dpkg calls such a package installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emptied: Vec<String>,
    /// Whether a later step of the run touched the same.
    #[serde(skip)]
    pub covered: bool,
    /// What will be done about it.
    #[serde(flatten)]
    pub way: WayBack,
}

/// What will be done about a step of a run that is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "way")]
pub enum WayBack {
    /// It is put back; these stand otherwise than before the step.
    Restore {
        /// In the words of the touches.
        what: Vec<String>,
        /// Whether the step never ended, so that nobody knows what it left behind.
        interrupted: bool,
        /// What somebody changed since, and what goes with it, since that was allowed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        over: Vec<String>,
    },
    /// All stands as before it already.
    AsBefore,
    /// Somebody changed these since: they are not trampled on.
    Changed {
        /// In the words of the touches.
        what: Vec<String>,
    },
    /// It wrote a secret, or replaced or removed what held one. An old one is never kept and never written again; `apply`
    /// renders it with the present value.
    Secret,
    /// Nobody can.
    Never {
        /// Why.
        why: String,
    },
}

/// Why nobody knows what a host kept of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPast {
    /// There is no connection to it.
    #[error("{0}")]
    Unreachable(String),
    /// It does not tell.
    #[error("{0}")]
    Untold(String),
}

impl From<&str> for NoPast {
    fn from(why: &str) -> Self {
        Self::Untold(why.to_owned())
    }
}

/// What a host kept of a run, latest step first.
pub type PastWork = Result<Vec<BackStep>, NoPast>;

/// Asks these hosts what they kept of a run, and judges what of it can be put back. Changes nothing.
///
/// `force` = what was changed since is put back all the same.
pub async fn look_back(
    hosts: Vec<HostName>,
    run: &str,
    force: bool,
    links: Arc<dyn Links>,
    forks: usize,
) -> BTreeMap<HostName, PastWork> {
    let commands = question(run);
    let asked = each_host(hosts, forks, move |host| {
        let mut script = ProbeScript::default();
        script.section(SECTION, commands.clone());
        let question = script.finish(&nonce(), TIMEOUT);
        let output = links.ask(host, &question.script).map_err(|error| match error.is_reached() {
            true => NoPast::Untold(error.to_string()),
            false => NoPast::Unreachable(error.to_string()),
        })?;
        let untold = |ProbeError(why)| NoPast::Untold(why);
        let answer = Answer::read(&question, &output).map_err(untold)?;
        let section = answer.section(SECTION).map_err(untold)?;
        if section.status != 0 {
            return Err(NoPast::Untold(format!("it did not tell what it keeps of the run: {}", section.complaint())));
        }
        read(&String::from_utf8_lossy(&section.stdout), force)
    })
    .await;
    let died = || Err("the work on it died; this is a bug in rempart".into());
    asked.into_iter().map(|(host, work)| (host, work.unwrap_or_else(died))).collect()
}

fn question(run: &str) -> Sh {
    let mut text = Sh::program_of_the_user(&library());
    text.line(sh!(
        "if ! cd {} 2>/dev/null; then echo missing; exit 0; fi
[ ! -e /run/rempart/lease ] || flock -n -s /run/rempart/lease true || { echo busy; exit 0; }
awk -F '\\t' -v run={} '$4 == run && $6 == \"intent\" { print \"intent \" $5 \".\" $7 }
  $4 == run && ($6 == \"done\" || $6 == \"fail\") { print \"ended \" $5 \".\" $7 }' {}
for rp_folder in $(ls | grep -E '^[0-9]+[.][0-9]+$' | sort -t . -k 1,1nr -k 2,2nr); do rp_tell_back \"$PWD/$rp_folder\" || exit 1; done
echo end",
        format!("{IMAGES}/{run}"),
        run,
        format!("{HOME}/journal")
    ));
    text
}

#[derive(Default)]
struct Draft {
    step: BackStepDraft,
    open: Vec<String>,
    changed: Vec<String>,
    emptied: Vec<String>,
    unmarked: bool,
    secret: bool,
    permanent: Option<String>,
}

#[derive(Default)]
struct BackStepDraft {
    number: String,
    text: String,
    risky: bool,
    touches: Vec<String>,
    after: Vec<String>,
}

fn read(text: &str, force: bool) -> PastWork {
    let mut intents: BTreeSet<String> = BTreeSet::new();
    let mut ends: BTreeSet<String> = BTreeSet::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut ended = false;
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, drafts.last_mut()) {
            ("missing", _) => {
                return Err("it keeps nothing of that run (it keeps the last 20, and only its own)".into());
            }
            ("busy", _) => return Err("a run is at work on it now".into()),
            ("intent", _) => drop(intents.insert(rest.to_owned())),
            ("ended", _) => drop(ends.insert(rest.to_owned())),
            ("step", _) => {
                let step = BackStepDraft { number: rest.to_owned(), ..BackStepDraft::default() };
                drafts.push(Draft { step, ..Draft::default() });
            }
            ("end", _) => ended = true,
            ("title", Some(draft)) => draft.step.text = rest.to_owned(),
            ("risky", Some(draft)) => draft.step.risky = true,
            ("secret", Some(draft)) => draft.secret = true,
            ("unmarked", Some(draft)) => draft.unmarked = true,
            ("permanent", Some(draft)) => draft.permanent = Some(rest.to_owned()),
            ("touch", Some(draft)) => draft.step.touches.push(rest.to_owned()),
            ("after", Some(draft)) => draft.step.after.push(rest.to_owned()),
            ("open", Some(draft)) => draft.open.push(rest.to_owned()),
            ("emptied", Some(draft)) => draft.emptied.push(rest.to_owned()),
            ("changed", Some(draft)) => draft.changed.push(rest.to_owned()),
            _ => {}
        }
    }
    if !ended {
        return Err("its answer broke off".into());
    }
    let mut later: Vec<Touch> = Vec::new();
    // A before-image without an intent is of a step that never began.
    let begun = drafts.into_iter().filter(|draft| intents.contains(&draft.step.number));
    Ok(begun
        .map(|draft| {
            let ended = ends.contains(&draft.step.number);
            judge(draft, ended, &mut later, force)
        })
        .collect())
}

fn judge(draft: Draft, ended: bool, later: &mut Vec<Touch>, force: bool) -> BackStep {
    let Draft { step, open, changed, emptied, unmarked, secret, permanent } = draft;
    let touches: Option<Vec<Touch>> = step.touches.iter().map(|line| Touch::read(line)).collect();
    let is_covered =
        |line: &String| Touch::read(line).is_some_and(|touch| later.iter().any(|other| other.overlaps(&touch)));
    let covered = step.touches.iter().any(is_covered);
    // What a later step of this very run changed is put back before this one.
    let mut since: Vec<String> = changed.into_iter().filter(|line| !is_covered(line)).collect();
    // A step that ended, but nobody noted how things stood then (a full disk): what was changed since cannot be told, and
    // is not taken for nothing.
    if unmarked && ended {
        since.extend(step.touches.iter().filter(|line| !is_covered(line)).cloned());
    }
    let interrupted = !ended;
    let way = match (permanent, &touches) {
        (Some(why), _) => WayBack::Never { why },
        (None, None) => WayBack::Never { why: "a newer rempart made it; use that one".into() },
        (None, Some(_)) if open.is_empty() && !covered => WayBack::AsBefore,
        // Of an effect nothing is kept, so nothing that is secret would be written again.
        (None, Some(touches)) if secret && touches.iter().any(|touch| !matches!(touch, Touch::Effect(_))) => {
            WayBack::Secret
        }
        _ if !since.is_empty() && !force => WayBack::Changed { what: since },
        _ => WayBack::Restore { what: open, interrupted, over: since },
    };
    let touches = touches.unwrap_or_default();
    later.extend(touches.iter().cloned());
    let (ids, title) = step.text.split_once(" | ").unwrap_or(("", &step.text));
    BackStep {
        ids: ids.to_owned(),
        title: title.to_owned(),
        step: step.number,
        risky: step.risky,
        touches,
        after: step.after.join("\n"),
        emptied: if interrupted { emptied } else { Vec::new() },
        covered,
        way,
    }
}

/// A run that is taken back.
#[derive(Debug)]
pub struct Past {
    /// Its number.
    pub run: String,
    /// Its steps on each host, latest first.
    pub work: BTreeMap<HostName, Vec<BackStep>>,
    /// Whether what was changed since is put back all the same.
    pub force: bool,
    /// Whether it is only mended, for a plan that follows: what dpkg itself calls half done, or new, is left to that.
    pub mend: bool,
}

/// Takes a run back: each host's steps, latest first, under the same lease, guard and journal as an apply. A host stops at
/// its first failure, since what comes before it stood on it. The report tells of the steps that were to be put back.
pub async fn roll_back(
    past: Past,
    links: Arc<WriteLinks>,
    options: ApplyOptions,
    observer: Arc<Observer>,
    stop: Arc<Stop>,
    journal: Arc<Journal>,
) -> RunReport {
    let course = Course { links, observer, stop: stop.clone(), journal };
    let window = options.confirm_within;
    let mut report = RunReport { run: options.run.clone(), window, ..RunReport::default() };
    let hosts: Vec<HostName> = past.work.keys().cloned().collect();
    let past = Arc::new(past);
    let forks = options.forks;
    let ends = each_host(hosts, forks, move |host| on_host(&course, host, &past, &options)).await;
    for (host, end) in ends {
        let Some((outcomes, waits)) = end else { continue };
        if waits {
            report.checkpoints.insert(host.clone());
        }
        report.hosts.insert(host, outcomes);
    }
    report.interrupted = stop.is_asked();
    report
}

fn on_host(
    course: &Course,
    host: &HostName,
    past: &Past,
    options: &ApplyOptions,
) -> (Vec<(ResourceId, Outcome)>, bool) {
    let (mut outcomes, mut waits, mut lost) = (Vec::new(), false, false);
    let mut stopped: Option<String> = None;
    let mut number = 0;
    let mut before: Vec<&BackStep> = Vec::new();
    let steps = past.work.get(host).map_or(&[][..], Vec::as_slice);
    for part in steps.chunk_by(|a, b| a.risky == b.risky) {
        let doing: Vec<&BackStep> = part.iter().filter(|step| matches!(step.way, WayBack::Restore { .. })).collect();
        before.extend(part);
        if doing.is_empty() {
            continue;
        }
        if let Some(because) = &stopped {
            outcomes.extend(doing.iter().map(|step| (id(step), Outcome::Skipped { because: because.clone() })));
            continue;
        }
        number += 1;
        let batch = Batch {
            run: options.run.clone(),
            host: host.clone(),
            origin: options.origin.clone(),
            over: options.over.clone(),
            number,
            steps: doing
                .iter()
                .enumerate()
                .map(|(at, step)| batch_step(at, step, past))
                .chain(effect_step(&before, &doing))
                .collect(),
            confirm_within: options.confirm_within,
            checkpoint: options.checkpoint,
            way: course.links.entry(host).map(|entry| entry.way),
            orphan_after: options.orphan_after,
            older_secrets: false,
        };
        let end = deliver(course, host, &batch);
        lost |= end.lost;
        for (step, end_of_step) in doing.iter().zip(&end.steps) {
            let outcome = outcome(&end, end_of_step, step);
            if !outcome.is_good() {
                stopped.get_or_insert_with(|| format!("{} was not put back", step.title));
            }
            outcomes.push((id(step), outcome));
        }
        if let Some(effect) = end.steps.get(doing.len())
            && let Some(step) = doing.first()
        {
            let outcome = outcome(&end, effect, step);
            if !outcome.is_good() && stopped.is_none() {
                stopped = Some("what was put back did not come into effect".to_owned());
                outcomes.push((id(step), outcome));
            }
        }
        waits |= matches!(end.guard, Guarded::Waits);
        if waits {
            stopped.get_or_insert_with(|| "a checkpoint waits for a person".to_owned());
        }
    }
    if number > 0 {
        let end = if lost { RunEnd::Lost } else { RunEnd::Seen { past_is_settled: false } };
        close(course, host, &options.run, end);
    }
    for (id, outcome) in &outcomes {
        (course.observer)(super::Event::Settled { host: host.clone(), id: id.clone(), outcome: outcome.clone() });
    }
    (outcomes, waits)
}

fn outcome(end: &Delivered, step: &StepEnd, of: &BackStep) -> Outcome {
    match (&end.guard, step) {
        (Guarded::TakenBack(why), _) => Outcome::Healed { why: why.clone() },
        (Guarded::NobodyKnows(why), _) => Outcome::Unknown { why: why.clone() },
        (_, StepEnd::Done) => Outcome::Changed { steps: vec![format!("put back: {}", of.title)] },
        (_, StepEnd::Failed { why, output }) => Outcome::Failed { why: why.clone(), output: output.clone() },
        (_, StepEnd::NotRun(why)) if end.lost => Outcome::Failed { why: why.clone(), output: Vec::new() },
        (_, StepEnd::NotRun(because)) => Outcome::Skipped { because: because.clone() },
    }
}

// Ids of several resources are one text here; only the first kind is needed to tell them apart.
fn id(step: &BackStep) -> ResourceId {
    let known = step.ids.split_once(':').and_then(|(kind, key)| Some((crate::kinds::find(kind)?.name, key)));
    let (kind, key) = known.unwrap_or(("step", &step.step));
    ResourceId::new(kind, key)
}

// A service was started anew after what it reads had changed; that stood before it, so it was put back after it. Once all
// is put back, what made later steps effective is done once more.
fn effect_step(before: &[&BackStep], doing: &[&BackStep]) -> Option<BatchStep> {
    let last = doing.last()?;
    // What undoes a command is done once, with the command.
    let is_again = |step: &&&BackStep| {
        matches!(step.way, WayBack::Restore { .. } | WayBack::AsBefore)
            && step.risky == last.risky
            && step.step != last.step
            && !step.after.is_empty()
            && !step.touches.iter().any(|touch| matches!(touch, Touch::Effect(_)))
    };
    let mut afters: Vec<&str> = Vec::new();
    for step in before.iter().rev().filter(is_again) {
        if !afters.contains(&step.after.as_str()) {
            afters.push(&step.after);
        }
    }
    if afters.is_empty() {
        return None;
    }
    let all = Sh::lines(afters.into_iter().map(|after| sh!("(\n{}\n)", Sh::program_of_the_user(after))));
    let step = Step::new("bring into effect what was put back", all.clone())
        .within(300)
        .expecting(Expect::Nothing("it is put back just before it"))
        .undone_by(Undo::default().then(all));
    let step = if last.risky { step.risky() } else { step };
    Some(BatchStep {
        step,
        requires: (0..doing.len()).collect(),
        ids: vec![id(last)],
        makes: Vec::new(),
        removes: Vec::new(),
    })
}

fn batch_step(at: usize, back: &BackStep, past: &Past) -> BatchStep {
    let folder = format!("{IMAGES}/{}/{}", past.run, back.step);
    let undo = Undo { touches: back.touches.clone(), after: Sh::program_of_the_user(&back.after) };
    let interrupted = matches!(back.way, WayBack::Restore { interrupted: true, .. });
    let how = match (interrupted, past.mend) {
        (false, _) => "",
        (true, false) => "broken",
        (true, true) => "mend",
    };
    let script = sh!("rp_unroll {} {}", folder, how);
    let mut step = Step::new(format!("put back: {}", back.title), script).within(900).undone_by(undo);
    step = step.expecting(if past.force || interrupted || back.covered {
        Expect::Nothing("what it stands on is put back just before it, or a person knows better")
    } else {
        Expect::Prints { command: sh!("rp_differs {} after", folder), output: String::new() }
    });
    if back.risky {
        step = step.risky();
    }
    BatchStep { step, requires: (0..at).collect(), ids: vec![id(back)], makes: Vec::new(), removes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "intent 1.0\nintent 1.1\nintent 2.0\nintent 3.0\nintent 3.1\n\
        ended 1.0\nended 1.1\nended 2.0\nended 3.0\nended 3.1\n\
        step 4.0\ntitle file:/x | write /x\ntouch path /x\nunmarked\n\
        step 3.1\ntitle command:c | run c\npermanent a command\n\
        step 3.0\ntitle file:/s | write /s\nsecret\ntouch path /s\nopen path /s\n\
        step 2.0\ntitle file:/a | write /a again\nrisky\ntouch path /a\nafter systemctl reload a\nopen path /a\n\
        step 1.1\ntitle file:/b | write /b\ntouch path /b\nopen path /b\nchanged path /b\n\
        step 1.0\ntitle file:/a | write /a\ntouch path /a\nopen path /a\nchanged path /a\nend\n";

    fn ways(text: &str, force: bool) -> Vec<(String, WayBack)> {
        read(text, force).unwrap().into_iter().map(|step| (step.step, step.way)).collect()
    }

    #[test]
    fn what_was_changed_since_is_refused_but_not_what_the_run_itself_changed_later() {
        let restore = |what: &str| WayBack::Restore { what: vec![what.into()], interrupted: false, over: Vec::new() };
        let expected = [
            ("3.1", WayBack::Never { why: "a command".into() }),
            ("3.0", WayBack::Secret),
            ("2.0", restore("path /a")),
            ("1.1", WayBack::Changed { what: vec!["path /b".into()] }),
            ("1.0", restore("path /a")),
        ];
        assert_eq!(ways(TOLD, false), expected.clone().map(|(step, way)| (step.to_owned(), way)));
        let over = vec!["path /b".to_owned()];
        assert_eq!(ways(TOLD, true)[3].1, WayBack::Restore { what: over.clone(), interrupted: false, over });
    }

    #[test]
    fn what_nobody_noted_is_not_taken_for_unchanged_but_a_step_without_an_end_is_put_back() {
        let step = "intent 1.0\nstep 1.0\ntitle file:/a | write /a\ntouch path /a\nopen path /a\n";
        let what = vec!["path /a".to_owned()];
        let unmarked = format!("ended 1.0\n{step}unmarked\nend\n");
        assert_eq!(ways(&unmarked, false)[0].1, WayBack::Changed { what: what.clone() });
        for half_done in [format!("{step}unmarked\nend\n"), format!("{step}end\n")] {
            let restore = WayBack::Restore { what: what.clone(), interrupted: true, over: Vec::new() };
            assert_eq!(ways(&half_done, false)[0].1, restore);
        }
    }

    #[test]
    fn what_came_out_empty_counts_where_a_step_never_ended() {
        let step = "intent 1.0\nstep 1.0\ntitle package_apt:a | install a\ntouch packages all\nopen packages all\n\
                    unmarked\nemptied /etc/a b\nend\n";
        assert_eq!(read(step, false).unwrap()[0].emptied, ["/etc/a b"]);
        assert!(read(&format!("ended 1.0\n{step}"), true).unwrap()[0].emptied.is_empty());
    }

    #[test]
    fn a_secret_is_not_written_again_but_an_effect_has_its_own_way_back() {
        let way = |touch: &str| {
            let step = format!("step 1.0\ntitle x\nsecret\ntouch {touch}\nafter drop it\nopen {touch}\nend\n");
            ways(&format!("intent 1.0\nended 1.0\n{step}"), false).remove(0).1
        };
        assert_eq!(way("path /s"), WayBack::Secret);
        let what = vec!["effect role app".to_owned()];
        assert_eq!(way("effect role app"), WayBack::Restore { what, interrupted: false, over: Vec::new() });
    }

    #[test]
    fn an_answer_that_breaks_off_or_says_nothing_is_no_plan() {
        assert!(read(TOLD.strip_suffix("end\n").unwrap(), false).unwrap_err().to_string().contains("broke off"));
        assert!(read("missing\n", false).unwrap_err().to_string().contains("keeps nothing"));
        assert!(read("busy\n", false).unwrap_err().to_string().contains("at work"));
        assert_eq!(read("end\n", false).unwrap(), []);
        let newer = "intent 1.0\nstep 1.0\ntitle x\ntouch spell /x\nopen spell /x\nend\n";
        assert!(matches!(ways(newer, true)[0].1, WayBack::Never { .. }));
    }
}
