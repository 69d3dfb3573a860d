//! A reboot where the host asks for one, and the run goes on when it is back.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quote::Sh;
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Kind, ProbeError, ProbeScript, Provision,
    Seen, Step, UserCommand, ask_user_commands, is_newer, plain_name, timestamp_us, user_command,
};
use crate::sh;

// A kernel counts that is of the running one's flavour and newer.
const LOOK: &str = "reboot needed";
const COMMANDS: &str = "reboot when";
const LOOK_COMMAND: &str = r#"rp_r=$(uname -r) && [ -n "$rp_r" ] || exit 3
rp_b=$(cat /proc/sys/kernel/random/boot_id) || exit 3
printf 'boot %s\nrunning %s\n' "$rp_b" "$rp_r"
if [ -e /run/reboot-required ]; then
  printf 'required %s\n' "$(sort -u /run/reboot-required.pkgs 2>/dev/null | tr '\n' ' ')"
fi
for rp_k in /boot/vmlinuz-*; do
  rp_v=${rp_k#/boot/vmlinuz-}
  [ -e "$rp_k" ] && [ "$rp_v" != "$rp_r" ] && [ "${rp_v##*[0-9]-}" = "${rp_r##*[0-9]-}" ] || continue
  [ "$(printf '%s\n%s\n' "$rp_r" "$rp_v" | sort -V | tail -n 1)" = "$rp_r" ] || printf 'kernel %s %s\n' "$rp_v" "$rp_r"
done
rp_s=$(systemctl show --timestamp=us+utc -P UserspaceTimestamp) || exit 3
printf 'since %s\nend\n' "$rp_s""#;

/// A reboot where the host asks for one. The run waits until the host is back over SSH with another boot id, and goes on.
/// It is never made while the guard of a risky change is armed. Without a reason it is no change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reboot {
    /// A name, to tell it from others on the host.
    #[serde(default = "default_name")]
    name: String,
    /// Whether /run/reboot-required is a reason, which packages make.
    #[serde(default = "yes")]
    required: bool,
    /// Whether a newer kernel in /boot, of the running one's flavour, is a reason.
    #[serde(default = "yes")]
    kernel: bool,
    /// A command that ends with 0 where a reboot is needed, and with 1 where not. It is asked in a sandbox that cannot
    /// write; whatever else it ends with makes the resource unknown.
    #[serde(default)]
    when: Option<String>,
    /// Ids of resources whose change makes a reboot due: measured by the times of their files.
    #[serde(default)]
    on: Vec<String>,
    /// How long the host may take to come back, in seconds.
    #[serde(default = "ten_minutes")]
    within: u64,
    #[serde(skip)]
    watched: Vec<String>,
}

fn default_name() -> String {
    "host".into()
}

fn yes() -> bool {
    true
}

fn ten_minutes() -> u64 {
    600
}

impl Reboot {
    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let section = answer.section(LOOK)?;
        let text = section.text()?;
        let garbled = || ProbeError(format!("whether a reboot is due was not understood: {}", section.complaint()));
        if section.status != 0 || text.lines().last() != Some("end") {
            return Err(garbled());
        }
        let word = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).map(str::trim);
        word("running").filter(|kernel| kernel.starts_with(|c: char| c.is_ascii_digit())).ok_or_else(garbled)?;
        let boot = word("boot").filter(|boot| boot.len() == 36).ok_or_else(garbled)?;
        let since = match word("since").unwrap_or_default().split(' ').collect::<Vec<_>>()[..] {
            [_, date, time, "UTC"] => timestamp_us(date, time).ok_or_else(garbled)?,
            _ => return Err(garbled()),
        };
        let mut reasons = Vec::new();
        if let (true, Some(packages)) = (self.required, word("required")) {
            let of = if packages.is_empty() { String::new() } else { format!(": {packages}") };
            reasons.push(format!("/run/reboot-required{of}"));
        }
        if let (true, Some(kernels)) = (self.kernel, word("kernel")) {
            let (newer, running) = kernels.split_once(' ').ok_or_else(garbled)?;
            reasons.push(format!("kernel {newer} is installed, {running} runs"));
        }
        if self.when.is_some() {
            let ran = user_command(answer, COMMANDS, &self.name)
                .map_err(|ProbeError(why)| ProbeError(format!("when: {why}")))?;
            match ran.status {
                0 => reasons.push("its condition holds".into()),
                1 => {}
                other => return Err(ProbeError(format!("when: it ended with {other}: {}", ran.complaint()))),
            }
        }
        for path in &self.watched {
            if answer.stat(path)?.is_some_and(|stat| is_newer(stat.ctime_us(), since)) {
                reasons.push(format!("{path} was changed since the boot"));
            }
        }
        let boot = ("boot".to_owned(), FieldValue::text(boot));
        Ok(Seen::Present(Fields::from([boot, ("reboot_needed".to_owned(), FieldValue::List(reasons))])))
    }
}

impl Kind for Reboot {
    const NAME: &'static str = "reboot";
    const SUMMARY: &'static str = "A reboot where the host asks for one, and the run goes on when it is back.";
    const EXAMPLE: &'static str = "reboot: { when: test -e /var/lib/firmware-updated, within: 900 }";
    const UNDO: &'static str = "nothing: a reboot cannot be taken back. What was changed before it can.";
    const ENDS_BATCH: bool = true;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        plain_name("name", &self.name)?;
        if self.when.as_ref().is_some_and(|when| when.trim().is_empty() || when.contains('\0')) {
            return Err(Fault::new("when", "there is nothing to run"));
        }
        if !self.required && !self.kernel && self.when.is_none() && self.on.is_empty() {
            return Err(Fault::new("required", "nothing would ever be a reason")
                .fix("leave one of required and kernel true, or say when or on"));
        }
        if !(30..=86_400).contains(&self.within) {
            return Err(Fault::new("within", "it is between 30 s and a day"));
        }
        Ok(())
    }

    fn watches(&self) -> Vec<String> {
        self.on.clone()
    }

    fn watched(&mut self, provisions: Vec<Vec<Provision>>) {
        for provision in provisions.into_iter().flatten() {
            match provision {
                Provision::Path(path) => self.watched.push(path),
                // dpkg writes the list of a package's files whenever it unpacks it.
                Provision::Package(name) => self.watched.push(format!("/var/lib/dpkg/info/{name}.list")),
                _ => {}
            }
        }
    }

    fn reaction(&self) -> Option<&'static str> {
        (!self.on.is_empty()).then_some("reboot")
    }

    fn desired(&self) -> Desired {
        Desired::Present(Fields::from([("reboot_needed".to_owned(), FieldValue::List(Vec::new()))]))
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        script.section(LOOK, Sh::program_of_the_user(LOOK_COMMAND));
        let commands = batch.iter().filter_map(|wanted| {
            let run = wanted.when.as_deref()?;
            Some((wanted.name.clone(), UserCommand { run, user: None, cwd: None, timeout: 60 }))
        });
        ask_user_commands(script, COMMANDS, commands);
        for path in batch.iter().flat_map(|wanted| &wanted.watched) {
            script.stat(path);
        }
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        // One reboot is enough for all of them.
        let Some(Change { seen, .. }) = batch.first() else { return Vec::new() };
        let within = batch.iter().map(|change| change.wanted.within).max().unwrap_or_else(ten_minutes);
        let script = sh!(
            "for rp_is in armed firing; do
  [ ! -e \"/var/lib/rempart/guard/$rp_is\" ] || { echo 'a guard is armed on this host; it is not rebooted before that is settled' >&2; exit 1; }
done
[ -d /run/systemd/system ] || { echo 'without systemd nobody knows how to reboot it' >&2; exit 1; }
sync
systemd-run --quiet --collect --on-active=3 --timer-property=AccuracySec=100ms systemctl reboot"
        );
        let expect = match seen {
            Seen::Present(fields) => match fields.get("boot") {
                Some(FieldValue::Text(boot)) => {
                    Expect::Prints { command: sh!("cat /proc/sys/kernel/random/boot_id"), output: boot.clone() }
                }
                _ => Expect::Nothing("its boot was read by other means"),
            },
            _ => Expect::Nothing("nothing was read before"),
        };
        let step = Step::new("reboot, and wait until the host is back", script).within(60).rebooting(within);
        let step = step.permanent("a reboot cannot be taken back").expecting(expect);
        vec![step.serving(batch.iter().map(|change| change.position))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::tests::made;
    use crate::resource::SectionOutput;

    fn reasons(item: &str, text: &str, status: i32) -> Result<Vec<String>, String> {
        let output = SectionOutput { status, stdout: text.into(), stderr: Vec::new() };
        let answer = Answer::of_sections([(LOOK, output)]);
        match made::<Reboot>(item).unwrap().read(&answer) {
            Ok(Seen::Present(fields)) => match fields.get("reboot_needed") {
                Some(FieldValue::List(reasons)) => Ok(reasons.clone()),
                other => Err(format!("{other:?}")),
            },
            Ok(other) => Err(format!("{other:?}")),
            Err(ProbeError(why)) => Err(why),
        }
    }

    const TOLD: &str = "running 6.1.0-17-amd64\nboot ad63c7ed-3471-421f-b5e4-79f0cee6b58e\nrequired linux-image-amd64 \nkernel 6.1.0-18-amd64 6.1.0-17-amd64\nsince Fri 2026-11-27 02:31:05.123456 UTC\nend\n";

    #[test]
    fn each_reason_is_told_and_may_be_left_out() {
        let both = reasons("{}", TOLD, 0).unwrap();
        assert_eq!(
            both,
            ["/run/reboot-required: linux-image-amd64", "kernel 6.1.0-18-amd64 is installed, 6.1.0-17-amd64 runs"]
        );
        assert_eq!(reasons("{ required: false }", TOLD, 0).unwrap().len(), 1);
        let none =
            TOLD.lines().filter(|line| !line.starts_with("re") && !line.starts_with("kernel")).collect::<Vec<_>>();
        assert!(reasons("{}", &(none.join("\n") + "\n"), 0).unwrap().is_empty());
    }

    #[test]
    fn no_answer_is_never_fine() {
        for (text, status) in [("", 0), (TOLD, 3), (&TOLD[..60], 0), ("end\n", 0), (&TOLD.replace("UTC", "CET"), 0)] {
            assert!(reasons("{}", text, status).is_err(), "{text}");
        }
        assert!(reasons("{ when: 'true' }", TOLD, 0).is_err(), "the condition was not asked");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            "{ required: false, kernel: false }",
            "{ within: 1 }",
            "{ when: ' ' }",
            "{ name: 'a b' }",
            "{ state: absent }",
        ] {
            assert!(made::<Reboot>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_step_serves_all_and_says_that_it_reboots() {
        let (a, b) = (made::<Reboot>("{}").unwrap(), made::<Reboot>("{ name: b, within: 900 }").unwrap());
        let seen = Seen::Present(Fields::new());
        let change = |position, wanted| Change { position, wanted, seen: &seen, fields: &[] };
        let steps = Reboot::steps(&[change(0, &a), change(1, &b)]);
        assert_eq!((steps.len(), &steps[0].serves, steps[0].reboots), (1, &vec![0, 1], Some(900)));
    }
}
