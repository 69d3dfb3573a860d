//! Owns what a host says of a timer: its files, its state, and by which times systemd itself has it go.

use std::collections::BTreeSet;

use super::{MARK, State, SystemdTimer};
use crate::resource::{
    Answer, FieldValue, Fields, FileContent, ProbeError, Provision, Seen, UnitState, clock_us, span_us, timestamp_us,
    unit_state,
};

pub(super) const CALENDAR: &str = "systemd-analyze calendar";
pub(super) const CALENDAR_COMMAND: &str = "systemd-analyze calendar --iterations=1 --";

impl SystemdTimer {
    pub(super) fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let timer = unit_state(answer, &self.timer())?;
        if self.state == State::Absent {
            let idle = !timer.is_active() && !timer.is_enabled();
            let gone = answer.stat(&self.path(&self.timer()))?.is_none() && !self.has_own_service(answer)?;
            return Ok(if gone && idle { Seen::Absent } else { Seen::Present(Fields::new()) });
        }
        let mut fields = Fields::new();
        self.files().read(answer, &mut fields)?;
        // Asked in any case: a time that the host does not take is told before anything is written.
        let normal = self.normal_times(answer)?;
        let starts = unit_state(answer, &self.starts())?;
        if self.service.is_none() && starts.is_missing() {
            let brought_by = vec![Provision::Unit(self.starts()), Provision::Kind("package_apt")];
            return Ok(Seen::NotYet { missing: format!("the unit {} does not exist", self.starts()), brought_by });
        }
        if fields.is_empty() && timer.is_missing() {
            return Ok(Seen::Absent);
        }
        fields.insert("active".into(), FieldValue::Bool(timer.is_active()));
        fields.insert("enabled".into(), FieldValue::Bool(timer.is_enabled()));
        fields.insert("masked".into(), FieldValue::Bool(timer.is_masked()));
        let pending = timer.get("NeedDaemonReload") == "yes" || starts.get("NeedDaemonReload") == "yes";
        fields.insert("reload_pending".into(), FieldValue::Bool(pending));
        if timer.is_missing() || timer.is_masked() {
            return Ok(Seen::Present(fields));
        }
        let told = |property: &str| match timer.get(property) {
            "" => Err(ProbeError(format!("systemd did not say what {property} of {} is", self.timer()))),
            text => Ok(text.to_owned()),
        };
        let span = |property: &str, wanted: &str| {
            told(property).map(|text| if span_us(&text) == span_us(wanted) { wanted.to_owned() } else { text })
        };
        let times = calendar_of(&timer)?;
        let as_wanted = times == normal;
        let times = if as_wanted { self.times.clone() } else { times.into_iter().collect() };
        fields.insert("on_calendar".into(), FieldValue::List(times));
        fields.insert("unit".into(), FieldValue::Text(told("Unit")?));
        fields.insert("persistent".into(), FieldValue::Bool(told("Persistent")? == "yes"));
        let delay = span("RandomizedDelayUSec", &self.randomized_delay)?;
        fields.insert("randomized_delay".into(), FieldValue::Text(delay));
        fields.insert("accuracy".into(), FieldValue::Text(span("AccuracyUSec", &self.accuracy)?));
        if self.active {
            let scheduled = timer.is_active() && self.is_scheduled(&timer, answer)?;
            fields.insert("scheduled".into(), FieldValue::Bool(scheduled));
        }
        let others = timer.get("DropInPaths");
        fields.insert("drop_ins_of_others".into(), FieldValue::list(others.split_whitespace()));
        Ok(Seen::Present(fields))
    }

    // Whether there is a next time, and it has not passed.
    fn is_scheduled(&self, timer: &UnitState, answer: &Answer) -> Result<bool, ProbeError> {
        if timer.get("SubState") == "running" {
            return Ok(true);
        }
        let next = timer.get("NextElapseUSecRealtime");
        let at = match next.split(' ').collect::<Vec<_>>()[..] {
            [_, date, time, "UTC"] => timestamp_us(date, time),
            [""] | ["n/a"] => return Ok(false),
            _ => None,
        };
        let at = at.ok_or_else(|| ProbeError(format!("the timer's next time `{}` is garbled", next.escape_debug())))?;
        let late = span_us(timer.get("AccuracyUSec")).unwrap_or_default() + 10_000_000;
        Ok(at + late > clock_us(answer)?)
    }

    fn has_own_service(&self, answer: &Answer) -> Result<bool, ProbeError> {
        Ok(match answer.content(&self.path(&self.service()))? {
            Some(FileContent::Bytes(bytes)) => bytes.starts_with(MARK.as_bytes()),
            _ => false,
        })
    }

    // The wanted times as systemd writes them.
    pub(super) fn normal_times(&self, answer: &Answer) -> Result<BTreeSet<String>, ProbeError> {
        let section = answer.section(CALENDAR)?;
        let said = section.text()?;
        let mut known: Vec<(String, String, bool)> = Vec::new();
        for block in said.split("\n\n") {
            let line = |name: &str| {
                block.lines().find_map(|line| line.trim().strip_prefix(name)).map(|rest| rest.trim().to_owned())
            };
            let Some(normal) = line("Normalized form:") else { continue };
            let comes = line("Next elapse:").is_some_and(|next| next != "never");
            known.push((line("Original form:").unwrap_or_else(|| normal.clone()), normal, comes));
        }
        let mut all = BTreeSet::new();
        for time in &self.times {
            let found = known.iter().find(|(original, _, _)| original == time);
            let Some((_, normal, comes)) = found else {
                let why = format!("this host's systemd does not take the time `{}`", time.escape_debug());
                let complaints = String::from_utf8_lossy(&section.stderr).into_owned();
                let told = complaints.lines().find(|line| line.contains(&format!("'{time}'")));
                return Err(ProbeError(told.map_or(why.clone(), |told| format!("{why}: {}", told.trim()))));
            };
            if !comes {
                return Err(ProbeError(format!("the time `{}` does not come again", time.escape_debug())));
            }
            all.insert(normal.clone());
        }
        Ok(all)
    }
}

// The times by which a timer goes, as systemd writes them: `{ OnCalendar=*-*-* 04:00:00 ; next_elapse=... }` each.
fn calendar_of(timer: &UnitState) -> Result<BTreeSet<String>, ProbeError> {
    let lines = timer.get("TimersCalendar").lines().filter(|line| !line.is_empty());
    let time = |line: &str| Some(line.strip_prefix("{ OnCalendar=")?.split_once(" ; ")?.0.to_owned());
    lines
        .map(|line| {
            time(line).ok_or_else(|| ProbeError(format!("systemd's time `{}` is garbled", line.escape_debug())))
        })
        .collect()
}
