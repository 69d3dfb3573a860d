//! Owns how the table, its file and its unit are brought to what is wanted, and how all of it goes.

use super::{FILE, FirewallNftables, State, UNIT};
use crate::quote::Sh;
use crate::resource::{Change, Expect, FieldValue, Seen, Step, Touch, UNIT_FOLDER, Undo};
use crate::sh;

/// The one step of a change.
pub(super) fn step(Change { position, wanted, seen, .. }: &Change<'_, FirewallNftables>) -> Step {
    let step = match wanted.state {
        State::Present => wanted.load(seen),
        State::Absent => wanted.removal(),
    };
    let listing = match seen {
        Seen::Present(fields) => fields.get("listing"),
        _ => None,
    };
    let output = if let Some(FieldValue::Text(listing)) = listing { listing.clone() } else { String::new() };
    let command = sh!("nft -s list table inet rempart 2>/dev/null || :");
    step.expecting(Expect::Prints { command, output }).undone_by(wanted.undo()).risky().serving([*position])
}

impl FirewallNftables {
    // The files come first; the unit is let go of, or brought back, on what is put back.
    fn undo(&self) -> Undo {
        let mut touches: Vec<Touch> = self.files().into_iter().map(|(_, file)| Touch::Path(file.path)).collect();
        touches.push(Touch::Unit(UNIT.into()));
        Undo::of(touches).then(sh!(
            "if [ -e {} ] && systemctl is-active --quiet {}; then nft -f {}
else nft delete table inet rempart 2>/dev/null || :; fi",
            FILE,
            UNIT,
            FILE
        ))
    }

    fn load(&self, seen: &Seen) -> Step {
        let mut script = sh!("rp_nft() { nft -c -f \"$1\"; }");
        let mut step = Step::new("load the table inet rempart of nftables", Sh::default());
        for (at, (name, file)) in self.files().into_iter().enumerate() {
            let check = if name == "file" { "rp_nft" } else { "" };
            script.line(sh!("rp_put \"$P/{}\" {} {} root root {}", at, file.path, file.mode, check));
            step = step.expecting(file.expect_as(seen, name));
            step.payloads.extend(file.content);
        }
        script.line(sh!(
            "systemctl daemon-reload
systemctl unmask --quiet -- {} 2>/dev/null || :
systemctl enable --quiet -- {}
systemctl reset-failed -- {} 2>/dev/null || :
systemctl reload-or-restart -- {}
nft list table inet rempart >/dev/null",
            UNIT,
            UNIT,
            UNIT,
            UNIT
        ));
        step.script = script;
        step
    }

    fn removal(&self) -> Step {
        let script = sh!(
            "systemctl disable --quiet --now -- {} 2>/dev/null || :
rm -f -- {} {}
systemctl daemon-reload
systemctl reset-failed -- {} 2>/dev/null || :
! nft list table inet rempart >/dev/null 2>&1 || nft delete table inet rempart",
            UNIT,
            FILE,
            format!("{UNIT_FOLDER}/{UNIT}"),
            UNIT
        );
        Step::new("remove the table inet rempart of nftables", script)
    }
}
