//! Owns the words of an ssh_config line: quoting, `~`, `${NAME}` and `%` tokens.
//!
//! Must not know what a keyword means.

use std::path::Path;

/// The words of a line, its keyword first; none for a comment or an empty line.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Vec::new());
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
    let mut words = vec![keyword.to_owned()];
    // The whole rest is one shell command, whose quotes belong to the shell.
    if keyword.eq_ignore_ascii_case("proxycommand") {
        words.extend((!rest.is_empty()).then(|| rest.to_owned()));
        return Ok(words);
    }
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = rest.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if matches!(characters.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            '#' if !quoted && word.is_none() => break,
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

/// A leading `~` or `~/` as the home folder.
pub(super) fn tilde(path: &str, home: &Path) -> String {
    match path.strip_prefix('~') {
        Some("") => home.to_string_lossy().into_owned(),
        Some(rest) if rest.starts_with('/') => format!("{}{rest}", home.to_string_lossy()),
        _ => path.to_owned(),
    }
}

/// `${NAME}` as the value of that environment variable; left as it is where there is none.
pub(super) fn expand_environment(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let value = from.find('}').and_then(|end| Some((end, std::env::var(from.get(2..end)?).ok()?)));
        match value {
            Some((end, value)) => {
                out.push_str(&value);
                rest = &from[end + 1..];
            }
            None => {
                out.push_str("${");
                rest = &from[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `%x` as `token('x')`, `%%` as `%`; an unknown token stays as it is.
pub(super) fn fill(text: &str, token: &dyn Fn(char) -> Option<String>) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('%') => out.push('%'),
            Some(name) => match token(name) {
                Some(value) => out.push_str(&value),
                None => out.extend(['%', name]),
            },
            None => out.push('%'),
        }
    }
    out
}
