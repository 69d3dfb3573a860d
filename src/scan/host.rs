//! Owns what a host answers to the script of `search`: its files, and what of them was not looked at.
//!
//! The contents travel to the controller, where the same rules judge them as at home: a second set of rules in shell would
//! have a second set of faults. They stand in no file and no argument vector on the way; what could not be read is said.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::search::{OF_FILE, OF_HOST, SEARCH};
use crate::resource::{ProbeError, SectionOutput};

/// One file of a host. Its content is no plain field: it is full of secrets.
pub struct HostFile {
    /// Its path.
    pub path: String,
    /// Octal: `600`.
    pub mode: String,
    /// Its owner's name.
    pub owner: String,
    content: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for HostFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostFile({}, {} bytes)", self.path, self.content.len())
    }
}

impl HostFile {
    /// What it holds.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

/// What a host answered.
#[derive(Debug, Default)]
pub struct HostFiles {
    /// The files that were read.
    pub read: Vec<HostFile>,
    /// What was not looked at, and why.
    pub not_read: Vec<(String, String)>,
}

/// Reads the answer.
///
/// # Errors
/// It is no answer: cut short, or not understood.
pub fn read_host(section: &SectionOutput) -> Result<HostFiles, ProbeError> {
    let garbled = |what: &str| ProbeError(format!("the answer about files is garbled: {what}"));
    let mut files = HostFiles::default();
    let mut lines = section.stdout.split(|byte| *byte == b'\n');
    let mut ended = false;
    let mut codes: Vec<i32> = Vec::new();
    while let Some(line) = lines.next() {
        let line = String::from_utf8_lossy(line);
        let mut words = line.splitn(2, ' ');
        match (words.next(), words.next()) {
            (Some(""), None) => {}
            (Some("D"), None) => ended = true,
            (Some("C"), Some(code)) => codes.push(code.parse().map_err(|_| garbled("a search without its status"))?),
            (Some("U"), Some(rest)) => {
                let (why, path) = rest.split_once(' ').ok_or_else(|| garbled("a file without a reason"))?;
                files.not_read.push((path.to_owned(), why_not_read(why)));
            }
            (Some("F"), Some(rest)) => {
                let owner = lines.next().ok_or_else(|| garbled("a file without its owner"))?;
                let body = lines.next().ok_or_else(|| garbled("a file without its content"))?;
                let mut about = rest.splitn(3, ' ');
                let (Some(mode), Some(size), Some(path)) = (about.next(), about.next(), about.next()) else {
                    return Err(garbled("a file without its name"));
                };
                let content =
                    Zeroizing::new(STANDARD.decode(body).map_err(|_| garbled("a content that is no base64"))?);
                let size: u64 = size.parse().map_err(|_| garbled("a file without its size"))?;
                let came = content.len() as u64;
                if size > OF_FILE {
                    let why = format!("only its first {} KiB: it is longer", OF_FILE / 1024);
                    files.not_read.push((path.to_owned(), why));
                } else if came < size {
                    files.not_read.push((path.to_owned(), format!("only {came} of {size} bytes could be read")));
                }
                let owner = String::from_utf8_lossy(owner).into_owned();
                files.read.push(HostFile { path: path.into(), mode: mode.into(), owner, content });
            }
            _ => return Err(garbled("an unknown line")),
        }
    }
    let told = String::from_utf8_lossy(&section.stderr);
    let complaints: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("find: ")).collect();
    if !ended {
        // What else was said, by sort for one; never a line of the output, which holds contents.
        let said = told.lines().find(|line| !line.trim().is_empty() && !line.starts_with("find: "));
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        return Err(ProbeError(format!("the answer about files is cut short{said}")));
    }
    // Where find says itself what it could not search, that is enough.
    let unsaid = codes.iter().filter(|code| **code != 1 || complaints.is_empty());
    files.not_read.extend(unsaid.map(|code| ("(folders)".to_owned(), why_failed(*code))));
    for line in complaints {
        // find: '/root': Permission denied
        let (path, why) = line.rsplit_once(": ").unwrap_or((line, "it could not be searched"));
        if why != "No such file or directory" {
            files.not_read.push((path.trim_matches(['\'', '\u{2018}', '\u{2019}']).to_owned(), why.to_lowercase()));
        }
    }
    Ok(files)
}

fn why_failed(code: i32) -> String {
    match code {
        // What `timeout` says of what it ended; the latter also where something else killed it.
        124 => format!("the search for files took longer than {SEARCH} s"),
        137 => format!("the search for files was killed, or took longer than {SEARCH} s"),
        code => format!("the search for files or homes failed (status {code})"),
    }
}

fn why_not_read(word: &str) -> String {
    match word {
        "gone" => "it was gone when it was to be read, or its name holds a newline".to_owned(),
        "denied" => "permission denied".to_owned(),
        "full" => format!("{} MiB of other files were read before it", OF_HOST / 1024 / 1024),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::process::Command;

    use super::super::search::commands;
    use super::*;

    fn asked(root: &Path) -> Result<HostFiles, ProbeError> {
        asked_with(root, None, "true")
    }

    // With programs of one's own before those of the system.
    fn asked_with(root: &Path, programs: Option<&Path>, homes: &'static str) -> Result<HostFiles, ProbeError> {
        let script = commands(&[root.display().to_string(), "/no/such/folder".to_owned()], homes);
        let path = std::env::var("PATH").unwrap();
        let path = programs.map_or(path.clone(), |folder| format!("{}:{path}", folder.display()));
        let done =
            Command::new("sh").arg("-c").arg(script.text()).env("LC_ALL", "C").env("PATH", path).output().unwrap();
        read_host(&SectionOutput { status: done.status.code().unwrap(), stdout: done.stdout, stderr: done.stderr })
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn paths(files: &HostFiles, below: &Path) -> Vec<String> {
        let short = |file: &HostFile| file.path.strip_prefix(&format!("{}/", below.display())).unwrap().to_owned();
        files.read.iter().map(short).collect()
    }

    #[test]
    fn folders_that_are_links_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("disk/home/x/.env"), "A=1");
        write(&at("disk/app/.env"), "A=1");
        write(&at("disk/y/.env"), "A=1");
        symlink("disk/home", at("home")).unwrap();
        symlink("../app", at("disk/home/app")).unwrap();
        // Searched where it stands, or not at all.
        symlink("x", at("disk/home/again")).unwrap();
        symlink("/usr/share", at("disk/home/share")).unwrap();
        symlink("/", at("disk/home/all")).unwrap();
        let files = asked(&at("home")).unwrap();
        assert_eq!(paths(&files, folder.path()), ["home/app/.env", "home/x/.env"]);
        assert!(files.not_read.is_empty(), "{files:?}");
        // A home beside them.
        let home: &'static str = format!("echo {}", at("disk/y").display()).leak();
        assert_eq!(paths(&asked_with(&at("home"), None, home).unwrap(), folder.path()).len(), 3);
    }

    #[test]
    fn a_search_that_died_or_failed_is_no_answer_or_said() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        write(&root.join(".env"), "A=1");
        let with = |program: &str, text: &str, homes: &'static str| {
            let programs = tempfile::tempdir().unwrap();
            write(&programs.path().join(program), &format!("#!/bin/sh\n{text}\n"));
            let all = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(programs.path().join(program), all).unwrap();
            asked_with(&root, Some(programs.path()), homes)
        };
        let ProbeError(why) = with("sort", "echo 'sort: no space left' >&2; exit 2", "true").unwrap_err();
        assert_eq!(why, "the answer about files is cut short: sort: no space left");
        assert!(with("sort", "head -n 1; kill -9 $$", "true").is_err());
        for (text, told) in [
            ("exit 124", "took longer than 60 s"),
            ("exit 1", "failed (status 1)"),
            ("echo \"find: '/x': Permission denied\" >&2; exit 1", "permission denied"),
            ("kill -9 $$", "took longer than 60 s"),
        ] {
            let files = with("find", text, "true").unwrap();
            assert!(files.not_read.len() == 1 && files.not_read[0].1.contains(told), "{text}: {files:?}");
        }
        let files = with("find", "echo \"find: '/x': No such file or directory\" >&2; exit 1", "true").unwrap();
        assert!(files.not_read.is_empty(), "{files:?}");
        assert!(with("x", "", "echo '~failed 3'").unwrap().not_read[0].1.contains("failed (status 3)"));
    }

    #[test]
    fn an_owner_may_have_a_space() {
        let text = b"F 600 3 /a b\nDOMAIN\\jane doe\nYWJj\nD\n".to_vec();
        let files = read_host(&SectionOutput { status: 0, stdout: text, stderr: Vec::new() }).unwrap();
        assert_eq!((files.read[0].owner.as_str(), files.read[0].path.as_str()), ("DOMAIN\\jane doe", "/a b"));
    }

    #[test]
    fn files_come_whole_and_what_was_not_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        write("app one/.env", b"A=1\n\nF 600 root 3 x\n\0\xff");
        write("home/x/.ssh/id_ed25519", b"key");
        write("home/x/.claude.json", b"{}");
        write("node_modules/p/.env", b"NO=1");
        write("home/x/notes.txt", b"no candidate");
        write("big.env", &vec![b'x'; 1024 * 1024 + 1]);
        write("new\nline.env", b"A=1");
        std::fs::set_permissions(folder.path().join("app one/.env"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let files = asked(folder.path()).unwrap();
        let names: Vec<&str> = files
            .read
            .iter()
            .map(|file| file.path.strip_prefix(&format!("{}/", folder.path().display())).unwrap())
            .collect();
        assert_eq!(names, ["app one/.env", "big.env", "home/x/.claude.json", "home/x/.ssh/id_ed25519"]);
        assert_eq!(files.read[0].content(), b"A=1\n\nF 600 root 3 x\n\0\xff");
        assert_eq!(files.read[0].mode, "640");
        assert!(!format!("{files:?}").contains("F 600"), "a content is shown by Debug");
        let why: Vec<&str> = files.not_read.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(why.iter().filter(|why| why.starts_with("only its first 1024 KiB")).count(), 1, "{why:?}");
        assert_eq!(why.iter().filter(|why| why.contains("newline")).count(), 2, "{why:?}");
    }

    #[test]
    fn an_answer_that_is_cut_or_garbled_is_none() {
        let of = |text: &str| {
            read_host(&SectionOutput { status: 0, stdout: text.as_bytes().to_vec(), stderr: Vec::new() })
                .map(|files| files.read.len())
        };
        assert_eq!(of("F 600 3 /a\nroot\nYWJj\nD\n"), Ok(1));
        for bad in [
            "",
            "F 600 3 /a\nroot\nYWJj\n",
            "F 600 3 /a\nroot\n!\nD\n",
            "F 600 3 /a\nroot",
            "F 600 3 /a",
            "F 600\nroot\nYWJj\nD\n",
            "X\nD\n",
            "C x\nD\n",
            "F 600 x /a\nroot\nYWJj\nD\n",
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_find_may_not_enter_is_said() {
        let stderr = b"find: '/root': Permission denied\nfind: '/gone': No such file or directory\n".to_vec();
        let files = read_host(&SectionOutput { status: 0, stdout: b"D\n".to_vec(), stderr }).unwrap();
        assert_eq!(files.not_read, [("/root".to_owned(), "permission denied".to_owned())]);
    }
}
