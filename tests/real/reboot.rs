//! A reboot in the middle of a run: the run waits, and goes on.

use crate::fixture::Lab;

const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";

#[test]
fn a_run_goes_on_after_a_reboot_and_a_host_without_a_reason_is_left_alone() {
    let Some(lab) = Lab::boot_one("a reboot") else { return };
    lab.playbook(
        "
- file: { path: /srv/before, content: a }
- reboot: { when: test -e /run/rp-stale, within: 120 }
- file: { path: /srv/after, content: b }
- systemd_unit: { name: rp-after, content: \"[Service]\\nExecStart=/bin/sleep 1000\\n\", active: true }",
    );
    lab.on("web1", "touch /run/rp-stale");
    let boot = lab.on("web1", BOOT);
    let plan = lab.rempart(&["plan", "playbook.yaml"]).ends(0);
    assert!(plan.out.contains("reboot_needed") && plan.out.contains("its condition holds"), "{plan}");
    let ran = lab.apply().ends(0);
    assert_eq!(ran.outcome("web1", "reboot:host"), "changed");
    let again = lab.on("web1", BOOT);
    assert_ne!(boot, again, "{ran}");
    lab.on("web1", "test -e /srv/before && test -e /srv/after && systemctl is-active rp-after");
    let second = lab.plan();
    assert_eq!((second.code, second.differing()), (0, vec![]), "{second}");
    lab.apply().ends(0);
    assert_eq!(lab.on("web1", BOOT), again, "it was rebooted without a reason");
    // Nobody says of the run that its end was not seen.
    assert_eq!(lab.on("web1", "ls /var/lib/rempart/runs/*/open 2>/dev/null | wc -l").trim(), "0");
}
