//! Files that nobody named and that may be somebody else's: what stands in the current folder must be the user's own.

use std::os::unix::fs::{PermissionsExt, chown};

use super::desk::{Desk, Said};

const HOSTS: &str = "all: { hosts: { web1: { ansible_host: 192.0.2.1 } } }\n";
const PROXY: &str = "ansible_ssh_common_args: \"-o ProxyCommand='touch was-run'\"\n";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("named/hosts.yaml", HOSTS);
    desk.write("here/group_vars/all.yaml", PROXY);
    desk
}

fn inventory(desk: &Desk, folder: &str, path: &str) -> Said {
    desk.run(folder, &["inventory", "-i", path])
}

fn mode(desk: &Desk, name: &str, mode: u32) {
    std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn variables_of_the_current_folder_that_anybody_could_have_written_are_refused() {
    let desk = desk();
    assert!(inventory(&desk, "here", "../named/hosts.yaml").good);
    for (name, open, words) in [
        ("here/group_vars/all.yaml", 0o666, "may write it"),
        ("here/group_vars", 0o777, "may write it"),
        ("here", 0o777, "into its folder"),
    ] {
        let before = std::fs::metadata(desk.path(name)).unwrap().permissions();
        mode(&desk, name, open);
        let said = inventory(&desk, "here", "../named/hosts.yaml");
        assert_eq!(said.code, 65, "{name}: {}", said.all());
        assert!(said.err.contains("somebody else's") && said.err.contains(words), "{name}: {}", said.err);
        std::fs::set_permissions(desk.path(name), before).unwrap();
    }
    // Like /tmp: nobody else can replace what is one's own there.
    mode(&desk, "here", 0o1777);
    assert!(inventory(&desk, "here", "../named/hosts.yaml").good);
    // What stands beside an inventory that was named is as good as that.
    desk.write("named/group_vars/all.yaml", "a: 1\n");
    mode(&desk, "named/group_vars/all.yaml", 0o666);
    std::fs::create_dir(desk.path("empty")).unwrap();
    assert!(inventory(&desk, "empty", "../named/hosts.yaml").good);
}

#[test]
fn variables_and_projects_of_another_user_are_refused() {
    if !rustix::process::geteuid().is_root() {
        super::skipped::skip("files of another user", "only root can give a file away");
        return;
    }
    let desk = desk();
    let give = |name: &str| chown(desk.path(name), Some(65534), None).unwrap();
    give("here/group_vars/all.yaml");
    let said = inventory(&desk, "here", "../named/hosts.yaml");
    assert!(said.code == 65 && said.err.contains("another user (uid 65534)"), "{}", said.all());
    // One who names a stranger's inventory means the files beside it, too.
    std::fs::rename(desk.path("named/hosts.yaml"), desk.path("here/hosts.yaml")).unwrap();
    assert_eq!(inventory(&desk, "here", "hosts.yaml").code, 65);
    give("here/hosts.yaml");
    assert!(inventory(&desk, "here", "hosts.yaml").good);
    desk.write("project/rempart.toml", "inventory = \"../here/hosts.yaml\"\n");
    assert!(desk.run("project", &["inventory"]).good);
    give("project/rempart.toml");
    let said = desk.run("project", &["inventory"]);
    assert!(said.code == 65 && said.err.contains("another user"), "{}", said.all());
    // Under sudo, who called it is the user.
    let mut command = desk.command(env!("CARGO_BIN_EXE_rempart"), "project");
    let said = Said::of(command.arg("inventory").env("SUDO_UID", "65534").output().unwrap());
    assert!(said.good, "{}", said.all());
}

#[test]
fn the_usual_folder_must_be_ones_own_where_nobody_names_it() {
    let desk = Desk::new();
    desk.write("here/inventories/hosts.yaml", HOSTS);
    assert!(desk.run("here", &["inventory"]).good);
    mode(&desk, "here/inventories", 0o777);
    let said = desk.run("here", &["inventory"]);
    assert!(said.code == 65 && said.err.contains("somebody else's"), "{}", said.all());
    assert!(desk.run("here", &["inventory", "-i", "inventories"]).good);
}

#[test]
fn each_file_of_the_usual_folder_must_be_ones_own_before_it_is_read_or_run() {
    let desk = Desk::new();
    let program = format!("#!/bin/sh\ntouch {}\necho '{{}}'\n", desk.path("was-run").display());
    desk.write("here/inventories/hosts.yaml", HOSTS);
    desk.write("here/inventories/more/prog", &program);
    desk.write("here/inventories/group_vars/all.yaml", "a: 1\n");
    mode(&desk, "here/inventories/more/prog", 0o777);
    let refused = |words: &str| {
        let said = desk.run("here", &["inventory"]);
        assert!(said.code == 65 && said.err.contains(words), "{words}: {}", said.all());
        assert!(!desk.path("was-run").exists(), "it was run: {}", said.all());
    };
    refused("inventories/more/prog");
    mode(&desk, "here/inventories/more/prog", 0o755);
    for open in ["here/inventories/more", "here/inventories/group_vars/all.yaml", "here/inventories/hosts.yaml"] {
        let before = std::fs::metadata(desk.path(open)).unwrap().permissions();
        mode(&desk, open, 0o777);
        let said = desk.run("here", &["inventory"]);
        assert!(said.code == 65 && said.err.contains("somebody else's"), "{open}: {}", said.all());
        std::fs::set_permissions(desk.path(open), before).unwrap();
        let _ = std::fs::remove_file(desk.path("was-run"));
    }
    if rustix::process::geteuid().is_root() {
        chown(desk.path("here/inventories/more/prog"), Some(65534), None).unwrap();
        refused("another user (uid 65534)");
        chown(desk.path("here/inventories/more/prog"), Some(0), None).unwrap();
    } else {
        super::skipped::skip("a program of another user", "only root can give a file away");
    }
    assert!(desk.run("here", &["inventory"]).good);
    assert!(desk.path("was-run").exists());
}

#[test]
fn variables_of_the_current_folder_are_told_once_where_no_inventory_stands() {
    let desk = desk();
    let said = desk.run("here", &["explain", "web1", "-i", "../named/hosts.yaml"]);
    assert_eq!(said.err.matches("variables of the current folder are used").count(), 1, "{}", said.all());
    assert!(said.err.contains("group_vars") && !said.err.contains("host_vars"), "{}", said.err);
    desk.write("here/hosts.yaml", HOSTS);
    assert!(!desk.run("here", &["explain", "web1", "-i", "hosts.yaml"]).err.contains("current folder"));
}
