//! The judgement of a host as a whole, from answers as hosts give them, whole and garbled.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;
use crate::model::ResourceId;
use crate::resource::{
    Answer, Foreseen, ForeseenAccount, ForeseenRule, ForeseenSwitch, ManagedFile, Origin, ProbeScript, SectionOutput,
};
use crate::secret::Rendered;
use crate::transport::{Agreed, Login, Method};

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGJtVHLxA0EYCQ2S1Wn2V4xQ7EZ5nV0o3aP4T3P5oJ0d";
const SETTINGS: &str = "port 22\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:22\nmaxstartups 10:30:100\nmaxsessions 10\n\
                        maxauthtries 6\npubkeyauthentication yes\npasswordauthentication no\n\
                        kbdinteractiveauthentication no\npermitrootlogin without-password\nusepam yes\n\
                        forcecommand none\nchrootdirectory none\nauthenticationmethods any\n\
                        authorizedkeyscommand none\ntrustedusercakeys none\nrevokedkeys none\n\
                        authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2\n\
                        ciphers aes256-gcm@openssh.com,aes256-ctr\n";
const UNITS: &str = "Id=ssh.service\nNames=ssh.service\nLoadState=loaded\nActiveState=active\n\n\
                     Id=ssh.socket\nNames=ssh.socket\nLoadState=loaded\nActiveState=inactive\n\n\
                     Id=nftables.service\nNames=nftables.service\nLoadState=loaded\nActiveState=inactive\n";
const GRANTS: &str = "User admin may run the following commands on web1:\n    (ALL : ALL) NOPASSWD: ALL\n";

fn login() -> Login {
    let agreed = vec![Agreed {
        keyword: "Ciphers",
        chosen: "aes256-ctr".into(),
        able: vec!["aes256-ctr".into(), "aes128-ctr".into()],
    }];
    Login { user: "admin".into(), method: Method::Key(BASE64_STANDARD.decode(KEY).unwrap()), agreed }
}

fn sections() -> Vec<(&'static str, String)> {
    let keys = format!("ssh-ed25519 {KEY}\n");
    vec![
        (scene::CONNECTION, "192.0.2.1 40000 192.0.2.11 22\n".into()),
        (scene::ACCOUNT, "admin:x:1000:1000::/home/admin:/bin/bash\nadmin sudo\nruns\nopen\n".into()),
        ("systemctl show", UNITS.into()),
        ("systemctl list-unit-files", "ssh.service enabled enabled\n".into()),
        (question::SOCKET, String::new()),
        (question::INTERFACE, "192.0.2.1 dev eth0 src 192.0.2.11 uid 0 \\    cache\n".into()),
        (question::IPTABLES[0], String::new()),
        (question::IPTABLES[1], String::new()),
        (question::NFT[0], r#"{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]}"#.into()),
        (question::NFT[1], String::new()),
        (question::SSHD[0], SETTINGS.into()),
        (question::SSHD[1], SETTINGS.into()),
        (question::KEYS, format!("1000 {} /home/admin/.ssh/authorized_keys\n{keys}\n", keys.len())),
        (question::SUDO[0], GRANTS.into()),
        (question::SUDO[1], GRANTS.into()),
    ]
}

fn judged(foreseen: &Foreseen, sections: &[(&'static str, String)]) -> WayIn {
    let answer =
        Answer::of_sections(sections.iter().map(|(name, text)| {
            (*name, SectionOutput { stdout: text.clone().into_bytes(), ..SectionOutput::default() })
        }));
    judge(&Scene {
        login: &login(),
        has_login_password: false,
        has_sudo_password: false,
        by_sudo: true,
        connections: 4,
        foreseen,
        answer: &answer,
    })
}

fn with(changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut all = sections();
    for (name, text) in changes {
        all.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| *old = (*text).to_owned());
    }
    all
}

fn file(foreseen: &mut Foreseen, path: &str, text: &str) {
    foreseen.begin(Origin { id: ResourceId::new("file", path), place: "site.yaml:7".into() });
    let content = Some(Rendered::plain(text));
    let owner = || "root".to_owned();
    let file = ManagedFile { path: path.into(), content, mode: "0644".into(), owner: owner(), group: owner() };
    foreseen.put_file(&file, false);
}

// Changes of all kinds at once.
fn everything() -> Foreseen {
    let mut foreseen = Foreseen::default();
    file(&mut foreseen, "/etc/ssh/sshd_config.d/x.conf", "UseDNS no\n");
    file(&mut foreseen, "/etc/nftables.conf", "table inet x {}\n");
    file(&mut foreseen, "/etc/sudoers.d/x", "");
    let origin = foreseen.origin();
    foreseen.ufw().switch = Some(ForeseenSwitch {
        enabled: true,
        incoming: "DROP",
        outgoing: None,
        ipv6: None,
        only: None,
        origin: origin.clone(),
    });
    foreseen.ufw().rules.push(ForeseenRule {
        v6: false,
        key: "tcp 22 0.0.0.0/0 any 0.0.0.0/0 in".into(),
        verb: "allow",
        lines: Some(vec!["-A ufw-user-input -p tcp --dport 22 -j ACCEPT".into()]),
        origin: origin.clone(),
    });
    let account = ForeseenAccount {
        shell: None,
        home: None,
        uid: None,
        locked: Some(true),
        group: None,
        groups: vec!["adm".into()],
        groups_only: false,
        origin,
    };
    foreseen.accounts.insert("admin".into(), account);
    foreseen
}

fn rulings(way: &WayIn) -> Vec<(Part, Ruling)> {
    way.verdicts.iter().map(|verdict| (verdict.part, verdict.ruling)).collect()
}

#[test]
fn a_host_that_answers_well_is_judged_in_all_parts() {
    let mut foreseen = everything();
    foreseen.ufw = None;
    foreseen.files.remove("/etc/nftables.conf");
    let way = judged(&foreseen, &sections());
    let open = [Part::Listening, Part::Admission, Part::Method, Part::Account, Part::Sudo];
    assert_eq!(rulings(&way), open.map(|part| (part, Ruling::Open)), "{way:?}");
    assert_eq!((way.from, way.port), (Some("192.0.2.1".parse().unwrap()), Some(22)));
}

#[test]
fn each_part_is_closed_by_what_closes_it() {
    let ssh = || {
        let mut foreseen = Foreseen::default();
        file(&mut foreseen, "/etc/ssh/sshd_config", "");
        foreseen
    };
    let sshd = |from: &str, to: &str| {
        let then = SETTINGS.replace(from, to);
        assert_ne!(then, SETTINGS);
        judged(&ssh(), &with(&[(question::SSHD[1], &then)]))
    };
    for (from, to, part) in [
        (
            "port 22\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:22",
            "port 2\nlistenaddress 0.0.0.0:2",
            Part::Listening,
        ),
        ("listenaddress 0.0.0.0:22", "listenaddress 192.0.2.12:22", Part::Listening),
        ("usepam yes", "usepam yes\nallowusers root", Part::Admission),
        ("usepam yes", "usepam yes\nallowusers admin@198.51.100.*", Part::Admission),
        ("usepam yes", "usepam yes\ndenygroups sudo", Part::Admission),
        ("forcecommand none", "forcecommand /bin/false", Part::Admission),
        ("pubkeyauthentication yes", "pubkeyauthentication no", Part::Method),
        ("usepam yes", "usepam yes\npubkeyacceptedalgorithms rsa-sha2-512", Part::Method),
        ("authenticationmethods any", "authenticationmethods publickey,password", Part::Method),
        ("ciphers aes256-gcm@openssh.com,aes256-ctr", "ciphers chacha20-poly1305@openssh.com", Part::Method),
        (".ssh/authorized_keys .ssh/authorized_keys2", "/none", Part::Key),
    ] {
        let way = sshd(from, to);
        let closed: Vec<Part> = way.closed().map(|verdict| verdict.part).collect();
        // Of `/none` nobody was asked, so nobody can tell.
        let expected = if to == "/none" { vec![] } else { vec![part] };
        assert_eq!(closed, expected, "{to}: {way:?}");
        assert!(way.ruling() != Ruling::Open, "{to}");
    }
    let way = sshd("ciphers aes256-gcm@openssh.com,aes256-ctr", "ciphers aes128-ctr");
    assert_eq!(way.ruling(), Ruling::Undecided);
    let verdict = sshd("usepam yes", "usepam yes\nallowusers root").closed().next().cloned().unwrap();
    assert_eq!(verdict.resource, Some(ResourceId::new("file", "/etc/ssh/sshd_config")));
    assert_eq!(verdict.place.as_deref(), Some("site.yaml:7"));
}

#[test]
fn a_socket_of_systemd_decides_over_the_ports_of_sshd() {
    let mut foreseen = Foreseen::default();
    file(&mut foreseen, "/etc/ssh/sshd_config", "");
    let ports = SETTINGS.replace("port 22", "port 2222").replace(":22\n", ":2222\n");
    let units = UNITS.replace(
        "ssh.socket\nLoadState=loaded\nActiveState=inactive",
        "ssh.socket\nLoadState=loaded\nActiveState=active",
    );
    let changes: [(&'static str, &str); 3] =
        [(question::SSHD[1], &ports), ("systemctl show", &units), (question::SOCKET, "[::]:22 (Stream)\n")];
    let listening = |foreseen: &Foreseen, changes: &[(&'static str, &str)]| {
        let way = judged(foreseen, &with(changes));
        way.verdicts.iter().find(|verdict| verdict.part == Part::Listening).unwrap().ruling
    };
    assert_eq!(listening(&foreseen, &changes), Ruling::Open);
    assert_eq!(listening(&foreseen, &changes[..1]), Ruling::Closed);
    foreseen.socket = Some((vec!["2222".into()], foreseen.origin()));
    assert_eq!(listening(&foreseen, &changes), Ruling::Closed);
    foreseen.socket = Some((vec!["22".into(), "2222".into()], foreseen.origin()));
    assert_eq!(listening(&foreseen, &changes), Ruling::Open);
    // What systemd says is not understood: nobody can tell.
    let garbled = [changes[0], ("systemctl show", "nothing")];
    assert_eq!(listening(&foreseen, &garbled), Ruling::Undecided);
}

#[test]
fn who_would_shut_us_out_now_is_not_believed() {
    let mut foreseen = Foreseen::default();
    file(&mut foreseen, "/etc/ssh/sshd_config", "");
    let deaf = SETTINGS.replace("usepam yes", "usepam yes\nallowusers root");
    let way = judged(&foreseen, &with(&[(question::SSHD[0], &deaf), (question::SSHD[1], &deaf)]));
    assert!(way.closed().next().is_none() && way.ruling() == Ruling::Undecided, "{way:?}");
}

#[test]
fn files_of_the_network_are_told_as_undecided() {
    for (path, part) in [
        ("/etc/systemd/network/10-host0.network", Part::Network),
        ("/etc/network/interfaces", Part::Network),
        ("/etc/systemd/system/ssh.service.d/x.conf", Part::Listening),
    ] {
        let mut foreseen = Foreseen::default();
        file(&mut foreseen, path, "x\n");
        assert_eq!(rulings(&judged(&foreseen, &sections())), [(part, Ruling::Undecided)], "{path}");
    }
    let mut calm = Foreseen::default();
    file(&mut calm, "/etc/motd", "x\n");
    assert!(calm.is_empty());
}

#[test]
fn a_secret_is_never_looked_into_and_never_travels() {
    let mut foreseen = Foreseen::default();
    file(&mut foreseen, "/etc/ssh/sshd_config.d/x.conf", "AllowUsers root\n");
    let secret = crate::secret::Secret::new("net", "hunter2");
    let owner = || "root".to_owned();
    let hidden = ManagedFile {
        path: "/etc/ssh/sshd_config.d/y.conf".into(),
        content: Some(Rendered::secret(secret)),
        mode: "0600".into(),
        owner: owner(),
        group: owner(),
    };
    foreseen.put_file(&hidden, false);
    assert_eq!(judged(&foreseen, &sections()).ruling(), Ruling::Undecided);
    let mut script = ProbeScript::default();
    ask("admin", &foreseen, &mut script);
    let text = script.finish("nonce", std::time::Duration::from_secs(1)).script.text;
    assert!(text.contains("AllowUsers root") && !text.contains("hunter2"));
}

#[test]
fn a_plan_is_asked_about_what_it_touches_and_nothing_else() {
    let mut foreseen = Foreseen::default();
    file(&mut foreseen, "/home/admin/.ssh/authorized_keys", "");
    let mut script = ProbeScript::default();
    ask("admin", &foreseen, &mut script);
    let text = script.finish("nonce", std::time::Duration::from_secs(1)).script.text;
    assert!(!text.contains("iptables-save") && !text.contains("sudo -l") && !text.contains("nft -"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_garbled_section_panics_nobody_and_something_is_always_told(
        at in 0usize..15,
        text in prop_oneof![Just(String::new()), "(?s).{0,60}", "[a-z]{1,12} [a-z0-9:.]{0,12}\n", "[{\"nftables\": ]{0,20}"],
        cut in any::<proptest::sample::Index>(),
    ) {
        let foreseen = everything();
        let mut all = sections();
        let whole = all[at].1.clone();
        let parts: Vec<char> = whole.chars().collect();
        let head: String = parts[..cut.index(parts.len() + 1)].iter().collect();
        for garbled in [text.clone(), format!("{head}{text}"), head] {
            all[at].1 = garbled;
            let way = judged(&foreseen, &all);
            prop_assert!(!way.verdicts.is_empty());
        }
    }

    #[test]
    fn hostile_users_and_paths_stay_words(user in "[^\0]{1,20}", name in "[^\0/]{1,20}", text in "[^\0]{0,40}") {
        let mut foreseen = Foreseen::default();
        file(&mut foreseen, &format!("/etc/ssh/sshd_config.d/{name}"), &text);
        let mut script = ProbeScript::default();
        ask(&user, &foreseen, &mut script);
        let script = script.finish("nonce", std::time::Duration::from_secs(1)).script.text;
        let parsed = std::process::Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
        prop_assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    }
}
