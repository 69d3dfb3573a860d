//! A check: a statement about variables and facts is true, or a read-only command on the host answers as it should.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision, Seen, Step,
    UserCommand, ask_user_commands, plain_name, user_command,
};

/// A check: a statement about variables and facts is true, or a read-only command on the host answers as it should.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    /// What must be true: `"{{ facts.arch == 'x86_64' }}"`, or a list of such.
    #[serde(default)]
    that: Option<Statements>,
    /// A command that runs on the host where it cannot write files.
    #[serde(default)]
    run: Option<String>,
    /// The status with which `run` must end. Default: 0.
    #[serde(default)]
    status: i32,
    /// Text that `run` must print.
    #[serde(default)]
    stdout_contains: Option<String>,
    /// User as whom `run` runs. Default: root.
    #[serde(default)]
    user: Option<String>,
    /// How long `run` may take, in seconds. Default: 30.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// What is told when it does not hold.
    #[serde(default)]
    message: Option<String>,
    /// What it is called in plans; the beginning of `run` or `message` unless said.
    #[serde(default)]
    name: Option<String>,
}

/// One statement, or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected true or false, or a list of those: an expression stands in {{ }}")]
enum Statements {
    One(bool),
    All(Vec<bool>),
}

fn default_timeout() -> u64 {
    30
}

impl Assert {
    fn statements(&self) -> Vec<(String, bool)> {
        match &self.that {
            None => Vec::new(),
            Some(Statements::One(holds)) => vec![("that".into(), *holds)],
            Some(Statements::All(all)) => {
                all.iter().enumerate().map(|(at, holds)| (format!("that.{}", at + 1), *holds)).collect()
            }
        }
    }

    fn told(&self, what: String) -> FieldValue {
        FieldValue::text(match &self.message {
            Some(message) => format!("{what}: {message}"),
            None => what,
        })
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let mut fields = Fields::new();
        for (field, holds) in self.statements() {
            let told = if holds { FieldValue::text("true") } else { self.told("false".into()) };
            fields.insert(field, told);
        }
        if self.run.is_none() {
            return Ok(Seen::Present(fields));
        }
        let ran = user_command(answer, Self::NAME, &self.key())?;
        if matches!(ran.status, 126 | 127) && ran.status != self.status {
            let missing = format!("`run` calls what is not there (status {}): {}", ran.status, ran.complaint());
            let user = self.user.clone().map(Provision::User);
            let brought_by = user.into_iter().chain(["package_apt", "file", "template"].map(Provision::Kind)).collect();
            return Ok(Seen::NotYet { missing, brought_by });
        }
        let status = match ran.status == self.status {
            true => FieldValue::text(self.status.to_string()),
            false => self.told(format!("{}, {}", ran.status, ran.complaint())),
        };
        fields.insert("status".into(), status);
        if let Some(text) = &self.stdout_contains {
            let there = String::from_utf8_lossy(&ran.stdout).contains(text.as_str());
            let told = match there {
                true => FieldValue::text(text),
                false => self.told(format!("not in the {} bytes that it printed", ran.stdout.len())),
            };
            fields.insert("stdout_contains".into(), told);
        }
        Ok(Seen::Present(fields))
    }
}

impl Kind for Assert {
    const NAME: &'static str = "assert";
    const SUMMARY: &'static str = "A check: a statement is true, or a read-only command answers as it should.";
    const EXAMPLE: &'static str =
        r#"assert: { run: "ss -Hltn 'sport = :11434'", stdout_contains: "127.0.0.1:11434", message: Ollama listens }"#;
    const CHECK: bool = true;

    fn key(&self) -> String {
        let text = self.name.as_ref().or(self.run.as_ref()).or(self.message.as_ref());
        let words: Vec<&str> = text.map_or("that", String::as_str).split_whitespace().collect();
        words.join(" ").chars().take(60).collect()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        if self.statements().is_empty() && self.run.is_none() {
            return Err(
                Fault::new("that", "there is nothing to check").fix("add `that: \"{{ ... }}\"` or `run: COMMAND`")
            );
        }
        if self.run.as_deref().is_some_and(|run| run.trim().is_empty() || run.contains('\0')) {
            return Err(Fault::new("run", "there is nothing that could run"));
        }
        if self.run.is_none() && (self.stdout_contains.is_some() || self.status != 0 || self.user.is_some()) {
            return Err(Fault::new("run", "the other fields speak of a command, and there is none"));
        }
        if !(0..=123).contains(&self.status) {
            return Err(Fault::new("status", "a command's own status is between 0 and 123"));
        }
        if !(1..=600).contains(&self.timeout) {
            return Err(Fault::new("timeout", "it must be between 1 and 600 seconds"));
        }
        self.user.as_deref().map_or(Ok(()), |user| plain_name("user", user))
    }

    fn uses(&self) -> Vec<Provision> {
        self.user.iter().cloned().map(Provision::User).collect()
    }

    fn desired(&self) -> Desired {
        let mut fields: Fields =
            self.statements().into_iter().map(|(field, _)| (field, FieldValue::text("true"))).collect();
        if self.run.is_some() {
            fields.insert("status".into(), FieldValue::text(self.status.to_string()));
        }
        if let Some(text) = &self.stdout_contains {
            fields.insert("stdout_contains".into(), FieldValue::text(text));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        let commands = batch.iter().filter_map(|wanted| {
            let run = wanted.run.as_deref()?;
            let command = UserCommand { run, user: wanted.user.as_deref(), cwd: None, timeout: wanted.timeout };
            Some((wanted.key(), command))
        });
        ask_user_commands(script, Self::NAME, commands);
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(_batch: &[Change<'_, Self>]) -> Vec<Step> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::{load, section};

    fn told(item: &str, recording: &str) -> String {
        let wanted = load::<Assert>(item).unwrap();
        let answer = Answer::of_sections([("assert", section("assert", recording, 0))]);
        match Assert::parse(&[&wanted], &answer).remove(0) {
            Seen::Present(fields) => format!("{fields:?}"),
            Seen::NotYet { missing, .. } => format!("not yet: {missing}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn statements_are_judged_one_by_one() {
        let both = told("{ that: [true, false], message: too small }", "ran");
        assert_eq!(both, r#"{"that.1": Text("true"), "that.2": Text("false: too small")}"#);
        assert!(load::<Assert>("{ message: x }").is_err() && load::<Assert>("{ that: maybe }").is_err());
    }

    // The recording was made with these commands, by their names.
    #[test]
    fn commands_are_judged_by_status_and_output() {
        let fine = told("{ name: fine, run: x, stdout_contains: Debian }", "ran");
        assert_eq!(fine, r#"{"status": Text("0"), "stdout_contains": Text("Debian")}"#);
        let odd = told("{ name: odd, run: x, stdout_contains: a, message: no }", "ran");
        assert!(odd.contains("4, it is odd: no") && odd.contains("not in the 0 bytes that it printed: no"), "{odd}");
        assert!(told("{ name: missing, run: x }", "ran").starts_with("not yet: "));
    }

    #[test]
    fn no_answer_is_never_fine() {
        for (name, recording) in [("fine", "garbled"), ("fine", "failing"), ("never-asked", "ran"), ("slow", "ran")] {
            assert!(
                told(&format!("{{ name: {name}, run: x }}"), recording).starts_with("Unknown("),
                "{name} {recording}"
            );
        }
    }
}
