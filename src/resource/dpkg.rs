//! Owns reading which packages a Debian host has, shared by every kind that needs to know.

use super::{Answer, ProbeError, ProbeScript};

const SECTION: &str = "dpkg-query";
const COMMAND: &str = r"dpkg-query -W -f '${binary:Package}\t${db:Status-Want}\t${db:Status-Eflag}\t${db:Status-Status}\t${Version}\n' --";

// Without its database dpkg-query says "not found" of everything [tried]: an answer counts only if it knows this one.
const WITNESS: &str = "dpkg";

/// dpkg's words for how far a package got; `triggers-*` and `half-*` are states that dpkg itself calls broken.
const STATES: &[&str] = &[
    "not-installed",
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
    "installed",
];

/// What dpkg says of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageState {
    /// dpkg's word for how far it got: `installed`, `half-configured`, ...; `reinst-required` where dpkg wants it again.
    pub state: String,
    /// Whether it is held at its version.
    pub held: bool,
    /// Its version.
    pub version: String,
    /// The line that dpkg printed, for preconditions.
    pub line: String,
}

/// Asks whether a package (`name` or `name:arch`) is installed. All packages of a host are asked for by one process.
pub fn ask_package(script: &mut ProbeScript, name: &str) {
    script.gather(SECTION, COMMAND, name);
    script.gather(SECTION, COMMAND, WITNESS);
}

/// A package as asked for by [`ask_package`]; `None` = certainly not installed, or only its configuration is left.
///
/// # Errors
/// dpkg did not answer, or not about this package.
pub fn package_state(answer: &Answer, name: &str) -> Result<Option<PackageState>, ProbeError> {
    let section = answer.section(SECTION)?;
    if section.status != 0 && section.status != 1 {
        return Err(ProbeError(format!("dpkg-query failed (status {}): {}", section.status, section.complaint())));
    }
    let text = section.text()?;
    if !text.lines().any(|line| line.starts_with(&format!("{WITNESS}\t"))) {
        return Err(ProbeError(format!("dpkg's database does not even know {WITNESS}: {}", section.complaint())));
    }
    let mut named = false;
    let mut found: Option<PackageState> = None;
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [full, want, flag, state, version] = fields[..] else {
            return Err(ProbeError(format!("dpkg-query's answer was not understood: `{}`", line.escape_debug())));
        };
        if full != name && full.split(':').next() != Some(name) {
            continue;
        }
        if !STATES.contains(&state) {
            return Err(ProbeError(format!("dpkg-query named an unknown state: `{}`", state.escape_debug())));
        }
        named = true;
        if matches!(state, "not-installed" | "config-files") {
            continue;
        }
        // Of several architectures the one in trouble is told about.
        let state = if flag == "reinstreq" { "reinst-required" } else { state };
        if found.as_ref().is_none_or(|known| known.state == "installed" && state != "installed") {
            found = Some(PackageState {
                state: state.to_owned(),
                held: want == "hold",
                version: version.to_owned(),
                line: line.to_owned(),
            });
        }
    }
    let complaints = String::from_utf8_lossy(&section.stderr);
    let denied = format!("no packages found matching {name}");
    if !named && !complaints.lines().any(|line| line.ends_with(&denied)) {
        return Err(ProbeError(format!("dpkg-query said nothing about {name}: {}", section.complaint())));
    }
    Ok(found)
}
