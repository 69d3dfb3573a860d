//! Owns the files that systemd's units are made of: how they are asked about, read, tried by systemd as a whole, and
//! written; shared by every kind that writes units.

use super::{Answer, FieldValue, Fields, ManagedFile, ProbeError, ProbeScript, Provision, Seen, Step};
use crate::quote::Sh;
use crate::secret::Rendered;
use crate::sh;

/// Where an administrator's units stand.
pub const UNIT_FOLDER: &str = "/etc/systemd/system";

// `exit` with a reason unless the units NAME, as written in the folder DIR, are accepted by systemd. A package's unit may
// have faults of its own: only those that come with what is written are ours.
const VERIFY: &str = r#"rp_verify_unit() {
  rp_before=0; rp_after=0; rp_what=$2
  if [ -e "$1/$2" ]; then rp_what=$1/$2
  else systemd-analyze verify --man=no --recursive-errors=no "$2" >/dev/null 2>&1 || rp_before=$?
  fi
  SYSTEMD_UNIT_PATH=$1: systemd-analyze verify --man=no --recursive-errors=no "$rp_what" > "$1/said" 2>&1 || rp_after=$?
  if [ "$rp_after" != 0 ] && { [ "$rp_before" = 0 ] || grep -q "^$1/" "$1/said"; }; then
    sed "s|$1/||g" "$1/said" >&2
    rm -rf -- "$1"
    printf 'systemd refuses the new %s; the old one stays\n' "$2" >&2
    exit 1
  fi
}"#;

/// Shell functions that do what was asked and insist on it: `rp_on_disk UNIT enabled|disabled` and `rp_start UNIT`.
/// `enable` ends well where it can do nothing, and `start` where the process dies a moment later.
pub const PROVE_UNIT: &str = r#"rp_on_disk() {
  rp_is=$(systemctl is-enabled -- "$1" 2>/dev/null) || :
  case "$2 $rp_is" in
    "enabled enabled") ;;
    enabled*) printf '%s cannot be enabled, it is %s\n' "$1" "${rp_is:-unknown}" >&2; exit 1 ;;
    "disabled enabled") printf '%s is still enabled\n' "$1" >&2; exit 1 ;;
  esac
}
rp_runs() { systemctl show -p ActiveState,InvocationID,NRestarts --value -- "$1" | tr '\n' ' '; }
rp_start() {
  systemctl reset-failed -- "$1" 2>/dev/null || :
  sleep 0.02
  rp_bad=0
  systemctl restart -- "$1" || rp_bad=1
  rp_is=$(rp_runs "$1")
  case "$(systemctl show -p Type --value -- "$1")" in simple|exec|idle) sleep 1 ;; esac
  case "$rp_is" in *active*) [ "$rp_is" = "$(rp_runs "$1")" ] || rp_bad=1 ;; esac
  systemctl is-active --quiet -- "$1" || rp_bad=1
  if [ "$rp_bad" = 1 ]; then
    systemctl status --no-pager --full --lines=12 -- "$1" >&2 || :
    printf '%s does not stay active\n' "$1" >&2
    exit 1
  fi
}"#;

/// Files of units, each with the name of the field that holds its text.
#[derive(Clone, Debug, Default)]
pub struct UnitFiles(Vec<(String, ManagedFile)>);

impl UnitFiles {
    /// Adds a file by its path below [`UNIT_FOLDER`]: `NAME.service` or `NAME.service.d/x.conf`.
    pub fn add(&mut self, field: impl Into<String>, path: &str, content: &Rendered) {
        let file = ManagedFile {
            path: format!("{UNIT_FOLDER}/{path}"),
            content: Some(content.clone()),
            mode: "0644".into(),
            owner: "root".into(),
            group: "root".into(),
        };
        self.0.push((field.into(), file));
    }

    /// Each field and file.
    pub fn iter(&self) -> impl Iterator<Item = &(String, ManagedFile)> {
        self.0.iter()
    }

    /// The fields that they make: their text, and `FIELD.access`.
    pub fn desired(&self, fields: &mut Fields) {
        for (field, file) in &self.0 {
            fields.insert(format!("{field}.access"), FieldValue::text("0644 root:root"));
            fields.extend(file.content.clone().map(|content| (field.clone(), FieldValue::Wanted(content))));
        }
    }

    /// Asks about them.
    pub fn probe(&self, script: &mut ProbeScript) {
        for (_, file) in &self.0 {
            file.probe(script);
        }
    }

    /// Reads the same fields, and `FIELD.signature` for the step's precondition.
    ///
    /// # Errors
    /// One could not be read.
    pub fn read(&self, answer: &Answer, fields: &mut Fields) -> Result<(), ProbeError> {
        for (field, file) in &self.0 {
            // A unit is masked by a symlink in its file's place.
            let is_unit = !file.path.ends_with(".conf");
            if is_unit && answer.stat(&file.path)?.is_some_and(|stat| stat.file_type == "symbolic link") {
                continue;
            }
            let Some(mut read) = file.read(answer)? else { continue };
            let text = |read: &Fields, field| match read.get(field) {
                Some(FieldValue::Text(text)) => text.clone(),
                _ => String::new(),
            };
            let access = format!("{} {}:{}", text(&read, "mode"), text(&read, "owner"), text(&read, "group"));
            fields.insert(format!("{field}.access"), FieldValue::Text(access));
            fields.insert(format!("{field}.signature"), FieldValue::Text(text(&read, "signature")));
            if let Some(content) = read.remove("content") {
                fields.insert(field.clone(), content);
            }
        }
        Ok(())
    }

    /// A step that writes those that changed, once systemd has taken all of them as these units, and their paths. Its
    /// way back is the caller's to say.
    pub fn write(&self, units: &[&str], seen: &Seen, changed: &dyn Fn(&str) -> bool) -> Option<(Step, Vec<String>)> {
        let is_dirty = |field: &str| changed(field) || changed(&format!("{field}.access"));
        if !self.0.iter().any(|(field, _)| is_dirty(field)) {
            return None;
        }
        let mut script = Sh::program_of_the_user(VERIFY);
        script.line(sh!("rp_d=$(mktemp -d /run/rempart-verify.XXXXXX)"));
        let mut put = Sh::default();
        let mut step = Step::new("", Sh::default());
        let mut written = Vec::new();
        let mut folders: Vec<&str> = Vec::new();
        for (at, (field, file)) in self.0.iter().enumerate() {
            let relative = file.path.strip_prefix(UNIT_FOLDER).unwrap_or(&file.path);
            let folder = relative.rsplit_once('/').map_or("", |(folder, _)| folder);
            if !folder.is_empty() && !folders.contains(&folder) {
                folders.push(folder);
                script.line(sh!("mkdir -p -- \"$rp_d\"{}", folder));
                put.line(sh!("rp_directory {} 0755 root:root", format!("{UNIT_FOLDER}{folder}")));
            }
            script.line(sh!("cat -- \"$P/{}\" > \"$rp_d\"{}", at, relative));
            if is_dirty(field) {
                put.line(sh!("rp_put \"$P/{}\" {} 0644 root root", at, file.path));
                written.push(file.path.clone());
                step = step.expecting(file.expect(&part_of(seen, field)));
            }
            step = step.with_payload(file.content.clone().unwrap_or_default());
        }
        for unit in units {
            script.line(sh!("rp_verify_unit \"$rp_d\" {}", *unit));
        }
        script.line(sh!("rm -rf -- \"$rp_d\""));
        step.title = format!("write {}", written.join(" and "));
        step.script = Sh::lines([script, put]);
        Some((step, written))
    }
}

// One file as `ManagedFile` knows it.
fn part_of(seen: &Seen, field: &str) -> Seen {
    let signature = match seen {
        Seen::Present(fields) => fields.get(&format!("{field}.signature")),
        _ => None,
    };
    signature
        .map_or(Seen::Absent, |signature| Seen::Present(Fields::from([("signature".to_owned(), signature.clone())])))
}

/// What a unit needs on its host, as far as its text says so.
pub fn unit_uses(text: &str) -> Vec<Provision> {
    let mut all = Vec::new();
    for (name, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
        // `-`, `+` and the like before a path are systemd's.
        let path = value.trim_start_matches(|c: char| "-@:+!".contains(c)).split_whitespace().next();
        match (name.trim(), path) {
            ("User", Some(user)) => all.push(Provision::User(user.to_owned())),
            ("Group", Some(group)) => all.push(Provision::Group(group.to_owned())),
            ("EnvironmentFile" | "WorkingDirectory", Some(path)) if path.starts_with('/') => {
                all.push(Provision::Path(path.to_owned()));
            }
            (name, Some(path)) if name.starts_with("Exec") && path.starts_with('/') => {
                all.push(Provision::Path(path.to_owned()));
            }
            _ => {}
        }
    }
    all
}
