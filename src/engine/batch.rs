//! Owns a batch: consecutive steps of one host as one script that runs on the target as a unit of its own.
//!
//! The batch is delivered whole before its first line runs. It writes to a log on the target, and the connection only
//! follows that log, so a dead link never ends a step in the middle; the batch stops before its next step once nobody
//! has followed for a while.

use std::time::Duration;

use super::{Origin, origins};
use crate::model::{HostName, ResourceId};
use crate::plan::Made;
use crate::quote::{Sh, quote_sh};
use crate::resource::{Expect, PART_SHELL, Reversal, Step};
use crate::secret::Rendered;
use crate::sh;
use crate::transport::WriteScript;

/// What a step has at hand.
pub(super) const TARGET: &str = include_str!("target.sh");
/// How the target's journal is written.
pub(super) const JOURNAL: &str = include_str!("journal.sh");
/// How what a step touches is kept, compared and put back.
pub(super) const UNDO: &str = include_str!("undo.sh");
/// The same of packages, and what a broken apt leaves.
const PACKAGES: &str = include_str!("packages.sh");
/// How the target remembers what rempart made.
pub(super) const OWNED: &str = include_str!("owned.sh");
/// How the target knows what it must not keep copies of.
pub(super) const SECRET_FILES: &str = include_str!("secret_files.sh");
/// The target's half of the guard.
pub(super) const GUARD: &str = include_str!("guard.sh");
/// How steps are run.
pub(super) const RUNNER: &str = include_str!("runner.sh");

/// What a step exits with when its precondition does not hold (sysexits' EX_TEMPFAIL: try again after a new look).
pub(super) const STALE: i32 = 75;
/// What a step ends with when the journal could not be written before it (sysexits' EX_IOERR).
pub(super) const NO_JOURNAL: i32 = 74;

/// One step in a batch.
#[derive(Debug)]
pub(super) struct BatchStep {
    /// The step.
    pub step: Step,
    /// Positions of the steps in the batch without whose success this one does not run.
    pub requires: Vec<usize>,
    /// The resources it serves.
    pub ids: Vec<ResourceId>,
    /// What the host must remember of what it makes.
    pub makes: Vec<Made>,
    /// The ids of what is gone afterwards.
    pub removes: Vec<String>,
}

/// Consecutive steps of one host.
#[derive(Debug)]
pub(super) struct Batch {
    /// The run's number.
    pub run: String,
    /// The host as the inventory names it.
    pub host: HostName,
    /// Who runs it, and why.
    pub origin: Origin,
    /// Runs that hold nothing any more.
    pub over: Vec<String>,
    /// The batch's number in the run on this host.
    pub number: usize,
    /// Its steps.
    pub steps: Vec<BatchStep>,
    /// How long the guard waits for a confirmation, in seconds.
    pub confirm_within: u64,
    /// Whether nobody confirms but a person, later.
    pub checkpoint: bool,
    /// The way that the run came by, where the host has several: what a person confirms later is this one.
    pub way: Option<String>,
    /// After how many seconds without a follower the batch stops before its next step.
    pub orphan_after: u64,
    /// Whether secrets of an older version of the store are meant.
    pub older_secrets: bool,
}

impl Batch {
    /// Whether a step in it can lock people out.
    pub fn is_risky(&self) -> bool {
        self.steps.iter().any(|step| step.step.risky)
    }

    /// The step after which the host reboots, and how long it may take to be back, in seconds.
    pub fn reboot(&self) -> Option<(usize, u64)> {
        self.steps.iter().enumerate().find_map(|(at, step)| Some((at, step.step.reboots?)))
    }

    /// The script that tells the host's boot, and which steps of the batch the journal knows as done; with `settled`
    /// once the host has come up as a whole.
    pub fn after_reboot(&self, settled: bool) -> WriteScript {
        let mut text = Sh::default();
        if settled {
            text.line(sh!("timeout 90 systemctl is-system-running --wait >/dev/null 2>&1"));
        }
        text.line(sh!(
            "cat /proc/sys/kernel/random/boot_id || exit 1
awk -F '\\t' -v run={} -v batch={} '$4 == run && $5 == batch && $6 == \"done\" { print $7 }' {} 2>/dev/null
exit 0",
            self.run,
            self.number,
            format!("{HOME}/journal")
        ));
        WriteScript { text: text.text().to_owned(), payloads: Vec::new(), timeout: Duration::from_secs(120) }
    }

    /// The script that delivers the batch, starts it, and follows it for a moment.
    pub fn delivery(&self) -> WriteScript {
        let directory = self.directory();
        let named = format!("{directory}/host");
        let mut payloads = vec![Rendered::plain(self.program()), Rendered::plain(library())];
        let mut text = Sh::default();
        text.line(sh!("set -eu; umask 077; mkdir -p -m 0700 /run/rempart {} {}", HOME, IMAGES));
        // Two names of the inventory may be one machine: the second one must not work into the first one's batches.
        text.line(sh!(
            "chown root:root /run/rempart {}
if mkdir -m 0700 {} 2>/dev/null; then printf '%s\\n' {} > {}
elif [ \"$(cat {})\" != {} ]; then
  echo \"this is the machine that the inventory also calls $(cat {}); name it once\" >&2; exit 1
fi",
            HOME,
            directory,
            self.host.as_str(),
            named,
            named,
            self.host.as_str(),
            named
        ));
        text.line(sh!("rp_payload {}\nrp_payload {}", self.program_path(), self.library_path()));
        for (at, step) in self.steps.iter().enumerate() {
            if step.step.payloads.is_empty() {
                continue;
            }
            text.line(sh!("mkdir -m 0700 {}", self.payload_directory(at)));
            for (number, payload) in step.step.payloads.iter().enumerate() {
                text.line(sh!("rp_payload {}", format!("{}/{number}", self.payload_directory(at))));
                payloads.push(payload.clone());
            }
        }
        text.line(self.is_heard());
        text.line(sh!(": > {}", self.followed()));
        let unit = format!("rempart-{}-{}", self.run, self.number);
        text.line(sh!(
            "if [ -d /run/systemd/system ]; then
  systemd-run --quiet --collect -p Type=exec --unit={} /bin/sh {} run
  systemctl show -P MainPID {} > {}
else
  setsid /bin/sh {} run >/dev/null 2>&1 </dev/null & echo $! > {}
fi",
            unit,
            self.program_path(),
            unit,
            self.pid(),
            self.program_path(),
            self.pid()
        ));
        text.line(self.follow_text(0));
        WriteScript { text: text.text().to_owned(), payloads, timeout: Duration::from_secs(120) }
    }

    /// The script that follows the log from a byte on, for a few seconds at most. Its status is 124 while the batch
    /// goes on.
    pub fn follow(&self, from: usize, stop: bool) -> WriteScript {
        let mut text = self.is_heard();
        if stop {
            text.line(sh!(": > {}", format!("{}/stop", self.directory())));
        }
        text.line(self.follow_text(from));
        WriteScript { text: text.text().to_owned(), payloads: Vec::new(), timeout: Duration::from_secs(60) }
    }

    // The lease is held for as long as the shell at this end of the connection lives and says so.
    fn is_heard(&self) -> Sh {
        heartbeat(&self.run)
    }

    fn follow_text(&self, from: usize) -> Sh {
        sh!(
            "set +e; read -r rp_pid < {}
if [ \"$rp_pid\" -gt 0 ] && kill -0 \"$rp_pid\" 2>/dev/null; then
  timeout 2 tail -c +{} -f -s 0.05 --pid=\"$rp_pid\" -- {}
else
  tail -c +{} -- {}
fi",
            self.pid(),
            from + 1,
            self.followed(),
            from + 1,
            self.followed()
        )
    }

    fn program(&self) -> String {
        let mut text = format!(
            "RP_RUN={}\nRP_BATCH={}\nRP_WHO={}\nRP_WHY={}\nRP_OVER={}\nRP_DIR={}\nRP_IMAGES={}\nRP_FOLLOWED={}\nRP_ORPHAN={}\nRP_WINDOW={}\n",
            quote_sh(&self.run),
            self.number,
            quote_sh(&one_line(&self.origin.who)),
            quote_sh(&one_line(&self.origin.why)),
            quote_sh(&self.over.join(" ")),
            quote_sh(&self.directory()),
            quote_sh(&self.images()),
            quote_sh(&self.followed()),
            self.orphan_after,
            self.confirm_within
        );
        for part in [TARGET, GUARD, SECRET_FILES, origins::ORIGINS, RUNNER] {
            text.push_str(part);
            text.push('\n');
        }
        text.push_str(sh!(". {}\n", self.library_path()).text());
        text.push_str("rp_one_step() {\nset -eu\ncase \"$1\" in\n");
        for (at, step) in self.steps.iter().enumerate() {
            let mut body = sh!("P={}", self.payload_directory(at));
            for expect in &step.step.expects {
                body.line(precondition(expect));
            }
            body.line(origins::check(step, self.older_secrets));
            if !step.makes.is_empty() {
                body.line(sh!("rp_owned_edit '' {}", step.lines()));
            }
            body.line(step.step.script.clone());
            if !step.removes.is_empty() {
                body.line(sh!("rp_owned_edit {} ''", step.removes.join("\n")));
            }
            text.push_str(&format!("{at})\n{}\n;;\n", body.text()));
        }
        text.push_str("esac\n}\nrp_describe() {\ncase \"$1\" in\n");
        for (at, step) in self.steps.iter().enumerate() {
            text.push_str(&format!("{at})\n{}\n;;\n", describe(step).text()));
        }
        text.push_str("*) return 1 ;;\nesac\n}\n");
        text.push_str(self.arm().text());
        text.push_str("rp_all_steps() {\n");
        for (at, step) in self.steps.iter().enumerate() {
            let requires: Vec<String> = step.requires.iter().map(ToString::to_string).collect();
            let risky = u16::from(step.step.risky);
            // A risky step must end before its own guard fires.
            let timeout = if risky == 1 {
                step.step.timeout.min(self.confirm_within.saturating_sub(5).max(5))
            } else {
                step.step.timeout
            };
            let synced = u16::from(step.step.synced);
            let call = sh!("rp_step {} {} {} {} {} {}", at, requires.join(" "), timeout, risky, synced, step.text());
            text.push_str(call.text());
            text.push('\n');
        }
        text.push_str("}\nrp_main \"$@\"\n");
        text
    }

    // All risky steps of the batch share one guard: everything they touch once, every way back once, in order.
    fn arm(&self) -> Sh {
        let mut touches: Vec<String> = Vec::new();
        let mut afters: Vec<&Sh> = Vec::new();
        for undo in self.steps.iter().filter(|step| step.step.risky).filter_map(|step| step.step.undo()) {
            for touch in undo.touches.iter().map(crate::resource::Touch::line) {
                if !touches.contains(&touch) {
                    touches.push(touch);
                }
            }
            if !undo.after.is_empty() && !afters.contains(&&undo.after) {
                afters.push(&undo.after);
            }
        }
        let mut after = Sh::lines(afters.into_iter().map(|after| sh!("(\n{}\n) || rp_bad=1", after.clone())));
        after.line(sh!("[ -z \"${rp_bad:-}\" ]"));
        let owned = self.steps.iter().filter(|step| step.step.risky).map(|step| step.owned("$RP_DIR/owned"));
        let owned = Sh::lines([sh!(": > \"$RP_DIR/owned\"")].into_iter().chain(owned));
        let (person, way) = if self.checkpoint {
            let person = one_line(&format!("{}: {}", self.origin.who, self.origin.why));
            (person, one_line(self.way.as_deref().unwrap_or_default()))
        } else {
            Default::default()
        };
        sh!(
            "rp_arm() {
{}
printf '%s\\n' {} > \"$RP_DIR/touches\"
printf '%s\\n' {} > \"$RP_DIR/after\"
rp_guard_arm \"$RP_RUN\" \"$RP_BATCH\" \"$RP_WINDOW\" \"$RP_DIR/touches\" \"$RP_DIR/after\" {} {} {}
}
",
            owned,
            touches,
            after.text(),
            self.library_path(),
            person,
            way
        )
    }

    fn directory(&self) -> String {
        format!("/run/rempart/{}", self.run)
    }

    fn program_path(&self) -> String {
        format!("{}/{}.sh", self.directory(), self.number)
    }

    fn payload_directory(&self, step: usize) -> String {
        format!("{}/{}.{step}", self.directory(), self.number)
    }

    fn pid(&self) -> String {
        format!("{}/{}.pid", self.directory(), self.number)
    }

    fn followed(&self) -> String {
        format!("{}/{}.log", self.directory(), self.number)
    }

    fn images(&self) -> String {
        format!("{IMAGES}/{}", self.run)
    }

    fn library_path(&self) -> String {
        format!("{}/{}.library", self.directory(), self.number)
    }
}

impl BatchStep {
    /// The resources it serves, and what it does, in one line; as it stands in the journal.
    pub fn text(&self) -> String {
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        one_line(&format!("{} | {}", ids.join(", "), self.step.title))
    }

    // What it makes, as the host remembers it.
    fn lines(&self) -> String {
        let line = |made: &Made| {
            let parts = [&made.id, &made.playbook, &made.site, &made.run];
            parts.map(|part| one_line(part)).join("\t")
        };
        self.makes.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    // Adds to a file what the host forgets and remembers by it, so that this can be taken back.
    fn owned(&self, to: &'static str) -> Sh {
        let mut text = Sh::default();
        let to = Sh::program_of_the_user(&format!(">> \"{to}\""));
        if !self.makes.is_empty() {
            let lines: Vec<String> = self.lines().lines().map(str::to_owned).collect();
            text.line(sh!("printf 'made\\t%s\\n' {} {}", lines, to.clone()));
        }
        if !self.removes.is_empty() {
            text.line(sh!("rp_owned_gone {} {}", self.removes.join("\n"), to));
        }
        text
    }
}

/// Where the target keeps what it knows of runs.
pub(super) const HOME: &str = "/var/lib/rempart";
/// Where the target keeps what steps touched, by run.
pub(super) const IMAGES: &str = "/var/lib/rempart/runs";

/// Says on the target that this run's controller is there.
pub(super) fn heartbeat(run: &str) -> Sh {
    // The shell that waits for scripts lives as long as the connection; this one is its child, or a child of `timeout`.
    sh!(
        "read -r rp_ rp_comm rp_ rp_pid rp_ < \"/proc/$PPID/stat\"
[ \"$rp_comm\" = '(timeout)' ] || rp_pid=$PPID
echo \"$rp_pid\" > {}; : > {}",
        format!("/run/rempart/{run}/session"),
        format!("/run/rempart/{run}/alive")
    )
}

/// The functions that stay on the target with the guard.
pub(super) fn library() -> String {
    format!("{JOURNAL}\n{OWNED}\n{PART_SHELL}\n{PACKAGES}\n{UNDO}\n")
}

/// A text for a line of the journal: whatever could break it becomes a space.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

// What the folder of a step's before-image says about it.
fn describe(step: &BatchStep) -> Sh {
    let mut text = sh!("printf '%s\\n' {} > \"$2/title\"", step.text());
    if step.step.risky {
        text.line(sh!(": > \"$2/risky\""));
    }
    if step.step.payloads.iter().any(Rendered::is_secret) {
        text.line(sh!(": > \"$2/secret\""));
    }
    text.line(step.owned("$2/owned"));
    match &step.step.reversal {
        Reversal::Never(why) => text.line(sh!("printf '%s\\n' {} > \"$2/permanent\"", *why)),
        Reversal::Undo(undo) => {
            let touches: Vec<String> = undo.touches.iter().map(|touch| one_line(&touch.line())).collect();
            if touches.is_empty() {
                text.line(sh!(": > \"$2/touches\""));
            } else {
                text.line(sh!("printf '%s\\n' {} > \"$2/touches\"", touches));
            }
            text.line(sh!("printf '%s\\n' {} > \"$2/after.sh\"", undo.after.text()))
        }
    };
    text
}

fn precondition(expect: &Expect) -> Sh {
    let (what, command, output) = match expect {
        Expect::Nothing(_) => return Sh::default(),
        Expect::Prints { command, output } => ("what was read before", command.clone(), output.clone()),
        Expect::File { path, stat } => (
            path.as_str(),
            sh!("stat --printf='%F %a %u %g %s %i %.9Z' -- {} 2>/dev/null || echo absent", path),
            stat.as_ref().map_or_else(|| "absent".to_owned(), crate::resource::Stat::signature),
        ),
    };
    sh!(
        "rp_now=$({}) || true
if [ \"$rp_now\" != {} ]; then rp_stale {} {} \"$rp_now\"; fi",
        command,
        output.trim_end_matches('\n'),
        what,
        output.trim_end_matches('\n')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Touch, Undo};
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn parses(text: &str) {
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{text}");
    }

    fn batch(title: &str, path: &str) -> Batch {
        let touches = [Touch::Tree(path.into()), Touch::Tree(path.into())];
        let undo = Undo::of(touches).then(sh!("systemctl restart {}", title));
        let step = Step::new(title, sh!("printf %s {}", path))
            .with_payload(Rendered::plain("content"))
            .expecting(Expect::Prints { command: sh!("cat {}", path), output: format!("{title}\n") })
            .undone_by(undo)
            .risky()
            .within(900);
        let made = Made { id: format!("file:{path}"), playbook: title.into(), site: path.into(), run: "abc".into() };
        let steps = vec![
            BatchStep {
                step,
                requires: vec![],
                ids: vec![ResourceId::new("file", path)],
                makes: vec![made],
                removes: vec![path.into()],
            },
            BatchStep {
                step: Step::new("next", Sh::default()),
                requires: vec![0],
                ids: vec![],
                makes: vec![],
                removes: vec![],
            },
        ];
        let origin = Origin { who: format!("{title}@here"), why: title.into() };
        Batch {
            run: "abc".into(),
            host: HostName::new("web1"),
            origin,
            over: Vec::new(),
            number: 1,
            steps,
            confirm_within: 45,
            checkpoint: false,
            way: None,
            orphan_after: 60,
            older_secrets: false,
        }
    }

    #[test]
    fn whatever_stands_in_titles_and_paths_the_program_stays_one_program() {
        for hostile in ["plain", "it's \"x\" $(id) `id`", "a\nend 1\n;;", ") esac; rm -rf /", "\\", "{}"] {
            let batch = batch(hostile, &format!("/etc/{hostile}"));
            parses(&batch.program());
            parses(&batch.delivery().text);
            parses(&batch.follow(17, true).text);
        }
    }

    #[test]
    fn a_checkpoint_keeps_the_way_that_the_run_came_by() {
        let way = Some("ops@192.0.2.1:22".to_owned());
        let program = |checkpoint| Batch { checkpoint, way: way.clone(), ..batch("restart", "/etc/ssh") }.program();
        let library = "/run/rempart/abc/1.library";
        assert!(program(true).contains(&format!("{library} 'restart@here: restart' ops@192.0.2.1:22\n")));
        // A run that confirms by itself keeps to its way without being told.
        assert!(program(false).contains(&format!("{library} '' ''\n")));
    }

    #[test]
    fn what_is_made_is_remembered_once_the_step_may_run_and_what_is_gone_forgotten_after_it() {
        let program = batch("restart", "/etc/ssh").program();
        let at = |what: &str| program.find(what).unwrap_or_else(|| panic!("no {what}: {program}"));
        let remembers = at("rp_owned_edit '' 'file:/etc/ssh\trestart\t/etc/ssh\tabc'\n");
        // Where the precondition does not hold, somebody else made it meanwhile.
        assert!(at("rp_stale 'what was read before'") < remembers);
        assert!(remembers < at("printf %s /etc/ssh\n"));
        assert!(at("printf %s /etc/ssh\n") < at("rp_owned_edit /etc/ssh ''\n"));
        // Both for a rollback and for the guard.
        assert!(program.contains("'file:/etc/ssh\trestart\t/etc/ssh\tabc' >> \"$2/owned\"\n"), "{program}");
        assert!(program.contains("rp_owned_gone /etc/ssh >> \"$RP_DIR/owned\"\n"), "{program}");
    }

    #[test]
    fn a_risky_step_ends_before_its_guard_fires_and_its_paths_are_kept_once() {
        let batch = batch("restart", "/etc/ssh");
        assert!(batch.is_risky());
        let program = batch.program();
        let calls = "rp_step 0 '' 40 1 0 'file:/etc/ssh | restart'\nrp_step 1 0 300 0 0 ' | next'\n";
        assert!(program.contains(calls), "{program}");
        assert!(program.contains("printf '%s\\n' 'tree /etc/ssh' > \"$RP_DIR/touches\"\n"), "{program}");
        assert_eq!(batch.delivery().payloads.len(), 3, "the program, its library, and one payload");
    }
}
