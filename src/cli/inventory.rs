//! `rempart inventory`: the hosts, groups and variables as rempart understands them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::options::Inventories;
use super::project::{Fleet, load_inventory};
use super::{Ended, show};
use crate::inventory::Overrides;
use crate::model::{Exit, HostName};
use crate::report::{self, Screen};

/// Show the hosts, their groups and how they are reached
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rempart inventory -i inventories/demo.yaml
  rempart inventory -i inventories/demo.yaml --limit 'ollama:!proxy1'
  rempart inventory -i web1,web2:2222,
  rempart inventory -i inventories/demo.yaml --json | jq ._meta.hostvars")]
pub(super) struct Args {
    #[command(flatten)]
    inventories: Inventories,

    /// Only these hosts: `web`, `web:&prod`, `all:!db1`, `~regex`, `@file`
    #[arg(short, long, value_name = "PATTERN", help_heading = "Fleet")]
    limit: Option<String>,

    /// Print everything as JSON, in the shape of `ansible-inventory --list`; secrets are masked
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args, screen: &Arc<Screen>) -> Ended {
    if args.json {
        let inventory = load_inventory(&args.inventories)?;
        show::diagnostics(screen, inventory.warnings());
        let mut listed = inventory.to_json();
        if let Some(hosts) = Fleet::unreached(inventory).limits(args.limit.as_deref())? {
            keep(&hosts, &mut listed);
        }
        show::json(screen, &listed);
        return Ok(Exit::Done);
    }
    let fleet = Fleet::load(&args.inventories, &Overrides::default(), screen)?;
    let hosts: Vec<HostName> = match &args.limit {
        Some(pattern) => fleet.limit(pattern)?,
        None => fleet.inventory.hosts().iter().map(|host| host.name.clone()).collect(),
    };
    fleet.check_targets(&hosts)?;
    screen.print(&report::inventory(&fleet.inventory, &hosts, &fleet.targets, &screen.out_paint()));
    Ok(Exit::Done)
}

// Leaves these hosts alone in what was listed, as `ansible-inventory --limit` does: groups without any go.
fn keep(hosts: &BTreeSet<HostName>, listed: &mut Value) {
    let is_kept = |name: &str| hosts.contains(&HostName::new(name));
    let Some(listed) = listed.as_object_mut() else { return };
    for (name, part) in listed.iter_mut() {
        match name.as_str() {
            "_meta" => {
                if let Some(vars) = part.get_mut("hostvars").and_then(Value::as_object_mut) {
                    vars.retain(|name, _| is_kept(name));
                }
            }
            _ => {
                let Some(group) = part.as_object_mut() else { continue };
                if let Some(all) = group.get_mut("hosts").and_then(Value::as_array_mut) {
                    all.retain(|name| name.as_str().is_some_and(is_kept));
                    if all.is_empty() {
                        group.remove("hosts");
                    }
                }
            }
        }
    }
    listed.retain(|_, part| part.as_object().is_none_or(|part| !part.is_empty()));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_listed_goes_no_further_than_the_limit() {
        let mut listed = json!({
            "_meta": { "hostvars": { "web1": { "a": 1 }, "db1": { "a": 2 } }, "profile": "inventory_legacy" },
            "all": { "children": ["web", "db"] },
            "web": { "hosts": ["web1", "web2"] },
            "db": { "hosts": ["db1"] },
        });
        keep(&[HostName::new("web1")].into(), &mut listed);
        let wanted = json!({
            "_meta": { "hostvars": { "web1": { "a": 1 } }, "profile": "inventory_legacy" },
            "all": { "children": ["web", "db"] },
            "web": { "hosts": ["web1"] },
        });
        assert_eq!(listed, wanted);
    }
}
