//! The kind against what docker says, against junk, and against hostile values.

use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::kinds::tests::{drift, made};

fn said() -> Value {
    json!({
        "Name": "app", "Id": "f00", "Scope": "local", "Driver": "bridge", "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": {}, "Config": [{ "Subnet": "10.20.0.0/24", "Gateway": "10.20.0.1" }] },
        "Internal": true, "Attachable": false, "Ingress": false, "ConfigFrom": { "Network": "" }, "ConfigOnly": false,
        "Containers": {}, "Options": {}, "Labels": { "of": "us" }
    })
}

fn seen(wanted: &DockerNetwork, spoil: impl Fn(&mut Value)) -> Seen {
    let mut it = said();
    spoil(&mut it);
    inspect::fields(wanted, &it)
}

const WANTED: &str =
    "{ name: app, internal: true, labels: { of: us }, subnets: [{ subnet: 10.20.0.0/24, gateway: 10.20.0.1 }] }";

#[test]
fn each_field_is_compared() {
    let wanted: DockerNetwork = made(WANTED).unwrap();
    let differs = |spoil: &dyn Fn(&mut Value)| drift(&wanted, &seen(&wanted, spoil));
    assert_eq!(differs(&|_| ()), "");
    assert_eq!(differs(&|it| it["Internal"] = json!(false)), "internal");
    assert_eq!(differs(&|it| it["Driver"] = json!("macvlan")), "driver");
    assert_eq!(differs(&|it| it["EnableIPv6"] = json!(true)), "ipv6");
    assert_eq!(differs(&|it| it["IPAM"]["Config"][0]["Gateway"] = json!("10.20.0.2")), "subnets");
    assert_eq!(differs(&|it| it["IPAM"]["Config"][0]["IPRange"] = json!("10.20.0.0/26")), "other");
    assert_eq!(differs(&|it| it["Options"] = json!({ "a": "b" })), "options");
    assert_eq!(differs(&|it| it["Options"] = json!({ "com.docker.network.enable_ipv4": "true" })), "");
    assert_eq!(differs(&|it| it["Labels"] = Value::Null), "labels");
    assert_eq!(differs(&|it| it["Attachable"] = json!(true)), "other");
    let any: DockerNetwork = made("{ name: app, internal: true, labels: { of: us } }").unwrap();
    assert_eq!(drift(&any, &seen(&any, |_| ())), "", "docker's choice of addresses is no difference");
    let first: DockerNetwork =
        made("{ name: app, internal: true, labels: { of: us }, subnets: [{ subnet: 10.20.0.0/24 }] }").unwrap();
    assert_eq!(drift(&first, &seen(&first, |_| ())), "", "nor its choice of a gateway");
}

#[test]
fn what_is_not_understood_is_unknown() {
    let wanted: DockerNetwork = made(WANTED).unwrap();
    for path in ["/Id", "/Driver", "/Scope", "/Internal", "/EnableIPv6", "/IPAM", "/IPAM/Config/0/Subnet"] {
        let garbled = seen(&wanted, |it| *it.pointer_mut(path).unwrap() = json!(7));
        assert!(matches!(garbled, Seen::Unknown(_)), "{path}: {garbled:?}");
    }
    for path in ["/Options", "/Labels"] {
        let garbled = seen(&wanted, |it| *it.pointer_mut(path).unwrap() = json!({ "a": 7 }));
        assert!(matches!(garbled, Seen::Unknown(_)), "{path}: {garbled:?}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for fields in [
        "name: bridge",
        "name: a b",
        "name: app, driver: host",
        "name: app, ipv6: true",
        "name: app, subnets: [{ subnet: \"fd00::/64\" }]",
        "name: app, subnets: [{ subnet: 10.20.0.1/24 }]",
        "name: app, subnets: [{ subnet: 10.20.0.0 }]",
        "name: app, subnets: [{ subnet: 10.20.0.0/31 }]",
        "name: app, subnets: [{ subnet: 10.20.0.0/24, gateway: 10.21.0.1 }]",
        "name: app, subnets: [{ subnet: 10.20.0.0/24, gateway: 10.20.0.0 }]",
        "name: app, subnets: [{ subnet: 10.20.0.0/24 }, { subnet: 10.21.0.0/24 }]",
        "name: app, labels: { \"a=b\": c }",
        "name: app, labels: { a: \"b\\nc\" }",
        "name: app, options: { com.docker.network.enable_ipv6: \"true\" }",
    ] {
        assert!(made::<DockerNetwork>(&format!("{{ {fields} }}")).is_err(), "{fields}");
    }
    made::<DockerNetwork>("{ name: app, ipv6: true, subnets: [{ subnet: 10.1.0.0/16 }, { subnet: \"fd00:0::/64\" }] }")
        .unwrap();
}

fn step(wanted: &DockerNetwork, seen: &Seen, changed: &[&str]) -> Step {
    let fields: Vec<String> = changed.iter().map(|field| (*field).to_owned()).collect();
    DockerNetwork::steps(&[Change { position: 0, wanted, seen, fields: &fields }]).remove(0)
}

#[test]
fn a_network_that_others_use_is_told_and_one_that_cannot_come_back_is_permanent() {
    let wanted: DockerNetwork = made(WANTED).unwrap();
    let used = seen(&wanted, |it| it["Containers"] = json!({ "1": { "Name": "web" }, "2": { "Name": "db" } }));
    let made_anew = step(&wanted, &used, &["internal"]);
    assert_eq!(made_anew.title, "make network app anew (internal); refused while db, web belong to it");
    let undo = made_anew.undo().unwrap();
    let old =
        "docker network create --driver=bridge --internal --subnet=10.20.0.0/24 --gateway=10.20.0.1 --label=of=us -- ";
    assert!(undo.after.text().contains(old), "{}", undo.after.text());
    let swarm = seen(&wanted, |it| it["Scope"] = json!("swarm"));
    assert!(step(&wanted, &swarm, &["other"]).undo().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_hostile_value_is_refused_or_one_word(name in "[^\0]{1,12}", value in "[^\0]{0,20}", subnet in "[^\0]{0,12}") {
        let mut wanted: DockerNetwork = made("{ name: app }").unwrap();
        (wanted.labels, wanted.options) = ([(name.clone(), value.clone())].into(), [(name, value)].into());
        wanted.subnets = vec![Subnet { subnet: subnet.clone(), gateway: Some(subnet) }];
        prop_assert!(wanted.settle_subnets().is_err(), "no such text is a subnet with itself as its gateway");
        // In the place of docker stands a function that prints what it was given.
        let script = step(&wanted, &Seen::Absent, &[]).script;
        let script = format!("docker() {{ printf '%s\\0' \"$@\" >&3; }}\nexec 3>&1\n{}", script.text());
        let out = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let words = ["network", "create"].map(str::to_owned).into_iter().chain(wanted.arguments());
        let words = words.chain(["--", "app"].map(str::to_owned));
        let expected: Vec<u8> = words.flat_map(|word| word.into_bytes().into_iter().chain([0])).collect();
        prop_assert_eq!(out.stdout, expected);
    }
}
