//! Owns the numbers of a Python literal: bases, underscores, fractions, exponents, imaginary ones.

use super::Python;
use super::parser::Parser;

impl Parser {
    // Digits with single underscores between them.
    pub(super) fn digits(&mut self, radix: u32) -> Option<String> {
        let mut digits = String::new();
        loop {
            match self.peek() {
                Some(c) if c.is_digit(radix) => digits.push(c),
                Some('_') if !digits.is_empty() && self.chars.get(self.at + 1).is_some_and(|c| c.is_digit(radix)) => {}
                _ => break,
            }
            self.at += 1;
        }
        if digits.is_empty() { None } else { Some(digits) }
    }

    pub(super) fn number(&mut self) -> Option<Python> {
        if self.chars[self.at..].starts_with(&['.', '.', '.']) {
            self.at += 3;
            return Some(Python::Odd("...".into()));
        }
        let prefix = (self.peek(), self.chars.get(self.at + 1).map(char::to_ascii_lowercase));
        if let (Some('0'), Some(kind @ ('x' | 'o' | 'b'))) = prefix {
            self.at += 2;
            self.takes('_');
            let radix = match kind {
                'x' => 16,
                'o' => 8,
                _ => 2,
            };
            let digits = self.digits(radix)?;
            return self.ended(i64::from_str_radix(&digits, radix).ok().map(Python::Int));
        }
        let whole = self.digits(10).unwrap_or_default();
        let point = self.takes('.');
        let part = if point { self.digits(10).unwrap_or_default() } else { String::new() };
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let mut exponent = String::new();
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            exponent.push('e');
            if let Some(sign @ ('+' | '-')) = self.peek() {
                exponent.push(sign);
                self.at += 1;
            }
            exponent.push_str(&self.digits(10)?);
        }
        let float = || format!("0{whole}.{part}0{exponent}").parse::<f64>().ok();
        if matches!(self.peek(), Some('j' | 'J')) {
            self.at += 1;
            let number = float()?;
            return self.ended(Some(Python::Odd(format!("{number}j"))));
        }
        if point || !exponent.is_empty() {
            let number = float()?;
            return self.ended(Some(Python::Float(number)));
        }
        if whole.starts_with('0') && whole.bytes().any(|digit| digit != b'0') {
            return None; // Python refuses a leading zero, so it is text
        }
        if whole.len() > 4300 {
            return None; // so does it with more digits than this
        }
        self.ended(whole.parse().ok().map(Python::Int))
    }

    // A number does not run into a word. `None` inside is a number that no variable can hold.
    pub(super) fn ended(&mut self, number: Option<Python>) -> Option<Python> {
        if self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        if number.is_none() {
            self.refused = Some(("a whole number of more than 64 bits", "put quotes around it twice: \"'123'\""));
        }
        number
    }
}
