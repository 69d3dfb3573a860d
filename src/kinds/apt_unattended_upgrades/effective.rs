//! What apt and systemd make of all files on the host: settings of apt, timers, and how systemd writes times.

use std::collections::BTreeMap;

use crate::resource::{Answer, ProbeError};

pub(super) const DUMP: &str = "apt-config dump";
pub(super) const TIMERS: &str = "apt timers";

// `Sun 04:00` as systemd writes it.
pub(super) fn calendar(time: &str) -> String {
    match time.rsplit_once(' ') {
        Some((day, time)) => format!("{day} *-*-* {time}:00"),
        None => format!("*-*-* {time}:00"),
    }
}

pub(super) fn is_time(text: &str) -> bool {
    let number = |text: &str, below: u32| text.len() == 2 && text.parse::<u32>().is_ok_and(|number| number < below);
    text.split_once(':').is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 60))
}

// As systemd writes a span.
pub(super) fn span(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, 0) => "0".into(),
        (0, minutes) => format!("{minutes}min"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h {minutes}min"),
    }
}

// `{ OnCalendar=*-*-* 06:00:00 ; next_elapse=... }`
pub(super) fn when(line: &str) -> Option<&str> {
    Some(line.strip_prefix("{ OnCalendar=")?.split_once(" ;")?.0)
}

// All settings of apt by name in small letters; those of a list end in `::`.
pub(super) fn dump(answer: &Answer) -> Result<BTreeMap<String, Vec<String>>, ProbeError> {
    let section = answer.section(DUMP)?;
    if section.status != 0 {
        let why = format!("apt-config failed (status {}): {}", section.status, section.complaint());
        return Err(ProbeError(why));
    }
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in section.text()?.lines() {
        let Some((name, value)) = line.split_once('\t') else {
            return Err(ProbeError(format!("apt-config's answer was not understood: `{}`", line.escape_debug())));
        };
        all.entry(name.to_ascii_lowercase()).or_default().push(value.to_owned());
    }
    // A setting that every apt has: without it, this is not its answer.
    if !all.contains_key("dir::etc::parts") {
        return Err(ProbeError("apt-config does not tell where its own settings are".into()));
    }
    Ok(all)
}

pub(super) type Properties = BTreeMap<String, Vec<String>>;

pub(super) fn units(answer: &Answer) -> Result<BTreeMap<String, Properties>, ProbeError> {
    let section = answer.section(TIMERS)?;
    if section.status != 0 {
        return Err(ProbeError(format!("systemctl failed (status {}): {}", section.status, section.complaint())));
    }
    let mut all = BTreeMap::new();
    for block in section.text()?.split("\n\n") {
        let mut unit = Properties::new();
        for line in block.lines() {
            let Some((name, value)) = line.split_once('=') else {
                return Err(ProbeError(format!("systemctl's answer was not understood: `{}`", line.escape_debug())));
            };
            unit.entry(name.to_owned()).or_default().push(value.to_owned());
        }
        if let Some(id) = unit.get("Id").and_then(|all| all.first()) {
            all.insert(id.clone(), unit);
        }
    }
    Ok(all)
}
