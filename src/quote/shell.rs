//! Owns POSIX sh: text that runs, and values that are quoted into it.

use std::fmt;

/// A piece of POSIX sh. Made from literals and quoted values alone, so a hostile value cannot run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sh(String);

/// A value that can stand in sh text: quoted, or sh itself.
pub trait ShArg {
    /// Appends the quoted form.
    fn append_to(&self, text: &mut String);
}

impl Sh {
    /// A template whose `{}` are replaced by `arguments` in order. Use the macro `sh!`.
    ///
    /// A template with more or fewer `{}` than arguments is a bug in rempart; what is left stays as it is.
    pub fn template(template: &'static str, arguments: &[&dyn ShArg]) -> Self {
        let mut parts = template.split("{}");
        let mut text = parts.next().unwrap_or("").to_owned();
        let mut arguments = arguments.iter();
        for part in parts {
            match arguments.next() {
                Some(argument) => argument.append_to(&mut text),
                None => text.push_str("{}"),
            }
            text.push_str(part);
        }
        debug_assert!(arguments.next().is_none(), "sh template with too few places: {template}");
        Self(text)
    }

    /// What the user wrote to be run as a program, such as `command.run`; never a value.
    pub fn program_of_the_user(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a line.
    pub fn line(&mut self, more: Sh) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(&more.0);
        self
    }

    /// Lines after one another.
    pub fn lines(parts: impl IntoIterator<Item = Sh>) -> Self {
        let mut all = Sh::default();
        for part in parts {
            all.line(part);
        }
        all
    }
}

/// Quotes one value for POSIX sh: between apostrophes nothing is special but the apostrophe.
///
/// A NUL cannot stand in an argument; loading refuses it, and here it is left out.
pub fn quote_sh(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@,+%".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

impl ShArg for str {
    fn append_to(&self, text: &mut String) {
        text.push_str(&quote_sh(self));
    }
}

impl ShArg for String {
    fn append_to(&self, text: &mut String) {
        self.as_str().append_to(text);
    }
}

impl ShArg for Sh {
    fn append_to(&self, text: &mut String) {
        text.push_str(&self.0);
    }
}

impl<T: ShArg + ?Sized> ShArg for &T {
    fn append_to(&self, text: &mut String) {
        (**self).append_to(text);
    }
}

/// Several values, each quoted, with spaces between.
impl<T: ShArg> ShArg for [T] {
    fn append_to(&self, text: &mut String) {
        for (at, value) in self.iter().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            value.append_to(text);
        }
    }
}

impl<T: ShArg> ShArg for Vec<T> {
    fn append_to(&self, text: &mut String) {
        self.as_slice().append_to(text);
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl ShArg for $number {
            fn append_to(&self, text: &mut String) {
                text.push_str(&self.to_string());
            }
        }
    )*};
}

numbers!(u16 u32 u64 usize i64);

impl fmt::Display for Sh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::process::Command;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_shell_reads_back_what_was_quoted(values in proptest::collection::vec("[^\0]{0,40}", 1..8)) {
            let script = crate::sh!("printf '%s\\0' {}", values);
            let out = Command::new("sh").arg("-c").arg(script.text()).output().unwrap();
            let expected: Vec<u8> = values.iter().flat_map(|v| v.bytes().chain([0])).collect();
            prop_assert_eq!(out.stdout, expected);
        }
    }

    #[test]
    fn a_value_never_runs() {
        for hostile in ["$(touch /tmp/x)", "`id`", "'; id; '", "\n id", "-rf", "a\\", "\"", "*", "~", "#", "!"] {
            let out = Command::new("sh").arg("-c").arg(crate::sh!("printf %s {}", hostile).text()).output().unwrap();
            assert_eq!(String::from_utf8(out.stdout).unwrap(), hostile);
        }
    }
}
