//! A systemd timer: when something is started, and what it starts if that is a unit of its own.

mod seen;
mod steps;

use schemars::JsonSchema;
use serde::Deserialize;

use self::seen::{CALENDAR, CALENDAR_COMMAND};
use super::file::State;
use crate::quote::{Format, fits};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeScript, Provision, Seen, Step,
    Texts, UNIT_FOLDER, UnitFiles, ask_clock, is_lifeline_unit, plain_name, show_units, span_us, unit_uses,
};
use crate::secret::Rendered;
use crate::sh;
use crate::yaml::secret_text_schema;

// In the first line of a service that came with its timer, so that it can go with it.
const MARK: &str = "# Comes with its timer, by rempart.\n";

/// A systemd timer: NAME.timer in /etc/systemd/system, and NAME.service as well where its text is given. What systemd
/// itself says of the timer is compared too, so a drop-in of somebody else that changes its times is seen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemdTimer {
    /// The timer's name, without `.timer`.
    name: String,
    /// When: a calendar expression, or a list of them, as systemd.time(7) describes them (`hourly`, `Mon..Fri 04:00`).
    /// The host's own `systemd-analyze calendar` must take each, and each must come again.
    #[serde(default)]
    on_calendar: Option<Texts>,
    /// The text of NAME.service, which the timer starts; `Type=oneshot` is the rule.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    service: Option<Rendered>,
    /// The unit that it starts, where that is another one than NAME.service.
    #[serde(default)]
    unit: Option<String>,
    /// Whether a time that passed while the host was down is made up for at the next boot.
    #[serde(default)]
    persistent: bool,
    /// Up to how much later it may start, drawn anew each time, so that a fleet does not start as one: `15min`; a number
    /// alone is seconds.
    #[serde(default = "none")]
    randomized_delay: String,
    /// How far systemd may put starts off to join them with others; a number alone is seconds.
    #[serde(default = "minute")]
    accuracy: String,
    /// Whether the next boot starts the timer.
    #[serde(default = "yes")]
    enabled: bool,
    /// Whether the timer runs now. Where it does, it must have a next time.
    #[serde(default = "yes")]
    active: bool,
    /// Whether it should be there. `absent` stops, disables and removes the timer, and the service that came with it; what
    /// the service does at that moment it brings to its end.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    times: Vec<String>,
}

fn none() -> String {
    "0".into()
}

fn minute() -> String {
    "1min".into()
}

fn yes() -> bool {
    true
}

impl SystemdTimer {
    fn timer(&self) -> String {
        format!("{}.timer", self.name)
    }

    fn service(&self) -> String {
        format!("{}.service", self.name)
    }

    fn path(&self, unit: &str) -> String {
        format!("{UNIT_FOLDER}/{unit}")
    }

    // What it starts.
    fn starts(&self) -> String {
        self.unit.clone().unwrap_or_else(|| self.service())
    }

    fn text(&self) -> String {
        let times: String = self.times.iter().map(|time| format!("OnCalendar={time}\n")).collect();
        format!(
            "# Managed by rempart.\n[Unit]\nDescription={} at its times\n\n[Timer]\n{times}Unit={}\nPersistent={}\n\
RandomizedDelaySec={}\nAccuracySec={}\n\n[Install]\nWantedBy=timers.target\n",
            self.starts(),
            self.starts(),
            self.persistent,
            self.randomized_delay,
            self.accuracy
        )
    }

    fn files(&self) -> UnitFiles {
        let mut files = UnitFiles::default();
        files.add("timer", &self.timer(), &Rendered::plain(self.text()));
        if let Some(service) = self.service.as_ref().and_then(Rendered::as_plain) {
            files.add("service", &self.service(), &Rendered::plain(format!("{MARK}{service}")));
        }
        files
    }
}

impl Kind for SystemdTimer {
    const NAME: &'static str = "systemd_timer";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A systemd timer with its times, and the service that it starts.";
    const EXAMPLE: &'static str = "systemd_timer: { name: check-isolation, on_calendar: hourly, randomized_delay: 5min, \
persistent: true, service: \"[Service]\\nType=oneshot\\nExecStart=/usr/local/sbin/check-isolation\\n\" }";
    const UNDO: &'static str = "its files, whether it is enabled and running, and it goes by the times it went by before. \
What the service did meanwhile stays.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.strip_suffix(".timer").unwrap_or(&self.name).to_owned()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        self.name = Kind::key(self);
        if self.name.ends_with('@') || self.name.is_empty() {
            return Err(Fault::new("name", "a template does not run; only its instances do"));
        }
        if is_lifeline_unit(&self.service()) && self.service.is_some() {
            return Err(Fault::new("service", "rempart comes in by that unit").fix("manage it with systemd_unit"));
        }
        if let Some(unit) = &self.unit {
            plain_name("unit", unit)?;
            if self.service.is_some() {
                return Err(Fault::new("unit", "a timer that brings its service starts that one"));
            }
            if !unit.contains('.') {
                self.unit = Some(format!("{unit}.service"));
            }
        }
        if self.service.as_ref().is_some_and(Rendered::is_secret) {
            return Err(Fault::new("service", "every user can read a unit's text with `systemctl show`")
                .fix("put the secret into a file of mode 0600 and name it with EnvironmentFile= or LoadCredential="));
        }
        for (field, text) in [("randomized_delay", &self.randomized_delay), ("accuracy", &self.accuracy)] {
            if span_us(text).is_none_or(|span| span % 1_000_000 != 0) {
                return Err(Fault::new(field, format!("`{}` is no span of whole seconds", text.escape_debug()))
                    .fix("write it like 15min or 1h 30min"));
            }
        }
        if span_us(&self.accuracy) == Some(0) {
            return Err(Fault::new("accuracy", "systemd takes none below a microsecond").fix("write 1s"));
        }
        self.times = self.on_calendar.as_ref().map(Texts::list).unwrap_or_default();
        for time in &self.times {
            fits(Format::Systemd, time).map_err(|why| Fault::new("on_calendar", why))?;
            let strange = !time.is_ascii() || time.starts_with('-') || time.contains(['%', '"', '\'', '\\', '\t']);
            if time.is_empty() || strange {
                return Err(Fault::new("on_calendar", format!("`{}` is no calendar expression", time.escape_debug()))
                    .fix("write it like hourly or Mon..Fri 04:00"));
            }
        }
        if self.state == State::Present && self.times.is_empty() {
            return Err(Fault::new("on_calendar", "a timer without a time never starts anything"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Unit(self.timer())];
        if self.service.is_some() {
            all.push(Provision::Unit(self.service()));
        }
        all.extend(self.files().iter().map(|(_, file)| Provision::Path(file.path.clone())));
        all
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Unit(self.starts())];
        let text = self.service.as_ref().and_then(Rendered::as_plain).unwrap_or_default();
        all.extend(unit_uses(&text));
        all
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        self.files().desired(&mut fields);
        fields.insert("on_calendar".into(), FieldValue::List(self.times.clone()));
        fields.insert("unit".into(), FieldValue::text(self.starts()));
        fields.insert("persistent".into(), FieldValue::Bool(self.persistent));
        fields.insert("randomized_delay".into(), FieldValue::text(&self.randomized_delay));
        fields.insert("accuracy".into(), FieldValue::text(&self.accuracy));
        fields.insert("enabled".into(), FieldValue::Bool(self.enabled));
        fields.insert("active".into(), FieldValue::Bool(self.active));
        fields.insert("masked".into(), FieldValue::Bool(false));
        fields.insert("reload_pending".into(), FieldValue::Bool(false));
        if self.active {
            fields.insert("scheduled".into(), FieldValue::Bool(true));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            show_units(script, &wanted.timer());
            if wanted.state == State::Absent {
                script.stat(&wanted.path(&wanted.timer()));
                script.content(&wanted.path(&wanted.service()), None);
                continue;
            }
            wanted.files().probe(script);
            show_units(script, &wanted.starts());
            ask_clock(script);
            for time in &wanted.times {
                script.gather(CALENDAR, CALENDAR_COMMAND, time);
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        let mut steps = Vec::new();
        for Change { position, wanted, seen, fields } in batch {
            if wanted.state == State::Absent {
                steps.push(wanted.remove_step().serving([*position]));
                continue;
            }
            // What is to be made differs in everything.
            let changed = |field: &str| fields.is_empty() || fields.iter().any(|name| name == field);
            let timer = wanted.timer();
            if fields.iter().any(|name| name == "masked") {
                let step = Step::new(format!("unmask {timer}"), sh!("systemctl unmask --quiet -- {}", timer))
                    .undone_by(wanted.undo([wanted.path(&timer)]))
                    .expecting(Expect::Nothing("whoever masked it"));
                steps.push(step.serving([*position]));
            }
            let mut units = vec![timer];
            units.extend(wanted.service.as_ref().map(|_| wanted.service()));
            let units: Vec<&str> = units.iter().map(String::as_str).collect();
            if let Some((step, written)) = wanted.files().write(&units, seen, &changed) {
                steps.push(step.undone_by(wanted.undo(written)).serving([*position]));
            }
            steps.push(wanted.state_step(seen, &changed).serving([*position]));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::made;
    use crate::resource::SectionOutput;

    fn calendar(stdout: &str, stderr: &str) -> Answer {
        let output = SectionOutput { status: 1, stdout: stdout.into(), stderr: stderr.into() };
        Answer::of_sections([(CALENDAR, output)])
    }

    const SAID: &str =
        "  Original form: hourly\nNormalized form: *-*-* *:00:00\n    Next elapse: Fri 2026-11-27 02:00:00 UTC
       From now: 7min left\n\nNormalized form: *-*-* 04:00:00\n    Next elapse: Fri 2026-11-27 04:00:00 UTC\n
  Original form: 2020-01-01\nNormalized form: 2020-01-01 00:00:00\n    Next elapse: never\n";

    #[test]
    fn a_time_that_the_host_does_not_take_or_that_never_comes_is_unknown() {
        let answer = calendar(SAID, "Failed to parse calendar specification 'blah': Invalid argument\n");
        let times = |times: &str| {
            made::<SystemdTimer>(&format!("{{ name: a, on_calendar: {times} }}")).unwrap().normal_times(&answer)
        };
        let both = BTreeSet::from(["*-*-* 04:00:00", "*-*-* *:00:00"].map(str::to_owned));
        assert_eq!(times("[hourly, '*-*-* 04:00:00']").unwrap(), both);
        assert!(times("blah").unwrap_err().0.contains("Invalid argument"));
        assert!(times("2020-01-01").unwrap_err().0.contains("does not come again"));
        assert!(times("weekly").is_err());
        let garbled = calendar(&SAID[..30], "");
        assert!(made::<SystemdTimer>("{ name: a, on_calendar: hourly }").unwrap().normal_times(&garbled).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (fields, part) in [
            ("{ name: a }", "never starts"),
            ("{ name: a@.timer, on_calendar: daily }", "template"),
            ("{ name: ssh, on_calendar: daily, service: x }", "comes in by"),
            ("{ name: a, on_calendar: daily, service: x, unit: b }", "brings its service"),
            ("{ name: a, on_calendar: daily, service: !secret x }", "systemctl show"),
            ("{ name: a, on_calendar: daily, randomized_delay: 1.5h }", "span"),
            ("{ name: a, on_calendar: daily, accuracy: 0 }", "microsecond"),
            ("{ name: a, on_calendar: '%d' }", "calendar expression"),
            ("{ name: a, on_calendar: '--version' }", "calendar expression"),
        ] {
            let refused = made::<SystemdTimer>(fields).unwrap_err();
            assert!(refused.contains(part), "{fields}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn a_hostile_time_is_refused_or_one_line(time in "(?s).{0,20}", unit in "(?s).{0,12}") {
            let fields = serde_json::json!({ "name": "a", "on_calendar": [time], "unit": unit }).to_string();
            if let Ok(timer) = made::<SystemdTimer>(&fields) {
                let text = timer.text();
                prop_assert_eq!(text.lines().count(), 13);
                let line = format!("OnCalendar={}", time.trim());
                prop_assert_eq!(text.lines().filter(|known| *known == line).count(), 1);
            }
        }
    }
}
