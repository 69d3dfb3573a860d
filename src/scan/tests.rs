use super::*;

fn one(place: &str, text: &str) -> Finding {
    let found = scan(place, text);
    assert_eq!(found.len(), 1, "{place}: {text}: {found:?}");
    found[0].clone()
}

#[test]
fn a_finding_says_where_in_lines_and_characters() {
    let found = one("a/.env", "A=1\n# é\nDB_PASSWORD=\"hé llo9\"\n");
    assert_eq!((found.line, found.column, found.key.as_deref()), (3, 14, Some("DB_PASSWORD")));
    assert_eq!((found.rule.id, found.length), ("named-value", Length::Short));
}

#[test]
fn a_name_that_tells_the_value_is_not_shown() {
    assert_eq!(one(".env", "HUNTER2_PASSWORD=hunter2\n").key, None);
    assert_eq!(one(".env", "APP_PASSWORD=hunter2\n").key.as_deref(), Some("APP_PASSWORD"));
}

#[test]
fn the_number_depends_on_the_value_only_where_nobody_could_guess_it() {
    let id = |text: &str| one(".env", text).id;
    assert_eq!(id("PIN_PASSWORD=hunter2\n"), id("\n\nPIN_PASSWORD=letmein9\n"));
    assert_ne!(id("PIN_PASSWORD=hunter2\n"), id("PIN_PASSWORD=hunter2-and-more-of-it\n"));
    assert_ne!(id("A_PASSWORD=hunter2\n"), id("B_PASSWORD=hunter2\n"));
    let token = |end: &str| format!("T={}{}\n", "ghp_", "kD83nZq0LwX5vB7tRm2Yc9Hs4Jf6Gp1Ua".to_owned() + end);
    assert_ne!(id(&token("abc")), id(&token("abd")));
}

#[test]
fn a_text_is_read_in_the_encodings_that_editors_write() {
    assert_eq!(text_of(b"a\0b"), None);
    assert_eq!(text_of(b"\xff\xfea\0=\0").as_deref(), Some("a="));
    assert_eq!(text_of(b"\xfe\xff\0a\0=").as_deref(), Some("a="));
    assert_eq!(text_of(b"\xff\xfe").as_deref(), Some(""));
    assert_eq!(text_of(b"caf\xe9").as_deref(), Some("caf\u{fffd}"));
}

#[test]
fn containers_of_keys_are_known_by_their_names() {
    assert_eq!(scan_name("conf/Server.PFX").map(|found| found.rule.id), Some("key-container"));
    assert!(scan_name("conf/server.crt").is_none());
}

#[test]
fn encrypted_files_hold_nothing_but_what_was_added_to_them() {
    let line = "3061".repeat(20);
    let vault = format!("$ANSIBLE_VAULT;1.1;AES256\r\n{line}\r\n{line}\r\n30\r\n");
    let age =
        "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\n-----END AGE ENCRYPTED FILE-----\n";
    for file in ["vars.yml", ".env", "vault_pass", "db-password.age", ".netrc", ".pgpass", "docker-compose.yml"] {
        for text in [vault.as_str(), age] {
            assert!(scan(file, text).is_empty(), "{file}");
        }
    }
    for (text, at) in [(vault.as_str(), 5), (age, 4), ("$ANSIBLE_VAULT;1.1;AES256\n3061\n", 3)] {
        let found = one("vars.yml", &format!("{text}password: hunter2\n"));
        assert_eq!((found.line, found.column), (at, 11), "{text}");
    }
}

#[test]
fn values_of_sops_are_no_names_and_hide_nothing() {
    for iv in ["yLaoMD0hBntYOH9L3gusgKEjFOaAzTITD5cqmBXO1Pw=", "apikey=", "x/password=hunter2hunter2hunter2"] {
        let sealed = format!("ENC[AES256_GCM,data:SNW+oQ==,iv:{iv},tag:1uZb+Q==,type:str]");
        for text in [format!("token: {sealed}\n"), format!("TOKEN={sealed}\n"), format!("# {sealed}\n")] {
            for file in ["gw.yaml", ".env", "x.txt"] {
                assert!(scan(file, &text).is_empty(), "{file}: {text}");
            }
        }
    }
    let secret = format!("password{}Tr0ub4dor-correct-horse", '=');
    for open in [
        format!("ENC[AES256_GCM,data:{secret} ]"),
        format!("ENC[AES256_GCM,data:x]\n{secret}"),
        format!("ENC[{secret}]\n{secret}"),
    ] {
        assert!(!scan("a.env", &open).is_empty(), "{open}");
    }
}
