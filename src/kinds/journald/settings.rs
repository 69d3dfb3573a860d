//! Owns journald's settings: which there are, what each takes, and how its files are read as one.

use crate::resource::{size_bytes, span_us};

/// What a setting takes: journald passes over what it does not understand, and says so in the journal alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Bool,
    Size,
    Span,
    Count,
    Word(&'static [&'static str]),
    Text,
}

const LEVELS: Takes = Takes::Word(&[
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "0", "1", "2", "3", "4", "5", "6", "7",
]);

const SETTINGS: &[(&str, Takes)] = &[
    ("Audit", Takes::Bool),
    ("Compress", Takes::Text),
    ("ForwardToConsole", Takes::Bool),
    ("ForwardToKMsg", Takes::Bool),
    ("ForwardToSyslog", Takes::Bool),
    ("ForwardToWall", Takes::Bool),
    ("LineMax", Takes::Size),
    ("MaxFileSec", Takes::Span),
    ("MaxLevelConsole", LEVELS),
    ("MaxLevelKMsg", LEVELS),
    ("MaxLevelStore", LEVELS),
    ("MaxLevelSyslog", LEVELS),
    ("MaxLevelWall", LEVELS),
    ("MaxRetentionSec", Takes::Span),
    ("RateLimitBurst", Takes::Count),
    ("RateLimitIntervalSec", Takes::Span),
    ("ReadKMsg", Takes::Bool),
    ("RuntimeKeepFree", Takes::Size),
    ("RuntimeMaxFileSize", Takes::Size),
    ("RuntimeMaxFiles", Takes::Count),
    ("RuntimeMaxUse", Takes::Size),
    ("Seal", Takes::Bool),
    ("SplitMode", Takes::Word(&["uid", "none"])),
    ("Storage", Takes::Word(&["volatile", "persistent", "auto", "none"])),
    ("SyncIntervalSec", Takes::Span),
    ("SystemKeepFree", Takes::Size),
    ("SystemMaxFileSize", Takes::Size),
    ("SystemMaxFiles", Takes::Count),
    ("SystemMaxUse", Takes::Size),
    ("TTYPath", Takes::Text),
];

impl Takes {
    /// One form for each meaning; `None` = journald would not take it.
    pub(super) fn normal(self, value: &str) -> Option<String> {
        match self {
            Takes::Bool => truth(value).map(|truth| truth.to_string()),
            Takes::Size => size_bytes(value).map(|bytes| format!("{bytes} bytes")),
            Takes::Span => span_us(value).map(|span| format!("{span} us")),
            Takes::Count => value.parse::<u64>().ok().map(|count| count.to_string()),
            Takes::Word(words) => words.contains(&value).then(|| value.to_owned()),
            Takes::Text => (!value.is_empty()).then(|| value.to_owned()),
        }
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// What a setting takes; `None` = there is no such setting.
pub(super) fn takes(name: &str) -> Option<Takes> {
    SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, takes)| *takes)
}

/// A line of one of the files.
pub(super) struct Line<'a> {
    pub path: &'a str,
    pub name: &'a str,
    pub value: &'a str,
}

/// The files in the order in which they are read, and the lines of their section.
pub(super) fn lines(said: &str) -> (Vec<&str>, Vec<Line<'_>>) {
    let (mut paths, mut all, mut inside) = (Vec::new(), Vec::new(), false);
    for line in said.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("# /").filter(|path| path.ends_with(".conf") && !path.contains(' ')) {
            // It may be a comment of somebody, so the section goes on: a line too many is drift, one too few would be none.
            paths.push(&line[line.len() - path.len() - 1..]);
        } else if line.starts_with('[') {
            inside = line == "[Journal]";
        } else if let (Some((name, value)), true, Some(path)) = (line.split_once('='), inside, paths.last())
            && !line.starts_with(['#', ';'])
        {
            all.push(Line { path, name: name.trim(), value: value.trim() });
        }
    }
    (paths, all)
}
