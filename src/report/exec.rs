//! Owns what an ad-hoc command said on each host, as people read it and as JSON: without secrets, and without anything
//! that a terminal would obey.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::{visible, visible_line};
use super::notes::entry_json;
use super::words::count;
use super::{Paint, Tone};
use crate::engine::AdHoc;
use crate::model::HostName;
use crate::resource::{AD_HOC_LIMIT, AdHocOutput};
use crate::secret::Rendered;
use crate::transport::Entry;

/// What came of one command on some hosts.
pub struct ExecView<'a> {
    /// The command's words.
    pub command: &'a [String],
    /// As whom it ran: `login` or `root`.
    pub by: &'a str,
    /// How long it may take, in seconds.
    pub seconds: u64,
    /// What came of it, by host in order.
    pub hosts: &'a [(HostName, AdHoc, Option<Entry>)],
    /// What must not be shown of each host.
    pub secrets: &'a BTreeMap<HostName, Vec<Rendered>>,
}

impl ExecView<'_> {
    fn clean(&self, host: &HostName, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let secrets = self.secrets.get(host).into_iter().flatten();
        secrets.fold(text, |text, secret| secret.redact(&text))
    }
}

/// One paragraph a host.
pub fn exec(view: &ExecView<'_>, paint: &Paint) -> String {
    let mut text = String::new();
    for (host, done, entry) in view.hosts {
        let name = paint.tone(Tone::Bold, &visible(host.as_str()));
        match done {
            AdHoc::Unreachable(error) => {
                let told = paint.tone(Tone::Bad, &format!("not reached: {}", visible(&error.to_string())));
                text.push_str(&format!("{name}: {told}\n"));
            }
            AdHoc::NotRun(why) => {
                let told = paint.tone(Tone::Bad, &format!("not run: {}", visible(why)));
                text.push_str(&format!("{name}: {told}\n"));
            }
            AdHoc::Ran(output) => {
                text.push_str(&format!("{name}: {}\n", ending(output, view.seconds, paint)));
                for line in view.clean(host, &output.stdout).lines() {
                    text.push_str(&format!("  {}\n", visible_line(line)));
                }
                for line in view.clean(host, &output.stderr).lines() {
                    text.push_str(&format!("  {} {}\n", paint.tone(Tone::Change, "!"), visible_line(line)));
                }
                // A user namespace has no name for anybody else.
                let elsewhere = [&b"nobody"[..], b"nogroup", b"65534"];
                if view.by == "login" && output.held && elsewhere.iter().any(|name| holds(&output.stdout, name)) {
                    let told = "(who is `nobody` here may be another account: --become shows whose files are)";
                    text.push_str(&format!("  {}\n", paint.tone(Tone::Change, told)));
                }
                if output.cut {
                    let told = format!("(cut after {} KiB, which ended it)", AD_HOC_LIMIT / 1024);
                    text.push_str(&format!("  {}\n", paint.tone(Tone::Change, &told)));
                }
            }
        }
        if let Some(entry) = entry {
            text.push_str(&format!("  (reached as {}, not by its first way)\n", visible(&entry.way)));
        }
    }
    let ran = |done: &AdHoc| matches!(done, AdHoc::Ran(_));
    let free = view.hosts.iter().filter(|(_, done, _)| matches!(done, AdHoc::Ran(output) if !output.held)).count();
    if free > 0 {
        let told = format!(
            "On {} nothing held it back from writing but the rights of the account: no user namespaces are to be had.",
            count(free, "host", "hosts")
        );
        text.push_str(&format!("{}\n", paint.tone(Tone::Change, &told)));
    }
    let lost = view.hosts.iter().filter(|(_, done, _)| !ran(done)).count();
    if view.hosts.len() > 1 && lost > 0 {
        text.push_str(&format!("It did not run on {} of {}.\n", lost, count(view.hosts.len(), "host", "hosts")));
    }
    text
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

fn ending(output: &AdHocOutput, seconds: u64, paint: &Paint) -> String {
    match output.status {
        0 => paint.tone(Tone::Good, "exit 0"),
        124 | 137 => {
            let told = format!("exit {}: it was ended after {seconds} s, or said so itself", output.status);
            paint.tone(Tone::Bad, &told)
        }
        status => paint.tone(Tone::Bad, &format!("exit {status}")),
    }
}

/// All of it as JSON.
pub fn exec_json(view: &ExecView<'_>) -> Value {
    let hosts: Vec<Value> = view
        .hosts
        .iter()
        .map(|(host, done, entry)| {
            let mut told = match done {
                AdHoc::Unreachable(error) => json!({ "host": host, "unreachable": error.to_string() }),
                AdHoc::NotRun(why) => json!({ "host": host, "not_run": why }),
                AdHoc::Ran(output) => json!({
                    "host": host,
                    "status": output.status,
                    "stdout": view.clean(host, &output.stdout),
                    "stderr": view.clean(host, &output.stderr),
                    "cut": output.cut,
                    "read_only": output.held,
                }),
            };
            if let Some(entry) = entry {
                told["entry"] = entry_json(entry);
            }
            told
        })
        .collect();
    json!({ "format_version": "1.0", "kind": "exec", "command": view.command, "as": view.by, "hosts": hosts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json_text;
    use crate::secret::Secret;
    use crate::transport::{Passed, TransportError};

    fn ran(status: i32, stdout: &str, stderr: &str, held: bool) -> AdHoc {
        let (stdout, stderr) = (stdout.as_bytes().to_vec(), stderr.as_bytes().to_vec());
        AdHoc::Ran(AdHocOutput { status, stdout, stderr, cut: status == 141, held })
    }

    #[test]
    fn each_host_says_how_it_ended_and_nothing_that_is_secret() {
        let host = HostName::new;
        let lost = TransportError::TimedOut { host: host("db2"), seconds: 30 };
        let passed = vec![Passed { way: "admin@192.0.2.1:22".into(), why: "refused".into() }];
        let entry = Some(Entry { at: 1, way: "root@192.0.2.1:2222".into(), passed });
        let hosts = [
            (host("web1"), ran(0, "token=hunter22\n\x1b[2Jb\n", "", true), entry),
            (host("web2"), ran(3, "", "no such thing\n", false), None),
            (host("web3"), ran(141, "y\n", "", true), None),
            (host("db1"), AdHoc::NotRun("no systemd".into()), None),
            (host("db2"), AdHoc::Unreachable(lost), None),
            (host("db3"), ran(124, "", "", true), None),
        ];
        let secrets = BTreeMap::from([(host("web1"), vec![Rendered::secret(Secret::new("token", "hunter22"))])]);
        let command = ["cat".to_owned(), "/etc/x".to_owned()];
        let view = ExecView { command: &command, by: "root", seconds: 30, hosts: &hosts, secrets: &secrets };
        insta::assert_snapshot!(exec(&view, &Paint::PLAIN), @r"
        web1: exit 0
          token=(secret token)
          \u{1b}[2Jb
          (reached as root@192.0.2.1:2222, not by its first way)
        web2: exit 3
          ! no such thing
        web3: exit 141
          y
          (cut after 256 KiB, which ended it)
        db1: not run: no systemd
        db2: not reached: db2 gave no answer within 30 s
        db3: exit 124: it was ended after 30 s, or said so itself
        On 1 host nothing held it back from writing but the rights of the account: no user namespaces are to be had.
        It did not run on 2 of 6 hosts.
        ");
        let printed = json_text(&exec_json(&view), false);
        assert!(!printed.contains("hunter22") && printed.contains("\"read_only\":false"), "{printed}");
        let hosts = [(host("web1"), ran(0, "-rw-r--r-- 1 nobody nogroup 9 /etc/hosts\n", "", true), None)];
        let view = ExecView { by: "login", hosts: &hosts, ..view };
        insta::assert_snapshot!(exec(&view, &Paint::PLAIN), @r"
        web1: exit 0
          -rw-r--r-- 1 nobody nogroup 9 /etc/hosts
          (who is `nobody` here may be another account: --become shows whose files are)
        ");
    }
}
