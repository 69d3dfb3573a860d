//! A project of Docker Compose: its file, its environment, and its services as the file says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::services::Services;
use super::docker::{self, Silence};
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen,
    Step, Touch, Undo, absolute_path,
};
use crate::secret::{Piece, Rendered};
use crate::sh;
use crate::yaml::secret_text_schema;

mod services;

const COMPOSE: &str = include_str!("docker_compose/compose.sh");
const STEPS: &str = include_str!("docker_compose/steps.sh");

/// A project of Docker Compose: `compose.yaml` and `.env` in a directory of its own, and its services, which run as that
/// file says. Compose of either generation is asked: `docker compose`, or `docker-compose` where docker has no such
/// plugin. A service runs as the file says when its containers carry the hash that Compose gives its configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerCompose {
    /// The project's name.
    name: String,
    /// Its directory: an absolute path, made where it is missing.
    directory: String,
    /// What `compose.yaml` holds; Compose itself checks it before it is replaced. May hold secrets.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    content: Option<Rendered>,
    /// A local file, relative to the playbook, whose text becomes `content`, unrendered.
    #[serde(default)]
    #[allow(dead_code, reason = "the playbook loader reads it into `content`")]
    source: Option<String>,
    /// Variables for `compose.yaml`, kept in `.env`, which only root may read; may hold secrets. Without any, `.env` is
    /// not managed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    env: BTreeMap<String, Rendered>,
    /// How long its services may take to be up, in seconds. Default: 600.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// Whether it should be there. `absent` stops and removes its containers and networks, `compose.yaml` and `.env`;
    /// volumes and other files stay.
    #[serde(default)]
    state: State,
}

fn default_timeout() -> u64 {
    600
}

impl DockerCompose {
    fn file(&self, name: &str, mode: &str, content: Option<Rendered>) -> ManagedFile {
        let root = || "root".to_owned();
        let path = format!("{}/{name}", self.directory);
        ManagedFile { path, content, mode: mode.into(), owner: root(), group: root() }
    }

    fn compose(&self) -> ManagedFile {
        self.file("compose.yaml", "0600", self.content.clone())
    }

    // A line each, between apostrophes: neither generation reads anything in them.
    fn env(&self) -> ManagedFile {
        let line = |(name, value): (&String, &Rendered)| {
            let mut pieces = vec![Piece::Plain(format!("{name}='"))];
            pieces.extend(value.pieces().iter().cloned());
            pieces.push(Piece::Plain("'\n".into()));
            pieces
        };
        let content = Rendered::from_pieces(self.env.iter().flat_map(line).collect());
        self.file(".env", "0600", (!self.env.is_empty()).then_some(content))
    }

    fn has_env(&self) -> bool {
        !self.env.is_empty()
    }

    fn section(&self) -> String {
        format!("docker_compose {} {}", self.name, self.directory)
    }

    fn undo(&self, ran: bool) -> Undo {
        let files = [self.compose().path, self.env().path, self.directory.clone()].map(Touch::Path);
        let effect = Touch::Effect(format!("compose project {}", self.name));
        let mut back = Sh::lines([Sh::program_of_the_user(COMPOSE), Sh::program_of_the_user(STEPS)]);
        back.line(match ran {
            true => sh!("rp_up {} {} {}", self.name, self.directory, self.timeout.to_string()),
            false => sh!("rp_down {}", self.name),
        });
        Undo::of(files.into_iter().chain([effect])).then(back)
    }

    fn step(&self, seen: &Seen, changed: &[String]) -> Step {
        let is = |name: &str, value: &str| match seen {
            Seen::Present(fields) => matches!(fields.get(name), Some(FieldValue::Text(text)) if text == value),
            _ => false,
        };
        let ran = is("containers", "some");
        let mut script = Sh::lines([Sh::program_of_the_user(COMPOSE), Sh::program_of_the_user(STEPS)]);
        let (name, directory) = (&self.name, &self.directory);
        let (compose, env) = (self.compose(), self.env());
        let mut step = if self.state == State::Absent {
            script.line(sh!("rp_down {}", name));
            script.line(sh!("rm -f -- {} {}", compose.path, env.path));
            Step::new(format!("take down the project {name}"), script)
        } else {
            script.line(sh!("rp_directory {} 0750 root:root", directory));
            if self.has_env() {
                // A file that names `.env` wants it there before it can be checked.
                script.line(sh!("[ -e {} ] || rp_put \"$P/1\" {} 0600 root root", env.path, env.path));
                script.line(sh!(
                    "rp_valid() { rp_compose -p {} --project-directory {} -f \"$1\" --env-file \"$P/1\" config -q; }",
                    name,
                    directory
                ));
            } else {
                script.line(sh!(
                    "rp_valid() { rp_compose -p {} --project-directory {} -f \"$1\" config -q; }",
                    name,
                    directory
                ));
            }
            script.line(sh!("rp_put \"$P/0\" {} 0600 root root rp_valid", compose.path));
            if self.has_env() {
                script.line(sh!("rp_put \"$P/1\" {} 0600 root root", env.path));
            }
            script.line(sh!("rp_up {} {} {}", name, directory, self.timeout.to_string()));
            let why = if changed.is_empty() { String::new() } else { format!(" ({})", changed.join(", ")) };
            let step = Step::new(format!("bring up the project {name}{why}"), script);
            let step = step.with_payload(compose.content.clone().unwrap_or_default());
            if let Some(env) = env.content.clone() { step.with_payload(env) } else { step }
        };
        step = step.expecting(compose.expect_as(seen, "compose")).within(self.timeout + 300);
        if self.has_env() {
            step = step.expecting(env.expect_as(seen, "env"));
        }
        step.undone_by(self.undo(ran))
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let section = answer.section(&self.section())?;
        if section.is_missing_tool() {
            if String::from_utf8_lossy(&section.stderr).contains("compose is not installed") {
                let brought = ["docker-compose", "docker-compose-plugin", "docker-compose-v2"];
                return Ok(Seen::NotYet {
                    missing: "compose is not installed".into(),
                    brought_by: brought.map(|name| Provision::Package(name.into())).into_iter().collect(),
                });
            }
            return Ok(Silence::NoDocker.seen(self.state == State::Absent));
        }
        let complaint = section.complaint();
        if section.status != 0 && complaint.contains("Cannot connect to the Docker daemon") {
            return Ok(Silence::Down(complaint).seen(self.state == State::Absent));
        }
        if section.status != 0 {
            return Err(ProbeError(format!("compose did not answer (status {}): {complaint}", section.status)));
        }
        let services = Services::read(section.text()?.trim_end_matches('\n'))?;
        let compose = self.compose().read_as(answer, "compose")?;
        if self.state == State::Absent {
            let there = compose.is_some() || !services.is.is_empty() || services.networks;
            let mut fields = compose.unwrap_or_default();
            fields.insert("containers".into(), FieldValue::text(services.some()));
            return Ok(if there { Seen::Present(fields) } else { Seen::Absent });
        }
        if compose.is_none() && services.is.is_empty() {
            return Ok(Seen::Absent);
        }
        let mut fields = compose.unwrap_or_default();
        if self.has_env() {
            fields.extend(self.env().read_as(answer, "env")?.unwrap_or_default());
        }
        fields.insert("services".into(), FieldValue::List(services.trouble()));
        fields.insert("containers".into(), FieldValue::text(services.some()));
        Ok(Seen::Present(fields))
    }
}

impl Kind for DockerCompose {
    const NAME: &'static str = "docker_compose";
    const SUMMARY: &'static str =
        "A project of Docker Compose: its file, its environment, and its services as the file says.";
    const EXAMPLE: &'static str = "docker_compose: { name: app, directory: /srv/app, content: \"services: { web: { image: \\\"app:1\\\" } }\\n\" }";
    const UNDO: &'static str = "the old files, and the services as they say; a project that was not there is taken down. What a container wrote into itself is gone, volumes stay. Not an old secret.";

    fn key(&self) -> String {
        format!("{} in {}", self.name, self.directory)
    }

    fn named(key: &str) -> Option<Value> {
        let (name, directory) = key.split_once(" in ")?;
        Some(json!({ "name": name, "directory": directory }))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let first = self.name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !first || self.name.len() > 60 || !self.name.chars().all(fine) {
            return Err(Fault::new("name", format!("`{}` is no name of a project", self.name.escape_debug()))
                .fix("use small letters, digits, - and _, beginning with a letter or digit"));
        }
        absolute_path("directory", &self.directory)?;
        if self.directory.matches('/').count() < 2 {
            return Err(Fault::new("directory", "a project stands in a directory of its own").fix("write /srv/NAME"));
        }
        if self.state == State::Absent {
            return Ok(());
        }
        if self.content.is_none() {
            return Err(
                Fault::new("content", "it is not said what compose.yaml holds").fix("write `content` or `source`")
            );
        }
        for (name, value) in &self.env {
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fine) {
                return Err(Fault::new("env", format!("`{}` is no name of a variable", name.escape_debug())));
            }
            value.check(env_value).map_err(|why| Fault::new("env", format!("{name}: {why}")))?;
        }
        if self.timeout == 0 || self.timeout > 86400 {
            return Err(Fault::new("timeout", "it must be between 1 and 86400 seconds"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.compose().path)]
    }

    fn uses(&self) -> Vec<Provision> {
        let tools = ["docker-compose", "docker-compose-plugin", "docker-compose-v2"]
            .map(|name| Provision::Package(name.into()));
        // Its images and networks stand in a text that only Compose reads.
        let all = [
            Provision::Path(self.directory.clone()),
            Provision::Kind("docker_image"),
            Provision::Kind("docker_network"),
        ];
        docker::uses().chain(tools).chain(all).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = self.compose().desired_as("compose");
        if self.has_env() {
            fields.extend(self.env().desired_as("env"));
        }
        fields.insert("services".into(), FieldValue::List(Vec::new()));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.shared("rp_compose", Sh::program_of_the_user(COMPOSE));
        for wanted in batch {
            wanted.compose().probe(script);
            if wanted.has_env() {
                wanted.env().probe(script);
            }
            script.section(wanted.section(), sh!("rp_services {} {}", wanted.name, wanted.directory));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen, change.fields).serving([change.position])).collect()
    }
}

fn env_value(text: &str) -> Result<(), String> {
    match text.chars().any(|c| c.is_control() || c == '\'' || c == '\\') || text.len() > 60_000 {
        true => {
            Err("a value holds a control character, an apostrophe or a backslash, which not every Compose reads".into())
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
