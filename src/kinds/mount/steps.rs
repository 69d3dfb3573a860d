//! Owns how a mount is brought about: its line first, and what is busy stays.

use super::{Mount, options};
use crate::quote::Sh;
use crate::resource::{Expect, FieldValue, Kind, Seen, Step, Touch, Undo};
use crate::sh;

// rp_fstab PATH [LINE]: the lines of a mount point become this one, in the place of the first, or go.
const EDIT: &str = r#"rp_fstab() {
  rp_new=$(mktemp /run/rempart-fstab.XXXXXX)
  [ -e /etc/fstab ] || : > /etc/fstab
  AT=$1 LINE=${2:-} awk '
    !/^[[:space:]]*#/ && $2 == ENVIRON["AT"] { if (!done && ENVIRON["LINE"] != "") print ENVIRON["LINE"]; done = 1; next }
    { print }
    END { if (!done && ENVIRON["LINE"] != "") print ENVIRON["LINE"] }' /etc/fstab > "$rp_new"
  rp_put "$rp_new" /etc/fstab 0644 root root rp_taken
  rm -f -- "$rp_new"
  systemctl daemon-reload
}
rp_taken() {
  findmnt --verify --tab-file "$1" > "$rp_new.said" 2>&1 || ! findmnt --verify >/dev/null 2>&1 || {
    cat "$rp_new.said" >&2; rm -f -- "$rp_new.said"; return 1; }
  rm -f -- "$rp_new.said"
}
rp_let_go() {
  umount -- "$1" && return
  echo "$1 is busy, and is left mounted; see who uses it with: fuser -vm $1" >&2
  return 1
}"#;

impl Mount {
    fn undo(&self) -> Undo {
        let path = self.path.clone();
        let touches = [Touch::Fstab(path.clone()), Touch::Mount(path.clone()), Touch::Path(path)];
        Undo::of(touches).then(sh!("systemctl daemon-reload"))
    }

    fn guarded(&self, step: Step) -> Step {
        if Kind::is_risky(self) { step.risky() } else { step }
    }

    fn expecting(&self, step: Step, seen: &Seen) -> Step {
        let Seen::Present(fields) = seen else {
            let command = sh!(
                "awk -v at={} '!/^[[:space:]]*#/ && $2 == at' /etc/fstab; awk -v at={} '$5 == at' /proc/self/mountinfo",
                self.path,
                self.path
            );
            return step.expecting(Expect::Prints { command, output: String::new() });
        };
        let is = matches!(fields.get("mounted"), Some(FieldValue::Bool(true)));
        let command = sh!(
            "if awk -v at={} '$5 == at { f = 1 } END { exit !f }' /proc/self/mountinfo; then echo mounted; else echo no; fi",
            self.path
        );
        step.expecting(Expect::Prints { command, output: if is { "mounted" } else { "no" }.into() })
    }

    pub(super) fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let changed = |name: &str| fields.is_empty() || fields.iter().any(|field| field == name);
        let is_mounted =
            matches!(seen, Seen::Present(fields) if matches!(fields.get("mounted"), Some(FieldValue::Bool(true))));
        let path = &self.path;
        let mut does = Vec::new();
        let mut script = Sh::program_of_the_user(EDIT);
        if self.mounted && Kind::is_risky(self) && (!is_mounted || changed("source") || changed("fstype")) {
            let what =
                format!("rempart comes in by what stands at {path}, so nothing is mounted over it; do it by hand");
            script = sh!("echo {} >&2; exit 1", what);
        }
        if self.mounted && is_mounted && (changed("source") || changed("fstype")) {
            script.line(sh!("rp_let_go {}", path));
        }
        if changed("fstab") || (self.mounted && !is_mounted) {
            // findmnt refuses a line whose directory is not there.
            script.line(sh!("[ -e {} ] || rp_directory {} 0755 root:root", path, path));
        }
        if changed("fstab") {
            does.push("write its line");
            script.line(sh!("rp_fstab {} {}", path, self.line()));
        }
        if self.mounted && (!is_mounted || changed("source") || changed("fstype")) {
            does.push("mount it");
            script.line(sh!("mount -- {}", path));
            // A bind mount takes its own flags only once it stands.
            if self.is_bind() && !options::flags(&self.options).is_empty() {
                script.line(sh!("mount -o {} -- {}", format!("remount,bind,{}", options::flags(&self.options)), path));
            }
        } else if self.mounted && changed("options") {
            does.push("mount it anew in place");
            let again = if self.is_bind() {
                format!("remount,bind,{}", options::flags(&self.options))
            } else {
                format!("remount,{}", options::explicit(&self.options))
            };
            // With the source, so that mount adds nothing from /etc/fstab to what is said here.
            script.line(sh!("mount -o {} -- {} {}", again, self.source(), path));
        }
        let step = Step::new(format!("{}: {}", self.path, does.join(" and ")), script).undone_by(self.undo());
        self.expecting(self.guarded(step), seen)
    }

    pub(super) fn remove(&self, seen: &Seen) -> Step {
        let mut script = Sh::program_of_the_user(EDIT);
        script.line(sh!(
            "if awk -v at={} '$5 == at { f = 1 } END { exit !f }' /proc/self/mountinfo; then rp_let_go {}; fi\nrp_fstab {}",
            self.path,
            self.path,
            self.path
        ));
        let step = Step::new(format!("unmount {} and take its line out", self.path), script).undone_by(self.undo());
        self.expecting(self.guarded(step), seen)
    }
}
