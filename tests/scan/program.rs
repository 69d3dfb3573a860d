//! The program over a repository: what it looks at, what it says of the rest, exit codes, and accepted findings.

use super::desk::Desk;

const PLANTED: &str = "Sommer2026x";

fn with_a_token() -> String {
    format!("https://me:{PLANTED}@git.internal/x")
}

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
    for part in [
        "(not a text): a.bin, server.p12",
        "(a text, behind its first 4 MiB): large.txt",
        "(a symlink, which is not followed): link",
        "server.p12:1:1",
        "1 text is too large: its end was not looked at",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.text());
    }
    let json = desk.scan("repo", &["--json"]).ends(2).json();
    assert_eq!(json["totals"]["not_looked_at"], 4, "{json}");
    assert_eq!(json["findings"][0]["rule"], "key-container");
    let said = desk.scan("repo", &["large.txt"]).ends(0);
    assert!(!said.out.contains("Clean") && said.out.contains("that is not all"), "{}", said.text());
    // Its beginning is looked at, and so is that of what is staged.
    desk.write("repo/large.env", format!("A_PASSWORD=hunter2\n{}", "x\n".repeat(2 * 1024 * 1024)));
    assert!(desk.scan("repo", &["large.env"]).ends(2).out.contains("large.env:1:12"));
    desk.git("repo", &["add", "large.env", "large.txt"]).ends(0);
    let said = desk.scan("repo", &["--staged"]).ends(2);
    assert!(said.out.contains("large.env:1:12") && said.out.contains("2 texts are too large"), "{}", said.text());
}

#[test]
fn a_path_whose_files_are_ignored_is_no_success() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/.gitignore", "*.env\nbuild/\n");
    desk.write("repo/conf/a.env", "A_PASSWORD=hunter2\n");
    desk.write("repo/build/b.ini", "password = hunter2\n");
    std::fs::create_dir(desk.path("repo/none")).unwrap();
    let said = desk.scan("repo", &["conf"]).ends(1);
    assert!(said.out.contains("conf was not looked at: git ignores what it holds"), "{}", said.text());
    assert!(!said.out.contains("Clean"), "{}", said.text());
    desk.scan("repo", &["conf", "--ignored"]).ends(2);
    // What is named itself is looked at.
    desk.scan("repo", &["conf/a.env"]).ends(2);
    assert_ne!(desk.scan("repo", &["build"]).code, 0);
    let said = desk.scan("repo", &["none", ".gitignore"]).ends(1);
    assert!(said.out.contains("none was not looked at: it is an empty folder"), "{}", said.text());
    let said = desk.scan("repo/none", &[]).ends(0);
    assert!(said.out.contains("Clean"), "{}", said.text());
}

#[test]
fn where_git_does_not_answer_nothing_is_clean() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/a.txt", "x\n");
    let said = desk.scan_alone("repo", &[]).ends(1);
    assert!(said.out.contains("git cannot be started") && !said.out.contains("Clean"), "{}", said.text());
    let said = desk.scan_alone("repo", &["--staged"]).ends(1);
    assert!(said.err.contains("install git"), "{}", said.text());
    // What git says last counts, not a warning before it; and a fault of its own is no wrong command line.
    desk.write("repo/.git/index", "garbled");
    let said = desk.scan("repo", &[]).ends(1);
    assert!(said.out.contains("git ls-files: ") && said.out.contains("index file"), "{}", said.text());
    let said = desk.scan("repo", &["--staged"]).ends(1);
    assert!(said.err.contains("git diff: ") && !said.err.contains("inside of a git repository"), "{}", said.text());
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
    // Of what was not looked at, nothing is said: named no path, ignored by git, or too large.
    desk.write("repo/.gitignore", "a.env\n");
    assert!(desk.scan("repo", &[]).ends(0).err.is_empty());
    desk.write("repo/.gitignore", "");
    desk.write("repo/a.env", "x\n".repeat(2 * 1024 * 1024 + 1));
    assert!(desk.scan("repo", &[]).ends(0).err.is_empty());
    std::fs::remove_file(desk.path("repo/a.env")).unwrap();
    assert!(desk.scan("repo", &[]).ends(0).err.contains("an accepted finding that is not there"));
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
    desk.git("repo", &["remote", "add", "origin", &with_a_token()]).ends(0);
    let said = desk.scan("repo", &[]).ends(2);
    assert!(said.out.contains(".git/config:") && !said.text().contains(PLANTED), "{}", said.text());
}

#[test]
fn remotes_of_worktrees_and_of_repositories_inside_are_looked_at() {
    let Some(desk) = Desk::new() else { return };
    let remote = |folder: &str, url: &str| desk.git(folder, &["remote", "add", "origin", url]).ends(0);
    desk.write("repo/a.txt", "x\n");
    desk.git("repo", &["add", "."]).ends(0);
    desk.git("repo", &["commit", "-q", "-m", "x"]).ends(0);
    desk.git("repo", &["worktree", "add", "-q", "../tree"]).ends(0);
    remote("repo", &with_a_token());
    let said = desk.scan("tree", &[]).ends(2);
    assert!(said.out.contains("repo/.git/config:") && !said.text().contains(PLANTED), "{}", said.text());
    // A submodule's are in the repository around it.
    desk.git("repo", &["remote", "remove", "origin"]).ends(0);
    desk.write("other/b.txt", "x\n");
    desk.git("other", &["init", "-q"]).ends(0);
    desk.git("other", &["add", "."]).ends(0);
    desk.git("other", &["commit", "-q", "-m", "x"]).ends(0);
    let other = desk.path("other").display().to_string();
    let from_file = ["-c", "protocol.file.allow=always", "submodule", "-q", "add", &other, "sub"];
    desk.git("repo", &from_file).ends(0);
    desk.scan("repo", &[]).ends(0);
    desk.git("repo/sub", &["remote", "set-url", "origin", &with_a_token()]).ends(0);
    assert!(desk.scan("repo", &[]).ends(2).out.contains(".git/modules/sub/config:"));
    desk.git("repo/sub", &["remote", "remove", "origin"]).ends(0);
    // A clone that nobody made a part of it; what it tracks though it ignores it is looked at, too.
    desk.write("repo/vendor/x/.gitignore", "*.env\n");
    desk.write("repo/vendor/x/c.env", "C_PASSWORD=hunter2\n");
    desk.git("repo/vendor/x", &["init", "-q"]).ends(0);
    desk.scan("repo", &[]).ends(0);
    desk.git("repo/vendor/x", &["add", "-f", "."]).ends(0);
    assert!(desk.scan("repo", &[]).ends(2).out.contains("vendor/x/c.env:1:12"));
    remote("repo/vendor/x", &with_a_token());
    assert!(desk.scan("repo", &["vendor"]).ends(2).out.contains("vendor/x/.git/config:"));
}

#[test]
fn what_a_finding_prints_can_be_pasted_into_the_accepted_file() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/my app/a.env", "A_PASSWORD=hunter2\n");
    let said = desk.scan("repo", &[]).ends(2);
    let line = said.out.lines().find(|line| line.ends_with(" named-value my app/a.env")).expect("an entry is printed");
    desk.write("repo/.rempart-scan-ignore", format!("{} -- of a test\n", line.trim_start()));
    let said = desk.scan("repo", &[]).ends(0);
    assert!(said.out.contains("1 finding is accepted") && said.err.is_empty(), "{}", said.text());
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
    let Some(said) = desk.scan_as_the_mode_has_it("repo", &[]) else { return };
    let said = said.ends(1);
    assert!(said.out.contains("a.env was not looked at") && !said.out.contains("Clean"), "{}", said.text());
}
