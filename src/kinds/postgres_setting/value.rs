//! Values of settings as PostgreSQL reads them, in one form each, so that `256MB` and `32768` (of 8 kB) are the same.

/// Settings that are lists of quoted names; given as one text they would become one name.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The items of a setting that is a list of names; `None` = it is none.
pub(super) fn items<'a>(name: &str, value: &'a str) -> Option<Vec<&'a str>> {
    LISTS.contains(&name).then(|| {
        let plain = |item: &'a str| {
            let item = item.trim();
            item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(item)
        };
        value.split(',').map(plain).filter(|item| !item.is_empty()).collect()
    })
}

/// A value in the form in which it is compared; as it stands where it cannot be read as what it should be.
pub(super) fn normal(name: &str, vartype: &str, unit: &str, value: &str) -> String {
    if let Some(items) = items(name, value) {
        return items.join(", ");
    }
    let text = value.trim();
    match vartype {
        "bool" => match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" | "t" | "y" => "on".into(),
            "off" | "false" | "no" | "0" | "f" | "n" => "off".into(),
            other => other.to_owned(),
        },
        "enum" => text.to_ascii_lowercase(),
        "integer" => number(text, unit).map_or_else(|| text.to_owned(), |number| format!("{:.0}", number.round())),
        "real" => number(text, unit).map_or_else(|| text.to_owned(), |number| number.to_string()),
        _ => value.to_owned(),
    }
}

// In the setting's own unit.
fn number(text: &str, unit: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(split);
    let number: f64 = digits.trim().parse().ok()?;
    if suffix.is_empty() {
        return Some(number);
    }
    let (given, own) = (factor(suffix.trim())?, factor(unit)?);
    (given.0 == own.0).then(|| number * given.1 / own.1)
}

// Bytes or milliseconds; a unit of memory may have a number before it.
fn factor(unit: &str) -> Option<(char, f64)> {
    let split = unit.find(|c: char| !c.is_ascii_digit())?;
    let (many, unit) = unit.split_at(split);
    let many: f64 = if many.is_empty() { 1.0 } else { many.parse().ok()? };
    let (kind, one) = match unit {
        "B" => ('b', 1.0),
        "kB" => ('b', 1024.0),
        "MB" => ('b', 1_048_576.0),
        "GB" => ('b', 1_073_741_824.0),
        "TB" => ('b', 1_099_511_627_776.0),
        "us" => ('t', 0.001),
        "ms" => ('t', 1.0),
        "s" => ('t', 1000.0),
        "min" => ('t', 60_000.0),
        "h" => ('t', 3_600_000.0),
        "d" => ('t', 86_400_000.0),
        _ => return None,
    };
    Some((kind, many * one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_form() {
        let int = |unit: &str, value: &str| normal("x", "integer", unit, value);
        assert_eq!([int("8kB", "256MB"), int("8kB", "32768"), int("kB", "4MB")], ["32768", "32768", "4096"]);
        assert_eq!([int("ms", "1min"), int("s", "1d"), int("", "100")], ["60000", "86400", "100"]);
        assert_eq!([int("ms", "1MB"), int("", "many")], ["1MB", "many"]);
        assert_eq!(normal("x", "bool", "", "TRUE"), normal("x", "bool", "", "on"));
        assert_eq!(normal("x", "real", "", "0.50"), "0.5");
        assert_eq!(normal("shared_preload_libraries", "string", "", "a,\"b\" "), "a, b");
        assert_eq!(normal("log_line_prefix", "string", "", "%m, \"x\" "), "%m, \"x\" ");
    }
}
