//! The plain text in an editor: what is left of it, whatever the editor leaves and however rempart ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::project::Project;

fn with_token() -> Project {
    let project = Project::with_store();
    project.piped(&["secrets", "set", "gw/token"], "hunter2").ends(0);
    project
}

#[test]
fn what_leads_elsewhere_is_left_alone_and_what_lies_deeper_is_gone() {
    let project = with_token();
    project.write("precious", "precious");
    project.write("twin", "precious");
    let script = "d=${1%/*}; echo \"$d\" > where; ln -s \"$PWD/precious\" \"$d/link\"; ln \"$PWD/twin\" \"$d/twin\" 2>/dev/null; \
         mkdir -p \"$d/sub/deep\"; cp \"$1\" \"$d/sub/deep/copy\"; ln \"$1\" \"$d/sub/other\"; ln -s \"$PWD\" \"$d/folder\"; \
         mkfifo \"$d/pipe\"; chmod 000 \"$d/sub/deep\"; ( exec 3< \"$d/sub/other\"; echo begun > held; sleep 3; cat <&3 | tr -d '\\000' > left ) &
         while [ ! -e held ]; do sleep 0.1; done";
    project.edit("gw", script).ends(0);
    assert_eq!(project.read("precious"), "precious");
    assert_eq!(project.read("twin"), "precious");
    let folder = PathBuf::from(project.read("where").trim());
    assert!(folder.is_absolute() && !folder.exists(), "{} is still there", folder.display());
    // Whoever had it open reads nothing any more.
    until("what was open was read", || project.folder().join("left").exists());
    std::thread::sleep(Duration::from_millis(300));
    assert!(!project.read("left").contains("hunter2"), "{}", project.read("left"));
}

#[test]
fn no_signal_leaves_the_plain_text_behind() {
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let project = with_token();
        let (child, draft, editor) = sleeping(&project);
        send(signal, child.id());
        let mut child = child;
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert!(!draft.parent().unwrap().exists(), "{signal}: {} is still there", draft.display());
        until("the editor ended", || !Path::new(&format!("/proc/{editor}")).exists());
    }
    // What a terminal sends to all of its programs is the editor's.
    for signal in ["INT", "QUIT"] {
        let project = with_token();
        let (mut child, draft, _) = sleeping(&project);
        send(signal, child.id());
        std::thread::sleep(Duration::from_millis(400));
        assert!(child.try_wait().unwrap().is_none() && draft.exists(), "{signal} ended it");
        project.write("go", "");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(!draft.exists());
        assert_eq!(project.run(&["secrets", "get", "gw/token"]).out, "changed");
    }
}

#[test]
fn the_project_key_is_edited_by_nobody_and_nothing_makes_no_file() {
    let project = with_token();
    for name in ["rempart", "rempart.yaml", "./rempart", "rempart/"] {
        let ran = project.edit(name, "cat \"$1\" > seen").ends(65);
        assert!(!project.folder().join("seen").exists(), "{name}: {ran}");
    }
    assert!(project.edit("rempart", "true").err.contains("kept for the store itself"));
    for script in ["true", "echo '# later' > \"$1\""] {
        let ran = project.edit("fresh", script).ends(0);
        assert!(ran.err.contains("nothing was written"), "{ran}");
        assert!(!project.folder().join("secrets/fresh.yaml").exists(), "{script}");
    }
}

#[test]
fn an_editor_that_empties_a_file_writes_nothing_unasked() {
    let project = with_token();
    let before = project.read("secrets/gw.yaml");
    for script in [": > \"$1\"", "echo \"# later\" > \"$1\""] {
        let ran = project.edit("gw", script).ends(5);
        assert!(ran.err.contains("would lose all its secrets"), "{script}: {ran}");
        assert_eq!(project.read("secrets/gw.yaml"), before, "{script}");
    }
}

// rempart with an editor that waits for the file `go`; where the text lies, and the editor's number.
fn sleeping(project: &Project) -> (std::process::Child, PathBuf, String) {
    let script = "echo \"$1 $$\" > at.new; mv at.new at; i=0; while [ ! -e go ] && [ $i -lt 300 ]; do i=$((i+1)); sleep 0.1; done; sed -i s/hunter2/changed/ \"$1\"";
    let child = project.begin_edit("gw", script);
    until("the editor began", || project.folder().join("at").exists());
    let at = project.read("at");
    let (draft, pid) = at.trim().rsplit_once(' ').unwrap();
    let draft = PathBuf::from(draft);
    assert!(std::fs::read_to_string(&draft).unwrap().contains("hunter2"));
    (child, draft, pid.to_owned())
}

fn send(signal: &str, pid: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status().unwrap().success());
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}
