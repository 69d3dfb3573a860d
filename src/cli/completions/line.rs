//! Owns a command line that is still being typed: split as a shell would, with its last word open.

/// Characters at which bash begins a new word inside of one, so that only what comes after them is replaced.
const BREAKS: [char; 3] = [':', '=', '@'];

/// The words up to the cursor; the last one is being completed, and may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub words: Vec<String>,
    /// The quote that is open at the cursor, and how much of the last word stands before it.
    quote: Option<(char, usize)>,
    /// The last word as typed, where no quote is open in it.
    raw: String,
}

impl Typed {
    /// From a shell that has split the line itself. A quote at the beginning of the last word is one that is open.
    pub fn of_words(words: &[String]) -> Self {
        let mut words = words.to_vec();
        if let Some(last) = words.last_mut() {
            *last = last.trim_start_matches(['\'', '"']).to_owned();
        }
        let raw = words.last().cloned().unwrap_or_default();
        Self { words, quote: None, raw }
    }

    /// What bash puts in the place of the last word, or of its last part.
    pub fn rest_for_bash(&self, candidate: &str) -> String {
        if let Some((quote, at)) = self.quote {
            // bash replaces what stands behind the quote, as it is handed over.
            return candidate.get(at..).unwrap_or(candidate).chars().map(|c| quoted(quote, c)).collect();
        }
        // The part before the last break stays as it was typed.
        let kept = self.raw.rfind(BREAKS).map_or(0, |at| at + 1);
        let rest =
            if self.raw.contains(['\\', '\'', '"']) { candidate } else { candidate.get(kept..).unwrap_or(candidate) };
        let special = |c: char| c.is_whitespace() || "'\"\\$&|;()<>*?[]{}!`~#".contains(c);
        rest.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
    }
}

// A character as it is written inside of an open quote.
fn quoted(quote: char, c: char) -> String {
    match (quote, c) {
        ('\'', '\'') => "'\\''".into(),
        // Alone it would begin an event of the history, and a backslash before it would stay in the word.
        ('"', '!') => "\"\\!\"".into(),
        ('"', '\\' | '$' | '`' | '"') => format!("\\{c}"),
        (_, c) => c.into(),
    }
}

/// Splits bash's line up to the cursor; of several commands, the last one counts.
pub(super) fn split(line: &str) -> Typed {
    let mut typed = Typed { words: vec![String::new()], quote: None, raw: String::new() };
    let mut begun = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let Some(word) = typed.words.last_mut() else { break };
        match (typed.quote, c) {
            (Some((quote, _)), c) if c == quote => typed.quote = None,
            (Some(('"', _)), '\\') => match chars.next() {
                Some(c @ ('\\' | '$' | '`' | '"')) => word.push(c),
                other => word.extend(['\\'].into_iter().chain(other)),
            },
            (Some(_), c) => word.push(c),
            (None, ' ' | '\t' | '\n') => {
                if begun {
                    typed.words.push(String::new());
                }
                begun = false;
                typed.raw.clear();
                continue;
            }
            (None, '|' | ';' | '&') => {
                typed = Typed { words: vec![String::new()], ..Typed::default() };
                begun = false;
                continue;
            }
            (None, '\'' | '"') => typed.quote = Some((c, word.len())),
            (None, '\\') => word.extend(chars.next()),
            (None, c) => word.push(c),
        }
        begun = true;
        typed.raw.push(c);
    }
    // What stands before the program: `FOO=bar`, `sudo`.
    let first = typed.words.iter().position(|word| word == "rempart" || word.ends_with("/rempart"));
    if let Some(first) = first {
        typed.words.drain(..first);
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).words
    }

    #[test]
    fn a_line_is_split_as_bash_would() {
        assert_eq!(words("rempart pl"), ["rempart", "pl"]);
        assert_eq!(words("rempart  plan "), ["rempart", "plan", ""]);
        assert_eq!(words("rempart plan --limit 'web:&pa"), ["rempart", "plan", "--limit", "web:&pa"]);
        assert_eq!(words("rempart plan a\\ b \"c d\" e"), ["rempart", "plan", "a b", "c d", "e"]);
        assert_eq!(words(r#"rempart "a\d\$\"" 'b\'\''c'"#), ["rempart", r#"a\d$""#, r"b\'c"]);
        assert_eq!(words("cd x && sudo A=b /usr/bin/rempart dr"), ["/usr/bin/rempart", "dr"]);
        assert_eq!(words(""), [""]);
    }

    #[test]
    fn bash_replaces_the_part_after_its_breaks() {
        assert_eq!(split("rempart plan --limit web:pa").rest_for_bash("web:paris"), "paris");
        assert_eq!(split("rempart plan --limit=we").rest_for_bash("--limit=web"), "web");
        assert_eq!(split("rempart plan --limit 'web:&pa").rest_for_bash("web:&paris"), "web:&paris");
        assert_eq!(split("rempart plan a").rest_for_bash("a b.yaml"), "a\\ b.yaml");
        assert_eq!(split("rempart ").rest_for_bash("plan"), "plan");
    }

    #[test]
    fn inside_of_a_quote_bash_gets_the_rest_as_it_must_stand_there() {
        for (line, candidate, rest) in [
            (r#"plan "a"#, r#"a$(id)`id`"\"#, r#"a\$(id)\`id\`\"\\"#),
            (r#"plan "web:"#, "web:!db", r#"web:"\!"db"#),
            (r#"plan "web:"\!""#, "web:!db", "db"),
            ("plan 'a", "a$b'c", r"a$b'\''c"),
            (r"plan 'it'\''", "it's", "s"),
            ("plan web:'!d", "web:!db1", "!db1"),
        ] {
            assert_eq!(split(line).rest_for_bash(candidate), rest, "{line}");
        }
    }
}
