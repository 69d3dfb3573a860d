//! Owns a reboot in the middle of a run: the host goes down after the last step of a batch, and is waited for until it
//! answers with another boot id.
//!
//! The step is in the target's journal as done before the host goes down. Where the link broke before the controller
//! heard of it, the journal tells it afterwards.

use std::time::{Duration, Instant};

use super::Event;
use super::batch::Batch;
use super::deliver::Course;
use super::follow::{BatchEnd, StepEnd};
use crate::model::HostName;
use crate::transport::TransportError;

/// How long a host that goes down is left alone between two tries.
const PAUSE: Duration = Duration::from_secs(3);
/// How long is waited for a reboot of which nobody heard that it was asked for.
const UNSURE: u64 = 120;

/// A batch that ends with a reboot, as it was before it.
pub(super) struct Comeback {
    step: usize,
    within: u64,
    boot: String,
}

impl Comeback {
    /// What must be known beforehand; `None` = the batch reboots nothing. Blocks.
    ///
    /// # Errors
    /// Nobody could tell that the host is back, so it is not rebooted.
    pub fn before(course: &Course, host: &HostName, batch: &Batch) -> Result<Option<Self>, String> {
        let Some((step, within)) = batch.reboot() else { return Ok(None) };
        match ask(course, host, batch, false) {
            Ok((boot, _)) => Ok(Some(Self { step, within, boot })),
            Err(why) => Err(format!("it is not rebooted, since it did not tell its boot id: {why}")),
        }
    }

    /// Waits for the host where its reboot was begun, and corrects what is known of the batch's end. Blocks.
    pub fn wait(&self, course: &Course, host: &HostName, batch: &Batch, end: &mut BatchEnd) {
        let Some(step) = end.steps.get(self.step) else { return };
        let is_done = *step == StepEnd::Done;
        // Failed, or another run holds the host: then nothing goes down.
        if !is_done && (end.lost.is_none() || end.busy.is_some()) {
            return;
        }
        let within = Duration::from_secs(if is_done { self.within } else { self.within.min(UNSURE) });
        let begun = Instant::now();
        let mut last = "it did not go down".to_owned();
        loop {
            // What is left of the old connection tells nothing of the new boot.
            course.links.close(host);
            if begun.elapsed() >= within || course.stop.is_urgent() {
                break;
            }
            std::thread::sleep(PAUSE);
            match ask(course, host, batch, false) {
                Ok((boot, _)) if boot == self.boot => last = "it has not gone down yet".to_owned(),
                Ok(_) => match ask(course, host, batch, true) {
                    Ok((_, done)) => return self.is_back(&done, end),
                    Err(why) => last = why,
                },
                Err(why) => {
                    if why != last {
                        course.links.tell(Event::Reconnecting(host.clone(), format!("it reboots: {why}")));
                    }
                    last = why;
                }
            }
        }
        if is_done {
            let why = format!("the host did not come back within {} s: {last}", within.as_secs());
            end.lost = Some(why.clone());
            if let Some(step) = end.steps.get_mut(self.step) {
                *step = StepEnd::Failed { why, output: Vec::new() };
            }
        }
    }

    // Another boot: what the journal knows as done was done, whatever was heard of it before.
    fn is_back(&self, done: &[usize], end: &mut BatchEnd) {
        for (at, step) in end.steps.iter_mut().enumerate() {
            if done.contains(&at) && matches!(step, StepEnd::NotRun(_)) {
                *step = StepEnd::Done;
            }
        }
        if end.steps.get(self.step) == Some(&StepEnd::Done) {
            end.lost = None;
        }
    }
}

// The host's boot id, and the steps of the batch that its journal knows as done.
fn ask(course: &Course, host: &HostName, batch: &Batch, settled: bool) -> Result<(String, Vec<usize>), String> {
    let script = batch.after_reboot(settled);
    let output = course.links.with(host, |session| session.run(&script, &mut |_| {}));
    let output = output.map_err(|error: TransportError| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    match lines.next() {
        Some(boot) if output.status == 0 && boot.len() == 36 => {
            Ok((boot.to_owned(), lines.filter_map(|line| line.parse().ok()).collect()))
        }
        _ => Err(format!("it did not tell its boot id (status {})", output.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_knows_counts_for_what_was_not_heard() {
        let comeback = Comeback { step: 1, within: 600, boot: String::new() };
        let not = || StepEnd::NotRun("the batch died".into());
        let end =
            |steps| BatchEnd { steps, armed: false, fired: false, busy: None, lost: Some("died".into()), head: None };
        let mut lost = end(vec![not(), not()]);
        comeback.is_back(&[0, 1], &mut lost);
        assert!(lost.steps == [StepEnd::Done, StepEnd::Done] && lost.lost.is_none());
        // Somebody else rebooted it: the step before had ended, ours had not.
        let mut other = end(vec![not(), not()]);
        comeback.is_back(&[0], &mut other);
        assert!(other.steps == [StepEnd::Done, not()] && other.lost.is_some());
    }
}
