use super::*;
use crate::transport::{Become, Candidate};

fn target(ways: &[&str]) -> Target {
    Target {
        user: Some("admin".into()),
        candidates: ways.iter().map(|way| Candidate::parse(way).unwrap()).collect(),
        escalate: Become::Sudo { password: None },
        known_hosts: vec!["/dev/null".into()],
        ssh_config: Some("".into()),
        ..Target::bare("web", "192.0.2.1")
    }
}

// What each way is to answer, by its words.
fn play(ways: &[&str], answers: &[(&str, &str)]) -> (Result<Option<Entry>, TransportError>, Vec<String>) {
    let mut tried = Vec::new();
    let done = first(&target(ways), |route| {
        tried.push(route.words());
        match answers.iter().find(|(way, _)| *way == route.words()).map_or("silent", |(_, answer)| answer) {
            "in" => Ok(()),
            "key" => Err(route.bad_key("HAS CHANGED")),
            "no" => Err(route.refused("tried nothing")),
            other => Err(route.unreachable(other)),
        }
    });
    (done.map(|(_, _, entry)| entry), tried)
}

#[test]
fn the_first_way_that_leads_in_is_taken_and_the_others_are_told() {
    let ways = ["admin@", "root@:2222", "debian@203.0.113.5:22"];
    let (entry, tried) = play(&ways, &[("root@192.0.2.1:2222", "no"), ("debian@203.0.113.5:22", "in")]);
    let entry = entry.unwrap().unwrap();
    assert_eq!(tried, ["admin@192.0.2.1:22", "root@192.0.2.1:2222", "debian@203.0.113.5:22"]);
    assert_eq!((entry.at, entry.way.as_str()), (2, "debian@203.0.113.5:22"));
    let told: Vec<&str> = entry.passed.iter().map(|passed| passed.why.as_str()).collect();
    assert_eq!(told, ["silent", "login refused: tried nothing"]);
    let (entry, tried) = play(&ways, &[("admin@192.0.2.1:22", "in")]);
    assert!(entry.unwrap().unwrap().passed.is_empty() && tried.len() == 1);
    // Where there is one way there is nothing to tell.
    assert_eq!(play(&[], &[("admin@192.0.2.1:22", "in")]).0.unwrap(), None);
}

#[test]
fn two_routes_to_one_place_are_two_ways() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, "Host near far\n HostName 192.0.2.1\nHost far\n ProxyCommand nc %h %p\n").unwrap();
    let target = Target { ssh_config: Some(config), ..target(&["near", "far", "near:22"]) };
    let mut tried = Vec::new();
    let found = first(&target, |route| {
        tried.push(route.way.clone());
        if route.way == Way::Direct { Err(route.unreachable("silent")) } else { Ok(()) }
    });
    let entry = found.unwrap().2.unwrap();
    assert_eq!(tried, [Way::Direct, Way::Command("nc 192.0.2.1 22".into())]);
    assert_eq!((entry.at, entry.way.as_str()), (1, "admin@192.0.2.1:22 by its ProxyCommand"));
    assert_eq!(entry.passed[0].way, "admin@192.0.2.1:22 directly");
}

#[test]
fn a_way_is_found_again_by_its_name() {
    let target = target(&["admin@", "admin@:22", "root@:2222"]);
    let found = target.by_way("root@192.0.2.1:2222").unwrap().unwrap();
    assert_eq!((found.user.as_deref(), found.port, found.also_at.len()), (Some("root"), Some(2222), 2));
    assert!(target.by_way("root@192.0.2.1:22").unwrap().is_none());
    assert!(target.by(2).by_way("root@192.0.2.1:2222").unwrap().is_some());
    let of_place = |way: &str| target.by_place(way).unwrap().map(|found| (found.user.unwrap(), found.port));
    assert_eq!(of_place("root@192.0.2.1:22"), Some(("admin".to_owned(), None)));
    assert_eq!(of_place("ops@192.0.2.1:2222 through gate"), Some(("root".to_owned(), Some(2222))));
    assert_eq!(of_place("root@192.0.2.1:23"), None);
}

#[test]
fn a_way_is_found_again_whoever_is_told_to_log_in() {
    let listed = target(&["admin@", "root@:2222"]);
    let told = Target { as_listed: Some(Box::new(listed)), ..target(&["ops@", "ops@:2222"]) };
    let found = |way: &str| told.by_way(way).unwrap().and_then(|found| found.user);
    assert_eq!(found("ops@192.0.2.1:22").as_deref(), Some("ops"));
    assert_eq!(found("root@192.0.2.1:2222").as_deref(), Some("root"));
    assert_eq!(found("root@192.0.2.1:22"), None);
    // What cannot be told is no way that is gone.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, "Host *\n  NoSuchWord\n  Port none\n").unwrap();
    let wrong = Target { ssh_config: Some(folder.path().to_owned()), ..target(&["admin@"]) };
    assert!(wrong.by_way("admin@192.0.2.1:22").is_err());
}

#[test]
fn a_wrong_key_ends_it_all() {
    let (entry, tried) =
        play(&["admin@", "root@:2222"], &[("admin@192.0.2.1:22", "key"), ("root@192.0.2.1:2222", "in")]);
    let error = entry.unwrap_err();
    assert!(matches!(&error, TransportError::HostKey { reason, .. } if reason.contains("was not tried")), "{error}");
    assert_eq!(tried.len(), 1);
}

#[test]
fn when_no_way_leads_in_each_says_why() {
    let ways = ["admin@", "admin@:22", "root@:2222"];
    let (entry, tried) = play(&ways, &[]);
    assert_eq!(tried.len(), 2, "what is written twice is tried once");
    let line = entry.unwrap_err().to_string();
    let wanted = "cannot reach web at any of 2 addresses: admin@192.0.2.1:22 (silent); root@192.0.2.1:2222 (silent)";
    assert_eq!(line, wanted);
    let (entry, _) = play(&ways, &[("root@192.0.2.1:2222", "no")]);
    assert!(matches!(entry, Err(TransportError::Refused { user, .. }) if user == "root"));
    assert_eq!(play(&["admin@"], &[]).0.unwrap_err().to_string(), "cannot reach web at 192.0.2.1:22: silent");
}

#[test]
fn a_way_takes_from_the_host_what_it_leaves_out_and_root_needs_no_sudo() {
    let target = Target { port: Some(2200), ..target(&["root@"]) };
    let by = target.by(0);
    assert_eq!((by.user.as_deref(), by.port, by.address.as_str()), (Some("root"), Some(2200), "192.0.2.1"));
    assert!(matches!(by.escalate, Become::No) && by.candidates.is_empty());
    assert!(matches!(target.by(7).escalate, Become::Sudo { .. }));
}

#[test]
fn a_key_known_by_one_way_vouches_for_another_and_does_not_contradict() {
    let routes = routes(&target(&["admin@", "root@:2222", "debian@gate.example"])).unwrap();
    let siblings: Vec<&[String]> = routes.iter().map(|(_, route)| route.siblings.as_slice()).collect();
    assert_eq!(siblings[1], ["192.0.2.1", "gate.example"]);
    assert_eq!(siblings[0], ["[192.0.2.1]:2222", "gate.example"]);
    // Also once one of them was chosen: what a host is known by does not depend on the way that was taken before.
    let chosen = Target { port: Some(22), ..target(&["admin@", "root@:2222", "debian@gate.example"]) }.by(1);
    let kept = super::routes(&chosen.by(0)).unwrap();
    assert_eq!((kept.len(), kept[0].1.known_as().as_str()), (1, "[192.0.2.1]:2222"));
    assert_eq!(kept[0].1.siblings, ["192.0.2.1", "gate.example"]);
}
