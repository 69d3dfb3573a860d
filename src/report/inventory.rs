//! Owns the inventory as a table: who there is, where, as whom, and in which groups.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use super::escape::{cut, padded, visible};
use super::words::count;
use super::{Paint, Tone};
use crate::inventory::Inventory;
use crate::model::HostName;
use crate::transport::Target;

/// These hosts in order, with what their connection variables lead to; a host without a target has a fault in them.
pub fn inventory(
    inventory: &Inventory,
    hosts: &[HostName],
    targets: &BTreeMap<HostName, Target>,
    paint: &Paint,
) -> String {
    let mut rows = vec![["host", "address", "user", "groups"].map(str::to_owned)];
    for name in hosts {
        let (address, user) = match targets.get(name) {
            Some(target) => (address(target), target.user.as_deref().map_or("(ssh config)".to_owned(), visible)),
            None => ("(unclear)".to_owned(), String::new()),
        };
        // Everybody is in `all`, and who is in no other group is in `ungrouped`: neither says anything here.
        let groups = inventory.host(name.as_str()).map(|host| {
            let said = host.groups.iter().filter(|group| !matches!(group.as_str(), "all" | "ungrouped"));
            said.map(|group| visible(group)).collect::<Vec<_>>().join(", ")
        });
        rows.push([visible(name.as_str()), address, user, groups.unwrap_or_default()]);
    }
    let mut text = table(&rows, paint);
    text.push_str(&format!("{}\n", count(hosts.len(), "host", "hosts")));
    text
}

/// The names alone, one a line, for scripts.
pub fn host_names(hosts: &[HostName]) -> String {
    hosts.iter().map(|host| visible(host.as_str()) + "\n").collect()
}

/// Rows under a head; the last column takes what is left of the width.
pub(super) fn table<const N: usize>(rows: &[[String; N]], paint: &Paint) -> String {
    let wide = |at: usize| rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(wide).collect();
    let before: usize = widths.iter().take(N - 1).map(|width| width + 2).sum();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            if at + 1 == N {
                line.push_str(&cut(cell, paint.width.saturating_sub(before).max(20)));
            } else {
                line.push_str(&padded(cell, widths[at] + 2));
            }
        }
        let line = line.trim_end();
        text.push_str(&if number == 0 { paint.tone(Tone::Bold, line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

fn address(target: &Target) -> String {
    let address = visible(&target.address);
    let mut text = match target.port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address,
    };
    if let Some(jump) = &target.jump {
        text.push_str(&format!(" via {}", visible(jump)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Overrides, load, raw, target};

    #[test]
    fn the_fleet_in_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts.yml");
        let text = "all:\n  hosts:\n    lone:\n  children:\n    web:\n      hosts:\n        web1: { ansible_host: 192.0.2.1, \
                    ansible_port: 2222, ansible_user: ops }\n        web2: { ansible_host: '2001:db8::1', ansible_port: 22 }\n    \
                    prod: { children: { web: } }\n";
        std::fs::write(&path, text).unwrap();
        let fleet = load(&[path]).unwrap();
        let names: Vec<HostName> = fleet.hosts().iter().map(|host| host.name.clone()).collect();
        let mut targets = BTreeMap::new();
        for host in fleet.hosts().iter().filter(|host| host.name.as_str() != "lone") {
            let found = target(host, &raw(host), &Overrides::default(), &mut Vec::new()).unwrap();
            targets.insert(host.name.clone(), found);
        }
        insta::assert_snapshot!(inventory(&fleet, &names, &targets, &Paint::PLAIN), @r"
        host  address           user          groups
        lone  (unclear)
        web1  192.0.2.1:2222    ops           prod, web
        web2  [2001:db8::1]:22  (ssh config)  prod, web
        3 hosts
        ");
        assert_eq!(host_names(&names), "lone\nweb1\nweb2\n");
    }
}
