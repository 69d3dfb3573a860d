//! Owns the tests of `route`.

use std::fs;

use super::*;

fn target(config: &Path) -> Target {
    Target { ssh_config: Some(config.to_owned()), ..Target::bare("web", "web") }
}

#[test]
fn the_target_wins_over_ssh_config_and_that_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(
        &file,
        "Host web\n HostName %h.lan\n Port 2222\n User deploy\n IdentityFile /k/%h-%r\n ProxyJump a@b:1,c\n\
         UserKnownHostsFile /k1 /k2\n GlobalKnownHostsFile none\n ConnectTimeout 3\n IdentityAgent none\n",
    )
    .unwrap();
    let route = Route::of(&target(&file)).unwrap();
    assert_eq!((route.place().as_str(), route.user.as_str()), ("web.lan:2222", "deploy"));
    assert_eq!(route.identities, [Identity { path: "/k/web.lan-deploy".into(), named: true }]);
    assert_eq!(route.way, Way::Jump(vec!["a@b:1".into(), "c".into()]));
    assert_eq!(route.known_files, [PathBuf::from("/k1"), PathBuf::from("/k2")]);
    assert_eq!((route.timeout, route.agent), (Duration::from_secs(3), None));

    let said = Target { port: Some(1), user: Some("me".into()), jump: Some("none".into()), ..target(&file) };
    let route = Route::of(&said).unwrap();
    assert_eq!((route.port, route.user.as_str(), route.way), (1, "me", Way::Direct));

    let bare = Route::of(&Target { ssh_config: Some(PathBuf::new()), ..target(&file) }).unwrap();
    assert_eq!((bare.port, bare.identities.len(), bare.identities[0].named), (22, 3, false));
    let missing = Route::of(&Target { ssh_config: Some("/nowhere".into()), ..target(&file) }).unwrap_err();
    assert_eq!(missing.to_string(), "cannot reach web at web: ssh_config: /nowhere does not exist");
}

#[test]
fn hops_are_read_as_openssh_does() {
    assert_eq!(hop("a@b:1").unwrap(), (Some("a".into()), "b".into(), Some(1)));
    assert_eq!(hop("ssh://b").unwrap(), (None, "b".into(), None));
    assert_eq!(hop("[fe80::1]:2").unwrap(), (None, "fe80::1".into(), Some(2)));
    assert_eq!(hop("fe80::1").unwrap(), (None, "fe80::1".into(), None));
    assert!(hop("a@:1").is_err() && hop("b:x").is_err());
}
