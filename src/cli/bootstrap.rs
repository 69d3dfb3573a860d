//! `rempart bootstrap`: from the account that a new host comes with to the declared user, its key and its sudo; proved.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::apply::{FRESH, approved_changes, healed, measure_again};
use super::change::{self, Change, Record, absolute};
use super::declared::{Declared, Unproven, declared, either_way, no_way_in, not_proven, prove, remember, root_words};
use super::first_contact::{Ceremony, Meeting, meet};
use super::lockouts::refuse_lockouts;
use super::options::{Connection, Inventories, open_to_others, password_from};
use super::plan::hosts_of;
use super::project::{self, Fleet};
use super::recover::recover;
use super::show::Listener;
use super::{Ended, Stopped, show};
use crate::engine::{self, Approved, Links, Probed, Stop, WriteLinks, ways_in};
use crate::history::RunVerb;
use crate::kinds;
use crate::model::{Diagnostic, Exit, HostName, Phase, Place, Source};
use crate::plan::{Act, Graph, Item, Judge, Outlook, outlook};
use crate::report::escape::visible;
use crate::report::{self, RunView, Screen};
use crate::resource::Context;
use crate::transport::{Become, Candidate, SshTransport, Target, TransportError};
use crate::yaml::{self, Dialect};

/// What its resources stand in, for a host that remembers who made them.
const PLAYBOOK: &str = "rempart bootstrap";

/// Bring a new host from its first account to the declared user, key and sudo, and prove it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart bootstrap server1 -i inventories/demo.yaml -k           # root@, the password is asked for
  rempart bootstrap web1 --as debian --public-key ~/.ssh/ops.pub  # by key, and sudo
  rempart bootstrap web1 --as root@203.0.113.5:22 --password-file ./first-password
  rempart bootstrap web1 --yes --fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU

The declared user is the inventory's (ansible_user, or `rempart: { user: ... }`). A first contact shows the host's key and
asks, as `rempart trust` does; without a person it wants --fingerprint. Then the account is made, the public key is put
into its ~/.ssh/authorized_keys, and a file in /etc/sudoers.d, checked by visudo, lets it become root: without a password,
or, where the inventory has ansible_become_password, with that one, which is set for an account that has none. sudo is
installed by apt where it is missing. The plan is shown first, the guard is armed where it has to be, and the run stands
in the history. At the end a fresh connection logs in as the declared user by key and becomes root: only then it worked.

A host that is as declared is left as it is. The first account is left as it is, too: `sshd`, `user` and `authorized_key`
in a playbook close it. Passwords are sent to sshd and sudo alone; none is stored or shown.")]
pub(super) struct Args {
    /// The hosts
    #[arg(value_name = "PATTERN")]
    hosts: String,
    #[command(flatten)]
    inventories: Inventories,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    change: Change,

    /// The account to begin with: a name, or `user@host:port`, each part of which may be left out
    #[arg(long = "as", value_name = "USER", default_value = "root", value_parser = first_account)]
    first: Candidate,

    /// Read the password of that account from a file (-k asks for it)
    #[arg(long, value_name = "FILE", conflicts_with = "ask_pass")]
    password_file: Option<PathBuf>,

    /// The public key that the declared user is to have; else that of its private key, or the agent's. Its private half has
    /// to be at hand
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// Trust a new host by one of these fingerprints, which you got on another way
    #[arg(long, value_name = "SHA256:...", value_parser = super::trust::fingerprint)]
    fingerprint: Vec<String>,
}

impl Args {
    // What came of it is a result, which with --json is told otherwise.
    fn say(&self, screen: &Screen, line: &str) {
        if self.change.json {
            show::say(screen, line);
        } else {
            screen.print(&format!("{}\n", visible(line)));
        }
    }
}

fn first_account(text: &str) -> Result<Candidate, String> {
    if text.contains(['@', ':']) { Candidate::parse(text) } else { Candidate::parse(&format!("{text}@")) }
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    if args.change.no_confirm {
        let told = Diagnostic::error("--no-confirm is not for bootstrap");
        return Err(Stopped::usage(told.because("it proves by itself that the host can be worked on")));
    }
    let mut overrides = project::overrides(&args.connection)?;
    // What opens the first account opens no other.
    let (asked, sudo) = (overrides.password.take(), overrides.become_password.take());
    let login = match &args.password_file {
        Some(path) => Some(password_from(path, "login password")?),
        None => asked,
    };
    let files = [&args.password_file, &args.connection.become_password_file];
    let open: Vec<Diagnostic> = files.into_iter().flatten().filter_map(|path| open_to_others(path)).collect();
    show::diagnostics(screen, &open);
    // sudo asks the first account for its own password, unless told otherwise.
    let sudo = sudo.or_else(|| login.clone());
    let fleet = Fleet::load_to_change(&args.inventories, &overrides, screen)?;
    let hosts = fleet.named(std::slice::from_ref(&args.hosts))?;
    let mut all = Vec::new();
    for host in &hosts {
        let Some(target) = fleet.targets.get(host) else { continue };
        all.push(declared(host, target, (&args.first, args.public_key.as_deref()), [&login, &sudo])?);
    }
    all.iter().try_for_each(Declared::key_at_hand)?;
    let runtime = project::runtime()?;
    let mut exit = Exit::Done;
    let mut told = Vec::new();
    for declared in &all {
        let done = one(args, declared, &runtime, screen);
        let (status, run, code) = match done {
            Ok(done) => done,
            Err(stopped) => {
                show::diagnostics(screen, &stopped.diagnostics);
                ("failed", None, stopped.exit)
            }
        };
        exit = exit.and(code);
        told.push(as_json(declared, status, run, code));
        if code == Exit::Interrupted {
            break;
        }
    }
    if args.change.json {
        show::json(screen, &json!({ "format_version": "1.0", "kind": "bootstrap", "hosts": told }));
    }
    runtime.shutdown_background();
    Ok(exit)
}

fn as_json(declared: &Declared, status: &str, run: Option<String>, code: Exit) -> Value {
    json!({
        "host": declared.host,
        "user": declared.user,
        "status": status,
        "key": declared.key.fingerprint(),
        "sudo": !matches!(declared.target.escalate, Become::No),
        "run": run,
        "exit": code.code(),
    })
}

/// How it went with one host: a word, the run if there was one, and the exit code.
type Done = (&'static str, Option<String>, Exit);

fn one(args: &Args, declared: &Declared, runtime: &Runtime, screen: &Arc<Screen>) -> Result<Done, Stopped> {
    let Declared { host, user, .. } = declared;
    let ceremony = Ceremony { fingerprints: &args.fingerprint, yes: false, replace: false };
    let met = meet(host, &either_way(declared), ceremony, screen).or_stop()?;
    // A host that was here before is worked on as it will be from now on, since its first account may be closed.
    let before = prove(declared);
    let way = if before.is_ok() { &declared.target } else { &declared.first };
    let listener = Listener::new();
    let stop = Arc::new(Stop::default());
    let transport = Arc::new(SshTransport::that_lets_go(stop.let_go()));
    let targets = BTreeMap::from([(host.clone(), way.clone())]);
    let links = WriteLinks::new(transport, targets, listener.observer());
    let work = Work { args, declared, way, links, runtime, screen };
    let mut looked = work.look()?;
    if recover(&looked.probed.notes, &work.links, &args.change, 1, runtime, screen)? {
        looked = work.look()?;
    }
    if let Some(error) = looked.probed.unreachable.get(host) {
        return Err(no_way_in(declared, error, before.err().as_ref()));
    }
    let totals = looked.outlook.totals();
    let changes = totals.add + totals.change + totals.remove;
    if changes == 0 && totals.unknown == 0 {
        return match before {
            Ok(()) => {
                let root = root_words(declared);
                args.say(screen, &format!("{host} is already as declared: {user} logs in by key{root}."));
                Ok(("as_declared", None, Exit::Done))
            }
            // The password stands in no plan: a run that was broken off before it has all but that.
            Err(Unproven::Link(TransportError::Sudo { .. })) if work.lacks_password() => {
                args.change
                    .approve(screen, &format!("Give {user} the password of the inventory? Only `yes` will do"))?;
                work.give_password()?;
                finish(&work, &met, None)
            }
            Err(why) => Err(not_proven(declared, &why)),
        };
    }
    if !args.change.json {
        show::plan(screen, &looked.outlook, &looked.probed.notes, false);
    }
    if totals.unknown > 0 {
        let told = Diagnostic::error("what stands on the host could not be judged, so nothing was changed");
        return Err(Stopped::failed(told.on(host, None).fix("see the plan above")));
    }
    refuse_lockouts(&looked.outlook, &looked.graph, args.change.allow_lockout, screen)?;
    let shown = Instant::now();
    args.change.approve(screen, &format!("Make {host} so? Only `yes` will do"))?;
    if !args.change.yes && shown.elapsed() > FRESH {
        looked.probed.seen = runtime.block_on(measure_again(&looked.graph, &|_| true, &work.links, 1));
    }
    let (run, exit) = work.change(looked, &listener, &stop)?;
    if exit != Exit::Done {
        let told = Diagnostic::error("the host was not brought to what is declared").on(host, None);
        let fix = format!("run it again once that is mended; `rempart rollback {run}` takes back what was done");
        return Err(Stopped { exit, diagnostics: vec![told.because("see above what failed").fix(fix)] });
    }
    work.give_password()?;
    finish(&work, &met, Some(run))
}

// What was done is proved.
fn finish(work: &Work<'_>, met: &Meeting, run: Option<String>) -> Result<Done, Stopped> {
    let Declared { host, user, .. } = work.declared;
    prove(work.declared).map_err(|why| not_proven(work.declared, &why))?;
    met.contact.iter().try_for_each(|contact| remember(work.declared, contact))?;
    let root = root_words(work.declared);
    work.args.say(work.screen, &format!("{host}: proven over a fresh connection: {user} logs in by key{root}."));
    Ok(("done", run, Exit::Done))
}

struct Work<'a> {
    args: &'a Args,
    declared: &'a Declared,
    /// The way that the work goes by.
    way: &'a Target,
    links: Arc<WriteLinks>,
    runtime: &'a Runtime,
    screen: &'a Arc<Screen>,
}

struct Looked {
    graph: Arc<Graph>,
    probed: Probed,
    outlook: Outlook,
}

impl Work<'_> {
    fn look(&self) -> Result<Looked, Stopped> {
        let graph = Arc::new(Graph::build(self.items()?)?);
        let items = (0..graph.items.len()).collect();
        let links: Arc<dyn Links> = self.links.clone();
        self.runtime.block_on(async {
            let probed = engine::probe(graph.clone(), items, links.clone(), 1, project::nobody()).await;
            let words: HashMap<HostName, String> =
                probed.unreachable.iter().map(|(host, error)| (host.clone(), error.to_string())).collect();
            let mut outlook = outlook(&graph, &probed.seen, &words, &|_| false, &kinds::permanent, Judge::AfterChanges);
            outlook.put_ways(ways_in(&graph, &outlook, &probed.seen, links, 1).await);
            Ok(Looked { graph, probed, outlook })
        })
    }

    // The kinds are those of any playbook: what they look at, plan, guard and take back is the same.
    fn items(&self) -> Result<Vec<Item>, Stopped> {
        let Declared { user, key, target, .. } = self.declared;
        let mut wanted = Vec::new();
        let sudo = match &target.escalate {
            Become::Sudo { password } if user != "root" => Some(password.is_some()),
            _ => None,
        };
        if sudo.is_some() {
            wanted.push(("package_apt", json!({ "names": ["sudo"] })));
        }
        if user != "root" {
            wanted.push(("user", json!({ "name": user })));
        }
        wanted.push(("authorized_key", json!({ "user": user, "key": key.line })));
        if let Some(password) = sudo {
            // Root alone, and all of its commands: rempart becomes root to run a shell.
            let rule = json!({ "users": [user], "commands": ["ALL"], "password": password });
            wanted.push(("sudoers", json!({ "name": sudoers_name(user), "rules": [rule] })));
        }
        wanted.into_iter().map(|(kind, fields)| self.item(kind, &fields)).collect()
    }

    fn item(&self, kind: &str, fields: &Value) -> Result<Item, Stopped> {
        let host = &self.declared.host;
        let nobody = |_: &str| Err("there is no fleet here".to_owned());
        let context = Context {
            host,
            address: &self.way.address,
            login_user: self.way.user.as_deref(),
            ssh_port: self.way.port.unwrap_or(22),
            select: &nobody,
        };
        let bug = || Stopped::failed(Diagnostic::error("a kind is missing; this is a bug in rempart"));
        let entry = kinds::find(kind).ok_or_else(bug)?;
        // JSON is YAML.
        let node = yaml::parse(&Source::new(PLAYBOOK, fields.to_string()), Dialect::Playbook)?;
        let resource = (entry.load)(&node, &context).map_err(|told| Stopped::from(told.on(host, None)))?;
        Ok(Item {
            host: host.clone(),
            phase: Phase::Preparation,
            resource,
            place: Place::outside(PLAYBOOK),
            label: None,
            needs: Vec::new(),
            tags: Vec::new(),
            controls: Vec::new(),
            playbook: PLAYBOOK.to_owned(),
        })
    }

    fn change(&self, looked: Looked, listener: &Listener, stop: &Arc<Stop>) -> Result<(String, Exit), Stopped> {
        let Looked { graph, probed, outlook } = looked;
        let mut options = self.args.change.options(&format!("bootstrap {}", self.declared.host), 1);
        let record = Record::open(&mut options)?;
        let run = options.run.clone();
        let mut event = change::run_event(RunVerb::Bootstrap, &options);
        event.inventories = absolute(&self.args.inventories.paths());
        event.selection.limit = Some(self.declared.host.to_string());
        event.approved = approved_changes(&outlook);
        event.allowed_lockouts = outlook.closed_ways().map(|(host, _)| host.to_string()).collect();
        record.begin(event)?;
        let progress = report::progress(self.screen, &hosts_of(&graph));
        listener.set(Some(progress.observer()));
        let acts: HashMap<usize, Act> = outlook
            .hosts
            .iter()
            .flat_map(|host| host.resources.iter().map(|planned| (planned.item, planned.act.clone())))
            .collect();
        let noted = probed.notes.iter().filter(|(_, note)| note.unfinished.is_some() && note.held.is_none());
        let told = noted.map(|(host, _)| host.clone()).collect();
        let (unreachable, healed) = (BTreeMap::new(), healed(&probed.notes));
        let approved = Approved { graph, seen: probed.seen, acts, unreachable, rollouts: Vec::new(), told, healed };
        let work = engine::apply(
            approved,
            self.links.clone(),
            options,
            progress.observer(),
            stop.clone(),
            record.journal.clone(),
        );
        let report_of_run = change::until_done(self.runtime, stop, work);
        listener.set(None);
        let (took, times) = (progress.took(), progress.times());
        drop(progress);
        let view = RunView { report: &report_of_run, took: Some(took), times: &times, outlook: Some(&outlook) };
        if !self.args.change.json {
            change::told(self.screen, &view, false);
        }
        let exit = record.end(&report_of_run, report_of_run.exit())?;
        Ok((run, exit))
    }

    // Whether sudo is to ask the declared user for a password, and there is none. Who cannot be asked is not said to.
    fn lacks_password(&self) -> bool {
        let Declared { host, user, target, .. } = self.declared;
        let asks = matches!(&target.escalate, Become::Sudo { password: Some(_) });
        asks && engine::lacks_password(host, user, self.links.as_ref()).unwrap_or(false)
    }

    // Where sudo is to ask for a password and the account has none, it gets the one that the inventory declares.
    fn give_password(&self) -> Result<(), Stopped> {
        let Declared { host, user, target, .. } = self.declared;
        let Become::Sudo { password: Some(password) } = &target.escalate else { return Ok(()) };
        match engine::give_password(host, user, password, &self.links) {
            Ok(true) => {
                show::say(self.screen, &format!("{host}: {user} had no password, and has that of the inventory now."));
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                let told = Diagnostic::error("the password for sudo could not be set").on(host, None);
                Err(Stopped::failed(told.because(error.to_string())))
            }
        }
    }
}

// sudo passes over names with a dot.
fn sudoers_name(user: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("rempart-{}", user.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_account_is_a_name_or_a_way() {
        assert_eq!(first_account("debian").unwrap().user.as_deref(), Some("debian"));
        let way = first_account("root@203.0.113.5:2222").unwrap();
        assert_eq!((way.user.as_deref(), way.port), (Some("root"), Some(2222)));
        assert_eq!(first_account(":2222").unwrap().port, Some(2222));
        assert!(first_account("").is_err() && first_account("a b").is_err() && first_account("-x").is_err());
    }

    #[test]
    fn the_file_of_sudoers_has_a_name_that_sudo_reads() {
        assert_eq!(sudoers_name("ops.team"), "rempart-ops_team");
    }
}
