//! A symbolic link and where it leads.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Folder, Foreseen, Kind, ManagedFile,
    ProbeError, ProbeScript, Provision, Seen, Step, Touch, Undo, absolute_path, is_way_in, lifeline, plain_name,
};
use crate::sh;

/// A symbolic link and where it leads. What is no link is never replaced by one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Symlink {
    /// Where it stands: an absolute path.
    path: String,
    /// Where it leads, as written into it: an absolute path, or one relative to its directory. Nothing needs to be there.
    #[serde(default)]
    target: Option<String>,
    /// Owner's name, of the link itself.
    #[serde(default = "root")]
    owner: String,
    /// Group's name; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

const TARGETS: &str = "symlink targets";

// What `rp_link` reads before it writes, and what a step expects.
const FORM: &str = "%l\\n%U %G\\n";

fn root() -> String {
    "root".into()
}

impl Symlink {
    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.owner)
    }

    fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_default()
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let Some(stat) = answer.stat(&self.path)? else { return Ok(Seen::Absent) };
        if stat.file_type != "symbolic link" {
            return Err(ProbeError(format!("{} is a {}, not a symbolic link", self.path, stat.file_type)));
        }
        let section = answer.section(TARGETS)?;
        let text = section.text()?;
        let parts: Vec<&str> = text.split('\0').collect();
        let sound = parts.len() % 2 == 1 && parts.last() == Some(&"");
        let target = parts.chunks_exact(2).find(|pair| pair[0] == self.path).map(|pair| pair[1]);
        let (true, Some(target)) = (sound, target) else {
            let why = format!("where {} leads could not be read: {}", self.path, section.complaint());
            return Err(ProbeError(why));
        };
        let ids = format!("{} {}", stat.uid, stat.gid);
        Ok(Seen::Present(Fields::from([
            ("target".to_owned(), FieldValue::text(target)),
            ("owner".to_owned(), FieldValue::text(&stat.owner)),
            ("group".to_owned(), FieldValue::text(&stat.group)),
            ("ids".to_owned(), FieldValue::text(ids)),
        ])))
    }

    fn expect(&self, seen: &Seen) -> Expect {
        let command = sh!(
            "if [ -e {} ] || [ -L {} ]; then find {} -maxdepth 0 -type l -printf {}; else echo absent; fi",
            self.path,
            self.path,
            self.path,
            FORM
        );
        let output = match seen {
            Seen::Present(fields) => match (fields.get("target"), fields.get("ids")) {
                (Some(FieldValue::Text(target)), Some(FieldValue::Text(ids))) => format!("{target}\n{ids}"),
                _ => return Expect::Nothing("its state was read by other means"),
            },
            _ => "absent".into(),
        };
        Expect::Prints { command, output }
    }
}

impl Kind for Symlink {
    const NAME: &'static str = "symlink";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "A symbolic link and where it leads.";
    const EXAMPLE: &'static str = "symlink: { path: /srv/models/current, target: releases/7 }";
    const UNDO: &'static str = "the link as it was, or nothing where nothing was; never what it leads to.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn is_risky(&self) -> bool {
        lifeline(&self.path).is_some()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        match (&self.target, self.state) {
            (None, State::Present) => Err(Fault::new("target", "where it leads must be given")),
            (Some(_), State::Absent) => Err(Fault::new("target", "a link that is absent leads nowhere")),
            (Some(target), _) if target.is_empty() || target.chars().any(char::is_control) => {
                Err(Fault::new("target", "it is empty or holds a control character, so no link can lead there"))
            }
            // Linux' own limit of a path.
            (Some(target), _) if target.len() > 4095 => Err(Fault::new("target", "it is longer than 4095 bytes")),
            (Some(target), _) if *target == self.path => Err(Fault::new("target", "it would lead to itself")),
            (Some(_), _) if is_way_in(&self.path) => {
                let why = format!("logins depend on {}, and a link could change it unseen", self.path);
                Err(Fault::new("path", why).fix("write it with `file`"))
            }
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let target = absolute_path("target", self.target()).is_ok().then(|| Provision::Path(self.target().to_owned()));
        let own = [
            Provision::Path(self.path.clone()),
            Provision::User(self.owner.clone()),
            Provision::Group(self.group().to_owned()),
        ];
        own.into_iter().chain(target).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        Desired::Present(Fields::from([
            ("target".to_owned(), FieldValue::text(self.target())),
            ("owner".to_owned(), FieldValue::text(&self.owner)),
            ("group".to_owned(), FieldValue::text(self.group())),
        ]))
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        let paths: Vec<&str> = batch.iter().map(|wanted| wanted.path.as_str()).collect();
        paths.iter().for_each(|path| script.stat(path));
        // One that is not there is told by stat.
        script.section(TARGETS, sh!("find {} -maxdepth 0 -type l -printf '%p\\0%l\\0'", paths));
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn grows_in(&self, _is_new: bool) -> Option<Folder<'_>> {
        Some(Folder::of(&self.path, &self.owner))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        if self.state == State::Absent {
            let (path, owner, group) = (self.path.clone(), self.owner.clone(), self.group().to_owned());
            foreseen.put_file(&ManagedFile { path, content: None, mode: "0777".into(), owner, group }, true);
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, .. }| {
                let path = &wanted.path;
                let folder =
                    path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
                let line = lifeline(path);
                let mut step = match wanted.state {
                    State::Absent => {
                        let script = sh!("[ ! -d {} ] || rp_real {}\nrm -f -- {}", folder, folder, path);
                        Step::new(format!("remove the link {path}"), script)
                    }
                    State::Present => Step::new(
                        format!("let {path} lead to {}", wanted.target()),
                        sh!("rp_link {} {} {} {}", wanted.target(), path, wanted.owner, wanted.group()),
                    ),
                };
                let mut undo = Undo::of([Touch::Path(path.clone())]);
                if let Some(line) = line {
                    if !line.effect().is_empty() {
                        step.script.line(line.effect());
                    }
                    undo = undo.then(line.after());
                }
                let step = step.undone_by(undo).expecting(wanted.expect(seen)).serving([*position]);
                if line.is_some() { step.risky() } else { step }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{load, recorded};

    #[test]
    fn links_are_read_and_nothing_else_passes_for_one() {
        let (_, seen) = recorded::<Symlink>("links", |text| text);
        let target = |seen: &Seen| match seen {
            Seen::Present(fields) => match &fields["target"] {
                FieldValue::Text(target) => target.clone(),
                other => format!("{other:?}"),
            },
            other => format!("{other:?}"),
        };
        assert_eq!(target(&seen[0]), "/etc/motd");
        assert_eq!(target(&seen[1]), "../no such 'file'");
        assert!(matches!(seen[2], Seen::Absent), "{:?}", seen[2]);
        assert!(matches!(&seen[3], Seen::Unknown(why) if why.contains("is a directory")), "{:?}", seen[3]);
    }

    #[test]
    fn no_answer_is_never_fine() {
        for spoil in [
            |text: String| text.replace("/etc/motd\0", "/etc/motd"),
            |text: String| text.replace("/srv/a\0/etc", "/srv/x\0/etc"),
        ] {
            let (_, seen) = recorded::<Symlink>("links", spoil);
            assert!(matches!(seen[0], Seen::Unknown(_)), "{:?}", seen[0]);
        }
    }

    #[test]
    fn what_a_login_reads_is_no_link() {
        for path in ["/etc/ssh/sshd_config", "/home/a/.ssh/authorized_keys", "/etc/sudoers.d/x", "/etc/pam.d/sshd"] {
            assert!(load::<Symlink>(&format!("{{ path: {path}, target: /srv/x }}")).is_err(), "{path}");
        }
        let wanted = load::<Symlink>("{ path: /etc/resolv.conf, target: /run/resolv }").unwrap();
        assert!(wanted.is_risky());
        assert!(load::<Symlink>("{ path: /srv/x, target: /srv/x }").is_err());
        assert!(load::<Symlink>("{ path: /srv/x }").is_err());
    }

    proptest! {
        #[test]
        fn hostile_targets_are_refused_or_stay_one_word(text in "[^\0]{1,30}") {
            let item = format!("{{ path: /srv/x, target: {} }}", serde_json::to_string(&text).unwrap());
            if let Ok(wanted) = load::<Symlink>(&item) {
                prop_assert!(!text.contains('\n'));
                let change = Change { position: 0, wanted: &wanted, seen: &Seen::Absent, fields: &[] };
                let script = Symlink::steps(&[change]).remove(0).script;
                let word = format!("rp_link {} /srv/x root root", crate::quote::quote_sh(&text));
                prop_assert_eq!(script.text(), word);
            }
        }
    }
}
