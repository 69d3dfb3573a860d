//! Owns what authorized_keys files make of our key: whether it is in one that sshd reads, and under which options.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::patterns::takes_address;
use super::scene::Account;
use super::sshd::Settings;
use super::verdict::Found;
use crate::resource::{AuthorizedLine, ForeseenFile, ForeseenText};

/// A file of keys as it stands on the host; `None` = it is not there.
pub(super) type KeyFiles = BTreeMap<String, Option<KeyFile>>;

/// What stands in a file of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile {
    pub uid: u32,
    pub text: String,
}

/// Reads a listing: for each file `- PATH`, or `UID SIZE PATH`, a newline, so many bytes, and a newline.
///
/// # Errors
/// It is cut short, or not of that shape.
pub(super) fn read_listing(mut bytes: &[u8]) -> Result<KeyFiles, String> {
    let garbled = || "the listing of authorized keys is garbled".to_owned();
    let mut files = KeyFiles::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(garbled)?;
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| garbled())?;
        bytes = &bytes[end + 1..];
        if let Some(path) = line.strip_prefix("- ") {
            files.insert(path.to_owned(), None);
            continue;
        }
        let mut words = line.splitn(3, ' ');
        let (Some(uid), Some(size), Some(path)) = (words.next(), words.next(), words.next()) else {
            return Err(garbled());
        };
        let size: usize = size.parse().map_err(|_| garbled())?;
        if bytes.get(size) != Some(&b'\n') {
            return Err(garbled());
        }
        let text = String::from_utf8_lossy(&bytes[..size]).into_owned();
        files.insert(path.to_owned(), Some(KeyFile { uid: uid.parse().map_err(|_| garbled())?, text }));
        bytes = &bytes[size + 1..];
    }
    Ok(files)
}

/// The files that sshd looks for keys in, with its tokens filled in.
pub(super) fn paths(settings: &Settings, user: &str, account: &Account) -> Vec<String> {
    let filled = |word: &str| {
        let mut path = String::new();
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('%') {
            path.push_str(before);
            path.push_str(match after.chars().next() {
                Some('h') => &account.home,
                Some('u') => user,
                Some('%') => "%",
                _ => "?",
            });
            rest = after.get(1..).unwrap_or("");
        }
        path.push_str(rest);
        if path.starts_with('/') { path } else { format!("{}/{path}", account.home) }
    };
    settings.words("authorizedkeysfile").into_iter().filter(|word| *word != "none").map(filled).collect()
}

/// What the files at `paths` make of our key; `foreseen` = files as the plan leaves them.
pub(super) fn judge(
    paths: &[String],
    there: &KeyFiles,
    foreseen: &BTreeMap<String, ForeseenFile>,
    (user, account): (&str, &Account),
    key: &[u8],
    from: IpAddr,
) -> Found {
    let mut findings = Vec::new();
    for path in paths {
        let kept = there.get(path);
        let edited;
        let above = foreseen.iter().find(|(above, file)| is_above(above, path) && !is_safe(file, user));
        if let Some((above, file)) = above {
            let by =
                format!("{above} would be {}:{} {}: sshd reads no keys below it", file.owner, file.group, file.mode);
            findings.push(Found::Closed(by, "let it belong to the account or root, writable for nobody else"));
            continue;
        }
        let text = match foreseen.get(path).map(|file| (&file.text, file)) {
            Some((ForeseenText::Gone, _)) => continue,
            Some((ForeseenText::Hidden, _)) => {
                findings.push(Found::Undecided(format!("{path} will hold a secret, so nobody looked into it")));
                continue;
            }
            Some((_, file)) if !is_safe(file, user) => {
                let by = format!("{path} would be {}:{} {}: sshd refuses it", file.owner, file.group, file.mode);
                findings.push(Found::Closed(by, "let it belong to the account or root, with mode 0600"));
                continue;
            }
            Some((ForeseenText::Plain(text), _)) => text.as_str(),
            Some((ForeseenText::Edited(edits), _)) => {
                let Some(kept) = kept else {
                    findings.push(Found::Undecided(format!("{path} was not read")));
                    continue;
                };
                let text = kept.as_ref().map_or(String::new(), |file| file.text.clone());
                let Some(text) = edits.iter().try_fold(text, |text, edit| edit.of(&text)) else {
                    findings.push(Found::Undecided(format!("what parts of {path} become is not simulated")));
                    continue;
                };
                edited = text;
                edited.as_str()
            }
            Some((ForeseenText::Kept, _)) | None => match kept {
                Some(Some(file)) if file.uid != 0 && file.uid != account.uid => {
                    findings.push(Found::Undecided(format!("{path} belongs to somebody else")));
                    continue;
                }
                Some(Some(file)) => file.text.as_str(),
                Some(None) => continue,
                None => {
                    findings.push(Found::Undecided(format!("{path} was not read")));
                    continue;
                }
            },
        };
        findings.extend(in_text(path, text, key, from));
    }
    // Any file will do, so the best counts.
    let rank = |found: &Found| match found {
        Found::Open(_) => 0,
        Found::Undecided(_) => 1,
        Found::Closed(..) => 2,
    };
    findings.into_iter().min_by_key(rank).unwrap_or_else(|| {
        let by = match paths {
            [] => "sshd would read no authorized_keys file".to_owned(),
            _ => format!("our key stands in none of {}", paths.join(", ")),
        };
        Found::Closed(by, "keep the key that rempart logs in with in the file")
    })
}

/// The files of the plan, those of the account (`~NAME/...`) under the path that they have.
pub(super) fn at_home(
    foreseen: &BTreeMap<String, ForeseenFile>,
    user: &str,
    account: &Account,
) -> BTreeMap<String, ForeseenFile> {
    let own = format!("~{user}/");
    let named = |path: &String| match path.strip_prefix(&own) {
        Some(rest) => format!("{}/{rest}", account.home.trim_end_matches('/')),
        None => path.clone(),
    };
    foreseen.iter().map(|(path, file)| (named(path), file.clone())).collect()
}

fn is_above(above: &str, path: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

// StrictModes, as far as the file itself goes.
fn is_safe(file: &ForeseenFile, user: &str) -> bool {
    let mode = u32::from_str_radix(&file.mode, 8).unwrap_or(0);
    // What goes takes the keys below it along.
    let gone = file.text == ForeseenText::Gone;
    !gone
        && mode & 0o022 == 0
        && matches!(file.owner.as_str(), owner if owner.is_empty() || owner == "root" || owner == user)
}

// What the lines with our key say, the first that lets us in if one does; nothing where there is no such line.
fn in_text(path: &str, text: &str, key: &[u8], from: IpAddr) -> Option<Found> {
    let mut worst: Option<Found> = None;
    for (at, line) in text.lines().enumerate() {
        let Some(AuthorizedLine { options, blob, .. }) = AuthorizedLine::read(line) else { continue };
        if blob != key {
            continue;
        }
        let place = format!("{path} line {}", at + 1);
        match by_options(&place, &options, from) {
            open @ Found::Open(_) => return Some(open),
            // A command that is forced ends the search: sshd takes this line.
            closed @ Found::Closed(..) if closed_for_good(&options) => return Some(closed),
            found => worst = Found::worst(worst.into_iter().chain([found])),
        }
    }
    worst
}

fn closed_for_good(options: &[(String, String)]) -> bool {
    options.iter().any(|(name, _)| name == "command")
}

fn by_options(place: &str, options: &[(String, String)], from: IpAddr) -> Found {
    for (name, value) in options {
        match name.as_str() {
            "from" => match takes_address(value, from) {
                Some(true) => {}
                Some(false) => {
                    let by = format!("{place}: from=\"{value}\" leaves out {from}");
                    return Found::Closed(by, "add the address that rempart comes from");
                }
                None => return Found::Undecided(format!("{place}: from=\"{value}\" names hosts")),
            },
            "command" => {
                let by = format!("{place}: command=... lets our key run one command only");
                return Found::Closed(by, "give rempart a key of its own without command=");
            }
            "cert-authority" => return Found::Undecided(format!("{place} takes our key for an authority's")),
            "expiry-time" => return Found::Undecided(format!("{place}: the key expires at {value}")),
            _ => {}
        }
    }
    Found::Open(place.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::model::ResourceId;
    use crate::resource::Origin;

    const OURS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ1d";

    fn key() -> Vec<u8> {
        BASE64_STANDARD.decode(OURS.split(' ').nth(1).unwrap()).unwrap()
    }

    fn account() -> Account {
        Account { home: "/home/admin".into(), uid: 1000, ..Account::default() }
    }

    fn told(text: &str) -> Found {
        let path = "/home/admin/.ssh/authorized_keys".to_owned();
        let there = KeyFiles::from([(path.clone(), Some(KeyFile { uid: 1000, text: text.into() }))]);
        judge(&[path], &there, &BTreeMap::new(), ("admin", &account()), &key(), "192.0.2.1".parse().unwrap())
    }

    #[test]
    fn our_key_is_found_and_its_options_count() {
        let open = |text: String| assert!(matches!(told(&text), Found::Open(_)), "{text}: {:?}", told(&text));
        let closed = |text: String| assert!(matches!(told(&text), Found::Closed(..)), "{text}: {:?}", told(&text));
        open(format!("# a comment\n{OTHER}\n{OURS} admin@x\n"));
        open(format!("restrict,environment=\"A=\\\"b c\\\"\",from=\"192.0.2.0/24\" {OURS}"));
        open(format!("from=\"198.51.100.1\" {OURS}\n{OURS}"));
        closed(OTHER.to_owned());
        closed(String::new());
        closed(format!("#{OURS}"));
        closed(format!("from=\"198.51.100.1,!192.0.2.1\" {OURS}"));
        closed(format!("command=\"echo hi, there\" {OURS}\n{OURS}"));
        for text in [format!("expiry-time=\"20300101\" {OURS}"), format!("from=\"bastion\" {OURS}")] {
            assert!(matches!(told(&text), Found::Undecided(_)), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_plan_counts_as_it_will_stand() {
        let path = "/home/admin/.ssh/authorized_keys".to_owned();
        let there = KeyFiles::from([(path.clone(), Some(KeyFile { uid: 1000, text: OURS.into() }))]);
        let told = |text: ForeseenText, mode: &str, owner: &str| {
            let origin = Origin { id: ResourceId::new("file", "x"), place: "x:1".into() };
            let group = owner.to_owned();
            let file = ForeseenFile { text, mode: mode.into(), owner: owner.into(), group, origin };
            let foreseen = BTreeMap::from([(path.clone(), file)]);
            judge(
                std::slice::from_ref(&path),
                &there,
                &foreseen,
                ("admin", &account()),
                &key(),
                "192.0.2.1".parse().unwrap(),
            )
        };
        assert!(matches!(told(ForeseenText::Kept, "0600", "admin"), Found::Open(_)));
        assert!(matches!(told(ForeseenText::Plain(OTHER.into()), "0600", "admin"), Found::Closed(..)));
        assert!(matches!(told(ForeseenText::Gone, "0600", "admin"), Found::Closed(..)));
        assert!(matches!(told(ForeseenText::Hidden, "0600", "admin"), Found::Undecided(_)));
        let path = "/home/admin".to_owned();
        let told_home = |mode: &str, owner: &str| {
            let origin = Origin { id: ResourceId::new("directory", "x"), place: "x:1".into() };
            let (mode, owner, group) = (mode.to_owned(), owner.to_owned(), owner.to_owned());
            let home = ForeseenFile { text: ForeseenText::Kept, mode, owner, group, origin };
            let foreseen = BTreeMap::from([(path.clone(), home)]);
            let paths = ["/home/admin/.ssh/authorized_keys".to_owned()];
            judge(&paths, &there, &foreseen, ("admin", &account()), &key(), "192.0.2.1".parse().unwrap())
        };
        assert!(matches!(told_home("0750", "admin"), Found::Open(_)));
        assert!(matches!(told_home("0777", "admin"), Found::Closed(..)));
        assert!(matches!(told_home("0755", "other"), Found::Closed(..)));
        for (mode, owner) in [("0666", "admin"), ("0620", "root"), ("0600", "mallory")] {
            assert!(matches!(told(ForeseenText::Plain(OURS.into()), mode, owner), Found::Closed(..)), "{mode} {owner}");
        }
    }

    #[test]
    fn the_listing_is_read_by_its_sizes() {
        let files = read_listing(b"- /a\n1000 4 /b c\na\nb\n\n").unwrap();
        assert_eq!(files["/a"], None);
        assert_eq!(files["/b c"], Some(KeyFile { uid: 1000, text: "a\nb\n".into() }));
        for bad in ["1000 9 /b\nabc\n", "x", "1 2\n", "a 0 /x\n\n", "1 18446744073709551615 /x\n\n"] {
            assert!(read_listing(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            told(&text);
            told(&format!("{text} {OURS}"));
            let _ = read_listing(&bytes);
        }
    }
}
