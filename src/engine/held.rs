//! Owns the question which files of a host held a secret that rempart wrote, whose old content nobody is shown.

use super::batch::HOME;
use crate::quote::Sh;
use crate::resource::{Answer, Held, ProbeScript};
use crate::sh;

const SECTION: &str = "rempart/secret-files";

/// Asks for the list that `secret_files.sh` keeps.
pub(super) fn ask(script: &mut ProbeScript) {
    script.section(SECTION, question(HOME));
}

// Who may not look into the folder does not know that there is no list.
fn question(home: &str) -> Sh {
    let list = format!("{home}/secret-files");
    sh!("[ ! -e {} ] || { [ -x {} ] && { [ ! -e {} ] || cat -- {}; }; }", home, home, list, list)
}

/// What the host said. What is no answer is not "none".
pub(super) fn read(answer: &Answer) -> Held {
    match answer.section(SECTION) {
        Ok(section) => held(section.status, section.text().ok()),
        Err(_) => Held::Unknown,
    }
}

fn held(status: i32, text: Option<&str>) -> Held {
    match (status, text) {
        (0, Some("")) => Held::Nobody,
        (0, Some(text)) => Held::These(text.lines().map(str::to_owned).collect()),
        _ => Held::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_list_that_nobody_may_read_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("rempart");
        // As a user without rights: root may look everywhere.
        let ask = || {
            let mut command = match rustix::process::geteuid().is_root() {
                true => {
                    let mut command = Command::new("setpriv");
                    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"]);
                    command
                }
                false => {
                    let mut command = Command::new("sh");
                    command.arg("-c");
                    command
                }
            };
            let ran = command.arg(question(home.to_str().unwrap()).text()).output().unwrap();
            held(ran.status.code().unwrap(), std::str::from_utf8(&ran.stdout).ok())
        };
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(folder.path(), 0o755);
        assert_eq!(ask(), Held::Nobody, "rempart was never here");
        std::fs::create_dir(&home).unwrap();
        mode(&home, 0o755);
        assert_eq!(ask(), Held::Nobody);
        let list = home.join("secret-files");
        std::fs::write(&list, "/etc/a\n/etc/b c\n").unwrap();
        mode(&list, 0o644);
        assert_eq!(ask(), Held::These(["/etc/a".to_owned(), "/etc/b c".to_owned()].into()));
        mode(&list, 0o000);
        assert_eq!(ask(), Held::Unknown);
        mode(&list, 0o644);
        mode(&home, 0o600);
        assert_eq!(ask(), Held::Unknown);
        mode(&home, 0o700);
    }
}
