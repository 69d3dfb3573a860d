//! A file rendered from a template, checked by a program of its own before it replaces anything.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::file::State;
use crate::quote::{Format, Sh};
use crate::resource::{
    Answer, Change, Context, Desired, Fault, Folder, Foreseen, Kind, ManagedFile, ProbeScript, Provision, Seen, Step,
    absolute_path, mode_text, plain_name, private_mode,
};
use crate::secret::Rendered;
use crate::sh;
use crate::yaml::secret_text_schema;

/// A file rendered from a template, checked by a program of its own before it replaces anything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Where it stands: an absolute path.
    to: String,
    /// The template, a local file: relative to the playbook, or in its `templates` folder.
    from: String,
    /// Permissions in octal, between quotes. Default: "0644".
    #[serde(default = "default_mode")]
    mode: String,
    /// Owner's name. Default: root.
    #[serde(default = "root")]
    owner: String,
    /// Group's name; the owner's name unless said.
    #[serde(default)]
    group: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
    /// A command that fails if the text is wrong, run on the host before the file is replaced; `%s` stands for the new
    /// text's path, as in `visudo -cf %s`.
    #[serde(default)]
    validate: Option<String>,
    /// What a value must not break out of; guessed from `to` unless said.
    #[serde(default)]
    #[allow(dead_code, reason = "the playbook loader renders by it")]
    format: Option<Format>,
    /// The rendered text; written by rempart from `from`, not by hand.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    content: Option<Rendered>,
}

fn default_mode() -> String {
    "0644".into()
}

fn root() -> String {
    "root".into()
}

impl Template {
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: self.to.clone(),
            content: self.content.clone(),
            mode: self.mode.clone(),
            owner: self.owner.clone(),
            group: self.group.clone().unwrap_or_else(|| self.owner.clone()),
        }
    }

    // Quoted by rempart, so quotes around `%s` would undo that.
    fn validator(&self) -> Sh {
        let Some(command) = &self.validate else { return Sh::default() };
        let command = command.replace("'%s'", "%s").replace("\"%s\"", "%s");
        let command = Sh::program_of_the_user(&command.replace("%s", "\"$1\""));
        if self.content.as_ref().is_none_or(|content| !content.is_secret()) {
            return command;
        }
        // A validator shows the line that it does not like [tried with visudo].
        let hidden = format!("{} is refused; why is hidden, since the text holds a secret", self.to);
        sh!("{ {}\n} >/dev/null 2>&1 || { echo {} >&2; return 1; }", command, hidden)
    }
}

impl Kind for Template {
    const NAME: &'static str = "template";
    const SUMMARY: &'static str = "A file rendered from a template, checked before it replaces anything.";
    const EXAMPLE: &'static str = r#"template: { to: /etc/ollama/gw.env, from: gw.env.j2, mode: "0640" }"#;
    const UNDO: &'static str = "as a file.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.to.clone()
    }

    fn is_risky(&self) -> bool {
        self.file().is_risky()
    }

    fn named(key: &str) -> Option<Value> {
        Some(json!({ "to": key, "from": "none", "content": "" }))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        absolute_path("to", &self.to)?;
        mode_text("mode", &self.mode)?;
        if self.state == State::Present {
            private_mode("mode", &self.mode, self.content.as_ref())?;
        }
        plain_name("owner", &self.owner)?;
        self.group.as_deref().map_or(Ok(()), |group| plain_name("group", group))?;
        if self.state == State::Present && self.content.is_none() {
            return Err(Fault::new("from", format!("`{}` was not rendered", self.from.escape_debug())));
        }
        if self.validate.as_deref().is_some_and(|command| !command.contains("%s")) {
            return Err(Fault::new("validate", "it does not say where the path of the new text goes")
                .fix("write %s in its place, such as `visudo -cf %s`"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.to.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        let file = self.file();
        vec![Provision::Path(self.to.clone()), Provision::User(file.owner), Provision::Group(file.group)]
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
        Some(Folder::of(&self.to, &self.owner))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        foreseen.put_file(&self.file(), self.state == State::Absent);
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, .. }| {
                let step = match wanted.state {
                    State::Absent => wanted.file().remove(seen),
                    State::Present => wanted.file().put(seen, wanted.validator()),
                };
                step.serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;

    fn item(more: &str) -> String {
        format!("{{ to: /etc/x, from: x.j2, content: \"a\\n\", {more} }}")
    }

    #[test]
    fn the_validator_gets_the_path_as_one_word() {
        for written in ["visudo -cf %s", "\"visudo -cf '%s'\"", "'visudo -cf \"%s\"'"] {
            let wanted = load::<Template>(&item(&format!("validate: {written}"))).unwrap();
            assert_eq!(wanted.validator().text(), "visudo -cf \"$1\"");
            let step = wanted.file().put(&Seen::Absent, wanted.validator());
            assert!(step.script.text().contains("rp_validate_0() {\nvisudo -cf \"$1\"\n}"));
        }
        assert!(load::<Template>(&item("validate: /bin/true")).is_err());
    }

    #[test]
    fn a_validator_cannot_show_a_secret() {
        let wanted = load::<Template>(
            "{ to: /etc/x, from: x, content: !secret hunter2, mode: \"0600\", validate: cat %s; false }",
        );
        let script = wanted.unwrap().validator().text().to_owned();
        let whole = format!("check() {{\n{script}\n}}\ncheck /etc/hostname");
        let out = std::process::Command::new("sh").arg("-c").arg(whole).output().unwrap();
        assert!(!out.status.success() && out.stdout.is_empty());
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(said, "/etc/x is refused; why is hidden, since the text holds a secret\n");
    }

    #[test]
    fn a_secret_is_for_owner_and_group_alone() {
        let with = |mode: &str, content: &str| {
            let text = format!("{{ to: /etc/x, from: x, content: {content}{mode} }}");
            load::<Template>(&text).map(|_| ())
        };
        for mode in [", mode: \"0600\"", ", mode: \"0640\"", ", mode: \"440\"", ", state: absent"] {
            assert_eq!(with(mode, "!secret hunter2"), Ok(()), "{mode}");
        }
        for mode in ["", ", mode: \"0644\"", ", mode: \"0604\"", ", mode: \"602\""] {
            assert!(with(mode, "!secret hunter2").unwrap_err().contains("the secret"), "{mode}");
            assert_eq!(with(mode, "hunter2"), Ok(()), "{mode}");
        }
    }

    #[test]
    fn a_template_that_was_not_rendered_is_refused() {
        assert!(load::<Template>("{ to: /etc/x, from: x.j2 }").is_err());
        assert!(load::<Template>("{ to: /etc/x, from: x.j2, state: absent }").is_ok());
        assert!(load::<Template>(&item("format: nftables")).is_ok());
    }

    proptest! {
        #[test]
        fn hostile_content_is_a_payload_and_never_script(text in "[^\0]{1,40}") {
            let wanted = load::<Template>(&format!(
                "{{ to: /etc/x, from: x.j2, content: {} }}",
                serde_json::to_string(&format!("mark{text}")).unwrap()
            ));
            // YAML itself takes some control characters as escapes only.
            let Ok(wanted) = wanted else { return Ok(()) };
            let step = wanted.file().put(&Seen::Absent, Sh::default());
            prop_assert!(!step.script.text().contains("mark"));
            let whole = format!("mark{text}");
            prop_assert!(step.payloads[0].is(whole.as_bytes()));
        }
    }
}
