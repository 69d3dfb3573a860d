//! Owns what is no secret though it stands where one could: references, placeholders, ciphertexts, hashes, paths, prose.
//!
//! Each answer is a word for the tests and for who reads the rules; a value without one may be a secret.

use super::random::{distinct, is_random};

/// Why a value is no secret; `None`: it may be one.
pub(super) fn why_not(value: &str) -> Option<&'static str> {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    if value.is_empty() || value.chars().all(|c| !c.is_alphanumeric()) {
        return Some("nothing");
    }
    if WORDS.contains(&lower.as_str()) {
        return Some("a word");
    }
    if is_reference(value) {
        return Some("a reference");
    }
    if is_ciphertext(value) {
        return Some("a ciphertext");
    }
    if is_hash(value, &lower) {
        return Some("a hash");
    }
    if is_public(value) {
        return Some("a public key");
    }
    if is_placeholder(&lower) {
        return Some("a placeholder");
    }
    if is_path(value) {
        return Some("a path");
    }
    if value.contains("://") && !value.contains('@') {
        return Some("an address");
    }
    is_prose(value).then_some("prose")
}

/// Words that stand for a kind of value, for a state, or for the thing itself.
const WORDS: [&str; 86] = [
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "null",
    "none",
    "nil",
    "undefined",
    "unset",
    "empty",
    "n/a",
    "na",
    "void",
    "string",
    "str",
    "text",
    "bool",
    "boolean",
    "int",
    "integer",
    "number",
    "object",
    "bytes",
    "any",
    "type",
    "value",
    "required",
    "optional",
    "invalid",
    "valid",
    "missing",
    "incorrect",
    "wrong",
    "forgot",
    "reset",
    "confirm",
    "hidden",
    "masked",
    "input",
    "default",
    "disabled",
    "enabled",
    "prompt",
    "auto",
    "generate",
    "generated",
    "random",
    "unknown",
    "password",
    "passwd",
    "pass",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "key",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "credentials",
    "username",
    "user",
    "bearer",
    "basic",
    "digest",
    "test",
    "testing",
    "tests",
    "foo",
    "bar",
    "baz",
    "foobar",
    "qux",
    "abc",
    "abcd",
    "xyz",
    "todo",
    "tbd",
    "fixme",
    "changed",
    "self",
    "ask",
];

/// A value that stands elsewhere: a variable, a template, an entry of a vault.
fn is_reference(value: &str) -> bool {
    const BEGINS: [&str; 27] = [
        "{{",
        "{%",
        "<%",
        "${",
        "$(",
        "$[",
        "`",
        "%{",
        "%(",
        "#{",
        "!vault",
        "!Ref",
        "!Sub",
        "!GetAtt",
        "!ImportValue",
        "!env",
        "!reference",
        "vault:",
        "op://",
        "ref+",
        "bws://",
        "env:",
        "file:",
        "arn:",
        "@Microsoft.",
        "sm://",
        "%d/",
    ];
    const HOLDS: [&str; 9] =
        ["{{", "os.environ", "process.env", "getenv", "secrets.", "lookup(", "env[", "ENV[", "credentials("];
    let inside = |open: &str, close: &str| {
        value.find(open).is_some_and(|at| value[at + open.len()..].contains(close)) && value.len() < 400
    };
    BEGINS.iter().any(|begin| value.starts_with(begin))
        || HOLDS.iter().any(|part| value.contains(part))
        || inside("${", "}")
        || inside("$(", ")")
        || inside("<", ">") && !value.contains(' ') && value.starts_with('<')
        || value.starts_with('[') && value.ends_with(']')
        || value.starts_with('{') && value.ends_with('}')
        || is_variable(value)
}

// `$NAME`, and what is written with one behind it.
fn is_variable(value: &str) -> bool {
    let Some(name) = value.strip_prefix('$') else { return false };
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    let named = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let shouted = name.bytes().all(|byte| !byte.is_ascii_lowercase());
    // `$ecret1` is a value that begins with a dollar; `$db_password` is not.
    named && rest.len() <= 1 && (shouted || name.contains('_') || name.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_ciphertext(value: &str) -> bool {
    const BEGINS: [&str; 9] = [
        "ENC[",
        "ENC(",
        "$ANSIBLE_VAULT",
        "-----BEGIN AGE ENCRYPTED",
        "-----BEGIN PGP MESSAGE",
        "AQICAH",
        "age-encryption.org",
        "{cipher}",
        "sops:",
    ];
    BEGINS.iter().any(|begin| value.starts_with(begin))
}

/// A hash that names itself: of a password (which is no plaintext), of a file, of a commit.
fn is_hash(value: &str, lower: &str) -> bool {
    const BEGINS: [&str; 24] = [
        "sha1:",
        "sha256:",
        "sha384:",
        "sha512:",
        "sha1-",
        "sha256-",
        "sha384-",
        "sha512-",
        "md5:",
        "h1:",
        "$1$",
        "$2a$",
        "$2b$",
        "$2y$",
        "$5$",
        "$6$",
        "$7$",
        "$y$",
        "$argon2",
        "$pbkdf2",
        "{ssha",
        "{crypt}",
        "pbkdf2_",
        "scram-sha-",
    ];
    // Compose writes each dollar twice.
    let single = lower.replace("$$", "$");
    BEGINS.iter().any(|begin| single.starts_with(begin))
        || value.starts_with("SHA256:")
        || lower.starts_with("md5") && lower.len() == 35
}

fn is_public(value: &str) -> bool {
    const BEGINS: [&str; 14] = [
        "ssh-rsa ",
        "ssh-ed25519 ",
        "ssh-dss ",
        "ecdsa-sha2-",
        "sk-ssh-",
        "sk-ecdsa-",
        "-----BEGIN PUBLIC KEY",
        "-----BEGIN CERTIFICATE",
        "-----BEGIN RSA PUBLIC",
        "-----BEGIN PGP PUBLIC",
        "AAAAC3NzaC1",
        "AAAAB3NzaC1",
        "pk_live_",
        "pk_test_",
    ];
    BEGINS.iter().any(|begin| value.starts_with(begin)) || value.starts_with("age1") && value.len() >= 58
}

/// What somebody is told to put something else in the place of.
pub(super) fn is_placeholder(lower: &str) -> bool {
    const HOLDS: [&str; 33] = [
        "example",
        "placeholder",
        "changeme",
        "change-me",
        "change_me",
        "change me",
        "changeit",
        "change-it",
        "change_it",
        "change_this",
        "change-this",
        "replaceme",
        "replace_",
        "replace-",
        "redacted",
        "insert_",
        "insert-",
        "dummy",
        "xxxxx",
        "****",
        "....",
        "…",
        "your-",
        "your_",
        "yourtoken",
        "yourpassword",
        "yoursecret",
        "your password",
        "my-secret",
        "mysecret",
        "mypassword",
        "notasecret",
        "not-a-secret",
    ];
    const BEGINS: [&str; 9] = ["todo", "fixme", "your", "test-", "test_", "fake", "sample", "some-", "some_"];
    const ENDS: [&str; 6] = ["-here", "_here", "here>", "-goes-here", "_placeholder", "-sample"];
    const TYPED: [&str; 3] =
        ["0123456789abcdefghijklmnopqrstuvwxyz", "1234567890", "abcdefghijklmnopqrstuvwxyz0123456789"];
    let rest = lower.trim_end_matches(|c: char| c.is_ascii_digit() || "!._-".contains(c));
    HOLDS.iter().any(|part| lower.contains(part))
        || BEGINS.iter().any(|begin| lower.starts_with(begin))
        || ENDS.iter().any(|end| lower.ends_with(end))
        || lower.len() >= 6
            && TYPED.iter().any(|typed| typed.contains(lower) || lower.contains(&typed[..typed.len().min(16)]))
        || lower.len() >= 4 && distinct(lower) <= 2
        || lower.len() >= 16 && distinct(lower) <= 4
        || rest.len() < lower.len() && lower.len() - rest.len() <= 4 && matches!(rest, "test" | "foo" | "foobar")
        || is_named_after_itself(lower)
}

// `my-app-secret`, `db_password`, `the-token`: words alone, the last of which is the thing.
fn is_named_after_itself(lower: &str) -> bool {
    let words: Vec<&str> = lower.split(['-', '_', '.', ' ']).collect();
    let things =
        ["password", "passwd", "secret", "secrets", "token", "key", "credentials", "creds", "passphrase", "pass"];
    words.len() > 1
        && words
            .iter()
            .all(|word| !word.is_empty() && word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_alphabetic()))
        && words.iter().any(|word| things.contains(word))
}

fn is_path(value: &str) -> bool {
    let rooted = ["/", "./", "../", "~/", "%d/", "%h/", "$HOME/"].iter().any(|begin| value.starts_with(begin));
    let drive = value.as_bytes().get(1..3) == Some(b":\\");
    // Base64 may begin with a slash, too, but none of its parts is a word, and its letters are of both cases.
    let mixed = |part: &str| {
        part.bytes().any(|byte| byte.is_ascii_lowercase()) && part.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let drawn = |part: &str| part.len() >= 16 && mixed(part) && is_random(part) && !part.contains('.');
    (rooted || drive) && !value.split('/').any(drawn) && !value.ends_with('=')
}

/// Words for people. A passphrase has words, too, but not these.
fn is_prose(value: &str) -> bool {
    const SMALL: [&str; 29] = [
        "the", "a", "an", "of", "to", "for", "is", "are", "be", "your", "you", "must", "in", "and", "or", "not", "if",
        "with", "from", "this", "that", "will", "should", "has", "new", "enter", "please", "no", "at",
    ];
    let words: Vec<&str> = value.split_whitespace().collect();
    words.len() >= 2
        && words
            .iter()
            .any(|word| SMALL.contains(&word.to_ascii_lowercase().trim_matches(|c: char| !c.is_alphanumeric())))
        || words.len() >= 2 && value.ends_with([':', '?', '.', '!'])
        || words.len() > 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_alike_says_what_it_is() {
        for (value, wanted) in [
            ("", "nothing"),
            ("***", "nothing"),
            ("null", "a word"),
            ("${DB_PASSWORD}", "a reference"),
            ("$DB_PASSWORD", "a reference"),
            ("{{ secret(\"db/password\") }}", "a reference"),
            ("!vault |", "a reference"),
            ("op://vault/item/field", "a reference"),
            ("ENC[AES256_GCM,data:abc=,iv:x,tag:y,type:str]", "a ciphertext"),
            ("$6$salt$0123abcd", "a hash"),
            ("$$2y$$10$$abcdefghijk", "a hash"),
            ("sha256:0123", "a hash"),
            ("ssh-ed25519 AAAAC3Nz", "a public key"),
            ("changeme", "a placeholder"),
            ("your-token-here", "a placeholder"),
            ("xxxxxxxxxxxx", "a placeholder"),
            ("my-app-secret", "a placeholder"),
            ("12345678", "a placeholder"),
            ("/run/credentials/app/db", "a path"),
            ("%d/db", "a reference"),
            ("https://auth.internal/token", "an address"),
            ("Enter the PIN of the door", "prose"),
        ] {
            assert_eq!(why_not(value), Some(wanted), "{value}");
        }
        for real in ["hunter2", "$ecret1", "pa$$word9", "correct horse battery staple", "Tr0ub4dor&3", "s3cr3t-Pa55"] {
            assert_eq!(why_not(real), None, "{real}");
        }
    }
}
