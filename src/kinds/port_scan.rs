//! A check: exactly these TCP ports of the host are open, as seen from somewhere else.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::resource::{
    Answer, Ask, Change, Context, Desired, Fault, FieldValue, Fields, Kind, Look, LookAnswer, PortState, ProbeScript,
    Seen, Step, Vantage,
};

/// A check: of the ports that are tried, exactly these are open, as seen from somewhere else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortScan {
    /// From where: `controller` (the default), `self` (the host itself: what listens, whatever the firewall says), or
    /// hosts of the inventory, each of which must find the same.
    #[serde(default = "controller")]
    from: String,
    /// Address or name that is tried. Default: the address of the host in the inventory.
    #[serde(default)]
    address: Option<String>,
    /// The ports that must be open.
    open: Vec<u16>,
    /// Ports that are tried as well, and must not be open.
    #[serde(default)]
    closed: Vec<u16>,
    /// What is tried: `1-1024,11434`, or a list of numbers. Default: 1 to 1024 and the usual ports of services above.
    #[serde(default)]
    ports: Option<Ports>,
    /// How long one connection may take, in milliseconds. Default: 1500, so that the kernel asks a second time.
    #[serde(default = "default_timeout")]
    timeout_ms: u64,
    /// What it is called in plans; `ADDRESS from FROM` unless said.
    #[serde(default)]
    name: Option<String>,
    /// From where, resolved.
    #[serde(skip)]
    vantages: Vec<Vantage>,
}

/// Ports as text with ranges, or one by one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected ports as text such as `1-1024`, or a list of ports")]
enum Ports {
    Text(String),
    List(Vec<u16>),
    One(u16),
}

// Above 1024: databases, queues, proxies, Docker, metrics, model servers.
const USUAL: &[u16] = &[
    1433, 1521, 2049, 2375, 2376, 2379, 2380, 3000, 3128, 3306, 3389, 4369, 5000, 5001, 5432, 5601, 5672, 5900, 5984,
    6333, 6379, 6443, 7000, 7860, 8000, 8001, 8008, 8080, 8081, 8086, 8088, 8123, 8200, 8265, 8443, 8500, 8787, 8888,
    8983, 9000, 9042, 9090, 9091, 9092, 9093, 9094, 9100, 9200, 9300, 9443, 10000, 10250, 11211, 11434, 15672, 16379,
    19530, 25565, 27017, 50051,
];

fn controller() -> String {
    "controller".into()
}

fn default_timeout() -> u64 {
    1500
}

impl PortScan {
    fn address(&self) -> &str {
        self.address.as_deref().unwrap_or_default()
    }

    // All that is tried, sorted.
    fn tried(&self) -> Result<Vec<u16>, String> {
        let mut all: Vec<u16> = match &self.ports {
            None => (1..=1024).chain(USUAL.iter().copied()).collect(),
            Some(Ports::List(list)) => list.clone(),
            Some(Ports::One(port)) => vec![*port],
            Some(Ports::Text(text)) => {
                let mut all = Vec::new();
                for part in text.split(',').map(str::trim) {
                    let (from, to) = part.split_once('-').unwrap_or((part, part));
                    match (from.trim().parse::<u16>(), to.trim().parse::<u16>()) {
                        (Ok(from), Ok(to)) if from <= to => all.extend(from..=to),
                        _ => return Err(format!("`{}` is neither a port nor a range", part.escape_debug())),
                    }
                }
                all
            }
        };
        all.extend(self.open.iter().chain(&self.closed));
        all.sort_unstable();
        all.dedup();
        if all.first() == Some(&0) { Err("0 is no port".into()) } else { Ok(all) }
    }

    fn look_key(&self, at: usize) -> String {
        format!("{}:{} {at}", Self::NAME, self.key())
    }

    fn read(&self, answer: &Answer) -> Seen {
        let mut fields = Fields::new();
        for (at, vantage) in self.vantages.iter().enumerate() {
            let states = match answer.look(&self.look_key(at)) {
                LookAnswer::Ports(states) => states,
                LookAnswer::Unknown(why) | LookAnswer::NoConnection(why) | LookAnswer::NoAnswer(why) => {
                    return Seen::Unknown(why);
                }
                LookAnswer::Http(_) => return Seen::Unknown("the look was answered for something else".into()),
            };
            let tried = self.tried().unwrap_or_default();
            if let Some(port) = tried.iter().find(|port| !states.contains_key(port)) {
                return Seen::Unknown(format!("nothing was told about port {port}"));
            }
            let open = tried.iter().filter(|port| states.get(port) == Some(&PortState::Open));
            fields.insert(vantage.field("open", self.vantages.len()), FieldValue::list(open.map(u16::to_string)));
        }
        Seen::Present(fields)
    }
}

impl Kind for PortScan {
    const NAME: &'static str = "port_scan";
    const SUMMARY: &'static str = "A check: exactly these TCP ports are open, as seen from somewhere else.";
    const EXAMPLE: &'static str = r#"port_scan: { from: "proxies[0]", open: [22, 443], ports: "1-1024,11434" }"#;
    const CHECK: bool = true;

    fn key(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} from {}", self.address(), self.from))
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        self.vantages = Vantage::named(&self.from, context)?;
        let address = self.address.get_or_insert_with(|| context.address.to_owned());
        if address.is_empty() || address.starts_with('-') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::new("address", format!("`{}` is no address", address.escape_debug())));
        }
        let loopback = address == "localhost"
            || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
        if loopback && self.vantages.contains(&Vantage::Controller) {
            let why = format!("from the controller, {address} is the controller itself");
            return Err(Fault::new("from", why).fix("write `from: self`"));
        }
        if let Some(port) = self.closed.iter().find(|port| self.open.contains(port)) {
            return Err(Fault::new("closed", format!("{port} cannot be both open and closed")));
        }
        if !(10..=60_000).contains(&self.timeout_ms) {
            return Err(Fault::new("timeout_ms", "it must be between 10 and 60000 milliseconds"));
        }
        self.tried().map(|_| ()).map_err(|why| Fault::new("ports", why))
    }

    fn desired(&self) -> Desired {
        let mut open = self.open.clone();
        open.sort_unstable();
        open.dedup();
        let wanted = FieldValue::list(open.iter().map(u16::to_string));
        let fields = self.vantages.iter().map(|vantage| vantage.field("open", self.vantages.len()));
        Desired::Present(fields.map(|field| (field, wanted.clone())).collect())
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            let ask = Ask::Ports {
                address: wanted.address().to_owned(),
                ports: wanted.tried().unwrap_or_default(),
                timeout_ms: wanted.timeout_ms,
            };
            for (at, vantage) in wanted.vantages.iter().enumerate() {
                script.look(wanted.look_key(at), Look { from: vantage.clone(), ask: ask.clone() });
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        batch.iter().map(|wanted| wanted.read(answer)).collect()
    }

    fn steps(_batch: &[Change<'_, Self>]) -> Vec<Step> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kinds::tests::load;

    fn seen(wanted: &PortScan, look: LookAnswer) -> Seen {
        let mut answer = Answer::default();
        answer.set_looks([(wanted.look_key(0), look)]);
        PortScan::parse(&[wanted], &answer).remove(0)
    }

    #[test]
    fn what_is_open_is_told_and_a_port_without_answer_is_unknown() {
        let wanted = load::<PortScan>("{ open: [443, 22], closed: [11434], ports: \"22,80-81\" }").unwrap();
        assert_eq!(
            (wanted.tried().unwrap(), wanted.key()),
            (vec![22, 80, 81, 443, 11434], "192.0.2.1 from controller".into())
        );
        let mut states: BTreeMap<u16, PortState> =
            [22, 80, 81, 443, 11434].map(|port| (port, PortState::Filtered)).into_iter().collect();
        states.insert(22, PortState::Open);
        states.insert(11434, PortState::Open);
        let Seen::Present(fields) = seen(&wanted, LookAnswer::Ports(states.clone())) else { panic!() };
        assert!(FieldValue::list(["22", "11434"]).agrees_with(&fields["open"]));
        states.remove(&80);
        assert!(matches!(seen(&wanted, LookAnswer::Ports(states)), Seen::Unknown(_)));
        assert!(matches!(seen(&wanted, LookAnswer::Unknown("x".into())), Seen::Unknown(_)));
        assert!(matches!(PortScan::parse(&[&wanted], &Answer::default())[0], Seen::Unknown(_)));
    }

    #[test]
    fn what_cannot_be_tried_is_refused() {
        for bad in [
            "{ open: [22], from: nobody }",
            "{ open: [22], address: 127.0.0.1 }",
            "{ open: [22], address: \"a b\" }",
            "{ open: [22], closed: [22] }",
            "{ open: [], ports: 9-1 }",
            "{ open: [], ports: \"$(id)\" }",
            "{ open: [0] }",
            "{ open: [70000] }",
            "{ ports: 22 }",
        ] {
            assert!(load::<PortScan>(bad).is_err(), "{bad}");
        }
    }
}
