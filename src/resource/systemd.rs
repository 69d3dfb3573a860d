//! Owns reading the state of systemd units, shared by every kind that has a daemon behind it.

use std::collections::BTreeMap;

use super::{Answer, ProbeError, ProbeScript};
use crate::sh;

const SECTION: &str = "systemctl show";
const COMMAND: &str = "systemctl show --timestamp=us+utc -p Id,Names,LoadState,UnitFileState,ActiveState,SubState,Type,\
NeedDaemonReload,ActiveEnterTimestamp,InactiveExitTimestamp,StateChangeTimestamp,ExecMainStartTimestamp,\
ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,StateChangeTimestampMonotonic,\
ExecMainStartTimestampMonotonic,FragmentPath,DropInPaths,Result,RemainAfterExit,NRestarts,Unit,TimersCalendar,NextElapseUSecRealtime,\
Persistent,RandomizedDelayUSec,AccuracyUSec --";

const CLOCK_SECTION: &str = "clock";

// `systemctl show` answers about a unit file from a cache: it says `enabled` when the symlink is long gone.
const FILES_SECTION: &str = "systemctl list-unit-files";
const FILES_COMMAND: &str = "systemctl list-unit-files --no-legend --";

// Instances of templates are in no list, and `is-enabled` of several units ends at the first that does not exist.
const INSTANCES_SECTION: &str = "systemctl is-enabled";
const INSTANCES_COMMAND: &str = "rp_enabled() { for rp_u; do printf '%s ' \"$rp_u\"; systemctl is-enabled -- \"$rp_u\" || echo; done; }; rp_enabled";

// The kernel stamps files with the time of its last tick, which may lie this much behind the clock. In microseconds.
const TICK: u64 = 5_000;

/// The properties of one unit as `systemctl show` prints them; of one that it prints several times, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    properties: BTreeMap<String, String>,
}

impl UnitState {
    /// A property's text; empty where systemd says nothing.
    pub fn get(&self, property: &str) -> &str {
        self.properties.get(property).map_or("", String::as_str)
    }

    /// Whether it really runs. A unit that waits for its next try, or is still starting, does not.
    pub fn is_active(&self) -> bool {
        matches!(self.get("ActiveState"), "active" | "reloading" | "refreshing")
    }

    /// Whether systemd knows no such unit.
    pub fn is_missing(&self) -> bool {
        self.get("LoadState") == "not-found"
    }

    /// Whether it will be started by the next boot.
    pub fn is_enabled(&self) -> bool {
        self.get("UnitFileState") == "enabled"
    }

    /// Whether nobody can start it, also after a reboot.
    pub fn is_masked(&self) -> bool {
        match self.get("UnitFileState") {
            "" => self.get("LoadState") == "masked",
            state => state == "masked",
        }
    }

    /// When its process began to read its configuration, in microseconds since 1970.
    ///
    /// # Errors
    /// It never started, or the time was not understood.
    pub fn started_us(&self) -> Result<u64, ProbeError> {
        // Where the main process is not the first that reads the configuration, the unit's own time counts.
        match self.get("Type") {
            "" | "forking" | "oneshot" => self.time("InactiveExitTimestamp"),
            _ => self.time("ExecMainStartTimestamp").or_else(|_| self.time("InactiveExitTimestamp")),
        }
    }

    /// When it was last started or reloaded, in microseconds since 1970.
    ///
    /// # Errors
    /// It never was, or the time was not understood.
    pub fn reloaded_us(&self) -> Result<u64, ProbeError> {
        self.time("StateChangeTimestamp")
    }

    // `Mon 2026-11-23 00:40:05.309027 UTC`
    fn time(&self, property: &str) -> Result<u64, ProbeError> {
        let text = self.get(property);
        stamp_us(text)
            .ok_or_else(|| ProbeError(format!("systemd's {property} `{}` was not understood", text.escape_debug())))
    }
}

/// Whether what changed at `changed` (a file's ctime) may be unknown to what began at `since`. Both in microseconds.
pub fn is_newer(changed: u64, since: u64) -> bool {
    changed + TICK > since
}

fn stamp_us(text: &str) -> Option<u64> {
    match text.split(' ').collect::<Vec<_>>()[..] {
        [_, date, time, "UTC"] => timestamp_us(date, time),
        _ => None,
    }
}

/// A date and a time of day in UTC (`2026-11-23`, `00:40:05.309027`) in microseconds since 1970.
pub fn timestamp_us(date: &str, time: &str) -> Option<u64> {
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Days of the civil calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = u64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()?;
    Some(seconds * 1_000_000 + format!("{fraction:0<6.6}").parse::<u64>().ok()?)
}

/// A span of time as systemd writes and reads it (`1h 30min`, `90`), in microseconds; a number alone is seconds.
pub fn span_us(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit: u64 = match unit {
            "us" | "usec" | "µs" => 1,
            "ms" | "msec" => 1_000,
            "" | "s" | "sec" | "second" | "seconds" => 1_000_000,
            "m" | "min" | "minute" | "minutes" => 60_000_000,
            "h" | "hr" | "hour" | "hours" => 3_600_000_000,
            "d" | "day" | "days" => 86_400_000_000,
            "w" | "week" | "weeks" => 604_800_000_000,
            "M" | "month" | "months" => 2_629_800_000_000,
            "y" | "year" | "years" => 31_557_600_000_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// A size as systemd and logrotate read it (`1G`, `512K`, `4096`), in bytes; K, M, G and T are of 1024.
pub fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let power = match unit {
        "" | "B" => 0,
        "K" | "k" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))
}

/// Asks for a unit's state (name with suffix). All units of a host are asked for by one process.
pub fn show_units(script: &mut ProbeScript, unit: &str) {
    script.gather(SECTION, COMMAND, unit);
    if unit.contains('@') {
        script.gather(INSTANCES_SECTION, INSTANCES_COMMAND, unit);
    } else {
        script.gather(FILES_SECTION, FILES_COMMAND, unit);
    }
}

/// Asks for the host's time, which [`is_looping`] needs. Asked once, whoever asks.
pub fn ask_clock(script: &mut ProbeScript) {
    script.section(CLOCK_SECTION, sh!("date +%s%6N"));
}

/// The host's time as asked for by [`ask_clock`], in microseconds since 1970.
///
/// # Errors
/// The host did not say.
pub fn clock_us(answer: &Answer) -> Result<u64, ProbeError> {
    let clock = answer.section(CLOCK_SECTION)?;
    let told = clock.text()?.trim().parse();
    told.map_err(|_| ProbeError(format!("the host's clock was not understood: {}", clock.complaint())))
}

/// Whether a unit that runs at this very moment only does so between two crashes: systemd started it again by itself,
/// and not long ago. Needs [`ask_clock`].
///
/// # Errors
/// The host's clock or systemd's times were not understood.
pub fn is_looping(answer: &Answer, unit: &UnitState) -> Result<bool, ProbeError> {
    let restarts: u64 = unit.get("NRestarts").parse().unwrap_or(0);
    if restarts == 0 {
        return Ok(false);
    }
    Ok(clock_us(answer)?.saturating_sub(unit.started_us()?) < (10 * restarts).min(60) * 1_000_000)
}

// How a unit stands on disk: `enabled`, `masked`, ...; empty = there is no unit file.
fn file_state(answer: &Answer, unit: &str) -> Result<String, ProbeError> {
    let instance = unit.contains('@');
    let section = answer.section(if instance { INSTANCES_SECTION } else { FILES_SECTION })?;
    // A list without a match ends with 1 and says nothing.
    let quiet = section.stderr.iter().all(u8::is_ascii_whitespace);
    if !instance && section.status != 0 && !(section.status == 1 && quiet) {
        return Err(ProbeError(format!("systemd did not list its unit files: {}", section.complaint())));
    }
    for line in section.text()?.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some(unit) {
            return Ok(words.next().filter(|state| *state != "not-found").unwrap_or("").to_owned());
        }
    }
    if instance {
        return Err(ProbeError(format!("systemd gave no answer about {unit}: {}", section.complaint())));
    }
    Ok(String::new())
}

/// A unit's state as asked for by [`show_units`]. A unit that does not exist has `LoadState=not-found`.
///
/// # Errors
/// systemd did not answer, or not about this unit.
pub fn unit_state(answer: &Answer, unit: &str) -> Result<UnitState, ProbeError> {
    let section = answer.section(SECTION)?;
    let text = section.text()?;
    let blocks = text.split("\n\n").map(|block| {
        let mut properties = BTreeMap::<String, String>::new();
        for (name, value) in block.lines().filter_map(|line| line.split_once('=')) {
            let known = properties.entry(name.to_owned());
            known.and_modify(|known| *known = format!("{known}\n{value}")).or_insert_with(|| value.to_owned());
        }
        UnitState { properties }
    });
    for mut state in blocks {
        if state.get("Id") == unit || state.get("Names").split(' ').any(|name| name == unit) {
            if state.get("LoadState").is_empty() {
                return Err(ProbeError(format!("systemd said nothing about the state of {unit}")));
            }
            state.properties.insert("UnitFileState".into(), file_state(answer, unit)?);
            return Ok(state);
        }
    }
    Err(ProbeError(format!("systemd gave no answer about {unit}: {}", section.complaint())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_systemd_reads_it_or_not_at_all() {
        assert_eq!(span_us("1h 30s"), span_us("3630"));
        assert_eq!(span_us("1h 30min"), Some(5_400_000_000));
        assert_eq!(span_us("5min20s"), Some(320_000_000));
        assert_eq!((span_us("0"), span_us("2 h")), (Some(0), Some(7_200_000_000)));
        for garbled in ["", "h", "1.5h", "-1", "1 fortnight", "infinity", "99999999999999y", "1h;"] {
            assert_eq!(span_us(garbled), None, "{garbled}");
        }
    }

    #[test]
    fn a_timestamp_is_read_to_the_microsecond_or_not_at_all() {
        assert_eq!(stamp_us("Mon 2026-11-23 00:40:05.309027 UTC"), Some(1_795_394_405_309_027));
        assert_eq!(stamp_us("Thu 1970-01-01 00:00:00 UTC"), Some(0));
        assert_eq!(stamp_us("Thu 2024-02-29 12:00:00.5 UTC"), Some(1_709_208_000_500_000));
        for garbled in ["", "n/a", "Mon 2026-11-23 00:40:05.309027 CET", "Mon 2026-13-23 00:40:05 UTC", "a b c UTC"] {
            assert_eq!(stamp_us(garbled), None, "{garbled}");
        }
    }
}
