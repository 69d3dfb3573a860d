//! Owns how a timer is brought to what is wanted once its files stand, and how all of it goes.

use super::{MARK, SystemdTimer};
use crate::quote::Sh;
use crate::resource::{Expect, FieldValue, PROVE_UNIT, Seen, Step, Touch, Undo};
use crate::sh;

impl SystemdTimer {
    // Files come first; the units are let go of, or brought back, on what is put back.
    pub(super) fn undo(&self, files: impl IntoIterator<Item = String>) -> Undo {
        let mut touches: Vec<Touch> = files.into_iter().map(Touch::Path).collect();
        touches.push(Touch::Unit(self.timer()));
        Undo::of(touches).then(sh!("systemctl try-restart -- {} 2>/dev/null || :", self.timer()))
    }

    pub(super) fn state_step(&self, seen: &Seen, changed: &dyn Fn(&str) -> bool) -> Step {
        let timer = self.timer();
        let was = |field: &str| matches!(seen, Seen::Present(fields) if matches!(fields.get(field), Some(FieldValue::Bool(true))));
        let mut script = Sh::program_of_the_user(PROVE_UNIT);
        script.line(sh!("systemctl daemon-reload"));
        let mut does = Vec::new();
        if changed("enabled") && self.enabled != was("enabled") {
            let (verb, wanted) = if self.enabled { ("enable", "enabled") } else { ("disable", "disabled") };
            does.push(verb);
            script.line(sh!("systemctl {} --quiet -- {}\nrp_on_disk {} {}", verb, timer, timer, wanted));
        }
        if self.active {
            does.push(if was("active") { "restart" } else { "start" });
            script.line(sh!("rp_start {}", timer));
        } else if was("active") {
            does.push("stop");
            script.line(sh!("systemctl stop -- {}", timer));
        }
        let own = ["timer", "service", "timer.access", "service.access", "active", "enabled", "masked"];
        let only_effect = !own.iter().any(|field| changed(field)) && !changed("reload_pending");
        if let (Seen::Present(fields), true) = (seen, only_effect)
            && let Some(FieldValue::List(others)) = fields.get("drop_ins_of_others")
            && !others.is_empty()
        {
            let what = format!("{} changes what {timer} says; take that out there", others.join(" or "));
            script = sh!("echo {} >&2; exit 1", what);
        }
        let title = if does.is_empty() {
            format!("make systemd read {timer} anew")
        } else {
            format!("{} {timer}", does.join(" and "))
        };
        let command = sh!("systemctl is-active --quiet -- {} && echo active || echo not active", timer);
        let output = if was("active") { "active" } else { "not active" }.into();
        Step::new(title, script).expecting(Expect::Prints { command, output }).undone_by(self.undo([]))
    }

    pub(super) fn remove_step(&self) -> Step {
        let (timer, service) = (self.timer(), self.path(&self.service()));
        let mark = MARK.trim_end();
        let script = sh!(
            "if systemctl is-active --quiet -- {}; then systemctl stop -- {}; fi
systemctl disable --quiet -- {} 2>/dev/null || :
rm -f -- {}
if [ -f {} ] && [ \"$(head -n 1 -- {})\" = {} ]; then rm -f -- {}; fi
systemctl daemon-reload
systemctl reset-failed -- {} 2>/dev/null || :",
            timer,
            timer,
            timer,
            self.path(&timer),
            service,
            service,
            mark,
            service,
            timer
        );
        Step::new(format!("stop, disable and remove {timer}"), script)
            .undone_by(self.undo([self.path(&timer), service]))
            .expecting(Expect::Nothing("whatever is left of it goes"))
    }
}
