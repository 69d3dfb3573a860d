//! Owns whether a text looks as if a machine had drawn it.

/// The entropy of a text's characters, in bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)).max(1.0);
    let parts = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    parts.map(|part| -part * part.log2()).sum()
}

/// How many different characters there are.
pub(super) fn distinct(text: &str) -> usize {
    let mut seen = [false; 256];
    text.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// Whether it is hexadecimal, and has the length of a usual hash.
pub(super) fn is_hash_like(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it is a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a machine drew it: long, of one alphabet, with digits among the letters, and with few repetitions.
pub(super) fn is_random(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-~.".contains(&byte);
    if text.len() < 16 || text.len() > 1024 || !text.bytes().all(fits) {
        return false;
    }
    let has = |of: fn(&u8) -> bool| text.bytes().any(|byte| of(&byte));
    let (digits, lower, upper) = (has(u8::is_ascii_digit), has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    if !digits || !(lower || upper) || is_worded(text) {
        return false;
    }
    // Sixteen drawn hexadecimal digits have about 3.4 bits each, and drawn letters more; words have less for their length.
    let mixed = lower && upper;
    entropy(text) >= if mixed { 3.5 } else { 3.0 } && changes(text) * 5 >= text.len()
}

// How often a letter is followed by something else than a letter, or by one of the other case: rare in words.
fn changes(text: &str) -> usize {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    text.as_bytes().windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count()
}

// `eu-central-1.compute.internal`, `2024-01-02T03:04`, `v1.2.3-rc4`: parts that are words or short numbers.
pub(super) fn is_worded(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '_', '.', '/', '+', '=', '~']).filter(|part| !part.is_empty()).collect();
    let worded = |part: &&str| {
        let letters = part.trim_matches(|c: char| c.is_ascii_digit());
        let digits = part.len() - letters.len();
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && digits <= 4 && is_pronounceable(letters)
            || part.len() <= 3
    };
    parts.iter().filter(|part| !worded(part)).count() == 0
}

// A word changes its case where it begins alone, and has vowels.
fn is_pronounceable(letters: &str) -> bool {
    let inner_upper = letters.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let all_upper = letters.bytes().all(|byte| byte.is_ascii_uppercase());
    let vowels = letters.bytes().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    letters.len() <= 3 || vowels * 6 >= letters.len() && (all_upper || inner_upper * 4 <= letters.len())
}

/// Whether it is words alone, as an identifier or a reference is: `db-credentials`, `sessionKey`, `app.settings.token`.
pub(super) fn is_identifier(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphabetic() || b"-_. /:".contains(&byte);
    !text.is_empty() && text.bytes().all(fits) && text.split(['-', '_', '.', ' ', '/', ':']).all(is_pronounceable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_is_told_from_words() {
        for drawn in
            ["8fK2nQ0zLw4Xv7Bt", "a91f0c3be7d24468", "dGhpcyBpcyBub3QgYSB0ZXN0IQ0=", "Zk3-9xQ_w8Lr2Tn5Vb7Ym1Pd"]
        {
            assert!(is_random(drawn), "{drawn}");
        }
        for words in [
            "eu-central-1.compute.internal",
            "my-application-name-2",
            "2026-11-27T13:00:00Z",
            "aaaaaaaaaaaaaaaa1",
            "registry.example.net",
            "ThisIsAVeryLongClassName2",
            "short1A",
        ] {
            assert!(!is_random(words), "{words}");
        }
    }

    #[test]
    fn hashes_and_uuids_are_known_by_their_form() {
        assert!(is_uuid("550e8400-e29b-41d4-a716-446655440000") && !is_uuid("550e8400-e29b-41d4-a716"));
        assert!(is_hash_like(&"0a".repeat(20)) && !is_hash_like(&"0a".repeat(21)) && !is_hash_like(&"0g".repeat(20)));
        assert!(is_identifier("db-credentials") && is_identifier("sessionKey") && !is_identifier("hunter2"));
    }
}
