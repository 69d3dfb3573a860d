//! Owns dates as YAML 1.1 writes them, and how they stand in Ansible's listing: `2024-01-02T03:04:05+00:00`.
//!
//! Must not know files. A date is text here: nothing computes with one.

/// What a text is as a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timestamp {
    /// No date.
    No,
    /// A date, in ISO 8601.
    Iso(String),
    /// It has the shape of a date, and there is no such day or time.
    Impossible,
}

/// Reads a plain scalar as a date.
pub(super) fn iso(text: &str) -> Timestamp {
    let mut rest = Rest(text);
    match shaped(&mut rest) {
        Some(date) if rest.0.is_empty() => date.iso().map_or(Timestamp::Impossible, Timestamp::Iso),
        _ => Timestamp::No,
    }
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    // From `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    fn mark(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(())
    }

    fn blanks(&mut self) -> bool {
        let trimmed = self.0.trim_start_matches([' ', '\t']);
        let any = trimmed.len() < self.0.len();
        self.0 = trimmed;
        any
    }
}

struct Date {
    day: (u32, u32, u32),
    time: Option<Time>,
}

struct Time {
    clock: (u32, u32, u32),
    micros: u32,
    // Minutes from UTC.
    zone: Option<i64>,
}

fn shaped(rest: &mut Rest<'_>) -> Option<Date> {
    let whole = rest.0;
    let year = rest.number(4, 4)?;
    rest.mark('-')?;
    let month = rest.number(1, 2)?;
    rest.mark('-')?;
    let day = rest.number(1, 2)?;
    if rest.0.is_empty() {
        // Without a time, month and day have two digits each.
        return (whole.len() == 10).then_some(Date { day: (year, month, day), time: None });
    }
    if rest.0.starts_with(['T', 't']) {
        rest.0 = &rest.0[1..];
    } else if !rest.blanks() {
        return None;
    }
    let hour = rest.number(1, 2)?;
    rest.mark(':')?;
    let minute = rest.number(2, 2)?;
    rest.mark(':')?;
    let second = rest.number(2, 2)?;
    let mut micros = 0;
    if rest.mark('.').is_some() {
        let count = rest.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.0.split_at(count);
        rest.0 = after;
        micros = format!("{:0<6}", &digits[..count.min(6)]).parse().ok()?;
    }
    let zone = if rest.0.is_empty() { None } else { Some(zone(rest)?) };
    Some(Date { day: (year, month, day), time: Some(Time { clock: (hour, minute, second), micros, zone }) })
}

fn zone(rest: &mut Rest<'_>) -> Option<i64> {
    rest.blanks();
    if rest.mark('Z').is_some() {
        return Some(0);
    }
    let sign = if rest.mark('-').is_some() { -1 } else { rest.mark('+').map(|()| 1)? };
    let hours = i64::from(rest.number(1, 2)?);
    let minutes = if rest.mark(':').is_some() { i64::from(rest.number(2, 2)?) } else { 0 };
    Some(sign * (hours * 60 + minutes))
}

impl Date {
    fn iso(&self) -> Option<String> {
        let (year, month, day) = self.day;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        if year == 0 || day == 0 || day > last {
            return None;
        }
        let mut text = format!("{year:04}-{month:02}-{day:02}");
        let Some(Time { clock: (hour, minute, second), micros, zone }) = &self.time else { return Some(text) };
        if *hour > 23 || *minute > 59 || *second > 59 || zone.is_some_and(|zone| zone.abs() >= 24 * 60) {
            return None;
        }
        text.push_str(&format!("T{hour:02}:{minute:02}:{second:02}"));
        if *micros > 0 {
            text.push_str(&format!(".{micros:06}"));
        }
        if let Some(zone) = zone {
            let sign = if *zone < 0 { '-' } else { '+' };
            text.push_str(&format!("{sign}{:02}:{:02}", zone.abs() / 60, zone.abs() % 60));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each compared with what ansible-inventory prints.
    #[test]
    fn dates_are_written_as_ansible_lists_them() {
        for (text, expected) in [
            ("2001-12-14 21:59:43.10 -5", "2001-12-14T21:59:43.100000-05:00"),
            ("2001-12-14t21:59:43Z", "2001-12-14T21:59:43+00:00"),
            ("2001-12-14 21:59:43", "2001-12-14T21:59:43"),
            ("2024-2-29 1:02:03.1234567+05:30", "2024-02-29T01:02:03.123456+05:30"),
        ] {
            assert_eq!(iso(text), Timestamp::Iso(expected.into()), "{text}");
        }
        for text in ["2023-02-29", "2024-13-01", "0000-01-01", "2024-01-02 24:00:00", "2024-01-02 1:00:00 +24"] {
            assert_eq!(iso(text), Timestamp::Impossible, "{text}");
        }
        for text in
            ["2024-1-2", "2024-01-02 10:00", "2024-01-02x", "2024-01-02T", "20240-01-02", "2024-01-02 1:00:00 Y"]
        {
            assert_eq!(iso(text), Timestamp::No, "{text}");
        }
    }
}
