//! `rempart lab`: the hosts of an inventory as disposable machines, to try a change before the fleet sees it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Subcommand;
use serde::Deserialize;

use super::options::Inventories;
use super::project::{self, Fleet};
use super::{Ended, Stopped, show};
use crate::inventory::Overrides;
use crate::lab::{self, LabError, LabHost, LabSpec, LabStatus, Sudo};
use crate::model::{Diagnostic, Exit, HostName};
use crate::report::Screen;
use crate::transport::{Become, Target};
use crate::yaml;

/// Tells rempart that it runs inside of a lab, whose name this is.
pub(super) const ENV_LAB: &str = "REMPART_IN_LAB";

/// Boot the hosts of an inventory as disposable machines (needs root)
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Boot the hosts of an inventory as disposable machines
    #[command(after_help = "Examples:
  rempart lab up -i inventories/demo.yaml
  rempart lab up -i inventories/prod.yaml --release trixie --limit staging

Hosts get their own addresses in a network of their own, which no packet leaves. A map variable `lab` says more about a
host: `lab: {release: trixie, docker: true, memory_mb: 512}`; and about the lab on `all`: `lab: {controller: 10.9.0.1,
files: ./lab-files}`, a folder that hosts can fetch from http://CONTROLLER:3142/files/.")]
    Up(UpArgs),
    /// Show the machines of a lab
    #[command(after_help = "Examples:
  rempart lab status -i inventories/demo.yaml")]
    Status(OfLab),
    /// Run a command inside of a lab's network, or on one of its machines
    #[command(after_help = "Examples:
  rempart lab exec -i inventories/demo.yaml -- rempart plan playbooks/site.yaml
  rempart lab exec -i inventories/demo.yaml --host server1 -- systemctl status ssh")]
    Exec(ExecArgs),
    /// Throw the machines of a lab away
    #[command(after_help = "Examples:
  rempart lab down -i inventories/demo.yaml")]
    Down(OfLab),
    /// Boot, apply, plan again (must be empty), drift (must be clean), throw away
    #[command(after_help = "Examples:
  rempart lab test playbooks/site.yaml -i inventories/demo.yaml
  rempart lab test playbooks/site.yaml -i inventories/demo.yaml --keep")]
    Test(TestArgs),
    /// The background processes of a lab
    #[command(hide = true)]
    Serve { name: String, host: Option<String> },
}

#[derive(Debug, clap::Args)]
struct OfLab {
    #[command(flatten)]
    inventories: Inventories,

    /// The lab's name; made from the inventory's path unless said
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
struct UpArgs {
    #[command(flatten)]
    lab: OfLab,

    /// Only these hosts
    #[arg(short, long, value_name = "PATTERN")]
    limit: Option<String>,

    /// The Debian release of hosts that do not say
    #[arg(long, default_value = "bookworm")]
    release: String,
}

#[derive(Debug, clap::Args)]
struct ExecArgs {
    #[command(flatten)]
    lab: OfLab,

    /// Run it on this machine, as root, in the place of the controller
    #[arg(long)]
    host: Option<String>,

    /// The command
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Playbook or site files
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    up: UpArgs,

    /// Keep the machines when something went wrong
    #[arg(long)]
    keep: bool,
}

/// The map variable `lab` of a host or of `all`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LabVar {
    release: Option<String>,
    docker: bool,
    memory_mb: Option<u64>,
    controller: Option<Ipv4Addr>,
    files: Option<PathBuf>,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    match &args.verb {
        Verb::Up(up) => {
            let status = boot(up, screen)?;
            show::lab(screen, &status);
            Ok(Exit::Done)
        }
        Verb::Status(of) => {
            let status = lab::status(&name(of)?).map_err(stopped)?;
            show::lab(screen, &status);
            Ok(if status.hosts.iter().all(|host| host.running) { Exit::Done } else { Exit::Failed })
        }
        Verb::Exec(exec) => run_inside(&name(&exec.lab)?, exec.host.as_deref(), &exec.command),
        Verb::Down(of) => {
            lab::down(&name(of)?).map_err(stopped)?;
            show::say(screen, "The lab is gone.");
            Ok(Exit::Done)
        }
        Verb::Test(test) => run_test(test, screen),
        Verb::Serve { name, host } => {
            lab::serve(name, host.as_deref()).map_err(stopped)?;
            Ok(Exit::Done)
        }
    }
}

fn stopped(error: LabError) -> Stopped {
    Stopped::failed(explain(&error))
}

/// A lab's error as a diagnostic.
pub(super) fn explain(error: &LabError) -> Diagnostic {
    Diagnostic::error("the lab cannot do this").because(error.to_string())
}

// One inventory, one lab: its name holds the file's stem for people and a hash of the whole path for machines.
fn name(of: &OfLab) -> Result<String, Stopped> {
    if let Some(name) = &of.name {
        return Ok(name.clone());
    }
    let first = of.inventories.paths().swap_remove(0);
    // The same one from wherever it is named; what is a list of hosts is no path.
    let whole = first.canonicalize().or_else(|_| std::path::absolute(&first)).unwrap_or_else(|_| first.clone());
    let stem: String = whole
        .file_stem()
        .map(|stem| stem.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(8)
        .collect();
    let hash = crate::secret::Rendered::plain(whole.to_string_lossy()).sha256().unwrap_or_default();
    Ok(format!("{}-{}", if stem.is_empty() { "lab" } else { &stem }, &hash[..6.min(hash.len())]))
}

fn boot(args: &UpArgs, screen: &Arc<Screen>) -> Result<LabStatus, Stopped> {
    let name = name(&args.lab)?;
    let fleet = Fleet::load(&args.lab.inventories, &Overrides::default(), screen)?;
    let chosen: Vec<HostName> = match &args.limit {
        Some(pattern) => fleet.limit(pattern)?,
        None => fleet.inventory.hosts().iter().map(|host| host.name.clone()).collect(),
    };
    let mut whole = LabVar::default();
    let mut hosts = Vec::new();
    let key = lab::key(&name).map_err(stopped)?;
    for (number, host) in chosen.iter().enumerate() {
        // Of several ways to a host its machine is made for the first.
        let Some(target) = fleet.targets.get(host).map(|target| target.by(0)) else { continue };
        let var = lab_var(&fleet, host)?;
        whole.controller = whole.controller.or(var.controller);
        if whole.files.is_none() {
            whole.files = var.files.as_ref().map(|files| beside(&args.lab.inventories, files));
        }
        hosts.push(machine(host, number, &target, &var, args, &key.public));
    }
    let mut spec = LabSpec::new(&name, hosts);
    if let Some(controller) = whole.controller {
        spec.controller = controller;
    }
    spec.files = whole.files;
    lab::up(&spec, &mut |event| show::lab_event(screen, &event)).map_err(stopped)
}

fn machine(host: &HostName, number: usize, target: &Target, var: &LabVar, args: &UpArgs, key: &str) -> LabHost {
    // A host known by name only gets an address of the range kept for documentation.
    let spare = Ipv4Addr::new(198, 51, 100, u8::try_from(number % 254).unwrap_or(0) + 1);
    LabHost {
        name: host.to_string(),
        address: target.address.parse().unwrap_or(spare),
        port: target.port.unwrap_or(22),
        release: var.release.clone().unwrap_or_else(|| args.release.clone()),
        user: target.user.clone().unwrap_or_else(|| "root".into()),
        public_key: key.to_owned(),
        sudo: match &target.escalate {
            Become::No => Sudo::None,
            Become::Sudo { password: None } => Sudo::NoPassword,
            Become::Sudo { password: Some(password) } => Sudo::with_password(password),
        },
        docker: var.docker,
        memory: var.memory_mb.map(|mb| mb * 1024 * 1024),
    }
}

fn lab_var(fleet: &Fleet, host: &HostName) -> Result<LabVar, Stopped> {
    match fleet.inventory.host(host.as_str()).and_then(|host| host.vars.get("lab")) {
        Some(var) => yaml::decode(&var.node).map_err(Stopped::from),
        None => Ok(LabVar::default()),
    }
}

fn beside(inventories: &Inventories, files: &Path) -> PathBuf {
    let first = inventories.paths().swap_remove(0);
    let folder = if first.is_dir() { first } else { first.parent().map(Path::to_path_buf).unwrap_or_default() };
    folder.join(files)
}

fn inside(name: &str, host: Option<&str>, command: &[String]) -> Result<Command, Stopped> {
    let mut inner = lab::command(name, host, command).map_err(stopped)?;
    if host.is_none() {
        let status = lab::status(name).map_err(stopped)?;
        let key = lab::key(name).map_err(stopped)?;
        let variables: BTreeMap<&str, PathBuf> = BTreeMap::from([
            (ENV_LAB, PathBuf::from(name)),
            ("REMPART_KNOWN_HOSTS", status.known_hosts.clone()),
            ("REMPART_PRIVATE_KEY", key.private),
        ]);
        inner.envs(variables);
    }
    Ok(inner)
}

/// Runs it to its end. An interrupt of the terminal reaches it as well, and it is waited for all the same: it may have work to
/// end in good order, and a lab to be taken down after it.
fn attended(mut command: Command) -> Result<std::process::ExitStatus, Stopped> {
    let runtime = project::runtime()?;
    let ended = runtime.block_on(async {
        // Only who asks for interrupts outlives them.
        let _interrupts = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        tokio::task::spawn_blocking(move || command.status()).await
    });
    let failed = |why: String| Stopped::failed(Diagnostic::error("the command could not be run").because(why));
    match ended {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn run_inside(name: &str, host: Option<&str>, command: &[String]) -> Ended {
    let status = attended(inside(name, host, command)?)?;
    // The command's own code is the answer; it may be any number, so it leaves by the shortest way.
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(code) => std::process::exit(code),
        None => Ok(Exit::Interrupted),
    }
}

fn run_test(args: &TestArgs, screen: &Arc<Screen>) -> Ended {
    let mut up = UpArgs {
        lab: OfLab { inventories: args.up.lab.inventories.clone(), name: args.up.lab.name.clone() },
        limit: args.up.limit.clone(),
        release: args.up.release.clone(),
    };
    // A lab of its own: a test begins on bare hosts, and must not throw away somebody's machines.
    let own = format!("{}-t{}", name(&args.up.lab)?, std::process::id());
    up.lab.name = Some(own.clone());
    let outcome = boot(&up, screen).and_then(|_| test_steps(args, &own, screen));
    let good = matches!(outcome, Ok(Exit::Done));
    if args.keep && !good {
        show::say(screen, &format!("Kept for a look: rempart lab exec --name {own} -- bash"));
    } else {
        lab::down(&own).map_err(stopped)?;
    }
    outcome
}

fn test_steps(args: &TestArgs, name: &str, screen: &Arc<Screen>) -> Ended {
    let program = std::env::current_exe().map_or_else(|_| "rempart".to_owned(), |path| path.display().to_string());
    for (words, verb, flags) in [
        ("apply", "apply", &["--yes"][..]),
        ("plan again: must be empty", "plan", &["--detailed-exitcode"]),
        ("drift: must be clean", "drift", &[]),
    ] {
        show::say(screen, &format!("== {words}"));
        let mut command = vec![program.clone(), verb.to_owned()];
        command.extend(args.playbooks.iter().map(|path| path.display().to_string()));
        for inventory in &args.up.lab.inventories.paths() {
            command.extend(["-i".to_owned(), inventory.display().to_string()]);
        }
        for set in &args.up.lab.inventories.set {
            command.extend(["--set".to_owned(), set.clone()]);
        }
        if let Some(limit) = &args.up.limit {
            command.extend(["--limit".to_owned(), limit.clone()]);
        }
        command.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let status = attended(inside(name, None, &command)?)?;
        if !status.success() {
            let code = status.code().map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            return Err(Stopped::failed(
                Diagnostic::error("the lab test failed").because(format!("`{words}` ended with {code}")),
            ));
        }
    }
    show::say(screen, "The lab test passed: applied, nothing left to do, no drift.");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_has_one_lab_from_wherever_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("hosts.yaml"), "").unwrap();
        let name_of = |path: PathBuf| {
            let inventories = Inventories {
                inventory: vec![path],
                set: Vec::new(),
                store: Default::default(),
                project: Default::default(),
            };
            name(&OfLab { inventories, name: None }).unwrap()
        };
        let named = name_of(folder.path().join("hosts.yaml"));
        assert!(named.starts_with("hosts-"), "{named}");
        assert_eq!(name_of(folder.path().join("deep/../hosts.yaml")), named);
        assert_ne!(name_of("web1,web2,".into()), name_of("web1,".into()));
    }
}
