//! The same inventories, read by Ansible and by rempart: the same hosts, groups and variables, and the same refusals.
//!
//! `cases` shows one thing each; `refused` is what both refuse, with rempart's message; `stricter` is what Ansible takes
//! and rempart refuses on purpose. More inventories are drawn from a seed, which is printed; `REMPART_PARITY_SEED`
//! repeats it, and `REMPART_PARITY_KEEP` keeps the folder. `UPDATE_PARITY=1` writes the messages anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "what was skipped and drawn must be seen")]

#[path = "../pip/mod.rs"]
mod pip;
#[path = "../skipped/mod.rs"]
mod skipped;

mod ansible;
mod drawn;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ansible::{Answer, Job};
use drawn::Dice;
use serde_json::Value;

const REMPART: &str = env!("CARGO_BIN_EXE_rempart");
/// How many inventories are drawn.
const DRAWN: usize = 48;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity")
}

/// Copies of all folders of one kind, so that what must be executable is, whatever became of its mode.
fn jobs(kind: &str, copies: &Path) -> Vec<Job> {
    let mut names: Vec<String> = fs::read_dir(root().join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let job = |name: String| {
        let folder = copies.join(kind).join(&name);
        copy(&root().join(kind).join(&name), &folder);
        let sources = fs::read_to_string(folder.join("sources")).unwrap().lines().map(str::to_owned).collect();
        Job { name: format!("{kind}/{name}"), folder, sources }
    };
    names.into_iter().map(job).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to);
            continue;
        }
        fs::copy(&from, &to).unwrap();
        let name = name.to_str().unwrap();
        let program = fs::read(&from).unwrap().starts_with(b"#!") && !name.contains("forbidden");
        let mode = if program || name.contains("executable") { 0o755 } else { 0o644 };
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn rempart(job: &Job) -> Output {
    let mut command = Command::new(REMPART);
    command.arg("inventory").arg("--json").current_dir(&job.folder);
    command.args(job.sources.iter().flat_map(|source| ["-i", source]));
    for name in ["REMPART_INVENTORY", "REMPART_IN_LAB", "REMPART_STATE"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").output().unwrap()
}

/// What Ansible marks as no template is text to rempart.
fn unmarked(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("__ansible_unsafe") => map["__ansible_unsafe"].clone(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), unmarked(value))).collect(),
        Value::Array(items) => items.iter().map(unmarked).collect(),
        other => other.clone(),
    }
}

/// Where two listings differ, one line each, and the names of what rempart masks.
fn compare(
    path: &str,
    ansible: Option<&Value>,
    rempart: Option<&Value>,
    lines: &mut Vec<String>,
    masked: &mut Vec<String>,
) {
    match (ansible, rempart) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                compare(&format!("{path}/{key}"), one.get(key), other.get(key), lines, masked);
            }
        }
        (Some(_), Some(Value::String(text))) if text.starts_with("(secret ") => {
            masked.push(text.trim_start_matches("(secret ").trim_end_matches(')').to_owned());
        }
        (one, other) if one == other => {}
        (one, other) => {
            let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
            lines.push(format!("  {path}\n    ansible: {}\n    rempart: {}", shown(one), shown(other)));
        }
    }
}

/// What is wrong with rempart's answer to an inventory that Ansible takes.
fn disagreement(job: &Job, answer: &Answer) -> Option<String> {
    let listing = match answer {
        Answer::Listing { listing, .. } => listing,
        Answer::Refused(why) => return Some(format!("{}: Ansible refuses it: {why}", job.name)),
    };
    let output = rempart(job);
    if !output.status.success() {
        return Some(format!("{}: rempart refuses it:\n{}", job.name, String::from_utf8_lossy(&output.stderr)));
    }
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (mut lines, mut masked) = (Vec::new(), Vec::new());
    compare("", Some(&unmarked(listing)), Some(&ours), &mut lines, &mut masked);
    masked.sort();
    masked.dedup();
    let expected = fs::read_to_string(job.folder.join("masked")).unwrap_or_default();
    if masked.join("\n") != expected.trim() {
        lines.push(format!("  masked: {masked:?}"));
    }
    if lines.is_empty() { None } else { Some(format!("{} differs:\n{}", job.name, lines.join("\n"))) }
}

fn check(jobs: &[Job], answers: &[Answer]) {
    assert_eq!(jobs.len(), answers.len());
    let wrong: Vec<String> = jobs.iter().zip(answers).filter_map(|(job, answer)| disagreement(job, answer)).collect();
    assert!(wrong.is_empty(), "{} of {} inventories\n\n{}", wrong.len(), jobs.len(), wrong.join("\n\n"));
}

#[test]
fn inventories_that_each_show_one_thing_are_listed_as_ansible_lists_them() {
    let Some(ansible) = ansible::at_hand("cases") else { return };
    let copies = tempfile::tempdir().unwrap();
    let jobs = jobs("cases", copies.path());
    assert!(jobs.len() >= 25, "only {} cases", jobs.len());
    check(&jobs, &ansible.listings(&jobs));
}

#[test]
fn drawn_inventories_are_listed_as_ansible_lists_them() {
    let Some(ansible) = ansible::at_hand("drawn inventories") else { return };
    let seed = std::env::var("REMPART_PARITY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    });
    eprintln!("REMPART_PARITY_SEED={seed}");
    let mut folder = tempfile::tempdir().unwrap();
    if std::env::var_os("REMPART_PARITY_KEEP").is_some() {
        folder.disable_cleanup(true);
        eprintln!("kept: {}", folder.path().display());
    }
    let mut dice = Dice::new(seed);
    let draw = |at: usize| {
        let folder = folder.path().join(format!("{at:02}"));
        let sources = drawn::write(&mut dice, &folder);
        Job { name: format!("seed {seed}, inventory {at:02}"), folder, sources }
    };
    let jobs: Vec<Job> = (0..DRAWN).map(draw).collect();
    let hosts = |answer: &Answer| match answer {
        Answer::Listing { listing, .. } => listing["_meta"]["hostvars"].as_object().map_or(0, serde_json::Map::len),
        Answer::Refused(_) => 0,
    };
    let answers = ansible.listings(&jobs);
    let with_hosts = answers.iter().filter(|answer| hosts(answer) > 0).count();
    assert!(with_hosts * 4 > DRAWN * 3, "only {with_hosts} have hosts with variables");
    check(&jobs, &answers);
}

#[test]
fn what_ansible_refuses_is_refused_and_what_is_refused_besides_is_known() {
    let Some(ansible) = ansible::at_hand("refused inventories") else { return };
    let copies = tempfile::tempdir().unwrap();
    let refused = jobs("refused", copies.path());
    assert!(refused.len() >= 25, "only {}", refused.len());
    for (job, answer) in refused.iter().zip(ansible.listings(&refused)) {
        assert!(matches!(answer, Answer::Refused(_)), "{}: Ansible takes it", job.name);
    }
    let stricter = jobs("stricter", copies.path());
    for (job, answer) in stricter.iter().zip(ansible.listings(&stricter)) {
        assert!(matches!(answer, Answer::Listing { .. }), "{}: Ansible refuses it, too: {answer:?}", job.name);
    }
}

#[test]
fn the_listings_are_those_of_the_command() {
    let Some(ansible) = ansible::at_hand("the command itself") else { return };
    let copies = tempfile::tempdir().unwrap();
    let jobs: Vec<Job> = jobs("cases", copies.path())
        .into_iter()
        .filter(|job| {
            ["vars-of-the-current-folder", "folder-of-shapes", "several-inventories"]
                .iter()
                .any(|name| job.name.ends_with(name))
        })
        .collect();
    assert_eq!(jobs.len(), 3);
    for (job, answer) in jobs.iter().zip(ansible.listings(&jobs)) {
        let Answer::Listing { text, .. } = answer else { panic!("{}: {answer:?}", job.name) };
        assert_eq!(ansible.command(job).trim(), text.trim(), "{}", job.name);
    }
}

/// Needs no Ansible: every message stands beside its inventory.
#[test]
fn what_is_refused_is_told_with_place_and_fix() {
    let copies = tempfile::tempdir().unwrap();
    let update = std::env::var_os("UPDATE_PARITY").is_some();
    let mut wrong = Vec::new();
    for job in jobs("refused", copies.path()).into_iter().chain(jobs("stricter", copies.path())) {
        let output = rempart(&job);
        let told = String::from_utf8(output.stderr).unwrap();
        if output.status.code() != Some(65) || told.contains("panicked") {
            wrong.push(format!("{}: exit {:?}\n{told}", job.name, output.status.code()));
            continue;
        }
        let file = root().join(&job.name).join("message.txt");
        if update {
            fs::write(&file, &told).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        if kept != told {
            wrong.push(format!("{}: kept:\n{kept}\ntold:\n{told}", job.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Sibling groups that disagree are an error only where a value is used, and a listing uses none.
#[test]
fn groups_that_disagree_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a: {hosts: {h: }, vars: {x: 1}}\nb: {hosts: {h: }, vars: {x: 2}}\n";
    fs::write(folder.path().join("hosts.yml"), text).unwrap();
    let job = Job { name: "siblings".into(), folder: folder.path().into(), sources: vec!["hosts.yml".into()] };
    let output = rempart(&job);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(ours["_meta"]["hostvars"]["h"]["x"], 2);
}
