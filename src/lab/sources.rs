//! Owns which Debian archive this machine uses: read from its apt sources each time, written nowhere.
//! Must not know how the archive is reached.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{LabError, Result};

/// Debian's archives as this machine reaches them; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archives {
    /// The archive of releases and their updates.
    pub(super) main: String,
    /// The archive of security updates, where the machine names one.
    pub(super) security: Option<String>,
}

/// One line or stanza of apt's sources.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

/// Suites of Debian's own archive: other archives may use the name of a release too, but then not all of this.
const SUITES: [&str; 12] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "unstable",
    "testing",
    "stable",
    "oldstable",
    "oldoldstable",
    "buster",
];

/// Reads the machine's apt sources.
///
/// `REMPART_LAB_MIRROR` and `REMPART_LAB_SECURITY_MIRROR` come first where they are set.
///
/// # Errors
/// [`LabError::MirrorNotFound`] when no Debian archive is named.
pub(super) fn archives() -> Result<Archives> {
    let from_env = |name| std::env::var(name).ok().filter(|v| !v.is_empty()).map(trimmed);
    let read = read_sources(Path::new("/etc/apt"));
    let main = from_env("REMPART_LAB_MIRROR").or_else(|| pick(&read, is_release));
    Ok(Archives {
        main: main.ok_or(LabError::MirrorNotFound)?,
        security: from_env("REMPART_LAB_SECURITY_MIRROR").or_else(|| pick(&read, is_security)),
    })
}

fn is_release(suite: &str) -> bool {
    SUITES.contains(&suite)
}

fn is_security(suite: &str) -> bool {
    let base = suite.strip_suffix("-security").or_else(|| suite.strip_suffix("/updates"));
    base.is_some_and(is_release)
}

/// The archive that most looks like Debian's own: third parties also publish "bookworm main".
fn pick(sources: &[Source], suits: fn(&str) -> bool) -> Option<String> {
    let score = |source: &Source| {
        let path = source.uri.rsplit('/').next().unwrap_or_default();
        let updates = sources
            .iter()
            .any(|other| other.uri == source.uri && other.suites.iter().any(|suite| suite.ends_with("-updates")));
        usize::from(path.starts_with("debian")) * 2 + usize::from(updates)
    };
    let mut best: Option<(&Source, usize)> = None;
    for source in sources {
        let wanted = source.components.iter().any(|component| component == "main")
            && source.suites.iter().any(|suite| suits(suite));
        // The first of equals wins, as apt prefers it.
        if wanted && best.is_none_or(|(_, highest)| score(source) > highest) {
            best = Some((source, score(source)));
        }
    }
    best.map(|(source, _)| source.uri.clone())
}

fn read_sources(etc_apt: &Path) -> Vec<Source> {
    let mut files: Vec<PathBuf> = fs::read_dir(etc_apt.join("sources.list.d"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    files.insert(0, etc_apt.join("sources.list"));
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(one_line)),
            Some("sources") => sources.extend(stanzas(&text)),
            _ => {}
        }
    }
    for source in &mut sources {
        source.uri = trimmed(resolve_list(&source.uri));
    }
    sources.retain(|source| source.uri.starts_with("http") || source.uri.starts_with("tor+http"));
    sources
}

/// `mirror+file:/etc/apt/mirrors/debian.list` (cloud images) names a file with the real addresses.
fn resolve_list(uri: &str) -> String {
    let Some(list) = uri.strip_prefix("mirror+file:") else {
        return uri.to_owned();
    };
    let text = fs::read_to_string(list).unwrap_or_default();
    let first = text.lines().find(|line| line.starts_with("http"));
    let first = first.and_then(|line| line.split_whitespace().next());
    first.unwrap_or_default().to_owned()
}

fn trimmed(uri: String) -> String {
    uri.trim_end_matches('/').to_owned()
}

/// `deb [option=value ...] URI SUITE COMPONENT...`
fn one_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with(char::is_whitespace) {
        return None; // deb-src
    }
    let mut rest = rest.trim_start();
    if let Some(options) = rest.strip_prefix('[') {
        rest = options.split_once(']')?.1;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source { uri: words.next()?, suites: vec![words.next()?], components: words.collect() })
}

/// The deb822 form: fields of a stanza, continued on indented lines, comments anywhere.
fn stanzas(text: &str) -> Vec<Source> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut found = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines.chain([""]) {
        if line.trim().is_empty() {
            found.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with(char::is_whitespace) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    found
}

fn stanza(fields: &[(String, String)]) -> Vec<Source> {
    let words = |name: &str| -> Vec<String> {
        let field = fields.iter().find(|(field, _)| field == name);
        let value = field.map_or("", |(_, value)| value.as_str());
        value.split_whitespace().map(str::to_owned).collect()
    };
    let off = words("enabled").iter().any(|word| word == "no" || word == "false");
    if off || !words("types").iter().any(|word| word == "deb") {
        return Vec::new();
    }
    let source = |uri| Source { uri, suites: words("suites"), components: words("components") };
    words("uris").into_iter().map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Vec<Source> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        read_sources(dir.path())
    }

    #[test]
    fn both_forms_are_read_and_third_parties_are_not_taken_for_debian() {
        let deb822 = read(&[
            (
                "sources.list.d/a.sources",
                "Types: deb\nURIs: https://vendor.example/apt\nSuites: bookworm\nComponents: main\n",
            ),
            (
                "sources.list.d/debian.sources",
                "Types: deb\n# a comment\nURIs: http://mirror.example/debian/\nSuites: bookworm\n bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n",
            ),
            (
                "sources.list.d/off.sources",
                "Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n",
            ),
            ("sources.list.d/x.sources.disabled", "Types: deb\nURIs: http://no.example/\n"),
        ]);
        assert_eq!(pick(&deb822, is_release).unwrap(), "http://mirror.example/debian");
        assert_eq!(pick(&deb822, is_security).unwrap(), "http://mirror.example/debian-security");

        let lines = read(&[(
            "sources.list",
            "deb cdrom:[Debian]/ bookworm main\n# deb http://no.example/debian bookworm main\n\
             deb-src http://no.example/debian bookworm main\n\
             deb [arch=amd64 signed-by=/x.gpg] https://m.example/debian bookworm main contrib # note\n",
        )]);
        assert_eq!(pick(&lines, is_release).unwrap(), "https://m.example/debian");
        assert_eq!(pick(&lines, is_security), None);
    }

    #[test]
    fn a_machine_without_debian_has_none() {
        let ubuntu = read(&[("sources.list", "deb http://u.example/ubuntu noble main\n")]);
        assert_eq!(pick(&ubuntu, is_release), None);
    }
}
