//! Owns finding passwords on command lines, where a program's own flag says so: `mysql -p…`, `curl -u user:…`.
//!
//! Flags that say it by their name (`--password …`) are found by `named`.

use std::ops::Range;

use super::format::{Format, Syntax};
use super::hit::Hits;
use super::lookalike::why_not;
use super::rules::COMMAND_PASSWORD;

/// Programs that log in to a registry.
const REGISTRIES: [&str; 6] = ["docker", "podman", "helm", "skopeo", "buildah", "oras"];

/// Where a flag has its value.
#[derive(Clone, Copy)]
enum At {
    /// In the same word.
    Glued,
    /// In the next word.
    Next,
    /// In the next word, behind a sign.
    Behind(char),
}

/// Programs, the flag, and where its value stands.
const FLAGS: &[(&[&str], &str, At)] = &[
    (&["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "mariadb-admin"], "-p", At::Glued),
    (&["sshpass"], "-p", At::Glued),
    (&["sshpass"], "-p", At::Next),
    (&["curl"], "-u", At::Behind(':')),
    (&["curl"], "--user", At::Behind(':')),
    (&["curl"], "--proxy-user", At::Behind(':')),
    (&["http", "https", "xh"], "-a", At::Behind(':')),
    (&["redis-cli", "valkey-cli"], "-a", At::Next),
    (&["mongo", "mongosh", "mongodump", "mongorestore"], "-p", At::Next),
    (&REGISTRIES, "-p", At::Next),
    (&["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"], "-w", At::Next),
    (&["smbclient", "rpcclient"], "-U", At::Behind('%')),
    (&["zip", "unzip"], "-P", At::Next),
    (&["7z", "7za"], "-p", At::Glued),
    (&["sqlcmd", "bcp"], "-P", At::Next),
    (&["snmpget", "snmpwalk"], "-A", At::Next),
    (&["ipmitool"], "-P", At::Next),
    (&["openssl"], "-pass", At::Behind(':')),
    (&["openssl"], "-passin", At::Behind(':')),
    (&["openssl"], "-passout", At::Behind(':')),
    (&["influx", "rabbitmqadmin"], "-p", At::Next),
];

pub(super) fn find(format: Format, text: &str, hits: &mut Hits) {
    if !matches!(format.syntax, Syntax::Shell | Syntax::Unit | Syntax::Yaml | Syntax::Prose | Syntax::Ini) {
        return;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        // A line of a hundred kilobytes is no command that somebody typed.
        if line.len() < 64 * 1024 && line.contains(['-', '|']) {
            of_line(line, start, hits);
        }
        start += line.len();
    }
}

fn of_line(line: &str, start: usize, hits: &mut Hits) {
    let words = words(line);
    let mut program = "";
    for (at, word) in words.iter().enumerate() {
        let text = &line[word.clone()];
        let name = text.rsplit('/').next().unwrap_or(text);
        if FLAGS.iter().any(|(programs, ..)| programs.contains(&name)) {
            program = name;
            continue;
        }
        if matches!(text, "|" | ";" | "&&") {
            program = "";
        }
        let of_flags = FLAGS.iter().filter(|(programs, ..)| programs.contains(&program));
        let flagged = of_flags.filter_map(|(_, flag, place)| of_flag(line, &words, at, program, flag, *place));
        let found = flagged.chain(of_htpasswd(line, &words, at)).chain(of_chpasswd(line, &words, at));
        for value in found.filter(|value| is_password(program, &line[value.clone()])) {
            let key = start + word.start..start + word.end.min(word.start + 16);
            // `-pVALUE` is no name.
            let key = if value.start < word.end { start + word.start..start + value.start } else { key };
            hits.add(&COMMAND_PASSWORD, start + value.start..start + value.end, Some(key));
        }
    }
}

fn of_flag(
    line: &str,
    words: &[Range<usize>],
    at: usize,
    program: &str,
    flag: &str,
    place: At,
) -> Option<Range<usize>> {
    let word = &words[at];
    let rest = line[word.clone()].strip_prefix(flag)?;
    let next = words.get(at + 1).cloned();
    match place {
        // -p'value'
        At::Glued if rest.is_empty() => {
            next.filter(|next| next.start == word.end + 1 && !line[word.end..].starts_with(' '))
        }
        At::Glued => Some(word.end - rest.len()..word.end),
        _ if !rest.is_empty() => None,
        At::Next => next.filter(|_| may_log_in(program, line)),
        At::Behind(sign) => next.and_then(|next| behind(line, next, sign)),
    }
}

// What starts containers has `-p` for ports, too, but not where it logs in.
fn may_log_in(program: &str, line: &str) -> bool {
    !REGISTRIES.contains(&program) || line.contains(" login ")
}

// htpasswd -b FILE USER PASSWORD
fn of_htpasswd(line: &str, words: &[Range<usize>], at: usize) -> Option<Range<usize>> {
    let text = &line[words[at].clone()];
    let flag = text.starts_with('-') && !text.starts_with("--") && text.contains('b');
    let program = at.checked_sub(1).map(|before| &line[words[before].clone()]);
    let last = words.get(at + 3).cloned();
    last.filter(|_| flag && program == Some("htpasswd"))
}

// echo USER:PASSWORD | chpasswd
fn of_chpasswd(line: &str, words: &[Range<usize>], at: usize) -> Option<Range<usize>> {
    if at < 2 || &line[words[at].clone()] != "chpasswd" {
        return None;
    }
    let login = words[..at].iter().rev().take(8).find(|word| line[(*word).clone()].contains(':')).cloned();
    login.and_then(|login| behind(line, login, ':'))
}

fn behind(line: &str, word: Range<usize>, sign: char) -> Option<Range<usize>> {
    let at = line[word.clone()].find(sign)?;
    let scheme = &line[word.start..word.start + at];
    // Of openssl: where else it is taken from.
    (!["env", "file", "fd"].contains(&scheme)).then_some(word.start + at + sign.len_utf8()..word.end)
}

fn is_password(program: &str, text: &str) -> bool {
    // `docker run -p 127.0.0.1:80:80`
    let is_port =
        REGISTRIES.contains(&program) && (text.contains(':') || text.bytes().all(|byte| byte.is_ascii_digit()));
    why_not(text).is_none() && !text.starts_with('-') && !text.contains(['$', '{']) && !is_port
}

/// The words of a line as a shell cuts them, without their quotes.
fn words(line: &str) -> Vec<Range<usize>> {
    let bytes = line.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if b"\"'".contains(&bytes[at]) {
            let quote = bytes[at];
            let end = bytes[at + 1..].iter().position(|byte| *byte == quote).map_or(bytes.len(), |end| at + 1 + end);
            words.push(at + 1..end);
            at = end + 1;
            continue;
        }
        let length =
            bytes[at..].iter().take_while(|byte| !byte.is_ascii_whitespace() && !b"|;".contains(byte)).count().max(1);
        let word = line[at..at + length].trim_end_matches(['"', '\'', ')', '`']);
        // -p'value'
        let inner = word.split_once(['\'', '"']).filter(|_| word.starts_with('-')).map(|(flag, _)| flag.len());
        match inner {
            Some(flag) => {
                let quote = bytes[at + flag];
                let end = bytes[at + flag + 1..]
                    .iter()
                    .position(|byte| *byte == quote)
                    .map_or(bytes.len(), |end| at + flag + 1 + end);
                words.push(at..at + flag);
                words.push(at + flag + 1..end);
                at = end + 1;
            }
            None => {
                words.push(at..at + word.len());
                at += length;
            }
        }
    }
    words
}
