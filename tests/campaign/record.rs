//! Owns the undisturbed run: what each step leaves (the golden states), and disks from in between, so that a case need not
//! begin with a bare host.
//!
//! For a disk the controller is asked to stop at a batch's last step, as a person does with Ctrl-C, so that the run before was
//! ended in good order; then it is run again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::site::{Done, Ground, Site, python, say, tool};

/// One step of the playbook, as the undisturbed run saw it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number in the whole: also that of the golden state before it.
    pub at: usize,
    /// The disk that a case of it begins with.
    pub disk: usize,
    /// Its batch in the run that began with that disk, and its number in the batch.
    pub batch: usize,
    pub number: usize,
    pub title: String,
    pub took: Duration,
    /// Whether it syncs something itself.
    pub syncs: bool,
}

/// The undisturbed run.
pub struct Recorded {
    pub steps: Vec<Step>,
    pub disks: Vec<PathBuf>,
    pub golden: PathBuf,
}

impl Recorded {
    /// The number of the golden state that a disk holds.
    pub fn state_of_disk(&self, disk: usize) -> usize {
        self.steps.iter().filter(|step| step.disk < disk).count()
    }
}

pub const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify/objects.py");

/// Notes every object of the running host in a file.
pub fn snap(site: &Site, file: &Path, title: &str) -> Done<()> {
    let checker = site.ground.checker();
    let (checker, pid) = (checker.to_str().unwrap(), site.pid()?.to_string());
    tool(&[python(), checker, "snap", &pid, file.to_str().unwrap(), title]).map(|_| ())
}

/// A first campaign on a machine also waits for packages to come from far away.
const PATIENCE: Duration = Duration::from_secs(600);

/// After so much work, a new disk is worth its while.
const WORTH_A_DISK: Duration = Duration::from_secs(2);

/// The undisturbed run of an earlier campaign on the same ground.
pub fn recall(ground: &Ground) -> Option<Recorded> {
    let text = fs::read_to_string(ground.folder.join("steps.json")).ok()?;
    let kept: Vec<(usize, usize, usize, String, u64, bool)> = serde_json::from_str(&text).ok()?;
    let steps: Vec<Step> = kept
        .into_iter()
        .enumerate()
        .map(|(at, (disk, batch, number, title, ms, syncs))| {
            let took = Duration::from_millis(ms);
            Step { at, disk, batch, number, title, took, syncs }
        })
        .collect();
    let disks = (0..=steps.last()?.disk).map(|at| disk(ground, at)).collect();
    Some(Recorded { steps, disks, golden: ground.folder.join("golden") })
}

fn disk(ground: &Ground, number: usize) -> PathBuf {
    if number == 0 { ground.bare() } else { ground.folder.join(format!("disk-{number}.img")) }
}

fn state(ground: &Ground, at: usize) -> PathBuf {
    ground.folder.join("golden").join(format!("{at:03}.json"))
}

pub fn record(ground: &Ground, site: &Site) -> Done<Recorded> {
    let golden = ground.folder.join("golden");
    let _ = fs::remove_dir_all(&golden);
    say("make a folder", fs::create_dir_all(&golden))?;
    let mut recorded = Recorded { steps: Vec::new(), disks: vec![ground.bare()], golden };
    snap(site, &state(ground, 0), "")?;
    while one_run(site, &mut recorded)? {
        let disk = disk(ground, recorded.disks.len());
        site.copy_disk(&disk)?;
        recorded.disks.push(disk);
    }
    // What a reboot makes of the last state is new as well.
    let last = ground.folder.join("last.img");
    site.copy_disk(&last)?;
    site.start_from(&last)?;
    let _ = fs::remove_file(&last);
    snap(site, &state(ground, recorded.steps.len() + 1), "(reboot)")?;
    let kept: Vec<_> = recorded
        .steps
        .iter()
        .map(|step| (step.disk, step.batch, step.number, &step.title, step.took.as_millis() as u64, step.syncs))
        .collect();
    let text = say("write the steps", serde_json::to_string(&kept))?;
    say("write the steps", fs::write(ground.folder.join("steps.json"), text))?;
    Ok(recorded)
}

/// One run, step by step, until enough is done for a new disk; says whether something is left.
fn one_run(site: &Site, recorded: &mut Recorded) -> Done<bool> {
    site.want("before *")?;
    let mut run = site.start("record");
    let disk = recorded.disks.len() - 1;
    let (mut batch, mut worked) = (0, Duration::ZERO);
    // The step that is running, and since when.
    let mut running: Option<(Step, Instant)> = None;
    let mut stops = false;
    loop {
        let moment = match if stops { Ok(None) } else { site.held(&mut run, PATIENCE) } {
            Ok(moment) => moment,
            Err(why) => {
                let step = running.map_or("(none)".to_owned(), |(step, _)| step.title);
                run.signal(Signal::TERM);
                return Err(format!("{why}; the last step was `{step}`, and the run said: {}", run.end(PATIENCE)));
            }
        };
        if let Some((mut step, begun)) = running.take() {
            if stops {
                // The controller's own end is in it, so it is a little long.
                let ran = run.end(PATIENCE);
                if ran.code != 130 {
                    return Err(format!("after `{}` the run should have been stopped: {ran}", step.title));
                }
                step.took = begun.elapsed();
                finish(site, recorded, step)?;
                return Ok(true);
            }
            step.took = begun.elapsed();
            worked += step.took;
            batch = step.batch;
            finish(site, recorded, step)?;
        }
        let Some(moment) = moment else {
            let ran = run.end(PATIENCE);
            return if ran.code == 0 { Ok(false) } else { Err(format!("the undisturbed run failed: {ran}")) };
        };
        // `before STEPS NUMBER TITLE`
        let mut words = moment.splitn(4, ' ').skip(1);
        let mut word = || words.next().ok_or_else(|| format!("not understood: {moment}"));
        let count: usize = say("count", word()?.parse())?;
        let number: usize = say("number", word()?.parse())?;
        let title = word()?.to_owned();
        if number == 0 && recorded.steps.last().is_some_and(|last| last.disk == disk) {
            batch += 1;
        }
        let at = recorded.steps.len();
        let step = Step { at, disk, batch, number, title, took: Duration::ZERO, syncs: false };
        stops = number + 1 == count && worked > WORTH_A_DISK;
        if stops {
            run.signal(Signal::INT);
            std::thread::sleep(Duration::from_millis(100));
        } else {
            site.want("before *")?;
        }
        running = Some((step, Instant::now()));
        site.release()?;
    }
}

fn finish(site: &Site, recorded: &mut Recorded, mut step: Step) -> Done<()> {
    step.syncs = site.path("/run/campaign/syncs")?.exists();
    snap(site, &state(site.ground, step.at + 1), &step.title)?;
    recorded.steps.push(step);
    Ok(())
}
