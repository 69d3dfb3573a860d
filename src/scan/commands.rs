//! Owns finding passwords on command lines, where a program's own flag says so: `mysql -p…`, `curl -u user:…`.
//!
//! Flags that say it by their name (`--password …`) are found by `named`.

use std::ops::Range;

use super::format::{Format, Syntax};
use super::hit::Hits;
use super::lookalike::why_not;
use super::rules::COMMAND_PASSWORD;

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
    (&["docker", "podman", "helm", "skopeo", "buildah", "oras"], "-p", At::Next),
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
        if matches!(text, "|" | "||" | "&&" | ";") {
            program = "";
        }
        let next = words.get(at + 1).cloned();
        for (programs, flag, place) in FLAGS.iter().filter(|(programs, ..)| programs.contains(&program)) {
            let value = match place {
                At::Glued => {
                    text.strip_prefix(flag).filter(|rest| !rest.is_empty()).map(|rest| word.end - rest.len()..word.end)
                }
                At::Next if text == *flag => next.clone(),
                At::Behind(sign) if text == *flag => next.clone().and_then(|next| behind(line, next, *sign)),
                At::Next | At::Behind(_) => None,
            };
            let flag = start + word.start..start + word.start + flag.len().min(text.len());
            if let Some(value) = value.filter(|value| is_password(program, &line[value.clone()])) {
                hits.add(&COMMAND_PASSWORD, start + value.start..start + value.end, Some(flag));
            }
            let _ = programs;
        }
        // htpasswd -b FILE USER PASSWORD
        if text.starts_with('-')
            && text.contains('b')
            && !text.starts_with("--")
            && at > 0
            && &line[words[at - 1].clone()] == "htpasswd"
        {
            let last = words[at..].iter().find(|word| line[word.end..].trim_start().starts_with(['|', ';', '&']));
            let last = last.or(words.last()).filter(|_| words.len() > at + 2).cloned();
            if let Some(value) = last.filter(|value| is_password("htpasswd", &line[value.clone()])) {
                hits.add(
                    &COMMAND_PASSWORD,
                    start + value.start..start + value.end,
                    Some(start + word.start..start + word.end),
                );
            }
        }
        // echo user:password | chpasswd
        if text == "chpasswd" && at >= 2 && &line[words[at - 1].clone()] != "sudo" || text == "chpasswd" && at >= 3 {
            let login = words[..at].iter().rev().find(|word| line[(*word).clone()].contains(':')).cloned();
            let value = login.and_then(|login| behind(line, login, ':'));
            if let Some(value) = value.filter(|value| is_password("chpasswd", &line[value.clone()])) {
                hits.add(
                    &COMMAND_PASSWORD,
                    start + value.start..start + value.end,
                    Some(start + word.start..start + word.end),
                );
            }
        }
    }
}

fn behind(line: &str, word: Range<usize>, sign: char) -> Option<Range<usize>> {
    let at = line[word.clone()].find(sign)?;
    let scheme = &line[word.start..word.start + at];
    // Of openssl: where else it is taken from.
    (!["env", "file", "fd"].contains(&scheme)).then_some(word.start + at + sign.len_utf8()..word.end)
}

fn is_password(program: &str, text: &str) -> bool {
    let is_port = matches!(program, "docker" | "podman" | "influx")
        && text.bytes().all(|byte| byte.is_ascii_digit() || b":./".contains(&byte));
    // `docker run -p 8080:80`, `podman -p 127.0.0.1:80:80`
    let maps = matches!(program, "docker" | "podman") && text.contains(':');
    why_not(text).is_none() && !text.starts_with('-') && !text.contains(['$', '{']) && !is_port && !maps
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
