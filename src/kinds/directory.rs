//! A directory with its owner and mode.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Folder, Foreseen, Kind, ManagedFile,
    ProbeError, ProbeScript, Provision, Seen, Step, Touch, Undo, absolute_path, is_lifeline_folder, lifeline,
    mode_text, plain_name,
};
use crate::sh;
use below::Below;

mod below;

/// A directory with its owner and mode.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where it stands: an absolute path.
    path: String,
    /// Permissions in octal, between quotes.
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name.
    #[serde(default = "root")]
    owner: String,
    /// Group's name; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// Whether owner and group hold for all that is below it, too. Links are not followed, and what is mounted below is
    /// left alone. Default: false.
    #[serde(default)]
    recurse: bool,
    /// With `recurse`: permissions of every file below it, in octal, between quotes; as they are unless said.
    #[serde(default)]
    file_mode: Option<String>,
    /// With `recurse`: permissions of every directory below it, likewise.
    #[serde(default)]
    dir_mode: Option<String>,
    /// Whether it should be there. Only an empty directory is ever removed.
    #[serde(default)]
    state: State,
}

fn default_mode() -> String {
    "0755".into()
}

fn root() -> String {
    "root".into()
}

impl Directory {
    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.owner)
    }

    // All that is below it, where that is managed.
    fn below(&self) -> Option<Below<'_>> {
        let (file_mode, dir_mode) = (self.file_mode.as_deref(), self.dir_mode.as_deref());
        let below = Below { path: &self.path, owner: &self.owner, group: self.group(), file_mode, dir_mode };
        (self.recurse && self.state == State::Present).then_some(below)
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let Some(stat) = answer.stat(&self.path)? else { return Ok(Seen::Absent) };
        if !stat.is_directory() {
            return Err(ProbeError(format!("{} is a {}, not a directory", self.path, stat.file_type)));
        }
        let text = |value: &str| FieldValue::text(value);
        let mut fields = Fields::from([
            ("mode".to_owned(), text(&stat.mode)),
            ("owner".to_owned(), text(&stat.owner)),
            ("group".to_owned(), text(&stat.group)),
        ]);
        if let Some(below) = self.below() {
            fields.extend(below.seen(answer)?);
        }
        Ok(Seen::Present(fields))
    }
}

impl Kind for Directory {
    const NAME: &'static str = "directory";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "A directory with its owner and mode.";
    const EXAMPLE: &'static str = r#"directory: { path: /srv/models, owner: ollama, group: ollama, mode: "0750" }"#;
    const UNDO: &'static str = "a new one goes while it is empty; one that was changed or removed comes back with owner, mode and access lists. With `recurse`, owner and mode of all below it that were changed.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn is_risky(&self) -> bool {
        is_lifeline_folder(&self.path)
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        if self.state == State::Absent && is_of_the_system(&self.path) {
            return Err(Fault::new("path", format!("{} is never removed", self.path)));
        }
        mode_text("mode", &self.mode)?;
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        for (field, mode) in [("file_mode", &self.file_mode), ("dir_mode", &self.dir_mode)] {
            let Some(mode) = mode else { continue };
            mode_text(field, mode)?;
            if !self.recurse {
                return Err(Fault::new(field, "it is about what is below the directory").fix("add `recurse: true`"));
            }
            // Whoever may write a program there would get its owner's rights.
            if field == "file_mode" && u32::from_str_radix(mode, 8).unwrap_or(0o7000) & 0o6000 != 0 {
                return Err(Fault::new(field, "it would let every file run with its owner's rights"));
            }
        }
        if !self.recurse {
            return Ok(());
        }
        if self.state == State::Absent {
            return Err(Fault::new("recurse", "only an empty directory is ever removed"));
        }
        if is_of_the_system(&self.path) && !self.path.starts_with("/srv") || is_lifeline_folder(&self.path) {
            let why = format!("what is below {} is the system's, or people's way in", self.path);
            return Err(Fault::new("recurse", why).fix("name the directories below it that are meant"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        vec![
            Provision::Path(self.path.clone()),
            Provision::User(self.owner.clone()),
            Provision::Group(self.group().to_owned()),
        ]
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([
            ("mode".to_owned(), FieldValue::text(format!("{:0>4}", self.mode))),
            ("owner".to_owned(), FieldValue::text(&self.owner)),
            ("group".to_owned(), FieldValue::text(self.group())),
        ]);
        fields.extend(self.below().iter().flat_map(Below::desired));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            script.stat(&wanted.path);
            if let Some(below) = wanted.below() {
                below.ask(script);
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn grows_in(&self, is_new: bool) -> Option<Folder<'_>> {
        is_new.then(|| Folder::of(&self.path, &self.owner))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        let (path, mode, owner) = (self.path.clone(), self.mode.clone(), self.owner.clone());
        let directory = ManagedFile { path, content: None, mode, owner, group: self.group().to_owned() };
        foreseen.put_file(&directory, self.state == State::Absent);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, .. }| {
                let path = &wanted.path;
                let was = match seen {
                    Seen::Present(_) => "directory",
                    _ => "absent",
                };
                let expect = Expect::Prints {
                    command: sh!("stat --printf=%F -- {} 2>/dev/null || echo absent", path),
                    output: was.into(),
                };
                let step = if wanted.state == State::Absent {
                    Step::new(format!("remove the empty directory {path}"), sh!("rmdir -- {}", path))
                } else {
                    let owner = format!("{}:{}", wanted.owner, wanted.group());
                    Step::new(
                        format!("make {path} with its owner and mode"),
                        sh!("rp_directory {} {} {}", path, wanted.mode, owner),
                    )
                };
                let mut step = step;
                let mut undo = Undo::of([Touch::Path(path.clone())]);
                if let Some(below) = wanted.below() {
                    step.script.line(below.script());
                    undo.touches.push(Touch::Access(path.clone()));
                    step = step.within(1800);
                }
                let after = lifeline(path).map(|line| line.after()).unwrap_or_default();
                let step = step.undone_by(undo.then(after)).expecting(expect).serving([*position]);
                if wanted.is_risky() { step.risky() } else { step }
            })
            .collect()
    }
}

// Directories of the system itself, two deep below /usr and /var; what is mounted, rmdir refuses.
pub(super) fn is_of_the_system(path: &str) -> bool {
    let inside = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| !rest.contains('/'));
    inside("/") || inside("/usr/") || inside("/var/") || inside("/etc/systemd/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::load;

    #[test]
    fn directories_of_the_system_are_never_removed() {
        for path in ["/", "/etc", "/home", "/usr", "/usr/bin", "/var", "/var/lib", "/srv", "/boot", "/proc"] {
            assert!(load::<Directory>(&format!("{{ path: {path}, state: absent }}")).is_err(), "{path}");
        }
        assert!(load::<Directory>("{ path: /srv/models, state: absent }").is_ok());
    }

    #[test]
    fn what_shuts_people_out_by_its_mode_is_guarded() {
        for (path, risky) in [("/home/admin", true), ("/etc/sudoers.d", true), ("/root/.ssh", true), ("/srv/x", false)]
        {
            let wanted = load::<Directory>(&format!("{{ path: {path} }}")).unwrap();
            let change = Change { position: 0, wanted: &wanted, seen: &Seen::Absent, fields: &[] };
            assert_eq!(Directory::steps(&[change])[0].risky, risky, "{path}");
        }
    }
}
