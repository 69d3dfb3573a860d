//! How log files are rotated: a file of its own in /etc/logrotate.d, which logrotate itself must take.

mod text;

use schemars::JsonSchema;
use serde::Deserialize;

use self::text::Every;
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Kind, ManagedFile, ProbeError, ProbeScript, Provision,
    SectionOutput, Seen, Step, Texts, mode_text, plain_name, size_bytes,
};
use crate::secret::Rendered;
use crate::sh;

const FOLDER: &str = "/etc/logrotate.d";

// What logrotate says of all of its files together; `-d` changes nothing.
const WHOLE: &str = "logrotate -d";
const WHOLE_COMMAND: &str = "command -v logrotate >/dev/null || exit 70
logrotate -d /etc/logrotate.conf";
const MISSING: i32 = 70;

// A log that is not there yet is no fault of the file.
const CHECK: &str = r#"rp_said=$(logrotate -d "$1" 2>&1) || :
rp_bad=$(printf '%s\n' "$rp_said" | grep '^error: ' | grep -v '^error: stat of .* failed: No such file or directory$') || :
if [ -n "$rp_bad" ] || ! printf '%s\n' "$rp_said" | grep -q '^Handling [1-9]'; then
  printf '%s\n' "${rp_bad:-$rp_said}" | sed "s|$1|the new file|g" >&2; return 1
fi"#;

/// How log files are rotated: a file of its own in /etc/logrotate.d. It is tried by `logrotate -d` before it replaces
/// another, and what logrotate says against it among all of its files is seen as `refused`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logrotate {
    /// The file's name in /etc/logrotate.d: letters, digits, `_` and `-`, since logrotate passes over some endings.
    name: String,
    /// The log files: an absolute path, which may hold `*`, `?` and `[]`, or a list of them. Needed unless absent.
    #[serde(default)]
    paths: Option<Texts>,
    /// How often.
    #[serde(default)]
    every: Every,
    /// How many old files are kept.
    #[serde(default = "four")]
    rotate: u32,
    /// Old files are removed after this many days. Not said unless given.
    #[serde(default)]
    max_age: Option<u32>,
    /// Rotates as soon as the log is larger, whenever logrotate looks: bytes, or with K, M or G (of 1024).
    #[serde(default)]
    max_size: Option<String>,
    /// Rotates at its time only when the log is larger: bytes, or with K, M or G (of 1024).
    #[serde(default)]
    min_size: Option<String>,
    /// Whether old files are compressed.
    #[serde(default = "yes")]
    compress: bool,
    /// Whether the newest old file stays as it is until the next time, for programs that still write to it.
    #[serde(default)]
    delay_compress: bool,
    /// Whether a log that is not there is fine.
    #[serde(default = "yes")]
    missing_ok: bool,
    /// Whether an empty log is rotated.
    #[serde(default)]
    if_empty: bool,
    /// Whether old files are named by their date in the place of a number.
    #[serde(default)]
    date_ext: bool,
    /// Whether the log is copied and then cut, for programs that cannot be told to open it anew. Lines between are lost.
    #[serde(default)]
    copy_truncate: bool,
    /// The new log after each rotation: `MODE OWNER GROUP`, such as `0640 root adm`. Without it none is made.
    #[serde(default)]
    create: Option<String>,
    /// The user and group as which it rotates, such as `root adm`: needed where the folder may be written by others.
    #[serde(default)]
    su: Option<String>,
    /// A shell script that runs once after logs were rotated. The host's own shell runs it, as root or `su`.
    #[serde(default)]
    post_rotate: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    logs: Vec<String>,
}

fn four() -> u32 {
    4
}

fn yes() -> bool {
    true
}

impl Logrotate {
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: format!("{FOLDER}/{}", self.name),
            content: Some(Rendered::plain(self.text())),
            mode: "0644".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let file = self.file().read(answer)?;
        if self.state == State::Absent {
            return Ok(file.map_or(Seen::Absent, Seen::Present));
        }
        let whole = answer.section(WHOLE)?;
        if whole.status == MISSING {
            let brought_by = vec![Provision::Package("logrotate".into())];
            return Ok(Seen::NotYet { missing: "logrotate is not installed".into(), brought_by });
        }
        let Some(mut fields) = file else { return Ok(Seen::Absent) };
        fields.insert("refused".into(), FieldValue::List(self.complaints(whole)?));
        Ok(Seen::Present(fields))
    }

    // What logrotate says against this file when it reads all of them.
    fn complaints(&self, whole: &SectionOutput) -> Result<Vec<String>, ProbeError> {
        let said = String::from_utf8_lossy(&whole.stderr);
        // It reads the files of the folder by their names, and tells each.
        if !said.lines().any(|line| line == format!("reading config file {}", self.name)) {
            let ignored = format!("error: Ignoring {} because ", self.name);
            return match said.lines().find(|line| line.starts_with(&ignored)) {
                Some(refused) => Ok(vec![refused.to_owned()]),
                None => {
                    Err(ProbeError(format!("logrotate did not say that it reads {}: {}", self.name, whole.complaint())))
                }
            };
        }
        let mine = [format!("error: {}:", self.name), format!("error: found error in file {},", self.name)];
        let mut found: Vec<String> = Vec::new();
        let mut inside = false;
        for line in said.lines() {
            if let Some(pattern) = line.strip_prefix("rotating pattern: ") {
                inside = pattern.starts_with(&format!("{} ", self.pattern()));
            }
            let of_log = inside && line.starts_with("error: ") && !line.starts_with("error: stat of ");
            if of_log || mine.iter().any(|mine| line.starts_with(mine)) {
                found.push(line.to_owned());
            }
        }
        Ok(found)
    }
}

fn words(field: &'static str, text: &str, names: &[&str]) -> Result<(), Fault> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let parts: Vec<&str> = text.split(' ').collect();
    if parts.len() != names.len() || parts.iter().any(|part| part.is_empty() || !part.chars().all(fine)) {
        return Err(Fault::new(field, format!("`{}` is not {}", text.escape_debug(), names.join(" "))));
    }
    Ok(())
}

impl Kind for Logrotate {
    const NAME: &'static str = "logrotate";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "How log files are rotated: a file of its own in /etc/logrotate.d.";
    const EXAMPLE: &'static str = "logrotate: { name: gateway, paths: /var/log/gateway/*.log, every: day, rotate: 14, \
create: 0640 root adm, post_rotate: systemctl kill -s HUP gateway }";
    const UNDO: &'static str = "the old file, or nothing where nothing was. Logs that were rotated meanwhile stay so.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            return Err(Fault::new("name", format!("logrotate may pass over a file named `{}`", self.name))
                .fix("use letters, digits, _ and -"));
        }
        self.logs = self.paths.as_ref().map(Texts::list).unwrap_or_default();
        for path in &self.logs {
            let bad = |c: char| c.is_control() || "\"'\\{}#".contains(c);
            if !path.starts_with('/') || path.contains(bad) || path.split('/').any(|part| part == "..") {
                return Err(Fault::new(
                    "paths",
                    format!("`{}` is no path that logrotate can hold", path.escape_debug()),
                )
                .fix("write an absolute path without quotes, braces, # and backslashes"));
            }
        }
        if self.logs.is_empty() && self.state == State::Present {
            return Err(Fault::new("paths", "there is no log to rotate"));
        }
        for (field, size) in [("max_size", &self.max_size), ("min_size", &self.min_size)] {
            if size.as_ref().is_some_and(|size| size_bytes(size).is_none()) {
                return Err(Fault::new(field, "it is no size").fix("write bytes, or a number with K, M or G"));
            }
        }
        if let Some(create) = &self.create {
            words("create", create, &["MODE", "OWNER", "GROUP"])?;
            mode_text("create", create.split(' ').next().unwrap_or_default())?;
            if self.copy_truncate {
                return Err(Fault::new("create", "with copy_truncate the log stays, and none is made"));
            }
        }
        if let Some(su) = &self.su {
            words("su", su, &["USER", "GROUP"])?;
        }
        if let Some(script) = &self.post_rotate {
            let ends = |line: &str| ["endscript", "postrotate"].contains(&line.trim());
            if script.contains(|c: char| c.is_control() && !"\n\t".contains(c)) || script.lines().any(ends) {
                return Err(Fault::new("post_rotate", "it holds what would end it inside of logrotate's file")
                    .fix("put it into a file of its own, and call that"));
            }
            if script.trim().is_empty() {
                return Err(Fault::new("post_rotate", "there is nothing to run"));
            }
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Path(self.file().path), Provision::Package("logrotate".into())];
        let create = self.create.as_deref().unwrap_or_default().split(' ').skip(1);
        for mut pair in [create.collect::<Vec<_>>(), self.su.as_deref().unwrap_or_default().split(' ').collect()] {
            if let (Some(group), Some(user)) = (pair.pop(), pair.pop()) {
                all.extend([Provision::User(user.to_owned()), Provision::Group(group.to_owned())]);
            }
        }
        all
    }

    fn desired(&self) -> Desired {
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        fields.insert("refused".into(), FieldValue::List(Vec::new()));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
        }
        if batch.iter().any(|wanted| wanted.state == State::Present) {
            script.section(WHOLE, Sh::program_of_the_user(WHOLE_COMMAND));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let file = wanted.file();
                let step = match wanted.state {
                    State::Absent => file.remove(seen),
                    State::Present => {
                        let mut step = file.put(seen, Sh::program_of_the_user(CHECK));
                        // The file was right already, and what is against it stands elsewhere.
                        if fields.iter().all(|field| field == "refused") && !fields.is_empty() {
                            let what =
                                format!("{} is as it should be, but logrotate refuses it: see `refused`", file.path);
                            step.script = sh!("echo {} >&2; exit 1", what);
                        }
                        step
                    }
                };
                step.serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::made;

    fn complaints(stderr: &str) -> Result<Vec<String>, ProbeError> {
        let output = SectionOutput { status: 1, stdout: Vec::new(), stderr: stderr.into() };
        made::<Logrotate>("{ name: rp, paths: /var/log/rp.log }").unwrap().complaints(&output)
    }

    #[test]
    fn what_logrotate_says_against_the_file_is_told_and_silence_is_not_fine() {
        assert_eq!(complaints("reading config file rp\nreading config file x\nerror: x:1 bad\n").unwrap(), [""; 0]);
        let said = "reading config file rp\nerror: rp:2 duplicate log entry for /var/log/rp.log\n";
        assert_eq!(complaints(said).unwrap().len(), 1);
        let ignored = "error: Ignoring rp because it is writable by group or others.\n";
        assert_eq!(complaints(ignored).unwrap().len(), 1);
        let rotating = "reading config file rp\nrotating pattern: \"/var/log/rp.log\"  weekly (4 rotations)\n\
error: skipping \"/var/log/rp.log\" because parent directory has insecure permissions\nrotating pattern: /x  weekly\nerror: y\n";
        assert_eq!(complaints(rotating).unwrap().len(), 1);
        assert!(complaints("").is_err() && complaints("reading config file rpx\n").is_err());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (fields, part) in [
            ("{ name: a.bak, paths: /x }", "pass over"),
            ("{ name: a }", "no log"),
            ("{ name: a, paths: x }", "no path"),
            ("{ name: a, paths: '/x\" {' }", "no path"),
            ("{ name: a, paths: /x, max_size: big }", "no size"),
            ("{ name: a, paths: /x, create: 0640 root }", "MODE OWNER GROUP"),
            ("{ name: a, paths: /x, create: 0640 root adm, copy_truncate: true }", "the log stays"),
            ("{ name: a, paths: /x, su: 'a;b c' }", "USER GROUP"),
            ("{ name: a, paths: /x, post_rotate: \"true\\n endscript\" }", "would end it"),
        ] {
            let refused = made::<Logrotate>(fields).unwrap_err();
            assert!(refused.contains(part), "{fields}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn hostile_values_are_refused_or_stay_in_their_lines(path in "/.{0,12}", script in "(?s).{0,20}") {
            let fields = serde_json::json!({ "name": "a", "paths": [path], "post_rotate": script }).to_string();
            if let Ok(wanted) = made::<Logrotate>(&fields) {
                let text = wanted.text();
                let head = format!("\"{}\" {{", path.trim());
                prop_assert_eq!(text.lines().nth(1), Some(head.as_str()));
                prop_assert_eq!(text.lines().filter(|line| line.trim() == "endscript").count(), 1);
                let ends = text.ends_with("  endscript\n}\n");
                prop_assert!(ends);
            }
        }
    }
}
