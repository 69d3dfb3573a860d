//! Owns which view goes to which stream: results to stdout, chatter and faults to stderr.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::{Event, Observer};
use crate::lab::{self, LabStatus};
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
    screen.print_json(value);
}

/// Lines that a program reads.
pub(super) fn lines(screen: &Screen, lines: &[String]) {
    screen.print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}

pub(super) fn plan(screen: &Screen, outlook: &Outlook, notes: &Notes, all: bool) {
    screen.print(&report::plan(&PlanView { outlook, notes, all }, &screen.out_paint()));
}

pub(super) fn drift(screen: &Screen, outlook: &Outlook, notes: &Notes) {
    screen.print(&report::drift(&PlanView { outlook, notes, all: false }, &screen.out_paint()));
}

/// Someone to tell the engine's events to, whoever draws them at the moment: connections outlive one view.
#[derive(Clone)]
pub(super) struct Listener(Arc<Mutex<Option<Arc<Observer>>>>);

impl Listener {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Tells this one from now on; `None` = nobody.
    pub fn set(&self, observer: Option<Arc<Observer>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = observer;
    }

    pub fn observer(&self) -> Arc<Observer> {
        let inner = self.0.clone();
        Arc::new(move |event: Event| {
            let observer = inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(observer) = observer {
                observer(event);
            }
        })
    }
}

pub(super) fn lab(screen: &Screen, status: &LabStatus) {
    let width = status.hosts.iter().map(|host| host.name.len()).max().unwrap_or(0);
    screen.print(&format!("lab {}, controller {}\n", status.name, status.controller));
    for host in &status.hosts {
        let state = if host.running { "running" } else { "off" };
        screen.print(&format!(
            "  {:<width$}  {:<15}  {:<9} {state}\n",
            host.name,
            host.address.to_string(),
            host.release
        ));
    }
}

pub(super) fn lab_event(screen: &Screen, event: &lab::Event) {
    use lab::Event;
    let line = match event {
        Event::ImageAwaited { release } => format!("waiting for the image of {release}, which is being built"),
        Event::ImageBuilding { release } => format!("building the image of {release} (once, about a minute)"),
        Event::ImageBuilt { release, took } => format!("built the image of {release} in {:.0} s", took.as_secs_f64()),
        Event::NetworkReady { namespace } => format!("made the network {namespace}"),
        Event::MirrorReady { url } => format!("packages come from {url}"),
        Event::HostKept { host } => format!("{host} is running already"),
        Event::HostBooting { host } => format!("{host} boots"),
        Event::HostReady { host, took } => format!("{host} is up after {:.1} s", took.as_secs_f64()),
    };
    say(screen, &line);
}
