//! A command that runs when a condition does not hold, and after which it must.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo, UserCommand, absolute_path, ask_user_commands, lifeline, plain_name, user_command,
};
use crate::sh;

/// A command that runs when a condition does not hold, and after which it must. At least one of `creates`, `unless`
/// and `check` is needed; with several, it runs when any does not hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What runs: POSIX sh, without secrets.
    run: String,
    /// A path that is there afterwards.
    #[serde(default)]
    creates: Option<String>,
    /// A read-only command that succeeds when there is nothing to do. It is run where it cannot write files.
    #[serde(default)]
    unless: Option<String>,
    /// A read-only command whose status says more: 0 all is well, 1 `run` is needed, anything else: it cannot be told.
    #[serde(default)]
    check: Option<String>,
    /// Directory in which all of them run. Default: `/`.
    #[serde(default)]
    cwd: Option<String>,
    /// User as whom all of them run. Default: root.
    #[serde(default)]
    user: Option<String>,
    /// How long `run` may take, in seconds. Default: 300. Conditions may take 30.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// What it is called in plans; the beginning of `run` unless said.
    #[serde(default)]
    name: Option<String>,
    /// Files that `run` writes, makes or removes. They are kept before it, and put back by a rollback or the guard.
    #[serde(default)]
    touches: Vec<String>,
    /// What takes back whatever else `run` did, after `touches` are put back; run as `run` is. Without both, a rollback
    /// leaves the command standing, and the plan says so.
    #[serde(default)]
    undo: Option<String>,
    /// Whether it can lock people out, so that the guard is armed before it; wants `touches` or `undo`. It must end
    /// within the guard's time. Files in `touches` that can lock people out are enough to make it so.
    #[serde(default)]
    risky: bool,
}

const CONDITION_TIMEOUT: u64 = 30;

fn default_timeout() -> u64 {
    300
}

impl Command {
    fn command<'a>(&'a self, run: &'a str, timeout: u64) -> UserCommand<'a> {
        UserCommand { run, user: self.user.as_deref(), cwd: self.cwd.as_deref(), timeout }
    }

    // Conditions that are commands, by field.
    fn conditions(&self) -> impl Iterator<Item = (&'static str, UserCommand<'_>)> {
        [("unless", &self.unless), ("check", &self.check)]
            .into_iter()
            .filter_map(|(field, run)| Some((field, self.command(run.as_deref()?, CONDITION_TIMEOUT))))
    }

    // How it is taken back, as far as the user said.
    fn reversed(&self, step: Step) -> Step {
        if self.touches.is_empty() && self.undo.is_none() {
            return step.permanent("nobody knows what the command did; `touches` or `undo` would say");
        }
        let mut after = Sh::default();
        for line in self.touches.iter().filter_map(|path| lifeline(path)) {
            after.line(line.after());
        }
        if let Some(undo) = &self.undo {
            after.line(self.command(undo, self.timeout).script());
        }
        let effect = self.undo.as_ref().map(|_| Touch::Effect(self.key()));
        let touches = self.touches.iter().cloned().map(Touch::Path).chain(effect);
        let step = step.undone_by(Undo::of(touches).then(after));
        if self.is_risky() { step.risky() } else { step }
    }

    fn mark(&self, field: &str) -> String {
        format!("{field} {}", self.key())
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let mut fields = Fields::new();
        if let Some(path) = &self.creates {
            let there = if answer.stat(path)?.is_some() { "there" } else { "missing" };
            fields.insert("creates".into(), FieldValue::text(there));
        }
        for (field, _) in self.conditions() {
            let ran = user_command(answer, Self::NAME, &self.mark(field))
                .map_err(|ProbeError(why)| ProbeError(format!("`{field}`: {why}")))?;
            if matches!(ran.status, 126 | 127) {
                let missing = format!("`{field}` calls what is not there (status {}): {}", ran.status, ran.complaint());
                return Ok(Seen::NotYet { missing, brought_by: self.brought_by() });
            }
            if field == "check" && ran.status > 1 {
                let why = format!("`check` ended with status {}, neither 0 nor 1: {}", ran.status, ran.complaint());
                return Err(ProbeError(why));
            }
            let told = match ran.status {
                0 => "holds".to_owned(),
                status => format!("does not hold (status {status})"),
            };
            fields.insert(field.into(), FieldValue::text(told));
            fields.insert(format!("status.{field}"), FieldValue::text(ran.status.to_string()));
        }
        Ok(Seen::Present(fields))
    }

    // Nobody can tell which resource brings a program, so those that may are named.
    fn brought_by(&self) -> Vec<Provision> {
        let user = self.user.clone().map(Provision::User);
        let cwd = self.cwd.clone().map(Provision::Path);
        let kinds = ["package_apt", "file", "template"].map(Provision::Kind);
        user.into_iter().chain(cwd).chain(kinds).collect()
    }

    fn expects(&self, seen: &Seen) -> Vec<Expect> {
        let Seen::Present(fields) = seen else {
            return vec![Expect::Nothing("what its condition calls was not there yet")];
        };
        let creates = self.creates.as_ref().map(|path| Expect::Prints {
            command: sh!("if [ -e {} ] || [ -L {} ]; then echo there; else echo missing; fi", path, path),
            output: match fields.get("creates") {
                Some(FieldValue::Text(told)) => told.clone(),
                _ => "missing".into(),
            },
        });
        let conditions = self.conditions().map(|(field, condition)| Expect::Prints {
            command: sh!(
                "rp_status=0\n{} </dev/null >/dev/null 2>&1 || rp_status=$?\necho $rp_status",
                condition.script()
            ),
            output: match fields.get(&format!("status.{field}")) {
                Some(FieldValue::Text(status)) => status.clone(),
                _ => String::new(),
            },
        });
        creates.into_iter().chain(conditions).collect()
    }
}

impl Kind for Command {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str = "A command that runs when a condition does not hold, and after which it must.";
    const EXAMPLE: &'static str =
        "command: { run: docker network create --internal ai, unless: docker network inspect ai }";
    const UNDO: &'static str = "only what `touches` and `undo` say; without both it stands, and the plan says so.";

    fn key(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.run);
        let words: Vec<&str> = name.split_whitespace().collect();
        words.join(" ").chars().take(60).collect()
    }

    fn is_risky(&self) -> bool {
        self.risky || self.touches.iter().any(|path| lifeline(path).is_some())
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let texts = [
            ("run", Some(&self.run)),
            ("unless", self.unless.as_ref()),
            ("check", self.check.as_ref()),
            ("undo", self.undo.as_ref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.trim().is_empty() || text.contains('\0')) {
                return Err(Fault::new(field, "there is nothing that could run"));
            }
        }
        if self.creates.is_none() && self.unless.is_none() && self.check.is_none() {
            return Err(Fault::new("run", "without a condition it would run every time")
                .fix("add `creates: PATH`, `unless: COMMAND` or `check: COMMAND`"));
        }
        for (field, path) in [("creates", &self.creates), ("cwd", &self.cwd)] {
            path.as_deref().map_or(Ok(()), |path| absolute_path(field, path))?;
        }
        self.touches.iter().try_for_each(|path| absolute_path("touches", path))?;
        if self.risky && self.touches.is_empty() && self.undo.is_none() {
            return Err(Fault::new("risky", "the guard would have nothing to put back")
                .fix("say which files it writes (`touches`), or what takes it back (`undo`)"));
        }
        if self.timeout == 0 || self.timeout > 86400 {
            return Err(Fault::new("timeout", "it must be between 1 and 86400 seconds"));
        }
        self.user.as_deref().map_or(Ok(()), |user| plain_name("user", user))
    }

    fn provides(&self) -> Vec<Provision> {
        self.creates.iter().cloned().map(Provision::Path).collect()
    }

    fn uses(&self) -> Vec<Provision> {
        let paths = self.creates.iter().chain(&self.cwd).cloned().map(Provision::Path);
        paths.chain(self.user.iter().cloned().map(Provision::User)).collect()
    }

    fn asks_again(&self) -> bool {
        self.unless.is_some() || self.check.is_some()
    }

    fn desired(&self) -> Desired {
        let creates = self.creates.is_some().then(|| ("creates".to_owned(), FieldValue::text("there")));
        let conditions = self.conditions().map(|(field, _)| (field.to_owned(), FieldValue::text("holds")));
        Desired::Present(creates.into_iter().chain(conditions).collect())
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for path in batch.iter().filter_map(|wanted| wanted.creates.as_deref()) {
            script.stat(path);
        }
        let commands = batch
            .iter()
            .flat_map(|wanted| wanted.conditions().map(|(field, condition)| (wanted.mark(field), condition)));
        ask_user_commands(script, Self::NAME, commands);
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, .. }| {
                let script = sh!(
                    "umask 022\nrp_status=0\n{} || rp_status=$?\n\
                     [ $rp_status -ne 124 ] || echo {} >&2\n[ $rp_status -eq 0 ] || exit $rp_status",
                    wanted.command(&wanted.run, wanted.timeout).script(),
                    format!("it did not end within {} s", wanted.timeout)
                );
                let mut step = Step::new(format!("run {}", wanted.key()), script);
                step.expects = wanted.expects(seen);
                wanted.reversed(step.within(wanted.timeout + 10)).serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{load, section};

    // The recording was made with these conditions, in this order.
    fn seen(field: &str, condition: &str, name: &str) -> Seen {
        let item = format!("{{ run: x, name: {name}, {field}: {} }}", serde_json::to_string(condition).unwrap());
        let wanted = load::<Command>(&item).unwrap();
        let recording = if matches!(name, "garbled" | "failing") { name } else { "conditions" };
        let answer = Answer::of_sections([("command", section("command", recording, 0))]);
        Command::parse(&[&wanted], &answer).remove(0)
    }

    fn told(seen: &Seen, field: &str) -> String {
        match seen {
            Seen::Present(fields) => format!("{:?}", fields[field]),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn conditions_are_read_by_their_status() {
        assert_eq!(told(&seen("unless", "true", "fine"), "unless"), "Text(\"holds\")");
        assert_eq!(told(&seen("unless", "exit 3", "needed"), "unless"), "Text(\"does not hold (status 3)\")");
        assert_eq!(told(&seen("check", "exit 1", "check-needed"), "check"), "Text(\"does not hold (status 1)\")");
        assert!(matches!(seen("check", "exit 2", "check-odd"), Seen::Unknown(_)));
        assert!(matches!(seen("unless", "nosuchtool", "missing"), Seen::NotYet { .. }));
        assert!(matches!(seen("unless", "sleep 60", "slow"), Seen::Unknown(_)));
    }

    #[test]
    fn no_answer_is_never_fine() {
        for name in ["garbled", "failing", "never-asked"] {
            assert!(matches!(seen("unless", "true", name), Seen::Unknown(_)), "{name}");
        }
    }

    #[test]
    fn it_is_taken_back_as_far_as_the_user_says() {
        let step = |more: &str| {
            let wanted = load::<Command>(&format!("{{ run: x, creates: /x{more} }}")).unwrap();
            let change = Change { position: 0, wanted: &wanted, seen: &Seen::Absent, fields: &[] };
            Command::steps(&[change]).remove(0)
        };
        assert!(step("").undo().is_none() && step("").says_how_it_is_undone());
        let undo = step(", touches: [/x, \"/y $(id)\"], undo: rm -r /z").undo().cloned().unwrap();
        let effect = Touch::Effect("x".into());
        assert_eq!(undo.touches, [Touch::Path("/x".into()), Touch::Path("/y $(id)".into()), effect]);
        assert!(undo.after.text().contains("sh -c 'rm -r /z'"));
        assert!(!step(", touches: [/x]").risky && step(", undo: x, risky: true").risky);
        assert!(step(", touches: [/etc/network/interfaces]").risky);
        assert!(load::<Command>("{ run: x, creates: /x, risky: true }").is_err());
        assert!(load::<Command>("{ run: x, creates: /x, touches: [x] }").is_err());
    }

    #[test]
    fn a_condition_is_demanded() {
        assert!(load::<Command>("{ run: touch /x }").is_err());
        assert!(load::<Command>("{ run: !secret x, creates: /x }").unwrap_err().contains("secret"));
    }

    proptest! {
        #[test]
        fn a_hostile_command_stays_in_its_own_shell(text in "[^\0]{1,30}") {
            let wanted = UserCommand { run: &text, user: None, cwd: None, timeout: 1 };
            let word = crate::quote::quote_sh(&text);
            let end = format!(" sh -c {word}\n)");
            prop_assert!(wanted.script().text().ends_with(&end));
        }
    }
}
