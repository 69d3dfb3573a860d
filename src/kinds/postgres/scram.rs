//! Verifiers of passwords as PostgreSQL keeps them: made, and compared, without anybody seeing the password.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::secret::{Rendered, Secret};

const ROUNDS: u32 = 4096;

/// The verifier of a password for a role. Its salt comes out of both, as slowly as the verifier itself, so that the same
/// playbook writes the same bytes and nobody learns more from them.
pub(in crate::kinds) fn verifier(password: &Rendered, role: &str) -> Secret {
    password.map_whole(|text| {
        let salt = stretched(text.as_bytes(), format!("rempart {role}").as_bytes(), ROUNDS);
        written(text, &salt[..16], ROUNDS)
    })
}

/// Whether a verifier that a host keeps is one of this password. `None` = it is of another method, which cannot be told.
pub(in crate::kinds) fn is_of(password: &Rendered, verifier: &str) -> Option<bool> {
    let rest = verifier.strip_prefix("SCRAM-SHA-256$")?;
    let (rounds, rest) = rest.split_once(':')?;
    let (salt, _) = rest.split_once('$')?;
    // Written by whoever may write there: a number that would keep us busy for ever is not ours to try.
    let rounds: u32 = rounds.parse().ok().filter(|rounds| (1..=1_000_000).contains(rounds))?;
    let salt = BASE64_STANDARD.decode(salt).ok()?;
    let made = password.map_whole(|text| written(text, &salt, rounds));
    Some(made.same_as(&Secret::new("verifier", verifier)))
}

fn written(password: &str, salt: &[u8], rounds: u32) -> String {
    let salted = stretched(password.as_bytes(), salt, rounds);
    let stored = Sha256::digest(keyed(&salted, &[b"Client Key"]));
    let server = keyed(&salted, &[b"Server Key"]);
    let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${rounds}:{}${}:{}", text(salt), text(&stored), text(&server))
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is fine for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

// PBKDF2 with one block, as RFC 5802 has it.
fn stretched(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut block = keyed(password, &[salt, &1u32.to_be_bytes()]);
    let mut all = block;
    for _ in 1..rounds {
        block = keyed(password, &[&block]);
        all.iter_mut().zip(block).for_each(|(all, byte)| *all ^= byte);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Rendered {
        Rendered::secret(Secret::new("pw", text))
    }

    // Made by PostgreSQL 15 itself.
    const MADE: &str = "SCRAM-SHA-256$4096:lWircezPg5LDkRaxtJYzPg==$qUpbWfnwUSmt/SFNOv2aXyYZV6l4kgx1p0G+px+r9W4=:sbevoB/DDCSpn65q6YWfa9Awu6jBDrw8qH7cAjt6+/8=";

    #[test]
    fn a_verifier_of_postgres_is_known_and_another_password_is_not() {
        assert_eq!(is_of(&password("it's \\\\ a \"secret\""), MADE), Some(true));
        assert_eq!(is_of(&password("another"), MADE), Some(false));
        for other in
            ["", "md5c7c63cb64bff2a4c23a6e6f7b2ea4bb5", "SCRAM-SHA-256$x:y$z", "SCRAM-SHA-256$9999999999:AA==$z:z"]
        {
            assert_eq!(is_of(&password("x"), other), None, "{other}");
        }
        let made = verifier(&password("x"), "app");
        assert!(made.same_as(&verifier(&password("x"), "app")) && !made.same_as(&verifier(&password("x"), "other")));
    }
}
