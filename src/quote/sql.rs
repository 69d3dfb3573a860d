//! Owns names and texts in SQL as PostgreSQL reads it.

/// Quotes one value as a name (of a role, a database, a setting).
///
/// A NUL cannot stand in SQL and is left out; what is longer than 63 bytes PostgreSQL would cut short, so loading must
/// refuse it.
pub fn quote_sql_name(value: &str) -> String {
    format!("\"{}\"", value.replace('\0', "").replace('"', "\"\""))
}

/// Quotes one value as a text. Written with an `E`, so that a backslash means the same whatever the server is set to.
pub fn quote_sql_text(value: &str) -> String {
    format!("E'{}'", value.replace('\0', "").replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_ends_where_it_should_and_reads_back(value in "(?s)([\\\\\"';:\n]|[^\0]){0,30}") {
            let quoted = quote_sql_name(&value);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert_eq!(inner.replace("\"\"", "\""), value.as_str());
            let quoted = quote_sql_text(&value);
            let inner = quoted.strip_prefix("E'").and_then(|rest| rest.strip_suffix('\'')).unwrap();
            let mut read = String::new();
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                if c == '\\' || c == '\'' {
                    prop_assert_eq!(chars.next(), Some(c), "the text ends early: {}", quoted);
                }
                read.push(c);
            }
            prop_assert_eq!(read, value);
        }
    }
}
