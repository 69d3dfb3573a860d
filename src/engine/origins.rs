//! Owns what a host remembers of the versions of the store that its secrets came from, so that an older one writes nothing.

use super::batch::{BatchStep, one_line};
use crate::plan::Given;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeScript};
use crate::secret::{Origin, Rendered};
use crate::sh;

/// How the target remembers it, and refuses what is older.
pub(super) const ORIGINS: &str = include_str!("origins.sh");

const KEPT: &str = "/var/lib/rempart/secret-origins";
const SECTION: &str = "rempart/secret-origins";

/// Asks for the list, to say before a run what its steps would be refused for.
pub(super) fn ask(script: &mut ProbeScript) {
    script.section(SECTION, sh!("[ ! -e {} ] || cat -- {} || exit 3", KEPT, KEPT));
}

/// Reads it. Of what cannot be read nothing is said here: the host itself lets nothing through then.
pub(super) fn read(answer: &Answer) -> Vec<Given> {
    let section = answer.section(SECTION).ok().filter(|section| section.status == 0);
    let text = section.and_then(|section| section.text().ok()).unwrap_or_default();
    text.lines().filter_map(given).collect()
}

fn given(line: &str) -> Option<Given> {
    let mut parts = line.split('\t');
    let (id, file, generation) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let word = parts.next().unwrap_or("-");
    let version = if matches!(word, "-" | "over") { String::new() } else { word.to_owned() };
    let origin = Origin { file: file.to_owned(), generation, version };
    Some(Given { id: id.to_owned(), origin, over: word == "over" })
}

/// The check before a step's own script; empty where it sends no secret: a step may write only a part of its resource, as
/// the rights of a database's role beside its password, which tells nothing of the secrets of the rest. One with a secret
/// of no store is noted where the host knows of an earlier one, which is over then.
pub(super) fn check(step: &BatchStep, older: bool) -> Sh {
    let payloads = &step.step.payloads;
    if !payloads.iter().any(Rendered::is_secret) {
        return Sh::default();
    }
    let ids: Vec<String> = step.ids.iter().map(|id| one_line(&id.to_string())).collect();
    let mut lines = Vec::new();
    for origin in payloads.iter().flat_map(|payload| payload.origins()) {
        let version = if origin.version.is_empty() { "-" } else { &origin.version };
        lines.extend(ids.iter().map(|id| format!("{id}\t{}\t{}\t{version}", origin.file, origin.generation)));
    }
    lines.sort();
    lines.dedup();
    sh!("rp_origins {} {} {}", ids.join("\n"), lines.join("\n"), u16::from(older))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::model::ResourceId;
    use crate::resource::Step;
    use crate::secret::Secret;

    // The list of a host.
    struct Kept(tempfile::TempDir);

    impl Kept {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("secret-origins")
        }

        // A step of one file that writes secrets of these files, each `FILE GENERATION VERSION`.
        fn write(&self, key: &str, files: &[&str], older: bool) -> (bool, String) {
            let origin = |file: &&str| {
                let parts: Vec<&str> = file.split(' ').collect();
                let version = parts[2].trim_matches('-').to_owned();
                Origin { file: parts[0].into(), generation: parts[1].parse().unwrap(), version }
            };
            let secret = Secret::new("gw/token", "x").with_origins(files.iter().map(origin).collect());
            let step = BatchStep {
                step: Step::new("write", Sh::default()).with_payload(Rendered::secret(secret)),
                requires: Vec::new(),
                ids: vec![ResourceId::new("file", key)],
                makes: Vec::new(),
                removes: Vec::new(),
            };
            let (call, kept) = (check(&step, older), self.path());
            let text = format!("set -eu\n{ORIGINS}\nRP_ORIGINS={}\n{}\n", kept.display(), call.text());
            let ran = std::process::Command::new("sh").arg("-c").arg(text).output().unwrap();
            (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
        }

        fn fine(&self, key: &str, files: &[&str]) {
            let (fine, told) = self.write(key, files, false);
            assert!(fine && told.is_empty(), "{files:?}: {told}");
        }

        fn refused(&self, key: &str, files: &[&str], why: &str) {
            let (fine, told) = self.write(key, files, false);
            assert!(!fine && told.contains(why) && told.contains("--allow-older-secrets"), "{files:?}: {told}");
        }

        fn read(&self) -> String {
            let text = std::fs::read_to_string(self.path()).unwrap();
            let mut lines: Vec<String> = text.lines().map(|line| line.replace('\t', " ")).collect();
            lines.sort();
            lines.join("\n")
        }
    }

    #[test]
    fn an_older_version_is_refused_and_a_newer_one_noted() {
        let host = Kept::new();
        let env = "/etc/a b\\n";
        host.fine(env, &["gw.yaml 9 0a"]);
        host.fine("/etc/a", &["gw.yaml 2 0b"]);
        assert_eq!(std::fs::metadata(host.path()).unwrap().permissions().mode() & 0o777, 0o600);
        host.fine(env, &["gw.yaml 10 0c"]);
        host.fine(env, &["gw.yaml 10 0c"]);
        host.refused(env, &["gw.yaml 9 0a"], "was given generation 10 of gw.yaml, and this is generation 9");
        host.refused(env, &["db.yaml 1 0a", "gw.yaml 9 0a"], "git pull");
        let known = "file:/etc/a b\\n gw.yaml 10 0c";
        assert_eq!(host.read(), format!("{known}\nfile:/etc/a gw.yaml 2 0b"), "a refusal notes nothing");
        // Who means the older one is heard, and the list says so from then on.
        assert!(host.write(env, &["gw.yaml 9 0a"], true).0);
        host.fine(env, &["gw.yaml 9 0a"]);
        assert_eq!(host.read(), "file:/etc/a b\\n gw.yaml 9 0a\nfile:/etc/a gw.yaml 2 0b");
        // Numbers that a double does not tell apart.
        host.fine("/etc/a", &["gw.yaml 9007199254740993 0a"]);
        host.refused("/etc/a", &["gw.yaml 9007199254740992 0a"], "this is generation 9007199254740992");
        host.fine("/etc/a", &["gw.yaml 18446744073709551615 0a"]);
        std::fs::create_dir(host.0.path().join("secret-origins.new")).unwrap();
        assert!(!host.write(env, &["gw.yaml 11 0a"], false).0, "what cannot be noted is not written");
    }

    #[test]
    fn two_versions_of_one_generation_are_not_one() {
        let host = Kept::new();
        host.fine("/etc/a", &["gw.yaml 2 0a"]);
        host.refused("/etc/a", &["gw.yaml 2 0b"], "two versions of generation 2 of gw.yaml");
        host.refused("/etc/a", &["gw.yaml 2 0b"], "merge them and apply the newest");
        host.fine("/etc/a", &["gw.yaml 2 -"]);
        assert_eq!(host.read(), "file:/etc/a gw.yaml 2 -");
        // As lists were written before: nobody knows the version.
        std::fs::write(host.path(), "file:/etc/a\tgw.yaml\t2\nfile:/etc/b\tgw.yaml\t2\n").unwrap();
        host.fine("/etc/a", &["gw.yaml 2 0b"]);
        host.refused("/etc/a", &["gw.yaml 2 0a"], "two versions");
        host.refused("/etc/b", &["gw.yaml 1 0a"], "an older secret");
        assert!(host.write("/etc/a", &["gw.yaml 2 0a"], true).0);
        assert_eq!(host.read(), "file:/etc/a gw.yaml 2 0a\nfile:/etc/b gw.yaml 2 -");
    }

    #[test]
    fn what_a_resource_had_from_another_file_is_over() {
        let host = Kept::new();
        host.fine("/etc/a", &["gw.yaml 10 0a"]);
        host.fine("/etc/b", &["gw.yaml 10 0a"]);
        host.fine("/etc/a", &["prod/gw.yaml 1 0b"]);
        let known = "file:/etc/a gw.yaml 10 over\nfile:/etc/a prod/gw.yaml 1 0b\nfile:/etc/b gw.yaml 10 0a";
        assert_eq!(host.read(), known);
        host.refused("/etc/a", &["gw.yaml 10 0a"], "and secrets of elsewhere after that");
        host.refused("/etc/a", &["gw.yaml 9 0a"], "and this is generation 9");
        assert_eq!(host.read(), known);
        host.fine("/etc/b", &["gw.yaml 10 0a"]);
        host.fine("/etc/a", &["gw.yaml 11 0c"]);
        host.refused("/etc/a", &["prod/gw.yaml 1 0b"], "and secrets of elsewhere after that");
        assert!(host.write("/etc/a", &["prod/gw.yaml 1 0b"], true).0);
        host.refused("/etc/a", &["gw.yaml 11 0c"], "and secrets of elsewhere after that");
        // Neither does one whose secrets are of no store any more go back to it.
        host.fine("/etc/b", &[]);
        host.refused("/etc/b", &["gw.yaml 10 0a"], "and secrets of elsewhere after that");
        host.fine("/etc/c", &[]);
        assert!(!host.read().contains("/etc/c"));
    }

    #[test]
    fn a_line_that_nobody_understands_lets_no_secret_through_and_says_what_to_do() {
        for junk in ["x", "file:/x\tgw.yaml\tnew", "a\tb\tc\t1", "a\tb\t1\tVERSION", "a\tb\t1\t0a\t", ""] {
            let host = Kept::new();
            std::fs::write(host.path(), format!("file:/b\tgw.yaml\t3\t0a\n{junk}\n")).unwrap();
            host.refused("/etc/a", &["gw.yaml 11 0a"], "secret-origins on this host cannot be understood: line 2");
            host.fine("/etc/plain", &[]);
            assert!(host.write("/etc/a", &["gw.yaml 11 0a"], true).0, "{junk:?}");
            assert_eq!(host.read(), "file:/b gw.yaml 3 0a\nfile:/etc/a gw.yaml 11 0a");
        }
    }

    #[test]
    fn the_list_is_read_as_it_is_written() {
        let host = Kept::new();
        host.fine("/etc/a b", &["gw.yaml 10 0a"]);
        host.fine("/etc/a b", &["db.yaml 3 -"]);
        let text = std::fs::read_to_string(host.path()).unwrap();
        let mut read: Vec<Given> = text.lines().filter_map(given).collect();
        read.sort_by_key(|given| given.origin.generation);
        let one = |file: &str, generation, over| {
            let origin = Origin { file: file.into(), generation, version: String::new() };
            Given { id: "file:/etc/a b".into(), origin, over }
        };
        assert_eq!(read, [one("db.yaml", 3, false), one("gw.yaml", 10, true)]);
        assert_eq!(given("file:/a\tgw.yaml\t1\t0a").map(|given| given.origin.version).as_deref(), Some("0a"));
        assert!(given("file:/a\tgw.yaml\t1").is_some() && given("junk").is_none() && given("a\tb\tx").is_none());
    }

    #[test]
    fn what_sends_no_secret_asks_nothing() {
        let step = |step: Step| BatchStep {
            step,
            requires: Vec::new(),
            ids: vec![ResourceId::new("postgres_role", "app")],
            makes: Vec::new(),
            removes: Vec::new(),
        };
        let plain = Step::new("grant", Sh::default()).with_payload(Rendered::plain("GRANT x TO app"));
        for nothing in [Step::new("stop", Sh::default()), plain] {
            assert!(check(&step(nothing), false).is_empty());
        }
    }
}
