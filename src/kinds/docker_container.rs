//! A Docker container with every flag that confines it, compared field by field with `docker inspect`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::inspect::fields;
use self::spec::{Amount, capability, cpus_text, limit, port, security_option, size_text, sorted, volume};
use super::docker;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo, absolute_path, ask_clock, plain_name,
};
use crate::secret::{Piece, Rendered};
use crate::sh;

mod inspect;
mod spec;

const CONTAINERS: &str = "docker container inspect";
const IMAGES: &str = "docker image inspect";
const NETWORKS: &str = "docker network inspect";
const STEPS: &str = include_str!("docker_container/steps.sh");

// What `docker update` can change while the container runs; all else is given at birth.
const LIVE: [&str; 4] = ["cpus", "memory", "pids_limit", "restart"];

/// A Docker container with every flag that confines it, compared field by field with `docker inspect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerContainer {
    /// The container's name.
    name: String,
    /// The image, as `docker run` takes it. The container is replaced when the name stands for another image.
    image: String,
    /// What runs in it, word by word. The image's own command unless said.
    #[serde(default)]
    command: Vec<String>,
    /// The most memory it may take: bytes, or with `k`, `m` or `g`. No limit unless said.
    #[serde(default)]
    memory: Option<Amount>,
    /// How many processors it may take, such as 1.5. No limit unless said.
    #[serde(default)]
    cpus: Option<Amount>,
    /// The most processes in it. No limit unless said.
    #[serde(default)]
    pids_limit: Option<u32>,
    /// Its network: `none` (the default), `bridge`, `host`, or a name: an internal network, made where it is missing.
    #[serde(default = "none")]
    network: String,
    /// Whether a network given by name must be internal, so that nothing in it has a way out. `false`: as `docker_network`
    /// declares it, which makes it, too.
    #[serde(default = "yes")]
    network_internal: bool,
    /// Whether its root filesystem is read-only. False unless said.
    #[serde(default)]
    read_only: bool,
    /// Places in memory: `/tmp`, or with options, `/tmp:rw,size=2g`.
    #[serde(default)]
    tmpfs: Vec<String>,
    /// Capabilities that it loses, or ALL.
    #[serde(default)]
    cap_drop: Vec<String>,
    /// Capabilities that it gets.
    #[serde(default)]
    cap_add: Vec<String>,
    /// Security options, such as `no-new-privileges`.
    #[serde(default)]
    security_opt: Vec<String>,
    /// Mounts: `SOURCE:TARGET`, with `:ro` for reading only. A source is a path or the name of a volume.
    #[serde(default)]
    volumes: Vec<String>,
    /// Environment variables, beside the image's own; may hold secrets. Those stay in files of Docker and containerd that only
    /// root can read, even when the container is gone; a mounted file does not.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    env: BTreeMap<String, Rendered>,
    /// Who runs it: `USER` or `USER:GROUP`. The image's own user unless said.
    #[serde(default)]
    user: Option<String>,
    /// When docker starts it again: `no`, `always`, `unless-stopped` (the default), `on-failure`, `on-failure:TIMES`.
    #[serde(default = "unless_stopped")]
    restart: String,
    /// Published ports: `PORT:CONTAINER_PORT`, with `/udp`. On 127.0.0.1 alone, since they pass by the host's firewall.
    #[serde(default)]
    ports: Vec<String>,
    /// Whether ports may be published on other addresses than loopback.
    #[serde(default)]
    publish_anywhere: bool,
    /// Where its output goes: `json-file`, `local`, `journald`, ... The daemon's choice unless said.
    #[serde(default)]
    log_driver: Option<String>,
    /// Options of the log driver, such as `max-size: 10m`. Not managed unless said.
    #[serde(default)]
    log_options: BTreeMap<String, String>,
    /// A shell command in the container that tells whether it is healthy. The image's own unless said.
    #[serde(default)]
    healthcheck: Option<String>,
    /// Seconds between two health checks. 10 unless said.
    #[serde(default = "ten")]
    health_interval: u32,
    /// Labels, beside the image's own.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Its hostname. Docker's choice unless said.
    #[serde(default)]
    hostname: Option<String>,
    /// Whether a small init reaps its orphans. False unless said.
    #[serde(default)]
    init: bool,
    /// Limits as `NAME=SOFT:HARD` or `NAME=BOTH`, such as `nofile=1024:2048`.
    #[serde(default)]
    ulimits: Vec<String>,
    /// Whether it runs, is there but stopped, or is not there.
    #[serde(default)]
    state: ContainerState,
}

/// Whether a container runs, is there but stopped, or is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// It runs.
    #[default]
    Running,
    /// It is there and does not run.
    Stopped,
    /// It is not there.
    Absent,
}

fn yes() -> bool {
    true
}

fn none() -> String {
    "none".into()
}

fn unless_stopped() -> String {
    "unless-stopped".into()
}

fn ten() -> u32 {
    10
}

impl DockerContainer {
    fn named_network(&self) -> Option<&str> {
        (!["none", "bridge", "host"].contains(&self.network.as_str())).then_some(self.network.as_str())
    }

    // One that is made with the container, and must be without a way out.
    fn own_network(&self) -> Option<&str> {
        self.named_network().filter(|_| self.network_internal)
    }

    fn bytes(&self) -> u64 {
        self.memory.as_ref().and_then(Amount::bytes).unwrap_or(0)
    }

    fn billionths(&self) -> u64 {
        self.cpus.as_ref().and_then(Amount::billionths).unwrap_or(0)
    }

    fn each(list: &[String], form: impl Fn(&str) -> Option<String>) -> Vec<String> {
        sorted(list.iter().filter_map(|item| form(item)).collect())
    }

    fn published(&self) -> Vec<String> {
        Self::each(&self.ports, |text| port(text, self.publish_anywhere))
    }

    // The environment as docker reads it: a line each, taken as it is.
    fn env_file(&self) -> Rendered {
        let line = |(name, value): (&String, &Rendered)| {
            let mut pieces = vec![Piece::Plain(format!("{name}="))];
            pieces.extend(value.pieces().iter().cloned());
            pieces.push(Piece::Plain("\n".into()));
            pieces
        };
        Rendered::from_pieces(self.env.iter().flat_map(line).collect())
    }

    // Every flag of `docker create`, the image and the command. The environment travels in a file: not in sight of `ps`.
    fn arguments(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: &str| all.push(format!("--{name}={value}"));
        if self.bytes() > 0 {
            flag("memory", &self.bytes().to_string());
        }
        if self.billionths() > 0 {
            flag("cpus", &cpus_text(self.billionths()));
        }
        if let Some(limit) = self.pids_limit.filter(|limit| *limit > 0) {
            flag("pids-limit", &limit.to_string());
        }
        flag("network", &self.network);
        flag("restart", &self.restart);
        flag("read-only", if self.read_only { "true" } else { "false" });
        flag("init", if self.init { "true" } else { "false" });
        let lists = [
            ("tmpfs", &self.tmpfs),
            ("cap-drop", &self.cap_drop),
            ("cap-add", &self.cap_add),
            ("security-opt", &self.security_opt),
            ("volume", &self.volumes),
            ("ulimit", &self.ulimits),
            ("publish", &self.published()),
        ];
        for (name, values) in lists {
            values.iter().for_each(|value| flag(name, value));
        }
        let texts = [("user", &self.user), ("log-driver", &self.log_driver), ("hostname", &self.hostname)];
        for (name, value) in texts {
            value.iter().for_each(|value| flag(name, value));
        }
        if let Some(check) = &self.healthcheck {
            flag("health-cmd", check);
            flag("health-interval", &format!("{}s", self.health_interval));
        }
        for (name, pairs) in [("log-opt", &self.log_options), ("label", &self.labels)] {
            pairs.iter().for_each(|(key, value)| flag(name, &format!("{key}={value}")));
        }
        all.push("--".into());
        all.push(self.image.clone());
        all.extend(self.command.iter().cloned());
        all
    }

    // The steps' shell functions, among them the one that makes this container under a name.
    fn functions(&self) -> Sh {
        let mut script = Sh::program_of_the_user(STEPS);
        let env = Sh::program_of_the_user(if self.env.is_empty() { "" } else { "--env-file \"$P/0\"" });
        script.line(sh!("rp_new() { docker create --name \"$1\" {} {}; }", env, self.arguments()));
        if let Some(network) = self.own_network() {
            script.line(sh!("rp_network {}", network));
        }
        script
    }

    fn step(&self, seen: &Seen, changed: &[String]) -> Step {
        let name = &self.name;
        let patience = u64::from(self.health_interval) * 3 + 60;
        let only = |some: &[&str]| !changed.is_empty() && changed.iter().all(|field| some.contains(&field.as_str()));
        let runs = self.state == ContainerState::Running;
        // Docker takes 0 for "as it was", so a limit is only lifted by a new container.
        let lifted = changed.iter().any(|field| match field.as_str() {
            "memory" => self.bytes() == 0,
            "cpus" => self.billionths() == 0,
            "pids_limit" => self.pids_limit.unwrap_or(0) == 0,
            _ => false,
        });
        let mut script = Sh::program_of_the_user(STEPS);
        let (title, script, made) = if self.state == ContainerState::Absent {
            script.line(sh!("docker rm -f -- {} >/dev/null", name));
            (format!("remove container {name}"), script, false)
        } else if only(&["state", "healthy"]) && !runs {
            script.line(sh!("docker stop -- {} >/dev/null", name));
            (format!("stop container {name}"), script, false)
        } else if only(&["state", "healthy"]) {
            script.line(sh!("rp_start {} {} || exit 1", name, patience));
            (format!("start container {name}"), script, false)
        } else if only(&LIVE) && !lifted {
            let mut flags = vec![format!("--restart={}", self.restart)];
            let bytes = self.bytes();
            if bytes > 0 {
                flags.extend([format!("--memory={bytes}"), format!("--memory-swap={}", bytes.saturating_mul(2))]);
            }
            if self.billionths() > 0 {
                flags.push(format!("--cpus={}", cpus_text(self.billionths())));
            }
            flags.extend(self.pids_limit.filter(|limit| *limit > 0).map(|limit| format!("--pids-limit={limit}")));
            script.line(sh!("docker update {} -- {} >/dev/null", flags, name));
            (format!("update container {name} in place ({})", changed.join(", ")), script, false)
        } else {
            let mut script = self.functions();
            script.line(sh!("rp_replace {} {} {}", name, if runs { "running" } else { "stopped" }, patience));
            let title = match changed {
                [] => format!("create container {name}"),
                changed => format!("replace container {name} ({})", changed.join(", ")),
            };
            (title, script, true)
        };
        let id = match seen {
            Seen::Present(fields) => fields.get("id"),
            _ => None,
        };
        let expect = Expect::Prints {
            command: sh!(
                "rp_id=$(docker container inspect -f '{{.Id}}' -- {} 2>/dev/null) && echo \"$rp_id\" || echo absent",
                name
            ),
            output: match id {
                Some(FieldValue::Text(id)) => id.clone(),
                _ => "absent".into(),
            },
        };
        let step = Step::new(title, script).expecting(expect).within(patience + 600);
        let step = match self.undo(seen, changed, only(&["state", "healthy"]), only(&LIVE) && !lifted) {
            Some(undo) => step.undone_by(undo),
            None => step.permanent("what a container wrote into itself is gone with it; declare the old one and apply"),
        };
        if made && !self.env.is_empty() { step.with_payload(self.env_file()) } else { step }
    }

    // A new container goes again, one that was started or stopped stands as before, and limits can be set back; but
    // nobody can make a container anew with what the old one had written.
    fn undo(&self, seen: &Seen, changed: &[String], switched: bool, live: bool) -> Option<Undo> {
        let container = Touch::Container(self.name.clone());
        let present = match seen {
            Seen::Present(fields) => fields,
            _ => {
                let network = self.own_network().map(|name| Touch::Network(name.to_owned()));
                return Some(Undo::of([container].into_iter().chain(network)));
            }
        };
        if self.state == ContainerState::Absent {
            return None;
        }
        if switched {
            return Some(Undo::of([container]));
        }
        let was = |name: &str| match present.get(name) {
            Some(FieldValue::Text(text)) if text != "unlimited" => Some(text.clone()),
            _ => None,
        };
        let flag = |name: &str| {
            Some(match name {
                "cpus" => vec![format!("--cpus={}", was(name)?)],
                "memory" => {
                    let bytes = Amount::Text(was(name)?).bytes()?;
                    vec![format!("--memory={bytes}"), format!("--memory-swap={}", bytes.saturating_mul(2))]
                }
                "pids_limit" => vec![format!("--pids-limit={}", was(name)?)],
                "restart" => vec![format!("--restart={}", was(name)?)],
                _ => return None,
            })
        };
        let flags: Vec<String> = changed.iter().map(|name| flag(name)).collect::<Option<Vec<_>>>()?.concat();
        live.then(|| Undo::of([container]).then(sh!("docker update {} -- {} >/dev/null", flags, self.name)))
    }

    fn refuse_shapes(&self) -> Result<(), Fault> {
        let every = |field: &'static str, list: &[String], form: &dyn Fn(&str) -> bool, fix: &str| match list
            .iter()
            .find(|item| !form(item))
        {
            Some(bad) => Err(Fault::new(field, format!("`{}` was not understood", bad.escape_debug())).fix(fix)),
            None => Ok(()),
        };
        let word = |text: &str| {
            !text.is_empty() && !text.starts_with('-') && !text.chars().any(|c| c.is_control() || c == ' ')
        };
        let one = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
        every("image", std::slice::from_ref(&self.image), &word, "write NAME:TAG or NAME@DIGEST")?;
        every("user", &one(&self.user), &word, "write USER or USER:GROUP")?;
        every("hostname", &one(&self.hostname), &word, "write a host name")?;
        every("log_driver", &one(&self.log_driver), &word, "write a driver such as journald")?;
        every("ports", &self.ports, &|text| port(text, self.publish_anywhere).is_some(), "write PORT:CONTAINER_PORT")?;
        every("ulimits", &self.ulimits, &|text| limit(text).is_some(), "write NAME=SOFT:HARD")?;
        every("volumes", &self.volumes, &|text| volume(text).is_some(), "write SOURCE:TARGET or SOURCE:TARGET:ro")?;
        let place = |text: &str| {
            let (path, options) = text.split_once(':').unwrap_or((text, "rw"));
            absolute_path("tmpfs", path).is_ok() && word(options)
        };
        every("tmpfs", &self.tmpfs, &place, "write PATH or PATH:OPTIONS")?;
        let capable = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        every("cap_add", &self.cap_add, &capable, "write a capability such as CHOWN")?;
        every("cap_drop", &self.cap_drop, &capable, "write a capability, or ALL")?;
        // Docker stores a profile's text and not its path, which nobody can compare.
        let option = |text: &str| word(text) && !(text.starts_with("seccomp") && text.contains('/'));
        every(
            "security_opt",
            &self.security_opt,
            &option,
            "name an option that is no file, such as no-new-privileges",
        )?;
        let plain = |text: &str| !text.chars().any(char::is_control);
        let check = |text: &str| plain(text) && !text.trim().is_empty();
        every("command", &self.command, &|text| !text.contains('\0'), "take the NUL out")?;
        every("healthcheck", &one(&self.healthcheck), &check, "write one line")?;
        for (field, pairs) in [("labels", &self.labels), ("log_options", &self.log_options)] {
            let key = |key: &str| word(key) && !key.contains('=');
            every(field, &pairs.keys().cloned().collect::<Vec<_>>(), &key, "write NAME: VALUE")?;
            every(field, &pairs.values().cloned().collect::<Vec<_>>(), &plain, "write one line")?;
        }
        let policies = ["no", "always", "unless-stopped", "on-failure"];
        let times =
            self.restart.strip_prefix("on-failure:").is_some_and(|times| times.parse::<u32>().is_ok_and(|t| t > 0));
        if !policies.contains(&self.restart.as_str()) && !times {
            return Err(Fault::new("restart", format!("`{}` is no policy", self.restart.escape_debug()))
                .fix("write no, always, unless-stopped, on-failure or on-failure:TIMES"));
        }
        if self.memory.is_some() && self.bytes() == 0 {
            return Err(Fault::new("memory", "this is no size").fix("write bytes, or text such as 512m or 16g"));
        }
        if self.cpus.is_some() && self.billionths() == 0 {
            return Err(Fault::new("cpus", "this is no number of processors").fix("write a number such as 4 or 1.5"));
        }
        Ok(())
    }
}

fn env_value(text: &str) -> Result<(), String> {
    match text.chars().any(|c| matches!(c, '\n' | '\r' | '\0')) || text.len() > 60_000 {
        true => Err("a value holds a newline or a NUL, or is longer than docker reads".into()),
        false => Ok(()),
    }
}

impl Kind for DockerContainer {
    const NAME: &'static str = "docker_container";
    const SUMMARY: &'static str =
        "A Docker container with every flag that confines it, compared field by field with `docker inspect`.";
    const EXAMPLE: &'static str = "docker_container: { name: ollama, image: \"ollama/ollama:0.3\", memory: 16g, cpus: 4, \
read_only: true, tmpfs: [\"/tmp:rw,size=2g\"], cap_drop: [ALL], security_opt: [no-new-privileges], \
volumes: [\"/srv/models:/models:ro\"], env: { OLLAMA_MODELS: /models, HOME: /tmp } }";
    const UNDO: &'static str = "a new container goes, with the network that was made for it; one that was started, stopped or given other limits stands as before. One that was replaced or removed cannot come back, since what it had written into itself is gone; the plan says so.";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn named(key: &str) -> Option<Value> {
        Some(json!({ "name": key, "image": "none" }))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) || self.name.len() < 2 {
            return Err(Fault::new("name", "docker takes letters, digits and . _ - in names"));
        }
        plain_name("network", &self.network)?;
        self.refuse_shapes()?;
        for (name, value) in &self.env {
            let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fine) {
                return Err(Fault::new("env", format!("`{}` is no name of a variable", name.escape_debug())));
            }
            value.check(env_value).map_err(|why| Fault::new("env", format!("{name}: {why}")))?;
        }
        if !self.ports.is_empty() && ["none", "host"].contains(&self.network.as_str()) {
            return Err(Fault::new("ports", format!("nothing can be published with the network `{}`", self.network))
                .fix("name a network, such as bridge"));
        }
        let loopback = |text: &String| text.starts_with("127.") || text.starts_with("[::1]:");
        if !self.publish_anywhere && !self.published().iter().all(loopback) {
            return Err(Fault::new(
                "ports",
                "a published port passes by the host's firewall, so only loopback is taken",
            )
            .fix("publish on 127.0.0.1, or say publish_anywhere: true"));
        }
        if self.state == ContainerState::Stopped && self.restart == "always" {
            return Err(Fault::new("restart", "`always` starts a stopped container at the next boot")
                .fix("write unless-stopped or no"));
        }
        Ok(())
    }

    fn uses(&self) -> Vec<Provision> {
        let sources = self.volumes.iter().filter_map(|volume| Some(volume.split_once(':')?.0));
        let paths = sources.filter(|source| source.starts_with('/')).map(|path| Provision::Path(path.to_owned()));
        let network = self.named_network().map(|name| Provision::Network(name.to_owned()));
        docker::uses().chain(paths).chain(network).chain([Provision::Image(self.image.clone())]).collect()
    }

    fn desired(&self) -> Desired {
        let mut fields = Fields::new();
        let mut put = |name: &str, value: FieldValue| fields.insert(name.to_owned(), value);
        let text = |value: &Option<String>| FieldValue::text(value.clone().unwrap_or_default());
        put(
            "state",
            FieldValue::text(match self.state {
                ContainerState::Running => "running",
                ContainerState::Stopped => "stopped",
                ContainerState::Absent => return Desired::Absent,
            }),
        );
        put("image", FieldValue::text(&self.image));
        put("command", FieldValue::list(self.command.clone()));
        put("user", text(&self.user));
        put("hostname", text(&self.hostname));
        put("healthcheck", text(&self.healthcheck));
        if self.healthcheck.is_some() {
            put("health_interval", FieldValue::Int(self.health_interval.into()));
            if self.state == ContainerState::Running {
                put("healthy", FieldValue::Bool(true));
            }
        }
        put("memory", FieldValue::Text(size_text(self.bytes())));
        put("cpus", FieldValue::Text(cpus_text(self.billionths())));
        let pids = self.pids_limit.filter(|limit| *limit > 0);
        put("pids_limit", FieldValue::Text(pids.map_or("unlimited".into(), |limit| limit.to_string())));
        put("network", FieldValue::text(&self.network));
        if self.own_network().is_some() {
            put("network.internal", FieldValue::Bool(true));
        }
        put("read_only", FieldValue::Bool(self.read_only));
        put("init", FieldValue::Bool(self.init));
        put("tmpfs", FieldValue::List(sorted(self.tmpfs.clone())));
        put("cap_add", FieldValue::List(Self::each(&self.cap_add, |name| Some(capability(name)))));
        put("cap_drop", FieldValue::List(Self::each(&self.cap_drop, |name| Some(capability(name)))));
        put("security_opt", FieldValue::List(Self::each(&self.security_opt, |option| Some(security_option(option)))));
        put("volumes", FieldValue::List(Self::each(&self.volumes, volume)));
        put("restart", FieldValue::text(&self.restart));
        put("ports", FieldValue::List(self.published()));
        if self.log_driver.is_some() {
            put("log_driver", text(&self.log_driver));
        }
        if !self.log_options.is_empty() {
            put("log_options", FieldValue::list(self.log_options.iter().map(|(k, v)| format!("{k}={v}"))));
        }
        put("ulimits", FieldValue::List(Self::each(&self.ulimits, limit)));
        put("labels", FieldValue::list(self.labels.iter().map(|(name, value)| format!("{name}={value}"))));
        put("env", FieldValue::list(self.env.keys().cloned()));
        for (name, value) in &self.env {
            put(&format!("env.{name}"), FieldValue::Wanted(value.clone()));
        }
        put("other", FieldValue::List(Vec::new()));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        ask_clock(script);
        for wanted in batch {
            script.gather(CONTAINERS, "docker container inspect --format '{{json .}}' --", &wanted.name);
            if wanted.state == ContainerState::Absent {
                continue;
            }
            script.gather(IMAGES, "docker image inspect --format '{{json .}}' --", &wanted.image);
            if let Some(network) = wanted.own_network() {
                script.gather(NETWORKS, "docker network inspect --format '{{json .}}' --", network);
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        let present = || batch.iter().filter(|wanted| wanted.state != ContainerState::Absent);
        let names: Vec<&str> = batch.iter().map(|wanted| wanted.name.as_str()).collect();
        let images: Vec<&str> = present().map(|wanted| wanted.image.as_str()).collect();
        let networks: Vec<&str> = present().filter_map(|wanted| wanted.own_network()).collect();
        let all = |section, asked: &[&str]| match asked {
            [] => Ok(BTreeMap::new()),
            asked => docker::answers(answer, section, asked),
        };
        let told = all(CONTAINERS, &names)
            .and_then(|containers| Ok((containers, all(IMAGES, &images)?, all(NETWORKS, &networks)?)));
        let (containers, images, networks) = match told {
            Ok(told) => told,
            Err(silence) => {
                return batch.iter().map(|wanted| silence.seen(matches!(wanted.desired(), Desired::Absent))).collect();
            }
        };
        let read = |wanted: &&Self| {
            // Docker also answers to the beginning of another container's id.
            let it = containers.get(&wanted.name).and_then(Option::as_ref);
            let Some(it) = it.filter(|it| it["Name"].as_str() == Some(&format!("/{}", wanted.name))) else {
                return Seen::Absent;
            };
            if wanted.state == ContainerState::Absent {
                let id = FieldValue::text(it["Id"].as_str().unwrap_or_default());
                return Seen::Present(Fields::from([("id".to_owned(), id)]));
            }
            let image = images.get(&wanted.image).and_then(Option::as_ref);
            match fields(wanted, it, image, answer) {
                Ok(mut fields) => {
                    let network = wanted.own_network().and_then(|name| networks.get(name)).and_then(Option::as_ref);
                    let internal = network.is_some_and(|network| network["Internal"] == true);
                    fields.insert("network.internal".into(), FieldValue::Bool(internal));
                    Seen::Present(fields)
                }
                Err(ProbeError(why)) => Seen::Unknown(why),
            }
        };
        batch.iter().map(read).collect()
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen, change.fields).serving([change.position])).collect()
    }
}

#[cfg(test)]
mod tests;
