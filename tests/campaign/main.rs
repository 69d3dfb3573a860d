//! The fault campaign: every step of a shipped playbook, five faults, an independent checker.
//!
//! `make campaign` plays all cases; `make test` draws twenty. docs/campaign.md says what a case does, and what came of the
//! last whole campaign.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a campaign says how far it is")]

mod case;
mod checker;
mod draw;
#[allow(dead_code, reason = "the tests of real hosts use all of it")]
#[path = "../real/fixture.rs"]
mod fixture;
mod log;
mod mutant;
mod page;
mod record;
mod site;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use case::{Case, FAULTS, Fault, Moment};
use draw::Draw;
use mutant::MUTANTS;
use record::Recorded;
use site::{Done, Ground, Site};

/// How many cases `make test` draws.
const DRAWN: usize = 20;
/// Without Docker, which takes most of the time of an apply; `make campaign` has it.
const SMALL: [&str; 1] = ["ollama_container=false"];
/// Steps that took longer than this are hit inside as well.
const LONG: Duration = Duration::from_millis(400);

#[test]
fn twenty_cases_drawn_by_a_seed() {
    if fixture::is_skipped("twenty cases of the fault campaign") {
        return;
    }
    let seed = Draw::seed();
    eprintln!("REMPART_CAMPAIGN_SEED={seed}");
    with_ground(&SMALL, |ground, recorded| {
        power_is_really_cut(ground)?;
        let drawn = draw::some(seed, cases(recorded, &mut Draw::new(seed)), DRAWN, Case::name);
        let outcome = play_all(ground, recorded, &drawn, &ground.program, "drawn.log", None)?;
        assert_eq!(
            (outcome.bad, outcome.broken, outcome.played),
            (0, 0, DRAWN),
            "REMPART_CAMPAIGN_SEED={seed} repeats it"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
#[ignore = "the whole campaign takes about an hour: `make campaign`"]
fn whole() {
    let begun = Instant::now();
    let commit = log::commit();
    let seed = Draw::seed();
    let name = format!("cases-{commit}.log");
    eprintln!("REMPART_CAMPAIGN_SEED={seed}, log target/campaign/{name}");
    let minutes = std::env::var("REMPART_CAMPAIGN_MINUTES").ok().and_then(|text| text.parse().ok());
    let limit = minutes.map(|minutes: u64| begun + Duration::from_secs(60 * minutes));
    with_ground(&[], |ground, recorded| {
        power_is_really_cut(ground)?;
        let all = cases(recorded, &mut Draw::new(seed));
        // What was good at this very commit need not be played again.
        let done: Vec<String> = if commit.ends_with("-changed") { Vec::new() } else { log::good(&name) };
        let left: Vec<Case> = all.iter().filter(|case| !done.contains(&case.name())).cloned().collect();
        eprintln!("{} cases, {} of them still to be played", all.len(), left.len());
        let outcome = play_all(ground, recorded, &left, &ground.program, &name, limit)?;
        let mutants = mutants(ground, recorded)?;
        let results = page::Results {
            commit: commit.clone(),
            when: site::tool(&["date", "-u", "+%Y-%m-%d"])?.trim().to_owned(),
            planned: all.len(),
            lines: log::last_lines(&name),
            mutants: mutants.iter().map(|(said, _)| said.clone()).collect(),
            minutes: begun.elapsed().as_secs() / 60,
        };
        results.publish();
        eprintln!("{} of {} are good", results.good(), results.planned);
        assert!(mutants.iter().all(|(_, failed)| *failed), "{mutants:?}");
        assert_eq!((outcome.bad, outcome.broken), (0, 0));
        assert_eq!(results.good(), results.planned);
        Ok(())
    })
    .unwrap();
}

#[test]
#[ignore = "by hand: REMPART_CAMPAIGN_CASES names them; with REMPART_CAMPAIGN_SMALL=1 those of `make test`"]
fn some() {
    let wanted = std::env::var("REMPART_CAMPAIGN_CASES").unwrap_or_default();
    let set: &[&str] = if std::env::var_os("REMPART_CAMPAIGN_SMALL").is_some() { &SMALL } else { &[] };
    with_ground(set, |ground, recorded| {
        power_is_really_cut(ground)?;
        let all = cases(recorded, &mut Draw::new(Draw::seed()));
        let chosen: Vec<Case> =
            all.into_iter().filter(|case| wanted.split(',').any(|name| matches(name, &case.name()))).collect();
        let outcome = play_all(ground, recorded, &chosen, &ground.program, "some.log", None)?;
        if wanted.split(',').any(|name| name == "mutants") {
            for (said, _) in mutants(ground, recorded)? {
                eprintln!("{said}");
            }
        }
        eprintln!("{} played, {} bad, {} broken", outcome.played, outcome.bad, outcome.broken);
        Ok(())
    })
    .unwrap();
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
        None => pattern == name,
    }
}

fn with_ground(set: &'static [&'static str], work: impl FnOnce(&Ground, &Recorded) -> Done<()>) -> Done<()> {
    let begun = Instant::now();
    let _one_at_a_time = log::lock();
    let ground = Ground::make(&log::folder().join(if set.is_empty() { "ground" } else { "small-ground" }), set)?;
    eprintln!("the ground is made after {:.0?}", begun.elapsed());
    let recorded = match record::recall(&ground) {
        Some(recorded) => recorded,
        None => record::record(&ground, &ground.site(1, &ground.bare())?)?,
    };
    let (steps, disks) = (recorded.steps.len(), recorded.disks.len());
    eprintln!("{steps} steps and {disks} disks are recorded after {:.0?}", begun.elapsed());
    for step in &recorded.steps {
        eprintln!(
            "{:3}  disk {}  batch {}.{}  {:5} ms  {}",
            step.at + 1,
            step.disk,
            step.batch,
            step.number,
            step.took.as_millis(),
            step.title
        );
    }
    assert!(steps >= 40, "the playbook has {steps} steps; 40 are wanted");
    work(&ground, &recorded)
}

/// The campaign's own test: its power cut loses what was not synced, and nothing else.
fn power_is_really_cut(ground: &Ground) -> Done<()> {
    let site = ground.site(2, &ground.bare())?;
    let mut left = String::new();
    // Somebody else's `sync` on this computer may come between, and saves everything.
    for _ in 0..4 {
        site.on("cd /srv && rm -f unsynced renamed synced late && /usr/bin/sync -f / && \
                 echo lost > unsynced && echo kept > synced && echo lost > new && mv new renamed && sync synced && \
                 echo kept > late && sync late")?;
        site.cut_power()?;
        site.boot()?;
        left = site.on(
            "cd /srv && for name in unsynced renamed synced late; do echo \"$name:$(cat $name 2>/dev/null)\"; done",
        )?;
        if left == "unsynced:\nrenamed:\nsynced:kept\nlate:kept\n" {
            return Ok(());
        }
    }
    Err(format!("the power cut is not like a real one: {left}"))
}

/// Every case there is, the most telling first.
fn cases(recorded: &Recorded, draw: &mut Draw) -> Vec<Case> {
    let mut first = Vec::new();
    let mut second = Vec::new();
    for step in &recorded.steps {
        let case = |fault: Fault, moment: Moment| Case { fault, moment, step: step.clone() };
        for fault in FAULTS {
            first.push(case(fault, Moment::Before));
            if step.took > LONG {
                let most = (step.took.as_millis() as u64 * 9 / 10).max(100);
                first.push(case(fault, Moment::Inside(50 + draw.below(most - 50))));
            }
        }
        second.push(case(Fault::Power, Moment::Ended));
        if step.at % 3 == 0 {
            second.push(case(Fault::Disk, Moment::Ended));
        }
        if step.syncs {
            second.push(case(Fault::Power, Moment::Sync));
        }
    }
    for part in [&mut first, &mut second] {
        // Cases that wait and cases that work take turns.
        for at in (1..part.len()).rev() {
            part.swap(at, draw.below(at as u64 + 1) as usize);
        }
    }
    first.extend(second);
    first
}

struct Outcome {
    played: usize,
    /// Cases with a bad verdict.
    bad: usize,
    /// Cases that the campaign itself could not play.
    broken: usize,
}

/// Plays cases on a few labs at once.
fn play_all(
    ground: &Ground,
    recorded: &Recorded,
    cases: &[Case],
    program: &Path,
    log: &str,
    limit: Option<Instant>,
) -> Done<Outcome> {
    static LABS: AtomicUsize = AtomicUsize::new(10);
    let labs: usize = std::env::var("REMPART_CAMPAIGN_LABS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let [next, bad, played, broken] = [const { AtomicUsize::new(0) }; 4];
    let labs_died = Mutex::new(Vec::new());
    let new_site = || -> Done<Site> {
        let mut site = ground.site(LABS.fetch_add(1, Ordering::Relaxed), &ground.bare())?;
        site.program = program.to_path_buf();
        Ok(site)
    };
    let work = || -> Done<()> {
        let mut site = new_site()?;
        while limit.is_none_or(|limit| Instant::now() < limit) {
            let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let mut verdict = case::play(&site, recorded, case);
            if let Err(why) = &verdict {
                // The campaign's own trouble: once more, on a lab of its own.
                eprintln!("once more: {}: {why}", case.name());
                site = new_site()?;
                verdict = case::play(&site, recorded, case);
            }
            let line = match verdict {
                Ok(verdict) => {
                    bad.fetch_add(usize::from(!verdict.faults.is_empty()), Ordering::Relaxed);
                    log::line(case, &verdict)
                }
                Err(why) => {
                    broken.fetch_add(1, Ordering::Relaxed);
                    site = new_site()?;
                    log::broken(case, &why)
                }
            };
            let number = played.fetch_add(1, Ordering::Relaxed) + 1;
            eprintln!("{number} of {}: {line}", cases.len());
            log::append(log, &line);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..labs.min(cases.len()) {
            scope.spawn(|| {
                if let Err(why) = work() {
                    labs_died.lock().unwrap().push(why);
                }
            });
        }
    });
    let died = labs_died.into_inner().unwrap();
    if !died.is_empty() {
        return Err(died.join("\n"));
    }
    Ok(Outcome { played: played.into_inner(), bad: bad.into_inner(), broken: broken.into_inner() })
}

/// Each mutant, in words, and whether its cases failed as they must.
fn mutants(ground: &Ground, recorded: &Recorded) -> Done<Vec<(String, bool)>> {
    let mut said = Vec::new();
    for mutant in &MUTANTS {
        let program = mutant.build(&ground.program)?;
        let chosen = mutant.cases(recorded);
        let outcome = play_all(ground, recorded, &chosen, &program, "mutants.log", None)?;
        said.push((
            format!("{}: {} of {} cases fail", mutant.name, outcome.bad, chosen.len()),
            outcome.bad == chosen.len(),
        ));
    }
    Ok(said)
}
