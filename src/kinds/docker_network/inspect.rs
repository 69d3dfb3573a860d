//! What docker says of a network, in the same form as what playbooks write.

use serde_json::Value;

use super::super::docker::{at, pairs, text};
use super::subnet::{address, canonical};
use super::{DockerNetwork, pairs as texts};
use crate::resource::{FieldValue, Fields, Seen};

/// Options that newer versions of docker write into every network.
pub fn is_of_docker(option: &str) -> bool {
    option.starts_with("com.docker.network.enable_ipv")
}

/// A network as fields.
pub fn fields(wanted: &DockerNetwork, it: &Value) -> Seen {
    read(wanted, it).map_or_else(|| Seen::Unknown("docker's answer was not understood".into()), Seen::Present)
}

fn read(wanted: &DockerNetwork, it: &Value) -> Option<Fields> {
    let word = |path: &str| at(it, path).as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let is = |path: &str| at(it, path).as_bool();
    let map = |path: &str| {
        let value = at(it, path);
        let fine = value.as_object().is_some_and(|all| all.values().all(Value::is_string));
        (fine || value.is_null()).then(|| pairs(it, path))
    };
    let config = match at(it, "/IPAM/Config") {
        Value::Array(config) => config.clone(),
        Value::Null if at(it, "/IPAM").is_object() => Vec::new(),
        _ => return None,
    };
    let (id, driver, scope) = (word("/Id")?, word("/Driver")?, word("/Scope")?);
    let (internal, ipv6) = (is("/Internal")?, is("/EnableIPv6")?);
    let (mut options, labels) = (map("/Options")?, map("/Labels")?);
    options.retain(|name, _| !is_of_docker(name));

    let mut other = Vec::new();
    let mut flags = vec![format!("--driver={driver}")];
    let mut flag = |is: bool, flag: &str| flags.extend(is.then(|| flag.to_owned()));
    flag(internal, "--internal");
    flag(ipv6, "--ipv6");
    let attachable = is("/Attachable") == Some(true);
    flag(attachable, "--attachable");
    other.extend(attachable.then(|| "attachable".to_owned()));
    let ipam = text(it, "/IPAM/Driver");
    if !["", "default"].contains(&ipam.as_str()) {
        flag(true, &format!("--ipam-driver={ipam}"));
        other.push(format!("ipam-driver={ipam}"));
    }
    let mut subnets = Vec::new();
    for part in &config {
        let (subnet, gateway) = (canonical(&text(part, "/Subnet")), address(&text(part, "/Gateway")));
        if subnet.is_empty() {
            return None;
        }
        flag(true, &format!("--subnet={subnet}"));
        flag(!gateway.is_empty(), &format!("--gateway={gateway}"));
        for (field, name) in [("/IPRange", "ip-range"), ("/AuxiliaryAddresses", "aux-address")] {
            let value = at(part, field);
            match value {
                Value::Null => continue,
                Value::String(range) if range.is_empty() => continue,
                Value::Object(all) if all.is_empty() => continue,
                Value::String(range) => flag(true, &format!("--{name}={range}")),
                _ => pairs(part, field).iter().for_each(|(k, v)| flag(true, &format!("--{name}={k}={v}"))),
            }
            other.push(format!("{name} in {subnet}"));
        }
        // A family that nobody speaks of is docker's choice, and so is a gateway.
        let six = subnet.contains(':');
        let meant = wanted.subnets.iter().find(|meant| canonical(&meant.subnet) == subnet);
        if meant.is_some() || wanted.subnets.iter().any(|meant| meant.is_ipv6() == six) {
            let chosen = meant.is_some_and(|meant| meant.gateway.is_none()) || gateway.is_empty();
            subnets.push(if chosen { subnet } else { format!("{subnet} via {gateway}") });
        }
    }
    subnets.sort();
    texts(&options).iter().for_each(|pair| flag(true, &format!("--opt={pair}")));
    texts(&labels).iter().for_each(|pair| flag(true, &format!("--label={pair}")));
    let plain = scope == "local" && is("/ConfigOnly") != Some(true) && is("/Ingress") != Some(true);
    let plain = plain && text(it, "/ConfigFrom/Network").is_empty();
    if !plain {
        other.push("of a swarm, or made from another network's configuration".into());
    }
    let users = at(it, "/Containers").as_object().into_iter().flatten();
    let mut users: Vec<String> = users.map(|(_, container)| text(container, "/Name")).collect();
    users.sort();
    let mut fields = Fields::from([
        ("id".to_owned(), FieldValue::Text(id)),
        ("driver".to_owned(), FieldValue::Text(driver)),
        ("internal".to_owned(), FieldValue::Bool(internal)),
        ("ipv6".to_owned(), FieldValue::Bool(ipv6)),
        ("subnets".to_owned(), FieldValue::List(subnets)),
        ("options".to_owned(), FieldValue::List(texts(&options))),
        ("labels".to_owned(), FieldValue::List(texts(&labels))),
        ("other".to_owned(), FieldValue::List(other)),
        ("containers".to_owned(), FieldValue::List(users)),
    ]);
    if plain {
        fields.insert("made-with".to_owned(), FieldValue::List(flags));
    }
    Some(fields)
}
