//! Owns a batch: consecutive steps of one host as one script that runs on the target as a unit of its own.
//!
//! The batch is delivered whole before its first line runs. It writes to a log on the target, and the connection only
//! follows that log, so a dead link never ends a step in the middle; the batch stops before its next step once nobody
//! has followed for a while.

use std::time::Duration;

use crate::quote::{Sh, quote_sh};
use crate::resource::{Expect, Step};
use crate::secret::Rendered;
use crate::sh;
use crate::transport::WriteScript;

const TARGET: &str = include_str!("target.sh");
const GUARD: &str = include_str!("guard.sh");
const RUNNER: &str = include_str!("runner.sh");

/// What a step exits with when its precondition does not hold (sysexits' EX_TEMPFAIL: try again after a new look).
pub(super) const STALE: i32 = 75;

/// One step in a batch.
#[derive(Debug)]
pub(super) struct BatchStep {
    /// The step.
    pub step: Step,
    /// Positions of the steps in the batch without whose success this one does not run.
    pub requires: Vec<usize>,
}

/// Consecutive steps of one host.
#[derive(Debug)]
pub(super) struct Batch {
    /// The run's number.
    pub run: String,
    /// The batch's number in the run on this host.
    pub number: usize,
    /// Its steps.
    pub steps: Vec<BatchStep>,
    /// How long the guard waits for a confirmation, in seconds.
    pub confirm_within: u64,
    /// After how many seconds without a follower the batch stops before its next step.
    pub orphan_after: u64,
}

impl Batch {
    /// Whether a step in it can lock people out.
    pub fn is_risky(&self) -> bool {
        self.steps.iter().any(|step| step.step.undo.is_some())
    }

    /// The script that delivers the batch, starts it, and follows it for a moment.
    pub fn delivery(&self) -> WriteScript {
        let directory = self.directory();
        let mut payloads = vec![Rendered::plain(self.program())];
        let mut text = Sh::default();
        text.line(sh!("set -eu; umask 077; mkdir -p -m 0700 /run/rempart /var/lib/rempart {}", LOGS));
        text.line(sh!("chown root:root /run/rempart /var/lib/rempart; mkdir -p -m 0700 {}", directory));
        text.line(sh!("rp_payload {}", self.program_path()));
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
        text.line(sh!(": > {}; : > {}; : >> {}", format!("{directory}/alive"), self.followed(), self.log()));
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
        let mut text = sh!(": > {}", format!("{}/alive", self.directory()));
        if stop {
            text.line(sh!(": > {}", format!("{}/stop", self.directory())));
        }
        text.line(self.follow_text(from));
        WriteScript { text: text.text().to_owned(), payloads: Vec::new(), timeout: Duration::from_secs(60) }
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
            "RP_RUN={}\nRP_BATCH={}\nRP_DIR={}\nRP_LOG={}\nRP_FOLLOWED={}\nRP_ORPHAN={}\nRP_WINDOW={}\n",
            quote_sh(&self.run),
            self.number,
            quote_sh(&self.directory()),
            quote_sh(&self.log()),
            quote_sh(&self.followed()),
            self.orphan_after,
            self.confirm_within
        );
        for part in [TARGET, GUARD, RUNNER] {
            text.push_str(part);
        }
        text.push_str("rp_one_step() {\nset -eu\ncase \"$1\" in\n");
        for (at, step) in self.steps.iter().enumerate() {
            let mut body = sh!("P={}", self.payload_directory(at));
            for expect in &step.step.expects {
                body.line(precondition(expect));
            }
            body.line(step.step.script.clone());
            text.push_str(&format!("{at})\n{}\n;;\n", body.text()));
        }
        text.push_str("esac\n}\n");
        let (paths, after) = self.undo();
        text.push_str(sh!("rp_arm() {\nrp_guard_arm \"$RP_WINDOW\" \"$RP_DIR/after\" {}\n}", paths).text());
        text.push_str(sh!("\nrp_after_text() {\nprintf '%s\\n' {}\n}\n", after.text()).text());
        text.push_str("rp_all_steps() {\n");
        for (at, step) in self.steps.iter().enumerate() {
            let requires: Vec<String> = step.requires.iter().map(ToString::to_string).collect();
            let risky = u16::from(step.step.undo.is_some());
            // A risky step must end before its own guard fires.
            let timeout = if risky == 1 {
                step.step.timeout.min(self.confirm_within.saturating_sub(5).max(5))
            } else {
                step.step.timeout
            };
            let call = sh!("rp_step {} {} {} {} {}", at, requires.join(" "), timeout, risky, step.step.title);
            text.push_str(call.text());
            text.push('\n');
        }
        text.push_str("}\nrp_main \"$@\"\n");
        text
    }

    // All risky steps of the batch share one guard: every path once, every way back once, in order.
    fn undo(&self) -> (Vec<String>, Sh) {
        let mut paths: Vec<String> = Vec::new();
        let mut afters: Vec<Sh> = Vec::new();
        for undo in self.steps.iter().filter_map(|step| step.step.undo.as_ref()) {
            for path in &undo.paths {
                if !paths.contains(path) {
                    paths.push(path.clone());
                }
            }
            if !afters.contains(&undo.after) {
                afters.push(undo.after.clone());
            }
        }
        (paths, Sh::lines(afters.into_iter().map(|after| sh!("(\n{}\n)", after))))
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

    fn log(&self) -> String {
        format!("{LOGS}/{}.log", self.run)
    }
}

/// Where the target keeps the logs of runs.
pub(super) const LOGS: &str = "/var/lib/rempart/runs";

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
    use crate::resource::Undo;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn parses(text: &str) {
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{text}");
    }

    fn batch(title: &str, path: &str) -> Batch {
        let undo = Undo { paths: vec![path.into(), path.into()], after: sh!("systemctl restart {}", title) };
        let step = Step::new(title, sh!("printf %s {}", path))
            .with_payload(Rendered::plain("content"))
            .expecting(Expect::Prints { command: sh!("cat {}", path), output: format!("{title}\n") })
            .undone_by(undo)
            .within(900);
        let steps = vec![
            BatchStep { step, requires: vec![] },
            BatchStep { step: Step::new("next", Sh::default()), requires: vec![0] },
        ];
        Batch { run: "abc".into(), number: 1, steps, confirm_within: 45, orphan_after: 60 }
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
    fn a_risky_step_ends_before_its_guard_fires_and_its_paths_are_kept_once() {
        let batch = batch("restart", "/etc/ssh");
        assert!(batch.is_risky());
        let program = batch.program();
        assert!(program.contains("rp_step 0 '' 40 1 restart\nrp_step 1 0 300 0 next\n"), "{program}");
        assert!(program.contains("rp_guard_arm \"$RP_WINDOW\" \"$RP_DIR/after\" /etc/ssh\n"), "{program}");
        assert_eq!(batch.delivery().payloads.len(), 2, "the program and one payload");
    }
}
