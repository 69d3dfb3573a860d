//! Owns one value: its type as SOPS has it, its bytes, and what a plain scalar of YAML is.
//!
//! SOPS reads YAML with Go's yaml.v3, so what a scalar without quotes means is decided as there.

use zeroize::Zeroizing;

/// The type of a value, as it is written behind `type:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Str,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A truth value.
    Bool,
    /// Bytes that need not be text.
    Bytes,
    /// A comment.
    Comment,
    /// No value at all; it is never encrypted.
    Null,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Str => "str",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Bool => "bool",
            Kind::Bytes => "bytes",
            Kind::Comment => "comment",
            Kind::Null => "null",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        // `int64` is what some versions call the same; a point in time is kept as its text.
        match word {
            "str" | "time" => Some(Kind::Str),
            "int" | "int64" => Some(Kind::Int),
            "float" => Some(Kind::Float),
            "bool" => Some(Kind::Bool),
            "bytes" => Some(Kind::Bytes),
            "comment" => Some(Kind::Comment),
            _ => None,
        }
    }
}

/// A value, not encrypted. Its bytes are those that SOPS encrypts and hashes.
#[derive(Clone)]
pub(super) struct Plain {
    pub kind: Kind,
    pub bytes: Zeroizing<Vec<u8>>,
}

impl Plain {
    pub fn new(kind: Kind, bytes: &[u8]) -> Self {
        Self { kind, bytes: Zeroizing::new(bytes.to_vec()) }
    }

    pub fn null() -> Self {
        Self::new(Kind::Null, b"")
    }

    /// What a scalar without quotes is.
    pub fn resolve(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::null(),
            "true" | "True" | "TRUE" => return Self::new(Kind::Bool, b"True"),
            "false" | "False" | "FALSE" => return Self::new(Kind::Bool, b"False"),
            ".nan" | ".NaN" | ".NAN" => return Self::new(Kind::Float, b"NaN"),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Self::new(Kind::Float, b"+Inf"),
            "-.inf" | "-.Inf" | "-.INF" => return Self::new(Kind::Float, b"-Inf"),
            _ => {}
        }
        if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
            return Self::new(Kind::Str, text.as_bytes());
        }
        if let Some(number) = whole(text) {
            return Self::new(Kind::Int, number.to_string().as_bytes());
        }
        if let Some(number) = fraction(text) {
            return Self::new(Kind::Float, Zeroizing::new(number.to_string()).as_bytes());
        }
        Self::new(Kind::Str, text.as_bytes())
    }

    /// The bytes as SOPS writes them, where they are a value of this kind; for what comes from outside.
    pub fn checked(kind: Kind, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let text = std::str::from_utf8(&bytes).ok();
        let fits = match kind {
            Kind::Bytes => true,
            Kind::Str | Kind::Comment => text.is_some(),
            Kind::Int => text.is_some_and(|text| text.parse::<i64>().is_ok()),
            Kind::Float => text.is_some_and(|text| text.parse::<f64>().is_ok()),
            Kind::Bool => {
                return match text? {
                    "True" | "true" | "TRUE" | "t" | "T" | "1" => Some(Self::new(kind, b"True")),
                    "False" | "false" | "FALSE" | "f" | "F" | "0" => Some(Self::new(kind, b"False")),
                    _ => None,
                };
            }
            Kind::Null => bytes.is_empty(),
        };
        fits.then_some(Self { kind, bytes })
    }

    pub fn same_as(&self, other: &Plain) -> bool {
        self.kind == other.kind && self.bytes == other.bytes
    }

    /// The value as text, where it is text; a truth value as YAML writes it.
    pub fn text(&self) -> Option<Zeroizing<String>> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        Some(Zeroizing::new(if self.kind == Kind::Bool { text.to_lowercase() } else { text.to_owned() }))
    }
}

// Go's ParseInt with base 0, after taking the underscores out. What needs more than 64 bits is no number here.
fn whole(text: &str) -> Option<i64> {
    let bare = Zeroizing::new(text.replace('_', ""));
    let (sign, digits) = match bare.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", bare.strip_prefix('+').unwrap_or(&bare)),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn fraction(text: &str) -> Option<f64> {
    let bare = Zeroizing::new(text.replace('_', ""));
    let unsigned = bare.strip_prefix(['-', '+']).unwrap_or(&bare);
    let (number, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (head, tail) = number.split_once('.').unwrap_or((number, "0"));
    let shaped = digits(head) && digits(tail) && !(head.is_empty() && tail.is_empty());
    let exponent = exponent.is_none_or(|text| {
        let count = text.strip_prefix(['-', '+']).unwrap_or(text);
        !count.is_empty() && digits(count)
    });
    if shaped && exponent { bare.parse::<f64>().ok().filter(|number| number.is_finite()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each as Go's yaml.v3 resolves it into an empty interface.
    #[test]
    fn plain_scalars_mean_what_they_mean_to_sops() {
        for (text, kind, bytes) in [
            ("abc", Kind::Str, "abc"),
            ("yes", Kind::Str, "yes"),
            ("on", Kind::Str, "on"),
            ("TRUE", Kind::Bool, "True"),
            ("false", Kind::Bool, "False"),
            ("~", Kind::Null, ""),
            ("", Kind::Null, ""),
            ("12", Kind::Int, "12"),
            ("-012", Kind::Int, "-10"),
            ("0o17", Kind::Int, "15"),
            ("0x1F", Kind::Int, "31"),
            ("1_000", Kind::Int, "1000"),
            ("08", Kind::Float, "8"),
            ("1.50", Kind::Float, "1.5"),
            ("1e3", Kind::Float, "1000"),
            (".5", Kind::Float, "0.5"),
            ("1234.56789", Kind::Float, "1234.56789"),
            ("1e21", Kind::Float, "1000000000000000000000"),
            ("1.2.3", Kind::Str, "1.2.3"),
            ("-", Kind::Str, "-"),
            ("+", Kind::Str, "+"),
            (".", Kind::Str, "."),
            ("10.0.0.1", Kind::Str, "10.0.0.1"),
            ("0x", Kind::Str, "0x"),
            ("+-1", Kind::Str, "+-1"),
            (".inf", Kind::Float, "+Inf"),
        ] {
            let plain = Plain::resolve(text);
            assert_eq!((plain.kind, std::str::from_utf8(&plain.bytes).unwrap()), (kind, bytes), "{text}");
        }
    }
}
