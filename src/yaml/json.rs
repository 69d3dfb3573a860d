//! Owns JSON -> the same tree, with a place for every value.
//!
//! Must not know what the values mean. YAML's parser is no JSON parser: it reads numbers otherwise (`1e5`), and knows
//! no surrogate pairs, which Python's and other writers of JSON use for every character beyond the first 65,536.

use std::collections::HashMap;
use std::sync::Arc;

use super::parse::MAX_DEPTH;
use super::scalar::too_wide;
use super::{Entry, Node, Value};
use crate::model::{Diagnostic, Place, Source};

/// Values that a text may hold. It has no aliases, so each is written out; an inventory program prints many.
const MAX_VALUES: usize = 4_000_000;

/// Parses one JSON value and nothing after it.
///
/// # Errors
/// The first fault, with its place: bad syntax, a duplicate key, too deep, too many values, a number of over 64 bits.
pub fn parse_json(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let mut reader = Reader { source, at: 0, values: 0 };
    reader.blanks();
    let node = reader.value(0)?;
    reader.blanks();
    if reader.at < source.text.len() {
        return Err(
            reader.fail("something follows the value", "remove what follows, or what closes the value too early")
        );
    }
    Ok(node)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.source.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn place(&self, start: usize) -> Place {
        Place::new(self.source, start, self.at)
    }

    fn fail(&self, label: impl Into<String>, fix: impl Into<String>) -> Diagnostic {
        let width = self.rest().chars().next().map_or(0, char::len_utf8);
        // At the end, behind what stands last: the line after it is empty.
        let at = if width == 0 { self.source.text.trim_end().len() } else { self.at };
        let place = Place::new(self.source, at, at + width);
        Diagnostic::error("this is not valid JSON").at(&place, label).fix(fix)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        let start = self.at;
        self.values += 1;
        if depth > MAX_DEPTH {
            let told = Diagnostic::error("the file is nested too deeply");
            return Err(told.at(&self.place(start), format!("over {MAX_DEPTH} levels")));
        }
        if self.values > MAX_VALUES {
            let told =
                Diagnostic::error("the file holds too many values").at(&self.place(start), "here the limit is passed");
            return Err(told.because(format!("over {MAX_VALUES}")).fix("split the file"));
        }
        let value = match self.peek() {
            Some(b'{') => Value::Map(self.map(depth)?),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"') => Value::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node::new(self.place(start), value))
    }

    // Python's reader knows three words more than JSON has.
    fn word(&mut self) -> Result<Value, Diagnostic> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
        ];
        for (word, value) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(match self.peek() {
            None => self.fail("the text ends too early", "look for what was opened and not closed, or cut off"),
            Some(b'}' | b']') => self.fail("a value is missing", "remove the comma before it, or write the value"),
            Some(b'\'') => self.fail("single quotes are not known", "write \"...\""),
            Some(_) => self.fail("no value begins like this", "put text into double quotes"),
        })
    }

    fn number(&mut self) -> Result<Value, Diagnostic> {
        let start = self.at;
        if self.rest().starts_with("-Infinity") {
            self.at += "-Infinity".len();
            return Ok(Value::Float(f64::NEG_INFINITY));
        }
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                reader.at += 1;
            }
            reader.at > from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.fail("a number with a leading zero", "remove the zero, or put quotes around it"));
            }
        } else if !digits(self) {
            return Err(self.fail("digits are missing", "write a number, or put quotes around text"));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            whole = false;
            if !digits(self) {
                return Err(self.fail("digits are missing", "write a digit after the point"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            whole = false;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !digits(self) {
                return Err(self.fail("digits are missing", "write the exponent"));
            }
        }
        let text = self.source.text.get(start..self.at).unwrap_or("");
        if whole {
            return text.parse().map(Value::Int).map_err(|_| {
                let why = too_wide();
                Diagnostic::error(why.summary).at(&self.place(start), why.label).fix(why.fix)
            });
        }
        Ok(Value::Float(text.parse().unwrap_or(f64::NAN)))
    }

    fn text(&mut self) -> Result<String, Diagnostic> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let plain = self.rest().find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or(self.rest().len());
            text.push_str(&self.rest()[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => {
                    return Err(self.fail("a line break or control character in a text", "write it as \\n or \\u00XX"));
                }
                None => {
                    let told = Diagnostic::error("this is not valid JSON");
                    let place = Place::new(self.source, open, open + 1);
                    return Err(told.at(&place, "this quote is never closed").fix("close it with \""));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let mark = self.source.text.as_bytes().get(self.at + 1).copied();
        let c = match mark {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.fail("no such escape", "write \\\\ for a backslash")),
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, Diagnostic> {
        let unit = |at: usize| {
            let digits = self.source.text.get(at..at + 6)?.strip_prefix("\\u")?;
            let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if hex { u32::from_str_radix(digits, 16).ok() } else { None }
        };
        let Some(first) = unit(self.at) else {
            return Err(self.fail("four hexadecimal digits are missing", "write \\u and four of 0-9 and a-f"));
        };
        let (code, width) = match (first, unit(self.at + 6)) {
            (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) => {
                (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), 12)
            }
            _ => (first, 6),
        };
        let Some(c) = char::from_u32(code) else {
            return Err(self.fail("half of a character", "write both halves, or the character itself"));
        };
        self.at += width;
        Ok(c)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Ok(items);
            }
        }
    }

    // After an item: the closing mark, or a comma and another item.
    fn ends(&mut self, close: u8) -> Result<bool, Diagnostic> {
        self.blanks();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            None => Err(self.fail("the text ends too early", "look for what was opened and not closed, or cut off")),
            Some(_) => {
                Err(self.fail("a comma is missing before this", format!("write a comma, or `{}`", char::from(close))))
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, Diagnostic> {
        self.at += 1;
        let mut entries: Vec<Entry> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(entries);
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.fail("a key in double quotes is missing", "write \"key\": value"));
            }
            let start = self.at;
            let key = self.text()?;
            let place = self.place(start);
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.fail("a colon is missing before this", "write \"key\": value"));
            }
            self.at += 1;
            self.blanks();
            let node = self.value(depth + 1)?;
            if let Some(first) = index.get(&key).and_then(|at| entries.get(*at)) {
                return Err(Diagnostic::error("a key is given twice")
                    .at(&place, format!("`{key}` again"))
                    .see(&first.place, "first here")
                    .fix("keep one of them"));
            }
            index.insert(key.clone(), entries.len());
            entries.push(Entry { key, place, node });
            if self.ends(b'}')? {
                return Ok(entries);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Node, String> {
        parse_json(&Source::new("a.json", text)).map_err(|told| {
            let (place, label) = told.place.unwrap();
            format!("{}:{}: {label}", place.line(), place.column())
        })
    }

    #[test]
    fn it_reads_what_a_json_reader_reads() {
        for text in [
            "{\"a\": [1, -2.5, 1e5, true, null], \"b\": {\"c\": \"x\\n\\u00e9\\ud83d\\ude00\\/\"}}",
            " [ ] ",
            "\"\\\"\"",
            "-0.0",
        ] {
            assert_eq!(
                read(text).unwrap().to_json(),
                serde_json::from_str::<serde_json::Value>(text).unwrap(),
                "{text}"
            );
        }
        let node = read("{\n  \"a\": 7}").unwrap();
        assert_eq!(node.get("a").unwrap().place.to_string(), "a.json:2:8");
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        for (text, expected) in [
            ("{\"a\": 1,}", "1:9: a key in double quotes is missing"),
            ("[1,\n 2\n\n", "2:3: the text ends too early"),
            ("[1 2]", "1:4: a comma is missing before this"),
            ("{\"a\" 1}", "1:6: a colon is missing before this"),
            ("[01]", "1:3: a number with a leading zero"),
            ("['a']", "1:2: single quotes are not known"),
            ("[1,]", "1:4: a value is missing"),
            ("{\"a\": 1, \"a\": 2}", "1:10: `a` again"),
            ("\"a", "1:1: this quote is never closed"),
            ("\"\\ud800\"", "1:2: half of a character"),
            ("[99999999999999999999]", "1:2: this needs more than 64 bits"),
            ("1 2", "1:3: something follows the value"),
            ("", "0:0: the text ends too early"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        assert!(read(&"[".repeat(10_000)).unwrap_err().contains("levels"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_it_accepts_what_json_is(
            text in "([\\[\\]{}:,\"\\\\]|\\\\u[0-9a-f]{0,4}|null|true|-?[0-9.eE+-]{1,4}|\\PC|\n){0,20}",
        ) {
            let ours = read(&text);
            // `-0` is a fraction to one reader and a whole number to the other.
            prop_assume!(!text.contains("-0"));
            if let Ok(theirs) = serde_json::from_str::<serde_json::Value>(&text) {
                match ours {
                    Ok(node) => prop_assert_eq!(node.to_json().to_string(), theirs.to_string()),
                    // A key twice, or a number that is kept nowhere.
                    Err(why) => prop_assert!(why.contains("again") || why.contains("64 bits"), "{}", why),
                }
            }
        }
    }
}
