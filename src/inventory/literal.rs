//! Owns Python literals as values: what an INI inventory writes behind `=` is read as Python reads a literal.
//!
//! Must not know files. `8080`, `True`, `[1, 'a']` and `'0123'` are values; whatever is no literal is kept as the text
//! that it is. Ansible reads host lines and `:vars` sections alike, comments behind a literal included.

use crate::model::Place;
use crate::yaml::{self, Entry, Node, Value};

/// How deep brackets are followed; Python gives up at 200, and keeps the text then.
const MAX_DEPTH: usize = 60;

/// What a text is as a literal.
#[derive(Debug)]
pub(super) enum Literal {
    /// A value.
    Value(Value),
    /// No literal: the text stands for itself.
    Text,
    /// A literal that has no value: why, and what to do.
    Refused(&'static str, &'static str),
}

/// Reads a text; everything in it stands at `place`.
pub(super) fn read(text: &str, place: &Place) -> Literal {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, refused: None };
    let parsed = parser.whole();
    if let Some((why, fix)) = parser.refused {
        return Literal::Refused(why, fix);
    }
    match parsed.map(|python| python.value(place)) {
        None => Literal::Text,
        Some(Ok(value)) => Literal::Value(value),
        Some(Err((why, fix))) => Literal::Refused(why, fix),
    }
}

type Refusal = (&'static str, &'static str);

#[derive(Clone, Debug, PartialEq)]
enum Python {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    // Prints as itself and cannot be computed with: `...`, imaginary numbers.
    Odd(String),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Python>),
    Tuple(Vec<Python>),
    Set(Vec<Python>),
    Dict(Vec<(Python, Python)>),
}

impl Python {
    fn value(self, place: &Place) -> Result<Value, Refusal> {
        let items = |items: Vec<Python>| -> Result<Value, Refusal> {
            let item = |item: Python| Ok(Node::new(place.clone(), item.value(place)?));
            items.into_iter().map(item).collect::<Result<_, _>>().map(Value::List)
        };
        Ok(match self {
            Python::None => Value::Null,
            Python::Bool(value) => Value::Bool(value),
            Python::Int(value) => Value::Int(value),
            Python::Float(value) => Value::Float(value),
            Python::Odd(text) | Python::Text(text) => Value::Text(text),
            Python::Bytes(bytes) => Value::Text(
                String::from_utf8(bytes)
                    .map_err(|_| ("bytes that are not UTF-8", "write text without the b before it"))?,
            ),
            Python::List(all) | Python::Tuple(all) => return items(all),
            Python::Set(all) => return items(set(all)?),
            Python::Dict(pairs) => Value::Map(dict(pairs, place)?),
        })
    }

    // Python's sets and keys take what never changes.
    fn is_fixed(&self) -> bool {
        match self {
            Python::List(_) | Python::Set(_) | Python::Dict(_) => false,
            Python::Tuple(items) => items.iter().all(Python::is_fixed),
            _ => true,
        }
    }
}

// Python gives small numbers back in order, and texts in no order at all.
fn set(items: Vec<Python>) -> Result<Vec<Python>, Refusal> {
    let mut kept: Vec<Python> = Vec::new();
    for item in items {
        if !item.is_fixed() {
            return Err((
                "braces in braces are a Python set of sets, which there is not",
                "for a template, put quotes around it once more: \"'{{ ... }}'\"",
            ));
        }
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    if kept.iter().all(|item| matches!(item, Python::Int(_))) {
        kept.sort_by_key(|item| if let Python::Int(number) = item { *number } else { 0 });
    }
    Ok(kept)
}

fn dict(pairs: Vec<(Python, Python)>, place: &Place) -> Result<Vec<Entry>, Refusal> {
    let mut entries: Vec<Entry> = Vec::new();
    for (key, value) in pairs {
        let name = match key {
            Python::Text(_) | Python::None | Python::Bool(_) | Python::Int(_) | Python::Float(_) => {
                yaml::key(&key.value(place)?).unwrap_or_default()
            }
            _ => return Err(("a key that is no single value", "write the key as text, in quotes")),
        };
        let node = Node::new(place.clone(), value.value(place)?);
        match entries.iter_mut().find(|entry| entry.key == name) {
            Some(entry) => entry.node = node,
            None => entries.push(Entry { key: name, place: place.clone(), node }),
        }
    }
    Ok(entries)
}

// `None` everywhere means: this is no literal.
struct Parser {
    chars: Vec<char>,
    at: usize,
    refused: Option<Refusal>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn takes(&mut self, c: char) -> bool {
        let takes = self.peek() == Some(c);
        self.at += usize::from(takes);
        takes
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\u{c}')) {
            self.at += 1;
        }
    }

    // Blanks, and the comment that Python allows behind a value.
    fn ends(&mut self) -> bool {
        self.blanks();
        matches!(self.peek(), None | Some('#'))
    }

    fn whole(&mut self) -> Option<Python> {
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

    fn item(&mut self, depth: usize) -> Option<Python> {
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
    fn item_after_sign(&mut self, depth: usize) -> Option<Python> {
        self.blanks();
        if matches!(self.peek()?, '0'..='9' | '.' | '(') { self.item(depth + 1) } else { None }
    }

    fn inside(&mut self, close: char, depth: usize) -> Option<Vec<Python>> {
        self.listed(close, depth).map(|(items, _)| items)
    }

    // What stands between brackets, and whether a comma stood in it.
    fn listed(&mut self, close: char, depth: usize) -> Option<(Vec<Python>, bool)> {
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

    fn braces(&mut self, depth: usize) -> Option<Python> {
        let open = self.at;
        self.next();
        self.blanks();
        if self.takes('}') {
            return Some(Python::Dict(Vec::new()));
        }
        let first = self.item(depth + 1)?;
        self.blanks();
        if self.peek() != Some(':') {
            self.at = open;
            return self.inside('}', depth).map(Python::Set);
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

    fn word(&mut self) -> Option<Python> {
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

    // Digits with single underscores between them.
    fn digits(&mut self, radix: u32) -> Option<String> {
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

    fn number(&mut self) -> Option<Python> {
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
    fn ended(&mut self, number: Option<Python>) -> Option<Python> {
        if self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        if number.is_none() {
            self.refused = Some(("a whole number of more than 64 bits", "put quotes around it twice: \"'123'\""));
        }
        number
    }

    // One text, or several beside each other, which Python joins.
    fn texts(&mut self) -> Option<Python> {
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

    fn one_text(&mut self) -> Option<Python> {
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
        let quote = self.next()?;
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

    fn escape(&mut self, bytes: bool, text: &mut Vec<char>) -> Option<()> {
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

    fn hex(&mut self, count: usize) -> Option<u32> {
        let digits = self.chars.get(self.at..self.at + count)?;
        let code = digits.iter().try_fold(0u32, |code, c| code.checked_mul(16)?.checked_add(c.to_digit(16)?))?;
        self.at += count;
        Some(code)
    }

    fn character(&mut self, count: usize) -> Option<char> {
        let code = self.hex(count)?;
        if (0xD800..0xE000).contains(&code) {
            self.refused = Some(("half of a character", "write the character itself"));
        }
        char::from_u32(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: &str) -> String {
        match read(text, &Place::outside("test")) {
            Literal::Value(value) => Node::new(Place::outside("test"), value).to_json().to_string(),
            Literal::Text => "text".into(),
            Literal::Refused(why, _) => format!("refused: {why}"),
        }
    }

    // Each compared with what ansible-inventory 2.19 prints.
    #[test]
    fn literals_mean_what_python_says() {
        for (text, expected) in [
            ("1", "1"),
            ("-5", "-5"),
            ("- 5", "-5"),
            ("+-5", "text"),
            ("0644", "text"),
            ("00", "0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("1__0", "text"),
            ("1e5", "100000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("1.2.3", "text"),
            ("10.0.0.1", "text"),
            ("5m", "text"),
            ("1+2", "text"),
            ("10j", "\"10j\""),
            ("...", "\"...\""),
            ("True", "true"),
            ("true", "text"),
            ("None", "null"),
            ("", "text"),
            ("-", "text"),
            ("'3'", "\"3\""),
            ("'a' \"b\" # c", "\"ab\""),
            ("8080 # c", "8080"),
            ("foo # c", "text"),
            ("1,2", "[1,2]"),
            ("(1,)", "[1]"),
            ("(1)", "1"),
            ("()", "[]"),
            ("set()", "[]"),
            ("{3,1,2,1}", "[1,2,3]"),
            ("{'a': 1, 2: [3, (4, 5)], True: None}", "{\"a\":1,\"2\":[3,[4,5]],\"true\":null}"),
            ("{'a':1,'a':2}", "{\"a\":2}"),
            ("{{ foo }}", "text"),
            ("{{ 5 }}", "refused: braces in braces are a Python set of sets, which there is not"),
            ("{[1]: 2}", "refused: a key that is no single value"),
            ("[1,", "text"),
            ("[1, x]", "text"),
            ("b'x'", "\"x\""),
            ("b'\\xff'", "refused: bytes that are not UTF-8"),
            ("u'x'", "\"x\""),
            ("f'x'", "text"),
            ("r'\\n'", "\"\\\\n\""),
            ("'''x'''", "\"x\""),
            ("'\\u00e9\\x41\\101\\q'", "\"éAA\\\\q\""),
            ("'a", "text"),
            ("99999999999999999999", "refused: a whole number of more than 64 bits"),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
        assert_eq!(json(&"[".repeat(5000)), "text");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([\\[\\](){},:'\"#+-]|\\\\[xuUN0-7nq]|[0-9._eEjxob]{1,5}|True|None|set|[brufBRUF]|\\PC){0,20}") {
            let _ = json(&text);
        }
    }
}
