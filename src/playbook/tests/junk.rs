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
