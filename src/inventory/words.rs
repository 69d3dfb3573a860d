//! Owns the words of one line, as a shell would see them: quotes, backslashes, and comments that begin anywhere.
//!
//! Must not know what the words mean. The rules are those of Python's `shlex`, which Ansible uses for lines of hosts:
//! other than in a shell, `#` begins a comment inside of a word, too. Each character keeps where it stands.

/// One word, without its quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says.
    pub text: String,
    /// Where it begins and ends in the line, in bytes, quotes included.
    pub range: (usize, usize),
    // Where each character of `text` stands in the line.
    origins: Vec<usize>,
}

impl Word {
    /// The part before the first `=`, and the part behind it with where that begins.
    pub fn assignment(&self) -> Option<(&str, &str, usize)> {
        let (name, value) = self.text.split_once('=')?;
        let at = self.text.chars().position(|c| c == '=')?;
        let start = self.origins.get(at + 1).copied().unwrap_or(self.range.1);
        Some((name, value, start))
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.origins.push(at);
    }
}

/// Why a line has no words: where the quote or the backslash stands that nothing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// A quote that is never closed.
    Quote(usize),
    /// A backslash at the end.
    Backslash(usize),
}

/// The words of a line.
pub(super) fn split(line: &str) -> Result<Vec<Word>, Open> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.char_indices();
    let mut end = line.len();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => {
                words.extend(finished(word.take(), at));
                continue;
            }
            '#' => {
                end = at;
                break;
            }
            _ => {}
        }
        let word = word.get_or_insert_with(|| Word { range: (at, at), ..Word::default() });
        match c {
            '\'' => loop {
                match chars.next() {
                    Some((_, '\'')) => break,
                    Some((at, c)) => word.push(c, at),
                    None => return Err(Open::Quote(at)),
                }
            },
            '"' => loop {
                match chars.next() {
                    Some((_, '"')) => break,
                    Some((slash, '\\')) => match chars.next() {
                        Some((at, c @ ('"' | '\\'))) => word.push(c, at),
                        Some((at, c)) => {
                            word.push('\\', slash);
                            word.push(c, at);
                        }
                        None => return Err(Open::Quote(at)),
                    },
                    Some((at, c)) => word.push(c, at),
                    None => return Err(Open::Quote(at)),
                }
            },
            '\\' => match chars.next() {
                Some((at, c)) => word.push(c, at),
                None => return Err(Open::Backslash(at)),
            },
            c => word.push(c, at),
        }
    }
    words.extend(finished(word, end));
    Ok(words)
}

fn finished(word: Option<Word>, end: usize) -> Option<Word> {
    word.map(|word| Word { range: (word.range.0, end), ..word })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_line_is_cut_as_python_cuts_it() {
        assert_eq!(words(r#"web1 a=1 b="x y" c='"z"' d=a\ b"#), ["web1", "a=1", "b=x y", "c=\"z\"", "d=a b"]);
        assert_eq!(words(r#"h a="b\"c\d" b='\n'"#), ["h", r#"a=b"c\d"#, r"b=\n"]);
        assert_eq!(words("h color=a#b c=d"), ["h", "color=a"]);
        assert_eq!(words("h x='#1' # y"), ["h", "x=#1"]);
        assert_eq!(words(r#"h a="" """#), ["h", "a=", ""]);
        assert_eq!(split("h a='x"), Err(Open::Quote(4)));
        assert_eq!(split("h a=x\\"), Err(Open::Backslash(5)));
    }

    #[test]
    fn a_value_knows_where_it_stands() {
        let all = split("h user='x y' n= k").unwrap();
        assert_eq!(all[1].assignment(), Some(("user", "x y", 8)));
        assert_eq!(all[2].assignment(), Some(("n", "", 15)));
        assert_eq!(all[3].assignment(), None);
        assert_eq!(all[1].range, (2, 12));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "([ \t'\"\\\\#=]|\\PC){0,20}") {
            for word in split(&line).unwrap_or_default() {
                prop_assert!(line.get(word.range.0..word.range.1).is_some());
            }
        }
    }
}
