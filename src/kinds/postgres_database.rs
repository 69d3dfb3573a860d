//! A database of PostgreSQL: its owner, its encoding, and who may connect.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use super::postgres::{self, Told, default_port};
use crate::quote::{quote_sql_name, quote_sql_text};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo,
};
use crate::secret::Rendered;
use crate::sh;

/// A database of PostgreSQL. What is not given is left as it is, and chosen by the server for a new database. Encoding
/// and locale are given to a database when it is made; where they differ later, that is told, and nothing can mend it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresDatabase {
    /// Its name.
    name: String,
    /// The role that owns it.
    #[serde(default)]
    owner: Option<String>,
    /// Its encoding, such as `UTF8`.
    #[serde(default)]
    encoding: Option<String>,
    /// How texts are sorted, such as `C.UTF-8`.
    #[serde(default)]
    collate: Option<String>,
    /// What counts as a letter, such as `C.UTF-8`.
    #[serde(default)]
    ctype: Option<String>,
    /// The database that a new one is copied from; `template0` where an encoding or locale is given, else `template1`.
    #[serde(default)]
    template: Option<String>,
    /// How many connections it may have at once; -1 for any number.
    #[serde(default)]
    connection_limit: Option<i64>,
    /// Whether every role may connect to it, and make temporary tables, as a new database has it. `false` takes both
    /// from PUBLIC; the owner keeps them.
    #[serde(default)]
    public: Option<bool>,
    /// The server's port. Default: 5432.
    #[serde(default = "default_port")]
    port: u16,
    /// Whether it should be there. One that is removed is gone with all that it held.
    #[serde(default)]
    state: State,
}

// One row a database. PUBLIC is the grantee 0 of an access list; none at all is the list that PostgreSQL begins with.
const LINE: &str = "concat_ws(' ', pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, \
d.datconnlimit, EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee = 0 \
AND a.privilege_type IN ('CONNECT', 'TEMPORARY')))";
const WIDTH: usize = 8;

fn question() -> String {
    format!(
        "SELECT d.datname, pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, \
         d.datconnlimit::text, (EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a \
         WHERE a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY')))::text, {LINE} FROM pg_database d ORDER BY 1"
    )
}

impl PostgresDatabase {
    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let rows = match postgres::told(answer, Self::NAME, self.port, WIDTH)? {
            Told::Silent(seen) => return Ok(seen),
            Told::Rows(rows) => rows,
        };
        // Every server has it; without it, this is not the answer of one.
        if !rows.iter().any(|row| row[0] == "template1") {
            return Err(ProbeError("the server does not even know the database template1".into()));
        }
        let Some(row) = rows.iter().find(|row| row[0] == self.name) else { return Ok(Seen::Absent) };
        let limit = row[5].parse().map_err(|_| ProbeError("a limit of connections is no number".into()))?;
        let public = match row[6].as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(ProbeError(format!("what the server says of {} was not understood", self.name))),
        };
        let text = |at: usize| FieldValue::text(&row[at]);
        Ok(Seen::Present(Fields::from([
            ("owner".to_owned(), text(1)),
            ("encoding".to_owned(), text(2)),
            ("collate".to_owned(), text(3)),
            ("ctype".to_owned(), text(4)),
            ("connection_limit".to_owned(), FieldValue::Int(limit)),
            ("public".to_owned(), FieldValue::Bool(public)),
            ("line".to_owned(), text(7)),
        ])))
    }

    fn expect(&self, seen: &Seen) -> Expect {
        let output = match seen {
            Seen::NotYet { .. } => return Expect::Nothing("there was no server to be asked"),
            Seen::Present(fields) => match fields.get("line") {
                Some(FieldValue::Text(line)) => line.clone(),
                _ => return Expect::Nothing("it was not asked for"),
            },
            _ => String::new(),
        };
        let sql = format!("SELECT {LINE} FROM pg_database d WHERE d.datname = {}", quote_sql_text(&self.name));
        postgres::expect(self.port, &sql, output)
    }

    fn touched(&self) -> Undo {
        Undo::of([Touch::Effect(format!("database {}", self.name))])
    }

    fn rights(&self, public: bool) -> String {
        let name = quote_sql_name(&self.name);
        match public {
            true => format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC;\n"),
            false => format!("REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n"),
        }
    }

    fn create(&self) -> Step {
        let name = quote_sql_name(&self.name);
        let mut sql = format!("CREATE DATABASE {name}");
        let has_form = self.encoding.is_some() || self.collate.is_some() || self.ctype.is_some();
        let template = self.template.clone().or_else(|| has_form.then(|| "template0".to_owned()));
        for (word, value) in [("OWNER", &self.owner), ("TEMPLATE", &template)] {
            sql.extend(value.iter().map(|value| format!(" {word} {}", quote_sql_name(value))));
        }
        for (word, value) in [("ENCODING", &self.encoding), ("LC_COLLATE", &self.collate), ("LC_CTYPE", &self.ctype)] {
            sql.extend(value.iter().map(|value| format!(" {word} {}", quote_sql_text(value))));
        }
        sql.extend(self.connection_limit.map(|limit| format!(" CONNECTION LIMIT {limit}")));
        sql.push_str(";\n");
        sql.extend(self.public.map(|public| self.rights(public)));
        // It goes again while nobody is connected and nothing was put into it: a table, a schema, a function.
        let is_empty = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname \
                        NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
        let mut back = postgres::undo_in(self.port, &self.name, is_empty);
        back.line(sh!(
            "[ \"$rp_told\" = 0 ] || { echo {} >&2; exit 1; }",
            format!("the database {} holds something by now, so it stays", self.name)
        ));
        back.line(postgres::undo(self.port, &format!("DROP DATABASE {name};\n")));
        let guarded = sh!(
            "rp_there=$(printf '%s' {} | rp_psql {} postgres '' | tr -d '\\0')\n[ -n \"$rp_there\" ] || exit 0",
            format!("SELECT 1 FROM pg_database WHERE datname = {}", quote_sql_text(&self.name)),
            self.port
        );
        let back = crate::quote::Sh::lines([postgres::functions(), guarded, back]);
        postgres::change(format!("make the database {}", self.name), self.port, Rendered::plain(sql))
            .undone_by(self.touched().then(back))
            .within(600)
    }

    fn alter(&self, seen: &Fields, fields: &[String]) -> Step {
        let name = quote_sql_name(&self.name);
        let differs = |field: &str| fields.iter().any(|known| known == field);
        let fixed: Vec<&str> = ["encoding", "collate", "ctype"].into_iter().filter(|field| differs(field)).collect();
        if !fixed.is_empty() {
            let told = format!(
                "{} of the database {} cannot be changed; dump it, make it anew, and load it",
                fixed.join(" and "),
                self.name
            );
            let step = Step::new(format!("look at the database {}", self.name), sh!("rp_fail {}", told));
            return step.permanent("it changes nothing");
        }
        let (mut sql, mut back) = (String::new(), String::new());
        if let (true, Some(owner), Some(FieldValue::Text(old))) = (differs("owner"), &self.owner, seen.get("owner")) {
            sql.push_str(&format!("ALTER DATABASE {name} OWNER TO {};\n", quote_sql_name(owner)));
            back.push_str(&format!("ALTER DATABASE {name} OWNER TO {};\n", quote_sql_name(old)));
        }
        if let (true, Some(limit), Some(FieldValue::Int(old))) =
            (differs("connection_limit"), self.connection_limit, seen.get("connection_limit"))
        {
            sql.push_str(&format!("ALTER DATABASE {name} CONNECTION LIMIT {limit};\n"));
            back.push_str(&format!("ALTER DATABASE {name} CONNECTION LIMIT {old};\n"));
        }
        if let (true, Some(public)) = (differs("public"), self.public) {
            sql.push_str(&self.rights(public));
            back.push_str(&self.rights(!public));
        }
        postgres::change(format!("change the database {}", self.name), self.port, Rendered::plain(sql))
            .undone_by(self.touched().then(postgres::undo(self.port, &back)))
    }
}

impl Kind for PostgresDatabase {
    const NAME: &'static str = "postgres_database";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A database of PostgreSQL: its owner, its encoding, and who may connect.";
    const EXAMPLE: &'static str = "postgres_database: { name: app, owner: app_owner, encoding: UTF8, public: false }";
    const UNDO: &'static str = "a new one goes while nothing was put into it; owner, limit and rights come back. \
                                One that was dropped does not.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        if self.state == State::Absent && ["postgres", "template0", "template1"].contains(&self.name.as_str()) {
            return Err(Fault::new("name", format!("{} is never dropped", self.name)));
        }
        postgres::name("name", &self.name)?;
        self.owner.as_deref().map_or(Ok(()), |owner| postgres::name("owner", owner))?;
        self.template.as_deref().map_or(Ok(()), |template| postgres::name("template", template))?;
        for (field, value) in [("encoding", &self.encoding), ("collate", &self.collate), ("ctype", &self.ctype)] {
            let fine = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
            if value.as_ref().is_some_and(|value| value.is_empty() || !value.chars().all(fine)) {
                return Err(
                    Fault::new(field, "it is the name of no encoding and no locale").fix("write UTF8, C.UTF-8, ...")
                );
            }
        }
        if self.connection_limit.is_some_and(|limit| limit < -1 || limit > i64::from(i32::MAX)) {
            return Err(Fault::new("connection_limit", "it must be -1 or more"));
        }
        Ok(())
    }

    fn uses(&self) -> Vec<Provision> {
        let owner = self.owner.iter().cloned().map(Provision::Role);
        [Provision::Unit("postgresql.service".into())].into_iter().chain(owner).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        for (name, value) in
            [("owner", &self.owner), ("encoding", &self.encoding), ("collate", &self.collate), ("ctype", &self.ctype)]
        {
            fields.extend(value.iter().map(|value| (name.to_owned(), FieldValue::text(value))));
        }
        fields.extend(self.connection_limit.map(|limit| ("connection_limit".to_owned(), FieldValue::Int(limit))));
        fields.extend(self.public.map(|public| ("public".to_owned(), FieldValue::Bool(public))));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            postgres::ask(script, Self::NAME, wanted.port, &question());
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let steps = batch.iter().map(|Change { position, wanted, seen, fields }| {
            let step = match (wanted.state, seen) {
                (State::Absent, _) => {
                    let sql = Rendered::plain(format!("DROP DATABASE {};\n", quote_sql_name(&wanted.name)));
                    postgres::change(format!("drop the database {}", wanted.name), wanted.port, sql)
                        .permanent("what the database held is gone")
                }
                (State::Present, Seen::Present(seen)) => wanted.alter(seen, fields),
                (State::Present, _) => wanted.create(),
            };
            step.expecting(wanted.expect(seen)).serving([*position])
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
        postgres::told::seen::<PostgresDatabase>(item, status, stdout, stderr)
    }

    #[test]
    fn silence_is_told_apart_from_absence() {
        postgres::told::silence_is_told_apart_from_absence::<PostgresDatabase>(ITEM);
    }

    const ITEM: &str = "{ name: app, owner: o, public: false }";

    #[test]
    fn what_cannot_be_changed_is_told_and_the_rest_is_changed() {
        let told = "begin|template1|p|UTF8|C|C|-1|true|x|app|p|UTF8|C|C|-1|true|x|end|".replace('|', "\0");
        let Seen::Present(fields) = seen(ITEM, 0, &told, "") else { panic!() };
        let wanted = load::<PostgresDatabase>("{ name: app, owner: o, public: false, encoding: LATIN1 }").unwrap();
        let differs = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let step = wanted.alter(&fields, &differs(&["owner", "public"]));
        assert_eq!(
            step.payloads[0].as_plain().unwrap(),
            "ALTER DATABASE \"app\" OWNER TO \"o\";\nREVOKE CONNECT, TEMPORARY ON DATABASE \"app\" FROM PUBLIC;\n"
        );
        assert!(wanted.alter(&fields, &differs(&["encoding"])).script.text().starts_with("rp_fail "));
    }

    proptest! {
        #[test]
        fn a_hostile_name_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            if let Ok(wanted) = load::<PostgresDatabase>(&format!("{{ name: {quoted}, owner: {quoted} }}")) {
                let name = format!("\"{}\"", text.replace('"', "\"\""));
                let sql = wanted.create().payloads[0].as_plain().unwrap();
                prop_assert_eq!(sql, format!("CREATE DATABASE {name} OWNER {name};\n"));
            }
        }
    }
}
