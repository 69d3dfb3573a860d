//! Owns what a plain scalar means, which differs between inventories and playbooks.
//!
//! Must not know files. An inventory's scalars are read by the very rules of PyYAML, which Ansible uses: what looks
//! like a number and is none there (`1e5`, `08`, `-.5`) is text here, too, and what it fails at is refused.

use super::Value;
use super::timestamp::{self, Timestamp};

/// Which reading of plain scalars applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.1 as Ansible's loader reads it: `yes` is true, `0644` is octal.
    Inventory,
    /// YAML 1.2 core, where an unquoted leading zero is an error: one reader takes `0644` for 420, another for 644.
    Playbook,
}

/// Why a plain scalar is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub summary: &'static str,
    pub label: &'static str,
    pub fix: String,
}

impl Refused {
    fn new(summary: &'static str, label: &'static str, fix: impl Into<String>) -> Self {
        Self { summary, label, fix: fix.into() }
    }
}

/// The value of a plain scalar, or why it is refused.
pub(super) fn resolve(text: &str, dialect: Dialect) -> Result<Value, Refused> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    match dialect {
        Dialect::Inventory => yaml11(text),
        Dialect::Playbook => yaml12(text),
    }
}

fn yaml12(text: &str) -> Result<Value, Refused> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::Text(text.to_owned()));
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refused::new(
            "a number with a leading zero",
            "octal for one reader, decimal for another",
            format!("write \"{text}\" with quotes, or {} without the zero", digits.trim_start_matches('0')),
        ));
    }
    let whole = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(hex), _) => i64::from_str_radix(hex, 16).ok(),
        (_, Some(octal)) => i64::from_str_radix(octal, 8).ok(),
        _ if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    let sign = if text.starts_with('-') { -1 } else { 1 };
    if let Some(whole) = whole {
        return Ok(Value::Int(sign * whole));
    }
    let shaped =
        digits.contains('.') && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let number = if shaped { text.parse().ok() } else { None };
    Ok(number.map_or_else(|| Value::Text(text.to_owned()), Value::Float))
}

// In PyYAML's order: truth, fraction, whole number, timestamp.
fn yaml11(text: &str) -> Result<Value, Refused> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Ok(Value::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Ok(Value::Bool(false)),
        "=" | "<<" => {
            let label = "YAML 1.1 has a meaning of its own for this";
            return Err(Refused::new("a mark that is no value", label, format!("put quotes around it: \"{text}\"")));
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Ok(Value::Text(text.to_owned()));
    }
    if let Some(number) = fraction(text) {
        return Ok(Value::Float(number));
    }
    if let Some(number) = whole(text) {
        return number.map(Value::Int);
    }
    match timestamp::iso(text) {
        Timestamp::No => Ok(Value::Text(text.to_owned())),
        Timestamp::Iso(iso) => Ok(Value::Text(iso)),
        Timestamp::Impossible => Err(Refused::new(
            "a date that does not exist",
            "this is read as a date",
            "put quotes around it if it is none",
        )),
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn all(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(fits)
}

fn digit_or_line(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

// `[0-5]?[0-9]`, as often as there are colons.
fn sixties(parts: &[&str]) -> bool {
    let fits = |part: &str| match part.as_bytes() {
        [last] => last.is_ascii_digit(),
        [first, last] => (b'0'..=b'5').contains(first) && last.is_ascii_digit(),
        _ => false,
    };
    !parts.is_empty() && parts.iter().all(|part| fits(part))
}

/// A fraction as YAML 1.1 writes it: with a point, an exponent only with its sign, no sign before a lone point.
fn fraction(text: &str) -> Option<f64> {
    let (negative, bare) = signed(text);
    let sign = if negative { -1.0 } else { 1.0 };
    match bare {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if bare.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    let (head, tail) = bare.split_once('.')?;
    if head.is_empty() && bare.len() != text.len() {
        return None;
    }
    let (digits, exponent) = match tail.find(['e', 'E']) {
        Some(at) => (&tail[..at], Some(&tail[at + 1..])),
        None => (tail, None),
    };
    if !all(digits, digit_or_line) {
        return None;
    }
    if let Some(exponent) = exponent {
        let count = exponent.strip_prefix(['+', '-'])?;
        if count.is_empty() || !all(count, |byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    if head.is_empty() {
        return if digits.starts_with(|c: char| c.is_ascii_digit()) {
            bare.replace('_', "").parse().ok()
        } else {
            None
        };
    }
    let parts: Vec<&str> = head.split(':').collect();
    if !parts[0].starts_with(|c: char| c.is_ascii_digit()) || !all(parts[0], digit_or_line) {
        return None;
    }
    if parts.len() == 1 {
        return bare.replace('_', "").parse::<f64>().ok().map(|number| sign * number);
    }
    if !sixties(&parts[1..]) || exponent.is_some() {
        return None;
    }
    let clean = |part: &str| part.replace('_', "").parse::<f64>().ok();
    let last = format!("{}.{digits}", parts[parts.len() - 1]);
    let mut sum = 0.0;
    for part in parts[..parts.len() - 1].iter().copied().chain([last.as_str()]) {
        sum = sum * 60.0 + clean(part)?;
    }
    Some(sign * sum)
}

/// A whole number as YAML 1.1 writes it; `None` where it is none.
fn whole(text: &str) -> Option<Result<i64, Refused>> {
    let (negative, bare) = signed(text);
    let clean = |digits: &str| digits.replace('_', "");
    let (digits, radix) = if let Some(bits) = bare.strip_prefix("0b").filter(|bits| !bits.is_empty()) {
        all(bits, |byte| matches!(byte, b'0' | b'1' | b'_')).then(|| (clean(bits), 2))?
    } else if let Some(hex) = bare.strip_prefix("0x").filter(|hex| !hex.is_empty()) {
        all(hex, |byte| byte.is_ascii_hexdigit() || byte == b'_').then(|| (clean(hex), 16))?
    } else if bare.len() > 1 && bare.starts_with('0') {
        all(bare, |byte| matches!(byte, b'0'..=b'7' | b'_')).then(|| (clean(bare), 8))?
    } else {
        let parts: Vec<&str> = bare.split(':').collect();
        let first = parts[0];
        if !first.starts_with(|c: char| c.is_ascii_digit()) || !all(first, digit_or_line) {
            return None;
        }
        if parts.len() > 1 {
            if first.starts_with('0') || !sixties(&parts[1..]) {
                return None;
            }
            let add = |sum: i64, part: &&str| sum.checked_mul(60)?.checked_add(clean(part).parse().ok()?);
            let sum = parts.iter().try_fold(0i64, add);
            return Some(sum.map(|sum| if negative { -sum } else { sum }).ok_or_else(too_wide));
        }
        (clean(first), 10)
    };
    if digits.is_empty() {
        let label = "nothing follows its first two characters";
        return Some(Err(Refused::new("a number without digits", label, "put quotes around it if it is text")));
    }
    let signed = if negative { format!("-{digits}") } else { digits };
    Some(i64::from_str_radix(&signed, radix).map_err(|_| too_wide()))
}

/// Why a number that no variable here can hold is refused: cut or as text it would be another value.
pub(super) fn too_wide() -> Refused {
    let label = "this needs more than 64 bits";
    Refused::new(
        "a whole number that is too large",
        label,
        "put quotes around it: it is then kept as text, digit by digit",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match resolve(text, Dialect::Inventory) {
            Ok(Value::Text(text)) => format!("{text:?}"),
            Ok(Value::Float(number)) => format!("{number:?}"),
            Ok(Value::Int(number)) => number.to_string(),
            Ok(Value::Bool(value)) => value.to_string(),
            Ok(_) => "null".into(),
            Err(why) => format!("refused: {}", why.summary),
        }
    }

    #[test]
    fn an_unquoted_leading_zero_is_octal_in_an_inventory_and_refused_in_a_playbook() {
        assert!(matches!(resolve("0644", Dialect::Inventory), Ok(Value::Int(420))));
        assert!(resolve("0644", Dialect::Playbook).is_err());
        assert!(matches!(resolve("0", Dialect::Playbook), Ok(Value::Int(0))));
    }

    #[test]
    fn versions_and_addresses_stay_text() {
        for text in ["1.2.3", "10.0.0.1", "1e5", "2001:db8::1", "-", "12:34:56:78:9a:bc", "1-2"] {
            assert!(matches!(resolve(text, Dialect::Inventory), Ok(Value::Text(_))), "{text}");
        }
    }

    // Each compared with what PyYAML makes of it.
    #[test]
    fn plain_scalars_of_an_inventory_mean_what_they_mean_to_ansible() {
        for (text, expected) in [
            ("08", "\"08\""),
            ("0o17", "\"0o17\""),
            ("-0644", "-420"),
            ("0x_F", "15"),
            ("0x_", "refused: a number without digits"),
            ("0b1_0", "2"),
            ("0_", "0"),
            ("1_000", "1000"),
            ("1:30", "90"),
            ("-1:30", "-90"),
            ("1:60", "\"1:60\""),
            ("01:30", "\"01:30\""),
            ("52:54:00:12:34:56", "41135085296"),
            ("1:30.5", "90.5"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "\"-.5\""),
            ("1.5e5", "\"1.5e5\""),
            ("1.5e+3", "1500.0"),
            ("1_0.5", "10.5"),
            ("._5", "\"._5\""),
            ("-.inf", "-inf"),
            ("-.nan", "\"-.nan\""),
            (".", "\".\""),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "refused: a whole number that is too large"),
            ("2024-01-02", "\"2024-01-02\""),
            ("2024-02-30", "refused: a date that does not exist"),
            ("2024-1-2", "\"2024-1-2\""),
            ("2024-1-2 3:04:05", "\"2024-01-02T03:04:05\""),
            ("=", "refused: a mark that is no value"),
            ("y", "\"y\""),
            ("Off", "false"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
