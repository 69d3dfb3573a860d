//! Owns labels in Mermaid's flowcharts: between quotes, where `#35;` is a character by its number.

use std::fmt::Write;

/// Quotes one value as a label: whatever is no letter, digit or harmless sign goes by its number, so that neither
/// Mermaid, nor Markdown, nor the HTML that Mermaid makes of it, finds anything in it.
pub fn quote_mermaid(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        if c.is_alphanumeric() || " ./:-_,@=+".contains(c) {
            quoted.push(c);
        } else {
            let _ = write!(quoted, "#{};", c as u32);
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
        fn a_label_holds_nothing_special_and_reads_back(value in "(?s)([\"#;<>&`*\\[\\]{}|\n]|.){0,30}") {
            let quoted = quote_mermaid(&value);
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(!inner.contains(['"', '<', '>', '&', '`', '[', ']', '\n', '\\', '%']));
            let mut read = String::new();
            let mut rest = inner;
            while let Some((before, after)) = rest.split_once('#') {
                let (number, after) = after.split_once(';').unwrap();
                read.push_str(before);
                read.push(char::from_u32(number.parse().unwrap()).unwrap());
                rest = after;
            }
            prop_assert_eq!(read + rest, value);
        }
    }
}
