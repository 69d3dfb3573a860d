//! What every kind changed is taken back by `rempart rollback`: the host is as it was before, as other tools see it.
//!
//! Each case is a state of the host, made by a script, and items that change it. Before and after the way there and back,
//! `SNAPSHOT` lists what anybody could compare; it uses no code of rempart.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rempart::kinds::KINDS;

use crate::fixture::{Lab, Machine};

/// Files with owner, mode, sum and access lists; accounts, units, packages, the firewall, and settings of the network.
const SNAPSHOT: &str = r#"
set -f
skip='-name .pwd.lock -o -name ld.so.cache -o -name passwd -o -name group -o -name shadow -o -name gshadow -o -name subuid
  -o -name subgid -o -name passwd- -o -name group- -o -name .sudo_as_admin_successful -o -name shadow- -o -name gshadow- -o -name subuid- -o -name subgid-'
where='/etc /srv /home /root /opt /usr/local /var/mail /var/spool/cron'
find $where -xdev ! \( $skip \) -printf '%p|%y|%m|%U|%G|%l\n' | sort
find $where -xdev -type f ! \( $skip \) -exec sha256sum -- {} + | sort
find $where -xdev -type f \( -name passwd -o -name group -o -name shadow -o -name gshadow -o -name subuid -o -name subgid \) \
  -exec stat -c '%n %a %U:%G' -- {} + | sort
for file in passwd group shadow gshadow subuid subgid; do echo "== $file"; sort "/etc/$file"; done
if command -v getfacl >/dev/null; then getfacl -Rcpn -- /srv 2>/dev/null; find /srv | sort; fi
echo == mounts
awk '$5 ~ "^/srv" { print $4, $5, $6, $9, $10, $11 }' /proc/self/mountinfo
echo == packages
dpkg -l | awk '/^[a-z]i /{ print $1, $2, $3 }'
echo == units
systemctl list-unit-files --no-legend --no-pager | awk '$2 != "transient" { print $1, $2 }' | sort
for unit in rp-one rp-two rp-env rp-timer.timer squid cron ufw nftables rempart-nftables; do echo "$unit $(systemctl is-active $unit)"; done
for unit in rp-one rp-two rp-env; do
  pid=$(systemctl show -P MainPID $unit)
  [ "${pid:-0}" = 0 ] || { tr '\0' ' ' < "/proc/$pid/cmdline"; tr '\0' '\n' < "/proc/$pid/environ" | grep '^RP_' || :; echo; }
done
! systemctl is-active --quiet squid || { ss -Hltn sport = :3128 or sport = :3129 | awk '{ print $4 }' | sort; }
sshd -T | sort
echo == network
# Switched off, ufw leaves its empty chains behind.
empty='^#'; grep -q '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null || empty='^#|^:|^\*|^COMMIT|^-A (INPUT|FORWARD|OUTPUT) -j ufw'
for tool in iptables ip6tables; do
  $tool-save 2>/dev/null | grep -vE "$empty" | sed 's/\[[0-9:]*\]//'
  for chain in INPUT FORWARD OUTPUT; do $tool -S $chain 2>/dev/null | head -n 1; done
done
nft -s list table inet rempart 2>/dev/null || echo no table of ours
sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.(conf\.(all|default)|icmp|ip_forward|tcp_syncookies)'
"#;

/// A state of the host, and what changes it.
struct Case {
    what: &'static str,
    before: &'static str,
    items: &'static str,
}

const fn case(what: &'static str, before: &'static str, items: &'static str) -> Case {
    Case { what, before, items }
}

fn there_and_back(lab: &Lab, cases: &[Case]) {
    for Case { what, before, items } in cases {
        lab.on("web1", &format!("set -e\n{before}"));
        let snapshot = lab.on("web1", SNAPSHOT);
        lab.playbook(items);
        let applied = lab.apply().ends(0);
        let number = applied.json()["run"].as_str().unwrap().to_owned();
        let changed = lab.on("web1", SNAPSHOT);
        assert_ne!(changed, snapshot, "{what}: nothing happened\n{applied}");
        let ran = lab.rempart(&["rollback", &number, "--yes"]);
        let after = lab.on("web1", SNAPSHOT);
        assert!(ran.code == 0 && after == snapshot, "{what}: not as before\n{}\n{ran}", differing(&snapshot, &after));
        // What an archive notes beside its files is in the snapshots.
        let looked = "ls -A /etc/systemd/system | grep rempart-guard || :
find /etc /srv /home -name '.rempart.*' ! -name .rempart.archive";
        let left = lab.on("web1", looked);
        assert_eq!(left, "", "{what}: something is left");
        eprintln!("{what}: there and back");
    }
}

fn differing(before: &str, after: &str) -> String {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (before.lines().collect(), after.lines().collect());
    let gone = old.difference(&new).map(|line| format!("- {line}\n"));
    gone.chain(new.difference(&old).map(|line| format!("+ {line}\n"))).collect()
}

fn booted(what: &str, packages: &str) -> Option<Lab> {
    let lab = Lab::boot_one(what)?;
    lab.playbook(&format!("- package_apt: {{ names: [{packages}] }}"));
    lab.apply().ends(0);
    Some(lab)
}

const FILES: &[Case] = &[
    case(
        "files with hostile names",
        "mkdir -p '/srv/h o'",
        r#"
- file: { path: "/srv/h o/$(touch x) 'a' \"b\"", content: "new\n" }
- file: { path: "/srv/h o/-rf", content: "new\n" }
- file: { path: "/srv/h o/a\\b|c;d&*?", content: "new\n" }
- file: { path: "/srv/h o/ lead", content: "new\n" }
"#,
    ),
    case(
        "a file is changed, with its owner, mode and access list",
        "cd /srv/'h o'; printf 'old\\n' > ./-rf; chown daemon:games ./-rf; chmod 0640 ./-rf; setfacl -m u:backup:rw ./-rf",
        r#"- file: { path: "/srv/h o/-rf", content: "new\n", mode: "0600" }"#,
    ),
    case(
        "only owner and mode are changed",
        "touch /srv/mode; chmod 4711 /srv/mode; setfacl -m u:backup:r /srv/mode",
        r#"- file: { path: /srv/mode, owner: daemon, mode: "0600" }"#,
    ),
    case(
        "a file is removed, and one is written twice in a run",
        "echo keep > /srv/gone; setfacl -m g:games:r /srv/gone",
        r#"
- file: { path: /srv/gone, state: absent }
- file: { path: /srv/twice, content: "a\n" }
"#,
    ),
    case(
        "directories are made, changed and removed, with access lists",
        "mkdir /srv/old /srv/empty; chown games:daemon /srv/old /srv/empty; chmod 3751 /srv/old; chmod 0700 /srv/empty
setfacl -m u:backup:rwx -d -m u:backup:rx /srv/old /srv/empty",
        r#"
- directory: { path: /srv/new }
- directory: { path: "/srv/new/in $(id)", mode: "2775" }
- file: { path: "/srv/new/in $(id)/x", content: x }
- directory: { path: /srv/old, mode: "0755" }
- directory: { path: /srv/empty, state: absent }
"#,
    ),
    case(
        "a download comes, one is changed, one goes",
        "printf old > /srv/changed; chown games /srv/changed; setfacl -m u:backup:r /srv/changed; echo x > /srv/unwanted",
        r#"
- download: { path: /srv/brought, source: brought, sha256: da6f88aefe2430b84be2620eaf1be89f39776d5ce32b272f9c73642c19b95170 }
- download: { path: /srv/changed, source: brought, sha256: da6f88aefe2430b84be2620eaf1be89f39776d5ce32b272f9c73642c19b95170 }
- download: { path: /srv/unwanted, state: absent }
"#,
    ),
    case(
        "an archive is unpacked, over another one too, and one goes",
        "mkdir -p /srv/old/d /srv/unpacked; printf 'sha256 %064d\\nstrip 0\\n' 0 | tee /srv/old/.rempart.archive > /srv/unpacked/.rempart.archive
echo mine > /srv/old/d/mine; chown -R games /srv/old; chmod 0700 /srv/old",
        r#"
- download: { path: /opt/tool.tar.gz, source: tool.tar.gz, sha256: 5f49d8a28cbbaf8232347177e85eb283e987dd7a70daaeaa5b0a3f60730ac202 }
- archive: { path: /srv/new, from: /opt/tool.tar.gz, sha256: 5f49d8a28cbbaf8232347177e85eb283e987dd7a70daaeaa5b0a3f60730ac202, strip: 1 }
- archive: { path: /srv/old, from: /opt/tool.tar.gz, sha256: 5f49d8a28cbbaf8232347177e85eb283e987dd7a70daaeaa5b0a3f60730ac202 }
- archive: { path: /srv/unpacked, state: absent }
"#,
    ),
    case(
        "repositories come, are changed and go",
        "printf 'Types: deb\\nURIs: file:/srv/elsewhere\\nSuites: ./\\n' > /etc/apt/sources.list.d/rp-ours.sources
install -m 0600 /dev/null /etc/apt/sources.list.d/rp-gone.sources; echo x > /etc/apt/keyrings/rp-gone.asc",
        r#"
- directory: { path: /srv/repo }
- download: { path: /srv/repo/InRelease, source: InRelease, sha256: 58f3ffc5b104cef8e49be00352d334f995d2fd5ddb5b4f1d29c0c8d079d885f5 }
- download: { path: /srv/repo/Packages, source: Packages, sha256: 4af6eb1406a360af77b6f80c8e179e02e1d23acf0095d3df3193a72e195db0db }
- apt_repository: { name: rp-gone, state: absent }
- apt_repository: { name: rp-ours, uris: ["file:/srv/repo"], suites: [./], source: key.gpg, fingerprints: [C17F8E51F5BD5E9225E416B606EFF7917CFB36FD] }
"#,
    ),
    case(
        "a model that is there in part becomes another one, and one goes",
        "mkdir -p /srv/store/blobs /srv/store/manifests/registry.ollama.ai/library/tiny /srv/store/manifests/registry.ollama.ai/library/gone
cd /srv/store; printf 'brought\\n' > blobs/sha256-da6f88aefe2430b84be2620eaf1be89f39776d5ce32b272f9c73642c19b95170; chmod 0600 blobs/*
echo old > manifests/registry.ollama.ai/library/tiny/latest; echo x > manifests/registry.ollama.ai/library/gone/latest",
        r#"
- ollama_model: { name: tiny, models_dir: /srv/store, source: tiny.json }
- ollama_model: { name: gone, models_dir: /srv/store, state: absent }
"#,
    ),
    case(
        "a command says what it touches, and how it is undone",
        "echo old > /srv/touched; rm -f /srv/made",
        r#"
- command:
    run: "echo new > /srv/touched; mkdir /srv/made; touch /srv/made/a"
    creates: /srv/made
    touches: [/srv/touched]
    undo: rm -r /srv/made
"#,
    ),
    case(
        "settings of the kernel, with their files and other people's lines",
        "sysctl -qw net.ipv4.conf.all.log_martians=0 net.ipv4.conf.all.send_redirects=1
echo 'net.ipv4.conf.all.send_redirects = 1' > /etc/sysctl.d/zz-local.conf
echo 'net.ipv4.tcp_syncookies = 1' > /etc/sysctl.d/99-rempart-net.ipv4.tcp_syncookies.conf",
        r#"
- sysctl: { name: net.ipv4.conf.all.log_martians, value: 1 }
- sysctl: { name: net.ipv4.conf.all.send_redirects, value: 0 }
- sysctl: { name: net.ipv4.tcp_syncookies, state: absent }
"#,
    ),
];

#[test]
fn files_directories_commands_and_settings_are_put_back() {
    let Some(lab) = booted("undo of files", "acl") else { return };
    lab.write("files/brought", "brought\n");
    let layer = "da6f88aefe2430b84be2620eaf1be89f39776d5ce32b272f9c73642c19b95170";
    lab.write("files/tiny.json", &format!(r#"{{"layers":[],"config":{{"digest":"sha256:{layer}","size":8}}}}"#));
    for file in [
        "archive/files/tool.tar.gz",
        "apt_repository/files/InRelease",
        "apt_repository/files/Packages",
        "apt_repository/files/key.gpg",
    ] {
        let from = format!("{}/tests/tamper/{file}", env!("CARGO_MANIFEST_DIR"));
        let name = file.rsplit('/').next().unwrap();
        std::fs::copy(from, lab.folder.path().join("files").join(name)).unwrap();
    }
    there_and_back(&lab, FILES);
    // Written from a template, checked before.
    lab.write("templates/x.j2", "x {{ host }}\n");
    there_and_back(
        &lab,
        &[case("a template", "", "- template: { to: /srv/x, from: x.j2, validate: 'grep -q web1 %s' }")],
    );
    the_rest_of_the_run_stands(&lab);
}

// What others changed meanwhile is not trampled on, and what cannot be undone is said before.
fn the_rest_of_the_run_stands(lab: &Lab) {
    lab.playbook("- file: { path: /srv/a, content: a }\n- command: { run: touch /srv/b, creates: /srv/b }");
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert_eq!(plan.lines(&["cannot be undone:", "nobody knows what the command did"]).len(), 1, "{plan}");
    let number = lab.apply().ends(0).json()["run"].as_str().unwrap().to_owned();
    lab.on("web1", "echo mine > /srv/a");
    lab.rempart(&["rollback", &number, "--yes"]).ends(5);
    assert_eq!(lab.on("web1", "cat /srv/a; ls /srv/b"), "mine\n/srv/b\n");
    lab.rempart(&["rollback", &number, "--yes", "--force"]).ends(2);
    assert_eq!(lab.try_on("web1", "ls /srv/a /srv/b 2>/dev/null").out, "/srv/b\n");
}

const MOUNTS: &[Case] = &[
    case(
        "something is mounted that was not there",
        "",
        "- mount: { path: /srv/rp-new, source: tmpfs, fstype: tmpfs, options: [size=8M, noexec] }",
    ),
    case(
        "mounted with other options",
        "mkdir -p /srv/rp-old; echo 'tmpfs /srv/rp-old tmpfs size=8M,nosuid 0 0 ' >> /etc/fstab; systemctl daemon-reload; mount /srv/rp-old; echo kept > /srv/rp-old/x",
        "- mount: { path: /srv/rp-old, source: tmpfs, fstype: tmpfs, options: [size=16M, noexec, nodev] }",
    ),
    case(
        "a bind mount of others shows something else, read-only",
        "mkdir -p /srv/rp-a /srv/rp-b /srv/rp-bind; echo '/srv/rp-a /srv/rp-bind none bind 0 0' >> /etc/fstab; systemctl daemon-reload; mount /srv/rp-bind",
        "- mount: { path: /srv/rp-bind, source: /srv/rp-b, fstype: none, options: [bind, ro] }",
    ),
    case("unmounted", "", "- mount: { path: /srv/rp-bind, state: absent }"),
];

#[test]
fn mounts_are_put_back() {
    let Some(lab) = Lab::boot_one("undo of mounts") else { return };
    there_and_back(&lab, MOUNTS);
}

const ACCOUNTS: &[Case] = &[
    case(
        "a person's account with its home",
        "groupadd rp-team; getent group rp-team",
        "- user: { name: anna, groups: [rp-team, games], comment: Anna, shell: /bin/sh }",
    ),
    case(
        "a service's account",
        "",
        "- user: { name: rp-svc, system: true, home: /srv/svc, groups: [games], password_locked: true }",
    ),
    case(
        "an account is changed in everything",
        "useradd -m -G games,audio berta; printf 'berta:secret' | chpasswd; echo x > /home/berta/file",
        r#"
- user:
    name: berta
    uid: 4711
    group: rp-team
    groups: [video, audio]
    groups_exclusive: true
    home: /srv/berta
    shell: /bin/sh
    comment: B
    password_locked: true
"#,
    ),
    case("an account is removed", "", "- user: { name: berta, state: absent }"),
    case("packages come", "", "- package_apt: { names: [tree, sl], hold: true }"),
    case(
        "packages go",
        "apt-get install -qy tree sl >/dev/null 2>&1",
        "- package_apt: { names: [tree, sl], state: absent }",
    ),
    case(
        "packages are held and let go",
        "apt-mark hold sl",
        "- package_apt: { names: [tree], hold: true }\n- package_apt: { names: [sl], hold: false }",
    ),
];

#[test]
fn accounts_and_packages_are_put_back_and_others_work_is_not_trampled_on() {
    let Some(lab) = booted("undo of accounts", "tree, sl") else { return };
    lab.on("web1", "apt-get remove -qy tree sl");
    there_and_back(&lab, ACCOUNTS);
    // Others were made since, a member joined a group, and a home was used.
    lab.playbook("- user: { name: carla, groups: [games] }");
    let number = lab.apply().ends(0).json()["run"].as_str().unwrap().to_owned();
    lab.on("web1", "useradd -m -G games dora; echo mine > /home/carla/mine");
    let ran = lab.rempart(&["rollback", &number, "--yes"]);
    assert!(ran.code != 0 && ran.text().contains("holds more than a new home does"), "{ran}");
    assert_eq!(lab.on("web1", "cat /home/carla/mine; getent group games"), "mine\ngames:x:60:berta,dora\n");
    assert_eq!(lab.try_on("web1", "getent passwd carla").code, 2);
    lab.on("web1", "getent passwd dora; grep -c ^dora: /etc/shadow /etc/subuid; ls -A /home/dora; pwck -rq; grpck -r");
}

const SHARED: &[Case] = &[
    case(
        "links come, lead elsewhere and go",
        "ln -s /etc/motd /srv/link-old; chown -h games:daemon /srv/link-old; ln -s nowhere /srv/link-gone",
        r#"
- symlink: { path: "/srv/link $(id) 'new'", target: "../a 'b' c" }
- symlink: { path: /srv/link-old, target: /etc/hosts }
- symlink: { path: /srv/link-gone, state: absent }
"#,
    ),
    case(
        "groups are made, changed and removed",
        "groupadd -g 4801 rp-old; groupadd rp-bye; gpasswd -a games rp-bye; useradd -M -g rp-old rp-prime; gpasswd -a daemon rp-old",
        r#"
- group: { name: rp-new, gid: 4900, members: [daemon, games] }
- group: { name: rp-old, gid: 4902, members: [backup], members_exclusive: true }
- group: { name: rp-bye, state: absent }
"#,
    ),
    case(
        "keys of an account that has none yet",
        "useradd -m rp-anna",
        r#"
- authorized_key: { user: rp-anna, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEr4uqAP9YdMPJ7mCZVjvOpi8c94wJE3djCbVv1OjM12 anna, options: [restrict] }
- authorized_key: { user: rp-anna, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPKdLFBbihU6f2Wsfa08BP/IDYhTPXITWPFOHxGzhW98 }
"#,
    ),
    case(
        "keys are changed and removed among others, with a mode that sshd refuses",
        "mkdir -p /home/rp-anna/.ssh; cd /home/rp-anna/.ssh
printf '# mine\\n\\nno-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEr4uqAP9YdMPJ7mCZVjvOpi8c94wJE3djCbVv1OjM12 old\\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d b\\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPKdLFBbihU6f2Wsfa08BP/IDYhTPXITWPFOHxGzhW98' > authorized_keys
chown -R rp-anna:rp-anna .; chmod 0775 .; chmod 0664 authorized_keys",
        r#"
- authorized_key: { user: rp-anna, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEr4uqAP9YdMPJ7mCZVjvOpi8c94wJE3djCbVv1OjM12 new }
- authorized_key: { user: rp-anna, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPKdLFBbihU6f2Wsfa08BP/IDYhTPXITWPFOHxGzhW98, state: absent }
"#,
    ),
    case(
        "an account gets exactly these keys",
        "",
        "- authorized_key: { user: rp-anna, keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEr4uqAP9YdMPJ7mCZVjvOpi8c94wJE3djCbVv1OjM12 only], exclusive: true }",
    ),
    case(
        "the login gets a key beside its own",
        "",
        "- authorized_key: { user: admin, key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEr4uqAP9YdMPJ7mCZVjvOpi8c94wJE3djCbVv1OjM12 more }",
    ),
    case(
        "jobs of cron come, change and go",
        "printf '@daily root true\\n' | tee /etc/cron.d/rp-old > /etc/cron.d/rp-gone; chmod 0600 /etc/cron.d/rp-old",
        r#"
- cron: { name: rp-new, schedule: "1 2 3 4 5", command: "date +%F", environment: { MAILTO: "" } }
- cron: { name: rp-old, schedule: "@weekly", user: games, command: "true" }
- cron: { name: rp-gone, state: absent }
"#,
    ),
    case(
        "rules of sudo come, change and go",
        "printf 'games ALL=(ALL) ALL\\n' | tee /etc/sudoers.d/rp-old > /etc/sudoers.d/rp-gone; chmod 0400 /etc/sudoers.d/rp-old; chmod 0440 /etc/sudoers.d/rp-gone",
        r#"
- sudoers: { name: rp-new, rules: [{ users: [games], commands: [/bin/true], password: false }] }
- sudoers: { name: rp-old, content: "games ALL=(daemon) /bin/false" }
- sudoers: { name: rp-gone, state: absent }
"#,
    ),
    case(
        "all that is below a directory gets owner and modes",
        "mkdir -p '/srv/tree/a b/c'; cd /srv/tree; touch 'a b/x' 'a b/ y ' z; chown games:daemon 'a b/x'; chmod 4711 'a b/x'; chmod 0777 'a b/c'
ln -s /etc/shadow 'a b/link'; chown -h games 'a b/link'",
        r#"- directory: { path: /srv/tree, owner: daemon, recurse: true, file_mode: "0640", dir_mode: "0750" }"#,
    ),
    case(
        "lines and blocks in files of others",
        "printf '#K=0\\nx y\\r\\nK=2\\nend' > /srv/shared; chown games:daemon /srv/shared; chmod 0604 /srv/shared
printf '; BEGIN rempart b\\nold\\n; END rempart b\\nz\\n' > /srv/block",
        r#"
- line: { path: /srv/shared, match: "^#?K=", line: "K=\ttab 'q' $(id)" }
- line: { path: /srv/shared, line: "end", state: absent }
- line: { path: /srv/shared, line: "after x", after: "^x" }
- line: { path: /srv/block, block: b, content: "new\nlines\n", comment: ";" }
- line: { path: /srv/made, line: "one", create: true }
- line: { path: /srv/made, line: "two", create: true }
"#,
    ),
];

#[test]
fn what_stands_in_files_of_others_is_put_back_and_the_rest_stays() {
    let Some(lab) = booted("undo in files of others", "cron") else { return };
    there_and_back(&lab, SHARED);
    // Others have written since, before it, after it and into a file that came with it.
    lab.on("web1", "printf 'a\\nb\\nK=1\\nc\\n' > /srv/others");
    lab.playbook(
        r#"
- line: { path: /srv/others, match: "^K=", line: K=2 }
- line: { path: /srv/others, line: b, state: absent }
- line: { path: /srv/made, line: mine, create: true }
"#,
    );
    let number = lab.apply().ends(0).json()["run"].as_str().unwrap().to_owned();
    lab.on("web1", "sed -i -e '1i first' -e '$a last' /srv/others; echo theirs >> /srv/made");
    lab.rempart(&["rollback", &number, "--yes"]).ends(0);
    assert_eq!(lab.on("web1", "cat /srv/others /srv/made"), "first\na\nb\nK=1\nc\nlast\ntheirs\n");
    // What rempart itself wrote, and somebody changed since, is not trampled on.
    lab.playbook("- line: { path: /srv/others, match: '^K=', line: K=3 }");
    let number = lab.apply().ends(0).json()["run"].as_str().unwrap().to_owned();
    lab.on("web1", "sed -i s/K=3/K=4/ /srv/others");
    lab.rempart(&["rollback", &number, "--yes"]).ends(5);
}

const UNIT: &str = "cat > /etc/systemd/system/rp-one.service <<'END'
[Service]
ExecStart=/bin/sleep 1111
[Install]
WantedBy=multi-user.target
END
cp /etc/systemd/system/rp-one.service /etc/systemd/system/rp-two.service; systemctl daemon-reload
mkdir -p /etc/systemd/system/rp-one.service.d; printf '[Service]\\nEnvironment=RP_OLD=1\\n' > /etc/systemd/system/rp-one.service.d/a.conf
systemctl daemon-reload; systemctl enable -q --now rp-one; systemctl disable -q --now rp-two";

const UNITS: &[Case] = &[
    case(
        "a unit is made, enabled and started",
        "",
        r#"
- systemd_unit:
    name: rp-two
    content: "[Service]\nExecStart=/bin/sleep 2222\n[Install]\nWantedBy=multi-user.target\n"
    drop_ins: { "a": "[Service]\nEnvironment=RP_NEW=1\n" }
    enabled: true
    active: true
"#,
    ),
    case(
        "a running unit gets another file and drop-in",
        UNIT,
        r#"
- systemd_unit:
    name: rp-one
    content: "[Service]\nExecStart=/bin/sleep 3333\n[Install]\nWantedBy=multi-user.target\n"
    drop_ins: { a: "[Service]\nEnvironment=RP_NEW=1\n", b: "[Service]\nNice=3\n" }
    active: true
"#,
    ),
    case(
        "one is stopped and disabled, one enabled and started",
        "",
        "- systemd_unit: { name: rp-one, enabled: false, active: false }\n- systemd_unit: { name: rp-two, enabled: true, active: true }",
    ),
    case(
        "one of a package is masked",
        "systemctl is-enabled cron || :",
        "- systemd_unit: { name: systemd-pstore, masked: true }",
    ),
    case(
        "one is unmasked",
        "systemctl mask -q systemd-pstore",
        "- systemd_unit: { name: systemd-pstore, masked: false, enabled: true }",
    ),
    case(
        "upgrades install themselves, at another time",
        "mkdir -p /etc/systemd/system/apt-daily.timer.d; printf '[Timer]\\nRandomizedDelaySec=1h\\n' > /etc/systemd/system/apt-daily.timer.d/rempart.conf
systemctl daemon-reload; systemctl disable -q --now apt-daily-upgrade.timer",
        r#"
- apt_unattended_upgrades: { reboot: true, update_at: ["02:00"], upgrade_at: ["Sun 03:00"], spread_minutes: 30 }
"#,
    ),
    case(
        "one is removed with all that it has",
        "systemctl unmask -q systemd-pstore",
        "- systemd_unit: { name: rp-one, state: absent }",
    ),
    case(
        "a timer is made with its service",
        "",
        r#"- systemd_timer: { name: rp-timer, on_calendar: hourly, service: "[Service]\nType=oneshot\nExecStart=/bin/true\n" }"#,
    ),
    case(
        "a timer goes by other times, disabled and stopped",
        "printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' > /etc/systemd/system/rp-timer.timer
printf '[Service]\nExecStart=/bin/true\n' > /etc/systemd/system/rp-timer.service
systemctl daemon-reload; systemctl enable -q --now rp-timer.timer",
        "- systemd_timer: { name: rp-timer, on_calendar: weekly, enabled: false, active: false }",
    ),
    case(
        "a timer is removed with the service that came with it",
        "sed -i '1i # Comes with its timer, by rempart.' /etc/systemd/system/rp-timer.service; systemctl daemon-reload",
        "- systemd_timer: { name: rp-timer, state: absent }",
    ),
    case(
        "a service runs on the old file again, which it only reads at its start",
        "mkdir -p /etc/rp; echo RP_A=old > /etc/rp/env
printf '[Service]\\nEnvironmentFile=/etc/rp/env\\nExecStart=/bin/sleep 4444\\n' > /etc/systemd/system/rp-env.service
systemctl daemon-reload; systemctl start rp-env",
        r#"
- id: env
  file: { path: /etc/rp/env, content: "RP_A=new\n" }
- systemd_unit: { name: rp-env, restart_on: [env], active: true }
"#,
    ),
];

#[test]
fn units_are_put_back_and_run_on_what_is_put_back() {
    let Some(lab) = booted("undo of units", "unattended-upgrades") else { return };
    there_and_back(&lab, UNITS);
}

const SQL: &str = "cd /; rp_sql() { setpriv --reuid=postgres --regid=postgres --init-groups -- psql -XAtq -v ON_ERROR_STOP=1 \"$@\"; }";

const POSTGRES: &[Case] = &[
    case(
        "roles and databases come",
        "true",
        r#"
- postgres_role: { name: rp_group }
- postgres_role: { name: rp app, login: true, member_of: [rp_group], password: "not so secret" }
- postgres_database: { name: rp app, owner: rp app, public: false }
"#,
    ),
    case(
        "they are changed",
        "rp_sql -c 'CREATE ROLE rp_old SUPERUSER CONNECTION LIMIT 3' -c 'CREATE ROLE rp_one' -c 'GRANT rp_one TO rp_old' -c 'CREATE DATABASE rp_old'",
        r#"
- postgres_role: { name: rp_old, login: true, createdb: true, member_of: [pg_monitor], member_of_exclusive: true }
- postgres_database: { name: rp_old, owner: rp_old, connection_limit: 5, public: false }
"#,
    ),
    case(
        "settings are made, changed and let go",
        "rp_sql -c \"ALTER SYSTEM SET work_mem = '8MB'\" -c \"ALTER SYSTEM SET statement_timeout = '1h'\" -c 'SELECT pg_reload_conf()'; sleep 1",
        r#"
- postgres_setting: { name: work_mem, value: 16MB }
- postgres_setting: { name: log_connections, value: "on" }
- postgres_setting: { name: max_connections, value: 55, restart: true }
- postgres_setting: { name: statement_timeout, state: absent }
"#,
    ),
];

#[test]
fn roles_databases_and_settings_are_put_back() {
    let Some(lab) = booted("undo of postgres", "postgresql") else { return };
    lab.on("web1", "systemctl enable -q --now postgresql postgresql@15-main");
    // Its order says nothing: what ALTER SYSTEM sets goes to the end.
    let stand = "sort /var/lib/postgresql/15/main/postgresql.auto.conf; rp_sql -c \"SELECT rolname, rolcanlogin, rolsuper, \
                 rolcreatedb, rolconnlimit FROM pg_roles ORDER BY 1\" -c 'SELECT roleid::regrole, member::regrole FROM \
                 pg_auth_members ORDER BY 1, 2' -c \"SELECT datname, datdba::regrole, datconnlimit, \
                 has_database_privilege('public', oid, 'CONNECT') FROM pg_database ORDER BY 1\" \
                 -c \"SELECT name, setting FROM pg_settings WHERE name IN ('work_mem', 'max_connections')\"";
    for Case { what, before, items } in POSTGRES {
        lab.on("web1", &format!("set -e; {SQL}\n{before}"));
        let was = lab.on("web1", &format!("{SQL}\n{stand}"));
        lab.playbook(items);
        let ran = lab.apply().ends(0);
        let number = ran.json()["run"].as_str().unwrap().to_owned();
        assert_ne!(lab.on("web1", &format!("{SQL}\n{stand}")), was, "{what}: {ran}");
        let ran = lab.rempart(&["rollback", &number, "--yes"]);
        let now = lab.on("web1", &format!("{SQL}\n{stand}"));
        assert!(ran.code == 0 && now == was, "{what}:\n{}\n{ran}", differing(&was, &now));
    }
}

const LIFELINES: &[Case] = &[
    case("sshd's settings are made", "", "- sshd: { settings: { MaxAuthTries: 4, LogLevel: VERBOSE } }"),
    case(
        "sshd's settings are changed, with another order of files",
        "printf 'MaxAuthTries 5\\n' > /etc/ssh/sshd_config.d/00-rempart.conf; chmod 600 /etc/ssh/sshd_config.d/00-rempart.conf
sed -i '/^Include/d' /etc/ssh/sshd_config; systemctl reload ssh",
        "- sshd: { settings: { MaxAuthTries: 3 } }",
    ),
    case("sshd's settings are removed", "", "- sshd: { state: absent }"),
    case("a file of sshd", "", r#"- file: { path: /etc/ssh/sshd_config.d/rp.conf, content: "MaxAuthTries 2\n" }"#),
    case("sudoers", "", r#"- file: { path: /etc/sudoers.d/rp, content: "games ALL=(ALL) NOPASSWD: /bin/true\n", mode: "0440" }"#),
    case("keys", "", r#"- file: { path: /root/.ssh/rp-keys, content: "no key\n", mode: "0600" }"#),
    case("a lifeline's drop-in", "", r#"- systemd_unit: { name: ssh, drop_ins: { rp: "[Service]\nNice=-1\n" }, active: true }"#),
];

const LOGS: &[Case] = &[
    case(
        "settings of journald are made",
        "rm -rf /etc/systemd/journald.conf.d",
        "- journald: { settings: { SystemMaxUse: 64M } }",
    ),
    case(
        "settings of journald are changed, over those of others",
        "mkdir -p /etc/systemd/journald.conf.d; cd /etc/systemd/journald.conf.d
printf '[Journal]\nSystemMaxUse=1G\n' > zz.conf; printf '[Journal]\nSeal=no\n' > 99-rempart.conf",
        "- journald: { settings: { SystemMaxUse: 64M } }",
    ),
    case("settings of journald are removed", "", "- journald: { state: absent }"),
    case("a log is rotated", "", "- logrotate: { name: rp, paths: /var/log/rp.log }"),
    case(
        "a log is rotated otherwise",
        "printf '/var/log/rp.log {\n daily\n}\n' > /etc/logrotate.d/rp; chmod 0600 /etc/logrotate.d/rp",
        "- logrotate: { name: rp, paths: /var/log/rp.log }",
    ),
    case(
        "a credential is made",
        "rm -rf /etc/credstore.encrypted",
        "- systemd_credential: { name: rp, content: no secret }",
    ),
    case(
        "a credential is made anew",
        "mkdir -p -m 0755 /etc/credstore.encrypted; echo x | systemd-creds encrypt --name=rp - /etc/credstore.encrypted/rp",
        "- systemd_credential: { name: rp, content: no secret }",
    ),
    case("a credential is removed", "", "- systemd_credential: { name: rp, state: absent }"),
    case("rules of the audit are written", "", "- auditd: { name: rp, live: false, rules: [-w /etc/x -p wa -k x] }"),
    case(
        "rules of the audit are changed",
        "echo '-w /etc/y' > /etc/audit/rules.d/rp.rules; augenrules >/dev/null",
        "- auditd: { name: rp, live: false, rules: [-w /etc/x -p wa -k x] }",
    ),
    case("rules of the audit go", "", "- auditd: { name: rp, state: absent }"),
    case("a log is rotated no more", "", "- logrotate: { name: rp, state: absent }"),
];

#[test]
fn what_is_done_with_logs_is_put_back() {
    let Some(lab) = booted("undo of logs", "logrotate, auditd") else { return };
    there_and_back(&lab, LOGS);
}

const SERVICES: &[Case] = &[
    case(
        "the firewall is switched on with its rules",
        "",
        "- firewall_rule: { allow: 22/tcp }\n- firewall_ufw: { incoming: deny, logging: low }",
    ),
    case(
        "a rule comes, another goes",
        "ufw allow 80/tcp; ufw allow 22/tcp; ufw --force enable",
        "- firewall_rule: { allow: 443/tcp }\n- firewall_rule: { allow: 80/tcp, state: absent }\n- firewall_ufw: { incoming: reject }",
    ),
    case("the firewall is switched off", "", "- firewall_ufw: { enabled: false }"),
    case("squid is set up", "systemctl disable -q --now squid || :", "- squid: { allow_domains: [.example.org] }"),
    case(
        "squid listens elsewhere",
        "systemctl enable -q --now squid; sleep 2",
        "- squid: { allow_domains: [.example.org], ports: [3129] }",
    ),
    case("squid goes", "", "- squid: { state: absent }"),
];

const TABLE: &[Case] = &[
    case(
        "a table of nftables comes",
        "",
        "- firewall_nftables: { rules: [{ allow: 22/tcp }, { deny: 80/tcp, comment: old }], routed: reject }",
    ),
    case(
        "its rules change",
        "",
        "- firewall_nftables: { rules: [{ allow: 22/tcp }, { allow: 80/tcp, from: 10.0.0.0/8 }], outgoing: allow }",
    ),
    case("it goes", "", "- firewall_nftables: { state: absent }"),
];

#[test]
fn what_can_lock_people_out_is_put_back_too() {
    let Some(lab) = booted("undo of lifelines", "nftables") else { return };
    lab.on("web1", "mkdir -p -m 700 /root/.ssh");
    there_and_back(&lab, LIFELINES);
    there_and_back(&lab, &TABLE[..1]);
    lab.playbook(TABLE[0].items);
    lab.apply().ends(0);
    there_and_back(&lab, &TABLE[1..]);
    lab.playbook(TABLE[2].items);
    lab.apply().ends(0);
    // Refused by the real tool, before anything is replaced.
    for (path, bad, tool) in [
        ("/etc/sudoers.d/bad", "games ALL=(ALL\\n", "syntax error"),
        ("/etc/ssh/sshd_config.d/bad.conf", "Bogus yes\\n", "Bad configuration option"),
        ("/etc/nftables.conf", "table inet {\\n", "syntax error"),
    ] {
        let before = lab.on("web1", SNAPSHOT);
        lab.playbook(&format!("- file: {{ path: {path}, content: \"{bad}\" }}"));
        let ran = lab.apply().ends(4);
        assert!(ran.text().contains(tool), "{path}: {ran}");
        // The guard took the attempt back; its own units stay until the next one.
        let left = differing(&before, &lab.on("web1", SNAPSHOT));
        assert!(left.lines().all(|line| line.contains("rempart-guard")), "{path}:\n{left}");
    }
}

#[test]
fn the_firewall_and_squid_are_put_back_with_what_they_are_in_the_kernel() {
    let Some(lab) = booted("undo of services", "ufw, squid") else { return };
    there_and_back(&lab, SERVICES);
}

#[test]
fn a_container_that_was_not_there_goes_again_and_a_changed_one_says_that_it_cannot() {
    let mut machine = Machine::new("web1");
    machine.docker = true;
    let Some(lab) = Lab::boot("undo of containers", &[machine]) else { return };
    lab.playbook(
        "- package_apt: { names: [docker.io, busybox-static] }\n- systemd_unit: { name: docker, active: true }",
    );
    lab.apply().ends(0);
    lab.on("web1", IMAGE);
    let stand = "docker ps -a --format '{{.Names}} {{.State}}' | sort; docker network ls --format '{{.Name}}' | sort
docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}' rp 2>/dev/null || :";
    let item = |more: &str| format!("- docker_container: {{ name: rp, image: \"rp:1\", {more} }}");
    for (what, before, items) in [
        ("made, with a network", "true", item("network: rp-net")),
        (
            "its limits are changed",
            "docker run -d --name rp --network none --memory 64m --restart unless-stopped rp:1",
            item("memory: 96m"),
        ),
        ("stopped", "true", item("memory: 64m, state: stopped")),
    ] {
        lab.on("web1", before);
        let was = lab.on("web1", stand);
        lab.playbook(&items);
        let ran = lab.apply().ends(0);
        let number = ran.json()["run"].as_str().unwrap().to_owned();
        assert_ne!(lab.on("web1", stand), was, "{what}: {ran}");
        let ran = lab.rempart(&["rollback", &number, "--yes"]);
        assert!(ran.code == 0 && lab.on("web1", stand) == was, "{what}: {was}\n{ran}");
    }
    lab.playbook(&item("memory: 64m, init: true"));
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert_eq!(plan.lines(&["cannot be undone:", "what a container wrote into itself"]).len(), 1, "{plan}");
}

// What docker itself says of networks and images; not ids of networks, which are new in one that came back.
const NETWORKS: &str = r#"docker network ls --format '{{.Name}}' | sort | while read -r name; do
docker network inspect -f '{{.Name}} {{.Driver}} {{.Internal}} {{.EnableIPv6}} {{json .IPAM.Config}} {{json .Options}} {{json .Labels}}' "$name"; done
docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | grep -v '^<none>' | sort; ls /var/lib/rempart/images 2>/dev/null || :"#;

const DOCKER: &[Case] = &[
    case("a network is made", "", "- docker_network: { name: rp-new, subnets: [{ subnet: 10.77.1.0/24 }] }"),
    case(
        "a network is made anew, with other addresses",
        "docker network create --label 'a=it is' --subnet 10.77.2.0/24 --ip-range 10.77.2.128/25 --opt com.docker.network.bridge.name=br-rp rp-old",
        "- docker_network: { name: rp-old, internal: true, subnets: [{ subnet: 10.77.3.0/24, gateway: 10.77.3.9 }] }",
    ),
    case(
        "one whose addresses docker chose is made anew, and one is removed",
        "docker network create rp-auto",
        "- docker_network: { name: rp-auto, labels: { a: b } }\n- docker_network: { name: rp-old, state: absent }",
    ),
    case(
        "images come, and one takes the name of another",
        "printf x > /srv/x; tar -C /srv -cf - x | docker import - tamper/rootfs:1",
        r#"
- docker_image: { name: "tamper/tiny:1", archive: /srv/images/tiny.tar, sha256: 4761a0c2110085880415026db4e720a38dc2721917774c876c13ec02e6c8a85e }
- docker_image: { name: "tamper/rootfs:1", archive: /srv/images/rootfs.tar, format: rootfs, sha256: ee7c4a57cd7a9d475fe50c2d9a81a3995c6b1383bb5e9c813e46d08265c62991 }
"#,
    ),
];

#[test]
fn networks_and_images_are_put_back_and_what_is_in_use_is_left_alone() {
    let mut machine = Machine::new("web1");
    machine.docker = true;
    let Some(lab) = Lab::boot("undo of docker", &[machine]) else { return };
    lab.playbook(
        "- package_apt: { names: [docker.io, busybox-static] }\n- systemd_unit: { name: docker, active: true }",
    );
    lab.apply().ends(0);
    for name in ["tiny.tar", "rootfs.tar", "two-names.tar"] {
        let from = format!("{}/tests/tamper/docker_image/files/{name}", env!("CARGO_MANIFEST_DIR"));
        let data = BASE64_STANDARD.encode(std::fs::read(from).unwrap());
        lab.on("web1", &format!("mkdir -p /srv/images; echo {data} | base64 -d > /srv/images/{name}"));
    }
    for Case { what, before, items } in DOCKER {
        lab.on("web1", &format!("set -e\n{before}"));
        let was = lab.on("web1", NETWORKS);
        lab.playbook(items);
        let ran = lab.apply().ends(0);
        let number = ran.json()["run"].as_str().unwrap().to_owned();
        assert_ne!(lab.on("web1", NETWORKS), was, "{what}: {ran}");
        let ran = lab.rempart(&["rollback", &number, "--yes"]);
        let now = lab.on("web1", NETWORKS);
        assert!(ran.code == 0 && now == was, "{what}:\n{}\n{ran}", differing(&was, &now));
        eprintln!("{what}: there and back");
    }
    // A container that does not even run keeps its network, whatever is wanted of it.
    lab.on("web1", IMAGE);
    lab.on(
        "web1",
        "docker create --name rp-one --network rp-old rp:1; docker run -d --name rp-two --network rp-old rp:1",
    );
    let was = lab.on("web1", NETWORKS);
    for items in
        ["- docker_network: { name: rp-old, state: absent }", "- docker_network: { name: rp-old, internal: true }"]
    {
        lab.playbook(items);
        let ran = lab.apply();
        assert!(ran.code != 0 && ran.text().contains("in use by rp-one, rp-two"), "{ran}");
        assert_eq!(lab.on("web1", NETWORKS), was);
    }
    // Nor does an image go that a container was made of; and one that would take other people's names does not come.
    let sum = "1ddd97cc3faadbf0ea02674330425a6305e4bb25d5dfb857a1f7b4beb575586d";
    for (items, why) in [
        ("- docker_image: { name: \"rp:1\", state: absent }".to_owned(), "in use by rp-"),
        (
            format!("- docker_image: {{ name: \"tamper/tiny:1\", archive: /srv/images/two-names.tar, sha256: {sum} }}"),
            "other names too: others/theirs:1",
        ),
        (
            format!("- docker_image: {{ name: \"tamper/tiny:1\", archive: /srv/images/tiny.tar, sha256: {sum} }}"),
            "has the sum 4761a0c2",
        ),
    ] {
        lab.playbook(&items);
        let ran = lab.apply();
        assert!(ran.code != 0 && ran.text().contains(why), "{ran}");
        assert_eq!(lab.on("web1", NETWORKS), was);
    }
    lab.on("web1", "docker rm -f rp-one rp-two");
    lab.playbook("- docker_image: { name: \"rp:1\", state: absent }");
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert_eq!(plan.lines(&["cannot be undone:", "deletes an image"]).len(), 1, "{plan}");
    lab.apply().ends(0);
    lab.on("web1", "! docker image inspect rp:1 2>/dev/null");
    lab.playbook("- docker_network: { name: rp-old, state: absent }");
    lab.apply().ends(0);
    // Docker refuses the new one, which wants the addresses of another: the old one is back.
    lab.on(
        "web1",
        "docker network create --subnet 10.77.5.0/24 rp-other; docker network create --subnet 10.77.6.0/24 rp-old",
    );
    let was = lab.on("web1", NETWORKS);
    lab.playbook("- docker_network: { name: rp-old, subnets: [{ subnet: 10.77.5.0/24 }] }");
    let ran = lab.apply();
    assert!(ran.code != 0 && ran.text().contains("the old one is back"), "{ran}");
    assert_eq!(lab.on("web1", NETWORKS), was);
}

const PROJECTS: &[Case] = &[
    case(
        "a project comes",
        "",
        r#"- docker_compose: { name: rp, directory: /srv/rp, content: "version: '2.4'\nservices: { web: { image: 'rp:1', network_mode: none } }\n", env: { A: b } }"#,
    ),
    case(
        "a project is changed",
        "mkdir -m 0750 /srv/old; cd /srv/old; printf \"version: '2.4'\\nservices: { web: { image: 'rp:1', command: [sleep, '3000'] } }\\n\" > compose.yaml; if docker compose version >/dev/null 2>&1; then docker compose -p old up -d; else docker-compose -p old -f compose.yaml up -d; fi",
        r#"- docker_compose: { name: old, directory: /srv/old, content: "version: '2.4'\nservices: { db: { image: 'rp:1', network_mode: none } }\n" }"#,
    ),
    case("a project is taken down", "", "- docker_compose: { name: old, directory: /srv/old, state: absent }"),
];

#[test]
fn projects_of_compose_are_put_back() {
    projects_on("bookworm");
}

#[test]
fn projects_of_compose_2_are_put_back() {
    projects_on("trixie");
}

fn projects_on(release: &'static str) {
    let mut machine = Machine::new("web1");
    (machine.docker, machine.release) = (true, release);
    let Some(lab) = Lab::boot(&format!("undo of compose on {release}"), &[machine]) else { return };
    let client = if release == "bookworm" { "" } else { ", docker-cli" };
    lab.playbook(&format!(
        "- package_apt: {{ names: [docker.io, docker-compose, busybox-static{client}] }}\n- systemd_unit: {{ name: docker, active: true }}"
    ));
    lab.apply().ends(0);
    lab.on("web1", IMAGE);
    let which =
        "if docker compose version >/dev/null 2>&1; then docker compose version; else docker-compose version; fi";
    eprintln!("{release}: {}", lab.on("web1", which).lines().next().unwrap_or_default());
    let stand = r#"docker ps -a --format '{{.Names}} {{.State}} {{.Command}} {{.Label "com.docker.compose.config-hash"}}' | sort
docker network ls --format '{{.Name}}' | sort; find /srv ! -type d -printf '%p %m %u\n' -exec sha256sum '{}' ';'; find /srv -type d -printf '%p %m %u\n'"#;
    for Case { what, before, items } in PROJECTS {
        lab.on("web1", &format!("set -e\n{before}"));
        let was = lab.on("web1", stand);
        lab.playbook(items);
        let ran = lab.apply().ends(0);
        let found = lab.drift();
        assert!(found.json()["totals"]["as_declared"] == 1, "{what}: {found}");
        let number = ran.json()["run"].as_str().unwrap().to_owned();
        assert_ne!(lab.on("web1", stand), was, "{what}: {ran}");
        let ran = lab.rempart(&["rollback", &number, "--yes"]);
        let now = lab.on("web1", stand);
        assert!(ran.code == 0 && now == was, "{what}:\n{}\n{ran}", differing(&was, &now));
        eprintln!("{what}: there and back");
    }
    // What Compose itself refuses replaces nothing.
    let was = lab.on("web1", stand);
    lab.playbook(
        r#"- docker_compose: { name: old, directory: /srv/old, content: "services: { web: { imagine: x } }\n" }"#,
    );
    let ran = lab.apply();
    assert!(ran.code != 0 && ran.text().contains("imagine"), "{ran}");
    assert_eq!(lab.on("web1", stand), was);
}

// An image of a static busybox: no registry is asked.
pub(crate) const IMAGE: &str = r#"d=$(mktemp -d); mkdir -p "$d/bin" "$d/tmp" "$d/proc" "$d/dev" "$d/sys"; cp "$(command -v busybox)" "$d/bin/busybox"
for tool in sh sleep; do ln -s busybox "$d/bin/$tool"; done
tar -C "$d" -c . | docker import -c 'CMD ["sleep","1000"]' -c 'ENV PATH=/bin' - rp:1"#;

// A kind that changes something and has no case here would go untested.
#[test]
fn every_kind_is_taken_back_on_a_real_host() {
    let all = [FILES, ACCOUNTS, SHARED, UNITS, LIFELINES, TABLE, LOGS, MOUNTS, POSTGRES, SERVICES, DOCKER, PROJECTS]
        .into_iter()
        .flatten();
    let items: String = all.map(|case| case.items).collect::<Vec<_>>().join("\n");
    for kind in KINDS.iter().filter(|entry| !entry.check) {
        let known = items.contains(&format!("{}: {{", kind.name)) || items.contains(&format!("{}:\n", kind.name));
        // A reboot cannot be taken back; it has a test of its own.
        assert!(known || ["docker_container", "reboot", "template"].contains(&kind.name), "{} has no case", kind.name);
    }
}
