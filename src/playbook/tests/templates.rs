//! Templates in files, and the line check.

use super::{TestFleet, expand_files, items, items_of, resource};

const BOOK: &str = "playbook: p\nhosts: s1\nvars: { name: web, ports: [80, 443] }\nphases:\n  installation:\n    - note: { to: /etc/x.conf, from: x.conf.j2 }\n";

#[test]
fn templates_are_found_beside_the_playbook_and_in_the_project() {
    for place in ["playbooks/x.conf.j2", "playbooks/templates/x.conf.j2", "templates/x.conf.j2"] {
        let files = [("playbooks/p.yaml", BOOK), (place, "{{ name }}\n")];
        let done = expand_files(&files, &TestFleet::new(), None).unwrap();
        assert_eq!(resource(&done, "/etc/x.conf").text(), "web\n", "{place}");
    }
}

#[test]
fn templates_include_extend_and_import_one_another() {
    let done = expand_files(
        &[
            ("p.yaml", BOOK),
            ("templates/x.conf.j2", "{% extends 'base.j2' %}\n{% from 'macros/m.j2' import listen %}\n{% block body %}\n{% for port in ports %}\n    {{ listen(port) }}\n{% endfor %}\n{% include 'tail.j2' %}\n{% endblock %}\n"),
            ("templates/base.j2", "# {{ host }}\n{% block body %}{% endblock %}\n"),
            ("templates/tail.j2", "tail {{ name }}\n"),
            ("templates/macros/m.j2", "{% macro listen(port) %}\nlisten {{ port }};\n{%- endmacro %}\n"),
        ],
        &TestFleet::new(),
        None,
    )
    .unwrap();
    assert_eq!(resource(&done, "/etc/x.conf").text(), "# s1\n    listen 80;\n    listen 443;\ntail web\n");
}

#[test]
fn blocks_leave_no_lines_behind_and_the_last_newline_stays() {
    let done = items(
        "vars: { on: true }",
        "    - note:\n        to: /x\n        content: |\n          a\n            {% if on %}\n          b\n            {% endif %}\n          c\n",
    )
    .unwrap();
    assert_eq!(resource(&done, "/x").text(), "a\nb\nc\n");
}

#[test]
fn values_must_fit_into_their_lines() {
    let fleet = TestFleet::new().var("s1", "bad: \"a\\nb\"\nsemi: \"22; drop\"\nback: 'x\\'");
    let at =
        |to: &str, text: &str| items_of("", &format!("    - note: {{ to: {to}, content: '{text}' }}"), &fleet, None);
    for (to, text) in [
        ("/etc/systemd/system/x.service", "Environment={{ bad }}"),
        ("/etc/systemd/system/x.service", "Environment={{ back }}"),
        ("/etc/systemd/system/x.service", "{{ bad }}"),
        ("/etc/x.nft", "dport {{ semi }}"),
        ("/etc/squid/squid.conf", "acl x {{ bad }}"),
        ("/etc/x.nft", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(semi) }}"),
        ("/etc/x.nft", "{% set c = semi %}{% for x in [c] %}{{ x }}{% endfor %}"),
        ("/etc/x.nft", "{{ [semi] | join(\" \") }}"),
    ] {
        let told = at(to, text).unwrap_err();
        assert!(told.contains("breaks out of its line"), "{to} {text}: {told}");
    }
    for (to, text) in [
        ("/etc/motd", "{{ bad }}"),
        ("/etc/x.nft", "{{ semi | raw_lines }}"),
        ("/etc/x.nft", "{% macro m(x) %}a;\n{{ x }}{% endmacro %}{{ m(1) }}"),
        ("/etc/systemd/system/x.service", "Environment={{ bad | to_json }}"),
    ] {
        assert!(at(to, text).is_ok(), "{to} {text}: {:?}", at(to, text));
    }
    let told = items_of("", "    - note: { to: /etc/motd, format: env, content: \"A={{ bad }}\" }", &fleet, None);
    assert!(told.unwrap_err().contains("an environment file"));
}

#[test]
fn a_file_takes_its_source_as_it_is() {
    let done = expand_files(
        &[
            (
                "p.yaml",
                "playbook: p\nhosts: s1\nphases:\n  installation:\n    - file: { path: /etc/x, source: x.txt }\n",
            ),
            ("files/x.txt", "{{ not a template }}\n"),
        ],
        &TestFleet::new(),
        None,
    )
    .unwrap();
    let crate::resource::Desired::Present(fields) = done.declared[0].resource().unwrap().desired() else { panic!() };
    assert_eq!(format!("{:?}", fields["content"]), r#"Wanted(Rendered("{{ not a template }}\n"))"#);
}

#[test]
fn endless_work_is_stopped() {
    for text in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 'x' * 100000000 }}",
    ] {
        assert!(items("", &format!("    - note: {{ to: /x, content: \"{text}\" }}")).is_err(), "{text}");
    }
}

#[test]
fn a_long_chain_of_variables_ends_in_a_message() {
    let vars: Vec<String> = (0..200).map(|n| format!("  v{n}: \"{{{{ v{} }}}}x\"", n + 1)).collect();
    let head = format!("vars:\n{}\n  v200: end", vars.join("\n"));
    let told = items(&head, "    - note: { to: /x, content: \"{{ v0 }}\" }").unwrap_err();
    assert!(told.contains("variables in one another, too deep"), "{told}");
}

#[test]
fn all_that_is_wrong_with_a_template_is_told_at_once() {
    let template = "é {{ one }} {{ (two) }}\n{% if name %}{{ name }}{% else %}{{ three }}{% endif %}\n{% if no is defined %}{{ no }}{% endif %}\n\
        {% set four = 1 %}{{ four }}{% macro m(five) %}{{ five }}{% endmacro %}{{ m(1) }}\n\
        {{ name | nofilter }} {{- one }} {{ secret('nope') }} {{ name }} {{ {'a': {}}.b -}} {{ facts.arch }} {{ six | default('') }}\n";
    let indented = |text: &str| text.lines().map(|line| format!("          {line}\n")).collect::<String>();
    let inline = format!("    - note:\n        to: /x\n        content: |\n{}", indented(template));
    let quoted = "    - note: { to: \"/{{ one }}/{{ two }}/{{ name }}\", content: x }".to_owned();
    let files = [("p.yaml", BOOK), ("x.conf.j2", template)];
    let fleet = || TestFleet::new().store(&[("gw/token", None)]);
    let of_file = expand_files(&files, &fleet(), None).unwrap_err();
    let head = "vars: { name: web }";
    let of_text = items_of(head, &inline, &fleet(), None).unwrap_err();
    for (told, file) in [(&of_file, "x.conf.j2"), (&of_text, "p.yaml")] {
        let all: Vec<&str> = told
            .lines()
            .filter(|line| line.starts_with(&format!("  {file}:")) && !line.contains("rendered for"))
            .collect();
        let labels: Vec<&str> = all.iter().map(|line| line.split_once(": ").unwrap().1).collect();
        assert_eq!(
            labels,
            [
                "`one` is not defined",
                "`two` is not defined",
                "filter nofilter is unknown",
                "`secret('nope')`",
                "`b` is not defined"
            ],
            "{told}"
        );
    }
    assert!(of_file.contains("x.conf.j2:1:17: `two`"), "{of_file}");
    assert!(of_text.contains("p.yaml:9:27: `two`"), "{of_text}");
    let of_quoted = items_of(head, &quoted, &fleet(), None).unwrap_err();
    assert!(of_quoted.contains("`one` is not") && of_quoted.contains("`two` is not"), "{of_quoted}");
}
