//! Owns the line of a file that a diagnostic shows: found, masked, made visible, and cut around the caret.
//!
//! Only this one line is ever handed to the renderer, so the size of the file does not matter. What stands behind a
//! key that sounds like a secret is hidden, and so is every line under such a key: a file that cannot be read as YAML
//! has no marks of secrets yet, so its names are all there is to go by. This errs on the side of hiding.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::escape::visible;
use crate::model::Place;

const HIDDEN: &str = "(hidden)";
/// Of a longer line, this many bytes around the caret are looked at for display.
const WINDOW: usize = 4096;
/// Names that only sound like a secret: settings of sshd and a kind.
const PUBLIC: [&str; 6] = [
    "authorized_key",
    "hostkey",
    "kerberosorlocalpasswd",
    "password_authentication",
    "passwordauthentication",
    "permitemptypasswords",
];
/// This many lines are searched upwards for the key that a line stands under.
const ABOVE: usize = 10_000;

/// A line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The visible text.
    pub text: String,
    /// The stretch under which the caret goes, in bytes of `text`.
    pub span: Range<usize>,
}

/// The line of a place, at most `width` columns of it. A place of several lines is shown by its first.
pub fn excerpt(place: &Place, width: usize) -> Excerpt {
    let text = place.text();
    let range = place.range();
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.start..].find('\n').map_or(text.len(), |at| range.start + at);
    let line = text[start..end].trim_end_matches('\r');
    let from = (range.start - start).min(line.len());
    let to = (range.end - start).clamp(from, line.len());
    let hidden = if stands_under_secret(&text[..start], line) {
        Some(line.len() - line.trim_start().len())
    } else {
        secret_start(line).map(|at| line.len() - line[at..].trim_start().len())
    };
    let (cells, caret) = cells(line, from..to, hidden);
    cut_around(&cells, caret, width)
}

// What is shown, character by character, and which of these the caret stands under.
fn cells(line: &str, caret: Range<usize>, hidden: Option<usize>) -> (Vec<String>, Range<usize>) {
    let first = floor(line, caret.start.saturating_sub(WINDOW));
    let last = floor(line, caret.start.saturating_add(WINDOW));
    let mut cells = Vec::new();
    let mut under = None;
    let mut column = 0;
    if first > 0 {
        cells.push("…".to_owned());
    }
    for (at, c) in line[first..last].char_indices().map(|(at, c)| (first + at, c)) {
        if caret.contains(&at) || at == caret.start {
            under.get_or_insert(cells.len()..cells.len()).end = cells.len() + 1;
        }
        if hidden.is_some_and(|hidden| at >= hidden) {
            let from = under.clone().map_or(cells.len(), |under: Range<usize>| under.start);
            cells.push(HIDDEN.to_owned());
            // A caret anywhere in what is hidden goes under all of it.
            let ends_before = caret.end <= at && caret.start < at;
            let to = if ends_before { under.map_or(cells.len(), |under| under.end) } else { cells.len() };
            return (cells, from..to);
        }
        let cell = if c == '\t' { " ".repeat(4 - column % 4) } else { visible(c.encode_utf8(&mut [0; 4])) };
        column += cell.width();
        cells.push(cell);
    }
    let under = under.unwrap_or(cells.len()..cells.len());
    if last < line.len() {
        cells.push("…".to_owned());
    }
    (cells, under)
}

fn cut_around(cells: &[String], caret: Range<usize>, width: usize) -> Excerpt {
    let wide = |cells: &[String]| cells.iter().map(|cell| cell.width()).sum::<usize>();
    let (mut from, mut to) = (0, cells.len());
    if wide(cells) > width {
        let room = width.saturating_sub(2);
        // The caret's end is wanted too, and half of the line before it at most.
        if wide(&cells[..caret.end]) > room {
            let before = room.saturating_sub(wide(&cells[caret.clone()])).max(room / 2);
            from = caret.start;
            while from > 0 && wide(&cells[from - 1..caret.start]) <= before {
                from -= 1;
            }
        }
        to = caret.start.max(from);
        while to < cells.len() && wide(&cells[from..=to]) <= room {
            to += 1;
        }
    }
    let mut text = String::new();
    let mut span = None;
    if from > 0 {
        text.push('…');
    }
    for (at, cell) in cells.iter().enumerate().take(to).skip(from) {
        let begin = text.len();
        text.push_str(cell);
        if caret.contains(&at) {
            span.get_or_insert(begin..begin).end = text.len();
        }
    }
    let span = span.unwrap_or(text.len()..text.len());
    if to < cells.len() {
        text.push('…');
    }
    Excerpt { text, span }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where the value of a key that sounds like a secret begins in a line.
fn secret_start(line: &str) -> Option<usize> {
    let tag = line.find("!secret").map(|at| at + "!secret".len());
    // The second part of a key written as `? password` stands alone behind its colon.
    let lone = line.trim_start().starts_with(": ").then(|| line.len() - line.trim_start().len() + 1);
    let mut word_end = 0;
    let named = line.char_indices().find_map(|(at, c)| {
        if c == ':' || c == '=' {
            let word = line[word_end..at].trim_end().trim_end_matches(['"', '\'']);
            let name = word.rfind(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))).map_or(word, |before| {
                word[before..].trim_start_matches(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
            });
            word_end = at + 1;
            return sounds_secret(name).then_some(at + 1);
        }
        None
    });
    [tag, lone, named].into_iter().flatten().min()
}

/// Whether a key names something that must not be shown.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    // Of these the value is public: yes or no, or where something stands.
    if PUBLIC.contains(&name.as_str()) {
        return false;
    }
    let (_, last) = name.rsplit_once(['_', '-', '.']).unwrap_or(("", &name));
    // A path, or a playbook's list of names.
    if last == "file" || name == "secret_vars" {
        return false;
    }
    ["password", "passwd", "passphrase", "secret", "token", "private_key", "credential"]
        .iter()
        .any(|word| name.contains(word))
        || ["pass", "key", "pwd", "psk"].iter().any(|word| last.ends_with(word))
}

// Walks up through less and less indented lines, as YAML nests.
fn stands_under_secret(above: &str, line: &str) -> bool {
    let (mut limit, key) = indents(line);
    let mut is_item = key > limit;
    let mut nearest = true;
    let lines = above.strip_suffix('\n').unwrap_or(above).rsplit('\n').filter(|line| !line.trim().is_empty());
    for (count, line) in lines.enumerate() {
        if (limit == 0 && !is_item && !nearest) || above.is_empty() {
            return false;
        }
        if count > ABOVE {
            return true;
        }
        let (indent, key) = indents(line);
        let is_parent = key < limit || (is_item && key == limit && key == indent);
        // In a flow map a value may stand on the next line without any indentation.
        let continues = nearest && line.trim_end().ends_with([':', '=']);
        if (is_parent || continues) && secret_start(line).is_some() {
            return true;
        }
        if is_parent || indent < limit {
            (limit, is_item) = (indent, key > indent);
        }
        nearest = false;
    }
    false
}

// Where a line begins, and where its key does behind any `- `.
fn indents(line: &str) -> (usize, usize) {
    let indent = line.len() - line.trim_start().len();
    let mut rest = &line[indent..];
    while let Some(after) = rest.strip_prefix('-').filter(|after| after.is_empty() || after.starts_with(' ')) {
        rest = after.trim_start();
    }
    (indent, line.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Source;
    use crate::report::escape::is_unseen;

    fn shown(text: &str, at: &str, width: usize) -> String {
        let start = text.find(at).unwrap();
        let excerpt = excerpt(&Place::new(&Source::new("f", text), start, start + at.len()), width);
        let before = excerpt.text[..excerpt.span.start].width();
        let under = "^".repeat(excerpt.text[excerpt.span.clone()].width());
        format!("{}|{before}{under}", excerpt.text)
    }

    #[test]
    fn tabs_and_control_characters_keep_the_caret_right() {
        assert_eq!(shown("a\n\tx: y\r\nb", "y", 80), "    x: y|7^");
        assert_eq!(shown("a: \u{1b}[2J bad", "bad", 80), r"a: \u{1b}[2J bad|13^^^");
        assert_eq!(shown("[1,\n2]", "[1,\n2]", 80), "[1,|0^^^");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let long = format!("{}WRONG{}", "a".repeat(50_000), "b".repeat(50_000));
        assert_eq!(shown(&long, "WRONG", 20), "…aaaaaaaaaaaaaWRONG…|14^^^^^");
        assert_eq!(shown(&format!("WRONG{}", "b".repeat(60)), "WRONG", 20), "WRONGbbbbbbbbbbbbb…|0^^^^^");
        assert_eq!(shown(&format!("{}WRONG", "a".repeat(60)), "WRONG", 20), "…aaaaaaaaaaaaaWRONG|14^^^^^");
    }

    #[test]
    fn what_stands_behind_a_secret_key_is_hidden() {
        let hidden = |line: &str| !shown(line, "hunter2", 200).contains("hunter2");
        for line in [
            "ansible_password: hunter2",
            "  - { user: a, ansible_ssh_pass: hunter2, x: y }",
            "\"api-token\" : \"hunter2\"",
            "host1 ansible_become_pass=hunter2",
            "x: !secret hunter2",
            "? password\n: hunter2",
            "sshKey: hunter2",
            "password:\n  hunter2",
            "password: |\n  first\n\n  hunter2",
            "tokens:\n- hunter2",
            "tokens:\n  - name: x\n    value: hunter2",
            "db: { password:\nhunter2 }",
            "secrets:\n  db:\n    of: hunter2",
            "PASSWORD=hunter2",
        ] {
            assert!(hidden(line), "{line}");
        }
        for line in [
            "ansible_ssh_private_key_file: hunter2",
            "ansible_host_key_checking: hunter2",
            "secret_vars: [hunter2]",
            "secret_vars:\n  - hunter2",
            "password: x\nuser: hunter2",
            "- token: x\n  user: hunter2",
            "a:\n  token: x\nb:\n  c: hunter2",
            "passenger: hunter2",
            "- sshd: { settings: { PasswordAuthentication: \"no\", HostKey: /x, AllowUsers: [hunter2] } }",
            "- authorized_key: { user: hunter2, key: x }",
        ] {
            assert!(!hidden(line), "{line}");
        }
    }

    #[test]
    fn the_caret_goes_under_what_is_hidden_or_under_the_key() {
        assert_eq!(shown("password: hunter2", "hunter2", 80), "password: (hidden)|10^^^^^^^^");
        assert_eq!(shown("password: hunter2", "password", 80), "password: (hidden)|0^^^^^^^^");
        assert_eq!(
            shown("password: hunter2", "password: hunter2", 80),
            "password: (hidden)|0".to_owned() + &"^".repeat(18)
        );
    }

    proptest! {
        #[test]
        fn any_place_of_any_text_gives_a_clean_line(
            text in "(?s)([ -~\t\r\n:=é漢\u{1b}]|.){0,80}", start in 0usize..90, length in 0usize..20, width in 10usize..60,
        ) {
            let place = Place::new(&Source::new("f", text), start, start + length);
            let excerpt = excerpt(&place, width);
            prop_assert!(!excerpt.text.chars().any(is_unseen));
            prop_assert!(excerpt.text.get(excerpt.span.clone()).is_some());
            prop_assert!(excerpt.text.width() <= width + 1);
        }

        #[test]
        fn nothing_behind_a_password_is_ever_shown(
            before in "[a-z:{} \n-]{0,20}", secret in "[A-Z]{8}", after in "[a-z: \n]{0,20}", at in 0usize..60,
        ) {
            let text = format!("{before}\npassword: {secret}\n{after}");
            let place = Place::new(&Source::new("f", text), at, at + 3);
            prop_assert!(!excerpt(&place, 80).text.contains(&secret));
        }
    }
}
