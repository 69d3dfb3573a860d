//! Owns how keys and values are written into YAML, so that SOPS, this program and YAML 1.1 read the same.

use zeroize::Zeroizing;

use super::value::{Kind, Plain};

/// Words that some readers take for a truth value or for nothing.
const WORDS: [&str; 14] =
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "none", "undefined", "nil"];

/// A key.
pub(super) fn key(name: &str) -> String {
    if is_word(name) { name.to_owned() } else { quoted(name).as_str().to_owned() }
}

/// A value, as an encrypted file holds what it does not encrypt, and as it is edited. `indent` is where the lines of a
/// block begin; without it there is no block.
pub(super) fn value(plain: &Plain, indent: Option<usize>) -> Zeroizing<String> {
    let Some(text) = plain.text() else {
        return Zeroizing::new("\"\"".into());
    };
    match plain.kind {
        Kind::Null => Zeroizing::new("null".into()),
        Kind::Bool | Kind::Int => text,
        Kind::Float => match text.as_str() {
            "NaN" => Zeroizing::new(".nan".into()),
            "+Inf" => Zeroizing::new(".inf".into()),
            "-Inf" => Zeroizing::new("-.inf".into()),
            // Without a point it would be a whole number.
            whole if !whole.contains('.') => Zeroizing::new(format!("{whole}.0")),
            _ => text,
        },
        Kind::Str | Kind::Bytes | Kind::Comment => match indent {
            Some(indent) if fits_block(&text) => block(&text, indent),
            _ if is_word(&text) => text,
            _ => quoted(&text),
        },
    }
}

// Letters first, and nothing in it that any reader takes for something else.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/' | '+'))
        && !WORDS.contains(&text.to_lowercase().as_str())
}

fn fits_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n', '\t'])
        // A line of blanks only would be cut or would end the block in some readers.
        && body.lines().all(|line| line.is_empty() || !line.trim().is_empty())
        && text.chars().all(|c| c == '\n' || is_printable(c))
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn block(text: &str, indent: usize) -> Zeroizing<String> {
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let mut out =
        Zeroizing::new(String::with_capacity(4 + text.len() + (indent + 1) * body.matches('\n').count() + indent));
    out.push_str(mark);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out
}

/// A text between quotes, whatever is in it.
pub(super) fn quoted(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(2 + 6 * text.len()));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::{Shape, Style, outline};

    fn read_back(written: &str) -> Plain {
        let text = format!("k: {written}\nnext: 1\n");
        let outline = outline(&text).unwrap_or_else(|fault| panic!("{fault:?} in {text:?}"));
        assert_eq!(outline.parts.len(), 2, "{text:?}");
        match &outline.parts[0].shape {
            Shape::Scalar { text, style: Style::Plain } => Plain::resolve(text),
            Shape::Scalar { text, .. } => Plain::new(Kind::Str, text.as_bytes()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hostile_texts_come_back() {
        for text in [
            "",
            " ",
            "\n",
            "a\n",
            "a\n\n",
            "\na",
            "a\nb",
            "a\nb\n",
            "a\nb\n\n",
            " a\nb",
            "a\n b\n",
            "a\n\nb",
            "a\n \nb",
            "a\n\tb",
            "12",
            "0x1",
            "1e3",
            "yes",
            "null",
            "~",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "'",
            "\"",
            "\\",
            "%",
            "@a",
            "`",
            "{",
            "[",
            "!t",
            "&a",
            "*a",
            "|",
            ">",
            "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]",
            "\0",
            "\u{1}",
            "\u{7f}",
            "\u{85}",
            "\u{feff}x",
            "\u{2028}",
            "\u{1f600}",
            "a\r\nb",
            "---",
            "...",
            "a\n---\nb",
            "true",
            "<<",
            "=",
            "?",
            "-",
            "a:",
            ": a",
            "é",
            "\t",
        ] {
            for indent in [None, Some(4)] {
                let plain = Plain::new(Kind::Str, text.as_bytes());
                let back = read_back(&value(&plain, indent));
                assert!(back.same_as(&plain), "{text:?} as {:?} is {:?}", value(&plain, indent).as_str(), back.text());
            }
        }
    }

    #[test]
    fn numbers_stay_what_they_are() {
        for (kind, text) in [
            (Kind::Int, "12"),
            (Kind::Float, "1000"),
            (Kind::Float, "0.5"),
            (Kind::Float, "+Inf"),
            (Kind::Float, "NaN"),
            (Kind::Bool, "True"),
            (Kind::Null, ""),
        ] {
            let plain = Plain::new(kind, text.as_bytes());
            assert!(read_back(&value(&plain, Some(4))).same_as(&plain), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(?s).{0,40}", block in any::<bool>()) {
            let plain = Plain::new(Kind::Str, text.as_bytes());
            prop_assert!(read_back(&value(&plain, block.then_some(4))).same_as(&plain));
        }

        #[test]
        fn any_lines_come_back(lines in proptest::collection::vec("[ -~éx]{0,8}", 0..6), end in "\n{0,2}") {
            let plain = Plain::new(Kind::Str, format!("{}{end}", lines.join("\n")).as_bytes());
            prop_assert!(read_back(&value(&plain, Some(4))).same_as(&plain));
        }
    }
}
