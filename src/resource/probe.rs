//! Owns the read-only script of a host: questions of many resources, merged so that each tool runs once.
//!
//! Answers are framed by a nonce on both streams, so what a host prints can neither end a section early nor stand in
//! for another one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Look;
use crate::quote::{Sh, quote_sh};
use crate::sh;
use crate::transport::ReadScript;

/// Files up to this size are read whole for a diff; larger ones are compared by hash alone. In bytes.
pub(super) const CONTENT_LIMIT: u64 = 256 * 1024;
/// The same of what is that long and cannot be compared by its hash, since it holds a secret.
pub(super) const WHOLE_LIMIT: u64 = 16 * 1024 * 1024;

const PROLOGUE: &str = r#"LC_ALL=C; export LC_ALL; umask 077; set +e
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
rp_b() { printf '\n%s b %s\n' @NONCE@ "$1"; printf '\n%s b %s\n' @NONCE@ "$1" >&2; }
rp_e() { printf '\n%s e %s %s\n' @NONCE@ "$1" "$2"; }
rp_nl='
'"#;

/// How much of a file a resource wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContentWish {
    /// The content, unless its SHA-256 is this one.
    UnlessSha256(String),
    /// The content in any case.
    Always,
    /// Always, however long it is.
    Whole,
}

/// Questions to one host, collected from all its resources. Each tool is started once, whoever asks.
#[derive(Clone, Debug, Default)]
pub struct ProbeScript {
    stats: BTreeSet<String>,
    contents: BTreeMap<String, ContentWish>,
    sections: BTreeMap<String, Sh>,
    gathers: BTreeMap<&'static str, (&'static str, BTreeSet<String>)>,
    looks: BTreeMap<String, Look>,
    shared: BTreeMap<&'static str, Sh>,
    prelude: Sh,
}

/// A finished script with the nonce that frames its answers.
#[derive(Clone, Debug)]
pub struct Question {
    /// What travels.
    pub script: ReadScript,
    /// What frames the answers.
    pub nonce: String,
    pub(super) stats: Vec<String>,
    pub(super) contents: Vec<String>,
    pub(super) sections: Vec<String>,
}

impl Question {
    /// The frame of each section with the section's name; for tests that play a host.
    pub fn frames(&self) -> impl Iterator<Item = (String, &str)> {
        self.sections.iter().enumerate().map(|(at, name)| (format!("s/{at}"), name.as_str()))
    }
}

impl ProbeScript {
    /// Asks for owner, mode, size and the like of a path (of a symlink itself, not its target).
    pub fn stat(&mut self, path: &str) {
        self.stats.insert(path.to_owned());
    }

    /// Asks for a file's content as well; `sha256` saves the transfer where the content has that hash already.
    pub fn content(&mut self, path: &str, sha256: Option<String>) {
        self.wish(path, sha256.map_or(ContentWish::Always, ContentWish::UnlessSha256));
    }

    /// The same of a file that is wanted so long, and has no hash to be compared by.
    pub fn whole(&mut self, path: &str, length: usize) {
        let long = length as u64 > CONTENT_LIMIT;
        self.wish(path, if long { ContentWish::Whole } else { ContentWish::Always });
    }

    fn wish(&mut self, path: &str, wish: ContentWish) {
        self.stat(path);
        let entry = self.contents.entry(path.to_owned()).or_insert_with(|| wish.clone());
        if *entry != wish {
            let whole = matches!((&wish, &*entry), (ContentWish::Whole, _) | (_, ContentWish::Whole));
            *entry = if whole { ContentWish::Whole } else { ContentWish::Always };
        }
    }

    /// Adds read-only commands under a name of the kind's own, such as `sshd -T`; asking twice runs them once.
    ///
    /// Output, error output and status are kept apart from those of others.
    pub fn section(&mut self, name: impl Into<String>, commands: Sh) {
        self.sections.insert(name.into(), commands);
    }

    /// Adds read-only commands that run before everything else, in the script's own shell: variables and functions that
    /// several sections share. They must print nothing. Adding the same twice adds it once.
    pub fn prelude(&mut self, commands: Sh) {
        if !self.prelude.text().contains(commands.text()) {
            self.prelude.line(commands);
        }
    }

    /// Adds a shell function that a section calls, under a name of its own; asking twice defines it once.
    pub fn shared(&mut self, name: &'static str, function: Sh) {
        self.shared.insert(name, function);
    }

    /// Adds one operand to a command that takes many (`dpkg-query -W a b c`); it runs once with all of them, sorted.
    /// The section's name is the command's name here.
    pub fn gather(&mut self, name: &'static str, command: &'static str, operand: &str) {
        self.gathers.entry(name).or_insert_with(|| (command, BTreeSet::new())).1.insert(operand.to_owned());
    }

    /// Asks over the network, from a vantage. The answer is found under `key`: the resource's `kind:key` and a number
    /// of its own, so that it does not depend on what else is asked.
    pub fn look(&mut self, key: impl Into<String>, look: Look) {
        self.looks.insert(key.into(), look);
    }

    /// The looks that were asked for, by key.
    pub fn looks(&self) -> impl Iterator<Item = (&String, &Look)> {
        self.looks.iter()
    }

    /// Whether the host itself is asked anything.
    pub fn is_empty(&self) -> bool {
        self.stats.is_empty() && self.contents.is_empty() && self.sections.is_empty() && self.gathers.is_empty()
    }

    /// The whole as one script. `nonce` must be unguessable for the host's users.
    pub fn finish(self, nonce: &str, timeout: Duration) -> Question {
        let mut text = Sh::default();
        text.line(Sh::program_of_the_user(&PROLOGUE.replace("@NONCE@", &quote_sh(nonce))));
        text.line(self.prelude);
        for function in self.shared.into_values() {
            text.line(function);
        }
        let stats: Vec<String> = self.stats.into_iter().collect();
        for (at, chunk) in stats.chunks(500).enumerate() {
            text.line(sh!(
                "rp_b {}; stat --printf='%n\\0%F\\0%a\\0%U\\0%G\\0%u\\0%g\\0%s\\0%i\\0%.9Z\\0%.9Y\\0' -- {}; rp_e {} $?",
                format!("stat/{at}"),
                chunk,
                format!("stat/{at}")
            ));
        }
        let hashed: Vec<&String> = self
            .contents
            .iter()
            .filter(|(_, wish)| matches!(wish, ContentWish::UnlessSha256(_)))
            .map(|(path, _)| path)
            .collect();
        if !hashed.is_empty() {
            text.line(sh!("rp_h=$(sha256sum -- {} 2>/dev/null)", hashed));
        }
        for (at, (path, wish)) in self.contents.iter().enumerate() {
            let (name, limit) = match wish {
                ContentWish::Whole => (format!("whole/{at}"), WHOLE_LIMIT),
                ContentWish::Always | ContentWish::UnlessSha256(_) => (format!("content/{at}"), CONTENT_LIMIT),
            };
            let read = sh!("rp_b {}; head -c {} -- {}; rp_e {} $?", name, limit + 1, path, name);
            match wish {
                ContentWish::Always | ContentWish::Whole => text.line(read),
                ContentWish::UnlessSha256(hash) => {
                    let same = format!("same/{at}");
                    let line = format!("{hash}  {path}");
                    text.line(sh!(
                        "case \"$rp_nl$rp_h$rp_nl\" in *\"$rp_nl\"{}\"$rp_nl\"*) rp_b {}; rp_e {} 0 ;; *) {} ;; esac",
                        line,
                        same,
                        same,
                        read
                    ))
                }
            };
        }
        let mut names = Vec::new();
        for (name, (command, operands)) in self.gathers {
            let operands: Vec<String> = operands.into_iter().collect();
            let frame = format!("s/{}", names.len());
            text.line(sh!("rp_b {}; {} {}; rp_e {} $?", frame, Sh::program_of_the_user(command), operands, frame));
            names.push(name.to_owned());
        }
        for (name, commands) in self.sections {
            // In a subshell, so that a variable or an `exit` of one section cannot reach the next.
            let frame = format!("s/{}", names.len());
            text.line(sh!("rp_b {}; (\n{}\n); rp_e {} $?", frame, commands, frame));
            names.push(name);
        }
        let script = ReadScript { text: text.text().to_owned(), root: true, timeout };
        Question {
            script,
            nonce: nonce.to_owned(),
            stats,
            contents: self.contents.into_keys().collect(),
            sections: names,
        }
    }
}
