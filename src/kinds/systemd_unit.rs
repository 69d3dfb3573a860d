//! A systemd unit: its file and drop-ins, whether it is enabled, masked and running, and on which configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, ForeseenUnit, Kind, PROVE_UNIT,
    ProbeError, ProbeScript, Provision, RESTART_SSHD, Seen, Step, Touch, UNIT_FOLDER, Undo, UnitFiles, UnitState,
    ask_clock, is_lifeline_unit, is_looping, is_newer, plain_name, show_units, unit_state, unit_uses,
};
use crate::secret::Rendered;
use crate::sh;
use crate::yaml::secret_text_schema;

const SUFFIXES: [&str; 9] =
    [".service", ".socket", ".timer", ".target", ".path", ".mount", ".automount", ".swap", ".slice"];

// Every file that a unit is made of, with the time of its last change; drop-ins of others count too.
const TIMES: &str = "unit file times";
const TIMES_COMMAND: &str = "rp_times() { for rp_u in \"$@\"; do shift; set -- \"$@\" /usr/lib/systemd/system/\"$rp_u\" \
/etc/systemd/system/\"$rp_u\" /etc/systemd/system/\"$rp_u\".d/*.conf /run/systemd/system/\"$rp_u\".d/*.conf; done; \
stat -L --printf='%.9Z %n\\n' -- \"$@\"; }; rp_times";

// Where `enable` puts links; at boot nothing can be enabled, so a guard puts the very links back.
const WANTED_BY: [&str; 7] =
    ["sysinit", "network-pre", "network", "network-online", "multi-user", "graphical", "sockets"];

/// A systemd unit: its file and drop-ins, whether it is enabled, masked and running, and on which configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemdUnit {
    /// The unit's name; `.service` unless another suffix is written.
    name: String,
    /// The unit file, to the byte, in /etc/systemd/system. Without it, a unit that a package brings is managed.
    #[serde(default)]
    #[schemars(schema_with = "secret_text_schema")]
    content: Option<Rendered>,
    /// A template file, relative to the playbook, whose rendering becomes `content`.
    #[serde(default)]
    #[allow(dead_code, reason = "the playbook loader renders it into `content`")]
    from: Option<String>,
    /// Drop-ins by name: their text, in /etc/systemd/system/NAME.d.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    drop_ins: BTreeMap<String, Rendered>,
    /// Whether the next boot starts it. Not managed unless said.
    #[serde(default)]
    enabled: Option<bool>,
    /// Whether it runs now. One that runs on an older configuration is restarted. Not managed unless said.
    #[serde(default)]
    active: Option<bool>,
    /// Whether nobody can start it. `true` also stops it; `false` is meant where the unit is given or wanted to run.
    #[serde(default)]
    masked: Option<bool>,
    /// Ids of resources whose change makes a restart due: measured by the times of their files.
    #[serde(default)]
    restart_on: Vec<String>,
    /// Whether it should be there. `absent` stops and disables it, and removes what /etc/systemd/system has of it.
    #[serde(default)]
    state: State,
    #[serde(skip)]
    watched: Vec<String>,
}

impl SystemdUnit {
    fn folder(&self) -> String {
        format!("{UNIT_FOLDER}/{}.d", self.name)
    }

    fn is_template(&self) -> bool {
        self.name.contains("@.")
    }

    // The unit file first.
    fn files(&self) -> UnitFiles {
        let mut files = UnitFiles::default();
        if let Some(content) = &self.content {
            files.add("content", &self.name, content);
        }
        for (name, content) in &self.drop_ins {
            files.add(format!("drop_in.{name}"), &format!("{}.d/{name}.conf", self.name), content);
        }
        files
    }

    fn path(&self) -> String {
        format!("{UNIT_FOLDER}/{}", self.name)
    }

    fn restarts(&self) -> bool {
        !self.is_template() && (self.active == Some(true) || (self.active.is_none() && !self.restart_on.is_empty()))
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        if self.state == State::Absent {
            let gone = answer.stat(&self.path())?.is_none() && answer.stat(&self.folder())?.is_none();
            let idle = self.is_template() || {
                let unit = unit_state(answer, &self.name)?;
                !unit.is_active() && !unit.is_enabled()
            };
            return Ok(if gone && idle { Seen::Absent } else { Seen::Present(Fields::new()) });
        }
        let mut fields = Fields::new();
        self.files().read(answer, &mut fields)?;
        if self.is_template() {
            return Ok(if fields.is_empty() { Seen::Absent } else { Seen::Present(fields) });
        }
        let unit = unit_state(answer, &self.name)?;
        if unit.get("UnitFileState") == "alias" {
            return Err(ProbeError(format!("{} is an alias of {}: name that one", self.name, unit.get("Id"))));
        }
        if unit.is_missing() && self.content.is_some() && !fields.contains_key("content") {
            return Ok(Seen::Absent);
        }
        let wanted = self.active == Some(true) || self.enabled == Some(true) || !self.drop_ins.is_empty();
        if unit.is_missing() && self.content.is_none() && wanted {
            let brought_by = vec![Provision::Unit(self.name.clone()), Provision::Kind("package_apt")];
            return Ok(Seen::NotYet { missing: format!("the unit {} does not exist", self.name), brought_by });
        }
        let looping = matches!(unit.get("ActiveState"), "active" | "activating") && is_looping(answer, &unit)?;
        let active = unit.is_active() && !(looping && self.active == Some(true));
        fields.insert("looping".into(), FieldValue::Bool(looping));
        fields.insert("active".into(), FieldValue::Bool(active));
        fields.insert("enabled".into(), FieldValue::Bool(unit.is_enabled()));
        fields.insert("masked".into(), FieldValue::Bool(unit.is_masked()));
        fields.insert("reload_pending".into(), FieldValue::Bool(unit.get("NeedDaemonReload") == "yes"));
        if self.restarts() {
            let pending = active && self.is_older(&unit, answer)?;
            fields.insert("restart_pending".into(), FieldValue::Bool(pending));
        }
        Ok(Seen::Present(fields))
    }

    // Whether the process began before the last change of a unit file or of a watched path.
    fn is_older(&self, unit: &UnitState, answer: &Answer) -> Result<bool, ProbeError> {
        let since = unit.started_us()?;
        for path in &self.watched {
            if answer.stat(path)?.is_some_and(|stat| is_newer(stat.ctime_us(), since)) {
                return Ok(true);
            }
        }
        let section = answer.section(TIMES)?;
        let complaints = String::from_utf8_lossy(&section.stderr).into_owned();
        if let Some(trouble) = complaints.lines().find(|line| !line.trim().is_empty() && !line.contains("No such file"))
        {
            return Err(ProbeError(format!("the unit's files could not be read: {trouble}")));
        }
        let mut found = false;
        for line in section.text()?.lines() {
            let Some((time, path)) = line.split_once(' ') else {
                return Err(ProbeError(format!("the time of a unit file was not understood: {}", section.complaint())));
            };
            let file = path.rsplit_once("/systemd/system/").map_or("", |(_, file)| file);
            let unit = file.split_once(".d/").map_or(file, |(unit, _)| unit);
            let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
            let micros = format!("{seconds}{fraction:0<6.6}").parse().map_err(|_| ProbeError("garbled time".into()))?;
            if unit == self.name || unit == template_of(&self.name) {
                found = true;
                if is_newer(micros, since) {
                    return Ok(true);
                }
            }
        }
        if !found && unit.get("FragmentPath").contains("/systemd/system/") {
            return Err(ProbeError(format!("there is no time of {}, where the unit stands", unit.get("FragmentPath"))));
        }
        Ok(false)
    }

    fn write_step(&self, seen: &Seen, changed: &dyn Fn(&str) -> bool) -> Option<Step> {
        let (step, written) = self.files().write(&[&self.name], seen, changed)?;
        let folder = (!self.drop_ins.is_empty()).then(|| self.folder());
        Some(self.guarded(step.undone_by(self.undo(written.into_iter().chain(folder).map(Touch::Path)))))
    }

    fn state_step(&self, seen: &Seen, changed: &dyn Fn(&str) -> bool, written: bool) -> Option<Step> {
        let name = &self.name;
        let was = |field: &str| match seen {
            Seen::Present(fields) => matches!(fields.get(field), Some(FieldValue::Bool(true))),
            _ => false,
        };
        let mut does = Vec::new();
        let mut script = Sh::program_of_the_user(PROVE_UNIT);
        let reload = written || changed("reload_pending");
        if reload {
            script.line(sh!("systemctl daemon-reload"));
        }
        if self.active == Some(false) && was("active") {
            does.push("stop");
            script.line(sh!("systemctl stop -- {}", name));
        }
        if let (Some(enabled), true) = (self.enabled, changed("enabled")) {
            let (verb, wanted) = if enabled { ("enable", "enabled") } else { ("disable", "disabled") };
            does.push(verb);
            script.line(sh!("systemctl {} --quiet -- {}\nrp_on_disk {} {}", verb, name, name, wanted));
        }
        if self.masks() == Some(true) && changed("masked") {
            does.push("mask");
            script.line(sh!("systemctl mask --quiet -- {}", name));
        }
        let restart = self.restarts() && was("active") && (written || changed("restart_pending"));
        if restart || (self.active == Some(true) && !was("active")) {
            does.push(if was("active") { "restart" } else { "start" });
            script.line(sh!("rp_start {}", name));
        }
        let title = match (does.join(" and "), reload) {
            (does, _) if !does.is_empty() => format!("{does} {name}"),
            (_, true) => format!("make systemd read {name} anew"),
            _ => return None,
        };
        let step = Step::new(title, script).expecting(if was("looping") {
            Expect::Nothing("it runs and dies in turn")
        } else {
            Expect::Prints {
                command: sh!("systemctl is-active --quiet -- {} && echo active || echo not active", name),
                output: if was("active") { "active" } else { "not active" }.into(),
            }
        });
        let mask = (self.masks() == Some(true)).then(|| Touch::Path(self.path()));
        Some(self.guarded(step.undone_by(self.undo(mask))))
    }

    // Whether it is to be masked: said, or meant, since a masked unit neither starts nor takes a file.
    fn masks(&self) -> Option<bool> {
        let meant = self.content.is_some()
            || !self.drop_ins.is_empty()
            || self.active == Some(true)
            || self.enabled == Some(true);
        self.masked.or(meant.then_some(false))
    }

    fn is_lifeline(&self) -> bool {
        is_lifeline_unit(&self.name)
    }

    // Its own part of /etc/systemd/system, and what systemd does with it. Files come before their folder, which goes
    // again where it was not there.
    fn undo(&self, files: impl IntoIterator<Item = Touch>) -> Undo {
        let mut touches: Vec<Touch> = files.into_iter().collect();
        if self.is_template() {
            return Undo::of(touches);
        }
        if self.is_lifeline() {
            let links = WANTED_BY.map(|target| format!("{target}.target.wants/{}", self.name));
            let aliases = ["sshd.service", "dbus-org.freedesktop.network1.service"].map(str::to_owned);
            touches.extend(links.into_iter().chain(aliases).map(|link| Touch::Path(format!("{UNIT_FOLDER}/{link}"))));
        }
        touches.push(Touch::Unit(self.name.clone()));
        // One that runs must not go on with what was taken back; whether it runs at all is the unit's own state.
        let again = match self.name.as_str() {
            "ssh.service" | "ssh.socket" | "sshd.service" => Sh::program_of_the_user(RESTART_SSHD),
            name => sh!(
                "systemctl reset-failed -- {} 2>/dev/null || :\nsystemctl try-restart -- {} 2>/dev/null || :",
                name,
                name
            ),
        };
        Undo::of(touches).then(again)
    }

    fn guarded(&self, step: Step) -> Step {
        if self.is_lifeline() { step.risky() } else { step }
    }

    fn remove_step(&self) -> Step {
        let (name, path, folder) = (&self.name, self.path(), self.folder());
        let mut script = Sh::default();
        if !self.is_template() {
            script.line(sh!(
                "if systemctl is-active --quiet -- {}; then systemctl stop -- {}; fi\nsystemctl disable --quiet -- {} 2>/dev/null || :",
                name,
                name,
                name
            ));
        }
        script.line(sh!("rm -f -- {}\nrm -rf -- {}\nsystemctl daemon-reload", &path, &folder));
        script.line(sh!("systemctl reset-failed -- {} 2>/dev/null || :", name));
        let step = Step::new(format!("stop, disable and remove {name}"), script);
        let undo = self.undo([Touch::Path(path), Touch::Tree(folder)]);
        self.guarded(step.undone_by(undo).expecting(Expect::Nothing("whatever is left of it goes")))
    }
}

// The instance's template, whose file it is made of; itself, where it is no instance.
fn template_of(name: &str) -> String {
    match (name.split_once('@'), name.rsplit_once('.')) {
        (Some((stem, _)), Some((_, suffix))) => format!("{stem}@.{suffix}"),
        _ => name.to_owned(),
    }
}

impl Kind for SystemdUnit {
    const NAME: &'static str = "systemd_unit";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str =
        "A systemd unit: its file and drop-ins, whether it is enabled, masked and running, and on which configuration.";
    const EXAMPLE: &'static str = "systemd_unit: { name: ollama-gw, from: ollama-gw.service.j2, enabled: true, \
active: true, restart_on: [gw-env] }";
    const UNDO: &'static str =
        "its files and drop-ins, whether it is enabled, masked and running, and it runs on what it ran on before.";

    fn key(&self) -> String {
        match SUFFIXES.iter().any(|suffix| self.name.ends_with(suffix)) {
            true => self.name.clone(),
            false => format!("{}.service", self.name),
        }
    }

    fn is_risky(&self) -> bool {
        self.is_lifeline()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        self.name = Kind::key(self);
        let drop_ins = std::mem::take(&mut self.drop_ins);
        for (name, content) in drop_ins {
            plain_name("drop_ins", &name)?;
            self.drop_ins.insert(name.strip_suffix(".conf").unwrap_or(&name).to_owned(), content);
        }
        for (prefix, file) in self.files().iter() {
            if file.content.as_ref().is_some_and(Rendered::is_secret) {
                let field = if prefix == "content" { "content" } else { "drop_ins" };
                return Err(Fault::new(field, "every user can read a unit's text with `systemctl show`").fix(
                    "put the secret into a file of mode 0600 and name it with EnvironmentFile= or LoadCredential=",
                ));
            }
        }
        if self.masked == Some(true) {
            if self.content.is_some() || !self.drop_ins.is_empty() {
                return Err(Fault::new("masked", "a masked unit has no file of its own: its place is taken"));
            }
            if self.active == Some(true) || self.enabled == Some(true) {
                return Err(Fault::new("masked", "a masked unit can neither run nor be enabled"));
            }
            self.active = Some(false);
        }
        if self.is_template() && (self.active, self.enabled, self.masked) != (None, None, None) {
            return Err(Fault::new("name", "a template does not run; only its instances do")
                .fix(format!("manage `{}` beside it", self.name.replace("@.", "@NAME."))));
        }
        let installable = |text: &String| text.lines().any(|line| line.trim() == "[Install]");
        if self.enabled == Some(true)
            && self.content.as_ref().and_then(Rendered::as_plain).is_some_and(|text| !installable(&text))
        {
            return Err(Fault::new("enabled", "the unit file has no [Install] section, so nothing would start it")
                .fix("add `[Install]` with `WantedBy=multi-user.target`"));
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Unit(self.name.clone())];
        all.extend(self.files().iter().map(|(_, file)| Provision::Path(file.path.clone())));
        all
    }

    fn uses(&self) -> Vec<Provision> {
        let mut all = vec![Provision::Unit(self.name.clone())];
        all.extend(self.files().iter().map(|(_, file)| Provision::Path(file.path.clone())));
        for text in self.files().iter().filter_map(|(_, file)| file.content.as_ref()?.as_plain()) {
            all.extend(unit_uses(&text));
        }
        all
    }

    fn watches(&self) -> Vec<String> {
        self.restart_on.clone()
    }

    fn watched(&mut self, provisions: Vec<Vec<Provision>>) {
        for provision in provisions.into_iter().flatten() {
            match provision {
                Provision::Path(path) | Provision::Part(path) => self.watched.push(path),
                // dpkg writes the list of a package's files whenever it unpacks it.
                Provision::Package(name) => self.watched.push(format!("/var/lib/dpkg/info/{name}.list")),
                _ => {}
            }
        }
    }

    fn reaction(&self) -> Option<&'static str> {
        self.restarts().then_some("restart")
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        self.files().desired(&mut fields);
        if self.is_template() {
            return Desired::Present(fields);
        }
        let flags = [("active", self.active), ("enabled", self.enabled), ("masked", self.masks())];
        for (name, wanted) in flags {
            fields.extend(wanted.map(|wanted| (name.to_owned(), FieldValue::Bool(wanted))));
        }
        fields.insert("reload_pending".into(), FieldValue::Bool(false));
        if self.restarts() {
            fields.insert("restart_pending".into(), FieldValue::Bool(false));
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            if wanted.state == State::Absent {
                script.stat(&wanted.path());
                script.stat(&wanted.folder());
            }
            wanted.files().probe(script);
            if wanted.is_template() {
                continue;
            }
            show_units(script, &wanted.name);
            ask_clock(script);
            if wanted.restarts() {
                script.gather(TIMES, TIMES_COMMAND, &wanted.name);
                script.gather(TIMES, TIMES_COMMAND, &template_of(&wanted.name));
                for path in &wanted.watched {
                    script.stat(path);
                }
            }
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        if !is_lifeline_unit(&self.name) {
            return;
        }
        let gone = self.state == State::Absent;
        let unit = ForeseenUnit {
            active: if gone { Some(false) } else { self.active },
            enabled: if gone { Some(false) } else { self.enabled },
            masked: self.masks(),
            rewritten: gone || self.files().iter().next().is_some(),
            origin: foreseen.origin(),
        };
        foreseen.units.insert(self.name.clone(), unit);
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
            if wanted.masks() == Some(false) && fields.iter().any(|name| name == "masked") {
                let script = sh!("systemctl unmask --quiet -- {}", wanted.name);
                let expect = Expect::Prints {
                    command: sh!("systemctl show -p LoadState --value -- {}", wanted.name),
                    output: "masked".into(),
                };
                let step = Step::new(format!("unmask {}", wanted.name), script);
                let step = wanted.guarded(step.undone_by(wanted.undo([Touch::Path(wanted.path())])));
                steps.push(step.expecting(expect).serving([*position]));
            }
            let write = wanted.write_step(seen, &changed);
            let written = write.is_some();
            steps.extend(write.map(|step| step.serving([*position])));
            if !wanted.is_template() {
                steps.extend(wanted.state_step(seen, &changed, written).map(|step| step.serving([*position])));
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{drift, made, recorded};

    fn drifts(name: &str, spoil: impl Fn(String) -> String) -> Vec<String> {
        let (batch, seen) = recorded::<SystemdUnit>(name, spoil);
        batch.iter().zip(&seen).map(|(wanted, seen)| drift(wanted, seen)).collect()
    }

    #[test]
    fn every_state_of_a_unit_is_told_from_the_others() {
        let seen = drifts("changed", |text| text);
        assert_eq!(seen[..6], ["", "content.access enabled restart_pending", "active", "active", "active masked", ""]);
        assert_eq!(seen[6], "Absent");
        assert!(seen[7].starts_with("NotYet"), "{}", seen[7]);
        assert_eq!(seen[8..10], ["", "Absent"]);
        assert!(seen[10].contains("alias of ssh.service"), "{}", seen[10]);
    }

    #[test]
    fn without_systemd_or_with_a_garbled_answer_nothing_is_known() {
        for seen in drifts("no_systemd", |text| text) {
            assert!(seen.starts_with("Unknown") && seen.contains("not been booted"), "{seen}");
        }
        let cut = |text: String| text[..text.len() / 2].to_owned();
        assert!(drifts("changed", cut).iter().all(|seen| seen.starts_with("Unknown")));
        let no_state = drifts("changed", |text| text.replace("LoadState=", "=").replace("NRestarts=", "="));
        assert!(no_state.iter().all(|seen| seen.starts_with("Unknown")), "{no_state:?}");
        let no_times = drifts("changed", |text| text.replace(" /etc/systemd/system/kb-stale.service\n", " /x\n"));
        assert!(no_times[1].starts_with("Unknown"), "{}", no_times[1]);
        let no_start = drifts("changed", |text| text.replace(" UTC\n", " XYZ\n"));
        assert!(no_start[0].starts_with("Unknown"), "{}", no_start[0]);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let text = r#"content: "[Service]\nExecStart=/bin/true\n""#;
        for (fields, part) in [
            ("{ name: a, masked: true, active: true }".to_owned(), "masked"),
            (format!("{{ name: a, masked: true, {text} }}"), "masked"),
            (format!("{{ name: a, enabled: true, {text} }}"), "[Install]"),
            (format!("{{ name: a@, active: true, {text} }}"), "template"),
            ("{ name: a, content: !secret x }".to_owned(), "systemctl show"),
        ] {
            let refused = made::<SystemdUnit>(&fields).unwrap_err();
            assert!(refused.contains(part), "{fields}: {refused}");
        }
    }

    #[test]
    fn a_lifeline_is_changed_under_the_guard() {
        let ssh: SystemdUnit = made("{ name: ssh, active: true }").unwrap();
        let seen = Seen::Present(Fields::from([("active".to_owned(), FieldValue::Bool(false))]));
        let fields = ["active".to_owned()];
        let steps = SystemdUnit::steps(&[Change { position: 0, wanted: &ssh, seen: &seen, fields: &fields }]);
        assert!(steps.len() == 1 && steps[0].risky);
    }

    proptest! {
        #[test]
        fn hostile_text_is_a_payload_and_hostile_names_are_refused(text in "[^\0]{0,60}", name in "[^a-z]{1,12}") {
            let unit = SystemdUnit {
                name: "a.service".into(),
                content: Some(Rendered::plain(text.clone())),
                from: None,
                drop_ins: BTreeMap::from([("b".to_owned(), Rendered::plain(text.clone()))]),
                enabled: None,
                active: None,
                masked: None,
                restart_on: Vec::new(),
                state: State::Present,
                watched: Vec::new(),
            };
            let steps = SystemdUnit::steps(&[Change { position: 0, wanted: &unit, seen: &Seen::Absent, fields: &[] }]);
            prop_assert!(steps[0].payloads.iter().all(|payload| payload.is(text.as_bytes())));
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-+:@~=".contains(c);
            if !name.chars().all(plain) {
                let fields = serde_json::json!({ "name": name }).to_string();
                prop_assert!(made::<SystemdUnit>(&fields).is_err());
            }
        }
    }
}
