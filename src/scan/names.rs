//! Owns what the name of a value says about it: `DB_PASSWORD`, `apiKey`, `--auth-token`, `spring.datasource.password`.

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A person may have chosen it: short and weak ones count.
    Password,
    /// A token, a key, a secret: most were made by a machine.
    Secret,
    /// It may be one: a key, an `auth`. Only a value that was drawn counts.
    Perhaps,
    /// A header that logs in.
    Authorization,
    /// Nothing.
    Nothing,
    /// That it is none: a hash, a public key, an identifier.
    Harmless,
}

const PASSWORDS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "pw",
    "psk",
    "pin",
    "passwort",
    "kennwort",
    "mdp",
    "requirepass",
];
const SECRETS: [&str; 10] =
    ["secret", "secrets", "token", "apikey", "credential", "credentials", "creds", "pat", "jwt", "masterauth"];
/// A `key` behind one of these is a secret.
const OF_KEYS: [&str; 29] = [
    "api",
    "secret",
    "access",
    "private",
    "encryption",
    "encrypt",
    "signing",
    "sign",
    "auth",
    "master",
    "session",
    "account",
    "storage",
    "shared",
    "service",
    "deploy",
    "admin",
    "app",
    "license",
    "webhook",
    "hmac",
    "jwt",
    "cookie",
    "client",
    "registration",
    "bot",
    "token",
    "preshared",
    "fernet",
];
const PERHAPS: [&str; 8] = ["key", "auth", "sig", "signature", "session", "cookie", "bearer", "dsn"];
const HARMLESS: [&str; 31] = [
    "sha",
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "hash",
    "hashes",
    "digest",
    "checksum",
    "integrity",
    "commit",
    "rev",
    "revision",
    "etag",
    "fingerprint",
    "thumbprint",
    "public",
    "pub",
    "uuid",
    "guid",
    "id",
    "recipient",
    "recipients",
    "version",
    "image",
    "url",
    "uri",
    "path",
    "file",
    "host",
    "tag",
];
/// A `pin` behind one of these is a secret.
const OF_PINS: [&str; 9] = ["user", "sim", "card", "door", "lock", "admin", "access", "security", "unlock"];
/// What a name begins with that says something about a secret: `update_password: on_create`.
const ABOUT: [&str; 16] = [
    "update", "require", "requires", "required", "allow", "ask", "show", "hide", "enable", "disable", "forgot", "has",
    "is", "no", "needs", "generate",
];
/// What may stand behind the word that counts.
const TAILS: [&str; 27] = [
    "value",
    "plain",
    "plaintext",
    "raw",
    "base64",
    "b64",
    "string",
    "str",
    "default",
    "prod",
    "production",
    "staging",
    "stage",
    "dev",
    "test",
    "old",
    "new",
    "current",
    "previous",
    "primary",
    "secondary",
    "live",
    "data",
    "text",
    "env",
    "local",
    "pem",
];
/// Endings of words that are written together.
const ENDINGS: [&str; 9] =
    ["password", "passwd", "passphrase", "apikey", "secretkey", "accesskey", "privatekey", "secret", "token"];

/// What a name says of its value.
pub(super) fn says(name: &str) -> Says {
    if name.len() > 128 || !may_say(name) {
        return Says::Nothing;
    }
    let words = words(name);
    let mut words: &[String] = &words;
    if words.last().is_some_and(|word| HARMLESS.contains(&word.as_str())) || is_about_secrets(words) {
        return Says::Harmless;
    }
    while let [before @ .., last] = words
        && !before.is_empty()
        && (TAILS.contains(&last.as_str()) || last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        words = before;
    }
    let Some(last) = words.last().map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit())) else {
        return Says::Nothing;
    };
    let before = words.len().checked_sub(2).and_then(|at| words.get(at)).map(String::as_str);
    match last {
        "authorization" => Says::Authorization,
        "pass" | "pw" | "pin" | "psk" | "pat" | "jwt" if name.len() <= 2 => Says::Nothing,
        // Versions, contacts of a board and notes on a wall are pinned, too.
        "pin" if before.is_some_and(|before| !OF_PINS.contains(&before)) => Says::Nothing,
        _ if PASSWORDS.contains(&last) => Says::Password,
        _ if SECRETS.contains(&last) => Says::Secret,
        "key" if before.is_some_and(|before| OF_KEYS.contains(&before)) => Says::Secret,
        "key" if before == Some("public") || before == Some("ssh") => Says::Harmless,
        "salt" => Says::Perhaps,
        _ if PERHAPS.contains(&last) => Says::Perhaps,
        _ => match ENDINGS.iter().find(|ending| last.ends_with(**ending)) {
            Some(ending) if ending.starts_with("pass") => Says::Password,
            Some(_) => Says::Secret,
            None if last.ends_with("pwd") => Says::Password,
            None => Says::Nothing,
        },
    }
}

fn is_about_secrets(words: &[String]) -> bool {
    if words.len() > 1 && words.first().is_some_and(|first| ABOUT.contains(&first.as_str())) {
        return true;
    }
    words.iter().any(|word| matches!(word.as_str(), "hash" | "hashed" | "encrypted" | "crypted" | "public" | "sha256"))
}

// Most words of a file are none, so this comes first.
fn may_say(name: &str) -> bool {
    const PARTS: [&str; 20] = [
        "pass", "pwd", "pw", "psk", "pin", "kennwort", "mdp", "secret", "token", "key", "cred", "auth", "pat", "jwt",
        "sig", "session", "cookie", "bearer", "dsn", "salt",
    ];
    let lower = name.to_ascii_lowercase();
    PARTS.iter().any(|part| lower.contains(part))
}

/// Whether a name says that its value is a hash, an identifier or the like.
pub(super) fn is_harmless(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| HARMLESS.contains(&word.as_str()))
}

/// The words of a name, in lower case: cut at signs, and where the case changes.
fn words(name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut word = String::new();
    let bytes = name.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        let after = bytes.get(at + 1).copied().unwrap_or(b' ');
        let begins = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase() && after.is_ascii_lowercase());
        if begins {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        word.push(byte.to_ascii_lowercase() as char);
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_last_word() {
        for (name, wanted) in [
            ("DB_PASSWORD", Says::Password),
            ("POSTGRES_PASSWORD", Says::Password),
            ("PGPASSWORD", Says::Password),
            ("ansible_become_pass", Says::Password),
            ("spring.datasource.password", Says::Password),
            ("rootPw", Says::Password),
            ("SESSION_SECRET", Says::Secret),
            ("apiKey", Says::Secret),
            ("OPENAI_API_KEY", Says::Secret),
            ("api-key", Says::Secret),
            ("aws_secret_access_key", Says::Secret),
            ("_authToken", Says::Secret),
            ("client_key_data", Says::Secret),
            ("API_KEY_PROD", Says::Secret),
            ("secret2", Says::Secret),
            ("x-api-key", Says::Secret),
            ("NOTION_KEY", Says::Perhaps),
            ("Authorization", Says::Authorization),
            ("password_hash", Says::Harmless),
            ("hashed_password", Says::Harmless),
            ("aws_access_key_id", Says::Harmless),
            ("public_key", Says::Harmless),
            ("POSTGRES_PASSWORD_FILE", Says::Harmless),
            ("secretName", Says::Nothing),
            ("max_tokens", Says::Nothing),
            ("tokenizer", Says::Nothing),
            ("password_policy", Says::Nothing),
            ("keyboard", Says::Nothing),
            ("token_type", Says::Nothing),
            ("compass", Says::Nothing),
            ("passenger", Says::Nothing),
            ("bypass", Says::Nothing),
        ] {
            assert_eq!(says(name), wanted, "{name}");
        }
    }
}
