//! Debian packages: there or not, at a version, held or not.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, Kind, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo, ask_package, package_state,
};
use crate::sh;

/// Debian packages: there or not, at a version, held or not. A daemon that a package brings is not started by it; that
/// is for `systemd_unit`, after the configuration is there. One that ran before goes on running.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageApt {
    /// One package, as in `names`.
    #[serde(default)]
    name: Option<String>,
    /// Packages: real names, not virtual ones. `squid`, `squid:amd64`, or `squid=5.7-2` for exactly that version.
    #[serde(default)]
    names: Vec<String>,
    /// Whether they should be there. Removing leaves configuration files, and refuses to take other packages along.
    #[serde(default)]
    state: State,
    /// Whether apt must keep them at their version; not managed unless said.
    #[serde(default)]
    hold: Option<bool>,
    /// Whether packages that these recommend are installed with them. Default: false.
    #[serde(default)]
    recommends: bool,
}

// What a host needs to stay reachable, or to install anything again.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "apt", "base-files", "base-passwd", "bash", "coreutils", "dash", "dpkg", "init", "iproute2", "libc6",
    "libpam-modules", "libpam-runtime", "libpam0g", "login", "openssh-server", "passwd", "systemd", "systemd-sysv",
    "util-linux",
];

const PROGRAM: &str = include_str!("package_apt/apt.sh");

impl PackageApt {
    // Names with the version that is wanted, as written.
    fn items(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.name.iter().chain(&self.names).map(|item| match item.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (item.as_str(), None),
        })
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let mut fields = Fields::new();
        let mut lines = Vec::new();
        for (name, _) in self.items() {
            let seen = package_state(answer, name)?;
            let state = seen.as_ref().map_or("absent", |seen| &seen.state);
            fields.insert(format!("names.{name}"), FieldValue::text(state));
            if let Some(seen) = seen {
                fields.insert(format!("version.{name}"), FieldValue::text(&seen.version));
                fields.insert(format!("hold.{name}"), FieldValue::Bool(seen.held));
                lines.push(seen.line);
            }
        }
        if lines.is_empty() {
            return Ok(Seen::Absent);
        }
        fields.insert("lines".into(), FieldValue::List(lines));
        Ok(Seen::Present(fields))
    }
}

impl Kind for PackageApt {
    const NAME: &'static str = "package_apt";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "Debian packages: there or not, at a version, held or not.";
    const EXAMPLE: &'static str = "package_apt: { names: [docker.io, ufw, squid=5.7-2+deb12u2], hold: true }";
    const UNDO: &'static str = "what came goes, what went comes, in the old version while a mirror has it, held or not as before. What a package leaves behind when it is removed stays: configuration, accounts, data.";

    fn key(&self) -> String {
        self.items().map(|(name, _)| name).collect::<Vec<_>>().join(",")
    }

    fn parts(key: &str) -> Vec<&str> {
        key.split(',').collect()
    }

    fn settle(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        if self.name.is_some() != self.names.is_empty() {
            return Err(Fault::new("names", "either `name` or `names` must name a package, not both")
                .fix("write `names: [squid, ufw]`"));
        }
        let field = if self.name.is_some() { "name" } else { "names" };
        let absent = self.state == State::Absent;
        let mut known: Vec<&str> = Vec::new();
        for (item, version) in self.items() {
            let bad = |why: &str| Err(Fault::new(field, format!("`{}` {why}", item.escape_debug())));
            let (name, architecture) = item.split_once(':').unwrap_or((item, "any"));
            let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let plain = |c: char| letter(c) || "+-.".contains(c);
            if name.len() < 2 || !name.starts_with(letter) || name.ends_with('-') || !name.chars().all(plain) {
                return bad("is not the name of a Debian package: small letters, digits, + - .");
            }
            if architecture.is_empty() || !architecture.chars().all(|c| letter(c) || c == '-') {
                return bad("names no architecture");
            }
            let fine = |c: char| c.is_ascii_alphanumeric() || ".+:~-".contains(c);
            if version.is_some_and(|text| !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(fine)) {
                return bad("is given something that is not a Debian version");
            }
            if absent && (version.is_some() || self.hold == Some(true)) {
                return bad("cannot be absent and at a version, or held");
            }
            if absent && (KEPT.contains(&name) || (name == "sudo" && context.login_user != Some("root"))) {
                return bad("is never removed: the host would be out of reach, or could install nothing");
            }
            if known.contains(&item) {
                return bad("is named twice");
            }
            known.push(item);
        }
        Ok(())
    }

    fn provides(&self) -> Vec<Provision> {
        if self.state == State::Absent {
            return Vec::new();
        }
        let plain = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
        self.items().map(|(name, _)| Provision::Package(plain(name))).collect()
    }

    fn desired(&self) -> Desired {
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields = Fields::new();
        for (name, version) in self.items() {
            fields.insert(format!("names.{name}"), FieldValue::text("installed"));
            if let Some(version) = version {
                fields.insert(format!("version.{name}"), FieldValue::text(version));
            }
            if let Some(hold) = self.hold {
                fields.insert(format!("hold.{name}"), FieldValue::Bool(hold));
            }
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for (name, _) in batch.iter().flat_map(|wanted| wanted.items()) {
            ask_package(script, name);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    // One run of apt for all; a second one only where some want recommended packages too.
    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        let lifeline = |name: &&str| matches!(*name, "sudo" | "openssh-server" | "libpam-modules" | "libpam-runtime");
        let origin = foreseen.origin();
        let names = self.items().map(|(name, _)| name.split(':').next().unwrap_or(name)).filter(lifeline);
        match self.state {
            State::Absent => foreseen.removed.extend(names.map(|name| (name.to_owned(), origin.clone()))),
            State::Present => foreseen.installed.extend(names.map(str::to_owned)),
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        [false, true].into_iter().filter_map(|recommends| step(batch, recommends)).collect()
    }
}

fn step(batch: &[Change<'_, PackageApt>], recommends: bool) -> Option<Step> {
    let batch: Vec<_> = batch.iter().filter(|change| change.wanted.recommends == recommends).collect();
    let (mut install, mut remove, mut hold, mut unhold) = (vec![], vec![], vec![], vec![]);
    let (mut names, mut lines) = (vec![], vec![]);
    let mut flags = "".to_owned();
    for change in &batch {
        let fields = match change.seen {
            Seen::Present(fields) => fields.clone(),
            _ => Fields::new(),
        };
        if let Some(FieldValue::List(known)) = fields.get("lines") {
            lines.extend(known.iter().cloned());
        }
        let state = |name: &str| match fields.get(&format!("names.{name}")) {
            Some(FieldValue::Text(state)) => state.clone(),
            _ => "absent".to_owned(),
        };
        let is = |field: String, value: FieldValue| fields.get(&field).is_some_and(|seen| value.agrees_with(seen));
        for (name, version) in change.wanted.items() {
            names.push(name.to_owned());
            if change.wanted.state == State::Absent {
                if state(name) != "absent" {
                    remove.push(name.to_owned());
                }
                continue;
            }
            let pinned = version.is_none_or(|text| is(format!("version.{name}"), FieldValue::text(text)));
            let changes = state(name) != "installed" || !pinned;
            if changes {
                install.push(version.map_or(name.to_owned(), |text| format!("{name}={text}")));
            }
            if matches!(state(name).as_str(), "reinst-required" | "half-installed") {
                flags.push_str(" --reinstall");
            }
            if !pinned {
                flags.push_str(" --allow-downgrades");
            }
            let held = is(format!("hold.{name}"), FieldValue::Bool(true));
            match change.wanted.hold {
                // apt forgets a hold when it changes the version.
                Some(true) if changes || !held => hold.push(name.to_owned()),
                Some(false) if held => unhold.push(name.to_owned()),
                _ => {}
            }
        }
        if change.wanted.hold.is_some() {
            flags.push_str(" --allow-change-held-packages");
        }
    }
    if batch.is_empty() {
        return None;
    }
    let said = [("install", &install), ("remove", &remove), ("hold", &hold), ("release", &unhold)];
    let said =
        said.iter().filter(|(_, what)| !what.is_empty()).map(|(verb, what)| format!("{verb} {}", what.join(" ")));
    let title = said.collect::<Vec<_>>().join(", ");
    let lists = sh!(
        "rp_install={} rp_remove={} rp_hold={} rp_unhold={} rp_flags={} rp_recommends={}",
        install.join(" "),
        remove.join(" "),
        hold.join(" "),
        unhold.join(" "),
        flags,
        recommends.to_string()
    );
    // In a shell of its own, because it sets traps.
    let script = Sh::lines([sh!("("), lists, Sh::program_of_the_user(PROGRAM), sh!(")")]);
    names.sort_unstable();
    names.dedup();
    lines.sort_unstable();
    lines.dedup();
    let command = sh!(
        "dpkg-query -W -f {} -- {} 2>/dev/null | grep -v -e '\tnot-installed\t' -e '\tconfig-files\t' | sort",
        r"${binary:Package}\t${db:Status-Want}\t${db:Status-Eflag}\t${db:Status-Status}\t${Version}\n",
        names
    );
    let expect = Expect::Prints { command, output: lines.join("\n") };
    // Not risky: apt may take longer than anybody waits for a confirmation, and at boot nothing can be installed.
    let undo = Undo::of([Touch::Packages]);
    Some(
        Step::new(title, script)
            .undone_by(undo)
            .serving(batch.iter().map(|change| change.position))
            .expecting(expect)
            .within(1200),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::{load, section};
    use crate::resource::SectionOutput;

    fn seen(item: &str, section: SectionOutput) -> Seen {
        let wanted = load::<PackageApt>(item).unwrap();
        PackageApt::parse(&[&wanted], &Answer::of_sections([("dpkg-query", section)])).remove(0)
    }

    #[test]
    fn what_dpkg_says_is_read_and_broken_states_differ() {
        let all = || section("package_apt", "mixed", 1);
        let Seen::Present(fields) = seen("{ names: [cron, libc6, rp-broken, tree, nope-none] }", all()) else {
            panic!("not present")
        };
        let told: Vec<String> = fields.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
        for line in [
            "names.cron Text(\"installed\")",
            "hold.cron Bool(true)",
            "version.libc6 Text(\"2.36-9+deb12u14\")",
            "names.rp-broken Text(\"half-configured\")",
            "names.tree Text(\"absent\")",
        ] {
            assert!(told.iter().any(|known| known == line), "{line} in {told:?}");
        }
        assert!(matches!(seen("{ names: [tree, nope-none] }", all()), Seen::Absent));
    }

    #[test]
    fn no_answer_is_never_absence() {
        for (name, status) in [("failing", 2), ("garbled", 1), ("empty-database", 1), ("failing", 127)] {
            let seen = seen("{ name: tree }", section("package_apt", name, status));
            assert!(matches!(seen, Seen::Unknown(_)), "{name}: {seen:?}");
        }
        assert!(matches!(seen("{ name: zsh }", section("package_apt", "mixed", 1)), Seen::Unknown(_)));
    }

    #[test]
    fn a_batch_is_one_run_of_apt() {
        let batch = [
            load::<PackageApt>("{ names: [squid=5.7-2, ufw] }").unwrap(),
            load::<PackageApt>("{ name: cron, state: absent }").unwrap(),
        ];
        let there = Seen::Present(Fields::from([
            ("names.cron".to_owned(), FieldValue::text("installed")),
            ("lines".to_owned(), FieldValue::list(["cron\tinstall\tok\tinstalled\t1"])),
        ]));
        let steps = PackageApt::steps(&[
            Change { position: 0, wanted: &batch[0], seen: &Seen::Absent, fields: &[] },
            Change { position: 1, wanted: &batch[1], seen: &there, fields: &[] },
        ]);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].title.as_str(), &steps[0].serves), ("install squid=5.7-2 ufw, remove cron", &vec![0, 1]));
    }

    #[test]
    fn hostile_names_and_dangerous_removals_are_refused() {
        for bad in ["a b", "a;id", "$(id)", "-rf", "A1", "a\nb", "a=$(id)", "a=1 b", "a:", "g*", "ufw-"] {
            let item = format!("{{ name: {} }}", serde_json::to_string(bad).unwrap());
            assert!(load::<PackageApt>(&item).is_err(), "{bad}");
        }
        for bad in ["{ name: dpkg, state: absent }", "{ names: [ufw, ufw] }", "{}", "{ name: ufw=1, state: absent }"] {
            assert!(load::<PackageApt>(bad).is_err(), "{bad}");
        }
    }
}
