//! Owns ssh_config: reads the files as OpenSSH does and answers what holds for one host.
//!
//! Must not know inventories or connections. We parse it ourselves: `ssh -G` is exact, but costs a process a host and
//! an OpenSSH client on the controller. Keywords that we do not use are passed over, as are unknown ones.

use std::fs;
use std::path::{Path, PathBuf};

use super::pattern::{any_fits, fits};
use super::ssh_config_words::{expand_environment, split, tilde};

/// What ssh_config says for one host; the first value found wins, as in OpenSSH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub host_name: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub identity_files: Vec<String>,
    pub identities_only: Option<bool>,
    pub identity_agent: Option<String>,
    pub proxy_jump: Option<String>,
    pub proxy_command: Option<String>,
    pub user_known_hosts: Option<Vec<String>>,
    pub global_known_hosts: Option<Vec<String>>,
    pub host_key_alias: Option<String>,
    pub hash_known_hosts: Option<bool>,
    pub connect_timeout: Option<u64>,
    pub alive_interval: Option<u64>,
}

/// Who is asked for, in the words `Match` knows.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    /// The host as written by the caller.
    pub original: &'a str,
    /// The login name, if the caller said one.
    pub user: Option<&'a str>,
    pub local_user: &'a str,
    pub home: &'a Path,
}

/// What `Match exec` asks; a parameter, so that tests run nothing.
pub(super) type Exec<'a> = dyn Fn(&str) -> bool + 'a;

/// Reads `files` in order and gives what holds for `query`; a file that does not exist says nothing.
pub(super) fn resolve(files: &[PathBuf], query: &Query<'_>, exec: &Exec<'_>) -> Result<Settings, String> {
    let mut reading = Reading { query, exec, found: Settings::default() };
    for file in files {
        match fs::read_to_string(file) {
            Ok(text) => reading.read(&text, file, 0, true)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
        }
    }
    Ok(reading.found)
}

struct Reading<'a> {
    query: &'a Query<'a>,
    exec: &'a Exec<'a>,
    found: Settings,
}

impl Reading<'_> {
    fn read(&mut self, text: &str, file: &Path, depth: u8, outer: bool) -> Result<(), String> {
        let mut active = outer;
        for (at, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", file.display(), at + 1);
            let words = split(line).map_err(|reason| format!("{}: {reason}", place()))?;
            let Some((keyword, values)) = words.split_first() else { continue };
            let keyword = keyword.to_ascii_lowercase();
            let Some(first) = values.first() else {
                return Err(format!("{}: {keyword} has no value", place()));
            };
            match keyword.as_str() {
                "host" => active = outer && any_fits(values.iter().map(String::as_str), self.query.original),
                "match" => active = outer && self.matches(values).map_err(|why| format!("{}: {why}", place()))?,
                "include" if active => {
                    if depth >= 16 {
                        return Err(format!("{}: Include goes too deep", place()));
                    }
                    for name in values {
                        self.include(name, file, depth + 1)?;
                    }
                }
                _ if active => self.set(&keyword, first, values).map_err(|why| format!("{}: {why}", place()))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn include(&mut self, name: &str, from: &Path, depth: u8) -> Result<(), String> {
        let named = PathBuf::from(tilde(&expand_environment(name), self.query.home));
        // Relative names mean ~/.ssh for a user's file and /etc/ssh for the system's.
        let base = if from.starts_with("/etc/ssh") { PathBuf::from("/etc/ssh") } else { self.query.home.join(".ssh") };
        for path in glob(&base.join(named)) {
            if let Ok(text) = fs::read_to_string(&path) {
                self.read(&text, &path, depth, true)?;
            }
        }
        Ok(())
    }

    fn matches(&self, words: &[String]) -> Result<bool, String> {
        let mut all = true;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (negated, criterion) = match word.strip_prefix('!') {
                Some(rest) => (true, rest.to_ascii_lowercase()),
                None => (false, word.to_ascii_lowercase()),
            };
            let mut value = || words.next().ok_or_else(|| format!("Match {criterion} has no value"));
            let list = |patterns: &str, text: &str| any_fits(patterns.split(','), text);
            let host = self.host_name();
            let holds = match criterion.as_str() {
                "all" => true,
                "host" => list(value()?, &host),
                "originalhost" => list(value()?, self.query.original),
                "user" => list(value()?, self.user()),
                "localuser" => list(value()?, self.query.local_user),
                "exec" => {
                    let command = self.fill(value()?);
                    all && (self.exec)(&command)
                }
                // We never canonicalize and make one pass, so these two do not hold; nor do we set a tag.
                "canonical" | "final" => false,
                "tagged" | "localnetwork" => {
                    value()?;
                    false
                }
                other => return Err(format!("Match {other} is not known")),
            };
            all &= holds != negated;
        }
        Ok(all)
    }

    fn host_name(&self) -> String {
        match &self.found.host_name {
            Some(name) => name.replace("%h", self.query.original).replace("%%", "%"),
            None => self.query.original.to_owned(),
        }
    }

    fn user(&self) -> &str {
        self.query.user.or(self.found.user.as_deref()).unwrap_or(self.query.local_user)
    }

    fn fill(&self, text: &str) -> String {
        let port = self.found.port.unwrap_or(22).to_string();
        let home = self.query.home.to_string_lossy();
        super::ssh_config_words::fill(text, &|token| match token {
            'h' => Some(self.host_name()),
            'n' => Some(self.query.original.to_owned()),
            'p' => Some(port.clone()),
            'r' => Some(self.user().to_owned()),
            'u' => Some(self.query.local_user.to_owned()),
            'd' => Some(home.to_string()),
            _ => None,
        })
    }

    fn set(&mut self, keyword: &str, first: &str, values: &[String]) -> Result<(), String> {
        let found = &mut self.found;
        match keyword {
            "hostname" => once(&mut found.host_name, first.to_owned()),
            "port" => once(&mut found.port, number(keyword, first)?),
            "user" => once(&mut found.user, first.to_owned()),
            "identityfile" if found.identity_files.iter().any(|known| known == first) => {}
            "identityfile" => found.identity_files.push(first.to_owned()),
            "identitiesonly" => once(&mut found.identities_only, flag(keyword, first)?),
            "identityagent" => once(&mut found.identity_agent, first.to_owned()),
            // Of these two the first one written wins over the other as well.
            "proxyjump" if found.proxy_command.is_none() => once(&mut found.proxy_jump, first.to_owned()),
            "proxycommand" if found.proxy_jump.is_none() => once(&mut found.proxy_command, values.join(" ")),
            "userknownhostsfile" => once(&mut found.user_known_hosts, values.to_vec()),
            "globalknownhostsfile" => once(&mut found.global_known_hosts, values.to_vec()),
            "hostkeyalias" => once(&mut found.host_key_alias, first.to_owned()),
            "hashknownhosts" => once(&mut found.hash_known_hosts, flag(keyword, first)?),
            "connecttimeout" if first != "none" => once(&mut found.connect_timeout, number(keyword, first)?),
            "serveraliveinterval" => once(&mut found.alive_interval, number(keyword, first)?),
            _ => {}
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T) {
    place.get_or_insert(value);
}

fn number<T: std::str::FromStr>(keyword: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{keyword} is no number: {text}"))
}

fn flag(keyword: &str, text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("{keyword} is neither yes nor no: {text}")),
    }
}

/// The files that `path` names, in order; `*` and `?` may stand in its last part.
fn glob(path: &Path) -> Vec<PathBuf> {
    let Some(last) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    if !last.contains(['*', '?']) {
        return vec![path.to_owned()];
    }
    let Some(folder) = path.parent() else { return Vec::new() };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| !name.starts_with('.') && fits(last, name)))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
#[path = "ssh_config_tests.rs"]
mod tests;
