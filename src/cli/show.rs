//! Owns which view goes to which stream: results to stdout, chatter and faults to stderr.

use std::sync::Arc;

use crate::engine::{Event, Observer, RunReport};
use crate::model::Diagnostic;
use crate::plan::Outlook;
use crate::report::{self, Notes, PlanView, Screen};

pub(super) fn diagnostics(screen: &Screen, all: &[Diagnostic]) {
    if !all.is_empty() {
        screen.tell(&report::diagnostics(all, &screen.err_paint()));
    }
}

pub(super) fn say(screen: &Screen, line: &str) {
    screen.chat(&format!("{}\n", report::escape::visible(line)));
}

pub(super) fn json(screen: &Screen, value: &serde_json::Value) {
    screen.print(&report::json_text(value, true));
}

pub(super) fn plan(screen: &Screen, outlook: &Outlook, notes: &Notes, all: bool) {
    screen.print(&report::plan(&PlanView { outlook, notes, all }, &screen.out_paint()));
}

pub(super) fn drift(screen: &Screen, outlook: &Outlook, notes: &Notes) {
    plan(screen, outlook, notes, false);
}

pub(super) fn run(screen: &Screen, report: &RunReport) {
    json(screen, &serde_json::to_value(report).unwrap_or_default());
}

pub(super) fn progress(screen: &Screen) -> Arc<Observer> {
    let loud = !screen.is_quiet();
    let screen_lines = std::sync::Mutex::new(std::io::stderr());
    Arc::new(move |event: Event| {
        use std::io::Write;
        if loud && let Ok(mut to) = screen_lines.lock() {
            let _ = writeln!(to, "{event:?}");
        }
    })
}

pub(super) fn lab(screen: &Screen, status: &crate::lab::LabStatus) {
    for host in &status.hosts {
        screen.print(&format!("{} {} {}\n", host.name, host.address, if host.running { "running" } else { "off" }));
    }
}

pub(super) fn lab_event(screen: &Screen, event: &crate::lab::Event) {
    screen.chat(&format!("{event:?}\n"));
}

pub(super) fn inventory(
    screen: &Screen,
    inventory: &crate::inventory::Inventory,
    hosts: &[crate::model::HostName],
    targets: &std::collections::BTreeMap<crate::model::HostName, crate::transport::Target>,
) {
    for host in hosts {
        let address = targets.get(host).map_or("", |target| target.address.as_str());
        let groups = inventory.host(host.as_str()).map(|host| host.groups.join(",")).unwrap_or_default();
        screen.print(&format!("{host} {address} {groups}\n"));
    }
}
