//! Owns finding values by the name that stands before them: where a name ends, which value is its own, and whether the
//! two together are a secret. How strictly that is judged depends on the file: a program has words in quotes everywhere,
//! and a file of settings has values.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;

use super::format::{Format, Syntax};
use super::hit::Hits;
use super::lookalike::why_not;
use super::names::{self, Says};
use super::random::{is_hash_like, is_identifier, is_random, is_uuid, is_worded};
use super::rules::{AUTHORIZATION, NAMED_VALUE, RANDOM_VALUE, Rule, SECRET_TAG};
use super::value::{self, Value};

pub(super) fn find(format: Format, text: &str, hits: &mut Hits) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_of_name(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        at += bytes[at..].iter().take_while(|byte| is_of_name(**byte)).count();
        let name = trimmed(text, start..at);
        if name.is_empty() || name.len() > 128 {
            continue;
        }
        let word = &text[name.clone()];
        let says = names::says(word);
        let is_load = format.syntax == Syntax::Unit && (word.starts_with("Load") || word.starts_with("Import"));
        // Any name may stand before a random value; else only one that says something.
        if is_load || matches!(says, Says::Nothing | Says::Harmless) && !format.settings && !may_be_tagged(text, at) {
            continue;
        }
        let Some(value) = value::after(format, text, start..at) else { continue };
        if let Some(rule) = judge(format, word, says, &value, &text[value.at.clone()]) {
            hits.add(rule, value.at, Some(name));
        }
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let word = &text[at.clone()];
    let start = at.start + (word.len() - word.trim_start_matches(['-', '.']).len());
    let end = at.end - (word.len() - word.trim_end_matches(['-', '.']).len());
    start..end.max(start)
}

fn may_be_tagged(text: &str, at: usize) -> bool {
    text[at..].trim_start_matches(['"', '\'']).trim_start_matches(':').trim_start_matches(' ').starts_with("!secret")
}

fn judge(format: Format, name: &str, says: Says, value: &Value, text: &str) -> Option<&'static Rule> {
    // Longer ones are texts, or say themselves what they are.
    if text.len() >= 500 {
        return None;
    }
    if value.is_tagged {
        return why_not(text).is_none().then_some(&SECRET_TAG);
    }
    if says == Says::Authorization {
        return is_login(text).then_some(&AUTHORIZATION);
    }
    if why_not(text).is_some() || text.contains("://") {
        return None;
    }
    let strict = match format.syntax {
        Syntax::Code | Syntax::Prose => true,
        Syntax::Json => !format.settings,
        _ => false,
    };
    let judged = match says {
        Says::Password if strict => is_password_of_program(format, name, value, text),
        Says::Password => is_password(name, value, text),
        Says::Secret if strict => is_secret_of_program(text),
        Says::Secret => is_secret(format, name, text),
        Says::Perhaps => !strict && is_random(text) && !is_uuid(text) && (format.settings || !is_hash_like(text)),
        Says::Nothing if format.settings && !names::is_harmless(name) => {
            return is_unnamed_key(text).then_some(&RANDOM_VALUE);
        }
        Says::Nothing | Says::Harmless | Says::Authorization => false,
    };
    judged.then_some(&NAMED_VALUE)
}

/// A header's value: a scheme and what it needs, or the latter alone.
fn is_login(text: &str) -> bool {
    let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
    let rest = rest.trim();
    if why_not(rest).is_some() || rest.contains(' ') || rest.len() < 8 {
        return false;
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return is_basic(rest);
    }
    let schemes = ["", "bearer", "token", "apikey", "api-key", "key", "bot"];
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && rest.bytes().any(|byte| byte.is_ascii_digit())
}

/// `user:password` in base64.
pub(super) fn is_basic(text: &str) -> bool {
    let read = STANDARD_PAD_INDIFFERENT.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    read.is_some_and(|login| login.split_once(':').is_some_and(|(_, password)| why_not(password).is_none()))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// In a file of settings: whatever a person may have chosen.
fn is_password(name: &str, value: &Value, text: &str) -> bool {
    let has_space = text.contains(char::is_whitespace);
    if is_number(text) {
        return text.len() >= 4 || name.len() > 4;
    }
    !has_space || value.is_quoted || value.is_whole_line
}

/// In a program, where labels and names of fields stand between quotes, too.
fn is_password_of_program(format: Format, name: &str, value: &Value, text: &str) -> bool {
    let is_template = ["{}", "{0", "%s", "%d", "\\", "(", "::"].iter().any(|part| text.contains(part));
    let length = text.chars().count();
    if is_template || text.contains(char::is_whitespace) && !name.to_ascii_lowercase().contains("phrase") {
        return false;
    }
    if format.syntax == Syntax::Prose {
        return length >= 6 && has_both(text) && !(text.contains(['-', '_', '.', '/']) && is_worded(text));
    }
    let word = is_identifier(text);
    let lower = text.bytes().all(|byte| byte.is_ascii_lowercase());
    value.is_quoted && if word { lower && length >= 6 } else { length >= 4 && !is_labelled(text) && text.is_ascii() }
}

// `password-1`, `Password2`, `#password`, `.token`: a name of something.
fn is_labelled(text: &str) -> bool {
    let rest = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let lower = rest.to_ascii_lowercase();
    is_number(text) && text.len() < 6
        || text.starts_with(['#', '.', '@', ':', '-'])
        || is_identifier(rest) && ["password", "passwd", "secret", "token"].iter().any(|thing| lower.contains(thing))
}

fn has_both(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// In a file of settings: a key, a token, or what a person made up for one.
fn is_secret(format: Format, name: &str, text: &str) -> bool {
    if is_number(text) {
        return text.len() >= 10;
    }
    if text.contains(char::is_whitespace) {
        return false;
    }
    if is_identifier(text) {
        // Elsewhere a word is the name of a secret as often as the secret.
        let named_well = name.contains(['_', '-', '.']) || name.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
        let one_word = text.bytes().all(|byte| byte.is_ascii_alphabetic());
        let chosen = matches!(format.syntax, Syntax::Env | Syntax::Unit | Syntax::Whole | Syntax::Shell);
        return text.len() >= 6 && one_word && (chosen || named_well && text.len() >= 8);
    }
    let is_entry = text.contains('/') && is_worded(text);
    text.len() >= 6 && !is_entry
}

/// In a program: a value that is no word.
fn is_secret_of_program(text: &str) -> bool {
    let odd = ["{", "%s", "\\", "(", "::", " ", ","].iter().any(|part| text.contains(part));
    text.len() >= 8 && !odd && has_both(text) && text.is_ascii() && !is_worded(text) && !is_labelled(text)
}

/// Settings without a telling name: long, and of a machine's making.
fn is_unnamed_key(text: &str) -> bool {
    let mixed =
        text.bytes().any(|byte| byte.is_ascii_lowercase()) && text.bytes().any(|byte| byte.is_ascii_uppercase());
    // `NAME=value` is judged by itself.
    if text.trim_end_matches('=').contains('=') {
        return false;
    }
    let long = text.len() >= if mixed { 20 } else { 32 };
    long && is_random(text) && !is_uuid(text) && !is_hash_like(text) && !text.contains('.')
}
