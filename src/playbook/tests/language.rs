//! What the language means.

use super::kinds::Whole;
use super::{TestFleet, expand_files, items, items_of, lines, resource};
use crate::playbook::{Batch, KEYWORDS};

#[test]
fn kinds_and_keywords_are_disjoint() {
    for kind in crate::kinds::KINDS {
        assert!(!KEYWORDS.contains(&kind.name), "`{}` is a keyword", kind.name);
        assert!(!super::super::load::PLAYBOOK_WORDS.contains(&kind.name), "`{}` is a word of playbooks", kind.name);
    }
    assert!(KEYWORDS.is_sorted());
}

#[test]
fn a_lone_expression_keeps_its_type_and_text_around_it_makes_text() {
    let done = items(
        "vars: { n: 3, on: true, list: [a, b], m: { k: v } }",
        r#"    - note: { to: /x, count: "{{ n + 1 }}", active: "{{ on }}", names: "{{ list }}", pairs: "{{ m }}" }
    - note: { to: "/{{ n }}/{{ list[0] }}", content: "{{ n }}" }"#,
    )
    .unwrap();
    let note = resource(&done, "/x");
    assert_eq!((note.count, note.active), (Some(4), Some(true)));
    assert_eq!((note.names.join(","), note.pairs["k"].as_str()), ("a,b".into(), "v"));
    assert_eq!(resource(&done, "/3/a").text(), "3");
    assert_eq!(note.host, "s1 at s1.example:22");
}

#[test]
fn the_inventory_overrides_the_playbook_and_variables_refer_to_one_another() {
    let fleet = TestFleet::new().var("s1", "port: 8080\nurl: \"http://{{ host }}:{{ port }}{{ path }}\"");
    let done = items_of(
        "vars: { port: 80, path: /x, unused: \"{{ nowhere }}\" }",
        "    - note: { to: /x, content: \"{{ url }}\" }",
        &fleet,
        None,
    );
    assert_eq!(resource(&done.unwrap(), "/x").text(), "http://s1:8080/x");
}

#[test]
fn builtins_tell_about_the_fleet() {
    let fleet = TestFleet::new().var("p1", "port: 3128\nown: \"{{ host }}:{{ port }}\"");
    let text = "{{ host }} {{ address }} {{ playbook }} {{ phase }} {{ groups.proxies | join('+') }} \
                {{ hostvars.p1.own }} {{ hostvars['p2'].address }} {{ host in groups.servers }}";
    let done = items_of("", &format!("    - note: {{ to: /x, content: \"{text}\" }}"), &fleet, None).unwrap();
    assert_eq!(resource(&done, "/x").text(), "s1 s1.example p installation p1+p2 p1:3128 p2.example true");
}

#[test]
fn each_binds_lists_maps_and_products() {
    let done = items(
        "vars: { models: [{ name: a, env: prod }, { name: b, env: dev }], ports: { http: 80 }, envs: [prod] }",
        r#"    - note: { to: "/{{ m.name }}" }
      each: { m: models }
      when: m.env in envs
    - note: { to: "/{{ p.key }}/{{ p.value }}/{{ n }}" }
      each: { p: ports, n: [1, 2] }"#,
    )
    .unwrap();
    assert_eq!(lines(&done), ["s1 note:/a", "s1 note:/http/80/1", "s1 note:/http/80/2"]);
    assert_eq!(done.skipped.values().flatten().map(ToString::to_string).collect::<Vec<_>>(), ["note:/b"]);
}

#[test]
fn edges_go_to_ids_keys_and_whole_groups() {
    let text = r#"
playbook: p
hosts: all
phases:
  preparation:
    - note: { to: /base }
      id: base
    - note: { to: "/many/{{ n }}" }
      id: many
      each: { n: [1, 2] }
  installation:
    - note: { to: /top }
      when: host == "s1"
      needs: [base, "note:/many/1", { note: /base, on: proxies }, { id: many, on: p1 }]
"#;
    let done = expand_files(&[("p.yaml", text)], &TestFleet::new(), None).unwrap();
    let top = lines(&done).into_iter().find(|line| line.contains("/top")).unwrap();
    assert_eq!(
        top,
        "s1 note:/top <- s1/note:/base s1/note:/many/1 p1/note:/base p2/note:/base p1/note:/many/1 p1/note:/many/2"
    );
}

#[test]
fn an_edge_to_what_a_condition_left_out_is_no_edge() {
    let done = items(
        "",
        "    - note: { to: /a }\n      id: a\n      when: false\n    - note: { to: /b, restart_on: [a] }\n      needs: [a, \"note:/a\"]",
    )
    .unwrap();
    assert_eq!(lines(&done), ["s1 note:/b"]);
}

#[test]
fn what_a_false_condition_guards_may_be_undefined() {
    let done = items(
        "",
        "    - note: { to: \"/{{ gpu.name }}\" }\n      when: gpu is defined\n      id: \"{{ gpu.id }}\"\n      needs: [\"{{ gpu.x }}\"]",
    );
    assert_eq!(lines(&done.unwrap()), Vec::<String>::new());
}

#[test]
fn includes_hand_down_variables_conditions_edges_and_tags() {
    let done = expand_files(
        &[
            (
                "p.yaml",
                "playbook: p\nhosts: s1\nphases:\n  installation:\n    - note: { to: /a }\n    - include: parts/one.yaml\n      each: { n: [1, 2] }\n      when: n != 3\n      vars: { name: \"x{{ n }}\" }\n      needs: [\"note:/a\"]\n      tags: [t]\n",
            ),
            ("parts/one.yaml", "- note: { to: \"/{{ name }}\" }\n  tags: u\n- include: two.yaml\n"),
            ("parts/two.yaml", "- note: { to: \"/{{ name }}/two\" }\n  when: n == 2\n"),
        ],
        &TestFleet::new(),
        None,
    )
    .unwrap();
    assert_eq!(
        lines(&done),
        ["s1 note:/a", "s1 note:/x1 <- s1/note:/a", "s1 note:/x2 <- s1/note:/a", "s1 note:/x2/two <- s1/note:/a"]
    );
    assert_eq!(done.declared[1].tags, ["t", "u"]);
}

#[test]
fn a_site_gathers_playbooks_and_overrides_their_defaults() {
    let book = "playbook: NAME\nhosts: s1\nvars: { v: 1 }\nserial: [1, \"25%\"]\nphases:\n  production:\n    - note: { to: /NAME, count: \"{{ v }}\" }\n  preparation:\n    - part: { name: NAME }\n    - whole: {}\n";
    let done = expand_files(
        &[
            ("site.yaml", "site: prod\nplaybooks: [a.yaml, { file: b.yaml, vars: { v: 2 } }]\n"),
            ("a.yaml", &book.replace("NAME", "a")),
            ("b.yaml", &book.replace("NAME", "b")),
        ],
        &TestFleet::new(),
        None,
    )
    .unwrap();
    // By phase first, then as written over the whole site; the aggregate is declared twice, equal, and is one.
    assert_eq!(lines(&done), ["s1 part:a", "s1 whole:it", "s1 part:b", "s1 note:/a", "s1 note:/b"]);
    assert_eq!((resource(&done, "/a").count, resource(&done, "/b").count), (Some(1), Some(2)));
    assert_eq!(done.plays[0].serial, [Batch::Count(1), Batch::Percent(25)]);
    let whole = done.declared[1].resource().unwrap().as_any().downcast_ref::<Whole>().unwrap();
    assert_eq!(whole.parts, ["a", "b"], "parts of every playbook, in plan order");
}

#[test]
fn a_part_without_its_whole_is_told() {
    let done = items("", "    - part: { name: a }").unwrap();
    assert_eq!(done.warnings[0].summary, "a part without its whole");
}

#[test]
fn watched_resources_bring_their_paths() {
    let done = items(
        "",
        "    - note: { to: /conf }\n      id: conf\n    - note: { to: /unit, restart_on: [conf, \"note:/conf\"] }",
    )
    .unwrap();
    assert_eq!(format!("{:?}", resource(&done, "/unit").watched), r#"[[Path("/conf")], [Path("/conf")]]"#);
}

#[test]
fn equal_declarations_are_one() {
    let done = items(
        "",
        "    - note: { to: /a, count: 1 }\n      tags: [x]\n    - note: { count: 1, to: /a }\n      tags: [y]",
    )
    .unwrap();
    assert_eq!(lines(&done), ["s1 note:/a"]);
    assert_eq!(done.declared[0].tags, ["x", "y"]);
}

#[test]
fn facts_make_items_wait_and_then_stand() {
    let text = r#"    - note: { to: /a, content: "{{ facts.arch }}" }
    - note: { to: /b }
      when: facts.arch == "x86_64"
      needs: ["note:/a"]
    - note: { to: /c, content: "{{ derived }}" }
    - note: { to: /d, content: "{% if facts.arch is defined %}x{% endif %}" }
    - note: { to: /e, count: 1 }"#;
    let head = "vars: { derived: \"a {{ facts.arch }}\" }";
    let done = items_of(head, text, &TestFleet::new(), None).unwrap();
    assert_eq!(
        lines(&done),
        [
            "s1 note:/a (waits)",
            "s1 note:/b (waits) <- s1/note:/a",
            "s1 note:/c (waits)",
            "s1 note:/d (waits)",
            "s1 note:/e"
        ]
    );
    assert_eq!(done.needs_facts.keys().map(|host| host.as_str()).collect::<Vec<_>>(), ["s1"]);
    let done = items_of(head, text, &TestFleet::new(), Some("arch: x86_64")).unwrap();
    assert_eq!(resource(&done, "/c").text(), "a x86_64");
    assert!(done.needs_facts.is_empty() && done.declared.iter().all(|one| !one.is_pending()));
    let done = items_of(head, text, &TestFleet::new(), Some("arch: arm64")).unwrap();
    assert_eq!(lines(&done), ["s1 note:/a", "s1 note:/c", "s1 note:/d", "s1 note:/e"]);
}

#[test]
fn a_conflict_of_groups_is_told_only_where_the_value_is_used() {
    let mut fleet = TestFleet::new().var("s1", "port: 1");
    fleet.conflict = Some(("port".into(), crate::model::Diagnostic::error("groups disagree")));
    assert!(items_of("", "    - note: { to: /x }", &fleet, None).is_ok());
    let told = items_of("", "    - note: { to: /x, count: \"{{ port }}\" }", &fleet, None).unwrap_err();
    assert!(told.starts_with("groups disagree"), "{told}");
}

#[test]
fn expanding_twice_gives_the_same() {
    let text = "    - note: { to: \"/{{ n }}\" }\n      each: { n: [1, 2, 3] }";
    let show = || format!("{:?}", items("", text).unwrap());
    let strip =
        |text: String| text.lines().map(|line| line.split("/tmp").next().unwrap().to_owned()).collect::<String>();
    assert_eq!(strip(show()), strip(show()));
}

#[test]
fn an_aggregate_waits_for_the_facts_of_its_parts_and_of_nothing_else() {
    let text = |extra: &str| format!("    - whole: {{}}\n    - part: {{ name: a }}\n{extra}");
    let show = |extra: &str| lines(&items("", &text(extra)).unwrap()).join(", ");
    assert_eq!(
        show("    - note: { to: /x, content: \"{{ facts.arch }}\" }"),
        "s1 whole:it, s1 part:a, s1 note:/x (waits)"
    );
    for part in [
        "    - part: { name: b, size: \"{{ facts.arch }}\" }",
        "    - part: { name: b }\n      when: facts.arch == 1",
        "    - part: { name: \"{{ facts.arch }}\" }",
    ] {
        assert!(show(part).starts_with("s1 whole:it (waits), s1 part:a"), "{part}: {}", show(part));
        let alone = items("", &format!("    - whole: {{}}\n{part}")).unwrap();
        assert_eq!(lines(&alone)[0], "s1 whole:it (waits)", "{part}");
    }
}

#[test]
fn facts_of_other_hosts_are_waited_for_and_never_empty() {
    let fleet = TestFleet::new().var("p1", "kind: \"{{ facts.arch }}\"");
    let text = r#"    - note: { to: /a, content: "{{ hostvars.p1.facts.arch }}" }
    - note: { to: /b, content: "{{ hostvars.p1.kind }}" }
    - note: { to: /c }
      when: hostvars.p2.facts.arch == "x86_64"
    - note: { to: /d, content: "{% for h in groups.proxies %}{{ hostvars[h].facts.arch | default('none') }},{% endfor %}" }
    - note: { to: /e, content: "{{ hostvars.p1.facts is defined }}" }
    - note: { to: /f, content: "{{ groups.servers | join(',') }}" }"#;
    let done = items_of("", text, &fleet, None).unwrap();
    let waits: Vec<Vec<&str>> =
        done.declared.iter().map(|one| one.waits_for().map(crate::model::HostName::as_str).collect()).collect();
    assert_eq!(waits, [vec!["p1"], vec!["p1"], vec!["p2"], vec!["p1"], vec!["p1"], vec![]]);
    let needs: Vec<&str> = done.needs_facts.values().flatten().map(crate::model::HostName::as_str).collect();
    assert_eq!((done.needs_facts.len(), needs), (1, vec!["p1", "p2"]));
    let done = items_of("", text, &fleet, Some("arch: x86_64")).unwrap();
    assert_eq!(resource(&done, "/a").text(), "x86_64");
    assert_eq!(resource(&done, "/b").text(), "x86_64");
    assert_eq!(resource(&done, "/d").text(), "x86_64,x86_64,");
    assert_eq!(resource(&done, "/f").text(), "s1,s2");
}

#[test]
fn going_over_the_variables_of_a_host_asks_it_nothing_and_keys_take_no_facts_of_others() {
    let text = "    - note: { to: /a, content: \"{{ hostvars.p1 | to_json }}\" }";
    let done = items("", text).unwrap();
    assert_eq!(resource(&done, "/a").text(), r#"{"host": "p1", "address": "p1.example"}"#);
    let told = items("", "    - note: { to: \"/{{ hostvars.p1.facts.arch }}\" }").unwrap();
    assert_eq!(lines(&told), ["s1 ? (waits)"]);
    let told = items("", "    - note: { to: /x }\n      each: { d: hostvars.p1.facts.interfaces }").unwrap_err();
    assert!(told.contains("facts come too late"), "{told}");
}
