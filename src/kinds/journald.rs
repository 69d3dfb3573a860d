//! Settings of journald in a drop-in, compared with what all of its files together say.

mod settings;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use self::settings::{Line, Takes, lines, takes};
use super::file::State;
use crate::quote::{Format, Sh, fits};
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, Kind, ManagedFile, ProbeError, ProbeScript, Provision, Seen,
    Step, Touch, Undo, is_newer, plain_name, show_units, unit_state,
};
use crate::secret::Rendered;
use crate::sh;

const UNIT: &str = "systemd-journald.service";
const FOLDER: &str = "/etc/systemd/journald.conf.d";

// All files in the order in which they are read, each below a comment with its path.
const MERGED: &str = "systemd-analyze cat-config systemd/journald.conf";

// When a file of it was last changed, or one came or went.
const TIMES: &str = "times of journald.conf";
const TIMES_COMMAND: &str =
    "for f in /etc/systemd/journald.conf /etc/systemd/journald.conf.d /etc/systemd/journald.conf.d/*.conf \\
  /run/systemd/journald.conf.d /run/systemd/journald.conf.d/*.conf /usr/lib/systemd/journald.conf \\
  /usr/lib/systemd/journald.conf.d /usr/lib/systemd/journald.conf.d/*.conf; do
  [ ! -e \"$f\" ] || stat -L --printf='%.9Z %n\\n' -- \"$f\" || exit 3
done
echo .";

const RESTART: &str = "systemctl reset-failed systemd-journald.service 2>/dev/null || :
sleep 0.02
systemctl restart systemd-journald.service
systemctl is-active --quiet systemd-journald.service || { echo 'journald does not run with these settings' >&2; exit 1; }";

/// Settings of journald in a drop-in. What all of its files together say is compared, so a later drop-in that says
/// something else is found as `overridden_by`, and its line commented out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journald {
    /// The drop-in's name in /etc/systemd/journald.conf.d, without `.conf`. Of two files the one that sorts later wins.
    #[serde(default = "default_name")]
    name: String,
    /// Settings of journald.conf(5) with their values: `SystemMaxUse: 1G`, `Storage: persistent`. Sizes are bytes, or end
    /// in K, M, G or T (of 1024); spans of time are seconds, or like `1month`.
    #[serde(default)]
    settings: BTreeMap<String, Setting>,
    /// Whether the drop-in should be there.
    #[serde(default)]
    state: State,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected text, a number, true or false")]
enum Setting {
    Bool(bool),
    Number(u64),
    Text(String),
}

impl Setting {
    fn text(&self) -> String {
        match self {
            Setting::Bool(value) => if *value { "yes" } else { "no" }.into(),
            Setting::Number(value) => value.to_string(),
            Setting::Text(value) => value.trim().to_owned(),
        }
    }
}

fn default_name() -> String {
    "99-rempart".into()
}

impl Journald {
    fn file(&self) -> ManagedFile {
        let settings: String = self.settings.iter().map(|(name, value)| format!("{name}={}\n", value.text())).collect();
        ManagedFile {
            path: format!("{FOLDER}/{}.conf", self.name),
            content: Some(Rendered::plain(format!("# Managed by rempart.\n[Journal]\n{settings}"))),
            mode: "0644".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let file = self.file();
        let Some(mut fields) = file.read(answer)? else { return Ok(Seen::Absent) };
        if self.state == State::Absent {
            return Ok(Seen::Present(fields));
        }
        let merged = answer.section(MERGED)?;
        let (paths, lines) = lines(merged.text()?);
        if merged.status != 0 || !paths.contains(&file.path.as_str()) {
            let why = format!("systemd did not show {} among journald's files: {}", file.path, merged.complaint());
            return Err(ProbeError(why));
        }
        let mut overrides = Vec::new();
        for (name, wanted) in &self.settings {
            let takes = takes(name).unwrap_or(Takes::Text);
            let own: Vec<&Line<'_>> = lines.iter().filter(|line| line.name == name).collect();
            let last = own.last().map_or("(not set)", |line| line.value);
            let same = |value: &str| takes.normal(value).is_some_and(|is| Some(is) == takes.normal(&wanted.text()));
            let effective = if same(last) { wanted.text() } else { last.to_owned() };
            fields.insert(format!("settings.{name}"), FieldValue::Text(effective));
            let at = own.iter().rposition(|line| line.path == file.path).map_or(0, |at| at + 1);
            let others = own.get(at..).unwrap_or_default().iter().filter(|line| line.path != file.path);
            let told = others.filter(|line| !same(line.value));
            overrides.extend(told.map(|line| format!("{}: {name}={}", line.path, line.value)));
        }
        fields.insert("overridden_by".into(), FieldValue::List(overrides));
        let unit = unit_state(answer, UNIT)?;
        fields.insert("active".into(), FieldValue::Bool(unit.is_active()));
        let pending = unit.is_active()
            && newest(answer)?.is_some_and(|time| match unit.started_us() {
                Ok(since) => is_newer(time, since),
                Err(_) => true,
            });
        fields.insert("restart_pending".into(), FieldValue::Bool(pending));
        Ok(Seen::Present(fields))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let file = self.file();
        let changed = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
        let is_written = ["content", "mode", "owner", "group"].into_iter().any(changed);
        let mut touches = vec![Touch::Path(file.path.clone()), Touch::Path(FOLDER.into())];
        let (mut script, mut payloads) = (Sh::default(), Vec::new());
        let told = match seen {
            Seen::Present(fields) => fields.get("overridden_by"),
            _ => None,
        };
        for told in if let Some(FieldValue::List(told)) = told { told.as_slice() } else { &[] } {
            let Some((path, name)) =
                told.split_once(": ").and_then(|(path, rest)| Some((path, rest.split_once('=')?.0)))
            else {
                continue;
            };
            let what = format!("{path} sets {name} to another value; take that line out there");
            let pattern = format!(r"^[[:space:]]*{name}[[:space:]]*=");
            if !path.starts_with("/etc/") {
                script.line(sh!("echo {} >&2; exit 1", what));
                continue;
            }
            touches.push(Touch::Path(path.to_owned()));
            // Whoever put a link there keeps the text elsewhere, and a line that goes on below is not ours to cut.
            script.line(sh!(
                "if [ -L {} ] || grep -q {} -- {}; then echo {} >&2; exit 1; fi\nsed -i -e {} -- {}",
                path,
                format!(r"{pattern}.*\\$"),
                path,
                what,
                format!("s|{pattern}|# rempart: &|"),
                path
            ));
        }
        if is_written {
            let step = file.put(&Seen::Absent, Sh::default());
            script.line(sh!("rp_directory {} 0755 root:root", FOLDER)).line(step.script);
            payloads = step.payloads;
        }
        script.line(Sh::program_of_the_user(RESTART));
        let title =
            if is_written { format!("write {} and restart journald", file.path) } else { "restart journald".into() };
        let mut step = Step::new(title, script).within(90).undone_by(undo(touches)).expecting(file.expect(seen));
        step.payloads = payloads;
        step
    }

    fn remove(&self, seen: &Seen) -> Step {
        let file = self.file();
        let mut step = file.remove(seen);
        step.script.line(Sh::program_of_the_user(RESTART));
        step.title = format!("remove {} and restart journald", file.path);
        step.undone_by(undo([Touch::Path(file.path)]))
    }
}

fn undo(touches: impl IntoIterator<Item = Touch>) -> Undo {
    Undo::of(touches).then(Sh::program_of_the_user(RESTART))
}

// When one of the files was last changed, in microseconds; `None` = there is none.
fn newest(answer: &Answer) -> Result<Option<u64>, ProbeError> {
    let section = answer.section(TIMES)?;
    if section.status != 0 {
        return Err(ProbeError(format!("the times of journald's files could not be read: {}", section.complaint())));
    }
    let mut newest = None;
    let whole = section.text()?.strip_suffix(".\n");
    for line in whole.ok_or_else(|| ProbeError("the times of journald's files were cut short".into()))?.lines() {
        let time = line.split(' ').next().unwrap_or_default();
        let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let micros = format!("{seconds}{fraction:0<6.6}").parse::<u64>();
        newest = newest.max(Some(micros.map_err(|_| ProbeError("the time of a file was garbled".into()))?));
    }
    Ok(newest)
}

impl Kind for Journald {
    const NAME: &'static str = "journald";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str =
        "Settings of journald in a drop-in, compared with what all of its files together say.";
    const EXAMPLE: &'static str =
        "journald: { settings: { Storage: persistent, SystemMaxUse: 1G, ForwardToSyslog: false } }";
    const UNDO: &'static str = "the drop-in, lines of other files that were commented out, and journald runs on them again. \
Entries that it dropped by a limit are gone.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.strip_suffix(".conf").unwrap_or(&self.name).to_owned()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        self.name = Kind::key(self);
        for (name, value) in &self.settings {
            let Some(takes) = takes(name) else {
                return Err(Fault::new("settings", format!("`{}` is no setting of journald", name.escape_debug()))
                    .fix("write it as journald.conf(5) does, such as SystemMaxUse"));
            };
            let value = value.text();
            fits(Format::Systemd, &value).map_err(|why| Fault::new("settings", why))?;
            if takes.normal(&value).is_none() {
                let why = format!("journald would pass over `{}` as {name}", value.escape_debug());
                return Err(Fault::new("settings", why).fix(match takes {
                    Takes::Bool => "write true or false".to_owned(),
                    Takes::Size => "write bytes, or a number with K, M, G or T".to_owned(),
                    Takes::Span => "write seconds, or a span like 1month".to_owned(),
                    Takes::Count => "write a number".to_owned(),
                    Takes::Word(words) => format!("write one of {}", words.join(", ")),
                    Takes::Text => "write a value".to_owned(),
                }));
            }
        }
        match (self.state, self.settings.is_empty()) {
            (State::Present, true) => Err(Fault::new("settings", "a drop-in without a setting does nothing")),
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn desired(&self) -> Desired {
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let settings = self.settings.iter();
        fields.extend(settings.map(|(name, value)| (format!("settings.{name}"), FieldValue::Text(value.text()))));
        fields.insert("overridden_by".into(), FieldValue::List(Vec::new()));
        fields.insert("active".into(), FieldValue::Bool(true));
        fields.insert("restart_pending".into(), FieldValue::Bool(false));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
        }
        show_units(script, UNIT);
        script.section(MERGED, sh!("systemd-analyze cat-config systemd/journald.conf"));
        script.section(TIMES, Sh::program_of_the_user(TIMES_COMMAND));
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
    use crate::kinds::tests::made;

    #[test]
    fn files_are_read_in_order_and_only_in_their_section() {
        let said = "# /etc/systemd/journald.conf\n#  by /usr/lib/x.conf\n[Journal]\n#Storage=auto\nStorage=none\n\n\
# /etc/systemd/journald.conf.d/a.conf\n[Journal]\n  Storage = volatile\n[Other]\nStorage=x\n";
        let (paths, lines) = lines(said);
        assert_eq!(paths, ["/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d/a.conf"]);
        let values: Vec<_> = lines.iter().map(|line| (line.path, line.name, line.value)).collect();
        assert_eq!(values, [(paths[0], "Storage", "none"), (paths[1], "Storage", "volatile")]);
    }

    #[test]
    fn values_have_one_form_and_what_journald_would_pass_over_is_refused() {
        assert_eq!(Takes::Size.normal("1G"), Takes::Size.normal("1024M"));
        assert_eq!(Takes::Span.normal("1h"), Takes::Span.normal("3600"));
        assert_eq!(Takes::Bool.normal("on"), Takes::Bool.normal("yes"));
        for bad in ["Storage: disk", "SystemMaxUse: lots", "Seal: maybe", "systemMaxUse: 1G", "MaxFileSec: ''", "X: 1"]
        {
            assert!(made::<Journald>(&format!("{{ settings: {{ {bad} }} }}")).is_err(), "{bad}");
        }
        assert!(made::<Journald>("{}").is_err() && made::<Journald>("{ state: absent }").is_ok());
    }

    proptest! {
        #[test]
        fn a_hostile_value_is_refused_or_one_line(value in "(?s).{0,20}", name in "(Storage|TTYPath|Compress|.{0,8})") {
            let fields = serde_json::json!({ "settings": { name: value } }).to_string();
            if let Ok(wanted) = made::<Journald>(&fields) {
                let text = wanted.file().content.unwrap().as_plain().unwrap();
                prop_assert_eq!(text.lines().count(), 3);
            }
        }
    }
}
