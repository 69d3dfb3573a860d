//! What apt itself says and how it writes: names of lists, words of a file, and whether it can read all of them.

use crate::resource::{Answer, Fault, ProbeError};

pub(super) const SECTION: &str = "apt-get indextargets";

// As apt names the lists of an address.
pub(super) fn list_name(uri: &str) -> String {
    let rest = uri.split_once("://").map(|(_, rest)| rest).or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
    rest.chars()
        .map(|c| match c {
            '/' => "_".to_owned(),
            '_' | '~' | '=' | '!' | '@' | '%' | '&' | '*' | '$' | '#' => format!("%{:02x}", c as u32),
            other => other.to_string(),
        })
        .collect()
}

// Whether apt can read all that is declared on the host.
pub(super) fn effective(answer: &Answer) -> Result<(), ProbeError> {
    let section = answer.section(SECTION)?;
    if section.status != 0 {
        let why = format!("apt cannot read its sources (status {}): {}", section.status, section.complaint());
        return Err(ProbeError(why));
    }
    let text = section.text()?;
    match text.lines().find(|line| !line.starts_with("=/")) {
        Some(line) => Err(ProbeError(format!("apt's answer was not understood: `{}`", line.escape_debug()))),
        // apt says nothing of a repository without packages; the end is written by the question itself.
        None if text.lines().last() != Some("=/") => Err(ProbeError("apt's answer is cut short".into())),
        None => Ok(()),
    }
}

pub(super) fn words(field: &'static str, all: &[String], more: &str) -> Result<(), Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    match all.iter().find(|word| word.is_empty() || !word.chars().all(fine) || word.starts_with('-')) {
        Some(word) => Err(Fault::new(field, format!("`{}` cannot stand in a file of apt", word.escape_debug()))
            .fix(format!("use letters, digits and {more}"))),
        None => Ok(()),
    }
}
