//! Owns reading the state of systemd units, shared by every kind that has a daemon behind it.

use std::collections::BTreeMap;

use super::{Answer, ProbeError, ProbeScript};

const SECTION: &str = "systemctl show";
const COMMAND: &str = "systemctl show -p Id,Names,LoadState,UnitFileState,ActiveState,SubState,Type,NeedDaemonReload,\
ActiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,StateChangeTimestampMonotonic,ExecMainStartTimestampMonotonic,\
FragmentPath,DropInPaths,Result,RemainAfterExit --";

/// The properties of one unit as `systemctl show` prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitState {
    properties: BTreeMap<String, String>,
}

impl UnitState {
    /// A property's text; empty where systemd says nothing.
    pub fn get(&self, property: &str) -> &str {
        self.properties.get(property).map_or("", String::as_str)
    }
}

/// Asks for a unit's state (name with suffix). All units of a host are asked for by one process.
pub fn show_units(script: &mut ProbeScript, unit: &str) {
    script.gather(SECTION, COMMAND, unit);
}

/// A unit's state as asked for by [`show_units`]. A unit that does not exist has `LoadState=not-found`.
///
/// # Errors
/// systemd did not answer, or not about this unit.
pub fn unit_state(answer: &Answer, unit: &str) -> Result<UnitState, ProbeError> {
    let section = answer.section(SECTION)?;
    let text = section.text()?;
    let blocks = text.split("\n\n").map(|block| UnitState {
        properties: block
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    });
    for state in blocks {
        if state.get("Id") == unit || state.get("Names").split(' ').any(|name| name == unit) {
            if state.get("LoadState").is_empty() {
                return Err(ProbeError(format!("systemd said nothing about the state of {unit}")));
            }
            return Ok(state);
        }
    }
    Err(ProbeError(format!("systemd gave no answer about {unit}: {}", section.complaint())))
}
