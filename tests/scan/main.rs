//! The scanner: a corpus of planted secrets and of look-alikes, counted and printed; hostile texts; and the program with a
//! real git.
//!
//! Part of the corpus is drawn from a seed, which is printed; `REMPART_SCAN_SEED` repeats it. No whole token stands in
//! these files: each is put together when the tests run, so that no other scanner stops at them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "what was counted and skipped must be seen")]

mod desk;
mod dice;
mod hook;
mod hostile;
mod hosts;
mod lookalikes;
mod own;
mod planted;
mod program;
#[path = "../said/mod.rs"]
mod said;
#[path = "../skipped/mod.rs"]
mod skipped;

use std::collections::BTreeSet;

use dice::Dice;
use rempart::scan::{rules, scan};

/// One file of the corpus.
pub struct Sample {
    file: String,
    text: String,
    /// The rule that must find it, and in which line.
    wanted: Option<(&'static str, usize)>,
}

/// Of so many planted ones at most may be missed: a drawn text may look like words, or like an example.
const MISSED_AT_MOST: usize = 1;
/// Of so many look-alikes at most may be taken for a secret.
const FALSE_AT_MOST: usize = 2;

#[test]
fn planted_secrets_are_found_and_look_alikes_are_not() {
    let seed = dice::seed();
    let mut dice = Dice::new(seed);
    let planted = planted::all(&mut dice);
    let alike = lookalikes::all(&mut dice);
    let mut missed = Vec::new();
    let mut by_rule = BTreeSet::new();
    for sample in &planted {
        let (rule, line) = sample.wanted.expect("a planted secret has a rule");
        let found = scan(&sample.file, &sample.text);
        if found.iter().any(|finding| finding.rule.id == rule && finding.line == line) {
            by_rule.insert(rule);
        } else {
            let found: Vec<(&str, usize)> = found.iter().map(|finding| (finding.rule.id, finding.line)).collect();
            missed.push(format!("{} wanted {rule} in line {line}, found {found:?}:\n{}", sample.file, sample.text));
        }
    }
    let mut wrong = Vec::new();
    for sample in &alike {
        for finding in scan(&sample.file, &sample.text) {
            wrong.push(format!("{}: {} in line {}:\n{}", sample.file, finding.rule.id, finding.line, sample.text));
        }
    }
    eprintln!(
        "scan: seed {seed}: {} of {} planted secrets found, {} of {} look-alikes taken for one",
        planted.len() - missed.len(),
        planted.len(),
        wrong.len(),
        alike.len()
    );
    assert!(planted.len() >= 200 && alike.len() >= 200, "{} planted, {} look-alikes", planted.len(), alike.len());
    for told in missed.iter().chain(&wrong) {
        eprintln!("scan: {told}");
    }
    assert!(missed.len() <= MISSED_AT_MOST, "REMPART_SCAN_SEED={seed}: missed\n{}", missed.join("\n"));
    assert!(wrong.len() <= FALSE_AT_MOST, "REMPART_SCAN_SEED={seed}: false\n{}", wrong.join("\n"));
    let untried: Vec<&str> =
        rules().map(|rule| rule.id).filter(|id| !by_rule.contains(id) && *id != "key-container").collect();
    assert!(untried.is_empty(), "no sample of {untried:?}");
}
