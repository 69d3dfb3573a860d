//! A setting of PostgreSQL's server, in its file and in force.

mod value;

use schemars::JsonSchema;
use serde::Deserialize;

use self::value::{items, normal};
use super::file::State;
use super::postgres::{self, Told, default_port};
use crate::quote::{Sh, quote_sql_name, quote_sql_text};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo,
};
use crate::secret::Rendered;
use crate::sh;

/// A setting of PostgreSQL's server, by `ALTER SYSTEM`. Whether it is in force is looked at as well: a reload is asked
/// for by itself, a restart only where `restart` allows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSetting {
    /// Its name, such as `max_connections`.
    name: String,
    /// Its value; units as PostgreSQL writes them (`256MB`, `5min`), lists with commas.
    #[serde(default)]
    value: Option<String>,
    /// Whether the server is restarted where the setting needs that. Default: false; then the change is refused.
    #[serde(default)]
    restart: bool,
    /// The server's port. Default: 5432.
    #[serde(default = "default_port")]
    port: u16,
    /// `absent` takes it out of `postgresql.auto.conf`; other files, or the server's default, count then.
    #[serde(default)]
    state: State,
}

const RESTART: &str = include_str!("postgres/restart.sh");

const IN_FORCE: &str = "in force";

// One row a setting, with what the last line of postgresql.auto.conf about it says.
const QUESTION: &str = "WITH auto AS (SELECT DISTINCT ON (name) name, setting FROM pg_file_settings \
WHERE sourcefile LIKE '%/postgresql.auto.conf' ORDER BY name, seqno DESC) \
SELECT s.name, coalesce(s.setting, ''), coalesce(s.unit, ''), s.vartype, s.context, s.pending_restart::text, s.source, \
coalesce(s.sourcefile, ''), (a.name IS NOT NULL)::text, coalesce(a.setting, '') \
FROM pg_settings s LEFT JOIN auto a ON lower(a.name) = lower(s.name) ORDER BY 1";
const WIDTH: usize = 10;

impl PostgresSetting {
    fn value(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let rows = match postgres::told(answer, Self::NAME, self.port, WIDTH)? {
            Told::Silent(seen) => return Ok(seen),
            Told::Rows(rows) => rows,
        };
        // Every server has it; without it, this is not the answer of one.
        if !rows.iter().any(|row| row[0] == "max_connections") {
            return Err(ProbeError("the server does not even know the setting max_connections".into()));
        }
        let Some(row) = rows.iter().find(|row| row[0].eq_ignore_ascii_case(&self.name)) else {
            return Err(ProbeError(format!("this server has no setting {}", self.name)));
        };
        let [_, setting, unit, vartype, context, pending, source, file, is_set, auto] = &row[..] else {
            return Err(ProbeError("psql's answer was not understood".into()));
        };
        if !matches!((pending.as_str(), is_set.as_str()), ("true" | "false", "true" | "false")) {
            return Err(ProbeError(format!("what the server says of {} was not understood", self.name)));
        }
        if is_set == "false" {
            return Ok(Seen::Absent);
        }
        let normal = |value: &str| normal(&self.name, vartype, unit, value);
        // Shown as it was written, unless that is only another way of writing what is wanted.
        let told = if normal(auto) == normal(self.value()) { self.value() } else { auto };
        let effective = if pending == "true" {
            "waits for a restart".to_owned()
        } else if file.ends_with("/postgresql.auto.conf") && normal(setting) == normal(auto) {
            IN_FORCE.to_owned()
        } else if ["default", "configuration file"].contains(&source.as_str()) {
            "waits for a reload".to_owned()
        } else {
            format!("overridden by: {source}")
        };
        Ok(Seen::Present(Fields::from([
            ("value".to_owned(), FieldValue::text(told)),
            ("effective".to_owned(), FieldValue::text(effective)),
            ("auto".to_owned(), FieldValue::text(auto)),
            ("context".to_owned(), FieldValue::text(context)),
        ])))
    }

    fn set(&self, value: &str) -> String {
        let name = self.name.split('.').map(quote_sql_name).collect::<Vec<_>>().join(".");
        let written = match items(&self.name, value) {
            Some(items) if items.is_empty() => "E''".to_owned(),
            Some(items) => items.into_iter().map(quote_sql_text).collect::<Vec<_>>().join(", "),
            None => quote_sql_text(value),
        };
        format!("ALTER SYSTEM SET {name} = {written};\n")
    }

    fn reset(&self) -> String {
        let name = self.name.split('.').map(quote_sql_name).collect::<Vec<_>>().join(".");
        format!("ALTER SYSTEM RESET {name};\n")
    }

    fn expect(&self, seen: &Seen) -> Expect {
        let output = match seen {
            Seen::NotYet { .. } => return Expect::Nothing("there was no server to be asked"),
            Seen::Present(fields) => match fields.get("auto") {
                Some(FieldValue::Text(auto)) => format!("={auto}"),
                _ => return Expect::Nothing("it was not asked for"),
            },
            _ => String::new(),
        };
        let sql = format!(
            "SELECT '=' || setting FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' \
             AND lower(name) = lower({}) ORDER BY seqno DESC LIMIT 1",
            quote_sql_text(&self.name)
        );
        postgres::expect(self.port, &sql, output)
    }

    // Whether the server must be restarted is asked when it is done: it may not have been there before.
    fn change(&self, seen: &Seen) -> Step {
        let (title, sql) = match self.state {
            State::Present => (format!("set {} to {}", self.name, self.value()), self.set(self.value())),
            State::Absent => (format!("let go of the setting {}", self.name), self.reset()),
        };
        let old = match seen {
            Seen::Present(fields) => fields.get("auto"),
            _ => None,
        };
        let back = match old {
            Some(FieldValue::Text(old)) => self.set(old),
            _ => self.reset(),
        };
        let reload = "SELECT pg_reload_conf();\nSELECT pg_sleep(1);\n";
        let mut step = postgres::change(title, self.port, Rendered::plain(sql + reload)).within(180);
        let lines = [Sh::program_of_the_user(RESTART), self.before(), step.script, self.after()];
        step.script = Sh::lines(lines);
        let undo = Sh::lines([
            Sh::program_of_the_user(RESTART),
            postgres::undo(self.port, &(back + reload)),
            sh!("[ -z \"$({})\" ] || rp_pg_restart {}", self.pending(), self.port),
        ]);
        step.undone_by(Undo::of([Touch::Effect(format!("setting {}", self.name))]).then(undo))
    }

    // What the server says while the setting waits for a restart.
    fn pending(&self) -> Sh {
        let sql = format!(
            "SELECT 1 FROM pg_settings WHERE pending_restart AND lower(name) = lower({})",
            quote_sql_text(&self.name)
        );
        sh!("printf '%s' {} | rp_psql {} postgres '' | tr -d '\\0'", sql, self.port)
    }

    fn before(&self) -> Sh {
        let sql = format!(
            "SELECT 1 FROM pg_settings WHERE context = 'postmaster' AND lower(name) = lower({})",
            quote_sql_text(&self.name)
        );
        let asks = sh!("printf '%s' {} | rp_psql {} postgres '' | tr -d '\\0'", sql, self.port);
        let mut lines = postgres::functions();
        if self.restart {
            return Sh::lines([lines, sh!("rp_pg_keep {}", self.port)]);
        }
        let why = format!("{} takes effect with a restart only; say `restart: true`", self.name);
        lines.line(sh!("[ -z \"$({})\" ] || rp_fail {}", asks, why));
        lines
    }

    fn after(&self) -> Sh {
        if !self.restart {
            return Sh::default();
        }
        sh!("if [ -n \"$({})\" ]; then rp_pg_try {}; else rm -f -- \"$rp_auto.rempart\"; fi", self.pending(), self.port)
    }
}

impl Kind for PostgresSetting {
    const NAME: &'static str = "postgres_setting";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A setting of PostgreSQL's server, in its file and in force.";
    const EXAMPLE: &'static str = "postgres_setting: { name: work_mem, value: 16MB }";
    const UNDO: &'static str =
        "the value that `postgresql.auto.conf` had, or none, with the reload or restart that it takes.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        self.name.make_ascii_lowercase();
        let part = |text: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
            text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(fine)
        };
        if self.name.len() > 63 || !self.name.split('.').all(part) {
            return Err(Fault::new("name", format!("`{}` is not the name of a setting", self.name.escape_debug()))
                .fix("write it like max_connections or auto_explain.log_analyze"));
        }
        match (&self.value, self.state) {
            (None, State::Present) => Err(Fault::new("value", "a value must be given")),
            (Some(_), State::Absent) => Err(Fault::new("value", "a setting that is absent has no value")),
            (Some(value), _) if value.chars().any(char::is_control) => {
                Err(Fault::new("value", "it holds a newline or another control character, which the file cannot hold"))
            }
            _ => Ok(()),
        }
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Unit("postgresql.service".into())]
    }

    fn desired(&self) -> Desired {
        match self.state {
            State::Absent => Desired::Absent,
            State::Present => Desired::Present(Fields::from([
                ("value".to_owned(), FieldValue::text(self.value())),
                ("effective".to_owned(), FieldValue::text(IN_FORCE)),
            ])),
        }
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            postgres::ask(script, Self::NAME, wanted.port, QUESTION);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let steps = batch.iter().map(|Change { position, wanted, seen, .. }| {
            wanted.change(seen).expecting(wanted.expect(seen)).serving([*position])
        });
        steps.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;

    fn seen(item: &str, status: i32, stdout: &str, stderr: &str) -> Seen {
        postgres::told::seen::<PostgresSetting>(item, status, stdout, stderr)
    }

    #[test]
    fn silence_is_told_apart_from_absence() {
        postgres::told::silence_is_told_apart_from_absence::<PostgresSetting>(ITEM);
    }

    const ITEM: &str = "{ name: work_mem, value: 16MB }";

    #[test]
    fn a_setting_is_in_force_or_it_is_told_why_not() {
        let of = |row: &str| {
            let known = "max_connections|100||integer|postmaster|false|default||false|";
            let told = format!("begin|{known}|work_mem|{row}|end|").replace('|', "\0");
            match seen(ITEM, 0, &told, "") {
                Seen::Present(fields) => format!("{:?} {:?}", fields["value"], fields["effective"]),
                other => format!("{other:?}"),
            }
        };
        let auto = "/x/postgresql.auto.conf";
        let text = |value: &str, effective: &str| format!("Text({value:?}) Text({effective:?})");
        assert_eq!(
            of(&format!("16384|kB|integer|user|false|configuration file|{auto}|true|16384")),
            text("16MB", IN_FORCE)
        );
        assert_eq!(
            of(&format!("4096|kB|integer|user|false|configuration file|{auto}|true|16MB")),
            text("16MB", "waits for a reload")
        );
        assert_eq!(
            of(&format!("4096|kB|integer|user|true|configuration file|{auto}|true|8MB")),
            text("8MB", "waits for a restart")
        );
        assert_eq!(
            of("4096|kB|integer|user|false|command line||true|16MB"),
            text("16MB", "overridden by: command line")
        );
        assert_eq!(of("4096|kB|integer|user|false|default||false|"), "Absent");
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_text(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            let named = load::<PostgresSetting>(&format!("{{ name: {quoted}, value: x }}"));
            prop_assert!(named.is_err() || text.is_ascii());
            for name in ["log_line_prefix", "search_path"] {
                if let Ok(wanted) = load::<PostgresSetting>(&format!("{{ name: {name}, value: {quoted} }}")) {
                    let set = wanted.set(wanted.value());
                    let inner = set.replace("\\\\", "").replace("''", "");
                    prop_assert_eq!(set.lines().count(), 1);
                    prop_assert!(!inner.contains('\\') && inner.matches('\'').count() % 2 == 0, "{}", set);
                }
            }
        }
    }
}
