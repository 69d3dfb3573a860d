//! Typical mistakes, and what people are told.

use super::{Files, TestFleet, expand_files, kinds};
use crate::model::Diagnostic;
use crate::playbook::load::load_on_with;

const HEAD: &str = "playbook: p\nhosts: s1\nvars: { port: 80, models: [{ name: a }], token: x }\nsecret_vars: [token]\nphases:\n  installation:\n";

// A case whose text does not begin with `playbook:` is items below HEAD.
const CASES: &[(&str, &str)] = &[
    ("a kind that does not exist", "    - fil: { path: /x }"),
    ("a keyword with a typo", "    - note: { to: /x }\n      whn: port == 80"),
    ("two kinds in an item", "    - note: { to: /x }\n      part: { name: a }"),
    ("no kind", "    - when: port == 80"),
    ("an item that is text", "    - note"),
    ("a field that does not exist", "    - file: { path: /x, mod: \"0644\" }"),
    ("an unquoted mode", "    - file: { path: /x, mode: 0644 }"),
    ("a field of the wrong type", "    - note: { to: /x, count: many }"),
    ("braces without quotes", "    - note: { to: {{ port }} }"),
    ("an undefined variable", "    - note: { to: \"/{{ prt }}\" }"),
    ("an undefined part", "    - note: { to: \"/{{ m.nam }}\" }\n      each: { m: models }"),
    ("an undefined variable in a lone expression", "    - note: { to: \"{{ prt }}\" }"),
    ("a syntax error in a template", "    - note: { to: \"/{{ port \" }"),
    ("an unknown filter", "    - note: { to: \"/{{ port | uper }}\" }"),
    ("braces in a condition", "    - note: { to: /x }\n      when: \"{{ port == 80 }}\""),
    ("a condition that is no truth value", "    - note: { to: /x }\n      when: port"),
    ("a condition with a syntax error", "    - note: { to: /x }\n      when: port = 80"),
    ("each over a number", "    - note: { to: /x }\n      each: { m: port }"),
    ("a need that does not exist", "    - note: { to: /conf }\n    - note: { to: /x }\n      needs: [\"note:/cnf\"]"),
    ("a need of an unknown kind", "    - note: { to: /x }\n      needs: [\"nte:/x\"]"),
    (
        "a need on hosts that lack it",
        "    - note: { to: /x }\n    - note: { to: /y }\n      needs: [{ note: /x, on: proxies }]",
    ),
    ("a need of itself", "    - note: { to: /x }\n      needs: [\"note:/x\"]"),
    ("a need on no host", "    - note: { to: /x }\n      needs: [{ note: /y, on: nobody }]"),
    ("an id twice", "    - note: { to: /x }\n      id: a\n    - note: { to: /y }\n      id: a"),
    (
        "a watched id that does not exist",
        "    - note: { to: /c }\n      id: conf\n    - note: { to: /x, restart_on: [cnf] }",
    ),
    ("the same key with other fields", "    - note: { to: /x, count: 1 }\n    - note: { to: /x, count: 2 }"),
    (
        "the same key with other needs",
        "    - part: { name: a }\n    - note: { to: /x }\n    - note: { to: /x }\n      needs: [\"part:a\"]",
    ),
    ("a key from facts", "    - note: { to: \"/{{ facts.arch }}\" }"),
    ("each from facts", "    - note: { to: /x }\n      each: { d: facts.interfaces }"),
    ("a fact with a typo", "    - note: { to: /x, content: \"{{ facts.os_verison }}\" }"),
    ("a fact of Ansible's", "    - note: { to: /x, content: \"{{ facts['distribution'] | default('x') }}\" }"),
    ("a fact of another host with a typo", "    - note: { to: /x, content: \"{{ hostvars.s2.facts.kernal }}\" }"),
    ("a fact that no host tells", "    - note: { to: /x }\n      when: facts.virtualization_type == 'kvm'"),
    ("a wrong fact in a template file", "    - note: { to: /x, from: fact.j2 }"),
    ("a wrong fact in a variable", "    - note: { to: /x, content: \"{{ of_fact }}\" }"),
    ("a filter behind a fact", "    - note: { to: /x, content: \"{{ facts.arch | uper }}\" }"),
    ("ansible_facts", "    - note: { to: \"/{{ ansible_facts.distribution }}\" }"),
    ("a fact under its name in Ansible", "    - note: { to: \"/{{ ansible_distribution_release }}\" }"),
    ("ansible_default_ipv4", "    - note: { to: \"/{{ ansible_default_ipv4.address }}\" }"),
    ("a fact of Ansible's that is none here", "    - note: { to: \"/{{ ansible_mounts }}\" }"),
    ("inventory_hostname_short", "    - note: { to: \"/{{ inventory_hostname_short }}\" }"),
    ("a variable of a vault", "    - note: { to: \"/{{ vault_db_password }}\" }"),
    ("item", "    - note: { to: \"/{{ item }}\" }"),
    ("a lookup", "    - note: { to: \"/{{ lookup('env', 'HOME') }}\" }"),
    ("a function with a typo", "    - note: { to: \"/{{ rnge(3) }}\" }"),
    ("a filter of Ansible's", "    - note: { to: \"/{{ port | regex_replace('a', 'b') }}\" }"),
    ("a test with a typo", "    - note: { to: /x }\n      when: port is nmber"),
    ("a test of Ansible's", "    - note: { to: /x }\n      when: \"'a' is match('b')\""),
    ("a method of Python's", "    - note: { to: \"/{{ 'a,b'.split(',') }}\" }"),
    ("a need from facts", "    - note: { to: /x }\n      needs: [\"note:{{ facts.arch }}\"]"),
    ("a missing template", "    - note: { to: /x, from: nothing.j2 }"),
    ("content twice", "    - note: { to: /x, from: a.j2, content: b }"),
    ("an undefined name in a template file", "    - note: { to: /x, from: bad.j2 }"),
    ("an undefined name in an included template", "    - note: { to: /x, from: outer.j2 }"),
    ("a missing include in a template", "    - note: { to: /x, content: \"{% include 'none.j2' %}\" }"),
    (
        "a newline in a unit",
        "    - note:\n        to: /etc/systemd/system/x.service\n        content: |\n          [Service]\n          User={{ \"a\\nb\" }}",
    ),
    ("a list that is printed", "    - note: { to: /x, content: \"{{ models }}\" }"),
    ("a null that is printed", "    - note: { to: /x, content: \"a {{ none }}\" }"),
    ("a compared secret", "    - note: { to: /x, content: \"{% if token == 'x' %}y{% endif %}\" }"),
    ("a secret in a path", "    - note: { to: \"/{{ token }}\" }"),
    ("the secret store", "    - note: { to: /x, content: \"{{ secret('a/b') }}\" }"),
    ("a control character", "    - note: { to: \"/x\\a\" }"),
    ("register", "    - note: { to: /x }\n      register: result"),
    ("an include that is missing", "    - include: nothing.yaml"),
    ("an include of itself", "    - include: loop.yaml"),
    ("an include of a playbook", "    - include: p.yaml"),
    ("variables in a circle", "    - note: { to: \"/{{ a }}\" }"),
    ("a phase with a typo", "playbook: p\nhosts: s1\nphases:\n  instalation: []\n"),
    ("a kind at the top", "playbook: p\nhosts: s1\nphases: {}\nfile: { path: /x }\n"),
    ("nothing but a name", "playbook: p\n"),
    ("hosts that match nothing", "playbook: p\nhosts: nobody\nphases: { installation: [] }\n"),
    ("a wrong batch", "playbook: p\nhosts: s1\nserial: [0, \"120%\"]\nphases: {}\n"),
    ("rotations", "playbook: p\nhosts: s1\nphases: {}\nrotations: {}\n"),
    ("variables of a resource", "    - note: { to: /x }\n      vars: { a: 1 }"),
    ("a template in a key", "    - note: { to: /x, pairs: { \"{{ port }}\": a } }"),
];

#[test]
fn mistakes_are_told_with_place_and_fix() {
    let mut all = String::new();
    for (name, text) in CASES {
        let book = if text.starts_with("playbook:") { (*text).to_owned() } else { format!("{HEAD}{text}\n") };
        let files = [
            ("p.yaml", book.as_str()),
            ("a.j2", "a"),
            ("fact.j2", "{% if port == 80 %}{{ facts.arch }}\n{{ facts.hostnam }}{% endif %}\n"),
            ("bad.j2", "first\nsecond {{ port + prt }}\n"),
            ("outer.j2", "{% include 'bad.j2' %}\n"),
            ("loop.yaml", "- include: loop2.yaml\n"),
            ("loop2.yaml", "- include: loop.yaml\n"),
        ];
        let fleet =
            TestFleet::new().var("s1", "a: \"{{ b }}\"\nb: \"{{ c }}\"\nc: \"{{ a }}\"\nof_fact: \"{{ facts.cpu }}\"");
        let facts = if name.contains("key from facts") { Some("arch: x86_64") } else { None };
        let told = expand_files(&files, &fleet, facts).expect_err(name);
        all.push_str(&format!("# {name}\n{told}\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn faults_of_all_items_and_hosts_are_collected_once_with_the_hosts_that_have_them() {
    let text = "playbook: p\nhosts: all\nphases:\n  installation:\n    - note: { to: \"{{ x }}\" }\n    - note: { to: \"{{ y }}\" }\n";
    let files = Files::new(&[("p.yaml", text)]);
    let fleet = TestFleet::new().var("p1", "y: /y");
    let told = load_on_with(&files.paths(), kinds::all(), &fleet).unwrap().expand(&fleet, &|_| None).unwrap_err();
    let hosts = |told: &Diagnostic| {
        let first = told.subject.iter().map(|(host, _)| host.to_string());
        first.chain(told.others.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told.iter().map(hosts).collect::<Vec<_>>(), ["s1 s2 p1 p2", "s1 s2 p2"]);
}

#[test]
fn all_that_is_wrong_with_an_item_is_told_at_once() {
    let all = |item: &str| {
        let files = Files::new(&[("p.yaml", &format!("{HEAD}{item}\n"))]);
        let fleet = TestFleet::new();
        let told = match load_on_with(&files.paths(), kinds::all(), &fleet) {
            Ok(site) => site.expand(&fleet, &|_| None).map(|_| ()).unwrap_err(),
            Err(told) => told,
        };
        let mut labels: Vec<String> = told.into_iter().map(|told| told.place.unwrap().1).collect();
        labels.sort();
        labels
    };
    // An unknown keyword beside the kind, and two wrong fields and an unknown one in it.
    assert_eq!(
        all("    - note: { to: /x, count: many, active: 1, cont: y }\n      whn: x"),
        [
            "`cont` is not known here",
            "`whn` is neither a kind nor a keyword",
            "expected a whole number, found the text \"many\"",
            "expected true or false, found the number 1",
        ]
    );
    // A wrong value of the field that must be there hides nothing, and is not missing as well.
    assert_eq!(
        all("    - file: { path: x, mode: [1], ower: root, content: y }"),
        ["`ower` is not known here", "expected text, found a list", "path"]
    );
    // A name that is meant by a wrong one is not missing.
    assert_eq!(all("    - file: { pth: /x, content: y }"), ["`pth` is not known here"]);
    assert_eq!(all("    - file: { content: y, bogus: 1 }"), ["`bogus` is not known here", "`path` must be given"]);
    // Beside a value that cannot be rendered, and one that waits for facts.
    assert_eq!(
        all("    - file: { path: /x, content: \"{{ nobody }}\", ower: root }"),
        ["`nobody` is not defined", "`ower` is not known here"]
    );
    assert_eq!(
        all("    - file: { path: /x, content: \"{{ facts.arch }}\", ower: root }"),
        ["`ower` is not known here"]
    );
    // Where all values stand at one place, nobody can tell which of them is wrong.
    assert_eq!(all("    - note: \"{{ {'to': '/x', 'cont': 'y', 'whn': 'z'} }}\""), ["`cont` is not known here"]);
    // Beside a condition or a loop that is wrong.
    assert_eq!(
        all("    - note: { to: /x, cont: y }\n      when: prt == 80"),
        ["`cont` is not known here", "`prt` is not defined"]
    );
    assert_eq!(
        all("    - note: { to: \"/{{ m }}\", cont: y }\n      each: { m: prt }"),
        ["`cont` is not known here", "`prt` is not defined"]
    );
    // What follows from a name that could not be bound is not told again.
    assert_eq!(
        all("    - note: { to: \"/{{ m }}\", count: many }\n      each: { \"m-n\": [1] }"),
        ["expected a whole number, found the text \"many\"", "it is bound to each value in turn"]
    );
}

#[test]
fn no_fault_stands_in_what_a_kind_lent() {
    let fleet = TestFleet::new();
    for kind in crate::kinds::KINDS {
        let book = format!("{HEAD}    - {}: {{ zzz: 1 }}\n", kind.name);
        let files = Files::new(&[("p.yaml", &book)]);
        let told = load_on_with(&files.paths(), crate::kinds::KINDS, &fleet)
            .and_then(|site| site.expand(&fleet, &|_| None).map(|_| ()))
            .expect_err(kind.name);
        assert!(told.iter().any(|told| told.summary == "an unknown key"), "{}: {told:?}", kind.name);
        for told in told {
            let (place, _) = told.place.clone().unwrap_or_else(|| panic!("{}: {told:?}", kind.name));
            assert!(place.path().ends_with("p.yaml"), "{}: {told:?}", kind.name);
        }
    }
    let told =
        expand_files(&[("p.yaml", &format!("{HEAD}    - file: {{ mod: x, to: 1 }}\n"))], &fleet, None).unwrap_err();
    assert!(told.contains("`mod` is not known here") && !told.contains("file:1:"), "{told}");
}
