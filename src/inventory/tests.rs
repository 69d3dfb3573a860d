mod shapes;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::Severity;
use crate::transport::{Become, Target};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inventory").join(name)
}

fn written(text: &str) -> Result<Inventory, Vec<Diagnostic>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.yml");
    fs::write(&path, text).unwrap();
    load(&[path])
}

// `LINE:COLUMN: summary: label; fix`, one line for each.
fn told(diagnostics: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| {
        let (place, label) = d.place.clone().unwrap();
        let fix = d.fix.clone().unwrap_or_default();
        format!("{}:{}: {}: {label}; {fix}", place.line(), place.column(), d.summary)
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults(text: &str) -> String {
    told(&written(text).unwrap_err())
}

fn value(inventory: &Inventory, host: &str, name: &str) -> String {
    inventory.host(host).unwrap().vars[name].node.to_json().to_string()
}

fn reach(text: &str) -> (Result<Target, Vec<Diagnostic>>, Vec<Diagnostic>) {
    let inventory = written(text).unwrap();
    let host = &inventory.hosts()[0];
    let mut warnings = Vec::new();
    let target = target(host, &raw(host), &Overrides::default(), &mut warnings);
    (target, warnings)
}

#[test]
fn merges_as_ansible_does() {
    let inventory = load(&[fixture("merge/hosts.yml")]).unwrap();
    // These values were compared with those that ansible-inventory 2.19 prints for the same files.
    for (host, name, expected) in [
        ("web01", "a", "\"gv_all\""),
        ("web01", "e", "\"gv_all\""), // group_vars/all beats a group's vars in the inventory file
        ("web01", "c", "\"db\""),     // one depth: the priority decides
        ("web01", "d", "\"gv_db\""),
        ("web02", "d", "\"gv_web_20\""), // files of a folder in the order of names
        ("web01", "rng", "99"),
        ("web02", "c", "\"web\""),
        ("web02", "z", "\"dc\""),
        ("web03", "c", "\"deep3\""),
        ("lone1", "b", "\"hv\""),
        ("db1", "dict", "{\"b\":2}"),
        ("solo", "octal", "420"),
        ("ra", "ansible_port", "2222"),
    ] {
        assert_eq!(value(&inventory, host, name), expected, "{host} {name}");
    }
    let ungrouped = inventory.group("ungrouped").unwrap();
    let names: Vec<&str> = ungrouped.hosts.iter().map(HostName::as_str).collect();
    assert_eq!(names, ["ug1", "lone1"]);
    assert_eq!(inventory.host("web01").unwrap().groups, ["all", "app", "dc", "web", "db"]);
}

#[test]
fn every_value_knows_where_it_stands_and_what_it_won_over() {
    let inventory = load(&[fixture("merge/hosts.yml")]).unwrap();
    let var = &inventory.host("web01").unwrap().vars["rng"];
    assert!(var.node.place.to_string().ends_with("host_vars/web01.yaml:1:6"), "{:?}", var.node.place);
    assert_eq!(var.level, Level::Host { file: true });
    let lost: Vec<String> = var.shadowed.iter().map(|(place, who)| format!("{}: {who}", place.line())).collect();
    assert_eq!(lost, ["20: the host", "12: the host"]);
    let var = &inventory.host("web02").unwrap().vars["e"];
    assert_eq!(var.level.to_string(), "group_vars of all");
    assert_eq!(var.shadowed.iter().map(|(_, who)| who.as_str()).collect::<Vec<_>>(), ["group web", "group all"]);
}

#[test]
fn siblings_that_disagree_are_recorded_unless_a_priority_decides() {
    let text = "a: {vars: {x: 1, y: 1, z: 1}, hosts: {h: {z: 3}}}\nb: {vars: {x: 2, y: 1, z: 2}, hosts: {h: }}\n";
    let inventory = written(text).unwrap();
    let vars = &inventory.host("h").unwrap().vars;
    let conflict = vars["x"].conflict.as_ref().unwrap();
    assert_eq!((conflict.group.as_str(), conflict.others[0].1.as_str()), ("b", "a"));
    assert!(vars["y"].conflict.is_none(), "they agree");
    assert!(vars["z"].conflict.is_none(), "the host decides");
    let decided = text.replace("vars: {x: 1,", "vars: {ansible_group_priority: 2, x: 1,");
    let inventory = written(&decided).unwrap();
    let var = &inventory.host("h").unwrap().vars["x"];
    assert!(var.conflict.is_none());
    assert_eq!(var.node.to_json(), 1);
}

#[test]
fn a_folder_is_read_in_the_order_of_names() {
    let inventory = load(&[fixture("folder")]).unwrap();
    let names: Vec<&str> = inventory.hosts().iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "from_sub"]);
    assert_eq!(value(&inventory, "web1", "color"), "\"red\"");
    assert_eq!(value(&inventory, "web2", "size"), "3");
}

#[test]
fn set_vars_win_over_everything() {
    let mut inventory = load(&[fixture("merge/hosts.yml")]).unwrap();
    inventory.with_set_vars("rng", "[1, 2]").unwrap();
    let var = &inventory.host("web01").unwrap().vars["rng"];
    assert_eq!((var.node.to_json().to_string(), var.node.place.to_string()), ("[1,2]".into(), "--set".into()));
    assert_eq!(var.shadowed.len(), 3);
}

#[test]
fn typical_mistakes_get_their_exact_fix() {
    for (text, expected) in [
        (
            "all:\n  hosts:\n    - web1\n    - web2\n",
            "3:7: `hosts` must be a map: `hosts` is a list; write each without a dash and with a colon: `web1:` `web2:`",
        ),
        (
            "all:\n  hosts:\n    web1\n    web2\n",
            "3:5: hosts without colons: YAML reads this as one text; write a colon after each, one on a line: `web1:` `web2:`",
        ),
        (
            "all:\n  hots:\n    web1:\n",
            "2:3: an unknown key in a group: `hots` is not known here; did you mean `hosts`?",
        ),
        (
            "all:\n  hosts:\n  web1:\n",
            "3:3: an unknown key in a group: `web1` is not known here; indent `web1:` deeper than `hosts:`",
        ),
        (
            "all:\nhosts:\n  web1:\n",
            "2:1: a section without a group: `hosts` stands at the top, where groups stand; \
             indent `hosts:` and what follows under a group, such as `all:`",
        ),
        (
            "all:\n  children:\n    web1:\n      ansible_host: 192.0.2.1\n",
            "4:7: an unknown key in a group: `ansible_host` is not known here; put `web1:` under `hosts:`; \
             or, if it is a group, put `ansible_host` under its `vars:`",
        ),
        (
            "all:\n  vars:\n    - a: 1\n",
            "3:5: `vars` must be a map: `vars` is a list; write each variable as a key, without a dash: `name: value`",
        ),
        (
            "all:\n  hosts:\n    web1: 192.0.2.1\n",
            "3:11: a host's variables must be a map: `web1` is text; write `web1:` alone, and its variables indented \
             under it, such as `ansible_host: ...`",
        ),
        (
            "- web1\n",
            "1:3: an inventory must be a map of groups: this is a list; write the groups as keys, without dashes: \
             all: { hosts: { web1: } }",
        ),
    ] {
        assert_eq!(faults(text), expected, "{text}");
    }
    assert!(faults("all:\n\thosts:\n").contains("indent with spaces"), "{}", faults("all:\n\thosts:\n"));
    assert!(faults("all:\n  hosts:\n    web1\n    web2:\n").contains("colon after a name: `web1:`"));
}

#[test]
fn all_faults_of_a_file_are_told_together() {
    let all = faults("all: {hots: {}}\nweb: {hosts: {'a b': , '-oX': , 'a[5:1]': }}\nweb2: 7\n");
    assert_eq!(all.lines().count(), 5, "{all}");
}

#[test]
fn a_circle_of_groups_is_shown_as_a_path_with_places() {
    let found = written("a:\n  children: {b: }\nb:\n  children: {c: }\nc:\n  children: {a: }\n").unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].related.len(), 2);
    let detail = found[0].detail.clone().unwrap();
    assert!(["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"].iter().any(|path| detail.ends_with(path)));
    assert!(faults("a: {children: {a: }}\n").contains("groups in a circle"));
    assert!(faults("a: {children: {all: }}\n").contains("`all` cannot be under another group"));
}

#[test]
fn what_is_strange_but_no_fault_is_a_warning() {
    let inventory =
        written("web: {hosts: web}\nall: {vars: {ansible_hst: x, ansible_python_interpreter: x}}\n").unwrap();
    let all = told(inventory.warnings());
    assert!(all.contains("a host without a colon") && all.contains("a host and a group of one name"), "{all}");
    assert!(all.contains("did you mean `ansible_host`?") && !all.contains("interpreter"), "{all}");
    let inventory = load(&[fixture("merge/hosts.yml")]).unwrap();
    let all: Vec<&str> = inventory.warnings().iter().map(|warning| warning.summary.as_str()).collect();
    let expected =
        ["a variables file that is not read", "variables of an unknown group", "variables of an unknown host"];
    assert_eq!(all, expected);
    assert!(inventory.warnings().iter().all(|warning| warning.severity == Severity::Warning));
}

#[test]
fn passwords_are_secrets_whatever_their_tag_and_never_shown() {
    let text = "all:\n  hosts: {h: }\n  vars:\n    ansible_password: hunter2\n    ansible_become_pass: 1234\n    \
                token: !secret hunter3\n    db: {password: !secret hunter4, user: x}\n    rempart: {become_password: hunter5}\n";
    let inventory = written(text).unwrap();
    let json = inventory.to_json().to_string();
    assert!(!json.contains("hunter") && !json.contains("1234"), "{json}");
    for name in ["ansible_password", "ansible_become_pass", "token", "db.password", "rempart.become_password"] {
        assert!(json.contains(&format!("(secret {name})")), "{name}: {json}");
    }
    let found = written("all: {hosts: {h: }, vars: {ansible_password: 0123}}\n").unwrap_err();
    assert!(found[0].place.as_ref().unwrap().0.text().is_empty(), "the line with the password is not shown");
    // A password out of another variable stays a template for the playbook to render.
    let inventory = written("all: {hosts: {h: {ansible_password: '{{ pw }}'}}}\n").unwrap();
    let host = &inventory.hosts()[0];
    let lookup = |name: &str| {
        let place = Place::outside("rendered");
        (name == "ansible_password").then(|| Ok(Node::new(place, Value::Text("hunter6".into()))))
    };
    let target = target(host, &lookup, &Overrides::default(), &mut Vec::new()).unwrap();
    assert_eq!(format!("{:?}", target.password), "Some(Secret(ansible_password))");
    assert!(super::target(host, &raw(host), &Overrides::default(), &mut Vec::new()).is_err());
}

#[test]
fn connection_variables_lead_to_a_target() {
    let (target, warnings) = reach(
        "all: {hosts: {h: {ansible_host: 192.0.2.1, ansible_port: '2222', ansible_user: ops, ansible_timeout: 5, \
         ansible_ssh_private_key_file: keys/id, ansible_ssh_common_args: '-o ProxyJump=b:22 -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -i k2 -oConnectTimeout=7 -o ControlMaster=auto -o Foo=1 -vvC -A'}}}\n",
    );
    let target = target.unwrap();
    assert_eq!((target.address.as_str(), target.port, target.user.as_deref()), ("192.0.2.1", Some(2222), Some("ops")));
    assert_eq!(target.identity_files, [PathBuf::from("keys/id"), PathBuf::from("k2")]);
    assert_eq!((target.jump.as_deref(), target.connect_timeout.as_secs()), (Some("b:22"), 5));
    assert!(target.known_hosts.is_empty() && matches!(target.escalate, Become::Sudo { password: None }));
    let all = told(&warnings);
    assert_eq!(all.matches("host keys are always checked").count(), 1, "{all}");
    assert!(all.contains("`Foo`") && all.contains("`-A`") && warnings.len() == 3, "{all}");
    let (target, _) =
        reach("all: {hosts: {h: {rempart: {host: a, user: root, port: 24, jump: b, key: k}, ansible_host: c}}}");
    let target = target.unwrap();
    assert_eq!((target.address.as_str(), target.port, target.jump.as_deref()), ("a", Some(24), Some("b")));
    assert!(matches!(target.escalate, Become::No));
    let (target, _) = reach("all: {hosts: {h: {ansible_ssh_extra_args: '-o \"ProxyCommand=nc -x p %h %p\"'}}}");
    assert_eq!(target.unwrap().proxy_command.as_deref(), Some("nc -x p %h %p"));
    let (target, warnings) = reach(
        "all: {hosts: {h: {ansible_password: x, ansible_ssh_common_args: '-o IdentitiesOnly=yes -o PreferredAuthentications=\
         publickey -o PubkeyAuthentication=no'}}}",
    );
    let target = target.unwrap();
    // The first of two that say the same wins, as in ssh(1).
    assert!(target.identities_only && !target.password_only && target.password.is_none() && warnings.is_empty());
}

#[test]
fn several_ways_to_one_host_stand_in_order_and_a_wrong_one_is_pointed_at() {
    let text =
        "all: {hosts: {h: {ansible_user: ops, rempart: {connect: [admin@, 'root@:2222', 'debian@203.0.113.5:22']}}}}";
    let target = reach(text).0.unwrap();
    let by = |at: usize| {
        let by = target.by(at);
        (by.user.unwrap(), by.address, by.port, matches!(by.escalate, Become::No))
    };
    assert_eq!(by(0), ("admin".into(), "h".into(), None, false));
    assert_eq!(by(1), ("root".into(), "h".into(), Some(2222), true));
    assert_eq!(by(2), ("debian".into(), "203.0.113.5".into(), Some(22), false));
    let one = reach("all: {hosts: {h: {rempart: {connect: 'root@'}}}}").0.unwrap();
    assert!(matches!(one.escalate, Become::Sudo { .. }) && matches!(one.by(0).escalate, Become::No));
    let (target, _) = reach("all: {hosts: {h: {rempart: {connect: ['a@:99999', 'b@h', '-x']}}}}");
    let all = told(&target.unwrap_err());
    assert!(all.lines().count() == 2 && all.contains("`99999` is no port") && all.contains("`-x` is no host"), "{all}");
    let many = "'a@', ".repeat(9);
    let (target, _) = reach(&format!("all: {{hosts: {{h: {{rempart: {{connect: [{many}]}}}}}}}}"));
    assert!(told(&target.unwrap_err()).contains("8 are the most"));
    let (target, _) = reach("all: {hosts: {h: {rempart: {password: hunter2}}}}");
    assert_eq!(target.unwrap().password.unwrap().name(), "rempart.password");
}

#[test]
fn connection_variables_that_cannot_be_followed_are_refused_together() {
    let bad = "ansible_port: 0, ansible_connection: local, ansible_become_method: su, ansible_become_user: postgres, \
               ansible_host: '-oProxyCommand=x', ansible_user: 'a b', ansible_ssh_common_args: \"-o 'x\", \
               ansible_become: perhaps, rempart: {hots: x}";
    let (target, _) = reach(&format!("all: {{hosts: {{h: {{{bad}}}}}}}\n"));
    let all = told(&target.unwrap_err());
    assert_eq!(all.lines().count(), 9, "{all}");
    assert!(all.contains("did you mean `host`?"), "{all}");
    let (target, _) = reach("all: {hosts: {h: {rempart: {host_key: MD5:x}}}}");
    assert!(told(&target.unwrap_err()).contains("is no fingerprint"));
}

#[test]
fn patterns_select_as_ansible_does() {
    let inventory = load(&[fixture("merge/hosts.yml")]).unwrap();
    let select = |pattern: &str| {
        inventory.select(pattern, &Place::outside("--limit")).map_or_else(
            |fault| format!("{}: {}", fault.summary, fault.fix.unwrap_or_default()),
            |hosts| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" "),
        )
    };
    // Each compared with what Ansible's own inventory manager answers.
    for (pattern, expected) in [
        ("web", "web01 web02 web03 web1-x web5-x web9-x ra rb rc"),
        ("web:&app:!r?", "web01 web02 web03 web1-x web5-x web9-x"),
        ("!dc:!deep1", "lone1 lone2 ug1 solo"),
        ("db,solo", "db1 web01 solo"),
        ("web[0]", "web01"),
        ("web[-1]", "rc"),
        ("web[1:2]", "web02 web03"),
        ("~(ug|so)", "solo ug1"),
        ("*1-x", "web1-x"),
        ("web1", "a pattern that matches nothing: did you mean the group `web` or the host `web01`?"),
        ("all:!wbe", "a pattern that matches nothing: did you mean the group `web`?"),
        ("solo:!solo", "a pattern that selects no host: look at `rempart inventory` for who is in which group"),
        ("web[99]", "a position that no host has: give a position below that, or leave the brackets away"),
    ] {
        assert_eq!(select(pattern), expected, "{pattern}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limit");
    fs::write(&file, "solo\n# a word\n\ndb1\n").unwrap();
    assert_eq!(select(&format!("@{}", file.display())), "solo db1");
    assert!(select("").starts_with("an empty host pattern"));
}

#[test]
fn a_small_file_that_stands_for_too_much_is_refused() {
    let vars: String = (0..50).map(|at| format!("v{at}: 1, ")).collect();
    let all = faults(&format!("a: {{hosts: {{'h[1:200000]': {{{vars}}}}}}}\n"));
    assert!(all.contains("too large"), "{all}");
    let vars: String = (0..200).map(|at| format!("v{at}: 1, ")).collect();
    let all = faults(&format!("a: {{hosts: {{'h[1:150000]': }}, vars: {{{vars}}}}}\n"));
    assert!(all.contains("too large"), "{all}");
    assert!(faults(&format!("a: {{hosts: {{'{}[1:9]': }}}}\n", "x".repeat(600))).contains("no host can have"));
}

#[test]
fn a_template_that_nobody_rendered_is_refused() {
    for vars in ["rempart: {host: '{{x}}'}", "rempart: {key: '{{ x }}'}", "rempart: {become_password: '{{ x }}'}"] {
        let (target, _) = reach(&format!("all: {{hosts: {{h: {{{vars}}}}}}}\n"));
        assert_eq!(target.unwrap_err().len(), 1, "{vars}");
    }
}

#[test]
fn loading_twice_gives_the_same() {
    let one = load(&[fixture("merge"), fixture("more.yml")]).unwrap();
    let two = load(&[fixture("merge"), fixture("more.yml")]).unwrap();
    assert_eq!(one.to_json().to_string(), two.to_json().to_string());
    assert_eq!(one.warnings(), two.warnings());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_loading_or_selecting_panic(
        text in "((all|hosts|children|vars|web|a\\[1:3\\]|\\{\\{ x \\}\\}|ansible_password|rempart|!secret x|- |: |:\n|\n  |\n    |\n|\t|\"|'|[\\[\\]{}:,&*!~@-]|\\PC){0,30})",
        pattern in "[a-z*?\\[\\]:!&~@,0-9-]{0,12}|\\PC{0,8}",
    ) {
        if let Ok(inventory) = written(&text) {
            for host in inventory.hosts() {
                let _ = target(host, &raw(host), &Overrides::default(), &mut Vec::new());
            }
            let _ = inventory.select(&pattern, &Place::outside("--limit"));
            let _ = inventory.to_json();
        }
        let inventory = written("web: {hosts: {'web[1:9]': }}\n").unwrap();
        if let Ok(hosts) = inventory.select(&pattern, &Place::outside("--limit")) {
            prop_assert!(!hosts.is_empty());
        }
    }

    #[test]
    fn no_ssh_arguments_make_reading_panic(args in "(-o |-[a-zJF]|ProxyJump|=| |'|\"|\\\\|\\PC){0,12}") {
        let quoted = serde_json::to_string(&args).unwrap();
        if let Ok(inventory) = written(&format!("all: {{hosts: {{h: {{ansible_ssh_common_args: {quoted}}}}}}}\n")) {
            let host = &inventory.hosts()[0];
            let _ = target(host, &raw(host), &Overrides::default(), &mut Vec::new());
        }
    }
}
