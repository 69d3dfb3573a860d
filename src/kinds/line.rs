//! A line, or a marked block of lines, in a file that others write in too.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Edit, Fault, FieldValue, Fields, Foreseen, Kind, Part, PartWay, ProbeError,
    ProbeScript, Provision, ReadText, Seen, Step, Undo, absolute_path, lifeline,
};
use crate::secret::Rendered;
use crate::sh;

/// A line, or a marked block of lines, in a file that others write in too. All else in the file stays as it is, to the
/// byte. What only rempart writes is better a `file`, and where a program reads a directory of files, one in there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The file: an absolute path without a space.
    path: String,
    /// The line, without secrets. Alone, it is there when a line is this very text.
    #[serde(default)]
    line: Option<String>,
    /// An extended regular expression, as `grep -E` reads it: the one line that matches it becomes `line`, and further
    /// ones go. `line` itself must match it. With `state: absent`, all that match go.
    #[serde(default, rename = "match")]
    pattern: Option<String>,
    /// The name of a block: `content` stands between the lines `# BEGIN rempart NAME` and `# END rempart NAME`.
    #[serde(default)]
    block: Option<String>,
    /// The lines of the block, without secrets.
    #[serde(default)]
    content: Option<String>,
    /// What begins a comment in this file, for the marks of a block. Default: `#`.
    #[serde(default = "mark")]
    comment: String,
    /// Where a new line or block goes: after the last line that matches this extended regular expression. Default, and
    /// where none matches: at the end. One that is there already stays where it is.
    #[serde(default)]
    after: Option<String>,
    /// Whether a file that is not there is made, for root and with mode 0644. Default: false.
    #[serde(default)]
    create: bool,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

fn mark() -> String {
    "#".into()
}

impl Line {
    fn part(&self) -> Part {
        let (way, text) = match (&self.block, &self.pattern, &self.line) {
            (Some(name), ..) => (PartWay::Block, format!("{} {name}", self.comment)),
            (_, Some(pattern), _) => (PartWay::Match, pattern.clone()),
            (.., line) => (PartWay::Line, line.clone().unwrap_or_default()),
        };
        Part { file: self.path.clone(), way, text }
    }

    fn marks(&self) -> [String; 2] {
        ["BEGIN", "END"]
            .map(|word| format!("{} {word} rempart {}", self.comment, self.block.as_deref().unwrap_or_default()))
    }

    // What the part should hold; nothing where it should not be there.
    fn lines(&self) -> Vec<String> {
        if self.state == State::Absent {
            return Vec::new();
        }
        match (&self.content, &self.line) {
            (Some(content), _) => {
                let [begin, end] = self.marks();
                [begin].into_iter().chain(content.split_terminator('\n').map(str::to_owned)).chain([end]).collect()
            }
            (None, Some(line)) => vec![line.clone()],
            (None, None) => Vec::new(),
        }
    }

    // Whether the pattern means one line, which is ours: asked of the tool that reads it.
    fn section(&self) -> String {
        format!("line pattern {}", self.key())
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        if self.pattern.is_some() {
            let section = answer.section(&self.section())?;
            let own = if self.line.is_some() { "0" } else { "-" };
            match section.text()?.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["1", it] if *it == own => {}
                ["0", _] => return Err(ProbeError("`match` fits an empty line, so it would fit every line".into())),
                ["1", "1"] => {
                    let why = "`line` does not match `match`, so it would not be found again";
                    return Err(ProbeError(why.into()));
                }
                _ => return Err(ProbeError(format!("`match` could not be tried: {}", section.complaint()))),
            }
        }
        let Some(stat) = answer.stat(&self.path)? else {
            return Ok(match self.state {
                State::Present if !self.create => Seen::NotYet {
                    missing: format!("{} is not there", self.path),
                    brought_by: vec![Provision::Path(self.path.clone()), Provision::Kind("package_apt")],
                },
                _ => Seen::Absent,
            });
        };
        if !stat.is_file() {
            return Err(ProbeError(format!("{} is a {}, not a regular file", self.path, stat.file_type)));
        }
        let lines = self.part().seen(answer)?;
        if lines.is_empty() {
            return Ok(Seen::Absent);
        }
        let mut fields = Fields::from([("lines".to_owned(), FieldValue::list(lines.clone()))]);
        if self.block.is_some() {
            let [begin, end] = self.marks();
            let [first, inner @ .., last] = lines.as_slice() else {
                return Err(ProbeError(format!("the marks of the block in {} do not pair", self.path)));
            };
            if *first != begin || *last != end {
                return Err(ProbeError(format!("the marks of the block in {} do not pair", self.path)));
            }
            let text: String = inner.iter().map(|line| format!("{line}\n")).collect();
            fields.insert("content".into(), FieldValue::Read(ReadText::Bytes(Zeroizing::new(text.into_bytes()))));
        } else {
            fields.insert("line".into(), FieldValue::list(lines));
        }
        Ok(Seen::Present(fields))
    }

    fn step(&self, seen: &Seen) -> Step {
        let lines = match seen {
            Seen::Present(fields) => match fields.get("lines") {
                Some(FieldValue::List(lines)) => lines.clone(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let (part, risk) = (self.part(), lifeline(&self.path));
        let mut script = Sh::default();
        let check = risk.map(|line| line.check()).unwrap_or_default();
        let validator = if check.is_empty() { "''" } else { "rp_validate" };
        if !check.is_empty() {
            script.line(sh!("rp_validate() {\n{}\n}", check));
        }
        let after = match &self.after {
            Some(after) => sh!("\"$(rp_part_at {} match {} | sed -n '$p')\"", self.path, after),
            None => sh!("''"),
        };
        let call = sh!("rp_part_write {} \"$P/0\" {} {}", part.words(), after, Sh::program_of_the_user(validator));
        script.line(match (self.state, self.create) {
            (State::Absent, _) => sh!("[ ! -e {} ] || {}", self.path, call),
            (State::Present, true) => {
                sh!("if [ -e {} ]; then {}; else {} 0644 root root; fi", self.path, call, call)
            }
            (State::Present, false) => call,
        });
        let mut undo = Undo::of([part.touch()]);
        if let Some(line) = risk {
            if !line.effect().is_empty() {
                script.line(line.effect());
            }
            undo = undo.then(line.after());
        }
        let verb = if self.state == State::Absent { "take out of" } else { "write into" };
        let what = match &self.block {
            Some(name) => format!("the block {name}"),
            None => "a line".to_owned(),
        };
        let payload: String = self.lines().iter().map(|line| format!("{line}\n")).collect();
        let step = Step::new(format!("{verb} {}: {what}", self.path), script).with_payload(Rendered::plain(payload));
        let step = step.synced().undone_by(undo).expecting(part.expect(&lines));
        if risk.is_some() { step.risky() } else { step }
    }
}

impl Kind for Line {
    const NAME: &'static str = "line";
    const SUMMARY: &'static str = "A line, or a marked block of lines, in a file that others write in too.";
    const EXAMPLE: &'static str = "line: { path: /etc/default/grub, match: '^#?GRUB_TIMEOUT=', line: GRUB_TIMEOUT=2 }";
    const UNDO: &'static str = "the lines as they were and where they were, not what others changed in the file since; a file that came with them goes with them.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        let part = self.part();
        let text = match &self.block {
            Some(name) if self.comment == "#" => name.clone(),
            _ => part.text,
        };
        format!("{} {} {text}", self.path, part.way.word())
    }

    fn named(key: &str) -> Option<Value> {
        let (path, rest) = key.split_once(' ').filter(|(path, _)| path.starts_with('/'))?;
        let (way, text) = rest.split_once(' ')?;
        Some(match (way, text.split_once(' ')) {
            ("block", Some((comment, name))) => serde_json::json!({ "path": path, "block": name, "comment": comment }),
            ("block" | "line" | "match", _) => serde_json::json!({ "path": path, way: text }),
            _ => return None,
        })
    }

    fn is_risky(&self) -> bool {
        lifeline(&self.path).is_some()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        if self.path.contains(' ') {
            return Err(Fault::new("path", "a file whose name holds a space is left to `file`"));
        }
        let texts = [("line", &self.line), ("match", &self.pattern), ("after", &self.after)];
        for (field, text) in texts.into_iter().filter_map(|(field, text)| Some((field, text.as_deref()?))) {
            if text.trim().is_empty() || text.chars().any(|c| c.is_control() && c != '\t') {
                return Err(Fault::new(field, "it is empty, or holds a control character: this is about one line")
                    .fix("several lines are a `block` with `content`"));
            }
            if field != "line" && [r"\d", r"\D"].iter().any(|class| text.contains(class)) {
                return Err(Fault::new(field, r"`grep -E` does not know `\d`").fix("write [0-9]"));
            }
        }
        let present = self.state == State::Present;
        if let Some(name) = &self.block {
            let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || name.len() > 100 || !name.chars().all(fine) {
                return Err(Fault::new("block", "a block is named by letters, digits and . _ -"));
            }
            let fine = |c: char| "#;/-%!\"'*".contains(c);
            if self.comment.is_empty() || self.comment.len() > 4 || !self.comment.chars().all(fine) {
                return Err(Fault::new("comment", "it does not begin a comment").fix("write `#`, `;`, `//` or `--`"));
            }
            if let Some(field) = [(self.line.is_some(), "line"), (self.pattern.is_some(), "match")].iter().find(|x| x.0)
            {
                return Err(Fault::new(field.1, "a block is told by its marks, and its lines stand in `content`"));
            }
            return match &self.content {
                None if present => Err(Fault::new("content", "the lines of the block must be given")),
                None => Ok(()),
                Some(_) if !present => Err(Fault::new("content", "a block that is absent has no lines")),
                Some(text) if text.trim().is_empty() || text.chars().any(|c| c.is_control() && !"\n\t".contains(c)) => {
                    Err(Fault::new("content", "it is empty, or holds a control character"))
                }
                Some(text) if text.lines().any(|line| self.marks().iter().any(|mark| mark == line)) => {
                    Err(Fault::new("content", "it holds a mark of its own block, which would end it"))
                }
                Some(_) => Ok(()),
            };
        }
        match (&self.line, &self.pattern, &self.content) {
            (.., Some(_)) => Err(Fault::new("content", "only a block has content").fix("name it with `block`")),
            (None, None, _) => {
                Err(Fault::new("line", "it does not say which line").fix("give `line`, `match` or `block`"))
            }
            (None, Some(_), _) if present => {
                Err(Fault::new("line", "what the line that matches becomes must be given"))
            }
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Part(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        Desired::Present(match (&self.content, self.lines()) {
            (Some(content), _) => {
                let text: String = content.split_terminator('\n').map(|line| format!("{line}\n")).collect();
                Fields::from([("content".to_owned(), FieldValue::Wanted(Rendered::plain(text)))])
            }
            // The very line needs no comparing, however often it stands there.
            (None, _) if self.pattern.is_none() => Fields::new(),
            (None, lines) => Fields::from([("line".to_owned(), FieldValue::List(lines))]),
        })
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            script.stat(&wanted.path);
            wanted.part().ask(script);
            let Some(pattern) = &wanted.pattern else { continue };
            let own = match &wanted.line {
                Some(line) => sh!("printf '%s\\n' {} | grep -qaE -e {}; echo $?", line, pattern),
                None => sh!("echo -"),
            };
            script.section(wanted.section(), Sh::lines([sh!("echo | grep -qaE -e {}; echo $?", pattern), own]));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        foreseen.put_part(Edit { part: self.part(), lines: self.lines() }, None);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen).serving([change.position])).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;
    use crate::resource::{PART_SHELL, SectionOutput};

    // What this machine's own tools make of a text: the part, and the whole with the part replaced.
    fn played(wanted: &Line, text: &str) -> (Vec<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file").to_str().unwrap().to_owned();
        let lines = folder.path().join("lines").to_str().unwrap().to_owned();
        std::fs::write(&path, text).unwrap();
        std::fs::write(&lines, wanted.lines().iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let part = Part { file: path, ..wanted.part() };
        let run = |script: Sh| {
            let script = format!("LC_ALL=C; export LC_ALL\n{PART_SHELL}\n{}", script.text());
            let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let output =
                SectionOutput { status: out.status.code().unwrap(), stdout: out.stdout.clone(), stderr: out.stderr };
            (Answer::of_sections([(part.line().as_str(), output)]), out.stdout)
        };
        let (answer, _) = run(sh!("rp_part_show {}", part.words()));
        let (_, whole) = run(sh!("rp_part_put {} {} ''", part.words(), lines));
        (part.seen(&answer).unwrap(), String::from_utf8(whole).unwrap())
    }

    #[test]
    fn only_the_part_changes() {
        let put = |item: &str, text: &str| played(&load::<Line>(item).unwrap(), text).1;
        let line = "{ path: /x, line: a b }";
        assert_eq!(put(line, "1\n2"), "1\n2\na b\n");
        assert_eq!(put(line, ""), "a b\n");
        assert_eq!(put(line, "\n\r\n"), "\n\r\na b\n");
        let wanted = "{ path: /x, match: '^#?K=', line: K=1 }";
        assert_eq!(put(wanted, "a\n#K=0\nb\nK=2\nc"), "a\nK=1\nb\nc");
        assert_eq!(put("{ path: /x, match: '^#?K=', state: absent }", "a\n#K=0\nb\nK=2"), "a\nb\n");
        let block = "{ path: /x, block: n, content: \"1\\n2\\n\" }";
        let there = "a\n# BEGIN rempart n\n1\n2\n# END rempart n\n";
        assert_eq!(put(block, "a"), there);
        assert_eq!(
            put(block, "# BEGIN rempart n\n# END rempart n\nb\n"),
            "# BEGIN rempart n\n1\n2\n# END rempart n\nb\n"
        );
        assert_eq!(put("{ path: /x, block: n, state: absent }", &format!("{there}z")), "a\nz");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            "{ path: /x }",
            "{ path: /x, match: x }",
            "{ path: /x, line: '' }",
            "{ path: /x, line: \"a\\nb\" }",
            "{ path: /x, block: 'a b', content: x }",
            "{ path: /x, block: a }",
            "{ path: /x, content: x }",
            "{ path: /x, block: a, content: '# END rempart a' }",
            "{ path: /x, block: a, content: x, comment: a }",
            "{ path: '/x y', line: a }",
            "{ path: /x, match: '\\d', line: a }",
            "{ path: /x, line: !secret a }",
            "{ path: /x, block: a, content: x, line: y }",
        ] {
            assert!(load::<Line>(bad).is_err(), "{bad}");
        }
        assert!(load::<Line>("{ path: /etc/pam.d/sshd, line: x }").unwrap().is_risky());
    }

    proptest! {
        #[test]
        fn a_hostile_line_comes_once_and_goes_again(line in "[^\0]{1,20}", text in "([ab# \\n]|é){0,20}") {
            let item = format!("{{ path: /x, line: {} }}", serde_json::to_string(&line).unwrap());
            let Ok(wanted) = load::<Line>(&item) else { return Ok(()) };
            let (was, whole) = played(&wanted, &text);
            prop_assume!(was.is_empty());
            let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            prop_assert_eq!(&whole, &format!("{text}{newline}{line}\n"));
            let gone = load::<Line>(&item.replace(" }", ", state: absent }")).unwrap();
            prop_assert_eq!(played(&gone, &whole), (vec![line], format!("{text}{newline}")));
            let touch = wanted.part().touch();
            prop_assert_eq!(crate::resource::Touch::read(&touch.line()), Some(touch.clone()));
        }
    }
}
