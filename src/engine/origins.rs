//! Owns what a host remembers of the versions of the store that its secrets came from, so that an older one writes nothing.

use super::batch::{BatchStep, one_line};
use crate::model::ResourceId;
use crate::quote::Sh;
use crate::sh;

/// How the target remembers it, and refuses what is older.
pub(super) const ORIGINS: &str = include_str!("origins.sh");

/// The check before a step's own script; empty where no secret of a store is in it.
pub(super) fn check(step: &BatchStep, older: bool) -> Sh {
    let mut lines = Vec::new();
    for origin in step.step.payloads.iter().flat_map(|payload| payload.origins()) {
        let line = |id: &ResourceId| format!("{}\t{}\t{}", one_line(&id.to_string()), origin.file, origin.generation);
        lines.extend(step.ids.iter().map(line));
    }
    lines.sort();
    lines.dedup();
    if lines.is_empty() { Sh::default() } else { sh!("rp_origins {} {}", lines.join("\n"), u16::from(older)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_version_is_refused_and_a_newer_one_noted() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("secret-origins");
        let shell = |lines: &str, older: u16| {
            let call = sh!("rp_origins {} {}", lines, older);
            let text = format!("set -eu\n{ORIGINS}\nRP_ORIGINS={}\n{}\n", kept.display(), call.text());
            let ran = std::process::Command::new("sh").arg("-c").arg(text).output().unwrap();
            (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
        };
        let read = || {
            let text = std::fs::read_to_string(&kept).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines.join("\n")
        };
        let (env, other) = ("file:/etc/a b\\n\tgw.yaml\t", "file:/etc/a\tgw.yaml\t");
        assert!(shell(&format!("{env}9\n{other}2"), 0).0);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(shell(&format!("{env}10"), 0).0 && shell(&format!("{env}10"), 0).0);
        let (fine, told) = shell(&format!("{env}9\n{other}3"), 0);
        assert!(!fine && told.contains("was given generation 10 of gw.yaml, and this is generation 9"), "{told}");
        assert_eq!(read(), format!("{other}2\n{env}10"), "a refusal notes nothing");
        // Another file is another matter; who means the older one is heard, and the list says so from then on.
        assert!(shell("file:/etc/a\tdb.yaml\t1", 0).0);
        assert!(shell(&format!("{env}9"), 1).0 && shell(&format!("{env}9"), 0).0);
        assert_eq!(read(), format!("file:/etc/a\tdb.yaml\t1\n{other}2\n{env}9"));
        // What cannot be understood, or not be written, lets nothing through.
        for junk in ["x\n", "file:/x\tgw.yaml\tnew\n", "a\tb\tc\t1\n"] {
            std::fs::write(&kept, junk).unwrap();
            let (fine, told) = shell(&format!("{env}11"), 0);
            assert!(!fine && told.contains("cannot be understood"), "{junk:?}: {told}");
        }
        std::fs::remove_file(&kept).unwrap();
        std::fs::create_dir(folder.path().join("secret-origins.new")).unwrap();
        assert!(!shell(&format!("{env}11"), 0).0);
    }
}
