//! Junk never panics.

use proptest::prelude::*;

use super::{TestFleet, expand_files, items_of};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bytes_as_a_playbook(text in "(\\PC|[\n\t {}\\[\\]:,\"'|&*-]){0,200}") {
        let _ = expand_files(&[("p.yaml", &text)], &TestFleet::new(), None);
    }

    #[test]
    fn words_as_items(words in proptest::collection::vec(
        prop_oneof![
            Just("note:"), Just("when:"), Just("each:"), Just("needs:"), Just("id:"), Just("include:"), Just("p.yaml"),
            Just("{ to: /x }"), Just("[a, b]"), Just("\n    - "), Just("\n      "), Just("\"{{ x }}\""), Just("x"), Just("1")
        ], 0..24))
    {
        let _ = items_of("vars: { x: 1 }", &format!("    - {}", words.join(" ")), &TestFleet::new(), None);
    }

    #[test]
    fn text_as_a_template(text in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-z|.()\\[\\]'~=+* -]|token|if|for|endif|set|in|b64encode){0,40}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let head = "vars: { a: 1, token: CANARY-1 }\nsecret_vars: [token]";
        let done = items_of(head, &format!("    - note: {{ to: /x, content: {quoted} }}"), &TestFleet::new(), None);
        let shown = format!("{done:?}").replace("token: CANARY-1 }", "");
        prop_assert!(!shown.contains("CANARY"), "{}", shown);
    }

    #[test]
    fn text_as_a_condition(text in "[a-z(){}\\[\\].|=<>'\" 0-9~-]{0,40}") {
        let quoted = serde_json::to_string(&text).unwrap();
        let item = format!("    - note: {{ to: /x }}\n      when: {quoted}\n      each: {{ m: {quoted} }}");
        let _ = items_of("vars: { a: [1] }", &item, &TestFleet::new(), None);
    }
}

#[test]
fn deep_and_long_expressions_end_in_a_message_or_a_value() {
    for text in [
        format!("{{{{ {}1 }}}}", "1+".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000)),
        format!("{{{{ 1{} }}}}", "|string".repeat(50_000)),
        format!("{{{{ a{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " if 1 else 2".repeat(50_000)),
        format!("{{{{ 1{} }}}}", " if 1 else (2".repeat(50_000)),
        "{% if 1 %}".repeat(50_000),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(50_000)),
        "{% for x in [1] %}".repeat(50_000),
    ] {
        let quoted = serde_json::to_string(&text).unwrap();
        let head = "vars: { a: 1, token: CANARY-1 }\nsecret_vars: [token]";
        let _ = items_of(head, &format!("    - note: {{ to: /x, content: {quoted} }}"), &TestFleet::new(), None);
    }
}

#[test]
fn the_stack_holds_what_the_bounds_allow() {
    let vars: Vec<String> = (0..22).map(|n| format!("  v{n}: \"{{{{ {}v{} }}}}\"", "1 + ".repeat(16), n + 1)).collect();
    let head = format!("vars:\n{}\n  v22: 1\n  token: x\nsecret_vars: [token]", vars.join("\n"));
    let long = format!("{{{{ {}1 }}}}", "1 + ".repeat(398));
    let item =
        format!("    - note: {{ to: /x, count: \"{{{{ v0 }}}}\" }}\n    - note: {{ to: /y, content: \"{long}\" }}");
    let done = items_of(&head, &item, &TestFleet::new(), None).unwrap();
    assert_eq!(super::resource(&done, "/x").count, Some(353));
}
