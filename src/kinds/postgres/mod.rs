//! What the kinds of PostgreSQL share: how a server is asked, how it is changed, and what its silence means.

pub(super) mod scram;

use crate::quote::Sh;
use crate::resource::{Answer, Expect, Fault, ProbeError, ProbeScript, Provision, Seen, Step};
use crate::secret::Rendered;
use crate::sh;

const PSQL: &str = include_str!("psql.sh");

/// The port of the first cluster that Debian makes.
pub(super) fn default_port() -> u16 {
    5432
}

/// What a server answered to one question: rows of as many texts as were asked for, or why there are none.
pub(super) enum Told {
    Rows(Vec<Vec<String>>),
    Silent(Seen),
}

fn section(kind: &str, port: u16) -> String {
    format!("{kind} {port}")
}

/// Asks the server at a port, in a transaction that cannot write. `sql` selects texts, as many as are then read; it ends
/// without a semicolon.
pub(super) fn ask(script: &mut ProbeScript, kind: &str, port: u16, sql: &str) {
    script.shared("rp_psql", Sh::program_of_the_user(PSQL));
    let sql = format!("BEGIN READ ONLY;\nSELECT 'begin';\n{sql};\nSELECT 'end';\nCOMMIT;\n");
    script.section(section(kind, port), sh!("printf '%s' {} | rp_psql {} postgres ''", sql, port));
}

/// Reads what [`ask`] asked for, as rows of `width` texts.
pub(super) fn told(answer: &Answer, kind: &str, port: u16, width: usize) -> Result<Told, ProbeError> {
    let section = answer.section(&section(kind, port))?;
    let not_yet = |missing: &str, brought: Provision| {
        let brought_by = vec![brought, Provision::Kind("package_apt")];
        Ok(Told::Silent(Seen::NotYet { missing: missing.to_owned(), brought_by }))
    };
    let complaint = String::from_utf8_lossy(&section.stderr).into_owned();
    if section.is_missing_tool() && complaint.contains("psql is not installed") {
        return not_yet("PostgreSQL is not installed", Provision::Package("postgresql".into()));
    }
    // Before a role or a database of a plan is there, its server may not be.
    let is_down = complaint.contains("No such file or directory") || complaint.contains("Connection refused");
    if section.status == 2 && complaint.contains("connection to server on socket") && is_down {
        let missing = format!("no server of PostgreSQL answers at port {port}");
        return not_yet(&missing, Provision::Unit("postgresql.service".into()));
    }
    if section.status != 0 {
        return Err(ProbeError(format!("psql failed (status {}): {}", section.status, section.complaint())));
    }
    let mut parts: Vec<&str> = section.text()?.split('\0').collect();
    let framed = parts.pop() == Some("") && parts.pop() == Some("end") && parts.first() == Some(&"begin");
    let rows = parts.get(1..).unwrap_or_default();
    if !framed || !rows.len().is_multiple_of(width) {
        return Err(ProbeError("psql's answer was not understood".into()));
    }
    Ok(Told::Rows(rows.chunks(width).map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()))
}

/// A step that runs SQL, which travels as a payload and never stands in a command line or in the server's log.
pub(super) fn change(title: String, port: u16, sql: Rendered) -> Step {
    let quiet = "-c log_statement=none -c log_min_error_statement=panic -c log_min_duration_statement=-1";
    let script = Sh::lines([Sh::program_of_the_user(PSQL), sh!("rp_psql {} postgres {} < \"$P/0\"", port, quiet)]);
    Step::new(title, script).with_payload(sql)
}

/// The precondition that a question without secrets is still answered by this one text; nothing = no row.
pub(super) fn expect(port: u16, sql: &str, output: String) -> Expect {
    let ask = sh!("printf '%s' {} | rp_psql {} postgres '' | tr -d '\\0'", sql, port);
    Expect::Prints { command: Sh::lines([Sh::program_of_the_user(PSQL), ask]), output }
}

/// The shell functions that the others here call.
pub(super) fn functions() -> Sh {
    Sh::program_of_the_user(PSQL)
}

/// Asks a database one thing on the way back; the answer is `$rp_told`.
pub(super) fn undo_in(port: u16, database: &str, sql: &str) -> Sh {
    sh!("rp_told=$(printf '%s' {} | rp_psql {} {} '' | tr -d '\\0')", sql, port, database)
}

/// What takes a change back: SQL without secrets.
pub(super) fn undo(port: u16, sql: &str) -> Sh {
    Sh::lines([Sh::program_of_the_user(PSQL), sh!("printf '%s' {} | rp_psql {} postgres ''", sql, port)])
}

/// Checks that a value can be a name: at most 63 bytes, no control characters, and none that PostgreSQL keeps for itself.
pub(super) fn name(field: &'static str, value: &str) -> Result<(), Fault> {
    let bad = |why: &str| Err(Fault::new(field, format!("`{}` {why}", value.escape_debug())));
    if value.is_empty() || value.len() > 63 {
        return bad("cannot be a name: 1 to 63 bytes");
    }
    if value.chars().any(char::is_control) {
        return bad("holds a control character");
    }
    if value.starts_with("pg_") || value == "public" || value == "none" {
        return bad("is a name that PostgreSQL keeps for itself");
    }
    Ok(())
}

/// What a kind makes of the answers of a PostgreSQL that is there, that is not, and that says junk.
#[cfg(test)]
pub(super) mod told {
    use crate::kinds::tests::load;
    use crate::resource::{Answer, Kind, SectionOutput, Seen};

    pub fn seen<K: Kind>(item: &str, status: i32, stdout: &str, stderr: &str) -> Seen {
        let wanted = load::<K>(item).unwrap();
        let section = SectionOutput { status, stdout: stdout.into(), stderr: stderr.into() };
        let name = format!("{} 5432", K::NAME);
        K::parse(&[&wanted], &Answer::of_sections([(name.as_str(), section)])).remove(0)
    }

    pub fn silence_is_told_apart_from_absence<K: Kind>(item: &str) {
        let down = "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: \
                    No such file or directory\n";
        assert!(matches!(seen::<K>(item, 127, "", "psql is not installed\n"), Seen::NotYet { .. }));
        assert!(matches!(seen::<K>(item, 2, "", down), Seen::NotYet { .. }));
        for (status, stdout) in [(3, ""), (0, ""), (0, "all is well\n"), (0, "begin\0end\0"), (0, "begin\0x\0end\0")] {
            assert!(matches!(seen::<K>(item, status, stdout, "psql: error\n"), Seen::Unknown(_)), "{stdout:?}");
        }
    }
}
