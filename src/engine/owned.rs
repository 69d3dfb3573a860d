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

    #[test]
    fn what_holds_a_secret_is_known_until_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let shell = |script: &str| {
            let text = format!(
                "set -u\n{}\n{}\nRP_HOME={}\nRP_SECRET_FILES=$RP_HOME/secret-files\n{script}\n",
                library(),
                super::super::batch::SECRET_FILES,
                folder.path().display()
            );
            std::process::Command::new("sh").arg("-c").arg(text).status().unwrap().success()
        };
        // A before-image of a step that touches these: whether it may keep what is there.
        let keeps = |touches: &[String], writes: bool| {
            let image = folder.path().join("runs/r1/1.0");
            let _ = std::fs::remove_dir_all(&image);
            std::fs::create_dir_all(&image).unwrap();
            std::fs::write(image.join("touches"), touches.iter().map(|touch| format!("{touch}\n")).collect::<String>())
                .unwrap();
            if writes {
                std::fs::write(image.join("secret"), "").unwrap();
            }
            assert!(shell(sh!("rp_secret_look {}", image.to_str().unwrap()).text()));
            !image.join("secret").exists()
        };
        let path = |name: &str| vec![format!("path {}", at(name))];
        std::fs::create_dir(folder.path().join("d")).unwrap();
        assert!(keeps(&path("d/env"), false));
        assert!(!keeps(&[path("d/env"), path("d")].concat(), true));
        std::fs::write(folder.path().join("d/env"), "hunter2").unwrap();
        assert!(!keeps(&path("d/env"), false));
        assert!(!keeps(&[format!("part {} line x", at("d/env"))], false));
        assert!(!keeps(&[format!("tree {}", at("d"))], false));
        // Its folder alone, and its neighbours, are nothing of the kind.
        assert!(keeps(&path("d"), false) && keeps(&path("d/en"), false) && keeps(&path("d/env2"), false));
        // Made anew without a secret, it is as any other; what a part of a name stands for is not.
        std::fs::remove_file(folder.path().join("d/env")).unwrap();
        assert!(keeps(&path("d/env"), false));
        std::fs::write(folder.path().join("d/env"), "plain").unwrap();
        assert!(keeps(&path("d/env"), false));
        // A list that cannot be read, or not be written, keeps the step from its work.
        std::fs::remove_file(folder.path().join("secret-files")).unwrap();
        std::fs::create_dir(folder.path().join("secret-files")).unwrap();
        let image = folder.path().join("runs/r1/1.0");
        std::fs::write(image.join("secret"), "").unwrap();
        assert!(!shell(sh!("rp_secret_look {}", image.to_str().unwrap()).text()));
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
