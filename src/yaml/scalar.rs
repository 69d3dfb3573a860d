//! Owns what a plain scalar means, which differs between inventories and playbooks.

use super::Value;

/// Which reading of plain scalars applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.1 as Ansible's loader reads it: `yes` is true, `0644` is octal.
    Inventory,
    /// YAML 1.2 core, where an unquoted leading zero is an error: one reader takes `0644` for 420, another for 644.
    Playbook,
}

/// The value of a plain scalar, or why it is refused.
pub(super) fn resolve(text: &str, dialect: Dialect) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" if dialect == Dialect::Inventory => return Ok(Value::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" if dialect == Dialect::Inventory => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::Text(text.to_owned()));
    }
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if leading_zero && dialect == Dialect::Playbook {
        return Err(format!("write \"{text}\" with quotes, or {} without the zero", digits.trim_start_matches('0')));
    }
    Ok(whole(text, dialect).or_else(|| fraction(text)).unwrap_or_else(|| Value::Text(text.to_owned())))
}

fn whole(text: &str, dialect: Dialect) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let cleaned = if dialect == Dialect::Inventory { digits.replace('_', "") } else { digits.to_owned() };
    let magnitude = if let Some(hex) = cleaned.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(octal) = cleaned.strip_prefix("0o").filter(|_| dialect == Dialect::Playbook) {
        i64::from_str_radix(octal, 8)
    } else if let Some(binary) = cleaned.strip_prefix("0b").filter(|_| dialect == Dialect::Inventory) {
        i64::from_str_radix(binary, 2)
    } else if dialect == Dialect::Inventory && cleaned.len() > 1 && cleaned.starts_with('0') {
        i64::from_str_radix(&cleaned[1..], 8)
    } else if dialect == Dialect::Inventory && cleaned.contains(':') {
        return sexagesimal(&cleaned).map(|value| Value::Int(sign * value));
    } else if cleaned.bytes().all(|b| b.is_ascii_digit()) {
        cleaned.parse()
    } else {
        return None;
    };
    magnitude.ok().map(|value| Value::Int(sign * value))
}

// YAML 1.1 reads 1:30 as 90, and so does Ansible.
fn sexagesimal(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts[0].starts_with('0') || !parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    if parts[1..].iter().any(|p| p.len() > 2 || p.parse::<i64>().is_ok_and(|n| n > 59)) {
        return None;
    }
    parts.iter().try_fold(0i64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

fn fraction(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let shaped = digits.contains('.')
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if shaped { text.parse().ok().map(Value::Float) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
