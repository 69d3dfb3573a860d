//! Owns what a host remembers of what rempart made there: one file, `kind:key TAB playbook TAB site TAB run` a line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::library;
use super::probe::nonce;
use super::{Links, WriteLinks, each_host};
use crate::model::HostName;
use crate::plan::Made;
use crate::quote::Sh;
use crate::resource::{Answer, ProbeError, ProbeScript};
use crate::sh;
use crate::transport::WriteScript;

/// Where the target keeps the ids that rempart made.
pub(super) const OWNED: &str = "/var/lib/rempart/owned";
const SECTION: &str = "rempart/owned";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a host said about what rempart made there, and who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The lines.
    pub made: Vec<Made>,
    /// The account that rempart logged in with.
    pub login: Option<String>,
}

/// Lets hosts forget ids of things that are not there any more, or that nobody will remove; what became of it, by host.
pub async fn forget(
    ids: BTreeMap<HostName, Vec<String>>,
    links: Arc<WriteLinks>,
    forks: usize,
) -> BTreeMap<HostName, Result<(), String>> {
    let hosts = ids.keys().cloned().collect();
    let asked = each_host(hosts, forks, move |host| {
        let mut text = Sh::program_of_the_user(&library());
        text.line(sh!(
            "mkdir -p -m 0700 /run/rempart && exec 9>> /run/rempart/lease || exit 1
flock -w 10 9 || { echo 'another run is at work on it' >&2; exit 1; }
rp_owned_edit {} ''",
            ids.get(host).map(|ids| ids.join("\n")).unwrap_or_default()
        ));
        let script = WriteScript { text: text.text().to_owned(), payloads: Vec::new(), timeout: PATIENCE };
        let ran = links.with(host, |session| session.run(&script, &mut |_| {})).map_err(|error| error.to_string())?;
        let why = || String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        if ran.status == 0 { Ok(()) } else { Err(why()) }
    })
    .await;
    let died = || Err("the work on it died; this is a bug in rempart".to_owned());
    asked.into_iter().map(|(host, done)| (host, done.unwrap_or_else(died))).collect()
}

/// What of these does not stand as rempart left it, in the words of the journal's touches; by host and id. What nothing
/// was kept of is left out.
pub async fn changed_since(
    ids: BTreeMap<HostName, Vec<String>>,
    links: Arc<dyn Links>,
    forks: usize,
) -> BTreeMap<HostName, BTreeMap<String, Vec<String>>> {
    let hosts = ids.keys().cloned().collect();
    let asked = each_host(hosts, forks, move |host| {
        let ids = ids.get(host)?;
        let mut text = Sh::program_of_the_user(&library());
        for (number, id) in ids.iter().enumerate() {
            text.line(sh!("rp_owned_since {} | sed {}", id, format!("s/^/{number} /")));
        }
        let mut script = ProbeScript::default();
        script.section(SECTION, text);
        let question = script.finish(&nonce(), PATIENCE);
        let answer = Answer::read(&question, &links.ask(host, &question.script).ok()?).ok()?;
        let mut changed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in answer.section(SECTION).ok()?.text().ok()?.lines() {
            let (number, what) = line.split_once(' ')?;
            changed.entry(ids.get(number.parse::<usize>().ok()?)?.clone()).or_default().push(what.to_owned());
        }
        Some(changed)
    })
    .await;
    asked.into_iter().filter_map(|(host, changed)| Some((host, changed.flatten()?))).collect()
}

/// Asks for it.
pub(super) fn ask(script: &mut ProbeScript) {
    let mut text = sh!("[ ! -e {} ] || cat -- {} || exit 3", OWNED, OWNED);
    text.line(Sh::program_of_the_user("printf '\\n=%s\\n' \"${SUDO_USER:-$(id -un)}\""));
    script.section(SECTION, text);
}

/// Reads it; `None` = it was not asked.
///
/// # Errors
/// It could not be read, or does not read as it was written.
pub(super) fn read(answer: &Answer) -> Option<Result<Remembered, String>> {
    let section = answer.section(SECTION).ok()?;
    Some(lines(section.status, section.text().map_err(|ProbeError(why)| why)))
}

fn lines(status: i32, text: Result<&str, String>) -> Result<Remembered, String> {
    let text = text?;
    if status != 0 {
        return Err(format!("{OWNED} could not be read"));
    }
    let (lines, login) = text.trim_end().rsplit_once('=').ok_or("the answer was cut")?;
    let one = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            [id, playbook, site, run] if id.contains(':') => Ok(Made {
                id: (*id).to_owned(),
                playbook: (*playbook).to_owned(),
                site: (*site).to_owned(),
                run: (*run).to_owned(),
            }),
            _ => Err(format!("{OWNED} holds a line that rempart did not write: {}", line.escape_debug())),
        }
    };
    let made = lines.lines().filter(|line| !line.is_empty()).map(one).collect::<Result<_, _>>()?;
    Ok(Remembered { made, login: Some(login.to_owned()).filter(|login| !login.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The target's own functions, on a file of the test.
    fn shell(folder: &std::path::Path, script: &str) -> (bool, String) {
        let owned = folder.join("owned");
        let text = format!("set -eu\n{}\nRP_OWNED={}\n{script}\n", super::super::batch::OWNED, owned.display());
        let ran = std::process::Command::new("sh").arg("-c").arg(text).output().unwrap();
        (ran.status.success(), String::from_utf8(ran.stdout).unwrap())
    }

    #[test]
    fn the_target_remembers_forgets_and_takes_back() {
        let folder = tempfile::tempdir().unwrap();
        let read = || std::fs::read_to_string(folder.path().join("owned")).unwrap_or_default();
        let (a, b) = ("file:/a\\n b\tp\ts\tr1", "user:u\tp\t\tr1");
        let edit = |ids: &str, lines: &str| shell(folder.path(), sh!("rp_owned_edit {} {}", ids, lines).text());
        assert!(edit("", &format!("{a}\n{b}")).0);
        assert_eq!(read(), format!("{a}\n{b}\n"));
        // The same id again takes the old line's place; a backslash is a backslash.
        let again = a.replace("r1", "r2");
        assert!(edit("", &again).0);
        assert_eq!(read(), format!("{b}\n{again}\n"));
        let (_, gone) = shell(folder.path(), sh!("rp_owned_gone {}", "file:/a\\n b\nfile:/none").text());
        assert_eq!(gone, format!("gone\t{again}\n"));
        assert!(edit("file:/a\\n b\nfile:/none", "").0);
        assert_eq!(read(), format!("{b}\n"));
        // And back: what was made is forgotten, what was forgotten is remembered.
        std::fs::write(folder.path().join("image"), format!("made\t{b}\n{gone}")).unwrap();
        assert!(shell(folder.path(), sh!("rp_owned_back {}", folder.path().join("image").to_str().unwrap()).text()).0);
        assert_eq!(read(), format!("{again}\n"));
    }

    // A host of the test's own that knows what holds a secret.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            Self(tempfile::tempdir_in(std::env::temp_dir().canonicalize().unwrap()).unwrap())
        }

        fn at(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        fn write(&self, name: &str, content: &str) {
            std::fs::create_dir_all(self.0.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(self.at(name), content).unwrap();
        }

        fn is_there(&self, name: &str) -> bool {
            self.0.path().join(name).symlink_metadata().is_ok()
        }

        fn text(&self, script: &str) -> String {
            use super::super::batch::{RUNNER, SECRET_FILES, TARGET};
            let home = self.0.path().display();
            let parts = [TARGET, SECRET_FILES, RUNNER, &library()].join("\n");
            format!(
                "set -u\n{parts}\nRP_HOME={home}\nRP_SECRET_FILES=$RP_HOME/secret-files\nP={home}/payload\nRP_IMAGE={home}/runs/r1/1.0\n{script}\n"
            )
        }

        fn shell(&self, script: &str) -> bool {
            std::process::Command::new("sh").arg("-c").arg(self.text(script)).status().unwrap().success()
        }

        // A before-image of a step that touches these: whether it may keep what is there.
        fn keeps(&self, touches: &[String], writes: bool) -> bool {
            let _ = std::fs::remove_dir_all(self.at("runs/r1/1.0"));
            self.write("runs/r1/1.0/touches", &touches.iter().map(|touch| format!("{touch}\n")).collect::<String>());
            if writes {
                self.write("runs/r1/1.0/secret", "");
            }
            assert!(self.shell("rp_secret_look \"$RP_IMAGE\""));
            !self.is_there("runs/r1/1.0/secret")
        }

        // The step itself, with its end.
        fn does(&self, script: &str) {
            assert!(self.shell(&format!("( set -eu\n{script}\n)\n[ $? = 0 ] && rp_secret_done \"$RP_IMAGE\"")));
        }

        fn puts(&self, source: &str, name: &str) {
            let put = sh!("rp_put {} {} 0600", self.at(source), self.at(name));
            self.does(&format!("{} \"$(id -un)\" \"$(id -gn)\"", put.text()));
        }

        fn path(&self, name: &str) -> Vec<String> {
            vec![format!("path {}", self.at(name))]
        }
    }

    #[test]
    fn what_holds_a_secret_is_known_until_it_is_gone() {
        let host = Host::new();
        std::fs::create_dir(host.at("d")).unwrap();
        let env = host.path("d/env");
        assert!(host.keeps(&env, false));
        assert!(!host.keeps(&[env.clone(), host.path("d")].concat(), true) && !host.is_there("runs/r1/1.0/held"));
        host.write("d/env", "hunter2");
        assert!(!host.keeps(&env, false));
        assert!(!host.keeps(&[format!("part {} line x", host.at("d/env"))], false));
        assert!(!host.keeps(&[format!("tree {}", host.at("d"))], false));
        // Its folder alone, and its neighbours, are nothing of the kind.
        assert!(host.keeps(&host.path("d"), false));
        assert!(host.keeps(&host.path("d/en"), false) && host.keeps(&host.path("d/env2"), false));
        // Removed by a step and made anew without a secret, it is as any other; what a part of a name stands for is not.
        assert!(!host.keeps(&env, false));
        host.does(sh!("rm {}", host.at("d/env")).text());
        host.write("d/env", "plain");
        assert!(host.keeps(&env, false));
        // A list that cannot be read, or not be written, keeps the step from its work.
        std::fs::remove_file(host.at("secret-files")).unwrap();
        std::fs::create_dir(host.at("secret-files")).unwrap();
        assert!(!host.keeps(&env, false));
        host.write("runs/r1/1.0/secret", "");
        assert!(!host.shell("rp_secret_look \"$RP_IMAGE\""));
    }

    #[test]
    fn what_is_out_of_sight_for_a_while_or_has_two_names_is_not_forgotten() {
        let host = Host::new();
        host.write("srv/env", "hunter2");
        host.write("payload/0", "plain");
        let env = host.path("srv/env");
        assert!(!host.keeps(&env, true));
        // Not mounted, or moved aside, and a step that has found nothing made one.
        let moved = |from: &str, to: &str| std::fs::rename(host.at(from), host.at(to)).unwrap();
        moved("srv", "aside");
        assert!(host.keeps(&env, false));
        std::fs::create_dir(host.at("srv")).unwrap();
        host.puts("payload/0", "srv/env");
        std::fs::remove_dir_all(host.at("srv")).unwrap();
        moved("aside", "srv");
        assert!(!host.keeps(&env, false));
        // By another name, as somebody asks for it, or as it came to be.
        std::os::unix::fs::symlink(host.at("srv"), host.at("link")).unwrap();
        assert!(!host.keeps(&host.path("link/env"), false));
        assert!(!host.keeps(&[format!("part {} line x", host.at("link/env"))], false));
        assert!(!host.keeps(&[format!("tree {}", host.at("link/env"))], false));
        moved("srv", "data");
        std::os::unix::fs::symlink(host.at("data"), host.at("srv")).unwrap();
        assert!(!host.keeps(&host.path("data/env"), false) && !host.keeps(&env, false));
        // What was noted by another name, too.
        std::fs::remove_file(host.at("secret-files")).unwrap();
        host.write("data/two", "hunter2");
        assert!(!host.keeps(&host.path("srv/two"), true));
        std::fs::remove_file(host.at("srv")).unwrap();
        assert!(!host.keeps(&host.path("data/two"), false));
    }

    #[test]
    fn what_was_replaced_as_a_whole_by_what_is_no_secret_is_kept_again() {
        let host = Host::new();
        host.write("d/env", "hunter2");
        host.write("payload/0", "plain");
        host.write("made", "hunter2 and more");
        let env = host.path("d/env");
        assert!(!host.keeps(&env, true));
        // By a secret, by what the host itself made, in part, as part of a tree, or by a step that failed: not forgotten.
        assert!(!host.keeps(&env, true));
        host.puts("payload/0", "d/env");
        assert!(!host.keeps(&env, false));
        host.puts("made", "d/env");
        for touch in [format!("part {} line x", host.at("d/env")), format!("tree {}", host.at("d"))] {
            assert!(!host.keeps(&[touch], false));
            host.puts("payload/0", "d/env");
        }
        assert!(!host.keeps(&env, false));
        host.does("true");
        // The before-image of the very step that replaces it is not kept; the next one is.
        assert!(!host.keeps(&env, false));
        host.puts("payload/0", "d/env");
        assert!(host.keeps(&env, false));
        assert!(!std::fs::read_to_string(host.at("secret-files")).unwrap().contains("d/env"));
    }

    #[test]
    fn what_is_half_written_goes_with_a_step_whose_time_is_up() {
        let host = Host::new();
        host.write("payload/0", "hunter2");
        host.write("runs/r1/1.0/touches", &format!("path {}\n", host.at("d/env")));
        host.write("d/other", "x");
        for (call, left) in [("slow() { sleep 20; }", false), ("slow() { trap '' TERM; sleep 20; }", true)] {
            let put = sh!("rp_put \"$P/0\" {} 0640", host.at("d/env"));
            let text = host.text(&format!("set -e\n{call}\n{} \"$(id -un)\" \"$(id -gn)\" slow", put.text()));
            let ran = std::process::Command::new("timeout").args(["-k", "1", "1", "sh", "-c", &text]).status().unwrap();
            assert!(!ran.success());
            // What even ignored the signal is tidied up after.
            assert_eq!(host.is_there("d/.rempart.new.env"), left);
            assert!(host.shell("rp_half \"$RP_IMAGE/touches\""));
            assert!(!host.is_there("d/.rempart.new.env") && !host.is_there("d/env") && host.is_there("d/other"));
        }
    }

    #[test]
    fn where_it_cannot_be_written_the_old_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owned"), "user:u\tp\t\tr1\n").unwrap();
        std::fs::create_dir(folder.path().join("owned.new")).unwrap();
        assert!(!shell(folder.path(), "rp_owned_edit user:u ''").0);
        assert_eq!(std::fs::read_to_string(folder.path().join("owned")).unwrap(), "user:u\tp\t\tr1\n");
    }

    #[test]
    fn lines_are_read_as_they_were_written_and_nothing_else_is() {
        let read = lines(0, Ok("file:/a=b\tp\t\tr1\nuser:u\tp\ts\tr2\n\n=admin\n")).unwrap();
        assert_eq!(read.made.len(), 2);
        assert_eq!((read.made[0].id.as_str(), read.made[1].site.as_str()), ("file:/a=b", "s"));
        assert_eq!(read.login.as_deref(), Some("admin"));
        assert_eq!(lines(0, Ok("\n=root\n")).unwrap().made, vec![]);
        for broken in ["file:/a\tp\n\n=admin\n", "junk\n\n=admin\n", "file:/a\tp\t\tr1\n"] {
            assert!(lines(0, Ok(broken)).is_err(), "{broken:?}");
        }
        assert!(lines(3, Ok("\n=admin\n")).is_err());
    }
}
