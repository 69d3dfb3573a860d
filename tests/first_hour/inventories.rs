//! What `rempart` says of inventories from the command line: what stays hidden, what is refused, and what ends with it.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_program_ends_with_rempart_whatever_ends_it() {
    for signal in ["INT", "HUP", "KILL"] {
        let desk = Desk::new();
        program(&desk, "slow.sh", "#!/bin/sh\nsleep 300 &\necho $! > child\necho $$ > parent\nwait\n");
        let mut command = desk.command(env!("CARGO_BIN_EXE_rempart"), "");
        command.args(["inventory", "-i", "slow.sh"]).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        let read = |name: &str| std::fs::read_to_string(desk.path(name)).unwrap_or_default().trim().to_owned();
        until("the program starts", || !read("parent").is_empty());
        let killed = desk.command("kill", "").args(["-s", signal, &running.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
        // One that has ended and that nobody asked for its status yet is no longer running either.
        let lives = |name: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", read(name))).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
        };
        until(&format!("{signal}: the program and what it started end"), || !lives("parent") && !lives("child"));
    }
}

#[test]
fn an_inventory_without_any_host_is_told_in_every_shape() {
    let desk = Desk::new();
    desk.write("hosts.yml", "all:\n  children:\n    web:\n");
    desk.write("empty.yml", "# nothing\n");
    desk.write("hosts.ini", "[web]\n");
    desk.write("hosts.json", "{\"web\": {}}\n");
    desk.write("folder/a.ini", "[web]\n");
    program(&desk, "hosts.sh", "#!/bin/sh\necho '{\"web\": {\"hosts\": []}, \"_meta\": {\"hostvars\": {}}}'\n");
    for (path, words) in [
        ("hosts.yml", "an inventory without any host"),
        ("empty.yml", "an empty inventory file"),
        ("hosts.ini", "an inventory without any host"),
        ("hosts.json", "an inventory without any host"),
        ("folder", "an inventory without any host"),
        ("hosts.sh", "an inventory without any host"),
        (",", "an inventory without any host"),
    ] {
        let said = listed(&desk, &["-i", path]);
        assert_eq!(said.err.matches("warning").count(), 1 + said.err.matches("1 warning").count(), "{}", said.all());
        assert!(said.good && said.err.contains(words), "{path}: {}", said.all());
        assert!(listed(&desk, &["-i", path, "--json"]).err.contains(words), "{path}, as JSON");
    }
}

#[test]
fn a_variable_of_the_command_line_has_a_name() {
    let desk = Desk::new();
    for (set, words) in [
        ("=hunter2", "no name stands before `=`"),
        ("a.b[0]=hunter2", "-e 'a={NAME: VALUE}'"),
        ("a b=hunter2", "letters, digits and `_`"),
        ("1a=hunter2", "letters, digits and `_`"),
    ] {
        let said = listed(&desk, &["-i", "web1,", "-e", set]);
        assert!(said.code == 65 && said.err.contains(words) && !said.err.contains("hunter"), "{set}: {}", said.all());
    }
    assert!(listed(&desk, &["-i", "web1,", "-e", "größe_1=2"]).good);
}

#[test]
fn what_can_be_no_address_is_refused_with_what_was_meant() {
    let desk = Desk::new();
    desk.write(
        "hosts.yml",
        "all:\n  hosts:\n    a: { ansible_host: 10.0.0.300 }\n    b: { ansible_host: root@10.0.0.1 }\n    \
         c: { rempart: { host: \"https://web1.example.org/\" } }\n    root@10.0.0.9:\n    d: { ansible_host: 10.0.0.4 }\n",
    );
    for (host, place, words) in [
        ("a", "hosts.yml:3:24", "from 0 to 255"),
        ("b", "hosts.yml:4:24", "ansible_host: 10.0.0.1 and ansible_user: root"),
        ("c", "hosts.yml:5:27", "alone: web1.example.org"),
        ("root@10.0.0.9", "hosts.yml:6:5", "ansible_host: 10.0.0.9 and ansible_user: root"),
    ] {
        let said = desk.run("", &["facts", host, "-i", "hosts.yml"]);
        assert!(said.code == 65 && said.err.contains("an address that cannot be one"), "{host}: {}", said.all());
        assert!(said.err.contains(place) && said.err.contains(words), "{host}: {}", said.err);
    }
    assert!(listed(&desk, &["-i", "hosts.yml", "--json"]).good, "only who goes there is stopped");
}

#[test]
fn a_list_of_secret_variables_is_shown_with_the_name_that_is_wrong() {
    let desk = Desk::new();
    let text = "playbook: site\nhosts: all\nsecret_vars: [pass, gud]\nphases: {}\n";
    desk.write("site.yaml", text);
    let said = desk.run("", &["validate", "site.yaml", "-i", "web1,"]);
    assert!(said.err.contains("`gud`") && said.err.contains("secret_vars: [pass, gud]"), "{}", said.all());
}
