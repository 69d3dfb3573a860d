//! The program over a repository: what it looks at, what it says of the rest, exit codes, and accepted findings.

use super::desk::Desk;

#[test]
fn ignored_files_are_left_out_unless_git_tracks_them_or_somebody_asks() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/.gitignore", "*.env\nbuild/\n");
    desk.write("repo/local.env", "A_PASSWORD=hunter2\n");
    desk.write("repo/forced.env", "B_PASSWORD=hunter2\n");
    desk.write("repo/build/x.ini", "password = hunter2\n");
    desk.write("repo/.hidden/x.ini", "password = hunter2\n");
    desk.git("repo", &["add", "-f", "forced.env"]).ends(0);
    let places = |arguments: &[&str]| -> Vec<String> {
        let json = desk.scan("repo", arguments).ends(2).json();
        json["findings"].as_array().unwrap().iter().map(|found| found["place"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(places(&["--json"]), [".hidden/x.ini", "forced.env"]);
    let all = places(&["--json", "--ignored"]);
    assert_eq!(all, [".hidden/x.ini", "build/x.ini", "forced.env", "local.env"]);
    assert_eq!(places(&["--json", ".hidden"]), [".hidden/x.ini"]);
}

#[test]
fn what_is_no_text_or_too_large_is_said() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/a.bin", b"\0\x01\x02");
    desk.write("repo/server.p12", b"\0\x01\x02");
    desk.write("repo/large.txt", "x\n".repeat(2 * 1024 * 1024 + 1));
    std::os::unix::fs::symlink("a.bin", desk.path("repo/link")).unwrap();
    let said = desk.scan("repo", &[]).ends(2);
    for part in ["(not a text): a.bin, server.p12", "(larger than 4 MiB): large.txt", "a symlink", "server.p12:1:1"] {
        assert!(said.out.contains(part), "{part}: {}", said.text());
    }
    let json = desk.scan("repo", &["--json"]).ends(2).json();
    assert_eq!(json["totals"]["not_looked_at"], 4, "{json}");
    assert_eq!(json["findings"][0]["rule"], "key-container");
    desk.scan("repo", &["large.txt"]).ends(0);
}

#[test]
fn an_unused_entry_is_told_and_a_wrong_one_is_an_error() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/a.env", "A_PASSWORD=hunter2\n");
    let json = desk.scan("repo", &["--json"]).ends(2).json();
    let id = json["findings"][0]["id"].as_str().unwrap().to_owned();
    desk.write("repo/.rempart-scan-ignore", format!("{id} named-value a.env -- of a test\n"));
    let said = desk.scan("repo", &[]).ends(0);
    assert!(said.out.contains("1 finding is accepted") && said.err.is_empty(), "{}", said.text());
    desk.write("repo/a.env", "A=1\n");
    let said = desk.scan("repo", &[]).ends(0);
    assert!(
        said.err.contains("an accepted finding that is not there") && said.err.contains(".rempart-scan-ignore:1"),
        "{}",
        said.text()
    );
    // Of what was not looked at, nothing is said.
    desk.write("repo/b.txt", "x\n");
    assert!(desk.scan("repo", &["b.txt"]).ends(0).err.is_empty());
    desk.write("repo/.rempart-scan-ignore", format!("{id} named-value a.env\n"));
    let said = desk.scan("repo", &[]).ends(65);
    assert!(said.err.contains("without a reason") && said.err.contains(".rempart-scan-ignore:1:1"), "{}", said.text());
}

#[test]
fn a_clean_repository_and_a_token_in_a_remote() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/a.env", "A_PASSWORD=${A_PASSWORD}\n");
    let said = desk.scan("repo", &[]).ends(0);
    assert!(said.out.starts_with("Clean: no secret in plaintext in 2 files."), "{}", said.text());
    desk.git("repo", &["remote", "add", "origin", "https://me:Sommer2026x@git.internal/x"]).ends(0);
    let said = desk.scan("repo", &[]).ends(2);
    assert!(said.out.contains(".git/config:") && !said.text().contains("Sommer2026x"), "{}", said.text());
}

#[test]
fn a_path_that_is_not_there_or_outside_is_refused() {
    let Some(desk) = Desk::new() else { return };
    desk.write("other/a.env", "A=1\n");
    assert!(desk.scan("repo", &["gone"]).ends(64).err.contains("nothing is there"));
    desk.write("repo/a.env", "A=1\n");
    assert!(desk.scan("repo", &["a.env", "../other"]).ends(64).err.contains("outside of the repository"));
    desk.scan("repo", &["--staged", "--host", "x"]).ends(64);
}

#[test]
fn a_file_that_may_not_be_read_is_no_success() {
    use std::os::unix::fs::PermissionsExt;
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/a.env", "A=1\n");
    std::fs::set_permissions(desk.path("repo/a.env"), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(desk.path("repo/a.env")).is_ok() {
        eprintln!("NOTICE: SKIPPED, because root reads everything");
        return;
    }
    let said = desk.scan("repo", &[]).ends(1);
    assert!(said.out.contains("a.env was not looked at") && !said.out.contains("Clean"), "{}", said.text());
}
