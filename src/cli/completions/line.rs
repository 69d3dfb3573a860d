//! Owns a command line that is still being typed: split as a shell would, with its last word open.

/// Characters at which bash begins a new word inside of one, so that only what comes after them is replaced.
const BREAKS: [char; 3] = [':', '=', '@'];

/// The words up to the cursor; the last one is being completed, and may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub words: Vec<String>,
    /// The quote that is open at the cursor.
    quote: Option<char>,
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
        if self.quote.is_some() {
            return candidate.to_owned();
        }
        // The part before the last break stays as it was typed.
        let kept = self.raw.rfind(BREAKS).map_or(0, |at| at + 1);
        let rest =
            if self.raw.contains(['\\', '\'', '"']) { candidate } else { candidate.get(kept..).unwrap_or(candidate) };
        let special = |c: char| c.is_whitespace() || "'\"\\$&|;()<>*?[]!`~#".contains(c);
        rest.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
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
            (Some(quote), c) if c == quote => typed.quote = None,
            (Some('"'), '\\') => word.extend(chars.next()),
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
            (None, '\'' | '"') => typed.quote = Some(c),
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
}
