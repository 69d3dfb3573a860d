//! `rempart explain`: where a value comes from and what it won over; what a resource is and why it waits.

use std::path::PathBuf;
use std::sync::Arc;

use super::options::{Inventories, OfProject};
use super::project::{self, Fleet};
use super::{Ended, Stopped, defaults, show};
use crate::inventory::{Host, Level, Overrides, Var};
use crate::kinds;
use crate::model::{Diagnostic, Exit, HostName, Place, did_you_mean};
use crate::playbook::{self, Defined, Given, Site};
use crate::report::{self, Explained, FromPlaybook, Screen};
use crate::yaml::Node;

/// Say where a value comes from and what it won over, or why a resource waits
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart explain server1 -i inventories/demo.yaml
  rempart explain server1 ansible_user -i inventories/demo.yaml
  rempart explain server1 lab.docker -i inventories/demo.yaml --json
  rempart explain server1 proxy_port playbooks/ollama-server.yaml -i inventories/demo.yaml
  rempart explain server1 user:ollama playbooks/ollama-server.yaml -i inventories/demo.yaml

Without a name, all variables of the host are shown. A name may lead into a value: `lab.docker`,
`nets[0]`. A resource is named as in a plan, `kind:key`, or by its `id:`, and needs the playbook that
declares it. Secrets are masked.")]
pub(super) struct Args {
    /// A host
    #[arg(value_name = "HOST")]
    host: String,
    /// A variable, or a resource of a playbook as `kind:key`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Playbook or site files
    #[arg(value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    inventories: Inventories,

    /// Print it as JSON on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    let fleet = Fleet::load(&args.inventories, &Overrides::default(), screen)?;
    let host = &with_project(find_host(&fleet, &args.host)?, &args.inventories.project);
    let site = if args.playbooks.is_empty() { None } else { Some(project::load_site(&args.playbooks)?) };
    let is_secret = |name: &str| site.as_ref().is_some_and(|site| site.is_secret(name));
    let Some(name) = &args.name else {
        if args.json {
            show::json(screen, &report::variables_json(host, &is_secret));
        } else {
            screen.print(&report::variables(host, &is_secret, &screen.out_paint()));
        }
        return Ok(Exit::Done);
    };
    if let Some((kind, _)) = name.split_once(':').filter(|(kind, _)| !kind.contains(['.', '['])) {
        return resource(args, &fleet, host, kind, name, site.as_ref(), screen);
    }
    let known = variable(host, name);
    let playbooks = match &site {
        Some(site) => site.defines(&fleet, &host.name, base(name)).map_err(Stopped::from)?,
        None => Vec::new(),
    };
    if known.is_none() && playbooks.is_empty() {
        // An `id:` is a name of a resource, too.
        if let Some(site) = site.as_ref()
            && let Some((graph, number)) = declared(&fleet, host, name, site, screen)?
        {
            return tell_resource(args, &graph, number, screen);
        }
        return Err(unknown_variable(&fleet, host, name, site.as_ref()));
    }
    let explained = Explained {
        host,
        name,
        var: known.as_ref().map(|(var, _)| *var),
        part: known.as_ref().map(|(_, part)| *part),
        playbooks: strongest_first(playbooks, known.is_some()),
        secret: is_secret(base(name)),
    };
    if args.json {
        show::json(screen, &report::explain_json(&explained));
    } else {
        screen.print(&report::explain(&explained, &screen.out_paint()));
    }
    Ok(Exit::Done)
}

// With what the project says of connections, which is weaker than what the inventory says.
fn with_project(host: &Host, project: &OfProject) -> Host {
    let mut host = host.clone();
    for name in defaults::OF_CONNECTIONS {
        let Some(node) = defaults::said(project, name) else { continue };
        let var = match host.vars.get(name) {
            None => Var { node: Arc::new(node), level: Level::Project, shadowed: Vec::new(), conflict: None },
            Some(var) => {
                let mut var = var.as_ref().clone();
                var.shadowed.push((node.place, Level::Project.to_string()));
                var
            }
        };
        host.vars.insert(name.into(), Arc::new(var));
    }
    host
}

fn find_host<'a>(fleet: &'a Fleet, name: &str) -> Result<&'a Host, Stopped> {
    fleet.inventory.host(name).ok_or_else(|| {
        let hosts = fleet.inventory.hosts().iter().map(|host| host.name.as_str());
        let told = Diagnostic::error("an unknown host").because(format!("no host of the inventory is called `{name}`"));
        let told = match did_you_mean(name, hosts) {
            Some(near) => told.fix(format!("did you mean `{near}`?")),
            None if fleet.inventory.group(name).is_some() => {
                told.fix(format!("`{name}` is a group: name one of its hosts; `rempart inventory --limit {name}`"))
            }
            None => told.fix("`rempart inventory` lists the hosts"),
        };
        Stopped::usage(told)
    })
}

// The variable's own name, before the way into its value.
fn base(name: &str) -> &str {
    name.split(['.', '[']).next().unwrap_or(name)
}

// The variable, and the part of its value that the rest of the name leads to.
fn variable<'a>(host: &'a Host, name: &str) -> Option<(&'a Var, &'a Node)> {
    if let Some(var) = host.vars.get(name) {
        return Some((var, &var.node));
    }
    let var = host.vars.get(base(name))?;
    let mut node: &Node = &var.node;
    for step in name[base(name).len()..].split(['.', '[']).map(|step| step.trim_end_matches(']')) {
        if step.is_empty() {
            continue;
        }
        node = match (node.get(step), node.items(), step.parse::<usize>()) {
            (Some(inner), _, _) => inner,
            (None, Some(items), Ok(at)) => items.get(at)?,
            _ => return None,
        };
    }
    Some((var, node))
}

fn strongest_first(mut found: Vec<Defined>, in_inventory: bool) -> Vec<FromPlaybook> {
    let strength = |given: Given| match given {
        Given::Each => 0,
        Given::Include => 1,
        Given::Default => 2,
    };
    found.sort_by_key(|one| strength(one.given));
    let several = found.iter().filter(|one| one.given == Given::Default).count() > 1;
    let words = |one: &Defined| match one.given {
        Given::Each => format!("`each` of playbook {}: wins inside of that item", one.playbook),
        Given::Include => format!("`vars` of an include, playbook {}: wins inside of what is included", one.playbook),
        Given::Default if in_inventory => format!("`vars` of playbook {}: the inventory wins over it", one.playbook),
        Given::Default => format!("`vars` of playbook {}", one.playbook),
    };
    let from = |one: &Defined| FromPlaybook {
        place: one.place().clone(),
        words: words(one),
        value: one.node.to_json(),
        wins: one.given == Given::Default && !in_inventory && !several,
    };
    found.iter().map(from).collect()
}

fn unknown_variable(fleet: &Fleet, host: &Host, name: &str, site: Option<&Site>) -> Stopped {
    let told = Diagnostic::error("an unknown variable");
    if let Some(means) = playbook::builtin(base(name)) {
        let why = format!("`{}` is known to every template: {means}", base(name));
        return Stopped::usage(told.because(why).fix("`rempart facts HOST` shows what a host says of itself"));
    }
    if let Some(var) = host.vars.get(base(name)) {
        let keys: Vec<&str> = var.node.entries().into_iter().flatten().map(|entry| entry.key.as_str()).collect();
        // Its line may hold a value that is secret by the playbook's word alone.
        let place = Place::outside(&var.node.place.to_string());
        let told = told.at(&place, format!("`{}` is {}", base(name), var.node.shape()));
        let told = told.because(format!("`{name}` leads to nothing in it"));
        return Stopped::usage(match keys.is_empty() {
            true => told,
            false => told.fix(format!("its keys are {}", keys.join(", "))),
        });
    }
    let mut names: Vec<String> = host.vars.keys().map(ToString::to_string).collect();
    names.extend(site.and_then(|site| site.default_names(fleet, &host.name).ok()).into_iter().flatten());
    let told = told.because(format!("{} has no variable `{}`", host.name, base(name)));
    let others = fleet.inventory.hosts().iter().filter(|other| other.vars.contains_key(base(name))).count();
    Stopped::usage(match did_you_mean(base(name), names.iter().map(String::as_str)) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None if others > 0 => told.fix(format!("other hosts have it ({others} of them): is this one in their group?")),
        None if site.is_none() => told.fix("if a playbook gives it, name the playbook, too"),
        None => told.fix(format!("`rempart explain {}` lists its variables", host.name)),
    })
}

fn resource(
    args: &Args,
    fleet: &Fleet,
    host: &Host,
    kind: &str,
    name: &str,
    site: Option<&Site>,
    screen: &Arc<Screen>,
) -> Ended {
    if kinds::find(kind).is_none() {
        return Err(super::kinds::unknown(kind));
    }
    let Some(site) = site else {
        let told = Diagnostic::error("a resource stands in a playbook").because("no playbook is named");
        return Err(Stopped::usage(told.fix(format!("rempart explain {} {name} PLAYBOOK", host.name))));
    };
    match declared(fleet, host, name, site, screen)? {
        Some((graph, number)) => tell_resource(args, &graph, number, screen),
        None => Err(unknown_resource(fleet, host, name, site, screen)),
    }
}

type Found = Option<(crate::plan::Graph, usize)>;

fn declared(fleet: &Fleet, host: &Host, name: &str, site: &Site, screen: &Arc<Screen>) -> Result<Found, Stopped> {
    let graph = project::runtime()?.block_on(project::whole(fleet, site, None, None, screen))?.graph;
    let is_it = |number: &usize| {
        let item = &graph.items[*number];
        item.host == host.name && (item.id().to_string() == name || item.label.as_deref() == Some(name))
    };
    Ok((0..graph.items.len()).find(is_it).map(|number| (graph, number)))
}

fn tell_resource(args: &Args, graph: &crate::plan::Graph, number: usize, screen: &Arc<Screen>) -> Ended {
    if args.json {
        show::json(screen, &report::explain_resource_json(graph, number));
    } else {
        screen.print(&report::explain_resource(graph, number, &screen.out_paint()));
    }
    Ok(Exit::Done)
}

fn unknown_resource(fleet: &Fleet, host: &Host, name: &str, site: &Site, screen: &Arc<Screen>) -> Stopped {
    let told = Diagnostic::error("an unknown resource");
    let told = told.because(format!("no playbook of the run declares `{name}` on {}", host.name));
    let graph = match project::runtime().and_then(|on| on.block_on(project::whole(fleet, site, None, None, screen))) {
        Ok(whole) => whole.graph,
        Err(stopped) => return stopped,
    };
    let of = |host: &HostName| {
        let items = graph.items.iter().filter(|item| item.host == *host);
        items.map(|item| item.id().to_string()).collect::<Vec<_>>()
    };
    let here = of(&host.name);
    let elsewhere = graph.items.iter().find(|item| item.id().to_string() == name).map(|item| item.host.clone());
    Stopped::usage(match did_you_mean(name, here.iter().map(String::as_str)) {
        Some(near) => told.fix(format!("did you mean `{near}`?")),
        None if elsewhere.is_some() => {
            told.fix("other hosts have it: look at the playbook's `hosts:`, and at its `when`")
        }
        None => told.fix("`rempart graph` shows all resources"),
    })
}
