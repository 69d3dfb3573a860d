//! `secret("…")` in templates: marked like a secret variable, and a resource whose secret is locked waits, whatever is
//! known of the rest.

use super::kinds::Note;
use super::{TestFleet, items_of, lines, resource};
use crate::playbook::{Body, Declared, Expansion};
use crate::resource::Resource;

const CANARY: &str = "hunter2-CANARY";
const STORE: &[(&str, Option<&str>)] = &[("gw/token", Some(CANARY)), ("db/password", None), ("db/user", None)];

fn expand(item: &str) -> Result<Expansion, String> {
    let fleet = TestFleet::new().store(STORE).var("s1", "token: \"{{ secret('gw/token') }}\"");
    let done = items_of("", item, &fleet, None);
    assert!(!format!("{done:?}").contains(CANARY), "{done:?}");
    done
}

fn content(template: &str) -> Result<Expansion, String> {
    expand(&format!("    - note:\n        to: /x\n        content: |-\n          {template}"))
}

#[test]
fn a_secret_of_the_store_is_marked_by_its_name() {
    for (template, shown, sent) in [
        ("a={{ secret('gw/token') }}", "a=(secret gw/token)", format!("a={CANARY}")),
        // Through a variable of the inventory, it has the name that it has in the store.
        ("{{ token | quote }}", "(secret gw/token)", CANARY.to_owned()),
        ("{% set t = secret('gw/' ~ 'token') %}{{ t }}", "(secret gw/token)", CANARY.to_owned()),
    ] {
        let done = content(template).unwrap_or_else(|told| panic!("{template}: {told}"));
        let text = resource(&done, "/x").content.clone().unwrap();
        assert_eq!(text.masked(), shown);
        assert!(text.is(sent.as_bytes()), "{template} is not {sent}");
    }
}

#[test]
fn nothing_but_printing_is_done_with_it() {
    for template in [
        "{{ secret('gw/token') == 'x' }}",
        "{{ 'y' if secret('gw/token') == 'x' else 'n' }}",
        "{% if secret('gw/token') == 'x' %}y{% endif %}",
        "{{ secret('gw/token')[:3] }}",
        "{{ secret('gw/token') | upper }}",
        "{% set s = secret %}{{ s('gw/token') == 'x' }}",
        "{{ {'a': secret}.a('gw/token') == 'x' }}",
        "{{ [secret][0]('gw/token') == 'x' }}",
        "{{ (secret if true else 1)('gw/token') == 'x' }}",
        "{{ token == 'x' }}",
        "{{ secret('db/password') == 'x' }}",
    ] {
        let Err(told) = content(template) else { panic!("{template} was rendered") };
        assert!(told.contains("a secret may only be printed"), "{template}: {told}");
    }
}

#[test]
fn what_is_not_in_the_store_is_told_without_any_key() {
    for (template, words) in [
        ("{{ secret('gw/tokn') }}", ["the store has no `gw/tokn`", "did you mean `gw/token`?"]),
        ("{{ secret('entirely/other') }}", ["an unknown secret", "rempart secrets set entirely/other"]),
        ("{{ secret('other') }}", ["the store has no `other`", "is FILE/NAME, such as `gw/token`"]),
        ("{{ secret(gw) }}", ["secret() takes one name", "without quotes it is the name of a variable"]),
        ("{{ secret() }}", ["secret() takes one name", "between quotes"]),
        ("{{ secret('gw/token', 'x') }}", ["secret() takes one name", "between quotes"]),
        ("{{ secret(name='gw/token') }}", ["secret() takes one name", "between quotes"]),
        ("{{ secret(7) }}", ["secret() takes one name", "between quotes"]),
    ] {
        let Err(told) = content(template) else { panic!("{template} was rendered") };
        for word in words {
            assert!(told.contains(word), "{template}: {told}");
        }
    }
}

#[test]
fn a_resource_whose_secret_is_locked_waits_and_the_others_do_not() {
    let done = expand(
        "    - note: { to: /open, content: \"{{ secret('gw/token') }}\" }\n\
         \x20   - note: { to: /locked, content: \"{{ secret('db/user') }}:{{ secret('gw/token') }}\" }\n\
         \x20   - note: { to: /after, content: x }\n      needs: [{ note: /locked }]\n",
    )
    .unwrap();
    let all = lines(&done);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(done.needs_facts.is_empty(), "no fact would help: {:?}", done.needs_facts);
    let locked: Vec<Vec<(String, String)>> =
        done.declared.iter().map(|one| one.locked().map(|(name, why)| (name.clone(), why.clone())).collect()).collect();
    assert_eq!(locked, [vec![], vec![("db/user".to_owned(), "no identity opens it".to_owned())], vec![]]);
    // What it is stays known, so that what needs it finds it.
    assert_eq!(done.declared[1].id().unwrap().to_string(), "note:/locked");
    assert!(done.declared[1].resource().is_none());
    assert_eq!(done.declared[2].needs.len(), 1);
    assert_eq!(done.declared[0].resource().map(Resource::id).unwrap().to_string(), "note:/open");
}

#[test]
fn a_locked_secret_hides_no_fault_but_its_own() {
    for (fields, words) in [
        ("path: /x, content: \"{{ secret('db/user') }}\", typo: 1", "`typo` is not known here"),
        ("content: \"{{ secret('db/user') }}\"", "`path` must be given"),
        ("path: /x, content: \"{{ secret('db/user') }}\", mode: [1]", "expected text, found a list"),
        ("path: x, content: \"{{ secret('db/user') }}\"", "p.yaml:6:21"),
        ("path: \"/{{ secret('db/user') }}\", content: x", "a secret may not stand here"),
        ("path: /x, content: x, mode: \"{{ secret('db/user') }}\"", "a secret may not stand here"),
        ("path: /x, content: \"{{ secret('db/user') }}{{ facts.arch }}\", typo: 1", "`typo` is not known here"),
    ] {
        let Err(told) = expand(&format!("    - file: {{ {fields} }}\n")) else { panic!("{fields} is no fault") };
        assert!(told.contains(words), "{fields}: {told}");
        let open = expand(&format!("    - file: {{ {} }}\n", fields.replace("db/user", "gw/token"))).unwrap_err();
        assert_eq!(
            told.lines().filter(|line| !line.contains("secret(")).count(),
            open.lines().filter(|line| !line.contains("secret(")).count(),
            "{told}\n{open}"
        );
    }
    let done = expand("    - file: { path: /x, content: \"{{ secret('db/user') }}\", mode: \"0600\" }\n").unwrap();
    assert!(done.declared[0].is_pending());
}

fn standing(declared: &Declared) -> Option<&dyn Resource> {
    match &declared.body {
        Body::Pending { standing, .. } => standing.as_deref(),
        Body::Ready(_) => None,
    }
}

#[test]
fn what_watches_a_locked_resource_watches_its_paths() {
    let conf = "    - note: { to: /conf, content: \"{{ secret('db/user') }}\" }\n      id: conf\n";
    let unit = "    - note: { to: /unit, restart_on: [conf, \"note:/conf\"] }\n";
    let paths = r#"[[Path("/conf")], [Path("/conf")]]"#;
    for items in [format!("{conf}{unit}"), format!("{unit}{conf}")] {
        let done = expand(&items).unwrap();
        assert_eq!(format!("{:?}", resource(&done, "/unit").watched), paths);
    }
    // So does one that is locked itself, since it may be looked at.
    let done = expand(&format!("{conf}{}", unit.replace("to:", "content: \"{{ secret('db/user') }}\", to:"))).unwrap();
    let unit = standing(&done.declared[1]).unwrap().as_any().downcast_ref::<Note>().unwrap();
    assert_eq!(format!("{:?}", unit.watched), paths);
}

#[test]
fn what_watches_something_of_which_too_little_is_known_is_not_known() {
    let facts_and_secret = "content: \"{{ secret('db/user') }}\", count: \"{{ facts.cpus }}\", to: /conf";
    for (conf, locked) in [
        (facts_and_secret, vec!["db/user"]),
        ("content: \"{{ facts.arch }}\", to: /conf", vec![]),
        ("to: \"/{{ facts.arch }}\"", vec![]),
        ("to: \"/{{ facts.arch }}\", content: \"{{ secret('db/user') }}\"", vec!["db/user"]),
    ] {
        let conf = format!("    - note: {{ {conf} }}\n      id: conf\n");
        let done = expand(&format!("{conf}    - note: {{ to: /unit, restart_on: [conf] }}\n")).unwrap();
        let unit = &done.declared[1];
        assert_eq!(lines(&done)[1], "s1 note:/unit (waits)", "{conf}");
        assert_eq!(unit.waits_for().map(|host| host.as_str()).collect::<Vec<_>>(), ["s1"], "{conf}");
        assert_eq!(unit.locked().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), locked, "{conf}");
        assert!(unit.locked().all(|(_, why)| why == "no identity opens it; this watches what holds it"));
        assert!(standing(unit).is_none());
    }
    // One of several that share an id.
    let done = expand(
        "    - note: { to: /a }\n      id: conf\n      when: facts.arch is defined or true\n\
         \x20   - note: { to: \"/{{ n }}{{ facts.arch if n == 'c' else '' }}\" }\n      id: more\n      each: { n: [b, c] }\n\
         \x20   - note: { to: /unit, restart_on: [more] }\n",
    )
    .unwrap();
    assert!(done.declared.last().unwrap().is_pending(), "{:?}", lines(&done));
}

#[test]
fn a_locked_resource_is_not_declared_twice_differently_either() {
    let locked = "    - note: { to: /x, content: \"{{ secret('db/user') }}\" }\n";
    for other in [
        "    - note: { to: /x, content: plain }\n",
        "    - note: { to: /x, content: locked }\n",
        "    - note: { to: /x }\n",
        "    - note: { to: /x, content: \"{{ secret('db/password') }}\" }\n",
        "    - note: { to: /x, content: \"{{ secret('db/user') }}!\" }\n",
        "    - note: { to: /x, content: \"{{ secret('db/user') }}\", count: 1 }\n",
        "    - note: { to: /x, content: \"{{ secret('gw/token') }}\" }\n",
    ] {
        for items in [format!("{locked}{other}"), format!("{other}{locked}")] {
            let Err(told) = expand(&items) else { panic!("{items} is no fault") };
            assert!(told.contains("a resource is declared twice, differently"), "{items}: {told}");
        }
    }
    let done = expand(&format!("{locked}{locked}")).unwrap();
    assert_eq!(lines(&done), ["s1 note:/x (waits)"]);
    assert!(standing(&done.declared[0]).is_some());
}

#[test]
fn of_two_that_cannot_be_compared_the_plain_one_is_not_applied() {
    let plain = "    - note: { to: /x, content: plain }\n";
    let locked = "    - note: { to: /x, content: \"{{ secret('db/user') }}\" }\n";
    let waits = "    - note: { to: /x, content: \"{{ secret('db/user') }}\", count: \"{{ facts.cpus }}\" }\n";
    for items in
        [[plain, waits], [waits, plain], [locked, waits], [waits, locked]].map(|two| format!("{}{}", two[0], two[1]))
    {
        let done = expand(&items).unwrap();
        assert_eq!(lines(&done), ["s1 note:/x (waits)"], "{items}");
        assert!(standing(&done.declared[0]).is_none(), "{items}");
        assert_eq!(done.declared[0].locked().count(), 1, "{items}");
        assert_eq!(done.declared[0].waits_for().count(), 1, "{items}");
    }
}

#[test]
fn a_locked_whole_is_not_looked_at_without_its_parts() {
    let done = expand("    - whole: { content: \"{{ secret('db/user') }}\" }\n    - part: { name: a }\n").unwrap();
    assert_eq!(lines(&done), ["s1 whole:it (waits)", "s1 part:a"]);
    assert!(standing(&done.declared[0]).is_none());
}

#[test]
fn what_is_locked_is_judged_as_text_only_where_each_field_of_it_is_compared_as_text() {
    for (fields, expected) in [
        ("content: \"{{ secret('db/user') }}\"", true),
        ("content: \"{{ secret('db/user') }}{{ secret('db/password') }}\"", true),
        ("content: \"{{ secret('db/user') }}\", aside: \"{{ secret('gw/token') }}\"", true),
        ("aside: \"{{ secret('db/user') }}\"", false),
        // The same secret twice, or by the way of another one: the names alone would all be found.
        ("content: \"{{ secret('db/user') }}\", aside: \"{{ secret('db/user') }}\"", false),
        ("content: \"{{ secret('db/user') }}\", aside: \"{{ secret('db/user') }}{{ secret('db/password') }}\"", false),
    ] {
        let done = expand(&format!("    - note: {{ to: /x, {fields} }}\n")).unwrap();
        let Body::Pending { as_text, standing: Some(_), .. } = &done.declared[0].body else { panic!("{fields}") };
        assert_eq!(*as_text, expected, "{fields}");
    }
}
