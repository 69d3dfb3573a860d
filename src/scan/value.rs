//! Owns where the value of a name stands: `NAME=value`, `name: value`, `"name": "value"`, `--name value`,
//! `<name>value</name>`, `${NAME:-value}`, `- name: NAME` with `value:` below it, and blocks of YAML.
//!
//! It looks only so far ahead that the whole stays linear in the text, however long its lines are.

use std::ops::Range;

use super::format::{Format, Syntax};

/// How far is looked ahead, in bytes.
const AHEAD: usize = 512;

/// Where a value stands.
#[derive(Debug)]
pub(super) struct Value {
    pub at: Range<usize>,
    pub is_quoted: bool,
    /// It goes to the end of a line that begins with its name.
    pub is_whole_line: bool,
    /// It has the tag `!secret`.
    pub is_tagged: bool,
}

/// What stands around a name.
struct Around<'a> {
    text: &'a str,
    bytes: &'a [u8],
    syntax: Syntax,
    name: Range<usize>,
    /// The quote before the name.
    open: Option<u8>,
}

/// The value of the name that stands there.
pub(super) fn after(format: Format, text: &str, name: Range<usize>) -> Option<Value> {
    let bytes = text.as_bytes();
    let before = name.start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let around =
        Around { text, bytes, syntax: format.syntax, name, open: before.filter(|byte| b"\"'`".contains(byte)) };
    let mut at = around.name.end;
    if before == Some(b'{') && around.name.start >= 2 && bytes[around.name.start - 2] == b'$' {
        return around.default_of_variable();
    }
    if before == Some(b'<') && around.at(at) == b'>' {
        let end = around.until(at + 1, |byte| byte == b'<' || byte == b'\n');
        return Some(Value { at: at + 1..end, is_quoted: true, is_whole_line: false, is_tagged: false });
    }
    let mut closed = false;
    if let Some(quote) = around.open {
        if around.at(at) == b'\\' && around.at(at + 1) == quote {
            (at, closed) = (at + 2, true);
        } else if around.at(at) == quote {
            (at, closed) = (at + 1, true);
        }
    }
    if around.at(at) == b']' && closed {
        at += 1;
    }
    let after_name = at;
    at = around.skip(at, b" \t");
    if let Some(next) = around.separator(at) {
        return around.value(next, closed);
    }
    around
        .of_flag(after_name, closed)
        .or_else(|| around.named_beside(after_name))
        .or_else(|| around.called(after_name, closed))
}

impl Around<'_> {
    fn at(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    fn skip(&self, at: usize, these: &[u8]) -> usize {
        at + self.bytes[at.min(self.bytes.len())..].iter().take(AHEAD).take_while(|byte| these.contains(byte)).count()
    }

    // Where a stretch ends: there, at the end of what is looked at, or of the text; always between two characters.
    fn until(&self, at: usize, ends: impl Fn(u8) -> bool) -> usize {
        let at = at.min(self.bytes.len());
        let mut end = at + self.bytes[at..].iter().take(AHEAD).take_while(|byte| !ends(**byte)).count();
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        end.max(at)
    }

    fn line_end(&self, at: usize) -> usize {
        self.until(at, |byte| byte == b'\n' || byte == b'\r')
    }

    /// Where the line of the name begins, but for what stands before a name there: `export`, `- `, dashes, a quote.
    fn begins_line(&self) -> bool {
        let from = self.name.start.saturating_sub(AHEAD);
        let before =
            self.bytes[from..self.name.start].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
        let lead = String::from_utf8_lossy(&self.bytes[before..self.name.start]);
        let lead = lead.trim().trim_start_matches(['-', '#', ';', '"', '\'']).trim();
        matches!(lead, "" | "export" | "set" | "declare -x" | "ENV" | "ARG" | "Environment=" | "Environment=\"")
    }

    // What lies behind the sign between name and value.
    fn separator(&self, at: usize) -> Option<usize> {
        let (first, second) = (self.at(at), self.at(at + 1));
        let next = match (first, second) {
            (b'=', b'=' | b'~') | (b':', b':' | b'/') => return None,
            (b'=', b'>') | (b':' | b'?', b'=') => at + 2,
            (b'=', _) => at + 1,
            (b':', after) => {
                // Where commands stand only a header is written so.
                let is_header = self.is_authorization() || self.text[self.name.clone()].contains('-');
                if matches!(self.syntax, Syntax::Shell | Syntax::Unit) && !is_header {
                    return None;
                }
                let spaced = b" \t\"'\r\n\\".contains(&after);
                let dense = matches!(self.syntax, Syntax::Json | Syntax::Code | Syntax::Ini | Syntax::Yaml)
                    && self.open.is_some();
                if !spaced && !dense && self.syntax != Syntax::Ini {
                    return None;
                }
                at + 1
            }
            // <add key="NAME" value="...">
            _ if self.text.get(at..at + 6).is_some_and(|word| word == "value=") && self.open.is_some() => at + 6,
            _ => return None,
        };
        Some(next)
    }

    fn value(&self, at: usize, closed: bool) -> Option<Value> {
        let dense = at == self.skip(at, b" \t");
        let mut at = self.skip(at, b" \t");
        let mut is_tagged = false;
        if self.syntax == Syntax::Yaml && self.at(at) == b'!' && !self.text[at..].starts_with("!vault") {
            let end = self.until(at, |byte| byte.is_ascii_whitespace());
            is_tagged = &self.text[at..end] == "!secret";
            if is_tagged || ["!unsafe", "!!str", "!str"].contains(&&self.text[at..end]) {
                at = self.skip(end, b" \t");
            }
        }
        if self.syntax == Syntax::Yaml && b"|>".contains(&self.at(at)) {
            let end = self.skip(at + 1, b"+-0123456789 ");
            if b"\r\n#".contains(&self.at(end)) {
                return self.block(at, is_tagged);
            }
        }
        if let Some(typed) = self.typed(at) {
            at = typed;
        }
        // r"…", b'…', f"…", @"…", r#"…"#
        let prefix = self.bytes[at.min(self.bytes.len())..]
            .iter()
            .take(3)
            .take_while(|byte| byte.is_ascii_alphabetic() || b"@#$".contains(byte))
            .count();
        if (1..=2).contains(&prefix) && b"\"'`".contains(&self.at(at + prefix)) && self.syntax == Syntax::Code {
            at += prefix;
        }
        // Between quotes, the same quote ends the text that the name stands in.
        if !closed && self.open == Some(self.at(at)) {
            return None;
        }
        if let Some(value) = self.quoted(at) {
            return Some(Value { is_tagged, ..value });
        }
        self.unquoted(at, dense, closed, is_tagged)
    }

    fn quoted(&self, at: usize) -> Option<Value> {
        let escaped = self.at(at) == b'\\' && b"\"'".contains(&self.at(at + 1));
        let at = if escaped { at + 1 } else { at };
        let quote = self.at(at);
        let is_program = matches!(self.syntax, Syntax::Code | Syntax::Json | Syntax::Prose);
        // A shell runs what stands between backquotes.
        let opens = b"\"'".contains(&quote) || quote == b'`' && matches!(self.syntax, Syntax::Code | Syntax::Prose);
        if !opens {
            return None;
        }
        let start = at + 1;
        let mut end = start;
        let stop = self.line_end(start);
        while end < stop {
            match self.at(end) {
                b'\\' if escaped && self.at(end + 1) == quote => break,
                b'\\' if !escaped => end += 1,
                byte if byte == quote && !escaped => break,
                _ => {}
            }
            end += 1;
        }
        if end >= stop && is_program {
            return None;
        }
        let mut end = end.min(stop);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        Some(Value { at: start..end.max(start), is_quoted: true, is_whole_line: false, is_tagged: false })
    }

    fn unquoted(&self, at: usize, dense: bool, closed: bool, is_tagged: bool) -> Option<Value> {
        let before = self.name.start.checked_sub(1).map_or(b' ', |before| self.at(before));
        let is_program = matches!(self.syntax, Syntax::Code | Syntax::Json);
        if self.is_authorization() && (!is_program || self.open.is_some() && !closed) {
            let end = self.until(at, |byte| b"\"'`\r\n<>\\".contains(&byte));
            return Some(self.plain(at..end, false, is_tagged));
        }
        // Of a URL's query.
        if b"?&".contains(&before) {
            let end = self.until(at, |byte| byte.is_ascii_whitespace() || b"&\"'#<>`\\),;".contains(&byte));
            return Some(self.plain(at..end, false, is_tagged));
        }
        // "NAME=value" between quotes: to the closing one.
        if let Some(quote) = self.open.filter(|_| !closed && dense) {
            let end = self.until(at, |byte| byte == quote || byte == b'\n');
            let end = if self.at(end - 1) == b'\\' && end > at { end - 1 } else { end };
            return (self.at(end) == quote || self.at(end) == b'\\').then(|| self.plain(at..end, false, is_tagged));
        }
        let word = |byte: u8| byte.is_ascii_whitespace() || b"\"'`;|&<>".contains(&byte);
        match self.syntax {
            Syntax::Code | Syntax::Whole | Syntax::Netrc | Syntax::Pgpass => None,
            Syntax::Json if closed => {
                let end = self.until(at, |byte| !byte.is_ascii_digit());
                (end > at).then(|| self.plain(at..end, false, is_tagged))
            }
            Syntax::Json => {
                let end = self.until(at, |byte| word(byte) || b",\\".contains(&byte));
                (dense && end > at).then(|| self.plain(at..end, false, is_tagged))
            }
            Syntax::Shell | Syntax::Unit | Syntax::Prose => {
                let end = self.until(at, word);
                (end > at).then(|| self.plain(at..end, false, is_tagged))
            }
            Syntax::Yaml | Syntax::Env | Syntax::Ini => {
                let line = at..self.line_end(at);
                if !self.begins_line() && self.is_flow() {
                    let end = self.until(at, |byte| b",}]\n\r".contains(&byte));
                    return Some(self.plain(at..end, false, is_tagged));
                }
                if !self.begins_line() && dense && self.syntax != Syntax::Yaml || self.is_assigned_in_list() {
                    let end = self.until(at, word);
                    return Some(self.plain(at..end, false, is_tagged));
                }
                let rest = &self.text[line.clone()];
                let end = [" #", "\t#", " ;"].iter().filter_map(|mark| rest.find(mark)).min().unwrap_or(rest.len());
                Some(self.plain(at..at + end, true, is_tagged))
            }
        }
    }

    fn plain(&self, at: Range<usize>, is_whole_line: bool, is_tagged: bool) -> Value {
        let text = &self.text[at.clone()];
        let is_prose = self.syntax == Syntax::Prose;
        let trimmed = text.trim_end().trim_end_matches('\\').trim_end_matches(',');
        let trimmed = if is_prose { trimmed.trim_end_matches(['.', ')', ';', ':', '*', '|']) } else { trimmed };
        let trimmed = trimmed.trim_end();
        Value { at: at.start..at.start + trimmed.len(), is_quoted: false, is_whole_line, is_tagged }
    }

    // Its value is a scheme and what that needs, with a space between.
    fn is_authorization(&self) -> bool {
        let name = &self.text[self.name.clone()];
        name.len() >= 13 && name.as_bytes()[name.len() - 13..].eq_ignore_ascii_case(b"authorization")
    }

    // `{a: b, c: d}`
    fn is_flow(&self) -> bool {
        let from = self.name.start.saturating_sub(AHEAD);
        let line = self.bytes[from..self.name.start].iter().rev().take_while(|byte| **byte != b'\n');
        self.syntax == Syntax::Yaml && line.clone().any(|byte| *byte == b'{')
    }

    // `- NAME=value` of compose goes to the end of the line; `command: tool NAME=value other` does not.
    fn is_assigned_in_list(&self) -> bool {
        self.syntax == Syntax::Yaml && self.at(self.name.end) == b'=' && !self.begins_line()
    }

    /// The first line of a block scalar.
    fn block(&self, at: usize, is_tagged: bool) -> Option<Value> {
        let from = self.name.start.saturating_sub(AHEAD);
        let line =
            self.bytes[from..self.name.start].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
        let indent = self.skip(line, b" ") - line;
        let mut start = self.line_end(at);
        loop {
            start = self.skip(start, b"\r\n");
            let text = self.skip(start, b" ");
            if text >= self.bytes.len() || text - start <= indent && self.at(text) != b'\n' {
                return None;
            }
            if !b"\r\n".contains(&self.at(text)) {
                let end = self.line_end(text);
                return Some(Value { is_tagged, ..self.plain(text..end, true, is_tagged) });
            }
            start = text;
        }
    }

    // `name: Type = "value"` of a program.
    fn typed(&self, at: usize) -> Option<usize> {
        if self.syntax != Syntax::Code || b"\"'`".contains(&self.at(at)) {
            return None;
        }
        let of_type = |byte: u8| byte.is_ascii_alphanumeric() || b"_<>&'[]:. |".contains(&byte);
        let stretch = self.bytes[at.min(self.bytes.len())..].iter().take(48).take_while(|byte| of_type(**byte)).count();
        let equals = at + stretch;
        let value = self.skip(equals + 1, b" ");
        (stretch > 0 && self.at(equals) == b'=' && self.at(equals + 1) != b'=' && b"\"'".contains(&self.at(value)))
            .then_some(value)
    }

    /// `${NAME:-value}`
    fn default_of_variable(&self) -> Option<Value> {
        let at = self.name.end;
        // A dash is taken for a part of the name: `${NAME-value}` is rare enough.
        let next = match (self.at(at), self.at(at + 1)) {
            (b':', b'-' | b'=') => at + 2,
            _ => return None,
        };
        let end = self.until(next, |byte| byte == b'}' || byte == b'\n');
        Some(Value { at: next..end, is_quoted: true, is_whole_line: false, is_tagged: false })
    }

    /// `--name value`, and `"--name", "value"`.
    fn of_flag(&self, at: usize, closed: bool) -> Option<Value> {
        if !self.text[self.name.clone()].starts_with('-') {
            return self.behind_word(at);
        }
        let mut next = at;
        if closed {
            next = self.skip(next, b" \t");
            if self.at(next) != b',' {
                return None;
            }
            next = self.skip(next + 1, b" \t\r\n");
            return self.quoted(next);
        }
        next = self.skip(next, b" \t");
        if self.syntax == Syntax::Yaml && b"\r\n".contains(&self.at(next)) {
            // `- --name`, and on the next line `- value`.
            next = self.skip(next, b" \t\r\n");
            if self.at(next) != b'-' || self.at(next + 1) != b' ' {
                return None;
            }
            next = self.skip(next + 1, b" ");
        }
        let command = matches!(
            self.syntax,
            Syntax::Shell | Syntax::Unit | Syntax::Yaml | Syntax::Prose | Syntax::Ini | Syntax::Json
        );
        if !command || next == at || self.at(next) == b'-' {
            return None;
        }
        self.quoted(next).or_else(|| {
            let end = self.until(next, |byte| byte.is_ascii_whitespace() || b"\"'`;|&<>".contains(&byte));
            (end > next).then(|| self.plain(next..end, false, false))
        })
    }

    /// `requirepass value`: a line of two words, in a file of settings.
    fn behind_word(&self, at: usize) -> Option<Value> {
        let next = self.skip(at, b" \t");
        if self.syntax != Syntax::Ini || next == at || !self.begins_line() || b"#\r\n".contains(&self.at(next)) {
            return None;
        }
        let value = self.quoted(next).unwrap_or_else(|| self.plain(next..self.line_end(next), true, false));
        (!self.text[value.at.clone()].contains(' ')).then_some(value)
    }

    /// `name: NAME` and below it, or beside it, `value: …`.
    fn named_beside(&self, at: usize) -> Option<Value> {
        if !matches!(self.syntax, Syntax::Yaml | Syntax::Json) {
            return None;
        }
        let next = self.skip(at, b" \t\r\n,");
        let next = self.skip(next, b"\"");
        let rest = self.text.get(next..)?.strip_prefix("value")?;
        let colon = rest.trim_start_matches(['"', ' ']).strip_prefix(':')?;
        let value = self.skip(self.bytes.len() - colon.len(), b" \t");
        self.quoted(value).or_else(|| {
            let end = self.until(value, |byte| b",}\r\n".contains(&byte));
            (self.syntax == Syntax::Yaml && end > value).then(|| self.plain(value..end, true, false))
        })
    }

    /// `getenv("NAME", "value")`, `.insert("name", "value")`
    fn called(&self, at: usize, closed: bool) -> Option<Value> {
        let opens = self.name.start.checked_sub(2).is_some_and(|before| self.at(before) == b'(');
        if self.syntax != Syntax::Code || !closed || !opens || self.at(at) != b',' {
            return None;
        }
        self.quoted(self.skip(at + 1, b" "))
    }
}
