//! The simulation of packet filters against the truth: drawn rulesets on real hosts, real connections, and both must agree.
//!
//! `REMPART_TRUTH_CASES` = how many rulesets (20 unless said); `REMPART_TRUTH_SEED` draws the same ones again;
//! `REMPART_TRUTH_ONLY=7` runs one of them; `REMPART_TRUTH_REPORT=FILE` writes the result down.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test says what it skips, and what it counted")]

mod bench;
mod connect;
#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "../real/fixture.rs"]
mod fixture;
mod generate;
mod generate_nft;

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench::{Bench, HOSTS, Tally};
use fixture::Lab;
use generate::{Case, Draw};
use rempart::lab;
use rempart::lockout::Verdict;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn drawn(seed: u64, at: usize) -> Case {
    generate::case(&mut Draw(seed.wrapping_mul(1_000_003).wrapping_add(u64::try_from(at).unwrap())))
}

// Enters the network of the lab, for this thread and those that it starts.
fn enter(lab: &Lab) {
    let namespace = lab::status(&lab.name).unwrap().namespace;
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn boot(test: &str) -> Option<Lab> {
    let lab = bench::boot(test)?;
    std::thread::scope(|scope| {
        let add = || {
            enter(&lab);
            bench::add_addresses();
        };
        scope.spawn(add).join().unwrap();
    });
    Some(lab)
}

/// Runs the cases on both hosts, each host in a thread of its own.
fn run(lab: &Lab, cases: &[(String, Case)], plant: fn(&str) -> String) -> Tally {
    let total = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for at in 0..HOSTS.len() {
            let (total, next) = (&total, &next);
            scope.spawn(move || {
                enter(lab);
                let bench = Bench { lab, at, plant };
                while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tally = bench.compare(name, case);
                    total.lock().unwrap().add(tally);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

#[test]
fn the_simulation_agrees_with_real_connections() {
    let count = number("REMPART_TRUTH_CASES").unwrap_or(20);
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() % 1_000_000;
    let seed = number("REMPART_TRUTH_SEED").unwrap_or_else(clock);
    let only = number("REMPART_TRUTH_ONLY");
    let Some(lab) = boot("the_simulation_agrees_with_real_connections") else { return };
    eprintln!("{count} rulesets, REMPART_TRUTH_SEED={seed}");
    let wanted = (0..usize::try_from(count).unwrap()).filter(|at| only.is_none_or(|only| only == *at as u64));
    let cases: Vec<(String, Case)> = wanted.map(|at| (format!("ruleset {at}"), drawn(seed, at))).collect();
    let tally = run(&lab, &cases, str::to_owned);
    let disagreements = tally.disagreed.iter().filter(|line| line.starts_with("ruleset")).count();
    let text = report(&tally, seed, disagreements);
    eprintln!("{text}");
    if let Some(path) = std::env::var_os("REMPART_TRUTH_REPORT") {
        std::fs::write(path, &text).unwrap();
    }
    planted_faults_are_found(&lab);
    assert_eq!(disagreements, 0, "{disagreements} disagreements, see above");
    assert!(tally.undecided.len() * 10 <= tally.agreed, "too much was undecided: {}", tally.undecided.len());
}

fn report(tally: &Tally, seed: u64, disagreements: usize) -> String {
    let git = |words: &[&str]| {
        let output = std::process::Command::new("git").args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = if git(&["status", "--porcelain", "src", "tests"]).is_empty() { "" } else { ", with changes" };
    let decided = tally.agreed + tally.foreseen;
    let mut text = format!(
        "# The lock-out simulation against real hosts\n\n\
         Written by `make truth`: rulesets are drawn from a seed (ufw, iptables, nftables, chains as Docker and fail2ban make\n\
         them), loaded on real Debian 12 and 13 hosts, and real connections are tried over IPv4 and IPv6.\n\n\
         | | |\n|---|---|\n\
         | commit | {commit}{changed} |\n| seed | {seed} |\n| rulesets | {} |\n\
         | verdicts that agree with the connection | {decided} of {} |\n\
         | of them on the loaded state | {} ({} let in, {} kept out) |\n\
         | of them foreseen from the state before and the files | {} |\n\
         | undecided, counted apart | {} |\n| disagreements | {disagreements} |\n",
        tally.rulesets,
        decided + disagreements,
        tally.agreed,
        tally.let_in,
        tally.agreed - tally.let_in,
        tally.foreseen,
        tally.undecided.len(),
    );
    if !tally.disagreed.is_empty() {
        text.push_str("\n## Disagreements\n\n```\n");
        tally.disagreed.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        text.push_str("```\n");
    }
    if !tally.undecided.is_empty() {
        text.push_str("\n## Why undecided\n\n");
        let mut reasons = std::collections::BTreeMap::<&str, usize>::new();
        for line in &tally.undecided {
            *reasons.entry(line.rsplit(": ").next().unwrap_or(line)).or_default() += 1;
        }
        reasons.iter().for_each(|(why, count)| text.push_str(&format!("- {count}: {why}\n")));
    }
    text
}

// The comparison itself: what is evaluated is not what the host has, and the real connections must show it.
fn planted_faults_are_found(lab: &Lab) {
    let ufw = "ufw default deny incoming\nufw allow 22/tcp\nufw --force enable\n";
    let nft =
        "table inet t {\n chain c {\n  type filter hook input priority 0; policy accept;\n  tcp dport 80 drop\n }\n}\n";
    let cases = [
        ("ruleset ufw".to_owned(), Case { ufw: Some(ufw.into()), ..Case::default() }),
        ("ruleset nft".to_owned(), Case { nft: Some(nft.into()), ..Case::default() }),
    ];
    // One port of one rule is another one than on the host.
    let planted =
        |text: &str| text.replace("\"right\": 80}", "\"right\": 81}").replace("\"right\": 22}", "\"right\": 23}");
    let tally = run(lab, &cases, planted);
    let found = |name: &str| tally.disagreed.iter().any(|line| line.starts_with(name));
    assert!(found("ruleset nft") && found("ruleset ufw"), "{tally:?}");
    assert!(tally.agreed > 0, "{tally:?}");
}

#[test]
fn the_comparison_reports_what_differs() {
    let mut tally = Tally::default();
    let by = "a rule".to_owned();
    tally.judge(&Verdict::In { by: by.clone() }, true, false, "a");
    tally.judge(&Verdict::Out { by: by.clone() }, true, false, "b");
    tally.judge(&Verdict::In { by: by.clone() }, false, true, "c");
    tally.judge(&Verdict::Undecided { by, why: "unknown".into() }, true, false, "d");
    assert_eq!((tally.agreed, tally.disagreed.len(), tally.undecided.len()), (1, 2, 1));
}
