//! A pattern that is no flag is not called one.

use crate::desk::Desk;

#[test]
fn a_pattern_that_selects_nothing_is_told_as_what_it_is() {
    let desk = Desk::new();
    desk.write("hosts.yml", "all: { hosts: { web1: { ansible_user: ops } } }\n");
    for verb in [&["exec", "web2", "--", "true"][..], &["trust", "web2"], &["bootstrap", "web2"]] {
        let mut words = vec![verb[0], "-i", "hosts.yml"];
        words.extend(&verb[1..]);
        let said = desk.run("", &words);
        assert!(said.code != 0 && said.err.contains("PATTERN:1:1"), "{}", said.all());
        assert!(!said.err.contains("--limit"), "{}", said.all());
    }
}
