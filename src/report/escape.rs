//! Owns how text of strangers reaches a terminal: whatever a terminal would obey, or a reader could not see, is written
//! out as Rust would write it.
//!
//! Values from inventories, playbooks and hosts are hostile: ESC moves the cursor, `\r` overwrites what was printed,
//! a bidi override turns `exe.txt` around. Every view sends such text through here; nothing else decides.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// One line of text with everything visible: a newline becomes `\n`, ESC becomes `\u{1b}`.
pub fn visible(text: &str) -> String {
    escape(text, is_unseen)
}

/// As [`visible`], but a tab stays as spaces to the next stop, for lines of files.
pub fn visible_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        let cell = if c == '\t' { " ".repeat(4 - column % 4) } else { visible(c.encode_utf8(&mut [0; 4])) };
        column += cell.width();
        line.push_str(&cell);
    }
    line
}

/// Between quotes, as a string in a program is written, so that `"\n"` and a newline cannot be taken for each other.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text, |c| is_unseen(c) || matches!(c, '"' | '\\')))
}

/// The text cut to `width` columns, with `…` where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + c.encode_utf8(&mut [0; 4]).width() + 1 > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// The text with spaces behind it up to `width` columns.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Whether a terminal would obey this character, or a reader not see it.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn escape(text: &str, is_bad: impl Fn(char) -> bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if !is_bad(c) => clean.push(c),
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            '"' | '\\' => clean.extend(['\\', c]),
            other => {
                let _ = write!(clean, "\\u{{{:x}}}", other as u32);
            }
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in "(?s).{0,60}") {
            for clean in [visible(&text), visible_line(&text), quoted(&text), cut(&visible(&text), 7)] {
                prop_assert!(!clean.chars().any(is_unseen), "{clean:?}");
            }
        }

        #[test]
        fn harmless_text_stays(text in "[a-z0-9 /:.éß漢字-]{0,40}") {
            prop_assert_eq!(visible(&text), text);
        }

        #[test]
        fn two_texts_never_look_alike_between_quotes(a in "[a\\\\n\"\n\u{1b}]{0,6}", b in "[a\\\\n\"\n\u{1b}]{0,6}") {
            prop_assert_eq!(a == b, quoted(&a) == quoted(&b));
        }

        #[test]
        fn what_is_cut_fits(text in "[a-z漢]{0,40}", width in 1usize..30) {
            prop_assert!(cut(&text, width).width() <= width);
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(visible("a\x1b[2Jb\r\u{202e}c\u{9b}\n\u{7f}"), r"a\u{1b}[2Jb\r\u{202e}c\u{9b}\n\u{7f}");
        assert_eq!(visible_line("\tx\ty"), "    x   y");
        assert_eq!(quoted("a\"\\"), r#""a\"\\""#);
    }
}
