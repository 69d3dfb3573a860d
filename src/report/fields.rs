//! Owns how the fields of a difference are written: values, lists, and text line by line.

use std::collections::HashSet;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::escape::{cut, padded, quoted, visible, visible_line};
use super::{Paint, Tone};
use crate::plan::{DiffLine, FieldDelta, Shown};

/// Longer lines of a diff are cut here.
const LINE: usize = 400;
/// A value wider than this goes on lines of its own.
const WIDE: usize = 64;
// The tones of minus and plus: what is there is bad and what is wanted is good, whichever has which sign.
const CHANGED: [Tone; 2] = [Tone::Bad, Tone::Good];
const DRIFTED: [Tone; 2] = [Tone::Good, Tone::Bad];

/// A value in words.
pub fn value(shown: &Shown) -> String {
    match shown {
        Shown::Nothing => "(none)".to_owned(),
        Shown::Value(value) => json_value(value),
        Shown::LongText => "(text)".to_owned(),
        Shown::Hidden(instead) => visible(instead),
    }
}

fn json_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(json_value).collect::<Vec<_>>().join(", ")),
        other => visible(&other.to_string()),
    }
}

/// The fields of something new: `name: "value"`.
pub fn new_fields(fields: &[FieldDelta], paint: &Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for delta in fields {
        if delta.diff.is_empty() {
            lines.push(format!("{}{}", name(delta, fields), value(&delta.to)));
        } else {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.extend(diff_lines(&delta.diff, paint));
        }
    }
    lines
}

/// The fields of something that changes: `name: "old" -> "new"`.
pub fn changed_fields(fields: &[FieldDelta], paint: &Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for delta in fields {
        let (from, to) = (value(&delta.from), value(&delta.to));
        if !delta.diff.is_empty() {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.extend(diff_lines(&delta.diff, paint));
        } else if let Some(items) = item_lines(&delta.from, &delta.to, paint, CHANGED) {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.extend(items);
        } else if from.width() + to.width() > WIDE * 2 {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.push(format!("  {from}"));
            lines.push(format!("  -> {to}"));
        } else {
            let (from, to) = (paint.tone(Tone::Bad, &from), paint.tone(Tone::Good, &to));
            lines.push(format!("{}{from} -> {to}", name(delta, fields)));
        }
    }
    lines
}

/// The fields of something that is not as declared: `name  wanted "x"` over `found "y"`.
///
/// Text is a diff with `--- wanted` and `+++ found`: minus is what is declared and not there, plus is what is there and
/// not declared. That is the other way round than in a plan, where plus is what will be written.
pub fn drifted_fields(fields: &[FieldDelta], paint: &Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for delta in fields {
        if !delta.diff.is_empty() {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.extend(sides(paint));
            let turned = turned(&delta.diff);
            lines.extend(signed_lines(&turned, paint, DRIFTED));
            continue;
        }
        if let Some(items) = item_lines(&delta.to, &delta.from, paint, DRIFTED) {
            lines.push(format!("{}:", visible(&delta.field)));
            lines.extend(sides(paint));
            lines.extend(items);
            continue;
        }
        let name = name(delta, fields);
        lines.push(format!("{name}wanted {}", paint.tone(Tone::Good, &value(&delta.to))));
        lines.push(format!("{}found  {}", " ".repeat(name.width()), paint.tone(Tone::Bad, &value(&delta.from))));
    }
    lines
}

fn sides(paint: &Paint) -> [String; 2] {
    let [minus, plus] = DRIFTED;
    [format!("  {}", paint.tone(minus, "--- wanted")), format!("  {}", paint.tone(plus, "+++ found"))]
}

/// A diff the other way round: what was new is old. Within a block of changes, minus still comes before plus.
pub fn turned(diff: &[DiffLine]) -> Vec<DiffLine> {
    let is_change = |line: &DiffLine| matches!(line.sign, '+' | '-');
    let mut turned = Vec::new();
    for block in diff.chunk_by(|a, b| is_change(a) && is_change(b)) {
        let with = |from: char, to: char| {
            block.iter().filter(move |line| line.sign == from).map(move |line| DiffLine { sign: to, ..line.clone() })
        };
        turned.extend(with('+', '-'));
        turned.extend(with('-', '+'));
        turned.extend(block.iter().filter(|line| !is_change(line)).cloned());
    }
    turned
}

fn name(delta: &FieldDelta, fields: &[FieldDelta]) -> String {
    let short = |delta: &&FieldDelta| delta.diff.is_empty();
    let width = fields.iter().filter(short).map(|delta| visible(&delta.field).width()).max().unwrap_or(0);
    padded(&format!("{}:", visible(&delta.field)), width + 2)
}

// Two long lists are told by what comes and goes.
fn item_lines(from: &Shown, to: &Shown, paint: &Paint, [minus, plus]: [Tone; 2]) -> Option<Vec<String>> {
    let (Shown::Value(Value::Array(from)), Shown::Value(Value::Array(to))) = (from, to) else { return None };
    let (old, new): (HashSet<String>, HashSet<String>) =
        (from.iter().map(json_value).collect(), to.iter().map(json_value).collect());
    let is_wide = from.iter().chain(to).map(|item| json_value(item).width() + 2).sum::<usize>() > WIDE;
    // Lists that differ in order or repetition alone are shown as they are.
    if !is_wide || old == new {
        return None;
    }
    let gone = from.iter().map(json_value).filter(|item| !new.contains(item));
    let come = to.iter().map(json_value).filter(|item| !old.contains(item));
    let kept = from.len() - from.iter().filter(|item| !new.contains(&json_value(item))).count();
    let mut lines: Vec<String> = gone.map(|item| paint.tone(minus, &format!("  - {item}"))).collect();
    lines.extend(come.map(|item| paint.tone(plus, &format!("  + {item}"))));
    if kept > 0 {
        lines.push(paint.tone(Tone::Dim, &format!("    ({kept} more stay)")));
    }
    Some(lines)
}

fn diff_lines(diff: &[DiffLine], paint: &Paint) -> Vec<String> {
    signed_lines(diff, paint, CHANGED)
}

fn signed_lines(diff: &[DiffLine], paint: &Paint, [minus, plus]: [Tone; 2]) -> Vec<String> {
    let of = |sign: char| -> HashSet<String> {
        diff.iter()
            .filter(|line| line.sign == sign)
            .map(|line| visible_line(&line.text).trim_end().to_owned())
            .collect()
    };
    let (gone, come) = (of('-'), of('+'));
    diff.iter()
        .map(|line| {
            let mut text = visible_line(&line.text);
            let bare = text.trim_end();
            // Where two lines differ in white space alone, it is made visible.
            if line.sign != ' ' && gone.contains(bare) && come.contains(bare) {
                let end = line.text.trim_end_matches(' ');
                text = visible(end) + &"·".repeat(line.text.len() - end.len());
            }
            let text = cut(&text, LINE);
            match line.sign {
                '-' => paint.tone(minus, &format!("  - {text}")),
                '+' => paint.tone(plus, &format!("  + {text}")),
                '@' => paint.tone(Tone::Dim, "  @@"),
                _ => format!("    {text}").trim_end().to_owned(),
            }
        })
        .collect()
}
