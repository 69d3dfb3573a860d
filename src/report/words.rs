//! Owns small wordings that several views share: counts, durations, times, lists of names.

use std::time::Duration;

/// `1 host`, `2 hosts`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A duration as people read it: `0.3 s`, `42 s`, `3 min 05 s`.
pub fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The first names and how many more there are.
pub fn some_of(names: &[String], limit: usize) -> String {
    if names.len() <= limit + 1 {
        return names.join(", ");
    }
    format!("{} and {} more", names[..limit].join(", "), names.len() - limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_read_well() {
        let read = |millis| took(Duration::from_millis(millis));
        assert_eq!([read(40), read(9_940), read(61_000)], ["0.0 s", "9.9 s", "61 s"]);
        assert_eq!([read(125_000), read(7_260_000)], ["2 min 05 s", "2 h 01 min"]);
        assert_eq!([count(1, "host", "hosts"), count(0, "host", "hosts")], ["1 host", "0 hosts"]);
        let names: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        assert_eq!([some_of(&names, 3), some_of(&names, 2)], ["a, b, c, d", "a, b and 2 more"]);
    }
}
