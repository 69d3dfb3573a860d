//! The script for hosts with real mounts, in a namespace of its own: what it searches is empty there but for the test's
//! files.

use std::process::Command;

use rempart::resource::SectionOutput;
use rempart::scan::{HostFiles, look_on_host, read_host};

use super::skipped::skip;

const PREPARE: &str = r#"set -e
for folder in /etc /root /home /opt /srv /usr/local /var/www /var/spool/cron /var/lib/cloud /mnt; do
  [ ! -d "$folder" ] || mount -t tmpfs none "$folder"
done
"#;

// What the script finds after these commands; `None`, and said, where there can be no mounts.
fn look_after(commands: &str) -> Option<HostFiles> {
    let mounts = |script: &str, argument: &str| {
        Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", script, "sh", argument])
            .env("LC_ALL", "C")
            .output()
    };
    if !mounts("mount -t tmpfs none /mnt", "").is_ok_and(|done| done.status.success()) {
        skip("the look at mounts", "needs root and namespaces");
        return None;
    }
    let script = format!("{PREPARE}{commands}\nset +e\nexec sh -c \"$1\"");
    let done = mounts(&script, look_on_host().text()).unwrap();
    let output = SectionOutput { status: 0, stdout: done.stdout, stderr: done.stderr };
    Some(read_host(&output).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))))
}

fn paths(files: &HostFiles) -> Vec<&str> {
    files.read.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn homes_that_are_mounts_or_links_are_searched_and_file_systems_of_the_kernel_are_not() {
    let commands = "mkdir /home/mounted /home/plain /mnt/linked /mnt/deep /opt/jail /opt/jail/proc /home/dept
mount -t tmpfs none /home/mounted
mount -t proc none /opt/jail/proc
ln -s /mnt/linked /home/linked
ln -s /mnt/deep /home/dept/deep
for home in /home/mounted /home/plain /mnt/linked /mnt/deep; do echo A=1 > $home/.env; done
printf '%s\\n' root:x:0:0::/root:/bin/sh deep:x:1001:1001::/home/dept/deep:/bin/sh away:x:1:1::/mnt/away:/bin/sh > /etc/passwd
mkdir /mnt/away; echo A=1 > /mnt/away/.netrc";
    let Some(files) = look_after(commands) else { return };
    let found =
        ["/home/dept/deep/.env", "/home/linked/.env", "/home/mounted/.env", "/home/plain/.env", "/mnt/away/.netrc"];
    assert_eq!(paths(&files), found);
    assert!(files.not_read.is_empty(), "{files:?}");
}

#[test]
fn what_is_bound_or_linked_is_searched_and_accounts_that_cannot_be_listed_are_told() {
    let commands = "mkdir /mnt/home /mnt/home/x; echo A=1 > /mnt/home/x/.env
mount --bind /mnt /opt; ln -s /mnt/home /srv/home
mkdir /root/programs; printf '#!/bin/sh\\nexit 3\\n' > /root/programs/getent; chmod 755 /root/programs/getent
PATH=/root/programs:$PATH; export PATH";
    let Some(files) = look_after(commands) else { return };
    assert_eq!(paths(&files), ["/opt/home/x/.env", "/srv/home/x/.env"]);
    let told: Vec<&str> = files.not_read.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(told, ["the search for files or homes failed (status 3)"]);
}
