//! `explain`: where values come from, and what resources wait for.

use super::desk::Desk;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "hosts.yaml",
        "all:\n  vars: { port: 1 }\n  children:\n    web:\n      vars: { port: 2, side: left }\n      hosts: { web1: { port: 3 } }\n    \
         paris:\n      vars: { side: right }\n      hosts: { web1: , db1: }\n",
    );
    desk.write("group_vars/all.yaml", "app:\n  nets: [10.0.0.0/8, 192.0.2.0/24]\n  admin: { name: ops }\nport: 4\n");
    desk.write("host_vars/web1.yaml", "token: !secret very-hidden\n");
    desk
}

#[test]
fn the_winner_is_shown_with_all_that_it_won_over() {
    let desk = desk();
    let said = desk.run("", &["explain", "web1", "port", "-i", "hosts.yaml"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "web1 / port = 3", "{}", said.all());
    assert!(
        lines[1].contains("from") && lines[1].contains("hosts.yaml:6:") && lines[1].ends_with("the host"),
        "{}",
        said.out
    );
    let places: Vec<&str> =
        lines[2..].iter().filter_map(|line| line.split_whitespace().find(|word| word.contains(".yaml:"))).collect();
    let starts = ["group_vars/all.yaml:4", "hosts.yaml:5", "hosts.yaml:2"];
    assert_eq!(places.len(), 3, "{}", said.out);
    assert!(places.iter().zip(starts).all(|(place, start)| place.starts_with(start)), "strongest first: {}", said.out);
    let json = desk.run("", &["explain", "web1", "port", "-i", "hosts.yaml", "--json"]).json();
    assert_eq!((&json["value"], json["shadowed"].as_array().unwrap().len()), (&3.into(), 3));
    let set = desk.run("", &["explain", "web1", "port", "-i", "hosts.yaml", "-e", "port=9"]);
    assert!(set.out.starts_with("web1 / port = 9\n  from      --set"), "{}", set.out);
}

#[test]
fn parts_secrets_and_quarrels() {
    let desk = desk();
    let of = |name: &str| desk.run("", &["explain", "web1", name, "-i", "hosts.yaml"]);
    assert!(
        of("app.admin.name").out.starts_with("web1 / app.admin.name = \"ops\"\n"),
        "{}",
        of("app.admin.name").all()
    );
    assert!(of("app.nets[1]").out.contains("\"192.0.2.0/24\"") && of("app.nets[1]").out.contains("all.yaml:2:"));
    let token = of("token");
    assert!(token.out.contains("(secret") && !token.all().contains("very-hidden"), "{}", token.all());
    let side = of("side");
    assert!(side.out.contains("conflict") && side.out.contains("ansible_group_priority"), "{}", side.all());
    let all = desk.run("", &["explain", "web1", "-i", "hosts.yaml"]);
    assert!(!all.all().contains("very-hidden") && all.out.contains("groups disagree"), "{}", all.all());
    assert!(all.out.contains("4 variables; web1 is in all"), "{}", all.out);
    let json = desk.run("", &["explain", "web1", "-i", "hosts.yaml", "--json"]).json();
    assert_eq!(json["variables"]["side"]["conflict"], true);
}

#[test]
fn what_nobody_knows_is_told_with_what_was_meant() {
    let desk = desk();
    for (arguments, words) in [
        (&["wbe1"][..], "did you mean `web1`?"),
        (&["paris"], "is a group"),
        (&["web1", "prot"], "did you mean `port`?"),
        (&["web1", "app.net"], "its keys are nets, admin"),
        (&["web1", "facts"], "known to every template"),
        (&["web1", "user:x"], "no playbook is named"),
        (&["web1", "usr:x"], "did you mean `user`?"),
        (&["db1", "token"], "other hosts have it"),
    ] {
        let said = desk.run("", &[&["explain"], arguments, &["-i", "hosts.yaml"]].concat());
        assert_eq!(said.code, 64, "{arguments:?}: {}", said.all());
        assert!(said.err.contains(words), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn what_a_playbook_says_of_a_variable() {
    let desk = desk();
    desk.write(
        "site.yaml",
        "playbook: site\nhosts: web\nvars: { port: 7, root: /srv }\nphases:\n  installation:\n    - file: { path: \"{{ root }}/{{ port }}\", content: x }\n      each: { port: [1, 2] }\n",
    );
    let port = desk.run("", &["explain", "web1", "port", "site.yaml", "-i", "hosts.yaml"]);
    assert!(port.out.contains("`each` of playbook site: wins"), "{}", port.all());
    assert!(port.out.contains("`vars` of playbook site: the inventory wins over it"), "{}", port.all());
    let root = desk.run("", &["explain", "web1", "root", "site.yaml", "-i", "hosts.yaml"]);
    assert!(root.out.starts_with("web1 / root = \"/srv\"\n  from      site.yaml:3:"), "{}", root.all());
    let none = desk.run("", &["explain", "db1", "root", "site.yaml", "-i", "hosts.yaml"]);
    assert_eq!(none.code, 64, "the playbook is not for it: {}", none.all());
}

#[test]
fn what_a_playbook_calls_secret_is_masked_wherever_it_stands() {
    let desk = desk();
    desk.write("group_vars/web.yaml", "pass: clear-in-inventory\n");
    let items = "phases:\n  installation:\n    - file: { path: /etc/x, content: x }\n";
    let head = "playbook: site\nhosts: web\nsecret_vars: [pass, other]\nvars: { other: clear-in-playbook }\n";
    desk.write("site.yaml", &format!("{head}{items}"));
    desk.write("rempart.toml", "inventory = \"hosts.yaml\"\nplaybook = \"site.yaml\"\n");
    for arguments in [&["web1"][..], &["web1", "--json"], &["web1", "pass"], &["web1", "other", "--json"]] {
        let said = desk.run("", &[&["explain"], arguments].concat());
        assert!(said.good && !said.all().contains("clear-in-"), "{arguments:?}: {}", said.all());
        assert!(said.out.contains("(secret "), "{arguments:?}: {}", said.all());
    }
}

#[test]
fn a_resource_is_shown_with_its_fields_and_why_it_waits() {
    let desk = Desk::with_project();
    let unit = desk.run("fleet", &["explain", "web1", "systemd_unit:nginx.service"]);
    for words in [
        "declared in",
        "playbooks/site.yaml:",
        "phase installation",
        "active:",
        "template:/etc/nginx/conf.d/site.conf",
        "reacts to its changes",
        "and for the end of preparation",
    ] {
        assert!(unit.out.contains(words), "{words}: {}", unit.all());
    }
    let first = desk.run("fleet", &["explain", "web1", "user:deploy"]);
    assert!(first.out.contains("  waits for    nothing\n"), "{}", first.all());
    let by_id = desk.run("fleet", &["explain", "web1", "site-conf"]);
    assert!(by_id.out.contains("/etc/nginx/conf.d/site.conf") && by_id.out.contains("before\n"), "{}", by_id.all());
    let json = desk.run("fleet", &["explain", "web1", "firewall_ufw:ufw", "--json"]);
    let near = desk.run("fleet", &["explain", "web1", "user:deplo"]);
    assert!(near.err.contains("did you mean `user:deploy`?"), "{}", near.all());
    assert!(json.good && json.json()["guarded"] == true, "{}", json.all());
}

#[test]
fn what_the_project_says_of_connections_is_shown_as_what_it_is() {
    let desk = desk();
    desk.write("rempart.toml", "inventory = \"hosts.yaml\"\nuser = \"projects\"\ntimeout = 7\n");
    let user = desk.run("", &["explain", "web1", "ansible_user"]);
    assert!(user.out.starts_with("web1 / ansible_user = \"projects\"\n  from      rempart.toml"), "{}", user.all());
    let timeout = desk.run("", &["explain", "db1", "ansible_timeout", "--json"]).json();
    assert_eq!(timeout["value"], 7);
    desk.write("host_vars/db1.yaml", "ansible_user: own\n");
    let own = desk.run("", &["explain", "db1", "ansible_user"]);
    assert!(
        own.out.starts_with("db1 / ansible_user = \"own\"") && own.out.contains("over      rempart.toml"),
        "{}",
        own.all()
    );
    assert!(desk.run("", &["explain", "web1"]).out.contains("projects"));
}
