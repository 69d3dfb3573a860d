//! A job of cron's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use super::user::account_name;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen, Step,
};
use crate::secret::Rendered;

mod schedule;

/// A job of cron's, in a file of its own in /etc/cron.d. Where a run that was missed should be made up for, or be held
/// in limits, a systemd timer is better.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cron {
    /// The file's name: letters, digits, `_` and `-`. cron passes over names with a dot.
    name: String,
    /// When: five fields (minute, hour, day of the month, month, day of the week) such as `*/15 6-18 * * mon-fri`, in the
    /// host's local time, or `@reboot`, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[serde(default)]
    schedule: Option<String>,
    /// The account that it runs as. Default: root.
    #[serde(default = "root")]
    user: String,
    /// What runs: one line of sh, without secrets. A `%` is a `%`: it is escaped for cron.
    #[serde(default)]
    command: Option<String>,
    /// Environment, such as `MAILTO` and `PATH`. cron expands nothing in it. Without a PATH, cron's is `/usr/bin:/bin`.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

fn root() -> String {
    "root".into()
}

const FOLDER: &str = "/etc/cron.d";
// Debian's cron, cronie, and systemd-cron.
const DAEMONS: [&str; 3] =
    ["/usr/sbin/cron", "/usr/sbin/crond", "/usr/lib/systemd/system-generators/systemd-crontab-generator"];
const PACKAGES: [&str; 3] = ["cron", "cronie", "systemd-cron"];

impl Cron {
    fn file(&self) -> ManagedFile {
        let mut text = "# Managed by rempart.\n".to_owned();
        for (name, value) in &self.environment {
            let quote = if value.contains('"') { '\'' } else { '"' };
            text.push_str(&format!("{name}={quote}{value}{quote}\n"));
        }
        let schedule = self.schedule.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let command = self.command.as_deref().unwrap_or_default().replace('%', "\\%");
        text.push_str(&format!("{schedule} {} {command}\n", self.user));
        ManagedFile {
            path: format!("{FOLDER}/{}", self.name),
            content: Some(Rendered::plain(text)),
            mode: "0644".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let seen = self.file().seen(answer);
        if self.state == State::Absent || matches!(seen, Seen::Unknown(_)) {
            return Ok(seen);
        }
        for daemon in DAEMONS {
            if answer.stat(daemon)?.is_some() {
                return Ok(seen);
            }
        }
        let brought_by = PACKAGES.map(|name| Provision::Package(name.to_owned())).into();
        Ok(Seen::NotYet { missing: "no cron is installed, so nothing would run the job".into(), brought_by })
    }
}

impl Kind for Cron {
    const NAME: &'static str = "cron";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A job of cron's.";
    const EXAMPLE: &'static str = r#"cron: { name: models, schedule: "30 3 * * sun", user: ollama, command: "/usr/local/bin/prune-models --older $(date -d '30 days ago' +%F)", environment: { MAILTO: ops@example.org } }"#;
    const UNDO: &'static str = "the old file, or none where none was; not what the job did.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if self.name.is_empty() || self.name.len() > 100 || self.name.starts_with('-') || !self.name.chars().all(fine) {
            return Err(Fault::new("name", format!("`{}` is no name that cron reads", self.name.escape_debug()))
                .fix("use letters, digits, _ and -"));
        }
        account_name("user", &self.user)?;
        for (name, value) in &self.environment {
            let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(Fault::new("environment", format!("`{}` is no name of a variable", name.escape_debug())));
            }
            if value.chars().any(char::is_control) || (value.contains('"') && value.contains('\'')) {
                let why = format!("the value of {name} holds a control character, or both sorts of quotes");
                return Err(Fault::new("environment", why).fix("set it in the command, or in a script"));
            }
            // cron takes a variable of up to 1000 bytes, and of others makes nothing.
            if name.len() + value.len() > 900 {
                return Err(Fault::new("environment", format!("the value of {name} is longer than cron takes")));
            }
        }
        let (Some(schedule), Some(command)) = (&self.schedule, &self.command) else {
            return match (self.state, self.schedule.is_some() || self.command.is_some()) {
                (State::Absent, false) => Ok(()),
                _ => Err(Fault::new("schedule", "a job has both a `schedule` and a `command`")),
            };
        };
        schedule::check(schedule)
            .map_err(|why| Fault::new("schedule", why).fix("see crontab(5), such as `30 3 * * sun`"))?;
        let bad = |why: &str| Err(Fault::new("command", why).fix("put it into a script, and run that"));
        if command.trim().is_empty() || command.chars().any(|c| c.is_control() && c != '\t') {
            return bad("it is empty, or holds a control character: a job is one line");
        }
        if command.starts_with([' ', '\t']) {
            return bad("it begins with a space, which cron would drop");
        }
        // The sorts of cron do not agree on what becomes of these.
        if command.contains(r"\\") || command.contains(r"\%") {
            return bad(r"it holds `\\` or `\%`, which cron may read otherwise than sh");
        }
        if command.len() > 900 {
            return bad("it is longer than cron takes");
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn uses(&self) -> Vec<Provision> {
        let packages = PACKAGES.map(|name| Provision::Package(name.to_owned()));
        [Provision::Path(self.file().path), Provision::User(self.user.clone())].into_iter().chain(packages).collect()
    }

    fn desired(&self) -> Desired {
        match self.state {
            State::Absent => Desired::Absent,
            State::Present => self.file().desired(),
        }
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        DAEMONS.iter().for_each(|daemon| script.stat(daemon));
        for wanted in batch {
            wanted.file().probe(script);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|change| {
                let file = change.wanted.file();
                let step = match change.wanted.state {
                    State::Absent => file.remove(change.seen),
                    State::Present => file.put(change.seen, Sh::default()),
                };
                step.serving([change.position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;

    fn text(item: &str) -> String {
        load::<Cron>(item).unwrap().file().content.unwrap().as_plain().unwrap()
    }

    // What cron hands to sh: a backslash before a `%` goes, and a bare `%` ends the command.
    fn as_cron(command: &str) -> String {
        let (mut told, mut escaped) = (String::new(), false);
        for c in command.chars() {
            match c {
                '%' if escaped => {
                    told.pop();
                    told.push('%');
                }
                '%' => break,
                c => told.push(c),
            }
            escaped = c == '\\' && !escaped;
        }
        told
    }

    #[test]
    fn a_job_is_one_line_after_its_environment() {
        let item = "{ name: x, schedule: '*/5  1-3 * jan,mar 0', user: daemon, command: 'date +%F', environment: { PATH: /bin, A: 'say \"hi\"' } }";
        let wanted = "# Managed by rempart.\nA='say \"hi\"'\nPATH=\"/bin\"\n*/5 1-3 * jan,mar 0 daemon date +\\%F\n";
        assert_eq!(text(item), wanted);
        assert_eq!(text("{ name: x, schedule: '@daily', command: x }"), "# Managed by rempart.\n@daily root x\n");
    }

    #[test]
    fn what_cron_would_not_take_is_refused() {
        for more in [
            "schedule: '* * * *', command: x",
            "schedule: '60 * * * *', command: x",
            "schedule: '@never', command: x",
            "command: x",
            "schedule: '@daily'",
            "schedule: '@daily', command: ' x'",
            "schedule: '@daily', command: \"a\\nb\"",
            "schedule: '@daily', command: x, user: 'a b'",
            "schedule: '@daily', command: 'a\\%'",
            "schedule: '@daily', command: x, environment: { 'a b': c }",
            "schedule: '@daily', command: x, environment: { A: \"b\\nc\" }",
            "state: absent, command: x",
        ] {
            assert!(load::<Cron>(&format!("{{ name: x, {more} }}")).is_err(), "{more}");
        }
        assert!(load::<Cron>("{ name: a.b, schedule: '@daily', command: x }").is_err());
    }

    proptest! {
        #[test]
        fn a_hostile_command_is_refused_or_is_what_sh_gets(command in r#"([%\\ a'"$(){}\n]|[^\x00]){1,20}"#) {
            let quoted = serde_json::to_string(&command).unwrap();
            if let Ok(wanted) = load::<Cron>(&format!("{{ name: x, schedule: '@daily', command: {quoted} }}")) {
                let content = wanted.file().content.unwrap().as_plain().unwrap();
                prop_assert_eq!(content.lines().count(), 2);
                prop_assert_eq!(as_cron(content.strip_prefix("# Managed by rempart.\n@daily root ").unwrap().trim_end_matches('\n')), command);
            }
        }
    }
}
