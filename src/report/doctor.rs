//! Owns how it is told what a computer lacks for working with rempart.

use serde_json::{Value, json};

use super::escape::visible;
use super::words::folded;
use super::{Paint, Tone};

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Good,
    /// It is missing, and without it there is no main job.
    Missing,
    /// It is missing or worth a word, and only this needs it.
    NotNeeded(&'static str),
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What.
    pub about: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was seen.
    pub says: String,
    /// The command, or what else brings it.
    pub get: Option<String>,
}

/// All findings, each with what to do.
pub fn doctor(findings: &[Finding], paint: &Paint) -> String {
    let width = findings.iter().map(|finding| finding.about.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let (mark, tone) = match finding.standing {
            Standing::Good => ("ok", Tone::Good),
            Standing::Missing => ("missing", Tone::Bad),
            Standing::NotNeeded(_) => ("note", Tone::Change),
        };
        let mark = paint.tone(tone, mark) + &" ".repeat(8 - mark.len());
        let mut says = visible(&finding.says);
        if let Standing::NotNeeded(what) = finding.standing {
            says.push_str(&format!(" (needed for {what} only)"));
        }
        let indent = 9 + width + 2;
        let mut lines = fitted(&says, indent, paint).into_iter();
        let first = lines.next().unwrap_or_default();
        text.push_str(format!("{mark} {:<width$}  {first}", finding.about).trim_end());
        text.push('\n');
        let get = finding.get.iter().flat_map(|get| get.lines()).map(|line| format!("get it: {}", visible(line)));
        for line in lines.chain(get.flat_map(|line| fitted(&line, indent, paint))) {
            text.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
    let missing = findings.iter().filter(|finding| finding.standing == Standing::Missing).count();
    text.push_str(&match missing {
        0 => "\nEverything that plan and apply need here is there.\n".to_owned(),
        number => format!("\n{} missing.\n", super::words::count(number, "thing is", "things are")),
    });
    text
}

// A pipe gets the same bytes wherever it is, and wraps nothing.
fn fitted(line: &str, indent: usize, paint: &Paint) -> Vec<String> {
    if paint.width >= Paint::PLAIN.width {
        return vec![line.to_owned()];
    }
    folded(line, paint.width.saturating_sub(indent).max(20))
}

/// The same as JSON.
pub fn doctor_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        let (standing, needed_for) = match finding.standing {
            Standing::Good => ("ok", None),
            Standing::Missing => ("missing", Some("plan and apply")),
            Standing::NotNeeded(what) => ("note", Some(what)),
        };
        json!({ "about": finding.about, "standing": standing, "needed_for": needed_for, "says": finding.says, "get": finding.get })
    };
    json!({ "format_version": "1.0", "kind": "doctor",
            "findings": findings.iter().map(one).collect::<Vec<_>>(),
            "complete": findings.iter().all(|finding| finding.standing != Standing::Missing) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_stands_out_with_the_way_to_get_it() {
        let finding = |about, standing, says: &str, get: Option<&str>| Finding {
            about,
            standing,
            says: says.into(),
            get: get.map(str::to_owned),
        };
        let all = [
            finding("version", Standing::Good, "rempart 0.1.0", None),
            finding("keys", Standing::Missing, "no key", Some("ssh-keygen -t ed25519")),
            finding(
                "lab",
                Standing::NotNeeded("rempart lab"),
                "no debootstrap",
                Some("sudo apt-get install debootstrap"),
            ),
        ];
        insta::assert_snapshot!(doctor(&all, &Paint::PLAIN), @r"
        ok       version  rempart 0.1.0
        missing  keys     no key
                          get it: ssh-keygen -t ed25519
        note     lab      no debootstrap (needed for rempart lab only)
                          get it: sudo apt-get install debootstrap

        1 thing is missing.
        ");
        assert_eq!(doctor_json(&all)["complete"], false);
        insta::assert_snapshot!(doctor(&all, &Paint { width: 50, ..Paint::PLAIN }), @r"
        ok       version  rempart 0.1.0
        missing  keys     no key
                          get it: ssh-keygen -t ed25519
        note     lab      no debootstrap (needed for
                          rempart lab only)
                          get it: sudo apt-get install
                          debootstrap

        1 thing is missing.
        ");
    }
}
