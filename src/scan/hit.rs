//! Owns what the readers of one text have found so far: stretches that do not overlap, so that a value is told once.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rules::Rule;

/// A stretch of the text that is a secret.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub rule: &'static Rule,
    pub end: usize,
    /// Where its name stands, if it has one.
    pub key: Option<Range<usize>>,
}

/// All of a text, by where they begin.
#[derive(Debug, Default)]
pub(super) struct Hits(BTreeMap<usize, Hit>);

impl Hits {
    /// Adds one. Where something is known already it stays, and learns its name.
    pub fn add(&mut self, rule: &'static Rule, at: Range<usize>, key: Option<Range<usize>>) {
        if at.is_empty() {
            return;
        }
        match self.0.range_mut(..at.end).next_back() {
            Some((_, known)) if known.end > at.start => {
                if known.key.is_none() {
                    known.key = key;
                }
            }
            _ => {
                self.0.insert(at.start, Hit { rule, end: at.end, key });
            }
        }
    }

    /// In the order of the text.
    pub fn into_sorted(self) -> impl Iterator<Item = (usize, Hit)> {
        self.0.into_iter()
    }
}
