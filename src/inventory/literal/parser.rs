//! Owns the brackets and words of a Python literal, and the reader that goes through its characters.
//!
//! Must not know what a literal is as a value of ours.

use super::{MAX_DEPTH, Python, Refusal};

// `None` everywhere means: this is no literal.
pub(super) struct Parser {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
    pub(super) refused: Option<Refusal>,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn takes(&mut self, c: char) -> bool {
        let takes = self.peek() == Some(c);
        self.at += usize::from(takes);
        takes
    }

    pub(super) fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\u{c}')) {
            self.at += 1;
        }
    }

    // Blanks, and the comment that Python allows behind a value.
    pub(super) fn ends(&mut self) -> bool {
        self.blanks();
        matches!(self.peek(), None | Some('#'))
    }

    pub(super) fn whole(&mut self) -> Option<Python> {
        self.blanks();
        let first = self.item(0)?;
        if self.ends() {
            return Some(first);
        }
        let mut items = vec![first];
        while self.takes(',') {
            if self.ends() {
                return Some(Python::Tuple(items));
            }
            items.push(self.item(0)?);
            if self.ends() {
                return Some(Python::Tuple(items));
            }
        }
        None
    }

    pub(super) fn item(&mut self, depth: usize) -> Option<Python> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blanks();
        match self.peek()? {
            '-' | '+' => {
                let negative = self.next() == Some('-');
                match (self.item_after_sign(depth)?, negative) {
                    (number @ (Python::Int(_) | Python::Float(_)), false) => Some(number),
                    (Python::Int(number), true) => Some(Python::Int(number.checked_neg()?)),
                    (Python::Float(number), true) => Some(Python::Float(-number)),
                    _ => None,
                }
            }
            '[' => self.inside(']', depth).map(Python::List),
            '(' => {
                let (items, comma) = self.listed(')', depth)?;
                match <[Python; 1]>::try_from(items) {
                    Ok([item]) if !comma => Some(item),
                    Ok([item]) => Some(Python::Tuple(vec![item])),
                    Err(items) => Some(Python::Tuple(items)),
                }
            }
            '{' => self.braces(depth),
            '0'..='9' | '.' => self.number(),
            '"' | '\'' => self.texts(),
            c if c.is_alphabetic() || c == '_' => self.word(),
            _ => None,
        }
    }

    // One sign, not two; brackets may stand between.
    pub(super) fn item_after_sign(&mut self, depth: usize) -> Option<Python> {
        self.blanks();
        match self.peek()? {
            '0'..='9' | '.' => self.item(depth + 1),
            '(' if depth < MAX_DEPTH => {
                self.next();
                let number = self.item_after_sign(depth + 1)?;
                self.blanks();
                self.takes(')').then_some(number)
            }
            _ => None,
        }
    }

    pub(super) fn inside(&mut self, close: char, depth: usize) -> Option<Vec<Python>> {
        self.listed(close, depth).map(|(items, _)| items)
    }

    // What stands between brackets, and whether a comma stood in it.
    pub(super) fn listed(&mut self, close: char, depth: usize) -> Option<(Vec<Python>, bool)> {
        self.next();
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.blanks();
            if self.takes(close) {
                return Some((items, comma));
            }
            items.push(self.item(depth + 1)?);
            self.blanks();
            if self.takes(close) {
                return Some((items, comma));
            }
            if !self.takes(',') {
                return None;
            }
            comma = true;
        }
    }

    pub(super) fn braces(&mut self, depth: usize) -> Option<Python> {
        self.next();
        self.blanks();
        if self.takes('}') {
            return Some(Python::Dict(Vec::new()));
        }
        let first = self.item(depth + 1)?;
        self.blanks();
        if self.peek() != Some(':') {
            // The first is read once: read again, braces in braces would take twice as long with each level.
            let mut items = vec![first];
            if self.takes('}') {
                return Some(Python::Set(items));
            }
            if self.peek() != Some(',') {
                return None;
            }
            items.extend(self.inside('}', depth)?);
            return Some(Python::Set(items));
        }
        let mut pairs = Vec::new();
        let mut key = first;
        loop {
            self.blanks();
            if !self.takes(':') {
                return None;
            }
            let value = self.item(depth + 1)?;
            pairs.push((key, value));
            self.blanks();
            let more = self.takes(',');
            self.blanks();
            if self.takes('}') {
                return Some(Python::Dict(pairs));
            }
            if !more {
                return None;
            }
            key = self.item(depth + 1)?;
        }
    }

    pub(super) fn word(&mut self) -> Option<Python> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        match word.as_str() {
            "None" => Some(Python::None),
            "True" => Some(Python::Bool(true)),
            "False" => Some(Python::Bool(false)),
            "set" => {
                self.blanks();
                let open = self.takes('(');
                self.blanks();
                if open && self.takes(')') { Some(Python::Set(Vec::new())) } else { None }
            }
            _ if matches!(self.peek(), Some('"' | '\'')) => {
                self.at = start;
                self.texts()
            }
            _ => None,
        }
    }
}
