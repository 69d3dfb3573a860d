//! Secrets: they reach the field marked, whole, and nothing else can be done with them.

use super::{TestFleet, items, items_of, resource};
use crate::playbook::Expansion;

const CANARY: &str = "hunter2-CANARY";

fn head() -> String {
    format!(
        "vars: {{ token: \"{CANARY}\", db: {{ user: bob, password: \"pw-{CANARY}\" }}, mixed: \"Bearer {{{{ token }}}}\", list: [a] }}\nsecret_vars: [token, db]"
    )
}

fn content(template: &str) -> Result<Expansion, String> {
    let item = format!(
        "    - note:\n        to: /x\n        content: |-\n          {}",
        template.replace('\n', "\n          ")
    );
    let done = items(&head(), &item);
    // Whatever happens, the content of a secret is in no message and no debug form.
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
    done
}

// The masked form is as given, and what is sent holds the very text.
fn renders(template: &str, shown: &str, sent: &str) {
    let done = content(template).unwrap();
    let text = resource(&done, "/x").content.clone().unwrap();
    assert_eq!(text.masked(), shown);
    assert!(text.is(sent.as_bytes()), "{template} is not {sent}");
}

#[test]
fn a_secret_keeps_its_mark_through_templates_and_variables() {
    renders(
        "user={{ db.user }}\ntoken={{ token }} # x\n{{ mixed }}\nplain {{ list[0] }}",
        "user=(secret db.user)\ntoken=(secret token) # x\nBearer (secret token)\nplain a",
        &format!("user=bob\ntoken={CANARY} # x\nBearer {CANARY}\nplain a"),
    );
}

#[test]
fn a_name_that_is_called_secret_is_one_wherever_its_value_stands() {
    let item = "    - note: { to: \"/x\", content: \"{{ tok }}\" }\n      each: { tok: [hunter2-CANARY] }";
    let done = items("secret_vars: [tok]", item).unwrap();
    assert!(done.warnings.is_empty(), "{:?}", done.warnings);
    assert_eq!(resource(&done, "/x").content.clone().unwrap().masked(), "(secret tok)");
    assert!(!format!("{done:?}").contains(CANARY));
}

#[test]
fn listed_filters_give_new_secrets() {
    let base = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CANARY);
    renders("{{ token | b64encode }}", "(secret token)", &base);
    renders("{{ mixed | quote }}", "(secret token)", &format!("'Bearer {CANARY}'"));
    renders("{{ mixed | to_json }}", "\"Bearer (secret token)\"", &format!("\"Bearer {CANARY}\""));
    renders("{{ mixed | urlencode }}", "(secret token)", &format!("Bearer%20{CANARY}"));
    renders("{{ token | default('x') }}", "(secret token)", CANARY);
    renders(
        "{{ {'a': [token, 1, true]} | tojson }}",
        "{\"a\": [\"(secret token)\", 1, true]}",
        &format!("{{\"a\": [\"{CANARY}\", 1, true]}}"),
    );
}

#[test]
fn macros_blocks_loops_and_sets_keep_the_mark() {
    renders(
        "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(token) }}{% set c %}[{{ token }}]{% endset %}{{ c }}\
         {% for x in [token] %}{{ x }}{% endfor %}{% set s = token %}{{ s }}{{ c | quote }}",
        "<(secret token)>[(secret token)](secret token)(secret token)(secret token)",
        &format!("<{CANARY}>[{CANARY}]{CANARY}{CANARY}'[{CANARY}]'"),
    );
}

#[test]
fn every_other_use_is_refused_with_its_place() {
    let mut wrong = Vec::new();
    for (template, column) in [
        ("{{ token == 'x' }}", 4),
        ("{{ token ~ 'x' }}", 4),
        ("{{ 'x' ~ token }}", 4),
        ("{{ token + 'x' }}", 4),
        ("{{ token[0:3] }}", 4),
        ("{{ token[0] }}", 4),
        ("{{ token.x }}", 4),
        ("{{ token | upper }}", 12),
        ("{{ token | length }}", 12),
        ("{{ token | replace('a', 'b') }}", 12),
        ("{{ [token] | join(',') }}", 4),
        ("{{ [token, db.password] | sort | first }}", 4),
        ("{{ [token, db.password] | unique | list | length }}", 4),
        ("{{ 'x' in token }}", 4),
        ("{{ token in ['x'] }}", 4),
        ("{{ 'x' if token else 'y' }}", 11),
        ("{{ token or 'x' }}", 4),
        ("{{ not token }}", 8),
        ("{{ token is startingwith('h') }}", 13),
        ("{{ token.upper() }}", 4),
        ("{{ '%s' | format(token) }}", 18),
        ("{{ 'a' | replace('a', token) }}", 23),
        ("{% if token %}x{% endif %}", 7),
        ("{% if token == 'x' %}x{% endif %}", 7),
        ("{% if db.password == 'x' %}x{% endif %}", 7),
        ("{% set a = token %}{% if a == 'x' %}x{% endif %}", 26),
        ("{% for a in [token] if a == 'x' %}{% endfor %}", 24),
        ("{% macro m(x) %}{{ x }}{% endmacro %}{{ m(token)[0:9] }}", 0),
        ("{% for a in token %}{% endfor %}", 13),
        ("{% set a = token | string %}{{ a }}", 20),
        ("{% set a = mixed | upper %}", 20),
        ("{{ token | b64encode | upper }}", 24),
        ("{{ [token] }}", 4),
        ("{% set c %}{{ token }}{% endset %}{{ c[5:10] }}", 38),
        ("{% set c %}{{ token }}{% endset %}{{ c | upper }}", 42),
    ] {
        let Err(told) = content(template) else { panic!("{template} was rendered") };
        assert!(told.contains("secret") || told.contains("list"), "{template}: {told}");
        if column > 0 {
            let at = format!("p.yaml:10:{}:", column + 10);
            if !told.contains(&at) {
                wrong.push(format!("{template}: not at {at} {told}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn conditions_and_names_take_no_secrets() {
    for (item, what) in [
        ("    - note: { to: /x }\n      when: token", "neither true nor false"),
        ("    - note: { to: /x }\n      when: token == \"x\"", "may only be printed"),
        ("    - note: { to: \"/{{ token }}\" }", "a secret may not stand here"),
        ("    - note: { to: /x, count: \"{{ token }}\" }", "a secret may not stand here"),
        ("    - note: { to: \"/{{ m }}\" }\n      each: { m: [\"{{ token }}\"] }", "a secret may not stand here"),
    ] {
        let told = items(&head(), item).unwrap_err();
        assert!(told.contains(what) && !told.contains(CANARY), "{item}: {told}");
    }
}

#[test]
fn a_tagged_secret_of_the_inventory_is_known_by_its_variable() {
    let fleet = TestFleet::new().var("s1", "api: { key: !secret k1 }");
    let done = items_of("", "    - note: { to: /x, content: \"{{ api.key }}!\" }", &fleet, None).unwrap();
    assert_eq!(resource(&done, "/x").text(), "(secret api.key)!");
}

#[test]
fn the_line_check_holds_for_secrets_and_does_not_show_them() {
    let head = "vars: { token: \"a\\nExecStart=/bin/CANARY\" }\nsecret_vars: [token]";
    let told =
        items(head, "    - note: { to: /etc/systemd/system/x.service, content: \"Description={{ token }}\\n\" }");
    let told = told.unwrap_err();
    assert!(told.contains("it holds a newline") && !told.contains("CANARY"), "{told}");
}

#[test]
fn two_declarations_that_differ_in_a_secret_are_told_without_it() {
    let told = items(
        &head(),
        "    - note: { to: /x, content: \"{{ token }}\" }\n    - note: { to: /x, content: \"{{ db.password }}\" }",
    )
    .unwrap_err();
    assert!(told.contains("they differ in content") && !told.contains(CANARY), "{told}");
}

#[test]
fn a_secret_variable_that_nobody_defines_is_a_warning() {
    let done = items("secret_vars: [tokn]", "    - note: { to: /x }").unwrap();
    assert_eq!(done.warnings[0].summary, "a secret variable that nobody defines");
}
