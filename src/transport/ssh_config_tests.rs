//! Owns the tests of `ssh_config`.

use proptest::prelude::*;

use super::*;

fn ask(text: &str, host: &str, user: Option<&str>) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, text).unwrap();
    let query = Query { original: host, user, local_user: "me", home: folder.path() };
    resolve(&[file], &query, &|command| command == "true")
}

#[test]
fn the_first_value_wins_and_identity_files_add_up() {
    let text = "# c\nHost web !web9\n  Port=2222\n  HostName \"%h.example\"\n IdentityFile a\nHost *\n Port 22\n \
                IdentityFile b\n User deploy # not root\n";
    let web = ask(text, "web", None).unwrap();
    assert_eq!((web.port, web.host_name.as_deref()), (Some(2222), Some("%h.example")));
    assert_eq!(web.identity_files, ["a", "b"]);
    assert_eq!(web.user.as_deref(), Some("deploy"));
    assert_eq!(ask(text, "web9", None).unwrap().port, Some(22));
}

#[test]
fn match_knows_host_originalhost_user_all_and_exec() {
    let text = "Host a\n HostName 10.0.0.1\nMatch host 10.0.0.* user root\n Port 1\nMatch originalhost b,c\n Port 2\n\
                Match !user me exec \"true\"\n Port 3\nMatch exec \"false\"\n Port 4\nMatch all\n Port 5\n";
    let port = |host, user| ask(text, host, user).unwrap().port;
    assert_eq!(port("a", Some("root")), Some(1));
    assert_eq!(port("b", None), Some(2));
    assert_eq!(port("x", Some("you")), Some(3));
    assert_eq!(port("x", None), Some(5));
}

#[test]
fn include_holds_within_its_block_and_takes_patterns() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".ssh")).unwrap();
    fs::write(folder.path().join(".ssh/10.conf"), "Port 10\nHost other\n User wrong\n").unwrap();
    fs::write(folder.path().join(".ssh/20.conf"), "Port 20\nUser right\n").unwrap();
    let file = folder.path().join("config");
    fs::write(&file, "Host a\n Include *.conf\nHost b\n Include ~/.ssh/20.conf\n").unwrap();
    let query = |host| Query { original: host, user: None, local_user: "me", home: folder.path() };
    let ask = |host| resolve(std::slice::from_ref(&file), &query(host), &|_| false).unwrap();
    assert_eq!((ask("a").port, ask("a").user.as_deref()), (Some(10), Some("right")));
    assert_eq!(ask("b").port, Some(20));
    assert_eq!(ask("c"), Settings::default());
}

#[test]
fn of_proxyjump_and_proxycommand_the_first_wins() {
    let jump = ask("ProxyJump b1,b2\nProxyCommand nc %h %p\n", "x", None).unwrap();
    assert_eq!((jump.proxy_jump.as_deref(), jump.proxy_command), (Some("b1,b2"), None));
    let command = ask("ProxyCommand sh -c \"nc '%h' %p\" # all\nProxyJump b\n", "x", None).unwrap();
    assert_eq!(command.proxy_command.as_deref(), Some("sh -c \"nc '%h' %p\" # all"));
    assert_eq!(command.proxy_jump, None);
}

#[test]
fn faults_name_file_and_line() {
    for (text, part) in [
        ("\nPort x\n", "config:2: port is no number: x"),
        ("Host \"a\n", "config:1: a quote is not closed"),
        ("Match moon full\n", "config:1: Match moon is not known"),
        ("Match host\n", "config:1: Match host has no value"),
        ("User\n", "config:1: user has no value"),
    ] {
        let error = ask(text, "x", None).unwrap_err();
        assert!(error.ends_with(part), "{error}");
    }
}

proptest! {
    #[test]
    fn junk_never_panics(text in "(\\PC|\n|\"|\\\\|=|\\$\\{|%){0,200}", host in "\\PC{0,20}") {
        let _ = ask(&text, &host, None);
        let _ = super::super::ssh_config_words::fill(&text, &|_| None);
        let _ = expand_environment(&text);
    }
}
