//! The pre-commit hook, with a real git: it looks at the index, and keeps its hands off what is not its own.

use super::desk::Desk;

const LEAK: &str = "DB_PASSWORD=hunter2\n";

#[test]
fn a_commit_with_a_secret_is_stopped_and_one_without_is_not() {
    let Some(desk) = Desk::new() else { return };
    let said = desk.scan("repo", &["--install-hook"]).ends(0);
    assert!(said.err.contains("installed the hook"), "{}", said.text());
    assert!(desk.scan("repo", &["--install-hook"]).ends(0).err.contains("there already"));
    desk.write("repo/app.env", LEAK);
    desk.git("repo", &["add", "app.env"]).ends(0);
    let said = desk.git("repo", &["commit", "-q", "-m", "x"]);
    assert!(said.code != 0 && said.text().contains("app.env:1:13"), "{}", said.text());
    assert!(!said.text().contains("hunter2"), "{}", said.text());
    // The working file is clean, and what is staged is not.
    desk.write("repo/app.env", "DB_PASSWORD=${DB_PASSWORD}\n");
    assert_ne!(desk.git("repo", &["commit", "-q", "-m", "x"]).code, 0);
    desk.git("repo", &["add", "app.env"]).ends(0);
    // The other way round: the working file has one, and what is staged has none.
    desk.write("repo/app.env", LEAK);
    desk.git("repo", &["commit", "-q", "-m", "x"]).ends(0);
    // `commit -a` has an index of its own.
    assert_ne!(desk.git("repo", &["commit", "-q", "-a", "-m", "y"]).code, 0);
    assert_ne!(desk.git("repo", &["commit", "-q", "-m", "y", "app.env"]).code, 0);
}

#[test]
fn an_accepted_finding_counts_as_it_is_staged() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/app.env", LEAK);
    desk.git("repo", &["add", "."]).ends(0);
    let json = desk.scan("repo", &["--staged", "--json"]).ends(2).json();
    let line = format!("{} named-value app.env -- of a test\n", json["findings"][0]["id"].as_str().unwrap());
    desk.write("repo/.rempart-scan-ignore", line);
    desk.scan("repo", &["--staged"]).ends(2);
    desk.git("repo", &["add", "."]).ends(0);
    let json = desk.scan("repo", &["--staged", "--json"]).ends(0).json();
    assert_eq!(json["accepted"][0]["accepted_because"], "of a test");
}

#[test]
fn a_hook_of_somebody_else_stays_as_it_is() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/.git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let said = desk.scan("repo", &["--install-hook"]).ends(5);
    assert!(said.err.contains("rempart secrets scan --staged || exit 1"), "{}", said.text());
    assert_eq!(std::fs::read_to_string(desk.path("repo/.git/hooks/pre-commit")).unwrap(), "#!/bin/sh\nexit 0\n");
    // A link leads to somebody else's, even where nothing is at its end.
    std::fs::remove_file(desk.path("repo/.git/hooks/pre-commit")).unwrap();
    std::os::unix::fs::symlink("/no/such/hook", desk.path("repo/.git/hooks/pre-commit")).unwrap();
    desk.scan("repo", &["--install-hook"]).ends(5);
}

#[test]
fn an_older_hook_of_ours_is_written_anew() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/.git/hooks/pre-commit", "#!/bin/sh\n# rempart: pre-commit hook; of old\nexit 0\n");
    assert!(desk.scan("repo", &["--install-hook"]).ends(0).err.contains("anew"));
    assert!(std::fs::read_to_string(desk.path("repo/.git/hooks/pre-commit")).unwrap().contains("--staged"));
}

#[test]
fn hooks_path_and_worktrees_are_honoured() {
    let Some(desk) = Desk::new() else { return };
    desk.git("repo", &["config", "core.hooksPath", ".githooks"]).ends(0);
    desk.write("repo/sub/x", "1\n");
    let said = desk.scan("repo", &["--install-hook"]).ends(0);
    assert!(said.err.contains("core.hooksPath"), "{}", said.text());
    assert!(desk.path("repo/.githooks/pre-commit").exists() && !desk.path("repo/.git/hooks/pre-commit").exists());
    desk.git("repo", &["config", "--unset", "core.hooksPath"]).ends(0);
    desk.git("repo", &["add", "sub"]).ends(0);
    desk.git("repo", &["commit", "-q", "-m", "x"]).ends(0);
    desk.git("repo", &["worktree", "add", "-q", "../tree"]).ends(0);
    // From a folder inside of the worktree.
    desk.scan("tree/sub", &["--install-hook"]).ends(0);
    assert!(desk.path("repo/.git/hooks/pre-commit").exists());
    desk.write("tree/a.env", LEAK);
    desk.git("tree", &["add", "."]).ends(0);
    assert_ne!(desk.git("tree", &["commit", "-q", "-m", "y"]).code, 0);
    assert_eq!(desk.scan("tree/sub", &["--staged", "--json"]).ends(2).json()["findings"][0]["place"], "a.env");
}

#[test]
fn without_a_repository_there_is_no_hook() {
    let Some(desk) = Desk::new() else { return };
    desk.write("plain/x", "1\n");
    let said = desk.scan("plain", &["--install-hook"]).ends(64);
    assert!(said.err.contains("not a git repository"), "{}", said.text());
    desk.scan("plain", &["--staged"]).ends(64);
}

#[test]
fn a_project_file_with_a_fault_stops_no_hook() {
    let Some(desk) = Desk::new() else { return };
    desk.write("repo/rempart.toml", "no-such-key = 1\n");
    desk.git("repo", &["add", "."]).ends(0);
    desk.scan("repo", &["--staged"]).ends(0);
}
