//! How long ten thousand hosts take: made from scratch, loaded by rempart, and listed as JSON by `rempart inventory` and
//! by `ansible-inventory`, each as a process of its own that writes all of it, so that like is compared with like.
//!
//! `cargo bench --bench inventory`. Ansible is taken from PATH, or from where `tests/parity` installed it; without it
//! only rempart is measured. It prints what it measured, and fails at nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that nobody else uses")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HOSTS: usize = 10_000;
const RACKS: usize = 200;
const ROLES: [&str; 5] = ["web", "db", "cache", "queue", "edge"];
/// rempart's best of these is told, as its first reads the files from the disk.
const RUNS: usize = 7;

// Every host in a rack, a role and a region; each with an address and a rack unit; variables for all groups.
fn make(folder: &Path) -> PathBuf {
    let inventory = folder.join("hosts.yml");
    let mut text = String::from("all:\n  vars:\n    ansible_user: admin\n    ntp: [192.0.2.1, 192.0.2.2]\n");
    let host = |at: usize| format!("node{at:05}.example.com");
    let _ = writeln!(text, "  hosts:");
    for at in 0..HOSTS {
        let _ = writeln!(
            text,
            "    {}: {{ ansible_host: 10.{}.{}.{}, unit: {} }}",
            host(at),
            at / 65536,
            at / 256 % 256,
            at % 256,
            at % 42
        );
    }
    let _ = writeln!(text, "  children:");
    for region in 0..4 {
        let _ = writeln!(text, "    region{region}:\n      children:");
        for rack in (0..RACKS).filter(|rack| rack % 4 == region) {
            let _ = writeln!(text, "        rack{rack}:\n          hosts:");
            for at in (0..HOSTS).filter(|at| at % RACKS == rack) {
                let _ = writeln!(text, "            {}:", host(at));
            }
        }
    }
    for (number, role) in ROLES.iter().enumerate() {
        let _ = writeln!(text, "    {role}:\n      hosts:");
        for at in (0..HOSTS).filter(|at| at % ROLES.len() == number) {
            let _ = writeln!(text, "        {}:", host(at));
        }
    }
    fs::write(&inventory, text).unwrap();
    let vars = folder.join("group_vars");
    fs::create_dir(&vars).unwrap();
    let groups = (0..RACKS).map(|rack| format!("rack{rack}")).chain((0..4).map(|region| format!("region{region}")));
    for group in groups.chain(ROLES.map(str::to_owned)).chain(["all".to_owned()]) {
        let mut text = String::new();
        for at in 0..10 {
            let _ = writeln!(text, "{group}_{at}: {{ name: {group}, number: {at}, on: yes, mode: 0644 }}");
        }
        fs::write(vars.join(format!("{group}.yml")), text).unwrap();
    }
    inventory
}

fn ansible() -> Option<Command> {
    let parity = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let installed = fs::read_dir(parity).ok().into_iter().flatten().flatten().map(|entry| entry.path());
    let packages = installed.filter(|path| path.join("bin/ansible-inventory").exists()).max();
    let mut command = match packages {
        Some(packages) => {
            let mut command = Command::new("python3");
            command.arg(packages.join("bin/ansible-inventory")).env("PYTHONPATH", packages);
            command
        }
        None => Command::new("ansible-inventory"),
    };
    let works = command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let mut fresh = Command::new(command.get_program());
    let arguments: Vec<_> = command.get_args().filter(|word| *word != "--version").map(ToOwned::to_owned).collect();
    fresh.args(arguments);
    for (name, value) in command.get_envs() {
        fresh.env(name, value.unwrap_or_default());
    }
    works.then_some(fresh)
}

// The whole program, from its start to the last byte of the listing.
fn listing(inventory: &Path, folder: &Path) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rempart"));
    command.args(["inventory", "--json", "-i"]).arg(inventory).current_dir(folder).stdout(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMPART_")) {
        command.env_remove(name);
    }
    let begun = Instant::now();
    assert!(command.status().unwrap().success());
    begun.elapsed()
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = make(folder.path());
    let size = fs::metadata(&inventory).unwrap().len();
    println!(
        "{HOSTS} hosts in {} groups, each with group_vars; {} KB of YAML",
        RACKS + 4 + ROLES.len() + 1,
        size / 1000
    );
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let loaded = rempart::inventory::load(std::slice::from_ref(&inventory)).unwrap();
        times.push(begun.elapsed());
        assert_eq!(loaded.hosts().len(), HOSTS);
    }
    times.sort();
    let (loaded, middle) = (times[0], times[RUNS / 2]);
    println!("rempart loads it in {} ms (middle of {RUNS}: {} ms)", loaded.as_millis(), middle.as_millis());
    let mut times: Vec<Duration> = (0..RUNS).map(|_| listing(&inventory, folder.path())).collect();
    times.sort();
    let (listed, middle) = (times[0], times[RUNS / 2]);
    println!("rempart inventory --json takes {} ms (middle of {RUNS}: {} ms)", listed.as_millis(), middle.as_millis());
    let Some(mut ansible) = ansible() else {
        println!("NOTICE: no ansible-inventory to compare with; `cargo test --test parity` installs one");
        return;
    };
    let begun = Instant::now();
    let status =
        ansible.arg("--list").arg("-i").arg(&inventory).current_dir(folder.path()).stdout(Stdio::null()).status();
    let took = begun.elapsed();
    match status {
        Ok(status) if status.success() => println!(
            "ansible-inventory --list takes {:.1} s: {:.0} times as long",
            took.as_secs_f64(),
            took.as_secs_f64() / listed.as_secs_f64()
        ),
        other => println!("ansible-inventory failed: {other:?}"),
    }
}
