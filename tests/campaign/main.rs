//! The fault campaign: every step of a shipped playbook, five faults, an independent checker.
//!
//! `make campaign` plays all cases; `make test` draws twenty. docs/campaign.md says what a case does, and what came of the
//! last whole campaign.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a campaign says how far it is")]

mod case;
#[allow(dead_code, reason = "the tests of real hosts use all of it")]
#[path = "../real/fixture.rs"]
mod fixture;
mod log;
mod record;
mod site;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, FAULTS, Moment};
use record::Recorded;
use site::{Done, Ground};

#[test]
#[ignore = "made by hand"]
fn some() {
    let wanted = std::env::var("REMPART_CAMPAIGN_CASES").unwrap_or_default();
    let result = with_ground(|ground, recorded| {
        let cases = cases(recorded);
        let chosen: Vec<Case> =
            cases.into_iter().filter(|case| wanted.split(',').any(|name| matches(name, &case.name()))).collect();
        play_all(ground, recorded, &chosen, "some.log")
    });
    assert_eq!(result, Ok(0));
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
        None => pattern == name,
    }
}

fn with_ground(work: impl FnOnce(&Ground, &Recorded) -> Done<usize>) -> Done<usize> {
    let begun = std::time::Instant::now();
    let ground = Ground::make(&log::folder().join(format!("ground-{}", std::process::id())))?;
    eprintln!("ground after {:.0?}", begun.elapsed());
    let recorded = {
        let site = ground.site(1, &ground.bare())?;
        record::record(&ground, &site)?
    };
    eprintln!("recorded {} steps in {} batches after {:.0?}", recorded.steps.len(), recorded.disks.len(), begun.elapsed());
    for step in &recorded.steps {
        eprintln!("  {}.{} {:.1?} {}", step.batch, step.number, step.took, step.title);
    }
    work(&ground, &recorded)
}

/// Every case there is.
fn cases(recorded: &Recorded) -> Vec<Case> {
    let mut cases = Vec::new();
    for step in &recorded.steps {
        for fault in FAULTS {
            for moment in [Moment::Before, Moment::Sync, Moment::Ended] {
                cases.push(Case { fault, moment, step: step.clone() });
            }
            if step.took.as_millis() > 400 {
                cases.push(Case { fault, moment: Moment::Inside(200), step: step.clone() });
            }
        }
    }
    cases
}

/// Plays cases on a few labs at once; how many are bad.
fn play_all(ground: &Ground, recorded: &Recorded, cases: &[Case], log: &str) -> Done<usize> {
    let labs: usize = std::env::var("REMPART_CAMPAIGN_LABS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let next = AtomicUsize::new(0);
    let bad = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..labs.min(cases.len()) {
            let (next, bad, broken) = (&next, &bad, &broken);
            scope.spawn(move || {
                let site = match ground.site(number + 2, &recorded.disks[0]) {
                    Ok(site) => site,
                    Err(why) => return broken.lock().unwrap().push(why),
                };
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let line = match case::play(&site, recorded, case) {
                        Ok(verdict) => {
                            bad.fetch_add(usize::from(!verdict.faults.is_empty()), Ordering::Relaxed);
                            log::line(case, &verdict)
                        }
                        Err(why) => {
                            broken.lock().unwrap().push(why.clone());
                            format!("BROKEN\t{}\t{why}", case.name())
                        }
                    };
                    eprintln!("{line}");
                    log::append(log, &line);
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    if broken.is_empty() { Ok(bad.into_inner()) } else { Err(broken.join("\n")) }
}
