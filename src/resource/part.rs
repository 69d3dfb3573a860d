//! Owns a part of a text file that others write in too: which lines it is, how it is asked about and replaced.
//!
//! What is told apart from the rest by the host's own tools (part.sh) is so everywhere: in a probe, before a step, in it,
//! and when it is undone.

use super::{Answer, Expect, ProbeError, ProbeScript, Touch};
use crate::quote::Sh;
use crate::sh;

/// The functions that find, read and replace a part on a host.
pub const PART_SHELL: &str = include_str!("part.sh");

/// How the lines of a part are told from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartWay {
    /// They are this very text.
    Line,
    /// They match this extended regular expression, as grep reads it.
    Match,
    /// They hold this key, in a file of authorized keys: its base64 text.
    Key,
    /// They stand between two marks, with these: a mark of comments, a space, and a name.
    Block,
}

/// Some lines of a file that others write in too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file, without a space; `~NAME/...` for one of that account.
    pub file: String,
    /// How its lines are told from the rest.
    pub way: PartWay,
    /// What tells them.
    pub text: String,
}

/// What becomes of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which.
    pub part: Part,
    /// The lines that stand there then; none = it goes.
    pub lines: Vec<String>,
}

const WAYS: [(&str, PartWay); 4] =
    [("line", PartWay::Line), ("match", PartWay::Match), ("key", PartWay::Key), ("block", PartWay::Block)];

impl Part {
    /// The words `FILE WAY TEXT` for sh.
    pub fn words(&self) -> Sh {
        sh!("{} {} {}", self.file, self.way.word(), self.text)
    }

    /// The words, where the file may be an account's: sets `rp_file`, or ends the shell with status 2.
    pub fn resolved(&self) -> (Sh, Sh) {
        let set = sh!("rp_file=$(rp_home_of {}) || { echo {} >&2; exit 2; }", self.file, "the account is not there");
        (set, sh!("\"$rp_file\" {} {}", self.way.word(), self.text))
    }

    /// Asks for its lines.
    pub fn ask(&self, script: &mut ProbeScript) {
        script.prelude(Sh::program_of_the_user(PART_SHELL));
        script.section(self.line(), sh!("rp_part_show {}", self.words()));
    }

    /// Its lines; empty = it is not there.
    ///
    /// # Errors
    /// They could not be told from the rest, or are no UTF-8 text.
    pub fn seen(&self, answer: &Answer) -> Result<Vec<String>, ProbeError> {
        let section = answer.section(&self.line())?;
        if section.status != 0 {
            let why = format!("{} could not be looked through: {}", self.file, section.complaint());
            return Err(ProbeError(why));
        }
        let text = section.text()?;
        let unclear = || ProbeError(format!("what {} holds was not understood", self.file));
        let (head, rest) = text.split_once('\n').ok_or_else(unclear)?;
        let words: Vec<&str> = head.split(' ').collect();
        let ["at", numbers @ .., "end"] = words.as_slice() else { return Err(unclear()) };
        let lines: Vec<String> = rest.split_terminator('\n').map(str::to_owned).collect();
        let sound = numbers.iter().all(|number| number.parse::<u64>().is_ok()) && numbers.len() == lines.len();
        let same = self.way != PartWay::Line || lines.iter().all(|line| *line == self.text);
        if sound && same { Ok(lines) } else { Err(unclear()) }
    }

    /// The precondition that its lines are these.
    pub fn expect(&self, lines: &[String]) -> Expect {
        let (set, words) = self.resolved();
        let command = sh!("{}; rp_part_lines {}", set, words);
        Expect::Prints { command, output: lines.join("\n").trim_end_matches('\n').to_owned() }
    }

    /// What a step touches that changes nothing else.
    pub fn touch(&self) -> Touch {
        Touch::Part(self.clone())
    }

    /// As a line of a before-image. Tabs are written as escapes, since nothing else in such a line may be a control character.
    pub fn line(&self) -> String {
        let text = self.text.replace('\\', r"\\").replace('\t', r"\t");
        format!("part {} {} {text}", self.file, self.way.word())
    }

    /// Reads such a line, after its first word.
    pub fn read(what: &str) -> Option<Self> {
        let (file, rest) = what.split_once(' ')?;
        let (word, escaped) = rest.split_once(' ')?;
        let way = WAYS.iter().find(|(known, _)| *known == word)?.1;
        let mut text = String::new();
        let mut chars = escaped.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => text.push(match chars.next()? {
                    't' => '\t',
                    '\\' => '\\',
                    _ => return None,
                }),
                (c, false) => text.push(c),
            }
        }
        Some(Self { file: file.to_owned(), way, text })
    }

    // Whether a line of a text belongs to it; `None` = only the host can tell.
    fn has(&self, line: &str) -> Option<bool> {
        match self.way {
            PartWay::Line => Some(line == self.text),
            PartWay::Key => {
                let comment = line.trim_start().starts_with('#');
                Some(!comment && line.split_ascii_whitespace().any(|word| word == self.text))
            }
            PartWay::Match | PartWay::Block => None,
        }
    }
}

impl Edit {
    /// What a text becomes by it; `None` = only the host can tell.
    pub fn of(&self, text: &str) -> Option<String> {
        let mut lines: Vec<&str> = Vec::new();
        let mut at = None;
        for line in text.lines() {
            if self.part.has(line)? {
                at.get_or_insert(lines.len());
            } else {
                lines.push(line);
            }
        }
        let at = at.unwrap_or(lines.len());
        lines.splice(at..at, self.lines.iter().map(String::as_str));
        Some(lines.iter().map(|line| format!("{line}\n")).collect())
    }
}

impl PartWay {
    /// Its word in part.sh.
    pub fn word(self) -> &'static str {
        WAYS.iter().find(|(_, way)| *way == self).map_or("", |(word, _)| word)
    }
}
