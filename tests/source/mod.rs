//! Owns reading Rust sources for the structural tests: what is code, what is test code, and which paths it names.
//!
//! Must not know any rule. It reads tokens, not types: a macro could hide a path from it, and nothing here does that.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// The folder of Cargo.toml.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file.
pub struct Source {
    /// Its path below the root, with `/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// The same length, with comments, strings and character literals blanked out.
    pub code: String,
    /// Whether it is compiled for tests only.
    pub only_tests: bool,
    // How many modules down from the root of the crate it is.
    depth: usize,
    tests: Vec<Range<usize>>,
    inline: Vec<Range<usize>>,
}

/// A path in code, such as `crate::model::Exit`, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub at: usize,
    pub parts: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = strip(text);
        let tests = test_items(&code);
        let inline = inline_modules(&code);
        let inner = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
        let inner = inner.strip_suffix("/mod").unwrap_or(inner);
        let depth = if matches!(inner, "lib" | "main") { 0 } else { inner.split('/').count() };
        Self { path: path.to_owned(), text: text.to_owned(), code, only_tests: false, depth, tests, inline }
    }

    /// The top module: `engine` for `src/engine/apply.rs`, `main` and `lib` for the two roots.
    pub fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
    }

    pub fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.line(at))
    }

    /// Whether this stands in test code.
    pub fn is_test(&self, at: usize) -> bool {
        self.only_tests || self.tests.iter().any(|range| range.contains(&at))
    }

    /// How many lines are not test code.
    pub fn own_lines(&self) -> usize {
        if self.only_tests {
            return 0;
        }
        let lines = |text: &str| text.matches('\n').count();
        lines(&self.text) - self.tests.iter().map(|range| lines(&self.text[range.clone()])).sum::<usize>()
    }

    /// The names of the modules that it declares with `mod x;`: the file's path if an attribute gives one, and
    /// whether they are for tests only.
    pub fn declared_modules(&self) -> Vec<(String, Option<String>, bool)> {
        let mut found = Vec::new();
        for at in words(&self.code, "mod") {
            let rest = self.code[at + 3..].trim_start();
            let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
            if name.is_empty() || !rest[name.len()..].trim_start().starts_with(';') {
                continue;
            }
            let before = &self.code[..at];
            let attributes = before.rfind([';', '}']).map_or(0, |end| end + 1);
            let given = self.text[attributes..at].split("#[path = \"").nth(1).and_then(|rest| rest.split('"').next());
            found.push((name, given.map(str::to_owned), self.is_test(at)));
        }
        found
    }

    /// Every path that begins with one of these words, groups taken apart.
    pub fn paths(&self, first: &str) -> Vec<Named> {
        let mut found = Vec::new();
        for at in words(&self.code, first) {
            let rest = &self.code[at + first.len()..];
            if self.code[..at].ends_with("::") || !rest.trim_start().starts_with("::") {
                continue;
            }
            let mut all = Vec::new();
            tree(rest.trim_start()[2..].trim_start(), vec![first.to_owned()], &mut all);
            found.extend(all.into_iter().map(|parts| Named { at, parts }));
        }
        found
    }

    /// Every other top module that it names, with the place.
    pub fn arrows(&self, macros: &[(String, String)]) -> Vec<(usize, String)> {
        let mut found: Vec<(usize, String)> = Vec::new();
        for first in ["crate", "rempart"] {
            found.extend(
                self.paths(first).into_iter().filter_map(|named| Some((named.at, named.parts.get(1)?.clone()))),
            );
        }
        for named in self.paths("super") {
            let ups = named.parts.iter().take_while(|part| *part == "super").count();
            let open = self.inline.iter().filter(|range| range.contains(&named.at)).count();
            if ups >= self.depth + open
                && let Some(part) = named.parts.get(ups)
            {
                found.push((named.at, part.clone()));
            }
        }
        for (_, module) in &mut found {
            if let Some((_, home)) = macros.iter().find(|(name, _)| name == module) {
                module.clone_from(home);
            }
        }
        found.retain(|(_, module)| module != self.module());
        found.sort();
        found.dedup();
        found
    }

    /// The macros that it exports to the whole crate.
    pub fn exported_macros(&self) -> Vec<String> {
        let exported = |piece: &str| Some(piece.split("macro_rules!").nth(1)?.split('{').next()?.trim().to_owned());
        self.code.split("#[macro_export]").skip(1).filter_map(exported).collect()
    }
}

/// Where a whole word stands in code.
pub fn words(code: &str, word: &str) -> Vec<usize> {
    let whole = |at: &usize| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    };
    code.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

// Reads one `a::{b, c::d}` and returns what stands behind it.
fn tree<'a>(text: &'a str, mut prefix: Vec<String>, all: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let before = rest.len();
            rest = tree(rest, prefix.clone(), all).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
            if rest.len() == before {
                return rest;
            }
        }
    }
    let name: String = text.chars().take_while(|c| is_word(*c) || *c == '*').collect();
    if name.is_empty() {
        return text;
    }
    let mut rest = text[name.len()..].trim_start();
    prefix.push(name);
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.trim_start().starts_with('<') => tree(deeper, prefix, all),
        _ => {
            all.push(prefix);
            if let Some(alias) = rest.strip_prefix("as ") {
                rest = alias.trim_start().trim_start_matches(is_word);
            }
            rest
        }
    }
}

/// The code with everything blanked out that is none.
pub fn strip(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    let mut blank = |range: Range<usize>| {
        for byte in &mut code[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    while at < bytes.len() {
        let rest = &bytes[at..];
        let word_before = at > 0 && is_word(bytes[at - 1] as char);
        let end = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(end) = (!word_before).then(|| raw_string(rest)).flatten() {
            end
        } else if rest[0] == b'"' {
            quoted(rest)
        } else if rest[0] == b'\'' {
            match character(&text[at..]) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            }
        } else {
            at += 1;
            continue;
        };
        blank(at..at + end);
        at += end;
    }
    String::from_utf8(code).expect("whole characters were blanked out")
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let start = [&b"r"[..], b"br", b"cr"].into_iter().find(|start| rest.starts_with(start))?.len();
    let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(start + hashes) == Some(&b'"')).then_some(())?;
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let inside = start + hashes + 1;
    let end = rest[inside..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| inside + end + close.len()))
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

// The length of a character literal; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut inner = rest[1..].char_indices();
    match inner.next()? {
        (_, '\\') => rest[3..].find('\'').map(|end| end + 4),
        (_, first) => (rest[1 + first.len_utf8()..].starts_with('\'')).then(|| first.len_utf8() + 2),
    }
}

// The stretches of items below `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let mut item = at + attribute.len();
        loop {
            let space = code[item..].len() - code[item..].trim_start().len();
            item += space;
            if !code[item..].starts_with("#[") {
                break;
            }
            item += closing(&code[item + 1..], '[', ']') + 1;
        }
        let rest = &code[item..];
        let is_use = rest.trim_start_matches("pub ").starts_with("use ");
        let semicolon = rest.find(';').unwrap_or(rest.len() - 1);
        let end = match rest.find('{') {
            Some(brace) if brace < semicolon && !is_use => brace + closing(&rest[brace..], '{', '}'),
            _ => semicolon + 1,
        };
        found.push(at..item + end);
    }
    found
}

fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let body = |at: usize| {
        let rest = &code[at + 3..];
        let name = rest.trim_start();
        let after = name.trim_start_matches(is_word);
        (after.len() < name.len() && after.trim_start().starts_with('{')).then(|| {
            let brace = code.len() - after.trim_start().len();
            brace..brace + closing(&code[brace..], '{', '}')
        })
    };
    words(code, "mod").into_iter().filter_map(body).collect()
}

// The length up to and with the bracket that closes the first one.
fn closing(text: &str, open: char, close: char) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    text.len()
}

/// All files below a folder, sorted; without build output and what begins with a dot.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return all };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if !(name.starts_with('.') || folder == root() && name == "target") {
                all.extend(files_below(&path));
            }
        } else {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// A path below the root, with `/`.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// What git tracks; where git cannot say, every file that is there.
pub fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(|name| root().join(name))
            .filter(|path| path.is_file())
            .collect(),
        _ => files_below(root()),
    }
}

/// The sources reached by `mod` from these roots, in order.
pub fn reached(roots: &[PathBuf]) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in roots {
        // `main.rs`, `lib.rs` and the tests' roots have their modules beside them.
        let folder = path.parent().expect("a file stands in a folder").to_owned();
        follow(path, &folder, 0, false, &mut sources, &mut BTreeSet::new());
    }
    sources
}

// Without `..`, so that a file has one path, whoever names it.
fn flat(path: &Path) -> PathBuf {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                flat.pop();
            }
            part => flat.push(part),
        }
    }
    flat
}

fn follow(
    path: &Path,
    inner: &Path,
    depth: usize,
    only_tests: bool,
    sources: &mut Vec<Source>,
    seen: &mut BTreeSet<PathBuf>,
) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    if !seen.insert(path.to_owned()) {
        return;
    }
    let mut source = Source::new(&relative(path), &text);
    (source.only_tests, source.depth) = (only_tests, depth);
    let modules = source.declared_modules();
    sources.push(source);
    for (name, given, test) in modules {
        let beside = path.parent().expect("a file stands in a folder");
        let (file, folder) = match given {
            Some(given) => (flat(&beside.join(given)), inner.join(&name)),
            None if inner.join(&name).join("mod.rs").is_file() => (inner.join(&name).join("mod.rs"), inner.join(&name)),
            None => (inner.join(format!("{name}.rs")), inner.join(&name)),
        };
        follow(&file, &folder, depth + 1, only_tests || test, sources, seen);
    }
}
