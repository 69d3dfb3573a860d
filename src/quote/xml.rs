//! Owns text in XML and SVG, in elements and between either kind of quotes.

/// Quotes one value as text. Characters that XML 1.0 cannot hold in any form become U+FFFD.
pub fn quote_xml(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '"' => quoted.push_str("&quot;"),
            '\'' => quoted.push_str("&#39;"),
            '\t' => quoted.push_str("&#9;"),
            '\n' => quoted.push_str("&#10;"),
            '\r' => quoted.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => quoted.push('\u{fffd}'),
            other => quoted.push(other),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_holds_no_markup_and_reads_back(value in "(?s)([<>&\"';\n]|[^\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]){0,30}") {
            let quoted = quote_xml(&value);
            prop_assert!(!quoted.contains(['<', '>', '"', '\'', '\n', '\r']));
            let read = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#9;", "\t"), ("&#10;", "\n"),
                ("&#13;", "\r"), ("&amp;", "&")].iter().fold(quoted, |text, (from, to)| text.replace(from, to));
            prop_assert_eq!(read, value);
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(quote_xml("a\0\u{1b}\u{ffff}<"), "a\u{fffd}\u{fffd}\u{fffd}&lt;");
    }
}
