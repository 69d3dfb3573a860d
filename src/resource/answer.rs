//! Owns what a host answered: frames taken apart, and each read as present, absent, or not to be trusted.

use std::collections::{HashMap, HashSet};

use zeroize::Zeroizing;

use super::probe::{CONTENT_LIMIT, WHOLE_LIMIT};
use super::{FieldValue, LookAnswer, Question, ReadText};
use crate::transport::Output;

/// Why an answer cannot be trusted; becomes `unknown`, never "absent" or "fine".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProbeError(pub String);

/// One section's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SectionOutput {
    /// Exit status of its last command.
    pub status: i32,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl SectionOutput {
    /// Standard output as UTF-8 text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str, ProbeError> {
        std::str::from_utf8(&self.stdout).map_err(|_| ProbeError("the answer is not UTF-8 text".into()))
    }

    /// The first line of standard error, or of output, in printable form; for messages.
    pub fn complaint(&self) -> String {
        let bytes = if self.stderr.iter().all(u8::is_ascii_whitespace) { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(it said nothing)");
        line.chars().map(|c| if c.is_control() { '?' } else { c }).take(300).collect()
    }

    /// Whether the shell did not find the command.
    pub fn is_missing_tool(&self) -> bool {
        self.status == 127
    }
}

/// What `stat` says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// In stat's words: `regular file`, `regular empty file`, `directory`, `symbolic link`, ...
    pub file_type: String,
    /// Octal, four digits: `0644`.
    pub mode: String,
    /// Owner's name; its number where there is no name.
    pub owner: String,
    /// Group's name; its number where there is no name.
    pub group: String,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Inode number.
    pub inode: u64,
    /// Time of the last change of content or inode, seconds since 1970 with nine decimals, as text.
    pub ctime: String,
    /// Time of the last change of content, likewise.
    pub mtime: String,
}

impl Stat {
    /// What tells that a file was touched since: `stat --printf='%F %a %u %g %s %i %.9Z'` prints the same.
    pub fn signature(&self) -> String {
        let mode = self.mode.trim_start_matches('0');
        let mode = if mode.is_empty() { "0" } else { mode };
        format!("{} {mode} {} {} {} {} {}", self.file_type, self.uid, self.gid, self.size, self.inode, self.ctime)
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type.starts_with("regular")
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type == "directory"
    }

    /// The last change in microseconds since 1970.
    pub fn ctime_us(&self) -> u64 {
        let (seconds, fraction) = self.ctime.split_once('.').unwrap_or((&self.ctime, "0"));
        let micros: u64 = format!("{fraction:0<6.6}").parse().unwrap_or(0);
        seconds.parse::<u64>().unwrap_or(0) * 1_000_000 + micros
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub enum FileContent {
    /// It has the hash that was asked about.
    AsAsked,
    /// These bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// Over the size that is read; it has not the hash that was asked about, if one was.
    TooLong,
}

impl FileContent {
    /// As the seen value of a field; `held` = the file held a secret once, see [`Answer::held`].
    pub fn into_field(self, size: u64, held: bool) -> FieldValue {
        FieldValue::Read(match self {
            FileContent::AsAsked => ReadText::AsWanted,
            FileContent::Bytes(bytes) if held => ReadText::OfSecret(bytes),
            FileContent::Bytes(bytes) => ReadText::Bytes(bytes),
            FileContent::TooLong => ReadText::TooLong { size },
        })
    }
}

/// Which files of a host held a secret once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// None that anybody knows of.
    #[default]
    Nobody,
    /// These.
    These(HashSet<String>),
    /// The host keeps a list that cannot be read.
    Unknown,
}

/// The answers of one host to one [`Question`].
#[derive(Clone, Debug, Default)]
pub struct Answer {
    stats: HashMap<String, Stat>,
    stat_trouble: Option<String>,
    asked_stats: Vec<String>,
    contents: HashMap<String, Result<FileContent, String>>,
    held: Held,
    sections: HashMap<String, SectionOutput>,
    looks: HashMap<String, LookAnswer>,
}

impl Answer {
    /// Takes a host's output apart.
    ///
    /// # Errors
    /// The frames do not fit: the script was cut short, or something else wrote into the stream.
    pub fn read(question: &Question, output: &Output) -> Result<Answer, ProbeError> {
        let mut sections = frames(&output.stdout, &question.nonce, true)?;
        for (name, section) in frames(&output.stderr, &question.nonce, false)? {
            if let Some(known) = sections.get_mut(&name) {
                known.stderr = section.stdout;
            }
        }
        let mut answer = Answer { asked_stats: question.stats.clone(), ..Answer::default() };
        for at in 0..question.stats.len().div_ceil(500) {
            let section = sections
                .remove(&format!("stat/{at}"))
                .ok_or_else(|| ProbeError("the answer is cut short: no file states".into()))?;
            let asked = (question.stats.len() - at * 500).min(500);
            answer.read_stats(&section, asked)?;
        }
        for (at, path) in question.contents.iter().enumerate() {
            let read = if sections.remove(&format!("same/{at}")).is_some() {
                Ok(FileContent::AsAsked)
            } else {
                let whole = sections.remove(&format!("whole/{at}"));
                let limit = if whole.is_some() { WHOLE_LIMIT } else { CONTENT_LIMIT };
                match whole.or_else(|| sections.remove(&format!("content/{at}"))) {
                    None => Err("the answer is cut short: no content".to_owned()),
                    Some(section) if section.status != 0 => Err(section.complaint()),
                    Some(section) if section.stdout.len() as u64 > limit => Ok(FileContent::TooLong),
                    Some(section) => Ok(FileContent::Bytes(Zeroizing::new(section.stdout))),
                }
            };
            answer.contents.insert(path.clone(), read);
        }
        for (at, name) in question.sections.iter().enumerate() {
            if let Some(section) = sections.remove(&format!("s/{at}")) {
                answer.sections.insert(name.clone(), section);
            }
        }
        Ok(answer)
    }

    /// Adds what the looks brought, each under the key under which it was asked for.
    pub fn set_looks(&mut self, looks: impl IntoIterator<Item = (String, LookAnswer)>) {
        self.looks.extend(looks);
    }

    /// Answers made up by a test: sections by name.
    pub fn of_sections<'a>(sections: impl IntoIterator<Item = (&'a str, SectionOutput)>) -> Answer {
        Answer {
            sections: sections.into_iter().map(|(name, section)| (name.to_owned(), section)).collect(),
            ..Answer::default()
        }
    }

    fn read_stats(&mut self, section: &SectionOutput, asked: usize) -> Result<(), ProbeError> {
        let mut parts: Vec<&[u8]> = section.stdout.split(|byte| *byte == 0).collect();
        let rest = parts.pop().unwrap_or_default();
        if !rest.is_empty() || !parts.len().is_multiple_of(11) {
            return Err(ProbeError("the answer is cut short: file states".into()));
        }
        for record in parts.chunks(11) {
            let text = |at: usize| String::from_utf8_lossy(record[at]).into_owned();
            let number = |at: usize| text(at).parse::<u64>();
            let named = |name: usize, id: usize| if text(name) == "UNKNOWN" { text(id) } else { text(name) };
            let (Ok(uid), Ok(gid), Ok(size), Ok(inode)) = (number(5), number(6), number(7), number(8)) else {
                return Err(ProbeError(format!("stat's answer for {} was not understood", text(0))));
            };
            let stat = Stat {
                file_type: text(1),
                mode: format!("{:0>4}", text(2)),
                owner: named(3, 5),
                group: named(4, 6),
                uid: u32::try_from(uid).unwrap_or(u32::MAX),
                gid: u32::try_from(gid).unwrap_or(u32::MAX),
                size,
                inode,
                ctime: text(9),
                mtime: text(10),
            };
            self.stats.insert(text(0), stat);
        }
        // stat names what it could not read on its error stream. "It is not there" makes the path absent; any other
        // complaint could be about any missing one, so none of them is believed to be absent.
        let complaints = String::from_utf8_lossy(&section.stderr);
        let is_absence = |line: &str| line.ends_with("No such file or directory") || line.ends_with("Not a directory");
        let lines: Vec<&str> = complaints.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let trouble = lines.iter().find(|line| !is_absence(line));
        if let Some(trouble) = trouble {
            self.stat_trouble = Some((*trouble).to_owned());
        } else if parts.len() / 11 + lines.len() != asked {
            // One record or one complaint for each path: what stat kept silent about is not known to be absent.
            self.stat_trouble =
                Some(format!("stat answered about {} of {asked} paths", parts.len() / 11 + lines.len()));
        } else if section.status != 0 && section.status != 1 {
            self.stat_trouble = Some(format!("stat ended with status {}", section.status));
        }
        Ok(())
    }

    /// What stands at a path; `None` = certainly nothing.
    ///
    /// # Errors
    /// It was not asked for, or stat had trouble with it.
    pub fn stat(&self, path: &str) -> Result<Option<&Stat>, ProbeError> {
        if let Some(stat) = self.stats.get(path) {
            return Ok(Some(stat));
        }
        if !self.asked_stats.iter().any(|asked| asked == path) {
            return Err(ProbeError(format!("{path} was not asked about; this is a bug in rempart")));
        }
        match &self.stat_trouble {
            None => Ok(None),
            Some(trouble) => Err(ProbeError(trouble.clone())),
        }
    }

    /// Says which files of the host held a secret that rempart wrote.
    pub fn set_held(&mut self, held: Held) {
        self.held = held;
    }

    /// Whether a file held a secret once, or that cannot be told: then nothing that it holds is to be shown.
    pub fn held(&self, path: &str) -> bool {
        match &self.held {
            Held::Nobody => false,
            Held::These(paths) => paths.contains(path),
            Held::Unknown => true,
        }
    }

    /// What a file holds; `None` = it is certainly not there, or no regular file.
    ///
    /// # Errors
    /// It was not asked for, or could not be read.
    pub fn content(&self, path: &str) -> Result<Option<FileContent>, ProbeError> {
        match self.stat(path)? {
            Some(stat) if stat.is_file() => {}
            _ => return Ok(None),
        }
        match self.contents.get(path) {
            Some(Ok(content)) => Ok(Some(content.clone())),
            Some(Err(complaint)) => Err(ProbeError(format!("{path} could not be read: {complaint}"))),
            None => Err(ProbeError(format!("{path} was not asked for; this is a bug in rempart"))),
        }
    }

    /// A section's output, whatever its status.
    ///
    /// # Errors
    /// The section is missing: the script was cut short.
    pub fn section(&self, name: &str) -> Result<&SectionOutput, ProbeError> {
        self.sections.get(name).ok_or_else(|| ProbeError(format!("the answer is cut short: no `{name}`")))
    }

    /// A look's answer, by the key given to `ProbeScript::look`.
    pub fn look(&self, key: &str) -> LookAnswer {
        self.looks.get(key).cloned().unwrap_or_else(|| LookAnswer::Unknown("the look was not taken".into()))
    }
}

// Splits `\nNONCE b NAME\n ... \nNONCE e NAME STATUS\n`. On the error stream there are beginnings only.
fn frames(bytes: &[u8], nonce: &str, ended: bool) -> Result<HashMap<String, SectionOutput>, ProbeError> {
    let mark = format!("\n{nonce} ").into_bytes();
    let mut sections = HashMap::new();
    let mut open: Option<(String, usize)> = None;
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], &mark).map(|at| at + from) {
        let line_start = at + mark.len();
        let line_end = find(&bytes[line_start..], b"\n").map_or(bytes.len(), |end| line_start + end);
        let line = String::from_utf8_lossy(&bytes[line_start..line_end]).into_owned();
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("b"), Some(name)) => {
                if let Some((name, start)) = open.take() {
                    if ended {
                        return Err(ProbeError(format!("the answer is garbled: `{name}` has no end")));
                    }
                    let output = SectionOutput { stdout: bytes[start..at].to_vec(), ..SectionOutput::default() };
                    sections.insert(name, output);
                }
                open = Some((name.to_owned(), (line_end + 1).min(bytes.len())));
            }
            (Some("e"), Some(name)) => {
                let status = words.next().and_then(|word| word.parse().ok());
                match (open.take(), status) {
                    (Some((opened, start)), Some(status)) if opened == name => {
                        let stdout = bytes[start.min(at)..at].to_vec();
                        sections.insert(opened, SectionOutput { status, stdout, stderr: Vec::new() });
                    }
                    _ => return Err(ProbeError(format!("the answer is garbled around `{name}`"))),
                }
            }
            _ => return Err(ProbeError("the answer is garbled: an unknown frame".into())),
        }
        // The newline that ends this line may begin the next mark.
        from = line_end;
    }
    if let Some((name, start)) = open {
        if ended {
            return Err(ProbeError(format!("the answer is cut short in `{name}`")));
        }
        let output = SectionOutput { stdout: bytes[start.min(bytes.len())..].to_vec(), ..SectionOutput::default() };
        sections.insert(name, output);
    }
    Ok(sections)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
