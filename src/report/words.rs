//! Owns small wordings that several views share: counts, durations, times, lists of names.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::escape::visible;
use super::{Paint, Tone};
use crate::model::HostName;

pub use crate::model::count;

/// Where the place of a declaration begins, if there is room for it.
const PLACE: usize = 64;

/// A duration as people read it: `0.3 s`, `42 s`, `3 min 05 s`.
pub fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// What is said last of hosts that gave no answer, so that nobody takes silence for a good sign; nothing where all gave one.
pub fn nothing_known(hosts: &[&HostName], resources: usize) -> Option<String> {
    let names: Vec<String> = hosts.iter().map(|host| visible(host.as_str())).collect();
    let several = names.len() > 1;
    let not_reached = match names.len() {
        0 => return None,
        1 => "it was not reached".to_owned(),
        many => format!("these {many} hosts were not reached"),
    };
    let (its, are) = (if several { "their" } else { "its" }, if resources == 1 { "is" } else { "are" });
    let unknown = match resources {
        0 => String::new(),
        _ => format!(", and {its} {} {are} unknown", count(resources, "resource", "resources")),
    };
    Some(format!("Nothing is known about {}: {not_reached}{unknown}.", some_of(&names, 8)))
}

/// A line with the place of its declaration at the end; below it, `indent` deep, where a terminal is too narrow for both.
/// `width` is that of the line without colour.
pub fn with_place(line: &str, width: usize, place: &str, indent: usize, paint: &Paint) -> String {
    let gap = PLACE.saturating_sub(width).max(2);
    let told = paint.tone(Tone::Dim, place);
    // A pipe gets the same bytes wherever it is, and wraps nothing.
    if paint.width >= Paint::PLAIN.width || width + gap + place.width() <= paint.width {
        return format!("{line}{}{told}", " ".repeat(gap));
    }
    if width + 2 + place.width() <= paint.width {
        return format!("{line}  {told}");
    }
    format!("{line}\n{}{told}", " ".repeat(indent))
}

/// The words of a text in lines of at most so many columns; a longer word has one for itself.
pub fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Words on lines of a terminal's width, the later ones `indent` deep, each in the tone; a pipe gets one line. What is longer
/// than a line, such as a path, is not broken: somebody may copy it.
pub fn wrapped(text: &str, indent: usize, tone: Option<Tone>, paint: &Paint) -> String {
    let begin = text.len() - text.trim_start().len();
    let whole = paint.width >= Paint::PLAIN.width;
    let width = if whole { usize::MAX } else { paint.width.saturating_sub(indent.max(begin)) };
    let mut told = String::new();
    for (at, line) in folded(text, width).iter().enumerate() {
        let deep = if at == 0 { begin } else { indent };
        let line = tone.map_or_else(|| line.clone(), |tone| paint.tone(tone, line));
        told.push_str(&format!("{:deep$}{line}\n", ""));
    }
    told
}

/// The first names and how many more there are.
pub fn some_of(names: &[String], limit: usize) -> String {
    if names.len() <= limit + 1 {
        return names.join(", ");
    }
    format!("{} and {} more", names[..limit].join(", "), names.len() - limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_read_well() {
        let read = |millis| took(Duration::from_millis(millis));
        assert_eq!([read(40), read(9_940), read(61_000)], ["0.0 s", "9.9 s", "61 s"]);
        assert_eq!([read(125_000), read(7_260_000)], ["2 min 05 s", "2 h 01 min"]);
        assert_eq!([count(1, "host", "hosts"), count(0, "host", "hosts")], ["1 host", "0 hosts"]);
        let hosts = ["a\x1b", "b"].map(HostName::new);
        assert_eq!(nothing_known(&[], 0), None);
        assert_eq!(
            [nothing_known(&[&hosts[0]], 1), nothing_known(&[&hosts[0], &hosts[1]], 4)].map(Option::unwrap),
            [
                "Nothing is known about a\\u{1b}: it was not reached, and its 1 resource is unknown.",
                "Nothing is known about a\\u{1b}, b: these 2 hosts were not reached, and their 4 resources are unknown.",
            ]
        );
        let narrow = Paint { width: 40, ..Paint::PLAIN };
        let place = |paint: &Paint, line: &str| with_place(line, line.width(), "play.yaml:9", 4, paint);
        assert_eq!(place(&Paint::PLAIN, "x"), format!("x{}play.yaml:9", " ".repeat(63)));
        assert_eq!(place(&narrow, "x"), "x  play.yaml:9");
        assert_eq!(place(&narrow, &"x".repeat(30)), format!("{}\n    play.yaml:9", "x".repeat(30)));
        let fold = |paint: &Paint| wrapped("    one two three four five six seven eight nine", 6, None, paint);
        assert_eq!(fold(&Paint::PLAIN), "    one two three four five six seven eight nine\n");
        assert_eq!(fold(&narrow), "    one two three four five six seven\n      eight nine\n");
        let long = "x".repeat(50);
        assert_eq!(wrapped(&format!("a {long} b"), 2, None, &narrow), format!("a\n  {long}\n  b\n"));
        let names: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        assert_eq!([some_of(&names, 3), some_of(&names, 2)], ["a, b, c, d", "a, b and 2 more"]);
    }
}
