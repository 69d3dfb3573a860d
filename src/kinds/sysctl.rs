//! A kernel setting: its value now, and the file that sets it again after a reboot.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::State;
use crate::quote::{Format, Sh, fits};
use crate::resource::{
    Answer, Change, Context, Desired, Expect, Fault, FieldValue, Fields, Foreseen, Kind, ManagedFile, ProbeError,
    ProbeScript, Provision, Seen, Step, Touch, Undo,
};
use crate::secret::Rendered;
use crate::sh;

/// A kernel setting: its value now, and a file of its own in `/etc/sysctl.d` that sets it again after a reboot. Lines
/// of files that are read later and set another value are found as `overridden_by`, and commented out; where ufw is
/// switched on, the file that it reads at boot (`IPT_SYSCTL` in /etc/default/ufw) is one of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// Its name: `net.ipv4.ip_forward`, or with slashes where a part of it holds a dot.
    name: String,
    /// Its value; several numbers with a space between.
    #[serde(default)]
    value: Option<String>,
    /// `absent` takes the file away; the kernel keeps the value it has until the next reboot.
    #[serde(default)]
    state: State,
}

const SECTION: &str = "sysctl.d";

// Files of one name hide one another: the first directory wins. What ufw sets comes after all of them at boot, by a
// service of its own, and whatever its name is: it is listed with `+`.
const LISTING: &str = r#"rp_list() {
  [ -e "$2" ] || return 0
  printf '%s%s\n' "$1" "$2"
  rp_o=$(sed -n -e '/^[[:space:]]*[#;]/d' -e '/=/s/^/ /p' "$2") || exit 3
  [ -z "$rp_o" ] || printf '%s\n' "$rp_o"
}
for f in /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf \
  /usr/lib/sysctl.d/*.conf /etc/sysctl.conf; do
  rp_list = "$f"
done
if grep -qsiE '^[[:space:]]*ENABLED="?yes' /etc/ufw/ufw.conf && [ -e /etc/default/ufw ]; then
  rp_u=$(sed -n -e 's/^[[:space:]]*IPT_SYSCTL=//p' /etc/default/ufw) || exit 3
  rp_u=$(printf '%s\n' "$rp_u" | tail -n 1 | tr -d "\"'")
  [ -z "$rp_u" ] || rp_list + "${rp_u%% *}"
fi
echo ."#;

// As sysctl.d(5) reads names: the first separator of the two is the separator. Here it becomes the dot.
fn canonical(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    match name.find(['.', '/']).map(|at| name.as_bytes()[at]) {
        Some(b'/') => name.chars().map(swap).collect(),
        _ => name.to_owned(),
    }
}

// The kernel puts tabs where people write spaces, and prints numbers in decimal.
fn normal(value: &str) -> String {
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).map_or_else(|_| word.to_owned(), |number| number.to_string()),
        None => word.parse::<i64>().map_or_else(|_| word.to_owned(), |number| number.to_string()),
    };
    value.split_whitespace().map(number).collect::<Vec<_>>().join(" ")
}

impl Sysctl {
    fn value(&self) -> String {
        normal(self.value.as_deref().unwrap_or_default())
    }

    fn kernel_path(&self) -> String {
        let parts: Vec<String> = self.name.split('.').map(|part| part.replace('/', ".")).collect();
        format!("/proc/sys/{}", parts.join("/"))
    }

    // 99, because Debian's own 99-protect-links.conf would win over anything lower; 99-sysctl.conf still comes later.
    fn file(&self) -> ManagedFile {
        ManagedFile {
            path: format!("/etc/sysctl.d/99-rempart-{}.conf", self.name.replace('/', ":")),
            content: Some(Rendered::plain(format!("# Managed by rempart.\n{} = {}\n", self.name, self.value()))),
            mode: "0644".into(),
            owner: "root".into(),
            group: "root".into(),
        }
    }

    // Files that are read after ours and set another value, as `path: value`.
    fn overrides(&self, answer: &Answer) -> Result<Vec<String>, ProbeError> {
        let section = answer.section(SECTION)?;
        if section.status != 0 {
            let why = format!("sysctl.d could not be read (status {}): {}", section.status, section.complaint());
            return Err(ProbeError(why));
        }
        let mut files: Vec<(&str, Vec<(String, String)>)> = Vec::new();
        let mut ufw = None;
        // A listing that was cut short would hide what overrides.
        let whole = section.text()?.strip_suffix(".\n");
        for line in whole.ok_or_else(|| ProbeError("what sysctl.d holds was cut short".into()))?.lines() {
            if let Some(path) = line.strip_prefix('=') {
                files.push((path, Vec::new()));
            } else if let Some(path) = line.strip_prefix('+') {
                ufw = Some(files.len());
                files.push((path, Vec::new()));
            } else if let (Some(rest), Some((_, lines))) = (line.strip_prefix(' '), files.last_mut()) {
                let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
                lines.push((canonical(key.trim().trim_start_matches('-')), normal(value)));
            } else {
                return Err(ProbeError("what sysctl.d holds was not understood".into()));
            }
        }
        let stem = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let own = stem(&self.file().path);
        let mut found: Vec<String> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        // /etc/sysctl.conf is what 99-sysctl.conf points to, and is read last by `sysctl --system`.
        let whole = files.iter().position(|(path, _)| *path == "/etc/sysctl.conf");
        for (at, (path, lines)) in files.iter().enumerate() {
            let name = stem(path);
            let same = whole.is_some_and(|other| other != at && files[other].1 == *lines && name == "99-sysctl.conf");
            let hidden = (names.contains(&name) || same) && Some(at) != ufw;
            names.push(name.clone());
            if hidden || (name <= own && Some(at) != whole && Some(at) != ufw) {
                continue;
            }
            let others = lines.iter().filter(|(key, value)| *key == self.name && *value != self.value());
            found.extend(others.map(|(_, value)| format!("{path}: {value}")));
        }
        Ok(found)
    }

    fn read(&self, answer: &Answer) -> Result<Seen, ProbeError> {
        let file = self.file().read(answer)?;
        if self.state == State::Absent {
            return Ok(file.map_or(Seen::Absent, Seen::Present));
        }
        let path = self.kernel_path();
        if answer.stat(&path)?.is_none() {
            return Ok(Seen::NotYet {
                missing: format!("this kernel has no {path}; a module or interface that is not there may bring it"),
                brought_by: Vec::new(),
            });
        }
        let Some(crate::resource::FileContent::Bytes(bytes)) = answer.content(&path)? else {
            return Err(ProbeError(format!("{path} is no setting")));
        };
        let value = normal(&String::from_utf8_lossy(&bytes));
        let mut fields = Fields::from([("value".to_owned(), FieldValue::text(value))]);
        for (name, value) in file.into_iter().flatten() {
            fields.insert(persisted(&name), value);
        }
        fields.insert("overridden_by".into(), FieldValue::list(self.overrides(answer)?));
        Ok(Seen::Present(fields))
    }

    fn put(&self, seen: &Seen, fields: &[String]) -> Step {
        let file = self.file();
        let differs = |name: &str| fields.iter().any(|field| field.starts_with(name));
        let (path, value) = (self.kernel_path(), self.value());
        let known = |name: &str| match seen {
            Seen::Present(fields) => fields.get(name),
            _ => None,
        };
        let mut script = Sh::default();
        let mut touches = vec![Touch::Path(file.path.clone())];
        let told = if let Some(FieldValue::List(told)) = known("overridden_by") { told.as_slice() } else { &[] };
        let overrides: Vec<&str> = told.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        for other in &overrides {
            // Whoever put a link there keeps the text elsewhere, and what is elsewhere is not ours to change.
            let what = format!("{other} sets {} to another value; take that line out there", self.name);
            script.line(if other.starts_with("/etc/") {
                touches.push(Touch::Path((*other).to_owned()));
                sh!("[ ! -L {} ] || { echo {} >&2; exit 1; }", *other, what)
            } else {
                sh!("echo {} >&2; exit 1", what)
            });
        }
        if differs("value") || fields.is_empty() {
            script.line(sh!(
                "if ! printf '%s\\n' {} 2>/dev/null >{}; then echo {} >&2; exit 1; fi",
                value,
                path,
                format!("the kernel does not take `{value}` for {}", self.name)
            ));
        }
        // Both, because the file may be gone and come with either.
        let step = file.put(&Seen::Absent, Sh::default());
        if differs("persisted") || fields.is_empty() {
            script.line(sh!("mkdir -p -m 0755 /etc/sysctl.d")).line(step.script);
        }
        let parts: Vec<&str> = self.name.split(['.', '/']).collect();
        let line = format!(r"s|^[[:space:]]*-\{{0,1\}}{}[[:space:]]*=|# rempart: &|", parts.join("[./]"));
        for other in overrides {
            script.line(sh!("sed -i -e {} -- {}", line, other));
        }
        let title = format!("set {} to {value}, now and after a reboot", self.name);
        touches.push(Touch::Kernel(path.trim_start_matches("/proc/sys/").to_owned()));
        let mut step = Step { title, script, synced: false, ..step }.within(60).undone_by(Undo::of(touches));
        let was = known("signature").cloned().map(|value| Fields::from([("signature".to_owned(), value)]));
        step.expects = vec![file.expect(&was.map_or(Seen::Absent, Seen::Present))];
        let Some(FieldValue::Text(old)) = known("value") else { return step };
        let command = sh!("tr -s '\\t' ' ' <{}", path);
        let step = step.expecting(Expect::Prints { command, output: old.clone() });
        // Forwarding, filters, IPv6: a setting of the network can cut the link that rempart came by.
        if !self.name.starts_with("net.") || !differs("value") {
            return step;
        }
        step.risky()
    }
}

fn persisted(name: &str) -> String {
    match name {
        "signature" => "signature".into(),
        "content" => "persisted".into(),
        other => format!("persisted.{other}"),
    }
}

impl Kind for Sysctl {
    const NAME: &'static str = "sysctl";
    const NAMED_BY: Option<&'static str> = Some("name");
    const SUMMARY: &'static str = "A kernel setting: its value now, and the file that sets it again after a reboot.";
    const EXAMPLE: &'static str = "sysctl: { name: net.ipv4.conf.all.rp_filter, value: 1 }";
    const UNDO: &'static str = "the value in the kernel, its file, and lines of other files that were commented out.";

    const TOUCHES_OTHERS: bool = false;

    fn key(&self) -> String {
        canonical(&self.name)
    }

    fn is_risky(&self) -> bool {
        self.state == State::Present && self.name.starts_with("net.")
    }

    fn settle(&mut self, _context: &Context<'_>) -> Result<(), Fault> {
        self.name = canonical(&self.name);
        let part = |text: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "_-:@".contains(c);
            !text.is_empty() && text.split('/').all(|piece| !piece.is_empty() && piece.chars().all(fine))
        };
        if !self.name.contains('.') || !self.name.split('.').all(part) || self.name.starts_with('-') {
            return Err(Fault::new("name", format!("`{}` is not the name of a setting", self.name.escape_debug()))
                .fix("write it like net.ipv4.ip_forward"));
        }
        match (&self.value, self.state) {
            (None, State::Present) => Err(Fault::new("value", "a value must be given")),
            (Some(_), State::Absent) => Err(Fault::new("value", "a setting that is absent has no value")),
            (None, State::Absent) => Ok(()),
            (Some(value), State::Present) if value.trim().is_empty() => {
                Err(Fault::new("value", "an empty value cannot be set"))
            }
            (Some(value), State::Present) => fits(Format::Ini, value).map_err(|why| Fault::new("value", why)),
        }
    }

    fn provides(&self) -> Vec<Provision> {
        vec![Provision::Path(self.file().path)]
    }

    fn desired(&self) -> Desired {
        let Desired::Present(file) = self.file().desired() else { return Desired::Absent };
        if self.state == State::Absent {
            return Desired::Absent;
        }
        let mut fields: Fields = file.into_iter().map(|(name, value)| (persisted(&name), value)).collect();
        fields.insert("value".into(), FieldValue::text(self.value()));
        fields.insert("overridden_by".into(), FieldValue::List(Vec::new()));
        Desired::Present(fields)
    }

    fn probe(batch: &[&Self], script: &mut ProbeScript) {
        for wanted in batch {
            wanted.file().probe(script);
            script.content(&wanted.kernel_path(), None);
        }
        script.section(SECTION, Sh::program_of_the_user(LISTING));
    }

    fn parse(batch: &[&Self], answer: &Answer) -> Vec<Seen> {
        Seen::each(batch, |wanted| wanted.read(answer))
    }

    fn foresee(&self, _seen: &Seen, foreseen: &mut Foreseen) {
        if self.state == State::Present && self.name.ends_with("disable_ipv6") {
            foreseen.sysctls.insert(self.name.clone(), (self.value(), foreseen.origin()));
        }
    }

    fn steps(batch: &[Change<'_, Self>]) -> Vec<Step> {
        batch
            .iter()
            .map(|Change { position, wanted, seen, fields }| {
                let step = match wanted.state {
                    State::Absent => wanted.file().remove(seen),
                    State::Present => wanted.put(seen, fields),
                };
                step.serving([*position])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kinds::tests::{load, section};

    fn overrides(item: &str, name: &str, status: i32) -> Result<Vec<String>, ProbeError> {
        let answer = Answer::of_sections([(SECTION, section("sysctl", name, status))]);
        load::<Sysctl>(item).unwrap().overrides(&answer)
    }

    #[test]
    fn lines_that_are_read_later_are_found() {
        let found = |name: &str| overrides(&format!("{{ name: {name}, value: 1 }}"), "overridden", 0).unwrap();
        assert_eq!(found("net.ipv4.conf.all.send_redirects"), ["/etc/sysctl.conf: 0"]);
        assert_eq!(found("net/ipv4/conf/all/log_martians"), ["/etc/sysctl.d/zz-local.conf: 0"]);
        // Set before ours, or to the same value.
        assert!(found("fs.protected_regular").is_empty() && found("net.ipv4.tcp_syncookies").is_empty());
    }

    #[test]
    fn what_ufw_sets_at_boot_comes_last() {
        let found =
            |name: &str, value: u8| overrides(&format!("{{ name: {name}, value: {value} }}"), "ufw", 0).unwrap();
        assert_eq!(found("net.ipv4.conf.all.log_martians", 1), ["/etc/ufw/sysctl.conf: 0"]);
        assert!(found("net.ipv4.conf.all.log_martians", 0).is_empty());
        assert!(found("net.ipv4.tcp_syncookies", 0).is_empty());
    }

    #[test]
    fn no_answer_is_never_fine() {
        assert!(overrides("{ name: net.ipv4.ip_forward, value: 1 }", "garbled", 0).is_err());
        assert!(overrides("{ name: net.ipv4.ip_forward, value: 1 }", "failing", 3).is_err());
    }

    #[test]
    fn names_and_values_have_one_form() {
        assert_eq!(canonical("net/ipv4/conf/eth0.100/forwarding"), "net.ipv4.conf.eth0/100.forwarding");
        let wanted = load::<Sysctl>("{ name: net/ipv4/conf/eth0.100/forwarding, value: 1 }").unwrap();
        assert_eq!(wanted.kernel_path(), "/proc/sys/net/ipv4/conf/eth0.100/forwarding");
        assert_eq!(normal("32768\t 060999\n"), "32768 60999");
        for bad in ["a", "../etc/passwd", "net..x", "/net/ipv4", "net.ipv4.x y", "net.ipv4.*.rp_filter"] {
            assert!(load::<Sysctl>(&format!("{{ name: \"{bad}\", value: 1 }}")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hostile_values_are_refused_or_stay_on_their_line(text in "[^\0]{1,30}") {
            let item = format!("{{ name: net.x, value: {} }}", serde_json::to_string(&text).unwrap());
            if let Ok(wanted) = load::<Sysctl>(&item) {
                let content = wanted.file().content.unwrap().as_plain().unwrap();
                prop_assert_eq!(content.lines().count(), 2);
                prop_assert!(!text.contains([';', '#']));
                let word = format!("printf '%s\\n' {} 2>", crate::quote::quote_sh(&wanted.value()));
                prop_assert!(wanted.put(&Seen::Absent, &[]).script.text().contains(&word));
            }
        }
    }
}
