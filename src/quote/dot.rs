//! Owns labels in Graphviz's DOT: between quotes, where `\` begins an escape and `&` an entity.

/// Quotes one value as a label.
///
/// A NUL cannot stand in DOT and is left out.
pub fn quote_dot(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\0' => {}
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '&' => quoted.push_str("&amp;"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_label_ends_where_it_should_and_reads_back(value in "(?s)([\\\\\"&;n\n]|[^\0]){0,30}") {
            let quoted = quote_dot(&value);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            let mut read = String::new();
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => prop_assert!(false, "the label ends early: {}", quoted),
                    '\\' => match chars.next() {
                        Some('n') => read.push('\n'),
                        Some(c @ ('"' | '\\')) => read.push(c),
                        other => prop_assert!(false, "{:?} after a backslash", other),
                    },
                    c => read.push(c),
                }
            }
            prop_assert_eq!(read.replace("&amp;", "&"), value);
        }
    }
}
