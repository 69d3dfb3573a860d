//! Owns the file of accepted findings: one a line, each with a reason, and none that accepts nothing.
//!
//! `ID RULE PLACE -- REASON`. The number says it all; rule and place are for who reads the file.

use std::collections::HashMap;
use std::sync::Arc;

use super::Finding;
use super::rules::rules;
use crate::model::{Diagnostic, Place, Source, did_you_mean};

/// Its name, at the root of what is scanned.
pub const ACCEPTED_FILE: &str = ".rempart-scan-ignore";

/// One accepted finding.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The number of the finding.
    pub id: String,
    /// Its rule.
    pub rule: String,
    /// Its file, as the finding has it.
    pub file: String,
    /// Why it may stay.
    pub reason: String,
    /// Where the entry stands.
    pub place: Place,
}

/// Reads the file.
///
/// # Errors
/// All its faults.
pub fn read_accepted(source: &Arc<Source>) -> Result<Vec<Accepted>, Vec<Diagnostic>> {
    let mut all: Vec<Accepted> = Vec::new();
    let mut known: HashMap<String, Place> = HashMap::new();
    let mut faults = Vec::new();
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let place = Place::new(source, at + indent, at + indent + text.len());
        match entry(text, place.clone()) {
            Err(fault) => faults.push(fault),
            Ok(entry) => match known.insert(entry.id.clone(), place.clone()) {
                Some(before) => faults.push(
                    Diagnostic::error("a finding is accepted twice")
                        .at(&place, "again here")
                        .see(&before, "first here")
                        .fix("remove one of the two lines"),
                ),
                None => all.push(entry),
            },
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(faults) }
}

fn entry(text: &str, place: Place) -> Result<Accepted, Diagnostic> {
    const SHAPE: &str = "a line is `ID RULE PLACE -- REASON`; `rempart secrets scan` prints its beginning";
    let fault = |summary: &str, label: &str| Diagnostic::error(summary).at(&place, label).fix(SHAPE);
    let Some((finding, reason)) = text.split_once(" -- ").filter(|(_, reason)| !reason.trim().is_empty()) else {
        return Err(fault("an accepted finding without a reason", "why may this stay?"));
    };
    let mut words = finding.splitn(3, char::is_whitespace).map(str::trim);
    let (Some(id), Some(rule), Some(file)) = (words.next(), words.next(), words.next().filter(|file| !file.is_empty()))
    else {
        return Err(fault("an accepted finding that is not named", "it has fewer than three words"));
    };
    if id.len() != 16 || !id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Err(fault("an accepted finding without its number", "the first word has sixteen digits, 0-9 and a-f"));
    }
    if !rules().any(|known| known.id == rule) {
        let near = did_you_mean(rule, rules().map(|known| known.id)).map(|near| format!("did you mean `{near}`?"));
        let fix = near.unwrap_or_else(|| "docs/secrets.md has the rules".to_owned());
        return Err(Diagnostic::error("an unknown rule").at(&place, format!("there is no rule `{rule}`")).fix(fix));
    }
    Ok(Accepted { id: id.into(), rule: rule.into(), file: file.into(), reason: reason.trim().into(), place })
}

/// Findings by whether somebody accepted them.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// Nobody did.
    pub open: Vec<Finding>,
    /// Somebody did, with the entry.
    pub accepted: Vec<(Finding, Accepted)>,
    /// Entries that accept nothing of what was looked at.
    pub unused: Vec<Accepted>,
}

/// Sorts findings. `was_seen` says of an entry's file whether it was looked at, or would have been if it were there: only
/// then does an entry without a finding accept nothing.
pub fn sort(findings: Vec<Finding>, entries: Vec<Accepted>, was_seen: impl Fn(&str) -> bool) -> Sorted {
    let mut sorted = Sorted::default();
    let mut unused: Vec<bool> = vec![true; entries.len()];
    let by_id: HashMap<&str, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.id.as_str(), at)).collect();
    for finding in findings {
        let entry = by_id
            .get(finding.id.as_str())
            .copied()
            .filter(|at| entries[*at].rule == finding.rule.id && entries[*at].file == finding.place);
        match entry {
            Some(at) => {
                unused[at] = false;
                sorted.accepted.push((finding, entries[at].clone()));
            }
            None => sorted.open.push(finding),
        }
    }
    let left = entries.iter().zip(unused).filter(|(entry, unused)| *unused && was_seen(&entry.file));
    sorted.unused = left.map(|(entry, _)| entry.clone()).collect();
    sorted
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    fn read(text: &str) -> Result<Vec<Accepted>, Vec<Diagnostic>> {
        read_accepted(&Source::new(ACCEPTED_FILE, text))
    }

    #[test]
    fn a_reason_is_mandatory_and_each_fault_has_its_place() {
        let faults = read(
            "# of tests\n0123456789abcdef named-value a.env\n0123456789abcdef named-value a.env --  \nx named-value a -- b\n\
             0123456789abcdef named-valu a.env -- b\n0123456789abcdef -- b\n\
             0123456789abcdef jwt a -- b\n0123456789abcdef jwt a -- c\n",
        )
        .unwrap_err();
        let told: Vec<(usize, &str)> =
            faults.iter().map(|fault| (fault.place.as_ref().unwrap().0.line(), fault.summary.as_str())).collect();
        assert_eq!(
            told,
            [
                (2, "an accepted finding without a reason"),
                (3, "an accepted finding without a reason"),
                (4, "an accepted finding without its number"),
                (5, "an unknown rule"),
                (6, "an accepted finding that is not named"),
                (8, "a finding is accepted twice"),
            ]
        );
        assert_eq!(faults[3].fix.as_deref(), Some("did you mean `named-value`?"));
    }

    #[test]
    fn what_is_accepted_stays_so_while_lines_move_and_what_accepts_nothing_is_told() {
        let text = "DB_PASSWORD=hunter2\nDB_PASSWORD=hunter3\n";
        let findings = scan("my app/.env", text);
        assert_eq!(findings.len(), 2);
        assert_ne!(findings[0].id, findings[1].id);
        let line = |finding: &Finding| format!("{} {} {} -- of a test\n", finding.id, finding.rule.id, finding.place);
        let entries = read(&(line(&findings[0]) + "0123456789abcdef jwt gone.txt -- x\n")).unwrap();
        assert_eq!(
            (entries.len(), entries[0].file.as_str(), entries[0].reason.as_str()),
            (2, "my app/.env", "of a test")
        );
        let moved = scan("my app/.env", &format!("# moved\nA=1\n{text}"));
        let sorted = sort(moved.clone(), entries.clone(), |_| true);
        assert_eq!((sorted.open.len(), sorted.accepted.len(), sorted.unused.len()), (1, 1, 1));
        assert_eq!(sort(moved, entries, |file| file != "gone.txt").unused.len(), 0);
    }
}
