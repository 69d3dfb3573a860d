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
}

impl Recorded {
    /// The number of the golden state before a step.
    pub fn before(&self, batch: usize, number: usize) -> usize {
        self.steps.iter().filter(|step| (step.batch, step.number) < (batch, number)).count()
    }
}

pub const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify/objects.py");

/// Notes every object of the running host in a file.
pub fn snap(site: &Site, file: &Path, title: &str) -> Done<()> {
    tool(&["python3", CHECKER, "snap", &site.pid()?.to_string(), file.to_str().unwrap(), title]).map(|_| ())
}

const PATIENCE: Duration = Duration::from_secs(120);

/// The undisturbed run of an earlier campaign on the same ground.
pub fn recall(ground: &Ground) -> Option<Recorded> {
    let text = fs::read_to_string(ground.folder.join("steps.json")).ok()?;
    let kept: Vec<(usize, usize, String, u64, bool)> = serde_json::from_str(&text).ok()?;
    let steps: Vec<Step> = kept
        .into_iter()
        .map(|(batch, number, title, ms, syncs)| Step { batch, number, title, took: Duration::from_millis(ms), syncs })
        .collect();
    let batches = steps.last()?.batch + 1;
    let disks = (0..batches).map(|at| disk(ground, at)).collect();
    Some(Recorded { steps, disks, golden: ground.folder.join("golden") })
}

fn disk(ground: &Ground, batch: usize) -> PathBuf {
    if batch == 0 { ground.bare() } else { ground.folder.join(format!("before-{batch}.img")) }
}

pub fn record(ground: &Ground, site: &Site) -> Done<Recorded> {
    let golden = ground.folder.join("golden");
    let _ = fs::remove_dir_all(&golden);
    say("make a folder", fs::create_dir_all(&golden))?;
    let mut recorded = Recorded { steps: Vec::new(), disks: vec![ground.bare()], golden };
    let file = |at: usize| recorded_file(&ground.folder, at);
    snap(site, &file(0), "")?;
    loop {
        let batch = recorded.disks.len() - 1;
        let steps = one_batch(site, batch, &mut |at, title| snap(site, &file(recorded.steps.len() + at), title))?;
        let Some(steps) = steps else { break };
        recorded.steps.extend(steps);
        let disk = disk(ground, batch + 1);
        site.copy_disk(&disk)?;
        recorded.disks.push(disk);
    }
    // The last one is from after all steps: what a reboot makes of it is new as well.
    if let Some(last) = recorded.disks.pop() {
        site.start_from(&last)?;
        snap(site, &file(recorded.steps.len() + 1), "(reboot)")?;
    }
    let kept: Vec<_> = recorded
        .steps
        .iter()
        .map(|step| (step.batch, step.number, step.title.clone(), step.took.as_millis() as u64, step.syncs))
        .collect();
    let text = say("write the steps", serde_json::to_string(&kept))?;
    say("write the steps", fs::write(ground.folder.join("steps.json"), text))?;
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
        // `before STEPS NUMBER TITLE`
        let mut words = moment.splitn(4, ' ').skip(1);
        let mut word = || words.next().ok_or_else(|| format!("not understood: {moment}"));
        let count: usize = say("count", word()?.parse())?;
        let number: usize = say("number", word()?.parse())?;
        let title = word()?.to_owned();
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
