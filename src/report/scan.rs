//! Owns what a scan found, as people read it and as JSON: where and of which rule. No value reaches this file.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::escape::visible;
use super::words::{count, some_of, wrapped};
use super::{Paint, Tone};
use crate::model::HostName;
use crate::scan::{ACCEPTED_FILE, Finding, Gap, NotLooked, Sorted};

/// What is said of a host's file beside its findings.
#[derive(Clone, Debug)]
pub struct AboutFile {
    /// Whose file it is.
    pub host: HostName,
    /// Octal: `600`.
    pub mode: String,
    /// Its owner's name.
    pub owner: String,
}

impl AboutFile {
    // `644`, `1777`: what everybody may do is the last digit.
    fn is_open(&self) -> bool {
        self.mode.bytes().last().is_some_and(|digit| matches!(digit, b'4'..=b'7'))
    }
}

/// What came of one scan.
pub struct ScanView<'a> {
    /// The folder that paths are relative to, where it is not the working directory.
    pub root: Option<&'a str>,
    /// Findings and accepted ones.
    pub sorted: &'a Sorted,
    /// How many files were looked at.
    pub files: usize,
    /// What was not looked at.
    pub not_looked: &'a [NotLooked],
    /// Hosts that were not reached.
    pub unreachable: &'a [(HostName, String)],
    /// What is known of files of hosts.
    pub about: &'a BTreeMap<String, AboutFile>,
    /// Whether it was what is staged.
    pub staged: bool,
}

/// Three lines a finding, and what was not looked at.
pub fn scan(view: &ScanView<'_>, paint: &Paint) -> String {
    let mut text = String::new();
    if let Some(root) = view.root {
        text.push_str(&format!("In {}:\n", visible(root)));
    }
    for finding in &view.sorted.open {
        text.push_str(&one(finding, view.about.get(&finding.place), paint));
    }
    if !view.sorted.open.is_empty() {
        text.push('\n');
    }
    for (host, why) in view.unreachable {
        let told = format!("? {} was not reached: {}", visible(host.as_str()), visible(why));
        text.push_str(&wrapped(&told, 4, Some(Tone::Bad), paint));
    }
    text.push_str(&not_looked(view.not_looked, paint));
    text.push_str(&ending(view, paint));
    text
}

// The second line is what begins an entry in the file of accepted findings.
fn one(finding: &Finding, about: Option<&AboutFile>, paint: &Paint) -> String {
    let at = format!("{}:{}:{}", visible(&finding.place), finding.line, finding.column);
    let key = finding.key.as_deref().map_or_else(String::new, |key| format!("`{}`: ", visible(key)));
    let what = format!("{key}{}", finding.rule.finds);
    let is_narrow = paint.width < Paint::PLAIN.width && 3 + at.width() + what.width() > paint.width;
    let gap = if is_narrow { "\n    " } else { " " };
    let mut text = format!("{} {}{gap}", paint.tone(Tone::Bad, "!"), paint.tone(Tone::Bold, &at));
    text.push_str(&wrapped(&what, 4, None, &Paint { width: paint.width.saturating_sub(4), ..*paint }));
    let entry = format!("{} {} {}", finding.id, finding.rule.id, visible(&finding.place));
    text.push_str(&format!("    {}\n", paint.tone(Tone::Dim, &entry)));
    let mut below = |told: String| text.push_str(&wrapped(&format!("    {told}"), 4, Some(Tone::Dim), paint));
    below(format!("{}: {}", finding.length.name(), finding.rule.reason));
    if let Some(about) = about {
        let open = if about.is_open() { ", which everybody on the host may read" } else { "" };
        below(format!("the file is {} of {}{open}", visible(&about.mode), visible(&about.owner)));
    }
    text
}

// Faults each, since something may be hidden there; the rest by its reason.
fn not_looked(all: &[NotLooked], paint: &Paint) -> String {
    let mut text = String::new();
    for not in all.iter().filter(|not| not.is_fault()) {
        let told = format!("? {} was not looked at: {}", visible(&not.place), visible(&not.why));
        text.push_str(&wrapped(&told, 4, Some(Tone::Doubt), paint));
    }
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for not in all.iter().filter(|not| !not.is_fault()) {
        by_reason.entry(&not.why).or_default().push(visible(&not.place));
    }
    for (why, places) in by_reason {
        let told = format!("Not looked at ({}): {}", visible(why), some_of(&places, 4));
        text.push_str(&wrapped(&told, 4, Some(Tone::Dim), paint));
    }
    text
}

fn ending(view: &ScanView<'_>, paint: &Paint) -> String {
    let Sorted { open, accepted, .. } = view.sorted;
    let staged = if view.staged { "staged " } else { "" };
    let files = count(view.files, &format!("{staged}file"), &format!("{staged}files"));
    let of = |gap| view.not_looked.iter().filter(|not| not.gap == gap).count();
    let (faults, rests) = (of(Gap::Fault), of(Gap::Rest));
    let mut text = if !open.is_empty() {
        let found = count(open.len(), "secret", "secrets");
        format!("{} {found} in plaintext; {files} looked at.\n", paint.tone(Tone::Bad, "Found:"))
    } else if faults + rests + view.unreachable.len() > 0 {
        format!("Nothing was found in {files}, but that is not all.\n")
    } else if view.files == 0 {
        format!("No {staged}file was there to look at.\n")
    } else {
        format!("{} no secret in plaintext in {files}.\n", paint.tone(Tone::Good, "Clean:"))
    };
    let mut line = |told: &str| text.push_str(&wrapped(told, 0, None, paint));
    if !accepted.is_empty() {
        let many = count(accepted.len(), "finding is", "findings are");
        line(&format!("{many} accepted in {ACCEPTED_FILE}."));
    }
    if faults > 0 {
        let many = count(faults, "place was", "places were");
        line(&format!("{many} not looked at; nothing is known of what is there."));
    }
    if rests > 0 {
        let many = count(rests, "text is too large: its end was", "texts are too large: their ends were");
        line(&format!("{many} not looked at, and may hold anything."));
    }
    if !open.is_empty() {
        line("A secret that was ever committed or readable must be changed, not only taken out: history keeps it.");
        line(&format!("One that may stay gets a line in {ACCEPTED_FILE}: ID RULE PLACE -- REASON"));
        if view.staged {
            line(&format!("{ACCEPTED_FILE} is read as it is staged: git add it, too."));
        }
    }
    text
}

/// All of it as JSON; docs/secrets.md has its shape.
pub fn scan_json(view: &ScanView<'_>) -> Value {
    let findings: Vec<Value> = view.sorted.open.iter().map(|finding| finding_json(finding, view)).collect();
    let accepted: Vec<Value> = view
        .sorted
        .accepted
        .iter()
        .map(|(finding, entry)| {
            let mut told = finding_json(finding, view);
            told["accepted_because"] = json!(entry.reason);
            told
        })
        .collect();
    let unused: Vec<Value> = view
        .sorted
        .unused
        .iter()
        .map(|entry| {
            json!({
                "id": entry.id,
                "rule": entry.rule,
                "place": entry.file,
                "reason": entry.reason,
                "line": entry.place.line(),
            })
        })
        .collect();
    let not_looked: Vec<Value> = view
        .not_looked
        .iter()
        .map(|not| json!({ "place": not.place, "why": not.why, "fault": not.is_fault() }))
        .collect();
    let unreachable: Vec<Value> =
        view.unreachable.iter().map(|(host, why)| json!({ "host": host, "why": why })).collect();
    let totals = json!({
        "files": view.files,
        "findings": findings.len(),
        "accepted": accepted.len(),
        "unused": unused.len(),
        "not_looked_at": not_looked.len(),
        "unreachable": unreachable.len(),
    });
    json!({
        "format_version": "1.0",
        "kind": "secrets_scan",
        "findings": findings,
        "accepted": accepted,
        "unused": unused,
        "not_looked_at": not_looked,
        "unreachable": unreachable,
        "totals": totals,
    })
}

fn finding_json(finding: &Finding, view: &ScanView<'_>) -> Value {
    let mut told = json!({
        "id": finding.id,
        "rule": finding.rule.id,
        "finds": finding.rule.finds,
        "place": finding.place,
        "line": finding.line,
        "column": finding.column,
        "key": finding.key,
        "length": finding.length.name(),
    });
    if let Some(about) = view.about.get(&finding.place) {
        told["host"] = json!(about.host);
        told["mode"] = json!(about.mode);
        told["owner"] = json!(about.owner);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json_text;

    #[test]
    fn a_scan_says_where_and_never_what() {
        let mut open = crate::scan::scan("app/.env", "A=1\nDB_PASSWORD=hunter2\n");
        open.extend(crate::scan::scan("web1:/etc/app.env", "SESSION_SECRET=kvJ93hd_1mQ\n"));
        let sorted = Sorted { open, ..Sorted::default() };
        let about = AboutFile { host: HostName::new("web1"), mode: "644".into(), owner: "root".into() };
        let not_looked = [
            NotLooked::harmless("logo.png", "not a text"),
            NotLooked::fault("web1:/home/x\u{1b}", "permission denied"),
        ];
        let unreachable = [(HostName::new("db1"), "no route to host".to_owned())];
        let view = ScanView {
            root: Some("/srv/fleet"),
            sorted: &sorted,
            files: 2,
            not_looked: &not_looked,
            unreachable: &unreachable,
            about: &BTreeMap::from([("web1:/etc/app.env".to_owned(), about)]),
            staged: false,
        };
        let text = scan(&view, &Paint::PLAIN);
        for line in [
            "In /srv/fleet:",
            "! app/.env:2:13 `DB_PASSWORD`: a value under the name of a secret",
            "! web1:/etc/app.env:1:16 `SESSION_SECRET`: a value under the name of a secret",
            "    the file is 644 of root, which everybody on the host may read",
            "? db1 was not reached: no route to host",
            "? web1:/home/x\\u{1b} was not looked at: permission denied",
            "Not looked at (not a text): logo.png",
            "Found: 2 secrets in plaintext; 2 files looked at.",
            "1 place was not looked at; nothing is known of what is there.",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("kvJ93hd"), "{text}");
        for finding in &sorted.open {
            let entry = format!("    {} {} {}\n", finding.id, finding.rule.id, finding.place);
            assert!(text.contains(&entry), "{entry}{text}");
        }
        let narrow = scan(&view, &Paint { width: 60, ..Paint::PLAIN });
        for line in narrow.lines() {
            assert!(line.width() <= 60, "{line}\n{narrow}");
        }
        for line in ["! web1:/etc/app.env:1:16", "    `SESSION_SECRET`: a value under the name of a secret"] {
            assert!(narrow.lines().any(|known| known == line), "{line}\n{narrow}");
        }
        let printed = json_text(&scan_json(&view), true);
        assert!(
            !printed.contains("hunter2") && !printed.contains("kvJ93hd") && printed.contains("\"mode\""),
            "{printed}"
        );
        let clean = ScanView {
            root: None,
            sorted: &Sorted::default(),
            not_looked: &[],
            unreachable: &[],
            about: &BTreeMap::new(),
            staged: true,
            ..view
        };
        assert_eq!(scan(&clean, &Paint::PLAIN), "Clean: no secret in plaintext in 2 staged files.\n");
        let none = ScanView { files: 0, ..clean };
        assert_eq!(scan(&none, &Paint::PLAIN), "No staged file was there to look at.\n");
        let rest = [NotLooked { place: "dump.sql".into(), why: "too large".into(), gap: Gap::Rest }];
        let large = ScanView { not_looked: &rest, files: 1, ..none };
        let text = scan(&large, &Paint::PLAIN);
        assert!(!text.contains("Clean") && text.contains("1 text is too large: its end was not looked at"), "{text}");
    }
}
