//! When a job runs, as crontab(5) writes it.

const NICKNAMES: &[&str] =
    &["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "the minute", low: 0, high: 59, names: &[] },
    Field { name: "the hour", low: 0, high: 23, names: &[] },
    Field { name: "the day of the month", low: 1, high: 31, names: &[] },
    Field { name: "the month", low: 1, high: 12, names: MONTHS },
    Field { name: "the day of the week", low: 0, high: 7, names: DAYS },
];

/// Whether cron understands it; or why not.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err("it holds a control character".into());
    }
    if text.starts_with('@') {
        let known = NICKNAMES.contains(&text);
        return if known { Ok(()) } else { Err(format!("cron does not know `{}`", text.escape_debug())) };
    }
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("it has {} fields, not five", parts.len()));
    }
    FIELDS.iter().zip(parts).try_for_each(|(field, part)| part.split(',').try_for_each(|item| field.check(item)))
}

impl Field {
    fn check(&self, item: &str) -> Result<(), String> {
        let bad = || Err(format!("`{}` cannot be {}", item.escape_debug(), self.name));
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let is_range = match range.split_once('-') {
            _ if range == "*" => true,
            None => {
                if self.number(range).is_none() {
                    return bad();
                }
                false
            }
            Some((from, to)) => match (self.number(from), self.number(to)) {
                (Some(from), Some(to)) if from <= to => true,
                _ => return bad(),
            },
        };
        let Some(step) = step else { return Ok(()) };
        let digits = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
        match step.parse::<u32>() {
            // cron takes a step larger than the range, which then never comes.
            Ok(step) if digits && is_range && step >= 1 && step <= self.high => Ok(()),
            _ => bad(),
        }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let small = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == small) {
            return Some(u32::try_from(at).ok()? + self.low);
        }
        let digits = !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits)?;
        (self.low..=self.high).contains(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cron_understands_passes() {
        for good in [
            "* * * * *",
            "0 0 1 1 0",
            "*/15 6-18 1,15,31 jan-mar,DEC mon-fri",
            "5-55/10 0 * * 7",
            "@reboot",
            "1\t2  3 4 5",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5/10 * * * *",
            "*/0 * * * *",
            "9-5 * * * *",
            "mon * * * *",
            "* * * * mon-",
            "a * * * *",
            "@Daily",
            "+1 * * * *",
            "* * * * *\n",
            "1,,2 * * * *",
            "*/61 * * * *",
            "-1 * * * *",
            "* * * * fri-mon",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
