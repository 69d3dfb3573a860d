//! The graph, differences and outlook, over real kinds and made-up answers.

use std::collections::HashMap;

use super::*;
use crate::kinds;
use crate::model::{Diagnostic, HostName, Phase, Place, Source};
use crate::resource::{Context, FieldValue, Fields, ReadText, Seen};
use crate::secret::{Piece, Rendered, Secret};
use crate::yaml::{Dialect, parse};

fn item(host: &str, phase: Phase, text: &str) -> Item {
    let host = HostName::new(host);
    let source = Source::new("p.yaml", text);
    let node = parse(&source, Dialect::Playbook).unwrap();
    let kind = node.entries().unwrap()[0].key.clone();
    let select = |_: &str| Err("nobody".to_owned());
    let context = Context { host: &host, address: "192.0.2.1", login_user: None, ssh_port: 22, select: &select };
    let resource = (kinds::find(&kind).unwrap().load)(node.get(&kind).unwrap(), &context).unwrap();
    Item {
        host,
        phase,
        resource,
        place: Place::new(&source, 0, 4),
        label: None,
        needs: Vec::new(),
        tags: Vec::new(),
        controls: Vec::new(),
        playbook: "p".into(),
    }
}

fn needing(mut item: Item, host: &str, what: &str) -> Item {
    let place = item.place.clone();
    item.needs.push(Need { host: HostName::new(host), what: what.into(), place });
    item
}

fn ids(graph: &Graph) -> Vec<String> {
    graph.order.iter().map(|at| format!("{} {}", graph.items[*at].host, graph.items[*at].id().key)).collect()
}

fn words(told: &Diagnostic) -> String {
    format!("{}: {}", told.summary, told.detail.clone().unwrap_or_default())
}

#[test]
fn the_written_order_holds_within_a_phase_and_phases_hold_per_host() {
    let graph = Graph::build(vec![
        item("a", Phase::Hardening, "file: {path: /etc/z}"),
        item("a", Phase::Preparation, "file: {path: /etc/y}"),
        item("a", Phase::Preparation, "file: {path: /etc/x}"),
        item("b", Phase::Installation, "file: {path: /etc/w}"),
    ])
    .unwrap();
    assert_eq!(ids(&graph), ["a /etc/y", "a /etc/x", "b /etc/w", "a /etc/z"]);
}

#[test]
fn parents_and_owners_come_first_whatever_was_written_first() {
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, "file: {path: /srv/x/y/f, owner: root}"),
        item("a", Phase::Preparation, "directory: {path: /srv/x}"),
        item("b", Phase::Preparation, "directory: {path: /srv/x}"),
    ])
    .unwrap();
    assert_eq!(ids(&graph)[0], "a /srv/x");
    assert_eq!(graph.dependencies(0).len(), 1, "the other host's directory is another one");
}

#[test]
fn needs_cross_hosts_and_a_circle_is_shown_as_a_path() {
    let told = Graph::build(vec![
        needing(item("a", Phase::Preparation, "file: {path: /etc/x}"), "b", "file:/etc/y"),
        needing(item("b", Phase::Preparation, "file: {path: /etc/y}"), "a", "file:/etc/x"),
    ])
    .unwrap_err();
    assert_eq!(
        words(&told[0]),
        "resources that need each other in a circle: file:/etc/x on a needs → file:/etc/y on b needs → file:/etc/x"
    );
}

#[test]
fn a_need_for_nothing_and_a_need_against_the_phases_are_told() {
    let told = Graph::build(vec![
        needing(item("a", Phase::Preparation, "file: {path: /etc/x}"), "a", "file:/etc/yy"),
        needing(item("a", Phase::Preparation, "file: {path: /etc/w}"), "a", "file:/etc/y"),
        item("a", Phase::Hardening, "file: {path: /etc/y}"),
    ])
    .unwrap_err();
    assert_eq!(told[0].fix.as_deref(), Some("did you mean `file:/etc/y`?"));
    assert_eq!(told[1].summary, "a need against the order of the phases");
}

#[test]
fn a_selection_keeps_order_and_edges_and_closes_production_to_the_untested() {
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, "directory: {path: /srv/x}"),
        item("a", Phase::Preparation, "file: {path: /srv/x/f}"),
        item("a", Phase::Tests, "file: {path: /srv/t}"),
        item("b", Phase::Production, "file: {path: /srv/p}"),
    ])
    .unwrap();
    let part = graph.restrict(&|item| item.phase != Phase::Tests, true);
    assert_eq!(ids(&part), ["a /srv/x", "a /srv/x/f", "b /srv/p"]);
    assert_eq!(part.dependencies(1).len(), 1);
    assert!(part.is_untested(&HostName::new("a")) && !part.is_untested(&HostName::new("b")));
}

fn present(content: &str) -> Seen {
    let bytes = zeroize::Zeroizing::new(content.as_bytes().to_vec());
    Seen::Present(Fields::from([
        ("content".into(), FieldValue::Read(ReadText::Bytes(bytes))),
        ("mode".into(), FieldValue::text("0644")),
        ("owner".into(), FieldValue::text("root")),
        ("group".into(), FieldValue::text("root")),
    ]))
}

#[test]
fn unknown_is_never_the_same_and_not_yet_needs_somebody_who_brings_it() {
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, "file: {path: /etc/x, content: \"1\"}"),
        item("a", Phase::Preparation, "file: {path: /etc/y, content: \"1\"}"),
        item("a", Phase::Preparation, "file: {path: /etc/z, content: \"1\"}"),
    ])
    .unwrap();
    let not_yet = Seen::NotYet { missing: "no docker".into(), brought_by: vec![] };
    let seen = HashMap::from([(0, present("1")), (1, Seen::Unknown("no answer".into())), (2, not_yet)]);
    let outlook = outlook(&graph, &seen, &HashMap::new(), &|_| false, &|_, _, _| None, Judge::AfterChanges);
    let acts: Vec<&Act> = outlook.hosts[0].resources.iter().map(|planned| &planned.act).collect();
    assert!(matches!(acts[0], Act::Same));
    assert!(matches!(acts[1], Act::Unknown { why } if why == "no answer"));
    assert!(matches!(acts[2], Act::Unknown { why } if why == "no docker, and nothing in this plan brings it"));
}

#[test]
fn a_host_without_an_answer_is_not_fine() {
    let graph = Graph::build(vec![item("a", Phase::Preparation, "file: {path: /etc/x, content: \"1\"}")]).unwrap();
    let unreachable = HashMap::from([(HostName::new("a"), "down".to_owned())]);
    let outlook = outlook(&graph, &HashMap::new(), &unreachable, &|_| false, &|_, _, _| None, Judge::AfterChanges);
    assert_eq!((outlook.totals().unreachable, outlook.totals().unknown, outlook.totals().same), (1, 1, 0));
    // Its resources do not vanish, and repeat no reason; nothing is unknown where something answered.
    let Act::Unknown { why } = &outlook.hosts[0].resources[0].act else { panic!("{outlook:?}") };
    assert_eq!((why.as_str(), outlook.not_judged()), (NOT_REACHED, 0));
}

#[test]
fn what_has_no_answer_on_a_host_that_was_reached_is_unknown_and_does_not_vanish() {
    let graph = Graph::build(vec![item("a", Phase::Preparation, "file: {path: /etc/x, content: \"1\"}")]).unwrap();
    let outlook = outlook(&graph, &HashMap::new(), &HashMap::new(), &|_| false, &|_, _, _| None, Judge::Now);
    assert_eq!((outlook.totals().unknown, outlook.not_judged()), (1, 1));
}

#[test]
fn a_diff_masks_the_new_secret_and_every_line_that_may_hold_the_old_one() {
    let new = Rendered::from_pieces(vec![
        Piece::Plain("user=a\ntoken=".into()),
        Piece::Secret(Secret::new("token", "n3w")),
        Piece::Plain("\n".into()),
    ]);
    let wanted = crate::resource::Desired::Present(Fields::from([("content".into(), FieldValue::Wanted(new))]));
    let Delta::Change(fields) = delta(&wanted, &present("user=a\ntoken=0ld\n")) else { panic!("no change") };
    let shown = serde_json::to_string(&fields).unwrap();
    assert!(!shown.contains("n3w") && !shown.contains("0ld"), "{shown}");
    assert!(shown.contains("token=(secret token)") && shown.contains("hidden: may hold an old secret"), "{shown}");
}

#[test]
fn an_edge_into_a_later_rolling_batch_is_refused() {
    let graph = Graph::build(vec![
        needing(item("a", Phase::Preparation, "file: {path: /etc/x}"), "b", "file:/etc/y"),
        item("b", Phase::Preparation, "file: {path: /etc/y}"),
    ])
    .unwrap();
    let hosts = [HostName::new("a"), HostName::new("b")];
    let rollout = Rollout::cut("p", &hosts, &[WaveSize::Count(1)]);
    assert_eq!(check_rollouts(&graph, &[rollout]).unwrap_err()[0].summary, "a need into a later rolling batch");
}

#[test]
fn what_a_selection_needs_and_lacks_is_looked_at_and_holds_it_up() {
    let build = || {
        Graph::build(vec![
            item("b", Phase::Preparation, "file: {path: /etc/y, content: \"1\"}"),
            item("b", Phase::Preparation, "file: {path: /etc/z, content: \"1\"}"),
            needing(item("a", Phase::Preparation, "file: {path: /etc/x, content: \"1\"}"), "b", "file:/etc/y"),
        ])
        .unwrap()
    };
    let on_a = |item: &Item| item.host.as_str() == "a";
    assert_eq!(ids(&build().restrict(&on_a, false)), ["a /etc/x"]);
    let part = build().restrict(&on_a, true);
    assert_eq!(ids(&part), ["b /etc/y", "a /etc/x"]);
    assert!(part.is_witness(0) && !part.is_witness(1));
    assert_eq!(part.dependencies(1).len(), 1);
    for (there, fine) in [(present("1"), true), (present("2"), false), (Seen::Absent, false)] {
        let seen = HashMap::from([(0, there), (1, Seen::Absent)]);
        let outlook = outlook(&part, &seen, &HashMap::new(), &|_| false, &|_, _, _| None, Judge::AfterChanges);
        let acts: Vec<&Act> =
            outlook.hosts.iter().flat_map(|host| &host.resources).map(|planned| &planned.act).collect();
        assert_eq!(matches!(acts[0], Act::Same), fine, "{acts:?}");
        assert!(fine || matches!(acts[0], Act::Unknown { why } if why == NOT_SELECTED), "{acts:?}");
    }
}

#[test]
fn what_lacks_facts_of_another_host_says_whose_and_that_host_is_shown_as_not_reached() {
    let mut unread = item("a", Phase::Preparation, "file: {path: /etc/x}");
    let waits_for = std::collections::BTreeSet::from([HostName::new("b")]);
    let (id, why) = (unread.id(), "it reads facts of b".into());
    unread.resource =
        Box::new(Unread { id, waits_for, why, provides: Vec::new(), uses: Vec::new(), watches: Vec::new() });
    let graph = Graph::build(vec![unread]).unwrap();
    let unreachable = HashMap::from([(HostName::new("b"), "down".to_owned())]);
    let outlook = outlook(&graph, &HashMap::new(), &unreachable, &|_| false, &|_, _, _| None, Judge::AfterChanges);
    let Act::Unknown { why } = &outlook.hosts[0].resources[0].act else { panic!("{outlook:?}") };
    assert_eq!(why, "it reads facts of b");
    assert_eq!((outlook.totals().unknown, outlook.totals().unreachable), (1, 1));
}

#[test]
fn what_is_not_known_keeps_its_ties() {
    let unread = |text: &str| {
        let mut item = item("a", Phase::Preparation, text);
        let (provides, uses, watches) = (item.resource.provides(), item.resource.uses(), item.resource.watches());
        let (id, waits_for, why) = (item.id(), std::collections::BTreeSet::new(), "no key".into());
        item.resource = Box::new(Unread { id, waits_for, why, provides, uses, watches });
        item
    };
    let container = "docker_container: {name: web, image: \"web:1\", volumes: [\"/srv/x:/x:ro\"]}";
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, container),
        unread("file: {path: /srv/x, content: \"1\", owner: web}"),
        item("a", Phase::Preparation, "user: {name: web}"),
        item("a", Phase::Preparation, "firewall_ufw: {enabled: true}"),
        unread("firewall_rule: {allow: 22/tcp}"),
        item("a", Phase::Preparation, "file: {path: /srv/y, content: \"1\"}"),
        unread("systemd_unit: {name: z.service, active: true, restart_on: [\"file:/srv/y\"]}"),
    ])
    .unwrap();
    assert_eq!(graph.upstream(0), [1, 2], "{:?}", ids(&graph));
    assert_eq!(graph.upstream(6), [5]);
    assert_eq!(graph.upstream(3), [4], "of its kind it is for those who use all of that");
}

#[test]
fn an_aggregate_is_never_made_of_a_part_of_its_parts_whatever_is_selected() {
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, "firewall_ufw: {enabled: true}"),
        item("a", Phase::Preparation, "firewall_rule: {allow: 22/tcp}"),
        item("a", Phase::Hardening, "firewall_rule: {allow: 443/tcp}"),
        item("b", Phase::Hardening, "firewall_rule: {allow: 443/tcp}"),
    ])
    .unwrap();
    let part = graph.restrict(&|item| item.resource.kind() == "firewall_ufw", true);
    assert_eq!(part.items.iter().map(|item| item.host.as_str()).collect::<Vec<_>>(), ["a", "a", "a"]);
}

#[test]
fn a_condition_of_the_users_is_asked_again_after_what_it_needs_changes() {
    let graph = Graph::build(vec![
        item("a", Phase::Preparation, "file: {path: /etc/x, content: \"1\"}"),
        needing(
            item("a", Phase::Preparation, "command: {name: load, run: load /etc/x, unless: loaded}"),
            "a",
            "file:/etc/x",
        ),
        needing(
            item("a", Phase::Preparation, "command: {name: once, run: 'touch /y', creates: /y}"),
            "a",
            "file:/etc/x",
        ),
    ])
    .unwrap();
    let fine = |number: usize| match graph.items[number].resource.desired() {
        crate::resource::Desired::Present(fields) => Seen::Present(fields),
        crate::resource::Desired::Absent => Seen::Absent,
    };
    let acts = |file: Seen, judge| {
        let seen = HashMap::from([(0, file), (1, fine(1)), (2, fine(2))]);
        let outlook = outlook(&graph, &seen, &HashMap::new(), &|_| false, &|_, _, _| None, judge);
        outlook.hosts[0].resources.iter().map(|planned| planned.act.word()).collect::<Vec<_>>()
    };
    assert_eq!(acts(Seen::Absent, Judge::AfterChanges), ["create", "react", "same"]);
    assert_eq!(acts(Seen::Absent, Judge::Now), ["create", "same", "same"]);
    assert_eq!(acts(present("1"), Judge::AfterChanges), ["same", "same", "same"]);
}

#[test]
fn what_would_be_written_into_somebody_else_s_folder_is_no_promise() {
    let items = [
        "directory: {path: /srv/app, owner: app}",
        "file: {path: /srv/app/own, content: x, owner: app}",
        "file: {path: /srv/app/of-root, content: x}",
        "directory: {path: /srv/app/made}",
        "directory: {path: /srv/app/there}",
        "template: {to: /opt/other/changed, from: x, content: x}",
        "symlink: {path: /opt/fine/link, target: /etc}",
        "file: {path: /opt/gone/x, content: x}",
        "file: {path: /opt/other/removed, state: absent}",
    ];
    let items = items.map(|text| item("a", Phase::Preparation, text));
    let graph = Graph::build(items.into()).unwrap();
    let there = || {
        let text = |text: &str| FieldValue::text(text);
        Fields::from([("mode".into(), text("0700")), ("owner".into(), text("root")), ("group".into(), text("root"))])
    };
    let seen = (0..9).map(|number| match number {
        4 | 5 | 8 => (number, Seen::Present(there())),
        _ => (number, Seen::Absent),
    });
    let mut outlook =
        outlook(&graph, &seen.collect(), &HashMap::new(), &|_| false, &|_, _, _| None, Judge::AfterChanges);
    let host = HostName::new("a");
    let asked: Vec<String> = outlook.folders(&graph).remove(&host).unwrap().into_iter().collect();
    assert_eq!(asked, ["/opt/fine", "/opt/gone", "/opt/other", "/srv"], "what is declared need not be asked");
    let owners = [("/opt/fine", "root"), ("/opt/other", "bob"), ("/srv", "root")];
    let owners = owners.into_iter().map(|(folder, owner)| (folder.to_owned(), owner.to_owned())).collect();
    outlook.hold_foreign(&graph, &FolderOwners::from([(host, owners)]));
    let mut held = Vec::new();
    for planned in &outlook.hosts[0].resources {
        if let Act::Unknown { why } = &planned.act {
            held.push((planned.id.key.as_str(), why.split(", ").next().unwrap()));
        }
    }
    let (app, bob) = ("/srv/app belongs to app", "/opt/other belongs to bob");
    assert_eq!(held, [("/srv/app/of-root", app), ("/srv/app/made", app), ("/opt/other/changed", bob)]);
}
