//! Owns finding what logs in somewhere, by the form in which it is written: URLs, connection strings, `.netrc`,
//! `.pgpass`, logins of registries, SQL, and files that are one secret.

use std::ops::Range;

use super::floor;
use super::format::{Format, Syntax};
use super::hit::Hits;
use super::lookalike::why_not;
use super::named::is_basic;
use super::names::{self, Says};
use super::rules::{CONNECTION_STRING, DOCKER_LOGIN, NETRC_LOGIN, PGPASS_LOGIN, SECRET_FILE, SQL_PASSWORD, URL_LOGIN};

pub(super) fn find(format: Format, path: &str, text: &str, hits: &mut Hits) {
    match format.syntax {
        Syntax::Netrc => netrc(text, hits),
        Syntax::Pgpass => pgpass(text, hits),
        Syntax::Whole => whole(text, hits),
        _ => {}
    }
    if path.ends_with("docker/config.json") || text.contains("\"auths\"") {
        docker(text, hits);
    }
    urls(text, hits);
    connection_strings(text, hits);
    if text.contains("BY '") || text.contains("PASSWORD '") || text.contains("by '") || text.contains("password '") {
        sql(text, hits);
    }
}

/// Whether the name of a file says that all of it is a secret: `vault_pass.txt`, `db.password`.
pub(super) fn is_named_as_secret(name: &str) -> bool {
    let bare = name.strip_suffix(".txt").unwrap_or(name);
    if bare.contains("htpasswd") {
        return false;
    }
    matches!(names::says(bare), Says::Password | Says::Secret)
}

// `scheme://user:password@host`
fn urls(text: &str, hits: &mut Hits) {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find("://").map(|at| at + from) {
        from = at + 3;
        let scheme = bytes[..at]
            .iter()
            .rev()
            .take(24)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
            .count();
        let ends = |byte: u8| byte.is_ascii_whitespace() || b"/\"'`<>?#\\|,;".contains(&byte);
        // A password in it may hold a slash that nobody has quoted, but not before a colon.
        let length = bytes[from..].iter().take(512).take_while(|byte| !ends(**byte)).count();
        let authority = &text[from..floor(text, from + length)];
        let Some((login, host)) = authority.rsplit_once('@') else { continue };
        let Some((_, password)) = login.split_once(':') else { continue };
        let start = from + login.len() - password.len();
        let good = scheme > 0 && !host.is_empty() && why_not(password).is_none() && !is_shown(login, password, host);
        if good && !password.contains(['{', '}', '$', '(']) {
            hits.add(&URL_LOGIN, start..start + password.len(), Some(at - scheme..at));
        }
    }
}

// `user:pass@`, `name:password@` of manuals, whatever the host.
fn is_shown(login: &str, password: &str, host: &str) -> bool {
    let user = login.split(':').next().unwrap_or("");
    matches!(password, "pw" | "p" | "x" | "pass" | "secret" | "passw0rd") && user.len() <= 8
        || password == "x-oauth-basic"
        || host.starts_with("example.")
        || host.contains(".example")
        || host.starts_with("host") && password.len() <= 8
}

// `Password=…;`, `AccountKey=…;`
fn connection_strings(text: &str, hits: &mut Hits) {
    const NAMES: [&str; 5] = ["Password=", "Pwd=", "AccountKey=", "SharedAccessKey=", "password="];
    for name in NAMES {
        let mut from = 0;
        while let Some(at) = text[from..].find(name).map(|at| at + from) {
            from = at + name.len();
            let length =
                text.as_bytes()[from..].iter().take(512).take_while(|byte| !b";\"'\n\r<".contains(byte)).count();
            let value = &text[from..floor(text, from + length)];
            // One setting of several: a semicolon before it, and a `Server=` or the like.
            let before = &text[floor(text, at.saturating_sub(300))..at];
            let before = before.rsplit(['\n', '"', '\'']).next().unwrap_or("");
            let several = before.contains(';') && before.contains('=');
            if several
                && !value.contains(char::is_whitespace)
                && why_not(value).is_none()
                && !value.contains(['{', '$'])
            {
                hits.add(&CONNECTION_STRING, from..from + value.len(), Some(at..at + name.len() - 1));
            }
        }
    }
}

/// Words with their places.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_ascii_whitespace().map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn netrc(text: &str, hits: &mut Hits) {
    let mut before: Option<(usize, &str)> = None;
    for (at, word) in words(text) {
        if let Some((key, name @ ("password" | "account"))) = before
            && why_not(word).is_none()
        {
            hits.add(&NETRC_LOGIN, at..at + word.len(), Some(key..key + name.len()));
            before = None;
        } else {
            before = Some((at, word));
        }
    }
}

// host:port:database:user:password; a backslash before a colon or a backslash makes it part of a field.
fn pgpass(text: &str, hits: &mut Hits) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        let mut fields = 0;
        let mut escaped = false;
        let mut password = None;
        for (at, c) in body.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                ':' => {
                    fields += 1;
                    if fields == 4 {
                        password = Some(at + 1);
                        break;
                    }
                }
                _ => {}
            }
        }
        if let Some(at) = password.filter(|_| !body.starts_with('#'))
            && why_not(&body[at..]).is_none()
        {
            hits.add(&PGPASS_LOGIN, start + at..start + body.len(), None);
        }
        start += line.len();
    }
}

fn whole(text: &str, hits: &mut Hits) {
    let body = text.trim();
    let start = text.len() - text.trim_start().len();
    if !body.contains(['\n', '\r']) && body.len() <= 1024 && why_not(body).is_none() {
        hits.add(&SECRET_FILE, start..start + body.len(), None);
    }
}

fn docker(text: &str, hits: &mut Hits) {
    let mut from = 0;
    while let Some(at) = text[from..].find("\"auth\"").map(|at| at + from) {
        from = at + 6;
        let rest =
            text[from..].trim_start().strip_prefix(':').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
        let Some(rest) = rest else { continue };
        let start = text.len() - rest.len();
        let length =
            rest.bytes().take(2048).take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte)).count();
        if is_basic(&rest[..length]) {
            hits.add(&DOCKER_LOGIN, start..start + length, Some(at + 1..at + 5));
        }
    }
}

// `IDENTIFIED BY '…'`, `PASSWORD '…'`
fn sql(text: &str, hits: &mut Hits) {
    for name in ["IDENTIFIED BY '", "PASSWORD '", "identified by '", "password '"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(name).map(|at| at + from) {
            from = at + name.len();
            let length = text.as_bytes()[from..].iter().take(512).take_while(|byte| !b"'\n".contains(byte)).count();
            let end = floor(text, from + length);
            let closed = text.as_bytes().get(end) == Some(&b'\'');
            if closed && why_not(&text[from..end]).is_none() && !text[from..end].contains([' ', '%', '{', ':', '(']) {
                hits.add(&SQL_PASSWORD, from..end, Some(key_of(at, name)));
            }
        }
    }
}

fn key_of(at: usize, name: &str) -> Range<usize> {
    at..at + name.trim_end_matches([' ', '\'']).len()
}
