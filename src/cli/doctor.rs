//! `rempart doctor`: what this computer lacks for working with rempart, and how to get it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::defaults::Defaults;
use super::history::state_folder;
use super::machine::{self, KeyStanding};
use super::options::Inventories;
use super::project::{self, Fleet};
use super::secrets::OfStore;
use super::{Ended, show};
use crate::inventory::Overrides;
use crate::model::{Diagnostic, Exit, count, utc};
use crate::report::{self, Finding, Screen, Standing};
use crate::store::{Fault, Locked, Nobody, Opening, Sources};
use crate::transport::Target;

/// Say what is missing on this computer, and how to get it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart doctor
  rempart doctor -i inventories/demo.yaml
  rempart doctor --json | jq '.findings[] | select(.standing == \"missing\")'

It connects to no host and changes nothing; an inventory that is a program is run. Exit codes: 0 = everything that plan and apply need on
this computer is there, 1 = something is missing.")]
pub(super) struct Args {
    #[command(flatten)]
    inventories: Inventories,

    /// Print the findings as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, defaults: &Defaults, mut faults: Vec<Diagnostic>, screen: &Arc<Screen>) -> Ended {
    let project = project_file(defaults, &faults);
    let inventory = inventory_files(&args.inventories);
    faults.extend(inventory.faults);
    let mut findings = vec![version(), project];
    findings.extend(inventory.findings);
    let store = store(&args.inventories.store);
    findings.push(store.finding);
    faults.extend(store.faults);
    findings.extend([keys(defaults, &inventory.targets), known_hosts(defaults), state(), clock(), terminal()]);
    findings.extend(lab());
    if args.json {
        show::json(screen, &report::doctor_json(&findings));
    } else {
        screen.print(&report::doctor(&findings, &screen.out_paint()));
    }
    show::diagnostics(screen, &faults);
    let missing = findings.iter().any(|finding| finding.standing == Standing::Missing);
    Ok(if missing { Exit::Failed } else { Exit::Done })
}

fn good(about: &'static str, says: impl Into<String>) -> Finding {
    Finding { about, standing: Standing::Good, says: says.into(), get: None }
}

fn missing(about: &'static str, says: impl Into<String>, get: impl Into<String>) -> Finding {
    Finding { about, standing: Standing::Missing, says: says.into(), get: Some(get.into()) }
}

fn note(about: &'static str, only: &'static str, says: impl Into<String>, get: impl Into<String>) -> Finding {
    Finding { about, standing: Standing::NotNeeded(only), says: says.into(), get: Some(get.into()) }
}

fn version() -> Finding {
    let path = std::env::current_exe().map_or_else(|_| "an unknown path".to_owned(), |path| path.display().to_string());
    good("version", format!("rempart {} at {path}", env!("CARGO_PKG_VERSION")))
}

// As it was read for this very command line.
fn project_file(defaults: &Defaults, faults: &[Diagnostic]) -> Finding {
    match &defaults.file {
        _ if !faults.is_empty() => missing("project", "rempart.toml is wrong, see below", "mend it"),
        Some(file) => good("project", format!("defaults come from {}", file.display())),
        None => note("project", "shorter commands", "no rempart.toml here or above", "rempart init"),
    }
}

/// What was found of the inventory.
#[derive(Default)]
struct OfInventory {
    findings: Vec<Finding>,
    /// The ways to its hosts.
    targets: Vec<Target>,
    faults: Vec<Diagnostic>,
}

fn inventory_files(from: &Inventories) -> OfInventory {
    let paths = from.paths();
    let named = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    // What is no path and has a comma is a list of hosts.
    if let Some(gone) = paths.iter().find(|path| !path.exists() && !path.to_string_lossy().contains(',')) {
        let says = format!("{} is not there", gone.display());
        let told = missing("inventory", says, "rempart init, or name yours with -i FILE");
        return OfInventory { findings: vec![told], ..OfInventory::default() };
    }
    let inventory = match project::load_inventory(from) {
        Ok(inventory) => inventory,
        Err(stopped) => {
            let told = missing("inventory", format!("{named} is wrong, see below"), "mend it");
            return OfInventory { findings: vec![told], faults: stopped.diagnostics, ..OfInventory::default() };
        }
    };
    let hosts = inventory.hosts().len();
    let (mut targets, mut faults) = (Vec::new(), Vec::new());
    for (_, way) in Fleet::unreached(inventory).ways(&Overrides::default(), &from.project, &mut Vec::new()) {
        match way {
            Ok(target) => targets.push(target),
            Err(why) => faults.extend(why),
        }
    }
    let mut findings = vec![match hosts {
        0 => missing("inventory", format!("{named} holds no host"), "write one into it"),
        hosts => good("inventory", format!("{named}: {}", count(hosts, "host", "hosts"))),
    }];
    if !faults.is_empty() {
        findings.push(missing("connections", "some connection variables are wrong, see below", "mend them"));
    }
    OfInventory { findings, targets, faults }
}

/// What was found of the store of secrets.
struct InStore {
    finding: Finding,
    faults: Vec<Diagnostic>,
}

// Nobody is asked for a passphrase: this only looks.
fn store(from: &OfStore) -> InStore {
    let folder = from.secrets.display();
    let only = |finding| InStore { finding, faults: Vec::new() };
    let wrong = |says: String, faults: Vec<Fault>| InStore {
        finding: missing("secrets", format!("{folder}: {says}, see below"), "rempart secrets check"),
        faults: faults.into_iter().map(Diagnostic::from).collect(),
    };
    let store = match Opening::find(&from.secrets, Sources::from_env(), Arc::new(Nobody)) {
        Ok(Some(store)) => store,
        Ok(None) => {
            let says = format!("no store in {folder}");
            return only(note("secrets", "secrets in templates", says, "rempart secrets init"));
        }
        Err(fault) => return wrong("it cannot be read".into(), vec![fault]),
    };
    let names = count(store.folder().names().len(), "secret", "secrets");
    let key = match store.project_key() {
        Ok(key) => key,
        Err(fault) if fault.kind.is_without_key() => {
            let why = fault.told.detail.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
            let says = format!("{folder}: {names}, which no key at hand opens: {}{why}", fault.told.summary);
            let get = fault.told.fix.as_deref().unwrap_or("rempart secrets check").to_owned();
            return only(note("secrets", "what holds a secret", says, get));
        }
        Err(fault) => return wrong("nobody can say whose it is".into(), vec![fault]),
    };
    let files = store.folder().files();
    let faults: Vec<Fault> = files.iter().filter_map(|file| store.open(&file.name).err()).collect();
    if !faults.is_empty() {
        let files = count(files.len(), "file", "files");
        return wrong(format!("{} of {files} cannot be relied on", faults.len()), faults);
    }
    let own = store.keyring().public_keys();
    let of_project = store.folder().project().and_then(|file| file.locked.as_ref().ok());
    let readers = of_project.map(Locked::recipients).unwrap_or_default();
    let by: Vec<&str> = own.iter().map(String::as_str).filter(|own| readers.contains(own)).collect();
    let by = if by.is_empty() { "a key at hand".to_owned() } else { by.join(", ") };
    only(good("secrets", format!("{folder}: {names}, opened by {by}, sealed with the project key {}", key.id())))
}

fn keys(project: &Defaults, targets: &[Target]) -> Finding {
    let agent = machine::agent_keys();
    let named = std::env::var_os("REMPART_PRIVATE_KEY").map(PathBuf::from);
    let named = named.into_iter().chain(project.of("private_key").iter().map(PathBuf::from));
    let mut named: Vec<PathBuf> = named.chain(targets.iter().flat_map(|to| to.identity_files.clone())).collect();
    named.sort();
    named.dedup();
    let files = machine::key_files(named);
    let usable: Vec<&machine::KeyFile> = files.iter().filter(|file| file.standing == KeyStanding::Open).collect();
    let mut says = Vec::new();
    match &agent {
        machine::Agent::None => says.push("no agent".to_owned()),
        machine::Agent::Silent(why) => says.push(format!("the agent does not answer: {why}")),
        machine::Agent::Holds(number) => says.push(format!("the agent holds {number}")),
    }
    if files.is_empty() {
        says.push("no key file".to_owned());
    }
    for file in &files {
        let path = file.path.display();
        says.push(match &file.standing {
            KeyStanding::Open => path.to_string(),
            KeyStanding::Locked => format!("{path}, behind a passphrase"),
            KeyStanding::Unread(why) => format!("{path}: {why}"),
        });
    }
    let says = says.join("; ");
    if matches!(agent, machine::Agent::Holds(1..)) || !usable.is_empty() {
        return good("ssh keys", says);
    }
    if !targets.is_empty() && targets.iter().all(|target| target.password.is_some()) {
        return good("ssh keys", format!("{says}; the inventory has a password for every host"));
    }
    let get = match files.iter().all(|file| file.standing != KeyStanding::Locked) {
        true => "ssh-keygen -t ed25519    (where hosts take a password: -k)",
        // A key behind a passphrase works through an agent, which asks once.
        false => "eval \"$(ssh-agent)\" && ssh-add",
    };
    missing("ssh keys", says, get)
}

fn known_hosts(project: &Defaults) -> Finding {
    let files: Vec<(String, usize)> = machine::known_hosts_files(project.of("known_hosts").iter().map(PathBuf::from))
        .into_iter()
        .filter_map(|path| Some((path.display().to_string(), lines(&std::fs::read_to_string(path).ok()?))))
        .collect();
    if files.iter().all(|(_, lines)| *lines == 0) {
        let get = "rempart trust HOST, for each host";
        return note("host keys", "the first contact with a host", "no host's key is pinned yet", get);
    }
    let each = |(path, lines): &(String, usize)| format!("{path}: {lines} lines");
    good("host keys", files.iter().map(each).collect::<Vec<_>>().join("; "))
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')).count()
}

fn state() -> Finding {
    let Ok(folder) = state_folder() else {
        return missing(
            "journal",
            "no folder for it: neither REMPART_STATE nor HOME is set",
            "export REMPART_STATE=FOLDER",
        );
    };
    let shown = folder.display().to_string();
    match machine::writable(&folder) {
        Ok(true) => good("journal", shown),
        Ok(false) => good("journal", format!("{shown}, which the first apply makes")),
        Err(why) => {
            missing("journal", format!("{shown}: {why}"), "export REMPART_STATE=FOLDER, one that you may write")
        }
    }
}

fn clock() -> Finding {
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let built = std::env::current_exe().and_then(|path| path.metadata()).and_then(|about| about.modified());
    if built.is_ok_and(|built| now < built) {
        return missing(
            "clock",
            format!("it says {}, which is before this program was built", utc(seconds)),
            "timedatectl set-ntp true",
        );
    }
    match Path::new("/run/systemd/timesync/synchronized").exists() {
        true => good("clock", format!("{}, kept right by systemd-timesyncd", utc(seconds))),
        false => good("clock", format!("{}; whether that is right was not looked at", utc(seconds))),
    }
}

fn terminal() -> Finding {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let plain = locale.to_lowercase().replace('-', "");
    if plain.ends_with("utf8") || plain.contains("utf8@") {
        return good("terminal", format!("{locale}; output has signs such as … in UTF-8"));
    }
    let locale = if locale.is_empty() { "no locale is set".to_owned() } else { format!("the locale is {locale}") };
    note("terminal", "signs such as … in the output", locale, "export LC_ALL=C.UTF-8")
}

fn lab() -> Vec<Finding> {
    let tools = [
        ("systemd-nspawn", "systemd-container"),
        ("debootstrap", "debootstrap"),
        ("ip", "iproute2"),
        ("ssh-keygen", "openssh-client"),
    ];
    let gone: Vec<(&str, &str)> = tools.into_iter().filter(|(tool, _)| !machine::has_program(tool)).collect();
    let mut findings = Vec::new();
    if gone.is_empty() {
        let names: Vec<&str> = tools.iter().map(|(tool, _)| *tool).collect();
        findings.push(good("lab", format!("its tools are there: {}", names.join(", "))));
    } else {
        let names: Vec<&str> = gone.iter().map(|(tool, _)| *tool).collect();
        let packages: Vec<&str> = gone.iter().map(|(_, package)| *package).collect();
        let get = format!("sudo apt-get install {}", packages.join(" "));
        findings.push(note("lab", "rempart lab", format!("not found: {}", names.join(", ")), get));
    }
    if !rustix::process::geteuid().is_root() {
        findings.push(note("root", "rempart lab", "you are not root", "sudo rempart lab ..."));
    }
    findings
}
