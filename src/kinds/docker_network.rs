//! A network of Docker, compared with `docker network inspect`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use self::subnet::Subnet;
use super::docker;
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeScript, Provision, Seen, Step,
    Touch, Undo, plain_name,
};
use crate::sh;

mod inspect;
mod subnet;

// Of its own: docker_container asks the same tool about other networks.
const NETWORKS: &str = "docker_network";
const STEPS: &str = include_str!("docker_network/steps.sh");

/// A network of Docker, compared with `docker network inspect`. Docker cannot change a network, so one that differs is
/// made anew; that is refused, with their names, while containers belong to it, running or not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DockerNetwork {
    /// The network's name.
    name: String,
    /// Its driver; only a bridge is made.
    #[serde(default)]
    driver: Driver,
    /// Whether it is without a way out. False unless said.
    #[serde(default)]
    internal: bool,
    /// Whether it has IPv6 as well; then a subnet of IPv6 must be given. False unless said.
    #[serde(default)]
    ipv6: bool,
    /// Its subnets, one of IPv4 and one of IPv6. Docker's choice, and not managed, unless said.
    #[serde(default)]
    subnets: Vec<Subnet>,
    /// Options of the driver, such as `com.docker.network.bridge.name: br-app`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

/// How a network reaches its host; what docker brings itself (`host`, `none`) is not made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// A bridge of its own.
    #[default]
    Bridge,
}

impl Driver {
    fn word(self) -> &'static str {
        match self {
            Driver::Bridge => "bridge",
        }
    }
}

fn pairs(all: &BTreeMap<String, String>) -> Vec<String> {
    all.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

impl DockerNetwork {
    // Every flag of `docker network create`.
    fn arguments(&self) -> Vec<String> {
        let mut all = vec![format!("--driver={}", self.driver.word())];
        for (is, flag) in [(self.internal, "--internal"), (self.ipv6, "--ipv6")] {
            all.extend(is.then(|| flag.to_owned()));
        }
        all.extend(self.subnets.iter().flat_map(Subnet::arguments));
        all.extend(pairs(&self.options).into_iter().map(|pair| format!("--opt={pair}")));
        all.extend(pairs(&self.labels).into_iter().map(|pair| format!("--label={pair}")));
        all
    }

    fn step(&self, seen: &Seen, changed: &[String]) -> Step {
        let name = &self.name;
        let fields = match seen {
            Seen::Present(fields) => Some(fields),
            _ => None,
        };
        let list = |field: &str| match fields.and_then(|fields| fields.get(field)) {
            Some(FieldValue::List(list)) => Some(list.clone()),
            _ => None,
        };
        let old = list("made-with");
        let mut script = Sh::program_of_the_user(STEPS);
        script.line(sh!("rp_new() { docker network create {} -- \"$1\"; }", self.arguments()));
        let again = old.map(|flags| sh!("rp_old() { docker network create {} -- \"$1\"; }", flags));
        script.line(again.clone().unwrap_or_else(|| Sh::program_of_the_user("rp_old() { return 1; }")));
        let users = match list("containers").unwrap_or_default() {
            users if users.is_empty() => String::new(),
            users => format!("; refused while {} belong to it", users.join(", ")),
        };
        let title = match (self.state, fields) {
            (State::Absent, _) => {
                script.line(sh!("rp_remove {}", name));
                format!("remove network {name}{users}")
            }
            (State::Present, None) => {
                script.line(sh!("rp_new {} >/dev/null", name));
                format!("create network {name}")
            }
            (State::Present, Some(_)) => {
                script.line(sh!("rp_remake {}", name));
                format!("make network {name} anew ({}){users}", changed.join(", "))
            }
        };
        let id = match fields.and_then(|fields| fields.get("id")) {
            Some(FieldValue::Text(id)) => id.clone(),
            _ => "absent".into(),
        };
        let command = sh!(
            "rp_id=$(docker network inspect -f '{{.Id}}' -- {} 2>/dev/null) && echo \"$rp_id\" || echo absent",
            name
        );
        let step = Step::new(title, script).expecting(Expect::Prints { command, output: id });
        let undo = Undo::of([Touch::Network(name.clone())]);
        match (fields, again) {
            (None, _) => step.undone_by(undo),
            (Some(_), Some(again)) => {
                let back = Sh::lines([Sh::program_of_the_user(STEPS), again, sh!("rp_again {}", name)]);
                step.undone_by(undo.then(back))
            }
            (Some(_), None) => step.permanent("the old network has what `docker network create` cannot give it"),
        }
    }

    fn settle_subnets(&self) -> Result<(), Fault> {
        for subnet in &self.subnets {
            subnet.check().map_err(|why| {
                Fault::new("subnets", why).fix("write { subnet: 10.20.0.0/24 }, with gateway: 10.20.0.1 if you like")
            })?;
        }
        let six = self.subnets.iter().filter(|subnet| subnet.is_ipv6()).count();
        if self.ipv6 != (six > 0) {
            return Err(Fault::new(
                "ipv6",
                "IPv6 and a subnet of IPv6 go together: docker before 27 has none of its own",
            )
            .fix("say ipv6: true, and give a subnet such as fd00:20::/64"));
        }
        if six > 1 || self.subnets.len() - six > 1 {
            return Err(Fault::new("subnets", "a bridge takes one subnet of IPv4 and one of IPv6"));
        }
        Ok(())
    }
}

impl Kind for DockerNetwork {
    const NAME: &'static str = "docker_network";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A network of Docker, compared with `docker network inspect`.";
    const EXAMPLE: &'static str =
        "docker_network: { name: app, internal: true, subnets: [{ subnet: 10.20.0.0/24, gateway: 10.20.0.1 }] }";
    const UNDO: &'static str = "a new network goes; one that was removed or made anew is made as it was, with the same addresses. Both are refused while containers belong to it.";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(Fault::new("name", "docker takes letters, digits and . _ - in names"));
        }
        if ["bridge", "host", "none", "default", "nat", "ingress", "container"].contains(&self.name.as_str()) {
            return Err(Fault::new("name", format!("`{}` is docker's own", self.name)).fix("use another name"));
        }
        for (field, all) in [("options", &self.options), ("labels", &self.labels)] {
            let word = |text: &str| {
                !text.is_empty()
                    && text.len() <= 255
                    && !text.starts_with('-')
                    && !text.chars().any(|c| c.is_control() || " =\"".contains(c))
            };
            if let Some(bad) = all.keys().find(|name| !word(name)) {
                return Err(Fault::new(field, format!("`{}` is no name", bad.escape_debug())).fix("write NAME: VALUE"));
            }
            if all.values().any(|value| value.chars().any(char::is_control) || value.len() > 4096) {
                return Err(Fault::new(field, "a value holds a control character, or is longer than 4096 bytes")
                    .fix("write one line"));
            }
        }
        if let Some(own) = self.options.keys().find(|name| inspect::is_of_docker(name)) {
            return Err(Fault::new("options", format!("`{own}` is set by docker itself")).fix("say `ipv6`"));
        }
        self.settle_subnets()
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Network(self.name.clone())]
    }

    fn uses(&self) -> Vec<Provision> {
        docker::uses().collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::from([
            ("driver".to_owned(), FieldValue::text(self.driver.word())),
            ("internal".to_owned(), FieldValue::Bool(self.internal)),
            ("ipv6".to_owned(), FieldValue::Bool(self.ipv6)),
            ("options".to_owned(), FieldValue::List(pairs(&self.options))),
            ("labels".to_owned(), FieldValue::List(pairs(&self.labels))),
            ("other".to_owned(), FieldValue::List(Vec::new())),
        ]);
        if !self.subnets.is_empty() {
            let mut all: Vec<String> = self.subnets.iter().map(Subnet::text).collect();
            all.sort();
            fields.insert("subnets".to_owned(), FieldValue::List(all));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            script.gather(NETWORKS, "docker network inspect --format '{{json .}}' --", &wanted.name);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        let names: Vec<&str> = batch.iter().map(|wanted| wanted.name.as_str()).collect();
        let networks = match docker::answers(answer, NETWORKS, &names) {
            Ok(networks) => networks,
            Err(silence) => {
                return batch.iter().map(|wanted| silence.seen(wanted.state == State::Absent)).collect();
            }
        };
        let read = |wanted: &&Self| match networks.get(&wanted.name).and_then(Option::as_ref) {
            // Docker also answers to the beginning of another network's id.
            Some(it) if it["Name"].as_str() == Some(&wanted.name) => inspect::fields(wanted, it),
            Some(it) if it["Name"].as_str().is_some_and(|name| !name.is_empty()) => Seen::Absent,
            None => Seen::Absent,
            Some(_) => Seen::Unknown("docker's answer was not understood".into()),
        };
        batch.iter().map(read).collect()
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch.iter().map(|change| change.wanted.step(change.seen, change.fields).serving([change.position])).collect()
    }
}

#[cfg(test)]
mod tests;
