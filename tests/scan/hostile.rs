//! Hostile texts: nothing panics, nothing takes for ever, and no value comes out in any form.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rempart::model::Source;
use rempart::report::{Paint, ScanView, json_text, scan as drawn, scan_json};
use rempart::scan::{Finding, Sorted, read_accepted, scan, text_of};

const FILES: [&str; 14] = [
    ".env",
    "a.yml",
    "docker-compose.yml",
    ".mcp.json",
    "a.json",
    "a.service",
    "a.py",
    "a.md",
    ".netrc",
    ".pgpass",
    ".bash_history",
    "a.ini",
    "vault_pass",
    "x/.docker/config.json",
];

/// Pieces that the readers look for, to be put together at random.
const PIECES: [&str; 44] = [
    "password",
    "=",
    ":",
    ": ",
    "\"",
    "'",
    "\\",
    "\\\"",
    "\n",
    "\r\n",
    " ",
    "\t",
    "é",
    "漢",
    "\u{1f511}",
    "{",
    "}",
    "${",
    ":-",
    "|",
    ">",
    "!secret ",
    "!vault ",
    "--token",
    ",",
    "- ",
    "value:",
    "://",
    "@",
    "user:pw9@",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "Authorization: ",
    "Bearer ",
    "eyJ",
    ".",
    "ghp_",
    "AKIA",
    "\"auth\"",
    "machine a password ",
    "IDENTIFIED BY '",
    "mysql -p",
    "\u{feff}",
    "\0",
];

fn told(findings: Vec<Finding>) -> String {
    let sorted = Sorted { open: findings, ..Sorted::default() };
    let about = BTreeMap::new();
    let view = ScanView {
        root: None,
        sorted: &sorted,
        files: 1,
        not_looked: &[],
        unreachable: &[],
        about: &about,
        staged: false,
    };
    drawn(&view, &Paint::PLAIN) + &json_text(&scan_json(&view), true)
}

/// Surroundings in which a value is found; `~` is where it stands.
const AROUND: [(&str, &str); 16] = [
    (".env", "DB_PASSWORD=~\n"),
    (".env", "A=1\nSESSION_SECRET=\"~\" # x\n"),
    ("a.yml", "db:\n  password: ~\n"),
    ("a.yml", "db: {password: \"~\", port: 1}\n"),
    ("a.json", "{\"api_key\": \"~\"}\n"),
    (".mcp.json", "{\"env\": {\"API_KEY\": \"~\"}, \"args\": [\"--token\", \"~\"]}\n"),
    ("a.service", "[Service]\nEnvironment=\"TOKEN_SECRET=~\"\nExecStart=/bin/a --password=~\n"),
    ("a.py", "password = '~'\n"),
    (".netrc", "machine a login b password ~\n"),
    (".pgpass", "h:5432:d:u:~\n"),
    (".bash_history", "curl -u me:~ https://a.internal\nmysql -p~ x\n"),
    ("a.txt", "postgres://app:~@db.internal/x\n"),
    ("vault_pass", "~\n"),
    ("x.sql", "ALTER USER a PASSWORD '~';\n"),
    ("x.cs", "\"Server=a;Password=~;\"\n"),
    ("a.env", "A_~_PASSWORD=~\n"),
];

fn forms(value: &str) -> Vec<String> {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(value);
    let hex = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![value.to_owned(), base64.trim_end_matches('=').to_owned(), hex]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(file in proptest::sample::select(&FILES[..]), text in "(?s).{0,200}") {
        let _ = told(scan(file, &text));
    }

    #[test]
    fn no_bytes_make_it_panic(file in proptest::sample::select(&FILES[..]), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(text) = text_of(&bytes) {
            let _ = told(scan(file, &text));
        }
    }

    #[test]
    fn no_pieces_make_it_panic(file in proptest::sample::select(&FILES[..]), pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)) {
        let text = pieces.concat();
        for finding in scan(file, &text) {
            let line = text.lines().count().max(1);
            prop_assert!(finding.line <= line + 1 && finding.column >= 1);
        }
        let _ = read_accepted(&Source::new("x", text));
    }

    /// What is told does not depend on the value: another one of its class makes the same output, to the byte.
    #[test]
    fn nothing_is_told_of_a_value(
        at in 0..AROUND.len(),
        one in "[a-z]{3}[0-9][A-Z][a-z]{3}[0-9]{2}[A-Za-z0-9]{4,18}",
        other in "[a-z]{3}[0-9][A-Z][a-z]{3}[0-9]{2}[A-Za-z0-9]{4,18}",
    ) {
        let (file, around) = AROUND[at];
        let of = |value: &str| told(scan(file, &around.replace('~', value)));
        let (told, twin) = (of(&one), of(&other));
        prop_assert!(told.contains("Found:"), "nothing was found in {file}: {around}");
        for form in forms(&one) {
            prop_assert!(!told.contains(&form), "{form}: {told}");
        }
        // Columns of what follows on the same line move with the length alone.
        if one.len() == other.len() {
            prop_assert_eq!(told, twin);
        }
    }
}

#[test]
fn hostile_texts_take_no_time() {
    let size = 48 * 1024;
    for piece in [
        "password=",
        "password=a1b2c3d4 ",
        "\"password\": \"",
        "://",
        "a://b:c@",
        "-----BEGIN PRIVATE KEY-----",
        "\"auth\" : \"",
        "Password=a;",
        "eyJ.",
        "ghp_",
        "PASSWORD '",
        "password: |\n",
        "${password:-",
        "- password\n",
        "--password ",
        "name: password\nvalue:",
        "a",
        "{",
        "\\\"password\\\":",
        "machine password ",
        "12345678:AA",
        "mysql -p",
        "<password>",
        "?password=",
        "é",
    ] {
        let text = piece.repeat(size / piece.len());
        for file in [".env", "a.yml", "a.json", "a.py", ".bash_history", ".netrc", ".pgpass"] {
            let begun = Instant::now();
            let found = scan(file, &text).len();
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(20), "{file}, {piece:?}: {took:?} for {found} findings");
        }
    }
}
