//! A regular file with its content, owner and mode.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, Folder, Foreseen, Kind, ManagedFile, ProbeScript, Provision, Seen, Step,
    absolute_path, mode_text, plain_name, private_mode,
};
use crate::secret::Rendered;
use crate::yaml::secret_text_schema;

/// A regular file with its content, owner and mode.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it stands: an absolute path.
    path: String,
    /// What it holds, to the byte. May hold secrets. Without it, only owner and mode of an existing file are managed.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    content: Option<Rendered>,
    /// A local file, relative to the playbook, whose text becomes `content`, unrendered.
    #[serde(default)]
    #[allow(dead_code, reason = "the playbook loader reads it into `content`")]
    source: Option<String>,
    /// Permissions in octal, between quotes.
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name.
    #[serde(default = "root")]
    owner: String,
    /// Group's name; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

/// Whether something should be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It should be there.
    #[default]
    Present,
    /// It should not be there.
    Absent,
}

fn default_mode() -> String {
    "0644".into()
}

fn root() -> String {
    "root".into()
}

impl File {
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: self.path.clone(),
            content: self.content.clone(),
            mode: self.mode.clone(),
            owner: self.owner.clone(),
            group: self.group.clone().unwrap_or_else(|| self.owner.clone()),
        }
    }
}

impl Kind for File {
    const NAME: &'static str = "file";
    const NAMED_BY: Option<&'static str> = Some("path");
    const SUMMARY: &'static str = "A regular file with its content, owner and mode.";
    const EXAMPLE: &'static str = r#"file: { path: /etc/motd, content: "Managed by rempart.\n", mode: "0644" }"#;
    const UNDO: &'static str = "the old content, owner, mode and access lists, or nothing where nothing was. Not an old secret, nor over 64 MiB.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn is_risky(&self) -> bool {
        self.file().is_risky()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("path", &self.path)?;
        mode_text("mode", &self.mode)?;
        if self.state == State::Present {
            private_mode("mode", &self.mode, self.content.as_ref())?;
        }
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.path.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let file = self.file();
        vec![Provision::Path(self.path.clone()), Provision::User(file.owner), Provision::Group(file.group)]
    }

    fn desired(&self) -> Desired {
        match self.state {
            State::Absent => Desired::Absent,
            State::Present => self.file().desired(),
        }
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        batch.iter().map(|wanted| wanted.file().seen(answer)).collect()
    }

    fn grows_in(&self, _is_new: bool) -> Option<Folder<'_>> {
        Some(Folder::of(&self.path, &self.owner))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        foreseen.put_file(&self.file(), self.state == State::Absent);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|change| {
                let file = change.wanted.file();
                let step = match change.wanted.state {
                    State::Absent => file.remove(change.seen),
                    State::Present => file.put(change.seen, Sh::default()),
                };
                step.serving([change.position])
            })
            .collect()
    }
}
