//! Owns JSON as it is printed: one document, whose bytes depend on the value alone and obey no terminal.

use std::fmt::Write;

use serde_json::{Value, json};

use super::diagnostics::diagnostics_json;
use super::escape::is_unseen;
use crate::model::{Diagnostic, Exit};

/// The document with its newline, on one line or indented.
///
/// JSON's own escaping leaves DEL, C1 controls and bidi overrides as they are, which a terminal would obey; they can
/// only stand in strings, where `\uXXXX` means the same.
pub fn json_text(value: &Value, pretty: bool) -> String {
    let mut text = if pretty { format!("{value:#}") } else { value.to_string() };
    if text.chars().any(|c| is_unseen(c) && c != '\n') {
        let mut clean = String::with_capacity(text.len());
        for c in text.chars() {
            if is_unseen(c) && c != '\n' {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(clean, "\\u{unit:04x}");
                }
            } else {
                clean.push(c);
            }
        }
        text = clean;
    }
    text.push('\n');
    text
}

/// What a verb prints in the place of its own document when it stops: the exit code, and each fault.
pub fn error_json(exit: Exit, faults: &[Diagnostic]) -> Value {
    let meaning = Exit::TABLE.iter().find(|(known, _)| *known == exit).map(|(_, meaning)| *meaning);
    json!({
        "format_version": "1.0",
        "kind": "error",
        "exit": exit.code(),
        "meaning": meaning,
        "errors": diagnostics_json(faults),
    })
}

/// A value as JSON. What rempart prints always has string keys and finite numbers; were it otherwise, it says so.
pub fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| Value::String(format!("(a bug in rempart: {error})")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn on_one_line_or_indented() {
        let value = json!({ "kind": "plan", "hosts": [] });
        assert_eq!(json_text(&value, false), "{\"kind\":\"plan\",\"hosts\":[]}\n");
        assert_eq!(json_text(&value, true), "{\n  \"kind\": \"plan\",\n  \"hosts\": []\n}\n");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_no_terminal_obeys_it(text in "(?s).{0,40}", pretty in any::<bool>()) {
            let value = json!({ "k": [text] });
            let printed = json_text(&value, pretty);
            prop_assert!(!printed.chars().any(|c| is_unseen(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), value);
        }
    }
}
