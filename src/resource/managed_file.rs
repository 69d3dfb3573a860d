//! Owns how a regular file with owner, mode and content is asked about, read and replaced; shared by every kind that
//! writes one.

use super::{Answer, Desired, Expect, FieldValue, Fields, ProbeError, ProbeScript, Seen, Step, Touch, Undo, lifeline};
use crate::quote::Sh;
use crate::secret::Rendered;
use crate::sh;

/// A file that rempart writes whole.
#[derive(Clone, Debug)]
pub struct ManagedFile {
    /// Its absolute path.
    pub path: String,
    /// What it holds; `None` = not managed.
    pub content: Option<Rendered>,
    /// Octal, such as `0644`.
    pub mode: String,
    /// Owner's name.
    pub owner: String,
    /// Group's name.
    pub group: String,
}

impl ManagedFile {
    /// The fields `content`, `mode`, `owner` and `group`.
    pub fn desired(&self) -> Desired {
        let mut fields = Fields::new();
        if let Some(content) = &self.content {
            fields.insert("content".into(), FieldValue::Wanted(content.clone()));
        }
        fields.insert("mode".into(), FieldValue::text(format!("{:0>4}", self.mode)));
        fields.insert("owner".into(), FieldValue::text(&self.owner));
        fields.insert("group".into(), FieldValue::text(&self.group));
        Desired::Present(fields)
    }

    /// Asks about it. What holds a secret is read whole, so that no bare hash of it travels.
    pub fn probe(&self, script: &mut ProbeScript) {
        match &self.content {
            Some(content) => match content.sha256() {
                Some(hash) => script.content(&self.path, Some(hash)),
                None => script.whole(&self.path, content.len()),
            },
            None => script.stat(&self.path),
        }
    }

    /// Reads what was asked by [`ManagedFile::probe`].
    pub fn seen(&self, answer: &Answer) -> Seen {
        match self.read(answer) {
            Ok(Some(fields)) => Seen::Present(fields),
            Ok(None) => Seen::Absent,
            Err(ProbeError(why)) => Seen::Unknown(why),
        }
    }

    /// The fields as seen; `None` = absent.
    ///
    /// # Errors
    /// Something else than a regular file stands there, or it could not be read.
    pub fn read(&self, answer: &Answer) -> Result<Option<Fields>, ProbeError> {
        let Some(stat) = answer.stat(&self.path)? else { return Ok(None) };
        if !stat.is_file() {
            return Err(ProbeError(format!("{} is a {}, not a regular file", self.path, stat.file_type)));
        }
        let mut fields = Fields::new();
        if self.content.is_some()
            && let Some(content) = answer.content(&self.path)?
        {
            fields.insert("content".into(), content.into_field(stat.size, answer.held(&self.path)));
        }
        fields.insert("mode".into(), FieldValue::text(&stat.mode));
        fields.insert("owner".into(), FieldValue::text(&stat.owner));
        fields.insert("group".into(), FieldValue::text(&stat.group));
        fields.insert("signature".into(), FieldValue::text(stat.signature()));
        Ok(Some(fields))
    }

    /// The fields of a file that is one of several: the content as `name`, the others as `name.mode` and so on.
    pub fn desired_as(&self, name: &str) -> Fields {
        match self.desired() {
            Desired::Present(fields) => fields.into_iter().map(|(field, value)| (part(name, &field), value)).collect(),
            Desired::Absent => Fields::new(),
        }
    }

    /// As [`ManagedFile::read`], with the names of [`ManagedFile::desired_as`].
    ///
    /// # Errors
    /// Something else than a regular file stands there, or it could not be read.
    pub fn read_as(&self, answer: &Answer, name: &str) -> Result<Option<Fields>, ProbeError> {
        let fields = self.read(answer)?;
        Ok(fields.map(|fields| fields.into_iter().map(|(field, value)| (part(name, &field), value)).collect()))
    }

    /// The precondition that the file is as fields of [`ManagedFile::read_as`] say, or absent where they say nothing.
    pub fn expect_as(&self, seen: &Seen, name: &str) -> Expect {
        let signature = match seen {
            Seen::Present(fields) => fields.get(&part(name, "signature")),
            _ => None,
        };
        let was = signature.map(|value| Fields::from([("signature".to_owned(), value.clone())]));
        self.expect(&was.map_or(Seen::Absent, Seen::Present))
    }

    /// The precondition that the file is as `seen` says.
    pub fn expect(&self, seen: &Seen) -> Expect {
        expect_signature(&self.path, seen)
    }

    /// A step that replaces the file atomically, and puts the old one back when it is undone. `validator` is the body of
    /// a shell function that gets the temporary file's path as `$1` and fails if the real tool refuses it; empty = none.
    /// A file that can lock people out is checked by its own tool as well, brought into effect, and guarded.
    pub fn put(&self, seen: &Seen, validator: Sh) -> Step {
        let Some(content) = &self.content else {
            let script = sh!(
                "rp_parent {} {}\nchown -- {} {}\nchmod -- {} {}",
                self.folder(),
                self.owner,
                format!("{}:{}", self.owner, self.group),
                self.path,
                self.mode,
                self.path
            );
            let step = Step::new(format!("set owner and mode of {}", self.path), script);
            return self.undone(step).expecting(self.expect(seen));
        };
        let checks: Vec<Sh> = [self.check(content), validator].into_iter().filter(|check| !check.is_empty()).collect();
        let name = if checks.is_empty() { "" } else { "rp_validate" };
        let put = sh!(
            "rp_put \"$P/0\" {} {} {} {} {}",
            self.path,
            self.mode,
            self.owner,
            self.group,
            Sh::program_of_the_user(name)
        );
        // Each on its own, as `return` in one must not pass over the other; `||` would switch `set -e` off inside.
        let functions = checks
            .iter()
            .enumerate()
            .map(|(at, check)| sh!("{}() {\n{}\n}", Sh::program_of_the_user(&format!("rp_validate_{at}")), check));
        let calls = (0..checks.len()).map(|at| format!("rp_validate_{at} \"$1\"")).collect::<Vec<_>>().join(" && ");
        let mut script = Sh::lines(functions);
        if !checks.is_empty() {
            script.line(sh!("rp_validate() { {}; }", Sh::program_of_the_user(&calls)));
        }
        script.line(put);
        let step = Step::new(format!("write {}", self.path), script).synced().with_payload(content.clone());
        self.undone(step).expecting(self.expect(seen))
    }

    /// A step that removes the file.
    pub fn remove(&self, seen: &Seen) -> Step {
        let step = Step::new(
            format!("remove {}", self.path),
            sh!("[ ! -d {} ] || rp_real {}\nrm -f -- {}", self.folder(), self.folder(), self.path),
        );
        self.undone(step).expecting(self.expect(seen))
    }

    fn folder(&self) -> &str {
        match self.path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => folder,
            _ => "/",
        }
    }

    /// Whether it can lock people out.
    pub fn is_risky(&self) -> bool {
        lifeline(&self.path).is_some()
    }

    fn undone(&self, mut step: Step) -> Step {
        let undo = Undo::of([Touch::Path(self.path.clone())]);
        let Some(line) = lifeline(&self.path) else { return step.undone_by(undo) };
        if !line.effect().is_empty() {
            step.script.line(line.effect());
        }
        step.undone_by(undo.then(line.after())).risky()
    }

    // What its own tool says of it. A tool shows the line that it does not like [tried with visudo].
    fn check(&self, content: &Rendered) -> Sh {
        let check = lifeline(&self.path).map(|line| line.check()).unwrap_or_default();
        if check.is_empty() || !content.is_secret() {
            return check;
        }
        let hidden = format!("{} is refused; why is hidden, since the text holds a secret", self.path);
        sh!("(\nrp_check() {\n{}\n}\nrp_check \"$1\"\n) >/dev/null 2>&1 || { echo {} >&2; return 1; }", check, hidden)
    }
}

fn part(name: &str, field: &str) -> String {
    if field == "content" { name.to_owned() } else { format!("{name}.{field}") }
}

fn expect_signature(path: &str, seen: &Seen) -> Expect {
    let command = sh!("stat --printf='%F %a %u %g %s %i %.9Z' -- {} 2>/dev/null || echo absent", path);
    match seen {
        Seen::Present(fields) => match fields.get("signature") {
            Some(FieldValue::Text(signature)) => Expect::Prints { command, output: signature.clone() },
            _ => Expect::Nothing("its state was read by other means"),
        },
        _ => Expect::Prints { command, output: "absent".into() },
    }
}
