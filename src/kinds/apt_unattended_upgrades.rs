//! Upgrades that install themselves: which, when, and what comes after.

mod effective;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::effective::{DUMP, TIMERS, calendar, dump, is_time, span, units, when};
use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Fields, Kind, ManagedFile, ProbeError, ProbeScript, Provision,
    Seen, Step, Touch, Undo, ask_package, package_state,
};
use crate::secret::Rendered;
use crate::sh;

/// Upgrades that install themselves, by Debian's `unattended-upgrades` and apt's two timers. What is looked at is what
/// apt and systemd make of all files on the host; what is written is
/// `/etc/apt/apt.conf.d/99rempart-unattended-upgrades` and a drop-in for each timer. A field that is not given is left
/// as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AptUnattendedUpgrades {
    /// Whether they run at all.
    #[serde(default = "yes")]
    enabled: bool,
    /// What may be upgraded, and nothing else: patterns such as
    /// `origin=Debian,codename=${distro_codename}-security,label=Debian-Security`.
    #[serde(default)]
    origins: Option<Vec<String>>,
    /// Packages that are never upgraded by themselves: regular expressions of Python, matched at the beginning.
    #[serde(default)]
    never: Option<Vec<String>>,
    /// Whether the host reboots when an upgrade asks for it.
    #[serde(default)]
    reboot: Option<bool>,
    /// When it reboots: `HH:MM`, in the host's time, or `now`.
    #[serde(default)]
    reboot_at: Option<String>,
    /// Whether it reboots while people are logged in.
    #[serde(default)]
    reboot_with_users: Option<bool>,
    /// Whether dependencies that nothing needs any more are removed.
    #[serde(default)]
    remove_unused: Option<bool>,
    /// Whom to tell by mail; empty for nobody.
    #[serde(default)]
    mail: Option<String>,
    /// Of what to tell.
    #[serde(default)]
    mail_report: Option<MailReport>,
    /// When package lists are fetched: `HH:MM`, or a weekday before it (`Sun 04:00`), in the host's time.
    #[serde(default)]
    update_at: Option<Vec<String>>,
    /// When upgrades are installed, likewise.
    #[serde(default)]
    upgrade_at: Option<Vec<String>>,
    /// Over how many minutes after these times hosts are spread; under a day.
    #[serde(default)]
    spread_minutes: Option<u32>,
    /// `absent` takes away what rempart wrote, and leaves Debian's own settings.
    #[serde(default)]
    state: State,
}

/// What a mail is written about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailReport {
    /// Every run.
    Always,
    /// Runs that failed.
    OnlyOnError,
    /// Runs that changed something.
    OnChange,
}

impl MailReport {
    fn word(self) -> &'static str {
        match self {
            MailReport::Always => "always",
            MailReport::OnlyOnError => "only-on-error",
            MailReport::OnChange => "on-change",
        }
    }
}

fn yes() -> bool {
    true
}

const KEY: &str = "unattended-upgrades";
const PACKAGE: &str = "unattended-upgrades";
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const LATER: &str = include_str!("apt_unattended_upgrades/later.sh");

// A setting of apt: its name, and the value or the list that is wanted.
enum Wanted {
    One(&'static str, String),
    List(&'static str, Vec<String>),
}

impl AptUnattendedUpgrades {
    // What apt shall make of it, by field.
    fn settings(&self) -> Vec<(&'static str, Wanted)> {
        let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
        let truth = |is: bool| if is { "true" } else { "false" }.to_owned();
        let one = |name, value: Option<String>| value.map(|value| Wanted::One(name, value));
        let list = |name, values: &Option<Vec<String>>| values.clone().map(|values| Wanted::List(name, values));
        let on = |name| Some(Wanted::One(name, flag(self.enabled)));
        let all = [
            ("enabled", on("APT::Periodic::Enable")),
            ("enabled.update", on("APT::Periodic::Update-Package-Lists")),
            ("enabled.upgrade", on("APT::Periodic::Unattended-Upgrade")),
            ("origins", list("Unattended-Upgrade::Origins-Pattern", &self.origins)),
            ("origins.allowed", list("Unattended-Upgrade::Allowed-Origins", &self.origins.as_ref().map(|_| vec![]))),
            ("never", list("Unattended-Upgrade::Package-Blacklist", &self.never)),
            ("reboot", one("Unattended-Upgrade::Automatic-Reboot", self.reboot.map(truth))),
            ("reboot_at", one("Unattended-Upgrade::Automatic-Reboot-Time", self.reboot_at.clone())),
            (
                "reboot_with_users",
                one("Unattended-Upgrade::Automatic-Reboot-WithUsers", self.reboot_with_users.map(truth)),
            ),
            ("remove_unused", one("Unattended-Upgrade::Remove-Unused-Dependencies", self.remove_unused.map(truth))),
            ("mail", one("Unattended-Upgrade::Mail", self.mail.clone())),
            ("mail_report", one("Unattended-Upgrade::MailReport", self.mail_report.map(|report| report.word().into()))),
        ];
        all.into_iter().filter_map(|(field, wanted)| Some((field, wanted?))).collect()
    }

    fn file(path: &str, content: String) -> ManagedFile {
        let root = || "root".to_owned();
        let content = Some(Rendered::plain(content));
        ManagedFile { path: path.to_owned(), content, mode: "0644".into(), owner: root(), group: root() }
    }

    // The files that rempart writes, each under the name that its fields begin with; `None` = not wanted.
    fn files(&self) -> [(&'static str, ManagedFile, bool); 3] {
        let mut text = String::from("// Managed by rempart.\n");
        for (_, wanted) in self.settings() {
            match wanted {
                Wanted::One(name, value) => text.push_str(&format!("{name} \"{value}\";\n")),
                Wanted::List(name, values) => {
                    text.push_str(&format!("#clear {name};\n"));
                    values.iter().for_each(|value| text.push_str(&format!("{name}:: \"{value}\";\n")));
                }
            }
        }
        let is_present = self.state == State::Present;
        let timer = |field, unit: &str, times: &Option<Vec<String>>| {
            let mut text = String::from("# Managed by rempart.\n[Timer]\n");
            if let Some(times) = times {
                text.push_str("OnCalendar=\n");
                times.iter().for_each(|time| text.push_str(&format!("OnCalendar={}\n", calendar(time))));
            }
            if let Some(minutes) = self.spread_minutes {
                text.push_str(&format!("RandomizedDelaySec={minutes}min\n"));
            }
            let is_wanted = is_present && (times.is_some() || self.spread_minutes.is_some());
            (field, Self::file(&format!("/etc/systemd/system/{unit}.d/rempart.conf"), text), is_wanted)
        };
        [
            ("file", Self::file("/etc/apt/apt.conf.d/99rempart-unattended-upgrades", text), is_present),
            timer("update_timer", "apt-daily.timer", &self.update_at),
            timer("upgrade_timer", "apt-daily-upgrade.timer", &self.upgrade_at),
        ]
    }

    fn timers(&self) -> [(&'static str, &'static str, &Option<Vec<String>>); 2] {
        [("update", "apt-daily.timer", &self.update_at), ("upgrade", "apt-daily-upgrade.timer", &self.upgrade_at)]
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let mut fields = Fields::new();
        let mut is_there = false;
        for (start, file, is_wanted) in self.files() {
            let found = file.read_as(answer, start)?;
            is_there |= found.is_some();
            if !is_wanted && self.state == State::Present {
                let told = if found.is_some() { "there" } else { "none" };
                fields.insert(start.into(), FieldValue::text(told));
            }
            let signature = format!("{start}.signature");
            fields.extend(found.into_iter().flatten().filter(|(name, _)| is_wanted || *name == signature));
        }
        if self.state == State::Absent {
            return Ok(if is_there { Seen::Present(fields) } else { Seen::Absent });
        }
        if package_state(answer, PACKAGE)?.is_none_or(|package| package.state != "installed") {
            let brought_by = vec![Provision::Package(PACKAGE.into())];
            return Ok(Seen::NotYet { missing: format!("{PACKAGE} is not installed"), brought_by });
        }
        let dump = dump(answer)?;
        for (field, wanted) in self.settings() {
            let value = match wanted {
                Wanted::One(name, _) => {
                    let last = dump.get(&name.to_ascii_lowercase()).and_then(|all| all.last());
                    FieldValue::text(last.cloned().unwrap_or_default())
                }
                Wanted::List(name, _) => {
                    let all = dump.get(&format!("{}::", name.to_ascii_lowercase()));
                    FieldValue::list(all.cloned().unwrap_or_default())
                }
            };
            fields.insert(field.into(), value);
        }
        let units = units(answer)?;
        for (field, unit, _) in self.timers() {
            let Some(unit) = units.get(unit) else {
                return Err(ProbeError(format!("systemd said nothing about {unit}")));
            };
            let told = |name: &str| unit.get(name).and_then(|all| all.first()).cloned().unwrap_or_default();
            let state = format!("{}, {}", told("UnitFileState"), told("ActiveState"));
            fields.insert(format!("enabled.{field}_timer"), FieldValue::text(state));
            fields.insert(format!("spread_minutes.{field}"), FieldValue::text(told("RandomizedDelayUSec")));
            let times = unit.get("TimersCalendar").map(Vec::as_slice).unwrap_or_default();
            let mut times: Vec<String> = times.iter().map(|line| when(line).unwrap_or(line).to_owned()).collect();
            times.sort();
            fields.insert(format!("{field}_at"), FieldValue::List(times));
        }
        Ok(Seen::Present(fields))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let is_new = !matches!(seen, Seen::Present(_));
        let differs = |start: &str| is_new || fields.iter().any(|name| name.split('.').next() == Some(start));
        let mut step = Step::new("say which upgrades install themselves, and when", Sh::program_of_the_user(LATER));
        let mut touches = Vec::new();
        for (start, file, is_wanted) in self.files().into_iter().filter(|(start, ..)| differs(start)) {
            step = step.expecting(file.expect_as(seen, start));
            let folder = file.path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
            if is_wanted {
                let valid = if start == "file" { "rp_valid" } else { "" };
                let put = sh!("rp_put \"$P/\"{} {} 0644 root root {}", step.payloads.len(), file.path, valid);
                if start != "file" {
                    step.script.line(sh!("mkdir -p -m 0755 -- {}", folder));
                    touches.push(Touch::Path(folder));
                }
                step.script.line(put);
                step = step.with_payload(file.content.unwrap_or_default());
            } else {
                step.script.line(sh!("rm -f -- {}", file.path));
            }
            touches.push(Touch::Path(file.path));
        }
        // A folder goes after what is in it.
        touches.reverse();
        step.script.line(sh!("rp_later\nsystemctl daemon-reload"));
        if self.enabled {
            for (_, unit, _) in self.timers() {
                step.script.line(sh!("systemctl enable --quiet --now -- {}", unit));
                touches.push(Touch::Unit(unit.into()));
            }
        }
        step.undone_by(Undo::of(touches))
    }

    fn remove(&self, seen: &Seen) -> Step {
        let files = self.files();
        let paths: Vec<String> = files.iter().map(|(_, file, _)| file.path.clone()).collect();
        let script = sh!("rm -f -- {}\nsystemctl daemon-reload", paths);
        let mut step = Step::new("take back what says which upgrades install themselves", script);
        for (start, file, _) in &files {
            step = step.expecting(file.expect_as(seen, start));
        }
        step.undone_by(Undo::of(paths.into_iter().map(Touch::Path)))
    }
}

impl Kind for AptUnattendedUpgrades {
    const NAME: &'static str = "apt_unattended_upgrades";
    const SUMMARY: &'static str = "Upgrades that install themselves: which, when, and what comes after.";
    const EXAMPLE: &'static str = "apt_unattended_upgrades: { reboot: true, reboot_at: \"04:30\", upgrade_at: [\"03:00\"], \
                                   origins: [\"origin=Debian,codename=${distro_codename}-security,label=Debian-Security\"] }";
    const UNDO: &'static str = "the files that rempart writes, and whether apt's timers are enabled and run.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        KEY.into()
    }

    fn named(_key: &str) -> Option<Value> {
        Some(json!({}))
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        let lists = [("origins", &self.origins), ("never", &self.never)];
        let texts = lists.into_iter().flat_map(|(field, list)| list.iter().flatten().map(move |text| (field, text)));
        for (field, text) in texts.chain(self.mail.iter().map(|text| ("mail", text))) {
            if text.chars().any(|c| c.is_control() || "\"\\".contains(c)) || (field != "mail" && text.is_empty()) {
                let why = format!("`{}` cannot stand between quotes in a file of apt", text.escape_debug());
                return Err(Fault::new(field, why).fix("leave out quotes, backslashes and control characters"));
            }
        }
        if let Some(origin) =
            self.origins.iter().flatten().find(|origin| !origin.split(',').all(|part| part.contains('=')))
        {
            return Err(Fault::new("origins", format!("`{origin}` is no pattern"))
                .fix("write it like origin=Debian,codename=${distro_codename}-security,label=Debian-Security"));
        }
        if self.reboot_at.as_deref().is_some_and(|time| time != "now" && !is_time(time)) {
            return Err(Fault::new("reboot_at", "it is no time").fix("write HH:MM between quotes, or now"));
        }
        for (field, times) in [("update_at", &mut self.update_at), ("upgrade_at", &mut self.upgrade_at)] {
            let Some(times) = times else { continue };
            let good = |text: &String| match text.split_once(' ') {
                Some((day, time)) => DAYS.contains(&day) && is_time(time),
                None => is_time(text),
            };
            if times.is_empty() || !times.iter().all(good) {
                return Err(Fault::new(field, "it is no time of day").fix("write [\"04:00\"] or [\"Sun 04:00\"]"));
            }
            times.sort();
            times.dedup();
        }
        if self.spread_minutes.is_some_and(|minutes| minutes >= 1440) {
            return Err(Fault::new("spread_minutes", "it must be under a day, which has 1440"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        self.files().into_iter().map(|(_, file, _)| Provision::Path(file.path)).collect()
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Package(PACKAGE.into())]
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        for (start, file, is_wanted) in self.files() {
            if is_wanted {
                fields.extend(file.desired_as(start));
            } else {
                fields.insert(start.into(), FieldValue::text("none"));
            }
        }
        for (field, wanted) in self.settings() {
            let value = match wanted {
                Wanted::One(_, value) => FieldValue::text(value),
                Wanted::List(_, values) => FieldValue::List(values),
            };
            fields.insert(field.into(), value);
        }
        for (field, _, times) in self.timers() {
            if self.enabled {
                fields.insert(format!("enabled.{field}_timer"), FieldValue::text("enabled, active"));
            }
            if let Some(times) = times {
                let mut times: Vec<String> = times.iter().map(|time| calendar(time)).collect();
                times.sort();
                fields.insert(format!("{field}_at"), FieldValue::List(times));
            }
            if let Some(minutes) = self.spread_minutes {
                fields.insert(format!("spread_minutes.{field}"), FieldValue::text(span(minutes)));
            }
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.files().iter().for_each(|(_, file, _)| file.probe(script));
            if wanted.state == State::Present {
                ask_package(script, PACKAGE);
                script.section(DUMP, sh!("apt-config dump --format '%f%N%v%n' </dev/null"));
                script.section(
                    TIMERS,
                    sh!("systemctl show -p Id,ActiveState,UnitFileState,TimersCalendar,RandomizedDelayUSec \
                         -- apt-daily.timer apt-daily-upgrade.timer"),
                );
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let step = match wanted.state {
                    State::Absent => wanted.remove(seen),
                    State::Present => wanted.put(seen, fields),
                };
                step.serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::load;
    use crate::resource::SectionOutput;

    fn text(item: &str) -> String {
        let [(_, file, _), ..] = load::<AptUnattendedUpgrades>(item).unwrap().files();
        file.content.unwrap().as_plain().unwrap()
    }

    #[test]
    fn lists_are_replaced_and_what_is_not_given_is_not_written() {
        assert_eq!(
            text("{ enabled: false, origins: [\"origin=Debian\"], reboot: true }"),
            "// Managed by rempart.\nAPT::Periodic::Enable \"0\";\nAPT::Periodic::Update-Package-Lists \"0\";\n\
             APT::Periodic::Unattended-Upgrade \"0\";\n#clear Unattended-Upgrade::Origins-Pattern;\n\
             Unattended-Upgrade::Origins-Pattern:: \"origin=Debian\";\n#clear Unattended-Upgrade::Allowed-Origins;\n\
             Unattended-Upgrade::Automatic-Reboot \"true\";\n"
        );
        assert_eq!([span(0), span(30), span(60), span(90)], ["0", "30min", "1h", "1h 30min"]);
        assert_eq!(when("{ OnCalendar=Sun *-*-* 04:00:00 ; next_elapse=x }"), Some("Sun *-*-* 04:00:00"));
    }

    #[test]
    fn what_apt_or_systemd_did_not_say_is_no_answer() {
        let section = |status, text: &str| SectionOutput { status, stdout: text.into(), stderr: Vec::new() };
        let dumped = |status, text: &str| dump(&Answer::of_sections([(DUMP, section(status, text))]));
        let good = "Dir::Etc::parts\tapt.conf.d\nA::B::\tone\nA::B::\ttwo\n";
        assert_eq!(dumped(0, good).unwrap()["a::b::"], ["one", "two"]);
        assert!(dumped(0, "all is well\n").is_err() && dumped(0, "").is_err() && dumped(127, good).is_err());
        assert!(units(&Answer::of_sections([(TIMERS, section(0, "all is well\n"))])).is_err());
        assert!(units(&Answer::of_sections([(TIMERS, section(1, ""))])).is_err());
    }

    #[test]
    fn times_and_patterns_are_looked_at() {
        for bad in [
            "reboot_at: \"24:00\"",
            "reboot_at: \"4:00\"",
            "upgrade_at: []",
            "upgrade_at: [\"Sol 04:00\"]",
            "upgrade_at: [\"04:00; x\"]",
            "spread_minutes: 1440",
            "origins: [Debian]",
            "never: [\"\"]",
            "mail_report: no",
        ] {
            assert!(load::<AptUnattendedUpgrades>(&format!("{{ {bad} }}")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_stays_between_its_quotes(value in "[^\0]{1,30}") {
            let quoted = serde_json::to_string(&value).unwrap();
            for field in ["origins: [@]", "never: [@]", "mail: @", "reboot_at: @", "upgrade_at: [@]"] {
                let item = format!("{{ {} }}", field.replace('@', &quoted));
                if let Ok(wanted) = load::<AptUnattendedUpgrades>(&item) {
                    let [(_, file, _), ..] = wanted.files();
                    let written = file.content.unwrap().as_plain().unwrap();
                    let whole = |line: &str| {
                        line.starts_with("// ") || line.starts_with("#clear ")
                            || (line.ends_with("\";") && line.matches('"').count() == 2 && !line.contains('\\'))
                    };
                    prop_assert!(written.lines().all(whole), "{}", written);
                }
            }
        }
    }
}
