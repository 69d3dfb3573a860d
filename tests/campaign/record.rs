//! Owns the undisturbed run: what each step leaves (the golden states), and a disk from before each batch, so that a case
//! need not begin with a bare host.
//!
//! The run is made batch by batch: at a batch's last step the controller is asked to stop, as a person does with Ctrl-C, so
//! that every disk is one on which the run before was ended in good order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::site::{Done, Ground, Site, say, tool};

/// One step of the playbook, as the undisturbed run saw it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which disk it is on: how many batches were before.
    pub batch: usize,
    /// Its number in the batch.
    pub number: usize,
    pub title: String,
    pub took: Duration,
    /// Whether it syncs something itself.
    pub syncs: bool,
}

/// The undisturbed run.
pub struct Recorded {
    pub steps: Vec<Step>,
    /// The disk before each batch.
    pub disks: Vec<PathBuf>,
    pub golden: PathBuf,
    /// Whether the host keeps a journal at all.
    pub journaled: bool,
}

impl Recorded {
    /// The golden states before the batch of a step, and before the step itself.
    pub fn around(&self, step: &Step) -> (usize, usize) {
        let before = |number: usize| self.steps.iter().filter(|s| (s.batch, s.number) < (step.batch, number)).count();
        (before(0), before(step.number))
    }
}

pub const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify/objects.py");

/// Notes every object of the running host in a file.
pub fn snap(site: &Site, file: &Path, title: &str) -> Done<()> {
    tool(&["python3", CHECKER, "snap", &site.pid()?.to_string(), file.to_str().unwrap(), title]).map(|_| ())
}

const PATIENCE: Duration = Duration::from_secs(120);

pub fn record(ground: &Ground, site: &Site) -> Done<Recorded> {
    let golden = ground.folder.join("golden");
    say("make a folder", fs::create_dir_all(&golden))?;
    let mut recorded = Recorded { steps: Vec::new(), disks: vec![ground.bare()], golden, journaled: false };
    let file = |at: usize| recorded_file(&ground.folder, at);
    snap(site, &file(0), "")?;
    loop {
        let batch = recorded.disks.len() - 1;
        let steps = one_batch(site, batch, &mut |at, title| snap(site, &file(recorded.steps.len() + at), title))?;
        let Some(steps) = steps else { break };
        recorded.steps.extend(steps);
        let disk = ground.folder.join(format!("before-{}.img", batch + 1));
        site.copy_disk(&disk)?;
        recorded.disks.push(disk);
    }
    // The last one is from after all steps.
    recorded.disks.pop();
    recorded.journaled = site.on("test ! -e /var/lib/rempart/journal").is_err();
    Ok(recorded)
}

fn recorded_file(folder: &Path, at: usize) -> PathBuf {
    folder.join("golden").join(format!("{at:03}.json"))
}

/// Runs the next batch, step by step; `None` when nothing is left to do.
fn one_batch(site: &Site, batch: usize, seen: &mut dyn FnMut(usize, &str) -> Done<()>) -> Done<Option<Vec<Step>>> {
    site.want("before *")?;
    let mut run = site.start("record");
    let mut steps: Vec<Step> = Vec::new();
    let mut begun = Instant::now();
    let mut last = 0;
    while let Some(moment) = site.held(&mut run, PATIENCE)? {
        if let Some(step) = steps.last_mut() {
            step.took = begun.elapsed();
            step.syncs = site.path("/run/campaign/syncs")?.exists();
            seen(steps.len(), &steps[steps.len() - 1].title.clone())?;
        }
        let (program, number) = moment.trim_start_matches("before ").split_once('.').unwrap_or_default();
        if program != "0" {
            return Err(format!("batch {batch} should have been the only one of its run: {moment}"));
        }
        let number: usize = say("number", number.parse())?;
        let (title, count) = told(site, number)?;
        steps.push(Step { batch, number, title, took: Duration::ZERO, syncs: false });
        last = number;
        if number + 1 == count {
            run.signal(Signal::INT);
            std::thread::sleep(Duration::from_millis(100));
        } else {
            site.want("before *")?;
        }
        site.release()?;
        begun = Instant::now();
        if number + 1 == count {
            break;
        }
    }
    let ran = run.end(PATIENCE);
    if steps.is_empty() {
        return if ran.code == 0 { Ok(None) } else { Err(format!("the undisturbed run failed: {ran}")) };
    }
    if ran.code != 130 {
        return Err(format!("after step {last} of batch {batch} the run should have been stopped: {ran}"));
    }
    let end = steps.len() - 1;
    // The controller's own end is in it: a little too long.
    steps[end].took = begun.elapsed();
    steps[end].syncs = site.path("/run/campaign/syncs")?.exists();
    seen(steps.len(), &steps[end].title.clone())?;
    Ok(Some(steps))
}

/// The title of the step before which the host holds still, and how many steps its batch has.
fn told(site: &Site, number: usize) -> Done<(String, usize)> {
    let text = site.on(
        "cd /run/rempart && run=$(ls -td -- */ | grep -v lost | head -n 1) && grep -h -E '^(start|intent) ' \"$run\"0.log | tail -n 1 \
         && grep -c '^rp_step [0-9]' \"$run\"0.sh",
    )?;
    let mut lines = text.lines();
    let (line, count) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let rest = line.split_once(' ').and_then(|(_, rest)| rest.strip_prefix(&format!("{number} ")));
    let rest = rest.ok_or_else(|| format!("step {number} has no title: {line}"))?;
    // With a journal, what it is about stands before it.
    let title = rest.rsplit_once(" | ").map_or(rest, |(_, title)| title);
    Ok((title.to_owned(), say("number", count.parse())?))
}
