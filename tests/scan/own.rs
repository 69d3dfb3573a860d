//! This repository itself: all that the scan finds in it is accepted, with a reason, and every reason is still needed.

use std::path::Path;
use std::process::Command;

use crate::desk::REMPART;
use crate::said::Said;
use crate::skipped::skip;

#[test]
fn this_repository_scans_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = Command::new("git").args(["rev-parse", "--git-dir"]).current_dir(root).output();
    if !git.is_ok_and(|done| done.status.success()) {
        return skip("the scan of this repository", "this is no checkout, or there is no git");
    }
    let home = tempfile::tempdir().unwrap();
    let scan = Command::new(REMPART)
        .args(["secrets", "scan", "--json"])
        .current_dir(root)
        .env("HOME", home.path())
        .env("NO_COLOR", "1")
        .output();
    let said = Said::of(scan.unwrap());
    let json = said.json();
    let places = |name: &str, counts: &dyn Fn(&serde_json::Value) -> bool| -> Vec<String> {
        let all = json[name].as_array().unwrap().iter().filter(|one| counts(one));
        all.map(|one| format!("{} {}", one["id"].as_str().unwrap_or(""), one["place"].as_str().unwrap())).collect()
    };
    // The remotes of who runs this are no part of it.
    let open = places("findings", &|one| !one["place"].as_str().unwrap().contains(".git/"));
    assert!(open.is_empty(), "mend them, or accept them in .rempart-scan-ignore: {open:#?}");
    assert_eq!(places("unused", &|_| true), [""; 0], "accepted, and not there any more");
    assert_eq!(places("not_looked_at", &|one| one["fault"] == true), [""; 0]);
    assert!(json["totals"]["files"].as_u64().unwrap() > 500, "{}", json["totals"]);
}
