//! What `rempart` says of inventories from the command line: what stays hidden, what is refused, and what ends with it.

use std::os::unix::fs::PermissionsExt;

use super::desk::{Desk, Said};

fn listed(desk: &Desk, arguments: &[&str]) -> Said {
    desk.run("", &[&["inventory"], arguments].concat())
}

fn program(desk: &Desk, name: &str, text: &str) {
    desk.write(name, text);
    std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_secret_in_a_line_that_cannot_be_read_stays_hidden() {
    let desk = Desk::new();
    for text in [
        "[web:vars]\nansible_password: hunter2\n",
        "[web:vars]\nansible_password hunter2\n",
        "[web:vars]\ndb_token hunter2\n",
        "[web]\nansible_password=hunter2\n",
        "[web]\nansible_password=hunter2:\n",
        "[web]\nansible_password: hunter2\n",
        "[web]\nweb1 ansible_password hunter2\n",
        "[web]\nweb1 ansible_password:hunter2\n",
        "[web]\nweb1 ansible_password = hunter2\n",
        "[web]\nweb1 ansible_password 'hunter2\n",
        "[web:children]\nansible_password hunter2\n",
        "[web:children]\nansible_password=hunter2\n",
        "[ansible_password=hunter2\n",
        "[ansible_password: hunter2]\n",
        "[ansible_password:hunter2]\n",
        "[ansible_password hunter2]\n",
    ] {
        desk.write("hosts.ini", text);
        let said = listed(&desk, &["-i", "hosts.ini"]);
        assert_eq!(said.code, 65, "{text}: {}", said.all());
        assert!(!said.all().contains("hunter2") && said.err.contains("hosts.ini:"), "{text}: {}", said.all());
    }
    desk.write("hosts.yml", "all:\n  hosts:\n    ansible_password=hunter2: { a: 1 }\n");
    let said = listed(&desk, &["-i", "hosts.yml"]);
    assert!(said.code == 65 && !said.all().contains("hunter2"), "{}", said.all());
    let said = listed(&desk, &["-i", "web1,ansible_password=hunter2"]);
    assert!(said.code == 65 && !said.all().contains("hunter2"), "{}", said.all());
    assert!(said.err.contains("ansible_password"), "{}", said.err);
}

#[test]
fn what_a_program_says_is_shown_without_secrets() {
    let desk = Desk::new();
    let says = "echo 'asking https://ops:hunter3@cloud.example.org/v1' >&2; echo 'token = hunter4' >&2\n\
                echo 'logging in with hunter2 now' >&2\n";
    let answer = "echo '{\"web\": {\"hosts\": [\"web1\"], \"vars\": {\"ansible_password\": \"hunter2\"}}, \
                  \"_meta\": {\"hostvars\": {}}}'\n";
    program(&desk, "good.sh", &format!("#!/bin/sh\n{says}{answer}"));
    let said = listed(&desk, &["-i", "good.sh"]);
    assert!(said.good && !said.all().contains("hunter"), "{}", said.all());
    for words in ["(hidden)@cloud.example.org/v1", "token = (hidden)", "logging in with (secret"] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    program(&desk, "bad.sh", "#!/bin/sh\necho 'password: hunter2' >&2; exit 7\n");
    let said = listed(&desk, &["-i", "bad.sh"]);
    assert!(said.code == 65 && said.err.contains("status 7") && !said.all().contains("hunter"), "{}", said.all());
}
