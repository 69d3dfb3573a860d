//! Owns one case: from a copied disk, through a fault at one moment, to the verdict of the checker, the plain run after it,
//! and the checker's verdict on that.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{Ran, Running};
use crate::record::{Recorded, Step, snap};
use crate::site::{Done, Site, python, say};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of the controller.
    Controller,
    /// No packet passes until the controller has given up.
    Link,
    /// Power off: what was not synced is lost.
    Power,
    /// Not one block is free on the disk.
    Disk,
    /// SIGKILL of every sshd of the host.
    Sshd,
}

pub const FAULTS: [Fault; 5] = [Fault::Controller, Fault::Link, Fault::Power, Fault::Disk, Fault::Sshd];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::Link => "link",
            Self::Power => "power",
            Self::Disk => "disk",
            Self::Sshd => "sshd",
        })
    }
}

/// The moment in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its intent is on the disk, nothing of it is done.
    Before,
    /// So many milliseconds into it.
    Inside(u64),
    /// Where it syncs for the first time, before that is done.
    Sync,
    /// It has ended, and its result is not on the disk.
    Ended,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("before"),
            Self::Inside(ms) => write!(f, "inside+{ms}ms"),
            Self::Sync => f.write_str("sync"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// One fault at one moment of one step.
#[derive(Clone, Debug)]
pub struct Case {
    pub fault: Fault,
    pub moment: Moment,
    pub step: Step,
}

impl Case {
    /// Its name in logs: the same in every campaign whose playbook has the same steps.
    pub fn name(&self) -> String {
        let moment = match self.moment {
            // Drawn anew each time.
            Moment::Inside(_) => "inside".to_owned(),
            other => other.to_string(),
        };
        format!("{}@{}-{moment}", self.fault, self.step.at + 1)
    }
}

/// What came of a case.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Why it failed; empty = good.
    pub faults: Vec<String>,
    /// Objects in a state of dpkg's, which the run after it repaired.
    pub packages: usize,
    /// Temporary files after the fault, gone after the run.
    pub temporary: usize,
    /// How many objects differed from the disk that the case began with.
    pub moved: u64,
    /// How the controller ended: its exit code.
    pub exit: i32,
    pub took: Duration,
    /// Where the time went.
    pub spent: String,
}

/// A controller that lost its host in the window of a guard waits long.
const PATIENCE: Duration = Duration::from_secs(300);

struct Clock(Instant, String);

impl Clock {
    fn lap(&mut self, what: &str) {
        self.1.push_str(&format!("{what} {:.1} ", self.0.elapsed().as_secs_f32()));
        self.0 = Instant::now();
    }
}

/// Runs a case. `Err`: the campaign itself could not do it, which is no verdict.
pub fn play(site: &Site, recorded: &Recorded, case: &Case) -> Done<Verdict> {
    let begun = Instant::now();
    let mut clock = Clock(begun, String::new());
    let mut verdict = Verdict::default();
    let (mut run, base, state) = approach(site, recorded, case)?;
    reach(site, case, &mut run)?;
    clock.lap("reach");
    let ran = strike(site, case, run)?;
    clock.lap("fault");
    verdict.exit = ran.code;
    settle(site)?;
    clock.lap("settle");
    let [fault, file] = ["fault", "run"].map(|when| site.ground.folder.join(format!("{}-{when}.json", site.lab)));
    snap(site, &fault, "")?;
    judge(recorded, &fault, Some((base, case.step.at)), &mut verdict)?;
    clock.lap("judge");
    if let Some(why) = unreadable(&ran) {
        verdict.faults.push(why);
    }
    let told = converge(site, &state, &mut verdict)?;
    clock.lap("rerun");
    snap(site, &file, "")?;
    judge(recorded, &file, None, &mut verdict)?;
    clock.lap("judge");
    if !verdict.faults.is_empty() {
        keep(site, case, &format!("{ran}\n==== run after it\n{told}"), [&fault, &file])?;
    }
    verdict.took = begun.elapsed();
    verdict.spent = clock.1;
    Ok(verdict)
}

/// Boots the host from the step's disk, and runs up to the step; with the golden state of that disk, and the
/// name of the controller's own state.
fn approach(site: &Site, recorded: &Recorded, case: &Case) -> Done<(Running, usize, String)> {
    // A reboot may have done what the step is for, as with a service that a package has enabled; then the way begins
    // with an earlier disk.
    static EARLIER: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
    let known = || EARLIER.lock().unwrap().get(&case.step.title).copied();
    for earlier in known().unwrap_or(0)..=3.min(case.step.disk) {
        let disk = case.step.disk - earlier;
        site.start_from(&recorded.disks[disk])?;
        site.want(&format!("before * {}", case.step.title))?;
        // Beside a disk of the past, its memory must begin anew.
        let state = format!("{}-{earlier}", case.name());
        let _ = std::fs::remove_dir_all(site.state_of(&state));
        let mut run = site.start(&state);
        if site.held(&mut run, PATIENCE)?.is_some() {
            return Ok((run, recorded.state_of_disk(disk), state));
        }
        let ran = run.end(PATIENCE);
        if ran.code != 0 {
            return Err(format!("the run ended before the step: {}: {}", ran.code, brief(&ran)));
        }
        EARLIER.lock().unwrap().insert(case.step.title.clone(), earlier + 1);
    }
    Err("no run needed this step".to_owned())
}

/// From before the step to the moment of the case.
fn reach(site: &Site, case: &Case, run: &mut Running) -> Done<()> {
    match case.moment {
        Moment::Before => Ok(()),
        Moment::Inside(ms) => {
            site.release()?;
            std::thread::sleep(Duration::from_millis(ms));
            Ok(())
        }
        Moment::Sync | Moment::Ended => {
            // A step that never syncs is caught at its end.
            site.want(&format!("{} * {}", pattern(case.moment), case.step.title))?;
            site.release()?;
            site.held(run, PATIENCE)?.map(|_| ()).ok_or_else(|| format!("{}: the run ended in its step", case.name()))
        }
    }
}

fn pattern(moment: Moment) -> &'static str {
    if moment == Moment::Ended { "ended" } else { "[se][yn]*" }
}

/// The fault, until the controller has ended and the host is as whole as it can be by itself.
fn strike(site: &Site, case: &Case, mut run: Running) -> Done<Ran> {
    let is_held = !matches!(case.moment, Moment::Inside(_));
    let release = || if is_held { site.release() } else { Ok(()) };
    match case.fault {
        Fault::Controller => {
            run.signal(Signal::KILL);
            let ran = run.end(PATIENCE);
            release()?;
            Ok(ran)
        }
        Fault::Link => {
            site.cut_link()?;
            release()?;
            site.end_tcp()?;
            let ran = run.end(PATIENCE);
            site.heal_link();
            Ok(ran)
        }
        Fault::Power => {
            site.cut_power()?;
            site.boot()?;
            Ok(run.end(PATIENCE))
        }
        Fault::Disk => {
            site.fill_disk()?;
            release()?;
            let ran = run.end(PATIENCE);
            site.free_disk();
            Ok(ran)
        }
        Fault::Sshd => {
            site.on("pkill -KILL -x sshd; :")?;
            release()?;
            let _ = run.has_ended();
            let ran = run.end(PATIENCE);
            site.on("systemctl is-active --quiet ssh || systemctl start ssh")?;
            Ok(ran)
        }
    }
}

/// Waits until no batch runs on the host and no guard is armed any more: what happens there by itself has happened.
fn settle(site: &Site) -> Done<()> {
    let begun = Instant::now();
    let idle = "! systemctl list-units --plain --no-legend --state=running,activating,deactivating 'rempart-*.service' | grep -q . \
                && [ ! -e /var/lib/rempart/guard/armed ] && [ ! -e /var/lib/rempart/guard/firing ] && ! systemctl is-system-running | grep -q starting";
    loop {
        match site.on(idle) {
            Ok(_) => return Ok(()),
            Err(why) if begun.elapsed() > PATIENCE => return Err(format!("the host does not come to rest: {why}")),
            Err(_) => std::thread::sleep(Duration::from_millis(400)),
        }
    }
}

/// `from`: the golden states of the disk that the case began with, and of the last step that was done; `None` when all must
/// be new.
fn judge(recorded: &Recorded, file: &Path, from: Option<(usize, usize)>, verdict: &mut Verdict) -> Done<()> {
    let mut command = Command::new(python());
    command.arg(recorded.golden.with_file_name("objects.py")).arg("judge").arg(&recorded.golden).arg(file);
    match from {
        Some((base, reached)) => command.args([base.to_string(), reached.to_string()]),
        None => command.arg("new"),
    };
    let must_be_new = from.is_none();
    let output = say("run the checker", command.output())?;
    let json: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("the checker says no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)))?;
    let when = if must_be_new { "after the run: " } else { "after the fault: " };
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    verdict.faults.extend(list("faults").iter().map(|fault| format!("{when}{}", fault.as_str().unwrap_or("?"))));
    if !must_be_new {
        verdict.packages = list("packages").len();
        verdict.temporary = list("temporary").len();
        verdict.moved = json["moved"].as_u64().unwrap_or(0);
    }
    Ok(())
}

/// A plain run must end well, and a plan after it must be empty.
fn converge(site: &Site, state: &str, verdict: &mut Verdict) -> Done<String> {
    let ran = site.apply(state);
    let mut told = ran.to_string();
    if ran.code != 0 {
        verdict.faults.push(format!("the plain run after it ended with {}: {}", ran.code, brief(&ran)));
    }
    let plan = site.plan(state);
    if plan.code != 0 {
        verdict.faults.push(format!("the plan after that is not empty ({}): {}", plan.code, brief(&plan)));
    } else {
        let json: Value = say("read the plan", serde_json::from_str(&plan.out))?;
        if json["notes"].as_array().is_some_and(|notes| !notes.is_empty()) {
            verdict.faults.push(format!("the plan after that still tells: {}", json["notes"]));
        }
    }
    told.push_str(&format!("\n==== plan\n{plan}"));
    Ok(told)
}

fn unreadable(ran: &Ran) -> Option<String> {
    let bad = ["panicked", "RUST_BACKTRACE", "Err(", "Some("].into_iter().find(|word| ran.text().contains(word))?;
    Some(format!("the controller printed `{bad}`: {}", brief(ran)))
}

/// The lines that say what went wrong.
fn brief(ran: &Ran) -> String {
    let text = ran.text();
    let bad =
        |line: &&str| ["✗ ", "↷ ", "↶ ", "error", "refused"].iter().any(|word| line.trim_start().starts_with(word));
    let lines: Vec<&str> = text.lines().filter(bad).take(4).map(str::trim).collect();
    lines.join(" / ").chars().take(500).collect()
}

/// What is needed to understand a bad case.
fn keep(site: &Site, case: &Case, told: &str, states: [&Path; 2]) -> Done<()> {
    let folder = crate::log::folder().join("bad").join(case.name());
    say("make a folder", std::fs::create_dir_all(&folder))?;
    say("write", std::fs::write(folder.join("controller.txt"), told))?;
    for (state, name) in states.iter().zip(["after-fault.json", "after-run.json"]) {
        say("copy", std::fs::copy(state, folder.join(name)))?;
    }
    let told = site
        .on("tail -n 100 /var/lib/rempart/journal /var/lib/rempart/runs/*.log 2>/dev/null; ls -laR /var/lib/rempart; \
         journalctl -b -n 200 --no-pager 2>/dev/null; dpkg --audit");
    say("write", std::fs::write(folder.join("host.txt"), told.unwrap_or_else(|why| why)))
}
