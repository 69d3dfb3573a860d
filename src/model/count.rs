//! Owns how a number of things is written: `1 host`, `2 hosts`.

/// The number and the word for that many.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
