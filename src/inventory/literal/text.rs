//! Owns the texts of a Python literal: prefixes, quotes, escapes, and texts that stand beside one another.

use super::Python;
use super::parser::Parser;

impl Parser {
    // One text, or several beside each other, which Python joins.
    pub(super) fn texts(&mut self) -> Option<Python> {
        let mut all = self.one_text()?;
        loop {
            self.blanks();
            let here = self.at;
            while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) && self.at - here < 3 {
                self.at += 1;
            }
            let more = matches!(self.peek(), Some('"' | '\''));
            self.at = here;
            if !more {
                return Some(all);
            }
            match (&mut all, self.one_text()?) {
                (Python::Text(text), Python::Text(more)) => text.push_str(&more),
                (Python::Bytes(bytes), Python::Bytes(more)) => bytes.extend(more),
                _ => return None,
            }
        }
    }

    pub(super) fn one_text(&mut self) -> Option<Python> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let prefix: String = self.chars[start..self.at].iter().collect::<String>().to_lowercase();
        let (raw, bytes) = match prefix.as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return None,
        };
        let quote = self.next().filter(|c| matches!(c, '"' | '\''))?;
        let triple = self.chars[self.at..].starts_with(&[quote, quote]);
        if triple {
            self.at += 2;
        }
        let mut text: Vec<char> = Vec::new();
        loop {
            match self.next()? {
                c if c == quote && !triple => break,
                c if c == quote && self.chars[self.at..].starts_with(&[quote, quote]) => {
                    self.at += 2;
                    break;
                }
                '\\' if raw => {
                    text.push('\\');
                    text.push(self.next()?);
                }
                '\\' => self.escape(bytes, &mut text)?,
                c => text.push(c),
            }
        }
        if bytes {
            // What is beyond one byte cannot stand in Python's bytes.
            return text.into_iter().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<_>>().map(Python::Bytes);
        }
        Some(Python::Text(text.into_iter().collect()))
    }

    pub(super) fn escape(&mut self, bytes: bool, text: &mut Vec<char>) -> Option<()> {
        let mark = self.next()?;
        let c = match mark {
            '\\' | '\'' | '"' => mark,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => char::from_u32(self.hex(2)?)?,
            'u' if !bytes => self.character(4)?,
            'U' if !bytes => self.character(8)?,
            'N' if !bytes => {
                self.refused = Some(("a character by its name", "write the character itself"));
                return None;
            }
            '0'..='7' => {
                let mut code = mark.to_digit(8)?;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(if bytes { code & 0xFF } else { code })?
            }
            other => {
                text.push('\\');
                other
            }
        };
        text.push(c);
        Some(())
    }

    pub(super) fn hex(&mut self, count: usize) -> Option<u32> {
        let digits = self.chars.get(self.at..self.at + count)?;
        let code = digits.iter().try_fold(0u32, |code, c| code.checked_mul(16)?.checked_add(c.to_digit(16)?))?;
        self.at += count;
        Some(code)
    }

    pub(super) fn character(&mut self, count: usize) -> Option<char> {
        let code = self.hex(count)?;
        if (0xD800..0xE000).contains(&code) {
            self.refused = Some(("half of a character", "write the character itself"));
        }
        char::from_u32(code)
    }
}
