//! An image of Docker under a name, pinned by its archive's SHA-256, its id, or a registry's digest.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::pin::{digest, is_name};
use super::docker::{self, text};
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, FileContent, Kind, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo, is_sha256,
};
use crate::sh;

mod pin;

// Of its own: docker_container asks the same tool about other images.
const IMAGES: &str = "docker_image";
const STEPS: &str = include_str!("docker_image/steps.sh");

/// An image of Docker under a name, from an archive on the host or from a registry, and pinned. Its name comes last, when
/// the whole image is on the disk; which image came of a pin is kept in `/var/lib/rempart/images`. An image that had the
/// name before stays without one, so that a rollback finds it; `docker image prune` frees its space.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerImage {
    /// Its name: `NAME:TAG`, such as `ollama/ollama:0.3`.
    name: String,
    /// An archive on the host that it is made from, such as `download` brings: an absolute path. It and its directory
    /// must belong to root.
    #[serde(default)]
    archive: Option<String>,
    /// What the archive is: what `docker save` wrote (of this image alone), or a root filesystem.
    #[serde(default)]
    format: Format,
    /// For a root filesystem: what `docker import --change` takes, such as `CMD ["sh"]`.
    #[serde(default)]
    changes: Vec<String>,
    /// The archive's SHA-256: 64 hexadecimal digits.
    #[serde(default)]
    sha256: Option<String>,
    /// Instead of `archive`: what docker pulls, `NAME@sha256:DIGEST`. Docker asks its registry by its own settings.
    #[serde(default)]
    pull: Option<String>,
    /// The image's id as docker has it, `sha256:...`. Not looked at unless said; for what `docker save` wrote, it may pin
    /// the image in place of `sha256`.
    #[serde(default)]
    id: Option<String>,
    /// How long docker may take to bring it, in seconds. Default: 3600.
    #[serde(default = "default_timeout")]
    timeout: u64,
    /// Whether it should be there. It is not removed while a container was made of it.
    #[serde(default)]
    state: State,
}

/// What an archive of an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// What `docker save` wrote.
    #[default]
    Save,
    /// The files of a root filesystem, as `docker import` takes them.
    Rootfs,
}

fn default_timeout() -> u64 {
    3600
}

impl DockerImage {
    fn put(&self, was: &str) -> Step {
        let (name, record, first) = (&self.name, self.record(), self.first_name());
        let mut script = Sh::program_of_the_user(STEPS);
        let mut touches = vec![Touch::Path(record.clone()), Touch::Image(name.clone())];
        let mut what = sh!("''");
        match (&self.pull, self.archive.as_deref().unwrap_or_default()) {
            (Some(pull), _) => {
                script.line(sh!("rp_bring() { rp_pull {} \"$1\"; }", pull));
                what = sh!("{}", pull);
                touches.push(Touch::Image(pull.clone()));
            }
            (None, archive) => {
                script.line(sh!("rp_sound {} {}", archive, self.sha256.as_deref().unwrap_or_default()));
                if self.format == Format::Save {
                    script.line(sh!("rp_config {} {}", archive, name));
                    script.line(sh!("rp_bring() { rp_load {} \"$1\"; }", archive));
                    what = sh!("\"$rp_id\"");
                } else {
                    let flags: Vec<String> = self.changes.iter().map(|change| format!("--change={change}")).collect();
                    script.line(sh!("rp_bring() { docker import {} {} \"$1\" >/dev/null; }", flags, archive));
                }
            }
        }
        let id = self.id.as_deref().unwrap_or_default();
        script.line(sh!("rp_image {} {} {} {} {} {}", name, record, self.pin(), first, id, what));
        let how = if self.pull.is_some() { "pull" } else { "load" };
        Step::new(format!("{how} image {name}"), script)
            .expecting(self.expect(was))
            .undone_by(Undo::of(touches))
            .within(self.timeout)
    }

    fn expect(&self, was: &str) -> Expect {
        let command = sh!(
            "rp_id=$(docker image inspect -f '{{.Id}}' -- {} 2>/dev/null) && echo \"$rp_id\" || echo absent",
            self.name
        );
        Expect::Prints { command, output: was.to_owned() }
    }

    fn step(&self, seen: &Seen) -> Step {
        let was = match seen {
            Seen::Present(fields) => match fields.get("id") {
                Some(FieldValue::Text(id)) => id.as_str(),
                _ => "absent",
            },
            _ => "absent",
        };
        if self.state == State::Present {
            return self.put(was);
        }
        let mut script = Sh::program_of_the_user(STEPS);
        script.line(sh!("rp_gone {} {} {}", self.name, self.record(), self.first_name()));
        Step::new(format!("remove image {}", self.name), script)
            .expecting(self.expect(was))
            .permanent("docker deletes an image without a name; declare it again and apply")
    }

    fn read(&self, it: Option<&Value>, answer: &Answer) -> Result<Seen, ProbeError> {
        let record = self.record();
        let torn = answer.stat(&format!("{record}.try"))?.is_some();
        let Some(it) = it else {
            return Ok(match (torn, self.state) {
                (true, State::Absent) => Seen::Present(Fields::new()),
                _ => Seen::Absent,
            });
        };
        let id = text(it, "/Id");
        if digest(&id).is_none() {
            return Err(ProbeError("docker's answer was not understood".into()));
        }
        let mut fields = Fields::from([("id".to_owned(), FieldValue::text(&id))]);
        if self.state == State::Present {
            let kept = match answer.content(&record)? {
                Some(FileContent::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
                _ => String::new(),
            };
            let pin = match kept.split_once('\n') {
                Some((of, pin)) if of == id => pin.trim_end_matches('\n').to_owned(),
                _ => "not by rempart, or another image since".into(),
            };
            fields.insert("pin".into(), FieldValue::Text(pin));
            fields.insert("interrupted".into(), FieldValue::Bool(torn));
        }
        Ok(Seen::Present(fields))
    }
}

impl Kind for DockerImage {
    const NAME: &'static str = "docker_image";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str =
        "An image of Docker under a name, pinned by its archive's SHA-256, its id, or a registry's digest.";
    const EXAMPLE: &'static str = "docker_image: { name: \"ollama/ollama:0.3\", archive: /var/cache/ollama.tar, \
sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 }";
    const UNDO: &'static str = "a new image goes again, unless a container was made of it; the name goes back to the image that had it. One that was removed cannot come back; the plan says so.";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        if !is_name(&self.name) || self.name.starts_with("rempart-new:") {
            return Err(Fault::new("name", format!("`{}` is no name of an image", self.name.escape_debug()))
                .fix("write NAME:TAG, such as ollama/ollama:0.3"));
        }
        if let Some(sum) = &mut self.sha256 {
            sum.make_ascii_lowercase();
            if !is_sha256(sum) {
                return Err(Fault::new("sha256", format!("`{}` is no SHA-256", sum.escape_debug()))
                    .fix("write its 64 hexadecimal digits, as `sha256sum` prints them"));
            }
        }
        if self.id.as_deref().is_some_and(|id| digest(id).is_none()) {
            return Err(Fault::new("id", "this is no id of an image")
                .fix("write sha256: and 64 hexadecimal digits, as `docker image inspect` prints it"));
        }
        if self.timeout == 0 || self.timeout > 86400 {
            return Err(Fault::new("timeout", "it must be between 1 and 86400 seconds"));
        }
        if self.state == State::Absent { Ok(()) } else { self.settle_source() }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Image(self.name.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        docker::uses().chain(self.archive.clone().map(Provision::Path)).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([
            ("pin".to_owned(), FieldValue::Text(self.pin())),
            ("interrupted".to_owned(), FieldValue::Bool(false)),
        ]);
        fields.extend(self.id.iter().map(|id| ("id".to_owned(), FieldValue::text(id))));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            script.gather(IMAGES, "docker image inspect --format '{{json .}}' --", &wanted.name);
            script.stat(&format!("{}.try", wanted.record()));
            if wanted.state == State::Present {
                script.content(&wanted.record(), None);
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        let names: Vec<&str> = batch.iter().map(|wanted| wanted.name.as_str()).collect();
        match docker::answers(answer, IMAGES, &names) {
            Err(silence) => batch.iter().map(|wanted| silence.seen(wanted.state == State::Absent)).collect(),
            Ok(images) => batch
                .iter()
                .map(|wanted| {
                    let it = images.get(&wanted.name).and_then(Option::as_ref);
                    wanted.read(it, answer).unwrap_or_else(|ProbeError(why)| Seen::Unknown(why))
                })
                .collect(),
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen).serving([change.position])).collect()
    }
}

#[cfg(test)]
mod tests;
