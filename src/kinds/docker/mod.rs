//! What the kinds of Docker share: how it is asked, and what its silence means.

mod silence;

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) use self::silence::Silence;
use crate::resource::{Answer, ProbeError, Provision, SectionOutput};

/// What brings Docker, if somebody on the host declares it.
pub(super) fn uses() -> impl Iterator<Item = Provision> {
    let packages = ["docker.io", "docker-ce", "docker-cli"].map(|name| Provision::Package(name.into()));
    packages.into_iter().chain([Provision::Unit("docker.service".into())])
}

/// The answers of one `docker ... inspect --format '{{json .}}'`, by operand; `None` = certainly not there.
pub(super) fn answers(
    answer: &Answer,
    section: &str,
    asked: &[&str],
) -> Result<BTreeMap<String, Option<Value>>, Silence> {
    let unknown = |why: String| Silence::Unknown(why);
    let output = answer.section(section).map_err(|ProbeError(why)| unknown(why))?;
    if output.is_missing_tool() {
        return Err(Silence::NoDocker);
    }
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let missing = |name: &str| {
        let ends = [format!(": {name}"), format!("network {name} not found")];
        complaints.lines().any(|line| line.contains("No such ") && line.ends_with(&ends[0]) || line.ends_with(&ends[1]))
    };
    // Docker answers in the order in which it was asked, and passes over what is missing.
    let mut asked: Vec<&str> = asked.to_vec();
    asked.sort_unstable();
    asked.dedup();
    let (absent, there): (Vec<&str>, Vec<&str>) = asked.into_iter().partition(|name| missing(name));
    let mut values = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // The answer holds environments, so nothing of it is quoted.
        values.push(serde_json::from_slice::<Value>(line).map_err(|_| unknown("docker's answer is no JSON".into()))?);
    }
    if values.len() != there.len() || (output.status != 0 && absent.is_empty()) {
        let why = format!("docker did not answer: {}", said(output));
        // Debian's packages are installed with nothing started: starting it is a step of its own.
        let down = values.is_empty() && complaints.contains("Cannot connect to the Docker daemon");
        return Err(if down { Silence::Down(why) } else { unknown(why) });
    }
    let found = there.into_iter().zip(values).map(|(name, value)| (name.to_owned(), Some(value)));
    Ok(found.chain(absent.into_iter().map(|name| (name.to_owned(), None))).collect())
}

fn said(output: &SectionOutput) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let line = stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(it said nothing)");
    line.chars().map(|c| if c.is_control() { '?' } else { c }).take(300).collect()
}

/// A part of docker's answer, or null.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

/// A text in it; empty where there is none.
pub(super) fn text(value: &Value, path: &str) -> String {
    at(value, path).as_str().unwrap_or_default().to_owned()
}

/// A list in it.
pub(super) fn texts(value: &Value, path: &str) -> Vec<String> {
    let list = at(value, path).as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// Names with their texts.
pub(super) fn pairs(value: &Value, path: &str) -> BTreeMap<String, String> {
    let entries = at(value, path).as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
