//! A role of PostgreSQL: what it may do, whom it belongs to, and its password.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use super::postgres::{self, Told, default_port, scram};
use crate::quote::{quote_sql_name, quote_sql_text};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo,
};
use crate::secret::{Piece, Rendered};
use crate::yaml::secret_text_schema;

/// A role of PostgreSQL. Asked and changed by `psql` as `postgres` over the local socket; a password is compared by its
/// verifier (SCRAM-SHA-256), and only a verifier is ever sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresRole {
    /// Its name.
    name: String,
    /// Whether it can log in. Default: false.
    #[serde(default)]
    login: bool,
    /// Its password: printable ASCII. Not managed unless given.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    password: Option<Rendered>,
    /// Whether nothing is forbidden to it. Default: false, as with the four that follow.
    #[serde(default)]
    superuser: bool,
    /// Whether it may make databases.
    #[serde(default)]
    createdb: bool,
    /// Whether it may make other roles.
    #[serde(default)]
    createrole: bool,
    /// Whether it may stream all that the server writes.
    #[serde(default)]
    replication: bool,
    /// Whether row-level security does not hold for it.
    #[serde(default)]
    bypassrls: bool,
    /// Whether it has the rights of the roles it is in without asking for them. Default: true.
    #[serde(default = "yes")]
    inherit: bool,
    /// How many connections it may have at once; -1 for any number. Default: -1.
    #[serde(default = "unlimited")]
    connection_limit: i64,
    /// Roles that it is in.
    #[serde(default)]
    member_of: Vec<String>,
    /// Whether it is in no others. Default: false.
    #[serde(default)]
    member_of_exclusive: bool,
    /// The server's port. Default: 5432.
    #[serde(default = "default_port")]
    port: u16,
    /// Whether it should be there. One that owns something, or has rights somewhere, PostgreSQL refuses to drop.
    #[serde(default)]
    state: State,
}

fn yes() -> bool {
    true
}

fn unlimited() -> i64 {
    -1
}

const AS_WANTED: &str = "as declared";

// What a role is like in one line, but for its password.
const LINE: &str = "concat_ws(' ', r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, \
r.rolbypassrls, r.rolinherit, r.rolconnlimit, (SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) \
FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid))";
const WIDTH: usize = 12;

// One row a role: what it may do, in the order of `flags`; its groups as lines.
fn question() -> String {
    format!(
        "SELECT r.rolname, r.rolcanlogin::text, r.rolsuper::text, r.rolcreatedb::text, r.rolcreaterole::text, \
         r.rolreplication::text, r.rolbypassrls::text, r.rolinherit::text, r.rolconnlimit::text, \
         coalesce(r.rolpassword, ''), coalesce((SELECT string_agg(g.rolname, E'\\n' ORDER BY g.rolname) \
         FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), ''), {LINE} \
         FROM pg_authid r ORDER BY 1"
    )
}

impl PostgresRole {
    fn flags(&self) -> [(&'static str, bool); 7] {
        [
            ("login", self.login),
            ("superuser", self.superuser),
            ("createdb", self.createdb),
            ("createrole", self.createrole),
            ("replication", self.replication),
            ("bypassrls", self.bypassrls),
            ("inherit", self.inherit),
        ]
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let rows = match postgres::told(answer, Self::NAME, self.port, WIDTH)? {
            Told::Silent(seen) => return Ok(seen),
            Told::Rows(rows) => rows,
        };
        // Every server has it; without it, this is not the answer of one.
        if !rows.iter().any(|row| row[0] == "postgres") {
            return Err(ProbeError("the server does not even know the role postgres".into()));
        }
        let Some(row) = rows.iter().find(|row| row[0] == self.name) else { return Ok(Seen::Absent) };
        let mut fields = Fields::new();
        for ((name, _), told) in self.flags().into_iter().zip(&row[1..8]) {
            let is = match told.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(ProbeError(format!("what the server says of {} was not understood", self.name))),
            };
            fields.insert(name.into(), FieldValue::Bool(is));
        }
        let limit = row[8].parse().map_err(|_| ProbeError("a limit of connections is no number".into()))?;
        fields.insert("connection_limit".into(), FieldValue::Int(limit));
        if let Some(password) = &self.password {
            let told = match (row[9].as_str(), scram::is_of(password, &row[9])) {
                ("", _) => "none",
                (_, Some(true)) => AS_WANTED,
                (_, Some(false)) => "another one",
                (_, None) => "one of another method",
            };
            fields.insert("password".into(), FieldValue::text(told));
        }
        let groups: Vec<&str> = row[10].lines().collect();
        for name in &self.member_of {
            let told = if groups.contains(&name.as_str()) { "member" } else { "no member" };
            fields.insert(format!("member_of.{name}"), FieldValue::text(told));
        }
        let others = groups.iter().copied().filter(|name| !self.member_of.iter().any(|known| known == name));
        fields.insert("member_of.others".into(), FieldValue::list(others));
        fields.insert("line".into(), FieldValue::text(row[11].trim_end()));
        Ok(Seen::Present(fields))
    }

    // What it may do, as words of CREATE and ALTER ROLE.
    fn options(&self, differs: impl Fn(&str) -> bool) -> String {
        let mut words = Vec::new();
        for (name, is) in self.flags().into_iter().filter(|(name, _)| differs(name)) {
            words.push(format!("{}{}", if is { "" } else { "NO" }, name.to_uppercase()));
        }
        if differs("connection_limit") {
            words.push(format!("CONNECTION LIMIT {}", self.connection_limit));
        }
        words.join(" ")
    }

    fn password_sql(&self, password: &Rendered) -> Rendered {
        let before = format!("ALTER ROLE {} PASSWORD '", quote_sql_name(&self.name));
        // Base64, digits and dollars: nothing that could end the text.
        let verifier = scram::verifier(password, &self.name);
        Rendered::from_pieces(vec![Piece::Plain(before), Piece::Secret(verifier), Piece::Plain("';\n".into())])
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
        let sql = format!("SELECT {LINE} FROM pg_authid r WHERE r.rolname = {}", quote_sql_text(&self.name));
        postgres::expect(self.port, &sql, output)
    }

    fn create(&self) -> Step {
        let name = quote_sql_name(&self.name);
        let mut sql = format!("BEGIN;\nCREATE ROLE {name} {};\n", self.options(|_| true));
        for group in &self.member_of {
            sql.push_str(&format!("GRANT {} TO {name};\n", quote_sql_name(group)));
        }
        let mut pieces = vec![Piece::Plain(sql)];
        if let Some(password) = &self.password {
            pieces.extend(self.password_sql(password).pieces().iter().cloned());
        }
        pieces.push(Piece::Plain("COMMIT;\n".into()));
        let back = postgres::undo(self.port, &format!("DROP ROLE IF EXISTS {name};\n"));
        postgres::change(format!("make the role {}", self.name), self.port, Rendered::from_pieces(pieces))
            .undone_by(Undo::of([Touch::Effect(format!("role {}", self.name))]).then(back))
    }

    // All but the password can be taken back; an old password is known to nobody.
    fn alter(&self, seen: &Fields, fields: &[String]) -> Vec<Step> {
        let name = quote_sql_name(&self.name);
        let differs = |field: &str| fields.iter().any(|known| known == field);
        let (mut sql, mut back) = (String::from("BEGIN;\n"), String::from("BEGIN;\n"));
        let options = self.options(differs);
        if !options.is_empty() {
            sql.push_str(&format!("ALTER ROLE {name} {options};\n"));
        }
        for (field, is) in self.flags().into_iter().filter(|(field, _)| differs(field)) {
            back.push_str(&format!("ALTER ROLE {name} {}{};\n", if is { "NO" } else { "" }, field.to_uppercase()));
        }
        if let (true, Some(FieldValue::Int(limit))) = (differs("connection_limit"), seen.get("connection_limit")) {
            back.push_str(&format!("ALTER ROLE {name} CONNECTION LIMIT {limit};\n"));
        }
        for group in self.member_of.iter().filter(|group| differs(&format!("member_of.{group}"))) {
            let group = quote_sql_name(group);
            sql.push_str(&format!("GRANT {group} TO {name};\n"));
            back.push_str(&format!("REVOKE {group} FROM {name};\n"));
        }
        if let (true, Some(FieldValue::List(others))) = (differs("member_of.others"), seen.get("member_of.others")) {
            for group in others.iter().map(|group| quote_sql_name(group)) {
                sql.push_str(&format!("REVOKE {group} FROM {name};\n"));
                back.push_str(&format!("GRANT {group} TO {name};\n"));
            }
        }
        let mut steps = Vec::new();
        if sql.lines().count() > 1 {
            let back = postgres::undo(self.port, &(back + "COMMIT;\n"));
            let sql = Rendered::plain(sql + "COMMIT;\n");
            steps.push(
                postgres::change(format!("change the role {}", self.name), self.port, sql)
                    .undone_by(Undo::of([Touch::Effect(format!("role {}", self.name))]).then(back)),
            );
        }
        if let Some(password) = self.password.as_ref().filter(|_| differs("password")) {
            let title = format!("set the password of the role {}", self.name);
            let step = postgres::change(title, self.port, self.password_sql(password));
            steps.push(step.permanent("nobody knows the old password, and it is not written again"));
        }
        steps
    }
}

impl Kind for PostgresRole {
    const NAME: &'static str = "postgres_role";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A role of PostgreSQL: what it may do, whom it belongs to, and its password.";
    const EXAMPLE: &'static str =
        "postgres_role: { name: app, login: true, connection_limit: 20, member_of: [app_owner] }";
    const UNDO: &'static str = "a new role goes while it owns nothing; what an old one may do, and its groups, come back. \
                                Not its old password, nor a role that was dropped.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        postgres::name("name", &self.name)?;
        if self.state == State::Absent && self.name == "postgres" {
            return Err(Fault::new("name", "the role postgres is never dropped: rempart itself comes in by it"));
        }
        if self.name == "postgres" && !(self.superuser && self.login) {
            return Err(Fault::new("superuser", "the role postgres stays a superuser that can log in")
                .fix("add `superuser: true, login: true`, or leave it alone"));
        }
        self.member_of.iter().try_for_each(|group| {
            // Predefined roles are there to be granted.
            postgres::name("member_of", group.strip_prefix("pg_").unwrap_or(group))
        })?;
        if self.connection_limit < -1 || self.connection_limit > i64::from(i32::MAX) {
            return Err(Fault::new("connection_limit", "it must be -1 or more"));
        }
        let Some(password) = &self.password else { return Ok(()) };
        let good = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if is_plain { Ok(()) } else { Err("it must be printable ASCII, and not empty".to_owned()) }
        };
        password.check(good).map_err(|why| Fault::new("password", why).fix("make another one"))
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Role(self.name.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let groups = self.member_of.iter().cloned().map(Provision::Role);
        [Provision::Unit("postgresql.service".into())].into_iter().chain(groups).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields: Fields =
            self.flags().into_iter().map(|(name, is)| (name.to_owned(), FieldValue::Bool(is))).collect();
        fields.insert("connection_limit".into(), FieldValue::Int(self.connection_limit));
        if self.password.is_some() {
            fields.insert("password".into(), FieldValue::text(AS_WANTED));
        }
        for group in &self.member_of {
            fields.insert(format!("member_of.{group}"), FieldValue::text("member"));
        }
        if self.member_of_exclusive {
            fields.insert("member_of.others".into(), FieldValue::List(Vec::new()));
        }
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
        let steps = batch.iter().flat_map(|Change { position, wanted, seen, fields }| {
            let steps = match (wanted.state, seen) {
                (State::Absent, _) => {
                    let sql = Rendered::plain(format!("DROP ROLE {};\n", quote_sql_name(&wanted.name)));
                    let step = postgres::change(format!("drop the role {}", wanted.name), wanted.port, sql);
                    vec![step.permanent("nobody knows its password any more")]
                }
                (State::Present, Seen::Present(seen)) => wanted.alter(seen, fields),
                (State::Present, _) => vec![wanted.create()],
            };
            steps.into_iter().map(|step| step.expecting(wanted.expect(seen)).serving([*position]))
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
        postgres::told::seen::<PostgresRole>(item, status, stdout, stderr)
    }

    #[test]
    fn silence_is_told_apart_from_absence() {
        postgres::told::silence_is_told_apart_from_absence::<PostgresRole>(ITEM);
    }

    const ITEM: &str = "{ name: app, login: true, member_of: [a], member_of_exclusive: true }";

    fn told(row: &str) -> String {
        let postgres = "postgres|true|true|true|true|true|true|true|-1|||x";
        format!("begin|{postgres}|{row}|end|").replace('|', "\0")
    }

    #[test]
    fn a_role_is_read_and_only_what_differs_is_changed() {
        let row = "app|false|true|false|false|false|false|true|-1||b\nc|line";
        let Seen::Present(fields) = seen(ITEM, 0, &told(row), "") else { panic!() };
        let wanted = load::<PostgresRole>(ITEM).unwrap();
        let Desired::Present(desired) = wanted.desired() else { panic!() };
        let differs: Vec<String> = desired
            .iter()
            .filter(|(name, value)| !value.agrees_with(&fields[*name]))
            .map(|(name, _)| name.clone())
            .collect();
        assert_eq!(differs, ["login", "member_of.a", "member_of.others", "superuser"]);
        let steps = wanted.alter(&fields, &differs);
        assert_eq!(
            steps[0].payloads[0].as_plain().unwrap(),
            "BEGIN;\nALTER ROLE \"app\" LOGIN NOSUPERUSER;\nGRANT \"a\" TO \"app\";\nREVOKE \"b\" FROM \"app\";\n\
             REVOKE \"c\" FROM \"app\";\nCOMMIT;\n"
        );
        assert!(matches!(seen(ITEM, 0, &told("other|true|true|true|true|true|true|true|-1|||x"), ""), Seen::Absent));
    }

    #[test]
    fn a_password_stands_in_no_script_and_only_its_verifier_is_sent() {
        let wanted = load::<PostgresRole>("{ name: app, password: hunter2hunter2 }").unwrap();
        let step = wanted.create();
        assert!(!step.script.text().contains("hunter2") && !format!("{step:?}").contains("hunter2"));
        assert!(
            step.payloads[0].is_secret() && step.payloads[0].masked().contains("ALTER ROLE \"app\" PASSWORD '(secret")
        );
        for bad in ["pass\\tword", "pässword", ""] {
            assert!(load::<PostgresRole>(&format!("{{ name: app, password: \"{bad}\" }}")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_hostile_name_is_refused_or_one_word(text in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&text).unwrap();
            if let Ok(wanted) = load::<PostgresRole>(&format!("{{ name: {quoted} }}")) {
                let sql = wanted.create().payloads[0].as_plain().unwrap();
                let name = format!("\"{}\"", text.replace('"', "\"\""));
                let begin = format!("BEGIN;\nCREATE ROLE {name} NOLOGIN ");
                prop_assert!(sql.starts_with(&begin));
                prop_assert_eq!(sql.lines().count(), 3);
            }
        }
    }
}
