//! Rules of the kernel's audit: a file of their own, the file that is loaded at boot, and what the kernel has loaded.

mod rule;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Fault, FieldValue, FileContent, Kind, ManagedFile, ProbeError, ProbeScript,
    Provision, Seen, Step, Touch, Undo, plain_name,
};
use crate::secret::Rendered;
use crate::sh;

const FOLDER: &str = "/etc/audit/rules.d";
const COMPILED: &str = "/etc/audit/audit.rules";

const LIVE: &str = "auditctl -l";
const LIVE_COMMAND: &str = "command -v auditctl >/dev/null || exit 70\nauditctl -l";
const MISSING: i32 = 70;

// augenrules puts all files of the folder into one; the copy of the former one that it makes is not ours to leave.
// `rp_load` has the kernel take them, unless it does not speak of audit here at all: the next boot reads the file.
const GENERATE: &str = r#"rp_generate() {
  rp_prev=$(mktemp -d /run/rempart-audit.XXXXXX)
  [ ! -e /etc/audit/audit.rules.prev ] || cp -a /etc/audit/audit.rules.prev "$rp_prev/was"
  augenrules > "$rp_prev/said" 2>&1 || { cat "$rp_prev/said" >&2; rm -rf -- "$rp_prev"; return 1; }
  rm -f /etc/audit/audit.rules.prev
  [ ! -e "$rp_prev/was" ] || mv -- "$rp_prev/was" /etc/audit/audit.rules.prev
  rm -rf -- "$rp_prev"
}
rp_load() {
  rp_is=$(auditctl -s 2>&1) || { printf '%s\n' "$rp_is" >&2; return 1; }
  case $rp_is in *'enabled 2'*) echo 'the rules of this kernel are locked until the next boot' >&2; return 1 ;; esac
  rp_is=$(auditctl -R /etc/audit/audit.rules 2>&1) || { printf '%s\n' "$rp_is" >&2; return 1; }
}"#;

const TAKEN_BACK: &str = "if command -v augenrules >/dev/null; then
  rp_generate
  if auditctl -s >/dev/null 2>&1; then rp_load; fi
fi";

/// Rules of the kernel's audit: a file in /etc/audit/rules.d, whether it is a part of /etc/audit/audit.rules, which is
/// loaded at boot, and whether the kernel has loaded each rule. Where the kernel does not tell its rules (in a container
/// it never does) a resource with `live: true` is unknown.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auditd {
    /// The file's name in /etc/audit/rules.d, without `.rules`. Files are joined in the order of their names.
    name: String,
    /// The rules, as auditctl(8) takes them: `-w PATH -p wa -k KEY`, or `-a always,exit ...`. Users are given by number.
    #[serde(default)]
    rules: Vec<String>,
    /// Whether the kernel must have loaded each rule. Only `false` where no kernel can be asked; the file is all then.
    #[serde(default = "yes")]
    live: bool,
    /// Whether they should be there.
    #[serde(default)]
    state: State,
}

fn yes() -> bool {
    true
}

impl Auditd {
    fn file(&self) -> ManagedFile {
        let rules: String = self.rules.iter().map(|rule| format!("{rule}\n")).collect();
        ManagedFile {
            path: format!("{FOLDER}/{}.rules", self.name),
            content: Some(Rendered::plain(format!("## Managed by rempart.\n{rules}"))),
            mode: "0640".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let file = self.file().read(answer)?;
        if self.state == State::Absent {
            return Ok(file.map_or(Seen::Absent, Seen::Present));
        }
        let live = answer.section(LIVE)?;
        if live.status == MISSING {
            let brought_by = vec![Provision::Package("auditd".into())];
            return Ok(Seen::NotYet { missing: "auditd is not installed".into(), brought_by });
        }
        let loaded =
            if self.live { Some(self.not_loaded(live.text()?, live.status, &live.complaint())?) } else { None };
        let Some(mut fields) = file else { return Ok(Seen::Absent) };
        let compiled = match answer.content(COMPILED)? {
            Some(FileContent::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(_) => return Err(ProbeError(format!("{COMPILED} is too long to be read"))),
            None => String::new(),
        };
        let known: BTreeSet<&str> = compiled.lines().collect();
        let not_at_boot = self.rules.iter().filter(|rule| !known.contains(rule.as_str()));
        fields.insert("not_at_boot".into(), FieldValue::list(not_at_boot.cloned()));
        if let Some(loaded) = loaded {
            fields.insert("not_loaded".into(), FieldValue::List(loaded));
        }
        Ok(Seen::Present(fields))
    }

    // The rules that the kernel has not, by what `auditctl -l` printed.
    fn not_loaded(&self, said: &str, status: i32, complaint: &str) -> Result<Vec<String>, ProbeError> {
        if status != 0 {
            return Err(ProbeError(format!("the kernel does not tell its audit rules: {complaint}")));
        }
        let mut known = BTreeSet::new();
        for line in said.lines().filter(|line| !line.trim().is_empty() && *line != "No rules") {
            let garbled =
                |why| ProbeError(format!("auditctl's rule `{}` was not understood: {why}", line.escape_debug()));
            known.insert(rule::canonical(line).map_err(garbled)?);
        }
        if known.is_empty() && !said.lines().any(|line| line == "No rules") {
            return Err(ProbeError("auditctl said nothing about the kernel's rules".into()));
        }
        let is_known = |rule: &String| rule::canonical(rule).is_ok_and(|rule| known.contains(&rule));
        Ok(self.rules.iter().filter(|rule| !is_known(rule)).cloned().collect())
    }

    fn put(&self, seen: &Seen) -> Step {
        let file = self.file();
        let step = file.put(seen, Sh::default());
        let mut script = Sh::program_of_the_user(GENERATE);
        let kept = format!("/run/rempart-audit.{}", self.name);
        script.line(sh!("rm -f -- {}\n[ ! -e {} ] || cp -a -- {} {}", kept, file.path, file.path, kept));
        script.line(step.script);
        // A rule that auditctl does not take would keep all those behind it from being loaded at the next boot.
        let load = if self.live { sh!("rp_load") } else { sh!(":") };
        script.line(sh!(
            "if ! rp_generate || ! {}; then
  if [ -e {} ]; then mv -T -- {} {}; else rm -f -- {}; fi
  rp_generate && {} 2>/dev/null || :
  echo 'the rules were not loaded; the old ones stay' >&2
  exit 1
fi
rm -f -- {}",
            load.clone(),
            kept,
            kept,
            file.path,
            file.path,
            load,
            kept
        ));
        let title = format!("write {} and load it", file.path);
        self.undone(Step { script, title, synced: false, ..step })
    }

    fn remove(&self, seen: &Seen) -> Step {
        let file = self.file();
        let mut step = file.remove(seen);
        step.script = Sh::lines([Sh::program_of_the_user(GENERATE), step.script, Sh::program_of_the_user(TAKEN_BACK)]);
        self.undone(step)
    }

    fn undone(&self, step: Step) -> Step {
        let after = format!("set -e\n{GENERATE}\n{TAKEN_BACK}");
        let undo = Undo::of([Touch::Path(self.file().path)]);
        step.undone_by(undo.then(Sh::program_of_the_user(&after)))
    }
}

impl Kind for Auditd {
    const NAME: &'static str = "auditd";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "Rules of the kernel's audit: their file, and whether the kernel has loaded them.";
    const EXAMPLE: &'static str = "auditd: { name: 50-identity, rules: [-w /etc/passwd -p wa -k identity, \
\"-a always,exit -F arch=b64 -S adjtimex,settimeofday -k time\"] }";
    const UNDO: &'static str = "the old file, the file that is loaded at boot, and the kernel's rules where it takes them. \
What was recorded stays.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        self.name.strip_suffix(".rules").unwrap_or(&self.name).to_owned()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        self.name = Kind::key(self);
        if self.name == "audit" {
            return Err(Fault::new("name", "audit.rules comes with the package and begins by deleting every rule")
                .fix("give your rules a name of their own, such as 50-identity"));
        }
        for line in &self.rules {
            let shown = line.escape_debug();
            if !line.is_ascii()
                || line.contains(|c: char| c.is_control() || "\"'\\#".contains(c))
                || line.trim() != line
            {
                return Err(Fault::new("rules", format!("`{shown}` cannot be one line of the rules"))
                    .fix("write one rule for each entry, without quotes and comments"));
            }
            rule::canonical(line).map_err(|why| {
                Fault::new("rules", format!("`{shown}`: {why}"))
                    .fix("write -w PATH -p wa -k KEY or -a always,exit ...; switches such as -b and -e belong into a file of yours")
            })?;
        }
        match (self.state, self.rules.is_empty()) {
            (State::Present, true) => Err(Fault::new("rules", "there is no rule")),
            _ => Ok(()),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn uses(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path), Provision::Package("auditd".into())]
    }

    fn desired(&self) -> Desired {
        let Desired::Present(mut fields) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let none = || FieldValue::List(Vec::new());
        fields.insert("not_at_boot".into(), none());
        if self.live {
            fields.insert("not_loaded".into(), none());
        }
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
        }
        if batch.iter().any(|wanted| wanted.state == State::Present) {
            script.content(COMPILED, None);
            script.section(LIVE, Sh::program_of_the_user(LIVE_COMMAND));
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, .. }| {
                let step = match wanted.state {
                    State::Absent => wanted.remove(seen),
                    State::Present => wanted.put(seen),
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
    fn what_the_kernel_has_not_is_told_and_no_answer_is_never_fine() {
        let wanted = made::<Auditd>("{ name: a, rules: [-w /etc/x -p wa -k x, -w /etc/y] }").unwrap();
        let said = |text: &str, status| wanted.not_loaded(text, status, "Operation not permitted");
        assert_eq!(said("-w /etc/y -p rwxa\n-w /etc/x -p wa -k x\n", 0).unwrap(), [""; 0]);
        assert_eq!(said("-w /etc/y -p rwxa\n", 0).unwrap(), ["-w /etc/x -p wa -k x"]);
        assert_eq!(said("No rules\n", 0).unwrap().len(), 2);
        assert!(said("", 0).is_err() && said("junk\n", 0).is_err());
        assert!(said("", 255).unwrap_err().0.contains("Operation not permitted"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for rules in ["[]", "[-D]", "[-e 2]", "['-w /x\n-D']", "['-w /x # y']", "['-w \"/x\"']", "[' -w /x']"] {
            assert!(made::<Auditd>(&format!("{{ name: a, rules: {rules} }}")).is_err(), "{rules}");
        }
        assert!(made::<Auditd>("{ name: audit.rules, state: absent }").is_err());
    }

    proptest! {
        #[test]
        fn a_hostile_rule_is_refused_or_one_line(rule in "(-w /|-a always,exit -F path=|)(?s).{0,16}") {
            let fields = serde_json::json!({ "name": "a", "rules": [rule] }).to_string();
            if let Ok(wanted) = made::<Auditd>(&fields) {
                let text = wanted.file().content.unwrap().as_plain().unwrap();
                prop_assert_eq!(text.lines().collect::<Vec<_>>(), ["## Managed by rempart.", rule.as_str()]);
            }
        }
    }
}
