//! `secret("…")` in templates: marked like a secret variable, and a resource whose secret is locked waits, whatever is
//! known of the rest.

use super::{TestFleet, items_of, lines, resource};
use crate::playbook::Expansion;
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
